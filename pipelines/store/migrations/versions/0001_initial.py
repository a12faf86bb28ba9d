"""The first schema: everything the hub remembers, and the triggers that keep its logs append-only."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# SQLite makes a key its row number only when the type reads INTEGER
WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = (("disclosure_leaf", "leaf_no"), ("access_log", "access_id"))


def upgrade() -> None:
    _tables()
    for table, key in APPEND_ONLY:
        if op.get_bind().dialect.name == "postgresql":
            _refuse_changes_on_postgresql(table)
        else:
            _refuse_changes_on_sqlite(table, key)


def _refuse_changes_on_sqlite(table: str, key: str) -> None:
    # INSERT OR REPLACE deletes without a DELETE trigger unless the connection has recursive_triggers
    taken = f"WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key})"  # noqa: S608
    for event, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", taken)):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{event.lower()} BEFORE {event} ON {table} {when} "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def _refuse_changes_on_postgresql(table: str) -> None:
    op.execute(
        f"CREATE FUNCTION {table}_refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{table} is append-only' USING TABLE = '{table}'; END $$"
    )
    for level, event in (("ROW", "UPDATE"), ("ROW", "DELETE"), ("STATEMENT", "TRUNCATE")):
        trigger = f"{table}_refuses_{event.lower()}"
        op.execute(
            f"CREATE TRIGGER {trigger} BEFORE {event} ON {table} "
            f"FOR EACH {level} EXECUTE FUNCTION {table}_refuses()"
        )
        # also when a session plays the replica, which switches ordinary triggers off
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _tables() -> None:
    op.create_table(
        "access_log",
        sa.Column("access_id", WHOLE, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("purpose", sa.Text()),
        sa.Column("detail", sa.Text()),
        sa.PrimaryKeyConstraint("access_id", name="pk_access_log"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_access_log_party_id", "access_log", ["party_id"])
    op.create_table(
        "delivery",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("sequence", WHOLE),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("contract_version", sa.Text(), nullable=False),
        sa.Column("notice_version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rows", WHOLE, nullable=False),
        sa.Column("payload", sa.LargeBinary()),
        sa.Column("payload_mac", sa.Text(), nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("prepared_at", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Text()),
        sa.Column("acknowledged_at", sa.Text()),
        sa.Column("accepted", WHOLE),
        sa.Column("rejected", WHOLE),
        sa.Column("receipt", sa.Text()),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_delivery"),
        sa.UniqueConstraint("recipient", "sequence", name="uq_delivery_recipient_sequence"),
    )
    op.create_table(
        "disclosure_detail",
        sa.Column("entry_id", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("subject_source", sa.Text()),
        sa.Column("subject_key", sa.Text()),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("delivery_id", sa.Text()),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_disclosure_detail"),
    )
    op.create_index("ix_disclosure_detail_delivery_id", "disclosure_detail", ["delivery_id"])
    op.create_index("ix_disclosure_detail_party_id", "disclosure_detail", ["party_id"])
    op.create_index(
        "ix_disclosure_detail_recipient_operation_subject_key",
        "disclosure_detail",
        ["recipient", "operation", "subject_key"],
    )
    op.create_index(
        "ix_disclosure_detail_subject_source_subject_key",
        "disclosure_detail",
        ["subject_source", "subject_key"],
    )
    op.create_table(
        "disclosure_leaf",
        sa.Column("leaf_no", WHOLE, autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Text()),
        sa.Column("delivery_id", sa.Text()),
        sa.Column("leaf", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_no", name="pk_disclosure_leaf"),
    )
    op.create_index("ix_disclosure_leaf_delivery_id", "disclosure_leaf", ["delivery_id"])
    op.create_index("ix_disclosure_leaf_entry_id", "disclosure_leaf", ["entry_id"])
    op.create_table(
        "feed_cursor",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.Text(), nullable=False),
        sa.Column("total", WHOLE),
        sa.PrimaryKeyConstraint("source", name="pk_feed_cursor"),
    )
    op.create_table(
        "feed_night",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("attempt", WHOLE, autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("fetched", WHOLE, nullable=False),
        sa.Column("landed", WHOLE, nullable=False),
        sa.Column("unchanged", WHOLE, nullable=False),
        sa.Column("faults", WHOLE, nullable=False),
        sa.Column("total", WHOLE),
        sa.Column("dropped", sa.Text(), nullable=False),
        sa.Column("unknown", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text()),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "business_date", "attempt", name="pk_feed_night"),
    )
    op.create_table(
        "held_row",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "party_id", name="pk_held_row"),
    )
    op.create_table(
        "hub_fact",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_hub_fact"),
    )
    op.create_table(
        "id_counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("next_value", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_id_counter"),
    )
    op.create_table(
        "judgement",
        sa.Column("judgement_id", WHOLE, nullable=False),
        sa.Column("left_source", sa.Text(), nullable=False),
        sa.Column("left_key", sa.Text(), nullable=False),
        sa.Column("right_source", sa.Text(), nullable=False),
        sa.Column("right_key", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text()),
        sa.Column("superseded_by", WHOLE),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("judgement_id", name="pk_judgement"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_judgement_left_source_left_key_right_source_right_key",
        "judgement",
        ["left_source", "left_key", "right_source", "right_key"],
    )
    op.create_index("ix_judgement_step_run", "judgement", ["step_run"])
    op.create_table(
        "landing_record",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("source_time", sa.Text()),
        sa.Column("content", sa.Text()),
        sa.Column("content_hash", sa.Text()),
        sa.Column("field_times", sa.Text()),
        sa.Column("business_date", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "kind", "source_key", name="pk_landing_record"),
    )
    op.create_index("ix_landing_record_step_run", "landing_record", ["step_run"])
    op.create_table(
        "match_key",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("match_key", sa.Text(), nullable=False),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", "match_key", name="pk_match_key"),
    )
    op.create_index("ix_match_key_match_key", "match_key", ["match_key"])
    op.create_index("ix_match_key_step_run", "match_key", ["step_run"])
    op.create_table(
        "night",
        sa.Column("night_id", WHOLE, nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("letter", sa.Text()),
        sa.PrimaryKeyConstraint("night_id", name="pk_night"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "party",
        sa.Column("party_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("party_type", sa.Text()),
        sa.Column("display_name", sa.Text()),
        sa.Column("family_name", sa.Text()),
        sa.Column("given_names", sa.Text()),
        sa.Column("called_name", sa.Text()),
        sa.Column("organisation_name", sa.Text()),
        sa.Column("name_role", sa.Text()),
        sa.Column("business_id", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.Column("email", sa.Text()),
        sa.Column("www", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.Column("delivery_channel", sa.Text()),
        sa.Column("einvoice_address", sa.Text()),
        sa.Column("einvoice_operator", sa.Text()),
        sa.Column("protection", sa.Text()),
        sa.Column("is_deceased", sa.Boolean()),
        sa.Column("death_date", sa.Text()),
        sa.Column("care_of", sa.Text()),
        sa.Column("street_line", sa.Text()),
        sa.Column("postal_code", sa.Text()),
        sa.Column("post_office", sa.Text()),
        sa.Column("country", sa.Text()),
        sa.Column("address_type", sa.Text()),
        sa.Column("row_hash", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("party_id", name="pk_party"),
    )
    op.create_index("ix_party_step_run", "party", ["step_run"])
    op.create_table(
        "former_id",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", name="pk_former_id"),
    )
    op.create_index("ix_former_id_step_run", "former_id", ["step_run"])
    op.create_table(
        "party_record",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", name="pk_party_record"),
    )
    op.create_index("ix_party_record_party_id", "party_record", ["party_id"])
    op.create_index("ix_party_record_step_run", "party_record", ["step_run"])
    op.create_table(
        "party_redirect",
        sa.Column("party_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("into_party_id", WHOLE, nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", name="pk_party_redirect"),
    )
    op.create_index("ix_party_redirect_into_party_id", "party_redirect", ["into_party_id"])
    op.create_table(
        "party_split",
        sa.Column("party_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("from_party_id", WHOLE, nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("party_id", name="pk_party_split"),
    )
    op.create_table(
        "party_value",
        sa.Column("party_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.Column("source", sa.Text()),
        sa.Column("source_key", sa.Text()),
        sa.Column("source_time", sa.Text()),
        sa.Column("rule", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("party_id", "field", name="pk_party_value"),
    )
    op.create_index("ix_party_value_step_run", "party_value", ["step_run"])
    op.create_table(
        "point",
        sa.Column("point_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("point_ref", sa.Text()),
        sa.Column("property_id", sa.Text()),
        sa.Column("building_id", sa.Text()),
        sa.Column("street_line", sa.Text()),
        sa.Column("postal_code", sa.Text()),
        sa.Column("post_office", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("point_id", name="pk_point"),
    )
    op.create_index("ix_point_step_run", "point", ["step_run"])
    op.create_table(
        "quarantine",
        sa.Column("quarantine_id", WHOLE, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("content", sa.Text()),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("field", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.Text()),
        sa.Column("decision_reason", sa.Text()),
        sa.PrimaryKeyConstraint("quarantine_id", name="pk_quarantine"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_quarantine_source_kind_source_key", "quarantine", ["source", "kind", "source_key"]
    )
    op.create_index("ix_quarantine_state", "quarantine", ["state"])
    op.create_table(
        "recipient_state",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text()),
        sa.Column("since", sa.Text()),
        sa.Column("decided_by", sa.Text()),
        sa.Column("last_sequence", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("recipient", name="pk_recipient_state"),
    )
    op.create_table(
        "returned_value",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("their_key", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("source", sa.Text()),
        sa.Column("value", sa.Text()),
        sa.Column("delivery_id", sa.Text()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("recipient", "their_key", "field", name="pk_returned_value"),
    )
    op.create_table(
        "review_pair",
        sa.Column("left_source", sa.Text(), nullable=False),
        sa.Column("left_key", sa.Text(), nullable=False),
        sa.Column("right_source", sa.Text(), nullable=False),
        sa.Column("right_key", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "left_source", "left_key", "right_source", "right_key", name="pk_review_pair"
        ),
    )
    op.create_table(
        "role",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("point_id", WHOLE),
        sa.Column("role_type", sa.Text()),
        sa.Column("valid_from", sa.Text()),
        sa.Column("valid_to", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", name="pk_role"),
    )
    op.create_index("ix_role_party_id", "role", ["party_id"])
    op.create_index("ix_role_point_id", "role", ["point_id"])
    op.create_index("ix_role_step_run", "role", ["step_run"])
    op.create_table(
        "standard_address",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("address_no", WHOLE, autoincrement=False, nullable=False),
        sa.Column("address_type", sa.Text()),
        sa.Column("care_of", sa.Text()),
        sa.Column("street_line", sa.Text()),
        sa.Column("street_name", sa.Text()),
        sa.Column("house", sa.Text()),
        sa.Column("stair", sa.Text()),
        sa.Column("apartment", sa.Text()),
        sa.Column("split", sa.Text()),
        sa.Column("postal_code", sa.Text()),
        sa.Column("post_office", sa.Text()),
        sa.Column("country", sa.Text()),
        sa.Column("valid_from", sa.Text()),
        sa.Column("valid_to", sa.Text()),
        sa.Column("stated_at", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", "address_no", name="pk_standard_address"),
    )
    op.create_index("ix_standard_address_step_run", "standard_address", ["step_run"])
    op.create_table(
        "standard_party",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("party_type", sa.Text()),
        sa.Column("family_name", sa.Text()),
        sa.Column("given_names", sa.Text()),
        sa.Column("called_name", sa.Text()),
        sa.Column("organisation_name", sa.Text()),
        sa.Column("name_role", sa.Text()),
        sa.Column("business_id", sa.Text()),
        sa.Column("person_key", sa.Text()),
        sa.Column("superseded_person_keys", sa.Text()),
        sa.Column("birth_key", sa.Text()),
        sa.Column("key_id", sa.Text()),
        sa.Column("identity_fault", sa.Text()),
        sa.Column("phone", sa.Text()),
        sa.Column("email", sa.Text()),
        sa.Column("www", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.Column("delivery_channel", sa.Text()),
        sa.Column("einvoice_address", sa.Text()),
        sa.Column("einvoice_operator", sa.Text()),
        sa.Column("protection", sa.Text()),
        sa.Column("protection_until", sa.Text()),
        sa.Column("is_deceased", sa.Boolean()),
        sa.Column("death_date", sa.Text()),
        sa.Column("source_time", sa.Text()),
        sa.Column("field_times", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", name="pk_standard_party"),
    )
    op.create_index("ix_standard_party_step_run", "standard_party", ["step_run"])
    op.create_table(
        "standard_point",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("property_id", sa.Text()),
        sa.Column("building_id", sa.Text()),
        sa.Column("street_line", sa.Text()),
        sa.Column("postal_code", sa.Text()),
        sa.Column("post_office", sa.Text()),
        sa.Column("source_time", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", name="pk_standard_point"),
    )
    op.create_index("ix_standard_point_step_run", "standard_point", ["step_run"])
    op.create_table(
        "standard_role",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("party_source_key", sa.Text()),
        sa.Column("point_source_key", sa.Text()),
        sa.Column("role_type", sa.Text()),
        sa.Column("valid_from", sa.Text()),
        sa.Column("valid_to", sa.Text()),
        sa.Column("source_time", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", name="pk_standard_role"),
    )
    op.create_index(
        "ix_standard_role_source_party_source_key", "standard_role", ["source", "party_source_key"]
    )
    op.create_index("ix_standard_role_step_run", "standard_role", ["step_run"])
    op.create_table(
        "step_run",
        sa.Column("step_run", WHOLE, nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.Text()),
        sa.Column("consumed", WHOLE),
        sa.Column("counts", sa.Text()),
        sa.PrimaryKeyConstraint("step_run", name="pk_step_run"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_step_run_step_step_run", "step_run", ["step", "step_run"])
    op.create_table(
        "steward_case",
        sa.Column("case_id", WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text()),
        sa.Column("party_id", WHOLE),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", name="pk_steward_case"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_steward_case_state", "steward_case", ["state"])
    op.create_table(
        "told_row",
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.Text()),
        sa.PrimaryKeyConstraint("recipient", "row_key", name="pk_told_row"),
    )
    op.create_index("ix_told_row_recipient_party_id", "told_row", ["recipient", "party_id"])
    op.create_table(
        "delivery_row",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("row_no", WHOLE, autoincrement=False, nullable=False),
        sa.Column("row_key", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("row", sa.Text()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Text()),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.delivery_id"], name="fk_delivery_row_delivery_id"
        ),
        sa.PrimaryKeyConstraint("delivery_id", "row_no", name="pk_delivery_row"),
    )
    op.create_index("ix_delivery_row_party_id", "delivery_row", ["party_id"])
    op.create_index("ix_delivery_row_status", "delivery_row", ["status"])
