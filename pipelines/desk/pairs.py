"""Parit: the queue without names, one pair side by side, a verdict tried out and given.

Belongs here: laying a pair out for a browser. Does not belong here: what of it may be seen (`steps.lay_open`), what a
verdict does (`steps.judge`, `steps.foresee_verdict`), words (`pair_words`, `config/texts.yml`).
"""

from collections.abc import Iterator
from typing import get_args

from starlette.responses import Response

from pipelines import pair_words
from pipelines.desk import second
from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import EVERYBODY, PEOPLE, Page, Visit, worded
from pipelines.steps.decide import Undecidable
from pipelines.steps.foresee_verdict import foresee_verdict
from pipelines.steps.judge import Verdict, judge
from pipelines.steps.lay_open import Row
from pipelines.steps.review import Opened, show, waiting

_SHOWN = 25


def queue(visit: Visit) -> Response:
    """GET /pairs: what waits, most at stake first."""
    pairs, total = waiting(visit.night, _SHOWN)
    rows = [
        {
            "number": pair.review_no,
            "kind": visit.texts.say(f"value.{pair.party_type}"),
            "likely": pair_words.likely(visit.texts, pair.weighed),
            "since": visit.texts.day(pair.since),
            "rules": pair_words.rules_in_short(visit.texts, pair),
            "evidence": pair_words.main_evidence(visit.texts, pair.weighed),
        }
        for pair in pairs
    ]
    return visit.page(
        "pairs.html", rows=rows, more=total - len(rows), sees=visit.person.role in PEOPLE
    )


def one(visit: Visit) -> Response:
    """POST /pair: two records side by side."""
    opened = show(visit.night, visit.number("number"), None, visit.who, visit.why)
    return _laid_out(visit, opened)


def preview(visit: Visit) -> Response:
    """POST /pair/preview: what the verdict would do, before it is given."""
    number, verdict, reason = visit.number("number"), _verdict(visit), visit.form.get("reason", "")
    opened = show(visit.night, number, None, visit.who, visit.why)
    if not reason:
        return _laid_out(visit, opened, missing=True)
    authority = visit.form.get("authority") or None
    with visit.alone() as is_alone:
        try:
            outcome = foresee_verdict(
                visit.night, number, verdict, who=visit.who, why=reason, authority=authority
            ) if is_alone else None  # fmt: skip
        except Undecidable as no:
            return _laid_out(visit, opened, no=worded(visit.texts, no))
    facts = {"number": str(number), "verdict": verdict, "reason": reason}
    if authority:
        facts["authority"] = authority
    act = "/pair/ask" if opened.is_protected else "/pair/decide"
    return visit.page(
        "verdict.html",
        number=number,
        verdict=verdict,
        reason=reason,
        facts=facts,
        act=act,
        is_protected=opened.is_protected,
        follows=pair_words.follows(visit.texts, verdict, opened.outlook),
        told=list(visit.bills(outcome.tonight, outcome.as_it_is)) if outcome else None,
        seal=visit.seal(act, facts),
    )


def decide(visit: Visit) -> Response:
    """POST /pair/decide: the verdict, as it was previewed."""
    done = judge(
        visit.night, visit.number("number"), None, _verdict(visit),
        who=visit.who, why=visit.form["reason"], authority=visit.form.get("authority"),
    )  # fmt: skip
    return visit.done(
        visit.texts.say(
            "review.decided",
            n=done.judgement_no,
            verdict=visit.texts.say(f"verdict.{visit.form['verdict']}"),
        ),
        "/pairs",
        "desk.pair.next",
        visit.texts.say("desk.pair.take_back"),
    )


def ask(visit: Visit) -> Response:
    """POST /pair/ask: of a pair with a protective order a second person decides."""
    return second.ask(visit, "pair", dict(visit.form))


def _verdict(visit: Visit) -> Verdict:
    word = visit.form.get("verdict", "")
    for verdict in get_args(Verdict):
        if word == verdict:
            return verdict  # type: ignore[no-any-return]
    raise FormRefused("unreadable")


# ---- laying out


def _laid_out(visit: Visit, opened: Opened, *, missing: bool = False, no: str = "") -> Response:
    texts, weighed = visit.texts, opened.weighed
    number = opened.review_no or 0
    return visit.page(
        "pair.html",
        status=200 if not (missing or no) else 422,
        number=number,
        head=texts.say(
            f"review.head_{opened.party_type}", n=number, day=texts.day(opened.since or "")
        ),
        opened=opened,
        sides=list(_sides(visit, opened)),
        rows=[_row(visit, row) for row in opened.rows],
        chance=pair_words.likely(texts, weighed),
        evidence=[
            (texts.evidence(said), texts.say(f"weight.{weight}") if weight else None)
            for said, weight in (weighed.evidence if weighed else ())
        ],
        guards=[texts.say(f"guard.{name}") for name in (weighed.guards if weighed else ())],
        picture=texts.say(f"picture.{opened.picture}") if opened.picture else None,
        verdicts=[
            (v, texts.say(f"verdict.{v}"), pair_words.follows(texts, v, opened.outlook))
            for v in pair_words.VERDICTS
        ],
        judged=opened.judged,
        filled=visit.form,
        missing=missing,
        refused=no,
    )


def _sides(visit: Visit, opened: Opened) -> Iterator[tuple[str, list[str | None]]]:
    texts, both = visit.texts, (opened.left, opened.right)
    titles: list[str | None] = [pair_words.title(visit.house.settings, texts, s) for s in both]
    yield texts.say("review.source"), titles
    yield texts.say("review.source_key"), [s.record for s in both]
    yield texts.say("review.party"), [pair_words.party(s.party_id) for s in both]
    if any(s.stated_at for s in both):
        stated = [texts.day(s.stated_at) if s.stated_at else None for s in both]
        yield texts.say("review.source_time"), stated


def _row(visit: Visit, row: Row) -> dict[str, object]:
    return {
        "field": pair_words.field(visit.texts, row.field),
        "mark": pair_words.MARKS[row.mark],
        "means": row.mark,
        "sides": [
            [pair_words.word(visit.texts, row.field, value) for value in side]
            for side in (row.left, row.right)
        ],
    }


_SEALED = ("number", "verdict", "reason", "authority")
PAGES = (
    Page("GET", "/pairs", EVERYBODY, queue),
    Page("POST", "/pair", PEOPLE, one),
    Page("POST", "/pair/preview", PEOPLE, preview),
    Page("POST", "/pair/decide", PEOPLE, decide, _SEALED),
    Page("POST", "/pair/ask", PEOPLE, ask, _SEALED),
)
