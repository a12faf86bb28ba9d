"""A drop of files and a ready marker: our own customers' register, a town's, or what others did for them.

Belongs here: which delivery is read, that it is whole, its rows in the hub's words. Does not belong
here: encodings and cells (`grid`, `tabular`), columns and codes (the source's YAML), which words
there are (`vocabulary`), who of a town is ours (`ours`).

The layout is our own design on FORMATS.md §9. A delivery is the files of one date;
`valmis_{date}.json` comes last and names each with its rows and SHA-256, so one without it is not
there yet. The identity code shares a column with the business id and is told from it by shape,
never by customer type (FORMATS.md §10.3 no 8); it becomes a token here and is not kept (DESIGN 2).
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Self

from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    CursorWentBack,
    Fault,
    Lender,
    Malformed,
    NobodyLends,
    Opening,
    Record,
    Source,
    Tokens,
    Unavailable,
)
from connectors.files import Folder, FolderOptions
from connectors.folders import open_folder
from connectors.identity import Identity, read_identity, tokens_of
from connectors.mapping import LIMITS, FileMapping, Layout, Limits, demand, demand_known
from connectors.ours import Ours
from connectors.premises import plain_building_id, plain_property_id
from connectors.tabular import Table, read_table
from connectors.vocabulary import DEALINGS, IDENTITY, PARTY, demand_kinds, demand_vocabulary

_BESIDE_AN_ADDRESS = frozenset(
    {"country", "valid_from", "valid_to"}
)  # none of them is an address alone
_BUSINESS_ID = re.compile(r"(?:FI)?([0-9]{6,7}-[0-9]|[0-9]{8})", re.IGNORECASE)
_MARKER = re.compile(r"valmis_([0-9]{8})\.json")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MARKER_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class RegistrationsOptions:
    """Where the export is dropped and how it is written.

    files: table → its mapping; exactly one of them has kind "party", unless all are dealings.
    manifest: a delivery ends with a `valmis_` marker; without one it is there when all its files are,
    and nothing tells a cut-off file. complete: a delivery is all there is; if not, it is what came
    since the one before (dealings alone), and every delivery counts.
    keep_ours: the drop holds others than our customers, and nothing of them may leave the connector.
    allow_test_identities: admit codes with an individual number 900–999.
    """

    folder: FolderOptions
    files: Mapping[str, FileMapping]
    layout: Layout = field(default_factory=Layout)
    manifest: bool = True
    keep_ours: bool = False
    complete: bool = True
    allow_test_identities: bool = False
    limits: Limits = LIMITS

    @classmethod
    def from_mapping(
        cls, config: Mapping[str, Any], *, allow_test_identities: bool = False
    ) -> Self:
        """From the source's YAML; ValueError names the key that is wrong."""
        demand_known(
            config,
            {
                "folder",
                "format",
                "encoding",
                "delimiter",
                "files",
                "manifest",
                "keep",
                "complete",
                "allow_test_identities",
            },
        )
        files = {}
        for table, entry in (config.get("files") or {}).items():
            try:
                files[str(table)] = FileMapping.from_mapping(entry)
                demand_vocabulary(files[str(table)])
            except ValueError as wrong:
                raise ValueError(f"files.{table}.{wrong}") from None
        kinds = [mapping.kind for mapping in files.values()]
        demand_kinds(kinds)
        complete = config.get("complete", True)
        only_dealings = DEALINGS.issuperset(kinds)
        demand(
            complete is True or (complete is False and only_dealings),
            "complete: must be true, or false where all files are of invoices and orders",
        )
        keep = config.get("keep", "all")
        demand(keep in ("all", "ours"), "keep: must be all or ours")
        demand(keep == "all" or not only_dealings, "keep: nobody is in the drop, so it must be all")
        return cls(
            folder=FolderOptions.from_mapping(config.get("folder") or {}),
            files=files,
            layout=Layout.from_mapping(config),
            manifest=bool(config.get("manifest", True)),
            keep_ours=keep == "ours",
            complete=complete,
            allow_test_identities=bool(config.get("allow_test_identities", allow_test_identities)),
        )

    @property
    def counted(self) -> Collection[FileMapping]:
        """The files whose rows say how large the register is: the people's, or all of dealings; none of news."""
        if not self.complete:
            return ()
        people = [mapping for mapping in self.files.values() if mapping.kind == PARTY]
        return people or self.files.values()


