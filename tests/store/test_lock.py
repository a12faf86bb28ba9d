"""One run at a time; the lock dies with its process."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from pipelines.store.engine import transaction
from pipelines.store.lock import RunLock

HOLD = """
import sys, time
from pathlib import Path
from pipelines.store.engine import open_engine
from pipelines.store.lock import RunLock
lock = RunLock(open_engine(sys.argv[1]), Path(sys.argv[2]))
print(lock.acquire(), flush=True)
time.sleep(60)
"""


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture
def holder(engine: Engine, tmp_path: Path) -> "Iterator[subprocess.Popen[str]]":
    """Another process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url_of(engine), str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "True\n"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_process_gives_the_lock_back(
    engine: Engine, tmp_path: Path, holder: "subprocess.Popen[str]"
) -> None:
    """DESIGN 14: whatever holds it dies with the process."""
    lock = RunLock(engine, tmp_path)
    assert not lock.acquire()
    assert lock.holder().startswith(f"process {holder.pid} on ")
    assert " since 20" in lock.holder()
    holder.kill()
    holder.wait()
    assert lock.acquire(wait_seconds=20)
    lock.release()
    assert lock.holder() == ""


def test_only_one_of_two_holds_it_and_the_other_may_after(engine: Engine, tmp_path: Path) -> None:
    one, other = RunLock(engine, tmp_path), RunLock(engine, tmp_path)
    assert one.acquire()
    assert one.acquire()  # still ours
    assert not other.acquire(wait_seconds=0.1)
    assert other.holder() == one.holder() != ""
    one.release()
    one.release()
    assert other.acquire()
    assert not one.acquire()
    other.release()


def test_work_goes_on_under_the_lock(engine: Engine, tmp_path: Path) -> None:
    lock = RunLock(engine, tmp_path)
    assert lock.acquire()
    with transaction(engine) as conn:
        assert conn.scalar(text("SELECT 1")) == 1
    lock.release()


def test_nobody_holds_a_lock_that_was_never_taken(engine: Engine, tmp_path: Path) -> None:
    assert RunLock(engine, tmp_path / "none").holder() == ""
