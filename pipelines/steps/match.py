"""Decide which records are the same party, for what changed and whoever it touches.

Belongs here: what a change touches, comparing that, asking the domain, keeping ids and the review queue. Does
not belong here: what makes two records the same (`linkage`, `domain.resolution`).

A small night and a full one come to the same: everything that is read off a whole register stands in the
model, so that two records are weighed by themselves, and what follows for one component of the register
depends on nothing outside it.
"""

from dataclasses import replace
from datetime import date
from functools import reduce

import duckdb
import numpy as np
import pandas as pd

from pipelines.domain.clusters import assign
from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.judgements import PAIR, left_first, settle
from pipelines.domain.matching import codes_of, living_person_keys
from pipelines.domain.partition import Codes
from pipelines.domain.resolution import (
    CONSIDERED,
    DIFFERENT,
    REVIEW,
    SAME,
    Limits,
    Policy,
    resolve,
)
from pipelines.domain.schemas import FORMER_IDS, PARTIES, PARTY_RECORDS
from pipelines.errors import HubError
from pipelines.linkage import candidates, matcher, normal, register
from pipelines.linkage.candidates import Sort
from pipelines.linkage.engine import opened
from pipelines.linkage.matcher import Compared, Fits
from pipelines.linkage.model import Model, learnt_shares, learnt_wide, program, recall
from pipelines.steps.night import Check, Night, StepResult, StepRun, executing, rehearsing
from pipelines.store import frames, judgements, linkage, nights
from pipelines.store.engine import transaction
from pipelines.store.linkage import Numbers

_RECORD = ("source", "source_key")
_NOBODY: Numbers = np.empty(0, dtype=np.int64)
MATCH_CHECKS = ("questions_answered",)
_BEARING = (Sort.IDENTIFY, Sort.HOME, Sort.HOUSEHOLD)
_BLOCKED = "matching_blocked_since"
FEW = 20_000
"""Records that one thread compares sooner than several are started."""


class Contradicted(HubError):
    """What was learnt anew would merge or part what a steward had decided otherwise; nothing was written."""


def match(night: Night) -> StepResult:
    """Golden ids for every record that changed and every record it could belong with.

    Raises Contradicted, with nothing changed, where new rules contradict old judgements.
    """
    try:
        with executing(night, "match") as step:
            blocking = int(rematch(step, night)["blocks"].sum())
            if blocking:
                raise Contradicted(
                    f"{blocking} judgements contradict what matching now follows: `hub match check` "
                    "lists them; put config/matching.yml back, or state them again or undo them with "
                    "`hub review`"
                )
            if nights.fact(step.conn, _BLOCKED):
                nights.put_fact(step.conn, _BLOCKED, "")
    except Contradicted:
        with transaction(night.engine) as conn:
            if not nights.fact(conn, _BLOCKED):
                nights.put_fact(conn, _BLOCKED, night.now())
        raise
    counts = dict(step.counts)
    allowed = night.settings.matching.answered_within_days
    return StepResult(
        status="attention" if counts["waiting_for_review"] else "ok",
        counts=counts,
        checks=(
            Check(
                "questions_answered",
                counts["oldest_waiting_days"] <= allowed,
                "warning",
                {name: counts[name] for name in ("waiting_for_review", "oldest_waiting_days")},
            ),
        ),
    )


def _count(step: StepRun, night: Night) -> None:
    """The queue, and how right matching is by its own scores.

    Of a million merged pairs so many are not one party, and of a thousand pairs that are one party so many are
    merged; pairs that were never compared are in neither.
    """
    since = judgements.oldest_waiting(step.conn) or night.business_date
    waited = date.fromisoformat(night.business_date) - date.fromisoformat(since)
    totals = linkage.estimates(step.conn)
    merged, right = totals.get(SAME, (0, 0.0))
    alike = sum(expected for _, expected in totals.values())
    step.counts.update(
        waiting_for_review=judgements.queue_length(step.conn),
        oldest_waiting_days=max(waited.days, 0),
        expected_wrong_per_million=round(1e6 * max(merged - right, 0.0) / merged) if merged else 0,
        expected_merged_per_thousand=round(1e3 * right / alike) if alike > 0 else 1000,
    )


def check(night: Night) -> pd.DataFrame:
    """The judgements that are at odds with the rules and thresholds of now (`rematch`); nothing is written."""
    with rehearsing(night, "match") as step:
        at_odds = rematch(step, night)
    return at_odds


