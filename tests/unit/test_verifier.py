"""A person checks a bundle without the hub: what is proven, and that nothing else is."""

import ast
import base64
import copy
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from pipelines import verifier
from pipelines.domain.bundle import Entry, Sealed, bundle
from pipelines.domain.checkpoint import (
    COSIGNATURE,
    Checkpoint,
    Note,
    Signature,
    key_id,
    sign,
    vkey,
)
from pipelines.domain.disclosure import commit, leaf
from pipelines.domain.landing import canonical_json
from pipelines.domain.merkle import leaf_hash, root
from pipelines.texts import Language

LOG = "register-hub.example/disclosures"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
VKEY = vkey(LOG, KEY.public_key())
WITNESS = "witness.example/w1"
WITNESS_KEY = Ed25519PrivateKey.from_private_bytes(b"w" * 32)
WITNESS_VKEY = vkey(WITNESS, WITNESS_KEY.public_key(), COSIGNATURE)
MADE = {
    "vkeys": [VKEY],
    "language": "fi",
    "made_at": "2026-11-04T07:00:00Z",
    "words": {"billing": "laskutus", "street_line": "katuosoite"},
}


def hex_of(number: int, length: int) -> str:
    return f"{number:0{length}x}"


def told(number: int, delivery: str, **row: str) -> Entry:
    """One row that was told about the person, and its leaf."""
    detail, salt = {"customer_number": "000017", **row}, bytes([number]) * 32
    line = leaf(
        "disclosure",
        e=hex_of(number, 32),
        c=commit(detail, salt),
        to="finance",
        contract="finance@1",
        purpose="billing",
        basis="contract",
        ground="billing",
        d=delivery,
        notice="2021-05-18",
    )
    return Entry(number, line, detail, salt)


def asked(number: int, operation: str = "muutokset") -> Entry:
    detail = {
        "recipient": "dvv",
        "operation": operation,
        "purpose": "maintain_register",
        "subject": "000017",
    }
    salt = bytes([number % 256]) * 32
    line = leaf(
        "lookup",
        e=hex_of(number, 32),
        c=commit(detail, salt),
        to="dvv",
        purpose="maintain_register",
        basis="contract",
        operation=operation,
        notice="2021-05-18",
    )
    return Entry(number, line, detail, salt)


def log_of(rows: list[Entry], size: int) -> list[bytes]:
    """Hashes of a log in which those leaves stand at their numbers, and others' everywhere else."""
    own = {row.leaf_no: row.leaf for row in rows}
    return [leaf_hash(own.get(number, f"leaf {number}").encode()) for number in range(size)]


def sealed(hashes: list[bytes], segment: str = "2026", first: int = 0) -> Sealed:
    head = Checkpoint(f"{LOG}/{segment}", len(hashes), root(hashes))
    return Sealed(first, head, sign(head, LOG, KEY), hashes)


ENTRIES = [asked(3), told(40, "d1", street_line="Kuusitie 5"), told(77, "d2")]
STATES = [
    Entry(45, leaf("attempt", d="d1")),
    Entry(46, leaf("delivered", d="d1")),
    Entry(50, leaf("acknowledged", d="d1", accepted=9, rejected=0)),
    Entry(80, leaf("aborted", d="d2")),
]
HASHES = log_of([*ENTRIES, *STATES], 100)
BUNDLE = bundle(ENTRIES, STATES, [sealed(HASHES)], **MADE)


def report(
    said: dict[str, Any], keys: tuple[str, ...] = (VKEY,), notes: tuple[str, ...] = ()
) -> verifier.Report:
    raw = json.dumps(said, ensure_ascii=False).encode()
    return verifier.Report(verifier.read(raw), [verifier.Key(key) for key in keys], notes)


def is_refused(said: dict[str, Any]) -> bool:
    try:
        return report(said).failures > 0
    except verifier.Refused:
        return True


# --- what is proven -----------------------------------------------------------------------------------


def test_r38_everything_that_was_told_is_proven_and_what_became_of_it() -> None:
    """R38: verified offline, from the bundle and the log's key alone."""
    found = report(BUNDLE)
    text = "\n".join(found.lines)
    assert found.failures == 0
    assert text.count("TODISTETTU: ") == 3
    assert "toimitus [d1]: lähetys aloitettu; toimitettu; vastaanottaja kuitannut" in text
    assert "toimitus [d2]: peruttu , ei lähetetty" in text
    assert "miksi: laskutus [billing]" in text
    assert "katuosoite [street_line]: Kuusitie 5" in text
    assert found.lines[-1] == "Kaikki 3 merkintää on todistettu: ne ovat lokissa juuri näin."


