"""The frames that travel through the house, as lists of fields.

Belongs here: which columns a frame has, in what order, and its key; making a frame fit. Does not belong
here: SQL types and tables that no frame ever is (`store.tables`), rules about values (`expectations`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.domain.fields import FIELDS, Field

_DTYPES = {
    "text": "str",
    "date": "str",
    "instant": "str",
    "json": "object",
    "bytes": "object",
    "integer": "Int64",
    "boolean": "boolean",
}


@dataclass(frozen=True)
class Schema:
    """A frame's columns in order and the key that makes a row unique."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        return tuple(FIELDS[c] for c in self.columns)

    def empty(self) -> pd.DataFrame:
        """No rows, right columns and dtypes."""
        return self.conform(pd.DataFrame(columns=list(self.columns)))

    def conform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The same rows with exactly this schema's columns, order and dtypes; missing ones are null.

        Raises KeyError (naming columns only) if the frame has a column the schema does not know.
        """
        extra = [c for c in frame.columns if c not in self.columns]
        if extra:
            raise KeyError(f"{self.name} has no column {', '.join(sorted(extra))}")
        fitted = frame.reindex(columns=list(self.columns))
        return fitted.astype({c: _DTYPES[FIELDS[c].kind] for c in self.columns})

    def frame(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """Rows as a conforming frame."""
        return self.conform(pd.DataFrame(list(rows), columns=None if rows else list(self.columns)))


LANDED = Schema(
    "landed",
    (
        "source",
        "kind",
        "source_key",
        "source_time",
        "content",
        "content_hash",
        "field_times",
        "business_date",
    ),
    ("source", "kind", "source_key"),
)
PARTIES = Schema(
    "standard_party",
    (
        "source",
        "source_key",
        "party_type",
        "family_name",
        "given_names",
        "called_name",
        "organisation_name",
        "name_role",
        "business_id",
        "company_situation",
        "situation_date",
        "person_key",
        "superseded_person_keys",
        "birth_key",
        "key_id",
        "identity_fault",
        "phone",
        "email",
        "www",
        "language",
        "delivery_channel",
        "einvoice_address",
        "einvoice_operator",
        "protection",
        "protection_until",
        "is_deceased",
        "death_date",
        "source_time",
        "field_times",
    ),
    ("source", "source_key"),
)
ADDRESSES = Schema(
    "standard_address",
    (
        "source",
        "source_key",
        "address_no",
        "address_type",
        "care_of",
        "street_line",
        "street_name",
        "house",
        "stair",
        "apartment",
        "split",
        "postal_code",
        "post_office",
        "country",
        "ambiguity",
        "postal_check",
        "valid_from",
        "valid_to",
        "stated_at",
    ),
    ("source", "source_key", "address_no"),
)
POINTS = Schema(
    "standard_point",
    (
        "source",
        "source_key",
        "property_id",
        "building_id",
        "street_line",
        "postal_code",
        "post_office",
        "building_state",
        "demolition_date",
        "has_water_connection",
        "has_sewer_connection",
        "water_exempt_since",
        "sewer_exempt_since",
        "stormwater_exempt_since",
        "source_time",
    ),
    ("source", "source_key"),
)
ROLES = Schema(
    "standard_role",
    (
        "source",
        "source_key",
        "party_source_key",
        "point_source_key",
        "role_type",
        "valid_from",
        "valid_to",
        "source_time",
    ),
    ("source", "source_key"),
)
INVOICES = Schema(
    "standard_invoice",
    (
        "source",
        "source_key",
        "customer_number",
        "invoice_state",
        "due_date",
        "closed_date",
        "not_stated_since",
        "source_time",
    ),
    ("source", "source_key"),
)
ORDERS = Schema(
    "standard_order",
    (
        "source",
        "source_key",
        "customer_number",
        "point_ref",
        "order_kind",
        "ordered_on",
        "not_stated_since",
        "source_time",
    ),
    ("source", "source_key"),
)
FORMER_IDS = Schema("former_id", ("source", "source_key", "party_id"), ("source", "source_key"))
PARTY_RECORDS = Schema(
    "party_record", ("source", "source_key", "party_id"), ("source", "source_key")
)
GOLDEN = Schema(
    "party",
    (
        "party_id",
        "party_type",
        "display_name",
        "family_name",
        "given_names",
        "called_name",
        "organisation_name",
        "name_role",
        "business_id",
        "company_situation",
        "situation_date",
        "phone",
        "email",
        "www",
        "language",
        "delivery_channel",
        "einvoice_address",
        "einvoice_operator",
        "protection",
        "is_deceased",
        "death_date",
        "care_of",
        "street_line",
        "postal_code",
        "post_office",
        "country",
        "address_type",
        "row_hash",
    ),
    ("party_id",),
)
PROVENANCE = Schema(
    "party_value",
    ("party_id", "field", "value", "source", "source_key", "source_time", "rule"),
    ("party_id", "field"),
)
GOLDEN_POINTS = Schema(
    "point",
    (
        "point_id",
        "point_ref",
        "property_id",
        "building_id",
        "street_line",
        "postal_code",
        "post_office",
        "building_state",
        "demolition_date",
        "has_water_connection",
        "has_sewer_connection",
        "water_exempt_since",
        "sewer_exempt_since",
        "stormwater_exempt_since",
    ),
    ("point_id",),
)
POINT_VALUES = Schema(
    "point_value",
    ("point_id", "field", "value", "source", "source_key", "source_time", "rule"),
    ("point_id", "field"),
)
POINT_TIES = Schema(
    "point_tie",
    ("source", "source_key", "point_id", "tied_by"),
    ("source", "source_key", "point_id"),
)
GOLDEN_ROLES = Schema(
    "role",
    (
        "source",
        "source_key",
        "party_id",
        "point_id",
        "role_type",
        "valid_from",
        "valid_to",
        "rule",
    ),
    ("source", "source_key", "point_id"),
)
