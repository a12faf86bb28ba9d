"""A pair in words, so that a person can decide, and in JSON.

Belongs here: which text says what, laying records side by side. Does not belong here: the texts
(`config/texts.yml`), what may be seen (`steps.lay_open`), the commands (`review`).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.cli.steward import cell, table

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.steps.lay_open import Outlook, Row, Side, Weighed
    from pipelines.steps.review import Decided, Opened, Waiting
    from pipelines.texts import Texts

_MARKS = {"same": "=", "partly": "≈", "differs": "≠", "": ""}
VERDICTS = ("same", "different", "unsure")
_OF_A_PAIR = frozenset({"identity", "birth", "address", "property", "role"})
"""Rows that are no field of the register's."""


def waiting_plain(pair: "Waiting") -> dict[str, Any]:
    """A pair of the queue as JSON."""
    return {
        "number": pair.review_no,
        "kind": pair.party_type,
        "likely": _coarse(pair.weighed.score) if pair.weighed else None,
        "records": pair.records,
        "since": pair.since,
        "rules": list(pair.weighed.guards) if pair.weighed else [],
        "evidence": _evidence_plain(pair.weighed),
        "unsure": dict(zip(("who", "at"), pair.unsure, strict=True)) if pair.unsure else None,
    }


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


def decided_plain(one: "Decided") -> dict[str, Any]:
    """A decision as JSON."""
    return {
        "number": one.judgement_no, "records": [one.left, one.right], "verdict": one.verdict,
        "who": one.who, "at": one.at, "reason": one.why, "authority": one.authority,
    }  # fmt: skip


def plain(opened: "Opened") -> dict[str, Any]:
    """A pair laid open, as JSON."""
    weighed = opened.weighed
    return {
        "number": opened.review_no,
        "since": opened.since,
        "kind": opened.party_type,
        "protected": opened.is_protected,
        "likely": _coarse(weighed.score) if weighed else None,
        "left": asdict(opened.left) | {"party_id": party(opened.left.party_id)},
        "right": asdict(opened.right) | {"party_id": party(opened.right.party_id)},
        "fields": [asdict(row) for row in opened.rows],
        "evidence": _evidence_plain(weighed),
        "rules": list(weighed.guards) if weighed else [],
        "looks_like": opened.picture,
        "decision": decided_plain(opened.judged) if opened.judged else None,
        "yes": {
            "customers": [party(number) for number in opened.outlook.parties],
            "survives": party(opened.outlook.parties[0]) if opened.outlook.parties else None,
            "records": opened.outlook.records,
            "never": opened.outlook.obstacle,
            "not_all": opened.outlook.is_torn,
        },
    }


def _evidence_plain(weighed: "Weighed | None") -> list[dict[str, Any]]:
    pieces = weighed.evidence if weighed else ()
    return [{"shows": said.split(), "weighs": weight} for said, weight in pieces]


def party(number: int | None) -> str | None:
    """A customer's id as a steward writes it."""
    return None if number is None else f"P{number}"


def lines(settings: "Settings", texts: "Texts", opened: "Opened") -> Iterator[str]:
    """A pair laid open, as a person would explain it."""
    say = texts.say
    yield _head(texts, opened)
    if opened.judged:
        one = opened.judged
        verdict = say(f"verdict.{one.verdict}")
        yield say(
            "review.judged", n=one.judgement_no, verdict=verdict, who=one.who,
            day=texts.day(one.at), why=cell(one.why),
        )  # fmt: skip
    if opened.is_protected:
        yield say("review.protected")
    yield ""
    rows = [*_sides_in_words(settings, texts, opened), *_rows_in_words(texts, opened.rows)]
    yield table(rows, ("", "", say("review.record", n=1), say("review.record", n=2)))
    yield say("review.key")
    yield ""
    yield from _evidence_in_words(texts, opened)
    yield ""
    yield from _outlook_in_words(texts, opened)


def _head(texts: "Texts", opened: "Opened") -> str:
    if opened.review_no is not None:
        day = texts.day(opened.since or "")
        return texts.say(f"review.head_{opened.party_type}", n=opened.review_no, day=day)
    if opened.outlook.is_one:
        return texts.say("review.head_one_customer", party=party(opened.left.party_id))
    return texts.say("review.head_two")


def _sides_in_words(
    settings: "Settings", texts: "Texts", opened: "Opened"
) -> Iterator[list[object]]:
    def row(name: str, told: Callable[["Side"], object]) -> list[object]:
        return ["", texts.say(f"review.{name}"), told(opened.left), told(opened.right)]

    def title(side: "Side") -> str:
        source = settings.sources.get(side.source)
        return source.title.in_(texts.language) if source else texts.say("review.own_notice")

    yield row("source", title)
    yield row("source_key", lambda side: side.record)
    own = [side for side in (opened.left, opened.right) if side.source == "registrations"]
    if own:
        yield row("customer_number", lambda side: side.key if side in own else None)
    yield row("party", lambda side: party(side.party_id))
    if opened.left.stated_at or opened.right.stated_at:
        yield row("source_time", lambda side: texts.day(side.stated_at) if side.stated_at else None)


def _rows_in_words(texts: "Texts", rows: Sequence["Row"]) -> Iterator[list[object]]:
    for row in rows:
        family = "review" if row.field in _OF_A_PAIR else "field"
        sides = [
            [_word(texts, row.field, value) for value in side] for side in (row.left, row.right)
        ]
        for line in range(max(map(len, sides))):
            told = [side[line] if line < len(side) else None for side in sides]
            first = line == 0
            yield [
                _MARKS[row.mark] if first else "",
                texts.say(f"{family}.{row.field}") if first else "",
                *told,
            ]


def _word(texts: "Texts", name: str, value: Mapping[str, str] | str) -> str:
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


def _evidence_in_words(texts: "Texts", opened: "Opened") -> Iterator[str]:
    say, weighed = texts.say, opened.weighed
    if weighed is None:
        yield say("review.not_compared")
        return
    yield say("review.chance", likely=likely(texts, weighed))
    if not weighed.is_current:
        yield say("review.outdated")
        return
    yield say("review.weighed") + ":"
    for said, weight in weighed.evidence:
        words = texts.evidence(said)
        told = f"{words}: {say(f'weight.{weight}')}" if weight else ""
        yield "  - " + (told or say("review.unweighed", evidence=words))
    if opened.picture:
        yield say(f"picture.{opened.picture}")
    if opened.review_no is not None:
        yield say("review.why_a_person") + ":"
        for name in weighed.guards:
            yield "  - " + say(f"guard.{name}")
        if not weighed.guards:
            yield "  - " + say("review.not_certain")


def _outlook_in_words(texts: "Texts", opened: "Opened") -> Iterator[str]:
    yield texts.say("review.what_follows") + ":"
    for verdict in VERDICTS if opened.review_no is not None else VERDICTS[:2]:
        said = texts.say(f"verdict.{verdict}")
        said = said[0].upper() + said[1:]
        what = follows(texts, verdict, opened.outlook)
        yield "  - " + texts.say("review.if", verdict=said, word=verdict, what=what)
    records = f"--records {opened.left.record} {opened.right.record}"
    yield texts.say("review.how", n=opened.review_no or records)


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


def _coarse(score: float) -> str:
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
    percent = _coarse(weighed.score)
    if percent[0] in "<>":
        return texts.say("review.below" if percent[0] == "<" else "review.above", n=percent[1:])
    return texts.say("review.percent", n=percent)