@pytest.mark.parametrize(
    ("language", "word"), [("sv", "BEVISAT"), ("en", "PROVEN"), ("xx", "PROVEN")]
)
def test_the_report_is_in_the_language_of_the_bundle(language: str, word: str) -> None:
    assert f"1. {word}: " in "\n".join(report(BUNDLE | {"language": language}).lines)


@pytest.mark.parametrize("entry", verifier.WORDS)
def test_the_verifier_has_its_words_in_every_language(entry: str) -> None:
    assert set(verifier.WORDS[entry]) == set(get_args(Language))


def test_a_delivery_of_which_no_end_is_proven_is_not_said_to_have_ended() -> None:
    said = bundle(ENTRIES, [], [sealed(HASHES)], **MADE)
    assert "ei todistetta siitä, että se olisi lähetetty" in "\n".join(report(said).lines)


def test_entries_of_two_years_are_proven_each_in_its_own_segment() -> None:
    later = told(120, "d9")
    new = [leaf_hash(b"segment"), *[leaf_hash(later.leaf.encode())] * 1, leaf_hash(b"x")]
    said = bundle(
        [*ENTRIES, later], STATES, [sealed(HASHES), sealed(new, "2027", first=119)], **MADE
    )
    assert report(said).failures == 0


def test_a_witness_is_named_when_its_key_is_given() -> None:
    read = Note.parse(BUNDLE["segments"][0]["note"])
    signed = WITNESS_KEY.sign(f"cosignature/v1\ntime 1793771100\n{read.text}".encode())
    its_id = key_id(WITNESS, WITNESS_KEY.public_key().public_bytes_raw(), COSIGNATURE)
    line = Signature(WITNESS, its_id, (1793771100).to_bytes(8) + signed).line
    said = copy.deepcopy(BUNDLE)
    said["segments"][0]["note"] += line
    assert "Todistaja witness.example/w1 on nähnyt sen 2026-11-04 " in "\n".join(
        report(said, (VKEY, WITNESS_VKEY)).lines
    )
    assert report(said).failures == 0  # whoever does not know the witness believes the log alone
    later = Signature(WITNESS, its_id, (1793771101).to_bytes(8) + signed).line
    said["segments"][0]["note"] = said["segments"][0]["note"].replace(line, later)
    assert report(said, (VKEY, WITNESS_VKEY)).failures > 0


# --- a checkpoint kept from earlier -------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 41, 64, 99, 100])
def test_a_log_that_only_grew_begins_as_an_earlier_checkpoint_said(size: int) -> None:
    earlier = sealed(HASHES[:size])
    said = bundle(ENTRIES, STATES, [sealed(HASHES)], held=[earlier.checkpoint], **MADE)
    found = report(said, notes=(earlier.note,))
    assert (found.failures, f"niillä {size} merkinnällä" in "\n".join(found.lines)) == (0, True)


def test_a_rewritten_log_is_found_by_whoever_kept_a_checkpoint() -> None:
    """Signed anew by the same key: without the old note nobody could tell."""
    earlier = sealed(HASHES[:90])
    other = [*HASHES[:5], leaf_hash(b"rewritten"), *HASHES[6:]]
    said = bundle(ENTRIES, STATES, [sealed(other)], held=[earlier.checkpoint], **MADE)
    assert report(said).failures == 0
    found = report(said, notes=(earlier.note,))
    assert found.failures == 1
    assert "on muutettu jälkikäteen" in "\n".join(found.lines)


def test_a_checkpoint_that_the_bundle_was_not_made_with_or_that_is_newer_proves_nothing() -> None:
    for note in (
        sealed(HASHES[:90]).note,
        sealed([*HASHES, HASHES[0]]).note,
        sealed(HASHES, "2025").note,
    ):
        found = report(BUNDLE, notes=(note,))
        assert (found.failures, "ei voi verrata" in "\n".join(found.lines)) == (1, True)


# --- what is not --------------------------------------------------------------------------------------


