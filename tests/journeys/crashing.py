"""Nights that die: attempts in processes of their own, killed where a trial says, and what is left of them.

Belongs here: copying a founded town and hub, running attempts one after the other, reading what the hub
and finance hold afterwards. Does not belong here: what ought to be the same (the tests).

Processes are forked from the one that runs the tests, so that none of them pays for imports. A trial has a
process that looks on, one for its town, and one for each attempt.
"""

import gc
import json
import os
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pandas as pd
import requests
from sqlalchemy import Connection, Engine, select

from connectors.base import Receipt
from connectors.recipients.sftp_file import SftpFile, SftpFileOptions
from connectors.sandbox.__main__ import serve
from expectations.rules.rule import Rule
from expectations.run import Findings
from pipelines.cli.town import DEALINGS, point_at
from pipelines.domain.disclosure import unsalted
from pipelines.domain.landing import canonical_json
from pipelines.domain.schemas import Schema
from pipelines.house import House, open_house
from pipelines.keys import DETAILS
from pipelines.keys import read as read_key
from pipelines.nightly import run_night
from pipelines.settings import load_settings
from pipelines.steps import standardise, vet_feed
from pipelines.store import disclosures, reconciliation, tables
from pipelines.store.engine import StoreError, open_engine, reading
from pipelines.store.vault import Vault
from pipelines.store.verification import verify_log
from tests.journeys.living import CUSTOMERS, SEED

_OF_A_DETAIL = ("recipient", "operation", "party_id", "subject_token", "fields", "delivery_id")
HALF_A_FILE = "deliver:finance:half a file"
NO_MANIFEST = "deliver:finance:no manifest"
_PATIENCE_SECONDS = 120

# How the hub came to what it holds differs from attempt to attempt; what it holds must not.
_HISTORY = {"night", "step_run", "feed_night", "id_counter", "access_log"}
_LOG = {
    "disclosure_detail", "disclosure_terms", "disclosure_seed", "disclosure_leaf", "log_checkpoint",
    "log_segment", "log_key",
}  # fmt: skip
_WHEN_AND_WHICH = {
    "at", "since", "moved_at", "prepared_at", "sent_at", "acknowledged_at", "opened_at", "decided_at",
    "step_run", "quarantine_id", "notification_no", "payload_mac",
}  # fmt: skip


@dataclass(frozen=True)
class Attempt:
    """One night. dies_at: the boundary it is killed at. days: how many pass before it.

    fills_disk_at: no file may grow beyond so many bytes.
    """

    dies_at: str = ""
    days: int = 0
    full: bool = False
    fills_disk_at: int | None = None


@dataclass(frozen=True)
class Trial:
    """Attempts in a row, from a copy of `begin` (a `home` and a `town`), which is removed unless kept."""

    name: str
    begin: Path
    attempts: tuple[Attempt, ...] = (Attempt(),)
    database_url: str | None = None
    is_kept: bool = False


@dataclass(frozen=True)
class Ending:
    """How an attempt ended. killed: the signal, 0 when it lived. passed: the boundaries it came by.

    status: the outcome's; "broken off" when the night could not even say how it went.
    """

    killed: int = 0
    status: str = ""
    failures: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Aftermath:
    """What a trial left.

    held: table → its rows as text. people: who was told or asked what, each entry of the log once.
    deliveries: id → kind of leaf → how many. broken: whatever recomputing the log finds wrong.
    finance: the books there. arrived: recipient → file → bytes.
    """

    endings: tuple[Ending, ...]
    held: dict[str, list[str]]
    people: list[str]
    deliveries: dict[str, dict[str, int]]
    broken: list[str]
    finance: dict[str, Any]
    arrived: dict[str, dict[str, str]] = field(repr=False)

    def differs_from(self, other: "Aftermath") -> dict[str, tuple[list[str], list[str]]]:
        """Table → rows only here, rows only there; empty when both hubs hold the same."""
        found = {}
        for table in self.held.keys() | other.held.keys():
            here, there = Counter(self.held[table]), Counter(other.held[table])
            if here != there:
                found[table] = (list((here - there).elements()), list((there - here).elements()))
        return found


def run_trials(trials: Sequence[Trial], folder: Path) -> dict[str, Aftermath]:
    """Run trials, one for each processor at once; name → what it left. One that breaks fails the test."""
    folder.mkdir(parents=True, exist_ok=True)
    at_once = min(len(trials), len(os.sched_getaffinity(0)))

    def one_after_the_other() -> None:
        for trial in trials:
            place = _place(folder, trial)
            try:
                place.mkdir()
            except FileExistsError:
                continue  # another process has taken it
            result = json.dumps(asdict(_run(trial, stage_of(trial, folder))))
            (place / "result.json").write_text(result, "utf-8")
            if not trial.is_kept:
                shutil.rmtree(place / "stage")

    gc.freeze()
    lookers = [in_a_copy(one_after_the_other, folder / f"log-{n}") for n in range(at_once)]
    gc.unfreeze()
    broken = [n for n, looker in enumerate(lookers) if os.waitpid(looker, 0)[1]]
    assert not broken, (folder / f"log-{broken[0]}").read_text("utf-8")[-4000:]
    found = {}
    for trial in trials:
        place = _place(folder, trial)
        told = json.loads((place / "result.json").read_text("utf-8"))
        told["endings"] = tuple(map(_ending, told["endings"]))
        found[trial.name] = Aftermath(**told)
    return found


