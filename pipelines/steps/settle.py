"""Find out what became of deliveries that are still open, and take in the recipient's answer.

Belongs here: asking a recipient about what may have arrived, and acknowledgements. Does not belong here:
sending (`deliver`), deciding what to send (`prepare_extract`).

An unknown outcome is asked about, never resent blindly (PRIVACY §2.4 R): the delivery's name is its id
and publishing never overwrites, so "nothing stands there" is a safe answer to send on.
"""

from dataclasses import dataclass

from connectors.base import (
    Acknowledgement,
    ConnectorError,
    Malformed,
    OutcomeUnknown,
    Receipt,
    Recipient,
)
from pipelines.domain.disclosure import leaf, receipt_hash
from pipelines.steps.night import Night
from pipelines.steps.row_by_row import going_on
from pipelines.store import deliveries, disclosures, progress
from pipelines.store.deliveries import Delivery, State
from pipelines.store.engine import transaction


@dataclass(frozen=True)
class Settled:
    """open: deliveries nobody has answered yet. error: why the recipient could not be asked, if so."""

    open: tuple[Delivery, ...]
    error: str | None = None


def settle(night: Night, name: str, recipient: Recipient) -> Settled:
    """Bring every open delivery of a recipient as far as it can be brought without sending anything."""
    with transaction(night.engine) as conn:
        open_ = deliveries.outstanding(conn, name)
    try:
        for delivery in open_:
            if delivery.state in ("sending", "uncertain"):
                look_for(night, delivery, recipient)
        with transaction(night.engine) as conn:
            open_ = deliveries.outstanding(conn, name)
        for delivery in open_:
            if delivery.state == "sent":
                take_answer(night, delivery, recipient)
    except ConnectorError as error:
        return Settled(tuple(open_), str(error))
    with transaction(night.engine) as conn:
        return Settled(tuple(deliveries.outstanding(conn, name)))


def look_for(night: Night, delivery: Delivery, recipient: Recipient) -> None:
    """Ask whether the bytes stand at the recipient; exactly ours means sent, nothing means sealed.

    A recipient that takes them away may have answered: an answer proves arrival. `OutcomeUnknown`: they were
    there and are gone without one; the delivery is uncertain until the answer comes, or a person knows.
    """
    at = going_on(night, delivery, recipient)
    try:
        receipt = at.look(delivery.delivery_id, delivery.sequence)
    except OutcomeUnknown:
        if take_answer(night, delivery, recipient):
            return
        if delivery.state == "sending":
            mark_uncertain(night, delivery)
        raise
    if receipt is not None:
        confirm_sent(night, delivery, receipt)
    elif not take_answer(night, delivery, recipient):
        with transaction(night.engine) as conn:
            deliveries.mark(conn, delivery.delivery_id, "sealed", night.now())


def mark_uncertain(night: Night, delivery: Delivery) -> None:
    """What stands at the recipient is not known: it is asked about every night, and not sent again."""
    with transaction(night.engine) as conn:
        deliveries.mark(conn, delivery.delivery_id, "uncertain", night.now())
        disclosures.append_leaves(conn, [leaf("uncertain", d=delivery.delivery_id)], night.now())


def confirm_sent(night: Night, delivery: Delivery, receipt: Receipt) -> None:
    """T3: the recipient holds exactly the logged bytes; anything else needs a person."""
    ours = deliveries.fingerprint(delivery)
    matches = (receipt.size, receipt.sha256) == ours
    state: State = "sent" if matches else "uncertain"
    kind = "delivered" if matches else "uncertain"
    with transaction(night.engine) as conn:
        stood = {"name": receipt.name, "size": receipt.size}
        deliveries.mark(conn, delivery.delivery_id, state, night.now(), receipt=stood)
        proof = receipt_hash(delivery.delivery_id, stood)
        disclosures.append_leaves(
            conn, [leaf(kind, d=delivery.delivery_id, receipt=proof)], night.now()
        )
    night.reached(f"deliver:{delivery.recipient}:confirmed")


def take_answer(night: Night, delivery: Delivery, recipient: Recipient) -> bool:
    """Take in the acknowledgement; whether there is one."""
    at = going_on(night, delivery, recipient)
    answer = at.acknowledgement(delivery.delivery_id, delivery.sequence)
    if answer is None:
        return False
    _check_answer(delivery, answer)
    with transaction(night.engine) as conn:
        deliveries.acknowledge(conn, delivery.delivery_id, answer.rejected, night.now())
        progress.forget(conn, delivery.delivery_id)
        disclosures.append_leaves(
            conn,
            [
                leaf(
                    "acknowledged",
                    d=delivery.delivery_id,
                    accepted=answer.accepted,
                    rejected=len(answer.rejected),
                )
            ],
            night.now(),
        )
    night.reached(f"deliver:{delivery.recipient}:acknowledged")
    return True


def _check_answer(delivery: Delivery, answer: Acknowledgement) -> None:
    rows = range(1, delivery.rows + 1)
    if answer.accepted + len(answer.rejected) != delivery.rows or not all(
        row in rows for row in answer.rejected
    ):
        raise Malformed(
            f"the acknowledgement of {delivery.delivery_id} speaks of {answer.accepted} accepted and "
            f"{len(answer.rejected)} rejected rows; {delivery.rows} were sent"
        )
