"""Which place of another register is which point of ours, and whose word on it stands (R14)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from pipelines.domain.points import GoldenPoints, golden_points, overruled, ties
from pipelines.domain.schemas import POINTS
from pipelines.domain.survivorship import Policy

POLICY = Policy(
    own_notice=(), update_services=(), margin_days=0, order=(), address_order=(),
    point_owners={
        "property_id": ("ryhti", "registrations"),
        "building_id": ("registrations", "ryhti"),
        "street_line": ("registrations", "ryhti"),
        "building_state": ("ryhti",),
        "demolition_date": ("ryhti",),
        "has_water_connection": ("registrations", "ryhti"),
        "has_sewer_connection": ("registrations", "ryhti"),
    },
)  # fmt: skip
HOME, BARN, MILL = "900000759J", "9000007604", "9000007615"
PLOT, PARCEL, OTHER_PLOT = "10340100010023", "10340100010024", "10340100010099"
Row = Mapping[str, object]
ANY = settings(deadline=None, max_examples=25)


def whole(
    own: pd.DataFrame, places: pd.DataFrame, tied: pd.DataFrame, policy: Policy
) -> GoldenPoints:
    """Points as consolidating makes them; what is overruled is the same when it is asked for alone."""
    found = golden_points(own, places, tied, policy)
    assert_frame_equal(overruled(own, places, tied, policy), found.overruled)
    return found


def point(number: int, **facts: object) -> Row:
    return {"source": "registrations", "source_key": f"KP{number}", **facts}


def building(key: str, **facts: object) -> Row:
    return {"source": "ryhti", "source_key": key, **facts}


def plot(property_id: str, **facts: object) -> Row:
    return {"source": "municipality", "source_key": property_id, "property_id": property_id} | facts


def ours(points: Sequence[Row]) -> pd.DataFrame:
    """Points of ours; KP7 gets the number 7."""
    own = POINTS.frame(points)
    return own.assign(point_id=own["source_key"].str[2:].astype("Int64"))


def tie(points: Sequence[Row], places: Sequence[Row]) -> set[tuple[str, int, str]]:
    found = ties(ours(points), POINTS.frame(places), POLICY)
    return set(found[["source_key", "point_id", "tied_by"]].itertuples(index=False, name=None))


def told(points: Sequence[Row], places: Sequence[Row]) -> GoldenPoints:
    own, others = ours(points), POINTS.frame(places)
    return whole(own, others, ties(own, others, POLICY), POLICY)


def fact(found: GoldenPoints, field: str, number: int = 1) -> tuple[str, str, str] | None:
    """Value, source and rule of a fact; None when nobody states it."""
    rows = found.values[(found.values["field"] == field) & (found.values["point_id"] == number)]
    return tuple(rows[["value", "source", "rule"]].iloc[0]) if len(rows) else None


# --- ties --------------------------------------------------------------------------------------------


def test_a_building_is_tied_by_its_id_wherever_it_stands() -> None:
    assert tie(
        [point(1, building_id=HOME, property_id=PLOT)],
        [building("b", building_id=HOME, property_id=OTHER_PLOT)],
    ) == {("b", 1, "building_id")}


def test_a_lone_building_of_a_property_is_that_of_every_point_on_it() -> None:
    points = [point(1, property_id=PLOT), point(2, property_id=PLOT)]
    assert tie(points, [building("b", property_id=PLOT, building_id=BARN)]) == {
        ("b", 1, "property_id"),
        ("b", 2, "property_id"),
    }


def test_one_of_several_buildings_is_found_by_its_street_line_however_it_is_written() -> None:
    assert tie(
        [point(1, property_id=PLOT, street_line="Mäkitie 3")],
        [
            building("house", property_id=PLOT, building_id=HOME, street_line="MAKITIE 3"),
            building("barn", property_id=PLOT, building_id=BARN, street_line="Mäkitie 3 b"),
        ],
    ) == {("house", 1, "property_and_address"), ("barn", 1, "beside")}


def test_no_address_is_not_the_same_address() -> None:
    places = [building("a", property_id=PLOT), building("b", property_id=PLOT, street_line="-")]
    points = [point(1, property_id=PLOT), point(2, property_id=PLOT, street_line=".")]
    assert {how for _, _, how in tie(points, places)} == {"beside"}


def test_a_building_that_is_another_points_own_is_only_beside_this_one() -> None:
    points = [point(1, property_id=PLOT, building_id=HOME), point(2, property_id=PLOT)]
    assert tie(points, [building("b", property_id=PLOT, building_id=HOME)]) == {
        ("b", 1, "building_id"),
        ("b", 2, "beside"),
    }


def test_a_whole_property_is_tied_to_every_point_on_it_beside_any_number_of_buildings() -> None:
    points = [point(1, property_id=PLOT, building_id=HOME), point(2, property_id=PLOT)]
    found = tie(
        points, [plot(PLOT), building("a", property_id=PLOT), building("b", property_id=PLOT)]
    )
    assert {t for t in found if t[0] == PLOT} == {
        (PLOT, 1, "property_id"),
        (PLOT, 2, "property_id"),
    }


def test_r31_after_a_parcel_is_split_a_point_follows_its_building_and_the_old_plot_stays_beside() -> (
    None
):
    """R31: the own register still names the old property; building control knows the new one."""
    found = tie(
        [point(1, property_id=PLOT, building_id=HOME)],
        [building("b", property_id=PARCEL, building_id=HOME), plot(PLOT), plot(PARCEL)],
    )
    assert found == {
        ("b", 1, "building_id"),
        (PARCEL, 1, "property_id"),
        (PLOT, 1, "beside"),
    }


def test_what_shares_no_property_and_no_building_with_us_is_not_tied() -> None:
    assert (
        tie([point(1, property_id=PLOT)], [plot(OTHER_PLOT), building("b", building_id=MILL)])
        == set()
    )
    assert tie([point(1)], [building("b")]) == set()
    assert tie([], [building("b", property_id=PLOT)]) == set()


# --- facts -------------------------------------------------------------------------------------------


def test_r14_each_field_comes_from_its_declared_owner_and_what_is_said_against_it_is_counted() -> (
    None
):
    """R14: the owner wins by being the owner, not by speaking last."""
    found = told(
        [
            point(
                1, property_id=PLOT, building_id=HOME, street_line="Mäkitie 3", postal_code="31640",
                has_water_connection=True, source_time="2020-01-01T00:00:00Z",
            )
        ],
        [
            building(
                "b", property_id=PARCEL, building_id=HOME, street_line="Mäkitie 5", postal_code="31650",
                has_water_connection=False, building_state="in_use", source_time="2026-01-01T00:00:00Z",
            )
        ],
    )  # fmt: skip
    assert fact(found, "property_id") == (PARCEL, "ryhti", "declared_owner")
    assert fact(found, "street_line") == ("Mäkitie 3", "registrations", "declared_owner")
    assert fact(found, "postal_code") == ("31640", "registrations", "declared_owner")
    assert fact(found, "has_water_connection") == ("true", "registrations", "declared_owner")
    assert fact(found, "building_state") == ("in_use", "ryhti", "declared_owner")
    against = found.overruled[["field", "value", "source", "rule"]]
    assert set(against.itertuples(index=False, name=None)) == {
        ("property_id", PLOT, "registrations", "overruled"),
        ("street_line", "Mäkitie 5", "ryhti", "overruled"),
        ("has_water_connection", "false", "ryhti", "overruled"),
    }
    (golden,) = found.points.to_dict("records")
    assert (golden["point_ref"], golden["property_id"], golden["street_line"]) == (
        "KP1",
        PARCEL,
        "Mäkitie 3",
    )
    assert golden["has_water_connection"] is True


def test_where_the_owner_is_silent_the_next_one_speaks() -> None:
    found = told(
        [point(1, property_id=PLOT)],
        [building("b", property_id=PLOT, building_id=HOME, has_sewer_connection=False)],
    )
    assert fact(found, "building_id") == (HOME, "ryhti", "owner_silent")
    assert fact(found, "has_sewer_connection") == ("false", "ryhti", "owner_silent")
    assert fact(found, "property_id") == (PLOT, "ryhti", "declared_owner")
    assert found.overruled.empty


def test_an_address_is_taken_whole_and_never_pieced_together() -> None:
    found = told(
        [point(1, building_id=HOME, street_line="Mäkitie 3")],
        [building("b", building_id=HOME, street_line="mäkitie 3", postal_code="31640")],
    )
    assert fact(found, "street_line") == ("Mäkitie 3", "registrations", "declared_owner")
    assert fact(found, "postal_code") is None
    assert found.overruled.empty


def test_a_register_that_owns_no_field_says_nothing_of_a_point() -> None:
    found = told([point(1, property_id=PLOT)], [plot(PLOT, street_line="Kirkkotie 1")])
    assert fact(found, "street_line") is None


def test_a_field_nobody_is_declared_for_is_the_own_registers() -> None:
    own, places = ours([point(1, property_id=PLOT)]), POINTS.frame([])
    nobody = Policy((), (), 0, (), ())
    found = golden_points(own, places, ties(own, places, nobody), nobody)
    assert fact(found, "property_id") == (PLOT, "registrations", "declared_owner")


@pytest.mark.parametrize(
    ("house", "barn", "state"),
    [
        ("in_use", "demolished", "in_use"),
        ("demolished", "in_use", "demolished"),
        (None, "demolished", None),
    ],
)
def test_the_building_tied_by_its_id_speaks_for_the_point(
    house: str | None, barn: str, state: str | None
) -> None:
    found = told(
        [point(1, building_id=HOME, property_id=PLOT, street_line="Mäkitie 3")],
        [
            building("2", building_id=HOME, property_id=PLOT, building_state=house),
            building("1", building_id=BARN, property_id=PLOT, building_state=barn, street_line="Mäkitie 3"),
        ],
    )  # fmt: skip
    stated = fact(found, "building_state")
    assert (stated and stated[0]) == state


def test_of_several_buildings_at_one_address_one_that_stands_speaks() -> None:
    place = {"property_id": PLOT, "street_line": "Mäkitie 3"}
    found = told(
        [point(1, **place)],
        [
            building("1", building_state="demolished", demolition_date="2026-01-01", **place),
            building("2", building_state="in_use", **place),
        ],
    )
    assert fact(found, "building_state") == ("in_use", "ryhti", "declared_owner")
    assert fact(found, "demolition_date") is None


def test_the_end_of_another_building_is_not_the_end_of_ours() -> None:
    """The only building known on the plot bears another id than the point's: one of the two is wrong."""
    found = told(
        [point(1, property_id=PLOT, building_id=HOME)],
        [building("b", property_id=PLOT, building_id=BARN, building_state="demolished")],
    )
    assert fact(found, "building_state") is None
    assert list(found.overruled["field"]) == ["building_id"]


