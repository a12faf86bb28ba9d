"""The town as a process and its controls."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import asyncssh
import requests

from connectors.sandbox import faults
from connectors.sandbox.town import Town, start
from tests.sandbox.clients import at, control

ROOT = Path(__file__).parents[2]

SFTP = {"own_register", "finance", "municipality", "building_control"}


@contextmanager
def serving(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable, "-W", "error", "-m", "connectors.sandbox",
        "--dir", str(folder), "--customers", "100", "--seed", "2", "--start", "2026-12-07",
    ]  # fmt: skip
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_command_says_when_it_is_ready_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        assert process.stdout is not None
        assert "2026-12-07" in process.stdout.readline()
        addresses = json.loads((tmp_path / "addresses.json").read_bytes())
        assert set(addresses) == {"control", "today", *faults.CATALOGUE}
        assert (
            requests.get(addresses["control"] + "/status", timeout=5).json()["today"]
            == "2026-12-07"
        )
        process.send_signal(signal.SIGTERM)
        out, errors = process.communicate(timeout=20)
        assert (process.returncode, out, errors) == (0, "", "")


def test_post_stop_ends_the_process(tmp_path: Path) -> None:
    with serving(tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        url = json.loads((tmp_path / "addresses.json").read_bytes())["control"]
        assert requests.post(url + "/stop", timeout=5).status_code == 200
        _, errors = process.communicate(timeout=20)
        assert (process.returncode, errors) == (0, "")


def test_a_wrong_town_is_one_line_on_stderr(tmp_path: Path) -> None:
    start(tmp_path, customers=100, seed=5).close()
    command = [sys.executable, "-m", "connectors.sandbox", "--dir", str(tmp_path), "--seed", "6"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "another town" in done.stderr


def test_the_controls_advance_the_clock_and_tell_the_truth(town: Town) -> None:
    assert control(town, "POST", "/advance", {"days": 2}).json()["today"] == "2026-11-04"
    assert control(town, "POST", "/advance", {"quiet": True}).json()["today"] == "2026-11-05"
    assert json.loads((town.directory / "addresses.json").read_bytes())["today"] == "2026-11-05"
    assert control(town, "GET", "/truth").json() == json.loads(json.dumps(town.truth()))
    assert control(town, "GET", "/stories").json() == town.stories()
    assert control(town, "GET", "/nowhere").status_code == 404
    assert control(town, "POST", "/advance", {"days": "many"}).status_code == 400


def test_a_closed_town_leaves_no_thread_and_no_open_file(tmp_path: Path) -> None:
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            town = start(tmp_path, customers=100, seed=5)
            requests.get(town.addresses["control"] + "/status", timeout=5)
            town.close()
            town.close()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) <= files


def test_clients_that_never_leave_do_not_keep_the_town_from_closing(tmp_path: Path) -> None:
    town = start(tmp_path, customers=100, seed=5)
    host = "127.0.0.1"
    ports = [town.addresses["finance"]["port"], int(town.addresses["control"].rpartition(":")[2])]

    async def stay(client: asyncssh.SFTPClient) -> None:
        async with client.open("sisaan/half.part", "wb") as file:
            await file.write(b"half")
            for port in ports:
                silent = socket.create_connection((host, port), timeout=5)
                silents.append(silent)
            await asyncio.to_thread(town.close)

    silents: list[socket.socket] = []
    try:
        with suppress(asyncssh.SFTPError, asyncssh.ConnectionLost, OSError):
            at(town, "finance", stay)
        left = [t.name for t in threading.enumerate() if t.name.startswith("sandbox")]
        assert left == []
    finally:
        for silent in silents:
            silent.close()


def test_what_the_town_keeps_is_its_owners_alone(town: Town) -> None:
    for path in town.directory.rglob("*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path.name
