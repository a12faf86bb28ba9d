"""Landed records become standard rows, or a refusal with a reason; nothing in between is lost."""

import json

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.domain.schemas import ADDRESSES, LANDED, PARTIES, POINTS, ROLES
from pipelines.domain.standardise import REASONS, REFUSALS, UNREADABLE, companions, standardise

THEN = "2026-10-01T00:00:00Z"
HOME = {"address_type": "postal", "line": "Kotikatu 1 A 2", "postal_code": "31640", "post_office": "Humppila"}  # fmt: skip


def landed(*contents, kind="party", source="registrations", keys=None):
    """Landed rows; the content of each is stated since THEN."""
    return LANDED.frame(
        [
            {
                "source": source, "kind": kind, "source_key": (keys or [str(i + 1) for i in range(len(contents))])[i],
                "source_time": THEN, "content": content, "business_date": "2026-11-02",
                "field_times": dict.fromkeys(content, THEN) if isinstance(content, dict) else {},
            }
            for i, content in enumerate(contents)
        ]
    )  # fmt: skip


def party(**content):
    """The one standard party of such content."""
    standard = standardise(landed(content))
    assert len(standard.parties) == 1
    return standard.parties.iloc[0]


def rules(standard):
    return set(standard.refusals["rule"])


def test_a_person_comes_out_in_parts_with_everything_in_canonical_form():
    row = party(
        party_type="person", name="VIRTANEN MATTI", phone="040 000 0000", email="M@Example.INVALID",
        language="FI", delivery_channel="einvoice", einvoice_address="0037 0245 4372",
        einvoice_operator="ndeafihh", person_key="token", protection="off", is_deceased=False,
    )  # fmt: skip
    assert (row.family_name, row.given_names, row.phone) == ("Virtanen", "Matti", "+358400000000")
    assert (row.email, row.language, row.einvoice_address) == (
        "M@example.invalid",
        "fi",
        "003702454372",
    )
    assert (row.person_key, row.protection, row.einvoice_operator) == ("token", "off", "NDEAFIHH")
    assert row.field_times["name"] == THEN
    assert row.source_time == THEN


def test_parts_of_a_name_are_not_parsed_but_an_estates_marker_leaves_them():
    row = party(party_type="person", family_name="VIRTANEN MÄKI", given_names="Matti kuolinpesä")
    assert (row.family_name, row.given_names, row.name_role) == (
        "Virtanen Mäki",
        "Matti",
        "death_estate",
    )


@pytest.mark.parametrize(
    ("content", "party_type"),
    [
        ({"name": "Virtanen Matti"}, "person"),
        ({"name": "Malli Oy"}, "organisation"),
        ({"name": "Virtanen Matti", "business_id": "0245437-2"}, "organisation"),
        ({"name": "Malli Oy", "person_key": "token"}, "person"),
        ({"name": "Malli Oy kuolinpesä"}, "person"),
        ({"organisation_name": "Malli"}, "organisation"),
        ({"party_type": "person", "name": "Malli Oy", "business_id": "0245437-2"}, "person"),
    ],
)
def test_the_type_is_as_stated_else_told_by_what_else_is_stated(content, party_type):
    assert party(**content).party_type == party_type


def test_an_organisations_name_is_not_split():
    row = party(party_type="organisation", name="MALLIN VESI OY", business_id="02454372")
    assert (row.organisation_name, row.business_id) == ("Mallin Vesi Oy", "0245437-2")
    assert pd.isna(row.family_name)


@pytest.mark.parametrize(
    ("content", "rule", "column"),
    [
        ({"business_id": "0245437-3"}, "business_id_check", "business_id"),
        ({"phone": "ei ole"}, "phone_unreadable", "phone"),
        ({"email": "ei ole"}, "email_shape", "email"),
        ({"www": "ei ole"}, "www_shape", "www"),
        ({"language": "suomi"}, "language_code", "language"),
        ({"delivery_channel": "fax"}, "unknown_delivery_channel", "delivery_channel"),
        ({"death_date": "2026-02-30"}, "date_unreadable", "death_date"),
        ({"is_deceased": "K"}, "not_a_boolean", "is_deceased"),
        ({"einvoice_address": ["x"]}, "not_text", "einvoice_address"),
        ({"party_type": "robot"}, "unknown_party_type", "party_type"),
    ],
)
def test_an_unreadable_field_is_emptied_and_the_record_stays(content, rule, column):
    standard = standardise(landed({"name": "Virtanen Matti", **content}))
    assert rules(standard) == {rule}
    assert list(standard.refusals["field"]) == [column]
    assert standard.parties.iloc[0].family_name == "Virtanen"
    assert column == "party_type" or pd.isna(standard.parties.iloc[0][column])


