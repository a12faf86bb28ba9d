"""Stewards' verdicts on pairs of records, and the pairs that wait for one.

Belongs here: keeping, superseding and forgetting verdicts; the queue. Does not belong here: what a set
of verdicts adds up to (`domain.judgements`), which pairs are doubtful (`domain.resolution`).

A pair is kept with its lesser side first, so that each has one spelling.
"""

from collections.abc import Iterable
from typing import Literal

import pandas as pd
from sqlalchemy import Connection, delete, desc, func, insert, or_, select, update

from pipelines.store import frames
from pipelines.store.engine import StoreError
from pipelines.store.tables import judgement, review_pair

PAIR = ("left_source", "left_key", "right_source", "right_key")
_DECISION = ("verdict", "decided_at", "judgement_id", "decided_by", "knowing")
Verdict = Literal["same", "different", "unsure", "undone"]
RecordKey = tuple[str, str]


def record(
    conn: Connection,
    one: RecordKey,
    other: RecordKey,
    verdict: Verdict,
    *,
    by: str,
    reason: str,
    now: str,
    step_run: int,
    authority: str | None = None,
) -> int:
    """Keep a verdict on two records (source, key); returns its number.

    It supersedes the living one of the pair. "same" and "different" take the pair off the queue; an unsure
    one goes on waiting, and "undone" leaves it without a verdict until matching looks again. step_run: the execution that judges, so that matching finds it
    (`touched_since`). Raises StoreError when both records are one.
    """
    left, right = sorted((one, other))
    if left == right:
        raise StoreError("a record can't be judged against itself")
    pair = dict(zip(PAIR, (*left, *right), strict=True))
    number: int = conn.execute(
        insert(judgement)
        .values(
            **pair, verdict=verdict, decided_by=by, decided_at=now, reason=reason,
            authority=authority, step_run=step_run,
        )
        .returning(judgement.c.judgement_id)
    ).scalar_one()  # fmt: skip
    conn.execute(
        update(judgement)
        .where(
            *(judgement.c[name] == value for name, value in pair.items()),
            judgement.c.superseded_by.is_(None),
            judgement.c.judgement_id != number,
        )
        .values(superseded_by=number)
    )
    if verdict in ("same", "different"):
        conn.execute(
            delete(review_pair).where(
                *(review_pair.c[name] == value for name, value in pair.items())
            )
        )
    return number


def living(conn: Connection, records: pd.DataFrame | None = None) -> pd.DataFrame:
    """PAIR, verdict, decided_at, judgement_id, decided_by, knowing of the verdicts that stand.

    records (source, source_key): only pairs with a side among them.
    """
    statement = (
        select(*(judgement.c[name] for name in (*PAIR, *_DECISION)))
        .where(judgement.c.superseded_by.is_(None), judgement.c.verdict != "undone")
        .order_by(judgement.c.judgement_id)
    )
    if records is not None:
        left, right = _sides(records)
        statement = statement.where(
            or_(
                frames.matching(conn, judgement, left, PAIR[:2]),
                frames.matching(conn, judgement, right, PAIR[2:]),
            )
        )
    return frames.rows(conn, statement)


def mark_knowing(conn: Connection, numbers: Iterable[int], knowing: bool) -> None:
    """Keep whether judgements were given against what matching thought at the time."""
    wanted = list(numbers)
    if wanted:
        conn.execute(
            update(judgement).where(judgement.c.judgement_id.in_(wanted)).values(knowing=knowing)
        )


def standing(conn: Connection) -> pd.DataFrame:
    """The verdicts that stand, newest first, all columns: who decided, when and why."""
    return frames.rows(
        conn,
        select(judgement)
        .where(judgement.c.superseded_by.is_(None), judgement.c.verdict != "undone")
        .order_by(judgement.c.judgement_id.desc()),
    )


def given(conn: Connection, judgement_id: int) -> pd.Series | None:
    """One verdict, standing or not, all columns."""
    return _only(
        frames.rows(conn, select(judgement).where(judgement.c.judgement_id == judgement_id))
    )


def waiting(conn: Connection, review_no: int) -> pd.Series | None:
    """One pair that waits, all columns."""
    return _only(frames.rows(conn, select(review_pair).where(review_pair.c.review_no == review_no)))


