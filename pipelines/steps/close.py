"""Write the morning letter from the hub's own tables, and say whether the night was clean.

Belongs here: what tonight's tables add up to, the letter as a file and by mail. Does not belong here:
people: the letter knows counts, rules and ids only.
"""

import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from sqlalchemy import Connection

from pipelines.settings import Letter as LetterSettings
from pipelines.steps.night import Night, Status, StepResult, instant
from pipelines.steps.second_person import KEPT_FOR
from pipelines.steps.to_do import ToDo, to_do, to_dos
from pipelines.store import (
    checkpoints,
    deliveries,
    disclosures,
    nights,
    requests,
    seconds,
)
from pipelines.store.engine import transaction
from pipelines.texts import Texts

# whom a request to refresh was about, is known for so long
REQUESTS_KEPT_FOR = timedelta(days=30)
_WORD = {"ok": "letter.ok", "attention": "letter.attention", "failed": "letter.failed"}


@dataclass(frozen=True)
class Letter:
    """The morning letter: status, subject, body."""

    status: Status
    subject: str
    body: str


def close(
    night: Night, home: Path, texts: Texts, broken: Sequence[tuple[str, str]] = ()
) -> StepResult:
    """Close the night: the letter is written to `HOME/letters` always, and mailed when configured.

    broken: stages that broke off, each with one line on why; the night has then failed.
    """
    letter = write_letter(night, texts, broken)
    folder = home / "letters"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (folder / f"{night.business_date}.txt").write_text(
        f"{letter.subject}\n\n{letter.body}", encoding="utf-8"
    )
    with transaction(night.engine) as conn:
        nights.close_night(conn, night.business_date, letter.status, night.now())
        old = instant(night.clock() - REQUESTS_KEPT_FOR)
        forgotten = requests.forget_customers(conn, old)
        seconds.lapse(conn, instant(night.clock() - KEPT_FOR))
    night.reached("close:written")
    mailed = _mail(letter, night.settings.hub.letter)
    nights.tidy(night.engine)
    return StepResult(
        status=letter.status,
        counts={"mailed": int(mailed), "forgotten_requests": forgotten},
        text=f"**{letter.subject}**\n\n{letter.body}",
    )


@dataclass(frozen=True)
class Morning:
    """What a night left, for the letter and for the desk.

    failures, attention: what somebody has to do, what makes the night red first. register: counts of
    the register, none while nobody has consolidated it. told: recipient → counts. unfit: proposals that wait. steps: step → counts.
    """

    status: Status
    failures: tuple[ToDo, ...]
    attention: tuple[ToDo, ...]
    feeds: tuple[nights.FeedNight, ...]
    register: Mapping[str, int]
    told: Mapping[str, Mapping[str, int]]
    unfit: int
    steps: Mapping[str, Mapping[str, int]]


def look_back(
    night: Night,
    texts: Texts,
    conn: Connection,
    broken: Sequence[tuple[str, str]] = (),
    *,
    is_day: bool = False,
) -> Morning:
    """What a night's steps left in the store, and what follows for a person.

    is_day: seen after the night, when look-ups made since wait for tonight's seal, which is no fault.
    """
    steps = nights.counts_of(conn, night.business_date)
    failures, attention = to_dos(night, texts, conn, is_day=is_day)
    failures = [to_do("broken", place=p, line=line) for p, line in broken] + failures
    proposed = steps.get("propose", {})
    return Morning(
        status="failed" if failures else "attention" if attention else "ok",
        failures=tuple(failures),
        attention=tuple(attention),
        feeds=tuple(nights.feeds_of(conn, night.business_date)),
        register=steps.get("consolidate", {}),
        told={
            name: deliveries.totals(conn, name, night.business_date)
            for name, contract in night.settings.recipients.items()
            if contract.configured
        },
        unfit=sum(n for name, n in proposed.items() if name.startswith("proposals:")),
        steps=steps,
    )


