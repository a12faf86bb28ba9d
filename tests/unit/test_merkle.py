"""The tree is the RFC's: held against its own definitions, known answers and an implementation by other hands."""

from typing import NamedTuple

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import verifier
from pipelines.domain.merkle import (
    HASH_BYTES,
    Frontier,
    consistency_proof,
    inclusion_proof,
    joint_proof,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.unit import rfc9162

# the eight leaves by which implementations of Certificate Transparency compare themselves, and the roots
# over the first one, two … of them
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LARGEST = 70


class Head(NamedTuple):
    """What a checkpoint states of a tree."""

    size: int
    root: bytes


def tree(size: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(size)]


@st.composite
def places(draw: st.DrawFn) -> tuple[int, int]:
    """A leaf's index and the size of a tree that has it."""
    size = draw(st.integers(1, LARGEST))
    return draw(st.integers(0, size - 1)), size


@st.composite
def growths(draw: st.DrawFn) -> tuple[int, int]:
    """A tree's size before and after."""
    size = draw(st.integers(1, LARGEST))
    return draw(st.integers(1, size)), size


def pymerkle_tree(size: int) -> pymerkle.InmemoryTree:
    """The other tree; it counts its leaves from one, and its proofs open with the leaf itself."""
    other = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        other.append_entry(str(number).encode())
    return other


@pytest.mark.parametrize("size", range(len(ROOTS)))
def test_the_roots_are_those_that_certificate_transparency_knows(size: int) -> None:
    assert root([leaf_hash(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size]


def test_a_known_consistency_proof_is_found_and_held_for_true() -> None:
    hashes = [leaf_hash(leaf) for leaf in LEAVES]
    proof = consistency_proof(6, hashes)
    assert [node.hex() for node in proof] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        ROOTS[4],
    ]
    assert verify_consistency(6, root(hashes[:6]), 8, root(hashes), proof)


def test_a_leaf_is_not_taken_for_a_node() -> None:
    """Second preimage: the two hashes below a node are no leaf with that hash."""
    left, right = tree(2)
    assert leaf_hash(left + right) != root([left, right])


@given(st.integers(0, LARGEST))
def test_a_root_is_what_the_definition_says_and_what_others_compute(size: int) -> None:
    hashes = tree(size)
    assert root(hashes) == rfc9162.head(hashes)
    if size:
        assert root(hashes) == pymerkle_tree(size).get_root()


@given(st.lists(st.integers(0, 40), max_size=5))
def test_growing_by_pieces_comes_to_what_one_tree_is(pieces: list[int]) -> None:
    frontier, hashes = Frontier(), tree(sum(pieces))
    done = 0
    for piece in pieces:
        frontier = frontier.extended(hashes[done : done + piece])
        frontier = Frontier.from_bytes(frontier.to_bytes())
        done += piece
        assert frontier.root() == rfc9162.head(hashes[:done])
    assert frontier.size == len(hashes)


@pytest.mark.parametrize(
    "kept",
    [b"", b"\0" * 7, b"\0" * 8 + b"x" * 32, b"\0" * 7 + b"\x03" + b"x" * 32, b"\0" * 7 + b"\x01x"],
)
def test_what_is_no_frontier_is_refused(kept: bytes) -> None:
    with pytest.raises(ValueError):
        Frontier.from_bytes(kept)


@given(places())
def test_an_inclusion_proof_is_the_definitions_and_convinces_everybody(
    place: tuple[int, int],
) -> None:
    index, size = place
    hashes = tree(size)
    proof = inclusion_proof(index, hashes)
    assert proof == rfc9162.path(index, hashes)
    assert proof == pymerkle_tree(size).prove_inclusion(index + 1, size).path[1:]
    assert verify_inclusion(index, size, hashes[index], proof, root(hashes))


@given(st.integers(1, LARGEST), st.data())
def test_one_proof_for_many_leaves_names_no_node_twice_and_none_that_follows(
    size: int, data: st.DataObject
) -> None:
    indices = data.draw(st.sets(st.integers(0, size - 1), min_size=1))
    hashes = tree(size)
    proof = joint_proof(indices, hashes)
    alone = {node for index in indices for node in inclusion_proof(index, hashes)}
    assert len(proof) == len(set(proof))
    assert set(proof) <= alone
    assert not set(proof) & {hashes[index] for index in indices}
    known = {index: hashes[index] for index in indices}
    assert verifier.joint_root(known, size, proof) == root(hashes)


def test_of_every_leaf_there_is_nothing_to_add() -> None:
    assert joint_proof(range(13), tree(13)) == []


@given(growths())
def test_a_consistency_proof_is_the_definitions_and_convinces_everybody(
    growth: tuple[int, int],
) -> None:
    old, size = growth
    hashes = tree(size)
    proof = consistency_proof(old, hashes)
    assert proof == rfc9162.proof(old, hashes)
    assert verify_consistency(old, root(hashes[:old]), size, root(hashes), proof)


@given(places(), st.data())
def test_an_inclusion_proof_with_anything_changed_convinces_nobody(
    place: tuple[int, int], data: st.DataObject
) -> None:
    index, size = place
    hashes = tree(size)
    proof, head, leaf = inclusion_proof(index, hashes), root(hashes), hashes[index]
    wrong = st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES)
    assert not verify_inclusion(index, size, data.draw(wrong), proof, head)
    assert not verify_inclusion(index, size, leaf, proof, data.draw(wrong))
    assert not verify_inclusion(index, size, leaf, [*proof, data.draw(wrong)], head)
    assert not verify_inclusion(index + size, size, leaf, proof, head)
    assert not verify_inclusion(-1, size, leaf, proof, head)
    other = data.draw(st.integers(0, size - 1).filter(lambda at: at != index) | st.just(size))
    assert not verify_inclusion(other, size, leaf, proof, head)
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        changed = [*proof[:at], data.draw(wrong), *proof[at + 1 :]]
        assert not verify_inclusion(index, size, leaf, changed, head)
        assert not verify_inclusion(index, size, leaf, proof[:-1], head)


@given(growths(), st.data())
def test_a_rewritten_history_has_no_consistency_proof(
    growth: tuple[int, int], data: st.DataObject
) -> None:
    """Whichever one leaf of the old tree is another in the new one, the new one's own proof does not fit."""
    old, size = growth
    hashes = tree(size)
    at = data.draw(st.integers(0, old - 1))
    rewritten = [*hashes[:at], leaf_hash(b"rewritten"), *hashes[at + 1 :]]
    before = root(hashes[:old])
    proof = consistency_proof(old, rewritten)
    assert not verify_consistency(old, before, size, root(rewritten), proof)
    honest = consistency_proof(old, hashes)
    assert not verify_consistency(old, before, size, root(rewritten), honest)
    assert not verify_consistency(old, before, size, root(hashes), [*honest, before])
    assert not verify_consistency(size + 1, before, size, root(hashes), honest)
    if honest:
        assert not verify_consistency(old, before, size, root(hashes), honest[:-1])


@given(growths())
def test_a_proof_is_for_the_sizes_it_was_made_for(growth: tuple[int, int]) -> None:
    """Both roots fit, and the count of leaves is a lie."""
    old, size = growth
    hashes = tree(size)
    before, after = root(hashes[:old]), root(hashes)
    proof, path = consistency_proof(old, hashes), inclusion_proof(old - 1, hashes)
    assert not verify_consistency(old, before, size * 4 + 1, after, proof)
    assert not verify_inclusion(old - 1, size * 4 + 1, hashes[old - 1], path, after)


@given(growths(), st.integers(1, LARGEST), st.integers(1, LARGEST), st.booleans())
def test_the_verifier_judges_of_growth_as_we_do(
    growth: tuple[int, int], other: int, claimed: int, is_short: bool
) -> None:
    """Two that share no line: over true and false sizes, roots and proofs."""
    old, size = growth
    hashes = tree(LARGEST)
    proof = consistency_proof(old, hashes[:size])[: -1 if is_short else None]
    one = Head(other if claimed % 3 == 0 else old, root(hashes[:old]))
    two = Head(claimed if claimed % 2 else size, root(hashes[:size]))
    if one.size <= two.size:
        ours = verify_consistency(one.size, one.root, two.size, two.root, proof)
        assert verifier.is_beginning(one, two, proof) == ours  # type: ignore[arg-type]


def test_nothing_is_the_beginning_of_every_tree() -> None:
    head = root(tree(3))
    assert verify_consistency(0, root([]), 3, head, consistency_proof(0, tree(3)))
    assert not verify_consistency(0, head, 3, head, [])
    assert not verify_consistency(0, root([]), 3, head, [head])


@pytest.mark.parametrize("ask", [inclusion_proof, consistency_proof])
@pytest.mark.parametrize("beyond", [-1, 4])
def test_a_tree_proves_nothing_beyond_itself(ask: object, beyond: int) -> None:
    with pytest.raises(IndexError, match="the tree has 3 leaves"):
        ask(beyond, tree(3))  # type: ignore[operator]
