"""What a page of the desk costs the server with 100 000 customers; by hand: `pytest tests/benchmarks/bench_desk.py -s`.

Prints seconds of processor time a page (SQLite reads in this process), and asserts nothing about time. Wanted: under
0.1 s each, the first search, which reads the names in, left out. HUB_BENCH_CUSTOMERS sets the size. The register is
written as consolidating leaves it; nothing is matched, so that no pair waits and trying a verdict out is not measured.
"""

import os
import shutil
import time
from pathlib import Path

import pandas as pd

from pipelines.domain.landing import content_hash
from pipelines.domain.schemas import (
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    PARTIES,
    PARTY_RECORDS,
    PROVENANCE,
)
from pipelines.steps.night import executing
from pipelines.store import frames, nights, quarantine
from pipelines.store.engine import migrate, open_engine, transaction
from tests.desk.conftest import Answer, Hub, Seat, opened, settled

CUSTOMERS = int(os.environ.get("HUB_BENCH_CUSTOMERS", "100000"))
REFUSED = CUSTOMERS // 100


def test_what_a_page_costs(tmp_path: Path) -> None:
    empty = tmp_path / "empty.db"
    engine = open_engine(f"sqlite:///{empty}")
    migrate(engine)
    nights.tidy(engine)
    engine.dispose()
    home = settled(empty, tmp_path / "home")
    for hub in opened(home):
        fill(hub)
        print(f"\n{CUSTOMERS} customers, {REFUSED} refused")
        seat = hub.seat()
        seat.get("/customers")  # whatever is imported at the first page
        costs(seat)
    shutil.rmtree(home)


def fill(hub: Hub) -> None:
    numbers = range(1, CUSTOMERS + 1)
    ids = pd.array(numbers, dtype="Int64")
    names = pd.DataFrame(
        {
            "party_id": ids,
            "family_name": [
                f"{FAMILIES[n % len(FAMILIES)]}{ENDS[n // 97 % len(ENDS)]}" for n in numbers
            ],
            "given_names": [GIVEN[n // 13 % len(GIVEN)] for n in numbers],
        }
    )
    key = [f"{n:06}" for n in numbers]
    party = names.assign(
        display_name=names["family_name"] + " " + names["given_names"], party_type="person", protection="off",
        street_line=[f"Kotikatu {n % 900}" for n in numbers], postal_code="31640", post_office="HUMPPILA",
        address_type="postal", row_hash=key,
    )  # fmt: skip
    record = pd.DataFrame({"source": "registrations", "source_key": key, "party_id": ids})
    values = pd.concat(
        [
            pd.DataFrame(
                {
                    "party_id": ids, "field": field, "value": party[field], "source": "registrations",
                    "source_key": key, "source_time": "2026-01-01T00:00:00Z", "rule": "only_source",
                }
            )
            for field in ("family_name", "given_names", "street_line", "postal_code", "post_office")
        ]
    )  # fmt: skip
    stated = names.drop(columns="party_id").assign(
        source="registrations", source_key=key, party_type="person", protection="off"
    )
    points = pd.DataFrame({"point_id": ids, "point_ref": key, "postal_code": "31640"})
    roles = pd.DataFrame(
        {
            "party_id": ids, "point_id": ids, "role_type": "payer", "valid_from": "2020-01-01",
            "source": "registrations", "source_key": key, "rule": "only_source",
        }
    )  # fmt: skip
    with executing(hub.house.night(), "consolidate") as step:
        for schema, rows in (
            (GOLDEN, party), (PARTY_RECORDS, record), (PROVENANCE, values), (PARTIES, stated),
            (GOLDEN_POINTS, points), (GOLDEN_ROLES, roles),
        ):  # fmt: skip
            whole = schema.conform(rows.reindex(columns=list(schema.columns)))
            frames.put(step.conn, schema, whole, step.id)
    refused = pd.DataFrame(
        {
            "source": "registrations", "kind": "party", "source_key": key[:REFUSED], "field": "phone",
            "content_hash": [content_hash({"n": n}) for n in range(REFUSED)], "rule": "value_too_long",
            "severity": "critical", "reason": None, "business_date": "2026-11-02",
            "content": [{"family_name": f"Koski {n}"} for n in range(REFUSED)],
        }
    )  # fmt: skip
    with transaction(hub.register.engine) as conn:
        quarantine.open_findings(conn, refused, "2026-11-02T00:00:00Z")
        nights.open_night(conn, "2026-11-02", "2026-11-01T23:30:00Z")
        nights.close_night(conn, "2026-11-02", "ok", "2026-11-01T23:40:00Z")


def costs(seat: Seat) -> None:
    def timed(name: str, page: object) -> Answer:
        started = time.process_time()
        answer: Answer = page()  # type: ignore[operator]
        spent = time.process_time() - started
        assert answer.status == 200, answer.words[:200]
        print(f"  {name:<28} {spent:6.3f} s  {len(answer.text) // 1024:5} KiB")
        return answer

    search = seat.get("/customers")

    def find(words: str) -> Answer:
        return seat.opens(search, "/customers", words=words, purpose="call")

    timed("morning", lambda: seat.get())
    timed("morning again", lambda: seat.get())
    timed("pairs, none waits", lambda: seat.get("/pairs"))
    timed("quarantine", lambda: seat.get("/quarantine"))
    refused = seat.get("/quarantine")
    timed("a refused record", lambda: seat.opens(refused, "/refused"))
    timed("the first search", lambda: find("virtanen matti"))
    found = timed("a search", lambda: find("virtanen matti"))
    timed("a search with a slip", lambda: find("virtanne matti"))
    timed("by number", lambda: find("050000"))
    customer = timed("a customer", lambda: seat.opens(found, "/customer"))
    timed("who looked", lambda: seat.opens(customer, "/customer/looked"))
    timed("what was told", lambda: seat.opens(customer, "/customer/told"))
    timed("deliveries", lambda: seat.get("/deliveries"))
    timed("my decisions", lambda: seat.get("/mine"))


FAMILIES = (
    "Virta", "Koski", "Mäki", "Niemi", "Laakso", "Saari", "Heikki", "Järvi", "Lehto", "Harju", "Salo", "Ranta",
    "Aalto", "Hakala", "Peltola", "Kivi", "Suo", "Vuori", "Kangas", "Metsä",
)  # fmt: skip
ENDS = ("nen", "la", "", "ranta", "mäki", "lampi", "oja", "vaara", "salmi", "joki")
GIVEN = (
    "Matti",
    "Aino",
    "Eero",
    "Liisa",
    "Jukka",
    "Sari",
    "Väinö",
    "Hilma",
    "Otso",
    "Päivi",
    "Arvo",
    "Inkeri",
)
