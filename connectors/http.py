"""The one way connectors speak HTTP: time limits, bounded repeats, verified TLS, texts without values.

Belongs here: transport, and turning whatever goes wrong in it into the error tree of `base`. Does not
belong here: what a service means by its answers; files and SFTP.

Exception texts and log lines name method, host, the first part of the path, status and counts: never a
query string, a header or a body. Exceptions carry no cause and no context, whose texts would.
"""

import json
import logging
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.auth import HTTPBasicAuth

from connectors.base import (
    ConnectorError,
    Malformed,
    NotRecognised,
    OutcomeUnknown,
    Refused,
    Unavailable,
)

_LOG = logging.getLogger(__name__)
_PASSING = frozenset({429, 500, 502, 503, 504})
_DECLINED = frozenset({429, 503})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_PIECE = 64 * 1024


@dataclass(frozen=True)
class HttpSettings:
    """How to reach one service. Times in seconds, sizes in bytes, files as paths.

    base_url: https, or http to this machine only; no user name in it. headers: sent with every request.
    ca_file: bundle to trust instead of the shipped one. proxy: the only proxy ever used (the
    environment is not read). attempts: tries in all; between them first_wait, doubled each time or as
    the service says in Retry-After, never more than longest_wait. max_bytes: of a decompressed answer.
    Raises ValueError for a setting that can't be used.
    """

    base_url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    proxy: str | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    attempts: int = 4
    first_wait: float = 2.0
    longest_wait: float = 60.0
    max_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError("base_url is not an http(s) address")
        if "@" in url.netloc or url.query or url.fragment:
            raise ValueError("base_url holds a user name, a query or a fragment")
        if url.scheme == "http" and not _is_this_machine(url.hostname):
            raise ValueError(f"plain http to {url.hostname} would show passwords; use https")
        if self.attempts < 1:
            raise ValueError("attempts is less than one")


@dataclass(frozen=True)
class Answer:
    """A whole answer, 2xx unless any other was asked for. place: how error texts name the call."""

    place: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> object:
        """The body as JSON; raises `Malformed`."""
        try:
            value: object = json.loads(self.body)
            return value
        except (ValueError, RecursionError):
            pass  # raising from here would hang the unreadable text on the error as its context
        raise Malformed(f"{self.place}: the answer is not JSON")


@dataclass(frozen=True)
class _Setback:
    """One failed attempt. again: repeating may help. sent: the service may have acted on it."""

    error: type[ConnectorError]
    text: str
    again: bool = False
    sent: bool = False
    wait: float | None = None


