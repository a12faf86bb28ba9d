"""A recipient in Netvisor: exact documents, signed calls, each row told once whatever the answer."""

import hashlib
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import (
    ConnectorError,
    Malformed,
    NotRecognised,
    OutcomeUnknown,
    Receipt,
    Recipient,
    Refused,
    Resuming,
    RowAnswer,
    Unavailable,
)
from connectors.recipients.netvisor import Netvisor, connect, transaction_id
from connectors.recipients.netvisor_customer import COLUMNS, documents, parse, read, render
from connectors.recipients.netvisor_service import NetvisorOptions, headers
from tests.connectors.fake_http import Asked, FakeServer, Reply

CANARY = "Kanarialintu"
NOW = datetime(2026, 11, 2, 0, 30, 5, 42_000, UTC)
DELIVERY = "3f0c2b1a0001"
OPTIONS: dict[str, Any] = {
    "base_url": "https://integration.netvisor.fi",
    "sender": "register-hub",
    "customer_id": "FI_1",
    "customer_secret": "kå",
    "partner_id": "Pin_1",
    "partner_secret": "pk",
    "organisation_id": "2000001-1",
}
PAPER = dict.fromkeys(COLUMNS, "") | {
    "event": "new", "customer_number": "000001", "customer_state": "paying", "party_kind": "person",
    "invoice_name": "Mäkelä Åke", "street_line": "Koetie 1 & 2", "postal_code": "31640",
    "post_office": "HUMPPILA", "country": "FI", "delivery_channel": "paper",
}  # fmt: skip
PLACE = dict.fromkeys(("street_line", "postal_code", "post_office", "country"), "")
EINVOICE = PAPER | PLACE | {
    "customer_number": "000002", "party_kind": "organisation", "invoice_name": "Koe Oy",
    "business_id": "2000001-1", "delivery_channel": "einvoice", "channel_address": "003720000011",
    "channel_operator": "BANKFIHH",
}  # fmt: skip
EMAIL = PAPER | PLACE | {
    "customer_number": "000003", "delivery_channel": "email", "channel_address": "ake@example.org",
}  # fmt: skip
ENDED = dict.fromkeys(COLUMNS, "") | {
    "event": "ended", "customer_number": "000001", "customer_state": "ended",
}  # fmt: skip


def changed(row: Mapping[str, str], **values: str) -> dict[str, str]:
    return {**row, "event": "changed", **values}


def body(row: Mapping[str, str]) -> str:
    """What leaves for one row."""
    return documents(render(COLUMNS, [row]))[0].body.decode()


# ── documents ───────────────────────────────────────────────────────────────────────────────────


def test_the_document_of_a_payer_on_paper() -> None:
    assert body(PAPER) == (
        "<root><customer><customerbaseinformation>"
        "<internalidentifier>000001</internalidentifier><name>Mäkelä Åke</name>"
        "<streetaddress>Koetie 1 &amp; 2</streetaddress><city>HUMPPILA</city>"
        '<postnumber>31640</postnumber><country type="ISO-3166">FI</country>'
        "<isactive>1</isactive><isprivatecustomer>1</isprivatecustomer>"
        "</customerbaseinformation></customer></root>"
    )


def test_the_document_of_an_organisation_by_e_invoice() -> None:
    assert body(EINVOICE) == (
        "<root><customer><customerbaseinformation>"
        "<internalidentifier>000002</internalidentifier>"
        "<externalidentifier>2000001-1</externalidentifier><name>Koe Oy</name>"
        "<isactive>1</isactive><isprivatecustomer>0</isprivatecustomer>"
        "</customerbaseinformation><customerfinvoicedetails>"
        "<finvoiceaddress>003720000011</finvoiceaddress>"
        "<finvoiceroutercode>BANKFIHH</finvoiceroutercode>"
        "</customerfinvoicedetails></customer></root>"
    )


@pytest.mark.parametrize(("state", "active"), [("ended", "0"), ("paying", "1")])
def test_an_end_says_whether_the_customer_is_over_and_nothing_else(state: str, active: str) -> None:
    assert body(ENDED | {"customer_state": state}) == (
        "<root><customer><customerbaseinformation>"
        "<internalidentifier>000001</internalidentifier>"
        f"<isactive>{active}</isactive></customerbaseinformation></customer></root>"
    )


@pytest.mark.parametrize("row", [PAPER, EINVOICE, EMAIL, ENDED])
def test_an_empty_value_is_left_out_so_that_nothing_is_erased(row: dict[str, str]) -> None:
    assert not [e for e in read(body(row).encode()).iter() if len(e) == 0 and not e.text]


