"""The composition root: configuration in, Dagster definitions out; shared with the command line and tests.

Belongs here: which assets, jobs and schedules there are. Does not belong here: what they do. Importing
this starts nothing; `build_defs` opens no connection (the hub is opened when a run starts).
"""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dagster as dg

from pipelines.assets.close import closing
from pipelines.assets.landing import landing
from pipelines.assets.names import names_of
from pipelines.assets.outbound import asking, disclosure_log, outbound
from pipelines.assets.register import register
from pipelines.house import House, open_house
from pipelines.jobs import address_refresh
from pipelines.resources import NoFrames, hub_of
from pipelines.settings import Settings
from pipelines.steps.night import HELSINKI
from pipelines.texts import Texts

NIGHTLY = "nightly"

# A night that did not come is seen by the freshness of its assets; `hub check --since` tells it outside.
FRESH_FOR = dg.FreshnessPolicy.cron(
    deadline_cron="0 6 * * *",
    lower_bound_delta=timedelta(hours=8),
    timezone="Europe/Helsinki",
)


def night_tag(texts: Texts, business_date: str) -> dict[str, str]:
    """Which night a run is of, on the page of runs; Dagster tells only when it was started.

    Its name may have no ä.
    """
    return {texts.say("tag.night"): business_date}


def _date_of(tick: dg.ScheduleEvaluationContext) -> str:
    return f"{tick.scheduled_execution_time.astimezone(HELSINKI):%Y-%m-%d}"


def build_defs(
    home: Path,
    settings: Settings,
    *,
    opener: Callable[[], House] | None = None,
    business_date: str | None = None,
    full: bool = False,
) -> dg.Definitions:
    """The hub of `home` as Dagster definitions.

    opener: opens the hub when a run starts; tests pass a house with a fixed clock and fakes.
    """
    names = names_of(settings)
    texts = names.texts
    sources = [s for s in settings.sources.values() if s.configured]
    contracts = [c for c in settings.recipients.values() if c.configured]
    asked = [s for s in sources if s.asks_in_batches]
    assets = [
        *(landing(names, s) for s in sources),
        *register(names, [s.name for s in sources]),
        *(asset for c in contracts for asset in outbound(names, c)),
        *(asking(names, s) for s in asked),
        disclosure_log(names, [*(c.recipient for c in contracts), *(s.name for s in asked)]),
    ]
    assets.append(closing(names, {key for a in assets for key in a.keys}))
    nightly = dg.define_asset_job(
        NIGHTLY, dg.AssetSelection.all(), description=texts.say("job.nightly")
    )
    opener = opener or (lambda: open_house(home))
    hub = hub_of(opener, business_date, full=full)
    patient = hub_of(opener, business_date, wait_seconds=settings.hub.refresh.wait_seconds)
    return dg.Definitions(
        assets=[
            a.map_asset_specs(lambda s: dg.apply_freshness_policy(s, FRESH_FOR)) for a in assets
        ],
        jobs=[nightly, address_refresh(texts, patient)],
        schedules=[
            dg.ScheduleDefinition(
                name=NIGHTLY,
                job=nightly,
                cron_schedule="30 1 * * *",  # never moved by daylight saving (DESIGN 13)
                execution_timezone="Europe/Helsinki",
                default_status=dg.DefaultScheduleStatus.RUNNING,
                description=texts.say("schedule.nightly"),
                tags_fn=lambda tick: night_tag(texts, _date_of(tick)),
            )
        ],
        resources={"hub": hub, "io_manager": NoFrames()},
        executor=dg.in_process_executor,
    )
