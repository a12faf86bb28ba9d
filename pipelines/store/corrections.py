"""What stewards put in place of refused values, as long as each is in force, and what became of it.

Belongs here: keeping, closing and forgetting corrections. Does not belong here: what a correction does to a record
(`domain.correction`), refusals themselves (`quarantine`), which fields may be corrected (`steps.correct`).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection, func, insert, select, update

from pipelines.domain.correction import RECORD, Ending
from pipelines.store import frames
from pipelines.store.tables import landing_record, source_correction


def add(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put corrections in force; of those that replace others, the others are closed."""
    conn.execute(insert(source_correction), [dict(row) for row in rows])
    for row in rows:
        if row["replaces"] is not None:
            close(conn, [row["replaces"]], "replaced", row["decided_at"], by=row["decided_by"])


def in_force(conn: Connection, records: pd.DataFrame | None = None) -> pd.DataFrame:
    """Corrections in force, all columns, oldest first; of these records (source, kind, source_key) when given."""
    statement = select(source_correction).where(source_correction.c.closed_at.is_(None))
    if records is not None:
        if records.empty:
            statement = statement.where(source_correction.c.correction_no < 0)
        else:
            among = frames.matching(conn, source_correction, records, RECORD)
            statement = statement.where(among)
    return frames.rows(conn, statement.order_by(source_correction.c.correction_no))


def of_source(conn: Connection, source: str) -> pd.DataFrame:
    """Every correction of a source's records, closed ones too, oldest first."""
    statement = select(source_correction).where(source_correction.c.source == source)
    return frames.rows(conn, statement.order_by(source_correction.c.correction_no))


def find(conn: Connection, correction_no: int) -> pd.Series | None:
    """One correction in whatever state; None when there is none of that number."""
    statement = select(source_correction).where(source_correction.c.correction_no == correction_no)
    found = frames.rows(conn, statement)
    return None if found.empty else found.iloc[0]


def close(
    conn: Connection, numbers: Collection[int], ending: Ending, now: str, by: str | None = None
) -> None:
    """End corrections; by: the steward who did, none where the source's new word did."""
    conn.execute(
        update(source_correction)
        .where(
            source_correction.c.correction_no.in_([int(n) for n in numbers]),
            source_correction.c.closed_at.is_(None),
        )
        .values(closed_at=now, closed_by=by, ending=ending)
    )


def reopen(conn: Connection, numbers: Collection[int]) -> None:
    """Put back in force what a correction, undone since, had replaced."""
    conn.execute(
        update(source_correction)
        .where(source_correction.c.correction_no.in_([int(n) for n in numbers]))
        .values(closed_at=None, closed_by=None, ending=None)
    )


def read_again(conn: Connection, records: pd.DataFrame, step_run: int) -> None:
    """Stamp landed records (source, kind, source_key), so that the next night reads them; their content stays."""
    if not records.empty:
        landed = frames.matching(conn, landing_record, records, RECORD)
        conn.execute(update(landing_record).where(landed).values(step_run=step_run))


def stamp(conn: Connection, records: pd.DataFrame) -> int:
    """The newest step execution that stamped one of these landed records (source, kind, source_key); 0 without one."""
    newest = select(func.max(landing_record.c.step_run))
    return conn.scalar(newest.where(frames.matching(conn, landing_record, records, RECORD))) or 0


def forget(conn: Connection, keys: pd.DataFrame) -> int:
    """Delete every correction of these records (source, kind, source_key); returns how many."""
    return frames.remove_from(conn, source_correction, keys, RECORD)
