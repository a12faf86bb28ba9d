"""Put together what a source is told of its own errors: its keys, its columns, what was wrong; no value (R43).

Belongs here: which refusals and corrections are told, in the source's own terms, and writing down who looked. Does not
belong here: the words (`pipelines.source_report`). Nothing goes into a report that the source has not sent itself; of its
values not even those, since key and column find them, and of a correction not what was put in place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.domain.correction import flat, settling, standard_fields
from pipelines.domain.disclosure import leaf
from pipelines.domain.points import OWN_REGISTER
from pipelines.settings import SourceConfig
from pipelines.steps.around import NotFound, columns_of, has_token, unread_field
from pipelines.steps.look_at_refused import as_came, party_behind
from pipelines.steps.night import Night
from pipelines.store import access, corrections, disclosures, quarantine
from pipelines.store.engine import transaction

_STATES = ("open", "corrected", "dropped")


@dataclass(frozen=True)
class Told:
    """One error. file: the source's own name for the table, else the kind of record. key: None where the source knows
    the record by no key of ours. columns: its own names, the hub's where it has none. state: open, corrected, dropped.
    """

    file: str
    key: str | None
    columns: tuple[str, ...]
    rule: str
    reason: str | None
    since: str
    state: str


@dataclass(frozen=True)
class Report:
    """What one source is told: errors that are open, corrected or left out, since a date where one was given."""

    source: str
    since: str | None
    told: tuple[Told, ...]


def report_faults(
    night: Night, source: str, who: str, why: str, *, since: str | None = None, sent: bool = False
) -> Report:
    """The errors of a source that still stand, by table, key and column.

    since: leaves out what was refused before that business date. sent: it is made to be handed over, which goes into the
    disclosure log where it goes out of the house, as a recall's letter does: that somebody was told, not of whom.
    Whoever asks is written into the access log with each customer it is about. Raises NotFound for no source.
    """
    config = night.settings.sources.get(source)
    if config is None:
        known = ", ".join(sorted(night.settings.sources))
        raise NotFound(f"there is no source {source[:40]}; there are: {known}")
    with transaction(night.engine) as conn:
        items = quarantine.of_source(conn, source)
        items = items[items["state"].isin(_STATES)]
        if since is not None:
            items = items[items["business_date"] >= since]
        in_force = corrections.of_source(conn, source)
        in_force = in_force[in_force["closed_at"].isna()]
        told, parties = [], []
        for _, item in items.iterrows():
            mine = settling(in_force, item)
            content = as_came(conn, item)
            if item["state"] == "corrected" and mine.empty:
                continue  # the source has sent newer word
            told.append(_told(config, item, content, list(mine["field"])))
            parties.append(party_behind(conn, item, content))
        people = sorted({party for party in parties if party is not None})
        access.record_many(conn, night.now(), who, "quarantine report", people, why)
        if sent and told and source != OWN_REGISTER:
            line = leaf(
                "art19", to=source, operation="report", notice=night.settings.notice.version
            )
            disclosures.append_leaves(conn, [line], night.now())
    order = sorted(told, key=lambda one: (one.file, one.key or "", one.rule))
    return Report(source, since, tuple(order))


def _told(
    config: SourceConfig,
    item: "pd.Series[Any]",
    content: Mapping[str, Any],
    corrected: list[str],
) -> Told:
    kind, key = str(item["kind"]), str(item["source_key"])
    file, columns = columns_of(config, kind)
    field = item["field"] if isinstance(item["field"], str) else None
    paths = [
        p for p in corrected if field is None or field in (p, *standard_fields(p))
    ] or corrected
    if not paths and (unread := unread_field(config, item)) is not None:
        paths = [unread]
    if not paths and field is not None:
        stated = [path for path, _ in flat(content)]
        paths = [p for p in [*stated, *columns] if field in (p, *standard_fields(p))]
        paths = [p for p in paths if p in stated] or paths or [field]
    return Told(
        file=file,
        key=None if has_token(key) else key,
        columns=tuple(
            dict.fromkeys(columns.get(_as_mapped(path, content), path) for path in paths)
        ),
        rule=str(item["rule"]),
        reason=item["reason"] if isinstance(item["reason"], str) else None,
        since=str(item["business_date"]),
        state=str(item["state"]),
    )


def _as_mapped(path: str, content: Mapping[str, Any]) -> str:
    """A field named by an address's number, as a mapping names it: by the address's type."""
    steps = path.split(".")
    stated = content.get("addresses")
    if len(steps) != 3 or not steps[1].isdigit() or not isinstance(stated, list):
        return path
    number = int(steps[1])
    address = stated[number - 1] if 0 < number <= len(stated) else None
    kind = address.get("address_type") if isinstance(address, dict) else None
    return f"addresses.{kind}.{steps[2]}" if kind else path
