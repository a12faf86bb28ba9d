"""The figures of the benchmarks, on pairs that can be counted by hand."""

import numpy as np
import pytest

from tests.benchmarks.curve import Curve, Judged, curve
from tests.benchmarks.table import WANTED, Row, table

# two parties, 0 1 2 and 3 4; 2 and 3 look alike
ENTITY = [0, 0, 0, 3, 3]
PAIRS = [(0, 1, 0.9, False), (2, 3, 0.8, True), (3, 4, 0.7, True), (1, 2, 0.7, True)]


def judged(cluster: list[int]) -> Judged:
    left, right, score, asked = (np.array(column) for column in zip(*PAIRS, strict=True))
    return Judged(np.array(ENTITY), np.array(cluster), left, right, score, asked)


def drawn() -> Curve:
    return curve(judged([0, 0, 2, 3, 4]))


def test_equal_scores_are_one_point_of_the_curve() -> None:
    assert drawn().found.tolist() == [1, 2, 10]
    assert drawn().right.tolist() == [1, 1, 4]


def test_whoever_lies_beside_a_stranger_is_leaked() -> None:
    assert drawn().leaked.tolist() == [0, 2, 5]
    assert judged([0, 0, 2, 2, 4]).leaked_per_million == 400_000
    assert judged([0, 0, 2, 3, 4]).leaked_per_million == 0


def test_recall_is_the_most_that_a_bound_allows() -> None:
    assert drawn().recall_at_leaks(0) == 0.25
    assert drawn().recall_at_leaks(1e6) == 1.0
    assert drawn().recall_at_precision(0.5) == 0.25
    assert drawn().leaks_at_recall(0.8) == 1e6
    assert drawn().best_f1 == pytest.approx(2 * 0.4 / 1.4)


def test_a_queue_decided_rightly_joins_what_is_one_and_nothing_else() -> None:
    them = judged([0, 0, 2, 3, 4])
    assert (them.recall, them.recall_with_queue_decided, them.candidate_recall) == (0.25, 1.0, 0.75)
    assert them.asked_per_hundred == 60


def test_the_worst_of_several_seeds_is_judged() -> None:
    figure = "recall at precision ≥ .999"
    assert [WANTED[figure].met(value) for value in (0.69, 0.7, 0.8)] == ["no", "reach", "aim"]
    lines = table([Row("accuracy", figure, "100 k", [0.9, 0.5])]).splitlines()
    assert lines[-1].split()[-1] == "no"
