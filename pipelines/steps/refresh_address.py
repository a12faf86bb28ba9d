"""Refresh a few customers while they wait: ask every register that applies, and lay ours beside theirs.

Belongs here: whom to ask about whom, landing what came, the night's own steps over it, the answer. Does not
belong here: the run lock (whoever calls holds it), threads (`ask_at_once`), requests by number
(`answer_request`), laying values side by side (`domain.comparison`), words for people (`cli`).

Everything here is what the coming night would do anyhow, earlier: the cursor of a register that is asked
about single customers stays, so that the night hears all again and finds it known.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import pandas as pd
from sqlalchemy import Connection

from connectors.base import Ask, Batch, Refused, Source
from expectations.run import get_ready
from pipelines.domain.comparison import changed_fields, compare
from pipelines.domain.schemas import ADDRESSES, GOLDEN, PARTIES, PARTY_RECORDS, PROVENANCE, Schema
from pipelines.errors import HubError
from pipelines.settings import SourceConfig
from pipelines.steps.around import NotFound
from pipelines.steps.ask_at_once import Question, Reply, ask_at_once
from pipelines.steps.consolidate import consolidate
from pipelines.steps.ingest import land, land_answer, whats_new
from pipelines.steps.log_lookup import log_lookup
from pipelines.steps.look import OWN_REGISTER_SOURCE, party_of
from pipelines.steps.match import match
from pipelines.steps.night import Night
from pipelines.steps.prepare_extract import Foreseen, foresee
from pipelines.steps.standardise import standardise
from pipelines.store import access, frames, nights, quarantine, questions
from pipelines.store.engine import transaction

Opener = Callable[[str, frozenset[str] | None, float], Source]
"""Opens a source by name, cut down to some customers (None: everybody), with a time limit in seconds."""

Status = Literal[
    "answered", "nothing_new", "nothing_held", "fault", "does_not_concern",
    "no_answer", "down", "refused", "broken", "held", "in_batches", "never_asked",
]  # fmt: skip
LATER: tuple[Status, ...] = ("in_batches", "never_asked")
"""Of a register that answers in batches, hours or days later: it is never waited for."""
FAILED: tuple[Status, ...] = ("no_answer", "down", "refused", "broken", "held")
_RECORD = ("source", "source_key")
_NOT_HELD = "no_base_data"


class NotRefreshed(HubError):
    """The refresh can't be carried out as asked; nothing has been asked of anybody."""


@dataclass(frozen=True)
class Heard:
    """How one register answered. line: its own word on what went wrong, or when it was last asked in a batch.

    landed: records new or changed.
    """

    source: str
    status: Status
    line: str = ""
    landed: int = 0
    unknown_kinds: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Refreshed:
    """One customer after the refresh.

    asked: source → how it answered about this customer. compared: `domain.comparison.compare`. tonight:
    recipient of bills → what would go there. refused: source, rule, reason of records in quarantine.
    """

    number: str
    party_id: int
    name: str
    is_protected: bool
    asked: Mapping[str, Status]
    compared: pd.DataFrame
    tonight: Mapping[str, Foreseen]
    refused: pd.DataFrame

    @property
    def changed(self) -> list[str]:
        """The names of the fields that changed."""
        return changed_fields(self.compared).get(self.party_id, [])


@dataclass(frozen=True)
class Answer:
    """What a refresh found out. seconds: what it waited for, by name."""

    heard: tuple[Heard, ...]
    customers: tuple[Refreshed, ...]
    seconds: Mapping[str, float]

    @property
    def is_partial(self) -> bool:
        """Whether somebody who should have been heard was not."""
        return any(h.status in FAILED for h in self.heard)

    @property
    def is_empty(self) -> bool:
        """Whether nobody at all was heard, though somebody should have been."""
        silent = (*FAILED, *LATER, "does_not_concern")
        return self.is_partial and all(h.status in silent for h in self.heard)


@dataclass(frozen=True)
class _Standing:
    """The customers as they stood before: number → party, own register's numbers, GOLDEN, record keys."""

    parties: Mapping[str, int]
    own_numbers: frozenset[str]
    golden: pd.DataFrame


def refresh(
    night: Night, numbers: Sequence[str], opener: Opener, who: str, why: str, detail: str = ""
) -> Answer:
    """Ask every register that applies about these customers, take in what comes, and compare.

    numbers: the own register's, or ours with a leading P. Raises NotFound or NotRefreshed, before anybody
    is asked. `who` is written into the access log with each customer, the registers' look-ups into the
    disclosure log.
    """
    started = time.monotonic()
    configs = on_demand(night)
    before = _as_it_stands(night, numbers, who, why, detail)
    questions = _questions(night, configs, before.own_numbers, opener)
    replies = ask_at_once(questions, night.settings.hub.refresh.patience_seconds)
    asked = time.monotonic()
    heard = {reply.config.name: _take(night, reply) for reply in replies}
    landed = time.monotonic()
    if any(h.landed for h in heard.values()):
        get_ready()  # not while others are waited for: it would take their processor for an answer rarely new
    imported = time.monotonic()
    for step in (standardise, match, consolidate):
        step(night)
    customers, statuses = _compared(night, before, replies, heard)
    done = time.monotonic()
    return Answer(
        (
            *(_overall(h, [s[h.source] for s in statuses]) for h in heard.values()),
            *_asked_in_batches(night, before.own_numbers),
        ),
        customers,
        {
            "asking": asked - started,
            "waiting_for_imports": imported - landed,
            "taking_in": landed - asked + done - imported,
            "altogether": done - started,
        },
    )


