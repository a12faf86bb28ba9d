"""What happens in the town on one day: to people, to what DVV announces, to what the clerks write down.

Belongs here: the day's happenings, drawn from the seed and the date. Does not belong here: the state they
change (`world`, `own_register`, `dvv`). The people of the stories meet their fate on a fixed night; chance
takes about one inhabitant in a thousand a day from all the others.
"""

from collections.abc import Callable
from random import Random

from connectors.sandbox import dvv, names, own_register
from connectors.sandbox.dvv import PopulationRegister
from connectors.sandbox.founding import Founded, Story
from connectors.sandbox.own_register import PAYER, Row
from connectors.sandbox.world import Address, Person, Stay, days_after

_ADULT = 18


class Days:
    """Moves the town from one day to the next."""

    def __init__(self, town: Founded, population: PopulationRegister) -> None:
        self._town = town
        self._world = town.world
        self._register = town.register
        self._population = population
        self._night = 1
        self._minute = 0
        self._rng = Random()
        self._by_entity: dict[str, list[str]] = {}

    def pass_one(self, quiet: bool = False) -> None:
        """Live through today; tomorrow is the next night. On a quiet day nothing happens.

        Stories wait for their first day that is not quiet.
        """
        self._night += 1
        if not quiet:
            self._rng = Random(f"{self._world.seed}/{self._world.today}")
            self._minute = 0
            self._by_entity = {}
            for number, entity in self._register.entity_of.items():
                self._by_entity.setdefault(entity, []).append(number)
            self._stories()
            self._chance()
        self._world.today = days_after(self._world.today, 1)

    # --- fate ---------------------------------------------------------------------------------------

    def _stories(self) -> None:
        steps: dict[str, list[tuple[int, Callable[[Person], None]]]] = {
            "mover": [(2, self._moves)],
            "future_move": [(2, self._will_move)],
            "protection_on": [(2, self._gets_protection)],
            "death": [(2, self._dies)],
            "death_reversed": [(2, self._dies), (3, self._lives_after_all)],
            "marriage": [(2, self._takes_a_name)],
            "identity_correction": [(3, self._gets_a_new_code)],
            "payer_change": [(2, self._hands_over)],
            "e_invoice_switch": [(2, self._takes_e_invoices)],
            "own_edit": [(2, self._tells_a_phone_number)],
        }
        for story, happenings in steps.items():
            person = self._world.people[self._town.stories[story].people[0]]
            for index, (night, happen) in enumerate(happenings):
                step = (story, index)
                if night <= self._night and step not in self._town.told:
                    self._town.told.add(step)
                    happen(person)
                    break

    def _chance(self) -> None:
        rng, world = self._rng, self._world
        born_before = days_after(world.today, -_ADULT * 366)
        cast = self._town.cast
        adults = [
            p
            for i in world.inhabitants
            if i not in cast
            and (p := world.people[i]).birth_date < born_before
            and not p.death_date
        ]
        customers = [
            p
            for e in self._by_entity
            if e in world.people and e not in cast and not (p := world.people[e]).death_date
        ]
        size = len(world.inhabitants)

        def times(part: float) -> int:
            whole = part * size
            return int(whole) + (rng.random() < whole % 1)

        plan: list[tuple[float, list[Person], Callable[[Person], None]]] = [
            (0.0004, adults, self._moves),
            (0.0001, adults, self._will_move),
            (0.00005, adults, self._dies),
            (0.0001, adults, self._takes_a_name),
            (0.0001, adults, self._has_a_child),
            (0.00002, customers, self._gets_protection),
            (0.00002, customers, self._gets_a_new_code),
            (0.0001, customers, self._moves),
            (0.0002, customers, self._tells_a_phone_number),
            (0.0001, customers, self._takes_e_invoices),
            (0.00005, customers, self._hands_over),
        ]
        for part, people, happen in plan:
            for person in rng.sample(people, times(part)):
                if not person.death_date and len(person.stays) < 4:
                    happen(person)

    # --- what happens to people, as DVV tells it ------------------------------------------------------

    def _moves(self, person: Person, days_ahead: int = 0) -> None:
        """To another home, told on the day or in advance; the ended address comes in the same message."""
        today = self._world.today
        since = days_after(today, days_ahead)
        if person.stays[-1].since >= since:
            return
        home = self._free_home()
        old = person.stays[-1]._replace(until=days_after(since, -1))
        new = Stay(home, since)
        person.stays[-1:] = [old, new]
        person.post_box = "" if not days_ahead else person.post_box
        groups = [
            dvv.permanent_address(new) | {"muutosattribuutti": "LISATTY"},
            dvv.permanent_address(old) | {"muutosattribuutti": "MUUTETTU"},
        ]
        if home.office.municipality != old.address.office.municipality:
            groups.append(dvv.municipality(home, since) | {"muutosattribuutti": "LISATTY"})
        self._population.announce(today, person, groups)

    def _will_move(self, person: Person) -> None:
        self._moves(person, days_ahead=2 if person.person_id in self._town.cast else 5)

    def _free_home(self) -> Address:
        rng = self._rng
        street, swedish = rng.choice(names.BILINGUAL_STREETS)
        if rng.random() < 0.4:
            office = rng.choice(names.CITIES + names.NEIGHBOURS)
            return Address(
                street, str(rng.randrange(1, 150)), office, swedish, "B", rng.randrange(1, 80),
                building_id=self._world.minter.building_id(),
            )  # fmt: skip
        return Address(
            rng.choice(names.STREETS), f"{rng.randrange(200, 900)}", rng.choice(names.HOME),
            building_id=self._world.minter.building_id(),
        )  # fmt: skip

    def _dies(self, person: Person) -> None:
        person.death_date = days_after(self._world.today, -1)
        group = dvv.death_group(True, person.death_date) | {"muutosattribuutti": "LISATTY"}
        self._population.announce(self._world.today, person, [group])

    def _lives_after_all(self, person: Person) -> None:
        wrong = dvv.death_group(True, person.death_date) | {"muutosattribuutti": "KORJATTAVA"}
        person.death_date = ""
        right = dvv.death_group(False, "") | {"muutosattribuutti": "KORJATTU"}
        self._population.announce(self._world.today, person, [wrong, right])

    def _takes_a_name(self, person: Person) -> None:
        old, today = person.family_name, self._world.today
        person.family_name = self._rng.choice([n for n in names.SURNAMES if n != old])
        person.birth_name = person.birth_name or old
        change = {"tietoryhma": "NIMENMUUTOS", "nimi": old, "nimilaji": "EDELLINEN_SUKUNIMI"}
        groups: list[dvv.Group] = [
            dvv.name_group(person, today) | {"muutosattribuutti": "MUUTETTU"},
            change
            | {"muutosattribuutti": "LISATTY", "loppupv": {"arvo": today, "tarkkuus": "PAIVA"}},
            {
                "tietoryhma": "SIVIILISAATY",
                "muutosattribuutti": "MUUTETTU",
                "siviilisaaty": "AVIOLIITOSSA",
            },
        ]
        self._population.announce(today, person, groups)

    def _has_a_child(self, person: Person) -> None:
        """A change that is none of a water utility's business."""
        today, man = self._world.today, self._rng.random() < 0.5
        pool = names.MEN if man else names.WOMEN
        child = Person(
            person_id=f"P{len(self._world.people) + 1:06d}",
            is_man=man,
            family_name=person.family_name,
            given_names=tuple(self._rng.sample(pool, 2)),
            birth_date=today,
            identity_code=self._world.minter.identity_code(today, man),
            stays=[Stay(person.home(today), today)],
            family=[person.person_id],
        )
        self._world.admit(child)
        person.family.append(child.person_id)
        group = {"tietoryhma": "LAPSI", "muutosattribuutti": "LISATTY"}
        told = group | {"lapsi": {"henkilotunnus": child.identity_code}}
        self._population.announce(today, person, [told])

    def _gets_protection(self, person: Person) -> None:
        if person.is_protected:
            return
        self._world.protect(person)
        groups = [
            g | {"muutosattribuutti": "MUUTETTU"}
            for g in dvv.base_data(self._world, person)
            if g["tietoryhma"] in (dvv.PERMANENT, dvv.FOREIGN, "TURVAKIELTO")
        ]
        self._population.announce(self._world.today, person, groups)

    def _gets_a_new_code(self, person: Person) -> None:
        self._world.correct_code(person)
        group = dvv.code_correction(person) | {"muutosattribuutti": "LISATTY"}
        self._population.announce(self._world.today, person, [group])

    # --- what the clerks write down ---------------------------------------------------------------

    def _row_of(self, person: Person) -> Row | None:
        numbers = self._by_entity.get(person.person_id, [])
        return self._register.customers[numbers[0]] if numbers else None

    def _stamp(self) -> str:
        self._minute += 7
        clock = f"{8 + self._minute // 60 % 8:02d}:{self._minute % 60:02d}"
        return f"{own_register.finnish_date(self._world.today)} {clock}"

    def _tells_a_phone_number(self, person: Person) -> None:
        if row := self._row_of(person):
            number = f"050 555 {self._rng.randrange(10000):04d}"
            self._register.edit(row, self._stamp(), PUHELIN=number)

    def _takes_e_invoices(self, person: Person) -> None:
        row = self._row_of(person)
        if row and row["LASKUKANAVA"] != "VERKKOLASKU":
            self._register.edit(
                row,
                self._stamp(),
                LASKUKANAVA="VERKKOLASKU",
                VERKKOLASKUOSOITE=self._world.minter.iban(),
                VALITTAJA=self._rng.choice(names.E_INVOICE_OPERATORS),
            )

    def _hands_over(self, person: Person) -> None:
        """The home is sold: somebody new pays, the final invoice goes to the old payer's new address."""
        today, row = self._world.today, self._row_of(person)
        paying = [
            r
            for r in self._register.roles.values()
            if row
            and r["ASIAKASNRO"] == row["ASIAKASNRO"]
            and not r["PAATTYEN"]
            and r["ROOLI"] == PAYER
        ]
        if not paying:
            return
        self._moves(person)
        home = person.home(today)
        self._register.edit(
            paying[0],
            self._stamp(),
            PAATTYEN=own_register.finnish_date(days_after(today, -1)),
            LOPPULASKU_OSOITE=home.line(),
            LOPPULASKU_POSTINRO=home.office.code,
            LOPPULASKU_POSTITMP=home.office.name,
        )
        self._new_payer(paying[0]["KULUTUSPISTE"])

    def _new_payer(self, point_ref: str) -> None:
        """A resident who was no customer until today, written down by a clerk."""
        world, today = self._world, self._world.today
        born_before = days_after(today, -_ADULT * 366)
        while True:
            person = world.people[self._rng.choice(world.inhabitants)]
            newcomer = (
                person.person_id not in self._by_entity and person.person_id not in self._town.cast
            )
            if newcomer and person.birth_date < born_before and not person.death_date:
                break
        point = world.points[point_ref].address
        number = self._register.add_customer(
            person.person_id,
            {
                "TYYPPI": "0", "NIMI": person.name, "HETU_YTUNNUS": person.identity_code,
                "LAHIOSOITE": point.line(), "POSTINRO": point.office.code, "POSTITMP": point.office.name,
                "KIELI": person.language, "LASKUKANAVA": "PAPERI", "TURVAKIELTO": "E",
            },
            self._stamp(),
        )  # fmt: skip
        self._by_entity[person.person_id] = [number]
        if "new_customer" not in self._town.stories:
            canary = {"name": person.name, "point": point_ref}
            people = (person.person_id,)
            self._town.cast.update(people)
            self._town.stories["new_customer"] = Story(
                "new_customer", (number,), canary, self._night, people
            )
        self._register.add_role(point_ref, number, PAYER, today, self._stamp())
        old = person.stays[-1]._replace(until=days_after(today, -1))
        person.stays[-1:] = [old, Stay(point, today)]
        groups = [
            dvv.permanent_address(person.stays[-1]) | {"muutosattribuutti": "LISATTY"},
            dvv.permanent_address(old) | {"muutosattribuutti": "MUUTETTU"},
        ]
        self._population.announce(today, person, groups)
