"""Whoever was told hears of a correction once, and an address is recalled by an officer only (R43, R56)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from connectors.base import Receipt
from pipelines.domain.cases import Case
from pipelines.domain.checkpoint import vkey
from pipelines.domain.landing import content_hash
from pipelines.domain.schemas import LANDED
from pipelines.notification_letter import letter
from pipelines.settings import load_settings
from pipelines.statement import document
from pipelines.steps import account_for, recall
from pipelines.steps.close import write_letter
from pipelines.steps.consolidate import consolidate
from pipelines.steps.decide import Undecidable, take_notice
from pipelines.steps.deliver import deliver
from pipelines.steps.match import match
from pipelines.steps.night import LogKeys, Night, executing
from pipelines.steps.prepare_case import Asked, prepare_case
from pipelines.steps.prepare_extract import prepare_extract
from pipelines.steps.reconcile import reconcile
from pipelines.steps.standardise import standardise
from pipelines.store import access, checkpoints, disclosures, frames, notifications
from pipelines.store.engine import reading, transaction
from pipelines.store.vault import Vault
from pipelines.store.verification import verify_log
from pipelines.texts import Texts
from tests.minimality.register import Inbox as Kept
from tests.minimality.register import live

NAME = "register-hub.example/disclosures"
KEYS = LogKeys(Vault(bytes(range(32))), NAME, Ed25519PrivateKey.from_private_bytes(b"k" * 32))
OWN = "registrations"
WRONG, RIGHT = "Väärätie 1", "Oikeatie 2"


class Killed(BaseException):
    """The process dies here."""


class Inbox(Kept):
    """A recipient that takes every row. lost: what is sent never arrives, as far as can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, Receipt] = {}
        self.answers = True

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        self.names[delivery_id] = super().publish(delivery_id, sequence, payload, rows)
        return self.names[delivery_id]

    def look(self, delivery_id: str, sequence: int) -> Receipt | None:
        return self.names.get(delivery_id)

    def acknowledgement(self, delivery_id: str, sequence: int) -> Any:
        return super().acknowledgement(delivery_id, sequence) if self.answers else None


