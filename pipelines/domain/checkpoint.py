"""The log's state as others can hold it: a signed statement of how many leaves there are, and their root.

Belongs here: C2SP tlog-checkpoint as a C2SP signed note, signed with Ed25519; verifier keys; the cosignatures of
witnesses (C2SP tlog-cosignature, Ed25519). Does not belong here: where the signing key is kept (`pipelines.keys`),
when a checkpoint is made (`steps`), the tree (`domain.merkle`).

    register-hub.example/disclosures/2026          origin: the log and its segment, a calendar year
    4711                                           leaves
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=   root
    (empty line)
    — register-hub.example/disclosures …           the log's signature; then those of witnesses

A signature by a key that isn't known is kept and says nothing.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pipelines.domain.merkle import HASH_BYTES

ED25519 = 0x01
COSIGNATURE = 0x04
MOST_SIGNATURES = 100
_MARK = "\N{EM DASH} "
_ID_BYTES = 4
_TIME_BYTES = 8
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NOT_IN_A_NOTE = re.compile(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]")  # nor what is no UTF-8


class CheckpointError(ValueError):
    """A checkpoint, note or key is not what it should be; says what is wrong, in words for a person."""


@dataclass(frozen=True)
class Checkpoint:
    """A tree's head: `origin` names the log, `size` counts leaves, `root` is their Merkle root (32 bytes).

    `extensions` are further lines that only the log understands; C2SP advises against having any.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lines = (self.origin, *self.extensions)
        if not all(lines) or any("\n" in line or _NOT_IN_A_NOTE.search(line) for line in lines):
            raise CheckpointError(
                "a checkpoint's lines are not empty and hold no control character"
            )
        if not _SIZE.fullmatch(str(self.size)):
            raise CheckpointError("a checkpoint's size counts leaves")
        if len(self.root) != HASH_BYTES:
            raise CheckpointError(f"a checkpoint's root is a hash of {HASH_BYTES} bytes")

    @property
    def text(self) -> str:
        """What is signed: a line each for origin, size, root in base64 and the extensions."""
        return "\n".join((self.origin, str(self.size), _base64(self.root), *self.extensions, ""))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a note; CheckpointError if it is no checkpoint."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise CheckpointError("a checkpoint has lines for its origin, size and root")
        origin, size, root, *extensions = lines[:-1]
        if not _SIZE.fullmatch(size):
            raise CheckpointError("the second line of a checkpoint is a count of leaves")
        return cls(origin, int(size), _read_base64(root, "a checkpoint's root"), tuple(extensions))


@dataclass(frozen=True)
class Signature:
    """One line below a note: whose key, its id, and the bytes it signed with (for a witness, time first)."""

    name: str
    key_id: bytes
    signed: bytes

    @property
    def line(self) -> str:
        """The line as it stands in the note, with its end."""
        return f"{_MARK}{self.name} {_base64(self.key_id + self.signed)}\n"


@dataclass(frozen=True)
class Note:
    """A text and its signatures (C2SP signed-note); the text ends in a newline."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        """The note as it is kept and sent."""
        return "\n".join((self.text, "".join(signature.line for signature in self.signatures)))

    @classmethod
    def parse(cls, note: str) -> Self:
        """Read a note; nothing of it is to be believed before `verify`. CheckpointError if it is none."""
        if _NOT_IN_A_NOTE.search(note):
            raise CheckpointError("a note holds no control characters")
        text, gap, below = note.rpartition("\n\n")
        if not gap or not text or not below.endswith("\n"):
            raise CheckpointError("a note is a text, an empty line and lines of signatures")
        lines = below.removesuffix("\n").split("\n")
        if len(lines) > MOST_SIGNATURES:
            raise CheckpointError(f"a note has at most {MOST_SIGNATURES} signatures")
        return cls(text + "\n", tuple(_read_signature(line) for line in lines))


@dataclass(frozen=True)
class _Verifier:
    """A key that is known: its name, its id, what it signs as, and the key."""

    name: str
    key_id: bytes
    kind: int
    key: Ed25519PublicKey

    def holds(self, text: str, signed: bytes) -> bool:
        """Whether this key signed that text."""
        message = text.encode()
        if self.kind == COSIGNATURE:
            time, signed = int.from_bytes(signed[:_TIME_BYTES]), signed[_TIME_BYTES:]
            message = f"cosignature/v1\ntime {time}\n".encode() + message
        try:
            self.key.verify(signed, message)
        except InvalidSignature:
            return False
        return True


def key_id(name: str, public: bytes, kind: int = ED25519) -> bytes:
    """The four bytes by which a note names a key: SHA-256(name ‖ 0x0A ‖ kind ‖ public key)[:4]."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_ID_BYTES]


def vkey(name: str, key: Ed25519PublicKey, kind: int = ED25519) -> str:
    """A public key as others are given it: `name+hex id+base64(kind ‖ key)`; `kind` COSIGNATURE for a witness."""
    _named(name)
    public = key.public_bytes_raw()
    return f"{name}+{key_id(name, public, kind).hex()}+{_base64(bytes([kind]) + public)}"


