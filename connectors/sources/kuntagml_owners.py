"""An owner as KuntaGML describes one: who it is, in the hub's declared words (FORMATS.md §4.2, §6).

Belongs here: reading Osapuoli in its present and its earlier, flat form, PostiosoiteType, and the name an
owner goes by between two answers. Does not belong here: which building is owned, and which are ours
(`kuntagml_buildings`).

The format gives owners no key. They are told apart by what names them: the token of an identity
code, else a business id, else a token of the name. So an owner is the same for as long as it is
described alike; who makes a key of it digests it first. Nothing here raises on what a server sends.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from connectors.base import Tokens
from connectors.gml import Element
from connectors.identity import tokens_of

_NO = frozenset({"false", "0"})
_BUSINESS_ID = re.compile(r"[0-9]{6,7}-[0-9]")
_COUNTRY = re.compile(r"[A-Z]{2}")
_FINLAND = frozenset({"FI", "FIN", "SUOMI", "FINLAND"})
_HAS_A_NUMBER = re.compile(r".*\s[0-9]+\s?[A-Za-zÅÄÖåäö]?(\s.*)?")
_UNWANTED = {
    "henkilo": ("sahkopostiosoite", "faksinumero", "puhelin", "ulkomainenHenkilotunnus"),
    "yritys": (
        "sahkopostiosoite", "faksinumero", "puhelin", "www", "kotipaikka", "verkkolaskutustieto",
        "yhdistysRekisterinumero",
    ),
}  # fmt: skip
_UNWANTED_OF_OWNER = (
    "omistajalaji", "omistajanlaji", "suoramarkkinointikieltoKytkin", "selite", "laskuviite",
)  # fmt: skip


@dataclass(frozen=True, repr=False)
class Owner:
    """named: what tells it from others, without saying who it is. also: the same of its name alone, for those
    of whom one building names several. content: a party's declared fields.
    """

    named: str
    also: str
    content: dict[str, object]


@dataclass(frozen=True, repr=False)
class Reading:
    """What reading one call's owners needs and counts: fields with no use here, and what has no meaning."""

    tokens: Tokens
    allow_test_identities: bool
    dropped: Counter[str]
    unknown: Counter[str]

    def owner(self, party: Element) -> Owner | None:
        """An Osapuoli, or None when it names nobody."""
        person, firm = party.one("henkilo"), party.one("yritys")
        self._drop(party, _UNWANTED_OF_OWNER)
        if firm is not None:
            self._drop(firm, _UNWANTED["yritys"])
            self.dropped["yhteyshenkilo"] += person is not None  # no party of ours
            said, code = self._firm(firm), firm.text("liikeJaYhteisotunnus")
        elif person is not None:
            self._drop(person, _UNWANTED["henkilo"])
            said, code = self._person(person), person.text("henkilotunnus")
        else:
            said, code = self._flat(party), party.text("tunnus")
        names = [str(said[n]) for n in _NAMES if n in said]
        if not names and not code:
            return None
        switch = party.one("turvakieltoKytkin")
        # Said in any other way than false or not at all, it counts as an order (DESIGN 12).
        if switch is not None and (switch.text() or "").lower() not in _NO:
            said = {k: v for k, v in said.items() if k != "addresses"} | {"protection": "on"}
        digits = "".join(c for c in str(said.get("business_id") or "") if c.isdigit())
        also = self.tokens.person(" ".join(names).casefold())
        return Owner(str(said.get("person_key") or (f"Y{digits}" if digits else also)), also, said)

    def _person(self, person: Element) -> dict[str, object]:
        code = person.text("henkilotunnus")
        return stated(
            party_type="person",
            family_name=person.text("nimi", "sukunimi"),
            given_names=person.text("nimi", "etunimi"),
            addresses=list(self._addresses(person, "postal", "osoite")) or None,
        ) | (tokens_of(code, self.tokens, self.allow_test_identities) if code else {})

    def _firm(self, firm: Element) -> dict[str, object]:
        addresses = [
            *self._addresses(firm, "postal", "postiosoitetieto", "postiosoite"),
            *self._addresses(firm, "visiting", "kayntiosoitetieto", "kayntiosoite"),
        ]
        return stated(
            party_type="organisation",
            organisation_name=firm.text("nimi"),
            business_id=firm.text("liikeJaYhteisotunnus"),
            addresses=addresses or None,
        )

    def _flat(self, party: Element) -> dict[str, object]:
        """Until 2.1 an owner is a name, an id of either kind and an address."""
        code = party.text("tunnus") or ""
        is_firm = _BUSINESS_ID.fullmatch(code) is not None
        said = stated(
            party_type="organisation" if is_firm else "person" if code else None,
            name=party.text("nimi") if not is_firm else None,
            organisation_name=party.text("nimi") if is_firm else None,
            business_id=code if is_firm else None,
            addresses=list(self._addresses(party, "postal", "osoite")) or None,
        )
        if code and not is_firm:
            said |= tokens_of(code, self.tokens, self.allow_test_identities)
        return said

    def _addresses(self, party: Element, kind: str, *path: str) -> Iterator[dict[str, object]]:
        for address in party.each(*path):
            parts = self._address(address)
            if parts:
                yield {"address_type": kind, **parts}

    def _address(self, address: Element) -> dict[str, object]:
        """PostiosoiteType under declared names, {} for an empty one."""
        abroad = stated(
            line=address.text("ulkomainenLahiosoite"),
            post_office=address.text("ulkomainenPostitoimipaikka"),
        )
        land = (address.text("valtioKansainvalinen") or "").upper()
        if abroad and land not in _FINLAND:
            if not _COUNTRY.fullmatch(land):
                self.unknown["valtio"] += 1  # an address abroad that does not say where
                return {}
            return abroad | {"country": land}
        line, parts = street(address)
        at = stated(
            postal_code=address.text("postinumero"),
            post_office=address.text("postitoimipaikannimi"),
        )
        parts = parts | at if parts else stated(line=line) | at
        return parts | {"country": "FI"} if parts else {}

    def _drop(self, element: Element, names: tuple[str, ...]) -> None:
        self.dropped.update(name for name in names if element.one(name) is not None)


