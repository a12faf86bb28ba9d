"""Rules about consumption points that a schema can't say.

Belongs here: what makes a point findable. Does not belong here: who has a role there.
"""

from expectations.rules.addresses import finnish_postal_code
from expectations.rules.rule import Rule, meaning
from expectations.rules.text import text_rules

MEANINGS = {
    "point_without_address": meaning(
        "Kulutuspisteeltä puuttuu osoite.",
        "Förbrukningsstället saknar adress.",
        "A consumption point has no address.",
    ),
}

RULES = (
    Rule("point_without_address", "street_line", "warning", "present"),
    Rule(
        "finnish_postal_code", "postal_code", "critical", "matches",
        pattern=r"\A[0-9]{5}\Z", column=finnish_postal_code,
    ),
    *text_rules("street_line", "post_office"),
)  # fmt: skip
