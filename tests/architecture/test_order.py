"""What `tests.conftest` says of the files that take longest is so."""

from pathlib import Path

import pytest

from tests.conftest import LIVED_IN, LONGEST

TESTS = Path(__file__).parents[1]


def test_every_file_that_is_taken_first_exists() -> None:
    files = [*LONGEST, *LIVED_IN]
    assert [f for f in files if f != "LIVED_IN" and not (TESTS / f).is_file()] == []
    assert len(set(files)) == len(files)


def test_one_process_takes_every_file_that_looks_at_the_hub_lived_in(
    request: pytest.FixtureRequest,
) -> None:
    looking = {
        item.path.relative_to(TESTS).as_posix()
        for item in request.session.items
        if isinstance(item, pytest.Function) and "lived_in" in item.fixturenames
    }
    assert looking <= set(LIVED_IN)
