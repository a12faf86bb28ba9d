"""Posti's reference files: which postal codes there are (PCF), and which streets with which numbers (BAF).

Belongs here: which file is the newest, its fixed columns, which lines can't be read. Does not belong here:
what an address is worth beside them (the hub's domain), keeping them. They tell of nobody: nothing is
borrowed, nobody is announced.

Fixed width, Latin-1, one record a line (FORMATS §3). PCF comes every day but Sunday, BAF every Saturday,
each whole; so each has a position of its own, and a file that is not there leaves the last one in force.
A line that can't be read is left out and counted by its reason; a file that ends inside a line, is in another
encoding or has more than one such line in a hundred is refused whole. The municipality of a record is not
read: a postal code crosses its borders, and nothing may be refused on account of it.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, NamedTuple, Self

from connectors.base import Ask, Malformed, Opening, Reference, ReferenceFile, Unavailable
from connectors.files import FileInfo, FolderOptions
from connectors.folders import open_folder
from connectors.mapping import demand_known

CODES = "postal_code"
STREETS = "postal_street"

_NAME = re.compile(r"(PCF|BAF)_([0-9]{8})\.dat")
_LIMIT = 256 * 1024 * 1024
_BELIEVED = 100  # lines for one that may be unreadable
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SIDE = {"1": "odd", "2": "even", "": None}  # the document's comment has them the other way round


class _Unread(Exception):
    """A line that can't be read; its text is the reason, a plain word."""


Row = tuple[str | int | None, ...]


class _Layout(NamedTuple):
    """One kind of file: its table, how its lines begin, the shortest whole one, its columns."""

    table: str
    record_id: str
    shortest: int
    columns: tuple[str, ...]
    read: Callable[[str], Row]


@dataclass(frozen=True)
class PostalOptions:
    """Where the files are left."""

    folder: FolderOptions

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From the source's YAML; ValueError names the key that is wrong."""
        demand_known(config, {"folder"})
        return cls(FolderOptions.from_mapping(config.get("folder") or {}))


def connect(options: Mapping[str, Any], opening: Opening) -> "PostalFiles":
    """The source as the house opens it; ValueError names the key that is wrong."""
    return PostalFiles(PostalOptions.from_mapping(options))


class PostalFiles:
    """Reads the newest PCF and BAF of a folder, where they are not the ones read last."""

    def __init__(self, options: PostalOptions) -> None:
        self._options = options

    def fetch(self, ask: Ask) -> Reference:
        """Each file that is new, whole.

        cursor: {"PCF": {name, size, sha256}, "BAF": …} of those in force. A file of the name and size that was
        read last is not opened unless `ask.reread`; an older one is passed over. Raises `Malformed` when a
        file can't be believed, `Unavailable` when there is none and never was.
        """
        held: dict[str, Any] = dict(ask.cursor or {})
        files = []
        with open_folder(self._options.folder) as folder:
            for prefix, there in _newest(folder.list()).items():
                known = held.get(prefix)
                if known is not None:
                    is_same = (known["name"], known["size"]) == (there.name, there.size)
                    if there.name < known["name"] or (is_same and not ask.reread):
                        continue
                _refuse_ahead(f"{folder.where}: {there.name}", there.name, ask.business_date)
                payload = folder.read(there.name, _LIMIT)
                files.append(_read(f"{folder.where}: {there.name}", there.name, payload))
                held[prefix] = {
                    "name": there.name,
                    "size": there.size,
                    "sha256": hashlib.sha256(payload).hexdigest(),
                }
            if not held:
                raise Unavailable(f"{folder.where}: neither PCF_yyyymmdd.dat nor BAF_… is there")
        return Reference(tuple(files), held)

    def check(self) -> str:
        """Lists the folder."""
        with open_folder(self._options.folder) as folder:
            newest = ", ".join(info.name for info in _newest(folder.list()).values())
            return f"{folder.where}: {newest or 'no postal file'}"


