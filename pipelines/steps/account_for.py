"""Account for what was disclosed: to the person it was about, and, of one delivery, to whoever has to answer for it.

Belongs here: a person's statement (R38), who and what stood in a delivery (R60), and that somebody looked. Does not
belong here: what an entry of the log means (`domain.told`), words (`pipelines.statement`). What was told is read
from the log and from nothing else; no name of ours is in either (C-579/21).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipelines.domain.schemas import GOLDEN, PARTY_RECORDS
from pipelines.domain.told import Told, disclosures
from pipelines.steps.around import NotFound
from pipelines.steps.look import OWN_REGISTER_SOURCE, party_of
from pipelines.steps.night import Night
from pipelines.store import access, frames, notifications, restraints
from pipelines.store import disclosures as log
from pipelines.store.engine import transaction


@dataclass(frozen=True)
class Notified:
    """Somebody who was told, and has to hear that it was wrong or may not be kept (R43, R56)."""

    kind: str
    recipient: str
    fields: tuple[str, ...]
    state: str
    at: str


@dataclass(frozen=True)
class Restraint:
    """What a customer has forbidden, and since when (`domain.restraints`)."""

    kind: str
    since: str


@dataclass(frozen=True)
class Account:
    """Everything told about one customer. name: None of somebody who has left the register since.

    notified: recalls and notices of correction, oldest first, those that an officer declined included. restraints:
    what stands, oldest first.
    """

    party_id: int
    number: str
    name: str | None
    made_at: str
    told: tuple[Told, ...]
    notified: tuple[Notified, ...] = ()
    restraints: tuple[Restraint, ...] = ()


@dataclass(frozen=True)
class Exposed:
    """Who and what stood in one delivery.

    people: party_id, customer_numbers, display_name, is_protected (now), fields, one line a row told; party_id null of
    a row about a record that has no customer any more. fields: column → in how many rows it carried something.
    """

    delivery_id: str
    recipient: str
    purpose: str
    basis: str
    ground: str | None
    contract: str | None
    notice: str
    prepared_at: str
    outcome: str
    outcome_at: str
    people: pd.DataFrame
    fields: Mapping[str, int]

    @property
    def persons(self) -> int:
        """How many customers, each counted once."""
        return int(self.people["party_id"].nunique())

    @property
    def protected(self) -> int:
        """How many of them are under a protective order now."""
        return int(self.people.loc[self.people["is_protected"], "party_id"].nunique())


def person(night: Night, number: str, who: str, purpose: str) -> Account:
    """Who has been told what about one customer, look-ups at registers included (R38). NotFound for nobody."""
    vault = night.vault
    with transaction(night.engine) as conn:
        party_id = party_of(conn, number)
        access.record(conn, night.now(), who, "disclosures person", party_id, purpose)
        logged = log.of_party(conn, vault, party_id)
        states = log.states_of(conn, set(logged["delivery_id"].dropna()))
        notified = notifications.of_party(conn, party_id)
        standing = restraints.of_party(conn, party_id)
        golden = frames.read_matching(
            conn, GOLDEN, pd.DataFrame({"party_id": [party_id]}), ("party_id",)
        )
    return Account(
        party_id=party_id,
        number=number,
        name=None if golden.empty else str(golden["display_name"].iloc[0]),
        made_at=night.now(),
        told=tuple(disclosures(logged, states)),
        notified=tuple(
            Notified(
                kind, recipient, tuple(fields), state, closed if isinstance(closed, str) else at
            )
            for kind, recipient, fields, state, at, closed in notified[
                ["kind", "recipient", "fields", "state", "prepared_at", "closed_at"]
            ].itertuples(index=False)
            if state != "void"
        ),
        restraints=tuple(
            Restraint(kind, since)
            for kind, since in standing[["kind", "since"]].itertuples(index=False)
        ),
    )


def delivery(night: Night, delivery_id: str, who: str, purpose: str) -> Exposed:
    """Who stood in a delivery and with what (R60), and that somebody looked at each of them.

    NotFound for a delivery the log has no people of.
    """
    vault = night.vault
    with transaction(night.engine) as conn:
        logged = log.of_delivery(conn, vault, delivery_id)
        if logged.empty:
            raise NotFound(
                f"the log has nobody in a delivery {delivery_id[:40]}; see: hub disclosures list"
            )
        states = log.states_of(conn, [delivery_id])
        parties = logged[["party_id"]].dropna().drop_duplicates().astype("int64")
        golden = frames.read_matching(conn, GOLDEN, parties, ("party_id",))
        records = frames.read_matching(conn, PARTY_RECORDS, parties, ("party_id",))
        access.record_many(
            conn, night.now(), who, f"disclosures delivery {delivery_id}", parties["party_id"],
            purpose,
        )  # fmt: skip
    own = records[records["source"] == OWN_REGISTER_SOURCE]
    numbers = own.groupby("party_id")["source_key"].agg(lambda keys: " ".join(sorted(keys)))
    people = (
        logged[["party_id", "fields"]]
        .merge(golden[["party_id", "display_name", "protection"]], on="party_id", how="left")
        .merge(numbers.rename("customer_numbers"), on="party_id", how="left")
    )
    first = disclosures(logged.head(1), states)[0]
    return Exposed(
        delivery_id=delivery_id,
        recipient=first.recipient,
        purpose=first.purpose,
        basis=first.basis,
        ground=first.ground,
        contract=first.contract,
        notice=first.notice,
        prepared_at=first.at,
        outcome=first.outcome,
        outcome_at=first.outcome_at,
        people=people.assign(
            is_protected=(people["protection"] == "on").fillna(False).astype(bool)
        )[["party_id", "customer_numbers", "display_name", "is_protected", "fields"]],
        fields=Counter(logged["fields"].explode().dropna().tolist()),
    )
