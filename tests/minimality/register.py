"""A made-up register of a dozen customers over three nights, and what a recipient under a contract gets of it.

Belongs here: the register as a night's consolidation leaves it, and running the outbound steps over it with a
recipient that keeps what it was sent. Does not belong here: what a recipient does with it (`acceptance`), what
ought to hold (the tests).

The customers are chosen so that every field of every contract matters to somebody; whoever adds a contract or a
field adds whom it matters to.
"""

import hashlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine

from connectors.base import Acknowledgement, Receipt
from connectors.recipients.sftp_file import SftpFile
from pipelines.contracts import RecipientContract
from pipelines.domain.cases import Case
from pipelines.domain.checkpoint import vkey
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    INVOICES,
    ORDERS,
    PARTIES,
    PARTY_RECORDS,
    PROVENANCE,
    Schema,
)
from pipelines.settings import Settings
from pipelines.steps.deliver import deliver
from pipelines.steps.night import LogKeys, Night, executing
from pipelines.steps.prepare_case import Asked, prepare_case
from pipelines.steps.prepare_extract import prepare_extract
from pipelines.store import checkpoints, frames, nights
from pipelines.store.engine import transaction
from tests.steps.logged import NAME, SIGNING, VAULT

SCHEMAS = (
    GOLDEN, GOLDEN_POINTS, GOLDEN_ROLES, PARTY_RECORDS, PARTIES, ADDRESSES, PROVENANCE, INVOICES, ORDERS,
)  # fmt: skip
OWN, TOWN, DVV, YTJ = "registrations", "municipality", "dvv", "ytj"
NIGHTS = ("2026-11-02", "2026-11-03", "2026-11-04")
HEARD = "2026-10-20T00:00:00Z"
UNRELATED = 99
PROTECTED = 5  # whom an order may be granted: pays on paper and has a contact address

# what somebody else asks about, by night: customer number and the reference it goes under
CASES = {
    NIGHTS[0]: (("20001", "P-1"), ("20002", "P-2")),
    NIGHTS[1]: (("20004", "P-3"),),
    NIGHTS[2]: ((str(20000 + PROTECTED), "P-4"),),
}
PROTECTED_CASES = ("P-4",)

Row = dict[str, Any]
PLACE = ("street_line", "postal_code", "post_office", "country")


def place(line: str, code: str = "31640", office: str = "HUMPPILA", country: str = "FI") -> Row:
    return dict(zip(PLACE, (line, code, office, country), strict=True))


@dataclass
class Register:
    """The tables that extracts are made of, whole, as they stand on one night."""

    rows: dict[Schema, list[Row]] = field(default_factory=lambda: {s: [] for s in SCHEMAS})

    def customer(self, number: int, home: Row, **golden: Any) -> None:
        """A party with a record in our own register that says the same as the golden values."""
        base: Row = {
            "party_id": number, "party_type": "person", "delivery_channel": "paper",
            "protection": "not_stated", "address_type": "permanent", **home, **golden,
        }  # fmt: skip
        if base["party_type"] == "person":
            base["display_name"] = f"{base['family_name']} {base['given_names']}"
        else:
            base["display_name"] = base["organisation_name"]
        self.rows[GOLDEN].append(base)
        names = ("party_type", "family_name", "given_names", "organisation_name")
        stated = {k: base[k] for k in names if k in base}
        self.record(number, OWN, str(20000 + number), home, **stated)
        for name in ("display_name", "street_line"):
            self.believe(number, name, OWN, "own_notice")

    def record(self, number: int, source: str, key: str, home: Row | None, **stated: Any) -> None:
        """What a source says of a party."""
        record = {"source": source, "source_key": key}
        self.rows[PARTY_RECORDS].append({**record, "party_id": number})
        self.rows[PARTIES].append({**record, **stated})
        if home is not None:
            self.address(source, key, 1, "permanent", home)

    def address(self, source: str, key: str, no: int, kind: str, where: Row) -> None:
        record = {"source": source, "source_key": key, "address_no": no, "address_type": kind}
        self.rows[ADDRESSES].append({**record, "stated_at": HEARD, **where})

    def believe(self, number: int, name: str, source: str, rule: str) -> None:
        """A golden value comes from this source."""
        mine = (r for r in self.rows[PROVENANCE] if (r["party_id"], r["field"]) == (number, name))
        for row in list(mine):
            self.rows[PROVENANCE].remove(row)
        told = {"party_id": number, "field": name, "source": source, "rule": rule}
        self.rows[PROVENANCE].append({**told, "value": "", "source_key": "x", "source_time": HEARD})

    def point(self, number: int, **facts: Any) -> None:
        place_ids = {
            "property_id": f"1030040001{number:04d}",
            "building_id": f"90000000{number:02d}",
        }
        base = {"point_id": number, "point_ref": f"KP{number}", **place_ids}
        self.rows[GOLDEN_POINTS].append({**base, **facts})

    def role(self, party: int, point: int, kind: str = "payer", **dates: Any) -> None:
        key = f"{party}/{point}/{kind}"
        row = {"source": OWN, "source_key": key, "party_id": party, "point_id": point}
        base = {**row, "role_type": kind, "valid_from": "2026-01-01", "rule": "own_register"}
        self.rows[GOLDEN_ROLES].append({**base, **dates})

    def of(self, schema: Schema, **equal: Any) -> Row:
        """The one row with these values, to be changed."""
        (row,) = (
            r for r in self.rows[schema] if all(r.get(k) == value for k, value in equal.items())
        )
        return row

    def drop(self, schema: Schema, **equal: Any) -> None:
        self.rows[schema].remove(self.of(schema, **equal))

    def write(self, step: Any) -> None:
        """Make the store hold exactly this."""
        for schema, rows in self.rows.items():
            frames.remove(step.conn, schema, frames.read(step.conn, schema))
            frames.put(step.conn, schema, schema.frame(rows), step.id)


