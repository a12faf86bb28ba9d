"""The trees over the log's leaves, a calendar year's segment each, and their signed heads (PRIVACY §2.3, §2.6).

Belongs here: where segments begin, their trees, checkpoints and the keys that signed them, who outside holds
which. Does not belong here: leaves and details (`disclosures`), what a checkpoint says (`domain.checkpoint`),
signing and when (`steps.seal`).

A segment's first leaf carries the final size and root of the segment before, so that a later checkpoint holds
for all years before it too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import Connection, func, insert, select

from pipelines.domain.disclosure import leaf
from pipelines.domain.merkle import Frontier, leaf_hash
from pipelines.store import frames
from pipelines.store.engine import StoreError
from pipelines.store.tables import (
    disclosure_leaf,
    log_checkpoint,
    log_cosignature,
    log_key,
    log_segment,
    log_witness,
)

_HELSINKI = ZoneInfo("Europe/Helsinki")
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Segment:
    """A calendar year of the log: its leaves are `first_leaf` … `first_leaf + size - 1`."""

    segment: int
    first_leaf: int
    size: int


@dataclass(frozen=True)
class Kept:
    """A checkpoint as it is kept. frontier: the tree it is the head of."""

    checkpoint_no: int
    segment: int
    size: int
    root: bytes
    frontier: bytes
    note: str
    key_id: str
    at: str


@dataclass(frozen=True)
class Witness:
    """What one witness has: the newest checkpoint it took and when; reason: why it lacks the newest."""

    witness: str
    since: str
    checkpoint_no: int | None
    at: str | None
    reason: str | None


# ---- segments and their trees


def next_leaf(conn: Connection) -> int:
    """The number of the next leaf."""
    last = conn.scalar(select(func.max(disclosure_leaf.c.leaf_no)))
    return 0 if last is None else last + 1


def segment_for(conn: Connection, at: str) -> str | None:
    """See to it that leaves of that instant have a segment; the leaf to write first where one begins.

    Years are Helsinki's. A clock that goes back opens none: leaves then belong to the segment that is open.
    """
    year, newest, first = _year(at), _newest(conn), next_leaf(conn)
    if newest is None:
        # what an older hub wrote is one segment, the year of its last leaf
        last = conn.scalar(
            select(disclosure_leaf.c.at).order_by(disclosure_leaf.c.leaf_no.desc()).limit(1)
        )
        newest = (year if last is None else _year(last), 0)
        _open(conn, *newest, at)
    if year <= newest[0]:
        return None
    tree = tree_of(conn, Segment(*newest, first - newest[1]))
    _open(conn, year, first, at)
    return leaf(
        "segment", at=at, segment=year, previous=newest[0], n=tree.size, root=tree.root().hex()
    )


def _year(at: str) -> int:
    return datetime.fromisoformat(at).astimezone(_HELSINKI).year


def _newest(conn: Connection) -> tuple[int, int] | None:
    statement = select(log_segment.c.segment, log_segment.c.first_leaf)
    found = conn.execute(statement.order_by(log_segment.c.segment.desc()).limit(1)).first()
    return None if found is None else (found[0], found[1])


def _open(conn: Connection, segment: int, first_leaf: int, at: str) -> None:
    conn.execute(insert(log_segment).values(segment=segment, first_leaf=first_leaf, at=at))


def segments(conn: Connection) -> list[Segment]:
    """Every segment, oldest first."""
    rows = conn.execute(
        select(log_segment.c.segment, log_segment.c.first_leaf).order_by(log_segment.c.segment)
    ).all()
    if not rows:
        return []
    ends = [*(row.first_leaf for row in rows[1:]), next_leaf(conn)]
    return [
        Segment(row.segment, row.first_leaf, end - row.first_leaf)
        for row, end in zip(rows, ends, strict=True)
    ]


def tree_of(conn: Connection, segment: Segment) -> Frontier:
    """The tree over a segment's leaves; only those since its last checkpoint are read."""
    last = latest(conn, segment.segment)
    tree = Frontier() if last is None else Frontier.from_bytes(last.frontier)
    if tree.size > segment.size:
        raise StoreError(f"the disclosure log of {segment.segment} has lost leaves")
    for hashes in leaf_hashes(conn, segment, tree.size):
        tree = tree.extended(hashes)
    if tree.size != segment.size:
        raise StoreError(f"the disclosure log of {segment.segment} has a gap")
    return tree


