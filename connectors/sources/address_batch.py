"""A company that knows who has moved, asked in batches: a file of our customers out, a file of matches back.

Belongs here: the bytes of a question, putting it in place without overwriting, which answers are there, what an
answer says of each reference. Does not belong here: whom we may ask about and when, what was asked (the
caller's), cells and columns (`tabular`), layout and match codes (the source's YAML: no such company publishes
one, FORMATS.md §3.3).

Our own design on the house's pattern: `{question}.csv`, then the same name with `.json` once it is whole; an
answer likewise, with its rows and SHA-256. What a row of an answer comes to, by its match code:

    match       as we have it: nothing is taken in
    moved       name, address and the day of the move; without any address it counts as refused
    deceased    a death, which a steward has to look at: the company is no authority on deaths
    unknown     they know nobody like that: nothing is taken in
    ambiguous   they know several: nothing is taken in
    refused     they may not say: an order may stand behind it, so it counts as one (DESIGN 12, R56)
"""

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from connectors.base import (
    AlreadyPublished,
    Ask,
    Batch,
    Correspondent,
    Fault,
    Malformed,
    Opening,
    Record,
    Source,
)
from connectors.files import Folder, FolderOptions
from connectors.folders import open_folder
from connectors.mapping import LIMITS, FileMapping, Layout, Limits, demand, demand_known
from connectors.tabular import Table, read_table

REFERENCE = "reference"
GRADES = frozenset({"match", "moved", "deceased", "unknown", "ambiguous", "refused"})
FAULTS = ("answered_twice", "death_unconfirmed", "other_name")
"""Rules a row breaks that could be read as a row."""
# what becomes of a reference whose row says none of them
_UNREADABLE, _CONTRADICTORY, _UNANSWERED = "unreadable", "contradictory", "unanswered"
_ADDRESS = "addresses.permanent"
_PLACE = tuple(f"{_ADDRESS}.{part}" for part in ("care_of", "line", "postal_code", "post_office"))
_FIELDS = frozenset(
    {
        "grade",
        "family_name",
        "given_names",
        "moved_on",
        "death_date",
        f"{_ADDRESS}.country",
        *_PLACE,
    }
)
_MARKER_LIMIT = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNCARRIED = frozenset({"Cc", "Cs", "Zl", "Zp"})
_FORMULA = frozenset("=+-@")


@dataclass(frozen=True)
class AddressBatchOptions:
    """Where questions are left and answers found, and how both are written.

    asks: column of a question → field, in their order; the reference among them. answer: the mapping of an answer.
    {date} in both patterns is the question's name.
    """

    folder: FolderOptions
    sends_to: str
    reads_from: str
    pattern: str
    asks: Mapping[str, str]
    answer: FileMapping
    layout: Layout
    limits: Limits = LIMITS

    @classmethod
    def from_mapping(cls, config: Mapping[str, Any]) -> Self:
        """From the source's YAML; ValueError names the key that is wrong."""
        demand_known(
            config,
            {"folder", "sends_to", "reads_from", "encoding", "delimiter", "asks", "files"},
        )
        asks = config.get("asks") or {}
        demand_known(asks, {"pattern", "columns"})
        pattern, columns = str(asks.get("pattern") or ""), asks.get("columns") or {}
        demand(pattern.count("{date}") == 1, "asks.pattern: must have {date} once")
        demand(isinstance(columns, Mapping), "asks.columns: must be a mapping")
        fields = [str(field) for field in columns.values()]
        demand(fields.count(REFERENCE) == 1, "asks.columns: exactly one must be the reference")
        demand(len(set(fields)) == len(fields), "asks.columns: a field stands there twice")
        files = config.get("files") or {}
        demand(len(files) == 1, "files: exactly one, that of the answers")
        ((name, entry),) = files.items()
        try:
            answer = FileMapping.from_mapping(entry)
            _demand_vocabulary(answer)
        except ValueError as wrong:
            raise ValueError(f"files.{name}.{wrong}") from None
        return cls(
            folder=FolderOptions.from_mapping(config.get("folder") or {}),
            sends_to=str(config.get("sends_to") or "sisaan"),
            reads_from=str(config.get("reads_from") or "vienti"),
            pattern=pattern,
            asks={str(column): str(field) for column, field in columns.items()},
            answer=answer,
            layout=Layout.from_mapping({k: config.get(k) for k in ("encoding", "delimiter")}),
        )


