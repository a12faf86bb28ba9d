"""Groups of records → parties with ids that never change hands.

Belongs here: minting and keeping ids (DESIGN 8). Does not belong here: which records are a group
(`resolution`), what a party's values are (`survivorship`), keeping the assignment (`store`).
"""

from dataclasses import dataclass

import pandas as pd

from pipelines.domain.matching import RECORD
from pipelines.domain.schemas import PARTY_RECORDS


@dataclass(frozen=True)
class Assignment:
    """Which party each record belongs to, and what became of the ids.

    records: PARTY_RECORDS, sorted. minted: ids taken from the counter, ascending.
    merged: [party_id, into_party_id], ids that redirect from now on.
    split: [party_id, from_party_id], ids new or living again, and the party their records left.
    """

    records: pd.DataFrame
    minted: list[int]
    merged: pd.DataFrame
    split: pd.DataFrame


def assign(
    groups: pd.DataFrame,
    previous: pd.DataFrame,
    next_id: int,
    formerly: pd.DataFrame | None = None,
) -> Assignment:
    """Ids for the groups of tonight, given the ids their records had (DESIGN 8).

    groups: [source, source_key, group]; only these records get an id. previous: PARTY_RECORDS as of the
    last night; it may hold other records, also ones that vanished. next_id: first id of the counter.
    formerly: [source, source_key, party_id], the ids records had before a merge redirected those ids;
    what a later split sets free lives on under its old id, so that unmerging undoes merging.

    An id stays with the part that holds most of its records, at equal numbers the one with the smallest
    record; records that a merge brought in count only where no others are. Of several ids in one group the smallest, so the oldest, survives; the others redirect to it.
    The rest is minted in the order of the groups' smallest records: replaying a night mints the same.
    """
    members = groups.sort_values(list(RECORD)).reset_index(drop=True)
    members["place"] = members.index
    held = members.merge(previous[[*RECORD, "party_id"]], on=list(RECORD))
    former = PARTY_RECORDS.empty() if formerly is None else formerly
    earlier = held[list(RECORD)].merge(former, on=list(RECORD), how="left")["party_id"]
    held["is_native"] = (earlier.isna() | (earlier == held["party_id"])).fillna(True)
    kept = _keepers(held)
    survivor = kept.groupby("group")["party_id"].min()

    redirected = kept.assign(into_party_id=kept["group"].map(survivor))
    redirected = redirected[redirected["party_id"] != redirected["into_party_id"]]

    homeless = members[~members["group"].isin(survivor.index)]
    freed = homeless.merge(former[[*RECORD, "party_id"]], on=list(RECORD)).assign(is_native=True)
    freed = freed[~freed["party_id"].isin(previous["party_id"])]
    revived = _keepers(freed).groupby("group")["party_id"].min()
    nameless = homeless[~homeless["group"].isin(revived.index)].drop_duplicates("group")
    minted = list(range(next_id, next_id + len(nameless)))
    fresh = pd.Series(minted, index=nameless["group"], dtype="int64")

    party_of = pd.concat([survivor, revived, fresh]).astype("int64")
    members["party_id"] = members["group"].map(party_of)

    left_behind = held[~held["group"].isin(survivor.index)]
    origin = left_behind.groupby(["group", "party_id"], as_index=False).agg(size=("place", "count"))
    origin = origin.sort_values(["group", "size", "party_id"], ascending=[True, False, True])
    origin = origin.drop_duplicates("group")
    split = pd.DataFrame(
        {"party_id": origin["group"].map(party_of), "from_party_id": origin["party_id"]}
    )
    return Assignment(
        records=PARTY_RECORDS.conform(members[[*RECORD, "party_id"]]),
        minted=minted,
        merged=_ids(redirected[["party_id", "into_party_id"]]),
        split=_ids(split),
    )


def _ids(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.astype("Int64").sort_values("party_id").reset_index(drop=True)


def _keepers(held: pd.DataFrame) -> pd.DataFrame:
    """For each id the one group it stays with: [party_id, group].

    held: party_id, group, place (of the record, in order), is_native (the id was the record's first).
    """
    parts = held.groupby(["party_id", "group"], as_index=False).agg(
        native=("is_native", "sum"), size=("place", "count"), first=("place", "min")
    )
    parts = parts.sort_values(
        ["party_id", "native", "size", "first"], ascending=[True, False, False, True]
    )
    return parts.drop_duplicates("party_id")[["party_id", "group"]].astype("int64")
