"""Opening the hub's database, one transaction at a time, on SQLite or PostgreSQL.

Belongs here: connections, transactions, the errors of the store, the schema's version. Does not belong
here: tables (`tables`), reading and writing of frames (`frames`).

    StoreError           the database refused or could not be used; names tables and rules, never a value
    └── OldSchema        the database's schema is not this hub's; `hub migrate` or another hub is needed

A driver's own message may quote a row (PostgreSQL: `DETAIL: Key (…)=(…) already exists`), and
`hide_parameters` does not hide that; so no driver exception leaves this package.
"""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoResultFound, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from pipelines.store import tables

BUSY_SECONDS = 30
LOCK_SPACE = 0x48554231
"""First half of every PostgreSQL advisory lock of a hub; the second names schema and purpose."""

_READING = "hub_reading"


class StoreError(Exception):
    """The database refused or could not be used; `str()` is one line without personal data."""


class OldSchema(StoreError):
    """The schema in the database is not the one this hub was written for."""


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///PATH` or `postgresql+psycopg://…`; connects at first use.

    A SQLite file is made with mode 0600 (its WAL inherits that), runs in WAL mode with
    `synchronous=FULL` — the disclosure log must outlive a power cut, and a commit is one step's work,
    so its fsync is lost in the noise — and begins every transaction as a writer (`BEGIN IMMEDIATE`),
    since a reader that turns writer midway fails at once instead of waiting.
    Raises StoreError, naming the scheme only, for any other database or driver.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError("the database address is not a URL") from None
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return _open_sqlite(parsed)
    if parsed.drivername == "postgresql+psycopg":
        return create_engine(
            parsed,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "application_name": "register-hub"},
        )
    raise StoreError(
        f"the database address starts with {parsed.drivername}: "
        "it must be sqlite:///PATH or postgresql+psycopg://…"
    )


