"""A clustering held against the truth.

Belongs here: pairwise precision and recall, and leaked records, from labels. Does not belong here: making
clusters (`matcher`), scores at other thresholds than the one that was used.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipelines.linkage.layout import FileError, columns, loading, source


@dataclass(frozen=True)
class Evaluation:
    """Counts of pairs that are and should be in one cluster, and of records beside a stranger's.

    records: in the truth. missing: of them without a cluster; each counts as a cluster of its own.
    true_pairs: pairs of one entity. found_pairs: pairs in one cluster. right_pairs: both.
    leaked_records: records in a cluster that holds more than one entity.
    """

    records: int
    missing: int
    true_pairs: int
    found_pairs: int
    right_pairs: int
    leaked_records: int

    @property
    def precision(self) -> float:
        """Of the pairs in one cluster, the share that is one entity; 1 where there is none."""
        return self.right_pairs / self.found_pairs if self.found_pairs else 1.0

    @property
    def recall(self) -> float:
        """Of the pairs of one entity, the share in one cluster; 1 where there is none."""
        return self.right_pairs / self.true_pairs if self.true_pairs else 1.0

    @property
    def leaked_per_million(self) -> float:
        """Leaked records, per million records."""
        return 1e6 * self.leaked_records / self.records if self.records else 0.0


def evaluate(connection: duckdb.DuckDBPyConnection, clusters: Path, truth: Path) -> Evaluation:
    """clusters: record_id, cluster_id. truth: record_id, entity_id. Raises FileError."""
    for path, wanted in ((clusters, "cluster_id"), (truth, "entity_id")):
        lacking = {"record_id", wanted} - set(columns(connection, path))
        if lacking:
            raise FileError(f"{path}: no column {' or '.join(sorted(lacking))}")
        _refuse_repeated(connection, path)
    joined = f"""create or replace temp table labelled as
        select truth.entity_id::varchar entity,
            coalesce('c' || clusters.cluster_id::varchar, 'r' || truth.record_id::varchar) cluster,
            clusters.cluster_id is null missing
        from {source(truth)} truth
        left join {source(clusters)} clusters
            on clusters.record_id::varchar = truth.record_id::varchar"""
    with loading(truth):
        connection.execute(joined)
    row = connection.execute(
        """with entities as (select count(*) n from labelled group by entity),
        groups as (select count(*) n, count(distinct entity) entities from labelled group by cluster),
        parts as (select count(*) n from labelled group by cluster, entity)
        select (select count(*) from labelled), (select count(*) from labelled where missing),
            (select coalesce(sum(n * (n - 1) // 2), 0) from entities),
            (select coalesce(sum(n * (n - 1) // 2), 0) from groups),
            (select coalesce(sum(n * (n - 1) // 2), 0) from parts),
            (select coalesce(sum(n), 0) from groups where entities > 1)"""
    ).fetchone()
    return Evaluation(*(int(value) for value in row or ()))


def _refuse_repeated(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    with loading(path):
        row = connection.execute(
            f"select count(*) - count(distinct record_id) from {source(path)}"
        ).fetchone()
    if row and row[0]:
        raise FileError(
            f"{path}: {row[0]} rows repeat a record_id, or have none; each may stand once"
        )
