"""How a delimited or XLSX drop is to be read, as data: files, columns, their meaning and writing.

Belongs here: the shape of the `files:` section of a source's YAML, and saying what is wrong with
it. Does not belong here: reading a file by it (`tabular`), which fields the hub has (`sources`).
"""

import dataclasses
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, cast, get_args

Encoding = Literal["utf-8", "windows-1252", "iso-8859-1", "iso-8859-15"]
Format = Literal["csv", "xlsx"]
ColumnType = Literal["text", "date", "instant", "decimal", "code", "postal"]


@dataclass(frozen=True)
class ColumnMapping:
    """What one column of a file becomes.

    field: the hub's word; a dotted path makes a nested one (`final_invoice.line`).
    type: text · date (`dd.mm.yyyy` or ISO → ISO) · instant (`dd.mm.yyyy hh:mm`, Europe/Helsinki →
    UTC; the hour that comes twice is its first) · decimal (comma → point, as text) · code (`codes`
    only) · postal (text; leading zeros a spreadsheet ate are put back).
    codes: the file's word → ours, case ignored. For `text` they only correct: other values stay.
    otherwise: what an unlisted or unreadable code becomes, counted as unknown; `not_stated` = no
    value; empty = the row is refused.
    inclusive: a last day; the value becomes the day after, where the half-open period ends.
    country: the file's column that says whether a postal code is Finnish.
    """

    field: str
    type: ColumnType = "text"
    codes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    otherwise: str = ""
    inclusive: bool = False
    required: bool = False
    country: str = ""

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From a `columns:` entry; ValueError names what is wrong."""
        demand_known(config, cls.__dataclass_fields__)
        demand(isinstance(config.get("field"), str), "field: must be a word")
        kind = config.get("type", "text")
        demand(
            kind in get_args(ColumnType), f"type: must be one of {', '.join(get_args(ColumnType))}"
        )
        codes = config.get("codes") or {}
        demand(
            isinstance(codes, Mapping)
            and all(isinstance(word, str) for pair in codes.items() for word in pair),
            "codes: quote them (YAML reads on, off, NO and 0 as something else)",
        )
        otherwise = config.get("otherwise", "")
        demand(
            isinstance(otherwise, str),
            "otherwise: quote it (YAML reads on and off as true and false)",
        )
        demand(
            bool(codes) if kind == "code" else not codes or kind == "text",
            "codes: type code can't do without, and beside it only text may have them",
        )
        return cls(
            field=config["field"],
            type=cast(ColumnType, kind),
            codes={word.casefold(): ours for word, ours in codes.items()},
            otherwise=otherwise,
            inclusive=bool(config.get("inclusive", False)),
            required=bool(config.get("required", False)),
            country=str(config.get("country", "")),
        )


@dataclass(frozen=True)
class FileMapping:
    """One kind of file. kind: what a row is; pattern: its name; key, source_time: columns."""

    kind: str
    pattern: str
    key: str
    source_time: str
    columns: Mapping[str, ColumnMapping]

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From a `files:` entry; ValueError names the column and what is wrong with it."""
        demand_known(config, cls.__dataclass_fields__)
        for word in ("kind", "pattern", "key"):
            demand(isinstance(config.get(word), str), f"{word}: must be a word")
        demand(config["pattern"].count("{date}") == 1, "pattern: must have {date} once")
        columns: dict[str, ColumnMapping] = {}
        for column, entry in (config.get("columns") or {}).items():
            try:
                columns[str(column)] = ColumnMapping.from_mapping(entry)
            except ValueError as wrong:
                raise ValueError(f"columns.{column}.{wrong}") from None
        return cls(
            config["kind"],
            config["pattern"],
            config["key"],
            str(config.get("source_time") or ""),
            columns,
        )

    def name(self, stamp: str) -> str:
        """The file's name in the delivery of that date (yyyymmdd)."""
        return self.pattern.replace("{date}", stamp)

    def only(self, *fields: str) -> "FileMapping":
        """The same file read for the key and these fields alone."""
        columns = {c: m for c, m in self.columns.items() if m.field in fields}
        return FileMapping(self.kind, self.pattern, self.key, "", columns)


@dataclass(frozen=True)
class Layout:
    """How the files are written. encoding and delimiter are of the delimited ones."""

    format: Format = "csv"
    encoding: Encoding = "utf-8"
    delimiter: str = ";"

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From `format`, `encoding`, `delimiter`; ValueError names the key that is wrong."""
        written = config.get("format", "csv")
        demand(written in get_args(Format), f"format: must be one of {', '.join(get_args(Format))}")
        encoding = str(config.get("encoding") or "utf-8").lower()
        demand(
            encoding in get_args(Encoding),
            f"encoding: must be one of {', '.join(get_args(Encoding))}",
        )
        delimiter = config.get("delimiter") or ";"
        demand(
            isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n',
            "delimiter: must be one character",
        )
        return cls(cast(Format, written), cast(Encoding, encoding), delimiter)


@dataclass(frozen=True)
class Limits:
    """More than this is no register's export. size and unpacked in bytes, cell in characters."""

    size: int = 512 * 1024 * 1024
    rows: int = 2_000_000
    columns: int = 200
    cell: int = 4000
    entries: int = 200
    unpacked: int = 256 * 1024 * 1024
    ratio: int = 150


LIMITS = Limits()


def demand(condition: bool, problem: str) -> None:
    """ValueError unless the condition holds: a configuration's fault, whatever its type."""
    if not condition:
        raise ValueError(problem)


def demand_known(config: Mapping[str, Any], known: Container[str]) -> None:
    """ValueError naming the first key of a section that nobody knows."""
    demand(isinstance(config, Mapping), "must be a mapping")
    for key in config:
        demand(key in known, f"{key}: no such setting")
