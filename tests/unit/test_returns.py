"""What goes back to a register: its own records, what it states, and only where somebody knows better."""

from collections.abc import Mapping

import pandas as pd
import pytest

from pipelines.domain.extract import Contract
from pipelines.domain.returns import Terms, answered, return_rows, values_in
from pipelines.domain.schemas import ADDRESSES, GOLDEN, PARTIES, PARTY_RECORDS, PROVENANCE
from tests.unit.test_extract import HOME, party

VALUE = ("display_name", "street_line", "postal_code", "post_office", "country", "is_deceased")
OWN_MADE_OF = {
    "customer_number": ("source_key",), "field": ("field",), "value": VALUE, "source": ("source",),
    "stated_at": ("stated_at",),
}  # fmt: skip
OWN = Contract("own_register", "1", tuple(OWN_MADE_OF), OWN_MADE_OF)
OUR_TERMS = Terms("registrations", only_supplied=False, update_services=("dvv",))
THEIR_MADE_OF = {
    "record_key": ("source_key",), "field": ("field",), "value": VALUE[:-2], "why": ("source", "rule"),
}  # fmt: skip
THEIRS = Contract("municipality", "1", tuple(THEIR_MADE_OF), THEIR_MADE_OF)
THEIR_TERMS = Terms("municipality", only_supplied=True, update_services=("dvv",))
Row = Mapping[str, object]


def own_record(**fields: object) -> Row:
    base = {
        "source": "registrations",
        "source_key": "A1",
        "party_type": "person",
        "protection": "not_stated",
    }
    return {**base, "family_name": "Laine", "given_names": "Aino", **fields}


def returns(
    golden: Row,
    own: Row,
    places: list[Row] | None = None,
    returned: list[tuple[str, str, str]] | None = None,
    by: str = "dvv",
) -> dict[str, str]:
    where = places if places is not None else [{**HOME, "address_no": 1, "address_type": "postal"}]
    stated = [
        {"party_id": 1, "field": field, "value": str(value), "source": by, "source_key": "k",
         "source_time": "2026-10-01T00:00:00Z", "rule": "update_service"}
        for field, value in golden.items() if value is not None and field in PROVENANCE_FIELDS
    ]  # fmt: skip
    before = [("A1", field, value, state) for field, value, state in returned or []]
    found = return_rows(
        GOLDEN.frame([golden]),
        PROVENANCE.frame(stated),
        PARTY_RECORDS.frame([{"source": "registrations", "source_key": "A1", "party_id": 1}]),
        PARTIES.frame([own]),
        ADDRESSES.frame(
            [{"source": "registrations", "source_key": "A1", **place} for place in where]
        ),
        pd.DataFrame(before, columns=["their_key", "field", "value", "state"], dtype="str"),
        OWN,
        OUR_TERMS,
    )
    assert list(found.columns) == ["row_key", "party_id", *OWN_MADE_OF]
    assert set(found["customer_number"]) <= {"A1"}
    assert set(found["source"]) <= {by}
    return dict(zip(found["field"], found["value"], strict=True))


PROVENANCE_FIELDS = {"family_name", "given_names", "organisation_name", "is_deceased", *HOME}


def test_what_another_source_states_goes_back_in_the_parts_that_differ() -> None:
    moved = party(street_line="Rantatie 2", postal_code="00200")
    assert returns(moved, own_record()) == {"street_line": "Rantatie 2", "postal_code": "00200"}
    assert returns(moved, own_record(), by="registrations") == {}
    assert returns(party(), own_record()) == {}


def test_a_register_without_an_address_gets_the_whole_one() -> None:
    assert returns(party(), own_record(), places=[]) == {
        k: v for k, v in HOME.items() if k != "country"
    }


@pytest.mark.parametrize(
    "fields", [{"protection": "on"}, {"address_type": "contact"}, {"postal_code": None}]
)
def test_a_protected_a_contact_or_half_an_address_is_not_returned(fields: Row) -> None:
    assert returns(party(**{"street_line": "Rantatie 2", **fields}), own_record()) == {}


@pytest.mark.parametrize(
    "own",
    [
        {"family_name": "LAINE", "given_names": "aino"},
        {"family_name": "Aino", "given_names": "Laine"},
        {"given_names": "A"},
        {"given_names": "Maria"},
        {"given_names": "Aino Maria Kaarina"},
        {"given_names": None},
        {"family_name": None, "given_names": None},
    ],
)
def test_another_spelling_of_a_name_is_not_returned(own: Row) -> None:
    assert returns(party(given_names="Aino Maria"), own_record(**own)) == {}


@pytest.mark.parametrize("own", [{"family_name": "Korhonen"}, {"given_names": "Eeva"}])
def test_another_name_is_returned_whole(own: Row) -> None:
    assert returns(party(), own_record(**own)) == {"name": "Laine Aino"}


