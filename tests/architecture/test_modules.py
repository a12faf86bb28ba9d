"""How a module looks: what it says of itself, how long it is, what it may not do."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = 400
# longer ones, each with its own ceiling and the reason why it is not two
LONG = {
    "pipelines/cli/operate.py": (480, "half of it is help that people read"),
    "pipelines/settings.py": (470, "which file wins, what overrides it, and hub.yml"),
    "pipelines/domain/standardise.py": (680, "every landed field is read in one pass, in one place"),
    "pipelines/verifier.py": (650, "a person is handed one file that runs by itself"),
    "pipelines/store/verification.py": (530, "everything that the log is held against, in one pass"),
    "pipelines/store/nights.py": (475, "what a night remembers of itself: runs, feeds, counters"),
    "pipelines/store/disclosures.py": (430, "a detail's way in, out and to its end, in one place"),
    "pipelines/store/frames.py": (445, "frames in and out of either database, nowhere else"),
    "pipelines/store/tables.py": (740, "every table once"),
    "pipelines/store/migrations/versions/0001_initial.py": (560, "every table once, and the triggers"),
    "connectors/sandbox/founding.py": (520, "every awkward case of a register, one method a kind"),
    "connectors/base.py": (420, "every promise to the hub, and every way to fail, once"),
    "connectors/sandbox/town.py": (420, "everybody in the town, and the day they share"),
    "pipelines/steps/ingest.py": (430, "one transaction, with all that has to be in it"),
    "connectors/sources/registrations.py": (480, "the layout's options and the reading of it"),
}  # fmt: skip
VAGUE = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "misc",
    "manager",
    "base",
    "tools",
    "stuff",
}
CLOCKS = {
    *(f"datetime.{c}" for c in ("now", "utcnow", "today", "datetime.now", "date.today")),
    *(f"time.{c}" for c in ("time", "time_ns", "localtime", "gmtime", "strftime")),
    "date.today",
}
MAY_READ_THE_CLOCK = {"pipelines/house.py", "pipelines/cli/__init__.py"}
MAY_PRINT = {"connectors/sandbox/__main__.py"}
# they say in one line what runs when they are run, and hold nothing else
PROGRAMS = {
    "pipelines/definitions.py",
    "pipelines/cli/__main__.py",
    "connectors/sandbox/__main__.py",
}

FILES = sorted(
    p.relative_to(ROOT).as_posix()
    for package in ("pipelines", "connectors", "expectations")
    for p in (ROOT / package).rglob("*.py")
)
MIGRATIONS = {f for f in FILES if "/migrations/" in f}
WITH_CODE = [f for f in FILES if (ROOT / f).read_text("utf-8").strip()]


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text("utf-8"))


def calls(file: str) -> Iterator[tuple[str, int]]:
    """Every call in a file: the words before the bracket, the line."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


@pytest.mark.parametrize("file", [f for f in WITH_CODE if f not in PROGRAMS | MIGRATIONS])
def test_a_module_opens_with_what_belongs_there_and_what_does_not(file: str) -> None:
    said = " ".join((ast.get_docstring(tree(file)) or "").split())
    assert "elongs here" in said or "oes not belong here" in said
    assert "not belong" in said


@pytest.mark.parametrize("file", sorted(PROGRAMS | MIGRATIONS & set(WITH_CODE)))
def test_a_program_says_what_it_does(file: str) -> None:
    assert ast.get_docstring(tree(file))


@pytest.mark.parametrize("file", [f for f in WITH_CODE if f not in MIGRATIONS])
def test_every_public_function_and_class_says_what_it_is(file: str) -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [n for n in tree(file).body if isinstance(n, kinds) and not n.name.startswith("_")]
    assert [n.name for n in public if not ast.get_docstring(n)] == []


@pytest.mark.parametrize("file", FILES)
def test_a_module_is_short_enough_to_be_read(file: str) -> None:
    ceiling, _ = LONG.get(file, (LINES, ""))
    assert len((ROOT / file).read_text("utf-8").splitlines()) <= ceiling


@pytest.mark.parametrize("file", LONG)
def test_an_exception_is_taken_off_the_list_once_it_is_none(file: str) -> None:
    assert len((ROOT / file).read_text("utf-8").splitlines()) > LINES


@pytest.mark.parametrize("file", FILES)
def test_no_module_has_a_name_for_anything(file: str) -> None:
    assert not VAGUE & set(Path(file).with_suffix("").parts) or file == "connectors/base.py"


@pytest.mark.parametrize("file", [f for f in WITH_CODE if f not in MAY_PRINT])
def test_nothing_prints(file: str) -> None:
    """What is printed ends in logs nobody looks after; the command line echoes through click."""
    assert [line for name, line in calls(file) if name in ("print", "pprint")] == []


@pytest.mark.parametrize("file", [f for f in WITH_CODE if f not in MAY_READ_THE_CLOCK])
def test_time_is_an_argument(file: str) -> None:
    """DESIGN 13; waiting by time.monotonic is no clock."""
    read = [f"{name} in line {line}" for name, line in calls(file) if name in CLOCKS]
    assert read == []


@pytest.mark.parametrize("file", [f for f in WITH_CODE if f.startswith("pipelines/domain/")])
def test_the_domain_reads_no_file_and_no_environment(file: str) -> None:
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        (node.module or "").split(".")[0]
        for node in ast.walk(tree(file))
        if isinstance(node, ast.ImportFrom)
    }
    assert not imported & {"os", "pathlib", "io", "socket", "logging", "time", "random", "secrets"}
    assert [line for name, line in calls(file) if name == "open"] == []


@pytest.mark.parametrize("file", [f for f in WITH_CODE if f.startswith("pipelines/")])
def test_sql_is_written_in_the_store_and_in_linkage_only(file: str) -> None:
    """The hub's own tables through SQLAlchemy in the store, a run's tables in DuckDB in linkage (DESIGN 15)."""
    nodes = list(ast.walk(tree(file)))
    froms = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.module]
    names = {
        alias.name
        for node in froms
        if (node.module or "").split(".")[0] == "sqlalchemy"
        for alias in node.names
    }
    imported = {alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names}
    imported |= {node.module or "" for node in froms}
    dagsters = "pipelines/event_log.py"  # where Dagster keeps its own
    if not file.startswith("pipelines/store/") and file != dagsters:
        assert names <= {"Connection", "Engine"}, "types only"
    if not file.startswith("pipelines/linkage/"):
        assert "duckdb" not in {name.split(".")[0] for name in imported}
