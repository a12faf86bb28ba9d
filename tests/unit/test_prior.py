"""What is taken for granted of each class: complete, told by class, and gone where there is much to see."""

import numpy as np
import pandas as pd
import pytest

from pipelines.domain import classes
from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.mixture import fit
from pipelines.domain.prior import TABLES, TYPICAL_SHARE, assumed, expected


@pytest.mark.parametrize("table", EVIDENCE)
def test_every_fact_that_is_weighed_has_a_number_for_every_level_and_class(table: str) -> None:
    evidence, prior = EVIDENCE[table], expected(table)
    none = pd.DataFrame({fact: [0] for fact in evidence.levels})
    width = classes.start(table, none)[0].shape[1]
    assert set(prior) == {fact for facts in evidence.together.values() for fact in facts}
    for fact, numbers in prior.items():
        assert numbers.shape == (len(evidence.levels[fact]), width)
        assert np.allclose(numbers.sum(axis=0), 1.0)
        assert (numbers[0] == 0).all(), "how often a fact is unstated is the register's"
        assert (numbers[1:] > 0).all(), "nothing is impossible"


@pytest.mark.parametrize("table", EVIDENCE)
def test_tables_name_no_level_that_is_not_there(table: str) -> None:
    for fact, counts in TABLES[table].items():
        assert set(counts) <= set(EVIDENCE[table].levels[fact]) - {"unstated"}


def test_two_of_thirty_do_not_make_a_name_common() -> None:
    for column, typical in TYPICAL_SHARE.items():
        holders, people = assumed(column)
        assert holders / people == pytest.approx(typical)
        assert holders / (28 + people) < 0.003
        assert (300 - 2 + holders) / (100_000 + people) == pytest.approx(0.003, rel=0.05)


FACTS = {"name": ("name",)}
BEFORE = {"name": np.array([[0.0, 0.0], [0.1, 0.9], [0.9, 0.1]])}


def chance_where_names_agree(pairs: float) -> float:
    """Of one party, in a register of which half the pairs are, and of those six in ten agree."""
    patterns = pd.DataFrame({"name": [1, 2, 1, 2], "known": [0, 0, 1, 1]})
    counts = pairs * np.array([0.4, 0.6, 0.4, 0.6])
    known = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=bool)
    undecided = pd.DataFrame({"name": [2], "known": [2]})
    possible = np.append(known, [[True, True]], axis=0)
    seen = pd.concat([patterns, undecided])
    found = fit(seen, np.append(counts, 1e-9), FACTS, possible.astype(float), possible, BEFORE)
    return float(found.posterior(seen, possible)[-1, 0])


def test_what_is_expected_rules_where_little_is_seen_and_vanishes_where_much_is() -> None:
    assert chance_where_names_agree(10) == pytest.approx(0.9, abs=0.02)
    assert chance_where_names_agree(1_000_000) == pytest.approx(0.5, abs=0.02)


def test_a_fact_that_a_register_never_states_says_nothing() -> None:
    prior = {**BEFORE, "phone": np.array([[0.0, 0.0], [0.2, 0.9], [0.8, 0.1]])}
    patterns = pd.DataFrame({"name": [1, 2], "phone": [0, 0]})
    start, possible = np.array([[0.2, 0.8], [0.8, 0.2]]), np.ones((2, 2), bool)
    counts = np.array([8.0, 4.0])
    found = fit(patterns, counts, {**FACTS, "phone": ("phone",)}, start, possible, prior)
    assert np.allclose(found.by_fact(patterns)["phone"], 0.0)
