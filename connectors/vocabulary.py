"""The words a column of a drop may be mapped to: which fields the hub has for each kind of record.

Belongs here: kinds, their fields, holding a mapping to them. Does not belong here: the shape of a mapping
(`mapping`), which of the fields a kind of source may bring (the notice, which connectors don't know).
"""

from collections import Counter
from collections.abc import Collection, Mapping

from connectors.mapping import FileMapping, demand

PARTY = "party"
IDENTITY = "identity"  # the shared column of identity code and business id: mapped, never landed
DEALINGS = frozenset({"invoice", "order"})
"""What others have done with our customers: each names its customer by a number, and nobody by a name."""

_ADDRESS_PARTS = frozenset(
    [
        "care_of", "line", "street", "house", "stair", "apartment", "split", "postal_code",
        "post_office", "country", "valid_from", "valid_to",
    ]
)  # fmt: skip
_ADDRESS_TYPES = frozenset(
    ["postal", "temporary", "permanent", "contact", "final_invoice", "visiting"]
)
FIELDS: Mapping[str, frozenset[str]] = {
    "party": frozenset(
        [
            "party_type", "name", "family_name", "given_names", "called_name", "organisation_name",
            "business_id", "phone", "email", "www", "language", "delivery_channel", "einvoice_address",
            "einvoice_operator", "protection", "protection_until", "death_date", IDENTITY,
        ]
    )
    | {f"addresses.{kind}.{part}" for kind in _ADDRESS_TYPES for part in _ADDRESS_PARTS},
    "point": frozenset(["property_id", "building_id", "line", "postal_code", "post_office"]),
    "role": frozenset(["party", "point", "role_type", "valid_from", "valid_to"])
    | {f"final_invoice.{part}" for part in ("line", "postal_code", "post_office")},
    # no amount and no word of what was billed: see config/sources/finance_status.yml
    "invoice": frozenset(["customer_number", "invoice_state", "due_date", "closed_date"]),
    "order": frozenset(["customer_number", "point_ref", "order_kind", "ordered_on"]),
}  # fmt: skip


def demand_vocabulary(mapping: FileMapping) -> None:
    """ValueError unless every mapped field is one of that kind of record, and none is mapped twice."""
    demand(mapping.kind in FIELDS, f"kind: must be one of {', '.join(sorted(FIELDS))}")
    mapped = Counter(column.field for column in mapping.columns.values())
    for name, column in mapping.columns.items():
        demand(
            column.field in FIELDS[mapping.kind],
            f"columns.{name}: a {mapping.kind} has no field {column.field}",
        )
        demand(mapped[column.field] == 1, f"columns.{name}: {column.field} is mapped twice")


def demand_kinds(kinds: Collection[str]) -> None:
    """ValueError unless the files make a drop: a register has its people once, dealings have none."""
    of_people = sum(kind == PARTY for kind in kinds)
    only_dealings = bool(kinds) and DEALINGS.issuperset(kinds)
    demand(of_people == 1 or only_dealings, "files: exactly one must be of kind party")
