"""A feed cut off for a week that comes back twice, beside a hub that never lost it.

Both hubs live in the same town (same seed, same days). At the end they hold the same customers, and finance
bills the same: whatever was missed has been heard, and nothing that was told twice has been believed twice.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest

from connectors.sources import dvv
from pipelines.domain.schemas import GOLDEN
from pipelines.house import House, open_house
from tests.journeys.conftest import continued
from tests.journeys.living import Living, Morning

pytestmark = pytest.mark.journey

WEEK = 7


def impatient(living: Living) -> House:
    """The hub as it is, but for the waits between one attempt at DVV and the next."""
    house = open_house(living.home, os.environ)
    source = house.source("dvv")
    assert isinstance(source, dvv.Dvv)
    source._sleep = lambda _: None
    house.sources = {"dvv": source}
    return house


def everybody(morning: Morning) -> pd.DataFrame:
    """What the register holds of each own customer, by customer number."""
    values = [c for c in GOLDEN.columns if c not in ("party_id", "row_hash")]
    return morning.customers[values].astype("str")


class Week(NamedTuple):
    """The same days with the feed and without it; statuses: of the nights that it was cut off."""

    with_it: Morning
    without_it: Morning
    statuses: list[str]
    deliveries: list[int]
    cursor_before: object
    cursor_while_down: object


@pytest.fixture(scope="module")
def week(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    with continued(founded, tmp_path_factory.mktemp("connected")) as living:
        for _ in range(WEEK + 2):
            outcome = living.next_night()
        connected = living.morning(outcome)
    with continued(founded, tmp_path_factory.mktemp("cut_off")) as living:
        before = living.cursor("dvv")
        living.town.fault("dvv", "http_500", 10_000)
        statuses = [living.next_night(opener=lambda: impatient(living)).status for _ in range(WEEK)]
        while_down = living.cursor("dvv")
        living.town.clear_faults()
        for kind in ("repeated", "reordered"):
            living.town.fault("dvv", kind, 10_000)
        living.next_night()
        outcome = living.next_night()
        yield Week(
            connected,
            living.morning(outcome),
            statuses,
            living.sequences(),
            before,
            while_down,
        )


def test_every_night_without_the_feed_is_red_and_its_cursor_stays(week: Week) -> None:
    assert week.statuses == ["failed"] * WEEK
    assert week.cursor_before == week.cursor_while_down


def test_the_register_ends_as_if_the_feed_had_never_been_cut_off(week: Week) -> None:
    pd.testing.assert_frame_equal(everybody(week.with_it), everybody(week.without_it))


def test_finance_bills_the_same_people_at_the_same_places(week: Week) -> None:
    def bills(morning: Morning) -> list[tuple[str, str, str]]:
        return sorted((i["point_ref"], i["name"], i["to"]) for i in morning.finance["invoices"])

    assert bills(week.without_it) == bills(week.with_it)
    assert week.without_it.finance["rejected"] == 0


def test_what_came_twice_was_told_once(week: Week) -> None:
    assert week.deliveries == list(range(1, len(week.deliveries) + 1))
    assert len(week.without_it.told) == len(week.with_it.told)
