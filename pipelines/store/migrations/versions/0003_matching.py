"""Matching from night to night: numbered records, keys, pairs, what was learnt; the queue is numbered.

Keys and queue are made anew by the next night, so what stood in them is dropped.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, WHOLE, autoincrement=False, nullable=null)


def upgrade() -> None:
    """Replace the exact matcher's keys; add the rest."""
    op.add_column("judgement", sa.Column("knowing", sa.Boolean()))
    op.drop_table("match_key")
    op.drop_table("review_pair")
    pair = ("left_source", "left_key", "right_source", "right_key")
    op.create_table(
        "review_pair",
        sa.Column("review_no", WHOLE, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in pair),
        sa.Column("stake", sa.Double(), nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("review_no", name="pk_review_pair"),
        sa.UniqueConstraint(
            *pair, name="uq_review_pair_left_source_left_key_right_source_right_key"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_review_pair_right_source_right_key", "review_pair", ["right_source", "right_key"]
    )
    op.create_table(
        "match_record",
        _number("record_no"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        _number("step_run", null=True),
        sa.PrimaryKeyConstraint("record_no", name="pk_match_record"),
        sa.UniqueConstraint("source", "source_key", name="uq_match_record_source_source_key"),
    )
    op.create_index("ix_match_record_step_run", "match_record", ["step_run"])
    op.create_table(
        "match_key",
        _number("match_key"),
        _number("record_no"),
        _number("sort"),
        sa.PrimaryKeyConstraint("match_key", "record_no", name="pk_match_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_match_key_record_no_sort", "match_key", ["record_no", "sort"])
    op.create_table(
        "match_pair",
        _number("left_no"),
        _number("right_no"),
        sa.Column("party_type", sa.Text(), nullable=False),
        _number("pattern"),
        sa.Column("chance", sa.Double(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("left_no", "right_no", name="pk_match_pair"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_match_pair_right_no", "match_pair", ["right_no"])
    op.create_table(
        "match_total",
        sa.Column("verdict", sa.Text(), nullable=False),
        _number("pairs"),
        _number("expected"),
        sa.PrimaryKeyConstraint("verdict", name="pk_match_total"),
    )
    op.create_table(
        "match_model",
        sa.Column("model_no", WHOLE, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        _number("records"),
        sa.Column("business_date", sa.Text(), nullable=False),
        sa.Column("learnt_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model_no", name="pk_match_model"),
        sqlite_autoincrement=True,
    )
