"""A made-up Finnish population as it is: households, their people, the companies they own.

Belongs here: who lives where with whom, what is shared in a household, what hardly tells two people apart.
Does not belong here: what registers make of them (`register`), the words themselves (`names`).

Hard cases on purpose: households of one surname (three in four), a father and a son of one name, twins,
telephones and mailboxes of a household, new residents at old addresses, a property manager's telephone at
many housing companies, sole traders at home. Nobody exists: individual numbers are 900 to 999.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tests.benchmarks.names import Words, falling, words

CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"
SIGNS = {"19": "-YXWVU", "20": "ABCDEF"}
"""The signs of a century; a birthday on which a hundred are born takes the next one."""

PLAIN = str.maketrans("äöåÄÖÅéü", "aoaAOAeu")
DOMAINS = (
    *("gmail.com",) * 6, *("hotmail.com",) * 2, *("outlook.com",) * 2,
    "luukku.com", "kolumbus.fi", "elisanet.fi", "suomi24.fi", "icloud.com",
)  # fmt: skip
PREFIXES = ("40", "50", "44", "45", "41", "46")
PARTIES_PER_RECORD = 1 / 1.745
COMPANIES = 0.09
"""Their share of the parties."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_STEMS = _words("""Aho Ala Alho Anttila Elo Eskola Haapa Haka Hanka Harju Hauki Heikki Heinä Hete Hirvi Honka
Huhta Huuhka Hyvä Ihala Ilves Isokoski Jokela Joki Juho Jussi Jääs Kaar Kallio Kanto Karhu Karja Kasko
Katila Kaura Keski Kettu Kivi Koivu Kokko Korpi Koski Kotka Kuisma Kulma Kumpu Kurki Kuusi Kylä Lahde
Lampi Latva Lauri Lehti Lepo Leppä Liuha Luoma Lähde Maja Manni Marja Matti Metsä Myllä Mänty Mäki Nevala
Niemi Niitty Nurmi Ojala Oksa Olli Paasi Pajun Palo Paju Pelto Perä Pihla Pirkka Poika Puro Puusta Pyy
Päivä Raita Ranta Rauta Riihi Risti Ruoho Ruotsa Räsä Saari Salmi Salo Sand Savo Seppä Silta Sipi Sorsa
Suo Suvi Sylvä Taipale Tamme Tapa Teiva Tervo Tiaine Tikka Toiva Torppa Tuomi Turu Tuuli Tähti Uusi Vaara
Vaina Valko Vanha Varjo Vesa Viita Vilja Virta Vuori Väli Väre Yli Ylä Äijä Ääri""")
_ENDINGS = _words("""nen la lä mäki niemi lahti joki saari ranta maa vaara kangas koski salo harju pää talo lampi
puro sto sela kari vuori mies linna lin ström berg""")
_SWEDISH = _words(
    """Lind Berg Ek Söder Norr Väster Öster Sten Sjö Ny Holm Back Gran Björk Ås Hägg Forss Dal Sund Strand"""
)
_SWEDISH_ENDINGS = _words("ström man qvist blom berg roos gren holm lund vall stedt fors bäck felt")
_TRADES = _words("""Rakennus Sähkö LVI Kuljetus Konsultointi Kiinteistö Metalli Maalaus Putki Siivous Auto Metsä
Kone Catering Design Media Hoiva Ravintola Kauppa Palvelut Tekniikka Invest Holding Energia Parturi""")
_FORMS = {"Oy": 0.55, "Ab": 0.05, "Oy Ab": 0.05, "Ky": 0.07, "Tmi": 0.28}
_STREETS = _words("""koivu kuusi mänty pihlaja haapa leppä tammi vaahtera kirkko koulu asema ranta mäki niitty pelto
metsä kivi kallio lähde puro järvi saari lahti niemi joki silta mylly sepän kauppa tori puisto laakso harju
kumpu suo heinä apila orvokki kielo vuokko kanerva puolukka mustikka karpalo mansikka sieni peura hirvi
karhu susi ilves kettu jänis orava siili haukka kotka pöllö kurki joutsen sorsa lokki kiuru peippo
varpunen talvi kesä syksy kevät aurinko kuu tähti pilvi tuuli sade lumi halla usva väinö ilmari sampo louhi
aino kullervo lemmin tapio ahti vellamo""")
_ROADS = ("tie", "katu", "kuja", "polku", "rinne", "kaari")
_FLATS = "ABCDEF"
_HOUSEHOLD_SIZES = {1: 0.45, 2: 0.32, 3: 0.10, 4: 0.09, 5: 0.04}


class Address(NamedTuple):
    """Where a party is reached."""

    street: str
    house: str
    flat: str
    code: str
    office: str
    property_id: str


@dataclass(frozen=True, slots=True)
class Person:
    """household: its number, also that of its address. maiden: the surname before the marriage."""

    household: int
    given: str
    second: str
    family: str
    maiden: str | None
    birth: str
    identity_code: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True)
class Company:
    """contact: given and family name of the owner who answers; none at a housing company."""

    name: str
    business_id: str
    contact: tuple[str, str] | None
    phone: str
    email: str
    address: Address


@dataclass(frozen=True)
class Population:
    """Everybody, and where: household h lives at address h and used to live at `before(h)`."""

    persons: Sequence[Person]
    companies: Sequence[Company]
    addresses: "Addresses"


class Addresses:
    """A present and a former address for every household, as columns of numbers.

    Of the former ones 18 in a hundred are somebody else's present one.
    """

    def __init__(self, households: int, rng: np.random.Generator) -> None:
        self.households, number = households, households * 2
        self._offices = words("city").words
        sizes = falling(len(self._offices), shift=4, power=1.1)
        self._codes = [
            (f"{(at * 307 + n * 10) % 99000 + 100:05d}", at)
            for at in range(len(self._offices))
            for n in range(max(1, int(sizes[at] * 3000)))
        ]
        streets = [base + road for base in _STREETS for road in _ROADS]
        streets += [word + road for word in words("street").words for road in _ROADS[:3]]
        self._streets = [street.capitalize() for street in streets]
        code_weights = rng.dirichlet(np.full(len(self._codes), 2.0))
        street_weights = rng.dirichlet(np.full(len(streets), 0.8))
        self._code = rng.choice(len(self._codes), number, p=code_weights)
        self._street = rng.choice(len(streets), number, p=street_weights)
        self._house = np.minimum(rng.geometric(0.045, number), 180)
        self._in_flat = rng.random(number) < 0.48
        self._stair, self._flat = rng.integers(0, 6, number), rng.integers(1, 60, number)
        moved_on = np.flatnonzero(rng.random(households) < 0.18)
        others = rng.permutation(households)[moved_on]
        for column in (
            self._code, self._street, self._house, self._in_flat, self._stair, self._flat,
        ):  # fmt: skip
            column[households + moved_on] = column[others]

    def at(self, number: int) -> Address:
        """An address by its number: a household's own, or `before` of it."""
        place, house, street = self._code[number], self._house[number], self._street[number]
        code, office = self._codes[place]
        flat = ""
        if self._in_flat[number]:
            flat = f"{_FLATS[self._stair[number]]} {self._flat[number]}"
        plot = f"{office + 5}-{place % 900 + 1}-{street * 7919 % 9000 + 1}-{house}"
        return Address(self._streets[street], str(house), flat, code, self._offices[office], plot)

    def before(self, household: int) -> int:
        """The number of the address that a household has left."""
        return self.households + household