@pytest.mark.parametrize(
    ("row", "withdrawn", "erased"),
    [
        (PAPER, "email", {"emailinvoicingaddress"}),
        (PAPER, "einvoice_address einvoice_operator", {"finvoiceaddress", "finvoiceroutercode"}),
        (EMAIL, "street_line postal_code post_office country", {"streetaddress", "postnumber", "city"}),
        (changed(PAPER, postal_code="", country="SE"), "postal_code", {"postnumber"}),
    ],
)  # fmt: skip
def test_what_was_told_and_holds_no_longer_is_erased_and_nothing_else(
    row: dict[str, str], withdrawn: str, erased: set[str]
) -> None:
    """The country stays: nobody in Netvisor is without one."""
    root = read(body(changed(row, withdrawn=withdrawn)).encode())
    assert {e.tag for e in root.iter() if len(e) == 0 and not e.text} == erased


TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Co", "Cn")), min_size=1, max_size=80
)
ROWS = st.lists(
    st.builds(
        lambda base, name, line, withdrawn: (
            base
            | ({"invoice_name": name} if base["invoice_name"] else {})
            | ({"street_line": line} if base["street_line"] else {})
            | {"withdrawn": withdrawn}
        ),
        st.sampled_from([PAPER, EINVOICE, EMAIL, ENDED]),
        TEXT,
        TEXT,
        st.sampled_from(["", "email", "einvoice_address einvoice_operator"]),
    ),
    max_size=4,
)


@given(rows=ROWS)
def test_rows_read_back_from_the_bytes_by_another_parser(rows: list[dict[str, str]]) -> None:
    for row in rows:
        if row["delivery_channel"] in ("email", "einvoice"):
            row["withdrawn"] = ""
    payload = render(COLUMNS, rows)
    assert parse(payload) == rows
    assert all(one.body in payload for one in documents(payload))


@pytest.mark.parametrize(
    ("wrong", "column"),
    [
        ({"invoice_name": CANARY + "\x07"}, "invoice_name"),
        ({"invoice_name": CANARY + "\n"}, "invoice_name"),
        ({"invoice_name": CANARY + "\ufffe"}, "invoice_name"),
        ({"invoice_name": CANARY + "\ud800"}, "invoice_name"),
        ({"invoice_name": CANARY.ljust(251, "i")}, "invoice_name"),
        ({"invoice_name": ""}, "invoice_name"),
        ({"street_line": CANARY.ljust(81, "i")}, "street_line"),
        ({"post_office": CANARY.ljust(81, "I")}, "post_office"),
        ({"postal_code": CANARY.ljust(51, "1")}, "postal_code"),
        ({"country": "Fin" + CANARY}, "country"),
        ({"customer_number": "1,2"}, "customer_number"),
        ({"customer_number": "1" * 51}, "customer_number"),
        ({"customer_state": CANARY}, "customer_state"),
        ({"party_kind": ""}, "party_kind"),
        ({"event": CANARY}, "event"),
        ({"delivery_channel": "portal"}, "delivery_channel"),
        ({"channel_address": CANARY}, "channel_address"),
        ({"withdrawn": CANARY}, "withdrawn"),
    ],
)
def test_what_netvisor_cannot_carry_is_refused_by_row_and_column_without_the_value(
    wrong: dict[str, str], column: str
) -> None:
    with pytest.raises(Malformed) as refused:
        render(COLUMNS, [EMAIL, PAPER | wrong])
    assert f"row 2, column {column}:" in str(refused.value)
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_a_contract_with_other_columns_is_refused() -> None:
    columns = (*COLUMNS, "point_ref")
    with pytest.raises(Malformed, match="columns"):
        render(columns, [PAPER | {"point_ref": "KP1"}])


@pytest.mark.parametrize(
    "hostile",
    [
        b'<!DOCTYPE root [<!ENTITY a "aaaa">]><root>&a;</root>',
        b'<!DOCTYPE root SYSTEM "file:///etc/hostname"><root/>',
        b"<root><open></root>",
        b"",
        b'<?xml version="1.0" encoding="unheard-of"?><root/>',
    ],
)
def test_xml_that_is_none_or_has_a_doctype_is_not_read(hostile: bytes) -> None:
    with pytest.raises(Malformed) as refused:
        read(hostile)
    assert refused.value.__context__ is None


