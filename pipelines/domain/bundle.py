"""The proof of one person's disclosures as a file that can be checked away from the hub (R38, PRIVACY §2.5).

Belongs here: what stands in a bundle and in which form. Does not belong here: checking one (`pipelines.verifier`,
which shares no line with this), finding a person's entries (`store.disclosures`), the words for a person (`texts`).

`segments` have one proof each for all the leaves of the bundle that they hold (`merkle.joint_proof`), so that a
year of ordinary disclosures is some kilobytes.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.domain.checkpoint import Checkpoint
from pipelines.domain.landing import canonical_json
from pipelines.domain.merkle import consistency_proof, joint_proof

FORMAT = "register-hub disclosure bundle"
VERSION = 1


@dataclass(frozen=True)
class Sealed:
    """A segment as far as its newest checkpoint covers it.

    first_leaf: the number of its first leaf in the whole log. hashes: of its leaves, as many as `checkpoint` counts.
    note: the signed checkpoint, with the cosignatures that came in.
    """

    first_leaf: int
    checkpoint: Checkpoint
    note: str
    hashes: Sequence[bytes]


@dataclass(frozen=True)
class Entry:
    """One leaf of a bundle: its number in the whole log and its text; detail and salt if it is about the person."""

    leaf_no: int
    leaf: str
    detail: Mapping[str, Any] | None = None
    salt: bytes = b""


def bundle(
    entries: Sequence[Entry],
    states: Sequence[Entry],
    segments: Sequence[Sealed],
    *,
    vkeys: Sequence[str],
    language: str,
    made_at: str,
    words: Mapping[str, str],
    held: Sequence[Checkpoint] = (),
) -> dict[str, Any]:
    """What is written into the file, as JSON.

    entries: the person's own, each with detail and salt. states: what became of their deliveries. held: checkpoints
    that somebody kept; the bundle then proves that the log still begins as they say. words: code → what it means,
    which proves nothing. An entry that no checkpoint covers yet has no segment. Leaves and details are written as
    JSON; `domain.landing.canonical_json` of them is what the log hashed. Raises ValueError for a leaf of which it isn't.
    """
    placed = [(row, _place(row.leaf_no, segments)) for row in (*entries, *states)]
    consistent = [
        {"segment": number, "size": old.size, "proof": _joined(proof)}
        for old in held
        for number, sealed in enumerate(segments)
        if sealed.checkpoint.origin == old.origin and old.size <= sealed.checkpoint.size
        for proof in [consistency_proof(old.size, sealed.hashes)]
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "language": language,
        "made_at": made_at,
        "vkeys": list(vkeys),
        "segments": [
            {
                "note": sealed.note,
                "proof": _joined(
                    joint_proof(
                        [at[1] for _, at in placed if at and at[0] == number], sealed.hashes
                    )
                ),
            }
            for number, sealed in enumerate(segments)
        ],
        "entries": [
            {**_located(row, at), "salt": _base64(row.salt), "detail": dict(row.detail or {})}
            for row, at in placed[: len(entries)]
        ],
        "states": [_located(row, at) for row, at in placed[len(entries) :]],
        "held": consistent,
        "words": dict(words),
    }


def _place(leaf_no: int, segments: Sequence[Sealed]) -> tuple[int, int] | None:
    for number, sealed in enumerate(segments):
        if 0 <= leaf_no - sealed.first_leaf < sealed.checkpoint.size:
            return number, leaf_no - sealed.first_leaf
    return None


def _located(row: Entry, at: tuple[int, int] | None) -> dict[str, Any]:
    segment, index = at or (None, None)
    leaf = json.loads(row.leaf)
    if canonical_json(leaf) != row.leaf:
        raise ValueError(f"leaf {row.leaf_no} of the disclosure log is not canonical")
    return {"segment": segment, "index": index, "leaf": leaf}


def _joined(hashes: Sequence[bytes]) -> str:
    return _base64(b"".join(hashes))


def _base64(said: bytes) -> str:
    return base64.b64encode(said).decode()
