"""Which records are worth comparing: candidate keys, and blocks refined until they are small.

Belongs here: keys as SQL, the size a block may have, refinement of what is larger. Does not belong here:
reading the parts of a key (`normal`), comparing (`patterns`).

Recall first: a key asks for two facts where one is common (a birthday and a name, a place and an initial),
an address is never required, and a block too large for its key is not dropped: its records meet again in
smaller blocks, where they share more. What is still too large after two rounds, and every large block of an
identifier, is laid in a row by name and place, and neighbours are compared; so pairs grow with records,
not with their square.
"""

from collections.abc import Sequence
from typing import NamedTuple

import duckdb


class Key(NamedTuple):
    """One kind of candidate key.

    parts: SQL expressions over the table, all to be stated. most: records a block may have before it is
    refined. alternatives: expressions of which each one stated makes a key of its own beside the parts.
    identifies: it is issued to one party each, so that its records hang together however many they are.
    """

    name: str
    parts: tuple[str, ...]
    most: int
    alternatives: tuple[str, ...] = ()
    identifies: bool = False


_FULL = "least(g1, f) || ' ' || greatest(g1, f)"  # given and family name are swapped now and then
_BY_GIVEN = ("left(g1, 1)", "right(g1, 3)")  # a household's others stay out


PERSON_KEYS = (
    Key("person_key", ("person_key",), 40, identifies=True),
    Key("birth", ("birth",), 8, ("g1", "f", "place", "phone", "house", "street", "code")),
    Key("birth+initials", ("birth", "left(g1, 2)"), 4),
    Key("birth+second", ("birth", "g2"), 4),
    Key("phone", ("phone",), 12, (*_BY_GIVEN, _FULL)),
    Key("bare phone", ("phone",), 4),  # whose names were all misread
    Key("email", ("email",), 6),
    Key("mailbox", ("mailbox",), 3),
    Key("house+code", ("house", "code"), 8, ("left(g1, 2)", "right(g1, 3)")),  # a street misspelt
    Key("street+house", ("street", "house"), 4, ("g1", "office || left(g1, 1)")),  # a code misread
    Key("street+code", ("street", "code"), 4, ("g1",)),  # a house number misread
    Key("place", ("place",), 12, (*_BY_GIVEN, "left(g2, 1)", _FULL)),
    Key("property", ("property",), 12, _BY_GIVEN),
    Key("name", (_FULL,), 6),
    Key("given+family start", ("g1", "left(f, 4)"), 4),
    Key("initials+family", ("left(g1, 2)", "f"), 4),
    Key("ending+family", ("right(g1, 3)", "f"), 4),
    Key("second+family", ("f", "g2"), 4),
    Key("letters", ("g1_letters", "f_letters"), 4),
    Key("given+letters", ("g1", "f_letters"), 4),
    Key("consonants", ("g1_consonants", "f_consonants"), 4),
)
PERSON_REFINEMENTS = ("birth", "phone", "email", "g2", "code", "property")
PERSON_ORDER = "f, g1, street, house"

ORGANISATION_KEYS = (
    Key("business_id", ("business_id",), 40, identifies=True),
    Key("core", ("core",), 8),
    Key("email+word", ("email",), 8, ("words[1]", "words[-1]")),
    Key("phone+word", ("phone",), 8, ("words[1]", "words[-1]")),
    Key("place+word", ("place",), 12, ("left(words[1], 3)", "left(words[-1], 3)")),
    Key("property+word", ("property",), 12, ("left(words[1], 3)", "left(words[-1], 3)")),
    Key("phone+email", ("phone", "email"), 4),
    Key("email", ("email",), 4),
    Key("phone", ("phone",), 4),
    Key("place", ("place",), 4),
    Key("property", ("property",), 4),
)
ORGANISATION_REFINEMENTS = ("core", "numbers", "phone", "email", "code", "property", "contact")
ORGANISATION_ORDER = "core, place"

KEYS = {
    "person": (PERSON_KEYS, PERSON_REFINEMENTS, PERSON_ORDER),
    "organisation": (ORGANISATION_KEYS, ORGANISATION_REFINEMENTS, ORGANISATION_ORDER),
}

NEIGHBOURS = 1
"""How many followers a record is compared with in a block that no refinement made small."""


ROUNDS = 2
"""How often a block that is too large is refined."""


def candidates(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    keys: Sequence[Key],
    refinements: Sequence[str],
    order: str,
) -> None:
    """Makes `{table}_pair`: l and r, the records' numbers, l < r, each pair once.

    order: SQL expressions by which an irreducible block is laid in a row.
    """
    run = connection.execute
    run(f"create or replace temp table block as {_keyed(table, keys)}")
    run("create or replace temp table found (l bigint, r bigint)")
    for round_ in range(ROUNDS + 1):
        run(
            """create or replace temp table sized as
            select key, count(*) > any_value(most) large from block group by key having count(*) > 1"""
        )
        # most keys are one record's; they are out before anything is joined with itself
        run(
            """create or replace temp table small as
            select key, r from block semi join (select key from sized where not large) using (key)"""
        )
        run(
            """insert into found
            select a.r, b.r from small a join small b on a.key = b.key and a.r < b.r"""
        )
        run(
            """create or replace temp table wide as
            select * from block semi join (select key from sized where large) using (key)"""
        )
        if round_ == 0:
            run(_in_a_row(table, order, "identifies"))
        if round_ < ROUNDS:
            run(f"create or replace temp table block as {_refined(table, refinements)}")
    run(_in_a_row(table, order, "true"))
    run(f"create or replace table {table}_pair as select distinct l, r from found")
    for used in ("block", "found", "sized", "small", "wide"):
        run(f"drop table {used}")


def _in_a_row(table: str, order: str, which: str) -> str:
    """SQL that compares each record of a wide block with those that follow it by name and place."""
    ahead = ", ".join(f"lead(wide.r, {n}) over in_row" for n in range(1, NEIGHBOURS + 1))
    return f"""insert into found
        with neighbours as (
            select wide.r a, unnest([{ahead}]) b from wide join {table} using (r) where {which}
            window in_row as (partition by key order by {order}, wide.r)
        )
        select least(a, b), greatest(a, b) from neighbours where b is not null"""


def _keyed(table: str, keys: Sequence[Key]) -> str:
    """SQL for every key of every record: key (a hash), most, identifies, r."""
    selects = []
    for number, key in enumerate(keys):
        for other in key.alternatives or (None,):
            parts = [*key.parts, *([other] if other else [])]
            stated = " and ".join(f"{part} is not null" for part in parts)
            selects.append(
                f"select hash({number}, {', '.join(parts)}) key, {key.most} most, "
                f"{key.identifies} identifies, r "
                f"from {table} where {stated}"
            )
    return " union all ".join(selects)


def _refined(table: str, refinements: Sequence[str]) -> str:
    """SQL for the keys of the blocks that were too wide, each with one more fact."""
    facts = " union all ".join(
        f"select key, most, r, hash({number}, {fact}) fact "
        f"from wide join {table} using (r) where {fact} is not null"
        for number, fact in enumerate(refinements)
    )
    return f"select hash(key, fact) key, most, false identifies, r from ({facts})"
