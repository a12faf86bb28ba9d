"""Recompute the disclosure log, and say plainly what nobody would see.

Belongs here: which rewriting would stay unseen with the witnesses there are. Does not belong here: the
recomputing itself (`store.verification`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from pipelines.steps.night import Night
from pipelines.store import checkpoints
from pipelines.store.engine import reading
from pipelines.store.verification import Verified, verify_log

Guard = Literal["nobody", "letter", "witness"]


@dataclass(frozen=True)
class Exposure:
    """What could be rewritten unseen by whoever holds database and log key.

    guard: who outside holds a checkpoint. safe_leaves: leaves up to the newest one that is held outside; what
    came after is covered by nobody. unsealed: leaves not even signed yet. witnesses: who holds how many leaves, of which segment, since when.
    """

    guard: Guard
    safe_leaves: int
    leaves: int
    unsealed: int
    witnesses: tuple[tuple[str, int, int, str], ...] = ()

    @property
    def sentence(self) -> str:
        """It in words, for whoever has to answer for the log."""
        if self.unsealed:
            signed = replace(self, unsealed=0).sentence
            return (
                f"{signed} The last {self.unsealed} leaves are not signed yet: until they are, whoever "
                "holds the database alone could add to them."
            )
        if self.guard == "nobody":
            return (
                "No checkpoint has left the building: whoever holds the database and the log key could "
                "rewrite every leaf, and nobody would see it."
            )
        if self.guard == "letter":
            return (
                "Checkpoints leave in the morning letter alone: a rewriting is seen only by somebody who "
                "compares an old letter (--against). Whoever also has the letters' mailbox could rewrite all."
            )
        after = self.leaves - self.safe_leaves
        return (
            f"The first {self.safe_leaves} leaves can't be rewritten without a witness's checkpoint telling "
            f"it to whoever compares (--against); the {after} after them could be. What was entered "
            "falsely from the start no log shows."
        )


def verify(night: Night, against: Iterable[tuple[str, str]] = ()) -> tuple[Verified, Exposure]:
    """Recompute everything; against: (name, note) of checkpoints kept outside."""
    vault = night.vault
    with reading(night.engine) as conn:
        found = verify_log(conn, vault, against)
        first = {s.segment: s.first_leaf for s in checkpoints.segments(conn)}
        kept = {head.checkpoint_no: head for head in checkpoints.every(conn)}
        holding = [
            (w.witness, kept[w.checkpoint_no], w.at or w.since)
            for w in checkpoints.witnesses(conn)
            if w.checkpoint_no in kept
        ]
    letter = night.settings.hub.letter
    mailed = letter.smtp is not None and bool(letter.to)
    guard: Guard = "witness" if holding else "letter" if mailed else "nobody"
    safe = max((first.get(head.segment, 0) + head.size for _, head, _ in holding), default=0)
    return found, Exposure(
        guard,
        safe,
        found.leaves,
        found.unsealed,
        tuple((name, head.segment, head.size, at) for name, head, at in holding),
    )