# ── who we are ──────────────────────────────────────────────────────────────────────────────────


def test_the_signature_is_the_one_openssl_makes() -> None:
    """HMAC-SHA-256 of the whole address and the rest, joined by &, keyed by both keys, all in Latin-1."""
    options = NetvisorOptions.from_mapping(OPTIONS)
    url = "https://integration.netvisor.fi/customer.nv?method=edit&id=17"
    signed = headers(options, url, "0123456789abcdef", NOW)
    assert signed["X-Netvisor-Authentication-MAC"] == (
        "c3e3d8e8c9f8927e5898d8cfc84d0625c8f4e5c61dc1e4a9d4822c9cc6298133"
    )
    assert signed["X-Netvisor-Authentication-Timestamp"] == "2026-11-02 00:30:05.042"
    assert signed["X-Netvisor-Authentication-TimestampUnix"] == "1793579405"
    assert signed["X-Netvisor-Authentication-MACHashCalculationAlgorithm"] == "HMACSHA256"
    assert not {"kå", "pk"} & set(signed.values())


def test_keys_are_shown_by_nobody() -> None:
    assert "kå" not in repr(NetvisorOptions.from_mapping(OPTIONS | {"partner_secret": "kå"}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("customer_secret", None),
        ("sender", "two\nlines"),
        ("sender", "euro €"),
        ("organisation_id", "20000011"),
        ("language", "SV"),
        ("attempts", 0),
        ("base_url", "http://elsewhere.example"),
        ("folder", {}),
    ],
)
def test_an_option_that_cannot_be_used_is_named(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=key if key != "base_url" else "https"):
        connect(OPTIONS | {key: value}, lambda: NOW)


def test_a_call_is_named_for_good_by_delivery_row_and_attempt() -> None:
    named = {transaction_id(d, r, a) for d in ("a", "b") for r in (1, 11) for a in (1, 2)}
    assert len(named) == 8
    assert transaction_id(DELIVERY, 1, 1) == transaction_id(DELIVERY, 1, 1)
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in named)


# ── telling ─────────────────────────────────────────────────────────────────────────────────────


class Killed(BaseException):
    """The process dies here."""


def said(*statuses: str, inside: str = "", status: int = 200) -> Reply:
    told = "".join(f"<Status>{s}</Status>" for s in statuses)
    root = f"<Root><ResponseStatus>{told}</ResponseStatus>{inside}</Root>"
    return Reply(status, root.encode())


def failed(code: str, status: int = 200) -> Reply:
    return said("FAILED", f"{code} :: {CANARY} lives at Koetie 1", status=status)


