"""Buildings' facts on points, the origin of each, ties between registers' places, refresh requests.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OF_A_BUILDING = (
    ("building_state", sa.Text()),
    ("demolition_date", sa.Text()),
    ("has_water_connection", sa.Boolean()),
    ("has_sewer_connection", sa.Boolean()),
)


def upgrade() -> None:
    """Add what is new; a role may stand at several points, so its key grows by the point."""
    for table in ("standard_party", "party"):
        op.add_column(table, sa.Column("company_situation", sa.Text()))
        op.add_column(table, sa.Column("situation_date", sa.Text()))
    for table in ("standard_point", "point"):
        for name, kind in _OF_A_BUILDING:
            op.add_column(table, sa.Column(name, kind))
        for name in ("property_id", "building_id"):
            op.create_index(f"ix_{table}_{name}", table, [name])
    op.create_index("ix_point_point_ref", "point", ["point_ref"])
    op.create_index(
        "ix_standard_role_source_point_source_key", "standard_role", ["source", "point_source_key"]
    )
    op.create_table(
        "point_value",
        sa.Column("point_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("value", sa.Text()),
        sa.Column("source", sa.Text()),
        sa.Column("source_key", sa.Text()),
        sa.Column("source_time", sa.Text()),
        sa.Column("rule", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("point_id", "field", name="pk_point_value"),
    )
    op.create_index("ix_point_value_step_run", "point_value", ["step_run"])
    op.create_table(
        "point_tie",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("point_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("tied_by", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", "point_id", name="pk_point_tie"),
    )
    op.create_index("ix_point_tie_point_id", "point_tie", ["point_id"])
    op.create_index("ix_point_tie_step_run", "point_tie", ["step_run"])
    _widen_the_key_of_roles()
    op.create_table(
        "refresh_request",
        sa.Column("request_no", WHOLE, nullable=False),
        sa.Column("customers", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answered", sa.Text()),
        sa.Column("changed", sa.Text()),
        sa.Column("finished_at", sa.Text()),
        sa.PrimaryKeyConstraint("request_no", name="pk_refresh_request"),
        sqlite_autoincrement=True,
    )


def _widen_the_key_of_roles() -> None:
    columns = "source, source_key, party_id, point_id, role_type, valid_from, valid_to, step_run"
    op.execute("CREATE TABLE role_before AS SELECT * FROM role")
    op.drop_table("role")
    op.create_table(
        "role",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("party_id", WHOLE),
        sa.Column("point_id", WHOLE, autoincrement=False, nullable=False),
        sa.Column("role_type", sa.Text()),
        sa.Column("valid_from", sa.Text()),
        sa.Column("valid_to", sa.Text()),
        sa.Column("rule", sa.Text()),
        sa.Column("step_run", WHOLE),
        sa.PrimaryKeyConstraint("source", "source_key", "point_id", name="pk_role"),
    )
    for name in ("party_id", "point_id", "step_run"):
        op.create_index(f"ix_role_{name}", "role", [name])
    op.execute(f"INSERT INTO role ({columns}) SELECT {columns} FROM role_before")  # noqa: S608 - our own names
    op.execute("DROP TABLE role_before")
