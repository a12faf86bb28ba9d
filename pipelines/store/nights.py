"""What the hub remembers from night to night.

Belongs here: step executions and what they worked through, nights, feeds and their cursors, counters of
ids and how ids parted or met, single facts. Does not belong here: anything about a person but opaque ids.
"""

import sqlite3
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlalchemy import Column, Connection, Engine, Select, func, insert, select, update

from pipelines.store import frames
from pipelines.store.engine import StoreError, one_at_a_time, without_values
from pipelines.store.tables import (
    feed_cursor,
    feed_night,
    hub_fact,
    id_counter,
    night,
    party_redirect,
    party_split,
    step_run,
    volume_acceptance,
)

_NIGHTS_OF_USUAL = 10


@dataclass(frozen=True)
class Night:
    """One business date as it was run; finished_at is None while it runs, or for ever if it died."""

    night_id: int
    business_date: str
    started_at: str
    finished_at: str | None
    status: str
    letter: Mapping[str, Any] | None


@dataclass(frozen=True)
class FeedNight:
    """What one source brought on one business date, at its latest attempt."""

    source: str
    business_date: str
    attempt: int
    status: str
    fetched: int
    landed: int
    unchanged: int
    faults: int
    total: int | None
    dropped: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    reason: str | None = None
    at: str = ""


# ---- steps


def latest_step_run(conn: Connection) -> int:
    """The highest step execution so far, 0 before the first; rows stamped up to it are in the store."""
    return conn.scalar(select(func.max(step_run.c.step_run))) or 0


def begin_step(conn: Connection, step: str, business_date: str, now: str) -> int:
    """A new number for one execution of a step, higher than any before it.

    Stamping transactions follow one another: on PostgreSQL a later number would otherwise become
    visible before an earlier one, and whoever worked through the later would never see the earlier.
    """
    one_at_a_time(conn, "step_run")
    number: int = conn.execute(
        insert(step_run)
        .values(step=step, business_date=business_date, started_at=now)
        .returning(step_run.c.step_run)
    ).scalar_one()
    return number


def finish_step(
    conn: Connection, run: int, consumed: int, counts: Mapping[str, int], now: str
) -> None:
    """The execution is done and has worked through all rows stamped up to `consumed`."""
    conn.execute(
        update(step_run)
        .where(step_run.c.step_run == run)
        .values(finished_at=now, consumed=consumed, counts=dict(counts))
    )


def last_consumed(conn: Connection, step: str) -> int:
    """The stamp up to which the step's last finished execution worked; 0 when there is none."""
    return conn.scalar(_last_finished(step_run.c.consumed, step)) or 0


def first_consuming(conn: Connection, step: str, stamp: int) -> str | None:
    """When the first finished execution of a step began that has worked through a stamp; none while none has."""
    return conn.scalar(
        select(step_run.c.started_at)
        .where(
            step_run.c.step == step,
            step_run.c.finished_at.is_not(None),
            step_run.c.consumed >= stamp,
        )
        .order_by(step_run.c.step_run)
        .limit(1)
    )


def last_good_date(conn: Connection, step: str) -> str | None:
    """The business date of the step's last finished execution."""
    date: str | None = conn.scalar(_last_finished(step_run.c.business_date, step))
    return date


def _last_finished(column: Column[Any], step: str) -> Select[Any]:
    return (
        select(column)
        .where(step_run.c.step == step, step_run.c.finished_at.is_not(None))
        .order_by(step_run.c.step_run.desc())
        .limit(1)
    )


def start_over(conn: Connection, step: str) -> None:
    """Let the step's next execution work through everything again (a recipient that goes live)."""
    conn.execute(update(step_run).where(step_run.c.step == step).values(consumed=0))


def counts_of(conn: Connection, business_date: str) -> dict[str, Mapping[str, int]]:
    """Step → the counts of its last finished execution for the business date."""
    found = conn.execute(
        select(step_run.c.step, step_run.c.counts)
        .where(step_run.c.business_date == business_date, step_run.c.finished_at.is_not(None))
        .order_by(step_run.c.step_run)
    )
    return {step: counts or {} for step, counts in found}


# ---- nights


def open_night(conn: Connection, business_date: str, now: str) -> int:
    """Note that a night has begun; one that still runs in the table died, since we hold the run lock."""
    conn.execute(update(night).where(night.c.status == "running").values(status="failed"))
    number: int = conn.execute(
        insert(night)
        .values(business_date=business_date, started_at=now, status="running")
        .returning(night.c.night_id)
    ).scalar_one()
    return number


