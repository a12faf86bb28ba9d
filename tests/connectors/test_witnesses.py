"""A checkpoint goes out by mail or into a folder, and what a witness leaves comes back."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.base import Refused, Unavailable
from connectors.files import FolderOptions
from connectors.witnesses import Drop, Mailbox

NOTE = "log.example/2026\n1\nAAAA\n\n\N{EM DASH} log.example BBBB\n"


def test_a_note_is_a_file_and_what_is_cosigned_is_read_back(tmp_path: Path) -> None:
    drop = Drop(FolderOptions("folder", str(tmp_path)))
    drop.show("checkpoint_2026_00000001.txt", NOTE)
    drop.show("checkpoint_2026_00000001.txt", NOTE)  # a night that is run again
    assert (tmp_path / "checkpoint_2026_00000001.txt").read_text("utf-8") == NOTE
    assert list(drop.cosigned()) == []
    (tmp_path / "checkpoint_2026_00000001.txt.cosigned").write_text(f"{NOTE}more\n", "utf-8")
    assert list(drop.cosigned()) == [f"{NOTE}more\n"]


def test_another_note_under_the_same_name_is_never_written_over(tmp_path: Path) -> None:
    drop = Drop(FolderOptions("folder", str(tmp_path)))
    drop.show("a.txt", NOTE)
    with pytest.raises(Refused, match=r"a\.txt is there with other bytes"):
        drop.show("a.txt", NOTE.replace("AAAA", "CCCC"))
    assert (tmp_path / "a.txt").read_text("utf-8") == NOTE


@pytest.fixture
def mail() -> Iterator[tuple[int, list[str]]]:
    """A mail server that takes everything, and what it was told; its port."""
    heard: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection, connection.makefile("rwb", buffering=0) as line:
            line.write(b"220 here\r\n")
            in_data = False
            while said := line.readline():
                heard.append(said.decode().rstrip("\r\n"))
                if in_data:
                    in_data = heard[-1] != "."
                    answer = b"" if in_data else b"250 kept\r\n"
                elif heard[-1].upper() == "DATA":
                    in_data, answer = True, b"354 go on\r\n"
                else:
                    answer = b"221 bye\r\n" if heard[-1].upper() == "QUIT" else b"250 yes\r\n"
                line.write(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server.getsockname()[1], heard
    server.close()
    thread.join(5)


def test_a_note_goes_out_by_mail_as_it_stands(mail: tuple[int, list[str]]) -> None:
    port, heard = mail
    box = Mailbox("dpo@water.invalid", "hub@water.invalid", "127.0.0.1", port, starttls=False)
    box.show("checkpoint_2026_00000001.txt", NOTE)
    assert "Subject: checkpoint_2026_00000001.txt" in heard
    assert "\n".join(heard).find(NOTE.rstrip()) > 0
    assert list(box.cosigned()) == []


def test_a_mail_server_that_is_not_there_is_said_without_a_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable, match=r"mail 127\.0\.0\.1: ConnectionRefusedError"):
        Mailbox("a@b.invalid", "a@b.invalid", "127.0.0.1", port, starttls=False).show("n", NOTE)
