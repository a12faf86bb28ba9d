"""Who sits at the desk: a login the proxy has signed, held against the roster (PRIVACY R49–R51).

Belongs here: the proof, and what is wrong with one. Does not belong here: the roster's file (`pipelines.roster`),
pages, cookies of a login of our own: there is none; the proxy has the passwords.

The proxy takes both headers out of what it is sent and writes its own: the login, and

    t=SECONDS,v=HEX    HMAC-SHA-256 by the shared secret of: SECONDS, method, path, login, a line feed between two

so that a signature that was seen is good for one page, and for a minute.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Literal

from starlette.datastructures import Headers

from pipelines.roster import Bar, Member
from pipelines.settings import Desk

# untrusted: not from the proxy, or not as it signs; stale: signed too long ago (or a clock that is wrong)
Refusal = Literal["untrusted", "stale"] | Bar
_SIGNATURE = re.compile(r"t=(\d{1,12}),v=([0-9a-f]{64})")
_DEMO = "register-hub demo"


@dataclass(frozen=True)
class Asked:
    """What of a request says who asks. peer: the address it comes from; none over a socket without one."""

    method: str
    path: str
    peer: str | None
    headers: Headers


def signature(secret: str, seconds: int, method: str, path: str, login: str) -> str:
    """The proxy's signature header for one request."""
    said = "\n".join((str(seconds), method, path, login)).encode()
    return f"t={seconds},v={hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()}"


class TurnedAway(Exception):
    """Somebody who does not sit down; `why` says why, and login whom the proxy or the roster knows them as."""

    def __init__(self, why: Refusal, login: str | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.login = login


def who_sits(
    desk: Desk, roster: Mapping[str, Member], asked: Asked, now: datetime, today: str
) -> Member:
    """The person the proxy speaks of, if it does and they may work today (ISO); raises TurnedAway.

    now: aware. Nothing of a header is believed before its signature was found good.
    """
    return on_roster(roster, _signed_login(desk, asked, now), today)


def on_roster(roster: Mapping[str, Member], login: str, today: str) -> Member:
    """The person of that login, if they may work today; raises TurnedAway."""
    member = roster.get(login)
    if member is None:
        raise TurnedAway("unknown", login)
    bar = member.bar(today)
    if bar is not None:
        raise TurnedAway(bar, login)
    return member


def _signed_login(desk: Desk, asked: Asked, now: datetime) -> str:
    login = asked.headers.getlist(desk.header)
    signed = asked.headers.getlist(f"{desk.header}-Signature")
    # twice the same header: somebody's own beside the proxy's
    if desk.secret is None or len(login) != 1 or len(signed) != 1 or not _is_trusted(desk, asked):
        raise TurnedAway("untrusted")
    found = _SIGNATURE.fullmatch(signed[0])
    if found is None:
        raise TurnedAway("untrusted")
    seconds, name = int(found[1]), _as_utf8(login[0])
    due = signature(desk.secret, seconds, asked.method, asked.path, name)
    if not hmac.compare_digest(due, signed[0]):
        raise TurnedAway("untrusted")
    if abs(now.timestamp() - seconds) > desk.max_age_seconds:
        raise TurnedAway("stale")
    return name


def _as_utf8(text: str) -> str:
    """A header as it was meant: HTTP reads it as latin-1, a proxy writes UTF-8 and signs that."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _is_trusted(desk: Desk, asked: Asked) -> bool:
    if asked.peer is None:
        return False
    try:
        peer = ip_address(asked.peer)
    except ValueError:
        return False
    return any(peer in network for network in desk.trusted_proxy)


# ---- a demo: made-up people on one's own machine, no proxy


def demo_pass(key: bytes, login: str) -> str:
    """What a browser shows of the person it picked; good while this process lives."""
    return f"{login}~{hmac.new(key, f'{_DEMO}~{login}'.encode(), hashlib.sha256).hexdigest()}"


def who_was_picked(key: bytes, shown: str | None) -> str | None:
    """The login a demo's visitor picked; none while they have picked nobody."""
    login = (shown or "").partition("~")[0]
    return login if shown and hmac.compare_digest(demo_pass(key, login), shown) else None


def is_this_machine(hosts: Sequence[str]) -> bool:
    """Whether a page was asked for by an address of this machine: no other name may be made to point here."""
    return (
        len(hosts) == 1
        and re.fullmatch(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?", hosts[0]) is not None
    )
