"""One golden value per field: R12 between sources, whole statements, protection over everything (R56)."""

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.restraints import as_they_stood
from pipelines.domain.schemas import ADDRESSES, GOLDEN, PARTIES, PARTY_RECORDS
from pipelines.domain.survivorship import Golden, Policy, golden

POLICY = Policy(
    own_notice=("notices", "registrations"),
    update_services=("dvv", "vendor"),
    margin_days=30,
    order=("steward", "dvv", "municipality", "vendor", "notices", "registrations"),
    address_order=("temporary", "postal", "permanent", "contact"),
)
TONIGHT = "2026-11-02"
NO_ECHOES = pd.DataFrame(columns=["source", "source_key", "field", "value"], dtype="str")
Row = Mapping[str, object]


def at(day: str) -> str:
    return f"2026-{day}T08:00:00Z"


def record(source: str, day: str = "06-01", key: str = "1", **fields: object) -> Row:
    base = {"party_type": "person", "protection": "not_stated", "superseded_person_keys": []}
    times = {"field_times": dict.fromkeys([*fields, "addresses"], at(day)), "source_time": at(day)}
    return {"source": source, "source_key": key, **base, **times, **fields}


def place(
    source: str,
    line: str,
    day: str = "06-01",
    kind: str = "postal",
    key: str = "1",
    **fields: object,
) -> Row:
    where = {
        "street_line": line,
        "postal_code": "00100",
        "post_office": "HELSINKI",
        "country": "FI",
    }
    rest = {"address_no": len(line), "address_type": kind, "stated_at": at(day)}
    return {"source": source, "source_key": key, **where, **rest, **fields}


def survive(
    records: list[Row],
    places: list[Row] | None = None,
    echoes: pd.DataFrame = NO_ECHOES,
    date: str = TONIGHT,
    spread: int = 0,
    policy: Policy = POLICY,
) -> Golden:
    parties = PARTIES.frame(records)
    members = parties[["source", "source_key"]].assign(party_id=7)
    if spread:
        members["party_id"] = parties["source_key"].astype(int) % spread
    members = PARTY_RECORDS.conform(members)
    return golden(members, parties, ADDRESSES.frame(places or []), policy, date, echoes)


def value(result: Golden, field: str) -> object:
    (row,) = result.parties.to_dict("records")
    return None if pd.isna(row[field]) else row[field]


def origin(result: Golden, field: str) -> tuple[str, str]:
    row = result.values[result.values["field"] == field].iloc[0]
    return str(row["source"]), str(row["rule"])


def echo(**fields: str) -> pd.DataFrame:
    rows = [("registrations", "1", field, told) for field, told in fields.items()]
    return pd.DataFrame(rows, columns=NO_ECHOES.columns, dtype="str")


@pytest.mark.parametrize(
    ("own", "winner", "rule"),
    [
        ("06-10", "registrations", "own_notice_newer"),
        ("05-05", "registrations", "own_notice_within_margin"),
        ("04-30", "dvv", "update_service"),
    ],
)
def test_r12_a_customers_own_notice_stands_unless_it_is_older_by_the_margin(
    own: str, winner: str, rule: str
) -> None:
    phone = {"registrations": "+358401", "dvv": "+358402"}
    found = survive(
        [record(s, d, phone=phone[s]) for s, d in (("registrations", own), ("dvv", "06-01"))]
    )
    assert value(found, "phone") == phone[winner]
    assert origin(found, "phone") == (winner, rule)


def test_what_one_source_alone_states_is_told_to_be_its_word_alone() -> None:
    """However few state it and however many other sources the customer has."""
    found = survive([record("dvv"), record("registrations"), record("vendor", phone="+358403")])
    assert origin(found, "phone") == ("vendor", "only_source")


def test_r12_of_two_own_notices_the_newest_stands_whichever_source_is_named_first() -> None:
    for newer, older in (("notices", "registrations"), ("registrations", "notices")):
        found = survive([record(newer, "06-20", phone="new"), record(older, "06-01", phone="old")])
        assert value(found, "phone") == "new"


def test_r12_holds_for_addresses_by_the_time_they_were_stated() -> None:
    people = [record("registrations"), record("dvv")]
    newer = [place("registrations", "Oma 1", "06-20"), place("dvv", "Virasto 1", "06-01")]
    older = [place("registrations", "Oma 1", "01-01"), place("dvv", "Virasto 1", "06-01")]
    assert value(survive(people, newer), "street_line") == "Oma 1"
    assert value(survive(people, older), "street_line") == "Virasto 1"


