"""Proposals to a steward: what at a property does not fit together, and what became of it.

Belongs here: keeping them from night to night, a person's decision. Does not belong here: what a proposal is
(`domain.proposals`). One that was closed stays closed for as long as its facts are the same; other facts are
another proposal.
"""

from collections.abc import Mapping

import pandas as pd
from sqlalchemy import Connection, bindparam, func, select, update

from pipelines.domain.proposals import COLUMNS
from pipelines.store import frames
from pipelines.store.tables import proposal

_MATTER = ["kind", "subject", "evidence_hash"]


def renew(conn: Connection, found: pd.DataFrame, business_date: str) -> Mapping[str, int]:
    """Open what is new, end what fits again; found: `domain.proposals` of the whole register tonight.

    Returns how many opened and how many are gone.
    """
    columns = [proposal.c[name] for name in ("proposal_no", *_MATTER, "state")]
    held = frames.rows(conn, select(*columns))
    both = found.merge(held, on=_MATTER, how="outer", indicator=True)
    new = both.loc[both["_merge"] == "left_only", list(COLUMNS)]
    back = both[(both["_merge"] == "both") & (both["state"] == "gone")]
    gone = both[(both["_merge"] == "right_only") & (both["state"] == "open")]
    frames.append(conn, proposal, new.assign(opened_on=business_date, state="open"))
    _move(conn, back["proposal_no"], "open", opened_on=business_date)
    _move(conn, gone["proposal_no"], "gone")
    return {"proposals_opened": len(new) + len(back), "proposals_gone": len(gone)}


def _move(conn: Connection, numbers: pd.Series, state: str, **also: str) -> None:
    if len(numbers):
        change = update(proposal).where(proposal.c.proposal_no == bindparam("number"))
        conn.execute(change.values(state=state, **also), [{"number": int(n)} for n in numbers])


def listed(conn: Connection, state: str | None = "open") -> pd.DataFrame:
    """Every column of the proposals in a state (of all without one), the oldest number first."""
    chosen = select(proposal).order_by(proposal.c.proposal_no)
    return frames.rows(conn, chosen if state is None else chosen.where(proposal.c.state == state))


def open_count(conn: Connection) -> int:
    """How many wait for a person."""
    waiting = select(func.count()).select_from(proposal).where(proposal.c.state == "open")
    return conn.scalar(waiting) or 0


def read(conn: Connection, proposal_no: int) -> pd.Series | None:
    """One proposal, None when there is none of that number."""
    found = frames.rows(conn, select(proposal).where(proposal.c.proposal_no == proposal_no))
    return None if found.empty else found.iloc[0]


def decide(conn: Connection, proposal_no: int, state: str, who: str, why: str, now: str) -> None:
    """A person closes a proposal, or opens it again."""
    conn.execute(
        update(proposal)
        .where(proposal.c.proposal_no == proposal_no)
        .values(state=state, decided_by=who, decided_at=now, decision_reason=why)
    )