def rematch(step: StepRun, night: Night) -> pd.DataFrame:
    """Match within a step; returns the judgements that are at odds with what matching thinks.

    judgement_id, verdict, decided_by, decided_at, the records (`judgements.PAIR`), `thought` (`same` where
    the records would be merged but for the judgement, `never` where they can't be one party) and `blocks`:
    matching would merge them by what was learnt just now and would not have by what was in force, and who
    judged could not know. Whoever undoes a wrong merge knows; so does whoever states a judgement again after
    it was listed here.
    """
    policy = night.settings.matching_policy
    numbers = np.union1d(
        linkage.number(step.conn, _changed(step)),
        linkage.touched_since(step.conn, step.since),
    )
    found = linkage.latest_model(step.conn)
    is_first = found is None
    in_force = None if found is None else Model.of(found[1])
    _mark_knowing(step, in_force)
    model = _still_fits(step, in_force, policy)
    step.counts.update(records=0, minted=0, merged=0, split=0)
    if model is None or night.full:
        model = _match_all(step, night, model, policy)
    elif len(numbers):
        _match_changed(step, night, model, numbers)
    _count(step, night)
    at_odds = _at_odds(step, model)
    # what the sources say of identities is no rule of ours
    blocks = (at_odds["thought"] == SAME) & ~at_odds["knowing"].astype(bool)
    if in_force is not None:
        blocks &= ~at_odds["judgement_id"].isin(_at_odds(step, in_force)["judgement_id"])
    if is_first or "learnt" not in step.counts:
        blocks &= False
    return at_odds.drop(columns="knowing").assign(blocks=blocks).reset_index(drop=True)


def _changed(step: StepRun) -> pd.DataFrame:
    """source, source_key of the parties whose words, places or judgements changed."""
    return pd.concat(
        [
            frames.keys_changed_since(step.conn, PARTIES, step.since),
            linkage.placed_since(step.conn, step.since),
            judgements.touched_since(step.conn, step.since),
        ]
    ).drop_duplicates(ignore_index=True)


def _still_fits(step: StepRun, model: Model | None, policy: Policy) -> Model | None:
    """The model in force, unless policy or register have changed so that it has to be learnt anew."""
    if model is None or model.policy != policy:
        return None
    return None if model.is_outgrown(linkage.count(step.conn)) else model


def _match_all(step: StepRun, night: Night, model: Model | None, policy: Policy) -> Model:
    """Every record by its keys of today; without a model one is learnt first."""
    linkage.number(step.conn, frames.keys_changed_since(step.conn, PARTIES, 0))
    everybody = linkage.records_of(step.conn)
    judged = _judged(step, everybody)
    with opened(home=night.settings.home) as engine:
        if model is not None:
            recall(engine, model)
        _hold(step, engine, None)
        normal.normalise(engine, shares_known=model is not None)
        candidates.find_keys(engine, discover=model is None)
        linkage.replace_keys(step.conn, None, _keys_found(engine))
        candidates.find_pairs(engine)
        candidates.add_pairs(engine, judged)
        compared = matcher.compare(engine)
        learnt = model or Model(
            program=program(),
            records=len(everybody),
            policy=policy,
            limits=None,
            fits={part.table: matcher.learn(part) for part in compared},
            shares=learnt_shares(engine),
            wide=learnt_wide(engine),
        )
    pairs = _weighed(compared, learnt.fits)
    linkage.replace_pairs(step.conn, None, pairs)
    limits = _resolve(step, night, everybody, pairs, judged, learnt)
    if model is None:
        learnt = replace(learnt, limits=limits)
        content = learnt.content()
        linkage.keep_model(step.conn, content, learnt.records, night.business_date, night.now())
        step.counts["learnt"] = 1
    return learnt