def bytes_of(said: dict[str, Any]) -> list[tuple[str, Callable[[dict[str, Any]], Any], str]]:
    """Where in a bundle a byte can be changed: (what, its holder, its name)."""
    entries = [
        (f"salt {number}", lambda b, n=number: b["entries"][n], "salt")
        for number in range(len(said["entries"]))
    ]
    leaves = [
        (f"leaf {kind} {number} {name}", lambda b, k=kind, n=number: b[k][n]["leaf"], name)
        for kind in ("entries", "states")
        for number, row in enumerate(said[kind])
        for name, value in row["leaf"].items()
        if isinstance(value, str)
    ]
    details = [
        (f"detail {number} {name}", lambda b, n=number: b["entries"][n]["detail"], name)
        for number, entry in enumerate(said["entries"])
        for name in entry["detail"]
    ]
    signed = [(name, lambda b: b["segments"][0], name) for name in ("note", "proof")]
    return [*entries, *leaves, *details, *signed]


@given(st.data())
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    said = copy.deepcopy(BUNDLE)
    _, holder, name = data.draw(st.sampled_from(bytes_of(said)))
    raw = holder(said)[name].encode()
    at = data.draw(st.integers(0, len(raw) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda b: b != raw[at]))
    changed = raw[:at] + bytes([byte]) + raw[at + 1 :]
    holder(said)[name] = changed.decode("latin-1" if not _is_utf8(changed) else "utf-8")
    assert is_refused(said)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.sampled_from(["entries", "states"]), st.data())
def test_any_other_index_or_segment_is_refused(kind: str, data: st.DataObject) -> None:
    said = copy.deepcopy(BUNDLE)
    row = data.draw(st.sampled_from(said[kind]))
    row["index"] = data.draw(st.integers(-2, 130).filter(lambda at: at != row["index"]))
    assert is_refused(said)
    said = copy.deepcopy(BUNDLE)
    said[kind][0]["segment"] = data.draw(st.sampled_from([None, -1, 1, "0", 0.5]))
    assert is_refused(said)


def test_a_detail_with_a_word_taken_out_or_put_in_is_refused() -> None:
    for change in ({"street_line": None}, {"phone": "1"}, {"customer_number": 17}):
        said = copy.deepcopy(BUNDLE)
        said["entries"][1]["detail"] |= change
        assert is_refused(said)
    said = copy.deepcopy(BUNDLE)
    del said["entries"][1]["detail"]["street_line"]
    assert is_refused(said)


def test_a_number_in_a_leaf_that_is_another_or_written_otherwise_is_refused() -> None:
    for value in (8, 9.0, "9", True, None):
        said = copy.deepcopy(BUNDLE)
        said["states"][2]["leaf"]["accepted"] = value
        assert is_refused(said)


def test_a_leaf_that_the_log_cannot_have_hashed_makes_no_bundle() -> None:
    spaced = Entry(3, ENTRIES[0].leaf.replace(",", ", "), ENTRIES[0].detail, ENTRIES[0].salt)
    with pytest.raises(ValueError, match="leaf 3 of the disclosure log"):
        bundle([spaced], [], [sealed(HASHES)], **MADE)


def test_anothers_entry_is_not_ones_own() -> None:
    """Detail and salt of one leaf beside another leaf, both of them in the log."""
    said = copy.deepcopy(BUNDLE)
    one, other = said["entries"][1:]
    one["detail"], other["detail"] = other["detail"], one["detail"]
    assert report(said).failures == 2


def test_a_bundle_signed_by_anybody_else_is_refused() -> None:
    other = vkey(LOG, Ed25519PrivateKey.from_private_bytes(b"o" * 32).public_key())
    found = report(BUNDLE, (other,))
    assert found.failures == len(ENTRIES) + len(STATES) + 1
    assert "lokin allekirjoitus ei pidä" in "\n".join(found.lines)


@pytest.mark.parametrize("where", ["note", "proof", "leaf", "salt", "detail"])
def test_half_a_letter_is_refused_like_anything_else(where: str) -> None:
    """JSON can say a lone surrogate, which is no text that anybody hashed or signed."""
    said = copy.deepcopy(BUNDLE)
    entry, segment = said["entries"][1], said["segments"][0]
    match where:
        case "leaf":
            entry["leaf"]["purpose"] = "\ud800"
        case "detail":
            entry["detail"]["street_line"] = "\ud800"
        case "salt":
            entry["salt"] = "\ud800"
        case _:
            segment[where] = "\ud800" + segment[where]
    raw = json.dumps(said).encode()
    try:
        assert verifier.Report(verifier.read(raw), [verifier.Key(VKEY)], []).failures > 0
    except verifier.Refused:
        assert where == "proof"


def test_a_proof_with_a_node_too_many_or_too_few_is_refused() -> None:
    for change in (lambda nodes: nodes + bytes(32), lambda nodes: nodes[:-32]):
        said = copy.deepcopy(BUNDLE)
        nodes = base64.b64decode(said["segments"][0]["proof"])
        said["segments"][0]["proof"] = base64.b64encode(change(nodes)).decode()
        assert report(said).failures == len(ENTRIES) + len(STATES)


