"""The town in a box: every counterparty as a real server on loopback, with a clock and a memory.

Belongs here: starting and stopping the servers, the calendar, taking deliveries in, what the controls do,
and the folder everything is kept in. Does not belong here: how any counterparty answers. The folder holds
`addresses.json` (where to find whom, with which password and host key), `state.json` (what was done, in
order; a restarted town lives through it again), and the SFTP folders `own_register/` and `finance/`.
"""

import json
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from connectors.sandbox import faults as fault_catalogue
from connectors.sandbox import finance, own_register, sftp, truth
from connectors.sandbox.dvv import PopulationRegister
from connectors.sandbox.dvv_api import DvvApi
from connectors.sandbox.events import Days
from connectors.sandbox.faults import Faults
from connectors.sandbox.founding import found
from connectors.sandbox.ryhti import BuildingRegister
from connectors.sandbox.scene import Founder, Register, Scene
from connectors.sandbox.servers import Answer, HttpServer

FIRST_DAY = "2026-11-02"
# who answers over HTTP; each lives in a module of its own
_REGISTERS: Mapping[str, Founder] = {"dvv": DvvApi, "ryhti": BuildingRegister}
_KEPT_DELIVERIES = 7
_RETURN_HOUR = "02:30"


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
        self._withheld: list[tuple[str, Path, bytes]] = []
        for where in ("own_register", "finance"):
            for folder in ("sisaan", "kuittaus"):
                (directory / where / folder).mkdir(parents=True, exist_ok=True)
        (directory / "own_register" / "vienti").mkdir(exist_ok=True)
        self._replay()
        self._export([])
        self._open_doors()

    # --- what tests, the demo and the controls use --------------------------------------------------

    @property
    def today(self) -> str:
        """The date of the coming night, ISO."""
        return self._founded.world.today

    def advance(self, days: int = 1, quiet: bool = False) -> str:
        """Let days pass and export the own register each time; the new date. Quiet: nothing happens."""
        with self._lock:
            for _ in range(days):
                self._record({"day": "quiet" if quiet else "eventful"})
                self._pass_day(quiet)
                kinds = [
                    k
                    for k in fault_catalogue.EXPORT_FAULTS
                    if self._faults["own_register"].strikes(k)
                ]
                self._export(kinds)
            self._write_addresses()
            return self.today

    def _pass_day(self, quiet: bool) -> None:
        self._days.pass_one(quiet)
        for register in self._registers.values():
            register.pass_day(quiet)

    def fault(self, where: str, kind: str, times: int = 1) -> None:
        """Arm a fault of a counterparty; 0 times withdraws it. ValueError: not in `faults.CATALOGUE`."""
        if where not in self._faults:
            raise ValueError(f"nobody is called {where}; there are {', '.join(self._faults)}")
        self._faults[where].arm(kind, times)
        if kind == "wrong_host_key":
            self._sftp.show_key(self._accounts[where], another=times > 0)
        with self._lock:
            if kind in fault_catalogue.EXPORT_FAULTS:
                self._export(self._faults[where].armed(*fault_catalogue.EXPORT_FAULTS))
            if kind == "lost_acknowledgement" and not times:
                self._release_acknowledgements(where)

    def clear_faults(self) -> None:
        """Everybody behaves again: hanging answers end, withheld acknowledgements come."""
        for where, faults in self._faults.items():
            wrong_key = where in self._accounts and faults.armed("wrong_host_key")
            faults.clear()
            if wrong_key:
                self._sftp.show_key(self._accounts[where], another=False)
            with self._lock:
                self._release_acknowledgements(where)
        with self._lock:
            self._export([])

    def truth(self) -> dict[str, Any]:
        """What is really so (`truth.tell`)."""
        with self._lock:
            return truth.tell(self._founded, self._population)

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
                "invoices": [
                    {"customer_number": number, "point_ref": point} | invoice
                    for (number, point), invoice in ledger.invoices().items()
                ],
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
        _write_private(self.directory / "state.json", json.dumps(self._state).encode())

    def _replay(self) -> None:
        """Live through everything again; deliveries that nobody has answered are answered now."""
        for deed in self._state["done"]:
            if "day" in deed:
                self._pass_day(deed["day"] == "quiet")
            else:
                self._take_in(deed)
        _write_private(self.directory / "state.json", json.dumps(self._state).encode())
        known = {(d["where"], d["manifest"]) for d in self._state["done"] if "where" in d}
        for where in ("own_register", "finance"):
            for path in sorted((self.directory / where / "sisaan").glob("*.json")):
                if (where, path.name) not in known:
                    self._published(where, path.name)

    # --- deliveries and exports -----------------------------------------------------------------------

    def _published(self, where: str, manifest: str) -> None:
        """A manifest has appeared in a counterparty's `sisaan/`."""
        with self._lock:
            faults = self._faults[where]
            deed: dict[str, str | bool] = {
                "where": where,
                "manifest": manifest,
                "refuse_first": faults.strikes("rejecting"),
                "stubborn": where == "own_register" and faults.strikes("stubborn"),
            }
            self._record(deed)
            self._take_in(deed, withhold=faults.strikes("lost_acknowledgement"))

    def _take_in(self, deed: dict[str, Any], withhold: bool = False) -> None:
        where = deed["where"]
        manifest = self.directory / where / "sisaan" / deed["manifest"]
        data = manifest.with_suffix(".csv")
        columns = finance.COLUMNS if where == "finance" else own_register.RETURN_COLUMNS
        try:
            delivery = finance.open_delivery(
                manifest.read_bytes(), data.read_bytes() if data.exists() else None, columns
            )
        except (OSError, ValueError, KeyError, TypeError):
            return
        if where == "finance":
            refused = self._ledger.receive(delivery, deed["refuse_first"])
        elif delivery.fault:
            refused = dict.fromkeys(range(1, len(delivery.rows) + 1), delivery.fault)
        else:
            changed = f"{own_register.finnish_date(self.today)} {_RETURN_HOUR}"
            refused = self._founded.register.apply_return(
                delivery.rows, changed, deed["stubborn"], deed["refuse_first"]
            )
        answer = {
            "delivery_id": delivery.delivery_id,
            "sequence": delivery.sequence,
            "received_at": f"{self.today}T03:00:00Z",
            "accepted": len(delivery.rows) - len(refused),
            "rejected": [{"row": row, "code": code} for row, code in sorted(refused.items())],
        }
        path = self.directory / where / "kuittaus" / f"{delivery.delivery_id}.json"
        if withhold:
            self._withheld.append((where, path, json.dumps(answer).encode()))
        elif not path.exists():
            _write_private(path, json.dumps(answer).encode())

    def _release_acknowledgements(self, where: str) -> None:
        for whose, path, answer in self._withheld:
            if whose == where:
                _write_private(path, answer)
        self._withheld = [w for w in self._withheld if w[0] != where]

    def _export(self, spoiled_by: list[str]) -> None:
        """Put tonight's delivery in place, the marker last; the oldest deliveries go."""
        folder = self.directory / "own_register" / "vienti"
        stamp = self.today.replace("-", "")
        (folder / f"valmis_{stamp}.json").unlink(missing_ok=True)
        files = fault_catalogue.spoiled_delivery(spoiled_by, self._founded.register.tables(), stamp)
        for name, payload in files.items():
            _write_private(folder / name, payload)
        stamps = sorted({path.stem.rpartition("_")[2] for path in folder.iterdir()})
        for old in stamps[:-_KEPT_DELIVERIES]:
            for path in folder.glob(f"*_{old}.*"):
                path.unlink()

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
                for where in ("own_register", "finance")
            }
            self._sftp = sftp.SftpServers(list(self._accounts.values()))
            self._opened.callback(self._sftp.close)
            self._servers = {
                name: HttpServer(f"sandbox-{name}", register.respond, self._faults[name])
                for name, register in self._registers.items()
            }
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
        self.addresses: dict[str, Any] = {"control": self._control.url, **registers, **doors}
        self.addresses["today"] = self.today
        path = self.directory / "addresses.json"
        _write_private(path, json.dumps(self.addresses, indent=1).encode())

    def _respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """The control server: GET status, truth, stories, finance; POST advance, fault, stop."""
        shown: dict[str, Callable[[], Any]] = {
            "/status": self.status,
            "/truth": self.truth,
            "/stories": self.stories,
            "/finance": self.finance,
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


def _write_private(path: Path, payload: bytes) -> None:
    """Write a file aside and rename it into place, readable by its owner only."""
    aside = path.with_name(path.name + ".part")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(payload)
    aside.replace(path)
