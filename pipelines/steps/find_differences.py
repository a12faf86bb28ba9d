"""Find what there is to tell a recipient that it doesn't know, and who is held back, by its population's rule.

Belongs here: which customers tonight's changes concern, reading no more of the register than the contract's select
list. Does not belong here: what a row says (`domain`), freezing and logging it (`prepare_extract`).

Who is told of one case at a time (`prepare_case`) has no differences: nothing is told by itself.
"""

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain import connections, extract, returns
from pipelines.domain.restraints import forbidding
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    PARTIES,
    PARTY_RECORDS,
    PROVENANCE,
    Schema,
)
from pipelines.domain.select_list import reads
from pipelines.settings import RecipientContract
from pipelines.steps.night import Night, StepRun
from pipelines.store import deliveries, frames, holdings, nights, restraints

_RECORD = ("source", "source_key")
_DATES = ("valid_from", "valid_to")
_EVER = "0000-00-00"


@dataclass(frozen=True)
class Differences:
    """looked_at: the parties (party_id). events: row_key, party_id, the contract's columns. held: party_id, reason."""

    looked_at: pd.DataFrame
    events: pd.DataFrame
    held: pd.DataFrame


def find_differences(
    step: StepRun, night: Night, contract: RecipientContract, only: pd.DataFrame | None = None
) -> Differences:
    """Whom tonight touches, the rows that differ from what was told, and who is held back.

    only: the parties (party_id) to look at, touched or not.
    """
    rule = contract.population.rule
    found = None
    if rule == "connections_of_properties":
        points = _points(step, night, contract, only)
        found = _connections(step, night, contract, points) if len(points) else None
    elif rule != "per_case":
        dirty = _touched(step, night, contract) if only is None else only
        if not dirty.empty:
            tell = _billing if rule == "payers_of_points" else _returns
            found = tell(step, night, contract, dirty)
    if found is None:
        return Differences(
            pd.DataFrame({"party_id": pd.array([], dtype="Int64")}),
            pd.DataFrame(columns=["row_key", "party_id", *contract.columns]),
            pd.DataFrame(columns=["party_id", "reason"]),
        )
    return _less_restrained(step.conn, contract, found)


def _less_restrained(
    conn: Connection, contract: RecipientContract, found: Differences
) -> Differences:
    """Without whatever is about people who have forbidden it, ends and merges included: they are held (R45)."""
    barred = found.events["party_id"].isin(list(restrained(conn, contract)))
    if not barred.any():
        return found
    theirs = found.events.loc[barred, ["party_id"]].drop_duplicates().assign(reason="restricted")
    others = found.held[~found.held["party_id"].isin(theirs["party_id"])]
    return Differences(
        found.looked_at,
        found.events[~barred].reset_index(drop=True),
        pd.concat([others, theirs], ignore_index=True),
    )


def compiled(contract: RecipientContract) -> extract.Contract:
    """The contract as the domain knows it."""
    made_of = {field.name: field.made_of for field in contract.fields}
    return extract.Contract(contract.recipient, str(contract.version), contract.columns, made_of)


def selected(
    conn: Connection,
    contract: RecipientContract,
    schema: Schema,
    keys: pd.DataFrame,
    on: tuple[str, ...],
) -> pd.DataFrame:
    """The rows of a table that match `keys`, with the columns that the contract lets be read; the rest is null."""
    made_of = [field.made_of for field in contract.fields]
    columns = reads(contract.population.rule, made_of, schema)
    return frames.read_matching(conn, schema, keys, on, columns)


def restrained(conn: Connection, contract: RecipientContract) -> frozenset[int]:
    """Whoever has forbidden being told of for the contract's purpose (R25, R26, R45)."""
    return restraints.parties(conn, forbidding(contract.purpose, contract.ground))


def _terms(night: Night, contract: RecipientContract) -> returns.Terms:
    return returns.Terms(
        source=str(contract.population.source),
        only_supplied=contract.population.rule == "supplied_records_in_error",
        update_services=night.settings.survivorship.update_services,
    )


# ---- whom tonight touches


