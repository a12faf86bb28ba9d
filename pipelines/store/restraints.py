"""What people have forbidden: restrictions of processing, bans on publication and marketing (R25–R27, R45).

Belongs here: recording, ending and finding restraints. Does not belong here: what each forbids
(`domain.restraints`), stopping what is on its way (`steps.stop`).
"""

from collections.abc import Sequence

import pandas as pd
from sqlalchemy import Connection, insert, select, update

from pipelines.store import frames
from pipelines.store.tables import party_redirect, party_restraint


def record(
    conn: Connection, party_id: int, kind: str, channel: str, evidence: str | None, now: str
) -> bool:
    """A person forbids something; False when it stands already (R27: two channels, one effect).

    evidence: a reference to what was received, never its text.
    """
    if kind in standing(conn, party_id):
        return False
    conn.execute(
        insert(party_restraint).values(
            party_id=party_id, kind=kind, channel=channel, evidence=evidence, since=now
        )
    )
    return True


def end(conn: Connection, party_id: int, kind: str, now: str) -> bool:
    """A restraint ends; False when there was none."""
    standing_ones = update(party_restraint).where(
        party_restraint.c.party_id.in_(_one_party(conn, party_id)),
        party_restraint.c.kind == kind,
        party_restraint.c.ended_at.is_(None),
    )
    return bool(conn.execute(standing_ones.values(ended_at=now)).rowcount)


def standing(conn: Connection, party_id: int) -> list[str]:
    """The kinds of restraint that stand for a party, whoever has gone into it included."""
    found = conn.scalars(
        select(party_restraint.c.kind)
        .where(
            party_restraint.c.party_id.in_(_one_party(conn, party_id)),
            party_restraint.c.ended_at.is_(None),
        )
        .distinct()
        .order_by(party_restraint.c.kind)
    )
    return list(found)


def of_party(conn: Connection, party_id: int) -> pd.DataFrame:
    """What stands for a party, whoever has gone into it included: kind, channel, evidence, since; oldest first."""
    table = party_restraint.c
    found = select(table.kind, table.channel, table.evidence, table.since).where(
        table.party_id.in_(_one_party(conn, party_id)), table.ended_at.is_(None)
    )
    return frames.rows(conn, found.order_by(table.since, table.restraint_id))


def parties(conn: Connection, kinds: Sequence[str]) -> frozenset[int]:
    """Everybody for whom one of these restraints stands, before and after a merge."""
    found = conn.execute(
        select(party_restraint.c.party_id, party_redirect.c.into_party_id)
        .outerjoin_from(
            party_restraint,
            party_redirect,
            party_redirect.c.party_id == party_restraint.c.party_id,
        )
        .where(party_restraint.c.kind.in_(kinds), party_restraint.c.ended_at.is_(None))
    )
    return frozenset(party for row in found for party in row if party is not None)


def ended_since(conn: Connection, kinds: Sequence[str], instant: str) -> pd.Series:
    """party_id of everybody for whom one of these restraints has ended since, before and after a merge."""
    ended = select(party_restraint.c.party_id).where(
        party_restraint.c.kind.in_(kinds), party_restraint.c.ended_at >= instant
    )
    into = select(party_redirect.c.into_party_id).where(party_redirect.c.party_id.in_(ended))
    found = [*conn.scalars(ended), *conn.scalars(into)]
    return pd.Series(found, dtype="Int64", name="party_id")


def _one_party(conn: Connection, party_id: int) -> list[int]:
    merged = select(party_redirect.c.party_id).where(party_redirect.c.into_party_id == party_id)
    return [party_id, *conn.scalars(merged)]
