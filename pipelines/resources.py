"""What Dagster hands to assets: the opened hub under its run lock, and an IO manager that stores nothing.

Belongs here: the life of a run's resources. Does not belong here: what a night does (`steps`).
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from pipelines.errors import told
from pipelines.house import House
from pipelines.steps.night import Night


@dataclass(frozen=True)
class Hub:
    """The opened hub for one run, holding the run lock from first asset to last (DESIGN 14).

    busy: another run holds the lock; every asset then ends at once without a materialisation, so that a
    second night is "already running", which is no failure.
    """

    house: House
    night: Night
    busy: bool
    instance: dg.DagsterInstance | None


def hub_of(
    opener: Callable[[], House],
    business_date: str | None = None,
    *,
    full: bool = False,
    wait_seconds: float = 0,
) -> dg.ResourceDefinition:
    """The resource `hub`: opened by `opener` when a run starts, never at import, closed at its end.

    wait_seconds: how long it waits for another run to give the lock back before it is `busy`.
    """

    @contextmanager
    def opened(context: dg.InitResourceContext) -> Iterator[Hub]:
        try:
            house = opener()
        except Exception as error:  # noqa: BLE001 - whatever it is, Dagster would keep its text
            raise without_values(error) from None
        try:
            busy = not house.lock.acquire(wait_seconds)
            if not busy:
                _require_keys(house)
            yield Hub(house, house.night(business_date, full=full), busy, context.instance)
        finally:
            house.close()

    return dg.ResourceDefinition(opened)


def _require_keys(house: House) -> None:
    """Nothing is begun that could not be logged: a hub without the log's keys refuses to start."""
    try:
        _ = house.log_keys
    except Exception as error:  # noqa: BLE001 - whatever it is, Dagster would keep its text
        house.failures.append(("opening the hub", told(error)))
        raise without_values(error) from None


def without_values(error: Exception) -> dg.Failure:
    """What Dagster may know of an error: one line without a person, since it keeps every word for ever.

    Its own masking is not enough: it needs a variable to be set, and repeats the whole to stderr. Whoever asks
    for the whole (HUB_TRACEBACK) reads it where this process writes, and nowhere else.
    """
    if "HUB_TRACEBACK" in os.environ:
        traceback.print_exception(error, file=sys.stderr)
    return dg.Failure(told(error))


class NoFrames(dg.IOManager):
    """Refuses every value an asset returns: what Dagster stores, it stores for ever and in clear."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        if obj is not None:
            raise dg.DagsterInvariantViolationError(
                "assets of the hub return MaterializeResult only: no data may enter Dagster"
            )

    def load_input(self, context: dg.InputContext) -> object:
        raise dg.DagsterInvariantViolationError(
            "assets of the hub read from the store, not Dagster"
        )
