"""What makes a landed record new, and since when each of its fields has said so."""

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.domain.landing import (
    canonical_json,
    canonical_rows,
    content_hash,
    field_times,
)
from pipelines.domain.schemas import LANDED

NOW = "2026-11-02T01:30:00Z"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def _landed(content, source_time=None, times=None, key="1"):
    return {
        "source": "registrations", "kind": "party", "source_key": key, "source_time": source_time,
        "content": content, "field_times": times,
    }  # fmt: skip


def test_canonical_json_sorts_keys_and_keeps_letters():
    assert canonical_json({"b": 1, "a": "Mäki"}) == '{"a":"Mäki","b":1}'


def test_canonical_json_names_no_value_it_cannot_say():
    with pytest.raises(TypeError) as failed:
        canonical_json({"name": {"Virtanen"}})
    assert "Virtanen" not in str(failed.value)


@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_the_hash_depends_on_what_is_stated_only(content):
    assert content_hash(dict(reversed(content.items()))) == content_hash(content)
    assert content_hash({**content, "never stated": None}) == content_hash(content)
    assert content_hash({**content, "new": "x"}) != content_hash(content)


def test_an_unchanged_field_keeps_its_instant_when_the_record_is_touched():
    before = LANDED.frame(
        [_landed({"name": "A", "phone": "1"}, times={"name": "2020-01-01T00:00:00Z", "phone": "2021-01-01T00:00:00Z"})]
    )  # fmt: skip
    records = pd.DataFrame(
        [_landed({"name": "A", "phone": "2", "www": "x"}, "2026-10-01T00:00:00Z")]
    )
    assert field_times(records, before, NOW) == [
        {
            "name": "2020-01-01T00:00:00Z",
            "phone": "2026-10-01T00:00:00Z",
            "www": "2026-10-01T00:00:00Z",
        }
    ]


def test_a_source_without_times_states_a_new_value_now():
    assert field_times(
        pd.DataFrame([_landed({"name": "A", "www": None})]), LANDED.empty(), NOW
    ) == [{"name": NOW}]


def test_true_is_not_one_and_another_records_times_are_not_borrowed():
    old = {"is_deceased": "2020-01-01T00:00:00Z"}
    before = LANDED.frame(
        [
            _landed({"is_deceased": 1}, times=old),
            _landed({"name": "A"}, times={"name": "x"}, key="2"),
        ]
    )
    records = pd.DataFrame(
        [_landed({"is_deceased": True}, NOW), _landed({"name": "A"}, NOW, key="3")]
    )
    assert field_times(records, before, NOW) == [{"is_deceased": NOW}, {"name": NOW}]


def test_a_value_that_comes_back_is_new_again():
    before = LANDED.frame([_landed({"name": "B"}, times={"name": "2021-01-01T00:00:00Z"})])
    assert field_times(pd.DataFrame([_landed({"name": "A"}, NOW)]), before, "x") == [{"name": NOW}]


def test_no_records_have_no_times():
    assert field_times(LANDED.empty(), LANDED.empty(), NOW) == []


NAMES = st.text('ab%"ä', max_size=2)
ROWS = st.lists(st.dictionaries(NAMES, st.none() | NAMES, max_size=3), max_size=4) | st.lists(
    st.fixed_dictionaries({"%a": NAMES, "b": NAMES, "c": st.just('%s"')}), max_size=4
)


@given(ROWS)
@example([{"a": "1"}, {"a": "1", "b": "2"}])
@example([{"a": "1"}, {"b": "1"}])
@example([{"a": "1"}, {"a": "2"}, {"a": "1"}])
@example([{"a": None}, {"a": "1"}])
def test_rows_written_together_are_written_as_each_alone(rows: list[dict[str, str | None]]) -> None:
    alone = [canonical_json({k: v for k, v in row.items() if v is not None}) for row in rows]
    assert canonical_rows(rows) == alone
