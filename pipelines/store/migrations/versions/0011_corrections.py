"""What stewards put in place of values that were refused; the source's own word stays in landing.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the one table."""
    op.create_table(
        "source_correction",
        sa.Column("correction_no", WHOLE, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("refused", sa.Text()),
        sa.Column("corrected", sa.Text()),
        sa.Column("content", sa.Text()),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("quarantine_id", WHOLE, nullable=False),
        sa.Column("replaces", WHOLE),
        sa.Column("step_run", WHOLE, nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.Text()),
        sa.Column("closed_by", sa.Text()),
        sa.Column("ending", sa.Text()),
        sa.PrimaryKeyConstraint("correction_no", name="pk_source_correction"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_source_correction_source_kind_source_key",
        "source_correction",
        ["source", "kind", "source_key"],
    )
    op.create_index("ix_source_correction_closed_at", "source_correction", ["closed_at"])