# --- building control's two registers ---------------------------------------------------------------

BOTH = replace(
    POLICY,
    point_owners={
        **{name: (*who, "kuntagml") for name, who in POLICY.point_owners.items()},
        "property_id": ("ryhti", "kuntagml", "registrations"),
        "water_exempt_since": ("exemptions",),
        "sewer_exempt_since": ("exemptions",),
    },
)


def permit_system(key: str, **facts: object) -> Row:
    return {"source": "kuntagml", "source_key": key, **facts}


def told_by_both(points: Sequence[Row], *places: Row) -> GoldenPoints:
    own, others = ours(points), POINTS.frame(places)
    return whole(own, others, ties(own, others, BOTH), BOTH)


def test_two_registers_of_one_building_are_one_point_with_an_owner_for_every_fact() -> None:
    """R14: tied by the building's id; on another parcel, in another state, the declared owner stands."""
    found = told_by_both(
        [point(1, property_id=PLOT, building_id=HOME)],
        building("uuid", property_id=PARCEL, building_id=HOME, building_state="in_use"),
        permit_system(
            HOME, property_id=PLOT, building_id=HOME, building_state="demolished",
            demolition_date="2026-05-04", has_sewer_connection=True,
        ),
    )  # fmt: skip
    assert len(found.points) == 1
    assert fact(found, "property_id") == (PARCEL, "ryhti", "declared_owner")
    assert fact(found, "building_state") == ("in_use", "ryhti", "declared_owner")
    assert fact(found, "has_sewer_connection") == ("true", "kuntagml", "owner_silent")
    assert fact(found, "demolition_date") is None, "it stands, so no day of its end is believed"
    against = found.overruled[["field", "value", "source"]].itertuples(index=False, name=None)
    assert set(against) == {
        ("property_id", PLOT, "kuntagml"),
        ("property_id", PLOT, "registrations"),
        ("building_state", "demolished", "kuntagml"),
    }


