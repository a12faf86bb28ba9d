"""Holding the disclosure log against itself, against the deliveries and against what others hold of it.

Belongs here: recomputing everything that is kept. Does not belong here: writing any of it (`disclosures`,
`checkpoints`, `deliveries`), what every night asks (`reconciliation`).

A finding names a leaf, a delivery, a checkpoint or an entry, never a person.
"""

import hashlib
import hmac
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Text, func, select, type_coerce

from pipelines.domain.checkpoint import CheckpointError, verify
from pipelines.domain.disclosure import SALT_BYTES, commitment, receipt_hash
from pipelines.domain.merkle import Frontier, leaf_hash
from pipelines.store import checkpoints, deliveries
from pipelines.store.checkpoints import Kept, Segment
from pipelines.store.deliveries import Delivery
from pipelines.store.disclosures import OF_A_DETAIL
from pipelines.store.tables import (
    delivery_row,
    disclosure_detail,
    disclosure_leaf,
    disclosure_seed,
    disclosure_terms,
)
from pipelines.store.vault import Vault

_AT_ONCE = 10_000
# a delivery's last leaf → the states it may then be in; asking may find that nothing stands there
_STATES_AFTER: Mapping[str, frozenset[str]] = {
    "intent": frozenset({"prepared", "sealed"}),
    "attempt": frozenset({"sending", "sealed"}),
    "uncertain": frozenset({"uncertain", "sealed"}),
    "delivered": frozenset({"sent"}),
    "acknowledged": frozenset({"acknowledged"}),
    "aborted": frozenset({"aborted"}),
}
# and which leaf may follow it; a delivery that has come to its end needs a new intent
_LEAVES_AFTER: Mapping[str, frozenset[str]] = {
    "intent": frozenset({"attempt", "aborted"}),
    "attempt": frozenset({"attempt", "uncertain", "delivered", "acknowledged", "aborted"}),
    "uncertain": frozenset({"attempt", "uncertain", "delivered", "acknowledged", "aborted"}),
    "delivered": frozenset({"uncertain", "acknowledged"}),
    "acknowledged": frozenset(),
    "aborted": frozenset(),
}


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be. what: a word of this module's; where: leaf 17, delivery d…"""

    what: str
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass
class Verified:
    """What was recomputed, and what was found wrong.

    unsealed: leaves that no checkpoint covers yet; until one does, nobody could tell an added one.
    """

    leaves: int = 0
    details: int = 0
    erased: int = 0
    checkpoints: int = 0
    deliveries: int = 0
    unsealed: int = 0
    findings: list[Finding] = field(default_factory=list)

    def wrong(self, what: str, where: str) -> None:
        self.findings.append(Finding(what, where))


@dataclass
class _Intent:
    """What the leaves say of one delivery since it was last frozen."""

    leaf_no: int
    facts: Mapping[str, Any]
    entries: list[str]
    last: str = "intent"
    receipt: str | None = None
    accepted: int | None = None
    rejected: int | None = None


@dataclass
class _Read:
    """What one pass over the leaves remembers. committed: entry → what its leaf says of the detail."""

    committed: dict[str, tuple[int, str, tuple[Any, ...]]] = field(default_factory=dict)
    filings: dict[tuple[Any, ...], tuple[Any, ...]] = field(default_factory=dict)  # each kept once
    erased: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, list[str]] = field(default_factory=dict)
    intents: dict[str, _Intent] = field(default_factory=dict)


def verify_log(conn: Connection, vault: Vault, against: Iterable[tuple[str, str]] = ()) -> Verified:
    """Recompute the whole log; against: (name, note) of checkpoints that somebody outside has kept."""
    found = Verified()
    segments, kept = checkpoints.segments(conn), checkpoints.every(conn)
    vkeys, name = checkpoints.vkeys(conn), checkpoints.name(conn)
    outside = _outside(found, against, vkeys, name)
    read = _leaves(conn, found, segments, kept, outside)
    _signatures(found, kept, vkeys, name)
    _witnesses(conn, found, kept)
    salts = _details(conn, found, vault, read)
    _deliveries(conn, found, read, salts, segments, kept)
    return found


