"""Landed records → standard frames, with a reason for every value that could not be read.

Belongs here: which declared field becomes which column, and what is refused. Does not belong here: how one
name, address or number is read (its own module each), or how grave a refusal is (`expectations.rules`).

A refusal is either of the record or of a field. Rules in UNREADABLE refuse the record: it is absent from
the frames, unless it tells of a protective order or a death, which may never be lost (DESIGN 12, R56): then
it stays, with what could not be read left empty. Every other rule empties the field, and the record stays.
"""

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple

import pandas as pd

from pipelines.domain import contact
from pipelines.domain.address import Address, Stated, read_address
from pipelines.domain.building import building_id, is_test_building, property_id
from pipelines.domain.business_id import business_id
from pipelines.domain.dealings import ORDER_KINDS, STATES
from pipelines.domain.names import (
    NAME_MAX,
    clean,
    has_control_characters,
    names_estate,
    names_organisation,
    organisation_name,
    part,
    person_name,
)
from pipelines.domain.schemas import ADDRESSES, INVOICES, ORDERS, PARTIES, POINTS, ROLES

REFUSALS = ("source", "kind", "source_key", "rule", "field", "reason")

REASONS = {
    "content_unreadable": "the record's content is not a set of fields",
    "unknown_kind": "the record is of no kind we know",
    "control_character": "a field holds control characters, as a damaged file does",
    "name_too_long": f"a name is longer than {NAME_MAX} characters",
    "unknown_role_type": "the role is none of holder, payer, owner and contact",
    "missing_party": "the role names no party",
    "missing_point": "the role names no consumption point",
    "ends_before_it_begins": "the role ends before it begins",
    "role_date_unreadable": "the role's first or last day is not a date",
    "missing_customer": "the invoice or order names no customer",
    "unknown_invoice_state": "what has become of the invoice is none of what we know",
    "unknown_order_kind": "what was ordered is none of what we know",
    "not_text": "the field holds something other than text",
    "unknown_party_type": "the party is stated to be neither a person nor an organisation",
    "business_id_check": "the business id's check digit or shape is wrong",
    "unknown_company_situation": "the situation of the organisation is none that we know",
    "phone_unreadable": "there is no valid telephone number in the field",
    "email_shape": "there is no e-mail address in the field",
    "www_shape": "there is no web address in the field",
    "www_of_person": "a web address is held of organisations only",
    "language_code": "the language is not a two-letter code",
    "unknown_delivery_channel": "the delivery channel is not one we know",
    "protection_unclear": "the protective order is stated unclearly and counts as on",
    "not_a_boolean": "the field is neither true nor false",
    "date_unreadable": "the field is not a date",
    "addresses_unreadable": "an address is not a set of fields",
    "unknown_address_type": "an address is of no type we know",
    "property_id_shape": "the property id is not fourteen digits",
    "building_id_check": "the building id's check character or shape is wrong",
    "unknown_building_state": "the state of the building is none that we know",
    "test_building_id": "the building id is one kept for testing",
}
UNREADABLE = frozenset(
    {
        "content_unreadable", "unknown_kind", "control_character", "name_too_long", "unknown_role_type",
        "missing_party", "missing_point", "ends_before_it_begins", "role_date_unreadable",
        "missing_customer", "unknown_invoice_state",
    }
)  # fmt: skip

_KINDS = ("party", "point", "role", "invoice", "order")
_KEYS = ["source", "source_key"]
_NAMES = ("name", "family_name", "given_names", "called_name", "organisation_name")
_ADDRESS_TYPES = frozenset(
    {"postal", "temporary", "permanent", "contact", "final_invoice", "visiting"}
)
_MAIL = frozenset({"postal", "contact", "temporary"})
_SITUATIONS = frozenset({"restructuring", "liquidation", "bankruptcy", "ceased"})
_BUILDING_STATES = frozenset({"planned", "under_construction", "in_use", "abandoned", "demolished"})
_CHANNELS = frozenset({"paper", "einvoice", "email", "portal"})
_ROLE_TYPES = frozenset({"holder", "payer", "owner", "contact"})
_EXEMPT_SINCE = ("water_exempt_since", "sewer_exempt_since", "stormwater_exempt_since")
_PASSED_ON = ("person_key", "birth_key", "key_id", "identity_fault")
# A role's final-invoice address is numbered above anything a party states of itself.
FINAL_INVOICE_FROM = 1000
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_LANGUAGE = re.compile(r"[a-z]{2}")


