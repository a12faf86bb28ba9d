"""People with words of their own in every column a source can fill, planted in the town in a box.

Belongs here: whose row carries which word, starting such a town, and looking for the words afterwards.
Does not belong here: where they may not be found (`leaks`). Every word is plain ASCII and stands nowhere
else, so that a byte search finds it in any encoding; `FORBIDDEN` may be in `hub.db` only, `NEVER_KEPT` not
even there.
"""

import os
import re
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stdnum.fi import hetu

from connectors.sandbox import town as sandbox
from connectors.sandbox.kuntagml import ExemptionRegister, PermitSystem
from connectors.sandbox.kuntagml_features import Contact
from connectors.sandbox.names import PostOffice
from connectors.sandbox.own_register import Row
from connectors.sandbox.ryhti import BuildingRegister
from connectors.sandbox.world import Address, Stay
from connectors.sandbox.ytj import CompanyRegister
from pipelines import keys
from pipelines.cli.town import point_at
from pipelines.settings import is_secret, load_settings
from pipelines.store.engine import migrate, open_engine

CUSTOMERS = 100
FORBIDDEN = (
    "merkkim",  # MERKKIMÄKI, whatever becomes of its ä
    "kanariitta",
    "vartiotar",
    "lintuhaakinpolku",
    "hakkilinna",
    "sulkatupa",
    "nokkakivenkuja",
    "munatornintie",
    "orsikuja",
    "siipiraitti",
    "505557391",
    "505557392",
    "505557393",
    "kana@pesa.invalid",
    "muna@pesa.invalid",
    "hauki@pesa.invalid",
    "kanarialinna",
    "fi9390777700009876",
    "90199900077777",
    "refusantti",
    "neljantoista",
    "notisanpolku",
    "notisanlinna",
    "kuori@pesa.invalid",
    # the municipality's: an owner unknown to us, where it believes an owner lives, an owning firm
    "kanaomistaja",
    "naapuritar",
    "pesakunnantie",
    "kanalanseutu",
    "kuntakana",
    "kotkanpesankuja",  # of a company in the open register
    "pesakaupunki",
    "hautojantoimisto",
    "untuvakatu",
    "untuvastad",
    "hanhensulantie",  # the building register's: an address, a property, whose door the mail goes to
    "90199900088888",
    "joutsenlahtinen",
    "muuttohaukka",  # the address-update company's: a name and where it says somebody moved
    "viklotar",
    "rantasipintie",
    "tyllila",
    "kanalasku",  # what finance calls an invoice, and the order desk an order
    "kanatilaus",
    "urakkatie",  # where a contractor met a firm of ours, and the point it stood at
    "urakkala",
    "mittaritie",
)
NEVER_KEPT = (
    "pesallinen",  # a birth name, of no use to the register
    "salahuomautus",  # LISATIETO
    "fi6790777700001234",  # TILINUMERO
    "010180-9ka",  # what stood where an identity code should
    "tuntematonen",  # somebody with a row and no role
    "vieraspolku",
    "asukkala",  # a resident who is nobody to us
    "sivukyla",
    "entispesue",  # what a company was called before, is called besides, and its web page
    "rinnakkaispesue",
    "verkkopesue",
    "pelikaanisto",  # whom an owner has named to speak for them
    "hakijalintunen",  # who applies for a permit or an exemption, and how building control reaches an owner
    "505557399",
    "lintula.invalid",
    "kaakkurila",  # somebody whose house is none of ours
    "haikarankuja",
    "kuovinen",  # whom the address-update company answers about though nobody asked, and a telephone
    "kuovinpolku",
    "044 777 0770",
    "viitekanalasku",  # a payment's reference, an order's text, what a contractor noticed
    "salatilaus",
    "salahavainto",
    "ohikulkija",  # a firm that the contractor met and that is no customer, a place that is none of ours
    "vieraskohde",
)
NOTICE = (
    "--line", "Notisanpolku 5", "--postal-code", "31640", "--post-office", "Notisanlinna",
    "--phone", "050 5557394", "--email", "kuori@pesa.invalid",
)  # fmt: skip
_RUN_ID = re.compile(rb"(?<![0-9a-f])[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![0-9a-f])")
_MICROSECONDS = re.compile(rb"\d\d:\d\d:\d\d\.\d{6}")
_CODE = re.compile(rb"(?<![0-9A-Za-z])\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y](?![0-9A-Za-z])")


