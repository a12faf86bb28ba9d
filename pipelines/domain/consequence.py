"""What hangs on a refused record, so that a person looks first where waiting does most harm.

Belongs here: the order of the reasons, and which columns of a bill a record has a say in. Does not belong here: looking
up who is billed (`steps.weigh`), how the reasons are worded (`config/texts.yml`, `matters.…`).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from pipelines.domain.correction import flat, standard_fields

REASONS = ("order", "death", "unbilled", "billed", "customer", "unknown")
"""Gravest first.

order: it speaks of a protective order, and what else it says of the person may be a home that is to be hidden.
death: it says that somebody has died, so that letters and bills go to the dead.
unbilled: a payer, and nothing of the record is held: no bill can go out.
billed: a payer whose bills go by what was held before.
customer: a customer who pays nothing here; unknown: nobody the register knows.
"""

_NAMES = {"family_name", "given_names", "organisation_name"}
_OF_A_ROLE = {"valid_from", "valid_to", "final_invoice"}


def bill_columns(
    kind: str, content: Mapping[str, Any], made_of: Mapping[str, Iterable[str]]
) -> frozenset[str]:
    """The columns of a bill that a record of this kind and content has a say in.

    made_of: column → the golden fields it is made of (`extract.BILLING_MADE_OF`, or a contract's).
    """
    fields = {name for path, _ in flat(content) for name in _golden(path)}
    if kind == "role":
        fields = {name for name in fields if name in _OF_A_ROLE} | {"point_ref"}
    elif kind == "point":
        fields = {"point_ref"}
    return frozenset(column for column, names in made_of.items() if fields & set(names))


def _golden(path: str) -> tuple[str, ...]:
    if path.startswith("final_invoice"):
        return ("final_invoice",)
    fields = standard_fields(path)
    return ("display_name",) if _NAMES & set(fields) else fields


def weighed(facts: pd.DataFrame) -> pd.DataFrame:
    """The same rows, gravest first and among equals the oldest, with `matters`: the reasons of each, gravest first.

    facts: opened_at, quarantine_id, bill_columns (a number) and, as booleans, tells_order, tells_death, is_held
    (something of the record stands in the register), is_payer, is_customer.
    """
    is_payer, is_held = facts["is_payer"].astype(bool), facts["is_held"].astype(bool)
    shown = pd.DataFrame(
        {
            "order": facts["tells_order"].astype(bool),
            "death": facts["tells_death"].astype(bool),
            "unbilled": is_payer & ~is_held,
            "billed": is_payer & is_held,
            "customer": ~is_payer & facts["is_customer"].astype(bool),
            "unknown": ~is_payer & ~facts["is_customer"].astype(bool),
        },
        index=facts.index,
    )[list(REASONS)]
    matters = [
        [name for name, holds in zip(REASONS, row, strict=True) if holds]
        for row in shown.itertuples(index=False)
    ]
    ranked = facts.assign(
        matters=pd.Series(matters, facts.index, dtype=object),
        grave=[REASONS.index(reasons[0]) for reasons in matters],
        fewer=-facts["bill_columns"].astype(int),
    )
    order = ["grave", "opened_at", "fewer", "quarantine_id"]
    return ranked.sort_values(order, kind="stable", ignore_index=True).drop(
        columns=["grave", "fewer"]
    )
