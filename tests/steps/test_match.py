"""Matching night after night: what is certain merges, what is not waits, a small night equals a full one."""

from random import Random
from typing import Any

import pytest

from pipelines.steps.match import Contradicted, check
from tests.steps.conftest import Register

MATTI: dict[str, Any] = {"family_name": "Mäki-Petäjä", "given_names": "Matti Juhani"}
HOME = {
    "street_line": "Kotikatu 1 A 2", "street_name": "Kotikatu", "house": "1", "stair": "A",
    "apartment": "2", "postal_code": "00100", "post_office": "HELSINKI",
}  # fmt: skip


def test_one_person_key_is_one_person_however_the_names_are_written(register: Register) -> None:
    register.write(a={**MATTI, "person_key": "k"}, b={"family_name": "Laine", "person_key": "k"})
    register.match()
    assert register.groups() == {frozenset("ab")}


def test_two_verified_people_never_merge_even_by_judgement(register: Register) -> None:
    register.write(a={**MATTI, "person_key": "k1"}, b={**MATTI, "person_key": "k2"})
    register.judge("a", "b", "same")
    register.match()
    assert register.groups() == {frozenset("a"), frozenset("b")}


def test_a_corrected_identity_code_links_and_does_not_veto(register: Register) -> None:
    """DESIGN 2: a superseded key is not living. The correction comes a night later than the records."""
    register.write(
        a={**MATTI, "person_key": "new"}, b={**MATTI, "person_key": "old"},
        d={**MATTI, "person_key": "other"},
    )  # fmt: skip
    register.match()
    assert len(register.groups()) == 3
    register.write(a={**MATTI, "person_key": "new", "superseded_person_keys": ["old"]})
    register.match()
    assert register.groups() == {frozenset("ab"), frozenset("d")}


def test_father_and_son_of_one_name_at_one_address_are_left_to_a_steward(
    register: Register,
) -> None:
    register.write(a={**MATTI, "home": HOME}, b={**MATTI, "home": HOME})
    register.match()
    assert register.groups() == {frozenset("a"), frozenset("b")}
    assert register.waiting() == {frozenset("ab")}


@pytest.mark.parametrize(
    "guarded", [{"protection": "on"}, {"name_role": "death_estate"}], ids=["protected", "estate"]
)
def test_r56_without_a_key_only_a_steward_merges_the_protected_and_the_dead(
    register: Register, guarded: dict[str, Any]
) -> None:
    alike = {**MATTI, "birth_key": "b", "phone": "+358401234567", "home": HOME, **guarded}
    register.write(a=alike, b=alike)
    register.match()
    assert register.groups() == {frozenset("a"), frozenset("b")}
    assert register.waiting() == {frozenset("ab")}
    register.judge("a", "b", "same")
    register.match()
    assert register.groups() == {frozenset("ab")}


def test_a_stewards_different_outlives_a_full_rebuild_a_new_threshold_and_a_redelivery(
    register: Register,
) -> None:
    alike = {**MATTI, "birth_key": "b", "phone": "+358401234567", "home": HOME}
    register.write(a=alike, b=alike)
    register.match()
    register.judge("a", "b", "different")
    register.match()
    apart = register.groups()
    assert apart == {frozenset("a"), frozenset("b")}
    register.match(full=True)
    assert register.groups() == apart
    register.environ["HUB_MATCHING__LEAKED_PER_MILLION"] = "100000"
    register.match()
    assert register.groups() == apart
    register.write(a={**alike, "email": "m@example.fi"}, b=alike)
    register.match()
    assert register.groups() == apart


def test_undoing_a_judgement_gives_the_old_ids_back(register: Register) -> None:
    register.write(a={**MATTI, "home": HOME}, b={**MATTI, "home": HOME})
    register.match()
    before = register.ids()
    register.judge("a", "b", "same")
    register.match()
    assert set(register.ids().values()) == {min(before.values())}
    register.judge("a", "b", "undone", at="2026-11-02T08:00:00Z")
    register.match()
    assert register.ids() == before
    assert register.waiting() == {frozenset("ab")}


def test_an_id_that_lives_again_elsewhere_is_not_given_to_a_second_party(
    register: Register,
) -> None:
    """Both had it before a merge; the second is set free in a night that does not look at the first."""
    c, d = ({**MATTI, "person_key": "k", "given_names": name} for name in ("Matti", "Martti"))
    register.write(a={"family_name": "Laine", "given_names": "Aino"}, c=c, d=d)
    register.match()
    assert register.groups() == {frozenset("a"), frozenset("cd")}
    register.judge("a", "c", "same")
    register.match(day=3)
    register.judge("a", "c", "undone", at="2026-11-03T08:00:00Z")
    register.judge("a", "d", "same", at="2026-11-03T08:00:00Z")
    register.write(c={"family_name": "Virta", "given_names": "Eero"})
    register.match(day=4)
    assert register.groups() == {frozenset("ad"), frozenset("c")}
    register.judge("a", "d", "undone", at="2026-11-04T08:00:00Z")
    register.match(day=5)
    assert register.groups() == {frozenset("a"), frozenset("c"), frozenset("d")}


def test_nothing_changed_costs_and_changes_nothing(register: Register) -> None:
    register.write(a={**MATTI, "home": HOME}, b={**MATTI, "home": HOME})
    register.match()
    counts = register.match().counts
    assert {name: counts[name] for name in ("records", "minted", "merged", "split")} == {
        "records": 0, "minted": 0, "merged": 0, "split": 0,
    }  # fmt: skip


