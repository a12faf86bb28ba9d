"""The town's post drops files of Posti's widths, which know most streets and not all."""

from datetime import date

from connectors.sandbox import names
from connectors.sandbox.postal import Post
from connectors.sandbox.town import Town


def test_records_have_the_widths_of_the_format_and_the_date_of_their_file() -> None:
    files = Post().export("20261102", [])
    assert list(files) == ["PCF_20261102.dat", "BAF_20261031.dat"]
    for (name, payload), width in zip(files.items(), (220, 256), strict=True):
        lines = payload.decode("iso-8859-1").splitlines()
        assert {len(line) for line in lines} == {width}
        assert {line[5:13] for line in lines} == {name[4:12]}
    assert date(2026, 10, 31).weekday() == 5


def test_most_streets_are_known_with_both_sides_some_without_numbers_and_some_not_at_all() -> None:
    lines = Post().export("20261102", [])["BAF_20261031.dat"].decode("iso-8859-1").splitlines()
    sides: dict[str, str] = {}
    for line in lines:
        sides[line[102:132].strip()] = sides.get(line[102:132].strip(), "") + line[186]
    known = [sides.get(street) for street in names.STREETS]
    assert known.count("12") > known.count(" ") > known.count(None) > 0
    assert {line[132:162].strip() for line in lines} >= {sv for _, sv in names.BILINGUAL_STREETS}


def test_streets_stay_those_of_the_last_saturday_and_codes_are_of_the_day(town: Town) -> None:
    town.advance(5, quiet=True)
    there = {p.name for p in (town.directory / "postal" / "vienti").iterdir()}
    assert there == {f"PCF_202611{d:02}.dat" for d in range(2, 8)} | {
        "BAF_20261031.dat", "BAF_20261107.dat",
    }  # fmt: skip


def test_a_spoiled_file_stands_there_until_it_is_put_right(town: Town) -> None:
    file = town.directory / "postal" / "vienti" / "BAF_20261031.dat"
    good = file.read_bytes()
    town.fault("postal", "truncated")
    assert good.startswith(file.read_bytes()) and not file.read_bytes().endswith(b"\n")
    town.fault("postal", "truncated", times=0)
    assert file.read_bytes() == good
    town.fault("postal", "wrong_encoding")
    assert file.read_bytes().decode("utf-8").encode("iso-8859-1") == good
    town.clear_faults()
    town.fault("postal", "missing")
    town.advance()
    assert not (file.parent / "PCF_20261103.dat").exists()
