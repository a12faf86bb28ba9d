"""What goes back to the own register and on to finance, when they answer late, badly or not at all."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pipelines.store import holdings
from pipelines.store.engine import transaction
from tests.journeys.conftest import continued
from tests.journeys.living import Living, Morning

pytestmark = pytest.mark.journey


def streets(morning: Morning, number: str) -> list[str]:
    """Where finance would send this customer's bills, by street."""
    return [invoice["to"].split(",")[0] for invoice in morning.invoices(number)]


def test_five_nights_with_a_stubborn_own_register_end_in_silence_and_one_case(hub: Living) -> None:
    """DESIGN 10: it accepts what we return and keeps its own values; nobody repeats themselves."""
    number = hub.ordinary_payers()[0]
    old = hub.row(number)["LAHIOSOITE"]
    new = hub.move(number)
    hub.town.fault("own_register", "stubborn", 99)
    sent = [len(hub.inbox("own_register"))]
    first = hub.morning(hub.next_night(quiet=True))
    sent.append(len(hub.inbox("own_register")))
    for _ in range(4):
        last = hub.morning(hub.next_night(quiet=True))
        sent.append(len(hub.inbox("own_register")))
    assert first.party(number)["street_line"] == last.party(number)["street_line"] == new
    assert streets(last, number) == [new]
    assert hub.row(number)["LAHIOSOITE"] == old
    assert [later - before for before, later in pairwise(sent)] == [
        2,
        0,
        0,
        0,
        0,
    ]
    mine = last.returned[last.returned["their_key"] == number].set_index("field")
    assert mine.loc["street_line", "state"] == "overwritten"
    assert not last.returned["state"].isin(["sent"]).any()
    letters = [hub.home / "letters" / f"2026-11-0{day}.txt" for day in (4, 7)]
    cases = [
        [w for w in p.read_text("utf-8").splitlines() if "palaut" in w.lower()] for p in letters
    ]
    assert cases[0] == cases[1] != []
    assert len(cases[0]) == 1


def test_while_an_acknowledgement_is_missing_nothing_more_goes_and_then_it_goes_once(
    hub: Living,
) -> None:
    """DESIGN 11: changes wait behind an open delivery; sequence numbers stay gapless."""
    early, late = hub.ordinary_payers()[:2]
    first_move = hub.move(early)
    hub.town.fault("finance", "lost_acknowledgement", 1)
    waiting = hub.morning(hub.next_night(quiet=True))
    assert waiting.outcome.status == "attention"
    assert "finance" in waiting.outcome.letter
    assert hub.sequences() == [1, 2]

    second_move = hub.move(late)
    still = hub.morning(hub.next_night(quiet=True))
    assert hub.sequences() == [1, 2]
    assert still.party(late)["street_line"] == second_move
    assert streets(still, late) != [second_move]

    hub.town.fault("finance", "lost_acknowledgement", 0)
    answered = hub.morning(hub.next_night(quiet=True))
    assert hub.sequences() == [1, 2, 3]
    assert (streets(answered, early), streets(answered, late)) == ([first_move], [second_move])
    assert answered.finance["rejected"] == 0
    told = Counter(
        (row["customer_number"], row["event"], row["street_line"]) for row in answered.told["row"]
    )
    assert told[f"{answered.id_of(late):06d}", "changed", second_move] == 1


def told_in(hub: Living, sequence: int) -> list[str]:
    """The data lines of one of finance's deliveries."""
    (path,) = (p for p in hub.inbox() if f"_{sequence:08d}_" in p.name and p.suffix == ".csv")
    return path.read_text("utf-8").splitlines()[1:]


class Mishaps(NamedTuple):
    """Nights of finance: its connection drops, it refuses a row, nothing is new, the row has changed."""

    hub: Living
    number: str
    street: str
    accepted_before: int
    dropped: Morning
    refused: Morning
    quiet: Morning
    changed: Morning


@pytest.fixture(scope="module")
def mishaps(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mishaps]:
    with continued(founded, tmp_path_factory.mktemp("mishaps")) as hub:
        first = hub.morning()
        number = min(hub.ordinary_payers(), key=first.id_of)
        street = hub.move(number)
        hub.town.fault("finance", "dropped_connection", 1)
        dropped = hub.morning(hub.next_night(quiet=True))
        hub.town.fault("finance", "rejecting", 1)
        refused = hub.morning(hub.next_night(quiet=True))
        quiet = hub.morning(hub.next_night(quiet=True))
        hub.write_down(number, LASKUKANAVA="VERKKOLASKU", VALITTAJA="DABAFIHH")
        hub.write_down(number, VERKKOLASKUOSOITE="003700000001")
        changed = hub.morning(hub.next_night(quiet=True))
        accepted = first.finance["accepted"]
        yield Mishaps(hub, number, street, accepted, dropped, refused, quiet, changed)


def test_a_connection_that_drops_in_mid_write_leaves_nothing_half_told(mishaps: Mishaps) -> None:
    assert mishaps.dropped.outcome.status == "failed"
    assert "finance" in mishaps.dropped.outcome.letter
    assert len(mishaps.dropped.finance["deliveries"]) == 1
    assert mishaps.dropped.finance["accepted"] == mishaps.accepted_before


def test_the_night_after_a_dropped_connection_delivers_once(mishaps: Mishaps) -> None:
    assert mishaps.hub.sequences()[:2] == [1, 2]
    rows = [line for line in told_in(mishaps.hub, 2) if mishaps.street in line]
    assert len(rows) == 1
    assert sorted(mishaps.refused.finance["deliveries"].values())[:2] == [1, 2]


def test_a_refused_row_goes_to_a_steward_and_counts_as_not_told(mishaps: Mishaps) -> None:
    refused = mishaps.refused
    assert refused.outcome.status == "attention"
    assert "refused_by_sandbox" in refused.outcome.letter
    assert refused.finance["rejected"] == 1
    assert streets(refused, mishaps.number) != [mishaps.street]
    assert all(row["street_line"] != mishaps.street for row in refused.told_rows(mishaps.number))


def test_a_refused_row_is_not_sent_again_every_night(mishaps: Mishaps) -> None:
    assert mishaps.quiet.counts["extract:finance"]["refused_before"] == 1
    later = [n for n in mishaps.hub.sequences() if n > 2]
    assert not any(mishaps.street in line for n in later for line in told_in(mishaps.hub, n))


def test_a_refused_row_goes_again_once_it_says_something_else(mishaps: Mishaps) -> None:
    assert [i["to"] for i in mishaps.changed.invoices(mishaps.number)] == [
        "003700000001 @ DABAFIHH"
    ]
    assert mishaps.changed.finance["rejected"] == 1
    with mishaps.hub.opened() as house, transaction(house.engine) as conn:
        assert holdings.refused_rows(conn, "finance").empty


def test_returns_go_only_where_the_own_register_knows_the_customer(hub: Living) -> None:
    """Each row names a customer number of its own, a field it has, and where the value came from."""
    rows: list[dict[str, Any]] = []
    with hub.opened() as house, transaction(house.engine) as conn:
        returned = holdings.returned(conn, "own_register")
        rows = returned.to_dict("records")
    assert rows
    register = hub.town._founded.register
    assert {row["their_key"] for row in rows} <= register.customers.keys()
    assert not {row["their_key"] for row in rows} & set(hub.town.truth()["protected"])
