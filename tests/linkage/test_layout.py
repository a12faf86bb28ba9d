"""A file that can't be read says which, what is wrong and what to do, and never a value."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipelines.linkage.layout import FileError, read


def refused(connection: duckdb.DuckDBPyConnection, path: Path) -> str:
    with pytest.raises(FileError) as told:
        read(connection, path)
    assert str(path) in str(told.value)
    return str(told.value)


def test_rows_are_numbered_by_their_id_whatever_their_order(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> None:
    assert read(connection, listed([{"record_id": "b"}, {"record_id": "a"}])) == 2
    found = connection.execute("select r, record_id from record order by r").fetchall()
    assert found == [(0, "a"), (1, "b")]


def test_columns_that_are_not_there_are_null_and_others_are_ignored(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "few.csv"
    path.write_text("record_id,shoe_size,phone\n1,43,\n", "utf-8")
    read(connection, path)
    row = connection.execute("select phone, email from record").fetchone()
    assert row == (None, None)


@pytest.mark.parametrize(
    ("written", "read_as"), [(" Aino", "Aino"), ("Aino ", "Aino"), ("Aino Maria", "Aino Maria"), ("  ", None)]
)  # fmt: skip
def test_spaces_around_a_value_are_none_of_it(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, written: str, read_as: str | None
) -> None:
    path = tmp_path / "spaced.csv"
    path.write_text(f"record_id,given_names\n1,{written}\n", "utf-8")
    read(connection, path)
    assert connection.execute("select given_names from record").fetchone() == (read_as,)


def test_a_file_that_is_not_there(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    assert "no such file" in refused(connection, tmp_path / "none.csv")


def test_a_file_of_another_kind(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    path.write_bytes(b"PK")
    assert "has to end in .csv or .parquet" in refused(connection, path)


def test_a_damaged_file(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "list.parquet"
    path.write_bytes(b"half a file")
    assert "can't be read as PARQUET" in refused(connection, path)


def test_a_file_that_breaks_off_in_the_middle_is_refused_without_telling_the_line(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    path = tmp_path / "list.csv"
    rows = [f"{n},Aaltola,31640" for n in range(30_000)]
    rows[25_000] = '25000,"Salovaara,31640,one,too,many'
    path.write_text("\n".join(["record_id,family_name,postal_code", *rows]), "utf-8")
    assert "Salovaara" not in refused(connection, path)


def test_two_columns_of_codes_are_two_columns(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    """Left to guess, the engine took the hyphens for separators."""
    path = tmp_path / "two.csv"
    path.write_text("record_id,property_id\n0,0-0\n1,0-1\n2,12-3\n", "utf-8")
    assert read(connection, path) == 3


def test_records_need_an_id_each_of_its_own(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path], tmp_path: Path
) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("phone\n0401234567\n", "utf-8")
    assert "no column record_id" in refused(connection, bare)
    assert "1 rows have no record_id" in refused(connection, listed([{"record_id": ""}, {}]))
    twice = listed([{"record_id": "a"}, {"record_id": "a"}])
    assert "1 rows repeat a record_id" in refused(connection, twice)


def test_a_kind_nobody_knows(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> None:
    told = refused(connection, listed([{"kind": "robot"}]))
    assert "neither person nor organisation" in told
    assert "robot" not in told
