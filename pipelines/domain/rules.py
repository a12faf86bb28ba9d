"""What no likelihood overrules: which pairs are never one party, and which only a person may merge.

Belongs here: hard vetoes and caps over named evidence. Does not belong here: likelihood (`mixture`), what
follows for whole clusters (`resolution`).
"""

import numpy as np
import pandas as pd

from pipelines.domain.classes import Levels
from pipelines.domain.evidence import EVIDENCE, ORGANISATION, PERSON
from pipelines.domain.mixture import Flags


def verified(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns of two identity codes or two business ids: no steward makes one party of them."""
    return Levels(patterns, EVIDENCE[table]).of("key", "other")


def forbidden(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns that are never one party.

    Two identity codes or business ids; an estate and a person, unless one identity code says so.

    patterns: a column per fact of the table's evidence.
    """
    if table == "organisation":
        return Levels(patterns, ORGANISATION).of("key", "other")
    facts = Levels(patterns, PERSON)
    estate_and_person = facts.of("estate", "other") & ~facts.of("key", "same")
    return facts.of("key", "other") | estate_and_person


def parted(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns that no cluster holds, over whatever other records, unless a person says so.

    Two births and two given names. Both may be slips, and how likely that is a register tells; but nobody is
    merged on that.
    """
    if table == "organisation":
        return np.zeros(len(patterns), dtype=bool)
    facts = Levels(patterns, PERSON)
    return facts.of("birth", "other") & facts.of("given", "other") & ~facts.of("key", "same")


def against(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns with evidence that speaks against one party without forbidding it."""
    if table == "organisation":
        return Levels(patterns, ORGANISATION).of("name", "other_number")
    facts = Levels(patterns, PERSON)
    return facts.of("birth", "other") | facts.of("second", "other")


def guards(table: str, patterns: pd.DataFrame) -> dict[str, Flags]:
    """By name of the rule, the patterns that only a person may merge, however likely they are.

    None of them holds where identity codes or business ids are equal. `father_and_son`: a birth is missing,
    a roof, telephone or mailbox is shared, and second given names do not agree, which is just what father
    and son of one name look like.
    """
    if table == "organisation":
        company = Levels(patterns, ORGANISATION)
        return {"other_name": ~company.of("key", "same") & ~company.at_least("name", "near")}
    facts = Levels(patterns, PERSON)
    unborn = facts.of("birth", "unstated") & facts.household()
    rules = {
        "protected": facts.of("protected", "other"),  # R56
        "estate": facts.of("estate", "both"),
        "two_births": facts.of("birth", "other"),
        "other_name": facts.of("given", "other", "unstated"),
        "father_and_son": unborn & ~facts.of("second", "same"),
    }
    return {name: ~facts.of("key", "same") & flags for name, flags in rules.items()}


def guarded(table: str, patterns: pd.DataFrame) -> Flags:
    """Patterns that only a person may merge, by whichever rule."""
    flags: Flags = np.logical_or.reduce(list(guards(table, patterns).values()))
    return flags
