"""Builds the town: households, homes, companies, and the customer register as years of clerks left it.

Belongs here: who lives where, who is a customer of what, and every awkwardness a real register has, each
at a fixed share. Does not belong here: what happens after the first night (`events`). Whatever N is
(at least 100), each kind of case exists, and the first of a kind is told about as a `Story`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from connectors.sandbox import names, own_register
from connectors.sandbox.own_register import CONTACT, HOLDER, OWNER, PAYER, OwnRegister, Row
from connectors.sandbox.world import Address, Company, Person, Point, Stay, World, days_after

INHABITANTS_PER_CUSTOMER = 5
FEWEST_CUSTOMERS = 100

_REMARKS = (
    "koira pihalla",
    "soita ennen käyntiä",
    "vanha mittari",
    "avain naapurissa",
    "laskutus sovittu",
)


@dataclass(frozen=True)
class Story:
    """A case to follow: which own-register numbers it is about, words to look for, first night seen."""

    story: str
    customer_numbers: tuple[str, ...]
    canary: dict[str, str]
    from_night: int = 1
    people: tuple[str, ...] = ()


@dataclass
class Founded:
    """What the founding leaves behind.

    cast: people in stories, whom chance leaves alone. told: the steps of stories that have happened.
    refused_keys: table/key → the column no hub should believe.
    """

    world: World
    register: OwnRegister
    stories: dict[str, Story] = field(default_factory=dict)
    cast: set[str] = field(default_factory=set)
    refused_keys: dict[str, str] = field(default_factory=dict)
    told: set[tuple[str, int]] = field(default_factory=set)


def found(seed: int, customers: int, today: str) -> Founded:
    """The town on its first night: `customers` parties with a role, five times as many inhabitants."""
    if customers < FEWEST_CUSTOMERS:
        raise ValueError(
            f"the sandbox needs at least {FEWEST_CUSTOMERS} customers, not {customers}"
        )
    return _Founder(seed, customers, today).town


class _Founder:
    def __init__(self, seed: int, customers: int, today: str) -> None:
        self.rng = Random(f"{seed}/founding")
        self.today = today
        self.world = World(seed, today)
        self.register = OwnRegister()
        self.town = Founded(self.world, self.register)
        self._houses = 0
        self._housing: list[Address] = []
        self._build(customers)

    # --- the plan ---------------------------------------------------------------------------------

    def _build(self, customers: int) -> None:
        def share(part: float, least: int) -> int:
            return max(least, round(part * customers))

        plan: list[tuple[Callable[[], int], int]] = [
            (self._father_and_son_with_codes, share(0.005, 1)),
            (self._father_and_son_without_codes, share(0.005, 1)),
            (self._one_person_four_numbers, share(0.004, 1)),
            (self._one_person_two_numbers, share(0.04, 3)),
            (self._namesakes, share(0.008, 1)),
            (self._tenancy, share(0.04, 3)),
            (self._future_tenancy, 1),
            (self._cottage, share(0.08, 5)),
            (self._company, share(0.025, 2)),
            (self._housing_company, share(0.025, 3)),
            (self._death_estate, share(0.01, 1)),
            (self._emigrant, share(0.004, 1)),
            (self._protected_with_contact_address, share(0.003, 1)),
            (self._protected_with_e_invoice, share(0.003, 1)),
            (self._protected_on_paper, share(0.002, 1)),
            (self._protected_by_own_word, share(0.001, 1)),
            (self._former_payer, share(0.02, 2)),
            (self._old_address, share(0.03, 3)),
            (self._thirteen_digits, share(0.001, 1)),
            (self._malformed_code, share(0.001, 1)),
            (self._wrong_check_character, share(0.001, 1)),
            (self._unreadable_date, share(0.001, 1)),
        ]
        plots = [maker for maker, count in plan for _ in range(count)]
        plots += [partial(self._plain, story) for story in _PLAIN_STORIES]
        self.rng.shuffle(plots)
        made = sum(maker() for maker in plots)
        while made < customers - 1:
            made += self._couple() if self.rng.random() < 0.15 else self._plain()
        while made < customers:
            made += self._plain()
        self._fill_flats(INHABITANTS_PER_CUSTOMER * customers)
        self._enquirers(share(0.02, 3))

    def _tell(
        self,
        story: str,
        numbers: list[str],
        people: list[Person],
        from_night: int = 1,
        **canary: str,
    ) -> None:
        if story not in self.town.stories:
            ids = tuple(p.person_id for p in people)
            self.town.stories[story] = Story(story, tuple(numbers), canary, from_night, ids)
            self.town.cast.update(ids)

    # --- places and people ------------------------------------------------------------------------

    def _house(self) -> Address:
        """The next house in the municipality, each on a number of its own."""
        street = self._houses % len(names.STREETS)
        number = 1 + self._houses // len(names.STREETS) * 2 + street % 2
        self._houses += 1
        letter = "a" if self.rng.random() < 0.05 else ""
        return Address(
            names.STREETS[street],
            f"{number}{letter}",
            names.HOME[street % 5 == 4],
            building_id=self.world.minter.building_id(),
        )

    def _elsewhere(self, swedish: bool) -> Address:
        office = self.rng.choice(
            names.CITIES if swedish or self.rng.random() < 0.5 else names.NEIGHBOURS
        )
        street, street_sv = self.rng.choice(names.BILINGUAL_STREETS)
        stair, flat = (
            ("ABC"[self.rng.randrange(3)], self.rng.randrange(1, 60))
            if office.code < "29"
            else ("", 0)
        )
        return Address(
            street, str(self.rng.randrange(1, 120)), office, street_sv, stair, flat,
            "b" if flat and self.rng.random() < 0.05 else "", self.world.minter.building_id(),
        )  # fmt: skip

    def _abroad(self) -> Address:
        country, numeric, own_name, street, code, city = self.rng.choice(names.ABROAD)
        office = names.PostOffice(code, city, city, numeric)
        return Address(
            f"{street} {self.rng.randrange(1, 90)}", "", office, own_name, country=country
        )

    def _born(self, oldest: int, youngest: int) -> str:
        year = self.rng.randrange(int(self.today[:4]) - oldest, int(self.today[:4]) - youngest)
        return days_after(f"{year}-01-01", self.rng.randrange(364))

    def _past_day(self, first_year: int = 1996) -> str:
        return days_after(f"{first_year}-01-02", self.rng.randrange(365 * (2026 - first_year)))

    def _stamp(self) -> str:
        """A moment some clerk last touched a row, as the export prints it."""
        day = own_register.finnish_date(self._past_day(2012))
        return f"{day} {self.rng.randrange(8, 16):02d}:{self.rng.randrange(60):02d}"

    def person(
        self,
        home: Address,
        *,
        oldest: int = 88,
        youngest: int = 24,
        is_man: bool | None = None,
        family_name: str = "",
        given: tuple[str, ...] = (),
        swedish: bool = False,
    ) -> Person:
        """Somebody new, living at `home`."""
        rng = self.rng
        man = rng.random() < 0.5 if is_man is None else is_man
        if swedish:
            pool = names.SWEDISH_MEN if man else names.SWEDISH_WOMEN
            family = family_name or rng.choice(names.SWEDISH_SURNAMES)
        else:
            pool = names.MEN if man else names.WOMEN
            family = family_name or rng.choice(names.SURNAMES)
        born = self._born(oldest, youngest)
        given = given or tuple(rng.sample(pool, 3 if rng.random() < 0.3 else 2))
        person = Person(
            person_id=f"P{len(self.world.people) + 1:06d}",
            is_man=man,
            family_name=family,
            given_names=given,
            birth_date=born,
            identity_code=self.world.minter.identity_code(born, man),
            stays=[Stay(home, max(born, self._past_day()))],
            language="sv" if swedish else "fi",
        )
        if len(given) > 1 and rng.random() < 0.15:
            person.called_name = given[1]
        if rng.random() < 0.015 and home.office.municipality == names.HOME_MUNICIPALITY:
            person.post_box = f"PL {rng.randrange(2, 90)}"
        if home.office.municipality == names.HOME_MUNICIPALITY:
            self.world.inhabitants.append(person.person_id)
        return self.world.admit(person)

    def household(self, home: Address, *, size: int = 0, swedish: bool = False) -> list[Person]:
        """A family of one to five at one address; the first is of age."""
        rng = self.rng
        size = size or rng.choices((1, 2, 3, 4, 5), (28, 36, 14, 15, 7))[0]
        head = self.person(home, swedish=swedish)
        members = [head]
        if size > 1:
            shared = rng.random() < 0.75
            spouse = self.person(
                home, is_man=not head.is_man, swedish=swedish,
                family_name=head.family_name if shared else "",
            )  # fmt: skip
            if shared:
                wife = head if not head.is_man else spouse
                wife.birth_name = rng.choice(names.SWEDISH_SURNAMES if swedish else names.SURNAMES)
            members.append(spouse)
        for _ in range(size - 2):
            members.append(
                self.person(
                    home, oldest=19, youngest=0, family_name=head.family_name, swedish=swedish
                )
            )
        for member in members:
            member.family = [m.person_id for m in members if m is not member]
        return members

    # --- the register's rows ----------------------------------------------------------------------

    def _point(self, address: Address) -> str:
        rng = self.rng
        point_ref = str(100001 + len(self.world.points))
        property_id = self.world.minter.property_id()
        self.world.points[point_ref] = Point(point_ref, property_id, address)
        shown = property_id
        if rng.random() < 0.4:
            parts = (property_id[:3], property_id[3:6], property_id[6:10], property_id[10:])
            shown = "-".join(str(int(p)) for p in parts)
        yearly = rng.randrange(200, 3000)
        return self.register.add_point(
            {
                "KULUTUSPISTE": point_ref,
                "KIINTEISTOTUNNUS": shown,
                "RAKENNUSTUNNUS": address.building_id if rng.random() < 0.85 else "",
                "OSOITE": address.line(),
                "POSTINRO": address.office.code,
                "POSTITMP": address.office.name,
                "VUOSIARVIO_M3": f"{yearly // 10},{yearly % 10}",
            },
            self._stamp(),
        )

    def _row(
        self, person: Person, *, style: str = "", code: bool | None = None, tidy: bool = False,
        address: Address | None = None, overrides: Row | None = None,
    ) -> str:  # fmt: skip
        """A customer row for somebody, as a clerk would have typed it; `tidy` leaves chance out."""
        rng = self.rng
        known = True if tidy else rng.random() < 0.88
        values = {
            "TYYPPI": "0",
            "NIMI": typed_name(person, style or ("full" if tidy else self._style())),
            "HETU_YTUNNUS": person.identity_code if (known if code is None else code) else "",
            "KIELI": person.language,
            "TURVAKIELTO": "E" if rng.random() < 0.6 else "",
        }
        values |= self._typed_address(address or person.home(self.today), person.language, tidy)
        values |= self._contact_details(person)
        values |= self._channel(person, tidy)
        return self.register.add_customer(
            person.person_id, values | (overrides or {}), self._stamp()
        )

    def _style(self) -> str:
        return self.rng.choices(("full", "first", "initial", "caps", "swapped"), (52, 36, 5, 5, 2))[
            0
        ]

    def _typed_address(self, address: Address, language: str, tidy: bool = True) -> Row:
        office = address.office.swedish if language == "sv" else address.office.name
        line = address.line(swedish=language == "sv" and address.country == "FI")
        if not tidy and self.rng.random() < 0.08:
            line = line.upper() if self.rng.random() < 0.5 else line.replace("tie ", "t. ")
        if not tidy and address.apartment and self.rng.random() < 0.2:
            line = line.replace(f" {address.apartment}", f" as. {address.apartment}")
        return {
            "LAHIOSOITE": line,
            "POSTINRO": address.office.code,
            "POSTITMP": office if tidy or self.rng.random() < 0.7 else office.capitalize(),
            "MAA": address.country if address.country != "FI" or self.rng.random() < 0.5 else "",
        }

    def _contact_details(self, person: Person) -> Row:
        rng = self.rng
        last = rng.randrange(10000)
        phone = rng.choice((f"050 555 {last:04d}", f"+35850555{last:04d}", f"050555{last:04d}", ""))
        mail = ""
        if rng.random() < 0.5:
            mail = f"{person.given_names[0]}.{person.family_name}@example.invalid".lower()
            mail = mail.translate(_PLAIN_LETTERS)
        return {
            "PUHELIN": phone,
            "SAHKOPOSTI": mail,
            "LISATIETO": rng.choice(_REMARKS) if rng.random() < 0.15 else "",
            "TILINUMERO": self.world.minter.iban() if rng.random() < 0.3 else "",
        }

    def _channel(self, person: Person, tidy: bool) -> Row:
        draw = 0.0 if tidy else self.rng.random()
        if draw < 0.55:
            return {"LASKUKANAVA": "PAPERI"}
        if draw < 0.85:
            return self.e_invoice()
        number = self.rng.randrange(1000)
        mail = f"{person.given_names[0]}.{number}@example.fi".lower().translate(_PLAIN_LETTERS)
        return {"LASKUKANAVA": "SAHKOPOSTI", "SAHKOPOSTI": mail}

    def e_invoice(self, business_id: str = "") -> Row:
        """The columns of somebody who takes e-invoices."""
        address = f"0037{business_id.replace('-', '')}" if business_id else self.world.minter.iban()
        return {
            "LASKUKANAVA": "VERKKOLASKU",
            "VERKKOLASKUOSOITE": address,
            "VALITTAJA": self.rng.choice(names.E_INVOICE_OPERATORS),
        }

    def _connect(self, point: str, customer: str, *roles: str, until: str = "") -> list[str]:
        since = (
            self._past_day(2000) if not until else days_after(until, -self.rng.randrange(400, 4000))
        )
        return [
            self.register.add_role(point, customer, role, since, self._stamp(), until)
            for role in roles or (HOLDER, PAYER)
        ]

    # --- the kinds of plot; each returns how many customers it made ---------------------------------

    def _plain(self, story: str = "") -> int:
        """An owner-occupier who pays for the own home."""
        home = self._house()
        people = self.household(home)
        owner = people[0]
        tidy = bool(story)
        number = self._row(owner, tidy=tidy)
        self._connect(self._point(home), number)
        if story:
            owner.post_box = owner.called_name = ""
            night = _PLAIN_STORIES[story]
            self._tell(story, [number], [owner], night, name=owner.name, street_line=home.line())
            self.town.cast.update(p.person_id for p in people)
        return 1

    def _couple(self) -> int:
        """Two owners of one home, one of whom pays."""
        home = self._house()
        first, second, *_ = self.household(home, size=self.rng.choice((2, 2, 3, 4)))
        point = self._point(home)
        self._connect(point, self._row(first))
        self._connect(point, self._row(second), self.rng.choice((OWNER, HOLDER)))
        return 2

    def _father_and_son(self, with_codes: bool) -> int:
        home = self._house()
        father = self.person(home, is_man=True, oldest=75, youngest=52)
        given = (father.given_names[0], self.rng.choice(names.MEN))
        son = self.person(
            home, is_man=True, oldest=40, youngest=20, family_name=father.family_name, given=given
        )
        for person in (father, son):
            person.called_name = ""
        rows = [self._row(p, style="first", code=with_codes, tidy=True) for p in (father, son)]
        self._connect(self._point(home), rows[0])
        self._connect(
            self._point(home._replace(building_id=self.world.minter.building_id())), rows[1]
        )
        kind = "father_and_son" if with_codes else "father_and_son_without_codes"
        self._tell(
            kind, rows, [father, son], name=typed_name(father, "first"), street_line=home.line()
        )
        return 2

    def _father_and_son_with_codes(self) -> int:
        return self._father_and_son(with_codes=True)

    def _father_and_son_without_codes(self) -> int:
        return self._father_and_son(with_codes=False)

    def _one_person_four_numbers(self) -> int:
        """One woman four times in the register, each time typed by somebody else."""
        home = self._house()
        owner = self.person(home, is_man=False, family_name=self.rng.choice(_DOTTED_SURNAMES))
        owner.birth_name = self.rng.choice(names.SURNAMES)
        styles = (("full", True), ("caps", True), ("initial", False), ("typo", False))
        rows = [self._row(owner, style=s, code=c, tidy=True) for s, c in styles]
        rows.append(self._row(owner, style="maiden", code=True, tidy=True))
        for i, row in enumerate(rows):
            self._connect(self._point(home if i == 0 else self._house()), row)
        self._tell("same_person", rows, [owner], name=owner.name, street_line=home.line())
        return 1

    def _one_person_two_numbers(self) -> int:
        home = self._house()
        owner = self.household(home)[0]
        styles = ["initials", "swapped", "caps", "typo", "first"] + (
            ["maiden"] if owner.birth_name else []
        )
        rows = [self._row(owner, style="full"), self._row(owner, style=self.rng.choice(styles))]
        for place, row in zip((home, self._house()), rows, strict=True):
            self._connect(self._point(place), row)
        return 1

    def _namesakes(self) -> int:
        """Two people of one name who have nothing to do with each other."""
        homes = [self._house(), self._house()]
        first = self.household(homes[0])[0]
        other = self.person(
            homes[1], is_man=first.is_man, family_name=first.family_name, given=first.given_names
        )
        rows = [self._row(p, style="full", code=True, tidy=True) for p in (first, other)]
        for home, row in zip(homes, rows, strict=True):
            self._connect(self._point(home), row)
        self._tell("namesakes", rows, [first, other], name=first.name)
        return 2

    def _landlord(self) -> Person:
        return self.household(
            self._elsewhere(swedish=False) if self.rng.random() < 0.6 else self._house()
        )[0]

    def _tenancy(self) -> int:
        """The owner holds the connection, the tenant pays."""
        home = self._house()
        landlord, tenant = self._landlord(), self.household(home)[0]
        point = self._point(home)
        rows = [self._row(landlord), self._row(tenant)]
        self._connect(point, rows[0], HOLDER, OWNER)
        self._connect(point, rows[1], PAYER)
        self._tell(
            "tenant_pays", rows, [landlord, tenant], name=tenant.name, street_line=home.line()
        )
        return 2

    def _future_tenancy(self) -> int:
        """A change of tenant already written down for the third night."""
        home, change = self._house(), days_after(self.today, 2)
        landlord, leaving = self._landlord(), self.household(home, size=1)[0]
        entering = self.household(self._elsewhere(swedish=False), size=1)[0]
        entering.stays = [
            entering.stays[0]._replace(until=days_after(change, -1)),
            Stay(home, change),
        ]
        point = self._point(home)
        rows = [self._row(p, tidy=True) for p in (landlord, leaving, entering)]
        self.register.edit(
            self.register.customers[rows[2]], self._stamp(), **self._typed_address(home, "fi")
        )
        self._connect(point, rows[0], HOLDER, OWNER)
        self._connect(point, rows[1], PAYER, until=days_after(change, -1))
        self.register.add_role(point, rows[2], PAYER, change, self._stamp())
        people = [landlord, leaving, entering]
        self._tell("future_payer", rows, people, 3, name=entering.name, point=point)
        return 3

    def _cottage(self) -> int:
        """A summer resident who lives elsewhere, often in Swedish."""
        swedish = self.rng.random() < 0.45 or "summer_resident" not in self.town.stories
        owner = self.household(self._elsewhere(swedish), swedish=swedish)[0]
        if self.rng.random() < 0.06:
            owner.summer_stay = Stay(self._elsewhere(swedish), "2026-10-01", "2027-04-30")
        first = "summer_resident" not in self.town.stories
        number = self._row(owner, tidy=first)
        self._connect(self._point(self._house()), number)
        line = owner.home(self.today).line(swedish=swedish)
        self._tell("summer_resident", [number], [owner], name=owner.name, street_line=line)
        return 1

    def _company(self) -> int:
        """A company and the person it names as its contact."""
        premises, rng = self._house(), self.rng
        stem, trade = rng.choice(names.COMPANY_STEMS), rng.choice(names.COMPANY_TRADES)
        form = rng.choice(("Oy", "Oy", "Ky", "Tmi"))
        company = self._incorporate(
            f"{trade} {stem} {len(self.world.companies) + 1} {form}", premises
        )
        business = company.business_id
        row = self.register.add_customer(
            company.company_id,
            {
                "TYYPPI": "2", "NIMI": company.name, "HETU_YTUNNUS": business, "KIELI": "fi",
                "WWW": f"www.{stem.lower().translate(_PLAIN_LETTERS)}.example.fi",
            }
            | self._typed_address(premises, "fi")
            | (self.e_invoice(business) if rng.random() < 0.6 else {"LASKUKANAVA": "PAPERI"}),
            self._stamp(),
        )  # fmt: skip
        contact = self.household(self._house())[0]
        contact_row = self._row(contact)
        point = self._point(premises)
        self._connect(point, row)
        self._connect(point, contact_row, CONTACT)
        self._tell("company_contact", [row, contact_row], [contact], name=company.name)
        return 2

    def _incorporate(self, name: str, address: Address, is_housing: bool = False) -> Company:
        company_id = f"Y{len(self.world.companies) + 1:05d}"
        company = Company(company_id, name, self.world.minter.business_id(), address, is_housing)
        self.world.companies[company_id] = company
        return company

    def _housing_company(self) -> int:
        home = self._house()
        name = f"{self.rng.choice(('Asunto Oy', 'As Oy'))} Humppilan {home.street.capitalize()} {home.number}"
        company = self._incorporate(name, home, is_housing=True)
        self._housing.append(home)
        row = self.register.add_customer(
            company.company_id,
            {"TYYPPI": "2", "NIMI": name, "HETU_YTUNNUS": company.business_id, "KIELI": "fi"}
            | self._typed_address(home, "fi")
            | self.e_invoice(company.business_id),
            self._stamp(),
        )
        self._connect(self._point(home), row)
        self._tell("housing_company", [row], [], name=name)
        return 1

    def _death_estate(self) -> int:
        home = self._house()
        dead, *_ = self.household(home, size=2)
        dead.death_date = self._past_day(2024)
        dead.stays[-1] = dead.stays[-1]._replace(until=dead.death_date)
        suffix = self.rng.choice(("kp", "kuolinpesä", "kp."))
        row = self._row(
            dead, code=False, tidy=True, overrides={"NIMI": f"{typed_name(dead, 'first')} {suffix}"}
        )
        self.register.entity_of[row] = f"E{dead.person_id[1:]}"
        self._connect(self._point(home), row)
        self._tell("death_estate", [row], [dead], name=self.register.customers[row]["NIMI"])
        return 1

    def _emigrant(self) -> int:
        owner = self.person(self._abroad())
        row = self._row(owner, tidy=True)
        self._connect(self._point(self._house()), row)
        line = owner.home(self.today).line()
        self._tell("foreign_address", [row], [owner], name=owner.name, street_line=line)
        return 1

    def _protected(self, story: str, columns: Row, order: bool = True) -> int:
        home = self._house()
        owner = self.household(home)[0]
        if order:
            self.world.protect(owner)
        row = self._row(owner, tidy=True, overrides=columns)
        self._connect(self._point(home), row)
        self._tell(story, [row], [owner], name=owner.name, street_line=home.line())
        return 1

    def _protected_with_contact_address(self) -> int:
        contact = {
            "TURVAKIELTO": self.rng.choice(("K", "")),
            "YHTEYSOSOITE": f"PL {self.rng.randrange(100, 400)}",
            "YHTEYSPOSTINRO": names.HOME_BOXES.code,
            "YHTEYSPOSTITMP": names.HOME_BOXES.name,
        }
        return self._protected("protected", contact)

    def _protected_with_e_invoice(self) -> int:
        return self._protected("protected_e_invoice", {"TURVAKIELTO": ""} | self.e_invoice())

    def _protected_on_paper(self) -> int:
        return self._protected("protected_without_route", {"TURVAKIELTO": ""})

    def _protected_by_own_word(self) -> int:
        """Only the customer told us, and the clerk was not sure how to write it."""
        return self._protected("protected_unclear", {"TURVAKIELTO": "?"}, order=False)

    def _former_payer(self) -> int:
        home = self._house()
        current = self.household(home)[0]
        former = self.household(self._elsewhere(swedish=False))[0]
        ended = self._past_day(2022)
        point = self._point(home)
        rows = [self._row(former), self._row(current)]
        _, paying = self._connect(point, rows[0], HOLDER, PAYER, until=ended)
        final = former.home(self.today)
        self.register.edit(
            self.register.roles[paying],
            self._stamp(),
            LOPPULASKU_OSOITE=final.line(),
            LOPPULASKU_POSTINRO=final.office.code,
            LOPPULASKU_POSTITMP=final.office.name,
        )
        self._connect(point, rows[1])
        self._tell("former_payer", rows, [former, current], name=former.name)
        return 2

    def _old_address(self) -> int:
        """DVV knows a newer address than the register does."""
        old, home = self._elsewhere(swedish=False), self._house()
        owner = self.household(home)[0]
        row = self._row(owner, tidy=True, address=old)
        self._connect(self._point(home), row)
        self._tell(
            "old_address",
            [row],
            [owner],
            name=owner.name,
            old_line=old.line(),
            new_line=home.line(),
        )
        return 1

    def _refused(self, story: str, spoil: Callable[[Row, list[str]], None]) -> int:
        home = self._house()
        owner = self.household(home)[0]
        row = self._row(owner, tidy=True)
        spoil(self.register.customers[row], self._connect(self._point(home), row))
        self._tell(story, [row], [owner], name=owner.name)
        return 1

    def _thirteen_digits(self) -> int:
        def spoil(row: Row, _: list[str]) -> None:
            row["POSTINRO"] = f"{row['POSTINRO']}00000000"
            self.town.refused_keys[f"asiakkaat/{row['ASIAKASNRO']}"] = "POSTINRO"

        return self._refused("refused_row", spoil)

    def _malformed_code(self) -> int:
        def spoil(row: Row, _: list[str]) -> None:
            row["HETU_YTUNNUS"] = row["HETU_YTUNNUS"][:9]
            self.town.refused_keys[f"asiakkaat/{row['ASIAKASNRO']}"] = "HETU_YTUNNUS"

        return self._refused("malformed_code", spoil)

    def _wrong_check_character(self) -> int:
        def spoil(row: Row, _: list[str]) -> None:
            code = row["HETU_YTUNNUS"]
            row["HETU_YTUNNUS"] = code[:-1] + ("7" if code[-1] != "7" else "8")
            self.town.refused_keys[f"asiakkaat/{row['ASIAKASNRO']}"] = "HETU_YTUNNUS"

        return self._refused("wrong_check_character", spoil)

    def _unreadable_date(self) -> int:
        def spoil(_: Row, roles: list[str]) -> None:
            self.register.roles[roles[-1]]["ALKAEN"] = "31.02.2019"
            self.town.refused_keys[f"roolit/{roles[-1]}"] = "ALKAEN"

        return self._refused("unreadable_date", spoil)

    # --- everybody else ---------------------------------------------------------------------------

    def _fill_flats(self, inhabitants: int) -> None:
        """Housing companies' residents: not customers, nothing of them may remain anywhere."""
        flat = 0
        while len(self.world.inhabitants) < inhabitants:
            building = self._housing[flat % len(self._housing)]
            number = flat // len(self._housing) + 1
            room = inhabitants - len(self.world.inhabitants)
            home = building._replace(stair="ABCDEFGH"[number // 12 % 8], apartment=number)
            people = self.household(home, size=min(room, self.rng.choice((1, 1, 2, 2, 3, 4))))
            if flat % 150 == 9:
                self.world.protect(people[0])
            flat += 1

    def _enquirers(self, count: int) -> None:
        """People who once asked something and have a row but no role: not customers either."""
        residents = [
            p
            for p in self.world.inhabitants[-count * 12 :]
            if self.world.people[p].birth_date < "2000"
        ]
        for person_id in self.rng.sample(residents, min(count, len(residents))):
            person = self.world.people[person_id]
            number = self._row(person, style="full")
            line = person.home(self.today).line()
            self._tell("non_customer", [number], [person], name=person.name, street_line=line)


_PLAIN_STORIES = {
    "mover": 2,
    "future_move": 3,
    "protection_on": 2,
    "death": 2,
    "death_reversed": 3,
    "marriage": 2,
    "identity_correction": 3,
    "payer_change": 2,
    "e_invoice_switch": 2,
    "own_edit": 2,
}
_PLAIN_LETTERS = str.maketrans("äöåéü- ", "aoaeu--")
_DOTTED_SURNAMES = tuple(n for n in names.SURNAMES if "ä" in n or "ö" in n)


def typed_name(person: Person, style: str) -> str:
    """A person's name the way some clerk typed it."""
    family, given = person.family_name, person.given_names
    if style == "first":
        return f"{family} {person.called_name or given[0]}"
    if style == "initial":
        return " ".join((family, given[0], *(g[0] for g in given[1:])))
    if style == "initials":
        return f"{family} {' '.join(f'{g[0]}.' for g in given)}"
    if style == "caps":
        return person.name.upper()
    if style == "swapped":
        return f"{given[0]} {family}"
    if style == "maiden":
        return f"{person.birth_name} {' '.join(given)}"
    if style == "typo":
        return person.name.translate(str.maketrans("äöåÄÖÅ", "aoaAOA"))
    return person.name
