"""Whatever is changed in the log, or in what it is the log of, is found, and nobody is named."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, Table, delete, insert, select, text, update

from pipelines.domain.checkpoint import Checkpoint, sign
from pipelines.domain.merkle import Frontier, leaf_hash
from pipelines.steps.seal import seal
from pipelines.steps.verify import verify
from pipelines.store import checkpoints, disclosures, tables
from pipelines.store.engine import reading, transaction
from pipelines.store.verification import Verified, verify_log
from tests.steps.logged import NAME, SIGNING, VAULT, Inbox, Logged

many = settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class _Undone(Exception):
    """Ends what a forger did."""


@pytest.fixture
def log(engine: Engine, tmp_path: Path) -> Logged:
    """Two calendar years: look-ups, deliveries in every state, an erasure, four checkpoints and one witness."""
    logged = Logged(engine, tmp_path)
    logged.ask("t1", "t2")
    logged.freeze(7, 8)
    logged.deliver(Inbox(rejected={2: "E7"}))
    seal(logged.night())
    with transaction(engine) as conn:
        mine = disclosures.of_party(conn, VAULT, 8)[["leaf_no"]]
        disclosures.erase(conn, mine, logged.night().now())
    logged.at = datetime(2027, 1, 2, 0, 30, tzinfo=UTC)
    logged.ask("t3")
    logged.freeze(7)
    logged.deliver(Inbox(answers=False))
    kept = seal(logged.night())
    assert kept is not None
    with transaction(engine) as conn:
        checkpoints.witnessed(conn, "dpo", logged.night().now(), kept.checkpoint_no)
        checkpoints.cosign(conn, kept.checkpoint_no, "dpo", kept.note, logged.night().now())
    return logged


def found(log: Logged, *against: tuple[str, str]) -> list[str]:
    return [str(finding) for finding in verify(log.night(), against)[0].findings]


def forged(log: Logged, forge: Callable[[Connection], None]) -> Verified:
    """What verifying finds after somebody with the database in hand did this, which is undone again."""
    result: list[Verified] = []
    try:
        with transaction(log.engine) as conn:
            for table in tables.APPEND_ONLY:
                _unguarded(conn, table)
            forge(conn)
            result.append(verify_log(conn, VAULT))
            raise _Undone
    except _Undone:
        return result[0]


def _unguarded(conn: Connection, table: Table) -> None:
    if conn.dialect.name == "postgresql":
        conn.execute(text(f"ALTER TABLE {table.name} DISABLE TRIGGER USER"))
        return
    for event in ("update", "delete", "insert"):
        conn.execute(text(f"DROP TRIGGER {table.name}_refuses_{event}"))


def rows(log: Logged, table: Table) -> int:
    with reading(log.engine) as conn:
        return len(conn.execute(select(table)).all())


def keys(conn: Connection, table: Table) -> list[object]:
    key = next(iter(table.primary_key))
    return list(conn.scalars(select(key).order_by(key)))


def test_a_log_nobody_touched_holds(log: Logged) -> None:
    whole, exposure = verify(log.night())
    assert whole.findings == []
    assert (whole.details, whole.erased, whole.deliveries, whole.unsealed) == (5, 1, 2, 0)
    assert whole.checkpoints >= 4
    assert exposure.guard == "witness" and exposure.safe_leaves == whole.leaves


def test_a_year_begins_with_the_end_of_the_year_before(log: Logged) -> None:
    with reading(log.engine) as conn:
        old, new = checkpoints.segments(conn)
        tree = checkpoints.tree_of(conn, old)
        first = conn.scalar(
            select(tables.disclosure_leaf.c.leaf).where(
                tables.disclosure_leaf.c.leaf_no == new.first_leaf
            )
        )
    assert (old.segment, old.first_leaf, new.segment) == (2026, 0, 2027)
    assert first is not None and f'"root":"{tree.root().hex()}"' in first
    assert f'"n":{old.size},' in first and '"previous":2026' in first


@many
@given(data=st.data())
def test_any_single_leaf_changed_dropped_swapped_or_added_is_found(
    log: Logged, data: st.DataObject
) -> None:
    leaf = tables.disclosure_leaf
    at = data.draw(st.integers(0, rows(log, leaf) - 1))
    column = data.draw(st.sampled_from(["leaf", "at", "entry_id", "delivery_id"]))
    how = data.draw(st.sampled_from(["changed", "dropped", "swapped", "added", "renumbered"]))

    def forge(conn: Connection) -> None:
        row = conn.execute(select(leaf).where(leaf.c.leaf_no == at)).mappings().one()
        count = len(keys(conn, leaf))
        if how == "changed":
            value = (row[column] or "").replace('"v":1', '"v":2') if column == "leaf" else "x"
            conn.execute(update(leaf).where(leaf.c.leaf_no == at).values({column: value}))
        elif how == "dropped":
            conn.execute(delete(leaf).where(leaf.c.leaf_no == at))
        elif how == "renumbered":  # dropped, and the gap closed
            conn.execute(delete(leaf).where(leaf.c.leaf_no == at))
            for later in range(at + 1, count):
                conn.execute(update(leaf).where(leaf.c.leaf_no == later).values(leaf_no=later - 1))
        elif how == "swapped":
            other = (at + 1) % count
            for one, to in ((at, -1), (other, at), (-1, other)):
                conn.execute(update(leaf).where(leaf.c.leaf_no == one).values(leaf_no=to))
        else:
            conn.execute(insert(leaf).values({**row, "leaf_no": count}))

    verified = forged(log, forge)
    # one that is added behind the last checkpoint is counted as not signed yet, whatever it says
    assert verified.findings or (how == "added" and verified.unsealed == 1), (how, at, column)


@many
@given(data=st.data())
def test_any_single_detail_or_seed_changed_dropped_or_added_is_found(
    log: Logged, data: st.DataObject
) -> None:
    kept = [tables.disclosure_detail, tables.disclosure_terms, tables.disclosure_seed]
    table = data.draw(st.sampled_from(kept))
    at = data.draw(st.integers(0, rows(log, table) - 1))
    names = [c.name for c in table.columns]
    column = data.draw(st.sampled_from(names))
    how = data.draw(st.sampled_from(["changed", "dropped", "added"]))
    key = next(iter(table.primary_key))

    def forge(conn: Connection) -> None:
        mine = key == keys(conn, table)[at]
        row = conn.execute(select(table).where(mine)).mappings().one()
        kind = table.c[column].info["kind"]
        value = row[column]
        other = {
            "bytes": lambda: bytes([value[0] ^ 1]) + value[1:],
            "integer": lambda: (value or 0) + 1000,  # a number that no other row has
            "json": lambda: [*value, "phone"],
        }.get(kind, lambda: f"{value}x")()
        if how == "changed":
            conn.execute(update(table).where(mine).values({column: other}))
        elif how == "dropped":
            conn.execute(delete(table).where(mine))
        elif table is tables.disclosure_detail:
            conn.execute(insert(table).values({**row, "leaf_no": 1000, "entry_id": "f" * 32}))
        elif table is tables.disclosure_terms:
            conn.execute(insert(table).values({**row, "terms_no": 1000}))
        else:
            conn.execute(delete(table).where(mine))

    assert forged(log, forge).findings, (table.name, how, at, column)


@pytest.mark.parametrize("said", [b'{"customer_number":"000009"}', None])
def test_a_detail_forged_with_the_details_key_is_found(log: Logged, said: bytes | None) -> None:
    """Other content, or the same under another salt: encrypted as it should be, it fits no leaf."""
    detail, seed = tables.disclosure_detail, tables.disclosure_seed

    def forge(conn: Connection) -> None:
        entry, sealed, holder = conn.execute(
            select(detail.c.entry_id, detail.c.sealed, detail.c.holder)
            .where(detail.c.party_id.is_not(None))
            .limit(1)
        ).one()
        key = conn.scalar(select(seed.c.seed).where(seed.c.holder == holder))
        plain = VAULT.decrypt(key, entry, sealed)
        assert key is not None and plain is not None
        other = plain[:32] + said if said else bytes(32) + plain[32:]
        (forged_one,) = VAULT.encrypt({holder: key}, [holder], [entry], [other])
        conn.execute(update(detail).where(detail.c.entry_id == entry).values(sealed=forged_one))

    found = [f.what for f in forged(log, forge).findings]
    assert found[0] == "is not what its leaf commits to"


DELIVERY = ("state", "rows", "payload_mac", "recipient", "sequence", "contract_version",
            "notice_version", "columns", "accepted", "rejected", "receipt")  # fmt: skip


@pytest.mark.parametrize("column", DELIVERY)
def test_a_delivery_changed_afterwards_is_found(log: Logged, column: str) -> None:
    table = tables.delivery
    other: dict[str, object] = {
        "state": "uncertain", "rows": 9, "sequence": 9, "columns": ["phone"], "accepted": 2,
        "rejected": 0, "receipt": {"name": "other.csv", "size": 1},
    }  # fmt: skip

    def forge(conn: Connection) -> None:
        first = table.c.sequence == 1
        conn.execute(update(table).where(first).values({column: other.get(column, "x")}))

    findings = forged(log, forge).findings
    assert findings and all(f.where.startswith("delivery ") for f in findings), column


def test_other_bytes_than_were_logged_are_found_while_they_are_kept(log: Logged) -> None:
    table = tables.delivery

    def forge(conn: Connection) -> None:
        conn.execute(update(table).where(table.c.state == "sent").values(payload=b"other"))

    (finding,) = forged(log, forge).findings
    assert finding.what == "its bytes are not those that were logged"


@pytest.mark.parametrize("table", [tables.delivery_row, tables.delivery])
def test_a_delivery_or_one_of_its_rows_dropped_or_added_is_found(log: Logged, table: Table) -> None:
    def drop(conn: Connection) -> None:
        if table is tables.delivery:
            conn.execute(delete(tables.delivery_row))
        conn.execute(delete(table))

    def add(conn: Connection) -> None:
        row = dict(conn.execute(select(table).limit(1)).mappings().one())
        new = (
            {"delivery_id": "f" * 20, "sequence": 7} if table is tables.delivery else {"row_no": 9}
        )
        conn.execute(insert(table).values({**row, **new}))

    assert forged(log, drop).findings and forged(log, add).findings


@many
@given(data=st.data())
def test_any_single_checkpoint_changed_or_dropped_is_found(
    log: Logged, data: st.DataObject
) -> None:
    table = tables.log_checkpoint
    at = data.draw(st.integers(0, rows(log, table) - 1))
    column = data.draw(st.sampled_from([c.name for c in table.columns if c.name != "at"]))
    drops = data.draw(st.booleans())

    def forge(conn: Connection) -> None:
        mine = table.c.checkpoint_no == at
        value = conn.scalar(select(table.c[column]).where(mine))
        if drops:
            conn.execute(delete(table).where(mine))
            return
        other = value + 1 if isinstance(value, int) else value[:-1] if value else "x"
        if column == "checkpoint_no":
            other = value + 100
        conn.execute(update(table).where(mine).values({column: other}))

    assert forged(log, forge).findings, (at, column, drops)


@pytest.mark.parametrize("table", [tables.log_segment, tables.log_key])
def test_a_segment_or_key_dropped_is_found(log: Logged, table: Table) -> None:
    key = next(iter(table.primary_key))

    def forge(conn: Connection) -> None:
        conn.execute(delete(table).where(key == keys(conn, table)[-1]))

    assert forged(log, forge).findings


def test_a_sealed_delivery_whose_checkpoints_are_gone_is_found(log: Logged) -> None:
    """No seal, no send: also afterwards."""
    table = tables.log_checkpoint

    def forge(conn: Connection) -> None:
        conn.execute(delete(tables.log_cosignature))
        conn.execute(delete(tables.log_witness))
        conn.execute(delete(table).where(table.c.segment == 2027))

    findings = [f.what for f in forged(log, forge).findings]
    assert findings == ["left without a checkpoint that covers its intent"]


def test_no_finding_speaks_of_a_person(log: Logged) -> None:
    def forge(conn: Connection) -> None:
        conn.execute(update(tables.disclosure_detail).values(party_id=424242, holder="P424242"))
        conn.execute(delete(tables.disclosure_seed))

    said = " ".join(map(str, forged(log, forge).findings))
    assert said and "424242" not in said and "000007" not in said


# --- whoever holds the key, too ------------------------------------------------------------------------


@pytest.fixture
def rewritten(log: Logged) -> Iterator[tuple[Logged, str]]:
    """A log whose one leaf was changed, and everything signed anew, by somebody with database and key; and
    the note that a witness had taken before.
    """
    with transaction(log.engine) as conn:
        note = checkpoints.every(conn)[0].note
        for table in tables.APPEND_ONLY:
            _unguarded(conn, table)
        leaf, head = tables.disclosure_leaf, tables.log_checkpoint
        first = conn.scalar(select(leaf.c.leaf).where(leaf.c.leaf_no == 0)) or ""
        value = first.replace('"basis":"contract"', '"basis":"statute6"')
        assert value != first
        conn.execute(update(leaf).where(leaf.c.leaf_no == 0).values(leaf=value))
        terms, detail = tables.disclosure_terms, tables.disclosure_detail
        row = conn.execute(select(terms).where(terms.c.terms_no == 0)).mappings().one()
        conn.execute(insert(terms).values({**row, "terms_no": 1000, "basis": "statute6"}))
        conn.execute(update(detail).where(detail.c.leaf_no == 0).values(terms_no=1000))
        conn.execute(delete(tables.log_cosignature))
        conn.execute(delete(tables.log_witness))
        _sign_anew(conn, head)
    yield log, note


def _sign_anew(conn: Connection, head: Table) -> None:
    leaf = tables.disclosure_leaf
    old, new = checkpoints.segments(conn)
    for segment in (old, new):
        lines = list(
            conn.scalars(
                select(leaf.c.leaf)
                .where(
                    leaf.c.leaf_no >= segment.first_leaf,
                    leaf.c.leaf_no < segment.first_leaf + segment.size,
                )
                .order_by(leaf.c.leaf_no)
            )
        )
        hashes = [leaf_hash(line.encode()) for line in lines]
        for kept in checkpoints.every(conn):
            if kept.segment != segment.segment:
                continue
            tree = Frontier().extended(hashes[: kept.size])
            stated = Checkpoint(f"{NAME}/{segment.segment}", tree.size, tree.root())
            values = {
                "root": tree.root(), "frontier": tree.to_bytes(), "note": sign(stated, NAME, SIGNING),
            }  # fmt: skip
            conn.execute(
                update(head).where(head.c.checkpoint_no == kept.checkpoint_no).values(values)
            )
        if segment is old:
            first = leaf.c.leaf_no == new.first_leaf
            line = conn.scalar(select(leaf.c.leaf).where(first)) or ""
            was = line.partition('"root":"')[2][:64]
            root = Frontier().extended(hashes).root().hex()
            conn.execute(update(leaf).where(first).values(leaf=line.replace(was, root)))


def test_who_holds_database_and_key_rewrites_unseen_unless_a_note_is_kept_outside(
    rewritten: tuple[Logged, str],
) -> None:
    """PRIVACY §2.8: and verify says so."""
    log, note = rewritten
    assert found(log) == []
    _, exposure = verify(log.night())
    assert exposure.guard == "nobody" and "nobody would see it" in exposure.sentence
    (line,) = found(log, ("dpo.txt", note))
    assert line == "dpo.txt: the log was rewritten since: its root is another"


def test_an_old_note_of_a_log_that_only_grew_agrees(log: Logged) -> None:
    with reading(log.engine) as conn:
        notes = [(f"{head.checkpoint_no}.txt", head.note) for head in checkpoints.every(conn)]
    log.ask("t9")
    assert found(log, *notes) == []


def test_a_note_of_another_log_can_not_be_compared(log: Logged) -> None:
    other = Ed25519PrivateKey.generate()
    note = sign(Checkpoint(f"{NAME}/2026", 1, bytes(32)), NAME, other)
    (line,) = found(log, ("theirs.txt", note))
    assert line.startswith("theirs.txt: can't be compared")


def test_a_note_over_more_leaves_than_there_are_is_found(log: Logged) -> None:
    """A cut tail: everything since last night is gone, and signed anew."""
    note = sign(Checkpoint(f"{NAME}/2027", 99, bytes(32)), NAME, SIGNING)
    assert found(log, ("dpo.txt", note)) == ["dpo.txt: speaks of 99 leaves of 2027"]
