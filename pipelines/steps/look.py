"""Look at customers, refused records and disclosures on a person's behalf, and write down who looked.

Belongs here: every way a steward sees a person outside a delivery. Does not belong here: changing
anything but the access log.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.correction import flat, standard_fields
from pipelines.domain.dealings import Balance, balance
from pipelines.domain.fields import FIELDS
from pipelines.domain.name_search import NameIndex
from pipelines.domain.points import OWN_REGISTER, golden_points
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    INVOICES,
    LANDED,
    ORDERS,
    PARTIES,
    PARTY_RECORDS,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
    PROVENANCE,
    ROLES,
)
from pipelines.domain.standardise import FINAL_INVOICE_FROM
from pipelines.domain.survivorship import Policy
from pipelines.steps.around import Around, NotFound, keys_of, unread_field
from pipelines.steps.night import Night
from pipelines.store import access, dealings, frames, nights, quarantine, restraints
from pipelines.store.engine import transaction

OWN_REGISTER_SOURCE = "registrations"
_STATED = (
    "source", "address_type", "street_line", "postal_code", "post_office", "valid_from", "valid_to",
)  # fmt: skip
_TOKENS = frozenset({"person_key", "birth_key", "key_id", "superseded_person_keys"})
_WHENCE = frozenset({"source", "source_key", "source_time", "field_times"})
_NOT_OF_THE_CONTENT = _WHENCE | _TOKENS | {"name_role"}
_NOT_OF_AN_ADDRESS = _WHENCE | {
    "address_no", "address_type", "street_name", "house", "stair", "apartment", "split", "stated_at",
}  # fmt: skip
_AS_CONTENT = {"street_line": "line", "party_source_key": "party", "point_source_key": "point"}
_AT_MOST = 50


@dataclass(frozen=True)
class Customer:
    """One golden customer with where each value came from, roles with their points, and its records.

    addresses: source, address_type, street_line, postal_code, post_office, valid_from, valid_to: what each source
    says and from when, whoever is believed; of a protected customer the contact address alone. points: point_ref
    and POINT_VALUES of the points of the roles, each value that was overruled beside the one that stands; of a
    protected customer without what an order hides. handles: each record as a steward writes it, no token in it.
    balance: what the customer's invoices add up to as last stated. orders: ORDERS, the newest first. restraints: kind,
    channel, evidence, since of what the customer has forbidden. postal_check, ambiguity: of the address that stands, as
    in ADDRESSES.
    """

    golden: pd.Series
    values: pd.DataFrame
    addresses: pd.DataFrame
    roles: pd.DataFrame
    points: pd.DataFrame
    records: pd.DataFrame
    handles: tuple[str, ...]
    balance: Balance
    orders: pd.DataFrame
    restraints: pd.DataFrame
    postal_check: str | None = None
    ambiguity: str | None = None


class Names:
    """The words of all customers' names, kept between searches while the register stays as it is.

    Held in memory by whoever searches often; read anew when a row of the register came, changed or went.
    """

    def __init__(self) -> None:
        self._stamp: tuple[int, int] | None = None
        self._index = NameIndex((), {})

    def index(self, conn: Connection) -> NameIndex:
        stamp = frames.stamp(conn, GOLDEN)
        if stamp != self._stamp:
            self._index = NameIndex.of(
                frames.some_columns(conn, GOLDEN, ("party_id", "display_name"))
            )
            self._stamp = stamp
        return self._index


def find(
    night: Night, words: str, who: str, purpose: str, names: Names | None = None
) -> pd.DataFrame:
    """Customers whose name holds every word (`domain.name_search`), the closest first; at most 50."""
    with transaction(night.engine) as conn:
        parties = (names or Names()).index(conn).find(words, _AT_MOST)
        order = pd.DataFrame({"party_id": pd.array(parties, dtype="Int64")})
        held = frames.read_matching(conn, GOLDEN, order, ("party_id",))
        found = order.merge(held, on="party_id")
        numbers = _own_numbers(
            frames.read_matching(conn, PARTY_RECORDS, found[["party_id"]], ("party_id",))
        )
        access.record_many(
            conn, night.now(), who, "customer find", list(found["party_id"]), purpose
        )
    return found.merge(numbers, on="party_id", how="left")


def who_looked(night: Night, number: str, who: str, purpose: str) -> pd.DataFrame:
    """Who of our own people saw or did what about a customer, oldest first: at, who, operation, purpose, detail."""
    with transaction(night.engine) as conn:
        party_id = party_of(conn, number)
        access.record(conn, night.now(), who, "access log show", party_id, purpose)
        return access.of_party(conn, party_id)


def _own_numbers(records: pd.DataFrame) -> pd.DataFrame:
    own = records[records["source"] == OWN_REGISTER_SOURCE]
    return (
        own.groupby("party_id")["source_key"].agg(lambda keys: " ".join(sorted(keys))).reset_index()
        .rename(columns={"source_key": "customer_numbers"})
    )  # fmt: skip


def party_of(conn: Connection, number: str) -> int:
    """The golden id behind a customer number: the own register's, or ours with a leading P."""
    if number.upper().startswith("P") and number[1:].isdigit():
        party = pd.DataFrame({"party_id": [nights.surviving(conn, int(number[1:]))]})
        held = frames.read_matching(conn, PARTY_RECORDS, party, ("party_id",))
    else:
        key = pd.DataFrame({"source": [OWN_REGISTER_SOURCE], "source_key": [number]})
        held = frames.read_matching(conn, PARTY_RECORDS, key, ("source", "source_key"))
    if held.empty:
        raise NotFound(
            f"no customer has the number {number[:20]}; search with: hub customer find NAME"
        )
    return int(held["party_id"].iloc[0])


