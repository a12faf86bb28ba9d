"""A small town for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.town import Town, start


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with start(tmp_path / "town", customers=200, seed=7) as running:
        yield running
