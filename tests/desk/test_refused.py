"""A refused record corrected at the desk, and a held batch let in: previewed, confirmed once, taken back, four eyes."""

import json
from typing import Any

import pytest

from pipelines.settings import load_settings
from pipelines.steps.standardise import standardise
from pipelines.store import acceptances, corrections, nights
from pipelines.store.engine import reading, transaction
from tests.desk.conftest import ENVIRON, TOKEN, Answer, Hub, Seat, refuse, state_of

LINE, CODE = "f:addresses.postal.line", "f:addresses.postal.postal_code"


def moved(code: str = "0O100", **more: Any) -> dict[str, Any]:
    home = {
        "address_type": "postal", "line": "Rantatie 5", "postal_code": code, "post_office": "HELSINKI",
    }  # fmt: skip
    return {"name": "Mäki-Petäjä Matti", "addresses": [home], "person_key": TOKEN, **more}


@pytest.fixture
def refused(father_and_son: Hub) -> Hub:
    """A customer whose move the own register tells with a postal code that is none; entry 1."""
    refuse(father_and_son, "finnish_postal_code", moved(), "f2", "postal_code")
    return father_and_son


def opened_one(seat: Seat) -> Answer:
    return seat.opens(seat.get("/quarantine"), "/refused")


def inputs(page: Answer) -> dict[str, str]:
    """What a browser would send of the fields of the form, untouched."""
    import html
    import re

    texts = re.findall(r'<input type="text" id="(f:[^"]*)"[^>]*? value="([^"]*)"', page.text)
    chosen = re.findall(r'(?s)<select id="(f:[^"]*)".*?<option value="([^"]*)" selected', page.text)
    return {html.unescape(name): html.unescape(value) for name, value in [*texts, *chosen]}


def tried(seat: Seat, answer: str = "correct", reason: str = "kysytty", **typed: str) -> Answer:
    page = opened_one(seat)
    form = {**inputs(page), "answer": answer, "reason": reason, **typed}
    return seat.opens(page, "/refused/preview", **form)


def standing(hub: Hub) -> list[tuple[str, str, str]]:
    with reading(hub.register.engine) as conn:
        found = corrections.in_force(conn)
    return list(found[["field", "corrected", "decided_by"]].itertuples(index=False, name=None))


def test_what_came_stands_beside_what_is_held_and_an_input_for_what_may_be_corrected(
    refused: Hub,
) -> None:
    page = opened_one(refused.seat())
    for said in ("Tuli näin", "Rekisterissä nyt", "0O100", "00100", "postiosoite: postinumero"):
        assert said in page.words
    typed = inputs(page)
    assert (typed[CODE], typed[LINE]) == ("0O100", "Rantatie 5")
    assert not {name for name in typed if "key" in name or "protection" in name or "death" in name}
    assert TOKEN not in page.text
    assert 'aria-invalid="true"' in page.text


def test_a_correction_is_previewed_with_what_it_does_confirmed_once_and_written_in_ones_name(
    refused: Hub,
) -> None:
    seat = refused.seat()
    sure = tried(seat, **{CODE: "00100"})
    assert sure.status == 200, sure.words
    assert "Rantatie 5" in sure.words, "the street that the register would hold"
    assert "Kotikatu 1 A 2" in sure.words
    assert (standing(refused), state_of(refused, 1)) == ([], "open"), "a preview corrects nothing"
    form = sure.forms("/refused/correct")[0]
    done = seat.post("/refused/correct", form)
    assert (done.status, "on korjattu" in done.words) == (200, True)
    assert seat.post("/refused/correct", form).status == 403
    assert standing(refused) == [("addresses.postal.postal_code", "00100", "anna.kasittelija")]
    assert state_of(refused, 1) == "corrected"
    acts = [what for who, what, _ in refused.looks() if who == "anna.kasittelija"]
    assert {"quarantine show", "quarantine preview", "quarantine correct"} <= set(acts)


def test_what_is_confirmed_is_what_was_previewed(refused: Hub) -> None:
    seat = refused.seat()
    form = tried(seat, **{CODE: "00100"}).forms("/refused/correct")[0]
    other = {"values": json.dumps({"addresses.postal.postal_code": "33100"})}
    assert seat.post("/refused/correct", form | other).status == 403
    assert standing(refused) == []


@pytest.mark.parametrize(
    ("answer", "typed", "says"),
    [
        ("correct", {CODE: "001"}, "Suomalaisessa postinumerossa"),
        ("correct", {}, "Yhtään kenttää ei muutettu"),
        ("drop", {CODE: "00100"}, "valitsit muun kuin korjaamisen"),
        ("correct", {CODE: "00100", "reason": ""}, "kirjoita perustelu"),
    ],
)
def test_what_can_not_be_done_is_said_in_words_and_what_was_typed_stays(
    refused: Hub, answer: str, typed: dict[str, str], says: str
) -> None:
    page = tried(refused.seat(), answer, **typed)
    assert (page.status, says in page.words) == (422, True), page.words[:400]
    assert "finnish_postal_code" not in page.words
    assert inputs(page)[CODE] == typed.get(CODE, "0O100")
    assert standing(refused) == []


