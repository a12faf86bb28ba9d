"""The register → what finance is told: its contract's columns, and only what it doesn't know yet.

Belongs here: who is in an extract and who is held back with a reason, the events of the billing extract
(DESIGN 11), what a contract is to the domain. Does not belong here: what goes back to a register
(`returns`), the bytes and their limits (recipients), the delivery protocol (`steps`), which value is golden
(`survivorship`).

Every value leaves as text, empty where unused, and rows are ordered by an opaque key: nothing in an
extract tells a protected customer from another (R56, PRIVACY §3).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

PLACE = ("street_line", "postal_code", "post_office")
_FINAL = {
    "final_invoice_line": "street_line",
    "final_invoice_postal_code": "postal_code",
    "final_invoice_post_office": "post_office",
}
_OF_THE_EVENT = frozenset(
    {"event", "valid_from", "ended_on", "merged_into", "customer_state", "withdrawn", *_FINAL}
)
# what may have been told before and hold no longer: our word → its column, and the channel it is of
_WITHDRAWN = {
    **{name: (name, None) for name in (*PLACE, "country", "business_id")},
    "email": ("channel_address", "email"),
    "einvoice_address": ("channel_address", "einvoice"),
    "einvoice_operator": ("channel_operator", "einvoice"),
}
_OVER = ("ended", "merged")

BILLING_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "event": ("event",),
    "customer_number": ("party_id",),
    "party_kind": ("party_type",),
    "invoice_name": ("display_name", "name_role"),
    "street_line": ("care_of", "street_line"),
    "postal_code": ("postal_code",),
    "post_office": ("post_office",),
    "country": ("country",),
    "business_id": ("business_id",),
    "delivery_channel": ("delivery_channel",),
    "channel_address": ("einvoice_address", "email"),
    "channel_operator": ("einvoice_operator",),
    "point_ref": ("point_ref",),
    "valid_from": ("valid_from",),
    "ended_on": ("valid_to",),
    **dict.fromkeys(_FINAL, ("final_invoice",)),
    "merged_into": ("party_id",),
    "customer_state": ("valid_to",),
    "withdrawn": (
        *PLACE,
        "care_of",
        "country",
        "business_id",
        "email",
        "einvoice_address",
        "einvoice_operator",
    ),
}
"""All that a billing contract may ask for, and what of ours each column is made of."""
BILLING_COLUMNS = tuple(BILLING_MADE_OF)


@dataclass(frozen=True)
class Contract:
    """What a recipient is told (config/recipients): its columns, in order, and what of ours each is made of."""

    recipient: str
    version: str
    columns: tuple[str, ...]
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Rows:
    """The billing extract as it stands on a date; frames sorted by their first column.

    rows: row_key, party_id, BILLING_COLUMNS; one row per party and point with an open payer role.
    held: [party_id, reason], who would be billed and can't be: restricted, no_golden_record, no_point,
    no_name, no_address, protected_no_route, no_einvoice_address, no_email.
    endings: as rows, of payer roles that have ended with none open in their place; customer_number,
    point_ref, ended_on and the final-invoice address are given.
    """

    rows: pd.DataFrame
    held: pd.DataFrame
    endings: pd.DataFrame


def billing_rows(
    golden: pd.DataFrame,
    contact_addresses: pd.DataFrame,
    roles: pd.DataFrame,
    points: pd.DataFrame,
    final_addresses: pd.DataFrame,
    business_date: str,
    held_parties: Collection[int] = (),
) -> Rows:
    """Who pays for what on business_date, and by which route the bill goes.

    golden: GOLDEN. contact_addresses, final_addresses: party_id and the columns of ADDRESSES. roles:
    GOLDEN_ROLES; a payer's is open while valid_from <= business_date < valid_to, null being open-ended.
    points: GOLDEN_POINTS. held_parties: restricted or held by a steward (R45).

    An address is given on paper only, so an e-invoiced protected customer looks like any other. Paper is
    the channel when none is stated. On paper a protected customer goes by the contact address or is held,
    and a final-invoice address is never given (R56), nor to whom no paper goes. ended_on is the first day no
    longer paid for.
    """
    begun = roles["valid_from"].isna() | (roles["valid_from"] <= business_date)
    paying = roles[(roles["role_type"] == "payer") & begun]
    paying = paying.assign(row_key=row_keys(paying))
    paying["point_ref"] = paying["point_id"].map(points.set_index("point_id")["point_ref"])
    is_open = paying["valid_to"].isna() | (paying["valid_to"] > business_date)

    bills = paying[is_open].sort_values(["row_key", "valid_from"]).drop_duplicates("row_key")
    bills = bills[["row_key", "party_id", "point_ref", "valid_from"]].merge(
        _routes(golden, contact_addresses, business_date), on="party_id", how="left"
    )
    reason = _obstacle(bills, held_parties)
    held = bills.assign(reason=reason).loc[reason != "", ["party_id", "reason"]]

    over = paying[~is_open & ~paying["row_key"].isin(bills["row_key"])]
    over = over.sort_values(["row_key", "valid_to"]).drop_duplicates("row_key", keep="last")
    on_paper = golden["delivery_channel"].isna() | (golden["delivery_channel"] == "paper")
    withheld = golden.loc[(golden["protection"] == "on") | ~on_paper, "party_id"]
    shown = ~final_addresses["party_id"].isin(withheld)
    final = _newest(final_addresses[shown]).rename(columns={c: f for f, c in _FINAL.items()})
    endings = over[["row_key", "party_id", "point_ref", "valid_to"]].merge(
        final[["party_id", *_FINAL]], on="party_id", how="left"
    )
    endings = endings.rename(columns={"valid_to": "ended_on"})
    endings["customer_number"] = _customer_numbers(endings["party_id"])
    return Rows(
        rows=as_texts(bills[reason == ""], BILLING_COLUMNS),
        held=held.drop_duplicates().sort_values(["party_id", "reason"]).reset_index(drop=True),
        endings=as_texts(endings, BILLING_COLUMNS),
    )


def billing_events(
    rows: pd.DataFrame,
    told: pd.DataFrame,
    redirects: pd.DataFrame,
    contract: Contract,
    endings: pd.DataFrame | None = None,
    held: pd.DataFrame | None = None,
    business_date: str | None = None,
) -> pd.DataFrame:
    """What the recipient has to hear to know tonight's rows: row_key, party_id, the contract's columns.

    rows, endings, held: of `Rows`. told: [row_key, party_id, row], the last row told under each key as a
    dict of the contract's columns, `event` among them. redirects: [party_id, into_party_id], all that
    hold. Sorted by row_key; when there is nothing to tell, no rows.

    * new: never told, or told as ended and now open again · changed: a column of the contract differs
    * ended: its payer role ended, also where the party was merged meanwhile
    * merged: told under a party that redirects; the point goes on under merged_into
    * split: told as merged, and its party lives and pays again

    For recipients that keep customers and no points: customer_state is `paying` while the party pays, or would
    if nothing held it back, for any point, else `ended`; withdrawn names what was told of an open row and is
    empty now.
    A told row of somebody held stays as it is. With `held` and `business_date`, a told row that is
    neither open nor ended nor its party's held (its role went to another party) ends on that date.
    Raises KeyError, naming columns, for a contract the extract can't fill.
    """
    demand(contract, BILLING_MADE_OF)
    before = _parsed(told, contract)
    paying = [rows["party_id"]] if held is None else [rows["party_id"], held["party_id"]]
    tonight = as_texts(rows, BILLING_COLUMNS).merge(
        before.drop(columns="party_id"), on="row_key", how="left", suffixes=("", "_before")
    )
    differs = np.zeros(len(tonight), dtype=bool)
    for name in set(contract.columns) - _OF_THE_EVENT:
        differs |= (tonight[name] != tonight[f"{name}_before"]).to_numpy(dtype=bool)
    past = tonight["event_before"].fillna("")
    tonight["event"] = np.select(
        [past.isin(["", "ended"]), past == "merged", differs], ["new", "split", "changed"], ""
    )
    tonight["withdrawn"] = _withdrawn(tonight, contract)

    lost = before[~before["event"].isin(_OVER) & ~before["row_key"].isin(rows["row_key"])]
    lost = lost[["row_key", "party_id", "point_ref"]]
    lost["customer_number"] = _customer_numbers(lost["party_id"])
    into = lost["party_id"].map(_final_parties(redirects)).astype("Int64")
    merged_into = _customer_numbers(into)
    lost["merged_into"] = merged_into
    point = lost["row_key"].str.extract("-(.*)", expand=False)
    lost["heir_key"] = lost["row_key"].where(into.isna(), merged_into + "-" + point)

    over = as_texts(rows.iloc[:0], BILLING_COLUMNS) if endings is None else endings
    ended = lost.drop(columns="merged_into").merge(
        over[["row_key", "ended_on", *_FINAL]].rename(columns={"row_key": "heir_key"}),
        on="heir_key",
    )
    rest = lost[~lost["row_key"].isin(ended["row_key"])]
    goes_on = rest["merged_into"].notna()
    events = [
        tonight[tonight["event"] != ""],
        ended.assign(event="ended"),
        rest[goes_on].assign(event="merged"),
    ]
    if held is not None and business_date is not None:
        moved = rest[~goes_on & ~rest["party_id"].isin(held["party_id"])]
        events.append(moved.assign(event="ended", ended_on=business_date))
    pays = pd.concat(paying).dropna()
    events = [
        part.assign(customer_state=np.where(part["party_id"].isin(pays), "paying", "ended"))
        for part in events
    ]
    return as_texts(
        pd.concat([as_texts(part, contract.columns) for part in events]), contract.columns
    )


def _withdrawn(tonight: pd.DataFrame, contract: Contract) -> pd.Series:
    """Names of what each row's last telling said and tonight's leaves empty, one space between them."""
    names = pd.Series("", index=tonight.index, dtype="str")
    for name, (column, channel) in _WITHDRAWN.items():
        if not {column, channel and "delivery_channel"} <= {*contract.columns, None}:
            continue
        was, is_now = tonight[f"{column}_before"].fillna("") != "", tonight[column] != ""
        if channel is not None:
            was &= tonight["delivery_channel_before"] == channel
            is_now &= tonight["delivery_channel"] == channel
        names += np.where(was & ~is_now, f" {name}", "")
    return names.str.strip()


def _routes(golden: pd.DataFrame, contacts: pd.DataFrame, business_date: str) -> pd.DataFrame:
    """Per party how its bill goes: the columns of the extract, and why it can't as `obstacle`."""
    party, channel = golden, golden["delivery_channel"].fillna("paper")
    is_protected = party["protection"] == "on"
    begun = contacts["valid_from"].isna() | (contacts["valid_from"] <= business_date)
    current = begun & (contacts["valid_to"].isna() | (contacts["valid_to"] > business_date))
    contact = _newest(contacts[current & (contacts["address_type"] == "contact")])
    place = tellable_place(golden, contact)
    is_abroad = place["country"].fillna("FI") != "FI"
    incomplete = place["street_line"].isna() | place["post_office"].isna()
    incomplete |= place["postal_code"].isna() & ~is_abroad

    paper, einvoice, email = (channel == name for name in ("paper", "einvoice", "email"))
    name = party["display_name"]
    # The name of a death estate without its role would bill the dead person.
    estate = party["name_role"] == "death_estate"
    return pd.DataFrame(
        {
            "party_id": party["party_id"],
            "customer_number": _customer_numbers(party["party_id"]),
            "party_kind": party["party_type"],
            "invoice_name": name.where(~estate, name + " kuolinpesä"),
            **{column: place[column].where(paper) for column in place},
            "business_id": party["business_id"].where(party["party_type"] == "organisation"),
            "delivery_channel": channel,
            "channel_address": party["einvoice_address"]
            .where(einvoice)
            .fillna(party["email"].where(email)),
            "channel_operator": party["einvoice_operator"].where(einvoice),
            "obstacle": np.select(
                [
                    name.isna(),
                    paper & incomplete & is_protected,
                    paper & incomplete,
                    einvoice
                    & (party["einvoice_address"].isna() | party["einvoice_operator"].isna()),
                    email & party["email"].isna(),
                ],
                ["no_name", "protected_no_route", "no_address", "no_einvoice_address", "no_email"],
                "",
            ),
        }
    )


