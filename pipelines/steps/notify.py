"""Recall what may not be kept, and tell whoever was told it that a value was wrong (R43, R56; GDPR art. 19).

Belongs here: queueing recalls and notices in the transaction of what calls for them, closing what a delivery has carried.
Does not belong here: what was wrong (`domain.notification`), an officer's decision (`recall`). Nothing is sent from here: a notice goes with its contract's next delivery, or a person
sends it, since telling somebody that an address is to be forgotten tells that there is a reason (PRIVACY §3.5).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.disclosure import leaf
from pipelines.domain.notification import address_parts, carried
from pipelines.domain.schemas import GOLDEN, PARTY_RECORDS
from pipelines.settings import RecipientContract
from pipelines.steps.look import NOTICES
from pipelines.steps.night import Night, instant
from pipelines.store import (
    deliveries,
    disclosures,
    frames,
    holdings,
    notifications,
)
from pipelines.store.notifications import Wanted
from pipelines.store.vault import Vault

# so long a notice may wait for its contract's next delivery before a person is asked to look
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Waiting:
    """What waits for a person, of recalls and of notices, and how many whole days the oldest has."""

    recalls: int
    notices: int
    oldest_days: int


# ---- queueing


def newly_protected(conn: Connection, stating: pd.DataFrame) -> list[int]:
    """The parties whose records (source, source_key) state an order that the register has not taken in yet."""
    records = frames.read_matching(conn, PARTY_RECORDS, stating, ("source", "source_key"))
    parties = records[["party_id"]].drop_duplicates()
    golden = frames.read_matching(conn, GOLDEN, parties, ("party_id",))
    known = golden.loc[golden["protection"] == "on", "party_id"]
    return sorted(map(int, parties.loc[~parties["party_id"].isin(known), "party_id"]))


def prepare_recalls(conn: Connection, night: Night, parties: Iterable[int]) -> int:
    """Whoever was told an address of these parties is put before an officer, once; returns how many are new.

    Called in the transaction that records their protective order, after what had not left was stopped.
    """
    fresh = 0
    for party in parties:
        told = notifications.rows_that_left(conn, party)
        wanted = []
        for recipient, rows in told.groupby("recipient", sort=True):
            parts = address_parts(rows["fields"].explode().dropna(), rows["row_key"])
            if not parts:
                continue
            holds = rows[[
                bool(address_parts(fields, [key]))
                for fields, key in zip(rows["fields"], rows["row_key"], strict=True)
            ]]  # fmt: skip
            if holds.empty:
                continue
            last = holds.iloc[-1]
            before = notifications.last_prepared(conn, "recall", str(recipient), party)
            if before is not None and before >= last["at"]:
                continue  # decided, or waiting, since it was told
            wanted.append(
                Wanted(
                    "recall", str(recipient), party, tuple(parts), "protective_order",
                    str(last["entry_id"]), _in_order(holds["delivery_id"]), "hand", "prepared",
                )
            )  # fmt: skip
        fresh += len(notifications.queue(conn, wanted, night.now()))
    return fresh


def queue_corrections(conn: Connection, night: Night, vault: Vault, wrong: pd.DataFrame) -> int:
    """One notice to each who was told a wrong value, and one to who supplied it (R43); returns how many are new.

    wrong: `domain.notification.WRONG`; where its source is null nobody supplied it in error. Called in the transaction that puts the right value in its place.
    """
    fresh: list[Wanted] = []
    events = wrong[["party_id", "cause"]].drop_duplicates()
    for party, cause in events.itertuples(index=False):
        values = wrong[(wrong["party_id"] == party) & (wrong["cause"] == cause)]
        was = dict(zip(values["field"], values["value"], strict=True))
        held = _holding(conn, night, vault, int(party), was)
        wanted = [
            _notice(conn, night, name, int(party), str(cause), fields, "was_told", told_in)
            for name, (fields, told_in) in sorted(held.items())
        ]
        for source, theirs in values.groupby("source", sort=True):
            name = _returning(night, str(source)) or str(source)
            # who was wrong in a notice of their own has just said so
            if source != NOTICES and name not in held:
                fields = tuple(sorted(theirs["field"]))
                wanted.append(
                    _notice(conn, night, name, int(party), str(cause), fields, "supplied_it", ())
                )
        fresh += notifications.queue(conn, wanted, night.now())
    carried_by_contract = [one for one in fresh if one.route == "delivery"]
    lines = [art19_leaf(night, one.kind, one.recipient) for one in carried_by_contract]
    if lines:
        disclosures.append_leaves(conn, lines, night.now())
    return len(fresh)


def _holding(
    conn: Connection, night: Night, vault: Vault, party: int, was: Mapping[str, str]
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Recipient → the fields it was told in the wrong version, and the deliveries that told it."""
    left = notifications.rows_that_left(conn, party, or_will=True)
    logged = disclosures.of_party(conn, vault, party)
    logged = logged[logged["entry_id"].isin(left["entry_id"])]
    told = [
        (str(name), content, str(delivery_id))
        for name, content, delivery_id in zip(
            logged["recipient"], logged["content"], logged["delivery_id"], strict=True
        )
    ]
    told += [
        (name, row, "")
        for name in night.settings.recipients
        for row in holdings.adopted_rows(conn, name, notifications.one_party(conn, party))
    ]
    found: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for name, content, delivery_id in told:
        contract = night.settings.recipients.get(name)
        made_of = {f.name: f.made_of for f in contract.fields} if contract is not None else {}
        if fields := carried(content, made_of, was):
            known, told_in = found.setdefault(name, ({}, {}))
            known.update(dict.fromkeys(fields))
            told_in.update(dict.fromkeys([delivery_id] if delivery_id else []))
    return {name: (tuple(sorted(f)), tuple(d)) for name, (f, d) in found.items()}


