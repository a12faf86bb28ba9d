"""The door in front of Dagster's page: what it hands on, what it answers by itself, and in whose words."""

import asyncio
import json
from typing import Any

import pytest
from dagster_graphql.schema import create_schema
from graphql import GraphQLUnionType, get_named_type, parse, validate
from starlette.types import Message, Receive, Scope, Send

from pipelines.launchpad import DEEDS, VOCABULARY
from pipelines.webserver import Gate

NAME = "Virtanen"
LAUNCH = "mutation L($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }"


class FakeDagster:
    """Remembers what reached it; knows one job."""

    def __init__(self) -> None:
        self.reached: list[tuple[str, str, Any]] = []
        self.knows: dict[str, Any] = {"data": {"workspaceOrError": {"locationEntries": []}}}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            while (message := await receive())["type"] == "websocket.receive":
                self.reached.append(("WS", scope["path"], json.loads(message["text"])))
            self.reached.append(("WS", scope["path"], message["type"]))
            return
        body = (await receive()).get("body", b"")
        asked = json.loads(body) if body else None
        answer: object = "dagster"
        if asked and asked["query"] == VOCABULARY:
            answer = self.knows
        else:
            self.reached.append((scope["method"], scope["path"], asked))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(answer).encode()})


def ask(
    dagster: FakeDagster,
    method: str,
    path: str,
    body: bytes = b"",
    content_type: str = "application/json",
    query: bytes = b"",
    desk: FakeDagster | None = None,
    *,
    is_read_only: bool = False,
) -> tuple[int, str]:
    """One HTTP request through the gate, its body in two pieces; status and answer."""
    pieces = [
        {"type": "http.request", "body": body[:5], "more_body": True},
        {"type": "http.request", "body": body[5:], "more_body": False},
    ]
    said: list[Message] = []

    async def receive() -> Message:
        return pieces.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "query_string": query,
        "headers": [(b"content-type", content_type.encode()), (b"Content-Length", b"5")],
    }  # fmt: skip
    gate = Gate(dagster, lambda reason: f"refused: {reason}", desk, is_read_only=is_read_only)
    asyncio.run(gate(scope, receive, send))
    text = b"".join(m.get("body", b"") for m in said).decode()
    return said[0]["status"], text


def posted(dagster: FakeDagster, request: object) -> tuple[int, str]:
    return ask(dagster, "POST", "/graphql", json.dumps(request).encode())


def test_a_page_and_a_question_reach_dagster_and_its_answer_comes_back() -> None:
    dagster = FakeDagster()
    assert ask(dagster, "GET", "/assets/landing/dvv") == (200, '"dagster"')
    assert posted(dagster, {"query": "{ version }"}) == (200, '"dagster"')
    assert [r[:2] for r in dagster.reached] == [
        ("GET", "/assets/landing/dvv"),
        ("POST", "/graphql"),
    ]


def test_a_launch_with_known_words_reaches_dagster_as_it_was_read() -> None:
    dagster = FakeDagster()
    request = {
        "operationName": "L",
        "query": LAUNCH,
        "variables": {"p": {"mode": "default"}},
        "extensions": {"who": NAME},
    }
    assert posted(dagster, request) == (200, '"dagster"')
    assert dagster.reached == [
        ("POST", "/graphql", {k: request[k] for k in ("query", "variables", "operationName")})
    ]


def test_a_launch_with_a_name_in_it_is_answered_in_words_and_reaches_nobody() -> None:
    dagster = FakeDagster()
    request = {"query": LAUNCH, "variables": {"p": {"runConfigData": f"# {NAME}"}}}
    status, text = posted(dagster, request)
    assert status == 200
    assert json.loads(text)["data"]["launchRun"]["message"] == "refused: config"
    assert NAME not in text
    assert dagster.reached == []


def test_a_name_in_the_second_of_two_mutations_reaches_nobody() -> None:
    dagster = FakeDagster()
    query = f'mutation {{ reloadWorkspace {{ id }} launchRun(executionParams: {{mode: "{NAME}"}}) {{ id }} }}'
    status, text = posted(dagster, {"query": query})
    assert (status, dagster.reached) == (200, [])
    said = {key: answer["message"] for key, answer in json.loads(text)["data"].items()}
    assert said == {"reloadWorkspace": "refused: words", "launchRun": "refused: words"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'"x"', b"\xff", NAME.encode(), b'{"query": 7}',
        json.dumps([{"query": "{ version }"}]).encode(),
        json.dumps({"query": "{ version }", "variables": NAME}).encode(),
        json.dumps({"query": "{ version }", "operationName": [NAME]}).encode(),
        json.dumps({"query": f"mutation {{ {NAME}"}).encode(),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_single_readable_request_reaches_nobody(body: bytes) -> None:
    dagster = FakeDagster()
    status, text = ask(dagster, "POST", "/graphql", body)
    assert (status, dagster.reached) == (200, [])
    assert json.loads(text)["errors"] == [{"message": "refused: unreadable"}]


@pytest.mark.parametrize("path", ["/graphql", "/graphql/"])
@pytest.mark.parametrize(
    ("method", "content_type"),
    [("GET", "application/json"), ("POST", "text/plain"), ("POST", "application/graphql"), ("PUT", "")],
)  # fmt: skip
def test_graphql_has_one_way_in(path: str, method: str, content_type: str) -> None:
    """A query in an address would stand in histories and logs; a form of another site sends no JSON."""
    dagster = FakeDagster()
    query = b"query=mutation{setNuxSeen}"
    status, _ = ask(dagster, method, path, b"{}", content_type, query)
    assert (status, dagster.reached) == (405, [])


def test_an_address_of_the_request_is_not_handed_on_with_it() -> None:
    dagster = FakeDagster()
    seen: list[Scope] = []

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)
        await dagster(scope, receive, send)

    ask(watching, "POST", "/graphql", b'{"query": "{ version }"}', query=b"query=x")  # type: ignore[arg-type]
    assert seen[0]["query_string"] == b""
    assert dict(seen[0]["headers"])[b"content-length"] != b"5"


