"""What a night costs when a few records of many have changed.

Belongs here: the hub's and the anchor's seconds for that, on two sizes of register. Does not belong here:
matching a whole register (`bench_match`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import runs
from tests.benchmarks.register import Files
from tests.benchmarks.runs import Run
from tests.benchmarks.table import GROWN, SECONDS, Row

CHANGED = 5000
GROUP = "delta"


@dataclass(frozen=True)
class Register:
    """A register by its size in words, its files, and the folder of the anchor's model of it, if any."""

    name: str
    records: int
    files: Files
    model: Path | None


def hub_run(register: Register, changed: int, folder: Path) -> Run:
    """The hub taking up so many changed records of a register that it keeps; told: see `kept`."""
    return runs.hub_night(register.name, register.files.records, folder, changed)


def delta_rows(
    registers: Sequence[Register], python: Path | None, folder: Path
) -> tuple[list[Row], list[Run]]:
    """Rows for each register, and one on growth from the smaller to the larger; the runs."""
    rows, done = [], []
    hub: list[float] = []
    warm: list[float | None] = []
    for register in registers:
        changed = min(CHANGED, register.records // 20)
        run = hub_run(register, changed, folder / register.name / "hub")
        done.append(run)
        hub.append(run.told["changed_seconds"])
        warm.append(None)
        if python and register.model:
            anchor = runs.anchor_arrivals(
                register.name, python, register.files.register,
                folder / register.name / "arrivals", register.model, changed,
            )  # fmt: skip
            warm[-1] = anchor.told["arrivals_seconds"]
            done.append(anchor)
        on = f"{changed} against {register.name}"
        note = f"{run.told['changed_cpu_seconds']:.1f} s of processor"
        first = run.told["first_seconds"], run.told["first_cpu_seconds"]
        rows += [
            Row(GROUP, "seconds", on, [hub[-1]], [warm[-1]], note),
            Row(GROUP, SECONDS, on, [_ratio(hub[-1], warm[-1])]),
            Row(GROUP, "seconds to match everybody first", register.name, [first[0]], (),
                f"{first[1]:.1f} s of processor"),
        ]  # fmt: skip
    if len(registers) > 1:
        on = " → ".join(register.name for register in (registers[0], registers[-1]))
        grown = [_ratio(seconds[-1], seconds[0]) for seconds in (hub, warm)]
        is_tenfold = registers[-1].records == 10 * registers[0].records
        rows.append(Row(GROUP, GROWN, on, grown[:1], grown[1:], judged=is_tenfold))
    return rows, done


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
