"""What was refused and why, until somebody or something newer settles it.

Belongs here: opening, superseding and deciding refusals. Does not belong here: the rules
(`expectations`), what a refusal means for the register (`steps`).

A refusal is about one content of one record: (source, kind, source_key, content_hash, rule, field). What
a person has decided about it stands for that content only; a new one is a new question.
"""

from typing import Any, Literal, NamedTuple

import pandas as pd
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from pipelines.store import frames
from pipelines.store.engine import StoreError
from pipelines.store.tables import landing_record, quarantine

_RECORD = ("source", "kind", "source_key")
_SAME = (*_RECORD, "content_hash", "rule", "field")
_COLUMNS = (*_SAME, "content", "severity", "reason", "business_date")


class OpenCount(NamedTuple):
    """How many records one rule holds back from one source."""

    source: str
    rule: str
    reason: str | None
    n: int


def open_findings(conn: Connection, findings: pd.DataFrame, now: str) -> int:
    """Open the refusals nobody knows of yet; returns how many.

    findings: source, kind, source_key, content_hash, rule, severity, field, reason, business_date, and
    content of a record that never landed. One that is open, released or dropped already stays as it is; one that was
    corrected is open anew, since a correction in force would have kept it from being found.
    """
    fresh = findings.reindex(columns=list(_COLUMNS)).drop_duplicates(list(_SAME))
    if fresh.empty:
        return 0
    statement = select(*(quarantine.c[name] for name in _SAME)).where(
        quarantine.c.state.not_in(("superseded", "corrected")),
        frames.matching(conn, quarantine, fresh, _RECORD),
    )
    known = _identities(frames.rows(conn, statement))
    fresh = fresh[~_identities(fresh).isin(known)]
    return frames.append(conn, quarantine, fresh.assign(opened_at=now, state="open"))


def _identities(findings: pd.DataFrame) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(findings[list(_SAME)].astype("str").fillna(""))


def supersede(conn: Connection, keys: pd.DataFrame, now: str) -> int:
    """Newer content of these records (source, kind, source_key) has come; returns how many it closed.

    With a column content_hash, refusals of just that content stay open.
    """
    if keys.empty:
        return 0
    older = frames.matching(conn, quarantine, keys, _RECORD)
    if "content_hash" in keys.columns:
        older &= ~frames.matching(conn, quarantine, keys, (*_RECORD, "content_hash"))
    return conn.execute(
        update(quarantine)
        .where(quarantine.c.state == "open", older)
        .values(state="superseded", decided_at=now)
    ).rowcount


def decide(
    conn: Connection,
    quarantine_id: int,
    state: Literal["released", "dropped"],
    by: str,
    why: str,
    now: str,
    step_run: int | None = None,
) -> None:
    """A person lets the record pass this rule, or drops it in this form.

    step_run: stamps the landed record, so that the next night reads it again.
    Raises StoreError, naming the number, when it is not open.
    """
    decided = conn.execute(
        update(quarantine)
        .where(quarantine.c.quarantine_id == quarantine_id, quarantine.c.state == "open")
        .values(state=state, decided_by=by, decided_at=now, decision_reason=why)
        .returning(*(quarantine.c[name] for name in _RECORD))
    ).first()
    if decided is None:
        raise StoreError(f"quarantine {quarantine_id} is not open")
    if step_run is not None:
        record = (landing_record.c[name] == decided._mapping[name] for name in _RECORD)
        conn.execute(update(landing_record).where(*record).values(step_run=step_run))


def settle(conn: Connection, item: "pd.Series[Any]", by: str, why: str, now: str) -> None:
    """A record was corrected: every open refusal of it in the form of this item is settled."""
    conn.execute(
        update(quarantine)
        .where(*_of_content(item), quarantine.c.state == "open")
        .values(state="corrected", decided_by=by, decided_at=now, decision_reason=why)
    )


def reopen(conn: Connection, item: "pd.Series[Any]") -> None:
    """Take a decision back: whatever was decided together with this item waits again, as if it had never been."""
    conn.execute(
        update(quarantine)
        .where(
            *_of_content(item),
            quarantine.c.state == item["state"],
            quarantine.c.decided_at == item["decided_at"],
            *([quarantine.c.quarantine_id == int(item["quarantine_id"])]
              if item["state"] != "corrected" else []),
        )
        .values(state="open", decided_by=None, decided_at=None, decision_reason=None)
    )  # fmt: skip


