"""Kiinteistöt: what at a property does not fit together, one matter with its evidence, and a person's answer.

Belongs here: laying a proposal out for a browser. Does not belong here: what does not fit (`domain.proposals`), what an
answer does (`steps.propose`), mending a register.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from starlette.responses import Response

from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import PEOPLE, Page, Visit, plain
from pipelines.domain.proposals import KINDS
from pipelines.steps.propose import decide, opened
from pipelines.steps.propose import listed as all_of_them

_SHOWN = 100
_BECOMES = {"close": "closed", "reopen": "open"}


def listed(visit: Visit) -> Response:
    """GET /proposals: what waits by kind, and what was closed; points and buildings, no people."""
    found = all_of_them(visit.night, closed=True)
    is_open = found["state"] == "open"
    groups = [
        (
            visit.texts.say(f"proposals.{kind}"),
            _rows(visit, found[is_open & (found["kind"] == kind)]),
        )
        for kind in KINDS
        if (is_open & (found["kind"] == kind)).any()
    ]
    closed = found[found["state"] == "closed"].sort_values("decided_at", ascending=False)
    return visit.page(
        "proposals.html", groups=groups, closed=_rows(visit, closed), shown=_SHOWN
    )  # fmt: skip


def _rows(visit: Visit, found: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {
            "number": row["proposal_no"],
            "meaning": visit.texts.say(f"proposals.{row['kind']}"),
            "place": _place(visit, row["subject"], row["point_ref"]),
            "since": visit.texts.day(row["opened_on"]),
            "days": row["days"],
            "why": plain(row["decision_reason"]),
        }
        for row in found.to_dict("records")
    ]


def _place(visit: Visit, subject: str, point_ref: object) -> str:
    """The point by its own number, or the building by its id."""
    if plain(point_ref):
        return visit.texts.say("desk.proposal.point", n=point_ref)
    kind, _, number = subject.partition(" ")
    return visit.texts.say("desk.proposal.building", n=number) if kind == "building" else ""


def one(visit: Visit) -> Response:
    """POST /proposal: the point, and who or what says what."""
    return _laid_out(visit)


def preview(visit: Visit) -> Response:
    """POST /proposal/preview: what the answer does, before it is given."""
    answer, reason = visit.form.get("answer", ""), visit.form.get("reason", "")
    if answer not in _BECOMES:
        raise FormRefused("unreadable")
    if not reason:
        return _laid_out(visit, is_missing=True)
    number = visit.number("number")
    facts, act = {"number": str(number), "reason": reason}, f"/proposal/{answer}"
    return visit.page(
        "proposal_sure.html", number=number, answer=answer, reason=reason, facts=facts, act=act,
        seal=visit.seal(act, facts),
    )  # fmt: skip


def close(visit: Visit) -> Response:
    """POST /proposal/close."""
    return _decide(visit, "close")


def reopen(visit: Visit) -> Response:
    """POST /proposal/reopen."""
    return _decide(visit, "reopen")


def _decide(visit: Visit, answer: str) -> Response:
    number = visit.number("number")
    decide(visit.night, number, _BECOMES[answer], visit.who, visit.form["reason"])
    return visit.done(
        visit.texts.say(f"desk.proposal.{answer}_done", n=number),
        "/proposals",
        "desk.proposal.back",
    )


def _laid_out(visit: Visit, *, is_missing: bool = False) -> Response:
    number = visit.number("number")
    seen = opened(visit.night, number, visit.who, visit.why)
    row, point = seen.row, seen.point
    return visit.page(
        "proposal.html",
        status=422 if is_missing else 200,
        number=number,
        meaning=visit.texts.say(f"proposals.{row['kind']}"),
        mend=visit.texts.say(f"desk.proposal.mend.{row['kind']}"),
        state=row["state"],
        since=visit.texts.day(str(row["opened_on"])),
        place=_place(visit, str(row["subject"]), None if point is None else point["point_ref"]),
        point=[] if point is None else list(_point(visit, point)),
        is_protected=seen.is_protected,
        facts=list(_facts(visit, row["evidence"], seen.people)),
        decided=plain(row["decided_by"]) and f"{row['decided_by']}: {row['decision_reason']}",
        is_missing=is_missing,
    )


def _point(visit: Visit, point: pd.Series) -> Iterator[tuple[str, str]]:
    for name in point.index:
        if name not in ("point_id", "point_ref") and plain(point[name]):
            yield visit.code("field", name), visit.word(name, point[name])


def _facts(
    visit: Visit, evidence: list[Mapping[str, Any]], people: Mapping[int, str]
) -> Iterator[dict[str, str]]:
    """Each fact: what, who or what it is about and its number as a customer, since when, by whose word."""
    for fact in evidence:
        party = fact.get("party_id")
        what = fact.get("property_id") or fact.get("building_id") or fact.get("source_key") or ""
        yield {
            "fact": visit.texts.say(f"proposal.fact.{fact['fact']}", n=fact.get("n", "")),
            "who": people.get(int(party), "") if party is not None else str(what),
            "customer": f"P{party}" if party is not None and int(party) in people else "",
            "since": visit.day(fact.get("since")),
            "by": visit.title(fact["source"]) if fact.get("source") else "",
        }


PAGES = (
    Page("GET", "/proposals", PEOPLE, listed),
    Page("POST", "/proposal", PEOPLE, one),
    Page("POST", "/proposal/preview", PEOPLE, preview),
    Page("POST", "/proposal/close", PEOPLE, close, ("number", "reason")),
    Page("POST", "/proposal/reopen", PEOPLE, reopen, ("number", "reason")),
)
