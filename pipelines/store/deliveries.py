"""A delivery's life: frozen, sent, answered or given up; and whether its recipient is really told.

Belongs here: freezing a delivery and moving it to its end. Does not belong here: what a recipient holds
once it has answered (`holdings`), which rows there are to tell (`domain.extract`), sending
(`steps.deliver`), the proof of it (`disclosures`).

    prepared ──► sealed ──► sending ──► sent ──► acknowledged
          ╲       │  ▲       │   ╲       ▲ │
           ╲      │  └───────┤    ╲      │ │   sealed: a signed checkpoint covers its intent
            ╲     │          │     ╲     │ │   sealed again: asked, and nothing stands at the recipient
             ▼    ▼          ▼      ▼    │ ▼   aborted: never left, or a person says it never arrived
              aborted ◄──────┘    uncertain    uncertain: what stands there is not known or not ours

At most one delivery of a recipient is open. Its rows are frozen, in full, until the recipient has taken
them; then `told_row` holds what it knows, and payload and rows are blanked.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection, Select, delete, func, select, update

from pipelines.store import frames, holdings
from pipelines.store.engine import StoreError, one_at_a_time
from pipelines.store.tables import (
    delivery,
    delivery_progress,
    delivery_row,
    recipient_state,
    returned_value,
)

Mode = Literal["shadow", "live"]
State = Literal["prepared", "sealed", "sending", "sent", "uncertain", "acknowledged", "aborted"]

_MAY_BECOME: Mapping[str, frozenset[str]] = {
    "prepared": frozenset({"sealed", "aborted"}),
    "sealed": frozenset({"sending", "aborted"}),
    "sending": frozenset({"sealed", "sent", "uncertain", "aborted"}),
    "uncertain": frozenset({"sealed", "sent", "uncertain", "aborted"}),
    "sent": frozenset({"uncertain"}),
}
OPEN = tuple(_MAY_BECOME)


@dataclass(frozen=True)
class Delivery:
    """One frozen delivery. sequence is 0 once aborted; payload is None once acknowledged or aborted."""

    delivery_id: str
    recipient: str
    sequence: int
    mode: str
    business_date: str
    contract_version: str
    notice_version: str
    state: State
    rows: int
    payload: bytes | None = field(repr=False)
    payload_mac: str
    columns: tuple[str, ...]
    prepared_at: str
    sent_at: str | None
    acknowledged_at: str | None
    accepted: int | None
    rejected: int | None
    receipt: Mapping[str, Any] | None


# ---- the recipient


def mode_of(conn: Connection, recipient: str, default: Mode) -> Mode:
    """shadow (prepared and counted, not sent) or live; `default` until a person has decided."""
    mode: Mode | None = conn.scalar(
        select(recipient_state.c.mode).where(recipient_state.c.recipient == recipient)
    )
    return default if mode is None else mode


def set_mode(conn: Connection, recipient: str, mode: Mode, by: str, now: str) -> None:
    """A person lets a recipient go live, or takes it back into the shadow."""
    sequence = _last_sequence(conn, recipient)
    _put_state(conn, recipient, sequence, mode=mode, since=now, decided_by=by)


def next_sequence(conn: Connection, recipient: str) -> int:
    """The number of the recipient's next delivery: 1, 2, 3 … without a gap at its end."""
    return _last_sequence(conn, recipient) + 1


def _last_sequence(conn: Connection, recipient: str) -> int:
    statement = select(recipient_state.c.last_sequence)
    return conn.scalar(statement.where(recipient_state.c.recipient == recipient)) or 0


def _put_state(conn: Connection, recipient: str, sequence: int, **values: str) -> None:
    row = {"recipient": recipient, "last_sequence": sequence, **values}
    frames.upsert(conn, recipient_state, pd.DataFrame([row]))


# ---- a delivery's life