@dataclass(frozen=True)
class Standardised:
    """The standard frames (schemas PARTIES, ADDRESSES, POINTS, ROLES, INVOICES, ORDERS) and what was refused.

    refusals: source, kind, source_key, rule (a key of REASONS), field, reason. Never a value.
    """

    parties: pd.DataFrame
    addresses: pd.DataFrame
    points: pd.DataFrame
    roles: pd.DataFrame
    invoices: pd.DataFrame
    orders: pd.DataFrame
    refusals: pd.DataFrame


def standardise(landed: pd.DataFrame, allow_test_identities: bool = False) -> Standardised:
    """Read LANDED rows. Any content is survived; what can't be read is in `refusals`.

    A role's final-invoice address comes out under its party, so the party's own record has to be among
    the rows (`companions` says which are missing): without it nobody knows whether the party is protected,
    and the address is left out. allow_test_identities admits building ids kept for testing.
    """
    refused = _Refused()
    readable = pd.Series([isinstance(c, dict) for c in landed["content"]], landed.index, dtype=bool)
    known = landed["kind"].isin(_KINDS)
    refused.add(landed[~readable], "content_unreadable", "content")
    refused.add(landed[readable & ~known], "unknown_kind", "kind")
    good = landed[readable & known]
    parties, points, roles, invoices, orders = (
        _Reading(rows, list(rows["content"]), refused)
        for rows in (good[good["kind"] == kind] for kind in _KINDS)
    )
    party_frame, names = _parties(parties)
    addresses = _addresses(parties, party_frame, names)
    point_frame = _points(points, allow_test_identities)
    role_frame = _roles(roles)
    invoice_frame, order_frame = _invoices(invoices), _orders(orders)
    # Unreadable records are known only once every field of every frame has been read.
    party_frame = parties.kept(party_frame)
    final = _final_addresses(roles, role_frame, party_frame)
    every = [a for a in (parties.kept(addresses), roles.kept(final, "role_key")) if len(a)]
    return Standardised(
        PARTIES.conform(party_frame),
        ADDRESSES.conform(
            pd.concat(every, ignore_index=True).drop(columns="role_key", errors="ignore")
        )
        if every
        else ADDRESSES.empty(),
        POINTS.conform(points.kept(point_frame)),
        ROLES.conform(roles.kept(role_frame)),
        INVOICES.conform(invoices.kept(invoice_frame)),
        ORDERS.conform(orders.kept(order_frame)),
        refused.frame(),
    )


def companions(landed: pd.DataFrame, roles: pd.DataFrame) -> pd.DataFrame:
    """Keys of landed records that have to be read together with these and are not among them.

    landed: the LANDED rows that changed. roles: the standard ROLES held so far. A party's addresses hold
    what its roles say of the final invoice, so a party brings its roles, and a role that states such an
    address brings its party. Returns source, kind, source_key.
    """
    changed_roles = landed[landed["kind"] == "role"]
    stating = [
        (source, content["party"])
        for source, content in zip(changed_roles["source"], changed_roles["content"], strict=True)
        if isinstance(content, dict)
        and content.get("final_invoice")
        and isinstance(content.get("party"), str)
    ]
    changed = landed.loc[landed["kind"] == "party", _KEYS]
    parties = pd.concat([changed, pd.DataFrame(stating, columns=_KEYS, dtype="str")])
    parties = parties.drop_duplicates()
    theirs = roles.merge(
        parties.rename(columns={"source_key": "party_source_key"}),
        on=["source", "party_source_key"],
    )
    wanted = pd.concat([parties.assign(kind="party"), theirs[_KEYS].assign(kind="role")])
    key = ["source", "kind", "source_key"]
    missing = ~pd.MultiIndex.from_frame(wanted[key]).isin(pd.MultiIndex.from_frame(landed[key]))
    return wanted.loc[missing, key].drop_duplicates().reset_index(drop=True)


