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
    is_among,
    names_organisation,
    organisation_name,
    part,
    person_name,
)

ANY_TEXT = (
    st.text(max_size=60)
    | st.text("aäÄB -.,'/&()cokp*_\"‐", max_size=30)
    | st.lists(
        st.sampled_from(
            [
                "Aho",
                "AHO",
                "liisa",
                "o.s.",
                "O.S.",
                "f.",
                "född",
                "*",
                "Maija*",
                "_Eva_",
                ",",
                "kp",
                "- ",
                "von",
            ]
        ),
        max_size=7,
    ).map(" ".join)
)


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
        ("van der Berg Jan", "van der Berg", "Jan"),
        ("von und zu Essen Carl", "von und zu Essen", "Carl"),
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
        "Virtanen Matti jakamaton kuolinpesä",
        "Virtanen Matti, oskiftat dödsbo",
        "Virtanen Matti kuolinp.",
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
        ("toiminimi Malli", "Tmi Malli"),
        ("Asunto-osakeyhtiö Koivu", "Asunto Oy Koivu"),
        ("ASUNTO-OY KOIVU", "Asunto Oy Koivu"),
        ("Bostadsaktiebolaget Björk", "Bostads Ab Björk"),
        ("Kiinteistöosakeyhtiö Koivu", "Kiinteistö Oy Koivu"),
        ("MALLI OY AB", "Malli Oy Ab"),
        ("malli ab oy", "Malli Ab Oy"),
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


@pytest.mark.parametrize(
    "line",
    [
        "Virtanen Liisa o.s. Mäkinen",
        "Virtanen (o.s. Mäkinen) Liisa",
        "Virtanen o.s. Mäkinen, Liisa",
        "VIRTANEN LIISA O.S. MÄKINEN",
        "virtanen liisa os. mäkinen",
        "Virtanen Liisa, omaa sukua Mäkinen",
        "Virtanen Liisa f. Mäkinen",
        "Virtanen Liisa född Mäkinen",
        "Virtanen, Liisa (ent. Mäkinen)",
        "Virtanen Liisa e. Mäkinen",
    ],
)
def test_a_former_family_name_leaves_the_name(line):
    name = person_name(line)
    assert (name.family_name, name.given_names, name.former_name) == (
        "Virtanen",
        "Liisa",
        "Mäkinen",
    )


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("Virtanen O.S.", "O.S."),
        ("VIRTANEN O.S. MATTI", "O.S. Matti"),
        ("Virtanen F. Matti", "F. Matti"),
        ("virtanen e. matti", "E. Matti"),
        ("VIRTANEN E. MATTI", "E. Matti"),
        ("Entinen Matti", "Matti"),
    ],
)
def test_initials_and_names_are_no_marks_of_a_former_one(line, given):
    name = person_name(line)
    assert (name.given_names, name.former_name) == (given, None)


def test_a_former_name_keeps_its_particle_and_its_hyphen():
    assert person_name("Virtanen Eva f. von Essen").former_name == "von Essen"
    assert person_name("Virtanen Eva o.s. Mäki-Petäjä kp")[2::3] == ("death_estate", "Mäki-Petäjä")


@pytest.mark.parametrize(
    "line",
    [
        "Virtanen Matti *Juhani",
        "Virtanen Matti Juhani*",
        "Virtanen, Matti *Juhani*",
        "Virtanen Matti _Juhani_",
        "VIRTANEN MATTI *JUHANI",
    ],
)
def test_the_mark_of_the_called_name_leaves_the_given_names(line):
    name = person_name(line)
    assert (name.given_names, name.called_name) == ("Matti Juhani", "Juhani")


def test_a_name_in_quotes_is_what_one_is_called_and_stays_as_it_was_written():
    for line in ('Virtanen "Ville" Matti', "Virtanen ”Ville” Matti"):
        name = person_name(line)
        assert (name.given_names, name.called_name) == (line.partition(" ")[2], "Ville")


def test_a_mark_on_another_name_or_on_several_says_nothing_of_what_one_is_called():
    assert person_name("*Virtanen Matti").called_name is None
    assert person_name("Virtanen *Matti *Juhani").called_name is None


def test_a_called_name_is_a_given_name_or_a_part_of_one():
    assert is_among("Liisa", "Anna-Liisa Maria")
    assert is_among("ANNA-LIISA", "Anna-Liisa Maria")
    assert not is_among("Maija", "Anna-Liisa Maria")


def test_a_hyphen_is_one_hyphen_and_loses_the_space_on_its_one_side():
    lines = [
        "Mäki- Petäjä Anna",
        "Mäki -Petäjä Anna",
        "Mäki\u2011Petäjä Anna",
        "Mäki\u2010 Petäjä, Anna",
    ]
    assert {person_name(line)[:2] for line in lines} == {("Mäki-Petäjä", "Anna")}
    assert person_name("Mäki Petäjä, Anna").family_name == "Mäki Petäjä"


def test_an_auxiliary_name_is_no_part_of_a_firms_name():
    for line in ("Malli Oy, aputoiminimi Kahvila Pulla", "MALLI OY (bifirma: Kahvila Pulla)"):
        name = organisation_name(line)
        assert name.organisation_name == "Malli Oy"
        assert fold(name.auxiliary_name) == "kahvila pulla"
    assert organisation_name("aputoiminimi Malli").auxiliary_name is None


NAMES = st.sampled_from(
    ["Virtanen", "Mäki-Petäjä", "von Essen", "Åström", "O'Brien", "de la Chapelle"]
)
GIVEN = st.sampled_from(["Matti", "Anna-Liisa", "Örjan", "Eeva Maria"])


@given(NAMES, GIVEN, NAMES, st.sampled_from(["o.s.", "os.", "född", "ent.", "f."]))
def test_a_name_with_a_former_one_is_the_name_without_it(family, given_names, former, mark):
    whole = person_name(f"{family}, {given_names} {mark} {former}")
    assert whole[:2] == person_name(f"{family}, {given_names}")[:2]
    assert whole.former_name is not None


@given(NAMES, GIVEN)
def test_a_name_in_capitals_is_the_name(family, given_names):
    line = f"{family}, {given_names}"
    assert person_name(line.upper())[:2] == person_name(line)[:2]


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
