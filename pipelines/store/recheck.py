"""The last look at a frozen delivery before it leaves (PRIVACY §2.4 T2).

Belongs here: whether anybody in it may no longer be told. Does not belong here: the delivery's life
(`deliveries`), who may be told in the first place (`domain.extract`), its contract (`steps.stop`).

Whoever looks, and whoever records an order, restriction or ban, first takes the same lock (`alone`): so one
of the two comes first, and either the delivery is stopped or the recording finds it on its way.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, exists, func, or_, select

from pipelines.store import restraints
from pipelines.store.deliveries import Delivery
from pipelines.store.engine import one_at_a_time
from pipelines.store.tables import (
    delivery_row,
    held_row,
    party,
    party_record,
    party_redirect,
    standard_party,
)

_ADDRESS_PARTS = ("care_of", "street_line", "line", "postal_code", "post_office")


def alone(conn: Connection) -> None:
    """Wait until nobody else decides on what leaves; held until this transaction ends."""
    one_at_a_time(conn, "outgoing")


def objecting(conn: Connection, frozen: Delivery, forbidding: Sequence[str]) -> list[int]:
    """The numbers of the rows about somebody who may not be told of any more.

    forbidding: kinds of restraint that bar the delivery's purpose (`domain.restraints`).
    """
    rows = {
        *exposing(conn, frozen.delivery_id),
        *_of_restrained(conn, frozen.delivery_id, forbidding),
        *_of_held(conn, frozen),
    }
    return sorted(rows)


def exposing(conn: Connection, delivery_id: str) -> list[int]:
    """The numbers of frozen rows that tell an address of a party that may no longer be told (R56, T2).

    Asked right before sending: an order may have come after freezing. It counts from the moment a record
    states it, before the register has been made anew. What a protected party gives as its contact address
    may go out; any other address part may not.
    """
    current = func.coalesce(party_redirect.c.into_party_id, delivery_row.c.party_id)
    stated = exists(
        select(party_record.c.party_id)
        .join(
            standard_party,
            (standard_party.c.source == party_record.c.source)
            & (standard_party.c.source_key == party_record.c.source_key),
        )
        .where(party_record.c.party_id == current, standard_party.c.protection == "on")
    )
    told = conn.execute(
        select(delivery_row.c.row_no, delivery_row.c.row_key, delivery_row.c.row, *party.c)
        .join_from(
            delivery_row,
            party_redirect,
            party_redirect.c.party_id == delivery_row.c.party_id,
            isouter=True,
        )
        .join(party, party.c.party_id == current)
        .where(delivery_row.c.delivery_id == delivery_id, or_(party.c.protection == "on", stated))
    ).mappings()
    return [
        row["row_no"]
        for row in told
        if _address_parts(row["row_key"], row["row"] or {}) - _tellable(row)
    ]


def _address_parts(row_key: str, row: Mapping[str, Any]) -> set[str]:
    """What of a row could be an address: in a return of an address part any column, whatever its name."""
    is_part = row_key.rpartition("/")[2] in _ADDRESS_PARTS
    return {
        text for name, text in row.items() if text and (is_part or name.endswith(_ADDRESS_PARTS))
    }


def _tellable(golden: RowMapping) -> set[str]:
    if golden["address_type"] != "contact":
        return set()
    parts = {golden[part] for part in _ADDRESS_PARTS if golden.get(part)}
    # how `domain.extract` and `domain.cases` write the two in one line
    return parts | {f"c/o {golden['care_of']}, {golden['street_line']}"}


def _of_restrained(conn: Connection, delivery_id: str, kinds: Sequence[str]) -> list[int]:
    """Rows about somebody who has forbidden it since they were frozen (R25, R26, R45)."""
    restrained = restraints.parties(conn, kinds)
    if not restrained:
        return []
    told = conn.execute(
        select(delivery_row.c.row_no, delivery_row.c.party_id).where(
            delivery_row.c.delivery_id == delivery_id
        )
    )
    return [row_no for row_no, party_id in told if party_id in restrained]


def _of_held(conn: Connection, frozen: Delivery) -> list[int]:
    """Rows about somebody who has been held back from the recipient since they were frozen."""
    held = (
        select(delivery_row.c.row_no)
        .join(held_row, delivery_row.c.party_id == held_row.c.party_id)
        .where(
            held_row.c.recipient == frozen.recipient,
            held_row.c.since > frozen.prepared_at,
            delivery_row.c.delivery_id == frozen.delivery_id,
        )
    )
    return list(conn.scalars(held))