@pytest.mark.parametrize("state", [None, "demolished"])
def test_a_demolition_told_by_one_stands_where_the_other_says_nothing_against_it(
    state: str | None,
) -> None:
    found = told_by_both(
        [point(1, property_id=PLOT, building_id=HOME)],
        building("uuid", property_id=PLOT, building_id=HOME, building_state=state),
        permit_system(
            HOME, property_id=PLOT, building_id=HOME, building_state="demolished",
            demolition_date="2026-05-04",
        ),
    )  # fmt: skip
    owner = ("ryhti", "declared_owner") if state else ("kuntagml", "owner_silent")
    assert fact(found, "building_state") == ("demolished", *owner)
    assert fact(found, "demolition_date") == ("2026-05-04", "kuntagml", "owner_silent")


def test_a_building_that_only_one_of_them_moved_to_a_new_parcel_is_followed_by_its_id() -> None:
    moved = permit_system("k", property_id=PARCEL, building_id=HOME)
    barn = permit_system("b", property_id=PLOT, building_id=BARN, building_state="demolished")
    found = told_by_both([point(1, property_id=PLOT, building_id=HOME)], moved, barn)
    assert fact(found, "property_id") == (PARCEL, "kuntagml", "owner_silent")
    assert fact(found, "building_state") is None, "the barn stayed behind and is beside"


