"""What Dagster hands to assets: the opened hub under its run lock, and an IO manager that stores nothing.

Belongs here: the life of a run's resources. Does not belong here: what a night does (`steps`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from pipelines.house import House
from pipelines.steps.night import Night


class Hub(dg.ConfigurableResource):  # type: ignore[type-arg]  # it is its own value
    """The opened hub for one run, holding the run lock from first asset to last (DESIGN 14).

    busy: another run holds the lock; every asset then ends at once without a materialisation, so that a
    second night is "already running", which is no failure.
    """

    business_date: str | None = None
    full: bool = False

    _open: Callable[[], House] = PrivateAttr()
    _house: House | None = PrivateAttr(default=None)
    _busy: bool = PrivateAttr(default=False)

    @classmethod
    def opened_by(cls, opener: Callable[[], House], **settings: Any) -> "Hub":
        """A hub that calls `opener` when a run starts, never at import."""
        hub = cls(**settings)
        hub._open = opener
        return hub

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Hub"]:
        house = self._open()
        self._busy = not house.lock.acquire()
        self._house = house
        try:
            yield self
        finally:
            self._house = None
            house.close()

    @property
    def busy(self) -> bool:
        return self._busy

    @property
    def house(self) -> House:
        if self._house is None:
            raise RuntimeError("the hub is open only while a run goes on")
        return self._house

    @property
    def night(self) -> Night:
        return self.house.night(self.business_date, full=self.full)


class NoFrames(dg.IOManager):
    """Refuses every value an asset returns: what Dagster stores, it stores for ever and in clear."""

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        if obj is not None:
            raise dg.DagsterInvariantViolationError(
                "assets of the hub return MaterializeResult only: no data may enter Dagster"
            )

    def load_input(self, context: dg.InputContext) -> object:
        raise dg.DagsterInvariantViolationError("assets of the hub read from the store, not Dagster")
