"""Reading drops: a file is trusted or refused, a row taken or named, no value told."""

import datetime as dt
import io
import traceback
import tracemalloc
import unicodedata
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from connectors.base import ConnectorError, Malformed
from connectors.mapping import LIMITS, ColumnMapping, FileMapping, Layout, Limits
from connectors.tabular import Table, read_table

CANARY = "Kanarialintu-010180-999A"
UTF8 = Layout("csv", "utf-8", ";")
CP1252 = Layout("csv", "windows-1252", ";")
XLSX = Layout("xlsx")


def mapping(source_time: str = "", **columns: ColumnMapping) -> FileMapping:
    return FileMapping("party", "asiakkaat_{date}.csv", "NRO", source_time, columns)


NAMES = mapping(NIMI=ColumnMapping("name"))


def read(text: str | bytes, how: FileMapping = NAMES, layout: Layout = UTF8, **more: Any) -> Table:
    payload = text if isinstance(text, bytes) else text.encode(layout.encoding)
    return read_table("asiakkaat_20261102.csv", payload, how, layout, **more)


def names(table: Table) -> list[str | None]:
    return list(table.values["name"])


def one(cell: str, column: ColumnMapping) -> str | None:
    """One cell through one column, or the rule it broke."""
    table = read(f'NRO;A\r\n1;"{cell}"\r\n', mapping(A=column))
    return table.values[column.field][0] if table.keys else table.faults[0].rule


def at(*parts: int) -> dt.datetime:
    return dt.datetime(*parts)  # noqa: DTZ001 (a spreadsheet knows no zones)


def workbook(*rows: list[object]) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


# ── encodings ───────────────────────────────────────────────────────────────────────────────────


def test_finnish_letters_of_windows_1252_arrive_whole() -> None:
    assert names(read("NRO;NIMI\r\n1;Mäkelä Åke Öhman Žukov €\r\n", layout=CP1252)) == [
        "Mäkelä Åke Öhman Žukov €"
    ]


def test_utf_8_declared_as_windows_1252_is_refused() -> None:
    with pytest.raises(Malformed, match="looks like UTF-8 but windows-1252 is declared"):
        read("NRO;NIMI\r\n1;Mäkelä\r\n".encode(), layout=CP1252)


def test_a_cut_off_last_letter_does_not_hide_that_a_file_is_utf_8() -> None:
    with pytest.raises(Malformed, match="looks like UTF-8"):
        read("NRO;NIMI\r\n1;Mäkelä".encode()[:-1], layout=CP1252)


def test_ascii_may_be_declared_as_anything() -> None:
    assert names(read(b"NRO;NIMI\r\n1;Virtanen\r\n", layout=CP1252)) == ["Virtanen"]


def test_windows_1252_declared_as_utf_8_is_refused_at_the_byte() -> None:
    with pytest.raises(Malformed, match=r"not utf-8 at byte 13\b"):
        read("NRO;NIMI\r\n1;Mäkelä\r\n".encode("windows-1252"))


def test_a_byte_windows_1252_does_not_have_is_refused() -> None:
    with pytest.raises(Malformed, match="not windows-1252 at byte 12"):
        read(b"NRO;NIMI\r\n1;\x81\r\n", layout=CP1252)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
def test_utf_16_is_refused_whatever_is_declared(encoding: str) -> None:
    for layout in (UTF8, CP1252):
        with pytest.raises(Malformed):
            read("\ufeffNRO;NIMI\r\n1;Mäkelä\r\n".encode(encoding), layout=layout)


def test_a_utf_8_mark_at_the_start_is_no_part_of_the_first_column() -> None:
    assert names(read(b"\xef\xbb\xbfNRO;NIMI\r\n1;Virtanen\r\n")) == ["Virtanen"]
    with pytest.raises(Malformed, match="looks like UTF-8"):
        read(b"\xef\xbb\xbfNRO;NIMI\r\n1;Virtanen\r\n", layout=CP1252)


