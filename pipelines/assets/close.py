"""The end of the night: the letter, and a red run when anything is.

Does not belong here: what the letter says (`steps.close`).
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime, timedelta

import dagster as dg

from pipelines.assets.names import Names
from pipelines.assets.outbound import LOG
from pipelines.assets.register import PROPOSALS
from pipelines.assets.stage import Shown, stage
from pipelines.resources import Hub
from pipelines.steps.close import close
from pipelines.steps.night import StepResult

CLOSE = ("night", "close")
KEPT_FOR = timedelta(days=90)


def remove_old_runs(instance: dg.DagsterInstance, now: datetime) -> int:
    """Take runs out of Dagster once they are 90 days old; returns how many."""
    old = instance.get_runs(filters=dg.RunsFilter(created_before=now - KEPT_FOR), limit=1000)
    for run in old:
        instance.delete_run(run.run_id)
    return len(old)


def take_off_what_is_no_more(instance: dg.DagsterInstance, there: Collection[dg.AssetKey]) -> None:
    """Take assets off Dagster's page that nothing makes any more: of a source that is gone, or called otherwise."""
    gone = [key for key in instance.all_asset_keys() if key not in there]
    if gone:
        instance.wipe_assets(gone)


def closing(names: Names, assets: Collection[dg.AssetKey]) -> dg.AssetsDefinition:
    """Writes the morning letter from the hub's own tables, then fails if the night did.

    assets: every other there is; whatever else Dagster still shows is taken off its page.
    """

    def run(hub: Hub) -> StepResult:
        result = close(hub.night, hub.house.home, names.texts)
        removed = 0
        if hub.instance:
            removed = remove_old_runs(hub.instance, hub.house.clock())
            take_off_what_is_no_more(hub.instance, {*assets, names.key(CLOSE)})
        return replace(result, counts={**result.counts, "removed_runs": removed})

    return stage(names, CLOSE, [LOG, PROPOSALS], run, Shown(ends_red=True))
