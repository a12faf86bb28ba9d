"""A hub that is lost and restored goes on where it stood, on the same database or another.

The backup is made at a bad moment: finance has taken a delivery and not answered. Key and passwords are not
in it; whoever restores a hub brings them from elsewhere.
"""

import base64
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import delete, update

from pipelines import keys
from pipelines.cli import main
from pipelines.nightly import run_night
from pipelines.store import tables
from pipelines.store.engine import StoreError, open_engine, transaction
from tests.journeys.conftest import continued
from tests.journeys.crashing import (
    Aftermath,
    Attempt,
    Trial,
    contents,
    log_of,
    run_trials,
    vault_of,
)

pytestmark = pytest.mark.journey

TOMORROW = (Attempt(days=1),)


class Saved(NamedTuple):
    """original: a stage (home and town) in the evening of a bad night. backup: what was saved of it."""

    original: Path
    backup: Path
    next_night: Aftermath


@pytest.fixture(scope="module")
def saved(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    base = tmp_path_factory.mktemp("backup")
    with continued(founded, base / "original") as living:
        living.configure("recipients/finance.yml", acknowledgement={"wait_seconds": 0})
        living.town.fault("finance", "lost_acknowledgement", 1)
        outcome = living.next_night()
        assert outcome.status == "attention"
        assert "kuittausta" in outcome.letter
    home = base / "original" / "home"
    assert main(["--home", str(home), "backup", str(base / "backup")], {}) == 0
    trial = Trial("original", base / "original", TOMORROW)
    return Saved(base / "original", base / "backup", run_trials([trial], base / "t")["original"])


def restored(
    saved: Saved, stage: Path, environ: Mapping[str, str], *, with_key: bool = True
) -> Path:
    """A new home from the backup, with its configuration; key and passwords brought from elsewhere."""
    home = stage / "home"
    shutil.copytree(saved.original / "town", stage / "town")
    shutil.copytree(saved.backup / "config", home / "config")
    shutil.copytree(saved.original / "home" / "secrets", home / "secrets")
    if with_key:
        shutil.copytree(saved.original / "home" / "keys", home / "keys")
    assert main(["--home", str(home), "restore", str(saved.backup)], environ) == 0
    return home


@pytest.fixture
def where(database: str, request: pytest.FixtureRequest) -> dict[str, str]:
    """The environment that names the database to restore into; empty for SQLite in the new home."""
    if database == "sqlite":
        return {}
    return {"HUB_DATABASE_URL": request.getfixturevalue("empty_postgres_url")}


def test_a_restored_hub_holds_the_same_and_its_next_night_is_the_same(
    saved: Saved, where: dict[str, str], tmp_path: Path
) -> None:
    home = restored(saved, tmp_path / "stage", where)
    before, after = (
        open_engine(url)
        for url in (
            f"sqlite:///{saved.original}/home/hub.db",
            where.get("HUB_DATABASE_URL") or f"sqlite:///{home}/hub.db",
        )
    )
    assert contents(after, and_history=True) == contents(before, and_history=True)
    vault = vault_of(home)
    assert log_of(after, vault) == log_of(before, vault)
    before.dispose()
    after.dispose()

    trial = Trial("restored", tmp_path / "stage", TOMORROW, where.get("HUB_DATABASE_URL"))
    went = run_trials([trial], tmp_path / "t")["restored"]
    assert went.differs_from(saved.next_night) == {}
    assert went.people == saved.next_night.people
    assert went.deliveries == saved.next_night.deliveries
    assert went.broken == []
    assert went.arrived == saved.next_night.arrived
    assert went.finance == saved.next_night.finance
    assert sorted(went.finance["deliveries"].values()) == [1, 2, 3]


def test_a_restored_log_can_only_be_added_to(
    saved: Saved, where: dict[str, str], tmp_path: Path
) -> None:
    home = restored(saved, tmp_path / "stage", where)
    engine = open_engine(where.get("HUB_DATABASE_URL") or f"sqlite:///{home}/hub.db")
    leaves = tables.disclosure_leaf
    for attack in (
        update(leaves).where(leaves.c.leaf_no == 0).values(leaf="{}"),
        delete(leaves).where(leaves.c.leaf_no == 0),
    ):
        with pytest.raises(StoreError, match="only ever added"), transaction(engine) as conn:
            conn.execute(attack)
    engine.dispose()


def test_a_backup_holds_neither_key_nor_password(saved: Saved) -> None:
    home = saved.original / "home"
    secret = [p.read_bytes().strip() for p in (home / "secrets").iterdir()]
    written = (home / keys.KEY_FILE).read_bytes().strip()
    key = base64.b64decode(written)
    secret += [written, key, key.hex().encode()]
    assert len(secret) >= 5
    for path in saved.backup.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [s for s in secret if s in content], path.name
    assert [p.name for p in saved.backup.iterdir() if p.is_dir()] == ["config"]


def test_a_hub_restored_without_its_key_refuses_to_go_on(saved: Saved, tmp_path: Path) -> None:
    """DESIGN 2: with another key every person would be somebody new."""
    home = restored(saved, tmp_path / "stage", {}, with_key=False)
    keys.init(home)
    engine = open_engine(f"sqlite:///{home}/hub.db")
    held = contents(engine)
    outcome = run_night(home, "2026-11-04")
    assert outcome.status == "failed"
    assert "put the old key back" in " ".join(line for _, line in outcome.failures)
    assert contents(engine) == held
    engine.dispose()


def test_a_backup_is_not_restored_over_a_hub_that_lives(
    saved: Saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(saved.original / "home", tmp_path / "home")
    engine = open_engine(f"sqlite:///{tmp_path}/home/hub.db")
    held, log = contents(engine, and_history=True), log_of(engine, vault_of(tmp_path / "home"))
    capsys.readouterr()
    assert main(["--home", str(tmp_path / "home"), "restore", str(saved.backup)], {}) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("a backup is restored into an empty database\n")
    assert len(told.err.splitlines()) == 1
    assert (contents(engine, and_history=True), log_of(engine, vault_of(tmp_path / "home"))) == (
        held,
        log,
    )
    engine.dispose()
