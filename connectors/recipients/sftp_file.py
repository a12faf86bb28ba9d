"""A recipient that takes files: data and manifest in one folder, its answer in another.

Belongs here: the bytes of a delivery, putting them in place without overwriting, reading the
answer. Does not belong here: which rows and columns a recipient gets, the disclosure log, whether
an answer's counts agree with what was sent (the delivery step knows that).

Our own design on the pattern of FORMATS.md §7.6: `sisaan/{prefix}_{sequence}_{delivery id}.csv`,
then the same name with `.json`: the recipient reads nothing before the manifest is there. Its
answer is `kuittaus/{delivery id}.json`.
"""

import copy
import csv
import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from connectors.base import (
    Acknowledgement,
    AlreadyPublished,
    ConnectorError,
    Journal,
    Malformed,
    OutcomeUnknown,
    Receipt,
    Recipient,
    RowAnswer,
)
from connectors.files import Folder, FolderOptions
from connectors.folders import open_folder
from connectors.mapping import demand, demand_known

INBOX = "sisaan"
ANSWERS = "kuittaus"
# where the journal notes that a delivery's manifest is about to be put in place
_WHOLE = 0

_DELIMITER = ";"
_LIMIT = 512 * 1024 * 1024
_ANSWER_LIMIT = 64 * 1024 * 1024
_UNCARRIED = frozenset(
    {"Cc", "Cs", "Zl", "Zp"}
)  # controls, lone surrogates, line and paragraph marks
_IGNORED_AT_START = frozenset(
    {"Cf", "Zs"}
)  # a spreadsheet looks past these: " =1" is a formula there
_FORMULA = frozenset("=+-@")
_COLUMN = re.compile(r"[a-z][a-z0-9_]{0,62}")
_NAME_PART = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_CODE = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,63}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")


@dataclass(frozen=True)
class SftpFileOptions:
    """folder: where the recipient keeps `sisaan` and `kuittaus`. prefix: begins every file name."""

    folder: FolderOptions
    prefix: str

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From a recipient's `transport:` section; ValueError names the key that is wrong."""
        demand_known(config, {"folder", "prefix"})
        prefix = str(config.get("prefix") or "")
        demand(_NAME_PART.fullmatch(prefix) is not None, "prefix: letters, digits and dashes only")
        return cls(FolderOptions.from_mapping(config.get("folder") or {}), prefix)


def connect(options: Mapping[str, Any], clock: Callable[[], datetime]) -> Recipient:
    """The recipient of a contract's `transport:`; ValueError names the option that is wrong."""
    return SftpFile(SftpFileOptions.from_mapping(options))


