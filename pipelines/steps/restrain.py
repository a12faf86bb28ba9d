"""Write down that a customer forbids something, and stop what has not left yet (R25, R26, R27, R45).

Belongs here: recording and ending a restraint, with what is on its way, and keeping what is restricted. Does not
belong here: what each kind forbids (`domain.restraints`), who may say so (the desk). One person records what a protected
customer forbids, since less is done with the data from then on; two end it.
"""

from datetime import date

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain.disclosure import leaf
from pipelines.domain.restraints import KINDS, RESTRICTION, as_they_stood
from pipelines.domain.schemas import PROVENANCE
from pipelines.domain.survivorship import Golden
from pipelines.errors import HubError
from pipelines.steps.around import NotFound, is_under_order
from pipelines.steps.look import party_of
from pipelines.steps.night import HELSINKI, Night
from pipelines.steps.second_person import demand_two
from pipelines.steps.stop import Stopped, stop_what_may_not_leave
from pipelines.store import access, disclosures, frames, recheck, restraints
from pipelines.store.engine import transaction


def restrain(
    night: Night, number: str, kind: str, *, channel: str, evidence: str | None, who: str, why: str
) -> Stopped:
    """A customer forbids `kind` (`domain.restraints.KINDS`); what is stopped by it, and what has left already.

    One transaction: from its end on nothing leaves that the restraint bars, and what it finds on its way was
    on its way before it. Raises NotFound for nobody, HubError for an unknown kind.
    """
    if kind not in KINDS:
        raise HubError(f"a restraint is one of {', '.join(KINDS)}", says="no.restraint")
    with transaction(night.engine) as conn:
        recheck.alone(conn)
        party_id = party_of(conn, number)
        access.record(conn, night.now(), who, f"customer restrain {kind}", party_id, why)
        if restraints.record(conn, party_id, kind, channel, evidence, night.now()):
            disclosures.append_leaves(conn, [leaf(_leaf_kind(kind))], night.now())
        return stop_what_may_not_leave(conn, night)


def release(
    night: Night,
    number: str,
    kind: str,
    *,
    who: str,
    why: str,
    informed: str | None = None,
    approved_by: str | None = None,
) -> None:
    """A restraint ends; NotFound when none stands. The next night looks at the customer again.

    informed: the day on which the customer was told that a restriction ends, without which none does (GDPR art.
    18(3)). HubError where it is missing, is no day or lies ahead. approved_by: as `second_person.demand_two` wants it, since
    data of the customer goes out again (R56).
    """
    demand_informed(night, kind, informed)
    with transaction(night.engine) as conn:
        party_id = party_of(conn, number)
        if not restraints.end(conn, party_id, kind, night.now()):
            raise NotFound(
                f"no {kind} stands for this customer; see: hub customer show NUMBER",
                says="desk.restraint.not_standing",
            )
        if is_under_order(conn, party_id):
            demand_two(who, approved_by, f"customer P{party_id}", "Asiakkaat", (party_id,))
        told = f"informed {informed}" if informed else None
        access.record(conn, night.now(), who, f"customer release {kind}", party_id, why, told)


def keep_restricted(conn: Connection, found: Golden, before: pd.DataFrame) -> Golden:
    """The golden rows of tonight, of restricted customers as they stand (`before`: GOLDEN): no source overwrites one."""
    restricted = restraints.parties(conn, (RESTRICTION,)) & set(before["party_id"])
    if not restricted:
        return found
    values = frames.read_matching(conn, PROVENANCE, before, ("party_id",))
    return as_they_stood(found, before, values, restricted)


def freed_since(conn: Connection, instant: str) -> pd.Series:
    """party_id of those whose restriction has ended since: their sources count again."""
    return restraints.ended_since(conn, (RESTRICTION,), instant)


def demand_informed(night: Night, kind: str, informed: str | None) -> None:
    """HubError where a restriction would end that the customer has not been told of; what else ends wants no day."""
    if kind != RESTRICTION:
        return
    if informed is None:
        raise HubError(
            "a restriction ends once the customer has been told that it will: say when",
            says="no.informed",
        )
    try:
        is_day = date.fromisoformat(informed).isoformat() == informed
    except ValueError:
        is_day = False
    if not is_day or informed > _today(night):
        raise HubError(
            "the customer was told on a day that has come, YYYY-MM-DD", says="no.informed_day"
        )


def _today(night: Night) -> str:
    """The day it is where the customer was told."""
    return night.clock().astimezone(HELSINKI).date().isoformat()


def _leaf_kind(kind: str) -> str:
    return "restricted" if kind == RESTRICTION else "ban"
