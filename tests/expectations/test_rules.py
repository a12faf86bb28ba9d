"""Every rule of the book has a row that breaks it, and a good row breaks none."""

import json

import pytest

from expectations.rules import BY_TABLE, MEANINGS, severity_of
from expectations.rules.reading import SEVERITIES
from expectations.run import Findings, answers, validate
from expectations.suites import suite
from pipelines.domain.schemas import (
    ADDRESSES,
    INVOICES,
    ORDERS,
    PARTIES,
    POINTS,
    ROLES,
    Schema,
)
from pipelines.domain.standardise import REASONS

GOOD: dict[Schema, dict[str, object]] = {
    PARTIES: {
        "party_type": "person", "family_name": "Virtanen", "given_names": "Matti", "protection": "off",
        "phone": "+358400000000", "email": "m@example.invalid", "language": "fi", "delivery_channel": "email",
        "person_key": "token", "source_time": "2026-10-01T00:00:00Z", "is_deceased": False,
    },
    ADDRESSES: {
        "address_no": 1, "address_type": "postal", "street_line": "Kotikatu 1 A 2", "street_name": "Kotikatu",
        "house": "1", "stair": "A", "apartment": "2", "postal_code": "31640", "post_office": "HUMPPILA",
        "country": "FI", "valid_from": "2020-01-01", "valid_to": "2026-01-01",
    },
    POINTS: {
        "property_id": "10340100010023", "building_id": "900000759J", "street_line": "Kotikatu 1",
        "postal_code": "31640", "post_office": "HUMPPILA",
    },
    INVOICES: {
        "customer_number": "000017", "invoice_state": "paid", "due_date": "2026-10-16",
        "closed_date": "2026-10-15",
    },
    ORDERS: {
        "customer_number": "20001", "point_ref": "100041", "order_kind": "meter", "ordered_on": "2026-10-01",
    },
    ROLES: {
        "party_source_key": "1", "point_source_key": "9", "role_type": "payer", "valid_from": "2020-01-01",
        "valid_to": "2026-01-01",
    },
}  # fmt: skip

# (table, rule, field) → what to change in the good row for it to break exactly that
BREAKS: dict[tuple[Schema, str, str], dict[str, object]] = {
    (PARTIES, "required_missing", "party_type"): {"party_type": None},
    (PARTIES, "value_shape", "protection"): {"protection": "maybe"},
    (PARTIES, "value_shape", "phone"): {"phone": "+358400000000\n"},
    (PARTIES, "value_too_long", "family_name"): {"family_name": "V" * 101},
    (PARTIES, "nothing_to_know_it_by", "family_name"): {
        "family_name": None, "given_names": None, "person_key": None,
    },
    (PARTIES, "name_incomplete", "family_name"): {"given_names": None},
    (PARTIES, "person_named_like_organisation", "given_names"): {"given_names": "Sähkö Oy"},
    (PARTIES, "several_people_in_one_name", "given_names"): {"given_names": "Matti ja Liisa"},
    (PARTIES, "called_name_not_given", "called_name"): {"called_name": "Pekka"},
    (PARTIES, "family_name_among_given_names", "given_names"): {
        "family_name": "Matti", "given_names": "Virtanen",
    },
    (PARTIES, "identity_code_rejected", "identity_fault"): {"identity_fault": "check_character"},
    (PARTIES, "channel_without_address", "delivery_channel"): {"email": None},
    (PARTIES, "control_character", "family_name"): {"family_name": "Virta\x07nen"},
    (PARTIES, "formula_like_text", "given_names"): {"given_names": "=Matti"},
    (PARTIES, "damaged_encoding", "family_name"): {"family_name": "MÃ¤ki"},
    (ADDRESSES, "required_missing", "country"): {"country": None},
    (ADDRESSES, "value_shape", "country"): {"country": "S1"},
    (ADDRESSES, "value_too_long", "street_name"): {"street_name": "K" * 101},
    (ADDRESSES, "finnish_postal_code", "postal_code"): {"postal_code": "3164"},
    (ADDRESSES, "address_incomplete", "street_line"): {"post_office": None},
    (ADDRESSES, "street_line_outside_grammar", "street_line"): {
        "street_line": "Kotikatu 1 ovikoodi 1", "street_name": None,
    },
    (ADDRESSES, "address_ends_before_it_begins", "valid_to"): {"valid_to": "2019-12-31"},
    (ADDRESSES, "control_character", "care_of"): {"care_of": "\x1b"},
    (ADDRESSES, "formula_like_text", "street_line"): {"street_line": "@Kotikatu 1"},
    (ADDRESSES, "damaged_encoding", "post_office"): {"post_office": "HÃ„MEENLINNA \ufffd"},
    (POINTS, "required_missing", "source_key"): {"source_key": None},
    (POINTS, "value_shape", "property_id"): {"property_id": "103-401-1-23"},
    (POINTS, "value_too_long", "building_id"): {"building_id": "9000007590J"},
    (POINTS, "point_without_address", "street_line"): {"street_line": None},
    (POINTS, "finnish_postal_code", "postal_code"): {"postal_code": "1234567890"},
    (POINTS, "control_character", "street_line"): {"street_line": "Kotikatu\t1"},
    (POINTS, "formula_like_text", "street_line"): {"street_line": "-Kotikatu 1"},
    (POINTS, "damaged_encoding", "post_office"): {"post_office": "\ufffd"},
    (INVOICES, "required_missing", "invoice_state"): {"invoice_state": None},
    (INVOICES, "value_shape", "due_date"): {"due_date": "16.10.2026"},
    (INVOICES, "value_too_long", "customer_number"): {"customer_number": "1" * 41},
    (INVOICES, "settled_without_date", "closed_date"): {"closed_date": None},
    (INVOICES, "unpaid_but_settled", "closed_date"): {"invoice_state": "in_collection"},
    (ORDERS, "required_missing", "customer_number"): {"customer_number": None},
    (ORDERS, "value_shape", "order_kind"): {"order_kind": "well"},
    (ORDERS, "value_too_long", "point_ref"): {"point_ref": "1" * 41},
    (ORDERS, "order_without_day", "ordered_on"): {"ordered_on": None},
    (ROLES, "required_missing", "party_source_key"): {"party_source_key": None},
    (ROLES, "value_shape", "role_type"): {"role_type": "guest"},
    (ROLES, "role_without_start", "valid_from"): {"valid_from": None},
    (ROLES, "ends_before_it_begins", "valid_to"): {"valid_to": "2019-12-31"},
}  # fmt: skip

