"""What at a property does not fit together, as proposals with their facts."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.proposals import KINDS, proposals
from pipelines.domain.schemas import (
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
)

TONIGHT = "2026-11-03"
HOME, SHED, ELSEWHERE = "900000759J", "9000007604", "900000761X"
PLOT = "10340100010023"


def point(no: int = 1, **facts: Any) -> dict[str, Any]:
    return {
        "point_id": no,
        "point_ref": f"KP{no}",
        "property_id": PLOT,
        "building_id": HOME,
    } | facts


def role(party: int, kind: str, at: int = 1, **days: Any) -> dict[str, Any]:
    key = f"{kind}{party}"
    named = {"source": "registrations", "source_key": key, "party_id": party, "point_id": at}
    return named | {"role_type": kind, "valid_from": "2010-01-01"} | days


def building(key: str, **facts: Any) -> dict[str, Any]:
    stands = {"property_id": PLOT, "building_id": key, "building_state": "in_use"}
    return {"source": "ryhti", "source_key": f"key of {key}"} | stands | facts


def tie(key: str, tied_by: str = "building_id", at: int = 1) -> dict[str, Any]:
    return {"source": "ryhti", "source_key": f"key of {key}", "point_id": at, "tied_by": tied_by}


def person(party: int, family_name: str) -> dict[str, Any]:
    return {"party_id": party, "party_type": "person", "family_name": family_name}


Rows = Sequence[Mapping[str, Any]]
WHERE_ALL_FITS: dict[str, Rows] = {
    "points": [point()],
    "roles": [role(7, "holder"), role(7, "payer")],
    "ties": [tie(HOME)],
    "places": [building(HOME)],
    "parties": [person(7, "Aarnio"), person(8, "Oksala")],
    "values": [],
}


def found(as_of: str = TONIGHT, **changed: Rows) -> pd.DataFrame:
    """What is proposed where all fits but for what is given."""
    rows = WHERE_ALL_FITS | changed
    people = pd.DataFrame(list(rows["parties"]), columns=["party_id", "party_type", "family_name"])
    return proposals(
        GOLDEN_POINTS.frame(rows["points"]), POINT_VALUES.frame(rows["values"]),
        GOLDEN_ROLES.frame(rows["roles"]), people, POINT_TIES.frame(rows["ties"]),
        POINTS.frame(rows["places"]), as_of,
    )  # fmt: skip


def told(rows: pd.DataFrame) -> list[tuple[str, str, list[str]]]:
    """Kind, subject and the names of the facts of each."""
    return [
        (kind, subject, [f["fact"] for f in evidence])
        for kind, subject, evidence in rows[["kind", "subject", "evidence"]].itertuples(index=False)
    ]


def test_nothing_is_proposed_where_everything_fits() -> None:
    assert found().empty


def test_an_empty_register_proposes_nothing() -> None:
    nothing = found(points=(), roles=(), ties=(), places=(), parties=())
    assert nothing.empty
    assert str(nothing.dtypes["evidence_hash"]) == "str"


def test_a_demolished_building_with_a_contract_is_told_with_what_still_stands() -> None:
    gone = point(building_state="demolished", demolition_date="2026-10-30")
    value = {
        "point_id": 1, "field": "building_state", "value": "demolished", "source": "ryhti",
        "source_key": "b", "rule": "declared_owner",
    }  # fmt: skip
    rows = found(
        points=[gone], values=[value],
        ties=[tie(HOME), tie(SHED, "beside"), tie(ELSEWHERE, "beside")],
        places=[building(HOME), building(SHED), building(ELSEWHERE, building_state="demolished")],
    )  # fmt: skip
    assert told(rows) == [
        (
            "demolished_with_contract",
            "point 1",
            ["demolished", "holder", "payer", "other_buildings"],
        )
    ]
    demolished, *_, others = rows["evidence"][0]
    assert demolished == {
        "fact": "demolished", "source": "ryhti", "source_key": "b", "building_id": HOME,
        "since": "2026-10-30",
    }  # fmt: skip
    assert others == {"fact": "other_buildings", "n": 1}


def test_a_building_to_be_demolished_later_is_no_matter_yet_and_is_one_on_the_day() -> None:
    gone = point(building_state="demolished", demolition_date="2026-11-04")
    assert found(points=[gone]).empty
    assert list(found(points=[gone], as_of="2026-11-04")["kind"]) == ["demolished_with_contract"]


def test_a_demolished_building_that_nobody_holds_is_left_alone() -> None:
    gone = point(building_state="demolished")
    assert found(points=[gone], roles=[role(7, "owner")]).empty


def test_a_connection_without_a_payer_names_the_holder_and_who_paid_last() -> None:
    roles = [
        role(7, "holder"),
        role(8, "payer", valid_to="2020-01-01"),
        role(7, "payer", valid_to="2026-11-03"),
    ]
    assert found(roles=roles, as_of="2026-11-02").empty
    (row,) = found(roles=roles).to_dict("records")
    assert (row["kind"], row["point_id"]) == ("no_payer", 1)
    assert [(f["fact"], f["party_id"], f["since"]) for f in row["evidence"]] == [
        ("holder", 7, "2010-01-01"),
        ("last_payer", 7, "2026-11-03"),
    ]


def test_a_point_nobody_holds_needs_no_payer() -> None:
    assert found(roles=[role(7, "owner")]).empty


def test_somebody_who_pays_where_nobody_knows_a_building_is_told_once_buildings_are_spoken_of() -> (
    None
):
    bare = [point(building_id=None)]
    assert found(points=bare, ties=[], places=[]).empty
    known_elsewhere = [building(ELSEWHERE, property_id="10340100010099")]
    rows = found(points=bare, ties=[], places=known_elsewhere)
    assert told(rows) == [("payer_without_building", "point 1", ["payer", "bare_property"])]


def test_a_building_beside_is_enough_for_a_dwelling() -> None:
    assert found(points=[point(building_id=None)], ties=[tie(SHED, "beside")], places=[building(SHED)]).empty  # fmt: skip


def test_two_payers_of_different_names_are_two_households() -> None:
    rows = found(roles=[role(7, "holder"), role(7, "payer"), role(8, "payer")])
    assert told(rows) == [("several_households", "point 1", ["payer", "payer"])]


def test_a_name_of_two_that_is_shared_makes_one_household() -> None:
    couple = [person(7, "Mäki"), person(8, "Maki-Laine")]
    assert found(roles=[role(7, "holder"), role(7, "payer"), role(8, "payer")], parties=couple).empty  # fmt: skip


def test_an_organisation_that_pays_beside_a_person_is_no_household() -> None:
    firm = {"party_id": 8, "party_type": "organisation", "family_name": None}
    roles = [role(7, "holder"), role(7, "payer"), role(8, "payer")]
    assert found(roles=roles, parties=[person(7, "Mäki"), firm]).empty


def test_a_connected_building_that_is_no_points_own_is_told_by_its_id() -> None:
    rows = found(
        ties=[tie(HOME), tie(SHED, "beside")],
        places=[building(HOME), building(SHED, has_water_connection=True)],
    )
    assert told(rows) == [
        ("building_without_customer", f"building {SHED}", ["connected", "property_of_ours"])
    ]
    assert pd.isna(rows["point_id"][0])


def test_a_building_that_speaks_of_a_point_or_is_not_connected_is_nobodys_matter() -> None:
    for shed, tied in (
        (building(SHED), "beside"),
        (building(SHED, has_water_connection=True, building_state="demolished"), "beside"),
        (building(SHED, has_water_connection=True), "property_and_address"),
    ):
        assert found(ties=[tie(HOME), tie(SHED, tied)], places=[building(HOME), shed]).empty


def test_facts_that_change_change_the_hash_and_nothing_else_does() -> None:
    roles = [role(7, "holder"), role(8, "holder")]
    before = found(roles=roles)["evidence_hash"][0]
    assert found(roles=list(reversed(roles)))["evidence_hash"][0] == before
    assert found(roles=roles, as_of="2027-01-01")["evidence_hash"][0] == before
    assert found(roles=[*roles, role(9, "holder")])["evidence_hash"][0] != before


MESSY_ROLES = st.lists(
    st.builds(
        role,
        party=st.integers(1, 4),
        kind=st.sampled_from(["holder", "payer", "owner"]),
        at=st.integers(1, 3),
        valid_to=st.sampled_from([None, "2020-01-01", "2030-01-01"]),
    ),
    unique_by=lambda r: (r["source_key"], r["point_id"]),
    max_size=12,
)
MESSY_POINTS = st.tuples(
    *(
        st.builds(
            point,
            no=st.just(n),
            building_id=st.sampled_from([None, HOME, SHED]),
            building_state=st.sampled_from([None, "in_use", "demolished"]),
        )
        for n in (1, 2, 3)
    )
)


@settings(deadline=None, max_examples=40)
@given(MESSY_POINTS, MESSY_ROLES, st.randoms(use_true_random=False))
def test_a_matter_is_told_once_and_whatever_the_order_of_rows(
    points: Any, roles: list[dict[str, Any]], chance: Any
) -> None:
    people = [person(n, name) for n, name in enumerate(["A", "B", "B", "C"], 1)]
    mixed = chance.sample(roles, len(roles))
    rows = found(points=points, roles=roles, parties=people)
    pd.testing.assert_frame_equal(rows, found(points=points, roles=mixed, parties=people))
    assert not rows.duplicated(["kind", "subject"]).any()
    assert set(rows["kind"]) <= set(KINDS)
    gone = rows[rows["kind"] == "demolished_with_contract"]["point_id"]
    assert rows["point_id"].isin(gone).sum() == len(gone)
