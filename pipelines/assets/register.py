"""What we hold: standardised, matched and consolidated.

Does not belong here: anything about a particular source or recipient.
"""

from collections.abc import Sequence

import dagster as dg

from pipelines.assets.stage import Shown, stage
from pipelines.domain import schemas
from pipelines.steps.consolidate import consolidate
from pipelines.steps.match import MATCH_CHECKS, match
from pipelines.steps.propose import propose
from pipelines.steps.standardise import STANDARDISE_CHECKS, standardise
from pipelines.texts import Texts

STANDARDISED = ("standardised", "records")
MATCHED = ("matched", "parties")
CUSTOMERS = ("register", "customers")
PROPOSALS = ("proposals", "properties")


def register(texts: Texts, sources: Sequence[str]) -> list[dg.AssetsDefinition]:
    """The chain from landed records to one golden row per customer."""
    return [
        stage(
            texts,
            STANDARDISED,
            [("landing", s) for s in sources],
            lambda hub: standardise(hub.night),
            Shown(
                "",
                STANDARDISE_CHECKS,
                (
                    schemas.PARTIES,
                    schemas.ADDRESSES,
                    schemas.POINTS,
                    schemas.ROLES,
                    schemas.INVOICES,
                    schemas.ORDERS,
                ),
                ("pandas", "greatexpectations"),
            ),
        ),
        stage(
            texts,
            MATCHED,
            [STANDARDISED],
            lambda hub: match(hub.night),
            Shown("", MATCH_CHECKS, (schemas.PARTY_RECORDS,), ("pandas", "duckdb")),
        ),
        stage(
            texts,
            CUSTOMERS,
            [MATCHED],
            lambda hub: consolidate(hub.night),
            Shown(
                "",
                (),
                (
                    schemas.GOLDEN,
                    schemas.PROVENANCE,
                    schemas.GOLDEN_POINTS,
                    schemas.POINT_VALUES,
                    schemas.POINT_TIES,
                    schemas.GOLDEN_ROLES,
                ),
                ("pandas", "sql"),
            ),
        ),
        stage(
            texts,
            PROPOSALS,
            [CUSTOMERS],
            lambda hub: propose(hub.night),
            Shown("", (), (), ("pandas",)),
        ),
    ]
