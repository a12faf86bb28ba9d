"""Matters at properties, recalls, and the morning that points to them: looked at, answered, written down."""

import re
from collections.abc import Sequence

import pandas as pd
import pytest

from pipelines.domain.proposals import COLUMNS, KINDS
from pipelines.domain.schemas import GOLDEN_POINTS, PARTY_RECORDS
from pipelines.store import frames, nights, notifications, proposals
from pipelines.store.engine import reading, transaction
from pipelines.store.notifications import Wanted
from pipelines.texts import catalogue
from tests.desk.conftest import Answer, Hub, Seat, refuse


def party_of(hub: Hub, key: str) -> int:
    with reading(hub.register.engine) as conn:
        held = frames.read(conn, PARTY_RECORDS)
    return int(held.loc[held["source_key"] == key, "party_id"].iloc[0])


def point_of(hub: Hub, ref: str) -> int:
    with reading(hub.register.engine) as conn:
        held = frames.read(conn, GOLDEN_POINTS)
    return int(held.loc[held["point_ref"] == ref, "point_id"].iloc[0])


def propose(hub: Hub, ref: str, *facts: dict[str, object]) -> None:
    """What a night would propose about a point."""
    point = point_of(hub, ref)
    found = [("no_payer", f"point {point}", point, list(facts), "hash")]
    with transaction(hub.register.engine) as conn:
        frame = pd.DataFrame(found, columns=list(COLUMNS)).astype({"point_id": "Int64"})
        proposals.renew(conn, frame, "2026-11-02")


def state_of(hub: Hub) -> list[str]:
    with reading(hub.register.engine) as conn:
        return list(proposals.listed(conn, None)["state"])


@pytest.fixture
def unpaid(hub: Hub) -> Hub:
    """Somebody holds a connection and nobody pays."""
    hub.register.write(h1={"family_name": "Liittyjänen", "given_names": "Leena"})
    hub.night_passes()
    propose(hub, "h1", {"fact": "holder", "party_id": party_of(hub, "h1"), "since": "2020-01-01",
                        "source": "registrations", "source_key": "h1"})  # fmt: skip
    return hub


def decided(seat: Seat, answer: str, reason: str = "oma kaivo") -> Answer:
    shown = seat.opens(seat.get("/proposals"), "/proposal")
    sure = seat.opens(shown, "/proposal/preview", reason=reason)
    return seat.opens(sure, f"/proposal/{answer}")


def test_a_matter_is_listed_without_names_opened_closed_and_opened_again(unpaid: Hub) -> None:
    anna = unpaid.seat()
    listed = anna.get("/proposals")
    assert "Liittymällä ei ole maksajaa: 1" in listed.words
    assert "Kulutuspiste h1" in listed.words and "Liittyjänen" not in listed.text
    shown = anna.opens(listed, "/proposal")
    for said in ("liittyjä", "Liittyjänen Leena", "1.1.2020", "Oma asiakasrekisteri", "Selvitä"):
        assert said in shown.words
    assert unpaid.looks()[-1][:2] == ("anna.kasittelija", "proposal show")
    assert anna.opens(shown, "/proposal/preview").status == 422, "an answer has its reason"
    sure = anna.opens(shown, "/proposal/preview", reason="oma kaivo")
    assert state_of(unpaid) == ["open"]
    assert anna.opens(sure, "/proposal/close").status == 200
    assert state_of(unpaid) == ["closed"]
    listed = anna.get("/proposals")
    assert "Suljetut: 1" in listed.words and "oma kaivo" in listed.words
    assert decided(anna, "reopen", "suljettu erehdyksessä").status == 200
    assert state_of(unpaid) == ["open"]


def test_r56_where_a_protected_customer_is_no_place_is_told(protected: Hub) -> None:
    """R56: neither the point's own nor the one that a fact names."""
    propose(
        protected, "f1",
        {"fact": "holder", "party_id": party_of(protected, "f1"), "source": "registrations"},
        {"fact": "bare_property", "property_id": "90199900012345"},
    )  # fmt: skip
    anna = protected.seat()
    shown = anna.opens(anna.get("/proposals"), "/proposal")
    assert "TURVAKIELTO" in shown.words
    assert "90199900012345" not in shown.text and "Kotikatu" not in shown.text


def test_every_kind_of_matter_says_what_to_do_about_it() -> None:
    assert [k for k in KINDS if f"desk.proposal.mend.{k}" not in catalogue()] == []


# ---- recalls


def queue(hub: Hub, kind: str, why: str, key: str = "f1") -> None:
    wanted = Wanted(
        kind, "collection", party_of(hub, key), ("street_line",), why, "e1", (), "hand", "prepared"  # type: ignore[arg-type]
    )  # fmt: skip
    with transaction(hub.register.engine) as conn:
        notifications.queue(conn, [wanted], "2026-11-02T23:30:00Z")


