"""How right matching is and what it costs, beside an anchor in the same run; by hand.

`make bench` takes one register of 100 000 records, `make bench-full` three of them, a million, four million
and two published data sets. Prints a table, asserts nothing about time. What may be told by the environment:

    HUB_BENCH=full                      the larger run
    HUB_BENCH_SIZES, HUB_BENCH_SEEDS    other registers, comma-separated; all seeds on the first size, one on others;
                                        of sizes after the second only pairs, seconds and memory are measured
    HUB_BENCH_RECORDS, HUB_BENCH_TRUTH  a register of one's own instead (CSV or Parquet: the layout of
                                        `hub match file`, and record_id with entity_id); the anchor can't read it
    HUB_BENCH_PYTHON                    an interpreter that has tests/benchmarks/requirements.txt
    HUB_BENCH_CACHE                     where made-up registers are kept, else in .bench

Belongs here: which runs there are, and the rows made of them. Does not belong here: a run (`runs`), judging
(`curve`), laying out (`table`).
"""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import log
from pathlib import Path

from tests.benchmarks import curve, delta, register, runs
from tests.benchmarks.table import Row, table

FULL = os.environ.get("HUB_BENCH") == "full"
SIZES = os.environ.get("HUB_BENCH_SIZES", "100000,1000000,4000000" if FULL else "100000")
SEEDS = os.environ.get("HUB_BENCH_SEEDS", "1,2,3" if FULL else "1")
JUDGED_SIZES = 2
NO_ANCHOR = (
    "no anchor: its environment is missing (make .venv-bench/.installed, or HUB_BENCH_PYTHON)"
)
NOT_FOR_IT = "the anchor reads made-up registers only"


@dataclass(frozen=True)
class Measured:
    """A run, the pairs it compared, and, where it was judged, how right it was."""

    run: runs.Run
    compared: int
    judged: curve.Judged | None
    curve: curve.Curve | None


@dataclass(frozen=True)
class Beside:
    """A register, the hub's run over it, and the anchor's if there is one."""

    size: int
    seed: int
    hub: Measured
    anchor: Measured | None

    @property
    def name(self) -> str:
        """Its size in words."""
        return in_words(self.size)


def in_words(size: int) -> str:
    """100 k, 1 M."""
    large = size >= 1_000_000
    return f"{size / (1_000_000 if large else 1000):g} {'M' if large else 'k'}"


def measured(run: runs.Run, truth: Path, judge: bool) -> Measured:
    """What a run left, held against the truth if asked; says that the run is over."""
    print(f"{run.name}: {run.seconds:.1f} s", flush=True)
    if not judge:
        return Measured(run, curve.compared(run.pairs), None, None)
    them = curve.judged(truth, run.clusters, run.pairs)
    return Measured(run, len(them.left), them, curve.curve(them))


def beside(
    size: int, seed: int, judge: bool, python: Path | None, folder: Path, model: Path | None
) -> Beside:
    """Both engines on one made-up register, one after the other."""
    files = register.files(size, seed)
    name = f"{in_words(size)}, seed {seed}"
    hub = measured(runs.hub(name, files.records, folder / "hub"), files.truth, judge)
    anchor = None
    if python:
        run = runs.anchor(name, python, files.register, folder / "anchor", model)
        anchor = measured(run, files.truth, judge)
    return Beside(size, seed, hub, anchor)


def accuracy_rows(on: str, those: Sequence[Beside]) -> list[Row]:
    """What is right and what is asked, of runs on registers of one size."""
    hubs = [one.hub for one in those if one.hub.judged and one.hub.curve]
    anchors = [one.anchor for one in those if one.anchor]

    def row(name: str, hub: list[float | None], anchor: list[float | None] | None = None) -> Row:
        note = "calibrated without the truth" if "default" in name else ""
        return Row("accuracy", name, on, hub, anchor or (), note)

    def of_labels(engine: Sequence[Measured], attribute: str) -> list[float | None]:
        return [getattr(one.judged, attribute) for one in engine]

    def of_curve(engine: Sequence[Measured], method: str, bound: float) -> list[float | None]:
        return [getattr(one.curve, method)(bound) for one in engine]

    rows = [
        row("leaked per million at the default setting", of_labels(hubs, "leaked_per_million")),
        row("recall at the default setting", of_labels(hubs, "recall")),
    ]
    rows += [
        row(name, of_curve(hubs, method, bound), of_curve(anchors, method, bound))
        for name, method, bound in (
            ("recall at ≤ 100 leaked per million", "recall_at_leaks", 100),
            ("recall at ≤ 1000 leaked per million", "recall_at_leaks", 1000),
            ("leaked per million at recall .80", "leaks_at_recall", 0.80),
            ("recall at precision ≥ .999", "recall_at_precision", 0.999),
        )
    ]
    rows += [
        row("recall with the queue decided", of_labels(hubs, "recall_with_queue_decided")),
        row("pairs queued per 100 records", of_labels(hubs, "asked_per_hundred")),
        row(
            "candidate recall",
            of_labels(hubs, "candidate_recall"),
            of_labels(anchors, "candidate_recall"),
        ),
    ]
    return rows


