"""Deliveries to finance and to the own register over real SFTP, and what they answer."""

import csv
import json
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from connectors.sandbox import finance
from connectors.sandbox.own_register import RETURN_COLUMNS
from connectors.sandbox.town import Town, start
from tests.sandbox.clients import at, control, delivery, publish

PAPER = {
    "event": "new", "customer_number": "000001", "party_kind": "person", "invoice_name": "Mäkinen Esa",
    "street_line": "Koivikkotie 1", "postal_code": "31640", "post_office": "HUMPPILA", "country": "FI",
    "delivery_channel": "paper", "point_ref": "100001", "valid_from": "2026-11-02",
}  # fmt: skip
E_INVOICE = {
    "event": "new", "customer_number": "000002", "party_kind": "organisation", "invoice_name": "Piennar Oy",
    "business_id": "9036813-1", "delivery_channel": "einvoice", "channel_address": "003790368131",
    "channel_operator": "NDEAFIHH", "point_ref": "100002", "valid_from": "2026-11-02",
}  # fmt: skip
EMAIL = PAPER | {
    "street_line": "", "postal_code": "", "post_office": "", "country": "", "delivery_channel": "email",
    "channel_address": "esa@example.invalid", "point_ref": "100003",
}  # fmt: skip


def bill(
    town: Town, rows: list[dict[str, str]], delivery_id: str, sequence: int, **options: Any
) -> Any:
    data, manifest = delivery(finance.COLUMNS, rows, delivery_id, sequence)
    return publish(town, "finance", data, manifest, delivery_id, sequence, **options)


def give_back(
    town: Town, rows: list[dict[str, str]], delivery_id: str, sequence: int, **options: Any
) -> Any:
    data, manifest = delivery(RETURN_COLUMNS, rows, delivery_id, sequence)
    return publish(town, "own_register", data, manifest, delivery_id, sequence, **options)


def test_finance_bills_what_it_is_told_and_says_so(town: Town) -> None:
    answer = bill(town, [PAPER, E_INVOICE, EMAIL], "d1", 1)
    assert answer == {
        "delivery_id": "d1", "sequence": 1, "received_at": "2026-11-02T03:00:00Z", "accepted": 3,
        "rejected": [],
    }  # fmt: skip
    assert town.invoices() == {
        ("000001", "100001"): {"name": "Mäkinen Esa", "to": "Koivikkotie 1, 31640 HUMPPILA, FI"},
        ("000001", "100003"): {"name": "Mäkinen Esa", "to": "esa@example.invalid"},
        ("000002", "100002"): {"name": "Piennar Oy", "to": "003790368131 @ NDEAFIHH"},
    }
    books = control(town, "GET", "/finance").json()
    assert (books["deliveries"], books["accepted"], len(books["ledger"])) == ({"d1": 1}, 3, 3)


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"invoice_name": ""}, "no_name"),
        ({"street_line": ""}, "no_address"),
        ({"postal_code": "3164"}, "bad_postal_code"),
        ({"party_kind": ""}, "no_party_kind"),
        ({"valid_from": "2.11.2026"}, "no_valid_from"),
        ({"customer_number": ""}, "no_key"),
        ({"event": "moved"}, "unknown_event"),
        ({"event": "changed"}, "not_open"),
        ({"event": "ended"}, "not_open"),
        ({"event": "merged"}, "no_merge_target"),
        ({"delivery_channel": "pigeon"}, "unknown_channel"),
        ({"delivery_channel": "einvoice"}, "no_einvoice_address"),
        ({"delivery_channel": "email"}, "no_email"),
        ({"business_id": "9036813-2", "party_kind": "organisation"}, "bad_business_id"),
        ({"business_id": "9036813-1"}, "bad_business_id"),
    ],
)
def test_finance_refuses_a_row_it_cannot_bill_with_the_reason(
    broken: dict[str, str], code: str
) -> None:
    ledger = finance.Ledger()
    rows = [PAPER | broken, E_INVOICE]
    assert ledger.receive(finance.Delivery("d", 1, [_full(r) for r in rows])) == {1: code}
    assert list(ledger.open) == [("000002", "100002")]


def _full(row: dict[str, str]) -> dict[str, str]:
    return dict.fromkeys(finance.COLUMNS, "") | row


def test_finance_follows_a_customer_to_the_end_and_through_a_merger() -> None:
    ledger = finance.Ledger()
    moved = {"event": "changed", "street_line": "Savikuoppatie 2"}
    end = {"event": "ended", "ended_on": "2026-11-30", "final_invoice_line": "Kuutamokatu 3"}
    deliveries = [
        [PAPER, E_INVOICE],
        [PAPER | moved],
        [PAPER | {"event": "merged", "merged_into": "000002"}],
        [PAPER | {"event": "split"}],
        [PAPER | end],
    ]
    open_after = []
    for sequence, rows in enumerate(deliveries, start=1):
        assert not ledger.receive(
            finance.Delivery(f"d{sequence}", sequence, [_full(r) for r in rows])
        )
        open_after.append(sorted(ledger.open))
    esa, pekka = ("000001", "100001"), ("000002", "100001")
    company = ("000002", "100002")
    assert open_after[1] == [esa, company]
    assert open_after[2] == [pekka, company]
    assert ledger.redirects == {"000001": "000002"}
    assert open_after[3] == [esa, pekka, company]
    assert ledger.ended[esa]["final_invoice_line"] == "Kuutamokatu 3"