class _Session(requests.Session):
    """Follows nothing. allow_redirects=False alone still reads a redirect's body, of whatever size."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class Http:
    """A session with one service; closes with its `with` block. Not for several threads at once."""

    def __init__(self, settings: HttpSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        # urllib3 writes whole addresses, query string included, at levels up to WARNING.
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self._settings = settings
        self._sleep = sleep
        self._host = urlsplit(settings.base_url).netloc
        self._session = _Session()
        self._session.trust_env = False
        self._session.headers.update({"User-Agent": "register-hub", "Accept": "application/json"})
        self._session.headers.update(settings.headers)
        self._session.verify = str(settings.ca_file) if settings.ca_file else True
        cert, key = settings.client_cert, settings.client_key
        if cert:
            self._session.cert = (str(cert), str(key)) if key else str(cert)
        if settings.username:
            pair = (settings.username.encode(), settings.password.encode())
            self._session.auth = HTTPBasicAuth(*pair)
        if settings.proxy:
            self._session.proxies = {"http": settings.proxy, "https": settings.proxy}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        is_query: bool = False,
        any_status: bool = False,
    ) -> Answer:
        """One call under base_url, repeated within bounds where repeating can do no harm.

        path: relative, already quoted; its first part appears in texts, so it names no one. body: sent
        as JSON; data: sent as it is. is_query: a POST that only asks and may be repeated. any_status: 4xx
        and 5xx are answers too, of a service that says in their bodies what is the matter.

        429, 500, 502, 503, 504, broken connections and half answers are repeated, then `Unavailable`;
        if a call that may not be repeated could have been acted upon, `OutcomeUnknown`. `NotRecognised`:
        401. `Refused`: any other 4xx, any redirect, an untrusted certificate. `Malformed`: larger than
        max_bytes or not decompressible.
        """
        place = f"{method} {self._host}/{path.lstrip('/').split('/')[0].split('?')[0]}"
        sent_headers = dict(headers or {})
        if body is not None:
            data = json.dumps(body, ensure_ascii=False).encode()
            sent_headers.setdefault("Content-Type", "application/json")
        address = f"{self._settings.base_url.rstrip('/')}/{path.lstrip('/')}"
        call = partial(
            self._session.request,
            method,
            address,
            params=params,
            data=data,
            headers=sent_headers,
            timeout=(self._settings.connect_timeout, self._settings.read_timeout),
            allow_redirects=False,
            stream=True,
        )
        repeatable = is_query or method in _IDEMPOTENT
        attempts = self._settings.attempts if repeatable else 1
        attempt, outcome = 1, self._once(place, call, any_status)
        while isinstance(outcome, _Setback) and outcome.again and attempt < attempts:
            _LOG.info("%s %s; attempt %d of %d", place, outcome.text, attempt, attempts)
            self._sleep(self._wait(attempt, outcome.wait))
            attempt, outcome = attempt + 1, self._once(place, call, any_status)
        if isinstance(outcome, Answer):
            return outcome
        if outcome.sent and not repeatable:
            raise OutcomeUnknown(f"{place} {outcome.text}; it may have been carried out")
        times = f", {attempt} times" if attempt > 1 else ""
        raise outcome.error(f"{place} {outcome.text}{times}")

    def _wait(self, attempt: int, told: float | None) -> float:
        ours = self._settings.first_wait * 2.0 ** (attempt - 1)
        return min(ours if told is None else told, self._settings.longest_wait)

    def _once(
        self, place: str, call: Callable[[], requests.Response], any_status: bool
    ) -> Answer | _Setback:
        try:
            with call() as response:
                is_answer = 200 <= response.status_code < 300
                if not is_answer and not (any_status and response.status_code >= 400):
                    return _told_no(response)
                whole = _read(response, self._settings.max_bytes)
                if whole is None:
                    text = f"answered with more than {self._settings.max_bytes} bytes"
                    return _Setback(Malformed, text, sent=True)
                return Answer(place, response.status_code, response.headers, whole)
        except requests.RequestException as error:
            return _broke(error)
        except (OSError, urllib3.exceptions.HTTPError, ValueError):
            # Not the network: that comes as a RequestException. requests raises these bare for a
            # missing certificate file or an address it can't put together.
            return _Setback(Refused, "can't be called: address or certificate files are unusable")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(response: requests.Response, max_bytes: int) -> bytes | None:
    """The decompressed body, or None as soon as it grows past max_bytes."""
    whole = bytearray()
    for piece in response.iter_content(_PIECE):
        whole += piece
        if len(whole) > max_bytes:
            return None
    return bytes(whole)


def _told_no(response: requests.Response) -> _Setback:
    status = response.status_code
    if status in _PASSING:
        return _Setback(
            Unavailable,
            f"answered {status}",
            again=True,
            sent=status not in _DECLINED,
            wait=_retry_after(response.headers),
        )
    if 300 <= status < 400:
        return _Setback(Refused, f"answered {status}: sends us on to {_redirected(response)}")
    if status in (401, 403):
        error = NotRecognised if status == 401 else Refused
        return _Setback(error, f"answered {status}: credentials not accepted")
    if 400 <= status < 500:
        return _Setback(Refused, f"answered {status}")
    return _Setback(Unavailable, f"answered {status}", sent=True)


def _redirected(response: requests.Response) -> str:
    try:
        host = urlsplit(urljoin(response.url, response.headers.get("Location", ""))).hostname
    except ValueError:
        host = None
    plain = (
        host is not None and len(host) < 254 and host.replace("-", "").replace(".", "").isalnum()
    )
    return f"host {host}, which is not followed" if plain else "an address that can't be read"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the service asks us to wait. A date is measured from the answer's own Date header, so
    that no clock of ours has to agree with theirs."""
    told = headers.get("Retry-After", "").strip()
    if told.isascii() and told.isdigit():
        return float(told[:9])
    until, now = _http_date(told), _http_date(headers.get("Date", ""))
    if until is None or now is None:
        return None
    return max((until - now).total_seconds(), 0.0)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo else None


def _broke(error: requests.RequestException) -> _Setback:
    """What became of an attempt that brought no whole answer."""
    causes = list(_causes(error))
    if any(isinstance(c, ssl.SSLCertVerificationError) for c in causes):
        return _Setback(Refused, "shows a certificate that the trusted bundle does not vouch for")
    if any(isinstance(c, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) for c in causes):
        return _Setback(Unavailable, "broke the connection off", again=True, sent=True)
    if any(isinstance(c, (ssl.SSLError, requests.exceptions.SSLError)) for c in causes):
        return _Setback(Refused, "refuses the TLS handshake (is a client certificate missing?)")
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return _Setback(Malformed, "answered with a body that can't be decompressed", sent=True)
    if isinstance(error, ValueError):  # InvalidURL, InvalidHeader, InvalidSchema and their kin
        return _Setback(Refused, "can't be called: the address or a header is invalid")
    if isinstance(error, requests.ConnectTimeout):
        return _Setback(Unavailable, "timed out while connecting", again=True)
    late = (requests.Timeout, urllib3.exceptions.ReadTimeoutError)
    if any(isinstance(c, late) for c in causes):
        return _Setback(Unavailable, "timed out", again=True, sent=True)
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return _Setback(Unavailable, "broke its answer off half-way", again=True, sent=True)
    if any(isinstance(c, urllib3.exceptions.NewConnectionError) for c in causes):
        return _Setback(Unavailable, "can't be connected to", again=True)
    return _Setback(Unavailable, "broke the connection off", again=True, sent=True)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything wrapped in it: requests and urllib3 hide the reason in arguments."""
    waiting: list[object] = [error]
    met: set[int] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and id(one) not in met:
            met.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
