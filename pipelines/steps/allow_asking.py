"""See that a register may be asked, and about whom, before a question leaves (DESIGN 11, R15, R45).

Belongs here: the gate of everything we ask; a question tells that somebody is our customer, and is a disclosure
too. Does not belong here: writing questions down (`log_lookup`), the gate of deliveries (`prepare_extract`).
"""

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Connection

from connectors.base import Refused
from pipelines.breaches import unaskable
from pipelines.domain.restraints import forbidding
from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.settings import SourceConfig
from pipelines.steps.night import Night
from pipelines.store import frames, restraints
from pipelines.store.engine import transaction


def allow_asking(night: Night, config: SourceConfig) -> None:
    """Raises Refused, with the line to be reviewed, when the source's file doesn't let it be asked on that day."""
    settings = night.settings
    breaches = unaskable(settings.notice, config, settings.sources, night.business_date)
    if breaches:
        raise Refused(f"not asked: {breaches[0]}")


def barred(conn: Connection, config: SourceConfig, register: str) -> frozenset[str]:
    """The keys that `register` has of people who may not be asked about for the source's purpose (R45)."""
    parties = restraints.parties(conn, forbidding(config.purpose, None))
    return _keys_of(conn, pd.Series(sorted(parties), dtype="Int64"), register)


def barred_until(conn: Connection, config: SourceConfig, instant: str) -> frozenset[str]:
    """The source's keys of people who may be asked about again, and might not be at some time since: it was not heard of them."""
    freed = restraints.ended_since(conn, forbidding(config.purpose, None), instant)
    return _keys_of(conn, freed, config.name)


def _keys_of(conn: Connection, parties: pd.Series, register: str) -> frozenset[str]:
    of_them = pd.DataFrame({"party_id": parties})
    records = frames.read_matching(conn, PARTY_RECORDS, of_them, ("party_id",))
    return frozenset(records.loc[records["source"] == register, "source_key"])


def allow_asking_about(night: Night, config: SourceConfig, keys: Sequence[str]) -> None:
    """Raises Refused when somebody under `keys`, the source's own, may not be asked about; names nobody."""
    with transaction(night.engine) as conn:
        if not barred(conn, config, config.name).isdisjoint(keys):
            raise Refused("not asked: somebody on the list may not be asked about (R45)")
