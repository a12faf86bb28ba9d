"""The register's records in the layout that is matched.

Belongs here: choosing the place by which a record is compared first, the identity a correction left, frames
into the engine. Does not belong here: reading the database (`store.linkage`), a file of records (`layout`).
"""

from collections.abc import Sequence
from functools import reduce
from operator import add

import duckdb
import numpy as np
import pandas as pd

from pipelines.domain.matching import living_person_keys
from pipelines.linkage.layout import COLUMNS, FROM_THE_REGISTER, PLACE

_HOME_FIRST = ("permanent", "visiting", "postal", "temporary", "contact", "final_invoice")


def hold(
    connection: duckdb.DuckDBPyConnection,
    parties: pd.DataFrame,
    addresses: pd.DataFrame,
    properties: pd.DataFrame,
) -> None:
    """Makes `record` and `elsewhere`, numbered by record_no (see `layout`).

    parties, addresses, properties: as `store.linkage` reads them. A record is compared by its first place
    (where it lives, before where its post goes) and by each other one.
    """
    places = _places(addresses)
    named = parties.rename(columns={"party_type": "kind"})
    named = named.assign(living_key=living_person_keys(parties))
    named = named.merge(places.drop_duplicates("record_no"), on="record_no", how="left")
    named = named.merge(properties.drop_duplicates("record_no"), on="record_no", how="left")
    further = pd.concat(
        [
            places[places.duplicated("record_no")],
            properties[properties.duplicated("record_no")],
            _retired(parties),
        ]
    )
    _table(connection, "record", named, (*COLUMNS, *FROM_THE_REGISTER))
    _table(connection, "elsewhere", further, ("person_key", *PLACE))


def _places(addresses: pd.DataFrame) -> pd.DataFrame:
    """record_no and PLACE but for the property, a record's first place first.

    A letter after the number is a building's in one register and a staircase in another (`domain.address`),
    so all that follows the number counts as the apartment.
    """
    rank = addresses["address_type"].map({name: n for n, name in enumerate(_HOME_FIRST)})
    ordered = addresses.assign(rank=rank).sort_values(["record_no", "rank", "address_no"])
    house = ordered["house"].str.extract(r"^(\d*)(.*)$")
    parts = [house[1], *(ordered[name] for name in ("stair", "apartment", "split"))]
    flat = reduce(add, [part.fillna("") for part in parts])
    return pd.DataFrame(
        {
            "record_no": ordered["record_no"],
            "street": ordered["street_name"].where(
                ordered["street_name"].notna(), ordered["street_line"]
            ),
            "house_number": house[0],
            "apartment": flat.where(flat != ""),
            "postal_code": ordered["postal_code"],
            "post_office": ordered["post_office"],
        }
    ).drop_duplicates()


def _retired(parties: pd.DataFrame) -> pd.DataFrame:
    """record_no, person_key: identity codes that a correction retired, so that old and new records meet."""
    corrected = parties.loc[
        parties["superseded_person_keys"].map(bool, na_action="ignore").eq(True),
        ["record_no", "superseded_person_keys"],
    ]
    corrected = corrected.explode("superseded_person_keys").dropna()
    return corrected.rename(columns={"superseded_person_keys": "person_key"})


def _table(
    connection: duckdb.DuckDBPyConnection, name: str, frame: pd.DataFrame, columns: Sequence[str]
) -> None:
    """A table of numbers r and texts; columns that the frame has not are null."""
    held: dict[str, object] = {"r": frame["record_no"].to_numpy(dtype=np.int64)}
    for column in columns:
        stated = frame[column] if column in frame else pd.Series(None, frame.index, dtype="object")
        held[column] = stated.astype("object").where(stated.notna(), None).to_numpy()
    casts = ", ".join(f"{column}::varchar {column}" for column in columns)
    connection.register("held", pd.DataFrame(held))
    try:
        connection.execute(f"create or replace table {name} as select r, {casts} from held")
    finally:
        connection.unregister("held")
