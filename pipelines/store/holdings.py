"""What each recipient holds as told, who is held back from it, and what was returned to a register.

Belongs here: the rows a recipient has taken or refused, and whose rows wait. Does not belong here: a
delivery on its way (`deliveries`), which rows there are to tell (`domain.extract`).
"""

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Connection, delete, func, select

from pipelines.store import frames
from pipelines.store.tables import (
    delivery,
    delivery_row,
    held_row,
    party,
    returned_value,
    role,
    told_row,
)

# ---- what the recipient holds


def told_to(conn: Connection, recipient: str, parties: pd.DataFrame | None = None) -> pd.DataFrame:
    """row_key, party_id, row: what the recipient was last told, of `parties` (party_id) or of all."""
    statement = (
        select(told_row.c.row_key, told_row.c.party_id, told_row.c.row)
        .where(told_row.c.recipient == recipient)
        .order_by(told_row.c.row_key)
    )
    if parties is not None:
        statement = statement.where(frames.matching(conn, told_row, parties, ("party_id",)))
    return frames.rows(conn, statement)


def told_under(conn: Connection, recipient: str, keys: pd.DataFrame) -> pd.DataFrame:
    """row_key, party_id, row: what the recipient was last told under these row keys (row_key)."""
    mine = keys[["row_key"]].assign(recipient=recipient)
    return frames.rows(
        conn,
        select(told_row.c.row_key, told_row.c.party_id, told_row.c.row)
        .where(frames.matching(conn, told_row, mine, ("recipient", "row_key")))
        .order_by(told_row.c.row_key),
    )


def adopt(conn: Connection, recipient: str, rows: pd.DataFrame) -> int:
    """Take over what the recipient held before the hub told it anything (row_key, party_id, row)."""
    adopted = rows[["row_key", "party_id", "row"]].assign(recipient=recipient, delivery_id=None)
    return frames.upsert(conn, told_row, adopted)


def adopted_rows(conn: Connection, recipient: str, parties: Sequence[int]) -> list[dict[str, str]]:
    """The rows about these parties that a recipient held before the hub told it anything."""
    return list(
        conn.scalars(
            select(told_row.c.row).where(
                told_row.c.recipient == recipient,
                told_row.c.party_id.in_(parties),
                told_row.c.delivery_id.is_(None),
            )
        )
    )


def disown(conn: Connection, recipient: str) -> int:
    """Forget what was adopted for a recipient; returns how many rows. What we told it stays."""
    adopted = (told_row.c.recipient == recipient) & told_row.c.delivery_id.is_(None)
    return conn.execute(delete(told_row).where(adopted)).rowcount


def told_by_us(conn: Connection, recipient: str) -> bool:
    """Whether the recipient holds anything that came in a delivery of ours."""
    ours = select(told_row.c.row_key).where(
        told_row.c.recipient == recipient, told_row.c.delivery_id.is_not(None)
    )
    return conn.execute(ours.limit(1)).first() is not None


def remember(conn: Connection, recipient: str, accepted: pd.DataFrame, delivery_id: str) -> None:
    """The last row told under each key; an ended or merged one stays, so that it is not told again."""
    told = accepted[["row_key", "party_id", "row"]]
    frames.upsert(conn, told_row, told.assign(recipient=recipient, delivery_id=delivery_id))


def refused_rows(conn: Connection, recipient: str) -> pd.DataFrame:
    """row_key, row: what the recipient refused last under each key and has not taken since."""
    found = frames.rows(
        conn,
        select(delivery_row.c.row_key, delivery_row.c.row, delivery.c.sequence)
        .join_from(delivery_row, delivery)
        .where(delivery.c.recipient == recipient, delivery_row.c.status == "rejected")
        .order_by(delivery.c.sequence),
    )
    return found.drop_duplicates("row_key", keep="last")[["row_key", "row"]]


def departed_parties(conn: Connection, recipient: str) -> pd.Series:
    """Parties that the recipient knows, or from whom something is held, and the register no longer has.

    Their last role went to somebody else. Who was told as ended or merged is not among them.
    """
    gone = party.c.party_id.is_(None)
    told = frames.rows(
        conn,
        select(told_row.c.party_id, told_row.c.row)
        .outerjoin_from(told_row, party, told_row.c.party_id == party.c.party_id)
        .where(told_row.c.recipient == recipient, told_row.c.party_id.is_not(None), gone),
    )
    is_over = [row.get("event") in ("ended", "merged") for row in told["row"]]
    held_back = conn.scalars(
        select(held_row.c.party_id)
        .outerjoin_from(held_row, party, held_row.c.party_id == party.c.party_id)
        .where(held_row.c.recipient == recipient, gone)
    )
    known = {*told.loc[[not over for over in is_over], "party_id"], *held_back}
    return pd.Series(sorted(known), dtype="Int64", name="party_id")


