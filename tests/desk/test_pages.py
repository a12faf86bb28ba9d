"""What a steward sees and does at the desk: each act previewed, confirmed once, and written down."""

import re
from typing import Any, get_args

import pandas as pd
import pytest

from pipelines.desk import visit
from pipelines.domain.schemas import (
    ADDRESSES,
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    LANDED,
    PARTIES,
    POINT_VALUES,
    PROVENANCE,
)
from pipelines.roster import Role
from pipelines.steps import second_person
from pipelines.steps.night import executing
from pipelines.store import frames, judgements, nights, seconds
from pipelines.store.engine import reading, transaction
from pipelines.texts import catalogue
from tests.desk.conftest import BIRTH, HOME, MATTI, TOKEN, Answer, Hub, Seat, refuse, state_of

CODE = "010180-999A"


def opened_pair(seat: Seat) -> Answer:
    return seat.opens(seat.get("/pairs"), "/pair")


def previewed(seat: Seat, verdict: str, reason: str = "kysytty puhelimessa") -> Answer:
    return seat.opens(opened_pair(seat), "/pair/preview", verdict=verdict, reason=reason)


def protect(hub: Hub, *keys: str) -> None:
    """An order comes in, and no night has read it yet."""
    said = {key: {**MATTI, "home": HOME, "protection": "on"} for key in keys}
    hub.register.write(**said)


def standing(hub: Hub) -> list[tuple[str, str, str]]:
    with reading(hub.register.engine) as conn:
        found = judgements.standing(conn)
    return list(found[["verdict", "decided_by", "reason"]].itertuples(index=False, name=None))


# ---- the morning


def test_before_the_first_night_the_morning_says_how_to_run_it(hub: Hub) -> None:
    assert "hub night" in hub.seat().get().words


def test_the_morning_counts_what_waits_and_points_to_it_and_names_nobody(protected: Hub) -> None:
    refuse(protected, "value_too_long", {"family_name": "Salainenkoski"})
    with transaction(protected.register.engine) as conn:
        nights.open_night(conn, "2026-11-03", "2026-11-02T23:30:00Z")
        nights.close_night(conn, "2026-11-03", "ok", "2026-11-02T23:31:00Z")
    anna = protected.seat()
    anna.opens(previewed(anna, "different"), "/pair/ask")
    morning = anna.get()
    for said in ("1 tietuetta karanteenissa", "1 paria odottaa", "1 pyyntöä odottaa toista"):
        assert said in morning.words
    assert 'href="/desk/pairs"' in morning.text
    assert "Petäjä" not in morning.text and "Salainenkoski" not in morning.text
    operator = protected.seat("bo.drift").get()
    assert "1 poster i karantän" in operator.words and 'href="/desk/seconds"' not in operator.text


# ---- pairs


