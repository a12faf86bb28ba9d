"""A delivery that is told row by row, from frozen to acknowledged, over real HTTP to the town's Netvisor.

Belongs here: the steps around a delivery with a store behind them, broken off anywhere. Does not belong here: each
answer Netvisor can give (`tests/connectors/test_netvisor.py`), whole nights (`tests/journeys`).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine

from connectors.base import Recipient
from connectors.recipients.netvisor import Netvisor
from connectors.recipients.netvisor_customer import COLUMNS, render
from connectors.recipients.netvisor_service import NetvisorOptions
from connectors.sandbox.faults import Faults
from connectors.sandbox.netvisor import Netvisor as Books
from pipelines.domain.schemas import GOLDEN
from pipelines.settings import load_settings
from pipelines.steps.deliver import deliver
from pipelines.steps.night import LogKeys, Night, StepResult
from pipelines.store import deliveries, frames, progress, reconciliation
from pipelines.store.deliveries import Delivery
from pipelines.store.engine import transaction
from tests.steps.at_netvisor import DAY, configure, town
from tests.steps.logged import NAME, SIGNING, VAULT

NOW = datetime(2026, 11, 2, 0, 30, tzinfo=UTC)
BLANK = dict.fromkeys(COLUMNS, "")


def row(number: int, line: str = "Koetie 1") -> dict[str, str]:
    return BLANK | {
        "event": "new", "customer_number": f"{number:06}", "customer_state": "paying",
        "party_kind": "person", "invoice_name": "Koe Aino", "delivery_channel": "paper",
        "street_line": line, "postal_code": "31640", "post_office": "HUMPPILA", "country": "FI",
    }  # fmt: skip


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Finance:
    """A hub with a delivery to tell, and the Netvisor it tells it to."""

    engine: Engine
    home: Path
    books: Books
    faults: Faults
    dies_at: str = ""
    passed: list[str] = field(default_factory=list)

    def reached(self, place: str) -> None:
        self.passed.append(place)
        if place == f"deliver:finance:{self.dies_at}":
            raise Killed

    def night(self) -> Night:
        settings = load_settings(self.home, {})
        return Night(
            self.engine, settings, DAY, lambda: NOW, reached=self.reached,
            log_keys=lambda: LogKeys(VAULT, NAME, SIGNING),
        )  # fmt: skip

    def recipient(self) -> Recipient:
        transport = load_settings(self.home, {}).recipients["finance"].transport
        options = NetvisorOptions.from_mapping(transport.options)
        return Netvisor(options, lambda: NOW, lambda seconds: None)

    def freeze(self, *rows: dict[str, str]) -> str:
        payload = render(COLUMNS, rows)
        delivery_id = hashlib.sha256(payload).hexdigest()[:20]
        frozen = [
            {"row_key": r["customer_number"], "party_id": int(r["customer_number"]), "content": r}
            for r in rows
        ]
        with transaction(self.engine) as conn:
            deliveries.freeze(
                conn, delivery_id=delivery_id, recipient="finance", sequence=1, business_date=DAY,
                contract_version=1, notice_version="2021-05-18", payload=payload, payload_mac="m",
                columns=COLUMNS, rows=pd.DataFrame(frozen), now="2026-11-02T00:30:00Z",
            )  # fmt: skip
        return delivery_id

    def deliver(self) -> StepResult:
        night = self.night()
        return deliver(night, night.settings.recipients["finance"], self.recipient)

    def delivery(self, delivery_id: str) -> Delivery:
        with transaction(self.engine) as conn:
            return deliveries.find(conn, delivery_id)

    def statuses(self, delivery_id: str) -> list[tuple[str, str]]:
        with transaction(self.engine) as conn:
            rows = deliveries.rows_of(conn, delivery_id).fillna("")
        return list(zip(rows["status"], rows["code"], strict=True))

    def noted(self, delivery_id: str) -> dict[int, tuple[str, str, int]]:
        with transaction(self.engine) as conn:
            return progress.of(conn, delivery_id)

    def protect(self, *numbers: int) -> None:
        known = [{"party_id": n, "protection": "on"} for n in numbers]
        with transaction(self.engine) as conn:
            frames.put(conn, GOLDEN, GOLDEN.frame(known))

    @property
    def told(self) -> list[str]:
        return [number for _, number in self.books.tellings]


@pytest.fixture
def finance(engine: Engine, tmp_path: Path) -> Iterator[Finance]:
    with town(tmp_path / "books", timeout=0.5, attempts=2) as there:
        configure(tmp_path, there.door)
        yield Finance(engine, tmp_path, there.books, there.faults)


def test_a_delivery_is_told_row_by_row_and_acknowledged_in_one_go(finance: Finance) -> None:
    sent = finance.freeze(row(1), row(2))
    assert finance.deliver().status == "ok"
    delivery = finance.delivery(sent)
    assert (delivery.state, delivery.accepted, delivery.rejected) == ("acknowledged", 2, 0)
    assert delivery.payload is None
    assert finance.told == ["000001", "000002"]
    assert finance.noted(sent) == {}


def test_each_row_is_noted_before_and_after_it_leaves(finance: Finance) -> None:
    finance.freeze(row(1), row(2))
    finance.deliver()
    assert finance.passed == [
        f"deliver:finance:{place}"
        for place in (
            "sealed", "sending", "row 1 leaving", "row 1 taken", "row 2 leaving", "row 2 taken",
            "published", "confirmed", "acknowledged",
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    "place",
    [
        "sending", "row 1 leaving", "row 1 taken", "row 2 leaving", "row 2 taken", "row 3 refused",
        "published", "confirmed", "acknowledged",
    ],
)  # fmt: skip
def test_broken_off_anywhere_and_run_again_nobody_is_told_twice_and_nothing_is_lost(
    finance: Finance, place: str
) -> None:
    ended = BLANK | {"event": "ended", "customer_number": "000003", "customer_state": "ended"}
    sent = finance.freeze(row(1), row(2), ended)
    finance.dies_at = place
    with pytest.raises(Killed):
        finance.deliver()
    finance.dies_at = ""
    finance.deliver()
    assert finance.told == ["000001", "000002"]
    assert finance.delivery(sent).state == "acknowledged"
    assert finance.statuses(sent) == [
        ("accepted", ""),
        ("accepted", ""),
        ("rejected", "UNKNOWN_CUSTOMER"),
    ]


def test_a_row_that_netvisor_took_without_answering_is_found_there(finance: Finance) -> None:
    sent = finance.freeze(row(1), row(2))
    finance.faults.arm("late", 1)
    assert finance.deliver().status == "ok"
    assert finance.told == ["000001", "000002"]
    assert finance.statuses(sent) == [("accepted", "")] * 2


def test_a_row_lost_on_its_way_leaves_the_delivery_uncertain_until_the_next_run(
    finance: Finance,
) -> None:
    """The next run asks again, and goes on under the same transaction id."""
    sent = finance.freeze(row(1), row(2))
    finance.faults.arm("lost", 1)
    result = finance.deliver()
    assert result.status == "failed"
    assert "row 1" in result.text
    assert finance.delivery(sent).state == "uncertain"
    assert finance.noted(sent) == {1: ("leaving", "", 1)}
    assert finance.deliver().status == "ok"
    assert finance.told == ["000001", "000002"]


def test_a_delivery_that_is_not_let_in_waits_and_the_next_run_tells_it(finance: Finance) -> None:
    sent = finance.freeze(row(1), row(2))
    finance.faults.arm("unauthorised", 1)
    result = finance.deliver()
    assert result.status == "failed"
    assert "AUTHENTICATION_FAILED" in result.text
    assert finance.delivery(sent).state == "sending"
    assert finance.deliver().status == "ok"
    assert finance.told == ["000001", "000002"]


def test_a_refused_row_waits_for_a_person_with_its_code_alone(finance: Finance) -> None:
    sent = finance.freeze(row(1), row(2))
    finance.faults.arm("rejecting", 1)
    assert finance.deliver().status == "attention"
    assert finance.statuses(sent) == [("rejected", "INVALID_DATA"), ("accepted", "")]
    assert finance.told == ["000002"]


def test_r56_an_order_before_anything_left_stops_the_whole_delivery(finance: Finance) -> None:
    sent = finance.freeze(row(1), row(2))
    finance.protect(2)
    finance.deliver()
    assert finance.delivery(sent).state == "aborted"
    assert finance.told == []


def test_r56_an_order_in_the_middle_of_a_delivery_withholds_the_rows_that_have_not_left(
    finance: Finance,
) -> None:
    """Row 1 is told and stays told; row 2 is not; row 3 exposes nobody. All of it stands in the log."""
    sent = finance.freeze(row(1), row(2, "Salatie 1"), row(3))
    finance.dies_at = "row 1 taken"
    with pytest.raises(Killed):
        finance.deliver()
    finance.dies_at = ""
    finance.protect(1, 2)
    assert finance.deliver().status == "attention"
    assert finance.told == ["000001", "000003"]
    assert finance.statuses(sent) == [
        ("accepted", ""),
        ("rejected", "WITHHELD"),
        ("accepted", ""),
    ]
    with transaction(finance.engine) as conn:
        assert reconciliation.leaves_out_of_line(conn) == 0


def test_r56_a_row_that_may_have_left_when_the_order_came_is_asked_about_and_not_sent_again(
    finance: Finance,
) -> None:
    sent = finance.freeze(row(1, "Salatie 1"))
    finance.dies_at = "row 1 leaving"
    with pytest.raises(Killed):
        finance.deliver()
    finance.dies_at = ""
    finance.protect(1)
    finance.deliver()
    assert finance.told == []
    assert finance.statuses(sent) == [("rejected", "WITHHELD")]
