"""A delivery that is killed anywhere, and again while it recovers, is told once and stands in the log.

PRIVACY §2.4, DESIGN 5. The steps from what there is to tell to the night's letter, over a register of a dozen
made-up customers and a folder the recipient looks into. Pairs of deaths are a sample that is the same every time, on
SQLite alone, and what is the same on any database is tried there; `HUB_TEST_CRASHES=all` tries all of it on both and
every pair of boundaries, `HUB_TEST_CRASHES=deep` every pair of boundaries and transactions. With `-s` each matrix prints
what it counted.
"""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipelines.store import deliveries
from pipelines.store.engine import reading
from tests.steps.dying import (
    FINANCE,
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
from tests.steps.matrix import Field, a_sample, every_pair, no_pair, run_matrix
from tests.steps.mistaken import MISTAKES

ASKED = os.environ.get("HUB_TEST_CRASHES", "")
PAIRS = every_pair if ASKED in ("all", "deep") else a_sample
BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
ON_ANY = pytest.mark.parametrize("field", BOTH if ASKED else ["sqlite"], indirect=True)


@pytest.fixture(scope="module", params=BOTH)
def field(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Field]:
    """A hub that has told everybody once, with a day's changes to tell, on either database."""
    base = tmp_path_factory.mktemp("dying")
    server = None if request.param == "sqlite" else os.environ["HUB_TEST_POSTGRES_URL"]
    stages = Stages(base / "stages", server)
    first = stages.first(request.getfixturevalue(f"_{request.param}_template"))
    nights = Nights.read(base)
    nights.begin(first)
    yield Field(request.param, nights, stages, first)
    stages.remove(first)
    stages.close()


def undisturbed(field: Field) -> tuple[Whole, tuple[str, ...]]:
    """What the night leaves that nobody disturbs, and the boundaries it comes by."""
    stage = field.stages.copy(field.first)
    ending = field.nights.attempt(stage, Attempt())
    must = whole(stage)
    field.stages.remove(stage)
    return must, ending.passed


def test_killed_anywhere_and_again_while_it_recovers_a_delivery_is_told_once(field: Field) -> None:
    """The recipient leaves what it has read where it was, and answers at once."""
    attempt = Attempt(deep=ASKED == "deep")
    pairs = PAIRS if ASKED or field.database == "sqlite" else no_pair
    matrix = run_matrix(field, attempt, pairs)
    print(f"\n{matrix.counts}")
    assert matrix.faults == []
    assert matrix.points >= 11
    assert matrix.kills > matrix.points or pairs is no_pair


@ON_ANY
def test_killed_at_the_end_of_any_transaction_a_delivery_is_told_once(field: Field) -> None:
    matrix = run_matrix(field, Attempt(deep=True), no_pair)
    print(f"\n{matrix.counts}")
    assert matrix.faults == []
    assert matrix.points > 25


@ON_ANY
@pytest.mark.parametrize("answers", [True, False], ids=["answers", "loses its answer"])
def test_killed_anywhere_a_delivery_that_is_taken_away_at_once_is_told_once(
    field: Field, answers: bool
) -> None:
    """Nothing stands there any more when the hub asks; an answer that was lost comes a night later."""
    pairs = every_pair if ASKED else no_pair
    matrix = run_matrix(field, Attempt(takes_away=True, answers=answers), pairs)
    print(f"\n{matrix.counts}")
    assert matrix.faults == []


@ON_ANY
def test_what_was_taken_away_and_never_answered_waits_for_a_person_and_is_not_sent_again(
    field: Field,
) -> None:
    stage = field.stages.copy(field.first)
    silent = Attempt(takes_away=True, answers=False)
    published = field.nights.attempt(stage, silent).passed.index("deliver:finance:published")
    field.stages.remove(stage)
    stage = field.stages.copy(field.first)
    field.nights.attempt(stage, Attempt(dies_at=published, takes_away=True, answers=False))
    for _ in range(2):
        ending = field.nights.attempt(stage, silent)
        assert ending.status == "failed"
        assert "was there, is gone, and has no answer yet" in ending.said[1]
    with stage.opened() as engine, reading(engine) as conn:
        (waiting,) = deliveries.outstanding(conn, FINANCE)
    assert waiting.state == "uncertain"
    assert [sequence for sequence, _, _ in Outsourcer(stage.folder / "finance").booked()] == [1, 2]
    field.stages.remove(stage)


@ON_ANY
def test_a_recipient_that_keeps_half_and_says_all_is_well_counts_as_uncertain(field: Field) -> None:
    must, _ = undisturbed(field)
    stage = field.stages.copy(field.first)
    for _ in range(2):
        assert field.nights.attempt(stage, Attempt(lies=True)).status == "failed"
    with stage.opened() as engine, reading(engine) as conn:
        (waiting,) = deliveries.outstanding(conn, FINANCE)
    assert waiting.state == "uncertain"
    assert exposed(stage, must) == []
    field.stages.remove(stage)


@ON_ANY
@pytest.mark.parametrize("name", MISTAKES)
def test_a_hub_that_is_built_wrongly_is_found_out(field: Field, name: str) -> None:
    """The matrix is worth what it finds: one mistake each, and the death that shows it."""
    made = MISTAKES[name]
    attempt = replace(made.attempt, mistake=made.mistake)
    matrix = run_matrix(field, attempt, no_pair, stop_at_fault=True)
    assert matrix.faults, name
    first, then, lines = matrix.faults[0]
    print(f"\n{field.database}: {name}: killed at {first}, {then or 'then whole'}: {lines[0]}")


# --- two hubs -------------------------------------------------------------------------------------------


def beside(field: Field, stage: Stage, at: int, *, locked: bool) -> tuple[Ending, Ending]:
    """One hub stands still at a boundary while another runs the same night; then it goes on."""
    one, number = field.nights.started(stage, Attempt(stops_at=at, locked=locked))
    assert os.WIFSTOPPED(os.waitpid(one, os.WUNTRACED)[1])
    other, next_number = field.nights.started(stage, Attempt(locked=locked))
    # within a transaction the other one has to wait for it
    deadline = time.monotonic() + 2
    while os.waitid(os.P_PID, other, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            break
        time.sleep(0.01)
    os.kill(one, signal.SIGCONT)
    return field.nights.ended(stage, one, number), field.nights.ended(stage, other, next_number)


@pytest.mark.parametrize(
    "locked", [True, False], ids=["under the run lock", "without the run lock"]
)
def test_two_hubs_at_once_tell_a_delivery_once(field: Field, locked: bool) -> None:
    """Under the lock the second does nothing; should the lock be lost, the night after is as it must be."""
    must, points = undisturbed(field)
    faults = []
    for at, place in enumerate(points):
        stage = field.stages.copy(field.first)
        first, second = beside(field, stage, at, locked=locked)
        if locked:
            assert (first.status, second.status) == ("ok", "already running")
        else:
            first = field.nights.attempt(stage, Attempt())
        if lines := wrong(stage, must, first):
            faults.append((place, lines, second))
        field.stages.remove(stage)
    print(f"\n{field.database}: two hubs at {len(points)} points, {len(faults)} faults")
    assert faults == []


# --- no room --------------------------------------------------------------------------------------------


def without_room(
    field: Field, attempts: Iterator[Attempt], enough: int
) -> tuple[int, list[object]]:
    """A night for each attempt, and one with room after it: how many ended red, and what was wrong."""
    must, _ = undisturbed(field)
    red, faults, fine = 0, list[object](), 0
    for attempt in attempts:
        stage = field.stages.copy(field.first)
        short = field.nights.attempt(stage, attempt)
        if short.status in ("failed", "broken off"):
            red, fine = red + 1, 0
            said = " ".join(short.said)
            if "Error:" in said.replace("StoreError:", "") or not said.strip():
                faults.append((attempt, said))
        else:
            fine += 1
        ending = field.nights.attempt(stage, Attempt())
        if lines := wrong(stage, must, ending):
            faults.append((attempt, short, lines))
        field.stages.remove(stage)
        if fine >= enough:
            break
    return red, faults


@pytest.mark.parametrize("field", ["sqlite"], indirect=True)
def test_a_database_that_may_not_grow_refuses_clearly_and_the_next_night_repairs_it(
    field: Field,
) -> None:
    red, faults = without_room(field, (Attempt(pages=n) for n in range(40)), enough=2)
    print(f"\n{field.database}: {red} nights without room for another page")
    assert faults == []
    assert red > 1


@pytest.mark.parametrize("field", ["sqlite"], indirect=True)
def test_a_disk_that_fills_at_any_write_ends_the_night_red_and_the_next_repairs_it(
    field: Field,
) -> None:
    """The journal of the database grows by a page with every write."""
    step = 4_120 if ASKED else 8 * 4_120
    sizes = range(32_768 + 4_120, 2_000_000, step)
    red, faults = without_room(field, (Attempt(room=size) for size in sizes), enough=3)
    print(f"\n{field.database}: {red} nights on a full disk")
    assert faults == []
    assert red > 5


def test_a_recipient_whose_disk_is_full_is_told_the_next_night(field: Field) -> None:
    """At the first byte, within the data, and where its manifest has no room any more."""
    red, faults = without_room(
        field, (Attempt(inbox_room=size) for size in (0, 1, 300, 600, 900, 1200, 5000)), enough=7
    )
    print(f"\n{field.database}: {red} nights on a recipient's full disk")
    assert faults == []
    assert red >= 2
