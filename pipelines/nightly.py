"""The nightly job run in this process, for `hub night`: what the schedule runs, with an answer.

Belongs here: starting the Dagster run and reading its outcome. Does not belong here: what it does.
"""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.errors import told
from pipelines.house import House, open_house
from pipelines.steps.close import close
from pipelines.store import nights
from pipelines.store.engine import StoreError, transaction
from pipelines.texts import Texts

CLOSED = "close:written"


@dataclass(frozen=True)
class StepCounts:
    """One finished step and what it counted."""

    name: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """How a night went. already_running: who holds the lock, when nothing was done for that reason."""

    business_date: str
    status: str
    letter: str = ""
    letter_file: Path | None = None
    steps: tuple[StepCounts, ...] = ()
    already_running: str | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    failures: tuple[tuple[str, str], ...] = ()


def run_night(
    home: Path,
    business_date: str | None = None,
    *,
    full: bool = False,
    watch: Callable[[str], None] | None = None,
    opener: Callable[[], House] | None = None,
) -> Outcome:
    """Run the nightly job of the hub in `home` once; raises what makes a night impossible to start.

    watch: told each boundary the night passes. opener: opens the hub; tests pass one of their own.
    """
    started = time.perf_counter()
    timing: dict[str, float] = {}
    began: dict[str, float] = {}
    written: set[str] = set()

    def reached(place: str) -> None:
        step, _, moment = place.rpartition(":")
        if moment == "begin":
            began[step] = time.perf_counter()
        elif moment == "committed" and step in began:
            timing[step] = time.perf_counter() - began[step]
        written.update({place} & {CLOSED})
        if watch is not None:
            watch(place)

    house = opener() if opener else open_house(home)
    date = business_date or house.today()
    held = not house.lock.acquire()
    holder = house.lock.holder() if held else None
    settings = house.settings
    house.close()
    if holder is not None:
        return Outcome(date, "ok", already_running=holder)

    failures: list[tuple[str, str]] = []
    got_in_between: list[str] = []

    def opened() -> House:
        try:
            ours = opener() if opener else open_house(home)
        except Exception as error:
            failures.append(("opening the hub", told(error)))
            raise
        inner = ours.reached

        def both(place: str) -> None:
            reached(place)
            inner(place)

        ours.reached = both
        ours.failures = failures
        got_in_between.append(ours.lock.holder())
        return ours

    timing["opening"] = time.perf_counter() - started
    before = time.perf_counter()
    import dagster as dg

    from pipelines.build import NIGHTLY, build_defs, night_tag

    timing["importing Dagster"] = time.perf_counter() - before
    _keep_errors_out_of_logs()
    before = time.perf_counter()
    job = build_defs(home, settings, opener=opened, business_date=date, full=full).resolve_job_def(
        NIGHTLY
    )
    with (
        dg.DagsterInstance.get()
        if "DAGSTER_HOME" in os.environ
        else dg.DagsterInstance.ephemeral() as instance
    ):
        timing["definitions and instance"] = time.perf_counter() - before
        before = time.perf_counter()
        result = job.execute_in_process(
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            instance=instance,
            tags=night_tag(Texts(settings.hub.language), date),
            raise_on_error="HUB_TRACEBACK" in os.environ,
        )
        timing["run altogether"] = time.perf_counter() - before
    if result.success and not any(event.is_step_materialization for event in result.all_events):
        return Outcome(date, "ok", already_running=got_in_between[-1] or "another run")
    if not written:
        _close_what_broke_off(home, date, opener, failures)
    outcome = _outcome(home, date, timing, opener, succeeded=result.success)
    return replace(outcome, failures=tuple(failures))


def _keep_errors_out_of_logs() -> None:
    """Dagster repeats a redacted error in full to this logger; it goes nowhere."""
    redacted = logging.getLogger("dagster.redacted_errors")
    redacted.handlers = [logging.NullHandler()]
    redacted.propagate = False


def _close_what_broke_off(
    home: Path,
    date: str,
    opener: Callable[[], House] | None,
    failures: list[tuple[str, str]],
) -> None:
    """A night that broke off before its last asset still writes its letter: nobody must miss it."""
    house = opener() if opener else open_house(home)
    try:
        if house.lock.acquire():
            texts = Texts(house.settings.hub.language)
            close(house.night(date), home, texts, failures or [("nightly", "?")])
    except (StoreError, OSError) as error:  # what broke off the night (a full disk) is still there
        failures.append(("night/close", told(error)))
    finally:
        house.close()


def _outcome(
    home: Path,
    date: str,
    timing: Mapping[str, float],
    opener: Callable[[], House] | None,
    *,
    succeeded: bool,
) -> Outcome:
    house = opener() if opener else open_house(home)
    with transaction(house.engine) as conn:
        last = nights.last_night(conn)
        counts = nights.counts_of(conn, date)
    house.close()
    letter_file = home / "letters" / f"{date}.txt"
    closed = last is not None and last.business_date == date
    status = last.status if closed and last is not None else "failed"
    return Outcome(
        date,
        status if succeeded or status == "failed" else "failed",
        letter_file.read_text(encoding="utf-8") if closed and letter_file.is_file() else "",
        letter_file,
        tuple(StepCounts(name, c) for name, c in counts.items()),
        timing=timing,
    )
