"""Match a list that somebody hands in, and hold a matching against the truth; the register is not touched.

Belongs here: one run over files, from reading to writing. Does not belong here: how records are matched
(`linkage`), the register's own matching (`match`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.domain.resolution import DIFFERENT, REVIEW, SAME, Policy
from pipelines.linkage import evaluation, layout, matcher, showing
from pipelines.linkage.engine import opened


@dataclass(frozen=True)
class FileMatched:
    """Counts of a run; `explained` holds people, and is empty unless it was asked for."""

    records: int
    clusters: int
    pairs: int
    same: int
    review: int
    different: int
    threshold: float
    expected_leaked_per_million: float
    explained: tuple[showing.Explained, ...]


def match_file(
    source: Path,
    clusters: Path,
    pairs: Path | None,
    policy: Policy,
    explain: int = 0,
    progress: Callable[[str], None] = lambda stage: None,
) -> FileMatched:
    """Matches the records of a file and writes clusters and, if asked, pairs. Raises `layout.FileError`."""
    for path in (source, clusters, *([pairs] if pairs else [])):
        layout.kind_of(path)
    with opened() as connection:
        progress("reading the file")
        records = layout.read(connection, source)
        matched = matcher.match(connection, records, policy, progress)
        progress("writing")
        showing.write_clusters(connection, matched, clusters)
        if pairs:
            showing.write_pairs(connection, matched, pairs)
        laid_open = tuple(showing.explained(connection, matched, explain))
    resolution = matched.resolution
    verdicts = {v: int((resolution.verdict == v).sum()) for v in (SAME, REVIEW, DIFFERENT)}
    return FileMatched(
        records=records,
        # a cluster goes by the least of its records
        clusters=int((resolution.cluster == np.arange(records)).sum()),
        pairs=len(resolution.score),
        **verdicts,
        threshold=resolution.limits.threshold,
        expected_leaked_per_million=resolution.limits.expected_leaks,
        explained=laid_open,
    )


def evaluate_file(clusters: Path, truth: Path) -> evaluation.Evaluation:
    """How well clusters agree with the truth. Raises `layout.FileError`."""
    with opened() as connection:
        return evaluation.evaluate(connection, clusters, truth)
