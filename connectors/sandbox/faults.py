"""What a counterparty can do wrong, on request.

Belongs here: the catalogue of faults, which are armed, and how an answer or an export is spoiled. Does not
belong here: the honest answers. `times` counts requests (HTTP), connections or writes (SFTP), deliveries
received (acknowledgements) or exports: an export fault spoils the delivery standing there at once and
those of the next `times` days; withdrawing it puts the standing delivery right.
"""

import threading
from collections.abc import Mapping
from typing import Any

from connectors.sandbox import own_register
from connectors.sandbox.own_register import Layout, Row

SERVER_FAULTS = {
    "http_500": "answers 500",
    "http_429": "answers 429 with Retry-After: 1",
    "timeout": "takes the request and never answers; withdrawing ends the wait",
    "half_response": "promises more bytes than it sends, then closes",
    "unauthorised": "answers 401 whatever the credentials",
}
FEED_FAULTS = {
    "repeated": "gives every change twice",
    "reordered": "gives the changes in reverse order",
}
DVV_FAULTS = {
    "cursor_back": "gives a position earlier than the one asked from",
    "unknown_group": "adds a tietoryhmä nobody has heard of to every change",
    "left_out": "leaves the first person out of /perustiedot",
    "uninvited": "adds people nobody asked about",
}
RYHTI_FAULTS = {
    "stuck": "gives changes and no position after them",
    "expired_token": "takes the token for one that has run out, once",
    "unknown_code": "gives every building a state of life nobody has heard of",
}
KUNTAGML_FAULTS = {
    "doctype": "answers with a DOCTYPE whose entities grow without end",
    "exception": "answers with an OGC exception and status 200",
    "login_page": "answers with a page in HTML and status 200",
    "full": "fills every answer up to maxFeatures by saying things twice",
    "broken_postcode": "gives every address a postal code of 13 digits",
    "broken_building": "leaves the first building of an answer without anything in it",
    "wrong_check": "gives every building id a wrong check character",
    "unknown_word": "gives every building a condition nobody has heard of",
}
YTJ_FAULTS = {
    "not_found": "says it holds nobody of that business id",
    "lying": "answers with another company than the one asked for",
}
SFTP_FAULTS = {
    "unauthorised": "refuses the password",
    "wrong_host_key": "listens with another host key",
    "dropped_connection": "takes half of a write, then drops the connection",
    "lost_acknowledgement": "takes deliveries in, and keeps its answers until withdrawn",
    "rejecting": "refuses the first row of a delivery",
}
EXPORT_FAULTS = {
    "truncated": "the file of people ends half-way",
    "not_ready": "the marker is missing",
    "shrunk": "more than half of the people and roles are missing",
    "extra_column": "a column nobody has heard of",
    "missing_column": "a column that was agreed is missing",
    "wrong_encoding": "the files are in another encoding than agreed",
}
POSTAL_FAULTS = {
    "truncated": "the file of streets ends inside a line",
    "wrong_encoding": "the file of streets is in another encoding than agreed",
    "missing": "drops nothing that day",
}
ANSWER_FAULTS = {
    "truncated": EXPORT_FAULTS["truncated"],
    "extra_column": EXPORT_FAULTS["extra_column"],
    "wrong_encoding": EXPORT_FAULTS["wrong_encoding"],
    "twice": "answers the first row twice, and differently",
    "stranger": "answers a reference nobody sent",
    "late": "keeps its answer for another day; 99 times is never",
}
DEALING_FAULTS = {
    "missing_column": "a column that was agreed is missing",
    "unknown_customer": "a row under a customer number that is nobody's",
    "duplicate_row": "a row stands there twice, and the two differ",
}
DROP_FAULTS = EXPORT_FAULTS | POSTAL_FAULTS | ANSWER_FAULTS | DEALING_FAULTS
RETURN_FAULTS = {"stubborn": "accepts returns and keeps its own values"}
NETVISOR_FAULTS = {
    "late": "carries a telling out and never answers; withdrawing ends the wait",
    "lost": "neither carries a telling out nor answers; withdrawing ends the wait",
    "slow": "takes its time to answer",
    "maintenance": "answers SYSTEM_MAINTANANCE and does nothing",
    "technical": "answers a telling with TECHNICAL_ERROR and does not carry it out",
    "rejecting": "refuses a customer with INVALID_DATA",
}
CATALOGUE: dict[str, dict[str, str]] = {
    "dvv": SERVER_FAULTS | FEED_FAULTS | DVV_FAULTS,
    "ryhti": SERVER_FAULTS | FEED_FAULTS | RYHTI_FAULTS,
    "kuntagml": SERVER_FAULTS | KUNTAGML_FAULTS,
    "exemptions": {k: SERVER_FAULTS[k] for k in ("http_500", "unauthorised")},
    "ytj": {k: v for k, v in SERVER_FAULTS.items() if k != "unauthorised"} | YTJ_FAULTS,
    "own_register": SFTP_FAULTS | EXPORT_FAULTS | RETURN_FAULTS,
    "municipality": SFTP_FAULTS | EXPORT_FAULTS | RETURN_FAULTS,
    "finance": SFTP_FAULTS | DEALING_FAULTS,
    "order_desk": DEALING_FAULTS,
    "contractor": {"missing_column": DEALING_FAULTS["missing_column"]},
    "building_control": SFTP_FAULTS,
    "postal": POSTAL_FAULTS,
    "address_batch": {
        k: SFTP_FAULTS[k] for k in ("unauthorised", "wrong_host_key", "dropped_connection")
    }
    | ANSWER_FAULTS,
    "netvisor": {k: v for k, v in SERVER_FAULTS.items() if k != "http_429"} | NETVISOR_FAULTS,
}


