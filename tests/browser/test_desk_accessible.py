"""Every page of the desk held against axe-core (WCAG 2.2 A and AA, best practices), enlarged twice, and on paper.

Runs where HUB_TEST_CHROMIUM names a Chromium. axe is put into the page from outside, past the desk's own policy, which
lets no script in: `bypass_csp` is set for this browser window alone.
"""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.cli.town import seat_made_up_people
from tests.browser.conftest import PATIENCE, Served, served
from tests.canaries import LivedIn
from tests.cli.conftest import copied

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own event loop
]
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
AXE = """tags => axe.run(document, {runOnly: tags}).then(found => found.violations.map(v =>
  v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', ')))"""


def axe_source() -> str:
    """axe-core as its wheel carries it; the wheel's own code, which wants another playwright, is not imported."""
    found = importlib.util.find_spec("axe_playwright_python")
    assert found is not None and found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations)), "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="module")
def there(lived_in: LivedIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = copied(lived_in, tmp_path_factory.mktemp("accessible") / "hub")
    seat_made_up_people(home)
    with served(home) as url:
        yield Served(home, url)


@pytest.fixture(scope="module")
def window() -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["HUB_TEST_CHROMIUM"], args=["--no-sandbox", "--disable-gpu"]
        )
        opened = browser.new_context(bypass_csp=True, viewport={"width": 1280, "height": 900})
        opened.set_default_timeout(PATIENCE)
        yield opened.new_page()
        browser.close()


@pytest.fixture(scope="module")
def wrong(window: "Page", there: Served, lived_in: LivedIn) -> dict[str, list[str]]:
    """Page → what axe has against it and whether it scrolls sideways at twice the size; empty lists wanted."""
    return Walk(window, there, axe_source()).everywhere(lived_in)


class Walk:
    """Somebody who opens everything there is at the desk, and looks at each page on the way."""

    def __init__(self, page: "Page", there: Served, axe: str) -> None:
        self.page, self.url, self.axe = page, f"{there.url}/desk", axe
        self.found: dict[str, list[str]] = {}
        kept = os.environ.get("HUB_TEST_PICTURES")  # a folder, for whoever wants to see the pages
        self.pictures = Path(kept) if kept else None

    def look(self, name: str) -> None:
        self.page.get_by_role("heading", level=1).wait_for()
        self.page.evaluate(self.axe)
        found = list(self.page.evaluate(AXE, TAGS))
        for width in (640, 1280):
            self.page.set_viewport_size({"width": width, "height": 900})
            if self.page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"scrolls sideways at {width} px")
            if self.pictures:
                self.page.screenshot(path=self.pictures / f"{name} {width}.png", full_page=True)
                print(name, found, flush=True)
        self.found[name] = found

    def goes(self, path: str) -> None:
        self.page.goto(f"{self.url}{path}")

    def presses(self, name: str) -> None:
        self.page.get_by_role("button", name=name).first.click()
        self.page.wait_for_load_state()

    def finds(self, words: str) -> None:
        self.goes("/customers")
        self.page.get_by_label("Nimi tai asiakasnumero").fill(words)
        self.presses("Hae")

    def everywhere(self, lived_in: LivedIn) -> dict[str, list[str]]:
        look = self.look
        self.goes("")
        look("who sits there")
        self.presses("Aino Esimerkki")
        for path, name in PAGES.items():
            self.goes(path)
            look(name)
        self.goes("/nowhere")
        look("no such page")
        self._customer(lived_in)
        self._pair()
        self._refused()
        self.goes("/deliveries")
        self.presses("Katso rivit Taloushallinto")
        look("what goes to finance")
        self.goes("/deliveries")
        self.presses("Katso rivit Oma asiakasrekisteri")
        look("what goes to the own register")
        self._second(lived_in)
        self.finds("vartiotar")
        self.presses("Merkkimäki")
        self.presses("Päivitä nyt rekistereistä")
        look("refreshed")
        return self.found

    def _customer(self, lived_in: LivedIn) -> None:
        page, look = self.page, self.look
        self.finds("zzzz")
        look("nobody found")
        self.finds("vartiotar")
        look("found")
        self.presses("Merkkimäki")
        look("customer")
        self.presses("Luovutukset asiakkaasta")
        look("who was told")
        self.presses("Asiakkaan tietoihin")
        self.presses("Kuka on katsonut")
        look("who looked")
        self.presses("Asiakkaan tietoihin")
        self.presses("Katso ensin vaikutus")
        look("notice with nothing in it")
        page.get_by_label("Puhelin").fill("050 5557394")
        page.get_by_label("Katuosoite").fill("Puhelinpolku 8")
        page.get_by_label("Postinumero").fill("31640")
        page.get_by_label("Postitoimipaikka").fill("Humppila")
        self.presses("Katso ensin vaikutus")
        look("notice to confirm")
        self.presses("Vahvista")
        look("notice taken")
        self._restraint()

    def _restraint(self) -> None:
        """A restriction recorded and ended."""
        page, look = self.page, self.look
        self.finds("vartiotar")
        self.presses("Merkkimäki")
        of_it = page.get_by_role("region", name="Kiellot ja rajoitukset")
        of_it.get_by_label("Perustelu").fill("pyydetty kirjeellä")
        of_it.get_by_role("button", name="Katso ensin vaikutus").click()
        look("restraint to confirm")
        self.presses("Vahvista")
        look("restraint recorded")
        self.finds("vartiotar")
        self.presses("Merkkimäki")
        look("customer under a restriction")
        told = page.get_by_label("Milloin asiakkaalle kerrottiin")
        told.fill(told.get_attribute("max") or "")
        of_it.get_by_label("Perustelu").last.fill("selvitetty")
        of_it.get_by_role("button", name="Katso ensin vaikutus").last.click()
        look("end of a restraint to confirm")
        self.presses("Vahvista")
        look("restraint ended")

    def _pair(self) -> None:
        page, look = self.page, self.look
        self.goes("/pairs")
        self.presses("Pari ")
        look("pair")
        page.get_by_label("Epävarma").check()
        page.get_by_label("Perustelu").fill("kysyttävä asiakkaalta")
        self.presses("Katso ensin vaikutus")
        look("verdict to confirm")
        self.presses("Vahvista")
        look("verdict given")
        self.goes("/mine")
        look("my decisions, one")
        page.get_by_label("Miksi perut").first.fill("väärä pari")
        self.presses("Peru päätös")
        look("undo to confirm")

    def _refused(self) -> None:
        page, look = self.page, self.look
        self.goes("/quarantine")
        self.presses("Tietue ")
        look("refused")
        page.get_by_label("Jätä pois").check()
        page.get_by_label("Perustelu").fill("kaksoiskappale")
        self.presses("Katso ensin vaikutus")
        look("refusal to confirm")

    def _second(self, lived_in: LivedIn) -> None:
        page, look = self.page, self.look
        self.finds(lived_in.planted.e_invoice)
        look("protected customer")
        page.get_by_label("Puhelin").fill("050 5557394")
        self.presses("Katso ensin vaikutus")
        look("notice of a protected customer")
        self.presses("Pyydä toinen hyväksyjä")
        look("second person asked")
        self.goes("/seconds")
        look("requests")
        self.presses("Pyyntö ")
        look("request")


