"""Posti's postal codes and streets, and how each standard address stands beside them.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add two tables of reference data and two columns."""
    op.create_table(
        "postal_code",
        sa.Column("postal_code", sa.Text(), nullable=False),
        sa.Column("name_fi", sa.Text()),
        sa.Column("name_sv", sa.Text()),
        sa.Column("code_type", sa.Text()),
        sa.Column("step_run", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("postal_code", name="pk_postal_code"),
    )
    op.create_table(
        "postal_street",
        sa.Column("row_no", WHOLE, autoincrement=False, nullable=False),
        sa.Column("postal_code", sa.Text(), nullable=False),
        sa.Column("street_fi", sa.Text()),
        sa.Column("street_sv", sa.Text()),
        sa.Column("side", sa.Text()),
        sa.Column("lowest", WHOLE),
        sa.Column("highest", WHOLE),
        sa.Column("step_run", WHOLE, nullable=False),
        sa.PrimaryKeyConstraint("row_no", name="pk_postal_street"),
    )
    op.create_index("ix_postal_street_postal_code", "postal_street", ["postal_code"])
    op.add_column("standard_address", sa.Column("ambiguity", sa.Text()))
    op.add_column("standard_address", sa.Column("postal_check", sa.Text()))