@dataclass
class Desk:
    """Netvisor's side: customers by number, and what it does with the next tellings: (carried out, answer)."""

    script: list[tuple[bool, Reply | None]] = field(default_factory=list)
    held: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)
    asked: list[Asked] = field(default_factory=list)
    is_unique: bool = False

    def __call__(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        resource = asked.path.partition("?")[0]
        if resource == "/customerlist.nv":
            codes = asked.path.rpartition("=")[2].split(",")
            keys = [(self._key(n), n) for n in self.held if n in codes]
            return said(
                "OK",
                inside="<CustomerList>"
                + "".join(
                    f"<Customer><NetvisorKey>{k}</NetvisorKey><Code>{n}</Code></Customer>"
                    for k, n in keys
                )
                + "</CustomerList>",
            )
        if resource == "/getcustomer.nv":
            number = list(self.held)[int(asked.path.rpartition("=")[2]) - 1]
            return said("OK", inside=self.held[number])
        return self._telling(asked)

    def _key(self, number: str) -> int:
        return list(self.held).index(number) + 1

    def _telling(self, asked: Asked) -> Reply:
        transaction = asked.headers["X-Netvisor-Authentication-TransactionId"]
        if transaction in self.heard:
            return failed("REQUEST_NOT_UNIQUE", 409)
        self.heard.add(transaction)
        carried_out, reply = self.script.pop(0) if self.script else (True, None)
        text = asked.body.decode()
        number = text.partition("<internalidentifier>")[2].partition("<")[0]
        if carried_out:
            self.told.append(number)
            self.held[number] = text.removeprefix("<root>").removesuffix("</root>")
        inside = f"<Replies><InsertedDataIdentifier>{self._key(number)}</InsertedDataIdentifier></Replies>" if carried_out else ""  # fmt: skip
        return reply or said("OK", inside=inside)

    @property
    def tellings(self) -> list[Asked]:
        return [a for a in self.asked if a.path.startswith("/customer.nv")]


@dataclass
class Notes:
    """A journal in memory; dies before or after the note of the given number."""

    noted: dict[int, RowAnswer] = field(default_factory=dict)
    dies_at: int = -1
    keeps_it: bool = True
    count: int = 0

    def answers(self) -> Mapping[int, RowAnswer]:
        return dict(self.noted)

    def note(self, row: int, answer: RowAnswer) -> None:
        self.count += 1
        if self.count != self.dies_at or self.keeps_it:
            self.noted[row] = answer
        if self.count == self.dies_at:
            raise Killed

    @property
    def states(self) -> list[str]:
        return [self.noted[row].state for row in sorted(self.noted)]


@dataclass
class Hub:
    """Our side of a delivery to a desk."""

    url: str
    rows: list[dict[str, str]]
    journal: Notes = field(default_factory=Notes)
    waits: list[float] = field(default_factory=list)
    timeout: float = 2.0

    @property
    def payload(self) -> bytes:
        return render(COLUMNS, self.rows)

    def recipient(self) -> Recipient:
        given = OPTIONS | {"base_url": self.url, "timeout": self.timeout, "attempts": 3}
        netvisor = Netvisor(NetvisorOptions.from_mapping(given), lambda: NOW, self.waits.append)
        assert isinstance(netvisor, Resuming)
        return netvisor.resuming(self.payload, self.journal)

    def publish(self) -> Receipt:
        return self.recipient().publish(DELIVERY, 7, self.payload, len(self.rows))

    def look(self) -> Receipt | None:
        return self.recipient().look(DELIVERY, 7)

    def answer(self) -> tuple[int, dict[int, str]] | None:
        given = self.recipient().acknowledgement(DELIVERY, 7)
        return None if given is None else (given.accepted, dict(given.rejected))


@contextmanager
def opened(desk: Callable[[Asked], Reply], *rows: dict[str, str], **more: Any) -> Iterator[Hub]:
    with FakeServer(desk) as server:
        yield Hub(server.url, list(rows or (PAPER,)), **more)


def test_everybody_is_asked_for_once_and_told_once() -> None:
    desk = Desk()
    with opened(desk, PAPER, EINVOICE, EMAIL) as hub:
        receipt = hub.publish()
        assert receipt == Receipt(
            f"{DELIVERY}.xml", len(hub.payload), hashlib.sha256(hub.payload).hexdigest()
        )
        assert hub.look() == receipt
        assert hub.answer() == (3, {})
    assert desk.told == ["000001", "000002", "000003"]
    assert [a.path for a in desk.asked] == [
        "/customerlist.nv?customercodelist=000001,000002,000003",
        *["/customer.nv?method=add"] * 3,
    ]
    assert desk.tellings[0].body == documents(hub.payload)[0].body
    ids = [a.headers["X-Netvisor-Authentication-TransactionId"] for a in desk.asked]
    assert len(set(ids)) == 4
    assert ids[1:] == [transaction_id(DELIVERY, row, 1) for row in (1, 2, 3)]


def test_who_exists_is_edited_by_the_key_netvisor_gave() -> None:
    desk = Desk()
    with opened(desk, PAPER, changed(PAPER, invoice_name="Mäkelä Aake")) as hub:
        hub.publish()
    assert [a.path for a in desk.tellings] == [
        "/customer.nv?method=add",
        "/customer.nv?method=edit&id=1",
    ]


def test_no_more_than_a_hundred_customers_are_asked_for_at_once() -> None:
    desk = Desk()
    rows = [EMAIL | {"customer_number": f"{n:06}"} for n in range(101)]
    with opened(desk, *rows) as hub:
        hub.publish()
    lists = [a.path for a in desk.asked if a.path.startswith("/customerlist")]
    assert [path.count(",") + 1 for path in lists] == [100, 1]


def test_an_end_of_somebody_netvisor_does_not_hold_is_refused_and_nobody_is_made() -> None:
    desk = Desk()
    with opened(desk, ENDED) as hub:
        hub.publish()
        assert hub.answer() == (0, {1: "UNKNOWN_CUSTOMER"})
    assert desk.tellings == []


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize("code", ["INVALID_DATA", "INVALID_DATA_SIZE", "PERIOD_LOCK"])
def test_a_row_netvisor_refuses_is_refused_by_code_and_the_others_are_told(
    code: str, status: int
) -> None:
    """HTTP 200 with FAILED is a failure. The text beside the code quotes the row: it is never kept."""
    desk = Desk([(True, None), (False, failed(code, status))])
    with opened(desk, PAPER, EINVOICE, EMAIL) as hub:
        hub.publish()
        assert hub.answer() == (2, {2: code})
        assert CANARY not in repr(hub.journal)
    assert desk.told == ["000001", "000003"]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (failed("AUTHENTICATION_FAILED"), NotRecognised),
        (failed("AUTHENTICATION_FAILED", 401), NotRecognised),
        (Reply(401), NotRecognised),
        (failed("SERVICE_ACCESS_ERROR"), Refused),
        (failed("SOMETHING_NEW"), Refused),
        (failed(f"{CANARY} without a code"), Refused),
        (Reply(404), Refused),
    ],
)
def test_what_is_no_fault_of_the_row_makes_the_delivery_wait(
    reply: Reply, error: type[ConnectorError]
) -> None:
    desk = Desk([(True, None), (False, reply)])
    with opened(desk, PAPER, EINVOICE, EMAIL) as hub:
        with pytest.raises(error) as waits:
            hub.publish()
        assert CANARY not in "".join(traceback.format_exception(waits.value))
        assert hub.journal.states == ["taken", "leaving"]
        assert hub.answer() is None
        assert hub.look() is None
        assert len(desk.tellings) == 2
        desk.heard.clear()  # a call that was not let in is not remembered
        hub.publish()
    assert desk.told == ["000001", "000002", "000003"]


