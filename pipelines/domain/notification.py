"""Who has to hear about data they hold: what was wrong in it, or what of it was an address (R43, R56; GDPR art. 19).

Belongs here: which values a correction, or the parting of what was merged, shows to have been wrong, which columns of a
told row carried one, which held an address. Does not belong here: finding who was told (`store.notifications`),
deciding, words.

That a value changed says nothing about the old one: people move. It was wrong where a record that a person took down as
a correction is what the register now believes in its place, or where it was a record's that is now known as another's.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import pandas as pd

Kind = Literal["recall", "correction"]
State = Literal["prepared", "approved", "declined", "sent", "acknowledged", "void"]
Route = Literal["delivery", "hand"]

ADDRESS = ("care_of", "street_line", "postal_code", "post_office", "country")
WRONG = ("party_id", "field", "value", "source", "cause")
"""A value that was wrong, whose word it was (null: rightly said, of somebody else), and what showed it."""
_NAME = ("family_name", "given_names", "organisation_name")
_PLACE = ("care_of", "street_line", "line", "postal_code", "post_office")
_FINAL = "final_invoice"


def wrong_values(
    before: pd.DataFrame, after: pd.DataFrame, correcting: pd.DataFrame
) -> pd.DataFrame:
    """WRONG: source is of the wrong one, cause the correcting record's key.

    before, after: PROVENANCE. correcting: [source, source_key] of the records that were taken down as corrections. An
    address is one statement: where one part of it is corrected, every part that went or became another was wrong. Case
    is no difference.
    """
    by = after.merge(correcting, on=["source", "source_key"])[["party_id", "field", "source_key"]]
    by = by.rename(columns={"source_key": "cause"})
    place = by[by["field"].isin(ADDRESS)].drop_duplicates("party_id")
    parts = place[["party_id", "cause"]].merge(pd.DataFrame({"field": ADDRESS}), how="cross")
    every = pd.concat([by[~by["field"].isin([*ADDRESS, "address_type"])], parts])
    was = before[["party_id", "field", "value", "source", "source_key"]]
    now = after[["party_id", "field", "value"]].rename(columns={"value": "now"})
    both = every.merge(was, on=["party_id", "field"]).merge(
        now, on=["party_id", "field"], how="left"
    )
    differs = both["value"].str.casefold() != both["now"].fillna("").str.casefold()
    wrong = both[differs & (both["source_key"] != both["cause"])]
    return wrong[list(WRONG)].reset_index(drop=True)


def parted_values(
    before: pd.DataFrame,
    after: pd.DataFrame,
    records: pd.DataFrame,
    names: pd.DataFrame,
    splits: pd.DataFrame,
    cause: str,
) -> pd.DataFrame:
    """What was told of customers while a record that is another's was part of them, as `wrong_values` has it.

    before, after: PROVENANCE of customers that parted. records: PARTY_RECORDS as they are now. names: party_id,
    display_name before. splits: party_id, from_party_id of those who live again: that they had gone into the other was
    wrong too, under the field `party_id`. Nobody supplied any of it in error: source is null.
    """
    lost = before.merge(records, on=["source", "source_key"], how="left", suffixes=("", "_now"))
    lost = lost[(lost["party_id"] != lost["party_id_now"]).fillna(True)]
    now = after[["party_id", "field", "value"]].rename(columns={"value": "now"})
    both = lost.merge(now, on=["party_id", "field"], how="left")
    differs = both["value"].str.casefold() != both["now"].fillna("").str.casefold()
    wrong = both.loc[differs, ["party_id", "field", "value"]]
    named = wrong.loc[wrong["field"].isin(_NAME), ["party_id"]].drop_duplicates()
    called = named.merge(names, on="party_id").rename(columns={"display_name": "value"})
    gone_into = splits[["party_id"]].assign(
        field="party_id", value=splits["from_party_id"].map("{:06}".format)
    )
    every = pd.concat([wrong, called.assign(field="display_name"), gone_into], ignore_index=True)
    return every.assign(source=None, cause=cause)[list(WRONG)]


def carried(
    content: Mapping[str, Any], made_of: Mapping[str, Collection[str]], wrong: Mapping[str, str]
) -> list[str]:
    """The fields of `wrong` (field → wrong value) that a told row held in that version.

    content: column → text. made_of: what of ours each column is made of; a column that no contract has any more is
    taken for the field of its name.
    """
    found = []
    for field, value in wrong.items():
        for column, text in content.items():
            fields = made_of.get(column, (column,))
            is_place = field in ADDRESS and _FINAL in fields
            if not text or (field not in fields and not is_place):
                continue
            # «c/o Name, Street 1» is told in one column
            is_joined = field in ("care_of", "street_line") and str(text).startswith("c/o ")
            # an estate's bill goes to «Name, kuolinpesä»
            is_joined |= field == "display_name"
            if text == value or (is_joined and value in text):
                found.append(field)
                break
    return found


def address_parts(fields: Iterable[str], row_keys: Iterable[str]) -> list[str]:
    """What of an address a told row held, by the columns that carried something and by its row keys.

    A return is one value a row, and its key ends in the field: `their_key/street_line`.
    """
    parts = [name for name in fields if name.endswith(_PLACE)]
    parts += [part for key in row_keys if (part := key.rpartition("/")[2]) in ADDRESS]
    return list(dict.fromkeys(parts))
