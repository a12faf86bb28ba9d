"""What is remembered from night to night."""

import pandas as pd
import pytest
from sqlalchemy import Engine

from pipelines.store import nights
from pipelines.store.engine import transaction

NOW = "2026-11-02T00:30:00Z"
LATER = "2026-11-02T00:40:00Z"


def test_a_step_counts_from_its_last_finished_execution(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert nights.latest_step_run(conn) == 0
        assert nights.last_consumed(conn, "match") == 0
        assert nights.last_good_date(conn, "match") is None
        done = nights.begin_step(conn, "match", "2026-11-01", NOW)
        nights.finish_step(conn, done, 7, {"records": 3}, LATER)
        killed = nights.begin_step(conn, "match", "2026-11-02", NOW)
        assert killed > done
        assert nights.latest_step_run(conn) == killed
        assert nights.last_consumed(conn, "match") == 7
        assert nights.last_good_date(conn, "match") == "2026-11-01"
        assert nights.last_consumed(conn, "other") == 0
        assert nights.counts_of(conn, "2026-11-01") == {"match": {"records": 3}}
        assert nights.counts_of(conn, "2026-11-02") == {}


def test_a_step_that_starts_over_works_through_everything(engine: Engine) -> None:
    with transaction(engine) as conn:
        run = nights.begin_step(conn, "extract:finance", "2026-11-01", NOW)
        nights.finish_step(conn, run, 7, {}, LATER)
        nights.start_over(conn, "extract:finance")
        assert nights.last_consumed(conn, "extract:finance") == 0


def test_a_night_that_died_counts_as_failed_when_the_next_one_opens(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert nights.last_night(conn) is None
        nights.open_night(conn, "2026-11-01", NOW)
        nights.open_night(conn, "2026-11-02", NOW)
        nights.close_night(conn, "2026-11-02", "ok", LATER, {"customers": 2})
        last = nights.last_night(conn)
        died = nights.last_night(conn, "failed")
    assert last is not None and died is not None
    assert (last.business_date, last.status, last.letter) == ("2026-11-02", "ok", {"customers": 2})
    assert (died.business_date, died.finished_at) == ("2026-11-01", None)


def test_a_night_nobody_opened_begins_with_its_first_step_since_the_one_before(
    engine: Engine,
) -> None:
    with transaction(engine) as conn:
        nights.begin_step(conn, "match", "2026-11-02", NOW)
        nights.close_night(conn, "2026-11-02", "failed", LATER)
        nights.begin_step(conn, "match", "2026-11-02", "2026-11-02T08:00:00Z")
        nights.close_night(conn, "2026-11-02", "ok", "2026-11-02T08:01:00Z")
        again, first = nights.last_night(conn), nights.last_night(conn, "failed")
    assert first is not None and again is not None
    assert (first.started_at, again.started_at) == (NOW, "2026-11-02T08:00:00Z")


def test_a_cursor_is_what_was_last_moved_to(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert nights.cursor_of(conn, "dvv") is None
        nights.move_cursor(conn, "dvv", {"kirjausavain": 1}, None, "2026-11-01", NOW)
        nights.move_cursor(conn, "dvv", {"kirjausavain": 2}, 10, "2026-11-02", NOW)
        assert nights.cursor_of(conn, "dvv") == {"kirjausavain": 2}


def test_the_latest_attempt_at_a_feed_is_the_one_that_counts(engine: Engine) -> None:
    day = "2026-11-02"
    with transaction(engine) as conn:
        assert (
            nights.record_feed(conn, "dvv", day, status="down", now=NOW, reason="host: down") == 1
        )
        assert nights.record_feed(conn, "dvv", day, status="ok", now=LATER, unknown={"X": 1}) == 2
        feeds = nights.feeds_of(conn, day)
        nights.record_feed(conn, "dvv", "2026-11-03", status="down", now=LATER)
        last = nights.last_feed(conn, "dvv")
        assert last is not None and (last.business_date, last.status) == ("2026-11-03", "down")
        assert nights.last_heard(conn, "dvv") == day
        assert nights.last_feed(conn, "own") is None
    assert [(f.source, f.attempt, f.status, f.unknown) for f in feeds] == [
        ("dvv", 2, "ok", {"X": 1})
    ]


def test_the_usual_total_is_the_median_of_ten_accepted_dates(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert nights.usual_total(conn, "own") is None
        for day in range(1, 16):
            date = f"2026-11-{day:02}"
            nights.record_feed(conn, "own", date, status="held", total=1, now=NOW)
            nights.record_feed(conn, "own", date, status="ok", total=1, now=NOW)
            nights.record_feed(conn, "own", date, status="unchanged", total=100 * day, now=NOW)
            nights.record_feed(conn, "own", date, status="ok", total=None, now=NOW)
        assert nights.usual_total(conn, "own") == 1050  # of 600 … 1500


def test_an_id_is_given_once(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert nights.peek_id(conn, "party") == 1
        assert nights.next_id(conn, "party", 3) == 1
        assert nights.peek_id(conn, "party") == 4
        assert nights.next_id(conn, "party", 1) == 4
        assert nights.next_id(conn, "point", 1) == 1


def test_an_undone_transaction_gives_its_ids_back(engine: Engine) -> None:
    with pytest.raises(RuntimeError), transaction(engine) as conn:
        nights.next_id(conn, "party", 3)
        raise RuntimeError
    with transaction(engine) as conn:
        assert nights.next_id(conn, "party", 1) == 1


def test_whoever_pointed_to_a_merged_party_points_to_where_it_went(engine: Engine) -> None:
    with transaction(engine) as conn:
        none = _split()
        nights.redirect(conn, _merged((3, 2)), none, "2026-11-01")
        nights.redirect(conn, _merged((2, 1), (5, 4), (4, 1)), _split((6, 1)), "2026-11-02")
        into = nights.redirects_into(conn, pd.DataFrame({"party_id": [1, 9]}))
        assert into.to_numpy().tolist() == [[2, 1], [3, 1], [4, 1], [5, 1]]
        assert nights.surviving(conn, 3) == 1
        assert nights.surviving(conn, 1) == 1
        assert nights.parted_since(conn, "2026-11-02").tolist() == [1, 2, 4, 5, 6]
        assert nights.parted_since(conn, "2026-11-03").tolist() == []


def _merged(*pairs: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["party_id", "into_party_id"]).astype("Int64")


def _split(*pairs: tuple[int, int]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["party_id", "from_party_id"]).astype("Int64")


def test_a_fact_is_replaced_by_a_newer_one(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert nights.fact(conn, "key_fingerprint") is None
        nights.put_fact(conn, "key_fingerprint", "a")
        nights.put_fact(conn, "key_fingerprint", "b")
        assert nights.fact(conn, "key_fingerprint") == "b"


def test_tidying_leaves_everything_in_place(engine: Engine) -> None:
    with transaction(engine) as conn:
        nights.put_fact(conn, "a", "b")
    nights.tidy(engine)
    with transaction(engine) as conn:
        assert nights.fact(conn, "a") == "b"