@dataclass
class Evening:
    """The register on a date, and which parties went into another or came out of one that day."""

    date: str
    register: Register
    merged: list[tuple[int, int]] = field(default_factory=list)
    split: list[tuple[int, int]] = field(default_factory=list)


def story() -> list[Evening]:
    """Three nights: everybody is told; much changes; two who were joined are parted again."""
    first = Register()
    for number in (1, 2, 3, 4, 5, 6, 8, 9):
        first.point(number)
    _payers(first)
    _connections(first)
    _errors(first)

    second = deepcopy(first)
    second.of(GOLDEN, party_id=3).update(email="berg.mats@example.invalid")
    second.of(GOLDEN, party_id=1).update(**place("Uusitie 2", "31600", "JOKIOINEN"))
    second.of(GOLDEN_ROLES, party_id=6, role_type="payer").update(valid_to="2026-11-03")
    second.role(7, 6, valid_from="2026-11-03")
    second.address(OWN, "20006", 2, "final_invoice", place("Loppukuja 4", "31500", "KOSKI"))
    second.drop(GOLDEN, party_id=10)
    second.drop(PROVENANCE, party_id=10, field="display_name")
    second.drop(PROVENANCE, party_id=10, field="street_line")
    second.of(PARTY_RECORDS, source_key="20010").update(party_id=9)
    second.of(GOLDEN_ROLES, party_id=10, role_type="payer").update(party_id=9)
    second.of(GOLDEN_ROLES, party_id=3, role_type="holder").update(valid_to="2026-11-03")

    third = deepcopy(second)
    third.rows[GOLDEN].append(first.of(GOLDEN, party_id=10))
    third.of(PARTY_RECORDS, source_key="20010").update(party_id=10)
    third.of(GOLDEN_ROLES, party_id=9, point_id=9).update(party_id=10)
    return [
        Evening(NIGHTS[0], first),
        Evening(NIGHTS[1], second, merged=[(10, 9)]),
        Evening(NIGHTS[2], third, split=[(10, 9)]),
    ]


def _payers(town: Register) -> None:
    """One of every way to be billed, one who moves out, one who takes over, two who prove to be one."""
    person = town.customer
    person(1, place("Kotikatu 1"), family_name="Laine", given_names="Aino")
    person(
        2, place("Teollisuustie 3"), party_type="organisation", organisation_name="Koivula Oy",
        business_id="0000001-9", delivery_channel="einvoice", einvoice_address="003700000019",
        einvoice_operator="OPPI",
    )  # fmt: skip
    person(
        3, place("Rantatie 5"), family_name="Berg", given_names="Mats", delivery_channel="email",
        email="mats@example.invalid",
    )  # fmt: skip
    person(
        4, place("Storgatan 7", "11122", "STOCKHOLM", "SE"), family_name="Holm", given_names="Eva"
    )
    person(5, place("Piilokuja 9"), family_name="Salo", given_names="Liisa")
    town.address(OWN, "20005", 2, "contact", place("PL 12", "31601", "JOKIOINEN"))
    person(6, place("Vanhatie 6"), family_name="Niemi", given_names="Ville")
    person(7, place("Vanhatie 6"), family_name="Joki", given_names="Sari")
    person(9, place("Ahontie 8"), family_name="Aho", given_names="Olli")
    person(10, place("Ahontie 8"), family_name="Aho", given_names="Olli")
    for party, point in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 5), (6, 6), (9, 8), (10, 9)):
        town.role(party, point)
        town.rows[INVOICES].append(
            {
                "source": "finance_status", "source_key": f"L{party}",
                "customer_number": f"{party:06d}", "invoice_state": "in_collection",
            }
        )  # fmt: skip
        town.rows[ORDERS].append(
            {"source": "orders", "source_key": f"T{party}", "customer_number": str(20000 + party)}
        )


