"""What stands before every question and every extract: a contract in force, and people who may be told of."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import Engine

from connectors.base import Batch, Borrowed, Refused, Without
from pipelines.contracts import Agreement, RecipientContract, SourceConfig
from pipelines.settings import load_settings
from pipelines.steps.allow_asking import allow_asking, allow_asking_about, barred
from pipelines.steps.ingest import ingest
from pipelines.steps.log_lookup import log_lookup
from pipelines.steps.night import Night, executing
from pipelines.steps.prepare_extract import prepare_extract
from pipelines.steps.restrain import release, restrain
from pipelines.store import deliveries, disclosures, holdings, nights, restraints
from pipelines.store.engine import StoreError, migrate, open_engine, reading, transaction
from tests.minimality.register import NIGHTS, Inbox, live, night_of, story, tell

SETTINGS = load_settings(Path("nowhere"), {})
FINANCE = live(SETTINGS.recipients["finance"])
CONTROL = live(SETTINGS.recipients["building_control"])
DVV = SETTINGS.sources["dvv"]


@pytest.fixture
def night(engine: Engine) -> Iterator[Night]:
    """A register after its consolidation."""
    night = night_of(engine, SETTINGS, NIGHTS[0])
    with executing(night, "consolidate") as step:
        story()[0].register.write(step)
    yield night


def ended(contract: RecipientContract) -> RecipientContract:
    agreement = contract.agreement.model_copy(update={"valid_to": "2026-11-01"})
    return contract.model_copy(update={"agreement": agreement})


def restrict(night: Night, party: int) -> None:
    with transaction(night.engine) as conn:
        restraints.record(conn, party, "restriction", "letter", "ref-1", night.now())


def leaf_kinds(night: Night) -> list[str]:
    with reading(night.engine) as conn:
        return [json.loads(leaf)["t"] for leaf in disclosures.recent(conn, 50)["leaf"]]


@pytest.mark.parametrize("contract", [FINANCE, CONTROL], ids=lambda c: c.recipient)
def test_r15_r18_nothing_is_prepared_under_an_agreement_that_has_ended(
    night: Night, contract: RecipientContract
) -> None:
    refused = prepare_extract(night, ended(contract), Inbox)
    assert refused.status == "failed"
    assert f"review recipients/{contract.recipient}.yml" in refused.text
    assert leaf_kinds(night) == ["refusal"]
    with reading(night.engine) as conn:
        assert deliveries.outstanding(conn, contract.recipient) == []
        step = f"extract:{contract.recipient}"
        assert nights.last_consumed(conn, step) == 0, "its changes wait"
    inbox = Inbox()
    tell(night, contract, inbox)
    assert len(inbox.payloads) == 1, "and go once it is renewed"


def test_what_another_hub_froze_meanwhile_is_not_frozen_again(night: Night) -> None:
    """Without the run lock, between the look at what is open and the freezing."""

    def meanwhile(place: str) -> None:
        if place == "extract:finance:begin":
            prepare_extract(night, FINANCE, Inbox)

    with pytest.raises(StoreError, match="frozen meanwhile"):
        prepare_extract(replace(night, reached=meanwhile), FINANCE, Inbox)
    with reading(night.engine) as conn:
        assert len(deliveries.outstanding(conn, "finance")) == 1
    assert leaf_kinds(night).count("intent") == 1


@pytest.mark.postgres
def test_what_is_to_be_told_is_worked_out_while_nobody_else_freezes(
    empty_postgres_url: str,
) -> None:
    """Without the run lock, where two transactions go on beside each other: the second looks once the first is through."""
    engine = open_engine(empty_postgres_url)
    migrate(engine)
    night = night_of(engine, SETTINGS, NIGHTS[0])
    with executing(night, "consolidate") as step:
        story()[0].register.write(step)
    inbox, was_told = Inbox(), Event()

    def opened_late() -> Inbox:
        was_told.wait(60)
        return inbox

    def other() -> None:
        with suppress(StoreError):  # where the first has frozen and not told yet
            prepare_extract(night, FINANCE, opened_late)

    thread = Thread(target=other)

    def meanwhile(place: str) -> None:
        if place == "extract:finance:uncommitted":
            thread.start()
            thread.join(2)

    tell(replace(night, reached=meanwhile), FINANCE, inbox)
    was_told.set()
    thread.join(60)
    with reading(engine) as conn:
        assert deliveries.outstanding(conn, "finance") == []
    assert len(inbox.payloads) == 1
    engine.dispose()


def test_r18_a_field_the_notice_lets_nobody_hear_stops_a_contract_that_was_live(
    night: Night,
) -> None:
    field = FINANCE.fields[1].model_copy(update={"name": "invoice_name", "made_of": ("phone",)})
    others = tuple(f for f in FINANCE.fields if f.name != "invoice_name")
    sly = FINANCE.model_copy(update={"fields": (*others, field)})
    refused = prepare_extract(night, sly, Inbox)
    assert (refused.status, "fields.invoice_name" in refused.text) == ("failed", True)


@pytest.mark.parametrize("contract", [FINANCE, CONTROL], ids=lambda c: c.recipient)
def test_r45_a_restricted_customer_is_held_and_told_of_when_it_ends(
    night: Night, contract: RecipientContract
) -> None:
    restrict(night, 1)
    inbox = Inbox()
    tell(night, contract, inbox)
    with reading(night.engine) as conn:
        assert holdings.held_reasons(conn, contract.recipient) == {"restricted": 1}
    told = inbox.parse(inbox.payloads[0])
    assert "KP1" not in {row["point_ref"] for row in told}
    with transaction(night.engine) as conn:
        restraints.end(conn, 1, "restriction", night.now())
    tell(night, contract, inbox)
    assert [row["point_ref"] for row in inbox.parse(inbox.payloads[1])] == ["KP1"]


def test_r45_what_a_clerk_records_today_leaves_tonights_row_out_and_counts_it(
    night: Night,
) -> None:
    """From what a clerk says to the night's count, and back: the same customer, and nobody else."""
    said = {"who": "clerk", "why": "disputes it"}
    restrain(night, "20001", "restriction", channel="letter", evidence="D-7", **said)
    inbox = Inbox()
    tell(night, FINANCE, inbox)
    told = {row["customer_number"] for row in inbox.parse(inbox.payloads[0])}
    with reading(night.engine) as conn:
        assert holdings.held_reasons(conn, "finance") == {"restricted": 1}
    release(night, "20001", "restriction", informed=night.business_date, **said)
    tell(night, FINANCE, inbox)
    later = {row["customer_number"] for row in inbox.parse(inbox.payloads[1])}
    assert later == {"000001"} and "000001" not in told and told
    with reading(night.engine) as conn:
        assert holdings.held_reasons(conn, "finance") == {}


