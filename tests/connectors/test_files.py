"""Folders: nothing is overwritten, nothing is half there, nobody unknown is talked to."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from connectors.base import AlreadyPublished, Malformed, OutcomeUnknown, Refused, Unavailable
from connectors.files import FileInfo, Folder, FolderOptions
from connectors.folders import open_folder
from tests.connectors.sftp_server import SftpServer

PAYLOAD = "Mäki;Ämmälä\r\n".encode() * 50_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SftpServer]:
    with SftpServer(tmp_path) as running:
        yield running


@pytest.fixture(params=["folder", "sftp"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Folder]:
    if request.param == "folder":
        with open_folder(FolderOptions("folder", str(tmp_path))) as opened:
            yield opened
        return
    with SftpServer(tmp_path) as server, open_folder(server.options()) as opened:
        yield opened


def test_what_was_written_is_listed_and_read_back(folder: Folder, tmp_path: Path) -> None:
    folder.write_new("b.csv", PAYLOAD)
    folder.write_new("a.csv", b"")

    assert folder.list() == [FileInfo("a.csv", 0), FileInfo("b.csv", len(PAYLOAD))]
    assert folder.read("b.csv", len(PAYLOAD)) == PAYLOAD
    assert folder.read("a.csv", 10) == b""
    assert folder.stat("b.csv") == FileInfo("b.csv", len(PAYLOAD))
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "b.csv"]


def test_a_name_that_exists_is_never_overwritten(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"first")

    with pytest.raises(AlreadyPublished, match="a.csv"):
        folder.write_new("a.csv", b"second")

    assert (tmp_path / "a.csv").read_bytes() == b"first"


def test_a_name_taken_while_we_write_is_not_overwritten(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look beforehand only saves bytes: the rename itself has to refuse."""
    (tmp_path / "a.csv").write_bytes(b"first")
    answers = iter([None])
    look = folder.stat
    monkeypatch.setattr(folder, "stat", lambda name: next(answers, look(name)))
    monkeypatch.setattr(os.path, "lexists", lambda path: False)

    with pytest.raises(AlreadyPublished):
        folder.write_new("a.csv", b"second")

    assert (tmp_path / "a.csv").read_bytes() == b"first"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_what_a_killed_writer_left_is_unseen_and_in_nobodys_way(
    folder: Folder, tmp_path: Path
) -> None:
    (tmp_path / "a.csv.part").write_bytes(b"half of a much longer file")

    assert folder.list() == []
    folder.write_new("a.csv", b"whole")

    assert folder.read("a.csv", 10) == b"whole"
    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize(
    "name", ["../a.csv", "/etc/passwd", "a/b", "a\\b", "", ".", "..", ".a", "a\0b", "a b", "a.part"]
)
def test_a_name_that_leads_elsewhere_is_refused(folder: Folder, name: str) -> None:
    for ask in (lambda: folder.read(name, 10), lambda: folder.stat(name)):
        with pytest.raises(Malformed):
            ask()
    with pytest.raises(Malformed):
        folder.write_new(name, b"x")


def test_folders_and_links_are_not_files(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "link").symlink_to("/etc/hostname")

    assert folder.list() == []
    assert folder.stat("inner") is None
    assert folder.stat("link") is None
    with pytest.raises(Malformed, match="not there"):
        folder.read("link", 10_000)


def test_a_file_over_the_limit_is_not_read(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"12345")

    assert folder.read("a.csv", 5) == b"12345"
    with pytest.raises(Malformed, match="larger than 4 bytes"):
        folder.read("a.csv", 4)


def test_a_missing_folder_is_said_so(tmp_path: Path, server: SftpServer) -> None:
    for options in (FolderOptions("folder", str(tmp_path / "no")), server.options("no")):
        with open_folder(options) as folder, pytest.raises((Unavailable, Refused), match="no"):
            folder.list()


# ── SFTP: who is talked to ──────────────────────────────────────────────────────────────────────


def test_a_server_with_another_key_is_told_nothing(server: SftpServer) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

    with (
        open_folder(server.options(host_keys=(other,))) as folder,
        pytest.raises(Refused, match="host key is not the pinned one"),
    ):
        folder.write_new("a.csv", PAYLOAD)

    assert server.seen.connections == 1
    assert server.seen.logins == 0
    assert server.seen.bytes_written == 0


def test_a_server_with_another_kind_of_key_is_told_nothing(tmp_path: Path) -> None:
    pinned = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

    with SftpServer(tmp_path, "ecdsa-sha2-nistp256") as server:
        with open_folder(server.options(host_keys=(pinned,))) as folder, pytest.raises(Refused):
            folder.list()
        assert server.seen.logins == 0


@pytest.mark.parametrize("keys", [(), ("ssh-ed25519",), ("ssh-ed25519 !!!",), ("what AAAA",)])
def test_without_a_key_that_can_be_compared_no_one_is_asked(
    server: SftpServer, keys: tuple[str, ...]
) -> None:
    with open_folder(server.options(host_keys=keys)) as folder, pytest.raises(Refused, match="key"):
        folder.list()

    assert server.seen.logins == 0


