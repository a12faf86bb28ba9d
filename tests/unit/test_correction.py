"""A field named as a steward names it, and a correction that holds as long as the error does."""

from copy import deepcopy
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.correction import (
    NotAField,
    check,
    corrected,
    endings,
    flat,
    never_landed,
    standard_fields,
    still_says,
    typed,
    value_at,
    with_value,
)
from pipelines.domain.landing import content_hash
from pipelines.domain.schemas import LANDED

HOME = {"address_type": "postal", "line": "Pajutie 1", "postal_code": "3164A"}
CONTACT = {"address_type": "contact", "line": "PL 5"}
CONTENT: dict[str, Any] = {
    "name": "Laine Aino", "addresses": [HOME, CONTACT], "final_invoice": {"line": "Koivutie 2"},
}  # fmt: skip

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=6)
addresses = st.fixed_dictionaries(
    {"address_type": st.sampled_from(["postal", "contact", "permanent"])},
    optional={"line": words, "postal_code": words},
)
contents = st.fixed_dictionaries(
    {},
    optional={
        "name": words, "phone": words, "addresses": st.lists(addresses, max_size=3),
        "final_invoice": st.fixed_dictionaries({}, optional={"line": words}),
    },
)  # fmt: skip
FIELDS = ("name", "phone", "addresses.postal.line", "addresses.1.postal_code", "final_invoice.line")


def landed(content: object, key: str = "1") -> pd.DataFrame:
    row = {
        "source": "own", "kind": "party", "source_key": key, "content": content,
        "content_hash": content_hash(content) if isinstance(content, dict) else "h",
        "source_time": "2026-11-01T00:00:00Z", "field_times": {}, "business_date": "2026-11-02",
    }  # fmt: skip
    return LANDED.frame([row])


def correction(
    field: str, refused: object, right: object, *, number: int = 1, key: str = "1", **more: Any
) -> dict[str, Any]:
    return {
        "correction_no": number, "source": "own", "kind": "party", "source_key": key, "field": field,
        "refused": refused, "corrected": right, "content": None, "content_hash": "h",
        "decided_at": "2026-11-02T08:00:00Z", **more,
    }  # fmt: skip


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    columns = list(correction("name", None, None))
    return pd.DataFrame(list(rows), columns=columns, dtype=object)


# --- one field ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Laine Aino"),
        ("phone", None),
        ("addresses.postal.postal_code", "3164A"),
        ("addresses.2.line", "PL 5"),
        ("addresses.permanent.line", None),
        ("final_invoice.line", "Koivutie 2"),
    ],
)
def test_a_field_is_found_by_name_type_or_number(field: str, value: object) -> None:
    assert value_at(CONTENT, field) == value


def test_of_two_addresses_of_a_type_one_has_to_be_named_by_its_number() -> None:
    twice = {"addresses": [HOME, {**HOME, "line": "Koivutie 2"}]}
    with pytest.raises(NotAField, match=r"addresses\.2\.line"):
        value_at(twice, "addresses.postal.line")
    assert value_at(twice, "addresses.2.line") == "Koivutie 2"
    assert [path for path, _ in flat(twice)][:2] == ["addresses.1.address_type", "addresses.1.line"]


def test_an_address_nobody_stated_can_be_given_and_one_without_a_place_in_line_cannot() -> None:
    given = with_value({"name": "Laine"}, "addresses.postal.line", "Pajutie 1")
    assert given["addresses"] == [{"address_type": "postal", "line": "Pajutie 1"}]
    with pytest.raises(NotAField, match="no address number 3"):
        with_value(CONTENT, "addresses.3.line", "Pajutie 1")


def test_what_is_typed_becomes_what_the_field_holds() -> None:
    assert typed(" 31640 ", "addresses.postal.postal_code") == "31640"
    assert typed("  ", "phone") is None
    assert typed("true", "has_water_connection") is True
    with pytest.raises(NotAField, match="true or false"):
        typed("on", "has_water_connection")


@pytest.mark.parametrize("field", ["protection", "protection_until", "is_deceased", "person_key"])
def test_r56_no_steward_speaks_of_orders_deaths_or_identity(field: str) -> None:
    with pytest.raises(NotAField, match="for its source to say"):
        check(field, frozenset({field}))


