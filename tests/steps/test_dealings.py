"""Invoices, orders and visits through landing, standardising and the register, without Dagster or files."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from connectors.base import Ask, Batch, Fault, OtherColumns, Record, Source, Unavailable
from pipelines.contracts import Agreement, SourceConfig
from pipelines.domain.schemas import GOLDEN, INVOICES, LANDED, ORDERS, PARTIES, Schema
from pipelines.keys import init
from pipelines.settings import load_settings
from pipelines.steps.consolidate import consolidate
from pipelines.steps.ingest import ingest
from pipelines.steps.look import show
from pipelines.steps.match import match
from pipelines.steps.night import Night, StepResult
from pipelines.steps.standardise import standardise
from pipelines.store import frames, nights, quarantine
from pipelines.store.engine import migrate, open_engine, reading

SIGNED = Agreement(reference="sopimus 7/2026", signed="2026-01-31", valid_to="2026-11-03")
OWNER, TENANT = "20001", "20004"


class Says:
    """A source that brings a batch, or fails; keeps count of who asked."""

    def __init__(self, batch: Batch | Exception) -> None:
        self.batch, self.asked = batch, 0

    def fetch(self, ask: Ask) -> Batch:
        self.asked += 1
        if isinstance(self.batch, Exception):
            raise self.batch
        return self.batch

    def check(self) -> str:
        return "there"


def invoice(key: str, number: str = "000001", state: str = "open", **more: str) -> Record:
    return Record("invoice", key, None, {"customer_number": number, "invoice_state": state} | more)


def order(key: str, number: str) -> Record:
    return Record("order", key, None, {"customer_number": number, "order_kind": "meter"})


def register(payer: str = OWNER, **of_owner: str) -> list[Record]:
    """Our own register: two people, one of whom pays for the one point."""
    owner = {"party_type": "person", "name": "Aalto Elo", "protection": "off"} | of_owner
    tenant = {"party_type": "person", "name": "Mäkelä Åke", "protection": "off"}
    role = {"party": payer, "point": "501", "role_type": "payer", "valid_from": "2020-01-01"}
    return [
        Record("party", OWNER, None, owner),
        Record("party", TENANT, None, tenant),
        Record("point", "501", None, {"property_id": "10340100010001", "line": "Kennintie 5"}),
        Record("role", "901", None, role),
    ]


@dataclass
class Hub:
    """A hub of two customers that hears of them night by night."""

    engine: Engine
    home: Path
    agreement: Agreement = SIGNED
    calls: dict[str, Says] = field(default_factory=dict)

    def night(self, day: int, *, full: bool = False) -> Night:
        return Night(
            engine=self.engine,
            settings=load_settings(self.home, {}),
            business_date=f"2026-11-{day:02}",
            clock=lambda: datetime(2026, 11, day, 1, 30, tzinfo=UTC),
            full=full,
        )

    def config(self, name: str, **changes: Any) -> SourceConfig:
        ours = load_settings(self.home, {}).sources[name]
        signed = {"agreement": self.agreement} if ours.agreement is not None else {}
        return ours.model_copy(update=signed | changes)

    def hear(self, day: int, name: str, said: Batch | Exception, **changes: Any) -> StepResult:
        source = self.calls[name] = Says(said)
        return ingest(self.night(day), self.config(name, **changes), lambda: _as_source(source))

    def settle(self, day: int, *, full: bool = False, people: bool = False) -> StepResult:
        """The rest of a night, up to the register; the register's own result. people: somebody is new."""
        night = self.night(day, full=full)
        standardise(night)
        if people:
            match(night)
        return consolidate(night)

    def keys(self, schema: Schema) -> list[str]:
        return list(self.table(schema)["source_key"])

    def table(self, schema: Schema) -> pd.DataFrame:
        with reading(self.engine) as conn:
            return frames.read(conn, schema)

    def refused(self) -> pd.DataFrame:
        with reading(self.engine) as conn:
            return quarantine.open_items(conn)


def _as_source(source: Says) -> Source:
    return source


def batch(
    records: Sequence[Record], *, whole: str = "", total: int | None = None, **more: Any
) -> Batch:
    kinds = frozenset(whole.split())
    return Batch(records, {"at": len(records)}, len(records), total, whole=kinds, **more)


