"""A folder behind SFTP, as `files.Folder` promises.

Belongs here: pinned host keys, logging in, what a broken connection means. Does not belong here:
formats, which files make a delivery, or learning a host key: no key is ever accepted that nobody
pinned.
"""

import base64
import contextlib
import logging
import posixpath
import socket
import stat as modes
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from connectors.base import (
    AlreadyPublished,
    ConnectorError,
    Malformed,
    OutcomeUnknown,
    Refused,
    Unavailable,
)
from connectors.files import PART, FileInfo, FolderOptions, listed, plain, within_limit

if TYPE_CHECKING:
    import paramiko

_KEEPALIVE_SECONDS = 15
_SIGNATURES = {
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")
}  # one key type, two ways to sign with it


class SftpFolder:
    """A folder behind SFTP: pinned host key, connected at the first question, closed by `with`.

    Password or key file, never an agent or a key found lying about. The host key is compared before
    anything about us is said; no known-hosts file is read and no key is ever learned.
    """

    def __init__(self, options: FolderOptions) -> None:
        self._options = options
        self._transport: paramiko.Transport | None = None
        self._client: paramiko.SFTPClient | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def where(self) -> str:
        return f"sftp {self._options.host}:{self._options.port} {self._options.path}"

    def close(self) -> None:
        """End the connection, if there is one; the next question makes a new one."""
        transport = self._transport
        self._client = self._transport = None
        if transport is not None:
            _hang_up(transport)

    def stat(self, name: str) -> FileInfo | None:
        path = self._at(plain(name))
        with self._answering("asking for a file") as client:
            try:
                found = client.lstat(path)
            except FileNotFoundError:
                return None
        return FileInfo(name, found.st_size or 0) if modes.S_ISREG(found.st_mode or 0) else None

    def read(self, name: str, limit: int) -> bytes:
        found = self.stat(name)
        if found is None:
            raise Malformed(f"{self.where}: {name} is not there")
        within_limit(self.where, name, found.size, limit)
        with self._answering("reading") as client, client.open(self._at(name), "rb") as handle:
            handle.prefetch(found.size)
            payload = handle.read(limit + 1)
        within_limit(self.where, name, len(payload), limit)
        return payload

    def write_new(self, name: str, payload: bytes) -> None:
        if self.stat(name) is not None:
            raise AlreadyPublished(f"{self.where}: {name} is already there")
        with self._answering("opening a new file") as client:
            handle = client.open(self._at(f"{name}{PART}"), "wb")
        try:
            self._write(handle, payload, name)
        except Unavailable as lost:
            raise OutcomeUnknown(f"{lost}; bytes of {name} had left") from None

    def list(self) -> list[FileInfo]:
        with self._answering("listing") as client:
            entries = client.listdir_attr(self._options.path or ".")
        return listed(
            [
                FileInfo(entry.filename, entry.st_size or 0)
                for entry in entries
                if modes.S_ISREG(entry.st_mode or 0)
            ]
        )

    def _at(self, name: str) -> str:
        return posixpath.join(self._options.path, name)

    def _write(self, handle: "paramiko.SFTPFile", payload: bytes, name: str) -> None:
        final, part = self._at(name), self._at(f"{name}{PART}")
        with self._answering("writing") as client:
            with handle:
                handle.set_pipelined(True)
                handle.write(payload)
            stored = client.stat(part).st_size
        if stored != len(payload):
            raise Refused(f"{self.where}: {stored} of {len(payload)} bytes of {name} were kept")
        try:
            with self._answering("renaming") as client:
                # Plain rename refuses a name that exists; posix_rename would overwrite it.
                client.rename(part, final)
        except Refused:
            # SFTP version 3 answers every reason with the same "failure": see whether it is ours.
            if self.stat(name) is None:
                raise
            with self._answering("tidying") as client:
                client.remove(part)
            raise AlreadyPublished(f"{self.where}: {name} is already there") from None

    @contextlib.contextmanager
    def _answering(self, doing: str) -> "Iterator[paramiko.SFTPClient]":
        """The connected client; whatever breaks becomes `Unavailable` or `Refused`."""
        import paramiko  # here: half a second that a night without SFTP need not spend

        client, transport = self._connected()
        try:
            yield client
        except PermissionError:
            raise Refused(f"{self.where}: {doing} is not permitted") from None
        except FileNotFoundError:
            raise Refused(f"{self.where}: {doing} failed, no such file or folder") from None
        except (OSError, EOFError, paramiko.SSHException) as broken:
            # A refused request and a closed channel both arrive as a bare OSError.
            if type(broken) is OSError and broken.errno is None and transport.is_active():
                channel = client.get_channel()
                if channel is not None and not channel.closed:
                    raise Refused(f"{self.where}: {doing} was refused") from None
            self.close()
            raise Unavailable(f"{self.where}: connection lost while {doing}") from None

    def _connected(self) -> "tuple[paramiko.SFTPClient, paramiko.Transport]":
        if self._client is not None and self._transport is not None:
            return self._client, self._transport
        import paramiko

        logger = logging.getLogger("paramiko")
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())  # it would print its tracebacks on stderr
        pinned = _pinned(self.where, self._options.host_keys)
        try:
            self._transport = self._negotiated(pinned)
            self._log_in(self._transport)
            self._client = paramiko.SFTPClient.from_transport(self._transport)
            channel = self._client.get_channel() if self._client is not None else None
            if self._client is None or channel is None:
                raise Refused(f"{self.where}: no SFTP service there")
            channel.settimeout(self._options.timeout)
        except ConnectorError:
            self.close()
            raise
        except paramiko.AuthenticationException:
            self.close()
            raise Refused(f"{self.where}: the credentials were not accepted") from None
        except paramiko.ChannelException:
            self.close()
            raise Refused(f"{self.where}: no SFTP service there") from None
        except (OSError, EOFError, paramiko.SSHException) as broken:
            self.close()
            raise Unavailable(f"{self.where}: no connection ({type(broken).__name__})") from None
        return self._client, self._transport

    def _negotiated(self, pinned: "dict[bytes, tuple[str, ...]]") -> "paramiko.Transport":
        """An encrypted connection to the holder of a pinned key; nobody has logged in yet."""
        import paramiko

        options = self._options
        connection = socket.create_connection((options.host, options.port), options.timeout)
        try:
            # what we ask is short and waits for its answer: held back for more to come, it costs 40 ms
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = paramiko.Transport(connection)
        except BaseException:
            connection.close()
            raise
        try:
            transport.banner_timeout = transport.auth_timeout = options.timeout
            algorithms = [name for names in pinned.values() for name in names]
            transport.get_security_options().key_types = tuple(dict.fromkeys(algorithms))
            transport.start_client(timeout=options.timeout)
            if transport.get_remote_server_key().asbytes() not in pinned:
                raise Refused(f"{self.where}: the host key is not the pinned one; nothing was sent")
        except paramiko.ssh_exception.IncompatiblePeer:
            _hang_up(transport)
            raise Refused(
                f"{self.where}: the server offers no pinned kind of host key; nothing was sent"
            ) from None
        except ValueError:
            _hang_up(transport)
            raise Refused(f"{self.where}: a pinned host key is of an unknown kind") from None
        except BaseException:
            _hang_up(transport)
            raise
        transport.set_keepalive(_KEEPALIVE_SECONDS)
        return transport

    def _log_in(self, transport: "paramiko.Transport") -> None:
        import paramiko

        options = self._options
        if not options.key_file:
            transport.auth_password(options.username, options.password)
            return
        try:
            key = paramiko.PKey.from_path(options.key_file)
        except Exception:  # noqa: BLE001 (cryptography's own tree, and it names the path)
            raise Refused(f"{self.where}: the private key file cannot be read") from None
        transport.auth_publickey(options.username, key)


def _pinned(where: str, lines: tuple[str, ...]) -> dict[bytes, tuple[str, ...]]:
    """Key → the algorithms it may sign with; none, or one that can't be read, is `Refused`."""
    if not lines:
        raise Refused(f"{where}: no host key is pinned; set host_keys")
    pinned: dict[bytes, tuple[str, ...]] = {}
    for line in lines:
        kind, _, rest = line.strip().partition(" ")
        try:
            key = base64.b64decode(rest.split()[0], validate=True)
        except (IndexError, ValueError):
            raise Refused(f"{where}: a pinned host key is not an OpenSSH public key line") from None
        pinned[key] = _SIGNATURES.get(kind, (kind,))
    return pinned


def _hang_up(transport: "paramiko.Transport") -> None:
    transport.close()
    transport.sock.close()  # which a transport whose handshake failed leaves open
