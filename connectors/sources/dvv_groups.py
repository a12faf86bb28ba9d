"""What the groups (tietoryhmät) of one DVV message say, in the hub's declared words.

Belongs here: which groups are asked for, which are known and not wanted, and how each is read
(FORMATS.md §1.1). Does not belong here: HTTP, paging, identity codes, tokens, who is asked about.

Nothing here raises on what DVV sends, and nothing depends on the order of groups. An incomplete or
impossible date is an unknown date; a restriction stated in any way but plainly is a restriction (R56,
DESIGN 12).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, TypeAlias

from connectors.countries import alpha_2

Group: TypeAlias = Mapping[str, object]
Address: TypeAlias = dict[str, str]

_ADDRESS_TYPES = {
    "KOTIMAINEN_POSTIOSOITE": "postal",
    "TILAPAINEN_KOTIMAINEN_OSOITE": "temporary",
    "TILAPAINEN_ULKOMAINEN_OSOITE": "temporary",
    "VAKINAINEN_KOTIMAINEN_OSOITE": "permanent",
    "VAKINAINEN_ULKOMAINEN_OSOITE": "permanent",
}
_STATING = frozenset({"HENKILON_NIMI", "KUOLINPAIVA", "TURVAKIELTO", *_ADDRESS_TYPES})

# NIMENMUUTOS would bring maiden and other former names, which nobody here needs: it tells that a name
# changed and is not asked for. The two languages only choose between the texts of an address.
ASKED_GROUPS = (
    *sorted(_STATING),
    "ASIOINTIKIELI",
    "AIDINKIELI",
    "HENKILOTUNNUS_KORJAUS",
    "KUTSUMANIMI",
)
_WANTED = frozenset({*ASKED_GROUPS, "NIMENMUUTOS", "NIMENMUUTOS_LAAJA"})
_UNWANTED = frozenset(
    {
        "EDELLINEN_KOTIKUNTA",
        "KANSALAISUUS",
        "KOTIKUNTA",
        "SAHKOPOSTIOSOITE",  # R13: an update service is heard on names and addresses only
        "SIVIILISAATY",
        "SUKUPUOLI",
        "SYNTYMAKOTIKUNTA",
        "SYNTYMAPAIVA",
        "USKONTOKUNTALAJI",
        "VAESTOKIRJANPITOKUNTA",
        "VAKINAINEN_KOTIMAINEN_ASUINPAIKKATUNNUS",
    }
)
_UNWANTED_FAMILIES = ("HUOLLETTAVA", "HUOLTAJA", "LAPSI")
_PLAIN_NAME = re.compile(r"[A-Z0-9_]{1,60}")
_RESTRICTED = "turvakiellonAlaisetKentat"


@dataclass(frozen=True)
class Status:
    """What the groups state of restriction and death; None = not stated."""

    protection: Literal["on", "off"] | None = None
    protection_until: str | None = None
    is_deceased: bool | None = None
    death_date: str | None = None


@dataclass(frozen=True, repr=False)
class Correction:
    """A corrected identity code, as written: the one in force and those it replaced."""

    active: str | None
    earlier: tuple[str, ...]


def group_name(group: Group) -> str:
    """The group's name, or "unnamed" if it has none that is fit for a log."""
    name = group.get("tietoryhma")
    return name if isinstance(name, str) and _PLAIN_NAME.fullmatch(name) else "unnamed"


def sort_of(group: Group) -> Literal["wanted", "unwanted", "unknown"]:
    """wanted: maps to a declared field; unwanted: known, the notice needs nothing of it; unknown: not
    heard of, or a death that is neither true nor false."""
    name = group_name(group)
    if name == "KUOLINPAIVA" and not isinstance(group.get("kuollut"), bool):
        return "unknown"
    if name in _WANTED:
        return "wanted"
    known = name in _UNWANTED or name.startswith(_UNWANTED_FAMILIES)
    return "unwanted" if known else "unknown"


