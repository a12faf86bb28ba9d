"""Omat päätökseni: what one has decided that can still be taken back, and taking it back.

Belongs here: whose decisions they are, saying before one is taken back whether others have been told of it. Does not
belong here: what taking back does (`steps.judge`), who hears of it (`steps.notify`); an answer to a refused record is
taken back where the record is (`refused`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response

from pipelines.desk import second
from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import PEOPLE, Page, Visit
from pipelines.steps.around import NotFound
from pipelines.steps.decide import Undecidable
from pipelines.steps.foresee_undo import Aftermath, Standing, foresee_undo, how_far
from pipelines.steps.judge import undo
from pipelines.steps.list_answers import own_acts
from pipelines.steps.look import NOTICES
from pipelines.steps.review import Decided, decided

_SHOWN = 200


@dataclass(frozen=True)
class Own:
    """A decision of one's own. path: of the page that says what taking it back would be."""

    path: str
    number: int
    title: str
    about: str
    at: str
    why: str


def _pairs(visit: Visit) -> list[Own]:
    return [
        Own(
            "/mine/undo", one.judgement_no, _title(visit, one),
            " – ".join(visit.record(r) for r in (one.left, one.right) if not one.notice or not r.startswith(f"{NOTICES}:")), one.at,
            one.why + (f" ({one.authority})" if one.authority else ""),
        )
        for one in _own(visit)
    ]  # fmt: skip


def _title(visit: Visit, one: Decided) -> str:
    if one.notice is not None:
        return visit.texts.say("desk.mine.notice", n=one.notice)
    verdict = visit.texts.say(f"verdict.{one.verdict}")
    return visit.texts.say("desk.mine.pair", n=one.judgement_no, verdict=verdict)


def _refused(visit: Visit) -> list[Own]:
    return [
        Own(
            "/refused/undo", act.quarantine_id,
            visit.texts.say(f"desk.mine.{act.state}", n=act.quarantine_id),
            f"{visit.title(act.source)}: {visit.texts.refusal(act.rule, act.reason)}", act.at, act.why,
        )
        for act in own_acts(visit.night, visit.who)
    ]  # fmt: skip


KINDS: tuple[Callable[[Visit], list[Own]], ...] = (_pairs, _refused)
"""What can be taken back here: each finds one's own of a kind, newest first, and names the page that takes it back."""


def listed(visit: Visit) -> Response:
    """GET /mine: what whoever asks has decided and can take back, newest first."""
    rows = [own for kind in KINDS for own in kind(visit)]
    return visit.page("mine.html", rows=sorted(rows, key=lambda own: own.at, reverse=True))


# ---- a verdict on a pair, or a notice tied to its customer by one


def sure(visit: Visit) -> Response:
    """POST /mine/undo: whether it is as if it had never been, or a correction; and who hears of it."""
    number, reason = visit.number("number"), _reason(visit)
    one = _mine(visit, number)
    standing = how_far(visit.night, number)
    aftermath: Aftermath | None = None
    if standing.reach != "unread":
        with visit.alone() as is_alone:
            if is_alone:
                aftermath = foresee_undo(visit.night, number, who=visit.who, why=reason)
    facts = {"number": str(number), "reason": reason, "told": str(standing.deliveries)}
    act = "/mine/ask" if standing.is_protected else "/mine/undone"
    return visit.page(
        "undo.html", title=_title(visit, one), reason=reason, standing=standing, aftermath=aftermath,
        is_correction=standing.reach == "told" and (aftermath is None or bool(aftermath.notices)),
        facts=facts, act=act, is_protected=standing.is_protected, seal=visit.seal(act, facts),
    )  # fmt: skip


def take_back(visit: Visit) -> Response:
    """POST /mine/undone."""
    number, reason = visit.number("number"), _reason(visit)
    _mine(visit, number)
    standing = _as_shown(visit, number)
    done = undo(visit.night, number, who=visit.who, why=reason)
    reach = "told" if standing.told else "untold"
    return visit.done(
        visit.texts.say("review.undone", n=number, by=done.judgement_no),
        "/mine",
        "desk.page.mine",
        visit.texts.say(f"desk.undo.after_{reach}"),
    )


def ask(visit: Visit) -> Response:
    """POST /mine/ask: of a pair with a protective order a second person decides, on taking back too."""
    _as_shown(visit, visit.number("number"))
    return second.ask(visit, "undo", dict(visit.form))


def _as_shown(visit: Visit, number: int) -> Standing:
    """How far it has come; Undecidable when another delivery has told of it since the preview."""
    standing = how_far(visit.night, number)
    if standing.deliveries != visit.number("told"):
        raise Undecidable(visit.texts.say("desk.undo.moved"))
    return standing


def _own(visit: Visit) -> list[Decided]:
    found, _ = decided(visit.night, _SHOWN, visit.who, only=visit.who)
    return found


def _mine(visit: Visit, number: int) -> Decided:
    for one in _own(visit):
        if one.judgement_no == number:
            return one
    raise NotFound(visit.texts.say("desk.mine.not_yours", n=number))


def _reason(visit: Visit) -> str:
    reason = visit.form.get("reason", "")
    if not reason:
        raise FormRefused("unreadable")
    return reason


_SEALED = ("number", "reason", "told")
PAGES = (
    Page("GET", "/mine", PEOPLE, listed),
    Page("POST", "/mine/undo", PEOPLE, sure),
    Page("POST", "/mine/undone", PEOPLE, take_back, _SEALED),
    Page("POST", "/mine/ask", PEOPLE, ask, _SEALED),
)
