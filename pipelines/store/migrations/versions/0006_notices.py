"""Who has to hear that what they were told was wrong, or may no longer be kept.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the one table."""
    op.create_table(
        "notification",
        sa.Column("notification_no", WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("recipient", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE, nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("told_in", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("prepared_at", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.Text()),
        sa.Column("decision_reason", sa.Text()),
        sa.Column("delivery_id", sa.Text()),
        sa.Column("closed_at", sa.Text()),
        sa.PrimaryKeyConstraint("notification_no", name="pk_notification"),
        sa.UniqueConstraint(
            "kind", "recipient", "party_id", "cause", "fields",
            name="uq_notification_kind_recipient_party_id_cause_fields",
        ),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_notification_party_id", "notification", ["party_id"])
    op.create_index("ix_notification_state", "notification", ["state"])
