"""The disclosure log: erasable details and the append-only leaves that prove them (PRIVACY §2.3).

Belongs here: writing both, finding a person's disclosures, erasing. Does not belong here: what a leaf says
(`domain.disclosure`), how a detail is encrypted (`vault`), the trees over leaves (`checkpoints`), holding all
of it against each other (`verification`).

Leaf numbers run 0, 1, 2 … without a gap: they are given under a lock inside the transaction that writes
them, never by a database sequence, which loses a number with every rollback.
"""

import json
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import count, islice, repeat
from typing import Any, Literal

import pandas as pd
from sqlalchemy import ColumnElement, Connection, Select, delete, exists, func, select

from pipelines.domain.disclosure import (
    SALT_BYTES,
    commitment,
    leaf,
    leaves,
    question,
    salted,
    unsalted,
)
from pipelines.domain.landing import canonical_json, canonical_rows
from pipelines.store import frames
from pipelines.store.checkpoints import next_leaf, segment_for
from pipelines.store.engine import one_at_a_time
from pipelines.store.questions import references_of
from pipelines.store.tables import (
    delivery,
    disclosure_clear,
    disclosure_detail,
    disclosure_leaf,
    disclosure_seed,
    disclosure_terms,
    party_record,
    party_redirect,
)
from pipelines.store.vault import Vault, seeds_of

LOCK = "disclosure_leaf"
OF_A_DETAIL = ("disclosure", "lookup")
"""Kinds of leaf that commit to a detail."""

_STATES = ("attempt", "uncertain", "delivered", "acknowledged", "aborted")
_AT_ONCE = 5_000
_ENTRY_BYTES = 16
_DETAIL = ("leaf_no", "entry_id", "party_id", "subject_token", "holder", "terms_no", "sealed")
_ALIKE = ("recipient", "purpose", "basis", "ground", "delivery_id", "at", "operation")
_IS_UNDER = disclosure_terms.c.terms_no == disclosure_detail.c.terms_no


# ---- writing


def append_leaves(conn: Connection, lines: Sequence[str], at: str) -> int:
    """Add leaves (`domain.disclosure.leaf`) to the log, each with its instant; the number of the first.

    The first leaf of a calendar year opens its segment, and before it comes the one that carries the end of
    the segment before.
    """
    facts = [{"at": at, **json.loads(line)} for line in lines]
    has_detail = [fact["t"] in OF_A_DETAIL for fact in facts]
    first = _place_for(conn, at, len(lines))
    _write(
        conn,
        first,
        [canonical_json(fact) for fact in facts],
        [fact.get("e") if has else None for fact, has in zip(facts, has_detail, strict=True)],
        [fact.get("d") for fact in facts],
        at,
    )
    return first


def _place_for(conn: Connection, at: str, count: int) -> int:
    """The number of the next leaf, under the log's lock; where leaves follow, in the segment of their instant."""
    one_at_a_time(conn, LOCK)
    if count and (header := segment_for(conn, at)) is not None:
        _write(conn, next_leaf(conn), [header], [None], [None], at)
    return next_leaf(conn)


def _write(
    conn: Connection,
    first: int,
    lines: Sequence[str],
    entries: Iterable[str | None],
    delivery_ids: Iterable[str | None],
    at: str,
) -> None:
    columns = ("leaf_no", "entry_id", "delivery_id", "leaf", "at")
    rows = zip(range(first, first + len(lines)), entries, delivery_ids, lines, repeat(at))
    frames.load(conn, disclosure_leaf.name, columns, rows)


