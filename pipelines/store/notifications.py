"""Recalls and notices of correction: who has to hear about what they were told, and how far that is (R43, R56).

Belongs here: finding who was told and whether it left, keeping the rows and their states. Does not belong here: which
values were wrong (`domain.notification`), who decides (`steps.recall`). No value of anybody is kept.

    prepared ─▶ approved ─▶ sent ─▶ acknowledged        declined: an officer decided against it
    void: what it was about never left after all
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Select, Text, insert, select, type_coerce, update

from pipelines.domain.notification import Kind, Route, State
from pipelines.store import frames
from pipelines.store.tables import (
    delivery,
    delivery_progress,
    delivery_row,
    disclosure_detail,
    disclosure_terms,
    landing_record,
    notification,
    party_redirect,
    told_row,
)

OPEN = ("prepared", "approved")
_GONE = ("sending", "sent", "uncertain", "acknowledged")
_WITHHELD = "WITHHELD"  # as `steps.stop` notes a row that never left


@dataclass(frozen=True)
class Wanted:
    """One notification to be queued; fields are names."""

    kind: Kind
    recipient: str
    party_id: int
    fields: tuple[str, ...]
    why: str
    cause: str
    told_in: tuple[str, ...]
    route: Route
    state: State


# ---- who was told


def correcting_records(conn: Connection, source: str) -> pd.DataFrame:
    """source, source_key of the records of a source that were taken down as corrections."""
    marked = type_coerce(landing_record.c.content, Text).contains('"corrects":true')
    return frames.rows(
        conn,
        select(landing_record.c.source, landing_record.c.source_key).where(
            landing_record.c.source == source, marked
        ),
    )


def anybody_told(conn: Connection, parties: pd.DataFrame) -> bool:
    """Whether a row about one of these parties (party_id) was ever frozen for, or is held by, a recipient."""
    return any(
        conn.scalar(
            select(table.c.party_id)
            .where(frames.matching(conn, table, parties, ("party_id",)))
            .limit(1)
        )
        is not None
        for table in (delivery_row, told_row)
    )


def one_party(conn: Connection, party_id: int) -> list[int]:
    """A party and whoever has gone into it."""
    into = select(party_redirect.c.party_id).where(party_redirect.c.into_party_id == party_id)
    return [party_id, *conn.scalars(into)]


def rows_that_left(conn: Connection, party_id: int, *, or_will: bool = False) -> pd.DataFrame:
    """entry_id, recipient, fields, delivery_id, at, row_key of what a party's recipients got, oldest first.

    A delivery under way counts: it may have arrived. or_will: what is frozen too, since it leaves as it is. What was
    given up or withheld never left. An entry stands once per row of its delivery about the party.
    """
    parties = one_party(conn, party_id)
    found = _frame(
        conn,
        select(
            disclosure_detail.c.entry_id,
            disclosure_terms.c.recipient,
            disclosure_terms.c.fields,
            disclosure_terms.c.delivery_id,
            disclosure_terms.c.at,
            delivery_row.c.row_key,
            delivery_row.c.code,
            delivery.c.state,
            delivery_progress.c.state.label("progress"),
            delivery_progress.c.code.label("progress_code"),
        )
        .join_from(
            disclosure_detail,
            disclosure_terms,
            disclosure_terms.c.terms_no == disclosure_detail.c.terms_no,
        )
        .join(delivery, delivery.c.delivery_id == disclosure_terms.c.delivery_id)
        .join(delivery_row, delivery_row.c.delivery_id == delivery.c.delivery_id)
        .outerjoin(
            delivery_progress,
            (delivery_progress.c.delivery_id == delivery_row.c.delivery_id)
            & (delivery_progress.c.row_no == delivery_row.c.row_no),
        )
        .where(
            disclosure_detail.c.holder.in_([f"P{party}" for party in parties]),
            delivery_row.c.party_id.in_(parties),
            delivery.c.state != "aborted",
        )
        .order_by(disclosure_terms.c.at, disclosure_detail.c.entry_id, delivery_row.c.row_no),
    )
    withheld = (found["code"] == _WITHHELD) | (found["progress_code"] == _WITHHELD)
    left = found["state"].isin(_GONE) | found["progress"].notna() | or_will
    columns = ["entry_id", "recipient", "fields", "delivery_id", "at", "row_key"]
    return found.loc[(left & ~withheld.fillna(False)).astype(bool), columns].reset_index(drop=True)


def frozen_about(conn: Connection, parties: Sequence[int], since: str) -> pd.DataFrame:
    """recipient, delivery_id, prepared_at of what was frozen about these parties from an instant on, a line a row told.

    What was given up is left out; the rest has left, or leaves as it is.
    """
    return frames.rows(
        conn,
        select(delivery.c.recipient, delivery.c.delivery_id, delivery.c.prepared_at)
        .join_from(delivery, delivery_row)
        .where(
            delivery_row.c.party_id.in_(list(parties)),
            delivery.c.prepared_at >= since,
            delivery.c.state != "aborted",
        )
        .order_by(delivery.c.recipient, delivery.c.prepared_at),
    )


# ---- keeping them


def queue(conn: Connection, wanted: Iterable[Wanted], now: str) -> list[Wanted]:
    """Queue notifications, each once however often a night is run; returns those that are new."""
    fresh = []
    for one in wanted:
        known = of_cause(conn, one.kind, one.recipient, one.party_id, one.cause)
        fields = [name for name in one.fields if name not in known]
        if not fields:
            continue
        conn.execute(
            insert(notification).values(
                kind=one.kind, recipient=one.recipient, party_id=one.party_id, fields=fields,
                why=one.why, cause=one.cause, told_in=list(one.told_in), route=one.route,
                state=one.state, prepared_at=now,
            )
        )  # fmt: skip
        fresh.append(one)
    return fresh


def of_cause(conn: Connection, kind: str, recipient: str, party_id: int, cause: str) -> set[str]:
    """The fields that a party's notifications to a recipient for one cause speak of already."""
    found = conn.scalars(
        select(notification.c.fields).where(
            notification.c.kind == kind,
            notification.c.recipient == recipient,
            notification.c.party_id == party_id,
            notification.c.cause == cause,
        )
    )
    return {name for fields in found for name in fields}


