"""What people have forbidden: restrictions of processing and bans.

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


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "party_restraint",
        sa.Column("restraint_id", WHOLE, nullable=False),
        sa.Column("party_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text()),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text()),
        sa.PrimaryKeyConstraint("restraint_id", name="pk_party_restraint"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_party_restraint_party_id", "party_restraint", ["party_id"])
