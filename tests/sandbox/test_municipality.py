"""What the municipality of the town believes, drops and takes back."""

import csv
import hashlib
import json
import threading

import pytest

from connectors.sandbox.dvv import PopulationRegister
from connectors.sandbox.events import Days
from connectors.sandbox.finance import Delivery
from connectors.sandbox.founding import found
from connectors.sandbox.municipality import Municipality
from connectors.sandbox.own_register import Row
from connectors.sandbox.scene import Scene
from connectors.sandbox.town import Town

TODAY = "2026-11-02"


def scene(seed: int = 1, customers: int = 100) -> Scene:
    town = found(seed, customers, TODAY)
    return Scene(town, PopulationRegister(town.world, TODAY), threading.RLock())


def correction(key: str, field: str, value: str, reason: str = "dvv: update_service") -> Row:
    return {"record_key": key, "field": field, "value": value, "reason": reason, "stated_at": ""}


def row_of(office: Municipality, entity: str) -> Row:
    return office.people[office.number_of[entity]]


@pytest.mark.parametrize("seed", range(6))
def test_every_town_has_its_error_its_unknown_owner_and_its_hidden_residents(seed: int) -> None:
    place = scene(seed)
    office = Municipality(place)
    wrong = place.town.stories["municipality_in_error"]
    shown = row_of(office, wrong.people[0])
    assert wrong.customer_numbers[0] in place.town.register.customers
    assert shown["KATUOSOITE"] == wrong.canary["old_line"] != wrong.canary["new_line"]
    owner = place.town.stories["owner_unknown_to_us"].people[0]
    assert owner not in place.town.register.entity_of.values()
    assert office.number_of[owner] in {r["HENKILONRO"] for r in office.ownerships.values()}
    hidden = [p for p in place.town.world.people.values() if p.is_protected]
    told = [row_of(office, p.person_id) for p in hidden if p.person_id in office.number_of]
    assert told
    assert {(r["TURVAKIELTO"], r["KATUOSOITE"], r["POSTINRO"], r["POSTITMP"]) for r in told} == {
        ("K", "", "", "")
    }


def test_the_municipality_changes_nothing_else_in_the_town() -> None:
    """Its chance is its own: with it or without it, the same days pass."""
    lonely, shared = scene(3), scene(3)
    office = Municipality(shared)
    for place, offices in ((lonely, []), (shared, [office])):
        days = Days(place.town, place.population)
        for _ in range(4):
            days.pass_one()
            for one in offices:
                one.pass_day(quiet=False)
    assert lonely.town.register.tables() == shared.town.register.tables()
    assert lonely.town.world.people == shared.town.world.people
    assert lonely.town.cast == shared.town.cast


def test_it_hears_of_an_order_at_once_and_of_a_move_on_a_day_when_something_happens() -> None:
    place = scene()
    office, days = Municipality(place), Days(place.town, place.population)
    people = [p for i, p in place.town.world.people.items() if i in office.number_of][:40]
    movers, hidden = people[:39], people[39]
    days._rng = place.chance("a test")
    for mover in movers:
        days._moves(mover)
    days._gets_protection(hidden)
    office.pass_day(quiet=True)
    assert row_of(office, hidden.person_id)["TURVAKIELTO"] == "K"
    lines = [(row_of(office, p.person_id)["KATUOSOITE"], p.home(TODAY).line()) for p in movers]
    assert not [shown for shown, now in lines if shown == now]
    office.pass_day(quiet=False)
    heard = [
        row_of(office, p.person_id)["KATUOSOITE"] == p.home(TODAY).line()
        for p in movers
        if p.language == "fi" and not p.is_protected
    ]
    assert 0 < sum(heard) < len(heard)


def test_its_drop_is_whole_and_names_its_files(town: Town) -> None:
    folder = town.directory / "municipality" / "vienti"
    marker = json.loads((folder / "valmis_20261102.json").read_bytes())["tiedostot"]
    assert set(marker) == {f"{t}_20261102.csv" for t in ("henkilot", "kiinteistot", "omistukset")}
    for name, stated in marker.items():
        payload = (folder / name).read_bytes()
        rows = list(csv.DictReader(payload.decode("utf-8").splitlines(), delimiter=";"))
        assert (len(rows), hashlib.sha256(payload).hexdigest()) == (
            stated["rivit"],
            stated["sha256"],
        )


def test_a_restarted_town_has_the_same_municipality(town: Town) -> None:
    for _ in range(3):
        town.advance()
    before = town._municipality.export("20261105", [])
    with Town(town.directory, **town._founding) as again:
        assert again._municipality.export("20261105", []) == before


def test_it_takes_corrections_by_its_own_key_and_refuses_what_it_cannot_place() -> None:
    place = scene()
    office = Municipality(place)
    person = next(n for n, r in office.people.items() if r["TYYPPI"] == "H" and r["KATUOSOITE"])
    firm = next(n for n, r in office.people.items() if r["TYYPPI"] == "Y")
    rows = [
        correction(person, "street_line", "Vanamotie 77"),
        correction(person, "name", "Vana Mo Tuuli"),
        correction(firm, "name", "Vanamo Oy"),
        correction("1", "name", "Vanamo"),
        correction(person, "is_deceased", "true"),
        correction(person, "post_office", " "),
        correction(person, "post_office", "HUMPPILA", reason=""),
    ]
    refused = office.take(Delivery("d", 1, rows), refuse_first=False, stubborn=False)
    assert refused == {4: "unknown_record", 5: "unknown_field", 6: "empty_value", 7: "empty_value"}
    now = office.people[person]
    assert (now["KATUOSOITE"], now["SUKUNIMI"], now["ETUNIMET"]) == (
        "Vanamotie 77", "Vana", "Mo Tuuli",
    )  # fmt: skip
    assert office.people[firm]["YHTEISO"] == "Vanamo Oy"


def test_a_stubborn_one_takes_everything_and_changes_nothing() -> None:
    office = Municipality(scene())
    person = next(n for n, r in office.people.items() if r["TYYPPI"] == "H" and r["KATUOSOITE"])
    delivery = Delivery("d", 1, [correction(person, "street_line", "Vanamotie 77")])
    before = dict(office.people[person])
    assert office.take(delivery, refuse_first=False, stubborn=True) == {}
    assert office.people[person] == before
    assert office.take(delivery, refuse_first=True, stubborn=False) == {1: "refused_by_sandbox"}
    assert office.people[person] == before
    broken = Delivery("d", 1, delivery.rows, fault="checksum")
    assert office.take(broken, refuse_first=False, stubborn=False) == {1: "checksum"}
