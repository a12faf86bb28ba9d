"""Who of our own people may sit at the desk: `config/roster.yml`, and `desk:` of `hub.yml` (PRIVACY R49, R50, R51).

Belongs here: the shape of both, and whether somebody of the roster may work on a given day. Does not belong here: how a
browser proves who sits before it (`desk.identity`).
"""

from collections.abc import Mapping
from datetime import date
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, IPvAnyNetwork, ValidationError, field_validator, model_validator

from pipelines.contracts import Declared, Text
from pipelines.strict_yaml import ConfigError, read_yaml

Role = Literal["steward", "officer", "operator"]
Bar = Literal["unknown", "no_commitment", "not_yet", "expired"]

# names that nobody answers to by their own name (R50: a personal login each)
_SHARED = frozenset({
    "admin", "administrator", "asiakaspalvelu", "customerservice", "guest", "hub", "info", "kassa", "kayttaja",
    "käyttäjä", "kundtjanst", "kundtjänst", "operator", "root", "service", "steward", "test", "testi", "user", "vesi",
})  # fmt: skip


class Desk(Declared):
    """The stewards' desk: who may say who sits there, and how that is proved (`desk.identity`).

    secret: shared with the proxy that asks for the login; without it, and outside a demo, there is no desk.
    trusted_proxy: addresses it calls from. header: where it writes the login; the signature is in the header of that
    name with `-Signature` after it, good for `max_age_seconds`. demo: made-up people only, no proxy: whoever reaches
    the page picks one of the roster.
    """

    trusted_proxy: tuple[IPvAnyNetwork, ...] = (
        IPv4Network("127.0.0.1/32"), IPv6Network("::1/128"),
    )  # fmt: skip
    header: Annotated[Text, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]*$")] = "X-Hub-User"
    secret: Annotated[str, Field(min_length=32)] | None = Field(default=None, repr=False)
    max_age_seconds: int = Field(default=60, ge=5, le=600)
    demo: bool = False

    @property
    def is_open(self) -> bool:
        return self.demo or self.secret is not None


class Commitment(Declared):
    """The secrecy commitment a person has signed: where the paper is, and since when (R49)."""

    reference: Text
    signed: date


class Member(Declared):
    """One person with a login of their own.

    until: the last day they may work here, which whoever works for a contractor must have (R51), with the agreement's
    reference. language: of their pages; the hub's own without.
    """

    login: Annotated[str, Field(pattern=r"^[a-z0-9åäö][a-z0-9åäö._@-]{1,63}$")]
    name: Text
    role: Role
    language: Literal["fi", "sv", "en"] | None = None
    commitment: Commitment | None = None
    agreement: Text | None = None
    until: date | None = None

    @field_validator("login")
    @classmethod
    def _is_somebodys_own(cls, login: str) -> str:
        if login.partition("@")[0] in _SHARED:
            raise ValueError("a person's own login, never one that is shared")
        return login

    @model_validator(mode="after")
    def _ends_with_its_agreement(self) -> "Member":
        if self.agreement and self.until is None:
            raise ValueError("until: the day on which a contractor's access ends")
        return self

    def bar(self, today: str) -> Bar | None:
        """What keeps this person from the desk on a day (ISO); None when nothing does."""
        if self.commitment is None:
            return "no_commitment"
        if self.commitment.signed.isoformat() > today:
            return "not_yet"
        if self.until is not None and self.until.isoformat() < today:
            return "expired"
        return None


class Roster(Declared):
    """`roster.yml`."""

    people: tuple[Member, ...] = ()

    @model_validator(mode="after")
    def _names_each_once(self) -> "Roster":
        logins = [member.login for member in self.people]
        if len(set(logins)) != len(logins):
            raise ValueError("each login once")
        return self

    @property
    def by_login(self) -> Mapping[str, Member]:
        return {member.login: member for member in self.people}


def read_roster(path: Path) -> Roster:
    """The roster in a file; raises ConfigError, which names the key and never a person."""
    try:
        return Roster.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "people"
        raise ConfigError(str(path), where, first["msg"].removeprefix("Value error, ")) from None
