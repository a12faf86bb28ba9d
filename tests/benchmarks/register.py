"""What four registers make of a population: records with gaps and mistakes, and the truth about them apart.

Belongs here: how often a register states what, how it errs, the files that result, keeping them for the
next run. Does not belong here: the people (`population`), measuring (`curve`).

A party's first record has about half the mistakes of its later ones. Records are made one at a time and
written a hundred thousand at a time, so the memory needed is the population's: a gigabyte a million records.

    python -m tests.benchmarks.register RECORDS SEED FOLDER
"""

import os
import random
import shutil
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from tests.benchmarks.population import (
    CHECK,
    DOMAINS,
    PLAIN,
    PREFIXES,
    SIGNS,
    Company,
    Person,
    Population,
    new_phone,
    population,
)

Chances = list[float]

ROOT = Path(__file__).parents[2]

EDITION = 2
"""Raised when the same seed gives another register: what was kept of an older edition is not used."""

AT_ONCE = 100_000
SOURCES = ("CIS", "KUNTA", "RAVA", "OSOITE")
"""The utility's own register, the municipality's, building control, an address service."""
_SHARES = (0.5, 0.22, 0.14, 0.14)
_BUILDING_CONTROL = SOURCES.index("RAVA")
_RECORDS_PER_PARTY = {1: 0.52, 2: 0.295, 3: 0.12, 4: 0.04, 5: 0.015, 6: 0.01}
# how often each source states a field
_STATED = {
    "identity_code": (0.45, 0.5, 0.1, 0.0),
    "birth": (0.6, 0.9, 0.25, 0.7),
    "second": (0.35, 0.8, 0.25, 0.7),
    "phone": (0.85, 0.4, 0.5, 0.1),
    "email": (0.65, 0.3, 0.35, 0.02),
    "property": (0.5, 0.6, 0.97, 0.0),
    "business_id": (0.75, 0.6, 0.4, 0.5),
}
_CALLED = {
    "Johannes": "Juha", "Juhani": "Juha", "Matti": "Masa", "Matias": "Matti", "Mikael": "Mika",
    "Pekka": "Pekka", "Antero": "Antti", "Aleksanteri": "Ale", "Katariina": "Kati", "Maria": "Mari",
    "Annikki": "Anni", "Elisabet": "Liisa", "Kristiina": "Kirsi", "Johanna": "Hanna",
    "Margareta": "Marketta", "Helena": "Leena", "Tapani": "Tapsa", "Henrik": "Henkka",
    "Tapio": "Tapsa", "Kalevi": "Kalle", "Eino": "Eikka", "Sofia": "Sohvi", "Emilia": "Milla",
    "Olavi": "Olli",
}  # fmt: skip
# the keys beside a key
_BESIDE = {
    "q": "wa", "w": "qes", "e": "wrd", "r": "etf", "t": "ryg", "y": "tuh", "u": "yij",
    "i": "uok", "o": "ipl", "p": "oöå", "a": "qsz", "s": "awdx", "d": "sefc", "f": "drgv",
    "g": "fthb", "h": "gyjn", "j": "hukm", "k": "jil", "l": "koö", "z": "asx", "x": "zsdc",
    "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk", "ä": "öp", "ö": "äl",
}  # fmt: skip


@dataclass(slots=True)
class Record:
    """A party as a register has it; None is not stated. The fields are the columns of a register's file."""

    source: str
    kind: str
    given: str | None = None
    second: str | None = None
    family: str | None = None
    organisation: str | None = None
    contact_given: str | None = None
    contact_family: str | None = None
    birth: str | None = None
    identity_code: str | None = None
    business_id: str | None = None
    phone: str | None = None
    email: str | None = None
    street: str | None = None
    house: str | None = None
    flat: str | None = None
    code: str | None = None
    office: str | None = None
    property_id: str | None = None


