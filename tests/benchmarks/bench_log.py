"""What the disclosure log costs: beside the file it is the log of, and to recompute; by hand: `make bench`.

Prints seconds of processor time (SQLite writes in this process) and ratios, asserts nothing about time. Wanted: logging and sealing take no longer than writing the
file; a million leaves are recomputed within a minute. HUB_BENCH_ROWS, HUB_BENCH_LEAVES set the sizes.
"""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from connectors.files import FolderOptions
from connectors.recipients.sftp_file import SftpFile, SftpFileOptions
from pipelines.domain.disclosure import leaf
from pipelines.steps.seal import seal
from pipelines.steps.verify import verify
from pipelines.store import disclosures
from pipelines.store.engine import migrate, open_engine, transaction
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


@contextmanager
def timed(name: str, into: dict[str, float]) -> Iterator[None]:
    started = time.process_time()
    yield
    into[name] = round(time.process_time() - started, 2)


def hub(tmp_path: Path) -> Logged:
    engine = open_engine(f"sqlite:///{tmp_path}/hub.db")
    migrate(engine)
    return Logged(engine, tmp_path)


def test_logging_and_sealing_beside_writing_the_file(tmp_path: Path) -> None:
    log, spent, rows = hub(tmp_path), dict[str, float](), rows_of(ROWS)
    for folder in ("sisaan", "kuittaukset"):
        (tmp_path / "finance" / folder).mkdir(parents=True)
    options = FolderOptions("folder", str(tmp_path / "finance"))
    recipient = SftpFile(SftpFileOptions(options, "laskutus"))
    with timed("file", spent):
        payload = recipient.render(COLUMNS, rows)
        recipient.publish("f" * 20, 1, payload, len(rows))
    told = pd.DataFrame({"party_id": pd.array(range(1, ROWS + 1), dtype="Int64")}).assign(
        content=pd.Series(rows, dtype="object"),
        fields=pd.Series([[c for c in COLUMNS if row[c]] for row in rows], dtype="object"),
    )
    now = log.night().now()
    terms = {
        "to": "finance", "contract": "finance@1", "purpose": "billing", "basis": "contract",
        "ground": "billing", "d": "f" * 20, "notice": "2021-05-18",
    }  # fmt: skip
    with timed("log", spent), transaction(log.engine) as conn:
        salts = disclosures.disclose(conn, VAULT, "disclosure", told, terms, now)
        mac = hmac.new(salts, payload, hashlib.sha256).hexdigest()
        line = leaf("intent", n=ROWS, sequence=1, fields=list(COLUMNS), mac=mac, **terms)
        disclosures.append_leaves(conn, [line], now)
    with timed("seal", spent):
        seal(log.night())
    ratio = (spent["log"] + spent["seal"]) / spent["file"]
    print(json.dumps({"rows": ROWS, **spent, "log_and_seal_over_file": round(ratio, 2)}))


def test_recomputing_a_large_log(tmp_path: Path) -> None:
    log, spent = hub(tmp_path), dict[str, float]()
    at_once = 50_000
    people = pd.DataFrame({"subject_key": [f"t{n}" for n in range(at_once)]})
    people["fields"] = pd.Series([["identity_code"]] * at_once, dtype="object")
    with timed("made", spent):
        for number in range(max(1, LEAVES // at_once)):
            terms = {"to": "dvv", "operation": f"o{number}", "purpose": "p", "basis": "contract"}
            with transaction(log.engine) as conn:
                disclosures.disclose(conn, VAULT, "lookup", people, terms, log.night().now())
            seal(log.night())
    with timed("verify", spent):
        whole, _ = verify(log.night())
    assert whole.findings == []
    print(json.dumps({"leaves": whole.leaves, "details": whole.details, **spent}))