@pytest.mark.parametrize(
    "reply", [failed("SYSTEM_MAINTANANCE", 503), failed("TECHNICAL_ERROR"), Reply(500), Reply(429)]
)
def test_maintenance_and_technical_errors_are_tried_again_a_few_times_under_new_ids(
    reply: Reply,
) -> None:
    desk = Desk([(False, reply)])
    with opened(desk) as hub:
        hub.publish()
        assert hub.waits == [2.0]
    assert desk.told == ["000001"]
    desk = Desk([(False, reply)] * 3)
    with opened(desk) as hub:
        with pytest.raises(Unavailable, match="3 times"):
            hub.publish()
        assert hub.journal.noted == {1: RowAnswer("leaving", attempt=3)}
        assert hub.look() is None
    assert desk.told == []


def test_a_technical_error_after_the_row_was_carried_out_tells_it_once() -> None:
    desk = Desk([(True, failed("TECHNICAL_ERROR", 500))])
    with opened(desk) as hub:
        hub.publish()
        assert hub.answer() == (1, {})
    assert desk.told == ["000001"]


@pytest.mark.parametrize(
    "lost", [Reply(silent=True), Reply(promised=900), Reply(200, b"<html>proxy</html>")]
)
@pytest.mark.parametrize("known", [False, True])
def test_an_answer_lost_after_the_row_was_carried_out_ends_with_the_row_told_once(
    lost: Reply, known: bool
) -> None:
    desk = Desk([(True, lost)], held={"000001": "<customer/>"} if known else {})
    with opened(desk, PAPER, EMAIL, timeout=0.3) as hub:
        hub.publish()
        assert hub.answer() == (2, {})
    assert desk.told == ["000001", "000003"]


def test_a_call_lost_on_its_way_is_unknown_and_told_in_the_next_run_under_the_same_id() -> None:
    desk = Desk([(False, Reply(silent=True))])
    with opened(desk, PAPER, EMAIL, timeout=0.3) as hub:
        with pytest.raises(OutcomeUnknown, match="row 1"):
            hub.publish()
        assert hub.look() is None
        assert len(desk.tellings) == 1
        desk.heard.clear()  # it never arrived
        hub.publish()
        assert hub.answer() == (2, {})
    assert desk.told == ["000001", "000003"]
    ids = [a.headers["X-Netvisor-Authentication-TransactionId"] for a in desk.tellings]
    assert ids[0] == ids[1]


def test_a_row_that_arrives_after_we_gave_up_waiting_is_found_and_not_told_again() -> None:
    desk = Desk([(False, Reply(silent=True))])
    with opened(desk, timeout=0.3) as hub:
        with pytest.raises(OutcomeUnknown):
            hub.publish()
        desk.held["000001"] = body(PAPER).removeprefix("<root>").removesuffix("</root>")
        assert hub.look() is not None
        assert hub.answer() == (1, {})
    assert len(desk.tellings) == 1


