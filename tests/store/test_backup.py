"""A backup is everything but keys, and comes back whole on either database."""

import json
import stat
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import Engine, insert, select

from pipelines.domain.disclosure import leaf
from pipelines.domain.schemas import PARTIES
from pipelines.store import access, disclosures, frames, judgements, nights, tables
from pipelines.store.backup import backup, restore
from pipelines.store.engine import StoreError, migrate, open_engine, reading, transaction
from pipelines.store.vault import Vault
from tests.store.test_disclosures import altered

NOW = "2026-11-02T00:30:00Z"
VAULT = Vault(bytes(32))


@pytest.fixture
def filled(engine: Engine) -> Engine:
    """A hub with a row of every kind of column."""
    _fill(engine)
    return engine


def _fill(engine: Engine) -> None:
    party = {
        "source": "own", "source_key": "1", "family_name": "Åström\n", "is_deceased": False,
        "superseded_person_keys": ["x"], "field_times": {},
    }  # fmt: skip
    with transaction(engine) as conn:
        nights.begin_step(conn, "match", "2026-11-02", NOW)
        frames.put(conn, PARTIES, PARTIES.frame([party]), 1)
        disclosures.append_leaves(conn, [leaf("lookup_call", to="dvv", n=1)] * 3, NOW)
        people = pd.DataFrame({"subject_key": ["t1"], "fields": [["identity_code"]]})
        terms = {"to": "dvv", "purpose": "p", "basis": "b", "ground": "g", "operation": "o"}
        disclosures.disclose(conn, VAULT, "lookup", people, terms, NOW)
        access.record(conn, NOW, "anna", "customer_show", 1)
        judgements.record(
            conn, ("a", "1"), ("b", "2"), "same", by="anna", reason="r", now=NOW, step_run=1
        )
        nights.next_id(conn, "party", 5)


def content(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    with reading(engine) as conn:
        return {
            table.name: [
                tuple(row) for row in conn.execute(select(table).order_by(*table.primary_key))
            ]
            for table in tables.metadata.sorted_tables
        }


def test_a_restored_hub_holds_the_same_and_goes_on_where_it_stood(
    filled: Engine, tmp_path: Path, empty_url: str
) -> None:
    counts = backup(filled, tmp_path, tmp_path / "copy")
    assert counts["disclosure_leaf"] == 4 and counts["standard_party"] == 1
    other = open_engine(empty_url)
    assert restore(other, tmp_path / "copy") == counts
    assert content(other) == content(filled)
    with transaction(other) as conn:
        assert nights.begin_step(conn, "match", "2026-11-03", NOW) == 2
        assert nights.next_id(conn, "party", 1) == 6
        assert disclosures.append_leaves(conn, [leaf("lookup_call", n=1)], NOW) == 4
        access.record(conn, NOW, "anna", "customer_show", 1)
    with pytest.raises(StoreError, match="only ever added"), transaction(other) as conn:
        conn.execute(tables.disclosure_leaf.delete())
    other.dispose()


@pytest.mark.postgres
def test_a_hub_grows_from_sqlite_into_postgresql_and_back(
    tmp_path: Path, empty_postgres_url: str
) -> None:
    urls = (f"sqlite:///{tmp_path}/a.db", empty_postgres_url, f"sqlite:///{tmp_path}/b.db")
    small, large, again = map(open_engine, urls)
    migrate(small)
    _fill(small)
    for number, (one, other) in enumerate(((small, large), (large, again))):
        backup(one, tmp_path, tmp_path / f"copy{number}")
        restore(other, tmp_path / f"copy{number}")
    assert content(small) == content(large) == content(again)
    for opened in (small, large, again):
        opened.dispose()


def test_nothing_secret_goes_along_and_nobody_else_can_read_it(
    filled: Engine, tmp_path: Path
) -> None:
    home = tmp_path / "hub"
    (home / "config" / "sources").mkdir(parents=True)
    (home / "config" / "sources" / "dvv.yml").write_text("connector: dvv\n")
    (home / "config" / "person.key").write_text("secret")
    (home / "keys").mkdir()
    (home / "keys" / "person.yml").write_text("secret")
    backup(filled, home, tmp_path / "copy")
    files = [file for file in (tmp_path / "copy").rglob("*") if file.is_file()]
    assert {
        str(f.relative_to(tmp_path / "copy" / "config")) for f in files if "config" in f.parts
    } == {"sources/dvv.yml"}
    assert not any(b"secret" in file.read_bytes() for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o700


def test_a_backup_whose_seeds_were_destroyed_is_restored_and_tells_of_nobody(
    filled: Engine, tmp_path: Path
) -> None:
    """PRIVACY §2.6: seeds stand in a file of their own, so that they can be kept shorter."""
    backup(filled, tmp_path, tmp_path / "copy")
    (tmp_path / "copy" / "disclosure_seed.jsonl").unlink()
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    restore(other, tmp_path / "copy")
    with reading(other) as conn:
        assert disclosures.detail_count(conn) == 1
        assert len(altered(conn, VAULT)) == 1
    with reading(filled) as conn:
        assert len(altered(conn, VAULT)) == 0
    other.dispose()


def test_a_backup_never_replaces_one(filled: Engine, tmp_path: Path) -> None:
    backup(filled, tmp_path, tmp_path / "copy")
    with pytest.raises(StoreError, match="never replaces"):
        backup(filled, tmp_path, tmp_path / "copy")


def test_a_backup_is_not_restored_over_a_living_hub(filled: Engine, tmp_path: Path) -> None:
    backup(filled, tmp_path, tmp_path / "copy")
    before = content(filled)
    with pytest.raises(StoreError, match="empty database"):
        restore(filled, tmp_path / "copy")
    assert content(filled) == before


def test_a_file_changed_since_is_not_restored(filled: Engine, tmp_path: Path) -> None:
    backup(filled, tmp_path, tmp_path / "copy")
    (tmp_path / "copy" / "access_log.jsonl").write_text("")
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(StoreError, match=r"access_log\.jsonl"):
        restore(other, tmp_path / "copy")
    assert not (tmp_path / "other.db").exists()
    with pytest.raises(StoreError, match="holds no backup"):
        restore(other, tmp_path)


def test_a_log_with_a_gap_is_not_restored(engine: Engine, tmp_path: Path) -> None:
    with transaction(engine) as conn:
        conn.execute(insert(tables.disclosure_leaf).values(leaf_no=1, leaf="{}", at=NOW))
    backup(engine, tmp_path, tmp_path / "copy")
    other = open_engine(f"sqlite:///{tmp_path}/other.db")
    with pytest.raises(StoreError, match="gaps"):
        restore(other, tmp_path / "copy")
    with reading(other) as conn:
        assert conn.execute(select(tables.disclosure_leaf)).all() == []
    other.dispose()


def test_a_broken_off_backup_does_not_bear_the_name(filled: Engine, tmp_path: Path) -> None:
    (tmp_path / "copy.part").mkdir()
    (tmp_path / "copy.part" / "rest.jsonl").write_text("half")
    backup(filled, tmp_path, tmp_path / "copy")
    assert not (tmp_path / "copy" / "rest.jsonl").exists()
    assert json.loads((tmp_path / "copy" / "manifest.json").read_text())["revision"]
