"""A real HTTP server on loopback that answers as a test says.

Belongs here: taking requests, keeping them for the test to look at, sending what it is told, whole or
broken. Does not belong here: what any service means by an answer.
"""

import json
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What to send. promised: a Content-Length to claim; silent: say nothing until the test ends."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    promised: int | None = None
    silent: bool = False


def as_json(value: object, status: int = 200, **headers: str) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False).encode(), headers)


class FakeServer:
    """Answers with the script, reply by reply, or with whatever the given function returns."""

    def __init__(
        self,
        script: Sequence[Reply] | Callable[[Asked], Reply],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.asked: list[Asked] = []
        self._answer = script if callable(script) else iter(list(script))
        self._over = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10
            disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:  # the client went away, as some tests want
                    self.close_connection = True

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(length))
                fake.asked.append(asked)
                reply = fake._reply(asked)
                if reply.silent:
                    fake._over.wait(30)
                    self.close_connection = True
                    return
                self.send_response_only(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name.replace("_", "-"), value)
                promised = len(reply.body) if reply.promised is None else reply.promised
                self.send_header("Content-Length", str(promised))
                self.end_headers()
                self.wfile.write(reply.body)
                if promised != len(reply.body):
                    self.close_connection = True

            do_GET = do_POST = do_PUT = answer

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False  # closing waits for them, so no socket outlives a test
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def _reply(self, asked: Asked) -> Reply:
        return self._answer(asked) if callable(self._answer) else next(self._answer)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
