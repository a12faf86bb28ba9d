"""Frames go into either database and come out the same."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from sqlalchemy import Engine

from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    LANDED,
    PARTIES,
    PARTY_RECORDS,
    Schema,
)
from pipelines.store import frames, tables
from pipelines.store.engine import StoreError, reading, transaction

KEY = ("source", "source_key")


def parties(*keys: str, **columns: object) -> pd.DataFrame:
    return PARTIES.frame([{"source": "own", "source_key": key, **columns} for key in keys])


@pytest.mark.parametrize("schema", [LANDED, PARTIES, ADDRESSES, GOLDEN], ids=lambda s: s.name)
def test_every_schema_has_a_table_with_its_columns(schema: Schema) -> None:
    table = tables.table_of(schema)
    assert [c.name for c in table.columns] == [*schema.columns, "step_run"]
    assert [c.name for c in table.primary_key] == [c for c in schema.columns if c in schema.key]


def test_what_is_put_comes_back_with_nulls_json_and_whole_numbers(engine: Engine) -> None:
    no_json = {"superseded_person_keys": None, "field_times": None}
    given_ = PARTIES.frame(
        [
            {
                "source": "own",
                "source_key": "1",
                "family_name": "Åström; \t\\N\nq'\"",
                "superseded_person_keys": ["a", "b"],
                "is_deceased": True,
                "field_times": {"family_name": "2026-11-02T00:00:00Z"},
            },
            {
                "source": "own",
                "source_key": "2",
                "is_deceased": False,
                "family_name": "",
                **no_json,
            },
            {"source": "own", "source_key": "3", **no_json},
        ]
    )
    with transaction(engine) as conn:
        assert frames.put(conn, PARTIES, given_, step_run=1) == 3
        found = frames.read(conn, PARTIES)
    assert_frame_equal(found, given_)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
json_values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=4,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.dictionaries(text, json_values, max_size=3), key=text, value=st.none() | text)
def test_any_text_and_any_json_survive_the_journey(
    engine: Engine, content: dict[str, object], key: str, value: str | None
) -> None:
    row = LANDED.frame(
        [
            {
                "source": "own", "kind": "party", "source_key": key, "source_time": value,
                "content": content, "field_times": None,
            }
        ]
    )  # fmt: skip
    with transaction(engine) as conn:
        frames.put(conn, LANDED, row)
        assert_frame_equal(frames.read_matching(conn, LANDED, row, ("source_key",)), row)
        assert frames.remove(conn, LANDED, row) == 1


def test_a_row_with_a_known_key_is_replaced_in_full(engine: Engine) -> None:
    with transaction(engine) as conn:
        frames.put(conn, PARTIES, parties("1", "2", email="a@example.fi", phone="+358401"), 1)
        frames.put(conn, PARTIES, parties("2", "3", email="b@example.fi"), 2)
        found = frames.read(conn, PARTIES)
    assert found["email"].tolist() == ["a@example.fi", "b@example.fi", "b@example.fi"]
    assert found["phone"].isna().tolist() == [False, True, True]


def test_only_rows_stamped_later_count_as_changed(engine: Engine) -> None:
    with transaction(engine) as conn:
        frames.put(conn, PARTIES, parties("1", "2"), 1)
        frames.put(conn, PARTIES, parties("2"), 2)
        frames.put(conn, PARTIES, parties("3"))
        assert frames.changed_since(conn, PARTIES, 0)["source_key"].tolist() == ["1", "2"]
        assert frames.changed_since(conn, PARTIES, 1)["source_key"].tolist() == ["2"]
        assert frames.changed_since(conn, PARTIES, 2).empty


def test_matching_is_by_set_each_row_once_and_null_matches_nothing(engine: Engine) -> None:
    stored = pd.concat([parties("1", "2", person_key="t1"), parties("3")], ignore_index=True)
    wanted = pd.DataFrame({"person_key": ["t1", "t1", None, "t9"], "other": [1, 2, 3, 4]})
    with transaction(engine) as conn:
        frames.put(conn, PARTIES, stored)
        found = frames.read_matching(conn, PARTIES, wanted, ("person_key",))
        none = frames.read_matching(conn, PARTIES, wanted.head(0), ("person_key",))
    assert found["source_key"].tolist() == ["1", "2"]
    assert_frame_equal(none, PARTIES.empty())


def test_thousands_of_keys_of_text_and_number_are_matched_and_removed(engine: Engine) -> None:
    ids = range(5_000)
    records = PARTY_RECORDS.frame(
        [{"source": "own", "source_key": f"{i:05}", "party_id": i} for i in ids]
    )
    even = records[records["party_id"] % 2 == 0]
    with transaction(engine) as conn:
        frames.put(conn, PARTY_RECORDS, records)
        assert len(frames.read_matching(conn, PARTY_RECORDS, even, ("party_id",))) == 2_500
        assert len(frames.read_matching(conn, PARTY_RECORDS, even, (*KEY, "party_id"))) == 2_500
        assert frames.remove(conn, PARTY_RECORDS, even, KEY) == 2_500
        assert frames.count(conn, PARTY_RECORDS) == 2_500
        assert frames.count(conn, PARTY_RECORDS, party_id=1) == 1


def test_matching_never_scans_the_table_once_per_key(tmp_path: object, engine: Engine) -> None:
    """Quadratic work would not show before the register is large."""
    if engine.dialect.name != "sqlite":
        return
    with reading(engine) as conn:
        condition = frames.matching(conn, tables.standard_party, parties("1"), ("email",))
        statement = tables.standard_party.select().where(condition)
        compiled = statement.compile(engine, compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}")]
    assert not any("CORRELATED" in step for step in plan)


def test_a_row_of_keys_only_is_written_again_without_anything_to_replace(engine: Engine) -> None:
    tied = pd.DataFrame({"match_key": [7], "record_no": [1]})
    with transaction(engine) as conn:
        frames.upsert(conn, tables.match_key, tied.assign(sort=0))
        frames.upsert(conn, tables.match_key, tied.assign(sort=1))
        assert conn.execute(tables.match_key.select()).all() == [(7, 1, 1)]
        frames.upsert(conn, tables.id_counter, pd.DataFrame({"name": ["a"], "next_value": [1]}))


def test_the_same_key_twice_in_a_batch_is_refused_on_both_databases(engine: Engine) -> None:
    """PostgreSQL would refuse it, SQLite would let the last one win."""
    with pytest.raises(StoreError, match="standard_party: 1 rows share"), transaction(engine) as c:
        frames.put(c, PARTIES, parties("1", "1"))


def test_a_row_without_its_key_is_refused(engine: Engine) -> None:
    with pytest.raises(StoreError, match="without its key"), transaction(engine) as conn:
        frames.put(conn, PARTIES, PARTIES.frame([{"source": "own", "email": "a@example.fi"}]))


def test_a_bulk_write_that_fails_quotes_nobody_and_leaves_nothing(engine: Engine) -> None:
    row = pd.DataFrame({"name": ["Canary", "Canary"], "value": ["Canary", "Canary"]})
    with pytest.raises(StoreError) as refused, transaction(engine) as conn:
        frames.append(conn, tables.hub_fact, row)
    assert str(refused.value) == "hub_fact: a row with this key exists already"
    with reading(engine) as conn:
        assert frames.rows(conn, tables.hub_fact.select()).empty


def test_rows_loaded_one_after_another_are_all_there_or_none_and_quote_nobody(
    engine: Engine,
) -> None:
    columns, table = ("holder", "seed"), tables.disclosure_seed
    with transaction(engine) as conn:
        frames.load(conn, table.name, columns, ((f"P{n}", b"s") for n in range(3)))
        frames.load(conn, table.name, columns, [])
    with pytest.raises(StoreError) as refused, transaction(engine) as conn:
        frames.load(conn, table.name, columns, [["P9", b"s"], ["P1", b"s"]])
    assert str(refused.value) == "disclosure_seed: a row with this key exists already"
    with transaction(engine) as conn:
        found = frames.one_of(conn, table.c.holder, ["P1", "P9", "P2", "P1"])
        assert sorted(frames.plain_rows(conn, table.select().where(found))) == [
            ("P1", b"s"), ("P2", b"s"),
        ]  # fmt: skip
        nobody = table.select().where(frames.one_of(conn, table.c.holder, []))
        assert frames.plain_rows(conn, nobody) == []


def test_dates_that_come_due_are_found_after_one_day_and_until_another(engine: Engine) -> None:
    addresses = ADDRESSES.frame(
        [
            {"source": "own", "source_key": day, "address_no": 0, "valid_from": day}
            for day in ("2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04")
        ]
    )
    with transaction(engine) as conn:
        frames.put(conn, ADDRESSES, addresses)
        due = frames.crossing(
            conn, ADDRESSES, ("valid_from", "valid_to"), "2026-11-01", "2026-11-03"
        )
    assert due["valid_from"].tolist() == ["2026-11-02", "2026-11-03"]


def test_rows_come_in_the_same_order_from_both_databases(engine: Engine) -> None:
    """A server's language must not decide the order of a delivery."""
    with transaction(engine) as conn:
        frames.put(conn, PARTIES, parties("b", "A", "ä", "a", "B", "-1"))
        assert frames.read(conn, PARTIES)["source_key"].tolist() == ["-1", "A", "B", "a", "b", "ä"]


def test_the_keys_held_of_a_source_are_those_of_one_kind(engine: Engine) -> None:
    landed = LANDED.frame(
        [
            {"source": source, "kind": kind, "source_key": f"{source}-{kind}", "content": {}}
            for source in ("own", "dvv")
            for kind in ("party", "role")
        ]
    )
    with transaction(engine) as conn:
        frames.put(conn, LANDED, landed)
        assert frames.keys_of(conn, LANDED, "own", "party") == {"own-party"}