@dataclass(frozen=True)
class Said:
    """A command that was run, and everything it said."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> bytes:
        return (self.out + self.err).encode()


@dataclass(frozen=True)
class Planted:
    """Customer numbers by what was planted on them, and every identity code there is in the town."""

    customer: str
    company: str
    e_invoice: str
    codes: tuple[str, ...]


@contextmanager
def canary_town(directory: Path) -> Iterator[tuple[sandbox.Town, Planted]]:
    """A town whose canaries stand in tonight's export and in the population register."""
    with sandbox.start(directory, CUSTOMERS, seed=7) as town:
        planted = _plant(town)
        town._export([])
        yield town, planted


@dataclass(frozen=True)
class LivedIn:
    """A hub after two nights with a customer's notice between them; the town has gone.

    first_night: run again and again, breaking off at every step (`leaks.failing_nights`) before it went
    well. second_night: `hub night --json`.
    """

    home: Path
    planted: Planted
    secrets: tuple[str, ...]
    first_night: Said
    probe: Said
    second_night: Said


def live(base: Path) -> LivedIn:
    """Found a canary town and a hub, and let two nights pass, each in a process of its own."""
    home = base / "hub"
    with canary_town(base / "town") as (town, planted):
        make_hub(home, town)
        first = run(home, "-m", "tests.leaks.failing_nights", str(home), town.today)
        told = hub(
            home, "customer", "notice", planted.customer,
            "--received", town.today, "--channel", "phone", "--evidence", "call 7", *NOTICE,
        )  # fmt: skip
        probe = hub(home, "sources", "--probe", "--json")
        assert (first.code, told.code, probe.code) == (0, 0, 0), first.err + told.err + probe.err
        asked = {**town._address_company._asked}
        town.advance()
        _plant_an_answer(town, asked)
        second = hub(home, "night", "--json", "--date", town.today)
        secrets = tuple(
            value
            for door in town.addresses.values()
            if isinstance(door, dict)
            for key, value in door.items()
            if is_secret(key)
        )
    return LivedIn(home, planted, secrets, first, probe, second)


def make_hub(home: Path, town: sandbox.Town) -> None:
    """A hub that knows the town, with a key and an empty register."""
    point_at(home, town.addresses)
    settings = load_settings(home, {})
    keys.init(home, settings.hub.key_file)
    engine = open_engine(settings.hub.database_url)
    migrate(engine)
    engine.dispose()


def hub(home: Path, *arguments: str) -> Said:
    """Run `hub` as a process of its own."""
    return run(home, "-m", "pipelines.cli", *arguments)


