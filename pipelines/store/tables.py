"""Every table of the hub, as SQLAlchemy Core.

Belongs here: names, types, keys and indexes. The frames' tables are made from `domain.schemas`; the
others stand as plain columns. Does not belong here: the triggers that keep the logs append-only (they
are in the first migration: nothing but a migration may make or touch them), statements.

Kinds are those of `domain.fields`; dates, instants and json are text on both databases.
"""

import json
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

from pipelines.domain.landing import canonical_json
from pipelines.domain.schemas import (
    ADDRESSES,
    FORMER_IDS,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    INVOICES,
    LANDED,
    ORDERS,
    PARTIES,
    PARTY_RECORDS,
    POINT_TIES,
    POINT_VALUES,
    POINTS,
    PROVENANCE,
    ROLES,
    Schema,
)

REVISION = "0017"
"""The newest migration; a test holds it equal to the newest file in `migrations/versions`."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
schema_version = Table(
    # not Alembic's own name: Dagster keeps its revision under that, maybe in the same database
    "hub_schema_version",
    MetaData(),
    Column("version_num", Text, primary_key=True),
)


class CanonicalJson(TypeDecorator[Any]):
    """A JSON value kept as canonical text, so that equal values are equal bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else canonical_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


# SQLite makes a key its row number only when the type reads INTEGER
_WHOLE = BigInteger().with_variant(Integer(), "sqlite")
_TYPES: dict[str, TypeEngine[Any]] = {
    "text": Text(),
    "date": Text(),
    "instant": Text(),
    "json": CanonicalJson(),
    "integer": _WHOLE,
    "boolean": Boolean(),
    "real": Double(),
    "bytes": LargeBinary(),
}


def _column(
    name: str, kind: str, *, key: bool = False, null: bool = True, counted: bool = False
) -> Column[Any]:
    info = {"kind": kind}
    return Column(
        name,
        _TYPES[kind],
        primary_key=key,
        nullable=null and not key,
        autoincrement=counted,
        info=info,
    )


def _key(name: str, kind: str = "text", *, counted: bool = False) -> Column[Any]:
    """Part of the primary key; `counted` means that the database numbers the rows."""
    return _column(name, kind, key=True, counted=counted)


def _must(name: str, kind: str = "text") -> Column[Any]:
    return _column(name, kind, null=False)


def _may(name: str, kind: str = "text") -> Column[Any]:
    return _column(name, kind)


def _table(
    name: str, *parts: Column[Any] | Index | UniqueConstraint | ForeignKeyConstraint
) -> Table:
    # without AUTOINCREMENT SQLite gives the number of a deleted last row to the next one, and a page
    # that a steward left open would decide on another person
    table = Table(name, metadata, *parts)
    if any(isinstance(part, Column) and part.autoincrement is True for part in parts):
        table.dialect_options["sqlite"]["autoincrement"] = True
    return table


def _frame_table(
    schema: Schema,
    *indexes: tuple[str, ...],
    name: str | None = None,
    dates: tuple[str, ...] = (),
) -> Table:
    """dates: columns by which `frames.crossing` looks for rows; most of them hold none."""
    table = _table(
        name or schema.name,
        *(_column(f.name, f.kind, key=f.name in schema.key) for f in schema.fields),
        _may("step_run", "integer"),
        *(Index(None, *columns) for columns in (("step_run",), *indexes)),
    )
    for column in (table.c[date] for date in dates):
        is_there = column.is_not(None)
        Index(None, column, sqlite_where=is_there, postgresql_where=is_there)
    return table


_DATES = ("valid_from", "valid_to")


