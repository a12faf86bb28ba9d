"""Let the log's checkpoints leave the building, and take in what witnesses signed (PRIVACY §2.8).

Belongs here: who is shown which checkpoint, what to make of an answer. Does not belong here: how a witness is
reached (`connectors.witnesses`), making checkpoints (`seal`).

Anybody who holds an old checkpoint can tell a log that grew from one that was rewritten.
"""

from collections.abc import Callable, Mapping

from connectors.base import ConnectorError, Witness
from pipelines.domain.checkpoint import CheckpointError, Note, cosigners, joined
from pipelines.errors import HubError, told
from pipelines.steps.night import Night
from pipelines.store import checkpoints
from pipelines.store.checkpoints import Kept
from pipelines.store.engine import transaction

Opener = Callable[[], Witness]


def show(night: Night, witnesses: Mapping[str, Opener]) -> list[str]:
    """Show every witness the checkpoints it lacks, and take in cosignatures; a line for each that failed."""
    failed = []
    for name, opener in witnesses.items():
        with transaction(night.engine) as conn:
            known = {w.witness: w for w in checkpoints.witnesses(conn)}.get(name)
            had = -1 if known is None or known.checkpoint_no is None else known.checkpoint_no
            lacking = _heads(checkpoints.every(conn), had)
            if known is None:
                checkpoints.witnessed(conn, name, night.now(), None, "not tried yet")
        try:
            witness = opener()
            for kept in lacking:
                witness.show(file_name(kept), kept.note)
            answers = list(witness.cosigned())
        except (ConnectorError, HubError) as error:
            failed.append(f"{name}: {told(error)}")
            with transaction(night.engine) as conn:
                checkpoints.witnessed(conn, name, night.now(), None, told(error))
            continue
        with transaction(night.engine) as conn:
            newest = lacking[-1].checkpoint_no if lacking else had
            if newest >= 0:
                checkpoints.witnessed(conn, name, night.now(), newest)
        if unread := _take_in(night, name, answers):
            failed.append(f"{name}: {unread} cosigned notes are not of this log, or do not hold")
    return failed


def file_name(kept: Kept) -> str:
    """Under which name a checkpoint leaves."""
    return f"checkpoint_{kept.segment}_{kept.checkpoint_no:08d}.txt"


def _heads(every: list[Kept], after: int) -> list[Kept]:
    """Of the checkpoints after one, the newest of each segment: it holds for those before it."""
    newest = {kept.segment: kept for kept in every if kept.checkpoint_no > after}
    return sorted(newest.values(), key=lambda kept: kept.checkpoint_no)


def _take_in(night: Night, name: str, answers: list[str]) -> int:
    """Keep cosigned notes with the checkpoints they are about; how many could not be used."""
    if not answers:
        return 0
    key = night.settings.hub.witnesses[name].vkey
    unread = 0
    with transaction(night.engine) as conn:
        by_text = {Note.parse(kept.note).text: kept for kept in checkpoints.every(conn)}
        for answer in answers:
            try:
                kept = by_text.get(Note.parse(answer).text)
                holds = key is None or bool(cosigners(answer, [key]))
                note = joined(kept.note, answer) if kept is not None and holds else None
            except CheckpointError:
                note, kept = None, None
            if note is None or kept is None:
                unread += 1
            else:
                checkpoints.cosign(conn, kept.checkpoint_no, name, note, night.now())
    return unread
