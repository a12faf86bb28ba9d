"""Put other registers' places beside our consumption points, and everybody's roles at them.

Belongs here: which points tonight touches, writing what differs, forgetting places that are none of ours.
Does not belong here: which place is which point (`domain.points`), whose word on a role stands
(`domain.roles`), who is a customer (`consolidate`).
"""

from dataclasses import dataclass

import pandas as pd

from pipelines.domain.building import building_id, property_id
from pipelines.domain.points import BESIDE, OWN_REGISTER, golden_points, ties
from pipelines.domain.roles import reconcile
from pipelines.domain.schemas import (
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    PARTY_RECORDS,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
    ROLES,
    Schema,
)
from pipelines.domain.survivorship import Policy
from pipelines.steps.night import StepRun
from pipelines.store import corrections, frames, linkage, nights, quarantine

_RECORD = ("source", "source_key")
_LANDED = ("source", "kind", "source_key")
_PARTY = ("source", "party_source_key")
_PLACE = ("source", "point_source_key")


@dataclass(frozen=True)
class Placed:
    """Whom the night's changes of points and roles concern.

    parties: party_id of everybody who got, lost or changed a role. lost: of these, who lost one: no row
    of theirs tells of it. records: party records (source, source_key) named at places now forgotten.
    """

    parties: pd.DataFrame
    lost: pd.DataFrame
    records: pd.DataFrame


def place(step: StepRun, policy: Policy) -> Placed:
    """Points with their facts and roles as the standard rows now have them, wherever something changed.

    Only rows that differ are written, and those that hold no more are taken out.
    """
    points, records = _place_points(step, policy)
    before, after = _place_roles(step, policy, points)
    holding = ["party_id", *GOLDEN_ROLES.key]
    lost = _not_in(before, after, holding)[["party_id"]].drop_duplicates()
    parties = pd.concat(
        [_not_in(before, after), _not_in(after, before)], ignore_index=True
    )[["party_id"]]  # fmt: skip
    return Placed(parties.drop_duplicates(), lost, records)


def forget_roles(step: StepRun, roles: pd.DataFrame) -> int:
    """Take roles (source, source_key) out of every table that holds a word of them; returns how many."""
    landed = roles[list(_RECORD)].drop_duplicates().assign(kind="role")
    # a role's property is evidence of whose record it is
    linkage.touch(step.conn, linkage.holders_of(step.conn, landed), step.id)
    frames.remove(step.conn, ROLES, landed, _RECORD)
    frames.remove(step.conn, LANDED, landed, _LANDED)
    quarantine.forget(step.conn, landed)
    corrections.forget(step.conn, landed)
    return len(landed)


def forget_refused_places(step: StepRun) -> int:
    """Places refused before they were ever read, of no property or building of ours, go; returns how many."""
    refused = _refused_points(step)
    refused = refused[refused["source"] != OWN_REGISTER]
    standing = frames.read_matching(step.conn, POINTS, refused, _RECORD)
    unread = _not_in(refused, standing, list(_RECORD))
    strange = unread[~_is_ours(step, unread)]
    _forget_places(step, strange)
    return len(strange)


# ---- points


