"""The privacy notice as code: what may be held, from whom, for what, and who may be told (DESIGN 2.1).

Belongs here: the shape of `config/notice.yml`, its phrases, the list of its gaps. Does not belong here:
reading files (`settings`), holding sources and recipients against it (`breaches`), enforcing it on rows
(`steps`).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.contracts import Basis, Declared, Ground, IsoDate, Mechanism, Role, Text


class Fact(Declared):
    """One value of the notice and the phrase that says it."""

    value: Text
    phrase: Text


class Controller(Declared):
    """Whose register it is; contact_role is a role, the person stays in the site's own files (R2)."""

    name: Text
    address: Text
    phrase: Text
    contact_role: Text


class Named(Declared):
    """Something the notice names."""

    name: Text
    phrase: Text


class JointController(Named):
    """Another controller of the same register (R19)."""

    title: Text


class LegalBasis(Declared):
    """The one legal basis the notice states."""

    value: Basis
    phrase: Text


class Purpose(Named):
    """One purpose (R3). enabled: in use. external: whether anybody outside may be told for it (R28)."""

    title: Text
    basis: Basis | None
    basis_reference: Text | None = None
    enabled: bool
    external: bool = True

    @model_validator(mode="after")
    def _in_use_only_on_a_basis(self) -> "Purpose":
        if self.enabled and self.basis is None:
            raise ValueError(f"purpose {self.name} to have a basis, or to be off (R5)")
        return self


class Item(Declared):
    """One line of the data content and the hub's names for it.

    barred: why it never leaves the house. not_held: why it isn't let in either. only_of: the kind of
    party it is held of, where not of both.
    obligation: what the notice says about having to give it (R11).
    """

    name: Text
    phrase: Text
    fields: tuple[Text, ...]
    barred: Text | None = None
    not_held: Text | None = None
    only_of: Literal["person", "organisation"] | None = None
    obligation: Literal["contract", "statute", "voluntary", "not_stated"] = "not_stated"


class Category(Named):
    """One category of personal data (R9)."""

    title: Text
    items: tuple[Item, ...]


class Beyond(Declared):
    """What the hub holds and the notice does not list; every one is a gap."""

    name: Text
    title: Text
    fields: Annotated[tuple[Text, ...], Field(min_length=1)]
    under: Text
    reason: Text
    default: Text
    question: Text
    barred: Text | None = None


class NoticeSource(Named):
    """A kind of source. says: the items it may bring. refused: why nothing of the kind is taken in."""

    title: Text
    says: tuple[Text, ...]
    needs: Literal["joint_controller", "agreement"] | None = None
    refused: Text | None = None


class NoticeRecipient(Named):
    """Somebody who may be told, for what, and at most what. per_event: why no list goes there (R17)."""

    title: Text
    roles: tuple[Role, ...]
    purposes: tuple[Text, ...]
    receives: tuple[Text, ...]
    grounds: tuple[Ground, ...] = ()
    per_event: Text | None = None


class ExternalGround(Declared):
    """One of the four ways out (R20)."""

    name: Ground
    phrase: Text


class ThirdCountries(Declared):
    """Denied unless one of these mechanisms is on file (R24)."""

    phrase: Text
    mechanisms: tuple[Mechanism, ...]


class RetentionFloor(Declared):
    """Not before: so many years after the customership (R29)."""

    years: int = Field(ge=0)
    after: Literal["end_of_customership"]
    phrase: Text


class RetentionCeiling(Declared):
    """Not after: only ever from a signed decision (R30)."""

    years: int = Field(ge=1)
    decision: Text


class ConnectionContract(Declared):
    """What a connection contract waits for, all of it (R31)."""

    until: tuple[Literal["service_need_ended", "buildings_demolished"], ...]
    phrase: Text


class ErasureOnRequest(Declared):
    """What stands in the way of an erasure somebody asks for (R32)."""

    blocked_by: tuple[Literal["statute", "open_invoice", "collection"], ...]
    phrase: Text


class Retention(Declared):
    """How long."""

    floor: RetentionFloor
    ceiling: RetentionCeiling | None
    connection_contract: ConnectionContract
    on_request: ErasureOnRequest


