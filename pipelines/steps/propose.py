"""Propose to a steward what at a property does not fit together, and take the answer down.

Belongs here: reading the register for it once a night, showing one proposal to a named person. Does not belong
here: what does not fit (`domain.proposals`), mending it: the register that is wrong does that, and the proposal is
gone the night after.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.points import OWN_REGISTER
from pipelines.domain.proposals import KINDS, proposals
from pipelines.domain.schemas import (
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
    Schema,
)
from pipelines.steps.around import NotFound
from pipelines.steps.decide import Undecidable
from pipelines.steps.night import Night, StepResult, StepRun, executing
from pipelines.store import access, frames, nights
from pipelines.store import proposals as store
from pipelines.store.engine import transaction

_READ: tuple[Schema, ...] = (
    GOLDEN_POINTS, POINT_VALUES, GOLDEN_ROLES, GOLDEN, POINT_TIES, POINTS,
)  # fmt: skip
_LOOKED_AT = "proposals_over"
_EVER = "0000-00-00"


@dataclass(frozen=True)
class Opened:
    """A proposal as a named person sees it.

    row: the proposal. point: the point of ours; none where it is about a building alone. people: party_id → name, of
    everybody in the evidence who is still a customer. is_protected: a protected customer is there, and neither point nor
    evidence says where.
    """

    row: pd.Series
    point: pd.Series | None
    people: dict[int, str]
    is_protected: bool


def propose(night: Night) -> StepResult:
    """Look over the whole register, unless nothing in it has moved since the last time."""
    with executing(night, "propose") as step:
        if _has_moved(step, night):
            points, values, roles, parties, ties, places = (
                frames.read(step.conn, schema) for schema in _READ
            )
            others = places[places["source"] != OWN_REGISTER]
            found = proposals(points, values, roles, parties, ties, others, night.business_date)
            step.counts.update(store.renew(step.conn, found, night.business_date))
        waiting = store.listed(step.conn)
        kinds = waiting["kind"].value_counts()
        step.counts.update({f"proposals:{kind}": int(kinds.get(kind, 0)) for kind in KINDS})
        step.counts["oldest_proposal_days"] = _days(waiting["opened_on"], night)
    return StepResult(counts=dict(step.counts))


def _has_moved(step: StepRun, night: Night) -> bool:
    """Whether a row came, changed, went, or came due; a row that went leaves only its absence."""
    counted = "/".join(str(frames.count(step.conn, schema)) for schema in _READ)
    as_before = nights.fact(step.conn, _LOOKED_AT) == counted
    nights.put_fact(step.conn, _LOOKED_AT, counted)
    if not as_before or any(frames.has_changed(step.conn, s, step.since) for s in _READ):
        return True
    span = (step.previous_date or _EVER, night.business_date)
    due = (
        frames.crossing(step.conn, GOLDEN_ROLES, ("valid_from", "valid_to"), *span),
        frames.crossing(step.conn, GOLDEN_POINTS, ("demolition_date",), *span),
    )
    return any(len(rows) for rows in due)


def _days(opened_on: pd.Series, night: Night) -> int:
    if opened_on.empty:
        return 0
    return (date.fromisoformat(night.business_date) - date.fromisoformat(opened_on.min())).days


def listed(night: Night, *, closed: bool = False) -> pd.DataFrame:
    """What waits (closed: everything there was), the most consequential kind first, then the oldest.

    proposal_no, kind, subject, point_ref (null where the point is gone), opened_on, days, state, decision_reason:
    nobody's name and no place but a building's id.
    """
    with transaction(night.engine) as conn:
        found = store.listed(conn, None if closed else "open")
        points = frames.read_matching(conn, GOLDEN_POINTS, found, ("point_id",))
    found = found.merge(points[["point_id", "point_ref"]], on="point_id", how="left")
    today = date.fromisoformat(night.business_date)
    days = [(today - date.fromisoformat(day)).days for day in found["opened_on"]]
    rank = found["kind"].map({kind: n for n, kind in enumerate(KINDS)})
    ordered = found.assign(days=days, rank=rank).sort_values(["rank", "opened_on", "proposal_no"])
    return ordered.drop(columns="rank").reset_index(drop=True)


def opened(night: Night, proposal_no: int, who: str, why: str) -> Opened:
    """One proposal with the people of its evidence; a look at each of them is logged."""
    with transaction(night.engine) as conn:
        row = _proposal(conn, proposal_no)
        named = {int(f["party_id"]) for f in row["evidence"] if "party_id" in f}
        asked = pd.DataFrame({"party_id": sorted(named)}, dtype="Int64")
        golden = frames.read_matching(conn, GOLDEN, asked, ("party_id",))
        access.record_many(conn, night.now(), who, "proposal show", list(golden["party_id"]), why)
        point, is_protected = _point(
            conn, row, is_protected=bool((golden["protection"] == "on").any())
        )
    if is_protected:  # R56: the place tells of them
        row["evidence"] = [_without_place(fact) for fact in row["evidence"]]
    people = dict(zip(golden["party_id"].astype(int), golden["display_name"], strict=True))
    return Opened(row, point, people, is_protected)


def _without_place(fact: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in fact.items() if k not in ("building_id", "property_id", "source_key")}


def _point(
    conn: Connection, row: pd.Series, *, is_protected: bool
) -> tuple[pd.Series | None, bool]:
    """The point, and whether somebody protected is in the evidence or has a role there."""
    if pd.isna(row["point_id"]):
        return None, is_protected
    key = pd.DataFrame({"point_id": [int(row["point_id"])]})
    found = frames.read_matching(conn, GOLDEN_POINTS, key, ("point_id",))
    roles = frames.read_matching(conn, GOLDEN_ROLES, key, ("point_id",))
    there = frames.read_matching(conn, GOLDEN, roles, ("party_id",))
    is_protected = is_protected or bool((there["protection"] == "on").any())
    if is_protected:
        found = found[["point_id", "point_ref", "building_state"]]
    return None if found.empty else found.iloc[0], is_protected


def decide(night: Night, proposal_no: int, state: str, who: str, why: str) -> None:
    """Close a proposal, or open it again ("closed", "open"). Closed, it stays so while its facts are the same."""
    with transaction(night.engine) as conn:
        row = _proposal(conn, proposal_no)
        if row["state"] == state:
            raise Undecidable(
                f"proposal {proposal_no} is already {state}",
                says="no.proposal_decided",
                n=proposal_no,
            )
        if row["state"] == "gone":
            raise Undecidable(
                f"proposal {proposal_no} is gone: its facts fit again", says="desk.proposal.gone"
            )
        store.decide(conn, proposal_no, state, who, why, night.now())
        access.record(conn, night.now(), who, f"proposal {state}", None, why, str(proposal_no))


def _proposal(conn: Connection, proposal_no: int) -> pd.Series:
    row = store.read(conn, proposal_no)
    if row is None:
        raise NotFound(
            f"there is no proposal {proposal_no}; see: hub proposals list",
            says="no.proposal", n=proposal_no,
        )  # fmt: skip
    return row
