"""What becomes of groups of records: the ids of their parties, and the questions to stewards.

Belongs here: minting, keeping and redirecting ids for groups, the queue for their doubtful pairs. Does not belong
here: which records are a group (`match`), the algebra of ids (`domain.clusters`).
"""

import pandas as pd

from pipelines.domain.clusters import assign
from pipelines.domain.judgements import PAIR, left_first
from pipelines.domain.resolution import REVIEW
from pipelines.domain.schemas import FORMER_IDS, PARTY_RECORDS
from pipelines.steps.night import Night, StepRun
from pipelines.store import frames, judgements, nights

_RECORD = ("source", "source_key")


def keep_groups(
    step: StepRun,
    night: Night,
    records: pd.DataFrame,
    decided: pd.DataFrame,
    *,
    is_everybody: bool = False,
) -> None:
    """Ids and questions of records by their groups."""
    _keep_ids(step, night, records)
    asked = decided[decided["verdict"] == REVIEW]
    judgements.replace_queue(
        step.conn,
        None if is_everybody else records,
        _named(records, asked).assign(stake=asked["stake"].to_numpy()),
        night.business_date,
        night.now(),
    )


def _keep_ids(step: StepRun, night: Night, records: pd.DataFrame) -> None:
    """Ids for groups, minted, kept, redirected or living again (DESIGN 8).

    records: source, source_key, group, and party_id as it was.
    """
    groups = records[_is_regrouped(records)]
    former = frames.read_matching(step.conn, FORMER_IDS, groups, _RECORD)
    # an id that somebody bears who is not looked at is free to nobody
    bearing = frames.read_matching(step.conn, PARTY_RECORDS, former, ("party_id",))
    held = groups.loc[groups["party_id"].notna(), list(PARTY_RECORDS.columns)]
    previous = pd.concat([held, bearing]).drop_duplicates(list(_RECORD))
    first = nights.peek_id(step.conn, "party")
    assigned = assign(groups[[*_RECORD, "group"]], previous, first, former)
    if assigned.minted:
        nights.next_id(step.conn, "party", max(assigned.minted) + 1 - first)
    moved = assigned.records.merge(previous, on=[*_RECORD, "party_id"], how="left", indicator=True)
    moved = moved.loc[moved["_merge"] == "left_only", list(PARTY_RECORDS.columns)]
    frames.put(step.conn, PARTY_RECORDS, moved, step.id)
    merged = held[held["party_id"].isin(assigned.merged["party_id"])]
    frames.put(step.conn, FORMER_IDS, _without(merged, former), step.id)
    nights.redirect(step.conn, assigned.merged, assigned.split, night.business_date)
    nights.revive(step.conn, assigned.records[["party_id"]].drop_duplicates())
    step.counts.update(
        records=len(records),
        minted=len(assigned.minted),
        merged=len(assigned.merged),
        split=len(assigned.split),
    )


def _is_regrouped(records: pd.DataFrame) -> pd.Series:
    """Whose group is not what one party's records are already."""
    one_to_one = records[["group", "party_id"]].drop_duplicates()
    twice = one_to_one["group"].duplicated(keep=False) | one_to_one["party_id"].duplicated(
        keep=False
    )
    other = one_to_one.loc[twice | one_to_one["party_id"].isna(), "group"]
    return records["group"].isin(other)


def _named(records: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """PAIR of pairs of numbers, the lesser record on the left."""
    by_number = records.set_index("record_no")
    sides = [by_number.loc[pairs[side], list(_RECORD)] for side in ("left_no", "right_no")]
    named = pd.concat([side.reset_index(drop=True) for side in sides], axis=1).set_axis(
        list(PAIR), axis=1
    )
    return left_first(named)


def _without(records: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    others_keys = pd.MultiIndex.from_frame(others[list(_RECORD)])
    return records[~pd.MultiIndex.from_frame(records[list(_RECORD)]).isin(others_keys)]