class SftpFile(Recipient):
    """Publishes data, then manifest; finishes what an earlier attempt left, never redoes it."""

    def __init__(self, options: SftpFileOptions) -> None:
        self._options = options
        self._journal: Journal | None = None

    def resuming(self, payload: bytes, journal: Journal) -> Recipient:
        """The same folder, for one delivery: its journal knows whether the manifest may have been there."""
        opened = copy.copy(self)
        opened._journal = journal
        return opened

    def render(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
        """UTF-8, `;`, CRLF, every value quoted, a header row.

        `Malformed` names column and row (from 1) where a value has a control character or would be
        a formula in a spreadsheet; nothing is ever altered to fit (PRIVACY.md §5, CSV injection).
        """
        for column in columns:
            if not _COLUMN.fullmatch(column):
                raise Malformed("a column name that is not plain was refused")
        lines = [_line(columns)]
        for number, row in enumerate(rows, start=1):
            if row.keys() != set(columns):
                raise Malformed(f"row {number}: its columns are not the contract's")
            for column in columns:
                if problem := _objection(row[column]):
                    raise Malformed(f"row {number}, column {column}: {problem}")
            lines.append(_line([row[column] for column in columns]))
        return "".join(lines).encode()

    def parse(self, payload: bytes) -> list[dict[str, str]]:
        """The rows, read by the standard library's reader; `Malformed` names row or byte offset."""
        header, *rows = _read(payload)
        for number, row in enumerate(rows, start=1):
            if len(row) != len(header):
                raise Malformed(f"row {number}: another number of fields than the header")
        return [dict(zip(header, row, strict=True)) for row in rows]

    def publish(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> Receipt:
        """Data, read back, then manifest; each under a name nobody had.

        Where an earlier attempt got as far as the data, or further, that is kept and the rest is
        done. `AlreadyPublished`: other bytes stand under the name. `OutcomeUnknown`: bytes had left
        before something broke. `Unavailable`, `Refused`: this attempt left nothing there.
        """
        name = self._name(delivery_id, sequence)
        manifest = self._manifest(delivery_id, sequence, payload, rows)
        with open_folder(self._options.folder.within(INBOX)) as folder:
            _put(folder, f"{name}.csv", payload)
            try:
                # Before the manifest: once that is there the recipient may move the data away.
                receipt = _receipt(f"{name}.csv", folder.read(f"{name}.csv", len(payload)))
                if receipt.sha256 != hashlib.sha256(payload).hexdigest():
                    raise Malformed(f"{folder.where}: {name}.csv does not read back as it was sent")
                if self._journal is not None:
                    self._journal.note(_WHOLE, RowAnswer("leaving"))
                _put(folder, f"{name}.json", manifest)
            except AlreadyPublished:
                raise
            except ConnectorError as broken:
                raise OutcomeUnknown(f"{broken}; the data of {name} had left") from None
        return receipt

    def look(self, delivery_id: str, sequence: int) -> Receipt | None:
        """What the recipient holds, once the manifest says that it is complete.

        None while there is no manifest: `publish` begins or goes on. `OutcomeUnknown`: a manifest
        whose data is gone, or neither of them where the manifest was about to be put: the recipient has
        taken them. `Malformed`: the two do not agree.
        """
        name = self._name(delivery_id, sequence)
        with open_folder(self._options.folder.within(INBOX)) as folder:
            if folder.stat(f"{name}.json") is None:
                # without a manifest nobody takes the data
                if self._may_have_been_whole() and folder.stat(f"{name}.csv") is None:
                    raise OutcomeUnknown(
                        f"{folder.where}: {name} was there, is gone, and has no answer yet"
                    )
                return None
            if folder.stat(f"{name}.csv") is None:
                raise OutcomeUnknown(f"{folder.where}: {name}.json is there, its data is not")
            manifest = _object(f"{name}.json", folder.read(f"{name}.json", _ANSWER_LIMIT))
            receipt = _receipt(f"{name}.csv", folder.read(f"{name}.csv", _LIMIT))
        if manifest.get("sha256") != receipt.sha256:
            raise Malformed(f"{name}: the data is not what its manifest states")
        return receipt

    def acknowledgement(self, delivery_id: str, sequence: int) -> Acknowledgement | None:
        """The answer file, held to its shape: ids, counts, row numbers, codes without free text.

        `Malformed` when it is not that shape; whether its counts are those of the delivery and its
        row numbers within it is for the caller to see.
        """
        self._name(delivery_id, sequence)
        name = f"{delivery_id}.json"
        with open_folder(self._options.folder.within(ANSWERS)) as folder:
            if folder.stat(name) is None:
                return None
            answer = _object(name, folder.read(name, _ANSWER_LIMIT))
        if answer.get("delivery_id") != delivery_id or answer.get("sequence") != sequence:
            raise Malformed(f"{ANSWERS}/{name}: it answers another delivery")
        accepted, received_at = answer.get("accepted"), answer.get("received_at")
        if type(accepted) is not int or accepted < 0:
            raise Malformed(f"{ANSWERS}/{name}: accepted is not a count")
        if not isinstance(received_at, str) or not _is_instant(received_at):
            raise Malformed(f"{ANSWERS}/{name}: received_at is not a UTC time")
        return Acknowledgement(delivery_id, accepted, _rejected(name, answer), received_at)

    def check(self) -> str:
        """Lists both folders."""
        with open_folder(self._options.folder.within(INBOX)) as folder:
            waiting = len(folder.list())
            where = folder.where
        with open_folder(self._options.folder.within(ANSWERS)) as folder:
            answers = len(folder.list())
        return f"{where}: {waiting} files there, {answers} in {ANSWERS}"

    def _may_have_been_whole(self) -> bool:
        return self._journal is not None and _WHOLE in self._journal.answers()

    def _name(self, delivery_id: str, sequence: int) -> str:
        if not _NAME_PART.fullmatch(delivery_id) or sequence < 0:
            raise Malformed("a delivery id that is not plain was refused")
        return f"{self._options.prefix}_{sequence:08d}_{delivery_id}"

    def _manifest(self, delivery_id: str, sequence: int, payload: bytes, rows: int) -> bytes:
        stated = {
            "delivery_id": delivery_id,
            "sequence": sequence,
            "rows": rows,
            "sha256": hashlib.sha256(payload).hexdigest(),
            "columns": _read(payload)[0],
        }
        return json.dumps(stated, ensure_ascii=False, indent=1).encode()


def _line(values: Sequence[str]) -> str:
    return _DELIMITER.join('"' + value.replace('"', '""') + '"' for value in values) + "\r\n"


def _objection(value: str) -> str | None:
    if value.isascii() and value.isalnum():
        return None
    categories = [unicodedata.category(character) for character in value]
    if not _UNCARRIED.isdisjoint(categories):
        return "a control character or line break"
    for character, category in zip(value, categories, strict=True):
        if category in _IGNORED_AT_START:
            continue
        # Fullwidth and small forms count too: programs fold ＝ into =.
        return (
            "begins like a formula"
            if unicodedata.normalize("NFKC", character)[0] in _FORMULA
            else None
        )
    return None


def _read(payload: bytes) -> list[list[str]]:
    """Header and rows, by the `csv` module: on purpose no code shared with `render`."""
    try:
        text = payload.decode()
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=_DELIMITER, strict=True))
    except UnicodeDecodeError as broken:
        problem = f"not UTF-8 at byte {broken.start}"
    except csv.Error:
        problem = "its quotes do not close"
    else:
        problem = (
            "" if rows and len(set(rows[0])) == len(rows[0]) else "no header, or a column twice"
        )
    if problem:
        raise Malformed(f"the delivery cannot be read back: {problem}")
    return rows


