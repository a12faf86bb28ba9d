"""One writer at a time (DESIGN 14): whoever comes second says so and does nothing; the dead hold nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pytest

from pipelines.build import NIGHTLY, build_defs
from pipelines.house import House, open_house
from pipelines.nightly import run_night
from pipelines.settings import load_settings
from pipelines.store.backup import backup, restore
from pipelines.store.engine import open_engine
from tests.journeys.crashing import contents, in_a_copy, log_of
from tests.journeys.living import Living

pytestmark = pytest.mark.journey


class Place(NamedTuple):
    """A founded hub on one of the databases, on a new day."""

    living: Living
    environ: Mapping[str, str]

    @property
    def home(self) -> Path:
        return self.living.home

    def open(self) -> House:
        return open_house(self.home, self.environ)

    def everything(self) -> tuple[dict[str, list[str]], list[str]]:
        """Every row of every table, history and logs too, and every file but those of locks and databases."""
        house = self.open()
        held = contents(house.engine, and_history=True)
        house.close()
        files = [p for p in self.home.rglob("*") if p.is_file() and p.parent.name != "dagster"]
        return held, sorted(str(p) for p in files if not p.name.startswith(("hub.db", "lock")))

    @contextmanager
    def held_by_another(self) -> Iterator[int]:
        """Another process holds the run lock; its id."""
        ready = self.home / "held"

        def hold() -> None:
            assert self.open().lock.acquire()
            ready.touch()
            time.sleep(600)

        other = in_a_copy(hold, self.home.parent / "holder.log")
        try:
            while not ready.exists():
                assert os.waitpid(other, os.WNOHANG) == (0, 0)
                time.sleep(0.01)
            ready.unlink()
            yield other
        finally:
            os.kill(other, signal.SIGKILL)
            os.waitpid(other, 0)


@pytest.fixture
def place(
    hub: Living,
    database: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    hub.town.advance()
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    environ = dict(os.environ)
    if database == "postgresql":
        environ["HUB_DATABASE_URL"] = request.getfixturevalue("empty_postgres_url")
        lite, server = (
            open_engine(url)
            for url in (f"sqlite:///{hub.home}/hub.db", environ["HUB_DATABASE_URL"])
        )
        backup(lite, hub.home, tmp_path / "moved")
        restore(server, tmp_path / "moved")
        lite.dispose()
        server.dispose()
    return Place(hub, environ)


def test_a_night_beside_another_says_who_is_at_it_and_ends_well(place: Place) -> None:
    before = place.everything()
    command = [sys.executable, "-m", "pipelines.cli", "--home", str(place.home), "night"]
    with place.held_by_another() as other:
        done = subprocess.run(
            [*command, "--date", place.living.town.today],
            env=place.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"already running: process {other} on ")
    assert place.everything() == before


def test_a_dagster_run_beside_another_succeeds_and_materialises_nothing(place: Place) -> None:
    before = place.everything()
    settings = load_settings(place.home, place.environ)
    job = build_defs(
        place.home, settings, opener=place.open, business_date=place.living.town.today
    ).resolve_job_def(NIGHTLY)
    with place.held_by_another(), dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert result.success
    assert [e for e in result.all_events if e.is_step_materialization] == []
    assert place.everything() == before


def test_a_night_that_is_overtaken_while_it_starts_is_not_a_failure(place: Place) -> None:
    """The lock is looked at before the run is put together, and taken when it starts."""
    before = place.everything()
    openings = 0

    def opener() -> House:
        nonlocal openings
        openings += 1
        if openings == 2:
            overtaken.enter_context(place.held_by_another())
        return place.open()

    with ExitStack() as overtaken:
        outcome = run_night(place.home, place.living.town.today, opener=opener)
    assert (outcome.status, outcome.failures) == ("ok", ())
    assert (outcome.already_running or "").startswith("process ")
    assert place.everything() == before


def test_what_a_killed_process_held_is_free(place: Place) -> None:
    with place.held_by_another() as other:
        assert run_night(place.home, place.living.town.today, opener=place.open).already_running
        os.kill(other, signal.SIGKILL)
        house = place.open()
        assert house.lock.acquire(wait_seconds=10)
        assert "process" in house.lock.holder()
        house.close()
    outcome = run_night(place.home, place.living.town.today, opener=place.open)
    assert outcome.already_running is None
    assert outcome.status == "attention"
    assert place.living.town.finance()["deliveries"]


def test_the_same_night_again_delivers_nothing_and_changes_nothing(place: Place) -> None:
    """What `hub night --date D` does when it is given twice."""
    living = place.living

    def night() -> tuple[dict[str, Mapping[str, int]], object]:
        outcome = run_night(place.home, living.town.today, opener=place.open)
        assert outcome.status == "attention"
        house = place.open()
        held = contents(house.engine), log_of(house.engine, house.log_keys.vault)
        house.close()
        left = held, living.town.finance(), living.inbox(), living.inbox("own_register")
        return {step.name: step.counts for step in outcome.steps}, left

    first, left = night()
    second, left_again = night()
    for step in ("extract:finance", "extract:own_register"):
        assert first[step]["pending"] > 0
        assert second[step]["pending"] == 0
    assert left_again == left
