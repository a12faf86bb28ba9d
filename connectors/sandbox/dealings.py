"""What others do with the utility's customers: invoices collected, orders taken, meters visited; and their drops.

Belongs here: finance's book of invoices, the order desk, the meter contractor, each with its nightly file. Does
not belong here: who is billed (`finance`), where files lie (`exchange`), spoiled drops (`faults`). The layouts are
our own design: `;`-separated UTF-8 with CRLF, and a `valmis_` file last.
"""

from collections.abc import Mapping

from connectors.sandbox import faults
from connectors.sandbox.finance import COLUMNS, Delivery, Key, Ledger
from connectors.sandbox.own_register import PAYER, Layout, Row, finnish_date
from connectors.sandbox.scene import Scene
from connectors.sandbox.world import days_after

_INVOICES = (
    "LASKUNRO", "ASIAKASNRO", "TILA", "ERAPAIVA", "PAATTYNYT", "SUMMA_AVOIN", "VIITE", "MUUTETTU",
)  # fmt: skip
_ORDERS = ("TILAUSNRO", "ASIAKASNRO", "KULUTUSPISTE", "LAJI", "TILATTU", "LISATIETO", "MUUTETTU")
_MET = (
    "KAYNTINRO", "TYYPPI", "NIMI", "YTUNNUS", "LAHIOSOITE", "POSTINRO", "POSTITMP", "PUHELIN", "HUOMIO",
    "KAYTY",
)  # fmt: skip
_SEEN = (
    "KOHDENRO", "KIINTEISTOTUNNUS", "RAKENNUSTUNNUS", "OSOITE", "POSTINRO", "POSTITMP", "LUKEMA_M3",
    "KAYTY",
)  # fmt: skip
INVOICES = Layout({"laskut": _INVOICES}, "utf-8", "laskut", "laskut", needed="TILA")
ORDERS = Layout({"tilaukset": _ORDERS}, "utf-8", "tilaukset", "tilaukset", needed="ASIAKASNRO")
VISITS = Layout(
    {"yhteystiedot": _MET, "kohteet": _SEEN}, "utf-8", "yhteystiedot", "yhteystiedot", needed="NIMI"
)
# of a hundred invoices so many are, when the book is opened
_STATES = {"AVOIN": 20, "PERINNASSA": 4, "HYVITETTY": 3, "MAKSETTU": 73}
_PAID_A_DAY = 0.2  # of those open
_KINDS = ("LIITTYMA", "MUUTOS", "MITTARI", "IRTISANOMINEN", "MUU")
_ONE_IN = 25  # customers with an order; points visited


class Bookkeepers:
    """The finance outsourcer: what it bills, and its book of invoices by number."""

    takes = COLUMNS

    def __init__(self, scene: Scene, ledger: Ledger) -> None:
        self._scene = scene
        self._ledger = ledger
        self.invoices: dict[str, Row] = {}
        self.prefix = "L"
        self._invoiced: set[Key] = set()

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """Every invoice it has ever made, as it stands."""
        tables = {"laskut": list(self.invoices.values())}
        return faults.spoiled_delivery(spoiled_by, tables, stamp, INVOICES)

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """A billing extract, booked."""
        return self._ledger.receive(delivery, refuse_first)

    def pass_day(self, quiet: bool) -> None:
        """Whoever is new to it gets an invoice, and some pay; an invoice keeps the number it was made under."""
        if quiet:
            return
        today, chance = self._scene.today, self._scene.chance("finance")
        changed = f"{finnish_date(today)} 06:00"
        for row in self.invoices.values():
            if row["TILA"] == "AVOIN" and chance.random() < _PAID_A_DAY:
                row |= {"TILA": "MAKSETTU", "PAATTYNYT": finnish_date(today), "MUUTETTU": changed}
        for key in sorted(self._ledger.open.keys() - self._invoiced):
            self._invoiced.add(key)
            number = f"{self.prefix}{260001 + len(self.invoices)}"
            state = chance.choices(list(_STATES), list(_STATES.values()))[0]
            waited = range(-120, -60) if state == "PERINNASSA" else range(-30, 15)
            due = days_after(today, chance.choice(waited))
            settled = min(due, days_after(today, -1)) if state in ("MAKSETTU", "HYVITETTY") else ""
            self.invoices[number] = {
                "LASKUNRO": number,
                "ASIAKASNRO": key[0],
                "TILA": state,
                "ERAPAIVA": finnish_date(due),
                "PAATTYNYT": finnish_date(settled),
                "SUMMA_AVOIN": f"{chance.randrange(2000, 60000) / 100:.2f}".replace(".", ","),
                "VIITE": f"viite{number}",
                "MUUTETTU": changed,
            }


