"""The log gives account: of one person to that person, with proof; of one delivery to whoever has to answer for it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, delete

from pipelines import verifier
from pipelines.domain.checkpoint import vkey
from pipelines.domain.disclosure import leaf
from pipelines.domain.schemas import GOLDEN, PARTY_RECORDS
from pipelines.settings import load_settings
from pipelines.steps import account_for
from pipelines.steps.around import NotFound
from pipelines.steps.night import LogKeys, Night
from pipelines.steps.prove import prove
from pipelines.steps.seal import seal
from pipelines.store import access, checkpoints, disclosures, frames
from pipelines.store.engine import reading, transaction
from pipelines.store.tables import disclosure_seed
from pipelines.store.vault import Vault

NAME = "register-hub.example/disclosures"
KEYS = LogKeys(Vault(bytes(range(32))), NAME, Ed25519PrivateKey.from_private_bytes(b"k" * 32))
VKEY = vkey(NAME, KEYS.signing.public_key())
NOW = "2026-11-02T00:30:00Z"
TERMS = {"purpose": "billing", "basis": "contract", "ground": "billing", "notice": "2021-05-18"}


@pytest.fixture
def night(engine: Engine, tmp_path: Path) -> Night:
    """Two customers who are told of in one delivery, the second with a row about nobody any more."""
    people = pd.DataFrame(
        {
            "party_id": pd.array([7, 8, None], dtype="Int64"),
            "content": [
                {"customer_number": f"{n:06}", "street_line": "Kuusitie 5"} for n in range(3)
            ],
            "fields": [["customer_number", "street_line"]] * 2 + [["customer_number"]],
        }
    )
    asked = pd.DataFrame({"subject_key": ["100007"], "fields": [["identity_code"]]})
    with transaction(engine) as conn:
        checkpoints.add_key(conn, NAME, VKEY, NOW)
        own = [
            {"source": "registrations", "source_key": f"10000{party}", "party_id": party}
            for party in (7, 8)
        ]
        frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame(own))
        golden = [
            {"party_id": 7, "party_type": "person", "display_name": "Merkkimäki Vartiotar", "protection": "off"},
            {"party_id": 8, "party_type": "person", "display_name": "Toinen Matti", "protection": "on"},
        ]  # fmt: skip
        frames.put(conn, GOLDEN, GOLDEN.frame(golden))
        terms = {"to": "finance", "contract": "finance@1", "d": "d1", **TERMS}
        disclosures.disclose(conn, KEYS.vault, "disclosure", people, terms, NOW)
        disclosures.disclose(
            conn, KEYS.vault, "lookup", asked,
            {**TERMS, "to": "registrations", "operation": "muutokset", "ground": None}, NOW,
        )  # fmt: skip
        for kind in ("attempt", "delivered", "acknowledged"):
            disclosures.append_leaves(conn, [leaf(kind, d="d1")], NOW)
    return Night(
        engine=engine,
        settings=load_settings(tmp_path, {}),
        business_date="2026-11-02",
        clock=lambda: datetime(2026, 11, 2, 1, tzinfo=UTC),
        log_keys=lambda: KEYS,
    )


def looks(night: Night) -> list[tuple[str, str, int]]:
    with reading(night.engine) as conn:
        lines = access.recent(conn, 10)
    return list(lines[["who", "operation", "party_id"]].itertuples(index=False, name=None))


def report(bundle: dict[str, object], *notes: str) -> verifier.Report:
    raw = json.dumps(bundle, ensure_ascii=False).encode()
    return verifier.Report(verifier.read(raw), [verifier.Key(VKEY)], notes)


def bundle_of(night: Night, number: str, *held: str) -> dict[str, object]:
    return prove(night, number, "anna", "request", language="fi", words={}, held=held)


def test_r38_a_person_is_accounted_to_from_the_log_alone_and_who_looked_is_logged(
    night: Night,
) -> None:
    """R38: told and asked; the looker stands in the access log and nowhere in the answer."""
    account = account_for.person(night, "100007", "anna", "request 1")
    assert [(told.recipient, told.outcome) for told in account.told] == [
        ("finance", "acknowledged"),
        ("registrations", "asked"),
    ]
    assert account.name == "Merkkimäki Vartiotar"
    assert looks(night) == [("anna", "disclosures person", 7)]
    assert "anna" not in repr(account)


def test_r60_a_delivery_is_laid_open_with_counts_and_each_person_in_it_is_logged(
    night: Night,
) -> None:
    """R60: who, with what, and how many of them are under a protective order."""
    found = account_for.delivery(night, "d1", "anna", "incident 1")
    assert (len(found.people), found.persons, found.protected) == (3, 2, 1)
    assert found.fields == {"customer_number": 3, "street_line": 2}
    assert (found.recipient, found.contract, found.outcome) == (
        "finance",
        "finance@1",
        "acknowledged",
    )
    known = found.people.dropna(subset=["party_id"])
    assert known["customer_numbers"].tolist() == ["100007", "100008"]
    assert known["display_name"].tolist() == ["Merkkimäki Vartiotar", "Toinen Matti"]
    assert sorted(looks(night)) == [("anna", "disclosures delivery d1", party) for party in (7, 8)]


def test_a_delivery_there_is_not_is_said_to_be_none(night: Night) -> None:
    with pytest.raises(NotFound, match="hub disclosures list"):
        account_for.delivery(night, "d2", "anna", "incident 1")
    assert looks(night) == []


def test_r38_a_bundle_is_proven_by_the_verifier_and_holds_nobody_else(night: Night) -> None:
    """R38: verified offline; what was not under a checkpoint yet is signed first."""
    bundle = bundle_of(night, "100007")
    found = report(bundle)
    text = "\n".join(found.lines)
    assert (found.failures, text.count("TODISTETTU: ")) == (0, 2)
    assert "toimitettu 2026-11-02 02:30; vastaanottaja kuitannut 2026-11-02 02:30" in text
    assert "lähetys aloitettu" not in text
    assert "000001" not in json.dumps(bundle)  # the other customer's row
    assert looks(night) == [("anna", "disclosures bundle", 7)]


def test_a_note_that_the_person_kept_is_proven_to_be_the_logs_beginning(night: Night) -> None:
    seal(night)
    with transaction(night.engine) as conn:
        kept = checkpoints.latest(conn)
        disclosures.append_leaves(conn, [leaf("lookup_call", n=1)] * 5, NOW)
    assert kept is not None
    assert report(bundle_of(night, "100007", kept.note), kept.note).failures == 0
    assert report(bundle_of(night, "100007"), kept.note).failures == 1


def test_a_detail_whose_seed_is_destroyed_is_not_proven_any_more(night: Night) -> None:
    """Erasure: the leaf stays in the tree, and nobody can say what it was about."""
    with transaction(night.engine) as conn:
        conn.execute(delete(disclosure_seed).where(disclosure_seed.c.holder == "P7"))
    found = report(bundle_of(night, "100007"))
    assert found.failures == 1
    assert "sisältö tai suola ei vastaa" in "\n".join(found.lines)


def test_after_a_turn_of_the_year_entries_of_both_years_are_proven(night: Night) -> None:
    people = pd.DataFrame(
        {"party_id": pd.array([7], dtype="Int64"), "content": [{"customer_number": "1"}], "fields": [["customer_number"]]}
    )  # fmt: skip
    terms = {"to": "finance", "contract": "finance@1", "d": "d7", **TERMS}
    with transaction(night.engine) as conn:
        disclosures.disclose(conn, KEYS.vault, "disclosure", people, terms, "2027-01-02T00:30:00Z")
    found = report(bundle_of(night, "100007"))
    text = "\n".join(found.lines)
    assert found.failures == 0
    assert f"{NAME}/2026" in text
    assert f"{NAME}/2027" in text
