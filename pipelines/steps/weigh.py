"""Put what waits in quarantine in the order in which a person should look, and count it for the night.

Belongs here: looking up what hangs on a refused record. Does not belong here: which reason is graver
(`domain.consequence`), showing a record (`look`), deciding (`decide`, `correct`). Nobody is shown: numbers, rules, days.
"""

from collections.abc import Mapping
from typing import Literal

import pandas as pd
from sqlalchemy import Connection

from expectations.rules import is_waivable
from pipelines.domain.consequence import bill_columns, weighed
from pipelines.domain.extract import BILLING_MADE_OF
from pipelines.domain.schemas import (
    GOLDEN,
    GOLDEN_ROLES,
    LANDED,
    PARTIES,
    PARTY_RECORDS,
    POINT_TIES,
    POINTS,
    ROLES,
)
from pipelines.steps.night import Night
from pipelines.steps.notify import age
from pipelines.store import frames, quarantine
from pipelines.store.engine import transaction

Way = Literal["release", "correct", "drop"]

_RECORD = ["source", "source_key"]
_KEY = [*LANDED.key]
_HELD = {"party": PARTIES, "point": POINTS, "role": ROLES}
# a connector's rules that no value in the record answers: the later row is the record
NOT_ONE_RECORD = frozenset({"duplicate_key"})


def weigh(night: Night, source: str | None = None, rule: str | None = None) -> pd.DataFrame:
    """The open refusals, gravest first: the columns of quarantine but content, days, matters, bill_columns, way.

    matters: `consequence.REASONS` that hold. bill_columns: how many columns of a bill hang on it. way: the gentlest
    thing that may be done about it, release, correct or drop.
    """
    with transaction(night.engine) as conn:
        items = quarantine.open_items(conn)
        if source is not None:
            items = items[items["source"] == source]
        if rule is not None:
            items = items[items["rule"] == rule]
        items = items.assign(content=_as_came(conn, items)).reset_index(drop=True)
        facts = pd.concat([items, _facts(conn, night, items)], axis=1)
    ways = [
        way_of(str(name), content)
        for name, content in zip(facts["rule"], facts["content"], strict=True)
    ]
    days = [age(night, since) for since in facts["opened_at"]]
    return weighed(facts.assign(way=ways, days=days)).drop(columns="content")


def _as_came(conn: Connection, items: pd.DataFrame) -> pd.Series:
    """The content each refusal is about, as its source said it; empty where nothing of it could be read."""
    landed = frames.read_matching(conn, LANDED, items[_KEY], tuple(_KEY))
    said = {
        (*key, form): content
        for *key, form, content in landed[[*_KEY, "content_hash", "content"]].itertuples(
            index=False
        )
    }
    found: list[object] = []
    forms = items[[*_KEY, "content_hash", "content"]].itertuples(index=False)
    for source, kind, key, form, unlanded in forms:
        content = said.get((source, kind, key, form), unlanded)
        found.append(content if isinstance(content, dict) else {})
    return pd.Series(found, items.index, dtype=object)


def way_of(rule: str, content: Mapping[str, object]) -> Way:
    """The gentlest thing that may be done about a refusal: let the record on, correct it, or leave it out."""
    if is_waivable(rule):
        return "release"
    return "correct" if content and rule not in NOT_ONE_RECORD else "drop"


def _facts(conn: Connection, night: Night, items: pd.DataFrame) -> pd.DataFrame:
    """What `consequence.weighed` asks of each refusal, as far as it is not in its own row."""
    contents: list[dict[str, object]] = list(items["content"])
    kinds, records = list(items["kind"]), _pairs(items)
    named = [content.get("party") for content in contents]
    keys = [
        (name if isinstance(name, str) else None) if kind == "role" else key
        for kind, (_, key), name in zip(kinds, records, named, strict=True)
    ]
    people = pd.DataFrame({"source": list(items["source"]), "source_key": keys}, dtype="str")
    who = people[(items["kind"] != "point").to_numpy()]
    customers = _customers(conn, who)
    paying = _payers(conn, night, who, items.loc[items["kind"] == "point", _RECORD])
    behind = [
        ("point", *record) if kind == "point" else ("party", *person)
        for kind, record, person in zip(kinds, records, _pairs(people), strict=True)
    ]
    stated = [content.get("role_type") == "payer" for content in contents]
    held = _held(conn, items)
    return pd.DataFrame(
        {
            "tells_order": [c.get("protection") not in (None, "off") for c in contents],
            "tells_death": [bool(c.get("is_deceased") or c.get("death_date")) for c in contents],
            "is_held": [(k, *record) in held for k, record in zip(kinds, records, strict=True)],
            "is_payer": [
                pays if kind == "role" else one in paying
                for kind, pays, one in zip(kinds, stated, behind, strict=True)
            ],
            "is_customer": [one in customers for one in behind],
            "bill_columns": [
                len(bill_columns(kind, content, BILLING_MADE_OF))
                for kind, content in zip(kinds, contents, strict=True)
            ],
        },
        index=items.index,
    )


