"""The command line as a person meets it: setting up, checking, and being told what is wrong."""

import json
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

from pipelines.cli import COMMANDS, Failed, hub, main
from pipelines.settings import shipped, site_files

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


class Answer(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Answer]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, environ: Mapping[str, str] | None = None) -> Answer:
        capsys.readouterr()
        code = main(["--home", str(tmp_path / "hub"), *arguments], environ or {}, lambda: NOON)
        told = capsys.readouterr()
        return Answer(code, told.out, told.err)

    return run


@pytest.fixture
def home(tmp_path: Path, run: Run) -> Path:
    assert run("init").code == 0
    return tmp_path / "hub"


def test_init_writes_the_configuration_with_its_comments_and_a_key(
    tmp_path: Path, run: Run
) -> None:
    told = run("init", "--json")
    assert told.code == 0
    assert told.json["written"] == site_files()
    assert told.json["key_minted"] is True
    home = tmp_path / "hub"
    assert (home / "config" / "hub.yml").read_bytes() == shipped("hub.yml").read_bytes()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "keys" / "person.key").stat().st_mode) == 0o600


def test_init_again_changes_nothing(home: Path, run: Run) -> None:
    (home / "config" / "hub.yml").write_text("language: sv\n")
    key = (home / "keys" / "person.key").read_bytes()
    told = run("init", "--json").json
    assert told["written"] == []
    assert told["kept"] == site_files()
    assert told["key_minted"] is False
    assert (home / "config" / "hub.yml").read_text() == "language: sv\n"
    assert (home / "keys" / "person.key").read_bytes() == key


def test_init_says_what_to_edit_next(run: Run) -> None:
    told = run("init").out
    assert "config/sources/*.yml" in told
    assert "hub check --config" in told


def test_a_fresh_hub_passes_its_check(home: Path, run: Run) -> None:
    told = run("check", "--config", "--json")
    assert told.code == 0
    assert told.json["breaches"] == []
    assert told.json["sources"]["dvv"] == {"configured": False}
    assert told.json["recipients"]["finance"] == {"configured": False, "mode": "shadow"}


def test_check_says_which_file_won(home: Path, run: Run) -> None:
    (home / "config" / "hub.yml").unlink()
    told = run("check", "--config", "--json", environ={"HUB_LANGUAGE": "en", "HUB_LANGAUGE": "sv"})
    assert told.json["files"]["hub.yml"]["from"] == "shipped"
    assert told.json["files"]["notice.yml"]["from"] == "site"
    assert told.json["overridden_by"] == ["HUB_LANGUAGE"]
    assert told.json["unknown_variables"] == ["HUB_LANGAUGE"]


def test_check_fails_on_a_breach_and_names_it(home: Path, run: Run) -> None:
    file = home / "config" / "recipients" / "finance.yml"
    file.write_text(
        file.read_text("utf-8").replace("made_of: [display_name,", "made_of: [phone,"), "utf-8"
    )
    told = run("check", "--config")
    assert told.code == 1
    assert "recipients/finance.yml: fields.invoice_name" in told.err
    assert told.err.count("\n") == 1
    assert [b["rule"] for b in run("check", "--json").json["breaches"]] == ["R18"]
    assert run("notice", "check").code == 1


@pytest.mark.parametrize(
    ("last_day", "said"),
    [("2026-12-02", True), ("2026-12-03", False)],
)
def test_r15_check_speaks_of_an_agreement_thirty_days_before_it_ends(
    home: Path, run: Run, last_day: str, said: bool
) -> None:
    """R15: it is a warning; the day after the last day it stands in the way."""
    environ = {
        "HUB_SUBCONTRACTOR_USERNAME": "u",
        "HUB_SUBCONTRACTOR_PASSWORD": "p",
        "HUB_SOURCES__SUBCONTRACTOR__FOLDER__KIND": "folder",
        "HUB_SOURCES__SUBCONTRACTOR__FOLDER__PATH": str(home),
        "HUB_SOURCES__SUBCONTRACTOR__AGREEMENT__REFERENCE": "sopimus 7/2026",
        "HUB_SOURCES__SUBCONTRACTOR__AGREEMENT__SIGNED": "2026-01-31",
        "HUB_SOURCES__SUBCONTRACTOR__AGREEMENT__VALID_TO": last_day,
    }
    told = run("check", "--config", environ=environ)
    assert told.code == 0
    assert (f"soon     sources/subcontractor.yml: the agreement ends {last_day}" in told.out) is (
        said
    )
    ending = run("check", "--config", "--json", environ=environ).json["ending_agreements"]
    assert [e["days"] for e in ending] == ([30] if said else [])
    over = environ | {"HUB_SOURCES__SUBCONTRACTOR__AGREEMENT__VALID_TO": "2026-11-01"}
    refused = run("check", "--config", environ=over)
    assert refused.code == 1
    assert "sources/subcontractor.yml: agreement" in refused.err


