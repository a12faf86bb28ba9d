"""The night as a steward sees it in a real browser: groups in order, a broken rule in words, no person.

Runs where HUB_TEST_CHROMIUM names a Chromium.
"""

import os
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.canaries import LivedIn

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own event loop
]

GROUPS = [
    "1_landing", "2_standardised", "3_matched", "4_register", "5_extract", "6_delivery",
    "7_disclosure", "8_close",
]  # fmt: skip


@pytest.fixture(scope="module")
def url(lived_in: "LivedIn", tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from pipelines.cli.operate import DagsterProcesses, dagster_home

    home = tmp_path_factory.mktemp("browser") / "home"
    shutil.copytree(lived_in.home, home)
    before = dict(os.environ)
    dagster_home(home)
    try:
        with DagsterProcesses(home, 0, read_only=True) as processes:
            yield processes.url
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def asked_for() -> list[str]:
    """Every address the pages asked for."""
    return []


@pytest.fixture(scope="module")
def page(url: str, asked_for: list[str]) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    quiet = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync")  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["HUB_TEST_CHROMIUM"], args=list(quiet)
        )
        opened = browser.new_page(viewport={"width": 1500, "height": 1000})
        opened.set_default_timeout(30_000)
        opened.on("request", lambda request: asked_for.append(request.url))
        yield opened
        browser.close()


def test_the_asset_groups_read_as_the_night(page: "Page", url: str) -> None:
    page.goto(f"{url}/asset-groups")
    page.get_by_text(GROUPS[-1]).first.wait_for()
    shown = re.findall(r"\b[1-8]_[a-z]+", page.locator("body").inner_text())
    assert list(dict.fromkeys(shown)) == GROUPS


def test_a_broken_rule_is_named_in_the_words_of_the_language(page: "Page", url: str) -> None:
    page.goto(f"{url}/assets/standardised/records?view=checks")
    page.get_by_text("addresses_valid").first.click()
    page.get_by_text("Suomalaisessa postinumerossa ei ole viittä numeroa").first.wait_for()


def test_the_morning_letter_stands_beside_the_end_of_the_night(page: "Page", url: str) -> None:
    page.goto(f"{url}/assets/night/close?view=events")
    page.get_by_text(re.compile("show markdown", re.IGNORECASE)).first.click()
    page.get_by_text(re.compile("asiakasrekisterin yö")).first.wait_for()


def test_the_schedule_runs_at_half_past_one_finnish_time(page: "Page", url: str) -> None:
    page.goto(f"{url}/automation")
    page.get_by_text(re.compile("01:30")).first.wait_for()


def test_no_page_asks_anybody_but_this_machine(
    page: "Page", url: str, asked_for: list[str]
) -> None:
    page.goto(f"{url}/runs")
    page.get_by_text("nightly").first.wait_for()
    outside = {a for a in asked_for if not a.startswith((url, "data:", "blob:", "ws://127.0.0.1"))}
    assert not outside


def test_no_page_shows_a_person(page: "Page", url: str) -> None:
    from tests.canaries import FORBIDDEN, NEVER_KEPT

    for place in ("/assets/landing/registrations", "/assets/register/customers", "/runs"):
        page.goto(f"{url}{place}")
        page.wait_for_timeout(1500)
        text = page.content().casefold()
        assert not [word for word in (*FORBIDDEN, *NEVER_KEPT) if word in text]
