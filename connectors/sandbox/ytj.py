"""The business information system as the town's companies stand in it: requests in, answers out.

Belongs here: what is entered of a company and how it is told (FORMATS 2), and what happens to companies.
Does not belong here: what a company is called and where it is today (`world`), sockets (`servers`).
Nothing here draws from the founding's generator: a company's entry follows from its place in the line, and
what happens to it from the register's own chance.
"""

import re
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.sandbox import names
from connectors.sandbox.faults import Faults
from connectors.sandbox.founding import Story
from connectors.sandbox.scene import Scene
from connectors.sandbox.servers import Answer, Plain
from connectors.sandbox.world import Address, Company, days_after

_BASE = "/opendata-ytj-api/v3"
_MAIN, _PARALLEL, _AUXILIARY = "1", "2", "3"
_VISITING, _POSTAL = 1, 2
_FORMS = {"Oy": "OY", "Ky": "KY"}
_CODES = "KONK\t1\tKonkurssi\n"
_ADDRESS = (
    "street", "postCode", "postOfficeBox", "buildingNumber", "entrance", "apartmentNumber",
    "apartmentIdSuffix", "co", "country", "freeAddressLine",
)  # fmt: skip


@dataclass
class Entry:
    """What the register knows of a company beside its present name and address.

    shape: its place among its like, which chooses how it is written. former: earlier main names, each with the day it ended, the latest first. parallel: a name in another
    language. situations: code, first day, last day or "". free: an address abroad as one line. Empty text
    is nothing entered; modified is a local time.
    """

    shape: int
    registered: str
    modified: str
    named: str
    settled: str
    former: list[tuple[str, str]] = field(default_factory=list)
    parallel: str = ""
    website: str = ""
    care_of: str = ""
    box: str = ""
    free: str = ""
    situations: list[tuple[str, str, str]] = field(default_factory=list)
    ended: str = ""


