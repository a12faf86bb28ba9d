"""`config/` and the environment as frozen, typed objects; an error names the file, the key, what it has to be.

Belongs here: which file wins, what the environment overrides, secrets by reference, `hub.yml`. Does not
belong here: the shape of the other files (`contracts`, `notice`), whether they agree (`breaches`), opening
anything (`house`).

Which file wins: `HOME/config/PATH` replaces the shipped file of that name whole. Shipped is `config/` in a
checkout and `pipelines/_config` in a wheel.

The environment overrides any value but the notice's, two underscores going one level down:

    HUB_LANGUAGE=sv  HUB_LETTER__SMTP__HOST=…        keys of hub.yml
    HUB_SOURCES__DVV__BASE_URL=…                     config/sources/dvv.yml
    HUB_RECIPIENTS__FINANCE__TRANSPORT__FOLDER__PASSWORD=…
    HUB_SURVIVORSHIP__MARGIN_DAYS=30                 config/survivorship.yml (and so matching.yml)

Text, numbers and true/false as they are; lists and mappings as JSON. A secret is written in no file: it
comes from the environment so, or by `{env: NAME}` or `{file: PATH}` (relative to HOME).
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import Field, JsonValue, ValidationError, field_validator, model_validator

import pipelines
from pipelines.contracts import Declared, RecipientContract, SourceConfig, Text
from pipelines.notice import Notice
from pipelines.roster import Desk, Roster
from pipelines.strict_yaml import ConfigError, read_yaml

if TYPE_CHECKING:
    from pipelines.domain.resolution import Policy as MatchingPolicy
    from pipelines.domain.survivorship import Policy

__all__ = [
    "ConfigError",
    "Desk",
    "Hub",
    "RecipientContract",
    "Settings",
    "SourceConfig",
    "is_secret",
    "load_settings",
    "read_yaml",
    "shipped",
    "site_files",
]

PREFIX = "HUB_"
# Variables of the hub that are no keys of a file.
RESERVED = frozenset(
    {"HUB_HOME", "HUB_USER", "HUB_TRACEBACK", "HUB_PERSON_KEY", "HUB_LOG_KEY", "HUB_DETAILS_KEY"}
)
_SECRETS = frozenset({"password", "passphrase", "secret", "token", "api_key"})
_FOLDERS = ("sources", "recipients", "alternatives")
# Beside secrets, what may be given by reference because it differs from machine to machine.
_REFERABLE = {"base_url", "client", "client_id", "database_url", "host", "host_keys", "username"}
_URL_WITH_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")

_Model = TypeVar("_Model", bound=Declared)


class Smtp(Declared):
    """The mail server of the morning letter."""

    host: Text
    port: int = Field(default=587, ge=1, le=65535)
    starttls: bool = True
    username: Text | None = None
    password: str | None = Field(default=None, repr=False)


class Letter(Declared):
    """Who reads in the morning how the night went. Without smtp it is written to HOME only."""

    sender: Text | None = None
    to: tuple[Text, ...] = ()
    smtp: Smtp | None = None


class DisclosureLog(Declared):
    """name: what the log is called in its checkpoints, a domain of one's own; it never changes."""

    name: Annotated[Text, Field(pattern=r"^[^\s+]+$")] = "register-hub.example/disclosures"


class Witness(Declared):
    """Somebody outside who is shown where the disclosure log stands: by mail, or in a folder (PRIVACY §2.8).

    mail: an address; smtp: unless it is the letter's. folder: as in a recipient's file. vkey: the key it
    cosigns with, if it does.
    """

    mail: Text | None = None
    smtp: Smtp | None = None
    folder: Mapping[str, JsonValue] | None = Field(default=None, repr=False)
    vkey: Text | None = None

    @model_validator(mode="after")
    def _is_reached_one_way(self) -> "Witness":
        if (self.mail is None) == (self.folder is None):
            raise ValueError("either mail or folder")
        return self


class Refresh(Declared):
    """Seconds a refresh waits for the services' answers, all asked at once, and for another run to end."""

    patience_seconds: float = Field(default=5, gt=0, le=60)
    wait_seconds: float = Field(default=30, ge=0, le=300)