def leaf_hashes(conn: Connection, segment: Segment, after: int = 0) -> Iterator[list[bytes]]:
    """The hashes of a segment's leaves in their order, without the first `after`; some thousand at once."""
    number, end = disclosure_leaf.c.leaf_no, segment.first_leaf + segment.size
    for first in range(segment.first_leaf + after, end, _AT_ONCE):
        some = (number >= first, number < min(first + _AT_ONCE, end))
        found = frames.plain_rows(
            conn, select(disclosure_leaf.c.leaf).where(*some).order_by(number)
        )
        yield [leaf_hash(line.encode()) for (line,) in found]


# ---- checkpoints


def keep(conn: Connection, segment: int, tree: Frontier, note: str, key_id: str, at: str) -> Kept:
    """Keep a signed checkpoint; they are numbered 0, 1, 2 … without a gap."""
    last = conn.scalar(select(func.max(log_checkpoint.c.checkpoint_no)))
    number = 0 if last is None else last + 1
    kept = Kept(number, segment, tree.size, tree.root(), tree.to_bytes(), note, key_id, at)
    conn.execute(insert(log_checkpoint).values(vars(kept)))
    return kept


def latest(conn: Connection, segment: int | None = None) -> Kept | None:
    """The newest checkpoint, of one segment or of all."""
    statement = select(log_checkpoint).order_by(log_checkpoint.c.checkpoint_no.desc()).limit(1)
    if segment is not None:
        statement = statement.where(log_checkpoint.c.segment == segment)
    found = conn.execute(statement).mappings().first()
    return None if found is None else Kept(**found)


def every(conn: Connection) -> list[Kept]:
    """Every checkpoint, oldest first."""
    statement = select(log_checkpoint).order_by(log_checkpoint.c.checkpoint_no)
    return [Kept(**row) for row in conn.execute(statement).mappings()]


def count(conn: Connection) -> int:
    """How many checkpoints there are."""
    return conn.scalar(select(func.count()).select_from(log_checkpoint)) or 0


def unsealed(conn: Connection) -> int:
    """How many leaves no checkpoint covers yet."""
    found = 0
    for segment in segments(conn):
        last = latest(conn, segment.segment)
        found += segment.size - (0 if last is None else last.size)
    return found


# ---- keys


def vkeys(conn: Connection) -> list[str]:
    """The public keys that have signed, oldest first (`domain.checkpoint.vkey`); the last one signs now."""
    return list(conn.scalars(select(log_key.c.vkey).order_by(log_key.c.key_no)))


def add_key(conn: Connection, name: str, vkey: str, at: str) -> None:
    """From now on this key signs; the older ones stay, to verify what they signed."""
    number = conn.scalar(select(func.count()).select_from(log_key)) or 0
    conn.execute(insert(log_key).values(key_no=number, name=name, vkey=vkey, at=at))


# ---- who outside holds what


def witnesses(conn: Connection) -> list[Witness]:
    """Every witness that was ever sent a checkpoint."""
    rows = conn.execute(select(log_witness).order_by(log_witness.c.witness)).mappings()
    return [Witness(**row) for row in rows]


def witnessed(
    conn: Connection, witness: str, now: str, checkpoint_no: int | None, reason: str | None = None
) -> None:
    """A witness took a checkpoint, or (checkpoint_no None) failed to, for `reason`."""
    before = {known.witness: known for known in witnesses(conn)}.get(witness)
    since = now if before is None else before.since
    row: dict[str, str | int | None] = {"witness": witness, "since": since, "reason": reason}
    if checkpoint_no is not None:
        row |= {"checkpoint_no": checkpoint_no, "at": now}
    frames.upsert(conn, log_witness, pd.DataFrame([row]))


def cosign(conn: Connection, checkpoint_no: int, witness: str, note: str, at: str) -> bool:
    """Keep a cosigned note that a witness left; False when it is known."""
    same = select(log_cosignature.c.note).where(
        log_cosignature.c.checkpoint_no == checkpoint_no, log_cosignature.c.witness == witness
    )
    if note in set(conn.scalars(same)):
        return False
    number = conn.scalar(select(func.count()).select_from(log_cosignature)) or 0
    conn.execute(
        insert(log_cosignature).values(
            cosignature_no=number, checkpoint_no=checkpoint_no, witness=witness, note=note, at=at
        )
    )
    return True


def cosignatures(conn: Connection) -> pd.DataFrame:
    """checkpoint_no, witness, note, at of every cosigned note, oldest first."""
    columns = [c for c in log_cosignature.c if c.name != "cosignature_no"]
    return frames.rows(conn, select(*columns).order_by(log_cosignature.c.cosignature_no))


def name(conn: Connection) -> str | None:
    """What the log is called: its segments' checkpoints are of `NAME/YEAR`."""
    return conn.scalar(select(log_key.c.name).order_by(log_key.c.key_no.desc()).limit(1))
