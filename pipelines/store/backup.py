"""Everything the hub remembers as plain files, and back into an empty database of either kind.

Belongs here: writing and reading a backup. Does not belong here: when one is made and how long it is
kept; the pseudonymisation key, which never stands beside what it could unlock.

A backup is a folder: `manifest.json` (revision, and per table its columns, rows and SHA-256), one
`TABLE.jsonl` per table (a JSON array a row, bytes in base64), and the site's `config/`. It is the same
from SQLite and from PostgreSQL, so it is also the way from one to the other. It holds personal data in
clear: the folder is made for the owner alone, and encrypting it is up to whoever carries it away.

`disclosure_seed.jsonl` may be kept for a shorter time than the rest: once it is destroyed, the details of
disclosures in that backup can't be read by anybody, and it can still be restored (PRIVACY §2.6).
"""

import base64
import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, func, select, text
from sqlalchemy.types import LargeBinary

from pipelines.domain.landing import canonical_json
from pipelines.store import frames, tables
from pipelines.store.engine import (
    StoreError,
    migrate,
    reading,
    require_current_schema,
    transaction,
)

SEEDS = tables.disclosure_seed.name
"""The one table whose file may be destroyed before the rest: what was told of persons goes with it."""
_ROWS_AT_ONCE = 5_000
_CONFIG_SUFFIXES = (".yml", ".yaml")


def backup(engine: Engine, home: Path, target: Path) -> dict[str, int]:
    """Write one moment's state to the new folder `target`; returns table → rows.

    The folder bears its name only once it is whole. Of the home only `config/**.yml` goes along: no key,
    no log. Raises StoreError when `target` exists or the database is not at this hub's revision.
    """
    require_current_schema(engine)
    if target.exists():
        raise StoreError(f"{target} is there already: a backup never replaces one")
    unfinished = target.with_name(f"{target.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700, parents=True)
    written: dict[str, Any] = {}
    with reading(engine) as conn:
        for table in _tables_in(conn):
            written[table.name] = _write(conn, table, unfinished / f"{table.name}.jsonl")
    for file in _config_files(home / "config"):
        copy = unfinished / "config" / file.relative_to(home / "config")
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
        copy.chmod(0o600)
    manifest = {"revision": tables.REVISION, "tables": written}
    _private(unfinished / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    unfinished.rename(target)
    return {name: entry["rows"] for name, entry in written.items()}


def restore(engine: Engine, source: Path) -> dict[str, int]:
    """Load a backup into a database that is empty, or has no schema yet; returns table → rows.

    Every file is held against the manifest before anything is written, and all is loaded in one
    transaction: triggers in place, leaf numbers without a gap, counters going on where they stood. The
    site's config is not touched. Raises StoreError, naming what does not fit.
    """
    manifest = _manifest(source)
    tables_there = manifest["tables"]
    if not (source / f"{SEEDS}.jsonl").exists():
        tables_there.pop(SEEDS, None)
    for name, entry in tables_there.items():
        if _sha256(source / f"{name}.jsonl") != entry["sha256"]:
            raise StoreError(f"{name}.jsonl is not the file that the backup's manifest speaks of")
    migrate(engine, manifest["revision"])
    with transaction(engine) as conn:
        present = _tables_in(conn, *manifest["tables"])
        for table in present:
            if conn.scalar(select(func.count()).select_from(table)):
                raise StoreError(
                    f"{table.name} holds rows: a backup is restored into an empty database"
                )
        missing = sorted(set(manifest["tables"]) - {table.name for table in present})
        if missing:
            raise StoreError(f"the database has no table {', '.join(missing)}")
        for table in present:
            if table.name in manifest["tables"]:
                _load(conn, table, source, manifest["tables"][table.name])
        _require_whole_log(conn)
    migrate(engine)
    return {name: entry["rows"] for name, entry in manifest["tables"].items()}


def _tables_in(conn: Connection, *more: str) -> list[Table]:
    """Our tables as the database has them, referred-to first; json is text here, as it is there."""
    ours = {*tables.metadata.tables, *more}
    found = MetaData()
    found.reflect(conn, only=lambda name, _: name in ours)
    return found.sorted_tables


def _config_files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix in _CONFIG_SUFFIXES)


def _private(path: Path) -> Path:
    path.touch(mode=0o600)
    return path


def _write(conn: Connection, table: Table, path: Path) -> dict[str, Any]:
    columns = [column.name for column in table.columns]
    statement = select(table).order_by(*table.primary_key)
    found = conn.execution_options(yield_per=_ROWS_AT_ONCE).execute(statement)
    digest, rows = hashlib.sha256(), 0
    with _private(path).open("wb") as file:
        for row in found:
            line = canonical_json([_portable(value) for value in row]).encode() + b"\n"
            digest.update(line)
            file.write(line)
            rows += 1
    return {"columns": columns, "rows": rows, "sha256": digest.hexdigest()}


def _portable(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, (bytes, memoryview)) else value


def _manifest(source: Path) -> Mapping[str, Any]:
    try:
        manifest: Mapping[str, Any] = json.loads((source / "manifest.json").read_bytes())
    except (OSError, ValueError):
        raise StoreError(f"{source} holds no backup: its manifest.json can't be read") from None
    return manifest


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _load(conn: Connection, table: Table, source: Path, entry: Mapping[str, Any]) -> None:
    columns: list[str] = entry["columns"]
    plain = [_reader(table, name) for name in columns]
    with (source / f"{table.name}.jsonl").open("rb") as file:
        lines = (
            tuple(
                None if value is None else read(value)
                for value, read in zip(row, plain, strict=True)
            )
            for row in map(json.loads, file)
        )
        while batch := list(islice(lines, _ROWS_AT_ONCE)):
            frames.load(conn, table.name, columns, batch)
    held = conn.scalar(select(func.count()).select_from(table))
    if held != entry["rows"]:
        raise StoreError(f"{table.name} took {held} of {entry['rows']} rows")
    if conn.dialect.name == "postgresql":
        _go_on_counting(conn, table)


def _reader(table: Table, name: str) -> Callable[[Any], Any]:
    column = table.columns.get(name)
    if column is None:
        raise StoreError(f"{table.name} has no column {name}")
    return base64.b64decode if isinstance(column.type, LargeBinary) else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _go_on_counting(conn: Connection, table: Table) -> None:
    for column in table.primary_key:
        sequence = conn.scalar(
            text("SELECT pg_get_serial_sequence(:table, :column)"),
            {"table": table.name, "column": column.name},
        )
        last = conn.scalar(select(func.max(column))) if sequence else None
        if last is not None:
            conn.execute(
                text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last}
            )


def _require_whole_log(conn: Connection) -> None:
    leaf = tables.disclosure_leaf.c.leaf_no
    last, held = conn.execute(select(func.max(leaf), func.count(leaf))).one()
    if held and last + 1 != held:
        raise StoreError("the backup's disclosure log has gaps: it was not restored")
