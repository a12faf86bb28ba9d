"""Put a right value in place of a refused one, beside the source's own word; take such an act back.

Belongs here: what may be corrected and undone, and that a correction satisfies the rules that the record broke. Does not
belong here: what a correction does to a record (`domain.correction`), letting on or leaving out (`decide`). Landing is
never changed: a record is read with its corrections in place for as long as its source says the same wrong thing.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from sqlalchemy import Connection

from pipelines.domain import correction
from pipelines.domain.correction import NotAField
from pipelines.domain.schemas import GOLDEN_ROLES, LANDED, PARTY_RECORDS
from pipelines.settings import RecipientContract
from pipelines.steps.around import NotFound, required_fields, unread_field
from pipelines.steps.decide import Undecidable, demand_two_behind
from pipelines.steps.look_at_refused import (
    as_came,
    fields_known,
    is_hidden,
    may_be_shown,
    party_behind,
)
from pipelines.steps.night import Night, executing
from pipelines.steps.standardise import broken_rules
from pipelines.steps.weigh import NOT_ONE_RECORD
from pipelines.store import access, corrections, frames, nights, notifications, quarantine
from pipelines.store.notifications import Wanted

_KEY = list(LANDED.key)
Why = Literal["no_field", "hidden", "unread", "required", "not_alone", "still_refused"]


class NotCorrected(Undecidable):
    """Nothing was corrected. why: what stands against it; fields, broken (rule, field): where. No value is in it."""

    def __init__(
        self,
        text: str,
        why: Why,
        *,
        fields: Sequence[str] = (),
        broken: Sequence[tuple[str, str | None]] = (),
    ) -> None:
        super().__init__(text, says=f"no.correct_{why}")
        self.why = why
        self.fields = tuple(fields)
        self.broken = tuple(broken)


def correct(
    night: Night,
    quarantine_id: int,
    stated: Mapping[str, str],
    who: str,
    why: str,
    *,
    approved_by: str | None = None,
) -> tuple[str, ...]:
    """Correct fields of a refused record; the next night reads it so. Returns the fields, as they are now named.

    stated: field (`domain.correction`) → what a steward typed; nothing takes the field out. The record is held against
    the same rules at once, all its corrections in place: NotCorrected, with nothing changed, while one that holds records
    back is still broken, and where a protective order hides a field. A field corrected before is corrected anew.
    approved_by: as `second_person.demand_two` wants it.
    """
    with executing(night, "correct") as step:
        conn = step.conn
        item = _item(conn, quarantine_id)
        key = pd.DataFrame([item[_KEY]])
        in_force = corrections.in_force(conn, key)
        record = _record(conn, item)
        content: dict[str, Any] = record["content"].iloc[0]
        known = fields_known(night, str(item["source"]), content)
        _demand_seen(conn, item, stated)
        demand_two_behind(conn, item, who, approved_by)
        wanted = _wanted(stated, content, known, _unread(night, item))
        _demand_required(night, item, wanted)
        replaced = {
            str(field): int(number)
            for field, number in zip(in_force["field"], in_force["correction_no"], strict=True)
            if field in wanted
        }
        rest = in_force[~in_force["field"].isin(wanted)]
        rows = [
            {
                **{name: item[name] for name in _KEY},
                "field": field,
                "refused": correction.value_at(content, field),
                "corrected": value,
                "content": content if _is_unlanded(item) else None,
                "content_hash": record["content_hash"].iloc[0],
                "quarantine_id": quarantine_id,
                "replaces": replaced.get(field),
                "step_run": step.id,
                "decided_by": who,
                "decided_at": night.now(),
                "reason": why,
            }
            for field, value in wanted.items()
        ]
        _demand_valid(conn, night, record, rest, rows)
        corrections.add(conn, rows)
        quarantine.settle(conn, item, who, why, night.now())
        corrections.read_again(conn, key, step.id)
        _record_access(conn, night, item, "quarantine correct", who, why)
    return tuple(wanted)


def undo(
    night: Night, quarantine_id: int, who: str, why: str, *, approved_by: str | None = None
) -> str:
    """Take the last act on a refused record back, as if it had never been; returns what was taken back.

    A drop as long as the source has sent nothing newer. A correction or a release until a night (or a refresh) has read
    the record with it: then the register rests on it, and a correction can be corrected anew.
    approved_by: as `second_person.demand_two` wants it.
    """
    with executing(night, "undo") as step:
        conn = step.conn
        item = _item(conn, quarantine_id)
        demand_two_behind(conn, item, who, approved_by)
        key = pd.DataFrame([item[_KEY]])
        state = str(item["state"])
        match state:
            case "corrected":
                _undo_correction(conn, night, item, who)
            case "released" | "dropped":
                if _is_outdated(conn, item):
                    raise Undecidable(
                        f"entry {quarantine_id}: the source has sent newer word since",
                        says="no.newer_word", n=quarantine_id,
                    )  # fmt: skip
                if state == "released" and _was_read(conn, corrections.stamp(conn, key)):
                    raise Undecidable(
                        f"entry {quarantine_id}: a night has read the record; it waits for its source now",
                        says="no.entry_read", n=quarantine_id,
                    )  # fmt: skip
                quarantine.reopen(conn, item)
            case _:
                raise Undecidable(
                    f"entry {quarantine_id} is {state}: nothing to undo",
                    says="no.entry_undecided", n=quarantine_id,
                )  # fmt: skip
        corrections.read_again(conn, key, step.id)
        _record_access(conn, night, item, "quarantine undo", who, why)
    return state


def _undo_correction(conn: Connection, night: Night, item: "pd.Series[Any]", who: str) -> None:
    number = item["quarantine_id"]
    mine = _settling(conn, item)
    last = int(mine["step_run"].max())
    if _was_read(conn, last):
        raise Undecidable(
            f"entry {number}: a night has read the record with it; correct it anew: "
            f"hub quarantine correct {number} FIELD=VALUE",
            says="desk.correct.is_read",
        )
    act = mine[mine["step_run"] == last]
    corrections.close(conn, list(act["correction_no"]), "undone", night.now(), by=who)
    corrections.reopen(conn, list(act["replaces"].dropna()))
    if len(act) == len(mine) and act["replaces"].isna().all():
        quarantine.reopen(conn, item)


def _settling(conn: Connection, item: "pd.Series[Any]") -> pd.DataFrame:
    in_force = corrections.in_force(conn, pd.DataFrame([item[_KEY]]))
    mine = correction.settling(in_force, item)
    if mine.empty:
        number = item["quarantine_id"]
        raise Undecidable(
            f"entry {number}: the source has sent newer word since",
            says="no.newer_word", n=number,
        )  # fmt: skip
    return mine


# ---- whoever supplied the error hears of it


def queue_notices_to_sources(conn: Connection, night: Night) -> int:
    """A notice to each joint controller that supplied a value which a steward has corrected (R43); how many are new.

    Where the controller has a contract with us; any other source is told by the report alone (`report_faults`). It goes
    by hand: what a steward put in place is no other register's word, so that no delivery would carry it.
    """
    in_force = corrections.in_force(conn)
    wanted = []
    for source, rows in in_force.groupby("source", sort=True):
        contract = _controller_of(night, str(source))
        if contract is None:
            continue
        for (quarantine_id, kind, key), act in rows.groupby(
            ["quarantine_id", "kind", "source_key"]
        ):
            party = _party_of(conn, str(source), str(kind), str(key))
            if party is not None:
                fields = sorted(
                    {f for path in act["field"] for f in correction.standard_fields(path)}
                )
                wanted.append(
                    Wanted(
                        "correction", contract.recipient, party, tuple(fields), "supplied_it",
                        f"quarantine {quarantine_id}", (), "hand", "prepared",
                    )
                )  # fmt: skip
    return len(notifications.queue(conn, wanted, night.now()))


def _controller_of(night: Night, source: str) -> RecipientContract | None:
    config = night.settings.sources.get(source)
    if config is None or config.controller is None:
        return None
    return night.settings.recipients.get(config.controller)


def _party_of(conn: Connection, source: str, kind: str, key: str) -> int | None:
    schema = {"party": PARTY_RECORDS, "role": GOLDEN_ROLES}.get(kind)
    if schema is None:
        return None
    record = pd.DataFrame([{"source": source, "source_key": key}])
    found = frames.read_matching(conn, schema, record, ("source", "source_key"))
    return None if found.empty else int(found["party_id"].iloc[0])


# ---- one record


def _item(conn: Connection, quarantine_id: int) -> "pd.Series[Any]":
    item = quarantine.item(conn, quarantine_id)
    if item is None:
        raise NotFound(
            f"quarantine has no entry {quarantine_id}; see: hub quarantine list",
            says="no.entry", n=quarantine_id,
        )  # fmt: skip
    return item


def _record(conn: Connection, item: "pd.Series[Any]") -> pd.DataFrame:
    """The LANDED row that the refusal is about, or one made of what could be read of a record that never landed."""
    number, state = item["quarantine_id"], item["state"]
    if state not in ("open", "corrected"):
        raise Undecidable(
            f"entry {number} is {state}; see: hub quarantine list",
            says="no.entry_decided", n=number,
        )  # fmt: skip
    if state == "corrected":
        _settling(conn, item)
    if not _is_unlanded(item):
        landed = frames.read_matching(conn, LANDED, pd.DataFrame([item[_KEY]]), tuple(_KEY))
        is_it = not landed.empty and landed["content_hash"].iloc[0] == item["content_hash"]
        if is_it or state == "corrected":
            return landed
    if item["rule"] in NOT_ONE_RECORD:
        raise Undecidable(
            f"entry {number}: the later of two rows counts; once it is right: "
            f"hub quarantine drop {number}",
            says="no.entry_doubled", n=number,
        )  # fmt: skip
    if not isinstance(item["content"], dict) or not item["content"]:
        raise Undecidable(
            f"entry {number}: nothing of the record could be read, so its source has to mend it; "
            f"see: hub quarantine report {item['source']}",
            says="no.entry_unreadable", n=number,
        )  # fmt: skip
    row = {name: item[name] for name in (*_KEY, "content", "content_hash", "business_date")}
    return LANDED.frame([{**row, "source_time": item["opened_at"], "field_times": {}}])


def _is_unlanded(item: "pd.Series[Any]") -> bool:
    """Whether the refusal is about a row that could not be landed, whatever was landed of the record before."""
    return isinstance(item["content"], dict)


def _is_outdated(conn: Connection, item: "pd.Series[Any]") -> bool:
    landed = frames.read_matching(conn, LANDED, pd.DataFrame([item[_KEY]]), tuple(_KEY))
    if landed.empty or _is_unlanded(item):
        return False
    return bool(landed["content_hash"].iloc[0] != item["content_hash"])


def _demand_seen(conn: Connection, item: "pd.Series[Any]", stated: Mapping[str, str]) -> None:
    """What a protective order hides from whoever corrects is not corrected blindly."""
    content = as_came(conn, item)
    if not is_hidden(conn, item, content, party_behind(conn, item, content)):
        return
    unseen = [field for field in stated if not may_be_shown(field, hidden=True)]
    if unseen:
        raise NotCorrected(
            f"{', '.join(unseen)}: hidden by a protective order, so its source has to mend it",
            "hidden", fields=unseen,
        )  # fmt: skip


def _unread(night: Night, item: "pd.Series[Any]") -> str | None:
    """The cell that kept a row from being landed: whatever else is corrected, it must not be lost in silence."""
    config = night.settings.sources.get(str(item["source"]))
    return None if config is None or not _is_unlanded(item) else unread_field(config, item)


def _wanted(
    stated: Mapping[str, str], content: Mapping[str, Any], known: frozenset[str], unread: str | None
) -> dict[str, object]:
    if unread is not None and unread not in stated:
        raise NotCorrected(
            f"{unread} could not be read: say what belongs there, or nothing: {unread}=",
            "unread", fields=[unread],
        )  # fmt: skip
    wanted: dict[str, object] = {}
    for field, text in stated.items():
        try:
            correction.check(field, known)
            value = correction.typed(text, field)
            if field != unread and correction.still_says(content, field, value):
                raise NotAField(f"{field}: the record says that already")
            correction.with_value(content, field, value)
        except NotAField as error:
            raise NotCorrected(str(error), "no_field", fields=[field]) from None
        wanted[field] = value
    return wanted


def _demand_required(night: Night, item: "pd.Series[Any]", wanted: Mapping[str, object]) -> None:
    """What its source's mapping requires of a row is required of a corrected one too."""
    config = night.settings.sources.get(str(item["source"]))
    required = required_fields(config, str(item["kind"])) if config is not None else frozenset()
    for field, value in wanted.items():
        if value is None and field in required:
            raise NotCorrected(
                f"{field} is required of this source: it can't be taken out",
                "required", fields=[field],
            )  # fmt: skip