def test_two_keys_may_be_pinned_while_the_server_changes_its_own(server: SftpServer) -> None:
    old = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()

    for keys in ((old, server.host_key), (server.host_key, old)):
        with open_folder(server.options(host_keys=keys)) as folder:
            assert folder.list() == []


def test_an_rsa_key_is_pinned_by_its_one_line(tmp_path: Path) -> None:
    with SftpServer(tmp_path, "ssh-rsa") as server, open_folder(server.options()) as folder:
        assert server.host_key.startswith("ssh-rsa ")
        assert folder.list() == []


def test_wrong_credentials_are_refused_and_not_repeated_in_the_message(server: SftpServer) -> None:
    with (
        open_folder(server.options(password="hush-hush")) as folder,
        pytest.raises(Refused, match="credentials") as refusal,
    ):
        folder.list()

    assert "hush-hush" not in str(refusal.value)
    assert "hush-hush" not in repr(server.options(password="hush-hush"))


def test_a_key_file_lets_us_in(
    server: SftpServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key_file = tmp_path_factory.mktemp("keys") / "id"
    key.write_private_key(key_file)
    server.user_keys.add(key.export_public_key())

    with open_folder(server.options(password="", key_file=str(key_file))) as folder:
        assert folder.list() == []


def test_a_key_file_that_cannot_be_read_is_refused_by_no_name(server: SftpServer) -> None:
    with (
        open_folder(server.options(key_file="/nowhere/id")) as folder,
        pytest.raises(Refused, match="private key file") as refusal,
    ):
        folder.list()
    assert "/nowhere" not in str(refusal.value)


# ── SFTP: what goes wrong ───────────────────────────────────────────────────────────────────────


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = FolderOptions(
        "sftp", "", host="127.0.0.1", port=port, host_keys=("ssh-ed25519 AAAA",)
    )

    with open_folder(options) as folder, pytest.raises(Unavailable):
        folder.list()


def test_a_server_that_says_nothing_is_unavailable_after_the_time_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = FolderOptions(
            "sftp",
            "",
            host="127.0.0.1",
            port=silent.getsockname()[1],
            host_keys=("ssh-ed25519 AAAA",),
            timeout=0.3,
        )
        with open_folder(options) as folder, pytest.raises(Unavailable):
            folder.list()


def test_a_connection_lost_while_bytes_leave_has_an_unknown_outcome(
    server: SftpServer, tmp_path: Path
) -> None:
    server.faults.drop_after_bytes = 100_000

    with open_folder(server.options()) as folder:
        with pytest.raises(OutcomeUnknown):
            folder.write_new("a.csv", PAYLOAD)
        server.faults.drop_after_bytes = None
        assert folder.list() == []  # a new connection; half a file is no file
        folder.write_new("a.csv", PAYLOAD)
        assert folder.read("a.csv", len(PAYLOAD)) == PAYLOAD

    assert os.listdir(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("fault", ["drop_before_rename", "drop_after_rename"])
def test_a_connection_lost_around_the_rename_has_an_unknown_outcome(
    server: SftpServer, fault: str
) -> None:
    setattr(server.faults, fault, True)

    with open_folder(server.options()) as folder:
        with pytest.raises(OutcomeUnknown):
            folder.write_new("a.csv", b"x")
        assert (folder.stat("a.csv") is not None) == (fault == "drop_after_rename")


def test_a_server_that_is_gone_before_a_byte_left_is_unavailable(tmp_path: Path) -> None:
    with SftpServer(tmp_path) as server, open_folder(server.options()) as folder:
        folder.list()
        server.stop()
        with pytest.raises(Unavailable):
            folder.write_new("a.csv", b"x")


@pytest.mark.parametrize("fault", ["read_only", "full"])
def test_a_server_that_will_not_take_it_refuses_and_nothing_is_there(
    server: SftpServer, fault: str
) -> None:
    setattr(server.faults, fault, True)

    with open_folder(server.options()) as folder:
        with pytest.raises(Refused):
            folder.write_new("a.csv", PAYLOAD)
        assert folder.list() == []


def test_a_file_that_was_not_stored_whole_gets_no_name(server: SftpServer) -> None:
    server.faults.keep_only = 1000

    with open_folder(server.options()) as folder:
        with pytest.raises(Refused, match="1000 of"):
            folder.write_new("a.csv", PAYLOAD)
        assert folder.list() == []


def test_publishing_uses_the_rename_that_refuses(server: SftpServer) -> None:
    with open_folder(server.options()) as folder:
        folder.write_new("a.csv", b"x")

    assert server.seen.renames == [(b"a.csv.part", b"a.csv")]
    assert server.seen.posix_renames == 0


def test_nothing_is_connected_before_the_first_question_or_after_the_last(
    server: SftpServer,
) -> None:
    with open_folder(server.options()) as folder:
        assert server.seen.connections == 0
        folder.list()
        folder.list()
        assert server.seen.connections == 1
    for _ in range(100):
        if not any("Transport" in type(t).__name__ for t in threading.enumerate()):
            return
        time.sleep(0.05)
    pytest.fail("the connection outlived its folder")


def test_a_night_without_sftp_does_not_import_it() -> None:
    """Paramiko and cryptography cost half a second that most commands need not spend."""
    asked = "import connectors.files, sys; sys.exit('paramiko' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
