"""Whose word on a role stands, and until when another's does (R14)."""

from collections.abc import Mapping, Sequence
from random import Random

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from pipelines.domain.roles import Reconciled, reconcile
from pipelines.domain.schemas import GOLDEN_ROLES
from pipelines.domain.survivorship import Policy

POLICY = Policy(
    own_notice=(), update_services=(), margin_days=0, order=(), address_order=(),
    role_owners={
        "payer": ("registrations",),
        "holder": ("registrations",),
        "contact": ("registrations",),
        "owner": ("municipality", "ryhti", "registrations"),
    },
)  # fmt: skip
AINO, EINO, OLGA = 1, 2, 3
Row = Mapping[str, object]
ANY = settings(deadline=None, max_examples=25)


def said(
    source: str, party: int, since: str | None = None, until: str | None = None, **more: object
) -> Row:
    """An owner at point 1, unless said otherwise; keys tell statements of one source apart."""
    row = {
        "source": source, "source_key": f"{party}-{since}", "party_id": party, "point_id": 1,
        "role_type": "owner", "valid_from": since, "valid_to": until,
    }  # fmt: skip
    return row | more


def settled(*statements: Row) -> Reconciled:
    return reconcile(GOLDEN_ROLES.frame(statements), POLICY)


def standing(found: Reconciled) -> set[tuple[object, ...]]:
    """source, party, first day, day it ended, rule of every role that stands."""
    rows = found.roles[["source", "party_id", "valid_from", "valid_to", "rule"]].astype(object)
    return set(rows.where(rows.notna(), None).itertuples(index=False, name=None))


def test_one_registers_word_is_taken_as_it_is() -> None:
    assert standing(settled(said("ryhti", AINO))) == {("ryhti", AINO, None, None, "owner_silent")}


def test_r14_the_declared_owner_of_the_answer_is_believed_whoever_spoke_last() -> None:
    """R14: the municipality says who owns a property."""
    found = settled(said("municipality", AINO), said("registrations", EINO, "2026-01-01"))
    assert standing(found) == {("municipality", AINO, None, None, "declared_owner")}
    assert found.set_aside == 1


def test_two_words_about_one_party_are_one_role() -> None:
    found = settled(said("municipality", AINO, "2020-01-01"), said("ryhti", AINO, "2019-12-20"))
    assert standing(found) == {("municipality", AINO, "2020-01-01", None, "declared_owner")}
    assert found.set_aside == 0


def test_a_first_day_the_owner_leaves_open_is_filled_with_the_earliest_of_the_next_that_knows() -> (
    None
):
    found = settled(
        said("municipality", AINO),
        said("ryhti", AINO, "2015-01-01"),
        said("ryhti", AINO, "2010-01-01"),
        said("registrations", AINO, "2000-01-01"),
    )
    assert standing(found) == {("municipality", AINO, "2010-01-01", None, "filled")}


def test_a_first_day_after_the_roles_own_end_is_no_answer() -> None:
    found = settled(
        said("municipality", AINO, None, "2015-01-01"), said("ryhti", AINO, "2016-01-01")
    )
    assert standing(found) == {("municipality", AINO, None, "2015-01-01", "declared_owner")}


def test_a_last_day_left_open_means_still_so_and_is_never_filled() -> None:
    found = settled(
        said("municipality", AINO, "2010-01-01"), said("ryhti", AINO, "2010-01-01", "2015-01-01")
    )
    assert standing(found) == {("municipality", AINO, "2010-01-01", None, "declared_owner")}


@pytest.mark.parametrize(
    ("since", "until", "stands"),
    [
        ("2010-01-01", None, ("ryhti", EINO, "2010-01-01", "2020-01-01", "cut_off")),
        ("2010-01-01", "2025-01-01", ("ryhti", EINO, "2010-01-01", "2020-01-01", "cut_off")),
        ("2010-01-01", "2019-01-01", ("ryhti", EINO, "2010-01-01", "2019-01-01", "owner_silent")),
        (None, "2020-01-01", ("ryhti", EINO, None, "2020-01-01", "owner_silent")),
        ("2020-01-01", None, None),
        (None, None, None),
        (None, "2021-01-01", None),
    ],
)
def test_a_lesser_word_about_another_party_tells_of_the_time_before(
    since: str | None, until: str | None, stands: tuple[object, ...] | None
) -> None:
    found = settled(said("municipality", AINO, "2020-01-01"), said("ryhti", EINO, since, until))
    assert standing(found) - {("municipality", AINO, "2020-01-01", None, "declared_owner")} == (
        {stands} if stands else set()
    )
    assert found.set_aside == (stands is None)


def test_before_a_day_nobody_knows_there_is_no_before() -> None:
    found = settled(
        said("municipality", AINO, "2020-01-01"), said("municipality", OLGA),
        said("ryhti", EINO, "1990-01-01", "1995-01-01"),
    )  # fmt: skip
    assert found.set_aside == 1


def test_the_third_register_tells_of_the_time_before_the_second() -> None:
    found = settled(
        said("municipality", AINO, "2020-01-01"),
        said("ryhti", EINO, "2010-01-01"),
        said("registrations", OLGA, "2000-01-01"),
        said("registrations", EINO, "2005-01-01"),
    )
    assert standing(found) == {
        ("municipality", AINO, "2020-01-01", None, "declared_owner"),
        ("ryhti", EINO, "2010-01-01", "2020-01-01", "cut_off"),
        ("registrations", OLGA, "2000-01-01", "2010-01-01", "cut_off"),
    }


