"""What goes back to a register of its own records: where we believe somebody else, and why (DESIGN 10).

Belongs here: which of the records a register supplied say otherwise than the golden value, and what it has
made of being told. Does not belong here: what finance is told (`extract`), which value is golden
(`survivorship`), the delivery protocol (`steps`).

Like is corrected with like: a home with a home, where mail goes with where mail goes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.domain.extract import PLACE, Contract, as_texts
from pipelines.domain.matching import RECORD, company_key
from pipelines.domain.names import fold

PARTS = ("source_key", "field", "source", "rule", "stated_at")
"""What a column may be made of beside the value; several are told as `source: rule`."""

_COLUMN = {part: part for part in PARTS} | {"source_key": "their_key"}
_NAMES = ("family_name", "given_names", "organisation_name")
_ADDRESS = (*PLACE, "country")
_GOLDEN_FIELD = {"name": "display_name", "is_deceased": "is_deceased"} | {p: p for p in _ADDRESS}
# where somebody is reached in a way of their own choosing, or was to be billed last: never corrected
_NOT_CORRECTED = ("contact", "final_invoice")
_MAIL = "postal"
_RETURNED = ("sent", "confirmed", "rejected", "overwritten")


@dataclass(frozen=True)
class Terms:
    """What may go back to whom.

    source: the name under which the register is heard. only_supplied: a joint controller's, told of errors
    in what it states itself, never of a protected person nor of a death; our own register is also told what
    it lacks. update_services: as in `survivorship.Policy`.
    """

    source: str
    only_supplied: bool
    update_services: tuple[str, ...]


def return_rows(
    golden: pd.DataFrame,
    values: pd.DataFrame,
    records: pd.DataFrame,
    parties: pd.DataFrame,
    addresses: pd.DataFrame,
    returned: pd.DataFrame,
    contract: Contract,
    terms: Terms,
) -> pd.DataFrame:
    """Where a register's records differ from what others state: row_key, party_id, the contract's columns.

    golden: GOLDEN. values: PROVENANCE. records: PARTY_RECORDS. parties: PARTIES. addresses: ADDRESSES.
    returned: [their_key, field, value, state], the newest return of each field of each of its records.
    One row per record of the register and field (name, street_line, postal_code, post_office, country,
    is_deceased) whose golden value comes from another source, if the contract's value is made of it.

    An address goes only if complete, its party unprotected (R56) and of the type the register states, or,
    where it states where mail goes, from an update service; in the parts that differ. A name goes only if it
    is another name: not for case, order, an initial or a second name left out. What was returned once is not
    returned again, whatever became of it (five nights of ping-pong end in silence); of an address that is
    partly new, all parts go. Raises KeyError, naming columns, for a contract it can't fill.
    """
    told = contract.made_of[_value_column(contract)]
    theirs = parties.loc[parties["source"] == terms.source, [*RECORD, *_NAMES, "is_deceased"]]
    theirs = theirs.merge(records, on=list(RECORD))
    theirs = theirs.merge(golden, on="party_id", suffixes=("_theirs", ""))
    if terms.only_supplied:
        theirs = theirs[theirs["protection"] != "on"]
    places = _corrected_addresses(addresses, terms.source)
    theirs = theirs.merge(places, on=list(RECORD), how="left", suffixes=("", "_theirs"))
    theirs = theirs.rename(columns={"source_key": "their_key"}).drop(columns="source")

    differing = [
        _by_others(_other_name(theirs), values, _NAMES, terms),
        _by_others(_other_place(theirs, values, terms), values, ("street_line",), terms),
    ]
    if not terms.only_supplied:
        deaths = _other_death(theirs, returned)
        differing.append(_by_others(deaths, values, ("is_deceased",), terms))
    every = pd.concat(differing)
    rows = _not_yet_returned(every[every["field"].map(_GOLDEN_FIELD).isin(told)], returned)
    rows["row_key"] = rows["their_key"] + "/" + rows["field"]
    return as_texts(_as_contracted(rows, contract), contract.columns)


def values_in(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """their_key, field, value of rows that `return_rows` made for the contract."""
    parts = rows["row_key"].str.rpartition("/")
    value = rows[_value_column(contract)]
    return pd.DataFrame({"their_key": parts[0], "field": parts[2], "value": value})


def answered(
    returned: pd.DataFrame,
    parties: pd.DataFrame,
    addresses: pd.DataFrame,
    heard_on: str | None,
    source: str,
) -> pd.DataFrame:
    """What a register made of what it was told: their_key, field, state (DESIGN 10).

    returned: [their_key, field, value, state, business_date]; those `sent` are looked at. heard_on: the
    last business date the register was heard under its source's name, null if never. confirmed: it now states
    the value itself. overwritten: it has spoken since and states another. What it has no word for stays as
    sent.
    """
    theirs = parties.loc[parties["source"] == source, ["source_key", *_NAMES, "is_deceased"]]
    dead = theirs["is_deceased"].map({True: "true", False: "false"}, na_action="ignore")
    named = (theirs["family_name"].fillna("") + " " + theirs["given_names"].fillna("")).str.strip()
    name = named.where(named != "", theirs["organisation_name"])
    places = _corrected_addresses(addresses, source)
    stated = pd.concat(
        [
            pd.DataFrame({"their_key": theirs["source_key"], "field": "name", "now": name}),
            pd.DataFrame({"their_key": theirs["source_key"], "field": "is_deceased", "now": dead}),
            *(
                pd.DataFrame(
                    {"their_key": places["source_key"], "field": part, "now": places[part]}
                )
                for part in _ADDRESS
            ),
        ]
    )
    asked = returned[returned["state"] == "sent"].merge(stated, on=["their_key", "field"])
    told, now = (
        asked[c].map(lambda text: " ".join(sorted(fold(text).split())), na_action="ignore")
        for c in ("value", "now")
    )
    has_spoken = asked["business_date"] < (heard_on or "")
    state = np.select([told == now, has_spoken & now.notna()], ["confirmed", "overwritten"], "")
    answers = asked[["their_key", "field"]].assign(state=state)
    return answers[answers["state"] != ""].reset_index(drop=True)


def _value_column(contract: Contract) -> str:
    """The contract's one column that is made of golden fields; all others are made of PARTS."""
    made_of = {column: set(contract.made_of.get(column, ())) for column in contract.columns}
    values = [column for column, parts in made_of.items() if not parts & set(PARTS)]
    mixed = [
        column for column, parts in made_of.items() if 0 < len(parts & set(PARTS)) < len(parts)
    ]
    if len(values) != 1 or mixed:
        named = ", ".join(values + mixed) or "none"
        raise KeyError(f"{contract.recipient}: a return has one column for the value, not {named}")
    return values[0]


