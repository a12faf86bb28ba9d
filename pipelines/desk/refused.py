"""Karanteeni: what was refused, by rule and source, one record, and a person's answer to it.

Belongs here: laying a refused record out. Does not belong here: which rule may be waived (`expectations.rules`), what an
answer does (`steps.decide`).
"""

from collections.abc import Mapping

from starlette.responses import Response

from expectations.rules import is_waivable
from pipelines.desk import second
from pipelines.desk.visit import EVERYBODY, PEOPLE, Page, Visit
from pipelines.steps.around import Around
from pipelines.steps.decide import drop, release
from pipelines.steps.look import Refused, refused_record
from pipelines.store import quarantine
from pipelines.store.engine import reading

_SHOWN = 200
# equality tokens, never shown (DESIGN 2)
_SECRET = frozenset({"person_key", "birth_key", "key_id", "superseded_person_keys"})

# of a protected customer's record: whatever else it holds may be a place, or lead to one (R56)
_TELLS_NO_PLACE = frozenset({
    "name", "family_name", "given_names", "called_name", "organisation_name", "party_type", "business_id", "phone",
    "email", "language", "delivery_channel", "protection", "role_type",
})  # fmt: skip


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
    return visit.page("quarantine.html", groups=groups, sees=visit.person.role in PEOPLE)


def one(visit: Visit) -> Response:
    """POST /refused: a record as it came, and the rule it broke."""
    return _laid_out(visit)


def preview(visit: Visit) -> Response:
    """POST /refused/preview: what the answer does, before it is given."""
    answer, reason = visit.form.get("answer", ""), visit.form.get("reason", "")
    seen = refused_record(visit.night, visit.number("number"), visit.who, visit.why)
    item = seen.item
    may = is_waivable(str(item["rule"]))
    if not reason or answer not in ("release", "drop") or (answer == "release" and not may):
        return _laid_out(visit, is_missing=True)
    facts = {"number": str(visit.number("number")), "reason": reason}
    wants_two = answer == "release" and _is_protected(visit, seen)
    act = f"/refused/{'ask' if wants_two else answer}"
    return visit.page(
        "refusal_sure.html", number=facts["number"], answer=answer, reason=reason, facts=facts, act=act,
        wants_two=wants_two, meaning=visit.texts.refusal(str(item["rule"]), item["reason"]),
        seal=visit.seal(act, facts),
    )  # fmt: skip


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


def ask(visit: Visit) -> Response:
    """POST /refused/ask: of a record that speaks of a protective order a second person decides."""
    return second.ask(visit, "release", dict(visit.form))


def _done(visit: Visit, state: str, number: int) -> Response:
    return visit.page(
        "done.html",
        line=visit.texts.say(f"desk.quarantine.{state}", n=number),
        more="",
        back="/quarantine",
        back_to=visit.texts.say("desk.quarantine.back"),
    )


def _laid_out(visit: Visit, *, is_missing: bool = False) -> Response:
    number = visit.number("number")
    seen = refused_record(visit.night, number, visit.who, visit.why)
    item, rule, is_protected = seen.item, str(seen.item["rule"]), _is_protected(visit, seen)
    hidden = [visit.texts.say("review.hidden")]
    return visit.page(
        "refused.html",
        is_protected=is_protected,
        status=422 if is_missing else 200,
        number=number,
        source=visit.title(item["source"]),
        since=visit.texts.day(str(item["business_date"])),
        meaning=visit.texts.refusal(rule, item["reason"]),
        field=visit.code("field", str(item["field"])) if isinstance(item["field"], str) else "",
        state=str(item["state"]),
        is_waivable=is_waivable(rule),
        rows=[
            (
                visit.code("field", name),
                hidden
                if is_protected and name not in _TELLS_NO_PLACE
                else _lines(visit, name, value),
                name == item["field"],
            )
            for name, value in sorted(seen.content.items())
            if name not in _SECRET
        ],
        is_missing=is_missing,
        filled=visit.form,
    )


def _is_protected(visit: Visit, seen: Refused) -> bool:
    """Whether the record, or the customer it belongs to, is under a protective order, or may be."""
    record = (str(seen.item["source"]), str(seen.item["source_key"]))
    with reading(visit.house.engine) as conn:
        held = seen.hidden or Around(conn, [record]).is_protected(record)
    return held or seen.content.get("protection") not in (None, "off", "not_stated", False)


def _lines(visit: Visit, name: str, value: object) -> list[str]:
    """What a field says, a line for each of several."""
    if isinstance(value, Mapping):
        return ["; ".join(f"{visit.code('field', k)} {visit.word(k, v)}" for k, v in value.items())]
    if isinstance(value, list):
        return [line for one in value for line in _lines(visit, name, one)]
    return [visit.word(name, value)]


PAGES = (
    Page("GET", "/quarantine", EVERYBODY, listed),
    Page("POST", "/refused", PEOPLE, one),
    Page("POST", "/refused/preview", PEOPLE, preview),
    Page("POST", "/refused/release", PEOPLE, let_on, ("number", "reason")),
    Page("POST", "/refused/drop", PEOPLE, leave_out, ("number", "reason")),
    Page("POST", "/refused/ask", PEOPLE, ask, ("number", "reason")),
)
