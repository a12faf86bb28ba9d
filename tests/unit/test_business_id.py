"""The Finnish business id (FORMATS §5; the valid ones are printed there by public bodies)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.business_id import business_id


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("0245437-2", "0245437-2"), ("02454372", "0245437-2"), (" 2077474 - 0 ", "2077474-0"),
        ("FI20774740", "2077474-0"), ("112038-9", "0112038-9"), ("1120389", "0112038-9"),
    ],
)  # fmt: skip
def test_every_usual_spelling_becomes_the_dashed_one(written, stored):
    assert business_id(written) == stored


@pytest.mark.parametrize(
    "written", ["2077474-1", "", "207747-40", "20774740X", "010180-999A", "٠٢٤٥٤٣٧-٢", "12-3"]
)
def test_what_is_no_business_id_is_none(written):
    assert business_id(written) is None


@given(st.from_regex(r"[0-9]{7}-?[0-9]", fullmatch=True))
def test_reading_twice_is_reading_once_and_one_check_digit_in_eleven_holds(written):
    once = business_id(written)
    assert once is None or business_id(once) == once
    body = written[:7]
    assert sum(business_id(f"{body}-{d}") is not None for d in range(10)) <= 1
