"""Exact keys, vetoes and verdicts: what is certain is `same`, what a household shares is a steward's."""

from collections.abc import Mapping
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.domain.judgements import PAIR
from pipelines.domain.matching import SHARED_BY_AT_MOST, decide, living_person_keys, match_keys
from pipelines.domain.schemas import ADDRESSES, PARTIES

NO_JUDGEMENTS = pd.DataFrame(columns=[*PAIR, "verdict", "decided_at"], dtype="str")
MATTI: dict[str, object] = {"family_name": "Mäki-Petäjä", "given_names": "Matti Juhani"}
HOME = {"street_line": "Kotikatu 1 A 2", "postal_code": "00100", "post_office": "HELSINKI"}
FIRM: dict[str, object] = {"party_type": "organisation", "organisation_name": "As Oy Koivula"}


def people(**records: Mapping[str, object]) -> pd.DataFrame:
    base = {"source": "registrations", "party_type": "person", "protection": "not_stated"}
    return PARTIES.frame([{**base, "source_key": key, **fields} for key, fields in records.items()])


def living_at_home(parties: pd.DataFrame) -> pd.DataFrame:
    keys = parties[["source", "source_key"]].to_dict("records")
    return ADDRESSES.frame(
        [{**key, "address_no": 1, "address_type": "postal", **HOME} for key in keys]
    )


def judgement(left: str, right: str, verdict: str) -> pd.DataFrame:
    row = ("registrations", left, "registrations", right, verdict, "2026-11-01T10:00:00Z")
    return pd.DataFrame([row], columns=NO_JUDGEMENTS.columns, dtype="str")


def verdicts(
    parties: pd.DataFrame,
    addresses: pd.DataFrame | None = None,
    judgements: pd.DataFrame = NO_JUDGEMENTS,
) -> dict[tuple[str, str], tuple[str, str]]:
    where = ADDRESSES.empty() if addresses is None else addresses
    decided = decide(parties, where, match_keys(parties, where), judgements)
    return {
        (left, right): (verdict, evidence)
        for left, right, verdict, evidence in zip(
            decided["left_key"],
            decided["right_key"],
            decided["verdict"],
            decided["evidence"],
            strict=True,
        )
    }


def only(found: dict[tuple[str, str], tuple[str, str]]) -> tuple[str, str]:
    assert list(found) == [("a", "b")]
    return found["a", "b"]


def test_one_person_key_is_one_person_however_the_names_are_written() -> None:
    parties = people(a={**MATTI, "person_key": "k"}, b={"family_name": "Laine", "person_key": "k"})
    assert only(verdicts(parties)) == ("same", "person_key")


def test_name_in_any_order_and_birth_make_one_person() -> None:
    parties = people(
        a={**MATTI, "birth_key": "b1"},
        b={"family_name": "MATTI", "given_names": "Juhani Maki-Petaja", "birth_key": "b1"},
    )
    assert only(verdicts(parties)) == ("same", "name+birth")


@pytest.mark.parametrize("contact", ["phone", "email"])
def test_a_shared_contact_needs_a_birth_known_on_both_sides(contact: str) -> None:
    """Father and son of one name share phone, e-mail and address."""
    short = {"family_name": "Mäki-Petäjä", "given_names": "Matti", contact: "shared"}
    full = {**MATTI, contact: "shared"}
    born = {"birth_key": "b1"}
    assert only(verdicts(people(a=short, b=full))) == ("review", f"name+{contact}")
    assert only(verdicts(people(a={**short, **born}, b=full))) == ("review", f"name+{contact}")
    both = people(a={**short, **born}, b={**full, **born})
    assert only(verdicts(both)) == ("same", f"name+{contact}")


def test_father_and_son_of_one_name_at_one_address_are_left_to_a_steward() -> None:
    parties = people(a=MATTI, b=MATTI)
    assert only(verdicts(parties, living_at_home(parties))) == ("review", "name+address")


