"""The bytes of a delimited or XLSX file, split into a header and rows of text.

Belongs here: decoding, quoting, workbooks, and refusing a file that can't be what it says. Does not
belong here: which columns matter and what they hold (`tabular`); the one exception is the leading
zeros that only a spreadsheet loses.

An exception is never raised while another that holds a value is being handled: a
`UnicodeDecodeError` carries the whole file.
"""

import csv
import io
import warnings
import zipfile
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import islice
from typing import Any, Self, cast

from connectors.base import Malformed
from connectors.mapping import Encoding, FileMapping, Layout, Limits

_FINLAND = frozenset({"", "fi", "fin", "suomi", "finland"})
_MIDNIGHT = time()
_LONGEST_QUOTE = 20  # lines one quoted value may span before the quote counts as never closed


@dataclass
class Grid:
    """A header, and rows exactly as wide with their numbers (from 1, the header apart).

    broken: the other rows, as number, rule ("wrong_number_of_fields", "broken_quoting") and first
    cell.
    """

    header: list[str]
    numbers: list[int] = field(default_factory=list)
    rows: list[Sequence[str]] = field(default_factory=list, repr=False)
    broken: list[tuple[int, str, str]] = field(default_factory=list, repr=False)


def read_grid(
    name: str, payload: bytes, mapping: FileMapping, layout: Layout, limits: Limits
) -> Grid:
    """The rows of a file. Rows with nothing in them are passed over.

    Raises `Malformed`: empty, too large, not in the declared encoding, no header, not a workbook.
    """
    if len(payload) > limits.size:
        raise Malformed(f"{name}: larger than {limits.size} bytes")
    if not payload:
        raise Malformed(f"{name}: the file is empty")
    if layout.format == "xlsx":
        return _workbook(name, payload, mapping, limits)
    return _delimited(name, _decoded(name, payload, layout.encoding), layout.delimiter, limits)


def _decoded(name: str, payload: bytes, encoding: Encoding) -> str:
    """The text, only if the declared encoding is the one it was written in (DESIGN 6)."""
    if payload.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise Malformed(f"{name}: looks like UTF-16 but {encoding} is declared")
    if encoding == "utf-8":
        payload = payload.removeprefix(BOM_UTF8)
    elif payload.startswith(BOM_UTF8) or (not payload.isascii() and _is_utf8(payload)):
        # A single-byte encoding can decode anything: Mäki would quietly become MÃ¤ki.
        raise Malformed(f"{name}: looks like UTF-8 but {encoding} is declared")
    try:
        return payload.decode(encoding)
    except UnicodeDecodeError as broken:
        offset = broken.start
    raise Malformed(f"{name}: not {encoding} at byte {offset}")


def _is_utf8(payload: bytes) -> bool:
    try:
        getincrementaldecoder("utf-8")().decode(payload)  # a cut-off last character doesn't hide it
    except UnicodeDecodeError:
        return False
    return True


