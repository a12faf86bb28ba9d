"""Telephone numbers, e-mail and web addresses as people type them."""

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.contact import email, phone, www


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("040 0000 000", "+358400000000"),
        ("+358 40 0000000", "+358400000000"),
        ("00358400000000", "+358400000000"),
        ("(03) 437-7000", "+35834377000"),
        ("+358 (0)40 0000000", "+358400000000"),
        ("koti 03 4377000", "+35834377000"),
        ("xxx / 0400000000", "+358400000000"),
        ("0400000000, 0500000000", "+358400000000"),
        ("+46 8 123 456 78", "+46812345678"),
    ],
)
def test_a_number_is_stored_as_e164_and_the_first_valid_one_counts(written, stored):
    assert phone(written) == stored


@pytest.mark.parametrize("written", ["", "ei ole", "123", "0600", "+", "😀", "0" * 60])
def test_what_is_no_number_is_none(written):
    assert phone(written) is None


@given(st.from_regex(r"(\+358|00358|0)[1-9][0-9]{3,12}", fullmatch=True))
def test_the_short_way_to_a_finnish_number_agrees_with_the_library(written):
    try:
        number = phonenumbers.parse(written, "FI")
        valid = phonenumbers.is_valid_number(number)
    except phonenumbers.NumberParseException:
        valid = False
    assert phone(written) == (
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if valid else None
    )


@given(st.text(max_size=30))
def test_no_text_makes_a_reader_raise_and_what_is_read_reads_back(text):
    for reader in (phone, email, www):
        once = reader(text)
        assert once is None or reader(once) == once


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (" Maija.Malli@Example.INVALID ", "Maija.Malli@example.invalid"),
        ("mailto:m@example.invalid", "m@example.invalid"),
        ("Maija <m@example.invalid>", "m@example.invalid"),
        ("ei; m@example.invalid", "m@example.invalid"),
        ("m@pää.example.invalid", "m@pää.example.invalid"),
    ],
)
def test_an_email_keeps_its_local_part_and_lowers_its_domain(written, stored):
    assert email(written) == stored


@pytest.mark.parametrize(
    "written",
    ["", "m@", "@example.invalid", "m@localhost", "m..m@example.invalid", "m@x.invalid." * 30],
)
def test_what_is_no_email_is_none(written):
    assert email(written) is None


def test_a_web_address_is_stored_without_scheme_and_closing_slash():
    assert www("HTTPS://WWW.Example.invalid/Polku/") == "www.example.invalid/Polku"
    assert www("ei ole") is None
    assert www("javascript:alert(1)") is None