def _of_content(item: "pd.Series[Any]") -> list[ColumnElement[bool]]:
    return [quarantine.c[name] == item[name] for name in (*_RECORD, "content_hash")]


def of_source(conn: Connection, source: str) -> pd.DataFrame:
    """Every refusal of a source's records in whatever state, oldest first, all columns."""
    statement = select(quarantine).where(quarantine.c.source == source)
    return frames.rows(conn, statement.order_by(quarantine.c.quarantine_id))


def oldest(conn: Connection, source: str | None = None) -> str | None:
    """When the refusal that has waited longest was opened; of one source when given."""
    waiting = select(func.min(quarantine.c.opened_at)).where(quarantine.c.state == "open")
    if source is not None:
        waiting = waiting.where(quarantine.c.source == source)
    found: str | None = conn.scalar(waiting)
    return found


def open_items(conn: Connection) -> pd.DataFrame:
    """Every open refusal, oldest first, all columns; content of records that never landed only."""
    return frames.rows(
        conn,
        select(quarantine).where(quarantine.c.state == "open").order_by(quarantine.c.quarantine_id),
    )


def item(conn: Connection, quarantine_id: int) -> pd.Series | None:
    """One refusal in whatever state, all columns; None when there is none of that number."""
    found = frames.rows(conn, select(quarantine).where(quarantine.c.quarantine_id == quarantine_id))
    return None if found.empty else found.iloc[0]


def open_counts(conn: Connection) -> list[OpenCount]:
    """How many records wait, by source and rule; reason is one of theirs."""
    record = quarantine.c.kind + " " + quarantine.c.source_key
    found = conn.execute(
        select(
            quarantine.c.source,
            quarantine.c.rule,
            func.min(quarantine.c.reason),
            func.count(record.distinct()),
        )
        .where(quarantine.c.state == "open", quarantine.c.severity == "critical")
        .group_by(quarantine.c.source, quarantine.c.rule)
        .order_by(quarantine.c.source, quarantine.c.rule)
    )
    return [OpenCount(*row) for row in found]


def released(conn: Connection) -> pd.DataFrame:
    """source, kind, source_key, content_hash, rule of what a person let pass."""
    return _decided(conn, "released")


def dropped(conn: Connection) -> pd.DataFrame:
    """source, kind, source_key, content_hash, rule of what a person dropped."""
    return _decided(conn, "dropped")


def _decided(conn: Connection, state: str) -> pd.DataFrame:
    columns = (quarantine.c[name] for name in (*_RECORD, "content_hash", "rule"))
    return frames.rows(conn, select(*columns).where(quarantine.c.state == state))


def decided_by(conn: Connection, who: str) -> pd.DataFrame:
    """What a person has corrected, let pass or dropped, newest first: its columns, and of the record as it is landed now
    landed_hash and landed_run (null where none is).
    """
    columns = (
        "quarantine_id", *_RECORD, "content_hash", "rule", "reason", "state", "decided_at", "decision_reason",
    )  # fmt: skip
    found = conn.execute(
        select(
            *(quarantine.c[name] for name in columns),
            landing_record.c.content_hash.label("landed_hash"),
            landing_record.c.step_run.label("landed_run"),
        )
        .outerjoin_from(
            quarantine,
            landing_record,
            and_(*(quarantine.c[name] == landing_record.c[name] for name in _RECORD)),
        )
        .where(
            quarantine.c.decided_by == who,
            quarantine.c.state.in_(("corrected", "released", "dropped")),
        )
        .order_by(quarantine.c.decided_at.desc(), quarantine.c.quarantine_id.desc())
    )
    return pd.DataFrame(found.fetchall(), columns=[*columns, "landed_hash", "landed_run"])


def still_refused(conn: Connection) -> pd.DataFrame:
    """source, kind, source_key of landed records that stay out of the register as they now stand."""
    same = [landing_record.c[name] == quarantine.c[name] for name in (*_RECORD, "content_hash")]
    refused = or_(
        quarantine.c.state == "dropped",
        (quarantine.c.state == "open") & (quarantine.c.severity == "critical"),
    )
    return frames.rows(
        conn,
        select(*(quarantine.c[name] for name in _RECORD))
        .distinct()
        .where(refused, *same)
        .order_by(*(quarantine.c[name] for name in _RECORD)),
    )


def forget(conn: Connection, keys: pd.DataFrame) -> int:
    """Delete every refusal of these records (source, kind, source_key); returns how many."""
    return frames.remove_from(conn, quarantine, keys, _RECORD)
