"""The list a recipient holds already → what it counts as told, so that the first delivery is differences only.

Belongs here: which of our rows each line of the list is. Does not belong here: reading the file, what will be told
after it (`steps.adopt`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipelines.domain.extract import Contract

KEYS: Mapping[str, tuple[str, ...]] = {
    "payers_of_points": ("customer_number", "point_ref"),
    "connections_of_properties": ("point_ref",),
}
"""By population rule the columns that say which row of ours a line is; only these recipients have a list to adopt."""


@dataclass(frozen=True)
class Recognised:
    """rows: row_key, party_id, row. unknown, repeated: line numbers (from 1) of customers or points nobody here
    knows, and of lines that speak of the same row as an earlier one.
    """

    rows: pd.DataFrame
    unknown: list[int]
    repeated: list[int]


def recognised(
    listed: pd.DataFrame,
    points: pd.DataFrame,
    known: pd.DataFrame,
    contract: Contract,
    rule: str,
) -> Recognised:
    """The lines of a list (columns of the contract, text) as rows told.

    points: [point_id, point_ref]. known: [party_id] of everybody who is or was a customer; about connections
    [point_id, party_id] of the holders. A column that the list lacks counts as empty: tonight it will differ.
    """
    told = listed.reindex(columns=list(contract.columns)).astype("str").fillna("")
    point = told["point_ref"].map(points.set_index("point_ref")["point_id"]).astype("Int64")
    key = point.astype("str").str.zfill(6)
    if rule == "payers_of_points":
        number = pd.to_numeric(told["customer_number"], errors="coerce").astype("Int64")
        party = number.where(number.isin(known["party_id"]))
        key = party.astype("str").str.zfill(6) + "-" + key
        if "event" in told:
            told["event"] = "new"
    else:
        holders = known.drop_duplicates("point_id", keep="last").set_index("point_id")["party_id"]
        party = point.map(holders).astype("Int64")
    is_known = point.notna() & party.notna()
    repeated = key.duplicated() & is_known
    rows = pd.DataFrame({"row_key": key, "party_id": party})
    rows["row"] = pd.Series(told.to_dict("records"), told.index, "object")
    lines = pd.Series(range(1, len(told) + 1), told.index)
    return Recognised(
        rows[is_known & ~repeated].reset_index(drop=True),
        lines[~is_known].tolist(),
        lines[repeated].tolist(),
    )
