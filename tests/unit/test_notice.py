"""The notice as code: every fact is quoted, every column has its place, every gap is told."""

import copy
import hashlib
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.domain import schemas
from pipelines.domain.fields import FIELDS
from pipelines.notice import Item, Notice, gaps, plain, strangers, text_hash
from pipelines.settings import read_yaml, shipped

ROOT = Path(__file__).parents[2]
# SHA-256 of each phrase, whitespace collapsed, as found in the published notice. The notice itself is
# not part of this repository; where it lies beside the checkout, the phrases are looked up in it.
PHRASES = Path(__file__).with_name("notice_phrases.sha256")
PUBLISHED = ROOT.parent / "shared" / "notice" / "tietosuojaseloste.txt"

Tree = dict[str, Any]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return read_yaml(shipped("notice.yml"))


@pytest.fixture(scope="module")
def notice(tree: Tree) -> Notice:
    return Notice.model_validate(tree)


def changed(tree: Tree, key: str, name: str, **values: object) -> Tree:
    """The tree with some values of one named entry changed."""
    changed = copy.deepcopy(tree)
    entry = next(e for e in changed[key] if e["name"] == name)
    entry.update(values)
    return changed


def test_every_phrase_is_one_the_published_notice_has(notice: Notice) -> None:
    quoted = {hashlib.sha256(plain(phrase).encode()).hexdigest() for _, phrase in notice.phrases()}
    verified = set(PHRASES.read_text("ascii").split())
    assert quoted == verified, "look the changed phrase up in the notice, then list its hash"
    if PUBLISHED.is_file():
        published = PUBLISHED.read_text("utf-8")
        assert strangers(notice, published) == []
        assert notice.sha256 == text_hash(published)


def test_a_phrase_the_notice_does_not_have_is_found(notice: Notice) -> None:
    everything = " ".join(phrase for _, phrase in notice.phrases())
    assert strangers(notice, everything) == []
    without = everything.replace("Puhelinnumero", "")
    assert strangers(notice, without) == ["categories.contact.items.phone.phrase"]


def test_markup_and_line_ends_do_not_make_another_text() -> None:
    assert text_hash("<p>Nimi,\n\t edustettu</p> <!-- x\n> y --> organisaatio") == text_hash(
        "Nimi, edustettu organisaatio"
    )


def test_r9_every_column_of_the_hub_has_one_place_in_the_notice(notice: Notice) -> None:
    tables = [s for s in vars(schemas).values() if isinstance(s, schemas.Schema)]
    columns = {c for table in tables for c in table.columns} | set(FIELDS)
    assert tables
    assert [c for c in sorted(columns) if notice.item_of(c) is None] == []


def test_r9_every_word_a_connector_may_land_has_a_place(notice: Notice) -> None:
    party = (
        "party_type name family_name given_names called_name organisation_name business_id person_key "
        "birth_key key_id identity_fault superseded_person_keys phone email www language "
        "delivery_channel einvoice_address einvoice_operator protection protection_until is_deceased "
        "death_date addresses"
    )
    rest = "property_id building_id line postal_code post_office party point role_type valid_from valid_to final_invoice"
    assert set(f"{party} {rest}".split()) <= notice.fields_of("customer_registrations")


def test_r9_what_the_notice_does_not_list_and_nobody_declared_has_no_place(notice: Notice) -> None:
    for word in ("hetu", "iban", "remark", "annual_consumption", "reading"):
        assert notice.item_of(word) is None


def test_r9_of_invoices_and_orders_only_what_became_of_them_and_when_is_listed(
    notice: Notice,
) -> None:
    assert notice.fields_of("finance_outsourcer") >= {"invoice_state", "due_date", "closed_date"}
    assert not notice.fields_of("finance_outsourcer") & {"name", "addresses", "order_kind"}
    assert {"order_kind", "ordered_on"} <= notice.fields_of("customer_notices")
    for word in ("amount", "open_amount", "invoice_lines", "payment_reference"):
        assert notice.item_of(word) is None


def test_r16_a_web_address_is_held_of_organisations_alone(notice: Notice) -> None:
    assert notice.not_of("person") == {"www"}
    assert notice.not_of("organisation") == notice.not_of(None) == frozenset()


@pytest.mark.parametrize("word", ["ip_address", "cookie", "session", "user_agent", "referrer"])
def test_r55_web_use_is_barred_and_not_held_and_no_kind_of_source_brings_it(
    notice: Notice, word: str
) -> None:
    item = notice.item_of(word)
    assert isinstance(item, Item)
    assert item.barred and item.not_held
    assert not [s.name for s in notice.sources if word in notice.fields_of(s.name)]


def test_r13_an_update_service_is_heard_on_names_and_addresses_alone(notice: Notice) -> None:
    heard = notice.fields_of("update_services")
    assert {"family_name", "addresses", "protection", "is_deceased"} <= heard
    assert not heard & {"phone", "email", "www", "language", "delivery_channel", "ip_address"}


def test_r16_r55_nothing_is_heard_from_the_web_nor_from_a_kind_nobody_named(
    notice: Notice, tree: Tree
) -> None:
    talkative = Notice.model_validate(changed(tree, "sources", "web", says=["email"]))
    assert talkative.fields_of("web") == frozenset(), "refused whatever it may say"
    assert notice.fields_of("neighbours") == frozenset()
    held = {field for source in notice.sources for field in notice.fields_of(source.name)}
    assert "ip_address" not in held


