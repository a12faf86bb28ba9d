"""A customer is found by words in any order, with one slip of the finger, the closest first."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.name_search import NameIndex, is_a_slip

NAMES = {
    1: "Mäki-Petäjä Matti Olavi", 2: "Maki Liisa", 3: "Mäkinen Matti", 4: "Virtanen Aino", 5: "Virta Oy",
    6: "Öhman Åke", 7: "Ek Bo",
}  # fmt: skip
INDEX = NameIndex.of(pd.DataFrame({"party_id": NAMES.keys(), "display_name": NAMES.values()}))
WORD = st.text(alphabet="abcdeåäö", min_size=4, max_size=9)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("matti", [1, 3]),
        ("petäjä mäki", [1]),
        ("PETAJA maki", [1]),
        ("maki", [1, 2, 3]),  # the word itself before one that begins so
        ("virtanen", [4]),
        ("virtaenn", [4]),  # two letters swapped
        ("virtannen", [4]),  # one too many
        ("vitanen aino", [4]),  # one too few
        ("vurtanen", [4]),  # another
        ("vurtnen", []),  # two slips
        ("bo", [7]),
        ("bu", []),  # too short to forgive
        ("ohman ake", [6]),
        ("matti aino", []),
        ("", []),
        (" - ", []),
    ],
)
def test_who_is_found_and_in_which_order(words: str, found: list[int]) -> None:
    assert INDEX.find(words, 50) == found


def test_no_more_are_found_than_asked_for_and_those_are_the_closest() -> None:
    assert INDEX.find("virta", 1) == [5]


def test_somebody_without_a_name_is_found_by_no_word() -> None:
    nameless = NameIndex.of(pd.DataFrame({"party_id": [1], "display_name": [None]}))
    assert nameless.find("none", 5) == nameless.find("nan", 5) == []


@given(WORD, st.integers(0, 8), st.sampled_from("abcdeåäö"))
def test_a_letter_added_left_out_or_changed_is_a_slip_both_ways(
    word: str, place: int, letter: str
) -> None:
    place %= len(word)
    for other in (
        word[:place] + letter + word[place:],
        word[:place] + word[place + 1 :],
        word[:place] + letter + word[place + 1 :],
        word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
    ):
        assert is_a_slip(word, other) == is_a_slip(other, word) == (word != other)


@given(WORD, WORD)
def test_a_slip_is_what_an_exhaustive_try_says(one: str, other: str) -> None:
    letters = set(one + other)
    near = {one[:i] + one[i + 1 :] for i in range(len(one))}
    near |= {one[:i] + c + one[i:] for i in range(len(one) + 1) for c in letters}
    near |= {one[:i] + c + one[i + 1 :] for i in range(len(one)) for c in letters}
    near |= {one[:i] + one[i : i + 2][::-1] + one[i + 2 :] for i in range(len(one))}
    assert is_a_slip(one, other) == (one != other and other in near)