def test_r42_a_stewards_correction_outranks_everything_newer() -> None:
    found = survive(
        [
            record(s, d, phone=s)
            for s, d in (("steward", "01-01"), ("dvv", "06-01"), ("notices", "06-02"))
        ]
    )
    assert origin(found, "phone") == ("steward", "source_order")


def test_r14_between_other_sources_the_declared_order_decides_and_never_the_last_writer() -> None:
    found = survive(
        [record("vendor", "06-30", phone="late"), record("municipality", "01-01", phone="early")]
    )
    assert value(found, "phone") == "early"


def test_a_third_source_does_not_turn_two_others_round() -> None:
    """dvv stands above the municipality, a fresh notice above dvv: so above the municipality too."""
    rows = [
        record("dvv", phone="a"),
        record("municipality", phone="b"),
        record("notices", phone="c"),
    ]
    assert value(survive(rows), "phone") == "c"
    assert value(survive(rows[1:]), "phone") == "b"


def test_within_one_source_the_newest_statement_wins_then_the_smallest_key() -> None:
    rows = [record("registrations", "06-01", key=k, phone=k) for k in ("3", "2")]
    assert value(survive(rows), "phone") == "2"
    assert (
        value(survive([*rows, record("registrations", "06-02", key="9", phone="9")]), "phone")
        == "9"
    )


def test_an_untouched_value_is_as_old_as_its_first_statement() -> None:
    """A register that stamps every touched row makes nothing younger: the field's own time counts."""
    old = {
        **record("registrations", phone="own"),
        "field_times": {"phone": at("01-01")},
        "source_time": at("10-01"),
    }
    assert value(survive([old, record("dvv", phone="service")]), "phone") == "service"


def test_a_name_is_taken_whole_from_one_record() -> None:
    full = record(
        "dvv", "06-01", family_name="Laine", given_names="Aino Maria", called_name="Maria"
    )
    typed = record("registrations", "06-05", family_name="Korhonen", given_names="Aino")
    found = survive([full, typed])
    assert (value(found, "display_name"), value(found, "called_name")) == ("Korhonen Aino", None)


def test_a_way_of_billing_is_taken_whole_from_one_record() -> None:
    einvoice = record(
        "municipality",
        delivery_channel="einvoice",
        einvoice_address="003712345678",
        einvoice_operator="OP",
    )
    found = survive([einvoice, record("vendor", delivery_channel="paper")])
    assert value(found, "einvoice_operator") == "OP"
    paper = record("dvv", delivery_channel="paper")
    assert value(survive([einvoice, paper]), "einvoice_address") is None


def test_silence_is_no_statement_and_deletes_nothing() -> None:
    """R57: whoever forbids updates is simply not heard of."""
    found = survive([record("dvv", "06-01"), record("vendor", "01-01", phone="+358401")])
    assert (value(found, "phone"), origin(found, "phone")) == ("+358401", ("vendor", "only_source"))


@pytest.mark.parametrize(("date", "line"), [("2026-10-31", "Nyt 1"), ("2026-11-01", "Sitten 1")])
def test_an_address_counts_from_its_first_day_until_the_day_it_no_longer_holds(
    date: str, line: str
) -> None:
    places = [
        place("dvv", "Nyt 1", valid_to="2026-11-01"),
        place("dvv", "Sitten 1", valid_from="2026-11-01"),
    ]
    assert value(survive([record("dvv")], places, date=date), "street_line") == line


def test_the_better_address_type_wins_within_a_source_however_old() -> None:
    places = [
        place("dvv", "Koti 1", "06-30", "permanent"),
        place("dvv", "Posti 1", "01-01", "postal"),
    ]
    assert value(survive([record("dvv")], places), "street_line") == "Posti 1"


def test_a_contact_or_a_final_invoice_address_is_no_ordinary_address() -> None:
    places = [
        place("registrations", "Salainen 1", kind=k)
        for k in ("contact", "final_invoice", "visiting")
    ]
    assert value(survive([record("registrations")], places), "street_line") is None