def test_check_fails_without_a_usable_key_and_still_tells_the_rest(home: Path, run: Run) -> None:
    (home / "keys" / "person.key").chmod(0o644)
    told = run("check", "--config", "--json")
    assert told.code == 1
    assert "chmod 600" in told.json["key"]["fault"]
    assert told.json["files"]


def test_a_wrong_file_is_one_line_on_stderr_and_exit_code_one(home: Path, run: Run) -> None:
    (home / "config" / "hub.yml").write_text("language: klingon\n")
    for command in (("check", "--config"), ("keys", "check"), ("notice", "gaps")):
        told = run(*command)
        assert (told.code, told.out) == (1, "")
        assert told.err.startswith("hub: ")
        assert "hub.yml: language: expected" in told.err
        assert told.err.count("\n") == 1


def test_wrong_use_is_exit_code_two(run: Run) -> None:
    assert run("nonsense").code == 2
    assert run("check", "--colour").code == 2
    assert run("keys", "destroy").code == 2


def test_keys_init_and_check_never_show_the_key(tmp_path: Path, run: Run) -> None:
    assert run("keys", "check").code == 1
    assert run("keys", "init", "--json").json["minted"] is True
    assert run("keys", "init", "--json").json["minted"] is False
    told = run("keys", "check")
    assert told.code == 0
    for name in ("person", "log", "details"):
        key = (tmp_path / "hub" / "keys" / f"{name}.key").read_text().strip()
        assert key not in told.out
    shown = run("keys", "check", "--json").json["keys"]
    assert [len(key["key_id"]) for key in shown] == [8, 8, 8]


def test_a_new_signing_key_takes_the_old_ones_place(home: Path, run: Run) -> None:
    assert run("migrate").code == 0
    before = (home / "keys" / "log.key").read_text()
    told = run("keys", "rotate", "--json")
    assert told.code == 0 and told.json["vkey"].startswith("register-hub.example/disclosures+")
    after = (home / "keys" / "log.key").read_text()
    assert after != before and after.strip() not in told.out
    assert run("keys", "check").code == 0
    (home / "keys" / "log.key").write_text(before)
    told = run("keys", "check")
    assert told.code == 1 and "hub keys rotate --lost" in told.err
    assert run("keys", "rotate", "--lost").code == 0
    assert run("keys", "check").code == 0
    assert run("disclosures", "verify").code == 0


def test_another_details_key_than_the_logs_is_refused(home: Path, run: Run) -> None:
    assert run("migrate").code == 0 and run("keys", "check").code == 0
    told = run("keys", "check", environ={"HUB_DETAILS_KEY": "ab" * 32})
    assert told.code == 1 and "put the old key back" in told.err


def test_the_key_may_come_from_the_environment_alone(tmp_path: Path, run: Run) -> None:
    environ = {
        "HUB_PERSON_KEY": "ab" * 32, "HUB_LOG_KEY": "cd" * 32, "HUB_DETAILS_KEY": "ef" * 32,
    }  # fmt: skip
    assert run("init", "--json", environ=environ).json["key_minted"] is False
    assert run("keys", "check", "--json", environ=environ).json["from"] == "HUB_PERSON_KEY"
    assert not (tmp_path / "hub" / "keys").exists()


def test_notice_gaps_tells_phrase_default_and_question(run: Run) -> None:
    gaps = run("notice", "gaps", "--json").json["gaps"]
    assert len(gaps) > 40
    assert set(gaps[0]) == {"id", "phrase", "what", "default", "question"}
    text = run("notice", "gaps").out
    assert "«vähintään 10 vuotta asiakkuuden päättymisestä lukien»" in text


