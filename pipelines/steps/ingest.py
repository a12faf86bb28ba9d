"""Land what a source has to say, in the same transaction as its cursor.

Belongs here: asking one source, the rules that hold a whole batch, dropping what the notice does not
cover, landing by hash. Does not belong here: reading what the records mean (`standardise`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from sqlalchemy import Connection

from connectors.base import (
    Ask,
    Batch,
    ConnectorError,
    Fault,
    OtherColumns,
    Record,
    Source,
    Unavailable,
)
from expectations.feeds import COLUMNS, VOLUME
from expectations.volume import implausible
from pipelines.domain.correction import ENDED_BY_SOURCE, endings, is_of_unlanded
from pipelines.domain.landing import content_hash, field_times, standing
from pipelines.domain.schemas import LANDED
from pipelines.notice import Notice
from pipelines.settings import SourceConfig
from pipelines.steps.allow_asking import allow_asking, barred_until
from pipelines.steps.ask_in_batches import awaited, settle_answers
from pipelines.steps.log_lookup import log_lookup
from pipelines.steps.night import Check, Night, StepResult, StepRun, executing
from pipelines.steps.vet_feed import broken, vet, with_silence
from pipelines.steps.weigh import waiting_counts
from pipelines.store import acceptances, corrections, frames, nights, quarantine
from pipelines.store.engine import transaction

INGEST_CHECKS = ("feed_in_order", "heard_in_turn")
_RECORD = ["source", "kind", "source_key"]
_LEFT_OUT = "not_stated_since"


def ingest(night: Night, config: SourceConfig, opener: Callable[[], Source]) -> StepResult:
    """Ask the source what is new, and land it.

    A source that is down or refused lets the night go on (DESIGN 14): nothing of it is landed, its
    cursor stays, the night ends red. An implausible volume holds the whole batch the same way.
    """
    try:
        ask = whats_new(night, config)
        batch = opener().fetch(ask)
    except ConnectorError as error:
        return with_silence(night, config, _nothing_landed(night, config, error))
    return with_silence(night, config, land(night, config, batch))


def land(night: Night, config: SourceConfig, batch: Batch) -> StepResult:
    """Land what a source answered to `whats_new`, and move on to where it ends; or hold the whole batch.

    A batch of implausible size is taken in where two people have let one of its size in (`accept_volume`), once.
    """
    with transaction(night.engine) as conn:
        usual = nights.usual_total(conn, config.name)
        let_in = acceptances.fitting(conn, config.name, batch.total, night.business_date)
    held = implausible(batch.total, usual, config.expect.corridor)
    if held is not None and let_in is None:
        return _held(night, config, batch, held)
    with executing(night, f"ingest:{config.name}") as step:
        landed, dropped = _take_in(step, night, config, batch)
        step.counts.update(settle_answers(step, night, config, batch))
        _move_on(step, night, config, batch, len(landed), dropped)
        if held is not None and let_in is not None and batch.total is not None:
            acceptances.use(step.conn, let_in.acceptance_no, batch.total, night.business_date)
            step.counts["volume_accepted"] = let_in.acceptance_no
        refused = _refused_counts(step, night, config)
    return _result(batch, landed, dropped, refused, vet(config, batch))


def land_answer(night: Night, config: SourceConfig, batch: Batch) -> StepResult:
    """Land what a source answered about a few customers (a refresh).

    The cursor stays, as nobody else's changes have been heard, and so does the feed's record: how many
    were asked about today says nothing of how many it usually holds.
    """
    with executing(night, f"refresh:{config.name}") as step:
        landed, dropped = _take_in(step, night, config, batch)
        refused = _refused_counts(step, night, config)
    return _result(batch, landed, dropped, refused)


def whats_new(night: Night, config: SourceConfig) -> Ask:
    """The night's question to a source: all that is new since the last answer that was landed.

    Raises Refused when the source may not be asked.
    """
    allow_asking(night, config)
    with transaction(night.engine) as conn:
        cursor = nights.cursor_of(conn, config.name)
        known = _known(conn, config)
        waiting = awaited(conn, config)
    return Ask(
        cursor=cursor,
        known=known,
        business_date=night.business_date,
        announce=lambda operation, keys: log_lookup(night, config, operation, keys),
        reread=night.full,
        awaited=waiting,
    )


def _known(conn: Connection, config: SourceConfig) -> frozenset[str]:
    """The parties held of a source, less those whose newest word could not be had: they are asked anew."""
    source = config.name
    held = frames.keys_of(conn, LANDED, source, "party")
    items = quarantine.open_items(conn)[[*_RECORD, "content_hash"]]
    items = items[(items["source"] == source) & (items["kind"] == "party")]
    landed = frames.read_matching(conn, LANDED, items[_RECORD].drop_duplicates(), tuple(_RECORD))
    both = items.merge(landed[[*_RECORD, "content_hash"]], on=_RECORD, suffixes=("", "_landed"))
    missed = both["content_hash"] != both["content_hash_landed"]
    last = nights.last_good_date(conn, f"ingest:{source}")
    freed = barred_until(conn, config, last) if last is not None else frozenset[str]()
    return held - frozenset(both.loc[missed, "source_key"]) - freed


def _take_in(
    step: StepRun, night: Night, config: SourceConfig, batch: Batch
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Records and faults into the store; what was landed, and what was dropped at the door by name."""
    allowed = night.settings.notice.fields_of(config.notice_source)
    keys = pd.DataFrame(
        {
            "source": config.name,
            "kind": [r.kind for r in batch.records],
            "source_key": [r.key for r in batch.records],
        }
    )
    held = frames.read_matching(step.conn, LANDED, keys, tuple(_RECORD))
    notice = night.settings.notice
    let_in = [_let_in(record, allowed, notice) for record in batch.records]
    incoming, outside = _frame(config.name, batch.records, let_in, held, night.business_date)
    silent, before = _left_out(step, config.name, batch, night.business_date)
    incoming = pd.concat([incoming, silent], ignore_index=True)
    held = pd.concat([held, before], ignore_index=True)
    known = incoming[_RECORD].merge(held[[*_RECORD, "content_hash"]], on=_RECORD, how="left")
    changed = incoming[(known["content_hash"] != incoming["content_hash"]).to_numpy()].copy()
    times = field_times(changed, held, night.as_of)
    changed["field_times"] = pd.Series(times, changed.index, "object")
    frames.put(step.conn, LANDED, LANDED.conform(changed), step.id)
    quarantine.supersede(step.conn, _outdated(step, incoming), night.now())
    faults = _faults(config.name, batch.faults, night)
    again = _hold_to_corrections(step, night, incoming, faults)
    step.counts["opened"] = quarantine.open_findings(step.conn, faults[~again], night.now())
    step.counts.update(
        fetched=batch.fetched,
        landed=len(changed),
        unchanged=len(incoming) - len(changed),
        left_out=len(silent),
        faults=len(batch.faults),
        dropped_columns=len(batch.dropped) + len(outside),
        unknown_kinds=sum(batch.unknown.values()),
        not_held=batch.not_held,
        faults_of_others=batch.faults_of_others,
    )
    return changed, {**batch.dropped, **outside}