def connect(options: Mapping[str, Any], opening: Opening) -> "Registrations":
    """The source as the house opens it; ValueError names the key that is wrong."""
    read = RegistrationsOptions.from_mapping(
        options, allow_test_identities=opening.allow_test_identities
    )
    nobody_lends = isinstance(opening.lender, NobodyLends)
    demand(not (read.keep_ours and nobody_lends), "keep: ours needs borrow_from")
    return Registrations(read, opening.tokens, opening.lender)


@dataclass(frozen=True)
class _Delivery:
    """One export. rows and digests: by file name, as its marker states; empty without one."""

    stamp: str
    rows: Mapping[str, int] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)


class Registrations(Source, Lender):
    """Reads the newest complete delivery; a quiet night reads no more than its marker."""

    def __init__(
        self, options: RegistrationsOptions, tokens: Tokens, lender: Lender | None = None
    ) -> None:
        self._options = options
        self._tokens = tokens
        self._lender = lender or NobodyLends()

    def fetch(self, ask: Ask) -> Batch:
        """The whole register as the newest delivery has it, unless that is the one read last.

        Of a drop of news (not `complete`) all that came after the one read last, the oldest first.
        cursor: {"delivery": "yyyymmdd", "files": {name: sha256}}, and with keep_ours the digest of
        what was lent as "ours": a drop that is the same is read again once somebody has become ours.
        fetched, total: rows of all files and of those `counted`, whoever's they are. Faults: rows
        that can't be read, and `duplicate_key` for a key whose rows differ: the later one is the
        record, the earlier is in the fault. Raises `CursorWentBack` when the newest delivery is
        older than the one read last; `Malformed` when a file is cut off, empty, wrongly encoded or
        dated ahead; `Unavailable` when there is no delivery at all.
        """
        ours = Ours.of(self._lender.borrow(), self._tokens) if self._options.keep_ours else None
        with open_folder(self._options.folder) as folder:
            delivery = self._newest(folder)
            self._refuse_wrong_time(folder, delivery, ask)
            marked = bool(delivery.digests)
            if ask.cursor is not None and marked and self._same(delivery, ask.cursor, ours):
                counted = [m.name(delivery.stamp) for m in self._options.counted]
                total = sum(delivery.rows[name] for name in counted) if counted else None
                return Batch((), ask.cursor, fetched=0, total=total)
            unread = [*self._missed(folder, delivery, ask), delivery]
            read = [(one, self._payloads(folder, one)) for one in unread]
        payloads = read[-1][1]
        digests = {
            mapping.name(delivery.stamp): hashlib.sha256(payloads[table]).hexdigest()
            for table, mapping in self._options.files.items()
        }
        delivery = _Delivery(delivery.stamp, delivery.rows, digests)
        if ask.cursor is not None and not ask.reread and self._same(delivery, ask.cursor, ours):
            return Batch((), ask.cursor, fetched=0)
        return self._batch([*read[:-1], (delivery, payloads)], ours)

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        """Own customers and their points, from the newest delivery; read anew every time.

        Whoever has no role at any consumption point is left out: an enquirer is no customer, and nobody
        is asked about one.
        """
        with open_folder(self._options.folder) as folder:
            delivery = self._newest(folder)
            files = [(m, self._payload(folder, delivery, m)) for m in self._options.files.values()]

        def values(kind: str, *fields: str) -> Iterator[tuple[str | None, ...]]:
            for mapping, payload in files:
                if mapping.kind == kind:
                    table = self._table(delivery, mapping.only(*fields), payload)
                    columns = (table.values.get(f) or [None] * len(table.keys) for f in fields)
                    yield from zip(table.keys, *columns, strict=True)

        everybody = not any(m.kind == "role" for m, _ in files) and customers is None

        roles = [
            (party, point)
            for _, party, point in values("role", PARTY, "point")
            if customers is None or party in customers
        ]
        in_role, points = {party for party, _ in roles}, {point for _, point in roles}
        people: dict[str, str] = {}
        organisations: dict[str, str] = {}
        for number, text in values(PARTY, IDENTITY):
            if number is None or text is None or not (everybody or number in in_role):
                continue
            if (business_id := _business_id(text)) is not None:
                organisations[number] = business_id
            else:
                identity = read_identity(text, self._options.allow_test_identities)
                if isinstance(identity, Identity):
                    people[number] = identity.code
        places = [
            place for place in values("point", "property_id", "building_id") if place[0] in points
        ]
        return Borrowed(
            people=people,
            organisations=organisations,
            property_ids=frozenset(filter(None, (plain_property_id(p) for _, p, _ in places))),
            building_ids=frozenset(filter(None, (plain_building_id(b) for _, _, b in places))),
        )

    def check(self) -> str:
        """Lists the folder and reads the newest marker."""
        with open_folder(self._options.folder) as folder:
            delivery = self._newest(folder)
            return f"{folder.where}: newest delivery {delivery.stamp}"

    # ── which delivery ──────────────────────────────────────────────────────────────────────────

    def _newest(self, folder: Folder) -> _Delivery:
        stamps = self._there(folder)
        if not stamps:
            raise Unavailable(f"{folder.where}: no complete delivery is there yet")
        return self._opened(folder, max(stamps))

    def _there(self, folder: Folder) -> set[str]:
        """The dates of all complete deliveries."""
        names = {info.name for info in folder.list()}
        if self._options.manifest:
            return {m[1] for m in map(_MARKER.fullmatch, names) if m}
        return set.intersection(
            *(_stamps(mapping, names) for mapping in self._options.files.values())
        )

    def _missed(self, folder: Folder, newest: _Delivery, ask: Ask) -> list[_Delivery]:
        """Of a drop of news, those before the newest that nobody has read; oldest first."""
        if self._options.complete:
            return []
        read_last = "" if ask.cursor is None or ask.reread else str(ask.cursor["delivery"])
        stamps = sorted(s for s in self._there(folder) if read_last < s < newest.stamp)
        return [self._opened(folder, stamp) for stamp in stamps]

    def _opened(self, folder: Folder, stamp: str) -> _Delivery:
        return self._marked(folder, stamp) if self._options.manifest else _Delivery(stamp)

    def _marked(self, folder: Folder, stamp: str) -> _Delivery:
        name = f"valmis_{stamp}.json"
        try:
            files = json.loads(folder.read(name, _MARKER_LIMIT))["tiedostot"]
            wanted = [mapping.name(stamp) for mapping in self._options.files.values()]
            rows = {file: files[file]["rivit"] for file in wanted}
            digests = {file: files[file]["sha256"] for file in wanted}
            sound = all(type(n) is int and n >= 0 for n in rows.values()) and all(
                isinstance(d, str) and _SHA256.fullmatch(d) for d in digests.values()
            )
        except (ValueError, KeyError, TypeError, RecursionError):
            sound = False
        if not sound:
            raise Malformed(
                f"{folder.where}: {name} does not name every file with its rows and sha256"
            )
        return _Delivery(stamp, rows, digests)

    def _refuse_wrong_time(self, folder: Folder, delivery: _Delivery, ask: Ask) -> None:
        try:
            exported = date.fromisoformat(delivery.stamp)
        except ValueError:
            exported = date.max
        # A day's grace: the export may be written after midnight for a night begun before it. A
        # stamp far ahead would make every later delivery look old.
        if exported > date.fromisoformat(ask.business_date) + timedelta(days=1):
            raise Malformed(
                f"{folder.where}: delivery {delivery.stamp} is dated ahead of {ask.business_date}"
            )
        if ask.cursor is not None and delivery.stamp < str(ask.cursor["delivery"]):
            raise CursorWentBack(
                f"{folder.where}: newest delivery is {delivery.stamp}, "
                f"but {ask.cursor['delivery']} was read before"
            )

    def _same(self, delivery: _Delivery, cursor: Mapping[str, Any], ours: Ours | None) -> bool:
        """Whether each table's file is byte for byte the one read last, for the same customers."""
        return cursor.get("ours") == (ours and ours.digest) and all(
            cursor["files"].get(mapping.name(str(cursor["delivery"])))
            == delivery.digests[mapping.name(delivery.stamp)]
            for mapping in self._options.files.values()
        )

    def _payloads(self, folder: Folder, delivery: _Delivery) -> dict[str, bytes]:
        files = self._options.files.items()
        return {table: self._payload(folder, delivery, mapping) for table, mapping in files}

    def _payload(self, folder: Folder, delivery: _Delivery, mapping: FileMapping) -> bytes:
        name = mapping.name(delivery.stamp)
        payload = folder.read(name, self._options.limits.size)
        stated = delivery.digests.get(name)
        if stated is not None and hashlib.sha256(payload).hexdigest() != stated:
            raise Malformed(
                f"{folder.where}: {name} is not whole, its sha256 is not the stated one"
            )
        return payload

    # ── rows → records ──────────────────────────────────────────────────────────────────────────

    def _batch(
        self, read: Sequence[tuple[_Delivery, Mapping[str, bytes]]], ours: Ours | None
    ) -> Batch:
        delivery = read[-1][0]
        records: list[Record] = []
        faults: list[Fault] = []
        counted = self._options.counted
        fetched, total = 0, 0
        dropped: Counter[str] = Counter()
        unknown: Counter[str] = Counter()
        content = _Contents(self._tokens, self._options.allow_test_identities)
        every = [
            (self._table(one, mapping, payloads[name]), mapping)
            for one, payloads in read
            for name, mapping in self._options.files.items()
        ]
        a_delivery = len(self._options.files)
        for n, (table, mapping) in enumerate(every):
            fetched += table.count
            total += table.count if mapping in counted else 0
            dropped.update(table.dropped)
            unknown.update(table.unknown)
            taken, refused = _records(mapping.kind, table, content)
            if n >= a_delivery:  # a later delivery may have put right what an earlier one had wrong
                good = {(record.kind, record.key) for record in taken}
                faults = [fault for fault in faults if (fault.kind, fault.key) not in good]
            records += taken
            faults += refused
        cursor: dict[str, Any] = {"delivery": delivery.stamp, "files": dict(delivery.digests)}
        unreadable = len(faults)
        if ours is not None:
            cursor["ours"] = ours.digest
            records, faults = ours.pick(records, faults)
        return Batch(
            records=records,
            cursor=cursor,
            fetched=fetched,
            total=total if counted else None,
            faults=faults,
            dropped=dict(dropped),
            unknown=dict(unknown),
            faults_of_others=unreadable - len(faults),
            whole=frozenset(m.kind for m in counted) & DEALINGS,
        )

    def _table(self, delivery: _Delivery, mapping: FileMapping, payload: bytes) -> Table:
        name = mapping.name(delivery.stamp)
        table = read_table(name, payload, mapping, self._options.layout, self._options.limits)
        stated = delivery.rows.get(name)
        if stated is not None and stated != table.count:
            raise Malformed(f"{name}: {table.count} rows, but its marker states {stated}")
        # that nobody has ordered or owes anything is believed of a marker alone
        is_empty = mapping.kind in DEALINGS and stated == 0
        if not table.keys and not is_empty:
            refused = f"all {table.count} were refused" if table.count else "it has none"
            raise Malformed(f"{name}: no row to take in, {refused}")
        return table


