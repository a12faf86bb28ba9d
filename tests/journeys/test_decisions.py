"""What a steward decides by day, and what the nights make of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from connectors.sandbox import dvv
from connectors.sandbox.world import Stay
from pipelines.domain.schemas import PARTIES
from pipelines.steps import decide
from tests.journeys.conftest import continued
from tests.journeys.living import Living, Morning

pytestmark = pytest.mark.journey

NOTICE = {
    "addresses": [
        {
            "address_type": "postal",
            "line": "Ilmoituskuja 7",
            "postal_code": "31640",
            "post_office": "Humppila",
        }
    ]
}


class Decided(NamedTuple):
    """told, dropped, released: own numbers. before, after, replayed: the nights around a day's work."""

    living: Living
    told: str
    dropped: str
    released: str
    before: Morning
    after: Morning
    replayed: Morning


def entry(morning: Morning, key: str) -> int:
    """The quarantine number of a record's only open refusal."""
    (found,) = morning.refused.loc[morning.refused["source_key"] == key, "quarantine_id"]
    return int(found)


@pytest.fixture(scope="module")
def decided(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decided]:
    """Night 2 refuses two rows; by day both are decided and a notice is taken; then DVV is replayed."""
    with continued(founded, tmp_path_factory.mktemp("decided")) as living:
        known = living.morning()
        told, dropped, released = [
            n
            for n in living.ordinary_payers()
            if known.value(n, "street_line")["source"] == "registrations"
        ][:3]
        living.write_down(dropped, POSTINRO="3164A")
        living.write_down(released, VALITTAJA="VÄLITTÄJÄ" * 5)
        before = living.morning(living.next_night(quiet=True))
        with living.opened() as house:
            night = house.night(living.town.today)
            decide.drop(night, entry(before, dropped), "steward.one", "not what she gave")
            decide.release(night, entry(before, released), "steward.one", "seen the contract")
            decide.take_notice(
                night, told, NOTICE, received=living.town.today, channel="phone",
                evidence="call 17", who="steward.two",
            )  # fmt: skip
        after = living.morning(living.next_night(quiet=True))
        home = living.person(told).home(living.town.today)
        old = dvv.permanent_address(Stay(home, living.person(told).stays[-1].since))
        living.announce(told, old | {"muutosattribuutti": "MUUTETTU"})
        replayed = living.morning(living.next_night(quiet=True))
        yield Decided(living, told, dropped, released, before, after, replayed)


def test_r12_what_the_customer_told_us_wins_the_next_night(decided: Decided) -> None:
    assert decided.before.party(decided.told)["street_line"] != "Ilmoituskuja 7"
    assert decided.after.party(decided.told)["street_line"] == "Ilmoituskuja 7"
    won = decided.after.value(decided.told, "street_line")
    assert (won["source"], won["source_key"]) == ("notices", "N000001")


def test_r12_a_notice_leaves_the_customer_the_same_one(decided: Decided) -> None:
    assert len({m.id_of(decided.told) for m in (decided.before, decided.after)}) == 1


def test_r42_an_older_word_of_dvv_does_not_undo_a_notice(decided: Decided) -> None:
    assert decided.replayed.party(decided.told)["street_line"] == "Ilmoituskuja 7"
    assert decided.replayed.invoices(decided.told) == decided.after.invoices(decided.told)


def test_a_notice_reaches_finance_and_the_own_register(decided: Decided) -> None:
    (invoice,) = decided.after.invoices(decided.told)
    assert invoice["to"].startswith("Ilmoituskuja 7, 31640 HUMPPILA")
    assert decided.living.row(decided.told)["LAHIOSOITE"] == "Ilmoituskuja 7"
    returned = decided.replayed.returned
    mine = returned[(returned["their_key"] == decided.told) & (returned["field"] == "street_line")]
    assert list(mine["state"]) == ["confirmed"]


def test_a_dropped_row_stays_out_and_the_last_good_one_stands(decided: Decided) -> None:
    number = decided.dropped
    assert decided.after.party(number)["postal_code"] == decided.before.party(number)["postal_code"]
    assert number not in set(decided.after.refused["source_key"])
    assert number not in set(decided.replayed.refused["source_key"])


def test_a_released_row_is_read_the_next_night(decided: Decided) -> None:
    parties = decided.living.table(PARTIES).set_index("source_key")
    assert parties.loc[decided.released, "einvoice_operator"] == "VÄLITTÄJÄ" * 5
    assert decided.released not in set(decided.after.refused["source_key"])


def test_a_rule_that_keeps_bills_from_going_astray_is_not_waived(hub: Living) -> None:
    with hub.opened() as house:
        night = house.night(hub.town.today)
        refused = hub.morning().refused
        (number,) = refused.loc[refused["rule"] == "finnish_postal_code", "quarantine_id"]
        with pytest.raises(decide.Undecidable, match="hub quarantine drop"):
            decide.release(night, int(number), "steward.one", "looks right")
