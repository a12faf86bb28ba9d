"""How much of an address the post's file knows, whatever the case, the letters and the language."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.address import Address, Stated, read_address
from pipelines.domain.postal import GRADES, grades

CODES = pd.DataFrame({"postal_code": ["31640", "31641", "31650"]}, dtype="str")
STREETS = pd.DataFrame(
    [
        ("31640", "Koivutie", None, "odd", 1, 35),
        ("31640", "Koivutie", None, "even", 2, 40),
        ("31640", "Kauppakatu", "Köpmansgatan", "even", 2, 8),
        ("31640", "Kauppakatu", "Köpmansgatan", "even", 14, None),
        ("31650", "Syvämäki", None, None, None, None),
        ("31650", "Kuninkaanlähteenmäen-Ylistaron", None, "odd", 1, 9),
    ],
    columns=["postal_code", "street_fi", "street_sv", "side", "lowest", "highest"],
).astype(
    {"street_fi": "str", "street_sv": "str", "side": "str", "lowest": "Int64", "highest": "Int64"}
)


def graded(*lines: str, code: str | None = "31640", country: str | None = None) -> list[str | None]:
    read = [read_address(Stated(line=x, postal_code=code, country=country)) for x in lines]
    found = grades(pd.DataFrame(read, columns=list(Address._fields), dtype="str"), CODES, STREETS)
    return [None if pd.isna(grade) else grade for grade in found]


@pytest.mark.parametrize(
    ("line", "grade"),
    [
        ("Koivutie 1", "exact"),
        ("KOIVUTIE 34 B 3", "exact"),
        ("koivutie 35a", "exact"),
        ("Koivutie 3-5", "exact"),
        ("Koivutie 37", "street_known"),
        ("Koivutie 42", "street_known"),
        ("Koivutie", "street_known"),
        ("Kauppakatu 2", "exact"),
        ("Kauppakatu 3", "street_known"),
        ("Kauppakatu 10", "street_known"),
        ("Kauppakatu 1400", "exact"),
        ("Köpmansgatan 8 bst 3", "exact"),
        ("Kopmansgatan 8", "exact"),
        ("Syvämäki 5", "postal_code_only"),
        ("Haavikkotie 5", "postal_code_only"),
        ("PL 5", "postal_code_only"),
        ("Poste restante", "postal_code_only"),
        ("#5 (a)", "postal_code_only"),
    ],
)
def test_an_address_is_graded_by_what_the_file_knows_of_it(line: str, grade: str) -> None:
    assert graded(line) == [grade]


def test_where_streets_have_no_numbers_the_street_is_enough() -> None:
    assert graded("Syvämäki 5", "Syvämäki", code="31650") == ["exact", "exact"]


def test_a_name_longer_than_the_file_has_room_for_is_found_by_its_beginning() -> None:
    assert graded("Kuninkaanlähteenmäen-Ylistaron tie 7", code="31650") == ["exact"]


def test_an_unknown_postal_code_is_unknown_and_a_foreign_address_is_not_graded() -> None:
    assert graded("Koivutie 1", code="99999") == ["unknown"]
    assert graded("Koivutie 1", code=None) == ["unknown"]
    assert graded("Storgatan 1", code="31640", country="SE") == [None]


def test_a_code_that_only_streets_name_is_known_too() -> None:
    none = CODES.iloc[:0]
    read = pd.DataFrame([read_address(Stated(line="Koivutie 1", postal_code="31640"))], dtype="str")
    assert list(grades(read, none, STREETS)) == ["exact"]
    assert list(grades(read, CODES, STREETS.iloc[:0])) == ["postal_code_only"]


def test_grades_stand_on_the_index_of_the_frame_they_are_asked_of() -> None:
    read = [
        read_address(Stated(line=x, postal_code="31640")) for x in ("Koivutie 1", "Haavikkotie 1")
    ]
    frame = pd.DataFrame([*read, read[0]], index=[7, 3, 9], dtype="str")
    assert grades(frame, CODES, STREETS).to_dict() == {
        7: "exact",
        3: "postal_code_only",
        9: "exact",
    }
    assert grades(frame.iloc[:0], CODES, STREETS).empty


NUMBERS = st.integers(1, 60)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(["Koivutie", "Kauppakatu", "Muu"]), NUMBERS), max_size=8))
def test_a_whole_frame_is_graded_as_each_of_its_addresses_alone(
    lines: list[tuple[str, int]],
) -> None:
    texts = [f"{name} {number}" for name, number in lines]
    assert graded(*texts) == [graded(text)[0] for text in texts]


@settings(deadline=None, max_examples=15)
@given(NUMBERS, st.sampled_from(["31640", "31650", "12345"]))
def test_knowing_more_never_lowers_a_grade(number: int, code: str) -> None:
    read = read_address(Stated(line=f"Koivutie {number}", postal_code=code))
    frame = pd.DataFrame([read], dtype="str")
    order = [*GRADES[::-1]]
    ranks = [order.index(grades(frame, CODES, STREETS.iloc[:n]).iloc[0]) for n in range(7)]
    assert ranks == sorted(ranks)