def test_notice_check_finds_a_phrase_the_published_text_does_not_have(
    tmp_path: Path, run: Run
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("Rekisterin nimi Asiakasrekisteri", "utf-8")
    told = run("notice", "check", "--text", str(other), "--json")
    assert told.code == 1
    assert "controller.phrase" in told.json["misquoted"]
    assert "register.phrase" not in told.json["misquoted"]
    assert told.json["same_text"] is False


def test_home_comes_from_the_option_else_the_environment(
    tmp_path: Path, run: Run, capsys: Any
) -> None:
    capsys.readouterr()
    assert main(["keys", "init", "--json"], {"HUB_HOME": str(tmp_path / "elsewhere")}) == 0
    assert json.loads(capsys.readouterr().out)["key_file"].startswith(str(tmp_path / "elsewhere"))


def commands(group: click.Group, name: str = "hub") -> list[tuple[str, click.Command]]:
    """Every command of a group and of the groups in it."""
    context = click.Context(group)
    found: list[tuple[str, click.Command]] = []
    for sub in group.list_commands(context):
        command = group.get_command(context, sub)
        assert command is not None
        found.append((f"{name} {sub}", command))
        if isinstance(command, click.Group):
            found += commands(command, f"{name} {sub}")
    return found


OURS = [
    pytest.param(name, command, id=name)
    for name, command in commands(hub)
    if command.callback is not None
    and command.callback.__module__ in ("pipelines.cli.setup", "pipelines.cli.notice")
]


@pytest.mark.parametrize(("name", "command"), OURS)
def test_every_command_has_examples_and_json(name: str, command: click.Command) -> None:
    assert f"{name} " in (command.help or "") + " ", "help shows the command in use"
    assert "Examples:" in (command.help or "")
    if not isinstance(command, click.Group):
        assert any("--json" in p.opts for p in command.params)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_help_says(name: str) -> None:
    where, summary = COMMANDS[name]
    module, _, attribute = where.partition(":")
    command = getattr(import_module(module), attribute)
    assert (command.help or "").splitlines()[0] == summary
    assert command.name == name


def test_hub_help_imports_nothing_heavy() -> None:
    heavy = (
        "pandas",
        "dagster",
        "sqlalchemy",
        "great_expectations",
        "pydantic",
        "requests",
        "yaml",
    )
    script = (
        "import sys; from pipelines.cli import main; code = main(['--help']);"
        f"print([m for m in {heavy!r} if m in sys.modules], code, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "Commands:" in done.stdout
    assert done.stderr.strip() == "[] 0"


def test_the_configuration_is_read_without_pandas_or_a_database() -> None:
    script = (
        "import sys; from pathlib import Path; from pipelines.settings import load_settings;"
        "load_settings(Path('nowhere'), {});"
        "print([m for m in ('pandas', 'dagster', 'sqlalchemy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@click.command()
@click.argument("kind")
def fail(kind: str) -> None:
    """Fail on purpose."""
    if kind == "foreseen":
        raise Failed("two words\nand a line")
    raise ValueError("010180-999A")


def test_an_unforeseen_error_shows_its_kind_and_place_and_never_its_text(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's message may hold a person."""
    module = sys.modules[fail.callback.__module__]
    monkeypatch.setitem(sys.modules, "failing", module)
    monkeypatch.setattr("pipelines.cli.COMMANDS", {"fail": ("failing:fail", "Fail on purpose.")})
    told = run("fail", "unforeseen")
    assert told.code == 1
    assert "010180" not in told.err
    assert "ValueError at test_setup.py:" in told.err
    assert run("fail", "foreseen").err == "hub: two words and a line\n"
    with pytest.raises(ValueError, match="010180"):
        run("fail", "unforeseen", environ={"HUB_TRACEBACK": "1"})


def test_dagster_takes_its_instance_file(home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """Telemetry and pop-ups off, nothing printed is kept, no run stands as running for ever."""
    from dagster import DagsterInstance

    folder = tmp_path / "dagster"
    folder.mkdir()
    (folder / "dagster.yaml").write_bytes(
        (home / "config" / "dagster" / "dagster.yaml").read_bytes()
    )
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    with DagsterInstance.get() as instance:
        assert instance.telemetry_enabled is False
        assert instance.nux_enabled is False
        assert instance.run_monitoring_enabled is True
        assert type(instance.compute_log_manager).__name__ == "NoOpComputeLogManager"
        assert instance.root_directory == str(folder)
