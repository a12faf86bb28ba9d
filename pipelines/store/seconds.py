"""Acts that wait for a second person, by number.

Belongs here: writing one down, taking the answer down, once. Does not belong here: which acts want two people and what
they do (`steps.second_person`, whoever acts).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from pipelines.store.engine import StoreError
from pipelines.store.tables import second_request

State = Literal["waiting", "approved", "declined", "lapsed"]


@dataclass(frozen=True)
class Request:
    """One act that was asked for. facts: what it is about, none once it was decided."""

    request_no: int
    act: str
    facts: Mapping[str, Any] | None
    asked_by: str
    asked_at: str
    state: str
    decided_by: str | None = None
    decided_at: str | None = None
    decision_reason: str | None = None


def record(conn: Connection, act: str, facts: Mapping[str, Any], who: str, now: str) -> int:
    """Write a request down; returns its number."""
    number: int = conn.execute(
        insert(second_request)
        .values(act=act, facts=dict(facts), asked_by=who, asked_at=now, state="waiting")
        .returning(second_request.c.request_no)
    ).scalar_one()
    return number


def read(conn: Connection, request_no: int) -> Request | None:
    """The request of that number, None when there is none."""
    statement = select(second_request).where(second_request.c.request_no == request_no)
    row = conn.execute(statement).mappings().first()
    return None if row is None else Request(**row)


def waiting(conn: Connection) -> list[Request]:
    """What waits for a second person, oldest first."""
    statement = (
        select(second_request)
        .where(second_request.c.state == "waiting")
        .order_by(second_request.c.request_no)
    )
    return [Request(**row) for row in conn.execute(statement).mappings()]


def decide(conn: Connection, request_no: int, state: State, who: str, why: str, now: str) -> None:
    """Take the answer down and forget what it was about; StoreError, naming the number, when it is not open."""
    done = conn.execute(
        update(second_request)
        .where(second_request.c.request_no == request_no, second_request.c.state == "waiting")
        .values(state=state, facts=None, decided_by=who, decided_at=now, decision_reason=why)
    ).rowcount
    if not done:
        raise StoreError(f"request {request_no} waits no more")


def lapse(conn: Connection, before: str) -> int:
    """Requests made before an instant are over, and what they were about is forgotten; returns how many."""
    return conn.execute(
        update(second_request)
        .where(second_request.c.state == "waiting", second_request.c.asked_at < before)
        .values(state="lapsed", facts=None, decided_at=before)
    ).rowcount
