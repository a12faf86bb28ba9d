"""Aamu: the night in one page, the same facts as the morning letter; counts and queues, no person.

Belongs here: what waits and where it is worked off. Does not belong here: what a night adds up to (`steps.close`).
"""

from dataclasses import dataclass

from starlette.responses import Response

from pipelines.desk.visit import EVERYBODY, Page, Visit
from pipelines.steps.close import look_back
from pipelines.steps.notify import waiting
from pipelines.store import holdings, judgements, nights, quarantine, seconds
from pipelines.store.engine import reading


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
            Queue("recalls", told.recalls + told.notices, None),
            Queue("proposals", found.unfit, None),
        )
    return visit.page(
        "morning.html",
        last=last,
        found=found,
        queues=queues,
        night_status=_worst(last.status, found.status),
        titles={n: s.title.in_(visit.texts.language) for n, s in settings.sources.items()}
        | {n: r.title.in_(visit.texts.language) for n, r in settings.recipients.items()},
    )


def _worst(night: str, now: str) -> str:
    """How it stands: as the night ended, or worse since."""
    order = ("running", "failed", "attention", "ok")
    return next((status for status in order if status in (night, now)), "failed")


PAGES = (Page("GET", "/", EVERYBODY, show),)
