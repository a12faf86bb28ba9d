"""A pair of records in words, for a terminal and for the desk.

Belongs here: which text says what of a pair. Does not belong here: the texts (`config/texts.yml`), what may be seen
(`steps.lay_open`), how it is laid out (`cli.pairs`, `desk`).
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.steps.lay_open import Outlook, Side, Weighed
    from pipelines.steps.review import Waiting
    from pipelines.texts import Texts

MARKS = {"same": "=", "partly": "≈", "differs": "≠", "": ""}
VERDICTS = ("same", "different", "unsure")
_OF_A_PAIR = frozenset({"identity", "birth", "address", "property", "role"})
"""Rows that are no field of the register's."""


def rules_in_short(texts: "Texts", pair: "Waiting") -> str:
    """Which rules want a person, in a word each; first, that somebody was unsure."""
    guards = pair.weighed.guards if pair.weighed else ()
    said = [texts.say(f"guard_in_short.{name}") for name in guards]
    if pair.unsure:
        who, at = pair.unsure
        said.insert(0, texts.say("review.unsure", who=who, day=texts.day(at)))
    return ", ".join(said)


def main_evidence(texts: "Texts", weighed: "Weighed | None") -> str:
    """What speaks most for one party and, where something does, what speaks most against it."""
    if weighed is None or not weighed.evidence:
        return ""
    first, last = weighed.evidence[0], weighed.evidence[-1]
    if last[1] in ("against", "strongly_against") and last != first:
        sides = {"one": texts.evidence(first[0]), "other": texts.evidence(last[0])}
        return texts.say("review.for_and_against", **sides)
    return texts.evidence(first[0])


def party(number: int | None) -> str | None:
    """A customer's id as a steward writes it."""
    return None if number is None else f"P{number}"


def title(settings: "Settings", texts: "Texts", side: "Side") -> str:
    """The source of a record as a steward knows it."""
    source = settings.sources.get(side.source)
    return source.title.in_(texts.language) if source else texts.say("review.own_notice")


def field(texts: "Texts", name: str) -> str:
    """What a row of a pair is about."""
    return texts.say(f"{'review' if name in _OF_A_PAIR else 'field'}.{name}")


def word(texts: "Texts", name: str, value: Mapping[str, str] | str) -> str:
    """A value as a person says it; what people and registers wrote stays as they wrote it."""
    if isinstance(value, str):
        if name in ("identity", "birth") or value == "hidden":
            return texts.say(f"review.{value}")
        if name == "name_role":
            return texts.say(f"value.{value}")
        return texts.day(value) if name == "death_date" else value
    told = [_role(texts, value) if name == "role" else _address(texts, value)]
    if value.get("valid_from"):
        told.append(texts.say("review.from", day=texts.day(value["valid_from"])))
    if value.get("valid_to"):
        # kept half-open: the first day it no longer holds
        last = date.fromisoformat(value["valid_to"]) - timedelta(days=1)
        told.append(texts.say("review.until", day=texts.day(last.isoformat())))
    return ", ".join(told)


def _role(texts: "Texts", value: Mapping[str, str]) -> str:
    role = texts.say(f"role.{value['role_type']}")
    point = value.get("point_source_key")
    return texts.say("review.at_point", role=role, point=point) if point else role


def _address(texts: "Texts", value: Mapping[str, str]) -> str:
    place = " ".join(value[n] for n in ("postal_code", "post_office") if n in value)
    parts = [value.get("care_of"), value.get("street_line"), place]
    kind = texts.say(f"value.{value['address_type']}") if "address_type" in value else ""
    return ", ".join(part for part in parts if part) + (f" ({kind})" if kind else "")


def follows(texts: "Texts", verdict: str, outlook: "Outlook") -> str:
    """What a verdict does to the customers it concerns."""
    say, ids = texts.say, [str(party(number)) for number in outlook.parties]
    if verdict == "unsure":
        return say("review.unsure_stays")
    if verdict == "different":
        if not outlook.is_one:
            return say("review.no_stays")
        return say("review.no_parts", party=ids[0], n=outlook.records)
    if outlook.obstacle:
        return say(f"review.never_{outlook.obstacle}")
    if outlook.is_one:
        return say("review.yes_stays", party=ids[0], n=outlook.records)
    if outlook.is_torn:
        return say("review.yes_conflict", parties=_listed(texts, ids))
    if len(ids) < 2:
        return say("review.yes_new")
    return say(
        "review.yes_merges",
        parties=_listed(texts, ids),
        n=outlook.records,
        survivor=ids[0],
        others=_listed(texts, ids[1:]),
    )


def _listed(texts: "Texts", ids: Sequence[str]) -> str:
    *first, last = ids
    return texts.say("review.and", one=", ".join(first), other=last) if first else last


def coarse(score: float) -> str:
    """A chance in percent as coarse as it is meant."""
    percent = score * 100
    for floor in (1, 5):
        if percent < floor:
            return f"<{floor}"
    for ceiling in (99, 95):
        if percent > ceiling:
            return f">{ceiling}"
    return str(round(percent / 5) * 5)


def likely(texts: "Texts", weighed: "Weighed | None") -> str:
    """How likely two records are one party, in words; nothing where they were never compared."""
    if weighed is None:
        return ""
    percent = coarse(weighed.score)
    if percent[0] in "<>":
        return texts.say("review.below" if percent[0] == "<" else "review.above", n=percent[1:])
    return texts.say("review.percent", n=percent)
