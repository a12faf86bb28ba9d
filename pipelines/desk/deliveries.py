"""Odottavat luovutukset: what each recipient would be told next, row by row and why, and who is held back.

Belongs here: laying that out; whoever opens one is logged with each customer in it. Does not belong here: working it out
(`steps.foresee_delivery`), sending.
"""

from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas as pd
from starlette.responses import Response

from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import PEOPLE, Page, Visit, plain
from pipelines.steps.foresee_delivery import Awaited, foresee_delivery
from pipelines.store import deliveries, holdings
from pipelines.store.engine import reading
from pipelines.texts import catalogue

_SHOWN = 200
_DAYS = frozenset({"stated_at", "connected_from"})  # beside those that `Visit.word` knows


def listed(visit: Visit) -> Response:
    """GET /deliveries: recipients, what is on its way and how many are held back; no people."""
    rows = []
    with reading(visit.house.engine) as conn:
        for name, contract in visit.house.settings.recipients.items():
            if not contract.configured:
                continue
            rows.append(
                {
                    "name": name,
                    "title": visit.title(name),
                    "mode": deliveries.mode_of(conn, name, contract.mode),
                    "is_per_case": contract.population.is_per_case,
                    "held": [
                        (visit.texts.say(f"held.{reason}"), n)
                        for reason, n in holdings.held_reasons(conn, name).items()
                    ],
                    "open": [
                        (d.delivery_id, d.state, visit.texts.day(d.business_date))
                        for d in deliveries.outstanding(conn, name)
                    ],
                }
            )
    return visit.page("deliveries.html", rows=rows)


def one(visit: Visit) -> Response:
    """POST /delivery: what goes to one recipient next, what has come in since the night included."""
    name = visit.form.get("recipient", "")
    contract = visit.house.settings.recipients.get(name)
    if contract is None or not contract.configured or contract.population.is_per_case:
        raise FormRefused("unreadable")
    with visit.alone() as is_alone:
        seen = foresee_delivery(
            visit.night, contract, visit.who, visit.why, alone=is_alone, most=_SHOWN
        )
    with reading(visit.house.engine) as conn:
        mode = deliveries.mode_of(conn, name, contract.mode)
    return visit.page(
        "delivery.html",
        title=visit.title(name),
        state="waiting" if mode == "live" and seen.is_waiting else mode,
        seen=seen,
        day=visit.texts.day(seen.business_date),
        rows=list(_rows(visit, seen)),
        more=seen.count - _SHOWN,
        held=[
            (f"P{party}" if pd.notna(party) else "", visit.texts.say(f"held.{reason}"))
            for party, reason in seen.held.head(_SHOWN).itertuples(index=False)
        ],
        more_held=len(seen.held) - _SHOWN,
    )


def _rows(visit: Visit, seen: Awaited) -> Iterator[dict[str, object]]:
    """Each row: whom it is about, what happens, why, and all that is told."""
    names = seen.names.set_index("party_id")["display_name"].to_dict()
    why = {key: rows.to_dict("records") for key, rows in seen.why.groupby("row_key", sort=False)}
    told = seen.events.drop(columns=["row_key", "party_id"])
    columns = [(column, visit.code("column", column)) for column in told.columns]
    for key, party, *values in seen.events.itertuples(index=False):
        row = dict(zip(told.columns, map(plain, values), strict=True))
        event = row.get("event", "")
        yield {
            "number": f"P{party}" if pd.notna(party) else "",
            "name": plain(names.get(party, "")),
            "event": visit.code("event", event) if event else "",
            "why": [_because(visit, row, reason) for reason in why.get(key, [])],
            "told": [
                (words, _value(visit, column, row[column]))
                for column, words in columns
                if row[column] and column != "event"
            ],
        }


def _because(visit: Visit, row: Mapping[str, str], reason: Mapping[Hashable, Any]) -> str:
    """One reason in a sentence: what changed from what to what, who said so and when."""
    column = str(reason["column"])
    now, before = (_value(visit, column, text) for text in (row[column], plain(reason["before"])))
    how = "changed" if now and before else "added" if now else "left_out"
    if pd.isna(reason["before"]):
        how = "opened"
    said = visit.texts.say(
        f"desk.deliveries.{how}", column=visit.code("column", column), before=before, now=now
    )
    if pd.isna(reason["source"]):
        return said
    whence = " ".join(
        filter(None, (visit.title(reason["source"]), visit.day(reason["source_time"])))
    )
    rule = f"rule.{reason['rule']}"  # a role's has no words: its source says it all
    return (
        f"{said} ({whence}: {visit.texts.say(rule)})"
        if rule in catalogue()
        else f"{said} ({whence})"
    )


def _value(visit: Visit, column: str, text: str) -> str:
    return visit.texts.day(text) if column in _DAYS and text else visit.word(column, text)


PAGES = (
    Page("GET", "/deliveries", PEOPLE, listed),
    Page("POST", "/delivery", PEOPLE, one),
)