def test_r16_a_web_address_is_read_of_organisations_and_left_out_of_whoever_turns_out_a_person():
    """R16: also where no type was stated, and the name alone tells."""
    www = "www.example.invalid"
    assert party(name="Malli Oy", www=www).www == www
    standard = standardise(landed({"name": "Virtanen Matti", "www": www}))
    assert rules(standard) == {"www_of_person"}
    assert pd.isna(standard.parties.iloc[0].www)


def dealing(kind, **content):
    return standardise(landed(content, kind=kind, source="finance_status"))


def test_an_invoice_and_an_order_come_out_as_they_were_stated():
    told = dealing(
        "invoice", customer_number="000017", invoice_state="paid", due_date="2026-10-16",
        closed_date="2026-10-15", not_stated_since="2026-11-02",
    )  # fmt: skip
    assert told.invoices.iloc[0].to_dict() == {
        "source": "finance_status", "source_key": "1", "customer_number": "000017",
        "invoice_state": "paid", "due_date": "2026-10-16", "closed_date": "2026-10-15",
        "not_stated_since": "2026-11-02", "source_time": THEN,
    }  # fmt: skip
    order = dealing(
        "order",
        customer_number="20001",
        order_kind="meter",
        ordered_on="2026-10-01",
        point_ref="100041",
    ).orders.iloc[0]
    assert (order.customer_number, order.order_kind, order.ordered_on, order.point_ref) == (
        "20001", "meter", "2026-10-01", "100041",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "content", "rule", "stays"),
    [
        ("invoice", {"invoice_state": "open"}, "missing_customer", False),
        ("invoice", {"customer_number": "1"}, "unknown_invoice_state", False),
        (
            "invoice",
            {"customer_number": "1", "invoice_state": "lost"},
            "unknown_invoice_state",
            False,
        ),
        (
            "invoice",
            {"customer_number": "1", "invoice_state": "open", "due_date": "soon"},
            "date_unreadable",
            True,
        ),
        ("order", {"order_kind": "meter"}, "missing_customer", False),
        ("order", {"customer_number": "1", "order_kind": "well"}, "unknown_order_kind", True),
        ("order", {"customer_number": "1", "ordered_on": "2026-02-30"}, "date_unreadable", True),
    ],
)
def test_a_dealing_without_its_customer_or_state_is_none_and_other_faults_empty_their_field(
    kind, content, rule, stays
):
    told = dealing(kind, **content)
    assert rules(told) == {rule}
    assert (rule in UNREADABLE) is not stays
    assert len(told.invoices) + len(told.orders) == stays


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        ({"name": "V" * 251}, "name_too_long"),
        ({"name": "Virtanen\x00 Matti"}, "control_character"),
        ({"name": "Virtanen", "phone": "\x1b[31m"}, "control_character"),
        (
            {"name": "Virtanen", "addresses": [{**HOME, "line": "Kotikatu\x07 1"}]},
            "control_character",
        ),
        ({"family_name": "\ud800"}, "control_character"),
    ],
)
def test_a_damaged_record_is_refused_whole(content, rule):
    standard = standardise(
        landed({**content, "addresses": content.get("addresses", [HOME])}, {"name": "Malli M"})
    )
    assert list(standard.refusals["source_key"]) == ["1"]
    assert rules(standard) == {rule} <= UNREADABLE
    assert list(standard.parties["source_key"]) == ["2"]
    assert standard.addresses.empty


@pytest.mark.parametrize("news", [{"protection": "on"}, {"is_deceased": True}, {"protection": "?"}])
def test_an_order_or_a_death_is_never_lost_with_an_unreadable_record(news):
    """R56: the record is refused, and still there to be acted on."""
    standard = standardise(landed({"name": "V" * 251, "person_key": "token", **news}))
    assert "name_too_long" in rules(standard)
    assert standard.parties.iloc[0].person_key == "token"
    assert pd.isna(standard.parties.iloc[0].family_name)


def test_silence_about_an_order_is_not_stated_and_anything_unclear_is_on():
    """R56, DESIGN 12."""
    stated = [{}, {"protection": None}, {"protection": "off"}, {"protection": "on"}, {"protection": "X"}, {"protection": True}]  # fmt: skip
    standard = standardise(landed(*stated))
    assert list(standard.parties["protection"]) == [
        "not_stated",
        "not_stated",
        "off",
        "on",
        "on",
        "on",
    ]
    assert list(standard.refusals["source_key"]) == ["5", "6"]


