"""Records in, verdicts and clusters out: the stages one after another.

Belongs here: the order of the stages and what is handed from one to the next. Does not belong here: SQL of
a stage (`normal`, `candidates`, `patterns`), decisions (`domain.mixture`, `rules`, `resolution`), files
(`layout`), the register's night (`steps.match`).

    record → normal → candidates → patterns → counts of patterns → fit → chance per pattern
           → chance per pair → resolution → clusters and pairs

Everything up to the counts is a set operation that another engine can run; everything after it needs the
patterns, of which there are few, and three numbers a pair.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.domain import classes, mixture, prior, rules
from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.partition import Codes
from pipelines.domain.resolution import DIFFERENT, Pairs, Policy, Resolution, resolve
from pipelines.linkage import candidates, normal, patterns

EXCLUSIVE = ("person_key", "business_id", "kind")
"""Columns of which two values never stand in one cluster."""

Fits = Mapping[str, mixture.Fit]


@dataclass(frozen=True)
class Compared:
    """Compared pairs of one kind of record, by the pattern each shows.

    left, right: record numbers, left < right, ascending. pattern: the row of `levels` that a pair shows.
    codes: the patterns as numbers, ascending. levels: a row a pattern, a column a fact.
    """

    table: str
    left: Codes
    right: Codes
    pattern: Codes
    codes: Codes
    levels: pd.DataFrame

    @classmethod
    def of(cls, table: str, left: Codes, right: Codes, code: Codes) -> "Compared":
        """code: the pattern of each pair (`patterns.compare`)."""
        pattern, codes = pd.factorize(code, sort=True)  # in one pass; `unique` sorts all pairs
        levels = patterns.unpacked(table, codes)
        return cls(table, left, right, pattern.astype(np.int64, copy=False), codes, levels)


@dataclass(frozen=True)
class Matched:
    """The outcome of a run: pairs and verdicts in the order of `compared`, one kind after the other."""

    records: int
    compared: tuple[Compared, ...]
    fits: Fits
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
    progress("looking for pairs")
    candidates.pair_once(connection)
    progress("comparing pairs")
    compared = compare(connection)
    progress("learning from the register")
    fits = learn(connection, compared)
    progress("drawing clusters")
    pairs = weighed(compared, fits)
    exclusive = [_codes(connection, column) for column in EXCLUSIVE]
    resolution = resolve(records, pairs, exclusive, policy)
    return Matched(records, compared, fits, pairs, resolution)


def compare(connection: duckdb.DuckDBPyConnection, pairs: str = "pair") -> tuple[Compared, ...]:
    """The pairs of a table (l, r), compared: one result a kind of record."""
    results = []
    for table in EVIDENCE:
        patterns.compare(connection, table, pairs)
        found = connection.execute(
            f"select l, r, code::bigint code from {table}_compared order by l, r"
        ).fetchnumpy()
        left, right, code = (np.asarray(found[name], dtype=np.int64) for name in ("l", "r", "code"))
        results.append(Compared.of(table, left, right, code))
    return tuple(results)


def learn(connection: duckdb.DuckDBPyConnection, compared: Sequence[Compared]) -> Fits:
    """What the whole register's pairs teach, with strangers beside them; it lies on the engine still."""
    candidates.find_strangers(connection)
    strangers = compare(connection, "stranger")
    return {part.table: _fitted(part, of) for part, of in zip(compared, strangers, strict=True)}


def _fitted(part: Compared, strangers: Compared) -> mixture.Fit:
    seen = pd.Series(0.0, np.union1d(part.codes, strangers.codes))
    for each in (part, strangers):
        of_each = np.bincount(each.pattern, minlength=len(each.codes))
        seen = seen.add(pd.Series(of_each, each.codes), fill_value=0)
    levels = patterns.unpacked(part.table, seen.index.to_numpy(dtype=np.int64))
    start, possible = classes.start(part.table, levels)
    together = EVIDENCE[part.table].together
    expected = prior.expected(part.table)
    counts = np.asarray(seen, dtype=np.float64)
    return mixture.fit(levels, counts, together, start, possible, expected)


def posterior(part: Compared, fit: mixture.Fit) -> mixture.Weights:
    """Chance of each class (columns) for each pattern (rows)."""
    _, possible = classes.start(part.table, part.levels)
    # the last digits of an exponential depend on what else is computed beside it
    rounded: mixture.Weights = fit.posterior(part.levels, possible).round(12)
    return rounded


def weighed(compared: Sequence[Compared], fits: Fits) -> Pairs:
    """What the pairs are worth under these fits, in the order of `compared`; nobody said anything."""
    parts = [_weighed(part, fits[part.table]) for part in compared]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    # one empty text stands in the place of all
    return Pairs(**columns, said=np.broadcast_to(np.array("", dtype="<U9"), len(columns["left"])))


def rows_of(compared: Sequence[Compared], fits: Fits) -> pd.DataFrame:
    """Compared pairs as rows that can be kept; what becomes of them is open.

    left_no, right_no, party_type, pattern, chance, score, verdict; one kind of record after the other.
    """
    pairs = weighed(compared, fits)
    return pd.DataFrame(
        {
            "left_no": pairs.left,
            "right_no": pairs.right,
            # of no pair a list would be a column of numbers
            "party_type": pd.array(
                [part.table for part in compared for _ in range(len(part.left))], dtype="str"
            ),
            "pattern": np.concatenate([part.codes[part.pattern] for part in compared]),
            "chance": pairs.chance,
            "score": np.where(pairs.forbidden, 0.0, pairs.chance),
            "verdict": DIFFERENT,
        }
    )


def compared_of(pairs: pd.DataFrame) -> list[Compared]:
    """Rows that were kept, in the order of `in_order`, as they were compared."""
    parts = []
    for table in EVIDENCE:
        of_kind = pairs[pairs["party_type"] == table]
        columns = (
            of_kind[name].to_numpy(dtype=np.int64) for name in ("left_no", "right_no", "pattern")
        )
        parts.append(Compared.of(table, *columns))
    return parts


def in_order(pairs: pd.DataFrame) -> pd.DataFrame:
    """Rows of pairs, one kind of record after the other as `EVIDENCE` has them."""
    kinds = pd.Categorical(pairs["party_type"], list(EVIDENCE))
    ordered = pairs.assign(kind=kinds).sort_values(["kind", "left_no", "right_no"])
    return ordered.drop(columns="kind").reset_index(drop=True)


def _weighed(part: Compared, fit: mixture.Fit) -> dict[str, npt.NDArray[np.generic]]:
    table, levels = part.table, part.levels
    return {
        "left": part.left,
        "right": part.right,
        "chance": posterior(part, fit)[:, classes.SAME][part.pattern],
        "forbidden": rules.forbidden(table, levels)[part.pattern],
        "against": rules.against(table, levels)[part.pattern],
        "guarded": rules.guarded(table, levels)[part.pattern],
        "parted": rules.parted(table, levels)[part.pattern],
        "verified": rules.verified(table, levels)[part.pattern],
    }


def _codes(connection: duckdb.DuckDBPyConnection, column: str) -> Codes:
    """A code per record for the values of a column of `record`, -1 for none."""
    values = connection.execute(
        f"select hash({column}) number, {column} is not null stated from record order by r"
    ).fetchnumpy()
    return np.where(values["stated"], pd.factorize(values["number"])[0], -1).astype(np.int64)
