"""What every night asks of the disclosure log: is everything that left in it, and is it whole?

Belongs here: the few questions that are cheap enough for every night. Does not belong here: recomputing the
whole log (`verification`).
"""

from sqlalchemy import Connection, func, select

from pipelines.store.tables import delivery, disclosure_leaf

_LEFT_THE_HOUSE = ("sending", "sent", "uncertain", "acknowledged")


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
