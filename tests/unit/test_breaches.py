"""What the notice does not allow is found before anything runs, and the way through is named."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.breaches import Breach, check, ending, refusals, unaskable
from pipelines.contracts import RecipientContract, SourceConfig
from pipelines.notice import Notice
from pipelines.settings import Settings, load_settings

TODAY = "2026-11-02"
SIGNED = {"reference": "sopimus 7/2026", "signed": "2026-01-31", "valid_to": "2027-12-31"}


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(Path("nowhere"), {})


@pytest.fixture(scope="module")
def notice(settings: Settings) -> Notice:
    return settings.notice


def contract(settings: Settings, **changes: Any) -> RecipientContract:
    """The finance contract, live under a signed agreement, with changes."""
    made = settings.recipients["finance"].model_dump()
    transport = {"connector": "sftp_file", **made.pop("transport")["options"]}
    given = {**made, "transport": transport, "mode": "live", "agreement": SIGNED, **changes}
    return RecipientContract.model_validate(given)


def field(name: str, *made_of: str) -> dict[str, object]:
    return {"name": name, "made_of": made_of, "reason": "because", "used_by": "somebody"}


def cases(reference: str) -> dict[str, str]:
    return {"rule": "per_case", "reference": reference, "sentence": "one at a time"}


def told(notice: Notice, contract: RecipientContract, on: str = TODAY) -> list[Breach]:
    return check(notice, {}, {contract.recipient: contract}, on)


def source(settings: Settings, **changes: Any) -> SourceConfig:
    """A source of three columns, with changes."""
    given = {
        "name": "drop",
        "connector": "registrations",
        "title": "Pudotus",
        "notice_source": "customer_registrations",
        "folder": {"kind": "folder", "path": "drop"},
        "files": {"a": {"columns": {"NIMI": {"field": "name"}, "HETU": {"field": "identity"}}}},
        **changes,
    }
    return SourceConfig.model_validate(given)


def heard(notice: Notice, source: SourceConfig, on: str = TODAY) -> list[Breach]:
    return check(notice, {source.name: source}, {}, on)


def rules(breaches: list[Breach]) -> set[str]:
    return {rule for b in breaches for rule in b.rule.split(", ")}


def test_the_shipped_configuration_keeps_to_the_notice(settings: Settings) -> None:
    assert check(settings.notice, settings.sources, settings.recipients, TODAY) == []


def test_the_shipped_contracts_have_the_columns_their_recipients_read(settings: Settings) -> None:
    assert settings.recipients["finance"].columns == (
        "event",
        "customer_number",
        "party_kind",
        "invoice_name",
        "street_line",
        "postal_code",
        "post_office",
        "country",
        "business_id",
        "delivery_channel",
        "channel_address",
        "channel_operator",
        "point_ref",
        "valid_from",
        "ended_on",
        "final_invoice_line",
        "final_invoice_postal_code",
        "final_invoice_post_office",
        "merged_into",
    )
    assert settings.recipients["own_register"].columns == (
        "customer_number", "field", "value", "source", "stated_at",
    )  # fmt: skip


def test_a_breach_says_where_what_and_whom_to_ask(settings: Settings) -> None:
    (breach,) = told(settings.notice, contract(settings, country="US", eu_eea=False))
    assert breach.file == "recipients/finance.yml"
    assert breach.key == "transfer"
    assert breach.review == "notice.yml"
    assert "adequacy" in breach.expected
    assert str(breach).startswith("recipients/finance.yml: transfer: expected ")


@pytest.mark.parametrize(
    ("ours", "rule"),
    [
        ("ip_address", "R10"),
        ("www", "R10"),
        ("person_key", "R10"),
        ("birth_key", "R10"),
        ("protection", "R10"),
        ("content", "R10"),
        ("phone", "R18"),
        ("death_date", "R18"),
        ("language", "R18"),
        ("iban", "R9"),
        ("hetu", "R9"),
    ],
)
def test_r10_r18_a_field_the_contract_may_not_carry_is_refused(
    settings: Settings, ours: str, rule: str
) -> None:
    fields = [*settings.recipients["finance"].model_dump()["fields"], field("extra", ours)]
    breaches = told(settings.notice, contract(settings, fields=fields))
    assert [b.key for b in breaches] == ["fields.extra"]
    assert rule in rules(breaches)


def test_r8_a_score_is_refused_whatever_it_is_made_of(settings: Settings) -> None:
    fields = [field("credit_score", "party_id")]
    assert rules(told(settings.notice, contract(settings, fields=fields))) == {"R8"}


def test_r3_a_purpose_the_notice_does_not_name_is_refused(settings: Settings) -> None:
    assert "R3" in rules(told(settings.notice, contract(settings, purpose="curiosity")))
    assert "R3" in rules(heard(settings.notice, source(settings, purpose="curiosity")))


def test_r5_a_purpose_that_is_off_is_refused(settings: Settings) -> None:
    assert "R5" in rules(told(settings.notice, contract(settings, purpose="statistics")))
    assert rules(heard(settings.notice, source(settings, purpose="development"))) == {"R5"}


def test_r6_another_basis_than_the_purposes_is_refused(settings: Settings) -> None:
    found = told(settings.notice, contract(settings, basis="legitimate_interests"))
    assert rules(found) == {"R6"}


def test_r7_consent_is_no_basis(settings: Settings) -> None:
    assert rules(told(settings.notice, contract(settings, basis="consent"))) == {"R7"}
    assert rules(heard(settings.notice, source(settings, basis="consent"))) == {"R7"}


def test_r17_a_credit_provider_gets_no_standing_contract(settings: Settings) -> None:
    found = told(settings.notice, contract(settings, notice_recipient="credit_provider"))
    assert "R17" in rules(found)


@pytest.mark.parametrize("name", ["collection", "credit", "authorities"])
def test_r17_r20_who_hears_of_an_event_has_no_standing_list(settings: Settings, name: str) -> None:
    """R17, R20: each disclosure rests on its own reference, by the ground it stands on."""
    shipped = settings.recipients[name]
    population = settings.recipients["finance"].population
    standing = shipped.model_copy(update={"population": population})
    found = told(settings.notice, standing)
    assert "population.rule" in {b.key for b in found}
    assert "per_case" in next(b.expected for b in found if b.key == "population.rule")
    other = "case" if name == "credit" else "application"
    wrong = shipped.population.model_copy(update={"reference": other})
    found = told(settings.notice, shipped.model_copy(update={"population": wrong}))
    assert "population.reference" in {b.key for b in found}


def test_r5_nobody_is_told_for_credit_decisions_while_the_purpose_is_off(
    settings: Settings,
) -> None:
    """R5, R17: the contract may lie ready; the day it is to be used, the notice has to give a basis."""
    shipped = settings.recipients["credit"]
    assert told(settings.notice, shipped) == []
    agreement = type(shipped.agreement).model_validate(SIGNED)
    signed = shipped.model_copy(update={"agreement": agreement})
    (breach,) = refusals(settings.notice, settings.sources, signed, TODAY)
    assert (breach.key, breach.rule, breach.review) == ("purpose", "R5", "notice.yml")


def test_r18_no_field_leaves_under_the_name_of_another(settings: Settings) -> None:
    """R18: what stands in a column is what the rule puts there, whatever its contract says."""
    fields = [field("channel_address", "einvoice_address")]
    (breach,) = told(settings.notice, contract(settings, fields=fields))
    assert breach.key == "fields.channel_address.made_of"
    assert "email" in breach.expected
    assert breach.review == "recipients/finance.yml"


def test_r18_a_column_the_rule_cannot_make_is_refused(settings: Settings) -> None:
    (breach,) = told(settings.notice, contract(settings, fields=[field("nickname", "party_id")]))
    assert breach.key == "fields.nickname"


@pytest.mark.parametrize(("on", "allowed"), [("2027-12-31", True), ("2028-01-01", False)])
def test_r15_r18_a_contract_ends_without_a_file_being_changed(
    settings: Settings, on: str, allowed: bool
) -> None:
    found = refusals(settings.notice, settings.sources, contract(settings), on)
    assert [b.key for b in found] == ([] if allowed else ["agreement"])


def test_r18_who_is_only_in_shadow_is_refused_as_if_it_were_live(settings: Settings) -> None:
    shipped = settings.recipients["building_control"]
    found = refusals(settings.notice, settings.sources, shipped, TODAY)
    assert [(b.key, b.review) for b in found] == [("agreement", "recipients/building_control.yml")]


@pytest.mark.parametrize("name", ["building_control", "environmental_control"])
@pytest.mark.parametrize("ours", ["display_name", "party_id", "phone", "street_line"])
def test_r18_building_and_environmental_control_hear_of_no_person(
    settings: Settings, name: str, ours: str
) -> None:
    shipped = settings.recipients[name]
    dump = shipped.model_dump()
    dump["fields"] = [*dump["fields"], field("person", ours)]
    transport = {"connector": "sftp_file", **dump.pop("transport")["options"]}
    wider = RecipientContract.model_validate({**dump, "transport": transport})
    found = told(settings.notice, wider)
    assert [b.key for b in found] == ["fields.person"]


def test_r18_who_is_not_in_the_notice_is_told_nothing(settings: Settings) -> None:
    assert rules(told(settings.notice, contract(settings, notice_recipient="newspaper"))) == {"R18"}


def test_r18_a_role_the_notice_does_not_give_is_refused(settings: Settings) -> None:
    found = told(settings.notice, contract(settings, role="joint_controller", ground=None))
    assert [b.key for b in found] == ["role"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"ground": None}, "ground"),
        ({"ground": "collection"}, "ground"),
        ({"ground": "billing", "statute": "VHL 119/2001 21 §"}, "statute"),
    ],
)
def test_r20_who_is_outside_is_told_on_its_ground_alone(
    settings: Settings, changes: dict[str, Any], key: str
) -> None:
    found = told(settings.notice, contract(settings, **changes))
    assert [(b.key, b.rule) for b in found] == [(key, "R20")]


def test_r20_the_statutory_ground_names_its_statute(settings: Settings) -> None:
    law = {
        "notice_recipient": "authorities", "role": "independent", "purpose": "maintain_register",
        "ground": "statute", "fields": [field("name", "display_name")],
    }  # fmt: skip
    standing = told(settings.notice, contract(settings, **law))
    assert {"statute", "population.rule"} <= {b.key for b in standing}
    per_case = contract(settings, **law, population=cases("statute"))
    assert [b.key for b in told(settings.notice, per_case)] == ["fields"]
    fields = [field("statute_reference", "statute_reference"), field("name", "display_name")]
    named = contract(settings, **{**law, "fields": fields}, population=cases("statute"))
    assert told(settings.notice, named) == []
    fixed = contract(
        settings, **{**law, "fields": fields}, population=cases("statute"), statute="VHL 119/2001"
    )
    assert [b.key for b in told(settings.notice, fixed)] == ["statute"], "it is given each time"


@pytest.mark.parametrize(
    ("agreement", "on", "allowed"),
    [
        (SIGNED, "2026-01-30", False),
        (SIGNED, "2026-01-31", True),
        (SIGNED, "2027-12-31", True),
        (SIGNED, "2028-01-01", False),
        ({**SIGNED, "valid_to": None}, "2099-01-01", True),
        ({**SIGNED, "reference": None}, TODAY, False),
        ({**SIGNED, "signed": None}, TODAY, False),
        ({}, TODAY, False),
    ],
)
def test_r15_r18_a_live_recipient_needs_an_agreement_in_force(
    settings: Settings, agreement: dict[str, str], on: str, allowed: bool
) -> None:
    live = contract(settings, agreement=agreement)
    assert (told(settings.notice, live, on) == []) is allowed
    shadow = contract(settings, agreement=agreement, mode="shadow")
    assert told(settings.notice, shadow, on) == [], "in shadow nothing is told"


@pytest.mark.parametrize(
    ("changes", "on", "allowed"),
    [
        ({"country": "SE"}, TODAY, True),
        ({"country": "NO"}, TODAY, True),
        ({"country": "US"}, TODAY, False),
        ({"country": "FI", "eu_eea": False}, TODAY, False),
        ({"country": "US", "eu_eea": False}, TODAY, False),
        ({"country": "GB", "eu_eea": False, "transfer": "2026-12-31"}, "2026-12-31", True),
        ({"country": "GB", "eu_eea": False, "transfer": "2026-12-31"}, "2027-01-01", False),
    ],
)
def test_r24_nobody_outside_the_eea_without_a_mechanism_in_force(
    settings: Settings, changes: dict[str, Any], on: str, allowed: bool
) -> None:
    if "transfer" in changes:
        paper = {
            "mechanism": "adequacy",
            "reference": "C(2021) 4800",
            "valid_to": changes["transfer"],
        }
        changes = {**changes, "transfer": paper}
    found = told(settings.notice, contract(settings, **changes), on)
    assert (found == []) is allowed
    assert rules(found) <= {"R24"}


def test_r24_a_technical_need_is_no_mechanism(settings: Settings) -> None:
    need = {"mechanism": "technical_need", "reference": "x", "valid_to": "2030-01-01"}
    with pytest.raises(ValueError, match="mechanism"):
        contract(settings, country="US", eu_eea=False, transfer=need)


def test_r28_nobody_outside_is_told_for_our_own_marketing(settings: Settings) -> None:
    found = told(settings.notice, contract(settings, purpose="own_marketing"))
    assert "R28" in rules(found)


def test_r9_a_column_mapped_to_what_nothing_covers_is_named(settings: Settings) -> None:
    extra = {"a": {"columns": {"TILINUMERO": {"field": "iban"}, "NIMI": {"field": "name"}}}}
    (breach,) = heard(settings.notice, source(settings, files=extra))
    assert breach.key == "files.a.columns.TILINUMERO"
    assert breach.rule == "R9"


def test_r9_a_column_of_the_hub_without_a_place_in_the_notice_is_a_breach(
    settings: Settings,
) -> None:
    dump = settings.notice.model_dump(by_alias=True)
    dump["beyond_the_notice"] = [b for b in dump["beyond_the_notice"] if b["name"] != "language"]
    for kind in (*dump["sources"], *dump["recipients"]):
        key = "says" if "says" in kind else "receives"
        kind[key] = [name for name in kind[key] if name != "language"]
    found = check(Notice.model_validate(dump), {}, {}, TODAY)
    assert [b.key for b in found] == ["categories, beyond_the_notice: language"]


def test_r13_a_phone_from_an_update_service_is_refused(settings: Settings) -> None:
    phone = {
        "a": {
            "columns": {"PUHELIN": {"field": "phone"}, "OSOITE": {"field": "addresses.postal.line"}}
        }
    }
    found = heard(settings.notice, source(settings, notice_source="update_services", files=phone))
    assert [b.key for b in found] == ["files.a.columns.PUHELIN"]
    assert "R13" in rules(found)


def test_r14_a_joint_controllers_source_names_the_controller(settings: Settings) -> None:
    joint = {"notice_source": "joint_controllers"}
    assert "R14" in rules(heard(settings.notice, source(settings, **joint)))
    assert "R14" in rules(heard(settings.notice, source(settings, **joint, controller="church")))
    assert heard(settings.notice, source(settings, **joint, controller="municipality")) == []


def company(settings: Settings, **changes: Any) -> SourceConfig:
    """The address-update company of the shipped file, with an address and an agreement, and with changes."""
    shipped = settings.sources["address_batch"]
    given = shipped.model_dump(exclude={"options"}) | {**shipped.options} | {
        "expect": {"corridor": {"shrink": 0.5, "grow": 1.0}},
        "folder": {"kind": "sftp", "host": "company.example", "path": "."},
        "agreement": {"reference": "A-7", "signed": "2026-01-01", "valid_to": "2026-12-31"},
    }  # fmt: skip
    return SourceConfig.model_validate(given | changes)


@pytest.mark.parametrize(
    ("agreement", "on", "allowed"),
    [
        ({"reference": "A-7", "signed": "2026-01-01"}, TODAY, True),
        ({"reference": "A-7", "signed": "2026-01-01", "valid_to": TODAY}, TODAY, True),
        ({"reference": "A-7", "signed": "2026-01-01", "valid_to": TODAY}, "2027-06-01", False),
        ({"signed": "2026-01-01"}, TODAY, False),
        (None, TODAY, False),
    ],
)
def test_r15_an_update_company_needs_an_agreement_in_force(
    settings: Settings, agreement: dict[str, str] | None, on: str, allowed: bool
) -> None:
    found = heard(settings.notice, company(settings, agreement=agreement), on)
    assert [b.key for b in found] == ([] if allowed else ["agreement"])
    absent = company(settings, agreement=agreement, folder={"kind": "sftp", "host": None})
    assert "agreement" not in [b.key for b in heard(settings.notice, absent, TODAY)]


@pytest.mark.parametrize("field", ["birth_key", "person_key", "phone", "email", "horoscope"])
def test_r13_an_update_company_is_asked_with_an_envelope_and_no_more(
    settings: Settings, field: str
) -> None:
    asks = {
        "pattern": "q_{date}.csv",
        "columns": {"A": "reference", "B": "family_name", "C": field},
    }
    (found,) = heard(settings.notice, company(settings, asks=asks))
    assert (found.key, field in found.expected) == ("asks.columns", True)


def test_r13_an_update_company_may_not_bring_a_telephone(settings: Settings) -> None:
    files = company(settings).options["files"]
    assert isinstance(files, dict)
    columns = files["vastaus"]["columns"] | {"PUHELIN": {"field": "phone"}}
    changed = {"vastaus": files["vastaus"] | {"columns": columns}}
    assert "R13" in rules(heard(settings.notice, company(settings, files=changed)))


def test_whom_an_update_company_need_not_be_asked_about_is_a_source(settings: Settings) -> None:
    found = heard(settings.notice, company(settings, in_batches={"unless_known_by": ["vtj"]}))
    assert [b.key for b in found] == ["in_batches.unless_known_by"]


def test_r15_a_subcontractors_source_needs_an_agreement_in_force(settings: Settings) -> None:
    sub = {
        "notice_source": "subcontractors",
        "files": {"a": {"columns": {"NIMI": {"field": "name"}}}},
    }
    assert rules(heard(settings.notice, source(settings, **sub))) == {"R15"}
    signed = source(settings, **sub, agreement=SIGNED)
    assert heard(settings.notice, signed) == []
    assert rules(heard(settings.notice, signed, "2028-01-01")) == {"R15"}


def test_r15_a_source_whose_agreement_has_ended_is_a_breach_whatever_its_kind(
    settings: Settings,
) -> None:
    signed = source(settings, agreement=SIGNED)
    assert heard(settings.notice, signed) == []
    (breach,) = heard(settings.notice, signed, "2028-01-01")
    assert (breach.key, breach.rule) == ("agreement.valid_to", "R15")


def test_r15_a_subcontractor_nobody_hears_may_lack_its_agreement(settings: Settings) -> None:
    """R15: asked for once there is an address to read from; the shipped file has neither."""
    absent = settings.sources["subcontractor"]
    assert heard(settings.notice, absent) == []
    here = {**absent.options, "folder": {"kind": "folder", "path": "drop"}}
    there = absent.model_copy(update={"options": here})
    assert rules(heard(settings.notice, there)) == {"R15"}
    assert rules(unaskable(settings.notice, absent, settings.sources, TODAY)) == {"R15"}


@pytest.mark.parametrize(
    ("on", "days"),
    [
        ("2027-11-30", []),
        ("2027-12-01", [30]),
        ("2027-12-31", [0]),
        ("2028-01-01", []),
    ],
)
def test_r15_an_agreement_is_spoken_of_thirty_days_before_its_last(
    settings: Settings, on: str, days: list[int]
) -> None:
    signed = source(settings, agreement=SIGNED)
    live = contract(settings)
    assert not live.configured, "told nobody, so nothing ends"
    soon = ending({"drop": signed}, {"finance": live}, on)
    assert [(e.file, e.days) for e in soon] == [("sources/drop.yml", n) for n in days]


def test_r15_what_ends_first_is_said_first(settings: Settings) -> None:
    sooner = SIGNED | {"valid_to": "2027-12-20"}
    both = {
        "a": source(settings, name="a", agreement=SIGNED),
        "b": source(settings, name="b", agreement=sooner),
        "c": source(settings, name="c", agreement=SIGNED | {"valid_to": None}),
    }
    told = [str(e) for e in ending(both, {}, "2027-12-10")]
    assert told == [
        "sources/b.yml: the agreement ends 2027-12-20, in 10 days",
        "sources/a.yml: the agreement ends 2027-12-31, in 21 days",
    ]


def test_dealings_are_numbered_by_us_or_by_a_source_there_is(settings: Settings) -> None:
    found = heard(settings.notice, source(settings, numbered_by="nobody"))
    assert [b.key for b in found] == ["numbered_by"]
    assert heard(settings.notice, source(settings, numbered_by="drop")) == []


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("IP", "phone"),
        ("IP_OSOITE", "name"),
        ("EVASTE", "email"),
        ("SELAIN", "language"),
        ("ISTUNTO", "name"),
        ("A", "ip"),
        ("A", "ip_address"),
        ("A", "cookie"),
        ("A", "user_agent"),
        ("A", "session"),
        ("A", "referrer"),
    ],
)
def test_r16_r55_a_column_of_web_use_is_refused_by_its_name_or_by_what_it_becomes(
    settings: Settings, column: str, field: str
) -> None:
    """R16, R55: whatever kind of source brings it, and under whatever word."""
    (breach,) = heard(
        settings.notice, source(settings, files={"a": {"columns": {column: {"field": field}}}})
    )
    assert rules([breach]) == {"R16", "R55"}
    web = source(settings, files={"a": {"columns": {column: {"field": field}}}})
    assert unaskable(settings.notice, web, settings.sources, TODAY) == [breach], "nor is it read"
    assert breach.key == f"files.a.columns.{column}"
    assert "joined to a customer" in breach.expected


@pytest.mark.parametrize("column", ["WWW", "VIPPI", "ZIP", "TYYPPI", "RECIPIENT"])
def test_r16_an_ordinary_column_is_taken_for_no_web_use(settings: Settings, column: str) -> None:
    """R16: an organisation's web address is contact data."""
    columns = {column: {"field": "www"}}
    assert heard(settings.notice, source(settings, files={"a": {"columns": columns}})) == []


