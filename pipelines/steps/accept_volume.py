"""Let a batch in that the night holds because of its size: asked for by one person, approved by another.

Belongs here: what is held, what exactly is let in of it, that it is still what was asked about. Does not belong here: that
there are two people (`second_person`), taking the batch in (`ingest`), which size is implausible (`expectations.volume`).

One batch, within a tenth of the size that was looked at, in one of the next nights, once. From then on that size is the
source's usual one. Nothing is taken out of the register by it: what a batch leaves out stands as it was said last.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from expectations.volume import Corridor, around
from pipelines.settings import SourceConfig
from pipelines.steps import second_person
from pipelines.steps.around import NotFound
from pipelines.steps.decide import Undecidable
from pipelines.steps.night import Night
from pipelines.store import acceptances, access, nights, seconds
from pipelines.store.acceptances import Acceptance, Wanted
from pipelines.store.engine import reading, transaction
from pipelines.store.seconds import Request

ACT = "volume"
GOOD_FOR = timedelta(
    days=3
)  # after the approval: the batch that was looked at, not one of next month
# how far the next reading of the same batch may be from the size that was looked at
_LIKE_IT = Corridor(shrink=0.1, grow=0.1)


@dataclass(frozen=True)
class Held:
    """A batch that its source's last reading left outside: counts and days only.

    expected: the fewest and most that would have been believed; None of a first batch. fewest, most: what would be let
    in. borrowers: sources that are asked about whoever is in it, and so change their size with it. request_no: of the
    request that waits for a second person. acceptance: that waits for the batch.
    """

    source: str
    held_on: str
    total: int
    usual: int | None
    expected: tuple[int, int] | None
    fewest: int
    most: int
    borrowers: tuple[str, ...]
    request_no: int | None
    acceptance: Acceptance | None


def held_batches(night: Night) -> list[Held]:
    """Every batch that waits outside because of its size, by source."""
    with reading(night.engine) as conn:
        every = [_held(conn, night, c) for c in night.settings.sources.values() if c.configured]
    return [held for held in every if held is not None]


def held_batch(night: Night, source: str) -> Held:
    """The batch of a source that waits outside; NotFound when none does, and of reference files."""
    config = night.settings.sources.get(source)
    if config is not None and config.brings == "reference":
        raise NotFound(
            f"{source}: a reference file is not let in so; if it is right, widen expect.corridor in "
            f"config/sources/{source}.yml until it has been taken in",
            says="no.reference",
        )
    with reading(night.engine) as conn:
        held = None if config is None or not config.configured else _held(conn, night, config)
    if held is None:
        raise NotFound(
            f"{source[:40]}: no batch is held because of its size; see: hub sources",
            says="no.batch",
        )
    return held


def ask(night: Night, source: str, total: int, who: str, why: str) -> int:
    """Ask a second person to let the held batch of a source in; returns the request's number.

    total: the size that was looked at; Undecidable when the held batch has another by now.
    """
    held = held_batch(night, source)
    if held.total != total:
        raise Undecidable(
            f"{source}: {held.total} records are held now, not {total}: look again",
            says="no.batch_changed", now=held.total, total=total,
        )  # fmt: skip
    if held.request_no is not None:
        raise Undecidable(
            f"{source}: request {held.request_no} waits for a second person already",
            says="desk.second.asked", n=held.request_no,
        )  # fmt: skip
    if held.acceptance is not None:
        number = held.acceptance.acceptance_no
        raise Undecidable(
            f"{source}: acceptance {number} waits for the next night already",
            says="no.batch_accepted", n=number,
        )  # fmt: skip
    names = ("source", "held_on", "total", "usual", "fewest", "most", "borrowers")
    facts = {name: value for name, value in asdict(held).items() if name in names}
    return second_person.ask(night, ACT, {**facts, "reason": why}, who)


def accept(night: Night, request: Request, approved_by: str) -> int:
    """Let in what was asked for; returns the acceptance's number.

    Undecidable when the source's last reading is no longer the batch that was asked about.
    """
    facts: Mapping[str, Any] = request.facts or {}
    source = str(facts["source"])
    now = held_batch(night, source)
    if not facts["fewest"] <= now.total <= facts["most"]:
        raise Undecidable(
            f"{source}: {now.total} records are held now, not {facts['total']}: ask anew",
            says="no.batch_changed", now=now.total, total=facts["total"],
        )  # fmt: skip
    last = date.fromisoformat(night.business_date) + GOOD_FOR
    with transaction(night.engine) as conn:
        number = acceptances.record(
            conn,
            Wanted(
                source, str(facts["held_on"]), facts["total"], facts["usual"], facts["fewest"], facts["most"],
                last.isoformat(), str(facts["reason"]), request.asked_by, request.asked_at, approved_by, night.now(),
            ),
        )  # fmt: skip
        detail = f"acceptance {number} of {source}, asked by {request.asked_by}"
        access.record(conn, night.now(), approved_by, "volume accept", None, None, detail)
    return number


def _held(conn: Connection, night: Night, config: SourceConfig) -> Held | None:
    last = nights.last_feed(conn, config.name)
    # of none at all there is nothing to take in; reference files have no usual size
    if last is None or last.status != "held" or not last.total:
        return None
    usual = nights.usual_total(conn, config.name)
    fewest, most = around(last.total, _LIKE_IT)
    waiting = [
        one.request_no
        for one in seconds.waiting(conn)
        if one.act == ACT and (one.facts or {}).get("source") == config.name
    ]
    return Held(
        config.name, last.business_date, last.total, usual,
        around(usual, config.expect.corridor) if usual else None,
        max(1, fewest), most, _borrowers(night, config.name), waiting[0] if waiting else None,
        acceptances.open_of(conn, config.name, night.business_date),
    )  # fmt: skip


def _borrowers(night: Night, source: str) -> tuple[str, ...]:
    return tuple(
        name
        for name, config in night.settings.sources.items()
        if config.configured and config.borrow_from == source
    )
