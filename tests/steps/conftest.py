"""A register of a few made-up records, and nights of matching alone over it.

Belongs here: standard rows written as a step would, and what came of them. Does not belong here: sources and
whole nights (`tests/journeys`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from pipelines.domain.schemas import ADDRESSES, PARTIES, PARTY_RECORDS, POINTS, ROLES
from pipelines.settings import load_settings
from pipelines.steps.match import match
from pipelines.steps.night import Night, StepResult, executing
from pipelines.store import frames, judgements, linkage
from pipelines.store import pairs as pairs_kept
from pipelines.store.engine import reading
from pipelines.store.pairs import PAIRS

SOURCE = "registrations"
Groups = set[frozenset[str]]


@dataclass
class Register:
    """Records of one source by key: party fields, and address parts where there are any."""

    engine: Engine
    home: Path
    environ: dict[str, str] = field(default_factory=dict)

    def night(self, *, full: bool = False, day: int = 2) -> Night:
        return Night(
            engine=self.engine,
            settings=load_settings(self.home, self.environ),
            business_date=f"2026-11-{day:02}",
            clock=lambda: datetime(2026, 11, day, 1, 30, tzinfo=UTC),
            full=full,
        )

    def write(self, **records: Mapping[str, Any]) -> None:
        """Standard rows as a night would leave them."""
        with executing(self.night(), "standardise") as step:
            parties, addresses, points, roles = [], [], [], []
            for key, stated in records.items():
                values = dict(stated)
                home = values.pop("home", None)
                record = {"source": SOURCE, "source_key": key}
                points.append({**record, "property_id": None})
                roles.append(
                    {
                        **record, "party_source_key": key, "point_source_key": key,
                        "role_type": "holder", "valid_from": "2020-01-01",
                    }
                )  # fmt: skip
                parties.append({**record, "party_type": "person", "protection": "off", **values})
                if home:
                    addresses.append(
                        {**record, "address_no": 1, "address_type": "permanent", **home}
                    )
            keys = pd.DataFrame([{"source": SOURCE, "source_key": key} for key in records])
            frames.remove(step.conn, ADDRESSES, keys, ("source", "source_key"))
            frames.put(step.conn, PARTIES, PARTIES.frame(parties), step.id)
            frames.put(step.conn, POINTS, POINTS.frame(points), step.id)
            frames.put(step.conn, ROLES, ROLES.frame(roles), step.id)
            if addresses:
                frames.put(step.conn, ADDRESSES, ADDRESSES.frame(addresses), step.id)

    def forget(self, *keys: str) -> None:
        """Take records out as consolidating does."""
        with executing(self.night(), "consolidate") as step:
            gone = pd.DataFrame([{"source": SOURCE, "source_key": key} for key in keys])
            linkage.forget(step.conn, gone, step.id)
            for schema in (PARTIES, ADDRESSES, PARTY_RECORDS):
                frames.remove(step.conn, schema, gone, ("source", "source_key"))
            judgements.forget(step.conn, gone)

    def judge(self, one: str, other: str, verdict: Any, *, at: str = "2026-11-01T08:00:00Z") -> int:
        with executing(self.night(), "judge") as step:
            return judgements.record(
                step.conn, (SOURCE, one), (SOURCE, other), verdict,
                by="steward", reason="asked", now=at, step_run=step.id,
            )  # fmt: skip

    def match(self, *, full: bool = False, day: int = 2) -> StepResult:
        return match(self.night(full=full, day=day))

    def ids(self) -> dict[str, int]:
        with reading(self.engine) as conn:
            held = frames.read(conn, PARTY_RECORDS)
        return dict(zip(held["source_key"], held["party_id"], strict=True))

    def groups(self) -> Groups:
        ids = self.ids()
        return {frozenset(k for k, i in ids.items() if i == party) for party in set(ids.values())}

    def waiting(self) -> set[frozenset[str]]:
        with reading(self.engine) as conn:
            queue = judgements.queue(conn)
        return {frozenset(p) for p in zip(queue["left_key"], queue["right_key"], strict=True)}

    def pairs(self) -> list[tuple[Any, ...]]:
        with reading(self.engine) as conn:
            held = pairs_kept.having(conn)
        return [tuple(row) for row in held[list(PAIRS)].itertuples(index=False)]


@pytest.fixture
def register(engine: Engine, tmp_path: Path) -> Register:
    return Register(engine, tmp_path)
