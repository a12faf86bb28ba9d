"""Write down a question about named people before it leaves the house (R23, DESIGN 11).

Belongs here: what a look-up at a register says of our customers. Does not belong here: deliveries.

Each question is one leaf with its size. A person's detail is written once for each operation of a
source: when the person first stands on a list we ask with; later nights refer to that standing list by
their leaf. So a quiet night writes one leaf a question, not one a customer.
"""

import secrets
from collections.abc import Sequence

import pandas as pd

from pipelines.domain.disclosure import SALT_BYTES, commit, committed, leaf
from pipelines.settings import SourceConfig
from pipelines.steps.allow_asking import allow_asking, allow_asking_about
from pipelines.steps.night import Night
from pipelines.store import disclosures
from pipelines.store.engine import transaction


def log_lookup(night: Night, config: SourceConfig, operation: str, keys: Sequence[str]) -> None:
    """Log one question to `config`'s keeper about the people under `keys`, in its own transaction.

    Raises Refused, with nothing logged, when it may not leave.
    """
    allow_asking(night, config)
    allow_asking_about(night, config, keys)
    now = night.now()
    with transaction(night.engine) as conn:
        already = disclosures.asked_before(conn, config.name, operation, keys)
        people = [k for k in dict.fromkeys(keys) if k not in already]
        details = pd.DataFrame({"subject_key": people}).assign(
            entry_id=[secrets.token_hex(16) for _ in people],
            salt=[secrets.token_bytes(SALT_BYTES) for _ in people],
            subject_source=config.name,
            recipient=config.name,
            purpose=config.purpose,
            basis=config.basis,
            operation=operation,
            fields=pd.Series([list(config.asks_with)] * len(people), dtype="object"),
            at=now,
        )
        leaves = [
            leaf(
                "lookup",
                e=entry,
                c=commit(
                    committed(
                        content=None,
                        recipient=config.name,
                        operation=operation,
                        purpose=config.purpose,
                        subject=key,
                    ),
                    salt,
                ),
                to=config.name,
                purpose=config.purpose,
                basis=config.basis,
                operation=operation,
                notice=night.settings.notice.version,
            )
            for entry, salt, key in details[["entry_id", "salt", "subject_key"]].itertuples(
                index=False
            )
        ]
        leaves.append(
            leaf(
                "lookup_call",
                to=config.name,
                operation=operation,
                n=len(keys),
                notice=night.settings.notice.version,
            )
        )
        disclosures.write_details(conn, details)
        disclosures.append_leaves(conn, leaves, now)