def present(night: Night, numbers: Sequence[str], who: str, why: str, detail: str = "") -> Answer:
    """Ours and theirs as they stand, with nobody asked and nothing changed but the access log."""
    before = _as_it_stands(night, numbers, who, why, detail)
    customers, _ = _compared(night, before, [], {})
    # what stood before is not known any more
    shown = tuple(replace(c, compared=c.compared.assign(before=None)) for c in customers)
    return Answer((), shown, {})


# --- asking -----------------------------------------------------------------------------------------


def on_demand(night: Night) -> list[SourceConfig]:
    """The sources that can be asked while somebody waits; NotRefreshed when there is none."""
    found = [s for s in night.settings.sources.values() if s.configured and s.on_demand]
    if not found:
        raise NotRefreshed(
            "no source that could be asked has an address: config/sources/*.yml, hub check --config",
            says="no.nobody_to_ask",
        )
    return found


def _as_it_stands(
    night: Night, numbers: Sequence[str], who: str, why: str, detail: str
) -> _Standing:
    """The register before, in the transaction that writes down who looks."""
    with transaction(night.engine) as conn:
        parties = {number: party_of(conn, number) for number in dict.fromkeys(numbers)}
        golden = frames.read_matching(conn, GOLDEN, _key(parties.values()), ("party_id",))
        missing = [n for n, party in parties.items() if party not in set(golden["party_id"])]
        if missing:
            raise NotFound(
                f"customer {missing[0][:20]} is not in the register as of the last night",
                says="no.customer_gone",
            )
        for party in dict.fromkeys(parties.values()):
            access.record(conn, night.now(), who, "refresh", party, why, detail or None)
        own = frozenset(n for party in parties.values() for n in own_numbers(conn, party))
    return _Standing(parties, own, golden)


def _key(parties: object) -> pd.DataFrame:
    distinct = list(dict.fromkeys(parties))  # type: ignore[call-overload]
    return pd.DataFrame({"party_id": pd.array(distinct, dtype="Int64")})


def own_numbers(conn: Connection, party_id: int) -> list[str]:
    """Every number the own register has the party under."""
    records = frames.read_matching(conn, PARTY_RECORDS, _key([party_id]), ("party_id",))
    return list(records.loc[records["source"] == OWN_REGISTER_SOURCE, "source_key"])


def _questions(
    night: Night, configs: Sequence[SourceConfig], own_numbers: frozenset[str], opener: Opener
) -> list[Question]:
    """What is new, of a feed that is drained; all it holds of these customers, of one that is asked."""
    patience = night.settings.hub.refresh.patience_seconds
    questions = []
    for config in configs:
        drains = config.on_demand == "drains"
        try:
            ask = whats_new(night, config)
        except Refused as why:
            asked_nothing = Ask(
                None, frozenset(), night.business_date, lambda operation, keys: None
            )
            questions.append(Question(config, _Closed(why), asked_nothing))
            continue
        if not drains:
            ask = Ask(
                cursor=ask.cursor,
                known=frozenset(),
                business_date=ask.business_date,
                announce=partial(log_lookup, night, config),
            )
        source = opener(config.name, None if drains else own_numbers, patience)
        questions.append(Question(config, source, ask))
    return questions


class _Closed:
    """A register that may not be asked: it is never opened, and the answer is why."""

    def __init__(self, why: Refused) -> None:
        self._why = why

    def fetch(self, ask: Ask) -> Batch:
        raise self._why

    def check(self) -> str:
        raise self._why


def _asked_in_batches(night: Night, own_numbers: frozenset[str]) -> Iterator[Heard]:
    """What can be said at once of the registers that answer in batches: when they were asked about these."""
    for config in night.settings.sources.values():
        if config.configured and config.asks_in_batches:
            with transaction(night.engine) as conn:
                last = questions.last_asked(conn, config.name, sorted(own_numbers))
            yield Heard(config.name, "in_batches" if last else "never_asked", last or "")


# --- taking in --------------------------------------------------------------------------------------


def _take(night: Night, reply: Reply) -> Heard:
    """Land one reply; a source that was not heard, or whose batch is held, lands nothing."""
    name, seconds = reply.config.name, reply.seconds
    if reply.batch is None:
        status: Status = "broken" if reply.outcome == "answered" else reply.outcome
        return Heard(name, status, reply.line, seconds=seconds)
    drains = reply.config.on_demand == "drains"
    result = (land if drains else land_answer)(night, reply.config, reply.batch)
    if result.status == "failed":
        return Heard(name, "held", result.text, seconds=seconds)
    unknown = sum(reply.batch.unknown.values())
    return Heard(name, "answered", "", result.counts["landed"], unknown, seconds)


