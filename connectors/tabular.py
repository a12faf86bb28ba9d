"""Delimited and XLSX drops, read by a mapping: which column means what, and how it is written.

Belongs here: holding the header against the mapping, one cell to one value, a reason for every
refused row. Does not belong here: bytes (`grid`), where files come from (`files`), what a row means
to the hub (`sources`), whether a value is plausible (the hub's rule book).

Trouble comes in two sizes. The file as a whole can't be trusted → `Malformed`, and nothing of it
counts. One row can't be read → a `RowFault`, and the rest goes on. No text of either carries a
value.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import compress
from zoneinfo import ZoneInfo

from connectors.base import Malformed, OtherColumns
from connectors.grid import Grid, read_grid
from connectors.mapping import LIMITS, ColumnMapping, FileMapping, Layout, Limits

_NOT_STATED = "not_stated"
_HELSINKI = ZoneInfo("Europe/Helsinki")

_FINNISH_DATE = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_ISO_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_CLOCK = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)(?::([0-5]\d))?")
_DECIMAL = re.compile(r"-?\d+(?:,\d+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_KEY_SHAPE = re.compile(r"(?=.*\d)[0-9A-Z-]{1,20}")
_SPREADSHEET_ERRORS = frozenset(
    [
        "#N/A",
        "#REF!",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "#NULL!",
        "#NUM!",
        "#PUUTTUU!",
        "#ARVO!",
        "#VIITTAUS!",
    ]
)

_REASONS = {
    "wrong_number_of_fields": "the row has another number of fields than the header",
    "broken_quoting": "the row's quotes do not close",
    "control_character": "a control character",
    "too_long": "longer than a value may be",
    "spreadsheet_error": "a spreadsheet's error mark instead of a value",
    "not_a_date": "not a date dd.mm.yyyy",
    "not_an_instant": "not a time dd.mm.yyyy hh:mm",
    "not_a_number": "not a number with a decimal comma",
    "unknown_code": "a code nobody has declared",
    "missing_value": "empty, and a row is nothing without it",
}


@dataclass(frozen=True)
class RowFault:
    """A row that was not taken in. row: from 1, the header apart. key: empty if it can't be
    trusted.

    reason: for a person, without values. values: what could be read, field → value.
    """

    row: int
    key: str
    rule: str
    reason: str
    values: Mapping[str, str | None] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Table:
    """A file read, column by column; row_numbers, keys, times and every column are equally long.

    count: rows in the file, refused ones included. times: ISO UTC or None. values: field → column
    of stripped NFC text, None where nothing is stated. dropped: unmapped column → rows that carry a
    value.
    unknown: column → rows whose code nobody declared.
    """

    count: int
    row_numbers: Sequence[int]
    keys: Sequence[str]
    times: Sequence[str | None]
    values: Mapping[str, Sequence[str | None]] = field(repr=False)
    faults: Sequence[RowFault] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)

    def rows(self) -> Iterator[dict[str, str]]:
        """Row by row, what is stated."""
        fields = list(self.values)
        for row in zip(*self.values.values(), strict=True) if fields else (() for _ in self.keys):
            yield {f: v for f, v in zip(fields, row, strict=True) if v is not None}


def read_table(
    name: str, payload: bytes, mapping: FileMapping, layout: Layout, limits: Limits = LIMITS
) -> Table:
    """Read a file's bytes by its mapping.

    Raises `Malformed`, naming file, column or byte offset: empty, too large, wrong encoding, a
    mapped column missing, a column twice, not a workbook. Columns nobody mapped are dropped and
    counted (R9).
    """
    return _interpreted(name, read_grid(name, payload, mapping, layout, limits), mapping, limits)


class _Unreadable(Exception):
    """A cell that can't be read; the rule, never the cell."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


@dataclass
class _Column:
    """One column converted: values, position → rule where that failed, unknown codes."""

    values: list[str | None]
    bad: dict[int, str]
    unknown: int = 0


def _interpreted(name: str, grid: Grid, mapping: FileMapping, limits: Limits) -> Table:
    header = [unicodedata.normalize("NFC", column).strip() for column in grid.header]
    mapped = [
        mapping.key,
        *([mapping.source_time] if mapping.source_time else []),
        *mapping.columns,
    ]
    if len(header) > limits.columns:
        raise Malformed(f"{name}: more than {limits.columns} columns")
    # In this order: a file without a header row must not have its first person named in a message.
    for column in mapped:
        if column not in header:
            raise OtherColumns(f"{name}: no column {column}")
    for column in header:
        if column and header.count(column) > 1:
            raise OtherColumns(f"{name}: column {column} stands there twice")
    cells = list(zip(*grid.rows, strict=True)) if grid.rows else [() for _ in header]

    def read(column_name: str, how: ColumnMapping) -> _Column:
        return _converted(cells[header.index(column_name)], how, limits)

    keys = read(mapping.key, ColumnMapping("", required=True))
    times = _Column([None] * len(grid.rows), {})
    if mapping.source_time:
        times = read(mapping.source_time, ColumnMapping("", "instant"))
    columns = {c: read(c, how) for c, how in mapping.columns.items()}
    values = {how.field: columns[c].values for c, how in mapping.columns.items()}

    refused: dict[int, tuple[str, str]] = {}
    for column_name, of in [(mapping.key, keys), (mapping.source_time, times), *columns.items()]:
        for position, rule in of.bad.items():
            refused.setdefault(position, (column_name, rule))
    faults = [_broken(number, rule, first, header, mapping) for number, rule, first in grid.broken]
    faults += [
        RowFault(
            grid.numbers[position],
            keys.values[position] or "",
            rule,
            f"column {column_name}: {_REASONS[rule]}",
            {f: of[position] for f, of in values.items()},
        )
        for position, (column_name, rule) in refused.items()
    ]
    kept = [position not in refused for position in range(len(grid.rows))]
    return Table(
        count=len(grid.rows) + len(grid.broken),
        row_numbers=list(compress(grid.numbers, kept)),
        keys=[key for key in compress(keys.values, kept) if key is not None],
        times=list(compress(times.values, kept)),
        values={f: list(compress(of, kept)) for f, of in values.items()},
        faults=sorted(faults, key=lambda fault: fault.row),
        dropped=_dropped(header, cells, frozenset(mapped)),
        unknown={c: of.unknown for c, of in columns.items() if of.unknown},
    )


