"""Refusals: opened once per content, settled by a person or by newer content."""

import pandas as pd
import pytest
from sqlalchemy import Engine

from pipelines.domain.schemas import LANDED
from pipelines.store import frames, quarantine
from pipelines.store.engine import StoreError, transaction

NOW = "2026-11-02T00:30:00Z"


def finding(key: str, content_hash: str = "h1", **changes: object) -> dict[str, object]:
    return {
        "source": "own", "kind": "party", "source_key": key, "content_hash": content_hash,
        "rule": "name_present", "severity": "critical", "field": "family_name", "reason": None,
        "business_date": "2026-11-02", "content": None, **changes,
    }  # fmt: skip


def findings(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def landed(key: str, content_hash: str = "h1") -> pd.DataFrame:
    row = {
        "source": "own", "kind": "party", "source_key": key, "content": {},
        "content_hash": content_hash,
    }  # fmt: skip
    return LANDED.frame([row])


def test_the_same_refusal_is_opened_once(engine: Engine) -> None:
    same = finding("1"), finding("1"), finding("1", field=None), finding("1", rule="other")
    with transaction(engine) as conn:
        assert quarantine.open_findings(conn, findings(*same), NOW) == 3
        assert quarantine.open_findings(conn, findings(*same), NOW) == 0
        assert quarantine.open_findings(conn, findings(finding("1", "h2")), NOW) == 1
        assert [tuple(row) for row in quarantine.open_counts(conn)] == [
            ("own", "name_present", None, 1),
            ("own", "other", None, 1),
        ]


def test_a_record_that_never_landed_keeps_what_could_be_read(engine: Engine) -> None:
    unreadable = finding("1", content={"name": "X"}, kind="role", field=None, reason="no such role")
    with transaction(engine) as conn:
        quarantine.open_findings(conn, findings(unreadable), NOW)
        item = quarantine.item(conn, 1)
        assert quarantine.item(conn, 2) is None
    assert item is not None
    assert (item["content"], item["reason"], item["state"]) == (
        {"name": "X"},
        "no such role",
        "open",
    )


def test_newer_content_supersedes_what_was_open_and_nothing_decided(engine: Engine) -> None:
    with transaction(engine) as conn:
        quarantine.open_findings(conn, findings(finding("1"), finding("2"), finding("3")), NOW)
        decided = quarantine.open_items(conn).set_index("source_key")["quarantine_id"]
        quarantine.decide(conn, int(decided["2"]), "dropped", "anna", "duplicate", NOW)
        assert quarantine.supersede(conn, findings(finding("1"), finding("2")), NOW) == 0
        keys = findings(finding("1"), finding("2"))[["source", "kind", "source_key"]]
        assert quarantine.supersede(conn, keys, NOW) == 1
        assert quarantine.open_items(conn)["source_key"].tolist() == ["3"]
        assert quarantine.dropped(conn)["source_key"].tolist() == ["2"]


def test_a_decision_stands_for_that_content_only(engine: Engine) -> None:
    with transaction(engine) as conn:
        quarantine.open_findings(conn, findings(finding("1")), NOW)
        number = int(quarantine.open_items(conn)["quarantine_id"].iloc[0])
        quarantine.decide(conn, number, "released", "anna", "name is right", NOW)
        assert quarantine.open_findings(conn, findings(finding("1")), NOW) == 0
        assert quarantine.released(conn)[
            ["source_key", "content_hash", "rule"]
        ].to_numpy().tolist() == [["1", "h1", "name_present"]]
        assert quarantine.open_findings(conn, findings(finding("1", "h2")), NOW) == 1


def test_what_is_settled_cannot_be_decided_again(engine: Engine) -> None:
    with transaction(engine) as conn:
        quarantine.open_findings(conn, findings(finding("1")), NOW)
        quarantine.decide(conn, 1, "released", "anna", "name is right", NOW)
    for number in (1, 99):
        refused = pytest.raises(StoreError, match=f"quarantine {number} is not open")
        with refused, transaction(engine) as conn:
            quarantine.decide(conn, number, "dropped", "anna", "no", NOW)


def test_a_decided_record_is_read_again_the_next_night(engine: Engine) -> None:
    with transaction(engine) as conn:
        frames.put(conn, LANDED, landed("1"), 1)
        quarantine.open_findings(conn, findings(finding("1")), NOW)
        quarantine.decide(conn, 1, "released", "anna", "name is right", NOW, step_run=5)
        assert len(frames.changed_since(conn, LANDED, 4)) == 1


def test_refused_records_stay_out_until_their_content_is_another(engine: Engine) -> None:
    with transaction(engine) as conn:
        for key in "1234":
            frames.put(conn, LANDED, landed(key))
        quarantine.open_findings(
            conn,
            findings(*map(finding, "123"), finding("4", severity="warning"), finding("5")),
            NOW,
        )
        quarantine.decide(conn, 1, "released", "anna", "fine", NOW)
        quarantine.decide(conn, 2, "dropped", "anna", "not ours", NOW)
        assert quarantine.still_refused(conn)["source_key"].tolist() == ["2", "3"]
        frames.put(conn, LANDED, landed("2", "h2"))
        assert quarantine.still_refused(conn)["source_key"].tolist() == ["3"]


def test_a_number_is_never_given_to_another_refusal(engine: Engine) -> None:
    """A page that a steward left open must not decide on somebody else."""
    with transaction(engine) as conn:
        quarantine.open_findings(conn, findings(finding("1")), NOW)
        assert quarantine.forget(conn, findings(finding("1"))) == 1
        quarantine.open_findings(conn, findings(finding("2")), NOW)
        assert quarantine.open_items(conn)["quarantine_id"].tolist() == [2]


def test_without_findings_nothing_happens(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert quarantine.open_findings(conn, findings(finding("1")).head(0), NOW) == 0
        assert quarantine.supersede(conn, findings(finding("1")).head(0), NOW) == 0
        assert quarantine.still_refused(conn).empty