def test_a_question_that_waits_too_long_turns_the_check_yellow(register: Register) -> None:
    register.write(a={**MATTI, "home": HOME}, b={**MATTI, "home": HOME})
    (asked,) = register.match(day=2).checks
    assert (asked.passed, dict(asked.counts)) == (
        True,
        {"waiting_for_review": 1, "oldest_waiting_days": 0},
    )
    register.environ["HUB_MATCHING__ANSWERED_WITHIN_DAYS"] = "10"
    (waited,) = register.match(day=14).checks
    assert (waited.passed, waited.severity) == (False, "warning")
    assert waited.counts["oldest_waiting_days"] == 12


# ---- a small night and a full one

GIVEN = ("Matti Juhani", "Matti", "M.", "Maija", "Aino Maija", "Eero")
FAMILY = ("Mäki-Petäjä", "Mäki", "Laine", "Lahtinen", "Petäjä")
STREETS = ("Kotikatu", "Rantatie")


def person(random: Random) -> dict[str, Any]:
    """Somebody who shares this and that with others by chance."""

    def seldom(share: float, value: Any) -> Any:
        return value if random.random() < share else None

    street, house = random.choice(STREETS), str(random.randint(1, 4))
    return {
        "given_names": random.choice(GIVEN),
        "family_name": random.choice(FAMILY),
        "birth_key": seldom(0.6, f"b{random.randint(1, 6)}"),
        "person_key": seldom(0.3, f"k{random.randint(1, 8)}"),
        "superseded_person_keys": seldom(0.1, [f"k{random.randint(1, 8)}"]),
        "phone": seldom(0.5, f"+35840123{random.randint(1, 9):04}"),
        "protection": random.choice(("on", "off", "off", "off", "off")),
        "home": seldom(
            0.8,
            {
                "street_line": f"{street} {house}", "street_name": street, "house": house,
                "postal_code": "00100", "post_office": "HELSINKI",
            },
        ),
    }  # fmt: skip


def live(register: Register, seed: int, nights: int = 4) -> None:
    """Some nights in which records come, change and go, and stewards judge."""
    random = Random(seed)  # noqa: S311 - nothing secret
    keys = [f"r{n:02}" for n in range(40)]
    for night in range(nights):
        alive = sorted(register.ids())
        for one, other in [random.sample(alive, 2) for _ in range(3 if alive else 0)]:
            verdict = random.choice(("same", "different", "unsure", "undone"))
            register.judge(one, other, verdict, at=f"2026-11-0{night + 1}T08:00:00Z")
        if gone := random.sample(alive, min(len(alive), 3)):
            register.forget(*gone)
        register.write(
            **{key: person(random) for key in random.sample(keys, 30 if night == 0 else 4)}
        )
        register.match(day=night + 2)


@pytest.mark.parametrize("seed", range(3))
def test_small_nights_come_to_what_a_full_one_comes_to(register: Register, seed: int) -> None:
    live(register, seed)
    small = register.pairs(), register.ids(), register.waiting()
    counted = register.match(day=8).counts
    assert any(pair[-1] == "same" for pair in small[0])
    anew = register.match(full=True, day=8).counts
    assert (register.pairs(), register.ids(), register.waiting()) == small
    for name in ("expected_wrong_per_million", "expected_merged_per_thousand"):
        assert counted[name] == pytest.approx(anew[name], abs=1)


def test_when_somebody_is_forgotten_their_home_is_counted_without_them(register: Register) -> None:
    at_home = {**MATTI, "home": HOME}
    register.write(a=at_home, b=at_home, c={**at_home, "given_names": "Aino", "birth_key": "b"})
    register.match()
    register.forget("c")
    before = register.pairs()
    register.match(day=3)
    small = register.pairs()
    assert small != before
    register.match(full=True, day=3)
    assert register.pairs() == small


# ---- decisions as the tests of what is learnt


def test_a_new_threshold_that_contradicts_a_judgement_changes_nothing_until_it_is_stated_again(
    register: Register,
) -> None:
    alike = {**MATTI, "birth_key": "b", "phone": "+358401234567", "home": HOME}
    others = {**alike, "given_names": "Eero", "birth_key": "c"}
    register.write(a=alike, b=alike, c=others, d=others)
    register.environ["HUB_MATCHING__LEAKED_PER_MILLION"] = "0.001"
    register.match()
    assert len(register.groups()) == 4
    register.judge("a", "b", "different")
    register.match()
    register.environ["HUB_MATCHING__LEAKED_PER_MILLION"] = "100000"
    before = register.ids()
    with pytest.raises(Contradicted, match="1 judgements contradict"):
        register.match(day=3)
    assert register.ids() == before
    (contradicted,) = check(register.night(day=3)).to_dict("records")
    assert contradicted["blocks"]
    assert (contradicted["verdict"], contradicted["thought"]) == ("different", "same")
    register.judge("b", "a", "different", at="2026-11-03T08:00:00Z")
    register.match(day=3)
    assert register.groups() == {frozenset("a"), frozenset("b"), frozenset("cd")}


def test_whoever_undoes_a_wrong_merge_knows_what_matching_thinks_and_holds_nobody_up(
    register: Register,
) -> None:
    alike = {**MATTI, "birth_key": "b", "phone": "+358401234567", "home": HOME}
    register.write(a=alike, b=alike)
    register.environ["HUB_MATCHING__LEAKED_PER_MILLION"] = "100000"
    register.match()
    assert register.groups() == {frozenset("ab")}
    register.judge("a", "b", "different")
    register.match()
    register.environ["HUB_MATCHING__LEAKED_PER_MILLION"] = "90000"
    register.match()
    assert register.groups() == {frozenset("a"), frozenset("b")}
    assert not check(register.night())["blocks"].any()
