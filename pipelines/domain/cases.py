"""One customer → what may be told of them for one case, application or demand of the law (R17, R20).

Belongs here: the columns of a per-case contract, what a reference may look like, why somebody is not told of. Does
not belong here: whose case it is and who asked (`steps.prepare_case`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipelines.domain.extract import Contract, as_texts, demand, tellable_place

CASE_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "case_reference": ("case_reference",),
    "statute_reference": ("statute_reference",),
    "customer_number": ("party_id",),
    "party_kind": ("party_type",),
    "name": ("display_name",),
    "business_id": ("business_id",),
    "street_line": ("care_of", "street_line"),
    "postal_code": ("postal_code",),
    "post_office": ("post_office",),
    "country": ("country",),
}
"""All that a per-case contract may ask for, and what of ours each column is made of."""

# An id somebody else gave: no blank, so no sentence and no name; long digit runs with a mark are identity codes.
_REFERENCE = re.compile(r"[0-9A-Za-z][0-9A-Za-z/._-]{0,39}")
_IDENTITY_CODE = re.compile(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-Y]", re.IGNORECASE)
# «119/2001 21 §», «VHL 119/2001 21 § 2 mom», with or without an abbreviation before it
_STATUTE = re.compile(
    r"(?:[A-ZÅÄÖ][A-Za-zåäö]{0,11} )?\d{1,4}/\d{4}(?: \d{1,3} ?[a-z]? (?:luku|§|mom|kohta))*"
)


@dataclass(frozen=True)
class Case:
    """What a disclosure rests on. reference: the case's or application's id at whoever asks.

    statute: the law and section, for who is told by law. claim: the reference of the legal claim for which
    somebody whose processing is restricted is told of all the same (R45; GDPR 18(2)).
    """

    reference: str
    statute: str | None = None
    claim: str | None = None


def unfit(case: Case, contract_reference: str) -> str | None:
    """Why these references can't stand in a delivery; None when they can. Never quotes one."""
    for what, text in (("case", case.reference), ("legal claim", case.claim)):
        if text is not None and (not _REFERENCE.fullmatch(text) or _IDENTITY_CODE.search(text)):
            return f"the {what} reference has to be an id: letters, digits and / . _ -, 40 at most"
    if (contract_reference == "statute") != (case.statute is not None):
        given = "is missing" if case.statute is None else "is for who is told by law only"
        return f"the statute {given} (R20)"
    if case.statute is not None and not _STATUTE.fullmatch(case.statute):
        return "the statute has to be a law's number and section, as 119/2001 21 §"
    return None


def case_row(golden: pd.DataFrame, case: Case, contract: Contract) -> tuple[pd.DataFrame, str]:
    """row_key, party_id and the contract's columns of one customer (GOLDEN, one row), and what stands against it.

    The second is empty, or: no_name, no_address, protected_no_route (R56: a protected customer goes by the contact
    address or not at all), death_estate (the name alone would name the dead). With it there is no row. Name and address
    are asked for only where the contract has them.
    """
    demand(contract, CASE_MADE_OF)
    (party,) = golden.to_dict("records")
    place = tellable_place(golden).iloc[0]
    # where there is no code for places, abroad, its absence is no gap
    is_abroad = pd.notna(place["country"]) and place["country"] != "FI"
    wanted = {"street_line", "post_office", *(() if is_abroad else ("postal_code",))}
    lacks = place[[c for c in contract.columns if c in wanted]].isna().any()
    reason = ""
    if "name" in contract.columns and pd.isna(party["display_name"]):
        reason = "no_name"
    elif party["name_role"] == "death_estate":
        reason = "death_estate"
    elif lacks:
        reason = "protected_no_route" if party["protection"] == "on" else "no_address"
    number = str(party["party_id"]).zfill(6)
    row = {
        "row_key": f"{number}-{case.reference}",
        "party_id": party["party_id"],
        "case_reference": case.reference,
        "statute_reference": case.statute,
        "customer_number": number,
        "party_kind": party["party_type"],
        "name": party["display_name"],
        "business_id": party["business_id"] if party["party_type"] == "organisation" else None,
        **place.to_dict(),
    }
    made = as_texts(pd.DataFrame([row]), contract.columns)
    return (made.iloc[:0] if reason else made), reason
