"""Whole frames in and out of the database.

Belongs here: reading, upserting and removing rows by the thousand, alike on SQLite and PostgreSQL. Does
not belong here: what a particular table means (the other modules of `store`), or a transaction's
beginning and end (`engine`).

Keys travel as one parameter and are matched as a set (`json_each` on SQLite, `unnest` on PostgreSQL):
no temporary table, no statement as long as its keys, and it works in a read-only transaction. On the way
out NaN, NA and None become NULL; on the way in a frame gets its schema's dtypes.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    TableValuedAlias,
    Text,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY

from pipelines.domain.landing import canonical_json
from pipelines.domain.schemas import Schema
from pipelines.store.engine import StoreError, without_values
from pipelines.store.tables import table_of

_DTYPES = {
    "integer": "Int64",
    "boolean": "boolean",
    "real": "float64",
    "json": "object",
    "bytes": "object",
}
_PLAIN: dict[str, Callable[[Any], Any]] = {
    "json": canonical_json,
    "integer": int,  # a numpy integer would reach SQLite as a blob
    "boolean": bool,
}


# ---- frames with a schema


def read(conn: Connection, schema: Schema, *where: ColumnElement[bool]) -> pd.DataFrame:
    """The rows that meet every condition (all without one), in the order of the key."""
    table = table_of(schema)
    columns = [table.c[name] for name in schema.columns]
    order = [_in_byte_order(conn, table.c[name]) for name in schema.key]
    return rows(conn, select(*columns).where(*where).order_by(*order))


def read_matching(
    conn: Connection,
    schema: Schema,
    keys: pd.DataFrame,
    on: Sequence[str],
    columns: Collection[str] | None = None,
) -> pd.DataFrame:
    """The rows whose `on` columns equal those of some row of `keys`; each once, in the key's order.

    A null in a key matches nothing. Other columns of `keys` are ignored. columns: when given, no other than these
    and the key are read; in the frame the rest is null.
    """
    wanted = _distinct(keys, on)
    if wanted.empty:
        return schema.empty()
    found = _among(conn, table_of(schema), wanted)
    if columns is None:
        return read(conn, schema, found)
    table = table_of(schema)
    read_ = [table.c[name] for name in schema.columns if name in {*columns, *schema.key}]
    order = [_in_byte_order(conn, table.c[name]) for name in schema.key]
    return schema.conform(rows(conn, select(*read_).where(found).order_by(*order)))


def changed_since(conn: Connection, schema: Schema, step_run: int) -> pd.DataFrame:
    """The rows written by a later step execution than `step_run`."""
    return read(conn, schema, later_than(conn, table_of(schema), step_run))


def keys_changed_since(conn: Connection, schema: Schema, step_run: int) -> pd.DataFrame:
    """The keys of the rows written by a later step execution than `step_run`."""
    table = table_of(schema)
    keys = select(*(table.c[name] for name in schema.key))
    return rows(conn, keys.where(later_than(conn, table, step_run)))


def has_changed(conn: Connection, schema: Schema, step_run: int) -> bool:
    """Whether any row was written by a later step execution than `step_run`."""
    table = table_of(schema)
    found = select(table.c.step_run).where(later_than(conn, table, step_run)).limit(1)
    return conn.scalar(found) is not None


def later_than(conn: Connection, table: Table, step_run: int) -> ColumnElement[bool]:
    """The condition that a row was written by a later step execution than `step_run`: usually few are.

    SQLite keeps no count of how many rows come after a value, would guess that a quarter does, and read the whole table in
    the order of its key instead of these rows by their index.
    """
    later = table.c.step_run > step_run
    if conn.dialect.name == "postgresql" or step_run <= 0:
        return later
    return func.likelihood(later, literal_column("0.001"))


def stamp(conn: Connection, schema: Schema) -> tuple[int, int]:
    """How many rows there are and the latest stamp on one: the same while nothing came, changed or went."""
    table = table_of(schema)
    found = conn.execute(select(func.count(), func.max(table.c.step_run))).one()
    return int(found[0]), int(found[1] or 0)


def some_columns(conn: Connection, schema: Schema, columns: Sequence[str]) -> pd.DataFrame:
    """Of every row only these columns, in the order of the key."""
    table = table_of(schema)
    order = [_in_byte_order(conn, table.c[name]) for name in schema.key]
    return rows(conn, select(*(table.c[name] for name in columns)).order_by(*order))


def crossing(
    conn: Connection, schema: Schema, dates: Sequence[str], after: str, until: str
) -> pd.DataFrame:
    """The rows with one of the date columns in (after, until]: a date came without a new row."""
    table = table_of(schema)
    return read(
        conn, schema, or_(*(and_(table.c[date] > after, table.c[date] <= until) for date in dates))
    )


def count(conn: Connection, schema: Schema, **equal: str | int | bool) -> int:
    """How many rows hold these values."""
    table = table_of(schema)
    conditions = (table.c[name] == value for name, value in equal.items())
    return conn.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def keys_of(conn: Connection, schema: Schema, source: str, kind: str) -> frozenset[str]:
    """The source keys held of one kind from one source."""
    table = table_of(schema)
    held = select(table.c.source_key).where(table.c.source == source, table.c.kind == kind)
    return frozenset(conn.scalars(held))


def put(conn: Connection, schema: Schema, frame: pd.DataFrame, step_run: int | None = None) -> int:
    """Write the rows, replacing those with the same key; returns how many were written.

    step_run stamps them; without one they belong to no step and no `changed_since` finds them.
    Raises StoreError, before anything is written, when a key is null or stands twice in the frame.
    """
    stamped = schema.conform(frame).assign(
        step_run=pd.array([step_run] * len(frame), dtype="Int64")
    )
    return upsert(conn, table_of(schema), stamped)


def remove(
    conn: Connection, schema: Schema, keys: pd.DataFrame, on: Sequence[str] | None = None
) -> int:
    """Delete the rows that match `keys` on `on` (the schema's key unless said); returns how many."""
    return remove_from(conn, table_of(schema), keys, schema.key if on is None else on)


# ---- any table, for the other modules of the store


def rows(conn: Connection, statement: Select[Any]) -> pd.DataFrame:
    """What a statement selects, as a frame with the dtypes of its columns' kinds."""
    kinds = (column.info.get("kind", "text") for column in statement.selected_columns)
    dtypes = tuple(_DTYPES.get(kind, "str") for kind in kinds)
    result = conn.execute(statement)
    names = tuple(result.keys())
    # whole columns are made of what the driver gives: a row of SQLAlchemy's own costs more than reading it
    cursor = result.cursor
    fetched = cursor.fetchall() if cursor is not None else []
    if cursor is None or not fetched:  # half of what a small night reads
        result.close()
        return _no_rows(names, dtypes).copy()
    readers = [
        column.type.dialect_impl(conn.dialect).result_processor(conn.dialect, described[1])
        for column, described in zip(statement.selected_columns, cursor.description, strict=True)
    ]
    result.close()
    columns = zip(*fetched, strict=True)
    return pd.DataFrame(
        {
            name: _array(list(values if reader is None else map(reader, values)), dtype)
            for name, dtype, reader, values in zip(names, dtypes, readers, columns, strict=True)
        }
    )


def plain_rows(conn: Connection, statement: Select[Any]) -> list[tuple[Any, ...]]:
    """What a statement selects, a tuple a row, as the driver gives it: json is text, and no row is SQLAlchemy's own."""
    result = conn.execute(statement)
    found = [] if result.cursor is None else list(result.cursor.fetchall())
    result.close()
    return found


def _array(values: list[Any], dtype: str) -> Any:
    """Without an index, by which it would be aligned; most numbers are whole and there, and are looked at once."""
    if dtype == "Int64" and None not in values:
        whole = np.array(values, dtype=np.int64)
        return pd.arrays.IntegerArray(whole, np.zeros(len(whole), dtype=np.bool_))
    return pd.Series(values, dtype=dtype).array


@cache
def _no_rows(names: tuple[str, ...], dtypes: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        {n: pd.Series([], dtype=dtype) for n, dtype in zip(names, dtypes, strict=True)}
    )


def matching(
    conn: Connection, table: Table, keys: pd.DataFrame, on: Sequence[str]
) -> ColumnElement[bool]:
    """The condition that a row of the table matches some row of `keys` on `on`."""
    return _among(conn, table, _distinct(keys, on))


def one_of(
    conn: Connection, column: ColumnElement[Any], values: Sequence[str | int]
) -> ColumnElement[bool]:
    """The condition that a column is one of these, for where a frame of them would cost more than asking."""
    if conn.dialect.name == "postgresql":
        unnested = func.unnest(_array_of(column, values)).table_valued("value").render_derived()
        return column.in_(select(unnested.c.value))
    # plain values are read in a third of the time that rows of them would take
    return column.in_(select(_each_of(values).c.value))


def remove_from(conn: Connection, table: Table, keys: pd.DataFrame, on: Sequence[str]) -> int:
    """Delete the rows of a table that match `keys` on `on`; returns how many."""
    unwanted = _distinct(keys, on)
    if unwanted.empty:
        return 0
    return conn.execute(delete(table).where(_among(conn, table, unwanted))).rowcount


def append(conn: Connection, table: Table, frame: pd.DataFrame) -> int:
    """Add the rows; when the key of one exists already, the database refuses them all."""
    if frame.empty:
        return 0
    if conn.dialect.name == "postgresql":
        _copy(conn, table.name, list(frame.columns), _values(table, frame))
    else:
        conn.exec_driver_sql(_insert(conn, table.name, frame.columns), list(_values(table, frame)))
    return len(frame)


@contextmanager
def unindexed(conn: Connection, table: Table) -> Iterator[None]:
    """Makes a table's indexes when the block ends: at once and in order, where many rows are added in another.

    On SQLite alone, whose readers see none of it before the commit; PostgreSQL would hold them up.
    """
    indexes = list(table.indexes) if conn.dialect.name == "sqlite" else []
    for index in indexes:
        index.drop(conn)
    yield
    for index in indexes:
        index.create(conn)


def upsert(conn: Connection, table: Table, frame: pd.DataFrame) -> int:
    """Write the rows, replacing what the frame's columns hold in those with the same primary key."""
    if frame.empty:
        return 0
    key = [column.name for column in table.primary_key]
    if frame[key].isna().to_numpy().any():
        raise StoreError(f"{table.name}: a row without its key was offered")
    twice = int(frame.duplicated(key).sum())
    if twice:
        raise StoreError(
            f"{table.name}: {twice} rows share their key with another of the same batch"
        )
    quote = conn.dialect.identifier_preparer.quote
    names = ", ".join(map(quote, frame.columns))
    replaced = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in frame.columns if name not in key
    )
    on_conflict = f"ON CONFLICT ({', '.join(map(quote, key))}) DO " + (
        f"UPDATE SET {replaced}" if replaced else "NOTHING"
    )
    if conn.dialect.name == "postgresql":
        staged = f"staged_{table.name}"
        # S608: the names are those of our own tables
        conn.exec_driver_sql(
            f"CREATE TEMP TABLE {staged} ON COMMIT DROP AS "  # noqa: S608
            f"SELECT {names} FROM {quote(table.name)} LIMIT 0"
        )
        _copy(conn, staged, list(frame.columns), _values(table, frame))
        conn.exec_driver_sql(
            f"INSERT INTO {quote(table.name)} ({names}) "  # noqa: S608
            f"SELECT {names} FROM {staged} {on_conflict}"
        )
        conn.exec_driver_sql(f"DROP TABLE {staged}")
    else:
        statement = f"{_insert(conn, table.name, frame.columns)} {on_conflict}"
        conn.exec_driver_sql(statement, list(_values(table, frame)))
    return len(frame)


