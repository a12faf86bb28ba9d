"""Finance is told in its Netvisor instead of by file: whole nights, what can go wrong in them, and a kill.

The hub and the town are those of every journey; only the finance contract is another one.
"""

import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.recipients.netvisor import Netvisor
from connectors.recipients.netvisor_service import NetvisorOptions
from connectors.sandbox.finance import destination
from pipelines.house import House, open_house
from pipelines.nightly import Outcome
from pipelines.settings import load_settings
from pipelines.store import deliveries, holdings, progress
from pipelines.store.engine import transaction
from tests.journeys.conftest import continued, found
from tests.journeys.living import Living

pytestmark = pytest.mark.journey

NOW = datetime(2026, 11, 2, 0, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def founded_in_netvisor(founded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `founded`, with the same key: so the same customers get the same numbers."""
    base = tmp_path_factory.mktemp("founded-in-netvisor")
    (base / "home" / "keys").mkdir(mode=0o700, parents=True)
    # the log's keys are minted with the log
    shutil.copy2(founded / "home" / "keys" / "person.key", base / "home" / "keys" / "person.key")
    return found(base, "netvisor")


@pytest.fixture
def billed(founded_in_netvisor: Path, tmp_path: Path) -> Iterator[Living]:
    """A hub whose finance outsourcer keeps the customers in Netvisor, after the first good night."""
    with continued(founded_in_netvisor, tmp_path / "living", "netvisor") as living:
        living.configure("recipients/finance.yml", transport={"timeout": 1.0})
        yield living


def impatient(living: Living) -> House:
    """The hub, which loses no time between attempts."""
    transport = load_settings(living.home, {}).recipients["finance"].transport
    options = NetvisorOptions.from_mapping(transport.options)
    finance = Netvisor(options, lambda: NOW, lambda seconds: time.sleep(0.05))
    return open_house(living.home, recipients={"finance": finance})


def night(living: Living) -> Outcome:
    """A quiet day passes, and its night."""
    living.town.advance(quiet=True)
    return living.night(opener=lambda: impatient(living))


def rerun(living: Living) -> Outcome:
    return living.night(opener=lambda: impatient(living))


def told_of(row: Mapping[str, str]) -> dict[str, str]:
    return {
        "name": row["invoice_name"],
        "kind": row["party_kind"],
        "business_id": row["business_id"],
        "to": destination(row),
    }


def known_to_hub(living: Living) -> dict[str, dict[str, str]]:
    """Who is billed by what the hub holds as told."""
    with living.opened() as house, transaction(house.engine) as conn:
        rows = list(holdings.told_to(conn, "finance")["row"])
    return {
        row["customer_number"]: told_of(row)
        for row in rows
        if row["event"] in ("new", "changed", "split")
    }


def moved(living: Living, how_many: int) -> list[str]:
    """Payers on paper move; the numbers finance knows them by."""
    movers = living.ordinary_payers()[:how_many]
    assert len(movers) == how_many
    for mover in movers:
        living.move(mover)
    morning = living.morning()
    return [f"{morning.id_of(mover):06d}" for mover in movers]


def state(living: Living) -> list[str]:
    with living.opened() as house, transaction(house.engine) as conn:
        return [delivery.state for delivery in deliveries.outstanding(conn, "finance")]


def tellings(living: Living) -> list[tuple[str, str]]:
    return [(method, number) for method, number in living.town.netvisor()["tellings"]]


def test_netvisor_bills_whom_the_file_would_bill_and_where(
    founded: Path, founded_in_netvisor: Path, tmp_path: Path
) -> None:
    """The same nights of the same town: what both can carry is the same, ends and merges included."""
    books: dict[str, dict[str, Any]] = {}
    with continued(founded, tmp_path / "file") as living:
        for _ in range(2):
            rows = living.town.finance()["ledger"]
            books[living.town.today] = {row["customer_number"]: told_of(row) for row in rows}
            living.next_night()
        over = {row["customer_number"] for row in living.town.finance()["ended"]}
    with continued(founded_in_netvisor, tmp_path / "netvisor", "netvisor") as living:
        for _ in range(2):
            assert living.town.netvisor()["ledger"] == books[living.town.today]
            assert living.town.netvisor()["ledger"] == known_to_hub(living)
            outcome = living.next_night()
            assert not outcome.failures
        assert over
        assert living.inbox() == []


def test_a_quiet_night_calls_nobody(billed: Living) -> None:
    before = tellings(billed)
    assert night(billed).status != "failed"
    assert tellings(billed) == before


def test_the_check_asks_netvisor_and_tells_nothing(billed: Living) -> None:
    before = tellings(billed)
    with billed.opened() as house:
        assert "lets us in" in house.recipient("finance").check()
    assert tellings(billed) == before


def test_what_a_night_can_find_out_or_wait_out_ends_with_everybody_told_once(
    billed: Living,
) -> None:
    """Each fault strikes once while five rows are told."""
    movers = moved(billed, 5)
    before = tellings(billed)
    for fault in ("late", "slow", "half_response", "maintenance", "technical", "http_500"):
        billed.town.fault("netvisor", fault)
    outcome = night(billed)
    assert not outcome.failures, outcome.failures
    assert not any(billed.town.status()["faults"].values())
    assert state(billed) == []
    assert Counter(tellings(billed)[len(before) :]) == Counter(("edit", m) for m in movers)
    assert billed.town.netvisor()["ledger"] == known_to_hub(billed)


def test_what_a_night_cannot_find_out_is_red_and_a_later_run_tells_everybody_once(
    billed: Living,
) -> None:
    """First nobody answers, then our keys are not taken, then a telling is lost; then all is well."""
    movers = moved(billed, 2)
    before = tellings(billed)
    billed.town.fault("netvisor", "timeout", times=9)
    assert night(billed).status == "failed"
    assert state(billed) == ["sending"]
    billed.town.clear_faults()
    billed.town.fault("netvisor", "unauthorised")
    assert rerun(billed).status == "failed"
    assert state(billed) == ["sending"]
    billed.town.fault("netvisor", "lost")
    assert rerun(billed).status == "failed"
    assert state(billed) == ["uncertain"]
    assert tellings(billed) == before
    billed.town.clear_faults()
    assert rerun(billed).status != "failed"
    assert state(billed) == []
    assert Counter(tellings(billed)[len(before) :]) == Counter(("edit", m) for m in movers)
    assert billed.town.netvisor()["ledger"] == known_to_hub(billed)


def test_a_refused_customer_waits_for_a_person_the_other_is_told_and_no_name_is_written_down(
    billed: Living,
) -> None:
    """The text of the refusal quotes the row, and is kept nowhere: not in Dagster, the letter or a log."""
    movers = billed.ordinary_payers()[:2]
    lines = [billed.move(mover) for mover in movers]
    known = known_to_hub(billed)
    billed.town.fault("netvisor", "rejecting")
    assert night(billed).status == "attention"
    with billed.opened() as house, transaction(house.engine) as conn:
        ((delivery, n, codes),) = deliveries.rejections(conn, "finance")
        assert (n, codes) == (1, "INVALID_DATA ×1")
        assert progress.of(conn, delivery) == {}
    now = known_to_hub(billed)
    assert sum(now[number] != known[number] for number in now) == 1
    assert billed.town.netvisor()["ledger"] == now
    left = b"\n".join(
        path.read_bytes()
        for folder in ("dagster", "letters", "logs")
        for path in (billed.home / folder).rglob("*")
        if path.is_file()
    )
    assert b"INVALID_DATA" in left
    assert not [line for line in lines if line.encode() in left]


A_NIGHT = """
import sys
from pathlib import Path
from pipelines.house import open_house
from pipelines.nightly import run_night
home, date = Path(sys.argv[1]), sys.argv[2]
run_night(home, date, opener=lambda: open_house(home))
"""


def in_a_process(living: Living) -> "subprocess.Popen[bytes]":
    """Tonight's night as a process of its own."""
    command = [sys.executable, "-c", A_NIGHT, str(living.home), living.town.today]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_night_killed_after_netvisor_took_a_row_and_before_it_answered_asks_first(
    billed: Living,
) -> None:
    billed.configure("recipients/finance.yml", transport={"timeout": 60})
    movers = moved(billed, 2)
    before = tellings(billed)
    billed.town.advance(quiet=True)
    billed.town.fault("netvisor", "late")
    process = in_a_process(billed)
    deadline = time.monotonic() + 120
    while len(tellings(billed)) == len(before):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    assert process.wait(10) == -signal.SIGKILL
    billed.town.clear_faults()
    assert rerun(billed).status != "failed"
    assert Counter(tellings(billed)[len(before) :]) == Counter(("edit", m) for m in movers)
    assert billed.town.netvisor()["ledger"] == known_to_hub(billed)