def test_finance_refuses_a_whole_delivery_it_cannot_trust(town: Town) -> None:
    assert bill(town, [PAPER], "d1", 1)["accepted"] == 1
    assert bill(town, [E_INVOICE], "d3", 3)["rejected"] == [{"row": 1, "code": "sequence_gap"}]
    data, manifest = delivery(finance.COLUMNS, [E_INVOICE], "d2", 2)
    stated = json.loads(manifest)
    short = publish(town, "finance", data[:-3], manifest, "d2", 2)
    assert short is not None
    assert short["rejected"] == [{"row": 1, "code": "checksum"}]
    extra = (*finance.COLUMNS, "phone")
    data, manifest = delivery(extra, [E_INVOICE], "d4", 2)
    wide = publish(town, "finance", data, manifest, "d4", 2)
    assert wide is not None
    assert wide["rejected"] == [{"row": 1, "code": "columns"}]
    assert stated["rows"] == 1
    assert list(town.invoices()) == [("000001", "100001")]


def test_the_same_delivery_is_never_booked_twice() -> None:
    ledger = finance.Ledger()
    first = finance.Delivery("d1", 1, [_full(PAPER)])
    assert ledger.receive(first) == {}
    assert ledger.receive(first) == {1: "delivery_repeated"}
    assert ledger.accepted == 1


def test_an_existing_name_is_never_overwritten_by_a_plain_rename(town: Town) -> None:
    bill(town, [PAPER], "d1", 1)

    async def again(client: asyncssh.SFTPClient) -> None:
        async with client.open("sisaan/x.part", "wb") as file:
            await file.write(b"x")
        with pytest.raises(asyncssh.SFTPError):
            await client.rename("sisaan/x.part", "sisaan/laskutus_00000001_d1.csv")

    at(town, "finance", again)


def test_nobody_sees_outside_the_own_folder(town: Town) -> None:
    async def look(client: asyncssh.SFTPClient) -> list[str]:
        return sorted(str(n) for n in await client.listdir("/") if n not in (".", ".."))

    assert at(town, "finance", look) == ["kuittaus", "sisaan", "vienti"]
    assert at(town, "own_register", look) == ["kuittaus", "sisaan", "vienti"]
    with pytest.raises(asyncssh.PermissionDenied):
        at(town, "finance", look, password="wrong")


def test_the_own_register_applies_a_return_and_shows_it_in_the_next_export(town: Town) -> None:
    number = next(iter(town.truth()["customers"]))
    rows = [
        {
            "customer_number": number,
            "field": "street_line",
            "value": "Vanamotie 77",
            "source": "dvv",
        },
        {"customer_number": "1", "field": "street_line", "value": "Vanamotie 77", "source": "dvv"},
        {"customer_number": number, "field": "shoe_size", "value": "44", "source": "dvv"},
        {"customer_number": number, "field": "name", "value": "Иванов", "source": "dvv"},
        {"customer_number": number, "field": "post_office", "value": " ", "source": "dvv"},
    ]
    answer = give_back(town, rows, "r1", 1)
    assert answer["accepted"] == 1
    assert [r["code"] for r in answer["rejected"]] == [
        "unknown_customer", "unknown_field", "unknown_character", "empty_value",
    ]  # fmt: skip
    town.advance(quiet=True)
    row = _customer(town, number)
    assert row["LAHIOSOITE"] == "Vanamotie 77"
    assert row["MUUTETTU"] == "02.11.2026 02:30"


def _customer(town: Town, number: str) -> dict[str, str]:
    path = (
        town.directory / "own_register" / "vienti" / f"asiakkaat_{town.today.replace('-', '')}.csv"
    )
    with path.open(encoding="windows-1252", newline="") as file:
        return next(r for r in csv.DictReader(file, delimiter=";") if r["ASIAKASNRO"] == number)


def test_a_restarted_town_remembers_what_it_was_told(tmp_path: Path) -> None:
    with start(tmp_path, customers=100, seed=5) as town:
        number = next(iter(town.truth()["customers"]))
        value = {"customer_number": number, "field": "street_line", "value": "Vanamotie 77"}
        bill(town, [PAPER], "d1", 1)
        town.advance()
        give_back(town, [value], "r1", 1)
        town.fault("finance", "lost_acknowledgement")
        assert bill(town, [E_INVOICE], "d2", 2, wait=0.3) is None
        before = town.finance()
    with start(tmp_path, customers=100, seed=5) as again:
        assert again.finance() == before
        again.advance(quiet=True)
        assert _customer(again, number)["LAHIOSOITE"] == "Vanamotie 77"
        answer = tmp_path / "finance" / "kuittaus" / "d2.json"
        assert json.loads(answer.read_bytes())["accepted"] == 1


def test_a_delivery_that_arrived_just_before_the_town_died_is_answered_on_restart(
    tmp_path: Path,
) -> None:
    start(tmp_path, customers=100, seed=5).close()
    data, manifest = delivery(finance.COLUMNS, [PAPER], "d1", 1)
    (tmp_path / "finance" / "sisaan" / "laskutus_00000001_d1.csv").write_bytes(data)
    (tmp_path / "finance" / "sisaan" / "laskutus_00000001_d1.json").write_bytes(manifest)
    with start(tmp_path, customers=100, seed=5) as again:
        assert again.finance()["accepted"] == 1
    assert (tmp_path / "finance" / "kuittaus" / "d1.json").exists()
