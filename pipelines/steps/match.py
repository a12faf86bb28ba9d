"""Decide which records are the same party, for what changed and whoever it touches.

Belongs here: the way from what changed to ids and the review queue, and judgements as its tests. Does not
belong here: what makes two records the same (`linkage`, `domain.resolution`), whom a change touches (`trace`).

A small night and a full one come to the same: everything that is read off a whole register stands in the
model, so that two records are weighed by themselves, and what follows for one component of the register
depends on nothing outside it.
"""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from pipelines.domain.judgements import PAIR
from pipelines.domain.matching import codes_of
from pipelines.domain.partition import components
from pipelines.domain.resolution import (
    CONSIDERED,
    DIFFERENT,
    SAME,
    Limits,
    Policy,
    resolve,
)
from pipelines.domain.schemas import PARTIES
from pipelines.errors import HubError
from pipelines.linkage import matcher
from pipelines.linkage.model import Model
from pipelines.linkage.workbench import Records, Workbench
from pipelines.steps import trace
from pipelines.steps.keep_groups import keep_groups
from pipelines.steps.night import Check, Night, StepResult, StepRun, executing, rehearsing
from pipelines.store import frames, judgements, linkage, nights
from pipelines.store import pairs as pairs_kept
from pipelines.store.engine import transaction
from pipelines.store.pairs import PAIRS, Numbers

_RECORD = ("source", "source_key")
MATCH_CHECKS = ("questions_answered",)
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
    totals = pairs_kept.estimates(step.conn)
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
    said = linkage.known(step.conn, judgements.touched_since(step.conn, step.since))
    marked = np.union1d(said, linkage.touched_since(step.conn, step.since))
    numbers = np.union1d(linkage.number(step.conn, _changed(step)), marked)
    kept = linkage.latest_model(step.conn)
    is_first = kept is None
    in_force = None if is_first else Model.of(kept)
    _mark_knowing(step, in_force)
    model = _still_fits(step, in_force, policy)
    step.counts.update(records=0, minted=0, merged=0, split=0)
    if model is None or night.full:
        model = _match_all(step, night, model, policy)
    elif len(numbers):
        _match_changed(step, night, model, numbers, marked)
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
    numbers = linkage.records_of(step.conn)["record_no"].to_numpy(dtype=np.int64)
    judged = trace.judged(step)
    with Workbench.opened(night.settings.home, model) as bench:
        bench.lay(_read(step, None))
        linkage.replace_keys(step.conn, bench.keys())
        bench.pair(judged)
        compared = bench.compare()
        learnt = model or bench.learn(compared, len(numbers), policy)
        pairs = matcher.rows_of(compared, learnt.fits)
        component = pd.Series(_components(numbers, pairs, judged), numbers)
        linkage.replace_readings(
            step.conn,
            (
                part.assign(component=component.loc[part["record_no"]].to_numpy())
                for part in bench.readings()
            ),
        )
    everybody = linkage.together(step.conn)
    decided, limits = _resolve(step, everybody, pairs, judged, learnt)
    pairs_kept.replace(step.conn, decided)
    keep_groups(step, night, everybody, decided, is_everybody=True)
    if model is None:
        learnt = replace(learnt, limits=limits)
        content = learnt.content()
        linkage.keep_model(step.conn, content, learnt.records, night.business_date, night.now())
        step.counts["learnt"] = 1
    return learnt


def _match_changed(
    step: StepRun, night: Night, model: Model, numbers: Numbers, marked: Numbers
) -> None:
    """What changed, who is compared otherwise because of it, and whoever hangs together with those for whom it matters.

    marked: of the numbers those that were judged or left by somebody since, so that all they hang together
    with is looked at even if none of their pairs became another.
    """
    judged = trace.judged(step)
    former = linkage.keys_of(step.conn, numbers)
    threads = 1 if len(numbers) < FEW else None
    with Workbench.opened(night.settings.home, model, threads) as bench:
        bench.lay(_read(step, numbers))
        keys = bench.keys()
        linkage.change_keys(step.conn, former, keys)
        was, now = trace.read_anew(step, numbers, former, keys, pd.concat(bench.readings()))
        linkage.put_readings(step.conn, now)
        met_anew = np.union1d(numbers, trace.crowded(step, former, keys))
        touched = np.union1d(met_anew, now["record_no"].to_numpy(dtype=np.int64))
        before = pairs_kept.having(step.conn, touched)
        bench.pair_touched(trace.meeting(step, met_anew, numbers, keys), met_anew)
        # of who is compared otherwise and meets as before the pairs are known; judged ones among them
        known = before[~trace.has_side(before, met_anew)]
        told = judged[trace.has_side(judged, met_anew)]
        sides = bench.add_pairs(pd.concat([known, told]))
        beside = np.setdiff1d(sides, now["record_no"].to_numpy(dtype=np.int64))
        bench.lay_readings(pd.concat([now, linkage.readings(step.conn, beside)]))
        compared = bench.compare()
    pairs, differing = _carried(before, matcher.rows_of(compared, model.fits))
    seeds = trace.shaken(step, differing, judged, was, now)
    affected = linkage.together(
        step.conn, linkage.components_of(step.conn, np.union1d(seeds, marked))
    )
    records = affected["record_no"].to_numpy(dtype=np.int64)
    # a component is closed: the left sides have all pairs within
    stored = pairs_kept.having(step.conn, records, ("left_no",))
    stored = stored[~trace.has_side(stored, touched) & trace.is_within(stored, records)]
    within = trace.is_within(pairs, records)
    concerned = matcher.in_order(pd.concat([stored, pairs[within]]))
    decided, _ = _resolve(step, affected, concerned, judged, model)
    pairs_kept.change(step.conn, pd.concat([before, stored]), pd.concat([decided, pairs[~within]]))
    component = _components(records, decided, judged)
    moved = component != affected["component"].to_numpy(dtype=np.int64)
    linkage.relabel(step.conn, records[moved], component[moved])
    keep_groups(step, night, affected, decided)


