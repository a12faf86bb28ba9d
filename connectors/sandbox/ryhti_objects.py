"""A building of the town as the national building register shows it.

Belongs here: building objects with their sections, addresses, owners and connections, as in FORMATS 4.1.
Does not belong here: which buildings there are and what happens to them (`ryhti`), HTTP. A building is
never changed: what happens makes another one of it, so that the change feed keeps what was.
"""

import re
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.names import HOME_BOXES
from connectors.sandbox.world import Address, Company, Person, World

Shown = dict[str, Any]

_CODES = "http://uri.suomi.fi/codelist"
LIFE_CYCLE = f"{_CODES}/rakrek/rakelinvaih/code"
PLANNED, IN_USE, DEMOLISHED = "01", "03", "06"
WATER, SEWER, ELECTRICITY = "02", "03", "04"


@dataclass(frozen=True, slots=True)
class Ownership:
    """Somebody's owning of a building; entity as in the own register (P… person, Y… organisation, E…).

    care_of: whose door an owner's mail goes to. contact: whom the owner has named to speak for them.
    """

    key: str
    entity: str
    care_of: str = ""
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Building:
    """One building. connections: code → whether connected; silent where a code is missing.

    migrated: the house number stands in its letter's field. spread: it stands on two plots, like 2–4.
    """

    key: str
    building_id: str
    property_id: str
    address: Address
    owners: tuple[Ownership, ...]
    connections: tuple[tuple[str, bool], ...] = ()
    state: str = IN_USE
    demolished: str = ""
    migrated: bool = False
    spread: bool = False


def shown(building: Building, world: World, variant: str) -> Shown:
    """A building object of `…PersonsLimited` or `…NoPersons`."""
    section: Shown = {
        "buildingSectionKey": f"{building.key[:-1]}0",
        "lifeCycleState": f"{LIFE_CYCLE}/{building.state}",
        "completionDate": "1988-06-15",
        "demolitionDate": building.demolished or None,
        "reasonForDemolition": None,
        "usageData": {"commissioningDate": "1988-07-01", "usageStatus": None, "purpose": []},
        "buildingServicesEngineeringData": {
            "sewerageMethodType": f"{_CODES}/rytj/jatevesienkasittely/code/01",
            "householdWaterType": f"{_CODES}/rytj/talousvesi/code/01",
            "networkConnection": [
                {
                    "networkConnectionKey": f"{building.key[:-2]}{code}",
                    "networkConnectionType": f"{_CODES}/rytj/verkliit/code/{code}",
                    "connected": connected,
                    "connectionPoint": None,
                }
                for code, connected in building.connections
            ],
        },
        "apartment": [],
    }
    whole: Shown = {
        "buildingKey": building.key,
        "permanentBuildingIdentifier": building.building_id,
        "temporary": False,
        "demolitionDeadline": None,
        "buildingSection": [section],
        "mainPurpose": f"{_CODES}/jhs/rakennus_1_20180712/code/0110",
        "location": {"pointLocation": None, "votingDistrictNumber": "001"},
        "administrativeLocationUnit": {
            "administrativeLocationUnitKey": building.key,
            "unitIdentifier": None,
            "propertyIdentifier": building.property_id,
            "unseparatedParcelIdentifier": None,
        },
        "address": [_at_address(building)],
    }
    if variant == "BuildingPersonsLimited":
        visible = [o for o in building.owners if not is_hidden(o, world)]
        whole["buildingObjectOwner"] = [owner(o, world) for o in visible]
    return whole


def is_hidden(ownership: Ownership, world: World) -> bool:
    """Whether `…PersonsLimited` leaves the owner out."""
    person = _person(ownership, world)
    return person is not None and person.is_protected


def owner(ownership: Ownership, world: World) -> Shown:
    """One buildingObjectOwner."""
    person = _person(ownership, world)
    operator = _individual(person, world) if person else _firm(world.companies[ownership.entity])
    for address in operator["operatorAddress"]:
        address["c_O"] = ownership.care_of or None
    contact = {"isPerson": True, "familyName": ownership.contact, "deathDate": None}
    return {
        "buildingObjectOwnerKey": ownership.key,
        "ownerOperator": operator,
        "ownerSource": f"{_CODES}/rytj/tietolahde/code/01",
        "differentOwner": False,
        "tenureStatus": None,
        "ownerContactOperator": contact if ownership.contact else None,
        "ownerType": f"{_CODES}/rytj/Omistajalaji/code/{'01' if person else '02'}",
    }


