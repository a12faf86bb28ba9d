"""What leaves the house: the contract's columns, what is new, and nothing that tells of protection."""

from collections.abc import Mapping

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.extract import (
    BILLING_COLUMNS,
    Contract,
    Rows,
    billing_events,
    billing_rows,
)
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
)

TONIGHT = "2026-11-02"
FINANCE = Contract("finance", "1", BILLING_COLUMNS)
HOME = {
    "street_line": "Kotikatu 1",
    "postal_code": "00100",
    "post_office": "HELSINKI",
    "country": "FI",
}
Row = Mapping[str, object]


def party(number: int = 1, **fields: object) -> Row:
    base = {
        "party_id": number, "party_type": "person", "display_name": "Laine Aino", "family_name": "Laine",
        "given_names": "Aino", "delivery_channel": "paper", "protection": "not_stated",
        "address_type": "postal", **HOME,
    }  # fmt: skip
    return {**base, **fields}


def role(number: int = 1, point: int = 1, **fields: object) -> Row:
    base = {
        "source": "registrations",
        "source_key": f"{number}/{point}",
        "party_id": number,
        "point_id": point,
    }
    return {**base, "role_type": "payer", "valid_from": "2026-01-01", **fields}


def address(number: int, line: str, kind: str) -> Row:
    where = {**HOME, "street_line": line, "address_no": 1, "address_type": kind}
    return {"party_id": number, **where}


def of_parties(addresses: list[Row]) -> pd.DataFrame:
    rows = [{k: v for k, v in row.items() if k != "party_id"} for row in addresses]
    return ADDRESSES.frame(rows).assign(
        party_id=pd.array([a["party_id"] for a in addresses], dtype="Int64")
    )


def bills(
    parties: list[Row],
    roles: list[Row],
    contacts: list[Row] | None = None,
    finals: list[Row] | None = None,
    date: str = TONIGHT,
    held: tuple[int, ...] = (),
) -> Rows:
    points = GOLDEN_POINTS.frame([{"point_id": n, "point_ref": f"KP{n}"} for n in (1, 2, 3)])
    return billing_rows(
        GOLDEN.frame(parties), of_parties(contacts or []), GOLDEN_ROLES.frame(roles), points,
        of_parties(finals or []), date, held,
    )  # fmt: skip


def only(rows: pd.DataFrame) -> dict[str, str]:
    (row,) = rows.to_dict("records")
    return {str(k): v for k, v in row.items()}


def reasons(rows: Rows) -> list[tuple[int, str]]:
    return [(int(p), str(r)) for p, r in rows.held.itertuples(index=False)]


def redirects(**into: int) -> pd.DataFrame:
    pairs = [(int(party[1:]), target) for party, target in into.items()]
    return pd.DataFrame(pairs, columns=["party_id", "into_party_id"], dtype="Int64")


def events(rows: Rows, told: pd.DataFrame, into: pd.DataFrame | None = None) -> pd.DataFrame:
    where = redirects() if into is None else into
    return billing_events(rows.rows, told, where, FINANCE, rows.endings, rows.held, TONIGHT)


def telling(*nights: pd.DataFrame) -> pd.DataFrame:
    """What the recipient knows after these nights' events: the last row told under each key."""
    every = pd.concat([pd.DataFrame(columns=["row_key", "party_id", *BILLING_COLUMNS]), *nights])
    last = every.drop_duplicates("row_key", keep="last").reset_index(drop=True)
    return last[["row_key", "party_id"]].assign(row=last[[*BILLING_COLUMNS]].to_dict("records"))


def told_by(found: pd.DataFrame) -> list[tuple[str, str]]:
    return list(zip(found["event"], found["row_key"], strict=True))


def test_a_payer_is_told_with_name_address_and_point() -> None:
    row = only(events(bills([party()], [role()]), telling()))
    assert {k: v for k, v in row.items() if v != ""} == {
        "row_key": "000001-000001", "party_id": 1, "event": "new", "customer_number": "000001",
        "party_kind": "person", "invoice_name": "Laine Aino", **HOME, "delivery_channel": "paper",
        "point_ref": "KP1", "valid_from": "2026-01-01", "customer_state": "paying",
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_from": "2026-11-03"},
        {"valid_to": TONIGHT},
        {"role_type": "holder"},
        {"role_type": "owner"},
    ],
)
def test_only_payers_of_the_day_are_billed(fields: Row) -> None:
    assert bills([party()], [role(**fields)]).rows.empty