def test_r10_r15_the_outsourcer_is_heard_on_invoices_and_on_nothing_else(
    settings: Settings,
) -> None:
    """R10, R15: under an agreement, and not on whom the invoice names."""
    outsourcer = {"notice_source": "finance_outsourcer", "agreement": SIGNED}
    files = {"a": {"columns": {"TILA": {"field": "invoice_state"}, "NIMI": {"field": "name"}}}}
    found = heard(settings.notice, source(settings, **outsourcer, files=files))
    assert [b.key for b in found] == ["files.a.columns.NIMI"]


def test_r16_r55_a_source_of_web_data_is_refused(settings: Settings) -> None:
    assert rules(heard(settings.notice, source(settings, notice_source="web"))) == {"R16", "R55"}


def test_r12_a_source_of_a_kind_the_notice_does_not_name_is_refused(settings: Settings) -> None:
    found = heard(settings.notice, source(settings, notice_source="hearsay"))
    assert rules(found) == {"R12", "R13"}


def test_codes_are_borrowed_only_from_a_source_there_is(settings: Settings) -> None:
    found = heard(settings.notice, source(settings, borrow_from="nobody"))
    assert [b.key for b in found] == ["borrow_from"]


def returning(settings: Settings, **changes: Any) -> set[str]:
    """The rules that the municipality's contract breaks with another population or role."""
    shipped = settings.recipients["municipality"]
    changed = shipped.model_copy(update=changes)
    found = check(settings.notice, settings.sources, {changed.recipient: changed}, TODAY)
    return {b.key for b in found}


