"""A person's statement of disclosures in words: who was told what, when, why, and whether it arrived (R38).

Belongs here: putting an account into one language, as lines, as a document that can be printed, and as `findUsage`
JSON. Does not belong here: the account (`steps.account_for`), paper (`printed`), the texts (`config/texts.yml`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipelines.domain.told import Told
from pipelines.settings import Settings
from pipelines.steps.account_for import Account
from pipelines.steps.night import HELSINKI
from pipelines.texts import Language, Texts, catalogue

_OF_A_QUESTION = ("recipient", "operation", "purpose", "subject", "fields")


@dataclass(frozen=True)
class Section:
    """One disclosure: its heading, and a line for each thing there is to say."""

    heading: str
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Document:
    """A statement laid out: title, who it is from and about, sections, closing remarks.

    subject: what the document is, for the properties of a file; names nobody.
    """

    language: Language
    title: str
    subject: str
    opening: tuple[str, ...]
    sections: tuple[Section, ...]
    closing: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The document for a terminal."""
        yield from (self.title, "=" * len(self.title), *self.opening)
        for section in self.sections:
            yield from ("", section.heading)
            yield from (f"  {label}: {text}" for label, text in section.lines)
        yield from ("", *self.closing)


class Words:
    """The words for what stands in the log, in one language; what has none is shown as it stands."""

    def __init__(self, settings: Settings, language: Language) -> None:
        self.texts = Texts(language)
        self.language = language
        self._titles: Mapping[str, str] = {
            **{name: source.title.in_(language) for name, source in settings.sources.items()},
            **{name: r.title.in_(language) for name, r in settings.recipients.items()},
        }

    def receiver(self, told: Told) -> str:
        """Who was told, or asked."""
        return self.title(told.recipient)

    def title(self, name: str) -> str:
        """What a recipient or source is called."""
        return self._titles.get(name, name)

    def code(self, family: str, code: str) -> str:
        """A purpose, basis, ground, operation or column."""
        entry = f"{family}.{code}"
        return self.texts.say(entry) if entry in catalogue() else code

    def data(self, rows: Sequence[Told]) -> str:
        """What data it was, each kind once. A row that changes one value is said as that value."""
        changed = [self.column(told.changes) for told in rows if told.changes is not None]
        others = [
            self.column(name)
            for told in rows
            for name in told.fields
            if told.changes is None or name not in ("field", "value")
        ]
        return ", ".join(dict.fromkeys([*changed, *others]))

    def column(self, name: str) -> str:
        """A contract's column, or a field of the hub that a row is about."""
        return self.code("column" if f"column.{name}" in catalogue() else "field", name)

    def moment(self, instant: str) -> str:
        """A Finnish date and time of day."""
        local = datetime.fromisoformat(instant).astimezone(HELSINKI)
        return self.texts.say(
            "statement.moment",
            day=self.texts.day(local.date().isoformat()),
            hour=local.hour,
            minute=f"{local.minute:02}",
        )

    def outcome(self, told: Told) -> str:
        """What became of it."""
        return self.texts.say(f"outcome.{told.outcome}", at=self.moment(told.outcome_at))


def document(account: Account, settings: Settings, language: Language) -> Document:
    """The statement of one person, in the order things happened."""
    words, notice, events = Words(settings, language), settings.notice, _events(account.told)
    say = words.texts.say
    subject = f"{account.number} {account.name or ''}".strip()
    made = words.texts.day(
        datetime.fromisoformat(account.made_at).astimezone(HELSINKI).date().isoformat()
    )
    return Document(
        language=language,
        title=say("statement.title"),
        subject=f"{notice.controller.name}: {notice.register_.value}",
        opening=(
            f"{notice.controller.name}, {notice.controller.address}",
            say("statement.register", register=notice.register_.value),
            say("statement.customer", customer=subject),
            say("statement.made", day=made),
            "",
            say("statement.count", n=len(events)) if events else say("statement.none"),
        ),
        sections=(
            *(
                Section(f"{number}. {words.moment(rows[0].at)}", tuple(_said(rows, words)))
                for number, rows in enumerate(events, 1)
            ),
            *_notified(account, words),
            *_restrained(account, words),
        ),
        closing=(
            say("statement.staff"),
            say("statement.rights", controller=notice.controller.name),
            say("statement.authority", authority=notice.supervisory_authority.name),
        ),
    )


