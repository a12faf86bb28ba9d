"""What the disclosure log costs: beside the file it is the log of, and to recompute; by hand: `make bench`.

Prints seconds of processor time (SQLite writes in this process) and ratios, asserts nothing about time. Wanted:
logging and sealing take no longer than writing the file; a million leaves are recomputed within a minute.
HUB_BENCH_ROWS, HUB_BENCH_LEAVES set the sizes.
"""

import gc
import hashlib
import hmac
import json
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import pandas as pd

from connectors.files import FolderOptions
from connectors.recipients.sftp_file import INBOX, SftpFile, SftpFileOptions
from pipelines.domain.disclosure import leaf
from pipelines.steps.seal import seal
from pipelines.steps.verify import verify
from pipelines.store import disclosures
from pipelines.store.engine import migrate, open_engine, transaction
from tests.connectors.sftp_server import SftpServer
from tests.steps.logged import VAULT, Logged

ROWS = int(os.environ.get("HUB_BENCH_ROWS", "100000"))
LEAVES = int(os.environ.get("HUB_BENCH_LEAVES", "1000000"))
COLUMNS = (
    "event", "customer_number", "party_kind", "invoice_name", "street_line", "postal_code",
    "post_office", "country", "business_id", "delivery_channel", "channel_address",
    "channel_operator", "point_ref", "valid_from", "ended_on", "final_invoice_line",
    "final_invoice_postal_code", "final_invoice_post_office", "merged_into",
)  # fmt: skip


def rows_of(count: int) -> list[dict[str, str]]:
    common = dict.fromkeys(COLUMNS, "") | {
        "event": "new", "party_kind": "person", "postal_code": "31640", "post_office": "HUMPPILA",
        "country": "FI", "delivery_channel": "PAPER", "valid_from": "2026-01-01",
    }  # fmt: skip
    return [
        common | {
            "customer_number": f"{n:06}", "invoice_name": f"Meikäläinen Matti {n}",
            "street_line": f"Kotikatu {n % 900} A {n % 90}", "point_ref": f"{n:06}",
        }
        for n in range(1, count + 1)
    ]  # fmt: skip


@dataclass
class Spent:
    """Seconds by part: this process's processor time, and by the clock on the wall."""

    processor: dict[str, float] = field(default_factory=dict)
    wall: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        gc.collect()  # what was made before is not looked through at this part's cost
        begun, wall = time.process_time(), time.perf_counter()
        yield
        self.processor[part] = round(time.process_time() - begun, 3)
        self.wall[part] = round(time.perf_counter() - wall, 3)

    def over(self, *parts: str) -> float:
        """What logging and sealing take over these parts of writing a file."""
        mine = self.processor["log"] + self.processor["seal"]
        return round(mine / sum(self.processor[part] for part in parts), 2)


def hub(tmp_path: Path) -> Logged:
    return hub_at(f"sqlite:///{tmp_path}/hub.db", tmp_path)


def hub_at(url: str, home: Path) -> Logged:
    engine = open_engine(url)
    migrate(engine)
    return Logged(engine, home)


def _serve(root: str, ours: Connection) -> None:
    with SftpServer(Path(root)) as server:
        ours.send(server.options("finance"))
        ours.recv()


@contextmanager
def sftp(root: Path) -> Iterator[FolderOptions]:
    """A folder behind SFTP on loopback; the server is a process of its own, whose time is not counted."""
    # what a first connection imports is not the file's either
    import paramiko  # noqa: F401

    of_its_own = multiprocessing.get_context("spawn")
    ours, theirs = of_its_own.Pipe()
    server = of_its_own.Process(target=_serve, args=(str(root), theirs))
    server.start()
    try:
        yield ours.recv()
    finally:
        ours.send(None)
        server.join(10)


def test_logging_and_sealing_beside_writing_the_file(
    tmp_path: Path, database: str, empty_url: str
) -> None:
    """Beside the bare file (rendered, put into a folder), and beside what a night does to write one.

    A night reads the bytes back and compares them before they count as written, and publishes over SFTP as a
    rule. On PostgreSQL the server's time is not in this process: there the wall's seconds are printed too.
    """
    log, spent, rows = hub_at(empty_url, tmp_path), Spent(), rows_of(ROWS)
    for place in ("near", "far"):
        (tmp_path / place / "finance" / INBOX).mkdir(parents=True)
    near = SftpFile(
        SftpFileOptions(FolderOptions("folder", str(tmp_path / "near/finance")), "laskutus")
    )
    with spent.on("render"):
        payload = near.render(COLUMNS, rows)
    with spent.on("read_back_and_compare"):
        assert near.parse(payload) == rows
    with spent.on("publish_to_folder"):
        near.publish("f" * 20, 1, payload, len(rows))
    with sftp(tmp_path / "far") as options, spent.on("publish_over_sftp"):
        SftpFile(SftpFileOptions(options, "laskutus")).publish("f" * 20, 1, payload, len(rows))
    told = pd.DataFrame({"party_id": pd.array(range(1, ROWS + 1), dtype="Int64")}).assign(
        content=pd.Series(rows, dtype="object"),
        fields=pd.Series([[c for c in COLUMNS if row[c]] for row in rows], dtype="object"),
    )
    now = log.night().now()
    terms = {
        "to": "finance", "contract": "finance@1", "purpose": "billing", "basis": "contract",
        "ground": "billing", "d": "f" * 20, "notice": "2021-05-18",
    }  # fmt: skip
    with spent.on("log"), transaction(log.engine) as conn:
        salts = disclosures.disclose(conn, VAULT, "disclosure", told, terms, now)
        mac = hmac.new(salts, payload, hashlib.sha256).hexdigest()
        line = leaf("intent", n=ROWS, sequence=1, fields=list(COLUMNS), mac=mac, **terms)
        disclosures.append_leaves(conn, [line], now)
    with spent.on("seal"):
        seal(log.night())
    log.engine.dispose()
    read = ("render", "read_back_and_compare")
    said = {
        "database": database,
        "rows": ROWS,
        "processor_seconds": spent.processor,
        "log_and_seal_over_render_and_publish_to_folder": spent.over("render", "publish_to_folder"),
        "log_and_seal_over_file_of_a_night_to_folder": spent.over(*read, "publish_to_folder"),
        "log_and_seal_over_file_of_a_night_over_sftp": spent.over(*read, "publish_over_sftp"),
    }
    print(json.dumps(said | ({} if database == "sqlite" else {"wall_seconds": spent.wall})))


def test_recomputing_a_large_log(tmp_path: Path) -> None:
    log, spent = hub(tmp_path), Spent()
    at_once = 50_000
    people = pd.DataFrame({"subject_key": [f"t{n}" for n in range(at_once)]})
    people["fields"] = pd.Series([["identity_code"]] * at_once, dtype="object")
    with spent.on("made"):
        for number in range(max(1, LEAVES // at_once)):
            terms = {"to": "dvv", "operation": f"o{number}", "purpose": "p", "basis": "contract"}
            with transaction(log.engine) as conn:
                disclosures.disclose(conn, VAULT, "lookup", people, terms, log.night().now())
            seal(log.night())
    with spent.on("verify"):
        whole, _ = verify(log.night())
    assert whole.findings == []
    print(json.dumps({"leaves": whole.leaves, "details": whole.details, **spent.processor}))
