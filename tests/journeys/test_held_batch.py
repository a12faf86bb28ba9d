"""The own register is cleared out: its export is held, two people let it in, and it is what is usual from then on."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from pipelines.nightly import Outcome
from pipelines.steps import accept_volume, second_person
from tests.journeys.conftest import continued
from tests.journeys.living import OWN, Living, Morning

pytestmark = pytest.mark.journey


class Cleared(NamedTuple):
    """The night that held a tenth of the register, the one after two people had let it in, and one more.

    DVV is asked about whoever is in the export: the second night holds its answer in turn.
    """

    living: Living
    held: Morning
    let_in: Morning
    after: Outcome
    totals: tuple[int, ...]


def clear_out(living: Living) -> None:
    """The utility leaves nine of ten customers out of its export, with their roles, from tonight on."""
    register = living.town._founded.register
    gone = list(register.customers)[len(register.customers) // 10 :]
    for number in gone:
        del register.customers[number]
    for key in [k for k, role in register.roles.items() if role["ASIAKASNRO"] in set(gone)]:
        del register.roles[key]
    living.export_again()


def two_people_let_in(living: Living, source: str) -> None:
    with living.opened() as house:
        night = house.night(living.town.today)
        held = accept_volume.held_batch(night, source)
        number = accept_volume.ask(night, source, held.total, "anna.kasittelija", "cleared out")
        second_person.approve(
            night, number, "olli.vastaava", "",
            lambda request: accept_volume.accept(night, request, "olli.vastaava"),
        )  # fmt: skip


@pytest.fixture(scope="module")
def cleared(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cleared]:
    with continued(founded, tmp_path_factory.mktemp("cleared")) as living:
        usual = living.feed(OWN).total
        living.town.advance(quiet=True)
        clear_out(living)
        held = living.now()
        assert living.feed(OWN).status == "held"
        two_people_let_in(living, OWN)
        let_in = living.morning(living.next_night(quiet=True))
        came = living.feed(OWN).total
        two_people_let_in(living, "dvv")
        after = living.next_night(quiet=True)
        yield Cleared(living, held, let_in, after, (usual, came, living.feed(OWN).total))


def test_a_tenth_of_the_register_is_held_and_the_letter_says_what_to_do(cleared: Cleared) -> None:
    outcome = cleared.held.outcome
    assert outcome.status == "failed"
    assert "hub batch accept registrations" in outcome.letter


def test_once_two_people_let_it_in_the_next_night_takes_it_in_and_says_so(cleared: Cleared) -> None:
    usual, came, _ = cleared.totals
    assert came <= usual // 9
    assert "hyväksyntä 1" in cleared.let_in.outcome.letter


def test_who_is_asked_about_its_customers_is_held_in_turn(cleared: Cleared) -> None:
    letter = cleared.let_in.outcome.letter
    assert "hub batch accept dvv" in letter
    assert "hub batch accept registrations" not in letter


def test_nobody_is_lost_by_being_left_out(cleared: Cleared) -> None:
    """Missing is not deletion: what was said of them last stands."""
    assert cleared.let_in.customers.index.equals(cleared.held.customers.index)


def test_the_night_after_is_held_no_more(cleared: Cleared) -> None:
    assert cleared.after.status != "failed", cleared.after.letter[:2000]
    assert cleared.totals[2] == cleared.totals[1]
