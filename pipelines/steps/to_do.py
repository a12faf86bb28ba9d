"""What a night leaves for somebody to do: what makes it red, and what waits for a person.

Belongs here: finding it in the hub's own tables, as a name and counts, ids and codes. Does not belong here: the letter
(`close`), the desk's own words and links (`desk.morning`), people.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from pipelines.breaches import Breach, refusals
from pipelines.settings import RecipientContract
from pipelines.steps import ask_in_batches
from pipelines.steps.night import Night
from pipelines.steps.notify import waiting
from pipelines.steps.seal import is_unseen
from pipelines.store import (
    checkpoints,
    deliveries,
    holdings,
    judgements,
    nights,
    quarantine,
    questions,
    reconciliation,
)
from pipelines.texts import Texts, catalogue


@dataclass(frozen=True)
class ToDo:
    """Something that somebody has to do. name: of its text, `todo.NAME`; values: counts, ids, codes of sources."""

    name: str
    values: Mapping[str, object]

    def said(self, texts: Texts) -> str:
        """As whoever runs the hub reads it, with the command for it."""
        how = f"todo.{self.name}.how"
        lines = [f"todo.{self.name}", *([how] if how in catalogue() else [])]
        return " ".join(texts.say(line, **self.values) for line in lines)


def to_do(name: str, **values: object) -> ToDo:
    """One of these, by the name of its text."""
    return ToDo(name, values)


def to_dos(
    night: Night, texts: Texts, conn: Connection, *, is_day: bool
) -> tuple[list[ToDo], list[ToDo]]:
    """What a person has to do: what makes the night red, and what waits for a steward."""
    say = texts.say
    failures: list[ToDo] = []
    attention: list[ToDo] = []
    feeds = {f.source: f for f in nights.feeds_of(conn, night.business_date)}
    for name, source in night.settings.sources.items():
        if not source.configured:
            continue
        feed = feeds.get(name)
        if feed is None:
            failures.append(to_do("feed_missing", source=name))
        elif feed.status == "held" and source.brings == "reference":
            # no batch of records that two people could let in: its corridor is widened
            failures.append(to_do("reference_held", source=name, reason=feed.reason))
        elif feed.status in ("down", "refused", "held"):
            failures.append(to_do(f"feed_{feed.status}", source=name, reason=feed.reason))
        else:
            attention += [
                to_do("unknown_kind", source=name, kind=kind, n=n)
                for kind, n in sorted(feed.unknown.items())
            ]
        if source.asks_in_batches:
            unsent = questions.on_their_way(conn, name, *questions.UNSENT)
            failures += [to_do("question_unsent", source=name, n=q.people) for q in unsent]
            if (late := ask_in_batches.overdue(conn, night, source)) is not None:
                since = texts.day(late.business_date)
                attention.append(to_do("question_overdue", source=name, since=since))
    done = nights.counts_of(conn, night.business_date)
    expected = ["standardise", "match", "consolidate"]
    failures += [to_do("step_missing", step=step) for step in expected if step not in done]
    refused: Counter[tuple[str, str, str]] = Counter()
    for row in quarantine.open_counts(conn):
        refused[row.source, row.rule, texts.refusal(row.rule, row.reason)] += row.n
    attention += [
        to_do("quarantine", n=n, source=source, rule=rule, meaning=meaning)
        for (source, rule, meaning), n in refused.items()
    ]
    undecided = judgements.queue_length(conn)
    if undecided:
        attention.append(to_do("review", n=undecided))
    for name, contract in night.settings.recipients.items():
        if not contract.configured:
            continue
        failures += [
            to_do("contract", recipient=name, breach=str(breach))
            for breach in _not_allowed(night, conn, contract)
        ]
        for reason, n in holdings.held_reasons(conn, name).items():
            attention.append(to_do("held_row", n=n, recipient=name, reason=say(f"held.{reason}")))
        patience = date.fromisoformat(night.business_date) - timedelta(
            days=contract.acknowledgement.ack_max_age_days
        )
        for delivery in deliveries.outstanding(conn, name):
            if delivery.state == "sent":
                line = to_do(
                    "delivery_waiting",
                    delivery=delivery.delivery_id,
                    recipient=name,
                    since=texts.day(delivery.business_date),
                )
                overdue = delivery.business_date <= patience.isoformat()
                (failures if overdue else attention).append(line)
            else:
                kind = "uncertain" if delivery.state == "uncertain" else "unsent"
                failures.append(
                    to_do(f"delivery_{kind}", delivery=delivery.delivery_id, recipient=name)
                )
        for delivery_id, n, codes in deliveries.rejections(conn, name):
            attention.append(
                to_do("rejected_rows", recipient=name, n=n, delivery=delivery_id, codes=codes)
            )
        overwritten = holdings.returned_counts(conn, name).get("overwritten")
        if overwritten:
            title = contract.title.in_(texts.language)
            attention.append(to_do("overwritten", n=overwritten, recipient=title))
    attention += _to_notify(night, conn)
    unlogged, broken = reconciliation.unlogged_rows(conn), reconciliation.leaves_out_of_line(conn)
    if unlogged or broken:
        failures.append(to_do("log_broken", detail=f"{unlogged}/{broken}"))
    wrong, waiting_ones = _log_to_do(night, texts, conn, is_day=is_day)
    return failures + wrong, attention + waiting_ones


def _to_notify(night: Night, conn: Connection) -> list[ToDo]:
    """Recalls and notices that wait for a person (R43, R56); of whom is for whoever decides."""
    found = waiting(conn, night)
    days = found.oldest_days
    lines = []
    if found.recalls:
        lines.append(to_do("recalls", n=found.recalls, days=days))
    if found.notices:
        lines.append(to_do("notices", n=found.notices, days=days))
    return lines


def _not_allowed(night: Night, conn: Connection, contract: RecipientContract) -> list[Breach]:
    """What keeps a live recipient from being told anything tonight (R15, R18)."""
    if deliveries.mode_of(conn, contract.recipient, contract.mode) != "live":
        return []
    settings = night.settings
    return refusals(settings.notice, settings.sources, contract, night.business_date)[:1]


def _log_to_do(
    night: Night, texts: Texts, conn: Connection, *, is_day: bool
) -> tuple[list[ToDo], list[ToDo]]:
    """What the log needs a person for: failures, and what may wait."""
    hub = night.settings.hub
    failures = []
    if not is_day and (unsealed := checkpoints.unsealed(conn)):
        failures.append(to_do("unsealed", n=unsealed))
    for name, contract in night.settings.recipients.items():
        if contract.configured and is_unseen(conn, night, contract.seal_max_age_hours):
            hours = contract.seal_max_age_hours
            failures.append(to_do("unseen", recipient=name, hours=hours))
    attention = [
        to_do("witness", witness=w.witness, reason=w.reason)
        for w in checkpoints.witnesses(conn)
        if w.reason is not None and w.witness in hub.witnesses
    ]
    for name, contract in night.settings.recipients.items():
        last = contract.agreement.valid_to
        if contract.configured and last is not None and str(last) < night.business_date:
            attention.append(to_do("agreement_ended", recipient=name, day=texts.day(str(last))))
    return failures, attention
