"""What a night costs when a few records of many have changed.

Belongs here: the hub's and the anchor's seconds for that, on two sizes of register. Does not belong here:
matching a whole register (`bench_match`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.register import Files
from tests.benchmarks.runs import Run, anchor_arrivals
from tests.benchmarks.table import Row

CHANGED = 5000
GROUP = "delta"


@dataclass(frozen=True)
class Register:
    """A register by its size in words, its files, and the folder of the anchor's model of it, if any."""

    name: str
    records: int
    files: Files
    model: Path | None


def hub_seconds(register: Register, changed: int, folder: Path) -> float | None:
    """The seconds in which the hub takes up so many changed records of a register that it holds.

    None until the nightly step matches what changed only: fill this in with that step.
    """
    del register, changed, folder
    return None


def delta_rows(
    registers: Sequence[Register], python: Path | None, folder: Path
) -> tuple[list[Row], list[Run]]:
    """A row a register, and one on growth from the smaller to the larger; the anchor's runs."""
    rows, runs = [], []
    hub: list[float | None] = []
    warm: list[float | None] = []
    for register in registers:
        changed = min(CHANGED, register.records // 20)
        hub.append(hub_seconds(register, changed, folder / register.name / "hub"))
        warm.append(None)
        if python and register.model:
            run = anchor_arrivals(
                register.name, python, register.files.register,
                folder / register.name / "arrivals", register.model, changed,
            )  # fmt: skip
            warm[-1] = run.told["arrivals_seconds"]
            runs.append(run)
        on = f"{changed} against {register.name}"
        note = "" if hub[-1] else "the hub's nightly step is not measured yet"
        rows.append(Row(GROUP, "seconds", on, [hub[-1]], [warm[-1]], note))
        rows.append(Row(GROUP, "seconds ÷ the anchor's, warm", on, [_ratio(hub[-1], warm[-1])]))
    if len(registers) > 1:
        on = " → ".join(register.name for register in (registers[0], registers[-1]))
        grown = [_ratio(seconds[-1], seconds[0]) for seconds in (hub, warm)]
        rows.append(Row(GROUP, "seconds, times", on, grown[:1], grown[1:]))
    return rows, runs


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
