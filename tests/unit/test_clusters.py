"""Ids never change hands."""

from random import Random

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.clusters import Assignment, assign
from pipelines.domain.schemas import PARTY_RECORDS


def grouped(*keys: str) -> pd.DataFrame:
    rows = [(k, n) for n, members in enumerate(keys) for k in members]
    return pd.DataFrame(rows, columns=["source_key", "group"]).assign(source="registrations")


def held(**ids: int) -> pd.DataFrame:
    """held(ab=1) is: records a and b belong to party 1."""
    rows = [
        {"source": "registrations", "source_key": key, "party_id": party}
        for keys, party in ids.items()
        for key in keys
    ]
    return PARTY_RECORDS.frame(rows)


def ids(assignment: Assignment) -> dict[str, int]:
    frame = assignment.records
    return dict(zip(frame["source_key"], frame["party_id"].astype(int), strict=True))


def moves(frame: pd.DataFrame) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in frame.itertuples(index=False)]


def test_a_new_group_gets_the_next_id_in_the_order_of_its_smallest_record() -> None:
    assignment = assign(grouped("b", "ac"), PARTY_RECORDS.empty(), next_id=7)
    assert ids(assignment) == {"a": 7, "b": 8, "c": 7}
    assert assignment.minted == [7, 8]
    assert moves(assignment.merged) == moves(assignment.split) == []


def test_the_oldest_id_survives_a_merge_and_the_others_redirect() -> None:
    assignment = assign(grouped("abcd"), held(abc=5, d=2), next_id=9)
    assert set(ids(assignment).values()) == {2}
    assert moves(assignment.merged) == [(5, 2)]
    assert assignment.minted == []


def test_after_a_split_the_id_stays_with_the_larger_part() -> None:
    assignment = assign(grouped("a", "bc"), held(abc=5), next_id=9)
    assert ids(assignment) == {"a": 9, "b": 5, "c": 5}
    assert moves(assignment.split) == [(9, 5)]


def test_equal_parts_leave_the_id_with_the_smallest_record() -> None:
    assert ids(assign(grouped("cd", "ab"), held(abcd=5), next_id=9)) == {
        "a": 5,
        "b": 5,
        "c": 9,
        "d": 9,
    }


def test_a_record_that_moves_to_another_party_takes_no_id_along() -> None:
    assignment = assign(grouped("ab", "cde"), held(abc=1, de=2), next_id=9)
    assert ids(assignment) == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 2}
    assert moves(assignment.merged) == moves(assignment.split) == []


def test_only_the_groups_handed_in_are_assigned_and_vanished_records_hold_nothing_up() -> None:
    assignment = assign(grouped("ab"), held(ay=3, z=1), next_id=9)
    assert ids(assignment) == {"a": 3, "b": 3}


def test_merge_then_unmerge_is_as_before() -> None:
    before = held(ab=1, cd=2)
    merged = assign(grouped("abcd"), before, next_id=3)
    assert moves(merged.merged) == [(2, 1)]
    unmerged = assign(grouped("ab", "cd"), merged.records, next_id=3, formerly=held(cd=2))
    assert ids(unmerged) == ids(assign(grouped("ab", "cd"), before, next_id=3))
    assert unmerged.minted == []
    assert moves(unmerged.split) == [(2, 1)]


def test_an_id_that_lives_elsewhere_is_not_taken_back() -> None:
    assignment = assign(grouped("ab", "cd"), held(abcd=1, e=2), next_id=3, formerly=held(cd=2))
    assert ids(assignment) == {"a": 1, "b": 1, "c": 3, "d": 3}


PARTITION = st.lists(st.integers(0, 3), min_size=6, max_size=6)


def groups_of(labels: list[int]) -> pd.DataFrame:
    return grouped(
        *("".join(k for k, n in zip("abcdef", labels, strict=True) if n == g) for g in set(labels))
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(PARTITION, min_size=1, max_size=4), st.randoms())
def test_replaying_the_nights_gives_the_same_ids_and_no_id_is_shared_or_reused(
    nights: list[list[int]], random: Random
) -> None:
    previous, next_id, gone = PARTY_RECORDS.empty(), 1, set[int]()
    for labels in nights:
        groups = groups_of(labels)
        assignment = assign(groups, previous, next_id)
        again = assign(groups.sample(frac=1, random_state=random.randrange(99)), previous, next_id)
        assert ids(assignment) == ids(again)
        by_party = groups.assign(party=groups["source_key"].map(ids(assignment)))
        assert (by_party.groupby("group")["party"].nunique() == 1).all()
        assert (by_party.groupby("party")["group"].nunique() == 1).all()
        assert not gone & set(ids(assignment).values())
        gone |= set(previous["party_id"].astype(int)) - set(ids(assignment).values())
        assert {a for a, _ in moves(assignment.merged)} <= gone
        previous, next_id = assignment.records, next_id + len(assignment.minted)


@settings(max_examples=15, deadline=None)
@given(PARTITION, PARTITION)
def test_unmerging_undoes_merging_whichever_part_is_larger(
    first: list[int], second: list[int]
) -> None:
    start = assign(groups_of(first), PARTY_RECORDS.empty(), next_id=1)
    pairs = list(zip(first, second, strict=True))
    coarser = [min(a for a, other in pairs if other == b) for _, b in pairs]
    joined = [min(c for f, c in zip(first, coarser, strict=True) if f == a) for a in first]
    merged = assign(groups_of(joined), start.records, next_id=100)
    back = assign(groups_of(first), merged.records, next_id=100, formerly=start.records)
    assert ids(back) == ids(start)
    assert back.minted == []