@dataclass(frozen=True)
class _Refused:
    parts: list[pd.DataFrame] = field(default_factory=list)

    def add(self, rows: pd.DataFrame, rule: str, name: str) -> None:
        if len(rows):
            told = rows[["source", "kind", "source_key"]]
            self.parts.append(told.assign(rule=rule, field=name, reason=REASONS[rule]))

    def frame(self) -> pd.DataFrame:
        if not self.parts:
            return pd.DataFrame(columns=list(REFUSALS), dtype="str")
        every = pd.concat(self.parts, ignore_index=True)[list(REFUSALS)]
        return every.astype("str").drop_duplicates(ignore_index=True)


@dataclass(frozen=True)
class _Reading:
    """Records being read: every column it returns has one value per row of `rows`.

    contents: the declared fields of each row. label: the field a refusal names, where `contents` is
    nested in one. unreadable and spared are keys of records; a spared one stays whatever happens to it.
    """

    rows: pd.DataFrame
    contents: list[dict[str, object]]
    refused: _Refused
    label: str | None = None
    unreadable: set[tuple[str, str]] = field(default_factory=set)
    spared: set[tuple[str, str]] = field(default_factory=set)

    def nested(
        self, rows: pd.DataFrame, contents: list[dict[str, object]], label: str
    ) -> "_Reading":
        """The same records' fields one level down; refusals there count for these records."""
        return replace(self, rows=rows, contents=contents, label=label)

    def keys(self) -> list[tuple[str, str]]:
        return list(zip(self.rows["source"], self.rows["source_key"], strict=True))

    def refuse(self, positions: Sequence[int], rule: str, name: str) -> None:
        if not positions:
            return
        rows = self.rows.iloc[list(positions)]
        self.refused.add(rows, rule, self.label or name)
        if rule in UNREADABLE:
            self.unreadable.update(zip(rows["source"], rows["source_key"], strict=True))

    def kept(self, frame: pd.DataFrame, key: str = "source_key") -> pd.DataFrame:
        """The frame without the rows of unreadable records."""
        gone = self.unreadable - self.spared
        if not gone:
            return frame
        return frame[~pd.MultiIndex.from_frame(frame[["source", key]]).isin(gone)]

    def text(self, name: str) -> list[str | None]:
        """The field as clean text; empty is None, what is no text or is damaged is refused."""
        odd: list[int] = []
        damaged: list[int] = []
        out: list[str | None] = []
        for i, content in enumerate(self.contents):
            value = content.get(name)
            if isinstance(value, int) and not isinstance(value, bool):
                value = str(value)
            if value is None:
                out.append(None)
            elif not isinstance(value, str):
                odd.append(i)
                out.append(None)
            elif has_control_characters(value):
                damaged.append(i)
                out.append(None)
            else:
                out.append(clean(value) or None)
        self.refuse(odd, "not_text", name)
        self.refuse(damaged, "control_character", name)
        return out

    def read(self, name: str, reader: Callable[[str], str | None], rule: str) -> list[str | None]:
        """The field read by a scalar rule, once per different text; what it can't read is refused."""
        texts = self.text(name)
        known = {text: reader(text) for text in set(texts) if text is not None}
        out = [None if text is None else known[text] for text in texts]
        unread = [i for i, text in enumerate(texts) if text is not None and out[i] is None]
        self.refuse(unread, rule, name)
        return out

    def boolean(self, name: str) -> list[bool | None]:
        values = [content.get(name) for content in self.contents]
        odd = [i for i, v in enumerate(values) if v is not None and not isinstance(v, bool)]
        self.refuse(odd, "not_a_boolean", name)
        return [v if isinstance(v, bool) else None for v in values]

    def frame(self, columns: dict[str, Sequence[object]]) -> pd.DataFrame:
        keyed: dict[str, Sequence[object]] = {c: list(self.rows[c]) for c in _KEYS}
        return pd.DataFrame({**keyed, **columns}, dtype=object)


