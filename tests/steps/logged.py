"""A disclosure log and a recipient to tell, without a register behind them.

Belongs here: freezing as `prepare_extract` does, a recipient in memory, a night over both. Does not belong here:
what ought to be true (the tests), whole nights (`tests/journeys`).
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from connectors.base import Acknowledgement, Receipt
from pipelines.domain.checkpoint import vkey
from pipelines.domain.disclosure import leaf
from pipelines.settings import RecipientContract, load_settings
from pipelines.steps.deliver import deliver
from pipelines.steps.night import LogKeys, Night, StepResult, nothing_happens
from pipelines.store import checkpoints, deliveries, disclosures
from pipelines.store.engine import transaction
from pipelines.store.vault import Vault

NAME = "register-hub.example/disclosures"
VAULT = Vault(bytes(range(32)))
SIGNING = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
LIVE = {
    "HUB_RECIPIENTS__FINANCE__MODE": "live",
    "HUB_RECIPIENTS__FINANCE__ACKNOWLEDGEMENT__WAIT_SECONDS": "0",
}


@dataclass
class Inbox:
    """A recipient in memory. answers: whether it acknowledges; on_arrival: what happens while it is sent to."""

    answers: bool = True
    rejected: Mapping[int, str] = field(default_factory=dict)
    on_arrival: Callable[[], None] = lambda: None
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    def render(self, columns: object, rows: object) -> bytes:
        raise AssertionError("what is sent here was frozen before; nobody renders it again")

    def parse(self, payload: bytes) -> list[dict[str, str]]:
        raise AssertionError("what is sent here was frozen before; nobody reads it back")

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        assert delivery_id not in self.files, "sent twice"
        self.on_arrival()
        self.files[delivery_id] = (payload, rows)
        receipt = self.look(delivery_id, sequence)
        assert receipt is not None
        return receipt

    def look(self, delivery_id: str, sequence: int) -> Receipt | None:
        if delivery_id not in self.files:
            return None
        payload, _ = self.files[delivery_id]
        return Receipt(f"{delivery_id}.csv", len(payload), hashlib.sha256(payload).hexdigest())

    def acknowledgement(self, delivery_id: str, sequence: int) -> Acknowledgement | None:
        if not self.answers or delivery_id not in self.files:
            return None
        accepted = self.files[delivery_id][1] - len(self.rejected)
        return Acknowledgement(delivery_id, accepted, self.rejected, "2026-11-02T01:00:00Z")

    def check(self) -> str:
        return "in memory"


@dataclass
class Logged:
    """A hub of which only the log and the deliveries are used."""

    engine: Engine
    home: Path
    at: datetime = datetime(2026, 11, 2, 0, 30, tzinfo=UTC)
    environ: dict[str, str] = field(default_factory=lambda: dict(LIVE))
    reached: Callable[[str], None] = nothing_happens
    signing: Ed25519PrivateKey = SIGNING

    def __post_init__(self) -> None:
        with transaction(self.engine) as conn:
            if not checkpoints.vkeys(conn):
                checkpoints.add_key(conn, NAME, vkey(NAME, self.signing.public_key()), "2026")

    def night(self) -> Night:
        return Night(
            engine=self.engine,
            settings=load_settings(self.home, self.environ),
            business_date=self.at.date().isoformat(),
            clock=lambda: self.at,
            reached=lambda place: self.reached(place),
            log_keys=lambda: LogKeys(VAULT, NAME, self.signing),
        )

    @property
    def contract(self) -> RecipientContract:
        return self.night().settings.recipients["finance"]

    def ask(self, *keys: str) -> None:
        """A question to the population register about persons."""
        people = pd.DataFrame({"subject_key": keys, "fields": [["identity_code"]] * len(keys)})
        terms = {"to": "dvv", "operation": "muutokset", "purpose": "p", "basis": "contract"}
        with transaction(self.engine) as conn:
            disclosures.disclose(conn, VAULT, "lookup", people, terms, self.night().now())

    def freeze(self, *parties: int, street: str = "Katu 1") -> str:
        """A delivery to finance with a row for each party; its id."""
        night, contract = self.night(), self.contract
        rows = [
            {"event": "new", "customer_number": f"{party:06}", "street_line": street}
            for party in parties
        ]
        payload = repr(rows).encode()
        told = pd.DataFrame(
            {
                "row_key": [f"{party:06}-000001" for party in parties],
                "party_id": pd.array(parties, dtype="Int64"),
                "content": rows,
                "fields": [list(row) for row in rows],
            }
        )
        with transaction(self.engine) as conn:
            sequence = deliveries.next_sequence(conn, "finance")
            digest = hashlib.sha256(payload).hexdigest()
            name = VAULT.delivery_id("finance", sequence, digest)
            terms = {
                "to": "finance", "contract": f"finance@{contract.version}",
                "purpose": contract.purpose, "basis": contract.basis, "ground": contract.ground,
                "d": name, "notice": night.settings.notice.version,
            }  # fmt: skip
            salts = disclosures.disclose(conn, VAULT, "disclosure", told, terms, night.now())
            mac = hmac.new(salts, payload, hashlib.sha256).hexdigest()
            columns = list(rows[0])
            deliveries.freeze(
                conn, delivery_id=name, recipient="finance", sequence=sequence,
                business_date=night.business_date, contract_version=contract.version,
                notice_version=night.settings.notice.version, payload=payload, payload_mac=mac,
                columns=columns, rows=told[["row_key", "party_id", "content"]], now=night.now(),
            )  # fmt: skip
            intent = leaf(
                "intent", n=len(rows), sequence=sequence, fields=columns, mac=mac, **terms
            )
            disclosures.append_leaves(conn, [intent], night.now())
        return name

    def deliver(self, inbox: Inbox | None = None) -> StepResult:
        there = inbox or Inbox()
        return deliver(self.night(), self.contract, lambda: there)

    def state(self, delivery_id: str) -> str:
        with transaction(self.engine) as conn:
            return deliveries.find(conn, delivery_id).state
