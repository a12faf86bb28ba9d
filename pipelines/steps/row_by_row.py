"""A delivery that is told row by row: its journal in the store, and what a protective order means in its middle.

Belongs here: handing a recipient the journal it goes on from, withholding rows of one that has begun. Does not
belong here: whole deliveries (`deliver`, `settle`), how a row is told (recipients).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import Connection

from connectors.base import Recipient, RowAnswer, RowByRow
from pipelines.steps.night import Night
from pipelines.store import deliveries, progress
from pipelines.store.deliveries import Delivery
from pipelines.store.engine import transaction

WITHHELD = "WITHHELD"  # our own code among the recipient's: it never left


def going_on(night: Night, delivery: Delivery, recipient: Recipient) -> Recipient:
    """The recipient for this delivery; one that is told row by row goes on from the journal."""
    if delivery.payload is None or not isinstance(recipient, RowByRow):
        return recipient
    return recipient.resuming(delivery.payload, _Journal(night, delivery))


def withhold(conn: Connection, delivery: Delivery) -> bool:
    """Of a delivery that has begun, rows that tell what may not be told any more are never sent.

    They count as refused, so that what may be told of the same customers goes out with the next delivery. A row
    that was leaving when the night broke off has been asked about before (`settle.look_for`). False, and nothing
    is done, when no row has left: such a delivery is aborted whole.
    """
    answers = progress.of(conn, delivery.delivery_id)
    if not answers:
        return False
    for row in deliveries.exposing_rows(conn, delivery.delivery_id):
        state, _, attempt = answers.get(row, ("", "", 1))
        if state in ("", "leaving"):
            progress.note(conn, delivery.delivery_id, row, "refused", WITHHELD, attempt)
    return True


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
            progress.note(
                conn, self.delivery.delivery_id, row, answer.state, answer.code, answer.attempt
            )
        self.night.reached(f"deliver:{self.delivery.recipient}:row {row} {answer.state}")
