"""Behind what a protective order stands nobody acts alone, whichever door an act comes by (R56)."""

from collections.abc import Callable
from typing import Any

import pytest

from pipelines.domain.schemas import LANDED
from pipelines.steps.consolidate import consolidate
from pipelines.steps.decide import take_notice
from pipelines.steps.judge import judge, undo
from pipelines.steps.recall import approve
from pipelines.steps.restrain import release, restrain
from pipelines.steps.second_person import Alone, note_alone
from pipelines.store import access, frames, judgements, notifications, restraints
from pipelines.store.engine import reading, transaction
from pipelines.store.notifications import Wanted
from tests.steps.conftest import Register

ALIKE = {"family_name": "Mäki-Petäjä", "given_names": "Matti", "birth_key": "fedcba9876543210" * 4}
Act = Callable[[Register, str | None], Any]


def party_of(register: Register, key: str = "a") -> int:
    return int(register.ids()[key])


def lived(register: Register, protection: str) -> Register:
    """Two records that may be one person's, a decision on them, a ban, a notice of a correction that waits."""
    register.write(a={**ALIKE, "protection": protection}, b=ALIKE, c={"family_name": "Koski"})
    register.match()
    consolidate(register.night())
    register.judge("a", "c", "different")
    restrain(
        register.night(), "a", "ban_on_marketing", channel="phone", evidence=None, who="anna",
        why="asked",
    )  # fmt: skip
    wanted = Wanted(
        "correction", "collection", party_of(register), ("phone",), "was_told", "e1", (), "hand", "prepared"
    )  # fmt: skip
    with transaction(register.engine) as conn:
        notifications.queue(conn, [wanted], "2026-11-02T23:30:00Z")
    return register


@pytest.fixture
def protected(register: Register) -> Register:
    return lived(register, "on")


@pytest.fixture
def ordinary(register: Register) -> Register:
    return lived(register, "off")


def judging(verdict: Any) -> Act:
    return lambda register, second: judge(
        register.night(), None, ("a", "b"), verdict, who="anna", why="asked", approved_by=second
    )


def taking_back(register: Register, second: str | None) -> Any:
    return undo(register.night(), 1, who="anna", why="wrong pair", approved_by=second)


def taking_a_notice(register: Register, second: str | None) -> Any:
    return take_notice(
        register.night(), "a", {"phone": "0505557395"}, received="2026-11-02", channel="phone",
        evidence=None, who="anna", approved_by=second,
    )  # fmt: skip


def ending_a_ban(register: Register, second: str | None) -> Any:
    return release(
        register.night(), "a", "ban_on_marketing", who="anna", why="asked", approved_by=second
    )


def telling_a_recipient(register: Register, second: str | None) -> Any:
    return approve(register.night(), 1, "anna", "agreed", approved_by=second)


ACTS: list[tuple[Act, str]] = [
    *((judging(verdict), "page Parit") for verdict in ("same", "different", "unsure")),
    (taking_back, "page Omat päätökseni"),
    (taking_a_notice, "page Asiakkaat"),
    (ending_a_ban, "page Asiakkaat"),
    (telling_a_recipient, "page Takaisinvedot ja oikaisut"),
]


def everything(register: Register) -> dict[str, Any]:
    """What any of the acts changes."""
    with reading(register.engine) as conn:
        return {
            "verdicts": judgements.standing(conn)[["verdict", "decided_by"]].to_numpy().tolist(),
            "landed": len(frames.read(conn, LANDED)),
            "forbidden": restraints.standing(conn, party_of(register)),
            "told": list(notifications.listed(conn)["state"]),
            "log": access.recent(conn, 100)[["who", "operation"]].to_numpy().tolist(),
        }


@pytest.mark.parametrize("second", [None, "anna"])
def test_r56_behind_an_order_one_person_changes_nothing_and_is_told_where_two_do(
    protected: Register, second: str | None
) -> None:
    """R56: nor is who asks the second person."""
    before = everything(protected)
    for act, page in ACTS:
        with pytest.raises(Alone, match=page) as no:
            act(protected, second)
        assert party_of(protected) in no.value.parties
        assert everything(protected) == before


@pytest.mark.parametrize(("protection", "second"), [("on", "olli"), ("off", None)])
def test_r56_two_act_behind_an_order_and_one_where_none_stands(
    register: Register, protection: str, second: str | None
) -> None:
    lived(register, protection)
    for act, _ in ACTS:
        before = everything(register)
        act(register, second)
        after = everything(register)
        assert after != before
        assert after["log"][0][0] == "anna", "in the name of who asked"


def test_r56_an_order_counts_from_when_a_record_says_so(ordinary: Register) -> None:
    """R56: before the night has made it the customer's."""
    ordinary.write(a={**ALIKE, "protection": "on"})
    for act, page in ACTS:
        with pytest.raises(Alone, match=page):
            act(ordinary, None)


def test_r56_what_a_protected_customer_forbids_one_person_records(protected: Register) -> None:
    """R56: less is done with the data from then on, and it must not wait."""
    restrain(
        protected.night(), "a", "restriction", channel="letter", evidence="D-7", who="anna",
        why="disputes the address",
    )  # fmt: skip
    with reading(protected.engine) as conn:
        standing = restraints.standing(conn, party_of(protected))
    assert set(standing) == {"ban_on_marketing", "restriction"}


def test_r56_a_letter_that_two_have_approved_is_had_again_by_one(protected: Register) -> None:
    telling_a_recipient(protected, "olli")
    again = telling_a_recipient(protected, None)
    assert (again.number, again.recipient) == (1, "collection")


def test_r56_a_recall_wants_two_even_when_the_order_has_ended(ordinary: Register) -> None:
    wanted = Wanted(
        "recall", "collection", party_of(ordinary), ("street_line",), "protective_order", "e2", (), "hand", "prepared"
    )  # fmt: skip
    with transaction(ordinary.engine) as conn:
        notifications.queue(conn, [wanted], "2026-11-02T23:30:00Z")
    with pytest.raises(Alone, match="recall 2: .* page Takaisinvedot"):
        approve(ordinary.night(), 2, "anna", "agreed")


def test_r56_who_would_have_acted_alone_is_written_down(protected: Register) -> None:
    """R56: a refusal too tells that there is an order."""
    with pytest.raises(Alone) as no:
        judging("same")(protected, None)
    note_alone(protected.night(), "anna", no.value)
    with reading(protected.engine) as conn:
        lines = access.recent(conn, 2)
    assert set(lines["party_id"]) == {party_of(protected), party_of(protected, "b")}
    assert set(lines["operation"]) == {"second wanted"} and set(lines["who"]) == {"anna"}
    assert set(lines["detail"]) == {"pair 1"}
