"""What one has decided is taken back: as if it had never been, or, once others were told, as a correction."""

from collections.abc import Callable, Iterator

import pandas as pd
import pytest

from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.steps.consolidate import consolidate
from pipelines.steps.match import match
from pipelines.steps.night import Night, executing
from pipelines.steps.prepare_extract import freeze
from pipelines.steps.standardise import standardise
from pipelines.store import deliveries, frames, notifications
from pipelines.store.engine import reading
from tests.desk.conftest import Answer, Hub, Seat, refuse, state_of
from tests.desk.test_pages import answered, previewed, standing, told
from tests.desk.test_refused import token
from tests.minimality.register import Inbox


def of_finance(hub: Hub, party: int, **row: str) -> None:
    """Freeze and send one row to finance, as a night would have."""
    contract = hub.house.settings.recipients["finance"]
    columns = dict.fromkeys(contract.columns, "")
    night = hub.house.night()
    events = pd.DataFrame([{"row_key": f"{party:06}-1", "party_id": party, **columns, **row}])
    _ = night.vault
    with executing(night, "extract:finance") as step:
        freeze(step, night, contract, events, Inbox())  # type: ignore[arg-type]
        (one,) = deliveries.outstanding(step.conn, "finance")
        for state in ("sealed", "sending", "sent"):
            deliveries.mark(step.conn, one.delivery_id, state, night.now())


def parties(hub: Hub) -> dict[str, int]:
    with reading(hub.register.engine) as conn:
        held = frames.read(conn, PARTY_RECORDS)
    return dict(zip(held["source_key"], held["party_id"].astype(int), strict=True))


def sure(seat: Seat, reason: str = "väärä pari") -> Answer:
    return seat.opens(seat.get("/mine"), "/mine/undo", reason=reason)


@pytest.fixture
def joined(father_and_son: Hub) -> Iterator[tuple[Hub, int, int]]:
    """A father and a son whom Anna took for one, a night later: the hub, who went, and into whom."""
    hub = father_and_son
    before = parties(hub)
    anna = hub.seat()
    anna.opens(previewed(anna, "same"), "/pair/decide")
    hub.night_passes()
    (into,) = set(parties(hub).values())
    (gone,) = set(before.values()) - {into}
    yield hub, gone, into


def test_before_any_night_an_undo_is_a_plain_one(father_and_son: Hub) -> None:
    anna = father_and_son.seat()
    anna.opens(previewed(anna, "same"), "/pair/decide")
    shown = sure(anna)
    assert "pelkkä peruminen" in shown.words and "Yksikään yö ei ole vielä" in shown.words
    assert anna.opens(shown, "/mine/undone").status == 200
    assert standing(father_and_son) == []


def test_after_a_night_that_told_nobody_it_is_a_plain_one_and_says_what_follows(
    joined: tuple[Hub, int, int],
) -> None:
    hub, _, _ = joined
    shown = sure(hub.seat())
    assert "pelkkä peruminen" in shown.words and "taas kahdeksi asiakkaaksi" in shown.words
    assert len(set(parties(hub).values())) == 1, "nothing has been done yet"


def test_r43_once_somebody_was_told_it_is_a_correction_and_says_who_hears_of_it(
    joined: tuple[Hub, int, int],
) -> None:
    hub, gone, into = joined
    of_finance(hub, gone, event="merged", customer_number=f"{gone:06}", merged_into=f"{into:06}")
    anna = hub.seat()
    shown = sure(anna)
    assert "oikaisu" in shown.words and "19 artikla" in shown.words
    assert "Taloushallinto: luovutuksia 1, rivejä 1" in shown.words
    assert "Väärin kerrottu: asiakasnumero ja yhdistäminen" in shown.words
    done = anna.opens(shown, "/mine/undone")
    assert "Takaisinvedot ja oikaisut" in done.words
    hub.night_passes()
    with reading(hub.register.engine) as conn:
        (queued,) = notifications.listed(conn).to_dict("records")
    assert (queued["recipient"], queued["why"], queued["party_id"]) == ("finance", "was_told", gone)
    listed = anna.get("/recalls")
    assert "Oikaisuilmoitus 1" in listed.words and "sai väärän tiedon" in listed.words


