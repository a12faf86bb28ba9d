"""A hub's page in a real browser: serving a hub, opening pages, and what they asked the network for.

Belongs here: starting and ending. Does not belong here: what is looked at.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

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
