"""The disclosure log: gapless leaves, erasable details, and the proof that both belong together."""

import json
import threading
from functools import partial
from typing import Any, Literal

import pandas as pd
import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, update

from pipelines.domain.disclosure import commit, leaf
from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.store import deliveries, disclosures, frames, nights, reconciliation
from pipelines.store.engine import reading, transaction
from pipelines.store.tables import (
    disclosure_clear,
    disclosure_detail,
    disclosure_leaf,
    disclosure_seed,
    disclosure_terms,
)
from pipelines.store.vault import Vault
from pipelines.store.verification import verify_log

Written = tuple[Literal["disclosure", "lookup"], pd.DataFrame, dict[str, Any]]

NOW = "2026-11-02T00:30:00Z"


VAULT = Vault(bytes(range(32)))
TERMS = {"purpose": "billing", "basis": "6.1.b", "ground": "contract"}


def altered(conn: Connection, vault: Vault) -> list[str]:
    """The details that can't be read or are not what their leaf commits to, or have none."""
    findings = verify_log(conn, vault).findings
    return [str(f) for f in findings if f.where.startswith("entry ")]


def told(*parties: int | None, delivery: str = "d1") -> Written:
    """What a delivery tells of parties, a row each."""
    people = pd.DataFrame(
        {
            "party_id": pd.array(parties, dtype="Int64"),
            "content": [{"customer_number": f"{party or 0:06}"} for party in parties],
            "fields": [["customer_number"]] * len(parties),
        }
    )
    return "disclosure", people, {"to": "finance", "d": delivery, **TERMS}


def asked(*keys: str) -> Written:
    """A question to the population register about persons."""
    people = pd.DataFrame({"subject_key": keys, "fields": [["identity_code"]] * len(keys)})
    return "lookup", people, {"to": "dvv", "operation": "muutokset", **TERMS}


def write(engine: Engine, *entries: Written) -> None:
    with transaction(engine) as conn:
        for kind, people, terms in entries:
            disclosures.disclose(conn, VAULT, kind, people, terms, NOW)


def call(engine: Engine, *, at: str = NOW) -> int:
    with transaction(engine) as conn:
        return disclosures.append_leaves(conn, [leaf("lookup_call", to="dvv", n=1)], at)


def test_leaves_are_numbered_from_nought_without_a_gap(engine: Engine) -> None:
    assert call(engine) == 0
    write(engine, told(7, 8))
    with pytest.raises(RuntimeError), transaction(engine) as conn:
        disclosures.append_leaves(conn, [leaf("attempt", d="d1")], NOW)
        raise RuntimeError  # the numbers go back with the transaction
    assert call(engine) == 3
    with transaction(engine) as conn:
        assert disclosures.append_leaves(conn, [], NOW) == 4
        assert disclosures.leaf_count(conn) == 4
        assert reconciliation.leaves_out_of_line(conn) == 0
        assert disclosures.recent(conn, 2)["leaf_no"].tolist() == [3, 2]


def test_writers_at_the_same_time_leave_no_gap_and_no_number_twice(engine: Engine) -> None:
    def many() -> None:
        for _ in range(5):
            write(engine, told(7))

    writers = [threading.Thread(target=many) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    with reading(engine) as conn:
        assert disclosures.leaf_count(conn) == 20
        assert reconciliation.leaves_out_of_line(conn) == 0
        assert len(altered(conn, VAULT)) == 0


def test_every_leaf_says_when(engine: Engine) -> None:
    """What isn't in the leaf isn't in the tree, and could be changed unseen."""
    write(engine, told(7))
    call(engine)
    with reading(engine) as conn:
        assert {json.loads(line)["at"] for line in disclosures.recent(conn, 2)["leaf"]} == {NOW}


def test_a_person_is_told_of_disclosures_before_a_merge_and_of_look_ups_before_a_number(
    engine: Engine,
) -> None:
    """R38: the actual recipients, with dates and fields; nobody else's line stands there."""
    write(engine, told(7, 8, 9), asked("t7", "t9"))
    with transaction(engine) as conn:
        record = {"source": "dvv", "source_key": "t7", "party_id": 7}
        frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame([record]))
        merged = pd.DataFrame({"party_id": [8], "into_party_id": [7]})
        nights.redirect(conn, merged, merged.head(0), "2026-11-02")
        lines = disclosures.of_party(conn, VAULT, 7)
        assert disclosures.of_delivery(conn, VAULT, "d1")["party_id"].tolist() == [7, 8, 9]
    assert lines["leaf_no"].tolist() == [0, 1, 3]
    assert lines["recipient"].tolist() == ["finance", "finance", "dvv"]
    assert lines["content"].tolist()[:2] == [{"customer_number": f"{n:06}"} for n in (7, 8)]
    assert lines["subject_key"].tolist()[2] == "t7"


