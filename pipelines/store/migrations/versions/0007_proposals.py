"""What at a property does not fit together; the table of cases that nothing ever used goes.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """One table for another."""
    op.drop_table("steward_case")
    op.create_table(
        "proposal",
        sa.Column("proposal_no", WHOLE, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("point_id", WHOLE),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("evidence_hash", sa.Text(), nullable=False),
        sa.Column("opened_on", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text()),
        sa.Column("decided_at", sa.Text()),
        sa.Column("decision_reason", sa.Text()),
        sa.PrimaryKeyConstraint("proposal_no", name="pk_proposal"),
        sa.UniqueConstraint(
            "kind", "subject", "evidence_hash", name="uq_proposal_kind_subject_evidence_hash"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_proposal_state", "proposal", ["state"])
