"""A night that is killed at any of its boundaries, and run again, ends as one that nobody killed.

DESIGN 5 ("kill -9 at any instant … the next night repairs it, nothing is lost, nothing is told twice") and
PRIVACY §2.4. The night is the second one of the town: somebody moves, dies, marries, hands over a home, and
both recipients are told.
"""

import signal
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from pipelines.store.backup import backup, restore
from pipelines.store.engine import open_engine
from tests.journeys.conftest import continued
from tests.journeys.crashing import (
    HALF_A_FILE,
    NO_MANIFEST,
    Aftermath,
    Attempt,
    Trial,
    answers_remembered,
    run_trials,
    stage_of,
)

pytestmark = pytest.mark.journey

# What can run at once runs in the order of the names that Dagster's page has for it, here the Finnish ones.
RECIPIENTS = ("municipality", "own_register", "building_control", "finance")
# nobody is connected or leaves the network that day
TOLD = tuple(name for name in RECIPIENTS if name != "building_control")
STEPS = (
    *(
        f"ingest:{s}"
        for s in ("municipality", "registrations", "ryhti", "kuntagml", "dvv", "exemptions", "ytj")
    ),
    "standardise", "match", "consolidate", "propose",
    *(f"extract:{r}" for r in RECIPIENTS),
)  # fmt: skip
BOUNDARIES = (
    *(f"{step}:{moment}" for step in STEPS for moment in ("begin", "uncommitted", "committed")),
    *(
        f"deliver:{recipient}:{moment}"
        for recipient in TOLD
        for moment in (
            "sealed",
            "sending",
            "row 0 leaving",
            "published",
            "confirmed",
            "acknowledged",
        )
    ),
    "log:sealed",
    "log:shown",
    "close:written",
)
# Between the end of one step and the beginning of the next nothing is written: one death covers both.
SAME_AS_BEFORE = {
    b for a, b in pairwise(BOUNDARIES) if a.endswith(":committed") and b.endswith(":begin")
}
ANYWHERE = (*(b for b in BOUNDARIES if b not in SAME_AS_BEFORE), HALF_A_FILE, NO_MANIFEST)
# Beyond one of these, a night that was killed here before is killed once more: a crash on top of a crash,
# and the costly parts of a night are done once for all that come after.
MILESTONES = ("standardise:committed", "consolidate:committed", "extract:finance:committed")
FORGOTTEN = ("match:committed",)
DISK_FULL = ("landing", "close")
NEXT_DAY = (Attempt(days=1), Attempt())
ON_POSTGRES = (
    "standardise:uncommitted", "consolidate:committed", "extract:finance:uncommitted",
    "deliver:finance:published", "close:written",
)  # fmt: skip

UNINTERRUPTED, TWO_NIGHTS = "uninterrupted", "two nights"


@pytest.fixture(scope="module")
def after(
    founded: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Aftermath]]:
    """What every trial left."""
    base = tmp_path_factory.mktemp("crashes")
    # at its end the night's journal, smaller than the database, is written back into it
    room = {"landing": 65_536, "close": (founded / "home" / "hub.db").stat().st_size}
    trials = [
        Trial(UNINTERRUPTED, founded, (Attempt(days=1),)),
        Trial(TWO_NIGHTS, founded, (Attempt(days=1), Attempt(days=1))),
        *(
            Trial(f"forgotten {boundary}", founded, (Attempt(boundary, days=1), *NEXT_DAY))
            for boundary in FORGOTTEN
        ),
        *(
            Trial(f"disk full {when}", founded, (Attempt(days=1, fills_disk_at=size), Attempt()))
            for when, size in room.items()
        ),
    ]
    with answers_remembered():
        with continued(founded, base / "rehearsal") as living:
            living.next_night()
        trials += killings(founded, base / "dead")
        yield run_trials(trials, base / "trials")


def killings(founded: Path, base: Path) -> list[Trial]:
    """A trial for each boundary: killed there and run again, after a death at each milestone before it."""
    begin, days, trials = founded, 1, []
    for boundary in ANYWHERE:
        trials.append(Trial(boundary, begin, (Attempt(boundary, days), Attempt())))
        if boundary in MILESTONES:
            dead = Trial(boundary, begin, (Attempt(boundary, days),), is_kept=True)
            assert run_trials([dead], base)[boundary].endings[0].killed == signal.SIGKILL
            begin, days = stage_of(dead, base), 0
    return trials


