"""A first night that breaks off at every step with an error whose text is somebody, and then goes well.

Belongs here: where the night is made to fail, and with what. Does not belong here: looking for what leaked
(`test_canaries`). A program of its own: `python -m tests.leaks.failing_nights HOME DATE` prints a JSON
line for each time the night was run, every other one without Dagster's own masking of errors.
"""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import NoReturn

from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from connectors.base import (
    Acknowledgement,
    Ask,
    Batch,
    Correspondent,
    Receipt,
    Recipient,
    Source,
)
from pipelines.house import House, open_house
from tests.canaries import FORBIDDEN

# what the night is to trip over; with every entry the register gets a step further
NIGHTS: tuple[tuple[str, ...], ...] = (
    ("opening",),
    (
        "source:dvv",
        "source:ryhti",
        "source:kuntagml",
        "source:exemptions",
        "source:finance_status",
        "source:orders",
        "load_postal:uncommitted",
        "refused row",
    ),
    tuple(
        f"ingest:{s}:uncommitted"
        for s in (
            "dvv",
            "registrations",
            "municipality",
            "ryhti",
            "kuntagml",
            "exemptions",
            "address_batch",
            "finance_status",
            "orders",
            "subcontractor",
        )
    ),
    ("standardise:uncommitted",),
    ("match:uncommitted",),
    ("consolidate:uncommitted",),
    (
        "render:finance",
        "extract:own_register:uncommitted",
        "render:municipality",
        "render:building_control",
        "propose:uncommitted",
        "ask:address_batch:uncommitted",
    ),
    (
        "deliver:finance:sending",
        "publish:own_register",
        "deliver:municipality:sending",
        "publish:building_control",
        "send:address_batch",
    ),
    (
        "deliver:finance:published",
        "acknowledgement:own_register",
        "acknowledgement:municipality",
        "acknowledgement:building_control",
        "ask:address_batch:published",
    ),
    ("reconcile",),
    ("close:written",),
)
_WORDS = " ".join(FORBIDDEN)
_PROOF = (
    "LEFT OUTER JOIN (SELECT disclosure_leaf"  # of sent equals logged, asked first by reconcile
)


def _key_error() -> NoReturn:
    raise KeyError(_WORDS)


def _integrity_error() -> NoReturn:
    detail = f"DETAIL: Key (display_name)=({_WORDS}) already exists."
    raise IntegrityError("INSERT INTO party VALUES (:n)", {"n": _WORDS}, ValueError(detail))


def _unicode_error() -> NoReturn:
    raise UnicodeEncodeError("latin-1", _WORDS, 0, 1, _WORDS)


def _chained_error() -> NoReturn:
    try:
        _key_error()
    except KeyError as cause:
        raise RuntimeError(f"could not read {_WORDS}") from cause


def _group_of_errors() -> NoReturn:
    raise ExceptionGroup(_WORDS, [ValueError(_WORDS)])


_ERRORS: Sequence[Callable[[], NoReturn]] = (
    _key_error,
    _integrity_error,
    _unicode_error,
    _chained_error,
    _group_of_errors,
)


class Saboteur:
    """Opens the hub so that it breaks off at the armed places, each place once."""

    def __init__(self, home: Path, armed: Sequence[str] = ()) -> None:
        self.home = home
        self.armed = set(armed)
        self.struck: list[str] = []
        self._openings = 0
        self._errors = cycle(_ERRORS)

    def arm(self, places: Sequence[str]) -> None:
        self.armed, self.struck, self._openings = set(places), [], 0

    def reach(self, place: str) -> None:
        if place in self.armed:
            self.armed.remove(place)
            self.struck.append(place)
            next(self._errors)()

    def open(self) -> House:
        """The hub; of the openings of a night, the second is that of the Dagster run."""
        self._openings += 1
        if self._openings == 2:
            self.reach("opening")
        house = open_house(self.home, os.environ, reached=self.reach)
        names = house.settings
        house.sources = {n: _Source(n, house.source(n), self) for n in names.sources}
        house.recipients = {n: _Recipient(n, house.recipient(n), self) for n in names.recipients}

        @event.listens_for(house.engine, "before_cursor_execute")
        def asks(_c: object, _k: object, statement: str, *_: object) -> None:
            if _PROOF in statement:
                self.reach("reconcile")

        if "refused row" in self.armed:
            self._refuse_rows(house)
        return house

    def _refuse_rows(self, house: House) -> None:
        """For the length of one run the database quotes somebody whenever it is given a record."""
        with house.engine.begin() as conn:
            conn.exec_driver_sql("DROP TRIGGER IF EXISTS refuse")
            if self._openings == 2:
                self.struck.append("refused row")
                conn.exec_driver_sql(
                    "CREATE TRIGGER refuse BEFORE INSERT ON landing_record "
                    f"BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END"
                )


@dataclasses.dataclass
class _Source:
    name: str
    real: Source
    saboteur: Saboteur

    def fetch(self, ask: Ask) -> Batch:
        self.saboteur.reach(f"source:{self.name}")
        return self.real.fetch(ask)

    def check(self) -> str:
        return self.real.check()

    # of a source that is asked in files
    def fits(self, row: Mapping[str, str]) -> bool:
        return self._asked_in_files.fits(row)

    def render(self, rows: Sequence[Mapping[str, str]]) -> bytes:
        return self._asked_in_files.render(rows)

    def send(
        self, question: str, payload: bytes, people: int, about_to: Callable[[], None]
    ) -> None:
        self.saboteur.reach(f"send:{self.name}")
        self._asked_in_files.send(question, payload, people, about_to)

    def was_taken(self, question: str) -> bool:
        return self._asked_in_files.was_taken(question)

    @property
    def _asked_in_files(self) -> Correspondent:
        assert isinstance(self.real, Correspondent)
        return self.real


@dataclasses.dataclass
class _Recipient:
    name: str
    real: Recipient
    saboteur: Saboteur

    def render(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
        self.saboteur.reach(f"render:{self.name}")
        return self.real.render(columns, rows)

    def parse(self, payload: bytes) -> list[dict[str, str]]:
        return self.real.parse(payload)

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        self.saboteur.reach(f"publish:{self.name}")
        return self.real.publish(delivery_id, sequence, payload, rows)

    def look(self, delivery_id: str, sequence: int) -> Receipt | None:
        return self.real.look(delivery_id, sequence)

    def acknowledgement(self, delivery_id: str, sequence: int) -> Acknowledgement | None:
        self.saboteur.reach(f"acknowledgement:{self.name}")
        return self.real.acknowledgement(delivery_id, sequence)

    def check(self) -> str:
        return self.real.check()


def main(home: Path, date: str) -> None:
    """Every way to fail in turn, then none."""
    from pipelines.cli.operate import dagster_home
    from pipelines.nightly import run_night

    dagster_home(home)
    saboteur = Saboteur(home)
    for number, places in enumerate((*NIGHTS, ())):
        saboteur.arm(places)
        os.environ["DAGSTER_REDACT_USER_CODE_ERRORS"] = str(number % 2)
        outcome = run_night(home, date, opener=saboteur.open)
        told = {"armed": places, "struck": saboteur.struck, "status": outcome.status}
        print(json.dumps(told | {"failures": outcome.failures, "letter": outcome.letter}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
