"""What is really so, for whoever wants to grade the hub.

Belongs here: who is who behind the customer numbers, who is protected, what may never be found anywhere.
Does not belong here: any identity code; the truth is told without them.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from itertools import combinations
from typing import Any

from connectors.sandbox.dvv import PopulationRegister
from connectors.sandbox.founding import Founded
from connectors.sandbox.municipality import Municipality
from connectors.sandbox.world import Person


def tell(
    town: Founded, population: PopulationRegister, municipality: Municipality
) -> dict[str, Any]:
    """The truth today, as JSON.

    customers: own-register number → entity (P… person, Y… organisation, E… death estate), for those with a
    role. owners: municipality's number → entity of whoever it calls an owner of a connected property.
    pairs: numbers of the same entity, each pair once. protected: numbers with an order from anybody.
    refused: table/key → the column that no hub should believe. non_customers: rows without any role.
    canaries: names and flats of inhabitants who are neither customers nor own a customer's property, found
    in nothing a customer has.
    people: entity → name, address line, whether dead. asked_in_vain: how many non-customers DVV was asked of.
    """
    register, world = town.register, town.world
    roled = {role["ASIAKASNRO"] for role in register.roles.values()}
    entities = {register.entity_of[number] for number in roled}
    customers = {n: e for n, e in register.entity_of.items() if e in entities}
    numbers: dict[str, list[str]] = defaultdict(list)
    for number, entity in customers.items():
        numbers[entity].append(number)
    persons = {e: world.people[e] for e in entities if e in world.people}
    entity_of = {number: entity for entity, number in municipality.number_of.items()}
    owning = sorted({row["HENKILONRO"] for row in municipality.ownerships.values()})
    owners = {number: entity_of[number] for number in owning}
    owning_people = {*owners.values(), *(sale.buyer for sale in town.sales)} & world.people.keys()
    known = persons | {e: world.people[e] for e in owning_people}
    return {
        "today": world.today,
        "customers": customers,
        "owners": owners,
        "pairs": [list(pair) for same in numbers.values() for pair in combinations(same, 2)],
        "protected": sorted(
            n
            for n, e in customers.items()
            if (e in persons and persons[e].is_protected)
            or register.customers[n]["TURVAKIELTO"] not in ("", "E")
        ),
        "refused": town.refused_keys,
        "non_customers": [
            {"customer_number": n, "name": row["NIMI"], "street_line": row["LAHIOSOITE"]}
            for n, row in register.customers.items()
            if n not in customers
        ],
        "canaries": _canaries(town, known),
        "people": {e: _state(p, world.today) for e, p in sorted(persons.items())},
        "asked_in_vain": len(population.asked - entities),
    }


def _state(person: Person, today: str) -> dict[str, Any]:
    home = person.home(today)
    return {
        "name": person.name,
        "street_line": home.line(),
        "postal_code": home.office.code,
        "country": home.country,
        "is_deceased": bool(person.death_date),
        "is_protected": person.is_protected,
    }


def _canaries(town: Founded, customers: dict[str, Person]) -> list[str]:
    """Words of non-customers that begin no word sequence of anything the hub may rightly hold."""
    world, register = town.world, town.register
    roled = {role["ASIAKASNRO"] for role in register.roles.values()}
    lines = {
        row[c] for n in roled for row in (register.customers[n],) for c in ("NIMI", "LAHIOSOITE")
    }
    lines |= {p.address.line() for p in world.points.values()}
    lines |= {role["LOPPULASKU_OSOITE"] for role in register.roles.values()}
    lines |= {c.name for c in world.companies.values()}
    for person in customers.values():
        lines |= {*_names(person), *(s.address.line() for s in person.stays)}
        lines |= {s.address.line(swedish=True) for s in person.stays}
    tails = sorted({tail for line in lines for tail in _tails(line)})
    strangers = (p for i, p in world.people.items() if i not in customers)
    words = {w for p in strangers for w in (*_names(p), *_flats(p))}
    return sorted(w for w in words if not _begins(tails, w))


def _names(person: Person) -> tuple[str, str]:
    given = " ".join(person.given_names)
    return f"{person.family_name} {given}", f"{given} {person.family_name}"


def _flats(person: Person) -> Iterable[str]:
    return (s.address.line() for s in person.stays if s.address.apartment)


def _tails(line: str) -> Iterable[str]:
    words = line.split(" ")
    return (" ".join(words[i:]) for i in range(len(words)))


def _begins(tails: list[str], word: str) -> bool:
    at = bisect_left(tails, word)
    return at < len(tails) and tails[at].startswith(word)