class Issued:
    """What is given to one party each: telephone numbers, mailboxes, identity codes, business ids."""

    def __init__(self, draw: random.Random) -> None:
        self._draw = draw
        self._taken: set[str] = set()
        self._born: Counter[str] = Counter()

    def phone(self) -> str:
        """A number without its leading zero; three in a thousand were somebody's before."""
        number = new_phone(self._draw, PREFIXES)
        while number in self._taken and self._draw.random() > 0.003:
            number = new_phone(self._draw, PREFIXES)
        self._taken.add(number)
        return number

    def mailbox(self, given: str, family: str) -> str:
        """A mailbox named after its owner."""
        name = f"{given.split('-')[0]}.{family}".lower().translate(PLAIN).replace("'", "")
        number = str(self._draw.randrange(1, 99)) if self._draw.random() < 0.55 else ""
        mailbox = f"{name}{number}@{self._draw.choice(DOMAINS)}"
        while mailbox in self._taken:
            mailbox = f"{name}{self._draw.randrange(1, 99999)}@{self._draw.choice(DOMAINS)}"
        self._taken.add(mailbox)
        return mailbox

    def identity_code(self, birth: str) -> str:
        """A code that nobody can have: its number is 900 to 999. Raises IndexError when a day is full."""
        rank = self._born[birth]
        self._born[birth] += 1
        year, month, day = birth.split("-")
        digits, number = f"{day}{month}{year[2:]}", f"{900 + rank * 37 % 100}"
        return f"{digits}{SIGNS[year[:2]][rank // 100]}{number}{CHECK[int(digits + number) % 31]}"

    def business_id(self) -> str:
        """A business id that stands in this register only."""
        number = self._draw.randrange(100000, 3900000)
        while f"#{number}" in self._taken:
            number = self._draw.randrange(100000, 3900000)
        self._taken.add(f"#{number}")
        return f"{number:07d}-{number % 10}"


