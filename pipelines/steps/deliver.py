"""Send what was frozen and logged, exactly once, and wait a little for the answer (PRIVACY §2.4 S–T3).

Belongs here: the gates (no seal, no send; the last-moment check), publishing, what an unclear outcome means.
Does not belong here: deciding what to say (`prepare_extract`), signing (`seal`), reading answers (`settle`).
"""

import time
from collections.abc import Callable

from connectors.base import AlreadyPublished, ConnectorError, OutcomeUnknown, Recipient
from pipelines.domain.disclosure import leaf
from pipelines.errors import told
from pipelines.keys import KeysError
from pipelines.settings import RecipientContract
from pipelines.steps import stop
from pipelines.steps.night import Check, Night, StepResult
from pipelines.steps.row_by_row import going_on
from pipelines.steps.seal import is_unseen, seal
from pipelines.steps.settle import Settled, confirm_sent, look_for, mark_uncertain, settle
from pipelines.store import deliveries, disclosures, recheck
from pipelines.store.deliveries import Delivery
from pipelines.store.engine import StoreError, transaction

DELIVER_CHECKS = ("told_and_answered", "sealed_before_sending")
_POLL_SECONDS = 0.1


class _NotSealed(Exception):
    """Nothing may leave; says why."""


def deliver(
    night: Night, contract: RecipientContract, opener: Callable[[], Recipient]
) -> StepResult:
    """Bring the recipient's open delivery home; with nothing open, nobody is called."""
    name = contract.recipient
    with transaction(night.engine) as conn:
        open_ = deliveries.outstanding(conn, name)
    if not open_:
        return _result(night, contract, Settled(()))
    unsealed = ""
    try:
        recipient = opener()
        for delivery in open_:
            if delivery.state in ("sending", "uncertain"):
                look_for(night, delivery, recipient)
        try:
            for delivery in _sealed(night, contract):
                _send(night, delivery, recipient)
        except _NotSealed as why:
            unsealed = str(why)
        settled = _await(night, contract, recipient)
    except ConnectorError as error:
        with transaction(night.engine) as conn:
            settled = Settled(tuple(deliveries.outstanding(conn, name)), str(error))
    return _result(night, contract, settled, unsealed)


def _sealed(night: Night, contract: RecipientContract) -> list[Delivery]:
    """What waits to be sent, under a checkpoint made now; raises _NotSealed.

    A log that can't be signed, or that nobody outside has seen for too long, is no proof: nothing leaves.
    """
    with transaction(night.engine) as conn:
        waiting = deliveries.in_state(conn, "prepared", "sealed", recipient=contract.recipient)
    if not waiting:
        return []
    try:
        seal(night)
    except (KeysError, StoreError) as error:
        raise _NotSealed(told(error)) from None
    night.reached(f"deliver:{contract.recipient}:sealed")
    with transaction(night.engine) as conn:
        if is_unseen(conn, night, contract.seal_max_age_hours):
            raise _NotSealed(
                f"no witness has taken a checkpoint of the disclosure log for over "
                f"{contract.seal_max_age_hours} h: see `hub disclosures witnesses`"
            )
        return deliveries.in_state(conn, "sealed", recipient=contract.recipient)


def _send(night: Night, delivery: Delivery, recipient: Recipient) -> None:
    """Check once more, alone, that nobody in it may not be told any more, then publish."""
    name = delivery.recipient
    with transaction(night.engine) as conn:
        recheck.alone(conn)
        delivery = deliveries.find(conn, delivery.delivery_id)
        if delivery.state != "sealed":
            return  # given up in between
        barred = stop.barred(conn, night, delivery)
        if barred and stop.give_up(conn, night, delivery, barred):
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
        mark_uncertain(night, delivery)
        raise
    night.reached(f"deliver:{name}:published")
    confirm_sent(night, delivery, receipt)


def _await(night: Night, contract: RecipientContract, recipient: Recipient) -> Settled:
    """Ask for the answer until it comes or the contract's patience ends."""
    deadline = time.monotonic() + contract.acknowledgement.wait_seconds
    while True:
        settled = settle(night, contract.recipient, recipient)
        unsent = all(d.state in ("prepared", "sealed") for d in settled.open)
        if unsent or settled.error or time.monotonic() >= deadline:
            return settled
        time.sleep(_POLL_SECONDS)


def _result(
    night: Night, contract: RecipientContract, settled: Settled, unsealed: str = ""
) -> StepResult:
    with transaction(night.engine) as conn:
        tonight = deliveries.totals(conn, contract.recipient, night.business_date)
    unsent = [d for d in settled.open if d.state != "sent"]
    uncertain = [d for d in settled.open if d.state == "uncertain"]
    return StepResult(
        status="failed"
        if unsent or settled.error
        else "attention"
        if tonight["rejected"]
        else "ok",
        counts={**tonight, "waiting": len(settled.open), "uncertain": len(uncertain)},
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
            Check("sealed_before_sending", passed=not unsealed, counts={"unsealed": len(unsent)}),
        ),
        text=unsealed or settled.error or "",
    )
