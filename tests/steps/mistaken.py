"""Hubs that are built wrongly, one mistake each: whatever holds them to be right has not looked.

Belongs here: a substitute for one part of the delivery protocol, put in place in the process that is to die. Does
not belong here: the deaths (`matrix`), the right protocol. Nothing is changed but in that process.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from connectors.base import Receipt, Recipient
from pipelines.domain.disclosure import leaf, receipt_hash
from pipelines.steps import deliver, prepare_extract, settle
from pipelines.steps.night import Night
from pipelines.store import deliveries, disclosures
from pipelines.store.deliveries import Delivery
from pipelines.store.engine import transaction
from tests.steps.dying import Attempt, Hub, Watched

Mistake = Callable[[Hub], None]


def no_checkpoint_before_sending(hub: Hub) -> None:
    """What waits counts as sealed, and nothing is signed before the end of the night."""

    def seal(night: Night) -> None:
        with transaction(night.engine) as conn:
            deliveries.seal(conn)

    vars(deliver)["seal"] = seal


def blind_resending(hub: Hub) -> None:
    """What broke off is sent again, nobody being asked."""

    def look_for(night: Night, delivery: Delivery, recipient: Recipient) -> None:
        with transaction(night.engine) as conn:
            deliveries.mark(conn, delivery.delivery_id, "sealed", night.now())

    vars(deliver)["look_for"] = vars(settle)["look_for"] = look_for


def random_names(hub: Hub) -> None:
    """Every attempt to send has a name of its own."""

    class Renamed(Watched):
        def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
            return super().publish(secrets.token_hex(10), sequence, payload, rows)

    assert isinstance(hub.recipient, Watched)
    hub.recipient.__class__ = Renamed


def no_look_at_the_bytes(hub: Hub) -> None:
    """Whatever stands at the recipient counts as ours; and there, something else stands."""

    def confirm_sent(night: Night, delivery: Delivery, receipt: Receipt) -> None:
        stood = {"name": receipt.name, "size": receipt.size}
        proof = receipt_hash(delivery.delivery_id, stood)
        line = leaf("delivered", d=delivery.delivery_id, receipt=proof)
        with transaction(night.engine) as conn:
            deliveries.mark(conn, delivery.delivery_id, "sent", night.now(), receipt=stood)
            disclosures.append_leaves(conn, [line], night.now())
        night.reached(f"deliver:{delivery.recipient}:confirmed")

    vars(deliver)["confirm_sent"] = vars(settle)["confirm_sent"] = confirm_sent


def logged_after_sending(hub: Hub) -> None:
    """The intent is written when the delivery is over."""
    kept: list[str] = []

    class Later:
        def __getattr__(self, name: str) -> Any:
            return getattr(disclosures, name)

        @staticmethod
        def append_leaves(conn: Connection, lines: Sequence[str], at: str) -> None:
            kept.extend(lines)

    vars(prepare_extract)["disclosures"] = Later()
    right = hub.steps["deliver"]

    def and_log(hub: Hub) -> Any:
        result = right(hub)
        with transaction(hub.night.engine) as conn:
            disclosures.append_leaves(conn, kept, hub.night.now())
        return result

    hub.steps["deliver"] = and_log


@dataclass(frozen=True)
class Mistaken:
    """A mistake, and the recipient it shows at."""

    mistake: Mistake
    attempt: Attempt


MISTAKES: Mapping[str, Mistaken] = {
    "no checkpoint before sending": Mistaken(no_checkpoint_before_sending, Attempt()),
    "blind resending": Mistaken(blind_resending, Attempt(takes_away=True)),
    "random names": Mistaken(random_names, Attempt()),
    "a receipt whose bytes nobody compares": Mistaken(no_look_at_the_bytes, Attempt(lies=True)),
    "the leaf after sending": Mistaken(logged_after_sending, Attempt()),
}