def connect(options: Mapping[str, Any], opening: Opening) -> "AddressBatch":
    """The source as the house opens it; ValueError names the key that is wrong."""
    return AddressBatch(AddressBatchOptions.from_mapping(options))


class AddressBatch(Source, Correspondent):
    """The company as a `Source` of answers, kind "party", key = our reference; and as whom we ask."""

    def __init__(self, options: AddressBatchOptions) -> None:
        self._options = options

    # ── what comes back ─────────────────────────────────────────────────────────────────────────

    def fetch(self, ask: Ask) -> Batch:
        """The answers that have come to the questions in `ask.awaited`; nothing is opened while there are none.

        Cursor: {"answered": the last question}. An answer to a question that is not awaited isn't read: it was
        taken in before, or we never asked. faults, under the reference: cells that can't be read by their rule,
        "answered_twice", "other_name", and "death_unconfirmed", whose record is landed all the same. unknown:
        "unknown_reference", rows about nobody we asked about, of which nothing is kept.
        Raises `Malformed` for an answer that is cut off, wrongly encoded or without a mapped column.
        """
        read = _Answers()
        if ask.awaited:
            with open_folder(self._options.folder.within(self._options.reads_from)) as folder:
                for question, names in ask.awaited.items():
                    if (table := self._answer(folder, question)) is not None:
                        read.take(question, table, names)
        cursor = dict(ask.cursor or {})
        if read.answers:
            cursor = {"answered": max(read.answers)}
        return Batch(
            records=read.records,
            cursor=cursor,
            fetched=read.fetched,
            faults=read.faults,
            dropped=dict(read.dropped),
            unknown=dict(read.unknown),
            answers=read.answers,
        )

    def check(self) -> str:
        """Lists both folders."""
        options = self._options
        with open_folder(options.folder.within(options.sends_to)) as folder:
            waiting, where = len(folder.list()), folder.where
        with open_folder(options.folder.within(options.reads_from)) as folder:
            answers = len(folder.list())
        return f"{where}: {waiting} files there, {answers} in {options.reads_from}"

    def _answer(self, folder: Folder, question: str) -> Table | None:
        """The answer to a question, or None while its marker is not there."""
        name = self._options.answer.name(question)
        marker = _marker(name)
        if folder.stat(marker) is None:
            return None
        try:
            stated = json.loads(folder.read(marker, _MARKER_LIMIT))
            rows, digest = stated["rows"], stated["sha256"]
            sound = type(rows) is int and isinstance(digest, str) and _SHA256.fullmatch(digest)
        except (ValueError, KeyError, TypeError, RecursionError):
            sound = None
        if not sound:
            raise Malformed(f"{folder.where}: {marker} does not state rows and sha256")
        payload = folder.read(name, self._options.limits.size)
        if hashlib.sha256(payload).hexdigest() != digest:
            raise Malformed(
                f"{folder.where}: {name} is not whole, its sha256 is not the stated one"
            )
        table = read_table(
            name, payload, self._options.answer, self._options.layout, self._options.limits
        )
        if table.count != rows:
            raise Malformed(f"{name}: {table.count} rows, but its marker states {rows}")
        return table

    # ── what goes out ───────────────────────────────────────────────────────────────────────────

    def fits(self, row: Mapping[str, str]) -> bool:
        """Whether every value can be written in the agreed encoding, and as text only (PRIVACY.md §5)."""
        encoding = self._options.layout.encoding
        return all(_is_plain(row.get(field, ""), encoding) for field in self._options.asks.values())

    def render(self, rows: Sequence[Mapping[str, str]]) -> bytes:
        """A header and a line a person, CRLF, every value quoted; a field that is absent is empty."""
        text = io.StringIO(newline="")
        writer = csv.writer(
            text,
            delimiter=self._options.layout.delimiter,
            lineterminator="\r\n",
            quoting=csv.QUOTE_ALL,
        )
        writer.writerow(self._options.asks)
        for row in rows:
            if not self.fits(row):
                raise Malformed(
                    "a row of the question can't be written as its file is agreed to be"
                )
            writer.writerow([row.get(field, "") for field in self._options.asks.values()])
        return text.getvalue().encode(self._options.layout.encoding)

    def send(
        self, question: str, payload: bytes, people: int, about_to: Callable[[], None]
    ) -> None:
        """Data, read back, then its marker, which makes the question one; each under a name nobody had."""
        name = self._options.pattern.replace("{date}", question)
        digest = hashlib.sha256(payload).hexdigest()
        marker = {
            "delivery_id": question,
            "sequence": int(question.rpartition("-")[2]),
            "rows": people,
            "sha256": digest,
            "columns": list(self._options.asks),
        }
        with open_folder(self._options.folder.within(self._options.sends_to)) as folder:
            _put(folder, name, payload)
            if hashlib.sha256(folder.read(name, len(payload))).hexdigest() != digest:
                raise Malformed(f"{folder.where}: {name} does not read back as it was sent")
            about_to()
            _put(folder, _marker(name), json.dumps(marker, indent=1).encode())

    def was_taken(self, question: str) -> bool:
        """Its marker is there; or neither is, as without the marker nobody takes the data."""
        name = self._options.pattern.replace("{date}", question)
        with open_folder(self._options.folder.within(self._options.sends_to)) as folder:
            return folder.stat(_marker(name)) is not None or folder.stat(name) is None