def _events(told: Sequence[Told]) -> list[list[Told]]:
    """Rows of one delivery are one disclosure, and each question is one."""
    found: dict[str | int, list[Told]] = {}
    for row in told:
        found.setdefault(row.delivery_id or row.leaf_no, []).append(row)
    return list(found.values())


def _said(rows: Sequence[Told], words: Words) -> Iterator[tuple[str, str]]:
    told, say = rows[0], words.texts.say
    asked = told.outcome == "asked"
    yield say("statement.asked" if asked else "statement.to"), words.receiver(told)
    yield say("statement.with" if asked else "statement.data"), words.data(rows)
    if asked:
        yield say("statement.what"), words.code("operation", told.operation)
    yield say("statement.why"), words.code("purpose", told.purpose)
    yield say("statement.basis"), words.code("basis", told.basis)
    if told.ground is not None:
        yield say("statement.ground"), words.code("ground", told.ground)
    version = words.texts.day(told.notice)
    under = (
        say("statement.under_notice", notice=version)
        if told.contract is None
        else say("statement.under_contract", contract=told.contract, notice=version)
    )
    yield say("statement.under"), under
    yield say("statement.outcome"), words.outcome(told)


def _notified(account: Account, words: Words) -> Iterator[Section]:
    """Who of them has to hear that it was wrong, or may not be kept (GDPR art. 19)."""
    if not account.notified:
        return
    lines = []
    for one in account.notified:
        what = words.texts.say(
            f"notified.{one.kind}", data=", ".join(dict.fromkeys(map(words.column, one.fields)))
        )
        state = words.texts.say(f"notified.{one.state}", at=words.moment(one.at))
        lines.append((words.title(one.recipient), f"{what}; {state}"))
    yield Section(words.texts.say("statement.notified"), tuple(lines))


def _restrained(account: Account, words: Words) -> Iterator[Section]:
    """What the person has forbidden, and since when that holds (R45, R47)."""
    if account.restraints:
        say = words.texts.say
        yield Section(
            say("statement.restrained"),
            tuple(
                (say(f"restraint.{one.kind}"), say("restraint.since", at=words.moment(one.since)))
                for one in account.restraints
            ),
        )


def glosses(account: Account, settings: Settings, language: Language) -> dict[str, str]:
    """What the codes in a bundle of this account mean, those that occur."""
    words = Words(settings, language)
    found: dict[str, str] = {}
    for told in account.told:
        found |= {name: words.column(name) for name in (*told.fields, told.changes) if name}
        found |= {name: words.column(name) for name in _OF_A_QUESTION if told.outcome == "asked"}
        found |= {
            told.recipient: words.receiver(told),
            told.operation: words.code("operation", told.operation),
            told.purpose: words.code("purpose", told.purpose),
            told.basis: words.code("basis", told.basis),
        }
        if told.ground is not None:
            found[told.ground] = words.code("ground", told.ground)
    return {code: gloss for code, gloss in sorted(found.items()) if gloss != code}


def find_usage(account: Account, settings: Settings, language: Language) -> dict[str, object]:
    """The statement as JSON in the shape of Estonia's Data Tracker (Andmejälgija), newest first.

    `usage`, and in it `logtime`, `action` and `receiver`, are those of the findUsage response (Kasutusteabe esitamise
    protokoll 1.3.1, §8.1.4); `actioncode`, `sender`, `receivercode` and `restrictions` (A: shown to the person) are the
    names under which its data store keeps such a record. `usercode`, who of the staff looked, is left out. The rest is
    ours: which data, why, under what, and what became of it.
    """
    words = Words(settings, language)
    return {
        "language": language,
        "customer": f"P{account.party_id}",
        "usage": [
            {
                "logtime": told.at,
                "action": words.code("operation", told.operation),
                "actioncode": told.operation,
                "sender": settings.notice.controller.name,
                "receiver": words.receiver(told),
                "receivercode": told.recipient,
                "restrictions": "A",
                "data": words.data([told]),
                "fields": list(told.fields),
                "purpose": told.purpose,
                "basis": told.basis,
                "ground": told.ground,
                "contract": told.contract,
                "notice": told.notice,
                "delivery_id": told.delivery_id,
                "outcome": told.outcome,
                "outcome_time": told.outcome_at,
            }
            for told in reversed(account.told)
        ],
        "notified": [
            {
                "receiver": words.title(one.recipient),
                "receivercode": one.recipient,
                "kind": one.kind,
                "fields": list(one.fields),
                "state": one.state,
                "time": one.at,
            }
            for one in account.notified
        ],
        "restrained": [{"kind": one.kind, "since": one.since} for one in account.restraints],
    }
