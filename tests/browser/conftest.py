"""A hub's page in a real browser: serving a hub, opening pages, asking Dagster what came of it.

Belongs here: starting and ending. Does not belong here: what is looked at.
"""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.canaries import everything_under, found_in

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ROOT = Path(__file__).parents[2]
PATIENCE = 90_000  # ms; a browser shares two cores with every other test


@contextmanager
def served(
    home: Path, *, read_only: bool = False, module: str = "pipelines.definitions"
) -> Iterator[str]:
    """Dagster's page for the hub in `home`, as `hub ui` starts it; its address."""
    from pipelines.cli.operate import DagsterProcesses, dagster_home

    before = dict(os.environ)
    dagster_home(home)
    os.environ["PYTHONPATH"] = str(ROOT)  # for a module of the tests
    try:
        with DagsterProcesses(home, 0, read_only=read_only, module=module) as processes:
            yield processes.url
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True)
class Served:
    """A hub and its page."""

    home: Path
    url: str

    def ask(self, body: object, path: str = "/graphql", kind: str = "application/json") -> str:
        """What a POST is answered, whatever its status."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own address
            self.url + path, data=sent, headers={"Content-Type": kind}
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310
                return str(answer.read().decode())
        except urllib.error.HTTPError as answer:
            return answer.read().decode()

    def runs(self) -> list[dict[str, Any]]:
        """Every run Dagster remembers, newest first."""
        query = "{ runsOrError { ... on Runs { results { id jobName status runConfigYaml } } } }"
        results: list[dict[str, Any]] = json.loads(self.ask({"query": query}))["data"][
            "runsOrError"
        ]["results"]
        return results

    def last_run(self, job: str, *, after: int) -> dict[str, Any]:
        """The run that came after so many, once it has ended."""
        deadline = time.monotonic() + 180
        while time.monotonic() < deadline:
            runs = self.runs()
            if len(runs) > after and runs[0]["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                assert runs[0]["jobName"] == job
                return runs[0]
            time.sleep(0.5)
        raise AssertionError(f"{job} did not end")

    def keeps(self, word: str) -> bool:
        """Whether a word stands in any byte under the hub's home."""
        return bool(found_in(everything_under(self.home), [word]))


def write(page: "Page", editor: "Locator", text: str) -> None:
    """Put text into the launchpad's editor instead of what is there, and let it be checked."""
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.insert_text(text)
    page.wait_for_timeout(1500)


def turn_to(page: "Page", name: str) -> None:
    """A page of the desk, by its name in the list of pages: the page that is open may link to it too."""
    page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()


def editor_of(page: "Page", there: Served, module: str, job: str) -> "Locator":
    """The launchpad's editor of a job."""
    page.goto(f"{there.url}/locations/{module}/jobs/{job}/playground")
    return page.locator(".CodeMirror").first


@pytest.fixture(scope="module")
def asked_for() -> list[str]:
    """Every address the pages asked for."""
    return []


@pytest.fixture(scope="module")
def page(asked_for: list[str]) -> Iterator["Page"]:
    from playwright.sync_api import sync_playwright

    quiet = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync")  # fmt: skip
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["HUB_TEST_CHROMIUM"], args=list(quiet)
        )
        opened = browser.new_page(viewport={"width": 1500, "height": 1000})
        opened.set_default_timeout(PATIENCE)
        opened.on("request", lambda request: asked_for.append(request.url))
        yield opened
        browser.close()


def outside(asked_for: list[str], url: str) -> set[str]:
    """What a page asked of anybody but this machine."""
    ours = (url, url.replace("http", "ws", 1), "data:", "blob:")
    return {address for address in asked_for if not address.startswith(ours)}
