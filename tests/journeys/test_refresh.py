"""A customer refreshed while they wait (DESIGN 4, 14): what is seen before the night, and who is not heard."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import yaml

from connectors.base import Ask, Batch, Opening, Record
from pipelines.build import build_defs
from pipelines.cli import main
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    PARTIES,
    PARTY_RECORDS,
    PROVENANCE,
)
from pipelines.house import House
from pipelines.jobs import ADDRESS_REFRESH
from pipelines.settings import load_settings, shipped
from pipelines.steps.around import NotFound
from pipelines.steps.refresh_address import Answer, NotRefreshed, Refreshed, refresh
from pipelines.store import access, disclosures, nights
from pipelines.store.engine import transaction
from tests.journeys.conftest import continued
from tests.journeys.living import Living

pytestmark = pytest.mark.journey

CLERK = "anna.asiakas"
NOON = datetime(2026, 11, 2, 10, tzinfo=UTC)


def refreshed(living: Living, *numbers: str, sources: dict[str, Any] | None = None) -> Answer:
    """What `hub refresh` finds out; `sources` stand in for the configured ones."""
    with living.opened() as house:
        house.sources = sources
        assert house.lock.acquire()
        return refresh(house.night(living.town.today), numbers, house.source, CLERK, "call")


def field(one: Refreshed, name: str) -> dict[str, Any]:
    (row,) = one.compared[one.compared["field"] == name].to_dict("records")
    return {str(k): v for k, v in row.items()}


def leaves(living: Living) -> int:
    with living.opened() as house, transaction(house.engine) as conn:
        return len(pd.read_sql("SELECT leaf_no FROM disclosure_leaf", conn))


OTHERS = ("ryhti", "ytj")


@pytest.fixture
def hub(hub: Living) -> Living:
    """A hub that can ask nobody on demand but the population register."""
    for other in OTHERS:
        hub.configure(f"sources/{other}.yml", base_url=None)
    return hub


@pytest.fixture
def everybody(founded: Path, tmp_path: Path) -> Iterator[Living]:
    """A hub that can ask every register there is."""
    with continued(founded, tmp_path / "everybody") as living:
        yield living


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs `hub` in this process on the hub's day; exit code, stdout, stderr."""

    def run(living: Living, *arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        environ = {"HUB_USER": CLERK}
        code = main(["--home", str(living.home), *arguments], environ, lambda: NOON)
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@dataclass
class Second:
    """Another register that is asked about single customers; knows one person by the token it is told."""

    opening: Opening
    lent: list[dict[str, str]]
    person_key: str
    hangs: threading.Event | None = None

    def fetch(self, ask: Ask) -> Batch:
        self.lent.append(dict(self.opening.lender.borrow().people))
        if self.hangs:
            self.hangs.wait()
        ask.announce("asking", [self.person_key])
        content = {"party_type": "person", "person_key": self.person_key, "phone": "050 5550001"}
        record = Record("party", self.person_key, None, content)
        return Batch([record], {"at": 1}, 1, total=1)

    def check(self) -> str:
        return "here"


@contextmanager
def second_register(
    living: Living, number: str, *, hangs: bool = False
) -> Iterator[tuple[dict[str, Any], list[dict[str, str]]]]:
    """A second source beside DVV, and whom it was lent; what hangs is let go at the end."""
    given = yaml.safe_load(shipped("sources/dvv.yml").read_text("utf-8"))
    given |= {"name": "second", "title": "Second", "base_url": "http://127.0.0.1:1/api/v1"}
    given |= {"username": "u", "password": {"file": "secrets/dvv.password"}, "client": "a/b/c/d"}
    (living.home / "config" / "sources" / "second.yml").write_text(yaml.safe_dump(given), "utf-8")
    parties = living.table(PARTIES)
    own = parties[(parties["source"] == "registrations") & (parties["source_key"] == number)]
    lent: list[dict[str, str]] = []
    release = threading.Event()

    def opened(opening: Opening) -> Second:
        key = str(own["person_key"].iloc[0])
        return Second(opening, lent, key, release if hangs else None)

    try:
        yield {"second": opened}, lent
    finally:
        release.set()


# --- what is seen before the night ----------------------------------------------------------------------


def test_a_move_announced_today_is_seen_before_the_night(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    old = hub.morning().party(number)["street_line"]
    new = hub.move(number)
    found = refreshed(hub, number)
    (mover,) = found.customers
    line = field(mover, "street_line")
    assert (line["before"], line["now"], line["is_changed"]) == (old, new, True)
    assert line["says"]["dvv"] == [new]
    assert new not in line["says"]["registrations"]
    assert (line["source"], line["rule"]) == ("dvv", "update_service")
    assert mover.asked == {"dvv": "answered"}
    assert not found.is_partial
    assert hub.morning().party(number)["street_line"] == new
    (row,) = mover.tonight["finance"].events.to_dict("records")
    assert (row["event"], row["street_line"]) == ("changed", new)


def test_what_is_shown_as_tonights_delivery_is_what_finance_is_told(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    hub.move(number)
    (mover,) = refreshed(hub, number).customers
    foreseen = mover.tonight["finance"].events.drop(columns="party_id").to_dict("records")
    morning = hub.morning(hub.next_night(quiet=True))
    told = morning.told_rows(number)
    assert [{str(k): v or "" for k, v in row.items()} for row in foreseen] == told


def test_a_refresh_leaves_the_cursor_and_the_feeds_usual_size(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    before, feed = hub.cursor("dvv"), hub.feed("dvv")
    hub.move(number)
    refreshed(hub, number)
    assert hub.cursor("dvv") == before
    assert hub.feed("dvv") == feed
    with hub.opened() as house, transaction(house.engine) as conn:
        assert (nights.usual_total(conn, "dvv") or 0) > 50


def test_the_night_after_a_refresh_equals_one_without(founded: Path, tmp_path: Path) -> None:
    def lived(base: Path, *, refreshing: bool) -> tuple[list[pd.DataFrame], Any]:
        with continued(founded, base) as living:
            living.town._days._rng.seed(7)  # before a day has passed it is not the town's own
            *movers, guarded = living.ordinary_payers()[:3]
            for number in movers:
                living.move(number)
            living.protect(guarded)
            if refreshing:
                refreshed(living, *movers, guarded, living.number("mover"))
            morning = living.morning(living.next_night())
            assert not morning.outcome.failures
            schemas = (GOLDEN, PROVENANCE, PARTIES, ADDRESSES, PARTY_RECORDS, GOLDEN_ROLES, LANDED)
            tables = [
                living.table(s).drop(columns="business_date", errors="ignore") for s in schemas
            ]
            left = (living.cursor("dvv"), morning.held, morning.finance["invoices"])
            return tables, left

    tables, left = lived(tmp_path / "with", refreshing=True)
    without, left_without = lived(tmp_path / "without", refreshing=False)
    for table, other in zip(tables, without, strict=True):
        pd.testing.assert_frame_equal(table, other)
    assert left == left_without


def test_two_customers_are_asked_about_together_and_answered_apart(hub: Living) -> None:
    mover, stayer = hub.ordinary_payers()[:2]
    new = hub.move(mover)
    found = refreshed(hub, mover, stayer)
    one, other = found.customers
    assert (one.number, other.number) == (mover, stayer)
    assert field(one, "street_line")["now"] == new
    assert other.changed == []
    assert "street_line" in one.changed
    assert other.tonight["finance"].events.empty


def test_a_customer_is_found_by_our_number_too_and_all_their_own_numbers_are_lent(
    hub: Living,
) -> None:
    number = hub.ordinary_payers()[0]
    hub.move(number)
    (one,) = refreshed(hub, f"P{hub.morning().id_of(number)}").customers
    assert "street_line" in one.changed


def test_nobody_but_the_customer_is_lent_or_asked_about(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    with second_register(hub, number) as (sources, lent):
        found = refreshed(hub, number, sources=sources)
    assert lent == [{number: hub.row(number)["HETU_YTUNNUS"]}]
    assert found.customers[0].asked == {"dvv": "answered", "second": "answered"}
    party = hub.morning().id_of(number)
    with hub.opened() as house:
        vault = house.night().vault
        with transaction(house.engine) as conn:
            about = disclosures.of_party(conn, vault, party)
            looked = access.of_party(conn, party)
    assert {"second", "dvv"} <= set(about["recipient"])
    assert looked[["who", "operation", "purpose"]].to_numpy().tolist() == [
        [CLERK, "refresh", "call"]
    ]


def test_an_organisation_is_no_concern_of_the_population_register(hub: Living) -> None:
    number = hub.number("housing_company")
    before = leaves(hub)
    found = refreshed(hub, number)
    assert found.customers[0].asked == {"dvv": "does_not_concern"}
    assert not found.is_partial
    assert not found.is_empty
    assert leaves(hub) == before


def test_somebody_the_register_does_not_know_is_said_to_be_unknown_there(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    hub.town.fault("dvv", "left_out", 1)
    found = refreshed(hub, number)
    (one,) = found.customers
    assert one.asked == {"dvv": "nothing_held"}
    assert one.refused["rule"].tolist() == ["no_base_data"]
    assert one.changed == []
    assert not found.is_partial


def test_a_number_nobody_has_ends_it_before_anybody_is_asked(hub: Living, said: Any) -> None:
    before = leaves(hub)
    with pytest.raises(NotFound, match="99999"):
        refreshed(hub, hub.ordinary_payers()[0], "99999")
    code, out, err = said(hub, "refresh", "99999")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert leaves(hub) == before


# --- protected ------------------------------------------------------------------------------------------


def test_r56_an_order_granted_today_hides_the_home_from_whoever_asks(
    hub: Living, said: Any
) -> None:
    number = hub.ordinary_payers()[0]
    home = hub.morning().party(number)["street_line"]
    hub.protect(number)
    code, out, _ = said(hub, "refresh", number, "--json")
    (one,) = json.loads(out)["customers"]
    assert code == 0
    assert one["protected"]
    assert home not in out
    assert {"protection", "street_line"} <= set(one["changed"])
    assert one["tonight"]["finance"]["held"] == ["protected_no_route"]
    _, shown, _ = said(hub, "refresh", number)
    assert "TURVAKIELTO" in shown
    assert home not in shown


def test_r56_the_contact_address_of_a_protected_customer_is_shown(hub: Living, said: Any) -> None:
    number = hub.ordinary_payers()[0]
    contact = {"YHTEYSOSOITE": "PL 77", "YHTEYSPOSTINRO": "31641", "YHTEYSPOSTITMP": "HUMPPILA"}
    hub.write_down(number, **contact)
    hub.protect(number)
    hub.next_night(quiet=True)
    home = hub.person(number).home(hub.town.today).line()
    code, out, _ = said(hub, "refresh", number, "--date", hub.town.today)
    assert code == 0
    assert "PL 77" in out
    assert home not in out


# --- who is not heard -----------------------------------------------------------------------------------


def test_a_register_that_hangs_holds_up_neither_the_others_nor_the_answer(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    hub.configure("hub.yml", refresh={"patience_seconds": 1})
    new = hub.move(number)
    with second_register(hub, number, hangs=True) as (sources, _):
        found = refreshed(hub, number, sources=sources)
        assert found.customers[0].asked == {"dvv": "answered", "second": "no_answer"}
    assert (found.is_partial, found.is_empty) == (True, False)
    assert field(found.customers[0], "street_line")["now"] == new


def test_what_comes_after_the_deadline_is_neither_logged_nor_landed(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    hub.configure("hub.yml", refresh={"patience_seconds": 1})
    with second_register(hub, number, hangs=True) as (sources, lent):
        refreshed(hub, number, sources=sources)
        assert lent
    for thread in threading.enumerate():
        if thread.name == "asking second":
            thread.join(30)
    assert "second" not in set(hub.table(LANDED)["source"])
    party = hub.morning().id_of(number)
    with hub.opened() as house:
        vault = house.night().vault
        with transaction(house.engine) as conn:
            about = disclosures.of_party(conn, vault, party)
    assert "second" not in set(about["recipient"])


def test_the_process_ends_though_the_register_never_answers(hub: Living) -> None:
    number = hub.ordinary_payers()[0]
    hub.configure("hub.yml", refresh={"patience_seconds": 2})
    hub.town.fault("dvv", "timeout", 1)
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "DAGSTER_"))}
    done = subprocess.run(
        [
            sys.executable, "-m", "pipelines.cli", "--home", str(hub.home),
            "refresh", number, "--json", "--date", hub.town.today,
        ],
        env=environ | {"HUB_USER": CLERK},
        capture_output=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["partial"]
    assert [(s["source"], s["status"]) for s in told["sources"]] == [("dvv", "no_answer")]
    assert "2 sekunnissa" in told["sources"][0]["said"]
    assert told["seconds"]["asking"] < told["seconds"]["altogether"]
    assert done.stderr == "hub: nobody answered: dvv: no_answer\n"


@pytest.mark.parametrize(
    ("fault", "status", "line"),
    [("http_500", "down", "answered 500"), ("unauthorised", "refused", "credentials not accepted")],
)
def test_a_register_that_is_down_or_says_no_is_told_in_its_own_line(
    hub: Living, said: Any, fault: str, status: str, line: str
) -> None:
    number = hub.ordinary_payers()[0]
    before = hub.table(GOLDEN)
    feed = hub.feed("dvv")
    hub.town.fault("dvv", fault, 1)
    code, out, err = said(hub, "refresh", number, "--json")
    told = json.loads(out)
    assert code == 1
    assert told["sources"][0]["status"] == status
    assert line in told["sources"][0]["said"]
    assert told["customers"][0]["asked"] == {"dvv": status}
    assert told["customers"][0]["changed"] == []
    assert err.startswith("hub: nobody answered: dvv: ")
    assert err.count("\n") == 1
    assert hub.table(GOLDEN).equals(before)
    assert hub.feed("dvv") == feed


def test_a_partial_answer_says_so_and_ends_well(hub: Living, said: Any) -> None:
    """DVV answers; a second register of the same kind refuses the connection."""
    number = hub.ordinary_payers()[0]
    with second_register(hub, number):
        code, out, err = said(hub, "refresh", number, "--json")
        shown = said(hub, "refresh", number)[1]
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert told["partial"]
    assert told["sentence"] in shown
    assert [s["status"] for s in told["sources"]] == ["answered", "down"]


def test_without_a_register_that_can_be_asked_it_says_what_to_set(hub: Living, said: Any) -> None:
    number = hub.ordinary_payers()[0]
    hub.configure("sources/dvv.yml", base_url=None)
    code, out, err = said(hub, "refresh", number)
    assert (code, out) == (1, "")
    assert "config/sources" in err


# --- one at a time --------------------------------------------------------------------------------------


def test_while_a_night_runs_it_waits_then_says_who_and_asks_nobody(hub: Living, said: Any) -> None:
    hub.configure("hub.yml", refresh={"wait_seconds": 0.2})
    before = leaves(hub)
    with hub.opened() as another:
        assert another.lock.acquire()
        code, out, err = said(hub, "refresh", hub.ordinary_payers()[0])
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"process {os.getpid()}" in err
    assert leaves(hub) == before


def test_a_night_that_ends_in_time_is_waited_for(hub: Living, said: Any) -> None:
    with hub.opened() as another:
        assert another.lock.acquire()
        ends = threading.Timer(0.5, another.lock.release)
        ends.start()
        code, _, err = said(hub, "refresh", hub.ordinary_payers()[0])
        ends.join()
    assert (code, err) == (0, "")


# --- by number, for Dagster -----------------------------------------------------------------------------


def run_job(
    living: Living, request_no: int, opener: Callable[[], House] | None = None
) -> dg.ExecuteInProcessResult:
    settings = load_settings(living.home, os.environ)
    defs = build_defs(living.home, settings, business_date=living.town.today, opener=opener)
    return defs.resolve_job_def(ADDRESS_REFRESH).execute_in_process(
        run_config={"ops": {"refresh": {"config": {"request_no": request_no}}}},
        raise_on_error=False,
    )


def shown_by(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    """Metadata of the run's output or of its failure."""
    for event in result.all_events:
        if event.event_type_value == "STEP_OUTPUT":
            return {k: v.value for k, v in event.step_output_data.metadata.items()}
    return {}


def why_failed(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [e for e in result.all_events if e.is_step_failure]
    return event.step_failure_data.user_failure_data.description or ""


def test_a_request_is_carried_out_once_by_its_number_and_shows_no_customer(
    hub: Living, said: Any
) -> None:
    number = hub.ordinary_payers()[0]
    new = hub.move(number)
    code, out, _ = said(hub, "refresh", "--later", number)
    assert (code, out) == (0, "1\n")
    assert said(hub, "refresh", "--answer", "1")[0] == 1
    result = run_job(hub, 1)
    assert result.success
    shown = shown_by(result)
    assert shown["päivitettyjä asiakkaita"] == 1
    assert shown["muuttunut tieto street_line, asiakkaita"] == 1
    assert "vastasi" in shown["lisätieto"]
    assert not [v for v in map(str, shown.values()) if number in v or new in v]
    code, out, _ = said(hub, "refresh", "--answer", "1", "--json", "--date", hub.town.today)
    (one,) = json.loads(out)["customers"]
    line = next(f for f in one["fields"] if f["field"] == "street_line")
    assert "street_line" in one["changed"]
    assert (line["before"], line["now"], line["changed"]) == (None, new, True)
    again = run_job(hub, 1)
    assert not again.success
    assert "request 1 was carried out" in why_failed(again)


def test_a_request_nobody_made_fails_with_a_clear_line(hub: Living) -> None:
    result = run_job(hub, 7)
    assert not result.success
    assert "there is no request 7" in why_failed(result)


def test_a_request_that_nobody_answered_can_be_carried_out_again(hub: Living, said: Any) -> None:
    said(hub, "refresh", "--later", hub.ordinary_payers()[0])
    hub.town.fault("dvv", "http_500", 1)
    failed = run_job(hub, 1)
    assert not failed.success
    assert "Kukaan ei vastannut" in why_failed(failed)
    assert run_job(hub, 1).success


def test_the_job_waits_for_another_run_as_the_command_does(hub: Living, said: Any) -> None:
    said(hub, "refresh", "--later", hub.ordinary_payers()[0])
    with hub.opened() as another:
        assert another.lock.acquire()
        ends = threading.Timer(0.5, another.lock.release)
        ends.start()
        assert run_job(hub, 1).success
        ends.join()
    hub.configure("hub.yml", refresh={"wait_seconds": 0.2})
    said(hub, "refresh", "--later", hub.ordinary_payers()[0])
    with hub.opened() as another:
        assert another.lock.acquire()
        assert f"process {os.getpid()}" in why_failed(run_job(hub, 2))


def test_a_customer_who_has_gone_since_is_not_named_in_the_failure(hub: Living, said: Any) -> None:
    number = hub.ordinary_payers()[0]
    said(hub, "refresh", "--later", number)
    with hub.opened() as house, transaction(house.engine) as conn:
        conn.exec_driver_sql("DELETE FROM party_record WHERE source_key = ?", (number,))
    said_why = why_failed(run_job(hub, 1))
    assert "request 1" in said_why
    assert number not in said_why


def test_whom_an_old_request_was_about_is_forgotten_at_the_end_of_a_night(
    hub: Living, said: Any
) -> None:
    said(hub, "refresh", "--later", hub.ordinary_payers()[0])
    with hub.opened() as house, transaction(house.engine) as conn:
        conn.exec_driver_sql("UPDATE refresh_request SET asked_at = '2026-10-01T08:00:00Z'")
    hub.next_night(quiet=True)
    assert "too old" in why_failed(run_job(hub, 1))


def test_a_steward_may_not_be_nobody(hub: Living, said: Any) -> None:
    code = main(["--home", str(hub.home), "refresh", "20001"], {}, lambda: NOON)
    assert code == 1


def test_nobody_to_ask_is_said_before_a_request_is_written_down(hub: Living) -> None:
    hub.configure("sources/dvv.yml", base_url=None)
    with pytest.raises(NotRefreshed):
        refreshed(hub, hub.ordinary_payers()[0])


# --- every register at once ---------------------------------------------------------------------------


def test_an_organisation_is_asked_of_its_own_register_and_buildings_are_drained(
    everybody: Living,
) -> None:
    """A bankruptcy of today and a demolition of today are known before the night."""
    everybody.town.advance()
    firm, house = everybody.number("company_bankrupt"), everybody.number("building_demolished")
    everybody.town.advance()
    before = everybody.cursor("ytj"), everybody.cursor("ryhti")
    found = refreshed(everybody, firm, house)
    of_firm, of_house = (dict(one.asked) for one in found.customers)
    assert (of_firm["ytj"], of_firm["dvv"]) == ("answered", "does_not_concern")
    assert (of_house["dvv"], of_house["ytj"]) == ("answered", "does_not_concern")
    assert field(found.customers[0], "company_situation")["now"] == "bankruptcy"
    assert {h.source: h.status for h in found.heard}["ryhti"] in ("answered", "nothing_new")
    assert everybody.cursor("ytj") == before[0], "the night hears all again"
    assert everybody.cursor("ryhti") != before[1], "a feed that is drained is drained for good"
    states = everybody.table(GOLDEN_POINTS).set_index("point_ref")["building_state"]
    assert states[everybody.story("building_demolished")["canary"]["point"]] == "demolished"


def test_one_register_that_is_down_does_not_hold_the_others(everybody: Living) -> None:
    firm = everybody.number("company_bankrupt")
    everybody.town.advance()
    everybody.town.fault("ryhti", "http_500", 99)
    found = refreshed(everybody, firm)
    assert found.is_partial and not found.is_empty
    assert {h.source: h.status for h in found.heard}["ryhti"] == "down"
    assert field(found.customers[0], "company_situation")["now"] == "bankruptcy"
