"""The hub opened: settings, keys, store and counterparties put together once, for Dagster and the command line.

Belongs here: which class speaks for which `connector:` of the configuration, and opening or closing what
they need. Does not belong here: Dagster (`resources`), what is done with it (`steps`).
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from connectors.base import Lender, NobodyLends, Only, Opening, Recipient, Source
from pipelines.keys import HubKeys
from pipelines.settings import ConfigError, Settings, SourceConfig, load_settings
from pipelines.steps.night import HELSINKI, Night, nothing_happens
from pipelines.store.engine import open_engine, require_current_schema, transaction
from pipelines.store.lock import RunLock
from pipelines.store.nights import fact, put_fact

Opener = Callable[[Opening], Source]


def system_clock() -> datetime:
    """The machine's clock; the only place that reads it."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock argument


@dataclass
class House:
    """One hub: where it lives, what it is told, and the doors to the outside.

    failures: what broke off in this run, place and one line, for whoever started it.
    sources, recipients: when given, used instead of the configured connectors (tests, other transports);
    a source may be given as what makes one of an `Opening`, as a connector's `connect` does.
    """

    home: Path
    settings: Settings
    engine: Engine
    environ: Mapping[str, str]
    clock: Callable[[], datetime] = system_clock
    sources: Mapping[str, Source | Opener] | None = None
    recipients: Mapping[str, Recipient] | None = None
    reached: Callable[[str], None] = field(default=nothing_happens, repr=False)
    failures: list[tuple[str, str]] = field(default_factory=list)

    @cached_property
    def keys(self) -> HubKeys:
        """The pseudonymisation key, checked against the store's fingerprint (DESIGN 2)."""
        keys = HubKeys.load(self.home, self.environ, self.settings.hub.key_file)
        with transaction(self.engine) as conn:
            stored = fact(conn, "key_fingerprint")
            if stored is None:
                put_fact(conn, "key_fingerprint", keys.fingerprint)
            else:
                keys.check(stored)
        return keys

    @cached_property
    def lock(self) -> RunLock:
        return RunLock(self.engine, self.home)

    def today(self) -> str:
        """Today's business date in Helsinki."""
        return self.clock().astimezone(ZoneInfo(HELSINKI.key)).date().isoformat()

    def night(self, business_date: str | None = None, *, full: bool = False) -> Night:
        """What the steps of one night share."""
        return Night(
            engine=self.engine,
            settings=self.settings,
            business_date=business_date or self.today(),
            clock=self.clock,
            full=full,
            reached=self.reached,
        )

    def source(
        self,
        name: str,
        customers: frozenset[str] | None = None,
        patience: float | None = None,
    ) -> Source:
        """The register we hear from under that name: `connect` of the module its connector is called by.

        customers: the own register's numbers of the only ones it may be asked about. patience: seconds a
        person waits for it (`base.Opening`).
        """
        given = (self.sources or {}).get(name)
        if given is not None and not callable(given):
            return given
        config = self.settings.sources[name]
        lender = self._lender(name, config)
        opening = Opening(
            tokens=self.keys,
            lender=lender if customers is None else Only(lender, customers),
            today=self.today,
            allow_test_identities=self.settings.hub.allow_test_identities,
            patience=patience,
        )
        if given is not None:
            return given(opening)
        with _option_errors(f"sources/{name}.yml"):
            module = import_module(f"connectors.sources.{config.connector}")
            opened: Source = module.connect(config.options, opening)
            return opened

    def _lender(self, name: str, config: SourceConfig) -> Lender:
        """The source that lends our customers to another for one call (DESIGN 2)."""
        if config.borrow_from is None:
            return NobodyLends()
        lender: object = self.source(config.borrow_from)
        if not isinstance(lender, Lender):
            raise ConfigError(
                f"sources/{name}.yml", "borrow_from", "a source that holds our customers"
            )
        return lender

    def recipient(self, name: str) -> Recipient:
        """The one we tell under that name: `connect` of the module its connector is called by."""
        if self.recipients is not None and name in self.recipients:
            return self.recipients[name]
        transport = self.settings.recipients[name].transport
        with _option_errors(f"recipients/{name}.yml"):
            module = import_module(f"connectors.recipients.{transport.connector}")
            opened: Recipient = module.connect(transport.options, self.clock)
            return opened

    def close(self) -> None:
        """Give the lock and the connections back."""
        self.lock.release()
        self.engine.dispose()


@contextmanager
def _option_errors(file: str) -> Iterator[None]:
    """A connector's word that its options can't be used, with the file they stand in."""
    try:
        yield
    except (ValueError, TypeError) as wrong:
        raise ConfigError(file, "options", str(wrong)) from None


def open_house(
    home: Path,
    environ: Mapping[str, str] = os.environ,
    *,
    clock: Callable[[], datetime] = system_clock,
    sources: Mapping[str, Source | Opener] | None = None,
    recipients: Mapping[str, Recipient] | None = None,
    reached: Callable[[str], None] = nothing_happens,
) -> House:
    """Open the hub in `home`; a store with an old schema is refused (`hub migrate` brings it up)."""
    settings = load_settings(home, environ)
    engine = open_engine(settings.hub.database_url)
    require_current_schema(engine)
    return House(home, settings, engine, environ, clock, sources, recipients, reached)
