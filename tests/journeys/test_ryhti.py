"""Nights with the building register: what comes of a house sold, demolished or split off, and of its faults.

What is asked is what landed and was read (the frames of the source) and what the letter says; how several
registers' words on one property are weighed is asked elsewhere. So the municipality is not heard here: it
knows owners better (R14), and would set aside whom the building register alone calls one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from connectors.sandbox import own_register
from connectors.sandbox.ryhti import BuildingRegister
from connectors.sandbox.ryhti_objects import SEWER, WATER, Building
from pipelines.domain.schemas import ADDRESSES, LANDED, PARTIES, POINTS, ROLES, Schema
from pipelines.nightly import Outcome
from pipelines.steps.ingest import ingest
from pipelines.steps.night import StepResult
from tests.journeys.conftest import continued, found
from tests.journeys.living import Living

pytestmark = pytest.mark.journey
UNHEARD = {"folder": {"host": None}}
FRAMES = (LANDED, POINTS, PARTIES, ADDRESSES, ROLES)


def register_of(living: Living) -> BuildingRegister:
    register = living.town._registers["ryhti"]
    assert isinstance(register, BuildingRegister)
    return register


def house_of(living: Living, story: str) -> Building:
    return register_of(living).house_at(living.town._founded.stories[story])


def an_ordinary_house(living: Living) -> Building:
    """A connected house with an owner in no story and under no order."""
    told = {house_of(living, s).key for s in ("house_sold", "building_demolished", "parcel_split")}
    points = {p.address.building_id for p in living.town._founded.world.points.values()}
    return next(
        b
        for b in register_of(living).buildings.values()
        if b.building_id in points
        and b.key not in told
        and b.connections
        and len(b.owners) == 1
        and (person := living.town._founded.world.people.get(b.owners[0].entity))
        and not person.is_protected
    )


def heard(living: Living, schema: Schema) -> pd.DataFrame:
    """What the hub holds of the building register in one table, by its keys."""
    table = living.table(schema)
    mine = table[table["source"] == "ryhti"].drop(columns=["source"])
    keys = [key for key in schema.key if key != "source"]
    return mine.sort_values(keys).set_index(keys)


def hear(living: Living) -> StepResult:
    """Tonight's landing step of the building register, alone."""
    with living.opened() as house:
        night = house.night(living.town.today)
        return ingest(night, house.settings.sources["ryhti"], lambda: house.source("ryhti"))


@dataclass(frozen=True)
class Week:
    """A hub and its town after the third night, and what stood after the first and the second."""

    living: Living
    outcomes: list[Outcome]
    points: list[pd.DataFrame]
    roles: list[pd.DataFrame]
    sold: Building