class _Lines:
    """Physical lines for `csv.reader`, which can be set back to just after a row that failed."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self.start = self.position = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self.position >= len(self._lines):
            raise StopIteration
        if self.position - self.start >= _LONGEST_QUOTE:
            raise csv.Error
        self.position += 1
        return self._lines[self.position - 1]

    def begin(self) -> None:
        self.start = self.position

    def back(self) -> None:
        """A quote that never closed has swallowed the rows after it: they are read again."""
        self.position = self.start + 1


def _delimited(name: str, text: str, delimiter: str, limits: Limits) -> Grid:
    lines = list(io.StringIO(text, newline="\n"))
    if len(lines) > limits.rows:
        raise Malformed(f"{name}: more than {limits.rows} lines")
    feed = _Lines(lines)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    header = _header(name, reader)
    grid = Grid(header)
    width, number = len(header), 0
    while True:
        feed.begin()
        try:
            row = next(reader)
        except StopIteration:
            return grid
        except csv.Error:
            row = None
        if row is not None and not any(row):
            continue
        number += 1
        if row is None or (len(row) != width and feed.position - feed.start > 1):
            feed.back()
            grid.broken.append((number, "broken_quoting", ""))
        elif len(row) != width:
            grid.broken.append((number, "wrong_number_of_fields", row[0]))
        else:
            grid.numbers.append(number)
            grid.rows.append(row)


def _header(name: str, reader: "Iterator[list[str]]") -> list[str]:
    try:
        return next(reader)
    except StopIteration:
        problem = "the file is empty"
    except csv.Error:
        problem = "the header row cannot be read"
    raise Malformed(f"{name}: {problem}")


def _workbook(name: str, payload: bytes, mapping: FileMapping, limits: Limits) -> Grid:
    """The first sheet; every cell as the text a delimited file would have."""
    _refuse_bomb(name, payload, limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # styles and extensions openpyxl leaves out: not ours
            return _first_sheet(name, payload, mapping, limits)
    except Malformed:
        raise
    except Exception as broken:  # noqa: BLE001 (any parser's error comes through, values and all)
        problem = type(broken).__name__
    raise Malformed(f"{name}: not a workbook that can be read ({problem})")


def _refuse_bomb(name: str, payload: bytes, limits: Limits) -> None:
    """Judge by the archive's directory, before anything is unpacked (PRIVACY.md §5, ZIP).

    What an entry claims to unpack to is also the most `zipfile` will ever read from it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        # zipfile itself raises NotImplementedError, for archives of a kind it can't read
        entries = []
    if not entries:
        raise Malformed(f"{name}: not a workbook")
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(sum(entry.compress_size for entry in entries), 1)
    if (
        len(entries) > limits.entries
        or unpacked > limits.unpacked
        or unpacked > packed * limits.ratio
    ):
        raise Malformed(f"{name}: unpacks to more than a workbook may ({unpacked} bytes)")


def _first_sheet(name: str, payload: bytes, mapping: FileMapping, limits: Limits) -> Grid:
    from openpyxl import load_workbook  # here: a site with delimited files never needs it

    book = load_workbook(io.BytesIO(payload), read_only=True, data_only=True, keep_links=False)
    try:
        if not book.worksheets:
            raise Malformed(f"{name}: a workbook without a sheet")
        sheet = cast(Any, book.worksheets[0])
        sheet.reset_dimensions()  # what the sheet says of its own size may be wrong, or a trap
        cells = _bounded(name, sheet.iter_rows(values_only=True), limits)
        first = next(cells, None)
        if first is None:
            raise Malformed(f"{name}: the file is empty")
        grid = Grid([_as_text(cell) for cell in _trimmed(first)])
        width = len(grid.header)
        restored = _postal_columns(grid.header, mapping)
        for number, row in enumerate((r for r in map(_trimmed, cells) if r), start=1):
            if len(row) > width:
                grid.broken.append((number, "wrong_number_of_fields", _as_text(row[0])))
                continue
            texts = [_as_text(cell) for cell in row] + [""] * (width - len(row))
            for at, country in restored:
                finnish = country is None or texts[country].strip().casefold() in _FINLAND
                if (
                    finnish
                    and at < len(row)
                    and isinstance(row[at], int | float)
                    and texts[at].isdigit()
                ):
                    texts[at] = texts[at].zfill(5)
            grid.numbers.append(number)
            grid.rows.append(texts)
        return grid
    finally:
        book.close()


def _bounded(
    name: str, rows: Iterator[tuple[Any, ...]], limits: Limits
) -> Iterator[tuple[Any, ...]]:
    for row in islice(rows, limits.rows):
        if len(row) > limits.columns:
            raise Malformed(f"{name}: more than {limits.columns} columns")
        yield row
    if next(rows, None) is not None:
        raise Malformed(f"{name}: more than {limits.rows} rows")


def _trimmed(row: tuple[Any, ...]) -> tuple[Any, ...]:
    width = len(row)
    while width and row[width - 1] in (None, ""):
        width -= 1
    return row[:width]


def _postal_columns(header: list[str], mapping: FileMapping) -> list[tuple[int, int | None]]:
    """Positions of postal columns, and of the column that says whose country's code it is."""
    at = {column: position for position, column in enumerate(header)}
    return [
        (at[column], at.get(column_mapping.country))
        for column, column_mapping in mapping.columns.items()
        if column_mapping.type == "postal" and column in at
    ]


def _as_text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        clock = "" if cell.time() == _MIDNIGHT else f" {cell:%H:%M:%S}"
        return f"{cell:%d.%m.}{cell.year:04d}{clock}"
    if isinstance(cell, date):
        return f"{cell:%d.%m.}{cell.year:04d}"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else format(cell, ".15g").replace(".", ",")
    return str(cell)