def freeze(
    conn: Connection,
    *,
    delivery_id: str,
    recipient: str,
    sequence: int,
    business_date: str,
    contract_version: str | int,
    notice_version: str,
    payload: bytes,
    payload_mac: str,
    columns: Sequence[str],
    rows: pd.DataFrame,
    now: str,
    mode: Mode = "live",
    returned: pd.DataFrame | None = None,
) -> None:
    """Keep a delivery exactly as it will leave; row numbers count from 1 in the order given.

    rows: row_key, party_id, content (column → text). returned: their_key, field, value, source of what goes
    back to the register heard under that source; its rows' keys are then `their_key/field`. Raises
    StoreError when another delivery of the recipient is open, the sequence is not the next, or two rows
    share a key.
    """
    if outstanding(conn, recipient):
        raise StoreError(f"{recipient} has not settled its last delivery")
    if sequence != next_sequence(conn, recipient):
        raise StoreError(f"{recipient}: {sequence} is not the next delivery's number")
    if rows["row_key"].duplicated().any():
        raise StoreError(f"{recipient}: two rows of a delivery share a key")
    # an aborted one with the same bytes and number bears the same id; the log remembers both
    for table in (delivery_row, delivery_progress, delivery):
        conn.execute(delete(table).where(table.c.delivery_id == delivery_id))
    head = {
        "delivery_id": delivery_id, "recipient": recipient, "sequence": sequence, "mode": mode,
        "business_date": business_date, "contract_version": str(contract_version),
        "notice_version": notice_version, "state": "prepared", "rows": len(rows), "payload": payload,
        "payload_mac": payload_mac, "columns": list(columns), "prepared_at": now,
    }  # fmt: skip
    frames.append(conn, delivery, pd.DataFrame([head]))
    frozen = pd.DataFrame(
        {
            "delivery_id": delivery_id,
            "row_no": range(1, len(rows) + 1),
            "row_key": rows["row_key"].to_numpy(),
            "party_id": rows["party_id"].astype("Int64").to_numpy(),
            "event": [row.get("event") or "changed" for row in rows["content"]],
            "row": rows["content"].to_numpy(),
            "status": "pending",
        }
    )
    frames.append(conn, delivery_row, frozen)
    _put_state(conn, recipient, sequence)
    if returned is not None:
        sent = returned.assign(recipient=recipient, delivery_id=delivery_id, state="sent", at=now)
        frames.upsert(conn, returned_value, sent)


def outstanding(conn: Connection, recipient: str) -> list[Delivery]:
    """The recipient's open deliveries (at most one), in their order."""
    return _deliveries(
        conn,
        select(delivery)
        .where(delivery.c.recipient == recipient, delivery.c.state.in_(OPEN))
        .order_by(delivery.c.sequence),
    )


def demand_none_outstanding(conn: Connection, recipient: str) -> None:
    """Nobody else freezes anything for this recipient until the transaction ends; raises StoreError where somebody has.

    What is to be told is worked out from here on: two hubs at once, the run lock lost, would else both tell it.
    """
    one_at_a_time(conn, f"deliveries to {recipient}")
    if found := outstanding(conn, recipient):
        raise StoreError(
            f"delivery {found[0].delivery_id} to {recipient} was frozen meanwhile: run the night again"
        )


def in_state(conn: Connection, *states: str, recipient: str | None = None) -> list[Delivery]:
    """Deliveries in one of these states, of one recipient or of all, in their order."""
    statement = select(delivery).where(delivery.c.state.in_(states))
    if recipient is not None:
        statement = statement.where(delivery.c.recipient == recipient)
    return _deliveries(conn, statement.order_by(delivery.c.recipient, delivery.c.sequence))


def find(conn: Connection, delivery_id: str) -> Delivery:
    """A delivery by its id; StoreError when there is none."""
    found = _deliveries(conn, select(delivery).where(delivery.c.delivery_id == delivery_id))
    if not found:
        raise StoreError(f"there is no delivery {delivery_id}")
    return found[0]