def books(*records: Record, **more: Any) -> Batch:
    """All invoices there are."""
    return batch(records, whole="invoice", **more)


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home after a night that has heard of the two people; its SQL is tried on both databases elsewhere."""
    home = tmp_path_factory.mktemp("first night")
    init(home, load_settings(home, {}).hub.key_file)
    engine = open_engine(f"sqlite:///{home / 'hub.db'}")
    migrate(engine)
    hub = Hub(engine, home)
    hub.hear(1, "registrations", batch(register()))
    hub.settle(1, people=True)
    assert list(hub.table(GOLDEN)["party_id"]) == [1]
    engine.dispose()
    return home


@pytest.fixture
def hub(first_night: Path, tmp_path: Path) -> Iterator[Hub]:
    home = tmp_path / "hub"
    shutil.copytree(first_night, home)
    engine = open_engine(f"sqlite:///{home / 'hub.db'}")
    yield Hub(engine, home)
    engine.dispose()


def test_an_invoice_is_kept_under_its_customers_number_and_nobodys_leaves_no_trace(
    hub: Hub,
) -> None:
    """DESIGN 4: a count stays, nothing else; also of a row that was refused."""
    told = [invoice("L1"), invoice("L2", "999999"), invoice("L3", "999998", "HUKASSA")]
    lost = Fault("invoice", "L4", "unknown_code", "row 4", {"customer_number": "999997"})
    hub.hear(2, "finance_status", books(*told, faults=[lost]))
    counts = hub.settle(2).counts
    assert counts["dealings_dropped:finance_status"] == 3
    assert hub.keys(INVOICES) == ["L1"]
    landed = hub.table(LANDED)
    assert list(landed.loc[landed["kind"] == "invoice", "source_key"]) == ["L1"]
    assert hub.refused().empty


def test_a_refused_invoice_of_a_customer_waits_for_a_steward(hub: Hub) -> None:
    hub.hear(2, "finance_status", books(invoice("L1", state="HUKASSA")))
    hub.settle(2)
    assert list(hub.refused()["rule"]) == ["unknown_invoice_state"]
    assert hub.keys(INVOICES) == []


def test_an_invoice_left_out_of_the_books_is_not_closed_but_no_longer_stated(hub: Hub) -> None:
    """Empty or missing is not deletion; R32: what nobody says any more still blocks."""
    hub.hear(2, "finance_status", books(invoice("L1", due_date="2026-10-01"), invoice("L2")))
    hub.settle(2)
    heard = hub.hear(3, "finance_status", books(invoice("L2")))
    hub.settle(3)
    assert heard.counts["landed"] == 1
    one, two = hub.table(INVOICES).set_index("source_key").loc[["L1", "L2"]].to_dict("records")
    assert (one["invoice_state"], one["not_stated_since"]) == ("open", "2026-11-03")
    assert pd.isna(two["not_stated_since"])
    seen = show(hub.night(3), "P1", "mari", "test").balance
    assert (seen.unpaid, seen.oldest_due, seen.not_stated) == (2, "2026-10-01", 1)
    assert seen.not_stated_since == "2026-11-03"


def test_left_out_once_more_keeps_its_day_and_coming_back_ends_it(hub: Hub) -> None:
    hub.agreement = SIGNED.model_copy(update={"valid_to": None})
    hub.hear(2, "finance_status", books(invoice("L1"), invoice("L2")))
    hub.hear(3, "finance_status", books(invoice("L2")))
    again = hub.hear(4, "finance_status", books(invoice("L2")))
    assert again.counts["landed"] == 0
    hub.settle(4)
    assert set(hub.table(INVOICES)["not_stated_since"].dropna()) == {"2026-11-03"}
    hub.hear(5, "finance_status", books(invoice("L1", state="paid"), invoice("L2")))
    hub.settle(5)
    told = hub.table(INVOICES).set_index("source_key")
    assert told["not_stated_since"].isna().all()
    assert told.loc["L1", "invoice_state"] == "paid"


def test_a_row_that_could_not_be_read_has_not_been_left_out(hub: Hub) -> None:
    hub.hear(2, "finance_status", books(invoice("L1")))
    lost = Fault("invoice", "L1", "unknown_code", "row 1", {"customer_number": "000001"})
    hub.hear(3, "finance_status", books(faults=[lost]))
    hub.settle(3)
    assert hub.table(INVOICES)["not_stated_since"].isna().all()


def test_a_part_of_the_books_leaves_the_rest_as_it_was(hub: Hub) -> None:
    hub.hear(2, "finance_status", books(invoice("L1")))
    hub.hear(3, "finance_status", batch([invoice("L2")]))
    hub.settle(3)
    assert hub.keys(INVOICES) == ["L1", "L2"]
    assert hub.table(INVOICES)["not_stated_since"].isna().all()


def test_an_order_is_found_by_the_own_registers_number_and_shown_newest_first(hub: Hub) -> None:
    one, two = (
        Record("order", key, None, {"customer_number": OWNER, "ordered_on": day})
        for key, day in (("T1", "2026-01-05"), ("T2", "2026-10-05"))
    )
    hub.hear(2, "orders", batch([one, two, order("T3", "000001")], whole="order"))
    counts = hub.settle(2).counts
    assert counts["dealings_dropped:orders"] == 1, "ours is not the order desk's number"
    assert list(show(hub.night(2), OWNER, "mari", "test").orders["source_key"]) == ["T2", "T1"]


def test_who_is_a_customer_no_more_takes_their_dealings_along(hub: Hub) -> None:
    hub.hear(2, "finance_status", books(invoice("L1")))
    hub.hear(2, "orders", batch([order("T1", OWNER)], whole="order"))
    hub.settle(2)
    hub.hear(3, "registrations", batch(register(payer=TENANT)))
    counts = hub.settle(3, people=True).counts
    assert counts["dealings_dropped:finance_status"] == 1
    assert (hub.keys(INVOICES), hub.keys(ORDERS)) == ([], [])


def test_nights_of_changes_leave_what_one_full_night_does(hub: Hub) -> None:
    """DESIGN 5."""
    hub.hear(2, "finance_status", books(invoice("L1"), invoice("L2"), invoice("L3", "999999")))
    hub.settle(2)
    hub.hear(3, "finance_status", books(invoice("L2", state="paid", closed_date="2026-11-02")))
    hub.settle(3)
    before = hub.table(INVOICES)
    hub.settle(3, full=True)
    pd.testing.assert_frame_equal(hub.table(INVOICES), before)


def test_r15_without_an_agreement_in_force_nothing_is_read_and_the_night_goes_on(hub: Hub) -> None:
    """R15: the last day counts; the day after it the drop is not even opened."""
    assert hub.hear(3, "finance_status", books(invoice("L1"))).status == "ok"
    over = hub.hear(4, "finance_status", books(invoice("L2")))
    assert over.status == "failed"
    assert "sources/finance_status.yml: agreement" in over.text
    assert hub.calls["finance_status"].asked == 0
    with reading(hub.engine) as conn:
        feed = nights.last_feed(conn, "finance_status")
    assert feed is not None
    assert (feed.status, feed.fetched) == ("refused", 0)
    assert hub.hear(4, "registrations", batch(register(phone="0505550001"))).status == "ok"
    assert hub.settle(4).counts["customers"] == 1
    assert hub.keys(INVOICES) == ["L1"], "what was heard under it stays"


@pytest.mark.parametrize("name", ["finance_status", "subcontractor"])
def test_r15_a_source_whose_agreement_was_never_signed_is_not_read(hub: Hub, name: str) -> None:
    hub.agreement = Agreement()
    assert hub.hear(2, name, books()).status == "failed"
    assert hub.calls[name].asked == 0


def test_r16_the_www_of_a_person_stays_at_the_door_and_is_counted(hub: Hub) -> None:
    """R16: of an organisation it is contact data, beside a person it is web data."""
    person = register(www="www.aalto.invalid")
    firm = {"party_type": "organisation", "name": "Piennar Oy", "www": "www.piennar.invalid"}
    role = {"party": "20007", "point": "501", "role_type": "owner"}
    both = [*person, Record("party", "20007", None, firm), Record("role", "902", None, role)]
    heard = hub.hear(2, "registrations", batch(both))
    hub.settle(2)
    assert heard.counts["dropped:www"] == 1
    assert "aalto.invalid" not in str(hub.table(LANDED)["content"].to_list())
    held = hub.table(PARTIES).set_index("source_key")["www"]
    assert held.dropna().to_dict() == {"20007": "www.piennar.invalid"}


def firm(key: str, business_id: str, line: str | None) -> Record:
    postal = {"address_type": "postal", "postal_code": "31640", "post_office": "HUMPPILA"}
    at = {"addresses": [{**postal, "line": line}]} if line else {}
    name = f"Piennar {business_id[:3]} Oy"
    content = {"party_type": "organisation", "name": name, "business_id": business_id, **at}
    return Record("party", key, "2026-11-01T00:00:00Z", content)


def test_a_contractor_fills_a_gap_and_overrules_nobody_and_a_stranger_it_met_is_forgotten(
    hub: Hub,
) -> None:
    """DESIGN 4, 9: the last to be believed, though the last to have spoken."""
    known, silent, stranger = "0245437-2", "9036813-1", "9036818-2"
    ours = [*register(), firm("20007", known, "Kennintie 5"), firm("20010", silent, None)]
    ours += [
        Record("role", f"90{n}", None, {"party": key, "point": "501", "role_type": "owner"})
        for n, key in enumerate(("20007", "20010"), start=2)
    ]
    hub.hear(2, "registrations", batch(ours))
    met = [firm("K1", known, "Muukatu 1"), firm("K2", silent, "Raitti 2")]
    hub.hear(2, "subcontractor", batch([*met, firm("K3", stranger, "Vieraskatu 3")]))
    hub.settle(2, people=True)
    lines = hub.table(GOLDEN).set_index("business_id")["street_line"]
    assert lines[known] == "Kennintie 5"
    assert lines[silent] == "Raitti 2"
    landed = hub.table(LANDED)
    assert set(landed.loc[landed["source"] == "subcontractor", "source_key"]) == {"K1", "K2"}


# --- what a delivery promised ----------------------------------------------------------------------------


def checks(result: StepResult) -> dict[str, tuple[bool, Mapping[str, int]]]:
    """What a delivery's checks say; that the source was heard is said apart."""
    return {
        check.name: (check.passed, dict(check.counts))
        for check in result.checks
        if check.name != "heard_in_turn"
    }