def _hold_to_corrections(
    step: StepRun, night: Night, incoming: pd.DataFrame, faults: pd.DataFrame
) -> pd.Series:
    """Close the corrections whose record says something else now; which faults are an error corrected before.

    incoming: LANDED rows as they came, unchanged ones too. What came with its error unmended is counted.
    """
    in_force = corrections.in_force(step.conn)  # few, beside what a whole register says
    if in_force.empty:
        return pd.Series(False, faults.index, dtype=bool)
    corrected = pd.MultiIndex.from_frame(in_force[_RECORD])
    incoming = incoming[pd.MultiIndex.from_frame(incoming[_RECORD]).isin(corrected)]
    never = in_force[is_of_unlanded(in_force)]
    form = [*_RECORD, "content_hash"]
    again = pd.Series(
        pd.MultiIndex.from_frame(faults[form]).isin(pd.MultiIndex.from_frame(never[form])),
        faults.index,
        dtype=bool,
    )
    other = never.merge(faults.loc[~again, _RECORD].drop_duplicates(), on=_RECORD)
    other = other[
        ~other["correction_no"].isin(never.merge(faults[again], on=form)["correction_no"])
    ]
    ended = pd.concat(
        [
            endings(incoming, in_force),
            other[["correction_no"]].assign(ending="source_changed"),
        ]
    ).drop_duplicates("correction_no")
    for ending in ENDED_BY_SOURCE:
        numbers = ended.loc[ended["ending"] == ending, "correction_no"]
        corrections.close(step.conn, list(numbers), ending, night.now())
    is_over = in_force["correction_no"].isin(ended["correction_no"])
    corrections.read_again(step.conn, in_force.loc[is_over, _RECORD], step.id)
    step.counts["corrections_ended"] = int(is_over.sum())
    stated = pd.concat([incoming[_RECORD], faults.loc[again, _RECORD]]).drop_duplicates()
    step.counts["corrected"] = len(
        in_force.loc[~is_over, _RECORD].drop_duplicates().merge(stated, on=_RECORD)
    )
    return again