def tellable_place(golden: pd.DataFrame, contact: pd.DataFrame | None = None) -> pd.DataFrame:
    """Per row of GOLDEN its street line, postal code, post office and country, as they may be told (R56).

    Of a protected party the row's own address counts only if it says that this is the contact address; else the
    one in `contact` (party_id and the columns of ADDRESSES, one a party), or nothing. A line of its own for c/o
    there is none: it goes before the street, as on an envelope.
    """
    party = golden["party_id"]
    hidden = (golden["protection"] == "on") & (golden["address_type"] != "contact")
    known = None if contact is None else contact.set_index("party_id")
    parts = {
        name: golden[name].where(~hidden, None if known is None else party.map(known[name]))
        for name in ("care_of", *PLACE, "country")
    }
    with_care_of = "c/o " + parts.pop("care_of") + ", " + parts["street_line"]
    return pd.DataFrame(parts | {"street_line": with_care_of.fillna(parts["street_line"])})


def _obstacle(bills: pd.DataFrame, held_parties: Collection[int]) -> pd.Series:
    """Why each bill can't go out; empty where it can."""
    reason = np.select(
        [
            bills["party_id"].isin(list(held_parties)),
            bills["obstacle"].isna(),
            bills["point_ref"].isna(),
        ],
        ["restricted", "no_golden_record", "no_point"],
        bills["obstacle"].fillna("").to_numpy(dtype="str"),
    )
    return pd.Series(reason, index=bills.index, dtype="str")


