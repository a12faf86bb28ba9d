"""Dagster's own store, as the shipped `dagster.yaml` has it: what is told to it is found again, by everybody."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from pipelines.cli.operate import dagster_home
from pipelines.event_log import EventLog

ASSET = dg.AssetKey("close")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub's Dagster, configured as `hub night` and `hub ui` do."""
    for name in ("DAGSTER_HOME", "HUB_HOME", "DAGSTER_REDACT_USER_CODE_ERRORS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "yes")
    return dagster_home(tmp_path)


@dg.op
def told(context: dg.OpExecutionContext) -> None:
    context.log_event(dg.AssetMaterialization(ASSET, metadata={"n": 1}))


@dg.job(executor_def=dg.in_process_executor)
def night() -> None:
    told()


def test_two_nights_are_found_again_by_whoever_opens_the_store_anew(home: Path) -> None:
    runs = []
    for _ in range(2):
        with dg.DagsterInstance.get() as instance:
            assert isinstance(instance.event_log_storage, EventLog)
            runs.append(night.execute_in_process(instance=instance).run_id)
    with dg.DagsterInstance.get() as page:
        for run in runs:
            assert "ASSET_MATERIALIZATION" in {
                e.dagster_event.event_type_value for e in page.all_logs(run) if e.dagster_event
            }
        found = page.fetch_materializations(ASSET, limit=10).records
        assert [r.run_id for r in found] == list(reversed(runs))
        page.delete_run(runs[0])
        assert page.all_logs(runs[0]) == []
    assert {p.name for p in home.glob("**/*.db")} == {"event_log.db", "runs.db", "schedules.db"}


def test_a_night_goes_on_while_the_page_looks(home: Path) -> None:
    with dg.DagsterInstance.get() as instance, dg.DagsterInstance.get() as page:
        instance.all_asset_keys()

        def look(_: int) -> int:
            return len(page.get_runs()) + len(page.all_asset_keys())

        with ThreadPoolExecutor(4) as lookers:
            looked = lookers.map(look, range(40))
            assert night.execute_in_process(instance=instance).success
            assert sum(looked) >= 0


def test_statements_are_written_once_and_no_connection_stays_open(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        log = instance.event_log_storage
        assert isinstance(log, EventLog)
        night.execute_in_process(instance=instance)
        with log.index_connection() as one, log.run_connection("r") as other:
            assert one.engine is other.engine
        assert one.closed and other.closed