def _read(step: StepRun, numbers: Numbers | None) -> Records:
    return (
        linkage.parties(step.conn, numbers),
        linkage.addresses(step.conn, numbers),
        linkage.properties(step.conn, numbers),
    )


def _carried(before: pd.DataFrame, pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The pairs with what became of those that compare as before, and those that differ, of either time."""
    shown = ["left_no", "right_no", "party_type", "pattern"]
    found = pairs.merge(
        before[[*shown, "score", "verdict"]], on=shown, how="left", suffixes=("", "_was")
    )
    is_new = found["verdict_was"].isna()
    for name in ("score", "verdict"):
        found[name] = found[name].where(is_new, found.pop(f"{name}_was"))
    left = before.merge(pairs[shown], on=shown, how="left", indicator=True)
    gone = before[(left["_merge"] == "left_only").to_numpy()]
    return found[list(PAIRS)], pd.concat([found.loc[is_new, list(PAIRS)], gone])


def _components(numbers: Numbers, pairs: pd.DataFrame, judged: pd.DataFrame) -> Numbers:
    """The least of the records that each hangs together with: over pairs that are considered, and over judgements.

    numbers: ascending. A golden customer's records hang together over just such pairs, so that nobody's fellow
    is left out.
    """
    ties = pd.concat(
        [edges[["left_no", "right_no"]] for edges in (pairs[pairs["chance"] >= CONSIDERED], judged)]
    )
    ties = ties[trace.is_within(ties, numbers)]
    left, right = (
        np.searchsorted(numbers, ties[side].to_numpy(dtype=np.int64))
        for side in ("left_no", "right_no")
    )
    joined: Numbers = numbers[components(len(numbers), left, right)]
    return joined


def _resolve(
    step: StepRun,
    records: pd.DataFrame,
    pairs: pd.DataFrame,
    judged: pd.DataFrame,
    model: Model,
) -> tuple[pd.DataFrame, Limits]:
    """Verdicts and stakes of pairs that are all here; a model without limits draws them now.

    records: as `linkage.together` has them; gets a column `group`.
    """
    numbers = records["record_no"].to_numpy(dtype=np.int64)
    weighed = matcher.weighed(matcher.compared_of(pairs), model.fits)
    weighed = replace(
        weighed,
        left=np.searchsorted(numbers, weighed.left),
        right=np.searchsorted(numbers, weighed.right),
        said=_said(pairs, judged),
    )
    # two values of one of these never stand in one cluster
    exclusive = [codes_of(records[name]) for name in ("living_key", "business_id", "party_type")]
    found = resolve(len(numbers), weighed, exclusive, model.limits or model.policy)
    records["group"] = found.cluster
    decided = pairs.assign(score=found.score, verdict=found.verdict, stake=found.stake)
    return decided, found.limits


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
    columns = ["judgement_id", "verdict", "decided_by", "decided_at", *PAIR, "thought", "knowing"]
    judged = trace.numbered_sides(step, judgements.living(step.conn))
    if judged.empty:
        return judged.assign(thought="")[columns]
    pairs = matcher.in_order(
        pairs_kept.having(step.conn, trace.sides(judged)).merge(
            judged[["left_no", "right_no"]].drop_duplicates(), on=["left_no", "right_no"]
        )
    )
    weighed = matcher.weighed(matcher.compared_of(pairs), model.fits)
    threshold = 1.0 if model.limits is None else min(model.limits.threshold, 1.0)
    merges = ~weighed.forbidden & ~weighed.guarded & (weighed.chance >= threshold)
    pairs = pairs.assign(thought=np.select([weighed.verified, merges], ["never", SAME], ""))
    found = judged.merge(pairs[["left_no", "right_no", "thought"]], on=["left_no", "right_no"])
    at_odds = (found["verdict"] == DIFFERENT) & (found["thought"] == SAME) | (
        found["verdict"] == SAME
    ) & (found["thought"] == "never")
    return found.loc[at_odds, columns]


def _said(pairs: pd.DataFrame, judged: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.str_]]":
    """What a steward said of each pair, or nothing."""
    said = (
        pairs[["left_no", "right_no"]]
        .astype("int64")
        .merge(judged, on=["left_no", "right_no"], how="left")
    )
    return said["verdict"].fillna("").to_numpy(dtype="<U9")
