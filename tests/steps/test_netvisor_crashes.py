"""A delivery told row by row that is killed anywhere, and again while it recovers, is told once and stands in the log.

PRIVACY §2.4, DESIGN 5. What `test_delivery_crashes` is to files: the town's Netvisor outlives the hub, which is a process
of its own and gets a SIGKILL at each boundary it comes by; by itself, where Netvisor takes a row and never answers, and
where a row is lost on its way. On SQLite: what is the database's own is tried there. Pairs of deaths are a sample;
`HUB_TEST_CRASHES=all` tries every one. With `-s` each matrix prints what it counted.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from connectors.base import Recipient
from connectors.recipients.netvisor import Netvisor
from connectors.recipients.netvisor_service import NetvisorOptions
from pipelines.domain.checkpoint import vkey
from pipelines.settings import Settings, load_settings
from pipelines.steps.deliver import deliver
from pipelines.steps.night import LogKeys, Night, executing
from pipelines.steps.prepare_extract import prepare_extract
from pipelines.store import checkpoints, deliveries, disclosures, reconciliation
from pipelines.store.engine import open_engine, reading, transaction
from pipelines.store.tables import disclosure_leaf
from pipelines.store.verification import verify_log
from tests.journeys.crashing import in_a_copy
from tests.minimality.register import Register, live, place
from tests.steps.at_netvisor import DAY, Town, configure, town
from tests.steps.dying import FINANCE, Ending
from tests.steps.logged import NAME, SIGNING, VAULT
from tests.steps.matrix import Chosen, a_sample, every_pair

ALL = os.environ.get("HUB_TEST_CRASHES", "") in ("all", "deep")
NOW = datetime(2026, 11, 2, 0, 30, tzinfo=UTC)
NUMBERS = ["000001", "000002", "000003"]
# a row whose outcome nobody knows is asked about the next night, and told the night after at the latest
_MOST_NIGHTS = 4


def three_payers() -> Register:
    """On paper, by e-invoice and by e-mail."""
    register = Register()
    for number in (1, 2, 3):
        register.point(number)
        register.role(number, number)
    register.customer(1, place("Kotikatu 1"), family_name="Laine", given_names="Aino")
    register.customer(
        2, place("Teollisuustie 3"), party_type="organisation", organisation_name="Koivula Oy",
        business_id="0000001-9", delivery_channel="einvoice", einvoice_address="003700000019",
        einvoice_operator="OPPI",
    )  # fmt: skip
    register.customer(
        3, place("Rantatie 5"), family_name="Berg", given_names="Mats", delivery_channel="email",
        email="mats@example.invalid",
    )  # fmt: skip
    return register


@dataclass
class Stage:
    """A hub before its first telling, and Netvisor's books, as files; attempts are processes of their own."""

    folder: Path
    settings: Settings
    there: Town
    attempts: int = 0

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/hub.db"

    def copied(self, folder: Path) -> "Stage":
        """The hub and the books as they stand; from now on Netvisor's door leads to the copy's books."""
        shutil.copytree(self.folder, folder)
        self.there.opens(folder / "books")
        return replace(self, folder=folder)

    def attempt(self, dies_at: int | None = None) -> Ending:
        """The night's telling, killed at the boundary with this number."""
        self.attempts += 1
        passed = self.folder / f"passed-{self.attempts}"
        passed.touch()

        def work() -> None:
            result = self._run(dies_at, passed)
            (self.folder / "ended").write_text(result, "utf-8")

        log = self.folder / f"log-{self.attempts}"
        status = os.waitpid(in_a_copy(work, log), 0)[1]
        places = tuple(passed.read_text("utf-8").splitlines())
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return Ending(True, places)
        assert status == 0, log.read_text("utf-8")[-3000:]
        return Ending(False, places, (self.folder / "ended").read_text("utf-8"))

    def _run(self, dies_at: int | None, passed: Path) -> str:
        count = 0

        def reached(place: str) -> None:
            nonlocal count
            with passed.open("a", encoding="utf-8") as notes:
                notes.write(f"{place}\n")
            if count == dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1

        engine = open_engine(self.url)
        night = Night(
            engine, self.settings, DAY, lambda: NOW, reached=reached,
            log_keys=lambda: LogKeys(VAULT, NAME, SIGNING),
        )  # fmt: skip
        contract = self.settings.recipients[FINANCE]

        def opener() -> Recipient:
            options = NetvisorOptions.from_mapping(self.there.door)
            return Netvisor(options, lambda: NOW, lambda seconds: None)

        prepare_extract(night, contract, opener)
        status = deliver(night, contract, opener).status
        engine.dispose()
        return status

    def exposed(self) -> list[str]:
        """Whoever stands in Netvisor's books without a detail of their own under a signed checkpoint."""
        engine = open_engine(self.url)
        with reading(engine) as conn:
            size = max((kept.size for kept in checkpoints.every(conn)), default=0)
            lines = select(disclosure_leaf.c.leaf_no, disclosure_leaf.c.leaf)
            intents = [
                facts["d"]
                for number, line in conn.execute(lines)
                if (facts := json.loads(line))["t"] == "intent" and number < size
            ]
            sealed = {
                content["customer_number"]
                for name in intents
                for content in disclosures.of_delivery(conn, VAULT, name)["content"]
            }
        engine.dispose()
        return [f"told and not sealed: {number}" for number in set(self.there.told) - sealed]

    def wrong(self) -> list[str]:
        """What is wrong once the hub has had its nights."""
        found = self.exposed()
        if sorted(self.there.told) != NUMBERS:
            found.append(f"Netvisor carried out {self.there.told}")
        engine = open_engine(self.url)
        with reading(engine) as conn:
            found += [
                f"{d.delivery_id} is {d.state}" for d in deliveries.outstanding(conn, FINANCE)
            ]
            found += ["a row without a leaf"] * reconciliation.unlogged_rows(conn)
            found += [str(finding) for finding in verify_log(conn, VAULT).findings]
            for done in deliveries.in_state(conn, "acknowledged", recipient=FINANCE):
                statuses = set(deliveries.rows_of(conn, done.delivery_id)["status"])
                found += [f"rows {statuses}"] * (statuses != {"accepted"})
        engine.dispose()
        return found


