"""What a verdict on a pair would do, tried out whole and undone: the register after it, and tonight's bills.

Belongs here: the rehearsal, who looked. Does not belong here: the run lock (whoever calls holds it), the verdict
(`judge`), words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.steps.around import RECORD, NotFound
from pipelines.steps.consolidate import consolidate
from pipelines.steps.judge import Judged, Verdict, judge
from pipelines.steps.match import match
from pipelines.steps.night import Night
from pipelines.steps.prepare_extract import Foreseen, foresee
from pipelines.steps.second_person import TRIED_OUT
from pipelines.store import access, frames, judgements
from pipelines.store.engine import rehearsal, transaction


@dataclass(frozen=True)
class Outcome:
    """parties: the customers the two records would belong to, ascending. tonight, as_it_is: recipient of bills → what
    would go there of everybody the verdict concerns, with it and without.
    """

    judged: Judged
    parties: tuple[int, ...]
    tonight: Mapping[str, Foreseen]
    as_it_is: Mapping[str, Foreseen]


def foresee_verdict(
    night: Night, review_no: int, verdict: Verdict, *, who: str, why: str, authority: str | None
) -> Outcome:
    """Judge, match, consolidate and look at what would be told, with nothing done but the access log.

    Raises NotFound and Undecidable as `judge` does.
    """
    with rehearsal(night.engine):
        done = judge(
            night, review_no, None, verdict,
            who=who, why=why, authority=authority, approved_by=TRIED_OUT,
        )  # fmt: skip
        before = done.outlook.parties
        as_it_is = told_of(night, before)
        # forgotten by the night with a record that has no role left
        records = _records_of(night, done.judgement_no)
        match(night)
        consolidate(night)
        parties = _parties_of(night, records)
        tonight = told_of(night, sorted({*before, *parties}))
    with transaction(night.engine) as conn:
        for party in before:
            detail = f"pair {review_no}"
            access.record(conn, night.now(), who, "review preview", party, verdict, detail)
    return Outcome(done, parties, tonight, as_it_is)


def told_of(night: Night, parties: Sequence[int]) -> dict[str, Foreseen]:
    """What each recipient of bills would be told next of these customers; none of nobody."""
    return {
        name: foresee(night, contract, parties)
        for name, contract in night.settings.recipients.items()
        if contract.configured and contract.population.rule == "payers_of_points" and parties
    }


def _records_of(night: Night, judgement_no: int) -> pd.DataFrame:
    """The two records of a judged pair."""
    with transaction(night.engine) as conn:
        pair = judgements.given(conn, judgement_no)
    if pair is None:
        raise NotFound(f"decision {judgement_no} is not there", says="no.decision", n=judgement_no)
    return pd.DataFrame(
        [
            {"source": pair[f"{side}_source"], "source_key": pair[f"{side}_key"]}
            for side in ("left", "right")
        ]
    )


def _parties_of(night: Night, records: pd.DataFrame) -> tuple[int, ...]:
    """The customers that two records now belong to; none of one that is nobody's any more."""
    with transaction(night.engine) as conn:
        held = frames.read_matching(conn, PARTY_RECORDS, records, RECORD)
    return tuple(sorted(set(held["party_id"].astype(int))))