class _DropsOnly:
    """A counterparty that is sent nothing."""

    takes: tuple[str, ...] = ()

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """Nothing is ever sent to it."""
        return dict.fromkeys(range(1, len(delivery.rows) + 1), "takes_nothing")


class OrderDesk(_DropsOnly):
    """The utility's own order desk, which calls customers and points as the own register does."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.orders: dict[str, Row] = {}
        payers = [r for r in scene.town.register.roles.values() if r["ROOLI"] == PAYER]
        chance = scene.chance("orders")
        for role in sorted(chance.sample(payers, max(2, len(payers) // _ONE_IN)), key=_number):
            self._order(role, days_after(scene.today, -chance.randrange(1, 400)))

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """Every order there is."""
        tables = {"tilaukset": list(self.orders.values())}
        return faults.spoiled_delivery(spoiled_by, tables, stamp, ORDERS)

    def pass_day(self, quiet: bool) -> None:
        """One order a day, from somebody who pays."""
        if not quiet:
            roles = self._scene.town.register.roles.values()
            payers = [r for r in roles if r["ROOLI"] == PAYER and not r["PAATTYEN"]]
            self._order(self._scene.chance("orders").choice(payers), self._scene.today)

    def _order(self, role: Mapping[str, str], day: str) -> None:
        number = f"T{26001 + len(self.orders)}"
        self.orders[number] = {
            "TILAUSNRO": number,
            "ASIAKASNRO": role["ASIAKASNRO"],
            "KULUTUSPISTE": role["KULUTUSPISTE"],
            "LAJI": _KINDS[len(self.orders) % len(_KINDS)],
            "TILATTU": finnish_date(day),
            "LISATIETO": "soita ennen tuloa",
            "MUUTETTU": f"{finnish_date(day)} 09:30",
        }


class Contractor(_DropsOnly):
    """Whoever changes the meters: notes which organisation it met at a point, and the building it stood before."""

    def __init__(self, scene: Scene) -> None:
        self.met: dict[str, Row] = {}
        self.seen: dict[str, Row] = {}
        register, world = scene.town.register, scene.town.world
        day = f"{finnish_date(days_after(scene.today, -9))} 10:00"
        firms = [r for r in register.roles.values() if r["ROOLI"] == PAYER and _is_firm(scene, r)]
        for role in firms[:: max(1, len(firms) // max(1, len(register.points) // _ONE_IN))]:
            number, firm = (
                len(self.seen) + 1,
                world.companies[register.entity_of[role["ASIAKASNRO"]]],
            )
            point = world.points[role["KULUTUSPISTE"]]
            place = {
                "POSTINRO": point.address.office.code,
                "POSTITMP": point.address.office.name,
                "KAYTY": day,
            }
            self.met[f"K{number}"] = {
                "KAYNTINRO": f"K{number}",
                "TYYPPI": "Y",
                "NIMI": firm.name,
                "YTUNNUS": firm.business_id,
                "LAHIOSOITE": point.address.line(),
                "PUHELIN": "",
                "HUOMIO": "avain huoltomiehellä",
                **place,
            }
            self.seen[f"M{number}"] = {
                "KOHDENRO": f"M{number}",
                "KIINTEISTOTUNNUS": point.property_id,
                "RAKENNUSTUNNUS": "",
                "OSOITE": point.address.line(),
                "LUKEMA_M3": str(1000 + 7 * number),
                **place,
            }

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """Every visit of the round."""
        tables = {"yhteystiedot": list(self.met.values()), "kohteet": list(self.seen.values())}
        return faults.spoiled_delivery(spoiled_by, tables, stamp, VISITS)

    def pass_day(self, quiet: bool) -> None:
        """Nothing: the round is over."""


def _number(role: Mapping[str, str]) -> str:
    return role["ROOLINRO"]


def _is_firm(scene: Scene, role: Mapping[str, str]) -> bool:
    return scene.town.register.entity_of[role["ASIAKASNRO"]] in scene.town.world.companies