def test_what_was_shown_as_plain_is_not_done_when_somebody_is_told_meanwhile(
    joined: tuple[Hub, int, int],
) -> None:
    hub, gone, into = joined
    anna = hub.seat()
    shown = sure(anna)
    of_finance(hub, gone, event="merged", customer_number=f"{gone:06}", merged_into=f"{into:06}")
    late = anna.opens(shown, "/mine/undone")
    assert (late.status, "Katso vaikutus uudelleen" in late.words) == (409, True)
    assert len(standing(hub)) == 1


def test_an_answer_about_a_refused_record_is_ones_own_and_can_be_taken_back(hub: Hub) -> None:
    refuse(hub, "value_too_long", {"family_name": "Salainenkoski"})
    anna, olli = hub.seat(), hub.seat("olli.vastaava")
    anna.opens(answered(anna, "drop"), "/refused/drop")
    assert "Sinulla ei ole" in olli.get("/mine").words
    mine = anna.get("/mine")
    assert "Jätit pois tietueen 1" in mine.words and "Salainenkoski" not in mine.text
    shown = anna.opens(mine, "/refused/undo", reason="olikin oikein")
    assert state_of(hub, 1) == "dropped"
    stolen = shown.forms("/refused/undone")[0]
    assert olli.post("/refused/undone", stolen).status == 403
    assert anna.opens(shown, "/refused/undone").status == 200
    assert state_of(hub, 1) == "open"
    assert "Sinulla ei ole" in anna.get("/mine").words


def test_what_was_let_on_can_be_taken_back_until_a_night_has_read_it(hub: Hub) -> None:
    refuse(hub, "value_too_long", {"family_name": "Koski"})
    anna = hub.seat()
    anna.opens(answered(anna, "release"), "/refused/release")
    mine = anna.get("/mine")
    assert "Päästit läpi tietueen 1" in mine.words

    def offered() -> bool:
        page = anna.post("/refused", {"number": "1", "token": token(hub, "/refused")})
        assert "läpi" in page.words
        return bool(page.forms("/refused/undo"))

    assert offered()
    with executing(hub.house.night(), "standardise"):
        pass
    assert "Sinulla ei ole" in anna.get("/mine").words
    assert not offered()
    late = anna.opens(anna.opens(mine, "/refused/undo", reason="myöhässä"), "/refused/undone")
    assert (late.status, state_of(hub, 1)) == (409, "released")


def test_a_notice_one_took_down_stands_there_as_a_notice(father_and_son: Hub) -> None:
    anna = father_and_son.seat()
    anna.opens(told(anna, "matti"), "/customer/notice/take")
    mine = anna.get("/mine")
    assert "Kirjaamasi asiakkaan ilmoitus N000001" in mine.words
    shown = sure(anna, "väärä asiakas")
    assert "pelkkä peruminen" in shown.words
    assert anna.opens(shown, "/mine/undone").status == 200
    assert standing(father_and_son) == []


@pytest.mark.parametrize("read", [(), (standardise,), (match,), (standardise, match, consolidate)])
def test_a_notice_is_plainly_taken_back_however_far_a_night_has_come_with_it(
    father_and_son: Hub, read: tuple[Callable[[Night], object], ...]
) -> None:
    """Taken down in the middle of a night, it may be matched before it has been read."""
    anna = father_and_son.seat()
    anna.opens(told(anna, "matti", corrects="yes"), "/customer/notice/take")
    for step in read:
        step(father_and_son.house.night())
    shown = sure(anna, "väärä asiakas")
    assert (shown.status, "pelkkä peruminen" in shown.words) == (200, True), shown.words
    assert anna.opens(shown, "/mine/undone").status == 200
    assert standing(father_and_son) == []


def test_nobody_elses_decision_is_taken_back(father_and_son: Hub) -> None:
    path = "/mine/undo"
    anna, olli = father_and_son.seat(), father_and_son.seat("olli.vastaava")
    anna.opens(previewed(anna, "different"), "/pair/decide")
    mine = anna.get("/mine")
    form = mine.forms(path)[0] | {"reason": "ei minun"}
    token = father_and_son.desk._tokens.give("olli.vastaava", path)
    refused = olli.post(path, form | {"token": token})
    assert refused.status == 409
    assert "ei ole enää peruttavissa, tai se ei ole sinun" in refused.words