def _demand_valid(
    conn: Connection,
    night: Night,
    record: pd.DataFrame,
    rest: pd.DataFrame,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Read the record as the next night will: with the corrections in force and these."""
    numbered = pd.DataFrame([{**row, "correction_no": -n} for n, row in enumerate(rows, start=1)])
    every = pd.concat([rest.astype(object), numbered.astype(object)], ignore_index=True)
    found = correction.corrected(record, every)
    if not set(numbered["correction_no"]) <= found.applied:
        raise NotCorrected(
            "these corrections change what another of them is about: do one at a time",
            "not_alone", fields=list(numbered["field"]),
        )  # fmt: skip
    broken = broken_rules(conn, night, found.landed, list(numbered["field"]))
    if not broken.empty:
        rules = [
            (str(rule), field if isinstance(field, str) else None)
            for rule, field in zip(broken["rule"], broken["field"], strict=True)
        ]
        told = ", ".join(f"{rule} ({field})" if field else rule for rule, field in rules)
        raise NotCorrected(
            f"the record would still be refused, so nothing was changed: {told}; "
            "correct every field that is wrong in one command",
            "still_refused", broken=rules,
        )  # fmt: skip


def _was_read(conn: Connection, stamp: int) -> bool:
    return nights.last_consumed(conn, "standardise") >= stamp


def _record_access(
    conn: Connection, night: Night, item: "pd.Series[Any]", operation: str, who: str, why: str
) -> None:
    party = party_behind(conn, item, as_came(conn, item))
    detail = f"quarantine {item['quarantine_id']}"
    access.record(conn, night.now(), who, operation, party, why, detail)
