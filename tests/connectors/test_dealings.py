"""Invoices, orders and visits as they are dropped: read by the shipped mappings, from a folder."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.base import Ask, Batch, Malformed, NobodyLends, Opening, OtherColumns
from connectors.sources import registrations
from pipelines.catalogue import SOURCE_CONNECTORS
from tests.connectors.test_registrations import FakeTokens

SOURCES = Path(__file__).parents[2] / "config" / "sources"
OPTIONS = SOURCE_CONNECTORS["registrations"].options
DAY = "2026-11-04"
INVOICE = {
    "LASKUNRO": "L1", "ASIAKASNRO": "000017", "TILA": "AVOIN", "ERAPAIVA": "16.11.2026",
    "SUMMA_AVOIN": "93,20", "VIITE": "viite1", "MUUTETTU": "02.11.2026 06:00",
}  # fmt: skip
ORDER = {
    "TILAUSNRO": "T1", "ASIAKASNRO": "20001", "KULUTUSPISTE": "100041", "LAJI": "LIITTYMA",
    "TILATTU": "01.10.2026", "LISATIETO": "soita Eeville",
}  # fmt: skip
VISIT = {"KAYNTINRO": "K1", "TYYPPI": "Y", "NIMI": "Piennar Oy", "PUHELIN": "0505550000"}
SEEN = {"KOHDENRO": "M1", "KIINTEISTOTUNNUS": "10340100010001", "LUKEMA_M3": "412"}


class Drop:
    """A folder that one of the three sources reads, with changes to its file."""

    def __init__(self, path: Path, name: str, **changes: Any) -> None:
        self.path = path
        config = yaml.safe_load((SOURCES / f"{name}.yml").read_text("utf-8")) | changes
        self.options = {k: v for k, v in config.items() if k in OPTIONS}
        self.options["folder"] = {"kind": "folder", "path": str(path)}

    def deliver(
        self, stamp: str = "20261103", /, without: str = "", **tables: Sequence[Mapping[str, str]]
    ) -> None:
        marker = {}
        for table, rows in tables.items():
            mapping = self.options["files"][table]
            columns = [mapping["key"], *mapping["columns"], mapping["source_time"]]
            columns += sorted({c for row in rows for c in row} - set(columns))
            columns = [c for c in columns if c != without]
            lines = [columns, *([row.get(c, "") for c in columns] for row in rows)]
            payload = "".join(";".join(line) + "\r\n" for line in lines).encode()
            (self.path / f"{table}_{stamp}.csv").write_bytes(payload)
            digest = hashlib.sha256(payload).hexdigest()
            marker[f"{table}_{stamp}.csv"] = {"rivit": len(rows), "sha256": digest}
        (self.path / f"valmis_{stamp}.json").write_text(json.dumps({"tiedostot": marker}))

    def fetch(self, cursor: Mapping[str, Any] | None = None) -> Batch:
        source = registrations.connect(
            self.options, Opening(FakeTokens(), NobodyLends(), lambda: DAY)
        )
        return source.fetch(Ask(cursor, frozenset(), DAY, lambda operation, keys: None))


@pytest.fixture
def invoices(tmp_path: Path) -> Drop:
    return Drop(tmp_path, "finance_status")


@pytest.fixture
def news(tmp_path: Path) -> Drop:
    """Orders, dropped as what is new since the drop before."""
    return Drop(tmp_path, "orders", complete=False)


def contents(batch: Batch) -> dict[str, Mapping[str, Any]]:
    return {record.key: record.content for record in batch.records}


def test_an_invoice_is_its_customers_number_its_state_and_its_days(invoices: Drop) -> None:
    invoices.deliver(laskut=[INVOICE])
    batch = invoices.fetch()
    assert contents(batch) == {
        "L1": {"customer_number": "000017", "invoice_state": "open", "due_date": "2026-11-16"}
    }
    assert (batch.records[0].kind, batch.total, batch.whole) == ("invoice", 1, {"invoice"})


def test_amounts_and_references_are_dropped_at_the_door_and_counted(invoices: Drop) -> None:
    """R9: there is no word for them."""
    invoices.deliver(laskut=[INVOICE])
    assert invoices.fetch().dropped == {"SUMMA_AVOIN": 1, "VIITE": 1}
    with pytest.raises(ValueError, match="invoice has no field amount"):
        columns = {"SUMMA": {"field": "amount"}}
        entry = {**invoices.options["files"]["laskut"], "columns": columns}
        Drop(invoices.path, "finance_status", files={"laskut": entry}).fetch()


def test_a_row_without_its_state_or_customer_and_a_state_nobody_agreed_on_are_refused(
    invoices: Drop,
) -> None:
    rows = [
        INVOICE | {"LASKUNRO": "L2", "TILA": ""},
        INVOICE | {"LASKUNRO": "L3", "ASIAKASNRO": ""},
        INVOICE | {"LASKUNRO": "L4", "TILA": "HUKASSA"},
    ]
    invoices.deliver(laskut=[INVOICE, *rows])
    batch = invoices.fetch()
    told = {fault.key: fault.rule for fault in batch.faults}
    assert told == {"L2": "missing_value", "L3": "missing_value", "L4": "unknown_code"}
    assert list(contents(batch)) == ["L1"]


def test_an_empty_drop_is_believed_of_a_marker_that_says_so(invoices: Drop) -> None:
    invoices.deliver(laskut=[])
    batch = invoices.fetch()
    assert (batch.records, batch.total, batch.whole) == ([], 0, {"invoice"})
    unmarked = Drop(invoices.path, "finance_status", manifest=False)
    with pytest.raises(Malformed, match="no row"):
        unmarked.fetch()


def test_an_unchanged_drop_says_how_many_there_are_and_claims_nothing_of_the_rest(
    invoices: Drop,
) -> None:
    invoices.deliver(laskut=[INVOICE])
    cursor = invoices.fetch().cursor
    again = invoices.fetch(cursor)
    assert (again.records, again.total, again.whole) == ((), 1, frozenset())


@pytest.mark.parametrize("column", ["TILA", "ASIAKASNRO", "LASKUNRO"])
def test_a_drop_without_an_agreed_column_is_refused_whole(invoices: Drop, column: str) -> None:
    invoices.deliver(laskut=[INVOICE], without=column)
    with pytest.raises(OtherColumns, match=column):
        invoices.fetch()


def test_news_is_read_from_every_drop_since_the_last_in_their_order(news: Drop) -> None:
    news.deliver("20261101", tilaukset=[ORDER])
    first = news.fetch()
    assert (first.total, first.whole) == (None, frozenset()), "a part says nothing of the whole"
    news.deliver("20261102", tilaukset=[ORDER | {"LAJI": "MITTARI"}, ORDER | {"TILAUSNRO": "T2"}])
    news.deliver("20261103", tilaukset=[])
    second = news.fetch(first.cursor)
    assert {key: told["order_kind"] for key, told in contents(second).items()} == {
        "T1": "meter", "T2": "connection",
    }  # fmt: skip
    assert (second.fetched, second.cursor["delivery"]) == (2, "20261103"), "none is read twice"
    assert news.fetch(second.cursor).records == ()
    assert len(news.fetch().records) == 3, "whoever has read nothing reads all that stands there"


def test_a_row_that_a_later_drop_puts_right_is_no_fault_any_more(news: Drop) -> None:
    undated = [ORDER | {"TILATTU": "eilen"}, ORDER | {"TILAUSNRO": "T2", "TILATTU": "?"}]
    news.deliver("20261101", tilaukset=[*undated, ORDER | {"TILAUSNRO": "T3"}])
    news.deliver("20261102", tilaukset=[ORDER])
    batch = news.fetch()
    assert list(contents(batch)) == ["T3", "T1"]
    assert [(fault.key, fault.rule) for fault in batch.faults] == [("T2", "not_a_date")]


def test_only_dealings_may_come_as_news(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="complete"):
        Drop(tmp_path, "subcontractor", complete=False).fetch()
    with pytest.raises(ValueError, match="keep"):
        Drop(tmp_path, "orders", keep="ours").fetch()


def test_an_order_is_a_kind_a_day_and_a_point_and_never_its_text(tmp_path: Path) -> None:
    drop = Drop(tmp_path, "orders")
    drop.deliver(tilaukset=[ORDER, ORDER | {"TILAUSNRO": "T2", "LAJI": "KAIVO"}])
    batch = drop.fetch()
    assert contents(batch)["T1"] == {
        "customer_number": "20001", "point_ref": "100041", "order_kind": "connection",
        "ordered_on": "2026-10-01",
    }  # fmt: skip
    assert contents(batch)["T2"]["order_kind"] == "other"
    assert (batch.unknown, batch.dropped) == ({"LAJI": 1}, {"LISATIETO": 2})


def test_of_a_contractor_names_and_places_are_heard_and_nothing_else(tmp_path: Path) -> None:
    drop = Drop(tmp_path, "subcontractor")
    drop.deliver(yhteystiedot=[VISIT], kohteet=[SEEN])
    batch = drop.fetch()
    assert contents(batch) == {
        "K1": {"party_type": "organisation", "name": "Piennar Oy"},
        "M1": {"property_id": "10340100010001"},
    }
    assert set(batch.dropped) == {"PUHELIN", "LUKEMA_M3"}
