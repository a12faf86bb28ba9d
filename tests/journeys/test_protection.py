"""Protective orders over nights (R56, PRIVACY §3): most protective wins, and only a word lifts one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from pipelines.steps.restrain import release, restrain
from pipelines.store import deliveries
from pipelines.store.engine import transaction
from tests.journeys.conftest import continued
from tests.journeys.living import Living, Morning

pytestmark = pytest.mark.journey

ORDER = {
    "tietoryhma": "TURVAKIELTO",
    "turvakieltoAktiivinen": True,
    "muutosattribuutti": "LISATTY",
}
LIFTED = ORDER | {"turvakieltoAktiivinen": False, "muutosattribuutti": "MUUTETTU"}
MOVED = {"tietoryhma": "HENKILON_NIMI", "muutosattribuutti": "MUUTETTU"}
CONTACT = {"YHTEYSOSOITE": "PL 77", "YHTEYSPOSTINRO": "31641", "YHTEYSPOSTITMP": "HUMPPILA"}


class Orders(NamedTuple):
    """who: way an order came → own number. before, given, silence: the nights around it."""

    living: Living
    who: dict[str, str]
    before: Morning
    given: Morning
    silence: Morning

    def home(self, way: str) -> str:
        """The street line finance and the register knew before the order."""
        line = self.before.party(self.who[way])["street_line"]
        assert isinstance(line, str)
        return line


@pytest.fixture(scope="module")
def orders(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orders]:
    """Night 2: orders come in many ways. Night 3: the sources fall silent about them, or lift them."""
    with continued(founded, tmp_path_factory.mktemp("orders")) as living:
        paper, paperless = living.ordinary_payers(), living.ordinary_payers("VERKKOLASKU")
        ways = ("no_route", "contact", "own_word", "order_then_news", "news_then_order")
        ways += ("lifted", "lifted_by_one_of_two", "own_silence")
        who = dict(zip(ways, paper, strict=False)) | {"e_invoice": paperless[0]}
        before = living.morning()

        living.protect(who["no_route"])
        living.protect(who["e_invoice"])
        living.protect(who["contact"])
        living.write_down(who["contact"], **CONTACT)
        for way in ("own_word", "own_silence", "lifted_by_one_of_two"):
            living.write_down(who[way], TURVAKIELTO="K")
        living.announce(who["lifted_by_one_of_two"], ORDER)
        living.announce(who["lifted"], ORDER)
        living.announce(who["order_then_news"], ORDER)
        living.announce(who["order_then_news"], MOVED)
        living.announce(who["news_then_order"], MOVED)
        living.announce(who["news_then_order"], ORDER)
        given = living.morning(living.next_night(quiet=True))

        living.person(who["no_route"]).is_protected = False
        for way in ("no_route", "order_then_news", "news_then_order"):
            living.announce(who[way], MOVED)
        for way in ("lifted", "lifted_by_one_of_two"):
            living.announce(who[way], LIFTED)
        living.write_down(who["own_silence"], TURVAKIELTO="", PUHELIN="050 555 1234")
        living.town.fault("dvv", "repeated", 1)
        living.town.fault("dvv", "reordered", 1)
        silence = living.morning(living.next_night(quiet=True))
        yield Orders(living, who, before, given, silence)


ON_PAPER = ["no_route", "own_word", "order_then_news", "news_then_order", "own_silence"]


@pytest.mark.parametrize("way", [*ON_PAPER, "contact", "e_invoice", "lifted_by_one_of_two"])
def test_r56_an_order_hides_the_address_the_same_night(orders: Orders, way: str) -> None:
    party = orders.given.party(orders.who[way])
    assert party["protection"] == "on"
    assert party["address_type"] == "contact" or party[["street_line", "postal_code"]].isna().all()
    told_of = orders.given.values[orders.given.values["party_id"] == party["party_id"]]
    assert not told_of["value"].isin([orders.home(way)]).any()


@pytest.mark.parametrize("way", ON_PAPER)
def test_r56_without_a_safe_route_the_bill_waits_for_a_steward(orders: Orders, way: str) -> None:
    number = orders.who[way]
    assert orders.given.held[orders.given.id_of(number)] == "protected_no_route"
    assert orders.given.told_rows(number) == orders.before.told_rows(number)
    assert "turvakielto" in orders.given.outcome.letter


def test_r56_a_contact_address_takes_the_bill(orders: Orders) -> None:
    (invoice,) = orders.given.invoices(orders.who["contact"])
    assert invoice["to"].startswith("PL 77, 31641 HUMPPILA")


def test_r56_an_e_invoice_goes_on_as_before_and_nothing_is_told(orders: Orders) -> None:
    number = orders.who["e_invoice"]
    assert orders.given.invoices(number) == orders.before.invoices(number) != []
    assert orders.given.told_rows(number) == orders.before.told_rows(number)
    assert orders.given.id_of(number) not in orders.given.held


def test_r56_no_delivery_after_the_order_holds_the_address_or_speaks_of_an_order(
    orders: Orders,
) -> None:
    later = [
        path.read_text("utf-8").lower()
        for where in ("finance", "own_register")
        for path in orders.living.inbox(where)
        if "_00000001_" not in path.name
    ]
    assert len(later) >= 2
    sent = "".join(later)
    for way in orders.who.keys() - {"lifted", "e_invoice"}:
        assert orders.home(way).lower() not in sent
        assert f'"{orders.who[way]}"' not in sent
    assert "turva" not in sent


def test_r56_dvvs_own_record_of_a_protected_person_keeps_no_address(orders: Orders) -> None:
    for way in ("contact", "e_invoice"):
        known = orders.living.addresses_of(orders.silence.id_of(orders.who[way]))
        assert known[(known["source"] == "dvv")].empty


@pytest.mark.parametrize("way", [*ON_PAPER, "contact", "e_invoice"])
def test_r56_silence_never_lifts_an_order(orders: Orders, way: str) -> None:
    """R56, DESIGN 12: later news without a word of it, in either order, repeated or reordered."""
    party = orders.silence.party(orders.who[way])
    assert party["protection"] == "on"
    assert party["street_line"] != orders.home(way)
    if way in ON_PAPER:
        assert party["party_id"] in orders.silence.held


def test_r56_whoever_gave_the_order_lifts_it(orders: Orders) -> None:
    number = orders.who["lifted"]
    assert orders.given.party(number)["protection"] == "on"
    assert orders.silence.party(number)["protection"] == "off"
    assert orders.silence.party(number)["street_line"] == orders.home("lifted")
    assert orders.silence.invoices(number) == orders.before.invoices(number)


def test_r56_what_one_source_lifts_another_still_holds(orders: Orders) -> None:
    party = orders.silence.party(orders.who["lifted_by_one_of_two"])
    assert party["protection"] == "on"
    assert party["party_id"] in orders.silence.held


def test_r56_an_order_the_clerk_was_unsure_of_counts_as_one(orders: Orders) -> None:
    number = orders.living.number("protected_unclear")
    assert orders.living.row(number)["TURVAKIELTO"] == "?"
    assert orders.before.party(number)["protection"] == "on"
    assert orders.before.told_rows(number) == []


def test_r56_orders_given_touch_nobody_elses_rows(orders: Orders) -> None:
    ours = {orders.given.id_of(number) for number in orders.who.values()}
    before, given = (
        told[~told["party_id"].isin(ours)].reset_index(drop=True)
        for told in (orders.before.told, orders.given.told)
    )
    assert len(given) > 50
    assert given.equals(before)


# --- processing that is restricted --------------------------------------------------------------------


def test_r45_no_source_overwrites_a_restricted_customer_until_the_restriction_ends(
    hub: Living,
) -> None:
    number = hub.ordinary_payers()[0]
    before = hub.morning()
    with hub.opened() as house:
        restrain(
            house.night(), number, "restriction", channel="letter", evidence="D/1",
            who="anna", why="asked in writing",
        )  # fmt: skip
    hub.town.advance(quiet=True)
    line = hub.move(number)
    hub.write_down(number, PUHELIN="050 555 1234")
    hub.export_again()
    held = hub.morning(hub.night())
    pd.testing.assert_series_equal(held.party(number), before.party(number))
    assert hub.morning(hub.night(full=True)).party(number).equals(before.party(number))
    with hub.opened() as house:
        told = house.night().business_date
        release(house.night(), number, "restriction", who="anna", why="looked into", informed=told)
    after = hub.morning(hub.next_night(quiet=True)).party(number)
    assert after["phone"] == "+358505551234" != before.party(number)["phone"]
    assert after["street_line"] == line, "DVV told of it when it was not asked"


# --- an order that comes while a delivery is under way ------------------------------------------------


class Killed(Exception):
    """The process is gone."""


def killed_at(place: str) -> Any:
    """A watch under which nothing gets past a boundary."""
    dead = False

    def watch(reached: str) -> None:
        nonlocal dead
        dead = dead or reached == place
        if dead:
            raise Killed

    return watch


def test_r56_an_order_that_comes_after_freezing_stops_the_delivery(hub: Living) -> None:
    """R56, PRIVACY §2.4 T2: killed between freeze and send, the address never leaves.

    The frozen delivery is given up as soon as a record states the order, and one without them goes.
    """
    by_dvv, by_clerk, other = hub.ordinary_payers()[:3]
    hidden = [hub.move(by_dvv), hub.move(by_clerk)]
    shown = hub.move(other)
    hub.town.advance(quiet=True)
    sent_before = hub.inbox()
    outcome = hub.night(watch=killed_at("extract:finance:committed"))
    assert outcome.status == "failed"
    assert hub.inbox() == sent_before
    with hub.opened() as house, transaction(house.engine) as conn:
        (frozen,) = deliveries.outstanding(conn, "finance")
        assert frozen.state in ("prepared", "sealed") and frozen.payload is not None
        assert all(line.encode() in frozen.payload for line in (*hidden, shown))

    hub.protect(by_dvv)
    hub.write_down(by_clerk, TURVAKIELTO="K")
    hub.export_again()
    written_down = hub.night(watch=killed_at("standardise:committed"))
    assert written_down.status == "failed"
    with hub.opened() as house, transaction(house.engine) as conn:
        assert deliveries.find(conn, frozen.delivery_id).state == "aborted"

    mended = hub.morning(hub.night())
    assert mended.outcome.status == "attention"
    assert mended.held[mended.id_of(by_clerk)] == "protected_no_route"
    assert [i["to"].split(",")[0] for i in mended.invoices(other)] == [shown]
    mended = hub.morning(hub.next_night(quiet=True))
    for number in (by_dvv, by_clerk):
        assert mended.held[mended.id_of(number)] == "protected_no_route"
    for path in (p for where in ("finance", "own_register") for p in hub.inbox(where)):
        assert not any(line.encode() in path.read_bytes() for line in hidden)
