"""Why a row is about to be told: what in it differs from what its recipient was told before, and whose word that is.

Belongs here: laying rows beside what was told and beside the origin of golden values. Does not belong here: which rows
there are (`extract`, `connections`, `returns`), words for people.
"""

from collections.abc import Collection

import pandas as pd

from pipelines.domain.extract import Contract, row_keys

# what happens to a row, and what only follows from it
_OF_THE_EVENT = frozenset({"event", "customer_state", "withdrawn"})
REASONS = ("row_key", "column", "before", "source", "source_time", "rule")


def reasons(
    events: pd.DataFrame,
    told: pd.DataFrame,
    values: pd.DataFrame,
    roles: pd.DataFrame,
    contract: Contract,
    protected: Collection[int] = (),
) -> pd.DataFrame:
    """REASONS of each event, in the order of the contract's columns.

    events: row_key, party_id, the contract's columns. told: row_key, row, what was told last under these keys. values:
    PROVENANCE and roles: GOLDEN_ROLES of the parties.

    Of a row told before: each column that differs, what it said, and the newest origin among what it is made of; an end
    differs in its dates alone. Of one that never was: the payer's role that opens it. Of `protected` parties no word of
    what was told before: it may be the address that an order has hidden since (R56).
    """
    columns = [c for c in contract.columns if c not in _OF_THE_EVENT]
    before = pd.DataFrame(list(told["row"]), index=told["row_key"])
    before = before.reindex(columns=columns).astype("str").fillna("")
    known = events[events["row_key"].isin(told["row_key"])]
    is_end = known.get("event", pd.Series("", known.index)).isin(["ended", "merged"])
    found = []
    for column in columns:
        was = known["row_key"].map(before[column]).astype("str")
        # of an end the other columns are empty because they are not repeated
        differs = (known[column] != was) & ~(is_end & (known[column] == ""))
        found.append(
            known.loc[differs, ["row_key", "party_id"]].assign(column=column, before=was[differs])
        )
    changed = pd.concat(found) if found else known[["row_key", "party_id"]].assign(column="")
    hidden = changed["party_id"].isin(list(protected))
    changed["before"] = changed["before"].where(~hidden, "")
    sourced = changed.merge(_origins(values, contract), on=["party_id", "column"], how="left")
    opened = _opened(events[~events["row_key"].isin(known["row_key"])], roles)
    every = pd.concat([sourced, opened]).reindex(columns=list(REASONS))
    place = every["column"].map({c: n for n, c in enumerate(contract.columns)})
    return (
        every.assign(place=place).sort_values(["row_key", "place"], kind="stable")
        .drop(columns="place").reset_index(drop=True)
    )  # fmt: skip


def _origins(values: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """party_id, column, source, source_time, rule: of all that a column is made of, the newest."""
    made_of = pd.DataFrame(
        [(field, column) for column, fields in contract.made_of.items() for field in fields],
        columns=["field", "column"],
    )
    whence = values.merge(made_of, on="field").sort_values("source_time", na_position="first")
    newest = whence.drop_duplicates(["party_id", "column"], keep="last")
    return newest[["party_id", "column", "source", "source_time", "rule"]]


def _opened(events: pd.DataFrame, roles: pd.DataFrame) -> pd.DataFrame:
    """Of rows that were never told, the payer's role behind each, the newest first day of several."""
    paying = roles[roles["role_type"] == "payer"]
    keyed = paying.assign(row_key=row_keys(paying)).sort_values("valid_from", na_position="first")
    newest = keyed.drop_duplicates("row_key", keep="last")[["row_key", "source", "rule"]]
    return events[["row_key"]].assign(column="point_ref").merge(newest, on="row_key")