def _dropped(
    header: list[str], cells: Sequence[Sequence[str]], mapped: frozenset[str]
) -> dict[str, int]:
    dropped: Counter[str] = Counter()
    for column, values in zip(header, cells, strict=True):
        if column not in mapped:
            dropped[column or "(without a name)"] += sum(1 for cell in values if cell.strip())
    return dict(dropped)


def _broken(
    number: int, rule: str, first: str, header: list[str], mapping: FileMapping
) -> RowFault:
    """A row whose fields can't be told apart; its first is its key if it looks like one."""
    first = first.strip()
    trusted = header[0] == mapping.key and _KEY_SHAPE.fullmatch(first)
    return RowFault(number, first if trusted else "", rule, _REASONS[rule])


def _converted(cells: Sequence[str], how: ColumnMapping, limits: Limits) -> _Column:
    """A column's values; each different cell is read once."""
    read: dict[str, str | None] = {}
    bad: dict[str, str] = {}
    unknown = set()
    for cell in set(cells):
        try:
            read[cell] = _value(cell, how, limits)
        except _Unreadable as reason:
            unlisted = bool(how.otherwise)
            read[cell] = how.otherwise if unlisted and how.otherwise != _NOT_STATED else None
            if unlisted:
                unknown.add(cell)
            else:
                bad[cell] = reason.rule
    return _Column(
        [read[cell] for cell in cells],
        {position: bad[cell] for position, cell in enumerate(cells) if cell in bad} if bad else {},
        sum(1 for cell in cells if cell in unknown) if unknown else 0,
    )


def _value(cell: str, how: ColumnMapping, limits: Limits) -> str | None:
    text = cell.strip()
    if not text:
        if how.required:
            raise _Unreadable("missing_value")
        return None
    if len(text) > limits.cell:
        raise _Unreadable("too_long")
    if not text.isprintable() and _CONTROL.search(text):
        raise _Unreadable("control_character")
    if text in _SPREADSHEET_ERRORS:
        raise _Unreadable("spreadsheet_error")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return _READERS[how.type](text, how)


def _read_text(text: str, how: ColumnMapping) -> str:
    return how.codes.get(text.casefold(), text) if how.codes else text


def _read_code(text: str, how: ColumnMapping) -> str:
    if (code := how.codes.get(text.casefold())) is None:
        raise _Unreadable("unknown_code")
    return code


def _read_date(text: str, how: ColumnMapping) -> str | None:
    day = _day(text, "not_a_date")
    if not how.inclusive:
        return day.isoformat()
    # The last day there is means that no end is known.
    return (day + timedelta(days=1)).isoformat() if day < date.max else None


def _read_instant(text: str, how: ColumnMapping) -> str:
    day, _, clock = text.partition(" ")
    match = _CLOCK.fullmatch(clock.strip() or "0:00")
    if match is None:
        raise _Unreadable("not_an_instant")
    hour, minute, second = (int(part or 0) for part in match.groups())
    on = _day(day, "not_an_instant")
    local = datetime(on.year, on.month, on.day, hour, minute, second, tzinfo=_HELSINKI)
    try:
        return f"{local.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"
    except OverflowError:
        pass
    raise _Unreadable("not_an_instant")


def _day(text: str, rule: str) -> date:
    if match := _FINNISH_DATE.fullmatch(text):
        day, month, year = match.groups()
    elif match := _ISO_DATE.fullmatch(text):
        year, month, day = match.groups()
    else:
        raise _Unreadable(rule)
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        pass
    raise _Unreadable(rule)


def _read_decimal(text: str, how: ColumnMapping) -> str:
    number = "".join(text.split()).replace("\u2212", "-")
    if not _DECIMAL.fullmatch(number):
        raise _Unreadable("not_a_number")
    return number.replace(",", ".")


_READERS: Mapping[str, Callable[[str, ColumnMapping], str | None]] = {
    "text": _read_text,
    "postal": _read_text,
    "code": _read_code,
    "date": _read_date,
    "instant": _read_instant,
    "decimal": _read_decimal,
}