def new_phone(draw: random.Random, prefixes: Sequence[str]) -> str:
    """Any mobile number, without its leading zero."""
    return f"{draw.choice(prefixes)}{draw.randrange(1000000, 9999999)}"


def population(records: int, rng: np.random.Generator, draw: random.Random) -> Population:
    """The parties that about so many records speak of."""
    parties = int(records * PARTIES_PER_RECORD)
    companies = int(parties * COMPANIES)
    people = parties - companies
    mean = sum(size * share for size, share in _HOUSEHOLD_SIZES.items())
    addresses = Addresses(int(people / mean * 1.02) + 10, rng)
    issued = Issued(draw)
    persons = list(_persons(people, addresses.households, issued, rng, draw))
    return Population(
        persons, list(_companies(companies, persons, addresses, issued, draw)), addresses
    )


def _surnames(people: int, draw: random.Random) -> Words:
    """Common surnames and a tail of rare ones that grows with the population."""
    common, rare = words("surname"), set[str]()
    wanted = int(min(40000, 1500 + 14 * np.sqrt(people) * 2.2))
    while len(rare) < wanted:
        if draw.random() < 0.12:
            name = draw.choice(_SWEDISH) + draw.choice(_SWEDISH_ENDINGS)
        else:
            link = draw.choice(("", "n", "s")) if draw.random() < 0.4 else ""
            name = draw.choice(_STEMS) + link + draw.choice(_ENDINGS)
            if len(rare) > 3000 and draw.random() < 0.6:
                name = draw.choice(_STEMS)[:5] + name.lower()
        rare.add(name)
    weights = np.concatenate([common.weights * 0.52, falling(wanted) * 0.48])
    return Words(common.words + sorted(rare), weights)


def _given_names(kind: str, draw: random.Random) -> Words:
    """Given names, six in a hundred of them double."""
    plain, number = words(kind), 300
    double = [f"{draw.choice(plain.words)}-{draw.choice(plain.words)}" for _ in range(number)]
    weights = np.concatenate([plain.weights * 0.94, np.full(number, 0.06 / number)])
    return Words(plain.words + double, weights)


def _drawn(from_: Words, rng: np.random.Generator, at_once: int = 100_000) -> Iterator[str]:
    """Words without end, each as often as its weight says."""
    while True:
        for code in rng.choice(len(from_.words), at_once, p=from_.weights).tolist():
            yield from_.words[code]