def test_a_protected_address_is_never_staged():
    """R56: the contact address may be told, and where an organisation receives visitors."""
    types = ("postal", "temporary", "permanent", "contact", "final_invoice", "visiting")
    every = [{**HOME, "address_type": t, "line": f"Salapolku {i}"} for i, t in enumerate(types)]
    person = {"party_type": "person", "name": "Malli M", "protection": "on", "addresses": every}
    company = {**person, "party_type": "organisation"}
    standard = standardise(landed(person, company, {**person, "protection": "off"}))
    told = standard.addresses.groupby("source_key")["address_type"].agg(list).to_dict()
    assert told == {"1": ["contact"], "2": ["contact", "visiting"], "3": list(types)}


def test_an_address_carries_its_parts_and_when_it_was_stated():
    dated = {**HOME, "address_type": "permanent", "valid_from": "2026-12-01", "valid_to": "x"}
    standard = standardise(landed({"name": "Malli M", "addresses": [HOME, dated]}))
    first, second = (row for _, row in standard.addresses.iterrows())
    assert (first.street_line, first.house, first.stair, first.apartment) == (
        "Kotikatu 1 A 2",
        "1",
        "A",
        "2",
    )
    assert (first.post_office, first.country, first.stated_at) == ("HUMPPILA", "FI", THEN)
    assert (second.address_no, second.stated_at) == (2, "2026-12-01T00:00:00Z")
    assert rules(standard) == {"date_unreadable"}


def test_an_addressee_in_the_name_goes_to_where_mail_goes():
    addresses = [HOME, {**HOME, "address_type": "permanent"}, {**HOME, "address_type": "contact", "care_of": "Toinen"}]  # fmt: skip
    standard = standardise(
        landed({"name": "Virtanen Matti kp c/o Malli Liisa", "addresses": addresses})
    )
    told = standard.addresses.set_index("address_type")["care_of"]
    assert (told["postal"], told["contact"]) == ("Malli Liisa", "Toinen")
    assert pd.isna(told["permanent"])


def test_an_empty_address_says_nothing_and_an_unknown_type_is_refused():
    odd = [{"address_type": "postal", "line": " "}, {**HOME, "address_type": "moon"}, {**HOME, "address_type": {}}, "x"]  # fmt: skip
    standard = standardise(
        landed({"name": "Malli M", "addresses": odd}, {"name": "A B", "addresses": "x"})
    )
    assert standard.addresses.empty
    assert rules(standard) == {"unknown_address_type", "addresses_unreadable"}
    assert len(standard.parties) == 2


def test_a_points_ids_and_address_are_canonical():
    point = {
        "property_id": "103-401-1-23",
        "building_id": "900000759j",
        "line": "KOTIKATU 1a",
        "postal_code": "31640",
    }
    standard = standardise(landed(point, kind="point"), allow_test_identities=True)
    row = standard.points.iloc[0]
    assert (row.property_id, row.building_id, row.postal_code) == (
        "10340100010023",
        "900000759J",
        "31640",
    )
    assert row.street_line == "Kotikatu 1a"
    assert standard.refusals.empty


def test_a_points_faulty_ids_are_emptied_and_test_ids_only_admitted_on_request():
    point = {"property_id": "x", "building_id": "900000759J"}
    standard = standardise(landed(point, {"building_id": "900000759K"}, kind="point"))
    assert rules(standard) == {"property_id_shape", "test_building_id", "building_id_check"}
    assert standard.points[["property_id", "building_id"]].isna().all(axis=None)


ROLE = {
    "party": "1",
    "point": "9",
    "role_type": "payer",
    "valid_from": "2020-01-01",
    "valid_to": "2026-11-01",
}


def test_a_role_ties_a_party_to_a_point_for_a_time():
    row = standardise(landed(ROLE, kind="role")).roles.iloc[0]
    assert (row.party_source_key, row.point_source_key, row.role_type) == ("1", "9", "payer")
    assert (row.valid_from, row.valid_to) == ("2020-01-01", "2026-11-01")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"role_type": "guest"}, "unknown_role_type"),
        ({"role_type": None}, "unknown_role_type"),
        ({"party": None}, "missing_party"),
        ({"point": " "}, "missing_point"),
        ({"valid_to": "2019-12-31"}, "ends_before_it_begins"),
        ({"valid_to": "31.12.2026"}, "role_date_unreadable"),
    ],
)
def test_a_role_that_cannot_be_used_is_refused(change, rule):
    standard = standardise(landed({**ROLE, **change}, kind="role"))
    assert rules(standard) == {rule} <= UNREADABLE
    assert standard.roles.empty


FINAL = {
    **ROLE,
    "final_invoice": {"line": "UUSIKATU 5", "postal_code": "30100", "post_office": "Forssa"},
}


