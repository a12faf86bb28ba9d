"""Ours and theirs side by side: what changed, who says what, what an order hides."""

from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.comparison import COMPARED, changed_fields, compare
from pipelines.domain.schemas import ADDRESSES, GOLDEN, PARTIES, PROVENANCE

ORDER = ("postal", "temporary", "permanent", "visiting", "contact")
TODAY = "2026-11-02"


def golden(**fields: Any) -> pd.DataFrame:
    return GOLDEN.frame([{"party_id": 7, "party_type": "person", "row_hash": "x"} | fields])


def party(source: str, key: str = "a", **fields: Any) -> dict[str, Any]:
    return {"source": source, "source_key": key} | fields


def address(source: str, line: str, kind: str = "permanent", **fields: Any) -> dict[str, Any]:
    told = {"source": source, "source_key": "a", "address_no": 0, "address_type": kind}
    return told | {"street_line": line} | fields


def beside(
    before: pd.DataFrame,
    now: pd.DataFrame,
    parties: list[dict[str, Any]] | None = None,
    addresses: list[dict[str, Any]] | None = None,
    values: list[dict[str, Any]] | None = None,
) -> pd.DataFrame:
    return compare(
        before,
        now,
        PROVENANCE.frame([{"party_id": 7} | v for v in values or []]),
        PARTIES.frame(parties or []).assign(party_id=7),
        ADDRESSES.frame(addresses or []).assign(party_id=7),
        address_order=ORDER,
        business_date=TODAY,
    )


def row(compared: pd.DataFrame, field: str) -> pd.Series:
    (found,) = [r for _, r in compared[compared["field"] == field].iterrows()]
    return found


def test_a_move_is_seen_with_who_told_it_and_why_it_won() -> None:
    compared = beside(
        golden(street_line="Vanhatie 1"),
        golden(street_line="Uusitie 2"),
        addresses=[address("registrations", "Vanhatie 1"), address("dvv", "Uusitie 2")],
        values=[{"field": "street_line", "source": "dvv", "rule": "update_service"}],
    )
    line = row(compared, "street_line")
    assert (line["before"], line["now"]) == ("Vanhatie 1", "Uusitie 2")
    assert line["says"] == {"dvv": ["Uusitie 2"], "registrations": ["Vanhatie 1"]}
    assert (line["source"], line["rule"]) == ("dvv", "update_service")
    assert changed_fields(compared) == {7: ["street_line"]}


def test_what_nobody_ever_said_is_not_shown() -> None:
    compared = beside(golden(phone="+358501"), golden(phone="+358501"))
    assert set(compared["field"]) == {"party_type", "phone"}
    assert changed_fields(compared) == {}


def test_a_statement_that_did_not_win_is_shown_though_the_register_holds_none() -> None:
    compared = beside(golden(), golden(), [party("ytj", company_situation="bankruptcy")])
    told = row(compared, "company_situation")
    assert told["says"] == {"ytj": ["bankruptcy"]}
    assert pd.isna(told["now"])
    assert not told["is_changed"]


def test_two_records_of_one_source_may_say_two_things() -> None:
    parties = [party("registrations", key, phone=p) for key, p in (("1", "+3581"), ("2", "+3582"))]
    compared = beside(golden(), golden(), [*parties, party("registrations", "3", phone="+3581")])
    assert row(compared, "phone")["says"] == {"registrations": ["+3581", "+3582"]}


def test_a_death_and_its_reversal_read_the_same_on_both_sides() -> None:
    compared = beside(
        golden(is_deceased=True), golden(is_deceased=False), [party("dvv", is_deceased=False)]
    )
    told = row(compared, "is_deceased")
    assert (told["before"], told["now"], told["says"]) == ("true", "false", {"dvv": ["false"]})


def test_a_source_that_is_silent_about_an_order_states_nothing() -> None:
    compared = beside(golden(), golden(), [party("dvv", protection="not_stated")])
    assert "protection" not in set(compared["field"])


def test_of_a_source_the_address_for_the_bill_on_the_day_is_shown() -> None:
    compared = beside(
        golden(),
        golden(),
        addresses=[
            address("dvv", "Kotitie 1", "permanent"),
            address("dvv", "PL 7", "postal", address_no=1),
            address("dvv", "Ennen 1", "postal", address_no=2, valid_to=TODAY),
            address("dvv", "Vasta 1", "postal", address_no=3, valid_from="2026-11-03"),
            address("dvv", "Yhteys 1", "contact", address_no=4),
        ],
    )
    assert row(compared, "street_line")["says"] == {"dvv": ["PL 7"]}


def test_r56_an_order_given_today_hides_the_home_that_was_known_and_every_statement_of_it() -> None:
    compared = beside(
        golden(street_line="Kotitie 1", postal_code="31640", address_type="permanent"),
        golden(protection="on"),
        [party("dvv", protection="on")],
        [address("registrations", "Kotitie 1", postal_code="31640")],
    )
    assert "Kotitie 1" not in compared.to_json()
    assert "31640" not in compared.to_json()
    assert changed_fields(compared) == {
        7: ["protection", "street_line", "postal_code", "address_type"]
    }


def test_r56_the_contact_address_of_a_protected_customer_is_shown() -> None:
    contact = {"street_line": "PL 9", "address_type": "contact"}
    compared = beside(
        golden(protection="on", **contact),
        golden(protection="on", **contact),
        addresses=[
            address("registrations", "PL 9", "contact"),
            address("registrations", "Kotitie 1", address_no=1),
        ],
    )
    line = row(compared, "street_line")
    assert (line["before"], line["now"]) == ("PL 9", "PL 9")
    assert line["says"] == {"registrations": ["PL 9"]}


texts = st.none() | st.text("abc", min_size=1, max_size=2)


@settings(deadline=None)
@given(
    was=st.fixed_dictionaries({"phone": texts, "street_line": texts}),
    now=st.fixed_dictionaries({"phone": texts, "street_line": texts}),
    said=texts,
)
def test_exactly_the_fields_that_differ_have_changed_whatever_sources_say(
    was: dict[str, Any], now: dict[str, Any], said: str | None
) -> None:
    compared = beside(golden(**was), golden(**now), [party("dvv", phone=said)])
    expected = [name for name in COMPARED if was.get(name) != now.get(name)]
    assert changed_fields(compared).get(7, []) == expected
    assert not compared.duplicated(["party_id", "field"]).any()


@settings(deadline=None)
@given(st.sampled_from(["permanent", "postal", "temporary", "visiting", "final_invoice"]))
def test_r56_no_kind_of_address_but_contact_is_shown_of_a_protected_customer(kind: str) -> None:
    compared = beside(
        golden(street_line="Kotitie 1", address_type=kind),
        golden(protection="on"),
        addresses=[address("dvv", "Kotitie 1", kind)],
    )
    assert "Kotitie 1" not in compared.to_json()
