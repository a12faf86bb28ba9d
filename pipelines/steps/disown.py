"""Take out what is said of people who are no customers: invoices and orders under a number that is nobody's here.

Belongs here: which dealings tonight has to look at, leaving no trace of a stranger's (DESIGN 4). Does not belong
here: whose a number is (`store.dealings`), parties and places (`consolidate`, `place`).
"""

import pandas as pd

from pipelines.domain.schemas import INVOICES, LANDED, ORDERS
from pipelines.steps.night import Night, StepRun
from pipelines.store import dealings, frames, quarantine

_KIND = {INVOICES: "invoice", ORDERS: "order"}
_RECORD = ["source", "source_key"]


def disown_strangers(step: StepRun, night: Night, somebody_left: bool) -> None:
    """Remove the dealings of nobody of ours, refused ones too; `dealings_dropped:SOURCE` counts them.

    Looks at what came or changed, and at everything on a night on which somebody stopped being a customer.
    """
    numbered_by = {name: source.numbered_by for name, source in night.settings.sources.items()}
    suspects = [_refused(step)]
    for schema, kind in _KIND.items():
        looked_at = (
            frames.read(step.conn, schema)
            if somebody_left
            else frames.changed_since(step.conn, schema, step.since)
        )
        suspects.append(looked_at[[*_RECORD, "customer_number"]].assign(kind=kind))
    told = dealings.owners(step.conn, pd.concat(suspects), numbered_by)
    strangers = told.loc[told["party_id"].isna(), ["source", "kind", "source_key"]]
    strangers = strangers.drop_duplicates()
    for source, n in strangers["source"].value_counts().items():
        step.counts[f"dealings_dropped:{source}"] = int(n)
    for schema, kind in _KIND.items():
        gone = strangers[strangers["kind"] == kind]
        frames.remove(step.conn, schema, gone, _RECORD)
    frames.remove(step.conn, LANDED, strangers, ("source", "kind", "source_key"))
    quarantine.forget(step.conn, strangers)


def _refused(step: StepRun) -> pd.DataFrame:
    """Dealings in quarantine that name a customer; one that names nobody waits for a steward."""
    key = ["source", "kind", "source_key"]
    items = quarantine.open_items(step.conn)
    items = items[items["kind"].isin(list(_KIND.values()))].drop_duplicates(key)
    landed = frames.read_matching(step.conn, LANDED, items[key], key)
    both = items[[*key, "content"]].merge(
        landed[[*key, "content"]], on=key, how="left", suffixes=("", "_landed")
    )
    content = both["content_landed"].where(both["content_landed"].notna(), both["content"])
    number = [c.get("customer_number") if isinstance(c, dict) else None for c in content]
    named = both[key].assign(customer_number=pd.Series(number, both.index, dtype="str"))
    return named[named["customer_number"].notna()]