def close_night(
    conn: Connection,
    business_date: str,
    status: str,
    now: str,
    letter: Mapping[str, Any] | None = None,
) -> None:
    """Note how the business date's running night ended; letter holds counts only.

    A night nobody opened counts from its first step.
    """
    running = conn.scalar(
        select(func.max(night.c.night_id)).where(
            night.c.business_date == business_date, night.c.status == "running"
        )
    )
    values = {"finished_at": now, "status": status, "letter": letter}
    if running is not None:
        conn.execute(update(night).where(night.c.night_id == running).values(values))
        return
    ended = func.coalesce(
        select(func.max(night.c.finished_at))
        .where(night.c.business_date == business_date)
        .scalar_subquery(),
        "",
    )
    started = conn.scalar(
        select(func.min(step_run.c.started_at)).where(
            step_run.c.business_date == business_date, step_run.c.started_at >= ended
        )
    )
    conn.execute(
        insert(night).values(business_date=business_date, started_at=started or now, **values)
    )


def last_night(conn: Connection, *statuses: str) -> Night | None:
    """The latest night, of these statuses when some are given."""
    statement = select(night).order_by(night.c.night_id.desc()).limit(1)
    if statuses:
        statement = statement.where(night.c.status.in_(statuses))
    found = conn.execute(statement).mappings().first()
    return None if found is None else Night(**found)


def tidy(engine: Engine) -> None:
    """Fold SQLite's write-ahead log back into the file and refresh what its planner knows."""
    if engine.dialect.name != "sqlite":
        return  # autovacuum does as much
    connection = engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA optimize")
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        cursor.close()
    except sqlite3.Error as error:
        raise without_values(error) from None
    finally:
        connection.close()


# ---- feeds


def cursor_of(conn: Connection, source: str) -> Mapping[str, Any] | None:
    """Where to go on from with a source; None when nothing of it was ever landed."""
    return conn.scalar(select(feed_cursor.c.cursor).where(feed_cursor.c.source == source))


def move_cursor(
    conn: Connection,
    source: str,
    cursor: Mapping[str, Any],
    total: int | None,
    business_date: str,
    now: str,
) -> None:
    """Keep a source's position, in the transaction that lands what it brought."""
    row = {
        "source": source, "cursor": dict(cursor), "total": total, "business_date": business_date,
        "moved_at": now,
    }  # fmt: skip
    frames.upsert(conn, feed_cursor, pd.DataFrame([row]))


def record_feed(
    conn: Connection,
    source: str,
    business_date: str,
    *,
    status: str,
    now: str,
    fetched: int = 0,
    landed: int = 0,
    unchanged: int = 0,
    faults: int = 0,
    total: int | None = None,
    dropped: Mapping[str, int] | None = None,
    unknown: Mapping[str, int] | None = None,
    reason: str | None = None,
) -> int:
    """Note what one attempt at a source brought; returns the attempt's number on that date, from 1.

    status: ok, unchanged, down, refused or held. reason: a connector's line, without personal data.
    """
    before = conn.scalar(
        select(func.max(feed_night.c.attempt)).where(
            feed_night.c.source == source, feed_night.c.business_date == business_date
        )
    )
    attempt = (before or 0) + 1
    conn.execute(
        insert(feed_night).values(
            source=source, business_date=business_date, attempt=attempt, status=status,
            fetched=fetched, landed=landed, unchanged=unchanged, faults=faults, total=total,
            dropped=dict(dropped or {}), unknown=dict(unknown or {}), reason=reason, at=now,
        )
    )  # fmt: skip
    return attempt


def feeds_of(conn: Connection, business_date: str) -> list[FeedNight]:
    """The latest attempt at each source on a business date, by source."""
    found = conn.execute(
        select(feed_night)
        .where(feed_night.c.business_date == business_date)
        .order_by(feed_night.c.source, feed_night.c.attempt)
    ).mappings()
    return list({row["source"]: FeedNight(**row) for row in found}.values())


def usual_total(conn: Connection, source: str) -> int | None:
    """The median of what the source held on the last ten dates we accepted it; None before the first.

    Since two people let a batch of another size in, that is what is usual, and what was before counts no more.
    """
    restated = select(func.coalesce(func.max(volume_acceptance.c.used_on), "")).where(
        volume_acceptance.c.source == source
    )
    found = conn.execute(
        select(feed_night.c.business_date, feed_night.c.total)
        .where(
            feed_night.c.source == source,
            feed_night.c.status.in_(("ok", "unchanged")),
            feed_night.c.total.is_not(None),
            feed_night.c.business_date >= restated.scalar_subquery(),
        )
        .order_by(feed_night.c.business_date.desc(), feed_night.c.attempt)
        .limit(5 * _NIGHTS_OF_USUAL)
    )
    totals = list({date: total for date, total in found}.values())[:_NIGHTS_OF_USUAL]
    return int(statistics.median(totals)) if totals else None


