"""Rules about consumption points that a schema can't say.

Belongs here: what makes a point findable. Does not belong here: who has a role there.
"""

import pandas as pd

from expectations.rules.addresses import finnish_postal_code
from expectations.rules.rule import Rule, holds, meaning
from expectations.rules.text import text_rules
from pipelines.domain.points import OWN_REGISTER

MEANINGS = {
    "point_without_address": meaning(
        "Kulutuspisteeltä puuttuu osoite.",
        "Förbrukningsstället saknar adress.",
        "A consumption point has no address.",
    ),
}


def _has_its_address(points: pd.DataFrame) -> pd.Series:
    # a whole property, or a building another register knows, need not have one
    return points["street_line"].notna() | (points["source"] != OWN_REGISTER)


RULES = (
    Rule(
        "point_without_address", "street_line", "warning", "present", column=holds(_has_its_address)
    ),
    Rule(
        "finnish_postal_code", "postal_code", "critical", "matches",
        pattern=r"\A[0-9]{5}\Z", column=finnish_postal_code,
    ),
    *text_rules("street_line", "post_office"),
)  # fmt: skip