def test_several_periods_and_several_owners_of_one_register_stay_several() -> None:
    found = settled(
        said("ryhti", AINO, "2000-01-01", "2005-01-01"),
        said("ryhti", AINO, "2010-01-01"),
        said("ryhti", EINO, "2010-01-01"),
    )
    assert len(found.roles) == 3
    assert set(found.roles["rule"]) == {"owner_silent"}


def test_points_and_kinds_of_role_are_answered_one_by_one() -> None:
    found = settled(
        said("municipality", AINO, "2020-01-01"),
        said("registrations", EINO, "2021-01-01", point_id=2),
        said("registrations", EINO, "2021-01-01", role_type="payer"),
    )
    assert len(found.roles) == 3


def test_a_register_that_has_no_say_in_a_role_says_nothing() -> None:
    found = settled(
        said("municipality", AINO, "2020-01-01", role_type="payer"),
        said("dvv", EINO, "2020-01-01"),
    )
    assert found.roles.empty
    assert (found.set_aside, found.not_theirs) == (0, 2)


def test_a_role_nobody_is_declared_for_is_the_own_registers() -> None:
    nobody = Policy((), (), 0, (), ())
    both = GOLDEN_ROLES.frame([said("registrations", AINO), said("ryhti", EINO)])
    assert standing(reconcile(both, nobody)) == {
        ("registrations", AINO, None, None, "declared_owner")
    }


def test_nothing_said_is_nothing_told() -> None:
    assert settled().roles.empty


# --- whatever is said --------------------------------------------------------------------------------

DAYS = st.sampled_from([None, "2000-01-01", "2010-01-01", "2020-01-01"])


@st.composite
def statements(draw: st.DrawFn) -> list[Row]:
    rows = []
    for number in range(draw(st.integers(0, 14))):
        since, until = draw(DAYS), draw(DAYS)
        if since and until and until < since:
            since, until = until, since
        rows.append(
            {
                "source": draw(st.sampled_from(["municipality", "ryhti", "registrations", "dvv"])),
                "source_key": str(number), "party_id": draw(st.integers(1, 3)),
                "point_id": draw(st.integers(1, 4)),
                "role_type": draw(st.sampled_from(["owner", "owner", "payer", "holder", "contact"])),
                "valid_from": since, "valid_to": until,
            }
        )  # fmt: skip
    return rows


def keys(frame: pd.DataFrame) -> set[tuple[object, ...]]:
    return set(frame[list(GOLDEN_ROLES.key)].itertuples(index=False, name=None))


@ANY
@given(statements(), st.randoms(use_true_random=False))
def test_the_order_of_the_statements_means_nothing(rows: list[Row], random: Random) -> None:
    before = settled(*rows)
    random.shuffle(rows)
    after = settled(*rows)
    assert_frame_equal(after.roles, before.roles)
    assert (after.set_aside, after.not_theirs) == (before.set_aside, before.not_theirs)


@ANY
@given(statements())
def test_what_stands_is_settled(rows: list[Row]) -> None:
    once = settled(*rows)
    again = reconcile(once.roles, POLICY)
    assert_frame_equal(again.roles.drop(columns="rule"), once.roles.drop(columns="rule"))
    assert (again.set_aside, again.not_theirs) == (0, 0)


@ANY
@given(statements())
def test_the_own_registers_payers_holders_and_contacts_come_out_as_they_went_in(
    rows: list[Row],
) -> None:
    given_ = GOLDEN_ROLES.frame(rows)
    found = reconcile(given_, POLICY).roles
    facts = [c for c in GOLDEN_ROLES.columns if c != "rule"]
    own = {
        name: frame[(frame["source"] == "registrations") & (frame["role_type"] != "owner")]
        for name, frame in (("in", given_), ("out", found))
    }
    before, after = (
        own[n][facts].sort_values(list(GOLDEN_ROLES.key), ignore_index=True) for n in ("in", "out")
    )
    assert_frame_equal(after, before)
    assert set(found.loc[found["role_type"] != "owner", "source"]) <= {"registrations"}


@ANY
@given(statements())
def test_nobody_ends_before_they_begin_and_nobody_is_made_up(rows: list[Row]) -> None:
    found = settled(*rows).roles
    assert keys(found) <= keys(GOLDEN_ROLES.frame(rows))
    dated = found.dropna(subset=["valid_from", "valid_to"])
    was_backwards = {r["source_key"] for r in rows if r["valid_from"] == r["valid_to"]}
    dated = dated[~dated["source_key"].isin(was_backwards)]
    assert (dated["valid_from"] < dated["valid_to"]).all()


@ANY
@given(statements())
def test_at_no_point_does_a_lesser_register_speak_of_the_owners_time(rows: list[Row]) -> None:
    found = settled(*rows).roles
    owners = found[found["role_type"] == "owner"]
    for _, here in owners.groupby("point_id"):
        rank = here["source"].map({"municipality": 0, "ryhti": 1, "registrations": 2})
        best = here[rank == rank.min()]
        lesser = here[rank > rank.min()]
        if len(lesser):
            assert best["valid_from"].notna().all()
            assert (lesser["valid_to"] <= best["valid_from"].min()).all()


def test_statements_of_all_kinds_fit_in_one_frame() -> None:
    mixed: Sequence[Row] = [said("ryhti", AINO), said("registrations", EINO, role_type="payer")]
    assert list(settled(*mixed).roles.columns) == list(GOLDEN_ROLES.columns)
