"""Stop what has not left yet and may not leave any more (PRIVACY §2.4 T2, §3.2).

Belongs here: the last-moment check of a delivery, people and contract, and giving it up. Does not belong here:
what each check looks at in the store (`store.recheck`), sending (`deliver`).

Called right before sending, and in the transaction that records an order, restriction or ban.
"""

from dataclasses import dataclass

from sqlalchemy import Connection

from pipelines.domain.disclosure import leaf
from pipelines.domain.restraints import forbidding
from pipelines.settings import RecipientContract
from pipelines.steps.night import Night
from pipelines.store import deliveries, disclosures, recheck
from pipelines.store.deliveries import Delivery


@dataclass(frozen=True)
class Stopped:
    """stopped: deliveries given up. under_way: those that hold such a person and have left, or may have."""

    stopped: tuple[str, ...] = ()
    under_way: tuple[str, ...] = ()


def may_leave(conn: Connection, night: Night, delivery: Delivery) -> bool:
    """Whether a frozen delivery may still be sent: contract, mode, and everybody in it.

    Whoever asks holds the lock `recheck.alone`.
    """
    contract = night.settings.recipients.get(delivery.recipient)
    if contract is None or not _in_force(conn, night, contract, delivery):
        return False
    kinds = forbidding(contract.purpose, contract.ground)
    return not recheck.objects(conn, delivery, kinds)


def _in_force(
    conn: Connection, night: Night, contract: RecipientContract, delivery: Delivery
) -> bool:
    ends = [contract.agreement.valid_to, contract.transfer.valid_to if contract.transfer else None]
    return (
        all(end is None or str(end) >= night.business_date for end in ends)
        and str(contract.version) == delivery.contract_version
        and delivery.mode == "live"
        and deliveries.mode_of(conn, contract.recipient, contract.mode) == "live"
    )


def stop_what_may_not_leave(conn: Connection, night: Night) -> Stopped:
    """Give up every delivery that is frozen and may not leave any more, in the caller's transaction."""
    if not (waiting := deliveries.in_state(conn, *deliveries.OPEN)):
        return Stopped()
    recheck.alone(conn)
    # what was sealed a moment ago may have gone while we waited
    waiting = deliveries.in_state(conn, *deliveries.OPEN)
    barred = [d for d in waiting if not may_leave(conn, night, d)]
    frozen = [d for d in barred if d.state in ("prepared", "sealed")]
    for delivery in frozen:
        give_up(conn, night, delivery)
    return Stopped(
        tuple(d.delivery_id for d in frozen),
        tuple(d.delivery_id for d in barred if d not in frozen),
    )


def give_up(conn: Connection, night: Night, delivery: Delivery) -> None:
    """End a delivery that never left: its people are looked at again for the next one."""
    deliveries.mark(conn, delivery.delivery_id, "aborted", night.now())
    disclosures.append_leaves(conn, [leaf("aborted", d=delivery.delivery_id)], night.now())