def assert_as_if_nothing_had_happened(hurt: Aftermath, whole: Aftermath) -> None:
    """Same register, same books at finance, the same bytes sent once, everybody logged once."""
    assert hurt.differs_from(whole) == {}
    assert hurt.people == whole.people
    assert hurt.broken == []
    assert hurt.arrived == whole.arrived
    assert hurt.finance == whole.finance
    for kinds in hurt.deliveries.values():
        assert kinds["attempt"] >= 1
    assert [{**kinds, "attempt": 1} for kinds in hurt.deliveries.values()] == [
        {**kinds, "attempt": 1} for kinds in whole.deliveries.values()
    ]
    assert hurt.endings[-1].status == whole.endings[-1].status


def test_every_boundary_of_a_night_is_tried(after: Mapping[str, Aftermath]) -> None:
    assert after[UNINTERRUPTED].endings[0].passed == BOUNDARIES


def test_the_night_that_is_killed_has_something_to_lose(after: Mapping[str, Aftermath]) -> None:
    whole = after[UNINTERRUPTED]
    # of those told that day two deliveries and two manifests
    arrived = {name: len(files) for name, files in whole.arrived.items()}
    assert arrived == {"building_control": 2, **dict.fromkeys(TOLD, 4)}
    assert sorted(whole.finance["deliveries"].values()) == [1, 2]
    assert whole.finance["ended"]
    assert whole.broken == []


@pytest.mark.parametrize("boundary", ANYWHERE)
def test_a_night_killed_and_run_again_ends_as_one_nobody_killed(
    boundary: str, after: Mapping[str, Aftermath]
) -> None:
    hurt = after[boundary]
    assert [e.killed for e in hurt.endings] == [signal.SIGKILL, 0]
    assert_as_if_nothing_had_happened(hurt, after[UNINTERRUPTED])


@pytest.mark.parametrize("boundary", FORGOTTEN)
def test_a_killed_night_nobody_runs_again_is_made_good_by_the_next(
    boundary: str, after: Mapping[str, Aftermath]
) -> None:
    """What the own register got back a day late it shows a day late, and nothing else is different."""
    hurt, whole = after[f"forgotten {boundary}"], after[TWO_NIGHTS]
    assert hurt.endings[0].killed == signal.SIGKILL
    register = {"party", "role", "point", "party_record", "party_redirect", "held_row"}
    assert register.isdisjoint(hurt.differs_from(whole))
    assert hurt.finance["invoices"] == whole.finance["invoices"]
    assert hurt.finance["rejected"] == 0
    sequences = sorted(hurt.finance["deliveries"].values())
    assert sequences == list(range(1, len(sequences) + 1))
    assert hurt.broken == []


@pytest.mark.parametrize("when", DISK_FULL)
def test_a_night_without_room_on_the_disk_says_so_and_the_next_repairs_it(
    when: str, after: Mapping[str, Aftermath]
) -> None:
    hurt = after[f"disk full {when}"]
    assert hurt.endings[0].status == "failed"
    assert hurt.endings[0].failures
    for line in hurt.endings[0].failures:
        assert line.endswith("the disk can't be read or written"), line
    assert_as_if_nothing_had_happened(hurt, after[UNINTERRUPTED])


@pytest.mark.postgres
@pytest.mark.parametrize("boundary", ON_POSTGRES)
def test_a_night_killed_on_postgresql_ends_as_one_nobody_killed_on_sqlite(
    boundary: str,
    after: Mapping[str, Aftermath],
    founded: Path,
    empty_postgres_url: str,
    tmp_path: Path,
) -> None:
    lite = open_engine(f"sqlite:///{founded}/home/hub.db")
    backup(lite, founded / "home", tmp_path / "backup")
    lite.dispose()
    server = open_engine(empty_postgres_url)
    restore(server, tmp_path / "backup")
    server.dispose()
    attempts = (Attempt(boundary, days=1), Attempt())
    trial = Trial(boundary, founded, attempts, empty_postgres_url)
    hurt = run_trials([trial], tmp_path / "trials")[boundary]
    assert [e.killed for e in hurt.endings] == [signal.SIGKILL, 0]
    assert_as_if_nothing_had_happened(hurt, after[UNINTERRUPTED])
