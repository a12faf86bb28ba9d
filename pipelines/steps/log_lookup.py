"""Write down a question about named people before it leaves the house (R23, DESIGN 11).

Belongs here: what a look-up at a register says of our customers. Does not belong here: deliveries.

Each question is one leaf with its size. A person's detail is written once for each operation of a
source: when the person first stands on a list we ask with, and again when we come to ask with other data of
theirs; later nights refer to that standing list by their leaf. So a quiet night writes one leaf a question, not one a customer. A question that leaves as a file
holds their data, and is written down for each of them every time.
"""

import hashlib
import hmac
from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.disclosure import leaf
from pipelines.settings import SourceConfig
from pipelines.steps.allow_asking import allow_asking, allow_asking_about
from pipelines.steps.night import Night
from pipelines.store import disclosures
from pipelines.store.engine import transaction
from pipelines.store.vault import Vault

BATCH = "address_batch"
"""The operation of a question in a file."""


def log_lookup(night: Night, config: SourceConfig, operation: str, keys: Sequence[str]) -> None:
    """Log one question to `config`'s keeper about the people under `keys`, in its own transaction.

    Raises Refused, with nothing logged, when it may not leave.
    """
    allow_asking(night, config)
    allow_asking_about(night, config, keys)
    vault = night.vault
    with transaction(night.engine) as conn:
        already = disclosures.asked_before(
            conn, vault, config.name, operation, config.asks_with, keys
        )
        people = [key for key in dict.fromkeys(keys) if key not in already]
        fields = pd.Series([list(config.asks_with)] * len(people), dtype="object")
        asked = pd.DataFrame({"subject_key": people, "fields": fields})
        _write(conn, night, vault, config, operation, asked)
        _write_call(conn, night, config, operation, len(keys))


def log_batch(
    conn: Connection, night: Night, config: SourceConfig, people: pd.DataFrame, payload: bytes
) -> None:
    """Log a question that leaves as a file, in the caller's transaction: everybody in it, each time anew.

    people: subject_key, the reference of each; fields, what of theirs stands in the file. The call's leaf has a
    keyed digest of the file's bytes, as a delivery's intent has.
    """
    salts = _write(conn, night, night.vault, config, BATCH, people)
    mac = hmac.new(salts, payload, hashlib.sha256).hexdigest()
    _write_call(conn, night, config, BATCH, len(people), mac)


def _write(
    conn: Connection,
    night: Night,
    vault: Vault,
    config: SourceConfig,
    operation: str,
    people: pd.DataFrame,
) -> bytes:
    terms = {**_asked(night, config, operation), "purpose": config.purpose, "basis": config.basis}
    return disclosures.disclose(conn, vault, "lookup", people, terms, night.now())


def _write_call(
    conn: Connection,
    night: Night,
    config: SourceConfig,
    operation: str,
    n: int,
    mac: str | None = None,
) -> None:
    call = leaf("lookup_call", n=n, mac=mac, **_asked(night, config, operation))
    disclosures.append_leaves(conn, [call], night.now())


def _asked(night: Night, config: SourceConfig, operation: str) -> dict[str, str]:
    notice = night.settings.notice.version
    return {"to": config.name, "operation": operation, "notice": notice}
