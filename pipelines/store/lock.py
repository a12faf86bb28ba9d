"""One writer at a time: the run lock, which dies with the process that holds it (DESIGN 14).

Belongs here: taking, holding and giving back the lock, and saying who has it. Does not belong here: what
is done under it.
"""

import fcntl
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from pipelines.store.engine import LOCK_SPACE, without_values

_POLL_SECONDS = 0.05


class RunLock:
    """The hub's only lock: `flock` on HOME/lock with SQLite, a session's advisory lock on PostgreSQL.

    Either is given back by the operating system or the server when the process dies, however it dies.
    Not to be shared between threads.
    """

    def __init__(self, engine: Engine, home: Path) -> None:
        self._lock = _ServerLock(engine) if engine.dialect.name == "postgresql" else _FileLock(home)

    def acquire(self, wait_seconds: float = 0) -> bool:
        """Take the lock, waiting at most so long; whether we now hold it (again, if we did)."""
        deadline = time.monotonic() + wait_seconds
        while not self._lock.take():
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def release(self) -> None:
        """Give the lock back; nothing happens when we do not hold it."""
        self._lock.give_back()

    def holder(self) -> str:
        """Process and start of whoever holds the lock, for a person to read; empty when nobody does."""
        return self._lock.holder()


class _FileLock:
    def __init__(self, home: Path) -> None:
        self._path = home / "lock"
        self._held: int | None = None

    def take(self) -> bool:
        if self._held is not None:
            return True
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        os.ftruncate(file, 0)
        os.write(file, _whoami().encode())
        self._held = file
        return True

    def give_back(self) -> None:
        if self._held is not None:
            os.ftruncate(self._held, 0)
            os.close(self._held)
            self._held = None

    def holder(self) -> str:
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return ""
        try:
            if self._held is None and _is_free(file):
                return ""  # what a killed process wrote is still there
            who = os.read(file, 200).decode()
            since = datetime.fromtimestamp(os.fstat(file).st_mtime, UTC)
        finally:
            os.close(file)
        return f"{who} since {since:%Y-%m-%dT%H:%M:%SZ}"


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _whoami() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}"


_NAME = text("SELECT set_config('application_name', :who, false)")
_TAKE = text("SELECT pg_try_advisory_lock(:space, hashtext(current_schema() || ' run'))")
_HOLDER = text(
    "SELECT a.application_name || coalesce("
    "to_char(a.backend_start AT TIME ZONE 'UTC', '\" since \"YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '') "
    "FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND l.classid = :space "
    "AND l.objid = (hashtext(current_schema() || ' run')::bigint & 4294967295)::oid"
)
# the session idles all night, and must be found dead soon when its machine goes dark
_SESSION = (
    "SET idle_session_timeout = 0",
    "SET tcp_keepalives_idle = 60",
    "SET tcp_keepalives_interval = 10",
    "SET tcp_keepalives_count = 3",
)


class _ServerLock:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: Connection | None = None

    def take(self) -> bool:
        if self._held is not None:
            return True
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # never back into the pool: the lock is the session's
            try:
                if self._is_ours(connection):
                    self._held = connection
            finally:
                if self._held is None:
                    connection.close()
        except SQLAlchemyError as error:
            raise without_values(error) from None
        return self._held is not None

    def _is_ours(self, connection: Connection) -> bool:
        for setting in _SESSION:
            connection.exec_driver_sql(setting)
        connection.execute(_NAME, {"who": _whoami()[:63]})
        return bool(connection.scalar(_TAKE, {"space": LOCK_SPACE}))

    def give_back(self) -> None:
        if self._held is not None:
            held, self._held = self._held, None
            try:
                # closing alone would free it a moment later than we return
                held.exec_driver_sql("SELECT pg_advisory_unlock_all()")
                held.close()
            except SQLAlchemyError:
                held.invalidate()  # the server is gone, and the lock with it

    def holder(self) -> str:
        try:
            with self._engine.connect() as connection:
                return connection.scalar(_HOLDER, {"space": LOCK_SPACE}) or ""
        except SQLAlchemyError as error:
            raise without_values(error) from None