# --- the answer -------------------------------------------------------------------------------------


def _compared(
    night: Night, before: _Standing, replies: Sequence[Reply], heard: Mapping[str, Heard]
) -> tuple[tuple[Refreshed, ...], list[dict[str, Status]]]:
    with transaction(night.engine) as conn:
        now = {n: nights.surviving(conn, party) for n, party in before.parties.items()}
        key = _key(now.values())
        golden, values, records = (
            frames.read_matching(conn, schema, key, ("party_id",))
            for schema in (GOLDEN, PROVENANCE, PARTY_RECORDS)
        )
        parties = _behind(conn, PARTIES, records)
        addresses = _behind(conn, ADDRESSES, records)
        refused = quarantine.open_items(conn)
    into = {was: now[n] for n, was in before.parties.items()}
    was = before.golden.assign(
        is_other=before.golden["party_id"].map(into) != before.golden["party_id"]
    )
    was = was.sort_values("is_other").assign(party_id=was["party_id"].map(into).astype("Int64"))
    compared = compare(
        was.drop_duplicates("party_id").drop(columns="is_other"),
        golden,
        values,
        parties,
        addresses,
        address_order=night.settings.survivorship.address_order,
        business_date=night.business_date,
    )
    tonight = _tonight(night, list(now.values()))
    found, statuses = [], []
    for number, party in now.items():
        theirs = parties[parties["party_id"] == party]
        asked = {r.config.name: _about(theirs, r, heard[r.config.name]) for r in replies}
        row = golden[golden["party_id"] == party]
        found.append(
            Refreshed(
                number=number,
                party_id=party,
                name=str(row["display_name"].fillna("").iloc[0]) if len(row) else "",
                is_protected=bool((row["protection"] == "on").any()),
                asked=asked,
                compared=compared[compared["party_id"] == party],
                tonight={name: _of(seen, party) for name, seen in tonight.items()},
                refused=_refused(refused, theirs, replies),
            )
        )
        statuses.append(asked)
    return tuple(found), statuses


def _behind(conn: Connection, schema: Schema, records: pd.DataFrame) -> pd.DataFrame:
    rows = frames.read_matching(conn, schema, records[list(_RECORD)], _RECORD)
    return rows.merge(records, on=list(_RECORD))


def _keys_of(parties: pd.DataFrame, source: str) -> frozenset[str]:
    """Every key under which a register may know the party: its record's, tokens, business ids."""
    retired = parties["superseded_person_keys"].dropna()
    own = parties.loc[parties["source"] == source, "source_key"]
    single = [own, *(parties[c].dropna() for c in ("person_key", "business_id"))]
    return frozenset(k for column in single for k in column) | {k for keys in retired for k in keys}


def _refused(items: pd.DataFrame, parties: pd.DataFrame, replies: Sequence[Reply]) -> pd.DataFrame:
    """What of the party's waits in quarantine: its records, and what a register could not say of it."""
    sources = dict.fromkeys([*parties["source"], *(r.config.name for r in replies)])
    found = [
        items[(items["source"] == s) & items["source_key"].isin(_keys_of(parties, s))]
        for s in sources
    ]
    every: pd.DataFrame = pd.concat([items.iloc[:0], *found])[["source", "rule", "reason"]]
    return every.drop_duplicates()


def _about(parties: pd.DataFrame, reply: Reply, heard: Heard) -> Status:
    """How a source answered about one customer."""
    if reply.batch is None or heard.status in FAILED:
        return heard.status
    keys = _keys_of(parties, reply.config.name)
    if any(r.key in keys for r in reply.batch.records):
        return "answered"
    rules = {f.rule for f in reply.batch.faults if f.key in keys}
    if rules - {_NOT_HELD}:
        return "fault"
    if rules or reply.announced & keys:
        return "nothing_held"
    return "nothing_new" if reply.config.on_demand == "drains" else "does_not_concern"


def _overall(heard: Heard, of_customers: Sequence[Status]) -> Heard:
    """A source's answer altogether is the best it gave about any of the customers."""
    best: tuple[Status, ...] = ("answered", "fault", "nothing_held", "nothing_new")
    if heard.status in FAILED:
        return heard
    status: Status = next((s for s in best if s in of_customers), "does_not_concern")
    return replace(heard, status=status)


def _tonight(night: Night, parties: Sequence[int]) -> dict[str, Foreseen]:
    """What each recipient of bills would be told of these parties."""
    return {
        name: foresee(night, contract, parties)
        for name, contract in night.settings.recipients.items()
        if contract.configured and contract.population.rule == "payers_of_points"
    }


def _of(seen: Foreseen, party: int) -> Foreseen:
    events, held = (f[f["party_id"] == party] for f in (seen.events, seen.held))
    return Foreseen(events, held, seen.state)