def test_two_living_person_keys_are_two_people_whatever_else_they_share() -> None:
    same = {**MATTI, "birth_key": "b1", "phone": "+358401234567"}
    parties = people(a={**same, "person_key": "k1"}, b={**same, "person_key": "k2"})
    assert only(verdicts(parties, living_at_home(parties)))[0] == "different"


def test_two_verified_people_never_merge_even_by_judgement() -> None:
    keys = people(a={**MATTI, "person_key": "k1"}, b={**MATTI, "person_key": "k2"})
    ids = people(a={**FIRM, "business_id": "0000001-9"}, b={**FIRM, "business_id": "0000002-7"})
    said = judgement("a", "b", "same")
    assert only(verdicts(keys, judgements=said)) == ("different", "other_person_key")
    assert only(verdicts(ids, judgements=said)) == ("different", "other_business_id")


def test_a_corrected_identity_code_links_and_does_not_veto() -> None:
    """DESIGN 2: a superseded key is not living."""
    parties = people(
        a={**MATTI, "person_key": "new", "superseded_person_keys": ["old"]},
        b={**MATTI, "person_key": "old"},
        c={**MATTI, "person_key": "new", "birth_key": "b1"},
        d={**MATTI, "person_key": "other"},
    )
    found = verdicts(parties, living_at_home(parties))
    assert {pair for pair, (verdict, _) in found.items() if verdict == "same"} == {
        ("a", "b"), ("a", "c"), ("b", "c"),
    }  # fmt: skip
    assert {pair for pair, (verdict, _) in found.items() if verdict == "different"} == {
        ("a", "d"), ("b", "d"), ("c", "d"),
    }  # fmt: skip


def test_corrections_in_a_chain_end_at_the_living_key_and_circles_end_at_none() -> None:
    parties = people(
        a={"person_key": "k1"},
        b={"person_key": "k2", "superseded_person_keys": ["k1"]},
        c={"person_key": "k3", "superseded_person_keys": ["k2"]},
        d={"person_key": "x", "superseded_person_keys": ["y"]},
        e={"person_key": "y", "superseded_person_keys": ["x"]},
        f={"person_key": "z", "superseded_person_keys": []},
    )
    living = living_person_keys(parties)
    assert living.dropna().tolist() == ["k3", "k3", "k3", "z"]
    assert living.isna().tolist() == [False, False, False, True, True, False]


def test_different_births_with_different_first_names_are_two_people() -> None:
    left = {"family_name": "Maki", "given_names": "Matti Juhani", "birth_key": "b1"}
    right = {
        "family_name": "Matti",
        "given_names": "Maki",
        "phone": "+358401234567",
        "birth_key": "b2",
    }
    parties = people(a={**left, "phone": "+358401234567"}, b=right)
    assert only(verdicts(parties)) == ("different", "other_birth_and_name,name+phone")


def test_a_contact_person_is_never_the_organisation() -> None:
    parties = people(a={**FIRM, "person_key": "k"}, b={**MATTI, "person_key": "k"})
    found = verdicts(parties, judgements=judgement("a", "b", "same"))
    assert only(found) == ("different", "other_party_type,person_key")


def test_an_estate_is_not_the_person_without_a_key() -> None:
    parties = people(a=MATTI, b={**MATTI, "name_role": "death_estate"})
    assert only(verdicts(parties, living_at_home(parties)))[0] == "different"
    keyed = parties.assign(person_key="k")
    assert only(verdicts(keyed, living_at_home(keyed)))[0] == "same"


@pytest.mark.parametrize("guarded", ["a", "b"])
def test_a_protected_record_goes_by_its_person_key_or_to_a_steward(guarded: str) -> None:
    """R56: a wrong merge would tell one person's address with another's name."""
    parties = people(a={**MATTI, "birth_key": "b1"}, b={**MATTI, "birth_key": "b1"})
    parties.loc[parties["source_key"] == guarded, "protection"] = "on"
    assert only(verdicts(parties)) == ("review", "name+birth")
    assert only(verdicts(parties.assign(person_key="k")))[0] == "same"


