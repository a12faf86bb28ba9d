"""What goes to a recipient next, row by row and why, with everything that has come in since the last night read first.

Belongs here: the rehearsal of the coming night up to one recipient, undone again; who looked. Does not belong here: the
run lock (whoever calls holds it), freezing and sending (`prepare_extract`, `deliver`), words.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

import pandas as pd

from pipelines.domain.schemas import GOLDEN, GOLDEN_ROLES, PROVENANCE
from pipelines.domain.telling import reasons
from pipelines.settings import RecipientContract
from pipelines.steps.consolidate import consolidate
from pipelines.steps.find_differences import compiled, find_differences
from pipelines.steps.match import match
from pipelines.steps.night import Night, rehearsing
from pipelines.steps.standardise import standardise
from pipelines.store import access, deliveries, frames, holdings, nights
from pipelines.store.engine import rehearsal, transaction


@dataclass(frozen=True)
class Awaited:
    """What the next delivery carries. business_date: of the night that is awaited.

    events: row_key, party_id, the contract's columns; what was stated last comes first. count: how many there are
    altogether. names: party_id, display_name. why: `domain.telling.REASONS`. held: party_id, reason, of everybody who
    would be. is_waiting: an earlier delivery has not been acknowledged, and nothing goes before it is. is_read: whether
    what has come in since the last night was read first.
    """

    business_date: str
    events: pd.DataFrame
    count: int
    names: pd.DataFrame
    why: pd.DataFrame
    held: pd.DataFrame
    is_waiting: bool
    is_read: bool


def foresee_delivery(
    night: Night,
    contract: RecipientContract,
    who: str,
    why: str,
    *,
    alone: bool,
    most: int | None = None,
) -> Awaited:
    """What the next delivery would carry and who would be held back; nothing is written but who looked.

    alone: whoever calls holds the run lock, so that the night can be rehearsed; else the register is taken as it stands.
    most: so many rows are laid out, and only those who stand in them are written down as seen.
    """
    awaited = _awaited(night)
    with rehearsal(night.engine):
        if alone:
            for step in (standardise, match, consolidate):
                step(awaited)
        found = _told_next(awaited, contract, most, is_read=alone)
    with transaction(night.engine) as conn:
        people = list(found.events["party_id"].dropna().drop_duplicates())
        operation = f"extract preview {contract.recipient}"
        access.record_many(conn, night.now(), who, operation, people, why)
    return found


def _awaited(night: Night) -> Night:
    """The night that comes next: today's, unless it has been."""
    with transaction(night.engine) as conn:
        last = nights.last_night(conn)
    if last is None or last.business_date < night.business_date or last.status == "running":
        return night
    day = date.fromisoformat(last.business_date) + timedelta(days=1)
    return replace(night, business_date=day.isoformat())


def _told_next(
    night: Night, contract: RecipientContract, most: int | None, *, is_read: bool
) -> Awaited:
    name = contract.recipient
    with rehearsing(night, f"extract:{name}") as step:
        conn = step.conn
        found = find_differences(step, night, contract)
        events = found.events.head(len(found.events) if most is None else most)
        parties = events[["party_id"]].dropna().drop_duplicates()
        golden = frames.read_matching(
            conn, GOLDEN, parties, ("party_id",), ("display_name", "protection")
        )
        why = reasons(
            events,
            holdings.told_under(conn, name, events[["row_key"]]),
            frames.read_matching(conn, PROVENANCE, parties, ("party_id",)),
            frames.read_matching(conn, GOLDEN_ROLES, parties, ("party_id",)),
            compiled(contract),
            golden.loc[golden["protection"] == "on", "party_id"],
        )
        standing = holdings.held(conn, name)
        is_fresh = standing["party_id"].isin(found.looked_at["party_id"])
        stays = standing[~is_fresh | (standing["reason"] == "unsendable")]
        held = pd.concat([found.held, stays[["party_id", "reason"]]], ignore_index=True)
        is_waiting = bool(deliveries.outstanding(conn, name))
    newest = events["row_key"].map(why.groupby("row_key")["source_time"].max()).fillna("")
    order = newest.sort_values(ascending=False, kind="stable").index
    return Awaited(
        night.business_date,
        events.loc[order, ["row_key", "party_id", *contract.columns]],
        len(found.events),
        golden[["party_id", "display_name"]],
        why,
        held.drop_duplicates(ignore_index=True),
        is_waiting,
        is_read,
    )