# ---- leaves, trees, checkpoints


def _outside(
    found: Verified, against: Iterable[tuple[str, str]], vkeys: Sequence[str], name: str | None
) -> list[tuple[int, int, bytes, str]]:
    """segment, size, root and name of each note from outside that one of our keys has signed."""
    notes = []
    for where, note in against:
        try:
            stated = verify(note, vkeys)
            notes.append((_segment_of(stated.origin, name), stated.size, stated.root, where))
        except (CheckpointError, ValueError) as error:
            found.wrong(f"can't be compared: {error}", where)
    return notes


def _segment_of(origin: str, name: str | None) -> int:
    log, _, year = origin.rpartition("/")
    if log != name or not year.isdecimal():
        raise ValueError("it is of another log")
    return int(year)


def _leaves(
    conn: Connection,
    found: Verified,
    segments: Sequence[Segment],
    kept: Sequence[Kept],
    outside: Sequence[tuple[int, int, bytes, str]],
) -> _Read:
    """Every leaf once: numbers, columns, segments, and every root that somebody has signed or kept."""
    read = _Read()
    if segments and segments[0].first_leaf != 0:
        found.wrong("its first segment does not begin with the first leaf", "log")
    rows = _rows_of_leaves(conn)
    previous: tuple[int, Frontier] | None = None
    number = 0
    for segment in segments or [Segment(0, 0, checkpoints.next_leaf(conn))]:
        wanted: dict[int, list[tuple[bytes, str, str]]] = {}
        for head in kept:
            if head.segment == segment.segment:
                where = f"checkpoint {head.checkpoint_no}"
                wanted.setdefault(head.size, []).append((head.root, where, "its root is another"))
        for year, size, root, name in outside:
            if year == segment.segment:
                said = "the log was rewritten since: its root is another"
                wanted.setdefault(size, []).append((root, name, said))
        tree, hashes = Frontier(), []
        stops = sorted(size for size in wanted if size <= segment.size)
        for at in range(segment.size):
            row = next(rows, None)
            if row is None:
                break
            line = _leaf(found, read, number, row)
            if at == 0 and previous is not None:
                _header(found, segment, previous, number, line)
            elif line.get("t") == "segment":
                found.wrong("opens a segment where none begins", f"leaf {number}")
            hashes.append(leaf_hash(row[3].encode()))
            number += 1
            if (stops and at + 1 == stops[0]) or len(hashes) == _AT_ONCE:
                tree, hashes = tree.extended(hashes), []
            if stops and at + 1 == stops[0]:
                for root, where, said in wanted.pop(stops.pop(0)):
                    if tree.root() != root:
                        found.wrong(said, where)
        tree = tree.extended(hashes)
        for size, heads in wanted.items():
            for root, where, _ in heads:
                if size or root != Frontier().root():
                    found.wrong(f"speaks of {size} leaves of {segment.segment}", where)
        previous = (segment.segment, tree)
        sealed = max((head.size for head in kept if head.segment == segment.segment), default=0)
        found.unsealed += max(0, tree.size - sealed)
    for row in rows:
        _leaf(found, read, number, row)
        number += 1
    years = {segment.segment for segment in segments}
    for head in kept:
        if head.segment not in years:
            found.wrong("is of a segment that there is not", f"checkpoint {head.checkpoint_no}")
    for year, _, _, name in outside:
        if year not in years:
            found.wrong("is of a segment that there is not", name)
    found.leaves = number
    return read


def _rows_of_leaves(conn: Connection) -> Iterator[Sequence[Any]]:
    """Number, entry, delivery, text and instant of every leaf in order; as the driver gives them."""
    columns = [
        disclosure_leaf.c[name] for name in ("leaf_no", "entry_id", "delivery_id", "leaf", "at")
    ]
    found = conn.execute(
        select(*columns).order_by(disclosure_leaf.c.leaf_no).execution_options(yield_per=_AT_ONCE)
    )
    for some in found.partitions(_AT_ONCE):
        yield from some


