"""Which records meet: by any evidence that is left, and in blocks that are refined, not dropped."""

from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from pipelines.linkage import layout, normal
from pipelines.linkage.candidates import Key, find_keys, find_pairs, pair_once
from tests.linkage.conftest import Row, town

EERO: Row = {
    "given_names": "Eero Ilmari", "family_name": "Kuusela", "birth_key": "b1", "phone": "0401234567",
    "email": "eero@posti.example", "street": "Koivikkotie", "house_number": "4", "postal_code": "31640",
    "post_office": "HUMPPILA", "property_id": "103-1-1-1",
}  # fmt: skip


@pytest.fixture
def pairs(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> Callable[[Sequence[Row]], set[tuple[int, int]]]:
    def found(rows: Sequence[Row]) -> set[tuple[int, int]]:
        numbered = [{"record_id": f"{n:05}", **row} for n, row in enumerate(rows)]
        layout.read(connection, listed(numbered))
        normal.normalise(connection)
        find_keys(connection, discover=True)
        find_pairs(connection)
        met = connection.table("pair").fetchall()
        pair_once(connection)
        assert sorted(met) == sorted(connection.table("pair").fetchall())
        return {(int(a), int(b)) for a, b in met}

    return found


@pytest.mark.parametrize(
    "kept",
    [
        ("given_names", "family_name"),
        ("given_names", "birth_key"),
        ("family_name", "birth_key"),
        ("given_names", "phone"),
        ("email",),
        ("given_names", "street", "house_number", "postal_code"),
        ("given_names", "property_id"),
        ("birth_key", "postal_code"),
        ("phone",),
    ],
)
def test_a_few_facts_are_enough_to_meet(
    pairs: Callable[[Sequence[Row]], set[tuple[int, int]]], kept: tuple[str, ...]
) -> None:
    assert pairs([EERO, {name: EERO[name] for name in kept}]) == {(0, 1)}


@pytest.mark.parametrize(
    "slips",
    [
        {"given_names": "Eeor", "family_name": "Kusela"},
        {"given_names": "Eero", "family_name": "Kuuesla"},
        {
            "given_names": "Eerik",
            "family_name": "Kusola",
            "birth_key": "b1",
            "postal_code": "31640",
        },
        {"given_names": "Aero", "postal_code": "31640", "street": "Koivukkotie"},
        {"given_names": "Eero", "street": "Koivikkotie", "post_office": "Humppila"},
        {"email": "eero7@post.example"},
    ],
)
def test_slips_in_both_names_or_in_an_address_do_not_keep_a_record_apart(
    pairs: Callable[[Sequence[Row]], set[tuple[int, int]]], slips: Row
) -> None:
    assert pairs([EERO, {"house_number": "4", **slips}]) == {(0, 1)}


def test_a_household_s_others_do_not_meet_over_the_roof_alone(
    pairs: Callable[[Sequence[Row]], set[tuple[int, int]]],
) -> None:
    home = {k: EERO[k] for k in ("family_name", "street", "house_number", "postal_code")}
    assert pairs([{**home, "given_names": "Eero"}, {**home, "given_names": "Aino"}]) == set()


def test_in_a_crowd_of_one_name_those_who_share_more_still_meet(
    pairs: Callable[[Sequence[Row]], set[tuple[int, int]]],
) -> None:
    name = {"given_names": "Eero", "family_name": "Kuusela"}
    crowd = [{**name, "phone": f"04012300{n // 2:02}"} for n in range(80)]
    found = pairs(crowd)
    assert {(n, n + 1) for n in range(0, 80, 2)} <= found
    assert len(found) <= 2 * len(crowd)


def test_at_a_telephone_of_many_a_birthday_is_enough(
    pairs: Callable[[Sequence[Row]], set[tuple[int, int]]],
) -> None:
    """Names misread, no address: two of one day meet among all who are reached there."""
    misread = (
        "Aino Aalto",
        "Onni Berg",
        "Helmi Candelin",
        "Kauko Degerman",
        "Irja Elo",
        "Pirjo Finne",
    )
    there = [
        {"given_names": given, "family_name": family, "phone": "0401230099"}
        for given, family in map(str.split, misread)
    ]
    there[1]["birth_key"] = there[4]["birth_key"] = "b1"
    assert pairs(there) == {(1, 4)}


def test_a_key_that_a_whole_town_shares_still_holds_its_records_together(
    pairs: Callable[[Sequence[Row]], set[tuple[int, int]]],
) -> None:
    """A city has hundreds of customer numbers; they make a star, and are not compared each with each."""
    found = pairs([{"person_key": "k1"}] * 300)
    assert len(found) == 299


def test_who_meets_does_not_depend_on_how_many_keys_are_made_at_once(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> None:
    layout.read(connection, listed(town(120, seed=3)))
    normal.normalise(connection)
    found = []
    for at_once in (1, 10**9):
        pair_once(connection, at_once)
        found.append(sorted(connection.table("pair").fetchall()))
    assert found[0] == found[1] != []


def test_blocks_that_strangers_come_to_share_are_smaller_in_a_register_of_millions() -> None:
    birthday = Key("birth", ("birth",), 8, crowds=True)
    assert [birthday.most_among(n) for n in (30, 1_000_000, 4_000_000, 10**12)] == [8, 8, 5, 3]
    phone = Key("phone", ("phone",), 12)
    assert phone.most_among(4_000_000) == 12
