"""Building control: takes in which of its buildings are connected, and keeps a book of it by property.

Belongs here: what makes a row usable to whoever lets a building into use. Does not belong here: how the files
arrive (`sftp`), the buildings themselves (`ryhti`). It needs of each connection its property, its state and the
days; anything less is refused by row, with a code. It knows no customers.
"""

import re
from dataclasses import dataclass, field

from connectors.sandbox.finance import Delivery

COLUMNS = ("point_ref", "property_id", "building_id", "connection", "connected_from", "ended_on")
_PROPERTY = re.compile(r"\d{14}(M?\d{1,4})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass
class BuildingControl:
    """connections: point_ref → the last row told of it."""

    connections: dict[str, dict[str, str]] = field(default_factory=dict)
    takes: tuple[str, ...] = COLUMNS

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """Nothing: what it knows of buildings it tells over HTTP (`ryhti`)."""
        return {}

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """Book a delivery; row number (from 1) → code for those refused."""
        refused: dict[int, str] = {}
        for number, row in enumerate(delivery.rows, start=1):
            spared = "refused_by_sandbox" if refuse_first and number == 1 else ""
            if code := delivery.fault or spared or _fault_of(row):
                refused[number] = code
            else:
                self.connections[row["point_ref"]] = row
        return refused

    def pass_day(self, quiet: bool) -> None:
        """Nothing: it waits to be told."""


def _fault_of(row: dict[str, str]) -> str:
    if not row["point_ref"]:
        return "no_point"
    if not _PROPERTY.fullmatch(row["property_id"]):
        return "no_property"
    if row["connection"] not in ("applied", "connected", "ended"):
        return "unknown_state"
    day = row["ended_on"] if row["connection"] == "ended" else row["connected_from"]
    return "" if _DATE.fullmatch(day) else "no_day"
