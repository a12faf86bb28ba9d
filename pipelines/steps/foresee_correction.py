"""What a correction would do, tried out whole and undone: the register after it, and tonight's bills.

Belongs here: the rehearsal, who looked. Does not belong here: the run lock (whoever calls holds it, or asks for no more
than the rules), the correction (`correct`), words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.schemas import GOLDEN, GOLDEN_ROLES, POINT_TIES
from pipelines.steps.around import NotFound
from pipelines.steps.consolidate import consolidate
from pipelines.steps.correct import correct
from pipelines.steps.foresee_verdict import told_of
from pipelines.steps.look_at_refused import as_came, party_behind
from pipelines.steps.match import match
from pipelines.steps.night import Night
from pipelines.steps.prepare_extract import Foreseen
from pipelines.steps.second_person import TRIED_OUT
from pipelines.steps.standardise import standardise
from pipelines.store import access, frames, quarantine
from pipelines.store.engine import rehearsal, transaction

_NOT_A_VALUE = frozenset({"party_id"})


@dataclass(frozen=True)
class Outcome:
    """What the next night makes of a correction.

    values: party_id, field, before, after of the customers it concerns, where they differ. appear: of them, those that
    are not in the register yet, whose numbers are not theirs before the night. roles: how many dated roles come, change or go. tonight, as_it_is: recipient of bills → what
    would go there of these customers, with the correction and without.
    """

    fields: tuple[str, ...]
    values: pd.DataFrame
    appear: frozenset[int]
    roles: int
    tonight: Mapping[str, Foreseen]
    as_it_is: Mapping[str, Foreseen]


@dataclass(frozen=True)
class _Register:
    parties: tuple[int, ...]
    golden: pd.DataFrame
    roles: pd.DataFrame


def check_correction(
    night: Night, quarantine_id: int, stated: Mapping[str, str], *, who: str, why: str
) -> tuple[str, ...]:
    """Hold a correction against the rules, with nothing done; raises as `correct` does. Returns its fields."""
    with rehearsal(night.engine):
        return correct(night, quarantine_id, stated, who, why, approved_by=TRIED_OUT)


def foresee_correction(
    night: Night, quarantine_id: int, stated: Mapping[str, str], *, who: str, why: str
) -> Outcome:
    """Correct, read, match, consolidate and look at what would be told, with nothing done but the access log.

    Raises NotFound and NotCorrected as `correct` does.
    """
    with rehearsal(night.engine):
        before = _register(night, quarantine_id)
        as_it_is = told_of(night, before.parties)
        fields = correct(night, quarantine_id, stated, who, why, approved_by=TRIED_OUT)
        standardise(night)
        match(night)
        consolidate(night)
        after = _register(night, quarantine_id)
        both = sorted({*before.parties, *after.parties})
        tonight = told_of(night, both)
    with transaction(night.engine) as conn:
        for party in before.parties or (None,):
            detail = f"quarantine {quarantine_id}"
            access.record(conn, night.now(), who, "quarantine preview", party, "correct", detail)
    fresh = set(after.golden["party_id"]) - set(before.golden["party_id"])
    return Outcome(
        fields, _differing(before.golden, after.golden), frozenset(fresh),
        _moved(before.roles, after.roles), tonight, as_it_is,
    )  # fmt: skip


def _register(night: Night, quarantine_id: int) -> _Register:
    """The customers a refused record is about, as they now stand."""
    with transaction(night.engine) as conn:
        item = quarantine.item(conn, quarantine_id)
        if item is None:
            raise NotFound(
                f"quarantine has no entry {quarantine_id}; see: hub quarantine list",
                says="no.entry", n=quarantine_id,
            )  # fmt: skip
        parties = _parties(conn, item)
        key = pd.DataFrame({"party_id": pd.array(parties, dtype="Int64")})
        golden, roles = (
            frames.read_matching(conn, schema, key, ("party_id",))
            for schema in (GOLDEN, GOLDEN_ROLES)
        )
    return _Register(tuple(parties), golden, roles)


def _parties(conn: Connection, item: pd.Series) -> list[int]:
    if item["kind"] != "point":
        party = party_behind(conn, item, as_came(conn, item))
        return [] if party is None else [party]
    place = pd.DataFrame([item[["source", "source_key"]]])
    tied = frames.read_matching(conn, POINT_TIES, place, ("source", "source_key"))
    there = frames.read_matching(conn, GOLDEN_ROLES, tied, ("point_id",))
    return sorted(set(there["party_id"].astype(int)))


def _differing(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """party_id, field, before, after wherever a golden value differs."""
    was, now = (_long(frame) for frame in (before, after))
    both = was.merge(now, on=["party_id", "field"], how="outer", suffixes=("_was", "_now"))
    differs = both[both["value_was"].fillna("") != both["value_now"].fillna("")]
    order = {name: place for place, name in enumerate(GOLDEN.columns)}
    found = differs.sort_values(
        ["party_id", "field"], key=lambda c: c.map(order) if c.name == "field" else c
    )
    return found.rename(columns={"value_was": "before", "value_now": "after"}).reset_index(
        drop=True
    )


def _long(golden: pd.DataFrame) -> pd.DataFrame:
    names: Sequence[str] = [name for name in GOLDEN.columns if name not in _NOT_A_VALUE]
    held = golden[["party_id", *names]].astype(object)
    long = held.melt("party_id", names, "field", "value").dropna(subset=["value"])
    return long.assign(value=long["value"].map(str))


def _moved(before: pd.DataFrame, after: pd.DataFrame) -> int:
    """How many dated roles are in one and not in the other."""
    columns = list(GOLDEN_ROLES.columns)
    rows = [set(map(tuple, f[columns].astype("str").fillna("").values)) for f in (before, after)]
    changed = {row[:2] for row in rows[0] ^ rows[1]}
    return len(changed)
