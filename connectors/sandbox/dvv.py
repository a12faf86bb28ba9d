"""What the population register answers: base data of people, and the feed of what changed.

Belongs here: tietoryhmä objects and the cursor, as in FORMATS 1.1. Does not belong here: HTTP
(`servers`), what happens to people (`events`), lies and failures (`faults`). A restricted person looks
restricted in one of three documented ways, going round (`Person.disguise`): the fields listed as withheld,
every address null and no word of an order, or the order stated and the addresses left out.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.sandbox import names
from connectors.sandbox.world import Address, Person, Stay, World

Group = dict[str, Any]

PERMANENT = "VAKINAINEN_KOTIMAINEN_OSOITE"
FOREIGN = "VAKINAINEN_ULKOMAINEN_OSOITE"
TEMPORARY = "TILAPAINEN_KOTIMAINEN_OSOITE"
RESIDENCE = "VAKINAINEN_KOTIMAINEN_ASUINPAIKKATUNNUS"
POSTAL = "KOTIMAINEN_POSTIOSOITE"
HOME_MUNICIPALITY = "KOTIKUNTA"
_HIDDEN_BY_ORDER = frozenset(
    {PERMANENT, FOREIGN, TEMPORARY, RESIDENCE, POSTAL, HOME_MUNICIPALITY, "SAHKOPOSTIOSOITE"}
)
_FIRST_KEY = 100_000_000
_KEYS_A_DAY = 100_000
MOST_PEOPLE_ASKED = 100


def _day(value: str) -> dict[str, str]:
    return {"arvo": value, "tarkkuus": "PAIVA"}


def _since(stay: Stay) -> Group:
    return {"alkupv": _day(stay.since)} | ({"loppupv": _day(stay.until)} if stay.until else {})


def domestic_address(group: str, stay: Stay) -> Group:
    """A street address in Finland as one tietoryhmä."""
    address = stay.address
    parts: Group = {
        "katunimi": _both(address.street, address.swedish_street),
        "katunumero": address.number,
        "postinumero": address.office.code,
        "postitoimipaikka": _both(address.office.name, address.office.swedish),
        "rakennustunnus": address.building_id,
        "osoitenumero": 1,
        "kuntakoodi": address.office.municipality,
    }
    if address.stair:
        parts["huoneistokirjain"] = address.stair
    if address.apartment:
        parts["huoneistonumero"] = f"{address.apartment:03d}"
    if address.split:
        parts["jakokirjain"] = address.split
    return {"tietoryhma": group} | parts | _since(stay)


def permanent_address(stay: Stay) -> Group:
    """Where somebody lives, in Finland or abroad."""
    if stay.address.country == "FI":
        return domestic_address(PERMANENT, stay)
    office = stay.address.office
    return {
        "tietoryhma": FOREIGN,
        "lahiosoite": stay.address.line(),
        "paikkakunta": f"{office.code} {office.name}",
        "valtiokoodi": office.municipality,
    } | _since(stay)


def _both(finnish: str, swedish: str) -> dict[str, str]:
    return {"fi": finnish} | ({"sv": swedish} if swedish else {})


def _residence(stay: Stay) -> Group:
    address = stay.address
    flat = (
        f"{address.stair:1}{address.apartment:03d}{address.split:1}"
        if address.apartment
        else " " * 5
    )
    return {
        "tietoryhma": RESIDENCE,
        "rakennustunnus": address.building_id,
        "osoitenumero": 1,
        "kuntakoodi": address.office.municipality,
        "asuinpaikantunnus": f"{address.building_id}1{flat}",
        "alkupv": _day(stay.since),
    }


def municipality(address: Address, since: str) -> Group:
    """The home municipality, with the date doubled as the real service doubles it."""
    return {
        "tietoryhma": HOME_MUNICIPALITY,
        "kuntakoodi": address.office.municipality,
        "kuntaanMuuttopv": _day(since),
        "kuntaanMuuttoPv": _day(since),
    }


def name_group(person: Person, since: str) -> Group:
    """The present name; every other person's comes with the newer UTF8 fields as well."""
    group: Group = {
        "tietoryhma": "HENKILON_NIMI",
        "etunimi": " ".join(person.given_names),
        "sukunimi": person.family_name,
        "alkupv": _day(since),
    }
    if int(person.person_id[1:]) % 2:
        group |= {"etunimiUTF8": group["etunimi"], "sukunimiUTF8": group["sukunimi"]}
    return group