def disclose(
    conn: Connection,
    vault: Vault,
    kind: Literal["disclosure", "lookup"],
    people: pd.DataFrame,
    terms: Mapping[str, str | None],
    at: str,
) -> bytes:
    """Write down what is about to be told of many: a detail and a leaf each; the salts, one after another.

    people: party_id and content (column → text) of each row told; of a look-up subject_key. fields: what
    stands in it. terms: what their leaves share, by the names of `domain.disclosure.LEAF_FACTS`.
    """
    if people.empty:
        return b""
    is_lookup = kind == "lookup"
    to, operation = str(terms["to"]), str(terms.get("operation") or "delivery")
    delivery_id = terms.get("d")
    if is_lookup:
        said: list[Mapping[str, Any]] = [
            question(
                recipient=to, operation=operation, purpose=str(terms["purpose"]), subject=key,
                fields=fields,
            )
            for key, fields in people[["subject_key", "fields"]].itertuples(index=False)
        ]  # fmt: skip
        tokens: list[str | None] = [vault.token(to, key) for key in people["subject_key"]]
        parties: list[int | None] = [None] * len(people)
        holders = [str(token) for token in tokens]
    else:
        said = list(people["content"])
        parties = (
            people["party_id"].astype("object").where(people["party_id"].notna(), None).tolist()
        )
        tokens = [None] * len(people)
        holders = [_holder(party, delivery_id) for party in parties]
    random = secrets.token_bytes((SALT_BYTES + _ENTRY_BYTES) * len(people))
    salts, names = random[: SALT_BYTES * len(people)], random[SALT_BYTES * len(people) :].hex()
    salt_of = [salts[at : at + SALT_BYTES] for at in range(0, len(salts), SALT_BYTES)]
    entries = [names[at : at + 2 * _ENTRY_BYTES] for at in range(0, len(names), 2 * _ENTRY_BYTES)]
    first = _place_for(conn, at, len(people))
    alike = (to, terms["purpose"], terms["basis"], terms.get("ground"), delivery_id, at, operation)
    numbers = range(first, first + len(people))
    filed = _file(conn, numbers, zip(repeat(alike), map(tuple, people["fields"])))
    write = partial(map, canonical_json) if is_lookup else canonical_rows
    seeds = seeds_of(conn, holders)
    # from the words to the leaf while a row is in the processor's reach
    for start in range(0, len(people), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        plain = [
            salt + text.encode()
            for salt, text in zip(salt_of[some], write(said[some]), strict=True)
        ]
        sealed = vault.encrypt(seeds, holders[some], entries[some], plain)
        rows = zip(
            numbers[some], entries[some], parties[some], tokens[some], holders[some], filed[some],
            sealed, strict=True,
        )  # fmt: skip
        frames.load(conn, disclosure_detail.name, _DETAIL, rows)
        lines = leaves(kind, entries[some], [commitment(text) for text in plain], at=at, **terms)
        _write(conn, first + start, lines, entries[some], repeat(delivery_id), at)
    return salts


def _file(
    conn: Connection,
    numbers: Sequence[int],
    terms: Iterable[tuple[tuple[Any, ...], tuple[str, ...]]],
) -> list[int]:
    """Keep the terms of details (`_ALIKE`, and the fields), equal ones once; the number of each detail's.

    Most rows of a delivery fill the same columns. numbers: of the details' leaves.
    """
    known: dict[tuple[tuple[Any, ...], tuple[str, ...]], int] = {}
    filed = [known.setdefault(said, number) for number, said in zip(numbers, terms, strict=True)]
    frames.load(
        conn,
        disclosure_terms.name,
        ("terms_no", *_ALIKE, "fields"),
        [(number, *alike, canonical_json(fields)) for (alike, fields), number in known.items()],
    )
    return filed


def _holder(party: int | None, delivery_id: str | None) -> str:
    """Under whose seed a detail is; a row about nobody in particular is under its delivery's."""
    return f"D{delivery_id}" if party is None else f"P{party}"


def bring_over(conn: Connection, vault: Vault) -> int:
    """Encrypt the details that an older hub wrote in clear, and destroy them there; how many."""
    brought = 0
    has_leaf = disclosure_leaf.c.entry_id == disclosure_clear.c.entry_id
    numbers: dict[str, int] = dict(
        frames.plain_rows(
            conn,
            select(disclosure_clear.c.entry_id, func.min(disclosure_leaf.c.leaf_no))
            .join_from(disclosure_clear, disclosure_leaf, has_leaf)
            .group_by(disclosure_clear.c.entry_id),
        )
    )
    some = select(disclosure_clear).limit(_AT_ONCE)
    while old := conn.execute(some).mappings().all():
        tokens = [
            None if row["subject_key"] is None
            else vault.token(row["subject_source"], row["subject_key"])
            for row in old
        ]  # fmt: skip
        holders = [
            token or _holder(row["party_id"], row["delivery_id"])
            for token, row in zip(tokens, old, strict=True)
        ]
        plain = [
            salted(
                row["content"] if row["content"] is not None else question(
                    recipient=row["recipient"], operation=row["operation"], purpose=row["purpose"],
                    subject=row["subject_key"], fields=None,
                ),
                row["salt"],
            )
            for row in old
        ]  # fmt: skip
        entries = [row["entry_id"] for row in old]
        sealed = vault.encrypt(seeds_of(conn, holders), holders, entries, plain)
        lacking = count(
            min(conn.scalar(select(func.min(disclosure_detail.c.leaf_no))) or 0, 0) - 1, -1
        )
        of_leaf = [numbers[entry] if entry in numbers else next(lacking) for entry in entries]
        filed = _file(
            conn,
            of_leaf,
            ((tuple(row[name] for name in _ALIKE), tuple(row["fields"])) for row in old),
        )
        parties = [row["party_id"] for row in old]
        kept = zip(of_leaf, entries, parties, tokens, holders, filed, sealed, strict=True)
        frames.load(conn, disclosure_detail.name, _DETAIL, kept)
        done = pd.DataFrame({"entry_id": entries})
        brought += frames.remove_from(conn, disclosure_clear, done, ("entry_id",))
    return brought


def erase(conn: Connection, entries: pd.DataFrame, at: str) -> int:
    """Destroy the details of entries (column leaf_no); each leaves a leaf `erased`, and its own stays.

    A holder's seed goes with their last detail. What was proven by their leaves is then a random number.
    """
    mine = disclosure_detail.c
    held = frames.rows(
        conn,
        select(mine.leaf_no, mine.entry_id, mine.holder, mine.terms_no).where(
            frames.matching(conn, disclosure_detail, entries, ("leaf_no",))
        ),
    )
    frames.remove_from(conn, disclosure_detail, held, ("leaf_no",))
    conn.execute(
        delete(disclosure_terms).where(
            frames.matching(conn, disclosure_terms, held, ("terms_no",)),
            ~exists().where(mine.terms_no == disclosure_terms.c.terms_no),
        )
    )
    conn.execute(
        delete(disclosure_seed).where(
            frames.matching(conn, disclosure_seed, held, ("holder",)),
            disclosure_seed.c.holder.not_in(select(disclosure_detail.c.holder)),
        )
    )
    append_leaves(conn, [leaf("erased", e=entry) for entry in sorted(held["entry_id"])], at)
    return len(held)


# ---- finding


def asked_before(
    conn: Connection,
    vault: Vault,
    recipient: str,
    operation: str,
    fields: Sequence[str],
    keys: Collection[str],
) -> frozenset[str]:
    """Of the keys for persons, those a register was asked about before in that operation, with those fields."""
    by_token = {vault.token(recipient, key): key for key in keys}
    wanted = pd.DataFrame({"holder": list(by_token)}, dtype="str")
    found = conn.scalars(
        select(disclosure_detail.c.subject_token)
        .join_from(disclosure_detail, disclosure_terms, _IS_UNDER)
        .where(
            disclosure_terms.c.recipient == recipient,
            disclosure_terms.c.operation == operation,
            disclosure_terms.c.fields == list(fields),
            frames.matching(conn, disclosure_detail, wanted, ("holder",)),
        )
    )
    return frozenset(by_token[token] for token in found if token is not None)


def of_party(conn: Connection, vault: Vault, party_id: int) -> pd.DataFrame:
    """Everything told or asked about a party, oldest first, as `of_delivery` has it.

    Counts in what was logged under a party that has since gone into this one, and look-ups made by a
    record's key before it had a party (R38), or under the reference that one of its records goes by at a
    register asked in batches, which may never have answered.
    """
    merged = conn.scalars(
        select(party_redirect.c.party_id).where(party_redirect.c.into_party_id == party_id)
    )
    records = conn.execute(
        select(party_record.c.source, party_record.c.source_key).where(
            party_record.c.party_id == party_id
        )
    )
    holders = [_holder(party, None) for party in (party_id, *merged)]
    known_as = {*map(tuple, records), *references_of(conn, party_id)}
    holders += [vault.token(source, key) for source, key in known_as]
    theirs = pd.DataFrame({"holder": holders}, dtype="str")
    return _logged(conn, vault, frames.matching(conn, disclosure_detail, theirs, ("holder",)))


def of_delivery(conn: Connection, vault: Vault, delivery_id: str) -> pd.DataFrame:
    """Who stood in a delivery and with which fields (R60): leaf_no, leaf, and the detail in clear.

    entry_id, party_id, subject_source and subject_key (of a look-up), recipient, purpose, basis, ground,
    fields, content (column → text; null of a look-up), committed (what the leaf commits to; empty where it can't be
    read), salt, delivery_id, at, operation.
    """
    return _logged(conn, vault, disclosure_terms.c.delivery_id == delivery_id)


def _logged(conn: Connection, vault: Vault, where: ColumnElement[bool]) -> pd.DataFrame:
    found = frames.rows(conn, with_leaves().where(where).order_by(disclosure_leaf.c.leaf_no))
    plain = [
        vault.decrypt(seed, entry, sealed)
        for seed, entry, sealed in found[["seed", "entry_id", "sealed"]].itertuples(index=False)
    ]
    # what can't be read is shown without content: that it was told still stands
    opened = [(None, {}) if text is None else unsalted(text) for text in plain]
    is_lookup = found["subject_token"].notna()
    said = pd.Series([detail for _, detail in opened], found.index, dtype="object")
    return found.drop(columns=["seed", "sealed", "subject_token", "holder"]).assign(
        subject_source=found["recipient"].where(is_lookup),
        subject_key=said.map(lambda detail: detail.get("subject")).where(is_lookup).astype("str"),
        content=said.where(~is_lookup, None),
        committed=said,
        salt=pd.Series([salt for salt, _ in opened], found.index, dtype="object"),
    )


def with_leaves() -> Select[Any]:
    """Every detail with its terms, its leaf and its holder's seed, null where that is gone."""
    detail = disclosure_detail
    return (
        select(
            disclosure_leaf.c.leaf_no,
            disclosure_leaf.c.leaf,
            disclosure_seed.c.seed,
            *(detail.c[name] for name in _DETAIL if name not in ("leaf_no", "terms_no")),
            *(disclosure_terms.c[name] for name in (*_ALIKE, "fields")),
        )
        .join_from(detail, disclosure_leaf, disclosure_leaf.c.leaf_no == detail.c.leaf_no)
        .outerjoin(disclosure_terms, _IS_UNDER)
        .outerjoin(disclosure_seed, disclosure_seed.c.holder == detail.c.holder)
    )


def states_of(conn: Connection, delivery_ids: Collection[str]) -> pd.DataFrame:
    """What the log says became of deliveries: leaf_no, leaf, at, delivery_id, oldest first; no personal data."""
    wanted = pd.DataFrame({"delivery_id": sorted(delivery_ids)}, dtype="str")
    found = frames.rows(
        conn,
        select(
            disclosure_leaf.c.leaf_no,
            disclosure_leaf.c.leaf,
            disclosure_leaf.c.at,
            disclosure_leaf.c.delivery_id,
        )
        .where(
            disclosure_leaf.c.entry_id.is_(None),
            frames.matching(conn, disclosure_leaf, wanted, ("delivery_id",)),
        )
        .order_by(disclosure_leaf.c.leaf_no),
    )
    says = [json.loads(leaf)["t"] in _STATES for leaf in found["leaf"]]
    # of nobody an empty list would choose no columns
    return found[pd.Series(says, found.index, dtype=bool)]


def recent(conn: Connection, limit: int) -> pd.DataFrame:
    """The last leaves, newest first: leaf_no, entry_id, delivery_id, leaf, at; no personal data."""
    return frames.rows(
        conn, select(disclosure_leaf).order_by(disclosure_leaf.c.leaf_no.desc()).limit(limit)
    )


def list_deliveries(conn: Connection, limit: int) -> pd.DataFrame:
    """The last deliveries and look-ups, newest first, as the log has them; no people.

    at, recipient, operation, delivery_id, people (rows or persons asked about), state (of the delivery).
    """
    found = conn.execution_options(yield_per=500).execute(
        select(disclosure_leaf.c.at, disclosure_leaf.c.leaf, delivery.c.state)
        .outerjoin_from(
            disclosure_leaf, delivery, delivery.c.delivery_id == disclosure_leaf.c.delivery_id
        )
        .where(disclosure_leaf.c.entry_id.is_(None))
        .order_by(disclosure_leaf.c.leaf_no.desc())
    )
    calls = ((at, json.loads(leaf), state) for at, leaf, state in found)
    rows = (
        (at, fact.get("to"), fact.get("operation", "delivery"), fact.get("d"), fact.get("n"), state)
        for at, fact, state in calls
        if fact["t"] in ("intent", "lookup_call")
    )
    columns = ["at", "recipient", "operation", "delivery_id", "people", "state"]
    listed = pd.DataFrame(list(islice(rows, limit)), columns=columns)
    found.close()
    return listed.astype({**dict.fromkeys(columns, "str"), "people": "Int64"})


def leaf_count(conn: Connection) -> int:
    """How many leaves the log has."""
    return conn.scalar(select(func.count()).select_from(disclosure_leaf)) or 0


def detail_count(conn: Connection) -> int:
    """How many details the log still holds."""
    return conn.scalar(select(func.count()).select_from(disclosure_detail)) or 0
