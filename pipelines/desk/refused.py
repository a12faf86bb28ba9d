"""Karanteeni: what was refused, by rule and source, one record, and a person's answer to it, which can be taken back.

Belongs here: laying a refused record out, its pages. Does not belong here: which rule may be waived (`expectations.rules`),
what may be seen (`steps.look`), the correction's form (`correcting`), what an answer does (`steps.decide`, `steps.correct`).
"""

import json
from collections.abc import Mapping

from starlette.responses import Response

from expectations.rules import is_waivable
from pipelines.desk import correcting, second
from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import EVERYBODY, PEOPLE, Page, Visit, plain, worded
from pipelines.domain.correction import standard_fields
from pipelines.steps.correct import NotCorrected, correct, undo
from pipelines.steps.decide import Undecidable, drop, release
from pipelines.steps.foresee_correction import Outcome, check_correction, foresee_correction
from pipelines.steps.list_answers import may_be_undone, standing
from pipelines.steps.look_at_refused import Refused, refused_record
from pipelines.steps.weigh import NOT_ONE_RECORD
from pipelines.store import quarantine
from pipelines.store.engine import reading

_SHOWN = 200


def listed(visit: Visit) -> Response:
    """GET /quarantine: rules, sources, ids; no people."""
    with reading(visit.house.engine) as conn:
        items = quarantine.open_items(conn)
    groups = [
        {
            "source": visit.title(source),
            "meaning": visit.texts.refusal(str(rule), rows["reason"].iloc[0]),
            "is_waivable": is_waivable(str(rule)),
            "is_critical": bool((rows["severity"] == "critical").any()),
            "items": [
                (int(number), visit.texts.day(str(since)))
                for number, since in rows[["quarantine_id", "business_date"]]
                .head(_SHOWN)
                .itertuples(index=False)
            ],
            "more": len(rows) - _SHOWN,
        }
        for (source, rule), rows in items.groupby(["source", "rule"], sort=True)
    ]
    groups.sort(key=lambda group: not group["is_critical"])
    corrected = [
        (one.quarantine_id, visit.title(one.source), visit.texts.day(one.at))
        for one in standing(visit.night)[:_SHOWN]
    ]
    return visit.page(
        "quarantine.html", groups=groups, corrected=corrected, sees=visit.person.role in PEOPLE
    )


def one(visit: Visit) -> Response:
    """POST /refused: a record as it came beside what is held of it, and the rule it broke."""
    return _laid_out(visit, _seen(visit))


def preview(visit: Visit) -> Response:
    """POST /refused/preview: what the answer does, before it is given."""
    answer, reason = visit.form.get("answer", ""), visit.form.get("reason", "")
    seen = _seen(visit)
    if not reason or answer not in _answers(seen):
        return _laid_out(visit, seen, wrong=[visit.texts.say("desk.quarantine.incomplete")])
    if answer == "correct":
        return _tried(visit, seen, reason)
    if correcting.is_changed(visit, seen):
        return _laid_out(visit, seen, wrong=[visit.texts.say("desk.correct.mixed")])
    facts = {"number": str(visit.number("number")), "reason": reason}
    wants_two = answer == "release" and seen.hidden
    return _sure(
        visit, seen, answer, facts, f"/refused/{'ask' if wants_two else answer}", wants_two
    )


def let_on(visit: Visit) -> Response:
    """POST /refused/release."""
    number = visit.number("number")
    release(visit.night, number, visit.who, visit.form["reason"])
    return _done(visit, "released", number)


def leave_out(visit: Visit) -> Response:
    """POST /refused/drop."""
    number = visit.number("number")
    drop(visit.night, number, visit.who, visit.form["reason"])
    return _done(visit, "dropped", number)


def put_right(visit: Visit) -> Response:
    """POST /refused/correct: the fields, as they were previewed."""
    number = visit.number("number")
    correct(visit.night, number, _values(visit), visit.who, visit.form["reason"])
    return _done(visit, "corrected", number)


def ask(visit: Visit) -> Response:
    """POST /refused/ask: of a record that speaks of a protective order a second person decides."""
    return second.ask(visit, "release", dict(visit.form))


