"""The post's reference files as tables.

Belongs here: replacing a table whole, reading what addresses are held against, and the column that keeps how
each of them stood. Does not belong here: the files (the connector), what an address is worth beside them
(`domain.postal`). Nothing in the two tables tells of anybody.
"""

from typing import NamedTuple

import pandas as pd
from sqlalchemy import Connection, Table, delete, func, select

from pipelines.store import frames
from pipelines.store.tables import postal_code, postal_street, standard_address

_TABLES = {table.name: table for table in (postal_code, postal_street)}


class PostalReference(NamedTuple):
    """What addresses are held against, as `domain.postal.grades` takes it."""

    codes: pd.DataFrame
    streets: pd.DataFrame


def count(conn: Connection, table: str) -> int:
    """How many rows a table of reference data holds."""
    return conn.scalar(select(func.count()).select_from(_TABLES[table])) or 0


def differing(conn: Connection, table: str, rows: pd.DataFrame) -> pd.DataFrame | None:
    """The rows as they are to be held, each once and of two of one key the last; None when they are held already.

    A file comes every day, and what says the same need not be written, nor anybody held against it anew.
    """
    there = _TABLES[table]
    columns = [c.name for c in there.columns if c.name not in ("row_no", "step_run")]
    kinds = {c: "Int64" if there.c[c].info["kind"] == "integer" else "str" for c in columns}
    key = [c.name for c in there.primary_key if c.name in columns]
    fresh = rows[columns].astype(kinds).drop_duplicates()
    fresh = fresh.drop_duplicates(key, keep="last") if key else fresh
    fresh = fresh.sort_values(columns, ignore_index=True)
    held = frames.rows(conn, select(*(there.c[c] for c in columns))).astype(kinds)
    return None if held.sort_values(columns, ignore_index=True).equals(fresh) else fresh


def replace(conn: Connection, table: str, rows: pd.DataFrame, step_run: int) -> None:
    """Put the rows, as `differing` gives them, in place of all that the table holds."""
    there = _TABLES[table]
    conn.execute(delete(there))
    stamped = rows.assign(step_run=step_run)
    if "row_no" in there.c:
        stamped["row_no"] = range(1, len(rows) + 1)
    frames.append(conn, there, stamped)


def changed_in(conn: Connection) -> int:
    """The step execution that last changed any of it; 0 when there is none."""
    newest = (conn.scalar(select(table.c.step_run).limit(1)) for table in _TABLES.values())
    return max(run or 0 for run in newest)


def around(conn: Connection, postal_codes: pd.Series | None = None) -> PostalReference:
    """What there is of these postal codes; of all without them."""

    def read(table: Table, *names: str) -> pd.DataFrame:
        found = select(*(table.c[name] for name in names))
        if postal_codes is not None:
            keys = pd.DataFrame({"postal_code": postal_codes})
            found = found.where(frames.matching(conn, table, keys, ("postal_code",)))
        return frames.rows(conn, found)

    return PostalReference(
        read(postal_code, "postal_code"),
        read(postal_street, "postal_code", "street_fi", "street_sv", "side", "lowest", "highest"),
    )


def standing(conn: Connection) -> pd.DataFrame:
    """Every standard address as `domain.postal.grades` takes it, with its key and its postal_check."""
    key = [column.name for column in standard_address.primary_key]
    asked = ("street_name", "house", "postal_code", "country", "postal_check")
    return frames.rows(conn, select(*(standard_address.c[name] for name in (*key, *asked))))


def put_checks(conn: Connection, checked: pd.DataFrame) -> None:
    """Keep the postal_check of addresses that are there (the rest of each row, its stamp too, stays)."""
    key = [column.name for column in standard_address.primary_key]
    frames.upsert(conn, standard_address, checked[[*key, "postal_check"]])