@pytest.fixture
def stage(_sqlite_template: str, tmp_path: Path) -> Iterator[Stage]:
    folder = tmp_path / "first"
    folder.mkdir()
    shutil.copyfile(_sqlite_template, folder / "hub.db")
    with town(folder / "books", timeout=0.3, attempts=2) as there:
        configure(tmp_path, there.door)
        settings = load_settings(tmp_path, {})
        told = {FINANCE: live(settings.recipients[FINANCE])}
        settings = replace(settings, recipients=told)
        first = Stage(folder, settings, there)
        engine = open_engine(first.url)
        with transaction(engine) as conn:
            checkpoints.add_key(conn, NAME, vkey(NAME, SIGNING.public_key()), "2026")
        night = Night(engine, settings, DAY, lambda: NOW)
        for before in ("standardise", "match"):
            with executing(night, before):
                pass
        with executing(night, "consolidate") as step:
            three_payers().write(step)
        engine.dispose()
        yield first


@dataclass
class Matrix:
    """What was tried, and what was wrong: where it died first and then."""

    points: int = 0
    pairs: int = 0
    kills: int = 0
    nights: int = 0
    faults: list[tuple[str, str, list[str]]] = field(default_factory=list)

    def night(self, stage: Stage, dies_at: int | None = None) -> Ending:
        ending = stage.attempt(dies_at)
        self.nights += 1
        self.kills += ending.killed
        return ending

    def recovers(self, stage: Stage, first: str, then: str = "") -> Ending:
        """Nights until one ends well; the first of them, and what was wrong is noted."""
        nights = [self.night(stage)]
        while nights[-1].status != "ok" and len(nights) < _MOST_NIGHTS:
            nights.append(self.night(stage))
        if lines := stage.wrong():
            self.faults.append((first, then, lines))
        return nights[0]


def run_matrix(stage: Stage, fault: str, chosen: Chosen) -> Matrix:
    """Kill at each boundary of a night in which Netvisor fails once, and at each chosen one of the next night."""
    found, base = Matrix(), stage.folder.parent
    for first in range(1_000):
        hurt = stage.copied(base / f"hurt-{first}")
        if fault:
            hurt.there.faults.arm(fault, 1)
        ending = found.night(hurt, first)
        if not ending.killed:
            found.recovers(hurt, "nowhere")
            return found
        found.points += 1
        if seen := hurt.exposed():
            found.faults.append((ending.place, "", seen))
        hurt.there.faults.clear()
        straight = found.recovers(hurt.copied(base / f"straight-{first}"), ending.place)
        for second in range(len(straight.passed)):
            if not chosen(first, second):
                continue
            again = hurt.copied(base / f"again-{first}-{second}")
            died = found.night(again, second)
            found.pairs += 1
            if seen := again.exposed():
                found.faults.append((ending.place, died.place, seen))
            found.recovers(again, ending.place, died.place)
    raise AssertionError("the night never ends")


@pytest.mark.parametrize(
    "fault", ["", "late", "lost"], ids=["answers", "takes without answering", "loses a row"]
)
def test_killed_anywhere_and_again_while_it_recovers_each_row_is_told_once(
    stage: Stage, fault: str
) -> None:
    """R23: nobody stands in Netvisor's books who was not sealed before, nobody twice, and nobody is forgotten."""
    matrix = run_matrix(stage, fault, every_pair if ALL else a_sample)
    print(
        f"\nNetvisor, {fault or 'answers'}: {matrix.points} points, {matrix.pairs} pairs, "
        f"{matrix.kills} kills, {matrix.nights} nights, {len(matrix.faults)} faults"
    )
    assert matrix.faults == []
    # a row that is lost ends the night before the rest has left
    assert matrix.points >= (6 if fault == "lost" else 12)