def ask_correction(visit: Visit) -> Response:
    """POST /refused/correct/ask: so with a correction."""
    facts = {"number": visit.form["number"], "reason": visit.form["reason"]}
    party = _seen(visit).party
    about = {} if party is None else {"party_id": party}
    return second.ask(visit, "correct", {**facts, "values": _values(visit), **about})


# ---- taking an answer back


def sure_to_undo(visit: Visit) -> Response:
    """POST /refused/undo: what taking back does, and why it is done."""
    seen, reason = _seen(visit), visit.form.get("reason", "")
    if not reason:
        return _laid_out(visit, seen, wrong=[visit.texts.say("desk.reason_missing")])
    facts = {"number": str(visit.number("number")), "reason": reason}
    act = f"/refused/{'undo/ask' if seen.hidden else 'undone'}"
    return _sure(visit, seen, "undo", facts, act, seen.hidden)


def take_back(visit: Visit) -> Response:
    """POST /refused/undone."""
    number = visit.number("number")
    undo(visit.night, number, visit.who, visit.form["reason"])
    return _done(visit, "undone", number)


def ask_to_undo(visit: Visit) -> Response:
    """POST /refused/undo/ask: of a record under a protective order two take back too."""
    return second.ask(visit, "reopen", dict(visit.form))


# ---- a correction tried out


def _tried(visit: Visit, seen: Refused, reason: str) -> Response:
    """The correction beside what stands there, and what it does to the register and to tonight's bills."""
    number, values = visit.number("number"), correcting.stated(visit, seen)
    if not values:
        return _laid_out(visit, seen, wrong=[visit.texts.say("desk.correct.unchanged")])
    outcome: Outcome | None = None
    try:
        with visit.alone() as is_alone:
            if is_alone:
                outcome = foresee_correction(visit.night, number, values, who=visit.who, why=reason)
            else:
                check_correction(visit.night, number, values, who=visit.who, why=reason)
    except NotCorrected as no:
        fields = (*no.fields, *(field for _, field in no.broken if field))
        return _laid_out(visit, seen, wrong=correcting.refusals(visit, no), marked=fields)
    except Undecidable as no:
        return _laid_out(visit, seen, wrong=[worded(visit.texts, no)])
    facts = {
        "number": str(number),
        "values": json.dumps(values, ensure_ascii=False),
        "reason": reason,
    }
    act = f"/refused/correct{'/ask' if seen.hidden else ''}"
    return visit.page(
        "correction_sure.html", number=number, reason=reason, facts=facts, act=act, wants_two=seen.hidden,
        changes=[
            {**row, "new": correcting.lines(visit, row["path"], values[row["path"]])}
            for row in correcting.rows(visit, seen) if row["path"] in values
        ],
        is_tried=outcome is not None,
        golden=[] if outcome is None or seen.hidden else _golden(visit, outcome),
        n_golden=0 if outcome is None else len(_worded(visit, outcome)),
        appear=len(outcome.appear) if outcome else 0,
        roles=outcome.roles if outcome else 0,
        told=list(visit.bills(outcome.tonight, outcome.as_it_is)) if outcome else None,
        seal=visit.seal(act, facts),
    )  # fmt: skip


def _worded(visit: Visit, outcome: Outcome) -> list[tuple[str, str, str, str]]:
    """What changes in the register, of the fields that have words: customer, field, before, after."""
    fresh = visit.texts.say("desk.event.new")
    return [
        (fresh if party in outcome.appear else f"P{party}", field, plain(before), plain(after))
        for party, field, before, after in outcome.values[
            ["party_id", "field", "before", "after"]
        ].itertuples(index=False)
        if visit.code("field", str(field)) != field
    ]


def _golden(visit: Visit, outcome: Outcome) -> list[dict[str, str]]:
    return [
        {
            "party": party,
            "field": visit.code("field", field),
            "before": visit.word(field, before),
            "after": visit.word(field, after),
        }
        for party, field, before, after in _worded(visit, outcome)
    ]


def _values(visit: Visit) -> dict[str, str]:
    """The fields and values of a sealed correction."""
    read = json.loads(visit.form["values"])
    if not isinstance(read, Mapping):
        raise FormRefused("unreadable")
    return {str(field): str(value) for field, value in read.items()}


