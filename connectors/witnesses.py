"""Showing somebody outside where the disclosure log stands: by mail, or as a file in a folder.

Belongs here: handing a checkpoint over, and taking back what a witness has cosigned. Does not belong here:
what a checkpoint says, who has which (all the caller's). Nothing of a person passes through here.
"""

import smtplib
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from email.message import EmailMessage

from connectors.base import Refused, Unavailable
from connectors.files import FolderOptions
from connectors.folders import open_folder

COSIGNED = ".cosigned"
_MOST_BYTES = 65_536
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Mailbox:
    """A witness by mail; it answers nothing."""

    to: str
    sender: str
    host: str
    port: int = 587
    starttls: bool = True
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    def show(self, name: str, note: str) -> None:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = name, self.sender, self.to
        message.set_content(note, cte="8bit")
        try:
            with smtplib.SMTP(self.host, self.port, timeout=_TIMEOUT_SECONDS) as server:
                if self.starttls:
                    server.starttls(context=ssl.create_default_context())
                if self.username:
                    server.login(self.username, self.password or "")
                server.send_message(message)
        except smtplib.SMTPResponseException as refused:
            raise Refused(f"mail {self.host}: refused with {refused.smtp_code}") from None
        except (OSError, smtplib.SMTPException) as broken:
            raise Unavailable(f"mail {self.host}: {type(broken).__name__}") from None

    def cosigned(self) -> Iterable[str]:
        return ()


@dataclass(frozen=True)
class Drop:
    """A witness with a folder: a note is a file NAME, what it cosigned is NAME.cosigned."""

    folder: FolderOptions

    def show(self, name: str, note: str) -> None:
        payload = note.encode()
        with open_folder(self.folder) as folder:
            there = folder.stat(name)
            if there is None:
                folder.write_new(name, payload)
            elif folder.read(name, _MOST_BYTES) != payload:
                raise Refused(f"{folder.where}: {name} is there with other bytes")

    def cosigned(self) -> Iterable[str]:
        with open_folder(self.folder) as folder:
            names = [file.name for file in folder.list() if file.name.endswith(COSIGNED)]
            return [folder.read(name, _MOST_BYTES).decode("utf-8", "replace") for name in names]
