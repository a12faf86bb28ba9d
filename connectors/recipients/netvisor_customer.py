"""What a row of the billing extract is in Netvisor: one `customer.nv` document, and what stands there of it.

Belongs here: the elements, their order and limits (FORMATS.md §7.1), the bytes of a delivery and the reading
back of them, what Netvisor's answers hold. Does not belong here: asking, authentication, what became of a row
(`netvisor`).

**An element that is left out stays as it is there, an empty one erases.** So an empty value is left out, and
an element is empty for one reason only: the row says under `withdrawn` that we told it before and it holds no
longer, as the e-mail address of somebody who has gone over to paper. What Netvisor's users or a bank's e-invoice
notice put there is never touched. The country stays: nobody there is without one.

Netvisor keeps customers, not consumption points, and joins no ledgers:

* new, changed, split: the customer as it stands, and active
* ended: inactive once the customer pays for no point any more, else active still
* merged: inactive; its heir comes as a row of its own

A delivery's bytes are one XML document, a row a line; what leaves for a row is its `<root>…</root>`, byte by byte.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from connectors.base import Malformed

COLUMNS = (
    "event", "customer_number", "customer_state", "party_kind", "invoice_name", "street_line",
    "postal_code", "post_office", "country", "business_id", "delivery_channel", "channel_address",
    "channel_operator", "withdrawn",
)  # fmt: skip
"""All that it carries; a contract has exactly these."""

_BASE, _FINVOICE = "customerbaseinformation", "customerfinvoicedetails"
# in the order Netvisor wants them: section, element, greatest length where one is stated
_ELEMENTS: tuple[tuple[str, str, int | None], ...] = (
    (_BASE, "internalidentifier", 50),
    (_BASE, "externalidentifier", None),
    (_BASE, "name", 250),
    (_BASE, "streetaddress", 80),
    (_BASE, "city", 80),
    (_BASE, "postnumber", 50),
    (_BASE, "country", 2),
    (_BASE, "isactive", None),
    (_BASE, "isprivatecustomer", None),
    (_BASE, "emailinvoicingaddress", None),
    (_FINVOICE, "finvoiceaddress", None),
    (_FINVOICE, "finvoiceroutercode", None),
)
_TEXTS = {
    "customer_number": "internalidentifier",
    "business_id": "externalidentifier",
    "invoice_name": "name",
    "street_line": "streetaddress",
    "post_office": "city",
    "postal_code": "postnumber",
    "country": "country",
}
_WORDS = {
    "customer_state": ("isactive", {"paying": "1", "ended": "0"}),
    "party_kind": ("isprivatecustomer", {"person": "1", "organisation": "0"}),
}
# channel → where its address and its operator stand; paper has its place, and nothing else is carried
_CHANNELS = {
    "paper": {},
    "email": {"channel_address": "emailinvoicingaddress"},
    "einvoice": {"channel_address": "finvoiceaddress", "channel_operator": "finvoiceroutercode"},
}
_ERASED = {
    "business_id": "externalidentifier",
    "street_line": "streetaddress",
    "post_office": "city",
    "postal_code": "postnumber",
    "email": "emailinvoicingaddress",
    "einvoice_address": "finvoiceaddress",
    "einvoice_operator": "finvoiceroutercode",
}
_EVENTS = {"new": True, "changed": True, "split": True, "ended": False, "merged": False}
_NUMBER = re.compile(r"[0-9A-Za-z-]+")  # it stands in addresses, between commas
_COUNTRY = re.compile(r"[A-Z]{2}")
# controls, surrogates, line and paragraph marks, private use, unassigned: XML or Netvisor can't carry them
_UNCARRIED = frozenset({"Cc", "Cs", "Zl", "Zp", "Co", "Cn"})
_HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n<delivery>\n'
_TAIL = b"</delivery>\n"
_ROOT = (b"<root>", b"</root>")


@dataclass(frozen=True, repr=False)
class Document:
    """What leaves for one row. elements: name → text, empty where it erases. opens: it may make a customer."""

    customer_number: str
    body: bytes
    elements: Mapping[str, str]
    opens: bool


def render(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    """The bytes of a delivery; `Malformed` names row (from 1) and column of what Netvisor can't carry."""
    if sorted(columns) != sorted(COLUMNS):
        raise Malformed("the contract's columns are not those that Netvisor carries")
    return b"".join([_HEAD, *(_line(n, row) for n, row in enumerate(rows, start=1)), _TAIL])


def parse(payload: bytes) -> list[dict[str, str]]:
    """The rows read back from the bytes, by another parser than wrote them."""
    return [_row(line) for line in read(payload)]


def documents(payload: bytes) -> list[Document]:
    """What leaves for each row of a delivery, in their order."""
    lines = payload.removeprefix(_HEAD).removesuffix(_TAIL).splitlines()
    rows = list(read(payload))
    if len(lines) != len(rows):
        raise Malformed("the delivery is not one row a line")
    return [_document(row, line) for row, line in zip(rows, lines, strict=True)]


def read(body: bytes) -> Element:
    """XML as a tree, its names in small letters; `Malformed` if it is none, or has a DOCTYPE."""
    root: Element | None
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ParseError, ValueError, LookupError):  # defusedxml's own are ValueErrors
        root = None  # raising from here would hang the unreadable text on the error as its context
    if root is None:
        raise Malformed("not XML that can be read")
    for element in root.iter():
        element.tag = element.tag.lower()
    return root


