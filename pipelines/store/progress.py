"""How far a delivery has come that can be broken off, row by row or, as row 0, whole (`connectors.base.Resuming`).

Belongs here: noting it so that it outlives a kill, reading it, forgetting it once the delivery is answered. Does
not belong here: the delivery's own life (`deliveries`), what an answer means (recipients). Row numbers and codes
only: nothing about a person.
"""

from typing import Any

from sqlalchemy import Connection, delete, insert, select

from pipelines.store.tables import delivery_progress


def note(
    conn: Connection, delivery_id: str, row_no: int, state: str, code: str, attempt: int
) -> None:
    """A row has come so far; replaces what was noted of it before."""
    of_row = (
        delivery_progress.c.delivery_id == delivery_id,
        delivery_progress.c.row_no == row_no,
    )
    conn.execute(delete(delivery_progress).where(*of_row))
    noted: dict[str, Any] = {"state": state, "code": code or None, "attempt": attempt}
    conn.execute(insert(delivery_progress).values(delivery_id=delivery_id, row_no=row_no, **noted))


def of(conn: Connection, delivery_id: str) -> dict[int, tuple[str, str, int]]:
    """Row number → state, code, attempt of the rows begun."""
    found = conn.execute(
        select(delivery_progress)
        .where(delivery_progress.c.delivery_id == delivery_id)
        .order_by(delivery_progress.c.row_no)
    )
    return {row.row_no: (row.state, row.code or "", row.attempt) for row in found}


def forget(conn: Connection, delivery_id: str) -> None:
    """The delivery is answered: its rows say themselves what became of them."""
    conn.execute(delete(delivery_progress).where(delivery_progress.c.delivery_id == delivery_id))
