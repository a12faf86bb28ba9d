"""Recalls and notices of correction at the command line: what waits, who decides, which letter is printed."""

import json

import pytest

from pipelines.house import open_house
from pipelines.steps.recall import approve
from pipelines.store import access, notifications
from pipelines.store.engine import open_engine, reading, transaction
from pipelines.store.notifications import Wanted
from tests.canaries import FORBIDDEN, found_in
from tests.cli.conftest import Desk

COLUMNS = {
    "notification_no", "kind", "recipient", "why", "fields", "state", "route", "prepared_at", "days",
}  # fmt: skip


def customer(desk: Desk) -> int:
    """The golden id of the planted customer."""
    found: str = desk("customer", "find", "merkkimaki", "--json").json[0]["id"]
    return int(found.removeprefix("P"))


@pytest.fixture
def waiting(own_desk: Desk) -> Desk:
    """A hub in which the credit agency is to be recalled from an address, and told of a correction."""
    party = customer(own_desk)
    engine = open_engine(f"sqlite:///{own_desk.home / 'hub.db'}")
    with transaction(engine) as conn:
        wanted = [
            Wanted("recall", "credit", party, ("street_line",), "protective_order", "e1", (), "hand", "prepared"),
            Wanted("correction", "credit", party, ("phone",), "was_told", "N1", (), "hand", "prepared"),
        ]  # fmt: skip
        assert len(notifications.queue(conn, wanted, "2026-11-01T08:00:00Z")) == 2
    engine.dispose()
    return own_desk


def number(desk: Desk, kind: str) -> str:
    """The number of the agency's recall or correction."""
    listed = desk("disclosures", "recalls", "--json").json
    (one,) = [r for r in listed if (r["recipient"], r["kind"]) == ("credit", kind)]
    return str(one["notification_no"])


def states(desk: Desk, *options: str) -> list[str]:
    listed = desk("disclosures", "recalls", *options, "--json").json
    return [one["state"] for one in listed if one["recipient"] == "credit"]


def looks(desk: Desk) -> list[tuple[str, str | None]]:
    engine = open_engine(f"sqlite:///{desk.home / 'hub.db'}")
    with reading(engine) as conn:
        lines = access.recent(conn, 5)
    engine.dispose()
    return list(zip(lines["operation"], lines["purpose"], strict=True))


def test_what_waits_is_listed_by_number_and_recipient_and_nobody_by_name(waiting: Desk) -> None:
    listed = waiting("disclosures", "recalls", "--json").json
    mine = [one for one in listed if one["recipient"] == "credit"]
    assert [(one["kind"], one["fields"], one["days"]) for one in mine] == [
        ("recall", "street_line", 2), ("correction", "phone", 2),
    ]  # fmt: skip
    assert set(listed[0]) == COLUMNS
    table = waiting("disclosures", "recalls").out
    assert "street_line" in table
    assert found_in((table + json.dumps(listed)).encode(), FORBIDDEN) == []


def test_whom_a_recall_is_about_is_shown_for_a_reason_and_logged(waiting: Desk) -> None:
    assert waiting("disclosures", "recalls", "--customers").code == 2
    shown = waiting("disclosures", "recalls", "--customers", "--why", "order 4.11.", "--json").json
    told = {one["customer"] for one in shown if one["recipient"] == "credit"}
    assert told == {f"P{customer(waiting)}"}
    waiting("disclosures", "recalls", "--customers", "--why", "order 4.11.")
    assert ("disclosures recalls", "order 4.11.") in looks(waiting)


def approved_by_two(desk: Desk, one: str) -> None:
    """One has asked for it at the desk, an officer has approved it."""
    house = open_house(desk.home, {}, clock=lambda: desk.now)
    approve(house.night(), int(one), "anna.asiakas", "agreed", approved_by="olli.vastaava")
    house.close()


def test_r56_a_recall_is_not_approved_alone_at_the_command_line(waiting: Desk) -> None:
    """R56: whoever is told to delete learns that there is a reason."""
    one = number(waiting, "recall")
    told = waiting("disclosures", "recall", "approve", one, "--why", "agreed")
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert "nobody decides alone" in told.err
    assert "at the desk, page Takaisinvedot ja oikaisut" in told.err
    assert states(waiting) == ["prepared", "prepared"]
    assert looks(waiting)[0][0] == "second wanted"


def test_a_notice_about_somebody_without_an_order_is_approved_by_one(waiting: Desk) -> None:
    one = number(waiting, "correction")
    told = waiting("disclosures", "recall", "approve", one, "--why", "agreed", "--json")
    assert (told.code, told.json["approved"]) == (0, int(one))
    assert states(waiting) == ["prepared", "approved"]


def test_an_approved_recall_prints_its_letter_and_is_then_sent_and_answered(waiting: Desk) -> None:
    one = number(waiting, "recall")
    approved_by_two(waiting, one)
    approved = waiting(
        "disclosures", "recall", "approve", one, "--why", "agreed", "--language", "en", "--json"
    ).json
    assert (approved["approved"], approved["recipient"]) == (int(one), "credit")
    assert "request to delete" in approved["letter"]
    assert found_in(approved["letter"].encode(), FORBIDDEN) == [], "no value of anybody"
    again = waiting("disclosures", "recall", "approve", one, "--why", "lost it")
    assert f"poistopyyntö {one}" in again.out
    assert waiting("disclosures", "recall", "sent", one, "--why", "D/1").code == 0
    answered = waiting("disclosures", "recall", "sent", one, "--answered", "--why", "D/2", "--json")
    assert answered.json == {"acknowledged": int(one)}
    assert states(waiting) == ["prepared"]
    assert states(waiting, "--all") == ["acknowledged", "prepared"]


def test_a_declined_notice_is_closed_and_not_decided_again(waiting: Desk) -> None:
    one = number(waiting, "correction")
    told = waiting("disclosures", "recall", "decline", one, "--why", "not theirs", "--json")
    assert told.json == {"declined": int(one)}
    again = waiting("disclosures", "recall", "approve", one, "--why", "after all")
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert f"{one} is declined already" in again.err


def test_nothing_is_sent_that_nobody_has_approved(waiting: Desk) -> None:
    one = number(waiting, "recall")
    told = waiting("disclosures", "recall", "sent", one, "--why", "D/1")
    assert (told.code, told.out) == (1, "")
    assert f"hub disclosures recall approve {one}" in told.err
    unknown = waiting("disclosures", "recall", "decline", "4711", "--why", "no")
    assert unknown.err == "hub: there is no recall or notice 4711; see: hub disclosures recalls\n"
    assert waiting("disclosures", "recall", "approve", one).code == 2, "a decision needs its reason"


@pytest.mark.parametrize("corrects", [True, False])
def test_a_notice_says_whether_what_we_had_was_wrong_or_only_old(
    own_desk: Desk, corrects: bool
) -> None:
    engine = open_engine(f"sqlite:///{own_desk.home / 'hub.db'}")
    with reading(engine) as conn:
        before = len(notifications.correcting_records(conn, "notices"))
    told = own_desk(
        "customer", "notice", own_desk.planted.customer, "--received", "2026-11-04",
        "--channel", "phone", "--phone", "0505557396", "--json",
        *(["--corrects"] if corrects else []),
    )  # fmt: skip
    with reading(engine) as conn:
        marked = notifications.correcting_records(conn, "notices")
    engine.dispose()
    assert len(marked) == before + corrects
    assert (told.json["notice"] in set(marked["source_key"])) is corrects