def last_feed(conn: Connection, source: str) -> FeedNight | None:
    """The latest attempt at a source, on whatever date."""
    found = (
        conn.execute(
            select(feed_night)
            .where(feed_night.c.source == source)
            .order_by(feed_night.c.business_date.desc(), feed_night.c.attempt.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    return None if found is None else FeedNight(**found)


def last_heard(conn: Connection, source: str) -> str | None:
    """The last business date on which a source answered and was believed."""
    date: str | None = conn.scalar(
        select(func.max(feed_night.c.business_date)).where(
            feed_night.c.source == source, feed_night.c.status.in_(("ok", "unchanged"))
        )
    )
    return date


def heard_since(conn: Connection, source: str) -> str | None:
    """The last business date on which a source was heard; of one never heard, the first it was tried on."""
    date: str | None = last_heard(conn, source) or conn.scalar(
        select(func.min(feed_night.c.business_date)).where(feed_night.c.source == source)
    )
    return date


# ---- ids


def next_id(conn: Connection, name: str, count: int) -> int:
    """Take `count` ids of a kind, from the returned one on; an id once taken is never given again."""
    if count < 0:
        raise StoreError(f"{name}: a negative number of ids was asked for")
    counter = id_counter.c.next_value
    taken = conn.execute(
        update(id_counter)
        .where(id_counter.c.name == name)
        .values(next_value=counter + count)
        .returning(counter)
    ).scalar()
    if taken is None:
        conn.execute(insert(id_counter).values(name=name, next_value=1 + count))
        return 1
    return int(taken) - count


def peek_id(conn: Connection, name: str) -> int:
    """The id that `next_id` would give next."""
    return conn.scalar(select(id_counter.c.next_value).where(id_counter.c.name == name)) or 1


def redirect(
    conn: Connection, merged: pd.DataFrame, split: pd.DataFrame, business_date: str
) -> None:
    """Keep which party went into which (party_id, into_party_id), which came out (…, from_party_id).

    Whoever pointed to a party that now goes into another points there too, so one look is enough.
    """
    if not merged.empty:
        into = dict(zip(merged["party_id"], merged["into_party_id"], strict=True))
        condition = frames.matching(
            conn,
            party_redirect,
            merged[["party_id"]].rename(columns={"party_id": "into_party_id"}),
            ("into_party_id",),
        )
        earlier = frames.rows(conn, select(party_redirect).where(condition))
        fresh = merged[["party_id", "into_party_id"]].assign(business_date=business_date)
        every = pd.concat([earlier, fresh], ignore_index=True).drop_duplicates(
            "party_id", keep="last"
        )
        every["into_party_id"] = every["into_party_id"].map(lambda party: _end_of(party, into))
        frames.upsert(conn, party_redirect, every)
    if not split.empty:
        parted = split[["party_id", "from_party_id"]].assign(business_date=business_date)
        frames.upsert(conn, party_split, parted)


def revive(conn: Connection, parties: pd.DataFrame) -> int:
    """Parties (party_id) that hold records again redirect nowhere; returns how many did."""
    return frames.remove_from(conn, party_redirect, parties, ("party_id",))


def _end_of(party: int, into: Mapping[int, int]) -> int:
    while party in into:
        party = into[party]
    return party


def redirects_into(conn: Connection, parties: pd.DataFrame) -> pd.DataFrame:
    """party_id, into_party_id of every party that went into one of `parties` (column party_id)."""
    into = parties[["party_id"]].rename(columns={"party_id": "into_party_id"})
    return frames.rows(
        conn,
        select(party_redirect.c.party_id, party_redirect.c.into_party_id)
        .where(frames.matching(conn, party_redirect, into, ("into_party_id",)))
        .order_by(party_redirect.c.party_id),
    )


def surviving(conn: Connection, party_id: int) -> int:
    """The party that this one went into, or itself."""
    into = conn.scalar(
        select(party_redirect.c.into_party_id).where(party_redirect.c.party_id == party_id)
    )
    return party_id if into is None else into


def parted_since(conn: Connection, business_date: str) -> pd.Series:
    """Every party that merged or split, on either side, on the business date or later."""
    sides = (
        party_redirect.c.party_id, party_redirect.c.into_party_id,
        party_split.c.party_id, party_split.c.from_party_id,
    )  # fmt: skip
    found: set[int] = set()
    for side in sides:
        found.update(conn.scalars(select(side).where(side.table.c.business_date >= business_date)))
    return pd.Series(sorted(found), dtype="Int64", name="party_id")


def split_since(conn: Connection, business_date: str) -> pd.DataFrame:
    """party_id, from_party_id of every party that came out of another on the business date or later."""
    return frames.rows(
        conn,
        select(party_split.c.party_id, party_split.c.from_party_id)
        .where(party_split.c.business_date >= business_date)
        .order_by(party_split.c.party_id),
    )


# ---- facts


def fact(conn: Connection, name: str) -> str | None:
    """A single fact about this hub (the fingerprint of its key, say)."""
    return conn.scalar(select(hub_fact.c.value).where(hub_fact.c.name == name))


def put_fact(conn: Connection, name: str, value: str) -> None:
    """Keep a fact, in place of an earlier one of that name."""
    frames.upsert(conn, hub_fact, pd.DataFrame([{"name": name, "value": value}]))
