"""Who has to hear about data they hold: what was wrong in it, or what of it was an address (R43, R56; GDPR art. 19).

Belongs here: which values a correction shows to have been wrong, which columns of a told row carried one, which held
an address. Does not belong here: finding who was told (`store.notifications`), deciding, words.

That a value changed says nothing about the old one: people move. It was wrong only where a record that a person took
down as a correction is what the register now believes in its place.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

import pandas as pd

Kind = Literal["recall", "correction"]
State = Literal["prepared", "approved", "declined", "sent", "acknowledged", "void"]
Route = Literal["delivery", "hand"]

ADDRESS = ("care_of", "street_line", "postal_code", "post_office", "country")
_PLACE = ("care_of", "street_line", "line", "postal_code", "post_office")
_FINAL = "final_invoice"


def wrong_values(
    before: pd.DataFrame, after: pd.DataFrame, correcting: pd.DataFrame
) -> pd.DataFrame:
    """party_id, field, value, source (of the wrong one) and cause (the correcting record's key).

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
    return wrong[["party_id", "field", "value", "source", "cause"]].reset_index(drop=True)


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
