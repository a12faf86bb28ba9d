"""The municipality both ways: what we take from its drop of everybody in town, and what it hears of its errors.

The nights are run once for each half; each test reads what they left.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from connectors.sandbox.own_register import Row
from pipelines.domain.schemas import (
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    PARTIES,
    PARTY_RECORDS,
    PROVENANCE,
    ROLES,
)
from pipelines.steps.foresee_delivery import foresee_delivery
from pipelines.store import deliveries, holdings
from pipelines.store.engine import transaction
from pipelines.story import traces
from tests.journeys.conftest import continued
from tests.journeys.living import Living, Morning
from tests.journeys.test_bad_input import hear

pytestmark = pytest.mark.journey
MUNICIPALITY = "municipality"


def record_of(hub: Living, number: str) -> Row:
    """The municipality's record of one of our customers."""
    office = hub.town._municipality
    return office.people[office.number_of[hub.town._founded.register.entity_of[number]]]


def corrections(hub: Living) -> list[list[dict[str, str]]]:
    """The rows of each delivery the municipality got, in order."""
    files = sorted(p for p in hub.inbox(MUNICIPALITY) if p.suffix == ".csv")
    return [list(csv.DictReader(p.read_text("utf-8").splitlines(), delimiter=";")) for p in files]


def told_of(rows: list[dict[str, str]], record: Row) -> dict[str, str]:
    return {r["field"]: r["value"] for r in rows if r["record_key"] == record["HENKILONRO"]}


def home_of(record: Row) -> dict[str, str]:
    columns = {"street_line": "KATUOSOITE", "postal_code": "POSTINRO", "post_office": "POSTITMP"}
    return {field: record[column] for field, column in columns.items()}


def states(hub: Living, record: Row) -> set[str]:
    """What became of the values returned about a record."""
    with hub.opened() as house, transaction(house.engine) as conn:
        returned = holdings.returned(conn, MUNICIPALITY)
    return set(returned.loc[returned["their_key"] == record["HENKILONRO"], "state"])


def lines_about(outcome_letter: str, word: str) -> list[str]:
    return [line for line in outcome_letter.splitlines() if word in line]


# --- what we take ---------------------------------------------------------------------------------------


class Heard(NamedTuple):
    """After the first night; parties: the municipality's that were landed."""

    hub: Living
    parties: set[str]


