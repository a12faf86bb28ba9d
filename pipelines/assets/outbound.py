"""What we tell: one chain of extract and delivery per file in `config/recipients`, what we ask in batches, the log.

Does not belong here: anything about a particular recipient.
"""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from pipelines.assets.names import Names
from pipelines.assets.register import CUSTOMERS
from pipelines.assets.stage import Shown, stage
from pipelines.settings import RecipientContract, SourceConfig
from pipelines.steps.ask_in_batches import ASK_CHECKS, ask_in_batches
from pipelines.steps.deliver import DELIVER_CHECKS, deliver
from pipelines.steps.prepare_extract import EXTRACT_CHECKS, prepare_extract
from pipelines.steps.reconcile import RECONCILE_CHECKS, reconcile

LOG = ("disclosure", "log")


def outbound(names: Names, contract: RecipientContract) -> list[dg.AssetsDefinition]:
    """What changed for this recipient, in its contract's columns only, and its way out."""
    name, columns = contract.recipient, names.contract(contract)
    return [
        stage(
            names,
            ("extract", name),
            [CUSTOMERS],
            lambda hub: prepare_extract(hub.night, contract, lambda: hub.house.recipient(name)),
            Shown(EXTRACT_CHECKS, columns),
        ),
        stage(
            names,
            ("delivery", name),
            [("extract", name)],
            lambda hub: deliver(hub.night, contract, lambda: hub.house.recipient(name)),
            Shown(DELIVER_CHECKS, columns),
        ),
    ]


def asking(names: Names, source: SourceConfig) -> dg.AssetsDefinition:
    """What is asked of a register in batches: our customers' names and addresses leave, so it is told like any."""
    name = source.name
    return stage(
        names,
        ("delivery", name),
        [CUSTOMERS],
        lambda hub: ask_in_batches(hub.night, source, lambda: hub.house.source(name)),
        Shown(ASK_CHECKS),
    )


def disclosure_log(names: Names, recipients: Sequence[str]) -> dg.AssetsDefinition:
    """Sent equals logged, signed for the night and shown outside; every delivery is answered in time."""
    return stage(
        names,
        LOG,
        [("delivery", r) for r in recipients] or [CUSTOMERS],
        lambda hub: reconcile(
            hub.night,
            {name: partial(hub.house.witness, name) for name in hub.house.settings.hub.witnesses},
        ),
        Shown(RECONCILE_CHECKS),
    )
