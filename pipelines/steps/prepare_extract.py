"""Work out what there is to tell a recipient, freeze it and log it, in one transaction (PRIVACY §2.4 T1).

Belongs here: which customers tonight's changes concern, freezing the bytes, the disclosure log written
from them. Does not belong here: what a row says (`domain.extract`), sending (`deliver`).
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd
from sqlalchemy import Connection

from connectors.base import ConnectorError, Malformed, Recipient
from pipelines.domain import extract, returns
from pipelines.domain.disclosure import SALT_BYTES, commit, leaf
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    PARTIES,
    PARTY_RECORDS,
    PROVENANCE,
)
from pipelines.settings import RecipientContract
from pipelines.steps.night import Check, Night, StepResult, StepRun, executing, rehearsing
from pipelines.steps.settle import settle
from pipelines.store import access, deliveries, disclosures, frames, holdings, nights
from pipelines.store.engine import transaction

EXTRACT_CHECKS = ("nobody_held_back",)
_RECORD = ("source", "source_key")
_EVER = "0000-00-00"


Forecast = Literal["shadow", "live", "waiting"]


@dataclass(frozen=True)
class Foreseen:
    """events: party_id and the contract's columns. held: party_id, reason. state: shadow, live, or waiting
    (an earlier delivery has not been acknowledged, and nothing goes before it is).
    """

    events: pd.DataFrame
    held: pd.DataFrame
    state: Forecast


def prepare_extract(
    night: Night, contract: RecipientContract, opener: Callable[[], Recipient]
) -> StepResult:
    """Freeze tonight's differences for one recipient, unless an earlier delivery is still open.

    While a delivery is unacknowledged nothing more goes to that recipient and its changes wait: the step
    then does not count as having worked through them.
    """
    name = contract.recipient
    with transaction(night.engine) as conn:
        is_open = bool(deliveries.outstanding(conn, name))
    if is_open:
        try:
            still = settle(night, name, opener()).open
        except ConnectorError:
            still = ()
        with transaction(night.engine) as conn:
            if deliveries.outstanding(conn, name):
                return _waits(len(still))
    with executing(night, f"extract:{name}") as step:
        dirty, events, held = _differences(step, night, contract)
        mode = deliveries.mode_of(step.conn, name, contract.mode)
        if not events.empty and mode == "live":
            recipient = opener()
            events, unsendable = _sendable(contract, events, recipient)
            held = pd.concat([held, unsendable], ignore_index=True)
            if not events.empty:
                _freeze(step, night, contract, events, recipient)
        holdings.hold(step.conn, name, dirty, held, night.now())
        step.counts.update(
            touched=len(dirty),
            pending=len(events),
            held_customers=holdings.held_count(step.conn, name),
        )
        if mode == "shadow":
            step.counts["shadow"] = len(events)
    return StepResult(
        status="attention" if step.counts["held_customers"] else "ok",
        counts=dict(step.counts),
        checks=(
            Check(
                "nobody_held_back",
                not step.counts["held_customers"],
                "warning",
                {"held_customers": step.counts["held_customers"]},
            ),
        ),
    )


def preview(
    night: Night, contract: RecipientContract, who: str, why: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the next delivery would carry and who would be held back; nothing is written but who looked."""
    with rehearsing(night, f"extract:{contract.recipient}") as step:
        _, events, held = _differences(step, night, contract)
        standing = holdings.held(step.conn, contract.recipient)
        unsendable = standing.loc[standing["reason"] == "unsendable", ["party_id", "reason"]]
        held = pd.concat([held, unsendable], ignore_index=True)
    with transaction(night.engine) as conn:
        people = list(events["party_id"].drop_duplicates())
        access.record_many(
            conn, night.now(), who, f"extract preview {contract.recipient}", people, why
        )
    return events[list(contract.columns)], held


def foresee(
    night: Night, contract: RecipientContract, parties: Sequence[int] | None = None
) -> Foreseen:
    """What the next delivery would carry, of these parties alone or of everybody; nothing is written."""
    name = contract.recipient
    only = None
    if parties is not None:
        only = pd.DataFrame({"party_id": pd.array(parties, dtype="Int64")}).drop_duplicates()
    with rehearsing(night, f"extract:{name}") as step:
        wanted, events, held = _differences(step, night, contract, only)
        standing = holdings.held(step.conn, name)
        theirs = standing["party_id"].isin(wanted["party_id"])
        unsendable = standing.loc[theirs & (standing["reason"] == "unsendable")]
        mode = deliveries.mode_of(step.conn, name, contract.mode)
        waits = bool(deliveries.outstanding(step.conn, name))
    return Foreseen(
        events[["party_id", *contract.columns]],
        pd.concat([held, unsendable[["party_id", "reason"]]], ignore_index=True),
        "waiting" if waits else mode,
    )


