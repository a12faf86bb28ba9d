"""How two records compare, fact by fact: one row a pair, one column a fact, a small number a level.

Belongs here: the comparisons as SQL. Does not belong here: what a level is worth (`domain.mixture`), its
meaning in words and the order of levels (`domain.evidence`), which pairs there are (`candidates`).
"""

from collections.abc import Mapping

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd

from pipelines.domain.evidence import EVIDENCE

Cases = Mapping[str, Mapping[str, str]]
"""Fact → level → SQL condition over a (left) and b (right); the first that holds counts, `other` if none."""


def _shares(column: str, same: str) -> dict[str, str]:
    """Levels of an equal value by how many records have it; equal and rare says more.

    Of names that are written the other way round the larger share counts: the one that is in its place.
    """
    share = f"greatest(a.{column}_share, b.{column}_share)"
    return {
        "same_very_rare": f"({same}) and {share} < 0.00003",
        "same_rare": f"({same}) and {share} < 0.0003",
        "same_usual": f"({same}) and {share} < 0.003",
        "same_common": same,
    }


def _unstated(column: str) -> str:
    return f"a.{column} is null or b.{column} is null"


def _slip(column: str) -> str:
    """One letter more, less or other, or two changed places; the cheap test goes before the dear one."""
    return (
        f"(abs(length(a.{column}) - length(b.{column})) <= 1 "
        f"and jaro_winkler_similarity(a.{column}, b.{column}) >= 0.6 "
        f"and damerau_levenshtein(a.{column}, b.{column}) <= 1)"
    )


def _slip_in_half(column: str) -> str:
    """The same of longer texts: wherever a slip is, half of the text but a letter stands before it or behind it.

    A case a test: the cheap ones are then asked of all, the dear ones only of those that passed. No letter takes more
    than four bytes, and bytes need not be counted.
    """
    half = f"greatest(least(length(a.{column}), length(b.{column})) // 2 - 1, 0)"
    halves = " or ".join(
        f"{end}(a.{column}, {half}) = {end}(b.{column}, {half})" for end in ("left", "right")
    )
    return (
        f"(case when abs(strlen(a.{column}) - strlen(b.{column})) > 4 then false "
        f"when abs(length(a.{column}) - length(b.{column})) > 1 then false "
        f"when {halves} then {_slip(column)} else false end)"
    )


def _close(column: str, likeness: float) -> str:
    return f"jaro_winkler_similarity(a.{column}, b.{column}) >= {likeness} or {_slip(column)}"


_SWAPPED = "a.g1 = b.f and a.f = b.g1"
_SAME_STREET = (
    f"(jaro_winkler_similarity(a.street, b.street) >= 0.88 or {_slip('street')})"  # or misspelt
)
_OTHERS = """greatest(coalesce(a.others, 0), coalesce(b.others, 0))
    - (a.place = b.place and left(a.g1, 2) <> left(b.g1, 2))::int"""
_ELSEWHERE = {
    column: f" or list_has_any(a.{column}, b.{column})"
    for column in ("homes", "places", "properties")
}
"""What holds only where somebody is known at several places."""
_CONTACTS: Cases = {
    "address": {
        "same_home": "a.place = b.place and a.flat is not distinct from b.flat"
        + _ELSEWHERE["homes"],
        "other_flat": "a.place = b.place and a.flat <> b.flat",
        # a flat left out or a street misspelt happens to anybody alike
        "same_house": f"a.place = b.place{_ELSEWHERE['places']} or a.house = b.house "
        f"and (left(a.code, 2) = left(b.code, 2) or a.office = b.office) and {_SAME_STREET}",
        "same_numbers": "a.house = b.house and a.code = b.code",
        "same_street": f"(a.code = b.code or a.office = b.office) and {_SAME_STREET}",
        "unstated": _unstated("place"),
        "same_area": "a.code = b.code",
    },
    "property": {
        "unstated": _unstated("property"),
        "same": f"a.property = b.property{_ELSEWHERE['properties']}",
    },
    "phone": {
        "unstated": _unstated("phone"),
        "same": "a.phone = b.phone",
        "near": f"length(a.phone) = length(b.phone) and {_slip_in_half('phone')}",
    },
    "email": {
        "unstated": _unstated("email"),
        "same": "a.email = b.email",
        # a number behind a name is somebody else's mailbox, not a slip
        "near": f"{_slip_in_half('email')} and translate(a.email, '0123456789', '') "
        "<> translate(b.email, '0123456789', '')",
    },
}

