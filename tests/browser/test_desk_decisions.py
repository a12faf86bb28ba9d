"""Decisions and what becomes of them, in a real browser and in Finnish: a mover joined, an undo before and after others
were told, a recall that two people let happen.

A hub of a father and a son alone, served as `hub ui` does; nights pass beside it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.cli.town import seat_made_up_people
from pipelines.settings import shipped
from pipelines.steps.judge import judge
from pipelines.store import notifications
from pipelines.store.engine import transaction
from pipelines.store.notifications import Wanted
from tests.browser.conftest import Served, served, turn_to
from tests.desk.conftest import Hub, opened, settled, small_hub  # noqa: F401 - a fixture
from tests.desk.test_pages import BIRTH, HOME, MATTI
from tests.desk.test_taking_back import of_finance, parties

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own event loop
]


@pytest.fixture(scope="module")
def beside(
    small_hub: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Hub]:
    """The hub as its nights see it."""
    home = settled(small_hub, tmp_path_factory.mktemp("decisions") / "hub")
    plain = shipped("hub.yml").read_text(encoding="utf-8")
    made_up = plain.replace("allow_test_identities: false", "allow_test_identities: true")
    (home / "config" / "hub.yml").write_text(made_up, encoding="utf-8")
    seat_made_up_people(home)
    for hub in opened(home, {}):
        hub.register.write(
            f1={**MATTI, "birth_key": BIRTH, "home": HOME}, f2={**MATTI, "home": HOME}
        )
        hub.night_passes()
        yield hub


@pytest.fixture(scope="module")
def there(beside: Hub) -> Iterator[Served]:
    with served(beside.house.home) as url:
        yield Served(beside.house.home, url)


def sit_down(page: "Page", there: Served, name: str) -> None:
    page.goto(f"{there.url}/desk/demo")
    page.get_by_role("button", name=name).click()
    page.get_by_role("heading", level=1).wait_for()


@pytest.fixture
def desk(page: "Page", there: Served) -> "Page":
    """Aino, who sits at the desk."""
    sit_down(page, there, "Aino Esimerkki")
    return page


def take_back(desk: "Page", reason: str) -> None:
    """As far as the page that says what it would be."""
    turn_to(desk, "Omat päätökseni")
    desk.get_by_label("Miksi perut").first.fill(reason)
    desk.get_by_role("button", name=re.compile("^Peru päätös")).first.click()
    desk.get_by_role("heading", level=1, name="Perutaanko tämä?").wait_for()


def test_a_mover_is_joined_and_before_any_night_the_decision_is_plainly_taken_back(
    desk: "Page", beside: Hub
) -> None:
    turn_to(desk, "Parit")
    desk.get_by_role("button", name=re.compile(r"^Pari \d+$")).first.click()
    desk.get_by_label("Sama asiakas").check()
    desk.get_by_label("Perustelu").fill("muuttoilmoitus puhelimessa")
    desk.get_by_role("button", name="Katso ensin vaikutus").click()
    desk.get_by_text("yhdistetään ensi yönä").first.wait_for()
    desk.get_by_role("button", name="Vahvista").click()
    desk.get_by_role("status").get_by_text("kirjattu").wait_for()
    take_back(desk, "väärä pari")
    desk.get_by_text("pelkkä peruminen").wait_for()
    desk.get_by_text("Yksikään yö ei ole vielä").wait_for()
    desk.get_by_role("button", name="Vahvista").click()
    desk.get_by_role("status").get_by_text("peruttu").wait_for()
    beside.night_passes()
    assert len(set(parties(beside).values())) == 2


def test_once_finance_was_told_an_undo_is_a_correction_and_its_notice_is_seen(
    desk: "Page", beside: Hub
) -> None:
    before = set(parties(beside).values())
    records = ("registrations:f1", "registrations:f2")
    judge(beside.house.night(), None, records, "same", who="aino.esimerkki", why="muuttaja")
    beside.night_passes()
    (into,) = set(parties(beside).values())
    (gone,) = before - {into}
    of_finance(beside, gone, event="merged", customer_number=f"{gone:06}", merged_into=f"{into:06}")
    take_back(desk, "kaksi eri ihmistä")
    desk.get_by_text("oikaisu", exact=True).wait_for()
    desk.get_by_text("Taloushallinto: luovutuksia 1, rivejä 1").wait_for()
    desk.get_by_text("Väärin kerrottu").wait_for()
    desk.get_by_role("button", name="Vahvista").click()
    desk.get_by_role("status").get_by_text("peruttu").wait_for()
    beside.night_passes()
    turn_to(desk, "Takaisinvedot ja oikaisut")
    row = desk.get_by_role("row", name=re.compile("Oikaisuilmoitus"))
    row.get_by_text("Taloushallinto").wait_for()
    row.get_by_text("sai väärän tiedon").wait_for()


def test_a_recall_is_asked_for_by_one_and_approved_by_another(
    desk: "Page", there: Served, beside: Hub
) -> None:
    party = parties(beside)["f1"]
    wanted = Wanted(
        "recall", "collection", party, ("street_line",), "protective_order", "e1", (), "hand", "prepared"
    )  # fmt: skip
    with transaction(beside.house.engine) as conn:
        notifications.queue(conn, [wanted], "2026-11-02T23:30:00Z")
    turn_to(desk, "Takaisinvedot ja oikaisut")
    desk.get_by_role("button", name=re.compile("^Poistopyyntö")).click()
    desk.get_by_label("Hyväksy lähetettäväksi").check()
    desk.get_by_label("Perustelu").fill("sovittu tietosuojavastaavan kanssa")
    desk.get_by_role("button", name="Katso ensin vaikutus").click()
    desk.get_by_role("button", name="Pyydä toinen hyväksyjä").click()
    desk.get_by_role("status").get_by_text("odottaa toista hyväksyjää").wait_for()
    sit_down(desk, there, "Otso Esimerkki")
    turn_to(desk, "Toinen hyväksyjä")
    desk.get_by_role("button", name=re.compile(r"^Pyyntö \d+$")).first.click()
    desk.get_by_role("button", name="Hyväksy", exact=True).click()
    desk.get_by_role("status").get_by_text("on hyväksytty").wait_for()
    turn_to(desk, "Takaisinvedot ja oikaisut")
    desk.get_by_role("button", name=re.compile("^Poistopyyntö")).click()
    desk.get_by_text("Pyydämme poistamaan").wait_for()
