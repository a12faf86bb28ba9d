"""Records in, verdicts and clusters out: the stages one after another.

Belongs here: the order of the stages and what is handed from one to the next. Does not belong here: SQL of
a stage (`normal`, `candidates`, `patterns`), decisions (`domain.mixture`, `rules`, `resolution`), files
(`layout`).

    record → normal → candidates → patterns → counts of patterns → fit → chance per pattern
           → chance per pair → resolution → clusters and pairs

Everything up to the counts is a set operation that another engine can run; everything after it needs the
patterns, of which there are few, and three numbers a pair.
"""

from collections.abc import Callable
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from pipelines.domain import classes, mixture, prior, rules
from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.partition import Codes
from pipelines.domain.resolution import Pairs, Policy, Resolution, resolve
from pipelines.linkage import candidates, normal, patterns

EXCLUSIVE = ("person_key", "business_id", "kind")
"""Columns of which two values never stand in one cluster."""


@dataclass(frozen=True)
class Learnt:
    """What one kind of record taught: its patterns, how often each was seen, and the fit."""

    table: str
    patterns: pd.DataFrame
    counts: mixture.Weights
    fit: mixture.Fit


@dataclass(frozen=True)
class Compared:
    """Compared pairs of one kind, and the row of `learnt.patterns` that each pair shows."""

    learnt: Learnt
    left: Codes
    right: Codes
    pattern: Codes


@dataclass(frozen=True)
class Matched:
    """The outcome of a run: pairs and verdicts in the order of `compared`, one kind after the other."""

    records: int
    compared: tuple[Compared, ...]
    pairs: Pairs
    resolution: Resolution


def match(
    connection: duckdb.DuckDBPyConnection,
    records: int,
    policy: Policy,
    progress: Callable[[str], None] = lambda stage: None,
) -> Matched:
    """Matches the records of table `record` (see `layout.read`); progress is told each stage as it begins."""
    progress("reading names, numbers and places")
    normal.normalise(connection)
    compared = tuple(_compare(connection, table, progress) for table in EVIDENCE)
    progress("drawing clusters")
    parts = [_judged(part) for part in compared]
    pairs = Pairs(**{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
    exclusive = [_codes(connection, column) for column in EXCLUSIVE]
    return Matched(records, compared, pairs, resolve(records, pairs, exclusive, policy))


def learn(table: str, levels: pd.DataFrame, counts: mixture.Weights) -> Learnt:
    """What patterns of a kind of record teach; levels: a row a pattern, a column a fact."""
    start, possible = classes.start(table, levels)
    together = EVIDENCE[table].together
    fit = mixture.fit(levels, counts, together, start, possible, prior.expected(table))
    return Learnt(table, levels, counts, fit)


def _compare(
    connection: duckdb.DuckDBPyConnection, table: str, progress: Callable[[str], None]
) -> Compared:
    progress(f"looking for pairs of {table}s")
    candidates.candidates(connection, table, *candidates.KEYS[table])
    progress(f"comparing {table}s")
    patterns.compare(connection, table)
    found = connection.execute(
        f"select l, r, code from {table}_compared order by l, r"
    ).fetchnumpy()
    progress(f"learning from {table}s")
    codes, pattern = np.unique(found["code"], return_inverse=True)
    counts = np.bincount(pattern, minlength=len(codes)).astype(np.float64)
    learnt = learn(table, patterns.unpacked(table, codes), counts)
    left, right = (np.asarray(found[side], dtype=np.int64) for side in ("l", "r"))
    return Compared(learnt, left, right, pattern.astype(np.int64))


def _judged(part: Compared) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    """The fields of `Pairs` for the pairs of one kind."""
    table, levels = part.learnt.table, part.learnt.patterns
    return {
        "left": part.left,
        "right": part.right,
        "chance": part.learnt.fit.posterior[:, classes.SAME][part.pattern],
        "forbidden": rules.forbidden(table, levels)[part.pattern],
        "against": rules.against(table, levels)[part.pattern],
        "guarded": rules.guarded(table, levels)[part.pattern],
    }


def _codes(connection: duckdb.DuckDBPyConnection, column: str) -> Codes:
    """A code per record for the values of a column of `record`, -1 for none."""
    values = connection.execute(
        f"""select case when {column} is null then -1
            else dense_rank() over (order by {column} nulls last) end::bigint code
        from record order by r"""
    ).fetchnumpy()["code"]
    return np.asarray(values, dtype=np.int64)
