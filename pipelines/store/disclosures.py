"""The disclosure log: erasable details and the append-only leaves that prove them (PRIVACY §2.3).

Belongs here: writing both, finding a person's disclosures, holding the log against what was delivered.
Does not belong here: what a leaf says (`domain.disclosure`).

Leaf numbers run 0, 1, 2 … without a gap: they are given under a lock inside the transaction that writes
them, never by a database sequence, which loses a number with every rollback.
"""

import json
from collections.abc import Collection, Sequence
from itertools import islice

import pandas as pd
from sqlalchemy import Connection, func, or_, select

from pipelines.domain.disclosure import commit, committed
from pipelines.store import frames
from pipelines.store.engine import one_at_a_time
from pipelines.store.tables import (
    delivery,
    disclosure_detail,
    disclosure_leaf,
    party_record,
    party_redirect,
)

_STATES = ("attempt", "uncertain", "delivered", "acknowledged", "aborted")
_LEFT_THE_HOUSE = ("sending", "sent", "uncertain", "acknowledged")


def append_leaves(conn: Connection, leaves: Sequence[str], at: str) -> int:
    """Add leaves (`domain.disclosure.leaf`) to the log; returns the number of the first."""
    one_at_a_time(conn, "disclosure_leaf")
    last = conn.scalar(select(func.max(disclosure_leaf.c.leaf_no)))
    first = 0 if last is None else last + 1
    facts = [json.loads(leaf) for leaf in leaves]
    frames.append(
        conn,
        disclosure_leaf,
        pd.DataFrame(
            {
                "leaf_no": range(first, first + len(leaves)),
                "entry_id": [fact.get("e") for fact in facts],
                "delivery_id": [fact.get("d") for fact in facts],
                "leaf": list(leaves),
                "at": at,
            }
        ),
    )
    return first


def write_details(conn: Connection, details: pd.DataFrame) -> int:
    """Add the erasable side; columns are those of `disclosure_detail`, nullable ones may be absent."""
    return frames.append(conn, disclosure_detail, details)


def asked_before(
    conn: Connection, recipient: str, operation: str, keys: Collection[str] | None = None
) -> frozenset[str]:
    """The subject keys a register was asked about before in that operation; of `keys` when given."""
    statement = select(disclosure_detail.c.subject_key).where(
        disclosure_detail.c.recipient == recipient,
        disclosure_detail.c.operation == operation,
        disclosure_detail.c.subject_key.is_not(None),
    )
    if keys is not None:
        wanted = pd.DataFrame({"subject_key": list(keys)}, dtype="str")
        statement = statement.where(
            frames.matching(conn, disclosure_detail, wanted, ("subject_key",))
        )
    return frozenset(key for key in conn.scalars(statement) if key is not None)


_LOGGED = (
    disclosure_leaf.c.leaf_no,
    disclosure_leaf.c.leaf,
    *(column for column in disclosure_detail.c if column.name not in ("salt",)),
)


def of_party(conn: Connection, party_id: int) -> pd.DataFrame:
    """Everything told or asked about a party, oldest first: leaf_no, leaf and the detail, less its salt.

    Counts in what was logged under a party that has since gone into this one, and look-ups made by a
    record's key before it had a party (R38).
    """
    merged = select(party_redirect.c.party_id).where(party_redirect.c.into_party_id == party_id)
    asked = select(disclosure_detail.c.entry_id).join(
        party_record,
        (party_record.c.source == disclosure_detail.c.subject_source)
        & (party_record.c.source_key == disclosure_detail.c.subject_key),
    )
    return frames.rows(
        conn,
        select(*_LOGGED)
        .join_from(
            disclosure_detail,
            disclosure_leaf,
            disclosure_leaf.c.entry_id == disclosure_detail.c.entry_id,
        )
        .where(
            or_(
                disclosure_detail.c.party_id == party_id,
                disclosure_detail.c.party_id.in_(merged),
                disclosure_detail.c.entry_id.in_(asked.where(party_record.c.party_id == party_id)),
            )
        )
        .order_by(disclosure_leaf.c.leaf_no),
    )


def of_delivery(conn: Connection, delivery_id: str) -> pd.DataFrame:
    """Who stood in a delivery and with which fields (R60): leaf_no, leaf and the detail, less its salt."""
    return frames.rows(
        conn,
        select(*_LOGGED)
        .join_from(
            disclosure_detail,
            disclosure_leaf,
            disclosure_leaf.c.entry_id == disclosure_detail.c.entry_id,
        )
        .where(disclosure_detail.c.delivery_id == delivery_id)
        .order_by(disclosure_leaf.c.leaf_no),
    )


