"""The pairs that wait for a person and the decisions that stand, shown to somebody who is written down.

Belongs here: which pair is meant, who looked. Does not belong here: taking the decision (`judge`), what of two
records may be seen (`lay_open`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.judgements import PAIR
from pipelines.domain.wording import picture
from pipelines.steps import lay_open
from pipelines.steps.around import RECORD, Around, NotFound, Pair, record_of
from pipelines.steps.lay_open import Outlook, Row, Side, Weighed
from pipelines.steps.look import NOTICES
from pipelines.steps.night import Night
from pipelines.store import access, judgements
from pipelines.store.engine import transaction


@dataclass(frozen=True)
class Waiting:
    """A pair of the queue, without anybody's name. unsure: who could not tell, and when."""

    review_no: int
    party_type: str
    records: int
    since: str
    weighed: Weighed | None
    unsure: tuple[str, str] | None


@dataclass(frozen=True)
class Decided:
    """A verdict that stands; left, right: the records as a steward writes them.

    notice: the number of the customer's notice that it ties to its customer, none of any other verdict.
    """

    judgement_no: int
    left: str
    right: str
    verdict: str
    who: str
    at: str
    why: str
    authority: str | None
    notice: str | None = None


@dataclass(frozen=True)
class Opened:
    """A pair laid open."""

    review_no: int | None
    since: str | None
    party_type: str
    is_protected: bool
    left: Side
    right: Side
    rows: tuple[Row, ...]
    weighed: Weighed | None
    picture: str | None
    judged: Decided | None
    outlook: Outlook


def waiting(night: Night, most: int) -> tuple[list[Waiting], int]:
    """The pairs that wait, most at stake first, at most so many; and how many wait altogether."""
    with transaction(night.engine) as conn:
        shown = judgements.queue(conn, most=most)
        total = judgements.queue_length(conn)
        pairs = [_records_of(row) for _, row in shown.iterrows()]
        around = Around(conn, [record for pair in pairs for record in pair])
        weighed = lay_open.weighed(conn, pairs, around)
        judged = judgements.living(conn, _records_in(pairs))
        said_of: dict[Pair, Any] = {_records_of(row): row for _, row in judged.iterrows()}
        listed = []
        for (_, row), pair, found in zip(shown.iterrows(), pairs, weighed, strict=True):
            said = said_of.get(pair)
            unsure = None
            if said is not None and said["verdict"] == "unsure":
                unsure = (str(said["decided_by"]), str(said["decided_at"]))
            listed.append(
                Waiting(
                    int(row["review_no"]), around.kind(pair[0]), around.together(pair),
                    str(row["business_date"]), found, unsure,
                )
            )  # fmt: skip
    return listed, total


def _records_in(pairs: Sequence[Pair]) -> pd.DataFrame:
    return pd.DataFrame([record for pair in pairs for record in pair], columns=list(RECORD))


def decided(
    night: Night, most: int, who: str, only: str | None = None
) -> tuple[list[Decided], int]:
    """The verdicts that stand, of one person when named, newest first, at most so many; and how many stand.

    What stewards gave as their reason may speak of somebody, so whoever reads it is logged.
    """
    with transaction(night.engine) as conn:
        standing = judgements.standing(conn)
        if only is not None:
            standing = standing[standing["decided_by"] == only]
        shown = standing.head(most)
        around = Around(conn, [r for _, row in shown.iterrows() for r in _records_of(row)])
        access.record(conn, night.now(), who, "review list", None, "decided pairs")
        return [_decided(row, around) for _, row in shown.iterrows()], len(standing)


def show(
    night: Night, review_no: int | None, records: tuple[str, str] | None, who: str, purpose: str
) -> Opened:
    """One pair side by side: by its number on the queue, or any two records (`record_of`)."""
    with transaction(night.engine) as conn:
        pair, row = pair_of(conn, review_no, records)
        around = Around(conn, pair)
        opened = _opened(conn, pair, row, around)
        number = f"pair {opened.review_no}" if opened.review_no else "two records"
        log(conn, night, who, "review show", opened.outlook.parties, purpose, number)
        return opened


def pair_of(
    conn: Connection, review_no: int | None, records: tuple[str, str] | None
) -> tuple[Pair, pd.Series | None]:
    """The two records that are meant, the lesser first, and their row of the queue if they wait."""
    if records is not None:
        one, other = sorted(record_of(conn, text) for text in records)
        if one == other:
            raise NotFound("both words mean one record; name two")
        return (one, other), judgements.waiting_as(conn, one, other)
    row = judgements.waiting(conn, review_no or 0)
    if row is None:
        raise NotFound(
            f"no pair {review_no} waits; see: hub review list, or hub review list --decided",
            says="no.pair", n=review_no,
        )  # fmt: skip
    return _records_of(row), row


def log(
    conn: Connection,
    night: Night,
    who: str,
    operation: str,
    parties: Sequence[int],
    purpose: str,
    detail: str,
) -> None:
    """A line of the access log about each customer; one about nobody where the records have none yet."""
    for party in parties or (None,):
        access.record(conn, night.now(), who, operation, party, purpose, detail)


def _opened(
    conn: Connection,
    pair: Pair,
    waits: pd.Series | None,
    around: Around,
) -> Opened:
    weighed = lay_open.weighed(conn, [pair], around)[0]
    is_protected = any(map(around.is_protected, pair))
    kind = around.kind(pair[0])
    looks = weighed is not None and weighed.is_current and not is_protected
    return Opened(
        review_no=None if waits is None else int(waits["review_no"]),
        since=None if waits is None else str(waits["business_date"]),
        party_type=kind,
        is_protected=is_protected,
        left=lay_open.side(pair[0], around),
        right=lay_open.side(pair[1], around),
        rows=tuple(lay_open.rows(conn, pair, weighed, around, is_protected)),
        weighed=weighed,
        picture=picture(kind, weighed.levels) if weighed and looks else None,
        judged=_standing(conn, pair, around),
        outlook=lay_open.outlook(pair, weighed, around),
    )


def _standing(conn: Connection, pair: Pair, around: Around) -> Decided | None:
    given = judgements.history(conn, *pair)
    stands = given[given["superseded_by"].isna() & (given["verdict"] != "undone")]
    return None if stands.empty else _decided(stands.iloc[-1], around)


def _decided(row: pd.Series, around: Around) -> Decided:
    one, other = _records_of(row)
    return Decided(
        int(row["judgement_id"]), around.handle(one), around.handle(other), str(row["verdict"]),
        str(row["decided_by"]), str(row["decided_at"]), str(row["reason"]), None if pd.isna(row["authority"]) else str(row["authority"]),
        next((key for source, key in (one, other) if source == NOTICES), None),
    )  # fmt: skip


def _records_of(row: pd.Series) -> Pair:
    left_source, left_key, right_source, right_key = (str(row[name]) for name in PAIR)
    return (left_source, left_key), (right_source, right_key)