def _as_contracted(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    columns = {}
    for column in contract.columns:
        names = [_COLUMN[p] for p in contract.made_of[column] if p in PARTS] or ["value"]
        told = rows[names[0]].astype("str")
        for name in names[1:]:
            told = told + ": " + rows[name]
        columns[column] = told
    return pd.DataFrame(
        {"row_key": rows["row_key"], "party_id": rows["party_id"], **columns}, rows.index
    )


def _corrected_addresses(addresses: pd.DataFrame, source: str) -> pd.DataFrame:
    """The first ordinary address of each of a register's records."""
    ordinary = (addresses["source"] == source) & ~addresses["address_type"].isin(_NOT_CORRECTED)
    first = addresses[ordinary].sort_values("address_no").drop_duplicates(list(RECORD))
    return first[[*RECORD, *_ADDRESS, "address_type"]]


def _other_name(theirs: pd.DataFrame) -> pd.DataFrame:
    """Golden names that are another name than the register's, not another spelling of it."""
    columns = [f"{name}{whose}" for whose in ("_theirs", "") for name in _NAMES]
    stated = theirs[columns].astype("object").where(theirs[columns].notna(), "")
    is_company = theirs["party_type"] == "organisation"
    other = [
        _is_other_company(old_firm, firm)
        if company
        else _is_other_person(old, old_given, new, given)
        for company, old, old_given, old_firm, new, given, firm in zip(
            is_company, *(stated[c] for c in columns), strict=True
        )
    ]
    names = theirs.loc[np.array(other, dtype=bool), ["party_id", "their_key", "display_name"]]
    return names.rename(columns={"display_name": "value"}).assign(field="name")


def _is_other_company(old: str, new: str) -> bool:
    return bool(old and new) and company_key(old) != company_key(new)


def _is_other_person(old_family: str, old_given: str, family: str, given: str) -> bool:
    if not (old_family or old_given) or not family:
        return False
    theirs, ours = (old_family, old_given), (family, given)
    if sorted(fold(" ".join(theirs)).split()) == sorted(fold(" ".join(ours)).split()):
        return False
    if fold(old_given) == fold(family):
        old_family, old_given = old_given, old_family
    if fold(old_family) != fold(family):
        return True
    before, now = fold(old_given).split(), fold(given).split()
    if not before or not now:
        return False
    is_initial = len(before[0]) == 1 and any(name.startswith(before[0]) for name in now)
    return before[0] not in now and now[0] not in before and not is_initial


def _other_place(theirs: pd.DataFrame, values: pd.DataFrame, terms: Terms) -> pd.DataFrame:
    """The differing parts of golden addresses that are whole, ordinary and like the register's."""
    whole = theirs[[*PLACE]].notna().all(axis=1)
    open_ = (theirs["protection"] != "on") & (theirs["address_type"] != "contact")
    lines = values[values["field"] == "street_line"].set_index("party_id")["source"]
    by_service = theirs["party_id"].map(lines).isin(terms.update_services)
    kind = theirs["address_type_theirs"].fillna(_MAIL)
    alike = (theirs["address_type"] == kind) | (by_service & (kind == _MAIL))
    differs = {
        name: theirs[name].fillna(default).str.casefold()
        != theirs[f"{name}_theirs"].fillna(default).str.casefold()
        for name, default in (*((name, "") for name in PLACE), ("country", "FI"))
    }
    told = whole & open_ & alike
    if terms.only_supplied:
        supplied = {name: theirs[f"{name}_theirs"].notna() for name in _ADDRESS}
        # a street in a country that it has no word for would be read as one in Finland
        told &= ~differs["country"] | supplied["country"]
        differs = {name: is_other & supplied[name] for name, is_other in differs.items()}
    moved = told & np.logical_or.reduce([differs[name] for name in PLACE])
    parts = [
        theirs[moved & is_other & theirs[name].notna()].assign(field=name, value=theirs[name])
        for name, is_other in differs.items()
    ]
    every: pd.DataFrame = pd.concat(parts)
    return every[["party_id", "their_key", "field", "value"]]


def _other_death(theirs: pd.DataFrame, returned: pd.DataFrame) -> pd.DataFrame:
    """Deaths the register doesn't show, and deaths it shows, or has from us, that were taken back."""
    ours = returned[(returned["field"] == "is_deceased") & (returned["state"] != "rejected")]
    last = ours.set_index("their_key")["value"].map({"true": True, "false": False})
    from_us = theirs["their_key"].map(last).astype("boolean")
    golden, shown = theirs["is_deceased"], theirs["is_deceased_theirs"].fillna(from_us)
    told = theirs.loc[golden.notna() & (golden.fillna(False) != shown.fillna(False))]
    value = np.where(told["is_deceased"].to_numpy(dtype=bool), "true", "false")
    return told[["party_id", "their_key"]].assign(field="is_deceased", value=value)


def _by_others(
    differing: pd.DataFrame, values: pd.DataFrame, fields: Sequence[str], terms: Terms
) -> pd.DataFrame:
    """Those whose golden value, told by one of the fields, another source than the register states."""
    stated = values.loc[
        values["field"].isin(fields) & (values["source"] != terms.source),
        ["party_id", "source", "rule", "source_time"],
    ].rename(columns={"source_time": "stated_at"})
    return differing.merge(stated.drop_duplicates("party_id"), on="party_id")


def _not_yet_returned(rows: pd.DataFrame, returned: pd.DataFrame) -> pd.DataFrame:
    known = returned.loc[returned["state"].isin(_RETURNED), ["their_key", "field", "value"]]
    marked = rows.merge(known.drop_duplicates(), how="left", indicator="known")
    is_new = marked["known"] == "left_only"
    is_place = marked["field"].isin(_ADDRESS)
    moves = marked["their_key"].isin(marked.loc[is_new & is_place, "their_key"])
    return marked[is_new | (is_place & moves)].drop(columns="known")