def test_two_roles_of_one_payer_at_one_point_are_one_row() -> None:
    twice = [
        role(valid_from="2026-03-01"),
        {**role(valid_from="2026-02-01"), "source_key": "again"},
    ]
    assert only(bills([party()], twice).rows)["valid_from"] == "2026-02-01"


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"delivery_channel": "email", "email": "a@example.invalid"}, ("a@example.invalid", "")),
        (
            {
                "delivery_channel": "einvoice",
                "einvoice_address": "003712345678",
                "einvoice_operator": "OP",
            },
            ("003712345678", "OP"),
        ),
        ({"delivery_channel": "portal", "email": "a@example.invalid"}, ("", "")),
    ],
)
def test_an_address_is_told_on_paper_only(fields: Row, shown: tuple[str, str]) -> None:
    row = only(bills([party(**fields)], [role()]).rows)
    assert (row["channel_address"], row["channel_operator"]) == shown
    assert {row[name] for name in HOME} == {""}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"street_line": None}, "no_address"),
        ({"postal_code": None}, "no_address"),
        ({"delivery_channel": None, "post_office": None}, "no_address"),
        ({"delivery_channel": "einvoice", "einvoice_address": "0037"}, "no_einvoice_address"),
        ({"delivery_channel": "email"}, "no_email"),
        ({"display_name": None}, "no_name"),
        ({"protection": "on"}, "protected_no_route"),
        (
            {"protection": "on", "address_type": "contact", "postal_code": None},
            "protected_no_route",
        ),
    ],
)
def test_who_cannot_be_reached_is_held_with_a_reason(fields: Row, reason: str) -> None:
    found = bills([party(**fields)], [role()])
    assert found.rows.empty
    assert reasons(found) == [(1, reason)]


def test_an_address_abroad_may_lack_a_postal_code() -> None:
    assert len(bills([party(country="IE", postal_code=None)], [role()]).rows) == 1


def test_r45_a_restricted_customer_is_held_and_counted() -> None:
    assert reasons(bills([party()], [role()], held=(1,))) == [(1, "restricted")]


def test_a_role_without_its_point_or_its_party_is_held_never_dropped() -> None:
    found = bills([party()], [role(point=9), role(5)])
    assert reasons(found) == [(1, "no_point"), (5, "no_golden_record")]


def test_a_business_id_is_told_of_organisations_only() -> None:
    firm = party(2, party_type="organisation", display_name="Koivula Oy", business_id="0000001-9")
    found = bills([party(business_id="0000001-9"), firm], [role(1), role(2)]).rows
    assert found["business_id"].tolist() == ["", "0000001-9"]


def test_a_death_estate_is_billed_as_one() -> None:
    estate = only(bills([party(name_role="death_estate")], [role()]).rows)
    assert estate["invoice_name"] == "Laine Aino kuolinpesä"


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["paper", "einvoice", "email", "portal", None]),
    st.sampled_from(["postal", "permanent", "temporary", None]),
    st.booleans(),
    st.booleans(),
)
def test_a_protected_address_is_never_staged(
    channel: str | None, kind: str | None, has_contact: bool, has_ended: bool
) -> None:
    """R56: neither as the ordinary nor as the final-invoice address, whatever the register holds."""
    hidden = party(
        protection="on", delivery_channel=channel, address_type=kind, email="a@example.invalid"
    )
    contacts = [address(1, "PL 1", "contact")] if has_contact else []
    contacts.append(address(2, "Kotikatu 1", "contact"))
    finals = [address(1, "Kotikatu 1", "final_invoice")]
    payer = role(valid_to="2026-06-01") if has_ended else role()
    found = bills([hidden], [payer], contacts, finals)
    everything = found.rows.to_csv() + found.endings.to_csv()
    assert "Kotikatu" not in everything
    if has_contact and channel in ("paper", None) and not has_ended:
        assert only(found.rows)["street_line"] == "PL 1"


def test_a_protected_customer_with_a_route_looks_like_any_other() -> None:
    routed = party(protection="on", address_type="contact", street_line="PL 1")
    plain = party(street_line="PL 1")
    pd.testing.assert_frame_equal(bills([routed], [role()]).rows, bills([plain], [role()]).rows)


PEOPLE = st.lists(
    st.builds(
        dict,
        delivery_channel=st.sampled_from(["paper", "email", "portal"]),
        email=st.sampled_from([None, "a@example.invalid"]),
        protection=st.sampled_from(["on", "off", "not_stated"]),
        street_line=st.sampled_from([None, "Kotikatu 1", "Rantatie 2"]),
    ),
    min_size=2,
    max_size=5,
)


