"""Turn what was landed into standard rows, and set aside what is not valid.

Belongs here: running the domain's reading and the rule book over what changed, holding addresses against the
post's file, quarantine, and the one thing that may not wait for a steward: a protective order. Does not belong
here: what a valid value is (`expectations`), how a name or address is read (`domain.standardise`).
"""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection

from expectations.rules import severity_of
from expectations.run import Findings, validate
from pipelines.domain.address import AMBIGUITIES
from pipelines.domain.correction import corrected, never_landed
from pipelines.domain.postal import GRADES, grades
from pipelines.domain.schemas import (
    ADDRESSES,
    INVOICES,
    LANDED,
    ORDERS,
    PARTIES,
    POINTS,
    ROLES,
    Schema,
)
from pipelines.domain.standardise import Standardised, companions
from pipelines.domain.standardise import standardise as read_landed
from pipelines.steps.night import Check, Night, StepResult, StepRun, executing
from pipelines.steps.notify import newly_protected, prepare_recalls
from pipelines.steps.stop import stop_what_may_not_leave
from pipelines.steps.weigh import waiting_counts
from pipelines.store import corrections, frames, linkage, postal, quarantine

_CHECK_OF = {
    PARTIES: "parties_valid",
    ADDRESSES: "addresses_valid",
    POINTS: "points_valid",
    ROLES: "roles_valid",
    INVOICES: "invoices_valid",
    ORDERS: "orders_valid",
}
STANDARDISE_CHECKS = tuple(_CHECK_OF.values())
_RECORD = ["source", "source_key"]
_KIND = {
    PARTIES.name: "party",
    ADDRESSES.name: "party",
    POINTS.name: "point",
    ROLES.name: "role",
    INVOICES.name: "invoice",
    ORDERS.name: "order",
}


@dataclass(frozen=True)
class _Read:
    """Standard frames by table, what the rule book found in each, what could not be read at all (`Standardised`)."""

    tables: dict[Schema, pd.DataFrame]
    findings: dict[Schema, Findings]
    standard: Standardised


def standardise(night: Night) -> StepResult:
    """Standard rows of every record landed, released, corrected or changed since the last night."""
    with executing(night, "standardise") as step:
        in_force = corrections.in_force(step.conn)
        landed = _landed(step, in_force)
        if landed.empty:
            step.counts.update(read=0, accepted=0, quarantined=0, opened=0)
            _hold_against_newer_file(step)
            return _result(step, night, {}, pd.DataFrame())
        landed = _with_companions(step.conn, landed, in_force)
        mended = corrected(landed, in_force)
        read = _read(night, mended.landed)
        standard, tables = read.standard, read.tables
        tables[ADDRESSES] = _held_against_file(step, standard.addresses)
        critical = _critical(step.conn, landed, read)
        step.counts["opened"] = quarantine.open_findings(
            step.conn, critical.assign(content=None), night.now()
        )
        refused = critical[["source", "kind", "source_key"]].drop_duplicates()
        _keep(step, tables, refused)
        _protect(step, standard.parties, refused)
        stop_what_may_not_leave(step.conn, night)
        protected = standard.parties.loc[standard.parties["protection"] == "on", _RECORD]
        if not protected.empty:
            prepare_recalls(step.conn, night, newly_protected(step.conn, protected))
        step.counts.update(
            read=len(landed),
            accepted=len(landed) - len(refused),
            quarantined=len(refused),
        )
        _hold_against_newer_file(step)
        applied = in_force[in_force["correction_no"].isin(mended.applied)]
        records = applied.drop_duplicates(list(LANDED.key))
        for source, n in records["source"].value_counts().items():
            step.counts[f"corrected_of:{source}"] = int(n)
        return _result(step, night, read.findings, standard.refusals)


