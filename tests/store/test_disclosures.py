"""The disclosure log: gapless leaves, erasable details, and the proof that both belong together."""

import threading

import pandas as pd
import pytest
from sqlalchemy import Engine, update

from pipelines.domain.disclosure import commit, leaf
from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.store import deliveries, disclosures, frames, nights
from pipelines.store.engine import StoreError, reading, transaction
from pipelines.store.tables import disclosure_detail

NOW = "2026-11-02T00:30:00Z"
SALT = bytes(32)


def entry(number: int) -> str:
    return f"{number:032x}"


def told(number: int, party_id: int, delivery: str = "d1") -> tuple[pd.DataFrame, str]:
    content = {"customer_number": f"{party_id:06}"}
    detail = pd.DataFrame(
        {
            "entry_id": [entry(number)], "party_id": [party_id], "recipient": "finance",
            "purpose": "billing", "basis": "6.1.b", "ground": "contract", "operation": "delivery",
            "fields": [["customer_number"]], "content": [content], "salt": [SALT],
            "delivery_id": delivery, "at": NOW,
        }
    )  # fmt: skip
    return detail, leaf(
        "disclosure", e=entry(number), c=commit(content, SALT), d=delivery, to="finance"
    )


def asked(number: int, key: str) -> tuple[pd.DataFrame, str]:
    question = {"recipient": "dvv", "operation": "muutokset", "purpose": "upkeep", "subject": key}
    detail = pd.DataFrame(
        {
            "entry_id": [entry(number)], "subject_source": "dvv", "subject_key": [key],
            "recipient": "dvv", "purpose": "upkeep", "basis": "6.1.b", "ground": "lookup",
            "operation": "muutokset", "fields": [["identity_code"]], "salt": [SALT], "at": NOW,
        }
    )  # fmt: skip
    return detail, leaf("lookup", e=entry(number), c=commit(question, SALT), to="dvv")


def write(engine: Engine, *entries: tuple[pd.DataFrame, str]) -> int:
    with transaction(engine) as conn:
        for detail, _ in entries:
            disclosures.write_details(conn, detail)
        return disclosures.append_leaves(conn, [line for _, line in entries], NOW)


def test_leaves_are_numbered_from_nought_without_a_gap(engine: Engine) -> None:
    assert write(engine, told(1, 7), told(2, 8)) == 0
    with pytest.raises(RuntimeError), transaction(engine) as conn:
        disclosures.append_leaves(conn, [told(3, 9)[1]], NOW)
        raise RuntimeError  # the numbers go back with the transaction
    assert write(engine, told(4, 9)) == 2
    with transaction(engine) as conn:
        assert disclosures.append_leaves(conn, [], NOW) == 3
        assert disclosures.leaf_count(conn) == 3
        assert disclosures.leaves_out_of_line(conn) == 0
        assert disclosures.recent(conn, 2)["leaf_no"].tolist() == [2, 1]


