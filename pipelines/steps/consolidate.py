"""One golden row per customer, dated roles, consumption points; whoever is no customer leaves no trace.

Belongs here: which parties tonight touches, calling survivorship for them, keeping only customers.
Does not belong here: which value wins (`domain.survivorship`), who is the same (`match`), points and
roles themselves (`place`).
"""

from dataclasses import dataclass

import pandas as pd

from pipelines.domain.notification import parted_values, wrong_values
from pipelines.domain.points import BESIDE, OWN_REGISTER
from pipelines.domain.schemas import (
    ADDRESSES,
    FORMER_IDS,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    PARTIES,
    PARTY_RECORDS,
    POINT_TIES,
    POINTS,
    PROVENANCE,
    ROLES,
    Schema,
)
from pipelines.domain.survivorship import golden
from pipelines.steps.correct import queue_notices_to_sources
from pipelines.steps.disown import disown_strangers
from pipelines.steps.look import NOTICES
from pipelines.steps.night import Night, StepResult, StepRun, executing
from pipelines.steps.notify import prepare_recalls, queue_corrections
from pipelines.steps.place import Placed, forget_refused_places, forget_roles, place
from pipelines.steps.restrain import freed_since, keep_restricted
from pipelines.steps.stop import stop_what_may_not_leave
from pipelines.store import (
    corrections,
    frames,
    holdings,
    judgements,
    linkage,
    nights,
    notifications,
    quarantine,
    questions,
)
from pipelines.store.engine import transaction
from pipelines.store.vault import Vault

_RECORD = ("source", "source_key")
_EVER = "0000-00-00"


@dataclass(frozen=True)
class _Told:
    """What those who were told have to hear: newly_protected parties, and values that were wrong."""

    newly_protected: tuple[int, ...]
    wrong: pd.DataFrame | None = None


def consolidate(night: Night) -> StepResult:
    """The register as of the business date, for everybody whom a change or a date touches (DESIGN 5)."""
    correcting, vault = _corrections(night)
    with executing(night, "consolidate") as step:
        placed = place(step, night.settings.survivorship)
        dirty = _touched(step, night, placed)
        dropped = leftover = departed = 0
        told = _Told(())
        if not dirty.empty:
            kept, dropped, departed = _customers(step, dirty)
            told = _golden(step, night, kept, placed.lost, correcting, _splits(step, night))
        if frames.has_changed(step.conn, LANDED, step.since):
            step.counts["strange_places_dropped"] += forget_refused_places(step)
            leftover = _forget_refused_strangers(step)
        disown_strangers(step, night, somebody_left=departed > 0 or step.since == 0)
        stop_what_may_not_leave(step.conn, night)
        prepare_recalls(step.conn, night, told.newly_protected)
        if vault is not None and told.wrong is not None:
            queue_corrections(step.conn, night, vault, told.wrong)
        queue_notices_to_sources(step.conn, night)
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