def _leaf(found: Verified, read: _Read, number: int, row: Sequence[Any]) -> Mapping[str, Any]:
    """Read one leaf: its number, and whether the columns beside it say what it says."""
    leaf_no, entry_id, delivery_id, text, at = row
    where = f"leaf {leaf_no}"
    if leaf_no != number:
        found.wrong(f"stands where leaf {number} has to be", where)
    try:
        line = _read_json(text)
        kind = line["t"]
    except (ValueError, KeyError, TypeError):
        found.wrong("can't be read", where)
        return {}
    entry, of_delivery = line.get("e"), line.get("d")
    has_detail = kind in OF_A_DETAIL
    if (entry_id, delivery_id, at) != (
        entry if has_detail else None,
        of_delivery,
        line.get("at", at),
    ):
        found.wrong("is filed under something else than it says", where)
    if has_detail:
        if entry in read.committed:
            found.wrong("speaks of an entry that has a leaf already", where)
        said = (
            of_delivery, line.get("to"), line.get("purpose"), line.get("basis"), line.get("ground"),
            line.get("operation", "delivery"), at,
        )  # fmt: skip
        read.committed[str(entry)] = (
            number, line.get("c", ""), read.filings.setdefault(said, said),
        )  # fmt: skip
        if of_delivery is not None:
            read.waiting.setdefault(of_delivery, []).append(str(entry))
    elif kind == "erased":
        if entry not in read.committed or entry in read.erased:
            found.wrong("erases what was not there", where)
        read.erased[str(entry)] = number
    elif of_delivery is not None:
        _of_delivery(found, read, number, kind, line)
    return line


_scan = json.JSONDecoder().raw_decode


def _read_json(text: str) -> dict[str, Any]:
    """`json.loads` of an object without blanks around it, in a third of the time."""
    read: dict[str, Any]
    read, end = _scan(text)
    if end != len(text):
        raise ValueError("something stands behind it")
    return read


def _of_delivery(
    found: Verified, read: _Read, number: int, kind: str, line: Mapping[str, Any]
) -> None:
    name = line["d"]
    if kind == "intent":
        entries = read.waiting.pop(name, [])
        if len(entries) != line.get("n"):
            found.wrong(
                f"intends {line.get('n')} rows, {len(entries)} are logged before it",
                f"leaf {number}",
            )
        read.intents[name] = _Intent(number, line, entries)
        return
    intent = read.intents.get(name)
    if intent is None or kind not in _LEAVES_AFTER[intent.last]:
        after = "nothing" if intent is None else intent.last
        found.wrong(f"{kind} can't come after {after}", f"leaf {number}")
        return
    intent.last = kind
    intent.receipt = line.get("receipt", intent.receipt)
    intent.accepted = line.get("accepted", intent.accepted)
    intent.rejected = line.get("rejected", intent.rejected)


def _header(
    found: Verified,
    segment: Segment,
    previous: tuple[int, Frontier],
    number: int,
    line: Mapping[str, Any],
) -> None:
    year, tree = previous
    said = (
        line.get("t"),
        line.get("segment"),
        line.get("previous"),
        line.get("n"),
        line.get("root"),
    )
    if said != ("segment", segment.segment, year, tree.size, tree.root().hex()):
        found.wrong(f"does not carry the end of {year} into {segment.segment}", f"leaf {number}")


def _signatures(
    found: Verified, kept: Sequence[Kept], vkeys: Sequence[str], name: str | None
) -> None:
    """Each checkpoint: its number, its signature, and that columns and note say the same."""
    by_id = {key.split("+")[1]: key for key in vkeys}
    for number, head in enumerate(kept):
        where = f"checkpoint {head.checkpoint_no}"
        if head.checkpoint_no != number:
            found.wrong(f"stands where checkpoint {number} has to be", where)
        try:
            stated = verify(head.note, [by_id[head.key_id]] if head.key_id in by_id else [])
            same = (stated.size, stated.root) == (head.size, head.root)
            if not same or _segment_of(stated.origin, name) != head.segment:
                found.wrong("its note says something else", where)
            tree = Frontier.from_bytes(head.frontier)
            if (tree.size, tree.root()) != (head.size, head.root):
                found.wrong("its tree is another", where)
        except (CheckpointError, ValueError) as error:
            found.wrong(f"does not hold: {error}", where)
    found.checkpoints = len(kept)