@pytest.mark.parametrize("guardian", ["dvv", "registrations"])
def test_r56_a_protected_party_has_its_contact_address_or_none(guardian: str) -> None:
    """Any record's order holds; another source's `off` lifts nothing."""
    other = "registrations" if guardian == "dvv" else "dvv"
    people = [record(guardian, protection="on"), record(other, "06-30", protection="off")]
    home = [
        place(s, "Koti 1", kind=k)
        for s in ("dvv", "registrations")
        for k in ("postal", "permanent", "temporary")
    ]
    bare = survive(people, home)
    assert value(bare, "protection") == "on"
    assert origin(bare, "protection") == (guardian, "most_protective")
    shown = {"care_of", "street_line", "postal_code", "post_office", "country", "address_type"}
    assert all(value(bare, field) is None for field in shown)
    assert not shown & set(bare.values["field"])
    routed = survive(people, [*home, place("registrations", "PL 1", kind="contact")])
    assert value(routed, "street_line") == "PL 1"
    assert origin(routed, "street_line") == ("registrations", "protected_contact")


def test_protection_stated_off_is_off_and_silence_is_not_stated() -> None:
    assert (
        value(survive([record("dvv", protection="off"), record("vendor")]), "protection") == "off"
    )
    assert value(survive([record("vendor")]), "protection") == "not_stated"


def test_the_authoritys_word_on_death_stands_either_way() -> None:
    dead = record("municipality", is_deceased=True, death_date="2026-05-05")
    found = survive([dead, record("vendor", is_deceased=False)])
    assert (value(found, "is_deceased"), value(found, "death_date")) == (True, "2026-05-05")
    taken_back = survive([dead, record("dvv", "01-01", is_deceased=False)])
    assert (value(taken_back, "is_deceased"), value(taken_back, "death_date")) == (False, None)
    assert origin(taken_back, "is_deceased") == ("dvv", "death_authority")


def test_hearsay_of_a_death_makes_nobody_dead_by_itself() -> None:
    """Whoever is no authority may be wrong; another's word on the death still counts."""
    policy = replace(POLICY, death_hearsay=("vendor",))
    heard = record("vendor", is_deceased=True, death_date="2026-05-05")
    assert value(survive([record("registrations"), heard], policy=policy), "is_deceased") is None
    others = [heard, record("municipality", is_deceased=True, death_date="2026-05-04")]
    assert value(survive(others, policy=policy), "death_date") == "2026-05-04"
    assert value(survive([heard]), "is_deceased") is True


def test_an_echo_of_what_we_told_is_no_statement_of_its_own() -> None:
    """DESIGN 10: confirmed, never a new source time. dvv moves on; the echo of its old word stays behind."""
    people = [record("registrations"), record("dvv")]
    places = [place("registrations", "Vanha 1", "10-30"), place("dvv", "Uusi 2", "10-20")]
    told = echo(street_line="Vanha 1", postal_code="00100")
    assert value(survive(people, places), "street_line") == "Vanha 1"
    assert value(survive(people, places, told), "street_line") == "Uusi 2"
    assert (
        value(
            survive(people, places, echo(street_line="Vanha 1", postal_code="00200")), "street_line"
        )
        == "Vanha 1"
    )


def test_an_echo_nobody_else_states_is_better_than_nothing() -> None:
    places = [place("registrations", "Vanha 1")]
    found = survive([record("registrations"), record("dvv")], places, echo(street_line="Vanha 1"))
    assert value(found, "street_line") == "Vanha 1"


def test_a_name_that_came_back_is_an_echo_however_it_was_taken_apart() -> None:
    own = record("registrations", "10-01", family_name="Garcia", given_names="Lopez Maria")
    service = record("dvv", "06-01", family_name="Lopez", given_names="Maria Carmen")
    told = echo(name="GARCIA Lopez Maria")
    assert value(survive([own, service]), "family_name") == "Garcia"
    assert value(survive([own, service], echoes=told), "family_name") == "Lopez"


def restricted(was: Golden, now: Golden) -> Golden:
    return as_they_stood(now, was.parties, was.values, {7})


def test_r45_no_source_overwrites_what_is_held_of_a_restricted_party() -> None:
    was = survive(
        [record("dvv", phone="+358401", email="a@b.invalid")], [place("dvv", "Rantatie 5")]
    )
    now = survive([record("dvv", "07-01", phone="+358402")], [place("dvv", "Kotikatu 1")])
    stays = restricted(was, now)
    pd.testing.assert_frame_equal(stays.parties, was.parties)
    pd.testing.assert_frame_equal(
        stays.values, was.values.sort_values(["party_id", "field"], ignore_index=True)
    )
    pd.testing.assert_frame_equal(
        as_they_stood(now, was.parties, was.values, {8}).parties, now.parties
    )