def _match_changed(step: StepRun, night: Night, model: Model, numbers: Numbers) -> None:
    """What changed, who is compared otherwise because of it, and whoever hangs together with them."""
    former = linkage.keys_of(step.conn, numbers, _BEARING)
    threads = 1 if len(numbers) < FEW else None
    with opened(threads, night.settings.home) as engine:
        recall(engine, model)
        _hold(step, engine, numbers)
        normal.normalise(engine, shares_known=True)
        candidates.find_keys(engine, discover=False)
        keys = _keys_found(engine)
        linkage.replace_keys(step.conn, numbers, keys)
        touched = _touched(step, numbers, former, keys)
        meeting = linkage.meeting(step.conn, touched, (Sort.MEET, Sort.IDENTIFY))
        candidates.hold_keys(engine, meeting, touched)
        candidates.find_pairs(engine, touching=True)
        candidates.add_pairs(engine, _judged(step, linkage.records_of(step.conn, touched)))
        _hold(step, engine, _compared_with(step, candidates.paired(engine)))
        normal.normalise(engine, shares_known=True)
        compared = matcher.compare(engine)
    before = linkage.replace_pairs(step.conn, touched, _weighed(compared, model.fits))
    # whoever hung together with them is looked at even where nothing joins them any more
    beside = _sides(before[before["chance"] >= CONSIDERED])
    affected = _hanging_together(step, np.union1d(touched, beside))
    records = linkage.records_of(step.conn, affected)
    pairs = _in_order(linkage.pairs_of(step.conn, affected))
    inside = np.isin(pairs["left_no"], affected) & np.isin(pairs["right_no"], affected)
    pairs = pairs[inside].reset_index(drop=True)
    _resolve(step, night, records, pairs, _judged(step, records), model)


def _resolve(
    step: StepRun,
    night: Night,
    records: pd.DataFrame,
    pairs: pd.DataFrame,
    judged: pd.DataFrame,
    model: Model,
) -> Limits:
    """Verdicts, groups and ids of records whose pairs are all here; a model without limits draws them now."""
    numbers = records["record_no"].to_numpy(dtype=np.int64)
    weighed = matcher.weighed(_compared(pairs), model.fits)
    weighed = replace(
        weighed,
        left=np.searchsorted(numbers, weighed.left),
        right=np.searchsorted(numbers, weighed.right),
        said=_said(pairs, judged),
    )
    found = resolve(len(numbers), weighed, _exclusive(step, numbers), model.limits or model.policy)
    decided = pairs.assign(score=found.score, verdict=found.verdict)
    changed = (decided["score"] != pairs["score"]) | (decided["verdict"] != pairs["verdict"])
    linkage.decide_pairs(step.conn, pairs[changed], decided[changed])
    _keep_ids(step, night, records.assign(group=found.cluster))
    asked = _named(records, pairs[found.verdict == REVIEW])
    judgements.replace_queue(
        step.conn,
        records,
        asked.assign(stake=found.stake[found.verdict == REVIEW]),
        night.business_date,
        night.now(),
    )
    return found.limits


def _keep_ids(step: StepRun, night: Night, groups: pd.DataFrame) -> None:
    """Ids for groups (source, source_key, group), minted, kept, redirected or living again (DESIGN 8)."""
    previous = frames.read_matching(step.conn, PARTY_RECORDS, groups, _RECORD)
    former = frames.read_matching(step.conn, FORMER_IDS, groups, _RECORD)
    first = nights.peek_id(step.conn, "party")
    assigned = assign(groups[[*_RECORD, "group"]], previous, first, former)
    if assigned.minted:
        nights.next_id(step.conn, "party", max(assigned.minted) + 1 - first)
    moved = assigned.records.merge(previous, on=[*_RECORD, "party_id"], how="left", indicator=True)
    moved = moved.loc[moved["_merge"] == "left_only", list(PARTY_RECORDS.columns)]
    frames.put(step.conn, PARTY_RECORDS, moved, step.id)
    merged = previous[previous["party_id"].isin(assigned.merged["party_id"])]
    frames.put(step.conn, FORMER_IDS, _without(merged, former), step.id)
    nights.redirect(step.conn, assigned.merged, assigned.split, night.business_date)
    nights.revive(step.conn, assigned.records[["party_id"]].drop_duplicates())
    step.counts.update(
        records=len(groups),
        minted=len(assigned.minted),
        merged=len(assigned.merged),
        split=len(assigned.split),
    )


def _mark_knowing(step: StepRun, model: Model | None) -> None:
    """Of judgements not looked at yet: were they given against what matching thought, by the model in force?"""
    living = judgements.living(step.conn)
    fresh = living[living["knowing"].isna()]
    if fresh.empty:
        return
    blocked = nights.fact(step.conn, _BLOCKED)
    again = fresh["decided_at"] >= blocked if blocked else fresh["decided_at"].isna()
    knowing = set(fresh.loc[again, "judgement_id"])
    if model is not None:
        knowing |= set(_at_odds(step, model)["judgement_id"]) & set(fresh["judgement_id"])
    judgements.mark_knowing(step.conn, map(int, knowing), True)
    judgements.mark_knowing(step.conn, map(int, set(fresh["judgement_id"]) - knowing), False)


