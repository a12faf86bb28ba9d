"""The hub's nightly matching over a made-up register that it keeps, as a program of its own.

Belongs here: standard rows of a register, what changes of it in a day, the seconds of the step. Does not belong
here: the register (`register`), the anchor and what is wanted (`delta`).

    python -m tests.benchmarks.kept RECORDS FOLDER CHANGED

Of what changes in a day a third is new records, most of them of parties that are known, a third moves, a third
is called otherwise. The first day is for warming up.
"""

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
from sqlalchemy import Engine

from pipelines.domain.schemas import ADDRESSES, PARTIES, POINTS, ROLES, Schema
from pipelines.settings import load_settings
from pipelines.steps.match import match
from pipelines.steps.night import Night, executing
from pipelines.store import frames
from pipelines.store.engine import migrate, open_engine

DAYS = 3
VECTORS = 50
"""Of two thousand rows each, written at once."""
_KEY = ["source", "source_key"]

# a record's place in no order decides what becomes of it
_STATED = """
create table stated as select source, record_id source_key, kind party_type, given_names, family_name,
    organisation_name, person_key, birth_key, business_id, lower(email) email, 'off' protection,
    '+358' || regexp_replace(regexp_replace(phone, '[^0-9]', '', 'g'), '^(358|0)', '') phone,
    street street_name, house_number house, split_part(apartment, ' ', 1) stair,
    split_part(apartment, ' ', 2) apartment, postal_code, upper(post_office) post_office, property_id,
    row_number() over (order by hash(record_id)) - 1 place
from $records"""
_MOVED = """
select stated.* replace (other.street_name as street_name, other.house as house, other.stair as stair,
    other.apartment as apartment, other.postal_code as postal_code, other.post_office as post_office,
    other.property_id as property_id)
from stated join stated other on other.place = stated.place + 1"""
_RENAMED = """
select stated.* replace (other.family_name as family_name, left(stated.given_names, -1) as given_names,
    stated.organisation_name || ' Suomi' as organisation_name)
from stated join stated other on other.place = stated.place + 1"""


@dataclass(frozen=True)
class Kept:
    """A register in a database of its own, and what is known of its records."""

    engine: Engine
    home: Path
    stated: duckdb.DuckDBPyConnection

    def night(self, day: int) -> Night:
        """A night of its own for each day."""
        return Night(
            engine=self.engine,
            settings=load_settings(self.home, {}),
            business_date=f"2026-11-{day:02}",
            clock=lambda: datetime(2026, 11, day, 1, 30, tzinfo=UTC),
        )

    def write(self, day: int, query: str) -> None:
        """Standard rows of a query over `stated`, as a night would leave them."""
        with executing(self.night(day), "standardise") as step:
            result = self.stated.execute(query)
            while len(rows := result.fetch_df_chunk(VECTORS)):
                frames.remove(step.conn, ADDRESSES, rows[_KEY], _KEY)
                for schema, written in _standard(rows):
                    frames.put(step.conn, schema, written, step.id)


def _standard(rows: pd.DataFrame) -> Iterator[tuple[Schema, pd.DataFrame]]:
    """The rows by schema: one address where a street is stated, a point and a role where a property is."""

    def fitted(schema: Schema, among: pd.DataFrame) -> pd.DataFrame:
        return schema.conform(among[[name for name in schema.columns if name in among]])

    lived_at = rows[rows["street_name"].notna()]
    line = lived_at["street_name"] + " " + lived_at["house"].fillna("")
    owned = rows[rows["property_id"].notna()]
    key = owned["source_key"]
    yield PARTIES, fitted(PARTIES, rows)
    home = lived_at.assign(address_no=1, address_type="permanent", street_line=line)
    yield ADDRESSES, fitted(ADDRESSES, home)
    yield POINTS, owned[[*_KEY, "property_id"]]
    held = owned.assign(party_source_key=key, point_source_key=key, role_type="holder")
    yield ROLES, fitted(ROLES, held.assign(valid_from="2020-01-01"))


def kept(records: Path, folder: Path, changed: int) -> Kept:
    """Everybody but those who come new on a later day, written and never matched yet."""
    engine = open_engine(f"sqlite:///{folder / 'hub.db'}")
    migrate(engine)
    stated = duckdb.connect()
    stated.execute("set enable_progress_bar = false")
    stated.execute("set threads = 1")  # it stands beside what is measured
    stated.execute(_STATED.replace("$records", f"'{records}'"))
    register = Kept(engine, folder, stated)
    register.write(1, f"from stated where place >= {DAYS * (changed // 3)}")
    return register


def change(register: Kept, day: int, changed: int) -> None:
    """What a day brings; no record is met on two days."""
    third = changed // 3
    new, moved, renamed = (f"stated.place // {third} = {n * DAYS + day}" for n in range(3))
    register.write(
        day + 1,
        f"from stated where {new} union all {_MOVED} where {moved} union all {_RENAMED} where {renamed}",
    )


@contextmanager
def taken(told: dict[str, list[float]], name: str) -> Iterator[None]:
    """Adds the wall's and the processor's seconds within to a list of each."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    told.setdefault(f"{name}_seconds", []).append(time.perf_counter() - wall)
    told.setdefault(f"{name}_cpu_seconds", []).append(time.process_time() - cpu)


def main(records: Path, folder: Path, changed: int) -> dict[str, float]:
    """The seconds of matching everybody for the first time, and of a usual night."""
    told: dict[str, list[float]] = {}
    register = kept(records, folder, changed)
    with taken(told, "first"):
        match(register.night(1))
    for day in range(DAYS):
        change(register, day, changed)
        with taken(told, "changed"):
            match(register.night(day + 1))
    return {name: statistics.median(those[1:] or those) for name, those in told.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))))