# ---- the frames that are state; step_run: the step execution that last wrote the row
landing_record = _frame_table(LANDED, name="landing_record")
standard_party = _frame_table(PARTIES)
standard_address = _frame_table(ADDRESSES, dates=_DATES)
standard_point = _frame_table(POINTS, ("property_id",), ("building_id",))
standard_role = _frame_table(
    ROLES, ("source", "party_source_key"), ("source", "point_source_key"), dates=_DATES
)
standard_invoice = _frame_table(INVOICES, ("source", "customer_number"))
standard_order = _frame_table(ORDERS, ("source", "customer_number"))
party_record = _frame_table(PARTY_RECORDS, ("party_id",))
former_id = _frame_table(FORMER_IDS)  # the id each record had before a merge first redirected it
party = _frame_table(GOLDEN)
party_value = _frame_table(PROVENANCE)
point = _frame_table(GOLDEN_POINTS, ("point_ref",), ("property_id",), ("building_id",))
point_value = _frame_table(POINT_VALUES)
point_tie = _frame_table(POINT_TIES, ("point_id",))
role = _frame_table(GOLDEN_ROLES, ("party_id",), ("point_id",), dates=_DATES)

_BY_SCHEMA = {
    LANDED.name: landing_record,
    **{
        table.name: table
        for table in (
            standard_party, standard_address, standard_point, standard_role, standard_invoice,
            standard_order, party_record, former_id, party, party_value, point, point_value, point_tie, role,
        )
    },
}  # fmt: skip


def table_of(schema: Schema) -> Table:
    """The table that holds frames of a schema; KeyError when no table does."""
    return _BY_SCHEMA[schema.name]


# ---- nights
step_run = _table(
    "step_run",
    _key("step_run", "integer", counted=True),
    _must("step"),
    _must("business_date", "date"),
    _must("started_at", "instant"),
    _may("finished_at", "instant"),  # null: never finished
    _may("consumed", "integer"),
    _may("counts", "json"),
    Index(None, "step", "step_run"),
)
night = _table(
    "night",
    _key("night_id", "integer", counted=True),
    _must("business_date", "date"),
    _must("started_at", "instant"),
    _may("finished_at", "instant"),
    _must("status"),  # running, ok, attention, failed
    _may("letter", "json"),  # counts only
)
feed_cursor = _table(
    "feed_cursor",
    _key("source"),
    _must("cursor", "json"),
    _must("business_date", "date"),
    _must("moved_at", "instant"),
    _may("total", "integer"),
)
feed_night = _table(
    "feed_night",
    _key("source"),
    _key("business_date", "date"),
    _key("attempt", "integer"),
    _must("status"),  # ok, unchanged, down, held
    _must("fetched", "integer"),
    _must("landed", "integer"),
    _must("unchanged", "integer"),
    _must("faults", "integer"),
    _may("total", "integer"),
    _must("dropped", "json"),
    _must("unknown", "json"),
    _may("reason"),
    _must("at", "instant"),
)
# ---- reference data, which tells of nobody; each table replaced whole, step_run is the same in all its rows
postal_code = _table(
    "postal_code",
    _key("postal_code"),
    _may("name_fi"),
    _may("name_sv"),
    _may(
        "code_type"
    ),  # 1 normal, 2 post boxes, 3 a company's; of 4–7 we are not sure (FORMATS §3.1)
    _must("step_run", "integer"),
)
postal_street = _table(
    "postal_street",
    _key("row_no", "integer"),
    _must("postal_code"),
    _may("street_fi"),
    _may("street_sv"),
    _may("side"),  # odd, even; null: no numbers are told apart
    _may("lowest", "integer"),
    _may("highest", "integer"),
    _must("step_run", "integer"),
    Index(None, "postal_code"),
)

id_counter = _table("id_counter", _key("name"), _must("next_value", "integer"))
hub_fact = _table("hub_fact", _key("name"), _must("value"))

