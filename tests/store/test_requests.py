"""Requests to refresh customers: numbered, carried out once, forgotten in time."""

from sqlalchemy import Engine

from pipelines.store import requests
from pipelines.store.engine import transaction

ASKED = "2026-11-02T08:00:00Z"


def test_a_request_keeps_whom_it_is_about_and_what_came_of_it(engine: Engine) -> None:
    with transaction(engine) as conn:
        number = requests.record(conn, ["20001", "20004"], "anna", ASKED)
        asked = requests.read(conn, number)
        requests.finish(conn, number, {"dvv": "answered"}, {"20001": ["street_line"]}, ASKED)
        done = requests.read(conn, number)
    assert asked == requests.Request(number, ["20001", "20004"], "anna", ASKED, "open")
    assert done is not None
    assert (done.state, done.finished_at, done.answered) == ("done", ASKED, {"dvv": "answered"})
    assert done.changed == {"20001": ["street_line"]}


def test_there_is_no_request_under_a_number_never_given(engine: Engine) -> None:
    with transaction(engine) as conn:
        assert requests.read(conn, 7) is None


def test_two_requests_have_two_numbers(engine: Engine) -> None:
    with transaction(engine) as conn:
        first = requests.record(conn, ["20001"], "anna", ASKED)
        assert requests.record(conn, ["20001"], "anna", ASKED) == first + 1


def test_an_old_request_forgets_whom_it_was_about_and_a_young_one_does_not(engine: Engine) -> None:
    with transaction(engine) as conn:
        old = requests.record(conn, ["20001"], "anna", "2026-10-02T07:59:59Z")
        requests.finish(conn, old, {"dvv": "answered"}, {"20001": ["phone"]}, ASKED)
        young = requests.record(conn, ["20004"], "anna", "2026-10-02T08:00:00Z")
        assert requests.forget_customers(conn, "2026-10-02T08:00:00Z") == 1
        forgotten, kept = requests.read(conn, old), requests.read(conn, young)
        assert requests.forget_customers(conn, "2026-10-02T08:00:00Z") == 0
    assert forgotten is not None
    assert (list(forgotten.customers), forgotten.changed) == ([], None)
    assert (forgotten.state, forgotten.answered) == ("done", {"dvv": "answered"})
    assert kept is not None
    assert list(kept.customers) == ["20004"]
