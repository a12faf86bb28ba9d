"""Verdicts on pairs → groups of records → parties with ids that never change hands.

Belongs here: what splits a group (cannot-link), minting and keeping ids (DESIGN 8).
Does not belong here: components over arrays (`partition`), why two records are the same (`matching`), what
a party's values are (`survivorship`), keeping the assignment (`store`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.domain.matching import (
    EVIDENCE,
    RECORD,
    Codes,
    codes_of,
    living_person_keys,
    positions,
    record_index,
)
from pipelines.domain.partition import built_up, components, contradicted
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


def group(
    records: pd.DataFrame, pairs: pd.DataFrame, attributes: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The groups that follow from verdicts on pairs, whatever the order of the rows.

    records: [source, source_key]. pairs: as `matching.decide` returns them; a pair with a record that is
    not among `records` is left out. attributes: [source, source_key, person_key, business_id and,
    optionally, party_type and superseded_person_keys] (PARTIES will do): two different living values
    of one of them never stand in one group, even if their records were never compared.

    Returns [source, source_key, group], sorted by record; groups are numbered by their smallest record.
    A component with no contradiction is a group. Another is built up again from its `same` pairs, the
    strongest evidence first, leaving out every pair that would join what a veto keeps apart.
    """
    index = record_index(records)
    left = positions(index, pairs, "left_source", "left_key")
    right = positions(index, pairs, "right_source", "right_key")
    known = (left >= 0) & (right >= 0)
    same = known & (pairs["verdict"] == "same").to_numpy(dtype=bool)
    apart = known & (pairs["verdict"] == "different").to_numpy(dtype=bool)
    exclusive = _exclusive(index, attributes)

    labels = components(len(index), left[same], right[same])
    torn = contradicted(labels, left[apart], right[apart], exclusive)
    if torn.size:
        affected = np.isin(labels, torn)
        rank = _strength(pairs["evidence"])
        edges = same & affected[left]
        order = np.lexsort((right[edges], left[edges], rank[edges]))
        vetoes = apart & affected[left] & affected[right]
        labels[affected] = built_up(
            np.flatnonzero(affected),
            list(zip(left[edges][order].tolist(), right[edges][order].tolist(), strict=True)),
            list(zip(left[vetoes].tolist(), right[vetoes].tolist(), strict=True)),
            exclusive,
        )
    grouped = index.to_frame(index=False)
    grouped["group"] = np.unique(labels, return_inverse=True)[1]
    return grouped


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


def _exclusive(index: pd.MultiIndex, attributes: pd.DataFrame | None) -> list[Codes]:
    """For each attribute that tells parties apart: a code per record, -1 where it has none."""
    if attributes is None:
        return []
    known = attributes.assign(person_key=living_person_keys(attributes))
    known = known.drop_duplicates(list(RECORD)).set_index(list(RECORD)).reindex(index)
    names = [c for c in ("person_key", "business_id", "party_type") if c in known]
    return [codes_of(known[name]) for name in names]


def _strength(evidence: pd.Series) -> Codes:
    """Rank of a pair's strongest ground, best first; `decide` names it first."""
    codes, texts = pd.factorize(evidence.fillna(""))
    order = {name: rank for rank, name in enumerate(EVIDENCE)}
    ranks = [order.get(str(text).split(",")[0], len(order)) for text in texts]
    return np.array(ranks, dtype=np.int64)[codes]
