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

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from connectors.base import (
    Lender,
    NobodyLends,
    Only,
    Opening,
    Recipient,
    ReferenceSource,
    Source,
    Without,
    Witness,
)
from connectors.files import FolderOptions
from connectors.witnesses import Drop, Mailbox
from pipelines.domain.checkpoint import vkey
from pipelines.keys import DETAILS, LOG, NEXT, HubKeys, KeyMismatch, Place, read
from pipelines.settings import ConfigError, Settings, SourceConfig, load_settings
from pipelines.steps.allow_asking import barred
from pipelines.steps.night import HELSINKI, LogKeys, Night, instant, nothing_happens
from pipelines.store import checkpoints, disclosures
from pipelines.store.engine import open_engine, require_current_schema, transaction
from pipelines.store.lock import RunLock
from pipelines.store.nights import fact, put_fact
from pipelines.store.vault import Vault

Opener = Callable[[Opening], Source]


def system_clock() -> datetime:
    """The machine's clock; the only place that reads it."""
    return datetime.now(UTC)  # noqa: TID251 - this is the clock argument


@dataclass
class House:
    """One hub: where it lives, what it is told, and the doors to the outside.

    failures: what broke off in this run, place and one line, for whoever started it.
    sources, recipients: when given, used instead of the configured connectors (tests, other transports);
    a source may be given as what makes one of an `Opening`, as a connector's `connect` does. witnesses: the
    same for those who are shown checkpoints.
    """

    home: Path
    settings: Settings
    engine: Engine
    environ: Mapping[str, str]
    clock: Callable[[], datetime] = system_clock
    sources: Mapping[str, Source | Opener] | None = None
    recipients: Mapping[str, Recipient] | None = None
    witnesses: Mapping[str, Witness] | None = None
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
    def log_keys(self) -> LogKeys:
        """The keys of the disclosure log, checked against the store; raises KeysError.

        Details that an older hub wrote in clear are encrypted when they are first asked for.
        """
        vault = Vault(read(DETAILS, self.home, self.environ))
        name = self.log_name
        with transaction(self.engine) as conn:
            stored = fact(conn, "details_key_fingerprint")
            if stored is None:
                put_fact(conn, "details_key_fingerprint", vault.fingerprint)
            elif stored != vault.fingerprint:
                raise KeyMismatch(
                    "the details key is not the one the disclosure log is encrypted with: put the old "
                    "key back"
                )
            known = checkpoints.vkeys(conn)
            signing = self._signing_key(name, known[-1] if known else None)
            if not known:
                public = vkey(name, signing.public_key())
                checkpoints.add_key(conn, name, public, instant(self.clock()))
            disclosures.bring_over(conn, vault)
        return LogKeys(vault, name, signing)

    def _signing_key(self, name: str, expected: str | None) -> Ed25519PrivateKey:
        """The log's key, if it is the expected one; one that was minted to replace it takes its place."""
        signing = Ed25519PrivateKey.from_private_bytes(read(LOG, self.home, self.environ))
        if expected in (None, vkey(name, signing.public_key())):
            return signing
        fresh = self.home / f"{LOG.file}{NEXT}"
        if fresh.exists():
            successor = Ed25519PrivateKey.from_private_bytes(
                read(Place(LOG.name, "", fresh), self.home, {})
            )
            if vkey(name, successor.public_key()) == expected:
                os.replace(fresh, self.home / LOG.file)
                return successor
        raise KeyMismatch(
            "the log key is not the one that signs the disclosure log: put it back, or, if it is lost, "
            "run `hub keys rotate --lost`"
        )

    @cached_property
    def log_name(self) -> str:
        """What the log is called in every checkpoint, for good."""
        configured = self.settings.hub.log.name
        with transaction(self.engine) as conn:
            stored = fact(conn, "log_name")
            if stored is None:
                put_fact(conn, "log_name", configured)
        if stored not in (None, configured):
            raise ConfigError("hub.yml", "log.name", f"{stored}: a log's name never changes")
        return configured

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
            log_keys=lambda: self.log_keys,
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

    def reference(self, name: str) -> ReferenceSource:
        """Who hands out the reference data of that name; who is ours is no business of theirs."""
        config = self.settings.sources[name]
        with _option_errors(f"sources/{name}.yml"):
            module = import_module(f"connectors.sources.{config.connector}")
            opened: ReferenceSource = module.connect(
                config.options, Opening(self.keys, NobodyLends(), self.today)
            )
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
        with transaction(self.engine) as conn:
            kept_back = barred(conn, config, config.borrow_from)
        return Without(lender, kept_back) if kept_back else lender

    def recipient(self, name: str) -> Recipient:
        """The one we tell under that name: `connect` of the module its connector is called by."""
        if self.recipients is not None and name in self.recipients:
            return self.recipients[name]
        transport = self.settings.recipients[name].transport
        with _option_errors(f"recipients/{name}.yml"):
            module = import_module(f"connectors.recipients.{transport.connector}")
            opened: Recipient = module.connect(transport.options, self.clock)
            return opened

    def witness(self, name: str) -> Witness:
        """The one outside who is shown checkpoints under that name."""
        if self.witnesses is not None and name in self.witnesses:
            return self.witnesses[name]
        config, letter = self.settings.hub.witnesses[name], self.settings.hub.letter
        with _option_errors("hub.yml"):
            if config.folder is not None:
                return Drop(FolderOptions.from_mapping(config.folder))
            smtp = config.smtp or letter.smtp
            if smtp is None or config.mail is None:
                raise ValueError(f"witnesses.{name}: mail needs smtp, here or under letter")
            return Mailbox(config.mail, letter.sender or config.mail, **smtp.model_dump())

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
    return House(home, settings, engine, environ, clock, sources, recipients, reached=reached)
