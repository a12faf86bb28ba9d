"""Rules about invoices and orders that a schema can't say.

Belongs here: what makes a dealing of use when somebody asks to be forgotten. Does not belong here: whose it
is, which only the whole register knows.
"""

import pandas as pd

from expectations.rules.rule import Rule, holds, meaning
from pipelines.domain.dealings import UNPAID

MEANINGS = {
    "settled_without_date": meaning(
        "Maksetulta, hyvitetyltä tai suljetulta laskulta puuttuu päivä.",
        "Datum saknas för en betald, krediterad eller avslutad faktura.",
        "A paid, credited or closed invoice has no day on which it was.",
    ),
    "unpaid_but_settled": meaning(
        "Avoimella tai perittävällä laskulla on silti päättymispäivä.",
        "En öppen faktura eller en faktura i indrivning har ändå ett slutdatum.",
        "An invoice that is open or in collection has a day on which it was settled.",
    ),
    "order_without_day": meaning(
        "Tilaukselta puuttuu päivä.", "Beställningen saknar datum.", "An order has no day."
    ),
}


def _is_dated_once_settled(invoices: pd.DataFrame) -> pd.Series:
    return invoices["invoice_state"].isin(UNPAID) | invoices["closed_date"].notna()


def _is_undated_until_settled(invoices: pd.DataFrame) -> pd.Series:
    return ~invoices["invoice_state"].isin(UNPAID) | invoices["closed_date"].isna()


INVOICE_RULES = (
    Rule(
        "settled_without_date", "closed_date", "warning", "present",
        column=holds(_is_dated_once_settled),
    ),
    Rule(
        "unpaid_but_settled", "closed_date", "warning", "present",
        column=holds(_is_undated_until_settled),
    ),
)  # fmt: skip
ORDER_RULES = (Rule("order_without_day", "ordered_on", "warning", "present"),)
