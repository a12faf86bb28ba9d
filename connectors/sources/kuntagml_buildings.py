"""The buildings of one KuntaGML call: which are ours, what building control says of them and their owners.

Belongs here: reading ValmisRakennus and RakennusvalvontaAsia in the hub's declared words (FORMATS.md §4.2).
Does not belong here: asking (`kuntagml`), XML (`gml`), who an owner is (`kuntagml_owners`).

A building is a "point" under its permanent id, else under the municipality's own; an owner is a "party" and a
"role" under the building's key and a digest. An answer is the whole of what is known of a building, but
silence ends nothing: a building that is not told of any more, or of which no owner is, changes nothing. Only
where an owner we have not heard of stands in the place of one we have, the one before has ended, on the day
we hear of it; the format tells no dates.

A permit says what is being built. Of one that was refused or has lapsed nothing is read, and of a case that
is kept secret nobody. Who applies for a permit is counted and left there: the hub has no word for them.
Nothing here raises on what a server sends, and nothing outlives the call.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

from connectors.base import Borrowed, Record, Tokens
from connectors.gml import Element
from connectors.premises import has_check_character, plain_building_id, plain_property_id
from connectors.sources.kuntagml_owners import Owner, Reading, stated, street

FEATURES = ("ValmisRakennus", "RakennusvalvontaAsia")

# An empty building stands as it stood, and where nothing is known nothing is said. Destroyed is not
# demolished: ruins may still have a connection to end.
_MEANINGS: dict[str, dict[str, str | None]] = {
    "olotila": {
        "keskeneräinen uudisrakennus": "under_construction",
        "valmis": "in_use",
        "purettu": "demolished",
    },
    "tilanne": {
        "käytetään vakinaiseen asumiseen": "in_use",
        "käytetään loma-asumiseen": "in_use",
        "käytetään muuhun tilapäiseen asumiseen": "in_use",
        "toimitila- ja tuotantokäytössä": "in_use",
        "hylätty ränsistymisen takia": "abandoned",
        "tuhoutunut": "abandoned",
        "purettu muusta syystä": "demolished",
        "purettu uudisrakentamisen takia": "demolished",
        "todettu katselmuksessa puretuksi": "demolished",
        "tyhjillään": None,
        "tyhjä": None,
        "muu": None,
        "käytöstä ei tietoa": None,
    },
}
_DEAD = frozenset({"lupa evätty", "lupa rauennut", "lupa vanhentunut"})
_DONE = frozenset(
    {"lopullinen loppukatselmus tehty", "luvalla ei loppukatselmusehtoa, lupa valmis"}
)
_BUILDING = frozenset(
    {
        "rakennustyöt aloitettu",
        "rakennustyöt keskeytetty",
        "osittainen loppukatselmus, yksi tai useampia luvan rakennuksista on käyttöönotettu",
        "yksi tai useampia luvan rakennuksista on käyttöönotettu",
    }
)
_ON_PAPER = frozenset(
    {
        "uusi lupa, ei käsittelyssä",
        "vireillä",
        "odottaa asiakkaan toimenpiteitä",
        "lupa käsitelty, siirretty päättäjälle",
        "lupa jätetty pöydälle",
        "lupa hyväksytty",
        "päätös toimitettu",
        "päätöksestä valitettu, valitusprosessin tulosta ei ole",
        "jatkoaika myönnetty",
        "ei tiedossa",
    }
)
_OWNING = frozenset({"rakennuksen omistaja", "rakennuspaikan omistaja"})
_YES, _NO = frozenset({"true", "1"}), frozenset({"false", "0"})


class _State(NamedTuple):
    """That a building was in a state on a day ("" when nobody says), at a place among what is said."""

    day: str
    order: int
    state: str


@dataclass(repr=False)
class _Building:
    """What the answers say of one building. is_whole: they hold the building itself, not a permit alone.

    former_keys: what it would have gone by before it had a permanent id.
    """

    property_id: str | None
    building_id: str | None
    is_whole: bool = False
    former_keys: tuple[str, ...] = ()
    states: list[_State] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    owners: list[Owner] = field(default_factory=list)


class Buildings:
    """Filled by `take`, feature by feature; read `records` afterwards.

    lent: what is ours. known: keys of the owners that the hub holds. today: ISO, the night's date.
    unknown: "unreadable_building" and "unreadable_owner" (nothing to name them by), and "olotila", "tilanne",
    "tila", "valtio" for words that have no meaning here. dropped: fields without a use, "hakija" (who applies
    for a permit), "salassapitotieto" (parties of a secret case), "loppuHetki" (a building taken off the
    register), "unasked_building" (none of ours).
    """

    def __init__(
        self,
        tokens: Tokens,
        lent: Borrowed,
        known: frozenset[str],
        today: str,
        allow_test_identities: bool,
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.fetched = 0
        self._reading = Reading(tokens, allow_test_identities, self.dropped, self.unknown)
        self._lent = lent
        self._known = known
        self._today = today
        self._found: dict[str, _Building] = {}
        self._permits: set[str] = set()
        self._building_ids: set[str] = set()

    def take(self, feature: Element) -> None:
        """One ValmisRakennus or RakennusvalvontaAsia; the permits come after the buildings.

        A building heard before is heard anew, a permit is not.
        """
        self.fetched += 1
        if feature.name == "ValmisRakennus":
            self._take_building(feature)
            return
        permit = feature.text("luvanTunnisteTiedot", "LupaTunnus", "kuntalupatunnus")
        if permit is None or permit not in self._permits:
            permit = permit or f"#{self.fetched}"
            self._permits.add(permit)
            self._take_case(permit, feature)

    @property
    def building_ids(self) -> frozenset[str]:
        """The permanent ids of the buildings told of so far."""
        return frozenset(self._building_ids)

    def records(self) -> list[Record]:
        """Points, parties and roles of what is ours, and the ends of ownerships that the hub holds."""
        before = defaultdict(set)
        for known in self._known:
            before[known.rpartition("/")[0]].add(known)
        records: list[Record] = []
        for key, building in self._found.items():
            records.append(Record("point", key, None, _point(building)))
            records += self._owners(key, building, before[key])
            if building.owners and not before[key]:  # heard of under this key for the first time
                for former in building.former_keys:
                    records += self._moved(former, building, before[former])
        return records

    # --- a building as it stands --------------------------------------------------------------------

    def _take_building(self, feature: Element) -> None:
        building = feature.one("rakennustieto", "Rakennus")
        key = None if building is None else _key(building)
        if building is None or key is None:
            self.unknown["unreadable_building"] += 1
            return
        permanent = plain_building_id(_ids(building).text("valtakunnallinenNumero"))
        self._building_ids.update(filter(None, [permanent]))
        if not self._is_ours(building):
            return
        gone = _day(building.text("loppuHetki"))
        if gone is not None and gone <= self._today:
            self.dropped["loppuHetki"] += 1
            return
        said = _described(building)
        said.is_whole = True
        said.former_keys = tuple(k for k in _own_keys(building) if k != key)
        said.states = list(self._states(feature))
        networks = building.one("rakennuksenTiedot", "verkostoliittymat")
        if networks is not None:
            said.facts |= _connections(networks)
        parties = [*building.each("omistaja"), *building.each("omistajatieto", "Omistaja")]
        said.owners = list(self._read_owners(parties))
        self._found[key] = said

    def _states(self, feature: Element) -> Iterator[_State]:
        """What is said of its condition and then of its use, which was looked at later of the two."""
        changes = [
            *((c, "olotila", "muutosPvm") for c in feature.each("olotilamuutostieto", "Olotila")),
            *(
                (c, "tilanne", "toteamisPvm")
                for c in feature.each("kaytossaolotieto", "Kaytossaolo")
            ),
        ]
        for order, (change, word, day) in enumerate(changes):
            said = (change.text(word) or "").lower()
            if said not in _MEANINGS[word]:
                self.unknown[word] += 1
            elif state := _MEANINGS[word][said]:
                since = _day(change.text(day)) or ""
                if since <= self._today:
                    yield _State(since, order, state)

    # --- what is being built or pulled down -----------------------------------------------------------

    def _take_case(self, permit: str, case: Element) -> None:
        stage = self._stage(case)
        if stage in _DEAD:
            return
        works = list(case.each("toimenpidetieto", "Toimenpide"))
        buildings = [(work, b) for work in works for b in work.each("rakennustieto", "Rakennus")]
        ours = [(work, building) for work, building in buildings if self._is_ours(building)]
        if not ours:
            return
        parties = list(case.each("osapuolettieto", "Osapuolet", "osapuolitieto", "Osapuoli"))
        self.dropped["hakija"] += sum(not _is_owning(party) for party in parties)
        is_secret = (
            case.text("lisatiedot", "Lisatiedot", "salassapitotietoKytkin") or "false"
        ).lower()
        self.dropped["salassapitotieto"] += is_secret not in _NO
        for work, building in ours:
            key = _key(building, permit)
            gone = _day(work.text("purkaminen", "poistumaPvm"))
            is_gone = gone is not None and gone <= self._today
            is_begun = work.one("uusi") is not None and stage not in _DONE
            if key in self._found:
                said = self._found[key]
            elif key is not None and (is_begun or (is_gone and has_check_character(key))):
                said = self._found[key] = _described(building)
                if not has_check_character(key):
                    said.facts = {}  # else it would speak for the house at the same address
            else:
                self.unknown["unreadable_building"] += key is None
                continue  # of a change to a building that nobody has told of there is nothing to hold
            if is_gone:
                said.states.append(_State(gone or "", len(said.states), "demolished"))
            if said.is_whole or not is_begun:
                continue  # the building itself says better how it stands, and who owns it
            state = "under_construction" if stage in _BUILDING else "planned"
            said.states.append(_State("", len(said.states), state))
            if is_secret in _NO:
                owners = [*building.each("omistajatieto", "Omistaja"), *filter(_is_owning, parties)]
                said.owners = list(self._read_owners(owners))

    def _stage(self, case: Element) -> str:
        """The latest state of a case, of one day the last one told."""
        changes = [
            (_day(change.text("pvm")) or "", order, (change.text("tila") or "").lower())
            for order, change in enumerate(case.each("kasittelynTilatieto", "Tilamuutos"))
        ]
        stage = max(changes, default=("", 0, "ei tiedossa"))[2]
        self.unknown["tila"] += stage not in _DEAD | _DONE | _BUILDING | _ON_PAPER
        return stage

    # --- ours, and whose --------------------------------------------------------------------------------

    def _is_ours(self, building: Element) -> bool:
        ids = _ids(building)
        is_ours = (
            plain_property_id(ids.text("kiinttun")) in self._lent.property_ids
            or plain_building_id(ids.text("valtakunnallinenNumero")) in self._lent.building_ids
        )
        self.dropped["unasked_building"] += not is_ours
        return is_ours

    def _read_owners(self, parties: Iterable[Element]) -> Iterator[Owner]:
        for party in parties:
            owner = self._reading.owner(party)
            if owner is None:
                self.unknown["unreadable_owner"] += 1
            else:
                yield owner

    def _moved(self, former: str, building: _Building, before: set[str]) -> Iterator[Record]:
        """Nothing stands under the key of a building that has got a permanent id since, if anything did."""
        if before:
            place = stated(property_id=building.property_id)
            yield Record("point", former, None, place)
        for gone in sorted(before):
            yield Record("role", gone, None, {"valid_to": self._today}, is_partial=True)

    def _owners(self, point: str, building: _Building, before: set[str]) -> Iterator[Record]:
        """Each owner as party and role; those of one id go by their names too, of one name by their number."""
        sharing = Counter(owner.named for owner in building.owners)
        alike: Counter[str] = Counter()
        present: set[str] = set()
        for owner in building.owners:
            who = owner.named if sharing[owner.named] == 1 else f"{owner.named}/{owner.also}"
            alike[who] += 1
            named = f"{point}/{who}/{alike[who]}"
            key = f"{point}/{hashlib.sha256(named.encode()).hexdigest()[:20]}"
            present.add(key)
            yield Record("party", key, None, owner.content)
            content = {"party": key, "point": point, "role_type": "owner"}
            yield Record("role", key, None, content)
        if present - before:
            for gone in sorted(before - present):
                yield Record("role", gone, None, {"valid_to": self._today}, is_partial=True)


def _described(building: Element) -> _Building:
    """Where the building is; its address is that of its door, without stair and flat."""
    ids = _ids(building)
    said = _Building(ids.text("kiinttun"), ids.text("valtakunnallinenNumero"))
    address = building.one("rakennuksenTiedot", "osoite")
    line = street(address)[0] if address is not None else None
    if address is not None and line is not None:
        said.facts = stated(
            line=line,
            postal_code=address.text("postinumero"),
            post_office=address.text("postitoimipaikannimi"),
        )
    return said


def _point(building: _Building) -> dict[str, object]:
    last = max(building.states, default=None)
    is_gone = last is not None and last.state == "demolished"
    return building.facts | stated(
        property_id=building.property_id,
        building_id=building.building_id,
        building_state=last.state if last else None,
        demolition_date=(last.day or None) if last and is_gone else None,
    )


def _key(building: Element, permit: str | None = None) -> str | None:
    """The permanent id; else the system's own number, or in a permit place and number within it."""
    permanent = plain_building_id(_ids(building).text("valtakunnallinenNumero"))
    if permanent and has_check_character(permanent):
        return permanent
    return next(_own_keys(building, permit), None)


