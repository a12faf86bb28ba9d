"""How likely each pattern of evidence is to be one party, learnt from the register without labels.

Belongs here: the latent classes' fit by expectation and maximisation over counts of patterns, and the
posterior that follows. Does not belong here: the classes' meaning and where they start (`classes`), what
is decided (`resolution`).

Patterns are few (ten thousand where pairs are millions), so a fit takes a second and no sample is drawn.
Fellegi and Sunter's model has two classes and takes facts for independent. Here facts that come together
are one fact with the seen combinations as levels (`evidence`), and a household's other member is a class of
its own. A pair whose class is known (two identity codes, equal or not) counts for that class only and so
teaches what the class looks like.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Weights = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ROUNDS = 80
SETTLED = 1e-4
"""Change of any probability below which the fit is done."""
DOUBT = 1000.0
"""Pairs' worth of weight that a combination's expectation from its single facts has."""
TRUST = 300.0
"""Pairs' worth of weight per class that has what is expected of it before any pair was seen."""
AT_LEAST = 0.5
"""Pairs that every class has before any pair was seen (Jeffreys' rule): none is impossible, none is likely."""


@dataclass(frozen=True)
class Fit:
    """Probabilities per pattern (rows as in the patterns fitted) and class (columns).

    posterior: of the class given the pattern. by_fact: of the pattern's levels given the class, as
    logarithms, per name of a fact.
    """

    posterior: Weights
    by_fact: Mapping[str, Weights]


def fit(
    patterns: pd.DataFrame,
    counts: Weights,
    together: Mapping[str, tuple[str, ...]],
    start: Weights,
    possible: Flags,
    expected: Mapping[str, Weights] | None = None,
) -> Fit:
    """The classes that explain the patterns' counts best, from where they start.

    patterns: one row a pattern, one column a fact, levels as small integers. together: facts that are one
    fact. start and possible: rows as patterns, a column per class. expected: of single facts, the
    probability of each level (rows, the first one is `unstated` and 0) in each class (columns) before any
    pair was seen; it weighs TRUST pairs a class.
    """
    prior = _with_unstated(patterns, counts, expected or {})
    facts = {name: _Fact(patterns[list(parts)], prior) for name, parts in together.items()}
    shares = np.where(possible, start, 0.0)
    shares /= shares.sum(axis=1, keepdims=True)
    for _ in range(ROUNDS):
        weights = shares * counts[:, None]
        by_fact = {name: fact.log_probabilities(weights) for name, fact in facts.items()}
        totals = weights.sum(axis=0) + AT_LEAST
        evidence = sum(by_fact.values(), np.log(totals / totals.sum()))
        onward = _normalised(np.where(possible, evidence, -np.inf))
        settled = float(np.abs(onward - shares).max(initial=0.0)) < SETTLED
        shares = onward
        if settled:
            break
    return Fit(shares, by_fact)


def _with_unstated(
    patterns: pd.DataFrame, counts: Weights, expected: Mapping[str, Weights]
) -> dict[str, Weights]:
    """What is expected of each fact, the register's own share of pairs that leave it unstated included."""
    full = {}
    for fact, stated in expected.items():
        unstated = counts[(patterns[fact] == 0).to_numpy()].sum() / max(counts.sum(), 1.0)
        full[fact] = stated * (1 - unstated)
        full[fact][0] = unstated
    return full


class _Fact:
    """One fact made of several: the combination each pattern has, and the single levels it is made of."""

    def __init__(self, levels: pd.DataFrame, prior: Mapping[str, Weights]) -> None:
        numbers = levels.to_numpy(dtype=np.int64)
        cells, self.cell = np.unique(numbers, axis=0, return_inverse=True)
        self.cell = self.cell.reshape(-1)
        self.size = len(cells)
        self.singles = list(cells.T)
        self.prior = [prior.get(fact) for fact in levels.columns]

    def log_probabilities(self, weights: Weights) -> Weights:
        """Log probability of each pattern's combination in each class with these weights per pattern."""
        columns = [self._column(weights[:, number], number) for number in range(weights.shape[1])]
        return np.stack(columns, axis=1)[self.cell]

    def _column(self, weights: Weights, number: int) -> Weights:
        total = weights.sum()
        seen = np.bincount(self.cell, weights=weights, minlength=self.size)
        expected = np.ones(self.size)
        for single, prior in zip(self.singles, self.prior, strict=True):
            assumed = np.array(0.5) if prior is None else TRUST * prior[:, number]
            of_level = np.bincount(single, weights=seen, minlength=assumed.size) + assumed
            expected *= (of_level / of_level.sum())[single]
        if len(self.singles) > 1:
            expected = (seen + DOUBT * expected) / (total + DOUBT)
        logged: Weights = np.log(expected)
        return logged


def _normalised(logs: Weights) -> Weights:
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Weights = odds / odds.sum(axis=1, keepdims=True)
    return shares