def _witnesses(conn: Connection, found: Verified, kept: Sequence[Kept]) -> None:
    """What a witness has, and what it signed, is there still."""
    numbers = {head.checkpoint_no: head for head in kept}
    for witness in checkpoints.witnesses(conn):
        if witness.checkpoint_no is not None and witness.checkpoint_no not in numbers:
            found.wrong("is gone; a witness has it", f"checkpoint {witness.checkpoint_no}")
    for number, note in checkpoints.cosignatures(conn)[["checkpoint_no", "note"]].itertuples(
        index=False
    ):
        head = numbers.get(number)
        if head is None or not note.startswith(head.note.partition("\n\n")[0]):
            found.wrong("is not what a witness has signed", f"checkpoint {number}")


# ---- details


def _details(conn: Connection, found: Verified, vault: Vault, read: _Read) -> dict[str, bytes]:
    """Every detail against its leaf; entry → salt of those that belong to a delivery."""
    detail, terms = disclosure_detail.c, disclosure_terms.c
    rows = conn.execute(
        select(
            detail.leaf_no, detail.entry_id, detail.party_id, detail.subject_token, detail.holder,
            detail.terms_no, detail.sealed, disclosure_seed.c.seed, terms.delivery_id,
            terms.recipient, terms.purpose, terms.basis, terms.ground, terms.operation, terms.at,
            type_coerce(terms.fields, Text),
        )
        .outerjoin_from(disclosure_detail, disclosure_terms, terms.terms_no == detail.terms_no)
        .outerjoin(disclosure_seed, disclosure_seed.c.holder == detail.holder)
    )  # fmt: skip
    salts: dict[str, bytes] = {}
    left, used = dict(read.committed), set[int]()
    for some in rows.partitions(_AT_ONCE):
        for leaf_no, entry, party, token, holder, under, sealed, seed, *said in some:
            used.add(under)
            fields = said.pop()
            found.details += 1
            where = f"entry {entry}"
            proven = left.pop(entry, None)
            if proven is None:
                found.wrong("has a detail and no leaf", where)
                continue
            if entry in read.erased:
                found.wrong("is erased by its leaf and still there", where)
            plain = vault.decrypt(seed, entry, sealed)
            if plain is None:
                found.wrong("can't be decrypted: detail or seed was changed", where)
            elif commitment(plain) != proven[1]:
                found.wrong("is not what its leaf commits to", where)
            elif leaf_no != proven[0] or tuple(said) != proven[2]:
                found.wrong("is filed under something else than its leaf says", where)
            elif not _fits(vault, plain, party, token, holder, said, fields):
                found.wrong("is filed under somebody or something else", where)
            elif said[0] is not None:
                salts[entry] = plain[:SALT_BYTES]
    for entry, (number, _, _) in left.items():
        if entry in read.erased:
            found.erased += 1
        else:
            found.wrong("its detail is gone, and no leaf says that it was erased", f"leaf {number}")
    kept = set(conn.scalars(select(disclosure_terms.c.terms_no)))
    for number in sorted(kept - used):
        found.wrong("is not what any detail was told under", f"terms {number}")
    return salts


def _fits(
    vault: Vault,
    plain: bytes,
    party: int | None,
    token: str | None,
    holder: str,
    said: Sequence[Any],
    fields: str,
) -> bool:
    """Whether a detail is under its own person, and names the fields that it holds, or was asked with.

    What an older hub asked has no fields in what its leaf commits to: nothing there to hold them against.
    """
    content = _read_json(plain[SALT_BYTES:].decode())
    if token is not None:
        asked = vault.token(str(said[1]), str(content.get("subject")))
        with_those = content.get("fields") in (None, json.loads(fields))
        return party is None and token == holder == asked and with_those
    of_person = f"D{said[0]}" if party is None else f"P{party}"
    stated = [name for name, value in content.items() if value]
    return holder == of_person and sorted(stated) == _sorted_names(fields)


