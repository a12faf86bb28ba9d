"""From chances to verdicts and clusters: vetoes hold, risk is kept, order does not matter."""

from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.resolution import Limits, Pairs, Policy, Resolution, resolve

BOLD = Policy(
    leaked_per_million=1e6, queued_per_hundred=100, queued_at_least=0, least_worth_asking=0.05
)
Pair = tuple[int, int, float, str]
"""left, right, chance, and what is so (`forbidden`, `against`, `guarded`, `parted`, `verified`) or said (SAID), or both."""
SAID = ("same", "different", "unsure")


def resolved(
    size: int, pairs: list[Pair], by: Policy | Limits = BOLD, keys: list[int] | None = None
) -> Resolution:
    said = [kind.split() for *_, kind in pairs]
    return resolve(
        size,
        Pairs(
            left=np.array([p[0] for p in pairs], dtype=np.int64),
            right=np.array([p[1] for p in pairs], dtype=np.int64),
            chance=np.array([p[2] for p in pairs], dtype=np.float64),
            **{
                kind: np.array([kind in s for s in said], dtype=bool)
                for kind in ("forbidden", "against", "guarded", "parted", "verified")
            },
            said=np.array([next((k for k in s if k in SAID), "") for s in said], dtype="<U9"),
        ),
        [] if keys is None else [np.array(keys, dtype=np.int64)],
        by,
    )


def test_likely_pairs_are_one_cluster_and_unlikely_ones_are_not() -> None:
    found = resolved(4, [(0, 1, 0.999, ""), (1, 2, 0.99, ""), (2, 3, 0.01, "")])
    assert found.cluster.tolist() == [0, 0, 0, 3]
    assert found.verdict.tolist() == ["same", "same", "different"]


def test_a_forbidden_pair_is_different_however_likely() -> None:
    found = resolved(2, [(0, 1, 1.0, "forbidden")])
    assert found.cluster.tolist() == [0, 1]
    assert found.verdict.tolist() == ["different"]
    assert found.score.tolist() == [0.0]


def test_a_guarded_pair_is_asked_about_and_not_merged() -> None:
    found = resolved(2, [(0, 1, 0.999, "guarded")])
    assert found.cluster.tolist() == [0, 1]
    assert found.verdict.tolist() == ["review"]


def test_a_veto_anywhere_in_a_component_splits_it_at_its_weakest_pair() -> None:
    chain: list[Pair] = [(0, 1, 0.9999, ""), (1, 2, 0.98, ""), (2, 3, 0.9999, "")]
    found = resolved(4, [*chain, (0, 3, 0.0, "forbidden")])
    assert found.cluster.tolist() == [0, 0, 2, 2]
    assert found.score[1] < 0.05


def test_two_codes_never_stand_in_one_cluster_even_if_never_compared() -> None:
    found = resolved(3, [(0, 1, 0.9999, ""), (1, 2, 0.999, "")], keys=[7, -1, 8])
    assert found.cluster.tolist() == [0, 0, 2]


def test_a_record_between_a_father_and_a_son_belongs_to_neither_for_certain() -> None:
    found = resolved(3, [(0, 2, 0.995, ""), (1, 2, 0.995, ""), (0, 1, 0.1, "against")])
    assert max(found.score[:2]) < 0.6


def test_a_rival_that_is_hardly_likely_changes_little() -> None:
    found = resolved(3, [(0, 2, 0.9999, ""), (1, 2, 0.03, ""), (0, 1, 0.1, "against")])
    assert found.score[0] > 0.999


def test_a_record_that_states_what_keeps_two_apart_is_between_nobody() -> None:
    """Three records of one person: a birth is wrong in the last, a telephone in the first."""
    found = resolved(3, [(0, 1, 0.9999, ""), (1, 2, 0.999, "against"), (0, 2, 0.1, "against")])
    assert found.score.tolist() == [0.9999, 0.999, 0.1]


@pytest.mark.parametrize(("chance", "is_torn"), [(0.01, True), (0.1, False)])
def test_evidence_tears_a_component_only_where_the_pair_is_not_worth_considering(
    chance: float, is_torn: bool
) -> None:
    chain: list[Pair] = [(0, 1, 0.9999, ""), (1, 2, 0.98, ""), (2, 3, 0.9999, "")]
    found = resolved(4, [*chain, (0, 3, chance, "against")])
    assert (found.score[1] < 0.05) == is_torn


@pytest.mark.parametrize(("chance", "kind"), [(0.1, "against"), (0.9, "parted")])
def test_what_only_a_person_may_join_is_in_no_cluster_over_others_either(
    chance: float, kind: str
) -> None:
    chain: list[Pair] = [(0, 1, 0.9999, ""), (1, 2, 0.98, ""), (2, 3, 0.9999, "")]
    found = resolved(4, [*chain, (0, 3, chance, kind)])
    assert found.cluster.tolist() == [0, 0, 2, 2]
    assert found.verdict.tolist() == ["same", "review", "same", "different"]
    allowed = resolved(4, [*chain, (0, 3, chance, f"{kind} same")])
    assert allowed.cluster.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(("risk", "merged"), [(1e6, 2), (10_000.0, 1), (10.0, 0)])
