"""One night of telling finance, in processes that are killed, stopped or without room, and what is left of it.

Belongs here: a hub between two nights as a copy of a small one, the recipient's own hand on its folder, attempts in
processes of their own, and whether what they left is as it must be. Does not belong here: which deaths are tried
(the tests), whole nights of every source (`tests/journeys/crashing.py`), hubs that are built wrongly (`mistaken`).

Where a process may die is never written down here: an attempt counts the boundaries it comes by, and every
transaction's end, and dies at the one with the number it is given.
"""

import gc
import hashlib
import json
import os
import resource
import shutil
import signal
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from connectors.base import Receipt, Recipient
from connectors.files import FolderOptions
from connectors.recipients.sftp_file import SftpFile, SftpFileOptions
from connectors.witnesses import Drop
from pipelines.contracts import RecipientContract
from pipelines.domain.checkpoint import vkey
from pipelines.keys import KeysError
from pipelines.settings import Settings, load_settings
from pipelines.steps.close import close
from pipelines.steps.deliver import deliver
from pipelines.steps.night import LogKeys, Night, StepResult, executing
from pipelines.steps.prepare_extract import prepare_extract
from pipelines.steps.reconcile import reconcile
from pipelines.store import checkpoints, deliveries, reconciliation
from pipelines.store.engine import StoreError, open_engine, reading, transaction
from pipelines.store.lock import RunLock
from pipelines.store.tables import disclosure_leaf
from pipelines.store.verification import verify_log
from pipelines.texts import Texts
from tests.journeys.crashing import contents, in_a_copy
from tests.minimality.register import live, story, turn
from tests.steps.logged import LIVE, NAME, SIGNING, VAULT

FINANCE, WITNESS, PREFIX = "finance", "drop", "laskutus"
KEYS = LogKeys(VAULT, NAME, SIGNING)
_PATIENCE_SECONDS = 60
# how often something was tried, or shown to others, differs from attempt to attempt
_OF_AN_ATTEMPT = {"log_witness", "log_cosignature", "access_log"}

Step = Callable[["Hub"], StepResult]


# --- a hub between two nights ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """A hub and whom it tells, as files and a database that can be copied."""

    folder: Path
    url: str

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @contextmanager
    def opened(self) -> Iterator[Engine]:
        engine = open_engine(self.url)
        try:
            yield engine
        finally:
            engine.dispose()


class Stages:
    """Makes copies of stages, and takes them away. url: a server's, or None for SQLite."""

    def __init__(self, base: Path, url: str | None) -> None:
        self._base = base
        self._server = None
        if url is not None:
            self._server = create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        self._made, self._left = 0, list[str]()

    def first(self, template: str) -> Stage:
        """A stage on a database with the hub's tables: a file's path, or a server's database."""
        folder = self._new_folder()
        for name in ("home", "finance/sisaan", "finance/kuittaus", "finance/kirjat", "drop"):
            (folder / name).mkdir(parents=True, mode=0o700)
        return Stage(folder, self._database(template, folder))

    def copy(self, stage: Stage) -> Stage:
        folder = self._new_folder()
        shutil.copytree(stage.folder, folder)
        if self._server is None:
            return Stage(folder, f"sqlite:///{folder}/home/hub.db")
        return Stage(folder, self._database(str(make_url(stage.url).database), folder))

    def remove(self, stage: Stage) -> None:
        shutil.rmtree(stage.folder)
        if self._server is not None:
            self._left.append(str(make_url(stage.url).database))

    def apart(self, name: str) -> "Stages":
        """For a copy of this process: in a folder of its own, over connections of its own."""
        url = None if self._server is None else self._server.url
        if self._server is not None:
            self._server.dispose(close=False)
        own = Stages(self._base / name, None if url is None else url.render_as_string(False))
        own._base.mkdir(parents=True, exist_ok=True)
        return own

    def close(self) -> None:
        """Drop every database at once: the server writes everything down at each, and waits for it."""
        for name in self._left:
            self._run(f'DROP DATABASE "{name}" WITH (FORCE)')
        if self._server is not None:
            self._server.dispose()

    def _new_folder(self) -> Path:
        self._made += 1
        return self._base / f"stage-{self._made:05}"

    def _database(self, template: str, folder: Path) -> str:
        if self._server is None:
            shutil.copyfile(template, folder / "home" / "hub.db")
            return f"sqlite:///{folder}/home/hub.db"
        name = f"hub_test_{uuid.uuid4().hex}"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            except OperationalError:  # whoever was killed is still being cleared away
                assert time.monotonic() < deadline
                time.sleep(0.01)
            else:
                url = self._server.url.set(database=name)
                return url.render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        assert self._server is not None
        with self._server.connect() as connection:
            connection.execute(text(statement))