def stage_of(trial: Trial, folder: Path) -> Path:
    """Where a kept trial stands after `run_trials`; others can begin there."""
    return _place(folder, trial) / "stage"


def _place(folder: Path, trial: Trial) -> Path:
    return folder / trial.name.replace(":", "-").replace(" ", "_")


def vault_of(home: Path) -> Vault:
    """What opens the details of the hub kept there."""
    return Vault(read_key(DETAILS, home, {}))


def contents(engine: Engine, *, and_history: bool = False) -> dict[str, list[str]]:
    """Every table, row by row, without when and in which execution it was written.

    History (nights, attempts at feeds, counters) and logs are left out unless asked for.
    """
    without = set() if and_history else _HISTORY | _LOG
    with reading(engine) as conn:
        return {
            table.name: sorted(_rows(conn, table.name))
            for table in tables.metadata.sorted_tables
            if table.name not in without
        }


def _rows(conn: Connection, name: str) -> Iterator[str]:
    table = tables.metadata.tables[name]
    columns = [c for c in table.columns if c.name not in _WHEN_AND_WHICH]
    for row in conn.execute(select(*columns)).mappings():
        plain = {k: v.hex() if isinstance(v, bytes) else v for k, v in row.items()}
        yield canonical_json(plain)


def log_of(engine: Engine, vault: Vault) -> tuple[list[str], dict[str, dict[str, int]], list[str]]:
    """`Aftermath.people`, `.deliveries` and `.broken`."""
    with reading(engine) as conn:
        leaf = tables.disclosure_leaf
        entries = conn.execute(disclosures.with_leaves()).mappings()
        people = []
        for row in entries:
            plain = vault.decrypt(row["seed"], row["entry_id"], row["sealed"])
            assert plain is not None
            facts = {name: row[name] for name in _OF_A_DETAIL}
            people.append(canonical_json({**facts, "said": unsalted(plain)[1]}))
        deliveries: dict[str, Counter[str]] = {}
        for text in conn.scalars(select(leaf.c.leaf)):
            said = json.loads(text)
            if "d" in said:
                deliveries.setdefault(said["d"], Counter())[said["t"]] += 1
        broken = [str(finding) for finding in verify_log(conn, vault).findings]
        broken += [f"unlogged {reconciliation.unlogged_rows(conn)}"] * bool(
            reconciliation.unlogged_rows(conn)
        )
    return sorted(people), {d: dict(kinds) for d, kinds in deliveries.items()}, broken


# --- one trial ------------------------------------------------------------------------------------------


def _run(trial: Trial, stage: Path) -> Aftermath:
    shutil.copytree(trial.begin, stage, symlinks=True)
    with _town(stage) as control:
        today = _ask(control, "GET", "/status")["today"]
        endings = []
        for number, attempt in enumerate(trial.attempts):
            if attempt.days:
                today = _ask(control, "POST", "/advance", {"days": attempt.days})["today"]
            endings.append(_attempt(trial, stage, attempt, today, number))
        finance = _ask(control, "GET", "/finance")
    engine = open_engine(trial.database_url or f"sqlite:///{stage}/home/hub.db")
    held = contents(engine)
    people, deliveries, broken = log_of(engine, vault_of(stage / "home"))
    engine.dispose()
    return Aftermath(tuple(endings), held, people, deliveries, broken, finance, _arrived(stage))


def _arrived(stage: Path) -> dict[str, dict[str, str]]:
    return {
        who: {
            file.name: file.read_text("utf-8")
            for file in sorted((stage / "town" / who / "sisaan").iterdir())
        }
        for who in ("building_control", "finance", "municipality", "own_register")
    }


@contextmanager
def _town(stage: Path) -> Iterator[str]:
    """The stage's town as a process, with the hub pointed at it; gives the address of its controls."""
    addresses = stage / "town" / "addresses.json"
    addresses.unlink(missing_ok=True)
    town = in_a_copy(lambda: serve(stage / "town", CUSTOMERS, SEED), stage / "town.log")
    try:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not addresses.is_file():
            assert time.monotonic() < deadline and os.waitpid(town, os.WNOHANG) == (0, 0)
            time.sleep(0.01)
        told = json.loads(addresses.read_text("utf-8"))
        # the company that is asked in batches has its deaths in tests/steps/test_ask_in_batches.py: each of its
        # references is random, so that no two nights would leave the same
        point_at(stage / "home", told, leave_out={*DEALINGS, "address_batch"})
        yield told["control"]
    finally:
        os.kill(town, signal.SIGTERM)
        os.waitpid(town, 0)


def _ask(control: str, method: str, path: str, body: object = None) -> Any:
    answer = requests.request(method, control + path, json=body, timeout=_PATIENCE_SECONDS)
    answer.raise_for_status()
    return answer.json()