@settings(max_examples=15, deadline=None)
@given(PEOPLE, st.data())
def test_one_customers_protection_changes_nobody_elses_row_or_place(
    rows: list[dict[str, object]], data: st.DataObject
) -> None:
    """R56, PRIVACY §3: toggling the order changes no byte of any other row."""
    chosen = data.draw(st.integers(1, len(rows)))
    shown = []
    for protection in ("on", "off"):
        people = [party(n, **row) for n, row in enumerate(rows, start=1)]
        people[chosen - 1] = {**people[chosen - 1], "protection": protection}
        found = events(bills(people, [role(n) for n in range(1, len(rows) + 1)]), telling())
        shown.append(found[found["party_id"] != chosen].to_csv(index=False))
    assert shown[0] == shown[1]


TOLD = {
    "party_id", "party_type", "display_name", "name_role", "business_id", "email", "delivery_channel",
    "einvoice_address", "einvoice_operator", "protection", "care_of", *HOME, "address_type",
}  # fmt: skip


@pytest.mark.parametrize("column", sorted(set(GOLDEN.columns) - TOLD))
def test_no_other_column_of_the_register_touches_the_extract(column: str) -> None:
    """Non-interference (PRIVACY §4): what the contract does not name leaves no trace."""
    people = GOLDEN.frame([party(1), party(2, delivery_channel="email", email="a@example.invalid")])
    other = True if column == "is_deceased" else "scrambled"
    scrambled = GOLDEN.conform(people.assign(**{column: other}))
    plain, changed = (
        bills(frame.to_dict("records"), [role(1), role(2)]) for frame in (people, scrambled)
    )
    pd.testing.assert_frame_equal(plain.rows, changed.rows)


@settings(max_examples=15, deadline=None)
@given(
    st.permutations(BILLING_COLUMNS).flatmap(
        lambda c: st.integers(1, len(c)).map(lambda n: tuple(c[:n]))
    )
)
def test_an_extract_never_has_a_column_outside_its_contract(columns: tuple[str, ...]) -> None:
    contract = Contract("finance", "1", columns)
    found = billing_events(bills([party()], [role()]).rows, telling(), redirects(), contract)
    assert tuple(found.columns) == ("row_key", "party_id", *columns)


def test_a_contract_for_what_the_extract_has_not_is_refused() -> None:
    with pytest.raises(KeyError, match="phone"):
        billing_events(
            bills([], []).rows, telling(), redirects(), Contract("finance", "1", ("phone",))
        )


def test_a_quiet_night_tells_nothing() -> None:
    tonight = bills([party()], [role()])
    assert events(tonight, telling(events(tonight, telling()))).empty


def test_a_changed_column_is_told_and_the_register_alone_is_not() -> None:
    known = telling(events(bills([party()], [role()]), telling()))
    moved = bills([party(street_line="Rantatie 2")], [role()])
    assert told_by(events(moved, known)) == [("changed", "000001-000001")]
    assert events(bills([party(phone="+358401234567")], [role()]), known).empty
    assert events(bills([party()], [role(valid_from="2025-01-01")]), known).empty


def test_an_ended_payer_is_told_once_with_the_final_invoice_address() -> None:
    known = telling(events(bills([party()], [role()]), telling()))
    over = bills(
        [party()], [role(valid_to="2026-10-31")], finals=[address(1, "Uusikatu 3", "final_invoice")]
    )
    found = events(over, known)
    assert {k: v for k, v in only(found).items() if v != ""} == {
        "row_key": "000001-000001", "party_id": 1, "event": "ended", "customer_number": "000001",
        "point_ref": "KP1", "ended_on": "2026-10-31", "final_invoice_line": "Uusikatu 3",
        "final_invoice_postal_code": "00100", "final_invoice_post_office": "HELSINKI",
        "customer_state": "ended",
    }  # fmt: skip
    assert events(over, telling(found)).empty
    assert events(over, telling()).empty
    assert told_by(events(bills([party()], [role()]), telling(found))) == [("new", "000001-000001")]


def test_a_held_customers_row_stays_as_it_was_told() -> None:
    known = telling(events(bills([party()], [role()]), telling()))
    assert events(bills([party(street_line=None)], [role()]), known).empty
    assert events(bills([party()], [role()], held=(1,)), known).empty