def test_a_correction_of_ones_own_is_listed_and_taken_back_until_a_night_has_read_it(
    refused: Hub,
) -> None:
    anna, olli = refused.seat(), refused.seat("olli.vastaava")
    anna.opens(tried(anna, **{CODE: "00100"}), "/refused/correct")
    assert "Korjasit tietueen 1" in anna.get("/mine").words
    assert "Korjasit tietueen 1" not in olli.get("/mine").words
    sure = anna.opens(anna.get("/mine"), "/refused/undo", reason="väärä rivi")
    assert state_of(refused, 1) == "corrected"
    assert anna.opens(sure, "/refused/undone").status == 200
    assert (standing(refused), state_of(refused, 1)) == ([], "open")
    anna.opens(tried(anna, **{CODE: "00100"}), "/refused/correct")
    standardise(refused.house.night())
    assert not anna.get("/mine").forms("/refused/undo")
    again = opened_one(anna)
    assert "ei voi enää perua" in again.words and "korjattu aiemmin: 00100" in again.words
    assert not again.forms("/refused/undo")
    anew = tried(anna, **{CODE: "33100"})
    anna.opens(anew, "/refused/correct")
    assert [value for _, value, _ in standing(refused)] == ["33100"]


def test_what_was_left_out_is_taken_back_on_its_page(refused: Hub) -> None:
    anna = refused.seat()
    anna.opens(tried(anna, "drop"), "/refused/drop")
    page = anna.post("/refused", {"number": "1", "token": token(refused, "/refused")})
    assert "on jätetty pois" in page.words
    anna.opens(anna.opens(page, "/refused/undo", reason="ei sittenkään"), "/refused/undone")
    assert state_of(refused, 1) == "open"


def token(hub: Hub, path: str, facts: dict[str, str] | None = None) -> str:
    tokens = hub.desk._tokens
    assert tokens is not None
    return tokens.give("anna.kasittelija", path, facts)


def test_r56_of_a_protected_customer_nothing_hidden_is_corrected_blindly(protected: Hub) -> None:
    """R56: there is no input for a place, and a form that claims one does nothing."""
    refuse(protected, "finnish_postal_code", moved(), "f1", "postal_code")
    seat = protected.seat()
    page = opened_one(seat)
    assert not {name for name in inputs(page) if "postal." in name}
    assert "Rantatie" not in page.text and "0O100" not in page.text
    facts = {"number": "1", "reason": "x", "values": '{"addresses.postal.postal_code": "00100"}'}
    for path in ("/refused/correct", "/refused/correct/ask"):
        seat.post(path, {**facts, "seal": token(protected, path, facts)})
    olli = protected.seat("olli.vastaava")
    forced = olli.opens(olli.opens(olli.get("/seconds"), "/second"), "/second/approve")
    assert (forced.status, "Turvakielto piilottaa" in forced.words) == (409, True)
    assert standing(protected) == []


def test_r56_a_protected_customers_record_is_corrected_and_that_taken_back_by_two(
    protected: Hub,
) -> None:
    """R56: what may be seen is asked for by one and approved by another, in the asker's name."""
    said = {"name": "Mäki-Petäjä\x07 Matti", "protection": "on", "phone": "050 555 0100"}
    refuse(protected, "control_characters", said, "f1", "name")
    anna, olli = protected.seat(), protected.seat("olli.vastaava")
    sure = tried(anna, **{"f:name": "Mäki-Petäjä Matti"})
    assert sure.status == 200, sure.words[:500]
    assert not sure.forms("/refused/correct")
    anna.opens(sure, "/refused/correct/ask")
    assert standing(protected) == []
    request = olli.opens(olli.get("/seconds"), "/second")
    assert (
        "Mäki-Petäjä Matti" in request.words
        and "karanteenissa olevan tietueen korjaaminen" in request.words
    )
    assert olli.opens(request, "/second/approve").status == 200
    assert standing(protected) == [("name", "Mäki-Petäjä Matti", "anna.kasittelija")]
    undo = anna.opens(anna.get("/mine"), "/refused/undo", reason="väärä rivi")
    assert not undo.forms("/refused/undone")
    anna.opens(undo, "/refused/undo/ask")
    olli.opens(olli.opens(olli.get("/seconds"), "/second"), "/second/approve")
    assert standing(protected) == []