def _person(ownership: Ownership, world: World) -> Person | None:
    """Who owns: of a death estate (E…) the dead, whom the register still names."""
    return world.people.get(f"P{ownership.entity[1:]}" if ownership.entity[0] in "PE" else "")


def _individual(person: Person, world: World) -> Shown:
    home, language = person.home(world.today), person.language
    address = _post_box(person) if person.post_box else _contact(home)
    return {
        "personalIdentityCode": person.identity_code,
        "businessId": None,
        "otherId": None,
        "isPerson": True,
        "firstName": " ".join(person.given_names),
        "familyName": person.family_name,
        "organizationName": None,
        "nonDisclosureForSafety": False,
        "operatorAddress": [address],
        "languageCode": f"{_CODES}/interoperabilityplatform/languagecodes/code/{language}",
        "nationalityCode": f"{_CODES}/jhs/valtio_1_20120101/code/246",
        "deathDate": person.death_date or None,
    }


def _firm(company: Company) -> Shown:
    return {
        "personalIdentityCode": None,
        "businessId": company.business_id,
        "otherId": None,
        "isPerson": False,
        "firstName": None,
        "familyName": None,
        "organizationName": company.name,
        "nonDisclosureForSafety": None,
        "operatorAddress": [_contact(company.address)],
        "languageCode": None,
        "nationalityCode": None,
        "deathDate": None,
    }


def _at_address(building: Building) -> Shown:
    address = building.address
    number, letter = _numbered(address.number)
    return {
        "addressKey": building.key,
        "addressNumber": 1,
        "addressName": {"fin": address.street, "swe": address.swedish_street or None},
        "numberPartOfAddressNumber": None if building.migrated else number,
        "subdivisionLetterOfAddressNumber": address.number if building.migrated else letter,
        "numberPartOfAddressNumber2": number + 2 if building.spread else None,
        "subdivisionLetterOfAddressNumber2": None,
        "postalCode": address.office.code,
        "location": None,
    }


def _contact(address: Address) -> Shown:
    office = address.office
    if address.country != "FI":
        return _empty_contact() | {
            "foreignAddress": {"fin": address.line()},
            "foreignPostalAddress": f"{office.code} {office.name}",
            "postalCode": None,
            "countryCode": f"{_CODES}/jhs/valtio_1_20120101/code/{office.municipality}",
        }
    number, letter = _numbered(address.number)
    return _empty_contact() | {
        "addressName": {"fin": address.street, "swe": address.swedish_street or None},
        "numberPartOfAddressNumber": number,
        "subdivisionLetterOfAddressNumber": letter,
        "apartmentIdentifierLetterSuffix": address.stair or None,
        "apartmentIdentifierNumber": address.apartment or None,
        "apartmentIdentifierSubdivisionLetter": address.split or None,
        "postalCode": office.code,
        "postalAddress": {"fin": office.name, "swe": office.swedish},
    }


def _post_box(person: Person) -> Shown:
    return _empty_contact() | {
        "poBoxAddress": {"fin": person.post_box},
        "postalCode": HOME_BOXES.code,
        "postalAddress": {"fin": HOME_BOXES.name, "swe": HOME_BOXES.swedish},
    }


def _empty_contact() -> Shown:
    return {
        "addressName": None,
        "c_O": None,
        "poBoxAddress": None,
        "foreignAddress": None,
        "foreignPostalAddress": None,
        "additionalForeignAddress": None,
        "countryCode": None,
        "contactAddressType": f"{_CODES}/rytj/yhteysosoitteenLaji/code/01",
        "source": f"{_CODES}/rytj/tietolahde/code/01",
    }


def _numbered(house: str) -> tuple[int, str | None]:
    """A house number and its letter: "2a" → 2, "a"."""
    digits = re.match(r"\d*", house)
    number = digits[0] if digits else ""
    return int(number or 0), house[len(number) :] or None