# --- exemptions of a property -------------------------------------------------------------------------


def leave(property_id: str, **since: str) -> Row:
    facts = {"property_id": property_id, **since}
    return {"source": "exemptions", "source_key": property_id, **facts}


def test_an_exemption_of_a_property_holds_at_each_of_its_points_whatever_buildings_they_serve() -> (
    None
):
    found = told_by_both(
        [
            point(1, property_id=PLOT, building_id=HOME),
            point(2, property_id=PLOT),
            point(3, property_id=OTHER_PLOT),
        ],
        leave(PLOT, sewer_exempt_since="2020-03-01"),
        building("uuid", property_id=PLOT, building_id=HOME, building_state="in_use"),
    )
    since = found.points.set_index("point_id")["sewer_exempt_since"]
    assert [since[1], since[2]] == ["2020-03-01"] * 2
    assert pd.isna(since[3])
    told_so = found.values[found.values["field"] == "sewer_exempt_since"]
    assert set(told_so["source"]) == {"exemptions"}
    assert found.points["water_exempt_since"].isna().all()


def test_a_parcel_split_off_has_no_exemption_of_the_property_it_came_from() -> None:
    """Environmental control decides about properties: what the new one may do is its to say."""
    found = told_by_both(
        [point(1, property_id=PLOT, building_id=HOME)],
        building("uuid", property_id=PARCEL, building_id=HOME),
        leave(PLOT, water_exempt_since="2020-03-01"),
    )
    assert fact(found, "property_id") == (PARCEL, "ryhti", "declared_owner")
    assert fact(found, "water_exempt_since") is None


# --- whatever comes ----------------------------------------------------------------------------------

FACTS = st.fixed_dictionaries(
    {
        "property_id": st.sampled_from([None, PLOT, PARCEL]),
        "building_id": st.sampled_from([None, HOME, BARN, MILL]),
        "street_line": st.sampled_from([None, "Mäkitie 3", "Mäkitie 5"]),
        "building_state": st.sampled_from([None, "in_use", "demolished"]),
        "has_water_connection": st.sampled_from([None, True, False]),
    }
)
WORLDS = st.tuples(
    st.lists(FACTS, max_size=4),
    st.lists(st.tuples(st.sampled_from(["ryhti", "municipality"]), FACTS), max_size=5),
    st.randoms(use_true_random=False),
)


@ANY
@given(WORLDS)
def test_every_point_stays_one_point_and_the_rows_order_means_nothing(
    world: tuple[list[Row], list[tuple[str, Row]], Random],
) -> None:
    facts, others, random = world
    points = [point(number, **row) for number, row in enumerate(facts, 1)]
    places = [{"source": s, "source_key": str(n), **row} for n, (s, row) in enumerate(others)]
    found = told(points, places)
    assert list(found.points["point_id"]) == list(range(1, len(points) + 1))
    assert not found.values.duplicated(["point_id", "field"]).any()
    tied = ties(ours(points), POINTS.frame(places), POLICY)
    assert not tied.duplicated(["source", "source_key", "point_id"]).any()

    random.shuffle(points)
    random.shuffle(places)
    again = told(points, places)
    assert_frame_equal(again.points, found.points)
    assert_frame_equal(again.values, found.values)
    assert_frame_equal(again.overruled, found.overruled)
    assert_frame_equal(ties(ours(points), POINTS.frame(places), POLICY), tied)
