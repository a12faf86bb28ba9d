"""Four eyes: what one person asks for, and an officer who is somebody else lets happen.

Belongs here: showing a request with everything that decides it, carrying out the approved one. Does not belong here: that
there are two people (`steps.second_person`), which acts want them (the pages that ask).
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from pipelines.desk import correcting, volumes
from pipelines.desk.visit import OFFICER, PEOPLE, Page, Visit
from pipelines.steps import accept_volume, correct, decide, recall, restrain, second_person
from pipelines.steps.around import NotFound
from pipelines.steps.decide import take_notice
from pipelines.steps.foresee_undo import Standing, how_far
from pipelines.steps.judge import judge, undo
from pipelines.store.seconds import Request


def ask(visit: Visit, act: str, facts: Mapping[str, object]) -> Response:
    """Write an act down for a second person, and say so."""
    number = second_person.ask(visit.night, act, facts, visit.who)
    return visit.asked(number)


def listed(visit: Visit) -> Response:
    """GET /seconds: what waits for a second person, without anybody's name."""
    return visit.page("seconds.html", found=second_person.waiting(visit.night))


def one(visit: Visit) -> Response:
    """POST /second: one request, whole."""
    number = visit.number("number")
    found = second_person.open_request(visit.night, number, visit.who)
    facts, asked = {"number": str(number)}, found.facts or {}
    return visit.page(
        "second.html",
        found=found,
        values=[
            (correcting.label(visit, field), correcting.lines(visit, field, value))
            for field, value in asked.get("values", {}).items()
        ],
        numbers=volumes.in_words(visit, asked) if found.act == "volume" else [],
        standing=_standing(visit, found),
        facts=facts,
        is_own=found.asked_by == visit.who,
        may=visit.person.role in OFFICER,
        yes=visit.seal("/second/approve", facts),
        no=visit.seal("/second/decline", facts),
    )


def _standing(visit: Visit, request: Request) -> Standing | None:
    """Of a verdict to be taken back, who has been told of it by now; none of one that is gone meanwhile."""
    if request.act != "undo" or request.facts is None:
        return None
    try:
        return how_far(visit.night, int(request.facts["number"]))
    except NotFound:
        return None


def approve(visit: Visit) -> Response:
    """POST /second/approve."""
    number = visit.number("number")
    second_person.approve(visit.night, number, visit.who, "", lambda r: _carry_out(visit, r))
    return _done(visit, "approved", number)


def decline(visit: Visit) -> Response:
    """POST /second/decline."""
    number = visit.number("number")
    second_person.decline(visit.night, number, visit.who, "")
    return _done(visit, "declined", number)


def _done(visit: Visit, state: str, number: int) -> Response:
    return visit.done(
        visit.texts.say(f"desk.second.{state}", n=number), "/seconds", "desk.second.list"
    )


def _carry_out(visit: Visit, request: Request) -> None:
    """What was asked for, in its asker's name; the approver stands in the access log beside it."""
    facts: Mapping[str, Any] = request.facts or {}
    night, who, approver = visit.night, request.asked_by, visit.who
    if request.act == "pair":
        records = tuple(facts["records"]) if "records" in facts else None
        judge(
            night, None if records else int(facts["number"]), records, facts["verdict"],
            who=who, why=facts["reason"], authority=facts.get("authority"), approved_by=approver,
        )  # fmt: skip
    elif request.act == "undo":
        undo(night, int(facts["number"]), who=who, why=facts["reason"], approved_by=approver)
    elif request.act == "notice":
        take_notice(night, **facts["notice"], who=who, approved_by=approver)
    elif request.act == "lift":
        restrain.release(
            night, facts["number"], facts["kind"],
            who=who, why=facts["reason"], informed=facts.get("informed"), approved_by=approver,
        )  # fmt: skip
    elif request.act == "correct":
        correct.correct(
            night, int(facts["number"]), facts["values"], who, facts["reason"],
            approved_by=approver,
        )  # fmt: skip
    elif request.act == "reopen":
        correct.undo(night, int(facts["number"]), who, facts["reason"], approved_by=approver)
    elif request.act == "volume":
        accept_volume.accept(night, request, approver)
    elif request.act == "recall":
        recall.approve(night, int(facts["number"]), who, facts["reason"], approved_by=approver)
    else:
        decide.release(night, int(facts["number"]), who, facts["reason"], approved_by=approver)


PAGES = (
    Page("GET", "/seconds", PEOPLE, listed),
    Page("POST", "/second", PEOPLE, one),
    Page("POST", "/second/approve", OFFICER, approve, ("number",)),
    Page("POST", "/second/decline", PEOPLE, decline, ("number",)),
)
