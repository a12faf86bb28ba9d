"""What matching remembers from night to night: numbered records, candidate keys, readings, the model.

Belongs here: keeping and finding them by number, telling what has to be looked at again, forgetting. Does not
belong here: compared pairs (`pairs`), what a key or a reading means (`linkage`), ids (`domain`), judgements.

All stands under a record's number, which is minted once and never given again, so that a register of a million
records stays small; a number means nothing outside these tables. What changes is handed in as it was and as it is to
be, and only the difference is written: a row's page is dear where the register is large.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    desc,
    func,
    insert,
    select,
    update,
)

from pipelines.domain.schemas import POINTS, ROLES
from pipelines.store import frames, nights, pairs
from pipelines.store.pairs import Numbers
from pipelines.store.tables import (
    match_key,
    match_model,
    match_reading,
    match_record,
    party_record,
    standard_address,
    standard_party,
    standard_point,
    standard_role,
    table_of,
)

KEYS = ("match_key", "record_no", "sort")
FELLOWS = (1, 2)
"""Sorts of keys (`linkage.candidates.Sort`) by which records bear on one another without being compared."""
READINGS = (
    "record_no",
    "party_type",
    "living_key",
    "business_id",
    "others",
    "component",
    "content",
)
_RECORD = ("source", "source_key")
_PARTY = (
    "party_type", "given_names", "family_name", "organisation_name", "name_role", "person_key",
    "superseded_person_keys", "birth_key", "business_id", "phone", "email", "protection",
)  # fmt: skip
_ADDRESS = (
    "address_no", "address_type", "street_line", "street_name", "house", "stair", "apartment", "split",
    "postal_code", "post_office",
)  # fmt: skip


# ---- records


def number(conn: Connection, records: pd.DataFrame) -> Numbers:
    """The numbers of those of the records (source, source_key) that stand as parties, ascending.

    Who has none yet gets one.
    """
    standing = frames.rows(
        conn,
        select(*(standard_party.c[name] for name in _RECORD)).where(
            frames.matching(conn, standard_party, records, _RECORD)
        ),
    )
    held = numbered(conn, standing)
    missing = standing.merge(held, on=list(_RECORD), how="left")
    missing = missing.loc[missing["record_no"].isna(), list(_RECORD)].sort_values(list(_RECORD))
    if len(missing):
        first = nights.next_id(conn, "match_record", len(missing))
        minted = missing.assign(record_no=np.arange(first, first + len(missing)))
        frames.append(conn, match_record, minted)
        held = pd.concat([held, minted])
    return np.sort(held["record_no"].to_numpy(dtype=np.int64))


def numbered(conn: Connection, records: pd.DataFrame) -> pd.DataFrame:
    """record_no, source, source_key of those of the records that have a number."""
    return _numbered(conn, frames.matching(conn, match_record, records, _RECORD))


def known(conn: Connection, records: pd.DataFrame) -> Numbers:
    """The numbers of those of the records that have one, ascending."""
    return np.sort(numbered(conn, records)["record_no"].to_numpy(dtype=np.int64))


def records_of(conn: Connection, numbers: Numbers | None = None) -> pd.DataFrame:
    """record_no, source, source_key by number; of everybody if none are given."""
    if numbers is None:
        return _numbered(conn)
    return _numbered(conn, _among(conn, "record_no", numbers))


def count(conn: Connection) -> int:
    """How many records are numbered."""
    return conn.scalar(select(func.count()).select_from(match_record)) or 0


def touched_since(conn: Connection, step_run: int) -> Numbers:
    """Numbers of the records marked by a later step execution than `step_run` (`touch`)."""
    marked = select(match_record.c.record_no).where(frames.later_than(conn, match_record, step_run))
    return np.array(sorted(conn.scalars(marked)), dtype=np.int64)


def touch(conn: Connection, numbers: Numbers, step_run: int) -> None:
    """Mark records to be looked at again by the next matching."""
    if len(numbers):
        conn.execute(
            update(match_record).where(_among(conn, "record_no", numbers)).values(step_run=step_run)
        )


def parties(conn: Connection, numbers: Numbers | None = None) -> pd.DataFrame:
    """record_no, source and what is compared of a party, by number; of everybody if none are given."""
    columns = (standard_party.c[name] for name in ("source", *_PARTY))
    return frames.rows(
        conn,
        select(match_record.c.record_no, *columns)
        .join(standard_party, _same_record(standard_party))
        .where(*_of(conn, numbers))
        .order_by(match_record.c.record_no),
    )


def identities(conn: Connection, numbers: Numbers) -> pd.DataFrame:
    """record_no and what is stated of their identity codes, by number."""
    names = ("person_key", "superseded_person_keys")
    return frames.rows(
        conn,
        select(match_record.c.record_no, *(standard_party.c[name] for name in names))
        .join(standard_party, _same_record(standard_party))
        .where(*_of(conn, numbers))
        .order_by(match_record.c.record_no),
    )


def addresses(conn: Connection, numbers: Numbers | None = None) -> pd.DataFrame:
    """record_no and the parts of each of its addresses."""
    columns = (standard_address.c[name] for name in _ADDRESS)
    return frames.rows(
        conn,
        select(match_record.c.record_no, *columns)
        .join(standard_address, _same_record(standard_address))
        .where(*_of(conn, numbers))
        .order_by(match_record.c.record_no, standard_address.c.address_no),
    )


def properties(conn: Connection, numbers: Numbers | None = None) -> pd.DataFrame:
    """record_no, property_id of every point at which a record has a role, each once."""
    role, point = standard_role, standard_point
    return frames.rows(
        conn,
        select(match_record.c.record_no, point.c.property_id)
        .distinct()
        .join(
            role,
            and_(
                role.c.source == match_record.c.source,
                role.c.party_source_key == match_record.c.source_key,
            ),
        )
        .join(
            point,
            and_(point.c.source == role.c.source, point.c.source_key == role.c.point_source_key),
        )
        .where(*_of(conn, numbers), point.c.property_id.is_not(None))
        .order_by(match_record.c.record_no, point.c.property_id),
    )


def placed_since(conn: Connection, step_run: int) -> pd.DataFrame:
    """source, source_key of the parties whose role, or the point of whose role, was written later."""
    role = standard_role
    held = select(role.c.source, role.c.party_source_key).where(
        role.c.party_source_key.is_not(None)
    )
    points = frames.keys_changed_since(conn, POINTS, step_run)
    at_them = points.set_axis(["source", "point_source_key"], axis=1)
    # one after the other: asked for either at once, a database reads every role there is
    found = [
        frames.rows(conn, held.where(later))
        for later in (
            frames.later_than(conn, role, step_run),
            frames.matching(conn, role, at_them, ("source", "point_source_key")),
        )
    ]
    placed = pd.concat(found).drop_duplicates(ignore_index=True)
    return placed.set_axis(list(_RECORD), axis=1)


def put_roles(conn: Connection, roles: pd.DataFrame, step_run: int) -> None:
    """Write ROLES; whoever had one of them before is looked at again, without its property."""
    touch(conn, holders_of(conn, roles), step_run)
    frames.put(conn, ROLES, roles, step_run)


def holders_of(conn: Connection, roles: pd.DataFrame) -> Numbers:
    """Numbers of the parties that roles (source, source_key) name."""
    role = table_of(ROLES)
    named = frames.rows(
        conn,
        select(role.c.source, role.c.party_source_key)
        .distinct()
        .where(frames.matching(conn, role, roles, _RECORD)),
    )
    return known(conn, named.set_axis(list(_RECORD), axis=1))


# ---- keys


def keys_of(conn: Connection, numbers: Numbers, sorts: Sequence[int] = ()) -> pd.DataFrame:
    """KEYS of records; of some sorts only where any are named."""
    of_them = frames.matching(conn, match_key, _frame(numbers), ("record_no",))
    return _keys(conn, of_them, *([match_key.c.sort.in_(list(sorts))] if sorts else []))


def sharing(conn: Connection, keys: Iterable[int]) -> pd.DataFrame:
    """KEYS: every record that has one of the keys."""
    return _keys(conn, _having(conn, keys))


def meeting(conn: Connection, keys: Iterable[int], numbers: Numbers) -> pd.DataFrame:
    """KEYS: every record but these that has one of the keys."""
    theirs = frames.matching(conn, match_key, _frame(numbers), ("record_no",))
    return _keys(conn, _having(conn, keys), ~theirs)


def replace_keys(conn: Connection, keys: pd.DataFrame) -> None:
    """These are everybody's keys from now on."""
    conn.execute(delete(match_key))
    with frames.unindexed(conn, match_key):
        frames.append(conn, match_key, keys[list(KEYS)].sort_values(["match_key", "record_no"]))


