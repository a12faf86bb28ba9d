"""Dagster's web server behind a door that lets no word of anybody's through: `python -m pipelines.webserver`.

Belongs here: standing in front of Dagster's application and answering for it when something is refused, handing the
desk what is the desk's. Does not belong here: what is refused (`launchpad`), the desk's pages (`desk`), starting and
ending the process (`cli.operate`).
"""

import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from pathlib import Path
from threading import Thread
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.launchpad import (
    VOCABULARY,
    Deed,
    Reason,
    Unreadable,
    deeds,
    known_of,
    listens,
    refusal,
    refused,
)

_GRAPHQL = "/graphql"
_DESK = "/desk"


class Gate:
    """Pages and answers pass; GraphQL passes by POST and once it was read; nothing else that writes does.

    app: Dagster's application. say: the words for a reason, in the steward's language. desk: has every page under
    /desk for itself; Dagster hears of none. is_read_only: nothing is started or stopped from this page.
    """

    def __init__(
        self,
        app: ASGIApp,
        say: Callable[[Reason], str],
        desk: ASGIApp | None = None,
        *,
        is_read_only: bool = False,
    ) -> None:
        self._app = app
        self._say = say
        self._desk = desk
        self._is_read_only = is_read_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application."""
        if scope["type"] == "websocket":
            await self._app(scope, self._only_subscriptions(receive), send)
        elif scope["type"] != "http":  # starting and ending
            await self._app(scope, receive, send)
        elif self._desk is not None and (scope["path"] + "/").startswith(f"{_DESK}/"):
            await self._desk(scope, receive, send)
        elif scope["path"].rstrip("/") == _GRAPHQL:
            await self._graphql(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse(self._say("door"), 403)(scope, receive, send)

    async def _graphql(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST" or "application/json" not in Headers(scope=scope).get(
            "content-type", ""
        ):
            # a query in an address stands in histories and in the logs of proxies
            await PlainTextResponse(self._say("door"), 405)(scope, receive, send)
            return
        try:
            request = _request(await _whole(receive))
            asked = deeds(request["query"], request["variables"])
        except Unreadable:
            await self._refuse("unreadable", [], scope, receive, send)
            return
        if asked:
            reason: Reason | None = "looking"
            if not self._is_read_only:
                reason = refusal(asked, known_of(await _answer(self._app, VOCABULARY)))
            if reason:
                await self._refuse(reason, asked, scope, receive, send)
                return
        # handed on as it was read, so that nobody can read it otherwise
        await self._app(*_rewritten(scope, request), send)

    async def _refuse(
        self, reason: Reason, asked: list[Deed], scope: Scope, receive: Receive, send: Send
    ) -> None:
        answer = refused(asked, self._say(reason))
        await JSONResponse(answer)(
            scope, receive, send
        )  # 200: the page shows the words of no other

    def _only_subscriptions(self, receive: Receive) -> Receive:
        async def received() -> Message:
            message = await receive()
            if message["type"] != "websocket.receive":
                return message
            try:
                frame = _object(message.get("text") or "")
                payload = frame.get("payload") or {}
                if frame.get("type") == "start" and not listens(str(payload.get("query"))):
                    return {"type": "websocket.disconnect", "code": 1008}
            except (Unreadable, AttributeError):
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        return received


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable("no JSON") from None
    if not isinstance(read, dict):  # several requests in one: Dagster's page never asks so
        raise Unreadable("no single request")
    return read


def _request(body: bytes) -> dict[str, Any]:
    read = _object(body)
    query, variables = read.get("query"), read.get("variables") or {}
    name = read.get("operationName")
    if not isinstance(query, str) or not isinstance(variables, dict):
        raise Unreadable("no query")
    if not isinstance(name, str | None):
        raise Unreadable("no name of an operation")
    return {"query": query, "variables": variables, "operationName": name}


async def _whole(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unreadable("broken off")
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _rewritten(
    scope: MutableMapping[str, Any], request: dict[str, Any]
) -> tuple[Scope, Callable[[], Awaitable[Message]]]:
    body = json.dumps(request).encode()
    kept = [(k, v) for k, v in scope["headers"] if k.lower() != b"content-length"]
    headers = [*kept, (b"content-length", str(len(body)).encode())]
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return {"type": "http.disconnect"}
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "path": _GRAPHQL, "query_string": b"", "headers": headers}, receive


async def _answer(app: ASGIApp, query: str) -> dict[str, Any]:
    """Dagster's answer to a question of our own; empty when it has none."""
    said: list[bytes] = []

    async def send(message: Message) -> None:
        said.append(message.get("body", b""))

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http",
        "root_path": "", "raw_path": _GRAPHQL.encode(), "server": ("127.0.0.1", 0), "client": None,
        "headers": [(b"content-type", b"application/json")],
    }  # fmt: skip
    await app(*_rewritten(scope, {"query": query, "variables": {}}), send)
    try:
        return _object(b"".join(said))
    except Unreadable:
        return {}


@cache
def _say(reason: Reason) -> str:
    # read when first needed, so that starting takes no longer
    from pipelines.settings import load_settings
    from pipelines.texts import Texts

    settings = load_settings(Path(os.environ["HUB_HOME"]), os.environ)
    return Texts(settings.hub.language).say(f"refused.{reason}")


class _Desk:
    """The desk, imported when somebody first asks for it: Dagster's page comes up no later for it."""

    def __init__(self) -> None:
        self._made: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._made is None:
            self._made = await run_in_threadpool(self._make)
        await self._made(scope, receive, send)

    def _make(self) -> ASGIApp:
        from pipelines.desk.app import Desk
        from pipelines.house import open_house

        desk = Desk(lambda: open_house(Path(os.environ["HUB_HOME"]), os.environ))
        Thread(target=desk.get_ready, daemon=True).start()
        return desk


def serve() -> None:
    """`dagster-webserver` with its own options, behind the gate.

    Dagster has no public way to put anything in front of its application, so the one function its command
    line builds it with is replaced; `cli.operate` asks for the gate before it calls the page started.
    """
    from dagster_webserver import app, cli

    build = app.create_app_from_workspace_process_context
    looks = "--read-only" in sys.argv

    def guarded(*arguments: Any, **options: Any) -> Gate:
        return Gate(build(*arguments, **options), _say, _Desk(), is_read_only=looks)

    # uvicorn would take the caller's address from a header that anybody on this machine can write
    os.environ["FORWARDED_ALLOW_IPS"] = ""

    cli.create_app_from_workspace_process_context = guarded  # type: ignore[attr-defined, assignment]
    cli.main()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    serve()
