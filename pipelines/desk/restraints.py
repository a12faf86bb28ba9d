"""Kiellot ja rajoitukset: what a customer forbids, recorded and ended on the customer's page.

Belongs here: both previews and what is done after them. Does not belong here: the customer's page (`customers`), what a
restraint stops and what its end wants (`steps.restrain`), what each forbids (`domain.restraints`).
"""

from starlette.responses import Response

from pipelines.desk import second
from pipelines.desk.customers import CHANNELS, number_of, shown
from pipelines.desk.visit import PEOPLE, Page, Visit, plain
from pipelines.domain.restraints import KINDS, RESTRICTION
from pipelines.errors import HubError
from pipelines.steps.look import Customer, show
from pipelines.steps.restrain import demand_informed, release, restrain

_FORBID = ("number", "purpose", "kind", "channel", "evidence", "reason")
_LIFT = ("number", "purpose", "kind", "informed", "reason")
_NOT_YET = "desk.correct.not_yet"


def forbid(visit: Visit) -> Response:
    """POST /customer/restraint: what would be forbidden, before it is."""
    number = number_of(visit)
    held = show(visit.night, number, visit.who, visit.why)
    facts = {name: visit.form[name] for name in _FORBID if visit.form.get(name)}
    missing = [
        name for name, wrong in (
            ("kind", facts.get("kind") not in KINDS),
            ("channel", facts.get("channel") not in CHANNELS),
            ("reason", not facts.get("reason", "").strip()),
        ) if wrong
    ]  # fmt: skip
    if missing:
        return shown(visit, held, number, wrong=missing, not_yet=_NOT_YET)
    return _sure(visit, held, "restraint.html", "/customer/restrain", facts)


def forbidden(visit: Visit) -> Response:
    """POST /customer/restrain: from now on."""
    facts, say = visit.form, visit.texts.say
    stopped = restrain(
        visit.night, number_of(visit), facts["kind"], channel=facts["channel"],
        evidence=facts.get("evidence"), who=visit.who, why=facts["reason"],
    )  # fmt: skip
    return visit.done(
        say("desk.restraint.taken", what=say(f"restraint.{facts['kind']}")),
        "/customers",
        "desk.customers.back",
        say("desk.restraint.stopped", n=len(stopped.stopped), left=len(stopped.under_way)),
    )


def lift(visit: Visit) -> Response:
    """POST /customer/lift: what would end, before it does; of a restriction the customer has to know."""
    number = number_of(visit)
    held = show(visit.night, number, visit.who, visit.why)
    facts = {name: visit.form[name] for name in _LIFT if visit.form.get(name)}
    if facts.get("kind") != RESTRICTION:
        facts.pop("informed", None)
    wrong = [
        name for name, is_wrong in (
            ("standing", facts.get("kind") not in set(held.restraints["kind"])),
            ("informed", not _is_informed(visit, facts.get("kind", ""), facts.get("informed"))),
            ("reason", not facts.get("reason", "").strip()),
        ) if is_wrong
    ]  # fmt: skip
    if wrong:
        return shown(visit, held, number, wrong=wrong, lifting=facts, not_yet=_NOT_YET)
    act = "/customer/lift/ask" if held.is_protected else "/customer/lifted"
    return _sure(visit, held, "lift.html", act, facts)


def lifted(visit: Visit) -> Response:
    """POST /customer/lifted: it has ended."""
    facts, say = visit.form, visit.texts.say
    release(
        visit.night, number_of(visit), facts["kind"], who=visit.who, why=facts["reason"],
        informed=facts.get("informed"),
    )  # fmt: skip
    return visit.done(
        say(f"desk.restraint.ended.{facts['kind']}"), "/customers", "desk.customers.back",
        say("desk.restraint.then"),
    )  # fmt: skip


def ask(visit: Visit) -> Response:
    """POST /customer/lift/ask: for a protected customer a second person decides, since data goes out again (R56)."""
    held = show(visit.night, number_of(visit), visit.who, visit.why)
    return second.ask(visit, "lift", {**visit.form, "party_id": int(held.golden["party_id"])})


def _sure(visit: Visit, held: Customer, template: str, act: str, facts: dict[str, str]) -> Response:
    """The page that asks whether it is to be done."""
    return visit.page(
        template, number=facts["number"], name=plain(held.golden["display_name"]), facts=facts,
        act=act, is_protected=held.is_protected, seal=visit.seal(act, facts),
    )  # fmt: skip


def _is_informed(visit: Visit, kind: str, informed: str | None) -> bool:
    try:
        demand_informed(visit.night, kind, informed)
    except HubError:
        return False
    return True


PAGES = (
    Page("POST", "/customer/restraint", PEOPLE, forbid),
    Page("POST", "/customer/restrain", PEOPLE, forbidden, _FORBID),
    Page("POST", "/customer/lift", PEOPLE, lift),
    Page("POST", "/customer/lifted", PEOPLE, lifted, _LIFT),
    Page("POST", "/customer/lift/ask", PEOPLE, ask, _LIFT),
)
