"""A pair in words, so that a person can decide, and in JSON.

Belongs here: which text says what, laying records side by side. Does not belong here: the texts
(`config/texts.yml`), what may be seen (`steps.lay_open`), the commands (`review`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pipelines.cli.steward import cell, table
from pipelines.pair_words import MARKS, VERDICTS, coarse, field, follows, likely, party, title, word

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from pipelines.steps.lay_open import Row, Side, Weighed
    from pipelines.steps.review import Decided, Opened, Waiting
    from pipelines.texts import Texts


def waiting_plain(pair: "Waiting") -> dict[str, Any]:
    """A pair of the queue as JSON."""
    return {
        "number": pair.review_no,
        "kind": pair.party_type,
        "likely": coarse(pair.weighed.score) if pair.weighed else None,
        "records": pair.records,
        "since": pair.since,
        "rules": list(pair.weighed.guards) if pair.weighed else [],
        "evidence": _evidence_plain(pair.weighed),
        "unsure": dict(zip(("who", "at"), pair.unsure, strict=True)) if pair.unsure else None,
    }


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
        "likely": coarse(weighed.score) if weighed else None,
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

    yield row("source", lambda side: title(settings, texts, side))
    yield row("source_key", lambda side: side.record)
    own = [side for side in (opened.left, opened.right) if side.source == "registrations"]
    if own:
        yield row("customer_number", lambda side: side.key if side in own else None)
    yield row("party", lambda side: party(side.party_id))
    if opened.left.stated_at or opened.right.stated_at:
        yield row("source_time", lambda side: texts.day(side.stated_at) if side.stated_at else None)


def _rows_in_words(texts: "Texts", rows: Sequence["Row"]) -> Iterator[list[object]]:
    for row in rows:
        sides = [
            [word(texts, row.field, value) for value in side] for side in (row.left, row.right)
        ]
        for line in range(max(map(len, sides))):
            told = [side[line] if line < len(side) else None for side in sides]
            first = line == 0
            yield [
                MARKS[row.mark] if first else "",
                field(texts, row.field) if first else "",
                *told,
            ]


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