def _touched(step: StepRun, night: Night, placed: Placed) -> pd.DataFrame:
    """Parties with new or altered rows or roles, or a date boundary in (last good night, tonight]."""
    if step.since == 0:
        return _ids(
            *(frames.read(step.conn, table)["party_id"] for table in (PARTY_RECORDS, GOLDEN))
        )
    after = step.previous_date or _EVER
    dates = ("valid_from", "valid_to")
    records = pd.concat(
        [
            frames.changed_since(step.conn, PARTIES, step.since)[list(_RECORD)],
            frames.crossing(step.conn, ADDRESSES, dates, after, night.business_date)[list(_RECORD)],
            _parties_of(frames.changed_since(step.conn, ROLES, step.since)),
            _parties_of(frames.crossing(step.conn, ROLES, dates, after, night.business_date)),
            _parties_of(_at_changed_points(step)),
            placed.records,
        ]
    ).drop_duplicates()
    return _ids(
        placed.parties["party_id"],
        frames.changed_since(step.conn, PARTY_RECORDS, step.since)["party_id"],
        frames.read_matching(step.conn, PARTY_RECORDS, records, _RECORD)["party_id"],
        nights.parted_since(step.conn, min(after, night.business_date)),
        freed_since(step.conn, min(after, night.business_date)),
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


def _customers(step: StepRun, dirty: pd.DataFrame) -> tuple[pd.DataFrame, int, int]:
    """Only customers are kept (DESIGN 4): a party without a role goes, with every record behind it.

    Returns who stays (party_id), how many strangers went, how many golden rows ended.
    """
    records = frames.read_matching(step.conn, PARTY_RECORDS, dirty, ("party_id",))
    named = pd.concat(
        [
            _parties_of(_roles_that_count(step, records)),
            _named_by_waiting_roles(step),
            _of_waiting_people(step, records),
        ]
    )
    in_role = pd.MultiIndex.from_frame(records[list(_RECORD)]).isin(pd.MultiIndex.from_frame(named))
    placed = frames.read_matching(step.conn, GOLDEN_ROLES, dirty, ("party_id",))["party_id"]
    is_customer = records["party_id"].isin(pd.concat([records.loc[in_role, "party_id"], placed]))
    strangers = records[~is_customer]
    for source, n in strangers["source"].value_counts().items():
        step.counts[f"non_customers:{source}"] = int(n)
    _forget(step, strangers)
    kept = _ids(records.loc[is_customer, "party_id"])
    gone = dirty[~dirty["party_id"].isin(kept["party_id"])]
    frames.remove(step.conn, PROVENANCE, gone, ("party_id",))
    departed = frames.remove(step.conn, GOLDEN, gone, ("party_id",))
    return kept, strangers["party_id"].nunique(), departed


def _roles_that_count(step: StepRun, records: pd.DataFrame) -> pd.DataFrame:
    """Roles of these records that make a customer even where none is placed.

    The own register's word does by itself; another's only while it waits: for its place to come, or for
    the register that owns the answer to hear the news.
    """
    theirs = records[list(_RECORD)].rename(columns={"source_key": "party_source_key"})
    roles = frames.read_matching(step.conn, ROLES, theirs, ("source", "party_source_key"))
    own, unplaced = roles["source"] == OWN_REGISTER, ~_is_held(step, roles, POINTS)
    return roles[own | unplaced | _is_news(step, roles)]


def _is_news(step: StepRun, roles: pd.DataFrame) -> pd.Series:
    """Whether each role begins after every one that stands at its point and is of its kind.

    A sale that building control has heard of and the municipality has not: a feed tells it once, so whoever
    bought must not be forgotten before the word that counts comes.
    """
    at = roles.reset_index(names="row").rename(columns={"source_key": "role_key"})
    at = at.rename(columns={"point_source_key": "source_key"})
    tied = frames.read_matching(step.conn, POINT_TIES, at, _RECORD)
    at = at.merge(tied[tied["tied_by"] != BESIDE], on=list(_RECORD))
    standing = frames.read_matching(step.conn, GOLDEN_ROLES, at, ("point_id",))
    begun = standing.assign(valid_from=standing["valid_from"].fillna(_EVER))
    latest = begun.sort_values("valid_from").drop_duplicates(["point_id", "role_type"], keep="last")
    latest = latest[["point_id", "role_type", "valid_from"]]
    both = at.merge(latest, on=["point_id", "role_type"], suffixes=("", "_standing"))
    later = both[both["valid_from"] > both["valid_from_standing"]]
    return pd.Series(roles.index.isin(later["row"]), roles.index)


def _is_held(step: StepRun, roles: pd.DataFrame, schema: Schema) -> pd.Series:
    """Whether the place of each role (source, point_source_key) is among POINTS, or is tied to one of ours."""
    places = roles[["source", "point_source_key"]].set_axis(list(_RECORD), axis=1)
    held = frames.read_matching(step.conn, schema, places, _RECORD)
    if schema is POINT_TIES:
        held = held[held["tied_by"] != BESIDE]
    return pd.Series(
        pd.MultiIndex.from_frame(places).isin(pd.MultiIndex.from_frame(held[list(_RECORD)])),
        roles.index,
    )


def _named_by_waiting_roles(step: StepRun) -> pd.DataFrame:
    """Records that a role in quarantine speaks of: they wait with it, unless its place is none of ours."""
    waiting = _waiting_roles(step)
    is_ours = (
        (waiting["source"] == OWN_REGISTER)
        | ~_is_held(step, waiting, POINTS)
        | _is_held(step, waiting, POINT_TIES)
    )
    return _parties_of(waiting[is_ours]).dropna()


def _waiting_roles(step: StepRun) -> pd.DataFrame:
    """source, source_key, party_source_key, point_source_key of every role in quarantine that landed."""
    items = quarantine.open_items(step.conn)
    held = items.loc[items["kind"] == "role", ["source", "kind", "source_key"]]
    landed = frames.read_matching(step.conn, LANDED, held, ("source", "kind", "source_key"))
    said = {
        f"{name}_source_key": landed["content"]
        .map(lambda content, name=name: content.get(name), na_action="ignore")
        .astype("str")
        for name in ("party", "point")
    }
    return landed[list(_RECORD)].assign(**said)


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
    """Take records out of every table that holds a word of them, roles that name them included."""
    if records.empty:
        return
    keys = records[list(_RECORD)].drop_duplicates()
    named = keys.rename(columns={"source_key": "party_source_key"})
    waiting = _waiting_roles(step).merge(named, on=["source", "party_source_key"])
    roles = frames.read_matching(step.conn, ROLES, named, ("source", "party_source_key"))
    forget_roles(step, pd.concat([roles[list(_RECORD)], waiting[list(_RECORD)]]))
    linkage.forget(step.conn, keys, step.id)
    for schema in (PARTIES, ADDRESSES, PARTY_RECORDS, FORMER_IDS):
        frames.remove(step.conn, schema, keys, _RECORD)
    landed = keys.assign(kind="party")
    frames.remove(step.conn, LANDED, landed, ("source", "kind", "source_key"))
    quarantine.forget(step.conn, landed)
    corrections.forget(step.conn, landed)
    judgements.forget(step.conn, keys)
    questions.forget(step.conn, keys)


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
    # what a register answered of a customer of ours
    asked = questions.asked_under(step.conn, waiting)
    known = pd.concat([named, _parties_of(in_role), standing[list(_RECORD)], asked])
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


def _corrections(night: Night) -> tuple[pd.DataFrame, Vault | None]:
    """The customers' notices that were taken down as corrections, and what reads the log, where anything calls for it."""
    with transaction(night.engine) as conn:
        correcting = notifications.correcting_records(conn, NOTICES)
        last = None if night.full else nights.last_good_date(conn, "consolidate")
        splits = nights.split_since(conn, min(last or _EVER, night.business_date))
        parted = _ids(splits["party_id"], splits["from_party_id"])
        is_wanted = not correcting.empty or (
            not parted.empty and notifications.anybody_told(conn, parted)
        )
    # the first time the vault is asked for is a transaction of its own
    return correcting, night.vault if is_wanted else None


def _splits(step: StepRun, night: Night) -> pd.DataFrame:
    """party_id, from_party_id of whoever came out of another since this was last looked at."""
    return nights.split_since(step.conn, min(step.previous_date or _EVER, night.business_date))


def _golden(
    step: StepRun,
    night: Night,
    kept: pd.DataFrame,
    lost: pd.DataFrame,
    correcting: pd.DataFrame,
    splits: pd.DataFrame,
) -> _Told:
    """Golden rows of the customers. Who lost a role gets a new stamp: whoever tells of roles looks again."""
    records = frames.read_matching(step.conn, PARTY_RECORDS, kept, ("party_id",))
    found = golden(
        records,
        frames.read_matching(step.conn, PARTIES, records[list(_RECORD)], _RECORD),
        frames.read_matching(step.conn, ADDRESSES, records[list(_RECORD)], _RECORD),
        night.settings.survivorship,
        night.business_date,
        holdings.echoes(step.conn),
    )
    before = frames.read_matching(step.conn, GOLDEN, kept, ("party_id",))
    found = keep_restricted(step.conn, found, before)
    told = found.parties
    exposed = (told["protection"] == "on") & told["street_line"].notna()
    if (exposed & (told["address_type"] != "contact")).any():
        raise RuntimeError(
            "survivorship staged the address of a protected party; nothing was written"
        )
    same = told.merge(
        before[["party_id", "row_hash"]], on="party_id", how="left", suffixes=("", "_was")
    )
    is_new = (same["row_hash"] != same["row_hash_was"]).to_numpy()
    frames.put(step.conn, GOLDEN, told[is_new | told["party_id"].isin(lost["party_id"])], step.id)
    wrong = []
    if not correcting.empty:
        was = frames.read_matching(step.conn, PROVENANCE, kept, ("party_id",))
        wrong.append(wrong_values(was, found.values, correcting))
    if not splits.empty:
        wrong.append(_wrong_while_one(step, splits, before, found.values))
    frames.remove(step.conn, PROVENANCE, kept, ("party_id",))
    frames.put(step.conn, PROVENANCE, found.values, step.id)
    step.counts["changed"] = int(is_new.sum())
    known = before.loc[before["protection"] == "on", "party_id"]
    ordered = told.loc[(told["protection"] == "on") & ~told["party_id"].isin(known), "party_id"]
    return _Told(tuple(map(int, ordered)), pd.concat(wrong, ignore_index=True) if wrong else None)


def _wrong_while_one(
    step: StepRun, splits: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame
) -> pd.DataFrame:
    """What was told of customers that were one and part tonight; before: GOLDEN as it was, after: PROVENANCE as it is."""
    parted = _ids(splits["party_id"], splits["from_party_id"])
    was = frames.read_matching(step.conn, PROVENANCE, parted, ("party_id",))
    return parted_values(
        was,
        after,
        frames.read_matching(step.conn, PARTY_RECORDS, was, _RECORD),
        before[["party_id", "display_name"]],
        # who had a golden row already has parted in a night before
        splits[
            splits["party_id"].isin(after["party_id"])
            & ~splits["party_id"].isin(before["party_id"])
        ],
        f"split {step.id}",
    )
