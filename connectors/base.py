"""What a source and a recipient promise the hub, and every way they can fail.

Belongs here: the protocols, the values that cross them, the error tree. Does not belong here: any
transport or format. The tree, drawn; messages name hosts, files, rules and counts, never a person:

    ConnectorError
    ├── Unavailable            down, timed out, 5xx after the last retry, refused connection
    ├── Refused                it answered and said no: credentials, host key, permission, 4xx
    │   └── NotRecognised      it does not know us, or not any more: 401
    ├── Malformed              the answer as a whole can't be read: truncated, wrong encoding, no such column
    │   ├── CursorWentBack     a feed offers a position before the one we hold
    │   └── OtherColumns       a column that was agreed is not there, or there twice
    ├── AlreadyPublished       the name exists at the recipient; nothing was overwritten
    └── OutcomeUnknown         the bytes may or may not have arrived; ask, never resend blindly
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable


class ConnectorError(Exception):
    """Root of everything a counterparty can do to us; `str()` is one line a steward can act on."""


class Unavailable(ConnectorError):
    """The counterparty did not answer; trying again later may help."""


class Refused(ConnectorError):
    """The counterparty answered no; somebody has to change a setting, a key or a permit."""


class NotRecognised(Refused):
    """The counterparty does not accept who we are; where a token says so, a new one may help."""


class Malformed(ConnectorError):
    """The whole answer is unreadable; nothing of it was taken in and the cursor stays."""


class CursorWentBack(Malformed):
    """A change feed offered a position earlier than ours; its keeper has to explain."""


class OtherColumns(Malformed):
    """A file has other columns than were agreed; its keeper or our mapping has to change."""


class AlreadyPublished(ConnectorError):
    """The delivery's name is taken at the recipient."""


class OutcomeUnknown(ConnectorError):
    """The connection broke after bytes had left."""


@dataclass(frozen=True)
class Record:
    """One thing a source says, in the hub's declared words (see `config/sources/*.yml`).

    kind: "party", "point", "role", "invoice" or "order". key: the source's own key for it, stable between deliveries.
    source_time: when the source says this became so, ISO 8601 UTC ("2026-11-20T22:00:00Z"), or None.
    content: declared fields only, JSON-able, absent when the source does not state them.
    is_partial: the source told these fields alone; what it said before of the others still stands.
    """

    kind: str
    key: str
    source_time: str | None
    content: Mapping[str, Any]
    is_partial: bool = False


@dataclass(frozen=True)
class Fault:
    """One record the connector could not turn into a `Record`: to quarantine, nothing lost.

    content holds what could be read, under declared names; rule and reason carry no values.
    """

    kind: str
    key: str
    rule: str
    reason: str
    content: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """What one call brought, and where to go on from once it has been stored.

    records may hold the same key more than once; a later one supersedes an earlier one.
    fetched: records the source sent, before ours were picked. total: how many parties a full snapshot
    holds, or were asked about by name (the volume rule reads it), else None.
    dropped: column or group the notice does not cover → how many records carried it.
    unknown: message kind nobody has told us of → count; loud in the morning letter.
    not_held: how many of those asked about the register does not hold, which says nothing about them.
    faults_of_others: records that could not be read and show nothing of ours; no more of them is kept.
    answers: question of `Ask.awaited` that has been answered → reference → what that came to (a plain word).
    whole: kinds of which nothing is left out: what is held of one and is neither a record nor a fault
    here, the source states no longer.
    """

    records: Sequence[Record]
    cursor: Mapping[str, Any]
    fetched: int
    total: int | None = None
    faults: Sequence[Fault] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    not_held: int = 0
    faults_of_others: int = 0
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()


