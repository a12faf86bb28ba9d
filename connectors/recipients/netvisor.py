"""Netvisor as a recipient: one `customer.nv` call a row, each of them told once.

Belongs here: which row is told when, and what an answer or its absence means for it. Does not belong here: what a
row says (`netvisor_customer`), the calls (`netvisor_service`), keeping the journal (the caller).

FORMATS.md §7.1. A customer is known by our number (`internalidentifier`): `customerlist` says which exist, the
others are added, these edited. Netvisor knows a call again by its transaction id alone, which is made of delivery,
row and attempt. Before a row is told it is noted as leaving; where nobody knows whether it arrived,
Netvisor is asked what stands there. Only if that is not the row may it be told again, and in a later run:

    answered OK                        taken
    INVALID_DATA and its like          refused, with the code alone: the text beside it may quote the row
    maintenance, technical error       asked, then told under the next id, a few times in one run
    no answer, or half of one          asked, a few times; unknown until the next run
    REQUEST_NOT_UNIQUE                 asked; it was heard and not carried out: the next run takes the next id
    anything else                      the delivery waits where it is
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from connectors.base import (
    Acknowledgement,
    ConnectorError,
    Journal,
    Malformed,
    OutcomeUnknown,
    Receipt,
    Recipient,
    RowAnswer,
    Unavailable,
)
from connectors.http import Http
from connectors.recipients import netvisor_customer as customer
from connectors.recipients.netvisor_customer import Document
from connectors.recipients.netvisor_service import (
    CODES_A_CALL,
    DUPLICATE,
    NetvisorOptions,
    Reply,
    Service,
)

_UNKNOWN_CUSTOMER = "UNKNOWN_CUSTOMER"  # our own: an end of somebody Netvisor does not hold
_LOOKS = 3


def connect(options: Mapping[str, Any], clock: Callable[[], datetime]) -> Recipient:
    """The recipient of a contract's `transport:`; ValueError names the option that is wrong."""
    return Netvisor(NetvisorOptions.from_mapping(options), clock)


