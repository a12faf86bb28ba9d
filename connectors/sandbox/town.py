"""The town in a box: every counterparty as a real server on loopback, with a clock and a memory.

Belongs here: starting and stopping the servers, the calendar, taking deliveries in, what the controls do,
and the folder everything is kept in. Does not belong here: how any counterparty answers. The folder holds
`addresses.json` (where to find whom, with which password and host key), `state.json` (what was done, in
order; a restarted town lives through it again), and a folder for each who exchanges files (`exchange`).
"""

import json
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connectors.sandbox import faults as fault_catalogue
from connectors.sandbox import finance, sftp, truth
from connectors.sandbox.address_batch import AddressCompany
from connectors.sandbox.dealings import Bookkeepers, Contractor, OrderDesk
from connectors.sandbox.dvv import PopulationRegister
from connectors.sandbox.dvv_api import DvvApi
from connectors.sandbox.events import Days
from connectors.sandbox.exchange import (
    CustomerService,
    Folders,
    Office,
    write_private,
)
from connectors.sandbox.faults import Faults
from connectors.sandbox.founding import found
from connectors.sandbox.inspectors import BuildingControl
from connectors.sandbox.kuntagml import ExemptionRegister, PermitSystem
from connectors.sandbox.municipality import Municipality
from connectors.sandbox.netvisor import Netvisor
from connectors.sandbox.postal import Post
from connectors.sandbox.ryhti import BuildingRegister
from connectors.sandbox.scene import Founder, Register, Scene
from connectors.sandbox.servers import Answer, HttpServer
from connectors.sandbox.ytj import CompanyRegister

FIRST_DAY = "2026-11-02"
# who answers over HTTP; each lives in a module of its own
_REGISTERS: Mapping[str, Founder] = {
    "dvv": DvvApi,
    "ryhti": BuildingRegister,  # before whoever looks at its buildings
    "kuntagml": PermitSystem,
    "exemptions": ExemptionRegister,
    "ytj": CompanyRegister,
}


def start(
    directory: Path, customers: int = 2000, seed: int = 1, first_day: str = FIRST_DAY
) -> "Town":
    """Start the town kept in a folder, or continue it there; use as a context manager.

    Raises ValueError when the folder holds another town.
    """
    return Town(directory, customers, seed, first_day)


