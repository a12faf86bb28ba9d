"""What a page of the desk costs the server with 100 000 customers; by hand: `pytest tests/benchmarks/bench_desk.py -s`.

Prints seconds of processor time a page beside what is wanted (the database is SQLite, which reads in this process), and
asserts nothing about time. The register is made up, matched and consolidated as two nights would, so that pairs wait;
finance knows all there is. HUB_BENCH_CUSTOMERS sets the size. Wanted: under 0.1 s each; a verdict, and what goes next,
are a night in small. Left out: reading the names in while somebody types the first search, and the imports that `hub ui`
makes when it starts.
"""

import gc
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from sqlalchemy import select

from pipelines.domain.landing import content_hash
from pipelines.domain.schemas import POINTS, ROLES
from pipelines.steps.consolidate import consolidate
from pipelines.steps.find_differences import find_differences
from pipelines.steps.match import match
from pipelines.steps.night import executing
from pipelines.store import frames, holdings, nights, quarantine
from pipelines.store.engine import transaction
from pipelines.store.tables import metadata
from tests.benchmarks import kept, register
from tests.desk.conftest import Answer, Hub, Seat, opened, settled
from tests.desk.test_deliveries import BILLED, NOTICE

CUSTOMERS = int(os.environ.get("HUB_BENCH_CUSTOMERS", "100000"))
RECORDS = CUSTOMERS * 2
"""Of four registers; about half of the records are the own register's, and each of those pays."""
REFUSED = CUSTOMERS // 100
WANTED = 0.1
OWN = "registrations"


def test_what_a_page_costs(tmp_path: Path) -> None:
    files = register.files(RECORDS, 1)
    made = kept.kept(files.records, tmp_path, 0)
    made.engine.dispose()
    home = settled(tmp_path / "hub.db", tmp_path / "home")
    for hub in opened(home, BILLED):
        fill(hub)
        seat = hub.seat()
        gc.collect()
        gc.freeze()  # what filling has left in this process is none of a server's to look through
        hub.desk.get_ready()
        seat.get()  # whatever else is imported at the first page
        costs(seat)
    shutil.rmtree(home)


def fill(hub: Hub) -> None:
    """What kept registers state, as the own register and others: two nights over it, told, and some refused."""
    with transaction(hub.register.engine) as conn:
        for table in ("standard_party", "standard_address", "standard_point", "standard_role"):
            at = metadata.tables[table]
            conn.execute(at.update().where(at.c.source == register.SOURCES[0]).values(source=OWN))
        parties = metadata.tables["standard_party"].c
        own = select(parties.source_key).where(parties.source == OWN)
        keys = list(conn.scalars(own.order_by(parties.source_key)))
    paid = pd.DataFrame({"source": OWN, "source_key": keys})
    roles = paid.assign(
        party_source_key=keys, point_source_key=keys, role_type="payer", valid_from="2020-01-01",
        source_key=[f"{key}p" for key in keys],
    )  # fmt: skip
    night = hub.house.night()
    with executing(night, "standardise") as step:
        known = frames.read_matching(step.conn, POINTS, paid, ("source", "source_key"))
        new = paid[~paid["source_key"].isin(known["source_key"])]
        frames.put(
            step.conn, POINTS, POINTS.conform(new.reindex(columns=list(POINTS.columns))), step.id
        )
        frames.put(
            step.conn, ROLES, ROLES.conform(roles.reindex(columns=list(ROLES.columns))), step.id
        )
    for _ in range(3):  # the second learns anew, since strangers went; the third has nothing to do
        match(night)
        consolidate(night)
    finance = hub.house.settings.recipients["finance"]
    with executing(night, "extract:finance") as step:
        found = find_differences(step, night, finance)
        rows = found.events[list(finance.columns)].to_dict("records")
        holdings.adopt(step.conn, "finance", found.events.assign(row=rows))
        holdings.hold(step.conn, "finance", found.looked_at, found.held, night.now())
    refused = pd.DataFrame(
        {
            "source": OWN, "kind": "party", "source_key": keys[:REFUSED], "field": "phone",
            "content_hash": [content_hash({"n": n}) for n in range(REFUSED)], "rule": "value_too_long",
            "severity": "critical", "reason": None, "business_date": "2026-11-02",
            "content": [{"family_name": f"Koski {n}"} for n in range(REFUSED)],
        }
    )  # fmt: skip
    with transaction(hub.register.engine) as conn:
        quarantine.open_findings(conn, refused, "2026-11-02T00:00:00Z")
        nights.open_night(conn, "2026-11-02", "2026-11-01T23:30:00Z")
        nights.close_night(conn, "2026-11-02", "ok", "2026-11-01T23:40:00Z")
    nights.tidy(hub.register.engine)
    print(f"\n{len(keys)} customers, {RECORDS} records, {REFUSED} refused")


def costs(seat: Seat) -> None:
    """Every page, in the order a steward comes by."""

    def timed(name: str, page: Callable[[], Answer]) -> Answer:
        started = time.process_time()
        answer = page()
        spent = time.process_time() - started
        assert answer.status == 200, answer.words[:200]
        met = "" if spent < WANTED else "over"
        print(
            f"  {name:<32} {spent:6.3f} s  of {WANTED} s  {len(answer.text) // 1024:5} KiB  {met}"
        )
        return answer

    search = seat.get("/customers")
    time.sleep(2)  # somebody types, and the names are read in meanwhile

    def find(words: str) -> Answer:
        return seat.opens(search, "/customers", words=words, purpose="call")

    timed("morning", seat.get)
    timed("morning again", seat.get)
    pairs = timed("pairs", lambda: seat.get("/pairs"))
    pair = timed("a pair", lambda: seat.opens(pairs, "/pair"))
    quarantined = timed("quarantine", lambda: seat.get("/quarantine"))
    refused = timed("a refused record", lambda: seat.opens(quarantined, "/refused"))
    drops = {"answer": "drop", "reason": "kaksoiskappale"}
    timed("a refusal to confirm", lambda: seat.opens(refused, "/refused/preview", **drops))
    timed("the first search", lambda: find("virtanen matti"))
    found = timed("a search", lambda: find("virtanen matti"))
    timed("a search with a slip", lambda: find("virtanne matti"))
    number = found.forms("/customer")[0]["number"]
    timed("by number", lambda: find(number))
    customer = timed("a customer", lambda: seat.opens(found, "/customer"))
    timed("who looked", lambda: seat.opens(customer, "/customer/looked"))
    timed("what was told", lambda: seat.opens(customer, "/customer/told"))
    notice = timed(
        "a notice to confirm", lambda: seat.opens(customer, "/customer/notice", **NOTICE)
    )
    deliveries = timed("deliveries", lambda: seat.get("/deliveries"))
    timed("my decisions", lambda: seat.get("/mine"))
    timed("requests", lambda: seat.get("/seconds"))
    for verdict in ("different", "same"):
        timed(
            f"a verdict to confirm, {verdict}",
            lambda v=verdict: seat.opens(pair, "/pair/preview", verdict=v, reason="x"),  # type: ignore[misc]
        )
    timed("what goes next, nothing came", lambda: seat.opens(deliveries, "/delivery"))
    timed("a notice taken", lambda: seat.opens(notice, "/customer/notice/take"))
    timed("what goes next, the first rules", lambda: seat.opens(deliveries, "/delivery"))
    timed("what goes next, a notice came", lambda: seat.opens(deliveries, "/delivery"))
