"""Invoices, orders and a contractor's visits over a night, with all that their drops can have wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.domain.schemas import INVOICES, LANDED, ORDERS, POINT_TIES
from pipelines.nightly import Outcome
from pipelines.steps.ingest import ingest
from pipelines.steps.look import show
from pipelines.steps.night import StepResult
from tests.journeys.conftest import continued
from tests.journeys.living import Living

pytestmark = pytest.mark.journey

STRANGER = "999999"
YESTERDAY = {"agreement": {"reference": "demo", "signed": "2026-01-01", "valid_to": "2026-11-02"}}
STATES = {
    "AVOIN": "open",
    "MAKSETTU": "paid",
    "HYVITETTY": "credited",
    "PERINNASSA": "in_collection",
}


@dataclass(frozen=True)
class Dealt:
    """A hub after its second night: finance and the order desk erred, the contractor's agreement was over."""

    living: Living
    outcome: Outcome
    steps: Mapping[str, Mapping[str, int]]


@pytest.fixture(scope="module")
def dealt(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealt]:
    base = tmp_path_factory.mktemp("dealt")
    with continued(founded, base / "living", deals=True) as living:
        living.configure("sources/subcontractor.yml", **YESTERDAY)
        for where in ("finance", "order_desk"):
            for kind in ("unknown_customer", "duplicate_row"):
                living.town.fault(where, kind)
        outcome = living.next_night()
        yield Dealt(living, outcome, {step.name: step.counts for step in outcome.steps})


def heard(living: Living, name: str) -> StepResult:
    """What landing a source alone comes to."""
    with living.opened() as house:
        config = house.settings.sources[name]
        return ingest(house.night(living.town.today), config, lambda: house.source(name))


def test_the_books_of_finance_are_the_hubs_but_for_amounts_and_strangers(dealt: Dealt) -> None:
    book = {row["LASKUNRO"]: row for row in dealt.living.town.finance()["book"]}
    held = dealt.living.table(INVOICES).set_index("source_key")
    assert len(book) > 50
    assert set(held.index) == set(book)
    twice = next(iter(book))
    alone = held.drop(index=twice)
    assert alone["customer_number"].to_dict() == {
        key: row["ASIAKASNRO"] for key, row in book.items() if key != twice
    }
    assert held["invoice_state"].to_dict() == {k: STATES[r["TILA"]] for k, r in book.items()}
    written = str(dealt.living.table(LANDED)["content"].to_list())
    assert next(row["VIITE"] for row in book.values()) not in written


def test_a_row_under_nobodys_number_is_counted_and_leaves_no_trace(dealt: Dealt) -> None:
    """DESIGN 4."""
    counts = dealt.steps["consolidate"]
    assert counts["dealings_dropped:finance_status"] == 1
    assert counts["dealings_dropped:orders"] == 1
    assert STRANGER not in str(dealt.living.table(LANDED)["content"].to_list())
    assert STRANGER.encode() not in dealt.living.bytes()


def test_a_row_that_stands_there_twice_waits_for_a_steward(dealt: Dealt) -> None:
    refused = dealt.living.morning(dealt.outcome).refused
    mine = refused[refused["source"].isin(["finance_status", "orders"])]
    assert sorted(mine["rule"]) == ["duplicate_key", "duplicate_key"]
    assert set(mine["kind"]) == {"invoice", "order"}


def test_a_customer_shows_what_is_unpaid_and_what_was_ordered(dealt: Dealt) -> None:
    living = dealt.living
    book = living.town.finance()["book"]
    late = next(row for row in book[1:] if row["TILA"] == "PERINNASSA")
    order = living.table(ORDERS).iloc[-1]
    with living.opened() as house:
        night = house.night(living.town.today)
        of_finance = show(night, f"P{int(late['ASIAKASNRO'])}", "mari", "test")
        of_desk = show(night, order["customer_number"], "mari", "test")
    assert of_finance.balance.in_collection
    assert of_finance.balance.unpaid >= 1
    assert order["source_key"] in set(of_desk.orders["source_key"])


def test_r15_a_contractor_whose_agreement_is_over_is_not_read_and_the_night_goes_on(
    dealt: Dealt,
) -> None:
    """R15: the night says so in red; once signed anew the next one reads the drop."""
    living = dealt.living
    assert dealt.outcome.status == "failed"
    assert "sources/subcontractor.yml" in dealt.outcome.letter
    assert living.feed("subcontractor").status == "refused"
    assert "subcontractor" not in set(living.table(LANDED)["source"])
    assert living.feed("finance_status").landed > 50, "the others were heard"
    living.configure("sources/subcontractor.yml", agreement={"valid_to": "2027-12-31"})
    living.town.fault("contractor", "missing_column")
    broken = heard(living, "subcontractor")
    assert ("columns_as_agreed", False) in {(c.name, c.passed) for c in broken.checks}
    living.town.clear_faults()
    assert heard(living, "subcontractor").counts["landed"] > 1
    assert living.table(POINT_TIES)["source"].ne("subcontractor").all(), "tied by the night"


@pytest.mark.parametrize(
    ("where", "source"), [("finance", "finance_status"), ("order_desk", "orders")]
)
def test_a_drop_without_an_agreed_column_is_refused_whole_and_what_was_heard_stands(
    dealt: Dealt, where: str, source: str
) -> None:
    living = dealt.living
    before = living.table(LANDED)
    living.town.fault(where, "missing_column")
    try:
        refused = heard(living, source)
    finally:
        living.town.clear_faults()
    told: dict[str, Any] = {check.name: check.passed for check in refused.checks}
    assert told == {"feed_in_order": False, "columns_as_agreed": False, "heard_in_turn": True}
    pd.testing.assert_frame_equal(living.table(LANDED), before)
