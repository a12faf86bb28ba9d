"""The business information system (PRH/YTJ open data, v3): what our organisations are called, and where.

Belongs here: asking `/companies` for one business id at a time, whose turn it is, and what an answer makes
of an organisation. Does not belong here: transport (`connectors.http`), how an address line or a name is
read (the hub's domain), anything about a person behind a company: owners and roles are not even looked at.

The register has no feed of changes, so everybody is asked anew (FORMATS.md §2): each night whoever it has
told nothing of yet, and of the others as many as `per_night` says, going round in the order of their ids.
A zoneless time is Finnish time. An address counts from the day it was registered, not from the day the
company's entry was last touched: else an old address would beat what the customer told us since (R12).
"""

import re
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from stdnum.fi import ytunnus

from connectors.base import Ask, Batch, Fault, Lender, Malformed, Opening, Record
from connectors.http import Http, HttpSettings

Part = Mapping[str, object]

_HELSINKI = ZoneInfo("Europe/Helsinki")
_ANNOUNCED_TOGETHER = 100
_SHAPE = re.compile(r"([0-9]{6,7})-?([0-9])")
_PLAIN = re.compile(r"[A-Za-z0-9_]{1,40}")
_MAIN_NAME = "1"
_ADDRESS_TYPES = {"1": "visiting", "2": "postal"}
_LANGUAGES = ("1", "2", "3")  # Finnish, Swedish, English
_SITUATIONS = {
    "KONK": "bankruptcy",
    "SELTILA": "liquidation",
    "SANE": "restructuring",
}  # gravest first
_READ = frozenset(
    {"businessId", "names", "companySituations", "addresses", "endDate", "lastModified"}
)


@dataclass(frozen=True)
class YtjOptions:
    """How to reach the register. timeout: seconds without an answer, attempts: tries in all.

    per_night: how many of those heard of before are asked again in one night; None asks all of them.
    Raises ValueError for a setting that can't be used.
    """

    base_url: str
    timeout: float = 30.0
    attempts: int = 4
    per_night: int | None = 500

    def __post_init__(self) -> None:
        if self.per_night is not None and self.per_night < 1:
            raise ValueError("per_night is less than one: nobody would ever be asked again")
        self.http()

    def http(self) -> HttpSettings:
        """The transport's settings."""
        return HttpSettings(
            base_url=self.base_url,
            connect_timeout=min(self.timeout, HttpSettings.connect_timeout),
            read_timeout=self.timeout,
            attempts=self.attempts,
        )


def connect(options: Mapping[str, Any], opening: Opening) -> "Ytj":
    """The source as the house opens it; ValueError or TypeError says which option can't be used."""
    read = YtjOptions(**{k: v for k, v in options.items() if v is not None})
    if opening.patience is not None:
        # somebody waits for an answer about a customer: that one is asked about, whoever's turn it is
        read = replace(read, timeout=opening.patience, attempts=1, per_night=None)
    return Ytj(read, opening.lender)


