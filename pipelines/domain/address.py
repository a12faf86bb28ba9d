"""How a Finnish address is read, stored and compared (FORMATS §6, JHS 106).

Belongs here: the grammar of a street line, postal codes and post offices, the comparison key. Does not
belong here: which address a bill goes to (`survivorship`), whether an address may be told (`extract`).

    street-line = street house [stair] [apartment [split]]     Teikäläistentie 2a B 12 b
                | "PL" number | "Poste restante" | "Noudetaan" | place [number]
    house       = number ["-" number] | number letter ["-" letter]      3-5, 2a, 2a-c, 6a-6b

A capital glued to the number (`12B`) can be a building letter or a stair. DVV and Ryhti write building
letters small, so here a glued small letter is part of the house and a glued capital is the stair, unless a
stair follows. `address_key` does not tell the two readings apart, so the choice never costs a match.
A line outside the grammar is kept whole in `street_line`, its parts empty: nothing is lost. What could as
well be read otherwise is read one way all the same, and `ambiguity` says so (AMBIGUITIES).
"""

import re
from typing import NamedTuple

import pandas as pd

from pipelines.domain.names import care_of, cased, clean, fold

_L = "A-Za-zÅÄÖåäö"
_NUMBER = rf"\d{{1,5}}(?:h\d{{1,3}}(?!\d)|[{_L}](?:[-–][{_L}](?![{_L}\d]))?(?![{_L}]))?"
_STAIR = "porras|portaikko|rappu|trappuppgång|trappa|uppgång|uppg"
_APARTMENT = "asunto|as|huoneisto|huon|hsto|bostad|bost|bst|lägenhet|lgh"
_SEP = rf"(?:(?<=[{_L}])|(?<=[{_L}]-)|[\s,]+)"
_LINE = re.compile(
    rf"""
    (?P<street>(?:\d{{1,2}}\.\s?)?[^\W\d_][^\d,]*?)[\s,]+
    (?P<house>{_NUMBER}(?:\s?[-–/]\s?{_NUMBER})*)
    (?:[\s,]+(?:(?:{_STAIR})\.?\s+)?(?P<stair>[{_L}])(?![{_L}]))?-?
    (?:{_SEP}(?:(?P<marker>{_APARTMENT})\.?\s*)?(?P<apartment>\d{{1,4}})
       (?:\s*(?P<split>[{_L}]))?
    )?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_BOX = re.compile(r"(?:P\.?\s?[LB]\.?|postilokero|box)[\s,]*(\d{1,6})", re.IGNORECASE)
_PICKED_UP = re.compile(r"poste\s+restante|noudetaan", re.IGNORECASE)
_PLACE = re.compile(r"[^\W\d_][^\d,;:=@]*")
_LAST_LINE = re.compile(r"(?P<line>.+?)[\s,]+(?P<code>\d{5})[\s,]+(?P<office>[^\W\d_][^\d,]*)")
_CODE_AND_OFFICE = re.compile(r"(\d{5})\s+([^\W\d_][^\d,]*)")
_FINNISH = "tie|katu|kuja|polku|raitti|väylä|kaari|rinne|ranta|piha|aukio|tori|linja"
_SWEDISH = "vägen|gatan|gränden|gränd|stigen|stråket|leden|bågen|stranden|torget|planen|linjen"
_STREET_WORD = re.compile(rf"\S*(?:{_FINNISH}|{_SWEDISH})", re.IGNORECASE)
_FINNISH_STREET = re.compile(rf".*(?:{_FINNISH})", re.IGNORECASE)
_SWEDISH_STREET = re.compile(rf".*(?:{_SWEDISH})", re.IGNORECASE)
_PAIR = re.compile(
    rf"([^/]+?)\s*/\s*(?!(?:{_STAIR}|{_APARTMENT})(?!\w))(?=.*[^\W\d_]{{3}})([^/]+)", re.IGNORECASE
)
_RANGE = re.compile(r"(\d+)[^\W\d_]?[-/](\d+)")
_FINLAND = frozenset({"", "FI", "FIN", "SUOMI", "FINLAND"})
_TOKENS = re.compile(r"\d+|[^\W\d_]+|-")

AMBIGUITIES = {
    "letter_of_house_or_stair": "a letter that may belong to the house or be the stair: 12B, 12 b",
    "apartment_without_marker": "a second number with nothing before it: 5 3",
    "range_or_apartment": "numbers that no side of a street has in a row: 12-3, 4-7",
    "two_names": "a street by its names in two languages, the first one kept: Kauppakatu 5 / Köpmansgatan 5",
    "street_and_box": "a street and a post box in one line, kept whole: Kotikatu 5, PL 3",
}
"""How a line could be read otherwise, and what it then looks like."""


class StreetLine(NamedTuple):
    """One street line in canonical form and, where it follows the grammar, in parts.

    ambiguity: why it could as well be read otherwise, a key of AMBIGUITIES.
    """

    street_line: str | None = None
    street_name: str | None = None
    house: str | None = None
    stair: str | None = None
    apartment: str | None = None
    split: str | None = None
    care_of: str | None = None
    ambiguity: str | None = None


class Address(NamedTuple):
    """One address, canonical; field names as in `fields`."""

    care_of: str | None
    street_line: str | None
    street_name: str | None
    house: str | None
    stair: str | None
    apartment: str | None
    split: str | None
    postal_code: str | None
    post_office: str | None
    country: str
    ambiguity: str | None = None


class Stated(NamedTuple):
    """An address as a source states it: a whole line, or the parts of one (FORMATS §1.1)."""

    line: str | None = None
    street: str | None = None
    house: str | None = None
    stair: str | None = None
    apartment: str | None = None
    split: str | None = None
    care_of: str | None = None
    postal_code: str | None = None
    post_office: str | None = None
    country: str | None = None


def read_line(text: str) -> StreetLine:
    """A street line read by the grammar. Never raises; its `street_line` reads back as itself."""
    line, addressee = _without_care_of(clean(text))
    line = line.strip(" ,;")
    if not line:
        return StreetLine(care_of=addressee)
    box = _BOX.fullmatch(line)
    if box is not None:
        return StreetLine(f"PL {int(box[1])}", care_of=addressee)
    if _PICKED_UP.fullmatch(line):
        return StreetLine(" ".join(line.split()).capitalize(), care_of=addressee)
    if "/" in line and (named_twice := _first_name(line)) is not None:
        return StreetLine(
            _rendered(named_twice), *named_twice, care_of=addressee, ambiguity="two_names"
        )
    found = _LINE.fullmatch(line)
    if found is not None:
        parts = _parts(found)
        return StreetLine(
            _rendered(parts), *parts, care_of=addressee, ambiguity=_ambiguity(found, parts)
        )
    if _PLACE.fullmatch(line):
        place = _street(line)
        return StreetLine(place, place, care_of=addressee)
    both = "street_and_box" if _has_street_and_box(line) else None
    return StreetLine(line, care_of=addressee, ambiguity=both)


def read_parts(
    street: str | None,
    house: str | None,
    stair: str | None,
    apartment: str | None,
    split: str | None,
) -> StreetLine:
    """An address stated in parts (DVV, Ryhti), in the same canonical form as the line of it.

    A street field that holds the whole line (FORMATS §6) reads the same way.
    """
    given = tuple(clean(p) if p else "" for p in (street, house, stair, apartment, split))
    name, number, letter, flat, shared = given
    flat = flat.lstrip("0") if flat.isdecimal() else flat
    line = read_line(" ".join(p for p in (name, number, letter.upper(), flat, shared.lower()) if p))
    if number:
        line = line._replace(ambiguity=None)  # whoever states parts says which letter is what
    if line.street_name is not None or not (name and number):
        return line
    parts = (_street(name), number.lower(), letter.upper(), flat, shared.lower())
    return line._replace(
        street_name=parts[0],
        house=parts[1],
        stair=parts[2] or None,
        apartment=parts[3] or None,
        split=parts[4] or None,
    )


def read_address(stated: Stated) -> Address:
    """An address as stored: canonical line and parts, postal code, post office, country.

    A country nobody states is Finland. A foreign address is kept as written. Never raises.
    """
    land = country(stated.country)
    code = postal_code(stated.postal_code, land) if stated.postal_code else None
    office = clean(stated.post_office).upper() if stated.post_office else None
    addressee = clean(stated.care_of) if stated.care_of else None
    whole = clean(stated.line) if stated.line else None
    if land != "FI":
        parts = (stated.street, stated.house, stated.stair, stated.apartment, stated.split)
        written = whole or clean(" ".join(p for p in parts if p))
        line = StreetLine(written or None)
    else:
        if office and code is None and (both := _CODE_AND_OFFICE.fullmatch(office)):
            code, office = both[1], both[2]
        if whole and (last := _LAST_LINE.fullmatch(whole)):
            said = last["office"].strip().upper()
            if code in (None, last["code"]) and office in (None, "", said):
                whole, code, office = last["line"], last["code"], said
        line = (
            read_line(whole)
            if whole
            else read_parts(
                stated.street, stated.house, stated.stair, stated.apartment, stated.split
            )
        )
    return Address(
        addressee or line.care_of,
        line.street_line,
        line.street_name,
        line.house,
        line.stair,
        line.apartment,
        line.split,
        code or None,
        office or None,
        land,
        line.ambiguity,
    )


def postal_code(text: str, land: str = "FI") -> str:
    """A postal code without the spaces and country prefix people add in Finland; foreign as written.

    Anything else is left as it came: the rule book rejects it, nothing is guessed.
    """
    code = clean(text)
    if land != "FI":
        return code.upper()
    found = re.fullmatch(r"(?:FIN?\s?-\s?)?(\d{2})\s?(\d{3})", code, re.IGNORECASE)
    return found[1] + found[2] if found else code


def country(text: str | None) -> str:
    """ISO 3166-1 alpha-2; nothing, and Finland by any of its usual names, is FI."""
    code = clean(text or "").upper()
    return "FI" if code in _FINLAND else code


def address_key(addresses: pd.DataFrame) -> pd.Series:
    """The comparison key of each address, on the frame's index: `street|number tokens|postal code`.

    Takes street_line, street_name, house, stair, apartment and postal_code. Two spellings of one address
    have one key: case, diacritics, punctuation, `12B` or `12 b` or `12` + `B`, apartment `003` or `3`.
    The split letter of a shared flat is not part of it. Null where there is no street line.
    """
    columns = ("street_line", "street_name", "house", "stair", "apartment", "postal_code")
    texts = addresses[list(columns)].astype(object)
    rows = list(texts.where(texts.notna(), None).itertuples(index=False, name=None))
    keys = {row: _key(*row) for row in set(rows)}
    return pd.Series([keys[row] for row in rows], index=addresses.index, dtype="str")


def _key(
    line: str | None,
    street: str | None,
    house: str | None,
    stair: str | None,
    apartment: str | None,
    code: str | None,
) -> str | None:
    if line is None:
        return None
    numbers = _TOKENS.findall(" ".join(p for p in (house, stair, apartment) if p).casefold())
    tokens = " ".join(t.lstrip("0") or t for t in numbers)
    return f"{fold(street or line)}|{tokens}|{fold(code or '')}"


def _without_care_of(line: str) -> tuple[str, str | None]:
    """The line and the addressee: `Kotikatu 1 c/o Malli`, `c/o Malli, Kotikatu 1`, `c/o Malli Kotikatu 1`."""
    before, addressee = care_of(line)
    if addressee is None or before.strip(" ,;"):
        return before, addressee
    name, comma, rest = addressee.partition(",")
    if comma:
        return care_of(rest)[0].strip(), name.strip() or None
    words = addressee.split(" ")
    for i, word in enumerate(words[:-1]):
        if i and words[i + 1][0].isdigit() and _STREET_WORD.fullmatch(word):
            return care_of(" ".join(words[i:]))[0], " ".join(words[:i])
    return "", addressee


def _parts(found: re.Match[str]) -> tuple[str, str, str | None, str | None, str | None]:
    house = re.sub(r"\s", "", found["house"]).replace("–", "-")
    stair = found["stair"]
    if stair is None and house[-1].isupper() and not re.search(r"[^\W\d_]", house[:-1]):
        house, stair = house[:-1], house[-1]
    apartment = found["apartment"]
    split = found["split"]
    return (
        _street(found["street"].strip(" ,")),
        house.lower(),
        stair.upper() if stair else None,
        (apartment.lstrip("0") or None) if apartment else None,
        split.lower() if split else None,
    )


def _ambiguity(
    found: re.Match[str], parts: tuple[str, str, str | None, str | None, str | None]
) -> str | None:
    """Why a line of the grammar could as well be read otherwise (FORMATS §6, traps)."""
    _, house, stair, apartment, _ = parts
    written = found["stair"]
    if stair and (written is None or (written.islower() and apartment is None)):
        return "letter_of_house_or_stair"
    if apartment and stair is None and found["marker"] is None:
        return "apartment_without_marker"
    numbers = _RANGE.fullmatch(house)
    if numbers is not None:
        first, last = int(numbers[1]), int(numbers[2])
        if last <= first or (last - first) % 2:
            return "range_or_apartment"
    return None


def _first_name(line: str) -> tuple[str, str, str | None, str | None, str | None] | None:
    """The parts of a street written by two names, under the first: `Kauppakatu 5 / Köpmansgatan 5`.

    Both carry the same numbers, or one carries none and they end as streets do in the two languages.
    """
    pair = _PAIR.fullmatch(line)
    if pair is None:
        return None
    left, right = (_LINE.fullmatch(side) for side in pair.groups())
    if left is not None and right is not None:
        first, second = _parts(left), _parts(right)
        return first if first[1:] == second[1:] else None
    numbered = left or right
    if numbered is None:
        return None
    parts = _parts(numbered)
    names = (parts[0], pair[2]) if left is not None else (pair[1], parts[0])
    in_finnish, in_swedish = (
        [shape.fullmatch(name) is not None for name in names]
        for shape in (_FINNISH_STREET, _SWEDISH_STREET)
    )
    # one of each: `Malli Oy / Kotikatu 5` is no pair of names
    if in_finnish != [not s for s in in_swedish] or in_finnish[0] == in_finnish[1]:
        return None
    return (_street(names[0]), *parts[1:])


def _has_street_and_box(line: str) -> bool:
    sides = [side.strip() for side in re.split(r"[,;/]", line)]
    boxes = [_BOX.fullmatch(side) is not None for side in sides]
    return any(boxes) and any(
        _LINE.fullmatch(s) for s, box in zip(sides, boxes, strict=True) if not box
    )


def _street(name: str) -> str:
    # Streets that begin with an ordinal have a common noun after it: 2. linja.
    if name[0].isdigit():
        return name.lower() if name.isupper() else name
    return cased(name)


def _rendered(parts: tuple[str | None, ...]) -> str:
    return " ".join(p for p in parts if p)
