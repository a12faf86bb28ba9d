"""Write down a question about named people before it leaves the house (R23, DESIGN 11).

Belongs here: what a look-up at a register says of our customers. Does not belong here: deliveries.

Each question is one leaf with its size. A person's detail is written once for each operation of a
source: when the person first stands on a list we ask with; later nights refer to that standing list by
their leaf. So a quiet night writes one leaf a question, not one a customer.
"""

from collections.abc import Sequence

import pandas as pd

from pipelines.domain.disclosure import leaf
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
    now, vault = night.now(), night.vault
    asked = {
        "to": config.name, "operation": operation, "notice": night.settings.notice.version,
    }  # fmt: skip
    with transaction(night.engine) as conn:
        already = disclosures.asked_before(conn, vault, config.name, operation, keys)
        people = [key for key in dict.fromkeys(keys) if key not in already]
        fields = pd.Series([list(config.asks_with)] * len(people), dtype="object")
        disclosures.disclose(
            conn,
            vault,
            "lookup",
            pd.DataFrame({"subject_key": people, "fields": fields}),
            {**asked, "purpose": config.purpose, "basis": config.basis},
            now,
        )
        disclosures.append_leaves(conn, [leaf("lookup_call", n=len(keys), **asked)], now)
