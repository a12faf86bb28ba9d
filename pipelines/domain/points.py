"""Consumption points beside what other registers say of the same property and building (R14).

Belongs here: which place of another register is which point of ours, who owns each fact of a point.
Does not belong here: who has a role there (`roles`), the written form of ids (`building`).

A point is the own register's alone: other registers' places are tied to it, never made into one, and two
points are never made one. A place is a property with the municipality, a building with building control.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.domain.matching import RECORD
from pipelines.domain.names import fold
from pipelines.domain.schemas import GOLDEN_POINTS, POINT_TIES, POINT_VALUES, POINTS
from pipelines.domain.survivorship import Policy

OWN_REGISTER = "registrations"  # the utility's own: it alone makes consumption points
# What ties a place, the strongest first. One that is BESIDE is known for the property's sake (a connection
# ends when all its buildings are gone, R31) and says nothing of the point.
SPEAKING = ("building_id", "property_and_address", "property_id")
BESIDE = "beside"

_ADDRESS = ("street_line", "postal_code", "post_office")
_OF_THE_BUILDING = (
    "building_state",
    "demolition_date",
    "has_water_connection",
    "has_sewer_connection",
)
_OF_THE_PROPERTY = ("water_exempt_since", "sewer_exempt_since", "stormwater_exempt_since")
_UNITS = {
    "property_id": ("property_id",),
    "building_id": ("building_id",),
    "street_line": _ADDRESS,
    **{name: (name,) for name in (*_OF_THE_BUILDING, *_OF_THE_PROPERTY)},
}


@dataclass(frozen=True)
class GoldenPoints:
    """points: GOLDEN_POINTS. values: POINT_VALUES. overruled: POINT_VALUES' columns, each value that a
    source with a say stated against the one that stands; an address by its street line.
    """

    points: pd.DataFrame
    values: pd.DataFrame
    overruled: pd.DataFrame


def ties(own: pd.DataFrame, places: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Which place speaks of which point: POINT_TIES, in the order of its key.

    own: POINTS of the own register and point_id. places: POINTS of the other registers; whoever shares a
    property or a building with a point of `own` must be among them, and the other way round.

    * building_id: both state it
    * property_and_address: same property and street line (folded), and the place's building is no other
      point's
    * property_id: same property, and the place is its register's only one there: a whole property, or a
      lone building
    * beside: on the property, and none of these

    The property of a point is the golden one, so a point follows its building to a new parcel; what stands
    on the parcel the own register still names is beside.
    """
    buildings = own.loc[own["building_id"].notna(), ["point_id", "building_id"]]
    by_building = places[[*RECORD, "building_id"]].merge(buildings, on="building_id")
    by_building = by_building[[*RECORD, "point_id"]].assign(tied_by="building_id")

    heard = pd.concat([_spoken_by(own), _speakers(own, places, by_building)])
    moved = _winners(heard, "property_id", policy).set_index("point_id")["property_id"]
    stated = own[["point_id", "property_id"]]
    golden = stated.assign(property_id=stated["point_id"].map(moved).astype("str"), is_golden=True)
    ground = pd.concat([golden, stated.assign(is_golden=False)]).dropna(subset="property_id")
    ground = ground.drop_duplicates(["point_id", "property_id"])
    ground = ground.merge(own[["point_id", "street_line"]], on="point_id")

    alone = places.groupby(["source", "property_id"])["source_key"].transform("size") == 1
    near = places.assign(
        is_alone=alone, is_free=~places["building_id"].isin(buildings["building_id"])
    ).merge(ground, on="property_id", suffixes=("", "_own"))
    same_line = _folded(near["street_line"]) == _folded(near["street_line_own"])
    may_tie = near["is_golden"] & near["is_free"]
    near["tied_by"] = np.select(
        [may_tie & same_line, may_tie & near["is_alone"]], SPEAKING[1:], BESIDE
    )
    every = pd.concat([by_building, near[[*RECORD, "point_id", "tied_by"]]])
    every = every.drop_duplicates([*RECORD, "point_id"]).sort_values(list(POINT_TIES.key))
    return POINT_TIES.conform(every.reset_index(drop=True))


def golden_points(
    own: pd.DataFrame, places: pd.DataFrame, tied: pd.DataFrame, policy: Policy
) -> GoldenPoints:
    """Each point's facts, field by field from the declared owner, else from the next that has a say.

    own, places: as for `ties`. tied: POINT_TIES between them. A field nobody is declared for is the own
    register's. Of several places that one register ties to a point one speaks: the strongest tied, then
    one that still stands, then the smallest key. One that states another building than the point's own
    says nothing about the building. The day of a demolition is heard only of whoever is believed that there
    was one. Sorted by point.
    """
    heard = _dated_as_believed(
        pd.concat([_spoken_by(own), _speakers(own, places, tied)], ignore_index=True), policy
    )
    points = own[["point_id", "source_key"]].rename(columns={"source_key": "point_ref"})
    points = points.sort_values("point_id").reset_index(drop=True)
    values, overruled = [], []
    for unit, fields in _UNITS.items():
        won = _winners(heard, unit, policy)
        points = points.merge(won[["point_id", *fields]], on="point_id", how="left")
        values += [_as_values(won, name) for name in fields]
        overruled.append(_overruled(heard, won, unit, policy))
    return GoldenPoints(
        GOLDEN_POINTS.conform(points[list(GOLDEN_POINTS.columns)]),
        _sorted_values(values),
        _sorted_values(overruled),
    )


