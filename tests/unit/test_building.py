"""Ids of properties and buildings (FORMATS §5); building ids here are test ids, they start with 9."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.building import building_id, is_test_building, property_id


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("103-401-1-23", "10340100010023"), ("103-401-0001-0023", "10340100010023"),
        ("10340100010023", "10340100010023"), (" 103-401-1-23-M0601 ", "10340100010023M0601"),
        ("103-401-1-23-m601", "10340100010023M0601"), ("10340100010023M0601", "10340100010023M0601"),
    ],
)  # fmt: skip
def test_a_property_id_is_fourteen_digits_however_it_is_shown(written, stored):
    assert property_id(written) == stored


@pytest.mark.parametrize(
    "written", ["", "103-401-1", "1034010001002", "103-401-1-23-45-6", "x" * 14]
)
def test_what_is_no_property_id_is_none(written):
    assert property_id(written) is None


@given(st.from_regex(r"[0-9]{1,3}-[0-9]{1,3}-[0-9]{1,4}-[0-9]{1,4}(-M[0-9]{1,4})?", fullmatch=True))
def test_reading_a_property_id_twice_is_reading_it_once(written):
    once = property_id(written)
    assert once is not None
    assert property_id(once) == once


@pytest.mark.parametrize("written", ["900000759J", "9000263579", " 900000759j "])
def test_a_building_id_checks_by_its_last_character(written):
    assert building_id(written) == written.strip().upper()
    assert is_test_building(written.strip())


@pytest.mark.parametrize("written", ["900000759K", "90000075J", "", "900000759I", "900000759JJ"])
def test_a_wrong_building_id_is_none(written):
    assert building_id(written) is None


def test_an_issued_building_id_is_not_taken_for_a_test_id():
    assert building_id("122334455R") == "122334455R"
    assert not is_test_building("122334455R")
