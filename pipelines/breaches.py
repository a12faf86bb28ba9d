"""Holding every source and recipient of the configuration against the notice, before anything runs.

Belongs here: rules that files alone can break, and whether one recipient or source may be spoken to on a day.
Does not belong here: the same rules on rows (`steps` drop, hold or refuse there again), the shape of the files
(`contracts`, `notice`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from pipelines.contracts import Agreement, Basis, ContractField, RecipientContract, SourceConfig
from pipelines.domain.fields import FIELDS
from pipelines.domain.select_list import MADE_OF
from pipelines.notice import Item, Notice, NoticeRecipient, Purpose

NOTICE_FILE = "notice.yml"
# The European Economic Area: the 27 of the Union and Iceland, Liechtenstein, Norway.
EEA = frozenset(
    ["AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK"]
)  # fmt: skip
# Population rules by which records go back to the register that supplied them.
_RETURNS = ("own_customers_with_accepted_changes", "supplied_records_in_error")
# A name that smells of a decision made about somebody (R8).
_SCORE = re.compile(r"score|rating|grade|profile|luokitus|pisteet|profiili", re.IGNORECASE)
# … and one of what somebody did on a web site (R16, R55)
_WEB_USE = re.compile(
    r"(?:^|[^a-z])ip(?:$|[^a-z])|ip.?(?:number|numero|address|osoite)|cookie|ev[aä]ste|session|istunto"
    r"|user.?agent|selain|referr?er|clickstream|page.?view|analytics|device.?id|laitetunn",
    re.IGNORECASE,
)
# how long before its last day an agreement is spoken of (`ending`)
_SOON = timedelta(days=30)


@dataclass(frozen=True)
class Breach:
    """One thing that may not be so: which file, which key, what it has to be, by which rule.

    review: the file that has to be reviewed before this could be otherwise, so that nobody goes round
    the gate for want of knowing the way through it.
    """

    file: str
    key: str
    expected: str
    rule: str
    review: str

    def __str__(self) -> str:
        return (
            f"{self.file}: {self.key}: expected {self.expected} ({self.rule}; review {self.review})"
        )


@dataclass(frozen=True)
class _File:
    name: str

    def breach(self, key: str, expected: str, rule: str, review: str = NOTICE_FILE) -> Breach:
        return Breach(self.name, key, expected, rule, review)


def check(
    notice: Notice,
    sources: Mapping[str, SourceConfig],
    recipients: Mapping[str, RecipientContract],
    on: str,
) -> list[Breach]:
    """Everything in the configuration that the notice does not allow on the day `on` (ISO date).

    A recipient in shadow may lack its agreement, a live one may not: before going live ask about a copy
    with `mode="live"`. A source without an address may lack it too: nothing is heard of it.
    """
    return [
        *_columns_without_a_place(notice),
        *(
            b
            for s in sources.values()
            for b in _of_source(notice, s, sources, on)
            if s.configured or not b.key.startswith("agreement")
        ),
        *(b for r in recipients.values() for b in _of_recipient(notice, r, on)),
        *(b for r in recipients.values() for b in _of_population(r, sources)),
    ]


def refusals(
    notice: Notice,
    sources: Mapping[str, SourceConfig],
    contract: RecipientContract,
    on: str,
) -> list[Breach]:
    """Why the recipient may not be told anything on that day; empty when it may. Denied by default (R18).

    Asked again whenever something is prepared: an agreement ends without a file being changed.
    """
    live = contract.model_copy(update={"mode": "live"})
    return [*_of_recipient(notice, live, on), *_of_population(live, sources)]


def unaskable(
    notice: Notice, source: SourceConfig, sources: Mapping[str, SourceConfig], on: str
) -> list[Breach]:
    """Why nothing may be asked of the source, or taken from it, on that day; empty when it may (R15)."""
    return list(_of_source(notice, source, sources, on))


@dataclass(frozen=True)
class Ending:
    """An agreement in its last days: whose file, its last day (ISO), how many days are left."""

    file: str
    last_day: str
    days: int

    def __str__(self) -> str:
        return f"{self.file}: the agreement ends {self.last_day}, in {self.days} days"


def ending(
    sources: Mapping[str, SourceConfig], recipients: Mapping[str, RecipientContract], on: str
) -> list[Ending]:
    """Agreements in force on that day that end within 30 days of it, the soonest first (R15).

    Of those heard and told alone, which is whoever has an address.
    """
    today = date.fromisoformat(on)
    agreed = [(f"sources/{s.name}.yml", s.agreement) for s in sources.values() if s.configured]
    agreed += [
        (f"recipients/{r.recipient}.yml", r.agreement) for r in recipients.values() if r.configured
    ]
    left = [
        Ending(file, a.valid_to, (date.fromisoformat(a.valid_to) - today).days)
        for file, a in agreed
        if a is not None and a.valid_to is not None
    ]
    soon = [e for e in left if 0 <= e.days <= _SOON.days]
    return sorted(soon, key=lambda e: (e.last_day, e.file))


def _columns_without_a_place(notice: Notice) -> Iterator[Breach]:
    covered = {f for i in notice.items for f in i.fields}
    for field in sorted(set(FIELDS) - covered):
        expected = "every column of the hub under an item"
        yield _File(NOTICE_FILE).breach(f"categories, beyond_the_notice: {field}", expected, "R9")


def _of_source(
    notice: Notice, source: SourceConfig, sources: Mapping[str, SourceConfig], on: str
) -> Iterator[Breach]:
    file = _File(f"sources/{source.name}.yml")
    if source.brings == "reference":
        if source.notice_source or source.borrow_from:
            key = "notice_source" if source.notice_source else "borrow_from"
            yield file.breach(key, "nothing: reference data tells of nobody", "R12", file.name)
        return
    kind = next((s for s in notice.sources if s.name == source.notice_source), None)
    if kind is None:
        expected = f"one of {', '.join(s.name for s in notice.sources)}"
        yield file.breach("notice_source", expected, "R12, R13")
        return
    if kind.refused:
        yield file.breach("notice_source", f"another kind: {kind.refused}", "R16, R55")
        return
    joint = [c.name for c in notice.joint_controllers]
    if kind.needs == "joint_controller" and source.controller not in joint:
        yield file.breach("controller", f"one of {', '.join(joint)}", "R14")
    # a file without an address is of a register that is not there yet
    needs = source.connectors[source.connector].needs_agreement and source.configured
    if (kind.needs == "agreement" or needs) and not _in_force(source.agreement, on):
        yield file.breach(
            "agreement", f"a signed one with a reference, in force on {on}", "R15", file.name
        )
    elif source.agreement is not None and not _lasts(source.agreement, on):
        yield file.breach("agreement.valid_to", f"a day not before {on}", "R15", file.name)
    if source.borrow_from is not None and source.borrow_from not in sources:
        yield file.breach("borrow_from", f"one of {', '.join(sources)}", "DESIGN 2", file.name)
    if source.numbered_by not in ("hub", *sources):
        expected = f"hub or one of {', '.join(sources)}"
        yield file.breach("numbered_by", expected, "DESIGN 4", file.name)
    yield from _of_purpose(notice, file, source.purpose, source.basis)
    yield from _of_questions(notice, file, source, sources)
    may_say = notice.fields_of(kind.name)
    for key, field in _mapped_fields(source):
        item = notice.item_of(field)
        if _WEB_USE.search(field) or _WEB_USE.search(key.rpartition(".columns.")[2]):
            yield file.breach(key, "no web data: it may not be joined to a customer", "R16, R55")
        elif isinstance(item, Item) and item.not_held:
            yield file.breach(key, f"no {field}: {item.not_held}", "R16, R55")
        elif item is None:
            yield file.breach(key, f"a field that the notice covers, not {field}", "R9")
        elif field not in may_say:
            yield file.breach(key, f"no {item.name} from {kind.name}", "R10, R13")


def _of_questions(
    notice: Notice, file: _File, source: SourceConfig, sources: Mapping[str, SourceConfig]
) -> Iterator[Breach]:
    """What a file lets leave in a question: fields that the notice covers, and of those an envelope's alone."""
    allowed = source.connectors[source.connector].may_ask_with
    for field in source.asks_with if allowed else ():
        if field not in allowed or notice.item_of(field) is None:
            expected = f"one of {', '.join(sorted(allowed))}, not {field}"
            yield file.breach("asks.columns", expected, "R13, R18", file.name)
    for name in source.in_batches.unless_known_by:
        if name not in sources:
            expected = f"some of {', '.join(sources)}"
            yield file.breach("in_batches.unless_known_by", expected, "DESIGN 2", file.name)


