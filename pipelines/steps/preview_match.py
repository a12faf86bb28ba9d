"""What another configuration of matching would merge and part, and what tomorrow's deliveries would say then.

Belongs here: running the night's middle twice over, with nothing done. Does not belong here: matching
itself (`match`), what a delivery says (`prepare_extract`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from pipelines.domain.resolution import Policy
from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.settings import RecipientContract, Settings
from pipelines.steps.consolidate import consolidate
from pipelines.steps.match import rematch
from pipelines.steps.night import Night, executing
from pipelines.steps.prepare_extract import Foreseen, foresee
from pipelines.store import frames, judgements
from pipelines.store.engine import rehearsal, transaction


@dataclass(frozen=True)
class Outlook:
    """A register as it would be after tonight.

    party_of: source, source_key, party_id. waiting: questions to stewards. told: recipient → what would be
    told. at_odds: see `match.rematch`.
    """

    party_of: pd.DataFrame
    waiting: int
    told: Mapping[str, Foreseen]
    at_odds: pd.DataFrame


@dataclass(frozen=True)
class Previewed:
    """merged: party_id, into_party_id, records. parted: party_id, from_party_id, records.

    parties before and after, questions before and after. told: recipient, customers told of now and then,
    and rows that only one of the two would say. blocking: judgements that would hold the night up.
    """

    merged: pd.DataFrame
    parted: pd.DataFrame
    parties: tuple[int, int]
    waiting: tuple[int, int]
    told: pd.DataFrame
    blocking: int


def preview_match(night: Night, policy: Policy) -> Previewed:
    """Tonight as configured beside tonight with another policy, each undone; nothing is written.

    The register is written to while it lasts (all of it undone), so no night may run meanwhile.
    """
    now = _outlook(night)
    settings = replace(
        night.settings, matching=night.settings.matching.model_copy(update=vars(policy))
    )
    then = _outlook(replace(night, settings=settings))
    both = now.party_of.merge(then.party_of, on=["source", "source_key"], suffixes=("", "_then"))
    return Previewed(
        merged=_joined(both, "party_id", "party_id_then").rename(
            columns={"other": "into_party_id"}
        ),
        parted=_joined(both, "party_id_then", "party_id").rename(
            columns={"other": "from_party_id"}
        ),
        parties=(now.party_of["party_id"].nunique(), then.party_of["party_id"].nunique()),
        waiting=(now.waiting, then.waiting),
        told=_told(now.told, then.told),
        blocking=int(then.at_odds["blocks"].sum()),
    )


def _outlook(night: Night) -> Outlook:
    with rehearsal(night.engine):
        with executing(night, "match") as step:
            at_odds = rematch(step, night)
        consolidate(night)
        with transaction(night.engine) as conn:
            party_of = frames.read(conn, PARTY_RECORDS)
            waiting = judgements.queue_length(conn)
        told = {
            name: foresee(night, contract) for name, contract in _recipients(night.settings).items()
        }
    return Outlook(party_of, waiting, told, at_odds)


def _recipients(settings: Settings) -> dict[str, RecipientContract]:
    return {name: contract for name, contract in settings.recipients.items() if contract.configured}


def _joined(both: pd.DataFrame, one: str, into: str) -> pd.DataFrame:
    """party_id, other, records: of `into` parties that hold records of several `one`."""
    shared = both.groupby([one, into]).size().rename("records").reset_index()
    several = shared[shared.groupby(into)[one].transform("size") > 1]
    return several.set_axis(["party_id", "other", "records"], axis=1).sort_values(
        ["other", "party_id"], ignore_index=True
    )


def _told(now: Mapping[str, Foreseen], then: Mapping[str, Foreseen]) -> pd.DataFrame:
    rows = []
    for name in now:
        before, after = (told[name].events.astype("str") for told in (now, then))
        same = before.merge(after, how="outer", indicator=True)["_merge"]
        rows.append(
            {
                "recipient": name,
                "rows_now": len(before),
                "rows_then": len(after),
                "only_now": int((same == "left_only").sum()),
                "only_then": int((same == "right_only").sum()),
            }
        )
    return pd.DataFrame(
        rows, columns=["recipient", "rows_now", "rows_then", "only_now", "only_then"]
    )
