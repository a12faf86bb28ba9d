"""Invoices and orders under their customers' numbers: whose a number is, and what stands under somebody's.

Belongs here: finding the one from the other, through merges, as it stands now; nothing of it is kept, so a merge
or a split moves every dealing at once. Does not belong here: what a dealing means (`domain.dealings`).

A number is ours (`hub`: what every recipient calls the customer by) or that of a source's own records; which of
the two, each source's file says under `numbered_by`.
"""

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Connection, select

from pipelines.domain.schemas import GOLDEN, PARTY_RECORDS, Schema
from pipelines.store import frames, nights
from pipelines.store.tables import party_redirect

HUB = "hub"
_RECORD = ["source", "source_key"]
_NUMBER = ["source", "customer_number"]


def owners(
    conn: Connection, dealings: pd.DataFrame, numbered_by: Mapping[str, str]
) -> pd.DataFrame:
    """The rows (source, customer_number and whatever else) with party_id: whose each is, null of a stranger's.

    numbered_by: source → whose numbers it uses; a source nobody declares uses ours.
    """
    numbers = dealings[_NUMBER].dropna().drop_duplicates()
    scheme = numbers["source"].map(lambda source: numbered_by.get(source, HUB)).astype("str")
    ours = numbers[(scheme == HUB) & numbers["customer_number"].str.fullmatch("[0-9]{1,15}")]
    stated = pd.to_numeric(ours["customer_number"]).astype("Int64")
    into = _redirects(conn, stated)
    by_us = ours.assign(party_id=stated.map(into).astype("Int64").fillna(stated))

    theirs = numbers[scheme != HUB].assign(register=scheme[scheme != HUB])
    keys = theirs[["register", "customer_number"]].set_axis(_RECORD, axis=1)
    records = frames.read_matching(conn, PARTY_RECORDS, keys, _RECORD)
    records = records.set_axis(["register", "customer_number", "party_id"], axis=1)
    by_them = theirs.merge(records, on=["register", "customer_number"])

    found = pd.concat([by_us, by_them])[[*_NUMBER, "party_id"]]
    here = frames.read_matching(conn, GOLDEN, found, ("party_id",), ())["party_id"]
    return dealings.merge(found[found["party_id"].isin(here)], on=_NUMBER, how="left")


def of_parties(
    conn: Connection, schema: Schema, parties: pd.DataFrame, numbered_by: Mapping[str, str]
) -> pd.DataFrame:
    """The schema's rows (INVOICES, ORDERS) of these parties (party_id), with party_id, in the key's order."""
    merged = nights.redirects_into(conn, parties).rename(columns={"into_party_id": "now"})
    ids = pd.concat([parties[["party_id"]].assign(now=parties["party_id"]), merged])
    # as we write it, and as a spreadsheet leaves it
    written = [ids["party_id"].map(lambda n, w=w: f"{n:{w}}").astype("str") for w in ("06d", "d")]
    ours = pd.concat([ids.assign(customer_number=text) for text in written])
    ours = ours.assign(register=HUB)[["register", "customer_number", "now"]]
    records = frames.read_matching(conn, PARTY_RECORDS, parties, ("party_id",))
    theirs = records.set_axis(["register", "customer_number", "now"], axis=1)
    numbers = pd.concat([ours, theirs]).drop_duplicates(["register", "customer_number"])
    sources = pd.DataFrame(list(numbered_by.items()), columns=["source", "register"], dtype="str")
    keys = sources.merge(numbers, on="register")
    found = frames.read_matching(conn, schema, keys, _NUMBER)
    return found.merge(
        keys[[*_NUMBER, "now"]].rename(columns={"now": "party_id"}), on=_NUMBER, how="left"
    )


def _redirects(conn: Connection, parties: pd.Series) -> dict[int, int]:
    keys = pd.DataFrame({"party_id": parties})
    found = frames.rows(
        conn,
        select(party_redirect.c.party_id, party_redirect.c.into_party_id).where(
            frames.matching(conn, party_redirect, keys, ("party_id",))
        ),
    )
    return dict(zip(found["party_id"], found["into_party_id"], strict=True))
