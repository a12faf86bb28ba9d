"""Every column of the hub, once: its type, what it means, how private it is.

Belongs here: the vocabulary. Does not belong here: which table has which column (`schemas`), or what a
valid value is beyond its shape (`expectations`).

Types: text, integer, boolean, date (ISO `YYYY-MM-DD` text), instant (ISO UTC text ending in Z), json
(text), bytes. Dates and instants are text because text sorts and compares the same in pandas, SQLite and
PostgreSQL, and no driver can shift a zone.

Privacy: none (says nothing of a person) · internal (opaque id of ours) · pseudonym (an equality token of
a person) · personal · address (what a protective order hides, R56).
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "integer", "boolean", "date", "instant", "json", "bytes"]
Privacy = Literal["none", "internal", "pseudonym", "personal", "address"]


@dataclass(frozen=True)
class Field:
    """One column: name, type, privacy class, meaning; max_length and pattern bound its text."""

    name: str
    kind: Kind
    privacy: Privacy
    meaning: str
    max_length: int | None = None
    pattern: str | None = None


_DATE = r"^\d{4}-\d{2}-\d{2}$"
_INSTANT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"

_ALL = (
    # whence and when
    Field("source", "text", "none", "name of the source, as its file in config/sources"),
    Field("kind", "text", "none", "party, point, role, invoice or order"),
    Field("source_key", "text", "pseudonym", "the source's own key for the record"),
    Field("source_time", "instant", "none", "when the source says it became so", pattern=_INSTANT),
    Field("business_date", "date", "none", "the night it belongs to", pattern=_DATE),
    Field("step_run", "integer", "none", "the step execution that wrote the row"),
    Field("content", "json", "personal", "declared fields as landed"),
    Field("content_hash", "text", "none", "SHA-256 of the canonical content"),
    Field("field_times", "json", "none", "field → instant its present value was first stated"),
    # a party
    Field("party_id", "integer", "internal", "golden id, minted once"),
    Field(
        "party_type", "text", "none", "person or organisation", pattern="^(person|organisation)$"
    ),
    Field("display_name", "text", "personal", "the name as one line, family name first", 250),
    Field("family_name", "text", "personal", "family name", 100),
    Field("given_names", "text", "personal", "all given names, in order", 150),
    Field("called_name", "text", "personal", "the given name used", 100),
    Field("organisation_name", "text", "personal", "registered or used name", 250),
    Field("name_role", "text", "none", "death_estate when the name is an estate's"),
    Field("business_id", "text", "personal", "Y-tunnus with its dash", 9, r"^\d{7}-\d$"),
    Field("person_key", "text", "pseudonym", "token of the identity code", 64),
    Field("superseded_person_keys", "json", "pseudonym", "tokens a correction retired"),
    Field("birth_key", "text", "pseudonym", "token of the birth date", 64),
    Field("key_id", "text", "none", "the key the tokens were made with"),
    Field("identity_fault", "text", "none", "why there is no person_key, when a code was given"),
    Field(
        "company_situation",
        "text",
        "none",
        "restructuring (SANE), liquidation (SELTILA), bankruptcy (KONK) or ceased",
        pattern="^(restructuring|liquidation|bankruptcy|ceased)$",
    ),
    Field("situation_date", "date", "none", "since when the situation holds", pattern=_DATE),
    Field("phone", "text", "personal", "E.164", 16, r"^\+[1-9]\d{4,14}$"),
    Field("email", "text", "personal", "address, domain in lower case", 254),
    Field("www", "text", "personal", "an organisation's web address", 254),
    Field("language", "text", "personal", "fi, sv or another ISO 639-1 code", 2, "^[a-z]{2}$"),
    Field(
        "delivery_channel",
        "text",
        "none",
        "how bills go out",
        pattern="^(paper|einvoice|email|portal)$",
    ),
    Field("einvoice_address", "text", "personal", "e-invoice address", 35),
    Field("einvoice_operator", "text", "none", "e-invoice operator", 35),
    Field("protection", "text", "personal", "protective order", pattern="^(on|off|not_stated)$"),
    Field("protection_until", "date", "personal", "end of the order, when stated", pattern=_DATE),
    Field("is_deceased", "boolean", "personal", "null when nobody says"),
    Field("death_date", "date", "personal", "day of death", pattern=_DATE),
    # an address
    Field("address_no", "integer", "none", "position among the record's addresses"),
    Field(
        "address_type",
        "text",
        "none",
        "what the address is for",
        pattern="^(postal|temporary|permanent|contact|final_invoice|visiting)$",
    ),
    Field("care_of", "text", "address", "c/o line", 100),
    Field("street_line", "text", "address", "canonical street line, box or place", 100),
    Field("street_name", "text", "address", "street or place name", 100),
    Field("house", "text", "address", "house number with letter or range", 20),
    Field("stair", "text", "address", "stair, upper case", 2),
    Field("apartment", "text", "address", "apartment number without leading zeros", 6),
    Field("split", "text", "address", "shared flat letter, lower case", 2),
    Field("postal_code", "text", "address", "five digits, or foreign code", 12),
    Field("post_office", "text", "address", "post office, upper case", 80),
    Field("country", "text", "address", "ISO 3166-1 alpha-2", 2, "^[A-Z]{2}$"),
    Field("ambiguity", "text", "none", "why the line could be read otherwise, when it could"),
    Field(
        "postal_check",
        "text",
        "none",
        "how much of it the post's address file knows; null: not held against it",
        pattern="^(exact|street_known|postal_code_only|unknown)$",
    ),
    Field("valid_from", "date", "none", "first day it holds", pattern=_DATE),
    Field("valid_to", "date", "none", "first day it no longer holds (half-open)", pattern=_DATE),
    Field("stated_at", "instant", "none", "when it was first stated", pattern=_INSTANT),
    # points and roles
    Field("point_id", "integer", "internal", "consumption point, ours"),
    Field("point_ref", "text", "internal", "the utility's number of the consumption point", 40),
    Field(
        "property_id", "text", "address", "kiinteistötunnus, 14 digits", 20, r"^\d{14}(M?\d{1,4})?$"
    ),
    Field("building_id", "text", "address", "permanent building id (VTJ-PRT)", 10),
    Field(
        "building_state",
        "text",
        "none",
        "where a building is in its life",
        pattern="^(planned|under_construction|in_use|abandoned|demolished)$",
    ),
    Field("demolition_date", "date", "none", "when the building was demolished", pattern=_DATE),
    Field("has_water_connection", "boolean", "none", "to the water network; null: nobody says"),
    Field("has_sewer_connection", "boolean", "none", "to the sewer network; null: nobody says"),
    Field(
        "water_exempt_since",
        "date",
        "none",
        "since when the property need not join the water network",
        pattern=_DATE,
    ),
    Field(
        "sewer_exempt_since",
        "date",
        "none",
        "since when the property need not join the sewer network",
        pattern=_DATE,
    ),
    Field(
        "stormwater_exempt_since",
        "date",
        "none",
        "since when the property need not join the storm-water sewer",
        pattern=_DATE,
    ),
    Field("tied_by", "text", "none", "what ties another register's place to the point"),
    Field(
        "role_type",
        "text",
        "none",
        "holder, payer, owner or contact",
        pattern="^(holder|payer|owner|contact)$",
    ),
    Field("party_source_key", "text", "pseudonym", "the party's key in the same source"),
    Field("point_source_key", "text", "internal", "the point's key in the same source"),
    # what others have done with a customer
    Field(
        "customer_number",
        "text",
        "pseudonym",
        "the customer's number, as `numbered_by` of the source's file says",
        40,
    ),
    Field(
        "invoice_state",
        "text",
        "personal",
        "what has become of an invoice",
        pattern="^(open|paid|credited|in_collection|closed)$",
    ),
    Field("due_date", "date", "personal", "when an invoice is due", pattern=_DATE),
    Field("closed_date", "date", "personal", "when an invoice was settled", pattern=_DATE),
    Field(
        "order_kind",
        "text",
        "personal",
        "what was ordered",
        pattern="^(connection|alteration|meter|disconnection|other)$",
    ),
    Field("ordered_on", "date", "personal", "when it was ordered", pattern=_DATE),
    Field(
        "not_stated_since",
        "date",
        "none",
        "the night its source left it out; null while it is stated",
        pattern=_DATE,
    ),
    # matching
    Field("verdict", "text", "none", "same, review or different"),
    Field("evidence", "text", "none", "named grounds of the verdict"),
    # provenance
    Field("field", "text", "none", "the golden field"),
    Field("value", "text", "personal", "the golden value as text"),
    Field("rule", "text", "none", "the rule that decided"),
    Field("row_hash", "text", "none", "SHA-256 of the canonical row"),
)

FIELDS: dict[str, Field] = {f.name: f for f in _ALL}
