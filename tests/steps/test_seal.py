"""No seal, no send; and the log's head leaves the building (PRIVACY §2.4 S, §2.8)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, text

from connectors.base import Unavailable, Witness
from pipelines.domain.checkpoint import (
    COSIGNATURE,
    Note,
    Signature,
    cosigners,
    joined,
    key_id,
    vkey,
)
from pipelines.domain.checkpoint import verify as verify_note
from pipelines.keys import KeyMissing
from pipelines.steps import witness
from pipelines.steps.reconcile import reconcile
from pipelines.steps.rotate import rotate
from pipelines.steps.seal import seal
from pipelines.steps.verify import verify
from pipelines.store import checkpoints, disclosures
from pipelines.store.engine import StoreError, reading, transaction
from tests.steps.logged import NAME, VAULT, Inbox, Logged

DPO = Ed25519PrivateKey.from_private_bytes(b"d" * 32)


@dataclass
class Outside:
    """A witness in memory. reason: why it can't be reached."""

    reason: str = ""
    notes: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def show(self, name: str, note: str) -> None:
        if self.reason:
            raise Unavailable(self.reason)
        self.notes[name] = note

    def cosigned(self) -> Iterable[str]:
        return self.left


@pytest.fixture
def log(engine: Engine, tmp_path: Path) -> Logged:
    return Logged(engine, tmp_path)


def watched(log: Logged, **settings: str) -> None:
    """dpo is a witness from now on."""
    log.environ |= {"HUB_WITNESSES": '{"dpo": {"mail": "dpo@water.invalid"}}', **settings}


def show(log: Logged, outside: Witness) -> list[str]:
    return witness.show(log.night(), {"dpo": lambda: outside})


def test_r23_a_delivery_leaves_under_a_checkpoint_that_covers_its_intent(log: Logged) -> None:
    seen: list[tuple[str, int]] = []
    name = log.freeze(7, 8)

    def arrival() -> None:
        with reading(log.engine) as conn:
            head = checkpoints.latest(conn)
        assert head is not None
        verify_note(head.note, [vkey(NAME, log.signing.public_key())])
        seen.append((log.state(name), head.size))

    log.deliver(Inbox(on_arrival=arrival))
    assert seen == [("sending", 3)]  # two rows and the intent


def test_r23_without_a_key_nothing_is_sealed_and_nothing_leaves(log: Logged) -> None:
    name, inbox = log.freeze(7), Inbox()

    def no_key() -> NoReturn:
        raise KeyMissing("no log key in keys/log.key")

    night = log.night()
    object.__setattr__(night, "log_keys", no_key)
    from pipelines.steps.deliver import deliver

    result = deliver(night, log.contract, lambda: inbox)
    assert inbox.files == {} and log.state(name) == "prepared"
    assert result.status == "failed" and result.text == "no log key in keys/log.key"
    assert not {c.name: c.passed for c in result.checks}["sealed_before_sending"]


def test_a_log_that_does_not_continue_its_checkpoint_is_not_signed(log: Logged) -> None:
    """Whoever signs on top of it would vouch for it."""
    log.ask("t1")
    seal(log.night())
    name, inbox = log.freeze(7), Inbox()
    with transaction(log.engine) as conn:
        off = "ALTER TABLE log_checkpoint DISABLE TRIGGER USER"
        lite = conn.dialect.name == "sqlite"
        conn.execute(text("DROP TRIGGER log_checkpoint_refuses_update" if lite else off))
        conn.execute(text("UPDATE log_checkpoint SET note = replace(note, '1', '2')"))
    with pytest.raises(StoreError, match="is not what was signed"):
        seal(log.night())
    assert log.deliver(inbox).status == "failed"
    assert inbox.files == {} and log.state(name) == "prepared"


def test_a_quiet_night_adds_no_leaf_but_a_checkpoint(log: Logged) -> None:
    log.ask("t1")
    for _ in range(3):
        reconcile(log.night())
    with reading(log.engine) as conn:
        assert disclosures.leaf_count(conn) == 1
        assert [head.size for head in checkpoints.every(conn)] == [1, 1, 1]


def test_an_empty_log_has_nothing_to_seal(log: Logged) -> None:
    assert seal(log.night()) is None
    assert reconcile(log.night()).status == "ok"


def test_a_clock_that_goes_back_opens_no_segment(log: Logged) -> None:
    log.at = datetime(2027, 1, 1, 0, 30, tzinfo=UTC)
    log.ask("t1")
    log.at = datetime(2026, 12, 31, 20, 0, tzinfo=UTC)
    log.ask("t2")
    with reading(log.engine) as conn:
        assert [s.segment for s in checkpoints.segments(conn)] == [2027]
    assert verify(log.night())[0].findings == []


def test_the_year_is_helsinkis(log: Logged) -> None:
    log.at = datetime(2026, 12, 31, 22, 30, tzinfo=UTC)  # half past midnight there
    log.ask("t1")
    with reading(log.engine) as conn:
        assert [s.segment for s in checkpoints.segments(conn)] == [2027]


