"""Ask a register in batches: a file of our customers out through the gate, its answers taken in when they come.

Belongs here: whom a batch is about, freezing and logging it, sending it once, what an answer closes. Does not
belong here: what may be asked of whom at all (`allow_asking`), the file (`connectors`), landing (`ingest`).

As a delivery does (PRIVACY §2.4): T1 rows frozen, everybody in them logged, in one transaction → S a checkpoint
signed over it → T2 once more whether anybody in it may not be asked about, alone → N published under its name
without overwriting → T3 sent. Whatever breaks off in between, the next night goes on from where it stands: what
may have been taken is never sent again, and what somebody objects to meanwhile never is.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, timedelta

import pandas as pd
from sqlalchemy import Connection

from connectors.base import Batch, ConnectorError, Correspondent, Refused, Source
from pipelines.domain.asking import people_to_ask
from pipelines.domain.disclosure import leaf
from pipelines.domain.points import OWN_REGISTER
from pipelines.domain.restraints import forbidding
from pipelines.errors import told
from pipelines.settings import SourceConfig
from pipelines.steps.allow_asking import allow_asking
from pipelines.steps.log_lookup import BATCH, log_batch
from pipelines.steps.night import Check, Night, StepResult, StepRun, executing
from pipelines.steps.seal import seal
from pipelines.store import disclosures, judgements, questions, recheck
from pipelines.store.engine import transaction
from pipelines.store.questions import Question

ASK_CHECKS = ("questions_left", "answered_by_then")


def ask_in_batches(night: Night, config: SourceConfig, opener: Callable[[], Source]) -> StepResult:
    """Send what an earlier night could not, else a batch about whoever is due, unless one is on its way.

    A register that is down or may not be asked lets the night go on; what is frozen waits, and the night ends
    red (`close`).
    """
    counts: Counter[str] = Counter(asked_about=0, withdrawn=0, unsendable=0)
    text = ""
    try:
        allow_asking(night, config)
        question = None
        if _may_ask(night, config):
            correspondent = _correspondent(opener)  # has transactions of its own
            with transaction(night.engine) as conn:
                unsent = questions.on_their_way(conn, config.name, *questions.UNSENT)
            question = unsent[0] if unsent else _frozen(night, config, correspondent, counts)
            if question is not None and not _sent(night, config, question, correspondent):
                counts["withdrawn"] = question.people
                question = _frozen(night, config, correspondent, counts)
                if question is not None and not _sent(night, config, question, correspondent):
                    question = None
        counts["asked_about"] = question.people if question is not None else 0
    except ConnectorError as error:
        text = told(error)
    with transaction(night.engine) as conn:
        late = overdue(conn, night, config)
    return StepResult(
        status="failed" if text else "attention" if late else "ok",
        counts=dict(counts),
        checks=(
            Check("questions_left", not text),
            Check("answered_by_then", late is None, "warning", {"overdue": int(late is not None)}),
        ),
        text=text,
    )


def overdue(conn: Connection, night: Night, config: SourceConfig) -> Question | None:
    """The oldest question that should have been answered by now."""
    patience = _days_before(night, config.in_batches.answer_within_days)
    waiting = questions.on_their_way(conn, config.name, "sent")
    return next((question for question in waiting if question.business_date < patience), None)


def _days_before(night: Night, days: int) -> str:
    return (date.fromisoformat(night.business_date) - timedelta(days=days)).isoformat()


def _correspondent(opener: Callable[[], Source]) -> Correspondent:
    found: object = opener()
    if not isinstance(found, Correspondent):
        raise Refused("not asked: the source takes no questions in files")
    return found


# ---- T1: frozen and logged


def _may_ask(night: Night, config: SourceConfig) -> bool:
    """Whether no question is on its way that may still be answered in time."""
    patience = _days_before(night, config.in_batches.answer_within_days)
    with transaction(night.engine) as conn:
        sent = questions.on_their_way(conn, config.name, "sent")
    return not any(question.business_date >= patience for question in sent)


def _frozen(
    night: Night, config: SourceConfig, correspondent: Correspondent, counts: Counter[str]
) -> Question | None:
    """A new question about whoever is due, and logged; None when there is nobody.

    counts: of whoever the file can't carry, `unsendable` is counted; they are neither asked about nor logged.
    """
    night.log_keys()  # the first time it is a transaction of its own
    with executing(night, f"ask:{config.name}") as step:
        people = _due(step.conn, night, config)
        if people.empty:
            return None
        rows = list(_rows(people, config.asks_with))
        fits = [correspondent.fits(row) for row in rows]
        people = people[fits].reset_index(drop=True)
        rows = [row for row, it_fits in zip(rows, fits, strict=True) if it_fits]
        counts["unsendable"] = len(fits) - len(rows)
        step.counts.update(due=len(fits), unsendable=counts["unsendable"])
        if not rows:
            return None
        payload = correspondent.render(rows)
        question = questions.freeze(
            step.conn, config.name, people, payload, night.business_date, night.now()
        )
        stated = [[name for name in config.asks_with if name in row] for row in rows]
        logged = pd.DataFrame(
            {"subject_key": people["reference"], "fields": pd.Series(stated, dtype="object")}
        )
        log_batch(step.conn, night, config, logged, payload)
    return question


def _due(conn: Connection, night: Night, config: SourceConfig) -> pd.DataFrame:
    """Whoever may be asked about and is due (`people_to_ask`), each with a reference."""
    barred = questions.not_to_be_asked(conn, forbidding(config.purpose, None))
    customers, own = questions.candidates(conn)
    found = people_to_ask(
        customers,
        own,
        questions.ever_asked(conn, config.name),
        barred | questions.known_by(conn, config.in_batches.unless_known_by),
        _days_before(night, config.in_batches.every_days),
    )
    fresh = pd.Series([secrets.token_hex(8) for _ in range(len(found))], found.index, dtype="str")
    return found.assign(reference=found["reference"].fillna(fresh))


def _rows(people: pd.DataFrame, fields: Iterable[str]) -> Iterable[dict[str, str]]:
    """What stands in the file of each, by field; what nobody states is absent."""
    columns = people[["reference", *fields]]
    for row in columns.astype(object).where(columns.notna(), None).to_dict("records"):
        yield {str(name): str(value) for name, value in row.items() if value is not None}


# ---- S, T2, N, T3: signed, looked at once more, published, sent


def _sent(
    night: Night, config: SourceConfig, question: Question, correspondent: Correspondent
) -> bool:
    """Send a frozen question, or the rest of it; False where it is withdrawn instead."""
    name, place = question.name, f"ask:{config.name}"
    if question.state == "leaving" and correspondent.was_taken(name):
        with transaction(night.engine) as conn:
            questions.mark(conn, question, "sent", night.now())
        return True
    seal(night)
    night.reached(f"{place}:sealed")
    with transaction(night.engine) as conn:
        recheck.alone(conn)
        if questions.objecting(conn, question, forbidding(config.purpose, None)):
            questions.mark(conn, question, "withdrawn", night.now())
            said = leaf("aborted", to=config.name, operation=BATCH, n=question.people)
            disclosures.append_leaves(conn, [said], night.now())
            return False
    night.reached(f"{place}:sending")

    def about_to() -> None:
        with transaction(night.engine) as conn:
            questions.mark(conn, question, "leaving", night.now())
        night.reached(f"{place}:leaving")

    correspondent.send(name, question.payload or b"", question.people, about_to)
    night.reached(f"{place}:published")
    with transaction(night.engine) as conn:
        questions.mark(conn, question, "sent", night.now())
    return True


# ---- what came back


def awaited(conn: Connection, config: SourceConfig) -> dict[str, dict[str, str]]:
    """The questions that a source has not answered (`Ask.awaited`); none of one that answers at once."""
    return questions.awaited(conn, config.name) if config.asks_in_batches else {}


def settle_answers(
    step: StepRun, night: Night, config: SourceConfig, batch: Batch
) -> dict[str, int]:
    """Close what has been answered, and bind each record to the customer its reference was made for.

    In the transaction that lands the records. The binding is a judgement, as a customer's notice has one, so
    that an answer needs no identity code and no likeness of its own. What a steward said otherwise stands.
    """
    if not batch.answers:
        return {}
    people = questions.take_answers(
        step.conn, config.name, batch.answers, night.business_date, night.now()
    )
    keys = {record.key for record in batch.records}
    bound = people[people["reference"].isin(keys)]
    records = pd.DataFrame({"source": config.name, "source_key": bound["reference"]})
    judged = judgements.living(step.conn, records)
    known = {
        frozenset([(row.left_source, row.left_key), (row.right_source, row.right_key)])
        for row in judged.itertuples(index=False)
    }
    for reference, own_key in bound.itertuples(index=False):
        answer, own = (config.name, reference), (OWN_REGISTER, own_key)
        if frozenset([answer, own]) not in known:
            judgements.record(
                step.conn, answer, own, "same", by=config.name,
                reason="the answer to a question about this customer", now=night.now(),
                step_run=step.id,
            )  # fmt: skip
    came_to = Counter(grade for grades in batch.answers.values() for grade in grades.values())
    return {f"answered:{grade}": n for grade, n in sorted(came_to.items())}