def _mapped_fields(source: SourceConfig) -> Iterator[tuple[str, str]]:
    """Where a source's file maps a column to a field of ours, and that field; of a part, its own."""
    makes = source.connectors[source.connector].makes
    files = source.options.get("files")
    for name, file in files.items() if isinstance(files, Mapping) else ():
        columns = file.get("columns") if isinstance(file, Mapping) else None
        for column, entry in columns.items() if isinstance(columns, Mapping) else ():
            word = entry.get("field") if isinstance(entry, Mapping) else entry
            if isinstance(word, str):
                for field in makes.get(word, (word.rpartition(".")[2],)):
                    yield f"files.{name}.columns.{column}", field


def _in_force(agreement: Agreement | None, on: str) -> bool:
    return (
        agreement is not None
        and agreement.reference is not None
        and agreement.signed is not None
        and agreement.signed <= on
        and _lasts(agreement, on)
    )


def _lasts(agreement: Agreement, on: str) -> bool:
    return agreement.valid_to is None or on <= agreement.valid_to


def _purpose(notice: Notice, name: str) -> Purpose | None:
    return next((p for p in notice.purposes if p.name == name), None)


def _of_purpose(notice: Notice, file: _File, name: str, basis: Basis) -> Iterator[Breach]:
    purpose = _purpose(notice, name)
    if purpose is None:
        expected = f"one of {', '.join(p.name for p in notice.purposes)}"
        yield file.breach("purpose", expected, "R3")
    elif not purpose.enabled:
        yield file.breach("purpose", f"one in use: {name} is off", "R5")
    if basis == "consent" and notice.consent is None:
        yield file.breach("basis", "no consent: the notice states none", "R7")
    elif purpose is not None and purpose.basis is not None and basis != purpose.basis:
        yield file.breach("basis", f"{purpose.basis}, the basis of {name}", "R6")


