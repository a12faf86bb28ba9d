"""What is taken for granted before a register is looked at: how each class of pairs usually compares.

Belongs here: the numbers, and how much they weigh beside what a register says itself. Does not belong here:
the fit that uses them (`mixture`), the classes' meaning (`classes`), names of facts and levels (`evidence`).

Thirty records make twenty pairs; no fit can learn six classes from them. So every class begins with pairs
that nobody saw and that compare as below: they rule a list of a hundred and vanish in a town's register.

The numbers are what the fit finds in made-up Finnish registers of 100 000 records, rounded, and moved
towards each other where a generator knows less than life: nothing is rarer than one in a thousand, and
second given names of one person differ now and then; and a short list is likely to be one place's, where
streets and postal codes agree by chance. They speak of what is stated; how often a fact is left
unstated depends on the register alone and is read off it, alike for every class.
"""

from collections.abc import Mapping

import numpy as np

from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.mixture import Weights

Table = Mapping[str, Mapping[str, tuple[int, ...]]]
"""Fact → level → how many of a thousand pairs, per class in the order of `classes`; a level left out: 1."""

# same, kin, household, born alike, namesakes, rest
_PERSON: Table = {
    "birth": {
        "other": (30, 998, 980, 2, 998, 998),
        "same": (970, 2, 20, 998, 2, 2),
    },
    "given": {
        "other": (35, 5, 850, 610, 2, 550),
        "alike": (25, 10, 35, 150, 2, 110),
        "initial": (30, 50, 12, 2, 2, 2),
        "near": (120, 60, 15, 80, 2, 70),
        "second": (20, 300, 70, 10, 2, 10),
        "same_common": (340, 310, 12, 120, 450, 250),
        "same_usual": (370, 250, 4, 25, 530, 4),
        "same_rare": (50, 10, 2, 3, 10, 2),
        "same_very_rare": (10, 5, 1, 1, 2, 1),
    },
    "second": {
        "other": (20, 640, 860, 750, 860, 540),
        "crossed": (2, 150, 90, 10, 60, 15),
        "near": (10, 25, 15, 10, 10, 5),
        "same": (968, 180, 30, 230, 70, 440),
    },
    "others": {
        "other": (460, 680, 580, 620, 640, 640),
        "one": (290, 300, 240, 260, 260, 260),
        "none": (250, 20, 180, 120, 100, 100),
    },
    "family": {
        "other": (25, 85, 320, 850, 450, 5),
        "alike": (5, 5, 30, 80, 50, 5),
        "part": (12, 3, 7, 2, 3, 2),
        "near": (115, 110, 70, 5, 75, 5),
        "same_common": (100, 50, 70, 15, 160, 150),
        "same_usual": (530, 490, 360, 50, 250, 770),
        "same_rare": (200, 250, 130, 6, 6, 75),
        "same_very_rare": (15, 7, 5, 1, 1, 2),
    },
    "address": {
        "other": (230, 5, 15, 710, 800, 800),
        "same_area": (5, 2, 2, 150, 150, 150),
        "same_street": (5, 3, 5, 40, 40, 40),
        "same_numbers": (10, 5, 7, 5, 5, 5),
        "other_flat": (5, 2, 5, 5, 2, 2),
        "same_house": (125, 40, 65, 15, 3, 3),
        "same_home": (635, 950, 910, 80, 3, 3),
    },
    "property": {
        "other": (230, 5, 15, 930, 990, 990),
        "same": (770, 995, 985, 70, 10, 10),
    },
    "phone": {
        "other": (170, 350, 800, 900, 992, 995),
        "near": (20, 20, 15, 5, 5, 5),
        "same": (810, 630, 195, 96, 7, 4),
    },
    "email": {
        "other": (165, 900, 700, 935, 993, 992),
        "near": (35, 5, 2, 4, 1, 3),
        "same": (800, 95, 298, 61, 6, 5),
    },
}  # fmt: skip

# same, one owner's, household, namesakes, rest
_ORGANISATION: Table = {
    "name": {
        "other": (12, 270, 975, 2, 50),
        "other_number": (3, 710, 5, 2, 880),
        "alike": (10, 10, 10, 2, 5),
        "word_in_common": (15, 2, 5, 2, 2),
        "near": (120, 2, 2, 2, 5),
        "same_words": (5, 1, 1, 2, 1),
        "same_common": (100, 1, 1, 30, 2),
        "same_usual": (500, 1, 1, 800, 45),
        "same_rare": (200, 1, 1, 150, 8),
        "same_very_rare": (35, 1, 1, 8, 1),
    },
    "form": {"other": (80, 220, 660, 660, 970), "same": (920, 780, 340, 340, 30)},
    "contact": {"other": (30, 450, 860, 990, 950), "same": (970, 550, 140, 10, 50)},
    "address": {
        "other": (95, 985, 25, 990, 5),
        "same_area": (2, 150, 2, 150, 4),
        "same_street": (5, 40, 5, 40, 4),
        "same_numbers": (8, 5, 7, 5, 5),
        "other_flat": (5, 2, 5, 1, 2),
        "same_house": (150, 4, 75, 3, 70),
        "same_home": (748, 4, 893, 3, 919),
    },
    "property": {"other": (97, 990, 25, 995, 10), "same": (903, 10, 975, 5, 990)},
    "phone": {
        "other": (170, 40, 950, 990, 990),
        "near": (20, 7, 2, 2, 2),
        "same": (810, 953, 48, 8, 8),
    },
    "email": {
        "other": (150, 35, 930, 985, 975),
        "near": (30, 15, 6, 2, 2),
        "same": (820, 950, 64, 13, 23),
    },
}  # fmt: skip

TABLES: Mapping[str, Table] = {"person": _PERSON, "organisation": _ORGANISATION}

TYPICAL_SHARE: Mapping[str, float] = {"g1": 0.003, "f": 0.0005, "core": 0.0002}
"""The share of the population that has the name of somebody met at random, by column of the name.

Given names and family names: the sum of squared shares among the commonest names of the Finnish population
register (Juha 1 in 100 men, Korhonen 1 in 250), rounded. Names of organisations are nearly always their own.
"""

_TYPICAL_HOLDERS = 0.5


def assumed(column: str) -> tuple[float, float]:
    """Holders of a name, and people, to be added to a register's own counts before a share is taken.

    Two holders in thirty records do not make a name common: until a register is larger than the people
    added, a name that it hardly has keeps the typical share. Half a holder is the least informative
    count (Jeffreys); the people follow from it and from the typical share.
    """
    return _TYPICAL_HOLDERS, _TYPICAL_HOLDERS / TYPICAL_SHARE[column]


def expected(table: str) -> Mapping[str, Weights]:
    """Fact → how likely each level is in each class where the fact is stated; rows levels, columns classes.

    The row of `unstated` is 0; columns sum to 1.
    """
    found = {}
    for fact, counts in TABLES[table].items():
        classes = len(next(iter(counts.values())))
        rows = [
            np.zeros(classes)
            if level == "unstated"
            else np.array(counts.get(level, (1,) * classes))
            for level in EVIDENCE[table].levels[fact]
        ]
        numbers: Weights = np.stack(rows).astype(np.float64)
        found[fact] = numbers / numbers.sum(axis=0)
    return found
