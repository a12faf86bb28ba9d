"""Lists of made-up people as the matcher reads them; nobody in them exists."""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

import duckdb
import pytest

from pipelines.linkage.engine import opened
from pipelines.linkage.layout import COLUMNS

Row = Mapping[str, object]
GIVEN = (
    "Aino", "Eero", "Helmi", "Ilmari", "Kaisa", "Lauri", "Mirja", "Onni", "Päivi", "Risto", "Saara",
    "Tuomas", "Ulla", "Veikko", "Yrjö", "Äijä", "Anna-Liisa", "Juha-Pekka",
)  # fmt: skip
FAMILY = (
    "Aaltola", "Hirvelä", "Jokimaa", "Kuusela", "Lehtola", "Mäkäräinen", "Niemelä", "Ojala", "Pelto",
    "Rantala", "Salovaara", "Törmänen", "Uusimäki", "Virtakoski",
)  # fmt: skip
STREETS = ("Koivikkotie", "Rantakatu", "Mäkikuja", "Kirkkotie", "Peltopolku")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(threads=1) as engine:
        yield engine


@pytest.fixture
def listed(tmp_path: Path) -> Callable[..., Path]:
    """Writes rows as a CSV file that `hub match file` reads; ids are r0, r1 … where a row has none."""

    def write(rows: Sequence[Row], name: str = "records.csv") -> Path:
        path = tmp_path / name
        columns = [c for c in COLUMNS if c in ("record_id", "kind") or any(c in r for r in rows)]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            for number, row in enumerate(rows):
                stated = {k: v for k, v in row.items() if k in COLUMNS}
                writer.writerow({"record_id": f"r{number}", "kind": "person", **stated})
        return path

    return write


def town(households: int, seed: int) -> list[dict[str, object]]:
    """A made-up town: each household of one to four people, each person in one to three records.

    `entity` says who a record is of; a record leaves out the key and the birth now and then, and some
    names are misspelt.
    """
    random = Random(seed)  # noqa: S311 - a seeded generator is the point
    rows: list[dict[str, object]] = []
    for house in range(households):
        family = random.choice(FAMILY)
        home = {
            "street": random.choice(STREETS),
            "house_number": str(house % 90 + 1),
            "postal_code": f"{31600 + house // 90:05}",
            "post_office": "Humppila",
        }
        for member in range(random.choice((1, 1, 2, 2, 3, 4))):
            entity = f"{house}-{member}"
            names = f"{random.choice(GIVEN)} {random.choice(GIVEN)}"
            number = f"0{400000000 + house * 10 + member}"
            for _ in range(random.choice((1, 1, 2, 2, 3))):
                row: dict[str, object] = {"entity": entity, "given_names": names, **home}
                row["family_name"] = family[1:] if random.random() < 0.05 else family
                if random.random() < 0.4:
                    row["person_key"] = f"k{entity}"
                if random.random() < 0.6:
                    row["birth_key"] = f"b{entity}"
                if random.random() < 0.5:
                    row["phone"] = number
                if random.random() < 0.4:
                    row["given_names"] = names.split()[0]
                rows.append(row)
    return rows