# --- outside -------------------------------------------------------------------------------------------


def test_a_witness_is_shown_the_newest_checkpoint_and_nothing_twice(log: Logged) -> None:
    watched(log)
    outside = Outside()
    for keys in (("t1",), ("t2",)):
        log.ask(*keys)
        seal(log.night())
    assert show(log, outside) == [] and show(log, outside) == []
    ((name, note),) = outside.notes.items()
    assert name == "checkpoint_2026_00000001.txt" and "\n2\n" in note


def test_a_witness_that_fails_is_a_warning_and_gets_it_the_next_night(log: Logged) -> None:
    watched(log)
    log.ask("t1")
    outside = Outside("mail dpo: nobody there")
    result = reconcile(log.night(), {"dpo": lambda: outside})
    assert result.status == "attention" and "nobody there" in result.text
    outside.reason = ""
    assert reconcile(log.night(), {"dpo": lambda: outside}).status == "ok"
    assert list(outside.notes) == ["checkpoint_2026_00000001.txt"]


def test_when_nobody_outside_has_seen_the_log_for_too_long_nothing_leaves(log: Logged) -> None:
    watched(log)
    log.ask("t1")
    seal(log.night())
    assert show(log, Outside()) == []
    log.at += timedelta(hours=47)
    first = log.freeze(7)
    log.deliver()
    assert log.state(first) == "acknowledged"
    log.at += timedelta(hours=2)
    second, inbox = log.freeze(8), Inbox()
    result = log.deliver(inbox)
    assert inbox.files == {} and log.state(second) == "sealed" and result.status == "failed"
    assert "no witness has taken a checkpoint" in result.text
    show(log, Outside())
    log.deliver(inbox)
    assert log.state(second) == "acknowledged"


def test_without_a_witness_deliveries_go_on(log: Logged) -> None:
    log.ask("t1")
    log.at += timedelta(days=30)
    name = log.freeze(7)
    log.deliver()
    assert log.state(name) == "acknowledged"


def cosigned(note: str, when: int = 1_800_000_000) -> str:
    """The note as a witness hands it back (C2SP tlog-cosignature)."""
    body = Note.parse(note).text
    signed = DPO.sign(f"cosignature/v1\ntime {when}\n{body}".encode())
    key = key_id("dpo.example", DPO.public_key().public_bytes_raw(), COSIGNATURE)
    line = Signature("dpo.example", key, when.to_bytes(8) + signed)
    return joined(note, str(Note(body, (line,))))


def test_what_a_witness_cosigned_is_kept_with_the_checkpoint(log: Logged) -> None:
    watched(log)
    key = vkey("dpo.example", DPO.public_key(), COSIGNATURE)
    log.environ["HUB_WITNESSES"] = f'{{"dpo": {{"mail": "dpo@water.invalid", "vkey": "{key}"}}}}'
    log.ask("t1")
    kept = seal(log.night())
    assert kept is not None
    outside = Outside(left=[cosigned(kept.note)])
    assert show(log, outside) == [] and show(log, outside) == []
    with reading(log.engine) as conn:
        (note,) = checkpoints.cosignatures(conn)["note"]
    assert list(cosigners(note, [key])) == ["dpo.example"]
    assert reconcile(log.night()).counts["cosigners"] == 1
    outside.left = [cosigned(kept.note).replace("\n1\n", "\n7\n"), "no note", kept.note]
    (line,) = show(log, outside)
    assert line.startswith("dpo: 3 cosigned notes")


# --- another key ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [False, True])
def test_after_a_new_key_the_old_checkpoints_verify_and_the_log_goes_on(
    log: Logged, tmp_path: Path, lost: bool
) -> None:
    log.ask("t1")
    old = seal(log.night())
    file = tmp_path / "log.key"
    public = rotate(log.night(), file, NAME, lost=lost)
    with reading(log.engine) as conn:
        before, now = checkpoints.vkeys(conn)
        last = checkpoints.latest(conn)
        leaf = disclosures.recent(conn, 1)["leaf"].iloc[0]
    assert now == public and old is not None and last is not None
    assert '"t":"policy-change"' in leaf
    # the old key has signed that the new one follows, unless it is gone
    assert last.size == (1 if lost else 2)
    assert verify_note(last.note, [before]).size == last.size
    from base64 import b64decode

    log.signing = Ed25519PrivateKey.from_private_bytes(b64decode(file.read_bytes()))
    assert log.signing.public_key().public_bytes_raw().hex() in leaf
    log.freeze(7)
    log.deliver()
    whole, _ = verify(log.night(), [("old.txt", old.note)])
    assert whole.findings == []
    with reading(log.engine) as conn:
        assert (
            disclosures.of_party(conn, VAULT, 7)["content"].iloc[0]["customer_number"] == "000007"
        )
