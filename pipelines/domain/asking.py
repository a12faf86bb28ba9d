"""Whom of our customers a register may be asked about by name and address.

Belongs here: picking people out of the register. Does not belong here: who may not be asked about and why
(`steps.ask_in_batches` gathers them), when a question leaves, what it looks like (`connectors`).
"""

from collections.abc import Collection

import pandas as pd

# where somebody lives or gets mail; a contact address is given to reach them by, and not to be passed on
_ADDRESS_TYPES = ("postal", "permanent", "temporary")
_NEEDED = ("family_name", "street_line", "postal_code")


def people_to_ask(
    customers: pd.DataFrame,
    own: pd.DataFrame,
    asked: pd.DataFrame,
    barred: Collection[int],
    before: str,
) -> pd.DataFrame:
    """party_id, own_key, reference and GOLDEN's columns of everybody who is due, one row a party, by own_key.

    customers: GOLDEN. own: PARTY_RECORDS of the own register. asked: own_key, reference, asked_on of whoever was
    ever asked about. barred: parties that may not be. before: ISO date; who was asked after it is not due.
    reference: the one the party goes by already, null for whoever has none.

    Only living people with a name and an address in Finland; never anybody under a protective order, whose
    death estate it is, or whom we can only reach by a contact address (R56, PRIVACY §3).
    """
    place = customers["address_type"].isin(_ADDRESS_TYPES) & customers["country"].fillna("FI").eq(
        "FI"
    )
    open_ = customers["protection"].isin(["off", "not_stated"])
    living = customers["is_deceased"].ne(True).fillna(True).astype(bool)
    plain = customers["party_type"].eq("person") & customers["name_role"].isna()
    named = customers[list(_NEEDED)].notna().all(axis=1)
    allowed = customers[
        (place & open_ & living & plain & named).fillna(False).astype(bool)
        & ~customers["party_id"].isin(list(barred))
    ]
    keys = own[["party_id", "source_key"]].rename(columns={"source_key": "own_key"})
    keys = keys[keys["party_id"].isin(allowed["party_id"])]
    known = keys.merge(asked, on="own_key", how="left")
    recent = known.loc[known["asked_on"].notna() & (known["asked_on"] > before), "party_id"]
    # a party that has a reference keeps it, whatever other numbers of ours have been merged into it
    known = known.assign(is_new=known["reference"].isna()).sort_values(["is_new", "own_key"])
    chosen = known[~known["party_id"].isin(recent)].drop_duplicates("party_id")
    found = chosen[["party_id", "own_key", "reference"]].merge(allowed, on="party_id")
    return found.sort_values("own_key", ignore_index=True)
