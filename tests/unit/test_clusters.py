"""Groups follow from verdicts in any order, vetoes hold for whole groups, and ids never change hands."""

from itertools import combinations
from random import Random

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.clusters import Assignment, assign, group
from pipelines.domain.judgements import PAIR
from pipelines.domain.schemas import PARTIES, PARTY_RECORDS

Pair = tuple[str, str, str, str]


def records(keys: str) -> pd.DataFrame:
    return pd.DataFrame({"source": "registrations", "source_key": list(keys)}, dtype="str")


def pairs(*rows: Pair) -> pd.DataFrame:
    full = [("registrations", a, "registrations", b, verdict, why) for a, b, verdict, why in rows]
    return pd.DataFrame(full, columns=[*PAIR, "verdict", "evidence"], dtype="str")


def same(text: str, why: str = "person_key") -> list[Pair]:
    return [(a, b, "same", why) for a, b in text.split()]


def facts(**keys: str) -> pd.DataFrame:
    rows = [{"source": "registrations", "source_key": k, "person_key": v} for k, v in keys.items()]
    return PARTIES.frame(rows)


def parts(grouped: pd.DataFrame) -> list[str]:
    return sorted("".join(sorted(keys)) for _, keys in grouped.groupby("group")["source_key"])


def partition(keys: str, *rows: Pair, attributes: pd.DataFrame | None = None) -> list[str]:
    return parts(group(records(keys), pairs(*rows), attributes))


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


def test_records_that_are_the_same_in_a_chain_are_one_group() -> None:
    assert partition("abcde", *same("ab bc de")) == ["abc", "de"]


def test_review_joins_nobody() -> None:
    assert partition("ab", ("a", "b", "review", "name+phone")) == ["a", "b"]


def test_a_pair_with_a_record_that_is_not_there_joins_nobody() -> None:
    assert partition("ab", *same("az zb")) == ["a", "b"]


def test_a_veto_anywhere_in_a_group_splits_it_at_the_weakest_evidence() -> None:
    weak = same("bc", "name+birth")
    assert partition("abcd", *same("ab cd"), *weak, ("a", "d", "different", "judgement")) == [
        "ab",
        "cd",
    ]


def test_two_living_person_keys_never_share_a_group_though_their_records_were_never_compared() -> (
    None
):
    chain = [*same("ab", "person_key"), *same("bc", "name+birth")]
    assert partition("abc", *chain, attributes=facts(a="k1", c="k2")) == ["ab", "c"]
    assert partition("abc", *chain, attributes=facts(a="k1", c="k1")) == ["abc"]


def test_a_superseded_person_key_keeps_nobody_apart() -> None:
    known = facts(a="old", b="new")
    known["superseded_person_keys"] = pd.Series([[], ["old"]], dtype="object")
    assert partition("ab", *same("ab"), attributes=known) == ["ab"]


def test_a_split_leaves_other_groups_as_they_are() -> None:
    torn = [*same("ab bc"), ("a", "c", "different", "judgement")]
    assert partition("abcxyz", *torn, *same("xy yz")) == ["ab", "c", "xyz"]


EDGES = st.dictionaries(
    st.sampled_from(list(combinations("abcdefgh", 2))),
    st.tuples(
        st.sampled_from(["same", "same", "review", "different"]),
        st.sampled_from(["judgement", "person_key", "name+birth"]),
    ),
    max_size=14,
)
KEYS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["k1", "k2", "k3"]))


@settings(max_examples=15, deadline=None)
@given(EDGES, KEYS, st.randoms())
def test_groups_do_not_depend_on_row_order_and_hold_no_veto(
    edges: dict[tuple[str, str], tuple[str, str]], keys: dict[str, str], random: Random
) -> None:
    rows = [(a, b, verdict, why) for (a, b), (verdict, why) in edges.items()]
    shuffled, names = list(rows), list("abcdefgh")
    random.shuffle(shuffled)
    random.shuffle(names)
    found = partition("abcdefgh", *rows, attributes=facts(**keys))
    assert found == partition("".join(names), *shuffled, attributes=facts(**keys).iloc[::-1])
    for part in found:
        assert len({keys[k] for k in part if k in keys}) <= 1
        assert not any(a in part and b in part and v == "different" for a, b, v, _ in rows)


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
