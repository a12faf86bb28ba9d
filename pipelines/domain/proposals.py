"""What at a property does not fit together, as proposals to a steward (DESIGN 7, R31).

Belongs here: which points, roles and buildings contradict one another, and the facts that show it. Does not
belong here: changing anything: a proposal is looked into by a person, and answered in the register that is wrong.

A fact is a small mapping: `fact` (its name, worded in texts as `proposal.fact.NAME`), `since` where there is a
date, and by whom or what: `party_id`, `source` with `source_key`, `building_id`, `property_id`, `n`. No name and no
address stands in it: those are looked up, and the look logged, when somebody opens the proposal.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from pipelines.domain.landing import content_hash
from pipelines.domain.names import fold
from pipelines.domain.points import BESIDE

KINDS = (
    "demolished_with_contract",
    "no_payer",
    "payer_without_building",
    "several_households",
    "building_without_customer",
)
"""The most consequential first: a bill that rests on nothing comes before one that is not sent."""

COLUMNS = ("kind", "subject", "point_id", "evidence", "evidence_hash")
_FACT = ("party_id", "source", "source_key", "building_id", "property_id", "n", "since")


def proposals(
    points: pd.DataFrame,
    values: pd.DataFrame,
    roles: pd.DataFrame,
    parties: pd.DataFrame,
    ties: pd.DataFrame,
    places: pd.DataFrame,
    as_of: str,
) -> pd.DataFrame:
    """Everything that does not fit together on a day, one row a matter, by kind and subject.

    points: GOLDEN_POINTS. values: POINT_VALUES. roles: GOLDEN_ROLES. parties: party_id, party_type,
    family_name. ties: POINT_TIES. places: POINTS of the other registers. as_of: the business date, ISO.
    Returns COLUMNS; subject is unique within a kind (`point N`, or `building ID`), point_id null where no point of
    ours is concerned. The evidence hash changes when the facts do, and only then.

    * demolished_with_contract: its building is gone, and somebody still holds or pays (R31)
    * no_payer: somebody holds the connection, nobody pays
    * payer_without_building: somebody pays, and no register of buildings knows one there
    * several_households: persons of different family names pay for one point
    * building_without_customer: a standing building on a property of ours is connected to the water network, and
      no point is its own

    Points are looked at for the first only if the building is not gone: one matter is told once.
    """
    now = _current(roles, as_of)
    gone = points["building_state"].eq("demolished").fillna(False).astype(bool)
    gone &= ~(points["demolition_date"] > as_of).fillna(False).astype(bool)
    standing = points[~gone]
    found = [
        *_demolished(points[gone], values, now, ties, places),
        *_no_payer(standing, now, roles, as_of),
        *_no_building(standing, now, ties, places),
        *_several_households(standing, now, parties),
        *_unclaimed(points, ties, places),
    ]
    rows = pd.DataFrame(found, columns=list(COLUMNS[:4]))
    rows["evidence_hash"] = [content_hash({"evidence": e}) for e in rows["evidence"]]
    texts = dict.fromkeys(("kind", "subject", "evidence_hash"), "str")
    rows = rows.astype({**texts, "point_id": "Int64"})
    rank = rows["kind"].map({kind: n for n, kind in enumerate(KINDS)})
    order = rows.assign(rank=rank).sort_values(["rank", "subject"], kind="stable").index
    return rows.loc[order, list(COLUMNS)].reset_index(drop=True)


def _current(roles: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """Roles in force on the day; valid_to is the first day they no longer are."""
    begun = roles["valid_from"].isna() | (roles["valid_from"] <= as_of)
    over = roles["valid_to"].notna() & (roles["valid_to"] <= as_of)
    return roles[begun & ~over]


def _at(roles: pd.DataFrame, points: pd.DataFrame, *types: str) -> pd.DataFrame:
    """The roles of these types at these points, in a settled order."""
    there = roles[roles["role_type"].isin(types) & roles["point_id"].isin(points["point_id"])]
    return there.sort_values(["point_id", "role_type", "party_id", "source", "source_key"])


def _demolished(
    gone: pd.DataFrame,
    values: pd.DataFrame,
    now: pd.DataFrame,
    ties: pd.DataFrame,
    places: pd.DataFrame,
) -> list[tuple[Any, ...]]:
    holding = _at(now, gone, "holder", "payer")
    concerned = gone[gone["point_id"].isin(holding["point_id"])]
    told = values[
        (values["field"] == "building_state") & values["point_id"].isin(concerned["point_id"])
    ].merge(concerned[["point_id", "demolition_date", "building_id"]], on="point_id")
    others = ties[(ties["tied_by"] == BESIDE) & ties["point_id"].isin(concerned["point_id"])].merge(
        places[places["building_id"].notna()], on=["source", "source_key"]
    )
    others = others[others["building_state"].ne("demolished").fillna(True).astype(bool)]
    counted = others.groupby("point_id")["building_id"].nunique().rename("n").reset_index()
    return _matters(
        "demolished_with_contract",
        _facts(told.rename(columns={"demolition_date": "since"}), "demolished"),
        _facts(holding.rename(columns={"valid_from": "since"}), lambda row: str(row["role_type"])),
        _facts(counted, "other_buildings"),
    )


def _no_payer(
    standing: pd.DataFrame, now: pd.DataFrame, roles: pd.DataFrame, as_of: str
) -> list[tuple[Any, ...]]:
    paid = set(_at(now, standing, "payer")["point_id"])
    unpaid = standing[~standing["point_id"].isin(paid)]
    holders = _at(now, unpaid, "holder")
    former = _at(roles, unpaid[unpaid["point_id"].isin(holders["point_id"])], "payer")
    former = former[former["valid_to"].notna() & (former["valid_to"] <= as_of)]
    former = former.sort_values("valid_to", kind="stable").drop_duplicates("point_id", keep="last")
    return _matters(
        "no_payer",
        _facts(holders.rename(columns={"valid_from": "since"}), "holder"),
        _facts(former.rename(columns={"valid_to": "since"}), "last_payer"),
    )


def _no_building(
    standing: pd.DataFrame, now: pd.DataFrame, ties: pd.DataFrame, places: pd.DataFrame
) -> list[tuple[Any, ...]]:
    buildings = places[places["building_id"].notna()]
    if buildings.empty:
        return []  # nobody speaks of buildings at all
    known = ties.merge(buildings[["source", "source_key"]], on=["source", "source_key"])
    bare = standing[~standing["point_id"].isin(known["point_id"])]
    payers = _at(now, bare, "payer")
    stated = bare[bare["point_id"].isin(payers["point_id"])]
    return _matters(
        "payer_without_building",
        _facts(payers.rename(columns={"valid_from": "since"}), "payer"),
        _facts(stated[["point_id", "building_id"]].dropna(), "unknown_building"),
        _facts(stated[["point_id", "property_id"]].dropna(), "bare_property"),
    )


def _several_households(
    standing: pd.DataFrame, now: pd.DataFrame, parties: pd.DataFrame
) -> list[tuple[Any, ...]]:
    persons = parties[parties["party_type"] == "person"].dropna(subset="family_name")
    payers = _at(now, standing, "payer").merge(persons, on="party_id")
    payers = payers.drop_duplicates(["point_id", "party_id"])
    # one name of two is enough to be one household: Virtanen and Virtanen-Laine
    names = payers.assign(name=payers["family_name"].map(fold).str.split())
    single = names.explode("name")
    sharing = single.groupby(["point_id", "name"])["party_id"].nunique().rename("bearers")
    of_point = payers.groupby("point_id")["party_id"].nunique().rename("payers")
    widest = sharing.groupby("point_id").max()
    apart = of_point[(of_point > 1) & (widest.reindex(of_point.index) == 1)].index
    several = payers[payers["point_id"].isin(apart)]
    return _matters(
        "several_households",
        _facts(several.rename(columns={"valid_from": "since"}), "payer"),
    )


def _unclaimed(
    points: pd.DataFrame, ties: pd.DataFrame, places: pd.DataFrame
) -> list[tuple[Any, ...]]:
    connected = places["has_water_connection"].fillna(False).astype(bool)
    up = places["building_state"].isin(["under_construction", "in_use"])
    new = places[connected & up & places["building_id"].notna()]
    new = new[~new["building_id"].isin(points["building_id"].dropna())]
    near = new.merge(ties, on=["source", "source_key"])
    speaks = near[near["tied_by"] != BESIDE][["source", "source_key"]]
    beside = near[near["tied_by"] == BESIDE].merge(
        speaks.drop_duplicates().assign(speaks=True), on=["source", "source_key"], how="left"
    )
    alone = beside[beside["speaks"].isna()].sort_values(["building_id", "source", "property_id"])
    return _matters(
        "building_without_customer",
        _facts(alone[["source", "building_id"]].drop_duplicates(), "connected"),
        _facts(alone[["building_id", "property_id"]].drop_duplicates(), "property_of_ours"),
        subject=lambda fact: f"building {fact['building_id']}",
    )


def _facts(rows: pd.DataFrame, name: str | Callable[[dict[str, Any]], str]) -> list[dict[str, Any]]:
    """Rows as facts: what they hold of a fact's keys, nulls left out; the point beside."""
    columns = [c for c in ("point_id", "role_type", *_FACT) if c in rows]
    plain = rows[columns].astype(object)
    facts = []
    for row in plain.where(plain.notna(), None).to_dict("records"):
        kept = {str(k): v for k, v in row.items() if v is not None and k != "role_type"}
        named = name if isinstance(name, str) else name({str(k): v for k, v in row.items()})
        facts.append({"fact": named, **kept})
    return facts


def _matters(
    kind: str,
    *parts: Sequence[dict[str, Any]],
    subject: Callable[[dict[str, Any]], str] = lambda fact: f"point {fact['point_id']}",
) -> list[tuple[Any, ...]]:
    """Facts gathered by what they are about: (kind, subject, point_id, facts)."""
    gathered: dict[str, tuple[Any, list[dict[str, Any]]]] = {}
    for fact in (f for part in parts for f in part):
        _, facts = gathered.setdefault(subject(fact), (fact.get("point_id"), []))
        facts.append({k: _plain(v) for k, v in fact.items() if k != "point_id"})
    return [(kind, about, point, facts) for about, (point, facts) in gathered.items()]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