_PERSON: Cases = {
    "key": {"unstated": _unstated("living_key"), "same": "a.living_key = b.living_key"},
    "birth": {"unstated": _unstated("birth"), "same": "a.birth = b.birth"},
    "given": {
        "unstated": _unstated("g1"),
        **_shares("g1", f"a.g1 = b.g1 or ({_SWAPPED})"),
        # where both state one second name, nobody is called by it
        "second": "(a.g1 = b.g2 or a.g2 = b.g1) and coalesce(a.g2 <> b.g2, true)",
        "initial": "left(a.g1, 1) = left(b.g1, 1) and least(length(a.g1), length(b.g1)) = 1",
        "near": _close("g1", 0.92),
        "alike": "starts_with(a.g1, b.g1) or starts_with(b.g1, a.g1) "
        "or jaro_winkler_similarity(a.g1, b.g1) >= 0.82",
    },
    "others": {
        "unstated": "coalesce(a.place, b.place) is null",
        "none": f"{_OTHERS} <= 0",
        "one": f"{_OTHERS} = 1",
    },
    "second": {
        "unstated": _unstated("g2"),
        "same": "a.g2 = b.g2",
        "near": _close("g2", 0.9),
        "crossed": "a.g2 = b.g1 or a.g1 = b.g2",
    },
    "family": {
        "unstated": _unstated("f"),
        **_shares("f", f"a.f = b.f or ({_SWAPPED})"),
        "near": _close("f", 0.92),
        # a name of one part is a part of no other such name
        "part": "(a.f_parts is not null or b.f_parts is not null) and list_has_any("
        "string_split(coalesce(a.f_parts, a.f), ' '), string_split(coalesce(b.f_parts, b.f), ' '))",
        "alike": "jaro_winkler_similarity(a.f, b.f) >= 0.82",
    },
    **_CONTACTS,
    "estate": {"both": "a.estate and b.estate", "neither": "not a.estate and not b.estate"},
    "protected": {"neither": "not a.guarded and not b.guarded"},
}

_ORGANISATION: Cases = {
    "key": {"unstated": _unstated("business_id"), "same": "a.business_id = b.business_id"},
    "name": {
        "unstated": _unstated("core"),
        "other_number": "a.numbers is distinct from b.numbers",
        **_shares("core", "a.core = b.core"),
        "same_words": "a.words = b.words",
        "near": _close("core", 0.97),
        "word_in_common": "list_has_any(a.words, b.words) "
        "and jaro_winkler_similarity(a.core, b.core) >= 0.9",
        "alike": "jaro_winkler_similarity(a.core, b.core) >= 0.85",
    },
    "form": {"unstated": _unstated("form"), "same": "a.form = b.form"},
    "contact": {"unstated": _unstated("contact"), "same": "a.contact = b.contact"},
    **_CONTACTS,
}

CASES: Mapping[str, Cases] = {"person": _PERSON, "organisation": _ORGANISATION}


BITS = 4
"""Room for one level in a pattern's code; no fact has more than sixteen."""


def compare(connection: duckdb.DuckDBPyConnection, table: str, pairs: str) -> None:
    """Makes `{table}_compared` out of table pairs (l, r): l, r and code, the pattern in one number.

    The code has a level per fact, BITS bits each, the first fact lowest; a level's number is its place in
    `domain.evidence`.
    """
    levels, cases = EVIDENCE[table].levels, CASES[table]
    code = " | ".join(
        f"({_case(levels[fact], cases[fact])}::bigint << {BITS * place})"
        for place, fact in enumerate(levels)
    )
    known = " or ".join(f"{column} is not null" for column in _ELSEWHERE)
    if not connection.execute(f"select r from {table} where {known} limit 1").fetchall():
        for nothing in _ELSEWHERE.values():  # lists that nobody has are dear to carry along
            code = code.replace(nothing, "")
    rows = f"(from {table} left join at_home using (home))" if "others" in levels else table
    connection.execute(
        f"""create or replace table {table}_compared as
        select l, met.r, {code} code
        from {pairs} met join {rows} a on a.r = l join {rows} b on b.r = met.r"""
    )


def unpacked(table: str, codes: npt.NDArray[np.int64]) -> pd.DataFrame:
    """The levels behind codes: a row per code, a column per fact."""
    levels = EVIDENCE[table].levels
    return pd.DataFrame(
        {fact: codes >> (BITS * place) & (2**BITS - 1) for place, fact in enumerate(levels)}
    )


def _case(levels: tuple[str, ...], conditions: Mapping[str, str]) -> str:
    branches = " ".join(
        f"when {condition} then {levels.index(level)}" for level, condition in conditions.items()
    )
    return f"(case {branches} else {levels.index('other')} end)"