def test_decomposed_letters_become_whole_ones() -> None:
    """A file made on a Mac writes ä as a and two dots; both must be the same name."""
    decomposed = unicodedata.normalize("NFD", "Mäkelä Åke")
    assert decomposed != "Mäkelä Åke"
    assert names(read(f"NRO;NIMI\n1;{decomposed}\n")) == ["Mäkelä Åke"]


# ── the header ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("payload", [b"", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed, match="empty"):
        read(payload)


def test_a_missing_column_holds_the_file_and_is_named() -> None:
    with pytest.raises(Malformed, match=r"asiakkaat_20261102\.csv: no column NIMI$"):
        read("NRO;NIMI2\r\n1;x\r\n")


def test_a_column_that_stands_twice_holds_the_file() -> None:
    with pytest.raises(Malformed, match="column NIMI stands there twice"):
        read("NRO;NIMI;NIMI\r\n1;x;y\r\n")


def test_a_file_without_a_header_names_nobody() -> None:
    with pytest.raises(Malformed) as refusal:
        read(f"1;{CANARY};{CANARY}\r\n2;y;y\r\n")
    assert CANARY not in str(refusal.value)


def test_columns_nobody_mapped_are_dropped_and_counted() -> None:
    """R9: an unmapped column never passes through; its name and how many rows carried it do."""
    table = read(f"NRO;HETU;NIMI;TYHJA;\r\n1;{CANARY};a;;\r\n2; ;b;;x\r\n3;{CANARY};c;;\r\n")

    assert table.dropped == {"HETU": 2, "TYHJA": 0, "(without a name)": 1}
    assert CANARY not in repr(table) + str(table.values)


def test_column_order_does_not_matter() -> None:
    assert names(read("NIMI;NRO\r\na;1\r\n")) == ["a"]


# ── rows ────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_of_another_width_is_refused_alone() -> None:
    table = read(f"NRO;NIMI\r\n1;a\r\n2;{CANARY};x\r\n3\r\n4;d\r\n")

    assert list(table.keys) == ["1", "4"]
    assert [(f.row, f.key, f.rule) for f in table.faults] == [
        (2, "2", "wrong_number_of_fields"),
        (3, "3", "wrong_number_of_fields"),
    ]
    assert table.count == 4
    assert CANARY not in repr(table.faults) + str([dict(f.values) for f in table.faults])


def test_the_key_of_a_torn_row_is_kept_only_if_it_looks_like_one() -> None:
    """The tail of a free text must not become an id that is logged."""
    table = read("NRO;NIMI\r\n1;a\r\nVirtanen Matti\r\n")

    assert [f.key for f in table.faults] == [""]


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x85"])
def test_a_control_character_refuses_the_row(character: str) -> None:
    table = read(f"NRO;NIMI\r\n1;a{character}b\r\n2;b\r\n")

    assert list(table.keys) == ["2"]
    assert table.faults[0].rule == "control_character"
    assert table.faults[0].reason == "column NIMI: a control character"
    assert table.faults[0].values == {"name": None}


def test_a_line_break_in_a_dropped_column_harms_nobody() -> None:
    table = read('NRO;NIMI;LISATIETO\r\n1;a;"soita\r\nmyöhemmin"\r\n2;b;\r\n')

    assert names(table) == ["a", "b"]
    assert table.count == 2


def test_an_open_quote_does_not_swallow_the_rows_after_it() -> None:
    rows = "".join(f"{n};n{n}\r\n" for n in range(2, 60))
    table = read(f'NRO;NIMI\r\n1;"a\r\n{rows}60;"b"\r\n61;"c\r\n')

    assert list(table.keys) == [str(n) for n in range(2, 61)]
    assert [(f.row, f.rule) for f in table.faults] == [
        (1, "broken_quoting"),
        (61, "broken_quoting"),
    ]
    assert table.count == 61


def test_rows_with_nothing_but_open_quotes_are_all_accounted_for() -> None:
    """And in one sitting: setting back at each of them is bounded."""
    table = read(b"NRO;NIMI\r\n" + b'1;"a\r\n' * 50_000)

    assert (len(table.keys), len(table.faults)) == (0, 50_000)