class CompanyRegister:
    """PRH/YTJ open data, v3: open to everybody, one company a question."""

    def __init__(self, scene: Scene, faults: Faults, password: str) -> None:
        self._scene = scene
        self._faults = faults
        every = list(self._companies.values())
        trading = [c for c in every if not c.is_housing]
        housing = [c for c in every if c.is_housing][1::2]  # the others are in no trade register
        self.entries = {
            company.company_id: _founded(company, shape)
            for like in (trading, housing)
            for shape, company in enumerate(like)
        }
        self._announce_stories()

    @property
    def _companies(self) -> dict[str, Company]:
        return self._scene.town.world.companies

    def address(self, url: str) -> dict[str, str]:
        """Where it is; nobody needs a password."""
        return {"base_url": url + _BASE}

    # --- what happens to companies ------------------------------------------------------------------

    def _announce_stories(self) -> None:
        """The last two companies of the town have something before them."""
        town, (renamed, bankrupt) = self._scene.town, self._trading()[-2:]
        name = self._companies[renamed].name
        told = {
            "company_bankrupt": (bankrupt, {"name": self._companies[bankrupt].name}),
            "company_renamed": (renamed, {"name": name, "new_name": _renamed(name)}),
        }
        for story, (company_id, canary) in told.items():
            numbers = tuple(n for n, e in town.register.entity_of.items() if e == company_id)
            town.stories[story] = Story(story, numbers, canary, from_night=2)
        self._fates = [
            ("company_bankrupt", bankrupt, self.goes_bankrupt),
            ("company_renamed", renamed, self.renames),
        ]

    def _trading(self) -> list[str]:
        """Companies at work that are no housing companies, by id."""
        return sorted(
            i for i, e in self.entries.items() if not self._companies[i].is_housing and not e.ended
        )

    def pass_day(self, quiet: bool) -> None:
        """On the first day that is not quiet the stories; every day about one company in 300."""
        if quiet:
            return
        told, day = self._scene.town.told, days_after(self._scene.today, -1)
        for story, company_id, happen in self._fates:
            if (story, 0) not in told:
                told.add((story, 0))
                happen(company_id, day)
        rng = self._scene.chance("ytj")
        fates = (self.renames, self.moves, self.goes_bankrupt, self.ceases)
        cast = {company_id for _, company_id, _ in self._fates}
        for company_id in self._trading():
            draw, fate = rng.random(), rng.choices(fates, (8, 16, 2, 4))[0]
            if draw < 0.003 and company_id not in cast:
                fate(company_id, day)

    def renames(self, company_id: str, day: str) -> None:
        """A new main name; the old one stays in the register with its last day."""
        company, entry = self._companies[company_id], self._modified(company_id, day)
        entry.former.insert(0, (company.name, day))
        entry.named = day
        self._companies[company_id] = replace(company, name=_renamed(company.name))

    def moves(self, company_id: str, day: str) -> None:
        """To other premises in town; mail follows."""
        company, entry = self._companies[company_id], self._modified(company_id, day)
        entry.settled, entry.box, entry.free, entry.care_of = day, "", "", ""
        number = 1000 + int(company_id[1:]) * 10 + int(day[-2:]) % 10
        street = names.STREETS[number % len(names.STREETS)]
        self._companies[company_id] = replace(
            company, address=Address(street, str(number), company.address.office)
        )

    def goes_bankrupt(self, company_id: str, day: str) -> None:
        """A bankruptcy that goes on."""
        self._modified(company_id, day).situations.append(("KONK", day, ""))

    def ceases(self, company_id: str, day: str) -> None:
        """The company is no more; its entry stays."""
        self._modified(company_id, day).ended = day

    def _modified(self, company_id: str, day: str) -> Entry:
        entry = self.entries[company_id]
        entry.modified = f"{day}T13:20:07"
        return entry

    # --- answers ------------------------------------------------------------------------------------

    def respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """One answer of the API."""
        url = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if (method, url.path) == ("GET", f"{_BASE}/description") and asked.get("code") == "KONK":
            return HTTPStatus.OK, Plain(_CODES)
        if (method, url.path) != ("GET", f"{_BASE}/companies"):
            return HTTPStatus.NOT_FOUND, self._error("path")
        number = asked.get("businessId", "")
        if not re.fullmatch(r"\d{7}-\d", number):
            return HTTPStatus.BAD_REQUEST, self._error("businessId")
        with self._scene.lock:
            found = [i for i in self.entries if self._companies[i].business_id == number]
            if self._faults.strikes("not_found"):
                found = []
            elif self._faults.strikes("lying"):
                found = [i for i in sorted(self.entries) if i not in found][:1]
            told = [_company(self._companies[i], self.entries[i]) for i in found]
        return HTTPStatus.OK, {"totalResults": len(told), "companies": told}

    def _error(self, message: str) -> dict[str, Any]:
        return {"timestamp": f"{self._scene.today} 01:30:00", "message": message, "errorcode": 1}


def _renamed(name: str) -> str:
    """The name of a company that has taken up another trade."""
    trades, (trade, _, rest) = names.COMPANY_TRADES, name.partition(" ")
    if trade not in trades:
        stem, _, form = name.rpartition(" ")
        return f"{stem} {trades[0]} {form}"
    return f"{trades[(trades.index(trade) + 1) % len(trades)]} {rest}"


def _founded(company: Company, shape: int) -> Entry:
    """A company's entry on the first night."""
    since = f"{1996 + shape % 15}-05-02"
    entry = Entry(shape, since, f"{2013 + shape % 12}-03-14T09:10:11", since, since)
    if company.is_housing:
        return entry
    if shape % 2:
        entry.former = [(f"{company.name.rsplit(' ', 1)[0]} ja kumpp.", since)]
        entry.registered = entry.settled = f"{int(since[:4]) - 6}-09-01"
        entry.website = f"www.yritys{shape}.example.fi"
    if shape % 4 == 2:
        entry.parallel = f"Firma {shape} Ab"
    if shape % 3 == 0:
        entry.box = str(shape % 80 + 2)
    elif shape % 7 == 5:
        entry.free = f"Storgatan_{shape} 113_51_STOCKHOLM"
    if shape % 5 == 2:
        entry.care_of = "Tilitoimisto Laskurinne Oy"
    if shape % 6 == 4:
        entry.situations = [("SANE", "2015-02-03", "2018-10-01")]
    return entry


