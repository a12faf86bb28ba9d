"""Schemas → the rules asked of their rows.

Belongs here: which rules a table gets, in what order. Does not belong here: how they are asked (`run`).
"""

from expectations.rules import BY_TABLE
from expectations.rules.rule import Rule
from expectations.rules.shape import shape_rules
from pipelines.domain.schemas import Schema


def suite(schema: Schema) -> tuple[Rule, ...]:
    """What the schema itself says, then what is said of the table; each (rule, field) once."""
    return (*shape_rules(schema), *BY_TABLE.get(schema.name, ()))