def change_keys(conn: Connection, before: pd.DataFrame, after: pd.DataFrame) -> None:
    """In place of the keys that some records have, `before`, they have others."""
    gone, come = frames.differing(before[list(KEYS)], after[list(KEYS)], ["match_key", "record_no"])
    frames.remove_from(conn, match_key, gone, ("match_key", "record_no"))
    frames.append(conn, match_key, come)


# ---- readings


def readings(conn: Connection, numbers: Numbers) -> pd.DataFrame:
    """READINGS of those of the records that have been read."""
    columns = (match_reading.c[name] for name in READINGS)
    of_them = frames.matching(conn, match_reading, _frame(numbers), ("record_no",))
    return frames.rows(conn, select(*columns).where(of_them))


def components_of(conn: Connection, numbers: Numbers) -> Numbers:
    """The component of each of these records; of one that has not been read, itself."""
    of_them = frames.matching(conn, match_reading, _frame(numbers), ("record_no",))
    found = frames.rows(
        conn, select(match_reading.c.record_no, match_reading.c.component).where(of_them)
    )
    held = pd.Series(found["component"].to_numpy(np.int64), found["record_no"].to_numpy(np.int64))
    component = held.reindex(numbers).fillna(pd.Series(numbers, numbers))
    return component.to_numpy(dtype=np.int64)


