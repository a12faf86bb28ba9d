"""Send what was frozen and logged, exactly once, and wait a little for the answer (PRIVACY §2.4 T2–T3).

Belongs here: the last-moment check, publishing, what an unclear outcome means. Does not belong here:
deciding what to say (`prepare_extract`), reading answers (`settle`).
"""

import time
from collections.abc import Callable

from connectors.base import AlreadyPublished, ConnectorError, OutcomeUnknown, Recipient
from pipelines.domain.disclosure import leaf
from pipelines.settings import RecipientContract
from pipelines.steps.night import Check, Night, StepResult
from pipelines.steps.row_by_row import going_on, withhold
from pipelines.steps.settle import Settled, confirm_sent, look_for, settle
from pipelines.store import deliveries, disclosures
from pipelines.store.deliveries import Delivery
from pipelines.store.engine import transaction

DELIVER_CHECKS = ("told_and_answered",)
_POLL_SECONDS = 0.1


def deliver(
    night: Night, contract: RecipientContract, opener: Callable[[], Recipient]
) -> StepResult:
    """Bring the recipient's open delivery home; with nothing open, nobody is called."""
    name = contract.recipient
    with transaction(night.engine) as conn:
        open_ = deliveries.outstanding(conn, name)
    if not open_:
        return _result(night, contract, Settled(()))
    try:
        recipient = opener()
        for delivery in open_:
            if delivery.state in ("sending", "uncertain"):
                look_for(night, delivery, recipient)
        with transaction(night.engine) as conn:
            prepared = [d for d in deliveries.outstanding(conn, name) if d.state == "prepared"]
        for delivery in prepared:
            _send(night, delivery, recipient)
        settled = _await(night, contract, recipient)
    except ConnectorError as error:
        with transaction(night.engine) as conn:
            settled = Settled(tuple(deliveries.outstanding(conn, name)), str(error))
    return _result(night, contract, settled)


def _send(night: Night, delivery: Delivery, recipient: Recipient) -> None:
    """Check once more under the run lock that nobody in it may not be told any more, then publish."""
    name = delivery.recipient
    with transaction(night.engine) as conn:
        if deliveries.exposes_somebody(conn, delivery.delivery_id) and not withhold(conn, delivery):
            deliveries.mark(conn, delivery.delivery_id, "aborted", night.now())
            disclosures.append_leaves(conn, [leaf("aborted", d=delivery.delivery_id)], night.now())
            return
        deliveries.mark(conn, delivery.delivery_id, "sending", night.now())
        disclosures.append_leaves(conn, [leaf("attempt", d=delivery.delivery_id)], night.now())
    night.reached(f"deliver:{name}:sending")
    payload = delivery.payload
    if payload is None:
        raise RuntimeError(f"delivery {delivery.delivery_id} has no payload left to send")
    try:
        at = going_on(night, delivery, recipient)
        receipt = at.publish(delivery.delivery_id, delivery.sequence, payload, delivery.rows)
    except (AlreadyPublished, OutcomeUnknown):
        with transaction(night.engine) as conn:
            deliveries.mark(conn, delivery.delivery_id, "uncertain", night.now())
            disclosures.append_leaves(
                conn, [leaf("uncertain", d=delivery.delivery_id)], night.now()
            )
        raise
    night.reached(f"deliver:{name}:published")
    confirm_sent(night, delivery, receipt)


def _await(night: Night, contract: RecipientContract, recipient: Recipient) -> Settled:
    """Ask for the answer until it comes or the contract's patience ends."""
    deadline = time.monotonic() + contract.acknowledgement.wait_seconds
    while True:
        settled = settle(night, contract.recipient, recipient)
        if not settled.open or settled.error or time.monotonic() >= deadline:
            return settled
        time.sleep(_POLL_SECONDS)


def _result(night: Night, contract: RecipientContract, settled: Settled) -> StepResult:
    with transaction(night.engine) as conn:
        tonight = deliveries.totals(conn, contract.recipient, night.business_date)
    unsent = [d for d in settled.open if d.state != "sent"]
    return StepResult(
        status="failed"
        if unsent or settled.error
        else "attention"
        if tonight["rejected"]
        else "ok",
        counts={**tonight, "waiting": len(settled.open)},
        checks=(
            Check(
                "told_and_answered",
                passed=not settled.open and settled.error is None and not tonight["rejected"],
                severity="critical" if unsent or settled.error else "warning",
                counts={
                    "sent": tonight["sent"],
                    "acknowledged": tonight["acknowledged"],
                    "rejected": tonight["rejected"],
                    "waiting": len(settled.open),
                },
            ),
        ),
        text=settled.error or "",
    )
