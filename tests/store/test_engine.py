"""Opening a database, transactions, and errors that quote nobody."""

import stat
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, text

from pipelines.store import tables
from pipelines.store.engine import (
    OldSchema,
    StoreError,
    migrate,
    open_engine,
    reading,
    require_current_schema,
    transaction,
)

CANARY = "Zyxwvut-Canary"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:secret@h/db",
        "postgresql+psycopg2://u:secret@h/db",
        "mysql://u:secret@h/db",
        "sqlite://",
        "sqlite:///:memory:",
        "not a url secret",
    ],
)
def test_only_named_databases_are_opened_and_the_refusal_tells_no_password(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        open_engine(url)
    assert "secret" not in str(refused.value)


def test_a_sqlite_database_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "home" / "hub.db"
    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    with transaction(engine) as conn:
        conn.execute(insert(tables.hub_fact).values(name="a", value="b"))
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name
    path.chmod(0o644)
    engine.dispose()
    with transaction(engine):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    engine.dispose()


def test_a_sqlite_connection_keeps_commits_through_a_power_cut(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/hub.db")
    with transaction(engine) as conn:
        pragmas = {
            name: conn.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
        }
    engine.dispose()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
    }


def test_an_exception_undoes_the_whole_transaction(engine: Engine) -> None:
    with pytest.raises(RuntimeError), transaction(engine) as conn:
        conn.execute(insert(tables.hub_fact).values(name="a", value="b"))
        raise RuntimeError
    with reading(engine) as conn:
        assert conn.execute(select(tables.hub_fact)).all() == []


def test_a_reader_sees_one_state_and_holds_up_no_writer(engine: Engine) -> None:
    with reading(engine) as reader:
        before = reader.execute(select(tables.hub_fact)).all()
        with transaction(engine) as writer:
            writer.execute(insert(tables.hub_fact).values(name="a", value="b"))
        assert reader.execute(select(tables.hub_fact)).all() == before


def test_a_reader_cannot_write_and_the_next_user_of_its_connection_can(engine: Engine) -> None:
    with pytest.raises(StoreError), reading(engine) as conn:
        conn.execute(insert(tables.hub_fact).values(name="a", value="b"))
    with transaction(engine) as conn:
        conn.execute(insert(tables.hub_fact).values(name="a", value="b"))


@pytest.mark.parametrize("column", ["name", "value"])
def test_a_refused_row_is_not_quoted_in_the_error(engine: Engine, column: str) -> None:
    """STACK §5: PostgreSQL's DETAIL quotes the key although parameters are hidden."""
    bad = {"name": CANARY, "value": CANARY, column: None} if column == "value" else None
    with pytest.raises(StoreError) as refused, transaction(engine) as conn:
        for row in (bad,) if bad else ({"name": CANARY, "value": CANARY},) * 2:
            conn.execute(insert(tables.hub_fact).values(**row))
    shown = "".join(traceback.format_exception(refused.value))
    assert CANARY not in shown.replace(f'CANARY = "{CANARY}"', "")
    assert str(refused.value) == (
        "hub_fact: a value is missing" if bad else "hub_fact: a row with this key exists already"
    )


def test_a_text_no_database_can_store_is_refused_without_being_quoted(engine: Engine) -> None:
    with pytest.raises(StoreError) as refused, transaction(engine) as conn:
        conn.execute(insert(tables.hub_fact).values(name="a", value=f"{CANARY}\ud800"))
    assert CANARY not in "".join(traceback.format_exception(refused.value))


def test_an_unreachable_server_is_named_without_its_password() -> None:
    engine = open_engine("postgresql+psycopg://hub:secret@127.0.0.1:1/hub")
    with pytest.raises(StoreError) as refused, transaction(engine):
        pass
    assert str(refused.value) == "the database does not answer"


def test_migrating_twice_does_nothing_the_second_time(empty_url: str) -> None:
    engine = open_engine(empty_url)
    with pytest.raises(OldSchema, match="hub migrate"):
        require_current_schema(engine)
    assert migrate(engine)[-1] == tables.REVISION
    assert migrate(engine) == []
    require_current_schema(engine)
    engine.dispose()


def test_a_database_from_a_newer_hub_is_left_alone(engine: Engine) -> None:
    with transaction(engine) as conn:
        conn.execute(text("UPDATE hub_schema_version SET version_num = '9999'"))
    with pytest.raises(OldSchema, match="newer hub"):
        require_current_schema(engine)
    with pytest.raises(OldSchema, match="9999"):
        migrate(engine)


def test_a_migration_that_fails_leaves_nothing_behind(empty_url: str) -> None:
    engine = open_engine(empty_url)
    with transaction(engine) as conn:
        conn.execute(text("CREATE TABLE told_row (x integer)"))
    with pytest.raises(StoreError):
        migrate(engine)
    with reading(engine) as conn:
        assert not conn.dialect.has_table(conn, "access_log")
    engine.dispose()


def test_looking_at_the_schema_does_not_load_alembic(tmp_path: Path) -> None:
    code = (
        "import sys; from pipelines.store import engine, frames, deliveries, backup\n"
        f"opened = engine.open_engine('sqlite:///{tmp_path}/hub.db')\n"
        "try: engine.require_current_schema(opened)\n"
        "except engine.OldSchema: print('alembic' in sys.modules, 'psycopg' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