_values = attrgetter(*(field.name for field in fields(Record)))
_WRITTEN = (
    "given", "second", "family", "organisation", "contact_given", "contact_family", "street", "office",
)  # fmt: skip


class Files(NamedTuple):
    """A register as it stands, the same in the layout of `hub match file`, and whose each record is.

    register: `record_id` and the fields of Record. truth: record_id, entity_id, household_id.
    """

    register: Path
    records: Path
    truth: Path


def files(records: int, seed: int) -> Files:
    """The files of a made-up register; made now unless an earlier run has left them.

    They are kept in HUB_BENCH_CACHE, else in `.bench` beside the packages. A process of its own makes them, so that
    the memory they took is free again when engines are measured.
    """
    kept = Path(os.environ.get("HUB_BENCH_CACHE") or ROOT / ".bench")
    home = kept / f"edition{EDITION}-{records}-{seed}"
    wanted = files_in(home)
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".part-", dir=home.parent))
        try:
            made = [sys.executable, "-m", __name__, str(records), str(seed), str(beside)]
            subprocess.run(made, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True)
            beside.rename(home)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return wanted


def files_in(folder: Path) -> Files:
    """The three files by their names."""
    return Files(*(folder / f"{name}.parquet" for name in Files._fields))


def write(records: int, seed: int, out: Files) -> None:
    """Makes the three files, by way of a database on disk."""
    columns = [field.name for field in fields(Record)]
    declared = ", ".join(f"{name} varchar" for name in columns)
    with duckdb.connect(str(out.register.with_suffix(".duckdb"))) as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(
            f"create table made (record_id bigint, {declared}, entity_id bigint, household_id bigint)"
        )
        first = 0
        names = [*columns, "entity_id", "household_id"]
        for rows in _records(records, seed):
            made = pd.DataFrame(rows, columns=names, dtype=object)
            made.insert(0, "record_id", np.arange(first, first + len(made)))
            connection.register("written_down", made)
            connection.execute("insert into made select * from written_down")
            connection.unregister("written_down")
            first += len(made)
        for query, path in (
            (f"select record_id, {', '.join(columns)} from made", out.register),
            (_LAYOUT, out.records),
            ("select record_id::varchar record_id, entity_id, household_id from made", out.truth),
        ):
            connection.execute(f"copy ({query} order by made.record_id) to '{path}'")
    out.register.with_suffix(".duckdb").unlink()


# A personal identity code or a birth date becomes a token that tells equal from unequal and nothing else, as at a
# connector's door; a code only where its check character is right, a birth date from the code where none is stated.
_CENTURIES = " ".join(
    f"when '{sign}' then '{century}'" for century in SIGNS for sign in SIGNS[century]
)
_LAYOUT = f"""
with coded as (
    select *, case when regexp_full_match(upper(identity_code), '[0-9]{{6}}[A-Z-][0-9]{{3}}[0-9A-Z]')
        then upper(identity_code) end shaped,
        case when substr('{CHECK}', (substr(shaped, 1, 6) || substr(shaped, 8, 3))::int % 31 + 1, 1)
            = right(shaped, 1) then shaped end right_code,
        case substr(right_code, 7, 1) {_CENTURIES} end || substr(right_code, 5, 2) || '-'
            || substr(right_code, 3, 2) || '-' || left(right_code, 2) coded_birth
    from made
)
select record_id::varchar record_id, source, kind,
    nullif(concat_ws(' ', given, second), '') given_names, family family_name,
    organisation organisation_name, nullif(concat_ws(' ', contact_given, contact_family), '') contact_name,
    left(sha256('person|' || right_code), 24) person_key,
    left(sha256('birth|' || coalesce(birth, coded_birth)), 24) birth_key,
    business_id, phone, email, street, house house_number, flat apartment, code postal_code,
    office post_office, property_id
from coded made"""


