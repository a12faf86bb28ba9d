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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Weights = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Levels = npt.NDArray[np.int64]
"""Levels as small numbers: a row a pattern, a column a part of a fact."""

_NEVER = 1e-12
LEVELS = 16
"""No part of a fact has more levels than this."""

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
class Fact:
    """What one fact shows in each class.

    cells: combinations of levels that were seen, one a row, in ascending order. seen: log probability of
    each (rows) in each class (columns). singles: per part of the fact, log probability of each of its levels
    in each class. unseen: per class what turns the sum of singles into the log probability of a combination
    that was not seen.
    """

    cells: Levels
    seen: Weights
    singles: tuple[Weights, ...]
    unseen: Weights

    def log_probabilities(self, levels: Levels) -> Weights:
        """Log probability in each class (columns) of each pattern's levels of this fact (rows)."""
        logs: Weights = sum(
            (single[column] for single, column in zip(self.singles, levels.T, strict=True)),
            np.tile(self.unseen, (len(levels), 1)),
        )
        known, asked = _in_one_number(self.cells), _in_one_number(levels)
        at = np.searchsorted(known, asked)
        found = np.flatnonzero(np.isin(asked, known))
        logs[found] = self.seen[at[found]]
        return logs


@dataclass(frozen=True)
class Fit:
    """The classes as learnt: log share of each, and per name of a fact what it shows in them."""

    shares: Weights
    facts: Mapping[str, Fact]
    together: Mapping[str, tuple[str, ...]]

    def by_fact(self, patterns: pd.DataFrame) -> Mapping[str, Weights]:
        """Per name of a fact, log probability of each pattern's levels (rows) in each class (columns)."""
        return {
            name: fact.log_probabilities(_levels(patterns, self.together[name]))
            for name, fact in self.facts.items()
        }

    def posterior(self, patterns: pd.DataFrame, possible: Flags) -> Weights:
        """Probability of each class (columns) given each pattern (rows), of the classes that are possible."""
        evidence = sum(self.by_fact(patterns).values(), self.shares)
        odds: Weights = np.where(possible, evidence, -np.inf).T.copy()
        _normalise(odds)
        return odds.T.copy()


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
    facts = {
        name: _Learning(_levels(patterns, parts), [prior.get(part) for part in parts])
        for name, parts in together.items()
    }
    # a row a class from here on: rows of six numbers are slow to add up, rows of all patterns are not
    shares = np.where(possible, start, 0.0).T.copy()
    shares /= shares.sum(axis=0)
    ruled_out = np.where(possible, 0.0, -np.inf).T.copy()
    for _ in range(ROUNDS):
        weights = shares * counts
        onward = ruled_out + _class_shares(weights)[:, None]
        for fact in facts.values():
            onward += fact.log_probabilities(weights)
        _normalise(onward)
        settled = float(np.abs(onward - shares).max(initial=0.0)) < SETTLED
        shares = onward
        if settled:
            break
    weights = shares * counts
    learnt = {name: fact.learnt(weights) for name, fact in facts.items()}
    return Fit(_class_shares(weights), learnt, together)


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


class _Learning:
    """One fact made of several: the combination each pattern has, and the single levels it is made of.

    prior: what is expected of each part, or nothing.
    """

    def __init__(self, levels: Levels, prior: Sequence[Weights | None]) -> None:
        _, first, cell = np.unique(_in_one_number(levels), return_index=True, return_inverse=True)
        self.cells = levels[first]
        self.cell = cell.reshape(-1)
        self.prior = prior

    def log_probabilities(self, weights: Weights) -> Weights:
        """Log probability in each class (rows) of each pattern's combination with these weights per pattern."""
        _, _, logs = self._weighed(weights)
        return logs.take(self.cell, axis=1)

    def learnt(self, weights: Weights) -> Fact:
        """What the fact shows in each class with these weights per class (rows) and pattern (columns)."""
        singles, unseen, seen = self._weighed(weights)
        each = tuple(single.T.copy() for single in singles)
        return Fact(self.cells, seen.T.copy(), each, unseen)

    def _weighed(self, weights: Weights) -> tuple[list[Weights], Weights, Weights]:
        """Of single levels, of what was not seen, of what was: log probabilities, a row a class."""
        totals = weights.sum(axis=1)
        # of no patterns whole numbers are counted
        seen = np.stack(
            [np.bincount(self.cell, row, len(self.cells)).astype(np.float64) for row in weights]
        )
        singles = [
            self._single(part, prior, seen)
            for part, prior in zip(self.cells.T, self.prior, strict=True)
        ]
        alone = np.zeros_like(seen)
        for single, part in zip(singles, self.cells.T, strict=True):
            alone += single.take(part, axis=1)
        if len(singles) == 1:
            return singles, np.zeros(len(totals)), alone
        # a combination is expected as often as its parts make it, and that stands until it was seen enough
        expected = totals + DOUBT
        combined = np.log((seen + DOUBT * np.exp(alone)) / expected[:, None])
        return singles, np.log(DOUBT / expected), combined

    def _single(self, part: Levels, prior: Weights | None, seen: Weights) -> Weights:
        """Log probability of each level (columns) of a part in each class (rows)."""
        of_level = np.full((len(seen), LEVELS), 0.5)
        if prior is not None:
            of_level[:, : len(prior)] = TRUST * prior.T
            of_level[:, len(prior) :] = 0
        for row, of_class in zip(of_level, seen, strict=True):
            row += np.bincount(part, of_class, LEVELS)
        shares = of_level / of_level.sum(axis=1, keepdims=True)
        logs: Weights = np.log(np.maximum(shares, _NEVER))
        return logs


def _class_shares(weights: Weights) -> Weights:
    totals = weights.sum(axis=1) + AT_LEAST
    shares: Weights = np.log(totals / totals.sum())
    return shares


def _levels(patterns: pd.DataFrame, parts: tuple[str, ...]) -> Levels:
    return patterns[list(parts)].to_numpy(dtype=np.int64)


def _in_one_number(levels: Levels) -> Levels:
    """Each row's levels as one number that sorts as the row does."""
    number = np.zeros(len(levels), dtype=np.int64)
    for column in levels.T:
        number = number * LEVELS + column
    return number


def _normalise(logs: Weights) -> None:
    """Log odds of classes (rows) become shares that add up to one for each pattern (columns), in place."""
    logs -= logs.max(axis=0)
    np.exp(logs, out=logs)
    logs /= logs.sum(axis=0)
