"""One golden row per customer, dated roles, consumption points; whoever is no customer leaves no trace.

Belongs here: which parties tonight touches, calling survivorship for them, keeping only customers.
Does not belong here: which value wins (`domain.survivorship`), who is the same (`match`).
"""

import pandas as pd

from pipelines.domain.schemas import (
    ADDRESSES,
    FORMER_IDS,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    MATCH_KEYS,
    PARTIES,
    PARTY_RECORDS,
    POINTS,
    PROVENANCE,
    ROLES,
)
from pipelines.domain.survivorship import golden
from pipelines.steps.night import Night, StepResult, StepRun, executing
from pipelines.store import deliveries, frames, judgements, nights, quarantine

OWN_REGISTER = "own_register"
_RECORD = ("source", "source_key")
_EVER = "0000-00-00"


def consolidate(night: Night) -> StepResult:
    """The register as of the business date, for everybody whom a change or a date touches (DESIGN 5)."""
    with executing(night, "consolidate") as step:
        _points(step)
        dirty = _touched(step, night)
        dropped = leftover = 0
        if not dirty.empty:
            _roles(step, dirty)
            kept, dropped = _customers(step, dirty)
            _golden(step, night, kept)
        if frames.has_changed(step.conn, LANDED, step.since):
            leftover = _forget_refused_strangers(step)
        step.counts.update(
            touched=len(dirty),
            non_customers_dropped=dropped + leftover,
            customers=frames.count(step.conn, GOLDEN),
            persons=frames.count(step.conn, GOLDEN, party_type="person"),
            organisations=frames.count(step.conn, GOLDEN, party_type="organisation"),
            points=frames.count(step.conn, GOLDEN_POINTS),
            roles=frames.count(step.conn, GOLDEN_ROLES),
        )
    return StepResult(counts=dict(step.counts))


def _ids(*columns: pd.Series) -> pd.DataFrame:
    """Distinct party ids of several columns, as a key frame."""
    every = pd.concat(columns) if columns else pd.Series(dtype="Int64")
    return pd.DataFrame({"party_id": every.dropna().astype("Int64").drop_duplicates()})


def _points(step: StepRun) -> None:
    """A consumption point of ours for each one the own register knows; points are never deduplicated.

    Another register's buildings are none of them, and its roles wait for a point.
    """
    changed = frames.changed_since(step.conn, POINTS, step.since)
    changed = changed[changed["source"] == "registrations"]
    if changed.empty:
        return
    refs = changed[["source_key"]].rename(columns={"source_key": "point_ref"})
    known = frames.read_matching(step.conn, GOLDEN_POINTS, refs, ("point_ref",))
    points = changed.rename(columns={"source_key": "point_ref"}).merge(
        known[["point_ref", "point_id"]], on="point_ref", how="left"
    )
    new = points["point_id"].isna()
    if new.any():
        first = nights.next_id(step.conn, "point", int(new.sum()))
        points.loc[new, "point_id"] = range(first, first + int(new.sum()))
    frames.put(
        step.conn,
        GOLDEN_POINTS,
        GOLDEN_POINTS.conform(points[list(GOLDEN_POINTS.columns)]),
        step.id,
    )


def _touched(step: StepRun, night: Night) -> pd.DataFrame:
    """Parties with new or altered rows, or with a date boundary in (last good night, tonight]."""
    if step.since == 0:
        return _ids(frames.read(step.conn, PARTY_RECORDS)["party_id"])
    after = step.previous_date or _EVER
    dates = ("valid_from", "valid_to")
    records = pd.concat(
        [
            frames.changed_since(step.conn, PARTIES, step.since)[list(_RECORD)],
            frames.crossing(step.conn, ADDRESSES, dates, after, night.business_date)[list(_RECORD)],
            _parties_of(frames.changed_since(step.conn, ROLES, step.since)),
            _parties_of(frames.crossing(step.conn, ROLES, dates, after, night.business_date)),
            _parties_of(_at_changed_points(step)),
        ]
    ).drop_duplicates()
    return _ids(
        frames.changed_since(step.conn, PARTY_RECORDS, step.since)["party_id"],
        frames.read_matching(step.conn, PARTY_RECORDS, records, _RECORD)["party_id"],
        nights.parted_since(step.conn, min(after, night.business_date)),
    )