def test_quotes_inside_a_value_stay_as_typed() -> None:
    assert names(read('NRO;NIMI\r\n1;Matti "Masa" M\r\n2;"Oy ""X"" Ab; sivuliike"\r\n')) == [
        'Matti "Masa" M',
        'Oy "X" Ab; sivuliike',
    ]


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+358401234567", "-", "@home", "＝1", "🙂👩‍👩‍👧", "'", "x" * 500, "NA", "null", "007"],
)
def test_odd_values_are_read_as_they_are(name: str) -> None:
    """Reading changes nothing; what may leave is the writer's business (PRIVACY §5)."""
    assert names(read(f"NRO;NIMI\r\n1;{name}\r\n")) == [name]


def test_a_value_of_thousands_of_characters_refuses_the_row() -> None:
    table = read(f"NRO;NIMI\r\n1;{'x' * 4000}\r\n2;{'x' * 4001}\r\n")

    assert list(table.keys) == ["1"]
    assert table.faults[0].rule == "too_long"


def test_a_row_without_its_key_is_refused() -> None:
    table = read("NRO;NIMI\r\n ;a\r\n2;b\r\n")

    assert [(f.row, f.key, f.rule, f.reason) for f in table.faults] == [
        (1, "", "missing_value", "column NRO: empty, and a row is nothing without it")
    ]
    assert table.faults[0].values == {"name": "a"}


def test_blank_lines_are_passed_over() -> None:
    table = read("NRO;NIMI\r\n\r\n1;a\r\n;\r\n\r\n")

    assert (table.count, list(table.keys), list(table.faults)) == (1, ["1"], [])


def test_values_are_stripped_and_empty_ones_are_not_stated() -> None:
    table = read("NRO;NIMI\r\n 1 ; a \r\n2;\u00a0\r\n")

    assert list(table.keys) == ["1", "2"]
    assert list(table.rows()) == [{"name": "a"}, {}]


def test_line_ends_may_be_of_either_kind_and_the_last_may_be_missing() -> None:
    assert names(read("NRO;NIMI\n1;a\r\n2;b")) == ["a", "b"]


def test_a_file_over_a_limit_is_refused() -> None:
    for limits in (Limits(size=5), Limits(rows=2), Limits(columns=1)):
        with pytest.raises(Malformed):
            read("NRO;NIMI\r\n1;a\r\n2;b\r\n", limits=limits)


# ── cells ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("02.11.2026", "2026-11-02"),
        ("2.1.2026", "2026-01-02"),
        ("2026-11-02", "2026-11-02"),
        ("29.02.2024", "2024-02-29"),
        ("29.02.2026", "not_a_date"),
        ("11/02/2026", "not_a_date"),
        ("2.11.26", "not_a_date"),
        ("eilen", "not_a_date"),
    ],
)
def test_dates(cell: str, expected: str) -> None:
    assert one(cell, ColumnMapping("day", "date")) == expected


def test_a_last_day_becomes_the_day_after() -> None:
    last = ColumnMapping("valid_to", "date", inclusive=True)

    assert one("31.12.2026", last) == "2027-01-01"
    assert one("28.02.2024", last) == "2024-02-29"
    assert one("31.12.9999", last) is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("02.11.2026 09:30", "2026-11-02T07:30:00Z"),
        ("02.07.2026 00:15", "2026-07-01T21:15:00Z"),
        ("2.7.2026 9.05", "2026-07-02T06:05:00Z"),
        ("02.11.2026 09:30:59", "2026-11-02T07:30:59Z"),
        ("02.11.2026", "2026-11-01T22:00:00Z"),
        # 25.10.2026 at 04:00 the clock goes back to 03:00: the first of the two is meant
        ("25.10.2026 03:30", "2026-10-25T00:30:00Z"),
        ("02.11.2026 24:00", "not_an_instant"),
        ("02.11.2026 klo 9", "not_an_instant"),
        ("30.02.2026 10:00", "not_an_instant"),
        ("01.01.0001 00:00", "not_an_instant"),
    ],
)
def test_instants_are_finnish_time(cell: str, expected: str) -> None:
    assert one(cell, ColumnMapping("at", "instant")) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("120,50", "120.50"),
        ("-3", "-3"),
        ("1 234,5", "1234.5"),
        ("1.234,5", "not_a_number"),
        ("12,", "not_a_number"),
    ],
)
def test_decimals_have_a_comma(cell: str, expected: str) -> None:
    assert one(cell, ColumnMapping("n", "decimal")) == expected