def _place_points(step: StepRun, policy: Policy) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The points looked at (point_id, point_ref), and party records at places now forgotten."""
    changed = frames.changed_since(step.conn, POINTS, step.since)
    if changed.empty:
        step.counts.update(places_tied=0, places_untied=0, strange_places_dropped=0)
        nobody = PARTY_RECORDS.empty()[list(_RECORD)]
        return GOLDEN_POINTS.empty()[["point_id", "point_ref"]], nobody
    reached = changed if step.since == 0 else _reach(step, changed)
    is_own = reached["source"] == OWN_REGISTER
    own, places = _with_ids(step, reached[is_own]), reached[~is_own]
    tied = ties(own, places, policy)
    found = golden_points(own, places, tied, policy)
    points = own[["point_id", "source_key"]].rename(columns={"source_key": "point_ref"})
    for schema, rows in (
        (POINT_TIES, tied),
        (GOLDEN_POINTS, found.points),
        (POINT_VALUES, found.values),
    ):
        before = frames.read_matching(step.conn, schema, points, ("point_id",))
        _renew(step, schema, before, rows)
    speaking = tied[tied["tied_by"] != BESIDE].drop_duplicates(_RECORD)
    loose = _not_in(places, tied, list(_RECORD))
    strange = loose[~_is_awaited(step, loose)]
    step.counts.update(
        places_tied=len(speaking),
        places_untied=len(places) - len(speaking) - len(strange),
        strange_places_dropped=len(strange),
    )
    for name, n in found.overruled["field"].value_counts().sort_index().items():
        step.counts[f"overruled:{name}"] = int(n)
    return points, _forget_places(step, strange)


def _reach(step: StepRun, changed: pd.DataFrame) -> pd.DataFrame:
    """POINTS of whatever shares, or shared, a property or building with what changed, to the chain's end.

    What it shared last night is told by the ties: a place is kept only while it has one.
    """
    reached = fresh = changed
    while not fresh.empty:
        refs = fresh.rename(columns={"source_key": "point_ref"})
        refs = refs[refs["source"] == OWN_REGISTER]
        points = frames.read_matching(step.conn, GOLDEN_POINTS, refs, ("point_ref",))
        tied = pd.concat(
            [
                frames.read_matching(step.conn, POINT_TIES, fresh, _RECORD),
                frames.read_matching(step.conn, POINT_TIES, points, ("point_id",)),
            ]
        )
        others = frames.read_matching(step.conn, GOLDEN_POINTS, tied, ("point_id",))
        others = others.rename(columns={"point_ref": "source_key"}).assign(source=OWN_REGISTER)
        keys = pd.concat([tied[list(_RECORD)], others[list(_RECORD)]])
        found = pd.concat(
            [
                frames.read_matching(step.conn, POINTS, fresh, ("property_id",)),
                frames.read_matching(step.conn, POINTS, fresh, ("building_id",)),
                frames.read_matching(step.conn, POINTS, keys, _RECORD),
            ]
        ).drop_duplicates(_RECORD)
        fresh = _not_in(found, reached, list(_RECORD))
        reached = pd.concat([reached, fresh], ignore_index=True)
    return reached


def _with_ids(step: StepRun, own: pd.DataFrame) -> pd.DataFrame:
    """The own register's points with our number; one seen for the first time gets the next."""
    refs = own.rename(columns={"source_key": "point_ref"})
    known = frames.read_matching(step.conn, GOLDEN_POINTS, refs, ("point_ref",))
    numbered = own.merge(
        known[["point_ref", "point_id"]].rename(columns={"point_ref": "source_key"}),
        on="source_key",
        how="left",
    ).sort_values("source_key", ignore_index=True)
    new = numbered["point_id"].isna()
    if new.any():
        first = nights.next_id(step.conn, "point", int(new.sum()))
        numbered.loc[new, "point_id"] = range(first, first + int(new.sum()))
    return numbered


# ---- places that are none of ours


def _is_awaited(step: StepRun, places: pd.DataFrame) -> pd.Series:
    """Whether each place stands where a point of ours waits in quarantine: it waits with it."""
    waiting = _refused_points(step)
    waiting = waiting[waiting["source"] == OWN_REGISTER]
    return _shares(places, waiting)


def _is_ours(step: StepRun, places: pd.DataFrame) -> pd.Series:
    """Whether each place (property_id, building_id) is a property or building of some point of ours."""
    held = [
        frames.read_matching(step.conn, schema, places, (name,))
        for schema in (POINTS, GOLDEN_POINTS)
        for name in ("property_id", "building_id")
    ]
    ours = [h[h["source"] == OWN_REGISTER] if "source" in h else h for h in held]
    known = pd.concat([o[["property_id", "building_id"]] for o in ours])
    return _shares(places, known) | _is_awaited(step, places)


def _shares(places: pd.DataFrame, others: pd.DataFrame) -> pd.Series:
    same = [
        places[name].notna() & places[name].isin(others[name].dropna())
        for name in ("property_id", "building_id")
    ]
    return same[0] | same[1]


def _refused_points(step: StepRun) -> pd.DataFrame:
    """source, source_key, property_id, building_id of points in quarantine, as far as they can be read."""
    items = quarantine.open_items(step.conn)
    points = items.loc[items["kind"] == "point", [*_LANDED, "content"]].drop_duplicates(_LANDED)
    landed = frames.read_matching(step.conn, LANDED, points, _LANDED)
    both = points.merge(
        landed[[*_LANDED, "content"]], on=list(_LANDED), how="left", suffixes=("", "_landed")
    )
    content = both["content_landed"].where(both["content_landed"].notna(), both["content"])
    stated = [c if isinstance(c, dict) else {} for c in content]
    ids = {
        name: pd.Series([read(str(c.get(name) or "")) for c in stated], both.index, dtype="str")
        for name, read in (("property_id", property_id), ("building_id", building_id))
    }
    return both[list(_RECORD)].assign(**ids)


