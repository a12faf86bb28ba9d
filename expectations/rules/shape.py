"""The rules a schema already says: what must be there, what a value looks like, how long it may be.

Belongs here: turning `Schema` and `Field` into rules. Does not belong here: anything about one table only.
"""

from expectations.rules.rule import Rule, meaning
from pipelines.domain.schemas import Schema

# What a record is useless without, beside its key.
_REQUIRED = {
    "standard_party": ("party_type", "protection"),
    "standard_address": ("address_type", "country"),
    "standard_invoice": ("customer_number", "invoice_state"),
    "standard_order": ("customer_number",),
    "standard_role": ("party_source_key", "point_source_key", "role_type"),
}

MEANINGS = {
    "required_missing": meaning(
        "Pakollinen tieto puuttuu.",
        "En obligatorisk uppgift saknas.",
        "A required field is missing.",
    ),
    "value_shape": meaning(
        "Tieto ei ole sovitussa muodossa.",
        "Uppgiften har inte avtalad form.",
        "A value does not have the agreed form.",
    ),
    "value_too_long": meaning(
        "Tieto on pidempi kuin kenttään mahtuu.",
        "Uppgiften är längre än fältet tillåter.",
        "A value is longer than its field allows.",
    ),
}


def shape_rules(schema: Schema) -> tuple[Rule, ...]:
    """Not-null for key and required fields, then pattern and length of every field that has them."""
    required = dict.fromkeys((*schema.key, *_REQUIRED.get(schema.name, ())))
    return (
        *(Rule("required_missing", name, "critical", "present") for name in required),
        *(
            Rule("value_shape", f.name, "critical", "matches", pattern=_whole(f.pattern))
            for f in schema.fields
            if f.pattern
        ),
        *(
            Rule("value_too_long", f.name, "critical", "at_most", length=f.max_length)
            for f in schema.fields
            if f.max_length
        ),
    )


def _whole(pattern: str) -> str:
    # `$` would let a line break follow.
    return pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern
