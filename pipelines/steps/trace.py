"""Whom a change touches: who is compared otherwise because of it.

Belongs here: following homes, identities and judgements through the store, by numbers. Does not belong here:
comparing (`linkage`), what follows (`match`).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.domain.judgements import PAIR, settle
from pipelines.domain.matching import living_person_keys
from pipelines.domain.resolution import CONSIDERED
from pipelines.linkage.candidates import STAR, Sort
from pipelines.steps.night import StepRun
from pipelines.store import judgements, linkage
from pipelines.store.pairs import Numbers

_RECORD = ("source", "source_key")
_SIDES = ("left_no", "right_no")
Flags = npt.NDArray[np.bool_]
_NOBODY: Numbers = np.empty(0, dtype=np.int64)
MEETING = (Sort.MEET, Sort.IDENTIFY)
"""Keys over which two records are compared."""


@dataclass(frozen=True)
class Homes:
    """Who lives where records live or lived: how many others, by record_no, and at whose home it is other than before."""

    others: pd.Series
    altered: Numbers


def homes(step: StepRun, numbers: Numbers, former: pd.DataFrame, keys: pd.DataFrame) -> Homes:
    """The homes of records that have these keys and had the former ones; who lives there is evidence."""
    now = linkage.sharing(step.conn, those(pd.concat([former, keys]), Sort.HOME))
    beside = np.setdiff1d(now["record_no"].to_numpy(dtype=np.int64), numbers)
    calls = linkage.keys_of(step.conn, beside, (Sort.HOUSEHOLD,))
    counted, before = (
        _called_at(at_home, pd.concat([calls, own]))
        for at_home, own in (
            (now, keys),
            (pd.concat([now[now["record_no"].isin(beside)], former]), former),
        )
    )
    home, record = (now[name].to_numpy(dtype=np.int64) for name in ("match_key", "record_no"))
    many = counted.reindex(home).to_numpy()
    is_other = before.reindex(home).to_numpy() != many
    return Homes(pd.Series(many - 1, record, dtype="Int64"), np.unique(record[is_other]))


def _called_at(at_home: pd.DataFrame, keys: pd.DataFrame) -> pd.Series:
    """How many people are called otherwise than each other, by home."""
    lives = at_home[at_home["sort"] == Sort.HOME]
    called = keys.loc[keys["sort"] == Sort.HOUSEHOLD, ["record_no", "match_key"]]
    found = lives[["record_no", "match_key"]].merge(
        called, on="record_no", how="left", suffixes=("", "_called")
    )
    found = found[["match_key", "match_key_called"]].drop_duplicates().astype("Int64")
    return found.groupby(found["match_key"].to_numpy(dtype=np.int64))["match_key_called"].count()


def living_keys(step: StepRun, numbers: Numbers, identities: pd.DataFrame) -> pd.Series:
    """The identity codes that stand, of these records and of all whom these IDENTIFY keys reach, by record_no."""
    stated = linkage.identities(step.conn, np.union1d(numbers, _chained(step, identities)))
    stated = stated.set_index(stated["record_no"].to_numpy(dtype=np.int64))
    return living_person_keys(stated)


def _chained(step: StepRun, keys: pd.DataFrame) -> Numbers:
    """Every record that an identity joins to these keys, directly or over others."""
    reached, followed = _NOBODY, set[int]()
    asked = set(those(keys, Sort.IDENTIFY))
    while asked:
        followed |= asked
        found = linkage.sharing(step.conn, asked)["record_no"].to_numpy(dtype=np.int64)
        fresh = np.setdiff1d(found, reached)
        reached = np.union1d(reached, fresh)
        held = linkage.keys_of(step.conn, fresh, (Sort.IDENTIFY,))
        asked = set(those(held, Sort.IDENTIFY)) - followed
    return reached


def crowded(step: StepRun, former: pd.DataFrame, keys: pd.DataFrame) -> Numbers:
    """Whoever has an identity that so many have or had that it depends on others who is compared over it."""
    differing = pd.concat([former, keys])
    differing = differing[differing["sort"] == Sort.IDENTIFY].drop_duplicates(keep=False)
    if differing.empty:
        return _NOBODY
    had = former[former["match_key"].isin(differing["match_key"])]
    have = pd.concat([linkage.sharing(step.conn, those(differing, Sort.IDENTIFY)), had])
    many = have.groupby("match_key")["record_no"].transform("nunique")
    return np.unique(have.loc[many >= STAR, "record_no"].to_numpy(dtype=np.int64))


def read_anew(
    step: StepRun, numbers: Numbers, former: pd.DataFrame, keys: pd.DataFrame, read: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """READINGS that are others than they were: as they were, and as they are now.

    read: those of the changed records by themselves. Who else lives at a home is counted, and which identity
    stands is told, for whoever these records bear on: who has or had a home or an identity in common with them.
    """
    at_home = homes(step, numbers, former, keys)
    living = living_keys(step, numbers, pd.concat([former, keys]))
    concerned = np.union1d(at_home.altered, living.index.to_numpy(dtype=np.int64))
    was = linkage.readings(step.conn, np.union1d(numbers, concerned))
    own = read["record_no"]
    held = was.set_index(was["record_no"].to_numpy(dtype=np.int64))
    component = held["component"].reindex(own).to_numpy(dtype=np.float64, na_value=np.nan)
    read = read.assign(component=np.where(np.isnan(component), own, component)).astype(was.dtypes)
    now = pd.concat([read, was[~was["record_no"].isin(own)]], ignore_index=True)
    number = now["record_no"].to_numpy(dtype=np.int64)
    for name, found in (("others", at_home.others), ("living_key", living)):
        stated = pd.Series(found.reindex(number).to_numpy(), now.index, dtype=was.dtypes[name])
        now[name] = now[name].where(~np.isin(number, found.index), stated)
    is_other = ~pd.concat([was, now], ignore_index=True).duplicated().to_numpy()[len(was) :]
    return was, now[is_other]


def meeting(step: StepRun, met_anew: Numbers, numbers: Numbers, keys: pd.DataFrame) -> pd.DataFrame:
    """KEYS by which records meet, of everybody who has one of theirs. keys: those of `numbers` among them."""
    others = linkage.keys_of(step.conn, np.setdiff1d(met_anew, numbers), MEETING)
    own = pd.concat([keys[keys["sort"].isin(MEETING)], others])
    return pd.concat([own, linkage.meeting(step.conn, those(own, *MEETING), met_anew)])


def shaken(
    step: StepRun,
    differing: pd.DataFrame,
    judged: pd.DataFrame,
    was: pd.DataFrame,
    now: pd.DataFrame,
) -> Numbers:
    """Records for whose component something else may follow: of pairs that differ, of another identity.

    A pair that nobody would consider matters where both sides hang together anyhow.
    """
    ends = sides(differing)
    component = pd.Series(linkage.components_of(step.conn, ends), ends)
    left, right = (component.loc[differing[side]].to_numpy() for side in _SIDES)
    told = differing[list(_SIDES)].merge(judged, on=list(_SIDES), how="left")["verdict"].notna()
    tied = (differing["chance"] >= CONSIDERED).to_numpy() | (left == right) | told.to_numpy()
    identity = ["record_no", "party_type", "living_key", "business_id"]
    both = pd.concat([was[identity], now[identity]], ignore_index=True)
    other = now.loc[~both.duplicated().to_numpy()[len(was) :], "record_no"]
    return np.union1d(sides(differing[tied]), other.to_numpy(dtype=np.int64))


def judged(step: StepRun) -> pd.DataFrame:
    """left_no, right_no, verdict of the judgements that stand."""
    said = settle(judgements.living(step.conn))
    return numbered_sides(step, said)[["left_no", "right_no", "verdict"]]


def numbered_sides(step: StepRun, pairs: pd.DataFrame) -> pd.DataFrame:
    """Pairs (PAIR) whose records are numbered, with left_no < right_no."""
    if pairs.empty:
        return pairs.assign(left_no=_NOBODY, right_no=_NOBODY)
    sides = [pairs[list(PAIR[i : i + 2])].set_axis(list(_RECORD), axis=1) for i in (0, 2)]
    numbered = linkage.numbered(step.conn, pd.concat(sides))
    numbers = [side.merge(numbered, on=list(_RECORD), how="left")["record_no"] for side in sides]
    found = pairs.assign(
        left_no=pd.concat(numbers, axis=1).min(axis=1).to_numpy(),
        right_no=pd.concat(numbers, axis=1).max(axis=1).to_numpy(),
    )
    found = found[np.logical_and.reduce([number.notna().to_numpy() for number in numbers])]
    return found.astype({"left_no": "int64", "right_no": "int64"})


def has_side(pairs: pd.DataFrame, numbers: Numbers) -> Flags:
    """Which of the pairs have a side among the numbers."""
    left, right = (np.isin(pairs[side].to_numpy(dtype=np.int64), numbers) for side in _SIDES)
    return left | right


def is_within(pairs: pd.DataFrame, numbers: Numbers) -> Flags:
    """Which of the pairs have both sides among the numbers."""
    left, right = (np.isin(pairs[side].to_numpy(dtype=np.int64), numbers) for side in _SIDES)
    return left & right


def those(keys: pd.DataFrame, *sorts: int) -> list[int]:
    """The different keys of some sorts."""
    wanted: list[int] = keys.loc[keys["sort"].isin(sorts), "match_key"].unique().tolist()
    return wanted


def sides(pairs: pd.DataFrame) -> Numbers:
    """The records on either side of pairs, each once, ascending."""
    return np.union1d(
        pairs["left_no"].to_numpy(dtype=np.int64), pairs["right_no"].to_numpy(dtype=np.int64)
    )