def silence(result: StepResult) -> tuple[bool, int]:
    """Whether a source was heard in its turn, and for how many days it was not."""
    (check,) = (c for c in result.checks if c.name == "heard_in_turn")
    return check.passed, check.counts["silent_days"]


def test_each_promise_has_its_check_and_says_how_often_it_was_broken(hub: Hub) -> None:
    dangling = {"party": "88888", "point": "501", "role_type": "payer"}
    faults = [
        Fault("party", "20010", "not_a_date", "row 9"),
        Fault("role", "903", "duplicate_key", "rows 1 and 2"),
    ]
    to_unread = {"party": "20010", "point": "501", "role_type": "payer"}
    records = [
        *register(),
        Record("role", "904", None, dangling),
        Record("role", "905", None, to_unread),
    ]
    told = checks(
        hub.hear(2, "registrations", batch(records, faults=faults, unknown={"TURVAKIELTO": 2}))
    )
    assert told == {
        "feed_in_order": (False, {"unknown_kinds": 2, "faults": 2}),
        "columns_as_agreed": (True, {}),
        "values_as_agreed": (False, {"not_a_date": 1, "undeclared_code": 2}),
        "keys_unique": (False, {"duplicate_key": 1}),
        "references_hold": (False, {"reference_unknown": 1}),
        "volume_usual": (True, {}),
    }


