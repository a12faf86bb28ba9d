"""A town's Netvisor in this process, and a hub's configuration that tells it.

Belongs here: the server and its books, the contract with the door to it. Does not belong here: deliveries, and what
becomes of them (the tests).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from connectors.sandbox.faults import Faults
from connectors.sandbox.netvisor import Netvisor as Books
from connectors.sandbox.scene import Scene
from connectors.sandbox.servers import HttpServer
from pipelines.settings import read_yaml, shipped

DAY = "2026-11-02"


@dataclass
class _Today:
    today: str = DAY
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass
class Town:
    """Netvisor's books, what goes wrong there, and the options by which the hub is let in."""

    books: Books
    faults: Faults
    door: dict[str, Any]

    def opens(self, folder: Path) -> None:
        """The books of another folder, behind the same door."""
        self.faults.clear()
        self.books = Books(cast(Scene, _Today()), self.faults, "kept-secret", folder)
        self.books.address(self.door["base_url"])

    @property
    def told(self) -> list[str]:
        """The customer number of each telling that was carried out, in order."""
        return [number for _, number in self.books.tellings]


@contextmanager
def town(folder: Path, **options: Any) -> Iterator[Town]:
    """A Netvisor that keeps its books in a folder; options: of the hub's transport, beside the door."""
    faults = Faults("netvisor")
    books = Books(cast(Scene, _Today()), faults, "kept-secret", folder)
    server = HttpServer(
        "netvisor", lambda *call: here.books.respond(*call), faults, takes_json=False
    )
    here = Town(books, faults, books.address(server.url) | options)
    yield here
    server.close()


def configure(home: Path, door: dict[str, Any]) -> None:
    """Write the contract that tells finance in Netvisor, live, into a hub's home."""
    options = dict(door)
    for name in ("customer_secret", "partner_secret"):
        (home / name).write_text(options[name], "utf-8")
        options[name] = {"file": name}
    contract: dict[str, Any] = dict(read_yaml(shipped("alternatives/finance-netvisor.yml")))
    contract["transport"] = {**contract["transport"], **options}
    contract["mode"] = "live"
    place = home / "config" / "recipients" / "finance.yml"
    place.parent.mkdir(parents=True)
    place.write_text(yaml.safe_dump(contract), "utf-8")
