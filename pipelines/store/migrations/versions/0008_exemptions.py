"""Since when a property need not be connected, as environmental control says.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SINCE = ("water_exempt_since", "sewer_exempt_since", "stormwater_exempt_since")


def upgrade() -> None:
    """Add the three facts of a point to what is said of it and to what stands."""
    for table in ("standard_point", "point"):
        for name in _SINCE:
            op.add_column(table, sa.Column(name, sa.Text()))
