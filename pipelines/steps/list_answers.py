"""What people have answered about refused records, as far as it stands or can be taken back.

Belongs here: corrections in force, one person's own acts; no value, nobody's name. Does not belong here: answering and
taking back (`decide`, `correct`).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.schemas import LANDED
from pipelines.steps.night import Night
from pipelines.store import corrections, nights, quarantine
from pipelines.store.engine import reading

_KEY = list(LANDED.key)


@dataclass(frozen=True)
class Standing:
    """A correction in force, as whoever made it sees it again: fields by name, no value.

    is_read: the register rests on it, so that it can only be corrected anew.
    """

    quarantine_id: int
    source: str
    fields: tuple[str, ...]
    at: str
    why: str
    who: str
    is_read: bool


def standing(night: Night, who: str | None = None) -> list[Standing]:
    """The corrections in force, of one person when given, the newest first; one for each refusal they settled."""
    with reading(night.engine) as conn:
        rows = corrections.in_force(conn)
        read = nights.last_consumed(conn, "standardise")
    mine = rows if who is None else rows[rows["decided_by"] == who]
    return sorted(_grouped(mine, read), key=lambda one: (one.at, one.quarantine_id), reverse=True)


def _grouped(rows: pd.DataFrame, read: int) -> Iterator[Standing]:
    for _, every in rows.groupby(["quarantine_id", "decided_by"], sort=False):
        last = every.iloc[-1]
        yield Standing(
            int(last["quarantine_id"]), str(last["source"]), tuple(every["field"]), str(last["decided_at"]),
            str(last["reason"]), str(last["decided_by"]), read >= int(every["step_run"].max()),
        )  # fmt: skip


@dataclass(frozen=True)
class OwnAct:
    """An act of somebody's on a refused record that can still be taken back. reason: of the refusal; why: of the act."""

    quarantine_id: int
    source: str
    rule: str
    reason: str | None
    state: str
    at: str
    why: str


def own_acts(night: Night, who: str) -> list[OwnAct]:
    """What a person has corrected, let on or left out and `undo` would take back, newest first.

    A correction of several refusals of one record is told once. What a night has read, or the source has sent newer word
    of, is left out.
    """
    with reading(night.engine) as conn:
        found = _undoable(conn, who)
    mine = found.drop_duplicates([*_KEY, "state", "decided_at"])
    columns = [
        "quarantine_id",
        "source",
        "rule",
        "reason",
        "state",
        "decided_at",
        "decision_reason",
    ]
    return [
        OwnAct(
            int(number), source, rule, reason if isinstance(reason, str) else None, state, at, why
        )
        for number, source, rule, reason, state, at, why in mine[columns].itertuples(index=False)
    ]


def may_be_undone(night: Night, quarantine_id: int, decided_by: str) -> bool:
    """Whether `undo` would take back what this person answered about a refusal."""
    with reading(night.engine) as conn:
        return quarantine_id in set(_undoable(conn, decided_by)["quarantine_id"])


def _undoable(conn: Connection, who: str) -> pd.DataFrame:
    """`quarantine.decided_by`, as far as no night has read it and the source has sent no newer word of it."""
    found = quarantine.decided_by(conn, who)
    in_force = corrections.in_force(conn, found[_KEY])
    read = nights.last_consumed(conn, "standardise")
    newest = in_force.groupby(_KEY)["step_run"].max().rename("corrected_run").reset_index()
    found = found.merge(newest, on=_KEY, how="left")
    is_current = found["landed_hash"].isna() | (found["landed_hash"] == found["content_hash"])
    can = {
        "dropped": is_current,
        "released": is_current & (found["landed_run"] > read),
        "corrected": found["corrected_run"] > read,
    }
    is_open = pd.concat([found["state"].eq(state) & may for state, may in can.items()], axis=1)
    return found[is_open.fillna(False).any(axis=1)]
