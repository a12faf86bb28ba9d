"""Questions sent in batches, whom each was about, and what became of them.

Belongs here: a question's life, the reference each person goes by at a register, who may not be asked about.
Does not belong here: whom to ask (`domain.asking`), the disclosure log (`disclosures`), sending
(`steps.ask_in_batches`).

A question is `prepared` (frozen, logged), `leaving` (it may have been taken), `sent`, `answered`; or
`withdrawn`: it never left, since somebody in it may not be asked about any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, func, insert, select, update

from pipelines.domain.points import OWN_REGISTER
from pipelines.domain.schemas import GOLDEN, PARTY_RECORDS
from pipelines.store import frames, restraints
from pipelines.store.tables import (
    batch_person,
    batch_question,
    party,
    party_record,
    review_pair,
    standard_party,
)

UNSENT = ("prepared", "leaving")


@dataclass(frozen=True, repr=False)
class Question:
    """One batch. payload: its bytes, until it has left."""

    question_no: int
    source: str
    business_date: str
    state: str
    people: int
    payload: bytes | None
    sent_at: str | None

    @property
    def name(self) -> str:
        """What it is called outside: the day it was made, and its number."""
        return f"{self.business_date.replace('-', '')}-{self.question_no:04d}"


# ---- a question's life


def freeze(
    conn: Connection,
    source: str,
    people: pd.DataFrame,
    payload: bytes,
    business_date: str,
    now: str,
) -> Question:
    """A question about these people (reference, own_key) is made; it is on its way from now on."""
    number: int = conn.execute(
        insert(batch_question)
        .values(
            source=source, business_date=business_date, state="prepared", people=len(people),
            payload=payload, prepared_at=now,
        )
        .returning(batch_question.c.question_no)
    ).scalar_one()  # fmt: skip
    asked = people[["reference", "own_key"]].assign(
        source=source, question_no=number, asked_on=business_date, grade=None, answered_on=None
    )
    asked = asked.astype({"grade": "str", "answered_on": "str"})
    frames.upsert(conn, batch_person, asked)
    return Question(number, source, business_date, "prepared", len(people), payload, None)


def on_their_way(conn: Connection, source: str, *states: str) -> list[Question]:
    """A source's questions in these states, oldest first."""
    columns = [batch_question.c[name] for name in Question.__dataclass_fields__]
    found = conn.execute(
        select(*columns)
        .where(batch_question.c.source == source, batch_question.c.state.in_(states))
        .order_by(batch_question.c.question_no)
    )
    return [Question(**row) for row in found.mappings()]


def mark(conn: Connection, question: Question, state: str, now: str) -> None:
    """A question has come so far. Its bytes go once they have left, or never will."""
    values: dict[str, str | None] = {"state": state}
    if state not in UNSENT:
        values |= {"payload": None}
    if state == "sent":
        values |= {"sent_at": now}
    if state in ("answered", "withdrawn"):
        values |= {"closed_at": now}
    number = batch_question.c.question_no == question.question_no
    conn.execute(update(batch_question).where(number).values(values))
    if state == "withdrawn":  # nobody in it was asked, so everybody is due again
        asked = batch_person.c.question_no == question.question_no
        conn.execute(update(batch_person).where(asked).values(asked_on="0001-01-01"))


def take_answers(
    conn: Connection,
    source: str,
    answers: Mapping[str, Mapping[str, str]],
    business_date: str,
    now: str,
) -> pd.DataFrame:
    """Questions by name → reference → what it came to: kept, the questions closed; reference, own_key of all."""
    open_ = {q.name: q for q in on_their_way(conn, source, "sent")}
    grades: dict[str, str] = {}
    for name in sorted(answers.keys() & open_.keys()):
        grades |= answers[name]
        mark(conn, open_[name], "answered", now)
    keys = pd.DataFrame({"source": source, "reference": pd.Series(list(grades), dtype="str")})
    found = frames.rows(
        conn,
        select(*batch_person.c).where(
            frames.matching(conn, batch_person, keys, ("source", "reference"))
        ),
    )
    frames.upsert(
        conn,
        batch_person,
        found.assign(grade=found["reference"].map(grades), answered_on=business_date),
    )
    return found[["reference", "own_key"]]


def awaited(conn: Connection, source: str) -> dict[str, dict[str, str]]:
    """Questions that have left and have no answer yet: name → reference → the customer's name of today."""
    questions = on_their_way(conn, source, "sent")
    if not questions:
        return {}
    numbers = [q.question_no for q in questions]
    people = frames.rows(
        conn,
        select(*batch_person.c).where(
            batch_person.c.source == source, batch_person.c.question_no.in_(numbers)
        ),
    )
    named = _parties(conn, people).merge(
        frames.read_matching(
            conn, GOLDEN, _parties(conn, people), ("party_id",), ("party_id", "display_name")
        ),
        on="party_id",
    )
    found: dict[str, dict[str, str]] = {q.name: {} for q in questions}
    by_number = {q.question_no: found[q.name] for q in questions}
    names = named["display_name"].fillna("")
    for number, reference, name in zip(
        named["question_no"], named["reference"], names, strict=True
    ):
        by_number[int(number)][str(reference)] = str(name)
    return found


