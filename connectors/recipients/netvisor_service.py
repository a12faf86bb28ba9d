"""Netvisor's interface: who we are, what we ask and tell, and what an answer means.

Belongs here: authentication, the three calls, the kinds of answers (FORMATS.md §7.1). Does not belong here:
what a customer's document says (`netvisor_customer`), which row is told when (`netvisor`), transport
(`connectors.http`).
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self
from xml.etree.ElementTree import Element

from connectors.base import Malformed, NotRecognised, OutcomeUnknown, Refused, Unavailable
from connectors.http import Answer, Http, HttpSettings
from connectors.mapping import demand, demand_known
from connectors.recipients import netvisor_customer as customer
from connectors.recipients.netvisor_customer import Document

CODES_A_CALL = 100
DUPLICATE = "DUPLICATE_DATA"
_OF_THE_ROW = frozenset({"INVALID_DATA", "INVALID_DATA_SIZE", DUPLICATE, "PERIOD_LOCK"})
# the first is how Netvisor spells it
_PASSING = frozenset({"SYSTEM_MAINTANANCE", "SYSTEM_MAINTENANCE", "TECHNICAL_ERROR"})
_NOT_UNIQUE, _WHO = "REQUEST_NOT_UNIQUE", "AUTHENTICATION_FAILED"
_CODE = re.compile(r"[A-Z][A-Z_]{2,63}")
_IN_A_HEADER = re.compile(r"[\x21-\x7e\xa1-\xff]([\x20-\x7e\xa1-\xff]{0,198}[\x21-\x7e\xa1-\xff])?")
_ORGANISATION = re.compile(r"\d{7}-\d")
_FIRST_WAIT = 2.0


@dataclass(frozen=True)
class NetvisorOptions:
    """How to reach one company's Netvisor, and as whom.

    sender: the integration's name. customer_id, customer_secret: the interface user's id and key; partner_id,
    partner_secret: the partner's. organisation_id: the company's business id. language: FI, SE or EN, of error
    texts nobody reads. timeout: seconds without an answer; attempts: tries in one run.
    """

    base_url: str
    sender: str
    customer_id: str
    customer_secret: str = field(repr=False)
    partner_id: str
    partner_secret: str = field(repr=False)
    organisation_id: str
    language: str = "FI"
    timeout: float = 60.0
    attempts: int = 4

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From a recipient's `transport:` section; ValueError names the key that is wrong."""
        demand_known(config, set(cls.__dataclass_fields__))
        words = ("sender", "customer_id", "customer_secret", "partner_id", "partner_secret")
        for name in words:
            is_plain = _IN_A_HEADER.fullmatch(str(config.get(name) or "")) is not None
            demand(is_plain, f"{name}: missing, or not fit for a header")
        organisation = str(config.get("organisation_id") or "")
        demand(_ORGANISATION.fullmatch(organisation) is not None, "organisation_id: 1234567-8")
        demand(config.get("language", "FI") in ("FI", "SE", "EN"), "language: FI, SE or EN")
        given = {k: v for k, v in config.items() if v is not None}
        options = cls(**given | {name: str(config[name]) for name in (*words, "organisation_id")})
        options.http()
        return options

    def http(self) -> HttpSettings:
        """One try a call: a repeated one needs another transaction id."""
        demand(self.attempts >= 1, "attempts: at least one")
        return HttpSettings(self.base_url, attempts=1, read_timeout=self.timeout)


def headers(
    options: NetvisorOptions, url: str, transaction: str, moment: datetime
) -> dict[str, str]:
    """Who we are and that we hold both keys: HMAC-SHA-256 over the whole address and the rest, in Latin-1."""
    utc = moment.astimezone(UTC)
    stamp = f"{utc:%Y-%m-%d %H:%M:%S}.{utc.microsecond // 1000:03}"
    unix = str(int(utc.timestamp()))
    secret = (options.customer_secret, options.partner_secret)
    signed = (
        url, options.sender, options.customer_id, stamp, options.language, options.organisation_id,
        transaction, unix, *secret,
    )  # fmt: skip
    key, message = ("&".join(parts).encode("latin-1") for parts in (secret, signed))
    return {
        "Accept": "text/xml",
        "Content-Type": "text/plain",
        "X-Netvisor-Authentication-Sender": options.sender,
        "X-Netvisor-Authentication-CustomerId": options.customer_id,
        "X-Netvisor-Authentication-PartnerId": options.partner_id,
        "X-Netvisor-Authentication-Timestamp": stamp,
        "X-Netvisor-Authentication-TimestampUnix": unix,
        "X-Netvisor-Authentication-TransactionId": transaction,
        "X-Netvisor-Interface-Language": options.language,
        "X-Netvisor-Organisation-ID": options.organisation_id,
        "X-Netvisor-Authentication-UseHTTPResponseStatusCodes": "1",
        "X-Netvisor-Authentication-MACHashCalculationAlgorithm": "HMACSHA256",
        "X-Netvisor-Authentication-MAC": hmac.new(key, message, hashlib.sha256).hexdigest(),
    }


