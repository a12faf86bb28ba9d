"""A hub and its town while a journey goes on: nights, what stands in the morning, what people do by day.

Belongs here: running a night as the command line does, reading what it left, and a clerk's or DVV's hand in
the town beyond its own happenings. Does not belong here: what ought to be true (the tests).
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from connectors.sandbox import own_register
from connectors.sandbox.town import Town
from connectors.sandbox.world import Person
from pipelines.cli.town import DEALINGS, Finance, point_at
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    LANDED,
    PARTY_RECORDS,
    PROVENANCE,
    Schema,
)
from pipelines.house import House, open_house
from pipelines.nightly import Outcome, run_night
from pipelines.store import frames, holdings, nights, quarantine
from pipelines.store.engine import transaction

CUSTOMERS = 100
SEED = 1
OWN = "registrations"


@dataclass(frozen=True)
class Morning:
    """What one night left: its outcome, and the register, finance's books and the truth of that day.

    customers: GOLDEN by the own register's number. returned: `holdings.returned`. held: party → reason.
    """

    outcome: Outcome
    customers: pd.DataFrame
    values: pd.DataFrame
    landed: pd.DataFrame
    refused: pd.DataFrame
    held: Mapping[int, str]
    told: pd.DataFrame
    returned: pd.DataFrame
    finance: Mapping[str, Any]
    truth: Mapping[str, Any]

    @property
    def counts(self) -> dict[str, Mapping[str, int]]:
        """Step → what it counted."""
        return {step.name: step.counts for step in self.outcome.steps}

    def party(self, number: str) -> pd.Series:
        """The golden row of an own customer."""
        row = self.customers.loc[number]
        assert isinstance(row, pd.Series)
        return row

    def id_of(self, number: str) -> int:
        return int(self.party(number)["party_id"])

    def value(self, number: str, field: str) -> pd.Series:
        """One golden value with its source and rule."""
        mine = self.values["party_id"] == self.id_of(number)
        return self.values[mine & (self.values["field"] == field)].iloc[0]

    def invoices(self, number: str) -> list[dict[str, str]]:
        """What finance would send this customer tonight."""
        known_as = f"{self.id_of(number):06d}"
        return [i for i in self.finance["invoices"] if i["customer_number"] == known_as]

    def told_rows(self, number: str) -> list[dict[str, str]]:
        """The rows finance was last told of this customer."""
        return list(self.told.loc[self.told["party_id"] == self.id_of(number), "row"])


class Living:
    """A hub's home beside its running town. deals: it also hears of invoices, orders and visits."""

    def __init__(
        self,
        home: Path,
        town: Town,
        finance: Finance = "sftp",
        *,
        asks_company: bool = False,
        deals: bool = False,
    ) -> None:
        """asks_company: the address-update company is asked too; deals: invoices, orders and visits are heard of.

        Most journeys are about others."""
        self.home = home
        self.town = town
        unheard = set() if deals else set(DEALINGS)
        unheard |= set() if asks_company else {"address_batch"}
        point_at(home, town.addresses, finance, unheard)
        for recipient in ("finance", "own_register", "municipality", "building_control"):
            self.configure(f"recipients/{recipient}.yml", acknowledgement={"wait_seconds": 2})

    # --- the hub ------------------------------------------------------------------------------------

    def configure(self, file: str, **changes: Any) -> None:
        """Change keys of a file in HOME/config; mappings are merged."""
        path = self.home / "config" / file
        path.write_text(
            yaml.safe_dump(_merged(yaml.safe_load(path.read_text("utf-8")), changes)), "utf-8"
        )

    def night(
        self,
        *,
        full: bool = False,
        opener: Callable[[], House] | None = None,
        watch: Callable[[str], None] | None = None,
    ) -> Outcome:
        """Tonight's night, as `hub night` runs it."""
        return run_night(self.home, self.town.today, full=full, opener=opener, watch=watch)

    def next_night(self, *, quiet: bool = False, **options: Any) -> Outcome:
        """A day passes, and its night."""
        self.town.advance(quiet=quiet)
        return self.night(**options)

    @contextmanager
    def opened(self) -> Iterator[House]:
        house = open_house(self.home)
        try:
            yield house
        finally:
            house.close()

    def table(self, schema: Schema) -> pd.DataFrame:
        """A whole table."""
        with self.opened() as house, transaction(house.engine) as conn:
            return frames.read(conn, schema)

    def morning(self, outcome: Outcome | None = None) -> Morning:
        """Everything a test may want to look at, as it stands now."""
        outcome = outcome or Outcome(self.town.today, "not run")
        with self.opened() as house, transaction(house.engine) as conn:
            records = frames.read(conn, PARTY_RECORDS)
            own = records[records["source"] == OWN][["source_key", "party_id"]]
            customers = own.merge(frames.read(conn, GOLDEN), on="party_id")
            held = holdings.held(conn, "finance")
            return Morning(
                outcome=outcome,
                customers=customers.set_index("source_key").sort_index(),
                values=frames.read(conn, PROVENANCE),
                landed=frames.read(conn, LANDED),
                refused=quarantine.open_items(conn),
                held=dict(zip(held["party_id"], held["reason"], strict=True)),
                told=holdings.told_to(conn, "finance"),
                returned=holdings.returned(conn, "own_register"),
                finance=deepcopy(self.town.finance()),
                truth=self.town.truth(),
            )

    def now(self, **options: Any) -> Morning:
        """The morning after a night that is run now."""
        return self.morning(self.night(**options))

    def cursor(self, source: str) -> Mapping[str, Any] | None:
        with self.opened() as house, transaction(house.engine) as conn:
            return nights.cursor_of(conn, source)

    def feed(self, source: str) -> Any:
        """How the last night heard a source."""
        with self.opened() as house, transaction(house.engine) as conn:
            return nights.last_feed(conn, source)

    def addresses_of(self, party_id: int) -> pd.DataFrame:
        """Every standard address behind a customer."""
        records = self.table(PARTY_RECORDS)
        mine = records[records["party_id"] == party_id]
        return self.table(ADDRESSES).merge(mine, on=["source", "source_key"])

    def bytes(self) -> bytes:
        """Every name and byte under HOME."""
        return b"\n".join(
            str(path.relative_to(self.home)).encode() + b"\n" + path.read_bytes()
            for folder, _, files in os.walk(self.home)
            for path in (Path(folder) / name for name in files)
            if path.is_file()
        )

    # --- the town -----------------------------------------------------------------------------------

    def story(self, name: str) -> dict[str, Any]:
        return next(s for s in self.town.stories() if s["story"] == name)

    def numbers(self, story: str) -> list[str]:
        """The own register's numbers of a story's people."""
        found: list[str] = self.story(story)["customer_numbers"]
        return found

    def number(self, story: str) -> str:
        return self.numbers(story)[0]

    def ordinary_payers(self, channel: str = "PAPERI") -> list[str]:
        """Numbers of people DVV knows who pay by that channel, are in no story and under no order."""
        register = self.town._founded.register
        in_stories = {n for story in self.town.stories() for n in story["customer_numbers"]}
        paying = {
            role["ASIAKASNRO"]
            for role in register.roles.values()
            if role["ROOLI"] == "MAKSAJA" and not role["PAATTYEN"]
        }
        entities = list(register.entity_of.values())
        return [
            number
            for number, row in register.customers.items()
            if number in paying - in_stories
            and row["TYYPPI"] == "0"
            and row["LASKUKANAVA"] == channel
            and row["TURVAKIELTO"] in ("", "E")
            and row["KIELI"] == "fi"
            and entities.count(register.entity_of[number]) == 1
            and row["HETU_YTUNNUS"] == self.person(number).identity_code
            and not (self.person(number).is_protected or self.person(number).post_box)
        ]

    def row(self, number: str) -> dict[str, str]:
        """A customer row of the own register."""
        return self.town._founded.register.customers[number]

    def person(self, number: str) -> Person:
        """Who is behind a number."""
        return self.town._founded.world.people[self.town._founded.register.entity_of[number]]

    def write_down(self, number: str, **columns: str) -> None:
        """A clerk changes a customer row today; it is in the next export."""
        stamp = f"{own_register.finnish_date(self.town.today)} 09:00"
        self.town._founded.register.edit(self.row(number), stamp, **columns)

    def announce(self, number: str, *groups: Mapping[str, Any]) -> None:
        """DVV tells of a change of somebody today."""
        self.town._population.announce(self.town.today, self.person(number), map(dict, groups))

    def move(self, number: str) -> str:
        """Somebody moves today and DVV is told; the new street line."""
        self.town._days._moves(self.person(number))
        return self.person(number).home(self.town.today).line()

    def protect(self, number: str) -> None:
        """A protective order is granted and announced today, the way the town does it."""
        self.town._days._gets_protection(self.person(number))

    def export_files(self) -> dict[str, Path]:
        """Tonight's delivery of the own register: table → file."""
        folder = self.town.directory / "own_register" / "vienti"
        stamp = self.town.today.replace("-", "")
        return {p.name.partition("_")[0]: p for p in folder.iterdir() if stamp in p.name}

    def export_again(self) -> None:
        """Tonight's delivery anew, as the register stands now."""
        self.town._export([])

    def inbox(self, where: str = "finance") -> list[Path]:
        """What stands in a recipient's folder, manifests and half-written files included."""
        return sorted((self.town.directory / where / "sisaan").iterdir())

    def sequences(self, where: str = "finance") -> list[int]:
        """The numbers of the deliveries a recipient got, in order."""
        return sorted(
            json.loads(p.read_bytes())["sequence"] for p in self.inbox(where) if p.suffix == ".json"
        )


def _merged(old: Any, new: Any) -> Any:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return new
    return {**old, **{key: _merged(old.get(key), value) for key, value in new.items()}}