def test_r9_nothing_is_corrected_that_the_source_may_not_state() -> None:
    check("phone", frozenset({"phone"}))
    with pytest.raises(NotAField, match="no field of this source"):
        check("phone", frozenset({"name"}))


@given(contents, st.sampled_from(FIELDS), words | st.none())
def test_a_value_put_in_place_is_found_there_and_nothing_else_has_changed(
    content: dict[str, Any], field: str, value: object
) -> None:
    before = deepcopy(content)
    try:
        changed = with_value(content, field, value)
    except NotAField:
        return
    assert content == before, "a source's word is never written over"
    assert value_at(changed, field) == value
    if value_at(content, field) is not None:
        back = with_value(changed, field, value_at(content, field))
        assert back == content
    others = {p: v for p, v in flat(content) if p != field}
    if value_at(content, field) is not None and not field.startswith("addresses.1"):
        assert others.items() <= dict(flat(changed)).items()


@given(contents)
def test_every_field_a_steward_is_shown_can_be_named_again(content: dict[str, Any]) -> None:
    for path, value in flat(content):
        assert value_at(content, path) == value


def test_what_a_field_is_called_once_it_is_standard() -> None:
    assert standard_fields("addresses.postal.line") == ("street_line",)
    assert "family_name" in standard_fields("name")
    assert standard_fields("phone") == ("phone",)


# --- whole records --------------------------------------------------------------------------------------


def test_a_correction_applies_while_the_record_says_what_was_refused() -> None:
    field = "addresses.postal.postal_code"
    rows = frame(correction(field, "3164A", "31640"))
    found = corrected(landed(CONTENT), rows)
    assert value_at(found.landed["content"].iloc[0], field) == "31640"
    assert found.applied == {1}
    assert found.landed.drop(columns="content").equals(landed(CONTENT).drop(columns="content"))
    other = with_value(CONTENT, field, "3164B")
    assert corrected(landed(other), rows).landed["content"].iloc[0] == other
    assert corrected(landed(CONTENT, key="2"), rows).applied == frozenset()
    assert corrected(landed("not a record"), rows).applied == frozenset()


@given(contents, st.sampled_from(FIELDS), words | st.none(), words | st.none())
def test_a_correction_either_applies_or_has_ended(
    content: dict[str, Any], field: str, refused: object, right: object
) -> None:
    rows = frame(correction(field, refused, right))
    applied = corrected(landed(content), rows).applied
    ended = endings(landed(content), rows)
    assert (applied == {1}) == ended.empty
    if not ended.empty:
        is_mended = still_says(content, field, right)
        assert list(ended["ending"]) == ["source_mended" if is_mended else "source_changed"]


def test_a_record_that_says_nothing_new_ends_nothing() -> None:
    rows = frame(correction("name", "Laine", "Laine Aino"))
    assert endings(landed(CONTENT, key="2"), rows).empty
    assert corrected(landed(CONTENT), frame()).applied == frozenset()


def test_a_second_address_of_the_type_ends_a_correction_that_could_mean_either() -> None:
    rows = frame(correction("addresses.postal.postal_code", "3164A", "31640"))
    twice = {"addresses": [HOME, {**HOME, "line": "Koivutie 2"}]}
    assert corrected(landed(twice), rows).applied == frozenset()
    assert list(endings(landed(twice), rows)["ending"]) == ["source_changed"]


def test_what_never_landed_is_one_row_a_record_until_it_lands() -> None:
    base = {"addresses": [HOME]}
    rows = frame(
        correction("name", None, "Laine Aino", content=base),
        correction("phone", None, "0505550100", content=base, number=2),
        correction("name", "x", "y", number=3, key="2"),
    )
    made = never_landed(rows)
    assert made["source_key"].tolist() == ["1"]
    content = corrected(made, rows).landed["content"].iloc[0]
    assert content == {**base, "name": "Laine Aino", "phone": "0505550100"}
    came = endings(landed({**base, "name": "Laine Aino"}), rows)
    assert list(came["ending"]) == ["source_mended", "source_changed"]
