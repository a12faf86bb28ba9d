"""What came: one asset per file in `config/sources`.

Does not belong here: anything about a particular source.
"""

import dagster as dg

from pipelines.assets.names import Names
from pipelines.assets.stage import Shown, stage
from pipelines.settings import SourceConfig
from pipelines.steps.ingest import INGEST_CHECKS, ingest
from pipelines.steps.load_postal import load_postal
from pipelines.steps.vet_feed import feed_checks


def landing(names: Names, source: SourceConfig) -> dg.AssetsDefinition:
    """The source's new records, landed with its cursor; a source that is down lets the night go on.

    Reference data is no record of anybody and replaces what is held of it.
    """
    name = source.name
    if source.brings == "reference":
        return stage(
            names,
            ("landing", name),
            (),
            lambda hub: load_postal(hub.night, source, lambda: hub.house.reference(name)),
            Shown(INGEST_CHECKS),
        )
    return stage(
        names,
        ("landing", name),
        (),
        lambda hub: ingest(hub.night, source, lambda: hub.house.source(name)),
        Shown((*INGEST_CHECKS, *feed_checks(source)), names.may_bring(source)),
    )
