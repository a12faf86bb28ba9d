"""Rules about roles that a schema can't say.

Belongs here: what makes a role's time usable. Does not belong here: whether its party and point exist,
which only the whole register knows.
"""

import pandas as pd

from expectations.rules.rule import Rule, holds, meaning

MEANINGS = {
    "role_without_start": meaning(
        "Roolin alkamispäivä puuttuu.",
        "Rollens startdatum saknas.",
        "A role has no first day.",
    ),
}


def _ends_after_start(roles: pd.DataFrame) -> pd.Series:
    start, end = roles["valid_from"], roles["valid_to"]
    return start.isna() | end.isna() | (start <= end)


RULES = (
    Rule("role_without_start", "valid_from", "warning", "present"),
    Rule(
        "ends_before_it_begins", "valid_to", "critical", "present", column=holds(_ends_after_start)
    ),
)
