"""The town's Netvisor: whom it lets in, what it accepts, and that it remembers; then our recipient against it."""

import hashlib
import hmac
import itertools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from connectors.base import RowAnswer
from connectors.recipients.netvisor import Netvisor
from connectors.recipients.netvisor_customer import COLUMNS, render
from connectors.recipients.netvisor_service import NetvisorOptions
from connectors.sandbox.town import Town, start
from tests.sandbox.clients import control

NOW = datetime(2026, 11, 2, 0, 30, 5, tzinfo=UTC)
_numbers = itertools.count(1)

Spoil = Callable[[dict[str, str]], None]


def call(
    town: Town,
    path: str,
    document: str | None = None,
    transaction: str | None = None,
    spoil: Spoil | None = None,
    patience: float = 5,
) -> requests.Response:
    """A call signed as FORMATS 7.1 says, by a client of the tests' own."""
    door = town.addresses["netvisor"]
    url = f"{door['base_url']}/{path}"
    named = transaction or f"t{next(_numbers)}"
    stamp, unix = "2026-11-02 00:30:05.000", str(int(NOW.timestamp()))
    keys = [door["customer_secret"], door["partner_secret"]]
    parts = [url, door["sender"], door["customer_id"], stamp, "FI", door["organisation_id"], named, unix, *keys]  # fmt: skip
    mac = hmac.new("&".join(keys).encode(), "&".join(parts).encode(), hashlib.sha256).hexdigest()
    start_ = "X-Netvisor-Authentication-"
    headers = {
        f"{start_}Sender": door["sender"],
        f"{start_}CustomerId": door["customer_id"],
        f"{start_}PartnerId": door["partner_id"],
        f"{start_}Timestamp": stamp,
        f"{start_}TimestampUnix": unix,
        f"{start_}TransactionId": named,
        "X-Netvisor-Interface-Language": "FI",
        "X-Netvisor-Organisation-ID": door["organisation_id"],
        f"{start_}UseHTTPResponseStatusCodes": "1",
        f"{start_}MACHashCalculationAlgorithm": "HMACSHA256",
        f"{start_}MAC": mac,
    }
    if spoil:
        spoil(headers)
    method = "GET" if document is None else "POST"
    data = None if document is None else document.encode()
    return requests.request(method, url, data=data, headers=headers, timeout=patience)


def document(
    number: str = "000001", more: str = "", name: str = "Koe Aino", after: str = ""
) -> str:
    return (
        f"<root><customer><customerbaseinformation><internalidentifier>{number}</internalidentifier>"
        f"<name>{name}</name>{more}<isactive>1</isactive><isprivatecustomer>1</isprivatecustomer>"
        f"</customerbaseinformation>{after}</customer></root>"
    )


def add(town: Town, text: str) -> requests.Response:
    return call(town, "customer.nv?method=add", text)


def test_a_customer_is_added_found_shown_and_billed(town: Town) -> None:
    more = (
        "<streetaddress>Koetie 1</streetaddress><city>HUMPPILA</city><postnumber>31640</postnumber>"
    )
    made = add(town, document(more=more + '<country type="ISO-3166">FI</country>'))
    assert made.status_code == 200
    assert "<InsertedDataIdentifier>1<" in made.text
    found = call(town, "customerlist.nv?customercodelist=000001,000009").text
    assert "<Netvisorkey>1</Netvisorkey>" in found
    assert "000009" not in found
    assert "<streetaddress>Koetie 1</streetaddress>" in call(town, "getcustomer.nv?id=1").text
    assert control(town, "GET", "/netvisor").json()["ledger"] == {
        "000001": {
            "name": "Koe Aino",
            "kind": "person",
            "business_id": "",
            "to": "Koetie 1, 31640 HUMPPILA, FI",
        }
    }


