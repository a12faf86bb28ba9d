"""The job `address_refresh` run over a hub whose registers tell of canaries, break off, or find nobody.

Belongs here: the registers that stand in, and a program that runs the job as Dagster would, in a process of
its own. Does not belong here: looking for what it left (`test_canaries`).
"""

import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from connectors.base import Ask, Batch, Borrowed, Fault, Opening, Record
from pipelines.build import build_defs
from pipelines.cli.operate import dagster_home
from pipelines.domain.schemas import LANDED, PARTY_RECORDS
from pipelines.house import House, open_house
from pipelines.jobs import ADDRESS_REFRESH
from pipelines.steps.look import party_of
from pipelines.store import frames
from pipelines.store.engine import transaction

LINE = "Orsikuja 99 Lintuhaakinpolku"


@dataclass
class Export:
    """The own register's export as a lender; nobody needs a code of it here."""

    number: str

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        return Borrowed(people={self.number: ""})

    def fetch(self, ask: Ask) -> Batch:
        raise AssertionError("a refresh asks the own register for nothing")

    def check(self) -> str:
        return "here"


@dataclass
class Dvv:
    """Says of one person that they lived somewhere else and have died, beside what nobody can read."""

    opening: Opening
    key: str
    content: dict[str, Any]
    breaks_off: bool

    def fetch(self, ask: Ask) -> Batch:
        assert self.opening.lender.borrow().people
        ask.announce("perustiedot", [self.key])
        if self.breaks_off:
            raise KeyError(f"Vartiotar Kanariitta, {LINE}, {self.key}")
        fault = Fault("party", self.key, "unreadable_base_data", "there is no list", self.content)
        return Batch([Record("party", self.key, None, self.content)], {}, 1, 1, [fault])

    def check(self) -> str:
        return "here"


def opened(home: Path, number: str, *, breaks_off: bool) -> House:
    """The hub, whose population register is a `Dvv`."""
    house = open_house(home)
    with transaction(house.engine) as conn:
        party = party_of(conn, number)
        records = frames.read(conn, PARTY_RECORDS)
        mine = records[(records["party_id"] == party) & (records["source"] == "dvv")]
        (key,) = mine["source_key"]
        landed = frames.read(conn, LANDED)
        (content,) = landed.loc[landed["source_key"] == key, "content"]
    homes = [a | {"line": LINE} for a in content["addresses"]]
    moved = content | {"addresses": homes, "is_deceased": True, "death_date": "2026-11-03"}
    house.sources = {
        "registrations": Export(number),
        "dvv": lambda opening: Dvv(opening, key, moved, breaks_off),
    }
    return house


def main(home: Path, number: str, date: str, requests: list[int]) -> None:
    """The job for each request, then for one that broke off, and for one nobody made."""
    dagster_home(home)
    for request_no, breaks_off in [*((r, r == requests[0]) for r in requests), (999, False)]:
        house = opened(home, number, breaks_off=breaks_off)
        settings = house.settings
        defs = build_defs(home, settings, opener=lambda h=house: h, business_date=date)  # type: ignore[misc]
        with dg.DagsterInstance.get() as instance:
            result = defs.resolve_job_def(ADDRESS_REFRESH).execute_in_process(
                run_config={"ops": {"refresh": {"config": {"request_no": request_no}}}},
                instance=instance,
                raise_on_error=False,
            )
        shown = [
            list(e.step_output_data.metadata)
            for e in result.all_events
            if e.event_type_value == "STEP_OUTPUT"
        ]
        print(json.dumps({"request": request_no, "success": result.success, "shown": shown}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], [int(n) for n in sys.argv[4:]])
