"""One customer for one case: what may be told, and on what reference."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.cases import CASE_MADE_OF, Case, case_row, unfit
from pipelines.domain.extract import Contract
from pipelines.domain.schemas import GOLDEN

AGENCY = Contract("collection", "1", tuple(CASE_MADE_OF), dict(CASE_MADE_OF))
CASE = Case("P-2026-17")


def told(
    case: Case = CASE, contract: Contract = AGENCY, **fields: object
) -> tuple[Mapping[str, str], str]:
    base = {
        "party_id": 1, "party_type": "person", "display_name": "Laine Aino", "street_line": "Kotikatu 1",
        "postal_code": "00100", "post_office": "HELSINKI", "country": "FI", "protection": "not_stated",
        "address_type": "permanent",
    }  # fmt: skip
    row, reason = case_row(GOLDEN.frame([{**base, **fields}]), case, contract)
    return ({} if row.empty else row.iloc[0].to_dict()), reason


def test_a_debtor_is_told_with_the_case_and_the_address() -> None:
    row, reason = told()
    assert reason == ""
    assert {k: v for k, v in row.items() if v != ""} == {
        "row_key": "000001-P-2026-17", "party_id": 1, "case_reference": "P-2026-17",
        "customer_number": "000001", "party_kind": "person", "name": "Laine Aino",
        "street_line": "Kotikatu 1", "postal_code": "00100", "post_office": "HELSINKI", "country": "FI",
    }  # fmt: skip


def test_r56_a_protected_debtor_goes_by_the_contact_address_or_not_at_all() -> None:
    assert told(protection="on") == ({}, "protected_no_route")
    row, _ = told(protection="on", address_type="contact", street_line="PL 1")
    assert row["street_line"] == "PL 1"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"display_name": None}, "no_name"),
        ({"name_role": "death_estate"}, "death_estate"),
        ({"postal_code": None}, "no_address"),
        ({"street_line": None}, "no_address"),
    ],
)
def test_who_cannot_be_told_of_has_a_reason(fields: dict[str, object], reason: str) -> None:
    assert told(**fields) == ({}, reason)


def test_a_business_id_is_told_of_organisations_only() -> None:
    assert told(business_id="0000001-9")[0]["business_id"] == ""
    firm, _ = told(party_type="organisation", business_id="0000001-9")
    assert firm["business_id"] == "0000001-9"


def test_an_address_nobody_asks_for_stands_in_nobodys_way() -> None:
    narrow = Contract("x", "1", ("case_reference", "name"), dict(CASE_MADE_OF))
    row, reason = told(contract=narrow, street_line=None, post_office=None)
    assert (row["name"], reason) == ("Laine Aino", "")


@pytest.mark.parametrize("reference", ["P-2026-17", "D/12/2026", "881", "a.b_c"])
def test_an_id_is_a_reference(reference: str) -> None:
    assert unfit(Case(reference), "case") is None


@pytest.mark.parametrize(
    "text",
    ["", "Laine Aino", "talked to her", "a" * 41, "040404A919X", "x/040404-919X", "é", "=1+1"],
)
def test_words_about_somebody_are_no_reference_and_are_not_repeated(text: str) -> None:
    for case in (Case(text), Case("P-1", claim=text)):
        fault = unfit(case, "case")
        assert fault is not None
        assert not text or text not in fault


@given(st.text(min_size=1).filter(lambda t: any(c.isspace() for c in t)))
def test_no_sentence_is_ever_a_reference(text: str) -> None:
    assert unfit(Case(text), "case") is not None


@pytest.mark.parametrize(
    ("statute", "fits"),
    [
        ("119/2001 21 §", True),
        ("VHL 119/2001 21 §", True),
        ("1558/1995 14 §", True),
        ("119/2001", True),
        (None, False),
        ("", False),
        ("the police called", False),
        ("Laine Aino 119/2001", False),
    ],
)
def test_r20_who_is_told_by_law_is_told_on_a_statute(statute: str | None, fits: bool) -> None:
    assert (unfit(Case("D-1", statute), "statute") is None) is fits


def test_r20_nobody_else_is_told_on_a_statute() -> None:
    assert unfit(Case("P-1", "119/2001"), "case") is not None
