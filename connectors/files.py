"""Folders where counterparties leave files and pick them up: on this machine, or behind SFTP.

Belongs here: listing, reading within a limit, and publishing a file whole or not at all under a
name nobody had. Does not belong here: what the files say (`tabular`), which of them make a delivery
(`sources`), what a recipient is told (`recipients`).
"""

import contextlib
import errno
import os
import posixpath
import re
import stat as modes
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from connectors.base import (
    AlreadyPublished,
    Malformed,
    OutcomeUnknown,
    Refused,
    Unavailable,
)

PART = ".part"
_NAME = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_.\-]{0,199}")


@dataclass(frozen=True)
class FileInfo:
    """A file as its folder lists it; size in bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class FolderOptions:
    """Where a folder is and how it lets us in.

    host_keys: the server's public keys as OpenSSH lines ("ssh-ed25519 AAAA…"); two of them while
    the server changes its key, none means that nothing is ever sent there (PRIVACY.md §5, SFTP).
    key_file: path of a private key, used instead of the password. timeout: seconds, per answer.
    """

    kind: Literal["folder", "sftp"]
    path: str
    host: str = ""
    port: int = 22
    username: str = ""
    password: str = field(default="", repr=False)
    key_file: str = ""
    host_keys: tuple[str, ...] = ()
    timeout: float = 30.0

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From a `folder:` section; ValueError names the key that is wrong, no value."""
        unknown = sorted(set(config) - set(cls.__dataclass_fields__))
        if unknown:
            raise ValueError(f"folder.{unknown[0]}: no such setting")
        kind = config.get("kind", "folder")
        if kind not in ("folder", "sftp"):
            raise ValueError("folder.kind: must be folder or sftp")
        keys = config.get("host_keys") or ()
        lines = keys.splitlines() if isinstance(keys, str) else [str(line) for line in keys]
        port, timeout = _number(config.get("port"), 22), _number(config.get("timeout"), 30.0)
        if port is None or timeout is None:
            raise ValueError("folder.port, folder.timeout: must be numbers")
        return cls(
            kind="sftp" if kind == "sftp" else "folder",
            path=str(config.get("path") or ""),
            host=str(config.get("host") or ""),
            port=int(port),
            username=str(config.get("username") or ""),
            password=str(config.get("password") or ""),
            key_file=str(config.get("key_file") or ""),
            host_keys=tuple(line.strip() for line in lines if line.strip()),
            timeout=timeout,
        )

    def within(self, folder: str) -> Self:
        """The same place, one folder further in."""
        return replace(self, path=posixpath.join(self.path, folder))


class Folder(Protocol):
    """A flat folder. Names are plain (letters, digits, `_ . -`): anything else is `Malformed`.

    Every method may raise `Unavailable` or `Refused`.
    """

    @property
    def where(self) -> str:
        """The folder for a message: a path, or host and path."""
        ...

    def stat(self, name: str) -> FileInfo | None:
        """The file, or None when there is no plain file of that name."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """The whole file; `Malformed` when it is missing or larger than `limit` bytes."""
        ...

    def write_new(self, name: str, payload: bytes) -> None:
        """Put the bytes under a name nobody has: written as `<name>.part`, then renamed.

        `AlreadyPublished`: the name is taken, nothing was overwritten. `Unavailable` and `Refused`:
        nothing stands under the name. `OutcomeUnknown`: the connection broke once bytes had left.
        """
        ...

    def list(self) -> list[FileInfo]:
        """The plain files with plain names, unfinished `.part` files left out; by name."""
        ...


def plain(name: str) -> str:
    """The name, unless it has separators, is hidden or unfinished: then `Malformed`."""
    if not _NAME.fullmatch(name) or name.endswith(PART):
        raise Malformed("a file name that is not plain was refused")
    return name


def listed(files: Iterable[FileInfo]) -> list[FileInfo]:
    """Those of the files whose name is plain, by name."""
    named = [f for f in files if _NAME.fullmatch(f.name) and not f.name.endswith(PART)]
    return sorted(named, key=lambda f: f.name)


def within_limit(where: str, name: str, size: int, limit: int) -> None:
    """`Malformed` if a file is larger than it may be."""
    if size > limit:
        raise Malformed(f"{where}: {name} is larger than {limit} bytes")


class LocalFolder:
    """A folder of this machine or mounted on it; its file system must know hard links."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def where(self) -> str:
        return str(self._path)

    def stat(self, name: str) -> FileInfo | None:
        path = self._path / plain(name)
        with self._answering("asking for a file"):
            try:
                found = path.lstat()
            except FileNotFoundError:
                return None
        return FileInfo(name, found.st_size) if modes.S_ISREG(found.st_mode) else None

    def read(self, name: str, limit: int) -> bytes:
        found = self.stat(name)
        if found is None:
            raise Malformed(f"{self.where}: {name} is not there")
        within_limit(self.where, name, found.size, limit)
        with self._answering("reading"), (self._path / name).open("rb") as handle:
            payload = handle.read(limit + 1)
        within_limit(self.where, name, len(payload), limit)
        return payload

    def write_new(self, name: str, payload: bytes) -> None:
        final = self._path / plain(name)
        part = self._path / f"{name}{PART}"
        with self._answering("writing"):
            if os.path.lexists(final):
                raise AlreadyPublished(f"{self.where}: {name} is already there")
            with part.open("wb") as handle:
                handle.write(payload)
                handle.flush()
                os.fsync(handle.fileno())
            try:
                os.link(part, final)  # unlike rename, refuses a name that exists
            except FileExistsError:
                raise AlreadyPublished(f"{self.where}: {name} is already there") from None
            finally:
                part.unlink()
        try:
            self._flush_names()
        except OSError as broken:
            raise OutcomeUnknown(
                f"{self.where}: {name} was written but the folder was not flushed ({_code(broken)})"
            ) from None

    def list(self) -> list[FileInfo]:
        with self._answering("listing"), os.scandir(self._path) as entries:
            files = [
                FileInfo(entry.name, entry.stat(follow_symlinks=False).st_size)
                for entry in entries
                if entry.is_file(follow_symlinks=False)
            ]
        return listed(files)

    def _flush_names(self) -> None:
        folder = os.open(self._path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextlib.contextmanager
    def _answering(self, doing: str) -> Iterator[None]:
        try:
            yield
        except PermissionError:
            raise Refused(f"{self.where}: {doing} is not permitted") from None
        except OSError as broken:
            raise Unavailable(f"{self.where}: {doing} failed ({_code(broken)})") from None


def _code(broken: OSError) -> str:
    return errno.errorcode.get(broken.errno or 0, type(broken).__name__)


def _number(given: object, default: float) -> float | None:
    try:
        return float(str(given)) if given not in (None, "") else default
    except ValueError:
        return None
