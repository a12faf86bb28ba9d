"""A hub that has lived through two nights, and the command line over it.

Belongs here: running a command in this process over a copy. Does not belong here: the people in it
(`tests.canaries`).
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipelines.cli import main
from tests.canaries import LivedIn, Planted

MORNING = datetime(2026, 11, 4, 7, tzinfo=UTC)
CLERK = {"HUB_USER": "anna.asiakas"}


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Desk:
    """A clerk at the command line of one hub."""

    home: Path
    planted: Planted
    capture: pytest.CaptureFixture[str]
    now: datetime = MORNING

    def __call__(self, *arguments: str, environ: Mapping[str, str] = CLERK) -> Answer:
        self.capture.readouterr()
        code = main(["--home", str(self.home), *arguments], environ, lambda: self.now)
        told = self.capture.readouterr()
        return Answer(code, told.out, told.err)


def copied(lived_in: LivedIn, home: Path) -> Path:
    """A copy of the hub without what Dagster keeps."""
    shutil.copytree(lived_in.home, home, ignore=shutil.ignore_patterns("dagster"))
    return home


@pytest.fixture(scope="module")
def module_home(lived_in: LivedIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied(lived_in, tmp_path_factory.mktemp("desk") / "hub")


@pytest.fixture
def desk(module_home: Path, lived_in: LivedIn, capsys: pytest.CaptureFixture[str]) -> Desk:
    """The module's hub; a test leaves the register and quarantine as they are."""
    return Desk(module_home, lived_in.planted, capsys)


@pytest.fixture
def own_desk(lived_in: LivedIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    """A hub of the test's own."""
    return Desk(copied(lived_in, tmp_path / "hub"), lived_in.planted, capsys)