@pytest.fixture(scope="module")
def after_one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town, and a hub that has had its first night there and hears no municipality."""
    return found(
        tmp_path_factory.mktemp("after_one_night"),
        "sftp",
        lambda living: living.configure("sources/municipality.yml", **UNHEARD),
    )


@contextmanager
def going_on(after_one_night: Path, base: Path) -> Iterator[Living]:
    """A copy of that town and hub, running, on the day of the first night."""
    with continued(after_one_night, base) as living:
        living.configure("sources/municipality.yml", **UNHEARD)
        yield living


@pytest.fixture
def hub(after_one_night: Path, tmp_path: Path) -> Iterator[Living]:
    with going_on(after_one_night, tmp_path / "living") as living:
        yield living


@pytest.fixture(scope="module")
def week(after_one_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    with going_on(after_one_night, tmp_path_factory.mktemp("week")) as living:
        sold = house_of(living, "house_sold")
        points, roles = [heard(living, POINTS)], [heard(living, ROLES)]
        outcomes = []
        for _ in range(2):
            outcomes.append(living.next_night())
            points.append(heard(living, POINTS))
            roles.append(heard(living, ROLES))
        yield Week(living, outcomes, points, roles, sold)


# --- three nights -----------------------------------------------------------------------------------------


def test_every_point_of_ours_has_its_building_after_the_first_night(week: Week) -> None:
    world = week.living.town._founded.world
    ours = {p.property_id for p in world.points.values()}
    assert set(week.points[0]["property_id"]) == ours
    assert {p.address.building_id for p in world.points.values()} <= set(
        week.points[0]["building_id"]
    )
    assert set(week.points[0]["building_state"]) == {"in_use"}
    assert set(week.points[0]["has_water_connection"].dropna()) == {True, False}


def test_buildings_read_as_the_streets_of_the_town_however_the_number_was_written(
    week: Week,
) -> None:
    lines = week.points[0].set_index("building_id")["street_line"]
    standing = register_of(week.living).buildings.values()
    plain = [b for b in standing if b.building_id in lines.index and not b.spread]
    assert any(b.migrated for b in plain)
    assert {lines[b.building_id] for b in plain} == {b.address.line() for b in plain}
    spread = [b for b in standing if b.building_id in lines.index and b.spread]
    assert all("–" in lines[b.building_id] or "-" in lines[b.building_id] for b in spread)


def test_nobodys_house_but_a_customers_is_held(week: Week) -> None:
    register = register_of(week.living)
    strangers = [b for b in register.buildings.values() if b.property_id[3:6] == "498"]
    held = set(heard(week.living, LANDED).index.get_level_values("source_key"))
    assert len(strangers) > 20
    assert not {b.key for b in strangers} & held
    assert not {o.key for b in strangers for o in b.owners} & held


def test_a_sale_ends_one_ownership_and_begins_another(week: Week) -> None:
    (seller,), (buyer,) = week.sold.owners, house_of(week.living, "house_sold").owners
    assert buyer.key not in week.roles[0].index
    after = week.roles[1]
    assert after.loc[seller.key, "valid_to"] == "2026-11-02"
    assert after.loc[buyer.key, "valid_from"] == "2026-11-02"
    assert pd.isna(after.loc[buyer.key, "valid_to"])
    assert after.loc[seller.key, "point_source_key"] == week.sold.key
    assert after.loc[buyer.key, "point_source_key"] == week.sold.key
    assert set(after["role_type"]) == {"owner"}
    name = heard(week.living, PARTIES).loc[buyer.key, "family_name"]
    assert week.living.story("house_sold")["canary"]["buyer"].startswith(name)


def test_a_demolition_shows_the_night_after(week: Week) -> None:
    key = house_of(week.living, "building_demolished").key
    gone = week.points[1].loc[key]
    assert (gone["building_state"], gone["demolition_date"]) == ("demolished", "2026-11-02")
    assert pd.isna(week.points[0].loc[key, "demolition_date"])
    assert gone["has_water_connection"] in (False, pd.NA)


def test_a_building_on_a_parcel_split_off_is_ours_still_under_its_new_property(week: Week) -> None:
    key = house_of(week.living, "parcel_split").key
    before, after = week.points[1].loc[key], week.points[2].loc[key]
    assert before["property_id"] != after["property_id"] == "10349900010001"
    assert before["building_id"] == after["building_id"]


def test_the_letter_tells_how_many_buildings_were_heard_of(week: Week) -> None:
    assert all(outcome.status == "attention" for outcome in week.outcomes)
    assert all("ryhti" in outcome.letter for outcome in week.outcomes)
    feed = week.living.feed("ryhti")
    assert (feed.status, feed.total, feed.unknown) == ("ok", None, {})


def test_a_quiet_night_lands_nothing(week: Week) -> None:
    before = week.living.cursor("ryhti")
    assert hear(week.living).counts["landed"] == 0
    assert week.living.cursor("ryhti") == before


# --- people under an order, and people who become ours -----------------------------------------------------


def test_an_owner_who_is_left_out_because_of_an_order_has_ended_nothing(hub: Living) -> None:
    """R56, FORMATS §10.3 no 7."""
    house = an_ordinary_house(hub)
    (ownership,) = house.owners
    before = heard(hub, ROLES).loc[ownership.key]
    person = hub.town._founded.world.people[ownership.entity]
    hub.town._days._gets_protection(person)
    register_of(hub).connect(house, WATER, False)
    hub.next_night(quiet=True)
    assert not heard(hub, POINTS).loc[house.key, "has_water_connection"]
    pd.testing.assert_series_equal(heard(hub, ROLES).loc[ownership.key], before)


def test_a_new_connection_shows(hub: Living) -> None:
    house = an_ordinary_house(hub)
    register_of(hub).connect(house, SEWER, False)
    hear(hub)
    register_of(hub).connect(house, SEWER, True)
    hub.night()
    assert heard(hub, POINTS).loc[house.key, "has_sewer_connection"]


def test_the_house_of_somebody_connected_today_is_read_though_it_has_not_changed(
    hub: Living,
) -> None:
    own = hub.town._founded.register
    house = next(b for b in register_of(hub).buildings.values() if b.property_id[3:6] == "498")
    assert house.key not in heard(hub, POINTS).index
    stamp = f"{own_register.finnish_date(hub.town.today)} 09:00"
    own.add_point(
        {
            "KULUTUSPISTE": "199999",
            "KIINTEISTOTUNNUS": house.property_id,
            "OSOITE": house.address.line(),
            "POSTINRO": "31640",
            "POSTITMP": "HUMPPILA",
        },
        stamp,
    )
    own.add_role("199999", hub.ordinary_payers()[0], "MAKSAJA", hub.town.today, stamp)
    before = hub.cursor("ryhti")
    hub.next_night(quiet=True)
    assert house.key in heard(hub, POINTS).index
    after = hub.cursor("ryhti")
    assert before is not None
    assert after is not None
    assert before["lent"] != after["lent"]


# --- faults ---------------------------------------------------------------------------------------------


def test_a_token_that_has_run_out_is_renewed_in_the_night(hub: Living) -> None:
    hub.town.advance()
    hub.town.fault("ryhti", "expired_token")
    assert hear(hub).counts["landed"] > 0
    assert hub.feed("ryhti").status == "ok"


def test_a_feed_that_stands_still_is_held_and_the_next_good_night_catches_up(hub: Living) -> None:
    cursor, roles = hub.cursor("ryhti"), heard(hub, ROLES)
    hub.town.fault("ryhti", "stuck")
    outcome = hub.next_night()
    assert outcome.status == "failed"
    assert "lastSeen does not move" in outcome.letter
    assert hub.cursor("ryhti") == cursor
    pd.testing.assert_frame_equal(heard(hub, ROLES), roles)
    hub.next_night(quiet=True)
    (buyer,) = house_of(hub, "house_sold").owners
    assert heard(hub, ROLES).loc[buyer.key, "valid_from"] == "2026-11-02"


def test_changes_given_twice_and_backwards_say_the_same(
    after_one_night: Path, tmp_path: Path
) -> None:
    frames = []
    for name, spoiled in (("straight", ()), ("muddled", ("repeated", "reordered"))):
        with going_on(after_one_night, tmp_path / name) as living:
            living.town.advance(4)
            for kind in spoiled:
                living.town.fault("ryhti", kind, 9)
            living.night()
            frames.append([heard(living, schema) for schema in FRAMES])
    for straight, muddled in zip(*frames, strict=True):
        told = [c for c in straight.columns if c != "field_times"]
        pd.testing.assert_frame_equal(straight[told], muddled[told])


def test_a_state_nobody_has_heard_of_is_loud_and_takes_nothing_else_with_it(hub: Living) -> None:
    house = an_ordinary_house(hub)
    register_of(hub).connect(house, WATER, False)
    hub.town.fault("ryhti", "unknown_code", 9)
    outcome = hub.next_night(quiet=True)
    assert "lifeCycleState 42" in outcome.letter
    point = heard(hub, POINTS).loc[house.key]
    assert pd.isna(point["building_state"])
    assert not point["has_water_connection"]


@pytest.mark.parametrize(
    ("fault", "status", "word"),
    [
        ("http_500", "down", "500"),
        ("http_429", "down", "429"),
        ("timeout", "down", "timed out"),
        ("half_response", "down", "half-way"),
        ("unauthorised", "refused", "401"),
    ],
)
def test_a_register_in_trouble_lands_nothing_and_keeps_its_cursor(
    hub: Living, fault: str, status: str, word: str
) -> None:
    hub.configure("sources/ryhti.yml", timeout=0.5, attempts=1)
    hub.town.advance()
    before = hub.cursor("ryhti"), heard(hub, LANDED)
    hub.town.fault("ryhti", fault, 99)
    assert hear(hub).status == "failed"
    assert (hub.feed("ryhti").status, word in hub.feed("ryhti").reason) == (status, True)
    assert hub.cursor("ryhti") == before[0]
    pd.testing.assert_frame_equal(heard(hub, LANDED), before[1])
    hub.town.clear_faults()
    hub.configure("sources/ryhti.yml", timeout=10)
    assert hear(hub).counts["landed"] > 0


def test_without_persons_no_owner_comes_and_none_is_ended(hub: Living) -> None:
    roles = heard(hub, ROLES)
    hub.configure("sources/ryhti.yml", persons="none")
    hub.next_night()
    pd.testing.assert_frame_equal(heard(hub, ROLES), roles)
    key = house_of(hub, "building_demolished").key
    assert heard(hub, POINTS).loc[key, "building_state"] == "demolished"