def test_a_company_that_changed_its_name_is_returned_and_a_legal_form_is_not() -> None:
    firm = {"party_type": "organisation", "family_name": None, "given_names": None}
    golden = party(**firm, organisation_name="Koivula Oy", display_name="Koivula Oy")
    assert returns(golden, own_record(**firm, organisation_name="KOIVULA AB")) == {}
    assert returns(golden, own_record(**firm, organisation_name="Kuusela Oy")) == {
        "name": "Koivula Oy"
    }


def test_a_death_and_a_death_taken_back_are_returned() -> None:
    assert returns(party(is_deceased=True), own_record()) == {"is_deceased": "true"}
    assert returns(party(is_deceased=False), own_record(is_deceased=True)) == {
        "is_deceased": "false"
    }
    assert returns(party(is_deceased=False), own_record()) == {}


@pytest.mark.parametrize("state", ["sent", "confirmed", "rejected", "overwritten"])
def test_five_nights_of_ping_pong_end_in_silence(state: str) -> None:
    """DESIGN 10: what was returned once is a steward's case, not a nightly message."""
    moved = party(street_line="Rantatie 2")
    for _ in range(5):
        assert returns(moved, own_record(), returned=[("street_line", "Rantatie 2", state)]) == {}


def test_a_partly_new_address_goes_back_whole() -> None:
    """Half of it would stand beside the other half of an older one."""
    moved = party(street_line="Rantatie 2", post_office="ESPOO")
    known = [("post_office", "ESPOO", "confirmed"), ("street_line", "Vanhatie 9", "confirmed")]
    assert returns(moved, own_record(), returned=known) == {
        "street_line": "Rantatie 2",
        "post_office": "ESPOO",
    }


@pytest.mark.parametrize(
    ("field", "told", "heard", "state"),
    [
        ("street_line", "KOTIKATU 1", None, ["confirmed"]),
        ("name", "Aino Laine", None, ["confirmed"]),
        ("street_line", "Rantatie 2", "2026-11-01", []),
        ("street_line", "Rantatie 2", "2026-11-02", ["overwritten"]),
        ("is_deceased", "true", "2026-11-02", []),
    ],
)
def test_a_return_is_confirmed_by_the_next_export_or_overwritten_by_it(
    field: str, told: str, heard: str | None, state: list[str]
) -> None:
    """DESIGN 10. Until the register has spoken again, or where it has no word for it, nothing is known."""
    sent = pd.DataFrame(
        [("A1", field, told, "sent", "2026-11-01")],
        columns=["their_key", "field", "value", "state", "business_date"],
        dtype="str",
    )
    home = {
        "source": "registrations",
        "source_key": "A1",
        "address_no": 1,
        "address_type": "postal",
    }
    places = ADDRESSES.frame([{**home, **HOME}])
    found = answered(sent, PARTIES.frame([own_record()]), places, heard, "registrations")
    assert found["state"].tolist() == state


# --- a joint controller's own records -------------------------------------------------------------------


def corrections(
    golden: Row,
    supplied: Row,
    home: Row | None = None,
    by: str = "dvv",
    contract: Contract = THEIRS,
    returned: tuple[tuple[str, str, str], ...] = (),
) -> pd.DataFrame:
    """What the municipality is told of its record H7, whose home it states as `home`."""
    stated = [
        {"party_id": 1, "field": field, "value": str(value), "source": by, "source_key": "k",
         "source_time": "2026-10-01T00:00:00Z", "rule": "update_service"}
        for field, value in golden.items() if value is not None and field in PROVENANCE_FIELDS
    ]  # fmt: skip
    record = {"source": "municipality", "source_key": "H7"}
    place = {**record, "address_no": 1, "address_type": "permanent", **(home or {})}
    before = [("H7", *told) for told in returned]
    return return_rows(
        GOLDEN.frame([golden]),
        PROVENANCE.frame(stated),
        PARTY_RECORDS.frame([{**record, "party_id": 1}]),
        PARTIES.frame([{**supplied, **record}]),
        ADDRESSES.frame([place] if home else []),
        pd.DataFrame(before, columns=["their_key", "field", "value", "state"], dtype="str"),
        contract,
        THEIR_TERMS,
    )


def told(found: pd.DataFrame) -> dict[str, str]:
    return dict(zip(found["field"], found["value"], strict=True))


HOME_IN_FINLAND = {k: v for k, v in HOME.items() if k != "country"}
MOVED = {"street_line": "Rantatie 2", "postal_code": "00200", "address_type": "permanent"}


def test_r43_a_controller_hears_of_its_error_by_its_own_key_with_the_reason() -> None:
    """R43, DESIGN 10: who told us, what is right, whose word it is and by which rule it holds."""
    found = corrections(party(**MOVED), own_record(), HOME_IN_FINLAND)
    assert found.drop(columns=["row_key", "party_id"]).to_dict("records") == [
        {"record_key": "H7", "field": "postal_code", "value": "00200", "why": "dvv: update_service"},
        {"record_key": "H7", "field": "street_line", "value": "Rantatie 2", "why": "dvv: update_service"},
    ]  # fmt: skip
    assert values_in(found, THEIRS).to_numpy().tolist() == [
        ["H7", "postal_code", "00200"],
        ["H7", "street_line", "Rantatie 2"],
    ]