def write_letter(night: Night, texts: Texts, broken: Sequence[tuple[str, str]] = ()) -> Letter:
    """The letter about a night, from what its steps left in the store."""
    say = texts.say
    with transaction(night.engine) as conn:
        found = look_back(night, texts, conn, broken)
        log = _log(night, texts, conn)
    lines = [
        *_section(
            say("letter.todo"),
            [one.said(texts) for one in (*found.failures, *found.attention)]
            or [say("letter.nothing")],
        ),
        *_section(
            say("letter.sources"),
            [
                say(
                    "letter.source",
                    source=f.source,
                    fetched=f.fetched,
                    landed=f.landed,
                    faults=f.faults,
                )
                for f in found.feeds
            ]
            + [
                say(
                    "letter.answers",
                    source=f.source,
                    answers=_answers(texts, found.steps, f.source),
                )
                for f in found.feeds
                if _answers(texts, found.steps, f.source)
            ]
            + _corrected(texts, found.steps),
        ),
        *_section(
            say("letter.register"),
            [
                *([say("letter.register_line", **found.register)] if found.register else []),
                *([say("letter.proposals", n=found.unfit)] if found.unfit else []),
            ],
        ),
        *_section(
            say("letter.told"),
            [
                say("letter.recipient", recipient=name, **_recipient_line(t))
                for name, t in found.told.items()
            ],
        ),
        *_section(say("letter.log"), log),
    ]
    word = say(_WORD[found.status])
    subject = say("letter.subject", word=word, date=texts.day(night.business_date))
    return Letter(found.status, subject, "\n".join(lines) + "\n")


def _answers(texts: Texts, steps: Mapping[str, Mapping[str, int]], source: str) -> str:
    """What the answers to a batch of questions came to, counted."""
    counts = steps.get(f"ingest:{source}", {})
    return ", ".join(
        f"{texts.say(f'grade.{grade}')} {n}"
        for name, n in counts.items()
        for kind, _, grade in [name.partition(":")]
        if kind == "answered"
    )


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, *(f"  - {line}" for line in lines), ""]


def _corrected(texts: Texts, steps: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Which sources said again what a steward had corrected, which have new word on it, which came in another size."""
    heard = [(step.partition(":")[2], counts) for step, counts in sorted(steps.items())]
    return [
        texts.say(f"letter.{name}", source=source, n=counts[name])
        for name in ("corrected", "corrections_ended", "volume_accepted")
        for source, counts in heard
        if source and counts.get(name)
    ]


def _log(night: Night, texts: Texts, conn: Connection) -> list[str]:
    """Where the disclosure log stands: the signed checkpoint itself, so that the letter is a witness too."""
    head = checkpoints.latest(conn)
    if head is None:
        return []
    known = [w for w in checkpoints.witnesses(conn) if w.checkpoint_no == head.checkpoint_no]
    line = texts.say(
        "letter.log_line",
        leaves=disclosures.leaf_count(conn),
        number=head.checkpoint_no,
        witnesses=", ".join(w.witness for w in known) or texts.say("letter.nobody"),
    )
    return [f"{line}\n\n{head.note.rstrip()}"]


def _recipient_line(totals: Mapping[str, int]) -> dict[str, int]:
    return {
        "deliveries": totals["deliveries"],
        "rows": totals["sent"],
        "accepted": totals["acknowledged"],
        "rejected": totals["rejected"],
    }


def _mail(letter: Letter, settings: LetterSettings) -> bool:
    """Send the letter when a mail server is configured; a mail that fails never fails the night."""
    smtp = settings.smtp
    if smtp is None or not settings.to:
        return False
    message = EmailMessage()
    message["Subject"] = letter.subject
    message["From"] = settings.sender or settings.to[0]
    message["To"] = ", ".join(settings.to)
    if letter.status == "failed":
        message["X-Priority"] = "1"
    message.set_content(letter.body)
    try:
        with smtplib.SMTP(smtp.host, smtp.port, timeout=30) as server:
            if smtp.starttls:
                server.starttls(context=ssl.create_default_context())
            if smtp.username:
                server.login(smtp.username, smtp.password or "")
            server.send_message(message)
    except (OSError, smtplib.SMTPException):
        return False
    return True