def test_pairs_are_merged_as_long_as_the_risk_allows(risk: float, merged: int) -> None:
    """Ten records: a pair that is wrong once in a hundred leaks two records in a thousand."""
    policy = Policy(
        leaked_per_million=risk, queued_per_hundred=0, queued_at_least=0, least_worth_asking=0.05
    )
    found = resolved(10, [(0, 1, 0.99, ""), (2, 3, 0.9, "")], policy)
    assert int((found.verdict == "same").sum()) == merged
    assert found.limits.expected_leaks <= risk


def test_pairs_of_one_score_are_merged_together_or_not_at_all() -> None:
    policy = Policy(
        leaked_per_million=3_000, queued_per_hundred=0, queued_at_least=0, least_worth_asking=0.05
    )
    found = resolved(10, [(0, 1, 0.99, ""), (2, 3, 0.99, "")], policy)
    assert set(found.verdict.tolist()) == {"different"}


def test_a_steward_is_asked_once_about_two_clusters_and_no_more_than_was_said() -> None:
    pairs: list[Pair] = [
        (0, 1, 1.0, ""),
        (2, 3, 1.0, ""),
        (0, 2, 0.7, "guarded"),
        (1, 3, 0.6, "guarded"),
    ]
    pairs += [(4, 5, 0.3, "guarded")]
    assert resolved(6, pairs).verdict.tolist() == ["same", "same", "review", "different", "review"]
    one = Policy(
        leaked_per_million=1e6, queued_per_hundred=20, queued_at_least=0, least_worth_asking=0.05
    )
    assert (resolved(6, pairs, one).verdict == "review").sum() == 1


def test_what_follows_from_two_answers_is_not_asked() -> None:
    triangle: list[Pair] = [(0, 1, 0.9, "guarded"), (1, 2, 0.8, "guarded"), (0, 2, 0.7, "guarded")]
    assert resolved(3, triangle).verdict.tolist() == ["review", "review", "different"]


def test_the_question_that_brings_most_records_together_comes_first() -> None:
    twice_two: list[Pair] = [(0, 1, 1.0, ""), (2, 3, 1.0, ""), (0, 2, 0.6, "guarded")]
    one = Policy(
        leaked_per_million=1e6,
        queued_per_hundred=100 / 6,
        queued_at_least=0,
        least_worth_asking=0.05,
    )
    found = resolved(6, [*twice_two, (4, 5, 0.9, "guarded")], one)
    assert found.verdict.tolist() == ["same", "same", "review", "different"]


def test_no_pairs_are_no_trouble() -> None:
    assert resolved(3, []).cluster.tolist() == [0, 1, 2]
    assert resolved(0, []).cluster.tolist() == []


SIZE = 7
PAIRS = st.fixed_dictionaries(
    {
        pair: st.tuples(
            st.sampled_from([0.0, 0.03, 0.4, 0.9, 0.97, 0.999, 1.0]),
            st.sampled_from(["", "", "", "forbidden", "against", "guarded", "parted"]),
        )
        for pair in combinations(range(SIZE), 2)
    }
)
KEYS = st.lists(st.sampled_from([-1, -1, 1, 2]), min_size=SIZE, max_size=SIZE)


@settings(max_examples=150, deadline=None)
@given(PAIRS, KEYS, st.randoms())
def test_a_veto_is_never_violated_and_the_order_of_pairs_does_not_matter(
    chances: dict[tuple[int, int], tuple[float, str]], keys: list[int], random: Random
) -> None:
    pairs: list[Pair] = [(a, b, chance, kind) for (a, b), (chance, kind) in chances.items()]
    found = resolved(SIZE, pairs, keys=keys)
    label = found.cluster.tolist()
    for a, b, _, kind in pairs:
        if label[a] == label[b]:
            assert kind not in ("forbidden", "parted")
            assert -1 in (keys[a], keys[b]) or keys[a] == keys[b]
    shuffled = list(pairs)
    random.shuffle(shuffled)
    again = resolved(SIZE, shuffled, keys=keys)
    assert again.cluster.tolist() == label
    by_pair = {p[:2]: (s, v) for p, s, v in zip(pairs, found.score, found.verdict, strict=True)}
    assert by_pair == {
        p[:2]: (s, v) for p, s, v in zip(shuffled, again.score, again.verdict, strict=True)
    }


def test_what_a_steward_said_stands_over_likelihood_and_caution() -> None:
    assert resolved(2, [(0, 1, 0.0, "same")]).cluster.tolist() == [0, 0]
    assert resolved(2, [(0, 1, 1.0, "different")]).cluster.tolist() == [0, 1]
    assert resolved(2, [(0, 1, 1.0, "unsure")]).verdict.tolist() == ["review"]


def test_with_limits_that_stand_what_follows_for_a_component_depends_on_nothing_else() -> None:
    here: list[Pair] = [(0, 1, 0.999, ""), (1, 2, 0.7, ""), (0, 3, 0.3, "")]
    there: list[Pair] = [(n, n + 1, 0.9, "") for n in range(4, 40)]
    whole = resolved(60, [*here, *there])
    alone = resolved(4, here, whole.limits)
    assert alone.verdict.tolist() == whole.verdict.tolist()[:3]
    assert alone.cluster.tolist() == whole.cluster.tolist()[:4]