def test_r45_not_even_the_end_of_a_restricted_payer_is_told(night: Night) -> None:
    inbox = Inbox()
    tell(night, FINANCE, inbox)
    restrict(night, 6)
    later = replace(night, business_date=NIGHTS[1])
    with executing(later, "consolidate") as step:
        story()[1].register.write(step)
    tell(later, FINANCE, inbox)
    told = inbox.parse(inbox.payloads[1])
    assert {(r["event"], r["customer_number"]) for r in told} >= {("new", "000007")}
    assert "000006" not in {r["customer_number"] for r in told}


def test_r45_a_restricted_customers_errors_are_returned_to_nobody(night: Night) -> None:
    restrict(night, 1)
    inbox = Inbox()
    tell(night, live(SETTINGS.recipients["own_register"]), inbox)
    told = inbox.parse(inbox.payloads[0])
    assert "20001" not in {row["customer_number"] for row in told}
    assert "20002" in {row["customer_number"] for row in told}


# --- what we ask -----------------------------------------------------------------------------------------


class Register:
    """A source that must not be asked."""

    def fetch(self, ask: object) -> Batch:
        raise AssertionError("it was asked")

    def check(self) -> str:
        return ""


def under(agreement: Agreement) -> SourceConfig:
    return DVV.model_copy(update={"agreement": agreement})


