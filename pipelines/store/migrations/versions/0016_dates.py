"""Rows are found by a date that has come.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the indexes, of the rows that hold such a date."""
    for table in ("standard_address", "standard_role", "role"):
        for date in ("valid_from", "valid_to"):
            is_there = sa.text(f"{date} IS NOT NULL")
            op.create_index(
                f"ix_{table}_{date}",
                table,
                [date],
                sqlite_where=is_there,
                postgresql_where=is_there,
            )