def _parties_of(roles: pd.DataFrame) -> pd.DataFrame:
    return roles[["source", "party_source_key"]].rename(columns={"party_source_key": "source_key"})


def _at_changed_points(step: StepRun) -> pd.DataFrame:
    """Roles at points that came or changed: a role may have waited for its point."""
    points = frames.changed_since(step.conn, POINTS, step.since)[["source", "source_key"]]
    return frames.read_matching(
        step.conn,
        ROLES,
        points.rename(columns={"source_key": "point_source_key"}),
        ("source", "point_source_key"),
    )


def _roles(step: StepRun, dirty: pd.DataFrame) -> None:
    """Dated roles between golden parties and points; a role whose party or point is missing waits."""
    records = frames.read_matching(step.conn, PARTY_RECORDS, dirty, ("party_id",))
    held = records.rename(columns={"source_key": "party_source_key"})
    roles = frames.read_matching(
        step.conn, ROLES, held[["source", "party_source_key"]], ("source", "party_source_key")
    ).merge(held, on=["source", "party_source_key"])
    points = frames.read_matching(
        step.conn,
        GOLDEN_POINTS,
        roles[["point_source_key"]]
        .drop_duplicates()
        .rename(columns={"point_source_key": "point_ref"}),
        ("point_ref",),
    )[["point_id", "point_ref"]]
    placed = roles.merge(points, left_on="point_source_key", right_on="point_ref")
    placed = placed.assign(rule="only_source")
    frames.put(
        step.conn, GOLDEN_ROLES, GOLDEN_ROLES.conform(placed[list(GOLDEN_ROLES.columns)]), step.id
    )