class _Answers:
    """Filled by `take`, an answer at a time; read its attributes afterwards."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.faults: list[Fault] = []
        self.answers: dict[str, dict[str, str]] = {}
        self.dropped: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.fetched = 0

    def take(self, question: str, table: Table, names: Mapping[str, str]) -> None:
        """Every row of an answer. names: the references that were asked about, and by what name."""
        self.fetched += table.count
        self.dropped.update(table.dropped)
        self.unknown.update(table.unknown)
        grades = dict.fromkeys(names, _UNANSWERED)
        said: dict[str, list[dict[str, str]]] = {}
        for reference, row in zip(table.keys, table.rows(), strict=True):
            said.setdefault(reference, []).append(row)
        strangers = sum(len(rows) for reference, rows in said.items() if reference not in names)
        for fault in table.faults:
            if fault.key not in names:
                strangers += 1
                continue
            read = {field: value for field, value in fault.values.items() if value is not None}
            reason = f"row {fault.row}: {fault.reason}"
            self._fault(fault.key, fault.rule, reason, _content(read))
            grades[fault.key] = _UNREADABLE
        if strangers:  # not a byte is kept of people we did not ask about (DESIGN 4)
            self.unknown["unknown_reference"] += strangers
        for reference, rows in said.items():
            if reference not in names:
                continue
            if grades[reference] == _UNREADABLE or any(row != rows[0] for row in rows[1:]):
                # nobody can tell which of them is meant, so neither is believed
                reason = f"{len(rows)} rows answer one reference and differ"
                if grades[reference] != _UNREADABLE:
                    self._fault(reference, "answered_twice", reason, {})
                grades[reference] = _CONTRADICTORY
            else:
                grades[reference] = self._one(reference, rows[0], names[reference])
        self.answers[question] = grades

    def _one(self, reference: str, row: Mapping[str, str], name: str) -> str:
        """The one row about a reference becomes a record, a fault, both or nothing; its grade."""
        grade = row["grade"]
        content = _content({k: v for k, v in row.items() if k != "death_date"})
        if grade == "moved" and "addresses" not in content:
            grade = "refused"
        if grade == "refused":
            self._record(reference, {"party_type": "person", "protection": "on"})
        elif grade == "deceased":
            death = {"is_deceased": True, "death_date": row.get("death_date")}
            stated = {"party_type": "person"} | {k: v for k, v in death.items() if v is not None}
            self._record(reference, stated)
            reason = "a death is reported by a company that is no authority on deaths"
            self._fault(reference, "death_unconfirmed", reason, stated)
        elif grade == "moved" and not _may_be_one(name, content):
            reason = "the answer names somebody else than was asked about"
            self._fault(reference, "other_name", reason, content)
            grade = _CONTRADICTORY
        elif grade == "moved":
            self._record(reference, content)
        return grade

    def _record(self, reference: str, content: Mapping[str, Any]) -> None:
        self.records.append(Record("party", reference, None, content))

    def _fault(self, key: str, rule: str, reason: str, content: Mapping[str, Any]) -> None:
        self.faults.append(Fault("party", key, rule, reason, content))


def _content(row: Mapping[str, str]) -> dict[str, Any]:
    """What a row states of a person, in declared words; an address only where it names a place."""
    content: dict[str, Any] = {"party_type": "person"}
    address = {}
    for field, value in row.items():
        if field.startswith(f"{_ADDRESS}."):
            address[field.rpartition(".")[2]] = value
        elif field == "moved_on":
            address["valid_from"] = value
        elif field != "grade":
            content[field] = value
    if any(field in row for field in _PLACE):
        content["addresses"] = [{"address_type": "permanent", **address}]
    return content


def _may_be_one(name: str, content: Mapping[str, Any]) -> bool:
    """Whether the answer's name, where it states one, shares a word with the one that was asked with."""
    stated = _words(f"{content.get('family_name', '')} {content.get('given_names', '')}")
    return not stated or bool(stated & _words(name))