def show(night: Night, number: str, who: str, purpose: str) -> Customer:
    """Everything the register holds of one customer, value by value with its origin (R12, R37)."""
    with transaction(night.engine) as conn:
        party_id = party_of(conn, number)
        key = pd.DataFrame({"party_id": [party_id]})
        golden = frames.read_matching(conn, GOLDEN, key, ("party_id",))
        if golden.empty:
            raise NotFound(f"customer {number[:20]} is not in the register as of the last night")
        roles = frames.read_matching(conn, GOLDEN_ROLES, key, ("party_id",))
        points = frames.read_matching(conn, GOLDEN_POINTS, roles[["point_id"]], ("point_id",))
        facts = _facts(conn, points, night.settings.survivorship)
        if golden["protection"].iloc[0] == "on":
            facts = facts[[FIELDS[name].privacy != "address" for name in facts["field"]]]
        access.record(conn, night.now(), who, "customer show", party_id, purpose)
        records = frames.read_matching(conn, PARTY_RECORDS, key, ("party_id",))
        stated = frames.read_matching(conn, ADDRESSES, records, ("source", "source_key"))
        if golden["protection"].iloc[0] == "on":
            stated = stated[stated["address_type"] == "contact"]
        around = Around(conn, keys_of(records))
        values = frames.read_matching(conn, PROVENANCE, key, ("party_id",))
        numbered_by = {name: source.numbered_by for name, source in night.settings.sources.items()}
        orders = dealings.of_parties(conn, ORDERS, key, numbered_by)
        return Customer(
            golden.iloc[0],
            values,
            stated[list(_STATED)].reset_index(drop=True),
            roles.merge(points, on="point_id", how="left"),
            facts,
            records,
            tuple(around.handle(record) for record in keys_of(records)),
            balance(dealings.of_parties(conn, INVOICES, key, numbered_by)),
            orders.sort_values(["ordered_on", "source_key"], ascending=[False, True]),
            restraints.of_party(conn, party_id),
            **_address_facts(conn, golden.iloc[0], values),
        )


def _address_facts(
    conn: Connection, golden: pd.Series, values: pd.DataFrame
) -> dict[str, str | None]:
    """How the address that stands was read, and how much of it the post's file knows."""
    won = values[values["field"] == "street_line"]
    stated = frames.read_matching(conn, ADDRESSES, won, ("source", "source_key"))
    same = (stated["street_line"] == golden["street_line"]) & (
        stated["postal_code"] == golden["postal_code"]
    )
    facts = ("postal_check", "ambiguity")
    found = stated.loc[same, list(facts)].head(1).astype(object)
    return {name: next(iter(found[name].dropna()), None) for name in facts}


