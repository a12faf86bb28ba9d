"""Ours and theirs side by side: what the register said, what it says now, what each source says.

Belongs here: laying a customer's values beside the sources' statements, what has changed, what a protective
order leaves to be seen (R56). Does not belong here: which value wins (`survivorship`), words for people.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from pipelines.domain.schemas import GOLDEN, PARTIES
from pipelines.domain.survivorship import ADDRESS_FIELDS

COMPARED = tuple(c for c in GOLDEN.columns if c not in ("party_id", "display_name", "row_hash"))
"""The golden fields that are compared, in the order they are shown."""
_STATED_BY_A_PARTY = tuple(c for c in COMPARED if c in PARTIES.columns)
_COLUMNS = ("party_id", "field", "before", "now", "says", "source", "source_time", "rule")


def compare(
    before: pd.DataFrame,
    now: pd.DataFrame,
    values: pd.DataFrame,
    parties: pd.DataFrame,
    addresses: pd.DataFrame,
    *,
    address_order: Sequence[str],
    business_date: str,
) -> pd.DataFrame:
    """party_id, field, before, now, says, source, source_time, rule, is_changed; one row a field with a word.

    before, now: GOLDEN. values: PROVENANCE of `now`. parties, addresses: PARTIES and ADDRESSES of the
    records behind them, each with its party_id. says: source → its distinct statements; of addresses the
    one a bill might go to on business_date (`Policy.address_order`). source, source_time, rule: whose
    statement stands now, and why; null where none does.

    Of a protected party no address is shown but a contact address, wherever it would have come from;
    that a hidden value has changed is still said.
    """
    protected = now.loc[now["protection"] == "on", "party_id"]
    was, is_ = _long(before, COMPARED), _long(now, COMPARED)
    rows = (
        was.rename(columns={"value": "before"})
        .merge(is_.rename(columns={"value": "now"}), on=["party_id", "field"], how="outer")
        .merge(
            _says(parties, _bill_to(addresses, protected, address_order, business_date)),
            on=["party_id", "field"],
            how="outer",
        )
        .merge(
            values[["party_id", "field", "source", "source_time", "rule"]],
            on=["party_id", "field"],
            how="left",
        )
    )
    rows = rows.reindex(columns=list(_COLUMNS))
    rows["is_changed"] = rows["before"].fillna("") != rows["now"].fillna("")
    spoken = [s if isinstance(s, dict) else {} for s in rows["says"]]
    rows["says"] = pd.Series(spoken, rows.index, "object")
    contact = before.loc[before["address_type"] == "contact", "party_id"]
    hidden = rows["field"].isin(ADDRESS_FIELDS) & rows["party_id"].isin(protected)
    rows["before"] = rows["before"].mask(hidden & ~rows["party_id"].isin(contact))
    place = rows["field"].map({name: at for at, name in enumerate(COMPARED)})
    return (
        rows.assign(place=place)
        .sort_values(["party_id", "place"], ignore_index=True)
        .drop(columns="place")
    )


def changed_fields(compared: pd.DataFrame) -> dict[int, list[str]]:
    """Party → the names of its fields that changed; whoever has none is left out."""
    changed = compared[compared["is_changed"]]
    found: dict[int, list[str]] = {}
    for party, field in changed[["party_id", "field"]].itertuples(index=False):
        found.setdefault(int(party), []).append(field)
    return found


def _long(rows: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The values that are there as text: party_id, field, value."""
    texts = {c: rows[c].astype("str").mask(rows[c].isna()) for c in columns}
    if "is_deceased" in texts:
        texts["is_deceased"] = texts["is_deceased"].str.lower()
    wide = pd.DataFrame({"party_id": rows["party_id"], **texts})
    long = wide.melt("party_id", var_name="field").astype({"field": "str", "value": "str"})
    return long.dropna(subset="value")


def _bill_to(
    addresses: pd.DataFrame,
    protected: pd.Series,
    address_order: Sequence[str],
    business_date: str,
) -> pd.DataFrame:
    """Of each record the address a bill might go to on the date; of a protected party's a contact address."""
    begun = addresses["valid_from"].isna() | (addresses["valid_from"] <= business_date)
    open_ = addresses["valid_to"].isna() | (addresses["valid_to"] > business_date)
    is_contact = addresses["address_type"] == "contact"
    turn = addresses["address_type"].map({kind: at for at, kind in enumerate(address_order)})
    allowed = is_contact == addresses["party_id"].isin(protected)
    eligible = addresses.assign(turn=turn)[begun & open_ & allowed & turn.notna()]
    best = eligible.sort_values(["source", "source_key", "turn", "address_no"])
    return best.drop_duplicates(["source", "source_key"])


def _says(parties: pd.DataFrame, addresses: pd.DataFrame) -> pd.DataFrame:
    """party_id, field, says."""
    stated = parties.assign(protection=parties["protection"].replace("not_stated", None))
    told = pd.concat(
        [
            _long(records[records["source"] == source], columns).assign(source=source)
            for records, columns in ((stated, _STATED_BY_A_PARTY), (addresses, ADDRESS_FIELDS))
            for source in sorted(records["source"].unique())
        ]
        or [pd.DataFrame(columns=["party_id", "field", "value", "source"])]
    ).drop_duplicates()
    says: dict[tuple[int, str], dict[str, list[str]]] = {}
    for party, field, value, source in told.itertuples(index=False):
        says.setdefault((int(party), field), {}).setdefault(source, []).append(value)
    return _as_frame(says)


def _as_frame(says: Mapping[tuple[int, str], dict[str, list[str]]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "party_id": pd.array([party for party, _ in says], dtype="Int64"),
            "field": pd.Series([field for _, field in says], dtype="str"),
            "says": pd.Series(list(says.values()), dtype="object"),
        }
    )
