"""Whom a change touches: who is compared otherwise because of it, and who hangs together with them.

Belongs here: following keys, pairs, judgements and golden ids through the store, by numbers. Does not belong
here: comparing (`linkage`), what follows (`match`).
"""

from functools import reduce

import numpy as np
import pandas as pd

from pipelines.domain.judgements import PAIR, settle
from pipelines.domain.resolution import CONSIDERED
from pipelines.linkage.candidates import Sort
from pipelines.steps.night import StepRun
from pipelines.store import judgements, linkage
from pipelines.store.linkage import Numbers

_RECORD = ("source", "source_key")
_NOBODY: Numbers = np.empty(0, dtype=np.int64)
BEARING = (Sort.IDENTIFY, Sort.HOME, Sort.HOUSEHOLD)
"""Keys over which one record bears on how another is compared."""
MEETING = (Sort.MEET, Sort.IDENTIFY)
"""Keys over which two records are compared."""


def touched(step: StepRun, numbers: Numbers, former: pd.DataFrame, keys: pd.DataFrame) -> Numbers:
    """Whoever is compared otherwise because these records have these keys and had the former ones.

    That is everybody at a home of which the others are counted otherwise now (who lives there is evidence),
    and everybody who shares an identity with a changed record, to the end of the chain (a correction tells
    which code is living).
    """
    homes = linkage.sharing(step.conn, _homes_counted_otherwise(step, numbers, former, keys))
    chained = _chained(step, pd.concat([former, keys]))
    return reduce(np.union1d, [numbers, chained, homes["record_no"].to_numpy(dtype=np.int64)])


def _homes_counted_otherwise(
    step: StepRun, numbers: Numbers, former: pd.DataFrame, keys: pd.DataFrame
) -> list[int]:
    """The homes at which somebody is called as nobody was before, or nobody any more."""
    was, now = (
        held[held["sort"] == Sort.HOUSEHOLD][["record_no", "match_key"]].merge(
            held[held["sort"] == Sort.HOME][["record_no", "match_key"]],
            on="record_no",
            suffixes=("", "_of_home"),
        )
        for held in (former, keys)
    )
    differing = np.setxor1d(was["match_key"], now["match_key"])
    sharing = linkage.sharing(step.conn, differing.tolist())
    others = sharing.loc[~sharing["record_no"].isin(numbers), "match_key"]
    both = pd.concat([was, now])
    alone = both["match_key"].isin(differing) & ~both["match_key"].isin(others)
    homes: list[int] = both.loc[alone, "match_key_of_home"].unique().tolist()
    return homes


def _chained(step: StepRun, keys: pd.DataFrame) -> Numbers:
    """Every record that an identity joins to these keys, directly or over others."""
    reached, followed = _NOBODY, set[int]()
    asked = set(those(keys, Sort.IDENTIFY))
    while asked:
        followed |= asked
        found = linkage.sharing(step.conn, asked)["record_no"].to_numpy(dtype=np.int64)
        fresh = np.setdiff1d(found, reached)
        reached = np.union1d(reached, fresh)
        held = linkage.keys_of(step.conn, fresh, (Sort.IDENTIFY,))
        asked = set(those(held, Sort.IDENTIFY)) - followed
    return reached


def compared_with(step: StepRun, numbers: Numbers) -> Numbers:
    """Records to be compared, with all that a comparison reads of others: their homes and identities."""
    keys = linkage.keys_of(step.conn, numbers, (Sort.IDENTIFY, Sort.HOME))
    homes = linkage.sharing(step.conn, those(keys, Sort.HOME))["record_no"]
    return reduce(np.union1d, [numbers, _chained(step, keys), homes.to_numpy(dtype=np.int64)])


def hanging_together(step: StepRun, numbers: Numbers) -> Numbers:
    """The whole components of these records: over pairs that are considered, and over judgements.

    numbers: with whoever hung together with a changed record before. A golden customer's records have hung
    together over just such pairs, so that nobody's fellow is left out. Each round only follows the records
    found in the round before: the cost is that of the affected components, not of the register.
    """
    said = numbered_sides(step, judgements.living(step.conn))
    one, other = (said[side].to_numpy(dtype=np.int64) for side in ("left_no", "right_no"))
    reached = fresh = numbers
    while len(fresh):
        tied = linkage.tied_to(step.conn, fresh, CONSIDERED)
        told = (other[np.isin(one, fresh)], one[np.isin(other, fresh)])
        fresh = np.setdiff1d(np.concatenate([tied, *told]), reached)
        reached = np.union1d(reached, fresh)
    return reached


def judged(step: StepRun, records: pd.DataFrame) -> pd.DataFrame:
    """left_no, right_no, verdict of the judgements that stand, with a side among the records."""
    said = settle(judgements.living(step.conn, records))
    return numbered_sides(step, said)[["left_no", "right_no", "verdict"]]


def numbered_sides(step: StepRun, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs (PAIR) whose records are numbered, with left_no < right_no."""
    sides = [pairs[list(PAIR[i : i + 2])].set_axis(list(_RECORD), axis=1) for i in (0, 2)]
    numbered = linkage.numbered(step.conn, pd.concat(sides))
    numbers = [side.merge(numbered, on=list(_RECORD), how="left")["record_no"] for side in sides]
    found = pairs.assign(
        left_no=pd.concat(numbers, axis=1).min(axis=1).to_numpy(),
        right_no=pd.concat(numbers, axis=1).max(axis=1).to_numpy(),
    )
    found = found[np.logical_and.reduce([number.notna().to_numpy() for number in numbers])]
    return found.astype({"left_no": "int64", "right_no": "int64"})


def those(keys: pd.DataFrame, *sorts: int) -> list[int]:
    """The different keys of some sorts."""
    wanted: list[int] = keys.loc[keys["sort"].isin(sorts), "match_key"].unique().tolist()
    return wanted


def sides(pairs: pd.DataFrame) -> Numbers:
    """The records on either side of pairs, each once, ascending."""
    return np.union1d(
        pairs["left_no"].to_numpy(dtype=np.int64), pairs["right_no"].to_numpy(dtype=np.int64)
    )