class _Name(NamedTuple):
    family_name: str | None = None
    given_names: str | None = None
    organisation_name: str | None = None
    name_role: str | None = None
    care_of: str | None = None
    called_name: str | None = None


class _StatedName(NamedTuple):
    party_type: str | None
    name: str | None
    family_name: str | None
    given_names: str | None
    organisation_name: str | None


def _parties(reading: _Reading) -> tuple[pd.DataFrame, list[_Name]]:
    """The parties, and the names as read, whose c/o belongs to the addresses."""
    protection = _protection(reading)
    is_deceased = reading.boolean("is_deceased")
    reading.spared.update(
        key
        for key, order, dead in zip(reading.keys(), protection, is_deceased, strict=True)
        if order == "on" or dead is not None
    )
    business_ids = reading.read("business_id", business_id, "business_id_check")
    texts = {name: _name_text(reading, name) for name in _NAMES}
    types = _party_types(reading, texts, business_ids)
    columns = [types, *(texts[name] for name in _StatedName._fields[1:])]
    stated = [_StatedName(*row) for row in zip(*columns, strict=True)]
    known = {one: _read_name(one) for one in set(stated)}
    names = [known[one] for one in stated]
    parties = reading.frame(
        {
            "party_type": types,
            "family_name": [n.family_name for n in names],
            "given_names": [n.given_names for n in names],
            "called_name": [
                part(text) if text else name.called_name
                for text, name in zip(texts["called_name"], names, strict=True)
            ],
            "organisation_name": [n.organisation_name for n in names],
            "name_role": [n.name_role for n in names],
            "business_id": business_ids,
            "company_situation": reading.read(
                "company_situation", _one_of(_SITUATIONS), "unknown_company_situation"
            ),
            "situation_date": reading.read("situation_date", _date, "date_unreadable"),
            **{name: reading.text(name) for name in _PASSED_ON},
            "superseded_person_keys": _superseded(reading),
            "phone": reading.read("phone", contact.phone, "phone_unreadable"),
            "email": reading.read("email", contact.email, "email_shape"),
            "www": _www(reading, types),
            "language": reading.read("language", _language, "language_code"),
            "delivery_channel": reading.read(
                "delivery_channel", _one_of(_CHANNELS), "unknown_delivery_channel"
            ),
            "einvoice_address": [_code(t) for t in reading.text("einvoice_address")],
            "einvoice_operator": [_code(t) for t in reading.text("einvoice_operator")],
            "protection": protection,
            "protection_until": reading.read("protection_until", _date, "date_unreadable"),
            "is_deceased": is_deceased,
            "death_date": reading.read("death_date", _date, "date_unreadable"),
            "source_time": list(reading.rows["source_time"]),
            "field_times": list(reading.rows["field_times"]),
        }
    )
    return parties, names


def _www(reading: _Reading, types: Sequence[str | None]) -> list[str | None]:
    """Of organisations only: beside a person it is web data (R16)."""
    pages = reading.read("www", contact.www, "www_shape")
    theirs = [i for i, page in enumerate(pages) if page and types[i] == "person"]
    reading.refuse(theirs, "www_of_person", "www")
    return [page if types[i] != "person" else None for i, page in enumerate(pages)]


def _name_text(reading: _Reading, name: str) -> list[str | None]:
    texts = reading.text(name)
    long = [i for i, text in enumerate(texts) if text is not None and len(text) > NAME_MAX]
    reading.refuse(long, "name_too_long", name)
    return [None if text is not None and len(text) > NAME_MAX else text for text in texts]