def _newest(addresses: pd.DataFrame) -> pd.DataFrame:
    """One address per party: the one stated last, at equal times the smallest number and line."""
    ordered = addresses.assign(stated_at=addresses["stated_at"].fillna("")).sort_values(
        ["party_id", "stated_at", "address_no", *PLACE], ascending=[True, False] + [True] * 4
    )
    return ordered.drop_duplicates("party_id")


def _parsed(told: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The rows told, taken apart; absent values are empty as in `as_texts`."""
    columns = [*dict.fromkeys(("event", "point_ref", *contract.columns))]
    rows = pd.DataFrame(list(told["row"]), index=told.index).reindex(columns=columns)
    rows = rows.astype("str").fillna("")
    return pd.concat([told[["row_key", "party_id"]], rows], axis=1)


def _final_parties(redirects: pd.DataFrame) -> pd.Series:
    """Each redirecting party → the living one at the end of its chain."""
    into = redirects.set_index("party_id")["into_party_id"]
    for _ in range(len(into).bit_length()):
        into = into.map(into).fillna(into)
    return into


def demand(contract: Contract, made_of: Mapping[str, tuple[str, ...]]) -> None:
    """Raises KeyError, naming columns, for one that can't be made, or that holds more than the contract says."""
    unknown = sorted(set(contract.columns) - set(made_of))
    if unknown:
        raise KeyError(f"{contract.recipient}: the extract has no column {', '.join(unknown)}")
    silent = [c for c in contract.columns if set(made_of[c]) - set(contract.made_of.get(c, ()))]
    if contract.made_of and silent:
        raise KeyError(f"{contract.recipient}: more stands in {', '.join(silent)} than is agreed")


def as_texts(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """row_key, party_id and the columns as text, empty where null or absent, sorted by row_key."""
    texts = frame.reindex(columns=["row_key", "party_id", *columns])
    texts = texts.astype({"row_key": "str", "party_id": "Int64"} | dict.fromkeys(columns, "str"))
    filled: pd.DataFrame = texts.fillna(dict.fromkeys(columns, ""))
    return filled.sort_values("row_key").reset_index(drop=True)


def row_keys(roles: pd.DataFrame) -> pd.Series:
    """The key of each role's row: its party and its point."""
    return _customer_numbers(roles["party_id"]) + "-" + _customer_numbers(roles["point_id"])


def _customer_numbers(ids: pd.Series) -> pd.Series:
    """Our id as a recipient knows it: at least six digits; null stays null."""
    return ids.astype("Int64").astype("str").str.zfill(6)
