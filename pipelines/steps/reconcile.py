"""Hold what was sent against what was logged, and look for deliveries nobody has answered.

Belongs here: the night's proof of "sent equals logged". Does not belong here: mending anything.
"""

from datetime import date, timedelta

from pipelines.steps.night import Check, Night, StepResult
from pipelines.store import deliveries, disclosures
from pipelines.store.engine import transaction

RECONCILE_CHECKS = ("sent_equals_logged", "answered_in_time")


def reconcile(night: Night) -> StepResult:
    """Every row of every delivery that left has its detail and its leaf; leaves have no gap."""
    today = date.fromisoformat(night.business_date)
    with transaction(night.engine) as conn:
        unlogged = disclosures.unlogged_rows(conn)
        broken = disclosures.leaves_out_of_line(conn)
        late = {
            name: deliveries.unanswered_since(
                conn,
                name,
                (today - timedelta(days=contract.acknowledgement.ack_max_age_days)).isoformat(),
            )
            for name, contract in night.settings.recipients.items()
        }
        leaves = disclosures.leaf_count(conn)
        logged = disclosures.detail_count(conn)
    overdue = sum(late.values())
    sound = not unlogged and not broken
    return StepResult(
        status="failed" if not sound or overdue else "ok",
        counts={"leaves": leaves, "logged": logged},
        checks=(
            Check("sent_equals_logged", sound, counts={"unlogged": unlogged, "broken": broken}),
            Check("answered_in_time", not overdue, counts={"waiting": overdue}),
        ),
    )