def run(home: Path, *arguments: str, **environ: str) -> Said:
    """Run Python as a process of its own, with nothing of the hub's environment but what is given."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "DAGSTER_"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=ours | {"HUB_HOME": str(home), "HUB_USER": "clerk"} | environ,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def _plant(town: sandbox.Town) -> Planted:
    founded = town._founded
    rows, roles, stories = founded.register.customers, founded.register.roles, founded.stories

    def of(story: str) -> str:
        return stories[story].customer_numbers[0]

    def role_of(number: str) -> Row:
        return next(r for r in roles.values() if r["ASIAKASNRO"] == number)

    person = founded.world.people[stories["old_address"].people[0]]
    office = PostOffice("31640", "HAKKILINNA", "HAKKILINNA", "103")
    home = Address(
        "Lintuhaakinpolku", "77", office, building_id=person.stays[-1].address.building_id
    )
    person.family_name, person.given_names = "Merkkimäki", ("Vartiotar", "Kanariitta")
    person.called_name, person.birth_name = "Kanariitta", "Pesallinen"
    person.post_box = "PL 9 Sulkatupa"
    person.stays[-1] = Stay(home, person.stays[-1].since)
    rows[of("old_address")].update(
        NIMI="Merkkimäki Vartiotar Kanariitta",
        LAHIOSOITE="Nokkakivenkuja 8",
        PUHELIN="050 5557391",
        SAHKOPOSTI="kana@pesa.invalid",
        LASKUKANAVA="PAPERI",
        YHTEYSOSOITE="Munatornintie 4",
        YHTEYSPOSTINRO="31641",
        YHTEYSPOSTITMP="HAKKILINNA",
        LISATIETO="salahuomautus",
        TILINUMERO="FI6790777700001234",
    )
    point = founded.register.points[role_of(of("old_address"))["KULUTUSPISTE"]]
    point.update(OSOITE="Siipiraitti 3", KIINTEISTOTUNNUS="90199900077777")
    rows[of("company_contact")].update(
        NIMI="Kanarialinna Oy", WWW="www.kanarialinna.invalid", PUHELIN="050 5557392"
    )
    rows[of("protected_e_invoice")].update(VERKKOLASKUOSOITE="FI9390777700009876")
    rows[of("refused_row")].update(NIMI="Refusantti Aino", SAHKOPOSTI="muna@pesa.invalid")
    rows[of("malformed_code")].update(NIMI="Neljantoista Eero", HETU_YTUNNUS="010180-9KA")
    paid = [r for r in roles.values() if r["LOPPULASKU_OSOITE"]]
    paid[0]["LOPPULASKU_OSOITE"] = "Orsikuja 6"
    rows[of("non_customer")].update(NIMI="Tuntematonen Veikko", LAHIOSOITE="Vieraspolku 2")
    _plant_companies(town, of("company_contact"))
    # no name: the connector can't make a record of it (of a company that no register holds)
    rows[of("housing_company")].update(
        NIMI="", PUHELIN="0505557393", SAHKOPOSTI="hauki@pesa.invalid"
    )
    _plant_in_the_municipality(town)
    _plant_buildings(town, role_of(of("old_address"))["KULUTUSPISTE"])
    _plant_dealings(town, of("old_address"))
    return Planted(
        customer=of("old_address"),
        company=of("company_contact"),
        e_invoice=of("protected_e_invoice"),
        codes=tuple(c for p in founded.world.people.values() for c in p.codes),
    )


def _plant_in_the_municipality(town: sandbox.Town) -> None:
    office, founded = town._municipality, town._founded
    owner = office.people[founded.stories["owner_unknown_to_us"].canary["henkilonro"]]
    owner.update(
        SUKUNIMI="Kanaomistaja",
        ETUNIMET="Naapuritar",
        KATUOSOITE="Pesakunnantie 7",
        POSTITMP="KANALANSEUTU",
    )
    # of one property building control alone says who owns it, or nobody would hear building control (R14)
    silent = founded.stories["housing_company"].customer_numbers[0]
    number = office.number_of[founded.register.entity_of[silent]]
    for key in [k for k, row in office.ownerships.items() if row["HENKILONRO"] == number]:
        del office.ownerships[key]
    owners = {row["HENKILONRO"] for row in office.ownerships.values()}
    firm = next(r for n, r in office.people.items() if r["TYYPPI"] == "Y" and n in owners)
    firm.update(KATUOSOITE="Kuntakanantie 4")  # a wrong name would be corrected, and gone
    customers = set(founded.register.entity_of.values())
    stranger = next(
        office.people[number]
        for entity, number in office.number_of.items()
        if number not in owners and entity not in customers
    )
    stranger.update(SUKUNIMI="Asukkala", KATUOSOITE="Asukkalantie 1", POSTITMP="SIVUKYLA")


def _plant_companies(town: sandbox.Town, number: str) -> None:
    """One word in each text that the open register has of a company."""
    founded, register = town._founded, town._registers["ytj"]
    assert isinstance(register, CompanyRegister)
    companies, company_id = founded.world.companies, founded.register.entity_of[number]
    office = PostOffice("31640", "PESAKAUPUNKI", "PESAKAUPUNKI", "103")
    companies[company_id] = replace(
        companies[company_id],
        name="Kanarialinna Oy",
        address=Address("Kotkanpesankuja", "6", office),
    )
    entry = register.entries[company_id]
    entry.former = [("Entispesue Oy", entry.registered)]
    entry.parallel, entry.website = "Rinnakkaispesue Ab", "www.verkkopesue.invalid"
    entry.care_of, entry.box, entry.free = "Hautojantoimisto Oy", "", ""
    other = next(e for i, e in register.entries.items() if i != company_id)
    other.box, other.free = "", "Untuvakatu_4 113_51_UNTUVASTAD"


def _plant_dealings(town: sandbox.Town, customer: str) -> None:
    """What finance, the order desk and the contractor write down; the invoices are made the day after."""
    town._bookkeepers.prefix = "KANALASKU"
    orders = town._order_desk.orders
    row = orders.pop(next(iter(orders)))
    orders["KANATILAUS7"] = row | {
        "TILAUSNRO": "KANATILAUS7",
        "ASIAKASNRO": customer,
        "LISATIETO": "salatilaus",
    }
    met, seen = town._contractor.met, town._contractor.seen
    first = next(iter(met))
    met[first].update(LAHIOSOITE="Urakkatie 9", POSTITMP="URAKKALA", HUOMIO="salahavainto")
    met["K99"] = met[first] | {"KAYNTINRO": "K99", "NIMI": "Ohikulkija Oy", "YTUNNUS": "9036813-1"}
    place = next(iter(seen))
    seen[place].update(OSOITE="Mittaritie 5")
    seen["M99"] = seen[place] | {
        "KOHDENRO": "M99",
        "KIINTEISTOTUNNUS": "90199900099999",
        "OSOITE": "Vieraskohde 3",
    }


def _plant_buildings(town: sandbox.Town, point_ref: str) -> None:
    """Words in the building register: at a point of ours, and of a stranger."""
    world, rows = town._founded.world, town._founded.register
    register = town._registers["ryhti"]
    assert isinstance(register, BuildingRegister)
    place = world.points[point_ref].address
    rows.points[point_ref]["RAKENNUSTUNNUS"] = place.building_id
    for building in list(register.buildings.values()):
        if building.building_id == place.building_id:
            owners = [
                replace(o, care_of="Joutsenlahtinen Aku", contact="Pelikaanisto")
                for o in building.owners
            ]
            register.buildings[building.key] = replace(
                building,
                property_id="90199900088888",
                address=place._replace(street="Hanhensulantie"),
                owners=tuple(owners),
            )
    for name in ("kuntagml", "exemptions"):
        system = town._registers[name]
        assert isinstance(system, (PermitSystem, ExemptionRegister))
        system.contact = Contact("Hakijalintunen", "0505557399", "omistaja@lintula.invalid")
    office = town._municipality
    owning = {row["HENKILONRO"] for row in office.ownerships.values()}
    in_stories = {p for story in town._founded.stories.values() for p in story.people}
    stranger = next(
        b
        for b in register.buildings.values()
        if b.property_id[3:6] == "498"
        and office.number_of.get(b.owners[0].entity) not in owning
        and b.owners[0].entity not in in_stories  # one of them buys a house of ours
    )
    register.buildings[stranger.key] = replace(
        stranger, address=stranger.address._replace(street="Haikarankuja")
    )
    world.people[stranger.owners[0].entity].family_name = "Kaakkurila"


def _plant_an_answer(town: sandbox.Town, asked: dict[str, list[Row]]) -> None:
    """The customer has moved, says the company that was asked about; and so has somebody else."""
    company = town._address_company
    ((question, rows),) = asked.items()
    (reference,) = [row["VIITE"] for row in rows if row["ETUNIMET"].endswith("Kanariitta")]
    said = {"SUKUNIMI": "Muuttohaukka", "ETUNIMET": "Kanariitta Viklotar", "POSTINRO": "30100"}
    moved = {"KOODI": "1", **said, "LAHIOSOITE": "Rantasipintie 3", "POSTITMP": "TYLLILA"}
    others = [row for row in company.answers[question] if row["VIITE"] != reference]
    stranger = {"VIITE": "0" * 16, "SUKUNIMI": "Kuovinen", "LAHIOSOITE": "Kuovinpolku 1"}
    company.answers[question] = [
        *others,
        moved | {"VIITE": reference, "MUUTTOPVM": "01.11.2026"},
        moved | stranger,
    ]
    town.fault("address_batch", "extra_column", 1)


def found_in(text: bytes, words: Iterable[str]) -> list[str]:
    """The words that stand in the bytes, in any case of letters."""
    lowered = text.lower()
    return [w for w in words if w.lower().encode() in lowered]


def identity_codes_in(text: bytes) -> int:
    """How many valid Finnish identity codes stand in the bytes, real or made up.

    Run ids and the ends of instants are left out: of some hundred random ones now and then one looks like a code, an
    instant's with what stands behind it in a database's page.
    """
    plain = _MICROSECONDS.sub(b" ", _RUN_ID.sub(b" ", text))
    found = (match.decode() for match in _CODE.findall(plain.upper()))
    return sum(hetu.is_valid(code, allow_temporary=True) for code in found)


def everything_under(folder: Path) -> bytes:
    """Names and bytes of all files, and what SQLite databases hold compressed."""
    parts: list[bytes] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        parts += [str(path.relative_to(folder)).encode(), path.read_bytes()]
        if path.suffix == ".db":
            parts += _unpacked(path)
    return b"\n".join(parts)


def _unpacked(database: Path) -> Iterator[bytes]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as conn:
        tables = [t for (t,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in conn.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - names of its own
                for value in row:
                    if isinstance(value, bytes):
                        try:
                            yield zlib.decompress(value)
                        except zlib.error:
                            continue


def tokens_in(home: Path) -> list[str]:
    """Every pseudonym the register holds of anybody."""
    with closing(sqlite3.connect(f"file:{home / 'hub.db'}?mode=ro", uri=True)) as conn:
        rows = conn.execute(
            "SELECT person_key FROM standard_party UNION SELECT birth_key FROM standard_party"
        )
        return [token for (token,) in rows if token]
