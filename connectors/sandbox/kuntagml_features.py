"""Buildings, permits and exemptions of the town as KuntaGML writes them.

Belongs here: features and the documents around them, in both namespaces and all three shapes (FORMATS 4.2).
Does not belong here: which there are and who may ask (`kuntagml`), sockets (`servers`). Written from the format.
"""

import re
import zlib
from dataclasses import dataclass
from xml.sax.saxutils import escape

from connectors.sandbox.ryhti_objects import DEMOLISHED, SEWER, WATER, Building, Ownership
from connectors.sandbox.world import Address, Company, Person, World

HOSTS = ("www.paikkatietopalvelu.fi", "www.kuntatietopalvelu.fi")
SHAPES = ("whole", "members", "member_list")
_WORDS = {
    "water": ("vesijohtoonLiittymisesta", "talousvedet"),
    "sewer": ("jatevesiviemariinLiittymisesta", "jatevedet"),
    "stormwater": ("hulevesiviemariinLiittymisesta", "hulevedet"),
}


@dataclass(frozen=True)
class Contact:
    """How the systems say an owner or applicant is reached; the hub has no use for any of it."""

    applicant: str = "Hakija"
    phone: str = "0400000000"
    email: str = "omistaja@esimerkki.invalid"


@dataclass(frozen=True)
class Exemption:
    """What a property has leave to do without. states: number and name of each, with the day it began."""

    case: str
    property_id: str
    network: str
    decided: str
    states: tuple[tuple[str, str], ...]


def tag(name: str, *inside: str, **attributes: str) -> str:
    """One element; what stands in it is XML already."""
    said = "".join(f' {n}="{escape(v)}"' for n, v in attributes.items())
    return f"<{name}{said}>{''.join(inside)}</{name}>"


def text(name: str, value: object) -> str:
    """One element with a text in it, nothing for an empty one."""
    return tag(name, escape(str(value))) if value not in ("", None) else ""


def document(features: list[str], kind: str, shape: str, host: str, day: str) -> str:
    """The answer around the features: `whole` in a root of its own, else in a collection of either kind."""
    prefix, root, wrapper = {
        "ValmisRakennus": ("rakval", "Rakennusvalvonta", "valmisRakennustieto"),
        "RakennusvalvontaAsia": ("rakval", "Rakennusvalvonta", "rakennusvalvontaAsiatieto"),
        "Vapautus": ("ymv", "Vesihuoltolaki", "vapautukset"),
    }[kind]
    spaces = {
        "xmlns:rakval": f"http://{host}/gml/rakennusvalvonta",
        "xmlns:ymv": f"http://{host}/gml/ymparisto/vesihuoltolaki",
        "xmlns:yht": f"http://{host}/gml/yhteiset",
        "xmlns:gml": "http://www.opengis.net/gml",
        "xmlns:wfs": "http://www.opengis.net/wfs",
    }
    if shape == "whole":
        about = tag(f"{prefix}:toimituksenTiedot", text("yht:toimitusPvm", day))
        body = [about, *(tag(f"{prefix}:{wrapper}", f) for f in features)]
        whole = tag(f"{prefix}:{root}", *body, **spaces)
    elif shape == "members":
        members = [tag("gml:featureMember", feature) for feature in features]
        whole = tag("wfs:FeatureCollection", *members, **spaces)
    else:
        whole = tag("wfs:FeatureCollection", tag("gml:featureMembers", *features), **spaces)
    return f'<?xml version="1.0" encoding="UTF-8"?>{whole}'


