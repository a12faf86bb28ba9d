"""Hold a source against what its file promises, a delivery and its silence, and say so in checks a steward reads.

Belongs here: which checks a source has, how each came out of one delivery. Does not belong here: the
promises (`expectations.feeds`), refusing or holding a delivery (`ingest`), reading it (`connectors`).

Columns, types, codes and keys are held to where the file is read, since a row that breaks them is no record; here
that is counted, rule by rule. Whether a row names somebody who is there only the whole delivery knows, and Great
Expectations is asked: the answer is rule → records, and only how many goes on.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

import pandas as pd

from connectors.base import Batch, Fault, Record
from expectations import feeds
from expectations.run import ask
from pipelines.settings import SourceConfig
from pipelines.steps.night import Check, Night, StepResult
from pipelines.store import nights
from pipelines.store.engine import transaction


def feed_checks(config: SourceConfig) -> tuple[str, ...]:
    """The checks of a source's deliveries, beside the one every source has."""
    return _promises(config).checks


def vet(config: SourceConfig, batch: Batch) -> tuple[Check, ...]:
    """How a delivery that was read kept what was promised; none when nothing new was read."""
    promised = _promises(config)
    if not promised.checks or not (batch.records or batch.faults):
        return ()
    rules = Counter(fault.rule for fault in batch.faults)
    undeclared = sum(batch.unknown.values())
    doubles = rules.pop(feeds.DUPLICATE_KEY, 0)
    values = dict(rules) | ({feeds.UNDECLARED_CODE: undeclared} if undeclared else {})
    found = {
        feeds.COLUMNS: Check(feeds.COLUMNS, passed=True),
        feeds.VALUES: Check(feeds.VALUES, not values, "warning", values),
        feeds.KEYS: Check(
            feeds.KEYS, not doubles, "warning", {feeds.DUPLICATE_KEY: doubles} if doubles else {}
        ),
        feeds.VOLUME: Check(feeds.VOLUME, passed=True),
    }
    if feeds.REFERENCES in promised.checks:
        dangling = _dangling(config.name, batch, promised.references)
        found[feeds.REFERENCES] = Check(feeds.REFERENCES, not dangling, "warning", dangling)
    return tuple(found[name] for name in promised.checks)


def broken(config: SourceConfig, check: str, **counts: int) -> tuple[Check, ...]:
    """The check that kept a whole delivery out, where the source has it."""
    if check not in feed_checks(config):
        return ()
    return (Check(check, passed=False, counts=counts),)


def with_silence(night: Night, config: SourceConfig, result: StepResult) -> StepResult:
    """What a source brought, and for how many days it has been silent: tonight's answer makes it none.

    A source that was never heard has been so since the first night that tried.
    """
    with transaction(night.engine) as conn:
        heard = nights.heard_since(conn, config.name) or night.business_date
    days = (date.fromisoformat(night.business_date) - date.fromisoformat(heard)).days
    silence = Check(
        "heard_in_turn",
        days <= config.expect.heard_within_days,
        counts={"silent_days": max(days, 0)},
    )
    return replace(result, checks=(*result.checks, silence))


def _promises(config: SourceConfig) -> feeds.Promises:
    complete = config.options.get("complete", True) is not False
    return feeds.promises(config.options.get("files"), complete=complete)


def _dangling(
    source: str, batch: Batch, references: Mapping[str, Mapping[str, str]]
) -> dict[str, int]:
    """Rule → rows that name somebody whom the delivery does not have, not even in a row it could not read."""
    there: dict[str, set[str]] = {}
    every: list[Record | Fault] = [*batch.records, *batch.faults]
    for one in every:
        there.setdefault(one.kind, set()).add(one.key)
    keys = {kind: frozenset(held) for kind, held in there.items()}
    counted: Counter[str] = Counter()
    for kind, named in references.items():
        records = [record for record in batch.records if record.kind == kind]
        rows = pd.DataFrame(
            {
                "source": source,
                "source_key": [record.key for record in records],
                **{field: [record.content.get(field) for record in records] for field in named},
            },
            dtype="str",
        )
        told = ask(feeds.reference_rules(named, keys), rows)
        counted.update({rule: n for rule, n in told.failed.items() if n})
    return dict(counted)