class Netvisor(Recipient):
    """Tells a delivery row by row (`base.Resuming`); opened anew for each delivery by `resuming`."""

    def __init__(
        self,
        options: NetvisorOptions,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
        delivery: tuple[bytes, Journal] | None = None,
    ) -> None:
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self._delivery = delivery

    def resuming(self, payload: bytes, journal: Journal) -> Recipient:
        """The same Netvisor, for the delivery with these bytes, going on from where its journal stands."""
        return Netvisor(self._options, self._clock, self._sleep, (payload, journal))

    def render(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
        """`netvisor_customer.render`."""
        return customer.render(columns, rows)

    def parse(self, payload: bytes) -> list[dict[str, str]]:
        """`netvisor_customer.parse`."""
        return customer.parse(payload)

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        """Tell every row that is not answered yet, in order; each is noted before it leaves.

        `OutcomeUnknown`: one may have arrived, and nobody can say. Other errors: it stays where it is. Either
        way the rows before it keep their answers.
        """
        sealed, journal = self._opened()
        documents = customer.documents(sealed)
        if payload != sealed or len(documents) != rows:
            raise Malformed(f"delivery {delivery_id} is not the one that was opened")
        before = journal.answers()
        waiting = [
            (row, document, before.get(row))
            for row, document in enumerate(documents, start=1)
            if not _is_answered(before.get(row))
        ]
        with self._calling() as service:
            for first in range(0, len(waiting), CODES_A_CALL):
                batch = waiting[first : first + CODES_A_CALL]
                keys = service.keys(document.customer_number for _, document, _ in batch)
                for row, document, begun in batch:
                    _Telling(service, journal, keys, delivery_id, row, document).tell(begun)
        return _receipt(delivery_id, sealed)

    def look(self, delivery_id: str, sequence: int) -> Receipt | None:
        """Ask about rows that were leaving; a receipt once every row is answered, None while one is not."""
        sealed, journal = self._opened()
        documents = dict(enumerate(customer.documents(sealed), start=1))
        answers = journal.answers()
        leaving = [row for row, answer in answers.items() if answer.state == "leaving"]
        if leaving:
            with self._calling() as service:
                keys = service.keys(documents[row].customer_number for row in leaving)
                for row in leaving:
                    if service.stands(documents[row], keys):
                        journal.note(row, replace(answers[row], state="taken"))
            answers = journal.answers()
        is_whole = all(_is_answered(answers.get(row)) for row in documents)
        return _receipt(delivery_id, sealed) if is_whole else None

    def acknowledgement(self, delivery_id: str, sequence: int) -> Acknowledgement | None:
        """What the calls were answered, once every row was."""
        sealed, journal = self._opened()
        answers = journal.answers()
        rows = len(customer.documents(sealed))
        if not all(_is_answered(answers.get(row)) for row in range(1, rows + 1)):
            return None
        refused = {row: a.code for row, a in sorted(answers.items()) if a.state == "refused"}
        moment = self._clock().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Acknowledgement(delivery_id, rows - len(refused), refused, moment)

    def check(self) -> str:
        """Asks who has changed since tomorrow: nobody, and nothing is told."""
        tomorrow = (self._clock().astimezone(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
        with self._calling() as service:
            service.ask(f"customerlist.nv?changedsince={tomorrow}T00:00:00")
        return f"{self._options.base_url}: lets us in as {self._options.sender}"

    @contextmanager
    def _calling(self) -> Iterator[Service]:
        with Http(self._options.http(), self._sleep) as http:
            yield Service(http, self._options, self._clock, self._sleep)

    def _opened(self) -> tuple[bytes, Journal]:
        if self._delivery is None:
            raise RuntimeError("a delivery to Netvisor is opened with its journal: resuming()")
        return self._delivery


def _is_answered(answer: RowAnswer | None) -> bool:
    return answer is not None and answer.state != "leaving"


def _receipt(delivery_id: str, payload: bytes) -> Receipt:
    return Receipt(f"{delivery_id}.xml", len(payload), hashlib.sha256(payload).hexdigest())


def transaction_id(delivery_id: str, row: int, attempt: int) -> str:
    """Names one call for good: 32 hexadecimal digits that say nothing of anybody."""
    return hashlib.sha256(f"{delivery_id}|{row}|{attempt}".encode()).hexdigest()[:32]


@dataclass(frozen=True, repr=False)
class _Telling:
    """One row on its way."""

    service: Service
    journal: Journal
    keys: dict[str, str]
    delivery_id: str
    row: int
    document: Document

    def tell(self, begun: RowAnswer | None) -> None:
        """Until the row is answered; raises where it has to wait."""
        attempt = begun.attempt if begun else 1
        if begun and self._stands(attempt):
            return
        last: ConnectorError = Unavailable(f"row {self.row}: no attempt was made")
        for tries in range(1, self.service.attempts + 1):
            key = self.keys.get(self.document.customer_number)
            if key is None and not self.document.opens:
                return self._note("refused", attempt, _UNKNOWN_CUSTOMER)
            self._note("leaving", attempt)
            try:
                named = transaction_id(self.delivery_id, self.row, attempt)
                reply = self.service.tell(self.document, key, named)
            except Unavailable as down:  # it never left
                last = down
            else:
                if reply.kind == "done":
                    if reply.key:
                        self.keys[self.document.customer_number] = reply.key
                    elif key is None:
                        self.keys.update(self.service.keys([self.document.customer_number]))
                    return self._note("taken", attempt)
                if reply.kind == "silent":
                    return self._find_out(attempt)
                if self._settled(reply, key, attempt):
                    return None
                last = Unavailable(f"customer.nv: {reply.code}, {tries} times")
                attempt += 1
            if tries < self.service.attempts:
                self.service.wait(tries)
        raise last

    def _settled(self, reply: Reply, key: str | None, attempt: int) -> bool:
        """Whether a failure ends the row; if not, it may be told once more under another id."""
        if reply.kind == "row" and not (reply.code == DUPLICATE and key is None):
            self._note("refused", attempt, reply.code)
            return True
        if self._stands(attempt):
            return True
        if reply.kind == "spent":
            self._note("leaving", attempt + 1)
            raise OutcomeUnknown(f"row {self.row} was heard before and has not been carried out")
        if reply.kind == "row" and self.document.customer_number not in self.keys:
            self._note("refused", attempt, reply.code)
            return True
        return False

    def _find_out(self, attempt: int) -> None:
        for look in range(1, _LOOKS + 1):
            if self._stands(attempt):
                return
            if look < _LOOKS:
                self.service.wait(look)
        raise OutcomeUnknown(f"row {self.row} of {self.delivery_id} left, and was not answered")

    def _stands(self, attempt: int) -> bool:
        is_there = self.service.stands(self.document, self.keys)
        if is_there:
            self._note("taken", attempt)
        return is_there

    def _note(
        self, state: Literal["leaving", "taken", "refused"], attempt: int, code: str = ""
    ) -> None:
        self.journal.note(self.row, RowAnswer(state, code, attempt))