# ---- what was refused, and what people decide
quarantine = _table(
    "quarantine",
    _key("quarantine_id", "integer", counted=True),
    _must("source"),
    _must("kind"),
    _must("source_key"),
    _must("content_hash"),
    _may("content", "json"),  # only of a record that never landed
    _must("rule"),
    _must("severity"),  # critical, warning
    _may("field"),
    _may("reason"),
    _must("business_date", "date"),
    _must("opened_at", "instant"),
    _must("state"),  # open, released, dropped, corrected, superseded
    _may("decided_by"),
    _may("decided_at", "instant"),
    _may("decision_reason"),
    Index(None, "source", "kind", "source_key"),
    Index(None, "state"),
)
source_correction = _table(
    "source_correction",  # what stands in for a refused value; landing keeps the source's word
    _key("correction_no", "integer", counted=True),
    _must("source"),
    _must("kind"),
    _must("source_key"),
    _must("field"),  # as `domain.correction` names it
    _may("refused", "json"),  # null: nothing was stated, or it could not be read
    _may("corrected", "json"),  # null: the field is taken out
    _may("content", "json"),  # only of a record that never landed: what could be read
    _must("content_hash"),  # of the record as it was refused
    _must("quarantine_id", "integer"),
    _may("replaces", "integer"),  # the correction of the same field before this one
    _must("step_run", "integer"),  # the act; the night that has worked through it has read it
    _must("decided_by"),
    _must("decided_at", "instant"),
    _must("reason"),
    _may("closed_at", "instant"),  # null: in force
    _may("closed_by"),  # a steward; null where the source's new word closed it
    _may("ending"),  # undone, replaced, source_mended, source_changed
    Index(None, "source", "kind", "source_key"),
    Index(None, "closed_at"),
)
judgement = _table(
    "judgement",
    _key("judgement_id", "integer", counted=True),
    _must("left_source"),
    _must("left_key"),
    _must("right_source"),
    _must("right_key"),
    _must("verdict"),  # same, different, unsure, undone
    _must("decided_by"),
    _must("decided_at", "instant"),
    _must("reason"),
    _may("authority"),
    _may("superseded_by", "integer"),
    _may("knowing", "boolean"),  # given against what matching thought then; null: not looked at yet
    _may("step_run", "integer"),
    Index(None, "step_run"),
    Index(None, "left_source", "left_key", "right_source", "right_key"),
)
review_pair = _table(
    "review_pair",
    _key("review_no", "integer", counted=True),
    _must("left_source"),
    _must("left_key"),
    _must("right_source"),
    _must("right_key"),
    _must("stake", "real"),
    _must("opened_at", "instant"),
    _must("business_date", "date"),
    UniqueConstraint("left_source", "left_key", "right_source", "right_key"),
    Index(None, "right_source", "right_key"),
)

