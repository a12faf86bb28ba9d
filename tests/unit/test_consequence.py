"""Where waiting does most harm, a person looks first."""

from typing import Any

import pandas as pd

from pipelines.domain.consequence import REASONS, bill_columns, weighed
from pipelines.domain.extract import BILLING_MADE_OF


def facts(*rows: dict[str, Any]) -> pd.DataFrame:
    usual = {
        "opened_at": "2026-11-02T00:30:00Z", "bill_columns": 0, "tells_order": False,
        "tells_death": False, "is_held": True, "is_payer": False, "is_customer": False,
    }  # fmt: skip
    return pd.DataFrame([{"quarantine_id": n, **usual, **row} for n, row in enumerate(rows, 1)])


def order(*rows: dict[str, Any]) -> list[int]:
    return list(weighed(facts(*rows))["quarantine_id"])


def test_an_order_comes_first_and_whoever_nobody_knows_last() -> None:
    rows = (
        {},
        {"is_customer": True},
        {"is_payer": True},
        {"is_payer": True, "is_held": False},
        {"tells_death": True},
        {"tells_order": True},
    )
    assert order(*rows) == [6, 5, 4, 3, 2, 1]
    assert [m[0] for m in weighed(facts(*rows))["matters"]] == list(REASONS)


def test_among_equals_the_oldest_comes_first_then_the_one_on_which_more_of_a_bill_hangs() -> None:
    old = {"opened_at": "2026-10-01T00:30:00Z"}
    assert order({}, {"bill_columns": 3}, old) == [3, 2, 1]


def test_every_reason_that_holds_is_given_the_gravest_first() -> None:
    (matters,) = weighed(facts({"tells_order": True, "is_payer": True, "is_held": False}))[
        "matters"
    ]
    assert matters == ["order", "unbilled"]


def test_what_of_a_bill_a_record_has_a_say_in() -> None:
    home = {"address_type": "postal", "line": "Pajutie 1", "postal_code": "31640"}
    person = {"name": "Laine", "phone": "0505550100", "addresses": [home]}
    told = bill_columns("party", person, BILLING_MADE_OF)
    assert {"invoice_name", "street_line", "postal_code"} <= told
    assert "post_office" not in told and "point_ref" not in told
    role = {"valid_from": "2020-01-01", "party": "1", "point": "K1"}
    assert {"valid_from", "point_ref"} <= bill_columns("role", role, BILLING_MADE_OF)
    assert bill_columns("point", {"line": "Pajutie 1"}, BILLING_MADE_OF) == {"point_ref"}
    assert bill_columns("party", {"phone": "0505550100"}, BILLING_MADE_OF) == frozenset()