class Hub(Declared):
    """`hub.yml`.

    database_url: `sqlite:///PATH` or `postgresql+psycopg://…`. key_file: the pseudonymisation key.
    user_from: variables that name the acting steward, the first one set counts (R50).
    """

    language: Literal["fi", "sv", "en"] = "fi"
    timezone: Text = "Europe/Helsinki"
    allow_test_identities: bool = False
    database_url: str = Field(repr=False)
    key_file: Path
    user_from: tuple[Text, ...] = ("HUB_USER", "SUDO_USER", "LOGNAME", "USER")
    letter: Letter = Letter()
    refresh: Refresh = Refresh()
    log: DisclosureLog = DisclosureLog()
    witnesses: Mapping[Annotated[str, Field(pattern="^[a-z0-9_]+$")], Witness] = Field(
        default_factory=dict
    )
    desk: Desk = Desk()

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("a time zone of the IANA list") from None
        return name

    @field_validator("database_url")
    @classmethod
    def _names_its_driver(cls, url: str) -> str:
        if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
            raise ValueError("sqlite:///PATH or postgresql+psycopg://…")
        return url

    @model_validator(mode="after")
    def _lets_nobody_pick_a_name_among_real_people(self) -> "Hub":
        if self.desk.demo and not self.allow_test_identities:
            raise ValueError("desk.demo: only where allow_test_identities is true: made-up people")
        return self


class Survivorship(Declared):
    """`survivorship.yml`, as `domain.survivorship.Policy` has it (DESIGN 9)."""

    own_notice: tuple[Text, ...]
    update_services: tuple[Text, ...]
    margin_days: int = Field(ge=0)
    order: tuple[Text, ...]
    address_order: tuple[Text, ...]
    death_authority: tuple[Text, ...]
    death_hearsay: tuple[Text, ...] = ()
    point_owners: Mapping[Text, tuple[Text, ...]]
    role_owners: Mapping[Text, tuple[Text, ...]]


class Matching(Declared):
    """`matching.yml`: `domain.resolution.Policy`, and how long a question may wait."""

    leaked_per_million: float = Field(gt=0, le=100_000)
    queued_per_hundred: float = Field(ge=0)
    queued_at_least: int = Field(ge=0)
    least_worth_asking: float = Field(gt=0, lt=1)
    answered_within_days: int = Field(ge=1)


@dataclass(frozen=True)
class Settings:
    """Everything the configuration says.

    sources and recipients: by name, those without an address too (`configured` is false).
    origins: path below `config/` → the file that won. user: the acting steward, if anybody is named.
    overridden: variables that changed a value; unknown_variables: HUB_… that mean nothing here.
    """

    home: Path
    hub: Hub
    notice: Notice
    sources: Mapping[str, SourceConfig]
    recipients: Mapping[str, RecipientContract]
    survivorship_rules: Survivorship
    matching: Matching
    roster: Roster
    origins: Mapping[str, Path]
    user: str | None = None
    overridden: tuple[str, ...] = ()
    unknown_variables: tuple[str, ...] = ()

    @cached_property
    def survivorship(self) -> "Policy":
        """The rules as the domain takes them; imports pandas, so only those who need it pay."""
        from pipelines.domain.survivorship import Policy

        return Policy(**self.survivorship_rules.model_dump())

    @cached_property
    def matching_policy(self) -> "MatchingPolicy":
        """What matching may risk and ask, as the domain takes it."""
        from pipelines.domain.resolution import Policy

        return Policy(**self.matching.model_dump(exclude={"answered_within_days"}))


def shipped(path: str = ".") -> Path:
    """A file of the configuration that comes with the hub; path is relative to `config/`."""
    package = Path(pipelines.__file__).parent
    packed = package / "_config"
    return (packed if packed.is_dir() else package.parent / "config") / path


def site_files() -> list[str]:
    """Every shipped file that a site may replace, or put in place of another, as paths below `config/`."""
    root = shipped()
    patterns = ("*.yml", *(f"{f}/*.yml" for f in _FOLDERS), "dagster/dagster.yaml")
    found = {p.relative_to(root).as_posix() for pattern in patterns for p in root.glob(pattern)}
    return sorted(found - {"texts.yml"})  # wording, the same at every site


