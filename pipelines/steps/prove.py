"""Prove what was disclosed about one customer, to somebody who doesn't take our word for it (R38, PRIVACY §2.5).

Belongs here: gathering a person's entries, what became of their deliveries, and the trees they are in. Does not belong
here: what a bundle looks like (`domain.bundle`), checking one (`pipelines.verifier`).
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.bundle import Entry, Sealed, bundle
from pipelines.domain.checkpoint import Checkpoint, joined, verify
from pipelines.domain.told import ENDS
from pipelines.steps.look import party_of
from pipelines.steps.night import Night
from pipelines.steps.seal import seal
from pipelines.store import access, checkpoints
from pipelines.store import disclosures as log
from pipelines.store.checkpoints import Segment
from pipelines.store.engine import transaction


def prove(
    night: Night,
    number: str,
    who: str,
    purpose: str,
    *,
    language: str,
    words: Mapping[str, str],
    held: Sequence[str] = (),
) -> dict[str, Any]:
    """A bundle of everything told or asked about one customer, and that it was made.

    words: code → what it means. held: notes that the person kept; the bundle then proves that the log still begins as
    they say. The log is signed first when its newest leaves are not under a checkpoint. NotFound for nobody,
    CheckpointError for a note that is none of this log, KeysError without the log's keys.
    """
    vault = night.vault
    with transaction(night.engine) as conn:
        is_sealed = checkpoints.unsealed(conn) == 0
    if not is_sealed:
        seal(night)
    with transaction(night.engine) as conn:
        vkeys = checkpoints.vkeys(conn)
        kept = [verify(note, vkeys) for note in held]
        party_id = party_of(conn, number)
        access.record(conn, night.now(), who, "disclosures bundle", party_id, purpose)
        logged = log.of_party(conn, vault, party_id)
        states = _ends(log.states_of(conn, set(logged["delivery_id"].dropna())))
        numbers = {*logged["leaf_no"], *states["leaf_no"]}
        segments = [
            sealed
            for segment in checkpoints.segments(conn)
            if (sealed := _sealed(conn, segment, numbers, kept)) is not None
        ]
    return bundle(
        [_entry(row) for row in logged.to_dict("records")],
        [
            Entry(int(number), leaf)
            for number, leaf in states[["leaf_no", "leaf"]].itertuples(index=False)
        ],
        segments,
        vkeys=vkeys,
        language=language,
        made_at=night.now(),
        words=words,
        held=kept,
    )


def _ends(states: pd.DataFrame) -> pd.DataFrame:
    """What became of deliveries; that one was begun, only where there is no more to say."""
    kinds = states["leaf"].map(lambda leaf: json.loads(leaf)["t"]).astype("str")
    ended = states.loc[kinds.isin(ENDS), "delivery_id"]
    return states[kinds.isin(ENDS) | ~states["delivery_id"].isin(ended)]


def _entry(row: Mapping[Any, Any]) -> Entry:
    """A detail as its leaf committed to it; one that can't be read any more has no salt."""
    return Entry(int(row["leaf_no"]), row["leaf"], row["committed"], row["salt"] or b"")


def _sealed(
    conn: Connection, segment: Segment, numbers: Collection[int], held: Sequence[Checkpoint]
) -> Sealed | None:
    """A segment that has any of the leaves, or of which somebody kept a checkpoint; None for another."""
    last = checkpoints.latest(conn, segment.segment)
    if last is None:
        return None
    head = verify(last.note, checkpoints.vkeys(conn))
    leaves = range(segment.first_leaf, segment.first_leaf + segment.size)
    if not any(number in leaves for number in numbers) and all(
        old.origin != head.origin for old in held
    ):
        return None
    note, answers = last.note, checkpoints.cosignatures(conn)
    for answer in answers.loc[answers["checkpoint_no"] == last.checkpoint_no, "note"]:
        note = joined(note, answer)
    signed = Segment(segment.segment, segment.first_leaf, head.size)
    hashes = [one for some in checkpoints.leaf_hashes(conn, signed) for one in some]
    return Sealed(segment.first_leaf, head, note, hashes)