def _records(kind: str, table: Table, content: "_Contents") -> tuple[list[Record], list[Fault]]:
    latest: dict[str, tuple[int, Record]] = {}
    faults = [
        Fault(
            kind,
            fault.key or f"row {fault.row}",
            fault.rule,
            f"row {fault.row}: {fault.reason}",
            content.of(kind, {f: v for f, v in fault.values.items() if v is not None}),
        )
        for fault in table.faults
    ]
    rows = zip(table.row_numbers, table.keys, table.times, table.rows(), strict=True)
    for number, key, time, values in rows:
        record = Record(kind, key, time, content.of(kind, values))
        if key in latest and latest[key][1].content != record.content:
            earlier, superseded = latest[key]
            faults.append(
                Fault(
                    kind,
                    key,
                    "duplicate_key",
                    f"rows {earlier} and {number} have the same key and differ",
                    superseded.content,
                )
            )
        latest[key] = (number, record)
    return [record for _, record in latest.values()], faults


class _Contents:
    """Flat field → value rows as contents of records; identity codes become tokens."""

    def __init__(self, tokens: Tokens, allow_test_identities: bool) -> None:
        self._tokens = tokens
        self._allow_test_identities = allow_test_identities

    def of(self, kind: str, values: Mapping[str, str]) -> dict[str, Any]:
        """One row's content; `values` holds stated fields only."""
        content: dict[str, Any] = {}
        nested: dict[str, dict[str, str]] = {}
        for path, value in values.items():
            if path == IDENTITY:
                content.update(self._identity(value))
            elif "." in path:
                parent, _, part = path.rpartition(".")
                nested.setdefault(parent, {})[part] = value
            else:
                content[path] = value
        if final_invoice := nested.pop("final_invoice", None):
            content["final_invoice"] = final_invoice
        addresses = [
            {"address_type": parent.partition(".")[2], **parts}
            for parent, parts in nested.items()
            if not parts.keys() <= _BESIDE_AN_ADDRESS
        ]
        if addresses:
            content["addresses"] = addresses
        return content

    def _identity(self, text: str) -> dict[str, str]:
        if business_id := _business_id(text):
            return {"business_id": business_id}
        return tokens_of(text, self._tokens, self._allow_test_identities)


def _business_id(text: str) -> str | None:
    match = _BUSINESS_ID.fullmatch("".join(text.split()))
    return match[1] if match else None


def _stamps(mapping: FileMapping, names: Iterable[str]) -> set[str]:
    before, _, after = mapping.pattern.partition("{date}")
    shape = re.compile(re.escape(before) + "([0-9]{8})" + re.escape(after))
    return {m[1] for m in map(shape.fullmatch, names) if m}
