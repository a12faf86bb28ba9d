"""The buildings of one Ryhti call: which of them are ours, and what they and their owners say.

Belongs here: the last word on each building, reading a building object in the hub's declared words
(FORMATS.md §4.1, §5, §6). Does not belong here: HTTP, tokens, paging, the cursor (`ryhti`).

A building is a "point" under its buildingKey; each owner a "party" and a "role" under the one
buildingObjectOwnerKey. An owner who is no longer there has ended nothing: `PersonsLimited` leaves people
under a protective order out, and one who gets an order disappears just so (FORMATS.md §10.3 no 7). Only a
change that calls the ownership deleted ends it. A removed building changes nothing either; it is counted.

Of an owner only name, ids, order and addresses are read. What is known of the rest: a death is DVV's to
tell, language and nationality nobody here needs, and an owner's contact is no party of ours.
Nothing here raises on what Ryhti sends, and nothing outlives the call.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from connectors.base import Borrowed, Fault, Record, Tokens
from connectors.countries import alpha_2
from connectors.identity import tokens_of
from connectors.premises import plain_building_id, plain_property_id

Part: TypeAlias = Mapping[str, Any]

# The code list is rakelinvaih. Destroyed (05) is not demolished: ruins may still have a connection to end.
# Merged or split (07), turned from a structure into a building (08) and 99 the hub has no word for.
_STATES = {
    "01": "planned",
    "02": "under_construction",
    "03": "in_use",
    "04": "abandoned",
    "05": "abandoned",
    "06": "demolished",
}
# A building of several sections is in the state of its liveliest one.
_LIVELIEST = ("in_use", "under_construction", "abandoned", "planned", "demolished")
_WATER, _SEWER = "02", "03"  # of the code list verkliit
# yhteysosoitteenLaji: which of its codes means what is not published with the interface, so all are postal
_CONTACT_ADDRESSES = frozenset(f"{n:02d}" for n in range(1, 9))
_UNWANTED_OF_OPERATOR = ("otherId", "languageCode", "nationalityCode", "deathDate")
_UNWANTED_OF_OWNER = ("tenureStatus", "ownerContactOperator")
_PLAIN_CODE = re.compile(r"[0-9A-Za-z]{1,8}")
_LETTERS = re.compile(r"[A-Z]{2}")
_HELSINKI = ZoneInfo("Europe/Helsinki")


@dataclass(frozen=True, order=True)
class _Turn:
    """What was said later: the phase of the call, the time of the event, the place in the answer."""

    phase: int
    moment: str
    heard: int


@dataclass(frozen=True, repr=False)
class _Said:
    """The last word on one building."""

    turn: _Turn
    at: datetime | None
    building: Part


@dataclass(frozen=True)
class _Ownership:
    """That an ownership began or ended, as the last change of it says."""

    turn: _Turn
    at: datetime | None
    begins: bool


class Buildings:
    """Filled by `load` (a building as it is) and `hear` (a change of one); read the rest afterwards.

    lent: what is ours. known: keys of the owners that the hub holds.
    faults: "unreadable_owner", "undated_end" (an ownership that ended nobody can say when). unknown:
    "removed_building", "unreadable_building" and "unreadable_owner" (without a key to wait under),
    "changeType", and codes nobody has told us of.
    """

    def __init__(
        self, tokens: Tokens, lent: Borrowed, known: frozenset[str], allow_test_identities: bool
    ) -> None:
        self._tokens = tokens
        self._lent = lent
        self._known = known
        self._allow = allow_test_identities
        self._phase = 0
        self._said: dict[str, _Said] = {}
        self._ownerships: dict[str, _Ownership] = {}
        self.faults: list[Fault] = []
        self.fetched = 0
        self.dropped: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def begin(self) -> None:
        """What follows is newer than all that came before it, whatever times it carries."""
        self._phase += 1

    def load(self, raw: object) -> None:
        """One of the items of InitialInformation."""
        self.fetched += 1
        self._take(raw, None)

    def hear(self, raw: object) -> None:
        """One of the changes of ChangeInformation; pages may repeat it and mix the order of events."""
        self.fetched += 1
        change = _part(raw)
        state, at = change.get("objectState"), _instant(change.get("eventTime"))
        if state is None and _text(change.get("objectKey")):
            self.unknown["removed_building"] += 1
            return
        self._take(state, at)
        for entry in _parts(change.get("diff")):
            self._hear_ownership(entry, at)

    def records(self) -> list[Record]:
        """Points, parties and roles of what is ours, and the ends of ownerships that the hub holds."""
        found: list[Record] = []
        for key, said in self._said.items():
            if self._is_ours(said.building):
                found.append(Record("point", key, _stamp(said.at), self._point(said.building)))
                found += self._owners(key, said)
        present = {record.key for record in found if record.kind == "role"}
        ended = [k for k, told in self._ownerships.items() if not told.begins and k not in present]
        return found + list(self._ends(key for key in ended if key in self._known))

    def _turn(self, at: datetime | None) -> _Turn:
        return _Turn(self._phase, at.isoformat() if at else "", self.fetched)

    def _take(self, raw: object, at: datetime | None) -> None:
        building, turn = _part(raw), self._turn(at)
        key = _text(building.get("buildingKey"))
        if key is None:
            self.unknown["unreadable_building"] += 1
        elif key not in self._said or self._said[key].turn <= turn:
            self._said[key] = _Said(turn, at, building)

    def _hear_ownership(self, entry: Part, at: datetime | None) -> None:
        kind, key = _text(entry.get("objectType")) or "", _text(entry.get("objectKey"))
        if not kind.lower().endswith("buildingobjectowner") or key is None:
            return
        change, turn = (_text(entry.get("changeType")) or "").upper(), self._turn(at)
        if change not in ("ADDED", "DELETED"):
            self.unknown["changeType"] += change != "MODIFIED"
        elif key not in self._ownerships or self._ownerships[key].turn <= turn:
            self._ownerships[key] = _Ownership(turn, at, change == "ADDED")

    def _is_ours(self, building: Part) -> bool:
        unit = _part(building.get("administrativeLocationUnit"))
        return (
            plain_property_id(_text(unit.get("propertyIdentifier"))) in self._lent.property_ids
            or plain_building_id(_text(building.get("permanentBuildingIdentifier")))
            in self._lent.building_ids
        )

    def _point(self, building: Part) -> dict[str, object]:
        unit = _part(building.get("administrativeLocationUnit"))
        addresses = sorted(_parts(building.get("address")), key=_address_number)
        first = addresses[0] if addresses else {}
        street = _worded(first.get("addressName"))
        sections = list(_parts(building.get("buildingSection")))
        codes = [_code(section.get("lifeCycleState")) for section in sections]
        for code in codes:
            self._count("lifeCycleState", code, _STATES)
        states = {_STATES[code] for code in codes if code in _STATES}
        demolished = [_day(section.get("demolitionDate")) for section in sections]
        return _stated(
            property_id=_text(unit.get("propertyIdentifier")),
            building_id=_text(building.get("permanentBuildingIdentifier")),
            line=" ".join(filter(None, (street, _house(first)))) if street else None,
            postal_code=_text(first.get("postalCode")),
            building_state=next((state for state in _LIVELIEST if state in states), None),
            # the building is gone when the last of it is
            demolition_date=max(filter(None, demolished)) if all(demolished) and sections else None,
            has_water_connection=_is_connected(sections, _WATER),
            has_sewer_connection=_is_connected(sections, _SEWER),
        )

    def _owners(self, point: str, said: _Said) -> Iterator[Record]:
        for owner in _parts(said.building.get("buildingObjectOwner")):
            operator, key = owner.get("ownerOperator"), _text(owner.get("buildingObjectOwnerKey"))
            if operator is None:
                continue  # left out, as somebody under an order is: that says nothing
            if key is None:
                self.unknown["unreadable_owner"] += 1
                continue
            if not isinstance(operator, dict):
                reason = "there is nothing of the owner that can be read"
                self.faults.append(Fault("party", key, "unreadable_owner", reason))
                continue
            self.dropped.update(n for n in _UNWANTED_OF_OWNER if owner.get(n) is not None)
            self.dropped.update(n for n in _UNWANTED_OF_OPERATOR if operator.get(n) is not None)
            yield Record("party", key, _stamp(said.at), self._party(operator))
            told = self._ownerships.get(key)
            begins = told is not None and told.begins
            since = _day_of(told.at) if told and begins else None
            content = {"party": key, "point": point, "role_type": "owner"}
            # An owner who is merely there leaves the first day standing that a change once told.
            yield Record(
                "role",
                key,
                _stamp(said.at),
                content | _stated(valid_from=since),
                is_partial=not begins,
            )

    def _ends(self, keys: Iterable[str]) -> Iterator[Record]:
        for key in keys:
            at = self._ownerships[key].at
            if at is None:
                reason = "the ownership has ended, at a time that can't be read"
                self.faults.append(Fault("role", key, "undated_end", reason))
            else:
                yield Record("role", key, _stamp(at), {"valid_to": _day_of(at)}, is_partial=True)

    def _party(self, operator: Part) -> dict[str, object]:
        family, given = _text(operator.get("familyName")), _text(operator.get("firstName"))
        organisation = _text(operator.get("organizationName"))
        is_person = operator.get("isPerson")
        if not isinstance(is_person, bool) and (family or given or organisation):
            is_person = bool(family or given)
        # Said in any other way than false or not at all, it counts as an order (DESIGN 12).
        is_protected = operator.get("nonDisclosureForSafety") not in (None, False)
        code = _text(operator.get("personalIdentityCode"))
        addresses = [] if is_protected else list(self._addresses(operator))
        types = {True: "person", False: "organisation"}
        return _stated(
            party_type=types.get(is_person) if isinstance(is_person, bool) else None,
            family_name=family,
            given_names=given,
            organisation_name=organisation,
            business_id=_text(operator.get("businessId")),
            protection="on" if is_protected else None,
            addresses=addresses or None,
        ) | (tokens_of(code, self._tokens, self._allow) if code else {})

    def _addresses(self, operator: Part) -> Iterator[dict[str, object]]:
        for address in _parts(operator.get("operatorAddress")):
            self._count(
                "contactAddressType", _code(address.get("contactAddressType")), _CONTACT_ADDRESSES
            )
            parts = _contact_address(address)
            if parts:
                yield {"address_type": "postal", **parts}

    def _count(self, name: str, code: str | None, known: Iterable[str]) -> None:
        """A code that has no meaning here is loud, and never shown in another shape than a code's."""
        if code is not None and code not in known:
            self.unknown[f"{name} {code}" if _PLAIN_CODE.fullmatch(code) else name] += 1


