"""An SFTP server on loopback over a real folder, in a thread of its own, that can be told to misbehave.

Belongs here: accounts, host keys, files, and noticing that a manifest has been published. Does not belong
here: what a delivery means (`finance`, `own_register`). Plain `rename` refuses an existing name, as it must.
"""

import asyncio
import os
import posixpath
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import asyncssh

from connectors.sandbox.faults import Faults

_REPLY_DELAY = 0.05
_T = TypeVar("_T")


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], account: "Account") -> None:
        super().__init__(channel, chroot=os.fsencode(account.folder))
        self._account = account

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if self._account.faults.strikes("dropped_connection"):
            super().write(file_obj, offset, data[: len(data) // 2])
            self.channel.get_connection().abort()
            raise asyncssh.SFTPConnectionLost("dropped by the sandbox")
        written = super().write(file_obj, offset, data)
        return written if isinstance(written, int) else await written

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        super().rename(oldpath, newpath)
        name = posixpath.normpath(os.fsdecode(newpath)).lstrip("/")
        if name.startswith("sisaan/") and name.endswith(".json"):
            loop = asyncio.get_running_loop()
            loop.call_later(_REPLY_DELAY, self._account.published, name.removeprefix("sisaan/"))


class _Door(asyncssh.SSHServer):
    def __init__(self, account: "Account") -> None:
        self._account = account

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn = conn
        self._account.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._account.connections.discard(self._conn)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        right = username == self._account.username and password == self._account.password
        return right and not self._account.faults.strikes("unauthorised")


@dataclass
class Account:
    """One counterparty's folder and who may enter it; `published` hears the name of each manifest."""

    username: str
    password: str
    folder: Path
    faults: Faults
    published: Callable[[str], None]
    host_key: asyncssh.SSHKey
    port: int = 0
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)

    @property
    def public_key(self) -> str:
        """The host key to pin, `ssh-ed25519 AAAA…`."""
        return " ".join(self.host_key.export_public_key().decode().split()[:2])


class SftpServers:
    """All SFTP servers of the town on one event loop in one thread."""

    def __init__(self, accounts: list[Account]) -> None:
        self._accounts = accounts
        self._acceptors: dict[Path, asyncssh.SSHAcceptor] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox-sftp")
        self._thread.start()
        try:
            for account in accounts:
                self._call(self._listen(account))
        except BaseException:
            self.close()
            raise

    def _call(self, work: Coroutine[None, None, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self, account: Account) -> None:
        acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=lambda: _Door(account),
            server_host_keys=[account.host_key],
            sftp_factory=lambda channel: _Files(channel, account),
            allow_scp=False,
            gss_host=None,
        )
        account.port = acceptor.get_port()
        self._acceptors[account.folder] = acceptor

    def show_key(self, account: Account, another: bool) -> None:
        """From the next connection on, show the pinned host key or another one."""
        key = asyncssh.generate_private_key("ssh-ed25519") if another else account.host_key

        async def show() -> None:
            self._acceptors[account.folder].update(server_host_keys=[key])

        self._call(show())

    async def _hang_up(self) -> None:
        """Stop listening, drop everybody; a connection that does not end in time is let go."""
        for acceptor in self._acceptors.values():
            acceptor.close()
        for account in self._accounts:
            for connection in list(account.connections):
                connection.abort()
        await asyncio.sleep(0)
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        if under_way:
            _, stuck = await asyncio.wait(under_way, timeout=2)
            for task in stuck:
                task.cancel()
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()

    def close(self) -> None:
        """Stop listening, drop every connection, end the thread."""
        try:
            self._call(self._hang_up())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


def host_key(path: Path) -> asyncssh.SSHKey:
    """The host key kept in a file, made on first use so that a restarted server is the same server."""
    if not path.exists():
        key = asyncssh.generate_private_key("ssh-ed25519")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(key.export_private_key())
    return asyncssh.read_private_key(str(path))
