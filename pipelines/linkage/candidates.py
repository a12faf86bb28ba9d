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

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import duckdb
import numpy as np
import numpy.typing as npt
import pandas as pd


class Key(NamedTuple):
    """One kind of candidate key.

    parts: SQL expressions over the table, all to be stated. most: records a block may have. alternatives:
    expressions of which each one stated makes a key of its own beside the parts. then: what the records of
    a larger block meet over besides. identifies: it is issued to one party each, so that its records hang
    together however many they are. crowds: strangers come to share it as a register grows, and their pairs
    with the square of it; so beyond LARGE records blocks may have fewer.
    """

    name: str
    parts: tuple[str, ...]
    most: int
    alternatives: tuple[str, ...] = ()
    then: tuple[str, ...] = ()
    identifies: bool = False
    crowds: bool = False

    def most_among(self, records: int) -> int:
        """Records that a block may have in a table of so many."""
        if self.identifies:
            return 2**31 - 1
        crowd = max(records / LARGE, 1.0) if self.crowds else 1.0
        return max(int(self.most / math.cbrt(crowd)), LEAST)


LARGE = 1_000_000
LEAST = 3
"""Records that a block may have, however large the register: one party stands in several."""
_FULL = "least(g1, f) || ' ' || greatest(g1, f)"  # given and family name are swapped now and then
_INITIAL = "left(g1, 1)"  # a household's others stay out

