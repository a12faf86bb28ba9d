"""The finance outsourcer: takes billing extracts in, keeps a customer ledger, and bills from it alone.

Belongs here: what makes a delivery or a row acceptable to whoever writes the invoices, and the invoices of a
period. Does not belong here: how the files arrive (`sftp`). It needs of each customer at each consumption
point a name, and a way to send the invoice; anything less is refused by row, with a code. Consumption is its
own: what the meters of a point showed, whoever pays for it.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from stdnum.fi import ytunnus


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


COLUMNS = _words(
    "event customer_number party_kind invoice_name street_line postal_code post_office country business_id "
    "delivery_channel channel_address channel_operator point_ref valid_from ended_on final_invoice_line "
    "final_invoice_postal_code final_invoice_post_office merged_into"
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_FINNISH_CODE = re.compile(r"\d{5}")
_CENT = Decimal("0.01")
PRICE = Decimal("4.60")  # water and waste water, euros a cubic metre, VAT 0
VAT = Decimal("0.255")
# what a reminder may cost: a consumer by the law on collection (513/1999) 10 a §, a company by contract
_REMINDER = {"person": Decimal("5.00"), "organisation": Decimal("40.00")}

Key = tuple[str, str]


@dataclass(frozen=True)
class Invoice:
    """One payer's bill for one consumption point and the days of a period that are theirs, both inclusive.

    to: where it goes, on one line. postage: domestic or abroad on paper, else empty. reminder: what one costs.
    """

    customer_number: str
    point_ref: str
    addressee: str
    buyer_id: str
    to: str
    postage: str
    reminder: Decimal
    first_day: str
    last_day: str
    cubic_metres: Decimal
    net: Decimal
    vat: Decimal
    is_final: bool


@dataclass(frozen=True)
class Delivery:
    """A data file with its manifest, opened; `fault` says why the whole can't be used."""

    delivery_id: str
    sequence: int
    rows: list[dict[str, str]]
    fault: str = ""


def open_delivery(manifest: bytes, data: bytes | None, columns: tuple[str, ...]) -> Delivery:
    """Read a delivery and check it against its manifest.

    Raises ValueError when the manifest itself is unreadable.
    """
    stated: dict[str, Any] = json.loads(manifest)
    delivery_id, sequence = str(stated["delivery_id"]), int(stated["sequence"])

    def unusable(fault: str) -> Delivery:
        return Delivery(delivery_id, sequence, [{}] * int(stated["rows"]), fault)

    if data is None:
        return unusable("no_data_file")
    if hashlib.sha256(data).hexdigest() != stated["sha256"]:
        return unusable("checksum")
    lines = list(
        csv.reader(io.StringIO(data.decode("utf-8"), newline=""), delimiter=";", strict=True)
    )
    if not lines or tuple(lines[0]) != columns or tuple(stated["columns"]) != columns:
        return unusable("columns")
    if len(lines) - 1 != stated["rows"] or any(len(line) != len(columns) for line in lines):
        return unusable("row_count")
    return Delivery(
        delivery_id, sequence, [dict(zip(columns, line, strict=True)) for line in lines[1:]]
    )