class DeclaredGap(Declared):
    """A silence or contradiction that no other part of the file shows."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    phrase: Text
    what: Text
    default: Text
    question: Text


class Notice(Declared):
    """The whole notice; `version` goes into every disclosure and answer made under it (R1)."""

    version: IsoDate
    dated: Fact
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    register_: Annotated[Fact, Field(alias="register")]
    controller: Controller
    joint_controllers: tuple[JointController, ...]
    legal_basis: LegalBasis
    consent: Fact | None
    profiling: Fact | None
    purposes: tuple[Purpose, ...]
    categories: tuple[Category, ...]
    beyond_the_notice: tuple[Beyond, ...]
    sources: tuple[NoticeSource, ...]
    recipients: tuple[NoticeRecipient, ...]
    external_grounds: tuple[ExternalGround, ...]
    third_countries: ThirdCountries
    retention: Retention
    rights: tuple[Named, ...]
    supervisory_authority: Named
    gaps: tuple[DeclaredGap, ...]

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> "Notice":
        for fault in self._faults():
            raise ValueError(fault)
        return self

    def _faults(self) -> Iterator[str]:
        seen: dict[str, str] = {}
        for item in self.items:
            for field in item.fields:
                if field in seen:
                    yield f"field {field} to stand under one item, not {seen[field]} and {item.name}"
                seen[field] = item.name
        barred = {i.name for i in self.items if i.barred}
        not_held = {i.name for i in self.items if isinstance(i, Item) and i.not_held}
        items = {i.name for i in self.items}
        purposes = {p.name for p in self.purposes}
        for source in self.sources:
            if unknown := sorted(set(source.says) - items | set(source.says) & not_held):
                yield f"sources.{source.name}.says to name held items, not {', '.join(unknown)}"
        for recipient in self.recipients:
            if unknown := sorted(set(recipient.receives) - items):
                yield f"recipients.{recipient.name}.receives to name items, not {', '.join(unknown)}"
            if leaking := sorted(set(recipient.receives) & barred):
                yield f"recipients.{recipient.name}.receives without {', '.join(leaking)}: barred (R10)"
            if unknown := sorted(set(recipient.purposes) - purposes):
                yield f"recipients.{recipient.name}.purposes to be known, not {', '.join(unknown)}"
        for purpose in self.purposes:
            if purpose.basis == "consent" and self.consent is None:
                yield f"purpose {purpose.name} not to rest on consent: the notice states none (R7)"
            if purpose.basis not in (None, self.legal_basis.value) and not purpose.basis_reference:
                yield f"purpose {purpose.name} to give basis_reference: the notice states another (R5)"

    @property
    def items(self) -> tuple[Item | Beyond, ...]:
        """Every item, listed and beyond."""
        return (*(i for c in self.categories for i in c.items), *self.beyond_the_notice)

    def item_of(self, field: str) -> Item | Beyond | None:
        """The item a field belongs to; None = nothing covers it (R9)."""
        return next((i for i in self.items if field in i.fields), None)

    def fields_of(self, notice_source: str | None) -> frozenset[str]:
        """The fields a source of that kind may bring; the rest is dropped at the door (R9, R13).

        An unknown or refused kind may bring nothing.
        """
        kind = next((s for s in self.sources if s.name == notice_source), None)
        if kind is None or kind.refused:
            return frozenset()
        return frozenset(f for i in self.items if i.name in kind.says for f in i.fields)

    def not_of(self, party_type: object) -> frozenset[str]:
        """The fields that are not held of a party of that type, though of another they are."""
        return frozenset(
            f
            for i in self.items
            if isinstance(i, Item) and i.only_of is not None and party_type not in (i.only_of, None)
            for f in i.fields
        )

    def phrases(self) -> Iterator[tuple[str, str]]:
        """Where in the file, and the phrase quoted there: every one."""
        yield from _phrases(self.model_dump(by_alias=True), ())


def _phrases(part: object, where: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(part, Mapping):
        for key, value in part.items():
            if key in ("phrase", "under") and isinstance(value, str):
                yield ".".join((*where, key)), value
            else:
                yield from _phrases(value, (*where, str(key)))
    elif isinstance(part, (list, tuple)):
        for n, value in enumerate(part):
            name = value.get("name") or value.get("id") if isinstance(value, Mapping) else None
            yield from _phrases(value, (*where, str(name or n)))


def plain(text: str) -> str:
    """A notice's text without comments and markup, its whitespace collapsed."""
    bare = re.sub(r"<!--.*?-->|<[^>]+>", " ", text, flags=re.DOTALL)
    return " ".join(bare.split())


def text_hash(text: str) -> str:
    """SHA-256 of the plain text."""
    return hashlib.sha256(plain(text).encode()).hexdigest()


def strangers(notice: Notice, text: str) -> list[str]:
    """Where the file quotes a phrase that the notice's text does not have."""
    published = plain(text)
    return [where for where, phrase in notice.phrases() if plain(phrase) not in published]


@dataclass(frozen=True)
class Gap:
    """Where the notice is silent or contradicts itself, what the hub does meanwhile, what to ask."""

    id: str
    phrase: str
    what: str
    default: str
    question: str


def gaps(notice: Notice) -> list[Gap]:
    """Every gap: those the lists make by themselves (beyond the notice, no basis), then the declared."""
    return [
        *(
            Gap(f"beyond-{b.name.replace('_', '-')}", b.under, _beyond(b), b.default, b.question)
            for b in notice.beyond_the_notice
        ),
        *(
            Gap(
                f"no-basis-{p.name.replace('_', '-')}",
                p.phrase,
                f"The purpose «{p.title}» is named; «{notice.legal_basis.phrase}» does not carry it.",
                "Off: no source, extract or asset may name it (R5).",
                "On which basis does it rest, and where is that written? If on none, may it be struck?",
            )
            for p in notice.purposes
            if p.basis is None
        ),
        *(Gap(g.id, g.phrase, g.what, g.default, g.question) for g in notice.gaps),
    ]


def _beyond(item: Beyond) -> str:
    return f"Held and not listed: {item.title} ({', '.join(item.fields)}): {item.reason}."