def test_a_code_nobody_declared_refuses_the_row() -> None:
    column = ColumnMapping("c", "code", {"k": "on"})

    assert one("K", column) == "on"
    assert one("X", column) == "unknown_code"
    assert one("", column) is None


def test_otherwise_stands_in_for_what_cannot_be_understood_and_is_counted() -> None:
    """R56: an unclear restriction counts as one; silence does not."""
    column = ColumnMapping("protection", "code", {"k": "on", "e": "off"}, otherwise="on")
    table = read("NRO;T\r\n1;K\r\n2;E\r\n3;\r\n4;kyllä?\r\n5;\0\r\n", mapping(T=column))

    assert list(table.values["protection"]) == ["on", "off", None, "on", "on"]
    assert table.unknown == {"T": 2}


def test_otherwise_not_stated_leaves_the_value_out() -> None:
    column = ColumnMapping("language", "code", {"fi": "fi"}, otherwise="not_stated")
    table = read("NRO;T\r\n1;FI\r\n2;ruotsi\r\n", mapping(T=column))

    assert list(table.values["language"]) == ["fi", None]
    assert table.unknown == {"T": 1}


def test_codes_of_a_text_correct_the_listed_words_only() -> None:
    column = ColumnMapping("country", codes={"suomi": "FI"})

    assert [one(cell, column) for cell in ("Suomi", "FI", "SE")] == ["FI", "FI", "SE"]


def test_a_spreadsheets_error_mark_is_no_value() -> None:
    assert one("#N/A", ColumnMapping("name")) == "spreadsheet_error"


def test_a_postal_code_keeps_its_zeros() -> None:
    assert one("00100", ColumnMapping("postal_code", "postal")) == "00100"


def test_only_the_first_reason_of_a_row_is_given_and_the_rest_of_it_is_kept() -> None:
    how = mapping(
        "MUUTETTU", NIMI=ColumnMapping("name"), A=ColumnMapping("a", "date"), T=ColumnMapping("t")
    )
    table = read("NRO;NIMI;A;T;MUUTETTU\r\n1;Aho;joskus;x;eilen\r\n", how)

    assert [(f.key, f.rule) for f in table.faults] == [("1", "not_an_instant")]
    assert table.faults[0].values == {"name": "Aho", "a": None, "t": "x"}


# ── workbooks ───────────────────────────────────────────────────────────────────────────────────

EVERYTHING = mapping(
    "MUUTETTU",
    NIMI=ColumnMapping("name"),
    POSTINRO=ColumnMapping("postal_code", "postal", country="MAA"),
    MAA=ColumnMapping("country"),
    ALKAEN=ColumnMapping("valid_from", "date"),
    MAARA=ColumnMapping("amount", "decimal"),
)
HEADER = ["NRO", "NIMI", "POSTINRO", "MAA", "ALKAEN", "MAARA", "MUUTETTU"]


def test_a_workbook_reads_like_the_same_delimited_file() -> None:
    sheet = workbook(
        HEADER,
        [
            20001,
            "Mäkelä",
            100.0,
            "FI",
            at(2026, 11, 2),
            120.5,
            at(2026, 11, 2, 9, 30),
        ],
        [20004.0, "Ö", "00100", None, "02.11.2026", "120,50", "02.11.2026 09:30"],
        [20007, "Å", 2100, "DK", dt.date(2026, 1, 2), 3, None],
        [None] * 7,
        [20010, 7, 31640.0, "", None, None, None],
    )
    delimited = (
        ";".join(HEADER)
        + "\n20001;Mäkelä;00100;FI;02.11.2026;120,5;02.11.2026 09:30"
        + "\n20004;Ö;00100;;02.11.2026;120,50;02.11.2026 09:30"
        + "\n20007;Å;2100;DK;02.01.2026;3;\n\n20010;7;31640;;;;\n"
    )

    assert read(sheet, EVERYTHING, XLSX) == read(delimited, EVERYTHING)
    assert list(read(sheet, EVERYTHING, XLSX).values["postal_code"]) == [
        "00100",
        "00100",
        "2100",
        "31640",
    ]