def together(conn: Connection, components: Numbers | None = None) -> pd.DataFrame:
    """Everybody in some components, or at all, by number: record_no, component, what tells them apart, whose they are.

    party_type, living_key, business_id; source, source_key; party_id, null where they have none yet.
    """
    named = ("record_no", "component", "party_type", "living_key", "business_id")
    columns = (
        *(match_reading.c[name] for name in named),
        *(match_record.c[name] for name in _RECORD),
    )
    everybody = (
        select(*columns, party_record.c.party_id)
        .join(match_record, match_record.c.record_no == match_reading.c.record_no)
        .outerjoin(party_record, _same_record(party_record))
        .order_by(match_reading.c.record_no)
    )
    if components is None:
        return frames.rows(conn, everybody)
    wanted = frames.matching(conn, match_reading, _frame(components, "component"), ("component",))
    return frames.rows(conn, everybody.where(wanted))


def replace_readings(conn: Connection, readings: Iterable[pd.DataFrame]) -> None:
    """These READINGS, in the order of their numbers, are everybody's from now on."""
    conn.execute(delete(match_reading))
    with frames.unindexed(conn, match_reading):
        for part in readings:
            frames.append(conn, match_reading, part[list(READINGS)])


def put_readings(conn: Connection, readings: pd.DataFrame) -> None:
    """Write READINGS over those of the same records."""
    frames.upsert(conn, match_reading, readings[list(READINGS)].sort_values("record_no"))


def relabel(conn: Connection, numbers: Numbers, components: Numbers) -> None:
    """Records that have been read hang together otherwise: the component of each."""
    if len(numbers):
        statement = update(match_reading).where(match_reading.c.record_no == bindparam("record"))
        found = zip(numbers.tolist(), components.tolist(), strict=True)
        conn.execute(
            statement.values(component=bindparam("joined")),
            [{"record": record, "joined": joined} for record, joined in found],
        )


# ---- the model


def latest_model(conn: Connection) -> Any:
    """Content of the model in force; None before anything was learnt."""
    return conn.scalar(
        select(match_model.c.content).order_by(desc(match_model.c.model_no)).limit(1)
    )


def keep_model(conn: Connection, content: Any, records: int, business_date: str, now: str) -> None:
    """A new model is in force; older ones go."""
    number_: int = conn.execute(
        insert(match_model)
        .values(content=content, records=records, business_date=business_date, learnt_at=now)
        .returning(match_model.c.model_no)
    ).scalar_one()
    conn.execute(delete(match_model).where(match_model.c.model_no < number_))


# ---- forgetting


def forget(conn: Connection, records: pd.DataFrame, step_run: int) -> None:
    """Delete what is known of records (source, source_key); who was compared with them is looked at again."""
    gone = known(conn, records)
    if not len(gone):
        return
    keys = keys_of(conn, gone)
    fellows = sharing(conn, keys.loc[keys["sort"].isin(FELLOWS), "match_key"])["record_no"]
    held = pairs.having(conn, gone)
    beside = np.unique(
        np.concatenate(
            [
                values.to_numpy(dtype=np.int64)
                for values in (fellows, held["left_no"], held["right_no"])
            ]
        )
    )
    touch(conn, np.setdiff1d(beside, gone), step_run)
    change_keys(conn, keys, keys.iloc[:0])
    pairs.change(conn, held, held.iloc[:0])
    frames.remove_from(conn, match_reading, _frame(gone), ("record_no",))
    frames.remove_from(conn, match_record, _frame(gone), ("record_no",))


def _numbered(conn: Connection, *where: Any) -> pd.DataFrame:
    columns = (match_record.c[name] for name in ("record_no", *_RECORD))
    return frames.rows(conn, select(*columns).where(*where).order_by(match_record.c.record_no))


def _keys(conn: Connection, *where: Any) -> pd.DataFrame:
    return frames.rows(conn, select(*(match_key.c[name] for name in KEYS)).where(*where))


def _same_record(table: Any) -> Any:
    return and_(*(table.c[name] == match_record.c[name] for name in _RECORD))


def _of(conn: Connection, numbers: Numbers | None) -> list[Any]:
    return [] if numbers is None else [_among(conn, "record_no", numbers)]


def _among(conn: Connection, column: str, numbers: Numbers) -> Any:
    return frames.matching(conn, match_record, _frame(numbers), (column,))


def _having(conn: Connection, keys: Iterable[int]) -> Any:
    wanted = _frame(np.array(list(keys), dtype=np.int64), "match_key")
    return frames.matching(conn, match_key, wanted, ("match_key",))


def _frame(numbers: Numbers, name: str = "record_no") -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(numbers, dtype="Int64")})