def load_settings(home: Path, environ: Mapping[str, str]) -> Settings:
    """The configuration of the hub in `home` under `environ`; raises ConfigError, and touches nothing."""
    home = home.absolute()
    files = _Files(home, environ, _Variables(environ))
    notice = files.model("notice.yml", Notice, {})
    hub = files.model(
        "hub.yml",
        Hub,
        {"database_url": f"sqlite:///{home / 'hub.db'}", "key_file": "keys/person.key"},
    )
    sources = {
        n: files.named(f"sources/{n}.yml", SourceConfig, "name", n) for n in files.names("sources")
    }
    recipients = {
        n: files.named(f"recipients/{n}.yml", RecipientContract, "recipient", n)
        for n in files.names("recipients")
    }
    return Settings(
        home=home,
        hub=hub.model_copy(update={"key_file": home / hub.key_file}),
        notice=notice,
        sources=MappingProxyType(sources),
        recipients=MappingProxyType(recipients),
        survivorship_rules=files.model("survivorship.yml", Survivorship, {}),
        matching=files.model("matching.yml", Matching, {}),
        roster=files.model("roster.yml", Roster, {}),
        origins=MappingProxyType(files.origins),
        user=next((environ[v] for v in hub.user_from if environ.get(v)), None),
        overridden=tuple(sorted(files.variables.used)),
        unknown_variables=files.variables.unknown(),
    )