def test_a_sheet_row_with_more_cells_than_columns_is_refused_alone() -> None:
    table = read(workbook(["NRO", "NIMI"], [1, "a", CANARY], [2]), NAMES, XLSX)

    assert [(f.row, f.key, f.rule) for f in table.faults] == [(1, "1", "wrong_number_of_fields")]
    assert list(table.keys) == ["2"]


def test_an_empty_workbook_is_refused() -> None:
    with pytest.raises(Malformed, match="empty"):
        read(workbook(), NAMES, XLSX)


@pytest.mark.parametrize("payload", [b"PK\3\4", b"NRO;NIMI\n1;a\n", b"\xd0\xcf\x11\xe0old excel"])
def test_what_is_no_workbook_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed, match="not a workbook"):
        read(payload, NAMES, XLSX)


def packed(sheet: bytes, **more: bytes) -> bytes:
    """The workbook of two rows with its sheet (and other parts) exchanged."""
    parts = {"xl/worksheets/sheet1.xml": sheet, **more}
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(["NRO", "NIMI"], [1, "a"]))) as whole,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as changed,
    ):
        for entry in whole.namelist():
            changed.writestr(entry, parts.pop(entry, None) or whole.read(entry))
        for entry, content in parts.items():
            changed.writestr(entry, content)
    return stream.getvalue()


NAMESPACE = b'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'


def sheet_of(rows: bytes, before: bytes = b"") -> bytes:
    return (
        b'<?xml version="1.0"?>' + before + b"<worksheet " + NAMESPACE + b"><sheetData>" + rows
        + b"</sheetData></worksheet>"
    )  # fmt: skip


def test_what_a_sheet_says_of_its_own_size_is_not_believed() -> None:
    """Some programs write A1 for every sheet: taken at its word, the rest of it would vanish."""
    rows = b"".join(
        b'<row r="%d"><c r="A%d" t="inlineStr"><is><t>%s</t></is></c>'
        b'<c r="B%d" t="inlineStr"><is><t>%s</t></is></c></row>' % (n, n, key, n, name)
        for n, key, name in [(1, b"NRO", b"NIMI"), (2, b"1", b"a"), (3, b"2", b"b")]
    )
    lying = sheet_of(rows).replace(b"<sheetData>", b'<dimension ref="A1"/><sheetData>')

    assert names(read(packed(lying), NAMES, XLSX)) == ["a", "b"]


def test_a_zip_bomb_is_refused_by_its_directory_alone() -> None:
    bomb = packed(sheet_of(b" " * 30_000_000))

    tracemalloc.start()
    with pytest.raises(Malformed, match="unpacks to more"):
        read(bomb, NAMES, XLSX, limits=replace(LIMITS, unpacked=5_000_000, ratio=10**6))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 2_000_000


def test_a_small_bomb_is_refused_by_its_ratio() -> None:
    with pytest.raises(Malformed, match="unpacks to more"):
        read(packed(sheet_of(b" " * 3_000_000)), NAMES, XLSX)


def test_too_many_entries_are_refused() -> None:
    with pytest.raises(Malformed, match="unpacks to more"):
        read(packed(sheet_of(b""), **{f"x{n}": b"x" for n in range(300)}), NAMES, XLSX)


