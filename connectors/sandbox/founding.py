"""Builds the town: households, homes, companies, and the customer register as years of clerks left it.

Belongs here: who is a customer of what, and every awkwardness a real register has, each at a fixed share.
Does not belong here: how people and homes are drawn (`settlers`), how a row is typed (`clerk`), what
happens after the first night (`events`). Whatever N is
(at least 100), each kind of case exists, and the first of a kind is told about as a `Story`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from connectors.sandbox import names
from connectors.sandbox.clerk import PLAIN_LETTERS, Clerk, typed_name
from connectors.sandbox.own_register import CONTACT, HOLDER, OWNER, PAYER, OwnRegister, Row
from connectors.sandbox.ryhti_objects import Building
from connectors.sandbox.settlers import Settlers
from connectors.sandbox.world import Address, Company, Person, Stay, World, days_after

INHABITANTS_PER_CUSTOMER = 5
FEWEST_CUSTOMERS = 100

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
_DOTTED_SURNAMES = tuple(n for n in names.SURNAMES if "ä" in n or "ö" in n)


@dataclass(frozen=True)
class Story:
    """A case to follow: which own-register numbers it is about, words to look for, first night seen."""

    story: str
    customer_numbers: tuple[str, ...]
    canary: dict[str, str]
    from_night: int = 1
    people: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sale:
    """A customer's property sold to somebody, on a day; the own register has not heard of it."""

    property_id: str
    buyer: str
    on: str