@dataclass
class Town:
    """Two customers, 100007 and 100008, who pay on paper, and recipients that may be told of them."""

    engine: Engine
    day: int = 2
    inboxes: dict[str, Inbox] = field(default_factory=dict)
    dies_at: str = ""

    def __post_init__(self) -> None:
        settings = load_settings(Path("nowhere"), {})
        folder = {"kind": "folder", "path": "elsewhere"}
        self.settings = replace(
            settings,
            recipients={
                name: live(contract).model_copy(
                    update={
                        "acknowledgement": contract.acknowledgement.model_copy(
                            update={"wait_seconds": 0}
                        ),
                        "transport": type(contract.transport).model_validate(
                            {"connector": "sftp_file", "prefix": name, "folder": folder}
                        ),
                    }
                )
                for name, contract in settings.recipients.items()
            },
        )
        with transaction(self.engine) as conn:
            public = vkey(NAME, KEYS.signing.public_key())
            checkpoints.add_key(conn, NAME, public, "2026-11-01T00:00:00Z")
        self.land(
            ("party", "100007", person("Laine Aino", WRONG)),
            ("party", "100008", person("Berg Mats", "Rantatie 5")),
            *(("point", f"K{n}", {"property_id": f"99-402-1-{n}"}) for n in (7, 8)),
            *(
                ("role", f"R{n}", {
                    "party": f"10000{n}", "point": f"K{n}", "role_type": "payer",
                    "valid_from": "2020-01-01",
                })
                for n in (7, 8)
            ),
        )  # fmt: skip

    def night(self) -> Night:
        def reached(place: str) -> None:
            if place == self.dies_at:
                self.dies_at = ""
                raise Killed

        moment = datetime(2026, 11, self.day, 1, 30, tzinfo=UTC)
        return Night(
            engine=self.engine, settings=self.settings, business_date=f"2026-11-{self.day:02}",
            clock=lambda: moment, reached=reached, log_keys=lambda: KEYS,
        )  # fmt: skip

    def land(self, *records: tuple[str, str, dict[str, Any]], source: str = OWN) -> None:
        stamp = f"2026-11-{self.day:02}T00:00:00Z"
        rows = [
            {
                "source": source, "kind": kind, "source_key": key, "source_time": stamp,
                "content": content, "content_hash": content_hash(content),
                "field_times": dict.fromkeys(content, stamp), "business_date": stamp[:10],
            }
            for kind, key, content in records
        ]  # fmt: skip
        with executing(self.night(), "land") as step:
            frames.put(step.conn, LANDED, LANDED.frame(rows), step.id)

    def register(self, *, full: bool = False) -> None:
        """The steps of a night that make the register; full: consolidated whole."""
        night = self.night()
        for step in (standardise, match):
            step(night)
        consolidate(replace(night, full=full))

    def tell(self, name: str, customer: str = "100007", case: str = "") -> None:
        """What a night, or a command, does for one recipient."""
        contract, inbox = self.settings.recipients[name], self.inboxes.setdefault(name, Inbox())
        if case:
            statute = "119/2001 21 §" if contract.ground == "statute" else None
            asked = Asked(customer, Case(case, statute), "clerk", "asked")
            prepare_case(self.night(), contract, lambda: inbox, asked)
        else:
            assert prepare_extract(self.night(), contract, lambda: inbox).status != "failed"
        deliver(self.night(), contract, lambda: inbox)

    def correct(self, line: str = RIGHT, *, corrects: bool = True) -> None:
        """The customer says where she lives; takes effect the next night."""
        place = {"line": line, "postal_code": "31640", "post_office": "Humppila"}
        take_notice(
            self.night(), "100007", {"addresses": [{"address_type": "postal", **place}]},
            received=f"2026-11-{self.day:02}", channel="letter", evidence="D/7", who="clerk",
            corrects=corrects,
        )  # fmt: skip

    def protect(self) -> None:
        self.land(("party", "100007", {**person("Laine Aino", WRONG), "protection": "on"}))

    def queued(self, kind: str = "correction") -> list[tuple[str, str, str]]:
        """recipient, why and state of every notification of the kind."""
        with reading(self.engine) as conn:
            found = notifications.listed(conn)
        mine = found.loc[found["kind"] == kind, ["recipient", "why", "state"]]
        return sorted(mine.itertuples(index=False, name=None))

    def number(self, recipient: str) -> int:
        with reading(self.engine) as conn:
            found = notifications.listed(conn)
        return int(found.loc[found["recipient"] == recipient, "notification_no"].iloc[0])

    def art19(self) -> list[dict[str, Any]]:
        with reading(self.engine) as conn:
            recent = disclosures.recent(conn, 1000)
        return [fact for fact in map(json.loads, recent["leaf"]) if fact["t"] == "art19"]


def person(name: str, line: str) -> dict[str, Any]:
    home = {
        "address_type": "permanent", "line": line, "postal_code": "31640", "post_office": "Humppila",
    }  # fmt: skip
    return {"party_type": "person", "name": name, "delivery_channel": "paper", "addresses": [home]}


ON_ONE = pytest.mark.parametrize("database", ["sqlite"])
"""What is the same on any database: words, and what follows from rows that others try on both."""


@pytest.fixture
def town(engine: Engine) -> Town:
    """After its first night: nobody has been told anything yet."""
    town = Town(engine)
    town.register()
    town.day += 1
    return town


def told_wrongly_then_rightly(town: Town) -> None:
    """v1 to finance and the agency, the correction, and v2 to the authority."""
    town.tell("finance")
    town.tell("collection", case="P-1")
    town.day += 1
    town.correct()
    town.day += 1


ONCE = [
    ("collection", "was_told", "prepared"),
    ("finance", "was_told", "approved"),
    ("own_register", "supplied_it", "approved"),
]


def test_r43_exactly_who_was_told_the_wrong_version_and_its_source_are_told(town: Town) -> None:
    told_wrongly_then_rightly(town)
    town.register()
    town.tell("authorities", case="D-1")
    town.register(full=True)
    town.day += 1
    town.register()
    assert town.queued() == ONCE


@pytest.mark.parametrize(
    "place", ["standardise:uncommitted", "consolidate:begin", "consolidate:uncommitted", "consolidate:committed"]
)  # fmt: skip
def test_r43_a_night_that_is_killed_tells_nobody_twice(town: Town, place: str) -> None:
    told_wrongly_then_rightly(town)
    for _ in range(2):
        town.dies_at = place
        try:
            town.register()
        except Killed:
            continue
    town.register()
    assert town.queued() == ONCE


def test_r43_whoever_is_told_between_the_word_and_the_night_hears_too(town: Town) -> None:
    town.correct()
    town.tell("collection", case="P-1")
    town.day += 1
    town.register()
    assert ("collection", "was_told", "prepared") in town.queued()


