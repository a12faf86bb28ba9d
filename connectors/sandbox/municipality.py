"""The municipality's registers: residents, properties and owners, their nightly drop, the returns it takes.

Belongs here: what the municipality believes, which is newer or older than what others do, and how it is
written. Does not belong here: what is so (`world`), where files lie (`exchange`), spoiled drops (`faults`).
Our own design: a full snapshot as `;`-separated UTF-8 files with CRLF under the municipality's own keys,
and a `valmis_` file last. Everybody in town is in it; who of them is a customer it does not know.
"""

from collections.abc import Iterator

from connectors.sandbox import faults
from connectors.sandbox.finance import Delivery
from connectors.sandbox.founding import Story
from connectors.sandbox.names import HOME, STREETS
from connectors.sandbox.own_register import HOLDER, OWNER, Layout, Row, finnish_date
from connectors.sandbox.scene import Scene
from connectors.sandbox.world import Address, Person, days_after

_PEOPLE = (
    "HENKILONRO", "TYYPPI", "SUKUNIMI", "ETUNIMET", "YHTEISO", "HETU_YTUNNUS", "KATUOSOITE", "POSTINRO",
    "POSTITMP", "TURVAKIELTO", "MUUTETTU",
)  # fmt: skip
_PROPERTIES = ("KIINTEISTOTUNNUS", "OSOITE", "POSTINRO", "POSTITMP", "MUUTETTU")
_OWNERSHIPS = (
    "OMISTUSNRO", "KIINTEISTOTUNNUS", "HENKILONRO", "LAJI", "ALKAEN", "PAATTYEN", "MUUTETTU",
)  # fmt: skip
LAYOUT = Layout(
    {"henkilot": _PEOPLE, "kiinteistot": _PROPERTIES, "omistukset": _OWNERSHIPS},
    encoding="utf-8",
    parties="henkilot",
    roles="omistukset",
)
RETURN_COLUMNS = ("record_key", "field", "value", "reason", "stated_at")
_RETURNED = {"street_line": "KATUOSOITE", "postal_code": "POSTINRO", "post_office": "POSTITMP"}
_HOME = tuple(_RETURNED.values())
_IN_ERROR = 0.03  # people whose home it has wrong from the beginning
_HEARS = 0.5  # of a change, on the day; otherwise it goes on believing the old
_LEASED = 0.05


