"""Rules about addresses that a schema can't say.

Belongs here: what makes a Finnish address usable (FORMATS §6). Does not belong here: which address wins, or
whether it may be told.
"""

import pandas as pd

from expectations.rules.rule import Rule, holds, meaning
from expectations.rules.text import text_rules

MEANINGS = {
    "finnish_postal_code": meaning(
        "Suomalaisessa postinumerossa ei ole viittä numeroa.",
        "Ett finländskt postnummer består inte av fem siffror.",
        "A Finnish postal code is not five digits.",
    ),
    "address_incomplete": meaning(
        "Osoitteesta puuttuu katuosoite, postinumero tai postitoimipaikka.",
        "Adressen saknar gatuadress, postnummer eller postanstalt.",
        "An address lacks its street line, postal code or post office.",
    ),
    "street_line_outside_grammar": meaning(
        "Katuosoitteessa on muuta kuin osoite, esimerkiksi ohje tai ovikoodi.",
        "Gatuadressen innehåller annat än en adress, till exempel en anvisning eller portkod.",
        "A street line holds something else than an address, an instruction or a door code perhaps.",
    ),
    "address_ends_before_it_begins": meaning(
        "Osoitteen voimassaolo päättyy ennen kuin se alkaa.",
        "Adressens giltighet upphör innan den börjar.",
        "An address stops being valid before it starts.",
    ),
}


def finnish_postal_code(places: pd.DataFrame) -> pd.Series:
    """The postal codes that have to be Finnish: all of them, where a frame knows no countries."""
    if "country" not in places:
        return places["postal_code"]
    return places["postal_code"].where(places["country"] == "FI")


def _is_complete(addresses: pd.DataFrame) -> pd.Series:
    parts = ["street_line", "postal_code", "post_office"]
    return (addresses["country"] != "FI") | addresses[parts].notna().all(axis=1)


def _follows_grammar(addresses: pd.DataFrame) -> pd.Series:
    line = addresses["street_line"].astype(object)
    is_other = line.str.fullmatch(r"PL \d+|Poste restante|Noudetaan", na=True)
    return (addresses["country"] != "FI") | addresses["street_name"].notna() | is_other.astype(bool)


def _ends_after_start(addresses: pd.DataFrame) -> pd.Series:
    start, end = addresses["valid_from"], addresses["valid_to"]
    return start.isna() | end.isna() | (start <= end)


RULES = (
    Rule(
        "finnish_postal_code", "postal_code", "critical", "matches",
        pattern=r"\A[0-9]{5}\Z", column=finnish_postal_code,
    ),
    Rule("address_incomplete", "street_line", "warning", "present", column=holds(_is_complete)),
    Rule(
        "street_line_outside_grammar", "street_line", "warning", "present",
        column=holds(_follows_grammar),
    ),
    Rule(
        "address_ends_before_it_begins", "valid_to", "warning", "present",
        column=holds(_ends_after_start),
    ),
    *text_rules("care_of", "street_line", "post_office"),
)  # fmt: skip
