"""How two records compare, fact by fact, and that each rule has a condition for every level."""

from collections.abc import Callable, Mapping
from pathlib import Path

import duckdb
import numpy as np
import pytest

from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.wording import phrase
from pipelines.linkage import layout, normal
from pipelines.linkage.patterns import BITS, CASES, compare, unpacked
from tests.linkage.conftest import Row

Levels = Mapping[str, str]
EERO: Row = {"given_names": "Eero", "family_name": "Kuusela", "birth_key": "b1"}


@pytest.fixture
def compared(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> Callable[[Row, Row], Levels]:
    """The levels of one pair, by name."""

    def levels(left: Row, right: Row) -> Levels:
        table = "organisation" if left.get("kind") == "organisation" else "person"
        layout.read(connection, listed([left, right]))
        normal.normalise(connection)
        connection.execute("create or replace table pair as select 0 l, 1 r")
        compare(connection, table, "pair")
        code = connection.table(f"{table}_compared").project("code").fetchnumpy()["code"]
        row = unpacked(table, np.asarray(code)).iloc[0]
        return {fact: names[int(row[fact])] for fact, names in EVIDENCE[table].levels.items()}

    return levels


@pytest.mark.parametrize("table", EVIDENCE)
def test_every_level_has_a_condition_and_fits_into_the_code(table: str) -> None:
    for fact, levels in EVIDENCE[table].levels.items():
        assert set(levels) - {"other"} == set(CASES[table][fact])
        assert len(levels) <= 2**BITS
    assert len(EVIDENCE[table].levels) * BITS <= 64


def test_swapped_names_are_the_same_names(compared: Callable[[Row, Row], Levels]) -> None:
    found = compared(EERO, {"given_names": "Kuusela", "family_name": "Eero"})
    assert found["given"].startswith("same")
    assert found["family"].startswith("same")


@pytest.mark.parametrize(
    ("other", "level"),
    [
        ("Eeor", "near"),
        ("E.", "initial"),
        ("Ilmari Eero", "second"),
        ("Aino", "other"),
        ("", "unstated"),
    ],
)
def test_a_given_name_is_the_same_in_many_ways(
    compared: Callable[[Row, Row], Levels], other: str, level: str
) -> None:
    assert compared(EERO, {**EERO, "given_names": other})["given"] == level


def test_a_double_name_has_a_part_in_common(compared: Callable[[Row, Row], Levels]) -> None:
    assert compared(EERO, {**EERO, "family_name": "Laine-Kuusela"})["family"] == "part"


def test_a_family_name_with_two_slips_is_similar(
    compared: Callable[[Row, Row], Levels],
) -> None:
    assert compared(EERO, {**EERO, "family_name": "Koosela"})["family"] == "alike"


def test_a_name_twice_in_a_short_list_is_not_common(
    compared: Callable[[Row, Row], Levels],
) -> None:
    found = compared(EERO, EERO)
    assert (found["given"], found["family"]) == ("same_usual", "same_usual")


def test_a_number_behind_a_name_is_another_mailbox_and_a_letter_is_a_slip(
    compared: Callable[[Row, Row], Levels],
) -> None:
    mine = {**EERO, "email": "eero.kuusela1@posti.example"}
    assert compared(mine, {**EERO, "email": "eero.kuusela2@posti.example"})["email"] == "other"
    assert compared(mine, {**EERO, "email": "eero.kusela1@posti.example"})["email"] == "near"


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({}, "same_home"),
        ({"apartment": ""}, "same_house"),
        ({"street": "Koivikkotei"}, "same_house"),
        ({"street": "Rantakatu", "house_number": "4"}, "same_numbers"),
        ({"street": "", "house_number": "4"}, "same_numbers"),
        ({"house_number": "14"}, "same_street"),
        ({"apartment": "B 3"}, "other_flat"),
        ({"street": "Rantakatu", "house_number": "5"}, "same_area"),
        ({"street": "", "house_number": ""}, "unstated"),
    ],
)
def test_addresses_agree_by_degrees(
    compared: Callable[[Row, Row], Levels], change: Row, level: str
) -> None:
    home = {
        **EERO, "street": "Koivikkotie", "house_number": "4", "apartment": "A 2", "postal_code": "31640",
    }  # fmt: skip
    assert compared(home, {**home, **change})["address"] == level


def test_two_housing_companies_of_one_street_differ_by_their_number(
    compared: Callable[[Row, Row], Levels],
) -> None:
    firm = {"kind": "organisation", "organisation_name": "As Oy Humppilan Koivikkotie 4"}
    other = {**firm, "organisation_name": "Asunto Oy Humppilan Koivikkotie 6"}
    assert compared(firm, other)["name"] == "other_number"
    written = {**firm, "organisation_name": "AS. OY HUMPPILAN KOIVIKKOTIE 4"}
    assert compared(firm, written)["name"].startswith("same")


def test_every_level_can_be_told_in_words() -> None:
    for evidence in EVIDENCE.values():
        for fact, levels in evidence.levels.items():
            for level in levels:
                assert bool(phrase({fact: level}, [fact])) == (level not in ("unstated", "neither"))
