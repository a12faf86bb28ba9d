"""What is known around some records: their customers, whoever belongs to the same ones, who is protected.

Belongs here: a record as a steward writes it and reads it, never with a token in it. Does not belong here:
what two records say of each other (`lay_open`), who may look (`review`).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.matching import living_person_keys
from pipelines.domain.points import OWN_REGISTER
from pipelines.domain.schemas import GOLDEN, PARTIES, PARTY_RECORDS
from pipelines.errors import HubError
from pipelines.settings import SourceConfig
from pipelines.store import frames, linkage, nights
from pipelines.store.judgements import RecordKey

Pair = tuple[RecordKey, RecordKey]
RECORD = ("source", "source_key")
_TOKENS = ("person_key", "birth_key")
_TOKEN_LENGTH = 64


def has_token(key: str) -> bool:
    """Whether an equality token stands in a source's key: it says nothing to that source, and nobody is shown it."""
    return re.search(rf"[0-9a-f]{{{_TOKEN_LENGTH}}}", key) is not None


def columns_of(config: SourceConfig, kind: str) -> tuple[str, dict[str, str]]:
    """What a source calls its table of a kind of record, and field → its column; the kind and nothing, if not mapped."""
    name, columns = _mapping(config, kind)
    return name, {str(how["field"]): column for column, how in columns.items()}


def required_fields(config: SourceConfig, kind: str) -> frozenset[str]:
    """The fields without which a source's mapping takes no row of a kind of record."""
    _, columns = _mapping(config, kind)
    return frozenset(str(how["field"]) for how in columns.values() if how.get("required"))


def _mapping(config: SourceConfig, kind: str) -> tuple[str, dict[str, Mapping[str, Any]]]:
    files = config.options.get("files")
    for name, file in files.items() if isinstance(files, Mapping) else ():
        if isinstance(file, Mapping) and file.get("kind") == kind:
            columns = file.get("columns")
            mapped = columns.items() if isinstance(columns, Mapping) else ()
            return str(name), {
                str(column): how
                for column, how in mapped
                if isinstance(how, Mapping) and "field" in how
            }
    return kind, {}


def unread_field(config: SourceConfig, item: "pd.Series[Any]") -> str | None:
    """The field of a row that could not be landed, whose cell its connector names as the one that can't be read."""
    if not isinstance(item["reason"], str):
        return None
    _, columns = columns_of(config, str(item["kind"]))
    return next((f for f, column in columns.items() if f"column {column}:" in item["reason"]), None)


class NotFound(HubError):
    """Nothing is kept under the number given."""


class Around:
    """What is known around some records: their customers, whoever belongs to the same ones, protection."""

    def __init__(self, conn: Connection, records: Sequence[RecordKey]) -> None:
        asked = pd.DataFrame(list(dict.fromkeys(records)), columns=list(RECORD), dtype="str")
        own = frames.read_matching(conn, PARTY_RECORDS, asked, RECORD)
        customers = own[["party_id"]].drop_duplicates()
        fellows = frames.read_matching(conn, PARTY_RECORDS, customers, ("party_id",))
        everybody = pd.concat([asked, fellows[list(RECORD)]]).drop_duplicates(ignore_index=True)
        parties = frames.read_matching(conn, PARTIES, everybody, RECORD)
        parties = parties.merge(fellows, on=list(RECORD), how="left")
        self.golden = frames.read_matching(conn, GOLDEN, customers, ("party_id",))
        self.parties = parties.assign(living=living_person_keys(parties))
        self._at = {key: n for n, key in enumerate(keys_of(parties))}
        self._party = dict(zip(keys_of(own), own["party_id"].astype(int), strict=True))
        self._size = fellows["party_id"].value_counts().to_dict()
        said_on = parties.loc[parties["protection"] == "on"]
        held_on = self.golden.loc[self.golden["protection"] == "on", "party_id"]
        self._protected = {int(p) for p in pd.concat([said_on["party_id"], held_on]).dropna()}
        self._protected_alone = set(keys_of(said_on))
        numbered = linkage.numbered(conn, asked)
        self.number = dict(zip(keys_of(numbered), numbered["record_no"].astype(int), strict=True))

    def is_read(self, record: RecordKey) -> bool:
        """Whether a night has read it; what somebody has just told us waits for the next one."""
        return record in self._at

    def stated(self, record: RecordKey) -> pd.Series:
        return self.parties.iloc[self._at[record]]

    def kind(self, record: RecordKey) -> str:
        return str(self.stated(record)["party_type"]) if record in self._at else "person"

    def party(self, record: RecordKey) -> int | None:
        return self._party.get(record)

    def customers(self, pair: Sequence[RecordKey]) -> tuple[int, ...]:
        return tuple(sorted({self._party[record] for record in pair if record in self._party}))

    def together(self, pair: Sequence[RecordKey]) -> int:
        """How many records the pair's customers have; a record without a customer counts for itself."""
        alone = sum(record not in self._party for record in pair)
        return alone + sum(int(self._size[party]) for party in self.customers(pair))

    def is_protected(self, record: RecordKey) -> bool:
        return record in self._protected_alone or self._party.get(record) in self._protected

    def is_token(self, record: RecordKey) -> bool:
        """Whether the source's key is itself an equality token, as the population register's is."""
        _, key = record
        if record not in self._at:
            return True
        stated = self.stated(record)
        retired = stated["superseded_person_keys"]
        tokens = [
            *(stated[name] for name in _TOKENS),
            *(retired if isinstance(retired, list) else []),
        ]
        return key in tokens or (len(key) == 64 and set(key) <= set("0123456789abcdef"))

    def handle(self, record: RecordKey) -> str:
        """A record as `record_of` reads it, never with a token in it."""
        source, key = record
        return (
            f"{source}:#{self.number.get(record, 0)}"
            if self.is_token(record)
            else f"{source}:{key}"
        )


def is_under_order(conn: Connection, party_id: int) -> bool:
    """Whether a customer is under a protective order, or a record of theirs has come to say so since the night."""
    key = pd.DataFrame({"party_id": [nights.surviving(conn, party_id)]})
    records = keys_of(frames.read_matching(conn, PARTY_RECORDS, key, ("party_id",)))
    return any(map(Around(conn, records).is_protected, records))


def record_of(conn: Connection, text: str) -> RecordKey:
    """A record as a steward writes it: SOURCE:KEY, SOURCE:#NUMBER (ours), or a customer number."""
    source, colon, key = text.partition(":")
    if not colon:
        source, key = OWN_REGISTER, text
    if key.startswith("#") and key[1:].isdigit():
        found = linkage.records_of(conn, np.array([int(key[1:])], dtype=np.int64))
        found = found[found["source"] == source]
    else:
        asked = pd.DataFrame({"source": [source], "source_key": [key]})
        found = frames.read_matching(conn, PARTIES, asked, RECORD)
    if found.empty:
        raise NotFound(
            f"no record is kept under {text[:40]}; write SOURCE:KEY as hub review show does, "
            "or a customer number"
        )
    return str(found["source"].iloc[0]), str(found["source_key"].iloc[0])


def keys_of(frame: pd.DataFrame) -> list[RecordKey]:
    """(source, source_key) of each row."""
    return list(zip(frame["source"], frame["source_key"], strict=True))