def _customers(step: StepRun, dirty: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Only customers are kept (DESIGN 4): a party without a role goes, with every record behind it."""
    records = frames.read_matching(step.conn, PARTY_RECORDS, dirty, ("party_id",))
    roles = frames.read_matching(
        step.conn,
        ROLES,
        records[list(_RECORD)].rename(columns={"source_key": "party_source_key"}),
        ("source", "party_source_key"),
    )
    named = pd.concat(
        [_parties_of(roles), _named_by_waiting_roles(step), _of_waiting_people(step, records)]
    )
    in_role = pd.MultiIndex.from_frame(records[list(_RECORD)]).isin(pd.MultiIndex.from_frame(named))
    is_customer = records["party_id"].isin(records.loc[in_role, "party_id"])
    strangers = records[~is_customer]
    for source, n in strangers["source"].value_counts().items():
        step.counts[f"non_customers:{source}"] = int(n)
    _forget(step, strangers)
    kept = _ids(records.loc[is_customer, "party_id"])
    gone = dirty[~dirty["party_id"].isin(kept["party_id"])]
    for schema in (GOLDEN, PROVENANCE):
        frames.remove(step.conn, schema, gone, ("party_id",))
    return kept, strangers["party_id"].nunique()


def _named_by_waiting_roles(step: StepRun) -> pd.DataFrame:
    """Records that a role in quarantine, or one whose point has not come, speaks of: they wait with it."""
    items = quarantine.open_items(step.conn)
    held = items.loc[items["kind"] == "role", ["source", "kind", "source_key"]]
    landed = frames.read_matching(step.conn, LANDED, held, ("source", "kind", "source_key"))
    party = landed["content"].map(lambda c: c.get("party"), na_action="ignore")
    return pd.DataFrame({"source": landed["source"], "source_key": party}).dropna()


def _of_waiting_people(step: StepRun, records: pd.DataFrame) -> pd.DataFrame:
    """Records of a customer whose own register's record waits in quarantine: they wait with it.

    Otherwise a population register would be asked about them anew every night.
    """
    waiting = _waiting_parties(step)
    in_role = frames.read_matching(
        step.conn,
        ROLES,
        waiting[list(_RECORD)].rename(columns={"source_key": "party_source_key"}),
        ("source", "party_source_key"),
    )
    theirs = pd.MultiIndex.from_frame(waiting[list(_RECORD)]).isin(
        pd.MultiIndex.from_frame(_parties_of(in_role))
    )
    people = pd.DataFrame({"person_key": waiting.loc[theirs, "person_key"].dropna()})
    known = frames.read_matching(step.conn, PARTIES, people, ("person_key",))
    return known.merge(records[list(_RECORD)], on=list(_RECORD))[list(_RECORD)]


def _waiting_parties(step: StepRun) -> pd.DataFrame:
    """Source, key and person key of every party record in quarantine, landed or never readable."""
    key = ["source", "kind", "source_key"]
    items = quarantine.open_items(step.conn)
    parties = items.loc[items["kind"] == "party", [*key, "content"]].drop_duplicates(key)
    landed = frames.read_matching(step.conn, LANDED, parties[key], tuple(key))
    both = parties.merge(landed[[*key, "content"]], on=key, how="left", suffixes=("", "_landed"))
    content = both["content_landed"].where(both["content_landed"].notna(), both["content"])
    person = content.map(lambda c: c.get("person_key") if isinstance(c, dict) else None)
    return both[list(_RECORD)].assign(person_key=person.astype("str"))


def _forget(step: StepRun, records: pd.DataFrame) -> None:
    """Take records out of every table that holds a word of them."""
    if records.empty:
        return
    keys = records[list(_RECORD)].drop_duplicates()
    for schema in (PARTIES, ADDRESSES, MATCH_KEYS, PARTY_RECORDS, FORMER_IDS):
        frames.remove(step.conn, schema, keys, _RECORD)
    landed = keys.assign(kind="party")
    frames.remove(step.conn, LANDED, landed, ("source", "kind", "source_key"))
    quarantine.forget(step.conn, landed)
    judgements.forget(step.conn, keys)


def _forget_refused_strangers(step: StepRun) -> int:
    """A refused record of somebody who is no customer has no steward to wait for: it goes too."""
    waiting = _waiting_parties(step)
    if waiting.empty:
        return 0
    named = _named_by_waiting_roles(step)
    in_role = frames.read_matching(
        step.conn,
        ROLES,
        waiting[list(_RECORD)].rename(columns={"source_key": "party_source_key"}),
        ("source", "party_source_key"),
    )
    standing = frames.read_matching(step.conn, PARTY_RECORDS, waiting[list(_RECORD)], _RECORD)
    known = pd.concat([named, _parties_of(in_role), standing[list(_RECORD)]])
    ours = frames.read_matching(
        step.conn, PARTIES, waiting[["person_key"]].dropna(), ("person_key",)
    )
    is_known = (
        pd.MultiIndex.from_frame(waiting[list(_RECORD)]).isin(pd.MultiIndex.from_frame(known))
        | waiting["person_key"].isin(ours["person_key"]).to_numpy()
    )
    strangers = waiting.loc[~is_known, list(_RECORD)]
    _forget(step, strangers)
    return len(strangers)


def _golden(step: StepRun, night: Night, kept: pd.DataFrame) -> None:
    records = frames.read_matching(step.conn, PARTY_RECORDS, kept, ("party_id",))
    found = golden(
        records,
        frames.read_matching(step.conn, PARTIES, records[list(_RECORD)], _RECORD),
        frames.read_matching(step.conn, ADDRESSES, records[list(_RECORD)], _RECORD),
        night.settings.survivorship,
        night.business_date,
        deliveries.echoes(step.conn, OWN_REGISTER),
    )
    told = found.parties
    exposed = (told["protection"] == "on") & told["street_line"].notna()
    if (exposed & (told["address_type"] != "contact")).any():
        raise RuntimeError(
            "survivorship staged the address of a protected party; nothing was written"
        )
    before = frames.read_matching(step.conn, GOLDEN, kept, ("party_id",))
    same = told.merge(
        before[["party_id", "row_hash"]], on="party_id", how="left", suffixes=("", "_was")
    )
    changed = told[(same["row_hash"] != same["row_hash_was"]).to_numpy()]
    frames.put(step.conn, GOLDEN, changed, step.id)
    frames.remove(step.conn, PROVENANCE, kept, ("party_id",))
    frames.put(step.conn, PROVENANCE, found.values, step.id)
    step.counts["changed"] = len(changed)
