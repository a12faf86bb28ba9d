"""Asiakkaat: finding somebody, what is held of them and from where, their notice, a refresh, who was told, who looked.

Belongs here: laying a customer out for a browser, reading a notice's form. Does not belong here: what of a customer may
be seen (`steps.look`), taking a notice (`steps.decide`), whom to ask (`steps.refresh_address`), what they forbid (`restraints`).
"""

from collections.abc import Hashable, Iterator, Mapping
from datetime import date
from typing import Any

from starlette.responses import Response

from pipelines.desk import second
from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import PEOPLE, Page, Visit, plain
from pipelines.domain.restraints import KINDS, RESTRICTION
from pipelines.domain.schemas import GOLDEN
from pipelines.errors import HubError
from pipelines.statement import document
from pipelines.steps.account_for import person as account_for
from pipelines.steps.answer_request import in_words
from pipelines.steps.around import NotFound
from pipelines.steps.decide import take_notice
from pipelines.steps.look import Customer, find, show, who_looked
from pipelines.steps.refresh_address import Refreshed, refresh
from pipelines.store.lock import RunLock
from pipelines.texts import catalogue

CHANNELS = ("phone", "email", "letter", "visit", "form")
_ADDRESS = ("line", "postal_code", "post_office", "valid_from", "address_type")
_NOTICE = (
    "number",
    "purpose",
    "received",
    "channel",
    "evidence",
    "phone",
    "email",
    "corrects",
    *_ADDRESS,
)


class Busy(HubError):
    """Somebody else holds the run lock."""


def search(visit: Visit) -> Response:
    """GET /customers: the form."""
    visit.names.read_ahead(visit.house.engine)  # while somebody types
    return visit.page("customers.html", words="", found=None)


def results(visit: Visit) -> Response:
    """POST /customers: by name, or straight to a number."""
    words = visit.form.get("words", "")[:200]
    if words.removeprefix("P").removeprefix("p").isdigit():
        try:
            return shown(visit, show(visit.night, words, visit.who, visit.why), words)
        except NotFound:
            return visit.page("customers.html", words=words, found=[])
    found = find(visit.night, words, visit.who, visit.why, visit.names)
    rows = [
        {
            "number": f"P{row['party_id']}",
            "name": plain(row["display_name"]),
            "numbers": plain(row["customer_numbers"]),
            "place": ", ".join(
                part for part in (
                    plain(row["street_line"]),
                    f"{plain(row['postal_code'])} {plain(row['post_office'])}".strip(),
                ) if part
            ),
            "is_protected": row["protection"] == "on",
        }
        for row in found.to_dict("records")
    ]  # fmt: skip
    return visit.page("customers.html", words=words, found=rows)


def one(visit: Visit) -> Response:
    """POST /customer: everything that is held of one customer."""
    number = number_of(visit)
    return shown(visit, show(visit.night, number, visit.who, visit.why), number)


def told(visit: Visit) -> Response:
    """POST /customer/told: who was told what about them."""
    account = account_for(visit.night, number_of(visit), visit.who, visit.why)
    laid = document(account, visit.house.settings, visit.texts.language)
    return visit.page("told.html", laid=laid, number=f"P{account.party_id}")


def looked(visit: Visit) -> Response:
    """POST /customer/looked: who of our own people saw or did what."""
    number = number_of(visit)
    lines = who_looked(visit.night, number, visit.who, visit.why)
    rows = [
        {
            "at": visit.moment(row["at"]),
            "what": visit.code("operation", plain(row["operation"]).replace(" ", "_")),
            "detail": _detail(visit, plain(row["detail"])),
            **{k: plain(row[k]) for k in ("who", "purpose")},
        }
        for row in lines.iloc[::-1].to_dict("records")
    ]
    return visit.page("looked.html", rows=rows, number=number)


def _detail(visit: Visit, detail: str) -> str:
    """What a line of the access log was about, in words where it names a thing and its number; else as it stands."""
    thing, _, number = detail.partition(" ")
    if thing == "informed":
        return visit.texts.say("desk.restraint.informed_on", day=visit.day(number))
    entry = f"desk.looked.of.{thing}"
    return visit.texts.say(entry, n=number) if entry in catalogue() else detail


# ---- a notice


