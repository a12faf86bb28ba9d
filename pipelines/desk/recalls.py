"""Takaisinvedot ja oikaisut: who holds what may not be kept, or was told wrong; an officer's decision, its letter.

Belongs here: laying a notification out for a browser, whose answer it takes. Does not belong here: who has to hear
(`steps.notify`), the letter's words (`notification_letter`), sending it: a person does.
"""

from typing import Any

from starlette.responses import Response

from pipelines.desk import second
from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import OFFICER, PEOPLE, Page, Visit
from pipelines.notification_letter import letter
from pipelines.steps import recall
from pipelines.steps.recall import Opened
from pipelines.store.notifications import OPEN

_SHOWN = 50
ANSWERS = ("approve", "decline", "sent", "answered")


def listed(visit: Visit) -> Response:
    """GET /recalls: what waits for a person, what goes with a delivery, what is over; no people."""
    found = recall.listed(visit.night, closed=True)
    is_open = found["state"].isin(OPEN)
    is_by_hand = found["route"] == "hand"
    over = found[~is_open].iloc[::-1].head(_SHOWN)
    return visit.page(
        "recalls.html",
        groups=[
            ("waiting", _rows(visit, found[is_open & is_by_hand])),
            ("carried", _rows(visit, found[is_open & ~is_by_hand])),
            ("over", _rows(visit, over)),
        ],
    )


def _rows(visit: Visit, found: Any) -> list[dict[str, Any]]:
    return [
        {
            "number": row["notification_no"],
            "kind": visit.texts.say(f"recall_letter.{row['kind']}"),
            "recipient": visit.title(row["recipient"]),
            "why": visit.texts.say(f"desk.recall.why.{row['why']}"),
            "fields": visit.fields(row["fields"]),
            "since": visit.texts.day(row["prepared_at"]),
            "state": visit.texts.say(f"desk.recall.state.{row['state']}"),
        }
        for row in found.to_dict("records")
    ]


def one(visit: Visit) -> Response:
    """POST /recall: to whom, what was told when, about whom; no value of theirs."""
    return _laid_out(visit)


def preview(visit: Visit) -> Response:
    """POST /recall/preview: what the answer does, before it is given."""
    answer, reason = visit.form.get("answer", ""), visit.form.get("reason", "")
    number = visit.number("number")
    seen = recall.opened(visit.night, number, visit.who, visit.why)
    if answer not in _answers(visit, seen):
        raise FormRefused("unreadable")
    if not reason:
        return _laid_out(visit, is_missing=True)
    facts = {"number": str(number), "reason": reason}
    wants_two = answer == "approve" and seen.wants_two
    act = f"/recall/{'ask' if wants_two else answer}"
    return visit.page(
        "recall_sure.html", number=number, answer=answer, reason=reason, wants_two=wants_two,
        recipient=visit.title(seen.letter.recipient), kind=visit.texts.say(f"recall_letter.{seen.letter.kind}"),
        facts=facts, act=act, seal=visit.seal(act, facts),
    )  # fmt: skip


def approve(visit: Visit) -> Response:
    """POST /recall/approve: of somebody without an order; the letter is on its page then."""
    recall.approve(visit.night, visit.number("number"), visit.who, visit.form["reason"])
    return _laid_out(visit, done="approved")


def decline(visit: Visit) -> Response:
    """POST /recall/decline."""
    recall.decline(visit.night, visit.number("number"), visit.who, visit.form["reason"])
    return _done(visit, "declined")


def sent(visit: Visit) -> Response:
    """POST /recall/sent: the letter has gone."""
    recall.sent(
        visit.night, visit.number("number"), visit.who, visit.form["reason"], answered=False
    )
    return _done(visit, "sent")


def answered(visit: Visit) -> Response:
    """POST /recall/answered: the recipient has confirmed it."""
    recall.sent(visit.night, visit.number("number"), visit.who, visit.form["reason"], answered=True)
    return _done(visit, "acknowledged")


def ask(visit: Visit) -> Response:
    """POST /recall/ask: whoever is told to delete learns that there is a reason, so two decide (R56)."""
    seen = recall.opened(visit.night, visit.number("number"), visit.who, visit.why)
    return second.ask(visit, "recall", {**visit.form, "party_id": seen.customer})


def _answers(visit: Visit, seen: Opened) -> list[str]:
    """What may be answered now, and by whom: an officer decides; any steward may ask, and send what is approved."""
    found = []
    may = visit.person.role in OFFICER
    if seen.state == "prepared" or (seen.state == "approved" and not seen.is_by_hand):
        found += ["approve"] if may or seen.wants_two else []
        found += ["decline"] if may else []
    elif seen.state == "approved":
        found += ["sent", *(["decline"] if may else [])]
    elif seen.state == "sent" and seen.is_by_hand:
        found += ["answered"]
    return found


def _laid_out(visit: Visit, *, is_missing: bool = False, done: str = "") -> Response:
    number = visit.number("number")
    seen = recall.opened(visit.night, number, visit.who, visit.why)
    one = seen.letter
    today = visit.house.today()
    lines = letter(one, visit.house.settings, visit.house.settings.hub.language, today)
    return visit.page(
        "recall.html",
        status=422 if is_missing else 200,
        number=number,
        kind=visit.texts.say(f"recall_letter.{one.kind}"),
        is_recall=one.kind == "recall",
        recipient=visit.title(one.recipient),
        why=visit.texts.say(f"desk.recall.why.{one.why}"),
        state=visit.texts.say(f"desk.recall.state.{seen.state}"),
        since=visit.texts.day(seen.since),
        customer=f"P{seen.customer}",
        fields=visit.fields(one.fields),
        told=[(visit.moment(at), delivery) for at, delivery in one.told],
        seen=seen,
        answers=_answers(visit, seen),
        letter=list(lines) if seen.state == "approved" and seen.is_by_hand else [],
        done=done,
        is_missing=is_missing,
    )


def _done(visit: Visit, state: str) -> Response:
    return visit.done(
        visit.texts.say(f"desk.recall.{state}", n=visit.number("number")),
        "/recalls",
        "desk.recall.back",
    )


_SEALED = ("number", "reason")
PAGES = (
    Page("GET", "/recalls", PEOPLE, listed),
    Page("POST", "/recall", PEOPLE, one),
    Page("POST", "/recall/preview", PEOPLE, preview),
    Page("POST", "/recall/approve", OFFICER, approve, _SEALED),
    Page("POST", "/recall/decline", OFFICER, decline, _SEALED),
    Page("POST", "/recall/sent", PEOPLE, sent, _SEALED),
    Page("POST", "/recall/answered", PEOPLE, answered, _SEALED),
    Page("POST", "/recall/ask", PEOPLE, ask, _SEALED),
)