@pytest.mark.parametrize("kind", ["materialization", "check", "observation"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_reported_into_dagster_from_outside(kind: str, method: str) -> None:
    dagster = FakeDagster()
    body = json.dumps({"description": NAME}).encode()
    status, text = ask(dagster, method, f"/report_asset_{kind}/night/close", body)
    assert (status, text, dagster.reached) == (403, "refused: door", [])


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        ({"type": "connection_init"}, True),
        ({"type": "start", "payload": {"query": "subscription { a }"}}, True),
        ({"type": "start", "payload": {"query": "mutation { reloadWorkspace }"}}, False),
        ({"type": "start", "payload": {"query": "{"}}, False),
        ({"type": "start", "payload": NAME}, False),
        ({"type": "start"}, False),
        ([NAME], False),
    ],
)
def test_a_web_socket_listens_and_does_nothing_else(frame: object, *, passes: bool) -> None:
    dagster = FakeDagster()
    frames: list[Message] = [
        {"type": "websocket.receive", "text": json.dumps(frame)},
        {"type": "websocket.disconnect", "code": 1000},
    ]

    async def receive() -> Message:
        return frames.pop(0)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {"type": "websocket", "path": "/graphql", "headers": []}
    asyncio.run(Gate(dagster, str)(scope, receive, send))
    heard = [what for _, _, what in dagster.reached]
    assert heard == ([frame, "websocket.disconnect"] if passes else ["websocket.disconnect"])


def test_a_page_to_look_at_refuses_whatever_would_be_done_and_answers_questions() -> None:
    dagster = FakeDagster()
    asked = {"query": LAUNCH, "variables": {"p": {"mode": "default"}}}
    body = json.dumps(asked).encode()
    status, text = ask(dagster, "POST", "/graphql", body, is_read_only=True)
    assert (status, dagster.reached) == (200, [])
    assert json.loads(text)["data"]["launchRun"]["message"] == "refused: looking"
    question = json.dumps({"query": "{ version }"}).encode()
    assert ask(dagster, "POST", "/graphql", question, is_read_only=True) == (200, '"dagster"')


@pytest.mark.parametrize("path", ["/desk", "/desk/", "/desk/pairs", "/desk/desk.css"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_every_page_of_the_desk_is_the_desks_and_dagster_hears_of_none(
    path: str, method: str
) -> None:
    dagster, desk = FakeDagster(), FakeDagster()
    assert ask(dagster, method, path, desk=desk)[0] == 200
    assert ([r[:2] for r in desk.reached], dagster.reached) == ([(method, path)], [])


@pytest.mark.parametrize("path", ["/desks", "/deskx/pairs", "/", "/assets/desk", "/Desk"])
def test_the_desk_hears_of_nothing_else(path: str) -> None:
    dagster, desk = FakeDagster(), FakeDagster()
    ask(dagster, "GET", path, desk=desk)
    assert ([r[1] for r in dagster.reached], desk.reached) == ([path], [])


def test_starting_and_ending_pass() -> None:
    dagster = FakeDagster()
    scopes: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope["type"])

    asyncio.run(Gate(app, str)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert (scopes, dagster.reached) == (["lifespan"], [])


def test_dagster_has_every_deed_and_the_window_fits_each_of_its_own() -> None:
    """Dagster's schema as it is installed: a renamed mutation or question would be found here."""
    schema = create_schema().graphql_schema
    assert schema.mutation_type is not None
    fields = schema.mutation_type.fields
    assert set(fields) >= DEEDS
    assert validate(schema, parse(VOCABULARY)) == []
    for name, field in fields.items():
        kind = get_named_type(field.type)
        if name in DEEDS and isinstance(kind, GraphQLUnionType):
            assert "PythonError" in {t.name for t in kind.types}, name
        assert isinstance(kind, GraphQLUnionType) or str(kind) == "Boolean", name