def _contact_address(address: Part) -> dict[str, object]:
    """The parts of an owner's address under declared names, {} for an empty one."""
    code = _code(address.get("countryCode"))
    country = (code if code and _LETTERS.fullmatch(code) else alpha_2(code)) if code else None
    street, abroad = _worded(address.get("addressName")), _worded(address.get("foreignAddress"))
    care_of = _text(address.get("c_O"))
    if abroad or country not in (None, "FI"):
        place = [
            _text(address.get(n)) for n in ("foreignPostalAddress", "additionalForeignAddress")
        ]
        line = abroad or " ".join(filter(None, (street, _house(address))))
        parts = _stated(line=line or None, post_office=", ".join(filter(None, place)) or None)
        return _stated(care_of=care_of, country=country) | parts if parts else {}
    box = _worded(address.get("poBoxAddress"))
    parts = _stated(
        line=f"PL {box}" if box and box.isdecimal() else box,
        postal_code=_text(address.get("postalCode")),
        post_office=_worded(address.get("postalAddress")),
    )
    if not box:
        parts |= _stated(
            street=street,
            house=_house(address),
            stair=_text(address.get("apartmentIdentifierLetterSuffix")),
            apartment=_number(address.get("apartmentIdentifierNumber")),
            split=_text(address.get("apartmentIdentifierSubdivisionLetter")),
        )
    return _stated(care_of=care_of, country="FI") | parts if parts else {}