def _facts(conn: Connection, points: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """What is held of each point, where it is from, and what other registers state against it."""
    keys = points.assign(source=OWN_REGISTER).rename(columns={"point_ref": "source_key"})
    own = frames.read_matching(conn, POINTS, keys, ("source", "source_key"))
    numbered = own.merge(
        points[["point_id", "point_ref"]], left_on="source_key", right_on="point_ref"
    ).drop(columns="point_ref")
    tied = frames.read_matching(conn, POINT_TIES, points, ("point_id",))
    places = frames.read_matching(conn, POINTS, tied, ("source", "source_key"))
    facts = pd.concat(
        [
            frames.read_matching(conn, POINT_VALUES, points, ("point_id",)),
            golden_points(numbered, places, tied, policy).overruled,
        ]
    )
    named = facts.merge(points[["point_id", "point_ref"]], on="point_id")
    return named.sort_values(["point_ref", "field"], kind="stable", ignore_index=True)


@dataclass(frozen=True)
class Refused:
    """A refused record: its entry, its content as it came, and field by field what came beside what is held now.

    fields: field (as a correction names it), came, held. hidden: an address is left out everywhere, since somebody it is
    about is under a protective order (PRIVACY §3). No token is in any of it.
    """

    item: pd.Series
    content: dict[str, Any]
    fields: pd.DataFrame
    hidden: bool


def refused_record(night: Night, quarantine_id: int, who: str, purpose: str) -> Refused:
    """One quarantine entry, the record behind it as its source said it, and what the register holds of that record."""
    with transaction(night.engine) as conn:
        item = quarantine.item(conn, quarantine_id)
        if item is None:
            raise NotFound(f"quarantine has no entry {quarantine_id}; see: hub quarantine list")
        content = as_came(conn, item)
        party = party_behind(conn, item, content)
        hidden = _is_hidden(conn, item, content, party)
        held = _held_of(conn, item, content)
        access.record(
            conn, night.now(), who, "quarantine show", party, purpose, f"quarantine {quarantine_id}"
        )
    came = {path: value for path, value in flat(content) if _may_be_shown(path, hidden)}
    held = {path: value for path, value in held.items() if _may_be_shown(path, hidden)}
    config = night.settings.sources.get(str(item["source"]))
    unread = None if config is None else unread_field(config, item)
    names = dict.fromkeys([*([unread] if unread else []), *came, *held])
    rows = [(path, came.get(path), held.get(path)) for path in names]
    shown = {name: value for name, value in content.items() if _may_be_shown(name, hidden)}
    if hidden and "addresses" in content:
        stated = content["addresses"] if isinstance(content["addresses"], list) else []
        shown["addresses"] = [
            a for a in stated if isinstance(a, dict) and a.get("address_type") == "contact"
        ]
    return Refused(
        item, shown, pd.DataFrame(rows, columns=["field", "came", "held"], dtype=object), hidden
    )


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


def _may_be_shown(path: str, hidden: bool) -> bool:
    if path.partition(".")[0] in _TOKENS:
        return False
    is_place = path.startswith(("addresses", "final_invoice")) or any(
        FIELDS[name].privacy == "address" for name in standard_fields(path) if name in FIELDS
    )
    return not (hidden and is_place and not path.startswith("addresses.contact"))


def _is_hidden(
    conn: Connection, item: pd.Series, content: Mapping[str, Any], party: int | None
) -> bool:
    """Whether the record states an order, or somebody it is about is known to be under one."""
    if content.get("protection") not in (None, "off"):
        return True
    parties = [] if party is None else [party]
    if item["kind"] == "point":
        place = pd.DataFrame([item[["source", "source_key"]]])
        tied = frames.read_matching(conn, POINT_TIES, place, ("source", "source_key"))
        parties = list(frames.read_matching(conn, GOLDEN_ROLES, tied, ("point_id",))["party_id"])
    known = pd.DataFrame({"party_id": pd.Series(parties, dtype="Int64")})
    golden = frames.read_matching(conn, GOLDEN, known, ("party_id",))
    return bool((golden["protection"] == "on").any())


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