def test_r43_who_was_told_of_somebody_else_hears_nothing(town: Town) -> None:
    town.tell("collection", "100008", case="P-2")
    town.day += 1
    town.correct()
    town.day += 1
    town.register()
    assert town.queued() == [("own_register", "supplied_it", "approved")]


@ON_ONE
def test_r43_somebody_who_moved_was_not_wrong_before(town: Town) -> None:
    town.tell("finance")
    town.tell("collection", case="P-1")
    town.day += 1
    town.correct(corrects=False)
    town.day += 1
    town.register()
    assert town.queued() == []


@ON_ONE
def test_r43_a_part_that_was_right_makes_no_notice(town: Town) -> None:
    """Only the street was wrong; code and place were told rightly."""
    told_wrongly_then_rightly(town)
    town.register()
    with reading(town.engine) as conn:
        assert set(map(tuple, notifications.listed(conn)["fields"])) == {("street_line",)}


@ON_ONE
def test_r43_a_second_correction_is_told_anew(town: Town) -> None:
    told_wrongly_then_rightly(town)
    town.register()
    town.tell("finance")
    town.day += 1
    town.correct("Oikeampitie 3")
    town.day += 1
    town.register()
    assert [row for row in town.queued() if row[0] == "finance"] == [ONCE[1]] * 2
    assert [row for row in town.queued() if row[0] == "collection"] == [ONCE[0]], "told v1 only"


def test_r43_the_contracts_next_delivery_is_the_notice(town: Town) -> None:
    told_wrongly_then_rightly(town)
    town.register()
    inbox = town.inboxes["finance"]
    inbox.answers = False
    town.tell("finance")
    reconcile(town.night())
    assert ("finance", "was_told", "sent") in town.queued()
    inbox.answers = True
    town.tell("finance")
    reconcile(town.night())
    assert ("finance", "was_told", "acknowledged") in town.queued()
    assert RIGHT in inbox.payloads[-1].decode() and len(inbox.payloads) == 2


def test_r43_the_return_is_the_notice_to_the_register_that_supplied_it(town: Town) -> None:
    told_wrongly_then_rightly(town)
    town.register()
    town.tell("own_register")
    reconcile(town.night())
    sent = b"".join(town.inboxes["own_register"].payloads).decode()
    state = "acknowledged" if RIGHT in sent else "approved"
    assert ("own_register", "supplied_it", state) in town.queued()


@ON_ONE
def test_r43_an_officer_sends_by_hand_what_no_contract_carries(town: Town) -> None:
    told_wrongly_then_rightly(town)
    town.register()
    number = town.number("collection")
    before = len(town.art19())
    approved = recall.approve(town.night(), number, "officer.one", "rectified")
    assert approved.references == ("P-1",) and len(approved.told) == 1
    assert [fact["to"] for fact in town.art19()[: len(town.art19()) - before]] == ["collection"]
    text = "\n".join(letter(approved, town.settings, "en", "2026-11-05"))
    assert approved.told[0][1] in text and "P-1" in text and "GDPR article 19" in text
    assert WRONG not in text and RIGHT not in text and "officer" not in text
    recall.approve(town.night(), number, "officer.one", "printed again")
    assert len(town.art19()) == before + 1
    recall.sent(town.night(), number, "officer.one", "D/8", answered=False)
    recall.sent(town.night(), number, "officer.one", "D/9", answered=True)
    assert ("collection", "was_told", "acknowledged") in town.queued()
    with reading(town.engine) as conn:
        assert verify_log(conn, KEYS.vault).findings == []


def test_r43_what_was_given_up_after_all_needs_no_notice(town: Town) -> None:
    """v1 was frozen when the correction came, and never left."""
    contract = town.settings.recipients["finance"]
    assert prepare_extract(town.night(), contract, Inbox).counts["pending"] == 2
    town.correct()
    town.day += 1
    town.register()
    assert ("finance", "was_told", "approved") in town.queued()
    with transaction(town.engine) as conn:
        from pipelines.steps.stop import give_up
        from pipelines.store import deliveries

        (open_,) = deliveries.outstanding(conn, "finance")
        give_up(conn, town.night(), open_, [1])
    reconcile(town.night())
    assert ("finance", "was_told", "void") in town.queued()


# ---- R56