def sign(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey) -> str:
    """The checkpoint as a note with one signature, under the log's key name.

    The name is the origin or what the origin begins with, so that one key serves every segment of one log and
    no other log. CheckpointError otherwise.
    """
    _under(checkpoint.origin, name)
    return str(Note(checkpoint.text, (_signature(checkpoint.text, name, key),)))


def verify(note: str, vkeys: Iterable[str]) -> Checkpoint:
    """The checkpoint that a note states, once a known key of the log holds for it.

    `vkeys` are the log's, of now and of before; a witness's may be among them. A signature by a known key that
    does not hold spoils the note. CheckpointError says what is wrong.
    """
    read = Note.parse(note)
    logs = [verifier.name for verifier, _ in _held(read, vkeys) if verifier.kind == ED25519]
    if not logs:
        names = ", ".join(sorted({signature.name for signature in read.signatures}))
        raise CheckpointError(f"no key that is known signed the note; it names {names}")
    checkpoint = Checkpoint.parse(read.text)
    for name in logs:
        _under(checkpoint.origin, name)
    return checkpoint


def cosigners(note: str, vkeys: Iterable[str]) -> dict[str, int]:
    """The witnesses among `vkeys` that cosigned a note, each with when it did: seconds since 1970, its own clock.

    CheckpointError when a cosignature by one of them does not hold.
    """
    return {
        verifier.name: int.from_bytes(signature.signed[:_TIME_BYTES])
        for verifier, signature in _held(Note.parse(note), vkeys)
        if verifier.kind == COSIGNATURE
    }


def joined(note: str, other: str) -> str:
    """One note with the signatures of both, each once, the first one's in front.

    So a witness's answer is kept with the checkpoint it is about. CheckpointError when the texts differ.
    """
    first, second = Note.parse(note), Note.parse(other)
    if first.text != second.text:
        raise CheckpointError("the two notes do not say the same")
    return str(Note(first.text, tuple(dict.fromkeys(first.signatures + second.signatures))))


def _held(note: Note, vkeys: Iterable[str]) -> list[tuple[_Verifier, Signature]]:
    """The signatures by known keys, all of which hold."""
    known = {(key.name, key.key_id): key for key in map(_read_vkey, vkeys)}
    found = [
        (known[signature.name, signature.key_id], signature)
        for signature in note.signatures
        if (signature.name, signature.key_id) in known
    ]
    for verifier, signature in found:
        if not verifier.holds(note.text, signature.signed):
            raise CheckpointError(f"the signature of {verifier.name} does not hold for the note")
    return found


def _signature(text: str, name: str, key: Ed25519PrivateKey) -> Signature:
    _named(name)
    public = key.public_key().public_bytes_raw()
    return Signature(name, key_id(name, public), key.sign(text.encode()))


def _read_signature(line: str) -> Signature:
    words = line.removeprefix(_MARK).split(" ")
    if not line.startswith(_MARK) or len(words) != 2:
        raise CheckpointError("below a note stands a line that is no signature")
    name, said = words
    _named(name)
    signed = _read_base64(said, "a signature")
    if len(signed) <= _ID_BYTES:
        raise CheckpointError("a signature is longer than the id of its key")
    return Signature(name, signed[:_ID_BYTES], signed[_ID_BYTES:])


def _read_vkey(said: str) -> _Verifier:
    parts = said.split("+", 2)
    if len(parts) != 3:
        raise CheckpointError("a verifier key is a name, an id and a key, with + between them")
    name, stated, material = parts
    _named(name)
    kind, *public = _read_base64(material, "a verifier key") or b"\x00"
    if kind not in (ED25519, COSIGNATURE) or len(public) != HASH_BYTES:
        raise CheckpointError(f"the verifier key of {name} is not an Ed25519 key")
    if key_id(name, bytes(public), kind).hex() != stated:
        raise CheckpointError(f"the id in the verifier key of {name} is not that of its key")
    return _Verifier(
        name, bytes.fromhex(stated), kind, Ed25519PublicKey.from_public_bytes(bytes(public))
    )


def _named(name: str) -> None:
    if not name or "+" in name or _NOT_IN_A_NOTE.search(name) or any(map(str.isspace, name)):
        raise CheckpointError("a key's name is one word without +")


def _under(origin: str, name: str) -> None:
    if origin != name and not origin.startswith(f"{name}/"):
        raise CheckpointError(f"the key of {name} does not sign for {origin}")


def _base64(said: bytes) -> str:
    return base64.b64encode(said).decode()


def _read_base64(said: str, what: str) -> bytes:
    """Base64 in its one canonical form, or the same bytes could stand in two notes."""
    try:
        found = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckpointError(f"{what} is base64") from error
    if _base64(found) != said:
        raise CheckpointError(f"{what} is base64 in its one form")
    return found