def differing(
    before: pd.DataFrame, after: pd.DataFrame, on: list[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that are before only and those that are after only, each in the order of `on`."""
    both = pd.concat([before, after], ignore_index=True)
    alone = ~both.duplicated(keep=False).to_numpy()
    is_before = np.arange(len(both)) < len(before)
    gone, come = (both[alone & side].sort_values(on) for side in (is_before, ~is_before))
    return gone, come


def load(
    conn: Connection, table: str, columns: Sequence[str], values: Iterable[Sequence[Any]]
) -> None:
    """Add rows of plain values to a table by name: json as its canonical text, nulls as None.

    For what another hub wrote, and where frames would cost more than the rows.
    """
    if conn.dialect.name == "postgresql":
        _copy(conn, table, columns, values)
    else:
        driver: sqlite3.Connection = conn.connection.driver_connection  # type: ignore[assignment]
        # one row after another: a list of them all is made for nothing, and Python would look through it for cycles
        driver.executemany(_insert(conn, table, columns), values).close()


def _insert(conn: Connection, table: str, columns: Iterable[str]) -> str:
    quote = conn.dialect.identifier_preparer.quote
    names = [quote(name) for name in columns]
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {quote(table)} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608


def _copy(
    conn: Connection, table: str, columns: Sequence[str], values: Iterable[Sequence[Any]]
) -> None:
    import psycopg  # only where the database is PostgreSQL

    quote = conn.dialect.identifier_preparer.quote
    driver: psycopg.Connection = conn.connection.driver_connection  # type: ignore[assignment]
    names = ", ".join(map(quote, columns))
    try:
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {quote(table)} ({names}) FROM STDIN") as copy,
        ):
            for row in values:
                copy.write_row(row)
    except psycopg.Error as error:
        raise without_values(error) from None


def _values(table: Table, frame: pd.DataFrame) -> Iterable[tuple[Any, ...]]:
    """The rows as plain Python values, nulls as None, json as canonical text."""
    columns = []
    for name in frame.columns:
        plain = _PLAIN.get(table.c[name].info["kind"])
        whole = plain is int and is_integer_dtype(frame[name])
        if (plain is None or whole) and not frame[name].hasnans:
            columns.append(frame[name].tolist())  # Python's own whole numbers and texts already
            continue
        pairs = zip(frame[name].tolist(), frame[name].notna().tolist(), strict=True)
        if plain is None:
            columns.append([value if present else None for value, present in pairs])
        else:
            columns.append(_once_each(plain, pairs))
    return zip(*columns, strict=True)


def _once_each(plain: Callable[[Any], Any], pairs: Iterable[tuple[Any, bool]]) -> list[Any]:
    """The plain values; an object that stands in many rows is made plain once."""
    made: dict[int, Any] = {}
    values = []
    for value, present in pairs:
        if present and id(value) not in made:
            made[id(value)] = plain(value)
        values.append(made[id(value)] if present else None)
    return values


def _distinct(keys: pd.DataFrame, on: Sequence[str]) -> pd.DataFrame:
    return keys[list(on)].dropna().drop_duplicates()


def _among(conn: Connection, table: Table, keys: pd.DataFrame) -> ColumnElement[bool]:
    columns = [table.c[name] for name in keys.columns]
    if len(columns) == 1:
        return one_of(conn, columns[0], *_columns(table, keys))
    if conn.dialect.name == "postgresql":
        arrays = map(_array_of, columns, _columns(table, keys))
        unnested = func.unnest(*arrays).table_valued(*keys.columns).render_derived()
        return tuple_(*columns).in_(select(*unnested.c))
    each = _each_of(list(_values(table, keys)))
    parts = (func.json_extract(each.c.value, f"$[{i}]") for i in range(len(columns)))
    return tuple_(*columns).in_(select(*parts))


def _array_of(column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[Any]:
    whole = column.info["kind"] == "integer"
    return bindparam(None, list(values), ARRAY(BigInteger if whole else Text))


def _each_of(values: Sequence[Any]) -> TableValuedAlias:
    text = json.dumps(values, ensure_ascii=False)
    return func.json_each(bindparam(None, text, Text)).table_valued("value")


def _columns(table: Table, frame: pd.DataFrame) -> list[list[Any]]:
    columns = [list(values) for values in zip(*_values(table, frame), strict=True)]
    return columns or [[] for _ in frame.columns]


def _in_byte_order(conn: Connection, column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The order SQLite and Python have; PostgreSQL would sort by the language of the server."""
    if conn.dialect.name == "postgresql" and isinstance(column.type, Text):
        return column.collate("C")
    return column
