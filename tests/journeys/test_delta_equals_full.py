"""Working on what changed comes to the same as working on everything (DESIGN 5).

One hub runs every night of a week in which people move now and later, die, marry and hand over their
homes; after some nights everything is worked out anew. A second hub sleeps through the week after its
first night; a third is founded on the last day only.
"""

import json
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from connectors.sandbox.town import start
from pipelines.store.engine import migrate, open_engine
from tests.journeys.conftest import continued
from tests.journeys.crashing import Aftermath, Attempt, Trial, contents, log_of, run_trials
from tests.journeys.living import CUSTOMERS, OWN, SEED, Living

pytestmark = pytest.mark.journey

DAYS = (1, 1, 1, 1, 3)  # between the nights of the hub that runs
WORKED_OUT_ANEW = (3, 5, 9)  # days of November; the town was founded on the 2nd


class Morning(NamedTuple):
    """What a hub and its counterparties hold: tables, the log, finance's books, files sent."""

    held: dict[str, list[str]]
    log: tuple[Any, ...]
    finance: dict[str, Any]
    sent: int


class Week(NamedTuple):
    """small, full: the mornings of the hub that ran, by day; full only after a full night."""

    small: dict[int, Morning]
    full: dict[int, Morning]
    asleep: Aftermath
    late: Aftermath


def morning(living: Living) -> Morning:
    sent = len(living.inbox("finance")) + len(living.inbox("own_register"))
    with living.opened() as house:
        return Morning(
            contents(house.engine),
            log_of(house.engine, house.log_keys.vault),
            living.town.finance(),
            sent,
        )


@pytest.fixture(scope="module")
def week(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Week:
    base = tmp_path_factory.mktemp("week")
    slept = run_trials(
        [
            Trial("asleep", founded, (Attempt(days=sum(DAYS)),)),
            Trial("late", never_run(founded, base / "never"), (Attempt(days=sum(DAYS)),)),
        ],
        base / "trials",
    )
    small, full = {}, {}
    with continued(founded, base / "running") as living:
        for days in DAYS:
            living.town.advance(days)
            assert living.night().status == "attention"
            day = int(living.town.today[-2:])
            small[day] = morning(living)
            if day in WORKED_OUT_ANEW:
                assert living.night(full=True).status == "attention"
                full[day] = morning(living)
    return Week(small, full, slept["asleep"], slept["late"])


def never_run(founded: Path, base: Path) -> Path:
    """The same town on its first day, beside a hub with the same key that has had no night."""
    with start(base / "town", CUSTOMERS, SEED) as town:
        Living(base / "home", town)
    shutil.copytree(founded / "home" / "keys", base / "home" / "keys")
    engine = open_engine(f"sqlite:///{base}/home/hub.db")
    migrate(engine)
    engine.dispose()
    return base


@pytest.mark.parametrize("day", WORKED_OUT_ANEW)
def test_a_full_night_after_a_small_one_changes_nothing_and_tells_nobody(
    week: Week, day: int
) -> None:
    before, after = week.small[day], week.full[day]
    changed = {t: set(after.held[t]) ^ set(before.held[t]) for t in before.held}
    assert {table: rows for table, rows in changed.items() if rows} == {}
    assert after == before


def test_the_week_is_one_in_which_things_happen(week: Week) -> None:
    """Else the tests here would prove little."""
    steps = list(pairwise(week.small.values()))
    assert sum(later.held["party"] != earlier.held["party"] for earlier, later in steps) >= 3
    assert sum(later.sent > earlier.sent for earlier, later in steps) >= 2


def rows(held: Mapping[str, list[str]], table: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in held[table]]


def by_name(held: Mapping[str, list[str]], table: str) -> list[str]:
    """A table's rows with names for ids: who is met in one night rather than two gets another number."""
    names = {row["party_id"]: row["display_name"] for row in rows(held, "party")}
    named = (row | {"party_id": names[row["party_id"]]} for row in rows(held, table))
    return sorted(json.dumps(row, sort_keys=True) for row in named)


def register(held: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Own customer number → golden values, and the other numbers of the same customer; without ids."""
    golden = {row["party_id"]: row for row in rows(held, "party")}
    party_of = {
        row["source_key"]: row["party_id"]
        for row in rows(held, "party_record")
        if row["source"] == OWN
    }
    return {
        number: {k: v for k, v in golden[party].items() if k not in ("party_id", "row_hash")}
        | {"numbers": sorted(n for n, same in party_of.items() if same == party)}
        for number, party in party_of.items()
    }


def test_a_hub_that_slept_for_a_week_wakes_up_as_one_that_never_slept(week: Week) -> None:
    """Date boundaries of the nights that did not come are made up for, with no new row to tell of them."""
    awake, asleep = week.small[max(week.small)], week.asleep
    assert register(asleep.held) == register(awake.held)
    assert sorted(asleep.held["point"]) == sorted(awake.held["point"])
    for table in ("role", "held_row"):
        assert by_name(asleep.held, table) == by_name(awake.held, table)
    assert invoices(asleep.finance) == invoices(awake.finance)
    assert sorted(asleep.finance["deliveries"].values()) == [1, 2]
    assert asleep.finance["rejected"] == 0
    assert asleep.broken == []


def test_a_hub_founded_late_holds_the_same_register_as_one_that_was_there(week: Week) -> None:
    """But for three things that only the hub which was there can know.

    That a death was taken back: nothing is stated since. Which columns of a row of the own register are
    older than the row's one time: a late hub takes all of them for fresh notices, so that the same street
    is credited to the register instead of DVV. And what finance was told before a protective order: a late
    hub has told it nothing that could be left standing.
    """
    awake, late = week.small[max(week.small)], week.late
    here, there = register(awake.held), register(late.held)
    assert here.keys() == there.keys()
    for number in here:
        assert here[number].pop("is_deceased") in (there[number].pop("is_deceased"), False)
        assert {here[number].pop("address_type"), there[number].pop("address_type")} <= {
            "permanent",
            "postal",
            "contact",
            None,
        }
    assert here == there

    protected = {
        row["display_name"] for row in rows(awake.held, "party") if row["protection"] == "on"
    }
    told_before = invoices(awake.finance) - invoices(late.finance)
    assert {name for _, name, _ in told_before} <= protected
    assert invoices(late.finance) <= invoices(awake.finance)


def invoices(finance: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """Point, name and destination of every invoice finance would send."""
    return {(i["point_ref"], i["name"], i["to"]) for i in finance["invoices"]}
