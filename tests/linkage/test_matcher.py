"""A made-up town matched whole: who is found, who is never merged, and that order does not matter."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import duckdb
import numpy as np
import pytest

from pipelines.domain.resolution import Policy
from pipelines.linkage import layout
from pipelines.linkage.matcher import Matched, match
from tests.linkage.conftest import Row, town

POLICY = Policy(
    leaked_per_million=1_000, queued_per_hundred=20, queued_at_least=0, least_worth_asking=0.05
)
KUUSELA: Row = {
    "given_names": "Eero", "family_name": "Kuusela", "street": "Koivikkotie", "house_number": "4",
    "postal_code": "31640",
}  # fmt: skip


@pytest.fixture
def matched(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> Callable[[Sequence[Row]], Matched]:
    def run(rows: Sequence[Row]) -> Matched:
        return match(connection, layout.read(connection, listed(rows)), POLICY)

    return run


def numbered(rows: Sequence[Row], prefix: str = "t") -> list[dict[str, object]]:
    return [{"record_id": f"{prefix}{n:05}", **row} for n, row in enumerate(rows)]


def together(found: Matched, a: int, b: int) -> bool:
    return bool(found.resolution.cluster[a] == found.resolution.cluster[b])


def verdict(found: Matched, a: int, b: int) -> str | None:
    here = (found.pairs.left == min(a, b)) & (found.pairs.right == max(a, b))
    return str(found.resolution.verdict[here][0]) if here.any() else None


def test_a_town_is_put_together_without_mixing_its_people(
    matched: Callable[[Sequence[Row]], Matched],
) -> None:
    rows = numbered(town(400, seed=5))
    found = matched(rows)
    entity = np.array([row["entity"] for row in rows])
    same = entity[found.pairs.left] == entity[found.pairs.right]
    merged = found.resolution.verdict == "same"
    assert merged[same].mean() > 0.4
    assert not merged[~same].any()
    asked = found.resolution.verdict == "review"
    assert (merged | asked)[same].mean() > 0.7


@pytest.mark.parametrize("seed", range(20, 25))
def test_a_short_list_is_put_together_too_and_nobody_is_mixed(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path], seed: int
) -> None:
    rows = numbered(town(15, seed))
    cautious = Policy(
        leaked_per_million=50, queued_per_hundred=15, queued_at_least=0, least_worth_asking=0.05
    )
    found = match(connection, layout.read(connection, listed(rows)), cautious)
    entity = np.array([row["entity"] for row in rows])
    same = entity[found.pairs.left] == entity[found.pairs.right]
    merged = found.resolution.verdict == "same"
    assert merged[same].mean() > 0.3
    assert not merged[~same].any()


def test_the_order_of_rows_does_not_matter_and_a_second_run_says_the_same(
    connection: duckdb.DuckDBPyConnection, listed: Callable[..., Path]
) -> None:
    rows = numbered(town(60, seed=6))
    shuffled = list(rows)
    Random(1).shuffle(shuffled)  # noqa: S311 - a seeded shuffle
    outcomes = [
        match(connection, layout.read(connection, listed(order)), POLICY)
        for order in (rows, rows, shuffled)
    ]
    for again in outcomes[1:]:
        assert (again.resolution.cluster == outcomes[0].resolution.cluster).all()
        assert (again.resolution.verdict == outcomes[0].resolution.verdict).all()
        assert (again.resolution.score == outcomes[0].resolution.score).all()


def test_one_identity_code_is_one_person_and_two_are_never_one(
    matched: Callable[[Sequence[Row]], Matched],
) -> None:
    people = [
        {**KUUSELA, "person_key": "k1", "birth_key": "b1", "phone": "0401234567"},
        {**KUUSELA, "person_key": "k2", "birth_key": "b1", "phone": "0401234567"},
        {"family_name": "Laine", "given_names": "E", "person_key": "k1"},
    ]
    found = matched(numbered(people, "a") + numbered(town(80, seed=7)))
    assert together(found, 0, 2)
    assert not together(found, 0, 1)
    assert verdict(found, 0, 1) == "different"


def test_father_and_son_of_one_name_are_asked_about(
    matched: Callable[[Sequence[Row]], Matched],
) -> None:
    found = matched(numbered([KUUSELA, KUUSELA], "a") + numbered(town(200, seed=8)))
    assert verdict(found, 0, 1) == "review"


def test_an_estate_is_not_the_person(matched: Callable[[Sequence[Row]], Matched]) -> None:
    estate = {**KUUSELA, "family_name": "Kuusela kuolinpesä", "birth_key": "b1"}
    found = matched(
        numbered([{**KUUSELA, "birth_key": "b1"}, estate], "a") + numbered(town(80, seed=9))
    )
    assert verdict(found, 0, 1) == "different"


def test_r56_a_protected_person_is_merged_by_identity_code_only(
    matched: Callable[[Sequence[Row]], Matched],
) -> None:
    known = {**KUUSELA, "birth_key": "b1"}
    pairs = [known, {**known, "protection": "on"}]
    keyed = [{**row, "person_key": "k1"} for row in pairs]
    rest = numbered(town(200, seed=10))
    assert not together(matched(numbered(pairs, "a") + rest), 0, 1)
    assert together(matched(numbered(keyed, "a") + rest), 0, 1)


def test_swapped_names_and_a_move_do_not_hide_a_person(
    matched: Callable[[Sequence[Row]], Matched],
) -> None:
    moved = {
        "given_names": "Kuusela", "family_name": "Eero", "street": "Rantakatu", "house_number": "9",
        "postal_code": "00990", "birth_key": "b1",
    }  # fmt: skip
    found = matched(
        numbered([{**KUUSELA, "birth_key": "b1"}, moved], "a") + numbered(town(200, seed=11))
    )
    assert verdict(found, 0, 1) in ("same", "review")


def test_a_company_and_its_contact_person_are_two_parties(
    matched: Callable[[Sequence[Row]], Matched],
) -> None:
    firm = {
        "kind": "organisation", "organisation_name": "Kuusela Oy", "phone": "0401234567",
        "contact_name": "Eero Kuusela", "business_id": "0000001-9",
    }  # fmt: skip
    again = {**firm, "organisation_name": "KUUSELA OSAKEYHTIÖ"}
    found = matched(numbered([firm, again, {**KUUSELA, "phone": "0401234567"}], "a"))
    assert together(found, 0, 1)
    assert verdict(found, 0, 2) is None


@pytest.mark.parametrize("rows", [[], [KUUSELA], [{}, {}], [{"kind": "organisation"}] * 3])
def test_next_to_nothing_is_no_trouble(
    matched: Callable[[Sequence[Row]], Matched], rows: list[Row]
) -> None:
    found = matched(rows)
    assert len(set(found.resolution.cluster.tolist())) == len(rows)


def test_a_number_that_half_the_town_shares_makes_no_flood_of_pairs(
    matched: Callable[[Sequence[Row]], Matched],
) -> None:
    """A property manager's phone: pairs grow with the records, not with their square."""
    shared = {"kind": "organisation", "phone": "0401234567", "email": "info@isanta.example"}
    firms = [
        {**shared, "organisation_name": f"As Oy Humppilan {name}tie {n}"}
        for n in range(1, 41)
        for name in ("Koivu", "Kuusi", "Leppä", "Pihlaja", "Haapa")
    ]
    found = matched(firms)
    assert len(found.pairs.left) <= 4 * len(firms)
    assert not (found.resolution.verdict == "same").any()
