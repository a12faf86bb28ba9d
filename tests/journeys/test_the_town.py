"""Four nights of an ordinary town: what happens to its people, and what becomes of it at finance.

The nights are run once; each test reads the mornings they left.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from connectors.sandbox.finance import unbillable
from pipelines.cli.operate import dagster_home
from pipelines.domain.schemas import PARTIES, PARTY_RECORDS
from pipelines.story import grade, traces
from tests.journeys.conftest import continued
from tests.journeys.living import OWN, Living, Morning

pytestmark = pytest.mark.journey


class Week(NamedTuple):
    """mornings[n]: after the n-th night; 0 is never. living: the hub and town on the last day."""

    living: Living
    mornings: dict[int, Morning]

    @property
    def last(self) -> Morning:
        return self.mornings[max(self.mornings)]

    def number(self, story: str) -> str:
        return self.living.number(story)


@pytest.fixture(scope="module")
def week(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Week]:
    with continued(founded, tmp_path_factory.mktemp("week")) as living:
        mornings = {1: living.morning()}
        with pytest.MonkeyPatch.context() as environ:
            for name in ("HOME", "REDACT_USER_CODE_ERRORS", "DISABLE_TELEMETRY"):
                environ.setenv(f"DAGSTER_{name}", "")
            environ.setenv("HUB_HOME", "")
            dagster_home(living.home)  # as `hub night`: Dagster keeps what it keeps there
            for night in range(2, 5):
                mornings[night] = living.morning(living.next_night())
        yield Week(living, mornings)


@pytest.fixture(scope="module")
def all_over_again(week: Week) -> Morning:
    """A full night on the last day."""
    return week.living.morning(week.living.night(full=True))


def destinations(morning: Morning, number: str) -> list[str]:
    return [invoice["to"] for invoice in morning.invoices(number)]


# --- stories --------------------------------------------------------------------------------------------


def test_a_movers_bill_follows(week: Week) -> None:
    mover = week.number("mover")
    new = week.living.person(mover).home(week.living.town.today).line()
    assert [d for d in destinations(week.mornings[1], mover) if new in d] == []
    for night in (2, 4):
        assert [d.split(",")[0] for d in destinations(week.mornings[night], mover)] == [new]


def test_a_move_told_of_in_advance_takes_effect_on_its_day_with_no_new_row(week: Week) -> None:
    mover = week.number("future_move")
    old = week.living.story("future_move")["canary"]["street_line"]
    new = week.living.person(mover).home(week.living.town.today).line()
    told_of, day_before, day = (week.mornings[n] for n in (2, 2, 3))
    assert day_before.party(mover)["street_line"] == old
    assert day.party(mover)["street_line"] == new
    assert [d.split(",")[0] for d in destinations(day, mover)] == [new]
    records = week.living.table(PARTY_RECORDS)
    token = records[(records["party_id"] == day.id_of(mover)) & (records["source"] == "dvv")]
    landed = week.last.landed[week.last.landed["source_key"].isin(token["source_key"])]
    assert set(landed["business_date"]) == {told_of.truth["today"]}


def test_a_change_of_tenant_written_down_in_advance_takes_effect_on_its_day(week: Week) -> None:
    _, leaving, entering = week.living.numbers("future_payer")
    before, day = week.mornings[2], week.mornings[3]
    assert [bool(before.invoices(n)) for n in (leaving, entering)] == [True, False]
    assert [bool(day.invoices(n)) for n in (leaving, entering)] == [False, True]


@pytest.mark.parametrize("story", ["father_and_son", "father_and_son_without_codes", "namesakes"])
def test_people_of_one_name_are_kept_apart(week: Week, story: str) -> None:
    one, other = week.living.numbers(story)
    assert all(m.id_of(one) != m.id_of(other) for m in week.mornings.values())


def test_one_person_is_one_customer_where_keys_allow_and_waits_for_a_steward_where_not(
    week: Week,
) -> None:
    numbers = week.living.numbers("same_person")
    coded = {n for n in numbers if week.living.row(n)["HETU_YTUNNUS"]}
    ids = {n: week.last.id_of(n) for n in numbers}
    assert len({ids[n] for n in coded}) == 1
    assert len(coded) >= 3
    assert ids.keys() - coded
    assert week.last.counts["match"]["waiting_for_review"] >= 1


def test_a_death_is_known_and_the_register_is_told(week: Week) -> None:
    dead = week.number("death")
    assert week.mornings[1].party(dead)["is_deceased"] is not True
    assert week.mornings[2].party(dead)["is_deceased"]
    assert week.mornings[2].party(dead)["death_date"] == week.living.person(dead).death_date
    assert week.living.row(dead)["LISATIETO"] == "kuollut"


def test_a_reversed_death_is_taken_back_everywhere(week: Week) -> None:
    living = week.number("death_reversed")
    assert week.mornings[2].party(living)["is_deceased"]
    assert not week.mornings[3].party(living)["is_deceased"]
    assert week.last.values[
        (week.last.values["party_id"] == week.last.id_of(living))
        & (week.last.values["field"] == "death_date")
    ].empty
    assert week.living.row(living)["LISATIETO"] == ""


def test_a_marriage_changes_the_name_on_the_bill_and_in_the_own_register(week: Week) -> None:
    bride = week.number("marriage")
    name = week.living.person(bride).name
    assert name != week.living.story("marriage")["canary"]["name"]
    assert week.mornings[1].id_of(bride) == week.mornings[2].id_of(bride)
    assert week.mornings[2].party(bride)["display_name"] == name
    assert {i["name"] for i in week.mornings[2].invoices(bride)} == {name}
    assert week.living.row(bride)["NIMI"] == name


def test_a_corrected_identity_code_leaves_the_customer_who_they_were(week: Week) -> None:
    number = week.number("identity_correction")
    assert week.living.person(number).retired_codes
    assert len({m.id_of(number) for m in week.mornings.values()}) == 1
    records = week.living.table(PARTY_RECORDS)
    mine = records[records["party_id"] == week.last.id_of(number)]
    told = week.living.table(PARTIES).merge(mine, on=["source", "source_key"])
    corrected = told[(told["source"] == "dvv") & told["superseded_person_keys"].notna()]
    retired = set(told.loc[told["source"] == OWN, "person_key"])
    assert retired & {key for keys in corrected["superseded_person_keys"] for key in keys}


def test_a_change_of_payer_ends_the_old_one_with_a_final_invoice_address(week: Week) -> None:
    seller = week.number("payer_change")
    known_as = f"{week.last.id_of(seller):06d}"
    new_home = week.living.person(seller).home(week.living.town.today)
    (ended,) = [e for e in week.last.finance["ended"] if e["customer_number"] == known_as]
    assert (ended["final_invoice_line"], ended["final_invoice_postal_code"]) == (
        new_home.line(),
        new_home.office.code,
    )
    assert destinations(week.mornings[1], seller)
    assert not destinations(week.mornings[2], seller)


def test_a_new_customer_is_billed_for_the_point_from_the_first_night(week: Week) -> None:
    story = week.living.story("new_customer")
    (number,) = story["customer_numbers"]
    assert number not in week.mornings[1].customers.index
    (invoice,) = week.mornings[2].invoices(number)
    assert invoice["point_ref"] == story["canary"]["point"]
    assert invoice["name"] == story["canary"]["name"]


def test_a_switch_to_e_invoices_reaches_finance_without_a_street(week: Week) -> None:
    number = week.number("e_invoice_switch")
    row = week.living.row(number)
    expected = f"{row['VERKKOLASKUOSOITE']} @ {row['VALITTAJA']}"
    assert destinations(week.mornings[2], number) == [expected]
    assert [r["street_line"] for r in week.mornings[2].told_rows(number)] == [""]


def test_a_new_phone_number_is_kept_and_told_to_nobody(week: Week) -> None:
    number = week.number("own_edit")
    digits = week.living.row(number)["PUHELIN"].replace(" ", "")
    assert week.mornings[2].party(number)["phone"] == f"+358{digits[1:]}"
    assert week.mornings[1].told_rows(number) == week.last.told_rows(number)


def test_a_death_estate_is_billed_as_one(week: Week) -> None:
    (invoice,) = week.last.invoices(week.number("death_estate"))
    assert invoice["name"].endswith(" kuolinpesä")


def test_a_return_is_confirmed_by_the_next_export_and_not_sent_again(week: Week) -> None:
    returned = week.last.returned
    shown = returned[returned["field"] != "is_deceased"]
    assert len(shown) >= 5
    assert set(shown["state"]) == {"confirmed"}
    sent = [m.counts["extract:own_register"]["pending"] for m in list(week.mornings.values())[1:]]
    assert sent[-1] == 0


# --- the whole town -------------------------------------------------------------------------------------


def test_finance_can_bill_every_customer_it_was_told_of(week: Week) -> None:
    finance = week.last.finance
    assert finance["rejected"] == 0
    assert finance["accepted"] == sum(
        m.counts["extract:finance"]["pending"] for m in list(week.mornings.values())[1:]
    ) + len(week.mornings[1].told)
    assert [unbillable(row) for row in finance["ledger"] if unbillable(row)] == []


def test_everybody_who_pays_is_billed_held_back_or_waits_in_quarantine(week: Week) -> None:
    register, last = week.living.town._founded.register, week.last
    open_payers = {
        role["ASIAKASNRO"]
        for role in register.roles.values()
        if role["ROOLI"] == "MAKSAJA" and not role["PAATTYEN"]
    }
    refused = set(last.refused["source_key"])
    waiting = refused | {register.roles[r]["ASIAKASNRO"] for r in refused & register.roles.keys()}
    for number in open_payers - waiting:
        assert last.invoices(number) or last.id_of(number) in last.held, number
    assert 0 < len(last.held) < 6


def test_finance_holds_the_very_rows_it_was_told(week: Week) -> None:
    living = {
        (r["customer_number"], r["point_ref"])
        for r in week.last.told["row"]
        if r["event"] not in ("ended", "merged")
    }
    assert living == {(i["customer_number"], i["point_ref"]) for i in week.last.finance["invoices"]}
    sequences = week.living.sequences()
    assert sequences == list(range(1, len(sequences) + 1))


def test_the_register_says_of_everybody_dvv_knows_where_they_live(week: Week) -> None:
    truth, world = week.last.truth, week.living.town._founded.world
    compared = 0
    for number, entity in truth["customers"].items():
        known = number in week.last.customers.index and entity in truth["people"]
        if not known or week.living.row(number)["HETU_YTUNNUS"] not in world.people[entity].codes:
            continue
        person, state = world.people[entity], truth["people"][entity]
        ways_of_their_own = person.post_box or person.summer_stay or person.language == "sv"
        if number in truth["protected"] or state["is_deceased"] or ways_of_their_own:
            continue
        golden = week.last.party(number)
        assert golden["street_line"] == state["street_line"], number
        assert golden["country"] == state["country"], number
        assert golden["postal_code"] == state["postal_code"], number
        compared += 1
    assert compared > 50


def test_nobody_is_taken_for_somebody_else(week: Week) -> None:
    for morning in week.mornings.values():
        own = morning.customers.reset_index()[["source_key", "party_id"]].assign(source=OWN)
        precision, recall = grade(own, morning.truth)
        assert precision == 1.0
        assert recall >= 0.5


def test_no_night_of_an_ordinary_town_is_red(week: Week) -> None:
    assert {m.outcome.status for m in list(week.mornings.values())[1:]} <= {"ok", "attention"}
    assert all(not m.outcome.failures for m in list(week.mornings.values())[1:])


def test_r9_nothing_of_anybody_who_is_no_customer_is_left_in_any_byte(week: Week) -> None:
    """R9, DESIGN 4: only customers are kept; database, journals, Dagster's home and letters included."""
    truth = week.last.truth
    strangers = [w for row in truth["non_customers"] for w in (row["name"], row["street_line"])]
    assert len(truth["canaries"]) > 500
    assert any((week.living.home / "dagster").rglob("*.db"))
    assert len(strangers) >= 6
    assert traces(week.living.home, [*truth["canaries"], *strangers]) == []


def test_dvv_is_never_asked_about_anybody_without_a_role(week: Week) -> None:
    assert week.last.truth["asked_in_vain"] == 0


def test_a_full_night_finds_the_register_as_the_small_nights_left_it(
    week: Week, all_over_again: Morning
) -> None:
    """DESIGN 5: delta nights and a full one agree, and nobody is told anything twice."""
    columns = [c for c in week.last.customers.columns if c != "row_hash"]
    assert all_over_again.customers[columns].equals(week.last.customers[columns])
    assert all_over_again.counts["extract:finance"]["pending"] == 0
    assert all_over_again.counts["extract:own_register"]["pending"] == 0
    assert all_over_again.finance == week.last.finance
