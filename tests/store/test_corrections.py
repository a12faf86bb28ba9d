"""Corrections: in force until undone, replaced or overtaken by their source; landing stays as it is."""

from typing import Any

import pandas as pd
from sqlalchemy import Engine

from pipelines.domain.schemas import LANDED
from pipelines.store import corrections, frames
from pipelines.store.engine import transaction

NOW, LATER = "2026-11-02T08:00:00Z", "2026-11-03T08:00:00Z"


def row(key: str, field: str = "phone", **changes: Any) -> dict[str, Any]:
    return {
        "source": "own", "kind": "party", "source_key": key, "field": field, "refused": "x",
        "corrected": None, "content": None, "content_hash": "h", "quarantine_id": 1,
        "replaces": None, "step_run": 5, "decided_by": "anna", "decided_at": NOW, "reason": "asked",
        **changes,
    }  # fmt: skip


def keys(*names: str) -> pd.DataFrame:
    return pd.DataFrame([{"source": "own", "kind": "party", "source_key": name} for name in names])


def test_values_come_back_as_they_were_put_in(engine: Engine) -> None:
    stated = [
        row("1", refused=None, corrected={"line": "Tie 1"}),
        row("2", refused=["ä"], corrected=True, content={"name": "Ä"}),
    ]
    with transaction(engine) as conn:
        corrections.add(conn, stated)
        found = corrections.in_force(conn)
    columns = ["refused", "corrected", "content"]
    assert found[columns].to_numpy().tolist() == [
        [None, {"line": "Tie 1"}, None],
        [["ä"], True, {"name": "Ä"}],
    ]


def test_one_that_replaces_another_closes_it_and_gives_way_again(engine: Engine) -> None:
    with transaction(engine) as conn:
        corrections.add(conn, [row("1"), row("1", "email")])
        corrections.add(conn, [row("1", corrected="y", replaces=1)])
        assert corrections.in_force(conn)["correction_no"].tolist() == [2, 3]
        corrections.close(conn, [3], "undone", LATER, by="anna")
        corrections.reopen(conn, [1])
        assert corrections.in_force(conn)["correction_no"].tolist() == [1, 2]
        every = corrections.of_source(conn, "own").set_index("correction_no")
        assert every["ending"].dropna().to_dict() == {3: "undone"}
        corrections.close(conn, [3], "source_changed", LATER)
        again = corrections.of_source(conn, "own").set_index("correction_no")
        assert again.loc[3, "ending"] == "undone", "what is closed stays closed as it was"


def test_those_of_some_records_are_found_and_forgotten_alone(engine: Engine) -> None:
    with transaction(engine) as conn:
        corrections.add(conn, [row("1"), row("2"), row("3")])
        assert corrections.in_force(conn, keys("1", "3"))["source_key"].tolist() == ["1", "3"]
        assert corrections.in_force(conn, keys("1").head(0)).empty
        assert corrections.forget(conn, keys("1", "4")) == 1
        assert corrections.in_force(conn)["source_key"].tolist() == ["2", "3"]


def test_a_record_is_read_again_and_its_content_stays(engine: Engine) -> None:
    content = {"source": "own", "kind": "party", "source_key": "1", "content": {"a": 1}}
    rows = LANDED.frame([{**content, "content_hash": "h"}])
    with transaction(engine) as conn:
        frames.put(conn, LANDED, rows, 1)
        before = frames.read(conn, LANDED)
        corrections.read_again(conn, keys("1"), 7)
        assert frames.read(conn, LANDED).equals(before)
        assert len(frames.changed_since(conn, LANDED, 6)) == 1
        assert (corrections.stamp(conn, keys("1")), corrections.stamp(conn, keys("9"))) == (7, 0)
