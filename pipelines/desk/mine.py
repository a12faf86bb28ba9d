"""Omat päätökseni: the verdicts and corrections that stand in one's own name, and taking one back.

Belongs here: whose they are, undoing a verdict. Does not belong here: what undoing does (`steps.judge`); a correction is
taken back where its record is (`refused`).
"""

from starlette.responses import Response

from pipelines.desk import correcting, second
from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import PEOPLE, Page, Visit
from pipelines.steps.around import NotFound
from pipelines.steps.correct import standing
from pipelines.steps.decide import Undecidable
from pipelines.steps.judge import undo
from pipelines.steps.review import Decided, decided, show

_SHOWN = 200


def listed(visit: Visit) -> Response:
    """GET /mine: verdicts and corrections of whoever asks, newest first; records are named as a steward writes them."""
    corrections = [
        (one, visit.title(one.source), [correcting.label(visit, field) for field in one.fields])
        for one in standing(visit.night, visit.who)[:_SHOWN]
    ]
    return visit.page("mine.html", rows=_own(visit), corrections=corrections)


def sure(visit: Visit) -> Response:
    """POST /mine/undo: what taking back does, and why it is done."""
    number, reason = visit.number("number"), visit.form.get("reason", "")
    (one,) = [d for d in _own(visit) if d.judgement_no == number] or _nothing(number)
    facts = {"number": str(number), "reason": reason}
    is_protected = _is_protected(visit, one)
    act = "/mine/ask" if is_protected else "/mine/undone"
    return visit.page(
        "undo.html", one=one, reason=reason, facts=facts, act=act, is_protected=is_protected,
        seal=visit.seal(act, facts),
    )  # fmt: skip


def take_back(visit: Visit) -> Response:
    """POST /mine/undone."""
    number, reason = visit.number("number"), visit.form.get("reason", "")
    if not reason:
        raise FormRefused("unreadable")
    (one,) = [d for d in _own(visit) if d.judgement_no == number] or _nothing(number)
    if _is_protected(visit, one):  # an order has come in since the preview
        raise Undecidable(visit.texts.say("desk.second.wanted"))
    done = undo(visit.night, number, who=visit.who, why=reason)
    return visit.page(
        "done.html",
        line=visit.texts.say("review.undone", n=number, by=done.judgement_no),
        more=visit.texts.say("review.after_undoing"),
        back="/mine",
        back_to=visit.texts.say("desk.page.mine"),
    )


def ask(visit: Visit) -> Response:
    """POST /mine/ask: of a pair with a protective order a second person decides, on taking back too."""
    return second.ask(visit, "undo", dict(visit.form))


def _is_protected(visit: Visit, one: Decided) -> bool:
    return show(visit.night, None, (one.left, one.right), visit.who, visit.why).is_protected


def _own(visit: Visit) -> list[Decided]:
    found, _ = decided(visit.night, _SHOWN, visit.who, only=visit.who)
    return found


def _nothing(number: int) -> list[Decided]:
    raise NotFound(f"no decision {number} stands in your name")


PAGES = (
    Page("GET", "/mine", PEOPLE, listed),
    Page("POST", "/mine/undo", PEOPLE, sure),
    Page("POST", "/mine/undone", PEOPLE, take_back, ("number", "reason")),
    Page("POST", "/mine/ask", PEOPLE, ask, ("number", "reason")),
)