def test_what_is_left_out_stays_and_an_empty_element_erases(town: Town) -> None:
    add(town, document(more="<streetaddress>Koetie 1</streetaddress><city>HUMPPILA</city>"))
    call(town, "customer.nv?method=edit&id=1", document(more="<city></city>"))
    shown = call(town, "getcustomer.nv?id=1").text
    assert "<streetaddress>Koetie 1</streetaddress><additional" in shown
    assert "<city></city>" in shown


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("<root><customer></root>", "INVALID_DATA"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + document(), "INVALID_DATA"),
        (document(more="<name>twice</name>"), "INVALID_DATA"),
        (document(more="<postnumber>31640</postnumber><city>HUMPPILA</city>"), "INVALID_DATA"),
        (document(more="<shoesize>38</shoesize>"), "INVALID_DATA"),
        (document(more="<country>FI</country>"), "INVALID_DATA"),
        (document(name="x" * 251), "INVALID_DATA_SIZE"),
        (document(more=f"<city>{'x' * 81}</city>"), "INVALID_DATA_SIZE"),
        (document(name=""), "INVALID_DATA"),
    ],
)
def test_a_document_that_is_out_of_order_is_refused_with_a_code(
    town: Town, text: str, code: str
) -> None:
    refused = add(town, text)
    assert refused.status_code == 400
    assert f"<Status>FAILED</Status><Status>{code} ::" in refused.text
    assert town.netvisor()["customers"] == 0


def test_a_number_is_given_once_and_a_transaction_is_heard_once(town: Town) -> None:
    add(town, document())
    assert "DUPLICATE_DATA" in add(town, document(name="Koe Oiva")).text
    call(town, "customer.nv?method=add", document("000002"), "same")
    again = call(town, "customer.nv?method=add", document("000003"), "same")
    assert "REQUEST_NOT_UNIQUE" in again.text
    assert town.netvisor()["customers"] == 2


def tamper(name: str, value: str) -> Spoil:
    return lambda headers: headers.update({name: value})


def without(name: str) -> Spoil:
    return lambda headers: [headers.pop(name)].clear()


@pytest.mark.parametrize(
    "spoil",
    [
        tamper("X-Netvisor-Authentication-MAC", "0" * 64),
        tamper("X-Netvisor-Authentication-TransactionId", "another"),
        tamper("X-Netvisor-Authentication-TimestampUnix", "1793579406"),
        tamper("X-Netvisor-Authentication-Timestamp", "2.11.2026 0:30:05"),
        tamper("X-Netvisor-Organisation-ID", "2000002-1"),
        tamper("X-Netvisor-Authentication-PartnerId", "Pin_2"),
        tamper("X-Netvisor-Authentication-MACHashCalculationAlgorithm", "MD5"),
        without("X-Netvisor-Interface-Language"),
    ],
)
def test_a_call_that_is_not_signed_as_it_stands_is_not_let_in(town: Town, spoil: Spoil) -> None:
    refused = call(town, "customerlist.nv?customercodelist=1", spoil=spoil)
    assert refused.status_code == 401
    assert "AUTHENTICATION_FAILED" in refused.text


def test_without_the_header_a_failure_comes_with_status_200(town: Town) -> None:
    spoil = without("X-Netvisor-Authentication-UseHTTPResponseStatusCodes")
    failed = call(town, "customer.nv?method=edit&id=9", document(), spoil=spoil)
    assert failed.status_code == 200
    assert "FAILED" in failed.text


def test_a_late_answer_comes_never_and_the_customer_is_there(town: Town) -> None:
    town.fault("netvisor", "late")
    with pytest.raises(requests.ReadTimeout):
        call(town, "customer.nv?method=add", document(), patience=0.3)
    town.clear_faults()
    assert town.netvisor()["customers"] == 1


def test_a_restarted_town_still_has_its_customers(tmp_path: Path) -> None:
    with start(tmp_path / "town", customers=100, seed=7) as town:
        add(town, document())
        call(town, "customer.nv?method=edit&id=1", document(name="Koe Oiva"), "kept")
        before = town.netvisor()
    with start(tmp_path / "town", customers=100, seed=7) as town:
        assert town.netvisor() == before
        assert "REQUEST_NOT_UNIQUE" in call(town, "getcustomer.nv?id=1", None, "kept").text


