"""`hub disclosures verify` and `witnesses`: what is whole, what is not, and what nobody would see."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from pipelines.cli import main
from pipelines.steps.seal import seal
from pipelines.store import checkpoints
from pipelines.store.engine import migrate, open_engine, transaction
from tests.cli.conftest import Answer
from tests.steps.logged import Logged

Run = Callable[..., Answer]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command over the home of `log`."""

    def call(*words: str) -> Answer:
        capsys.readouterr()
        code = main(["--home", str(tmp_path / "hub"), *words], {})
        return Answer(code, *capsys.readouterr())

    return call


@pytest.fixture
def log(tmp_path: Path) -> Logged:
    """A log with a delivery, in the home that the commands look at."""
    home = tmp_path / "hub"
    (home / "keys").mkdir(parents=True)
    for name, key in (("details", bytes(range(32))), ("log", bytes(range(32, 64)))):
        file = home / "keys" / f"{name}.key"
        file.write_bytes(base64.b64encode(key))
        file.chmod(0o600)
    engine = open_engine(f"sqlite:///{home}/hub.db")
    migrate(engine)
    logged = Logged(engine, home)
    logged.freeze(7, 8)
    logged.deliver()
    seal(logged.night())
    return logged


def test_a_whole_log_is_said_to_be_whole_and_what_could_be_rewritten_is_said_too(
    log: Logged, run: Run
) -> None:
    told = run("disclosures", "verify")
    assert told.code == 0 and "the disclosure log is whole" in told.out
    assert "nobody would see it" in told.out
    assert run("disclosures", "verify", "--json").json["findings"] == []


def test_what_is_wrong_is_named_and_the_command_fails(log: Logged, run: Run) -> None:
    with transaction(log.engine) as conn:
        conn.execute(text("UPDATE delivery SET rows = 9"))
    told = run("disclosures", "verify")
    assert told.code == 1 and told.err.count("\n") == 1
    assert "is not what its intent says" in told.err
    assert (
        run("disclosures", "verify", "--json").json["findings"][0]["where"].startswith("delivery")
    )


def test_an_old_letter_is_a_note_to_compare_with(log: Logged, run: Run, tmp_path: Path) -> None:
    with transaction(log.engine) as conn:
        head = checkpoints.latest(conn)
    assert head is not None
    letter = tmp_path / "2026-11-02.txt"
    letter.write_text(f"OK\n\nLoki\n  - 5 merkintää\n\n{head.note}\n", "utf-8")
    assert run("disclosures", "verify", "--against", str(letter)).code == 0
    other = head.note.splitlines()[2]
    letter.write_text(letter.read_text("utf-8").replace(other, "A" * 43 + "="), "utf-8")
    told = run("disclosures", "verify", "--against", str(letter))
    assert told.code == 1 and "2026-11-02.txt: can't be compared" in told.err


def test_a_file_without_a_checkpoint_is_refused(log: Logged, run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.txt").write_text("nothing\n\nof the kind\n", "utf-8")
    told = run("disclosures", "verify", "--against", str(tmp_path / "other.txt"))
    assert told.code == 1 and "holds no checkpoint" in told.err


def test_who_outside_has_which_checkpoint_is_told(log: Logged, run: Run) -> None:
    assert "no witness is configured" in run("disclosures", "witnesses").out
    with transaction(log.engine) as conn:
        checkpoints.witnessed(conn, "dpo", log.night().now(), 1)
    told = run("disclosures", "witnesses", "--json").json
    assert told["witnesses"][0] | {"at": ""} == {
        "witness": "dpo", "configured": False, "checkpoint": 1, "at": "", "failing": None,
        "cosigned": 0,
    }  # fmt: skip
    assert len(told["vkeys"]) == 1