def test_r56_the_direct_way_is_closed_when_an_order_comes_in_after_the_preview(
    father_and_son: Hub,
) -> None:
    """R56: the step itself wants two, whatever the page thought."""
    refuse(
        father_and_son, "value_too_long", {"name": "Mäki-Petäjä Matti", "protection": "on"}, "f1"
    )
    anna, olli = father_and_son.seat(), father_and_son.seat("olli.vastaava")
    for path in ("/refused/release", "/refused/undone"):
        facts = {"number": "1", "reason": "tarkistettu"}
        forced = anna.post(path, {**facts, "seal": token(father_and_son, path, facts)})
        assert (forced.status, "vaatii toisen henkilön" in forced.words) == (409, True), path
        assert state_of(father_and_son, 1) == "open"
    page = opened_one(anna)
    sure = anna.opens(page, "/refused/preview", **inputs(page), answer="release", reason="oikein")
    anna.opens(sure, "/refused/ask")
    olli.opens(olli.opens(olli.get("/seconds"), "/second"), "/second/approve")
    assert state_of(father_and_son, 1) == "released"


# ---- a held batch


@pytest.fixture
def held(hub: Hub) -> Hub:
    """A tenth of the own register came in the last night."""
    folder = {
        "HUB_SOURCES__REGISTRATIONS__FOLDER__KIND": "folder",
        "HUB_SOURCES__REGISTRATIONS__FOLDER__PATH": str(hub.register.home),
        "HUB_REGISTRATIONS_USERNAME": "hub",
        "HUB_REGISTRATIONS_PASSWORD": "made-up",
    }
    hub.house.settings = load_settings(hub.register.home, {**ENVIRON, **folder})
    with transaction(hub.register.engine) as conn:
        for day, status, total in ((1, "ok", 100), (2, "ok", 100), (3, "held", 10)):
            nights.record_feed(
                conn, "registrations", f"2026-11-{day:02}", status=status, now="2026-11-03T00:00:00Z",
                fetched=total, total=total,
            )  # fmt: skip
    return hub


def test_a_held_batch_is_asked_about_by_one_and_let_in_by_another(held: Hub) -> None:
    anna, olli = held.seat(), held.seat("olli.vastaava")
    page = anna.get("/sources")
    assert "Tietueita tuli 10; tavallisesti niitä on 100." in page.words
    assert anna.opens(page, "/sources/preview", reason="").status == 422
    sure = anna.opens(page, "/sources/preview", reason="rekisterin siivous, vahvisti A. L.")
    assert "yksi erä, jossa on 9–11 tietuetta, kerran" in sure.words
    anna.opens(sure, "/sources/ask")
    assert not anna.get("/sources").forms("/sources/preview"), "one request at a time"
    own = anna.opens(anna.get("/seconds"), "/second")
    assert not own.forms("/second/approve")
    request = olli.opens(olli.get("/seconds"), "/second")
    assert "9–11 tietuetta" in request.words and "rekisterin siivous" in request.words
    assert olli.opens(request, "/second/approve").status == 200
    assert "Pyytäjä anna.kasittelija, hyväksyjä olli.vastaava" in olli.get("/sources").words
    with reading(held.register.engine) as conn:
        found = acceptances.fitting(conn, "registrations", 10, "2026-11-04")
    assert found is not None and (found.asked_by, found.approved_by) == (
        "anna.kasittelija", "olli.vastaava",
    )  # fmt: skip


def test_a_held_file_of_the_post_is_no_batch_to_ask_for_and_the_morning_says_whom_to_tell(
    hub: Hub,
) -> None:
    post = {"HUB_SOURCES__POSTAL__FOLDER__PATH": str(hub.register.home)}
    hub.house.settings = load_settings(hub.register.home, {**ENVIRON, **post})
    with transaction(hub.register.engine) as conn:
        nights.open_night(conn, "2026-11-03", "2026-11-02T23:30:00Z")
        nights.record_feed(
            conn, "postal", "2026-11-03", status="held", now="2026-11-03T00:00:00Z",
            reason="BAF_20261031.dat: 1 records where 11 are usual",
        )  # fmt: skip
        nights.close_night(conn, "2026-11-03", "failed", "2026-11-02T23:31:00Z")
    anna = hub.seat()
    morning = anna.get()
    assert "uusi tiedosto pidätettiin: BAF_20261031.dat" in morning.words
    assert (
        "Entinen tiedosto on yhä voimassa" in morning.words and "Kerro ylläpidolle" in morning.words
    )
    assert "pyydä sen ottamista sisään" not in morning.words
    assert not anna.get("/sources").forms("/sources/preview")
    form = {"source": "postal", "reason": "x", "token": token(hub, "/sources/preview")}
    asked = anna.post("/sources/preview", form)
    assert (asked.status, "ei oteta sisään hyväksynnällä" in asked.words) == (409, True)


def test_who_looks_after_the_hub_sees_the_sources_and_asks_for_nothing(held: Hub) -> None:
    bo = held.seat("bo.drift")
    page = bo.get("/sources")
    assert "Det kom 10 poster" in page.words
    assert not page.forms("/sources/preview")
    assert bo.post("/sources/preview", {"source": "registrations", "reason": "x"}).status == 403