def _of_recipient(notice: Notice, contract: RecipientContract, on: str) -> Iterator[Breach]:
    file = _File(f"recipients/{contract.recipient}.yml")
    named = next((r for r in notice.recipients if r.name == contract.notice_recipient), None)
    if named is None:
        expected = f"one of {', '.join(r.name for r in notice.recipients)}"
        yield file.breach("notice_recipient", expected, "R18")
        return
    if contract.role not in named.roles:
        yield file.breach("role", " or ".join(named.roles), "R18")
    yield from _of_events(file, contract, named)
    if contract.purpose not in named.purposes:
        yield file.breach("purpose", f"one of {', '.join(named.purposes)}", "R3, R18")
    # who is told by a command only is told nothing in shadow, so a purpose may still be off
    if contract.mode == "live" or not contract.population.is_per_case:
        yield from _of_purpose(notice, file, contract.purpose, contract.basis)
    yield from _of_ground(notice, file, contract, named)
    if contract.mode == "live" and contract.role != "own" and not _in_force(contract.agreement, on):
        expected = f"a signed one with a reference, in force on {on}, before going live"
        yield file.breach("agreement", expected, "R15, R18", file.name)
    yield from _of_country(notice, file, contract, on)
    refused = [b for field in contract.fields for b in _of_field(notice, file, named, field)]
    yield from refused
    keys = {breach.key for breach in refused}
    hidden = _of_select_list(file, contract)
    yield from (b for b in hidden if b.key.removesuffix(".made_of") not in keys)


def _of_events(
    file: _File, contract: RecipientContract, named: NoticeRecipient
) -> Iterator[Breach]:
    """Who hears of an event at a time has no standing list; each disclosure rests on its reference."""
    population = contract.population
    if named.per_event and not population.is_per_case:
        expected = f"no standing contract, but {named.per_event}: per_case"
        yield file.breach("population.rule", expected, "R17, R20")
    if not population.is_per_case:
        if population.reference is not None:
            yield file.breach("population.reference", "none but per case", "R17", file.name)
        return
    wanted = {"credit_application": "application", "statute": "statute"}.get(
        contract.ground or "", "case"
    )
    if population.reference != wanted:
        expected = f"{wanted}, by the ground {contract.ground}"
        yield file.breach("population.reference", expected, "R17, R20", file.name)
    column = f"{'statute' if wanted == 'statute' else 'case'}_reference"
    if column not in contract.columns:
        yield file.breach("fields", f"a field {column}: what it rests on", "R17, R20", file.name)