def _notice(
    conn: Connection,
    night: Night,
    name: str,
    party: int,
    cause: str,
    fields: Sequence[str],
    why: str,
    told_in: Sequence[str],
) -> Wanted:
    is_carried = _has_standing_route(conn, night, night.settings.recipients.get(name))
    return Wanted(
        "correction", name, party, tuple(fields), why, cause, tuple(told_in),
        "delivery" if is_carried else "hand", "approved" if is_carried else "prepared",
    )  # fmt: skip


def _has_standing_route(conn: Connection, night: Night, contract: RecipientContract | None) -> bool:
    """Whether a recipient hears of every change by its contract, so that its next delivery is the notice."""
    return (
        contract is not None
        and contract.configured
        and not contract.population.is_per_case
        and deliveries.mode_of(conn, contract.recipient, contract.mode) == "live"
    )


def _returning(night: Night, source: str) -> str | None:
    """Who gets back corrections of the records that a source supplied."""
    return next(
        (
            name
            for name, contract in night.settings.recipients.items()
            if contract.population.source == source
        ),
        None,
    )


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def art19_leaf(night: Night, kind: str, recipient: str) -> str:
    """That somebody is told of a recall or a correction; of whom, the log does not say."""
    return leaf("art19", to=recipient, operation=kind, notice=night.settings.notice.version)


# ---- closing


def close_carried(conn: Connection, night: Night) -> int:
    """A notice is sent with the delivery that carries its party's row, and closed by its acknowledgement.

    What is about deliveries that were given up after all is void. Returns how many moved.
    """
    moved = 0
    for void in notifications.given_up(conn):
        notifications.move(conn, void, "void", closed_at=night.now())
        moved += 1
    later = notifications.carrying(conn)
    for number in later["notification_no"].drop_duplicates():
        rows = later[later["notification_no"] == number]
        told_in, fields = set(rows["told_in"].iloc[0]), set(rows["fields"].iloc[0])
        part = rows["row_key"].str.rpartition("/")
        is_about = (part[0] == "") | part[2].isin(fields)
        rows = rows[~rows["delivery_id"].isin(told_in) & is_about]
        taken = rows[rows["status"] == "accepted"]
        gone = rows[rows["delivery_state"].isin(["sent", "uncertain"])]
        if not taken.empty:
            delivery_id = str(taken["delivery_id"].iloc[0])
            notifications.move(
                conn, int(number), "acknowledged", delivery_id=delivery_id, closed_at=night.now()
            )
            moved += 1
        elif not gone.empty and rows["state"].iloc[0] == "approved":
            notifications.move(
                conn, int(number), "sent", delivery_id=str(gone["delivery_id"].iloc[0])
            )
            moved += 1
    return moved


def waiting(conn: Connection, night: Night) -> Waiting:
    """What waits for a person: a decision, a letter, or a look at why no delivery has carried a notice."""
    found = notifications.listed(conn, notifications.OPEN)
    overdue = instant(night.clock() - _PATIENCE)
    with_contract = (found["route"] == "delivery") & (found["prepared_at"] > overdue)
    found = found[~with_contract.astype(bool)]
    kinds = found["kind"].value_counts()
    oldest = 0 if found.empty else age(night, str(found["prepared_at"].min()))
    return Waiting(int(kinds.get("recall", 0)), int(kinds.get("correction", 0)), oldest)


def age(night: Night, since: str) -> int:
    """Whole days since an instant."""
    return (night.clock() - datetime.fromisoformat(since)).days