def _newest(listed: list[FileInfo]) -> dict[str, FileInfo]:
    """The newest file of each kind; a date in a name sorts as text."""
    named = [(found[1], info) for info in listed if (found := _NAME.fullmatch(info.name))]
    return dict(sorted(named, key=lambda one: one[1].name))


def _refuse_ahead(where: str, name: str, business_date: str) -> None:
    """A date far ahead would make every later file look old."""
    try:
        day = date.fromisoformat(_day(name))
    except ValueError:
        day = date.max
    if day > date.fromisoformat(business_date) + timedelta(days=1):
        raise Malformed(f"{where} is dated ahead of {business_date}")


def _day(name: str) -> str:
    digits = name[4:12]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"


def _read(where: str, name: str, payload: bytes) -> ReferenceFile:
    layout = _LAYOUTS[name[:3]]
    lines = _lines(where, payload)
    rows: list[Row] = []
    faults: Counter[str] = Counter()
    beginning = layout.record_id + name[4:12]
    for line in lines:
        try:
            if len(line) < layout.shortest:
                raise _Unread("too_short")
            if not line.startswith(beginning):
                raise _Unread("run_date" if line.startswith(layout.record_id) else "record_id")
            if _CONTROL.search(line):
                raise _Unread("control_character")
            rows.append(layout.read(line))
        except _Unread as unread:
            faults[str(unread)] += 1
    if faults.total() > max(1, len(lines) // _BELIEVED):
        reasons = ", ".join(f"{reason} {n}" for reason, n in sorted(faults.items()))
        raise Malformed(
            f"{where}: {faults.total()} of {len(lines)} lines can't be read ({reasons})"
        )
    columns = list(zip(*rows, strict=True)) or [() for _ in layout.columns]
    return ReferenceFile(
        layout.table, name, _day(name), dict(zip(layout.columns, columns, strict=True)),
        len(lines), faults,
    )  # fmt: skip


def _lines(where: str, payload: bytes) -> list[str]:
    if not payload.isascii():
        try:
            payload.decode("utf-8")
        except UnicodeDecodeError:
            pass
        else:  # every byte is some letter of Latin-1, so nothing later would tell
            raise Malformed(f"{where} is UTF-8, not ISO-8859-1 as agreed")
    lines = payload.decode("iso-8859-1").split("\n")
    lines = [line.removesuffix("\r") for line in lines]
    last = lines.pop()
    if not lines or (last and len(last) < len(lines[0])):
        raise Malformed(f"{where} ends inside a line, after {len(lines)} whole ones")
    return [*lines, last] if last else lines


def _text(line: str, start: int, length: int) -> str:
    """A field by its first column (from 1) and its width."""
    return line[start - 1 : start - 1 + length].strip()


def _code_of(line: str) -> str:
    code = line[13:18]
    if not (code.isascii() and code.isdecimal()):
        raise _Unread("postal_code")
    return code


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()):
        raise _Unread("number")
    return int(text)


def _postal_code(line: str) -> Row:
    return (_code_of(line), _text(line, 19, 30) or None, _text(line, 49, 30) or None, line[110])


def _street(line: str) -> Row:
    """A street's numbers of one side; a range such as `1-3` counts from its first and to its last number."""
    code = _code_of(line)
    finnish, swedish = _text(line, 103, 30) or None, _text(line, 133, 30) or None
    if finnish is None and swedish is None:
        raise _Unread("no_street")
    side = line[186].strip()
    if side not in _SIDE:
        raise _Unread("side")
    lowest = _number(_text(line, 188, 5))
    highest = _number(_text(line, 208, 5)) or _number(_text(line, 201, 5))
    return (code, finnish, swedish, _SIDE[side], lowest, highest)


_LAYOUTS: Mapping[str, _Layout] = {
    "PCF": _Layout(
        CODES, "PONOT", 111, ("postal_code", "name_fi", "name_sv", "code_type"), _postal_code
    ),
    "BAF": _Layout(
        STREETS,
        "KATUN",
        217,
        ("postal_code", "street_fi", "street_sv", "side", "lowest", "highest"),
        _street,
    ),
}
