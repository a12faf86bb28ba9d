"""What matching a list costs and how right it is; by hand: `make bench`, or with a list of one's own.

Prints ratios, asserts nothing about time. HUB_BENCH_RECORDS and HUB_BENCH_TRUTH (CSV or Parquet: the layout of
`hub match file`, and record_id with entity_id) put a register in place of the made-up towns; the sizes of those
are HUB_BENCH_HOUSEHOLDS, comma-separated.
"""

import csv
import json
import os
import resource
import time
from itertools import pairwise
from math import log
from pathlib import Path

from pipelines.domain.resolution import Policy
from pipelines.linkage import layout
from pipelines.linkage.engine import opened
from pipelines.settings import load_settings
from pipelines.steps.match_file import evaluate_file, match_file
from tests.linkage.conftest import town


def written(directory: Path, households: int) -> tuple[Path, Path]:
    """A made-up town and the truth about it, as CSV."""
    records, truth = directory / f"town{households}.csv", directory / f"truth{households}.csv"
    people = town(households, seed=1)
    rows = [{"record_id": n, "entity_id": row["entity"], **row} for n, row in enumerate(people)]
    for path, columns in ((records, layout.COLUMNS), (truth, ("record_id", "entity_id"))):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    return records, truth


def measured(records: Path, truth: Path, out: Path, policy: Policy) -> dict[str, float]:
    """One run over a file: how right, how many pairs, how long beside a bare reading of the file."""
    with opened() as connection:
        started = time.perf_counter()
        layout.read(connection, records)
        bare = time.perf_counter() - started
    started = time.perf_counter()
    done = match_file(records, out / "clusters.parquet", out / "pairs.parquet", policy)
    took = time.perf_counter() - started
    right = evaluate_file(out / "clusters.parquet", truth)
    return {
        "records": done.records,
        "pairs_over_records": round(done.pairs / done.records, 2),
        "queued_per_hundred": round(100 * done.review / done.records, 2),
        "recall": round(right.recall, 4),
        "precision": round(right.precision, 5),
        "leaked_per_million": round(right.leaked_per_million, 1),
        "expected_leaked_per_million": round(done.expected_leaked_per_million, 1),
        "seconds": round(took, 2),
        "seconds_over_bare_reading": round(took / bare, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def test_how_right_a_matching_is_and_what_it_costs(tmp_path: Path) -> None:
    policy = Policy(**load_settings(tmp_path, {}).matching.model_dump())
    given = os.environ.get("HUB_BENCH_RECORDS"), os.environ.get("HUB_BENCH_TRUTH")
    if all(given):
        files = [(Path(str(given[0])), Path(str(given[1])))]
    else:
        sizes = os.environ.get("HUB_BENCH_HOUSEHOLDS", "3000,12000").split(",")
        files = [written(tmp_path, int(size)) for size in sizes]
    runs = [measured(records, truth, tmp_path, policy) for records, truth in files]
    for run in runs:
        print(json.dumps(run))
    for small, large in pairwise(runs):
        grown = log(large["records"] / small["records"])
        pairs = [run["pairs_over_records"] * run["records"] for run in (small, large)]
        print(json.dumps({"pair_growth_exponent": round(log(pairs[1] / pairs[0]) / grown, 3)}))
