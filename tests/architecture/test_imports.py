"""Who may import whom, and that importing anything starts nothing (HOUSE_STYLE, "Who may import whom")."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipelines", "connectors", "expectations")
# run by Alembic or as programs, so importing them is running them
PROGRAMS = {
    "pipelines.cli.__main__",
    "connectors.sandbox.__main__",
    "pipelines.store.migrations.env",
}

# Imports every module under an audit hook that writes down what reaches outside the process; and once before
# without it, since a library may feel for IPv6 or a folder for itself.
WATCHED_IMPORT = """
import importlib, json, os, sys
modules = json.loads(sys.argv[1])
for module in modules:
    importlib.import_module(module)
roots = {module.split(".")[0] for module in modules}
for module in [m for m in sys.modules if m.split(".")[0] in roots]:
    del sys.modules[module]
did = []
def watch(event, args):
    if event in ("socket.connect", "socket.bind", "sqlite3.connect", "subprocess.Popen", "os.system"):
        did.append(f"{event} {args[:1]}")
    if event in ("os.mkdir", "os.remove", "os.rename") or (
        event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    ):
        did.append(f"{event} {args[0]}")
sys.addaudithook(watch)
for module in modules:
    before = len(did)
    importlib.import_module(module)
    did[before:] = [f"{module}: {deed}" for deed in did[before:]]
import threading
did += [f"thread {t.name}" for t in threading.enumerate() if t is not threading.main_thread()]
print(json.dumps(did))
"""


def modules() -> list[str]:
    """Every module of the product by its dotted name."""
    found = [p for package in PACKAGES for p in (ROOT / package).rglob("*.py")]
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts) for p in found}
    return sorted(n.removesuffix(".__init__") for n in names - PROGRAMS)


def imported(names: list[str], home: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHED_IMPORT, json.dumps(names)],
        cwd=ROOT,
        env={**os.environ, "HUB_HOME": str(home), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    did: list[str] = json.loads(done.stdout)
    return did


def test_the_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_importing_every_module_connects_to_nobody_and_writes_nothing(tmp_path: Path) -> None:
    assert len(modules()) > 80
    assert imported(modules(), tmp_path / "home") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("deed", "seen"),
    [
        ("import sqlite3; sqlite3.connect('x.db')", "sqlite3.connect"),
        ("import socket; socket.socket().bind(('127.0.0.1', 0))", "socket.bind"),
        ("open('trace.txt', 'w').close()", "open trace.txt"),
    ],
)
def test_a_module_that_does_something_on_import_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str, seen: str
) -> None:
    (tmp_path / "guilty.py").write_text(f"import os; os.chdir({str(tmp_path)!r}); {deed}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert any(seen in did for did in imported(["guilty"], tmp_path))


def test_the_domain_and_the_connectors_are_imported_without_a_framework() -> None:
    script = (
        "import sys, pipelines.domain.standardise, pipelines.domain.extract, connectors.sources.dvv;"
        "print([m for m in ('dagster', 'sqlalchemy', 'great_expectations') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
