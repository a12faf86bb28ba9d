"""Nights with building control's own system and environmental control's exemptions, and with their faults.

Ryhti and the municipality are not heard here, or they would be believed about the same buildings and owners
first (R14); what comes of several registers' words is asked in `unit/test_points`, and of all of them together in
the last of these tests. Ryhti's own stories happen all the same: the two tell of the same buildings.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from connectors.sandbox.kuntagml import ExemptionRegister
from connectors.sandbox.ryhti import BuildingRegister
from connectors.sandbox.ryhti_objects import Building
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN_POINTS,
    LANDED,
    PARTIES,
    POINT_VALUES,
    POINTS,
    ROLES,
    Schema,
)
from pipelines.nightly import Outcome
from pipelines.steps.ingest import ingest
from pipelines.steps.night import StepResult
from pipelines.store import quarantine
from pipelines.store.engine import transaction
from tests.journeys.conftest import continued, found
from tests.journeys.living import Living

pytestmark = pytest.mark.journey


def deafen(living: Living) -> None:
    living.configure("sources/municipality.yml", folder={"host": None})
    living.configure("sources/ryhti.yml", base_url=None)


def buildings(living: Living) -> BuildingRegister:
    register = living.town._registers["ryhti"]
    assert isinstance(register, BuildingRegister)
    return register


def exemptions(living: Living) -> ExemptionRegister:
    register = living.town._registers["exemptions"]
    assert isinstance(register, ExemptionRegister)
    return register


def house_of(living: Living, story: str) -> Building:
    return buildings(living).house_at(living.town._founded.stories[story])


def heard(living: Living, schema: Schema, source: str = "kuntagml") -> pd.DataFrame:
    """What the hub holds of one system in one table, by its keys."""
    table = living.table(schema)
    names = [key for key in schema.key if key != "source"]
    mine = table[table["source"] == source].drop(columns=["source"])
    return mine.sort_values(names).set_index(names)


def hear(living: Living, source: str = "kuntagml") -> StepResult:
    """Tonight's landing step of a system, alone."""
    with living.opened() as house:
        night = house.night(living.town.today)
        return ingest(night, house.settings.sources[source], lambda: house.source(source))


def golden(living: Living) -> pd.DataFrame:
    return living.table(GOLDEN_POINTS).set_index("point_ref")


def point_of(living: Living, story: str) -> str:
    return living.town._founded.stories[story].canary["point"]


