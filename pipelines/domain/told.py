"""What has been told about one person, or asked, as a person can follow it (R38; GDPR art. 15(1)(c)).

Belongs here: reading the log's leaves and details as disclosures, each with what became of it. Does not belong here:
finding them (`store.disclosures`), words (`pipelines.statement`), whoever of our own looked (C-579/21: never shown).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

Outcome = Literal[
    "asked", "prepared", "attempt", "uncertain", "delivered", "acknowledged", "aborted"
]
ENDS: frozenset[str] = frozenset({"uncertain", "delivered", "acknowledged", "aborted"})
"""Kinds of leaf that say what became of a delivery; `attempt` says only that it began."""


@dataclass(frozen=True)
class Told:
    """One disclosure of the person's data, or one first question about them.

    at: instant. recipient, operation, purpose, basis, ground: as the log has them. contract: `recipient@version`,
    None of a question. notice: the version it was made under (R1). fields: columns that carried something, or what the
    question was asked with; changes: of a row that changes one value, which. outcome_at: when the log says so.
    """

    leaf_no: int
    at: str
    recipient: str
    operation: str
    purpose: str
    basis: str
    ground: str | None
    contract: str | None
    notice: str
    fields: tuple[str, ...]
    changes: str | None
    delivery_id: str | None
    outcome: Outcome
    outcome_at: str


def disclosures(logged: pd.DataFrame, states: pd.DataFrame) -> list[Told]:
    """The person's disclosures, oldest first.

    logged: leaf_no, leaf, at, fields and content of each detail. states: leaf_no, leaf, at, delivery_id of the later
    leaves of their deliveries, in any order.
    """
    ends = _ends(states)
    ordered = logged.sort_values("leaf_no", kind="stable")
    rows = ordered[["leaf_no", "leaf", "at", "fields", "content"]].itertuples(index=False)
    return [
        _told(int(number), json.loads(leaf), at, tuple(fields), content, ends)
        for number, leaf, at, fields, content in rows
    ]


def _ends(states: pd.DataFrame) -> dict[str, tuple[Outcome, str]]:
    """Delivery → what the last leaf about it says, and when."""
    last = states.sort_values("leaf_no", kind="stable").drop_duplicates("delivery_id", keep="last")
    return {
        delivery_id: (json.loads(leaf)["t"], at)
        for delivery_id, leaf, at in last[["delivery_id", "leaf", "at"]].itertuples(index=False)
    }


def _told(
    number: int,
    fact: Mapping[str, Any],
    at: str,
    fields: tuple[str, ...],
    content: Any,
    ends: Mapping[str, tuple[Outcome, str]],
) -> Told:
    delivery_id = fact.get("d")
    begun: tuple[Outcome, str] = ("asked" if fact["t"] == "lookup" else "prepared", at)
    outcome, outcome_at = ends.get(str(delivery_id), begun)
    changes = content.get("field") if isinstance(content, Mapping) else None
    return Told(
        leaf_no=number,
        at=at,
        recipient=fact["to"],
        operation=fact.get("operation", "delivery"),
        purpose=fact["purpose"],
        basis=fact["basis"],
        ground=fact.get("ground"),
        contract=fact.get("contract"),
        notice=fact["notice"],
        fields=fields,
        changes=changes,
        delivery_id=delivery_id,
        outcome=outcome,
        outcome_at=outcome_at,
    )
