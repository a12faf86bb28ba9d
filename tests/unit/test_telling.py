"""Why a row is about to be told: what differs from what was told, whose word it is, and nothing an order hides."""

import pandas as pd

from pipelines.domain.extract import Contract
from pipelines.domain.schemas import GOLDEN_ROLES, PROVENANCE
from pipelines.domain.telling import reasons

CONTRACT = Contract(
    "finance", "1", ("event", "invoice_name", "street_line", "point_ref", "ended_on"),
    {"invoice_name": ("display_name",), "street_line": ("care_of", "street_line"), "point_ref": ("point_ref",)},
)  # fmt: skip
OLD = {"event": "new", "invoice_name": "Mäki Aino", "street_line": "Kotikatu 1", "point_ref": "7"}
VALUES = PROVENANCE.frame(
    [
        {"party_id": 1, "field": field, "source": source, "source_time": time, "rule": rule}
        for field, source, time, rule in (
            ("display_name", "registrations", "2020-01-01T00:00:00Z", "only_source"),
            ("care_of", "registrations", "2020-01-01T00:00:00Z", "only_source"),
            ("street_line", "notices", "2026-11-02T00:00:00Z", "own_notice_newer"),
        )
    ]
)
ROLES = GOLDEN_ROLES.frame(
    [
        {
            "party_id": 1, "point_id": 5, "role_type": "payer", "valid_from": "2020-01-01", "source": "registrations",
            "source_key": "r1", "rule": "only_source",
        }
    ]
)  # fmt: skip


def why(event: dict[str, str], told: list[dict[str, str]], **how: object) -> list[tuple[str, ...]]:
    row = {
        "row_key": "000001-000005",
        "party_id": 1,
        **dict.fromkeys(CONTRACT.columns, ""),
        **event,
    }
    events = pd.DataFrame([row]).astype({"party_id": "Int64"})
    before = pd.DataFrame(
        {"row_key": ["000001-000005"] * len(told), "row": pd.Series(told, dtype=object)}
    )
    found = reasons(events, before, VALUES, ROLES, CONTRACT, **how)  # type: ignore[arg-type]
    told_why = found[["column", "before", "source", "rule"]].astype(object)
    return list(told_why.where(told_why.notna(), None).itertuples(index=False, name=None))


def test_a_column_that_differs_says_what_was_told_and_who_says_otherwise() -> None:
    moved = OLD | {"event": "changed", "street_line": "Rantatie 5"}
    assert why(moved, [OLD]) == [("street_line", "Kotikatu 1", "notices", "own_notice_newer")]


def test_of_a_protected_customer_nothing_is_said_of_what_was_told_before() -> None:
    hidden = OLD | {"event": "changed", "street_line": "PL 5"}
    assert why(hidden, [OLD], protected=[1]) == [("street_line", "", "notices", "own_notice_newer")]


def test_a_row_never_told_is_there_for_the_payers_role_behind_it() -> None:
    assert why(OLD, []) == [("point_ref", None, "registrations", "only_source")]


def test_an_end_differs_in_its_day_alone() -> None:
    ended = {"event": "ended", "point_ref": "7", "ended_on": "2026-11-01"}
    assert why(ended, [OLD]) == [("ended_on", "", None, None)]
