"""What a person may forbid, and what that forbids (R25, R26, R45).

Belongs here: the kinds, which purposes each bars, what stays as it is while processing is restricted. Does not
belong here: who has forbidden what (`store.restraints`), protective orders, which hide an address and forbid nothing
(`domain.survivorship`).
"""

from collections.abc import Collection, Mapping

import pandas as pd

from pipelines.domain.schemas import GOLDEN
from pipelines.domain.survivorship import ADDRESS_FIELDS, Golden, row_hashes

RESTRICTION = "restriction"
_PURPOSES: Mapping[str, frozenset[str]] = {
    "ban_on_publication": frozenset({"publication"}),
    "ban_on_marketing": frozenset({"own_marketing", "targeted_content"}),
}
KINDS = (RESTRICTION, *_PURPOSES)
# What is restricted may still be used for a legal claim (GDPR art. 18(2), R45).
_LEGAL_CLAIM = "collection"


def forbidding(purpose: str, ground: str | None) -> tuple[str, ...]:
    """The kinds of restraint under which nobody may be told for that purpose on that ground."""
    bans = [kind for kind, purposes in _PURPOSES.items() if purpose in purposes]
    return (*bans, *(() if ground == _LEGAL_CLAIM else (RESTRICTION,)))


def as_they_stood(
    found: Golden, rows: pd.DataFrame, values: pd.DataFrame, restricted: Collection[int]
) -> Golden:
    """The golden rows, those of restricted parties as they stand: what is restricted is kept, and no source overwrites it (R45).

    rows, values: GOLDEN and PROVENANCE as they stand. An order that is new hides the address all the same (R56); none
    that stands is lifted.
    """
    stays = rows[rows["party_id"].isin(list(restricted))].set_index("party_id")
    stays = stays[stays.index.isin(found.parties["party_id"])]
    if stays.empty:
        return found
    now = found.parties.set_index("party_id").loc[stays.index]
    ordered = stays.index[(now["protection"] == "on") & (stays["protection"] != "on")]
    hides = ["protection", *ADDRESS_FIELDS]
    stays.loc[ordered, hides] = now.loc[ordered, hides]
    stays = GOLDEN.conform(stays.reset_index())
    is_other = stays["party_id"].isin(ordered)
    stays.loc[is_other, "row_hash"] = row_hashes(stays[is_other])

    def among(told: pd.DataFrame, parties: Collection[int]) -> pd.Series:
        return told["party_id"].isin(list(parties))

    is_hidden = values["field"].isin(hides) & among(values, ordered)
    taken = found.values["field"].isin(hides) & among(found.values, ordered)
    kept = [
        found.values[~among(found.values, stays["party_id"]) | taken],
        values[among(values, stays["party_id"]) & ~is_hidden],
    ]
    rest = found.parties[~among(found.parties, stays["party_id"])]
    return Golden(
        pd.concat([rest, stays]).sort_values("party_id", ignore_index=True),
        pd.concat(kept).sort_values(["party_id", "field"], ignore_index=True),
    )