OVER = Agreement(reference="lupa 1", signed="2025-01-01", valid_to="2026-11-01")


def test_r15_a_register_whose_agreement_has_ended_is_not_asked(night: Night) -> None:
    heard = ingest(night, under(OVER), Register)
    assert heard.status == "failed"
    assert "sources/dvv.yml: agreement.valid_to" in heard.text
    assert "review sources/dvv.yml" in heard.text
    with reading(night.engine) as conn:
        feed = nights.last_feed(conn, "dvv")
    assert feed is not None
    assert feed.status == "refused"


def test_r15_a_question_under_an_ended_agreement_is_not_even_logged(night: Night) -> None:
    with pytest.raises(Refused, match="review sources/dvv.yml"):
        log_lookup(night, under(OVER), "perustiedot", ["t1"])
    assert leaf_kinds(night) == []


def test_r23_whom_we_come_to_ask_about_with_more_of_theirs_is_written_down_again(
    night: Night,
) -> None:
    log_lookup(night, DVV, "perustiedot", ["t1"])
    log_lookup(night, DVV, "perustiedot", ["t1"])
    by_another_connector = DVV.model_copy(update={"connector": "address_batch"})
    assert by_another_connector.asks_with != DVV.asks_with
    log_lookup(night, by_another_connector, "perustiedot", ["t1"])
    oldest_first = ["lookup", "lookup_call", "lookup_call", "lookup", "lookup_call"]
    assert leaf_kinds(night)[::-1] == oldest_first


def test_r5_a_register_is_not_asked_for_a_purpose_that_is_off(night: Night) -> None:
    with pytest.raises(Refused, match="notice.yml"):
        allow_asking(night, DVV.model_copy(update={"purpose": "statistics"}))
    allow_asking(night, DVV)


def test_r45_nobody_restricted_is_asked_about(night: Night) -> None:
    log_lookup(night, DVV, "perustiedot", ["t1"])
    restrict(night, 1)
    before = leaf_kinds(night)
    with pytest.raises(Refused, match="R45") as refused:
        log_lookup(night, DVV, "perustiedot", ["t1"])
    assert "t1" not in str(refused.value)
    assert leaf_kinds(night) == before
    allow_asking_about(night, DVV, ["t2"])


def test_r45_who_is_restricted_is_not_lent_to_a_register(night: Night) -> None:
    class Everybody:
        def borrow(self, customers: object = None) -> Borrowed:
            return Borrowed({"20001": "a", "20002": "b"}, {"20001": "c"}, frozenset({"p"}))

    restrict(night, 1)
    with reading(night.engine) as conn:
        kept_back = barred(conn, DVV, "registrations")
    lent = Without(Everybody(), kept_back).borrow()
    assert (lent.people, lent.organisations) == ({"20002": "b"}, {})
    assert lent.property_ids == {"p"}, "a building is nobody's own"


def test_the_letter_says_that_a_contract_stands_against_telling(
    night: Night, tmp_path: Path
) -> None:
    from pipelines.steps.close import write_letter
    from pipelines.texts import Texts

    options = {"folder": {"kind": "sftp", "host": "h"}, "prefix": "x"}
    transport = FINANCE.transport.model_copy(update={"options": options})
    over = ended(FINANCE).model_copy(update={"transport": transport})
    settings = replace(SETTINGS, recipients={"finance": over})
    letter = write_letter(replace(night, settings=settings), Texts("en"))
    assert "Recipient finance was told nothing" in letter.body
    assert "review recipients/finance.yml" in letter.body
