"""Who may sit at the desk, and what every answer is sent with; nothing is believed that the proxy has not signed."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.desk import app
from pipelines.desk.app import Desk
from pipelines.desk.identity import signature
from pipelines.house import House
from pipelines.settings import ConfigError, load_settings
from pipelines.store import access
from pipelines.store.engine import open_engine, reading
from tests.desk.conftest import ENVIRON, MORNING, ROSTER, SECRET, Hub, Seat, opened

NOW = int(MORNING.timestamp())
NAME = "Salainenkoski"


def test_somebody_of_the_roster_comes_in_in_their_own_language(hub: Hub) -> None:
    assert "Anna Käsittelijä" in hub.seat().get().words
    assert "Handläggarens bord" in hub.seat("bo.drift").get().words


def turned_away(hub: Hub, login: str) -> str:
    """What somebody reads who proved a login and may not come in; it is written down."""
    answer = hub.seat(login).get()
    assert answer.status == 403
    with reading(hub.register.engine) as conn:
        line = access.recent(conn, 1).iloc[0]
    assert (line["who"], line["operation"]) == (login, "desk refused")
    return answer.words


def test_who_is_not_in_the_roster_is_told_so_and_written_down(hub: Hub) -> None:
    assert "henkilöluettelossa" in turned_away(hub, "nobody.here")


def test_r49_without_a_signed_commitment_nobody_comes_in(hub: Hub) -> None:
    """R49: nor before the day it was signed."""
    assert "Salassapitositoumustasi ei ole kirjattu" in turned_away(hub, "nils.ny")
    assert "vasta myöhemmin" in turned_away(hub, "eva.ennen")


def test_r51_a_contractors_access_ends_with_the_agreement(hub: Hub) -> None:
    """R51: the last day is still a day of work."""
    assert "Käyttöoikeutesi on päättynyt" in turned_away(hub, "kalle.konsultti")
    hub.now[0] = MORNING - timedelta(days=1)
    assert hub.seat("kalle.konsultti").get().status == 200


def test_r51_an_agreement_without_a_last_day_is_no_roster(tmp_path: Path) -> None:
    """R51: whoever works for a contractor has one."""
    (tmp_path / "config").mkdir()
    endless = ROSTER.replace("    until: 2026-11-02\n", "")
    (tmp_path / "config" / "roster.yml").write_text(endless, encoding="utf-8")
    with pytest.raises(ConfigError, match="access ends"):
        load_settings(tmp_path, {})


def test_who_is_taken_out_of_the_roster_is_out_at_the_next_page(hub: Hub) -> None:
    seat = hub.seat()
    assert seat.get().status == 200
    (hub.register.home / "config" / "roster.yml").write_text("people: []\n", encoding="utf-8")
    assert seat.get().status == 403


def test_r50_a_login_that_is_shared_is_no_login(tmp_path: Path) -> None:
    """R50: a personal login each."""
    (tmp_path / "config").mkdir()
    shared = ROSTER.replace("anna.kasittelija", "asiakaspalvelu")
    (tmp_path / "config" / "roster.yml").write_text(shared, encoding="utf-8")
    with pytest.raises(ConfigError, match="never one that is shared") as refused:
        load_settings(tmp_path, {})
    assert "Anna" not in str(refused.value)


@pytest.mark.parametrize(
    "signed",
    [
        {},
        {"x-hub-user": "anna.kasittelija"},
        {"x-hub-user": "anna.kasittelija", "x-hub-user-signature": ""},
        {"x-hub-user": "anna.kasittelija", "x-hub-user-signature": f"t={NOW},v={'0' * 64}"},
        {
            "x-hub-user": "anna.kasittelija",
            "x-hub-user-signature": signature("another" * 8, NOW, "GET", "/desk", "anna.kasittelija"),
        },
        {
            "x-hub-user": "anna.kasittelija",
            "x-hub-user-signature": signature(SECRET, NOW, "GET", "/desk/pairs", "anna.kasittelija"),
        },
        {
            "x-hub-user": "anna.kasittelija",
            "x-hub-user-signature": signature(SECRET, NOW, "POST", "/desk", "anna.kasittelija"),
        },
        {
            "x-hub-user": "olli.vastaava",
            "x-hub-user-signature": signature(SECRET, NOW, "GET", "/desk", "anna.kasittelija"),
        },
    ],
    ids=["nothing", "no signature", "empty", "zeros", "another secret", "another page", "another method",
         "another person"],
)  # fmt: skip
def test_a_header_that_the_proxy_has_not_signed_for_this_page_lets_nobody_in(
    hub: Hub, signed: dict[str, str]
) -> None:
    answer = hub.seat().get(signed=signed)
    assert answer.status == 403
    assert "Anna" not in answer.text
    with reading(hub.register.engine) as conn:
        assert access.recent(conn, 5).empty, "nobody proved a name"


@pytest.mark.parametrize("seconds", [NOW - 61, NOW + 61])
def test_a_signature_of_another_minute_is_too_old(hub: Hub, seconds: int) -> None:
    signed = {
        "x-hub-user": "anna.kasittelija",
        "x-hub-user-signature": signature(SECRET, seconds, "GET", "/desk", "anna.kasittelija"),
    }
    answer = hub.seat().get(signed=signed)
    assert (answer.status, "vanhentunut" in answer.words) == (403, True)


@pytest.mark.parametrize("peer", ["10.0.0.9", "192.168.1.1", "::ffff:10.0.0.9", "testclient"])
def test_a_good_signature_from_another_address_lets_nobody_in(hub: Hub, peer: str) -> None:
    assert hub.seat().get(peer=peer).status == 403


def test_a_header_sent_twice_lets_nobody_in(hub: Hub) -> None:
    seat = hub.seat()
    name = "anna.kasittelija"
    good = signature(SECRET, NOW, "GET", "/desk", name)
    from starlette.datastructures import Headers

    from pipelines.desk.identity import Asked, TurnedAway, who_sits
    from pipelines.roster import read_roster

    settings = load_settings(hub.register.home, ENVIRON)
    roster = read_roster(hub.register.home / "config" / "roster.yml").by_login
    raw = [(b"x-hub-user", name.encode()), (b"x-hub-user-signature", good.encode())]
    once = Asked("GET", "/desk", "127.0.0.1", Headers(raw=raw))
    assert who_sits(settings.hub.desk, roster, once, MORNING, "2026-11-03").login == name
    twice = replace(once, headers=Headers(raw=[*raw, (b"x-hub-user", b"olli.vastaava")]))
    with pytest.raises(TurnedAway, match="untrusted"):
        who_sits(settings.hub.desk, roster, twice, MORNING, "2026-11-03")
    assert seat.get().status == 200


def test_a_roster_that_cannot_be_read_lets_nobody_in_and_names_the_line(hub: Hub) -> None:
    seat = hub.seat()
    assert seat.get().status == 200
    broken = ROSTER.replace("role: operator", "role: king")
    (hub.register.home / "config" / "roster.yml").write_text(broken, encoding="utf-8")
    answer = seat.get()
    assert (answer.status, "people.2.role" in answer.words, "Bo" in answer.text) == (
        503,
        True,
        False,
    )


def test_without_a_secret_there_is_no_desk_and_it_says_what_to_set(hub: Hub) -> None:
    for off in opened(hub.register.home, {}):
        answer = off.seat().get()
        assert (answer.status, "desk.secret" in answer.words) == (404, True)


def test_a_demo_is_refused_where_there_may_be_real_people(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="allow_test_identities"):
        load_settings(tmp_path, {"HUB_DESK__DEMO": "true"})


def test_in_a_demo_a_person_is_picked_on_this_machine_and_by_no_other_name_of_it(hub: Hub) -> None:
    environ = {"HUB_DESK__DEMO": "true", "HUB_ALLOW_TEST_IDENTITIES": "true"}
    for demo in opened(hub.register.home, environ):
        seat, local = demo.seat(), {"host": "127.0.0.1:3000"}
        first = seat.get(signed={}, headers=local)
        assert "keksittyjä" in first.words
        assert "Aamu" not in first.words, "no session without a person"
        assert seat.get(signed={}, headers={"host": "evil.example"}).status == 403
        picked = seat.post(
            "/demo", first.forms("/demo")[0] | {"login": "olli.vastaava"}, signed={}, headers=local
        )
        cookie = picked.headers["set-cookie"]
        assert picked.status == 303
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        shown = {**local, "cookie": cookie.partition(";")[0]}
        assert "Olli Vastaava" in seat.get(signed={}, headers=shown).words
        forged = {**local, "cookie": "hub_demo=olli.vastaava~" + "0" * 64}
        assert (
            "Olli Vastaava, "
            not in seat.get(signed={}, headers=forged).words.split("Kuka olet?")[0]
        )
        expired = seat.post(
            "/demo",
            first.forms("/demo")[0] | {"login": "kalle.konsultti"},
            signed={},
            headers=local,
        )
        assert expired.status == 403


# ---- what every answer is sent with


@pytest.mark.parametrize("path", ["", "/pairs", "/customers", "/nowhere", "/desk.css"])
def test_no_answer_is_kept_framed_or_tells_others_where_somebody_was(hub: Hub, path: str) -> None:
    told = hub.seat().get(path).headers
    assert told["cache-control"] == "no-store"
    assert told["referrer-policy"] == "no-referrer"
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"
    assert told["cross-origin-opener-policy"] == "same-origin"
    policy = {
        part.split()[0]: part.split()[1:] for part in told["content-security-policy"].split(";")
    }
    assert policy == {
        "default-src": ["'none'"], "style-src": ["'self'"], "form-action": ["'self'"],
        "frame-ancestors": ["'none'"], "base-uri": ["'none'"],
    }  # fmt: skip


def test_refusals_and_errors_are_sent_with_the_same(hub: Hub) -> None:
    for answer in (
        hub.seat("nils.ny").get(),
        hub.seat().post("/pair", {}),
        hub.seat().get(query="q=x"),
    ):
        assert answer.status in (400, 403)
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_page_asks_nobody_else_for_anything_and_runs_no_script(hub: Hub) -> None:
    text = hub.seat().get().text
    assert "<script" not in text and "http://" not in text and "https://" not in text
    assert "style=" not in text


def test_words_in_an_address_are_refused_so_that_none_stays_in_a_history(hub: Hub) -> None:
    answer = hub.seat().get("/customers", query=f"words={NAME}")
    assert (answer.status, NAME in answer.text) == (400, False)


# ---- forms

FORMS = [page for page in app.PAGES.values() if page.method == "POST"]


@pytest.mark.parametrize("page", FORMS, ids=lambda page: page.path)
def test_a_form_without_its_token_or_with_another_does_nothing(hub: Hub, page: app.Page) -> None:
    seat = hub.seat("olli.vastaava")
    field = "token" if page.sealed is None else "seal"
    filled = {
        "number": "1",
        "words": NAME,
        "recipient": "finance",
        "reason": "x",
        "verdict": "same",
    }
    assert seat.post(page.path, filled).status == 403
    other = "seal" if page.sealed is None else "token"
    for forged in ("", "x", "1.2.3", f"{NOW}.abc.{'0' * 64}", "é"):
        assert seat.post(page.path, filled | {field: forged}).status == 403
        assert seat.post(page.path, filled | {other: forged}).status == 403
    with reading(hub.register.engine) as conn:
        assert access.recent(conn, 5).empty


@pytest.mark.parametrize("page", FORMS, ids=lambda page: page.path)
def test_a_token_of_another_person_page_or_hour_does_nothing(hub: Hub, page: app.Page) -> None:
    seat = hub.seat("olli.vastaava")
    seat.get()
    tokens = hub.desk._tokens
    assert tokens is not None
    name = page.sealed[0] if page.sealed else "number"
    facts = {name: "1"} if page.sealed is not None else None
    field = "token" if page.sealed is None else "seal"
    others = [
        tokens.give("anna.kasittelija", page.path, facts),
        tokens.give("olli.vastaava", "/elsewhere", facts),
        tokens.give("olli.vastaava", page.path, {name: "2"}),
    ]
    old = tokens.give("olli.vastaava", page.path, facts)
    for token in others:
        assert seat.post(page.path, {name: "1", field: token}).status == 403
    hub.now[0] = MORNING + timedelta(hours=2, seconds=1)
    answer = seat.post(page.path, {name: "1", field: old})
    assert (answer.status, "kaksi tuntia" in answer.words) == (403, True)


def test_another_site_that_makes_a_browser_send_a_form_does_nothing(hub: Hub) -> None:
    seat = hub.seat()
    form = seat.get("/customers").forms("/customers")[0] | {"words": NAME, "purpose": "call"}
    crossed = seat.post("/customers", form, headers={"sec-fetch-site": "cross-site"})
    assert crossed.status == 403
    assert seat.post("/customers", form, headers={"sec-fetch-site": "same-origin"}).status == 200


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"words=%ff", "application/x-www-form-urlencoded"),
        (b"words=a&words=b", "application/x-www-form-urlencoded"),
        (b"\xff", "application/x-www-form-urlencoded"),
        (b'{"words": "a"}', "application/json"),
        (b"x" * 70_000, "application/x-www-form-urlencoded"),
        (b"words=%00", "application/x-www-form-urlencoded"),
    ],
    ids=["no utf-8", "twice", "bytes", "json", "too large", "nul"],
)
def test_what_no_form_of_ours_sends_is_not_read(hub: Hub, body: bytes, kind: str) -> None:
    answer = hub.seat().send("POST", "/customers", body, headers={"content-type": kind})
    assert (answer.status, "ei voitu lukea" in answer.words) == (403, True)


@pytest.mark.parametrize("page", FORMS, ids=lambda page: page.path)
def test_an_operator_sees_counts_and_no_person(hub: Hub, page: app.Page) -> None:
    seat = hub.seat("bo.drift")
    assert seat.post(page.path, {"number": "1"}).status == 403
    assert seat.get("/customers").status == 403
    assert seat.get("/pairs").status == 200


def test_nothing_is_done_by_following_a_link(hub: Hub) -> None:
    """Every page that is fetched is one that acts on nothing; acts have a seal each."""
    acts = {p.path for p in app.PAGES.values() if p.sealed is not None}
    assert acts == {
        "/pair/decide", "/pair/ask", "/customer/notice/take", "/customer/notice/ask", "/customer/refresh", "/customer/restrain", "/customer/lifted", "/customer/lift/ask",
        "/refused/release", "/refused/drop", "/refused/ask", "/refused/correct", "/refused/correct/ask", "/refused/undone",
        "/refused/undo/ask", "/mine/undone", "/mine/ask", "/second/approve", "/second/decline", "/sources/ask",
        "/proposal/close", "/proposal/reopen", "/recall/approve", "/recall/ask", "/recall/decline", "/recall/sent",
        "/recall/answered",
    }  # fmt: skip
    for path in acts:
        assert hub.seat().get(path).status == 405


# ---- errors


def test_an_error_shows_and_logs_its_kind_and_place_and_no_word_of_it(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    def breaks(visit: object) -> None:
        raise ValueError(NAME)

    page = app.Page("GET", "/", frozenset({"steward"}), breaks)  # type: ignore[arg-type]
    desk = Desk(lambda: hub.house, {page.door: page})
    answer = Seat(desk).get()
    assert (answer.status, NAME in answer.text, NAME in caplog.text) == (500, False, False)
    assert "ValueError at test_door.py" in caplog.text


def test_a_hub_that_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    def cannot() -> House:
        raise ConfigError("hub.yml", "language", "fi, sv or en")

    answer = Seat(Desk(cannot)).get()
    assert (answer.status, "hub.yml" in answer.text) == (503, True)


def test_the_desk_opens_the_hub_once(hub: Hub) -> None:
    opened_times: list[int] = []
    settings = load_settings(hub.register.home, ENVIRON)

    def opening() -> House:
        opened_times.append(1)
        engine = open_engine(settings.hub.database_url)
        return House(hub.register.home, settings, engine, ENVIRON, lambda: MORNING)

    seat = Seat(Desk(opening))
    assert [seat.get().status for _ in range(2)] == [200, 200]
    assert opened_times == [1]
    assert seat.desk._house is not None
    seat.desk._house.close()
