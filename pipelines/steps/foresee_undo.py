"""What taking a verdict back would be: as if it had never been given, or a correction of what others were told.

Belongs here: who was told since, the rehearsal of the night that follows, who looked. Does not belong here: the run lock
(whoever calls holds it), taking it back (`judge`), which values were wrong (`domain.notification`), words.
"""

from dataclasses import dataclass
from typing import Literal

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.steps.around import RECORD, Around, NotFound
from pipelines.steps.consolidate import consolidate
from pipelines.steps.judge import undo
from pipelines.steps.match import match
from pipelines.steps.night import Night
from pipelines.steps.second_person import TRIED_OUT
from pipelines.store import access, frames, judgements, nights, notifications
from pipelines.store.engine import rehearsal, transaction

_SIDES = ("left", "right")
Reach = Literal["unread", "untold", "told"]
"""How far a verdict has come: no night has read it; one has, and nothing was frozen since; something was."""


@dataclass(frozen=True)
class Told:
    """What one recipient was told of a verdict's customers since it took effect. since, until: instants."""

    recipient: str
    deliveries: int
    rows: int
    since: str
    until: str


@dataclass(frozen=True)
class Notice:
    """Who would hear that what they were told was wrong, and of which fields; by hand, or with its next delivery."""

    recipient: str
    fields: tuple[str, ...]
    is_by_hand: bool


@dataclass(frozen=True)
class Aftermath:
    """What the next night makes of it. parts, joins: whether the two records become two customers, or one."""

    parts: bool
    joins: bool
    notices: tuple[Notice, ...]


@dataclass(frozen=True)
class Standing:
    """How far a verdict has come. is_protected: one of its records is under a protective order, or may be."""

    reach: Reach
    told: tuple[Told, ...]
    is_protected: bool

    @property
    def deliveries(self) -> int:
        return sum(one.deliveries for one in self.told)


def how_far(night: Night, judgement_no: int) -> Standing:
    """Whether a verdict can be taken back as if it had never been, or others have been told since."""
    with transaction(night.engine) as conn:
        pair = judgements.given(conn, judgement_no)
        if pair is None:
            raise NotFound(
                f"there is no decision {judgement_no}; see: hub review list --decided",
                says="no.decision", n=judgement_no,
            )  # fmt: skip
        sides = [(str(pair[f"{side}_source"]), str(pair[f"{side}_key"])) for side in _SIDES]
        is_protected = any(map(Around(conn, sides).is_protected, sides))
        began = nights.first_consuming(conn, "match", int(pair["step_run"]))
        if began is None:
            return Standing("unread", (), is_protected)
        parties = [
            one
            for party in _parties_of(conn, pair)["party_id"].drop_duplicates()
            for one in notifications.one_party(conn, int(party))
        ]
        found = notifications.frozen_about(conn, parties, began)
    told = tuple(
        Told(
            str(recipient), rows["delivery_id"].nunique(), len(rows),
            str(rows["prepared_at"].min()), str(rows["prepared_at"].max()),
        )
        for recipient, rows in found.groupby("recipient", sort=True)
    )  # fmt: skip
    return Standing("told" if told else "untold", told, is_protected)


def foresee_undo(night: Night, judgement_no: int, *, who: str, why: str) -> Aftermath:
    """Take it back, match and consolidate, with nothing done but the access log.

    Raises NotFound and Undecidable as `judge.undo` does.
    """
    _ = (
        night.vault
    )  # the first time it is asked for is a transaction of its own, which is not to be rehearsed
    with rehearsal(night.engine):
        with transaction(night.engine) as conn:
            pair = judgements.given(conn, judgement_no)
            before = pd.DataFrame() if pair is None else _parties_of(conn, pair)
            known = set(notifications.listed(conn)["notification_no"])
        done = undo(night, judgement_no, who=who, why=why, approved_by=TRIED_OUT)
        match(night)
        consolidate(night)
        with transaction(night.engine) as conn:
            after = before if pair is None else _parties_of(conn, pair)
            queued = notifications.listed(conn)
    with transaction(night.engine) as conn:
        for party in done.outlook.parties or (None,):
            detail = f"decision {judgement_no}"
            access.record(conn, night.now(), who, "review preview", party, "undone", detail)
    fresh = queued[~queued["notification_no"].isin(known) & (queued["kind"] == "correction")]
    was_one, is_one = (found["party_id"].nunique() == 1 for found in (before, after))
    return Aftermath(was_one and not is_one, is_one and not was_one, tuple(_notices(fresh)))


def _notices(fresh: pd.DataFrame) -> list[Notice]:
    """One line a recipient and way, whatever customers it is about."""
    by = fresh.assign(is_by_hand=fresh["route"] == "hand").explode("fields")
    return [
        Notice(str(recipient), tuple(dict.fromkeys(rows["fields"])), bool(is_by_hand))
        for (recipient, is_by_hand), rows in by.groupby(["recipient", "is_by_hand"], sort=True)
    ]


def _parties_of(conn: Connection, pair: pd.Series) -> pd.DataFrame:
    """PARTY_RECORDS of a judged pair's two records as they now stand."""
    sides = [
        {"source": pair[f"{side}_source"], "source_key": pair[f"{side}_key"]} for side in _SIDES
    ]
    return frames.read_matching(conn, PARTY_RECORDS, pd.DataFrame(sides), RECORD)