def _words(name: str) -> set[str]:
    bare = unicodedata.normalize("NFKD", name).casefold()
    return set(
        re.findall(r"[^\W\d_]{2,}", "".join(c for c in bare if not unicodedata.combining(c)))
    )


def _is_plain(value: str, encoding: str) -> bool:
    if any(unicodedata.category(character) in _UNCARRIED for character in value):
        return False
    first = unicodedata.normalize("NFKC", value.strip())[:1]
    try:
        return first not in _FORMULA and value.encode(encoding) is not None
    except UnicodeEncodeError:
        return False


def _marker(name: str) -> str:
    return f"{name.rpartition('.')[0] or name}.json"


def _put(folder: Folder, name: str, payload: bytes) -> None:
    there = folder.stat(name)
    if there is None:
        folder.write_new(name, payload)
    elif there.size != len(payload) or folder.read(name, len(payload)) != payload:
        raise AlreadyPublished(f"{folder.where}: {name} is there with other bytes")


def _demand_vocabulary(mapping: FileMapping) -> None:
    """Every column of an answer is a word we have for one, once; its match codes are ours."""
    demand(mapping.kind == "party", "kind: must be party")
    fields = Counter(column.field for column in mapping.columns.values())
    _demand_each_once(mapping.columns, fields)
    grading = next((c for c in mapping.columns.values() if c.field == "grade"), None)
    demand(
        grading is not None and grading.required and bool(grading.codes),
        "columns: one must be the grade, required, with its codes",
    )
    for code in (*grading.codes.values(), grading.otherwise) if grading else ():
        known = ", ".join(sorted(GRADES))
        demand(code in GRADES or not code, f"columns: a match code means one of {known}")


def _demand_each_once(columns: Iterable[str], fields: Mapping[str, int]) -> None:
    for field, times in fields.items():
        demand(field in _FIELDS, f"columns: an answer has no field {field}")
        demand(times == 1, f"columns: {field} is mapped twice")