PAGES = {
    "": "morning", "/pairs": "pairs", "/customers": "customers", "/quarantine": "quarantine",
    "/deliveries": "deliveries", "/mine": "my decisions, none", "/seconds": "requests, none",
    "/proposals": "proposals", "/recalls": "recalls", "/sources": "sources",
}  # fmt: skip


def test_no_page_breaks_a_rule_of_wcag_or_scrolls_sideways_at_twice_the_size(
    wrong: dict[str, list[str]],
) -> None:
    assert {name: found for name, found in wrong.items() if found} == {}
    assert len(wrong) > 25


def test_axe_finds_what_is_wrong(window: "Page") -> None:
    """What the test above rests on."""
    window.set_content(
        "<html><head><title>x</title></head><body><input><p style='color:#bbb'>Hard to read</p></body></html>"
    )
    window.evaluate(axe_source())
    found = " ".join(window.evaluate(AXE, TAGS))
    assert {"label", "color-contrast", "html-has-lang"} <= {w.rstrip(":") for w in found.split()}


def test_on_paper_a_customer_is_what_is_held_and_nothing_to_press(
    wrong: dict[str, list[str]], window: "Page", there: Served
) -> None:
    walk = Walk(window, there, "")
    walk.finds("vartiotar")
    walk.presses("Merkkimäki")
    window.emulate_media(media="print")
    for what in ("nav", "button", "input[type=text]", "footer", ".acts"):
        assert not any(e.is_visible() for e in window.locator(what).all()), what
    assert window.get_by_role("heading", level=1).is_visible()
    assert window.get_by_text("Mitä tiedetään ja mistä").is_visible()
    assert not window.get_by_text("Kirjaa asiakkaan ilmoitus").first.is_visible()
    if walk.pictures:
        window.pdf(path=walk.pictures / "customer.pdf", format="A4")
    window.emulate_media(media="screen")
