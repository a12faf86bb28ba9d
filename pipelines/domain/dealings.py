"""What others have done with our customers: invoices and orders, and what of them stands in the way of erasure.

Belongs here: the words a dealing may have, what a customer's dealings add up to on a day. Does not belong
here: reading what was landed (`standardise`), whose a customer number is (`store.dealings`), deciding about
an erasure.

The hub holds of an invoice what the notice needs it for (R29, R32): that there is one, what has become of it,
when. No amount, and not what was billed.
"""

from dataclasses import dataclass

import pandas as pd

STATES = ("open", "paid", "credited", "in_collection", "closed")
UNPAID = ("open", "in_collection")
ORDER_KINDS = ("connection", "alteration", "meter", "disconnection", "other")
# the notice's own words for what blocks an erasure (notice.yml, retention.on_request)
BLOCKERS = ("open_invoice", "collection")


@dataclass(frozen=True)
class Balance:
    """What a customer's invoices add up to on a day.

    unpaid: invoices open or in collection. oldest_due: the earliest due date among them. in_collection:
    whether one of them is. not_stated: unpaid ones that their source has left out since, so that nobody
    knows; not_stated_since: the night the last of them was left out.
    """

    unpaid: int = 0
    oldest_due: str | None = None
    in_collection: bool = False
    not_stated: int = 0
    not_stated_since: str | None = None


def blockers(invoices: pd.DataFrame, on: str) -> pd.DataFrame:
    """What in INVOICES (with party_id) stands in the way of erasing somebody on a day (ISO date; R29, R32).

    Returns party_id, source, source_key, blocker (one of BLOCKERS), is_certain; sorted by all of them. An
    invoice blocks while it is open or in collection, and one settled later than `on` did so on that day.
    One that its source states no longer blocks as it was last stated, and is uncertain: silence settles
    nothing. Settled with no day stated, it blocks no more.
    """
    settled_later = (invoices["closed_date"] > on).fillna(False).astype(bool)
    is_unpaid = invoices["invoice_state"].isin(UNPAID) | settled_later
    found = invoices[is_unpaid]
    blocker = found["invoice_state"].map({"in_collection": "collection"}).fillna("open_invoice")
    # left out on a later night, it was still stated on that day
    is_certain = ~(found["not_stated_since"] <= on).fillna(False).astype(bool)
    columns = ["party_id", "source", "source_key"]
    told = found[columns].assign(blocker=blocker.astype("str"), is_certain=is_certain)
    return told.sort_values([*columns, "blocker"]).reset_index(drop=True)


def balance(invoices: pd.DataFrame) -> Balance:
    """What one customer's INVOICES add up to as they were last stated."""
    unpaid = invoices[invoices["invoice_state"].isin(UNPAID)]
    silent = unpaid[unpaid["not_stated_since"].notna()]
    return Balance(
        unpaid=len(unpaid),
        oldest_due=_or_none(unpaid["due_date"].min()),
        in_collection=bool((unpaid["invoice_state"] == "in_collection").any()),
        not_stated=len(silent),
        not_stated_since=_or_none(silent["not_stated_since"].max()),
    )


def _or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