def _put(folder: Folder, name: str, payload: bytes) -> None:
    there = folder.stat(name)
    if there is None:
        folder.write_new(name, payload)
    elif there.size != len(payload) or folder.read(name, len(payload)) != payload:
        raise AlreadyPublished(f"{folder.where}: {name} is there with other bytes")


def _receipt(name: str, payload: bytes) -> Receipt:
    return Receipt(name, len(payload), hashlib.sha256(payload).hexdigest())


def _object(name: str, payload: bytes) -> Mapping[str, Any]:
    try:
        read = json.loads(payload)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict):
        raise Malformed(f"{name}: not a JSON object")
    return read


def _rejected(name: str, answer: Mapping[str, Any]) -> dict[int, str]:
    rejected: dict[int, str] = {}
    stated = answer.get("rejected")
    for entry in stated if isinstance(stated, list) else [None]:
        row, code = (
            (entry.get("row"), entry.get("code")) if isinstance(entry, dict) else (None, None)
        )
        if type(row) is not int or row < 1 or row in rejected:
            raise Malformed(f"{ANSWERS}/{name}: rejected does not name each row once")
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            raise Malformed(f"{ANSWERS}/{name}: row {row} is rejected without a plain code")
        rejected[row] = code
    return rejected


def _is_instant(text: str) -> bool:
    try:
        return _INSTANT.fullmatch(text) is not None and datetime.fromisoformat(text) is not None
    except ValueError:
        return False