def _connections(town: Register) -> None:
    """Connected since long, applied for, ended tonight (`story`), and two on one property."""
    town.role(1, 1, "holder", valid_from="2001-05-04")
    town.role(2, 2, "holder", valid_from="2026-12-01")
    town.role(3, 3, "holder", valid_from="1999-09-09")
    town.role(5, 5, "holder", valid_from="2010-01-01")
    town.role(9, 8, "holder", valid_from="2012-02-02")
    town.role(10, 9, "holder", valid_from="2012-02-02")
    town.of(GOLDEN_POINTS, point_id=9).update(
        property_id=town.of(GOLDEN_POINTS, point_id=8)["property_id"]
    )


def _errors(town: Register) -> None:
    """What registers say otherwise than a source that is believed more."""
    # a mover the population register knows of; our own register and the municipality have the old home
    for source, key in ((OWN, "20001"), (TOWN, "40001")):
        if source == TOWN:
            town.record(
                1, TOWN, key, place("Entinen 2", "31500", "KOSKI"), **_named("Laine", "Aino")
            )
        else:
            town.of(ADDRESSES, source=OWN, source_key=key).update(
                place("Entinen 2", "31500", "KOSKI")
            )
    town.record(1, DVV, "t1", None, **_named("Laine", "Aino"))
    town.believe(1, "street_line", DVV, "newest")
    # a company under another name, as the register of organisations has it
    town.of(PARTIES, source=OWN, source_key="20002").update(organisation_name="Hauki Ky")
    town.believe(2, "organisation_name", YTJ, "order")
    # abroad since
    town.of(ADDRESSES, source=OWN, source_key="20004").update(place("Kotipolku 4"))
    town.believe(4, "street_line", DVV, "newest")
    # dead, and nobody has told our own register
    town.customer(11, place("Hiljakuja 1"), family_name="Lehto", given_names="Eino")
    town.role(11, 4, "holder", valid_from="1980-01-01")
    town.of(GOLDEN, party_id=11).update(is_deceased=True)
    town.believe(11, "is_deceased", DVV, "order")
    # the municipality has a maiden name; the customer told us herself
    town.record(5, TOWN, "40005", place("Piilokuja 9"), **_named("Mäki", "Liisa"))
    town.believe(5, "family_name", OWN, "own_notice")
    # a mover who has told the clerk of yet another home since (`acceptance`)
    town.of(ADDRESSES, source=OWN, source_key="20006").update(place("Kauan Sitten 1"))
    town.record(6, TOWN, "40006", place("Kauan Sitten 1"), **_named("Niemi", "Ville"))
    town.believe(6, "street_line", DVV, "newest")


def _named(family: str, given: str) -> Row:
    return {"party_type": "person", "family_name": family, "given_names": given}


def unrelated(register: Register) -> None:
    """One more customer, who pays for nothing, holds a connection with another, and is known rightly."""
    register.customer(UNRELATED, place("Muualla 3"), family_name="Vieras", given_names="Ulla")
    register.role(UNRELATED, 1, "contact", valid_from="2020-01-01")


def protect(register: Register, party: int = PROTECTED) -> None:
    """A protective order is in force; the golden address is then the contact address, as survivorship has it."""
    own = str(20000 + party)
    contact = register.of(ADDRESSES, source_key=own, address_type="contact")
    where = {part: contact[part] for part in PLACE}
    golden = register.of(GOLDEN, party_id=party)
    golden.update(protection="on", address_type="contact", **where)
    for record in register.rows[PARTY_RECORDS]:
        if record["party_id"] == party:
            row = register.of(PARTIES, source=record["source"], source_key=record["source_key"])
            row["protection"] = "on"


@dataclass(frozen=True)
class Delivered:
    """One delivery as it left: its bytes, and the rows that another reader finds in them."""

    date: str
    payload: bytes
    rows: list[dict[str, str]]


