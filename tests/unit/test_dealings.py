"""What a customer's invoices add up to, and which of them stand in the way of erasure on a day."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.dealings import BLOCKERS, STATES, UNPAID, Balance, balance, blockers
from pipelines.domain.schemas import INVOICES

DAY = "2026-11-02"


def invoices(*rows: dict[str, object]) -> pd.DataFrame:
    """Invoices of party 7 unless said, numbered in order."""
    numbered = [
        {"source": "finance_status", "source_key": f"L{n}", "invoice_state": "open", **row}
        for n, row in enumerate(rows, start=1)
    ]
    parties = [row.pop("party_id", 7) for row in numbered]
    return INVOICES.frame(numbered).assign(party_id=pd.array(parties, dtype="Int64"))


def found(frame: pd.DataFrame, on: str = DAY) -> list[tuple[str, str, bool]]:
    told = blockers(frame, on)[["source_key", "blocker", "is_certain"]]
    return [tuple(row) for row in told.itertuples(index=False)]


def test_r32_an_open_invoice_and_a_collection_block_each_by_its_name() -> None:
    """R32: the blockers are named, with the reference of each."""
    frame = invoices({}, {"invoice_state": "in_collection"}, {"invoice_state": "paid"})
    assert found(frame) == [("L1", "open_invoice", True), ("L2", "collection", True)]


def test_r29_an_invoice_settled_later_was_open_on_the_day() -> None:
    """R29: a customership ends with no open balance; asked of a day that is past, too."""
    frame = invoices({"invoice_state": "paid", "closed_date": "2026-11-03"})
    assert found(frame, "2026-11-02") == [("L1", "open_invoice", True)]
    assert found(frame, "2026-11-03") == []


def test_settled_with_no_day_blocks_no_more() -> None:
    assert found(invoices({"invoice_state": "closed"})) == []


def test_r32_one_that_its_source_states_no_longer_still_blocks_and_says_so() -> None:
    """R32: an unknown answer fails closed; missing is not settled."""
    frame = invoices({"not_stated_since": "2026-11-02"})
    assert found(frame, "2026-11-02") == [("L1", "open_invoice", False)]
    assert found(frame, "2026-11-01") == [("L1", "open_invoice", True)]


def test_each_party_has_its_own_blockers() -> None:
    frame = invoices({"party_id": 8}, {"party_id": 7})
    assert list(blockers(frame, DAY)["party_id"]) == [7, 8]


def test_nobodys_invoices_block_nobody_and_add_up_to_nothing() -> None:
    assert found(invoices()) == []
    assert balance(invoices()) == Balance()


def test_a_balance_tells_how_many_since_when_and_whether_they_are_collected() -> None:
    frame = invoices(
        {"due_date": "2026-10-20"},
        {"due_date": "2026-09-01", "invoice_state": "in_collection"},
        {"due_date": "2026-01-01", "invoice_state": "paid"},
        {"not_stated_since": "2026-10-30"},
    )
    assert balance(frame) == Balance(3, "2026-09-01", True, 1, "2026-10-30")


days = st.dates().map(lambda day: day.isoformat())
rows = st.lists(
    st.fixed_dictionaries(
        {
            "invoice_state": st.sampled_from(STATES),
            "due_date": st.none() | days,
            "closed_date": st.none() | days,
            "not_stated_since": st.none() | days,
        }
    ),
    max_size=6,
)


@given(rows, days)
def test_nothing_unpaid_is_ever_overlooked_and_nobody_is_blocked_twice_by_one_invoice(
    stated: list[dict[str, object]], on: str
) -> None:
    frame = invoices(*stated)
    told = blockers(frame, on)
    unpaid = set(frame.loc[frame["invoice_state"].isin(UNPAID), "source_key"])
    assert unpaid <= set(told["source_key"])
    assert told["source_key"].is_unique
    assert set(told["blocker"]) <= set(BLOCKERS)
    assert balance(frame).unpaid == len(unpaid)