def _attempt(trial: Trial, stage: Path, attempt: Attempt, today: str, number: int) -> Ending:
    """One night in a process of its own."""
    told = stage / f"attempt-{number}.json"

    def night() -> None:
        if attempt.fills_disk_at is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then writing fails, as on a full disk
            limit = (attempt.fills_disk_at, resource.RLIM_INFINITY)
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        passed: list[str] = []
        try:
            outcome = run_night(
                stage / "home",
                today,
                full=attempt.full,
                watch=passed.append,
                opener=lambda: _house(trial, stage, attempt),
            )
            failures = [f"{place}: {line}" for place, line in outcome.failures]
            ending = Ending(0, outcome.status, tuple(failures), tuple(passed))
        except StoreError as error:  # what the command line says and ends with 1
            ending = Ending(0, "broken off", (str(error),), tuple(passed))
        if attempt.fills_disk_at is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        told.write_text(json.dumps(asdict(ending)), "utf-8")

    worker = in_a_copy(night, stage / f"attempt-{number}.log")
    status = os.waitpid(worker, 0)[1]
    if os.WIFSIGNALED(status):
        return Ending(killed=os.WTERMSIG(status))
    assert status == 0, (stage / f"attempt-{number}.log").read_text("utf-8")[-4000:]
    return _ending(json.loads(told.read_text("utf-8")))


def _ending(told: Mapping[str, Any]) -> Ending:
    failures, passed = tuple(told["failures"]), tuple(told["passed"])
    return Ending(told["killed"], told["status"], failures, passed)


def _house(trial: Trial, stage: Path, attempt: Attempt) -> House:
    """The hub as an attempt opens it: on its database, and with death waiting at a boundary."""
    environ = dict(os.environ)
    if trial.database_url:
        environ["HUB_DATABASE_URL"] = trial.database_url
    recipients: dict[str, SftpFile] = {}
    if attempt.dies_at in (HALF_A_FILE, NO_MANIFEST):
        transport = load_settings(stage / "home", environ).recipients["finance"].transport
        options = SftpFileOptions.from_mapping(transport.options)
        recipients["finance"] = _Breaking(options, stage / "town", attempt.dies_at == NO_MANIFEST)

    def reached(place: str) -> None:
        if place == attempt.dies_at:
            _die()

    return open_house(stage / "home", environ, reached=reached, recipients=recipients)


class _Breaking(SftpFile):
    """Dies while sending: the data is there half, or whole but without the manifest that makes it count."""

    def __init__(self, options: SftpFileOptions, town: Path, has_data: bool) -> None:
        super().__init__(options)
        self._inbox = town / "finance" / "sisaan"
        self._has_data = has_data

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        name = f"laskutus_{sequence:08d}_{delivery_id}.csv"
        if self._has_data:
            (self._inbox / name).write_bytes(payload)
        else:
            (self._inbox / f"{name}.part").write_bytes(payload[: len(payload) // 2])
        _die()


# --- processes ------------------------------------------------------------------------------------------


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still here")


def in_a_copy(work: Callable[[], None], log: Path) -> int:
    """Do something in a copy of this process, what it says going to a file; its id."""
    with warnings.catch_warnings():
        # from Python 3.12: a thread of the copied process (tqdm's, of Great Expectations) is not copied
        warnings.simplefilter("ignore", DeprecationWarning)
        worker = os.fork()
    if worker:
        return worker
    code = 1
    try:
        gc.disable()  # it would walk, and so copy, everything the processes share
        os.environ.pop("DAGSTER_HOME", None)
        with log.open("a", encoding="utf-8") as said:
            sys.stdout = sys.stderr = said
            try:
                work()
                code = 0
            except BaseException:  # noqa: BLE001 - nothing may get back into the tests
                traceback.print_exc()
    finally:
        os._exit(code)


@contextmanager
def answers_remembered() -> Iterator[None]:
    """The rule book answers a question it has answered before from memory, also in forked processes.

    Every attempt of a trial asks about the same few records, and Great Expectations takes half of a
    small night to say the same of them.
    """
    heard: dict[tuple[str, str], Findings] = {}
    honest: Callable[[Schema, pd.DataFrame], Findings] = vars(standardise)["validate"]
    honest_too: Callable[[Sequence[Rule], pd.DataFrame], Findings] = vars(vet_feed)["ask"]

    def validate(schema: Schema, frame: pd.DataFrame) -> Findings:
        question = (schema.name, frame.to_csv())
        if question not in heard:
            heard[question] = honest(schema, frame)
        return heard[question]

    def ask(rules: Sequence[Rule], rows: pd.DataFrame) -> Findings:
        # what a rule looks at says whom the delivery holds, too
        looked_at = [list(rule.values(rows)) for rule in rules]
        question = (json.dumps(looked_at), rows.to_csv())
        if question not in heard:
            heard[question] = honest_too(rules, rows)
        return heard[question]

    vars(standardise)["validate"], vars(vet_feed)["ask"] = validate, ask
    try:
        yield
    finally:
        vars(standardise)["validate"], vars(vet_feed)["ask"] = honest, honest_too
