"""Databases on the test server: one made and dropped, or one that is emptied between tests.

Does not belong here: which tests run on PostgreSQL (`conftest`).
"""

import os
import uuid
from typing import Self

from sqlalchemy import column, create_engine, insert, select, table
from sqlalchemy.engine import make_url

from pipelines.store.engine import migrate, open_engine

_SWEEP = """
DO $$
DECLARE
    found record;
    held boolean;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET LOCAL session_replication_role = replica;  -- in whatever order
    FOR found IN SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %%I)', found.name) INTO held;
        CONTINUE WHEN NOT held;
        -- the logs refuse to be emptied by anybody
        EXECUTE format('ALTER TABLE %%I DISABLE TRIGGER USER', found.name);
        EXECUTE format('DELETE FROM %%I', found.name);
    END LOOP;
    FOR found IN SELECT tgrelid::regclass AS name, tgname FROM pg_trigger
        WHERE NOT tgisinternal AND tgenabled = 'D' LOOP
        EXECUTE format('ALTER TABLE %%s ENABLE ALWAYS TRIGGER %%I', found.name, found.tgname);
    END LOOP;
    FOR found IN SELECT sequencename, start_value FROM pg_sequences WHERE schemaname = 'public' LOOP
        PERFORM setval(quote_ident(found.sequencename)::regclass, found.start_value, false);
    END LOOP;
END $$
"""
"""Every trigger of the hub fires ALWAYS; the fingerprint of the schema tells when one no longer does."""


class Database:
    """A database on the test server, dropped at the end whoever is still connected."""

    def __init__(self) -> None:
        self._name = f"hub_test_{uuid.uuid4().hex}"

    def __enter__(self) -> str:
        # a language of its own, so that nothing rests on the order a C locale happens to give
        locale = "LOCALE_PROVIDER icu ICU_LOCALE 'fi-FI'"
        self._run(f'CREATE DATABASE "{self._name}" TEMPLATE template0 {locale}')
        url = make_url(os.environ["HUB_TEST_POSTGRES_URL"]).set(database=self._name)
        return url.render_as_string(hide_password=False)

    def __exit__(self, *_: object) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        server = create_engine(os.environ["HUB_TEST_POSTGRES_URL"], isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql(statement)
        server.dispose()


class Kept:
    """A migrated database, emptied between tests; another is made where a test has altered its schema."""

    _ROWS = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    _SCHEMA = """
        SELECT md5(string_agg(said, ';' ORDER BY said)) FROM (
            SELECT indexdef AS said FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT concat(pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
            UNION ALL SELECT concat(table_name, column_name, data_type, is_nullable)
                FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace
        ) AS everything
    """

    def __enter__(self) -> Self:
        self._make()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.dispose()
        self._database.__exit__()

    def _make(self) -> None:
        self._database = Database()
        self._url = self._database.__enter__()
        opened = open_engine(self._url)
        migrate(opened)
        opened.dispose()
        self._server = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with self._server.connect() as connection:
            tables = connection.exec_driver_sql(self._ROWS).scalars().all()
            counted = {
                t: connection.execute(select("*").select_from(table(t))).mappings().all()
                for t in tables
            }
            self._founded = {t: [dict(r) for r in rows] for t, rows in counted.items() if rows}
            self._schema = connection.exec_driver_sql(self._SCHEMA).scalar_one()

    def swept(self) -> str:
        """The database as it was when it was made, whoever is still connected; its address."""
        with self._server.connect() as connection:
            if connection.exec_driver_sql(self._SCHEMA).scalar_one() == self._schema:
                connection.exec_driver_sql(_SWEEP)
                for name, rows in self._founded.items():
                    connection.execute(insert(table(name, *map(column, rows[0]))), rows)
                return self._url
        self.__exit__()
        self._make()
        return self._url
