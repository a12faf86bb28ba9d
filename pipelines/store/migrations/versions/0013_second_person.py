"""What wants a second person before it is done.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the one table."""
    op.create_table(
        "second_request",
        sa.Column("request_no", WHOLE, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text()),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.Text()),
        sa.Column("decision_reason", sa.Text()),
        sa.PrimaryKeyConstraint("request_no", name="pk_second_request"),
        sqlite_autoincrement=True,
    )
