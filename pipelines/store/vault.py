"""What the disclosure log holds of persons, encrypted so that it can be destroyed (PRIVACY §2.6).

Belongs here: keys of single persons, encryption, tokens to look people up by. Does not belong here: the
details themselves (`disclosures`), where the details key is kept (`pipelines.keys`).

Each holder (a customer, or whom a register was asked about) has a random seed in `disclosure_seed`; the key of
their details is HMAC-SHA-256 of it under the details key. So a detail needs three things to be read: its row,
its holder's seed, and a key that is in no database and no backup. Destroying any of them is enough.
"""

import hmac
import os
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from sqlalchemy import Connection

from pipelines.store import frames
from pipelines.store.tables import disclosure_seed

SEED_BYTES = 32
_NONCE_BYTES = 12
_TOKEN_DIGITS = 32


class Vault:
    """Encrypts and decrypts details; nothing shows the key it does so with."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __repr__(self) -> str:
        return "Vault(…)"

    def __reduce__(self) -> str:
        raise TypeError("the key is never written down by pickling")

    @property
    def fingerprint(self) -> str:
        """What the store keeps to recognise the key."""
        return self._digest(b"register-hub details").hex()

    @property
    def key_id(self) -> str:
        """Eight hex digits that name the key."""
        return self._digest(b"key-id").hex()[:8]

    def token(self, source: str, key: str) -> str:
        """An equality token of a register's key for a person: 32 hex digits, of no use without the key."""
        return self._digest(f"subject\0{source}\0{key}".encode()).hex()[:_TOKEN_DIGITS]

    def delivery_id(self, recipient: str, sequence: int, payload_sha256: str) -> str:
        """The name of a delivery: the same for the same bytes, and nobody can guess the bytes back from it."""
        said = f"delivery\0{recipient}\0{sequence}\0{payload_sha256}"
        return self._digest(said.encode()).hex()[:20]

    def encrypt(
        self,
        seeds: Mapping[str, bytes],
        holders: Sequence[str],
        entries: Sequence[str],
        plain: Sequence[bytes],
    ) -> list[bytes]:
        """Nonce and AES-256-GCM of each text, under its holder's key and bound to its entry."""
        random = os.urandom(_NONCE_BYTES * len(plain))
        nonces = [random[at : at + _NONCE_BYTES] for at in range(0, len(random), _NONCE_BYTES)]
        # all keys begin the same; the standard library's copies slower
        begun = HMAC(self._key, SHA256())
        begun.update(b"detail\0")
        sealed = []
        for nonce, holder, entry, text in zip(nonces, holders, entries, plain, strict=True):
            key = begun.copy()
            key.update(seeds[holder])
            cipher = AESGCM(key.finalize())
            sealed.append(nonce + cipher.encrypt(nonce, text, entry.encode()))
        return sealed

    def decrypt(self, seed: bytes | None, entry: str, sealed: bytes) -> bytes | None:
        """The text, or None when seed or detail are gone or are not what they were."""
        if seed is None:
            return None
        cipher = AESGCM(hmac.digest(self._key, b"detail\0" + seed, "sha256"))
        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], entry.encode())
        except (InvalidTag, ValueError):
            return None

    def _digest(self, message: bytes) -> bytes:
        return hmac.digest(self._key, message, "sha256")


def seeds_of(conn: Connection, holders: Sequence[str]) -> dict[str, bytes]:
    """Holder → seed; one is made for whoever has none."""
    asked = list(dict.fromkeys(holders))
    known = disclosure_seed.select().where(frames.one_of(conn, disclosure_seed.c.holder, asked))
    seeds: dict[str, bytes] = dict(frames.plain_rows(conn, known))
    new = [holder for holder in asked if holder not in seeds]
    random = os.urandom(SEED_BYTES * len(new))
    made = [random[at : at + SEED_BYTES] for at in range(0, len(random), SEED_BYTES)]
    frames.load(conn, disclosure_seed.name, ("holder", "seed"), zip(new, made, strict=True))
    seeds.update(zip(new, made, strict=True))
    return seeds