def overruled(
    own: pd.DataFrame, places: pd.DataFrame, tied: pd.DataFrame, policy: Policy
) -> pd.DataFrame:
    """What registers state against the values that stand: `golden_points(…).overruled` alone."""
    if tied.empty:
        return POINT_VALUES.empty()  # the own register does not contradict itself
    heard = _dated_as_believed(
        pd.concat([_spoken_by(own), _speakers(own, places, tied)], ignore_index=True), policy
    )
    # who is alone in stating something is not contradicted
    units = [unit for unit in _UNITS if heard[unit].notna().sum() > 1]
    parts = [_overruled(heard, _winners(heard, unit, policy), unit, policy) for unit in units]
    return _sorted_values(parts) if parts else POINT_VALUES.empty()


def _spoken_by(own: pd.DataFrame) -> pd.DataFrame:
    return own[[*POINTS.columns, "point_id"]]


def _speakers(own: pd.DataFrame, places: pd.DataFrame, tied: pd.DataFrame) -> pd.DataFrame:
    """One place per point and register, with what it may say of the point: POINTS' columns, point_id."""
    strength = {name: rank for rank, name in enumerate(SPEAKING)}
    speaking = tied[tied["tied_by"].isin(SPEAKING)].merge(places, on=list(RECORD))
    speaking = speaking.assign(
        strength=speaking["tied_by"].map(strength),
        is_gone=speaking["building_state"].eq("demolished").fillna(False).astype(bool),
    ).sort_values(["point_id", "source", "strength", "is_gone", "source_key"])
    first = speaking.drop_duplicates(["point_id", "source"])[[*POINTS.columns, "point_id"]]
    ours = first["point_id"].map(own.set_index("point_id")["building_id"])
    is_another = ours.notna() & first["building_id"].notna() & (ours != first["building_id"])
    silent = {name: first[name].mask(is_another) for name in _OF_THE_BUILDING}
    return POINTS.conform(first[list(POINTS.columns)].assign(**silent)).assign(
        point_id=first["point_id"]
    )


def _dated_as_believed(heard: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Without the days of demolitions told by who states another state of the building than the one that stands."""
    believed = _winners(heard, "building_state", policy).set_index("point_id")["building_state"]
    stands = heard["point_id"].map(believed).astype("str")
    is_against = heard["building_state"].notna() & (heard["building_state"] != stands)
    return heard.assign(demolition_date=heard["demolition_date"].mask(is_against.astype(bool)))


def _stating(heard: pd.DataFrame, unit: str, policy: Policy) -> pd.DataFrame:
    """Whoever has a say in the unit and states it, with `rank`: 0 is the declared owner."""
    owners = policy.point_owners.get(unit, (OWN_REGISTER,))
    rank = heard["source"].map({source: rank for rank, source in enumerate(owners)})
    return heard.assign(rank=rank)[heard[unit].notna() & rank.notna()]


def _winners(heard: pd.DataFrame, unit: str, policy: Policy) -> pd.DataFrame:
    stating = _stating(heard, unit, policy).sort_values(["point_id", "rank"])
    won = stating.drop_duplicates("point_id")
    return won.assign(rule=np.where(won["rank"] == 0, "declared_owner", "owner_silent"))


def _overruled(heard: pd.DataFrame, won: pd.DataFrame, unit: str, policy: Policy) -> pd.DataFrame:
    stating = _stating(heard, unit, policy)
    beside = stating.merge(won[["point_id", unit]], on="point_id", suffixes=("", "_won"))
    one, other = beside[unit], beside[f"{unit}_won"]
    same = _folded(one) == _folded(other) if unit == "street_line" else one == other
    return _as_values(beside[~same.astype(bool)].assign(rule="overruled"), unit)


def _as_values(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    stated = rows[rows[name].notna()]
    text = stated[name]
    if text.dtype == "boolean":
        text = text.map({True: "true", False: "false"})
    columns = ["point_id", *RECORD, "source_time", "rule"]
    return POINT_VALUES.conform(stated[columns].assign(field=name, value=text.astype("str")))


def _sorted_values(parts: list[pd.DataFrame]) -> pd.DataFrame:
    order = ["point_id", "field", *RECORD]
    return pd.concat(parts).sort_values(order).reset_index(drop=True)


def _folded(lines: pd.Series) -> pd.Series:
    """Each distinct line is folded once; a null equals nothing."""
    forms = {line: fold(line) or None for line in lines.dropna().unique()}
    return lines.map(forms).astype("str")
