"""The migrations make exactly the tables, and nothing weakens the logs."""

import json
import re
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, insert, select, text

from pipelines.domain.disclosure import commitment, leaf, question, salted
from pipelines.store import disclosures, migrations, tables
from pipelines.store.engine import StoreError, migrate, open_engine, reading, transaction
from pipelines.store.vault import Vault
from pipelines.store.verification import verify_log

NOW = "2026-11-02T00:30:00Z"
VAULT = Vault(bytes(range(32)))
VERSIONS = Path(migrations.__path__[0]) / "versions"
LOGS = {
    "disclosure_leaf": {"leaf_no": 0, "leaf": "{}", "at": "2026-11-02T00:00:00Z"},
    "access_log": {"access_id": 1, "at": "2026-11-02T00:00:00Z", "who": "a", "operation": "b"},
    "log_key": {"key_no": 0, "name": "n", "vkey": "v", "at": "2026-11-02T00:00:00Z"},
    "log_segment": {"segment": 2026, "first_leaf": 0, "at": "2026-11-02T00:00:00Z"},
    "log_checkpoint": {
        "checkpoint_no": 0, "segment": 2026, "size": 0, "root": b"", "frontier": b"", "note": "",
        "key_id": "k", "at": "2026-11-02T00:00:00Z",
    },
    "log_cosignature": {
        "cosignature_no": 0, "checkpoint_no": 0, "witness": "w", "note": "",
        "at": "2026-11-02T00:00:00Z",
    },
}  # fmt: skip


def _only_ours(_object: object, name: str | None, kind: str, reflected: bool, _to: object) -> bool:
    return not (kind == "table" and reflected and name == tables.schema_version.name)


def test_migrations_make_exactly_the_tables_of_the_metadata(engine: Engine) -> None:
    with reading(engine) as conn:
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "include_object": _only_ours}
        )
        assert compare_metadata(context, tables.metadata) == []


def test_the_revision_named_in_code_is_the_newest_migration() -> None:
    numbers = sorted(file.name[:4] for file in VERSIONS.glob("[0-9]*.py"))
    assert numbers[-1] == tables.REVISION
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]


def test_no_migration_rebuilds_a_log_or_uses_our_own_tables() -> None:
    for file in VERSIONS.glob("[0-9]*.py"):
        source = file.read_text(encoding="utf-8")
        assert not re.search(r"batch_alter_table\(\s*\"(disclosure_leaf|access_log|log_)", source)
        assert "import pipelines" not in source and "from pipelines" not in source


def test_every_append_only_table_is_attacked_below() -> None:
    assert {table.name for table in tables.APPEND_ONLY} == set(LOGS)


@pytest.fixture(params=sorted(LOGS))
def log(request: pytest.FixtureRequest, engine: Engine) -> str:
    """A log with one row."""
    name: str = request.param
    with transaction(engine) as conn:
        conn.execute(insert(tables.metadata.tables[name]).values(**LOGS[name]))
    return name


def _key(log: str) -> str:
    return next(iter(tables.metadata.tables[log].primary_key)).name


ATTACKS = {
    "update": "UPDATE {log} SET at = 'x'",
    "update the key": "UPDATE {log} SET {key} = {key} + 1000",
    "delete": "DELETE FROM {log}",
    "upsert": (
        "INSERT INTO {log} ({columns}) SELECT {columns} FROM {log} WHERE true "
        "ON CONFLICT ({key}) DO UPDATE SET at = 'x'"
    ),
}
SQLITE_ATTACKS = {
    "insert or replace": "INSERT OR REPLACE INTO {log} ({columns}) SELECT {columns} FROM {log}",
    "update or replace": "UPDATE OR REPLACE {log} SET at = 'x'",
    "update or ignore": "UPDATE OR IGNORE {log} SET at = 'x'",
}
POSTGRES_ATTACKS = {
    "truncate": "TRUNCATE {log}",
    "truncate with dependants": "TRUNCATE {log} RESTART IDENTITY CASCADE",
    "as a replica": "SET session_replication_role = replica; DELETE FROM {log}",
    "merge": ("MERGE INTO {log} USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE"),
}


def test_the_logs_only_ever_grow(engine: Engine, log: str, database: str) -> None:
    """DESIGN 11, R23: UPDATE, DELETE, REPLACE, UPSERT and TRUNCATE are all refused."""
    attacks = ATTACKS | (SQLITE_ATTACKS if database == "sqlite" else POSTGRES_ATTACKS)
    columns = ", ".join(column.name for column in tables.metadata.tables[log].columns)
    before = _content(engine, log)
    for name, attack in attacks.items():
        with pytest.raises(StoreError) as refused, transaction(engine) as conn:
            conn.execute(text(attack.format(log=log, key=_key(log), columns=columns)))
        assert str(refused.value) == f"{log}: rows are only ever added", name
        assert _content(engine, log) == before, name


