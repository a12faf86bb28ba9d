"""What the steps of one night share, and what each of them hands back.

Belongs here: the night's date and clock, one step's transaction, the shape of a result. Does not belong
here: anything a particular step does.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine

from pipelines.keys import KeyMissing
from pipelines.settings import Settings
from pipelines.store import nights
from pipelines.store.engine import transaction
from pipelines.store.vault import Vault

HELSINKI = ZoneInfo("Europe/Helsinki")

Status = Literal["ok", "attention", "failed"]


def instant(moment: datetime) -> str:
    """An aware moment as the house writes it: UTC, whole seconds, Z."""
    return moment.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")


def nothing_happens(place: str) -> None:
    """The everyday answer to reaching a boundary; crash tests put a SIGKILL here instead."""


@dataclass(frozen=True)
class LogKeys:
    """What writing the disclosure log needs: the vault of its details, and its name and signing key."""

    vault: Vault
    name: str
    signing: Ed25519PrivateKey = field(repr=False)


def no_keys() -> LogKeys:
    """The keys of a night that tells nobody anything."""
    raise KeyMissing("nothing can be logged without the log's keys")


@dataclass(frozen=True)
class Night:
    """One business date over one register.

    clock: the present moment, aware. reached: called with the name of each boundary a process may die at.
    full: every step works on everything instead of what changed (DESIGN 5). log_keys: raises KeysError
    when the disclosure log can't be written.
    """

    engine: Engine
    settings: Settings
    business_date: str
    clock: Callable[[], datetime]
    full: bool = False
    reached: Callable[[str], None] = nothing_happens
    log_keys: Callable[[], LogKeys] = no_keys

    @property
    def vault(self) -> Vault:
        """What the log holds of persons is read and written through it.

        The first time, this is a transaction of its own: ask before beginning another.
        """
        return self.log_keys().vault

    def now(self) -> str:
        """The present instant, for logs and records of what we did."""
        return instant(self.clock())

    @property
    def as_of(self) -> str:
        """01:30 of the business date: the instant the night speaks of, whenever it is run."""
        day = datetime.strptime(self.business_date, "%Y-%m-%d").date()  # noqa: DTZ007 - zone follows
        return instant(datetime.combine(day, time(1, 30), HELSINKI))


@dataclass(frozen=True)
class Check:
    """One question the night answers with yes or no, and counts; shown as a Dagster asset check."""

    name: str
    passed: bool
    severity: Literal["warning", "critical"] = "critical"
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class StepResult:
    """What a step did. Counts and opaque ids only: this is the wall between people and Dagster.

    status: attention when a steward should look, failed when the night must end red.
    text: what a steward may read at length: the letter, or a counterparty's own line on what went wrong
    (`connectors.base`: hosts, files, rules, counts).
    """

    status: Status = "ok"
    counts: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    text: str = ""


class StepRun:
    """One execution of a step inside its transaction.

    id: stamps every row the step writes. since: the last stamp this step has already worked through, 0
    on a full night. counts: filled by the step, kept with the execution.
    """

    def __init__(self, conn: Connection, run: int, since: int, previous_date: str | None) -> None:
        self.conn = conn
        self.id = run
        self.since = since
        self.previous_date = previous_date
        self.counts: dict[str, int] = {}


@contextmanager
def executing(night: Night, step: str) -> Iterator[StepRun]:
    """One transaction of `step`: everything it writes and what it worked through, or nothing."""
    night.reached(f"{step}:begin")
    with transaction(night.engine) as conn:
        yield from _running(night, step, conn)
        night.reached(f"{step}:uncommitted")
    night.reached(f"{step}:committed")


@contextmanager
def rehearsing(night: Night, step: str) -> Iterator[StepRun]:
    """The same transaction undone at its end: what the step would do, with nothing done."""
    try:
        with transaction(night.engine) as conn:
            yield from _running(night, step, conn)
            raise _Undo
    except _Undo:
        return


class _Undo(Exception):
    """Ends a rehearsal; never seen outside."""


def _running(night: Night, step: str, conn: Connection) -> Iterator[StepRun]:
    seen = nights.latest_step_run(conn)
    since = 0 if night.full else nights.last_consumed(conn, step)
    previous = None if night.full else nights.last_good_date(conn, step)
    run = StepRun(
        conn, nights.begin_step(conn, step, night.business_date, night.now()), since, previous
    )
    yield run
    nights.finish_step(conn, run.id, seen, run.counts, night.now())
