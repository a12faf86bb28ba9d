"""Decide on a recall or a notice of correction, and say how its letter fared (R43, R56).

Belongs here: an officer's decision, what a letter needs, somebody who looks. Does not belong here: who has to hear
(`notify`), the words of a letter (`pipelines.notification_letter`), that there are two people (`second_person`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from pipelines.steps.around import NotFound, has_token, is_under_order
from pipelines.steps.decide import Undecidable
from pipelines.steps.night import Night
from pipelines.steps.notify import age, art19_leaf
from pipelines.steps.second_person import demand_two
from pipelines.store import access, disclosures, notifications, quarantine
from pipelines.store.engine import transaction


@dataclass(frozen=True)
class Approved:
    """A notification that a person now sends, as far as its letter needs it.

    references: of the cases in which the recipient was told. told: when and in which delivery.
    """

    number: int
    kind: str
    recipient: str
    why: str
    customer_number: str
    fields: tuple[str, ...]
    references: tuple[str, ...]
    told: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Opened:
    """A notification as a named person sees it. wants_two: nobody approves it alone."""

    letter: Approved
    customer: int
    wants_two: bool
    state: str
    is_by_hand: bool
    since: str
    decided_by: str | None
    decision_reason: str | None


def approve(
    night: Night, number: int, who: str, why: str, *, approved_by: str | None = None
) -> Approved:
    """An officer decides that a recipient is told; what its letter needs. Sending it is up to a person.

    Approved once more it is the same letter again; a notice that no delivery has carried is then sent by hand.
    approved_by: as `second_person.demand_two` wants it; a letter that is approved may be had again by one.
    """
    with transaction(night.engine) as conn:
        one = _open(conn, number)
        _record(conn, night, one, "approve", who, why)
        if (one["state"], one["route"]) != ("approved", "hand"):
            if _wants_two(conn, one):
                about, party = f"{one['kind']} {number}", int(one["party_id"])
                demand_two(who, approved_by, about, "Takaisinvedot ja oikaisut", (party,))
            if one["state"] == "prepared":
                line = art19_leaf(night, str(one["kind"]), str(one["recipient"]))
                disclosures.append_leaves(conn, [line], night.now())
            notifications.move(
                conn, number, "approved", route="hand", decided_by=who, decided_at=night.now(),
                decision_reason=why,
            )  # fmt: skip
        return _as_told(conn, night, one)


def _wants_two(conn: Connection, one: "pd.Series[Any]") -> bool:
    """A recall tells that there is an order; so may a notice about somebody who has one (R56)."""
    return one["kind"] == "recall" or is_under_order(conn, int(one["party_id"]))


def opened(night: Night, number: int, who: str, why: str) -> Opened:
    """One notification, whatever its state, for somebody who is written down; nothing of anybody's data but whose it is."""
    with transaction(night.engine) as conn:
        one = _known(conn, number)
        party = int(one["party_id"])
        _record(conn, night, one, "show", who, why)
        return Opened(
            letter=_as_told(conn, night, one),
            customer=party,
            wants_two=_wants_two(conn, one),
            state=str(one["state"]),
            is_by_hand=one["route"] == "hand",
            since=str(one["prepared_at"]),
            decided_by=_text(one["decided_by"]),
            decision_reason=_text(one["decision_reason"]),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _as_told(conn: Connection, night: Night, one: "pd.Series[Any]") -> Approved:
    """What the letter of a notification needs."""
    party = int(one["party_id"])
    told = notifications.rows_that_left(conn, party, or_will=True)
    supplied = _their_key(conn, one)
    told = told[told["delivery_id"].isin(one["told_in"])].drop_duplicates("delivery_id")
    # who is told by case knows the customer by it: customer number, hyphen, reference
    contract = night.settings.recipients.get(str(one["recipient"]))
    by_case = contract is not None and contract.population.is_per_case
    references = [key.partition("-")[2] for key in told["row_key"]] if by_case else []
    # a register gets its own records back, under its own key
    is_return = contract is not None and contract.population.source is not None
    theirs = _in_order(key.rpartition("/")[0] for key in told["row_key"]) if is_return else ()
    theirs = theirs or tuple(filter(None, [supplied]))
    return Approved(
        number=int(one["notification_no"]),
        kind=str(one["kind"]),
        recipient=str(one["recipient"]),
        why=str(one["why"]),
        customer_number=", ".join(theirs) or f"{party:06}",
        fields=tuple(one["fields"]),
        references=_in_order(references),
        told=tuple(zip(told["at"], told["delivery_id"], strict=True)),
    )


def _their_key(conn: Connection, one: "pd.Series[Any]") -> str | None:
    """The key by which a register knows the record of its own that a steward has corrected; none if it is our token."""
    what, _, number = str(one["cause"]).partition(" ")
    item = quarantine.item(conn, int(number)) if what == "quarantine" else None
    return None if item is None or has_token(str(item["source_key"])) else str(item["source_key"])


def decline(night: Night, number: int, who: str, why: str) -> None:
    """An officer decides that a recipient is not told; the disclosure log hears nothing of it."""
    with transaction(night.engine) as conn:
        one = _open(conn, number)
        _record(conn, night, one, "decline", who, why)
        notifications.move(
            conn, number, "declined", decided_by=who, decided_at=night.now(), decision_reason=why,
            closed_at=night.now(),
        )  # fmt: skip


def sent(night: Night, number: int, who: str, why: str, *, answered: bool) -> None:
    """A person says that a letter has gone, or, with `answered`, that the recipient has confirmed it."""
    with transaction(night.engine) as conn:
        one = _known(conn, number)
        may = ("approved", "sent") if answered else ("approved",)
        if one["state"] not in may or one["route"] != "hand":
            if one["state"] == "prepared" or one["route"] != "hand":
                raise Undecidable(
                    f"{number} is {one['state']}: hub disclosures recall approve {number} comes first",
                    says="no.recall_unapproved", n=number,
                )  # fmt: skip
            raise Undecidable(
                f"{number} is {one['state']} already", says="no.recall_decided", n=number
            )
        _record(conn, night, one, "acknowledged" if answered else "sent", who, why)
        notifications.move(
            conn, number, "acknowledged" if answered else "sent", closed_at=night.now()
        )


def _record(
    conn: Connection, night: Night, one: "pd.Series[Any]", what: str, who: str, why: str
) -> None:
    number = str(one["notification_no"])
    party = int(one["party_id"])
    access.record(conn, night.now(), who, f"{one['kind']} {what}", party, why, detail=number)


def _known(conn: Connection, number: int) -> "pd.Series[Any]":
    one = notifications.find(conn, number)
    if one is None:
        raise NotFound(
            f"there is no recall or notice {number}; see: hub disclosures recalls",
            says="no.recall", n=number,
        )  # fmt: skip
    return one


def _open(conn: Connection, number: int) -> "pd.Series[Any]":
    one = _known(conn, number)
    if one["state"] not in notifications.OPEN:
        raise Undecidable(
            f"{number} is {one['state']} already; see: hub disclosures recalls --all",
            says="no.recall_decided", n=number,
        )  # fmt: skip
    return one


def listed(
    night: Night, *, closed: bool = False, who: str | None = None, why: str = ""
) -> pd.DataFrame:
    """The notifications that are open, or all, with their age in days; no person.

    who: adds `customer`, our number of each, and writes into the access log that somebody looked.
    """
    with transaction(night.engine) as conn:
        found = notifications.listed(conn, None if closed else notifications.OPEN)
        if who is not None:
            people = list(found["party_id"].drop_duplicates())
            access.record_many(conn, night.now(), who, "disclosures recalls", people, why)
    found = found.assign(days=[age(night, since) for since in found["prepared_at"]])
    if who is not None:
        found["customer"] = "P" + found["party_id"].astype("str")
    return found.drop(columns=["party_id", "cause"])


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
