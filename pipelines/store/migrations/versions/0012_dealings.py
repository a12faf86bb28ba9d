"""What others have done with a customer: invoices and orders, by the customer's number.

Revision ID: 0012
Revises: 0011
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the two tables."""
    _add("standard_invoice", ("customer_number", "invoice_state", "due_date", "closed_date"))
    _add("standard_order", ("customer_number", "point_ref", "order_kind", "ordered_on"))


def _add(table: str, stated: Sequence[str]) -> None:
    op.create_table(
        table,
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text()) for name in (*stated, "not_stated_since", "source_time")),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", name=f"pk_{table}"),
    )
    for columns in (("step_run",), ("source", "customer_number")):
        op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
