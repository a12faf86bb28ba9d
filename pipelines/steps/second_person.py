"""Ask for a second person, and be one: nothing that touches a protective order is done by one alone (R56).

Belongs here: that asker and approver are two, that what was asked is what is done. Does not belong here: who may be the
second person (the roster's officers; the desk asks), behind what an order stands and what an act does (each act).
"""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta

from pipelines.errors import HubError
from pipelines.steps.around import NotFound
from pipelines.steps.night import Night, instant
from pipelines.store import access, seconds
from pipelines.store.engine import transaction
from pipelines.store.seconds import Request

# so long a request waits; the matter may have changed since
KEPT_FOR = timedelta(days=14)
# what is undone at once nobody has to approve; the real act will want a second person where this one would
TRIED_OUT = "(tried out)"


class Alone(HubError):
    """One person would do what two have to. about: what, by its number; parties: whom it concerns."""

    def __init__(self, line: str, about: str, parties: Collection[int], *, says: str) -> None:
        super().__init__(line, says=says)
        self.about = about
        self.parties = tuple(parties)


def demand_two(
    who: str, approved_by: str | None, about: str, page: str, parties: Collection[int]
) -> None:
    """Alone unless somebody else has approved what a protective order stands behind (R56).

    approved_by: the second person, whom the desk asks; the command line has none. page: of the desk, where one is asked for.
    """
    if approved_by in (None, who):
        raise Alone(
            f"{about}: a protective order stands behind it, so nobody decides alone; "
            f"ask for a second person at the desk, page {page}",
            about, parties, says="desk.second.wanted",
        )  # fmt: skip


def note_alone(night: Night, who: str, alone: Alone) -> None:
    """Write down who would have acted alone: a refusal too tells that there is an order."""
    with transaction(night.engine) as conn:
        for party in alone.parties or (None,):
            access.record(conn, night.now(), who, "second wanted", party, detail=alone.about)


def ask(night: Night, act: str, facts: Mapping[str, object], who: str) -> int:
    """Write down what a second person is asked to approve; returns its number.

    facts: what the act needs, and party_id where it is about one customer.
    """
    with transaction(night.engine) as conn:
        number = seconds.record(conn, act, facts, who, night.now())
        access.record(conn, night.now(), who, "second asked", None, act, f"request {number}")
    return number


def waiting(night: Night) -> list[Request]:
    """What waits, oldest first; what has waited too long is over."""
    with transaction(night.engine) as conn:
        seconds.lapse(conn, instant(night.clock() - KEPT_FOR))
        return seconds.waiting(conn)


def open_request(night: Night, number: int, who: str) -> Request:
    """A request that waits, shown to somebody who is written down; NotFound when none of that number does."""
    with transaction(night.engine) as conn:
        found = seconds.read(conn, number)
        if found is None or found.state != "waiting":
            raise NotFound(
                f"no request {number} waits for a second person", says="no.request", n=number
            )
        party = (found.facts or {}).get("party_id")
        detail = f"request {number}"
        access.record(conn, night.now(), who, "second opened", party, found.act, detail)
    return found


def approve(
    night: Night, number: int, who: str, why: str, do: Callable[[Request], object]
) -> Request:
    """Take the approval down, then do what was asked, as its asker; Alone for who asked it.

    The approval comes first and only once: an act that then fails is asked for anew, none is done twice.
    """
    found = open_request(night, number, who)
    if found.asked_by == who:
        raise Alone(
            "a second person is somebody else than who asked",
            f"request {number}", (), says="desk.second.own",
        )  # fmt: skip
    _answer(night, number, "approved", who, why)
    do(found)
    return found


def decline(night: Night, number: int, who: str, why: str) -> None:
    """Say no; who asked may take it back so too."""
    open_request(night, number, who)
    _answer(night, number, "declined", who, why)


def _answer(night: Night, number: int, state: seconds.State, who: str, why: str) -> None:
    with transaction(night.engine) as conn:
        seconds.decide(conn, number, state, who, why, night.now())
        access.record(conn, night.now(), who, f"second {state}", None, None, f"request {number}")
