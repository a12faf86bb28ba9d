"""The leaf of a disclosure proves what was told and says nothing of whom."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.domain.disclosure import SALT_BYTES, commit, leaf, leaves, question

SALT = bytes(range(SALT_BYTES))
DIGEST = "0" * 64
details = st.dictionaries(st.text(max_size=10), st.none() | st.text(max_size=10), max_size=4)


def test_a_commitment_is_the_hash_of_salt_and_canonical_detail() -> None:
    """PRIVACY §2.3: so that a stand-alone verifier can compute it; the value is fixed for ever."""
    assert commit({"b": "ä", "a": 1}, SALT) == (
        "977548828030f5d7a7784d9b5da7b2e960563b81fb71ec1fea4ffa45244aacbf"
    )


@given(details)
def test_absent_and_null_commit_to_the_same(detail: dict[str, str | None]) -> None:
    stated = {name: value for name, value in detail.items() if value is not None}
    assert commit(detail, SALT) == commit(stated, SALT)
    assert commit(dict(reversed(detail.items())), SALT) == commit(detail, SALT)


@given(details, details)
def test_different_details_have_different_commitments(
    one: dict[str, str | None], other: dict[str, str | None]
) -> None:
    said = [{k: v for k, v in d.items() if v is not None} for d in (one, other)]
    assert (commit(one, SALT) == commit(other, SALT)) == (said[0] == said[1])


@given(st.binary(min_size=SALT_BYTES, max_size=SALT_BYTES))
def test_the_same_person_in_two_leaves_is_unlinkable_without_the_salt(salt: bytes) -> None:
    detail = {"customer_number": "000001"}
    assert (commit(detail, salt) == commit(detail, SALT)) == (salt == SALT)


def test_a_short_salt_is_refused() -> None:
    """An unsalted digest of one row falls to a guessing search in seconds (PRIVACY §2.3)."""
    with pytest.raises(ValueError, match="32 random bytes"):
        commit({"a": 1}, b"short")


def test_a_look_up_commits_to_its_question_and_the_fields_it_was_asked_with() -> None:
    asked = {"recipient": "dvv", "operation": "muutokset", "purpose": "p", "subject": "t"}
    now = question(**asked, fields=("identity_code",))
    assert now == {**asked, "fields": ["identity_code"]}
    of_an_older_hub = question(**asked, fields=None)
    assert commit(of_an_older_hub, SALT) == commit(asked, SALT) != commit(now, SALT)


def test_a_leaf_is_canonical_and_leaves_nulls_out() -> None:
    line = leaf("intent", n=3, d="d1", notice=None, fields=["b", "a"])
    assert line == '{"d":"d1","fields":["b","a"],"n":3,"t":"intent","v":1}'
    assert json.loads(leaf("disclosure", e=DIGEST, c=DIGEST, to="finance"))["t"] == "disclosure"


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("disclosure", {"name": "Canary"}),
        ("disclosure", {"party_id": 4711}),
        ("gossip", {"d": "Canary"}),
        ("disclosure", {"c": "Canary"}),
        ("disclosure", {"e": "Canary"}),
        ("intent", {"d": "Canary" * 100}),
    ],
)
def test_a_fact_without_a_place_in_a_leaf_is_refused_unquoted(
    kind: str, facts: dict[str, str | int]
) -> None:
    with pytest.raises(ValueError) as refused:
        leaf(kind, **facts)
    assert "Canary" not in str(refused.value) and "4711" not in str(refused.value)


ENTRIES, COMMITMENTS = ["0" * 32, "a" * 32], ["1" * 64, "f" * 64]


def test_leaves_made_together_are_those_made_alone() -> None:
    alike = {"to": "finance", "d": "d1", "at": "2026-11-02T00:30:00Z", "ground": None}
    assert leaves("disclosure", ENTRIES, COMMITMENTS, **alike) == [
        leaf("disclosure", e=e, c=c, **alike) for e, c in zip(ENTRIES, COMMITMENTS, strict=True)
    ]


@pytest.mark.parametrize(
    ("entries", "commitments"),
    [
        (["0" * 32, "A" * 32], COMMITMENTS),
        (["0" * 31, "a" * 33], COMMITMENTS),
        (["0" * 32, "Matti" + "0" * 27], COMMITMENTS),
        (["0" * 32, "\ud800" * 32], COMMITMENTS),
        (ENTRIES, ["1" * 64, "f" * 63 + "\n"]),
        (ENTRIES, ["1" * 64, ""]),
    ],
)
def test_of_many_leaves_none_may_hold_anything_but_digests(
    entries: list[str], commitments: list[str]
) -> None:
    with pytest.raises(ValueError, match="digests in lower-case hex"):
        leaves("disclosure", entries, commitments, to="finance")