class Municipality:
    """What the municipality believes; every row is a dict of the dropped columns, by its key."""

    takes = RETURN_COLUMNS

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._chance = scene.chance("municipality")
        self.people: dict[str, Row] = {}
        self.properties: dict[str, Row] = {}
        self.ownerships: dict[str, Row] = {}
        self.number_of: dict[str, str] = {}
        self._believed: dict[str, tuple[str, Address]] = {}
        self._sales = 0  # how many it has entered
        self._found()

    # --- its drop, and what comes back ----------------------------------------------------------------

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """Tonight's drop, the marker last."""
        tables = {
            "henkilot": list(self.people.values()),
            "kiinteistot": list(self.properties.values()),
            "omistukset": list(self.ownerships.values()),
        }
        return faults.spoiled_delivery(spoiled_by, tables, stamp, LAYOUT)

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """Corrections; row number (from 1) → code for those refused.

        A stubborn municipality accepts everything and keeps its own values.
        """
        refused: dict[int, str] = {}
        for number, row in enumerate(delivery.rows, start=1):
            code = delivery.fault or self._fault_of(row)
            if refuse_first and number == 1:
                code = "refused_by_sandbox"
            if code:
                refused[number] = code
            elif not stubborn:
                self._correct(self.people[row["record_key"]], row["field"], row["value"])
        return refused

    def _fault_of(self, row: Row) -> str:
        if row["record_key"] not in self.people:
            return "unknown_record"
        if row["field"] not in (*_RETURNED, "name"):
            return "unknown_field"
        return "" if row["value"].strip() and row["reason"].strip() else "empty_value"

    def _correct(self, row: Row, field: str, value: str) -> None:
        if field != "name":
            row[_RETURNED[field]] = value
        elif row["TYYPPI"] == "Y":
            row["YHTEISO"] = value
        else:
            row["SUKUNIMI"], _, row["ETUNIMET"] = value.partition(" ")
        row["MUUTETTU"] = f"{finnish_date(self._scene.today)} 02:30"

    # --- its days -------------------------------------------------------------------------------------

    def pass_day(self, quiet: bool) -> None:
        """It hears of every protective order at once, and of about half of all moves and marriages."""
        today, chance = self._scene.today, self._scene.chance("municipality")
        for person_id, believed in self._believed.items():
            person = self._scene.town.world.people[person_id]
            row = self.people[self.number_of[person_id]]
            if person.is_protected and row["TURVAKIELTO"] != "K":
                row |= self._shown(person) | {"MUUTETTU": f"{finnish_date(today)} 07:00"}
            elif not quiet and (now := (person.family_name, person.home(today))) != believed:
                self._believed[person_id] = now
                if chance.random() < _HEARS:
                    row |= self._shown(person) | {"MUUTETTU": f"{finnish_date(today)} 07:00"}
        self._enter_sales()

    def _enter_sales(self) -> None:
        """A deed reaches it with the morning's mail: what was owned ends, and the buyer's begins."""
        stamp = {"MUUTETTU": f"{finnish_date(self._scene.today)} 07:00"}
        for sale in self._scene.town.sales[self._sales :]:
            for row in self.ownerships.values():
                if row["KIINTEISTOTUNNUS"] == sale.property_id and not row["PAATTYEN"]:
                    row |= {"PAATTYEN": finnish_date(days_after(sale.on, -1))} | stamp
            if sale.buyer not in self.number_of:
                self._enter(sale.buyer)
            number = self._own(sale.property_id, sale.buyer, finnish_date(sale.on))
            self.ownerships[number] |= {"LAJI": "OMISTAJA"} | stamp
            self._sales += 1

    # --- its founding ---------------------------------------------------------------------------------

    def _found(self) -> None:
        town = self._scene.town
        owners = list(self._owners())
        entities = [*town.world.inhabitants, *(entity for _, entity, _ in owners)]
        for entity in dict.fromkeys(entities):
            self._enter(entity)
        for point in town.world.points.values():
            self.properties[point.property_id] = {
                "KIINTEISTOTUNNUS": point.property_id,
                "OSOITE": point.address.line(),
                "POSTINRO": point.address.office.code,
                "POSTITMP": point.address.office.name,
                "MUUTETTU": self._past(),
            }
        for property_id, entity, role in owners:
            self._own(property_id, entity, role["ALKAEN"], role["PAATTYEN"])
        for person_id in self._believed:
            person = town.world.people[person_id]
            wrong = self._chance.random() < _IN_ERROR and person_id not in town.cast
            if wrong and not person.is_protected:
                self._mistake(person)
        self._tell_of_an_error()
        self._tell_of_an_owner()

    def _owners(self) -> Iterator[tuple[str, str, Row]]:
        """Property, entity and role of each owner: who is called one, else who holds the connection."""
        town = self._scene.town
        by_point: dict[str, list[Row]] = {}
        for role in town.register.roles.values():
            if role["ROOLI"] in (OWNER, HOLDER):
                by_point.setdefault(role["KULUTUSPISTE"], []).append(role)
        for point, roles in by_point.items():
            called = [r for r in roles if r["ROOLI"] == OWNER] or roles
            owning = {town.register.entity_of[r["ASIAKASNRO"]]: r for r in called}
            for entity, role in owning.items():
                yield town.world.points[point].property_id, entity, role

    def _enter(self, entity: str) -> None:
        """A person, an organisation or an estate; the dead themselves are in it no more."""
        world = self._scene.town.world
        number = str(400001 + 7 * len(self.people))
        row = dict.fromkeys(_PEOPLE, "") | {"HENKILONRO": number, "MUUTETTU": self._past()}
        if company := world.companies.get(entity):
            row |= {"TYYPPI": "Y", "YHTEISO": company.name, "HETU_YTUNNUS": company.business_id}
            row |= _written(company.address, swedish=False)
        elif entity.startswith("E"):
            dead = world.people[f"P{entity[1:]}"]
            given = f"{dead.called_name or dead.given_names[0]} kuolinpesä"
            row |= {"TYYPPI": "H", "SUKUNIMI": dead.family_name, "ETUNIMET": given}
            row |= _written(dead.home(world.today), swedish=False)
        else:
            person = world.people[entity]
            if person.death_date:
                return
            row |= {"TYYPPI": "H", "HETU_YTUNNUS": person.identity_code} | self._shown(person)
            self._believed[entity] = (person.family_name, person.home(world.today))
        self.people[number] = row
        self.number_of[entity] = number

    def _shown(self, person: Person) -> Row:
        """What it shows of a person: of one under an order no home."""
        home = _written(person.home(self._scene.today), swedish=person.language == "sv")
        return {
            "SUKUNIMI": person.family_name,
            "ETUNIMET": " ".join(person.given_names),
            "TURVAKIELTO": "K" if person.is_protected else "E",
        } | (dict.fromkeys(_HOME, "") if person.is_protected else home)

    def _own(self, property_id: str, entity: str, since: str, until: str = "") -> str:
        number = str(800001 + len(self.ownerships))
        self.ownerships[number] = {
            "OMISTUSNRO": number,
            "KIINTEISTOTUNNUS": property_id,
            "HENKILONRO": self.number_of[entity],
            "LAJI": "VUOKRAOIKEUS" if self._chance.random() < _LEASED else "OMISTAJA",
            "ALKAEN": since,
            "PAATTYEN": until,
            "MUUTETTU": self._past(),
        }
        return number

    def _mistake(self, person: Person) -> str:
        """It has a home of somebody's that is long past; the street line."""
        line = f"{self._chance.choice(STREETS)} {self._chance.randrange(900, 1000)}"
        office = self._chance.choice(HOME)
        self.people[self.number_of[person.person_id]].update(
            KATUOSOITE=line, POSTINRO=office.code, POSTITMP=office.name
        )
        return line

    def _past(self) -> str:
        day = days_after(self._scene.today, -self._chance.randrange(200, 5000))
        return f"{finnish_date(day)} {self._chance.randrange(8, 16):02d}:00"

    # --- its stories ----------------------------------------------------------------------------------

    def _tell_of_an_error(self) -> None:
        """It holds an old address of a customer of whom the population register knows better."""
        town = self._scene.town
        person, number = self._chance.choice(list(self._known_better()))
        line = self._mistake(person)
        canary = {
            "henkilonro": self.number_of[person.person_id],
            "old_line": line,
            "new_line": person.home(self._scene.today).line(),
        }
        town.stories["municipality_in_error"] = Story(
            "municipality_in_error", (number,), canary, people=(person.person_id,)
        )

    def _known_better(self) -> Iterator[tuple[Person, str]]:
        """Ordinary customers who have moved since a clerk last typed their address."""
        town = self._scene.town
        in_role = {role["ASIAKASNRO"] for role in town.register.roles.values()}
        for number, row in town.register.customers.items():
            person = town.world.people.get(town.register.entity_of[number])
            if person is None or row["HETU_YTUNNUS"] != person.identity_code:
                continue
            typed = "-".join(reversed(row["MUUTETTU"].partition(" ")[0].split(".")))
            hidden = person.is_protected or row["TURVAKIELTO"] not in ("", "E")
            moved = days_after(typed, 60) < person.stays[-1].since <= self._scene.today
            odd = person.post_box or person.summer_stay or person.death_date or hidden
            ordinary = not odd and person.language == "fi" and person.person_id not in town.cast
            if moved and ordinary and number in in_role:
                yield person, number

    def _tell_of_an_owner(self) -> None:
        """Somebody owns a connected property with a customer, and has never been one."""
        town, today = self._scene.town, self._scene.today
        customers = set(town.register.entity_of.values())
        places = {point.address: point.property_id for point in town.world.points.values()}
        partners = [
            person
            for person_id in town.world.inhabitants
            if person_id not in customers | town.cast
            and (person := town.world.people[person_id]).home(today) in places
            and person.birth_date < days_after(today, -30 * 366)
            and not (person.is_protected or person.death_date)
        ]
        person = self._chance.choice(partners)
        home, since = person.home(today), finnish_date(person.stays[-1].since)
        self._own(places[home], person.person_id, since)
        canary = {
            "henkilonro": self.number_of[person.person_id],
            "name": person.name,
            "street_line": home.line(),
        }
        town.stories["owner_unknown_to_us"] = Story(
            "owner_unknown_to_us", (), canary, people=(person.person_id,)
        )


def _written(address: Address, *, swedish: bool) -> Row:
    """The columns of an address; it has no way to write one abroad, and leaves it out."""
    if address.country != "FI":
        return dict.fromkeys(_HOME, "")
    office = address.office.swedish if swedish else address.office.name
    return {
        "KATUOSOITE": address.line(swedish=swedish),
        "POSTINRO": address.office.code,
        "POSTITMP": office,
    }
