"""The clerks who filled the customer register over the years, each in a way of their own.

Belongs here: how a person, a point or a role is typed. Does not belong here: who becomes a customer
(`founding`), the register's tables themselves (`own_register`).
"""

from random import Random

from connectors.sandbox import names, own_register
from connectors.sandbox.own_register import HOLDER, PAYER, OwnRegister, Row
from connectors.sandbox.settlers import Settlers
from connectors.sandbox.world import Address, Person, Point, World, days_after

_REMARKS = (
    "koira pihalla",
    "soita ennen käyntiä",
    "vanha mittari",
    "avain naapurissa",
    "laskutus sovittu",
)
PLAIN_LETTERS = str.maketrans("äöåéü- ", "aoaeu--")


class Clerk:
    """Types rows into a register; the order of calls decides what is typed."""

    def __init__(self, register: OwnRegister, settlers: Settlers, rng: Random) -> None:
        self._rng = rng
        self._register = register
        self._world: World = settlers.world
        self._today = settlers.today
        self._past_day = settlers.past_day

    def stamp(self) -> str:
        """A moment some clerk last touched a row, as the export prints it."""
        day = own_register.finnish_date(self._past_day(2012))
        return f"{day} {self._rng.randrange(8, 16):02d}:{self._rng.randrange(60):02d}"

    def point(self, address: Address) -> str:
        """A consumption point on a property of its own; its reference."""
        rng = self._rng
        point_ref = str(100001 + len(self._world.points))
        property_id = self._world.minter.property_id()
        self._world.points[point_ref] = Point(point_ref, property_id, address)
        shown = property_id
        if rng.random() < 0.4:
            parts = (property_id[:3], property_id[3:6], property_id[6:10], property_id[10:])
            shown = "-".join(str(int(p)) for p in parts)
        yearly = rng.randrange(200, 3000)
        return self._register.add_point(
            {
                "KULUTUSPISTE": point_ref,
                "KIINTEISTOTUNNUS": shown,
                "RAKENNUSTUNNUS": address.building_id if rng.random() < 0.85 else "",
                "OSOITE": address.line(),
                "POSTINRO": address.office.code,
                "POSTITMP": address.office.name,
                "VUOSIARVIO_M3": f"{yearly // 10},{yearly % 10}",
            },
            self.stamp(),
        )

    def row(
        self, person: Person, *, style: str = "", code: bool | None = None, tidy: bool = False,
        address: Address | None = None, overrides: Row | None = None,
    ) -> str:  # fmt: skip
        """A customer row for somebody, as a clerk would have typed it; `tidy` leaves chance out."""
        rng = self._rng
        known = True if tidy else rng.random() < 0.88
        values = {
            "TYYPPI": "0",
            "NIMI": typed_name(person, style or ("full" if tidy else self._style())),
            "HETU_YTUNNUS": person.identity_code if (known if code is None else code) else "",
            "KIELI": person.language,
            "TURVAKIELTO": "E" if rng.random() < 0.6 else "",
        }
        values |= self.typed_address(address or person.home(self._today), person.language, tidy)
        values |= self._contact_details(person)
        values |= self._channel(person, tidy)
        return self._register.add_customer(
            person.person_id, values | (overrides or {}), self.stamp()
        )

    def _style(self) -> str:
        return self._rng.choices(
            ("full", "first", "initial", "caps", "swapped"), (52, 36, 5, 5, 2)
        )[0]

    def typed_address(self, address: Address, language: str, tidy: bool = True) -> Row:
        """The columns of a billing address, untidy ones with shortcuts and capitals."""
        office = address.office.swedish if language == "sv" else address.office.name
        line = address.line(swedish=language == "sv" and address.country == "FI")
        if not tidy and self._rng.random() < 0.08:
            line = line.upper() if self._rng.random() < 0.5 else line.replace("tie ", "t. ")
        if not tidy and address.apartment and self._rng.random() < 0.2:
            line = line.replace(f" {address.apartment}", f" as. {address.apartment}")
        return {
            "LAHIOSOITE": line,
            "POSTINRO": address.office.code,
            "POSTITMP": office if tidy or self._rng.random() < 0.7 else office.capitalize(),
            "MAA": address.country if address.country != "FI" or self._rng.random() < 0.5 else "",
        }

    def _contact_details(self, person: Person) -> Row:
        rng = self._rng
        last = rng.randrange(10000)
        phone = rng.choice((f"050 555 {last:04d}", f"+35850555{last:04d}", f"050555{last:04d}", ""))
        mail = ""
        if rng.random() < 0.5:
            mail = f"{person.given_names[0]}.{person.family_name}@example.invalid".lower()
            mail = mail.translate(PLAIN_LETTERS)
        return {
            "PUHELIN": phone,
            "SAHKOPOSTI": mail,
            "LISATIETO": rng.choice(_REMARKS) if rng.random() < 0.15 else "",
            "TILINUMERO": self._world.minter.iban() if rng.random() < 0.3 else "",
        }

    def _channel(self, person: Person, tidy: bool) -> Row:
        draw = 0.0 if tidy else self._rng.random()
        if draw < 0.55:
            return {"LASKUKANAVA": "PAPERI"}
        if draw < 0.85:
            return self.e_invoice()
        number = self._rng.randrange(1000)
        mail = f"{person.given_names[0]}.{number}@example.fi".lower().translate(PLAIN_LETTERS)
        return {"LASKUKANAVA": "SAHKOPOSTI", "SAHKOPOSTI": mail}

    def e_invoice(self, business_id: str = "") -> Row:
        """The columns of somebody who takes e-invoices."""
        address = (
            f"0037{business_id.replace('-', '')}" if business_id else self._world.minter.iban()
        )
        return {
            "LASKUKANAVA": "VERKKOLASKU",
            "VERKKOLASKUOSOITE": address,
            "VALITTAJA": self._rng.choice(names.E_INVOICE_OPERATORS),
        }

    def connect(self, point: str, customer: str, *roles: str, until: str = "") -> list[str]:
        """Roles of a customer at a point, both holder and payer if none is named; their numbers."""
        since = (
            self._past_day(2000)
            if not until
            else days_after(until, -self._rng.randrange(400, 4000))
        )
        return [
            self._register.add_role(point, customer, role, since, self.stamp(), until)
            for role in roles or (HOLDER, PAYER)
        ]


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
