"""The register's records on one engine for one night: keys, pairs, comparisons, with what was learnt or to learn.

Belongs here: the order of an engine's stages over records that are handed in as frames. Does not belong here:
which records those are (`steps.trace`), where they and the results are kept (`store.linkage`), verdicts.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import duckdb
import pandas as pd

from pipelines.domain.partition import Codes
from pipelines.domain.resolution import Policy
from pipelines.linkage import candidates, matcher, normal, readings, register
from pipelines.linkage.engine import opened
from pipelines.linkage.matcher import Compared
from pipelines.linkage.model import Model, learnt_shares, learnt_wide, program, recall

Records = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Parties, addresses and properties, as `register.hold` takes them."""


class Workbench:
    """What is laid on it is replaced by what is laid on it next; keys and pairs stay until they are made anew."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, model: Model | None) -> None:
        self._engine = engine
        self._model = model
        if model is not None:
            recall(engine, model)

    @classmethod
    @contextmanager
    def opened(cls, home: Path, model: Model | None, threads: int | None = None) -> Iterator[Self]:
        """home: where what does not fit into memory goes. model: None to learn one from all records."""
        with opened(threads, home) as engine:
            yield cls(engine, model)

    def lay(self, records: Records) -> None:
        """Reads records; without a model they are the whole register, and names' shares are learnt."""
        register.hold(self._engine, *records)
        normal.normalise(self._engine, shares_known=self._model is not None)

    def keys(self) -> pd.DataFrame:
        """match_key, record_no, sort of what lies here; without a model, too large blocks are learnt."""
        candidates.find_keys(self._engine, discover=self._model is None)
        return self._engine.execute("select key match_key, r record_no, sort from match_key").df()

    def pair(self, judged: pd.DataFrame) -> None:
        """Pairs of whoever shares a key, and those that were judged (left_no, right_no)."""
        candidates.find_pairs(self._engine)
        candidates.add_pairs(self._engine, judged)

    def pair_touched(self, keys: pd.DataFrame, touched: Codes) -> None:
        """Pairs of whoever shares a key, with a side touched.

        keys: match_key, record_no, sort: every row of the keys of those who are touched.
        """
        candidates.hold_keys(self._engine, keys, touched)
        candidates.find_pairs(self._engine, touching=True)

    def add_pairs(self, pairs: pd.DataFrame) -> Codes:
        """Pairs to be compared whatever keys they share (left_no, right_no); returns all who stand in a pair."""
        candidates.add_pairs(self._engine, pairs)
        return candidates.paired(self._engine)

    def readings(self) -> Iterator[pd.DataFrame]:
        """What a comparison reads of what lies here (`readings.READINGS`), some at a time."""
        return readings.kept(self._engine)

    def lay_readings(self, those: pd.DataFrame) -> None:
        """Records to compare, as they were read before."""
        readings.hold(self._engine, those)

    def compare(self) -> tuple[Compared, ...]:
        """The pairs, whose records all lie here, compared."""
        return matcher.compare(self._engine)

    def learn(self, compared: tuple[Compared, ...], records: int, policy: Policy) -> Model:
        """What the whole register taught; its limits are not drawn yet."""
        return Model(
            program=program(),
            records=records,
            policy=policy,
            limits=None,
            fits=matcher.learn(self._engine, compared),
            shares=learnt_shares(self._engine),
            wide=learnt_wide(self._engine),
        )
