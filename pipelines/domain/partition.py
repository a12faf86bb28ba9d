"""Records that hang together, over arrays of numbers: components, and what splits one.

Belongs here: connected components, contradictions in one, building one up again without them. Does not
belong here: why two records are joined (`matching`, `resolution`), ids (`clusters`).
"""

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
"""One integer per record or pair: equal values have equal codes, -1 is no value."""


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


def contradicted(labels: Codes, left: Codes, right: Codes, exclusive: list[Codes]) -> Codes:
    """Labels of the components that hold a vetoed pair or two values of an exclusive attribute."""
    torn = [labels[left[labels[left] == labels[right]]]]
    for codes in exclusive:
        stated = codes >= 0
        width = int(codes.max(initial=0)) + 1
        values = np.unique(labels[stated] * width + codes[stated])
        owners, counts = np.unique(values // width, return_counts=True)
        torn.append(owners[counts > 1])
    return np.unique(np.concatenate(torn))


def built_up(
    nodes: Codes,
    edges: list[tuple[int, int]],
    vetoes: list[tuple[int, int]],
    exclusive: list[Codes],
) -> Codes:
    """Constrained agglomeration of a few contradictory components; returns a label per node.

    edges: strongest first. A merge that a veto or an exclusive attribute forbids is left out.
    """
    root = {n: n for n in nodes.tolist()}
    members = {n: {n} for n in root}
    enemies: dict[int, set[int]] = {n: set() for n in root}
    for a, b in vetoes:
        enemies[a].add(b)
        enemies[b].add(a)
    facts = {n: [int(codes[n]) for codes in exclusive] for n in root}
    for left, right in edges:
        a, b = root[left], root[right]
        if len(members[a]) < len(members[b]):
            a, b = b, a
        at_odds = any(x != y and x >= 0 and y >= 0 for x, y in zip(facts[a], facts[b], strict=True))
        if a == b or at_odds or not enemies[a].isdisjoint(members[b]):
            continue
        for node in members[b]:
            root[node] = a
        members[a] |= members.pop(b)
        enemies[a] |= enemies.pop(b)
        facts[a] = [max(x, y) for x, y in zip(facts[a], facts.pop(b), strict=True)]
    smallest = {a: min(of_a) for a, of_a in members.items()}
    return np.array([smallest[root[n]] for n in nodes.tolist()], dtype=np.int64)