def _deliveries(conn: Connection, statement: Select[Any]) -> list[Delivery]:
    return [
        Delivery(**{**row, "columns": tuple(row["columns"]), "sequence": row["sequence"] or 0})
        for row in conn.execute(statement).mappings()
    ]


def seal(conn: Connection) -> int:
    """Everything prepared is sealed: a checkpoint made in this transaction covers its intent; how many."""
    waiting = update(delivery).where(delivery.c.state == "prepared")
    return conn.execute(waiting.values(state="sealed")).rowcount


def rows_of(conn: Connection, delivery_id: str) -> pd.DataFrame:
    """row_no, row_key, party_id, event, row, status, code; row is null once taken or aborted."""
    columns = [column for column in delivery_row.c if column.name != "delivery_id"]
    return frames.rows(
        conn,
        select(*columns)
        .where(delivery_row.c.delivery_id == delivery_id)
        .order_by(delivery_row.c.row_no),
    )


def fingerprint(sealed: Delivery) -> tuple[int, str]:
    """Size and SHA-256 (hex) of the bytes; StoreError when they are gone."""
    if sealed.payload is None:
        raise StoreError(f"the bytes of delivery {sealed.delivery_id} are no longer kept")
    return len(sealed.payload), hashlib.sha256(sealed.payload).hexdigest()


def mark(
    conn: Connection,
    delivery_id: str,
    state: State,
    now: str,
    receipt: Mapping[str, Any] | None = None,
) -> None:
    """Move a delivery on. Raises StoreError, naming both states, where no arrow leads.

    aborted: the number becomes free again, the frozen rows and bytes are blanked, and their parties
    count as unsettled until they have been looked at again.
    """
    before = find(conn, delivery_id)
    if state not in _MAY_BECOME.get(before.state, ()):
        raise StoreError(f"delivery {delivery_id} is {before.state}: it can't become {state}")
    values: dict[str, Any] = {"state": state}
    if receipt is not None:
        values["receipt"] = dict(receipt)
    if state == "sent":
        values["sent_at"] = now
    if state == "aborted":
        values |= {"sequence": None, "payload": None}
        _put_state(conn, before.recipient, before.sequence - 1)
        conn.execute(
            update(delivery_row)
            .where(delivery_row.c.delivery_id == delivery_id)
            .values(status="aborted", row=None)
        )
        conn.execute(
            delete(returned_value).where(
                returned_value.c.delivery_id == delivery_id, returned_value.c.state == "sent"
            )
        )
    _update(conn, delivery_id, values)


def acknowledge(
    conn: Connection, delivery_id: str, rejected: Mapping[int, str], now: str
) -> pd.DataFrame:
    """Take in the recipient's answer; returns the refused rows: row_no, row_key, party_id, code.

    rejected: row number (from 1) → code; all other rows were accepted: from now on they are what the
    recipient was told, and what was kept to send them is blanked. Refused rows count as not delivered.
    An answer proves arrival, so it may come in any state after `sealed`. Raises StoreError for one
    that speaks of rows the delivery does not have.
    """
    before = find(conn, delivery_id)
    if before.state not in ("sending", "sent", "uncertain"):
        raise StoreError(f"delivery {delivery_id} is {before.state}: it can't become acknowledged")
    if any(not 1 <= row_no <= before.rows for row_no in rejected):
        raise StoreError(f"delivery {delivery_id} has no such rows as its answer speaks of")
    rows = rows_of(conn, delivery_id)
    rows["code"] = rows["row_no"].map(rejected).astype("str")
    refused = rows["row_no"].isin(list(rejected))
    if holdings.is_return(conn, delivery_id):
        holdings.reject_returned(conn, before.recipient, rows[refused], now)
    else:
        holdings.remember(conn, before.recipient, rows[~refused], delivery_id)
    _settle_older(conn, before.recipient, delivery_id, rows[~refused])
    answered = rows.assign(
        delivery_id=delivery_id,
        status=refused.map({True: "rejected", False: "accepted"}),
        row=rows["row"].where(refused, None),
    )
    frames.upsert(conn, delivery_row, answered)
    values = {
        "state": "acknowledged", "acknowledged_at": now, "accepted": int((~refused).sum()),
        "rejected": int(refused.sum()), "payload": None, "sent_at": before.sent_at or now,
    }  # fmt: skip
    _update(conn, delivery_id, values)
    return rows.loc[refused, ["row_no", "row_key", "party_id", "code"]].reset_index(drop=True)


