"""What came: one asset per file in `config/sources`.

Does not belong here: anything about a particular source.
"""

import dagster as dg

from pipelines.assets.stage import Shown, stage
from pipelines.domain.schemas import LANDED
from pipelines.settings import SourceConfig
from pipelines.steps.ingest import INGEST_CHECKS, ingest
from pipelines.steps.load_postal import load_postal
from pipelines.steps.vet_feed import feed_checks
from pipelines.texts import Texts


def landing(texts: Texts, source: SourceConfig) -> dg.AssetsDefinition:
    """The source's new records, landed with its cursor; a source that is down lets the night go on.

    Reference data is no record of anybody and replaces what is held of it.
    """
    name, title = source.name, source.title.in_(texts.language)
    if source.brings == "reference":
        return stage(
            texts,
            ("landing", name),
            (),
            lambda hub: load_postal(hub.night, source, lambda: hub.house.reference(name)),
            Shown(title, INGEST_CHECKS, (), ("sftp",)),
        )
    return stage(
        texts,
        ("landing", name),
        (),
        lambda hub: ingest(hub.night, source, lambda: hub.house.source(name)),
        Shown(
            title,
            (*INGEST_CHECKS, *feed_checks(source)),
            (LANDED,),
            ("sftp",) if source.options.get("folder") else ("http",),
        ),
    )
