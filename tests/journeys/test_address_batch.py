"""An address-update company asked in batches: who is in the file, a family that moves, what it may not decide.

The nights are run once; each test reads what they left. The faults are tried with the one step they strike, between
the night that asks and the night that hears.
"""

import csv
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.sandbox.world import Person, Stay, days_after
from pipelines.domain.schemas import PARTIES, PARTY_RECORDS
from pipelines.house import House
from pipelines.settings import SourceConfig
from pipelines.steps.answer_request import in_words
from pipelines.steps.ask_in_batches import ask_in_batches
from pipelines.steps.ingest import ingest
from pipelines.steps.look import show
from pipelines.steps.night import Night, StepResult
from pipelines.steps.refresh_address import refresh
from pipelines.store import disclosures, questions
from pipelines.store.engine import transaction
from pipelines.store.tables import disclosure_terms
from pipelines.store.verification import verify_log
from pipelines.texts import Texts
from tests.journeys.conftest import continued
from tests.journeys.living import Living, Morning

pytestmark = pytest.mark.journey
COMPANY = "address_batch"
Step = Callable[[Night, SourceConfig, Callable[[], Any]], StepResult]


class Heard(NamedTuple):
    """A night that asked, a day on which things happened, and the night that heard of them.

    family: our number and everybody of it who moved on the day, old line, new line. unlisted: a number DVV has
    no record of, who moved. withheld, dead: numbers the company alone knows it of. faults: step → how it ended.
    """

    hub: Living
    asked: list[dict[str, str]]
    evening: Morning
    morning: Morning
    family: tuple[str, list[Person], str, str]
    unlisted: str
    withheld: str
    dead: str
    faults: Mapping[str, StepResult]


def alone(hub: Living, step: Step) -> StepResult:
    """One step of tonight's by itself, as launching its asset alone would run it."""
    with hub.opened() as house:
        config = house.settings.sources[COMPANY]
        return step(house.night(hub.town.today), config, lambda: house.source(COMPANY))


def asked_by(hub: Living) -> list[dict[str, str]]:
    (file,) = (p for p in hub.inbox(COMPANY) if p.suffix == ".csv")
    return list(csv.DictReader(file.read_text("utf-8").splitlines(), delimiter=";"))


def known_to_dvv(hub: Living) -> set[str]:
    """The own register's numbers of everybody DVV has told of."""
    records = hub.table(PARTY_RECORDS)
    parties = set(records.loc[records["source"] == "dvv", "party_id"])
    own = records[records["source"] == "registrations"]
    return set(own.loc[own["party_id"].isin(parties), "source_key"])


def references(hub: Living) -> dict[str, str]:
    """Number → the reference it goes by there."""
    with hub.opened() as house, transaction(house.engine) as conn:
        asked = questions.ever_asked(conn, COMPANY)
    return dict(zip(asked["own_key"], asked["reference"], strict=True))


def moves_with_the_family(hub: Living, number: str) -> list[Person]:
    """They all move to one home today; DVV is told of each."""
    person, world = hub.person(number), hub.town._founded.world
    old = person.home(hub.town.today)
    family = [p for i in person.family if (p := world.people[i]).home(hub.town.today) == old]
    hub.move(number)
    stay = person.stays[-1]
    for other in family:
        left = other.stays[-1]._replace(until=days_after(stay.since, -1))
        other.stays[-1:] = [left, Stay(stay.address, stay.since)]
    return [person, *family]


