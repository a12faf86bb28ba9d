"""What hangs together: found over whole arrays at once, and the same as an edge at a time."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.partition import Codes, built_up, contradicted, forest, rebuilt_whole

NODES = 9
ENDS = st.tuples(st.integers(0, NODES - 1), st.integers(0, NODES - 1)).filter(lambda e: e[0] < e[1])
EDGES = st.dictionaries(ENDS, st.sampled_from((0.1, 0.4, 0.6, 0.91, 0.95, 0.995, 1.0)), max_size=25)
VETOES = st.sets(ENDS, max_size=6)
KEYS = st.lists(st.integers(-1, 2), min_size=NODES, max_size=NODES)


def ends(pairs: list[tuple[int, int]]) -> tuple[Codes, Codes]:
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return both[0].copy(), both[1].copy()


@settings(max_examples=200, deadline=None)
@given(st.lists(ENDS, max_size=30))
def test_a_forest_is_what_would_be_chosen_an_edge_after_the_other(
    edges: list[tuple[int, int]],
) -> None:
    tree = {node: {node} for node in range(NODES)}
    expected = []
    for a, b in edges:
        expected.append(b not in tree[a])
        both = tree[a] | tree[b]
        tree.update(dict.fromkeys(both, both))
    assert forest(NODES, *ends(edges)).tolist() == expected


def test_two_values_or_a_veto_tear_a_component_and_nothing_else_does() -> None:
    labels = np.array([0, 0, 2, 2, 4, 4, 6])
    keys = np.array([1, 2, 3, 3, -1, 1, 2])
    assert contradicted(labels, *ends([(4, 5), (5, 6)]), [keys]).tolist() == [0, 4]


@settings(max_examples=300, deadline=None)
@given(EDGES, VETOES, KEYS)
def test_wholes_come_to_the_same_as_an_edge_at_a_time(
    edges: dict[tuple[int, int], float], vetoes: set[tuple[int, int]], keys: list[int]
) -> None:
    codes = [np.array(keys, dtype=np.int64)]
    chance = np.array(list(edges.values()), dtype=np.float64)
    apart = ends(sorted(vetoes))
    strongest = sorted(edges, key=lambda edge: (-edges[edge], edge))
    expected = built_up(np.arange(NODES), ends(strongest), apart, codes)
    found = rebuilt_whole(NODES, ends(list(edges)), chance, apart, codes)
    assert found.tolist() == expected.tolist()
