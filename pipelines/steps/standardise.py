"""Turn what was landed into standard rows, and set aside what is not valid.

Belongs here: running the domain's reading and the rule book over what changed, quarantine, and the one
thing that may not wait for a steward: a protective order. Does not belong here: what a valid value is
(`expectations`), how a name or address is read (`domain.standardise`).
"""

import pandas as pd

from expectations.rules import severity_of
from expectations.run import Findings, validate
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
from pipelines.store import frames, linkage, quarantine

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


def standardise(night: Night) -> StepResult:
    """Standard rows of every record landed, released or changed since the last night."""
    with executing(night, "standardise") as step:
        landed = _landed(step)
        if landed.empty:
            step.counts.update(read=0, accepted=0, quarantined=0)
            return _result(step, {}, pd.DataFrame())
        landed = pd.concat([landed, _companions(step, landed)], ignore_index=True)
        standard = read_landed(landed, night.settings.hub.allow_test_identities)
        tables = {
            PARTIES: standard.parties,
            ADDRESSES: standard.addresses,
            POINTS: standard.points,
            ROLES: standard.roles,
            INVOICES: standard.invoices,
            ORDERS: standard.orders,
        }
        findings = {table: validate(table, frame) for table, frame in tables.items()}
        refused = _refused(step, night, landed, standard, findings)
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
        return _result(step, findings, standard.refusals)


def _landed(step: StepRun) -> pd.DataFrame:
    """What changed, less what a steward dropped in exactly this form."""
    landed = frames.changed_since(step.conn, LANDED, step.since)
    dropped = quarantine.dropped(step.conn)
    if dropped.empty:
        return landed
    key = ["source", "kind", "source_key", "content_hash"]
    return landed[
        ~pd.MultiIndex.from_frame(landed[key]).isin(pd.MultiIndex.from_frame(dropped[key]))
    ]


def _companions(step: StepRun, landed: pd.DataFrame) -> pd.DataFrame:
    """Unchanged records that have to be read with the changed ones: a party and its roles' addresses."""
    parties = landed.loc[landed["kind"] == "party", _RECORD]
    roles = frames.read_matching(
        step.conn,
        ROLES,
        parties.rename(columns={"source_key": "party_source_key"}),
        ("source", "party_source_key"),
    )
    missing = companions(landed, roles)
    return frames.read_matching(step.conn, LANDED, missing, ("source", "kind", "source_key"))


def _refused(
    step: StepRun,
    night: Night,
    landed: pd.DataFrame,
    standard: Standardised,
    findings: dict[Schema, Findings],
) -> pd.DataFrame:
    """Put what failed into quarantine; returns kind and key of the records that may not go on."""
    found = [
        f.findings.assign(kind=_KIND[table.name], reason=None) for table, f in findings.items()
    ]
    refusals = standard.refusals.assign(severity=standard.refusals["rule"].map(severity_of))
    every = pd.concat([*found, refusals], ignore_index=True)
    columns = ["source", "kind", "source_key", "rule"]
    every = every.drop_duplicates(columns).merge(
        landed[["source", "kind", "source_key", "content_hash", "business_date"]],
        on=["source", "kind", "source_key"],
        how="left",
    )
    waived = quarantine.released(step.conn)
    if not waived.empty:
        same = [*columns, "content_hash"]
        every = every[
            ~pd.MultiIndex.from_frame(every[same]).isin(pd.MultiIndex.from_frame(waived[same]))
        ]
    critical = every[every["severity"] == "critical"]
    quarantine.open_findings(step.conn, critical.assign(content=None), night.now())
    return critical[["source", "kind", "source_key"]].drop_duplicates()


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


def _result(step: StepRun, findings: dict[Schema, Findings], refusals: pd.DataFrame) -> StepResult:
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
        counts=dict(step.counts),
        checks=tuple(checks),
    )