def _party_types(
    reading: _Reading, texts: dict[str, list[str | None]], business_ids: Sequence[str | None]
) -> list[str | None]:
    """As stated, else by what else is stated, else by the words of the name; null when nothing tells."""
    stated = reading.read("party_type", _one_of(("person", "organisation")), "unknown_party_type")
    if None not in stated:
        return stated
    types: list[str | None] = []
    for i, content in enumerate(reading.contents):
        line = texts["name"][i]
        is_person = content.get("person_key") or texts["family_name"][i] or texts["given_names"][i]
        if stated[i] is not None:
            types.append(stated[i])
        elif is_person or (line and names_estate(line)):
            types.append("person")
        elif (
            business_ids[i] or texts["organisation_name"][i] or (line and names_organisation(line))
        ):
            types.append("organisation")
        else:
            types.append("person" if line else None)
    return types


def _read_name(stated: _StatedName) -> _Name:
    organisation = stated.organisation_name
    if stated.party_type == "organisation":
        line = organisation or stated.name or stated.family_name
        if line is None:
            return _Name()
        whole = organisation_name(line)
        return _Name(
            organisation_name=whole.organisation_name,
            name_role=whole.name_role,
            care_of=whole.care_of,
        )
    represented = organisation_name(organisation).organisation_name if organisation else None
    family, given = stated.family_name, stated.given_names
    if family and given:
        person = person_name(f"{family.replace(',', ' ')}, {given}")
    elif family or given:
        return _Name(part(family or ""), part(given or ""), represented)
    elif stated.name:
        person = person_name(stated.name)
    else:
        return _Name(organisation_name=represented)
    return _Name(
        person.family_name,
        person.given_names,
        represented,
        person.name_role,
        person.care_of,
        person.called_name,
    )


def _protection(reading: _Reading) -> list[str]:
    """Silence is not stated; anything that is neither `on` nor `off` counts as on (DESIGN 12, R56)."""
    values = [content.get("protection") for content in reading.contents]
    unclear = [i for i, v in enumerate(values) if v is not None and v not in ("on", "off")]
    reading.refuse(unclear, "protection_unclear", "protection")
    return ["not_stated" if v is None else "off" if v == "off" else "on" for v in values]


def _superseded(reading: _Reading) -> list[list[str]]:
    name = "superseded_person_keys"
    values = [content.get(name) for content in reading.contents]
    odd = [i for i, v in enumerate(values) if v is not None and not isinstance(v, list)]
    reading.refuse(odd, "not_text", name)
    return [[str(k) for k in v] if isinstance(v, list) else [] for v in values]


def _addresses(reading: _Reading, parties: pd.DataFrame, names: Sequence[_Name]) -> pd.DataFrame:
    """Every address of the parties that may be held, with the c/o their names carried.

    Of somebody under a protective order only the contact address is, and where an organisation receives
    visitors (PRIVACY §3): a hidden address isn't even read.
    """
    positions: list[int] = []
    numbers: list[int] = []
    contents: list[dict[str, object]] = []
    unreadable: list[int] = []
    unknown: list[int] = []
    told = zip(parties["protection"], parties["party_type"], reading.contents, strict=True)
    for i, (protection, party_type, content) in enumerate(told):
        stated = content.get("addresses")
        entries = stated if isinstance(stated, list) else [] if stated is None else [stated]
        for number, entry in enumerate(entries, start=1):
            if not isinstance(entry, dict):
                unreadable.append(i)
                continue
            address_type = entry.get("address_type")
            if not isinstance(address_type, str) or address_type not in _ADDRESS_TYPES:
                unknown.append(i)
                continue
            is_open = address_type == "contact" or (
                address_type == "visiting" and party_type == "organisation"
            )
            if protection != "on" or is_open:
                positions.append(i)
                numbers.append(number)
                contents.append(entry)
    reading.refuse(unreadable, "addresses_unreadable", "addresses")
    reading.refuse(unknown, "unknown_address_type", "addresses")
    nested = reading.nested(reading.rows.iloc[positions], contents, "addresses")
    return _address_frame(
        nested,
        numbers,
        [str(entry["address_type"]) for entry in contents],
        [names[i].care_of for i in positions],
        [_instant_of(times, "addresses") for times in nested.rows["field_times"]],
    )