class Inbox:
    """A recipient that takes every row, and keeps the bytes."""

    def __init__(self) -> None:
        self._format = SftpFile(None)  # type: ignore[arg-type]  # only its bytes, never its folder
        self.payloads: list[bytes] = []
        self._last: tuple[str, int] = ("", 0)

    def render(self, columns: Any, rows: Any) -> bytes:
        return self._format.render(columns, rows)

    def parse(self, payload: bytes) -> list[dict[str, str]]:
        return self._format.parse(payload)

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        self.payloads.append(payload)
        self._last = (delivery_id, rows)
        return Receipt(delivery_id, len(payload), hashlib.sha256(payload).hexdigest())

    def look(self, delivery_id: str, sequence: int) -> Receipt | None:
        return None

    def acknowledgement(self, delivery_id: str, sequence: int) -> Acknowledgement | None:
        known, rows = self._last
        return Acknowledgement(known, rows, {}, HEARD) if known == delivery_id else None

    def check(self) -> str:
        return "here"


def night_of(engine: Engine, settings: Settings, date: str) -> Night:
    """A night of a hub whose log is signed."""
    moment = datetime.fromisoformat(f"{date}T01:30:00").replace(tzinfo=UTC)
    with transaction(engine) as conn:
        if not checkpoints.vkeys(conn):
            checkpoints.add_key(conn, NAME, vkey(NAME, SIGNING.public_key()), date)
    return Night(
        engine=engine,
        settings=settings,
        business_date=date,
        clock=lambda: moment,
        log_keys=lambda: LogKeys(VAULT, NAME, SIGNING),
    )


def live(contract: RecipientContract) -> RecipientContract:
    """The contract as if it had been signed and sent live, whatever purposes the notice has in use."""
    signed = {"reference": "sopimus 1/2026", "signed": "2026-01-31", "valid_to": None}
    agreement = type(contract.agreement).model_validate(signed)
    return contract.model_copy(update={"mode": "live", "agreement": agreement})


def in_use(settings: Settings) -> Settings:
    """The settings with every purpose of a contract in use, as once the notice gives each a basis (R5)."""
    notice = settings.notice
    named = {contract.purpose for contract in settings.recipients.values()}
    purposes = tuple(
        p.model_copy(update={"enabled": True, "basis": p.basis or "contract"})
        if p.name in named
        else p
        for p in notice.purposes
    )
    return replace(settings, notice=notice.model_copy(update={"purposes": purposes}))


def without(contract: RecipientContract, name: str) -> RecipientContract:
    """The contract less one of its fields."""
    kept = tuple(f for f in contract.fields if f.name != name)
    return contract.model_copy(update={"fields": kept})


def delivered(
    engine: Engine,
    settings: Settings,
    contract: RecipientContract,
    change: Callable[[Register], None] | None = None,
) -> list[Delivered]:
    """Every delivery of the three nights under the contract, over a register changed by `change`."""
    inbox, found = Inbox(), []
    for evening in story():
        if change is not None:
            change(evening.register)
        night = night_of(engine, settings, evening.date)
        with executing(night, "consolidate") as step:
            evening.register.write(step)
            turn(step, evening)
        before = len(inbox.payloads)
        tell(night, contract, inbox)
        for payload in inbox.payloads[before:]:
            found.append(Delivered(evening.date, payload, inbox.parse(payload)))
    return found


def tell(night: Night, contract: RecipientContract, inbox: Inbox) -> None:
    """What a night does for one recipient, and the day's cases where it is told case by case."""
    if not contract.population.is_per_case:
        prepared = prepare_extract(night, contract, lambda: inbox)
        assert prepared.status != "failed", prepared.text
        _send(night, contract, inbox)
        return
    law = "119/2001 21 §" if contract.ground == "statute" else None
    for customer, reference in CASES[night.business_date]:
        asked = Asked(customer, Case(reference, law), "clerk", "asked")
        prepare_case(night, contract, lambda: inbox, asked)
        _send(night, contract, inbox)


def _send(night: Night, contract: RecipientContract, inbox: Inbox) -> None:
    # the last look before sending goes by the contract that is configured
    recipients = {**night.settings.recipients, contract.recipient: contract}
    as_agreed = replace(night, settings=replace(night.settings, recipients=recipients))
    sent = deliver(as_agreed, contract, lambda: inbox)
    assert sent.status == "ok", sent.text


def turn(step: Any, evening: Evening) -> None:
    import pandas as pd

    merged = pd.DataFrame(evening.merged, columns=["party_id", "into_party_id"], dtype="Int64")
    split = pd.DataFrame(evening.split, columns=["party_id", "from_party_id"], dtype="Int64")
    nights.redirect(step.conn, merged, split, evening.date)
    nights.revive(step.conn, split[["party_id"]])


def lines(payloads: list[Delivered]) -> list[Mapping[str, str]]:
    """Every row of every delivery, in order."""
    return [row for one in payloads for row in one.rows]