@pytest.mark.parametrize("replacing", ["INSERT OR REPLACE", "REPLACE", "UPDATE OR REPLACE"])
def test_a_sqlite_connection_without_our_pragmas_cannot_replace_either(
    tmp_path: Path, _sqlite_template: str, replacing: str
) -> None:
    import shutil
    import sqlite3

    path = tmp_path / "hub.db"
    shutil.copyfile(_sqlite_template, path)
    stranger = sqlite3.connect(path)
    stranger.execute("INSERT INTO disclosure_leaf (leaf_no, leaf, at) VALUES (0, 'true', 'x')")
    stranger.commit()
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        stranger.execute(
            "UPDATE OR REPLACE disclosure_leaf SET leaf = 'false'"
            if replacing.startswith("UPDATE")
            else f"{replacing} INTO disclosure_leaf (leaf_no, leaf, at) VALUES (0, 'false', 'x')"
        )
    stranger.close()


def _content(engine: Engine, log: str) -> list[tuple[object, ...]]:
    with reading(engine) as conn:
        return _rows(conn, log)


def _rows(conn: Connection, log: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in conn.execute(select(tables.metadata.tables[log]))]


def test_details_of_an_older_hub_are_carried_over_whole(empty_url: str) -> None:
    """0017: each under its own leaf and its own terms; one without a leaf is kept, and found."""
    engine = open_engine(empty_url)
    migrate(engine, "0016")
    terms = {"to": "finance", "purpose": "p", "basis": "b", "ground": "g", "d": "d1"}
    asked = {"to": "dvv", "purpose": "p", "basis": "b", "operation": "o"}
    said = [
        (number, {"customer_number": f"{number:06}"} | ({"phone": "1"} if number == 8 else {}))
        for number in (7, 8, 9)
    ]
    people = [(f"P{n}", n, None, content, terms) for n, content in said]
    token = VAULT.token("dvv", "t1")
    asks = question(
        recipient="dvv", operation="o", purpose="p", subject="t1", fields=["identity_code"]
    )
    people += [(token, None, token, asks, asked), ("P7", 7, None, {"phone": "2"}, terms)]
    with transaction(engine) as conn:
        for number, (holder, party, subject, content, under) in enumerate(people):
            entry, salt, seed = f"{9 - number:032x}", bytes([number]) * 32, holder.encode()
            plain = salted(content, salt)
            (sealed,) = VAULT.encrypt({holder: seed}, [holder], [entry], [plain])
            fields = json.dumps(
                ["identity_code"] if subject else list(content), separators=(",", ":")
            )
            conn.execute(
                text(
                    "INSERT INTO disclosure_detail (entry_id, party_id, subject_token, holder, sealed, "
                    "recipient, purpose, basis, ground, fields, delivery_id, at, operation) VALUES (:e, "
                    ":party, :token, :h, :sealed, :to, :purpose, :basis, :ground, :fields, :d, :at, :operation)"
                ),
                {"ground": None, "d": None, "operation": "delivery", **under, "e": entry, "party": party,
                 "token": subject, "h": holder, "sealed": sealed, "fields": fields, "at": NOW},
            )  # fmt: skip
            if number == len(people) - 1:
                break  # that one never had a leaf
            conn.execute(
                text("INSERT INTO disclosure_seed VALUES (:h, :seed)"), {"h": holder, "seed": seed}
            )
            kind = "lookup" if subject else "disclosure"
            line = leaf(kind, at=NOW, e=entry, c=commitment(plain), **under)
            conn.execute(
                text("INSERT INTO disclosure_leaf VALUES (:n, :e, :d, :line, :at)"),
                {"n": number, "e": entry, "d": under.get("d"), "line": line, "at": NOW},
            )
    migrate(engine)
    with reading(engine) as conn:
        found = [str(f) for f in verify_log(conn, VAULT).findings if f.where.startswith("entry")]
        detail = tables.disclosure_detail
        filed = select(detail.c.leaf_no, detail.c.terms_no).order_by(detail.c.leaf_no)
        assert [tuple(row) for row in conn.execute(filed)] == [
            (-1, -1), (0, 0), (1, 1), (2, 0), (3, 3),
        ]  # fmt: skip
        told = disclosures.of_delivery(conn, VAULT, "d1")
        assert told["party_id"].tolist() == [7, 8, 9]
        assert told["content"].tolist() == [content for _, content in said]
        assert told["fields"].tolist() == [list(content) for _, content in said]
        assert disclosures.asked_before(conn, VAULT, "dvv", "o", ["identity_code"], ["t1"]) == {
            "t1"
        }
    assert found == [f"entry {5:032x}: has a detail and no leaf"]
    engine.dispose()
