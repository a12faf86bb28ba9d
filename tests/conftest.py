"""What every test may rely on: which tests this machine can run, and an engine that is empty but for tables.

Belongs here: leaving out what needs a server or a browser, and saying so; in which order several processes
take the files; the two databases; golden files; the one hub that several folders look at. Does not belong
here: people and worlds (`canaries`, each folder's own conftest).
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from tests.canaries import LivedIn
    from tests.postgres import Kept

GOLDEN = Path(__file__).parent / "golden"
_NEEDS = {
    "postgres": ("HUB_TEST_POSTGRES_URL", "PostgreSQL"),
    "browser": ("HUB_TEST_CHROMIUM", "a browser"),
}
_left_out: dict[str, int] = {}

# Files that take longest, longest first: taken last, one of them would keep one process busy alone.
LONGEST = (
    "journeys/test_crashes.py", "steps/test_delivery_crashes.py", "minimality/test_minimality.py", "steps/test_notify.py", "LIVED_IN",
    "steps/test_netvisor_crashes.py", "journeys/test_refresh.py", "browser/test_launchpad.py",
    "journeys/test_cut_off.py", "journeys/test_ytj.py", "journeys/test_both_ways.py",
    "journeys/test_ryhti.py", "journeys/test_kuntagml.py", "journeys/test_netvisor.py", "journeys/test_three_registers.py",
    "journeys/test_delta_equals_full.py", "browser/test_refresh_job.py",
    "journeys/test_municipality.py", "journeys/test_the_town.py",
    "journeys/test_one_at_a_time.py", "journeys/test_bad_input.py", "journeys/test_backup.py",
    "journeys/test_protection.py", "journeys/test_decisions.py",
)  # fmt: skip
# Files that look at `lived_in`, which takes a minute to make: one process takes them all.
LIVED_IN = (
    "browser/test_dagster.py", "browser/test_desk.py", "browser/test_desk_accessible.py",
    "cli/test_deliver.py", "cli/test_disclosures.py", "cli/test_operate.py",
    "cli/test_quarantine.py", "cli/test_recall.py", "cli/test_steward.py", "leaks/test_canaries.py",
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden; the diff is the review"
    )
    parser.addoption(
        "--require", action="append", default=[], choices=sorted(_NEEDS),
        help="fail unless at least one test of this kind has passed",
    )  # fmt: skip


_passed: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed:
        _passed.update(kind for kind in _NEEDS if kind in report.keywords)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # one of several processes: the first one speaks
        session.config.workeroutput["left_out"] = _left_out
        return
    missing = [kind for kind in session.config.getoption("--require") if kind not in _passed]
    if missing and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        print(f"required, but none passed: {', '.join(missing)}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """`--dist loadfile`, with the longest files first and what looks at `lived_in` in one process."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LongestFirst(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid).removeprefix("tests/")
            return "LIVED_IN" if file in LIVED_IN else file

        def _assign_work_unit(self, node: Any) -> None:
            first = next((file for file in LONGEST if file in self.workqueue), None)
            if first is not None:
                self.workqueue.move_to_end(first, last=False)
            super()._assign_work_unit(node)

    return LongestFirst(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _left_out.update(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for marker, (variable, _) in _NEEDS.items():
        if os.environ.get(variable):
            continue
        unable = [item for item in items if item.get_closest_marker(marker)]
        if unable:
            _left_out[marker] = len(unable)
            config.hook.pytest_deselected(items=unable)
            items[:] = [item for item in items if not item.get_closest_marker(marker)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for marker, count in _left_out.items():
        variable, what = _NEEDS[marker]
        tests = "1 test" if count == 1 else f"{count} tests"
        terminalreporter.write_line(f"left out: {tests} that need {what} (set {variable})")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Holds a text against the file of that name in tests/golden."""

    def holds(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path.name}: --update-golden rewrites it"

    return holds


@pytest.fixture(scope="session")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> "LivedIn":
    """A hub with canaries in it after two nights; to be read only, or copied."""
    from tests.canaries import live

    return live(tmp_path_factory.mktemp("canaries"))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest) -> str:
    """Which database a test runs on."""
    kind: str = request.param
    return kind


@pytest.fixture
def empty_postgres_url() -> Iterator[str]:
    """A PostgreSQL database of the test's own with nothing in it; for tests marked `postgres`."""
    from tests.postgres import Database

    with Database() as url:
        yield url


@pytest.fixture
def empty_url(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A database of the test's own with nothing in it."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/empty/hub.db"
    url: str = request.getfixturevalue("empty_postgres_url")
    return url


@pytest.fixture
def engine(database: str, tmp_path: Path, request: pytest.FixtureRequest) -> "Iterator[Engine]":
    """A database of the test's own with the hub's tables, on SQLite and (marked) on PostgreSQL."""
    from pipelines.store.engine import open_engine

    if database == "sqlite":
        template: str = request.getfixturevalue("_sqlite_template")
        (tmp_path / "home").mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(template, tmp_path / "home" / "hub.db")
        opened = open_engine(f"sqlite:///{tmp_path}/home/hub.db")
        yield opened
        opened.dispose()
        return
    opened = open_engine(request.getfixturevalue("_swept_postgres"))
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> str:
    from pipelines.store import nights
    from pipelines.store.engine import migrate, open_engine

    path = tmp_path_factory.mktemp("template") / "hub.db"
    opened = open_engine(f"sqlite:///{path}")
    migrate(opened)
    nights.tidy(opened)
    opened.dispose()
    return str(path)


@pytest.fixture(scope="session")
def _postgresql_template() -> Iterator[str]:
    """The name of a migrated database that others are made of."""
    from pipelines.store.engine import migrate, open_engine
    from tests.postgres import Database

    with Database() as url:
        opened = open_engine(url)
        migrate(opened)
        opened.dispose()
        yield url.rsplit("/", 1)[-1]


@pytest.fixture(scope="session")
def _kept_postgres() -> "Iterator[Kept]":
    """A database of this process that every test in turn begins with: making one takes half a second."""
    from tests.postgres import Kept

    with Kept() as kept:
        yield kept


@pytest.fixture
def _swept_postgres(_kept_postgres: "Kept") -> str:
    return _kept_postgres.swept()
