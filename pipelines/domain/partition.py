"""Records that hang together, over arrays of numbers: components, and what splits one.

Belongs here: connected components, contradictions in one, building one up again without them. Does not
belong here: why two records are joined (`matching`, `resolution`), ids (`clusters`).
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
"""One integer per record or pair: equal values have equal codes, -1 is no value."""
Flags = npt.NDArray[np.bool_]

STRONG = (0.5, 0.9, 0.99)
"""Chances from which nodes that contradict nothing are taken together before others are looked at."""


def components(size: int, left: Codes, right: Codes) -> Codes:
    """The smallest member of each node's component, by hooking roots and halving paths over arrays."""
    root = np.arange(size, dtype=np.int64)
    while True:
        a, b = root[left], root[right]
        open_ = a != b
        if not open_.any():
            return root
        np.minimum.at(root, np.maximum(a, b)[open_], np.minimum(a, b)[open_])
        while not np.array_equal(root, onward := root[root]):
            root = onward


def forest(size: int, left: Codes, right: Codes) -> Flags:
    """Which edges join what edges before them have not joined; the edges stand in order of precedence.

    What an edge after the other would choose is one spanning forest only, so every tree may pick the first of
    its edges at once, until none is left (Borůvka).
    """
    chosen = np.zeros(len(left), dtype=bool)
    rank = np.flatnonzero(left != right)
    a, b = left[rank], right[rank]
    while len(rank):
        first = np.full(size, len(left))
        np.minimum.at(first, a, rank)
        np.minimum.at(first, b, rank)
        picked = (first[a] == rank) | (first[b] == rank)
        chosen[rank[picked]] = True
        tree = components(size, a[picked], b[picked])
        a, b = tree[a], tree[b]
        between = a != b
        a, b, rank = a[between], b[between], rank[between]
    return chosen


def contradicted(labels: Codes, left: Codes, right: Codes, exclusive: list[Codes]) -> Codes:
    """Labels of the components that hold a vetoed pair or two values of an exclusive attribute."""
    torn = [labels[left[labels[left] == labels[right]]]]
    for codes in exclusive:
        stated = np.flatnonzero(codes >= 0)
        of, code = labels[stated], codes[stated]
        highest = np.full(len(labels), -1, dtype=np.int64)
        np.maximum.at(highest, of, code)
        torn.append(of[code < highest[of]])
    return np.unique(np.concatenate(torn))


def built_up(
    nodes: Codes,
    edges: tuple[Codes, Codes],
    vetoes: tuple[Codes, Codes],
    exclusive: list[Codes],
) -> Codes:
    """Constrained agglomeration of a few contradictory components; returns a label per node.

    nodes: ascending. edges, vetoes: their two ends; edges strongest first. A merge that a veto or an
    exclusive attribute forbids is left out.
    """
    size = len(nodes)
    root, members = list(range(size)), [[n] for n in range(size)]
    enemies: dict[int, set[int]] = {}
    for a, b in _placed(nodes, vetoes):
        enemies.setdefault(a, set()).add(b)
        enemies.setdefault(b, set()).add(a)
    facts = [codes[nodes].tolist() for codes in exclusive]
    for left, right in _placed(nodes, edges):
        a, b = root[left], root[right]
        if a == b:
            continue
        if len(members[a]) < len(members[b]):
            a, b = b, a
        hated = enemies.get(a, set())
        if not hated.isdisjoint(members[b]):
            continue
        if any(of[a] != of[b] and of[a] >= 0 and of[b] >= 0 for of in facts):
            continue
        for node in members[b]:
            root[node] = a
        members[a] += members[b]
        members[b] = []
        if b in enemies:
            enemies[a] = hated | enemies.pop(b)
        for of in facts:
            of[a] = max(of[a], of[b])
    labels = np.array(root, dtype=np.int64)
    smallest = np.full(size, size, dtype=np.int64)
    np.minimum.at(smallest, labels, np.arange(size))
    return nodes[smallest[labels]]


def rebuilt_whole(
    size: int,
    edges: tuple[Codes, Codes],
    chance: npt.NDArray[np.float64],
    vetoes: tuple[Codes, Codes],
    exclusive: list[Codes],
) -> Codes:
    """Contradictory components as `built_up` leaves them from the likeliest edge down; a label per node.

    What hangs together by strong edges and holds no contradiction is one whole by the time that weaker edges
    come up, so that only wholes have to be built up an edge at a time.
    """
    left, right = edges
    whole = np.arange(size)
    open_ = np.ones(size, dtype=bool)
    for level in STRONG:
        strong = (chance >= level) & open_[left]
        labels = components(size, left[strong], right[strong])
        torn = np.zeros(size, dtype=bool)
        torn[contradicted(labels, *vetoes, [np.where(open_, codes, -1) for codes in exclusive])] = (
            True
        )
        sound = open_ & ~torn[labels]
        whole[sound] = labels[sound]
        open_ &= ~sound
    left, right = whole[left], whole[right]
    between = left != right
    order = np.lexsort((edges[1][between], edges[0][between], -chance[between]))
    most = [np.full(size, -1) for _ in exclusive]
    for of_whole, codes in zip(most, exclusive, strict=True):
        np.maximum.at(of_whole, whole, codes)
    wholes, which = np.unique(whole, return_inverse=True)
    joined = built_up(
        wholes,
        (left[between][order], right[between][order]),
        (whole[vetoes[0]], whole[vetoes[1]]),
        most,
    )
    return np.asarray(joined[which], dtype=np.int64)


def _placed(nodes: Codes, ends: tuple[Codes, Codes]) -> Iterator[tuple[int, int]]:
    """The ends of pairs as places among the nodes."""
    one, other = (np.searchsorted(nodes, end).tolist() for end in ends)
    return zip(one, other, strict=True)