def broken_rules(
    conn: Connection, night: Night, record: pd.DataFrame, corrected_fields: Collection[str]
) -> pd.DataFrame:
    """What stands against reading one record as corrected: kind, source_key, rule, field; empty when nothing does.

    record: its LANDED row, with whatever a steward means to put in place of corrected_fields. It is what the next night
    would refuse it for, by the same rules and with the records that are read together with it; and a corrected field
    that could not be read, which in a source's own word would only be left empty.
    """
    in_force = corrections.in_force(conn)
    others = _with_companions(conn, record, in_force)
    mended = corrected(others.iloc[len(record) :], in_force).landed
    landed = pd.concat([record, mended], ignore_index=True)
    read = _read(night, landed)
    unread = read.standard.refusals
    unread = unread[unread["field"].isin(list(corrected_fields))]
    mine = record[list(LANDED.key)]
    columns = ["kind", "source_key", "rule", "field"]
    found = [
        frame.merge(mine, on=list(LANDED.key)) for frame in (_critical(conn, landed, read), unread)
    ]
    return pd.concat([frame[columns] for frame in found]).drop_duplicates(["rule", "field"])


def _read(night: Night, landed: pd.DataFrame) -> _Read:
    standard = read_landed(landed, night.settings.hub.allow_test_identities)
    tables = {
        PARTIES: standard.parties,
        ADDRESSES: standard.addresses,
        POINTS: standard.points,
        ROLES: standard.roles,
        INVOICES: standard.invoices,
        ORDERS: standard.orders,
    }
    return _Read(tables, {t: validate(t, frame) for t, frame in tables.items()}, standard)


def _landed(step: StepRun, in_force: pd.DataFrame) -> pd.DataFrame:
    """What changed or was corrected, less what a steward dropped in exactly this form."""
    landed = frames.changed_since(step.conn, LANDED, step.since)
    dropped = quarantine.dropped(step.conn)
    if not dropped.empty:
        key = ["source", "kind", "source_key", "content_hash"]
        landed = landed[
            ~pd.MultiIndex.from_frame(landed[key]).isin(pd.MultiIndex.from_frame(dropped[key]))
        ]
    lately = in_force.loc[in_force["step_run"] > step.since, list(LANDED.key)]
    return _in_their_place(landed, never_landed(in_force), lately)


def _in_their_place(
    landed: pd.DataFrame, never: pd.DataFrame, wanted: pd.DataFrame
) -> pd.DataFrame:
    """Landed rows, and of those wanted what never landed; the newer word, so it stands in an older row's place."""
    if never.empty:
        return landed
    key = list(LANDED.key)
    asked = pd.MultiIndex.from_frame(pd.concat([landed[key], wanted[key]]))
    mine = never[pd.MultiIndex.from_frame(never[key]).isin(asked)]
    older = pd.MultiIndex.from_frame(landed[key]).isin(pd.MultiIndex.from_frame(mine[key]))
    return pd.concat([landed[~older], mine], ignore_index=True)


def _with_companions(
    conn: Connection, landed: pd.DataFrame, in_force: pd.DataFrame
) -> pd.DataFrame:
    """Also the unchanged records that have to be read with these: a party and its roles' addresses; they come last."""
    parties = landed.loc[landed["kind"] == "party", _RECORD]
    roles = frames.read_matching(
        conn,
        ROLES,
        parties.rename(columns={"source_key": "party_source_key"}),
        ("source", "party_source_key"),
    )
    missing = companions(landed, roles)
    theirs = frames.read_matching(conn, LANDED, missing, ("source", "kind", "source_key"))
    theirs = _in_their_place(theirs, never_landed(in_force), missing)
    return pd.concat([landed, theirs], ignore_index=True)


def _held_against_file(step: StepRun, addresses: pd.DataFrame) -> pd.DataFrame:
    """Tonight's addresses with how each stands beside the post's file, and both counted."""
    ambiguous = addresses["ambiguity"].value_counts()
    step.counts.update({kind: int(ambiguous[kind]) for kind in AMBIGUITIES if kind in ambiguous})
    if not postal.changed_in(step.conn):
        return addresses
    there = postal.around(step.conn, addresses["postal_code"])
    checked = addresses.assign(postal_check=grades(addresses, there.codes, there.streets))
    _count_grades(step, checked["postal_check"])
    return checked


def _hold_against_newer_file(step: StepRun) -> None:
    """All addresses anew once the post's file has changed; only those that now stand otherwise are written.

    Nothing is made of it further on, so the rows keep their stamp: nobody is matched again for it.
    """
    if postal.changed_in(step.conn) <= step.since:
        return
    held = postal.standing(step.conn)
    there = postal.around(step.conn)
    now = grades(held, there.codes, there.streets)
    moved = now.fillna("") != held["postal_check"].fillna("")
    postal.put_checks(step.conn, held.assign(postal_check=now)[moved])
    _count_grades(step, now)