# Each stands for what no other finds: one kind of mistake, or one fact that is left. Of a million records
# with their truth every key was tried that two facts make; those that found a two thousandth of the pairs
# or less on their own are not here.
PERSON_KEYS = (
    Key("person_key", ("person_key",), 40, identifies=True),
    Key("birth", ("birth",), 8, ("g1", "f", "code"), crowds=True),
    Key("birth+second", ("birth", "g2"), 4),
    Key("phone", ("phone",), 12, (_INITIAL,)),
    # whose names were all misread
    Key("bare phone", ("phone",), 4, then=("house", "code", "birth")),
    Key("email", ("email",), 6),
    Key("mailbox", ("mailbox",), 3, then=("birth", "code")),
    Key("house+code", ("house", "code"), 8, ("right(g1, 3)",), crowds=True),  # a street misspelt
    Key("street+house", ("street", "house"), 4, ("office || left(g1, 1)",)),  # a code misread
    Key("place", ("place",), 12, (_INITIAL, "left(g2, 1)")),
    Key("property", ("property",), 12, (_INITIAL,)),
    Key("name", (_FULL,), 6, then=("g2", "code")),
    Key("initials+family", ("left(g1, 2)", "f"), 4, then=("g2", "code")),
    Key("second+family", ("f", "g2"), 4),
    Key("letters", ("g1_letters", "f_letters"), 4, then=("g2", "code")),
)
ORGANISATION_KEYS = (
    Key("business_id", ("business_id",), 40, identifies=True),
    Key("core", ("core",), 8, then=("numbers", "code", "contact")),
    Key("place+word", ("place",), 12, ("left(words[1], 3)", "left(words[-1], 3)")),
    Key("email", ("email",), 4, then=("left(core, 3)",)),
    Key("phone", ("phone",), 4, then=("left(core, 3)",)),
    Key("place", ("place",), 4),
    Key("property", ("property",), 4, then=("left(core, 3)",)),
)
KEYS = {"person": PERSON_KEYS, "organisation": ORGANISATION_KEYS}

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
    HOUSEHOLD (who is called alike at a home) are for `normal`'s count of others there and compare nobody.
    Table `wide` (key) says which blocks are too large: it is made when discover, and read otherwise. `shared`
    (key, many) then has the keys over which somebody meets. Keys are this engine's hashes.
    """
    run = connection.execute
    _start(connection, discover=discover)
    run(
        f"""insert into match_key
        select distinct {_hashed("'home'", *HOME)}, r, {Sort.HOME} from person
        where place is not null
        union all
        select distinct {_hashed("'household'", *HOME, CALLED)}, r, {Sort.HOUSEHOLD} from person
        where place is not null and {CALLED} is not null"""
    )
    for table, keys in KEYS.items():
        run(f"create or replace temp table more as {_elsewhere(table)}")
        run(f"create or replace temp table block as {_keyed(table, keys, range(len(keys)))}")
        for again in (True, False):
            if discover:
                _count(connection, table, keys)
                run("insert into wide select key from counted where many > most")
                run("insert into shared select key, many from counted where many <= most")
            run(
                f"""insert into match_key
                select key, r, {_sort(keys)} from block anti join wide using (key)"""
            )
            if again:
                run(
                    f"create or replace temp table block as {_refined(table, keys, range(len(keys)), 'wide')}"
                )
    run("drop table block")
    run("drop table more")
    if not discover:
        share_keys(connection)


AT_ONCE = 4_000_000
"""Keys that are counted at once, about; more of them take more memory and no less time."""


def pair_once(connection: duckdb.DuckDBPyConnection, at_once: int = AT_ONCE) -> None:
    """Makes `pair` as `find_keys` and `find_pairs` do for a register without a model, and keeps no key.

    For records that are matched once. Keys of one kind never equal those of another, so a few kinds at a
    time are made and counted, and only those over which somebody meets stay until there are pairs.
    """
    run = connection.execute
    run("create or replace temp table meeting (key bigint, r bigint, star boolean)")
    for table, keys in KEYS.items():
        run(f"create or replace temp table more as {_elsewhere(table)}")
        together = max(at_once // max(connection.table(table).shape[0], 1), 1)
        for first in range(0, len(keys), together):
            kinds = range(first, min(first + together, len(keys)))
            run(f"create or replace temp table block as {_keyed(table, keys, kinds)}")
            for again in (True, False):
                _count(connection, table, keys)
                run(
                    f"""insert into meeting
                    select key, r, many > {STAR} and {_sort(keys)} = {Sort.IDENTIFY}
                    from block join counted using (key) where many <= most"""
                )
                if again and any(keys[kind].then for kind in kinds):
                    run(
                        "create or replace temp table large as select key from counted where many > most"
                    )
                    run(
                        f"create or replace temp table block as {_refined(table, keys, kinds, 'large')}"
                    )
                else:
                    break
    _pair(connection)
    for name in ("block", "counted", "large", "more"):
        run(f"drop table if exists {name}")


def _start(connection: duckdb.DuckDBPyConnection, *, discover: bool) -> None:
    connection.execute("create or replace table match_key (key bigint, r bigint, sort tinyint)")
    if discover:
        connection.execute("create or replace table wide (key bigint)")
        connection.execute("create or replace table shared (key bigint, many bigint)")


def _count(connection: duckdb.DuckDBPyConnection, table: str, keys: Sequence[Key]) -> None:
    """Makes `counted` (key, many, most) of the keys in `block` that are not one record's, as most are."""
    records = connection.table(table).shape[0]
    most = _of((key.most_among(records) for key in keys), "any_value(kind)")
    connection.execute(
        f"""create or replace temp table counted as
        select key, count(*) many, {most} most
        from block group by key having many > 1"""
    )


def share_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `shared` (key, many) of what stands in `match_key`: the keys over which somebody meets."""
    connection.execute(
        f"""create or replace table shared as select key, count(*) many from match_key
        where sort < {Sort.HOME} group by key having many > 1"""
    )


def find_pairs(connection: duckdb.DuckDBPyConnection, *, touching: bool = False) -> None:
    """Makes `pair` out of `match_key` and `shared`: l and r, the records' numbers, l < r, each pair once.

    touching: only pairs with a side in table `touched` (r); `match_key` then holds all rows of their keys.
    """
    # all that is joined with itself, and nothing else
    connection.execute(
        f"""create or replace temp table meeting as
        select key, r, sort = {Sort.IDENTIFY} and many > {STAR} star
        from match_key join shared using (key) where sort < {Sort.HOME}"""
    )
    _pair(connection, touching=touching)


def _pair(connection: duckdb.DuckDBPyConnection, *, touching: bool = False) -> None:
    """Makes `pair` out of `meeting` (key, r, star), which goes."""
    run = connection.execute
    run(
        """create or replace temp table star as
        select key, min(r) first from meeting where star group by key"""
    )
    either = "and (a.r in (from touched) or b.r in (from touched))" if touching else ""
    run(
        f"""create or replace table pair as
        select distinct l, r from (
            select a.r l, b.r r from meeting a join meeting b
            on a.key = b.key and a.r < b.r {either} where not a.star
            union all
            select first, b.r from star join meeting b on b.key = star.key and b.r > first
            {either.replace("a.r", "first")}
        )"""
    )
    run("drop table meeting")
    run("drop table star")


def find_strangers(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes `stranger` (l, r): people who share a birthday and no candidate key, after `find_pairs`.

    They are for learning alone. Whoever meets over a birthday shares another fact with it; from those only,
    a birthday in common looks like something that strangers usually have, and says too little. A quarter of
    the people, each with the next of the same day: as many pairs as records allow, never more.
    """
    connection.execute(
        """create or replace table stranger as
        select least(r, other) l, greatest(r, other) r from (
            select r, lead(r) over (partition by birth order by hash(r)) other
            from person where birth is not null
        ) where other is not null and hash(r, 1) % 4 = 0
        except from pair"""
    )


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
    share_keys(connection)