# --- the recipient --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outsourcer:
    """Whoever reads the folder. takes_away: moves what it has read, instead of leaving it there."""

    folder: Path
    takes_away: bool = False

    def come_by(self, answers: bool) -> None:
        """Book what has its manifest; answer what was booked."""
        books = self.folder / "kirjat"
        for manifest in sorted((self.folder / "sisaan").glob("*.json")):
            data = manifest.with_suffix(".csv")
            booked = sorted(books.glob(f"*_{manifest.stem}.csv"))
            if self.takes_away or not booked:
                entry = f"{len(list(books.iterdir())):04}_{manifest.stem}"
                (books / f"{entry}.csv").write_bytes(data.read_bytes())
                (books / f"{entry}.manifest").write_bytes(manifest.read_bytes())
            if self.takes_away:
                data.unlink()
                manifest.unlink()
        for entry in sorted(books.glob("*.manifest")) if answers else []:
            told = json.loads(entry.read_bytes())
            answer = {
                "delivery_id": told["delivery_id"], "sequence": told["sequence"],
                "received_at": "2026-11-03T03:00:00Z", "accepted": told["rows"], "rejected": [],
            }  # fmt: skip
            (self.folder / "kuittaus" / f"{told['delivery_id']}.json").write_text(
                json.dumps(answer)
            )

    def booked(self) -> list[tuple[int, str, bytes]]:
        """Sequence, delivery id and bytes of every file it has read, in the order it read them."""
        found = []
        for file in sorted((self.folder / "kirjat").glob("*.csv")):
            _, _, sequence, delivery_id = file.stem.split("_")
            found.append((int(sequence), delivery_id, file.read_bytes()))
        return found

    def visible(self) -> set[str]:
        """The ids of deliveries of which it can see any byte, or has."""
        stems = [f.name.partition(".")[0] for f in (self.folder / "sisaan").iterdir()]
        return {s.rpartition("_")[2] for s in stems} | {one for _, one, _ in self.booked()}


class Watched(SftpFile):
    """The recipient's folder, whose owner is quick: it looks at once when something has arrived."""

    def __init__(
        self, folder: Path, owner: Callable[[], None], room: int | None, lies: bool
    ) -> None:
        place = FolderOptions("folder", str(folder))
        super().__init__(SftpFileOptions(place, PREFIX))
        self._inbox, self._owner, self._room, self._lies = folder / "sisaan", owner, room, lies

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        with no_file_beyond(self._room):
            receipt = super().publish(delivery_id, sequence, payload, rows)
        if self._lies:
            receipt = self._lose_half(self._inbox / receipt.name)
        self._owner()
        return receipt

    @staticmethod
    def _lose_half(data: Path) -> Receipt:
        kept = b"".join(data.read_bytes().splitlines(keepends=True)[:3])
        data.write_bytes(kept)
        manifest = data.with_suffix(".json")
        digest = hashlib.sha256(kept).hexdigest()
        manifest.write_text(json.dumps({**json.loads(manifest.read_bytes()), "sha256": digest}))
        return Receipt(data.name, len(kept), digest)


@contextmanager
def no_file_beyond(size: int | None) -> Iterator[None]:
    """Writing a file beyond so many bytes fails, as on a full disk."""
    if size is None:
        yield
        return
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# --- attempts -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attempt:
    """One run of a night's steps.

    dies_at, stops_at: the number of the boundary, from 0, where it is killed or stands still. takes_away,
    answers: what the recipient does meanwhile. pages, room, inbox_room: how many pages the database may grow by, how
    many bytes any file or a file of the recipient's may have. locked: takes the run lock, as a hub does.
    lies: the recipient's side loses half of what it was handed, and says that all is well. deep: the end of every
    transaction is a boundary too. mistake: makes this hub one that is built wrongly.
    """

    dies_at: int | None = None
    stops_at: int | None = None
    takes_away: bool = False
    answers: bool = True
    pages: int | None = None
    room: int | None = None
    inbox_room: int | None = None
    locked: bool = True
    lies: bool = False
    deep: bool = False
    mistake: Callable[["Hub"], None] | None = None


