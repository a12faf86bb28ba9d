"""Whom a register may be asked about by name and address, whatever stands in the register."""

from collections.abc import Mapping

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.asking import people_to_ask
from pipelines.domain.schemas import GOLDEN, PARTY_RECORDS

PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "party_type": st.sampled_from(["person", "organisation", None]),
            "protection": st.sampled_from(["on", "off", "not_stated", None]),
            "is_deceased": st.sampled_from([True, False, None]),
            "name_role": st.sampled_from([None, "death_estate"]),
            "address_type": st.sampled_from(
                ["postal", "permanent", "temporary", "contact", "visiting", None]
            ),
            "country": st.sampled_from(["FI", "SE", None]),
            "family_name": st.sampled_from(["Lintu", None]),
            "street_line": st.sampled_from(["Tie 1", None]),
            "postal_code": st.just("31640"),
        }
    ),
    max_size=12,
)


def ask(
    people: list[Mapping[str, object]],
    barred: set[int] = frozenset(),  # type: ignore[assignment]
    asked: Mapping[int, str] | None = None,
    before: str = "2026-10-01",
) -> pd.DataFrame:
    customers = GOLDEN.frame([{**p, "party_id": n} for n, p in enumerate(people)])
    own = PARTY_RECORDS.frame(
        [
            {"source": "registrations", "source_key": f"{n:03}", "party_id": n}
            for n in range(len(people))
        ]
    )
    known = [
        {"own_key": f"{n:03}", "reference": f"r{n}", "asked_on": day}
        for n, day in (asked or {}).items()
    ]
    frame = pd.DataFrame(known, columns=["own_key", "reference", "asked_on"], dtype="str")
    return people_to_ask(customers, own, frame, barred, before)


@given(people=PEOPLE, barred=st.sets(st.integers(0, 11)))
def test_r56_whoever_is_asked_about_is_a_living_person_under_no_order_with_a_home_in_finland(
    people: list[Mapping[str, object]], barred: set[int]
) -> None:
    found = ask(people, barred)
    assert list(found["party_id"]) == [
        n
        for n, p in enumerate(people)
        if n not in barred
        and p["party_type"] == "person"
        and p["protection"] in ("off", "not_stated")
        and p["is_deceased"] is not True
        and p["name_role"] is None
        and p["address_type"] in ("postal", "permanent", "temporary")
        and p["country"] != "SE"
        and p["family_name"] is not None
        and p["street_line"] is not None
    ]


ORDINARY = {
    "party_type": "person", "protection": "off", "address_type": "postal", "family_name": "Lintu",
    "street_line": "Tie 1", "postal_code": "31640",
}  # fmt: skip


def test_who_was_asked_about_since_is_not_due_and_keeps_the_reference_when_it_is() -> None:
    asked = {0: "2026-10-01", 1: "2026-10-02", 2: "2026-09-01"}
    found = ask([ORDINARY] * 4, asked=asked).set_index("own_key")["reference"]
    assert list(found.index) == ["000", "002", "003"]
    assert [*found[["000", "002"]], bool(found.isna()["003"])] == ["r0", "r2", True]


def test_a_party_of_two_numbers_goes_by_the_one_that_has_a_reference() -> None:
    customers = GOLDEN.frame([{**ORDINARY, "party_id": 1}])
    own = PARTY_RECORDS.frame(
        [{"source": "registrations", "source_key": k, "party_id": 1} for k in ("100", "200")]
    )
    asked = pd.DataFrame({"own_key": ["200"], "reference": ["r"], "asked_on": ["2026-01-01"]})
    found = people_to_ask(customers, own, asked, (), "2026-10-01")
    assert found[["own_key", "reference"]].to_dict("records") == [
        {"own_key": "200", "reference": "r"}
    ]
    recent = asked.assign(asked_on="2026-10-20")
    assert people_to_ask(customers, own, recent, (), "2026-10-01").empty