def death_group(dead: bool, day: str) -> Group:
    """A death or, when not dead, its reversal."""
    return {"tietoryhma": "KUOLINPAIVA", "kuollut": dead} | ({"kuolinpv": _day(day)} if day else {})


def code_correction(person: Person) -> Group:
    """The code in force and those before it."""
    return {
        "tietoryhma": "HENKILOTUNNUS_KORJAUS",
        "voimassaolo": "AKTIIVI",
        "muutettuHenkilotunnus": person.identity_code,
        "aktiivinenHenkilotunnus": person.identity_code,
        "edellisetHenkilotunnukset": list(person.retired_codes),
    }


def base_data(world: World, person: Person) -> list[Group]:
    """Everything the register would say of somebody today, restrictions applied."""
    today, serial = world.today, int(person.person_id[1:])
    groups: list[Group] = [
        {"tietoryhma": "SUKUPUOLI", "sukupuoli": "MIES" if person.is_man else "NAINEN"},
        {"tietoryhma": "SYNTYMAPAIVA", "syntymapv": _day(person.birth_date)},
        {"tietoryhma": "KANSALAISUUS", "henkilonKansalaisuudet": [{"kansalaisuuskoodi": "246"}]},
        name_group(person, person.birth_date),
        {"tietoryhma": "AIDINKIELI", "kielikoodi": person.language,
         "kielikoodiISO6392": {"fi": "fin", "sv": "swe"}[person.language], "alkupv": _day(person.birth_date)},
    ]  # fmt: skip
    if person.called_name:
        groups.append(
            {"tietoryhma": "KUTSUMANIMI", "nimilaji": "NYKYINEN_KUTSUMANIMI",
             "nimi": person.called_name, "alkupv": _day(person.birth_date)}
        )  # fmt: skip
    if person.birth_name:
        groups.append(
            {"tietoryhma": "NIMENMUUTOS", "nimilaji": "VIIMEKSI_NAIMATTOMANA_OLLESSA_OLLUT_SUKUNIMI",
             "nimi": person.birth_name, "loppupv": _day(person.stays[0].since)}
        )  # fmt: skip
    for relative in (world.people[p] for p in person.family):
        if person.birth_date < "2007" <= relative.birth_date:
            groups.append(
                {"tietoryhma": "LAPSI", "lapsi": {"henkilotunnus": relative.identity_code}}
            )
    if person.retired_codes:
        groups.append(code_correction(person))
    elif serial % 7 == 0:
        groups.append({"tietoryhma": "HENKILOTUNNUS_KORJAUS"})
    if person.death_date:
        groups.append(death_group(True, person.death_date))
    groups += _address_groups(person, today)
    if serial % 10 == 3:
        groups.append(
            {"tietoryhma": "SAHKOPOSTIOSOITE", "sahkopostiosoite": f"asukas{serial}@example.invalid",
             "lajikoodi": "MAISTRAATTI", "alkupv": _day("2020-01-01")}
        )  # fmt: skip
    return restricted(person, groups) if person.is_protected else groups


def _address_groups(person: Person, today: str) -> list[Group]:
    groups: list[Group] = []
    if person.death_date:
        return groups
    for stay in person.stays:
        if stay.until and stay.until < today:
            continue
        groups.append(permanent_address(stay))
        if stay.address.country == "FI" and stay.since <= today:
            groups += [_residence(stay), municipality(stay.address, stay.since)]
    summer = person.summer_stay
    if summer and summer.until >= today:
        groups.append(domestic_address(TEMPORARY, summer))
    if person.post_box:
        groups.append(post_box(person.post_box, "2021-03-01"))
    return groups


def post_box(line: str, since: str) -> Group:
    """A postal address that is a box at the home post office."""
    office = names.HOME_BOXES
    return {
        "tietoryhma": POSTAL,
        "postiosoite": {"fi": line},
        "postinumero": office.code,
        "postitoimipaikka": _both(office.name, office.swedish),
        "alkupv": _day(since),
    }