def elements_of(customer: Element) -> dict[str, str]:
    """The elements of a customer that we know of → their text; where one stands twice, the first."""
    known = {name for _, name, _ in _ELEMENTS} | {"netvisorkey", "code"}
    found: dict[str, str] = {}
    for element in customer.iter():
        if element.tag in known:
            found.setdefault(element.tag, (element.text or "").strip())
    return found


def stands(document: Document, there: Mapping[str, str]) -> bool:
    """Whether what Netvisor shows of a customer (`elements_of`) is all that the document says."""
    return all(there.get(name, "") == text.strip() for name, text in document.elements.items())


# --- rows to XML ------------------------------------------------------------------------------------------


def _line(number: int, row: Mapping[str, str]) -> bytes:
    if row.keys() != set(COLUMNS):
        raise Malformed(f"row {number}: its columns are not the contract's")
    for column, problem in _objections(row):
        raise Malformed(f"row {number}, column {column}: {problem}")
    said = _elements(row)
    sections = {
        section: "".join(
            _written(name, said[name])
            for of, name, _ in _ELEMENTS
            if of == section and name in said
        )
        for section in (_BASE, _FINVOICE)
    }
    inside = "".join(f"<{s}>{inner}</{s}>" for s, inner in sections.items() if inner)
    kept = "".join(
        f' {name}="{row[column]}"'
        for name, column in (
            ("event", "event"),
            ("channel", "delivery_channel"),
            ("withdrawn", "withdrawn"),
        )
    )
    return f"<row{kept}><root><customer>{inside}</customer></root></row>\n".encode()


def _elements(row: Mapping[str, str]) -> dict[str, str]:
    said = {element: row[column] for column, element in _TEXTS.items() if row[column]}
    for column, (element, words) in _WORDS.items():
        if row[column]:
            said[element] = words[row[column]]
    for column, element in _CHANNELS.get(row["delivery_channel"], {}).items():
        said[element] = row[column]
    for name in row["withdrawn"].split():
        if name in _ERASED:
            said.setdefault(_ERASED[name], "")
    return said


def _written(name: str, text: str) -> str:
    kind = ' type="ISO-3166"' if name == "country" else ""
    return f"<{name}{kind}>{escape(text)}</{name}>"


def _objections(row: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Column and what is wrong with it, without the value."""
    for column, value in row.items():
        if not {unicodedata.category(c) for c in value}.isdisjoint(_UNCARRIED):
            yield column, "a character that Netvisor can't carry"
    if row["event"] not in _EVENTS:
        yield "event", "no event that Netvisor can carry"
        return
    if not _NUMBER.fullmatch(row["customer_number"]):
        yield "customer_number", "not plain"
    for column, (_, words) in _WORDS.items():
        is_wanted = _EVENTS[row["event"]] or column == "customer_state"
        if row[column] not in words and (is_wanted or row[column]):
            yield column, "no word that Netvisor can carry"
    if row["country"] and not _COUNTRY.fullmatch(row["country"]):
        yield "country", "not two letters"
    if not set(row["withdrawn"].split(" ")) <= {*_ERASED, "country", ""}:
        yield "withdrawn", "no such value"
    channel = row["delivery_channel"]
    if _EVENTS[row["event"]]:
        if not row["invoice_name"]:
            yield "invoice_name", "empty"
        if channel not in _CHANNELS:
            yield "delivery_channel", "no channel that Netvisor can carry"
    elif channel:
        yield "delivery_channel", "given with an end"
    for column in ("channel_address", "channel_operator"):
        if bool(row[column]) != (column in _CHANNELS.get(channel, {})):
            yield column, "not as its channel wants it"
    limits = {name: limit for _, name, limit in _ELEMENTS if limit is not None}
    for column, element in _TEXTS.items():
        if len(row[column]) > limits.get(element, len(row[column])):
            yield column, f"longer than {limits[element]} characters"


# --- XML to rows ------------------------------------------------------------------------------------------


def _row(line: Element) -> dict[str, str]:
    said = {
        element.tag: element.text or ""
        for section in (_BASE, _FINVOICE)
        for element in line.iterfind(f"root/customer/{section}/*")
    }
    channel = line.get("channel", "")
    row = dict.fromkeys(COLUMNS, "") | {
        "event": line.get("event", ""),
        "delivery_channel": channel,
        "withdrawn": line.get("withdrawn", ""),
    }
    row |= {column: said.get(element, "") for column, element in _TEXTS.items()}
    for column, (element, words) in _WORDS.items():
        row[column] = {code: word for word, code in words.items()}.get(said.get(element, ""), "")
    row |= {column: said.get(name, "") for column, name in _CHANNELS.get(channel, {}).items()}
    return row


def _document(row: Element, line: bytes) -> Document:
    begin, end = line.index(_ROOT[0]), line.rindex(_ROOT[1]) + len(_ROOT[1])
    said: dict[str, Any] = elements_of(row)
    return Document(
        customer_number=said["internalidentifier"],
        body=line[begin:end],
        elements=said,
        opens=_EVENTS[row.get("event", "")],
    )