def last_prepared(conn: Connection, kind: str, recipient: str, party_id: int) -> str | None:
    """When a recipient's newest notification about a party was prepared."""
    return conn.scalar(
        select(notification.c.prepared_at)
        .where(
            notification.c.kind == kind,
            notification.c.recipient == recipient,
            notification.c.party_id.in_(one_party(conn, party_id)),
        )
        .order_by(notification.c.prepared_at.desc())
        .limit(1)
    )


def listed(conn: Connection, states: Sequence[str] | None = None) -> pd.DataFrame:
    """All columns of the notifications in these states, or of all, oldest first."""
    statement = select(notification).order_by(notification.c.notification_no)
    if states is not None:
        statement = statement.where(notification.c.state.in_(states))
    return frames.rows(conn, statement)


def find(conn: Connection, number: int) -> pd.Series | None:
    """One notification, None when there is none."""
    statement = select(notification).where(notification.c.notification_no == number)
    found = frames.rows(conn, statement)
    return None if found.empty else found.iloc[0]


def of_party(conn: Connection, party_id: int) -> pd.DataFrame:
    """Every notification about a party, whoever has gone into it included, oldest first."""
    statement = select(notification).where(notification.c.party_id.in_(one_party(conn, party_id)))
    return frames.rows(conn, statement.order_by(notification.c.notification_no))


def move(conn: Connection, number: int, state: State, **values: str | None) -> None:
    """Give a notification another state, with what belongs to it."""
    conn.execute(
        update(notification)
        .where(notification.c.notification_no == number)
        .values(state=state, **values)
    )


def carrying(conn: Connection) -> pd.DataFrame:
    """Of every notification that waits for a delivery: notification_no, state, fields, told_in, and of each later row
    about its party to its recipient delivery_id, row_key, status, delivery_state.
    """
    now_in = party_redirect.c.into_party_id
    return _frame(
        conn,
        select(
            notification.c.notification_no,
            notification.c.state,
            notification.c.fields,
            notification.c.told_in,
            delivery.c.delivery_id,
            delivery_row.c.row_key,
            delivery_row.c.status,
            delivery.c.state.label("delivery_state"),
        )
        .outerjoin_from(
            notification, party_redirect, party_redirect.c.party_id == notification.c.party_id
        )
        .join(delivery, delivery.c.recipient == notification.c.recipient)
        .join(
            delivery_row,
            (delivery_row.c.delivery_id == delivery.c.delivery_id)
            & (
                (delivery_row.c.party_id == notification.c.party_id)
                | (delivery_row.c.party_id == now_in)
            ),
        )
        .where(
            notification.c.route == "delivery",
            notification.c.state.in_(("approved", "sent")),
            delivery.c.prepared_at >= notification.c.prepared_at,
        )
        .order_by(notification.c.notification_no, delivery.c.prepared_at),
    )


def _frame(conn: Connection, statement: Select[Any]) -> pd.DataFrame:
    """The few rows of a join in which two tables name a column alike."""
    found = conn.execute(statement)
    names = list(found.keys())
    return pd.DataFrame(found.fetchall(), columns=names)


def given_up(conn: Connection) -> list[int]:
    """Open notifications of which every delivery that they are about was given up after all."""
    about = listed(conn, OPEN)
    about = about[about["told_in"].map(len) > 0]
    named = sorted({name for names in about["told_in"] for name in names})
    frame = pd.DataFrame({"delivery_id": named}, dtype="str")
    gone = set(
        conn.scalars(
            select(delivery.c.delivery_id).where(
                frames.matching(conn, delivery, frame, ("delivery_id",)),
                delivery.c.state == "aborted",
            )
        )
    )
    over = [set(names) <= gone for names in about["told_in"]]
    return [int(number) for number in about.loc[over, "notification_no"]]
