"""How far a delivery has come that may be broken off: its journal in the store.

Belongs here: handing a recipient the journal it goes on from. Does not belong here: whole deliveries (`deliver`,
`settle`), rows that may not leave any more (`stop`), how a row is told (recipients).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from connectors.base import Recipient, Resuming, RowAnswer
from pipelines.steps.night import Night
from pipelines.store import deliveries, progress
from pipelines.store.deliveries import Delivery
from pipelines.store.engine import StoreError, transaction


def going_on(night: Night, delivery: Delivery, recipient: Recipient) -> Recipient:
    """The recipient for this delivery; one that can be broken off goes on from the journal."""
    if delivery.payload is None or not isinstance(recipient, Resuming):
        return recipient
    return recipient.resuming(delivery.payload, _Journal(night, delivery))


@dataclass(frozen=True)
class _Journal:
    """`connectors.base.Journal` in the store; each note is a transaction of its own."""

    night: Night
    delivery: Delivery

    def answers(self) -> Mapping[int, RowAnswer]:
        with transaction(self.night.engine) as conn:
            found = progress.of(conn, self.delivery.delivery_id)
        return {
            row: RowAnswer(cast(Literal["leaving", "taken", "refused"], state), code, attempt)
            for row, (state, code, attempt) in found.items()
        }

    def note(self, row: int, answer: RowAnswer) -> None:
        with transaction(self.night.engine) as conn:
            state = deliveries.find(conn, self.delivery.delivery_id).state
            if state not in ("sending", "uncertain"):
                raise StoreError(
                    f"delivery {self.delivery.delivery_id} became {state} while it was being sent: "
                    "another hub is at work on the same database"
                )
            progress.note(
                conn, self.delivery.delivery_id, row, answer.state, answer.code, answer.attempt
            )
        self.night.reached(f"deliver:{self.delivery.recipient}:row {row} {answer.state}")
