"""What proves the log convinces a program that knows nothing of ours (metamorphic-log, Rust)."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.checkpoint import COSIGNATURE, Checkpoint, Note, Signature, key_id, sign, vkey
from pipelines.domain.merkle import consistency_proof, inclusion_proof, leaf_hash, root

elsewhere = pytest.importorskip("metamorphic_log", reason="it is built for Linux")

LOG = "register-hub.example/disclosures"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEYS = [vkey(LOG, KEY.public_key())]


def note_over(hashes: list[bytes]) -> str:
    return sign(Checkpoint(f"{LOG}/2026", len(hashes), root(hashes)), LOG, KEY)


@given(st.integers(1, 70), st.data())
def test_a_proof_holds_elsewhere_against_our_signed_checkpoint(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    hashes = [leaf_hash(bytes([number])) for number in range(size)]
    note, proof = note_over(hashes), inclusion_proof(index, hashes)
    head = elsewhere.checkpoint_verify(note, VKEYS)
    assert (head.origin, head.size, head.root) == (f"{LOG}/2026", size, root(hashes))
    elsewhere.checkpoint_verify_inclusion(note, VKEYS, index, hashes[index], proof)
    with pytest.raises(elsewhere.VerifyError):
        elsewhere.checkpoint_verify_inclusion(note, VKEYS, index, leaf_hash(b"other"), proof)


@given(st.integers(1, 70), st.data())
def test_a_log_that_only_grew_is_seen_to_elsewhere(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    hashes = [leaf_hash(bytes([number])) for number in range(size)]
    proof = consistency_proof(old, hashes)
    elsewhere.verify_consistency(old, size, proof, root(hashes[:old]), root(hashes))
    with pytest.raises(elsewhere.VerifyError):
        elsewhere.verify_consistency(old, size, proof, leaf_hash(b"other"), root(hashes))


def test_who_knows_no_witnesses_believes_a_cosigned_note_all_the_same() -> None:
    note = note_over([leaf_hash(b"leaf")])
    name = "witness.example/w1"
    witness = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
    signed = witness.sign(f"cosignature/v1\ntime 1\n{Note.parse(note).text}".encode())
    its_id = key_id(name, witness.public_key().public_bytes_raw(), COSIGNATURE)
    cosigned = note + Signature(name, its_id, (1).to_bytes(8) + signed).line
    assert elsewhere.verify_signed_note(cosigned, VKEYS) == 1