def _at_odds(step: StepRun, model: Model) -> pd.DataFrame:
    """The judgements that a model would not follow by itself; see `rematch`.

    A judgement on what would only have been asked, or on what seemed unlikely, is at odds with nothing: that
    is what stewards are for.
    """
    judged = _numbered_sides(step, judgements.living(step.conn))
    pairs = _in_order(
        linkage.pairs_of(step.conn, _sides(judged)).merge(
            judged[["left_no", "right_no"]].drop_duplicates(), on=["left_no", "right_no"]
        )
    )
    weighed = matcher.weighed(_compared(pairs), model.fits)
    threshold = 1.0 if model.limits is None else min(model.limits.threshold, 1.0)
    merges = ~weighed.forbidden & ~weighed.guarded & (weighed.chance >= threshold)
    pairs = pairs.assign(thought=np.select([weighed.verified, merges], ["never", SAME], ""))
    found = judged.merge(pairs[["left_no", "right_no", "thought"]], on=["left_no", "right_no"])
    at_odds = (found["verdict"] == DIFFERENT) & (found["thought"] == SAME) | (
        found["verdict"] == SAME
    ) & (found["thought"] == "never")
    columns = ["judgement_id", "verdict", "decided_by", "decided_at", *PAIR, "thought", "knowing"]
    return found.loc[at_odds, columns]


# ---- what has to be looked at


def _touched(step: StepRun, numbers: Numbers, former: pd.DataFrame, keys: pd.DataFrame) -> Numbers:
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
        those[those["sort"] == Sort.HOUSEHOLD][["record_no", "match_key"]].merge(
            those[those["sort"] == Sort.HOME][["record_no", "match_key"]],
            on="record_no",
            suffixes=("", "_of_home"),
        )
        for those in (former, keys)
    )
    differing = np.setxor1d(was["match_key"], now["match_key"])
    held = linkage.sharing(step.conn, differing.tolist())
    others = held.loc[~held["record_no"].isin(numbers), "match_key"]
    both = pd.concat([was, now])
    alone = both["match_key"].isin(differing) & ~both["match_key"].isin(others)
    homes: list[int] = both.loc[alone, "match_key_of_home"].unique().tolist()
    return homes


def _chained(step: StepRun, keys: pd.DataFrame) -> Numbers:
    """Every record that an identity joins to these keys, directly or over others."""
    reached, followed = _NOBODY, set[int]()
    asked = set(_those(keys, Sort.IDENTIFY))
    while asked:
        followed |= asked
        found = linkage.sharing(step.conn, asked)["record_no"].to_numpy(dtype=np.int64)
        fresh = np.setdiff1d(found, reached)
        reached = np.union1d(reached, fresh)
        held = linkage.keys_of(step.conn, fresh, (Sort.IDENTIFY,))
        asked = set(_those(held, Sort.IDENTIFY)) - followed
    return reached


def _compared_with(step: StepRun, numbers: Numbers) -> Numbers:
    """Records to be compared, with all that a comparison reads of others: their homes and identities."""
    keys = linkage.keys_of(step.conn, numbers, (Sort.IDENTIFY, Sort.HOME))
    homes = linkage.sharing(step.conn, _those(keys, Sort.HOME))["record_no"]
    return reduce(np.union1d, [numbers, _chained(step, keys), homes.to_numpy(dtype=np.int64)])


def _hanging_together(step: StepRun, numbers: Numbers) -> Numbers:
    """The whole components of these records: over pairs that are considered, judgements and golden ids.

    Each round only follows the records found in the round before, so the cost is that of the affected
    components, not of the register.
    """
    reached = fresh = numbers
    while len(fresh):
        pairs = linkage.pairs_of(step.conn, fresh)
        records = linkage.records_of(step.conn, fresh)
        ids = frames.read_matching(step.conn, PARTY_RECORDS, records, _RECORD)
        fellows = frames.read_matching(
            step.conn, PARTY_RECORDS, ids[["party_id"]].drop_duplicates(), ("party_id",)
        )
        found = np.concatenate(
            [
                _sides(pairs[pairs["chance"] >= CONSIDERED]),
                linkage.known(step.conn, fellows),
                _sides(_judged(step, records)),
            ]
        )
        fresh = np.setdiff1d(found, reached)
        reached = np.union1d(reached, fresh)
    return reached