@dataclass(frozen=True)
class Ending:
    """passed: the boundaries it came by, the one it died at included. said: what each step ended with."""

    killed: bool
    passed: tuple[str, ...]
    status: str = ""
    said: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it died."""
        return self.passed[-1] if self.killed else "nowhere"


@dataclass
class Hub:
    """What the steps of one attempt are given; a mistake replaces a part of it, or of a step."""

    night: Night
    contract: RecipientContract
    stage: Stage
    recipient: Recipient
    steps: dict[str, Step] = field(default_factory=dict)


@dataclass
class Nights:
    """Attempts at one night, for settings that were read once."""

    settings: Settings
    texts: Texts
    begun: datetime = datetime(2026, 11, 3, 0, 30, tzinfo=UTC)

    @classmethod
    def read(cls, home: Path) -> "Nights":
        environ = {**LIVE, "HUB_WITNESSES": json.dumps({WITNESS: {"mail": "dpo@water.invalid"}})}
        settings = load_settings(home, environ)
        contract = live(settings.recipients[FINANCE])
        told = {**settings.recipients, FINANCE: contract}
        settings = replace(settings, recipients=told)
        return cls(settings, Texts(settings.hub.language))

    def begin(self, stage: Stage) -> None:
        """The night before everything: all are told; then a day passes, of which nobody has heard yet."""
        first, second = story()[:2]
        with stage.opened() as engine:
            with transaction(engine) as conn:
                checkpoints.add_key(conn, NAME, vkey(NAME, SIGNING.public_key()), "2026")
            for evening in (first, second):
                hub = self._hub(stage, engine, Attempt(takes_away=True), lambda place: None)
                hub.night = replace(hub.night, business_date=evening.date)
                for before in ("standardise", "match"):
                    with executing(hub.night, before):
                        pass
                with executing(hub.night, "consolidate") as step:
                    evening.register.write(step)
                    turn(step, evening)
                if evening is first:
                    for name, run in hub.steps.items():
                        result = run(hub)
                        assert result.status != "failed", (name, result)

    def attempt(self, stage: Stage, attempt: Attempt) -> Ending:
        """In a process of its own."""
        worker, number = self.started(stage, attempt)
        return self.ended(stage, worker, number)

    def started(self, stage: Stage, attempt: Attempt) -> tuple[int, int]:
        """Begin an attempt; its process and its number."""
        number = len(list(stage.folder.glob("passed-*")))
        passed = stage.folder / f"passed-{number}"
        passed.touch()
        gc.freeze()  # nothing of what both share is to be walked, and so copied

        def work() -> None:
            with stage.opened() as engine:
                said = self._run(stage, engine, attempt, passed)
            (stage.folder / f"ended-{number}.json").write_text(json.dumps(said))

        worker = in_a_copy(work, stage.folder / f"log-{number}")
        gc.unfreeze()
        return worker, number

    def ended(self, stage: Stage, worker: int, number: int) -> Ending:
        """Wait for an attempt to end."""
        status = os.waitpid(worker, 0)[1]
        passed = tuple((stage.folder / f"passed-{number}").read_text().splitlines())
        if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
            return Ending(True, passed)
        assert status == 0, (stage.folder / f"log-{number}").read_text()[-4000:]
        word, *said = json.loads((stage.folder / f"ended-{number}.json").read_text())
        return Ending(False, passed, word, tuple(said))

    def _hub(
        self, stage: Stage, engine: Engine, attempt: Attempt, reached: Callable[[str], None]
    ) -> Hub:
        owner = Outsourcer(stage.folder / "finance", attempt.takes_away)
        recipient = Watched(
            owner.folder,
            lambda: owner.come_by(attempt.answers),
            attempt.inbox_room,
            attempt.lies,
        )
        number = len(list(stage.folder.glob("passed-*")))
        night = Night(
            engine=engine,
            settings=self.settings,
            business_date=self.begun.date().isoformat(),
            clock=lambda: self.begun + timedelta(minutes=number),
            reached=reached,
            log_keys=lambda: KEYS,
        )
        witness = Drop(FolderOptions("folder", str(stage.folder / "drop")))
        steps: dict[str, Step] = {
            "extract": lambda hub: prepare_extract(hub.night, hub.contract, lambda: hub.recipient),
            "deliver": lambda hub: deliver(hub.night, hub.contract, lambda: hub.recipient),
            "log": lambda hub: reconcile(hub.night, {WITNESS: lambda: witness}),
            "close": lambda hub: close(hub.night, hub.stage.home, self.texts),
        }
        return Hub(night, self.settings.recipients[FINANCE], stage, recipient, steps)

    def _run(self, stage: Stage, engine: Engine, attempt: Attempt, passed: Path) -> list[str]:
        """The night; first its status, then what each step ended with."""
        count = 0

        def reached(place: str) -> None:
            nonlocal count
            with no_file_beyond(None if attempt.room is None else resource.RLIM_INFINITY):
                note = os.open(passed, os.O_WRONLY | os.O_APPEND)
                os.write(note, f"{place}\n".encode())
                os.close(note)
            if count == attempt.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if count == attempt.stops_at:
                os.kill(os.getpid(), signal.SIGSTOP)
            count += 1

        if attempt.deep:
            event.listen(engine, "commit", lambda conn: reached("a commit"))
        if attempt.pages is not None:
            _allow_pages(engine, attempt.pages)
        hub = self._hub(stage, engine, attempt, reached)
        if attempt.mistake is not None:
            attempt.mistake(hub)
        lock = RunLock(engine, stage.home)
        if attempt.locked and not lock.acquire():
            return ["already running"]
        with no_file_beyond(attempt.room):
            results = []
            try:
                for step in hub.steps.values():
                    results.append(step(hub))
            except (StoreError, KeysError, OSError) as error:
                return ["broken off", f"{type(error).__name__}: {error}"]
            finally:
                lock.release()
        worst = max((r.status for r in results), key=["ok", "attention", "failed"].index)
        return [worst, *(f"{r.status} {r.text}" for r in results)]


def _allow_pages(engine: Engine, more: int) -> None:
    @event.listens_for(engine, "connect")
    def limit(connection: Any, _: object) -> None:
        held = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {held + more}").close()


# --- what is left ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Whole:
    """What a night leaves that nobody disturbed. told: every row booked, and how often."""

    held: dict[str, list[str]]
    told: Counter[str]
    bytes_of: dict[str, bytes]


def whole(stage: Stage) -> Whole:
    """What this stage holds is how it must be."""
    with stage.opened() as engine:
        held = _held(engine)
    booked = Outsourcer(stage.folder / "finance").booked()
    return Whole(held, _rows(booked), {name: payload for _, name, payload in booked})


def _held(engine: Engine) -> dict[str, list[str]]:
    """Table → rows; a delivery without its receipt: of one that was taken away there is an answer alone."""
    held = {k: v for k, v in contents(engine).items() if k not in _OF_AN_ATTEMPT}
    plain = [{**json.loads(row), "receipt": None} for row in held["delivery"]]
    return {**held, "delivery": sorted(json.dumps(row, sort_keys=True) for row in plain)}


def _rows(booked: Sequence[tuple[int, str, bytes]]) -> Counter[str]:
    return Counter(line for _, _, payload in booked for line in payload.decode().splitlines()[1:])


def exposed(stage: Stage, as_it_must_be: Whole) -> list[str]:
    """What is wrong at any moment: bytes that can be seen and have no intent under a signed checkpoint, or that
    count as delivered and are not ours.
    """
    owner = Outsourcer(stage.folder / "finance")
    seen, found = owner.visible(), {name: payload for _, name, payload in owner.booked()}
    delivered = set[str]()
    with stage.opened() as engine, reading(engine) as conn:
        intents: dict[str, int] = {}
        for number, line in conn.execute(select(disclosure_leaf.c.leaf_no, disclosure_leaf.c.leaf)):
            facts = json.loads(line)
            if facts["t"] == "intent":
                intents.setdefault(facts["d"], number)
        sealed = max((kept.size for kept in checkpoints.every(conn)), default=0)
        delivered |= {one.delivery_id for one in deliveries.in_state(conn, "sent", "acknowledged")}
    return (
        [f"bytes without an intent: {d}" for d in seen - intents.keys()]
        + [f"bytes before their seal: {d}" for d in seen & intents.keys() if intents[d] >= sealed]
        + [
            f"counts as delivered, and other bytes stand there: {d}"
            for d in delivered & as_it_must_be.bytes_of.keys() & found.keys()
            if found[d] != as_it_must_be.bytes_of[d]
        ]
    )


def wrong(stage: Stage, as_it_must_be: Whole, ending: Ending) -> list[str]:
    """What is wrong once a night has come to its end: empty, or a line for each thing."""
    found = exposed(stage, as_it_must_be)
    booked = Outsourcer(stage.folder / "finance").booked()
    told = _rows(booked)
    found += [f"told {n} times too often" for n in (told - as_it_must_be.told).values()]
    found += [f"told {n} times too seldom" for n in (as_it_must_be.told - told).values()]
    if [sequence for sequence, _, _ in booked] != list(range(1, len(booked) + 1)):
        found.append(f"sequence {[sequence for sequence, _, _ in booked]}")
    if ending.status not in ("ok", "attention"):
        found.append(f"the night ended {ending.status}: {ending.said}")
    notes = [(f.name, f.read_text("utf-8")) for f in sorted((stage.folder / "drop").iterdir())]
    with stage.opened() as engine:
        with reading(engine) as conn:
            found += [str(f) for f in verify_log(conn, VAULT, notes).findings]
            found += ["rows without a log"] * reconciliation.unlogged_rows(conn)
            found += [
                f"{one.delivery_id} is {one.state}" for one in deliveries.outstanding(conn, FINANCE)
            ]
        held = _held(engine)
    found += [
        f"{table} differs" for table, rows in held.items() if rows != as_it_must_be.held[table]
    ]
    return found