class Faults:
    """The armed faults of one counterparty; thread-safe."""

    def __init__(self, where: str) -> None:
        self.where = where
        self._lock = threading.Condition()
        self._armed: dict[str, int] = {}
        self._withdrawals = 0

    def arm(self, kind: str, times: int) -> None:
        """Arm a fault for so many times; 0 withdraws it. Raises ValueError for one nobody knows."""
        if kind not in CATALOGUE[self.where]:
            known = ", ".join(CATALOGUE[self.where])
            raise ValueError(f"{self.where} has no fault {kind}; it has {known}")
        with self._lock:
            if times:
                self._armed[kind] = times
            else:
                self._armed.pop(kind, None)
                self._release()

    def clear(self) -> None:
        """Withdraw all."""
        with self._lock:
            self._armed.clear()
            self._release()

    def _release(self) -> None:
        self._withdrawals += 1
        self._lock.notify_all()

    def armed(self, *kinds: str) -> list[str]:
        """Those of the kinds that are armed, none of them used up."""
        with self._lock:
            return [k for k in kinds or tuple(self._armed) if k in self._armed]

    def strikes(self, kind: str) -> bool:
        """Whether the fault is armed; uses one time up."""
        with self._lock:
            left = self._armed.get(kind, 0)
            if left > 1:
                self._armed[kind] = left - 1
            elif left:
                del self._armed[kind]
            return left > 0

    def hang(self) -> None:
        """Wait until some fault is withdrawn."""
        with self._lock:
            before = self._withdrawals
            self._lock.wait_for(lambda: self._withdrawals != before)


def spoil_changes(
    faults: Faults, answer: dict[str, Any], cursor: int, strangers: list[Any]
) -> None:
    """Spoil an answer of `/muutokset` in place."""
    if faults.strikes("repeated"):
        answer["muutokset"] = answer["muutokset"] * 2
    if faults.strikes("reordered"):
        answer["muutokset"] = answer["muutokset"][::-1]
    if faults.strikes("cursor_back"):
        answer["viimeisinKirjausavain"] = cursor - 1000
        answer["ajanTasalla"] = True
    if faults.strikes("unknown_group"):
        answer["muutokset"] = [
            change
            | {
                "tietoryhmat": [
                    *change["tietoryhmat"],
                    {"tietoryhma": "TUULENSUUNTA", "arvo": "luode"},
                ]
            }
            for change in answer["muutokset"]
        ]
    if faults.strikes("uninvited"):
        moment = "2026-11-01T08:00:00.000Z"
        answer["muutokset"] = answer["muutokset"] + [s | {"muutospv": moment} for s in strangers]


def spoil_base(faults: Faults, answer: dict[str, Any], strangers: list[Any]) -> None:
    """Spoil an answer of `/perustiedot` in place."""
    if faults.strikes("left_out"):
        answer["perustiedot"] = answer["perustiedot"][1:]
    if faults.strikes("uninvited"):
        answer["perustiedot"] = answer["perustiedot"] + strangers


def spoiled_delivery(
    kinds: list[str], tables: Mapping[str, list[Row]], stamp: str, layout: Layout
) -> dict[str, bytes]:
    """A register's drop with the armed export faults applied."""
    shown = dict(tables)
    columns = dict(layout.columns)
    if "shrunk" in kinds:
        for table in {layout.parties, layout.roles}:
            shown[table] = shown[table][: len(shown[table]) * 2 // 5]
    if "extra_column" in kinds:
        columns[layout.parties] = (*columns[layout.parties], "HOROSKOOPPI")
        shown[layout.parties] = [row | {"HOROSKOOPPI": "kauris"} for row in shown[layout.parties]]
    if "missing_column" in kinds:
        kept = tuple(c for c in columns[layout.parties] if c != layout.needed)
        columns[layout.parties] = kept
    rows = shown[layout.parties]
    if "unknown_customer" in kinds and rows:
        key = columns[layout.parties][0]
        shown[layout.parties] = [*rows, rows[0] | {key: "X1", "ASIAKASNRO": "999999"}]
    if "duplicate_row" in kinds and rows:
        of_another = {"ASIAKASNRO": rows[-1]["ASIAKASNRO"]}
        shown[layout.parties] = [*shown[layout.parties], rows[0] | of_another]
    other = "windows-1252" if layout.encoding == "utf-8" else "utf-8"
    encoding = other if "wrong_encoding" in kinds else layout.encoding
    files = own_register.delivery(shown, stamp, columns, encoding)
    if "truncated" in kinds:
        name = f"{layout.parties}_{stamp}.csv"
        files[name] = files[name][: len(files[name]) // 2]
    if "not_ready" in kinds:
        del files[f"valmis_{stamp}.json"]
    return files
