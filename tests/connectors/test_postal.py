"""Posti's fixed-width files: every column where FORMATS §3 puts it, and what can't be believed is refused."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Ask, Malformed, Unavailable
from connectors.sources.postal import PostalFiles, PostalOptions

SAMPLES = Path(os.environ.get("HUB_TEST_POSTI_SAMPLES") or "not given")


def placed(width: int, *parts: tuple[int, str]) -> str:
    """A record with each text at its first column (from 1), as the format's table numbers them."""
    line = [" "] * width
    for start, text in parts:
        line[start - 1 : start - 1 + len(text)] = text
    return "".join(line)


def code(
    number: str = "31640", name: str = "HUMPPILA", kind: str = "1", day: str = "20261102"
) -> str:
    return placed(220, (1, "PONOT"), (6, day), (14, number), (19, name), (49, name), (111, kind))


def street(
    name: str = "Koivutie", swedish: str = "", side: str = "1", low: str = "    1", high: str = "   35",
    second: str = "", day: str = "20261031", number: str = "31640",
) -> str:  # fmt: skip
    return placed(
        256, (1, "KATUN"), (6, day), (14, number), (19, "HUMPPILA"), (103, name), (133, swedish),
        (187, side), (188, low), (201, high), (207, "-" if second else " "), (208, second), (214, "103"),
    )  # fmt: skip


def written(folder: Path, name: str, *lines: str, ending: str = "\n") -> None:
    (folder / name).write_bytes("".join(line + ending for line in lines).encode("iso-8859-1"))


def ask(cursor: Any = None, *, reread: bool = False, day: str = "2026-11-02") -> Ask:
    return Ask(cursor, frozenset(), day, lambda *_: pytest.fail("nobody is asked about"), reread)


def source(folder: Path) -> PostalFiles:
    return PostalFiles(PostalOptions.from_mapping({"folder": {"path": str(folder)}}))


def rows(folder: Path, table: str) -> list[tuple[Any, ...]]:
    files = {file.table: file for file in source(folder).fetch(ask()).files}
    return list(zip(*files[table].columns.values(), strict=True))


def test_a_postal_code_is_read_with_its_names_and_its_type(tmp_path: Path) -> None:
    written(
        tmp_path, "PCF_20261102.dat", code(), code("31650", "VENÄJÄNKANGAS"), code("00011", "", "3")
    )
    assert rows(tmp_path, "postal_code") == [
        ("31640", "HUMPPILA", "HUMPPILA", "1"),
        ("31650", "VENÄJÄNKANGAS", "VENÄJÄNKANGAS", "1"),
        ("00011", None, None, "3"),
    ]


def test_a_street_is_read_with_its_side_and_its_numbers(tmp_path: Path) -> None:
    written(
        tmp_path, "BAF_20261031.dat", street(), street("Kauppakatu", "Köpmansgatan", "2", "2    ", "40   "),
        street("Syvämäki", side=" ", low="", high=""), street(high="    3", second="    7"),
    )  # fmt: skip
    assert rows(tmp_path, "postal_street") == [
        ("31640", "Koivutie", None, "odd", 1, 35),
        ("31640", "Kauppakatu", "Köpmansgatan", "even", 2, 40),
        ("31640", "Syvämäki", None, None, None, None),
        ("31640", "Koivutie", None, "odd", 1, 7),
    ]


def test_lines_may_end_as_windows_ends_them_and_the_last_one_not_at_all(tmp_path: Path) -> None:
    written(tmp_path, "PCF_20261102.dat", code(), ending="\r\n")
    assert len(rows(tmp_path, "postal_code")) == 1
    (tmp_path / "PCF_20261102.dat").write_bytes(f"{code()}\n{code('31641')}".encode())
    assert len(rows(tmp_path, "postal_code")) == 2


def test_bytes_after_the_known_columns_are_no_fault(tmp_path: Path) -> None:
    written(tmp_path, "PCF_20261102.dat", code() + "   new")
    assert len(rows(tmp_path, "postal_code")) == 1


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (street()[:180], "too_short"),
        (street(day="20261024"), "run_date"),
        ("XX" + street()[2:], "record_id"),
        (street(number="3164O"), "postal_code"),
        (street(side="3"), "side"),
        (street(low="   1x"), "number"),
        (street(name=""), "no_street"),
        (street(name="Koivu\x01tie"), "control_character"),
    ],
)
def test_a_line_that_cannot_be_read_is_left_out_and_counted(
    tmp_path: Path, line: str, reason: str
) -> None:
    written(tmp_path, "BAF_20261031.dat", *[street()] * 3, line, street("Kuusitie"))
    (file,) = source(tmp_path).fetch(ask()).files
    assert dict(file.faults) == {reason: 1}
    assert (file.lines, len(file.columns["postal_code"])) == (5, 4)


