"""Batches of implausible size that two people have let in.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the one table."""
    op.create_table(
        "volume_acceptance",
        sa.Column("acceptance_no", WHOLE, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("held_on", sa.Text(), nullable=False),
        sa.Column("total", WHOLE, nullable=False),
        sa.Column("usual", WHOLE),
        sa.Column("fewest", WHOLE, nullable=False),
        sa.Column("most", WHOLE, nullable=False),
        sa.Column("valid_to", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.Text(), nullable=False),
        sa.Column("used_on", sa.Text()),
        sa.Column("used_total", WHOLE),
        sa.PrimaryKeyConstraint("acceptance_no", name="pk_volume_acceptance"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_volume_acceptance_source", "volume_acceptance", ["source"])
