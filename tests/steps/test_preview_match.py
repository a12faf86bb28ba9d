"""A preview says what would merge and part, and leaves the register as it was."""

from dataclasses import replace
from typing import Any

from pipelines.steps.preview_match import preview_match
from tests.steps.conftest import Register

MATTI: dict[str, Any] = {
    "family_name": "Mäki-Petäjä", "given_names": "Matti Juhani", "birth_key": "b", "phone": "+358401234567",
}  # fmt: skip


def test_a_bolder_policy_is_seen_to_merge_and_nothing_is_done(register: Register) -> None:
    register.write(a=MATTI, b=MATTI, c={**MATTI, "person_key": "k"}, d={"person_key": "k"})
    register.environ["HUB_MATCHING__LEAKED_PER_MILLION"] = "0.001"
    register.match()
    before = register.pairs(), register.ids(), register.waiting()
    night = register.night(day=3)
    policy = night.settings.matching_policy
    seen = preview_match(night, replace(policy, leaked_per_million=100_000))
    assert (seen.parties, seen.waiting) == ((3, 1), (2, 0))
    assert seen.merged["into_party_id"].nunique() == 1
    assert seen.parted.empty
    assert (register.pairs(), register.ids(), register.waiting()) == before