# Rows that look odd and are not: each is a null, another country, or a message known by key alone.
FINE: dict[Schema, list[dict[str, object]]] = {
    PARTIES: [
        {"family_name": None, "given_names": None},
        {"source": "notices", "family_name": None, "given_names": None, "person_key": None},
        {"source": "address_batch", "family_name": None, "given_names": None, "person_key": None},
        {"phone": None, "email": None, "delivery_channel": None, "language": None},
        {"party_type": "organisation", "family_name": None, "given_names": None, "organisation_name": "Malli Oy"},
        {"delivery_channel": "einvoice", "einvoice_address": "FI00", "einvoice_operator": "NDEAFIHH"},
    ],
    ADDRESSES: [
        {"country": "SE", "postal_code": "111 22", "street_name": None, "house": None},
        {"street_line": "PL 5", "street_name": None},
        {"street_line": "Poste restante", "street_name": None},
        {"valid_from": None}, {"valid_to": None}, {"valid_to": "2020-01-01"},
    ],
    POINTS: [
        {"property_id": None, "building_id": None}, {"property_id": "10340100010023M0601"},
        {"source": "ryhti", "street_line": None, "postal_code": None, "post_office": None},
        {"source": "ryhti", "post_office": None},
    ],
    INVOICES: [
        {"invoice_state": "open", "closed_date": None}, {"due_date": None},
        {"not_stated_since": "2026-11-02"},
    ],
    ORDERS: [{"order_kind": None}, {"point_ref": None}],
    ROLES: [{"valid_to": None}, {"valid_to": "2020-01-01"}, {"role_type": "owner", "valid_from": None}],
}  # fmt: skip

TABLES = (PARTIES, ADDRESSES, POINTS, ROLES, INVOICES, ORDERS)


def _row(table: Schema, key: str, change: dict[str, object]) -> dict[str, object]:
    return {"source": "registrations", "source_key": key, **GOOD[table], **change}


