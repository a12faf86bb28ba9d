"""Look at customers, refused records and disclosures on a person's behalf, and write down who looked.

Belongs here: every way a steward sees a person outside a delivery. Does not belong here: changing
anything but the access log.
"""

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.fields import FIELDS
from pipelines.domain.name_search import NameIndex
from pipelines.domain.points import OWN_REGISTER, golden_points
from pipelines.domain.schemas import (
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    PARTY_RECORDS,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
    PROVENANCE,
)
from pipelines.domain.survivorship import Policy
from pipelines.steps.around import Around, NotFound, keys_of
from pipelines.steps.night import Night
from pipelines.store import access, frames, nights, quarantine
from pipelines.store.engine import transaction

OWN_REGISTER_SOURCE = "registrations"
_AT_MOST = 50


@dataclass(frozen=True)
class Customer:
    """One golden customer with where each value came from, roles with their points, and its records.

    points: point_ref and POINT_VALUES of the points of the roles, each value that was overruled beside the
    one that stands; of a protected customer without what an order hides. handles: each record as a
    steward writes it, no token in it.
    """

    golden: pd.Series
    values: pd.DataFrame
    roles: pd.DataFrame
    points: pd.DataFrame
    records: pd.DataFrame
    handles: tuple[str, ...]


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
        around = Around(conn, keys_of(records))
        return Customer(
            golden.iloc[0],
            frames.read_matching(conn, PROVENANCE, key, ("party_id",)),
            roles.merge(points, on="point_id", how="left"),
            facts,
            records,
            tuple(around.handle(record) for record in keys_of(records)),
        )


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


def refused_record(
    night: Night, quarantine_id: int, who: str, purpose: str
) -> tuple[pd.Series, dict[str, object]]:
    """One quarantine entry and the record behind it, as it was landed."""
    with transaction(night.engine) as conn:
        item = quarantine.item(conn, quarantine_id)
        if item is None:
            raise NotFound(f"quarantine has no entry {quarantine_id}; see: hub quarantine list")
        key = ["source", "kind", "source_key"]
        landed = frames.read_matching(conn, LANDED, pd.DataFrame([item[key]]), tuple(key))
        content = landed["content"].iloc[0] if len(landed) else item["content"]
        access.record(
            conn, night.now(), who, "quarantine show", None, purpose, f"quarantine {quarantine_id}"
        )
    return item, dict(content or {})