def _house(address: Part) -> str | None:
    """The house as written on a street sign: "12b", "2–4", "6a–6b" (FORMATS.md §6)."""
    number = _number(address.get("numberPartOfAddressNumber"))
    first = _lettered(number, address.get("subdivisionLetterOfAddressNumber"))
    number_2 = _number(address.get("numberPartOfAddressNumber2"))
    letter_2 = address.get("subdivisionLetterOfAddressNumber2")
    second = _lettered(number_2 or (number if _text(letter_2) else None), letter_2)
    return "–".join(dict.fromkeys(filter(None, (first, second)))) or None


def _lettered(number: str | None, letter: object) -> str | None:
    """A number and its letter; migrated addresses hold both in the letter's field ("12b")."""
    written = (_text(letter) or "").lower()
    return written if written[:1].isdigit() else f"{number or ''}{written}" if number else None


def _is_connected(sections: Iterable[Part], wanted: str) -> bool | None:
    """True where any section says so, False where all that speak of it say no, None in silence."""
    said = [
        connection.get("connected")
        for section in sections
        for connection in _parts(
            _part(section.get("buildingServicesEngineeringData")).get("networkConnection")
        )
        if _code(connection.get("networkConnectionType")) == wanted
    ]
    if any(connected is True for connected in said):
        return True
    return False if said and all(connected is False for connected in said) else None


def _address_number(address: Part) -> int:
    number = address.get("addressNumber")
    return number if isinstance(number, int) else 1 << 30


def _part(value: object) -> Part:
    return value if isinstance(value, dict) else {}


def _parts(value: object) -> Iterator[Part]:
    return (one for one in value if isinstance(one, dict)) if isinstance(value, list) else iter(())


def _text(value: object) -> str | None:
    """One line, None when blank."""
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _worded(value: object) -> str | None:
    """A text in Finnish, else in Swedish."""
    texts = _part(value)
    return _text(texts.get("fin")) or _text(texts.get("swe"))


def _number(value: object) -> str | None:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else _text(value)


def _code(value: object) -> str | None:
    """The last path part of a code's address: the rest differs from list to list and year to year."""
    written = _text(value)
    return written.rstrip("/").rpartition("/")[2] if written else None


def _day(value: object) -> str | None:
    written = _text(value)
    try:
        return datetime.fromisoformat(written).date().isoformat() if written else None
    except ValueError:
        return None


def _instant(value: object) -> datetime | None:
    """A time with its zone; without a zone nobody can say when."""
    written = _text(value)
    try:
        moment = datetime.fromisoformat(written) if written else None
        return moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _stamp(at: datetime | None) -> str | None:
    return at.replace(microsecond=0, tzinfo=None).isoformat() + "Z" if at else None


def _day_of(at: datetime | None) -> str | None:
    return at.astimezone(_HELSINKI).date().isoformat() if at else None


def _stated(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