def test_the_queue_names_nobody_and_opening_a_pair_is_written_down(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    queue = seat.get("/pairs")
    assert "isä ja poika" in queue.words
    assert "Petäjä" not in queue.text and "Kotikatu" not in queue.text
    assert father_and_son.looks() == []
    pair = opened_pair(seat)
    assert pair.status == 200
    assert "Kotikatu 1 A 2" in pair.words and "Mäki-Petäjä" in pair.words
    assert BIRTH not in pair.text
    looks = father_and_son.looks()
    assert {(who, what) for who, what, _ in looks} == {("anna.kasittelija", "review show")}
    assert len({party for _, _, party in looks}) == 2


def test_a_pair_is_decided_by_preview_and_confirmation_and_no_sooner(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    preview = previewed(seat, "different")
    assert "Ne pysyvät erillään" in preview.words
    assert standing(father_and_son) == [], "a preview decides nothing"
    done = seat.opens(preview, "/pair/decide")
    assert done.status == 200
    assert standing(father_and_son) == [("different", "anna.kasittelija", "kysytty puhelimessa")]


def test_what_a_yes_would_do_to_the_register_is_shown_and_undone(father_and_son: Hub) -> None:
    before = father_and_son.register.ids()
    preview = previewed(father_and_son.seat(), "same")
    assert "yhdistetään ensi yönä" in preview.words
    assert father_and_son.register.ids() == before
    assert standing(father_and_son) == []


def test_a_confirmation_sent_twice_decides_once(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    form = previewed(seat, "unsure").forms("/pair/decide")[0]
    assert seat.post("/pair/decide", form).status == 200
    again = seat.post("/pair/decide", form)
    assert (again.status, "jo tehty" in again.words) == (403, True)
    with reading(father_and_son.register.engine) as conn:
        assert len(judgements.standing(conn)) == 1


@pytest.mark.parametrize(
    "changed", [{"verdict": "same"}, {"reason": "other"}, {"number": "2"}, {"authority": "x"}]
)
def test_what_is_confirmed_is_what_was_shown(father_and_son: Hub, changed: dict[str, str]) -> None:
    seat = father_and_son.seat()
    form = previewed(seat, "different").forms("/pair/decide")[0]
    assert seat.post("/pair/decide", form | changed).status == 403
    assert standing(father_and_son) == []


def test_a_confirmation_of_one_person_is_none_of_another(father_and_son: Hub) -> None:
    form = previewed(father_and_son.seat(), "different").forms("/pair/decide")[0]
    assert father_and_son.seat("olli.vastaava").post("/pair/decide", form).status == 403


def test_a_reason_is_asked_for_and_may_hold_no_identity_code(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    assert "Kirjoita perustelu" in previewed(seat, "different", "").words
    refused = previewed(seat, "different", f"hetu {CODE}")
    assert refused.status == 422
    assert "on henkilötunnus" in refused.words
    assert not refused.forms("/pair/decide")
    assert standing(father_and_son) == []


def test_a_verdict_of_ones_own_is_listed_and_taken_back_and_nobody_elses_is(
    father_and_son: Hub,
) -> None:
    anna, olli = father_and_son.seat(), father_and_son.seat("olli.vastaava")
    anna.opens(previewed(anna, "different"), "/pair/decide")
    assert "Sinulla ei ole" in olli.get("/mine").words
    mine = anna.get("/mine")
    assert "kysytty puhelimessa" in mine.words
    stolen = anna.opens(mine, "/mine/undo", reason="väärä pari").forms("/mine/undone")[0]
    assert olli.post("/mine/undone", stolen).status == 403
    done = anna.opens(
        anna.opens(anna.get("/mine"), "/mine/undo", reason="väärä pari"), "/mine/undone"
    )
    assert done.status == 200
    assert standing(father_and_son) == []


# ---- four eyes


def asked(hub: Hub, seat: Seat) -> Answer:
    seat.opens(previewed(seat, "different"), "/pair/ask")
    return seat.opens(seat.get("/seconds"), "/second")


def test_r56_of_a_protected_pair_no_place_is_shown_and_nobody_decides_alone(protected: Hub) -> None:
    """R56: the address of the one may be the address of the other."""
    seat = protected.seat()
    preview = previewed(seat, "different")
    assert "Kotikatu" not in opened_pair(seat).text + preview.text
    assert not preview.forms("/pair/decide")
    seat.opens(preview, "/pair/ask")
    assert standing(protected) == []


def test_the_direct_way_is_closed_when_an_order_comes_in_after_the_preview(
    father_and_son: Hub,
) -> None:
    seat = father_and_son.seat()
    form = previewed(seat, "different").forms("/pair/decide")[0]
    father_and_son.register.write(f2={**MATTI, "home": HOME, "protection": "on"})
    assert seat.post("/pair/decide", form).status == 409
    assert standing(father_and_son) == []


def test_r56_two_records_that_are_no_pair_at_the_desk_are_approved_there_by_number(
    father_and_son: Hub,
) -> None:
    """R56: who asks for them does so at the command line."""
    facts = {
        "records": ["f1", "registrations:f2"], "verdict": "different", "reason": "kaksi ihmistä",
        "authority": None,
    }  # fmt: skip
    second_person.ask(father_and_son.house.night(), "pair", facts, "anna.kasittelija")
    olli = father_and_son.seat("olli.vastaava")
    request = olli.opens(olli.get("/seconds"), "/second")
    assert "f1 – registrations:f2: eri asiakkaat" in request.words
    assert olli.opens(request, "/second/approve").status == 200
    assert standing(father_and_son) == [("different", "anna.kasittelija", "kaksi ihmistä")]


def test_r56_no_direct_way_stays_open_when_an_order_comes_in_after_the_preview(
    father_and_son: Hub,
) -> None:
    """R56: of a notice, of what ends, of a verdict taken back; and who tried is written down."""
    anna = father_and_son.seat()
    anna.opens(previewed(anna, "different"), "/pair/decide")
    anna.opens(told(anna, "matti"), "/customer/notice/take")
    page = restrained(anna, "ban_on_marketing")
    sure = {
        "/customer/notice/take": told(anna, "matti"),
        "/customer/lifted": anna.opens(page, "/customer/lift", reason="perui"),
        "/mine/undone": anna.opens(anna.get("/mine"), "/mine/undo", reason="väärä"),
    }
    protect(father_and_son, "f1", "f2")
    before = standing(father_and_son), len(notices(father_and_son))
    for path, shown in sure.items():
        refused = anna.opens(shown, path)
        assert (refused.status, "toisen henkilön" in refused.words) == (409, True), path
        assert father_and_son.looks()[-1][:2] == ("anna.kasittelija", "second wanted")
    assert (standing(father_and_son), len(notices(father_and_son))) == before
    again = anna.opens(search(anna, "matti"), "/customer")
    assert again.forms("/customer/lift"), "the ban stands"


def test_who_asked_does_not_approve_nor_does_another_steward(protected: Hub) -> None:
    olli = protected.seat("olli.vastaava")
    own = asked(protected, olli)
    assert not own.forms("/second/approve"), "the button is not there"
    tokens = protected.desk._tokens
    assert tokens is not None
    seal = tokens.give("olli.vastaava", "/second/approve", {"number": "1"})
    forced = olli.post("/second/approve", {"number": "1", "seal": seal})
    assert (forced.status, "hyväksyjän on oltava joku muu" in forced.words) == (409, True)
    anna = protected.seat()
    seal = tokens.give("anna.kasittelija", "/second/approve", {"number": "1"})
    assert anna.post("/second/approve", {"number": "1", "seal": seal}).status == 403
    assert standing(protected) == []


def test_an_officer_who_is_somebody_else_approves_and_it_is_done_once_in_the_askers_name(
    protected: Hub,
) -> None:
    asked(protected, protected.seat())
    olli = protected.seat("olli.vastaava")
    request = olli.opens(olli.get("/seconds"), "/second")
    assert "eri asiakkaat" in request.words
    form = request.forms("/second/approve")[0]
    assert olli.post("/second/approve", form).status == 200
    assert standing(protected) == [("different", "anna.kasittelija", "kysytty puhelimessa")]
    assert ("olli.vastaava", "second approved", None) in protected.looks()
    with reading(protected.register.engine) as conn:
        decided = seconds.read(conn, 1)
    assert decided is not None
    assert (decided.state, decided.facts) == ("approved", None), "what it was about is forgotten"


def test_a_verdict_on_a_protected_pair_is_not_taken_back_by_one_alone(protected: Hub) -> None:
    anna, olli = protected.seat(), protected.seat("olli.vastaava")
    asked(protected, anna)
    olli.opens(olli.opens(olli.get("/seconds"), "/second"), "/second/approve")
    sure = anna.opens(anna.get("/mine"), "/mine/undo", reason="väärä pari")
    assert not sure.forms("/mine/undone")
    anna.opens(sure, "/mine/ask")
    assert len(standing(protected)) == 1
    olli.opens(olli.opens(olli.get("/seconds"), "/second"), "/second/approve")
    assert standing(protected) == []


def test_a_declined_request_does_nothing(protected: Hub) -> None:
    asked(protected, protected.seat())
    olli = protected.seat("olli.vastaava")
    olli.opens(olli.opens(olli.get("/seconds"), "/second"), "/second/decline")
    assert standing(protected) == []
    assert "Mikään ei odota" in olli.get("/seconds").words


# ---- customers


def search(seat: Seat, words: str) -> Answer:
    return seat.opens(seat.get("/customers"), "/customers", words=words, purpose="call")


@pytest.mark.parametrize(
    "words", ["mäki-petäjä", "MATTI maki", "petaja matti", "petäjä mattti", "mtati"]
)
def test_a_customer_is_found_by_words_in_any_order_and_with_a_slip(
    father_and_son: Hub, words: str
) -> None:
    found = search(father_and_son.seat(), words)
    assert "Löytyi: 2" in found.words
    assert len(found.forms("/customer")) == 2
    assert [what for _, what, _ in father_and_son.looks()] == ["customer find"] * 2


def test_nobody_is_found_of_no_words_and_the_search_is_written_down(father_and_son: Hub) -> None:
    assert "Ketään ei löytynyt" in search(father_and_son.seat(), "zzzz").words
    assert father_and_son.looks() == [("anna.kasittelija", "customer find", None)]


def test_a_customer_is_shown_with_where_each_value_is_from(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    shown = seat.opens(search(seat, "matti"), "/customer")
    assert "Oma asiakasrekisteri" in shown.words and "ainoa joka tietää" in shown.words
    assert BIRTH not in shown.text
    assert father_and_son.looks()[-1][1] == "customer show"


def test_a_new_customer_is_found_by_a_desk_that_has_searched_before(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    assert "Ketään ei löytynyt" in search(seat, "uusikallio").words
    father_and_son.register.write(n1={"family_name": "Uusikallio", "given_names": "Aino"})
    father_and_son.night_passes()
    assert "Löytyi: 1" in search(seat, "uusikallio").words


NOTICE = {
    "received": "2026-11-02", "channel": "phone", "line": "Rantatie 5", "postal_code": "31640",
    "post_office": "Humppila", "valid_from": "", "address_type": "postal", "phone": "", "email": "", "evidence": "",
}  # fmt: skip


def told(seat: Seat, words: str, **changed: str) -> Answer:
    shown = seat.opens(search(seat, words), "/customer")
    return seat.opens(shown, "/customer/notice", **(NOTICE | changed))


def notices(hub: Hub) -> list[dict[str, Any]]:
    with reading(hub.register.engine) as conn:
        landed = frames.read(conn, LANDED)
    return list(landed.loc[landed["source"] == "notices", "content"])


def test_a_notice_is_previewed_confirmed_and_taken_down_once(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    preview = told(seat, "matti")
    assert "Rantatie 5, 31640 Humppila" in preview.words
    assert notices(father_and_son) == []
    form = preview.forms("/customer/notice/take")[0]
    assert seat.post("/customer/notice/take", form).status == 200
    assert seat.post("/customer/notice/take", form).status == 403
    (content,) = notices(father_and_son)
    assert content["addresses"] == [
        {
            "line": "Rantatie 5",
            "postal_code": "31640",
            "post_office": "Humppila",
            "address_type": "postal",
        }
    ]


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"line": ""}, "täytä osoite"),
        ({"postal_code": ""}, "postinumero ja postitoimipaikka"),
        ({"postal_code": "3164O"}, "viisi numeroa"),
        ({"received": "2026-11-04"}, "ei tuleva päivä"),
        ({"received": "2.11.2026"}, "ei tuleva päivä"),
        ({"channel": "rumour"}, "valitse, miten"),
        ({"valid_from": "soon"}, "ensimmäinen päivä"),
    ],
)
def test_a_notice_that_cannot_be_taken_down_says_what_is_missing(
    father_and_son: Hub, changed: dict[str, str], says: str
) -> None:
    refused = told(father_and_son.seat(), "matti", **changed)
    assert refused.status == 422
    assert says in refused.words
    assert not refused.forms("/customer/notice/take")


def test_r56_a_protected_customers_notice_wants_a_second_person(protected: Hub) -> None:
    """R56: an address given in somebody's name is how somebody is found."""
    anna, olli = protected.seat(), protected.seat("olli.vastaava")
    found = search(anna, "matti")
    numbers = [form["number"] for form in found.forms("/customer")]
    pages = [anna.opens(found, "/customer", n) for n in range(2)]
    shown = next(p for p in pages if "TURVAKIELTO" in p.words)
    assert len(numbers) == 2 and "Kotikatu" not in shown.text
    preview = anna.opens(shown, "/customer/notice", **(NOTICE | {"address_type": "contact"}))
    assert not preview.forms("/customer/notice/take")
    anna.opens(preview, "/customer/notice/ask")
    assert notices(protected) == []
    request = olli.opens(olli.get("/seconds"), "/second")
    assert "Rantatie 5" in request.words
    assert any(who == "olli.vastaava" and party for who, _, party in protected.looks())
    assert olli.opens(request, "/second/approve").status == 200
    assert len(notices(protected)) == 1


FORBIDS = {
    "kind": "restriction",
    "channel": "letter",
    "evidence": "D-7",
    "reason": "kiistää osoitteen",
}


def test_r45_what_a_customer_forbids_is_previewed_and_holds_from_its_confirmation(
    father_and_son: Hub,
) -> None:
    seat = father_and_son.seat()
    found = search(seat, "matti")
    shown = seat.opens(found, "/customer")
    preview = seat.opens(shown, "/customer/restraint", **FORBIDS)
    assert "tiedot vain säilytetään" in preview.words and "kiistää osoitteen" in preview.words
    assert "Käsittelyä on rajoitettu: " not in seat.opens(found, "/customer").words
    form = preview.forms("/customer/restrain")[0]
    assert seat.post("/customer/restrain", form | {"kind": "ban_on_marketing"}).status == 403
    assert "Kirjattu: Käsittelyä on rajoitettu" in seat.post("/customer/restrain", form).words
    assert seat.post("/customer/restrain", form).status == 403
    again = seat.opens(found, "/customer")
    assert "Käsittelyä on rajoitettu: " in again.words and "(D-7)" in again.words
    assert "Käsittelyä on rajoitettu" in seat.opens(again, "/customer/told").words
    assert "kirjasi käsittelyn rajoituksen" in seat.opens(again, "/customer/looked").words


@pytest.mark.parametrize(
    ("changed", "says"), [({"reason": ""}, "kirjoita perustelu"), ({"kind": "x"}, "valitse, mitä")]
)
def test_what_is_forbidden_without_a_reason_or_a_kind_is_not_taken_down(
    father_and_son: Hub, changed: dict[str, str], says: str
) -> None:
    seat = father_and_son.seat()
    shown = seat.opens(search(seat, "matti"), "/customer")
    refused = seat.opens(shown, "/customer/restraint", **(FORBIDS | changed))
    assert refused.status == 422 and says in refused.words
    assert not refused.forms("/customer/restrain")


def restrained(seat: Seat, kind: str = "restriction") -> Answer:
    """The page of a customer who has forbidden something."""
    found = search(seat, "matti")
    preview = seat.opens(
        seat.opens(found, "/customer"), "/customer/restraint", **(FORBIDS | {"kind": kind})
    )
    seat.opens(preview, "/customer/restrain")
    return seat.opens(found, "/customer")


def test_r45_a_restriction_is_ended_once_the_customer_was_told_and_who_did_it_is_written_down(
    father_and_son: Hub,
) -> None:
    seat = father_and_son.seat()
    page = restrained(seat)
    told = {"reason": "osoite tarkistettu", "informed": "2026-11-02"}
    preview = seat.opens(page, "/customer/lift", **told)
    assert "Lopetetaanko käsittelyn rajoitus?" in preview.words
    assert "Asiakkaalle kerrottu 2.11.2026" in preview.words
    assert "osoite tarkistettu" in preview.words
    form = preview.forms("/customer/lifted")[0]
    assert "Käsittelyä on rajoitettu: " in restrained(seat).words, "a preview ends nothing"
    assert seat.post("/customer/lifted", form | {"informed": "2026-11-01"}).status == 403
    other = father_and_son.seat("olli.vastaava")
    assert other.post("/customer/lifted", form).status == 403
    assert "rajoitus on päättynyt" in seat.post("/customer/lifted", form).words
    assert seat.post("/customer/lifted", form).status == 403
    again = seat.opens(search(seat, "matti"), "/customer")
    assert "Käsittelyä on rajoitettu: " not in again.words
    assert not again.forms("/customer/lift")
    looked = seat.opens(again, "/customer/looked").words
    assert "päätti käsittelyn rajoituksen" in looked and "osoite tarkistettu" in looked
    assert "Asiakkaalle kerrottu 2.11.2026" in looked and "informed" not in looked


@pytest.mark.parametrize(
    ("kind", "changed", "says"),
    [
        ("restriction", {"informed": ""}, "anna päivä, jona asiakkaalle kerrottiin"),
        ("restriction", {"informed": "2026-11-04"}, "anna päivä, jona asiakkaalle kerrottiin"),
        ("restriction", {"reason": ""}, "kirjoita perustelu"),
        ("restriction", {"kind": "ban_on_marketing"}, "ei ole enää voimassa"),
        ("ban_on_marketing", {"reason": ""}, "kirjoita perustelu"),
    ],
)
def test_what_is_not_ended_yet_says_what_is_missing(
    father_and_son: Hub, kind: str, changed: dict[str, str], says: str
) -> None:
    seat = father_and_son.seat()
    filled = {"reason": "tarkistettu", "informed": "2026-11-02"} | changed
    refused = seat.opens(restrained(seat, kind), "/customer/lift", **filled)
    assert (refused.status, says in refused.words) == (422, True), refused.words[:400]
    assert not refused.forms("/customer/lifted")


def test_what_somebody_looked_at_is_named_in_the_readers_language(father_and_son: Hub) -> None:
    anna = father_and_son.seat()
    anna.opens(previewed(anna, "different"), "/pair/decide")
    for login, said in (("anna.kasittelija", "ratkaisu 1"), ("siv.handlaggare", "avgörande 1")):
        seat = father_and_son.seat(login)
        looked = seat.opens(seat.opens(search(seat, "matti"), "/customer"), "/customer/looked")
        assert said in looked.words and "judgement" not in looked.words


def test_r56_what_a_protected_customer_has_forbidden_is_ended_by_two(protected: Hub) -> None:
    """R56: one records it, at once; that data flows again wants a second person."""
    anna, olli = protected.seat(), protected.seat("olli.vastaava")
    found = search(anna, "matti")
    n = next(i for i in range(2) if "TURVAKIELTO" in anna.opens(found, "/customer", i).words)
    sure = anna.opens(anna.opens(found, "/customer", n), "/customer/restraint", **FORBIDS)
    anna.opens(sure, "/customer/restrain")
    shown = anna.opens(found, "/customer", n)
    assert "Käsittelyä on rajoitettu: " in shown.words
    told_on = {"reason": "osoite tarkistettu", "informed": "2026-11-02"}
    sure = anna.opens(shown, "/customer/lift", **told_on)
    assert "vaatii toisen henkilön" in sure.words and not sure.forms("/customer/lifted")
    anna.opens(sure, "/customer/lift/ask")
    assert "Käsittelyä on rajoitettu: " in anna.opens(found, "/customer", n).words
    request = olli.opens(olli.get("/seconds"), "/second")
    assert "Lopetetaanko käsittelyn rajoitus?" in request.words
    assert "osoite tarkistettu" in request.words and "2.11.2026" in request.words
    assert olli.opens(request, "/second/approve").status == 200
    again = anna.opens(found, "/customer", n)
    assert "Käsittelyä on rajoitettu: " not in again.words
    looked = anna.opens(again, "/customer/looked").words
    assert "päätti käsittelyn rajoituksen" in looked and "anna.kasittelija" in looked


def test_a_ban_is_ended_without_a_day_and_not_twice_from_two_desks(father_and_son: Hub) -> None:
    anna, olli = father_and_son.seat(), father_and_son.seat("olli.vastaava")
    page = restrained(anna, "ban_on_marketing")
    assert 'name="informed"' not in page.text
    sure = anna.opens(page, "/customer/lift", reason="perui sähköpostilla")
    too = olli.opens(
        olli.opens(search(olli, "matti"), "/customer"), "/customer/lift", reason="perui kirjeellä"
    )
    assert "Markkinointikielto on päättynyt" in anna.opens(sure, "/customer/lifted").words
    late = olli.opens(too, "/customer/lifted")
    assert (late.status, "ei ole enää voimassa" in late.words) == (409, True)


def test_who_was_told_and_who_looked_are_pages_of_their_own(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    shown = seat.opens(search(seat, "matti"), "/customer")
    statement = seat.opens(shown, "/customer/told")
    assert (statement.status, "anna.kasittelija" in statement.text) == (200, False)
    looked = seat.opens(shown, "/customer/looked")
    assert "anna.kasittelija" in looked.text and "katsoi tiedot" in looked.words


def test_a_refresh_that_can_ask_nobody_says_so_and_shows_nobody(father_and_son: Hub) -> None:
    seat = father_and_son.seat()
    answer = seat.opens(seat.opens(search(seat, "matti"), "/customer"), "/customer/refresh")
    assert answer.status == 409
    assert "Matti" not in answer.text


# ---- quarantine


def answered(seat: Seat, answer: str) -> Answer:
    one = seat.opens(seat.get("/quarantine"), "/refused")
    return seat.opens(one, "/refused/preview", answer=answer, reason="tarkistettu")


def test_a_refused_record_is_listed_without_names_opened_and_dropped(hub: Hub) -> None:
    refuse(hub, "value_too_long", {"family_name": "Salainenkoski", "person_key": TOKEN})
    seat = hub.seat()
    listed = seat.get("/quarantine")
    assert "Salainenkoski" not in listed.text
    one = seat.opens(listed, "/refused")
    assert "Salainenkoski" in one.text and TOKEN not in one.text
    assert hub.looks()[-1][:2] == ("anna.kasittelija", "quarantine show")
    sure = answered(seat, "drop")
    assert state_of(hub, 1) == "open"
    assert seat.opens(sure, "/refused/drop").status == 200
    assert state_of(hub, 1) == "dropped"


def test_a_rule_that_protects_somebody_cannot_be_waived_and_the_page_says_so(hub: Hub) -> None:
    refuse(hub, "finnish_postal_code", {"family_name": "Koski"})
    seat = hub.seat()
    one = seat.opens(seat.get("/quarantine"), "/refused")
    assert "ei voi ohittaa" in one.words
    assert 'value="release"' not in one.text
    assert answered(seat, "release").status == 422
    tokens = hub.desk._tokens
    assert tokens is not None
    facts = {"number": "1", "reason": "x"}
    seal = tokens.give("anna.kasittelija", "/refused/release", facts)
    forced = seat.post("/refused/release", {**facts, "seal": seal})
    assert forced.status == 409
    assert state_of(hub, 1) == "open"


def test_r56_of_a_protected_customers_refused_record_no_place_is_shown_and_two_let_it_on(
    protected: Hub,
) -> None:
    """R56: by the record's own word, or the register's about its customer."""
    place = {"addresses": [{"line": "Piilokuja 3"}], "property_id": "90100000000001"}
    refuse(protected, "value_too_long", {"name": "Koski", "protection": "on", **place}, "k1")
    refuse(protected, "value_too_long", {"name": "Mäki", **place}, "f1")
    anna = protected.seat()
    listed = anna.get("/quarantine")
    for number in range(2):
        one = anna.opens(listed, "/refused", number)
        assert "Piilokuja" not in one.text and "90100000000001" not in one.text
        sure = anna.opens(one, "/refused/preview", answer="drop", reason="kaksoiskappale")
        assert sure.forms("/refused/drop"), "leaving it out tells nobody anything"
        if 'value="release"' in one.text:
            sure = anna.opens(one, "/refused/preview", answer="release", reason="tarkistettu")
            assert sure.forms("/refused/ask") and not sure.forms("/refused/release")


# ---- nothing that a source says is ever markup

EVIL = "<script>alert('{}')</script>"
_TEXTS = [
    (schema, name)
    for schema in (
        GOLDEN,
        PARTIES,
        ADDRESSES,
        PROVENANCE,
        GOLDEN_ROLES,
        GOLDEN_POINTS,
        POINT_VALUES,
    )
    for name in schema.columns
    if name not in schema.key
]


def test_no_field_that_a_source_can_fill_is_ever_markup(father_and_son: Hub) -> None:
    """`<script>` in every text column of the register, in what was refused, and in a steward's own words."""
    planted, hub = 0, father_and_son
    with executing(hub.house.night(), "test") as step:
        for schema in dict.fromkeys(schema for schema, _ in _TEXTS):
            held = frames.read(step.conn, schema)
            for name in (n for s, n in _TEXTS if s is schema):
                texts = held[name].dropna()
                is_text = name not in _CODES and all(isinstance(v, str) for v in texts)
                if is_text and str(held[name].dtype) in ("str", "string", "object"):
                    held[name] = EVIL.format(f"{schema.name}.{name}")
                    planted += 1
            frames.put(step.conn, schema, held, step.id)
    refuse(
        hub, "value_too_long", {n: EVIL.format(n) for n in ("family_name", "email", "www", EVIL)}
    )
    seat = hub.seat()
    seat.opens(previewed(seat, "unsure", EVIL.format("reason")), "/pair/decide")
    found = search(seat, "script")
    customer = seat.opens(found, "/customer")
    pages = {
        "pair": opened_pair(seat),
        "preview": previewed(seat, "same", EVIL.format("reason")),
        "found": found,
        "customer": customer,
        "looked": seat.opens(customer, "/customer/looked"),
        "told": seat.opens(customer, "/customer/told"),
        "notice": told_evil(seat, customer),
        "restraint": seat.opens(
            customer,
            "/customer/restraint",
            kind="restriction",
            channel="letter",
            reason=EVIL.format("reason"),
            evidence=EVIL.format("evidence"),
        ),
        "refused": seat.opens(seat.get("/quarantine"), "/refused"),
        "mine": seat.get("/mine"),
    }
    assert planted > 40
    for name, page in pages.items():
        assert page.status == 200, f"{name}: {page.words[:200]}"
        assert "<script" not in page.text, name
        assert not re.search(r"=\s*\"[^\"]*<", page.text), f"{name}: markup in an attribute"
        if name not in ("looked", "told"):
            assert "&lt;script&gt;" in page.text, f"{name} shows nothing that was planted"


_CODES = frozenset({
    "party_type", "protection", "address_type", "role_type", "valid_from", "valid_to", "source", "rule", "field",
    "name_role", "delivery_channel", "person_key", "birth_key", "key_id", "row_hash", "business_id", "source_time",
    "death_date", "situation_date", "company_situation", "is_deceased", "tied_by", "demolition_date", "party_source_key",
    "superseded_person_keys", "content_hash", "protection_until", "stated_at", "field_times",
})  # fmt: skip


def told_evil(seat: Seat, customer: Answer) -> Answer:
    evil = {
        name: EVIL.format(name) for name in ("line", "post_office", "phone", "email", "evidence")
    }
    return seat.opens(customer, "/customer/notice", **(NOTICE | evil))


# ---- the pages themselves


def test_every_text_a_template_asks_for_is_in_the_catalogue() -> None:
    folder = visit._HERE / "templates"
    asked = [
        (file.name, entry, bool(joined))
        for file in sorted(folder.glob("*.html"))
        for entry, joined in re.findall(r"\bt\('([\w.]+)'( ~)?", file.read_text("utf-8"))
    ]
    assert len(asked) > 150
    known = catalogue()
    for file, entry, joined in asked:
        assert any(e.startswith(entry) for e in known) if joined else entry in known, (file, entry)


def test_what_the_desk_says_has_words_for_each_thing_it_can_be() -> None:
    from pipelines.desk.customers import CHANNELS
    from pipelines.desk.forms import Wrong
    from pipelines.desk.identity import Refusal
    from pipelines.desk.recalls import ANSWERS
    from pipelines.domain.notification import State
    from pipelines.domain.restraints import KINDS
    from pipelines.roster import Bar
    from pipelines.steps.correct import Why
    from pipelines.steps.foresee_undo import Reach
    from pipelines.store.deliveries import Mode

    wanted = {
        "form": get_args(Wrong), "role": get_args(Role), "purpose": visit.PURPOSES, "channel": CHANNELS,
        "away": (*get_args(Bar), "untrusted", "stale"), "mode": get_args(Mode),
        "status": ("ok", "attention", "failed", "running"), "feed": ("ok", "unchanged", "down", "refused", "held"),
        "second.of": ("pair", "undo", "notice", "release", "recall", "lift", "correct", "reopen", "volume"),
        "recall.state": get_args(State), "recall.do": ANSWERS, "recall.hint": ANSWERS,
        "correct": get_args(Why), "quarantine.state": ("corrected", "released", "dropped"),
        "undo": [f"reach_{reach}" for reach in get_args(Reach)], "event": ("new", "changed", "ended", "merged", "split"),
        "restraint.means": KINDS, "restraint.lift": KINDS, "restraint.ended": KINDS, "operation": [f"customer_{act}_{k}" for act in ("restrain", "release") for k in KINDS],
    }  # fmt: skip
    assert set(get_args(Refusal.__args__[0])) == {"untrusted", "stale"}
    missing = [
        f"desk.{family}.{one}" for family, ones in wanted.items() for one in ones
        if f"desk.{family}.{one}" not in catalogue()
    ]  # fmt: skip
    assert missing == []


def test_a_request_that_waited_too_long_is_over_and_forgotten(hub: Hub) -> None:
    with transaction(hub.register.engine) as conn:
        seconds.record(conn, "pair", {"number": "1"}, "anna.kasittelija", "2026-10-01T00:00:00Z")
    assert "Mikään ei odota" in hub.seat().get("/seconds").words
    with reading(hub.register.engine) as conn:
        over = seconds.read(conn, 1)
    assert over is not None
    assert (over.state, over.facts) == ("lapsed", None)
    assert pd.notna(over.decided_at)