# ---- matching, from night to night: numbers in place of keys, so that a register's worth of pairs stays small
match_record = _table(
    "match_record",
    _key("record_no", "integer"),
    _must("source"),
    _must("source_key"),
    _may("step_run", "integer"),  # who last touched it: matching looks again
    UniqueConstraint("source", "source_key"),
    Index(None, "step_run"),
)
match_key = _table(
    "match_key",
    _key("match_key", "integer"),
    _key("record_no", "integer"),
    _must("sort", "integer"),  # linkage.candidates.Sort
    Index(None, "record_no", "sort"),  # with the key behind them: a record's keys are read off it
)
match_key.dialect_options["sqlite"]["with_rowid"] = False  # the key is all there is
match_reading = _table(  # what is compared of each record, as it was read last
    "match_reading",
    _key("record_no", "integer"),
    _must("party_type"),
    _may("living_key"),  # the identity code that stands once corrections are heard
    _may("business_id"),
    _may("others", "integer"),  # people of other names at that home
    _must("component", "integer"),  # the least of the records that hang together
    _must("content"),  # linkage.readings
    Index(None, "component"),
)
match_pair = _table(
    "match_pair",
    _key("left_no", "integer"),
    _key("right_no", "integer"),
    _must("party_type"),
    _must("pattern", "integer"),  # linkage.patterns
    _must("chance", "real"),
    _must("score", "real"),
    _must("verdict"),  # same, review, different
    Index(None, "right_no"),
)
match_pair.dialect_options["sqlite"]["with_rowid"] = False
match_total = _table(  # of match_pair, kept along so that no night has to count it
    "match_total",
    _key("verdict"),
    _must("pairs", "integer"),
    _must("expected", "integer"),  # millionths: how many of them are one party, by their scores
)
match_model = _table(
    "match_model",
    _key("model_no", "integer", counted=True),
    _must("content", "json"),
    _must("records", "integer"),
    _must("business_date", "date"),
    _must("learnt_at", "instant"),
)
refresh_request = _table(
    "refresh_request",
    _key("request_no", "integer", counted=True),
    _must("customers", "json"),  # the own register's numbers
    _must("asked_by"),
    _must("asked_at", "instant"),
    _must("state"),  # open, done
    _may("answered", "json"),  # source → how it answered
    _may("changed", "json"),  # customer number → names of fields, no values
    _may("finished_at", "instant"),
)
second_request = _table(
    "second_request",  # an act that wants a second person; what it is about goes when it is decided
    _key("request_no", "integer", counted=True),
    _must("act"),  # pair, undo, notice, release, correct, reopen, volume
    _may("facts", "json"),
    _must("asked_by"),
    _must("asked_at", "instant"),
    _must("state"),  # waiting, approved, declined, lapsed
    _may("decided_by"),
    _may("decided_at", "instant"),
    _may("decision_reason"),
)
volume_acceptance = _table(
    "volume_acceptance",  # a batch of implausible size that two people let in, once; counts, nobody's data
    _key("acceptance_no", "integer", counted=True),
    _must("source"),
    _must("held_on", "date"),  # the night that held it
    _must("total", "integer"),
    _may("usual", "integer"),
    _must("fewest", "integer"),  # what is let in, both ends included
    _must("most", "integer"),
    _must("valid_to", "date"),  # the last business date it may be taken in on
    _must("reason"),
    _must("asked_by"),
    _must("asked_at", "instant"),
    _must("approved_by"),
    _must("approved_at", "instant"),
    _may("used_on", "date"),
    _may("used_total", "integer"),
    Index(None, "source"),
)
proposal = _table(
    "proposal",  # what at a property does not fit together: ids and dates, no name, no address
    _key("proposal_no", "integer", counted=True),
    _must("kind"),
    _must("subject"),
    _may("point_id", "integer"),
    _must("evidence", "json"),
    _must("evidence_hash"),
    _must("opened_on", "date"),
    _must("state"),  # open, closed (by a person), gone (the facts fit again)
    _may("decided_by"),
    _may("decided_at", "instant"),
    _may("decision_reason"),
    UniqueConstraint("kind", "subject", "evidence_hash"),
    Index(None, "state"),
)

# ---- questions sent in batches, to a register that answers later
batch_question = _table(
    "batch_question",
    _key("question_no", "integer", counted=True),
    _must("source"),
    _must("business_date", "date"),
    _must("state"),  # prepared, leaving, sent, answered, withdrawn
    _must("people", "integer"),
    _may("payload", "bytes"),  # until it has left
    _must("prepared_at", "instant"),
    _may("sent_at", "instant"),
    _may("closed_at", "instant"),
    Index(None, "source", "state"),
)
batch_person = _table(
    "batch_person",
    _key("source"),
    _key("reference"),  # made up, and the only name the register has of ours for the person
    _must("own_key"),  # the own register's number
    _must("question_no", "integer"),  # that asked last
    _must("asked_on", "date"),
    _may("grade"),  # what the last answer came to; null: none yet
    _may("answered_on", "date"),
    UniqueConstraint("source", "own_key"),
    Index(None, "question_no"),
    Index(None, "own_key"),
)

# ---- the register's ids over time
party_redirect = _table(
    "party_redirect",
    _key("party_id", "integer"),
    _must("into_party_id", "integer"),
    _must("business_date", "date"),
    Index(None, "into_party_id"),
)
party_split = _table(
    "party_split",
    _key("party_id", "integer"),
    _must("from_party_id", "integer"),
    _must("business_date", "date"),
)

# ---- what people have forbidden
party_restraint = _table(
    "party_restraint",
    _key("restraint_id", "integer", counted=True),
    _must("party_id", "integer"),
    _must("kind"),  # restriction (R45), or which ban (R25, R26)
    _must("channel"),
    _may("evidence"),  # a reference, no text
    _must("since", "instant"),
    _may("ended_at", "instant"),
    Index(None, "party_id"),
)

