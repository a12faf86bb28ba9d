"""Engines run as processes of their own, with their seconds and their memory.

Belongs here: starting the hub and the anchor on files, what they cost. Does not belong here: the anchor's
settings (`anchor`), judging what comes out (`curve`).
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OWN = ROOT / ".venv-bench" / "bin" / "python"

# Linux counts a parent's memory as its child's until the child has become its own program: so a small process starts
# the one that is measured.
_MEASURING = """
import json, os, sys, time
started = time.perf_counter()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
told = {"seconds": time.perf_counter() - started, "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024, "exit": os.waitstatus_to_exitcode(status)}
with open(sys.argv[1], "w") as file:
    json.dump(told, file)
"""


@dataclass(frozen=True)
class Run:
    """A run of an engine: cost of its process from start to end, the files it wrote, what it told."""

    name: str
    seconds: float
    cpu_seconds: float
    peak_mb: float
    clusters: Path
    pairs: Path
    told: dict[str, float]


def anchor_python() -> Path | None:
    """The interpreter that has the anchor: HUB_BENCH_PYTHON, else the benchmarks' own; None: there is none."""
    python = Path(os.environ.get("HUB_BENCH_PYTHON") or OWN)
    if not python.is_file():
        return None
    there = subprocess.run([python, "-c", "import splink"], capture_output=True, check=False)
    return python if there.returncode == 0 else None


def hub(name: str, records: Path, folder: Path) -> Run:
    """`hub match file` as anybody would run it, at the default setting."""
    out = folder / "clusters.parquet", folder / "pairs.parquet"
    command = [sys.executable, "-m", "pipelines.cli", "match", "file", str(records)]
    command += ["--out", str(out[0]), "--pairs", str(out[1]), "--json"]
    return _run(f"hub, {name}", command, folder, *out)


def hub_night(name: str, records: Path, folder: Path, changed: int) -> Run:
    """The hub's nightly matching of so many changes to a register that it keeps; told: see `kept`."""
    command = [
        sys.executable,
        "-m",
        "tests.benchmarks.kept",
        str(records),
        str(folder),
        str(changed),
    ]
    return _run(f"hub, {changed} changed in {name}", command, folder, folder, folder)


def anchor(name: str, python: Path, register: Path, folder: Path, model: Path | None = None) -> Run:
    """The anchor on the same register; model: a folder with one learnt before, so that none is learnt."""
    out = folder / "clusters.parquet", folder / "pairs.parquet"
    command = [str(python), str(Path(__file__).with_name("anchor.py")), "match", str(register)]
    command += ["--out", str(folder), *(["--model", str(model)] if model else [])]
    return _run(f"anchor, {name}", command, folder, *out)


def anchor_arrivals(
    name: str, python: Path, register: Path, folder: Path, model: Path, number: int
) -> Run:
    """The anchor, warm, when so many new records meet those of a register; told: `arrivals_seconds`."""
    command = [str(python), str(Path(__file__).with_name("anchor.py")), "arrivals", str(register)]
    command += ["--out", str(folder), "--model", str(model), "--number", str(number)]
    return _run(f"anchor, {number} new to {name}", command, folder, folder, folder)


def _run(name: str, command: list[str], folder: Path, clusters: Path, pairs: Path) -> Run:
    """Runs a command that prints one JSON object; an AssertionError carries its last words."""
    folder.mkdir(parents=True, exist_ok=True)
    cost = folder / "cost.json"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _MEASURING, str(cost), *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HUB_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert cost.is_file(), f"{name}: not started {done.stderr[-2000:]}"
    measured = json.loads(cost.read_text())
    assert measured["exit"] == 0, f"{name}: {measured['exit']} {done.stderr[-2000:]}"
    told = json.loads(done.stdout)
    return Run(
        name, measured["seconds"], measured["cpu_seconds"], measured["peak_mb"], clusters, pairs, told
    )  # fmt: skip