def states_of(conn: Connection, delivery_ids: Collection[str]) -> pd.DataFrame:
    """What the log says became of deliveries: leaf_no, leaf, at, delivery_id, oldest first; no personal data."""
    wanted = pd.DataFrame({"delivery_id": sorted(delivery_ids)}, dtype="str")
    found = frames.rows(
        conn,
        select(
            disclosure_leaf.c.leaf_no,
            disclosure_leaf.c.leaf,
            disclosure_leaf.c.at,
            disclosure_leaf.c.delivery_id,
        )
        .where(
            disclosure_leaf.c.entry_id.is_(None),
            frames.matching(conn, disclosure_leaf, wanted, ("delivery_id",)),
        )
        .order_by(disclosure_leaf.c.leaf_no),
    )
    return found[[json.loads(leaf)["t"] in _STATES for leaf in found["leaf"]]]


def recent(conn: Connection, limit: int) -> pd.DataFrame:
    """The last leaves, newest first: leaf_no, entry_id, delivery_id, leaf, at; no personal data."""
    return frames.rows(
        conn, select(disclosure_leaf).order_by(disclosure_leaf.c.leaf_no.desc()).limit(limit)
    )


def list_deliveries(conn: Connection, limit: int) -> pd.DataFrame:
    """The last deliveries and look-ups, newest first, as the log has them; no people.

    at, recipient, operation, delivery_id, people (rows or persons asked about), state (of the delivery).
    """
    found = conn.execution_options(yield_per=500).execute(
        select(disclosure_leaf.c.at, disclosure_leaf.c.leaf, delivery.c.state)
        .outerjoin_from(
            disclosure_leaf, delivery, delivery.c.delivery_id == disclosure_leaf.c.delivery_id
        )
        .where(disclosure_leaf.c.entry_id.is_(None))
        .order_by(disclosure_leaf.c.leaf_no.desc())
    )
    calls = ((at, json.loads(leaf), state) for at, leaf, state in found)
    rows = (
        (at, fact.get("to"), fact.get("operation", "delivery"), fact.get("d"), fact.get("n"), state)
        for at, fact, state in calls
        if fact["t"] in ("intent", "lookup_call")
    )
    columns = ["at", "recipient", "operation", "delivery_id", "people", "state"]
    listed = pd.DataFrame(list(islice(rows, limit)), columns=columns)
    found.close()
    return listed.astype({**dict.fromkeys(columns, "str"), "people": "Int64"})


def erase(conn: Connection, entries: pd.DataFrame) -> int:
    """Destroy the details of entries (column entry_id); their leaves stay as random numbers."""
    return frames.remove_from(conn, disclosure_detail, entries, ("entry_id",))


def leaf_count(conn: Connection) -> int:
    """How many leaves the log has."""
    return conn.scalar(select(func.count()).select_from(disclosure_leaf)) or 0


def detail_count(conn: Connection) -> int:
    """How many details the log still holds."""
    return conn.scalar(select(func.count()).select_from(disclosure_detail)) or 0


def leaves_out_of_line(conn: Connection) -> int:
    """How many leaf numbers between 0 and the highest are missing; anything but 0 is a broken log."""
    last, held = conn.execute(
        select(func.max(disclosure_leaf.c.leaf_no), func.count(disclosure_leaf.c.leaf_no))
    ).one()
    return 0 if last is None else int(last + 1 - held)


def unlogged_rows(conn: Connection) -> int:
    """How many rows left the house, or may have, without a leaf of their own; must be 0 (R23)."""
    logged = (
        select(disclosure_leaf.c.delivery_id, func.count().label("people"))
        .where(disclosure_leaf.c.entry_id.is_not(None), disclosure_leaf.c.delivery_id.is_not(None))
        .group_by(disclosure_leaf.c.delivery_id)
        .subquery()
    )
    found = conn.execute(
        select(delivery.c.rows, func.coalesce(logged.c.people, 0))
        .outerjoin_from(delivery, logged, delivery.c.delivery_id == logged.c.delivery_id)
        .where(delivery.c.state.in_(_LEFT_THE_HOUSE))
    )
    return sum(max(0, rows - people) for rows, people in found)


def altered_details(conn: Connection) -> int:
    """How many details no longer are what their leaf commits to, or have no leaf; must be 0."""
    found = conn.execute(
        select(disclosure_leaf.c.leaf, *disclosure_detail.c).outerjoin_from(
            disclosure_detail,
            disclosure_leaf,
            disclosure_leaf.c.entry_id == disclosure_detail.c.entry_id,
        )
    ).mappings()
    altered = 0
    for row in found:
        said = committed(
            content=row["content"],
            recipient=row["recipient"],
            operation=row["operation"],
            purpose=row["purpose"],
            subject=row["subject_key"],
        )
        proven = row["leaf"] is not None and json.loads(row["leaf"]).get("c") == commit(
            said, row["salt"]
        )
        altered += not proven
    return altered
