"""Acts that wait for a second person: answered once, forgotten then."""

import pytest
from sqlalchemy import Engine

from pipelines.domain.schemas import GOLDEN
from pipelines.store import frames, seconds
from pipelines.store.engine import StoreError, reading, transaction

ASKED, NOW = "2026-11-02T08:00:00Z", "2026-11-03T08:00:00Z"
FACTS = {"number": "7", "reason": "kysytty, äiti ja tytär"}


def test_a_request_is_answered_once_and_what_it_was_about_goes(engine: Engine) -> None:
    with transaction(engine) as conn:
        number = seconds.record(conn, "pair", FACTS, "anna", ASKED)
        other = seconds.record(conn, "release", FACTS, "anna", ASKED)
    with reading(engine) as conn:
        assert [r.request_no for r in seconds.waiting(conn)] == [number, other]
        found = seconds.read(conn, number)
    assert found is not None
    assert (found.facts, found.state, found.asked_by) == (FACTS, "waiting", "anna")
    with transaction(engine) as conn:
        seconds.decide(conn, number, "approved", "olli", "", NOW)
    with pytest.raises(StoreError, match="waits no more"), transaction(engine) as conn:
        seconds.decide(conn, number, "declined", "olli", "", NOW)
    with reading(engine) as conn:
        answered = seconds.read(conn, number)
        assert [r.request_no for r in seconds.waiting(conn)] == [other]
        assert seconds.read(conn, 99) is None
    assert answered is not None
    assert (answered.facts, answered.state, answered.decided_by) == (None, "approved", "olli")


def test_a_request_lapses_when_it_was_made_before_a_moment_and_not_at_it(engine: Engine) -> None:
    with transaction(engine) as conn:
        number = seconds.record(conn, "pair", FACTS, "anna", ASKED)
        assert seconds.lapse(conn, ASKED) == 0
        assert seconds.lapse(conn, NOW) == 1
        over = seconds.read(conn, number)
    assert over is not None
    assert (over.state, over.facts) == ("lapsed", None)


def test_the_stamp_of_a_table_changes_with_every_row_that_comes_changes_or_goes(
    engine: Engine,
) -> None:
    row = {"party_id": 1, "party_type": "person", "display_name": "Mäki Aino", "row_hash": "a"}
    seen = []
    with transaction(engine) as conn:
        seen.append(frames.stamp(conn, GOLDEN))
        frames.put(conn, GOLDEN, GOLDEN.frame([row]), 3)
        seen.append(frames.stamp(conn, GOLDEN))
        frames.put(conn, GOLDEN, GOLDEN.frame([{**row, "display_name": "Mäki Eeva"}]), 4)
        seen.append(frames.stamp(conn, GOLDEN))
        names = frames.some_columns(conn, GOLDEN, ("party_id", "display_name"))
        frames.remove(conn, GOLDEN, names, ("party_id",))
        seen.append(frames.stamp(conn, GOLDEN))
    assert list(names.columns) == ["party_id", "display_name"]
    assert names["display_name"].tolist() == ["Mäki Eeva"]
    assert len(set(seen[:3])) == 3 and seen[3] == seen[0]
