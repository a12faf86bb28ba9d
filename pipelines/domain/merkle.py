"""The Merkle tree over the disclosure log: roots, and proofs that a leaf is in it or that it only grew.

Belongs here: RFC 9162 §2.1 with SHA-256, over hashes of leaves. Does not belong here: what a leaf says
(`domain.disclosure`), signed roots (`domain.checkpoint`), where hashes are kept (`store`).

A tree is worked level by level, whole levels at a time; a node without a sibling is carried up as it is,
which gives the RFC's tree for every size.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_BYTES = 32
_SIZE_BYTES = 8


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf, 32 bytes: SHA-256(0x00 ‖ data), RFC 9162 §2.1.1."""
    return sha256(b"\x00" + data).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _pairs(level: Sequence[bytes]) -> list[bytes]:
    """The parents of a level; an odd last one has none yet."""
    return [
        sha256(b"\x01" + left + right).digest()
        for left, right in zip(level[::2], level[1::2], strict=False)
    ]


@dataclass(frozen=True)
class Frontier:
    """A tree as far as growing it needs: the roots of its complete subtrees, largest first.

    There is one peak for each bit set in `size`, so at most 64; ValueError for another number.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves has another number of peaks")
        if any(len(peak) != HASH_BYTES for peak in self.peaks):
            raise ValueError(f"a peak is a hash of {HASH_BYTES} bytes")

    def extended(self, hashes: Sequence[bytes]) -> "Frontier":
        """The tree with leaf hashes added at its end; costs about one hash for each."""
        waiting, kept, level = list(self.peaks), [], list(hashes)
        height = 0
        while level or waiting:
            if self.size >> height & 1:
                level.insert(0, waiting.pop())
            if len(level) & 1:
                kept.append(level.pop())
            level = _pairs(level)
            height += 1
        return Frontier(self.size + len(hashes), tuple(reversed(kept)))

    def root(self) -> bytes:
        """The root, 32 bytes; of no leaves the hash of nothing (RFC 9162 §2.1.1)."""
        if not self.peaks:
            return sha256(b"").digest()
        *others, found = self.peaks
        for peak in reversed(others):
            found = _node(peak, found)
        return found

    def to_bytes(self) -> bytes:
        """The size in eight bytes, big-endian, and the peaks."""
        return self.size.to_bytes(_SIZE_BYTES) + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, kept: bytes) -> "Frontier":
        """Read what `to_bytes` wrote; ValueError for anything else."""
        size = int.from_bytes(kept[:_SIZE_BYTES])
        peaks = range(_SIZE_BYTES, len(kept), HASH_BYTES)
        if len(kept) < _SIZE_BYTES:
            raise ValueError("a frontier begins with its size")
        return cls(size, tuple(kept[at : at + HASH_BYTES] for at in peaks))


def root(hashes: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, 32 bytes (RFC 9162 §2.1.1)."""
    return Frontier().extended(hashes).root()


def joint_proof(indices: Collection[int], hashes: Sequence[bytes]) -> list[bytes]:
    """That the leaves at all these indices are in the tree over `hashes`: the nodes that can't be computed.

    Level by level from the leaves, left to right, each node once; of one leaf it is its inclusion proof. Of
    several it is shorter than theirs together. IndexError for an index that the tree does not have.
    """
    if any(not 0 <= index < len(hashes) for index in indices):
        raise IndexError(f"the tree has {len(hashes)} leaves")
    known, proof, level = sorted(set(indices)), [], list(hashes)
    while known and len(level) > 1:
        beside = {index ^ 1 for index in known}.difference(known)
        proof += [level[sibling] for sibling in sorted(beside) if sibling < len(level)]
        level = _next(level)
        known = sorted({index >> 1 for index in known})
    return proof


def _next(level: Sequence[bytes]) -> list[bytes]:
    """The level above, an odd last node carried up."""
    return [*_pairs(level), *(level[-1:] if len(level) & 1 else ())]


def inclusion_proof(index: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH(index, D_n) of RFC 9162 §2.1.3.1, nearest sibling first. IndexError as `joint_proof`."""
    return joint_proof((index,), hashes)


def consistency_proof(old_size: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PROOF(old_size, D_n) of RFC 9162 §2.1.4.1: that the tree of `old_size` leaves is the beginning of this.

    Empty for a tree of the same size, and for one without leaves, which begins every tree. IndexError when the
    tree has fewer leaves.
    """
    if not 0 <= old_size <= len(hashes):
        raise IndexError(f"the tree has {len(hashes)} leaves")
    if old_size in (0, len(hashes)):
        return []
    last, proof, level, started = old_size - 1, [], list(hashes), False
    while len(level) > 1:
        # up to the largest complete subtree that ends where the old tree ended; if that is all of the old
        # tree, whoever verifies has its root
        if not started and not last & 1:
            started = True
            proof += [level[last]] if last else []
        if started and (sibling := last ^ 1) < len(level):
            proof.append(level[sibling])
        level = _next(level)
        last >>= 1
    return proof


def verify_inclusion(
    index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes], root: bytes
) -> bool:
    """Whether the leaf is at that index of the tree with that size and root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf_hash
    for sibling in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = _node(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = _node(found, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of `old_size` and `old_root` is the beginning of the other (RFC 9162 §2.1.4.2)."""
    if not 0 <= old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == root
    if old_size == 0:
        return not proof and old_root == sha256(b"").digest()
    path = list(proof) if old_size & old_size - 1 else [old_root, *proof]
    if not path:
        return False
    at, last = old_size - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = _node(sibling, before), _node(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = _node(after, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == root