@pytest.fixture(scope="module")
def heard(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    with continued(founded, tmp_path_factory.mktemp("heard")) as hub:
        landed = hub.table(LANDED)
        mine = landed[(landed["source"] == MUNICIPALITY) & (landed["kind"] == "party")]
        yield Heard(hub, set(mine["source_key"]))


def test_only_owners_and_our_own_customers_were_taken_of_a_whole_town(heard: Heard) -> None:
    """DESIGN 4: the drop holds everybody."""
    office, register = heard.hub.town._municipality, heard.hub.town._founded.register
    roled = {role["ASIAKASNRO"] for role in register.roles.values()}
    identities = {register.customers[number]["HETU_YTUNNUS"] for number in roled} - {""}
    owners = {row["HENKILONRO"] for row in office.ownerships.values()}
    ours = {n for n, row in office.people.items() if row["HETU_YTUNNUS"] in identities}
    assert heard.parties == owners | ours
    assert len(heard.parties) < len(office.people) / 3
    assert heard.hub.feed(MUNICIPALITY).fetched == sum(
        map(len, (office.people, office.properties, office.ownerships))
    )


def test_nobody_who_is_no_customer_leaves_a_byte(heard: Heard) -> None:
    office = heard.hub.town._municipality
    others = [row for number, row in office.people.items() if number not in heard.parties]
    codes = [row["HETU_YTUNNUS"] for row in office.people.values() if row["HETU_YTUNNUS"]]
    people = [code for code in codes if "-" not in code[-2:]]
    assert len(others) > 300
    assert traces(heard.hub.home, heard.hub.town.truth()["canaries"]) == []
    assert traces(heard.hub.home, people) == []
    landed = heard.hub.table(LANDED)["source_key"]
    assert not {row["HENKILONRO"] for row in others} & set(landed)


def test_an_owner_we_have_never_heard_of_becomes_a_customer_by_the_role(heard: Heard) -> None:
    canary = heard.hub.story("owner_unknown_to_us")["canary"]
    records = heard.hub.table(PARTY_RECORDS)
    (record,) = records[records["source_key"] == canary["henkilonro"]].to_dict("records")
    assert set(records.loc[records["party_id"] == record["party_id"], "source"]) == {MUNICIPALITY}
    golden = heard.hub.table(GOLDEN).set_index("party_id").loc[record["party_id"]]
    assert (golden["display_name"], golden["street_line"]) == (
        canary["name"],
        canary["street_line"],
    )
    roles = heard.hub.table(ROLES)
    (role,) = roles[roles["party_source_key"] == canary["henkilonro"]].to_dict("records")
    assert (role["source"], role["role_type"]) == (MUNICIPALITY, "owner")
    points = heard.hub.table(GOLDEN_POINTS).set_index("point_id")["property_id"]
    held = heard.hub.table(GOLDEN_ROLES)
    (placed,) = held[held["party_id"] == record["party_id"]].to_dict("records")
    assert (placed["source"], placed["role_type"]) == (MUNICIPALITY, "owner")
    assert points[placed["point_id"]] == role["point_source_key"]


def test_a_property_of_the_municipalitys_is_no_consumption_point_of_its_own(heard: Heard) -> None:
    ours = heard.hub.town._founded.register.points
    assert set(heard.hub.table(GOLDEN_POINTS)["point_ref"]) == set(ours)


def test_who_both_registers_know_is_one_customer(heard: Heard) -> None:
    number = heard.hub.number("municipality_in_error")
    records = heard.hub.table(PARTY_RECORDS).set_index(["source", "source_key"])["party_id"]
    theirs = record_of(heard.hub, number)["HENKILONRO"]
    assert records["registrations", number] == records[MUNICIPALITY, theirs]


def test_nothing_is_landed_of_where_a_protected_resident_lives(heard: Heard) -> None:
    """R56: it states that there is an order, and no home."""
    parties = heard.hub.table(PARTIES)
    guarded = parties[(parties["source"] == MUNICIPALITY) & (parties["protection"] == "on")]
    landed = heard.hub.table(LANDED)
    content = landed[landed["source"] == MUNICIPALITY].set_index("source_key")["content"]
    assert len(guarded) >= 3
    assert not [key for key in guarded["source_key"] if "addresses" in content[key]]


def test_r14_the_municipality_never_outweighs_the_customer_or_the_population_register(
    heard: Heard,
) -> None:
    """R14: of a name it is believed only where nobody before it in the order states one."""
    values, records = heard.hub.table(PROVENANCE), heard.hub.table(PARTY_RECORDS)
    believed_more = records["source"].isin(["registrations", "dvv", "ytj"])
    better = set(records.loc[believed_more, "party_id"])
    theirs = values[(values["source"] == MUNICIPALITY) & (values["field"] == "family_name")]
    assert len(theirs)
    assert not set(theirs["party_id"]) & better


# --- what it hears --------------------------------------------------------------------------------------


class Corrected(NamedTuple):
    """Six nights: it refuses a row; then it accepts everything and changes nothing, five nights long.

    sent[n]: how many deliveries it had got after night n. refused, stubborn: whom these were about.
    hidden: somebody who moved and got a protective order on one day.
    """

    hub: Living
    refused: str
    stubborn: str
    hidden: str
    first: Morning
    last: Morning
    sent: list[int]


@pytest.fixture(scope="module")
def corrected(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corrected]:
    with continued(founded, tmp_path_factory.mktemp("corrected")) as hub:
        refused, stubborn, hidden = [n for n in hub.ordinary_payers() if record_of(hub, n)][:3]
        hub.move(refused)
        hub.move(hidden)
        hub.protect(hidden)
        hub.town.fault(MUNICIPALITY, "rejecting", 1)
        first = hub.morning(hub.next_night(quiet=True))
        sent = [len(corrections(hub))]
        hub.move(stubborn)
        hub.town.fault(MUNICIPALITY, "stubborn", 99)
        for _ in range(5):
            outcome = hub.next_night(quiet=True)
            sent.append(len(corrections(hub)))
        yield Corrected(hub, refused, stubborn, hidden, first, hub.morning(outcome), sent)


def test_r43_a_correction_goes_by_its_own_key_with_the_reason(corrected: Corrected) -> None:
    """R43, DESIGN 10: the controller that supplied an error learns of it."""
    canary = corrected.hub.story("municipality_in_error")["canary"]
    rows = [r for r in corrections(corrected.hub)[0] if r["record_key"] == canary["henkilonro"]]
    (street,) = [r for r in rows if r["field"] == "street_line"]
    assert list(street) == ["record_key", "field", "value", "reason", "stated_at"]
    assert (street["value"], street["reason"]) == (canary["new_line"], "dvv: update_service")
    assert canary["old_line"] != canary["new_line"]


def test_a_correction_that_was_taken_is_confirmed_and_says_nothing_of_its_own(
    corrected: Corrected,
) -> None:
    """DESIGN 10: what comes back equal is an echo, never a new source time."""
    number = corrected.hub.number("municipality_in_error")
    record = record_of(corrected.hub, number)
    assert (
        record["KATUOSOITE"] == corrected.hub.story("municipality_in_error")["canary"]["new_line"]
    )
    assert states(corrected.hub, record) == {"confirmed"}
    assert corrected.last.value(number, "street_line")["source"] == "dvv"


def test_only_the_municipalitys_own_records_and_fields_are_corrected(corrected: Corrected) -> None:
    rows = [row for sent in corrections(corrected.hub) for row in sent]
    landed = corrected.hub.table(LANDED)
    known = landed[(landed["source"] == MUNICIPALITY) & (landed["kind"] == "party")]
    assert {r["record_key"] for r in rows} <= set(known["source_key"])
    assert {r["field"] for r in rows} <= {"name", "street_line", "postal_code", "post_office"}
    assert all(r["value"] and r["reason"] and r["stated_at"] for r in rows)


def test_a_refused_correction_is_counted_and_never_sent_again(corrected: Corrected) -> None:
    record = record_of(corrected.hub, corrected.refused)
    assert "refused_by_sandbox" in corrected.first.outcome.letter
    with corrected.hub.opened() as house, transaction(house.engine) as conn:
        assert deliveries.totals(conn, MUNICIPALITY, "2026-11-03")["rejected"] == 1
        assert holdings.returned_counts(conn, MUNICIPALITY)["rejected"] == 1
    assert "rejected" in states(corrected.hub, record)
    about = [told_of(rows, record) for rows in corrections(corrected.hub)]
    assert len([rows for rows in about if rows]) == 1
    assert len(lines_about(corrected.last.outcome.letter, "refused_by_sandbox")) == 1


def test_five_nights_with_a_stubborn_municipality_end_in_silence_and_one_case(
    corrected: Corrected,
) -> None:
    """DESIGN 10: it accepts what it is told and keeps its own values; nobody repeats themselves."""
    record = record_of(corrected.hub, corrected.stubborn)
    new = corrected.hub.person(corrected.stubborn).home(corrected.hub.town.today).line()
    about = [told_of(rows, record) for rows in corrections(corrected.hub)]
    assert [rows for rows in about if rows] == [about[2]]
    assert about[2]["street_line"] == new != record["KATUOSOITE"]
    assert corrected.sent == [2, 3, 3, 3, 3, 3]
    assert states(corrected.hub, record) == {"overwritten"}
    assert corrected.last.party(corrected.stubborn)["street_line"] == new
    (case,) = lines_about(corrected.last.outcome.letter, "ylikirjoitettu")
    assert "Humppilan kunta" in case


def test_r56_of_a_protected_resident_the_municipality_hears_nothing(corrected: Corrected) -> None:
    """R56: not even that its address is old."""
    record = record_of(corrected.hub, corrected.hidden)
    assert record["TURVAKIELTO"] == "K"
    assert [told_of(rows, record) for rows in corrections(corrected.hub)] == [{}, {}, {}]
    home = corrected.hub.person(corrected.hidden).home(corrected.hub.town.today).line()
    sent = [p.read_text("utf-8") for p in corrected.hub.inbox(MUNICIPALITY)]
    assert not [text for text in sent if home in text]


def test_a_preview_shows_the_contracts_columns_and_sends_nothing(corrected: Corrected) -> None:
    hub = corrected.hub
    before = len(hub.inbox(MUNICIPALITY))
    with hub.opened() as house:
        contract = house.settings.recipients[MUNICIPALITY]
        night = house.night(hub.town.today)
        seen = foresee_delivery(night, contract, "clerk", "a test", alone=True)
    told = ["record_key", "field", "value", "reason", "stated_at"]
    assert list(seen.events.columns) == ["row_key", "party_id", *told]
    assert (len(seen.held), len(hub.inbox(MUNICIPALITY))) == (0, before)


# --- a drop that is not as agreed -------------------------------------------------------------------------


class Faulty(NamedTuple):
    """A hub with news in the municipality's drop that it has not heard yet."""

    hub: Living
    number: str


@pytest.fixture(scope="module")
def faulty(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faulty]:
    with continued(founded, tmp_path_factory.mktemp("faulty")) as hub:
        number = hub.ordinary_payers()[0]
        record_of(hub, number)["KATUOSOITE"] = "Uutiskuja 950"
        hub.town._export([])
        yield Faulty(hub, number)


SPOILED = {
    "truncated": "sha256",
    "not_ready": "no complete delivery",
    "shrunk": "",
    "missing_column": "HETU_YTUNNUS",
    "wrong_encoding": "henkilot_20261102.csv",
    "unauthorised": "127.0.0.1",
    "wrong_host_key": "host key",
}


def standing(hub: Living) -> tuple[object, pd.DataFrame]:
    return hub.cursor(MUNICIPALITY), hub.table(LANDED)


@pytest.mark.parametrize("kind", SPOILED)
def test_a_spoiled_drop_is_held_whole_and_the_cursor_stays(faulty: Faulty, kind: str) -> None:
    before, landed = standing(faulty.hub)
    faulty.hub.town.fault(MUNICIPALITY, kind, 1)
    result = hear(faulty.hub, MUNICIPALITY)
    feed = faulty.hub.feed(MUNICIPALITY)
    faulty.hub.town.clear_faults()
    assert (result.status, feed.landed) == ("failed", 0)
    assert SPOILED[kind] in feed.reason
    after, now = standing(faulty.hub)
    assert after == before
    assert now.equals(landed)


def test_without_our_own_export_nobody_is_known_to_be_ours_and_nothing_is_read(
    faulty: Faulty,
) -> None:
    before, landed = standing(faulty.hub)
    faulty.hub.town.fault("own_register", "truncated", 1)
    result = hear(faulty.hub, MUNICIPALITY)
    faulty.hub.town.clear_faults()
    assert result.status == "failed"
    assert "asiakkaat_20261102.csv" in faulty.hub.feed(MUNICIPALITY).reason
    after, now = standing(faulty.hub)
    assert after == before
    assert now.equals(landed)


def test_the_night_goes_on_without_the_drop_and_the_next_one_makes_up_for_it(
    faulty: Faulty,
) -> None:
    hub = faulty.hub
    street = hub.move(faulty.number)
    hub.town.fault(MUNICIPALITY, "truncated", 1)
    hub.town.fault(MUNICIPALITY, "lost_acknowledgement", 1)
    held = hub.morning(hub.next_night(quiet=True))
    assert held.outcome.status == "failed"
    assert "henkilot_20261103.csv" in held.outcome.letter
    assert [i["to"].split(",")[0] for i in held.invoices(faulty.number)] == [street]
    assert len(lines_about(held.outcome.letter, "kuittausta")) == 1

    hub.town.clear_faults()
    good = hub.morning(hub.next_night(quiet=True))
    assert good.outcome.status == "attention"
    landed = hub.table(LANDED).set_index(["source", "source_key"])["content"]
    record = record_of(hub, faulty.number)
    stated = landed[MUNICIPALITY, record["HENKILONRO"]]["addresses"][0]["line"]
    assert stated == record["KATUOSOITE"] == street
    assert states(hub, record) == {"confirmed"}


def test_r9_a_column_nobody_has_heard_of_is_dropped_and_counted(faulty: Faulty) -> None:
    """R9: never let in, its name and count shown."""
    faulty.hub.town.fault(MUNICIPALITY, "extra_column", 1)
    result = hear(faulty.hub, MUNICIPALITY)
    people = len(faulty.hub.town._municipality.people)
    assert result.counts["dropped:HOROSKOOPPI"] == people
    assert faulty.hub.feed(MUNICIPALITY).dropped["HOROSKOOPPI"] == people
    assert traces(faulty.hub.home, ["kauris"]) == []


def test_who_cannot_be_reached_is_told_once_when_it_can(hub: Living) -> None:
    """A line that drops in mid write, and a server that shows a host key nobody pinned."""
    record = record_of(hub, number := hub.ordinary_payers()[0])
    street = hub.move(number)
    hub.town.fault("finance", "wrong_host_key", 99)
    hub.town.fault("municipality", "dropped_connection", 1)
    cut_off = hub.morning(hub.next_night(quiet=True))
    assert cut_off.outcome.status == "failed"
    for recipient in ("finance", MUNICIPALITY):
        assert lines_about(cut_off.outcome.letter, recipient)
    assert street not in [i["to"].split(",")[0] for i in cut_off.invoices(number)]
    hub.town.clear_faults()
    mended = hub.morning(hub.next_night(quiet=True))
    assert [i["to"].split(",")[0] for i in mended.invoices(number)] == [street]
    told = [told_of(rows, record).get("street_line") for rows in corrections(hub)]
    assert told.count(street) == 1