def _update(conn: Connection, delivery_id: str, values: Mapping[str, Any]) -> None:
    conn.execute(update(delivery).where(delivery.c.delivery_id == delivery_id).values(values))


def _settle_older(
    conn: Connection, recipient: str, delivery_id: str, accepted: pd.DataFrame
) -> None:
    """A row taken now settles what was refused or aborted before under its key."""
    of_recipient = select(delivery.c.delivery_id).where(delivery.c.recipient == recipient)
    conn.execute(
        update(delivery_row)
        .where(
            delivery_row.c.status.in_(("rejected", "aborted")),
            delivery_row.c.delivery_id.in_(of_recipient),
            delivery_row.c.delivery_id != delivery_id,
            frames.matching(conn, delivery_row, accepted, ("row_key",)),
        )
        .values(status="superseded", row=None)
    )


def totals(conn: Connection, recipient: str, business_date: str) -> dict[str, int]:
    """deliveries of the business date, and their rows: sent, acknowledged (accepted), rejected."""
    gone = delivery.c.state.in_(("sent", "acknowledged"))
    found = conn.execute(
        select(
            func.count(),
            func.coalesce(func.sum(delivery.c.rows), 0),
            func.coalesce(func.sum(delivery.c.accepted), 0),
            func.coalesce(func.sum(delivery.c.rejected), 0),
        ).where(delivery.c.recipient == recipient, delivery.c.business_date == business_date, gone)
    ).one()
    names = ("deliveries", "sent", "acknowledged", "rejected")
    return dict(zip(names, map(int, found), strict=True))


def unanswered_since(conn: Connection, recipient: str, business_date: str) -> int:
    """How many deliveries of that date or an earlier one are still open."""
    return (
        conn.scalar(
            select(func.count())
            .select_from(delivery)
            .where(
                delivery.c.recipient == recipient,
                delivery.c.state.in_(OPEN),
                delivery.c.business_date <= business_date,
            )
        )
        or 0
    )


def rejections(conn: Connection, recipient: str) -> list[tuple[str, int, str]]:
    """Per delivery with refused rows that nothing has settled yet: its id, how many, and "code ×n, …".

    Whenever it was frozen: an answer may come nights later, and waits for a person until it is settled.
    """
    found = conn.execute(
        select(delivery.c.delivery_id, delivery_row.c.code)
        .join_from(delivery, delivery_row)
        .where(
            delivery.c.recipient == recipient,
            delivery_row.c.status == "rejected",
        )
        .order_by(delivery.c.delivery_id, delivery_row.c.row_no)
    )
    codes: dict[str, Counter[str]] = {}
    for delivery_id, code in found:
        codes.setdefault(delivery_id, Counter())[code] += 1
    return [
        (delivery_id, count.total(), ", ".join(f"{code} ×{n}" for code, n in sorted(count.items())))
        for delivery_id, count in codes.items()
    ]


def unsettled_parties(conn: Connection, recipient: str) -> pd.Series:
    """Parties to look at again though nothing of theirs changed: of rows in an aborted delivery.

    Who is held back or was refused waits for a change of their own, which makes them looked at anyway.
    """
    rows = (
        select(delivery_row.c.party_id)
        .join_from(delivery_row, delivery)
        .where(delivery.c.recipient == recipient, delivery_row.c.status == "aborted")
    )
    found = set(conn.scalars(rows))
    return pd.Series(sorted(found - {None}), dtype="Int64", name="party_id")
