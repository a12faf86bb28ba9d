"""What goes out next, as a steward sees it: with what was recorded five minutes ago, each row with its reason."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from pipelines.domain.schemas import GOLDEN, ROLES
from pipelines.steps.night import executing
from pipelines.store import frames, holdings
from pipelines.store.engine import reading, transaction
from pipelines.store.lock import RunLock
from tests.desk.conftest import ENVIRON, Answer, Hub, Seat, opened, settled
from tests.steps.conftest import SOURCE

BILLED = ENVIRON | {
    "HUB_RECIPIENTS__FINANCE__TRANSPORT__FOLDER": json.dumps({"kind": "folder", "path": "out"}),
    "HUB_RECIPIENTS__FINANCE__MODE": "live",
}
HOME = {"street_line": "Kotikatu 1", "postal_code": "31640", "post_office": "HUMPPILA"}
NOTICE = {
    "received": "2026-11-02", "channel": "phone", "line": "Rantatie 5", "postal_code": "31640",
    "post_office": "Humppila", "valid_from": "", "address_type": "postal", "phone": "", "email": "", "evidence": "",
}  # fmt: skip


@pytest.fixture(scope="session")
def _payer(small_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one payer, of whom finance knows all there is."""
    home = settled(small_hub, tmp_path_factory.mktemp("payer") / "home")
    for hub in opened(home, BILLED):
        hub.register.write(r1={"family_name": "Mäki", "given_names": "Aino", "home": HOME})
        pays = {
            "source": SOURCE, "source_key": "r1p", "party_source_key": "r1", "point_source_key": "r1",
            "role_type": "payer", "valid_from": "2020-01-01",
        }  # fmt: skip
        with executing(hub.house.night(), "standardise") as step:
            frames.put(step.conn, ROLES, ROLES.frame([pays]), step.id)
        hub.night_passes()
        finance = hub.house.settings.recipients["finance"]
        row = dict.fromkeys(finance.columns, "") | {
            "event": "new", "customer_number": "000001", "party_kind": "person", "invoice_name": "Mäki Aino",
            "street_line": "Kotikatu 1", "postal_code": "31640", "post_office": "HUMPPILA",
            "delivery_channel": "paper", "point_ref": "r1", "valid_from": "2020-01-01",
        }  # fmt: skip
        told = pd.DataFrame({"row_key": ["000001-000001"], "party_id": [1], "row": [row]})
        with transaction(hub.register.engine) as conn:
            holdings.adopt(conn, "finance", told)
    return home


@pytest.fixture
def payer(_payer: Path, tmp_path: Path) -> Iterator[Hub]:
    shutil.copytree(_payer, tmp_path / "home")
    yield from opened(tmp_path / "home", BILLED)


def next_delivery(seat: Seat) -> Answer:
    return seat.opens(seat.get("/deliveries"), "/delivery")


def moves(seat: Seat) -> None:
    """The customer tells on the phone that she has moved."""
    found = seat.opens(seat.get("/customers"), "/customers", words="aino maki", purpose="call")
    shown = seat.opens(found, "/customer")
    seat.opens(seat.opens(shown, "/customer/notice", **NOTICE), "/customer/notice/take")


def golden_line(hub: Hub) -> str:
    with reading(hub.register.engine) as conn:
        return str(frames.read(conn, GOLDEN)["street_line"].iloc[0])


def test_what_finance_knows_already_is_not_told(payer: Hub) -> None:
    assert "Rivejä 0" in next_delivery(payer.seat()).words


def test_a_move_told_five_minutes_ago_is_in_what_goes_tonight_and_why(payer: Hub) -> None:
    seat = payer.seat()
    moves(seat)
    seen = next_delivery(seat).words
    assert "Rivejä 1" in seen and "muuttunut" in seen
    assert "ennen Kotikatu 1, nyt Rantatie 5 (Asiakkaan oma ilmoitus 2.11.2026" in seen
    assert "henkilö" in seen and "paperilasku" in seen, "words, not codes"
    assert golden_line(payer) == "Kotikatu 1", "looking changes nothing"
    assert ("anna.kasittelija", "extract preview finance", 1) in payer.looks()


def test_while_a_run_is_under_way_the_page_says_that_the_latest_is_not_in_it(payer: Hub) -> None:
    seat = payer.seat()
    moves(seat)
    lock = RunLock(payer.register.engine, payer.register.home)
    assert lock.acquire()
    try:
        seen = next_delivery(seat).words
    finally:
        lock.release()
    assert "Rivejä 0" in seen and "ilman viimeksi kirjattua" in seen


def test_a_customer_without_a_way_to_be_billed_is_named_as_held(payer: Hub) -> None:
    payer.register.write(r1={"family_name": "Mäki", "given_names": "Aino"})
    seen = next_delivery(payer.seat()).words
    assert "P1" in seen and "postiosoite puuttuu" in seen


def test_a_value_taken_down_from_the_customer_says_who_took_it_and_when(payer: Hub) -> None:
    seat = payer.seat()
    moves(seat)
    from pipelines.steps.standardise import standardise

    standardise(payer.house.night())
    payer.night_passes()
    found = seat.opens(seat.get("/customers"), "/customers", words="aino maki", purpose="call")
    shown = seat.opens(found, "/customer").words
    assert "Rantatie 5" in shown
    assert "asiakkaan ilmoituksesta kirjannut anna.kasittelija 3.11.2026" in shown