def _touched(step: StepRun, night: Night, contract: RecipientContract) -> pd.DataFrame:
    """Parties whose rows for the recipient could differ from what it has been told."""
    recipient = contract.recipient
    if step.since == 0:
        ids = [frames.read(step.conn, GOLDEN)["party_id"]]
    else:
        after = step.previous_date or _EVER
        records = pd.concat(
            [
                frames.changed_since(step.conn, PARTIES, step.since)[list(_RECORD)],
                frames.crossing(step.conn, ADDRESSES, _DATES, after, night.business_date)[
                    list(_RECORD)
                ],
            ]
        ).drop_duplicates()
        ids = [
            frames.changed_since(step.conn, GOLDEN, step.since)["party_id"],
            frames.changed_since(step.conn, GOLDEN_ROLES, step.since)["party_id"],
            frames.crossing(step.conn, GOLDEN_ROLES, _DATES, after, night.business_date)[
                "party_id"
            ],
            frames.read_matching(step.conn, PARTY_RECORDS, records, _RECORD)["party_id"],
            nights.parted_since(step.conn, min(after, night.business_date)),
        ]
    ids += [_unsettled(step, recipient)]
    if contract.population.rule == "payers_of_points":
        ids += [holdings.departed_parties(step.conn, recipient)]
    every = pd.concat([i.astype("Int64") for i in ids]).dropna().drop_duplicates()
    return pd.DataFrame({"party_id": every})


def _unsettled(step: StepRun, recipient: str) -> pd.Series:
    """Parties to look at again though nothing of theirs changed: of aborted rows, and those held as restricted,
    whose restriction may have ended meanwhile.
    """
    held = holdings.held(step.conn, recipient)
    restricted = held.loc[held["reason"] == "restricted", "party_id"]
    unsettled: pd.Series = pd.concat(
        [deliveries.unsettled_parties(step.conn, recipient), restricted.astype("Int64")]
    )
    return unsettled


def _points(
    step: StepRun, night: Night, contract: RecipientContract, only: pd.DataFrame | None
) -> pd.DataFrame:
    """Points (point_id) whose connection could differ from what was told."""
    conn = step.conn
    if only is not None:
        ids = [_held_by(conn, only)]
    elif step.since == 0:
        ids = [frames.read(conn, GOLDEN_POINTS)["point_id"]]
    else:
        after = step.previous_date or _EVER
        ids = [
            frames.changed_since(conn, GOLDEN_POINTS, step.since)["point_id"],
            frames.changed_since(conn, GOLDEN_ROLES, step.since)["point_id"],
            frames.crossing(conn, GOLDEN_ROLES, _DATES, after, night.business_date)["point_id"],
            _held_by(conn, pd.DataFrame({"party_id": _unsettled(step, contract.recipient)})),
        ]
    if only is None:
        ids += [holdings.departed_points(conn, contract.recipient)]
    every = pd.concat([i.astype("Int64") for i in ids]).dropna().drop_duplicates()
    return pd.DataFrame({"point_id": every})


def _held_by(conn: Connection, parties: pd.DataFrame) -> pd.Series:
    roles = frames.read_matching(conn, GOLDEN_ROLES, parties, ("party_id",))
    points: pd.Series = roles.loc[roles["role_type"] == "holder", "point_id"]
    return points


# ---- what differs


def _connections(
    step: StepRun, night: Night, contract: RecipientContract, points: pd.DataFrame
) -> Differences:
    conn = step.conn
    chosen = compiled(contract)
    now = connections.connection_rows(
        selected(conn, contract, GOLDEN_POINTS, points, ("point_id",)),
        selected(conn, contract, GOLDEN_ROLES, points, ("point_id",)),
        night.business_date,
        restrained(conn, contract),
    )
    keys = pd.DataFrame({"row_key": connections.row_keys(points["point_id"])})
    told = holdings.told_under(conn, contract.recipient, keys)
    events = connections.connection_events(now, told, points, chosen, night.business_date)
    parties = pd.concat([now.rows["party_id"], now.held["party_id"], told["party_id"]])
    looked_at = parties.astype("Int64").dropna().drop_duplicates()
    return Differences(
        pd.DataFrame({"party_id": looked_at}), _not_refused(step, chosen, events), now.held
    )