def recipients(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    return [name for name, _, _ in rows]


def test_r56_an_order_after_a_delivery_prepares_recalls_for_an_officer(town: Town) -> None:
    town.tell("finance")
    town.tell("collection", case="P-1")
    town.tell("collection", "100008", case="P-2")
    town.day += 1
    town.protect()
    standardise(town.night())
    prepared = [(name, "protective_order", "prepared") for name in ("collection", "finance")]
    assert town.queued("recall") == prepared, "in the transaction that records the order"
    town.register()
    town.register(full=True)
    assert town.queued("recall") == prepared
    assert len(town.inboxes["collection"].payloads) == 2, "nothing is sent by itself"
    assert town.art19() == [], "and nothing is said of it before somebody decides"


def test_r56_what_the_order_stopped_is_not_recalled(town: Town) -> None:
    prepare_extract(town.night(), town.settings.recipients["finance"], Inbox)
    town.protect()
    standardise(town.night())
    assert town.queued("recall") == []


@ON_ONE
def test_r56_a_declined_recall_stays_declined(town: Town) -> None:
    town.tell("collection", case="P-1")
    town.day += 1
    town.protect()
    town.register()
    number = town.number("collection")
    recall.decline(town.night(), number, "officer.one", "they would learn of it")
    town.register(full=True)
    assert town.queued("recall") == [("collection", "protective_order", "declined")]
    assert town.art19() == []
    with pytest.raises(Undecidable, match="declined"):
        recall.approve(town.night(), number, "officer.two", "after all")
    with reading(town.engine) as conn:
        line = access.recent(conn, 1).iloc[0]
    assert (line["who"], line["operation"], line["detail"]) == (
        "officer.one", "recall decline", str(number),
    )  # fmt: skip


@ON_ONE
@pytest.mark.parametrize("language", ["fi", "sv", "en"])
def test_r56_the_letter_of_a_recall_does_not_say_why(town: Town, language: Any) -> None:
    town.tell("collection", case="P-1")
    town.day += 1
    town.protect()
    town.register()
    number = town.number("collection")
    approved = recall.approve(
        town.night(), number, "officer.one", "agreed", approved_by="officer.two"
    )
    text = "\n".join(letter(approved, town.settings, language, "2026-11-05")).lower()
    for telltale in ("turva", "spärr", "skydd", "protect", "order", "kiel", WRONG.lower()):
        assert telltale not in text.replace("tietosuoja", "")


@ON_ONE
def test_the_letter_of_the_morning_says_how_many_wait_and_how_long_and_of_nobody(
    town: Town,
) -> None:
    town.tell("collection", case="P-1")
    town.day += 1
    town.protect()
    town.register()
    town.day += 5
    said = write_letter(town.night(), Texts("en")).body
    assert "1 recalls wait for a decision, the longest wait being 5 days" in said
    assert "Laine" not in said and "100007" not in said and WRONG not in said
    result = reconcile(town.night())
    assert result.counts["recalls_waiting"] == 1
    check = next(c for c in result.checks if c.name == "recipients_notified")
    assert not check.passed and check.counts == {"oldest_notice_days": 5}


@ON_ONE
def test_r38_a_statement_mentions_recalls_and_notices(town: Town) -> None:
    told_wrongly_then_rightly(town)
    town.register()
    account = account_for.person(town.night(), "100007", "clerk", "asked")
    said = "\n".join(document(account, town.settings, "en").lines())
    assert "notice of correction" in said and "waiting for a decision" in said
    assert "officer" not in said and "clerk" not in said
    other = account_for.person(town.night(), "100008", "clerk", "asked")
    assert other.notified == ()


@ON_ONE
def test_r56_whom_a_recall_is_about_is_shown_to_somebody_with_a_name_only(town: Town) -> None:
    town.tell("collection", case="P-1")
    town.day += 1
    town.protect()
    town.register()
    plain = recall.listed(town.night())
    assert "party_id" not in plain and "customer" not in plain
    shown = recall.listed(town.night(), who="officer.one", why="order")
    assert len(shown["customer"].iloc[0]) > 1
    with reading(town.engine) as conn:
        line = access.recent(conn, 1).iloc[0]
    assert (line["who"], line["operation"]) == ("officer.one", "disclosures recalls")


@ON_ONE
def test_no_value_is_kept_with_a_notification(town: Town) -> None:
    told_wrongly_then_rightly(town)
    town.register()
    with reading(town.engine) as conn:
        every = pd.concat([notifications.listed(conn)]).astype(str).to_string()
    assert WRONG not in every and RIGHT not in every and "Laine" not in every