@pytest.mark.parametrize("source", ["registrations", "dvv", "nobody", None])
def test_r14_records_go_back_to_the_controller_they_came_from_alone(
    settings: Settings, source: str | None
) -> None:
    """R14, R43: its source has to exist and to have the recipient as its controller."""
    population = settings.recipients["municipality"].population
    assert returning(settings) == set()
    wrong = population.model_copy(update={"source": source})
    assert returning(settings, population=wrong) == {"population.source"}


@pytest.mark.parametrize("source", ["municipality", "dvv", None])
def test_our_own_changes_go_back_to_our_own_register_alone(
    settings: Settings, source: str | None
) -> None:
    own = settings.recipients["own_register"]
    wrong = own.model_copy(
        update={"population": own.population.model_copy(update={"source": source})}
    )
    found = check(settings.notice, settings.sources, {"own_register": wrong}, TODAY)
    assert {b.key for b in found} == {"population.source"}


def test_who_is_returned_nothing_names_no_source(settings: Settings) -> None:
    finance = settings.recipients["finance"]
    population = finance.population.model_copy(update={"source": "registrations"})
    wrong = finance.model_copy(update={"population": population})
    found = check(settings.notice, settings.sources, {"finance": wrong}, TODAY)
    assert {b.key for b in found} == {"population.source"}


def test_a_death_is_not_told_to_the_municipality(settings: Settings) -> None:
    shipped = settings.recipients["municipality"]
    fields = tuple(
        f.model_copy(update={"made_of": (*f.made_of, "is_deceased")}) if f.name == "value" else f
        for f in shipped.fields
    )
    assert returning(settings, fields=fields) == {"fields.value"}