@lru_cache(maxsize=1000)
def _sorted_names(fields: str) -> list[str]:
    return sorted(json.loads(fields))


# ---- deliveries


def _deliveries(
    conn: Connection,
    found: Verified,
    read: _Read,
    salts: Mapping[str, bytes],
    segments: Sequence[Segment],
    kept: Sequence[Kept],
) -> None:
    """Every delivery against its leaves: rows, bytes, receipt, state, and the seal before it left."""
    for name in read.waiting:
        found.wrong("has logged rows that no intent counts", f"delivery {name}")
    statement = select(delivery_row.c.delivery_id, delivery_row.c.status, func.count()).group_by(
        delivery_row.c.delivery_id, delivery_row.c.status
    )
    rows: dict[str, Counter[str]] = {}
    for name, status, n in conn.execute(statement):
        rows.setdefault(name, Counter())[status] += n
    sealed = {segment.segment: 0 for segment in segments}
    for head in kept:
        sealed[head.segment] = max(sealed.get(head.segment, 0), head.size)
    held = {one.delivery_id: one for one in deliveries.in_state(conn, *_EVERY_STATE)}
    for name in sorted(read.intents.keys() | held.keys()):
        where = f"delivery {name}"
        one, intent = held.get(name), read.intents.get(name)
        if one is None or intent is None:
            what = "is in the log and gone" if one is None else "is not in the log"
            found.wrong(what, where)
            continue
        found.deliveries += 1
        _delivery(found, one, intent, rows.get(name, Counter()), where)
        _bytes(found, one, intent, salts, where)
        if one.state not in ("prepared", "aborted") and not _is_sealed(intent, segments, sealed):
            found.wrong("left without a checkpoint that covers its intent", where)


_EVERY_STATE = (*deliveries.OPEN, "acknowledged", "aborted")


def _delivery(
    found: Verified, one: Delivery, intent: _Intent, rows: Counter[str], where: str
) -> None:
    facts = intent.facts
    ours = (
        one.recipient, one.rows, one.payload_mac, list(one.columns), one.notice_version,
        f"{one.recipient}@{one.contract_version}",
    )  # fmt: skip
    logged = tuple(facts.get(name) for name in ("to", "n", "mac", "fields", "notice", "contract"))
    if ours != logged or (one.state != "aborted" and one.sequence != facts.get("sequence")):
        found.wrong("is not what its intent says", where)
    if rows.total() != one.rows:
        found.wrong(f"has {rows.total()} of its {one.rows} rows", where)
    if one.state not in _STATES_AFTER[intent.last]:
        found.wrong(f"is {one.state}, and the last of its leaves says {intent.last}", where)
    answer = (intent.accepted, intent.rejected)
    if one.state == "acknowledged" and (one.accepted, one.rejected) != answer:
        found.wrong("has another answer than its leaf says", where)
    if (
        intent.receipt is not None
        and receipt_hash(one.delivery_id, one.receipt or {}) != intent.receipt
    ):
        found.wrong("has another receipt than its leaf says", where)


def _bytes(
    found: Verified, one: Delivery, intent: _Intent, salts: Mapping[str, bytes], where: str
) -> None:
    """The bytes, while they are kept, are those that were logged."""
    if one.payload is None or any(entry not in salts for entry in intent.entries):
        return
    key = b"".join(salts[entry] for entry in intent.entries)
    if hmac.new(key, one.payload, hashlib.sha256).hexdigest() != one.payload_mac:
        found.wrong("its bytes are not those that were logged", where)


def _is_sealed(intent: _Intent, segments: Sequence[Segment], sealed: Mapping[int, int]) -> bool:
    at = bisect_right([segment.first_leaf for segment in segments], intent.leaf_no) - 1
    segment = segments[at]
    return intent.leaf_no < segment.first_leaf + sealed[segment.segment]
