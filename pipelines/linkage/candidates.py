"""Which records are worth comparing: candidate keys, and blocks refined until they are small.

Belongs here: keys as SQL, the size a block may have, refinement of what is larger. Does not belong here:
reading the parts of a key (`normal`), comparing (`patterns`), keeping keys from night to night (`store`).

Recall first: a key asks for two facts where one is common (a birthday and a name, a place and an initial),
an address is never required, and a block too large for its key is not dropped: its records meet again in
smaller blocks, where they share more. A block that two rounds did not make small says nothing; the large
block of an identifier is a star around its first record; so pairs grow with records, not with their square.

Which blocks are too large is learnt from a whole register (`discover`) and then stands (table `wide`): so
two records meet or not whatever became of a third, and a night need only look at what changed.
"""

from collections.abc import Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd


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

KEYS = {
    "person": (PERSON_KEYS, PERSON_REFINEMENTS),
    "organisation": (ORGANISATION_KEYS, ORGANISATION_REFINEMENTS),
}

ROUNDS = 2
"""How often a block that is too large is refined."""


STAR = 40
"""An identifier's block of more records than this is compared with its first record only."""


HOME = ("place", "flat")
CALLED = "left(g1, 2)"
"""What `normal` counts the others at a home by."""


class Sort:
    """What a row of `match_key` is for."""

    MEET, IDENTIFY, HOME, HOUSEHOLD = range(4)


def find_keys(connection: duckdb.DuckDBPyConnection, *, discover: bool) -> None:
    """Makes `match_key` (key, r, sort) out of `person` and `organisation`, each row once.

    sort: records with an equal key MEET; IDENTIFY hangs together however many they are; HOME and
    HOUSEHOLD (who is called alike at a home) are for `normal`'s count of others there and compare nobody. Table `wide` (key) says which blocks are
    too large: it is made when discover, and read otherwise. Keys are this engine's hashes (`engine.HASH`).
    """
    run = connection.execute
    run("create or replace table match_key (key bigint, r bigint, sort tinyint)")
    if discover:
        run("create or replace table wide (key bigint)")
    run(
        f"""insert into match_key
        select distinct {_hashed("'home'", *HOME)}, r, {Sort.HOME} from person
        where place is not null
        union all
        select distinct {_hashed("'household'", *HOME, CALLED)}, r, {Sort.HOUSEHOLD} from person
        where place is not null and {CALLED} is not null"""
    )
    for table, (keys, refinements) in KEYS.items():
        run(f"create or replace temp table seen as {_seen(table)}")
        run(f"create or replace temp table block as {_keyed(table, keys)}")
        for round_ in range(ROUNDS + 1):
            if discover:
                run(
                    f"""insert into wide select key from block where sort = {Sort.MEET}
                    group by key having count(*) > any_value(most)"""
                )
            run(
                """insert into match_key
                select key, r, sort from block anti join wide using (key)"""
            )
            if round_ < ROUNDS:
                run(f"create or replace temp table block as {_refined(refinements)}")
    run("drop table block")
    run("drop table seen")


def find_pairs(connection: duckdb.DuckDBPyConnection, *, touching: bool = False) -> None:
    """Makes `pair` out of `match_key`: l and r, the records' numbers, l < r, each pair once.

    touching: only pairs with a side in table `touched` (r); `match_key` then holds all rows of their keys.
    """
    run = connection.execute
    # most keys are one record's; they are out before anything is joined with itself
    run(
        f"""create or replace temp table block as
        with sized as (
            select key, any_value(sort) = {Sort.IDENTIFY} and count(*) > {STAR} star, min(r) first
            from match_key where sort < {Sort.HOME} group by key having count(*) > 1
        ) select key, r, star, first from match_key join sized using (key) where sort < {Sort.HOME}"""
    )
    either = "and (a.r in (from touched) or b.r in (from touched))" if touching else ""
    run(
        f"""create or replace table pair as
        select distinct a.r l, b.r r from block a join block b
        on a.key = b.key and a.r < b.r and (not a.star or a.r = a.first) {either}"""
    )
    run("drop table block")


def add_pairs(connection: duckdb.DuckDBPyConnection, judged: pd.DataFrame) -> None:
    """Adds pairs that have to be compared whatever keys they share: left_no, right_no."""
    connection.register("judged", judged[["left_no", "right_no"]])
    connection.execute("insert into pair select left_no, right_no from judged except from pair")
    connection.unregister("judged")


def hold_keys(
    connection: duckdb.DuckDBPyConnection, keys: pd.DataFrame, touched: npt.NDArray[np.int64]
) -> None:
    """Makes `match_key` of rows that were kept (match_key, record_no, sort), and `touched`."""
    kept = {"key": keys["match_key"], "r": keys["record_no"], "sort": keys["sort"]}
    for name, frame in (
        (
            "match_key",
            pd.DataFrame({name: values.to_numpy(dtype=np.int64) for name, values in kept.items()}),
        ),
        ("touched", pd.DataFrame({"r": touched})),
    ):
        connection.register("held", frame)
        connection.execute(f"create or replace table {name} as from held")
        connection.unregister("held")


def paired(connection: duckdb.DuckDBPyConnection) -> npt.NDArray[np.int64]:
    """The records that stand in `pair` or `touched`, ascending."""
    found = connection.execute(
        "select l r from pair union select r from pair union from touched order by r"
    ).fetchnumpy()["r"]
    return np.asarray(found, dtype=np.int64)


def _seen(table: str) -> str:
    """SQL for the table with a row more for every other place, property and retired identity of a record."""
    replaced = ("place", "property", *(["person_key"] if table == "person" else []))
    instead = ", ".join(f"coalesce(read_place.{n}, {table}.{n}) as {n}" for n in replaced)
    return f"""from {table} union all by name
        select {table}.* replace ({instead})
        from {table} join read_place on read_place.r = {table}.r and not own"""


def _keyed(table: str, keys: Sequence[Key]) -> str:
    """SQL for every key of every record: key (a hash), most, sort, r."""
    selects = []
    for number, key in enumerate(keys):
        sort = Sort.IDENTIFY if key.identifies else Sort.MEET
        start = (f"'{table}'", str(number), *key.parts)
        hashes = (
            f"case when {other} is not null then {_hashed(*start, other)} end"
            for other in key.alternatives
        )
        # two alternatives may say the same
        found = (
            f"list_distinct([{', '.join(hashes)}])" if key.alternatives else f"[{_hashed(*start)}]"
        )
        stated = " and ".join(f"{part} is not null" for part in key.parts)
        selects.append(
            f"select distinct unnest({found}) key, {key.most} most, {sort} sort, r "
            f"from seen where {stated}"
        )
    return " union all ".join(selects)


def _refined(refinements: Sequence[str]) -> str:
    """SQL for the keys of the blocks that were too wide, each with one more fact."""
    return " union all ".join(
        f"select distinct {_hashed('block.key', str(number), fact)} key, most, sort, r "
        f"from block semi join wide using (key) join seen using (r) where {fact} is not null"
        for number, fact in enumerate(refinements)
    )


def _hashed(*parts: str) -> str:
    """SQL for a key of these parts that fits into a signed whole number of any database."""
    return f"(hash({', '.join(parts)}) >> 1)::bigint"
