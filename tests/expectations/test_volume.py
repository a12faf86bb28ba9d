"""A register that suddenly halves is not believed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from expectations.volume import Corridor, implausible

RULE = Corridor(shrink=0.05, grow=0.5, minimum=10)


@pytest.mark.parametrize(
    ("total", "usual"),
    [(2000, 2000), (1900, 2000), (3000, 2000), (10, None), (None, 2000), (None, None)],
)
def test_a_size_within_the_corridor_is_believed(total, usual):
    assert implausible(total, usual, RULE) is None


@pytest.mark.parametrize(
    ("total", "usual"), [(1899, 2000), (3001, 2000), (0, 2000), (9, None), (9, 9)]
)
def test_a_size_outside_the_corridor_is_not(total, usual):
    reason = implausible(total, usual, RULE)
    assert reason is not None
    assert str(total) in reason


def test_one_record_more_or_less_is_always_believed():
    tight = Corridor(shrink=0.0, grow=0.0)
    assert implausible(2, 3, tight) is None
    assert implausible(4, 3, tight) is None
    assert implausible(5, 3, tight) is not None


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_the_usual_size_is_believed_and_further_away_is_never_more_believable(usual, total):
    rule = Corridor(0.1, 0.2)
    assert implausible(usual, usual, rule) is None
    if implausible(total, usual, rule):
        further = total - 1 if total < usual else total + 1
        assert further < 0 or implausible(further, usual, rule)