@dataclass
class Founded:
    """What the founding leaves behind.

    cast: people in stories, whom chance leaves alone. told: the steps of stories that have happened.
    refused_keys: table/key → the column no hub should believe. sales: in the order they happened. buildings:
    what stands, by Ryhti's key; it is the building register's to change.
    """

    world: World
    register: OwnRegister
    stories: dict[str, Story] = field(default_factory=dict)
    cast: set[str] = field(default_factory=set)
    refused_keys: dict[str, str] = field(default_factory=dict)
    told: set[tuple[str, int]] = field(default_factory=set)
    sales: list[Sale] = field(default_factory=list)
    buildings: dict[str, Building] = field(default_factory=dict)


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
        self._settlers = Settlers(self.world, self.rng)
        self._clerk = Clerk(self.register, self._settlers, self.rng)
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

    # --- the kinds of plot; each returns how many customers it made ---------------------------------

    def _plain(self, story: str = "") -> int:
        """An owner-occupier who pays for the own home."""
        home = self._settlers.house()
        people = self._settlers.household(home)
        owner = people[0]
        tidy = bool(story)
        number = self._clerk.row(owner, tidy=tidy)
        self._clerk.connect(self._clerk.point(home), number)
        if story:
            owner.post_box = owner.called_name = ""
            night = _PLAIN_STORIES[story]
            self._tell(story, [number], [owner], night, name=owner.name, street_line=home.line())
            self.town.cast.update(p.person_id for p in people)
        return 1

    def _couple(self) -> int:
        """Two owners of one home, one of whom pays."""
        home = self._settlers.house()
        first, second, *_ = self._settlers.household(home, size=self.rng.choice((2, 2, 3, 4)))
        point = self._clerk.point(home)
        self._clerk.connect(point, self._clerk.row(first))
        self._clerk.connect(point, self._clerk.row(second), self.rng.choice((OWNER, HOLDER)))
        return 2

    def _father_and_son(self, with_codes: bool) -> int:
        home = self._settlers.house()
        father = self._settlers.person(home, is_man=True, oldest=75, youngest=52)
        given = (father.given_names[0], self.rng.choice(names.MEN))
        son = self._settlers.person(
            home, is_man=True, oldest=40, youngest=20, family_name=father.family_name, given=given
        )
        for person in (father, son):
            person.called_name = ""
        rows = [
            self._clerk.row(p, style="first", code=with_codes, tidy=True) for p in (father, son)
        ]
        self._clerk.connect(self._clerk.point(home), rows[0])
        self._clerk.connect(
            self._clerk.point(home._replace(building_id=self.world.minter.building_id())), rows[1]
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
        home = self._settlers.house()
        owner = self._settlers.person(
            home, is_man=False, family_name=self.rng.choice(_DOTTED_SURNAMES)
        )
        owner.birth_name = self.rng.choice(names.SURNAMES)
        styles = (("full", True), ("caps", True), ("initial", False), ("typo", False))
        rows = [self._clerk.row(owner, style=s, code=c, tidy=True) for s, c in styles]
        rows.append(self._clerk.row(owner, style="maiden", code=True, tidy=True))
        for i, row in enumerate(rows):
            self._clerk.connect(self._clerk.point(home if i == 0 else self._settlers.house()), row)
        self._tell("same_person", rows, [owner], name=owner.name, street_line=home.line())
        return 1

    def _one_person_two_numbers(self) -> int:
        home = self._settlers.house()
        owner = self._settlers.household(home)[0]
        styles = ["initials", "swapped", "caps", "typo", "first"] + (
            ["maiden"] if owner.birth_name else []
        )
        rows = [
            self._clerk.row(owner, style="full"),
            self._clerk.row(owner, style=self.rng.choice(styles)),
        ]
        for place, row in zip((home, self._settlers.house()), rows, strict=True):
            self._clerk.connect(self._clerk.point(place), row)
        return 1

    def _namesakes(self) -> int:
        """Two people of one name who have nothing to do with each other."""
        homes = [self._settlers.house(), self._settlers.house()]
        first = self._settlers.household(homes[0])[0]
        other = self._settlers.person(
            homes[1], is_man=first.is_man, family_name=first.family_name, given=first.given_names
        )
        rows = [self._clerk.row(p, style="full", code=True, tidy=True) for p in (first, other)]
        for home, row in zip(homes, rows, strict=True):
            self._clerk.connect(self._clerk.point(home), row)
        self._tell("namesakes", rows, [first, other], name=first.name)
        return 2

    def _landlord(self) -> Person:
        return self._settlers.household(
            self._settlers.elsewhere(swedish=False)
            if self.rng.random() < 0.6
            else self._settlers.house()
        )[0]

    def _tenancy(self) -> int:
        """The owner holds the connection, the tenant pays."""
        home = self._settlers.house()
        landlord, tenant = self._landlord(), self._settlers.household(home)[0]
        point = self._clerk.point(home)
        rows = [self._clerk.row(landlord), self._clerk.row(tenant)]
        self._clerk.connect(point, rows[0], HOLDER, OWNER)
        self._clerk.connect(point, rows[1], PAYER)
        self._tell(
            "tenant_pays", rows, [landlord, tenant], name=tenant.name, street_line=home.line()
        )
        return 2

    def _future_tenancy(self) -> int:
        """A change of tenant already written down for the third night."""
        home, change = self._settlers.house(), days_after(self.today, 2)
        landlord, leaving = self._landlord(), self._settlers.household(home, size=1)[0]
        entering = self._settlers.household(self._settlers.elsewhere(swedish=False), size=1)[0]
        entering.stays = [
            entering.stays[0]._replace(until=days_after(change, -1)),
            Stay(home, change),
        ]
        point = self._clerk.point(home)
        rows = [self._clerk.row(p, tidy=True) for p in (landlord, leaving, entering)]
        self.register.edit(
            self.register.customers[rows[2]],
            self._clerk.stamp(),
            **self._clerk.typed_address(home, "fi"),
        )
        self._clerk.connect(point, rows[0], HOLDER, OWNER)
        self._clerk.connect(point, rows[1], PAYER, until=days_after(change, -1))
        self.register.add_role(point, rows[2], PAYER, change, self._clerk.stamp())
        people = [landlord, leaving, entering]
        self._tell("future_payer", rows, people, 3, name=entering.name, point=point)
        return 3

    def _cottage(self) -> int:
        """A summer resident who lives elsewhere, often in Swedish."""
        swedish = self.rng.random() < 0.45 or "summer_resident" not in self.town.stories
        owner = self._settlers.household(self._settlers.elsewhere(swedish), swedish=swedish)[0]
        if self.rng.random() < 0.06:
            owner.summer_stay = Stay(
                self._settlers.elsewhere(swedish),
                f"{self.today[:4]}-10-01",
                f"{int(self.today[:4]) + 1}-04-30",
            )
        first = "summer_resident" not in self.town.stories
        number = self._clerk.row(owner, tidy=first)
        self._clerk.connect(self._clerk.point(self._settlers.house()), number)
        line = owner.home(self.today).line(swedish=swedish)
        self._tell("summer_resident", [number], [owner], name=owner.name, street_line=line)
        return 1

    def _company(self) -> int:
        """A company and the person it names as its contact."""
        premises, rng = self._settlers.house(), self.rng
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
                "WWW": f"www.{stem.lower().translate(PLAIN_LETTERS)}.example.fi",
            }
            | self._clerk.typed_address(premises, "fi")
            | (self._clerk.e_invoice(business) if rng.random() < 0.6 else {"LASKUKANAVA": "PAPERI"}),
            self._clerk.stamp(),
        )  # fmt: skip
        contact = self._settlers.household(self._settlers.house())[0]
        contact_row = self._clerk.row(contact)
        point = self._clerk.point(premises)
        self._clerk.connect(point, row)
        self._clerk.connect(point, contact_row, CONTACT)
        self._tell("company_contact", [row, contact_row], [contact], name=company.name)
        return 2

    def _incorporate(self, name: str, address: Address, is_housing: bool = False) -> Company:
        company_id = f"Y{len(self.world.companies) + 1:05d}"
        company = Company(company_id, name, self.world.minter.business_id(), address, is_housing)
        self.world.companies[company_id] = company
        return company

    def _housing_company(self) -> int:
        home = self._settlers.house()
        name = f"{self.rng.choice(('Asunto Oy', 'As Oy'))} Humppilan {home.street.capitalize()} {home.number}"
        company = self._incorporate(name, home, is_housing=True)
        self._housing.append(home)
        row = self.register.add_customer(
            company.company_id,
            {"TYYPPI": "2", "NIMI": name, "HETU_YTUNNUS": company.business_id, "KIELI": "fi"}
            | self._clerk.typed_address(home, "fi")
            | self._clerk.e_invoice(company.business_id),
            self._clerk.stamp(),
        )
        self._clerk.connect(self._clerk.point(home), row)
        self._tell("housing_company", [row], [], name=name)
        return 1

    def _death_estate(self) -> int:
        home = self._settlers.house()
        dead, *_ = self._settlers.household(home, size=2)
        dead.death_date = self._settlers.past_day(2024)
        dead.stays[-1] = dead.stays[-1]._replace(until=dead.death_date)
        suffix = self.rng.choice(("kp", "kuolinpesä", "kp."))
        row = self._clerk.row(
            dead, code=False, tidy=True, overrides={"NIMI": f"{typed_name(dead, 'first')} {suffix}"}
        )
        self.register.entity_of[row] = f"E{dead.person_id[1:]}"
        self._clerk.connect(self._clerk.point(home), row)
        self._tell("death_estate", [row], [dead], name=self.register.customers[row]["NIMI"])
        return 1

    def _emigrant(self) -> int:
        owner = self._settlers.person(self._settlers.abroad())
        row = self._clerk.row(owner, tidy=True)
        self._clerk.connect(self._clerk.point(self._settlers.house()), row)
        line = owner.home(self.today).line()
        self._tell("foreign_address", [row], [owner], name=owner.name, street_line=line)
        return 1

    def _protected(self, story: str, columns: Row, order: bool = True) -> int:
        home = self._settlers.house()
        owner = self._settlers.household(home)[0]
        if order:
            self.world.protect(owner)
        row = self._clerk.row(owner, tidy=True, overrides=columns)
        self._clerk.connect(self._clerk.point(home), row)
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
        return self._protected("protected_e_invoice", {"TURVAKIELTO": ""} | self._clerk.e_invoice())

    def _protected_on_paper(self) -> int:
        return self._protected("protected_without_route", {"TURVAKIELTO": ""})

    def _protected_by_own_word(self) -> int:
        """Only the customer told us, and the clerk was not sure how to write it."""
        return self._protected("protected_unclear", {"TURVAKIELTO": "?"}, order=False)

    def _former_payer(self) -> int:
        home = self._settlers.house()
        current = self._settlers.household(home)[0]
        former = self._settlers.household(self._settlers.elsewhere(swedish=False))[0]
        ended = self._settlers.past_day(2022)
        point = self._clerk.point(home)
        rows = [self._clerk.row(former), self._clerk.row(current)]
        _, paying = self._clerk.connect(point, rows[0], HOLDER, PAYER, until=ended)
        final = former.home(self.today)
        self.register.edit(
            self.register.roles[paying],
            self._clerk.stamp(),
            LOPPULASKU_OSOITE=final.line(),
            LOPPULASKU_POSTINRO=final.office.code,
            LOPPULASKU_POSTITMP=final.office.name,
        )
        self._clerk.connect(point, rows[1])
        self._tell("former_payer", rows, [former, current], name=former.name)
        return 2

    def _old_address(self) -> int:
        """DVV knows a newer address than the register does."""
        old, home = self._settlers.elsewhere(swedish=False), self._settlers.house()
        owner = self._settlers.household(home)[0]
        owner.stays = [Stay(home, f"{self.today[:4]}-03-01")]  # no clerk has typed since last year
        row = self._clerk.row(owner, tidy=True, address=old)
        self._clerk.connect(self._clerk.point(home), row)
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
        home = self._settlers.house()
        owner = self._settlers.household(home)[0]
        row = self._clerk.row(owner, tidy=True)
        spoil(self.register.customers[row], self._clerk.connect(self._clerk.point(home), row))
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
            people = self._settlers.household(
                home, size=min(room, self.rng.choice((1, 1, 2, 2, 3, 4)))
            )
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
            number = self._clerk.row(person, style="full")
            line = person.home(self.today).line()
            self._tell("non_customer", [number], [person], name=person.name, street_line=line)