def test_a_row_heard_and_never_carried_out_takes_a_new_id_in_the_next_run_only() -> None:
    desk = Desk(heard={transaction_id(DELIVERY, 1, 1)})
    with opened(desk) as hub:
        with pytest.raises(OutcomeUnknown, match="heard before"):
            hub.publish()
        assert desk.told == []
        hub.publish()
    assert desk.told == ["000001"]


def test_a_customer_made_by_a_call_we_know_nothing_of_is_not_made_twice() -> None:
    """DUPLICATE_DATA: the number is taken by a customer that the list did not show yet."""
    desk = Desk([(True, failed("DUPLICATE_DATA"))])
    with opened(desk) as hub:
        hub.publish()
        assert hub.answer() == (1, {})
    assert desk.told == ["000001"]


def test_a_duplicate_that_is_not_our_number_is_the_rows_fault() -> None:
    desk = Desk([(False, failed("DUPLICATE_DATA"))])
    with opened(desk) as hub:
        hub.publish()
        assert hub.answer() == (0, {1: "DUPLICATE_DATA"})


@pytest.mark.parametrize("keeps_it", [True, False])
@pytest.mark.parametrize("dies_at", range(1, 9))
def test_killed_at_any_note_and_run_again_every_row_is_told_once(
    dies_at: int, keeps_it: bool
) -> None:
    desk = Desk([(True, None), (False, failed("INVALID_DATA"))])
    rows = (PAPER, EINVOICE, EMAIL, PAPER | {"customer_number": "000004"})
    with opened(desk, *rows, journal=Notes(dies_at=dies_at, keeps_it=keeps_it)) as hub:
        with pytest.raises(Killed):
            hub.publish()
        before = list(desk.told)
        hub.look()
        try:
            hub.publish()
        except (
            OutcomeUnknown
        ):  # refused before it died: its first id is spent, nothing stands there
            hub.publish()
        assert hub.answer() is not None
    assert desk.told[: len(before)] == before
    assert len(set(desk.told)) == len(desk.told)
    assert {"000001", "000003", "000004"} <= set(desk.told)


def test_a_number_that_netvisor_holds_twice_is_for_a_person() -> None:
    twice = "<Customer><NetvisorKey>{}</NetvisorKey><Code>000001</Code></Customer>"
    both = "".join(twice.format(n) for n in (1, 2))
    desk = said("OK", inside=f"<CustomerList>{both}</CustomerList>")
    with opened(lambda asked: desk) as hub, pytest.raises(Refused, match="twice"):
        hub.publish()


def test_other_bytes_than_the_sealed_ones_are_not_told() -> None:
    desk = Desk()
    with opened(desk) as hub:
        recipient = hub.recipient()
        with pytest.raises(Malformed):
            recipient.publish(DELIVERY, 7, render(COLUMNS, [EMAIL]), 1)
    assert desk.asked == []


def test_without_a_journal_nothing_is_told_and_nothing_is_claimed() -> None:
    netvisor = connect(OPTIONS, lambda: NOW)
    payload = render(COLUMNS, [PAPER])
    for call in (
        lambda: netvisor.publish(DELIVERY, 7, payload, 1),
        lambda: netvisor.look(DELIVERY, 7),
        lambda: netvisor.acknowledgement(DELIVERY, 7),
    ):
        with pytest.raises(RuntimeError, match="journal"):
            call()


def test_a_check_asks_about_nobody_and_tells_nothing() -> None:
    desk = Desk()
    with opened(desk) as hub:
        assert "lets us in as register-hub" in hub.recipient().check()
    assert [(a.method, a.path) for a in desk.asked] == [
        ("GET", "/customerlist.nv?changedsince=2026-11-03T00:00:00")
    ]


def test_a_check_says_when_netvisor_does_not_let_us_in() -> None:
    refused = pytest.raises(NotRecognised, match="AUTHENTICATION_FAILED")
    with opened(lambda asked: failed("AUTHENTICATION_FAILED", 401)) as hub, refused:
        hub.recipient().check()


def test_a_question_is_repeated_under_a_new_id_while_netvisor_is_being_maintained() -> None:
    answers = [failed("SYSTEM_MAINTANANCE", 503), Reply(500), said("OK")]
    asked: list[Asked] = []

    def desk(one: Asked) -> Reply:
        asked.append(one)
        return answers.pop(0)

    with opened(desk) as hub:
        hub.recipient().check()
        assert hub.waits == [2.0, 4.0]
    ids = {a.headers["X-Netvisor-Authentication-TransactionId"] for a in asked}
    assert len(ids) == 3