def _of_select_list(file: _File, contract: RecipientContract) -> Iterator[Breach]:
    """A contract names what the rule can make, and all that stands in it: no field under another's name."""
    made = MADE_OF.get(contract.population.rule)
    if made is None:
        return  # a return is made of what its contract says, and of nothing else
    for field in contract.fields:
        if field.name not in made:
            expected = f"one of {', '.join(made)}"
            yield file.breach(f"fields.{field.name}", expected, "R18", file.name)
        elif hidden := sorted(set(made[field.name]) - set(field.made_of)):
            expected = f"all that stands in it: {', '.join(hidden)} too"
            yield file.breach(f"fields.{field.name}.made_of", expected, "R18", file.name)


def _of_population(
    contract: RecipientContract, sources: Mapping[str, SourceConfig]
) -> Iterator[Breach]:
    """Records go back to whom they came from, and to nobody else."""
    file = _File(f"recipients/{contract.recipient}.yml")
    name = contract.population.source
    if contract.population.rule not in _RETURNS:
        if name is not None:
            yield file.breach("population.source", "none: nothing is returned", "R43", file.name)
        return
    keeper = contract.notice_recipient
    theirs = [
        source.name
        for source in sources.values()
        if source.controller == keeper
        or (contract.role == "own" and source.notice_source == "customer_registrations")
    ]
    if name not in theirs:
        expected = f"a source that {keeper} keeps: {' or '.join(theirs) or 'there is none'}"
        yield file.breach("population.source", expected, "R14, R43", file.name)


def _of_ground(
    notice: Notice, file: _File, contract: RecipientContract, named: NoticeRecipient
) -> Iterator[Breach]:
    outside = contract.role in ("processor", "independent")
    purpose = _purpose(notice, contract.purpose)
    if outside and purpose is not None and not purpose.external:
        yield file.breach("purpose", f"nobody outside told for {purpose.name}", "R28")
    if outside and contract.ground not in named.grounds:
        yield file.breach("ground", " or ".join(named.grounds) or "none: not to be told", "R20")
    if not outside and contract.ground is not None:
        yield file.breach("ground", "none: it stays with the controllers", "R20")
    # per case the statute is given with each disclosure (`steps.prepare_case`)
    needed = contract.ground == "statute" and not contract.population.is_per_case
    if needed != (contract.statute is not None):
        expected = "the law and section, with ground statute and only then; none here per case"
        yield file.breach("statute", expected, "R20", file.name)


def _of_country(
    notice: Notice, file: _File, contract: RecipientContract, on: str
) -> Iterator[Breach]:
    if contract.eu_eea != (contract.country in EEA):
        truth = "true" if contract.country in EEA else "false"
        yield file.breach("eu_eea", f"{truth}, by the country", "R24")
    if contract.country in EEA:
        return
    transfer = contract.transfer
    if transfer is None or transfer.mechanism not in notice.third_countries.mechanisms:
        ways = ", ".join(notice.third_countries.mechanisms)
        yield file.breach(
            "transfer", f"a mechanism ({ways}) with its reference and last day", "R24"
        )
    elif transfer.valid_to < on:
        yield file.breach("transfer.valid_to", f"a mechanism in force on {on}", "R24", file.name)


def _of_field(
    notice: Notice, file: _File, named: NoticeRecipient, field: ContractField
) -> Iterator[Breach]:
    key = f"fields.{field.name}"
    if _SCORE.search(field.name):
        yield file.breach(key, "no score or profile: the notice states none", "R8")
    for ours in field.made_of:
        item = notice.item_of(ours)
        if item is None:
            yield file.breach(key, f"a field that the notice covers, not {ours}", "R9, R18")
        elif item.barred:
            yield file.breach(key, f"no {ours}: {item.barred}", "R10")
        elif item.name not in named.receives:
            yield file.breach(key, f"no {item.name} to {named.name}", "R18")
