"""What is written down about a disclosure: the erasable detail, and the leaf that proves it.

Belongs here: what a leaf commits to, the commitment, the leaf's canonical text (PRIVACY §2.3). Does not belong
here: where either is kept (`store.disclosures`), who may be told what.

A leaf outlives the person's data, so it holds no part of it: only a salted commitment. Once detail and
salt are destroyed, the commitment is a random number, and every proof over the log still holds.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.domain.landing import canonical_json

SALT_BYTES = 32

LEAF_KINDS = frozenset(
    {
        "disclosure", "intent", "attempt", "delivered", "uncertain", "aborted", "acknowledged", "shadow",
        "lookup", "lookup_call", "rectified", "art19", "ban", "restricted", "erased", "refusal",
        "key-destroyed", "policy-change", "segment",
    }
)  # fmt: skip
LEAF_FACTS = frozenset(
    {
        "at",  # instant
        "e",  # random id of the detail
        "c",  # commitment to the detail
        "to",  # recipient
        "contract", "purpose", "basis", "ground", "operation", "notice", "mode",
        "statute",  # the law and section, where the ground is one (R20)
        "d",  # delivery id
        "run",  # step run
        "n",  # rows or people, a count
        "sequence",
        "accepted", "rejected",  # counts
        "fields",  # the contract's columns
        "mac",  # keyed digest of the payload; a plain one could be guessed back
        "receipt",  # hash of the receipt
        "segment", "previous", "root",  # calendar year, the one before, its final root; n: its size
        "key",  # public key that signs from here on
    }
)  # fmt: skip
_LONGEST_FACT = 200
_DIGEST = re.compile(r"[0-9a-f]{16,128}")
_DIGESTS = frozenset({"e", "c", "mac", "receipt", "root", "key"})


def commit(detail: Mapping[str, Any], salt: bytes) -> str:
    """SHA-256 of the salt and the canonical detail, in hex (R23, PRIVACY §2.3).

    Absent and None are the same. Raises ValueError for a salt that is not 32 bytes.
    """
    return commitment(salted(detail, salt))


def salted(detail: Mapping[str, Any], salt: bytes) -> bytes:
    """What is hashed for the commitment, and kept encrypted: the salt and the canonical detail.

    Raises ValueError for a salt that is not 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt is {SALT_BYTES} random bytes")
    stated = {name: value for name, value in detail.items() if value is not None}
    return salt + canonical_json(stated).encode()


def commitment(salted: bytes) -> str:
    """The commitment to a salted detail, in hex."""
    return hashlib.sha256(salted).hexdigest()


def unsalted(salted: bytes) -> tuple[bytes, dict[str, Any]]:
    """Salt and detail of a salted detail."""
    detail: dict[str, Any] = json.loads(salted[SALT_BYTES:])
    return salted[:SALT_BYTES], detail


def receipt_hash(delivery_id: str, receipt: Mapping[str, Any]) -> str:
    """What the leaf `delivered` says of a receipt (name and size of what stands there), in hex."""
    said = canonical_json({"d": delivery_id, "receipt": receipt})
    return hashlib.sha256(said.encode()).hexdigest()


def question(
    *,
    recipient: str,
    operation: str,
    purpose: str,
    subject: str | None,
    fields: Sequence[str] | None,
) -> Mapping[str, Any]:
    """What the leaf of a look-up commits to: who was asked, what for, about whom, and with which of their data.

    fields: None of what an older hub asked, whose leaves say nothing of them.
    """
    return {
        "recipient": recipient, "operation": operation, "purpose": purpose, "subject": subject,
        "fields": None if fields is None else list(fields),
    }  # fmt: skip


def leaf(kind: str, **facts: str | int | Sequence[str] | None) -> str:
    """One entry of the append-only log as canonical JSON: `{"t": kind, "v": 1, …facts}`, nulls left out.

    Facts have closed names and are short identifiers or counts, so that nothing about a person slips
    in under a name of its own. Raises ValueError naming the kind or fact, never its value.
    """
    if kind not in LEAF_KINDS:
        raise ValueError(f"the disclosure log has no kind {kind}")
    stated = {name: value for name, value in facts.items() if value is not None}
    for name, value in stated.items():
        if name not in LEAF_FACTS:
            raise ValueError(f"a leaf has no fact {name}")
        if name == "fields":
            continue  # column names of a contract
        if not isinstance(value, (str, int)) or len(str(value)) > _LONGEST_FACT:
            raise ValueError(f"the fact {name} of a leaf is a short identifier or a count")
        if name in _DIGESTS and not _DIGEST.fullmatch(str(value)):
            raise ValueError(f"the fact {name} of a leaf is a digest in lower-case hex")
    return canonical_json({"t": kind, "v": 1, **stated})


def leaves(
    kind: str, entries: Sequence[str], commitments: Sequence[str], **facts: str | int | None
) -> list[str]:
    """`leaf` for many details that differ in entry (`e`) and commitment (`c`) only.

    The facts they share are looked at once. Raises ValueError as `leaf` does.
    """
    e, c = "e" * 32, "c" * 64
    one = leaf(kind, e=e, c=c, **facts)
    if one.count(f'"{c}"') != 1 or one.count(f'"{e}"') != 1:
        raise ValueError("a fact shared by leaves looks like an entry or a commitment")
    if not _are_hex(entries, len(e)) or not _are_hex(commitments, len(c)):
        raise ValueError("the facts e and c of a leaf are digests in lower-case hex")
    before, rest = one.split(c)  # names are in order, and c comes before e
    between, after = rest.split(e)
    return [
        f"{before}{said}{between}{entry}{after}"
        for entry, said in zip(entries, commitments, strict=True)
    ]


def _are_hex(texts: Sequence[str], digits: int) -> bool:
    """Whether each is so many digits of lower-case hex; looked at all at once."""
    others = "".join(texts).encode("utf-8", "surrogatepass").translate(None, b"0123456789abcdef")
    return not others and {*map(len, texts)} <= {digits}
