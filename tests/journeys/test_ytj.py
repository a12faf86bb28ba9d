"""Organisations over whole nights: what the open company register tells, and what it gets wrong."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from connectors.sandbox.ytj import CompanyRegister
from connectors.sources.ytj import Ytj, YtjOptions
from pipelines.domain.schemas import LANDED
from pipelines.house import House, open_house
from pipelines.steps.ingest import ingest
from pipelines.steps.look import party_of, show
from pipelines.store import disclosures
from pipelines.store.engine import transaction
from tests.journeys.conftest import continued
from tests.journeys.living import Living, Morning

pytestmark = pytest.mark.journey


def of_customer(house: House, number: str) -> pd.DataFrame:
    """What the log has about a customer."""
    vault = house.night().vault
    with transaction(house.engine) as conn:
        return disclosures.of_party(conn, vault, party_of(conn, number))


def impatient(living: Living) -> House:
    """The hub as it is, but for the waits between one attempt at the register and the next."""
    house = open_house(living.home)
    config = house.settings.sources["ytj"]
    options = YtjOptions(**{k: v for k, v in config.options.items() if v is not None})  # type: ignore[arg-type]
    house.sources = {"ytj": Ytj(options, house._lender("ytj", config), sleep=lambda _: None)}
    return house


def entity(living: Living, number: str) -> str:
    return living.town._founded.register.entity_of[number]


def register(living: Living) -> CompanyRegister:
    found = living.town._registers["ytj"]
    assert isinstance(found, CompanyRegister)
    return found


def known(morning: Morning, number: str) -> dict[str, object]:
    """What stands of an organisation, less what no register states."""
    row = morning.party(number).drop("row_hash")
    return dict(row[row.notna()])


def counted(morning: Morning, count: str) -> int:
    return morning.counts["ingest:ytj"][count]


# --- an ordinary night --------------------------------------------------------------------------------


class Second(NamedTuple):
    living: Living
    first: Morning
    second: Morning


@pytest.fixture(scope="module")
def eventful(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Second]:
    """A company goes bankrupt, another has taken a new name."""
    with continued(founded, tmp_path_factory.mktemp("eventful")) as living:
        first = living.morning()
        yield Second(living, first, living.morning(living.next_night()))


def test_a_bankruptcy_shows_on_the_customer_with_its_date_and_where_it_is_from(
    eventful: Second,
) -> None:
    number = eventful.living.number("company_bankrupt")
    assert "company_situation" not in known(eventful.first, number)
    with eventful.living.opened() as house:
        seen = show(house.night(), number, "clerk", "test")
    shown = seen.values.set_index("field")[["value", "source", "rule"]]
    assert list(shown.loc["company_situation"]) == ["bankruptcy", "ytj", "only_source"]
    assert list(shown.loc["situation_date"]) == ["2026-11-02", "ytj", "only_source"]


def test_a_bankruptcy_is_told_to_nobody_outside(eventful: Second) -> None:
    number = eventful.living.number("company_bankrupt")
    assert eventful.first.told_rows(number) == eventful.second.told_rows(number)
    own = eventful.second.returned
    assert number not in set(own["their_key"])


def test_a_renamed_companys_bill_and_the_own_register_follow(eventful: Second) -> None:
    """R12: no clerk has touched the name for years."""
    living, number = eventful.living, eventful.living.number("company_renamed")
    words = living.story("company_renamed")["canary"]
    assert {i["name"] for i in eventful.first.invoices(number)} == {words["name"]}
    assert {i["name"] for i in eventful.second.invoices(number)} == {words["new_name"]}
    assert living.row(number)["NIMI"] == words["new_name"]
    assert eventful.second.value(number, "organisation_name")["rule"] == "update_service"


def test_whoever_the_register_does_not_hold_is_a_customer_like_any_other(eventful: Second) -> None:
    entered = register(eventful.living).entries
    register_of = eventful.living.town._founded.register
    numbers = [n for n in eventful.first.customers.index if entity(eventful.living, n)[0] == "Y"]
    outside = [n for n in numbers if register_of.entity_of[n] not in entered]
    assert 0 < len(outside) == counted(eventful.second, "not_held") < len(numbers)
    for number in outside:
        assert known(eventful.second, number) == known(eventful.first, number)


def test_every_question_about_a_company_is_in_the_disclosure_log(eventful: Second) -> None:
    """R23: the business id left the house."""
    number = eventful.living.number("company_renamed")
    with eventful.living.opened() as house:
        told = of_customer(house, number)
    asked = told[told["recipient"] == "ytj"]
    assert list(asked["operation"]) == ["companies"]
    assert [list(fields) for fields in asked["fields"]] == [["business_id"]]


# --- the margin of R12 ----------------------------------------------------------------------------------


def test_a_name_the_customer_gave_within_the_margin_stands_against_the_register(
    hub: Living,
) -> None:
    """R12: the notice is a day old; the register's news does not turn it round, nor go to anybody."""
    number = hub.number("company_bankrupt")
    hub.write_down(number, NIMI="Asiakkaan Sana Oy")
    hub.next_night(quiet=True)
    register(hub).renames(entity(hub, number), hub.town.today)
    morning = hub.morning(hub.next_night(quiet=True))
    assert morning.value(number, "organisation_name")["rule"] == "own_notice_within_margin"
    assert {i["name"] for i in morning.invoices(number)} == {"Asiakkaan Sana Oy"}
    assert hub.row(number)["NIMI"] == "Asiakkaan Sana Oy"


