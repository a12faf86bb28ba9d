"""The end of the night: the letter, and a red run when anything is.

Does not belong here: what the letter says (`steps.close`).
"""

import dagster as dg

from pipelines.assets.outbound import LOG
from pipelines.assets.stage import Shown, stage
from pipelines.resources import Hub
from pipelines.steps.close import close
from pipelines.steps.night import StepResult
from pipelines.texts import Texts


def closing(texts: Texts) -> dg.AssetsDefinition:
    """Writes the morning letter from the hub's own tables, then fails if the night did."""

    def run(hub: Hub) -> StepResult:
        result = close(hub.night, hub.house.home, texts)
        if result.status == "failed":
            raise dg.Failure(texts.say("night.failed", date=hub.night.business_date))
        return result

    return stage(texts, ("night", "close"), [LOG], run, Shown((), (), ("email",)))
