"""What the town's address-update company knows, and when it says so."""

import csv
import hashlib
import json
import threading
from collections.abc import Iterator

import pytest

from connectors.sandbox.address_batch import QUESTION_COLUMNS, AddressCompany
from connectors.sandbox.dvv import PopulationRegister
from connectors.sandbox.events import Days
from connectors.sandbox.finance import Delivery
from connectors.sandbox.founding import found
from connectors.sandbox.own_register import Row, finnish_date
from connectors.sandbox.scene import Scene
from connectors.sandbox.world import Person

TODAY = "2026-11-02"
QUESTION = "20261102-0001"


class Place:
    """A town with nobody in it but its people and the company."""

    def __init__(self) -> None:
        town = found(1, 100, TODAY)
        self.scene = Scene(town, PopulationRegister(town.world, TODAY), threading.RLock())
        self.days = Days(town, self.scene.population)
        self.company = AddressCompany(self.scene)
        world = town.world
        self.people = [
            p
            for i in world.inhabitants
            if not ((p := world.people[i]).is_protected or p.death_date or p.disguise)
            and p.home(TODAY).country == "FI"
            and self.company.lag_of(p) == 0
        ]

    def ask(self, *people: Person) -> None:
        rows = [self.row(p) for p in people]
        self.company.take(Delivery(QUESTION, 1, rows), refuse_first=False, stubborn=False)

    def row(self, person: Person) -> Row:
        home = person.home(TODAY)
        told = (
            person.person_id, person.family_name, " ".join(person.given_names), home.line(),
            home.office.code, home.office.name,
        )  # fmt: skip
        return dict(zip(QUESTION_COLUMNS, told, strict=True))

    def next_day(self) -> None:
        self.days.pass_one(quiet=True)
        self.company.pass_day(True)

    def answers(self, *spoiled_by: str) -> list[Row]:
        files = self.company.export("20261103", list(spoiled_by))
        encoding = "windows-1252" if "wrong_encoding" in spoiled_by else "utf-8"
        text = files[f"vastaus_{QUESTION}.csv"].decode(encoding)
        return list(csv.DictReader(text.splitlines(), delimiter=";"))

    def codes(self) -> dict[str, str]:
        return {row["VIITE"]: row["KOODI"] for row in self.answers()}


@pytest.fixture
def place() -> Iterator[Place]:
    yield Place()


def test_it_answers_the_next_day_and_not_before(place: Place) -> None:
    place.ask(*place.people[:20])
    assert place.company.export("20261102", []) == {}
    place.next_day()
    codes = place.codes()
    assert len(codes) == 20
    assert set(codes.values()) <= {"0", "3", "4"}
    assert list(codes.values()).count("0") > 14


def test_a_move_is_dated_by_a_day_of_its_own(place: Place) -> None:
    person = place.people[3]
    place.ask(person)
    place.days._moves(person)
    place.next_day()
    (row,) = place.answers()
    since = person.stays[-1].since
    assert (row["KOODI"], row["LAHIOSOITE"]) == ("1", person.home(since).line())
    assert row["MUUTTOPVM"] not in ("", finnish_date(since))


def test_a_move_it_has_not_heard_of_is_none(place: Place) -> None:
    world = place.scene.town.world
    slow = [world.people[i] for i in world.inhabitants]
    person = next(p for p in slow if place.company.lag_of(p) == 3 and not p.is_protected)
    place.ask(person)
    place.days._moves(person)
    place.next_day()
    assert place.codes()[person.person_id] in ("0", "3", "4")


def test_whom_an_order_hides_it_does_not_tell_of(place: Place) -> None:
    person = place.people[5]
    place.ask(person)
    place.scene.town.world.protect(person)
    place.next_day()
    (row,) = place.answers()
    assert (row["KOODI"], row["LAHIOSOITE"]) in (("9", ""), ("3", ""))


def test_a_stranger_is_unknown(place: Place) -> None:
    person = place.people[7]
    place.ask(person)
    place.company._asked[QUESTION][0]["LAHIOSOITE"] = "Tuntematontie 1"
    place.next_day()
    assert place.codes() == {person.person_id: "3"}


def test_a_town_that_lives_again_answers_the_same(place: Place) -> None:
    again = Place()
    for each in (place, again):
        each.ask(*each.people)
        each.days.pass_one(quiet=False)
        each.company.pass_day(False)
    assert place.answers() == again.answers()
    assert len(set(place.codes().values())) > 2


@pytest.mark.parametrize(
    "fault", ["late", "truncated", "wrong_encoding", "twice", "stranger", "extra_column"]
)
def test_each_fault_spoils_the_answer_in_its_way(place: Place, fault: str) -> None:
    place.ask(*place.people[:20])
    place.next_day()
    honest = place.answers()
    files = place.company.export("20261103", [fault])
    if fault == "late":
        assert files == {}
        return
    payload, marker = files.values()
    whole = json.loads(marker)["sha256"] == hashlib.sha256(payload).hexdigest()
    assert whole == (fault != "truncated")
    spoiled = place.answers(fault)
    extra = {"twice": 1, "stranger": 1}.get(fault, 0)
    if fault != "truncated":
        assert len(spoiled) == len(honest) + extra
    assert ("PUHELIN" in spoiled[0]) == (fault == "extra_column")
