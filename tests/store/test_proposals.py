"""Proposals from night to night: opened once, closed by a person, gone when the facts fit."""

import pandas as pd
from sqlalchemy import Engine

from pipelines.domain.proposals import COLUMNS
from pipelines.store import proposals
from pipelines.store.engine import transaction


def found(*rows: tuple[str, str]) -> pd.DataFrame:
    """kind, evidence hash; all about point 1."""
    whole = [(kind, "point 1", 1, [{"fact": "holder"}], digest) for kind, digest in rows]
    return pd.DataFrame(whole, columns=list(COLUMNS)).astype({"point_id": "Int64"})


def states(engine: Engine) -> list[tuple[int, str, str, str]]:
    with transaction(engine) as conn:
        held = proposals.listed(conn, None)
    return list(held[["proposal_no", "kind", "state", "opened_on"]].itertuples(index=False, name=None))  # fmt: skip


def night(engine: Engine, day: int, *rows: tuple[str, str]) -> dict[str, int]:
    with transaction(engine) as conn:
        return dict(proposals.renew(conn, found(*rows), f"2026-11-{day:02}"))


def test_what_is_found_again_is_not_opened_again(engine: Engine) -> None:
    assert night(engine, 2, ("no_payer", "a")) == {"proposals_opened": 1, "proposals_gone": 0}
    assert night(engine, 3, ("no_payer", "a")) == {"proposals_opened": 0, "proposals_gone": 0}
    assert states(engine) == [(1, "no_payer", "open", "2026-11-02")]


def test_what_is_found_no_more_is_gone_and_opens_anew_when_it_is_back(engine: Engine) -> None:
    night(engine, 2, ("no_payer", "a"))
    assert night(engine, 3) == {"proposals_opened": 0, "proposals_gone": 1}
    assert states(engine) == [(1, "no_payer", "gone", "2026-11-02")]
    assert night(engine, 4, ("no_payer", "a")) == {"proposals_opened": 1, "proposals_gone": 0}
    assert states(engine) == [(1, "no_payer", "open", "2026-11-04")]


def test_what_a_person_closed_stays_closed_until_its_facts_change(engine: Engine) -> None:
    night(engine, 2, ("no_payer", "a"))
    with transaction(engine) as conn:
        proposals.decide(conn, 1, "closed", "anna", "own well", "2026-11-02T08:00:00Z")
    assert night(engine, 3, ("no_payer", "a")) == {"proposals_opened": 0, "proposals_gone": 0}
    assert night(engine, 4) == {"proposals_opened": 0, "proposals_gone": 0}
    assert night(engine, 5, ("no_payer", "b")) == {"proposals_opened": 1, "proposals_gone": 0}
    assert [state for _, _, state, _ in states(engine)] == ["closed", "open"]
    with transaction(engine) as conn:
        row = proposals.read(conn, 1)
        assert proposals.read(conn, 3) is None
    assert row is not None
    assert (row["decided_by"], row["decision_reason"]) == ("anna", "own well")