def test_an_unchanged_delivery_leaves_its_checks_as_they_were(hub: Hub) -> None:
    assert set(checks(hub.hear(2, "registrations", batch([])))) == {"feed_in_order"}


def test_a_source_may_be_silent_for_two_days_and_is_told_of_on_the_third(hub: Hub) -> None:
    assert silence(hub.hear(2, "orders", batch([]))) == (True, 0)
    down = Unavailable("orders", "nobody answers")
    days = [silence(hub.hear(day, "orders", down)) for day in (3, 4, 5)]
    assert days == [(True, 1), (True, 2), (False, 3)]
    assert silence(hub.hear(6, "orders", batch([]))) == (True, 0), (
        "an answer with nothing new is one"
    )


def test_a_source_that_never_answered_is_silent_since_the_first_night_that_asked(hub: Hub) -> None:
    down = Unavailable("subcontractor", "nobody answers")
    days = [silence(hub.hear(day, "subcontractor", down)) for day in (2, 5)]
    assert days == [(True, 0), (False, 3)]


def test_other_columns_than_agreed_fail_their_own_check(hub: Hub) -> None:
    told = checks(hub.hear(2, "finance_status", OtherColumns("laskut.csv: no column TILA")))
    assert told == {"feed_in_order": (False, {}), "columns_as_agreed": (False, {})}


def test_a_size_outside_the_corridor_of_its_own_history_holds_the_delivery(hub: Hub) -> None:
    hub.hear(2, "finance_status", books(total=0))
    many = [invoice(f"L{n}") for n in range(10)]
    assert hub.hear(2, "finance_status", books(*many, total=10)).status == "ok", "from none, any"
    hub.agreement = SIGNED.model_copy(update={"valid_to": None})
    hub.hear(3, "finance_status", books(*many, total=10))
    shrunk = hub.hear(4, "finance_status", books(*many[:2], total=2))
    assert checks(shrunk)["volume_usual"] == (False, {"total": 2})
    hub.settle(4)
    assert hub.table(INVOICES)["not_stated_since"].isna().all(), "nobody is taken to be left out"