def _forget_places(step: StepRun, places: pd.DataFrame) -> pd.DataFrame:
    """Take places, and roles at them, out of every table; returns the party records that had a role."""
    landed = places[list(_RECORD)].drop_duplicates().assign(kind="point")
    frames.remove(step.conn, POINTS, landed, _RECORD)
    frames.remove(step.conn, POINT_TIES, landed, _RECORD)
    frames.remove(step.conn, LANDED, landed, _LANDED)
    quarantine.forget(step.conn, landed)
    corrections.forget(step.conn, landed)
    at = landed.rename(columns={"source_key": "point_source_key"})
    roles = frames.read_matching(step.conn, ROLES, at, _PLACE)
    forget_roles(step, roles)
    return roles[list(_PARTY)].rename(columns={"party_source_key": "source_key"})


# ---- roles


def _place_roles(
    step: StepRun, policy: Policy, points: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """GOLDEN_ROLES of every point looked at, before and after; a role waits for its party and point."""
    looked_at = pd.concat([points, _points_of_changed_roles(step)]).drop_duplicates("point_id")
    tied = frames.read_matching(step.conn, POINT_TIES, looked_at, ("point_id",))
    tied = tied[tied["tied_by"] != BESIDE]
    where = pd.concat(
        [
            looked_at.rename(columns={"point_ref": "point_source_key"}).assign(source=OWN_REGISTER),
            tied.rename(columns={"source_key": "point_source_key"}),
        ]
    )[[*_PLACE, "point_id"]]
    roles = frames.read_matching(step.conn, ROLES, where, _PLACE)
    whose = roles.rename(columns={"source_key": "role_key", "party_source_key": "source_key"})
    records = frames.read_matching(step.conn, PARTY_RECORDS, whose, _RECORD)
    placed = roles.merge(where, on=list(_PLACE)).merge(
        records.rename(columns={"source_key": "party_source_key"}), on=list(_PARTY)
    )
    found = reconcile(placed[[c for c in GOLDEN_ROLES.columns if c != "rule"]], policy)
    before = frames.read_matching(step.conn, GOLDEN_ROLES, looked_at, ("point_id",))
    _renew(step, GOLDEN_ROLES, before, found.roles)
    step.counts.update(roles_set_aside=found.set_aside, roles_not_theirs=found.not_theirs)
    return before, found.roles


def _points_of_changed_roles(step: StepRun) -> pd.DataFrame:
    """point_id, point_ref where a role stands or stood that changed, or whose party has another id now."""
    records = frames.changed_since(step.conn, PARTY_RECORDS, step.since)
    theirs = records.rename(columns={"source_key": "party_source_key"})
    roles = pd.concat(
        [
            frames.changed_since(step.conn, ROLES, step.since),
            frames.read_matching(step.conn, ROLES, theirs, _PARTY),
        ]
    ).drop_duplicates(_RECORD)
    at = roles[list(_PLACE)].drop_duplicates().rename(columns={"point_source_key": "source_key"})
    ids = pd.concat(
        [
            frames.read_matching(step.conn, POINT_TIES, at, _RECORD)["point_id"],
            frames.read_matching(step.conn, GOLDEN_ROLES, roles, _RECORD)["point_id"],
        ]
    ).drop_duplicates()
    refs = at[at["source"] == OWN_REGISTER].rename(columns={"source_key": "point_ref"})
    found = pd.concat(
        [
            frames.read_matching(step.conn, GOLDEN_POINTS, ids.to_frame(), ("point_id",)),
            frames.read_matching(step.conn, GOLDEN_POINTS, refs, ("point_ref",)),
        ]
    )
    return found[["point_id", "point_ref"]].drop_duplicates("point_id")


# ---- what differs


def _renew(step: StepRun, schema: Schema, before: pd.DataFrame, after: pd.DataFrame) -> None:
    """Write the rows that are not as they stood, and take out those whose key is no more."""
    frames.remove(step.conn, schema, _not_in(before, after, list(schema.key)))
    frames.put(step.conn, schema, _not_in(after, before), step.id)


def _not_in(
    rows: pd.DataFrame, others: pd.DataFrame, columns: list[str] | None = None
) -> pd.DataFrame:
    """The rows that equal none of `others` in these columns (all of them unless said); null equals null."""
    names = list(rows.columns) if columns is None else columns
    one, other = (
        pd.MultiIndex.from_frame(frame[names].astype("str").fillna("")) for frame in (rows, others)
    )
    return rows[~one.isin(other)]
