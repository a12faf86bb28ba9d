"""The hub's own definitions with one more job, which takes a number as a request does and does nothing.

Belongs here: a job to try the launchpad with. Does not belong here: what a job does.
"""

import os
from pathlib import Path

import dagster as dg

from pipelines.build import build_defs
from pipelines.settings import load_settings


class Request(dg.Config):
    """What the launchpad asks for."""

    request_no: int


@dg.op
def look_up(config: Request) -> None:
    """Nothing; that it was started is all."""


def _with_the_job(home: Path) -> dg.Definitions:
    ours = build_defs(home, load_settings(home, os.environ))
    job = dg.GraphDefinition(name="looking_up", node_defs=[look_up]).to_job(
        name="by_number", executor_def=dg.in_process_executor
    )
    return dg.Definitions(
        assets=ours.assets,
        jobs=[*(ours.jobs or ()), job],
        schedules=ours.schedules,
        resources=ours.resources,
        executor=ours.executor,
    )


defs = _with_the_job(Path(os.environ["HUB_HOME"]))