class _Files:
    """The files of one hub, each read once and remembered with its origin."""

    def __init__(self, home: Path, environ: Mapping[str, str], variables: "_Variables") -> None:
        self.home = home
        self.environ = environ
        self.variables = variables
        self.origins: dict[str, Path] = {}

    def names(self, folder: str) -> list[str]:
        """The names of a folder's files, the site's and the shipped ones."""
        found = {
            p.stem
            for root in (self.home / "config", shipped())
            for p in (root / folder).glob("*.yml")
        }
        self.variables.require_known(folder, found)
        return sorted(found)

    def named(self, path: str, kind: type[_Model], key: str, name: str) -> _Model:
        """A file that has to carry its own name under `key`."""
        made = self.model(path, kind, {})
        if getattr(made, key) != name:
            raise ConfigError(str(self.origins[path]), key, f"{name}, as the file is called")
        return made

    def model(self, path: str, kind: type[_Model], defaults: Mapping[str, str]) -> _Model:
        """One file as an object; defaults stand where the file says nothing."""
        site = self.home / "config" / path
        origin = self.origins[path] = site if site.is_file() else shipped(path)
        tree = read_yaml(origin)
        _refuse_secrets(origin, tree)
        self.variables.override(path, tree)
        tree |= {k: v for k, v in defaults.items() if tree.get(k) is None}
        missing: list[tuple[str, str]] = []
        tree = {k: self._resolved(k, v, (k,), missing) for k, v in tree.items()}
        try:
            made = kind.model_validate(tree)
        except ValidationError as error:
            raise self._explained(path, error) from None
        if missing and getattr(made, "configured", True):
            raise ConfigError(str(origin), *missing[0])
        return made

    def _resolved(
        self, key: str, value: Any, where: tuple[str, ...], missing: list[tuple[str, str]]
    ) -> Any:
        """The value with references replaced; one that leads nowhere is None and noted as missing."""
        if (key in _REFERABLE or is_secret(key)) and _is_reference(value):
            ((how, what),) = value.items()
            self.variables.referred(what)
            found = self.environ.get(what) if how == "env" else self._read_reference(what, where)
            if found is None:
                expected = f"the variable {what} to be set" if how == "env" else f"a file {what}"
                missing.append((".".join(where), expected))
            return found
        if isinstance(value, dict):
            return {k: self._resolved(k, v, (*where, k), missing) for k, v in value.items()}
        return value

    def _read_reference(self, what: str, where: tuple[str, ...]) -> str | None:
        try:
            return (self.home / what).read_text("utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError):
            raise ConfigError(what, ".".join(where), "a text file that can be read") from None

    def _explained(self, path: str, error: ValidationError) -> ConfigError:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = tuple(str(part) for part in first["loc"])
        expected = {
            "missing": "a value: the key is missing",
            "extra_forbidden": "no key of this name",
        }.get(first["type"]) or re.sub(r"^(Value error, |Input )(should be )?", "", first["msg"])
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        variable = self.variables.behind(path, where)
        if variable is not None:
            return ConfigError("environment", variable, expected + more)
        return ConfigError(str(self.origins[path]), ".".join(where) or "file", expected + more)


class _Variables:
    """What the environment overrides, by file."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._by_file: dict[str, dict[tuple[str, ...], tuple[str, str]]] = {}
        self._unknown: list[str] = []
        self._referred: set[str] = set()
        self.used: set[str] = set()
        for variable in sorted(environ):
            if variable.startswith(PREFIX) and variable not in RESERVED:
                self._place(variable, environ[variable])

    def _place(self, variable: str, text: str) -> None:
        first, *rest = variable.removeprefix(PREFIX).lower().split("__")
        if first in ("sources", "recipients") and len(rest) > 1:
            file, where = f"{first}/{rest[0]}.yml", tuple(rest[1:])
        elif first in ("survivorship", "matching") and rest:
            file, where = f"{first}.yml", tuple(rest)
        elif first in Hub.model_fields:
            file, where = "hub.yml", (first, *rest)
        elif first == "notice":
            raise ConfigError(
                "environment", variable, "nothing: the notice is changed in its file only"
            )
        else:
            self._unknown.append(variable)
            return
        self._by_file.setdefault(file, {})[where] = (variable, text)

    def referred(self, variable: str) -> None:
        """A file names this variable, so it is not unknown."""
        self._referred.add(variable)

    def unknown(self) -> tuple[str, ...]:
        """Variables that look like ours and name nothing: a typing error, or somebody else's."""
        named = self._referred
        return tuple(v for v in self._unknown if v not in named and not v.startswith("HUB_TEST_"))

    def require_known(self, folder: str, names: set[str]) -> None:
        """Raises ConfigError when a variable speaks of a source or recipient there is no file of."""
        for file, values in self._by_file.items():
            if file.startswith(f"{folder}/") and Path(file).stem not in names:
                variable = next(iter(values.values()))[0]
                raise ConfigError(
                    "environment", variable, f"one of {folder}: {', '.join(sorted(names))}"
                )

    def override(self, file: str, tree: dict[str, Any]) -> None:
        """Put the file's variables into its tree."""
        for where, (variable, text) in self._by_file.get(file, {}).items():
            here = tree
            for step in where[:-1]:
                if here.get(step) is None:
                    here[step] = {}
                if not isinstance(here[step], dict):
                    raise ConfigError("environment", variable, f"no level below {step}")
                here = here[step]
            last = where[-1]
            as_it_is = last in _REFERABLE or is_secret(last)
            here[last] = text if as_it_is else _typed(variable, text, here.get(last))
            self.used.add(variable)

    def behind(self, file: str, where: tuple[str, ...]) -> str | None:
        """The variable that gave the value at `where`, if one did."""
        values = self._by_file.get(file, {})
        return next((v for path, (v, _) in values.items() if where[: len(path)] == path), None)


def _typed(variable: str, text: str, replaced: object) -> object:
    """A variable's text as the kind of value it replaces."""
    if isinstance(replaced, (list, dict)) or text[:1] in ("[", "{"):
        try:
            return json.loads(text)
        except ValueError:
            raise ConfigError("environment", variable, "valid JSON") from None
    if isinstance(replaced, (bool, int, float)) and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if isinstance(replaced, (int, float)) and re.fullmatch(r"-?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    return text


def _is_reference(value: object) -> bool:
    return (
        isinstance(value, dict)
        and len(value) == 1
        and all(k in ("env", "file") and isinstance(v, str) for k, v in value.items())
    )


def is_secret(key: str) -> bool:
    """Whether a key of this name holds a secret, which is written in no file."""
    return key in _SECRETS or key.rpartition("_")[2] in _SECRETS


def _refuse_secrets(origin: Path, tree: Mapping[str, Any]) -> None:
    for where, value in _leaves(tree, ()):
        if is_secret(where[-1]) and value not in (None, "") and not _is_reference(value):
            expected = "{env: NAME} or {file: PATH}; a secret stands in no configuration file"
            raise ConfigError(str(origin), ".".join(where), expected)
        if isinstance(value, str) and _URL_WITH_PASSWORD.search(value):
            expected = "an address without a password, or {env: NAME} or {file: PATH}"
            raise ConfigError(str(origin), ".".join(where), expected)


def _leaves(
    part: Mapping[str, Any], where: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in part.items():
        if isinstance(value, dict) and not _is_reference(value):
            yield from _leaves(value, (*where, key))
        else:
            yield (*where, key), value