def paired(connection: duckdb.DuckDBPyConnection) -> npt.NDArray[np.int64]:
    """The records that stand in `pair`, ascending."""
    found = connection.execute(
        "select l r from pair union select r from pair order by r"
    ).fetchnumpy()["r"]
    return np.asarray(found, dtype=np.int64)


def _elsewhere(table: str) -> str:
    """SQL for the rows of records that have more than one: one for every place, property and retired
    identity that such a record is known by.
    """
    replaced = ("place", "property", *(["person_key"] if table == "person" else []))
    instead = ", ".join(f"coalesce(read_place.{n}, {table}.{n}) as {n}" for n in replaced)
    return f"""from {table} semi join elsewhere using (r) union all by name
        select {table}.* replace ({instead})
        from {table} join read_place on read_place.r = {table}.r"""


def _keyed(table: str, keys: Sequence[Key], kinds: range) -> str:
    """SQL for every key of some kinds of every record: key (a hash), kind (its number among keys), r."""
    selects = []
    for number in kinds:
        key = keys[number]
        start = (f"'{table}'", str(number), *key.parts)
        stated = [f"{part} is not null" for part in key.parts]
        others = key.alternatives or (None,)
        for place, other in enumerate(others):
            holds = list(stated)
            parts = start
            if other:
                parts = (*start, other)
                holds.append(f"{other} is not null")
                # two of them may say the same
                holds += [
                    f"{other} is distinct from {before}" for before in key.alternatives[:place]
                ]
            columns = f"{_hashed(*parts)} key, {number}::utinyint kind, r"
            where = " and ".join(holds)
            selects += [
                f"select {columns} from {table} anti join more using (r) where {where}",
                f"select distinct {columns} from more where {where}",
            ]
    return " union all ".join(selects)


def _refined(table: str, keys: Sequence[Key], of: range, wide: str) -> str:
    """SQL for the keys of the blocks that were too wide, as a table says, each with one more fact."""
    facts = dict.fromkeys(fact for key in keys for fact in key.then)
    selects = []
    for number, fact in enumerate(facts):
        kinds = ", ".join(str(kind) for kind in of if fact in keys[kind].then)
        if not kinds:
            continue
        columns = f"{_hashed('block.key', str(number), fact)} key, kind, r"
        block = f"(from block semi join {wide} using (key) where kind in ({kinds})) block"
        once = f"(from {table} anti join more using (r))"
        selects += [
            f"select {columns} from {block} join {once} using (r) where {fact} is not null",
            f"select distinct {columns} from {block} join more using (r) where {fact} is not null",
        ]
    return " union all ".join(selects)


def _of(values: Iterable[int], kind: str) -> str:
    """SQL for what holds of a kind of key, of a value for each kind."""
    return f"({list(values)})[{kind} + 1]"


def _sort(keys: Sequence[Key]) -> str:
    """SQL for the sort of the rows of a kind of key."""
    return _of((Sort.IDENTIFY if key.identifies else Sort.MEET for key in keys), "kind")


def _hashed(*parts: str) -> str:
    """SQL for a key of these parts that fits into a signed whole number of any database."""
    return f"(hash({', '.join(parts)}) >> 1)::bigint"