def _refused_counts(step: StepRun, night: Night, config: SourceConfig) -> dict[str, int]:
    """What a steward follows from night to night, as far as there is any: refused, corrected, waiting."""
    told = {
        name: step.counts[name]
        for name in ("opened", "corrected", "corrections_ended", "volume_accepted")
        if step.counts.get(name)
    }
    return {**told, **waiting_counts(step.conn, night, config.name)}


def _move_on(
    step: StepRun,
    night: Night,
    config: SourceConfig,
    batch: Batch,
    landed: int,
    dropped: dict[str, int],
) -> None:
    """The source's cursor and what its feed brought, in the transaction that lands it."""
    nights.move_cursor(
        step.conn, config.name, batch.cursor, batch.total, night.business_date, night.now()
    )
    nights.record_feed(
        step.conn,
        config.name,
        night.business_date,
        status="ok" if batch.fetched or batch.records else "unchanged",
        fetched=batch.fetched,
        landed=landed,
        faults=len(batch.faults),
        total=batch.total,
        dropped=dropped,
        unknown=batch.unknown,
        reason=None,
        now=night.now(),
    )


def _let_in(record: Record, allowed: frozenset[str], notice: Notice) -> frozenset[str]:
    """Which of its fields a record may bring: what the notice lets its source say of somebody like that."""
    content = record.content
    is_person = content.get("person_key") is not None
    return allowed - notice.not_of("person" if is_person else content.get("party_type"))


