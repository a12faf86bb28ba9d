"""How an address stands beside the post's address file (FORMATS §3).

Belongs here: the grade of each address. Does not belong here: reading the file (the connector), keeping it
(`store.postal`), whether an address is valid: it never is or isn't on account of this. The file is not whole,
a street may be newer than it, and the municipality of a postal code says nothing, since codes cross borders.

Grades, best first:

    exact             the street is in the postal code, the number on the right side within its numbers; in the
                      country, where streets have none, the street is enough
    street_known      the street is there, the number is not, or none is given
    postal_code_only  the code is there, the street is not: post boxes, poste restante and places too
    unknown           the postal code is not there, or none is given
"""

import pandas as pd

from pipelines.domain.names import fold

GRADES = ("exact", "street_known", "postal_code_only", "unknown")

_NAME_LENGTH = 30  # of a street in the file; longer names are cut off
_SIDES = {"odd": 1, "even": 0}


def grades(addresses: pd.DataFrame, codes: pd.DataFrame, streets: pd.DataFrame) -> pd.Series:
    """The grade of each address on the frame's index; null abroad.

    addresses: street_name, house, postal_code, country (schema ADDRESSES). codes: postal_code. streets:
    postal_code, street_fi, street_sv, side (odd, even, null), lowest and highest number (null: no bound), of the
    addresses' postal codes at least. Case, diacritics and punctuation make no difference, Finnish and Swedish
    names count alike; of a range `3-5` the first number is looked for.
    """
    columns = ["street_name", "house", "postal_code"]
    at_home = addresses["country"] == "FI"
    asked = addresses.loc[at_home, columns]
    one_each = asked.drop_duplicates(ignore_index=True)
    known = one_each["postal_code"].isin([*codes["postal_code"], *streets["postal_code"]])
    graded = one_each.assign(grade=known.map({True: "postal_code_only", False: "unknown"}))
    found = _found(one_each[known & one_each["street_name"].notna()], streets)
    graded.loc[found.index, "grade"] = found
    told = asked.merge(graded, on=columns, how="left", sort=False)["grade"].astype("str")
    return pd.Series(told.to_numpy(), asked.index, dtype="str").reindex(addresses.index)


def _found(asked: pd.DataFrame, streets: pd.DataFrame) -> pd.Series:
    """exact or street_known for those whose street is there, on the index of `asked`."""
    keyed = pd.DataFrame(
        {
            "at": asked.index,
            "postal_code": asked["postal_code"],
            "street": _folded(asked["street_name"].str[:_NAME_LENGTH]),
            "number": pd.to_numeric(asked["house"].str.extract(r"^(\d+)")[0]).astype("Int64"),
        }
    )
    by_name = pd.concat(
        streets[["postal_code", "side", "lowest", "highest"]].assign(street=_folded(streets[name]))
        for name in ("street_fi", "street_sv")
    )
    by_name = by_name[by_name["street"].notna()].drop_duplicates()
    both = keyed.merge(by_name, on=["postal_code", "street"])
    number, side = both["number"], both["side"].map(_SIDES).astype("Int64")
    has_numbers = side.notna() | both["lowest"].notna() | both["highest"].notna()
    within = (
        number.notna()
        & (side.isna() | (number % 2 == side))
        & (both["lowest"].isna() | (number >= both["lowest"]))
        & (both["highest"].isna() | (number <= both["highest"]))
    )
    is_exact = (~has_numbers | within.fillna(False)).astype(bool)
    best = is_exact.groupby(both["at"]).any()
    return best.map({True: "exact", False: "street_known"})


def _folded(names: pd.Series) -> pd.Series:
    """The names as they are compared, folded once each; null stays null."""
    known = {name: fold(name) for name in names.dropna().unique()}
    return names.map(known).astype("str")
