"""The file of records that someone hands in, and the files handed back.

Belongs here: the record layout, reading CSV and Parquet into a table, what is wrong with a file in words,
writing clusters and pairs. Does not belong here: what values mean (`normal`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipelines.errors import HubError

COLUMNS = (
    "record_id", "source", "kind", "given_names", "family_name", "organisation_name", "contact_name",
    "person_key", "birth_key", "business_id", "phone", "email", "street", "house_number", "apartment",
    "postal_code", "post_office", "property_id", "protection",
)  # fmt: skip
"""All but record_id may be missing or empty. person_key and birth_key are equality tokens. kind is person
or organisation. protection is `on` where a protective order holds."""

FROM_THE_REGISTER = ("living_key", "name_role")
"""What only the register tells: the identity code that stands once corrections are heard, an estate's name."""

PLACE = ("street", "house_number", "apartment", "postal_code", "post_office", "property_id")
"""What says where a record is; the register may know several places of one (table `elsewhere`)."""

_READERS = {
    ".csv": "read_csv('{}', all_varchar = true, header = true, nullstr = '', delim = ',', quote = '\"')",
    ".parquet": "read_parquet('{}')",
}
KINDS = tuple(_READERS)


class FileError(HubError):
    """A file of records that can't be read or written; tells the file and what to do, never a value."""


def read(connection: duckdb.DuckDBPyConnection, path: Path) -> int:
    """Makes table `record` (r: 0 … n-1 in order of record_id, COLUMNS and more as text); returns n.

    Raises FileError.
    """
    given = columns(connection, path)
    if "record_id" not in given:
        raise FileError(f"{path}: no column record_id; give every record an id of its own")
    # the ids alone are sorted, and whole rows are written down once
    kind = _stated("kind", given)
    with loading(path):
        connection.execute(
            f"""create or replace temp table numbered as
            select record_id, kind, row_number() over (order by record_id) - 1 r
            from (select {_stated("record_id", given)} record_id, {kind} kind from {source(path)})"""
        )
    counted = "select count(*), count(record_id), count(distinct record_id) from numbered"
    rows, stated, distinct = _one(connection, counted)
    if stated < rows:
        raise FileError(f"{path}: {rows - stated} rows have no record_id; give each one of its own")
    if distinct < rows:
        raise FileError(f"{path}: {rows - distinct} rows repeat a record_id; each may stand once")
    (strange,) = _one(
        connection,
        "select count(*) from numbered where kind is not null and kind not in ('person', 'organisation')",
    )
    if strange:
        raise FileError(
            f"{path}: {strange} rows have a kind that is neither person nor organisation"
        )
    wanted = ", ".join(f"{_stated(name, given)} {name}" for name in COLUMNS)
    with loading(path):
        connection.execute(
            f"""create or replace table record as
            select r, stated.*, person_key living_key, null::varchar name_role
            from (select {wanted} from {source(path)}) stated join (select record_id, r from numbered)
            using (record_id)"""
        )
    connection.execute("drop table numbered")
    nowhere_else(connection)
    return rows


def _stated(name: str, given: list[str]) -> str:
    """SQL for what a file states in a column, if it has it."""
    if name not in given:
        return "null::varchar"
    text = f'"{name}"::varchar'
    # few begin or end with a space, and trimming is dear
    return f"""case when {text} = '' then null
        when starts_with({text}, ' ') or ends_with({text}, ' ') then nullif(trim({text}), '')
        else {text} end"""


def nowhere_else(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes table `elsewhere` without a row: a file states one place a record."""
    places = ", ".join(f"{name} varchar" for name in PLACE)
    connection.execute(
        f"create or replace table elsewhere (r bigint, person_key varchar, {places})"
    )


def columns(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """The columns of a CSV or Parquet file. Raises FileError where there is no such file, or it is none."""
    if not path.is_file():
        raise FileError(f"{path}: no such file")
    with loading(path):
        described = connection.execute(f"describe select * from {source(path)}").fetchall()
    return [str(row[0]) for row in described]


@contextmanager
def loading(path: Path) -> Iterator[None]:
    """What the engine says of a file that it can't read, without the line it stumbled over."""
    try:
        yield
    except duckdb.Error:
        kind = path.suffix.lower().lstrip(".").upper()
        raise FileError(f"{path}: can't be read as {kind}; is it whole, and UTF-8?") from None


def write(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """The rows of a query as CSV or Parquet, whole or not at all. Raises FileError."""
    kind = kind_of(path)
    beside = path.with_name(f".{path.name}.part")
    how = "format csv, header true" if kind == ".csv" else "format parquet"
    try:
        connection.execute(f"copy ({query}) to '{_quoted(beside)}' ({how})")
        beside.replace(path)
    except (duckdb.Error, OSError):
        beside.unlink(missing_ok=True)
        raise FileError(
            f"{path}: can't be written; is the folder there, and is there room?"
        ) from None


def kind_of(path: Path) -> str:
    """`.csv` or `.parquet`. Raises FileError for a name that ends otherwise."""
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise FileError(f"{path}: the name has to end in {' or '.join(KINDS)}")
    return kind


def source(path: Path) -> str:
    """SQL that reads a file."""
    return _READERS[kind_of(path)].format(_quoted(path))


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    row = connection.execute(query).fetchone()
    return () if row is None else tuple(int(value) for value in row)