_NAMES = ("family_name", "given_names", "organisation_name", "name")


def street(address: Element) -> tuple[str | None, dict[str, object]]:
    """The street line without stair and flat, and its parts where the address has them apart.

    `osoitenimi/teksti` often holds the whole line, with or without the number again in a field of its own.
    """
    name, house = _name(address), _house(address)
    flat = stated(
        stair=_upper(address.text("porras")),
        apartment=address.text("huoneisto"),
    )
    if name is None:
        return None, {}
    if house is None or _HAS_A_NUMBER.fullmatch(name):
        line = " ".join(str(part) for part in (name, *flat.values()))
        return name, stated(line=line)
    return f"{name} {house}", stated(street=name, house=house) | flat


def _name(address: Element) -> str | None:
    """The street in Finnish, else in whatever language it is given."""
    texts = list(address.each("osoitenimi", "teksti"))
    finnish = [t for t in texts if t.attributes.get("lang", "fi").lower().startswith("fi")]
    lines = (text.text() for text in (*finnish, *texts))
    return next(filter(None, lines), None)


def _house(address: Element) -> str | None:
    """The house as on a street sign: "12b", "2a–3b", "6a–6b", as the other building register writes it."""
    number, number_2 = address.text("osoitenumero"), address.text("osoitenumero2")
    letter, letter_2 = (_lower(address.text(n)) for n in ("jakokirjain", "jakokirjain2"))
    if number is None or number == "0":
        return None
    second_of = number_2 or (number if letter_2 else None)
    first, second = f"{number}{letter}", f"{second_of}{letter_2}" if second_of else None
    return "–".join(dict.fromkeys(filter(None, (first, second))))


def _lower(text: str | None) -> str:
    return (text or "").lower()


def _upper(text: str | None) -> str | None:
    return text.upper() if text else None


def stated(**fields: object) -> dict[str, object]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value is not None}
