"""Where a step says no, a steward reads it in their own language, with nothing to type into a command line."""

import re

import pandas as pd
import pytest

from pipelines.domain.schemas import PARTY_RECORDS
from pipelines.steps.decide import Undecidable
from pipelines.steps.night import executing
from pipelines.store import frames
from tests.desk.conftest import Answer, Hub, Seat, refuse
from tests.desk.test_pages import NOTICE, answered, opened_pair, previewed

# what the command line's own sentences would have in them
ENGLISH = re.compile(
    r"\b(hub|see|there is no|entry|decision|waits|customer|already)\b", re.IGNORECASE
)


def posted(hub: Hub, seat: Seat, path: str, **form: str) -> Answer:
    """A form that was opened a while ago."""
    return seat.post(path, {**form, "token": hub.desk._tokens.give(seat.login, path)})


@pytest.mark.parametrize(
    ("login", "says"),
    [
        ("anna.kasittelija", "Ei tehty. Pari 1 ei odota ratkaisua: se on jo ratkaistu"),
        ("siv.handlaggare", "Inget gjordes. Par 1 väntar inte på avgörande: det är redan avgjort"),
    ],
)
def test_a_pair_that_no_longer_waits_is_said_in_the_stewards_language(
    father_and_son: Hub, login: str, says: str
) -> None:
    olli, steward = father_and_son.seat("olli.vastaava"), father_and_son.seat(login)
    opened = opened_pair(steward)
    olli.opens(previewed(olli, "different"), "/pair/decide")
    late = steward.opens(opened, "/pair/preview", verdict="same", reason="samma")
    assert (late.status, says in late.words) == (409, True), late.words
    assert not ENGLISH.search(late.words)


@pytest.mark.parametrize(
    ("login", "says"),
    [
        ("anna.kasittelija", "Yö on jo lukenut karanteenin tietueen 1, joten"),
        ("siv.handlaggare", "En natt har redan läst posten 1 i karantän, så"),
    ],
)
def test_an_answer_taken_back_too_late_is_said_in_the_stewards_language(
    hub: Hub, login: str, says: str
) -> None:
    refuse(hub, "value_too_long", {"family_name": "Koski"})
    steward = hub.seat(login)
    steward.opens(answered(steward, "release"), "/refused/release")
    sure = steward.opens(steward.get("/mine"), "/refused/undo", reason="x")
    with executing(hub.house.night(), "standardise"):
        pass
    late = steward.opens(sure, "/refused/undone")
    assert (late.status, says in late.words) == (409, True), late.words
    assert not ENGLISH.search(late.words)


@pytest.mark.parametrize(
    ("path", "form", "says"),
    [
        ("/pair", {"number": "77"}, "Pari 77 ei odota"),
        ("/customer", {"number": "P77"}, "Tällä numerolla ei ole asiakasta"),
        ("/refused", {"number": "77"}, "Karanteenissa ei ole tietuetta 77"),
        ("/proposal", {"number": "77"}, "ei ole asiaa 77"),
        ("/recall", {"number": "77"}, "ei ole asiaa 77"),
        ("/second", {"number": "77"}, "Pyyntö 77 ei odota"),
        ("/sources/preview", {"source": "dvv", "reason": "x"}, "ei ole pidätettyä erää"),
    ],
)
def test_what_is_not_there_is_said_in_finnish_on_every_page_that_asks_for_a_number(
    hub: Hub, path: str, form: dict[str, str], says: str
) -> None:
    answer = posted(hub, hub.seat(), path, **form)
    assert (answer.status, says in answer.words) == (409, True), answer.words
    assert not ENGLISH.search(answer.words)


def test_what_has_no_text_yet_shows_its_sentence(hub: Hub) -> None:
    from pipelines.desk.visit import worded
    from pipelines.texts import Texts

    assert worded(Texts("fi"), Undecidable("not so")) == "not so"


def test_a_notice_of_somebody_only_other_registers_know_says_what_has_to_be_done_first(
    father_and_son: Hub,
) -> None:
    hub, key = father_and_son, ("source", "source_key")
    with executing(hub.house.night(), "test") as step:
        own = pd.DataFrame([{"source": "registrations", "source_key": "f1"}])
        held = frames.read_matching(step.conn, PARTY_RECORDS, own, key)
        frames.remove(step.conn, PARTY_RECORDS, own, key)
        theirs = held.assign(source="dvv", source_key="d1")
        frames.put(step.conn, PARTY_RECORDS, theirs, step.id)
    anna = hub.seat()
    shown = posted(hub, anna, "/customer", number=f"P{held['party_id'].iloc[0]}")
    sure = anna.opens(shown, "/customer/notice", **NOTICE)
    answer = anna.opens(sure, "/customer/notice/take")
    assert (answer.status, "ei ole omassa asiakasrekisterissä" in answer.words) == (409, True)
    assert not ENGLISH.search(answer.words)