@pytest.mark.parametrize("kind", ["postal", "temporary", "visiting", "contact"])
@pytest.mark.parametrize("by", ["registrations", "dvv", "notices"])
def test_where_mail_goes_is_no_correction_of_a_home(kind: str, by: str) -> None:
    elsewhere = party(**{**MOVED, "address_type": kind})
    assert told(corrections(elsewhere, own_record(), HOME_IN_FINLAND, by=by)) == {}


def test_a_home_that_only_another_controller_states_is_no_correction_of_where_mail_goes() -> None:
    moved = party(**MOVED)
    assert set(returns(moved, own_record())) == {"street_line", "postal_code"}
    assert returns(moved, own_record(), by="municipality") == {}
    assert returns(moved, own_record(), places=[], by="municipality") == {}


def test_a_field_it_left_empty_is_not_corrected() -> None:
    partly = {"street_line": "Kotikatu 1"}
    assert told(corrections(party(**MOVED), own_record(), partly)) == {"street_line": "Rantatie 2"}
    assert told(corrections(party(**MOVED), own_record(), None)) == {}
    nameless = {"party_type": "person", "family_name": None, "given_names": None}
    assert told(corrections(party(), nameless, HOME_IN_FINLAND)) == {}


def test_a_street_abroad_is_no_correction_where_no_country_is_stated() -> None:
    abroad = party(**{**MOVED, "country": "SE"})
    assert told(corrections(abroad, own_record(), HOME_IN_FINLAND)) == {}
    assert "street_line" in told(corrections(abroad, own_record(), HOME))


def test_r56_nothing_of_a_protected_person_goes_to_a_controller() -> None:
    """R56: neither address nor name, whatever else is wrong with the record."""
    hidden = party(**MOVED, protection="on", family_name="Korhonen", display_name="Korhonen Aino")
    assert told(corrections(hidden, own_record(), HOME_IN_FINLAND)) == {}
    shown = party(**MOVED, family_name="Korhonen", display_name="Korhonen Aino")
    assert set(told(corrections(shown, own_record(), HOME_IN_FINLAND))) == {
        "name",
        "street_line",
        "postal_code",
    }


def test_a_controller_is_told_of_no_death() -> None:
    with_death = Contract("m", "1", THEIRS.columns, {**THEIR_MADE_OF, "value": (*VALUE,)})
    dead = party(is_deceased=True, address_type="permanent")
    assert told(corrections(dead, own_record(), HOME_IN_FINLAND, contract=with_death)) == {}


def test_only_what_the_contracts_value_is_made_of_goes() -> None:
    names_only = Contract("m", "1", THEIRS.columns, {**THEIR_MADE_OF, "value": ("display_name",)})
    wrong = party(**MOVED, family_name="Korhonen", display_name="Korhonen Aino")
    found = corrections(wrong, own_record(), HOME_IN_FINLAND, contract=names_only)
    assert told(found) == {"name": "Korhonen Aino"}


@pytest.mark.parametrize("made_of", [{"value": ("source", "display_name")}, {"why": ("email",)}])
def test_a_contract_without_one_column_for_the_value_is_refused(
    made_of: dict[str, tuple[str, ...]],
) -> None:
    unclear = Contract("m", "1", THEIRS.columns, {**THEIR_MADE_OF, **made_of})
    with pytest.raises(KeyError, match="m: a return has one column for the value"):
        corrections(party(**MOVED), own_record(), HOME_IN_FINLAND, contract=unclear)


@pytest.mark.parametrize("state", ["sent", "confirmed", "rejected", "overwritten"])
def test_a_controller_is_told_once(state: str) -> None:
    before = (("street_line", "Rantatie 2", state), ("postal_code", "00200", state))
    found = corrections(party(**MOVED), own_record(), HOME_IN_FINLAND, returned=before)
    assert told(found) == {}


def test_a_controller_confirms_with_the_home_it_states() -> None:
    sent = pd.DataFrame(
        [("H7", "street_line", "Rantatie 2", "sent", "2026-11-01")],
        columns=["their_key", "field", "value", "state", "business_date"],
        dtype="str",
    )
    record = {"source": "municipality", "source_key": "H7"}
    people = PARTIES.frame([{**own_record(), **record}])
    states = []
    for line in ("RANTATIE 2", "Kotikatu 1"):
        home = {**record, "address_no": 1, "address_type": "permanent", "street_line": line}
        final = {**home, "address_no": 1000, "address_type": "final_invoice", "street_line": "X"}
        found = answered(sent, people, ADDRESSES.frame([final, home]), "2026-11-02", "municipality")
        states += found["state"].tolist()
    assert states == ["confirmed", "overwritten"]
