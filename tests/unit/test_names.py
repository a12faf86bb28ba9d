"""What a clerk types into the name field, and what the register makes of it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.names import (
    cased,
    clean,
    fold,
    has_control_characters,
    names_organisation,
    organisation_name,
    part,
    person_name,
)

ANY_TEXT = st.text(max_size=60) | st.text("aäÄB -.,'/&()cokp", max_size=30)


@pytest.mark.parametrize(
    ("line", "family", "given"),
    [
        ("Virtanen Matti Juhani", "Virtanen", "Matti Juhani"),
        ("Virtanen, Matti", "Virtanen", "Matti"),
        ("Virtanen Mäki, Liisa", "Virtanen Mäki", "Liisa"),
        ("VIRTANEN MATTI", "Virtanen", "Matti"),
        ("virtanen matti", "Virtanen", "Matti"),
        ("VIRTANEN Matti", "Virtanen", "Matti"),
        ("  Virtanen \t Matti ", "Virtanen", "Matti"),
        ("MÄKI-PETÄJÄ ANNA-LIISA", "Mäki-Petäjä", "Anna-Liisa"),
        ("VON ESSEN CARL", "von Essen", "Carl"),
        ("de la Chapelle Anna", "de la Chapelle", "Anna"),
        ("AF HEURLIN EVA", "af Heurlin", "Eva"),
        ("Nguyen Van Anh", "Nguyen", "Van Anh"),
        ("Du Wei", "Du", "Wei"),
        ("VIRTANEN M.J.", "Virtanen", "M.J."),
        ("O'BRIEN PAT", "O'Brien", "Pat"),
        ("MacDonald Ian", "MacDonald", "Ian"),
        ("VIRTANEN MATTI JA LIISA", "Virtanen", "Matti ja Liisa"),
        ("Virtanen", "Virtanen", None),
        ("", None, None),
    ],
)
def test_a_clerks_line_is_read_family_name_first(line, family, given):
    name = person_name(line)
    assert (name.family_name, name.given_names) == (family, given)
    assert name.name_role is None


@pytest.mark.parametrize(
    "line",
    [
        "Virtanen Matti kuolinpesä",
        "VIRTANEN MATTI KUOLINPESÄ",
        "Virtanen Matti, kuolinpesä",
        "Virtanen Matti kp.",
        "KP Virtanen Matti",
        "Virtanen Matti (kp)",
        "Virtanen Matti/kp",
        "Virtanen Matti dödsbo",
        "Virtanen Matti dbo",
        "Virtanen Matti perikunta",
        "Virtanen Matti kuolinpesän osakkaat",
        "Matti Virtasen kuolinpesä",
    ],
)
def test_an_estates_marker_becomes_the_role_and_leaves_the_name(line):
    name = person_name(line)
    assert (name.family_name, name.given_names, name.name_role) == (
        "Virtanen",
        "Matti",
        "death_estate",
    )


def test_letters_inside_a_name_are_no_estate_marker():
    assert person_name("Kpakpo Dboya").name_role is None
    assert person_name("Virtanen K.P.").given_names == "K.P."


def test_care_of_inside_a_name_moves_out():
    name = person_name("Virtanen Matti kp c/o Malli Liisa")
    assert (name.given_names, name.care_of) == ("Matti", "Malli Liisa")
    assert organisation_name("Koivun tiekunta C/O Malli Oy").care_of == "Malli Oy"


@pytest.mark.parametrize(
    ("line", "stored"),
    [
        ("Humppilan Sähkö OY", "Humppilan Sähkö Oy"),
        ("HUMPPILAN SÄHKÖ OY", "Humppilan Sähkö Oy"),
        ("humppilan sähkö oy", "Humppilan Sähkö Oy"),
        ("oy malli ab", "Oy Malli Ab"),
        ("Malli o.y.", "Malli Oy"),
        ("as.oy koivu", "As Oy Koivu"),
        ("AS. OY KOIVU", "As Oy Koivu"),
        ("asunto oy Koivu", "Asunto Oy Koivu"),
        ("Kylän vesi r.y.", "Kylän vesi ry"),
        ("Byns vatten RF", "Byns vatten rf"),
        ("t:mi Malli", "Tmi Malli"),
        ("LVI-RINNE KY", "LVI-Rinne Ky"),
        ("KONE oyj", "KONE Oyj"),
    ],
)
def test_a_legal_form_is_spelt_one_way_and_stays(line, stored):
    assert organisation_name(line).organisation_name == stored


def test_an_organisation_is_known_by_its_words_and_a_person_is_not_mistaken_for_one():
    lines = ["Malli Oy", "As Oy Koivu", "Mallilan kunta", "Rajan tiekunta", "Malli ry", "Tmi M"]
    assert all(names_organisation(line) for line in lines)
    assert not any(
        names_organisation(line) for line in ["Kuntanen Matti", "Oyala Liisa", "Ryhänen"]
    )


def test_stored_names_keep_their_letters_and_only_the_fold_drops_them():
    assert person_name("Mäki Åke").family_name == "Mäki"
    assert fold("Mäki-Petäjä") == fold("MAKI  PETAJA") == "maki petaja"
    assert fold("Żółć Ørsted Straße") == "zolc orsted strasse"


def test_decomposed_letters_are_stored_composed():
    decomposed = unicodedata.normalize("NFD", "Hämäläinen Åke")
    assert person_name(decomposed).family_name == "Hämäläinen"


def test_invisible_characters_are_no_part_of_a_name():
    assert clean("Vir\u00adta\u200bnen\ufeff") == "Virtanen"


@pytest.mark.parametrize("text", ["a\x00", "\x1b[31m", "caf\x85", "\ud800"])
def test_control_characters_are_noticed(text):
    assert has_control_characters(text)


def test_white_space_of_a_cell_is_no_control_character():
    assert not has_control_characters("Virtanen\tMatti\r\n")
    assert not has_control_characters("😀 Matti “x” \u00a0")


@given(ANY_TEXT)
def test_reading_a_persons_name_twice_is_reading_it_once(line):
    once = person_name(line)
    twice = person_name(once.line)
    assert (twice.family_name, twice.given_names) == (once.family_name, once.given_names)


@given(ANY_TEXT | st.builds("{} {}".format, ANY_TEXT, st.sampled_from(["oy", "A.S. OY", "r.y."])))
def test_reading_an_organisations_name_twice_is_reading_it_once(line):
    once = organisation_name(line).organisation_name
    assert organisation_name(once or "").organisation_name == once


@given(ANY_TEXT)
def test_folding_and_casing_and_cleaning_are_fixed_points(text):
    assert fold(fold(text)) == fold(text)
    assert cased(cased(text)) == cased(text)
    assert clean(clean(text)) == clean(text)
    assert part(part(text) or "") == part(text)
