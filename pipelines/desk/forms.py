"""Forms that nobody else can fill in: tokens for them, and reading what was sent.

Belongs here: what proves that a form came from our page, to this person, for this act, lately, once. Does not belong
here: any act.
"""

import hashlib
import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import Literal
from urllib.parse import parse_qsl

LARGEST = 64 * 1024
_MAX_AGE = 2 * 3600
_REMEMBERED = 10_000
_FIELDS = 120  # of a whole record that is corrected

Wrong = Literal["missing", "wrong", "old", "used", "unreadable"]


class FormRefused(Exception):
    """A form that is not acted on; `str()` is why, one of `Wrong`."""

    def __init__(self, why: Wrong) -> None:
        super().__init__(why)
        self.why = why


class Tokens:
    """Hands tokens out and takes them back; the key lives and dies with the process.

    A token binds a person, an act, a moment, and, where facts are given, what was shown before the act: what is
    confirmed is what was previewed.
    """

    def __init__(self, key: bytes, clock: Callable[[], datetime]) -> None:
        self._key = key
        self._clock = clock
        self._used: OrderedDict[str, None] = OrderedDict()
        self._lock = Lock()

    def give(self, login: str, act: str, facts: Mapping[str, str] | None = None) -> str:
        """A token for one form."""
        seconds, nonce = int(self._clock().timestamp()), secrets.token_urlsafe(12)
        return f"{seconds}.{nonce}.{self._mac(seconds, nonce, login, act, facts)}"

    def take(
        self,
        token: str | None,
        login: str,
        act: str,
        facts: Mapping[str, str] | None = None,
        *,
        once: bool = False,
    ) -> None:
        """Raises FormRefused unless the token is ours, for this, and no older than two hours.

        once: an act; the same form sent again does nothing.
        """
        if not token:
            raise FormRefused("missing")
        seconds, _, rest = token.partition(".")
        nonce, _, mac = rest.partition(".")
        if not seconds.isdigit() or len(seconds) > 12:
            raise FormRefused("wrong")
        due = self._mac(int(seconds), nonce, login, act, facts)
        if not hmac.compare_digest(due.encode(), mac.encode("utf-8", "replace")):
            raise FormRefused("wrong")
        if not 0 <= self._clock().timestamp() - int(seconds) <= _MAX_AGE:
            raise FormRefused("old")
        if once:
            with self._lock:
                if nonce in self._used:
                    raise FormRefused("used")
                self._used[nonce] = None
                while len(self._used) > _REMEMBERED:
                    self._used.popitem(last=False)

    def _mac(
        self, seconds: int, nonce: str, login: str, act: str, facts: Mapping[str, str] | None
    ) -> str:
        said = json.dumps([seconds, nonce, login, act, sorted((facts or {}).items())])
        return hmac.new(self._key, said.encode(), hashlib.sha256).hexdigest()


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form as a browser sends it; each name once. Raises FormRefused."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise FormRefused("unreadable")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body),
            encoding="utf-8", errors="strict", max_num_fields=_FIELDS,
        )  # fmt: skip
    except ValueError:
        raise FormRefused("unreadable") from None
    read = {name: value.strip() for name, value in pairs}
    if len(read) != len(pairs) or any("\0" in value for value in read.values()):
        raise FormRefused("unreadable")
    return read
