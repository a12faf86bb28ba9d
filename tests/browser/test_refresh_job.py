"""A customer refreshed by the number of a request, launched by a steward in a real browser.

Runs where HUB_TEST_CHROMIUM names a Chromium.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import Served, editor_of, served, write
from tests.canaries import FORBIDDEN, canary_town, everything_under, found_in, hub, make_hub

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # of playwright's own event loop
]
MODULE, JOB, OP = "pipelines.definitions", "address_refresh", "refresh"


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, int]]:
    """A hub whose town is up, after one night, and the number of a request about somebody in it."""
    base = tmp_path_factory.mktemp("refresh")
    home = base / "hub"
    with canary_town(base / "town") as (town, planted):
        make_hub(home, town)
        assert hub(home, "night", "--date", town.today).code == 0
        told = hub(home, "refresh", "--later", planted.customer)
        assert told.code == 0, told.err
        with served(home) as url:
            yield Served(home, url), int(told.out)


def test_address_refresh_is_launched_by_its_number_and_succeeds(
    page: "Page", asked: tuple[Served, int]
) -> None:
    there, number = asked
    before = len(there.runs())
    config = f"ops:\n  {OP}:\n    config:\n      request_no: {number}"
    write(page, editor_of(page, there, MODULE, JOB), config)
    page.get_by_role("button", name="Launch Run").click()
    run = there.last_run(JOB, after=before)
    assert run["status"] == "SUCCESS"
    page.goto(f"{there.url}/runs/{run['id']}")
    page.get_by_text("Success").first.wait_for()
    assert not found_in(page.content().encode(), FORBIDDEN)
    assert not found_in(everything_under(there.home / "dagster"), FORBIDDEN)


def test_a_name_beside_the_number_is_refused(page: "Page", asked: tuple[Served, int]) -> None:
    there, number = asked
    before = len(there.runs())
    config = f"ops:\n  {OP}:\n    config:\n      request_no: {number} # Virtasenpoika Aino"
    write(page, editor_of(page, there, MODULE, JOB), config)
    page.get_by_role("button", name="Launch Run").click()
    page.get_by_text("eikä mitään tallennettu").first.wait_for()
    assert len(there.runs()) == before
    assert not there.keeps("Virtasenpoika")
