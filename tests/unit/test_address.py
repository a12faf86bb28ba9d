"""Street lines as people and registers write them (FORMATS §6)."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.address import (
    AMBIGUITIES,
    Stated,
    StreetLine,
    address_key,
    country,
    postal_code,
    read_address,
    read_line,
    read_parts,
)
from pipelines.domain.schemas import ADDRESSES

WORDS = st.sampled_from(
    [
        "Kotikatu",
        "RANTATIE",
        "ison mäen tie",
        "2.",
        "linja",
        "PL",
        "c/o",
        "Malli",
        "as.",
        "bst",
        "A",
        "b",
    ]
    + [
        "12",
        "2a",
        "12B",
        "3-5",
        "6a-6b",
        "10h5",
        "003",
        ",",
        "-",
        "porras",
        "31640",
        "FORSSA",
        "/",
        "poste restante",
    ]
)
LINES = st.text(max_size=40) | st.lists(WORDS, max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("Teikäläistentie 2a B 12 b", ("Teikäläistentie", "2a", "B", "12", "b")),
        ("TEIKÄLÄISTENTIE 2A B 12", ("Teikäläistentie", "2a", "B", "12", None)),
        ("Kotikatu 12", ("Kotikatu", "12", None, None, None)),
        ("Kotikatu 12 a", ("Kotikatu", "12", "A", None, None)),
        ("Kotikatu 12a", ("Kotikatu", "12a", None, None, None)),
        ("Kotikatu 12 A 003", ("Kotikatu", "12", "A", "3", None)),
        ("Kotikatu 12A3", ("Kotikatu", "12", "A", "3", None)),
        ("Kotikatu 12 A3b", ("Kotikatu", "12", "A", "3", "b")),
        ("Kotikatu 12 A-3", ("Kotikatu", "12", "A", "3", None)),
        ("Kotikatu 12, as. 3", ("Kotikatu", "12", None, "3", None)),
        ("Hemgatan 12 bst 3", ("Hemgatan", "12", None, "3", None)),
        ("Hemgatan 12 lgh 3", ("Hemgatan", "12", None, "3", None)),
        ("Kotikatu 12 rappu B as 7", ("Kotikatu", "12", "B", "7", None)),
        ("Kotikatu 3–5 B 12", ("Kotikatu", "3-5", "B", "12", None)),
        ("Kotikatu 3 - 5", ("Kotikatu", "3-5", None, None, None)),
        ("Kotikatu 6a-6b", ("Kotikatu", "6a-6b", None, None, None)),
        ("Kotikatu 10h5", ("Kotikatu", "10h5", None, None, None)),
        ("Kotikatu 3/5", ("Kotikatu", "3/5", None, None, None)),
        ("2. linja 5 A 3", ("2. linja", "5", "A", "3", None)),
        ("E. Esplanadi 5", ("E. Esplanadi", "5", None, None, None)),
        ("Säyneensalo 112", ("Säyneensalo", "112", None, None, None)),
        ("Ylä-Mäkelä", ("Ylä-Mäkelä", None, None, None, None)),
    ],
)
def test_a_street_line_is_read_by_the_grammar(line, parts):
    read = read_line(line)
    assert read[1:6] == parts
    assert read.street_line == " ".join(p for p in parts if p)


def test_a_glued_capital_is_the_stair_unless_a_stair_follows():
    assert read_line("Kotikatu 12B")[2:4] == ("12", "B")
    assert read_line("Kotikatu 12B C 4")[2:4] == ("12b", "C")
    assert read_line("Kotikatu 12B 4")[2:5] == ("12", "B", "4")


@pytest.mark.parametrize("line", ["PL 5", "pl5", "P.L. 005", "PB 5", "Box 5", "postilokero 5"])
def test_a_post_box_has_one_spelling_and_no_street(line):
    assert read_line(line) == StreetLine("PL 5")


def test_poste_restante_is_kept_as_such():
    assert read_line("POSTE  RESTANTE") == StreetLine("Poste restante")


@pytest.mark.parametrize(
    "line",
    [
        "c/o Malli Maija, Kotikatu 1 A 2",
        "c/o Malli Maija Kotikatu 1 A 2",
        "Kotikatu 1 A 2 c/o Malli Maija",
        "Kotikatu 1 A 2, C/O: Malli Maija",
        "℅ Malli Maija, Kotikatu 1 A 2",
    ],
)
def test_an_addressee_in_the_line_moves_out(line):
    assert read_line(line)[::6] == ("Kotikatu 1 A 2", "Malli Maija")


@pytest.mark.parametrize(
    "line", ["Kotikatu 1 A 2 ovikoodi 1234", "Kotikatu 123456", "1234", "#5 (a)"]
)
def test_a_line_outside_the_grammar_is_kept_whole(line):
    assert read_line(line) == StreetLine(line)


@pytest.mark.parametrize(
    "stated",
    [
        ("Teikäläistentie", "2a", "B", "012", "b"),
        ("TEIKÄLÄISTENTIE", "2a", "b", "12", "B"),
        ("Teikäläistentie 2a B 12 b", None, None, None, None),
    ],
)
def test_parts_of_the_population_register_give_the_same_canonical_line(stated):
    assert read_parts(*stated) == read_line("Teikäläistentie 2a B 12 b")


def test_parts_are_kept_where_their_line_would_be_ambiguous():
    assert read_parts("Linja 3", "4", "A", "005", None)[:5] == (
        "Linja 3 4 A 5",
        "Linja 3",
        "4",
        "A",
        "5",
    )


def test_a_whole_address_in_the_line_is_taken_apart_when_nothing_contradicts_it():
    whole = "Kotikatu 1 A 2, 31640 Humppila"
    assert read_address(Stated(line=whole))[7:10] == ("31640", "HUMPPILA", "FI")
    assert read_address(Stated(line=whole)).street_line == "Kotikatu 1 A 2"
    other = read_address(Stated(line=whole, postal_code="30100", post_office="Forssa"))
    assert (other.street_line, other.postal_code) == (whole, "30100")


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (" 31640 ", "31640"), ("31 640", "31640"), ("FI-31640", "31640"), ("00011", "00011"),
        ("1234567890123", "1234567890123"), ("3164O", "3164O"),
    ],
)  # fmt: skip
def test_a_finnish_postal_code_is_five_digits_or_left_for_the_rule_book(written, stored):
    assert postal_code(written) == stored


def test_no_country_is_finland_and_a_foreign_address_is_kept_as_written():
    assert [country(c) for c in (None, "", "fi", "Suomi", "se")] == ["FI", "FI", "FI", "FI", "SE"]
    abroad = read_address(
        Stated(
            line="STORGATAN 5 lgh 1102", postal_code="111 22", post_office="Stockholm", country="SE"
        )
    )
    assert abroad.street_line == "STORGATAN 5 lgh 1102"
    assert (abroad.house, abroad.postal_code, abroad.post_office) == (None, "111 22", "STOCKHOLM")


def _keys(*lines):
    rows = [
        {"source": "s", "source_key": str(i), "address_no": 1, **read_address(Stated(line=line, postal_code=code))._asdict()}
        for i, (line, code) in enumerate(lines)
    ]  # fmt: skip
    return list(address_key(ADDRESSES.conform(pd.DataFrame(rows))))


def test_spellings_of_one_address_have_one_key():
    lines = [
        "Mäkitie 12B 3",
        "Mäkitie 012 B 3",
        "MÄKITIE 12 b 003",
        "Makitie 12 B as. 3",
        "Mäkitie 12b 3",
    ]
    assert len(set(_keys(*((line, "31640") for line in lines)))) == 1
    assert _keys(("PB 5", "31641")) == _keys(("PL 005", "31641"))


def test_different_addresses_have_different_keys():
    lines = ["Mäkitie 3-5", "Mäkitie 3 as 5", "Mäkitie 35", "Mäkitie 3 A 5", "Mäkitie", "PL 3"]
    keys = _keys(*((line, "31640") for line in lines), ("Mäkitie 35", "31650"))
    assert len(set(keys)) == len(keys)


def test_an_address_without_a_line_has_no_key():
    frame = ADDRESSES.frame([{"source": "s", "source_key": "1", "postal_code": "31640"}])
    assert address_key(frame).isna().all()
    assert address_key(ADDRESSES.empty()).empty


@pytest.mark.parametrize(
    ("line", "ambiguity"),
    [
        ("Kotikatu 12B", "letter_of_house_or_stair"),
        ("Kotikatu 12B 3", "letter_of_house_or_stair"),
        ("Kotikatu 12 b", "letter_of_house_or_stair"),
        ("Kotikatu 12 B", None),
        ("Kotikatu 12b", None),
        ("Kotikatu 12B C 4", None),
        ("Kotitie 5 3", "apartment_without_marker"),
        ("Kotitie 5 as. 3", None),
        ("Kotitie 5 A 3", None),
        ("Kotitie 3-5", None),
        ("Kotitie 12-3", "range_or_apartment"),
        ("Kotitie 4-7", "range_or_apartment"),
        ("Kotitie 12A-3", "range_or_apartment"),
        ("Kotitie 6a-6b", None),
        ("Kotitie 5, PL 3", "street_and_box"),
        ("PL 3", None),
        ("Kotitie 5 ovikoodi 1234", None),
    ],
)
def test_a_line_that_could_be_read_otherwise_says_so(line, ambiguity):
    assert read_line(line).ambiguity == ambiguity
    assert read_address(Stated(line=line)).ambiguity == ambiguity


def test_parts_that_are_stated_apart_are_never_ambiguous():
    assert read_parts("Kotitie", "5", None, "3", None).ambiguity is None
    assert read_parts("Kotitie", "12", "b", None, None).ambiguity is None
    assert read_parts("Kotitie 12B", None, None, None, None).ambiguity == "letter_of_house_or_stair"


@pytest.mark.parametrize(
    "line",
    [
        "Kauppakatu 5 / Köpmansgatan 5",
        "Kauppakatu 5/Köpmansgatan 5",
        "Kauppakatu / Köpmansgatan 5",
        "Kauppakatu 5 / Köpmansgatan",
        "KAUPPAKATU 5 / KÖPMANSGATAN 5",
    ],
)
def test_of_a_street_by_two_names_the_first_is_kept(line):
    read = read_line(line)
    assert (read.street_line, read.ambiguity) == ("Kauppakatu 5", "two_names")


@pytest.mark.parametrize(
    "line",
    [
        "Malli Oy / Kotikatu 5",
        "Kotikatu 5 A / Hemgatan 5 B",
        "Kotikatu / Mallitie 5",
        "Kotikatu 3/5",
    ],
)
def test_a_slash_alone_makes_no_two_names(line):
    assert read_line(line).ambiguity != "two_names"


def test_letters_of_one_house_may_be_a_range():
    assert read_line("Kotikatu 12A-C 3")[:5] == ("Kotikatu 12a-c 3", "Kotikatu", "12a-c", None, "3")
    assert read_line("Kotikatu 12a–c")[2] == "12a-c"


def test_post_that_is_picked_up_has_no_street():
    assert read_line("NOUDETAAN") == StreetLine("Noudetaan")


def test_stairs_and_flats_go_by_their_words_in_both_languages():
    assert read_line("Hemgatan 2 trappuppgång B lägenhet 4")[2:5] == ("2", "B", "4")
    assert read_line("Kotikatu 2 portaikko B hsto 4")[2:5] == ("2", "B", "4")


LETTERS = st.sampled_from("abcåäö")
HOUSES = st.integers(1, 9999).map(str) | st.builds("{}{}".format, st.integers(1, 999), LETTERS)
WHOLE = st.tuples(
    st.sampled_from(
        ["Kotikatu", "Ylä-Mäkelän tie", "2. linja", "von Döbelns väg", "Åvägen", "E. Esplanadi"]
    ),
    HOUSES | st.builds("{}-{}".format, HOUSES, HOUSES),
    st.none() | LETTERS.map(str.upper),
    st.none() | st.integers(1, 999).map(str),
    st.none() | LETTERS,
)


@given(WHOLE)
def test_what_is_rendered_is_read_back_part_by_part(parts):
    street, house, stair, apartment, split = parts
    split = split if apartment else None
    if house[-1].isalpha() and apartment is None and stair is None:
        assert read_line(f"{street} {house}")[1:4] == (street, house, None)
    rendered = " ".join(p for p in (street, house, stair, apartment, split) if p)
    assert read_line(rendered)[:6] == (rendered, street, house, stair, apartment, split)
    assert read_parts(street, house, stair, apartment, split)[:6] == read_line(rendered)[:6]


@given(WHOLE, WHOLE)
def test_two_streets_are_one_only_where_their_numbers_are(one, other):
    lines = [" ".join(p for p in (w[0], w[1], w[2]) if p) for w in (one, other)]
    read = read_line(" / ".join(lines))
    numbers = [read_line(line)[2:6] for line in lines]
    assert (read.ambiguity == "two_names") == (numbers[0] == numbers[1])


@given(LINES)
def test_an_ambiguity_is_one_of_those_that_are_explained(text):
    assert read_line(text).ambiguity in {None, *AMBIGUITIES}


@given(LINES)
def test_a_canonical_line_reads_back_as_itself(text):
    once = read_line(text)
    assert read_line(once.street_line or "")[:6] == once[:6]


@given(st.tuples(*[st.none() | st.text(max_size=8) | WORDS] * 5))
def test_parts_never_raise_and_their_line_reads_back_as_itself(parts):
    line = read_parts(*parts).street_line
    assert read_line(line or "").street_line == line
