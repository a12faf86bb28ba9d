"""What a pair of records can be, beside the same party, and how each kind usually looks.

Belongs here: the latent classes of persons and of organisations, where their fit starts, which of them a
known identity leaves. Does not belong here: the fit (`mixture`), the facts (`evidence`).

A pair that is not one party is not simply a stranger: candidates were found because something agrees, and
what agrees depends on why. So each reason is a class: people of one household, kin of one name in it
(father and son), namesakes, people born on one day, and the rest. Where a class starts is a plain rule of
thumb; the register then moves it.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from pipelines.domain.evidence import ORGANISATION, PERSON, Evidence
from pipelines.domain.mixture import Flags, Weights

SAME = 0
"""The column of the class that is one party."""
KIN = 1
"""The column of the class that is most alike without being one: kin of one name, one owner's companies."""
HOUSEHOLD = 2
"""The column of the class of those who share a roof and nothing else."""

_SURE = 0.9
_UNLIKELY = 0.02
_RARE = 0.001


class Levels:
    """Asks of patterns by the names of facts and levels."""

    def __init__(self, patterns: pd.DataFrame, evidence: Evidence) -> None:
        self._patterns = patterns
        self._levels = evidence.levels

    def at_least(self, fact: str, level: str) -> Flags:
        """Patterns whose fact agrees as well as this level, or better."""
        floor = self._levels[fact].index(level)
        flags: Flags = (self._patterns[fact] >= floor).to_numpy(dtype=bool)
        return flags

    def of(self, fact: str, *levels: str) -> Flags:
        """Patterns whose fact has one of these levels."""
        numbers = [self._levels[fact].index(level) for level in levels]
        flags: Flags = self._patterns[fact].isin(numbers).to_numpy(dtype=bool)
        return flags

    def household(self) -> Flags:
        """Patterns in which a roof, a telephone or a mailbox is shared."""
        return (
            self.at_least("address", "other_flat")
            | self.of("property", "same")
            | self.at_least("phone", "near")
            | self.at_least("email", "near")
        )


def start(table: str, patterns: pd.DataFrame) -> tuple[Weights, Flags]:
    """Where the fit starts, and which classes are possible; one row a pattern, one column a class.

    table: `person` or `organisation`. An identity code or business id that is equal leaves the first class,
    SAME, only; one that differs leaves every other.
    """
    usual, possible = _STARTS[table](patterns)
    first = np.select(list(usual), range(len(usual)), len(usual))
    shares = np.full((len(patterns), len(usual) + 1), _UNLIKELY)
    shares[:, KIN] = _RARE
    shares[np.arange(len(patterns)), first] = _SURE
    return np.where(possible, shares, _RARE), possible


def _person(patterns: pd.DataFrame) -> tuple[tuple[Flags, ...], Flags]:
    facts = Levels(patterns, PERSON)
    household = facts.household()
    named_alike = facts.at_least("given", "same_common")
    born_apart = facts.of("birth", "other") | facts.of("key", "other")
    same = facts.of("key", "same") | ~facts.of("key", "other") & (
        facts.of("birth", "same") & facts.at_least("given", "initial")
        | facts.of("birth", "unstated") & named_alike & household & ~facts.of("second", "other")
        | facts.of("second", "same") & named_alike
    )
    kin = household & named_alike & born_apart
    born_alike = facts.of("birth", "same")
    usual = (same, kin, household, born_alike, named_alike)
    possible = _by_key(facts, len(usual) + 1)
    possible[~household, KIN] = False
    # nobody gives one name to two children of one day
    possible[born_alike & named_alike, KIN : HOUSEHOLD + 1] = False
    return usual, possible


def _organisation(patterns: pd.DataFrame) -> tuple[tuple[Flags, ...], Flags]:
    facts = Levels(patterns, ORGANISATION)
    household = facts.household()
    named_alike = facts.at_least("name", "near")
    same = facts.of("key", "same") | ~facts.of("key", "other") & named_alike & household
    usual = (same, household & facts.of("name", "other_number"), household, named_alike)
    return usual, _by_key(facts, len(usual) + 1)


def _by_key(facts: Levels, classes: int) -> Flags:
    possible = np.ones((len(facts.of("key", "same")), classes), dtype=bool)
    possible[facts.of("key", "same"), 1:] = False
    possible[facts.of("key", "other"), SAME] = False
    return possible


_Start = Callable[[pd.DataFrame], tuple[tuple[Flags, ...], Flags]]
_STARTS: Mapping[str, _Start] = {"person": _person, "organisation": _organisation}
