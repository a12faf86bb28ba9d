"""Every death of a night, and every death of the night that recovers from it, held against a night without any.

Belongs here: which attempts make a matrix, and its counts. Does not belong here: one attempt, and what is wrong
after it (`dying`).
"""

import os
import pickle
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from tests.journeys.crashing import in_a_copy
from tests.steps.dying import (
    Attempt,
    Ending,
    Nights,
    Outsourcer,
    Stage,
    Stages,
    Whole,
    exposed,
    whole,
    wrong,
)

Chosen = Callable[[int, int], bool]
# what is lost today is looked for tomorrow
_MOST_NIGHTS = 3


@dataclass(frozen=True)
class Field:
    """Where nights die: on which database, and the stage they all begin from."""

    database: str
    nights: Nights
    stages: Stages
    first: Stage


@dataclass
class Matrix:
    """What was tried. faults: where it died first and then, and what was wrong."""

    database: str
    points: int = 0
    pairs: int = 0
    kills: int = 0
    nights: int = 0
    faults: list[tuple[str, str, list[str]]] = field(default_factory=list)

    @property
    def counts(self) -> str:
        return (
            f"{self.database}: {self.points} points, {self.pairs} pairs, {self.kills} kills, "
            f"{self.nights} nights, {len(self.faults)} faults"
        )


def no_pair(first: int, second: int) -> bool:
    return False


def every_pair(first: int, second: int) -> bool:
    return True


def a_sample(first: int, second: int) -> bool:
    """One pair in five, the same ones every time; each point is met by deaths of several others."""
    return (3 * first + second) % 5 == 0


def run_matrix(
    where: Field, attempt: Attempt, chosen: Chosen, *, stop_at_fault: bool = False
) -> Matrix:
    """Kill at each boundary, and then at each chosen one of the recovering night; on every processor.

    stop_at_fault: the first fault is enough, in the order of the boundaries.
    """
    must = _undisturbed(where, replace(attempt, mistake=None, lies=False))
    at_once = 1 if stop_at_fault else len(os.sched_getaffinity(0))
    place = where.stages.copy(where.first)
    base = place.folder

    def part(number: int) -> None:
        own = replace(where, stages=where.stages.apart(f"{base.name}-{number}"))
        done = _part(own, attempt, must, chosen, range(number, 10_000, at_once), stop_at_fault)
        own.stages.close()
        (base / f"part-{number}").write_bytes(pickle.dumps(done))

    workers = [in_a_copy(lambda n=n: part(n), base / f"worker-{n}") for n in range(at_once)]
    broken = [n for n, worker in enumerate(workers) if os.waitpid(worker, 0)[1]]
    assert not broken, (base / f"worker-{broken[0]}").read_text()[-4000:]
    parts = [pickle.loads((base / f"part-{n}").read_bytes()) for n in range(at_once)]  # noqa: S301
    found = Matrix(where.database)
    for one in parts:
        found.points += one.points
        found.pairs += one.pairs
        found.kills += one.kills
        found.nights += one.nights
        found.faults += one.faults
    where.stages.remove(place)
    return found


def _part(
    where: Field,
    attempt: Attempt,
    must: Whole,
    chosen: Chosen,
    firsts: Iterable[int],
    stop_at_fault: bool,
) -> Matrix:
    found = Matrix(where.database)
    for first in firsts:
        hurt = where.stages.copy(where.first)
        ending = _night(where, hurt, replace(attempt, dies_at=first), found)
        if ending.killed:
            found.points += 1
            _tried(where, hurt, attempt, must, found, ending.place, chosen, first)
        else:
            _recovered(where, hurt, attempt, must, found, "nowhere", "nowhere", ending)
        where.stages.remove(hurt)
        if not ending.killed or (stop_at_fault and found.faults):
            break
    return found


def _tried(
    where: Field,
    hurt: Stage,
    attempt: Attempt,
    must: Whole,
    found: Matrix,
    place: str,
    chosen: Chosen,
    first: int,
) -> None:
    if seen := exposed(hurt, must):
        found.faults.append((place, "", seen))
        return
    straight = where.stages.copy(hurt)
    ending = _night(where, straight, attempt, found)
    _recovered(where, straight, attempt, must, found, place, "", ending)
    where.stages.remove(straight)
    for second in range(len(ending.passed)):
        if not chosen(first, second):
            continue
        again = where.stages.copy(hurt)
        ending = _night(where, again, replace(attempt, dies_at=second), found)
        then = ending.place
        found.pairs += 1
        if seen := exposed(again, must):
            found.faults.append((place, then, seen))
        else:
            ending = _night(where, again, attempt, found)
            _recovered(where, again, attempt, must, found, place, then, ending)
        where.stages.remove(again)


def _recovered(
    where: Field,
    stage: Stage,
    attempt: Attempt,
    must: Whole,
    found: Matrix,
    place: str,
    then: str,
    ending: Ending,
) -> None:
    """A recipient that keeps its answers gives them in the end, and a last night takes them."""
    if not attempt.answers:
        ending = _night(where, stage, replace(attempt, answers=True), found)
    if lines := wrong(stage, must, ending):
        found.faults.append((place, then, lines))


def _night(where: Field, stage: Stage, attempt: Attempt, found: Matrix) -> Ending:
    """The recipient looks into its folder before every night, and after it."""
    owner = Outsourcer(stage.folder / "finance", attempt.takes_away)
    owner.come_by(attempt.answers)
    ending = where.nights.attempt(stage, attempt)
    owner.come_by(attempt.answers)
    found.nights += 1
    found.kills += ending.killed
    return ending


def _undisturbed(where: Field, attempt: Attempt) -> Whole:
    stage = where.stages.copy(where.first)
    for one in (attempt, *([replace(attempt, answers=True)] if not attempt.answers else [])):
        _night(where, stage, replace(one, dies_at=None), Matrix(where.database))
    must = whole(stage)
    where.stages.remove(stage)
    return must