def test_a_merged_payer_is_told_once_and_goes_on_under_the_other_number() -> None:
    known = telling(events(bills([party(2)], [role(2)]), telling()))
    merged = bills([party(1)], [role(1)])
    into = redirects(p2=3, p3=1)
    found = events(merged, known, into)
    assert told_by(found) == [("new", "000001-000001"), ("merged", "000002-000001")]
    assert found["merged_into"].tolist() == ["", "000001"]
    assert found["invoice_name"].tolist() == ["Laine Aino", ""]
    after = telling(known_rows(known), found)
    assert events(merged, after, into).empty
    split = bills([party(2)], [role(2)])
    assert told_by(events(split, after)) == [("ended", "000001-000001"), ("split", "000002-000001")]


def known_rows(told: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([told[["row_key", "party_id"]], pd.DataFrame(list(told["row"]))], axis=1)


def test_a_payer_whose_role_ended_in_the_night_of_a_merge_is_told_as_ended() -> None:
    known = telling(events(bills([party(2)], [role(2)]), telling()))
    over = bills([party(1)], [role(1, valid_to="2026-10-31")])
    found = events(over, known, redirects(p2=1))
    assert told_by(found) == [("ended", "000002-000001")]
    assert found["customer_number"].tolist() == ["000002"]


def test_a_point_that_goes_to_another_payer_is_not_billed_twice() -> None:
    known = telling(events(bills([party(1)], [role(1)]), telling()))
    moved = bills([party(1), party(2)], [role(2)])
    found = events(moved, known)
    assert told_by(found) == [("ended", "000001-000001"), ("new", "000002-000001")]
    assert found["ended_on"].tolist() == [TONIGHT, ""]


@settings(max_examples=15, deadline=None)
@given(st.permutations([1, 2, 3]), st.permutations([1, 2, 3]))
def test_the_order_of_rows_tells_nothing(parties: list[int], roles: list[int]) -> None:
    people = [
        party(n, protection="on" if n == 2 else "off", address_type="contact") for n in parties
    ]
    found = events(bills(people, [role(n) for n in roles]), telling())
    assert found["row_key"].tolist() == sorted(found["row_key"])


def state_of(found: pd.DataFrame) -> list[tuple[str, str, str]]:
    return list(zip(found["event"], found["row_key"], found["customer_state"], strict=True))


def test_a_customer_is_over_only_when_it_pays_for_no_point_any_more() -> None:
    both = [role(), role(point=2)]
    known = telling(events(bills([party()], both), telling()))
    one_over = bills([party()], [role(valid_to="2026-10-31"), role(point=2)])
    first = events(one_over, known)
    assert state_of(first) == [("ended", "000001-000001", "paying")]
    known = telling(events(bills([party()], both), telling()), first)
    all_over = bills([party()], [role(valid_to="2026-10-31"), role(point=2, valid_to="2026-10-31")])
    assert state_of(events(all_over, known)) == [("ended", "000001-000002", "ended")]


def test_a_customer_whose_other_point_is_held_is_not_over() -> None:
    known = telling(events(bills([party()], [role(), role(point=2)]), telling()))
    night = bills([party()], [role(valid_to="2026-10-31"), role(point=2)], held=(1,))
    assert state_of(events(night, known)) == [("ended", "000001-000001", "paying")]


def test_a_merged_customer_is_over_and_its_heir_is_not() -> None:
    known = telling(events(bills([party(1), party(2)], [role(1), role(2, 2)]), telling()))
    night = bills([party(1)], [role(1), role(1, 2)])
    assert state_of(events(night, known, redirects(p2=1))) == [
        ("new", "000001-000002", "paying"),
        ("merged", "000002-000002", "ended"),
    ]


@pytest.mark.parametrize(
    ("before", "now", "withdrawn"),
    [
        ({}, {"delivery_channel": "email", "email": "a@example.org"}, "street_line postal_code post_office country"),
        ({"delivery_channel": "email", "email": "a@example.org"}, {}, "email"),
        (
            {"delivery_channel": "einvoice", "einvoice_address": "003799", "einvoice_operator": "BANK"},
            {"delivery_channel": "email", "email": "a@example.org"},
            "einvoice_address einvoice_operator",
        ),
        ({}, {"country": "SE", "postal_code": None}, "postal_code"),
        ({}, {"street_line": "Toinentie 2"}, ""),
    ],
)  # fmt: skip
def test_what_was_told_and_holds_no_longer_is_withdrawn_by_name(
    before: Row, now: Row, withdrawn: str
) -> None:
    known = telling(events(bills([party(**before)], [role()]), telling()))
    row = only(events(bills([party(**now)], [role()]), known))
    assert (row["event"], row["withdrawn"]) == ("changed", withdrawn)


def test_nothing_is_withdrawn_from_somebody_who_was_never_told() -> None:
    assert only(events(bills([party()], [role()]), telling()))["withdrawn"] == ""
