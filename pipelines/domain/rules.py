"""What no likelihood overrules: which pairs are never one party, and which only a person may merge.

Belongs here: hard vetoes and caps over named evidence. Does not belong here: likelihood (`mixture`), what
follows for whole clusters (`resolution`).
"""

import pandas as pd

from pipelines.domain.classes import Levels
from pipelines.domain.evidence import ORGANISATION, PERSON
from pipelines.domain.mixture import Flags


def forbidden(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns that are never one party.

    Two identity codes or business ids; two births and two given names; an estate and a person, unless one
    identity code says so.

    patterns: a column per fact of the table's evidence.
    """
    if table == "organisation":
        return Levels(patterns, ORGANISATION).of("key", "other")
    facts = Levels(patterns, PERSON)
    two_births = facts.of("birth", "other") & facts.of("given", "other") & ~facts.of("key", "same")
    estate_and_person = facts.of("estate", "other") & ~facts.of("key", "same")
    return facts.of("key", "other") | two_births | estate_and_person


def against(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns with evidence that speaks against one party without forbidding it."""
    if table == "organisation":
        return Levels(patterns, ORGANISATION).of("name", "other_number")
    facts = Levels(patterns, PERSON)
    return facts.of("birth", "other") | facts.of("second", "other")


def guarded(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns that only a person may merge, however likely they are.

    Without an equal identity code: a protected person (R56); an estate; two births; another given name; and, where a birth is missing, people
    of one household whose second given names do not agree: father and son of one name look just so.
    Organisations are never merged on other than a like name.
    """
    if table == "organisation":
        facts = Levels(patterns, ORGANISATION)
        return ~facts.of("key", "same") & ~facts.at_least("name", "near")
    facts = Levels(patterns, PERSON)
    unborn = facts.of("birth", "unstated") & facts.household() & ~facts.of("second", "same")
    other_name = facts.of("given", "other", "unstated") | facts.of("birth", "other")
    special = facts.of("protected", "other") | facts.of("estate", "both")
    return ~facts.of("key", "same") & (unborn | other_name | special)