class Town:
    """A running town. `addresses` says where everybody is; nothing is left running after `close()`."""

    def __init__(self, directory: Path, customers: int, seed: int, first_day: str) -> None:
        self.directory = directory
        self._lock = threading.RLock()
        self._stop_asked = threading.Event()
        self._founding = {"customers": customers, "seed": seed, "first_day": first_day}
        self._state = self._load_state()
        self._founded = found(seed, customers, first_day)
        self._population = PopulationRegister(self._founded.world, first_day)
        self._days = Days(self._founded, self._population)
        self._ledger = finance.Ledger()
        self._faults = {where: Faults(where) for where in fault_catalogue.CATALOGUE}
        scene = Scene(self._founded, self._population, self._lock)
        self._registers: dict[str, Register] = {
            name: founder(scene, self._faults[name], self._state["passwords"][name])
            for name, founder in _REGISTERS.items()
        }
        self._netvisor = Netvisor(
            scene,
            self._faults["netvisor"],
            self._state["passwords"]["netvisor"],
            directory / "netvisor",
        )
        self._municipality = Municipality(scene)
        self._inspectors = BuildingControl()
        self._address_company = AddressCompany(scene)
        self._bookkeepers = Bookkeepers(scene, self._ledger)
        self._order_desk, self._contractor = OrderDesk(scene), Contractor(scene)
        self._offices: dict[str, Office] = {
            "own_register": CustomerService(scene),
            "finance": self._bookkeepers,
            "municipality": self._municipality,
            "building_control": self._inspectors,
            "postal": Post(),
            "address_batch": self._address_company,
            "order_desk": self._order_desk,
            "contractor": self._contractor,
        }
        self._folders = {
            where: Folders(directory / where, office) for where, office in self._offices.items()
        }
        self._replay()
        self._export([])
        self._open_doors()

    # --- what tests, the demo and the controls use --------------------------------------------------

    @property
    def today(self) -> str:
        """The date of the coming night, ISO."""
        return self._founded.world.today

    def advance(self, days: int = 1, quiet: bool = False) -> str:
        """Let days pass, with everybody's drop each time; the new date. Quiet: nothing happens."""
        with self._lock:
            for _ in range(days):
                self._record({"day": "quiet" if quiet else "eventful"})
                self._pass_day(quiet)
                for where, faults in self._faults.items():
                    kinds = [k for k in fault_catalogue.DROP_FAULTS if faults.strikes(k)]
                    self._export(kinds, where)
            self._write_addresses()
            return self.today

    def _pass_day(self, quiet: bool) -> None:
        self._days.pass_one(quiet)
        for register in self._registers.values():
            register.pass_day(quiet)
        for office in self._offices.values():
            office.pass_day(quiet)

    def fault(self, where: str, kind: str, times: int = 1) -> None:
        """Arm a fault of somebody in `faults.CATALOGUE`; 0 times withdraws it.

        Raises ValueError for a fault that does not exist.
        """
        if where not in self._faults:
            raise ValueError(f"nobody is called {where}; there are {', '.join(self._faults)}")
        self._faults[where].arm(kind, times)
        if kind == "wrong_host_key":
            self._sftp.show_key(self._accounts[where], another=times > 0)
        with self._lock:
            if kind in fault_catalogue.DROP_FAULTS:
                self._export(self._faults[where].armed(*fault_catalogue.DROP_FAULTS), where)
            if kind == "lost_acknowledgement" and not times:
                self._folders[where].release()

    def clear_faults(self) -> None:
        """Everybody behaves again: hanging answers end, withheld acknowledgements come."""
        for where, faults in self._faults.items():
            wrong_key = where in self._accounts and faults.armed("wrong_host_key")
            faults.clear()
            if wrong_key:
                self._sftp.show_key(self._accounts[where], another=False)
        with self._lock:
            for folders in self._folders.values():
                folders.release()
            self._export([])

    def truth(self) -> dict[str, Any]:
        """What is really so (`truth.tell`)."""
        with self._lock:
            return truth.tell(self._founded, self._population, self._municipality)

    def stories(self) -> list[dict[str, Any]]:
        """The cases to follow, each with its customer numbers, canary and the night it shows from.

        The canary's `name_now` and `street_line_now` say how it stands today.
        """
        with self._lock:
            return [
                {
                    "story": story.story,
                    "customer_numbers": list(story.customer_numbers),
                    "canary": story.canary | self._now(story.people[:1]),
                    "from_night": story.from_night,
                }
                for story in self._founded.stories.values()
            ]

    def _now(self, people: tuple[str, ...]) -> dict[str, str]:
        if not people:
            return {}
        person = self._founded.world.people[people[0]]
        return {"name_now": person.name, "street_line_now": person.home(self.today).line()}

    def invoices(self) -> dict[finance.Key, dict[str, str]]:
        """What finance would send tonight: (customer_number, point_ref) → name and to."""
        with self._lock:
            return self._ledger.invoices()

    def finance(self) -> dict[str, Any]:
        """The finance outsourcer's books as JSON."""
        with self._lock:
            ledger = self._ledger
            return {
                "deliveries": ledger.seen,
                "accepted": ledger.accepted,
                "rejected": ledger.rejected,
                "ledger": list(ledger.open.values()),
                "ended": list(ledger.ended.values()),
                "redirects": ledger.redirects,
                "book": list(self._bookkeepers.invoices.values()),
                "invoices": [
                    {"customer_number": number, "point_ref": point} | invoice
                    for (number, point), invoice in ledger.invoices().items()
                ],
            }

    def connections(self) -> dict[str, dict[str, str]]:
        """Building control's book: point_ref → the last row it was told."""
        with self._lock:
            return dict(self._inspectors.connections)

    def netvisor(self) -> dict[str, Any]:
        """Netvisor's books as JSON: who is billed, how many it knows, every telling in order."""
        with self._lock:
            return {
                "ledger": self._netvisor.ledger(),
                "customers": len(self._netvisor.customers),
                "tellings": [list(telling) for telling in self._netvisor.tellings],
            }

    def status(self) -> dict[str, Any]:
        """Date, sizes, armed faults."""
        with self._lock:
            register = self._founded.register
            return {
                "today": self.today,
                "inhabitants": len(self._founded.world.inhabitants),
                "customer_rows": len(register.customers),
                "points": len(register.points),
                "roles": len(register.roles),
                "faults": {where: f.armed() for where, f in self._faults.items()},
            }

    def wait(self) -> None:
        """Until somebody asks the town to stop."""
        self._stop_asked.wait()

    def ask_to_stop(self) -> None:
        """End `wait()`; safe in a signal handler."""
        self._stop_asked.set()

    def close(self) -> None:
        """Stop every server and thread; closing twice is harmless."""
        self._stop_asked.set()
        self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- memory -------------------------------------------------------------------------------------

    def _load_state(self) -> dict[str, Any]:
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / "state.json"
        if not path.exists():
            passwords = {who: secrets.token_urlsafe(12) for who in fault_catalogue.CATALOGUE}
            return {"founding": self._founding, "passwords": passwords, "done": []}
        state: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if state["founding"] != self._founding:
            raise ValueError(f"{self.directory} holds another town: {state['founding']}")
        return state

    def _record(self, deed: dict[str, str | bool]) -> None:
        self._state["done"].append(deed)
        write_private(self.directory / "state.json", json.dumps(self._state).encode())

    def _replay(self) -> None:
        """Live through everything again; deliveries that nobody has answered are answered now."""
        for deed in self._state["done"]:
            if "day" in deed:
                self._pass_day(deed["day"] == "quiet")
            else:
                self._take_in(deed)
        write_private(self.directory / "state.json", json.dumps(self._state).encode())
        known = {(d["where"], d["manifest"]) for d in self._state["done"] if "where" in d}
        for where, folders in self._folders.items():
            for manifest in folders.manifests():
                if (where, manifest) not in known:
                    self._published(where, manifest)

    # --- deliveries and exports -----------------------------------------------------------------------

    def _published(self, where: str, manifest: str) -> None:
        """A manifest has appeared in a counterparty's `sisaan/`."""
        with self._lock:
            faults = self._faults[where]
            deed: dict[str, str | bool] = {
                "where": where,
                "manifest": manifest,
                "refuse_first": faults.strikes("rejecting"),
                "stubborn": faults.strikes("stubborn"),
            }
            self._record(deed)
            self._take_in(deed, withhold=faults.strikes("lost_acknowledgement"))

    def _take_in(self, deed: dict[str, Any], withhold: bool = False) -> None:
        self._folders[deed["where"]].take_in(deed, self.today, withhold)

    def _export(self, spoiled_by: list[str], *whose: str) -> None:
        """Put tonight's drops in place: of those named, or of everybody."""
        for where in set(whose or self._folders) & self._folders.keys():
            self._folders[where].export(self.today, spoiled_by)

    # --- servers --------------------------------------------------------------------------------------

    def _open_doors(self) -> None:
        self._opened = ExitStack()
        try:
            passwords = self._state["passwords"]
            self._accounts = {
                where: sftp.Account(
                    username="hub",
                    password=passwords[where],
                    folder=self.directory / where,
                    faults=self._faults[where],
                    published=self._hears(where),
                    host_key=sftp.host_key(self.directory / f"{where}_host_key"),
                )
                for where in self._offices
            }
            self._sftp = sftp.SftpServers(list(self._accounts.values()))
            self._opened.callback(self._sftp.close)
            self._servers = {
                name: HttpServer(f"sandbox-{name}", register.respond, self._faults[name])
                for name, register in self._registers.items()
            }
            self._servers["netvisor"] = HttpServer(
                "sandbox-netvisor",
                self._netvisor.respond,
                self._faults["netvisor"],
                takes_json=False,
            )
            for server in self._servers.values():
                self._opened.callback(server.close)
            self._control = HttpServer("sandbox-control", self._respond)
            self._opened.callback(self._control.close)
            self._write_addresses()
        except BaseException:
            self.close()
            raise

    def _hears(self, where: str) -> Callable[[str], None]:
        return lambda manifest: self._published(where, manifest)

    def _write_addresses(self) -> None:
        doors = {
            where: {
                "host": "127.0.0.1",
                "port": account.port,
                "username": account.username,
                "password": account.password,
                "host_key": account.public_key,
            }
            for where, account in self._accounts.items()
        }
        registers = {
            name: register.address(self._servers[name].url)
            for name, register in self._registers.items()
        }
        registers["netvisor"] = self._netvisor.address(self._servers["netvisor"].url)
        self.addresses: dict[str, Any] = {"control": self._control.url, **registers, **doors}
        self.addresses["today"] = self.today
        payload = json.dumps(self.addresses, indent=1).encode()
        write_private(self.directory / "addresses.json", payload)

    def _respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """The control server: GET status, truth, stories, finance, netvisor; POST advance, fault, stop."""
        shown: dict[str, Callable[[], Any]] = {
            "/status": self.status,
            "/truth": self.truth,
            "/stories": self.stories,
            "/finance": self.finance,
            "/netvisor": self.netvisor,
        }
        if method == "GET" and path in shown:
            return HTTPStatus.OK, shown[path]()
        try:
            if (method, path) == ("POST", "/advance"):
                self.advance(int(body.get("days", 1)), bool(body.get("quiet", False)))
            elif (method, path) == ("POST", "/fault") and body.get("kind") == "none":
                self.clear_faults()
            elif (method, path) == ("POST", "/fault"):
                self.fault(str(body["where"]), str(body["kind"]), int(body.get("times", 1)))
            elif (method, path) == ("POST", "/stop"):
                self.ask_to_stop()
            else:
                return HTTPStatus.NOT_FOUND, {"error": "no such control"}
        except (KeyError, TypeError, ValueError) as wrong:
            return HTTPStatus.BAD_REQUEST, {"error": str(wrong)}
        return HTTPStatus.OK, self.status()