class Ytj:
    """The register of organisations as a `Source`; kind "party", key = the business id."""

    def __init__(
        self, options: YtjOptions, lender: Lender, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._options = options
        self._lender = lender
        self._sleep = sleep

    def fetch(self, ask: Ask) -> Batch:
        """What the register holds of our organisations: all without a record, and a turn of the others.

        Cursor: {"after": the business id the turn ended at}. It only says whose turn is next, so nothing
        is lost by a list cut short and there is no total to hold against the usual one. not_held: ids that
        find nobody, and those whose check digit is wrong: they were never given to anybody, so that is
        known without asking (the own register's record is refused under `business_id_check`). faults:
        "unreadable_company" (key = the id asked). unknown: situations, types of addresses, and
        "other_company", an answer about others than the one asked about. dropped: fields the notice has
        no use for, and "unasked_company". Raises `Malformed` when an answer is no list of companies.
        """
        lent, invalid = _ours(self._lender.borrow().organisations.values())
        new, turn = self._turn(ask, lent)
        heard = _Heard(not_held=invalid)
        with self._open() as http:
            for together in _batches([*new, *turn]):
                ask.announce("companies", together)
                for number in together:
                    heard.take(number, _companies(http, number))
        return Batch(
            records=heard.records,
            cursor={"after": turn[-1]} if turn else dict(ask.cursor or {}),
            fetched=heard.fetched,
            faults=heard.faults,
            dropped=dict(heard.dropped),
            unknown=dict(heard.unknown),
            not_held=heard.not_held,
        )

    def check(self) -> str:
        """Asks for the words of a code list, which names nobody."""
        with self._open() as http:
            answer = http.request(
                "GET",
                "description",
                params={"code": "KONK", "lang": "fi"},
                headers={"Accept": "text/plain"},
            )
        return f"{answer.place}: answers"

    def _open(self) -> Http:
        return Http(self._options.http(), self._sleep)

    def _turn(self, ask: Ask, lent: frozenset[str]) -> tuple[list[str], list[str]]:
        """Whom to ask: those without a record, and whose turn it is of the others."""
        new, held = sorted(lent - ask.known), sorted(lent & ask.known)
        start = bisect_right(held, str((ask.cursor or {}).get("after", "")))
        return new, (held[start:] + held[:start])[: self._options.per_night]


def _ours(written: Iterable[str]) -> tuple[frozenset[str], int]:
    """Business ids as NNNNNNN-N, each once, and how many others there are that can't be anybody's."""
    read = {text: _business_id(text) for text in set(written)}
    return frozenset(filter(None, read.values())), sum(number is None for number in read.values())


def _business_id(text: str) -> str | None:
    found = _SHAPE.fullmatch(text.strip())
    number = f"{found[1]:>07}{found[2]}" if found else ""
    return f"{number[:7]}-{number[7]}" if ytunnus.is_valid(number) else None


def _batches(numbers: Sequence[str]) -> Iterator[Sequence[str]]:
    """So many at a time that a register which is down leaves few announced and never asked about."""
    for start in range(0, len(numbers), _ANNOUNCED_TOGETHER):
        yield numbers[start : start + _ANNOUNCED_TOGETHER]


def _companies(http: Http, number: str) -> list[object]:
    """The answer about one id: one page, since a page past the last one is the first one again."""
    answer = http.request("GET", "companies", params={"businessId": number})
    page = answer.json()
    companies = page.get("companies") if isinstance(page, dict) else None
    if not isinstance(companies, list):
        raise Malformed(f"{answer.place}: no list companies")
    return companies


@dataclass
class _Heard:
    """What the answers of one call come to."""

    records: list[Record] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    fetched: int = 0
    not_held: int = 0

    def take(self, number: str, companies: Sequence[object]) -> None:
        """The answer to the question about `number`."""
        self.fetched += len(companies)
        named = [_named(company) for company in companies]
        strangers = sum(name not in (number, None) for name in named)
        if strangers:
            self.dropped["unasked_company"] += strangers
        if number in named:
            self._record(number, _part(companies[named.index(number)]))
        elif not companies:
            self.not_held += 1  # which says nothing about it: not every organisation is entered
        elif strangers == len(companies):
            # loud, but nothing for a steward to decide: it is the register that has to be mended
            self.unknown["other_company"] += 1
        else:
            reason = "the answer names no business id"
            self.faults.append(Fault("party", number, "unreadable_company", reason))

    def _record(self, number: str, company: Part) -> None:
        self.dropped.update(
            name if _PLAIN.fullmatch(name) else "unnamed"
            for name, value in company.items()
            if name not in _READ and value not in (None, "", [])
        )
        addresses = [a for a in map(self._address, _parts(company, "addresses")) if a]
        content = {
            "party_type": "organisation",
            "business_id": number,
            **_stated(organisation_name=_current_name(_parts(company, "names"))),
            **self._situation(company),
            **_stated(addresses=sorted(addresses, key=repr) or None),
        }
        self.records.append(Record("party", number, _instant(company.get("lastModified")), content))

    def _situation(self, company: Part) -> dict[str, object]:
        """The gravest thing in force: the end, bankruptcy, liquidation, restructuring."""
        if _text(company.get("endDate")):
            ended = _day(company.get("endDate"))
            return _stated(company_situation="ceased", situation_date=ended)
        standing: dict[str, str | None] = {}
        for situation in _parts(company, "companySituations"):
            if _text(situation.get("endDate")):
                continue
            code = _text(situation.get("type")) or ""
            if code in _SITUATIONS:
                since = _day(situation.get("registrationDate"))
                standing[code] = min(filter(None, (since, standing.get(code))), default=None)
            else:
                self.unknown[f"situation {code if _PLAIN.fullmatch(code) else 'unnamed'}"] += 1
        for code, word in _SITUATIONS.items():
            if code in standing:
                return _stated(company_situation=word, situation_date=standing[code])
        return {}

    def _address(self, address: Part) -> dict[str, object]:
        """One address under declared names, {} for an empty one or one of a type nobody told us of."""
        kind = _ADDRESS_TYPES.get(_text(address.get("type")) or "")
        if kind is None:
            self.unknown["address_type"] += 1
            return {}
        place = _place(address)
        if not place:
            return {}
        return {
            "address_type": kind,
            **place,
            **_stated(
                care_of=_text(address.get("co")),
                valid_from=_day(address.get("registrationDate")),
            ),
        }


def _place(address: Part) -> dict[str, object]:
    """Line or parts, postal code, post office and country; {} where none of the first three is stated."""
    free = [
        line.replace("_", " ") for line in (_text(address.get("freeAddressLine")) or "").split()
    ]
    box = _text(address.get("postOfficeBox"))
    office = _post_office(_parts(address, "postOffices"))
    country = _text(address.get("country"))
    where: dict[str, object]
    if free:
        where = {"line": free[0], "post_office": office or ", ".join(free[1:])}
    elif box:
        where = {"line": f"PL {box}", "post_office": office}
    else:
        street, house = _text(address.get("street")), _text(address.get("buildingNumber"))
        if street and house and street.endswith(f" {house}"):
            house = None  # the number stands in both fields
        where = {
            "street": street,
            "house": house,
            "stair": _text(address.get("entrance")),
            "apartment": _text(address.get("apartmentNumber")),
            "split": _text(address.get("apartmentIdSuffix")),
            "post_office": office,
        }
    where["postal_code"] = _text(address.get("postCode"))
    stated = {name: value for name, value in where.items() if value}
    if not stated:
        return {}
    # a free line is how foreign addresses are written: of where it is, only the register may speak
    return stated | _stated(country=country.upper() if country else None if free else "FI")


def _post_office(offices: Sequence[Part]) -> str | None:
    named = {_text(o.get("languageCode")): _text(o.get("city")) for o in reversed(offices)}
    found = (named.get(language) for language in (*_LANGUAGES, *named))
    return next(filter(None, found), None)


def _current_name(names: Sequence[Part]) -> str | None:
    """The main name in force; of several, the lowest version and then the one registered last."""
    current = [
        n for n in names if _text(n.get("type")) == _MAIN_NAME and not _text(n.get("endDate"))
    ]
    latest = sorted(current, key=lambda n: _day(n.get("registrationDate")) or "", reverse=True)
    first = min(latest, key=lambda n: _version(n.get("version")), default=None)
    return _text(first.get("name")) if first else None


def _version(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 1_000


def _named(company: object) -> str | None:
    """The business id a company goes by, or None if it names none."""
    return _text(_part(_part(company).get("businessId")).get("value"))


def _part(value: object) -> Part:
    return value if isinstance(value, dict) else {}


def _parts(value: Part, name: str) -> list[Part]:
    listed = value.get(name)
    return [_part(p) for p in listed] if isinstance(listed, list) else []


def _text(value: object) -> str | None:
    """One line from a text or a number; None when blank."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _day(value: object) -> str | None:
    """An ISO date, anything else is None (Python would also read 20260501)."""
    text = _text(value) or ""
    try:
        return text if date.fromisoformat(text).isoformat() == text else None
    except ValueError:
        return None


def _instant(value: object) -> str | None:
    """ "yyyy-MM-ddTHH:mm:ss", told in Finnish time without saying so, as "YYYY-MM-DDTHH:MM:SSZ"."""
    try:
        moment = datetime.fromisoformat(_text(value) or "")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=_HELSINKI)
        return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    except (ValueError, OverflowError):
        return None


def _stated(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
