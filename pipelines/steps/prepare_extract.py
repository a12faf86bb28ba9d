"""Freeze what there is to tell a recipient and log it, in one transaction (PRIVACY §2.4 T1).

Belongs here: the gate in front of it, freezing the bytes, the disclosure log written from them. Does not belong
here: what there is to tell (`find_differences`), sending (`deliver`).
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from connectors.base import ConnectorError, Malformed, Recipient
from pipelines.breaches import refusals
from pipelines.domain import returns
from pipelines.domain.disclosure import leaf
from pipelines.settings import RecipientContract
from pipelines.steps.find_differences import compiled, find_differences
from pipelines.steps.night import Check, Night, StepResult, StepRun, executing, rehearsing
from pipelines.steps.settle import settle
from pipelines.store import deliveries, disclosures, holdings
from pipelines.store.engine import transaction

EXTRACT_CHECKS = ("nobody_held_back",)
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
    if (refused := _refused(night, contract)) is not None:
        return refused
    night.log_keys()  # looked for before anything is worked out
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
        deliveries.demand_none_outstanding(step.conn, name)
        found = find_differences(step, night, contract)
        dirty, events, held = found.looked_at, found.events, found.held
        mode = deliveries.mode_of(step.conn, name, contract.mode)
        if not events.empty and mode == "live":
            recipient = opener()
            events, unsendable = _sendable(contract, events, recipient)
            held = pd.concat([held, unsendable], ignore_index=True)
            if not events.empty:
                freeze(step, night, contract, events, recipient)
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


def foresee(
    night: Night, contract: RecipientContract, parties: Sequence[int] | None = None
) -> Foreseen:
    """What the next delivery would carry, of these parties alone or of everybody; nothing is written."""
    name = contract.recipient
    only = None
    if parties is not None:
        only = pd.DataFrame({"party_id": pd.array(parties, dtype="Int64")}).drop_duplicates()
    with rehearsing(night, f"extract:{name}") as step:
        found = find_differences(step, night, contract, only)
        events, held = found.events, found.held
        standing = holdings.held(step.conn, name)
        theirs = standing["party_id"].isin(found.looked_at["party_id"])
        unsendable = standing.loc[theirs & (standing["reason"] == "unsendable")]
        mode = deliveries.mode_of(step.conn, name, contract.mode)
        waits = bool(deliveries.outstanding(step.conn, name))
    return Foreseen(
        events[["party_id", *contract.columns]],
        pd.concat([held, unsendable[["party_id", "reason"]]], ignore_index=True),
        "waiting" if waits else mode,
    )


def _refused(night: Night, contract: RecipientContract) -> StepResult | None:
    """What may not be told is not even prepared: its changes wait, and the refusal is in the log (R15, R18)."""
    with transaction(night.engine) as conn:
        if deliveries.mode_of(conn, contract.recipient, contract.mode) != "live":
            return None
        settings = night.settings
        breaches = refusals(settings.notice, settings.sources, contract, night.business_date)
        if not breaches:
            return None
        disclosures.append_leaves(conn, [refusal(night, contract)], night.now())
    return StepResult(
        status="failed",
        counts={"breaches": len(breaches)},
        checks=(Check("nobody_held_back", False, "critical", {"breaches": len(breaches)}),),
        text=str(breaches[0]),
    )


def refusal(night: Night, contract: RecipientContract) -> str:
    """The leaf that says that somebody was not told."""
    return leaf(
        "refusal",
        to=contract.recipient,
        contract=f"{contract.recipient}@{contract.version}",
        purpose=contract.purpose,
        notice=night.settings.notice.version,
    )


def _waits(waiting: int) -> StepResult:
    return StepResult(
        status="attention",
        counts={"waiting": max(waiting, 1)},
        checks=(Check("nobody_held_back", passed=True, severity="warning"),),
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
    values = returns.values_in(events, compiled(contract))
    return values.assign(source=contract.population.source)


def _as_texts(events: pd.DataFrame, columns: list[str]) -> list[dict[str, str]]:
    return [
        {c: "" if pd.isna(v) else str(v) for c, v in zip(columns, values, strict=True)}
        for values in events[columns].itertuples(index=False)
    ]


def freeze(
    step: StepRun,
    night: Night,
    contract: RecipientContract,
    events: pd.DataFrame,
    recipient: Recipient,
    statute: str | None = None,
) -> None:
    """Render the bytes, log every person in them, and keep both: nothing leaves that is not written."""
    columns = list(contract.columns)
    rows = _as_texts(events, columns)
    payload = recipient.render(columns, rows)
    if recipient.parse(payload) != rows:
        raise RuntimeError(f"{contract.recipient}: the bytes do not read back as the rows agreed")
    sequence = deliveries.next_sequence(step.conn, contract.recipient)
    digest = hashlib.sha256(payload).hexdigest()
    # keyed: one row's bytes could be guessed back from a plain digest
    delivery_id = night.vault.delivery_id(contract.recipient, sequence, digest)
    now = night.now()
    terms = {
        "to": contract.recipient,
        "contract": f"{contract.recipient}@{contract.version}",
        "purpose": contract.purpose,
        "basis": contract.basis,
        "ground": contract.ground,
        "statute": statute,
        "d": delivery_id,
        "notice": night.settings.notice.version,
    }
    told = events[["row_key", "party_id"]].assign(
        fields=pd.Series([[c for c in columns if row[c]] for row in rows], events.index, "object"),
        content=pd.Series(rows, events.index, "object"),
    )
    salts = disclosures.disclose(step.conn, night.vault, "disclosure", told, terms, now)
    # keyed by the details' salts: it can be checked while they exist, and is a random number afterwards
    mac = hmac.new(salts, payload, hashlib.sha256).hexdigest()
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
        rows=told[["row_key", "party_id", "content"]],
        now=now,
        returned=_returned(contract, events),
    )
    intent = leaf("intent", n=len(rows), sequence=sequence, fields=columns, mac=mac, **terms)
    disclosures.append_leaves(step.conn, [intent], now)