# ---- one record


def _seen(visit: Visit) -> Refused:
    return refused_record(visit.night, visit.number("number"), visit.who, visit.why)


def _answers(seen: Refused) -> list[str]:
    """What may be done about a record as it now stands, the gentlest first."""
    state, rule = str(seen.item["state"]), str(seen.item["rule"])
    may_correct = rule not in NOT_ONE_RECORD and bool(seen.fields["may_correct"].any())
    found = ["correct"] if state in ("open", "corrected") and seen.content and may_correct else []
    if state == "open":
        found += ["release"] if is_waivable(rule) else []
        found.append("drop")
    return found


def _sure(
    visit: Visit, seen: Refused, answer: str, facts: Mapping[str, str], act: str, wants_two: bool
) -> Response:
    item = seen.item
    return visit.page(
        "refusal_sure.html", number=facts["number"], answer=answer, reason=facts["reason"], facts=facts, act=act,
        wants_two=wants_two, meaning=visit.texts.refusal(str(item["rule"]), item["reason"]),
        seal=visit.seal(act, facts),
    )  # fmt: skip


def _done(visit: Visit, state: str, number: int) -> Response:
    return visit.done(
        visit.texts.say(f"desk.quarantine.{state}", n=number),
        "/quarantine",
        "desk.quarantine.back",
        visit.texts.say("desk.correct.take_back") if state == "corrected" else "",
    )


def _laid_out(
    visit: Visit, seen: Refused, *, wrong: list[str] | None = None, marked: tuple[str, ...] = ()
) -> Response:
    item, rule, number = seen.item, str(seen.item["rule"]), visit.number("number")
    state = str(item["state"])
    standard = tuple(name for path in marked for name in (path, *standard_fields(path)))
    rows = correcting.rows(visit, seen, marked=standard, keeps=bool(wrong))
    mine = [one for one in standing(visit.night) if one.quarantine_id == number]
    return visit.page(
        "refused.html",
        status=422 if wrong else 200,
        is_protected=seen.hidden,
        number=number,
        source=visit.title(item["source"]),
        since=visit.texts.day(str(item["business_date"])),
        meaning=visit.texts.refusal(rule, item["reason"]),
        field=visit.code("field", str(item["field"])) if isinstance(item["field"], str) else "",
        state=state,
        decided=_decided(visit, seen),
        may_undo=may_be_undone(visit.night, number, plain(item["decided_by"])),
        is_read=any(one.is_read for one in mine),
        answers=_answers(seen),
        is_waivable=is_waivable(rule),
        rows=[row for row in rows if row["is_stated"] or row["is_wrong"]],
        more=[row for row in rows if not (row["is_stated"] or row["is_wrong"])],
        wrong=wrong or [],
        filled=visit.form,
    )


def _decided(visit: Visit, seen: Refused) -> dict[str, str] | None:
    """Who decided on a record, when and why; None while nobody has."""
    item = seen.item
    if not isinstance(item["decided_by"], str):
        return None
    return {
        "who": item["decided_by"],
        "day": visit.texts.day(str(item["decided_at"])),
        "why": plain(item["decision_reason"]),
    }


_SEALED = ("number", "reason")
_CORRECTION = ("number", "values", "reason")
PAGES = (
    Page("GET", "/quarantine", EVERYBODY, listed),
    Page("POST", "/refused", PEOPLE, one),
    Page("POST", "/refused/preview", PEOPLE, preview),
    Page("POST", "/refused/release", PEOPLE, let_on, _SEALED),
    Page("POST", "/refused/drop", PEOPLE, leave_out, _SEALED),
    Page("POST", "/refused/ask", PEOPLE, ask, _SEALED),
    Page("POST", "/refused/correct", PEOPLE, put_right, _CORRECTION),
    Page("POST", "/refused/correct/ask", PEOPLE, ask_correction, _CORRECTION),
    Page("POST", "/refused/undo", PEOPLE, sure_to_undo),
    Page("POST", "/refused/undone", PEOPLE, take_back, _SEALED),
    Page("POST", "/refused/undo/ask", PEOPLE, ask_to_undo, _SEALED),
)
