"""Odottavat luovutukset: what each recipient would be told next, row by row, and who is held back.

Belongs here: laying a preview out; whoever opens one is logged with each customer in it. Does not belong here: working it
out (`steps.prepare_extract`), sending.
"""

import pandas as pd
from starlette.responses import Response

from pipelines.desk.forms import FormRefused
from pipelines.desk.visit import PEOPLE, Page, Visit
from pipelines.steps.prepare_extract import preview
from pipelines.store import deliveries, holdings
from pipelines.store.engine import reading

_SHOWN = 500


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
    """POST /delivery: what goes to one recipient next."""
    name = visit.form.get("recipient", "")
    contract = visit.house.settings.recipients.get(name)
    if contract is None or not contract.configured or contract.population.is_per_case:
        raise FormRefused("unreadable")
    rows, held = preview(visit.night, contract, visit.who, visit.why)
    return visit.page(
        "delivery.html",
        title=visit.title(name),
        rows=visit.rows(rows.head(_SHOWN)),
        count=len(rows),
        more=len(rows) - _SHOWN,
        held=[
            (f"P{party}" if pd.notna(party) else "", visit.texts.say(f"held.{reason}"))
            for party, reason in held[["party_id", "reason"]].head(_SHOWN).itertuples(index=False)
        ],
    )


PAGES = (
    Page("GET", "/deliveries", PEOPLE, listed),
    Page("POST", "/delivery", PEOPLE, one),
)
