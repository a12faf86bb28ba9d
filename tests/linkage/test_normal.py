"""What is compared is read in SQL as the domain reads it."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.domain.names import fold
from pipelines.linkage import layout
from pipelines.linkage.normal import normalise

LETTERS = "abcåäöéüßæøłðđşčž ABCÅÄÖÉ-'.,/&0123456789Ω"


def read(
    connection: duckdb.DuckDBPyConnection, path: Path, table: str = "person"
) -> list[dict[str, object]]:
    layout.read(connection, path)
    normalise(connection)
    rows = connection.table(table).order("r")
    return [dict(zip(rows.columns, row, strict=True)) for row in rows.fetchall()]


@pytest.fixture
def folding(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A connection that can fold, after a normalisation of a record of which nothing is known."""
    columns = (*layout.COLUMNS, *layout.FROM_THE_REGISTER)
    rows = ", ".join(f"null::varchar {column}" for column in columns)
    connection.execute(f"create or replace table record as select 0 r, {rows}")
    layout.nowhere_else(connection)
    normalise(connection)
    return connection


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(LETTERS, max_size=20), min_size=1, max_size=20))
def test_a_text_is_folded_as_the_domain_folds_it(
    folding: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    folded = folding.execute("select fold(t) from (select unnest($1) t)", [texts]).fetchall()
    assert [told or "" for (told,) in folded] == [fold(text) for text in texts]


@pytest.mark.parametrize(
    "number", ["+358 40 123 4567", "00358401234567", "040-1234567", "0401234567"]
)
def test_a_number_is_one_however_it_is_dialled(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path], number: str
) -> None:
    assert read(connection, listed([{"phone": number}]))[0]["phone"] == "401234567"


def test_given_names_are_cut_at_spaces_and_a_hyphenated_one_is_one(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> None:
    (row,) = read(connection, listed([{"given_names": "Anna-Liisa  Päivi", "family_name": "Ås"}]))
    assert (row["g1"], row["g2"], row["f"]) == ("annaliisa", "paivi", "as")


@pytest.mark.parametrize(
    "name", ["Kuusela kuolinpesä", "Kuusela kp", "dbo Kuusela", "KUUSELAN KUOLINPESÄN OSAKKAAT"]
)
def test_an_estate_is_a_role_of_a_name_and_no_part_of_it(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path], name: str
) -> None:
    (row,) = read(connection, listed([{"family_name": name}]))
    assert row["estate"] is True
    assert row["f"] in ("kuusela", "kuuselan")


def test_who_takes_the_post_in_is_not_who_it_is_for(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> None:
    (row,) = read(connection, listed([{"family_name": "Kuusela c/o Ojala"}]))
    assert row["f"] == "kuusela"


def test_a_legal_form_is_left_out_for_comparing_and_kept_beside(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> None:
    path = listed(
        [
            {"kind": "organisation", "organisation_name": "As Oy Humppilan Koivikkotie 4"},
            {"kind": "organisation", "organisation_name": "Oy Ab"},
        ]
    )
    housing, bare = read(connection, path, "organisation")
    assert (housing["core"], housing["numbers"]) == ("humppilan koivikkotie 4", "4")
    assert bare["core"] == "oy ab"