# --- our recipient over real HTTP -------------------------------------------------------------------


class Notes:
    """A journal in memory."""

    def __init__(self) -> None:
        self.noted: dict[int, RowAnswer] = {}

    def answers(self) -> Mapping[int, RowAnswer]:
        return dict(self.noted)

    def note(self, row: int, answer: RowAnswer) -> None:
        self.noted[row] = answer


BLANK = dict.fromkeys(COLUMNS, "")
PERSON = BLANK | {
    "event": "new", "customer_number": "000001", "customer_state": "paying", "party_kind": "person",
    "invoice_name": "Koe <Aino> & Co", "delivery_channel": "email", "channel_address": "aino@example.org",
}  # fmt: skip
FIRM = BLANK | {
    "event": "new", "customer_number": "000002", "customer_state": "paying", "invoice_name": "Koe Oy",
    "party_kind": "organisation", "business_id": "2000001-1", "delivery_channel": "einvoice",
    "channel_address": "003720000011", "channel_operator": "BANKFIHH",
}  # fmt: skip


def deliver(town: Town, delivery: str, *rows: dict[str, str]) -> dict[int, str]:
    """A whole delivery; the refused rows with their codes."""
    options = NetvisorOptions.from_mapping(town.addresses["netvisor"] | {"timeout": 1.0})
    payload = render(COLUMNS, rows)
    at = Netvisor(options, lambda: NOW, lambda seconds: None).resuming(payload, Notes())
    at.publish(delivery, 1, payload, len(rows))
    answer = at.acknowledgement(delivery, 1)
    assert answer is not None
    return dict(answer.rejected)


def test_payers_come_change_their_channel_and_go(town: Town) -> None:
    assert deliver(town, "d1", PERSON, FIRM) == {}
    ledger = town.netvisor()["ledger"]
    assert ledger["000001"]["to"] == "aino@example.org"
    assert ledger["000002"] == {
        "name": "Koe Oy",
        "kind": "organisation",
        "business_id": "2000001-1",
        "to": "003720000011 @ BANKFIHH",
    }
    on_paper = PERSON | {
        "event": "changed", "delivery_channel": "paper", "channel_address": "", "withdrawn": "email",
        "street_line": "Koetie 1", "postal_code": "31640", "post_office": "HUMPPILA", "country": "FI",
    }  # fmt: skip
    over = BLANK | {"event": "ended", "customer_number": "000002", "customer_state": "ended"}
    assert deliver(town, "d2", on_paper, over) == {}
    ledger = town.netvisor()["ledger"]
    assert ledger["000001"]["to"] == "Koetie 1, 31640 HUMPPILA, FI"
    assert set(ledger) == {"000001"}
    assert town.netvisor()["customers"] == 2
    assert deliver(town, "d3", FIRM) == {}
    assert set(town.netvisor()["ledger"]) == {"000001", "000002"}


@pytest.mark.parametrize("fault", ["late", "half_response", "slow"])
def test_whatever_becomes_of_the_answers_every_row_is_told_once(town: Town, fault: str) -> None:
    town.fault("netvisor", fault, times=1 if fault == "late" else 2)
    assert deliver(town, "d1", PERSON, FIRM) == {}
    assert town.netvisor()["tellings"] == [["add", "000001"], ["add", "000002"]]


@pytest.mark.parametrize("fault", ["maintenance", "technical", "http_500"])
def test_what_passes_is_waited_out(town: Town, fault: str) -> None:
    town.fault("netvisor", fault, times=2)
    assert deliver(town, "d1", PERSON, FIRM) == {}
    assert town.netvisor()["tellings"] == [["add", "000001"], ["add", "000002"]]


def test_a_refused_customer_is_told_by_code(town: Town) -> None:
    town.fault("netvisor", "rejecting")
    assert deliver(town, "d1", PERSON, FIRM) == {1: "INVALID_DATA"}
    assert set(town.netvisor()["ledger"]) == {"000002"}
