"""Runs migrations: on the connection `engine.migrate` hands over, or from the `alembic` command.

Belongs here: how Alembic meets our engine. Does not belong here: any change of schema (`versions`).
"""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, TypeDecorator

from pipelines.store.engine import StoreError, open_engine, transaction
from pipelines.store.tables import metadata, schema_version


def _plain_types(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """A migration outlives our own types: it names the SQL type beneath them."""
    if kind == "type" and isinstance(item, TypeDecorator):
        return f"sa.{type(item.impl_instance).__name__}()"
    return False


def _run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_item=_plain_types,
        version_table=schema_version.name,
        version_table_pk=True,
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    _run(connection)
else:
    url = context.get_x_argument(as_dictionary=True).get("url")
    if url is None:
        raise StoreError("say which database: alembic -x url=…")
    with transaction(open_engine(url)) as connection:
        _run(connection)