# ---- what recipients were told
recipient_state = _table(
    "recipient_state",
    _key("recipient"),
    _may("mode"),  # shadow, live; null: as its contract says
    _may("since", "instant"),
    _may("decided_by"),
    _must("last_sequence", "integer"),
)
told_row = _table(
    "told_row",
    _key("recipient"),
    _key("row_key"),
    _may("party_id", "integer"),
    _must("row", "json"),
    _may("delivery_id"),  # null: adopted, the recipient held it before us
    Index(None, "recipient", "party_id"),
)
returned_value = _table(
    "returned_value",
    _key("recipient"),
    _key("their_key"),
    _key("field"),
    _may("source"),  # the name under which the recipient's own register is heard
    _may("value"),
    _may("delivery_id"),
    _must("state"),  # sent, confirmed, rejected, overwritten
    _must("at", "instant"),
)
delivery = _table(
    "delivery",
    _key("delivery_id"),
    _must("recipient"),
    _may("sequence", "integer"),  # null: aborted, the recipient never saw the number
    _must("mode"),
    _must("business_date", "date"),
    _must("contract_version"),
    _must("notice_version"),
    _must("state"),
    _must("rows", "integer"),
    _may("payload", "bytes"),  # until acknowledged
    _must("payload_mac"),
    _must("columns", "json"),
    _must("prepared_at", "instant"),
    _may("sent_at", "instant"),
    _may("acknowledged_at", "instant"),
    _may("accepted", "integer"),
    _may("rejected", "integer"),
    _may("receipt", "json"),
    UniqueConstraint("recipient", "sequence"),
)
delivery_row = _table(
    "delivery_row",
    _key("delivery_id"),
    _key("row_no", "integer"),
    _must("row_key"),
    _may("party_id", "integer"),
    _must("event"),
    _may("row", "json"),  # until accepted
    _must("status"),  # pending, accepted, rejected, aborted, superseded
    _may("code"),
    ForeignKeyConstraint(["delivery_id"], ["delivery.delivery_id"]),
    Index(None, "party_id"),
    Index(None, "status"),
)
delivery_progress = _table(
    "delivery_progress",  # of a delivery told row by row, until it is acknowledged
    _key("delivery_id"),
    _key("row_no", "integer"),
    _must("state"),  # leaving, taken, refused
    _may("code"),
    _must("attempt", "integer"),
)
held_row = _table(
    "held_row",
    _key("recipient"),
    _key("party_id", "integer"),
    _must("reason"),
    _must("since", "instant"),
)
notification = _table(
    "notification",  # names of fields, never a value
    _key("notification_no", "integer", counted=True),
    _must("kind"),  # recall (R56), correction (R43)
    _must("recipient"),  # of config/recipients, or the source that supplied the value
    _must("party_id", "integer"),
    _must("fields", "json"),
    _must("why"),  # protective_order, was_told, supplied_it
    _must(
        "cause"
    ),  # of a recall the log's entry that told last, of a correction the record that corrects, or the split
    _must("told_in", "json"),  # the deliveries that told it
    _must(
        "route"
    ),  # delivery: its contract's next one carries the new value; hand: a person writes
    _must("state"),  # prepared, approved, declined, sent, acknowledged, void
    _must("prepared_at", "instant"),
    _may("decided_by"),
    _may("decided_at", "instant"),
    _may("decision_reason"),
    _may("delivery_id"),  # that carried it
    _may("closed_at", "instant"),
    UniqueConstraint("kind", "recipient", "party_id", "cause", "fields"),
    Index(None, "party_id"),
    Index(None, "state"),
)

