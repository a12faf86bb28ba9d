"""The desk in a real browser, in Finnish: a pair kept apart, a move told on the phone, refused rows corrected and left out; and
how it looks.

Runs where HUB_TEST_CHROMIUM names a Chromium. Served in the process of `hub ui`, behind the gate, so that what the
server logs is read too.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pipelines.cli.town import seat_made_up_people
from pipelines.store import judgements, quarantine
from pipelines.store.engine import open_engine, reading
from tests.browser.conftest import Served, outside, served, turn_to
from tests.canaries import FORBIDDEN, LivedIn, everything_under, found_in, hub
from tests.cli.conftest import copied
from tests.cli.test_operate import with_an_empty_drop_folder

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own event loop
]
PAGES = (
    "", "/pairs", "/customers", "/quarantine", "/proposals", "/deliveries", "/recalls", "/mine", "/seconds", "/sources",
)  # fmt: skip
# relative luminance contrast (WCAG 2.2, 1.4.3) of every text against the nearest ground behind it
CONTRAST = """() => {
  const rgb = c => (c.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; }
    return [255, 255, 255]; };
  const low = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || e.closest('.unseen, .skip, option')) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    if (ratio < 4.5) low.push(e.className + ' ' + ratio.toFixed(2));
  }
  return low;
}"""
UNNAMED = """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, a')]
  .filter(e => !(e.labels && e.labels.length) && !e.textContent.trim() && !e.getAttribute('aria-label'))
  .map(e => e.outerHTML)"""


@pytest.fixture(scope="module")
def there(lived_in: LivedIn, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = copied(lived_in, tmp_path_factory.mktemp("desk") / "hub")
    seat_made_up_people(home)
    with served(home) as url:
        yield Served(home, url)


@pytest.fixture
def desk(page: "Page", there: Served) -> "Page":
    """Somebody who sits at the desk."""
    page.goto(f"{there.url}/desk")
    if page.get_by_text("Kuka olet?").count():
        page.get_by_role("button", name="Aino Esimerkki").click()
        page.get_by_role("heading", level=1, name="Yö").wait_for()
    return page


def tab_to(desk: "Page", name: str) -> None:
    """Tab forward until the element of that name has the focus."""
    for _ in range(200):
        desk.keyboard.press("Tab")
        focused = desk.evaluate(
            "() => { const e = document.activeElement; return (e.labels && e.labels.length"
            " ? e.labels[0].textContent : e.textContent).trim(); }"
        )
        if focused.startswith(name):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def test_a_pair_is_kept_apart(desk: "Page", there: Served) -> None:
    turn_to(desk, "Parit")
    desk.get_by_role("button", name=re.compile(r"^Pari \d+$")).first.click()
    desk.get_by_label("Eri asiakkaat").check()
    desk.get_by_label("Perustelu").fill("kysytty puhelimessa")
    desk.get_by_role("button", name="Katso ensin vaikutus").click()
    desk.get_by_text("Ne pysyvät erillään").wait_for()
    desk.get_by_role("button", name="Vahvista").click()
    desk.get_by_role("status").get_by_text("kirjattu").wait_for()
    engine = open_engine(f"sqlite:///{there.home}/hub.db")
    with reading(engine) as conn:
        last = judgements.standing(conn).iloc[0]
    engine.dispose()
    assert (last["verdict"], last["decided_by"]) == ("different", "aino.esimerkki")


def test_a_notice_is_taken_with_the_keyboard_alone(desk: "Page", there: Served) -> None:
    desk.goto(f"{there.url}/desk/customers")
    desk.locator("input:focus").wait_for()  # the search has the cursor, once the page is drawn
    desk.keyboard.type("kanaritta vartiotar")
    desk.keyboard.press("Enter")
    desk.get_by_text("Löytyi: 1").wait_for()

    tab_to(desk, "Merkkimäki")
    desk.keyboard.press("Enter")
    desk.get_by_role("heading", name="Kirjaa asiakkaan ilmoitus").wait_for()
    tab_to(desk, "Puhelin")
    desk.keyboard.type("050 5557394")
    tab_to(desk, "Katso ensin vaikutus")
    desk.keyboard.press("Enter")
    desk.get_by_role("heading", name="Kirjataanko tämä?").wait_for()
    tab_to(desk, "Vahvista")
    desk.keyboard.press("Enter")
    desk.get_by_role("status").get_by_text("on kirjattu").wait_for()


def test_a_pair_is_kept_apart_with_the_keyboard_alone(desk: "Page", there: Served) -> None:
    """Tab, Enter, Space, and an arrow within the choice, as browsers have it."""
    desk.goto(f"{there.url}/desk/pairs")
    tab_to(desk, "Pari ")
    desk.keyboard.press("Enter")
    desk.get_by_role("heading", level=1, name="Pari ").wait_for()
    tab_to(desk, "Sama asiakas")
    desk.keyboard.press("ArrowDown")
    tab_to(desk, "Perustelu")
    desk.keyboard.type("kysytty puhelimessa")
    tab_to(desk, "Katso ensin vaikutus")
    desk.keyboard.press("Space")
    desk.get_by_role("heading", level=1, name=re.compile("eri")).wait_for()
    desk.get_by_text("Ne pysyvät erillään").wait_for()
    tab_to(desk, "Vahvista")
    desk.keyboard.press("Space")
    desk.get_by_role("status").get_by_text("kirjattu").wait_for()


def test_a_move_told_on_the_phone_is_in_tonights_extract(desk: "Page", there: Served) -> None:
    """The name typed with a slip and the other way round; a new address; refreshed; what goes out, and why."""
    desk.goto(f"{there.url}/desk/customers")
    desk.get_by_label("Nimi tai asiakasnumero").fill("kanaritta merkkimaki")
    desk.get_by_role("button", name="Hae").click()
    desk.get_by_role("button", name="Merkkimäki").click()
    desk.get_by_label("Katuosoite").fill("Puhelinpolku 8")
    desk.get_by_label("Postinumero").fill("31640")
    desk.get_by_label("Postitoimipaikka").fill("Humppila")
    notice = desk.get_by_role("region", name="Kirjaa asiakkaan ilmoitus")
    notice.get_by_role("button", name="Katso ensin vaikutus").click()
    desk.get_by_text("Puhelinpolku 8, 31640 Humppila").wait_for()
    desk.get_by_role("button", name="Vahvista").click()
    desk.get_by_role("status").get_by_text("on kirjattu").wait_for()

    desk.get_by_role("link", name="Odottavat luovutukset").last.click()
    assert_goes_out(desk)
    desk.get_by_role("article", name="Merkkimäki").get_by_role("button").click()
    # the registers of this town have gone: nobody answers, and what she said counts all the same
    desk.get_by_role("button", name="Päivitä nyt rekistereistä").click()
    changed = desk.get_by_role("row").filter(has_text="muuttui").filter(has_text="Puhelinpolku 8")
    changed.first.wait_for()
    desk.get_by_role("main").get_by_role("link", name="Odottavat luovutukset").click()
    assert_goes_out(desk)
    desk.get_by_role("article", name="Merkkimäki").get_by_role("button").click()
    said = desk.get_by_role("row").filter(has_text="Puhelinpolku 8")
    assert "asiakkaan ilmoituksesta kirjannut aino.esimerkki" in said.first.inner_text()


def assert_goes_out(desk: "Page") -> None:
    """Her row stands among what finance hears next, with its new address and whose word that is."""
    desk.get_by_role("button", name=re.compile("^Katso rivit Taloushallinto")).click()
    row = desk.get_by_role("article", name="Merkkimäki")
    row.wait_for()
    assert re.search(
        "katuosoite: ennen .+, nyt Puhelinpolku 8 \\(Asiakkaan oma ilmoitus",
        row.inner_text(),
        re.IGNORECASE,
    )


def test_a_refused_row_is_left_out(desk: "Page", there: Served) -> None:
    turn_to(desk, "Karanteeni")
    desk.get_by_role("button", name=re.compile(r"^Tietue \d+$")).first.click()
    desk.get_by_label("Jätä pois").check()
    desk.get_by_label("Perustelu").fill("kaksoiskappale")
    desk.get_by_role("button", name="Katso ensin vaikutus").click()
    desk.get_by_role("button", name="Vahvista").click()
    desk.get_by_role("status").get_by_text("jätetään pois").wait_for()
    engine = open_engine(f"sqlite:///{there.home}/hub.db")
    with reading(engine) as conn:
        assert len(quarantine.dropped(conn)) == 1
    engine.dispose()


def test_a_refused_row_is_corrected_and_seen_in_the_register_after_the_next_night(
    desk: "Page", there: Served
) -> None:
    turn_to(desk, "Karanteeni")
    wrong = desk.locator("section").filter(has_text="postinumerossa ei ole viittä numeroa")
    wrong.get_by_role("button", name=re.compile(r"^Tietue \d+$")).first.click()
    desk.get_by_role("columnheader", name="Tuli näin").wait_for()
    code = desk.get_by_label("postiosoite: postinumero")
    assert code.get_attribute("aria-invalid") == "true"
    code.fill("316")
    desk.get_by_label("Korjaa").check()
    desk.get_by_label("Perustelu").fill("kysytty asiakkaalta")
    desk.get_by_role("button", name="Katso ensin vaikutus").click()
    desk.get_by_role("alert").get_by_text("viittä numeroa").wait_for()
    assert code.input_value() == "316", "what was typed stays"
    code.fill("31640")
    desk.get_by_role("button", name="Katso ensin vaikutus").click()
    changes = desk.get_by_role("region", name="Mitä rekisterissä muuttuu ensi yönä")
    changes.get_by_text("Rekisteriin tulee uusia asiakkaita: 1.").wait_for()
    name = " ".join(
        changes.get_by_role("row").filter(has_text=part).get_by_role("cell").last.inner_text()
        for part in ("sukunimi", "etunimet")
    )
    desk.get_by_role("button", name="Vahvista").click()
    desk.get_by_role("status").get_by_text("on korjattu").wait_for()
    turn_to(desk, "Omat päätökseni")
    desk.get_by_role("heading", name=re.compile("^Korjasit tietueen")).wait_for()

    with_an_empty_drop_folder(there.home)  # the town has gone: the night hears nobody, and reads on
    night = hub(there.home, "night", "--date", "2026-11-05")
    assert night.code == 1, "it is red, since nobody was heard"
    desk.goto(f"{there.url}/desk/customers")
    desk.get_by_label("Nimi tai asiakasnumero").fill(name)
    desk.get_by_role("button", name="Hae").click()
    desk.get_by_text("Löytyi: 1").wait_for()
    desk.locator("tbody").get_by_role("button").first.click()
    desk.get_by_role("row").filter(has_text="31640").first.wait_for()


@pytest.mark.parametrize("width", [1280, 640], ids=["1280 px", "200 %"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_landmarks_names_contrast_and_no_sideways_scroll(
    desk: "Page", there: Served, path: str, width: int
) -> None:
    desk.set_viewport_size({"width": width, "height": 900})
    desk.goto(f"{there.url}/desk{path}")
    assert desk.locator("html").get_attribute("lang") == "fi"
    assert [desk.locator(tag).count() for tag in ("main", "nav", "header", "h1")] == [1, 1, 1, 1]
    assert desk.locator("nav [aria-current=page]").count() == 1
    assert desk.evaluate(UNNAMED) == []
    assert desk.evaluate(CONTRAST) == []
    assert desk.evaluate("document.documentElement.scrollWidth") <= width
    desk.set_viewport_size({"width": 1500, "height": 1000})


def test_the_desk_asked_nobody_else_and_no_name_is_in_an_address_or_a_log(
    desk: "Page", there: Served, asked_for: list[str]
) -> None:
    """After the acts above, and one search more."""
    desk.goto(f"{there.url}/desk/customers")
    desk.get_by_label("Nimi tai asiakasnumero").fill("Kanariitta")
    desk.get_by_role("button", name="Hae").click()
    desk.get_by_text("Löytyi").wait_for()
    assert "Kanariitta" in desk.content()
    assert outside(asked_for, there.url) == set()
    addresses = "\n".join(asked_for)
    assert "/desk/customer" in addresses
    assert found_in(addresses.encode(), FORBIDDEN) == []
    assert not re.search(r"/desk[^\n]*(\?|\d)", addresses), "no number of a person either"
    kept = everything_under(there.home / "dagster")
    assert b"dagster" in kept
    assert found_in(kept, FORBIDDEN) == []
