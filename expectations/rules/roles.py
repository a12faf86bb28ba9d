"""Rules about roles that a schema can't say.

Belongs here: what makes a role's time usable. Does not belong here: whether its party and point exist,
which only the whole register knows.
"""

import pandas as pd

from expectations.rules.rule import Rule, holds, meaning

MEANINGS = {
    "role_without_start": meaning(
        "Maksajan tai liittyjän roolin alkamispäivä puuttuu.",
        "Startdatumet saknas för betalarens eller abonnentens roll.",
        "A payer's or holder's role has no first day.",
    ),
}


def _ends_after_start(roles: pd.DataFrame) -> pd.Series:
    start, end = roles["valid_from"], roles["valid_to"]
    return start.isna() | end.isna() | (start <= end)


def _has_its_start(roles: pd.DataFrame) -> pd.Series:
    # registers of property and buildings often know an owner and no day
    return ~roles["role_type"].isin(["payer", "holder"]) | roles["valid_from"].notna()


RULES = (
    Rule("role_without_start", "valid_from", "warning", "present", column=holds(_has_its_start)),
    Rule(
        "ends_before_it_begins", "valid_to", "critical", "present", column=holds(_ends_after_start)
    ),
)