def test_a_key_speaks_for_its_own_log_only() -> None:
    """A checkpoint of another log that the key's owner signed under this key's name."""
    head = Checkpoint("other.example/2026", 100, root(HASHES))
    public = KEY.public_key().public_bytes_raw()
    line = Signature(LOG, key_id(LOG, public), KEY.sign(head.text.encode())).line
    said = bundle(ENTRIES, STATES, [Sealed(0, head, f"{head.text}\n{line}", HASHES)], **MADE)
    assert report(said).failures == len(ENTRIES) + len(STATES) + 1


def test_an_entry_that_no_checkpoint_covers_yet_is_not_proven_yet() -> None:
    said = bundle([*ENTRIES, told(100, "d3")], STATES, [sealed(HASHES)], **MADE)
    found = report(said)
    assert found.failures == 1
    assert "ei ole vielä vahvistettu" in "\n".join(found.lines)


def test_a_state_of_a_delivery_that_nobody_signed_for_is_refused() -> None:
    said = copy.deepcopy(BUNDLE)
    never = json.loads(leaf("delivered", d="d2"))
    said["states"].append({"segment": None, "index": None, "leaf": never})
    assert is_refused(said)
    said["states"][-1] |= {"segment": 0, "index": 3, "leaf": json.loads(ENTRIES[0].leaf)}
    assert is_refused(said)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        json.dumps(BUNDLE | {"version": 2}).encode(),
        json.dumps(BUNDLE | {"segments": None}).encode(),
        json.dumps(BUNDLE | {"entries": [1]}).encode(),
        json.dumps(BUNDLE | {"segments": BUNDLE["segments"] * 2}).encode(),
        json.dumps(BUNDLE).replace('"version"', '"version": 1, "version"').encode(),
    ],
)
def test_what_is_no_bundle_is_refused(raw: bytes) -> None:
    with pytest.raises(verifier.Refused):
        verifier.Report(verifier.read(raw), [verifier.Key(VKEY)], [])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["segment", "index", "leaf", "salt", "detail", "note", "proof", "size"]
                ),
                inner,
                max_size=4,
            )
        ),
    ),
    st.data(),
)
def test_whatever_stands_in_a_bundle_it_is_judged_and_nothing_breaks(
    thing: Any, data: st.DataObject
) -> None:
    said = copy.deepcopy(BUNDLE)
    where = data.draw(st.sampled_from(["entries", "states", "segments", "held", "words"]))
    rows = said[where]
    if isinstance(rows, list) and rows and isinstance(thing, dict):
        rows[0] = rows[0] | thing
    else:
        said[where] = thing
    try:
        report(said)
    except verifier.Refused:
        return


def test_a_bundle_does_not_move_the_cursor() -> None:
    said = copy.deepcopy(BUNDLE)
    said["words"]["billing"] = "\x1b[2Jlaskutus\n"
    said["entries"][1]["detail"]["street_line"] = "\x1b[2J"
    assert "\x1b" not in "\n".join(report(said).lines)
    assert all("\n" not in line for line in report(said).lines)


def test_a_pseudonym_is_shown_by_its_beginning_and_what_was_empty_by_its_name_alone() -> None:
    said = copy.deepcopy(BUNDLE)
    said["entries"][0]["detail"] |= {"subject": "0123456789abcdef" * 4, "phone": ""}
    text = "\n".join(report(said).lines)
    assert "[subject]: 01234567…" in text
    assert "ilman sisältöä: [phone]" in text


# --- Ed25519 by hand ----------------------------------------------------------------------------------


@given(st.binary(max_size=100), st.binary(min_size=32, max_size=32))
def test_a_signature_made_by_a_library_holds_by_hand_and_no_other_does(
    message: bytes, seed: bytes
) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert verifier.ed25519_by_hand(public, signature, message)
    assert not verifier.ed25519_by_hand(public, signature, message + b"!")
    changed = bytes([signature[0] ^ 1]) + signature[1:]
    assert not verifier.ed25519_by_hand(public, changed, message)
    # the same point with a scalar past the group's order (RFC 8032 §5.1.7)
    order = 2**252 + 27742317777372353535851937790883648493
    scalar = int.from_bytes(signature[32:], "little") + order
    assert not verifier.ed25519_by_hand(
        public, signature[:32] + scalar.to_bytes(32, "little"), message
    )