def cost_rows(those: Sequence[Beside], without: str = NO_ANCHOR) -> list[Row]:
    """Pairs, their growth, seconds (wanted of the second size) and memory (of the third), one run a size.

    without: why there is no anchor, where there is none.
    """
    rows = [
        Row(
            "cost", "compared pairs per record", one.name, [one.hub.compared / one.size],
            [one.anchor.compared / one.size] if one.anchor else (),
        )
        for one in those
    ]  # fmt: skip
    if len(those) > 1:
        on = " → ".join(one.name for one in those)
        anchors = [(one.size, one.anchor.compared) for one in those if one.anchor]
        hubs = [(one.size, one.hub.compared) for one in those]
        rows.append(Row("cost", "pair growth exponent", on, exponents(hubs), exponents(anchors)))
    for place, one in enumerate(those):
        note = "" if one.anchor else without
        if one.anchor and not one.anchor.judged:
            note = "the anchor had learnt before"
        over = one.anchor.run if one.anchor else None
        for name, ratio, judged_at in (
            ("seconds ÷ the anchor's", one.hub.run.seconds / over.seconds if over else None, 1),
            ("peak memory ÷ the anchor's", one.hub.run.peak_mb / over.peak_mb if over else None, 2),
        ):
            rows.append(Row("cost", name, one.name, [ratio], (), note, place == judged_at))
    return rows


def exponents(counted: Sequence[tuple[int, int]]) -> list[float | None]:
    """How fast pairs grow with records, from each size to the next."""
    return [log(q / p) / log(b / a) for (a, p), (b, q) in pairwise(counted)]


def run_rows(those: Sequence[runs.Run]) -> list[Row]:
    """The seconds and the memory of every run."""
    return [
        Row(
            "runs", run.name, f"{run.seconds:.1f} s, {run.peak_mb:.0f} MB at most", [], (),
            f"{run.cpu_seconds:.1f} s of processor",
        )
        for run in those
    ]  # fmt: skip


def published(python: Path | None, folder: Path) -> tuple[list[Row], list[runs.Run]]:
    """The hub on two published data sets, which lie in the anchor's environment."""
    if not python:
        return [Row("published data", "best F1", "febrl3, febrl4", [None], (), NO_ANCHOR)], []
    program = Path(__file__).with_name("febrl.py")
    subprocess.run([python, program, folder], check=True)
    rows, done = [], []
    for name in ("febrl3", "febrl4"):
        run = runs.hub(name, folder / f"{name}-records.csv", folder / name)
        found = measured(run, folder / f"{name}-truth.csv", judge=True)
        if found.judged and found.curve:
            best, among = found.curve.best_f1, found.judged.candidate_recall
            rows.append(Row("published data", "best F1", name, [best]))
            rows.append(Row("published data", "candidate recall", name, [among], judged=False))
        done.append(run)
    return rows, done


def test_how_right_matching_is_and_what_it_costs(tmp_path: Path) -> None:
    own = os.environ.get("HUB_BENCH_RECORDS"), os.environ.get("HUB_BENCH_TRUTH")
    if own[0] and own[1]:
        on_a_register_of_ones_own(Path(own[0]).absolute(), Path(own[1]).absolute(), tmp_path)
    else:
        on_made_up_registers(tmp_path)


def on_made_up_registers(tmp_path: Path) -> None:
    """A run that fails takes none of the others' figures with it: the table is printed before it is told."""
    sizes, seeds = ([int(n) for n in text.split(",")] for text in (SIZES, SEEDS))
    python = runs.anchor_python()
    those: list[Beside] = []
    rows: list[Row] = []
    done: list[runs.Run] = []
    failed: list[str] = []
    model = None
    for place, size in enumerate(sizes):
        judge = place < JUDGED_SIZES
        for seed in seeds if place == 0 else seeds[:1]:
            folder = tmp_path / f"{size}-{seed}"
            with told_later(failed):
                those.append(beside(size, seed, judge, python, folder, None if judge else model))
                if judge and python and seed == seeds[0]:
                    model = folder / "anchor"
            if not judge:
                shutil.rmtree(folder, ignore_errors=True)
    firsts = [one for one in those if one.seed == seeds[0]]
    if FULL:
        registers = [
            delta.Register(
                one.name, one.size, register.files(one.size, one.seed),
                tmp_path / f"{one.size}-{one.seed}" / "anchor" if one.anchor else None,
            )
            for one in firsts
            if one.hub.judged
        ]  # fmt: skip
        for measure in (
            partial(delta.delta_rows, registers, python, tmp_path / "delta"),
            partial(published, python, tmp_path / "published"),
        ):
            with told_later(failed):
                found, more = measure()
                rows, done = rows + found, done + more
    matched = [each.run for one in those for each in (one.hub, one.anchor) if each]
    print("\n" + table([*rows_of(those), *cost_rows(firsts), *rows, *run_rows(matched + done)]))
    if not python:
        print(NO_ANCHOR)
    shutil.rmtree(tmp_path)
    assert not failed, "\n".join(failed)


@contextmanager
def told_later(failed: list[str]) -> Iterator[None]:
    """Lets the next run begin where one has failed."""
    try:
        yield
    except (AssertionError, subprocess.CalledProcessError) as error:
        failed.append(str(error))


def rows_of(those: Sequence[Beside]) -> list[Row]:
    """How right runs were, for each size all its seeds in one row."""
    judged = [one for one in those if one.hub.judged]
    by_size = {one.size: [each for each in judged if each.size == one.size] for one in judged}
    return [
        row
        for size, same in by_size.items()
        for row in accuracy_rows(
            f"{in_words(size)}, seed {'/'.join(str(one.seed) for one in same)}", same
        )
    ]


def on_a_register_of_ones_own(records: Path, truth: Path, tmp_path: Path) -> None:
    """The hub alone: the anchor reads made-up registers only."""
    hub = measured(runs.hub(records.name, records, tmp_path / "hub"), truth, judge=True)
    size = hub.judged.size if hub.judged else 0
    one = Beside(size, 0, hub, None)
    print("\n" + table([*accuracy_rows(records.name, [one]), *cost_rows([one], NOT_FOR_IT), *run_rows([hub.run])]))  # fmt: skip
