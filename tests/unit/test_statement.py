"""A person's statement: who was told what and why, in words, on paper, and as others' programs read it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pypdfium2
import pytest

from pipelines.domain.told import Outcome, Told
from pipelines.printed import pdf
from pipelines.settings import Settings, load_settings
from pipelines.statement import document, find_usage, glosses
from pipelines.steps.account_for import Account
from pipelines.texts import Language

MADE = datetime(2026, 11, 4, 7, tzinfo=UTC)
BILLED = Told(
    leaf_no=7,
    at="2026-11-02T00:30:00Z",
    recipient="finance",
    operation="delivery",
    purpose="billing",
    basis="contract",
    ground="billing",
    contract="finance@1",
    notice="2021-05-18",
    fields=("customer_number", "street_line"),
    changes=None,
    delivery_id="d1",
    outcome="acknowledged",
    outcome_at="2026-11-02T00:31:00Z",
)
ASKED = replace(
    BILLED,
    leaf_no=2,
    recipient="dvv",
    operation="muutokset",
    purpose="maintain_register",
    ground=None,
    contract=None,
    fields=("identity_code",),
    delivery_id=None,
    outcome="asked",
)
RETURNED = replace(
    BILLED, recipient="own_register", ground=None, fields=("customer_number", "field", "value"),
    changes="street_line", delivery_id="d2", outcome="aborted",
)  # fmt: skip


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(Path("nowhere"), {})


def account(*told: Told, name: str | None = "Merkkimäki Vartiotar") -> Account:
    return Account(17, "100123", name, "2026-11-04T07:00:00Z", told)


def said(settings: Settings, language: Language, *told: Told) -> str:
    return "\n".join(document(account(*told), settings, language).lines())


def test_r38_a_person_reads_when_to_whom_what_why_under_what_and_whether_it_arrived(
    settings: Settings,
) -> None:
    """R38: an actual recipient with its name, data in words, Finnish time."""
    lines = said(settings, "fi", BILLED).splitlines()
    assert lines[0] == "Selvitys henkilötietojen luovutuksista"
    assert "Asiakas: 100123 Merkkimäki Vartiotar" in lines
    assert lines[lines.index("1. 2.11.2026 klo 2.30") + 1 :][:7] == [
        "  Kenelle: Taloushallinto",
        "  Mitä tietoja: asiakasnumero, katuosoite",
        "  Miksi: laskutus",
        "  Oikeusperuste: sopimus (yleinen tietosuoja-asetus, 6 artikla 1 b)",
        "  Luovutusperuste: laskutus",
        "  Minkä mukaan: luovutussopimus finance@1, tietosuojaseloste 18.5.2021",
        "  Toteutuminen: toimitettu, vastaanottaja kuitannut 2.11.2026 klo 2.31",
    ]


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "fi",
            ["Väestötietojärjestelmä (DVV)", "henkilötunnus", "onko tietoihisi tullut muutoksia"],
        ),
        (
            "sv",
            ["Befolkningsdatasystemet (MDB)", "personbeteckning", "om dina uppgifter har ändrats"],
        ),
        ("en", ["Population register (DVV)", "identity code", "whether your data has changed"]),
    ],
)
def test_a_question_about_a_person_is_told_in_each_language(
    settings: Settings, language: Language, words: list[str]
) -> None:
    text = said(settings, language, ASKED)
    assert [word for word in words if word not in text] == []


def test_rows_of_one_delivery_are_one_disclosure_with_what_each_changed(settings: Settings) -> None:
    other = replace(RETURNED, leaf_no=8, changes="post_office")
    text = said(settings, "fi", RETURNED, other)
    assert "Mitä tietoja: katuosoite, postitoimipaikka, asiakasnumero" in text
    assert "2. " not in text
    assert "peruttu 2.11.2026 klo 2.31, tietoja ei lähetetty" in text


def test_somebody_nobody_was_told_about_is_told_so(settings: Settings) -> None:
    assert "Your data has not been disclosed" in said(settings, "en")


def test_what_has_no_words_is_shown_as_it_stands(settings: Settings) -> None:
    """A recipient, purpose or column that has left the configuration since."""
    text = said(settings, "fi", replace(BILLED, recipient="gone", purpose="old", fields=("odd",)))
    assert all(f": {word}\n" in text for word in ("gone", "old", "odd"))


def test_r2_the_controller_and_the_authority_are_drawn_from_the_notice(settings: Settings) -> None:
    """R2: whom to ask, and whom to complain to."""
    text = said(settings, "sv", BILLED)
    assert settings.notice.supervisory_authority.name in text
    assert settings.notice.controller.name in text


def test_the_json_has_the_fields_of_find_usage_newest_first(settings: Settings) -> None:
    found = find_usage(account(ASKED, BILLED), settings, "en")
    usage = json.loads(json.dumps(found))["usage"]
    assert [row["receivercode"] for row in usage] == ["finance", "dvv"]
    assert {"logtime", "action", "receiver"} <= set(usage[0])
    assert (usage[0]["logtime"], usage[0]["receiver"]) == (BILLED.at, "Finance outsourcer")
    assert usage[0]["restrictions"] == "A"
    assert "usercode" not in usage[0]


def test_a_bundle_gets_words_for_its_codes_and_no_others(settings: Settings) -> None:
    found = glosses(account(BILLED), settings, "fi")
    assert found["street_line"] == "katuosoite"
    assert found["finance"] == "Taloushallinto"
    assert not {"identity_code", "subject", "dvv"} & set(found)
    assert "subject" in glosses(account(ASKED), settings, "fi")


# --- on paper -----------------------------------------------------------------------------------------


def text_of(printed: bytes) -> str:
    paper = pypdfium2.PdfDocument(printed)
    return "\n".join(page.get_textpage().get_text_range() for page in paper)


def test_what_is_printed_is_what_is_said(settings: Settings) -> None:
    laid = document(account(ASKED, BILLED), settings, "fi")
    text = " ".join(text_of(pdf(laid, MADE)).split())
    for section in laid.sections:
        assert section.heading in text
        assert [said for _, said in section.lines if said not in text] == []
    assert "Asiakas: 100123 Merkkimäki Vartiotar" in text
    assert text.endswith("1 / 1")


def test_a_long_statement_goes_on_over_pages_and_loses_nothing(settings: Settings) -> None:
    laid = document(
        account(*(replace(BILLED, delivery_id=f"d{n}") for n in range(40))), settings, "sv"
    )
    printed = pdf(laid, MADE)
    assert len(pypdfium2.PdfDocument(printed)) > 5
    assert text_of(printed).count("Till vem") == 40


def test_the_properties_of_the_file_name_nobody(settings: Settings) -> None:
    printed = pdf(document(account(BILLED), settings, "fi"), MADE)
    facts = pypdfium2.PdfDocument(printed).get_metadata_dict()
    assert facts["Title"] == "Selvitys henkilötietojen luovutuksista"
    assert "100123" not in json.dumps(facts) + "".join(facts.values())
    assert "Merkkim" not in "".join(facts.values())
    assert facts["Author"] == facts["Keywords"] == ""


def test_the_same_statement_of_the_same_moment_is_the_same_file(settings: Settings) -> None:
    laid = document(account(BILLED), settings, "fi")
    assert pdf(laid, MADE) == pdf(laid, MADE)


@pytest.mark.parametrize(
    "name", ["Šiškin Žanna", "Áile Ŋuorttas Đođŧe", "Łukasz Ğüneş", "Ǩiurrâl", "Яна"]
)
def test_names_of_finland_and_its_neighbours_are_printed(settings: Settings, name: str) -> None:
    laid = document(account(BILLED, name=name), settings, "fi")
    text = text_of(pdf(laid, MADE))
    assert name in text or name[0] == "Ǩ"


def test_a_letter_the_type_lacks_is_a_question_mark_and_stands_in_no_log(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    laid = document(account(BILLED, name="漢字 Matti"), settings, "fi")
    assert "?? Matti" in text_of(pdf(laid, MADE))
    assert caplog.records == []


@pytest.mark.parametrize("outcome", ["prepared", "attempt", "uncertain", "delivered"])
def test_what_may_have_arrived_is_not_said_to_have_been_stopped(
    settings: Settings, outcome: Outcome
) -> None:
    text = said(settings, "en", replace(BILLED, outcome=outcome))
    assert "was not sent" not in text
