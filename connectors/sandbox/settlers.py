"""Homes and the people who live in them, drawn from one generator.

Belongs here: new houses and flats, new persons and families. Does not belong here: who of them is a
customer (`founding`), what any register makes of them (`clerk`, `dvv`).
"""

from random import Random

from connectors.sandbox import names
from connectors.sandbox.world import Address, Person, Stay, World, days_after


class Settlers:
    """Settles people in and out of town; the order of calls decides who comes."""

    def __init__(self, world: World, rng: Random) -> None:
        self._rng = rng
        self.world = world
        self.today = world.today
        self._houses = 0

    def house(self) -> Address:
        """The next house in the municipality, each on a number of its own."""
        street = self._houses % len(names.STREETS)
        number = 1 + self._houses // len(names.STREETS) * 2 + street % 2
        self._houses += 1
        letter = "a" if self._rng.random() < 0.05 else ""
        return Address(
            names.STREETS[street],
            f"{number}{letter}",
            names.HOME[street % 5 == 4],
            building_id=self.world.minter.building_id(),
        )

    def elsewhere(self, swedish: bool) -> Address:
        """A home out of town, in a bilingual city if Swedish is spoken."""
        office = self._rng.choice(
            names.CITIES if swedish or self._rng.random() < 0.5 else names.NEIGHBOURS
        )
        street, street_sv = self._rng.choice(names.BILINGUAL_STREETS)
        stair, flat = (
            ("ABC"[self._rng.randrange(3)], self._rng.randrange(1, 60))
            if office.code < "29"
            else ("", 0)
        )
        return Address(
            street, str(self._rng.randrange(1, 120)), office, street_sv, stair, flat,
            "b" if flat and self._rng.random() < 0.05 else "", self.world.minter.building_id(),
        )  # fmt: skip

    def abroad(self) -> Address:
        """A home abroad."""
        country, numeric, own_name, street, code, city = self._rng.choice(names.ABROAD)
        office = names.PostOffice(code, city, city, numeric)
        return Address(
            f"{street} {self._rng.randrange(1, 90)}", "", office, own_name, country=country
        )

    def _born(self, oldest: int, youngest: int) -> str:
        year = self._rng.randrange(int(self.today[:4]) - oldest, int(self.today[:4]) - youngest)
        return days_after(f"{year}-01-01", self._rng.randrange(364))

    def past_day(self, first_year: int = 1996) -> str:
        """A day before this year, none earlier than `first_year`."""
        return days_after(
            f"{first_year}-01-02", self._rng.randrange(365 * (int(self.today[:4]) - first_year))
        )

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
        rng = self._rng
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
            stays=[Stay(home, max(born, self.past_day()))],
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
        rng = self._rng
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