def _pairs(frame: pd.DataFrame) -> list[tuple[str, str]]:
    return list(frame[_RECORD].itertuples(index=False, name=None))


def _held(conn: Connection, items: pd.DataFrame) -> set[tuple[str, ...]]:
    """kind, source, source_key of the records of which the register has taken in some version."""
    found: set[tuple[str, ...]] = set()
    for kind, schema in _HELD.items():
        mine = items.loc[items["kind"] == kind, _RECORD]
        standard = frames.read_matching(conn, schema, mine, tuple(_RECORD))
        found |= {(kind, *key) for key in _pairs(standard)}
    return found


def _customers(conn: Connection, people: pd.DataFrame) -> set[tuple[str, ...]]:
    who = frames.read_matching(conn, PARTY_RECORDS, people, tuple(_RECORD))
    golden = frames.read_matching(conn, GOLDEN, who, ("party_id",))
    return {("party", *key) for key in _pairs(who[who["party_id"].isin(golden["party_id"])])}


def _payers(
    conn: Connection, night: Night, parties: pd.DataFrame, points: pd.DataFrame
) -> set[tuple[str, ...]]:
    """("party" or "point", source, source_key) of the records behind a payer's role that holds on the business date.

    By the golden roles, and by those stated where nobody could be placed yet: a new customer is refused before that.
    """
    names = parties.rename(columns={"source_key": "party_source_key"})
    places = points.rename(columns={"source_key": "point_source_key"})
    who = frames.read_matching(conn, PARTY_RECORDS, parties, tuple(_RECORD))
    where = frames.read_matching(conn, POINT_TIES, points, tuple(_RECORD))
    stated = [
        frames.read_matching(conn, ROLES, names, ("source", "party_source_key")),
        frames.read_matching(conn, ROLES, places, ("source", "point_source_key")),
    ]
    of_party = _now(night, frames.read_matching(conn, GOLDEN_ROLES, who, ("party_id",)))
    at_point = _now(night, frames.read_matching(conn, GOLDEN_ROLES, where, ("point_id",)))
    said = [_now(night, roles) for roles in stated]
    found = {
        "party": [
            who[who["party_id"].isin(of_party["party_id"])][_RECORD],
            said[0][["source", "party_source_key"]],
        ],
        "point": [
            where[where["point_id"].isin(at_point["point_id"])][_RECORD],
            said[1][["source", "point_source_key"]],
        ],
    }
    return {
        (kind, *key)
        for kind, every in found.items()
        for frame in every
        for key in frame.itertuples(index=False, name=None)
    }


def _now(night: Night, roles: pd.DataFrame) -> pd.DataFrame:
    begun = roles["valid_from"].isna() | (roles["valid_from"] <= night.business_date)
    open_ = roles["valid_to"].isna() | (roles["valid_to"] > night.business_date)
    return roles[(roles["role_type"] == "payer") & begun & open_]


def waiting_counts(conn: Connection, night: Night, source: str | None = None) -> dict[str, int]:
    """What Dagster shows of quarantine from night to night: records by source and rule, days the oldest has waited.

    source: of that one alone, by rule. Nothing is said of nothing.
    """
    waiting = [row for row in quarantine.open_counts(conn) if source in (None, row.source)]
    since = quarantine.oldest(conn, source)
    if since is None:
        return {}
    named = {row.rule if source else f"{row.source}/{row.rule}": row.n for row in waiting}
    return {
        **{f"in_quarantine:{name}": n for name, n in named.items()},
        "oldest_refusal_days": age(night, since),
    }
