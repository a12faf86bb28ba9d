"""How far each row of a delivery has come that its recipient takes row by row.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the one table."""
    op.create_table(
        "delivery_progress",
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("row_no", WHOLE, autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("attempt", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "row_no", name="pk_delivery_progress"),
    )
