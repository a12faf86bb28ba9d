"""Opening the folder that a counterparty's file names: on this machine, or behind SFTP.

Belongs here: choosing between the two. Does not belong here: how either reads and writes (`files`, `sftp`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.files import Folder, FolderOptions, LocalFolder
from connectors.sftp import SftpFolder


@contextmanager
def open_folder(options: FolderOptions) -> Iterator[Folder]:
    """The folder, for the length of a `with`; an SFTP connection is made at the first question."""
    if options.kind == "folder":
        yield LocalFolder(Path(options.path))
        return
    with SftpFolder(options) as folder:
        yield folder