def test_r45_of_two_parties_the_other_follows_its_sources() -> None:
    was = survive(
        [record("dvv", key="1", phone="+1"), record("dvv", key="2", phone="+2")], spread=10
    )
    now = survive(
        [record("dvv", key="1", phone="+3"), record("dvv", key="2", phone="+4")], spread=10
    )
    found = as_they_stood(now, was.parties, was.values, {1, 5})
    assert list(found.parties["phone"]) == ["+1", "+4"]
    phones = found.values[found.values["field"] == "phone"]
    assert list(phones["value"]) == ["+1", "+4"]


def test_r45_r56_a_new_order_hides_the_address_of_a_restricted_party_and_none_is_lifted() -> None:
    was = survive([record("dvv", phone="+358401")], [place("dvv", "Rantatie 5")])
    ordered = survive(
        [record("dvv", phone="+358402", protection="on")],
        [place("dvv", "Kotikatu 1"), place("dvv", "PL 7", kind="contact")],
    )
    hidden = restricted(was, ordered)
    assert [value(hidden, f) for f in ("street_line", "address_type", "protection", "phone")] == [
        "PL 7", "contact", "on", "+358401",
    ]  # fmt: skip
    assert value(hidden, "row_hash") not in (value(was, "row_hash"), value(ordered, "row_hash"))
    told = hidden.values.set_index("field")["value"]
    assert (told["street_line"], told["protection"], told["phone"]) == ("PL 7", "on", "+358401")
    lifted = restricted(
        hidden, survive([record("dvv", protection="off")], [place("dvv", "Uusi 1")])
    )
    assert value(lifted, "protection") == "on" and value(lifted, "street_line") == "PL 7"


def test_a_contact_person_is_called_by_their_own_name() -> None:
    contact = record("dvv", family_name="Laine", given_names="Aino", organisation_name="Koivula Oy")
    assert value(survive([contact]), "display_name") == "Laine Aino"
    firm = record("dvv", party_type="organisation", organisation_name="Koivula Oy")
    assert value(survive([firm]), "display_name") == "Koivula Oy"


def test_every_golden_value_has_one_origin() -> None:
    found = survive(
        [
            record("dvv", phone="p", family_name="Laine"),
            record("registrations", email="e@example.invalid"),
        ],
        [place("registrations", "Oma 1")],
    )
    row = found.parties.iloc[0].drop(["party_id", "display_name", "row_hash"]).dropna()
    assert set(found.values["field"]) == set(row.index) - {"protection"}
    assert not found.values.duplicated(["party_id", "field"]).any()
    assert found.values["source_time"].notna().all()


def test_the_row_hash_changes_with_a_value_and_not_with_its_origin() -> None:
    one = survive([record("dvv", phone="p")]).parties
    assert (
        one["row_hash"].item() == survive([record("vendor", phone="p")]).parties["row_hash"].item()
    )
    assert one["row_hash"].item() != survive([record("dvv", phone="q")]).parties["row_hash"].item()


def test_no_records_make_no_parties() -> None:
    found = survive([])
    assert found.parties.empty and found.values.empty
    assert tuple(found.parties.columns) == GOLDEN.columns


SOURCES = st.sampled_from(POLICY.order)
DAYS = st.sampled_from(["01-01", "05-20", "06-01", "06-15"])
RECORDS = st.lists(
    st.builds(
        lambda source, day, **fields: record(source, day, **fields),
        SOURCES,
        DAYS,
        phone=st.sampled_from([None, "1", "2"]),
        family_name=st.sampled_from([None, "Laine", "Salo"]),
        protection=st.sampled_from(["on", "off", "not_stated", "not_stated"]),
        is_deceased=st.sampled_from([None, True, False]),
    ),
    min_size=1,
    max_size=16,
)
LINES = st.lists(
    st.tuples(
        st.integers(0, 15), st.sampled_from(["A 1", "B 22", "C 333"]), DAYS,
        st.sampled_from(["postal", "permanent", "contact"]),
    ),
    max_size=16,
    unique_by=lambda line: (line[0], line[1]),
)  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(RECORDS, LINES, st.randoms())
def test_r12_golden_values_do_not_depend_on_the_order_of_arrival(
    rows: list[Row], lines: list[tuple[int, str, str, str]], random: Random
) -> None:
    people = [{**row, "source_key": str(n)} for n, row in enumerate(rows)]
    places = [
        place(str(people[n]["source"]), line, day, kind, key=str(n))
        for n, line, day, kind in lines
        if n < len(people)
    ]
    expected = survive(people, places, spread=4)
    random.shuffle(people)
    random.shuffle(places)
    found = survive(people, places, spread=4)
    pd.testing.assert_frame_equal(found.parties, expected.parties)
    pd.testing.assert_frame_equal(found.values, expected.values)
