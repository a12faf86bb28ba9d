"""Take in the post's newest reference files, each in place of the one before it.

Belongs here: asking for them, the rules that hold one back, replacing what is held, in the transaction of the
files' position. Does not belong here: reading a file (the connector), grading addresses (`standardise`).

They do not go through landing: they are no records of anybody, come whole, and nothing in them waits for a
steward. A line that can't be read is counted by its reason and left out.
"""

from collections import Counter
from collections.abc import Callable, Mapping

import pandas as pd
from sqlalchemy import Connection

from connectors.base import Ask, ConnectorError, Reference, ReferenceSource, Unavailable
from expectations.volume import implausible
from pipelines.settings import SourceConfig
from pipelines.steps.allow_asking import allow_asking
from pipelines.steps.night import Check, Night, StepResult, executing
from pipelines.steps.vet_feed import with_silence
from pipelines.store import nights, postal
from pipelines.store.engine import transaction


def load_postal(
    night: Night, config: SourceConfig, opener: Callable[[], ReferenceSource]
) -> StepResult:
    """Replace what is held by every newer file; without one it stays.

    A source that is down or refused, and a file of an implausible size, let the night go on with what is held
    (DESIGN 14).
    """
    try:
        allow_asking(night, config)
        with transaction(night.engine) as conn:
            cursor = nights.cursor_of(conn, config.name)
        ask = Ask(cursor, frozenset(), night.business_date, lambda *_: None, reread=night.full)
        reference = opener().fetch(ask)
    except ConnectorError as error:
        status = "down" if isinstance(error, Unavailable) else "refused"
        return with_silence(night, config, _nothing_loaded(night, config, status, str(error)))
    fresh, held = _fresh(night, config, reference)
    if held is not None:
        return with_silence(night, config, _nothing_loaded(night, config, "held", held))
    faults = sum((Counter(file.faults) for file in reference.files), Counter[str]())
    if fresh:
        with executing(night, "load_postal") as step:
            for table, rows in fresh.items():
                postal.replace(step.conn, table, rows, step.id)
            step.counts.update(_taken_in(step.conn, night, config, reference, fresh))
    else:  # nothing to stamp: only the files' position moves
        with transaction(night.engine) as conn:
            _taken_in(conn, night, config, reference, fresh)
    counts = _counts(reference, fresh)
    loaded = StepResult("attention" if faults else "ok", counts, (_check(faults),))
    return with_silence(night, config, loaded)


def _fresh(
    night: Night, config: SourceConfig, reference: Reference
) -> tuple[dict[str, pd.DataFrame], str | None]:
    """Table → the rows that are to be held from now on, where they differ; or why a file is not believed."""
    fresh: dict[str, pd.DataFrame] = {}
    with transaction(night.engine) as conn:
        for file in reference.files:
            rows = postal.differing(conn, file.table, pd.DataFrame(dict(file.columns)))
            if rows is None:
                continue
            held = postal.count(conn, file.table) or None
            why = implausible(len(rows), held, config.expect.corridor)
            if why is not None:
                return {}, f"{file.name}: {why}"
            fresh[file.table] = rows
    return fresh, None


def _taken_in(
    conn: Connection,
    night: Night,
    config: SourceConfig,
    reference: Reference,
    fresh: Mapping[str, pd.DataFrame],
) -> dict[str, int]:
    """The files' position and what they brought, in the transaction that replaces what is held."""
    counts = _counts(reference, fresh)
    if reference.files:
        nights.move_cursor(
            conn, config.name, reference.cursor, None, night.business_date, night.now()
        )
    nights.record_feed(
        conn, config.name, night.business_date, status="ok" if fresh else "unchanged",
        fetched=counts["fetched"], landed=counts["landed"], faults=counts["faults"], now=night.now(),
    )  # fmt: skip
    return counts


def _counts(reference: Reference, fresh: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    return {
        "fetched": sum(file.lines for file in reference.files),
        "landed": sum(map(len, fresh.values())),
        "faults": sum(sum(file.faults.values()) for file in reference.files),
    }


def _check(faults: Mapping[str, int]) -> Check:
    counts = {f"unread_lines:{reason}": n for reason, n in sorted(faults.items())}
    return Check("feed_in_order", not faults, "warning", counts)


def _nothing_loaded(night: Night, config: SourceConfig, status: str, reason: str) -> StepResult:
    with transaction(night.engine) as conn:
        nights.record_feed(
            conn, config.name, night.business_date, status=status, reason=reason, now=night.now()
        )
    return StepResult("failed", checks=(Check("feed_in_order", passed=False),), text=reason)
