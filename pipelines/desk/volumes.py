"""Lähteet: when each source was last heard, and a batch that is held because of its size, let in by two people.

Belongs here: laying the numbers out, asking a second person. Does not belong here: what is let in of a batch
(`steps.accept_volume`), the second person's answer (`second`). Counts and days; nobody's data.
"""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from pipelines.desk.visit import EVERYBODY, PEOPLE, Page, Visit
from pipelines.steps import accept_volume
from pipelines.steps.accept_volume import Held
from pipelines.store import nights
from pipelines.store.engine import reading


def listed(visit: Visit) -> Response:
    """GET /sources: each source, what it brought last and usually, what of it is held."""
    return _listed(visit)


def preview(visit: Visit) -> Response:
    """POST /sources/preview: what would be let in, before anybody is asked."""
    held = accept_volume.held_batch(visit.night, visit.form.get("source", ""))
    reason = visit.form.get("reason", "")
    if not reason:
        return _listed(visit, missing=held.source)
    facts = {"source": held.source, "total": str(held.total), "reason": reason}
    return visit.page(
        "volume_sure.html", title=visit.title(held.source), facts=facts, reason=reason,
        lines=in_words(visit, vars(held)), seal=visit.seal("/sources/ask", facts),
    )  # fmt: skip


def ask(visit: Visit) -> Response:
    """POST /sources/ask: a second person is asked."""
    number = accept_volume.ask(
        visit.night, visit.form["source"], visit.number("total"), visit.who, visit.form["reason"]
    )
    return visit.asked(number)


def in_words(visit: Visit, facts: Mapping[str, Any]) -> list[str]:
    """What is asked for: what came, what is usual, what exactly would be let in, and what follows."""
    say, usual = visit.texts.say, facts["usual"]
    came = "desk.volume.came" if usual else "desk.volume.came_first"
    return [
        say("desk.volume.of", source=visit.title(facts["source"]), day=visit.texts.day(facts["held_on"])),
        say(came, total=facts["total"], usual=usual),
        say(
            "desk.volume.accepts", fewest=facts["fewest"], most=facts["most"],
            days=accept_volume.GOOD_FOR.days,
        ),
        say("desk.volume.then"),
        *([say("desk.volume.borrowers", sources=", ".join(map(visit.title, facts["borrowers"])))]
          if facts["borrowers"] else []),
    ]  # fmt: skip


def _listed(visit: Visit, *, missing: str = "") -> Response:
    settings = visit.house.settings
    held = {one.source: one for one in accept_volume.held_batches(visit.night)}
    rows = []
    with reading(visit.house.engine) as conn:
        for name, config in settings.sources.items():
            if not config.configured:
                continue
            last = nights.last_feed(conn, name)
            rows.append(
                {
                    "name": name,
                    "title": visit.title(name),
                    "day": visit.texts.day(last.business_date) if last else "",
                    "status": last.status if last else "",
                    "came": last.total if last and last.total is not None else "",
                    "usual": nights.usual_total(conn, name) or "",
                }
            )
    return visit.page(
        "sources.html",
        status=422 if missing else 200,
        rows=rows,
        held=[_worded(visit, one) for one in held.values()],
        missing=missing,
        may=visit.person.role in PEOPLE,
        filled=visit.form,
    )


def _worded(visit: Visit, held: Held) -> dict[str, Any]:
    say, waits = visit.texts.say, held.acceptance
    lines = [
        say("desk.volume.came" if held.usual else "desk.volume.came_first",
            total=held.total, usual=held.usual),
        *([say("desk.volume.expected", fewest=held.expected[0], most=held.expected[1])]
          if held.expected else []),
    ]  # fmt: skip
    state = ""
    if waits is not None:
        state = say(
            "desk.volume.accepted", n=waits.acceptance_no, who=waits.asked_by, by=waits.approved_by,
            fewest=waits.fewest, most=waits.most, day=visit.texts.day(waits.valid_to),
        )  # fmt: skip
    elif held.request_no is not None:
        state = say("desk.second.asked", n=held.request_no)
    return {
        "source": held.source,
        "title": visit.title(held.source),
        "day": visit.texts.day(held.held_on),
        "lines": lines,
        "state": state,
    }


PAGES = (
    Page("GET", "/sources", EVERYBODY, listed),
    Page("POST", "/sources/preview", PEOPLE, preview),
    Page("POST", "/sources/ask", PEOPLE, ask, ("source", "total", "reason")),
)