# ---- frames


def _hold(step: StepRun, engine: duckdb.DuckDBPyConnection, numbers: Numbers | None) -> None:
    register.hold(
        engine,
        linkage.parties(step.conn, numbers),
        linkage.addresses(step.conn, numbers),
        linkage.properties(step.conn, numbers),
    )


def _weighed(compared: tuple[Compared, ...], fits: Fits) -> pd.DataFrame:
    """`linkage.PAIRS` of compared pairs; what becomes of them is open."""
    weighed = matcher.weighed(compared, fits)
    return pd.DataFrame(
        {
            "left_no": weighed.left,
            "right_no": weighed.right,
            "party_type": [part.table for part in compared for _ in range(len(part.left))],
            "pattern": np.concatenate([part.codes[part.pattern] for part in compared]),
            "chance": weighed.chance,
            "score": np.where(weighed.forbidden, 0.0, weighed.chance),
            "verdict": DIFFERENT,
        }
    )


def _compared(pairs: pd.DataFrame) -> list[Compared]:
    """`linkage.PAIRS` in the order of `_in_order`, as the matcher has them."""
    parts = []
    for table in EVIDENCE:
        of_kind = pairs[pairs["party_type"] == table]
        columns = (
            of_kind[name].to_numpy(dtype=np.int64) for name in ("left_no", "right_no", "pattern")
        )
        parts.append(Compared.of(table, *columns))
    return parts


def _in_order(pairs: pd.DataFrame) -> pd.DataFrame:
    """One kind of record after the other, as `EVIDENCE` has them."""
    kinds = pd.Categorical(pairs["party_type"], list(EVIDENCE))
    ordered = pairs.assign(kind=kinds).sort_values(["kind", "left_no", "right_no"])
    return ordered.drop(columns="kind").reset_index(drop=True)


def _judged(step: StepRun, records: pd.DataFrame) -> pd.DataFrame:
    """left_no, right_no, verdict of the judgements that stand, with a side among the records."""
    said = settle(judgements.living(step.conn, records))
    return _numbered_sides(step, said)[["left_no", "right_no", "verdict"]]


def _numbered_sides(step: StepRun, pairs: pd.DataFrame) -> pd.DataFrame:
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


def _said(pairs: pd.DataFrame, judged: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """What a steward said of each pair, or nothing."""
    said = (
        pairs[["left_no", "right_no"]]
        .astype("int64")
        .merge(judged, on=["left_no", "right_no"], how="left")
    )
    return said["verdict"].fillna("").to_numpy(dtype="<U9")


def _named(records: pd.DataFrame, pairs: pd.DataFrame) -> pd.DataFrame:
    """PAIR of pairs of numbers, the lesser record on the left."""
    by_number = records.set_index("record_no")
    sides = [by_number.loc[pairs[side], list(_RECORD)] for side in ("left_no", "right_no")]
    named = pd.concat([side.reset_index(drop=True) for side in sides], axis=1).set_axis(
        list(PAIR), axis=1
    )
    return left_first(named)


def _exclusive(step: StepRun, numbers: Numbers) -> list[Codes]:
    """For each attribute that tells parties apart: a code per record, -1 where it has none."""
    parties = linkage.identities(step.conn, numbers).set_index("record_no").reindex(numbers)
    living = parties.assign(person_key=living_person_keys(parties))
    return [codes_of(living[name]) for name in ("person_key", "business_id", "party_type")]


def _keys_found(engine: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    return engine.execute("select key match_key, r record_no, sort from match_key").df()


def _those(keys: pd.DataFrame, *sorts: int) -> list[int]:
    """The different keys of some sorts."""
    wanted: list[int] = keys.loc[keys["sort"].isin(sorts), "match_key"].unique().tolist()
    return wanted


def _sides(pairs: pd.DataFrame) -> Numbers:
    return np.union1d(
        pairs["left_no"].to_numpy(dtype=np.int64), pairs["right_no"].to_numpy(dtype=np.int64)
    )


def _without(records: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    others_keys = pd.MultiIndex.from_frame(others[list(_RECORD)])
    return records[~pd.MultiIndex.from_frame(records[list(_RECORD)]).isin(others_keys)]
