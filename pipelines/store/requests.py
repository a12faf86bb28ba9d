"""Requests to refresh customers, by number: what a Dagster run may know of people is such a number.

Belongs here: writing a request down, reading it, its outcome, forgetting whom it was about. Does not belong
here: carrying one out (`steps.refresh_address`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from pipelines.store.tables import refresh_request


@dataclass(frozen=True)
class Request:
    """One request. customers: the own register's numbers, none once they were forgotten.

    state: open or done. answered: source → how it answered. changed: customer number → names of the
    fields that changed, never a value.
    """

    request_no: int
    customers: Sequence[str]
    asked_by: str
    asked_at: str
    state: str
    answered: Mapping[str, str] | None = None
    changed: Mapping[str, Sequence[str]] | None = None
    finished_at: str | None = None


def record(conn: Connection, customers: Sequence[str], who: str, now: str) -> int:
    """Write a request down; returns its number."""
    number: int = conn.execute(
        insert(refresh_request)
        .values(customers=list(customers), asked_by=who, asked_at=now, state="open")
        .returning(refresh_request.c.request_no)
    ).scalar_one()
    return number


def read(conn: Connection, request_no: int) -> Request | None:
    """The request of that number, None when there is none."""
    found = conn.execute(
        select(refresh_request).where(refresh_request.c.request_no == request_no)
    ).mappings()
    row = found.first()
    return None if row is None else Request(**row)


def finish(
    conn: Connection,
    request_no: int,
    answered: Mapping[str, str],
    changed: Mapping[str, Sequence[str]],
    now: str,
) -> None:
    """The request has been carried out."""
    conn.execute(
        update(refresh_request)
        .where(refresh_request.c.request_no == request_no)
        .values(
            state="done", answered=dict(answered), finished_at=now,
            changed={number: list(fields) for number, fields in changed.items()},
        )
    )  # fmt: skip


def forget_customers(conn: Connection, before: str) -> int:
    """Empty the requests made before an instant of whom they were about; returns how many were."""
    old = (refresh_request.c.asked_at < before) & (refresh_request.c.customers != [])
    return conn.execute(
        update(refresh_request).where(old).values(customers=[], changed=None)
    ).rowcount
