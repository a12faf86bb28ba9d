"""Whose a customer number is, and what stands under somebody's: through merges, on both databases."""

from collections.abc import Mapping

import pandas as pd
import pytest
from sqlalchemy import Connection, Engine, insert

from pipelines.domain.schemas import GOLDEN, INVOICES, ORDERS, PARTY_RECORDS
from pipelines.store import dealings, frames, tables
from pipelines.store.engine import transaction

NUMBERED_BY: Mapping[str, str] = {"finance_status": "hub", "orders": "registrations"}


def invoice(key: str, number: str) -> dict[str, str]:
    return {
        "source": "finance_status",
        "source_key": key,
        "customer_number": number,
        "invoice_state": "open",
    }


def order(key: str, number: str) -> dict[str, str]:
    return {"source": "orders", "source_key": key, "customer_number": number}


@pytest.fixture
def held(engine: Engine) -> Engine:
    """Parties 1 and 2, own numbers 20001 and 20004; party 3 has gone into 2."""
    with transaction(engine) as conn:
        frames.put(conn, GOLDEN, GOLDEN.frame([{"party_id": 1}, {"party_id": 2}]))
        records = [("20001", 1), ("20004", 2), ("20007", 2), ("20010", 9)]
        own = [
            {"source": "registrations", "source_key": key, "party_id": party}
            for key, party in records
        ]
        frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame(own))
        _merge(conn, 3, 2)
        _merge(conn, 4, 9)
    return engine


def _merge(conn: Connection, party: int, into: int) -> None:
    row = {"party_id": party, "into_party_id": into, "business_date": "2026-11-02"}
    conn.execute(insert(tables.party_redirect).values(row))


def owners(engine: Engine, *rows: dict[str, str]) -> dict[str, int | None]:
    with transaction(engine) as conn:
        told = dealings.owners(conn, pd.DataFrame(rows, dtype="str"), NUMBERED_BY)
    return {
        key: None if pd.isna(party) else int(party)
        for key, party in zip(told["source_key"], told["party_id"], strict=True)
    }


def test_a_number_of_ours_is_the_partys_or_the_one_it_went_into(held: Engine) -> None:
    rows = [invoice("a", "000001"), invoice("b", "2"), invoice("c", "000003")]
    assert owners(held, *rows) == {"a": 1, "b": 2, "c": 2}


def test_a_number_that_is_nobodys_or_no_number_has_no_owner(held: Engine) -> None:
    numbers = ["000009", "000004", "999999", "x1", "", "9" * 40, "1.0", "-1", "\u0661"]
    assert set(owners(held, *(invoice(n, n) for n in numbers)).values()) == {None}


def test_the_own_registers_numbers_are_not_ours(held: Engine) -> None:
    rows = [order("a", "20001"), order("b", "20007"), order("c", "000001"), order("d", "20010")]
    assert owners(held, *rows) == {"a": 1, "b": 2, "c": None, "d": None}


def test_under_a_party_stands_what_was_said_of_whom_it_took_in(held: Engine) -> None:
    with transaction(held) as conn:
        invoices = [invoice("L1", "000001"), invoice("L2", "3"), invoice("L3", "000002")]
        frames.put(conn, INVOICES, INVOICES.frame(invoices))
        frames.put(conn, ORDERS, ORDERS.frame([order("T1", "20004"), order("T2", "20001")]))

        def keys(schema: object, *parties: int) -> dict[str, int]:
            asked = pd.DataFrame({"party_id": pd.array(parties, dtype="Int64")})
            found = dealings.of_parties(conn, schema, asked, NUMBERED_BY)  # type: ignore[arg-type]
            return dict(zip(found["source_key"], found["party_id"], strict=True))

        assert keys(INVOICES, 2) == {"L2": 2, "L3": 2}
        assert keys(INVOICES, 1, 2) == {"L1": 1, "L2": 2, "L3": 2}
        assert keys(ORDERS, 2) == {"T1": 2}
        assert keys(ORDERS, 9) == {}


def test_what_one_function_finds_the_other_finds(held: Engine) -> None:
    rows = [invoice(f"L{n}", f"{n:06d}") for n in range(1, 6)]
    with transaction(held) as conn:
        frames.put(conn, INVOICES, INVOICES.frame(rows))
        there = pd.DataFrame({"party_id": pd.array([1, 2], dtype="Int64")})
        under = dealings.of_parties(conn, INVOICES, there, NUMBERED_BY)
        owned = dealings.owners(conn, frames.read(conn, INVOICES), NUMBERED_BY).dropna(
            subset="party_id"
        )
    assert dict(zip(under["source_key"], under["party_id"], strict=True)) == dict(
        zip(owned["source_key"], owned["party_id"], strict=True)
    )
