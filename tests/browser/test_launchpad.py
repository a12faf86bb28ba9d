"""A person's name typed anywhere in the launchpad leaves no byte behind; a launch without one succeeds.

In a real browser, and past it by GraphQL. Runs where HUB_TEST_CHROMIUM names a Chromium.
"""

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Served, editor_of, outside, served, write
from tests.canaries import hub

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own event loop
]

MODULE = "tests.browser.job_by_number"
SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": MODULE}
REFUSED = "eikä mitään tallennettu"
ASKED = "ops:\n  look_up:\n    config:\n      request_no: 12"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    home = tmp_path_factory.mktemp("launchpad") / "hub"
    assert hub(home, "init").code == 0
    assert hub(home, "migrate").code == 0
    with served(home, module=MODULE) as url:
        yield Served(home, url)


def launchpad(page: "Page", there: Served) -> "Locator":
    """The editor of the job that takes a number."""
    return editor_of(page, there, MODULE, "by_number")


def refused(page: "Page") -> str:
    """The words of the window that opened."""
    window = page.get_by_text(REFUSED).first
    window.wait_for()
    return window.inner_text()


# --- in the browser -----------------------------------------------------------------------------------------


def test_a_number_is_launched_and_succeeds(page: "Page", there: Served) -> None:
    before = len(there.runs())
    write(page, launchpad(page, there), ASKED)
    page.get_by_role("button", name="Launch Run").click()
    done = there.last_run("by_number", after=before)
    assert done["status"] == "SUCCESS"
    assert "request_no: 12" in done["runConfigYaml"]


def test_the_whole_night_is_launched_from_its_page_and_succeeds(
    page: "Page", there: Served
) -> None:
    before = len(there.runs())
    page.goto(f"{there.url}/locations/{MODULE}/jobs/nightly")
    page.get_by_role("button", name="Materialize all").click()
    done = there.last_run("nightly", after=before)
    assert done["status"] == "SUCCESS"
    assert list((there.home / "letters").iterdir())


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("Kommentinen", f"{ASKED} # Kommentinen Aino, Kotikatu 5"),
        ("Arvonen", "ops:\n  look_up:\n    config:\n      request_no: Arvonen Aino"),
        ("Lisanen", f"{ASKED}\n      Lisanen: 1"),
        ("Lokinen", f"{ASKED}\nloggers:\n  console:\n    config:\n      name: Lokinen"),
    ],
    ids=["a comment", "a value", "a key of its own", "the name of a logger"],
)
def test_a_name_in_the_editor_leaves_no_byte(
    page: "Page", there: Served, word: str, text: str
) -> None:
    before = len(there.runs())
    write(page, launchpad(page, there), text)
    launch = page.get_by_role("button", name="Launch Run")
    if launch.is_enabled():  # Dagster's own check, which keeps nothing, may have stopped it before
        launch.click()
        assert word not in refused(page)
    assert len(there.runs()) == before
    assert not there.keeps(word)


@pytest.mark.parametrize(("place", "word"), [("Tag Key", "Avainen"), ("Tag Value", "Arvokas")])
def test_a_name_in_the_tags_leaves_no_byte(
    page: "Page", there: Served, place: str, word: str
) -> None:
    before = len(there.runs())
    write(page, launchpad(page, there), ASKED)
    page.get_by_role("button", name="Edit tags").click()
    page.get_by_placeholder("Tag Key").last.fill("asia")
    page.get_by_placeholder("Tag Value").last.fill("x")
    page.get_by_placeholder(place).last.fill(f"{word} Aino")
    page.get_by_role("button", name="Apply").click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Launch Run").click()
    assert word not in refused(page)
    assert len(there.runs()) == before
    assert not there.keeps(word)


def test_a_name_in_the_launchpad_of_the_night_leaves_no_byte(page: "Page", there: Served) -> None:
    before = len(there.runs())
    page.goto(f"{there.url}/locations/{MODULE}/jobs/nightly")
    whole = page.get_by_role("button", name="Materialize all")
    whole.locator("xpath=following::button[1]").click()
    page.get_by_text("Open launchpad").click()
    write(page, page.locator(".dagster-portal .CodeMirror").first, "ops: {} # Yollinen Aino")
    page.get_by_role("button", name=re.compile("Materialize$")).last.click()
    assert "Yollinen" not in refused(page)
    assert len(there.runs()) == before
    assert not there.keeps("Yollinen")


