"""What a source's file promises of every delivery, as expectations made from its `files:` section.

Belongs here: which checks and rules a file's columns, types, codes, keys and references amount to, and how a
steward reads a broken one. Does not belong here: reading the file, where columns, types and codes are held to
(`connectors.tabular`); what its rows mean (`expectations.rules`); usual sizes (`volume`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from expectations.rules.rule import Rule, holds, meaning

COLUMNS, VALUES, KEYS, REFERENCES, VOLUME = CHECKS = (
    "columns_as_agreed",
    "values_as_agreed",
    "keys_unique",
    "references_hold",
    "volume_usual",
)
REFERENCE_UNKNOWN = "reference_unknown"
DUPLICATE_KEY = "duplicate_key"
UNDECLARED_CODE = "undeclared_code"
# kind → field → the kind it names, where that is in the same delivery
_NAMES: Mapping[str, Mapping[str, str]] = {"role": {"party": "party", "point": "point"}}

# By what the reader calls it; the quarantine shows its own reason instead, which knows row and column.
MEANINGS = {
    "wrong_number_of_fields": meaning(
        "Rivillä on eri määrä kenttiä kuin otsikolla.",
        "Raden har ett annat antal fält än rubriken.",
        "A row has another number of fields than the header.",
    ),
    "broken_quoting": meaning(
        "Rivin lainausmerkit eivät sulkeudu.",
        "Radens citattecken sluts inte.",
        "A row's quotes do not close.",
    ),
    "too_long": meaning(
        "Arvo on pidempi kuin mikään arvo voi olla.",
        "Ett värde är längre än ett värde kan vara.",
        "A value is longer than any may be.",
    ),
    "spreadsheet_error": meaning(
        "Arvon paikalla on taulukkolaskennan virhe.",
        "I stället för ett värde står ett kalkylfel.",
        "A spreadsheet's error stands in place of a value.",
    ),
    "not_a_date": meaning(
        "Päivän paikalla on muuta kuin päivä.",
        "I stället för ett datum står något annat.",
        "Something else stands where a date should.",
    ),
    "not_an_instant": meaning(
        "Ajankohdan paikalla on muuta kuin ajankohta.",
        "I stället för en tidpunkt står något annat.",
        "Something else stands where a time should.",
    ),
    "not_a_number": meaning(
        "Luvun paikalla on muuta kuin luku.",
        "I stället för ett tal står något annat.",
        "Something else stands where a number should.",
    ),
    "unknown_code": meaning(
        "Koodi, jota ei ole sovittu; riviä ei otettu.",
        "En kod som inte har avtalats; raden togs inte in.",
        "A code nobody has agreed on; the row was not taken in.",
    ),
    UNDECLARED_CODE: meaning(
        "Koodi, jota ei ole sovittu; luettiin sovitulla tavalla.",
        "En kod som inte har avtalats; lästes på avtalat sätt.",
        "A code nobody has agreed on; it was read as agreed for such.",
    ),
    "missing_value": meaning(
        "Pakollinen sarake on tyhjä.",
        "En obligatorisk kolumn är tom.",
        "A column that must be filled is empty.",
    ),
    DUPLICATE_KEY: meaning(
        "Samalla tunnuksella on kaksi erilaista riviä.",
        "Två olika rader har samma nyckel.",
        "Two rows that differ have one key.",
    ),
    REFERENCE_UNKNOWN: meaning(
        "Rivi viittaa asiakkaaseen tai kulutuspisteeseen, jota toimituksessa ei ole.",
        "Raden hänvisar till en kund eller ett förbrukningsställe som inte finns i leveransen.",
        "A row names a party or point that is not in the delivery.",
    ),
}


@dataclass(frozen=True)
class Promises:
    """checks: what is shown of each delivery. references: kind → field → the kind it names."""

    checks: tuple[str, ...]
    references: Mapping[str, Mapping[str, str]]


def promises(files: object, *, complete: bool = True) -> Promises:
    """What a source's `files:` section promises; of a source without files nothing.

    complete: a delivery is all there is; otherwise neither its size nor its references say anything.
    """
    if not isinstance(files, Mapping):
        return Promises((), {})
    kinds = {str(f.get("kind")) for f in files.values() if isinstance(f, Mapping)}
    references = {
        kind: {field: to for field, to in named.items() if to in kinds}
        for kind, named in _NAMES.items()
        if kind in kinds and complete
    }
    references = {kind: named for kind, named in references.items() if named}
    shown = [COLUMNS, VALUES, KEYS]
    shown += [REFERENCES] if references else []
    shown += [VOLUME] if complete else []
    return Promises(tuple(shown), references)


def reference_rules(
    named: Mapping[str, str], there: Mapping[str, frozenset[str]]
) -> tuple[Rule, ...]:
    """A rule for each field of a kind that names another: its value is a key of the delivery.

    named: field → the kind it names. there: kind → the keys in the delivery. A field that is empty names
    nobody; whether it may be is another rule's.
    """

    def asked(field: str, keys: frozenset[str]) -> Rule:
        def is_there(rows: pd.DataFrame) -> pd.Series:
            return rows[field].isna() | rows[field].isin(keys)

        return Rule(REFERENCE_UNKNOWN, field, "warning", "present", column=holds(is_there))

    return tuple(asked(field, there.get(kind, frozenset())) for field, kind in named.items())