@pytest.fixture(scope="module")
def after_one_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town, and a hub that has had its first night there."""
    return found(tmp_path_factory.mktemp("after_one_night"), "sftp", deafen)


@contextmanager
def going_on(after_one_night: Path, base: Path) -> Iterator[Living]:
    with continued(after_one_night, base) as living:
        deafen(living)
        yield living


@pytest.fixture
def hub(after_one_night: Path, tmp_path: Path) -> Iterator[Living]:
    with going_on(after_one_night, tmp_path / "living") as living:
        yield living


@dataclass(frozen=True)
class Days:
    """A hub after its third night; what stood after the first, and how the nights ended."""

    living: Living
    outcomes: list[Outcome]
    points: pd.DataFrame
    roles: pd.DataFrame
    golden: pd.DataFrame
    sold: Building
    lapsing: str


@pytest.fixture(scope="module")
def days(after_one_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    with going_on(after_one_night, tmp_path_factory.mktemp("days")) as living:
        before = heard(living, POINTS), heard(living, ROLES), golden(living)
        sold = house_of(living, "house_sold")
        register = exemptions(living)
        granted = [e for e in register.exemptions if e.decided]
        register.lapse(granted[0], "2026-11-02")
        outcomes = [living.next_night(), living.next_night()]
        yield Days(living, outcomes, *before, sold, granted[0].property_id)


# --- three nights -----------------------------------------------------------------------------------------


def test_every_point_of_ours_has_its_building_and_nobody_elses_is_held(days: Days) -> None:
    world = days.living.town._founded.world
    ours = {p.property_id for p in world.points.values()}
    assert set(days.points["property_id"]) == ours
    told = set(days.points["building_id"].dropna())
    assert {p.address.building_id for p in world.points.values()} <= told
    assert {"in_use", "under_construction"} == set(days.points["building_state"])
    strangers = {
        b.building_id
        for b in buildings(days.living).buildings.values()
        if b.property_id[3:6] == "498"
    }
    assert len(strangers) > 20
    assert not told & strangers


def test_streets_read_as_the_other_register_writes_them(days: Days) -> None:
    lines = days.points.dropna(subset="building_id").set_index("building_id")["street_line"]
    standing = [
        b for b in buildings(days.living).buildings.values() if b.building_id in lines.index
    ]
    plain = {b.building_id: b.address.line() for b in standing if not b.spread}
    assert {i: lines[i] for i in plain} == plain
    assert all(
        "–" in lines[b.building_id] or "-" in lines[b.building_id] for b in standing if b.spread
    )


def test_owners_come_with_a_token_and_those_under_an_order_without_a_home(days: Days) -> None:
    """R56: unlike Ryhti, this system tells of them and says so."""
    parties, addresses = heard(days.living, PARTIES), heard(days.living, ADDRESSES)
    assert parties["person_key"].notna().any()
    assert parties["business_id"].notna().any()
    protected = parties.index[parties["protection"] == "on"]
    assert len(protected)
    assert not set(protected) & set(addresses.index.get_level_values("source_key"))


def test_a_sale_ends_one_ownership_on_the_day_it_is_heard_of(days: Days) -> None:
    key = days.sold.building_id
    before, after = days.roles, heard(days.living, ROLES)
    (seller,) = before.index[before["point_source_key"] == key]
    here = after[after["point_source_key"] == key]
    (buyer,) = here.index.difference([seller])
    assert here.loc[seller, "valid_to"] == "2026-11-03"
    assert pd.isna(here.loc[buyer, "valid_to"])
    name = heard(days.living, PARTIES).loc[buyer, "family_name"]
    assert days.living.story("house_sold")["canary"]["buyer"].startswith(name)


def test_a_demolition_reaches_the_register_the_night_after(days: Days) -> None:
    ref = point_of(days.living, "building_demolished")
    gone = golden(days.living).loc[ref]
    assert (gone["building_state"], gone["demolition_date"]) == ("demolished", "2026-11-02")
    assert days.golden.loc[ref, "building_state"] == "in_use"


def test_a_building_on_a_parcel_split_off_is_asked_about_by_its_id_and_stays_ours(
    days: Days,
) -> None:
    ref = point_of(days.living, "parcel_split")
    assert golden(days.living).loc[ref, "property_id"] == "10349900010001"
    assert days.golden.loc[ref, "property_id"] != "10349900010001"


def test_exemptions_stand_at_the_points_of_their_properties_with_their_origin(days: Days) -> None:
    register = exemptions(days.living)
    now = golden(days.living)
    in_force = [e for e in register.exemptions if e.decided and e.property_id != days.lapsing]
    assert in_force
    for one in in_force:
        here = now[now["property_id"] == one.property_id]
        assert one.decided in set(here[f"{one.network}_exempt_since"].dropna())
    values = days.living.table(POINT_VALUES)
    told = values[values["field"].str.endswith("_exempt_since")]
    assert set(told["source"]) == {"exemptions"}
    asked = {e.property_id for e in register.exemptions}
    assert set(now.loc[now["point_id"].isin(told["point_id"]), "property_id"]) <= asked


def test_a_lapsed_exemption_is_gone(days: Days) -> None:
    before = days.golden[days.golden["property_id"] == days.lapsing]
    after = golden(days.living)
    after = after[after["property_id"] == days.lapsing]
    since = [c for c in after.columns if c.endswith("_exempt_since")]
    assert before[since].notna().any(axis=None)
    assert after[since].isna().all(axis=None)


def test_the_letter_tells_of_both_and_a_quiet_night_lands_nothing(days: Days) -> None:
    assert all(outcome.status != "failed" for outcome in days.outcomes)
    assert all(
        name in outcome.letter for outcome in days.outcomes for name in ("kuntagml", "exemptions")
    )
    assert (days.living.feed("kuntagml").unknown, days.living.feed("exemptions").unknown) == (
        {},
        {},
    )
    assert [hear(days.living, s).counts["landed"] for s in ("kuntagml", "exemptions")] == [0, 0]


# --- faults -----------------------------------------------------------------------------------------------

TROUBLE = {
    "http_500": ("down", "500"),
    "http_429": ("down", "429"),
    "timeout": ("down", "timed out"),
    "half_response": ("down", "half-way"),
    "unauthorised": ("refused", "401"),
    "doctype": ("refused", "DOCTYPE"),
    "exception": ("refused", "InvalidParameterValue"),
    "login_page": ("refused", "not XML"),
}


def test_a_system_in_trouble_lands_nothing_says_why_and_is_heard_when_it_is_well(
    hub: Living,
) -> None:
    hub.configure("sources/kuntagml.yml", timeout=0.5, attempts=1)
    hub.town.advance()
    before = heard(hub, LANDED)
    for fault, (status, word) in TROUBLE.items():
        hub.town.fault("kuntagml", fault, 99)
        assert hear(hub).status == "failed", fault
        feed = hub.feed("kuntagml")
        assert (feed.status, word in feed.reason) == (status, True), (fault, feed.reason)
        hub.town.clear_faults()
    for fault in ("http_500", "unauthorised"):
        hub.town.fault("exemptions", fault, 99)
        assert hear(hub, "exemptions").status == "failed", fault
        hub.town.clear_faults()
    pd.testing.assert_frame_equal(heard(hub, LANDED), before)
    hub.configure("sources/kuntagml.yml", timeout=10)
    assert hear(hub).counts["landed"] > 0


@pytest.mark.parametrize(
    ("fault", "unknown"),
    [("broken_building", "unreadable_building"), ("unknown_word", "olotila"), ("full", "answer_cut_off")],
)  # fmt: skip
def test_what_makes_no_sense_is_loud_and_takes_nothing_else_with_it(
    hub: Living, fault: str, unknown: str
) -> None:
    hub.configure("sources/kuntagml.yml", features=["buildings"], max_features=30)
    before = heard(hub, LANDED)
    hub.town.fault("kuntagml", fault, 999)
    result = hear(hub)
    assert result.status == "attention"
    assert hub.feed("kuntagml").unknown.keys() == {unknown}
    assert set(heard(hub, LANDED).index) == set(before.index)


def test_postal_codes_of_thirteen_digits_go_to_quarantine_with_their_buildings_alone(
    hub: Living,
) -> None:
    hub.town.fault("kuntagml", "broken_postcode", 999)
    outcome = hub.next_night()
    assert outcome.status != "failed"
    assert refused(hub) == {"finnish_postal_code", "value_too_long"}
    held = heard(hub, POINTS)
    assert held["postal_code"].dropna().str.len().eq(5).all(), "the last good rows stand"
    hub.town.clear_faults()
    hub.next_night(quiet=True)
    assert refused(hub) == set()
    gone = house_of(hub, "building_demolished")
    assert heard(hub, POINTS).loc[gone.building_id, "building_state"] == "demolished"


def refused(living: Living) -> set[str]:
    """The rules that something of the system waits in quarantine for."""
    with living.opened() as house, transaction(house.engine) as conn:
        items = quarantine.open_items(conn)
    return set(items.loc[items["source"] == "kuntagml", "rule"])


# --- beside Ryhti -------------------------------------------------------------------------------------------


def test_beside_ryhti_there_is_one_point_a_building_and_ids_that_fail_their_check_tie_nothing(
    founded: Path, tmp_path: Path
) -> None:
    with continued(founded, tmp_path / "both") as living:
        values = living.table(POINT_VALUES)
        by = values[values["field"] == "building_state"]
        assert set(by["source"]) == {"ryhti"}, "the national register is the declared owner"
        points = golden(living)
        assert len(points) == len(living.town._founded.register.points)
        living.town.fault("kuntagml", "wrong_check", 999)
        outcome = living.next_night(quiet=True)
        assert outcome.status != "failed"
        told = heard(living, POINTS)
        assert told["building_id"].isna().any()
        after = golden(living).drop(columns="point_id")
        pd.testing.assert_frame_equal(after, points.drop(columns="point_id"))