def preview(visit: Visit) -> Response:
    """POST /customer/notice: what would be taken down, before it is."""
    number = number_of(visit)
    held = show(visit.night, number, visit.who, visit.why)
    facts = {name: visit.form[name] for name in _NOTICE if visit.form.get(name)}
    wrong = list(_wrong(facts, visit.house.today()))
    if wrong:
        return shown(visit, held, number, wrong=wrong, filled=facts)
    content = _content(facts)
    now = {row["field"]: plain(row["value"]) for row in held.values.to_dict("records")}
    changes = [
        (name, now.get(name, ""), content[name]) for name in ("phone", "email") if name in content
    ]
    is_protected = held.is_protected
    act = "/customer/notice/ask" if is_protected else "/customer/notice/take"
    return visit.page(
        "notice.html", number=number, name=plain(held.golden["display_name"]), facts=facts, changes=changes,
        address=content.get("addresses", [None])[0], act=act, address_now=", ".join(
            part for part in (
                plain(held.golden["street_line"]),
                f"{plain(held.golden['postal_code'])} {plain(held.golden['post_office'])}".strip(),
            ) if part
        ), is_protected=is_protected,
        seal=visit.seal(act, facts),
    )  # fmt: skip


def take(visit: Visit) -> Response:
    """POST /customer/notice/take: the notice as it was previewed."""
    taken = take_notice(visit.night, **_notice(visit), who=visit.who)
    facts = {"number": visit.form["number"], "purpose": visit.why}
    return visit.page(
        "taken.html", notice=taken, facts=facts, refresh=visit.seal("/customer/refresh", facts)
    )


def ask(visit: Visit) -> Response:
    """POST /customer/notice/ask: of a protected customer a second person decides."""
    held = show(visit.night, number_of(visit), visit.who, visit.why)
    party = int(held.golden["party_id"])
    return second.ask(visit, "notice", {"notice": _notice(visit), "party_id": party})


def _notice(visit: Visit) -> dict[str, Any]:
    facts = visit.form
    return {
        "number": number_of(visit), "content": _content(dict(facts)), "received": facts["received"],
        "channel": facts["channel"], "evidence": facts.get("evidence"), "corrects": facts.get("corrects") == "yes",
    }  # fmt: skip


