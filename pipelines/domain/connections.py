"""The register → what building and environmental control are told: which property is connected, since when.

Belongs here: the state of a consumption point's connection and the differences to what was told. Does not belong
here: whoever holds the connection: a row names no person, and the party beside it is for the disclosure log alone.

A connection is the contract of its holder (`role_type` holder): applied for before it begins, connected while one
holds it, ended when none does (VHL 119/2001, 10 and 11 §: the duty to connect is the property's).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.domain.extract import Contract, as_texts, demand

CONNECTION_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "point_ref": ("point_ref",),
    "property_id": ("property_id",),
    "building_id": ("building_id",),
    "connection": ("connection_state",),
    "connected_from": ("connected_from",),
    "ended_on": ("connection_ended_on",),
}
"""All that a contract about connections may ask for, and what of ours each column is made of."""
CONNECTION_COLUMNS = tuple(CONNECTION_MADE_OF)


@dataclass(frozen=True)
class Connections:
    """rows: row_key (the point's number), party_id (its holder, for the log), CONNECTION_COLUMNS.

    held: [party_id, reason]: restricted (R45), no_property (a point nobody could match).
    """

    rows: pd.DataFrame
    held: pd.DataFrame


def connection_rows(
    points: pd.DataFrame,
    roles: pd.DataFrame,
    business_date: str,
    restricted: Collection[int] = (),
) -> Connections:
    """The connection of each point that has, had or will have a holder.

    points: GOLDEN_POINTS. roles: GOLDEN_ROLES of those points. Of several holders the connection lasts from the
    first to the last: a change of holder is no change of the connection. ended_on: the first day without one.
    """
    holders = roles[roles["role_type"] == "holder"].copy()
    holders["begins"] = holders["valid_from"].fillna("")
    holders["is_open"] = holders["valid_to"].isna() | (holders["valid_to"] > business_date)
    holders = holders.sort_values(["point_id", "is_open", "begins", "party_id"])
    by_point = holders.groupby("point_id")
    facts = pd.DataFrame(
        {
            "connected_from": by_point["begins"].min(),
            "is_open": by_point["is_open"].any(),
            "last_end": by_point["valid_to"].max(),
            "party_id": by_point["party_id"].last(),
        }
    ).reset_index()
    found = facts.merge(points, on="point_id")
    is_open = found["is_open"].astype(bool)
    applied = is_open & (found["connected_from"] > business_date)
    found["connection"] = np.select([applied, is_open], ["applied", "connected"], "ended")
    found["ended_on"] = found["last_end"].where(~is_open)
    found["row_key"] = row_keys(found["point_id"])
    reason = np.select(
        [found["party_id"].isin(list(restricted)), found["property_id"].isna()],
        ["restricted", "no_property"],
        "",
    )
    held = found.assign(reason=reason).loc[reason != "", ["party_id", "reason"]]
    return Connections(
        rows=as_texts(found[reason == ""], CONNECTION_COLUMNS),
        held=held.drop_duplicates().reset_index(drop=True),
    )


def connection_events(
    connections: Connections,
    told: pd.DataFrame,
    looked_at: pd.DataFrame,
    contract: Contract,
    business_date: str,
) -> pd.DataFrame:
    """What differs from what was told: row_key, party_id, the contract's columns, sorted by row_key.

    told: [row_key, party_id, row]. looked_at: [point_id] of all points worked on. One that was told, was looked
    at and is in the register no more has ended on `business_date`. A told row of somebody held stays as it is.
    """
    demand(contract, CONNECTION_MADE_OF)
    columns = list(contract.columns)
    now = connections.rows
    before = told.set_index("row_key")["row"].to_dict()
    rows = now[columns].to_dict("records")
    differs = [before.get(key) != row for key, row in zip(now["row_key"], rows, strict=True)]
    gone = told[
        told["row_key"].isin(row_keys(looked_at["point_id"]))
        & ~told["row_key"].isin(now["row_key"])
        & ~told["party_id"].isin(connections.held["party_id"])
    ]
    last = pd.DataFrame(list(gone["row"]), index=gone.index).reindex(columns=columns).fillna("")
    is_over = last.get("connection", pd.Series("", last.index)) == "ended"
    ended = {"connection": "ended", "ended_on": business_date}
    last = last.assign(**{c: text for c, text in ended.items() if c in columns})
    ends = pd.concat([gone[["row_key", "party_id"]], last], axis=1)[~is_over.to_numpy(dtype=bool)]
    events = [as_texts(part, columns) for part in (now[differs], ends)]
    return as_texts(pd.concat(events), columns)


def row_keys(points: pd.Series) -> pd.Series:
    """Each point's row key: its number, at least six digits."""
    return points.astype("Int64").astype("str").str.zfill(6)
