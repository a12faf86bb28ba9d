"""What one rule is.

Belongs here: the shape of a rule, and the few ways of saying one. Does not belong here: any rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

Severity = Literal["critical", "warning"]
Demand = Literal["present", "absent", "matches", "avoids", "at_most"]


@dataclass(frozen=True)
class Rule:
    """One demand on one field. The same rule may be asked of several fields.

    demand: `present` and `absent` (null), `matches` and `avoids` (the regular expression `pattern`),
    `at_most` (`length` characters). A null passes the last three. column: makes the values to look at from
    the frame, aligned with it, where they are not just the field's own.
    """

    name: str
    field: str
    severity: Severity
    demand: Demand
    pattern: str = ""
    length: int = 0
    column: Callable[[pd.DataFrame], pd.Series] | None = None

    def values(self, frame: pd.DataFrame) -> pd.Series:
        """What the demand is made of, as objects with None for null."""
        looked_at = (self.column(frame) if self.column else frame[self.field]).astype(object)
        return looked_at.where(looked_at.notna(), None)


def holds(condition: Callable[[pd.DataFrame], pd.Series]) -> Callable[[pd.DataFrame], pd.Series]:
    """For `present`: a value where the condition is true, null where it is false or unknown."""

    def told(frame: pd.DataFrame) -> pd.Series:
        is_met = condition(frame).astype("boolean").fillna(False).astype(bool)
        return pd.Series("ok", frame.index, dtype=object).where(is_met, None)

    return told


def meaning(fi: str, sv: str, en: str) -> dict[str, str]:
    """A rule as a sentence a steward reads."""
    return {"fi": fi, "sv": sv, "en": en}