def _open_sqlite(url: URL) -> Engine:
    path = Path(str(url.database))
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "do_connect")
    def keep_the_file_private(*_: object) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver's own BEGIN comes late, and not before DDL
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            "recursive_triggers = ON",
            "cache_size = -65536",  # KiB; with less, what a night of matching writes goes to disk twice
            "secure_delete = ON",  # who is no customer leaves no trace, in free pages neither
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reading = connection.get_execution_options().get(_READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A connection whose work is committed at the end, or undone by any exception.

    Raises StoreError in place of whatever the database or its driver raised. Within a `rehearsal` of the
    same database it is a part of that, and goes with it.
    """
    rehearsed = _rehearsed.get()
    if rehearsed is not None and rehearsed.engine is engine:
        with _translated(), rehearsed.begin_nested():
            yield rehearsed
        return
    with _translated(), engine.begin() as connection:
        yield connection


_rehearsed: ContextVar[Connection | None] = ContextVar("rehearsed", default=None)


@contextmanager
def rehearsal(engine: Engine) -> Iterator[None]:
    """Whatever transactions there are within are undone at the end: several steps, with nothing done."""
    with _translated(), engine.connect() as connection:
        outer = connection.begin()
        token = _rehearsed.set(connection)
        try:
            yield
        finally:
            _rehearsed.reset(token)
            outer.rollback()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one unchanging state, refuses to write and holds up no writer."""
    with _translated(), engine.connect() as plain:
        if engine.dialect.name == "postgresql":
            connection = plain.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            with connection.begin():
                yield connection
            return
        connection = plain.execution_options(**{_READING: True})
        with connection.begin():
            connection.exec_driver_sql("PRAGMA query_only = ON")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("PRAGMA query_only = OFF")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise without_values(error) from None
    except UnicodeEncodeError:
        raise StoreError("a text holds characters that no database can store") from None


def one_at_a_time(conn: Connection, what: str) -> None:
    """Wait until no other transaction is at the same thing; held until this one ends.

    On SQLite a writing transaction is alone anyhow.
    """
    if conn.dialect.name == "postgresql":
        conn.execute(
            text("SELECT pg_advisory_xact_lock(:space, hashtext(current_schema() || :what))"),
            {"space": LOCK_SPACE, "what": f" {what}"},
        )


_SQLITE_MEANING = {
    "SQLITE_BUSY": f"another process has held the database for over {BUSY_SECONDS} s",
    "SQLITE_LOCKED": "another connection holds the table",
    "SQLITE_FULL": "the disk is full",
    "SQLITE_IOERR": "the disk can't be read or written",
    "SQLITE_READONLY": "the database can't be written here",
    "SQLITE_CANTOPEN": "the database file can't be opened",
    "SQLITE_CORRUPT": "the database file is damaged",
    "SQLITE_NOTADB": "the file is not a database",
    "SQLITE_CONSTRAINT_UNIQUE": "a row with this key exists already",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "a row with this key exists already",
    "SQLITE_CONSTRAINT_NOTNULL": "a value is missing",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "a row refers to one that is not there",
    "SQLITE_CONSTRAINT_TRIGGER": "rows are only ever added",
}
_POSTGRES_MEANING = {
    "23505": "a row with this key exists already",
    "23502": "a value is missing",
    "23503": "a row refers to one that is not there",
    "P0001": "rows are only ever added",
    "25006": "the database can't be written here",
    "53100": "the disk is full",
    "53300": "the database has no connection left",
    "28P01": "the database refused the password",
    "28000": "the database refused the user",
    "3D000": "there is no such database",
    "42501": "the database user lacks the right",
}


def without_values(error: BaseException) -> StoreError:
    """What went wrong, in table names and rules; everything a driver may have quoted is left out."""
    if isinstance(error, NoResultFound):
        return StoreError("a row that must be there is missing")
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(cause, sqlite3.Error):
        # only with Python 3.11 and an error that SQLite itself raised
        code = getattr(cause, "sqlite_errorname", type(cause).__name__)
        meaning = _SQLITE_MEANING.get(code) or _SQLITE_MEANING.get(code.rsplit("_", 1)[0], code)
        words = re.findall(r"\w+", str(cause))  # SQLite names tables and columns, we keep the known
        table = next((word for word in words if word in tables.metadata.tables), None)
    else:
        code = getattr(cause, "sqlstate", None) or type(cause).__name__
        table = getattr(getattr(cause, "diag", None), "table_name", None)
        meaning = _POSTGRES_MEANING.get(code, code)
        if code in ("OperationalError", "ConnectionTimeout"):
            meaning = "the database does not answer"
    return StoreError(f"{table}: {meaning}" if table else meaning)


def require_current_schema(engine: Engine) -> None:
    """Raises OldSchema unless the database stands at this hub's revision (without Alembic)."""
    with reading(engine) as connection:
        found = _revision(connection)
    if found == tables.REVISION:
        return
    if found is None:
        raise OldSchema("the database is empty: run `hub migrate`")
    if found < tables.REVISION:
        raise OldSchema(f"the database stands at {found}, not {tables.REVISION}: run `hub migrate`")
    raise OldSchema(
        f"the database stands at {found}, this hub at {tables.REVISION}: use a newer hub"
    )


def migrate(engine: Engine, revision: str = "head") -> list[str]:
    """Bring the schema up to `revision` in one transaction; returns the revisions applied, in order.

    Raises OldSchema when a newer hub has been here, StoreError when a step fails; nothing has changed
    then (SQLite's DDL is transactional too, once the driver's own BEGIN is out of the way).
    """
    from alembic import command  # 0.7 s that only this command should pay for
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", "pipelines.store:migrations")
    config.set_main_option("path_separator", "os")
    with transaction(engine) as connection:
        before = _revision(connection)
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, revision)
        except CommandError:
            raise OldSchema(
                f"the database stands at {before}, which this hub does not know"
            ) from None
        after = _revision(connection)
    steps = ScriptDirectory.from_config(config).iterate_revisions(after or "base", before or "base")
    return [step.revision for step in steps][::-1]


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(tables.schema_version.name):
        return None
    return connection.scalar(select(tables.schema_version.c.version_num))
