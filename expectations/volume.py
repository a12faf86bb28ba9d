"""Whether a register of ours that suddenly shrinks or grows is to be believed (HOUSE_STYLE C2).

Belongs here: the rule that holds a whole batch by its size. Does not belong here: any look at its records,
or what the usual size is (the store knows).
"""

from dataclasses import dataclass
from math import floor


@dataclass(frozen=True)
class Corridor:
    """How far the size of a full snapshot may move from one good night to the next.

    shrink, grow: the largest believable fall and rise, as a fraction of the usual size (0.05 = 5 %); one
    record more or less is always believable. minimum: fewer records than this are never believed, the
    first time included.
    """

    shrink: float
    grow: float
    minimum: int = 0


def implausible(total: int | None, usual: int | None, rule: Corridor) -> str | None:
    """Why the size is not to be believed, in one line with counts only; None when it is.

    total: records in the snapshot, None when the source sends no full snapshots. usual: records in the
    last believed ones, None the first time; from none at all any growth is believed.
    """
    if total is None:
        return None
    if total < rule.minimum:
        return f"{total} records; at least {rule.minimum} expected"
    if not usual:  # of nothing no corridor can be reckoned
        return None
    fewest, most = around(usual, rule)
    if fewest <= total <= most:
        return None
    return f"{total} records where {usual} are usual; between {fewest} and {most} expected"


def around(usual: int, rule: Corridor) -> tuple[int, int]:
    """The fewest and the most records that are believable where so many are usual."""
    fewest = usual - max(1, floor(usual * rule.shrink))
    return max(0, fewest), usual + max(1, floor(usual * rule.grow))
