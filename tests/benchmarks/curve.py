"""How right scored pairs are, at every threshold, after clustering.

Belongs here: reading pairs and the truth, clusters from the likeliest pair down, what follows from the
curve. Does not belong here: running an engine (`runs`), what is wanted (`table`).

A threshold chosen by the curve is an oracle's: it flatters every engine alike. What a run really risked is
in its own clusters.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from pipelines.domain.partition import Codes, components

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Pairs and clusters held against the truth, records by number.

    entity, cluster: a code per record. left, right, score, asked: the compared pairs; asked: in review.
    """

    entity: Codes
    cluster: Codes
    left: Codes
    right: Codes
    score: Numbers
    asked: npt.NDArray[np.bool_]

    @property
    def size(self) -> int:
        """Records."""
        return len(self.entity)

    @property
    def true_pairs(self) -> int:
        """Pairs of records of one entity."""
        return _pairs(np.bincount(self.entity))

    @property
    def right_pairs(self) -> npt.NDArray[np.bool_]:
        """Which of the compared pairs are of one entity."""
        return np.asarray(self.entity[self.left] == self.entity[self.right])

    @property
    def candidate_recall(self) -> float:
        """Of the true pairs, the share that was compared."""
        return float(self.right_pairs.sum()) / self.true_pairs

    @property
    def leaked_per_million(self) -> float:
        """Records in a cluster with somebody else's, at the run's own threshold."""
        seen = np.unique(np.column_stack([self.cluster, self.entity]), axis=0)
        entities = np.bincount(seen[:, 0], minlength=self.size)
        return float((entities[self.cluster] > 1).mean() * 1e6)

    @property
    def recall(self) -> float:
        """Of the true pairs, the share in one cluster, at the run's own threshold."""
        return self._recall(self.cluster)

    @property
    def recall_with_queue_decided(self) -> float:
        """The recall when every pair in review is answered as the truth has it."""
        told = self.asked & self.right_pairs
        ends = self.cluster[self.left[told]], self.cluster[self.right[told]]
        return self._recall(components(self.size, *ends)[self.cluster])

    @property
    def asked_per_hundred(self) -> float:
        """Pairs in review per hundred records."""
        return 100 * float(self.asked.sum()) / self.size

    def _recall(self, cluster: Codes) -> float:
        both = cluster * (int(self.entity.max()) + 1) + self.entity
        return _pairs(np.unique(both, return_counts=True)[1]) / self.true_pairs


def judged(truth: Path, clusters: Path, pairs: Path) -> Judged:
    """Reads what a run wrote, and the truth. A record's cluster is the number of one of its records."""
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        connection.execute(
            f"""create table labelled as
            select record_id::varchar record_id, row_number() over (order by record_id) - 1 r,
                dense_rank() over (order by entity_id) - 1 entity
            from {_source(truth)}"""
        )
        labels = connection.execute(
            f"""select entity, min(r) over (partition by coalesce(cluster_id::varchar, 'r' || r)) cluster
            from labelled left join (
                select record_id::varchar record_id, cluster_id from {_source(clusters)}
            ) using (record_id) order by r"""
        ).fetchnumpy()
        compared = connection.execute(
            f"""select a.r l, b.r r, score, verdict = 'review' asked
            from {_source(pairs)} pairs
            join labelled a on a.record_id = pairs."left"::varchar
            join labelled b on b.record_id = pairs."right"::varchar
            order by score desc, l, r"""
        ).fetchnumpy()
    entity, cluster = (np.asarray(labels[name], np.int64) for name in ("entity", "cluster"))
    left, right = (np.asarray(compared[name], np.int64) for name in ("l", "r"))
    score, asked = (
        np.asarray(compared["score"], np.float64),
        np.asarray(compared["asked"], np.bool_),
    )
    return Judged(entity, cluster, left, right, score, asked)


def compared(pairs: Path) -> int:
    """How many pairs a run compared."""
    with duckdb.connect() as connection:
        counted = connection.execute(f"select count(*) from {_source(pairs)}").fetchall()
    return int(counted[0][0])


@dataclass(frozen=True)
class Curve:
    """Per distinct score, from the highest down: pairs in one cluster, those rightly, records leaked."""

    size: int
    true_pairs: int
    found: Numbers
    right: Numbers
    leaked: Numbers

    @property
    def recall(self) -> Numbers:
        """Of the true pairs, the share in one cluster."""
        return self.right / self.true_pairs

    @property
    def precision(self) -> Numbers:
        """Of the pairs in one cluster, the share that is true; 1 where there is none."""
        return np.where(self.found > 0, self.right / np.maximum(self.found, 1), 1.0)

    @property
    def leaked_per_million(self) -> Numbers:
        """Records in a cluster with somebody else's."""
        return self.leaked * 1e6 / self.size

    @property
    def best_f1(self) -> float:
        """The highest harmonic mean of precision and recall."""
        both = self.precision + self.recall
        return float((2 * self.precision * self.recall / np.maximum(both, 1e-12)).max(initial=0.0))

    def recall_at_leaks(self, per_million: float) -> float:
        """The most recall while so many records per million are leaked at most."""
        return float(self.recall[self.leaked_per_million <= per_million].max(initial=0.0))

    def recall_at_precision(self, precision: float) -> float:
        """The most recall at such a precision or better."""
        return float(self.recall[self.precision >= precision].max(initial=0.0))

    def leaks_at_recall(self, recall: float) -> float | None:
        """The fewest records leaked per million at such a recall; None where it is never reached."""
        reached = self.leaked_per_million[self.recall >= recall]
        return float(reached.min()) if reached.size else None


def curve(them: Judged) -> Curve:
    """Joins records from the likeliest pair down (`judged` has sorted them); equal scores count at once."""
    entity, root = them.entity.tolist(), list(range(them.size))
    members: list[dict[int, int]] = [{e: 1} for e in entity]
    sizes = [1] * them.size
    points: list[tuple[int, int, int]] = []
    found = right = leaked = 0
    scores = them.score
    last = np.append(scores[1:] != scores[:-1], True) if len(scores) else np.zeros(0, bool)
    for a, b, is_last in zip(them.left.tolist(), them.right.tolist(), last.tolist(), strict=True):
        while root[a] != a:
            root[a] = a = root[root[a]]
        while root[b] != b:
            root[b] = b = root[root[b]]
        if a != b:
            if len(members[a]) < len(members[b]):
                a, b = b, a
            large, small = members[a], members[b]
            leaked -= (sizes[a] if len(large) > 1 else 0) + (sizes[b] if len(small) > 1 else 0)
            found += sizes[a] * sizes[b]
            for e, n in small.items():
                already = large.get(e, 0)
                right += n * already
                large[e] = already + n
            root[b], members[b] = a, {}
            sizes[a] += sizes[b]
            leaked += sizes[a] if len(large) > 1 else 0
        if is_last:
            points.append((found, right, leaked))
    columns = np.array(points, dtype=np.float64).reshape(-1, 3).T
    return Curve(them.size, them.true_pairs, *columns)


def _pairs(counts: Codes) -> int:
    return int((counts * (counts - 1) // 2).sum())


def _source(path: Path) -> str:
    """SQL that reads a file, CSV (as text) or Parquet."""
    return f"read_csv('{path}', all_varchar = true)" if path.suffix == ".csv" else f"'{path}'"
