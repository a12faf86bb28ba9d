"""What a register taught, in a form that can be kept from night to night.

Belongs here: the model, its JSON, telling whether it still fits this program and this register. Does not
belong here: learning it (`matcher`), the database that keeps it (`store`).

A night that only looks at what changed has to weigh a pair as last night did; so everything that is read
off a whole register stands still between two learnings: what the facts are worth, how common a name is, which
blocks are too large, where the lines are drawn. Names are kept as this engine's hashes, and only those that
several records bear.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.mixture import Fact, Fit
from pipelines.domain.resolution import Limits, Policy
from pipelines.linkage import candidates, normal, patterns, readings
from pipelines.linkage.matcher import Fits

GROWN = 1.25
"""A register that holds so many times the records it was learnt from is learnt anew …"""
GROWN_BY = 50
"""… once it has grown by so many at all."""
SHARES = ("part", "name", "share")


def program() -> str:
    """A digest of everything that makes a stored key or pattern mean what it means."""
    told = (
        duckdb.__version__,
        EVIDENCE,
        candidates.KEYS,
        (candidates.HOME, candidates.CALLED),
        patterns.CASES,
        normal.statements(),
        {table: dict(columns) for table, columns in readings.CONTENT.items()},
        [field.name for kept in (Policy, Limits, Fact) for field in fields(kept)],
    )
    return hashlib.blake2b(repr(told).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True)
class Model:
    """records: how many it was learnt from. limits: none before the first resolution has drawn them.

    shares: SHARES. wide: keys of blocks that are too large, ascending.
    """

    program: str
    records: int
    policy: Policy
    limits: Limits | None
    fits: Fits
    shares: pd.DataFrame
    wide: npt.NDArray[np.int64]

    def is_outgrown(self, records: int) -> bool:
        """Whether the register has become another one since it was learnt."""
        larger, smaller = max(records, self.records), min(records, self.records)
        return larger > GROWN * smaller and larger - smaller > GROWN_BY

    def content(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "program": self.program,
            "records": self.records,
            "policy": asdict(self.policy),
            "limits": None if self.limits is None else asdict(self.limits),
            "fits": {table: _plain(fit) for table, fit in self.fits.items()},
            "shares": {name: self.shares[name].tolist() for name in SHARES},
            # as digits they would be most of the text
            "wide": base64.b64encode(self.wide.astype("<i8").tobytes()).decode(),
        }

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> "Model | None":
        """From its JSON; None if stored keys and patterns mean something else to this program."""
        if content["program"] != program():
            return None
        return cls(
            program=content["program"],
            records=content["records"],
            policy=Policy(**content["policy"]),
            limits=Limits(**content["limits"]) if content["limits"] else None,
            fits={table: _fit(table, fit) for table, fit in content["fits"].items()},
            shares=pd.DataFrame(content["shares"], columns=list(SHARES)).astype(
                {"part": "str", "name": "int64", "share": "float64"}
            ),
            wide=np.frombuffer(base64.b64decode(content["wide"]), dtype="<i8"),
        )


def _plain(fit: Fit) -> dict[str, Any]:
    return {
        "shares": fit.shares.tolist(),
        "facts": {
            name: {
                "cells": fact.cells.tolist(),
                "seen": fact.seen.tolist(),
                "singles": [single.tolist() for single in fact.singles],
                "unseen": fact.unseen.tolist(),
            }
            for name, fact in fit.facts.items()
        },
    }


def _fit(table: str, content: Mapping[str, Any]) -> Fit:
    together = EVIDENCE[table].together
    classes = len(content["shares"])
    facts = {
        name: Fact(
            cells=np.array(fact["cells"], dtype=np.int64).reshape(-1, len(together[name])),
            seen=np.array(fact["seen"], dtype=np.float64).reshape(-1, classes),
            singles=tuple(np.array(single, dtype=np.float64) for single in fact["singles"]),
            unseen=np.array(fact["unseen"], dtype=np.float64),
        )
        for name, fact in content["facts"].items()
    }
    return Fit(np.array(content["shares"], dtype=np.float64), facts, together)


def learnt_shares(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """SHARES of the names that stand in `name_share`."""
    return connection.execute("select part, name, share from name_share order by all").df()


def learnt_wide(connection: duckdb.DuckDBPyConnection) -> npt.NDArray[np.int64]:
    """Keys of the blocks that `candidates.find_keys` found too large."""
    found = connection.execute("from wide order by key").fetchnumpy()["key"]
    return np.asarray(found, dtype=np.int64)


def recall(connection: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Makes `name_share` and `wide` as they were learnt."""
    connection.register("remembered", model.shares)
    connection.execute("create or replace table name_share as from remembered")
    connection.unregister("remembered")
    connection.register("remembered", pd.DataFrame({"key": model.wide}))
    connection.execute("create or replace table wide as from remembered")
    connection.unregister("remembered")
