"""A verdict is taken back as if it had never been, until somebody was told: after that whoever was told wrong hears of it."""

import pytest
from sqlalchemy import Engine

from pipelines.steps.foresee_undo import foresee_undo, how_far
from pipelines.steps.judge import judge, undo
from pipelines.steps.prepare_extract import prepare_extract
from pipelines.steps.reconcile import reconcile
from pipelines.store import access, disclosures, judgements, notifications
from pipelines.store.engine import reading
from pipelines.store.verification import verify_log
from tests.steps.test_notify import KEYS, ON_ONE, Inbox, Killed, Town, person

AINO, MATS = "registrations:100007", "registrations:100008"


def joined(town: Town) -> int:
    """A steward takes two customers for one; which decision it is. The night has not come yet."""
    return judge(town.night(), None, (AINO, MATS), "same", who="anna", why="a mover").judgement_no


def parted(town: Town, number: int) -> None:
    """The steward takes it back, and the night comes."""
    undo(town.night(), number, who="anna", why="two people after all")
    town.day += 1
    town.register()


@pytest.fixture
def town(engine: Engine) -> Town:
    """Two customers of whom finance knows."""
    town = Town(engine)
    town.register()
    town.tell("finance")
    town.day += 1
    return town


@pytest.fixture
def merged(town: Town) -> tuple[Town, int]:
    """They were taken for one, and the register has it: it says of Aino what Mats told last."""
    town.land(("party", "100008", person("Berg Mats", "Rantatie 6")))
    number = joined(town)
    town.day += 1
    town.register()
    return town, number


@ON_ONE
def test_what_no_night_has_read_is_taken_back_as_if_it_had_never_been(town: Town) -> None:
    number = joined(town)
    town.tell("finance")
    assert how_far(town.night(), number).reach == "unread"
    undo(town.night(), number, who="anna", why="the wrong pair")
    town.day += 1
    town.register()
    assert town.queued() == []


def test_what_the_register_has_needs_no_notice_until_something_is_frozen(
    merged: tuple[Town, int],
) -> None:
    town, number = merged
    assert how_far(town.night(), number).reach == "untold"
    seen = foresee_undo(town.night(), number, who="anna", why="x")
    assert (seen.parts, seen.notices) == (True, ())
    prepare_extract(town.night(), town.settings.recipients["finance"], Inbox)
    standing = how_far(town.night(), number)
    assert (standing.reach, [one.recipient for one in standing.told]) == ("told", ["finance"]), (
        "what is frozen leaves as it is"
    )


def test_r43_after_a_wrong_merge_exactly_who_was_told_the_other_ones_data_hear_of_it(
    merged: tuple[Town, int],
) -> None:
    """The agency got the address of the one for the other; finance was told that the one had gone into the other."""
    town, number = merged
    town.tell("finance")
    town.tell("collection", case="P-1")
    town.day += 1
    standing = how_far(town.night(), number)
    assert [(one.recipient, one.deliveries) for one in standing.told] == [
        ("collection", 1), ("finance", 1),
    ]  # fmt: skip
    assert "Rantatie 6" in town.inboxes["collection"].payloads[-1].decode()
    foreseen = foresee_undo(town.night(), number, who="anna", why="x")
    assert town.queued() == [], "nothing has been done yet"
    parted(town, number)
    queued = town.queued()
    assert {name for name, why, _ in queued if why == "was_told"} == {
        one.recipient for one in foreseen.notices
    }
    assert {why for _, why, _ in queued} == {"was_told"}, "no source supplied an error"
    assert ("finance", "was_told", "approved") in queued
    assert ("collection", "was_told", "prepared") in queued
    with reading(town.engine) as conn:
        every = notifications.listed(conn).astype(str).to_string()
    assert "Rantatie" not in every and "Berg" not in every, "names of fields, no value"


@ON_ONE
def test_r43_the_next_delivery_carries_it_and_closes_the_notice(
    merged: tuple[Town, int],
) -> None:
    town, number = merged
    town.tell("finance")
    town.day += 1
    parted(town, number)
    town.tell("finance")
    reconcile(town.night())
    assert {state for name, _, state in town.queued() if name == "finance"} == {"acknowledged"}
    assert "split" in town.inboxes["finance"].payloads[-1].decode()
    with reading(town.engine) as conn:
        assert verify_log(conn, KEYS.vault).findings == []


@ON_ONE
@pytest.mark.parametrize("place", ["consolidate:uncommitted", "consolidate:committed"])
def test_r43_a_night_that_is_killed_tells_nobody_of_the_parting_twice(
    merged: tuple[Town, int], place: str
) -> None:
    town, number = merged
    town.tell("finance")
    undo(town.night(), number, who="anna", why="two people after all")
    town.day += 1
    town.dies_at = place
    with pytest.raises(Killed):
        town.register()
    town.register()
    once = town.queued()
    assert once
    town.register(full=True)
    town.day += 1
    town.register(full=True)
    assert town.queued() == once


@ON_ONE
def test_r43_customers_who_were_one_already_and_stay_so_are_no_correction(town: Town) -> None:
    """Finance is told of two, they are kept apart, and that is taken back: nothing of either was wrong."""
    number = judge(town.night(), None, (AINO, MATS), "different", who="anna", why="x").judgement_no
    town.day += 1
    town.register()
    seen = foresee_undo(town.night(), number, who="anna", why="x")
    assert (seen.parts, seen.joins, seen.notices) == (False, False, ())


@ON_ONE
def test_a_preview_leaves_nothing_but_who_looked(merged: tuple[Town, int]) -> None:
    town, number = merged
    town.tell("finance")
    with reading(town.engine) as conn:
        leaves = disclosures.leaf_count(conn)
    (notice,) = foresee_undo(town.night(), number, who="anna", why="x").notices
    assert (notice.recipient, notice.is_by_hand) == ("finance", False)
    assert {"party_id", "display_name", "street_line"} <= set(notice.fields)
    with reading(town.engine) as conn:
        assert disclosures.leaf_count(conn) == leaves
        assert list(judgements.standing(conn)["judgement_id"]) == [number]
        line = access.recent(conn, 1).iloc[0]
    assert (line["who"], line["operation"]) == ("anna", "review preview")