def test_the_first_signature_of_the_rfc_holds_by_hand() -> None:
    """RFC 8032 §7.1, TEST 1."""
    assert verifier.ed25519_by_hand(
        bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
        bytes.fromhex(
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
            "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        b"",
    )


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64))
def test_keys_and_signatures_at_random_are_judged_by_hand_as_by_the_library(
    public: bytes, signature: bytes
) -> None:
    assert verifier.ed25519_by_hand(public, signature, b"x") == verifier.ed25519(
        public, signature, b"x"
    )


# --- the file that a person is handed -----------------------------------------------------------------

FILE = Path(verifier.__file__)


def run(
    tmp_path: Path, said: dict[str, Any], *arguments: str, key: str = VKEY
) -> subprocess.CompletedProcess[str]:
    """The file alone, in a Python that has nothing installed and an empty folder."""
    (tmp_path / "bundle.json").write_text(json.dumps(said), "utf-8")
    (tmp_path / "verifier.py").write_bytes(FILE.read_bytes())
    return subprocess.run(
        [sys.executable, "-I", "-S", "verifier.py", "bundle.json", "--key", key, *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8"},
        check=False,
    )


def test_the_file_imports_nothing_that_has_to_be_installed() -> None:
    tree = ast.parse(FILE.read_text("utf-8"))
    nodes = list(ast.walk(tree))
    names = {a.name.split(".")[0] for n in nodes if isinstance(n, ast.Import) for a in n.names}
    names |= {str(n.module).split(".")[0] for n in nodes if isinstance(n, ast.ImportFrom)}
    assert names - set(sys.stdlib_module_names) == {"cryptography"}


def test_the_file_alone_proves_a_bundle(tmp_path: Path) -> None:
    done = run(tmp_path, BUNDLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("juuri näin.\n")


def test_the_file_alone_refuses_what_is_not_proven(tmp_path: Path) -> None:
    said = copy.deepcopy(BUNDLE)
    said["entries"][1]["detail"]["street_line"] = "Kuusitie 6"
    done = run(tmp_path, said)
    assert (done.returncode, done.stderr) == (1, "")
    assert "EI TODISTETTU" in done.stdout


def test_the_file_alone_says_in_one_line_what_it_cannot_read(tmp_path: Path) -> None:
    done = run(tmp_path, {})
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    done = run(tmp_path, BUNDLE, "--checkpoint", "nowhere")
    assert (done.returncode, done.stderr) == (1, "verifier: FileNotFoundError\n")
    assert run(tmp_path, BUNDLE, key="no key").returncode == 1
    assert run(tmp_path, BUNDLE, "--no-such-option").returncode == 2


def a_year_in_a_log_of(size: int) -> dict[str, Any]:
    """The first extract, three changes and twelve look-ups, weeks apart, each among others' leaves."""
    row = {
        "event": "changed",
        "party_kind": "person",
        "invoice_name": "Merkkimäki Vartiotar Kanariitta",
        "street_line": "Notisanpolku 5 B 17",
        "postal_code": "31640",
        "post_office": "HUMPPILA",
        "country": "FI",
        "delivery_channel": "paper",
        "valid_from": "2026-11-04",
    }
    week, deliveries = size // 17, [hex_of(n, 20) for n in range(4)]
    rows = [told(n, delivery, **row) for n, delivery in enumerate(deliveries)]
    questions = [asked(n) for n in range(12)]
    entries = [
        *(replace(one, leaf_no=week * (4 * n + 1)) for n, one in enumerate(rows)),
        *(replace(one, leaf_no=week * (n + 2) + 7) for n, one in enumerate(questions)),
    ]
    states = [
        Entry(week * (4 * n + 1) + 900 + at, leaf(kind, d=delivery))
        for n, delivery in enumerate(deliveries)
        for at, kind in enumerate(["delivered", "acknowledged"])
    ]
    entries, states = [dated(row) for row in entries], [dated(row) for row in states]
    return bundle(entries, states, [sealed(log_of([*entries, *states], size))], **MADE)


def dated(row: Entry) -> Entry:
    """Every leaf of a real log says when."""
    said = {**json.loads(row.leaf), "at": "2026-11-02T00:30:00Z"}
    return replace(row, leaf=canonical_json(said))


def test_a_year_of_ordinary_disclosures_is_under_twenty_kilobytes() -> None:
    """In a log of 100 000 leaves a year; of a million it is 21."""
    said = a_year_in_a_log_of(100_000)
    assert len(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()) < 20_000
    assert report(said).failures == 0