@dataclass(frozen=True, repr=False)
class Reply:
    """How a call was answered. code: Netvisor's word for a failure, or the status. key: of who was added."""

    kind: Literal["done", "row", "spent", "passing", "silent"]
    code: str = ""
    root: Element | None = None

    @property
    def key(self) -> str:
        added = None if self.root is None else self.root.find("replies/inserteddataidentifier")
        return "" if added is None else (added.text or "").strip()


class Service:
    """The calls of one session; each is signed for itself."""

    def __init__(
        self,
        http: Http,
        options: NetvisorOptions,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
    ) -> None:
        self._http = http
        self._options = options
        self._clock = clock
        self.sleep = sleep
        self.attempts = options.attempts

    def keys(self, numbers: Iterable[str]) -> dict[str, str]:
        """Our customer number → Netvisor's key, of those it holds; at most 100 numbers."""
        wanted = sorted(set(numbers))
        root = self.ask(f"customerlist.nv?customercodelist={','.join(wanted)}")
        listed = [customer.elements_of(one) for one in root.iterfind("customerlist/customer")]
        found = [(one.get("code", ""), one.get("netvisorkey", "")) for one in listed]
        keys = {code: key for code, key in found if code in wanted}
        if any(not key.isdecimal() for key in keys.values()):
            raise Malformed("customerlist: a customer without a Netvisor key")
        if len(keys) < sum(code in wanted for code, _ in found):
            raise Refused("Netvisor holds a customer number twice: somebody has to join them there")
        return keys

    def stands(self, document: Document, keys: dict[str, str]) -> bool:
        """Whether the customer there is as the document says; renews its key in `keys`."""
        number = document.customer_number
        keys.pop(number, None)
        keys |= self.keys([number])
        if number not in keys:
            return False
        root = self.ask(f"getcustomer.nv?id={keys[number]}")
        there = [customer.elements_of(one) for one in root.iter("customer")]
        return any(
            one.get("internalidentifier") == number and customer.stands(document, one)
            for one in there
        )

    def ask(self, path: str) -> Element:
        """A question that changes nothing, repeated while Netvisor is out of order; the answer's root."""
        for attempt in range(1, self.attempts + 1):
            try:
                reply = self._call("GET", path, secrets.token_hex(16))
            except Unavailable:
                if attempt == self.attempts:
                    raise
                reply = Reply("passing")
            if reply.root is not None and reply.kind == "done":
                return reply.root
            if reply.kind == "row":
                raise Refused(f"{path.partition('?')[0]}: {reply.code}")
            if attempt < self.attempts:
                self.wait(attempt)
        raise Unavailable(f"{path.partition('?')[0]}: {reply.code}, {self.attempts} times")

    def tell(self, document: Document, key: str | None, transaction: str) -> Reply:
        """Add a customer, or edit the one with a key."""
        path = f"customer.nv?method=edit&id={key}" if key else "customer.nv?method=add"
        try:
            return self._call("POST", path, transaction, document.body)
        except OutcomeUnknown:
            return Reply("silent")

    def wait(self, attempt: int) -> None:
        """Twice as long each time."""
        self.sleep(_FIRST_WAIT * 2.0 ** (attempt - 1))

    def _call(self, method: str, path: str, transaction: str, body: bytes | None = None) -> Reply:
        url = f"{self._options.base_url.rstrip('/')}/{path}"
        signed = headers(self._options, url, transaction, self._clock())
        answer = self._http.request(method, path, data=body, headers=signed, any_status=True)
        return _understood(answer)


def _understood(answer: Answer) -> Reply:
    """An answer that can't be read counts by its status alone."""
    try:
        root = customer.read(answer.body)
    except Malformed:
        root = None
    said = (
        []
        if root is None
        else [(s.text or "").strip() for s in root.iterfind("responsestatus/status")]
    )
    if said == ["OK"] and answer.status < 400:
        return Reply("done", root=root)
    code = said[1].partition("::")[0].strip() if said[:1] == ["FAILED"] and len(said) == 2 else ""
    if code in _OF_THE_ROW:
        return Reply("row", code)
    if code == _NOT_UNIQUE:
        return Reply("spent", code)
    if code in _PASSING or (not code and (answer.status >= 500 or answer.status == 429)):
        return Reply("passing", code or f"answered {answer.status}")
    if not code and answer.status < 400:
        return Reply("silent", "an answer that can't be read")
    if code == _WHO or answer.status == 401:
        raise NotRecognised(f"{answer.place}: {code or answer.status}: keys or ids not accepted")
    what = code if _CODE.fullmatch(code) else f"answered {answer.status} without a known code"
    raise Refused(f"{answer.place}: {what}")
