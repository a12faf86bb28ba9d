"""Questions sent in batches to a register that answers later, and whom each was about.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the two tables."""
    op.create_table(
        "batch_question",
        sa.Column("question_no", WHOLE, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("people", WHOLE, nullable=False),
        sa.Column("payload", sa.LargeBinary()),
        sa.Column("prepared_at", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Text()),
        sa.Column("closed_at", sa.Text()),
        sa.PrimaryKeyConstraint("question_no", name="pk_batch_question"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_batch_question_source_state", "batch_question", ["source", "state"])
    op.create_table(
        "batch_person",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("own_key", sa.Text(), nullable=False),
        sa.Column("question_no", WHOLE, nullable=False),
        sa.Column("asked_on", sa.Text(), nullable=False),
        sa.Column("grade", sa.Text()),
        sa.Column("answered_on", sa.Text()),
        sa.PrimaryKeyConstraint("source", "reference", name="pk_batch_person"),
        sa.UniqueConstraint("source", "own_key", name="uq_batch_person_source_own_key"),
    )
    op.create_index("ix_batch_person_question_no", "batch_person", ["question_no"])
    op.create_index("ix_batch_person_own_key", "batch_person", ["own_key"])
