"""Compared pairs, kept from night to night, and what they come to in all.

Belongs here: finding pairs by their sides, writing the difference, totals. Does not belong here: records, their keys
and readings (`linkage`), what a pattern means, verdicts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, delete, or_, select

from pipelines.store import frames
from pipelines.store.tables import match_pair, match_total

Numbers = npt.NDArray[np.int64]
PAIRS = ("left_no", "right_no", "party_type", "pattern", "chance", "score", "verdict")
_SIDES = ("left_no", "right_no")


def having(
    conn: Connection, numbers: Numbers | None = None, sides: Sequence[str] = _SIDES
) -> pd.DataFrame:
    """PAIRS with a side among the numbers, in order; all if none are given. sides: which sides are looked at."""
    statement = select(*(match_pair.c[name] for name in PAIRS))
    if numbers is not None:
        statement = statement.where(_a_side(conn, numbers, sides))
    return frames.rows(conn, statement.order_by(match_pair.c.left_no, match_pair.c.right_no))


def replace(conn: Connection, pairs: pd.DataFrame) -> None:
    """Exactly these PAIRS are known from now on."""
    conn.execute(delete(match_pair))
    conn.execute(delete(match_total))
    frames.append(conn, match_pair, pairs[list(PAIRS)].sort_values(["left_no", "right_no"]))
    _count(conn, pairs.iloc[:0], pairs)


def change(conn: Connection, before: pd.DataFrame, after: pd.DataFrame) -> None:
    """In place of some of the pairs that are known, `before`, others are."""
    on = ["left_no", "right_no"]
    gone, come = frames.differing(before[list(PAIRS)], after[list(PAIRS)], on)
    left = gone.merge(come[on], on=on, how="left", indicator=True)
    frames.remove_from(conn, match_pair, left[left["_merge"] == "left_only"], on)
    frames.upsert(conn, match_pair, come)
    _count(conn, gone, come)


def _count(conn: Connection, gone: pd.DataFrame, come: pd.DataFrame) -> None:
    """Keep `match_total` along: these rows are no more, those are new."""
    both = pd.concat([come.assign(sign=1), gone.assign(sign=-1)])
    # whole millionths: whatever order rows come and go in, the sum is the same
    both["expected"] = (both["score"] * 1e6).round().astype("int64") * both["sign"]
    found = both.groupby("verdict").agg(pairs=("sign", "sum"), expected=("expected", "sum"))
    held = frames.rows(conn, select(match_total))
    found = found.reset_index().merge(held, on="verdict", how="left", suffixes=("", "_was"))
    for name in ("pairs", "expected"):
        found[name] += found.pop(f"{name}_was").fillna(0)
    frames.upsert(conn, match_total, found.astype({"pairs": "int64", "expected": "int64"}))


def estimates(conn: Connection) -> Mapping[str, tuple[int, float]]:
    """verdict → how many pairs have it, and how many of them are one party by their scores."""
    totals = conn.execute(select(match_total))
    return {verdict: (int(pairs), expected / 1e6) for verdict, pairs, expected in totals}


def _a_side(conn: Connection, numbers: Numbers, sides: Sequence[str]) -> Any:
    return or_(
        *(
            frames.matching(
                conn, match_pair, pd.DataFrame({side: pd.Series(numbers, dtype="Int64")}), (side,)
            )
            for side in sides
        )
    )
