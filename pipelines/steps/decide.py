"""Take a steward's decision: on a refused record, or on what a customer told us.

Belongs here: acts of a person, each with who, when and why. Does not belong here: what follows from them
(the next night's steps see the change like any other).
"""

from typing import Any

import pandas as pd
from sqlalchemy import Connection

from expectations.rules import is_waivable
from pipelines.domain.landing import content_hash, field_times
from pipelines.domain.schemas import GOLDEN, LANDED, PARTY_RECORDS
from pipelines.errors import HubError
from pipelines.steps.around import NotFound, is_under_order
from pipelines.steps.look import NOTICES, OWN_REGISTER_SOURCE, party_of
from pipelines.steps.look_at_refused import as_came, is_hidden, party_behind
from pipelines.steps.night import Night, executing
from pipelines.steps.second_person import demand_two
from pipelines.store import access, frames, judgements, nights, quarantine
from pipelines.store.engine import transaction


class Undecidable(HubError):
    """The decision can't be taken as asked; the message says what can be done instead."""


def release(
    night: Night, quarantine_id: int, who: str, why: str, *, approved_by: str | None = None
) -> None:
    """Let a record on in spite of the rule it broke; the next night reads it again.

    A rule that protects people or the recipients can't be waived: the record has to be mended at its
    source, or dropped. approved_by: as `second_person.demand_two` wants it.
    """
    item = _open_item(night, quarantine_id)
    if not is_waivable(str(item["rule"])):
        raise Undecidable(
            f"rule {item['rule']} can't be waived: correct the record (hub quarantine correct {quarantine_id} "
            f"FIELD=VALUE), have its source mend it, or take it out with: hub quarantine drop {quarantine_id}",
            says="desk.quarantine.firm_long",
        )
    with executing(night, "release") as step:
        demand_two_behind(step.conn, item, who, approved_by)
        quarantine.decide(
            step.conn, quarantine_id, "released", who, why, night.now(), step_run=step.id
        )
        _record(step.conn, night, item, "quarantine release", who, why)


def demand_two_behind(conn: Connection, item: pd.Series, who: str, approved_by: str | None) -> None:
    """As `second_person.demand_two`, where a protective order stands behind a refused record."""
    content = as_came(conn, item)
    party = party_behind(conn, item, content)
    if is_hidden(conn, item, content, party):
        about = f"entry {item['quarantine_id']}"
        demand_two(who, approved_by, about, "Karanteeni", () if party is None else (party,))


def drop(night: Night, quarantine_id: int, who: str, why: str) -> None:
    """Leave a record out for good, in this form; a later version of it is read as usual."""
    item = _open_item(night, quarantine_id)
    with transaction(night.engine) as conn:
        quarantine.decide(conn, quarantine_id, "dropped", who, why, night.now())
        _record(conn, night, item, "quarantine drop", who, why)


def _record(
    conn: Connection, night: Night, item: pd.Series, operation: str, who: str, why: str
) -> None:
    party = party_behind(conn, item, as_came(conn, item))
    access.record(
        conn, night.now(), who, operation, party, why, f"quarantine {item['quarantine_id']}"
    )


def _open_item(night: Night, quarantine_id: int) -> pd.Series:
    with transaction(night.engine) as conn:
        item = quarantine.item(conn, quarantine_id)
    if item is None:
        raise NotFound(
            f"quarantine has no entry {quarantine_id}; see: hub quarantine list",
            says="no.entry", n=quarantine_id,
        )  # fmt: skip
    if item["state"] != "open":
        raise Undecidable(
            f"entry {quarantine_id} is already {item['state']}",
            says="no.entry_decided",
            n=quarantine_id,
        )
    return item


def take_notice(
    night: Night,
    number: str,
    content: dict[str, Any],
    *,
    received: str,
    channel: str,
    evidence: str | None,
    who: str,
    corrects: bool = False,
    approved_by: str | None = None,
) -> str:
    """Land what a customer told us about themselves (R12); returns the notice's number.

    content: declared party fields (address, phone, e-mail). received: the date it was given, ISO. corrects:
    what stood there was wrong, so that whoever was told it has to hear (R43); else the old value was right in its
    time. The notice is bound to the customer by a judgement of whoever took it, so that it needs no name of its own.
    approved_by: as `second_person.demand_two` wants it: an address given in somebody's name is how somebody is found.
    """
    with executing(night, "notice") as step:
        party_id = party_of(step.conn, number)
        key = pd.DataFrame({"party_id": [party_id]})
        golden = frames.read_matching(step.conn, GOLDEN, key, ("party_id",))
        records = frames.read_matching(step.conn, PARTY_RECORDS, key, ("party_id",))
        own = records[records["source"] == OWN_REGISTER_SOURCE]
        if own.empty and not golden.empty:
            raise Undecidable(
                f"customer {number[:20]} has no record in our own register to tie a notice to",
                says="no.not_in_own_register",
            )
        if golden.empty:
            raise NotFound(
                f"customer {number[:20]} is not in the register as of the last night",
                says="no.customer_gone",
            )
        if is_under_order(step.conn, party_id):
            demand_two(who, approved_by, f"customer P{party_id}", "Asiakkaat", (party_id,))
        notice = f"N{nights.next_id(step.conn, 'notice', 1):06d}"
        if corrects:
            content = {**content, "corrects": True}
        stated = {**content, "party_type": golden["party_type"].iloc[0]}
        record = LANDED.frame(
            [
                {
                    "source": NOTICES,
                    "kind": "party",
                    "source_key": notice,
                    "source_time": f"{received}T00:00:00Z",
                    "content": stated,
                    "content_hash": content_hash(stated),
                    "business_date": night.business_date,
                }
            ]
        )
        times = field_times(record, LANDED.empty(), night.as_of)
        record["field_times"] = pd.Series(times, record.index, "object")
        frames.put(step.conn, LANDED, record, step.id)
        judgements.record(
            step.conn,
            (NOTICES, notice),
            (OWN_REGISTER_SOURCE, str(own["source_key"].iloc[0])),
            "same",
            by=who,
            reason=f"customer's notice by {channel}",
            now=night.now(),
            step_run=step.id,
            authority=evidence,
        )
        access.record(step.conn, night.now(), who, "customer notice", party_id, channel, notice)
    return notice