def waiting_as(conn: Connection, one: RecordKey, other: RecordKey) -> pd.Series | None:
    """The waiting pair of two records, all columns, if it waits."""
    left, right = sorted((one, other))
    pair = zip(PAIR, (*left, *right), strict=True)
    return _only(
        frames.rows(
            conn, select(review_pair).where(*(review_pair.c[name] == value for name, value in pair))
        )
    )


def history(conn: Connection, one: RecordKey, other: RecordKey) -> pd.DataFrame:
    """Every verdict ever given on a pair, oldest first, all columns."""
    left, right = sorted((one, other))
    pair = zip(PAIR, (*left, *right), strict=True)
    return frames.rows(
        conn,
        select(judgement)
        .where(*(judgement.c[name] == value for name, value in pair))
        .order_by(judgement.c.judgement_id),
    )


def touched_since(conn: Connection, step_run: int) -> pd.DataFrame:
    """source, source_key of every record judged by a later execution than `step_run`."""
    found = frames.rows(
        conn, select(*(judgement.c[name] for name in PAIR)).where(judgement.c.step_run > step_run)
    )
    sides = [
        found[list(PAIR[i : i + 2])].set_axis(["source", "source_key"], axis=1) for i in (0, 2)
    ]
    return pd.concat(sides).drop_duplicates(ignore_index=True)


def replace_queue(
    conn: Connection,
    records: pd.DataFrame | None,
    pairs: pd.DataFrame,
    business_date: str,
    now: str,
) -> None:
    """Of the pairs with a side among `records` (source, source_key), or of all, exactly `pairs` wait now.

    pairs: left_source, left_key, right_source, right_key, stake. One that waited keeps its number and date.
    """
    waiting = queue(conn, records)
    offered = pairs[[*PAIR, "stake"]].merge(
        waiting[["review_no", *PAIR, "opened_at", "business_date", "stake"]],
        on=list(PAIR),
        how="left",
        suffixes=("", "_was"),
    )
    answered = waiting[~waiting["review_no"].isin(offered["review_no"].dropna())]
    frames.remove_from(conn, review_pair, answered, ("review_no",))
    stays = offered["review_no"].notna()
    other = stays & (offered.pop("stake_was") != offered["stake"])
    frames.upsert(conn, review_pair, offered[other])
    fresh = offered.loc[~stays, [*PAIR, "stake"]]
    frames.append(conn, review_pair, fresh.assign(opened_at=now, business_date=business_date))


def queue(
    conn: Connection, records: pd.DataFrame | None = None, most: int | None = None
) -> pd.DataFrame:
    """The pairs that wait for a steward, most at stake first, all columns; with a side among `records`; at most so many."""
    statement = select(review_pair).order_by(
        desc(review_pair.c.stake), review_pair.c.opened_at, review_pair.c.review_no
    )
    if records is not None:
        left, right = _sides(records)
        statement = statement.where(
            or_(
                frames.matching(conn, review_pair, left, PAIR[:2]),
                frames.matching(conn, review_pair, right, PAIR[2:]),
            )
        )
    return frames.rows(conn, statement.limit(most))


def queue_length(conn: Connection) -> int:
    """How many pairs wait for a steward."""
    return conn.scalar(select(func.count()).select_from(review_pair)) or 0


def oldest_waiting(conn: Connection) -> str | None:
    """The business date of the night from which a pair has waited longest."""
    oldest: str | None = conn.scalar(select(func.min(review_pair.c.business_date)))
    return oldest


def forget(conn: Connection, records: pd.DataFrame) -> None:
    """Delete verdicts and waiting pairs with a side among the records (source, source_key)."""
    left, right = _sides(records)
    for table in (judgement, review_pair):
        frames.remove_from(conn, table, left, PAIR[:2])
        frames.remove_from(conn, table, right, PAIR[2:])


def _only(rows: pd.DataFrame) -> pd.Series | None:
    return None if rows.empty else rows.iloc[0]


def _sides(records: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = records[["source", "source_key"]]
    return keys.set_axis(list(PAIR[:2]), axis=1), keys.set_axis(list(PAIR[2:]), axis=1)
