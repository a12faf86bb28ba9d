"""The made-up register: nobody exists, what is taken for a token is one, the same seed is the same register."""

from pathlib import Path

import duckdb
import pytest

from tests.benchmarks.register import Files, files_in, write


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Files:
    out = files_in(tmp_path_factory.mktemp("register"))
    write(2000, 1, out)
    return out


def asked(query: str) -> tuple[object, ...]:
    with duckdb.connect() as connection:
        return tuple(connection.execute(query).fetchall()[0])


def test_nobody_has_a_code_that_somebody_could_have(made: Files) -> None:
    number = "substr(identity_code, 8, 3)"
    codes, possible = asked(
        f"""select count(identity_code), count(*) filter ({number} < '900') from '{made.register}'
        where length(identity_code) = 11 and {number} between '000' and '999'"""
    )
    assert isinstance(codes, int) and isinstance(possible, int)
    assert codes > 500 and possible <= codes // 100, "but for what is mistyped"


def test_a_token_tells_equal_from_unequal_and_a_mistyped_code_gives_none(made: Files) -> None:
    both = f"'{made.register}' a join '{made.records}' b on a.record_id::varchar = b.record_id"
    told, tokens, codes = asked(
        f"""select count(*) filter (person_key = identity_code or birth_key = birth),
            count(distinct person_key), count(distinct identity_code) from {both}"""
    )
    assert told == 0
    assert isinstance(tokens, int) and isinstance(codes, int)
    assert 0 < tokens <= codes
    assert asked(f"select count(*) from {both} where birth is not null and birth_key is null") == (
        0,
    )


def test_the_truth_is_about_every_record_and_lies_apart(made: Files) -> None:
    assert asked(f"select count(*), count(distinct record_id) from '{made.truth}'") == (2000, 2000)
    for stated in (made.register, made.records):
        (names,) = asked(f"select list(name) from parquet_schema('{stated}')")
        assert isinstance(names, list) and not {"entity_id", "household_id"} & set(names)


def test_the_same_seed_makes_the_same_register(made: Files, tmp_path: Path) -> None:
    write(2000, 1, files_in(tmp_path))
    for one, other in zip(made, files_in(tmp_path), strict=True):
        assert asked(f"select count(*) from (from '{one}' except from '{other}')") == (0,)
