"""Every rule of the house: which tables it is asked of, how grave it is, how a steward reads it.

Belongs here: the table of rules, put together. Does not belong here: a rule; asking it (`expectations.run`).
"""

from expectations.rules import addresses, dealings, parties, points, reading, roles, shape, text
from expectations.rules.rule import Rule, Severity

BY_TABLE: dict[str, tuple[Rule, ...]] = {
    "standard_party": parties.RULES,
    "standard_address": addresses.RULES,
    "standard_point": points.RULES,
    "standard_role": roles.RULES,
    "standard_invoice": dealings.INVOICE_RULES,
    "standard_order": dealings.ORDER_RULES,
}

MEANINGS: dict[str, dict[str, str]] = {
    **reading.MEANINGS,
    **shape.MEANINGS,
    **text.MEANINGS,
    **parties.MEANINGS,
    **addresses.MEANINGS,
    **points.MEANINGS,
    **roles.MEANINGS,
    **dealings.MEANINGS,
}

_SEVERITIES: dict[str, Severity] = {
    **reading.SEVERITIES,
    **dict.fromkeys(shape.MEANINGS, "critical"),
    **{rule.name: rule.severity for rules in BY_TABLE.values() for rule in rules},
}

_WAIVABLE = frozenset({"value_shape", "value_too_long"})


def severity_of(rule: str) -> Severity:
    """Whether breaking the rule holds the record back; a rule nobody has told us of does."""
    return _SEVERITIES.get(rule, "critical")


def is_waivable(rule: str) -> bool:
    """Whether a steward may let a record on that breaks the rule.

    Only a rule about a shape that some real value has after all; never one that keeps a record from being
    read, protects a person or keeps a bill from going astray.
    """
    return rule in _WAIVABLE
