"""Netvisor as the finance outsourcer keeps it: customers in, one call each, answers in XML.

Belongs here: who is let in, what makes a call acceptable, the customer ledger (FORMATS.md §7.1). Does not belong
here: sockets (`servers`), billing by consumption point (`finance`), which Netvisor has nothing of. Written from
the format, with a parser and a table of its own.

What was carried out is remembered in `netvisor/calls.jsonl`, so that a restarted town still has it.
"""

import hashlib
import hmac
import json
import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from connectors.sandbox.faults import Faults
from connectors.sandbox.finance import destination
from connectors.sandbox.scene import Scene
from connectors.sandbox.servers import Answer, Plain, Xml

_ORDER: Mapping[str, tuple[str, ...]] = {
    "customerbaseinformation": (
        "internalidentifier", "externalidentifier", "organizationunitnumber", "name", "nameextension",
        "streetaddress", "additionaladdressline", "city", "postnumber", "country", "customergroupname",
        "phonenumber", "faxnumber", "email", "homepageuri", "isactive", "isprivatecustomer",
        "emailinvoicingaddress",
    ),
    "customerfinvoicedetails": ("finvoiceaddress", "finvoiceroutercode"),
    "customerdeliverydetails": (
        "deliveryname", "deliverystreetaddress", "deliverycity", "deliverypostnumber", "deliverycountry",
    ),
    "customercontactdetails": ("contactname", "contactperson", "contactpersonemail", "contactpersonphone"),
}  # fmt: skip
_LONGEST = {
    "internalidentifier": 50, "name": 250, "nameextension": 250, "streetaddress": 80,
    "additionaladdressline": 80, "city": 80, "postnumber": 50,
}  # fmt: skip
_STATUS = {
    "AUTHENTICATION_FAILED": HTTPStatus.UNAUTHORIZED,
    "REQUEST_NOT_UNIQUE": HTTPStatus.CONFLICT,
    "SYSTEM_MAINTANANCE": HTTPStatus.SERVICE_UNAVAILABLE,
    "TECHNICAL_ERROR": HTTPStatus.INTERNAL_SERVER_ERROR,
}
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
_SLOW_SECONDS = 0.3
_WHO = {
    "sender": "X-Netvisor-Authentication-Sender",
    "customer_id": "X-Netvisor-Authentication-CustomerId",
    "partner_id": "X-Netvisor-Authentication-PartnerId",
    "organisation_id": "X-Netvisor-Organisation-ID",
}


