"""Where Dagster keeps what happened in its runs: one SQLite file, opened by one engine.

Belongs here: how Dagster's own store is reached. Does not belong here: what is told to it (`assets`, `jobs`), the
hub's tables (`store`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool


class EventLog(ConsolidatedSqliteEventLogStorage):
    """Dagster's storage of events with its engine kept.

    As Dagster has it, each of a night's hundreds of events makes an engine of its own, and each engine forgets how
    the same statements are written: a third of what a run costs. Connections are still closed after each use, so
    that no process holds the file.
    """

    @cached_property
    def _engine(self) -> Engine:
        return create_engine(
            self._conn_string,
            poolclass=NullPool,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
        )

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection
