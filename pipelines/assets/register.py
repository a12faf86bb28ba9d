"""What we hold: standardised, matched and consolidated.

Does not belong here: anything about a particular source or recipient.
"""

from collections.abc import Sequence

import dagster as dg

from pipelines.assets.names import Names
from pipelines.assets.stage import Shown, stage
from pipelines.domain import schemas
from pipelines.steps.consolidate import consolidate
from pipelines.steps.match import MATCH_CHECKS, match
from pipelines.steps.propose import propose
from pipelines.steps.standardise import STANDARDISE_CHECKS, standardise

STANDARDISED = ("standardised", "records")
MATCHED = ("matched", "parties")
CUSTOMERS = ("register", "customers")
PROPOSALS = ("proposals", "properties")


def register(names: Names, sources: Sequence[str]) -> list[dg.AssetsDefinition]:
    """The chain from landed records to one golden row per customer."""
    return [
        stage(
            names,
            STANDARDISED,
            [("landing", s) for s in sources],
            lambda hub: standardise(hub.night),
            Shown(
                STANDARDISE_CHECKS,
                names.columns(
                    (
                        schemas.PARTIES,
                        schemas.ADDRESSES,
                        schemas.POINTS,
                        schemas.ROLES,
                        schemas.INVOICES,
                        schemas.ORDERS,
                    )
                ),
            ),
        ),
        stage(
            names,
            MATCHED,
            [STANDARDISED],
            lambda hub: match(hub.night),
            Shown(MATCH_CHECKS, names.columns((schemas.PARTY_RECORDS,))),
        ),
        stage(
            names,
            CUSTOMERS,
            [MATCHED],
            lambda hub: consolidate(hub.night),
            Shown(
                columns=names.columns(
                    (
                        schemas.GOLDEN,
                        schemas.PROVENANCE,
                        schemas.GOLDEN_POINTS,
                        schemas.POINT_VALUES,
                        schemas.POINT_TIES,
                        schemas.GOLDEN_ROLES,
                    )
                ),
            ),
        ),
        stage(
            names,
            PROPOSALS,
            [CUSTOMERS],
            lambda hub: propose(hub.night),
            Shown(),
        ),
    ]