def _count_grades(step: StepRun, checked: pd.Series) -> None:
    found = checked.value_counts()
    step.counts.update({f"address_{grade}": int(found.get(grade, 0)) for grade in GRADES})


def _critical(conn: Connection, landed: pd.DataFrame, read: _Read) -> pd.DataFrame:
    """The findings that hold a record back, as `quarantine.open_findings` takes them; released ones left out."""
    standard = read.standard
    found = [
        f.findings.assign(kind=_KIND[table.name], reason=None) for table, f in read.findings.items()
    ]
    refusals = standard.refusals.assign(severity=standard.refusals["rule"].map(severity_of))
    every = pd.concat([*found, refusals], ignore_index=True)
    columns = ["source", "kind", "source_key", "rule"]
    every = every.drop_duplicates(columns).merge(
        landed[["source", "kind", "source_key", "content_hash", "business_date"]],
        on=["source", "kind", "source_key"],
        how="left",
    )
    waived = quarantine.released(conn)
    if not waived.empty:
        same = [*columns, "content_hash"]
        every = every[
            ~pd.MultiIndex.from_frame(every[same]).isin(pd.MultiIndex.from_frame(waived[same]))
        ]
    return every[every["severity"] == "critical"]


def _keep(step: StepRun, tables: dict[Schema, pd.DataFrame], refused: pd.DataFrame) -> None:
    """Replace the standard rows of accepted records; a refused record keeps its last good rows."""
    for table, frame in tables.items():
        kind = _KIND[table.name]
        out = pd.MultiIndex.from_frame(refused.loc[refused["kind"] == kind, _RECORD])
        good = frame[~pd.MultiIndex.from_frame(frame[_RECORD]).isin(out)]
        if table is ADDRESSES:
            parties = tables[PARTIES]
            kept = parties[~pd.MultiIndex.from_frame(parties[_RECORD]).isin(out)]
            frames.remove(step.conn, ADDRESSES, kept[_RECORD], tuple(_RECORD))
        if table is ROLES:
            linkage.put_roles(step.conn, good, step.id)
        else:
            frames.put(step.conn, table, good, step.id)


def _protect(step: StepRun, parties: pd.DataFrame, refused: pd.DataFrame) -> None:
    """A protective order applies at once, even when the record that tells of it is refused (R56)."""
    out = pd.MultiIndex.from_frame(refused.loc[refused["kind"] == "party", _RECORD])
    telling = parties[
        pd.MultiIndex.from_frame(parties[_RECORD]).isin(out) & (parties["protection"] == "on")
    ]
    if telling.empty:
        return
    held = frames.read_matching(step.conn, PARTIES, telling[_RECORD], tuple(_RECORD))
    if held.empty:
        return
    frames.put(step.conn, PARTIES, held.assign(protection="on"), step.id)
    addresses = frames.read_matching(step.conn, ADDRESSES, held[_RECORD], tuple(_RECORD))
    hidden = addresses[addresses["address_type"] != "contact"]
    frames.remove(step.conn, ADDRESSES, hidden[list(ADDRESSES.key)])


def _result(
    step: StepRun, night: Night, findings: dict[Schema, Findings], refusals: pd.DataFrame
) -> StepResult:
    """One check a table, with how often each rule was broken; a rule nobody broke is left out."""
    checks = []
    for table, name in _CHECK_OF.items():
        failed = dict(findings[table].failed) if table in findings else {}
        if table is not ADDRESSES and not refusals.empty:
            mine = refusals.loc[refusals["kind"] == _KIND[table.name], "rule"]
            for rule, n in mine.value_counts().items():
                failed[str(rule)] = failed.get(str(rule), 0) + int(n)
        broken = {rule: n for rule, n in failed.items() if n}
        grave = any(severity_of(rule) == "critical" for rule in broken)
        checks.append(Check(name, not broken, "critical" if grave else "warning", broken))
    return StepResult(
        status="attention" if step.counts["quarantined"] else "ok",
        counts={**step.counts, **waiting_counts(step.conn, night)},
        checks=tuple(checks),
    )
