"""Stop what has not left yet and may not leave any more (PRIVACY §2.4 T2, §3.2).

Belongs here: the last-moment check of a delivery, people and contract, and giving it up. Does not belong here:
what each check looks at in the store (`store.recheck`), sending (`deliver`).

Called right before sending, and in the transaction that records an order, restriction or ban.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from pipelines.domain.disclosure import leaf
from pipelines.domain.restraints import forbidding
from pipelines.settings import RecipientContract
from pipelines.steps.night import Night
from pipelines.store import deliveries, disclosures, progress, recheck
from pipelines.store.deliveries import Delivery

WITHHELD = "WITHHELD"
"""Our own code among a recipient's: the row never left."""


@dataclass(frozen=True)
class Stopped:
    """stopped: deliveries given up. under_way: those that hold such a person and have left, or may have."""

    stopped: tuple[str, ...] = ()
    under_way: tuple[str, ...] = ()


def barred(conn: Connection, night: Night, delivery: Delivery) -> list[int]:
    """The rows of a frozen delivery that may not be sent any more: all of them without contract or mode.

    Whoever asks holds the lock `recheck.alone`.
    """
    contract = night.settings.recipients.get(delivery.recipient)
    if contract is None or not _in_force(conn, night, contract, delivery):
        return list(range(1, delivery.rows + 1))
    return recheck.objecting(conn, delivery, forbidding(contract.purpose, contract.ground))


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
    objecting = {d.delivery_id: rows for d in waiting if (rows := barred(conn, night, d))}
    stopped = [
        d.delivery_id
        for d in waiting
        if d.delivery_id in objecting
        and d.state in ("prepared", "sealed")
        and give_up(conn, night, d, objecting[d.delivery_id])
    ]
    return Stopped(tuple(stopped), tuple(set(objecting) - set(stopped)))


def give_up(conn: Connection, night: Night, delivery: Delivery, rows: Sequence[int]) -> bool:
    """End a delivery that never left: its people are looked at again for the next one.

    rows: those that may not be told. False where a delivery that is told row by row has begun: of such a one
    those rows are withheld and count as refused, and the others go on. A row that was leaving when the night
    broke off has been asked about before (`settle.look_for`).
    """
    noted = progress.of(conn, delivery.delivery_id)
    answers = {row: noted[row] for row in noted if row > 0}  # 0: a file, asked about as well
    if not answers:
        deliveries.mark(conn, delivery.delivery_id, "aborted", night.now())
        disclosures.append_leaves(conn, [leaf("aborted", d=delivery.delivery_id)], night.now())
        return True
    for row in rows:
        state, _, attempt = answers.get(row, ("", "", 1))
        if state in ("", "leaving"):
            progress.note(conn, delivery.delivery_id, row, "refused", WITHHELD, attempt)
    return False