@pytest.mark.parametrize(
    "trap",
    [
        sheet_of(b'<row r="1"><c r="XFD1" t="inlineStr"><is><t>NRO</t></is></c></row>'),
        sheet_of(b'<row r="1"/><row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'),
        sheet_of(
            b'<row r="1"><c r="A1" t="inlineStr"><is><t>&c;</t></is></c></row>',
            b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>',
        ),
        sheet_of(
            b'<row r="1"><c r="A1" t="inlineStr"><is><t>&c;</t></is></c></row>',
            b'<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/passwd">]>',
        ),
        sheet_of(b'<row r="1"><c r="A1"><v>Kanarialintu-010180-999A</v></c></row>'),
        b"<not xml",
    ],
    ids=["wide", "far", "entities", "file", "number", "xml"],
)
def test_a_sheet_that_is_a_trap_is_refused_within_bounds(trap: bytes) -> None:
    payload = packed(trap)
    tracemalloc.start()
    with pytest.raises(Malformed) as refusal:
        read(payload, NAMES, XLSX, limits=replace(LIMITS, rows=50_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 30_000_000
    assert CANARY not in "".join(traceback.format_exception(refusal.value))


# ── whatever comes ──────────────────────────────────────────────────────────────────────────────


@given(st.binary(max_size=300), st.sampled_from([UTF8, CP1252, XLSX]))
def test_any_bytes_are_read_or_refused_in_our_own_words(payload: bytes, layout: Layout) -> None:
    try:
        read(payload, NAMES, layout)
    except ConnectorError as refusal:
        assert refusal.__cause__ is None
        assert not isinstance(refusal.__context__, ValueError)


@given(st.lists(st.text(max_size=20), max_size=8))
def test_any_rows_are_taken_or_refused_one_by_one(cells: list[str]) -> None:
    text = "NRO;NIMI\n" + "".join(f"{n};{cell}\n" for n, cell in enumerate(cells, start=1))
    table = read(text.encode("utf-8", "ignore"))

    assert len(table.keys) + len(table.faults) == table.count
    assert len(table.keys) == len(table.row_numbers) == len(table.times) == len(names(table))
    for name in names(table):
        assert name is None or (
            name == name.strip() != "" and name == unicodedata.normalize("NFC", name)
        )


@pytest.mark.parametrize(
    "payload",
    [
        f"NRO;NIMI\r\n1;{CANARY}ä\r\n".encode("windows-1252"),
        f"{CANARY};{CANARY}\r\n1;a\r\n".encode(),
        f'"{CANARY};NIMI\r\n1;a\r\n'.encode(),
        f"NRO\r{CANARY}".encode(),
    ],
)
def test_no_value_is_in_an_exception_or_anything_it_carries(payload: bytes) -> None:
    with pytest.raises(Malformed) as refusal:
        read(payload)

    error: BaseException | None = refusal.value
    told = ""
    while error is not None:
        told += str(error) + repr(error) + repr(vars(error)) + repr(getattr(error, "object", ""))
        error = error.__cause__ or error.__context__
    assert CANARY not in told


# ── the mapping ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"type": "date"}, "field: must be a word"),
        ({"field": "a", "typo": 1}, "typo: no such setting"),
        ({"field": "a", "type": "number"}, "type: must be one of"),
        ({"field": "a", "type": "code"}, "codes: "),
        ({"field": "a", "type": "date", "codes": {"x": "y"}}, "codes: "),
        # what YAML makes of {K: on, NO: NO, 0: person}
        ({"field": "a", "type": "code", "codes": {"K": True}}, "codes: quote them"),
        ({"field": "a", "type": "code", "codes": {False: "NO"}}, "codes: quote them"),
        ({"field": "a", "type": "code", "codes": {0: "person"}}, "codes: quote them"),
        (
            {"field": "a", "type": "code", "codes": {"K": "on"}, "otherwise": True},
            "otherwise: quote it",
        ),
        ("text", "must be a mapping"),
    ],
)
def test_a_mapping_that_is_wrong_says_where(entry: Any, complaint: str) -> None:
    config = {"kind": "party", "pattern": "a_{date}.csv", "key": "NRO", "columns": {"A": entry}}
    with pytest.raises(ValueError, match=rf"^columns\.A\.{complaint}"):
        FileMapping.from_mapping(config)


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"format": "xml"}, "format"),
        ({"encoding": "ebcdic"}, "encoding"),
        ({"delimiter": ";;"}, "delimiter"),
        ({"delimiter": '"'}, "delimiter"),
    ],
)
def test_a_layout_that_is_wrong_says_where(changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}: "):
        Layout.from_mapping(changed)