def test_writers_at_the_same_time_leave_no_gap_and_no_number_twice(engine: Engine) -> None:
    def many(writer: int) -> None:
        for i in range(5):
            write(engine, told(writer * 100 + i, 7))

    writers = [threading.Thread(target=many, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with reading(engine) as conn:
        assert disclosures.leaf_count(conn) == 20
        assert disclosures.leaves_out_of_line(conn) == 0


def test_a_person_is_told_of_disclosures_before_a_merge_and_of_look_ups_before_a_number(
    engine: Engine,
) -> None:
    """R38: the actual recipients, with dates and fields; nobody else's line stands there."""
    write(engine, told(1, 7), told(2, 8), told(3, 9), asked(4, "t7"), asked(5, "t9"))
    with transaction(engine) as conn:
        record = {"source": "dvv", "source_key": "t7", "party_id": 7}
        frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame([record]))
        merged = pd.DataFrame({"party_id": [8], "into_party_id": [7]})
        nights.redirect(conn, merged, merged.head(0), "2026-11-02")
        lines = disclosures.of_party(conn, 7)
        assert disclosures.of_delivery(conn, "d1")["party_id"].tolist() == [7, 8, 9]
    assert lines["entry_id"].tolist() == [entry(1), entry(2), entry(4)]
    assert lines["recipient"].tolist() == ["finance", "finance", "dvv"]
    assert "salt" not in lines.columns


def test_who_was_asked_about_before_is_known_by_register_and_operation(engine: Engine) -> None:
    write(engine, asked(1, "t1"), asked(2, "t2"), told(3, 7))
    with transaction(engine) as conn:
        assert disclosures.asked_before(conn, "dvv", "muutokset") == {"t1", "t2"}
        assert disclosures.asked_before(conn, "dvv", "muutokset", ["t2", "t3"]) == {"t2"}
        assert disclosures.asked_before(conn, "dvv", "perustiedot") == frozenset()
        assert disclosures.asked_before(conn, "finance", "delivery") == frozenset()


def test_deliveries_and_look_ups_are_listed_with_counts_and_without_people(engine: Engine) -> None:
    write(engine, told(1, 7), asked(2, "t2"))
    calls = [
        leaf("lookup_call", to="dvv", operation="muutokset", n=500),
        leaf("intent", to="finance", d="d1", n=1),
        leaf("attempt", d="d1"),
    ]
    with transaction(engine) as conn:
        disclosures.append_leaves(conn, calls, NOW)
        listed = disclosures.list_deliveries(conn, 5)
        assert len(disclosures.list_deliveries(conn, 1)) == 1
    assert listed[["recipient", "operation", "people"]].to_numpy().tolist() == [
        ["finance", "delivery", 1],
        ["dvv", "muutokset", 500],
    ]


def test_an_erased_detail_leaves_its_leaf_and_the_log_whole(engine: Engine) -> None:
    write(engine, told(1, 7), told(2, 8))
    with transaction(engine) as conn:
        assert disclosures.erase(conn, pd.DataFrame({"entry_id": [entry(1)]})) == 1
        assert disclosures.of_party(conn, 7).empty
        assert (disclosures.leaf_count(conn), disclosures.detail_count(conn)) == (2, 1)
        assert disclosures.leaves_out_of_line(conn) == 0
        assert disclosures.altered_details(conn) == 0


@pytest.mark.parametrize(
    "change", [{"content": {"customer_number": "000008"}}, {"salt": b"1" * 32}]
)
def test_a_detail_changed_afterwards_no_longer_fits_its_leaf(
    engine: Engine, change: dict[str, object]
) -> None:
    write(engine, told(1, 7), asked(2, "t2"))
    with transaction(engine) as conn:
        assert disclosures.altered_details(conn) == 0
        conn.execute(
            update(disclosure_detail)
            .where(disclosure_detail.c.entry_id == entry(1))
            .values(**change)
        )
        assert disclosures.altered_details(conn) == 1


def test_a_row_that_left_without_a_leaf_is_counted(engine: Engine) -> None:
    """R23: sent equals logged."""
    with transaction(engine) as conn:
        content = [{"customer_number": f"{n:06}", "event": "new"} for n in (7, 8)]
        deliveries.freeze(
            conn,
            delivery_id="d1", recipient="finance", sequence=1, business_date="2026-11-02",
            contract_version="1", notice_version="n", payload=b"", payload_mac="m",
            columns=["customer_number"], now=NOW,
            rows=pd.DataFrame({"row_key": ["7", "8"], "party_id": [7, 8], "content": content}),
        )  # fmt: skip
        disclosures.append_leaves(conn, [told(1, 7)[1]], NOW)
        assert disclosures.unlogged_rows(conn) == 0  # prepared: nothing has left
        deliveries.mark(conn, "d1", "sending", NOW)
        assert disclosures.unlogged_rows(conn) == 1
        disclosures.append_leaves(conn, [told(2, 8)[1]], NOW)
        assert disclosures.unlogged_rows(conn) == 0


def test_an_entry_is_written_once(engine: Engine) -> None:
    write(engine, told(1, 7))
    with pytest.raises(StoreError, match="disclosure_detail: a row with this key exists already"):
        write(engine, told(1, 7))
