import string
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.identity import Identity, read_identity

SIGNS = {"18": "+", "19": "-YXWVU", "20": "ABCDEF"}


def code_of(born: date, sign: str, number: int) -> str:
    digits = f"{born:%d%m%y}{number:03d}"
    check = "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31]
    return f"{digits[:6]}{sign}{digits[6:]}{check}"


@given(
    born=st.dates(date(1800, 1, 1), date(2099, 12, 31)),
    number=st.integers(900, 999),
    pick=st.integers(0, 5),
)
def test_every_century_sign_gives_the_birth_date_back(born: date, number: int, pick: int) -> None:
    signs = SIGNS[f"{born.year}"[:2]]
    code = code_of(born, signs[pick % len(signs)], number)
    read = read_identity(code, True)
    assert read == Identity(code, born.isoformat())


@pytest.mark.parametrize(
    "written",
    [
        "010180-999a",
        " 010180-999A\r\n",
        "010180–999A",
        "010180−999A",
        "010180 - 999 A",
        "010180\u2011999A\u200b",
    ],
)
def test_case_spaces_and_typographic_dashes_are_forgiven(written: str) -> None:
    assert read_identity(written, True) == Identity("010180-999A", "1980-01-01")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("", "malformed"),
        ("010180999A", "malformed"),
        ("010180*999A", "malformed"),
        ("010180-99٩A", "malformed"),
        ("0245437-2", "malformed"),
        ("010180-001H", "malformed"),
        ("010180-999B", "check_character"),
        ("310280-999A", "not_a_date"),
        ("290281-9997", "not_a_date"),
    ],
)
def test_a_faulty_code_is_named_by_its_fault(written: str, fault: str) -> None:
    assert read_identity(written, True) == fault


def test_a_test_identity_passes_only_where_those_are_allowed() -> None:
    assert read_identity("010180-999A", False) == "test_identity"
    assert read_identity("010180-999B", False) == "check_character"


def test_an_identity_shows_nothing_of_itself() -> None:
    assert "0101" not in repr(read_identity("010180-999A", True))


@given(st.text(string.printable + "åäöÅ–−\u200b١", max_size=20))
def test_no_text_whatever_raises(text: str) -> None:
    read_identity(text, True)
