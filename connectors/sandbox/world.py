"""The people, homes, companies and connections of the town, and the numbers they go by.

Belongs here: what *is*, as it would be known to somebody who knows everything. Does not belong here: who
lives where (`founding`), what happens (`events`), or what any register believes (`own_register`, `dvv`).
Dates are ISO text. Nothing here can be a real person, building or company: identity codes have individual
numbers 900–999, building ids start with 9, business ids have bodies no one has been given (FORMATS 5).
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import NamedTuple

from connectors.sandbox import names

_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_BUSINESS_WEIGHTS = (7, 9, 10, 5, 8, 4, 2)


def days_after(day: str, days: int) -> str:
    """The ISO date so many days later (or earlier)."""
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()


class Address(NamedTuple):
    """Where somebody lives or gets mail; a foreign one has its whole line in `street`."""

    street: str
    number: str
    office: names.PostOffice
    swedish_street: str = ""
    stair: str = ""
    apartment: int = 0
    split: str = ""
    building_id: str = ""
    country: str = "FI"

    def line(self, swedish: bool = False) -> str:
        """The street line as printed: `Koivikkotie 2a B 12 b` (FORMATS 6)."""
        street = self.swedish_street if swedish and self.swedish_street else self.street
        apartment = str(self.apartment) if self.apartment else ""
        return " ".join(p for p in (street, self.number, self.stair, apartment, self.split) if p)


class Stay(NamedTuple):
    """Living at an address from a day to a last day (inclusive, as DVV says it); empty = open."""

    address: Address
    since: str
    until: str = ""


@dataclass(slots=True)
class Person:
    """Somebody, as the population register would know them with nothing hidden."""

    person_id: str
    is_man: bool
    family_name: str
    given_names: tuple[str, ...]
    birth_date: str
    identity_code: str
    stays: list[Stay]
    language: str = "fi"
    birth_name: str = ""
    called_name: str = ""
    post_box: str = ""
    summer_stay: Stay | None = None
    death_date: str = ""
    is_protected: bool = False
    disguise: int = 0
    retired_codes: tuple[str, ...] = ()
    family: list[str] = field(default_factory=list)

    def home(self, day: str) -> Address:
        """The permanent home on a day."""
        for stay in reversed(self.stays):
            if stay.since <= day:
                return stay.address
        return self.stays[0].address

    @property
    def name(self) -> str:
        """The whole name, family name first."""
        return f"{self.family_name} {' '.join(self.given_names)}"

    @property
    def codes(self) -> tuple[str, ...]:
        """The identity code in force and those a correction retired."""
        return (self.identity_code, *self.retired_codes)


@dataclass(frozen=True, slots=True)
class Company:
    """An organisation with a business id."""

    company_id: str
    name: str
    business_id: str
    address: Address
    is_housing: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A consumption point: one connection on one property."""

    point_ref: str
    property_id: str
    address: Address


class Minter:
    """Hands out numbers that check and can't be real, never the same one twice."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._codes: set[str] = set()
        self._businesses: set[int] = set()
        self._buildings = 0
        self._properties = 0

    def identity_code(self, birth_date: str, is_man: bool) -> str:
        """An identity code of the birth date with an individual number in 900–999 (odd: a man)."""
        born = date.fromisoformat(birth_date)
        head = f"{born.day:02d}{born.month:02d}{born.year % 100:02d}"
        separator = "-" if born.year < 2000 else "A"
        while True:
            individual = 900 + 2 * self._rng.randrange(50) + is_man
            code = f"{head}{separator}{individual}{_CHECK[int(f'{head}{individual}') % 31]}"
            if code not in self._codes:
                self._codes.add(code)
                return code
            separator = _next_separator(separator, full=self._full(head, separator, is_man))

    def _full(self, head: str, separator: str, is_man: bool) -> bool:
        numbers = range(900 + is_man, 1000, 2)
        return all(
            f"{head}{separator}{n}{_CHECK[int(f'{head}{n}') % 31]}" in self._codes for n in numbers
        )

    def business_id(self) -> str:
        """A business id with a valid check digit and a body from a range nobody has been given."""
        while True:
            body = self._rng.randrange(9_000_000, 10_000_000)
            digits = (int(d) for d in str(body))
            remainder = sum(w * d for w, d in zip(_BUSINESS_WEIGHTS, digits, strict=True)) % 11
            if remainder != 1 and body not in self._businesses:
                self._businesses.add(body)
                return f"{body}-{0 if remainder == 0 else 11 - remainder}"

    def building_id(self) -> str:
        """A permanent building id (VTJ-PRT) of the test range."""
        self._buildings += 1
        body = 900_100_000 + 7 * self._buildings
        return f"{body}{_CHECK[body % 31]}"

    def property_id(self) -> str:
        """A property id of the municipality, 14 digits."""
        self._properties += 1
        village, plot = 401 + self._properties % 9, 1 + self._properties // 9
        return f"{names.HOME_MUNICIPALITY}{village}{plot // 500 + 1:04d}{plot % 500 + 1:04d}"

    def iban(self) -> str:
        """A Finnish account number that checks, of a bank code no bank has."""
        bban = f"90{self._rng.randrange(10**12):012d}"
        return f"FI{98 - int(bban + '151800') % 97:02d}{bban}"


def _next_separator(separator: str, full: bool) -> str:
    if not full:
        return separator
    order = "-YXWVU" if separator in "-YXWVU" else "ABCDEF"
    return order[order.index(separator) + 1]


class World:
    """Everybody and everything, by id, on one day."""

    def __init__(self, seed: int, today: str) -> None:
        self.seed = seed
        self.today = today
        self.minter = Minter(Random(f"{seed}/numbers"))
        self.people: dict[str, Person] = {}
        self.companies: dict[str, Company] = {}
        self.points: dict[str, Point] = {}
        self.inhabitants: list[str] = []
        self._by_code: dict[str, str] = {}
        self._orders = 0

    def admit(self, person: Person) -> Person:
        """Make somebody known to the world."""
        self.people[person.person_id] = person
        for code in person.codes:
            self._by_code[code] = person.person_id
        return person

    def protect(self, person: Person) -> None:
        """Grant a protective order; how DVV will show it (`disguise`) goes round the known ways."""
        person.is_protected = True
        person.disguise = self._orders
        self._orders += 1

    def correct_code(self, person: Person) -> None:
        """Give somebody a new identity code, as after a wrongly registered birth date."""
        corrected = self.minter.identity_code(days_after(person.birth_date, 1), person.is_man)
        person.retired_codes = person.codes
        person.identity_code = corrected
        self._by_code[corrected] = person.person_id

    def holder_of(self, code: str) -> Person | None:
        """The person an identity code belongs or once belonged to."""
        person_id = self._by_code.get(code)
        return self.people[person_id] if person_id else None
