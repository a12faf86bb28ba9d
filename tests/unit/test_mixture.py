"""The classes behind counts of patterns are found without labels, and a known class teaches."""

import numpy as np
import pandas as pd
import pytest

from pipelines.domain.mixture import fit

FACTS = {"name": ("name",), "home": ("street", "phone")}


def mixed(same: int, other: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Patterns of two classes: one agrees on the name nine times in ten, the other once."""
    rows = []
    for size, agrees in ((same, 0.9), (other, 0.1)):
        for name in (0, 1):
            for street in (0, 1):
                share = (agrees if name else 1 - agrees) * (agrees if street else 1 - agrees)
                rows.append({"name": name, "street": street, "phone": street, "n": size * share})
    seen = pd.DataFrame(rows).groupby(["name", "street", "phone"], as_index=False)["n"].sum()
    return seen.drop(columns="n"), seen["n"].to_numpy(dtype=float)


def start_from_the_name(patterns: pd.DataFrame) -> np.ndarray:
    agrees = patterns["name"].to_numpy() == 1
    return np.stack([np.where(agrees, 0.8, 0.2), np.where(agrees, 0.2, 0.8)], axis=1)


def test_patterns_that_agree_are_likelier_one_party() -> None:
    patterns, counts = mixed(5000, 5000)
    found = fit(patterns, counts, FACTS, start_from_the_name(patterns), np.ones((4, 2), bool))
    chance = found.posterior(patterns, np.ones((4, 2), bool))[:, 0]
    assert chance[3] > 0.9
    assert chance[0] < 0.1
    assert np.allclose(found.posterior(patterns, np.ones((4, 2), bool)).sum(axis=1), 1.0)


def test_a_class_that_is_excluded_has_no_chance() -> None:
    patterns, counts = mixed(5000, 5000)
    possible = np.ones((4, 2), bool)
    possible[3, 0] = False
    found = fit(patterns, counts, FACTS, start_from_the_name(patterns), possible)
    assert found.posterior(patterns, possible)[3].tolist() == [0.0, 1.0]


def test_facts_that_come_together_count_once() -> None:
    """A phone that always goes with the street adds nothing to it."""
    known = pd.DataFrame({"street": [0, 1, 0, 1], "phone": [0, 1, 0, 1]})
    counts = np.array([10_000.0, 90_000.0, 90_000.0, 10_000.0])
    class_of = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=bool)

    def weight(facts: tuple[str, ...]) -> float:
        found = fit(known, counts, {"home": facts}, class_of.astype(float), class_of)
        log_odds = found.by_fact(known)["home"][1]
        return float(log_odds[0] - log_odds[1])

    assert weight(("street", "phone")) == pytest.approx(weight(("street",)), abs=0.1)
    counted_twice = fit(
        known, counts, {"a": ("street",), "b": ("phone",)}, class_of.astype(float), class_of
    )
    twice = sum(found[1, 0] - found[1, 1] for found in counted_twice.by_fact(known).values())
    assert twice == pytest.approx(2 * weight(("street",)), abs=0.1)


def test_the_order_of_patterns_does_not_matter() -> None:
    patterns, counts = mixed(400, 900)
    start, possible = start_from_the_name(patterns), np.ones((4, 2), bool)
    order = np.array([2, 0, 3, 1])
    straight = fit(patterns, counts, FACTS, start, possible).posterior(patterns, possible)
    other = patterns.iloc[order].reset_index(drop=True)
    turned = fit(other, counts[order], FACTS, start[order], possible).posterior(other, possible)
    assert np.allclose(straight[order], turned)


def test_a_pattern_that_was_never_seen_is_weighed_by_its_single_facts() -> None:
    patterns, counts = mixed(5000, 5000)
    possible = np.ones((len(patterns), 2), bool)
    found = fit(patterns, counts, FACTS, start_from_the_name(patterns), possible)
    unseen = pd.DataFrame({"name": [1, 0], "street": [1, 0], "phone": [0, 1]})
    likely, unlikely = found.posterior(unseen, possible[:2])[:, 0]
    assert unlikely < 0.5 < likely