def is_change(group: Group) -> bool:
    """Whether the group tells of a change that may touch a declared field (LISATIETO is context)."""
    sort = sort_of(group)
    if sort == "unknown" or _RESTRICTED in group:
        return True
    return sort == "wanted" and group.get("muutosattribuutti") != "LISATIETO"


def states_something(groups: Sequence[Group]) -> bool:
    """Whether base data says anything of the person; for a retired code it doesn't."""
    return any(group_name(g) in _STATING or _RESTRICTED in g for g in groups)


def status(groups: Sequence[Group]) -> Status:
    """Restriction and death as stated by the groups of one change or of base data.

    Restriction is "off" only where every TURVAKIELTO says false and nothing else speaks of it. The
    value that a correction replaces (KORJATTAVA beside KORJATTU) is not a statement; a removed
    (POISTETTU) death is a reversal.
    """
    orders = _standing(groups, "TURVAKIELTO")
    lifted = [g.get("turvakieltoAktiivinen") is False for g in orders]
    protection: Literal["on", "off"] | None = None
    until = None
    if not all(lifted) or any(_RESTRICTED in g for g in groups):
        protection = "on"
        ends = [
            day(g.get("turvaLoppuPv")) for g, off in zip(orders, lifted, strict=True) if not off
        ]
        known = [end for end in ends if end is not None]
        until = max(known) if known and len(known) == len(ends) else None
    elif orders:
        protection = "off"
    deaths = [g for g in _standing(groups, "KUOLINPAIVA") if isinstance(g.get("kuollut"), bool)]
    dead = [g for g in deaths if g["kuollut"] is True and g.get("muutosattribuutti") != "POISTETTU"]
    days = [d for d in (day(g.get("kuolinpv")) for g in dead) if d is not None]
    return Status(protection, until, bool(dead) if deaths else None, max(days) if days else None)


def hides_addresses(groups: Sequence[Group]) -> bool:
    """Address groups are there and every one is empty: how a restriction looks to some receivers."""
    mine = [g for g in groups if group_name(g) in _ADDRESS_TYPES]
    return bool(mine) and not any(_parts(g, False) for g in mine)


def correction(groups: Sequence[Group]) -> Correction:
    """The code in force and the retired ones, from every HENKILOTUNNUS_KORJAUS (it may be empty)."""
    active, earlier = None, []
    for group in groups:
        if group_name(group) == "HENKILOTUNNUS_KORJAUS":
            active = _text(group.get("aktiivinenHenkilotunnus"), False) or active
            former = group.get("edellisetHenkilotunnukset")
            listed = former if isinstance(former, list) else []
            earlier += [
                c for c in [group.get("muutettuHenkilotunnus"), *listed] if isinstance(c, str)
            ]
    return Correction(active, tuple(c for c in earlier if c != active))


def name(groups: Sequence[Group], today: str) -> dict[str, str]:
    """family_name, given_names, called_name: those in force on the ISO date `today`."""
    found: dict[str, str | None] = {}
    full = _in_force([g for g in groups if group_name(g) == "HENKILON_NIMI"], today)
    if full:
        found["family_name"] = _text(full.get("sukunimiUTF8") or full.get("sukunimi"), False)
        found["given_names"] = _text(full.get("etunimiUTF8") or full.get("etunimi"), False)
    called = _in_force([g for g in groups if g.get("nimilaji") == "NYKYINEN_KUTSUMANIMI"], today)
    if called:
        found["called_name"] = _text(called.get("nimiUTF8") or called.get("nimi"), False)
    return {field: text for field, text in found.items() if text}


def addresses(groups: Sequence[Group], today: str) -> list[Address]:
    """Every address with its dates, ended and future ones too; the register chooses, by date.

    Text in Swedish where that is the person's language, else in Finnish; the other when one is missing.
    DVV's last day in force becomes the first day no longer (valid_to).
    """
    swedish = _language(groups, today) == "sv"
    found: dict[tuple[tuple[str, str], ...], Address] = {}
    for group in groups:
        parts = _parts(group, swedish)
        if parts:
            dates = {
                "valid_from": day(group.get("alkupv")),
                "valid_to": _day_after(group.get("loppupv")),
            }
            stated = {k: v for k, v in dates.items() if v}
            one = {"address_type": _ADDRESS_TYPES[group_name(group)], **parts, **stated}
            found[tuple(sorted(one.items()))] = one
    return [found[key] for key in sorted(found)]