def restricted(person: Person, groups: Iterable[Group]) -> list[Group]:
    """The same groups as a receiver without the right to restricted data gets them."""
    way = person.disguise % 3
    shown: list[Group] = []
    for group in groups:
        if group["tietoryhma"] not in _HIDDEN_BY_ORDER:
            shown.append(group)
            continue
        bare = {k: v for k, v in group.items() if k in ("tietoryhma", "muutosattribuutti")}
        if way == 0:
            shown.append(bare | {"turvakiellonAlaisetKentat": sorted(_HIDDEN_BY_ORDER)})
        elif way == 1:
            shown.append(dict.fromkeys(group) | bare)
    if way == 1:
        return shown
    order: Group = {"tietoryhma": "TURVAKIELTO", "turvakieltoAktiivinen": True}
    if way == 2:
        order["turvaLoppuPv"] = _day("2029-06-30")
    return [*shown, order]


@dataclass(frozen=True)
class Message:
    """One entry of the change feed."""

    key: int
    person_id: str
    moment: str
    groups: tuple[Group, ...]


class PopulationRegister:
    """The town's people as DVV serves them: positions, changes, base data."""

    def __init__(self, world: World, start: str, page_size: int = 200) -> None:
        self._world = world
        self._start = date.fromisoformat(start)
        self._messages: list[Message] = []
        self.page_size = page_size
        self.asked: set[str] = set()

    def announce(self, day: str, person: Person, groups: Iterable[Group]) -> None:
        """Something changed about somebody during `day`."""
        first = self.first_key(day)
        last = self._messages[-1].key if self._messages else first
        key = max(first, last) + 3
        moment = f"{day}T{7 + key // 3 % 7:02d}:{key // 3 % 60:02d}:00.000Z"
        listed = list(groups)
        if person.is_protected and not any(g["tietoryhma"] == "TURVAKIELTO" for g in listed):
            listed = [{"muutosattribuutti": "LISATIETO"} | g for g in restricted(person, listed)]
        self._messages.append(Message(key, person.person_id, moment, tuple(listed)))

    def first_key(self, day: str) -> int:
        """The position before everything that changed on or after a day (`/kirjausavain/{day}`)."""
        return _FIRST_KEY + (date.fromisoformat(day) - self._start).days * _KEYS_A_DAY

    def changes(self, cursor: int, codes: Collection[str]) -> dict[str, Any]:
        """One page of `/muutokset`; no codes means the permit's selection, the whole municipality.

        Somebody asked for by a code that a correction retired is answered under the code asked for.
        """
        labels = self._labels(codes)
        page: list[dict[str, Any]] = []
        start = bisect_right(self._messages, cursor, key=lambda m: m.key)
        position, up_to_date = cursor, True
        for message in self._messages[start:]:
            if message.person_id in labels:
                if len(page) == self.page_size:
                    up_to_date = False
                    break
                page.append(
                    {"henkilotunnus": labels[message.person_id], "muutospv": message.moment,
                     "tietoryhmat": list(message.groups)}
                )  # fmt: skip
            position = message.key
        return {"viimeisinKirjausavain": position, "ajanTasalla": up_to_date, "muutokset": page}

    def base(self, codes: Collection[str], groups: Collection[str]) -> dict[str, Any]:
        """`/perustiedot`; no groups means all of them. Codes nobody has are left out."""
        people = [
            {
                "henkilotunnus": code,
                "tietoryhmat": [
                    g
                    for g in base_data(self._world, self._world.people[person_id])
                    if not groups or g["tietoryhma"] in groups
                ],
            }
            for person_id, code in self._labels(codes).items()
        ]
        return {"ajanTasalla": True, "perustiedot": people}

    def _labels(self, codes: Collection[str]) -> dict[str, str]:
        """person id → the code to answer under."""
        world = self._world
        if not codes:
            return {p: world.people[p].identity_code for p in world.inhabitants}
        labels: dict[str, str] = {}
        for code in codes:
            person = world.holder_of(code)
            if person and labels.get(person.person_id) != person.identity_code:
                labels[person.person_id] = code
        self.asked.update(labels)
        return labels