def _own_keys(building: Element, permit: str | None = None) -> Iterator[str]:
    ids, own = _ids(building), building.text("yksilointitieto")
    if own and permit is None:
        yield own
    place = plain_property_id(ids.text("kiinttun"))
    number = ids.text("rakennusnro") or ids.text("jarjestysnumero")
    if place and number:
        yield "-".join(filter(None, (place, permit, number)))


def _connections(networks: Element) -> dict[str, object]:
    """Connected, not connected, or nobody says."""
    said = {
        "has_water_connection": networks.text("vesijohtoKytkin"),
        "has_sewer_connection": networks.text("viemariKytkin"),
    }
    known = {name: text.lower() for name, text in said.items() if text}
    return {name: text in _YES for name, text in known.items() if text in _YES | _NO}


def _is_owning(party: Element) -> bool:
    roles = (party.text("kuntaRooliKoodi"), party.text("VRKrooliKoodi"))
    return any((role or "").lower() in _OWNING for role in roles)


def _ids(building: Element) -> Element:
    return building.one("rakennuksenTiedot", "rakennustunnus") or Element("rakennustunnus", {})


def _day(text: str | None) -> str | None:
    """The calendar date of an xs:date or xs:dateTime, with or without a zone."""
    try:
        return date.fromisoformat(text[:10]).isoformat() if text else None
    except ValueError:
        return None
