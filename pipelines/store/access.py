"""Who looked at or did what, about whom (PRIVACY §2.7).

Belongs here: the audit log of our own people, append-only like the disclosure log and apart from it: a
person asking who was told must not learn a clerk's name. Does not belong here: disclosures to others.
"""

from collections.abc import Iterable

import pandas as pd
from sqlalchemy import Connection, insert, select

from pipelines.store import frames
from pipelines.store.tables import access_log


def record(
    conn: Connection,
    at: str,
    who: str,
    operation: str,
    party_id: int | None = None,
    purpose: str | None = None,
    detail: str | None = None,
) -> None:
    """Add one line. detail: an id or a count, never a person's data, since it can't be taken out again."""
    conn.execute(
        insert(access_log).values(
            at=at, who=who, operation=operation, party_id=party_id, purpose=purpose, detail=detail
        )
    )


def record_many(
    conn: Connection, at: str, who: str, operation: str, parties: Iterable[int], purpose: str
) -> None:
    """Add a line about each party; one about nobody when the look found nobody."""
    lines = [
        {"at": at, "who": who, "operation": operation, "party_id": int(party), "purpose": purpose}
        for party in parties
    ]
    if lines:
        conn.execute(insert(access_log), lines)
    else:
        record(conn, at, who, operation, purpose=purpose)


def recent(conn: Connection, limit: int) -> pd.DataFrame:
    """The last lines, newest first, all columns."""
    return frames.rows(
        conn, select(access_log).order_by(access_log.c.access_id.desc()).limit(limit)
    )


def of_party(conn: Connection, party_id: int) -> pd.DataFrame:
    """Every line about a party, oldest first, all columns."""
    return frames.rows(
        conn,
        select(access_log)
        .where(access_log.c.party_id == party_id)
        .order_by(access_log.c.access_id),
    )