# ---- the disclosure log: erasable details, the keys they are under, append-only leaves
disclosure_detail = _table(
    "disclosure_detail",
    # of its leaf; below 0 of an old one that has none, which is a finding
    _key("leaf_no", "integer"),
    _must("entry_id"),
    _may("party_id", "integer"),
    _may("subject_token"),  # of a look-up: the register and its key for the person, made unreadable
    _must("holder"),  # under whose seed it is encrypted
    _must("terms_no", "integer"),
    _must("sealed", "bytes"),  # salt and what was told, encrypted
    Index(None, "holder"),  # of a customer P and the party's number, of a look-up its token
    Index(None, "terms_no"),
)
disclosure_terms = _table(
    # what many details of a delivery or of a look-up have alike; it goes with the last of them
    "disclosure_terms",
    _key("terms_no", "integer"),  # the number of the first leaf told under them
    _must("recipient"),
    _must("purpose"),
    _must("basis"),
    _may("ground"),  # null: no ground of the notice for telling outsiders (R20) was needed
    _must("fields", "json"),
    _may("delivery_id"),
    _must("at", "instant"),
    _must("operation"),
    Index(None, "delivery_id"),
)
disclosure_seed = _table(
    "disclosure_seed",
    _key("holder"),
    _must("seed", "bytes"),  # with it goes whatever was told of its holder
)
disclosure_seed.dialect_options["sqlite"]["with_rowid"] = False
disclosure_clear = _table(
    # details as they were written before they were encrypted; empty once they have been brought over
    "disclosure_clear",
    _key("entry_id"),
    _may("party_id", "integer"),
    _may("subject_source"),
    _may("subject_key"),
    _must("recipient"),
    _must("purpose"),
    _must("basis"),
    _may("ground"),
    _must("fields", "json"),
    _may("content", "json"),
    _must("salt", "bytes"),
    _may("delivery_id"),
    _must("at", "instant"),
    _must("operation"),
)
disclosure_leaf = _table(
    "disclosure_leaf",
    _key("leaf_no", "integer"),
    _may("entry_id"),  # of one with a detail, which has its number; both are read out of the leaf
    _may("delivery_id"),
    _must("leaf"),
    _must("at", "instant"),
)
for _found_by in (disclosure_leaf.c.leaf_no, disclosure_leaf.c.delivery_id):
    # what became of deliveries is looked for among the few leaves that speak of no person
    _of_nobody = disclosure_leaf.c.entry_id.is_(None)
    Index(None, _found_by, sqlite_where=_of_nobody, postgresql_where=_of_nobody)
log_key = _table(
    "log_key",
    _key("key_no", "integer"),
    _must("name"),
    _must("vkey"),  # the public key; the last one signs
    _must("at", "instant"),
)
log_segment = _table(
    "log_segment",
    _key("segment", "integer"),  # the calendar year
    _must("first_leaf", "integer"),
    _must("at", "instant"),
)
log_checkpoint = _table(
    "log_checkpoint",
    _key("checkpoint_no", "integer"),
    _must("segment", "integer"),
    _must("size", "integer"),
    _must("root", "bytes"),
    _must("frontier", "bytes"),  # `domain.merkle.Frontier`: the tree, as far as growing it needs
    _must("note"),  # `domain.checkpoint`
    _must("key_id"),
    _must("at", "instant"),
)
log_cosignature = _table(
    "log_cosignature",
    _key("cosignature_no", "integer"),
    _must("checkpoint_no", "integer"),
    _must("witness"),
    _must("note"),
    _must("at", "instant"),
    Index(None, "checkpoint_no"),
)
log_witness = _table(
    "log_witness",
    _key("witness"),
    _must("since", "instant"),
    _may("checkpoint_no", "integer"),  # the newest it has, and since when
    _may("at", "instant"),
    _may("reason"),  # why it did not get the newest; null: it did
)
access_log = _table(
    "access_log",
    _key("access_id", "integer", counted=True),
    _must("at", "instant"),
    _must("who"),
    _must("operation"),
    _may("party_id", "integer"),
    _may("purpose"),
    _may("detail"),
    Index(None, "party_id"),
)
APPEND_ONLY = (
    disclosure_leaf, access_log, log_key, log_segment, log_checkpoint, log_cosignature,
)  # fmt: skip
"""Tables whose rows are only ever added: triggers refuse everything else."""
