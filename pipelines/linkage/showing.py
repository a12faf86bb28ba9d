"""What a run leaves for people and programs: the files of clusters and pairs, and pairs laid open.

Belongs here: turning record numbers back into the file's ids and values. Does not belong here: phrases
(`texts`), the terminal (`cli`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from pipelines.domain import mixture, rules
from pipelines.domain.classes import SAME
from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.resolution import DIFFERENT, REVIEW
from pipelines.domain.resolution import SAME as SAME_PARTY
from pipelines.domain.wording import GUARDS, phrase, strength
from pipelines.linkage.layout import COLUMNS, write
from pipelines.linkage.matcher import Compared, Matched, posterior

_VERDICTS = (SAME_PARTY, REVIEW, DIFFERENT)
_SECRET = {"person_key", "birth_key"}


@dataclass(frozen=True)
class Explained:
    """One pair laid open: its score and verdict, what both records say, each piece of evidence.

    values: (column, left, right) of columns that either states. evidence: (what, how much it weighs).
    """

    score: float
    verdict: str
    values: list[tuple[str, str | None, str | None]]
    evidence: list[tuple[str, str]]


def write_clusters(connection: duckdb.DuckDBPyConnection, matched: Matched, path: Path) -> None:
    """record_id, cluster_id: the record_id that comes first among the cluster's. Raises FileError."""
    clusters = {"r": np.arange(matched.records), "c": matched.resolution.cluster}
    _write(
        connection,
        clusters,
        """select a.record_id, b.record_id cluster_id from outcome
        join record a on a.r = outcome.r join record b on b.r = outcome.c order by outcome.r""",
        path,
    )


def write_pairs(connection: duckdb.DuckDBPyConnection, matched: Matched, path: Path) -> None:
    """left, right, score, verdict, every compared pair once. Raises FileError."""
    verdict = matched.resolution.verdict
    pairs = {
        "l": matched.pairs.left,
        "r": matched.pairs.right,
        "score": matched.resolution.score,
        "place": np.select([verdict == name for name in _VERDICTS], range(1, len(_VERDICTS) + 1)),
    }
    _write(
        connection,
        pairs,
        f"""select a.record_id "left", b.record_id "right", score, ({list(_VERDICTS)})[place] verdict from outcome
        join record a on a.r = outcome.l join record b on b.r = outcome.r
        order by outcome.l, outcome.r""",
        path,
    )


def explained(
    connection: duckdb.DuckDBPyConnection, matched: Matched, most: int
) -> Iterator[Explained]:
    """The likeliest pairs that are in review, laid open; tokens are never shown."""
    resolution = matched.resolution
    asked = np.flatnonzero(resolution.verdict == REVIEW)
    likeliest = asked[np.argsort(-resolution.score[asked], kind="stable")[:most]]
    starts = np.cumsum([0, *(len(part.left) for part in matched.compared)])
    for number in likeliest.tolist():
        kind = int(np.searchsorted(starts, number, "right")) - 1
        part = matched.compared[kind]
        pattern = int(part.pattern[number - starts[kind]])
        left, right = int(matched.pairs.left[number]), int(matched.pairs.right[number])
        yield Explained(
            float(resolution.score[number]),
            str(resolution.verdict[number]),
            _side_by_side(connection, left, right),
            evidence_of(part, pattern, matched.fits[part.table]),
        )


def evidence_of(part: Compared, pattern: int, fit: mixture.Fit) -> list[tuple[str, str]]:
    """What a pattern of a kind shows, fact by fact, against the likeliest other class."""
    return evidence_of_each(part, [pattern], fit)[0]


def evidence_of_each(
    part: Compared, asked: Sequence[int], fit: mixture.Fit
) -> list[list[tuple[str, str]]]:
    """What each of some patterns of a kind shows (`evidence_of`), weighed at once."""
    evidence, rows = EVIDENCE[part.table], part.levels.iloc[list(asked)]
    others = posterior(part, fit)[list(asked)]
    others[:, SAME] = -1.0
    rival = others.argmax(axis=1)
    logs = fit.by_fact(rows)
    guards = rules.guards(part.table, rows)
    numbers = {fact: rows[fact].tolist() for fact in evidence.levels}
    found = []
    for n in range(len(rows)):
        levels = {fact: names[int(numbers[fact][n])] for fact, names in evidence.levels.items()}
        shown = []
        for name, facts in evidence.together.items():
            said = phrase(levels, facts)
            if said:
                log_odds = logs[name][n, SAME] - logs[name][n, rival[n]]
                shown.append((said, strength(float(np.exp(log_odds)))))
        shown += [(GUARDS[name], "guard") for name, holds in guards.items() if holds[n]]
        found.append(shown)
    return found


def _side_by_side(
    connection: duckdb.DuckDBPyConnection, left: int, right: int
) -> list[tuple[str, str | None, str | None]]:
    shown = [name for name in COLUMNS if name not in _SECRET]
    rows = connection.execute(
        f"select {', '.join(shown)} from record where r in (?, ?) order by r", [left, right]
    ).fetchall()
    return [(n, a, b) for n, a, b in zip(shown, *rows, strict=True) if a or b]


def _write(
    connection: duckdb.DuckDBPyConnection, outcome: Mapping[str, object], query: str, path: Path
) -> None:
    connection.register("outcome", pd.DataFrame(outcome))
    try:
        write(connection, query, path)
    finally:
        connection.unregister("outcome")
