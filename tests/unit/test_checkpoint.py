"""A checkpoint is a note that others can read, and nobody else can sign."""

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    CheckpointError,
    Note,
    Signature,
    cosigners,
    joined,
    key_id,
    sign,
    verify,
    vkey,
)

LOG = "register-hub.example/disclosures"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = vkey(LOG, KEY.public_key())
STRANGER = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
WITNESS = "witness.example/w1"
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
WITNESS_VKEY = vkey(WITNESS, WITNESS_KEY.public_key(), COSIGNATURE)
CHECKPOINT = Checkpoint(f"{LOG}/2026", 4711, bytes(range(32)))
NOTE = sign(CHECKPOINT, LOG, KEY)

# golang.org/x/mod/sumdb/note, the example of its documentation
GO_SEED = "EKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_NAME = "PeterNeumann"
GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_NOTE = f"{GO_TEXT}\n— {GO_NAME} " + (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def cosigned(
    note: str, time: int, key: Ed25519PrivateKey = WITNESS_KEY, name: str = WITNESS
) -> str:
    """What a witness answers: the note, with its own line (C2SP tlog-cosignature, Ed25519)."""
    text = Note.parse(note).text
    signed = key.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
    its_id = key_id(name, key.public_key().public_bytes_raw(), COSIGNATURE)
    return f"{note}{Signature(name, its_id, time.to_bytes(8) + signed).line}"


def test_a_key_is_named_as_go_names_it() -> None:
    public = base64.b64decode(GO_VKEY.split("+", 2)[2])[1:]
    assert key_id(GO_NAME, public).hex() == "c74f20a3"


def test_the_note_of_the_go_documentation_is_read_and_its_signature_holds() -> None:
    """It is a note but no checkpoint: its signature is looked at first."""
    with pytest.raises(CheckpointError, match="lines for its origin"):
        verify(GO_NOTE, [GO_VKEY])
    with pytest.raises(CheckpointError, match="does not hold"):
        verify(GO_NOTE.replace("answer", "Answer"), [GO_VKEY])
    assert str(Note.parse(GO_NOTE)) == GO_NOTE
    assert Note.parse(GO_NOTE).text == GO_TEXT


def test_a_checkpoint_comes_back_as_it_was_signed() -> None:
    assert verify(NOTE, [VKEY]) == CHECKPOINT
    assert NOTE.startswith(
        f"{LOG}/2026\n4711\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\n— {LOG} "
    )


@given(
    st.text(st.characters(min_codepoint=33, exclude_categories=["Cs"]), min_size=1),
    st.integers(0, 2**62),
    st.binary(min_size=32, max_size=32),
)
def test_any_checkpoint_comes_back_as_it_was_signed(origin: str, size: int, head: bytes) -> None:
    said = Checkpoint(f"{LOG}/{origin}", size, head, ("extension line",))
    assert verify(sign(said, LOG, KEY), [VKEY]) == said


@given(st.data())
def test_a_note_with_any_byte_changed_is_refused(data: st.DataObject) -> None:
    raw = NOTE.encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    changed = bytearray(raw)
    changed[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))
    try:
        note = changed.decode()
    except UnicodeDecodeError:
        return
    with pytest.raises(CheckpointError):
        verify(note, [VKEY])


@given(st.data())
def test_a_verifier_key_with_any_byte_changed_verifies_nothing(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(VKEY) - 1))
    other = data.draw(st.characters(max_codepoint=126).filter(lambda c: c != VKEY[at]))
    with pytest.raises(CheckpointError):
        verify(NOTE, [VKEY[:at] + other + VKEY[at + 1 :]])


def test_a_note_by_a_stranger_is_refused_though_it_bears_the_logs_name() -> None:
    with pytest.raises(CheckpointError, match=f"no key that is known .* names {LOG}"):
        verify(sign(CHECKPOINT, LOG, STRANGER), [VKEY])
    with pytest.raises(CheckpointError, match="no key that is known"):
        verify(NOTE, [])


def test_after_a_change_of_keys_old_and_new_notes_verify() -> None:
    """Rotation: the old public key is kept beside the new one."""
    new = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
    keys = [VKEY, vkey(LOG, new.public_key())]
    assert verify(NOTE, keys) == verify(sign(CHECKPOINT, LOG, new), keys) == CHECKPOINT


def test_a_key_signs_for_its_own_log_only() -> None:
    for origin in ("other.example/disclosures/2026", f"{LOG}x", LOG.removesuffix("s")):
        with pytest.raises(CheckpointError, match="does not sign for"):
            sign(Checkpoint(origin, 1, bytes(32)), LOG, KEY)
    foreign = sign(Checkpoint("other.example", 1, bytes(32)), "other.example", KEY)
    text, _, line = foreign.rpartition("\n\n")
    its_id = key_id(LOG, KEY.public_key().public_bytes_raw())
    signed = Note.parse(foreign).signatures[0].signed
    renamed = f"{text}\n\n{Signature(LOG, its_id, signed).line}"
    with pytest.raises(CheckpointError, match="does not sign for other.example"):
        verify(renamed, [VKEY])
    assert line