def finished(building: Building, world: World, contact: Contact, number: int) -> str:
    """A ValmisRakennus with its owners."""
    connected = dict(building.connections)
    switches = [
        ("viemariKytkin", connected.get(SEWER)),
        ("vesijohtoKytkin", connected.get(WATER)),
    ]
    networks = [tag(f"rakval:{n}", str(on).lower()) for n, on in switches if on is not None]
    described = tag(
        "rakval:rakennuksenTiedot",
        _ids(building, number),
        text("rakval:kayttotarkoitus", "011 yhden asunnon talot"),
        tag("rakval:osoite", _address(building.address, building.spread, _whole(building))),
        tag("rakval:verkostoliittymat", *networks) if networks else "",
    )
    owners = [
        tag("rakval:omistaja", _party(o, world, contact), _kind_of_owner()) for o in building.owners
    ]
    conditions = [_condition("valmis", "1988-06-15")]
    if building.state == DEMOLISHED:
        conditions.append(_condition("purettu", building.demolished))
    whole = tag(
        "rakval:Rakennus",
        text("yht:yksilointitieto", number),
        text("yht:alkuHetki", "1988-07-01T00:00:00Z"),
        described,
        *owners,
    )
    return tag("rakval:ValmisRakennus", tag("rakval:rakennustieto", whole), *conditions)


def permit(building: Building, world: World, contact: Contact, number: int, work: str) -> str:
    """A RakennusvalvontaAsia: `uusi`, a sauna going up beside a house, or `purkaminen` of a building."""
    gone = text("rakval:poistumaPvm", building.demolished) if work == "purkaminen" else ""
    done = tag(f"rakval:{work}", text("rakval:kuvaus", "rakennus"), gone)
    ids = (
        _ids(building, number)
        if work == "purkaminen"
        else tag(
            "rakval:rakennustunnus",
            text("rakval:jarjestysnumero", 1),
            text("rakval:kiinttun", building.property_id),
        )
    )
    described = tag(
        "rakval:rakennuksenTiedot",
        ids,
        tag("rakval:osoite", _address(building.address, building.spread, whole=True)),
    )
    owners = [
        tag("rakval:omistajatieto", tag("rakval:Omistaja", _party(o, world, contact)))
        for o in building.owners
    ]
    applicant = tag(
        "yht:Osapuoli",
        text("yht:kuntaRooliKoodi", "Rakennusvalvonta-asian hakija"),
        text("yht:VRKrooliKoodi", "hakija"),
        tag("yht:henkilo", tag("yht:nimi", text("yht:sukunimi", contact.applicant))),
    )
    stage = "lopullinen loppukatselmus tehty" if gone else "rakennustyöt aloitettu"
    return tag(
        "rakval:RakennusvalvontaAsia",
        _stage("2025-03-01", "lupa hyväksytty"),
        _stage("2025-05-01", stage),
        tag(
            "rakval:luvanTunnisteTiedot",
            tag(
                "yht:LupaTunnus", text("yht:kuntalupatunnus", f"25-{number:04d}-{work[0].upper()}")
            ),
        ),
        tag(
            "rakval:osapuolettieto",
            tag("yht:Osapuolet", tag("yht:osapuolitieto", applicant)),
        ),
        tag(
            "rakval:toimenpidetieto",
            tag(
                "rakval:Toimenpide",
                done,
                tag("rakval:rakennustieto", tag("rakval:Rakennus", described, *owners)),
            ),
        ),
    )


def exemption(one: Exemption, contact: Contact) -> str:
    """A Vapautus."""
    handled = [
        tag(
            "ymv:kasittelytietotieto",
            tag(
                "ymv:KasittelyTieto",
                text("yht:muutosHetki", f"{day}T00:00:00"),
                text("yht:hakemuksenTila", state),
            ),
        )
        for day, state in one.states
    ]
    wanted, instead = _WORDS[one.network]
    application = tag(
        "ymv:Vapautushakemus",
        tag("ymv:haetaan", text(f"ymv:{wanted}", "kyllä")),
        tag(
            "ymv:hakija",
            text("yht:sukunimi", contact.applicant),
            text("yht:etunimi", "Vapaa"),
            text("yht:puhelinnumero", contact.phone),
        ),
        tag(
            "ymv:kohde",
            text("ymv:kiinteistorekisteritunnus", one.property_id),
            tag(f"ymv:{instead}", text("ymv:muu", "oma kaivo")),
        ),
    )
    decided = tag("ymv:Paatos", text("yht:paatosdokumentinPvm", one.decided)) if one.decided else ""
    return tag(
        "ymv:Vapautus",
        *handled,
        tag(
            "ymv:luvanTunnistetiedot",
            tag("yht:LupaTunnus", text("yht:kuntalupatunnus", one.case)),
        ),
        tag("ymv:paatostieto", decided) if decided else "",
        "<ymv:vapautusperuste/>",
        tag("ymv:vapautushakemustieto", application),
    )


