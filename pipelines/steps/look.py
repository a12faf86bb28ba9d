"""Look at customers and disclosures on a person's behalf, and write down who looked.

Belongs here: every way a steward sees a person outside a delivery. Does not belong here: changing
anything but the access log.
"""

import contextlib
from dataclasses import dataclass
from threading import Lock, Thread

import pandas as pd
from sqlalchemy import Connection, Engine

from pipelines.domain.correction import standard_fields
from pipelines.domain.dealings import Balance, balance
from pipelines.domain.fields import FIELDS
from pipelines.domain.name_search import NameIndex
from pipelines.domain.points import OWN_REGISTER, overruled
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    INVOICES,
    ORDERS,
    PARTY_RECORDS,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
    PROVENANCE,
)
from pipelines.domain.survivorship import Policy
from pipelines.steps.around import Around, NotFound, keys_of
from pipelines.steps.night import Night
from pipelines.store import access, corrections, dealings, frames, judgements, nights, restraints
from pipelines.store.engine import reading, transaction

OWN_REGISTER_SOURCE = "registrations"
NOTICES = "notices"
_OF_A_NOTICE = frozenset(
    {"phone", "email", "street_line", "postal_code", "post_office", "address_type"}
)
_STATED = (
    "source", "address_type", "street_line", "postal_code", "post_office", "valid_from", "valid_to",
)  # fmt: skip
_AT_MOST = 50


@dataclass(frozen=True)
class Customer:
    """One golden customer with where each value came from, roles with their points, and its records.

    values: PROVENANCE, and of each value that one of our own people entered said_by, said_at and said_how: `notice`
    (taken down from the customer) or `correction` (put in place of what its source had wrong); else null.
    addresses: source, address_type, street_line, postal_code, post_office, valid_from, valid_to: what each source
    says and from when, whoever is believed; of a protected customer the contact address alone. points: point_ref
    and POINT_VALUES of the points of the roles, each value that was overruled beside the one that stands; of a
    protected customer without what an order hides. handles: each record as a steward writes it, no token in it.
    balance: what the customer's invoices add up to as last stated. orders: ORDERS, the newest first. restraints: kind,
    channel, evidence, since of what the customer has forbidden. is_protected: as `around.is_under_order`. postal_check, ambiguity: of the address that stands, as
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
    is_protected: bool
    postal_check: str | None = None
    ambiguity: str | None = None


class Names:
    """The words of all customers' names, kept between searches while the register stays as it is.

    Held in memory by whoever searches often; read anew when a row of the register came, changed or went.
    """

    def __init__(self) -> None:
        self._stamp: tuple[int, int] | None = None
        self._index = NameIndex((), {})
        self._reading = Lock()

    def index(self, conn: Connection) -> NameIndex:
        with self._reading:
            stamp = frames.stamp(conn, GOLDEN)
            if stamp != self._stamp:
                self._index = NameIndex.of(
                    frames.some_columns(conn, GOLDEN, ("party_id", "display_name"))
                )
                self._stamp = stamp
            return self._index

    def read_ahead(self, engine: Engine) -> None:
        """Read the names in beside whoever is about to search; what stands against it the search itself will say."""

        def read() -> None:
            with contextlib.suppress(Exception), reading(engine) as conn:
                self.index(conn)

        Thread(target=read, daemon=True).start()


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
            f"no customer has the number {number[:20]}; search with: hub customer find NAME",
            says="no.customer",
        )
    return int(held["party_id"].iloc[0])


def show(night: Night, number: str, who: str, purpose: str) -> Customer:
    """Everything the register holds of one customer, value by value with its origin (R12, R37)."""
    with transaction(night.engine) as conn:
        party_id = party_of(conn, number)
        key = pd.DataFrame({"party_id": [party_id]})
        golden = frames.read_matching(conn, GOLDEN, key, ("party_id",))
        if golden.empty:
            raise NotFound(
                f"customer {number[:20]} is not in the register as of the last night",
                says="no.customer_gone",
            )
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
            _with_whose_word(conn, values, golden.iloc[0]),
            stated[list(_STATED)].reset_index(drop=True),
            roles.merge(points, on="point_id", how="left"),
            facts,
            records,
            tuple(around.handle(record) for record in keys_of(records)),
            balance(dealings.of_parties(conn, INVOICES, key, numbered_by)),
            orders.sort_values(["ordered_on", "source_key"], ascending=[False, True]),
            restraints.of_party(conn, party_id),
            any(map(around.is_protected, keys_of(records))),
            **_address_facts(conn, golden.iloc[0], values),
        )


def _with_whose_word(conn: Connection, values: pd.DataFrame, golden: pd.Series) -> pd.DataFrame:
    """The values with said_by, said_at, said_how: whoever of our own people entered one, and when."""
    taken = judgements.living(conn, values[values["source"] == NOTICES])
    notices = taken[taken["left_source"] == NOTICES].set_index("left_key")
    put = corrections.in_force(conn, values.assign(kind="party"))
    # one that no night has read has not come to this value yet
    put = put[put["step_run"] <= nights.last_consumed(conn, "standardise")]
    by_field = {
        (row["source"], row["source_key"], field): (row["decided_by"], row["decided_at"])
        for row in put.to_dict("records")
        if _is_of_the_address(str(row["field"]), golden["address_type"])
        for field in standard_fields(str(row["field"]))
    }
    said: list[tuple[object, object, object]] = []
    for field, source, key in values[["field", "source", "source_key"]].itertuples(index=False):
        if source == NOTICES and field in _OF_A_NOTICE and key in notices.index:
            notice = notices.loc[key]
            said.append((notice["decided_by"], notice["decided_at"], "notice"))
        else:
            who, at = by_field.get((source, key, field), (None, None))
            said.append((who, at, "correction" if who else None))
    columns = ["said_by", "said_at", "said_how"]
    return values.join(pd.DataFrame(said, values.index, columns, dtype=object))


def _is_of_the_address(path: str, address_type: object) -> bool:
    """Whether a corrected field is none of an address, or may be of the one of this type."""
    top, _, rest = path.partition(".")
    which = rest.partition(".")[0]
    return top != "final_invoice" and (
        top != "addresses" or which.isdigit() or which == address_type
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
            overruled(numbered, places, tied, policy),
        ]
    )
    named = facts.merge(points[["point_id", "point_ref"]], on="point_id")
    return named.sort_values(["point_ref", "field"], kind="stable", ignore_index=True)