def test_a_witness_is_believed_and_says_when() -> None:
    note = cosigned(NOTE, 1_780_000_000)
    assert verify(note, [VKEY, WITNESS_VKEY]) == CHECKPOINT
    assert cosigners(note, [VKEY, WITNESS_VKEY]) == {WITNESS: 1_780_000_000}


def test_a_witness_alone_does_not_make_a_checkpoint() -> None:
    text, _, _ = cosigned(NOTE, 1).rpartition("\n\n")
    alone = f"{text}\n\n" + Note.parse(cosigned(NOTE, 1)).signatures[1].line
    with pytest.raises(CheckpointError, match="no key that is known"):
        verify(alone, [VKEY, WITNESS_VKEY])


def test_a_cosignature_by_an_unknown_witness_is_kept_and_says_nothing() -> None:
    note = cosigned(NOTE, 1, STRANGER, "stranger.example")
    assert verify(note, [VKEY, WITNESS_VKEY]) == CHECKPOINT
    assert cosigners(note, [VKEY, WITNESS_VKEY]) == {}
    assert "stranger.example" in str(Note.parse(note))


def test_a_cosignature_moved_in_time_or_to_another_note_is_refused() -> None:
    read = Note.parse(cosigned(NOTE, 1000))
    theirs = read.signatures[1]
    moved = Signature(theirs.name, theirs.key_id, (1001).to_bytes(8) + theirs.signed[8:])
    for note in (
        str(Note(read.text, (read.signatures[0], moved))),
        sign(Checkpoint(f"{LOG}/2026", 4712, bytes(32)), LOG, KEY) + theirs.line,
        NOTE + Signature(theirs.name, theirs.key_id, b"short").line,
    ):
        with pytest.raises(CheckpointError, match=f"signature of {WITNESS} does not hold"):
            cosigners(note, [VKEY, WITNESS_VKEY])
        with pytest.raises(CheckpointError, match=f"signature of {WITNESS} does not hold"):
            verify(note, [VKEY, WITNESS_VKEY])


def test_witnesses_answers_are_joined_each_once() -> None:
    one, two = cosigned(NOTE, 1), cosigned(NOTE, 2, STRANGER, "stranger.example")
    both = joined(joined(one, two), two)
    assert [s.name for s in Note.parse(both).signatures] == [LOG, WITNESS, "stranger.example"]
    assert verify(both, [VKEY, WITNESS_VKEY]) == CHECKPOINT
    with pytest.raises(CheckpointError, match="do not say the same"):
        joined(one, sign(Checkpoint(f"{LOG}/2026", 4712, bytes(32)), LOG, KEY))


@pytest.mark.parametrize(
    ("note", "why"),
    [
        ("", "a text, an empty line"),
        ("text\n", "a text, an empty line"),
        ("text\n\n", "a text, an empty line"),
        (NOTE.removesuffix("\n"), "a text, an empty line"),
        (NOTE.replace("— ", "- "), "no signature"),
        (NOTE + "— onlyaname\n", "no signature"),
        (NOTE + "— two words AAAA\n", "no signature"),
        (NOTE + "— a+b AAAAAAAA\n", "one word without"),
        (NOTE + "— name !!!!\n", "base64"),
        (NOTE + "— name AAAAAAB=\n", "one form"),
        (NOTE + "— name AAAAAA==\n", "longer than the id"),
        (NOTE.replace("4711", "4711\r"), "control characters"),
        (NOTE.replace("4711", "4711\ud800"), "control characters"),
        (NOTE + "— name AAAAAAAA\n" * 100, "at most 100"),
    ],
)
def test_what_is_no_note_is_refused_with_the_reason(note: str, why: str) -> None:
    with pytest.raises(CheckpointError, match=why):
        verify(note, [VKEY])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("origin\n1\n", "origin, size and root"),
        ("origin\n01\nAAAA\n", "count of leaves"),
        ("origin\n-1\nAAAA\n", "count of leaves"),
        ("origin\n1\nAAAA\n", "hash of 32 bytes"),
        ("origin\n1\n!\n", "base64"),
        (f"\n1\n{'A' * 43}=\n", "not empty"),
        (f"origin\n1\n{'A' * 43}=\n\n", "not empty"),
    ],
)
def test_what_is_no_checkpoint_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(CheckpointError, match=why):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    "said",
    ["", "name", "name+00", f"x{VKEY}", VKEY.replace("+AQ", "+BQ"), VKEY[:-4], f"{VKEY}AAAA"],
)
def test_what_is_no_verifier_key_is_refused(said: str) -> None:
    with pytest.raises(CheckpointError, match="verifier key|one word"):
        verify(NOTE, [said])


def test_an_error_shows_no_signature_and_no_key() -> None:
    with pytest.raises(CheckpointError) as told:
        verify(NOTE.replace("4711", "4712"), [VKEY])
    assert not re.search(r"[A-Za-z0-9+/]{40}", str(told.value))
