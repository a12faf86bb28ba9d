"""The keys that stand outside database and configuration: of the pseudonyms, of the log, of its details.

Belongs here: minting, reading and recognising keys; making tokens. Does not belong here: reading an
identity code (`connectors.identity`), keeping a fingerprint (`store`), signing (`domain.checkpoint`),
encrypting (`store.vault`).

    person     turns identity codes and birth dates into tokens (DESIGN 2)
    log        signs the disclosure log's checkpoints; an Ed25519 seed (RFC 8032)
    details    encrypts what the log holds of persons

    KeysError          a key can't be used as it is
    ├── KeyMissing     there is none: `hub keys init` mints it
    └── KeyMismatch    it is another key than the store was built with
"""

import base64
import binascii
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import HubError

KEY_BYTES = 32


@dataclass(frozen=True)
class Place:
    """Where one of the keys is looked for: a variable (hex or base64), else a file below HOME."""

    name: str
    variable: str
    file: Path


PERSON = Place("person", "HUB_PERSON_KEY", Path("keys") / "person.key")
LOG = Place("log", "HUB_LOG_KEY", Path("keys") / "log.key")
DETAILS = Place("details", "HUB_DETAILS_KEY", Path("keys") / "details.key")
PLACES = (PERSON, LOG, DETAILS)
NEXT = ".next"
"""Ending of a key file that waits to take the old one's place (`steps.rotate`)."""
KEY_VARIABLE, KEY_FILE = PERSON.variable, PERSON.file


class KeysError(HubError):
    """The key can't be used as it is."""


class KeyMissing(KeysError):
    """There is no key."""


class KeyMismatch(KeysError):
    """The store was built with another key; going on would split every person in two."""


class HubKeys:
    """Tokens of persons and births: HMAC-SHA-256, lower-case hex, apart by domain. Nothing shows the key.

    Satisfies `connectors.base.Tokens`. A token is a pseudonym, still personal data: whoever has the key
    can try every identity code there is.
    """

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise KeysError(f"the person key has to be {KEY_BYTES} bytes long")
        self._key = key

    def __repr__(self) -> str:
        return "HubKeys(…)"

    def __reduce__(self) -> str:
        raise TypeError("the key is never written down by pickling")

    @classmethod
    def load(
        cls, home: Path, environ: Mapping[str, str], key_file: Path | None = None
    ) -> "HubKeys":
        """The key from HUB_PERSON_KEY (hex or base64), else from a file that only its owner can read.

        Raises KeyMissing where there is neither, KeysError for a key of another length or a file open
        to group or others.
        """
        return cls(read(PERSON, home, environ, key_file))

    @property
    def key_id(self) -> str:
        """Eight hex digits that name the key beside every token made with it."""
        return self._digest(b"key-id")[:8]

    @property
    def fingerprint(self) -> str:
        """What the store keeps to recognise the key."""
        return self._digest(b"register-hub")

    def person(self, identity_code: str) -> str:
        """The token of a normalised identity code; 64 hex digits."""
        return self._digest(b"person\0" + identity_code.encode())

    def birth(self, birth_date: str) -> str:
        """The token of an ISO birth date; 64 hex digits."""
        return self._digest(b"birth\0" + birth_date.encode())

    def check(self, stored_fingerprint: str) -> None:
        """Raises KeyMismatch unless this is the key the store was built with."""
        if not hmac.compare_digest(self.fingerprint, stored_fingerprint):
            raise KeyMismatch(
                "the person key is not the one the register was built with: put the old key back"
            )

    def _digest(self, message: bytes) -> str:
        return hmac.digest(self._key, message, "sha256").hex()


def read(
    place: Place, home: Path, environ: Mapping[str, str], key_file: Path | None = None
) -> bytes:
    """A key from its variable, else from a file that only its owner can read.

    Raises KeyMissing where there is neither, KeysError for a key of another length or a file open to group
    or others.
    """
    text = environ.get(place.variable)
    if text:
        return _decoded(text, place.variable)
    path = key_file or home / place.file
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1024).decode("ascii", "replace")
    except FileNotFoundError:
        raise KeyMissing(
            f"no {place.name} key in {path}: run `hub keys init`, or set {place.variable}"
        ) from None
    except OSError as error:
        raise KeysError(f"{path} can't be read: {error.strerror}") from None
    if mode & 0o077:
        raise KeysError(f"{path} can be read by others: run `chmod 600` on it")
    return _decoded(text, str(path))


def init(home: Path, key_file: Path | None = None) -> tuple[str, ...]:
    """Mint whatever key there is no file of; the names of those minted.

    key_file: where the person key is. Never overwrites, also when two try at once.
    """
    files = {place.name: home / place.file for place in PLACES}
    if key_file is not None:
        files[PERSON.name] = key_file
    return tuple(name for name, path in files.items() if mint(path))


def mint(path: Path) -> bool:
    """Write a new key of 32 random bytes, for its owner alone; False when the file is there already."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists():
        return False
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(fresh, path)  # whole or not at all, and never over another
        except FileExistsError:
            return False
    finally:
        fresh.unlink()
    return True


def _decoded(text: str, where: str) -> bytes:
    text = text.strip()
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KeysError(f"{where} holds neither hex nor base64") from None
    if len(key) != KEY_BYTES:
        raise KeysError(f"{where} has to hold {KEY_BYTES} bytes, not {len(key)}")
    return key