def test_organisations_are_one_by_business_id_and_never_by_name_and_address_alone() -> None:
    named = people(a=FIRM, b={**FIRM, "organisation_name": "Koivula As. Oy"})
    assert only(verdicts(named, living_at_home(named))) == ("review", "name+address")
    known = people(a={**FIRM, "business_id": "0000001-9"}, b={**FIRM, "business_id": "0000001-9"})
    assert only(verdicts(known)) == ("same", "business_id")


def test_a_business_id_says_nothing_of_a_person() -> None:
    assert verdicts(people(a={**MATTI, "business_id": "1"}, b={**MATTI, "business_id": "1"})) == {}


@pytest.mark.parametrize(
    ("said", "verdict"), [("same", "same"), ("different", "different"), ("unsure", "review")]
)
def test_a_judgement_stands_over_evidence_and_over_its_absence(said: str, verdict: str) -> None:
    keyed = people(a={**MATTI, "person_key": "k"}, b={**MATTI, "person_key": "k"})
    strangers = people(a=MATTI, b={"family_name": "Laine", "given_names": "Aino"})
    assert only(verdicts(keyed, judgements=judgement("b", "a", said)))[0] == verdict
    assert only(verdicts(strangers, judgements=judgement("b", "a", said))) == (verdict, "judgement")


def test_a_judgement_on_a_record_that_is_gone_is_left_alone() -> None:
    assert verdicts(people(a=MATTI, b=MATTI), judgements=judgement("a", "gone", "same")) == {}


def test_a_contact_that_too_many_share_identifies_nobody() -> None:
    crowd = {f"r{n:02}": {**MATTI, "phone": "+358401234567"} for n in range(SHARED_BY_AT_MOST)}
    assert len(verdicts(people(**crowd))) == SHARED_BY_AT_MOST * (SHARED_BY_AT_MOST - 1) // 2
    assert verdicts(people(**crowd, z={**MATTI, "phone": "+358401234567"})) == {}


def test_an_identifier_holds_its_records_together_however_many_they_are() -> None:
    """A city has hundreds of customer numbers; pairs grow with the records, not with their square."""
    crowd = {f"r{n:03}": {**FIRM, "business_id": "0000001-9"} for n in range(200)}
    found = verdicts(people(**crowd))
    assert len(found) == 199
    assert {verdict for verdict, _ in found.values()} == {"same"}


def test_keys_carry_no_name_or_number() -> None:
    parties = people(a={**MATTI, "phone": "+358401234567", "birth_key": "b1", "person_key": "k"})
    text = " ".join(match_keys(parties, living_at_home(parties))["match_key"])
    assert not any(part in text.casefold() for part in ("matti", "maki", "358401", "kotikatu"))


PERSON = st.fixed_dictionaries(
    {
        "family_name": st.sampled_from(["Maki", "Laine"]),
        "given_names": st.sampled_from(["Matti", "Matti Juhani", "Aino"]),
        "person_key": st.sampled_from([None, "k1", "k2", "k3"]),
        "superseded_person_keys": st.sampled_from([[], [], ["k1"], ["k2"]]),
        "birth_key": st.sampled_from([None, "b1", "b2"]),
        "phone": st.sampled_from([None, "+358401234567"]),
        "protection": st.sampled_from(["on", "off", "not_stated"]),
        "name_role": st.sampled_from([None, None, "death_estate"]),
    }
)


@settings(max_examples=15, deadline=None)
@given(st.lists(PERSON, min_size=2, max_size=6), st.randoms())
def test_verdicts_do_not_depend_on_the_order_of_records(
    rows: list[dict[str, object]], random: Random
) -> None:
    numbered = [(f"r{n}", row) for n, row in enumerate(rows)]
    shuffled = list(numbered)
    random.shuffle(shuffled)
    assert verdicts(people(**dict(numbered))) == verdicts(people(**dict(shuffled)))