@pytest.fixture(scope="module")
def heard(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    base = tmp_path_factory.mktemp("asked")
    with continued(founded, base, asks_company=True) as hub:
        town, office, faults = hub.town, hub.town._address_company, {}
        for kind in ("unauthorised", "wrong_host_key"):
            town.fault(COMPANY, kind, 1)
            faults[kind] = alone(hub, ask_in_batches)
            town.fault(COMPANY, kind, 0)
        town.fault(COMPANY, "dropped_connection", 1)
        faults["dropped_connection"] = alone(hub, ask_in_batches)
        evening = hub.morning(hub.night())
        rows, numbers, dvv = asked_by(hub), references(hub), known_to_dvv(hub)

        first = rows[0]["VIITE"]
        by_line = {row["VIITE"]: row["LAHIOSOITE"] for row in rows}

        def is_known(number: str) -> bool:
            """The company finds them under the address it was asked about, and hears of a move at once."""
            line = by_line.get(numbers.get(number, ""), "")
            person = (
                hub.person(number)
                if hub.town._founded.register.entity_of[number][0] == "P"
                else None
            )
            return (
                person is not None
                and numbers[number] != first
                and line == person.home(town.today).line()
                and person.birth_date < "2000"
                and office.lag_of(person) == 0
                and not (person.is_protected or person.death_date or len(person.stays) > 1)
            )

        known = [n for n in numbers if n in town._founded.register.entity_of and is_known(n)]
        listed = [n for n in known if n in dvv and n in hub.ordinary_payers()]
        family = max(listed, key=lambda n: len(hub.person(n).family))
        listed.remove(family)
        withheld = listed.pop()
        dead = next(n for n in listed if office._own(hub.person(n)).random() < 0.7)
        unlisted = next(n for n in known if n not in dvv)
        before = hub.person(family).home(town.today).line()
        people = moves_with_the_family(hub, family)
        hub.move(unlisted)
        hub.person(withheld).is_protected = True
        hub.person(dead).death_date = town.today
        town.fault(COMPANY, "late", 1)
        town.advance(quiet=True)
        faults["late"] = alone(hub, ingest)
        town.fault(COMPANY, "late", 0)
        for kind in ("truncated", "wrong_encoding"):
            town.fault(COMPANY, kind, 1)
            faults[kind] = alone(hub, ingest)
            town.fault(COMPANY, kind, 0)
        for kind in ("twice", "stranger", "extra_column"):
            town.fault(COMPANY, kind, 1)
        morning = hub.morning(hub.night())
        after = people[0].home(town.today).line()
        yield Heard(
            hub,
            rows,
            evening,
            morning,
            (family, people, before, after),
            unlisted,
            withheld,
            dead,
            faults,
        )


# --- who is asked about -----------------------------------------------------------------------------


def test_r56_nobody_under_an_order_is_in_the_file(heard: Heard) -> None:
    """However DVV shows it, whoever else states it."""
    customers = heard.evening.customers
    hidden = set(customers.index[customers["protection"] == "on"])
    assert len(hidden) >= 3
    assert len(heard.asked) > 40
    assert not hidden & set(references(heard.hub))


def test_r23_the_file_and_the_log_name_the_same_people(heard: Heard) -> None:
    asked = {row["VIITE"] for row in heard.asked}
    assert asked == set(references(heard.hub).values())
    of_company = disclosure_terms.c.recipient == COMPANY
    with heard.hub.opened() as house:
        vault = house.night().vault
        with transaction(house.engine) as conn:
            logged = conn.execute(disclosures.with_leaves().where(of_company)).all()
            found = verify_log(conn, vault)
    assert len(logged) == len(heard.asked)
    assert found.findings == []


def test_a_question_that_could_not_be_sent_is_red_and_goes_once(heard: Heard) -> None:
    broken = [heard.faults[k] for k in ("unauthorised", "wrong_host_key", "dropped_connection")]
    assert [step.status for step in broken] == ["failed"] * 3
    assert heard.evening.outcome.status != "failed", heard.evening.outcome.failures
    assert len([p for p in heard.hub.inbox(COMPANY) if p.suffix == ".json"]) == 1


# --- a family moves ---------------------------------------------------------------------------------


def test_a_family_that_moved_is_believed_as_dvv_has_it_though_the_company_dates_it_otherwise(
    heard: Heard,
) -> None:
    number, people, before, after = heard.family
    assert len(people) > 1
    assert heard.evening.party(number)["street_line"] == before
    assert heard.morning.party(number)["street_line"] == after
    street = heard.morning.value(number, "street_line")
    moved = people[0].stays[-1].since
    assert (street["source"], street["source_time"]) == ("dvv", f"{moved}T00:00:00Z")
    with heard.hub.opened() as house:
        seen = show(house.night(), number, "clerk", "call")
    said = seen.addresses[seen.addresses["street_line"] == after].set_index("source")["valid_from"]
    assert said["dvv"] == moved
    assert said[COMPANY] not in (None, moved)


def test_whoever_dvv_does_not_know_is_believed_to_have_moved(heard: Heard) -> None:
    person = heard.hub.person(heard.unlisted)
    street = heard.morning.value(heard.unlisted, "street_line")
    assert (street["source"], street["rule"]) == (COMPANY, "update_service")
    assert street["value"] == person.home(heard.hub.town.today).line()


# --- what the company may not decide ----------------------------------------------------------------


def test_r56_what_it_may_not_tell_counts_as_an_order(heard: Heard) -> None:
    reference = references(heard.hub)[heard.withheld]
    parties = heard.hub.table(PARTIES).set_index(["source", "source_key"])
    assert parties.loc[(COMPANY, reference), "protection"] == "on"
    mine = heard.morning.party(heard.withheld)
    assert mine["protection"] == "on"
    assert mine["address_type"] != "permanent"


def test_a_death_it_reports_makes_nobody_dead_and_waits_for_a_steward(heard: Heard) -> None:
    assert heard.morning.party(heard.dead)["is_deceased"] is not True
    refused = heard.morning.refused
    mine = refused[(refused["source"] == COMPANY) & (refused["rule"] == "death_unconfirmed")]
    assert references(heard.hub)[heard.dead] in set(mine["source_key"])


def test_an_answer_that_is_spoiled_is_taken_in_as_far_as_it_is_plain(heard: Heard) -> None:
    """Late: nothing yet. Half, or wrongly encoded: none of it. Twice, a stranger, a telephone: all but that."""
    assert heard.faults["late"].counts["fetched"] == 0
    assert [heard.faults[k].status for k in ("truncated", "wrong_encoding")] == ["failed"] * 2
    rules = set(heard.morning.refused.loc[heard.morning.refused["source"] == COMPANY, "rule"])
    assert rules == {"answered_twice", "death_unconfirmed"}
    counts = heard.morning.counts[f"ingest:{COMPANY}"]
    assert counts["answered:contradictory"] == 1
    assert counts["answered:match"] > 20
    feed = heard.hub.feed(COMPANY)
    assert list(feed.dropped) == ["PUHELIN"]
    assert feed.unknown == {"unknown_reference": 1}
    assert "0447770770" not in heard.hub.bytes().decode("latin-1").replace(" ", "")
    assert Texts("fi").say("grade.match") in heard.morning.outcome.letter


def test_a_refresh_says_that_it_answers_in_batches_and_waits_for_nobody(heard: Heard) -> None:
    """R13: a person waits on the telephone; the others are heard, and the answer is whole."""
    heard.hub.town.fault(COMPANY, "unauthorised", 1)
    with heard.hub.opened() as house:
        night = house.night(heard.hub.town.today)
        found = refresh(night, [heard.family[0]], _without_company(house), "clerk", "call")
        said = {h.source: in_words(night, Texts("en"), h) for h in found.heard}
    assert not found.is_partial
    assert "dvv" in said
    assert "answers in batches, not at once; last asked" in said[COMPANY]


def _without_company(house: House) -> Callable[..., Any]:
    def open_(name: str, customers: frozenset[str] | None, patience: float) -> Any:
        assert name != COMPANY, "it can't answer at once, so nobody asks it"
        return house.source(name, customers, patience)

    return open_