def _billing(
    step: StepRun, night: Night, contract: RecipientContract, dirty: pd.DataFrame
) -> Differences:
    conn = step.conn
    chosen = compiled(contract)
    redirects = nights.redirects_into(conn, dirty)
    golden = selected(conn, contract, GOLDEN, dirty, ("party_id",))
    roles = selected(conn, contract, GOLDEN_ROLES, dirty, ("party_id",))
    points = selected(
        conn, contract, GOLDEN_POINTS, roles[["point_id"]].drop_duplicates(), ("point_id",)
    )
    records = frames.read_matching(conn, PARTY_RECORDS, dirty, ("party_id",))
    addresses = selected(conn, contract, ADDRESSES, records[list(_RECORD)], _RECORD).merge(
        records, on=list(_RECORD)
    )
    contact = addresses[addresses["address_type"] == "contact"]
    final = addresses[addresses["address_type"] == "final_invoice"]
    billed = extract.billing_rows(
        golden, contact, roles, points, final, night.business_date, restrained(conn, contract)
    )
    told = holdings.told_to(
        conn, contract.recipient, pd.concat([dirty, redirects[["party_id"]]]).drop_duplicates()
    )
    events = extract.billing_events(
        billed.rows,
        told,
        redirects,
        chosen,
        endings=billed.endings,
        held=billed.held,
        business_date=night.business_date,
    )
    return Differences(dirty, _not_refused(step, chosen, events), billed.held)


def _not_refused(step: StepRun, contract: extract.Contract, events: pd.DataFrame) -> pd.DataFrame:
    """Less what the recipient has refused in exactly this form: that waits for a person, not a night."""
    refused = holdings.refused_rows(step.conn, contract.recipient)
    if refused.empty or events.empty:
        return events
    before = refused.set_index("row_key")["row"].to_dict()
    rows = events[list(contract.columns)].to_dict("records")
    again = [before.get(key) == row for key, row in zip(events["row_key"], rows, strict=True)]
    step.counts["refused_before"] = sum(again)
    return events[[not a for a in again]].reset_index(drop=True)


def _returns(
    step: StepRun, night: Night, contract: RecipientContract, dirty: pd.DataFrame
) -> Differences:
    conn = step.conn
    chosen, terms = compiled(contract), _terms(night, contract)
    golden = frames.read_matching(conn, GOLDEN, dirty, ("party_id",))
    values = frames.read_matching(conn, PROVENANCE, dirty, ("party_id",))
    records = frames.read_matching(conn, PARTY_RECORDS, dirty, ("party_id",))
    parties = frames.read_matching(conn, PARTIES, records[list(_RECORD)], _RECORD)
    addresses = frames.read_matching(conn, ADDRESSES, records[list(_RECORD)], _RECORD)
    returned = holdings.returned(conn, contract.recipient)
    answers = _answers(conn, returned, terms.source)
    holdings.mark_returned(conn, contract.recipient, answers, night.now())
    step.counts["confirmed"] = int((answers["state"] == "confirmed").sum())
    step.counts["overwritten"] = int((answers["state"] == "overwritten").sum())
    returned = holdings.returned(conn, contract.recipient)
    events = returns.return_rows(
        golden, values, records, parties, addresses, returned, chosen, terms
    )
    return Differences(dirty, events, pd.DataFrame({"party_id": [], "reason": []}))


def _answers(conn: Connection, returned: pd.DataFrame, source: str) -> pd.DataFrame:
    """What the register made of every return it has not answered, changed tonight or not: keeping silent
    and its own value is an answer too.
    """
    waiting = returned.loc[returned["state"] == "sent", "their_key"].drop_duplicates()
    keys = pd.DataFrame({"source": source, "source_key": waiting})
    return returns.answered(
        returned,
        frames.read_matching(conn, PARTIES, keys, _RECORD),
        frames.read_matching(conn, ADDRESSES, keys, _RECORD),
        nights.last_heard(conn, source),
        source,
    )
