"""A refused record as it came beside what is held of it, for whoever decides on it; who looked.

Belongs here: what of a refused record may be seen and corrected, and whose it is. Does not belong here: answers to it
(`decide`, `correct`), words.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain import correction
from pipelines.domain.correction import flat
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN_ROLES,
    LANDED,
    PARTIES,
    PARTY_RECORDS,
    POINT_TIES,
    POINTS,
    ROLES,
)
from pipelines.domain.standardise import FINAL_INVOICE_FROM
from pipelines.steps.around import Around, NotFound, columns_of, keys_of, unread_field
from pipelines.steps.night import Night
from pipelines.store import access, corrections, frames, quarantine
from pipelines.store.engine import transaction

_TOKENS = frozenset({"person_key", "birth_key", "key_id", "superseded_person_keys"})
_WHENCE = frozenset({"source", "source_key", "source_time", "field_times"})
_NOT_OF_THE_CONTENT = _WHENCE | _TOKENS | {"name_role"}
_NOT_OF_AN_ADDRESS = _WHENCE | {
    "address_no", "address_type", "street_name", "house", "stair", "apartment", "split", "stated_at",
}  # fmt: skip
_AS_CONTENT = {"street_line": "line", "party_source_key": "party", "point_source_key": "point"}
# of somebody under a protective order: whatever else a record holds may be a place, or lead to one (R56)
_TELLS_NO_PLACE = frozenset({
    "name", "family_name", "given_names", "called_name", "organisation_name", "name_role", "party_type", "business_id",
    "phone", "email", "language", "delivery_channel", "einvoice_address", "einvoice_operator", "protection",
    "is_deceased", "death_date", "role_type", "valid_from", "valid_to",
})  # fmt: skip
# the parts of an address that a bill can't do without: offered where a record has left one out
_OF_EVERY_ADDRESS = ("line", "postal_code", "post_office")


@dataclass(frozen=True)
class Refused:
    """A refused record: its entry, its content as it came, and field by field what came beside what is held now.

    fields: field (as a correction names it), came, held, corrected (whether a correction of it is in force), stands
    (what is read in its place then, else what came), may_correct. hidden: somebody the record is about is under a
    protective order: nothing that is a place or leads to one is in it, a contact address apart (PRIVACY §3). unread: the
    field whose cell could not be read. party: the customer it is about, if one is known. No token is in any of it.
    """

    item: pd.Series
    content: dict[str, Any]
    fields: pd.DataFrame
    hidden: bool
    unread: str | None
    party: int | None


def refused_record(night: Night, quarantine_id: int, who: str, purpose: str) -> Refused:
    """One quarantine entry, the record behind it as its source said it, and what the register holds of that record."""
    with transaction(night.engine) as conn:
        item = quarantine.item(conn, quarantine_id)
        if item is None:
            raise NotFound(
                f"quarantine has no entry {quarantine_id}; see: hub quarantine list",
                says="no.entry", n=quarantine_id,
            )  # fmt: skip
        content = as_came(conn, item)
        party = party_behind(conn, item, content)
        hidden = is_hidden(conn, item, content, party)
        held = _held_of(conn, item, content)
        in_force = corrections.in_force(conn, pd.DataFrame([item[list(LANDED.key)]]))
        access.record(
            conn, night.now(), who, "quarantine show", party, purpose, f"quarantine {quarantine_id}"
        )
    came, known = dict(flat(content)), fields_known(night, str(item["source"]), content)
    right = {
        path: value
        for path, was, value in in_force[["field", "refused", "corrected"]].itertuples(index=False)
        if correction.still_says(content, path, was)
    }
    config = night.settings.sources.get(str(item["source"]))
    unread = None if config is None else unread_field(config, item)
    stated = [*([unread] if unread else []), *came, *held, *right]
    mapped = columns_of(config, str(item["kind"]))[1] if config is not None else {}
    also = [
        path
        for path in (*_usual_parts(came), *mapped)
        if path not in stated and correction.may_correct(content, path, known)
    ]
    names = [path for path in dict.fromkeys([*stated, *also]) if may_be_shown(path, hidden)]
    rows = [
        {
            "field": path,
            "came": came.get(path),
            "held": held.get(path),
            "corrected": path in right,
            "stands": right.get(path, came.get(path)),
            "may_correct": correction.may_correct(content, path, known),
        }
        for path in names
    ]
    shown = {name: value for name, value in content.items() if may_be_shown(name, hidden)}
    if hidden and "addresses" in content:
        addresses = content["addresses"] if isinstance(content["addresses"], list) else []
        shown["addresses"] = [
            a for a in addresses if isinstance(a, dict) and a.get("address_type") == "contact"
        ]
    columns = ["field", "came", "held", "corrected", "stands", "may_correct"]
    fields = pd.DataFrame(rows, columns=columns, dtype=object)
    return Refused(item, shown, fields, hidden, unread, party)


def fields_known(night: Night, source: str, content: Mapping[str, Any]) -> frozenset[str]:
    """What a source may state of a record: what the notice lets it bring, and what it does state."""
    config = night.settings.sources.get(source)
    allowed = night.settings.notice.fields_of(config.notice_source) if config else frozenset()
    return allowed | frozenset(content)


def _usual_parts(came: Mapping[str, object]) -> list[str]:
    """What belongs to each address a record states, whether it is stated or not."""
    addresses = dict.fromkeys(path.rpartition(".")[0] for path in came if path.count(".") == 2)
    return [f"{address}.{part}" for address in addresses for part in _OF_EVERY_ADDRESS]


def as_came(conn: Connection, item: pd.Series) -> dict[str, Any]:
    """What a refusal is about, as its source said it; empty where nothing of it could be read."""
    landed = frames.read_matching(conn, LANDED, pd.DataFrame([item[list(LANDED.key)]]), LANDED.key)
    is_it = not landed.empty and (
        landed["content_hash"].iloc[0] == item["content_hash"] or item["content"] is None
    )
    return dict((landed["content"].iloc[0] if is_it else item["content"]) or {})


def party_behind(conn: Connection, item: pd.Series, content: Mapping[str, Any]) -> int | None:
    """The customer a refused record is about: its own, or the one its role names; None where none is known."""
    key = content.get("party") if item["kind"] == "role" else item["source_key"]
    if item["kind"] == "point" or not isinstance(key, str):
        return None
    record = pd.DataFrame([{"source": item["source"], "source_key": key}])
    found = frames.read_matching(conn, PARTY_RECORDS, record, ("source", "source_key"))
    return None if found.empty else int(found["party_id"].iloc[0])


def may_be_shown(path: str, hidden: bool) -> bool:
    """Whether a field of a refused record is shown to anybody, so that it may be corrected at all."""
    top = path.partition(".")[0]
    if top in _TOKENS:
        return False
    return not hidden or top in _TELLS_NO_PLACE or path.startswith("addresses.contact.")


def is_hidden(
    conn: Connection, item: pd.Series, content: Mapping[str, Any], party: int | None
) -> bool:
    """Whether the record states an order, or somebody it is about is known, or said by any source, to be under one."""
    if content.get("protection") not in (None, "off"):
        return True
    parties = [] if party is None else [party]
    key = content.get("party") if item["kind"] == "role" else item["source_key"]
    about = [(str(item["source"]), str(key))]
    if item["kind"] == "point":
        place = pd.DataFrame([item[["source", "source_key"]]])
        tied = frames.read_matching(conn, POINT_TIES, place, ("source", "source_key"))
        parties = list(frames.read_matching(conn, GOLDEN_ROLES, tied, ("point_id",))["party_id"])
        about = []
    known = pd.DataFrame({"party_id": pd.Series(parties, dtype="Int64")})
    about += keys_of(frames.read_matching(conn, PARTY_RECORDS, known, ("party_id",)))
    around = Around(conn, about)
    return any(around.is_protected(record) for record in about)


def _held_of(conn: Connection, item: pd.Series, content: Mapping[str, Any]) -> dict[str, Any]:
    """What the register now holds of the record itself, under the names its content has for it."""
    schema = {"party": PARTIES, "point": POINTS, "role": ROLES}.get(str(item["kind"]))
    if schema is None:
        return {}
    record = pd.DataFrame([item[["source", "source_key"]]])
    standard = frames.read_matching(conn, schema, record, ("source", "source_key"))
    if standard.empty:
        return {}
    stated = _stated(standard.iloc[0], _NOT_OF_THE_CONTENT)
    if "name" in content:
        parts = [stated.pop(name, None) for name in ("family_name", "given_names")]
        whole = stated.pop("organisation_name", None) or " ".join(filter(None, parts))
        stated = {"name": whole, **stated}
    if item["kind"] == "party":
        addresses = frames.read_matching(conn, ADDRESSES, record, ("source", "source_key"))
        addresses = addresses[addresses["address_no"] < FINAL_INVOICE_FROM]
        for _, address in addresses.iterrows():
            kind = str(address["address_type"])
            is_only = int((addresses["address_type"] == kind).sum()) == 1
            which = kind if is_only else str(address["address_no"])
            for name, value in _stated(address, _NOT_OF_AN_ADDRESS).items():
                stated[f"addresses.{which}.{name}"] = value
    return stated


def _stated(row: pd.Series, without: Collection[str]) -> dict[str, Any]:
    return {
        _AS_CONTENT.get(str(name), str(name)): value
        for name, value in row.items()
        if name not in without and not isinstance(value, (list, dict)) and bool(pd.notna(value))
    }
