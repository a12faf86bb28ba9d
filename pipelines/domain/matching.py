"""Records told apart and spoken of: their key, the identity that stands, a company's name for comparing.

Belongs here: what several parts of matching say of a record. Does not belong here: standardising
(`standardise`), likelihood and verdicts (`evidence` to `resolution`), stewards' algebra (`judgements`), what
follows for groups (`clusters`).
"""

import numpy as np
import pandas as pd

from pipelines.domain.names import fold
from pipelines.domain.partition import Codes

RECORD = ("source", "source_key")
LEGAL_FORMS = frozenset(
    {
        "oy", "ab", "oyj", "abp", "ky", "kb", "tmi", "osk", "ry", "rf", "koy", "ltd",
        "as", "asunto", "kiinteisto", "bost", "bostads",
    }
)  # fmt: skip


def living_person_keys(parties: pd.DataFrame) -> pd.Series:
    """The token that stands for each person once all corrections are heard, on the frame's index.

    A token somebody's correction retired is replaced by its successor; where successors contradict each
    other or go in a circle it is null: a superseded key vetoes nothing (DESIGN 2).
    """
    if "superseded_person_keys" not in parties:
        return parties["person_key"]
    edges = parties.loc[parties["person_key"].notna(), ["person_key", "superseded_person_keys"]]
    edges = edges.explode("superseded_person_keys").dropna().drop_duplicates()
    edges = edges[edges["person_key"] != edges["superseded_person_keys"]]
    if edges.empty:
        return parties["person_key"]
    heirs = edges.groupby("superseded_person_keys")["person_key"].agg(["first", "nunique"])
    successor = heirs["first"].where(heirs["nunique"] == 1)
    for _ in range(len(successor).bit_length()):
        successor = successor.map(successor).where(successor.isin(successor.index), successor)
    successor = successor.where(~successor.isin(successor.index))
    token = parties["person_key"]
    return token.map(successor).where(token.isin(successor.index), token)


def company_key(name: str) -> str | None:
    """An organisation's folded name without its legal form, for comparing only; None if none is left."""
    tokens = fold(name).split()
    return " ".join(token for token in tokens if token not in LEGAL_FORMS) or None


def codes_of(values: pd.Series) -> Codes:
    """Equal values to equal codes, null to -1."""
    return pd.factorize(values)[0].astype(np.int64)