def _ids(building: Building, number: int) -> str:
    return tag(
        "rakval:rakennustunnus",
        text("rakval:valtakunnallinenNumero", building.building_id),
        text("rakval:kiinttun", building.property_id),
        text("rakval:rakennusnro", f"{number % 1000:03d}"),
    )


def _condition(word: str, day: str) -> str:
    said = tag("rakval:Olotila", text("rakval:olotila", word), text("rakval:muutosPvm", day))
    return tag("rakval:olotilamuutostieto", said)


def _stage(day: str, word: str) -> str:
    said = tag("yht:Tilamuutos", text("yht:pvm", day), text("yht:tila", word))
    return tag("rakval:kasittelynTilatieto", said)


def _kind_of_owner() -> str:
    return tag("rakval:omistajalaji", text("rakval:muu", "muu yksityinen henkilö tai perikunta"))


def _party(ownership: Ownership, world: World, contact: Contact) -> str:
    person = world.people.get(f"P{ownership.entity[1:]}") if ownership.entity[0] in "PE" else None
    role = text("yht:kuntaRooliKoodi", "Rakennuksen omistaja")
    if person is None:
        return role + _firm(world.companies[ownership.entity], contact)
    protected = text("yht:turvakieltoKytkin", str(person.is_protected).lower())
    return role + _person(person, world, contact) + protected


def _person(person: Person, world: World, contact: Contact) -> str:
    return tag(
        "yht:henkilo",
        tag(
            "yht:nimi",
            text("yht:etunimi", " ".join(person.given_names)),
            text("yht:sukunimi", person.family_name),
        ),
        tag(
            "yht:osoite",
            _address(person.home(world.today), False, len(person.family_name) % 2 == 0),
        ),
        text("yht:sahkopostiosoite", contact.email),
        text("yht:puhelin", contact.phone),
        text("yht:henkilotunnus", person.identity_code),
    )


def _firm(company: Company, contact: Contact) -> str:
    return tag(
        "yht:yritys",
        text("yht:nimi", company.name),
        text("yht:liikeJaYhteisotunnus", company.business_id),
        tag(
            "yht:postiosoitetieto",
            tag("yht:postiosoite", _address(company.address, False, whole=False)),
        ),
        text("yht:puhelin", contact.phone),
    )


def _whole(building: Building) -> bool:
    """Whether the address of a building stands in one field, as every third's does."""
    return zlib.crc32(building.building_id.encode()) % 3 == 0


def _address(address: Address, is_range: bool, whole: bool) -> str:
    office = address.office
    if address.country != "FI":
        return (
            tag("yht:osoitenimi", text("yht:teksti", address.line()))
            + text("yht:valtioKansainvalinen", address.country)
            + text("yht:ulkomainenLahiosoite", address.line())
            + text("yht:ulkomainenPostitoimipaikka", f"{office.code} {office.name}")
        )
    at = text("yht:postinumero", office.code) + text("yht:postitoimipaikannimi", office.name)
    digits = re.match(r"\d*", address.number)
    number = digits[0] if digits else ""
    if whole:
        span = f"{number}–{int(number) + 2}" if is_range and number else address.number
        line = address._replace(number=span).line()
        return tag("yht:osoitenimi", text("yht:teksti", line)) + at
    second = int(number) + 2 if is_range and number else ""
    swedish = address.swedish_street
    names = text("yht:teksti", address.street)
    if swedish:
        names = tag("yht:teksti", escape(swedish), **{"xml:lang": "sv"}) + names
    return (
        tag("yht:osoitenimi", names)
        + text("yht:osoitenumero", number)
        + text("yht:osoitenumero2", second)
        + text("yht:jakokirjain", address.number[len(number) :])
        + text("yht:porras", address.stair.lower())  # small, as vendors write it
        + text("yht:huoneisto", address.apartment or "")
        + at
    )
