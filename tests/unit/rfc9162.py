"""RFC 9162 §2.1 as it is written there, recursions and all: slow, and to be compared with the text line by line."""

from hashlib import sha256


def _split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def head(d: list[bytes]) -> bytes:
    """MTH over leaf hashes."""
    n = len(d)
    if n == 0:
        return sha256().digest()
    if n == 1:
        return d[0]
    k = _split(n)
    return sha256(b"\x01" + head(d[:k]) + head(d[k:])).digest()


def path(m: int, d: list[bytes]) -> list[bytes]:
    """PATH(m, D_n)."""
    n = len(d)
    if n == 1:
        return []
    k = _split(n)
    if m < k:
        return [*path(m, d[:k]), head(d[k:])]
    return [*path(m - k, d[k:]), head(d[:k])]


def proof(m: int, d: list[bytes]) -> list[bytes]:
    """PROOF(m, D_n)."""
    return _subproof(m, d, True)


def _subproof(m: int, d: list[bytes], b: bool) -> list[bytes]:
    n = len(d)
    if m == n:
        return [] if b else [head(d)]
    k = _split(n)
    if m <= k:
        return [*_subproof(m, d[:k], b), head(d[k:])]
    return [*_subproof(m - k, d[k:], False), head(d[:k])]