def test_a_leaving_payers_final_address_is_the_partys_own():
    rows = pd.concat(
        [landed({"name": "Malli M", "addresses": [HOME]}), landed(FINAL, FINAL, kind="role")]
    )
    addresses = standardise(rows).addresses
    final = addresses[addresses["address_type"] == "final_invoice"]
    assert list(final["street_line"]) == ["Uusikatu 5"] * 2
    assert set(final["source_key"]) == {"1"}
    assert list(final["stated_at"]) == [THEN] * 2
    assert not addresses.duplicated(list(ADDRESSES.key)).any()


@pytest.mark.parametrize("protection", ["on", "unclear"])
def test_a_protected_payers_final_address_is_never_staged(protection):
    """R56."""
    rows = pd.concat(
        [landed({"name": "Malli M", "protection": protection}), landed(FINAL, kind="role")]
    )
    assert standardise(rows).addresses.empty


def test_a_final_address_waits_for_its_party_and_a_refused_role_states_none():
    """Without the party's record nobody knows whether it is protected (R56)."""
    assert standardise(landed(FINAL, kind="role")).addresses.empty
    refused = pd.concat(
        [landed({"name": "Malli M"}), landed({**FINAL, "point": None}, kind="role")]
    )
    assert standardise(refused).addresses.empty


def test_a_changed_party_is_read_with_its_roles_and_a_final_address_with_its_party():
    held = standardise(landed(ROLE, {**ROLE, "party": "2"}, kind="role", keys=["r1", "r2"])).roles
    by_party = companions(landed({"name": "Malli M"}, keys=["1"]), held)
    assert by_party.values.tolist() == [["registrations", "role", "r1"]]
    by_role = companions(landed({**FINAL, "party": "2"}, kind="role", keys=["r3"]), held)
    assert sorted(by_role.values.tolist()) == [
        ["registrations", "party", "2"],
        ["registrations", "role", "r2"],
    ]
    assert companions(landed(ROLE, kind="role", keys=["r1"]), held).empty
    assert companions(LANDED.empty(), ROLES.empty()).empty


def test_what_is_no_record_is_refused():
    rows = pd.concat([landed(None, ["x"]), landed({"a": 1}, kind="meter", keys=["3"])])
    standard = standardise(rows)
    assert standard.parties.empty
    assert list(standard.refusals["rule"]) == ["content_unreadable"] * 2 + ["unknown_kind"]


def test_no_records_give_empty_frames_of_the_right_shape():
    standard = standardise(LANDED.empty())
    for frame, schema in zip(
        (standard.parties, standard.addresses, standard.points, standard.roles),
        (PARTIES, ADDRESSES, POINTS, ROLES),
        strict=True,
    ):
        assert frame.empty
        assert frame.dtypes.to_dict() == schema.empty().dtypes.to_dict()
    assert list(standard.refusals.columns) == list(REFUSALS)


def test_refusals_never_hold_a_value():
    canary = "Kanarialintu"
    content = {field: f"{canary}\x00" for field in ("name", "phone", "email", "language", "www")}
    standard = standardise(
        landed({**content, "addresses": [{**HOME, "line": f"{canary}\x00"}, canary]})
    )
    assert canary not in json.dumps(standard.refusals.to_dict("list"))
    assert set(standard.refusals["reason"]) <= set(REASONS.values())


VALUE = st.none() | st.booleans() | st.integers(0, 10**6) | st.text(max_size=12) | st.lists(st.text(max_size=3), max_size=2)  # fmt: skip
CONTENT = st.dictionaries(
    st.sampled_from(
        [
            "party_type",
            "name",
            "family_name",
            "given_names",
            "organisation_name",
            "business_id",
            "phone",
            "email",
        ]
        + [
            "www",
            "protection",
            "is_deceased",
            "death_date",
            "superseded_person_keys",
            "line",
            "property_id",
        ]
        + [
            "building_id",
            "party",
            "point",
            "role_type",
            "valid_from",
            "valid_to",
            "final_invoice",
            "person_key",
        ]
    ),
    VALUE,
    max_size=8,
)
ADDRESS = st.dictionaries(
    st.sampled_from([*HOME, "street", "house", "country", "valid_from"]), VALUE
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(CONTENT, st.lists(ADDRESS, max_size=2)), min_size=1, max_size=3), st.sampled_from(["party", "point", "role"]))  # fmt: skip
def test_any_content_is_survived_and_every_record_is_somewhere(stated, kind):
    rows = landed(
        *[{**content, "addresses": addresses} for content, addresses in stated], kind=kind
    )
    standard = standardise(rows)
    frame = {"party": standard.parties, "point": standard.points, "role": standard.roles}[kind]
    refused = standard.refusals[standard.refusals["rule"].isin(UNREADABLE)]
    assert set(frame["source_key"]) | set(refused["source_key"]) == set(rows["source_key"])
    again = standardise(rows)
    pd.testing.assert_frame_equal(again.parties, standard.parties)