def test_who_was_asked_about_before_is_known_by_register_operation_and_fields(
    engine: Engine,
) -> None:
    code = ["identity_code"]
    write(engine, asked("t1", "t2"), told(7))
    with transaction(engine) as conn:
        known = partial(disclosures.asked_before, conn, VAULT)
        assert known("dvv", "muutokset", code, ["t1", "t2", "t3"]) == {"t1", "t2"}
        for question in (
            ("dvv", "perustiedot", code),
            ("ytj", "muutokset", code),
            ("dvv", "muutokset", ["identity_code", "birth_date"]),
        ):
            assert not known(*question, ["t1", "t2"])


def test_deliveries_and_look_ups_are_listed_with_counts_and_without_people(engine: Engine) -> None:
    write(engine, told(7), asked("t2"))
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


def test_what_was_told_of_a_person_stands_nowhere_in_clear(engine: Engine) -> None:
    """PRIVACY §2.6: without the key that is in no database, the log says nothing of anybody."""
    write(engine, told(7), asked("token-of-a-person"))
    with reading(engine) as conn:
        stored = [
            value.decode("latin-1") if isinstance(value, bytes) else str(value)
            for table in (disclosure_detail, disclosure_terms, disclosure_seed, disclosure_leaf)
            for row in conn.execute(select(table))
            for value in row
        ]
        held = disclosures.of_delivery(conn, Vault(bytes(32)), "d1")
    assert not any("000007" in value or "token-of-a-person" in value for value in stored)
    assert held["content"].tolist() == [{}] and held["salt"].isna().all()


def test_an_erased_detail_leaves_its_leaf_and_the_log_whole(engine: Engine) -> None:
    """PRIVACY §2.6: proofs go on to hold, of what has become a random number."""
    write(engine, told(7, 8))
    with transaction(engine) as conn:
        mine = disclosures.of_party(conn, VAULT, 7)
        assert disclosures.erase(conn, mine[["leaf_no"]], NOW) == 1
        assert disclosures.of_party(conn, VAULT, 7).empty
        assert (disclosures.leaf_count(conn), disclosures.detail_count(conn)) == (3, 1)
        assert reconciliation.leaves_out_of_line(conn) == 0
        assert len(altered(conn, VAULT)) == 0
        assert list(conn.scalars(select(disclosure_seed.c.holder))) == ["P8"]


def test_the_terms_of_a_telling_stand_once_and_go_with_their_last_detail(engine: Engine) -> None:
    """PRIVACY §2.6: once nobody is left who was told of, nothing says with which fields."""
    write(engine, told(7, 8), told(7, delivery="d2"), asked("t1", "t2"))
    with transaction(engine) as conn:
        terms = select(disclosure_terms.c.terms_no).order_by(disclosure_terms.c.terms_no)
        assert list(conn.scalars(terms)) == [0, 2, 3]
        lines = disclosures.of_delivery(conn, VAULT, "d1")
        disclosures.erase(conn, lines[["leaf_no"]].head(1), NOW)
        assert list(conn.scalars(terms)) == [0, 2, 3]
        disclosures.erase(conn, lines[["leaf_no"]].tail(1), NOW)
        assert list(conn.scalars(terms)) == [2, 3]
        assert altered(conn, VAULT) == []
        row = conn.execute(select(disclosure_terms).limit(1)).mappings().one()
        conn.execute(insert(disclosure_terms).values({**row, "terms_no": 9}))
        findings = list(map(str, verify_log(conn, VAULT).findings))
    assert [line for line in findings if line.startswith("terms")] == [
        "terms 9: is not what any detail was told under"
    ]


@pytest.mark.parametrize("column", ["leaf_no", "terms_no"])
def test_a_detail_under_another_leaf_or_other_terms_is_found(engine: Engine, column: str) -> None:
    write(engine, told(7), told(8, delivery="d2"))
    with transaction(engine) as conn:
        mine = disclosure_detail.c.holder == "P8"
        other = {"leaf_no": 5, "terms_no": 0}[column]
        conn.execute(update(disclosure_detail).where(mine).values({column: other}))
        found = altered(conn, VAULT)
    assert [line.partition(": ")[2] for line in found] == [
        "is filed under something else than its leaf says"
    ]