@dataclass
class Ledger:
    """Who is billed for which consumption point, and how; built from deliveries alone."""

    open: dict[Key, dict[str, str]] = field(default_factory=dict)
    ended: dict[Key, dict[str, str]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)
    accepted: int = 0
    rejected: int = 0

    def receive(self, delivery: Delivery, refuse_first: bool = False) -> dict[int, str]:
        """Book a delivery; row number (from 1) → code for those refused."""
        fault = delivery.fault
        if not fault and delivery.delivery_id in self.seen:
            fault = "delivery_repeated"
        if not fault and self.seen and delivery.sequence != max(self.seen.values()) + 1:
            fault = "sequence_gap"
        refused: dict[int, str] = {}
        for number, row in enumerate(delivery.rows, start=1):
            spared = "refused_by_sandbox" if refuse_first and number == 1 else ""
            known = dict.fromkeys(COLUMNS, "") | row
            if code := fault or spared or self._book(known):
                refused[number] = code
        if not fault:
            self.seen[delivery.delivery_id] = delivery.sequence
        self.accepted += len(delivery.rows) - len(refused)
        self.rejected += len(refused)
        return refused

    def _book(self, row: dict[str, str]) -> str:
        key = (row["customer_number"], row["point_ref"])
        if not all(key):
            return "no_key"
        event = row["event"]
        if event in ("new", "changed", "split"):
            return self._bill(event, key, row)
        if event == "ended":
            return self._end(key, row)
        if event == "merged":
            return self._merge(key, row)
        return "unknown_event"

    def _bill(self, event: str, key: Key, row: dict[str, str]) -> str:
        if event == "changed" and key not in self.open:
            return "not_open"
        if event == "new" and key in self.open and "carried_from" not in self.open[key]:
            return "already_open"
        code = unbillable(row)
        if not code:
            self.open[key] = row
            self.ended.pop(key, None)
            if event == "split" and (joined := self.redirects.get(key[0])):
                # what was billed to the joined customer is this one's again
                self.ended.pop((joined, key[1]), None)
        return code

    def _end(self, key: Key, row: dict[str, str]) -> str:
        if key not in self.open:
            return "not_open"
        if not _DATE.fullmatch(row["ended_on"]):
            return "no_end_date"
        final = {k: row[k] for k in row if k.startswith("final_") or k == "ended_on"}
        self.ended[key] = self.open.pop(key) | final
        return ""

    def _merge(self, key: Key, row: dict[str, str]) -> str:
        into = row["merged_into"]
        if not into or into == key[0]:
            return "no_merge_target"
        self.redirects[key[0]] = into
        carried = self.open.pop(key, None)
        if carried is not None and (into, key[1]) not in self.open:
            self.open[into, key[1]] = carried | {"customer_number": into, "carried_from": key[0]}
        return ""

    def invoices(self) -> dict[Key, dict[str, str]]:
        """The invoices it would send: (customer_number, point_ref) → name and to."""
        return {
            key: {"name": row["invoice_name"], "to": destination(row)}
            for key, row in sorted(self.open.items())
        }

    def bill(self, first_day: str, last_day: str, meters: Mapping[str, Decimal]) -> list[Invoice]:
        """The invoices of a period, by customer and point: each payer's days of what a point used.

        meters: point_ref → cubic metres a day. The final invoice goes to the address given with the end; whoever
        gave none gets it as every other. Who paid until before the period, or pays from after it, gets none.
        """
        rows = [
            *((key, row, "") for key, row in self.open.items()),
            *((key, row, row["ended_on"]) for key, row in self.ended.items()),
        ]
        made = []
        for (customer, point), row, ended_on in sorted(rows, key=lambda entry: entry[0]):
            begins = max(first_day, row["valid_from"])
            ends = min(last_day, _day_before(ended_on)) if ended_on else last_day
            if begins > ends:
                continue
            days = (date.fromisoformat(ends) - date.fromisoformat(begins)).days + 1
            used = meters[point] * days
            net = (used * PRICE).quantize(_CENT, ROUND_HALF_UP)
            made.append(
                Invoice(
                    customer_number=customer,
                    point_ref=point,
                    addressee=row["invoice_name"],
                    buyer_id=row["business_id"],
                    to=_final_destination(row) or destination(row),
                    postage=_postage(row),
                    reminder=_REMINDER[row["party_kind"]],
                    first_day=begins,
                    last_day=ends,
                    cubic_metres=used,
                    net=net,
                    vat=(net * VAT).quantize(_CENT, ROUND_HALF_UP),
                    is_final=bool(ended_on),
                )
            )
        return made


def _day_before(day: str) -> str:
    return date.fromordinal(date.fromisoformat(day).toordinal() - 1).isoformat()


def _final_destination(row: Mapping[str, str]) -> str:
    """Where the final invoice goes on paper; empty while the payer pays, and where no address was given."""
    line = row.get("final_invoice_line", "")
    place = f"{row.get('final_invoice_postal_code', '')} {row.get('final_invoice_post_office', '')}"
    return f"{line}, {place}" if line else ""


def _postage(row: Mapping[str, str]) -> str:
    if row["delivery_channel"] != "paper":
        return ""
    return "domestic" if row["country"] in ("", "FI") else "abroad"


def destination(row: Mapping[str, str]) -> str:
    """Where an invoice goes, on one line."""
    channel = row["delivery_channel"]
    if channel == "paper":
        place = f"{row['postal_code']} {row['post_office']}"
        return ", ".join(p for p in (row["street_line"], place, row["country"]) if p)
    if channel == "einvoice":
        return f"{row['channel_address']} @ {row['channel_operator']}"
    return row["channel_address"] or channel


def unbillable(row: Mapping[str, str]) -> str:
    """Why no invoice could be written from a row; empty when one could."""
    channel, business = row["delivery_channel"], row["business_id"]
    if not row["invoice_name"]:
        return "no_name"
    if row["party_kind"] not in ("person", "organisation"):
        return "no_party_kind"
    if business and (row["party_kind"] == "person" or not ytunnus.is_valid(business)):
        return "bad_business_id"
    if not _DATE.fullmatch(row["valid_from"]):
        return "no_valid_from"
    if channel == "paper":
        if not (row["street_line"] and row["post_office"]):
            return "no_address"
        # abroad the code may stand in the post office line, as DVV gives it (FORMATS 1.1)
        if row["country"] in ("", "FI") and not _FINNISH_CODE.fullmatch(row["postal_code"]):
            return "bad_postal_code"
    elif channel == "einvoice":
        if not (row["channel_address"] and row["channel_operator"]):
            return "no_einvoice_address"
    elif channel == "email":
        if "@" not in row["channel_address"]:
            return "no_email"
    elif channel != "portal":
        return "unknown_channel"
    return ""
