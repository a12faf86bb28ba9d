"""Telling of one customer for one case: every refusal before anything is frozen, and what is written of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from pipelines.contracts import RecipientContract
from pipelines.domain.cases import Case
from pipelines.settings import load_settings
from pipelines.steps.around import NotFound
from pipelines.steps.deliver import deliver
from pipelines.steps.night import Night, executing
from pipelines.steps.prepare_case import Asked, NotTold, prepare_case, preview_case
from pipelines.store import access, deliveries, disclosures, restraints
from pipelines.store.engine import reading, transaction
from tests.minimality.register import NIGHTS, Inbox, in_use, live, night_of, protect, story

SETTINGS = load_settings(Path("nowhere"), {})
AGENCY = live(SETTINGS.recipients["collection"])


@pytest.fixture
def night(engine: Engine) -> Iterator[Night]:
    """A register after its consolidation, and the agency under a signed contract."""
    settings = replace(SETTINGS, recipients={**SETTINGS.recipients, "collection": AGENCY})
    night = night_of(engine, settings, NIGHTS[0])
    with executing(night, "consolidate") as step:
        story()[0].register.write(step)
    yield night


def asked(customer: str = "20001", case: Case = Case("P-1")) -> Asked:  # noqa: B008 - frozen
    return Asked(customer, case, "anna.asiakas", "invoice 881")


def leaves(night: Night) -> list[dict[str, Any]]:
    with reading(night.engine) as conn:
        found = disclosures.recent(conn, 100)
    return [json.loads(leaf) for leaf in found["leaf"]]


def lines(night: Night) -> list[tuple[str, str]]:
    with reading(night.engine) as conn:
        found = access.recent(conn, 100)
    return list(zip(found["who"], found["operation"], strict=True))


def refuse(night: Night, contract: RecipientContract, about: Asked, saying: str) -> None:
    """It is refused, says why, tells nothing, and is in both logs."""
    inbox = Inbox()
    with pytest.raises(NotTold, match=saying):
        prepare_case(night, contract, lambda: inbox, about)
    with reading(night.engine) as conn:
        assert deliveries.outstanding(conn, contract.recipient) == []
    (leaf,) = (leaf for leaf in leaves(night) if leaf["t"] == "refusal")
    assert set(leaf) <= {"t", "v", "to", "at", "contract", "purpose", "notice"}, (
        "no customer, no clerk"
    )
    assert lines(night) == [("anna.asiakas", f"deliver {contract.recipient} refused")]


def test_r20_a_case_is_frozen_logged_and_sent_once(night: Night) -> None:
    inbox = Inbox()
    assert prepare_case(night, AGENCY, lambda: inbox, asked()).counts["frozen"] == 1
    assert deliver(night, AGENCY, lambda: inbox).status == "ok"
    (row,) = inbox.parse(inbox.payloads[0])
    assert row["case_reference"] == "P-1"
    again = prepare_case(night, AGENCY, lambda: inbox, asked())
    assert again.counts["already_told"] == 1
    assert len(inbox.payloads) == 1
    told = next(leaf for leaf in leaves(night) if leaf["t"] == "disclosure")
    assert (told["ground"], told["to"]) == ("collection", "collection")
    assert "anna" not in json.dumps(leaves(night)), "R38: no clerk in the disclosure log"
    assert ("anna.asiakas", "deliver collection") in lines(night)


def test_r17_an_application_is_needed_and_the_purpose_has_to_be_in_use(night: Night) -> None:
    """R17, R5: while the notice's purpose has no basis, not even an application opens the way."""
    credit = live(SETTINGS.recipients["credit"])
    refuse(night, credit, asked(), "notice.yml.*R5|purpose.*review notice.yml")


def test_r17_without_an_application_nobody_is_told_of(night: Night) -> None:
    credit = live(SETTINGS.recipients["credit"])
    open_ = replace(night, settings=in_use(night.settings))
    refuse(open_, credit, asked(case=Case("")), "case reference has to be an id")


def test_r20_an_authority_is_told_on_a_statute_that_stands_in_the_log(night: Night) -> None:
    court = live(SETTINGS.recipients["authorities"])
    inbox = Inbox()
    prepare_case(night, court, lambda: inbox, asked(case=Case("D-1", "119/2001 21 §")))
    deliver(night, court, lambda: inbox)
    told = next(leaf for leaf in leaves(night) if leaf["t"] == "disclosure")
    assert (told["ground"], told["statute"]) == ("statute", "119/2001 21 §")


def test_r20_without_a_statute_no_authority_is_told(night: Night) -> None:
    refuse(night, live(SETTINGS.recipients["authorities"]), asked(), "the statute is missing")


def test_r18_in_shadow_nothing_is_told(night: Night) -> None:
    shadow = AGENCY.model_copy(update={"mode": "shadow"})
    refuse(night, shadow, asked(), "hub recipient go-live collection")


def test_r15_r18_an_ended_agreement_is_refused_with_the_line_to_review(night: Night) -> None:
    ended = AGENCY.agreement.model_copy(update={"valid_to": "2026-11-01"})
    over = AGENCY.model_copy(update={"agreement": ended})
    refuse(night, over, asked(), "recipients/collection.yml: agreement: .*review recipients/coll")


def test_r45_a_restricted_customer_is_told_of_for_a_named_legal_claim_only(night: Night) -> None:
    with transaction(night.engine) as conn:
        restraints.record(conn, 1, "restriction", "letter", "ref-1", night.now())
    refuse(night, AGENCY, asked(), "--legal-claim")
    claimed = asked(case=Case("P-1", claim="L-2026-4"))
    assert prepare_case(night, AGENCY, Inbox, claimed).counts["frozen"] == 1


def test_r45_no_claim_opens_the_way_to_anybody_but_a_collector(night: Night) -> None:
    with transaction(night.engine) as conn:
        restraints.record(conn, 1, "restriction", "letter", "ref-1", night.now())
    court = live(SETTINGS.recipients["authorities"])
    refuse(night, court, asked(case=Case("D-1", "119/2001", "L-1")), "restricted, or forbidden")


def test_r56_a_protected_customer_without_a_contact_address_is_not_told_of(night: Night) -> None:
    register = story()[0].register
    protect(register)
    register.of(next(s for s in register.rows if s.name == "party"), party_id=5).update(
        address_type="permanent"
    )
    with executing(night, "consolidate") as step:
        register.write(step)
    refuse(night, AGENCY, asked("20005"), "address may not be told")


def test_a_number_nobody_has_is_said(night: Night) -> None:
    with pytest.raises(NotFound):
        prepare_case(night, AGENCY, Inbox, asked("77777"))


def test_a_preview_shows_the_row_and_writes_only_who_looked(night: Night) -> None:
    row = preview_case(night, AGENCY, asked())
    assert row["name"].tolist() == ["Laine Aino"]
    assert leaves(night) == []
    assert lines(night) == [("anna.asiakas", "extract preview collection")]


def test_while_a_delivery_is_unanswered_no_case_follows_it(night: Night) -> None:
    inbox = Inbox()
    prepare_case(night, AGENCY, lambda: inbox, asked())
    with pytest.raises(NotTold, match="has not answered"):
        prepare_case(night, AGENCY, lambda: inbox, asked("20002", Case("P-2")))