def _differences(
    step: StepRun, night: Night, contract: RecipientContract, only: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Whom tonight touches, the rows that differ from what was told, and who is held back.

    only: the parties (party_id) to look at, touched or not.
    """
    chosen = _contract(contract)
    dirty = _touched(step, night, contract) if only is None else only
    if dirty.empty:
        nothing = pd.DataFrame(columns=["row_key", "party_id", *contract.columns])
        return dirty, nothing, pd.DataFrame(columns=["party_id", "reason"])
    if contract.population.rule == "payers_of_points":
        return dirty, *_billing(step, night, chosen, dirty)
    return dirty, *_returns(step, chosen, _terms(night, contract), dirty, night.now())


def _contract(contract: RecipientContract) -> extract.Contract:
    made_of = {field.name: field.made_of for field in contract.fields}
    return extract.Contract(contract.recipient, str(contract.version), contract.columns, made_of)


def _terms(night: Night, contract: RecipientContract) -> returns.Terms:
    return returns.Terms(
        source=str(contract.population.source),
        only_supplied=contract.population.rule == "supplied_records_in_error",
        update_services=night.settings.survivorship.update_services,
    )


def _waits(waiting: int) -> StepResult:
    return StepResult(
        status="attention",
        counts={"waiting": max(waiting, 1)},
        checks=(Check("nobody_held_back", passed=True, severity="warning"),),
    )


def _touched(step: StepRun, night: Night, contract: RecipientContract) -> pd.DataFrame:
    """Parties whose rows for the recipient could differ from what it has been told."""
    recipient = contract.recipient
    if step.since == 0:
        ids = [frames.read(step.conn, GOLDEN)["party_id"]]
    else:
        after = step.previous_date or _EVER
        dates = ("valid_from", "valid_to")
        records = pd.concat(
            [
                frames.changed_since(step.conn, PARTIES, step.since)[list(_RECORD)],
                frames.crossing(step.conn, ADDRESSES, dates, after, night.business_date)[
                    list(_RECORD)
                ],
            ]
        ).drop_duplicates()
        ids = [
            frames.changed_since(step.conn, GOLDEN, step.since)["party_id"],
            frames.changed_since(step.conn, GOLDEN_ROLES, step.since)["party_id"],
            frames.crossing(step.conn, GOLDEN_ROLES, dates, after, night.business_date)["party_id"],
            frames.read_matching(step.conn, PARTY_RECORDS, records, _RECORD)["party_id"],
            nights.parted_since(step.conn, min(after, night.business_date)),
        ]
    ids += [deliveries.unsettled_parties(step.conn, recipient)]
    if contract.population.rule == "payers_of_points":
        ids += [holdings.departed_parties(step.conn, recipient)]
    every = pd.concat([i.astype("Int64") for i in ids]).dropna().drop_duplicates()
    return pd.DataFrame({"party_id": every})


def _billing(
    step: StepRun, night: Night, contract: extract.Contract, dirty: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    conn = step.conn
    redirects = nights.redirects_into(conn, dirty)
    golden = frames.read_matching(conn, GOLDEN, dirty, ("party_id",))
    roles = frames.read_matching(conn, GOLDEN_ROLES, dirty, ("party_id",))
    points = frames.read_matching(
        conn, GOLDEN_POINTS, roles[["point_id"]].drop_duplicates(), ("point_id",)
    )
    records = frames.read_matching(conn, PARTY_RECORDS, dirty, ("party_id",))
    addresses = frames.read_matching(conn, ADDRESSES, records[list(_RECORD)], _RECORD).merge(
        records, on=list(_RECORD)
    )
    contact = addresses[addresses["address_type"] == "contact"]
    final = addresses[addresses["address_type"] == "final_invoice"]
    billed = extract.billing_rows(golden, contact, roles, points, final, night.business_date)
    told = holdings.told_to(
        conn, contract.recipient, pd.concat([dirty, redirects[["party_id"]]]).drop_duplicates()
    )
    events = extract.billing_events(
        billed.rows,
        told,
        redirects,
        contract,
        endings=billed.endings,
        held=billed.held,
        business_date=night.business_date,
    )
    return _not_refused(step, contract, events), billed.held


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
    step: StepRun, contract: extract.Contract, terms: returns.Terms, dirty: pd.DataFrame, now: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    conn = step.conn
    golden = frames.read_matching(conn, GOLDEN, dirty, ("party_id",))
    values = frames.read_matching(conn, PROVENANCE, dirty, ("party_id",))
    records = frames.read_matching(conn, PARTY_RECORDS, dirty, ("party_id",))
    parties = frames.read_matching(conn, PARTIES, records[list(_RECORD)], _RECORD)
    addresses = frames.read_matching(conn, ADDRESSES, records[list(_RECORD)], _RECORD)
    returned = holdings.returned(conn, contract.recipient)
    answers = _answers(conn, returned, terms.source)
    holdings.mark_returned(conn, contract.recipient, answers, now)
    step.counts["confirmed"] = int((answers["state"] == "confirmed").sum())
    step.counts["overwritten"] = int((answers["state"] == "overwritten").sum())
    returned = holdings.returned(conn, contract.recipient)
    events = returns.return_rows(
        golden, values, records, parties, addresses, returned, contract, terms
    )
    return events, pd.DataFrame({"party_id": [], "reason": []})


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


def _sendable(
    contract: RecipientContract, events: pd.DataFrame, recipient: Recipient
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The events the recipient's format can carry, and whom the others hold back (party_id, reason).

    One value that would be a formula or a control character must not keep everybody's rows from leaving.
    """
    columns = list(contract.columns)
    rows = _as_texts(events, columns)

    def is_carried(some: list[dict[str, str]]) -> bool:
        try:
            recipient.render(columns, some)
        except Malformed:
            return False
        return True

    fits = [True] * len(rows) if is_carried(rows) else [is_carried([row]) for row in rows]
    kept = pd.Series(fits, events.index, dtype=bool)
    return events[kept], events.loc[~kept, ["party_id"]].assign(reason="unsendable")


def _returned(contract: RecipientContract, events: pd.DataFrame) -> pd.DataFrame | None:
    """What of the events goes back to a register, to be known again when it comes back (DESIGN 10)."""
    if contract.population.source is None:
        return None
    values = returns.values_in(events, _contract(contract))
    return values.assign(source=contract.population.source)


def _as_texts(events: pd.DataFrame, columns: list[str]) -> list[dict[str, str]]:
    return [
        {c: "" if pd.isna(v) else str(v) for c, v in zip(columns, values, strict=True)}
        for values in events[columns].itertuples(index=False)
    ]


def _freeze(
    step: StepRun,
    night: Night,
    contract: RecipientContract,
    events: pd.DataFrame,
    recipient: Recipient,
) -> None:
    """Render the bytes, log every person in them, and keep both: nothing leaves that is not written."""
    columns = list(contract.columns)
    rows = _as_texts(events, columns)
    payload = recipient.render(columns, rows)
    if recipient.parse(payload) != rows:
        raise RuntimeError(f"{contract.recipient}: the bytes do not read back as the rows agreed")
    sequence = deliveries.next_sequence(step.conn, contract.recipient)
    digest = hashlib.sha256(payload).hexdigest()
    delivery_id = hashlib.sha256(f"{contract.recipient}|{sequence}|{digest}".encode()).hexdigest()[
        :20
    ]
    now = night.now()
    terms = {
        "to": contract.recipient,
        "contract": f"{contract.recipient}@{contract.version}",
        "purpose": contract.purpose,
        "basis": contract.basis,
        "ground": contract.ground,
        "d": delivery_id,
        "notice": night.settings.notice.version,
    }
    details = events[["row_key", "party_id"]].assign(
        entry_id=[secrets.token_hex(16) for _ in rows],
        salt=[secrets.token_bytes(SALT_BYTES) for _ in rows],
        recipient=contract.recipient,
        purpose=contract.purpose,
        basis=contract.basis,
        ground=contract.ground,
        operation="delivery",
        fields=pd.Series([[c for c in columns if row[c]] for row in rows], events.index, "object"),
        content=pd.Series(rows, events.index, "object"),
        delivery_id=delivery_id,
        at=now,
    )
    leaves = [
        leaf("disclosure", e=entry, c=commit(content, salt), **terms)
        for entry, content, salt in details[["entry_id", "content", "salt"]].itertuples(index=False)
    ]
    # keyed by the details' salts: it can be checked while they exist, and is a random number afterwards
    mac = hmac.new(b"".join(details["salt"]), payload, hashlib.sha256).hexdigest()
    leaves.append(leaf("intent", n=len(rows), sequence=sequence, fields=columns, mac=mac, **terms))
    deliveries.freeze(
        step.conn,
        delivery_id=delivery_id,
        recipient=contract.recipient,
        sequence=sequence,
        business_date=night.business_date,
        contract_version=contract.version,
        notice_version=night.settings.notice.version,
        payload=payload,
        payload_mac=mac,
        columns=columns,
        rows=details[["row_key", "party_id", "content"]],
        now=now,
        returned=_returned(contract, events),
    )
    disclosures.write_details(step.conn, details.drop(columns="row_key"))
    disclosures.append_leaves(step.conn, leaves, now)
