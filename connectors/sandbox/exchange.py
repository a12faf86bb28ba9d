"""The counterparties that exchange files: what each drops, what it takes, and the folders they do it in.

Belongs here: putting exports in place, taking deliveries in and answering them, for all of them alike:
`vienti/` what it drops, `sisaan/` what it is sent, `kuittaus/` its answers. Does not belong here: what a
counterparty believes (a module each), how the files travel (`sftp`), remembering what was done (`town`).
"""

import json
import os
from pathlib import Path
from typing import Any, Protocol

from connectors.sandbox import faults, own_register
from connectors.sandbox.finance import Delivery, open_delivery
from connectors.sandbox.scene import Scene

_KEPT_DELIVERIES = 7
_RETURN_HOUR = "02:30"


class Office(Protocol):
    """A counterparty that exchanges files. takes: the columns of the deliveries it takes in."""

    @property
    def takes(self) -> tuple[str, ...]: ...

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """Its drop of the day (yyyymmdd), file by file, the marker last; none from who drops nothing."""
        ...

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """Take a delivery in; row number (from 1) → code for those refused."""
        ...

    def pass_day(self, quiet: bool) -> None:
        """Live through the day that ended as `Scene.today` began; on a quiet one nothing happens."""
        ...


class CustomerService:
    """The utility's own register."""

    takes = own_register.RETURN_COLUMNS

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._register = scene.town.register

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """The whole register."""
        tables = self._register.tables()
        return faults.spoiled_delivery(spoiled_by, tables, stamp, own_register.LAYOUT)

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """Returns, applied to its rows."""
        if delivery.fault:
            return dict.fromkeys(range(1, len(delivery.rows) + 1), delivery.fault)
        changed = f"{own_register.finnish_date(self._scene.today)} {_RETURN_HOUR}"
        return self._register.apply_return(delivery.rows, changed, stubborn, refuse_first)

    def pass_day(self, quiet: bool) -> None:
        """Nothing: what clerks do happens with what they hear (`events`)."""


class Folders:
    """One counterparty's folders; `withheld` are the answers it keeps until told otherwise."""

    def __init__(self, folder: Path, office: Office) -> None:
        self.folder = folder
        self._office = office
        self._withheld: list[tuple[Path, bytes]] = []
        for name in ("sisaan", "kuittaus", "vienti"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def export(self, today: str, spoiled_by: list[str]) -> None:
        """Put the day's drop in place, the marker last; the oldest go."""
        stamp = today.replace("-", "")
        files = self._office.export(stamp, spoiled_by)
        if not files:
            return
        folder = self.folder / "vienti"
        (folder / f"valmis_{stamp}.json").unlink(missing_ok=True)
        for name, payload in files.items():
            write_private(folder / name, payload)
        stamps = sorted({path.stem.rpartition("_")[2] for path in folder.iterdir()})
        for old in stamps[:-_KEPT_DELIVERIES]:
            for path in folder.glob(f"*_{old}.*"):
                path.unlink()

    def manifests(self) -> list[str]:
        """Names of the manifests it has been sent."""
        return [path.name for path in sorted((self.folder / "sisaan").glob("*.json"))]

    def take_in(self, deed: dict[str, Any], today: str, withhold: bool = False) -> None:
        """Read a delivery and answer it; one whose manifest can't be read is never answered."""
        manifest = self.folder / "sisaan" / deed["manifest"]
        data = manifest.with_suffix(".csv")
        try:
            payload = data.read_bytes() if data.exists() else None
            delivery = open_delivery(manifest.read_bytes(), payload, self._office.takes)
        except (OSError, ValueError, KeyError, TypeError):
            return
        refused = self._office.take(delivery, deed["refuse_first"], deed["stubborn"])
        answer = {
            "delivery_id": delivery.delivery_id,
            "sequence": delivery.sequence,
            "received_at": f"{today}T03:00:00Z",
            "accepted": len(delivery.rows) - len(refused),
            "rejected": [{"row": row, "code": code} for row, code in sorted(refused.items())],
        }
        path = self.folder / "kuittaus" / f"{delivery.delivery_id}.json"
        if withhold:
            self._withheld.append((path, json.dumps(answer).encode()))
        elif not path.exists():
            write_private(path, json.dumps(answer).encode())

    def release(self) -> None:
        """Give the answers that were withheld."""
        for path, answer in self._withheld:
            write_private(path, answer)
        self._withheld = []


def write_private(path: Path, payload: bytes) -> None:
    """Write a file aside and rename it into place, readable by its owner only."""
    aside = path.with_name(path.name + ".part")
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(payload)
    aside.replace(path)
