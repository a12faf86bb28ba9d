"""Which identity code of a record stands once every correction is heard, and what a company's name compares by."""

from collections.abc import Mapping

import pandas as pd

from pipelines.domain.matching import company_key, living_person_keys
from pipelines.domain.schemas import PARTIES


def people(**records: Mapping[str, object]) -> pd.DataFrame:
    base = {"source": "registrations", "party_type": "person"}
    return PARTIES.frame([{**base, "source_key": key, **fields} for key, fields in records.items()])


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


def test_a_company_is_compared_without_its_legal_form_and_one_that_is_nothing_else_not_at_all() -> (
    None
):
    assert (
        company_key("Koivulan Huolto Oy") == company_key("KOIVULAN HUOLTO AB") == "koivulan huolto"
    )
    assert company_key("Oy Ab") is None
