"""Stewards' verdicts and the queue of pairs that wait for one."""

import pandas as pd
import pytest
from sqlalchemy import Engine

from pipelines.store import judgements
from pipelines.store.engine import StoreError, transaction

NOW = "2026-11-02T08:00:00Z"
A, B, C = ("dvv", "a"), ("own", "b"), ("own", "c")


def records(*keys: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame(keys, columns=["source", "source_key"], dtype="str")


def pairs(*sides: tuple[tuple[str, str], tuple[str, str]]) -> pd.DataFrame:
    """Pairs that wait, with less at stake from one to the next."""
    rows = pd.DataFrame(
        [(*left, *right) for left, right in sides], columns=[*judgements.PAIR], dtype="str"
    )
    return rows.assign(stake=[1.0 / n for n in range(1, len(rows) + 1)])


def test_a_later_verdict_supersedes_whichever_way_the_pair_is_named(engine: Engine) -> None:
    with transaction(engine) as conn:
        for one, other, verdict in ((A, B, "same"), (B, A, "different"), (B, C, "same")):
            judgements.record(
                conn, one, other, verdict, by="anna", reason="asked", now=NOW, step_run=3
            )  # fmt: skip
        living = judgements.living(conn)
        history = judgements.history(conn, B, A)
    assert living[[*judgements.PAIR, "verdict", "decided_at"]].to_numpy().tolist() == [
        [*A, *B, "different", NOW],
        [*B, *C, "same", NOW],
    ]
    assert history[["verdict", "superseded_by"]].fillna(0).to_numpy().tolist() == [
        ["same", 2],
        ["different", 0],
    ]


def test_an_undone_verdict_leaves_the_pair_without_one(engine: Engine) -> None:
    with transaction(engine) as conn:
        for verdict in ("same", "undone"):
            judgements.record(conn, A, B, verdict, by="anna", reason="slip", now=NOW, step_run=3)
        assert judgements.living(conn).empty
        assert len(judgements.history(conn, A, B)) == 2


def test_verdicts_are_found_by_either_side(engine: Engine) -> None:
    with transaction(engine) as conn:
        judgements.record(conn, A, B, "same", by="anna", reason="r", now=NOW, step_run=3)
        assert len(judgements.living(conn, records(A))) == 1
        assert len(judgements.living(conn, records(B))) == 1
        assert judgements.living(conn, records(C)).empty


def test_matching_hears_of_verdicts_given_since_it_last_worked(engine: Engine) -> None:
    with transaction(engine) as conn:
        judgements.record(conn, B, A, "same", by="anna", reason="r", now=NOW, step_run=3)
        assert judgements.touched_since(conn, 2).to_numpy().tolist() == [list(A), list(B)]
        assert judgements.touched_since(conn, 3).empty


def test_a_record_is_not_judged_against_itself(engine: Engine) -> None:
    with pytest.raises(StoreError), transaction(engine) as conn:
        judgements.record(conn, A, A, "same", by="anna", reason="r", now=NOW, step_run=3)


def test_the_queue_of_affected_records_is_replaced_and_keeps_its_dates(engine: Engine) -> None:
    with transaction(engine) as conn:
        judgements.replace_queue(
            conn, records(A, B, C), pairs((A, B), (B, C)), "2026-11-02", NOW
        )  # fmt: skip
        judgements.replace_queue(
            conn, records(A), pairs((A, B), (A, C)), "2026-11-03", "2026-11-03T08:00:00Z"
        )
        queue = judgements.queue(conn)
        assert queue[["left_key", "right_key", "business_date"]].to_numpy().tolist() == [
            ["a", "b", "2026-11-02"],
            ["b", "c", "2026-11-02"],
            ["a", "c", "2026-11-03"],
        ]
        numbers = queue["review_no"].tolist()
        judgements.replace_queue(conn, records(A), pairs(), "2026-11-04", NOW)
        assert judgements.queue(conn)["review_no"].tolist() == numbers[1:2]


def test_a_judged_pair_waits_no_longer_unless_nobody_is_sure(engine: Engine) -> None:
    with transaction(engine) as conn:
        judgements.replace_queue(conn, records(A), pairs((A, B)), "2026-11-02", NOW)
        number = int(judgements.queue(conn)["review_no"].iloc[0])
        judgements.record(conn, B, A, "unsure", by="anna", reason="r", now=NOW, step_run=3)
        kept = judgements.waiting(conn, number)
        assert kept is not None and (kept["left_key"], kept["right_key"]) == ("a", "b")
        judgements.record(conn, B, A, "different", by="anna", reason="r", now=NOW, step_run=3)
        assert judgements.queue_length(conn) == 0
        assert judgements.waiting(conn, number) is None


def test_a_forgotten_record_leaves_no_pair(engine: Engine) -> None:
    """DESIGN 4: whoever is no customer leaves no trace."""
    with transaction(engine) as conn:
        judgements.replace_queue(conn, records(A, B), pairs((A, B), (B, C)), "2026-11-02", NOW)
        judgements.record(conn, A, C, "same", by="anna", reason="r", now=NOW, step_run=3)
        judgements.forget(conn, records(C))
        assert judgements.living(conn).empty
        assert judgements.queue(conn)["left_key"].tolist() == ["a"]