class _Failed(Exception):
    """FAILED with a code; the text beside it quotes what it was sent, as Netvisor's does."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(code)
        self.code, self.text = code, text


class Netvisor:
    """One company's customers, and the interface to them."""

    def __init__(self, scene: Scene, faults: Faults, password: str, directory: Path) -> None:
        self._scene = scene
        self._faults = faults
        self._who = {
            "sender": "register-hub", "customer_id": "FI_TEST_1", "partner_id": "Pin_FI_1",
            "organisation_id": "2000001-1",
        }  # fmt: skip
        self._secrets = {"customer_secret": password, "partner_secret": password[::-1]}
        self._url = ""
        self._heard: set[str] = set()
        self.customers: dict[int, dict[str, str]] = {}
        self.tellings: list[tuple[str, str]] = []
        self._memory = directory / "calls.jsonl"
        directory.mkdir(mode=0o700, exist_ok=True)
        if self._memory.exists():
            for line in self._memory.read_text("utf-8").splitlines():
                self._repeat(json.loads(line))

    def address(self, url: str) -> dict[str, str]:
        """Where it is and how it lets the hub in."""
        self._url = url
        return {"base_url": url, **self._who, **self._secrets}

    def ledger(self) -> dict[str, dict[str, str]]:
        """Who is billed: customer number of everybody active → name, kind, business_id, and to."""
        return {
            customer["internalidentifier"]: {
                "name": customer["name"],
                "kind": {"1": "person", "0": "organisation"}[customer["isprivatecustomer"]],
                "business_id": customer.get("externalidentifier", ""),
                "to": _destination(customer),
            }
            for customer in self.customers.values()
            if customer.get("isactive", "1") == "1"
        }

    # --- answering ------------------------------------------------------------------------------------

    def respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """One call; what makes it fail is told with a code, and by the status where that is asked for."""
        if method == "POST" and self._faults.strikes("lost"):
            self._faults.hang()
            return HTTPStatus.INTERNAL_SERVER_ERROR, Plain("lost")
        try:
            with self._scene.lock:
                inside = self._answer(method, path, headers, body)
        except _Failed as failed:
            asked = headers.get("x-netvisor-authentication-usehttpresponsestatuscodes") == "1"
            status = _STATUS.get(failed.code, HTTPStatus.BAD_REQUEST) if asked else HTTPStatus.OK
            text = escape(f"{failed.code} :: {failed.text}")
            return status, _root(f"<Status>FAILED</Status><Status>{text}</Status>", "")
        if method == "POST" and self._faults.strikes("late"):
            self._faults.hang()
        if self._faults.strikes("slow"):
            threading.Event().wait(_SLOW_SECONDS)
        return HTTPStatus.OK, _root("<Status>OK</Status>", inside)

    def _answer(self, method: str, path: str, headers: Mapping[str, str], body: Any) -> str:
        if self._faults.strikes("unauthorised") or not self._lets_in(path, headers):
            raise _Failed("AUTHENTICATION_FAILED", "Authentication failed")
        transaction = headers["x-netvisor-authentication-transactionid"]
        if transaction in self._heard:
            raise _Failed("REQUEST_NOT_UNIQUE", f"Transaction {transaction}")
        self._heard.add(transaction)
        if self._faults.strikes("maintenance"):
            raise _Failed("SYSTEM_MAINTANANCE", "Netvisor is being maintained")
        address = urlsplit(path)
        given = {name: values[0] for name, values in parse_qs(address.query).items()}
        if (method, address.path) == ("GET", "/customerlist.nv"):
            return self._list(given)
        if (method, address.path) == ("GET", "/getcustomer.nv"):
            return self._show(given)
        if (method, address.path) == ("POST", "/customer.nv"):
            if self._faults.strikes("technical"):
                raise _Failed("TECHNICAL_ERROR", "Something broke")
            return self._told(given, transaction, body)
        raise _Failed("INVALID_DATA", f"no resource {address.path}")

    def _lets_in(self, path: str, headers: Mapping[str, str]) -> bool:
        def said(name: str) -> str:
            return headers.get(f"x-netvisor-authentication-{name}", "")

        stamp, unix = said("timestamp"), said("timestampunix")
        language = headers.get("x-netvisor-interface-language", "")
        if not _STAMP.fullmatch(stamp) or language not in ("FI", "SE", "EN"):
            return False
        moment = datetime.strptime(stamp[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        if unix != str(int(moment.timestamp())) or not said("transactionid"):
            return False
        if any(headers.get(_WHO[name].lower()) != value for name, value in self._who.items()):
            return False
        secrets = list(self._secrets.values())
        signed = [
            self._url + path, self._who["sender"], self._who["customer_id"], stamp, language,
            self._who["organisation_id"], said("transactionid"), unix, *secrets,
        ]  # fmt: skip
        key, message = ("&".join(parts).encode("latin-1") for parts in (secrets, signed))
        mac = hmac.new(key, message, hashlib.sha256).hexdigest()
        return said("machashcalculationalgorithm") == "HMACSHA256" and said("mac") == mac

    def _list(self, given: Mapping[str, str]) -> str:
        codes = given.get("customercodelist", "").split(",")
        if len(codes) > 100:
            raise _Failed("INVALID_DATA", "more than 100 codes")
        since = given.get("changedsince", "")[:10]
        found = [
            f"<Customer><Netvisorkey>{key}</Netvisorkey><Name>{escape(one['name'])}</Name>"
            f"<Code>{escape(one.get('internalidentifier', ''))}</Code></Customer>"
            for key, one in self.customers.items()
            if (since and one["changed"] >= since) or one.get("internalidentifier") in codes
        ]
        return f"<Customerlist>{''.join(found)}</Customerlist>"

    def _show(self, given: Mapping[str, str]) -> str:
        keys = (given.get("idlist") or given.get("id", "")).split(",")
        if not all(key.isdecimal() and int(key) in self.customers for key in keys):
            raise _Failed("INVALID_DATA", f"Data form incorrect:. Customer not found: {keys}")
        shown = [_shown(int(key), self.customers[int(key)]) for key in keys]
        return "".join(shown) if "id" in given else f"<Customers>{''.join(shown)}</Customers>"

    # --- customers ------------------------------------------------------------------------------------

    def _told(self, given: Mapping[str, str], transaction: str, body: bytes) -> str:
        if self._faults.strikes("rejecting"):
            raise _Failed("INVALID_DATA", f"Data form incorrect:. {body.decode(errors='replace')}")
        key = self._book(given, body)
        self.customers[key]["changed"] = self._scene.today
        deed = {"given": dict(given), "transaction": transaction, "body": body.decode()}
        with self._memory.open("a", encoding="utf-8") as memory:
            memory.write(json.dumps(deed | {"day": self._scene.today}, ensure_ascii=False) + "\n")
        if given["method"] == "edit":
            return ""
        return f"<Replies><InsertedDataIdentifier>{key}</InsertedDataIdentifier></Replies>"

    def _repeat(self, deed: Mapping[str, Any]) -> None:
        self._heard.add(deed["transaction"])
        self.customers[self._book(deed["given"], deed["body"].encode())]["changed"] = deed["day"]

    def _book(self, given: Mapping[str, str], body: bytes) -> int:
        """Carry a call out; the customer's key."""
        said = dict(_elements(body))
        method, wanted = given.get("method"), given.get("id", "")
        number = said.get("internalidentifier", "")
        holders = [k for k, c in self.customers.items() if c.get("internalidentifier") == number]
        if method == "add":
            if not said.get("name"):
                raise _Failed("INVALID_DATA", "Data form incorrect:. name is missing")
            if number and holders:
                raise _Failed("DUPLICATE_DATA", f"Customer code {number} exists")
            key = len(self.customers) + 1
            self.customers[key] = {"changed": ""}
        elif method == "edit" and wanted.isdecimal() and int(wanted) in self.customers:
            key = int(wanted)
            if number and holders not in ([], [key]):
                raise _Failed("DUPLICATE_DATA", f"Customer code {number} exists")
        else:
            raise _Failed("INVALID_DATA", f"Customer not found with Netvisor identifier: {wanted}")
        self.customers[key] |= said
        self.customers[key] = {name: text for name, text in self.customers[key].items() if text}
        self.customers[key].setdefault("changed", "")
        self.tellings.append((str(method), self.customers[key].get("internalidentifier", "")))
        return key


def _elements(body: bytes) -> Iterator[tuple[str, str]]:
    """Element and text of a document that is in order; an empty one erases what stands there."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError):
        raise _Failed("INVALID_DATA", "Data form incorrect:. not XML") from None
    if root.tag.lower() != "root" or [child.tag.lower() for child in root] != ["customer"]:
        raise _Failed("INVALID_DATA", "Data form incorrect:. not one customer")
    _in_order(root[0], tuple(_ORDER))
    for section in root[0]:
        _in_order(section, _ORDER[section.tag.lower()])
        for element in section:
            name, text = element.tag.lower(), element.text or ""
            if len(text) > _LONGEST.get(name, len(text)):
                raise _Failed("INVALID_DATA_SIZE", f"{name}: {text}")
            if name.startswith("is") and text not in ("0", "1"):
                raise _Failed("INVALID_DATA", f"Data form incorrect:. {name}: {text}")
            if name == "country" and not (element.get("type") == "ISO-3166" and len(text) == 2):
                raise _Failed("INVALID_DATA", f"Data form incorrect:. country: {text}")
            yield name, text


def _in_order(parent: Element, wanted: tuple[str, ...]) -> None:
    names = [child.tag.lower() for child in parent]
    if names != [name for name in wanted if name in names]:
        raise _Failed("INVALID_DATA", f"Data form incorrect:. {', '.join(names)}")


def _shown(key: int, customer: Mapping[str, str]) -> str:
    def section(name: str) -> str:
        inside = "".join(
            f"<{element}>{escape(customer.get(element, ''))}</{element}>"
            for element in _ORDER[name]
        )
        first = f"<NetvisorKey>{key}</NetvisorKey>" if name == "customerbaseinformation" else ""
        return f"<{name}>{first}{inside}</{name}>"

    return f"<Customer>{''.join(map(section, _ORDER))}</Customer>"


def _destination(customer: Mapping[str, str]) -> str:
    """Where the invoice goes: an e-invoice address first, then e-mail, then paper."""
    route = {"delivery_channel": "paper"}
    if "finvoiceaddress" in customer:
        route = {"delivery_channel": "einvoice"}
    elif "emailinvoicingaddress" in customer:
        route = {"delivery_channel": "email"}
    names = {
        "street_line": "streetaddress", "postal_code": "postnumber", "post_office": "city",
        "country": "country", "channel_operator": "finvoiceroutercode",
    }  # fmt: skip
    route |= {ours: customer.get(theirs, "") for ours, theirs in names.items()}
    address = customer.get("finvoiceaddress") or customer.get("emailinvoicingaddress", "")
    return destination(route | {"channel_address": address})


def _root(status: str, inside: str) -> Xml:
    stamp = "<TimeStamp>2.11.2026 1:30:00</TimeStamp>"
    return Xml(
        '<?xml version="1.0" encoding="utf-8" standalone="yes"?>'
        f"<Root><ResponseStatus>{status}{stamp}</ResponseStatus>{inside}</Root>"
    )