def _left_out(
    step: StepRun, source: str, batch: Batch, business_date: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the source states no longer, marked as such since tonight, and the same as it was landed.

    Missing is not deletion: what was said last stands, and that nobody says it any more is said beside it.
    """
    every = [
        {"source": source, "kind": kind, "source_key": key}
        for kind in sorted(batch.whole)
        for key in sorted(
            frames.keys_of(step.conn, LANDED, source, kind)
            - {r.key for r in batch.records if r.kind == kind}
            - {f.key for f in batch.faults if f.kind == kind}
        )
    ]
    missing = pd.DataFrame(every, columns=_RECORD, dtype="str")
    before = frames.read_matching(step.conn, LANDED, missing, tuple(_RECORD))
    is_news = [_LEFT_OUT not in content for content in before["content"]]
    before = before.loc[pd.Series(is_news, before.index, dtype=bool)]
    since = {_LEFT_OUT: business_date}
    told = pd.Series([content | since for content in before["content"]], before.index, "object")
    return before.assign(
        content=told, content_hash=told.map(content_hash), business_date=business_date
    ), before


def _frame(
    source: str,
    records: Sequence[Record],
    let_in: Sequence[frozenset[str]],
    held: pd.DataFrame,
    business_date: str,
) -> tuple[pd.DataFrame, Counter[str]]:
    """Records as landed rows, the last word on each key, without fields it does not let in (R9)."""
    outside: Counter[str] = Counter()
    words: dict[tuple[str, str], dict[str, object]] = {
        (kind, key): content
        for kind, key, content in held[["kind", "source_key", "content"]].itertuples(index=False)
    }
    times: dict[tuple[str, str], str | None] = {}
    for record, allowed in zip(records, let_in, strict=True):
        content = {k: v for k, v in record.content.items() if v is not None and k in allowed}
        outside.update(k for k, v in record.content.items() if v is not None and k not in allowed)
        key = (record.kind, record.key)
        words[key] = standing(content, words.get(key, {}), is_partial=record.is_partial)
        times[key] = record.source_time
    rows = [
        {
            "source": source,
            "kind": kind,
            "source_key": key,
            "source_time": time,
            "content": words[kind, key],
            "content_hash": content_hash(words[kind, key]),
            "business_date": business_date,
        }
        for (kind, key), time in times.items()
    ]
    return LANDED.frame(rows), outside


def _outdated(step: StepRun, incoming: pd.DataFrame) -> pd.DataFrame:
    """Records in quarantine in another form than the one that stands now."""
    items = quarantine.open_items(step.conn)[[*_RECORD, "content_hash"]]
    now = items.merge(incoming[[*_RECORD, "content_hash"]], on=_RECORD, suffixes=("", "_now"))
    return now.loc[now["content_hash"] != now["content_hash_now"], _RECORD].drop_duplicates()


def _faults(source: str, faults: Sequence[Fault], night: Night) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "source": source,
                "kind": f.kind,
                "source_key": f.key,
                "content_hash": content_hash(dict(f.content)),
                "content": dict(f.content) or None,
                "rule": f.rule,
                "severity": "critical",
                "field": None,
                "reason": f.reason,
                "business_date": night.business_date,
            }
            for f in faults
        ],
        columns=[
            "source",
            "kind",
            "source_key",
            "content_hash",
            "content",
            "rule",
            "severity",
            "field",
            "reason",
            "business_date",
        ],
    )


def _result(
    batch: Batch,
    landed: pd.DataFrame,
    dropped: Mapping[str, int],
    refused: Mapping[str, int],
    vetted: Sequence[Check] = (),
) -> StepResult:
    unknown = sum(batch.unknown.values())
    came_to = Counter(grade for grades in batch.answers.values() for grade in grades.values())
    return StepResult(
        status="attention" if unknown or batch.faults else "ok",
        counts={
            "fetched": batch.fetched,
            "landed": len(landed),
            "faults": len(batch.faults),
            "unknown_kinds": unknown,
            **({"not_held": batch.not_held} if batch.not_held else {}),
            **({"faults_of_others": batch.faults_of_others} if batch.faults_of_others else {}),
            **{f"dropped:{column}": n for column, n in sorted(dropped.items())},
            **{f"answered:{grade}": n for grade, n in sorted(came_to.items())},
            **refused,
        },
        checks=(
            Check(
                "feed_in_order",
                not unknown and not batch.faults,
                "warning",
                {"unknown_kinds": unknown, "faults": len(batch.faults)},
            ),
            *vetted,
        ),
    )


def _nothing_landed(night: Night, config: SourceConfig, error: ConnectorError) -> StepResult:
    status = "down" if isinstance(error, Unavailable) else "refused"
    columns = broken(config, COLUMNS) if isinstance(error, OtherColumns) else ()
    with transaction(night.engine) as conn:
        nights.record_feed(
            conn,
            config.name,
            night.business_date,
            status=status,
            reason=str(error),
            now=night.now(),
        )
    return StepResult(
        status="failed",
        checks=(Check("feed_in_order", passed=False), *columns),
        text=str(error),
    )


def _held(night: Night, config: SourceConfig, batch: Batch, reason: str) -> StepResult:
    with transaction(night.engine) as conn:
        nights.record_feed(
            conn,
            config.name,
            night.business_date,
            status="held",
            fetched=batch.fetched,
            total=batch.total,
            reason=reason,
            now=night.now(),
        )
    return StepResult(
        status="failed",
        counts={"fetched": batch.fetched, "held": batch.fetched},
        checks=(
            Check("feed_in_order", passed=False, counts={"total": batch.total or 0}),
            *broken(config, VOLUME, total=batch.total or 0),
        ),
        text=reason,
    )
