"""Hold what was sent against what was logged, seal the log for the night, and show it to its witnesses.

Belongs here: the night's proof of "sent equals logged", its last checkpoint, deliveries nobody has answered,
agreements that end, closing the notices that a delivery has carried. Does not belong here: mending anything, recomputing the whole log (`verify`).
"""

from collections.abc import Mapping
from datetime import date, timedelta

import pandas as pd

from pipelines.errors import told
from pipelines.keys import KeysError
from pipelines.steps.night import Check, Night, StepResult
from pipelines.steps.notify import close_carried, waiting
from pipelines.steps.seal import seal
from pipelines.steps.witness import Opener, show
from pipelines.store import checkpoints, deliveries, disclosures, reconciliation
from pipelines.store.engine import StoreError, transaction

RECONCILE_CHECKS = (
    "sent_equals_logged",
    "answered_in_time",
    "sealed_tonight",
    "witnesses_have_it",
    "contracts_in_force",
    "recipients_notified",
)
# so long before its last day a steward is told that an agreement ends
_ENDING_SOON = timedelta(days=60)


def reconcile(night: Night, witnesses: Mapping[str, Opener] | None = None) -> StepResult:
    """Every row of every delivery that left has its detail and its leaf; a checkpoint says so to others."""
    today = date.fromisoformat(night.business_date)
    with transaction(night.engine) as conn:
        close_carried(conn, night)
        to_notify = waiting(conn, night)
        unlogged = reconciliation.unlogged_rows(conn)
        broken = reconciliation.leaves_out_of_line(conn)
        late = {
            name: deliveries.unanswered_since(
                conn,
                name,
                (today - timedelta(days=contract.acknowledgement.ack_max_age_days)).isoformat(),
            )
            for name, contract in night.settings.recipients.items()
        }
    unsealed = _seal(night)
    failing = show(night, witnesses or {})
    night.reached("log:shown")
    with transaction(night.engine) as conn:
        leaves = disclosures.leaf_count(conn)
        logged = disclosures.detail_count(conn)
        uncertain = len(deliveries.in_state(conn, "uncertain"))
        made = checkpoints.count(conn)
        head, cosigned = checkpoints.latest(conn), checkpoints.cosignatures(conn)
    overdue = sum(late.values())
    sound = not unlogged and not broken and not unsealed
    ended, ending = _agreements(night, today)
    note = "" if head is None else f"```\n{_most_signed(head, cosigned)}```"
    return StepResult(
        status="failed" if not sound or overdue else "attention" if failing or ended else "ok",
        counts={
            "leaves": leaves,
            "logged": logged,
            "checkpoints": made,
            "uncertain": uncertain,
            "recalls_waiting": to_notify.recalls,
            "notices_waiting": to_notify.notices,
            "cosigners": 0 if cosigned.empty else int(cosigned["witness"].nunique()),
        },
        checks=(
            Check(
                "sent_equals_logged",
                not unlogged and not broken,
                counts={"unlogged": unlogged, "broken": broken},
            ),
            Check("answered_in_time", not overdue, counts={"waiting": overdue}),
            Check("sealed_tonight", not unsealed),
            Check("witnesses_have_it", not failing, "warning", {"failing": len(failing)}),
            Check(
                "contracts_in_force",
                not ended and not ending,
                "critical" if ended else "warning",
                {"ended": ended, "ending": ending},
            ),
            Check(
                "recipients_notified",
                not to_notify.recalls and not to_notify.notices,
                "warning",
                {"oldest_notice_days": to_notify.oldest_days},
            ),
        ),
        text="\n".join(filter(None, [unsealed, *failing, note])),
    )


def _seal(night: Night) -> str:
    """Seal the log; a line on why it could not be."""
    try:
        seal(night)
    except (KeysError, StoreError) as error:
        return told(error)
    night.reached("log:sealed")
    return ""


def _most_signed(head: checkpoints.Kept, cosigned: pd.DataFrame) -> str:
    ours = cosigned[cosigned["checkpoint_no"] == head.checkpoint_no]
    return head.note if ours.empty else str(ours["note"].iloc[-1])


def _agreements(night: Night, today: date) -> tuple[int, int]:
    """How many agreements with recipients have ended, and how many end soon."""
    ends = [
        date.fromisoformat(str(contract.agreement.valid_to))
        for contract in night.settings.recipients.values()
        if contract.configured and contract.agreement.valid_to is not None
    ]
    ended = sum(end < today for end in ends)
    return ended, sum(today <= end <= today + _ENDING_SOON for end in ends)
