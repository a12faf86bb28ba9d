"""The night as a steward sees it in a real browser: groups in order, a broken rule in words, no person.

Runs where HUB_TEST_CHROMIUM names a Chromium.
"""

import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import yaml

from tests.browser.conftest import outside, served
from tests.canaries import FORBIDDEN, NEVER_KEPT, hub

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

    from tests.canaries import LivedIn

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own event loop
]

GROUPS = [
    "1_Saapuneet", "2_Tarkistetut", "3_Tunnistetut", "4_Rekisteri", "5_Kerrottavat",
    "6_Luovutukset", "7_Luovutusloki", "8_Aamukirje",
]  # fmt: skip
FIRST_BROKEN = "Henkilötunnus on virheellinen, eikä sitä voitu käyttää."
BROKEN = "Suomalaisessa postinumerossa ei ole viittä numeroa"


@pytest.fixture(scope="module")
def url(lived_in: "LivedIn", tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A hub whose last night looked at every record again, with nobody there to hear from or to tell."""
    home = tmp_path_factory.mktemp("browser") / "home"
    shutil.copytree(lived_in.home, home)
    ryhti = home / "config" / "sources" / "ryhti.yml"  # which is not there: asking once is enough
    once = yaml.safe_load(ryhti.read_text("utf-8")) | {"attempts": 1}
    ryhti.write_text(yaml.safe_dump(once), "utf-8")
    last = hub(home, "night", "--full", "--date", "2026-11-04")
    assert last.code == 1 and "did not end clean" in last.err, last.err
    with served(home, read_only=True) as address:
        yield address


def test_the_asset_groups_read_as_the_night(page: "Page", url: str) -> None:
    page.goto(f"{url}/asset-groups")
    page.get_by_text(GROUPS[-1]).first.wait_for()
    shown = re.findall(r"\b[1-8]_[A-Z][a-z]+", page.locator("body").inner_text())
    assert list(dict.fromkeys(shown)) == GROUPS


class Clicks:
    """A hand that counts."""

    def __init__(self) -> None:
        self.made = 0

    def on(self, what: "Locator") -> None:
        what.first.click()
        self.made += 1


def test_a_failed_expectation_is_found_in_three_clicks_from_the_start_page_with_its_meaning(
    page: "Page", url: str
) -> None:
    hand = Clicks()
    page.goto(url)
    hand.on(page.get_by_role("link", name="Catalog"))
    page.get_by_role("link", name=re.compile(r"1 Saapuneet\W+Väestötieto")).first.hover()
    page.mouse.wheel(0, 10_000)  # the list makes its last lines when they are scrolled to
    hand.on(page.get_by_role("link", name=re.compile(r"2 Tarkistetut\W+Kaikki")))
    page.get_by_text(re.compile("Latest check results")).first.wait_for()
    page.get_by_text(re.compile(BROKEN)).first.wait_for(
        state="attached"
    )  # already beside the asset
    hand.on(page.get_by_role("tab", name="Checks"))
    # the first check that failed is open, and says what is broken; the next one is a click away
    page.get_by_text(re.compile("Failed|Warning")).first.wait_for()
    page.get_by_text(FIRST_BROKEN).filter(visible=True).first.wait_for()
    assert hand.made <= 3


def test_the_morning_letter_stands_beside_the_end_of_the_night(page: "Page", url: str) -> None:
    page.goto(f"{url}/assets/{quote('8 Aamukirje/Yön päätös')}?view=events")
    page.get_by_text(re.compile("show markdown", re.IGNORECASE)).first.click()
    page.get_by_text(re.compile("asiakasrekisterin yö")).first.wait_for()


def test_a_check_is_named_by_its_question_and_none_is_shown_as_failed_for_not_being_asked(
    page: "Page", url: str
) -> None:
    place = quote("assets/1 Saapuneet/Oma asiakasrekisteri")
    page.goto(f"{url}/{place}?view=checks")
    page.get_by_text("Lähteestä on kuultu ajallaan").first.wait_for()
    assert not page.get_by_text("Execution failed").count()


def test_the_schedule_runs_at_half_past_one_finnish_time(page: "Page", url: str) -> None:
    page.goto(f"{url}/automation")
    page.get_by_text(re.compile("01:30")).first.wait_for()


def test_no_page_asks_anybody_but_this_machine(
    page: "Page", url: str, asked_for: list[str]
) -> None:
    page.goto(f"{url}/runs")
    page.get_by_text("nightly").first.wait_for()
    assert len(asked_for) > 20
    assert not outside(asked_for, url)


def test_no_page_shows_a_person(page: "Page", url: str) -> None:
    places = ("assets/1 Saapuneet/Oma asiakasrekisteri", "assets/4 Rekisteri", "runs")
    for place in places:
        page.goto(f"{url}/{quote(place)}")
        page.wait_for_timeout(1500)
        text = page.content().casefold()
        assert not [word for word in (*FORBIDDEN, *NEVER_KEPT) if word in text]