def _final_addresses(roles: _Reading, read: pd.DataFrame, parties: pd.DataFrame) -> pd.DataFrame:
    """Where a leaving payer wants the last bill, under the party's key; role_key says whose word it is.

    read: the roles as read, row by row with `roles`.
    """
    open_parties = parties.loc[parties["protection"] != "on", _KEYS]
    shown = set(open_parties.itertuples(index=False, name=None))
    positions: list[int] = []
    contents: list[dict[str, object]] = []
    unreadable: list[int] = []
    party_keys = zip(read["source"], read["party_source_key"], strict=True)
    for i, (party, content) in enumerate(zip(party_keys, roles.contents, strict=True)):
        stated = content.get("final_invoice")
        if stated is None or party not in shown:
            continue
        if isinstance(stated, dict):
            positions.append(i)
            contents.append(stated)
        else:
            unreadable.append(i)
    roles.refuse(unreadable, "addresses_unreadable", "final_invoice")
    rows = roles.rows.iloc[positions]
    nested = roles.nested(rows, contents, "final_invoice")
    instants = [
        _instant_of(times, "final_invoice") or (instant if isinstance(instant, str) else None)
        for times, instant in zip(rows["field_times"], rows["source_time"], strict=True)
    ]
    frame = _address_frame(
        nested, [0] * len(rows), ["final_invoice"] * len(rows), [None] * len(rows), instants
    )
    frame["role_key"] = frame["source_key"]
    frame["source_key"] = read["party_source_key"].iloc[positions].to_numpy()[frame.index]
    frame = frame.sort_values(["source", "source_key", "role_key"])
    frame["address_no"] = (FINAL_INVOICE_FROM + frame.groupby(_KEYS).cumcount()).astype(object)
    return frame


def _address_frame(
    reading: _Reading,
    numbers: Sequence[int],
    types: Sequence[str],
    carried: Sequence[str | None],
    instants: Sequence[str | None],
) -> pd.DataFrame:
    """One row per address that says anything; dated ones were stated from their first day."""
    columns = [reading.text(name) for name in Stated._fields]
    stated = [Stated(*row) for row in zip(*columns, strict=True)]
    known = {one: read_address(one) for one in set(stated)}
    read = [known[one] for one in stated]
    starts = reading.read("valid_from", _date, "date_unreadable")
    ends = reading.read("valid_to", _date, "date_unreadable")
    frame = reading.frame(
        {
            "address_no": numbers,
            "address_type": types,
            **{name: [a[i] for a in read] for i, name in enumerate(Address._fields)},
            "valid_from": starts,
            "valid_to": ends,
            "stated_at": [
                f"{start}T00:00:00Z" if start else instant
                for start, instant in zip(starts, instants, strict=True)
            ],
        }
    )
    named = pd.Series(list(carried), frame.index, dtype="str")
    takes = frame["address_type"].isin(_MAIL) & frame["care_of"].isna() & named.notna()
    frame.loc[takes, "care_of"] = named[takes]
    return frame[frame[["street_line", "postal_code", "post_office"]].notna().any(axis=1)]