def _persons(
    number: int,
    households: int,
    issued: Issued,
    rng: np.random.Generator,
    draw: random.Random,
) -> Iterator[Person]:
    """The members of households, one household after the other."""
    family_names = _drawn(_surnames(number, draw), rng)
    given_names = {kind: _drawn(_given_names(kind, draw), rng) for kind in ("male", "female")}
    plain = {kind: words(kind).words for kind in ("male", "female")}
    chance = draw.random
    sizes = rng.choice(
        list(_HOUSEHOLD_SIZES), households, p=list(_HOUSEHOLD_SIZES.values())
    ).tolist()
    made = 0
    for household, size in enumerate(sizes):
        name, phone, mailbox = next(family_names), issued.phone(), ""
        year, birth, father = int(draw.gauss(1966, 17)), "", None
        for place in range(size):
            if made == number:
                return
            made += 1
            kind = ("male", "female")[place] if size > 1 and place < 2 else None
            kind = kind or ("male" if chance() < 0.5 else "female")
            later = draw.randint(-4, 4) if place < 2 else draw.randint(20, 36)
            twin = place >= 3 and chance() < 0.05
            if not twin:
                born = max(1928, min(2008, year + later))
                birth = f"{born}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
            given, second = next(given_names[kind]), next(given_names[kind])
            while second == given:
                second = draw.choice(plain[kind][:190])
            if place == 0:
                father = given if kind == "male" else None
            if place >= 2 and kind == "male" and father:
                if chance() < 0.02:
                    given = father
                elif father != given and chance() < 0.25:
                    second = father
            family = name if place == 0 or chance() < 0.78 else next(family_names)
            married = kind == "female" and place == 1 and family == name
            maiden = next(family_names) if married else None
            shared = place > 0 and (chance() < 0.12 or place >= 2 and chance() < 0.4)
            own_phone = phone if place == 0 or shared else issued.phone()
            own_mailbox = issued.mailbox(given, family)
            if place == 0:
                mailbox = own_mailbox
            elif chance() < 0.10:
                own_mailbox = mailbox
            yield Person(
                household, given, second, family, maiden, birth,
                issued.identity_code(birth), own_phone, own_mailbox,
            )  # fmt: skip


def _companies(
    number: int,
    persons: Sequence[Person],
    addresses: Addresses,
    issued: Issued,
    draw: random.Random,
) -> Iterator[Company]:
    """Housing companies, of which a manager has many, and the companies of people."""

    def anywhere() -> Address:
        return addresses.at(draw.randrange(addresses.households))

    managers = [
        (issued.phone(), f"isannointi{n}@kiinteistopalvelu{n}.fi")
        for n in range(max(2, number // 150))
    ]
    built: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _ in range(number):
        owner = draw.choice(persons)
        if draw.random() < 0.22:
            phone, email = draw.choice(managers)
            home = anywhere()
            while home.house in built[home.office, home.street]:
                home = anywhere()
            built[home.office, home.street].add(home.house)
            name, contact = f"As Oy {home.office}n {home.street} {home.house}", None
        else:
            name, core = _company_name(owner, draw)
            contact = (owner.given, owner.family)
            home = addresses.at(owner.household) if draw.random() < 0.4 else anywhere()
            phone = owner.phone if draw.random() < 0.5 else issued.phone()
            email = owner.email
            if draw.random() >= 0.3:
                email = f"info@{core.lower().translate(PLAIN)}{draw.randrange(999)}.fi"
        yield Company(name, issued.business_id(), contact, phone, email, home)


def _company_name(owner: Person, draw: random.Random) -> tuple[str, str]:
    """A name with its legal form, and the word that it is made of."""
    form = draw.choices(list(_FORMS), list(_FORMS.values()))[0]
    core = owner.family
    if draw.random() >= 0.55:
        core = draw.choice(_STEMS) + draw.choice(("", "rak", "tek", "mix", "tuote"))
    trade = draw.choice(_TRADES)
    name = f"{trade} {core}" if draw.random() < 0.6 else f"{core}n {trade}"
    in_front = form == "Tmi" or draw.random() < 0.1
    return (f"{form} {name}" if in_front else f"{name} {form}"), core
