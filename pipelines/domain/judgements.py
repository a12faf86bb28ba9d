"""What stewards decided about pairs of records: one verdict per pair, whatever order they came in.

Belongs here: the algebra of judgements and the canonical way round of a pair. Does not belong here: what
a judgement does to a candidate pair (`matching`), who may judge, keeping the rows (`store`).

The idea is nomenklatura's: judgements are a set and add up. A later one supersedes an earlier one of the
same pair; two that contradict each other at the same instant make the pair unsure, never a merge.
"""

from enum import Enum
from functools import reduce
from operator import add

import pandas as pd

PAIR = ("left_source", "left_key", "right_source", "right_key")


class Judgement(Enum):
    """A steward's verdict on a pair; `undone` takes back what was decided before."""

    SAME = "same"
    DIFFERENT = "different"
    UNSURE = "unsure"
    UNDONE = "undone"

    def __add__(self, other: "Judgement") -> "Judgement":
        """Agreement stays, everything else is unsure: commutative, associative, idempotent."""
        return self if self is other else Judgement.UNSURE


def left_first(pairs: pd.DataFrame) -> pd.DataFrame:
    """The same pairs with the smaller (source, key) on the left; other columns stay as they are."""
    swap = (pairs["left_source"] > pairs["right_source"]) | (
        (pairs["left_source"] == pairs["right_source"]) & (pairs["left_key"] > pairs["right_key"])
    )
    ordered = pairs.copy()
    for part in ("source", "key"):
        left, right = pairs[f"left_{part}"], pairs[f"right_{part}"]
        ordered[f"left_{part}"] = left.where(~swap, right)
        ordered[f"right_{part}"] = right.where(~swap, left)
    return ordered


def settle(judgements: pd.DataFrame) -> pd.DataFrame:
    """The verdict that stands for each judged pair.

    judgements: PAIR columns either way round, verdict (same, different, unsure, undone), decided_at
    (instant; null is the earliest) and, optionally, superseded_by (such rows no longer count).
    Returns PAIR (left < right) + verdict (same, different, unsure), sorted. A pair of one record with
    itself is left out. Raises ValueError for a verdict it does not know.
    """
    if judgements.empty:
        return pd.DataFrame(columns=[*PAIR, "verdict"], dtype="str")
    standing = left_first(judgements)
    if "superseded_by" in standing:
        standing = standing[standing["superseded_by"].isna()]
    itself = (standing["left_source"] == standing["right_source"]) & (
        standing["left_key"] == standing["right_key"]
    )
    standing = standing[~itself].assign(decided_at=lambda s: s["decided_at"].fillna(""))
    pair = standing.groupby(list(PAIR), sort=False)
    standing = standing[standing["decided_at"] == pair["decided_at"].transform("max")]
    settled = {
        key: reduce(add, map(Judgement, verdicts)).value
        for key, verdicts in standing.groupby(list(PAIR))["verdict"]
    }
    rows = [(*key, verdict) for key, verdict in settled.items() if verdict != "undone"]
    return pd.DataFrame(rows, columns=[*PAIR, "verdict"], dtype="str")
