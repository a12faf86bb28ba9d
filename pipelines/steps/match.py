"""Decide which records are the same party, for what changed and whoever it touches.

Belongs here: gathering the affected records, asking the domain, keeping ids and the review queue. Does
not belong here: what makes two records the same (`domain.matching`).
"""

import pandas as pd

from pipelines.domain import matching
from pipelines.domain.clusters import assign, group
from pipelines.domain.schemas import ADDRESSES, FORMER_IDS, MATCH_KEYS, PARTIES, PARTY_RECORDS
from pipelines.steps.night import Night, StepResult, StepRun, executing
from pipelines.store import frames, judgements, nights

_RECORD = ("source", "source_key")


def match(night: Night) -> StepResult:
    """Golden ids for every record that changed and every record it could belong with."""
    with executing(night, "match") as step:
        changed = _changed(step)
        if changed.empty:
            step.counts.update(
                records=0,
                merged=0,
                split=0,
                waiting_for_review=judgements.queue_length(step.conn),
            )
            return _result(step)
        affected = _reach(step, changed, _refresh_keys(step, changed))
        parties = frames.read_matching(step.conn, PARTIES, affected, _RECORD)
        addresses = frames.read_matching(step.conn, ADDRESSES, affected, _RECORD)
        keys = frames.read_matching(step.conn, MATCH_KEYS, affected, _RECORD)
        pairs = matching.decide(parties, addresses, keys, judgements.living(step.conn, affected))
        groups = group(parties[list(_RECORD)], pairs, parties)
        previous = frames.read_matching(step.conn, PARTY_RECORDS, affected, _RECORD)
        first = nights.peek_id(step.conn, "party")
        former = frames.read_matching(step.conn, FORMER_IDS, affected, _RECORD)
        assigned = assign(groups, previous, first, former)
        if assigned.minted:
            nights.next_id(step.conn, "party", max(assigned.minted) + 1 - first)
        moved = assigned.records.merge(
            previous, on=[*_RECORD, "party_id"], how="left", indicator=True
        )
        moved = moved.loc[moved["_merge"] == "left_only", list(PARTY_RECORDS.columns)]
        frames.put(step.conn, PARTY_RECORDS, moved, step.id)
        merged = previous[previous["party_id"].isin(assigned.merged["party_id"])]
        frames.put(step.conn, FORMER_IDS, _without(merged, former), step.id)
        nights.redirect(step.conn, assigned.merged, assigned.split, night.business_date)
        nights.revive(step.conn, assigned.records[["party_id"]].drop_duplicates())
        review = pairs[pairs["verdict"] == "review"]
        judgements.replace_queue(step.conn, affected, review, night.business_date, night.now())
        step.counts.update(
            records=len(parties),
            minted=len(assigned.minted),
            merged=len(assigned.merged),
            split=len(assigned.split),
            waiting_for_review=judgements.queue_length(step.conn),
        )
    return _result(step)


def _result(step: StepRun) -> StepResult:
    waiting = step.counts["waiting_for_review"]
    return StepResult(status="attention" if waiting else "ok", counts=dict(step.counts))


def _without(records: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    others_keys = pd.MultiIndex.from_frame(others[list(_RECORD)])
    return records[~pd.MultiIndex.from_frame(records[list(_RECORD)]).isin(others_keys)]


def _changed(step: StepRun) -> pd.DataFrame:
    parties = frames.changed_since(step.conn, PARTIES, step.since)[list(_RECORD)]
    judged = judgements.touched_since(step.conn, step.since)
    return pd.concat([parties, judged]).drop_duplicates(ignore_index=True)


def _refresh_keys(step: StepRun, changed: pd.DataFrame) -> pd.DataFrame:
    """Give the changed records their keys of today; returns the keys they had."""
    before = frames.read_matching(step.conn, MATCH_KEYS, changed, _RECORD)
    parties = frames.read_matching(step.conn, PARTIES, changed, _RECORD)
    addresses = frames.read_matching(step.conn, ADDRESSES, changed, _RECORD)
    frames.remove(step.conn, MATCH_KEYS, changed, _RECORD)
    frames.put(step.conn, MATCH_KEYS, matching.match_keys(parties, addresses), step.id)
    return before


def _reach(step: StepRun, changed: pd.DataFrame, former: pd.DataFrame) -> pd.DataFrame:
    """Everybody who shares a key or a golden id with what changed, to the end of the chain.

    Each round only follows the records found in the round before, so the cost is that of the affected
    groups, not of the register. former: keys the changed records had; who still holds one is affected.
    """
    reached = changed
    fresh = changed
    keys = former
    while not fresh.empty:
        held = frames.read_matching(step.conn, MATCH_KEYS, fresh, _RECORD)
        keys = pd.concat([keys, held])
        ids = frames.read_matching(step.conn, PARTY_RECORDS, fresh, _RECORD)[["party_id"]]
        fellows = frames.read_matching(
            step.conn, PARTY_RECORDS, ids.drop_duplicates(), ("party_id",)
        )
        judged = judgements.living(step.conn, fresh)
        found = pd.concat(
            [
                _sharing(step, keys)[list(_RECORD)],
                fellows[list(_RECORD)],
                *(
                    judged[[f"{side}_source", f"{side}_key"]].set_axis(list(_RECORD), axis=1)
                    for side in ("left", "right")
                ),
            ]
        ).drop_duplicates()
        fresh = _without(found, reached)
        reached = pd.concat([reached, fresh], ignore_index=True)
        keys = keys.iloc[:0]
    return reached


def _sharing(step: StepRun, keys: pd.DataFrame) -> pd.DataFrame:
    """Records that hold one of the keys, of blocks small enough to mean something.

    A block that these very records have just made too large is followed once more: whom it held
    together must be looked at again without it.
    """
    asked = keys["match_key"].value_counts()
    sharing = frames.read_matching(
        step.conn, MATCH_KEYS, keys[["match_key"]].drop_duplicates(), ("match_key",)
    )
    size = sharing["match_key"].map(sharing["match_key"].value_counts())
    grown = sharing["match_key"].map(asked).fillna(0)
    identifies = (
        sharing["match_key"].str.extract("^([^:]*)", expand=False).isin(matching.IDENTIFIERS)
    )
    return sharing[identifies | (size - grown <= matching.SHARED_BY_AT_MOST)]
