"""What no likelihood overrules."""

import pandas as pd
import pytest

from pipelines.domain.evidence import EVIDENCE
from pipelines.domain.rules import forbidden, guarded, guards, parted
from pipelines.domain.wording import GUARDS

ALIKE = {
    "birth": "same", "given": "same_common", "family": "same_common", "address": "same_home",
    "estate": "neither", "protected": "neither",
}  # fmt: skip
FATHER_AND_SON = {**ALIKE, "birth": "unstated", "second": "unstated"}
ONE_FIRM = {"name": "same_rare", "address": "same_home", "phone": "same"}


def pattern(table: str, **levels: str) -> pd.DataFrame:
    """One pattern; facts that are not named are unstated."""
    known = EVIDENCE[table].levels
    return pd.DataFrame([{f: names.index(levels.get(f, names[0])) for f, names in known.items()}])


def is_forbidden(table: str, **levels: str) -> bool:
    return bool(forbidden(table, pattern(table, **levels))[0])


def is_guarded(table: str, **levels: str) -> bool:
    return bool(guarded(table, pattern(table, **levels))[0])


def is_parted(table: str, **levels: str) -> bool:
    return bool(parted(table, pattern(table, **levels))[0])


def test_two_identity_codes_are_never_one_person() -> None:
    assert is_forbidden("person", **ALIKE, key="other")


def test_two_business_ids_are_never_one_company() -> None:
    assert is_forbidden("organisation", **ONE_FIRM, key="other")
    assert not is_forbidden("organisation", **ONE_FIRM, key="same")


def test_another_birth_and_another_given_name_are_left_to_a_person() -> None:
    """Either may be a slip, and both; no machine merges them, over no third record."""
    twins = {**ALIKE, "given": "other", "birth": "other"}
    assert not is_forbidden("person", **twins)
    assert is_guarded("person", **twins)
    assert is_parted("person", **twins)


def test_one_name_or_one_birth_in_common_parts_nobody_for_good() -> None:
    assert not is_parted("person", **{**ALIKE, "given": "other"})
    assert not is_parted("person", **{**ALIKE, "birth": "other"})


def test_one_identity_code_outweighs_another_birth_and_name() -> None:
    twins = {**ALIKE, "given": "other", "birth": "other", "key": "same"}
    assert not is_guarded("person", **twins)
    assert not is_parted("person", **twins)


def test_an_estate_is_not_the_person_unless_the_identity_code_says_so() -> None:
    estate = {**ALIKE, "estate": "other"}
    assert is_forbidden("person", **estate)
    assert not is_forbidden("person", **estate, key="same")
    assert is_guarded("person", **{**ALIKE, "estate": "both"})


def test_father_and_son_of_one_name_are_not_merged_without_a_birth_or_a_key() -> None:
    assert is_guarded("person", **FATHER_AND_SON)
    assert is_guarded("person", **FATHER_AND_SON, phone="same", email="same", property="same")
    assert not is_guarded("person", **FATHER_AND_SON, key="same")
    assert not is_guarded("person", **{**FATHER_AND_SON, "birth": "same"})
    assert not is_guarded("person", **{**FATHER_AND_SON, "second": "same"})


def test_r56_a_protected_person_is_not_merged_without_a_key() -> None:
    assert is_guarded("person", **{**ALIKE, "protected": "other"})
    assert not is_guarded("person", **{**ALIKE, "protected": "other"}, key="same")


@pytest.mark.parametrize("birth", ["same", "unstated"])
def test_another_given_name_is_left_to_a_person(birth: str) -> None:
    """Twins share everything else."""
    assert is_guarded("person", **{**ALIKE, "given": "other", "birth": birth})


def test_a_company_of_another_name_is_left_to_a_person() -> None:
    assert is_guarded("organisation", **{**ONE_FIRM, "name": "other_number"})
    assert not is_guarded("organisation", **ONE_FIRM)


@pytest.mark.parametrize("table", EVIDENCE)
def test_every_rule_can_be_told_in_words(table: str) -> None:
    assert set(guards(table, pattern(table))) <= set(GUARDS)
