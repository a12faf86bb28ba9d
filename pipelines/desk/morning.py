"""Aamu: the night in one page, the same facts as the morning letter; counts and queues, no person.

Belongs here: what waits and where it is worked off. Does not belong here: what a night adds up to (`steps.close`).
"""

from dataclasses import dataclass

from starlette.responses import Response

from pipelines.desk.visit import EVERYBODY, MENU, Page, Visit
from pipelines.steps.close import look_back
from pipelines.steps.notify import waiting
from pipelines.steps.to_do import ToDo
from pipelines.store import holdings, judgements, nights, proposals, quarantine, seconds
from pipelines.store.engine import reading
from pipelines.texts import catalogue


@dataclass(frozen=True)
class Queue:
    """Something that waits for a person. name: of its text. path: where it is worked off, if on the desk."""

    name: str
    count: int
    path: str | None


def show(visit: Visit) -> Response:
    """GET /: the last night, what waits, what went wrong."""
    settings = visit.house.settings
    configured = [name for name, c in settings.recipients.items() if c.configured]
    with reading(visit.house.engine) as conn:
        last = nights.last_night(conn)
        if last is None:
            return visit.page("morning.html", last=None)
        night = visit.house.night(last.business_date)
        found = look_back(night, visit.texts, conn, is_day=True)
        told = waiting(conn, night)
        queues = (
            Queue("quarantine", sum(c.n for c in quarantine.open_counts(conn)), "/quarantine"),
            Queue("pairs", judgements.queue_length(conn), "/pairs"),
            Queue("held", sum(holdings.held_count(conn, n) for n in configured), "/deliveries"),
            Queue("seconds", len(seconds.waiting(conn)), "/seconds"),
            Queue("recalls", told.recalls + told.notices, "/recalls"),
            Queue("proposals", proposals.open_count(conn), "/proposals"),
        )
    return visit.page(
        "morning.html",
        last=last,
        found=found,
        queues=queues,
        wrong=[_line(visit, one) for one in found.failures],
        todo=[_line(visit, one) for one in found.attention],
        night_status=_worst(last.status, found.status),
        titles={n: s.title.in_(visit.texts.language) for n, s in settings.sources.items()}
        | {n: r.title.in_(visit.texts.language) for n, r in settings.recipients.items()},
    )


def _line(visit: Visit, one: ToDo) -> tuple[str, str | None, str]:
    """What is to do, the page where it is done (none: the operator does it), and what that page is called.

    Sources and recipients go by their titles; a text of the desk's own stands in for one that speaks in codes.
    """
    own = f"desk.todo.{one.name}"
    entry = own if own in catalogue() else f"todo.{one.name}"
    named = {n: visit.title(v) for n, v in one.values.items() if n in ("source", "recipient")}
    line = visit.texts.say(entry, **{**one.values, **named})
    path = next((path for names, path in _WHERE.items() if one.name in names), None)
    if path is not None and visit.person.role in MENU.get(path, EVERYBODY):
        return line, path, visit.texts.say(f"desk.page.{path[1:]}")
    is_operators = path is None and one.name not in _CALLED
    return line, None, visit.texts.say("desk.todo.operator") if is_operators else ""


def _worst(night: str, now: str) -> str:
    """How it stands: as the night ended, or worse since."""
    order = ("running", "failed", "attention", "ok")
    return next((status for status in order if status in (night, now)), "failed")


_WHERE = {
    ("quarantine",): "/quarantine",
    ("review",): "/pairs",
    ("held_row", "overwritten", "rejected_rows"): "/deliveries",
    ("recalls", "notices"): "/recalls",
    ("feed_held",): "/sources",
}
"""Where on the desk it is worked off."""
_CALLED = frozenset(
    {"question_overdue", "delivery_waiting", "delivery_uncertain", "delivery_unsent"}
)
"""What a steward does without the desk, by calling somebody, or by waiting for the next night; its line says which."""

PAGES = (Page("GET", "/", EVERYBODY, show),)
