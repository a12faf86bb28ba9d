"""The desk as an ASGI application: who may come in, by which door, and what every answer is sent with.

Belongs here: identity before anything else, routes, headers, errors without a person in them. Does not belong here:
what a page shows (the modules beside this one), the proof of who sits there (`identity`).

Whatever names somebody travels in the body of a POST: no address of the desk has a person, a number of one, or a word
that was searched for in it, so that none is in a history, a referrer or a proxy's log.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from threading import Lock

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from expectations import run
from pipelines.desk import (
    customers,
    deliveries,
    mine,
    morning,
    pairs,
    proposals,
    recalls,
    refused,
    restraints,
    second,
    visit,
    volumes,
)
from pipelines.desk.forms import LARGEST, FormRefused, Tokens, read_form
from pipelines.desk.identity import (
    Asked,
    TurnedAway,
    demo_pass,
    is_this_machine,
    on_roster,
    who_sits,
    who_was_picked,
)
from pipelines.desk.visit import Page, Visit, render
from pipelines.errors import HubError, told
from pipelines.house import House
from pipelines.roster import Member, Roster, read_roster
from pipelines.settings import ConfigError, shipped
from pipelines.steps.look import Names
from pipelines.steps.second_person import Alone, note_alone
from pipelines.store import access
from pipelines.store.engine import StoreError, transaction
from pipelines.texts import Texts

PREFIX = "/desk"
COOKIE = "hub_demo"
_HERE = Path(__file__).parent
_LOG = logging.getLogger(__name__)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
PAGES: Mapping[tuple[str, str], Page] = {
    page.door: page
    for module in (
        morning,
        pairs,
        customers,
        restraints,
        refused,
        proposals,
        deliveries,
        recalls,
        mine,
        second,
        volumes,
    )
    for page in module.PAGES
}


class Desk:
    """The pages under /desk. opening: opens the hub, once, when somebody first comes in. pages: by method and path."""

    def __init__(
        self,
        opening: Callable[[], House],
        pages: Mapping[tuple[str, str], Page] = PAGES,
    ) -> None:
        self._opening = opening
        self._pages = pages
        self._house: House | None = None
        self._opened = Lock()
        self._key = secrets.token_bytes(32)
        self._tokens = Tokens(self._key, lambda: self._open().clock())
        self._roster: tuple[int, Roster] | None = None
        self._names = Names()

    def get_ready(self) -> None:
        """What the first of some pages would wait for; nobody's data is read."""
        visit.get_ready()
        run.get_ready()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        request = Request(scope, receive)
        try:
            body = await _whole(request)
            response = await run_in_threadpool(self._answer, request, body)
        except ClientDisconnect:
            return
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    # ---- from the door to the page

    def _answer(self, request: Request, body: bytes | None) -> Response:
        path = request.scope["path"].removeprefix(PREFIX).rstrip("/") or "/"
        if path == "/desk.css" and request.method == "GET":
            return Response((_HERE / "desk.css").read_bytes(), media_type="text/css")
        try:
            house = self._open()
        except Exception as error:  # noqa: BLE001 - an unusable hub is said, not shown as a traceback
            return Response(f"register-hub: {told(error)}\n", 503, media_type="text/plain")
        texts = Texts(house.settings.hub.language)
        if not house.settings.hub.desk.is_open:
            return _said(texts, "off", 404)
        if request.scope["query_string"]:
            return _said(texts, "query", 400)
        try:
            person = self._person(house, request, path, body)
        except TurnedAway as away:
            self._note(house, away)
            return _said(texts, f"away.{away.why}", 403)
        except FormRefused as wrong:
            return _said(texts, f"form.{wrong.why}", 403)
        except ConfigError as wrong:  # a roster that can't be read lets nobody in
            return _said(texts, "no", 503, line=str(wrong))
        if not isinstance(person, Member):
            return person
        return self._page(house, person, request, path, body)

    def _page(
        self, house: House, person: Member, request: Request, path: str, body: bytes | None
    ) -> Response:
        texts = Texts(person.language or house.settings.hub.language)
        page = self._pages.get((request.method.replace("HEAD", "GET"), path))
        if page is None:
            known = any(at == path for _, at in self._pages)
            return _said(texts, "no_page", 405 if known else 404, person)
        if person.role not in page.roles:
            return _said(texts, "not_yours", 403, person)
        try:
            form: Mapping[str, str] = {}
            if request.method == "POST":
                form = self._form(request, body, person.login, path, page)
            return page.show(Visit(house, person, texts, path, form, self._tokens, self._names))
        except FormRefused as wrong:
            return _said(texts, f"form.{wrong.why}", 403, person)
        except (HubError, StoreError) as no:
            if isinstance(no, Alone):  # an order came in since the preview, or the form was forced
                note_alone(house.night(), person.login, no)
            # what a step or the store says no with names numbers and rules, no person (`errors`)
            return _said(texts, "no", 409, person, line=visit.worded(texts, no))
        except Exception as error:  # noqa: BLE001 - its text may hold a person; kind and place don't
            _LOG.error("desk %s: %s", path, told(error))
            return _said(texts, "broken", 500, person)

    def _form(
        self, request: Request, body: bytes | None, login: str, path: str, page: Page | None
    ) -> Mapping[str, str]:
        """The fields of a form of ours; raises FormRefused."""
        if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
            raise FormRefused("wrong")
        if body is None:
            raise FormRefused("unreadable")
        form = read_form(request.headers.get("content-type", ""), body)
        if page is None or page.sealed is None:
            self._tokens.take(form.pop("token", None), login, path)
            return form
        facts = {name: form[name] for name in page.sealed if name in form}
        self._tokens.take(form.get("seal"), login, path, facts, once=True)
        return facts

    # ---- who it is

    def _person(
        self, house: House, request: Request, path: str, body: bytes | None
    ) -> Member | Response:
        desk, now = house.settings.hub.desk, house.clock()
        roster = self._the_roster(house).by_login
        if not desk.demo:
            asked = Asked(
                request.method, request.scope["path"],
                request.client.host if request.client else None, request.headers,
            )  # fmt: skip
            return who_sits(desk, roster, asked, now, house.today())
        if not is_this_machine(request.headers.getlist("host")):
            raise TurnedAway("untrusted")
        if path == "/demo":
            return self._picked(house, roster, request, body)
        login = who_was_picked(self._key, _cookie(request.headers))
        if login is None:
            return self._pick(house, roster)
        return on_roster(roster, login, house.today())

    def _pick(self, house: House, roster: Mapping[str, Member]) -> Response:
        texts = Texts(house.settings.hub.language)
        token = self._tokens.give("", "/demo")
        return render("demo.html", texts, {"people": list(roster.values()), "token": token})

    def _picked(
        self, house: House, roster: Mapping[str, Member], request: Request, body: bytes | None
    ) -> Response:
        if request.method != "POST":
            return self._pick(house, roster)
        form = self._form(request, body, "", "/demo", None)
        member = on_roster(roster, form.get("login", ""), house.today())
        response = RedirectResponse(PREFIX, 303)
        response.set_cookie(
            COOKIE,
            demo_pass(self._key, member.login),
            path=PREFIX,
            httponly=True,
            samesite="strict",
        )
        return response

    def _the_roster(self, house: House) -> Roster:
        """The roster as its file now is: who was taken out is out."""
        site = house.home / "config" / "roster.yml"
        path = site if site.is_file() else shipped("roster.yml")
        changed = path.stat().st_mtime_ns
        if self._roster is None or self._roster[0] != changed:
            self._roster = (changed, read_roster(path))
        return self._roster[1]

    def _note(self, house: House, away: TurnedAway) -> None:
        """Whoever proved a login and may not come in is written down; what proved nothing is only counted."""
        if away.login is None:
            _LOG.warning("desk: turned away: %s", away.why)
            return
        with transaction(house.engine) as conn:
            now = house.night().now()
            access.record(conn, now, away.login[:64], "desk refused", detail=away.why)

    # ---- what is kept

    def _open(self) -> House:
        with self._opened:
            if self._house is None:
                self._house = self._opening()
            return self._house


async def _whole(request: Request) -> bytes | None:
    """The body; None of one that is larger than any form of ours."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST:
            return None
    return body


def _cookie(headers: Headers) -> str | None:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", ""))
    except Exception:  # noqa: BLE001 - whatever it is, it is no pass of ours
        return None
    return cookies[COOKIE].value if COOKIE in cookies else None


def _said(
    texts: Texts, entry: str, status: int, person: Member | None = None, **values: str
) -> Response:
    """A page with one thing to say."""
    line = texts.say(f"desk.{entry}", **values)
    return render("said.html", texts, {"person": person, "line": line}, status)