@dataclass(frozen=True, repr=False)
class Ask:
    """What the hub hands a source for one call.

    cursor: what the last stored batch returned, None the first time.
    known: keys of this source's records that the hub already holds (a baseline is asked for the rest).
    business_date: the night's date, ISO.
    reread: a snapshot is to be read again though it is the one read last (a full night).
    awaited: of a source that answers later (`Correspondent`): question sent and not answered yet → reference →
    the name it was asked with.
    announce: called with (operation, keys) *before* a question about named people leaves the house;
    it returns only once the question is in the disclosure log (R23).
    """

    cursor: Mapping[str, Any] | None
    known: frozenset[str]
    business_date: str
    announce: Callable[[str, Sequence[str]], None]
    reread: bool = False
    awaited: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Source(Protocol):
    """A register we hear from. Holds no state between calls; never writes anything."""

    def fetch(self, ask: Ask) -> Batch:
        """All that is new since `ask.cursor`; raises a `ConnectorError` and then nothing counts."""
        ...

    def check(self) -> str:
        """One line on whether the counterparty can be reached and lets us in; raises if not."""
        ...


@dataclass(frozen=True)
class ReferenceFile:
    """A whole file of reference data, which tells of nobody and replaces the one before it.

    table: what it lists. day: its date, ISO. columns: name → one value a record, None where it says nothing.
    lines: records it had. faults: why a record was left out → how many were.
    """

    table: str
    name: str
    day: str
    columns: Mapping[str, Sequence[str | int | None]]
    lines: int
    faults: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """What is new of some reference data, and where to go on from once it has been stored."""

    files: Sequence[ReferenceFile]
    cursor: Mapping[str, Any]


class ReferenceSource(Protocol):
    """Somebody who hands out reference data; never asked about anybody."""

    def fetch(self, ask: Ask) -> Reference:
        """Every file that is newer than `ask.cursor`, whole; raises a `ConnectorError` if any can't be read."""
        ...

    def check(self) -> str:
        """As `Source.check`."""


@runtime_checkable
class Correspondent(Protocol):
    """A source that is sent a file of questions and answers with another, hours or days later.

    What it answers comes with `Source.fetch`. Sending never overwrites; the question's name is its id.
    """

    def fits(self, row: Mapping[str, str]) -> bool:
        """Whether a row (`reference` and the fields asked with) can be written as the file is agreed to be."""
        ...

    def render(self, rows: Sequence[Mapping[str, str]]) -> bytes:
        """The exact bytes of a question about these people."""
        ...

    def send(
        self, question: str, payload: bytes, people: int, about_to: Callable[[], None]
    ) -> None:
        """Put the question in place, or the rest of it where an earlier attempt broke off.

        about_to: called when all but the last has been done: once it has returned the other side may take the
        question away. `AlreadyPublished`: other bytes stand under the name.
        """
        ...

    def was_taken(self, question: str) -> bool:
        """Whether a question that was `about_to` is wholly there, or has been taken away since."""
        ...


class Tokens(Protocol):
    """Opaque equality tokens for what may not leave a connector (DESIGN 2)."""

    @property
    def key_id(self) -> str:
        """Names the key the tokens were made with."""
        ...

    def person(self, identity_code: str) -> str:
        """The token of a normalised identity code."""
        ...

    def birth(self, birth_date: str) -> str:
        """The token of a birth date (ISO)."""
        ...


@dataclass(frozen=True, repr=False)
class Borrowed:
    """Who and what is ours, in memory for the length of one call (DESIGN 2); nothing of it is kept.

    people: customer number → identity code, valid ones only. organisations: customer number → business
    id, as written. property_ids, building_ids: of the consumption points, in their plain forms
    (`connectors.premises`).
    """

    people: Mapping[str, str] = field(default_factory=dict)
    organisations: Mapping[str, str] = field(default_factory=dict)
    property_ids: frozenset[str] = frozenset()
    building_ids: frozenset[str] = frozenset()


@runtime_checkable
class Lender(Protocol):
    """Somebody who knows who is ours: the own register's export."""

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        """Everybody with a role at a consumption point, or only those of the customer numbers given.

        Invalid codes are left out, and counted elsewhere.
        """
        ...


class NobodyLends:
    """The lender of a source whose file names none: nothing is ours, so nobody is asked about."""

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        """Nobody."""
        return Borrowed()


@dataclass(frozen=True)
class Only:
    """A lender cut down to some customers: a refresh asks about nobody else."""

    lender: Lender
    customers: frozenset[str]

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        """Those of the chosen customers."""
        wanted = self.customers if customers is None else self.customers & frozenset(customers)
        return self.lender.borrow(wanted)