def test_a_search_leaves_no_byte(page: "Page", there: Served) -> None:
    """What is searched for stands in the address of the page."""
    for place in ("assets?asset-selection=", "asset-groups/~", "runs?q[0]=tag:who=", "jobs?q="):
        page.goto(f"{there.url}/{place}Etsinen")
        page.wait_for_timeout(1500)
    assert not there.keeps("Etsinen")


def test_no_page_of_these_asks_anybody_but_this_machine(
    page: "Page", there: Served, asked_for: list[str]
) -> None:
    page.goto(f"{there.url}/runs")
    assert not outside(asked_for, there.url)


# --- past the browser -----------------------------------------------------------------------------------------


def launch(word: str, **more: object) -> dict[str, object]:
    """A launch as the page asks for it, with something more."""
    params = {
        "selector": {**SELECTOR, "jobName": "by_number"},
        "runConfigData": {"ops": {"look_up": {"config": {"request_no": 7}}}},
        "mode": "default",
        **more,
    }
    query = f"mutation {word}($p: ExecutionParams!) {{ launchRun(executionParams: $p) {{ __typename }} }}"
    return {"query": query, "variables": {"p": params}, "operationName": word}


def deed(text: str) -> dict[str, object]:
    return {"query": f"mutation {{ {text} }}"}


BY_GRAPHQL: dict[str, object] = {
    "Tagonen": launch("L", executionMetadata={"tags": [{"key": "who", "value": "Tagonen"}]}),
    "Emonen": launch("L", executionMetadata={"parentRunId": "Emonen", "rootRunId": "Emonen"}),
    "Resonen": launch("L", runConfigData={"resources": {"hub": {"config": "Resonen"}}}),
    "Kuvanen": deed(
        'reportRunlessAssetEvents(eventParams: {eventType: ASSET_MATERIALIZATION, partitionKeys: [null],'
        ' assetKey: {path: ["night", "close"]}, description: "Kuvanen"}) { __typename }'
    ),
    "Taustanen": deed(
        'launchPartitionBackfill(backfillParams: {assetSelection: [{path: ["night", "close"]}],'
        ' allPartitions: true, title: "Taustanen"}) { __typename }'
    ),
    "Pyyhkinen": deed(
        'wipeAssets(assetPartitionRanges: [{assetKey: {path: ["Pyyhkinen"]}}]) { __typename }'
    ),
    "Allasnen": deed('setConcurrencyLimit(concurrencyKey: "Allasnen", limit: 1)'),
    "Joukkonen": [deed('setConcurrencyLimit(concurrencyKey: "Joukkonen", limit: 1)')],
    "Palanen": {
        "query": "mutation { ...F } fragment F on Mutation "
        '{ setConcurrencyLimit(concurrencyKey: "Palanen", limit: 1) }'
    },
}  # fmt: skip


def test_by_graphql_a_number_is_launched_too(there: Served) -> None:
    before = len(there.runs())
    assert "LaunchRunSuccess" in there.ask(launch("L"))
    assert there.last_run("by_number", after=before)["status"] == "SUCCESS"


@pytest.mark.parametrize("word", BY_GRAPHQL)
def test_a_name_sent_by_graphql_leaves_no_byte(there: Served, word: str) -> None:
    before = len(there.runs())
    answer = there.ask(BY_GRAPHQL[word])
    assert REFUSED in answer
    assert word not in answer
    assert len(there.runs()) == before
    assert not there.keeps(word)


def test_a_name_in_an_address_leaves_no_byte(there: Served) -> None:
    query = 'mutation { setConcurrencyLimit(concurrencyKey: "Osoitenen", limit: 1) }'
    for path in (
        "/graphql?" + urllib.parse.urlencode({"query": query}),
        "/notebook?path=Osoitenen&repoLocName=x",
        "/logs/Osoitenen/compute.out",
        "/Osoitenen",
    ):
        try:
            urllib.request.urlopen(there.url + path, timeout=120).close()  # noqa: S310
        except urllib.error.HTTPError:
            pass
    for kind in ("application/graphql", "text/plain"):
        assert REFUSED in there.ask(query.encode(), kind=kind)
    assert not there.keeps("Osoitenen")


@pytest.mark.parametrize("kind", ["materialization", "check", "observation"])
def test_a_name_reported_from_outside_leaves_no_byte(there: Served, kind: str) -> None:
    body = {"check_name": "x", "passed": True, "description": "Raportinen", "metadata": {"a": "x"}}
    assert REFUSED in there.ask(body, f"/report_asset_{kind}/night/close")
    assert not there.keeps("Raportinen")


def test_dagster_kept_what_was_launched_so_that_its_silence_means_something(there: Served) -> None:
    assert there.keeps("look_up")
    assert there.keeps("request_no")