def recall_states(hub: Hub) -> Sequence[str]:
    with reading(hub.register.engine) as conn:
        return list(notifications.listed(conn)["state"])


def opened(seat: Seat) -> Answer:
    return seat.opens(seat.get("/recalls"), "/recall")


def sure(seat: Seat, answer: str, reason: str = "sovittu") -> Answer:
    return seat.opens(opened(seat), "/recall/preview", answer=answer, reason=reason)


def test_r56_a_recall_is_approved_by_two_and_then_sent_and_confirmed(protected: Hub) -> None:
    queue(protected, "recall", "protective_order")
    anna, olli = protected.seat(), protected.seat("olli.vastaava")
    listed = anna.get("/recalls")
    assert "Poistopyyntö 1" in listed.words and "Petäjä" not in listed.text
    shown = opened(anna)
    assert "Kotikatu" not in shown.text and "Petäjä" not in shown.text
    assert not sure(olli, "approve").forms("/recall/approve"), "not even an officer, alone"
    anna.opens(sure(anna, "approve"), "/recall/ask")
    assert recall_states(protected) == ["prepared"]
    request = olli.opens(olli.get("/seconds"), "/second")
    assert "poistopyyntö" in request.words
    assert olli.opens(request, "/second/approve").status == 200
    assert recall_states(protected) == ["approved"]
    letter = opened(anna)
    assert (
        "Pyydämme poistamaan" in letter.words
        and "turvakie" not in letter.words.split("Kirje, joka")[1].lower()
    )
    anna.opens(sure(anna, "sent", "D/8"), "/recall/sent")
    assert recall_states(protected) == ["sent"]
    anna.opens(sure(anna, "answered", "D/9"), "/recall/answered")
    assert recall_states(protected) == ["acknowledged"]


def test_r56_an_officer_who_asked_for_a_recall_does_not_approve_it(protected: Hub) -> None:
    queue(protected, "recall", "protective_order")
    olli = protected.seat("olli.vastaava")
    olli.opens(sure(olli, "approve"), "/recall/ask")
    assert not olli.opens(olli.get("/seconds"), "/second").forms("/second/approve")
    seal = protected.desk._tokens.give(
        "olli.vastaava", "/recall/approve", {"number": "1", "reason": "x"}
    )
    forced = olli.post("/recall/approve", {"number": "1", "reason": "x", "seal": seal})
    assert (forced.status, recall_states(protected)) == (409, ["prepared"])


def test_an_officer_alone_declines_a_recall_and_approves_a_plain_correction(unpaid: Hub) -> None:
    queue(unpaid, "correction", "was_told", "h1")
    anna, olli = unpaid.seat(), unpaid.seat("olli.vastaava")
    assert "Tästä päättää vastaava" in opened(anna).words
    done = olli.opens(sure(olli, "approve"), "/recall/approve")
    assert "Kirje, joka lähetetään" in done.words
    olli.opens(sure(olli, "decline"), "/recall/decline")
    assert recall_states(unpaid) == ["declined"]
    assert "Tässä ei ole enää päätettävää" in opened(olli).words


# ---- the morning


def test_the_morning_speaks_of_pages_and_titles_and_never_of_commands(unpaid: Hub) -> None:
    queue(unpaid, "recall", "protective_order", "h1")
    refuse(unpaid, "value_too_long", {"family_name": "Koski"})
    with transaction(unpaid.register.engine) as conn:
        nights.open_night(conn, "2026-11-03", "2026-11-02T23:30:00Z")
        nights.close_night(conn, "2026-11-03", "ok", "2026-11-02T23:31:00Z")
    morning = unpaid.seat().get()
    assert "hub " not in morning.words.replace("register-hub", "")
    todo = morning.text.split('id="todo"')[1].split("</section>")[0]
    assert "registrations" not in todo and "Oma asiakasrekisteri" in todo
    for path in ("/quarantine", "/recalls"):
        assert f'href="/desk{path}"' in todo
    for path in ("/proposals", "/recalls"):
        assert f'href="/desk{path}"' in morning.text
    operator = unpaid.seat("bo.drift").get()
    assert 'href="/desk/recalls"' not in operator.text


def test_no_sentence_of_the_desk_names_a_command() -> None:
    """Only what is the operator's to do: switching the desk on, the very first night, what a case is told by."""
    told = {
        entry
        for entry, words in catalogue().items()
        if entry.startswith(("desk.", "todo.")) and re.search(r"\bhub [a-z]", words["fi"])
    }
    stood_in_for = {entry for entry in told if f"desk.{entry}" in catalogue()}
    assert {e for e in told - stood_in_for if not e.endswith(".how")} == {
        "desk.morning.never", "desk.deliveries.per_case",
    }  # fmt: skip
