"""What many details have alike stands once; a detail has the number of its leaf.

Kept in every row it was half of what a delivery to many had to write. The old details are carried over. One
whose leaf can't be found (there must be none) gets a number below 0: `hub disclosures verify` speaks of it.

Revision ID: 0017
Revises: 0016
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TERMS = "recipient, purpose, basis, ground, fields, delivery_id, at, operation"


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, WHOLE, autoincrement=False, nullable=null)


def upgrade() -> None:
    """Put the old details aside, make the tables, carry over; find leaves by what they are looked for by."""
    _put_old_details_aside()
    _tables()
    _carry_over()
    for column in ("entry_id", "delivery_id"):
        op.drop_index(f"ix_disclosure_leaf_{column}", "disclosure_leaf")
    of_nobody = sa.text("entry_id IS NULL")
    for column in ("leaf_no", "delivery_id"):
        op.create_index(
            f"ix_disclosure_leaf_{column}",
            "disclosure_leaf",
            [column],
            sqlite_where=of_nobody,
            postgresql_where=of_nobody,
        )


def _put_old_details_aside() -> None:
    for column in ("delivery_id", "holder"):
        op.drop_index(f"ix_disclosure_detail_{column}", "disclosure_detail")
    op.rename_table("disclosure_detail", "disclosure_before")
    if op.get_bind().dialect.name == "postgresql":
        # whose constraints share their names with indexes
        op.execute(
            "ALTER TABLE disclosure_before RENAME CONSTRAINT pk_disclosure_detail TO pk_disclosure_before"
        )


def _tables() -> None:
    op.create_table(
        "disclosure_terms",
        _number("terms_no"),
        _text("recipient"),
        _text("purpose"),
        _text("basis"),
        _text("ground", null=True),
        _text("fields"),
        _text("delivery_id", null=True),
        _text("at"),
        _text("operation"),
        sa.PrimaryKeyConstraint("terms_no", name="pk_disclosure_terms"),
    )
    op.create_table(
        "disclosure_detail",
        _number("leaf_no"),
        _text("entry_id"),
        _number("party_id", null=True),
        _text("subject_token", null=True),
        _text("holder"),
        _number("terms_no"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_no", name="pk_disclosure_detail"),
    )
    op.create_index("ix_disclosure_terms_delivery_id", "disclosure_terms", ["delivery_id"])
    for column in ("holder", "terms_no"):
        op.create_index(f"ix_disclosure_detail_{column}", "disclosure_detail", [column])


def _carry_over() -> None:
    # S608: nothing but our own names
    op.execute(
        "CREATE TABLE disclosure_numbered AS SELECT entry_id, leaf_no, "  # noqa: S608
        f"MIN(leaf_no) OVER (PARTITION BY {_TERMS}) AS terms_no FROM ("
        f"SELECT entry_id, {_TERMS}, COALESCE("
        "(SELECT MIN(leaf_no) FROM disclosure_leaf WHERE disclosure_leaf.entry_id = b.entry_id), "
        "-ROW_NUMBER() OVER (ORDER BY entry_id)) AS leaf_no FROM disclosure_before b) AS placed"
    )
    op.execute(
        f"INSERT INTO disclosure_terms (terms_no, {_TERMS}) "  # noqa: S608
        f"SELECT leaf_no, {_TERMS} FROM disclosure_numbered n "
        "JOIN disclosure_before b ON b.entry_id = n.entry_id WHERE n.leaf_no = n.terms_no"
    )
    op.execute(
        "INSERT INTO disclosure_detail "
        "(leaf_no, entry_id, party_id, subject_token, holder, terms_no, sealed) "
        "SELECT leaf_no, n.entry_id, party_id, subject_token, holder, terms_no, sealed "
        "FROM disclosure_numbered n JOIN disclosure_before b ON b.entry_id = n.entry_id "
        "ORDER BY leaf_no"
    )
    op.drop_table("disclosure_numbered")
    op.drop_table("disclosure_before")