def departed_points(conn: Connection, recipient: str) -> pd.Series:
    """Points (point_id) that the recipient was told of, and that nobody holds a connection at any more."""
    told = conn.scalars(select(told_row.c.row_key).where(told_row.c.recipient == recipient))
    connected = set(conn.scalars(select(role.c.point_id).where(role.c.role_type == "holder")))
    gone = {int(key) for key in told if key.isdigit()} - connected
    return pd.Series(sorted(gone), dtype="Int64", name="point_id")


# ---- who is held back


def hold(
    conn: Connection, recipient: str, parties: pd.DataFrame, held: pd.DataFrame, now: str
) -> None:
    """Of the parties looked at (party_id), exactly those in `held` (party_id, reason) are held back.

    One held already keeps the instant since when.
    """
    looked_at = pd.concat([parties[["party_id"]], held[["party_id"]]]).astype("Int64")
    mine = looked_at.assign(recipient=recipient)
    before = frames.rows(
        conn,
        select(held_row).where(frames.matching(conn, held_row, mine, ("recipient", "party_id"))),
    )
    frames.remove_from(conn, held_row, mine, ("recipient", "party_id"))
    now_held = (
        held[["party_id", "reason"]].astype({"party_id": "Int64"}).drop_duplicates("party_id")
    )
    kept = now_held.merge(before[["party_id", "since"]], on="party_id", how="left")
    kept["since"] = kept["since"].astype("str").fillna(now)
    frames.upsert(conn, held_row, kept.assign(recipient=recipient))


def held(conn: Connection, recipient: str) -> pd.DataFrame:
    """party_id, reason, since of everybody held back from a recipient."""
    return frames.rows(
        conn,
        select(held_row.c.party_id, held_row.c.reason, held_row.c.since)
        .where(held_row.c.recipient == recipient)
        .order_by(held_row.c.party_id),
    )


def held_count(conn: Connection, recipient: str) -> int:
    """How many parties are held back from a recipient."""
    return sum(held_reasons(conn, recipient).values())


def held_reasons(conn: Connection, recipient: str) -> dict[str, int]:
    """Reason → how many parties it holds back from a recipient."""
    found = conn.execute(
        select(held_row.c.reason, func.count())
        .where(held_row.c.recipient == recipient)
        .group_by(held_row.c.reason)
        .order_by(held_row.c.reason)
    )
    return {reason: n for reason, n in found}


# ---- what was returned to a register


def returned(conn: Connection, recipient: str) -> pd.DataFrame:
    """their_key, field, value, state, business_date (of its delivery) of everything returned to a register."""
    return frames.rows(
        conn,
        select(
            returned_value.c.their_key,
            returned_value.c.field,
            returned_value.c.value,
            returned_value.c.state,
            delivery.c.business_date,
        )
        .where(returned_value.c.recipient == recipient)
        .join(delivery, delivery.c.delivery_id == returned_value.c.delivery_id)
        .order_by(returned_value.c.their_key, returned_value.c.field),
    )


def echoes(conn: Connection) -> pd.DataFrame:
    """source, source_key, field, value of what any register says because we told it (DESIGN 10)."""
    source, key = returned_value.c.source, returned_value.c.their_key
    found = frames.rows(
        conn,
        select(source, key, returned_value.c.field, returned_value.c.value).where(
            returned_value.c.state.in_(("sent", "confirmed")), source.is_not(None)
        ),
    )
    return found.rename(columns={"their_key": "source_key"})


def mark_returned(conn: Connection, recipient: str, answers: pd.DataFrame, now: str) -> int:
    """Note what became of returned values: their_key, field, state; returns how many were known."""
    known = frames.rows(
        conn,
        select(returned_value).where(
            frames.matching(
                conn,
                returned_value,
                answers.assign(recipient=recipient),
                ("recipient", "their_key", "field"),
            )
        ),
    )
    marked = known.drop(columns=["state", "at"]).merge(
        answers[["their_key", "field", "state"]], on=["their_key", "field"]
    )
    return frames.upsert(conn, returned_value, marked.assign(at=now))


def returned_counts(conn: Connection, recipient: str) -> dict[str, int]:
    """State → how many of the values returned to a register are in it now."""
    found = conn.execute(
        select(returned_value.c.state, func.count())
        .where(returned_value.c.recipient == recipient)
        .group_by(returned_value.c.state)
        .order_by(returned_value.c.state)
    )
    return {state: n for state, n in found}


def is_return(conn: Connection, delivery_id: str) -> bool:
    """Whether a delivery brings a register what we make of its own records."""
    noted = select(returned_value.c.field).where(returned_value.c.delivery_id == delivery_id)
    return conn.execute(noted.limit(1)).first() is not None


def reject_returned(conn: Connection, recipient: str, refused: pd.DataFrame, now: str) -> None:
    """Note that a register refused what it was returned; refused: row_key, `their_key/field`."""
    if refused.empty:
        return
    parts = refused["row_key"].str.rpartition("/")
    answers = pd.DataFrame({"their_key": parts[0], "field": parts[2], "state": "rejected"})
    mark_returned(conn, recipient, answers, now)
