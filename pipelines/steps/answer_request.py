"""Refreshes by number, for a Dagster run: it may know of people no more than the number of a request.

Belongs here: writing a request down, carrying it out, showing what came of it, how a register
answered in words. Does not belong here: the refresh itself (`refresh_address`), the run lock (whoever calls holds it).
"""

from collections.abc import Sequence

from pipelines.steps.around import NotFound
from pipelines.steps.look import party_of
from pipelines.steps.night import Night, StepResult
from pipelines.steps.refresh_address import (
    Answer,
    Heard,
    NotRefreshed,
    Opener,
    on_demand,
    own_numbers,
    present,
    refresh,
)
from pipelines.store import access, requests
from pipelines.store.engine import transaction
from pipelines.texts import Texts


def request(night: Night, numbers: Sequence[str], who: str, why: str) -> int:
    """Write down that these customers are to be refreshed by the job; returns the request's number."""
    on_demand(night)
    with transaction(night.engine) as conn:
        parties = {number: party_of(conn, number) for number in dict.fromkeys(numbers)}
        own = [
            n if n in own_numbers(conn, party) else min(own_numbers(conn, party), default=n)
            for n, party in parties.items()
        ]
        number = requests.record(conn, own, who, night.now())
        for party in parties.values():
            access.record(conn, night.now(), who, "refresh", party, why, f"request {number}")
    return number


def in_words(night: Night, texts: Texts, heard: Heard) -> str:
    """How one register answered, as a steward reads it."""
    settings = night.settings
    line = texts.day(heard.line) if heard.status == "in_batches" else heard.line
    return texts.say(
        f"heard.{heard.status}",
        source=settings.sources[heard.source].title.in_(texts.language),
        patience=f"{settings.hub.refresh.patience_seconds:g}",
        line=line,
    )


def answer_request(night: Night, request_no: int, opener: Opener, texts: Texts) -> StepResult:
    """Carry out a request; counts, words on each source and names of changed fields, never a customer.

    While nobody at all can be heard the request stays open, and may be carried out again.
    """
    with transaction(night.engine) as conn:
        asked = requests.read(conn, request_no)
    if asked is None:
        raise NotRefreshed(
            f"there is no request {request_no}; make one: hub refresh --later NUMBER"
        )
    if asked.state == "done":
        raise NotRefreshed(
            f"request {request_no} was carried out at {asked.finished_at}: "
            f"hub refresh --answer {request_no}"
        )
    if not asked.customers:
        raise NotRefreshed(f"request {request_no} is too old: whom it was about has been forgotten")
    why = f"request {request_no}"
    try:
        found = refresh(night, asked.customers, opener, asked.asked_by, why, why)
    except NotFound:
        raise NotRefreshed(
            f"request {request_no}: one of its customers is in the register no more; make a new one: "
            "hub refresh --later NUMBER"
        ) from None
    if not found.is_empty:
        changed = {c.number: c.changed for c in found.customers}
        with transaction(night.engine) as conn:
            answered = {h.source: str(h.status) for h in found.heard}
            requests.finish(conn, request_no, answered, changed, night.now())
    fields = [f for c in found.customers for f in c.changed]
    return StepResult(
        status="failed" if found.is_empty else "attention" if found.is_partial else "ok",
        counts={
            "refreshed": len(found.customers),
            "refreshed_changed": sum(bool(c.changed) for c in found.customers),
            **{f"changed_field:{name}": fields.count(name) for name in dict.fromkeys(fields)},
        },
        text="\n\n".join([in_words(night, texts, h) for h in found.heard] + _said(found, texts)),
    )


def _said(found: Answer, texts: Texts) -> list[str]:
    if found.is_empty:
        return [texts.say("refresh.nobody")]
    return [texts.say("refresh.partial")] if found.is_partial else []


def answer_to(night: Night, request_no: int, who: str, why: str) -> tuple[requests.Request, Answer]:
    """A request with the present ours and theirs of its customers; what changed then is in the request."""
    with transaction(night.engine) as conn:
        asked = requests.read(conn, request_no)
    if asked is None:
        raise NotFound(f"there is no request {request_no}")
    if asked.state != "done":
        raise NotFound(
            f"request {request_no} has not been carried out: run address_refresh in Dagster"
        )
    if not asked.customers:
        raise NotFound(f"request {request_no} is too old: whom it was about has been forgotten")
    return asked, present(night, asked.customers, who, why, f"request {request_no}")
