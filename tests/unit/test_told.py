"""The log's lines become disclosures that a person can follow, each with what became of it."""

from typing import Any

import pandas as pd
import pytest

from pipelines.domain.disclosure import leaf
from pipelines.domain.told import disclosures

E, C = "0" * 32, "0" * 64
TERMS = {
    "to": "finance",
    "contract": "finance@1",
    "purpose": "billing",
    "basis": "contract",
    "ground": "billing",
    "notice": "2021-05-18",
}


def told(number: int, delivery: str, content: Any = None) -> dict[str, Any]:
    return {
        "leaf_no": number,
        "leaf": leaf("disclosure", e=E, c=C, d=delivery, **TERMS),
        "at": f"2026-11-02T00:30:{number:02}Z",
        "fields": ["customer_number", "street_line"],
        "content": content,
    }


def state(number: int, kind: str, delivery: str = "d1") -> dict[str, Any]:
    at = f"2026-11-02T00:30:{number:02}Z"
    return {"leaf_no": number, "leaf": leaf(kind, d=delivery), "at": at, "delivery_id": delivery}


def states(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["leaf_no", "leaf", "at", "delivery_id"])


@pytest.mark.parametrize(
    ("kinds", "outcome"),
    [
        ([], "prepared"),
        (["attempt"], "attempt"),
        (["attempt", "uncertain"], "uncertain"),
        (["attempt", "uncertain", "delivered"], "delivered"),
        (["attempt", "delivered", "acknowledged"], "acknowledged"),
        (["aborted"], "aborted"),
    ],
)
def test_r38_a_disclosure_ends_as_the_last_leaf_about_its_delivery_says(
    kinds: list[str], outcome: str
) -> None:
    """R38: delivered or not; another delivery's fate is none of its own."""
    rows = [state(number, kind) for number, kind in enumerate(kinds, 10)]
    later = states(*reversed(rows), state(50, "delivered", "d2"))
    one = disclosures(pd.DataFrame([told(1, "d1")]), later)[0]
    assert (one.outcome, one.delivery_id) == (outcome, "d1")
    assert one.outcome_at == (rows[-1]["at"] if rows else one.at)


def test_what_was_told_stands_as_the_log_has_it_oldest_first() -> None:
    found = disclosures(pd.DataFrame([told(5, "d1"), told(2, "d1")]), states())
    assert [one.leaf_no for one in found] == [2, 5]
    one = found[0]
    assert (one.recipient, one.contract, one.purpose, one.basis, one.ground, one.notice) == (
        "finance", "finance@1", "billing", "contract", "billing", "2021-05-18",
    )  # fmt: skip
    assert (one.operation, one.fields) == ("delivery", ("customer_number", "street_line"))
    assert one.changes is None


def test_a_row_that_changes_one_value_says_which() -> None:
    row = told(1, "d1", {"field": "street_line", "value": "Kuusitie 5"})
    assert disclosures(pd.DataFrame([row]), states())[0].changes == "street_line"


def test_a_question_was_asked_and_has_no_contract() -> None:
    line = leaf(
        "lookup", e=E, c=C, to="dvv", operation="muutokset", purpose="maintain_register",
        basis="contract", notice="2021-05-18",
    )  # fmt: skip
    asked = told(1, "d1") | {"leaf": line, "fields": ["identity_code"], "content": None}
    one = disclosures(pd.DataFrame([asked]), states())[0]
    assert (one.outcome, one.operation) == ("asked", "muutokset")
    assert (one.contract, one.ground, one.delivery_id) == (None, None, None)