def _company(company: Company, entry: Entry) -> dict[str, Any]:
    """One company as the API tells of it; what is not entered is null or left out."""
    form = "AOY" if company.is_housing else _FORMS.get(company.name.rsplit(" ", 1)[-1], "")
    kept = {"source": "1"}
    told: list[tuple[str, str, str | None, int]] = [(company.name, _MAIN, None, 1)]
    told += [(name, _MAIN, end, v) for v, (name, end) in enumerate(entry.former, start=2)]
    told += [(entry.parallel, _PARALLEL, None, 1)] if entry.parallel else []
    told += [(f"Aputoimi {entry.shape}", _AUXILIARY, None, 1)] if entry.shape % 4 == 3 else []
    begun = [entry.named, *(end for _, end in entry.former[1:]), entry.registered]
    # the register's own order is nobody's promise: the present name does not come first
    listed = [
        {"name": name, "type": kind, "version": version, "endDate": end,
         "registrationDate": begun[min(version, len(begun)) - 1]} | kept
        for name, kind, end, version in reversed(told)
    ]  # fmt: skip
    answer: dict[str, Any] = {
        "businessId": {"value": company.business_id, "registrationDate": entry.registered, "source": "3"},
        "euId": {"value": f"FIFPRO.{company.business_id}", "source": "1"},
        "names": listed,
        "companyForms": [{"type": form, "version": 1, "registrationDate": entry.registered} | kept] if form else [],
        "companySituations": [
            {"type": code, "registrationDate": since, "endDate": until or None} | kept
            for code, since, until in entry.situations
        ],
        "registeredEntries": [
            {"type": "1", "register": "1", "authority": "2", "registrationDate": entry.registered}
        ],
        "addresses": [_premises(company, entry, _VISITING), _mail(company, entry)],
        "tradeRegisterStatus": "1" if form else "0",
        "status": "2",
        "registrationDate": entry.registered,
        "endDate": entry.ended or None,
        "lastModified": entry.modified,
    }  # fmt: skip
    return answer | ({"website": {"url": entry.website} | kept} if entry.website else {})


def _premises(company: Company, entry: Entry, kind: int) -> dict[str, Any]:
    """Where it is; every other company's house number stands inside the street."""
    address, apart = company.address, bool(entry.shape % 2)
    parts: dict[str, Any] = {
        "street": address.street if apart else f"{address.street} {address.number}",
        "buildingNumber": address.number if apart else None,
        "postCode": address.office.code,
        "country": "FI" if apart else None,
    }
    if entry.shape % 4 == 1 and not company.is_housing:
        parts |= {"entrance": "A", "apartmentNumber": "2", "apartmentIdSuffix": "b"}
    return _address(kind, entry, address.office, **parts)


def _mail(company: Company, entry: Entry) -> dict[str, Any]:
    if entry.box:
        office = names.HOME_BOXES
        return _address(_POSTAL, entry, office, postOfficeBox=entry.box, postCode=office.code)
    if entry.free:
        return _address(_POSTAL, entry, None, freeAddressLine=entry.free, country="SE")
    return _premises(company, entry, _POSTAL) | {"co": entry.care_of or None}


def _address(
    kind: int, entry: Entry, office: names.PostOffice | None, **parts: Any
) -> dict[str, Any]:
    cities = [(office.swedish, "2"), (office.name, "1")] if office else []
    return {
        "type": kind,
        **dict.fromkeys(_ADDRESS),
        **parts,
        "postOffices": [
            {"city": city, "languageCode": language, "municipalityCode": office.municipality}
            for city, language in cities
            if office
        ],
        "registrationDate": entry.settled,
        "source": "0",
    }