def test_a_company_that_moved_is_billed_at_its_new_address_and_one_that_ended_has_ceased(
    hub: Living,
) -> None:
    mover, gone = hub.number("company_renamed"), hub.number("company_bankrupt")
    for number in (mover, gone):
        hub.write_down(number, LASKUKANAVA="PAPERI", VERKKOLASKUOSOITE="", VALITTAJA="")
    register(hub).moves(entity(hub, mover), hub.town.today)
    register(hub).ceases(entity(hub, gone), hub.town.today)
    morning = hub.morning(hub.next_night(quiet=True))
    line = hub.town._founded.world.companies[entity(hub, mover)].address.line()
    assert [i["to"].split(",")[0] for i in morning.invoices(mover)] == [line]
    assert hub.row(mover)["LAHIOSOITE"] == line
    assert morning.party(gone)["company_situation"] == "ceased"
    assert morning.party(gone)["situation_date"] == "2026-11-02"


# --- a register in trouble ------------------------------------------------------------------------------


class Trouble(NamedTuple):
    living: Living
    before: Morning
    down: Morning
    lying: Morning
    asked_again: Morning
    vanished: Morning
    customer: str
    cursors: tuple[object, object]


@pytest.fixture(scope="module")
def trouble(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trouble]:
    """A night each: the register is down, lies, is honest again, and knows nobody any more."""
    with continued(founded, tmp_path_factory.mktemp("trouble")) as living:

        def night() -> Morning:
            return living.morning(living.next_night(quiet=True, opener=lambda: impatient(living)))

        before, cursor = living.morning(), living.cursor("ytj")
        customer = living.ordinary_payers()[0]
        living.move(customer)
        living.town.fault("ytj", "http_500", 99)
        down, cursor_then = night(), living.cursor("ytj")
        living.town.clear_faults()
        living.town.fault("ytj", "lying", 99)
        lying = night()
        living.town.clear_faults()
        asked_again = night()
        living.town.fault("ytj", "not_found", 99)
        vanished = night()
        living.town.clear_faults()
        yield Trouble(
            living, before, down, lying, asked_again, vanished, customer, (cursor, cursor_then)
        )


def companies(morning: Morning) -> dict[str, dict[str, object]]:
    """Every organisation as it stands."""
    every = morning.customers[morning.customers["party_type"] == "organisation"].index
    return {number: known(morning, number) for number in every}


