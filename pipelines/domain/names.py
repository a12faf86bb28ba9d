"""How the name of a customer is read, stored and compared.

Belongs here: a line of text made fit to store, a person's or an organisation's name out of the line a
clerk typed, and the folded form used for comparing. Does not belong here: which of two names wins
(`survivorship`), or whether two names mean one party (`matching`).

Stored names keep their own letters: Mäki is not Maki (FORMATS §6). Only `fold` drops diacritics, and what
it returns is for comparing, never for showing.
"""

import re
import unicodedata
from typing import NamedTuple

NAME_MAX = 250

# Tab and line breaks are white space in somebody's cell; every other control character, and half a
# surrogate pair, is a damaged file.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_LETTERS = re.compile(r"[^\W\d_]+")
_NOT_ALNUM = re.compile(r"[\W_]+")
_CARE_OF = re.compile(r"(?:(?<![^\W\d_])c\s?/\s?o\b\.?:?|℅)", re.IGNORECASE)
_ESTATE = re.compile(
    r"(?<!\w)(?:jakamaton kuolinpesä|kuolinpesän osakkaat|kuolinpesä|kuolinp|perikunta|"
    r"dödsboet efter|(?:oskiftat )?dödsbo(?:et)?|sterbhus|kp|dbo)(?!\w)\.?",
    re.IGNORECASE,
)
# omaa sukua, född, entinen; of the shortest ones a capital letter is an initial.
_NOBLE = r"(?:(?:von|af|av|de|van) (?:(?:der|den|la|und zu) )?)"
_NAME = rf"{_NOBLE}?[^\W\d_](?:[^\W\d_]|['’\-](?=[^\W\d_]))*"
_FORMER = re.compile(
    rf"\(?(?<!\w)(?:(?i:o\.\s?s\.?|os\.|omaa\ssukua|född|ent\.|entinen|ent)\s"
    rf"|(?<![^\s(])[fe]\.\s?(?={_NOBLE}?[A-ZÅÄÖ]))(?P<name>{_NAME})(?!\w)\)?"
)
_INITIALS = re.compile(r"\(?O\.\s?S")
# How forms and clerks mark the name somebody is called by.
_CALLED = re.compile(
    r"(?<![\w*])(?:\*(?P<star>[^\W_]+)\*?|(?P<after>[^\W_]+)\*|_(?P<line>[^\W_]+)_)(?![\w*])"
)
_QUOTED = re.compile(
    r"(?<!\w)[\"“”„]([^\W_]+)[\"“”](?!\w)"
)  # maybe no given name: it stays as written
_HALF_SPACED = re.compile(r"^([^\W\d_]+)(?:\s[-‐‑]|[-‐‑]\s)([^\W\d_]+)(?=[\s,]+[^\W\d_])")
_ODD_HYPHENS = re.compile(r"(?<=[^\W\d_])[‐‑](?=[^\W\d_])")
_MARKS = (_FORMER, _CALLED, _HALF_SPACED)
_MARKING = ("omaa", "född", "ent", "- ", " -")
_EDGES = " ,;:/&+*"
_FOLDED = str.maketrans(
    {"ø": "o", "đ": "d", "ð": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)

_PARTICLES = frozenset(
    {"von", "af", "av", "de", "del", "della", "dos", "van", "ter", "du", "di", "da", "zu", "zur"}
)
_AFTER_PARTICLE = frozenset({"der", "den", "la", "und", "zu", "van"})
_SMALL = _PARTICLES | {"der", "den", "la", "ja", "och"}

_FORMS = {
    "oy": "Oy", "ab": "Ab", "oyj": "Oyj", "abp": "Abp", "ky": "Ky", "kb": "Kb", "tmi": "Tmi",
    "osk": "Osk", "ry": "ry", "rf": "rf", "koy": "Koy", "ltd": "Ltd",
}  # fmt: skip
_SPELLINGS = (
    (re.compile(r"(?<!\w)as\.? ?oy(?!\w)\.?", re.IGNORECASE), "As Oy"),
    (re.compile(r"(?<!\w)asunto[ -]?(?:oy|osakeyhtiö)(?!\w)\.?", re.IGNORECASE), "Asunto Oy"),
    (
        re.compile(r"(?<!\w)bost(?:ads)?\.?[ -]?(?:ab|aktiebolag(?:et)?)(?!\w)\.?", re.IGNORECASE),
        "Bostads Ab",
    ),
    (
        re.compile(r"(?<!\w)kiint(?:eistö)?\.?[ -]?(?:oy|osakeyhtiö)(?!\w)\.?", re.IGNORECASE),
        "Kiinteistö Oy",
    ),
    (re.compile(r"(?<!\w)(?:tmi|t:mi|toiminimi)(?!\w)\.?", re.IGNORECASE), "Tmi"),
    (re.compile(r"(?<!\w)r\.? ?y(?!\w)\.?", re.IGNORECASE), "ry"),
    (re.compile(r"(?<!\w)r\.? ?f(?!\w)\.?", re.IGNORECASE), "rf"),
    (re.compile(r"(?<!\w)o\.y(?!\w)\.?", re.IGNORECASE), "Oy"),
)
_FORM = re.compile(rf"(?<!\w)(?:{'|'.join(_FORMS)})(?!\w)\.?", re.IGNORECASE)
# Another name of the same firm (Kaupparekisterilaki 129/1979 calls it aputoiminimi), which is not its name.
_AUXILIARY = re.compile(
    r"[\s,;(]+(?:aputoiminimi|aputmi|rinnakkaistoiminimi|bifirma|parallellfirma)[.:]?\s+"
    r"(?P<name>[^()]*[^\s()])\)?\s*$",
    re.IGNORECASE,
)
_ORGANISATION = re.compile(
    rf"(?<!\w)(?:{'|'.join(_FORMS)}|t:mi|toiminimi|r\.y|r\.f|o\.y|asoy)(?!\w)"
    r"|(?:säätiö|seurakunta|yhdistys|osuuskunta|tiekunta|hoitokunta|yhtymä|osakeyhtiö|kaupunki|"
    r"kunta|stiftelse|församling|förening|andelslag|aktiebolag)(?!\w)",
    re.IGNORECASE,
)


class PersonName(NamedTuple):
    """A person's name in parts.

    care_of: what stood in the line after c/o. called_name: the given name that was marked as the one in use.
    former_name: the family name borne before, where the line told it; nothing keeps it.
    """

    family_name: str | None
    given_names: str | None
    name_role: str | None = None
    care_of: str | None = None
    called_name: str | None = None
    former_name: str | None = None

    @property
    def line(self) -> str:
        """The line that reads back as the same family name and given names."""
        return ", ".join(part for part in (self.family_name, self.given_names) if part)


class OrganisationName(NamedTuple):
    """An organisation's name as stored.

    care_of: what stood in the line after c/o. auxiliary_name: another name it trades under; nothing keeps it.
    """

    organisation_name: str | None
    name_role: str | None = None
    care_of: str | None = None
    auxiliary_name: str | None = None


def has_control_characters(text: str) -> bool:
    """Whether the text holds what no register's field ever should: a sign of a damaged file."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def clean(text: str) -> str:
    """The text in NFC, white space collapsed, invisible format characters gone; may be empty."""
    if not text.isprintable():
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")
    return " ".join(unicodedata.normalize("NFC", text).split())


def fold(text: str) -> str:
    """The form names and streets are compared in: no case, diacritics or punctuation, single spaces.

    Folding twice is folding once. `Mäki-Petäjä` and `MAKI PETAJA` fold alike, so two equal folds are a
    reason to look at the names, not proof.
    """
    bare = text.casefold()
    if not bare.isascii():
        bare = "".join(
            c for c in unicodedata.normalize("NFKD", bare) if not unicodedata.combining(c)
        )
        bare = unicodedata.normalize("NFKC", bare).casefold().translate(_FOLDED)
    return _NOT_ALNUM.sub(" ", bare).strip()


def cased(text: str, acronyms: bool = False) -> str:
    """ALL CAPITALS or all lower case turned into capitalised words; mixed text is left alone.

    Particles and conjunctions before another word stay small (von Essen, Matti ja Liisa).
    acronyms: leave capital words of up to three letters as they are (LVI, ABB), for organisations.
    """
    if text.isupper():
        keep = 3 if acronyms else 0
    elif text.islower():
        keep = 0
    else:
        return text
    words = text.split(" ")
    last = len(words) - 1
    return " ".join(
        word.lower()
        if i < last and word.lower() in _SMALL
        else _LETTERS.sub(lambda m: m[0] if len(m[0]) <= keep else _capitalised(m[0]), word)
        for i, word in enumerate(words)
    )


def part(text: str) -> str | None:
    """A family name, given names or called name that already stands alone in its field."""
    return cased(clean(text)) or None


def care_of(text: str) -> tuple[str, str | None]:
    """The line before its first c/o, and what came after (None when there is none)."""
    before, *after = _CARE_OF.split(text, maxsplit=1)
    if not after:
        return text, None
    return before.strip(_EDGES), after[0].strip(_EDGES) or None


def person_name(line: str) -> PersonName:
    """A whole-line name, family name first as a clerk types it, or `Family, Given`.

    An estate's marker (kuolinpesä, kp, dödsbo, perikunta) becomes the role and leaves the name, and so do a
    former family name (o.s. Mäkinen) and the mark of the called name (Matti *Juhani). Particles stay with the
    family name that follows them. A single word is a family name. Never raises.
    """
    name = _read_person(line)
    while _may_be_marked(name.line) and any(mark.search(name.line) for mark in _MARKS):
        again = _read_person(name.line)  # what was dropped between two words hid a mark
        if again[:2] == name[:2]:
            break
        name = PersonName(*again[:2], *(a or b for a, b in zip(name[2:], again[2:], strict=True)))
    return name


def _may_be_marked(text: str) -> bool:
    """Whether anything but letters, spaces, hyphens and commas stands in a name, or one of the marking words."""
    if not text.replace(" ", "").replace("-", "").replace(",", "").isalpha():
        return True
    lower = text.lower()
    return any(word in lower for word in _MARKING)


def _read_person(line: str) -> PersonName:
    text, addressee = care_of(clean(line))
    former = called = None
    is_marked = _may_be_marked(text)
    if is_marked:
        text, called = _without_marks(text)
        text = _with_plain_hyphens(text)
    text, is_estate = _without_estate(text)
    if is_marked:
        text, former = _without_former(text)
        text, is_another = _without_estate(text)
        is_estate = is_estate or is_another
    family, _, given = text.partition(",")
    family, given = family.strip(_EDGES), given.strip(_EDGES)
    if not (family and given):
        words = [word for word in text.replace(",", " ").split() if word.strip(_EDGES)]
        if is_estate and len(words) > 1 and words[-1].casefold().endswith("sen"):
            # "Matti Virtasen kuolinpesä": the one genitive that can't be a given name
            words = [words[-1][:-3] + ("NEN" if words[-1].isupper() else "nen"), *words[:-1]]
        cut = _family_words(words)
        family, given = " ".join(words[:cut]), " ".join(words[cut:])
    family, given = (" ".join(p.replace(",", " ").split()).strip(_EDGES) for p in (family, given))
    return PersonName(
        cased(family) or None,
        cased(given) or None,
        "death_estate" if is_estate else None,
        addressee,
        cased(called) if called and is_among(called, given) else None,
        cased(former) if former else None,
    )


def is_among(called: str, given_names: str) -> bool:
    """Whether a called name is one of the given names, or a part of one that has a hyphen."""
    return set(fold(called).split()) <= set(fold(given_names).split())


def organisation_name(line: str) -> OrganisationName:
    """An organisation's name with its legal form spelt one way (Oy, Ab, Ky, Tmi, As Oy, Asunto Oy, ry, Oyj).

    The form is kept: `Humppilan Sähkö Oy` and `Humppilan Sähkö Ky` are two companies. An auxiliary name is no
    part of it. Never raises.
    """
    text, addressee = care_of(clean(line))
    text, is_estate = _without_estate(text)
    text, auxiliary = _without_auxiliary(text)
    text = cased(text, acronyms=True)
    for spelling, shown in _SPELLINGS:
        text = spelling.sub(shown, text)
    text = _FORM.sub(lambda m: _FORMS[m[0].rstrip(".").lower()], text)
    return OrganisationName(
        " ".join(text.split()) or None,
        "death_estate" if is_estate else None,
        addressee,
        auxiliary,
    )


def names_organisation(line: str) -> bool:
    """Whether the line carries a legal form or a word only organisations are called by."""
    return _ORGANISATION.search(clean(line)) is not None


def names_estate(line: str) -> bool:
    """Whether the line carries a death estate's marker."""
    return _ESTATE.search(clean(line)) is not None


def _without_estate(text: str) -> tuple[str, bool]:
    is_estate = False
    while (found := _ESTATE.search(text)) is not None:
        is_estate = True
        before, after = text[: found.start()].rstrip(" ("), text[found.end() :].lstrip(" )")
        text = " ".join(f"{before} {after}".split())
    return text.strip(_EDGES), is_estate


def _without_former(text: str) -> tuple[str, str | None]:
    """The line without a family name borne before, and that name (the first of several)."""
    former, at = None, 0
    while (found := _FORMER.search(text, at)) is not None:
        before, after = text[: found.start()].rstrip(" ("), text[found.end() :].lstrip(" )")
        # O.S. in capitals are initials, unless a whole name stands before them in capitals too
        words = _LETTERS.findall(before)
        in_capitals = text.isupper() and len(words) > 1 and max(map(len, words)) > 1
        if not before or (_INITIALS.match(found[0]) and not in_capitals):
            at = found.start() + 1
            continue
        former = former or found["name"]
        text = f"{before}{'' if after.startswith(',') else ' '}{after}".strip()
        at = 0
    return text, former


def _without_marks(text: str) -> tuple[str, str | None]:
    """The line without marks of a called name, and that name; where several are marked, none is."""
    marked: list[str] = []

    def unmarked(found: re.Match[str]) -> str:
        marked.append(next(word for word in found.groups() if word))
        return marked[-1]

    while (bare := _CALLED.sub(unmarked, text)) != text:
        text = bare
    marked += _QUOTED.findall(text)
    return text, marked[0] if len(marked) == 1 else None


def _with_plain_hyphens(text: str) -> str:
    """One hyphen for the kinds of it, and none with a space on one side in a family name: Mäki- Petäjä."""
    return _HALF_SPACED.sub(r"\1-\2", _ODD_HYPHENS.sub("-", text))


def _without_auxiliary(text: str) -> tuple[str, str | None]:
    auxiliary = None
    while (found := _AUXILIARY.search(text)) is not None and text[: found.start()].strip():
        auxiliary, text = found["name"], text[: found.start()].rstrip(" ,;(")
    return text, auxiliary


def _family_words(words: list[str]) -> int:
    """How many of the words, from the left, are the family name."""
    if len(words) > 2 and words[0].lower() in _PARTICLES:
        cut = 1
        while cut < len(words) - 2 and words[cut].lower() in _AFTER_PARTICLE:
            cut += 1
        return cut + 1
    return 1


def _capitalised(word: str) -> str:
    # A letter whose capital is several letters (ß, ŉ) would change again the next time.
    first = word[0].title()
    return (first if len(first) == 1 else word[0]) + word[1:].lower()
