"""Sign where the disclosure log stands, so that nothing leaves that isn't in a tree somebody can check.

Belongs here: making checkpoints (PRIVACY §2.4 S). Does not belong here: trees (`store.checkpoints`), the note
(`domain.checkpoint`), showing it to others (`witness`).
"""

from datetime import timedelta

from sqlalchemy import Connection

from pipelines.domain.checkpoint import Checkpoint, CheckpointError, key_id, sign, verify
from pipelines.domain.merkle import Frontier
from pipelines.steps.night import LogKeys, Night, instant
from pipelines.store import checkpoints, deliveries
from pipelines.store.checkpoints import Kept, Segment
from pipelines.store.disclosures import LOCK
from pipelines.store.engine import StoreError, one_at_a_time, transaction


def seal(night: Night) -> Kept | None:
    """Sign the log as it stands, in a transaction of its own; what was prepared is sealed by it.

    Every segment with leaves beyond its last checkpoint gets one, the open segment in any case: a quiet night
    too says that nothing was added. None while the log has no leaf. Raises KeysError without the log's keys,
    StoreError where the log does not continue its last checkpoint.
    """
    keys = night.log_keys()
    with transaction(night.engine) as conn:
        return seal_in(conn, night, keys)


def seal_in(conn: Connection, night: Night, keys: LogKeys) -> Kept | None:
    """`seal` as a part of a larger transaction."""
    one_at_a_time(conn, LOCK)
    kept, known = None, checkpoints.vkeys(conn)
    public = keys.signing.public_key().public_bytes_raw()
    named = key_id(keys.name, public).hex()
    for segment in checkpoints.segments(conn):
        last = checkpoints.latest(conn, segment.segment)
        if last is not None:
            _require_sound(last, known)
        is_open = segment.first_leaf + segment.size == checkpoints.next_leaf(conn)
        if is_open or last is None or last.size < segment.size:
            tree = checkpoints.tree_of(conn, segment)
            note = _signed(keys, segment, tree)
            kept = checkpoints.keep(conn, segment.segment, tree, note, named, night.now())
    deliveries.seal(conn)
    return kept


def _signed(keys: LogKeys, segment: Segment, tree: Frontier) -> str:
    """The head of a segment's tree as a signed note."""
    head = Checkpoint(f"{keys.name}/{segment.segment}", tree.size, tree.root())
    return sign(head, keys.name, keys.signing)


def is_unseen(conn: Connection, night: Night, hours: int) -> bool:
    """Whether there are witnesses and none of them has taken a checkpoint for so many hours.

    One that was never reached counts from when it was first tried.
    """
    configured = night.settings.hub.witnesses
    if not configured:
        return False
    tried = [w for w in checkpoints.witnesses(conn) if w.witness in configured]
    newest = max((w.at or w.since for w in tried), default=None)
    return newest is not None and newest < instant(night.clock() - timedelta(hours=hours))


def _require_sound(last: Kept, known: list[str]) -> None:
    """Whoever signs on top of a tampered checkpoint vouches for it."""
    try:
        stated = verify(last.note, known)
        tree = Frontier.from_bytes(last.frontier)
    except (CheckpointError, ValueError):
        stated, tree = None, Frontier()
    if stated is None or (stated.size, stated.root) != (tree.size, tree.root()):
        raise StoreError(
            f"checkpoint {last.checkpoint_no} of the disclosure log is not what was signed: "
            "run `hub disclosures verify`"
        )
