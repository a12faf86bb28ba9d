"""A night that is killed at any of its boundaries, and run again, ends as one that nobody killed.

DESIGN 5 ("kill -9 at any instant … the next night repairs it, nothing is lost, nothing is told twice") and
PRIVACY §2.4. The night is the second one of the town: somebody moves, dies, marries, hands over a home, and
both recipients are told.
"""

import random
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.journeys.conftest import continued
from tests.journeys.crashing import (
    HALF_A_FILE,
    NO_MANIFEST,
    Aftermath,
    Attempt,
    Trial,
    answers_remembered,
    run_trials,
)

pytestmark = pytest.mark.journey

STEPS = (
    "ingest:dvv", "ingest:registrations", "standardise", "match", "consolidate",
    "extract:finance", "extract:own_register",
)  # fmt: skip
BOUNDARIES = (
    *(f"{step}:{moment}" for step in STEPS for moment in ("begin", "uncommitted", "committed")),
    *(
        f"deliver:{recipient}:{moment}"
        for recipient in ("finance", "own_register")
        for moment in ("sending", "published", "confirmed", "acknowledged")
    ),
    "close:written",
)
ANYWHERE = (*BOUNDARIES, HALF_A_FILE, NO_MANIFEST)
TWICE = [tuple(random.Random(seed).choices(ANYWHERE, k=2)) for seed in range(8)]  # noqa: S311 - a sample
FORGOTTEN = ("ingest:dvv:committed", "match:committed", "extract:finance:committed", HALF_A_FILE)
ON_POSTGRES = (
    "standardise:uncommitted", "consolidate:committed", "extract:finance:uncommitted",
    "deliver:finance:published", "close:written",
)  # fmt: skip

UNINTERRUPTED = "uninterrupted"
TWO_NIGHTS = "two nights"
REPLAYED = "replayed"


def again(name: str, *boundaries: str) -> tuple[str, tuple[Attempt, ...]]:
    """The second night killed at each of the boundaries in turn, then left to live."""
    first, *others = (*(Attempt(dies_at=b) for b in boundaries), Attempt())
    return name, (Attempt(first.dies_at, days=1), *others)


TRIALS = dict(
    [
        again(UNINTERRUPTED),
        (TWO_NIGHTS, (Attempt(days=1), Attempt(days=1))),
        (REPLAYED, (Attempt(days=1), Attempt())),
        *(again(boundary, boundary) for boundary in ANYWHERE),
        *(again(" ".join(pair), *pair) for pair in TWICE),
        *(
            (f"forgotten {boundary}", (Attempt(boundary, days=1), Attempt(days=1)))
            for boundary in FORGOTTEN
        ),
    ]
)


@pytest.fixture(scope="module")
def after(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Aftermath]:
    """What every trial left."""
    base = tmp_path_factory.mktemp("crashes")
    with answers_remembered():
        with continued(founded, base / "rehearsal") as living:
            living.next_night()
        trials = [Trial(name, founded, attempts) for name, attempts in TRIALS.items()]
        return run_trials(trials, base / "trials")


def is_as_if_nothing_had_happened(hurt: Aftermath, whole: Aftermath) -> None:
    assert hurt.differs_from(whole) == {}
    assert hurt.people == whole.people
    assert hurt.broken == (0, 0, 0)
    assert hurt.arrived == whole.arrived
    assert hurt.finance == whole.finance
    assert list(hurt.deliveries) == list(whole.deliveries)
    for delivery, kinds in hurt.deliveries.items():
        assert kinds.pop("attempt") >= 1
        assert kinds == {k: n for k, n in whole.deliveries[delivery].items() if k != "attempt"}
    assert hurt.endings[-1].status == whole.endings[-1].status


def test_every_boundary_of_a_night_is_tried(after: Mapping[str, Aftermath]) -> None:
    assert after[UNINTERRUPTED].endings[0].passed == BOUNDARIES


def test_the_night_that_is_killed_has_something_to_lose(after: Mapping[str, Aftermath]) -> None:
    whole = after[UNINTERRUPTED]
    assert {len(files) for files in whole.arrived.values()} == {4}
    assert whole.finance["accepted"] > len(whole.finance["ledger"])
    assert whole.broken == (0, 0, 0)


@pytest.mark.parametrize("boundary", ANYWHERE)
def test_a_night_killed_and_run_again_ends_as_one_nobody_killed(
    boundary: str, after: Mapping[str, Aftermath]
) -> None:
    hurt = after[boundary]
    assert [e.killed for e in hurt.endings] == [signal.SIGKILL, 0]
    is_as_if_nothing_had_happened(hurt, after[UNINTERRUPTED])


@pytest.mark.parametrize("pair", TWICE, ids=" ".join)
def test_a_night_killed_twice_ends_as_one_nobody_killed(
    pair: tuple[str, str], after: Mapping[str, Aftermath]
) -> None:
    """The second boundary need not come again: what was delivered is not delivered once more."""
    hurt = after[" ".join(pair)]
    assert hurt.endings[0].killed == signal.SIGKILL
    is_as_if_nothing_had_happened(hurt, after[UNINTERRUPTED])


def test_a_night_run_twice_ends_as_one_run_once(after: Mapping[str, Aftermath]) -> None:
    is_as_if_nothing_had_happened(after[REPLAYED], after[UNINTERRUPTED])
