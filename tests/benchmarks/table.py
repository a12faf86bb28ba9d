"""One table of figures, each beside the anchor's and beside what is wanted of it.

Belongs here: what is wanted, whether it is met, laying a table out. Does not belong here: figures
themselves (`bench_match`, `delta`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

UNMEASURED = "–"


@dataclass(frozen=True)
class Wanted:
    """reach: what a figure has to reach; aim: what it should. least: more is better, else less is."""

    reach: float
    aim: float
    least: bool = False

    def met(self, figure: float) -> str:
        """In one word."""
        sign = -1 if self.least else 1
        for name, bound in (("aim", self.aim), ("reach", self.reach)):
            if sign * figure <= sign * bound:
                return name
        return "no"


SECONDS = "5 000 changed, seconds ÷ anchor's warm scoring"
GROWN = "the same when the register grows tenfold"

WANTED = {
    "leaked per million at the default setting": Wanted(100, 30),
    "recall at ≤ 100 leaked per million": Wanted(0.52, 0.65, least=True),
    "recall at ≤ 1000 leaked per million": Wanted(0.75, 0.82, least=True),
    "leaked per million at recall .80": Wanted(2000, 1000),
    "recall at precision ≥ .999": Wanted(0.70, 0.80, least=True),
    "recall with the queue decided": Wanted(0.88, 0.95, least=True),
    "pairs queued per 100 records": Wanted(15, 8),
    "candidate recall": Wanted(0.95, 0.97, least=True),
    "compared pairs per record": Wanted(2, 2),
    "pair growth exponent": Wanted(1.1, 1.05),
    "seconds ÷ the anchor's": Wanted(1 / 4, 1 / 8),
    "peak memory ÷ the anchor's": Wanted(1, 1 / 2),
    SECONDS: Wanted(1 / 2, 1 / 5),
    GROWN: Wanted(1.3, 1.1),
    "best F1": Wanted(0.995, 0.999, least=True),
}
"""By the name of the figure. The worst of several seeds is judged."""


@dataclass(frozen=True)
class Row:
    """A figure: of which group, measured on what, one value or one for each seed, and the anchor's.

    None in the place of a value: it could not be measured, and `note` says why. judged: what is wanted of the
    figure is wanted of it here.
    """

    group: str
    name: str
    on: str
    hub: Sequence[float | None]
    anchor: Sequence[float | None] = ()
    note: str = ""
    judged: bool = True


def table(rows: Sequence[Row]) -> str:
    """The rows under a headline, a group after the other in the order they first stand in."""
    groups = list(dict.fromkeys(row.group for row in rows))
    cells: list[tuple[str, ...]] = [("", "on", "hub", "anchor", "reach", "aim", "met", "")]
    for group in groups:
        cells.append((group.upper(), *[""] * 7))
        cells += [_cells(row) for row in rows if row.group == group]
    widths = [max(len(line[column]) for line in cells) for column in range(8)]
    lines = (
        "  ".join(
            cell.ljust(width) if column in (0, 1, 7) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )
    return "\n".join(lines)


def figures(values: Sequence[float | None]) -> str:
    """Values as people read them: shares with three digits behind the point, what is large with none."""
    return " / ".join(UNMEASURED if value is None else _figure(value) for value in values)


def _figure(value: float) -> str:
    if abs(value) >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.3f}" if abs(value) < 2 else f"{value:.1f}"


def _cells(row: Row) -> tuple[str, ...]:
    wanted = WANTED.get(row.name) if row.judged else None
    known = [value for value in row.hub if value is not None]
    met = reach = aim = ""
    if wanted:
        reach, aim = figures([wanted.reach]), figures([wanted.aim])
        worst = min(known) if known and wanted.least else max(known, default=None)
        met = UNMEASURED if worst is None else wanted.met(worst)
    return (
        f"  {row.name}", row.on, figures(row.hub) or UNMEASURED, figures(row.anchor) or UNMEASURED,
        reach, aim, met, row.note,
    )  # fmt: skip