def test_with_the_register_down_the_night_goes_on_and_ends_red(trouble: Trouble) -> None:
    outcome = trouble.down.outcome
    assert outcome.status == "failed"
    assert "ytj" in outcome.letter
    assert "answered 500" in outcome.letter
    line = trouble.living.person(trouble.customer).home(trouble.living.town.today).line()
    assert trouble.down.party(trouble.customer)["street_line"] == line


def test_with_the_register_down_its_cursor_and_its_word_stay(trouble: Trouble) -> None:
    before, then = trouble.cursors
    assert then == before != trouble.living.cursor("ytj")
    assert companies(trouble.down) == companies(trouble.before)


def test_a_lying_register_changes_nothing(trouble: Trouble) -> None:
    """It answers every question with another of our own companies."""
    assert companies(trouble.lying) == companies(trouble.before)
    assert counted(trouble.lying, "fetched") > 2
    assert counted(trouble.lying, "landed") == 0
    assert trouble.lying.outcome.status == "attention"
    assert "other_company" in trouble.lying.outcome.letter
    assert not (trouble.lying.refused["source"] == "ytj").any()
    for number in companies(trouble.before):
        assert trouble.lying.told_rows(number) == trouble.before.told_rows(number)


def test_after_a_lie_the_next_honest_night_is_as_the_one_before(trouble: Trouble) -> None:
    assert companies(trouble.asked_again) == companies(trouble.before)
    assert counted(trouble.asked_again, "unknown_kinds") == 0
    assert counted(trouble.asked_again, "unchanged") == counted(trouble.asked_again, "fetched") > 2


def test_a_company_that_the_register_no_longer_finds_has_not_ceased(trouble: Trouble) -> None:
    assert counted(trouble.vanished, "not_held") > counted(trouble.asked_again, "not_held")
    assert companies(trouble.vanished) == companies(trouble.before)
    assert all("company_situation" not in c for c in companies(trouble.vanished).values())
    assert trouble.vanished.outcome.status == "attention"


def test_a_register_that_wants_patience_gets_it(hub: Living) -> None:
    waited: list[float] = []
    hub.town.fault("ytj", "http_429", 2)
    house = impatient(hub)
    assert house.sources is not None
    source = house.sources["ytj"]
    assert isinstance(source, Ytj)
    source._sleep = waited.append
    outcome = hub.next_night(quiet=True, opener=lambda: house)
    assert outcome.status != "failed"
    assert waited == [1.0, 1.0]


@pytest.mark.parametrize(
    ("fault", "word"), [("timeout", "timed out"), ("half_response", "half-way")]
)
def test_a_register_that_breaks_off_is_asked_again_from_where_we_were(
    hub: Living, fault: str, word: str
) -> None:
    hub.configure("sources/ytj.yml", timeout=0.2)
    before = hub.cursor("ytj"), hub.table(LANDED)
    hub.town.fault("ytj", fault, 99)
    house = impatient(hub)
    night, config = house.night(hub.town.today), house.settings.sources["ytj"]
    result = ingest(night, config, lambda: house.source("ytj"))
    house.close()
    assert result.status == "failed"
    assert word in hub.feed("ytj").reason
    assert hub.cursor("ytj") == before[0]
    assert hub.table(LANDED).equals(before[1])


# --- in turn --------------------------------------------------------------------------------------------


def test_a_citys_organisations_are_asked_in_turn_and_none_is_forgotten(hub: Living) -> None:
    """One a night of those heard of; a bankruptcy is known once its company's turn has come."""
    hub.configure("sources/ytj.yml", per_night=1)
    held = hub.table(LANDED)
    keys = sorted(held.loc[held["source"] == "ytj", "source_key"])
    number = hub.number("company_bankrupt")
    register(hub).goes_bankrupt(entity(hub, number), hub.town.today)
    turns = []
    for _ in keys:
        morning = hub.morning(hub.next_night(quiet=True))
        turns.append(str((hub.cursor("ytj") or {})["after"]))
        mine = morning.party(number)["business_id"]
        told = "company_situation" in known(morning, number)
        assert told == (mine in turns)
    assert sorted(turns) == keys
