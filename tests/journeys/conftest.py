"""A small town and a hub that has had its first night in it; each journey goes on from a copy.

Belongs here: founding once, copying, starting and stopping. Does not belong here: what a journey does with
them (`living`).
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.sandbox.town import Town, start
from pipelines import keys
from pipelines.cli.town import Finance
from pipelines.nightly import Outcome
from pipelines.settings import load_settings
from pipelines.store.engine import migrate, open_engine
from tests.journeys.living import CUSTOMERS, SEED, Living


@pytest.fixture(scope="session")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a town and the hub's home beside it, after a first good night."""
    return found(tmp_path_factory.mktemp("founded"), "sftp")


def found(
    base: Path, finance: Finance, prepare: Callable[[Living], None] = lambda living: None
) -> Path:
    """Found a town and a hub in `base`, and let them have a first good night. prepare: called before it."""
    with start(base / "town", CUSTOMERS, SEED) as town:
        living = Living(base / "home", town, finance)
        prepare(living)
        settings = load_settings(living.home, os.environ)
        keys.init(living.home, settings.hub.key_file)
        engine = open_engine(settings.hub.database_url)
        migrate(engine)
        engine.dispose()
        outcome = living.night()
        assert outcome.status != "failed", outcome.failures
    return base


@contextmanager
def continued(
    founded: Path,
    base: Path,
    finance: Finance = "sftp",
    *,
    asks_company: bool = False,
    deals: bool = False,
) -> Iterator[Living]:
    """A copy of the founded town and hub, running, on the day of the first night (`Living`)."""
    shutil.copytree(founded, base, dirs_exist_ok=True)
    with start(base / "town", CUSTOMERS, SEED) as town:
        yield Living(base / "home", town, finance, asks_company=asks_company, deals=deals)


@pytest.fixture
def hub(founded: Path, tmp_path: Path) -> Iterator[Living]:
    """A hub and its town on the day of the first good night; the test's own."""
    with continued(founded, tmp_path / "living") as living:
        yield living


@pytest.fixture
def town(hub: Living) -> Town:
    """The town of `hub`."""
    return hub.town


@pytest.fixture
def night(hub: Living) -> Callable[..., Outcome]:
    """Runs tonight's night of `hub`."""
    return hub.night