def _points(reading: _Reading, allow_test: bool) -> pd.DataFrame:
    stated = [
        Stated(line=line, postal_code=code, post_office=office)
        for line, code, office in zip(
            reading.text("line"),
            reading.text("postal_code"),
            reading.text("post_office"),
            strict=True,
        )
    ]
    known = {one: read_address(one) for one in set(stated)}
    read = [known[one] for one in stated]
    buildings = reading.read("building_id", building_id, "building_id_check")
    if not allow_test:
        kept_for_tests = [i for i, b in enumerate(buildings) if b and is_test_building(b)]
        reading.refuse(kept_for_tests, "test_building_id", "building_id")
        buildings = [None if b and is_test_building(b) else b for b in buildings]
    return reading.frame(
        {
            "property_id": reading.read("property_id", property_id, "property_id_shape"),
            "building_id": buildings,
            "street_line": [a.street_line for a in read],
            "postal_code": [a.postal_code for a in read],
            "post_office": [a.post_office for a in read],
            "building_state": reading.read(
                "building_state", _one_of(_BUILDING_STATES), "unknown_building_state"
            ),
            "demolition_date": reading.read("demolition_date", _date, "date_unreadable"),
            "has_water_connection": reading.boolean("has_water_connection"),
            "has_sewer_connection": reading.boolean("has_sewer_connection"),
            **{name: reading.read(name, _date, "date_unreadable") for name in _EXEMPT_SINCE},
            "source_time": list(reading.rows["source_time"]),
        }
    )


def _roles(reading: _Reading) -> pd.DataFrame:
    parties, points = reading.text("party"), reading.text("point")
    types = reading.read("role_type", _one_of(_ROLE_TYPES), "unknown_role_type")
    starts = reading.read("valid_from", _date, "role_date_unreadable")
    ends = reading.read("valid_to", _date, "role_date_unreadable")
    untyped = [i for i, content in enumerate(reading.contents) if content.get("role_type") is None]
    reading.refuse(untyped, "unknown_role_type", "role_type")
    reading.refuse([i for i, p in enumerate(parties) if p is None], "missing_party", "party")
    reading.refuse([i for i, p in enumerate(points) if p is None], "missing_point", "point")
    dates = enumerate(zip(starts, ends, strict=True))
    backwards = [i for i, (start, end) in dates if start and end and end < start]
    reading.refuse(backwards, "ends_before_it_begins", "valid_to")
    return reading.frame(
        {
            "party_source_key": parties,
            "point_source_key": points,
            "role_type": types,
            "valid_from": starts,
            "valid_to": ends,
            "source_time": list(reading.rows["source_time"]),
        }
    )


def _dealing(
    reading: _Reading,
    name: str,
    words: Sequence[str],
    dates: Sequence[str],
    plain: Sequence[str] = (),
) -> pd.DataFrame:
    """An invoice's or order's columns: whose it is, what it is (`name`, one of `words`), when."""
    said_so = {text: reading.text(text) for text in plain}
    customers = reading.text("customer_number")
    reading.refuse(
        [i for i, c in enumerate(customers) if c is None], "missing_customer", "customer_number"
    )
    said = reading.read(name, _one_of(words), f"unknown_{name}")
    dated = {date: reading.read(date, _date, "date_unreadable") for date in dates}
    left_out = [content.get("not_stated_since") for content in reading.contents]
    own = {"not_stated_since": left_out, "source_time": list(reading.rows["source_time"])}
    return reading.frame({"customer_number": customers, name: said, **said_so, **dated, **own})


def _invoices(reading: _Reading) -> pd.DataFrame:
    silent = [i for i, c in enumerate(reading.contents) if c.get("invoice_state") is None]
    reading.refuse(silent, "unknown_invoice_state", "invoice_state")
    return _dealing(reading, "invoice_state", STATES, ("due_date", "closed_date"))


def _orders(reading: _Reading) -> pd.DataFrame:
    return _dealing(reading, "order_kind", ORDER_KINDS, ("ordered_on",), ("point_ref",))


def _instant_of(times: object, name: str) -> str | None:
    instant = times.get(name) if isinstance(times, dict) else None
    return instant if isinstance(instant, str) else None


def _one_of(words: Collection[str]) -> Callable[[str], str | None]:
    return lambda text: text if text in words else None


def _language(text: str) -> str | None:
    code = text.lower()
    return code if _LANGUAGE.fullmatch(code) else None


def _date(text: str) -> str | None:
    if _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        return None


def _code(text: str | None) -> str | None:
    return text.replace(" ", "").upper() if text else None