def _content(facts: dict[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = {name: facts[name] for name in ("phone", "email") if name in facts}
    if "line" in facts:
        content["addresses"] = [{name: facts[name] for name in _ADDRESS if name in facts}]
    return content


def _wrong(facts: dict[str, str], today: str) -> Iterator[str]:
    """What of a notice can't be taken down, by the name of its text."""
    if not {"line", "phone", "email"} & set(facts):
        yield "nothing"
    if "line" in facts and not {"postal_code", "post_office"} <= set(facts):
        yield "address"
    if "postal_code" in facts and not (
        facts["postal_code"].isascii() and facts["postal_code"].isdigit() and len(facts["postal_code"]) == 5
    ):  # fmt: skip
        yield "postal_code"
    if facts.get("channel") not in CHANNELS:
        yield "channel"
    if facts.get("address_type", "postal") not in ("postal", "contact"):
        yield "address"
    if not _is_day(facts.get("received", "")) or facts["received"] > today:
        yield "received"
    if "valid_from" in facts and not _is_day(facts["valid_from"]):
        yield "valid_from"


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


# ---- a refresh


def ask_now(visit: Visit) -> Response:
    """POST /customer/refresh: every register that applies, now, under the run lock."""
    number, house = number_of(visit), visit.house
    lock = RunLock(house.engine, house.home)  # of this thread's own
    if not lock.acquire(house.settings.hub.refresh.wait_seconds):
        raise Busy(visit.texts.say("desk.refresh.busy"))
    try:
        found = refresh(visit.night, [number], house.source, visit.who, visit.why)
    finally:
        lock.release()
    (customer,) = found.customers
    sources = [
        s for s in house.settings.sources if any(s in says for says in customer.compared["says"])
    ]
    return visit.page(
        "refreshed.html",
        number=f"P{customer.party_id}",
        customer=customer,
        heard=[in_words(visit.night, visit.texts, h) for h in found.heard],
        is_partial=found.is_partial,
        is_empty=found.is_empty,
        sources=[(s, visit.title(s)) for s in sources],
        rows=list(_compared(visit, customer, sources)),
        tonight=[
            (visit.title(name), seen.state, visit.rows(seen.events.drop(columns="party_id")),
             [visit.texts.say(f"held.{reason}") for reason in seen.held["reason"]])
            for name, seen in customer.tonight.items()
        ],
    )  # fmt: skip


def _compared(visit: Visit, one: Refreshed, sources: list[str]) -> Iterator[dict[str, object]]:
    changed = one.changed
    for row in one.compared.to_dict("records"):
        name = row["field"]
        rule = row["rule"] if isinstance(row["rule"], str) else None
        yield {
            "field": visit.code("field", name),
            "before": visit.word(name, row["before"]),
            "now": visit.word(name, row["now"]),
            "says": [
                " / ".join(visit.word(name, v) for v in row["says"].get(s, [])) for s in sources
            ],
            "why": f"{visit.title(row['source'])}: {visit.texts.say(f'rule.{rule}')}"
            if rule
            else "",
            "is_changed": name in changed,
        }


# ---- laying out


def shown(
    visit: Visit,
    held: Customer,
    number: str,
    *,
    wrong: list[str] | None = None,
    filled: dict[str, str] | None = None,
    lifting: Mapping[str, str] | None = None,
    not_yet: str = "desk.notice.wrong",
) -> Response:
    """The customer's page. wrong: why a form of it is not acted on, under `not_yet`; filled, lifting: what stays in it."""
    say, golden = visit.texts.say, held.golden
    own = held.records.loc[held.records["source"] == "registrations", "source_key"]
    facts = {"number": f"P{golden['party_id']}", "purpose": visit.why}
    order = {name: place for place, name in enumerate(GOLDEN.columns)}
    return visit.page(
        "customer.html",
        status=422 if wrong else 200,
        number=facts["number"],
        name=plain(golden["display_name"]),
        is_protected=held.is_protected,
        own=list(own),
        handles=held.handles,
        values=[
            {
                "field": visit.code("field", row["field"]),
                "value": visit.word(row["field"], row["value"]),
                "source": visit.title(row["source"]),
                "since": visit.day(row["source_time"]),
                "rule": visit.code("rule", row["rule"]),
                "said": _said(visit, row),
            }
            for row in sorted(
                held.values.to_dict("records"), key=lambda row: order.get(row["field"], len(order))
            )
        ],
        roles=[
            {
                "role": say(f"role.{row['role_type']}"),
                "point": plain(row["point_ref"]),
                "from": visit.day(row["valid_from"]),
                "until": visit.day(row["valid_to"]),
                "source": visit.title(row["source"]),
            }
            for row in held.roles.to_dict("records")
        ],
        points=[
            {
                "point": plain(row["point_ref"]),
                "field": visit.code("field", row["field"]),
                "value": visit.word(row["field"], row["value"]),
                "source": visit.title(row["source"]),
                "since": visit.day(row["source_time"]),
                "is_overruled": row["rule"] == "overruled",
            }
            for row in held.points.to_dict("records")
        ],
        restraints=[
            {
                "kind": row["kind"],
                "what": say(f"restraint.{row['kind']}"),
                "since": visit.day(row["since"]),
                "evidence": plain(row["evidence"]),
                "wants_day": row["kind"] == RESTRICTION,
            }
            for row in held.restraints.to_dict("records")
        ],
        kinds=KINDS,
        facts=facts,
        refresh=visit.seal("/customer/refresh", facts),
        channels=CHANNELS,
        today=visit.house.today(),
        wrong=wrong or [],
        not_yet=not_yet,
        filled=filled or {},
        lifting=lifting or {},
    )


def _said(visit: Visit, row: Mapping[Hashable, Any]) -> str:
    """Of a value that one of our own people entered: as what, who and when."""
    if not isinstance(row["said_how"], str):
        return ""
    entry = f"desk.customer.said.{row['said_how']}"
    return visit.texts.say(entry, who=row["said_by"], day=visit.day(row["said_at"]))


def number_of(visit: Visit) -> str:
    """A customer's number; raises FormRefused."""
    number = visit.form.get("number", "")
    if not number.isascii() or not number.isalnum() or len(number) > 20:
        raise FormRefused("unreadable")
    return number


PAGES = (
    Page("GET", "/customers", PEOPLE, search),
    Page("POST", "/customers", PEOPLE, results),
    Page("POST", "/customer", PEOPLE, one),
    Page("POST", "/customer/told", PEOPLE, told),
    Page("POST", "/customer/looked", PEOPLE, looked),
    Page("POST", "/customer/notice", PEOPLE, preview),
    Page("POST", "/customer/notice/take", PEOPLE, take, _NOTICE),
    Page("POST", "/customer/notice/ask", PEOPLE, ask, _NOTICE),
    Page("POST", "/customer/refresh", PEOPLE, ask_now, ("number", "purpose")),
)
