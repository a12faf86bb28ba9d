"""What is compared of each record, as it was read last, and whom it hangs together with.

An old hub's next matching learns its register anew, which fills the table.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the one table."""
    op.create_table(
        "match_reading",
        sa.Column("record_no", WHOLE, nullable=False),
        sa.Column("party_type", sa.Text(), nullable=False),
        sa.Column("living_key", sa.Text()),
        sa.Column("business_id", sa.Text()),
        sa.Column("others", WHOLE),
        sa.Column("component", WHOLE, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("record_no", name="pk_match_reading"),
    )
    op.create_index("ix_match_reading_component", "match_reading", ["component"])
