"""What every counterparty of the town shares, and what the town asks of one that answers over HTTP.

Belongs here: the world they all look at, and the lock under which it changes. Does not belong here: any
counterparty.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from connectors.sandbox.dvv import PopulationRegister
from connectors.sandbox.faults import Faults
from connectors.sandbox.founding import Founded
from connectors.sandbox.servers import Answer


@dataclass(frozen=True)
class Scene:
    """The town as its registers see it. lock: held while the world changes or is read."""

    town: Founded
    population: PopulationRegister
    lock: threading.RLock

    @property
    def today(self) -> str:
        """The date of the coming night, ISO."""
        return self.town.world.today

    def chance(self, register: str) -> Random:
        """A register's own generator for today: what one register draws changes nothing in another."""
        return Random(f"{self.town.world.seed}/{register}/{self.today}")


class Register(Protocol):
    """A register of the town that answers over HTTP."""

    def address(self, url: str) -> dict[str, Any]:
        """Where it is and how it lets the hub in, as `addresses.json` tells it."""
        ...

    def pass_day(self, quiet: bool) -> None:
        """Live through the day that ended as `Scene.today` began; on a quiet one nothing happens."""
        ...

    def respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """One answer; takes the scene's lock itself."""
        ...


Founder = Callable[[Scene, Faults, str], Register]
"""Makes a register of a scene, its faults and the password it asks for."""
