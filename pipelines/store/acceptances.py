"""Batches of implausible size that two people have let in, and whether they came.

Belongs here: writing one down, finding the one that fits a batch, using it once. Does not belong here: who may let one in
(`steps.accept_volume`), which size is implausible (`expectations.volume`). Counts and dates only.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from pipelines.store.engine import StoreError
from pipelines.store.tables import volume_acceptance


@dataclass(frozen=True)
class Wanted:
    """What is let in of a source: one batch of fewest to most records, on a business date up to valid_to.

    held_on, total: the batch that was held and looked at. usual: what the source had brought until then, if known.
    """

    source: str
    held_on: str
    total: int
    usual: int | None
    fewest: int
    most: int
    valid_to: str
    reason: str
    asked_by: str
    asked_at: str
    approved_by: str
    approved_at: str


@dataclass(frozen=True)
class Acceptance(Wanted):
    """One that was let in; used_on, used_total: when it came, None while it has not."""

    acceptance_no: int
    used_on: str | None
    used_total: int | None


def record(conn: Connection, wanted: Wanted) -> int:
    """Let a batch in; returns the acceptance's number."""
    number: int = conn.execute(
        insert(volume_acceptance).values(vars(wanted)).returning(volume_acceptance.c.acceptance_no)
    ).scalar_one()
    return number


def open_of(conn: Connection, source: str, business_date: str) -> Acceptance | None:
    """The newest that still waits for its batch on a business date; None without one."""
    statement = (
        select(volume_acceptance)
        .where(
            volume_acceptance.c.source == source,
            volume_acceptance.c.used_on.is_(None),
            volume_acceptance.c.held_on <= business_date,
            volume_acceptance.c.valid_to >= business_date,
        )
        .order_by(volume_acceptance.c.acceptance_no.desc())
        .limit(1)
    )
    row = conn.execute(statement).mappings().first()
    return None if row is None else Acceptance(**row)


def fitting(
    conn: Connection, source: str, total: int | None, business_date: str
) -> Acceptance | None:
    """The acceptance that lets a batch of this size in on a business date; None when none does."""
    found = open_of(conn, source, business_date)
    fits = found is not None and total is not None and found.fewest <= total <= found.most
    return found if fits else None


def use(conn: Connection, acceptance_no: int, total: int, business_date: str) -> None:
    """Its batch has come: it lets no other in. StoreError, naming the number, when it was used before."""
    done = conn.execute(
        update(volume_acceptance)
        .where(
            volume_acceptance.c.acceptance_no == acceptance_no,
            volume_acceptance.c.used_on.is_(None),
        )
        .values(used_on=business_date, used_total=total)
    ).rowcount
    if not done:
        raise StoreError(f"acceptance {acceptance_no} was used before")