def last_asked(conn: Connection, source: str, own_keys: Sequence[str]) -> str | None:
    """The date on which any of these customers was last asked about; None when nobody ever was."""
    asked_on: str | None = conn.scalar(
        select(func.max(batch_person.c.asked_on))
        .join_from(
            batch_person,
            batch_question,
            batch_question.c.question_no == batch_person.c.question_no,
        )
        .where(
            batch_person.c.source == source,
            batch_person.c.own_key.in_(own_keys),
            batch_question.c.state.in_(("sent", "answered")),
        )
    )
    return asked_on


def references_of(conn: Connection, party_id: int) -> list[tuple[str, str]]:
    """Source and reference by which a party is known to each register that was asked in batches."""
    found = conn.execute(
        select(batch_person.c.source, batch_person.c.reference)
        .join(party_record, party_record.c.source_key == batch_person.c.own_key)
        .where(party_record.c.party_id == party_id, party_record.c.source == OWN_REGISTER)
    )
    return [(source, reference) for source, reference in found]


def asked_under(conn: Connection, records: pd.DataFrame) -> pd.DataFrame:
    """Those of the records (source, source_key) whose key is the reference of somebody we asked about."""
    keys = records.rename(columns={"source_key": "reference"})
    found = frames.rows(
        conn,
        select(batch_person.c.source, batch_person.c.reference).where(
            frames.matching(conn, batch_person, keys, ("source", "reference"))
        ),
    )
    return found.rename(columns={"reference": "source_key"})


def forget(conn: Connection, records: pd.DataFrame) -> None:
    """Whoever is no customer any more: the references they went by (records: source, source_key)."""
    own = records[records["source"] == OWN_REGISTER]
    keys = own[["source_key"]].rename(columns={"source_key": "own_key"})
    frames.remove_from(conn, batch_person, keys, ("own_key",))


def came_to(conn: Connection, source: str) -> dict[str, int]:
    """What people's last answers came to, counted; `waiting` for whoever has none."""
    grade = func.coalesce(batch_person.c.grade, "waiting")
    found = conn.execute(
        select(grade, func.count()).where(batch_person.c.source == source).group_by(grade)
    )
    return {str(name): int(n) for name, n in found}


# ---- whom it is about, and who may not be in it


def candidates(conn: Connection) -> tuple[pd.DataFrame, pd.DataFrame]:
    """GOLDEN of the people under no order, and the own register's PARTY_RECORDS."""
    customers = frames.read(
        conn, GOLDEN, party.c.party_type == "person", party.c.protection != "on"
    )
    return customers, frames.read(conn, PARTY_RECORDS, party_record.c.source == OWN_REGISTER)


def ever_asked(conn: Connection, source: str) -> pd.DataFrame:
    """own_key, reference, asked_on of whoever the source was ever to be asked about."""
    return frames.rows(
        conn,
        select(batch_person.c.own_key, batch_person.c.reference, batch_person.c.asked_on).where(
            batch_person.c.source == source
        ),
    )


def not_to_be_asked(conn: Connection, kinds: Sequence[str]) -> frozenset[int]:
    """Parties that nobody may be asked about: kinds, restraints (R45); or an order stands, or may (R56).

    An order counts from the moment any record of theirs states one, and while it waits for a steward whether
    somebody under an order is they.
    """
    stating = (
        select(party_record.c.party_id)
        .join(
            standard_party,
            (standard_party.c.source == party_record.c.source)
            & (standard_party.c.source_key == party_record.c.source_key),
        )
        .where(standard_party.c.protection == "on")
    )
    barred = {*restraints.parties(conn, kinds), *conn.scalars(stating)}
    for this, other in (("left", "right"), ("right", "left")):
        doubtful = (
            select(party_record.c.party_id)
            .join(
                review_pair,
                (review_pair.c[f"{this}_source"] == party_record.c.source)
                & (review_pair.c[f"{this}_key"] == party_record.c.source_key),
            )
            .join(
                standard_party,
                (standard_party.c.source == review_pair.c[f"{other}_source"])
                & (standard_party.c.source_key == review_pair.c[f"{other}_key"]),
            )
            .where(standard_party.c.protection == "on")
        )
        barred.update(conn.scalars(doubtful))
    return frozenset(barred)


def known_by(conn: Connection, sources: Sequence[str]) -> frozenset[int]:
    """Parties that one of these sources has a record of."""
    return frozenset(
        conn.scalars(select(party_record.c.party_id).where(party_record.c.source.in_(sources)))
    )


def objecting(conn: Connection, question: Question, kinds: Sequence[str]) -> int:
    """How many in a frozen question may not be asked about any more, or are no customers any more."""
    people = frames.rows(
        conn,
        select(*batch_person.c).where(
            batch_person.c.source == question.source,
            batch_person.c.question_no == question.question_no,
        ),
    )
    parties = _parties(conn, people)
    golden = frames.read_matching(
        conn, GOLDEN, parties, ("party_id",), ("party_id", "protection", "is_deceased")
    )
    golden = golden[golden["protection"].isin(["off", "not_stated"])]
    fine = parties["party_id"].isin(golden["party_id"]) & ~parties["party_id"].isin(
        list(not_to_be_asked(conn, kinds))
    )
    return question.people - int(fine.sum())


def _parties(conn: Connection, people: pd.DataFrame) -> pd.DataFrame:
    """The same people with their party of today; who has none is left out."""
    own = people[["own_key"]].assign(source=OWN_REGISTER)
    keys = own.rename(columns={"own_key": "source_key"})
    records = frames.read_matching(conn, PARTY_RECORDS, keys, ("source", "source_key"))
    records = records[["source_key", "party_id"]].rename(columns={"source_key": "own_key"})
    return people.merge(records, on="own_key")
