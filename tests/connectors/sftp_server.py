"""A real SFTP server on loopback for connector tests: its own host key, one login, faults on
request.

Belongs here: the server and its ways of failing. Does not belong here: what is in its folders.
"""

import asyncio
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

from connectors.files import FolderOptions


@dataclass
class Faults:
    """drop_after_bytes: cut the connection once so many bytes were written. drop_before_rename,
    drop_after_rename: cut it around the rename. keep_only: silently store no more than so many
    bytes.
    read_only: refuse to open anything for writing. full: refuse every write.
    """

    drop_after_bytes: int | None = None
    drop_before_rename: bool = False
    drop_after_rename: bool = False
    keep_only: int | None = None
    read_only: bool = False
    full: bool = False


@dataclass
class Seen:
    """What the server was asked for."""

    connections: int = 0
    logins: int = 0
    bytes_written: int = 0
    renames: list[tuple[bytes, bytes]] = field(default_factory=list)
    posix_renames: int = 0
    reads: list[str] = field(default_factory=list)


class _Door(asyncssh.SSHServer):
    def __init__(self, server: "SftpServer") -> None:
        self._server = server

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._server.seen.connections += 1
        self._server.open_connections.add(conn)

    def begin_auth(self, username: str) -> bool:
        self._server.seen.logins += 1
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (self._server.username, self._server.password)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return key.export_public_key() in self._server.user_keys


class _Files(asyncssh.SFTPServer):
    def __init__(self, chan: Any, server: "SftpServer") -> None:
        super().__init__(chan, chroot=str(server.root).encode())
        self._server = server

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        writing = pflags & asyncssh.FXF_WRITE
        if writing and self._server.faults.read_only:
            raise asyncssh.SFTPPermissionDenied("no")
        if not writing:
            self._server.seen.reads.append(Path(path.decode()).name)
        return super().open(path, pflags, attrs)

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        faults, seen = self._server.faults, self._server.seen
        if faults.full:
            raise asyncssh.SFTPFailure("no space left")
        seen.bytes_written += len(data)
        if faults.drop_after_bytes is not None and seen.bytes_written > faults.drop_after_bytes:
            self._cut()
        if faults.keep_only is not None:
            super().write(file_obj, offset, data[: max(0, faults.keep_only - offset)])
            return len(data)
        return super().write(file_obj, offset, data)

    def rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._server.seen.renames.append((oldpath, newpath))
        if self._server.faults.drop_before_rename:
            self._cut()
        super().rename(oldpath, newpath)
        if self._server.faults.drop_after_rename:
            self._cut()

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        self._server.seen.posix_renames += 1
        return super().posix_rename(oldpath, newpath)

    def _cut(self) -> None:
        self.connection.abort()
        raise asyncssh.SFTPConnectionLost("cut")


class SftpServer:
    """Serves `root` from a thread of its own while the `with` lasts."""

    username = "hub"
    password = "made-up-password"

    def __init__(self, root: Path, key_type: str = "ssh-ed25519") -> None:
        self.root = root
        self.faults = Faults()
        self.seen = Seen()
        self.user_keys: set[bytes] = set()
        self.open_connections: set[asyncssh.SSHServerConnection] = set()
        self.port = 0
        self._key = asyncssh.generate_private_key(key_type)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def host_key(self) -> str:
        return self._key.export_public_key().decode().strip()

    def options(self, path: str = "", **changed: Any) -> FolderOptions:
        """How to reach a folder of it."""
        settings: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": self.username,
            "password": self.password,
            "host_keys": (self.host_key,),
            "timeout": 10.0,
        }
        return FolderOptions("sftp", path, **(settings | changed))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Cut everybody off and serve no more."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.close()

    async def _start(self) -> None:
        self._listener = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[self._key],
            server_factory=lambda: _Door(self),
            sftp_factory=lambda chan: _Files(chan, self),
            allow_scp=False,
        )
        self.port = self._listener.get_port()

    async def _close(self) -> None:
        await self._turns()  # whoever is at the door is let in, and cut off below
        self._listener.close()
        await self._listener.wait_closed()
        for connection in self.open_connections:
            connection.abort()
        await asyncio.gather(*(c.wait_closed() for c in self.open_connections))
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        if rest:
            await asyncio.wait(rest, timeout=5)
        await self._turns()  # sockets are closed by callbacks of their own

    async def _turns(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