def _records(number: int, seed: int) -> Iterator[list[tuple[object, ...]]]:
    """Rows of Record, entity and household, a hundred thousand at a time, in no order."""
    rng, draw = np.random.default_rng(seed), random.Random(seed)
    people = population(number, rng, draw)
    parties = len(people.persons) + len(people.companies)
    many = rng.choice(list(_RECORDS_PER_PARTY), parties, p=list(_RECORDS_PER_PARTY.values()))
    party = np.repeat(np.arange(parties), many)
    first = np.zeros(len(party), dtype=bool)
    first[many.cumsum() - many] = True
    source = rng.choice(len(SOURCES), len(party), p=_SHARES)
    order = rng.permutation(len(party))[:number]
    clerk = _Clerk(people, draw)
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        chances = rng.random((len(some), 24))
        yield [
            clerk.row(*about)
            for about in zip(
                party[some].tolist(), source[some].tolist(), first[some].tolist(), _lists(chances),
                strict=True,
            )
        ]  # fmt: skip


def _lists(chances: npt.NDArray[np.float64]) -> Iterator[Chances]:
    for row in chances:
        yield row.tolist()


class _Clerk:
    """Writes records down, and errs."""

    def __init__(self, people: Population, draw: random.Random) -> None:
        self.people, self.draw = people, draw

    def row(self, party: int, source: int, first: bool, u: Chances) -> tuple[object, ...]:
        """A record of a party, its entity and its household; u: a chance for each thing that may go wrong."""
        persons = self.people.persons
        care = 0.55 if first else 1.0
        if party < len(persons):
            record = self._person(persons[party], source, first, u, care)
            household = persons[party].household
        else:
            company = self.people.companies[party - len(persons)]
            record = self._company(company, source, first, u, care)
            household = -1 - (party - len(persons))
        self._place(record, source, u, care)
        if u[0] < 0.07 * care:
            _rewritten(record, lambda text: text.translate(PLAIN))
        if u[1] < 0.05 or source == _BUILDING_CONTROL and u[1] < 0.6:
            _rewritten(record, str.upper)
        return *_values(record), party, household

    def _person(self, person: Person, source: int, first: bool, u: Chances, care: float) -> Record:
        draw = self.draw
        moved = not first and u[2] < 0.20
        home = person.household
        address = self.people.addresses.at(self.people.addresses.before(home) if moved else home)
        family, given = person.family, person.given
        if person.maiden and not first and u[3] < 0.14:
            family = person.maiden if u[3] < 0.09 else f"{person.maiden}-{family}"
        if u[4] < 0.04 * care:
            given = _CALLED.get(given, given[: max(3, len(given) - 2)])
        elif u[4] < 0.06 * care:
            given = given[0]
        elif u[4] < 0.09 * care:
            given = person.second
        if u[6] < 0.07 * care:
            given = mistyped(given, draw)
        if u[7] < 0.08 * care:
            family = mistyped(family, draw)
        if u[8] < 0.025 * care:
            given, family = family, given
        birth = person.birth if u[9] < _STATED["birth"][source] else None
        if birth and u[10] < 0.025 * care:
            birth = self._misread(birth, u[10])
        code = person.identity_code if u[11] < _STATED["identity_code"][source] else None
        if code and u[12] < 0.003:
            code = mistyped(code, draw)
        return Record(
            SOURCES[source], "person", given, person.second if u[5] < _STATED["second"][source] else None,
            family, birth=birth, identity_code=code,
            phone=self._phone(person.phone, source, first, u),
            email=self._email(person.email, source, first, u),
            street=address.street, house=address.house, flat=address.flat, code=address.code,
            office=address.office, property_id=address.property_id,
        )  # fmt: skip

    def _company(
        self, company: Company, source: int, first: bool, u: Chances, care: float
    ) -> Record:
        draw, name, address = self.draw, company.name, company.address
        if u[3] < 0.12:
            name = name.replace(" Oy", draw.choice((" OY", " oy", " Osakeyhtiö", "")))
        if u[4] < 0.05:
            name = name.replace("As Oy", "Asunto Oy").replace("Tmi ", "")
        if u[6] < 0.10 * care:
            name = mistyped(name, draw)
        if u[2] < 0.08 and not first:
            address = self.people.addresses.at(draw.randrange(self.people.addresses.households))
        given, family = (company.contact if u[7] < 0.5 else None) or (None, None)
        return Record(
            SOURCES[source], "organisation", organisation=name, contact_given=given, contact_family=family,
            business_id=company.business_id if u[11] < _STATED["business_id"][source] else None,
            phone=self._phone(company.phone, source, first, u),
            email=self._email(company.email, source, first, u),
            street=address.street, house=address.house, flat=address.flat, code=address.code,
            office=address.office, property_id=address.property_id,
        )  # fmt: skip

    def _place(self, record: Record, source: int, u: Chances, care: float) -> None:
        """Mistakes in an address; building control has the property alone now and then."""
        if record.street and u[17] < 0.06 * care:
            record.street = mistyped(record.street, self.draw)
        if record.code and u[18] < 0.02 * care:
            record.code = f"{record.code[:3]}{self.draw.randrange(10)}0"
        if u[19] < 0.05 or not record.flat:
            record.flat = None
        if u[20] >= _STATED["property"][source]:
            record.property_id = None
        if source == _BUILDING_CONTROL and u[21] < 0.25:
            record.street = record.house = record.flat = record.code = record.office = None

    def _phone(self, phone: str, source: int, first: bool, u: Chances) -> str | None:
        if u[13] >= _STATED["phone"][source]:
            return None
        if not first and u[14] < 0.13:
            phone = new_phone(self.draw, PREFIXES[:4])
        if u[14] > 0.99:
            phone = f"{phone[:-1]}{self.draw.randrange(10)}"
        if u[22] < 0.3:
            return f"+358 {phone[:2]} {phone[2:]}"
        if u[22] < 0.7:
            return f"0{phone}"
        return f"0{phone[:2]}-{phone[2:]}" if u[22] < 0.85 else f"+358{phone}"

    def _email(self, email: str, source: int, first: bool, u: Chances) -> str | None:
        if u[15] >= _STATED["email"][source]:
            return None
        if not first and u[16] < 0.12:
            name = email.split("@")[0].rstrip(string.digits)
            email = f"{name}{self.draw.randrange(1, 99)}@{self.draw.choice(DOMAINS)}"
        return mistyped(email, self.draw) if u[16] > 0.98 else email

    def _misread(self, birth: str, chance: float) -> str:
        """Another date: day and month swapped, another day, another year."""
        year, month, day = birth.split("-")
        if int(day) <= 12 and chance < 0.01:
            return f"{year}-{day}-{month}"
        if chance < 0.018:
            return f"{year}-{month}-{max(1, int(day) * 3 % 28):02d}"
        return f"{int(year) + self.draw.choice((-1, 1, 10, -10))}-{month}-{day}"


def mistyped(text: str, draw: random.Random) -> str:
    """One key wrong, missing, pressed twice, or two in the wrong order; what is shorter than three stays."""
    if len(text) < 3:
        return text
    at, slip = draw.randrange(len(text)), draw.random()
    if slip < 0.30:
        key = draw.choice(_BESIDE.get(text[at].lower(), string.ascii_lowercase))
        return text[:at] + (key.upper() if text[at].isupper() else key) + text[at + 1 :]
    if slip < 0.55:
        return text[:at] + text[at + 1 :]
    if slip < 0.75:
        return text[:at] + text[at] + text[at:]
    at = min(at, len(text) - 2)
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def _rewritten(record: Record, how: Callable[[str], str]) -> None:
    """Every word of a record, written in another way."""
    for name in _WRITTEN:
        if text := getattr(record, name):
            setattr(record, name, how(text))


if __name__ == "__main__":
    write(int(sys.argv[1]), int(sys.argv[2]), files_in(Path(sys.argv[3])))