@dataclass(frozen=True)
class Without:
    """A lender that keeps some customers to itself: nobody is asked about them."""

    lender: Lender
    customers: frozenset[str]

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        """The lender's, less the customers kept back; properties and buildings are nobody's own."""
        lent = self.lender.borrow(customers)
        return Borrowed(
            {n: code for n, code in lent.people.items() if n not in self.customers},
            {n: firm for n, firm in lent.organisations.items() if n not in self.customers},
            lent.property_ids,
            lent.building_ids,
        )


@dataclass(frozen=True)
class Opening:
    """What the house hands to every source that it opens, beside the options of its file.

    lender: who lends our customers, and `NobodyLends` without one. today: the date, ISO, for calls that
    belong to no night. allow_test_identities: admit codes and buildings kept for testing. patience:
    seconds a person is ready to wait for an answer, None in a night.
    """

    tokens: Tokens
    lender: Lender
    today: Callable[[], str]
    allow_test_identities: bool = False
    patience: float | None = None


@dataclass(frozen=True)
class Receipt:
    """Proof that the recipient's side holds exactly our bytes: their size and SHA-256, read back."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Acknowledgement:
    """What the recipient says it did with a delivery; rejected: row number (from 1) → code."""

    delivery_id: str
    accepted: int
    rejected: Mapping[int, str]
    received_at: str


class Recipient(Protocol):
    """Somebody we tell. Publishing never overwrites, and asking never changes anything."""

    def render(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
        """The exact bytes of a delivery; a value the format can't carry raises `Malformed`."""
        ...

    def parse(self, payload: bytes) -> list[dict[str, str]]:
        """The rows read back from the bytes, by other code than wrote them."""
        ...

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        """Put the bytes in place under the delivery's id; `AlreadyPublished` or `OutcomeUnknown`."""
        ...

    def look(self, delivery_id: str, sequence: int) -> Receipt | None:
        """What stands under the delivery's id at the recipient, or None."""
        ...

    def acknowledgement(self, delivery_id: str, sequence: int) -> Acknowledgement | None:
        """The recipient's answer, or None while there is none."""
        ...

    def check(self) -> str:
        """One line on whether the recipient can be reached and lets us in; raises if not."""
        ...


class Witness(Protocol):
    """Somebody outside who is shown where the disclosure log stands; both methods raise ConnectorError."""

    def show(self, name: str, note: str) -> None:
        """Hand over a note under a file's name; one that is there already, and the same, is no error."""
        ...

    def cosigned(self) -> Iterable[str]:
        """The notes that the witness has left, with its signature."""
        ...


@dataclass(frozen=True)
class RowAnswer:
    """How far one row of a delivery has come; row 0 is the delivery as a whole (`sftp_file`).

    leaving: about to be told for the attempt-th time, and it may have arrived. taken, refused: answered for
    good; code: why it was refused, a plain word without anything about a person.
    """

    state: Literal["leaving", "taken", "refused"]
    code: str = ""
    attempt: int = 1


class Journal(Protocol):
    """How far each row of one delivery has come; kept by whoever sends it, and outlives a kill."""

    def answers(self) -> Mapping[int, RowAnswer]:
        """Row number (from 1) → how far it has come; rows nobody has begun to tell are absent."""
        ...

    def note(self, row: int, answer: RowAnswer) -> None:
        """Write down how far a row has come; it is safe before this returns."""
        ...


@runtime_checkable
class Resuming(Protocol):
    """A recipient that has to know how far an attempt came which was broken off.

    Where a delivery is a call for each row, `publish` goes on after the last row answered, asks about one
    that was leaving before it tells it again, and gives a receipt once every row is answered; `look` and
    `acknowledgement` speak of what the journal holds. Where it is a file that may be taken away as soon as it
    is there, the journal tells one that was taken from one that never left.
    """

    def resuming(self, payload: bytes, journal: Journal) -> Recipient:
        """The recipient for one delivery, going on from where its journal stands."""
        ...
