"""The last look at a frozen delivery before it leaves (PRIVACY §2.4 T2).

Belongs here: whether anybody in it may no longer be told. Does not belong here: the delivery's life
(`deliveries`), who may be told in the first place (`domain.extract`).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select

from pipelines.store.tables import delivery_row, party, party_redirect

_ADDRESS_PARTS = ("care_of", "street_line", "line", "postal_code", "post_office")


def exposes_somebody(conn: Connection, delivery_id: str) -> bool:
    """Whether a frozen row tells an address of a party that may no longer be told (R56, T2).

    Asked right before sending: an order may have come after freezing. What a protected party gives as
    its contact address may go out; any other address part may not.
    """
    current = func.coalesce(party_redirect.c.into_party_id, delivery_row.c.party_id)
    told = conn.execute(
        select(delivery_row.c.row_key, delivery_row.c.row, *party.c)
        .join_from(
            delivery_row,
            party_redirect,
            party_redirect.c.party_id == delivery_row.c.party_id,
            isouter=True,
        )
        .join(party, party.c.party_id == current)
        .where(delivery_row.c.delivery_id == delivery_id, party.c.protection == "on")
    ).mappings()
    return any(_address_parts(row["row_key"], row["row"] or {}) - _tellable(row) for row in told)


def _address_parts(row_key: str, row: Mapping[str, Any]) -> set[str]:
    """What of a row could be an address: in a return of an address part any column, whatever its name."""
    is_part = row_key.rpartition("/")[2] in _ADDRESS_PARTS
    return {
        text for name, text in row.items() if text and (is_part or name.endswith(_ADDRESS_PARTS))
    }


def _tellable(golden: RowMapping) -> set[str]:
    if golden["address_type"] != "contact":
        return set()
    return {golden[part] for part in _ADDRESS_PARTS if golden.get(part)}
