"""The provable log: details under keys of their own, segments, checkpoints, who holds them; restraints.

The details written so far stand in clear in `disclosure_clear` until a hub that has the details key brings
them over (`store.disclosures.bring_over`); a migration has no keys.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = (
    ("log_key", "key_no"),
    ("log_segment", "segment"),
    ("log_checkpoint", "checkpoint_no"),
    ("log_cosignature", "cosignature_no"),
)


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, WHOLE, autoincrement=False, nullable=null)


def upgrade() -> None:
    """Put the old details aside; make the rest."""
    _put_old_details_aside()
    op.create_table(
        "disclosure_detail",
        _text("entry_id"),
        _number("party_id", null=True),
        _text("subject_token", null=True),
        _text("holder"),
        _text("recipient"),
        _text("purpose"),
        _text("basis"),
        _text("ground", null=True),
        _text("fields"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        _text("delivery_id", null=True),
        _text("at"),
        _text("operation"),
        sa.PrimaryKeyConstraint("entry_id", name="pk_disclosure_detail"),
    )
    for column in ("delivery_id", "holder"):
        op.create_index(f"ix_disclosure_detail_{column}", "disclosure_detail", [column])
    op.create_table(
        "disclosure_seed",
        _text("holder"),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("holder", name="pk_disclosure_seed"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_key",
        _number("key_no"),
        _text("name"),
        _text("vkey"),
        _text("at"),
        sa.PrimaryKeyConstraint("key_no", name="pk_log_key"),
    )
    op.create_table(
        "log_segment",
        _number("segment"),
        _number("first_leaf"),
        _text("at"),
        sa.PrimaryKeyConstraint("segment", name="pk_log_segment"),
    )
    op.create_table(
        "log_checkpoint",
        _number("checkpoint_no"),
        _number("segment"),
        _number("size"),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        _text("note"),
        _text("key_id"),
        _text("at"),
        sa.PrimaryKeyConstraint("checkpoint_no", name="pk_log_checkpoint"),
    )
    op.create_table(
        "log_cosignature",
        _number("cosignature_no"),
        _number("checkpoint_no"),
        _text("witness"),
        _text("note"),
        _text("at"),
        sa.PrimaryKeyConstraint("cosignature_no", name="pk_log_cosignature"),
    )
    op.create_index("ix_log_cosignature_checkpoint_no", "log_cosignature", ["checkpoint_no"])
    op.create_table(
        "log_witness",
        _text("witness"),
        _text("since"),
        _number("checkpoint_no", null=True),
        _text("at", null=True),
        _text("reason", null=True),
        sa.PrimaryKeyConstraint("witness", name="pk_log_witness"),
    )
    op.create_table(
        "party_restraint",
        sa.Column("restraint_id", WHOLE, nullable=False),
        _number("party_id"),
        _text("kind"),
        _text("channel"),
        _text("evidence", null=True),
        _text("since"),
        _text("ended_at", null=True),
        sa.PrimaryKeyConstraint("restraint_id", name="pk_party_restraint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_party_restraint_party_id", "party_restraint", ["party_id"])
    for table, key in APPEND_ONLY:
        if op.get_bind().dialect.name == "postgresql":
            _refuse_changes_on_postgresql(table)
        else:
            _refuse_changes_on_sqlite(table, key)


def _put_old_details_aside() -> None:
    for columns in (
        "delivery_id", "party_id", "recipient_operation_subject_key", "subject_source_subject_key",
    ):  # fmt: skip
        op.drop_index(f"ix_disclosure_detail_{columns}", "disclosure_detail")
    op.rename_table("disclosure_detail", "disclosure_clear")
    if (
        op.get_bind().dialect.name == "postgresql"
    ):  # whose constraints share their names with indexes
        op.execute(
            "ALTER TABLE disclosure_clear RENAME CONSTRAINT pk_disclosure_detail TO pk_disclosure_clear"
        )


def _refuse_changes_on_sqlite(table: str, key: str) -> None:
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
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")