def test_r5_a_purpose_without_a_basis_can_not_be_turned_on(tree: Tree) -> None:
    with pytest.raises(ValidationError, match="R5"):
        Notice.model_validate(changed(tree, "purposes", "own_marketing", enabled=True))
    undocumented = changed(
        tree, "purposes", "own_marketing", enabled=True, basis="legitimate_interests"
    )
    with pytest.raises(ValidationError, match="basis_reference"):
        Notice.model_validate(undocumented)
    documented = changed(
        undocumented, "purposes", "own_marketing", basis_reference="tasapainotesti 1/2027"
    )
    Notice.model_validate(documented)


def test_r7_no_purpose_rests_on_consent_while_the_notice_has_none(tree: Tree) -> None:
    consenting = changed(
        tree, "purposes", "targeted_content", basis="consent", basis_reference="lomake 7"
    )
    with pytest.raises(ValidationError, match="R7"):
        Notice.model_validate(consenting)


@pytest.mark.parametrize(
    "item", ["web_address", "ip_number", "identity_tokens", "protective_order"]
)
def test_r10_what_is_barred_can_be_promised_to_nobody(tree: Tree, item: str) -> None:
    finance = next(r for r in tree["recipients"] if r["name"] == "finance")
    with pytest.raises(ValidationError, match=f"{item}: barred"):
        Notice.model_validate(
            changed(tree, "recipients", "finance", receives=[*finance["receives"], item])
        )


def test_r55_an_ip_number_can_be_expected_from_nobody(tree: Tree) -> None:
    with pytest.raises(ValidationError, match="ip_number"):
        Notice.model_validate(
            changed(tree, "sources", "customer_registrations", says=["ip_number"])
        )


def test_a_field_stands_in_one_place_only(tree: Tree) -> None:
    twice = changed(tree, "beyond_the_notice", "language", fields=["language", "email"])
    with pytest.raises(ValidationError, match="field email"):
        Notice.model_validate(twice)


def test_an_unknown_key_or_an_item_nobody_declared_is_an_error(tree: Tree) -> None:
    with pytest.raises(ValidationError):
        Notice.model_validate({**tree, "colour": "blue"})
    with pytest.raises(ValidationError, match="shoe_size"):
        Notice.model_validate(changed(tree, "sources", "update_services", says=["shoe_size"]))


def test_r20_there_are_four_external_grounds_and_no_fifth(notice: Notice) -> None:
    assert [g.name for g in notice.external_grounds] == [
        "credit_application", "collection", "billing", "statute",
    ]  # fmt: skip


def test_r29_r30_the_notice_states_a_floor_and_no_ceiling(notice: Notice) -> None:
    assert notice.retention.floor.years == 10
    assert notice.retention.ceiling is None


def test_the_contact_person_is_a_role_and_no_name(notice: Notice) -> None:
    assert notice.controller.contact_role == "Yhteyshenkilö rekisteriä koskevissa asioissa"


def test_everything_held_beyond_the_notice_and_every_purpose_without_basis_is_a_gap(
    notice: Notice,
) -> None:
    found = {g.id for g in gaps(notice)}
    assert {f"beyond-{b.name.replace('_', '-')}" for b in notice.beyond_the_notice} <= found
    assert {
        "no-basis-development", "no-basis-statistics", "no-basis-targeted-content",
        "no-basis-own-marketing", "no-basis-publication", "no-basis-credit-decision",
    } <= found  # fmt: skip


def test_a_gap_closes_by_itself_when_the_notice_says_it(tree: Tree) -> None:
    written = copy.deepcopy(tree)
    language = next(b for b in written["beyond_the_notice"] if b["name"] == "language")
    written["beyond_the_notice"].remove(language)
    contact = next(c for c in written["categories"] if c["name"] == "contact")
    contact["items"].append({"name": "language", "phrase": "Asiointikieli", "fields": ["language"]})
    found = {g.id for g in gaps(Notice.model_validate(written))}
    assert "beyond-language" not in found
    assert "beyond-death" in found


@pytest.mark.parametrize(
    "gap",
    [
        # PRIVACY.md, findings 1–6
        "identity-code-not-listed", "meter-data-not-listed", "bank-account-not-listed",
        "beyond-connection-point", "retention-without-ceiling", "legal-basis-under-legitimate-interest",
        "third-country-ground", "beyond-protective-order", "disclosure-log-not-mentioned",
        # notice defects
        "contact-spelled-two-ways", "objection-cell-is-about-access", "co-operative-template",
        "consent-blank", "profiling-blank", "analytics-demographics", "authority-address-of-2021",
        # more silences
        "value-added-service-once", "only-customer-relations", "publication-contradicts-no-disclosure",
        "www-among-contacts", "update-services-narrower-reading", "invoices-and-orders-without-source",
        "no-swedish", "eu-or-eea",
        # questions for the DPO
        "no-basis-publication", "no-basis-own-marketing", "signature-demanded",
        "finance-outsourcer-role", "collection-agency-role", "joint-control-arrangement",
    ],
)  # fmt: skip
def test_the_gap_is_told_with_its_phrase_and_its_question(notice: Notice, gap: str) -> None:
    told = next(g for g in gaps(notice) if g.id == gap)
    assert all((told.phrase, told.what, told.default))
    assert told.question.endswith("?")


def test_gap_ids_are_unique(notice: Notice) -> None:
    ids = [g.id for g in gaps(notice)]
    assert len(ids) == len(set(ids))