def day(value: object) -> str | None:
    """A complete DVV date ({"arvo": …, "tarkkuus": "PAIVA"}) as ISO text; anything else is None."""
    if not isinstance(value, dict) or value.get("tarkkuus", "PAIVA") != "PAIVA":
        return None
    written = value.get("arvo")
    try:
        read = date.fromisoformat(written).isoformat() if isinstance(written, str) else None
    except ValueError:
        return None
    return read if read == written else None  # Python also reads 20260501 and 2026-W18-5


def instant(value: object) -> str | None:
    """A time with its zone as "YYYY-MM-DDTHH:MM:SSZ"; without a zone nobody can say when: None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            return None
        return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
    except (ValueError, OverflowError):
        return None


def _day_after(value: object) -> str | None:
    last = day(value)
    if last is None or last == date.max.isoformat():
        return None
    return (date.fromisoformat(last) + timedelta(days=1)).isoformat()


def _standing(groups: Iterable[Group], wanted: str) -> list[Group]:
    """The groups of that name, less the old value where its correction stands beside it."""
    mine = [g for g in groups if group_name(g) == wanted]
    if any(g.get("muutosattribuutti") == "KORJATTU" for g in mine):
        return [g for g in mine if g.get("muutosattribuutti") != "KORJATTAVA"]
    return mine


def _in_force(groups: Iterable[Group], today: str) -> Group | None:
    """The latest begun of the groups that hold today; an unknown start is the earliest."""
    holding = [
        g
        for g in groups
        if (day(g.get("alkupv")) or "") <= today and (day(g.get("loppupv")) or today) >= today
    ]
    return max(holding, key=lambda g: (day(g.get("alkupv")) or "", repr(g)), default=None)


def _language(groups: Sequence[Group], today: str) -> str | None:
    for wanted in ("ASIOINTIKIELI", "AIDINKIELI"):
        stated = _in_force([g for g in groups if group_name(g) == wanted], today)
        if stated:
            return _text(stated.get("kielikoodi"), False)
    return None


def _text(value: object, swedish: bool) -> str | None:
    """One line from a text, a number or a {"fi", "sv"} pair; None when blank."""
    if isinstance(value, dict):
        ours, other = ("sv", "fi") if swedish else ("fi", "sv")
        return _text(value.get(ours), swedish) or _text(value.get(other), swedish)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return " ".join(value.split()) or None if isinstance(value, str) else None


def _parts(group: Group, swedish: bool) -> Address:
    """The parts of an address under declared names, {} for any other or an empty group."""
    kind = group_name(group)
    if kind not in _ADDRESS_TYPES:
        return {}

    def text(key: str) -> str | None:
        return _text(group.get(key), swedish)

    parts: dict[str, str | None]
    if kind.endswith("_ULKOMAINEN_OSOITE"):
        code = text("valtiokoodi")
        country = alpha_2(code) if code else None
        named = None if country else text("valtionimi")
        place = ", ".join(p for p in (text("paikkakunta"), named) if p)
        parts = {"line": text("lahiosoite"), "post_office": place, "country": country}
    else:
        parts = {
            "line": text("postiosoite"),
            "street": text("katunimi"),
            "house": text("katunumero"),
            "stair": text("huoneistokirjain"),
            "apartment": (text("huoneistonumero") or "").lstrip("0"),
            "split": text("jakokirjain"),
            "postal_code": text("postinumero"),
            "post_office": text("postitoimipaikka"),
        }
        parts["country"] = "FI" if any(parts.values()) else None
    return {field: value for field, value in parts.items() if value}