@pytest.fixture(scope="module")
def found() -> dict[str, Findings]:
    """One validation per table of every row above; a row's key says what it breaks."""
    findings = {}
    for table in TABLES:
        broken = [
            _row(table, f"{rule} {field}", change)
            for (where, rule, field), change in BREAKS.items()
            if where is table
        ]
        fine = [_row(table, f"fine {i}", change) for i, change in enumerate([{}, *FINE[table]])]
        findings[table.name] = validate(table, table.frame([*broken, *fine]))
    return findings


@pytest.mark.parametrize(
    ("table", "rule", "field"), BREAKS, ids=lambda part: getattr(part, "name", part)
)
def test_a_row_that_breaks_a_rule_is_found_by_it_and_by_no_other(found, table, rule, field):
    findings = found[table.name].findings
    if field == "source_key":
        mine = findings[findings["source_key"].isna()]
    else:
        mine = findings[findings["source_key"] == f"{rule} {field}"]
    assert mine[["rule", "field"]].values.tolist() == [[rule, field]]
    assert mine["severity"].item() == severity_of(rule)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_a_good_row_breaks_no_rule(found, table):
    keys = found[table.name].findings["source_key"].dropna()
    assert not keys.str.startswith("fine").any()


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_rule_has_a_row_that_breaks_it(table):
    asked = {rule.name for rule in suite(table)}
    # no field of a role has a length
    assert asked == {rule for where, rule, _ in BREAKS if where is table}


def test_rows_are_counted_by_rule(found):
    roles = found["standard_role"]
    rows = 4 + 1 + len(FINE[ROLES])
    assert roles.checked == dict.fromkeys(["required_missing", "value_shape", "role_without_start", "ends_before_it_begins"], rows)  # fmt: skip
    assert roles.failed == dict.fromkeys(roles.checked, 1)


def test_several_rows_of_one_record_give_one_finding():
    bad = _row(ADDRESSES, "1", {"postal_code": "x"})
    result = validate(ADDRESSES, ADDRESSES.frame([bad, {**bad, "address_no": 2}]))
    assert result.findings.values.tolist() == [
        ["registrations", "1", "finnish_postal_code", "critical", "postal_code"]
    ]
    assert result.failed["finnish_postal_code"] == 2


def test_a_column_of_nulls_breaks_only_what_must_be_present():
    row = {
        "source": "s",
        "source_key": "1",
        "address_no": 1,
        "address_type": "postal",
        "country": "SE",
    }
    assert validate(ADDRESSES, ADDRESSES.frame([row])).findings.empty


def test_a_rule_and_field_are_asked_once_and_mean_one_severity():
    for table in TABLES:
        asked = [(rule.name, rule.field) for rule in suite(table)]
        assert len(asked) == len(set(asked))
        assert all(rule.severity == severity_of(rule.name) for rule in suite(table))


def test_every_rule_can_be_read_by_a_steward_in_three_languages():
    asked = {rule.name for table in TABLES for rule in suite(table)} | set(REASONS)
    assert asked == set(MEANINGS)
    for told in MEANINGS.values():
        assert set(told) == {"fi", "sv", "en"}
        assert all(text.endswith(".") and len(text) > 10 for text in told.values())


def test_every_refusal_of_the_domain_has_its_severity_and_an_unknown_rule_holds_the_record():
    assert set(SEVERITIES) == set(REASONS)
    assert severity_of("name_too_long") == "critical"
    assert severity_of("phone_unreadable") == "warning"
    assert severity_of("a rule of a connector") == "critical"


def test_every_standard_table_has_rules():
    assert set(BY_TABLE) == {table.name for table in TABLES}


def test_no_value_gets_out_of_the_rule_book():
    """HOUSE_STYLE C2: canaries in every text column, in rows that break every rule they can."""
    canary = "Kanarialintu"
    for table in TABLES:
        texts = [
            f.name for f in table.fields if f.kind == "text" and not f.name.startswith("source")
        ]
        row = {"source": "s", "source_key": "1", **{name: f"={canary}\x07" * 30 for name in texts}}
        frame = table.frame([row, {**row, "source_key": "2"}])
        rules = suite(table)
        assert canary in "".join(str(v) for rule in rules for v in rule.values(frame))
        told = answers(rules, frame)
        assert any(answer["result"]["unexpected_count"] for answer in told)
        assert canary not in json.dumps(told, default=str)
        result = validate(table, frame)
        assert len(result.findings)
        assert canary not in result.findings.to_json() + str(result.checked) + str(result.failed)
