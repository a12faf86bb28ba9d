"""What each rule of a population can tell, column by column, and of which fields of ours a column is made.

Belongs here: the only select list there is. A contract picks columns of its rule, and owns up to every field that
stands in one (`breaches`), so that no field leaves under another's name (R18); what is read of the register to
make them is compiled from the same list (`reads`). Does not belong here: making the rows.
"""

from collections.abc import Collection, Iterable, Mapping

from pipelines.domain.cases import CASE_MADE_OF
from pipelines.domain.connections import CONNECTION_MADE_OF
from pipelines.domain.extract import BILLING_MADE_OF
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    Schema,
)

MADE_OF: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "payers_of_points": BILLING_MADE_OF,
    "connections_of_properties": CONNECTION_MADE_OF,
    "per_case": CASE_MADE_OF,
}
"""Population rule → column → the fields it is made of. Returns are made of what their contract says."""

# Beside what is told: who is in it, and by which way. final_invoice and connection_* are made of these.
_ADDRESS = ("care_of", "street_line", "postal_code", "post_office", "country")
_DECIDES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "payers_of_points": {
        GOLDEN.name: ("protection", "address_type", "delivery_channel"),
        GOLDEN_ROLES.name: ("role_type", "valid_from", "valid_to"),
        GOLDEN_POINTS.name: ("point_ref",),  # a role at a point that nobody knows is not billed
        ADDRESSES.name: ("address_type", "valid_from", "valid_to", "stated_at", *_ADDRESS),
    },
    "connections_of_properties": {
        GOLDEN_ROLES.name: ("role_type", "valid_from", "valid_to"),
    },
    "per_case": {GOLDEN.name: ("protection", "address_type", "name_role")},
}


def reads(rule: str, made_of: Iterable[Collection[str]], schema: Schema) -> tuple[str, ...]:
    """The columns of a table that a contract lets be read: its key, what is told, what decides."""
    told = {field for fields in made_of for field in fields}
    wanted = {*schema.key, *told, *_DECIDES[rule].get(schema.name, ())}
    if schema in (GOLDEN_ROLES, GOLDEN_POINTS):
        wanted |= {"party_id", "point_id"}
    return tuple(column for column in schema.columns if column in wanted)