def test_a_row_without_its_terms_still_says_that_somebody_was_told(engine: Engine) -> None:
    write(engine, told(7))
    with transaction(engine) as conn:
        conn.execute(delete(disclosure_terms))
        assert disclosures.of_party(conn, VAULT, 7)["content"].tolist() == [
            {"customer_number": "000007"}
        ]
        assert len(altered(conn, VAULT)) == 1


def test_without_its_seed_a_detail_is_a_random_number(engine: Engine) -> None:
    write(engine, told(7, 8))
    with transaction(engine) as conn:
        conn.execute(delete(disclosure_seed).where(disclosure_seed.c.holder == "P7"))
        held = disclosures.of_delivery(conn, VAULT, "d1")
    assert held["content"].tolist() == [{}, {"customer_number": "000008"}]
    assert held["party_id"].tolist() == [7, 8]


def test_one_person_has_one_seed_whatever_is_told_of_them(engine: Engine) -> None:
    write(engine, told(7, 7, None), told(7, None, delivery="d2"), asked("t1", "t1"))
    with reading(engine) as conn:
        holders = sorted(conn.scalars(select(disclosure_seed.c.holder)))
        assert holders == sorted(["P7", "Dd1", "Dd2", VAULT.token("dvv", "t1")])
        assert disclosures.of_party(conn, VAULT, 7)["delivery_id"].tolist() == ["d1", "d1", "d2"]


def test_details_written_in_clear_by_an_older_hub_are_brought_over_and_lost_there(
    engine: Engine,
) -> None:
    question = {"recipient": "dvv", "operation": "o", "purpose": "p", "subject": "t1"}
    content, salt = {"customer_number": "000007"}, b"s" * 32
    old = [
        {
            "party_id": 7, "recipient": "finance", "content": content, "delivery_id": "d1",
            "operation": "delivery", "fields": ["customer_number"],
        },
        {
            "subject_source": "dvv", "subject_key": "t1", "recipient": "dvv", "operation": "o",
            "fields": ["identity_code"],
        },
    ]  # fmt: skip
    common = {"purpose": "p", "basis": "b", "salt": salt, "at": NOW}
    terms = {"purpose": "p", "basis": "b"}
    lines = [
        leaf("disclosure", e="0" * 32, c=commit(content, salt), to="finance", d="d1", **terms),
        leaf("lookup", e="1" * 32, c=commit(question, salt), to="dvv", operation="o", **terms),
    ]
    with transaction(engine) as conn:
        for number, row in enumerate(old):
            entry = {"entry_id": str(number) * 32, **common, **row}
            conn.execute(insert(disclosure_clear).values(entry))
        disclosures.append_leaves(conn, lines, NOW)
        assert disclosures.bring_over(conn, VAULT) == 2
        assert disclosures.bring_over(conn, VAULT) == 0
        assert conn.execute(select(disclosure_clear)).all() == []
        assert len(altered(conn, VAULT)) == 0
        assert disclosures.of_party(conn, VAULT, 7)["content"].tolist() == [content]
        assert disclosures.asked_before(conn, VAULT, "dvv", "o", ["identity_code"], ["t1"]) == {
            "t1"
        }


@pytest.mark.parametrize("column", ["sealed", "seed"])
def test_a_detail_changed_afterwards_no_longer_fits_its_leaf(engine: Engine, column: str) -> None:
    write(engine, told(7), asked("t2"))
    table = disclosure_seed if column == "seed" else disclosure_detail
    mine = table.c.holder == "P7"
    with transaction(engine) as conn:
        assert len(altered(conn, VAULT)) == 0
        value = conn.scalar(select(table.c[column]).where(mine))
        changed = bytes([value[0] ^ 1]) + value[1:]
        conn.execute(update(table).where(mine).values({column: changed}))
        assert len(altered(conn, VAULT)) == 1


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
        disclosures.disclose(conn, VAULT, *told(7), NOW)
        assert reconciliation.unlogged_rows(conn) == 0  # prepared: nothing has left
        deliveries.seal(conn)
        deliveries.mark(conn, "d1", "sending", NOW)
        assert reconciliation.unlogged_rows(conn) == 1
        disclosures.disclose(conn, VAULT, *told(8), NOW)
        assert reconciliation.unlogged_rows(conn) == 0