def test_a_file_with_too_many_such_lines_is_refused_whole(tmp_path: Path) -> None:
    written(tmp_path, "BAF_20261031.dat", *[street()] * 150, street()[:100], street()[:100])
    with pytest.raises(Malformed, match=r"2 of 152 lines can't be read \(too_short 2\)"):
        source(tmp_path).fetch(ask())


def test_a_file_that_ends_inside_a_line_is_refused(tmp_path: Path) -> None:
    (tmp_path / "BAF_20261031.dat").write_bytes(f"{street()}\n{street()[:250]}".encode())
    with pytest.raises(Malformed, match="ends inside a line, after 1 whole"):
        source(tmp_path).fetch(ask())
    (tmp_path / "BAF_20261031.dat").write_bytes(b"")
    with pytest.raises(Malformed, match="ends inside a line, after 0 whole"):
        source(tmp_path).fetch(ask())


def test_utf_8_is_refused_where_latin_1_is_agreed(tmp_path: Path) -> None:
    (tmp_path / "PCF_20261102.dat").write_bytes((code(name="VENÄJÄNKANGAS") + "\n").encode())
    with pytest.raises(Malformed, match="UTF-8"):
        source(tmp_path).fetch(ask())


def test_only_what_is_newer_is_read_again(tmp_path: Path) -> None:
    written(tmp_path, "PCF_20261031.dat", code(day="20261031"))
    written(tmp_path, "BAF_20261031.dat", street())
    first = source(tmp_path).fetch(ask())
    assert [f.name for f in first.files] == ["BAF_20261031.dat", "PCF_20261031.dat"]
    assert source(tmp_path).fetch(ask(first.cursor)).files == ()
    assert len(source(tmp_path).fetch(ask(first.cursor, reread=True)).files) == 2
    written(tmp_path, "PCF_20261102.dat", code())
    second = source(tmp_path).fetch(ask(first.cursor))
    assert [f.day for f in second.files] == ["2026-11-02"]
    assert second.cursor["BAF"] == first.cursor["BAF"]


def test_a_file_that_was_put_right_under_its_name_is_read_again(tmp_path: Path) -> None:
    written(tmp_path, "BAF_20261031.dat", street())
    first = source(tmp_path).fetch(ask())
    written(tmp_path, "BAF_20261031.dat", street(), street("Kuusitie"))
    assert source(tmp_path).fetch(ask(first.cursor)).files[0].lines == 2


def test_files_that_are_gone_or_older_leave_what_is_held(tmp_path: Path) -> None:
    written(tmp_path, "PCF_20261102.dat", code())
    held = source(tmp_path).fetch(ask()).cursor
    (tmp_path / "PCF_20261102.dat").unlink()
    assert source(tmp_path).fetch(ask(held)) == type(source(tmp_path).fetch(ask(held)))((), held)
    written(tmp_path, "PCF_20261031.dat", code(day="20261031"))
    assert source(tmp_path).fetch(ask(held, reread=True)).files == ()


def test_where_there_never_was_a_file_the_source_is_down(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("PCF_20261102.dat")
    with pytest.raises(Unavailable, match="neither PCF_yyyymmdd.dat nor BAF"):
        source(tmp_path).fetch(ask())


@pytest.mark.parametrize("name", ["PCF_20261104.dat", "PCF_20269999.dat"])
def test_a_date_ahead_is_refused_so_that_no_later_file_looks_old(tmp_path: Path, name: str) -> None:
    written(tmp_path, name, code(day=name[4:12]))
    with pytest.raises(Malformed, match="dated ahead of 2026-11-02"):
        source(tmp_path).fetch(ask())


def test_an_unknown_setting_is_named() -> None:
    with pytest.raises(ValueError, match="url"):
        PostalOptions.from_mapping({"url": "x"})


@given(st.lists(st.text(st.characters(codec="iso-8859-1"), max_size=300), max_size=4))
def test_no_file_is_so_odd_that_it_ends_in_anything_but_a_clear_word(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    written(folder, "BAF_20261031.dat", street(), *lines)
    try:
        (file,) = source(folder).fetch(ask()).files
    except Malformed as refused:
        assert "BAF_20261031.dat" in str(refused)
    else:
        assert len(file.columns["postal_code"]) + sum(file.faults.values()) == file.lines


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the collected samples are not here")
def test_the_collected_samples_are_read_without_a_fault(tmp_path: Path) -> None:
    for found in SAMPLES.glob("*.dat"):
        lines = found.read_bytes()
        day = re.match(rb"(?:PONOT|KATUN)(\d{8})", lines)
        assert day is not None
        kind = "PCF" if lines.startswith(b"PONOT") else "BAF"
        (tmp_path / f"{kind}_{day[1].decode()}.dat").write_bytes(lines)
    files = source(tmp_path).fetch(ask(day="2026-12-01")).files
    assert {f.table: (f.lines, dict(f.faults)) for f in files} == {
        "postal_code": (78, {}),
        "postal_street": (3, {}),
    }
