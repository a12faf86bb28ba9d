"""Stewards' judgements are a set: whatever order they are read in, one verdict stands per pair."""

import itertools
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.judgements import PAIR, Judgement, left_first, settle

COLUMNS = [*PAIR, "verdict", "decided_at"]
VERDICTS = st.sampled_from([j.value for j in Judgement])
DECIDED = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from("abc"),
        VERDICTS,
        st.sampled_from(["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", None]),
    ),
    max_size=8,
)


def judged(*rows: tuple[str, str, str, str | None]) -> pd.DataFrame:
    full = [("registrations", left, "dvv", right, *rest) for left, right, *rest in rows]
    return pd.DataFrame(full, columns=COLUMNS, dtype="str")


def verdicts(judgements: pd.DataFrame) -> list[tuple[str, ...]]:
    settled = settle(judgements)
    return list(settled.itertuples(index=False, name=None))


def test_a_later_judgement_supersedes_an_earlier_one() -> None:
    rows = judged(
        ("a", "b", "same", "2026-01-01T00:00:00Z"), ("a", "b", "different", "2026-02-01T00:00:00Z")
    )
    assert verdicts(rows) == [("dvv", "b", "registrations", "a", "different")]


def test_judgements_that_contradict_each_other_leave_the_pair_unsure() -> None:
    rows = judged(
        ("a", "b", "same", "2026-01-01T00:00:00Z"), ("a", "b", "different", "2026-01-01T00:00:00Z")
    )
    assert verdicts(rows) == [("dvv", "b", "registrations", "a", "unsure")]


def test_a_judgement_taken_back_binds_nobody() -> None:
    rows = judged(
        ("a", "b", "same", "2026-01-01T00:00:00Z"), ("a", "b", "undone", "2026-02-01T00:00:00Z")
    )
    assert verdicts(rows) == []


def test_a_superseded_row_no_longer_counts_however_late_it_is() -> None:
    rows = judged(
        ("a", "b", "same", "2026-03-01T00:00:00Z"), ("a", "b", "different", "2026-01-01T00:00:00Z")
    )
    rows["superseded_by"] = pd.array([2, None], dtype="Int64")
    assert verdicts(rows) == [("dvv", "b", "registrations", "a", "different")]


def test_an_unknown_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="Judgement"):
        settle(judged(("a", "b", "perhaps", None)))


def test_the_smaller_record_of_a_pair_stands_on_the_left() -> None:
    pair = pd.DataFrame([("b", "1", "a", "2"), ("a", "9", "a", "10")], columns=list(PAIR))
    assert left_first(pair).values.tolist() == [["a", "2", "b", "1"], ["a", "10", "a", "9"]]


def test_adding_judgements_depends_on_neither_order_nor_grouping() -> None:
    for a, b, c in itertools.product(Judgement, repeat=3):
        assert a + b is b + a
        assert (a + b) + c is a + (b + c)
        assert a + a is a


@settings(deadline=None)
@given(DECIDED, st.randoms())
def test_judgements_settle_the_same_in_any_order(
    rows: list[tuple[str, str, str, str | None]], random: Random
) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert verdicts(judged(*rows)) == verdicts(judged(*shuffled))
