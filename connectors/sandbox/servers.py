"""An HTTP server on loopback for one counterparty, with the faults any server can have.

Belongs here: requests, status codes, answers that never come or break off. Does not belong here: what
anybody answers (`dvv_api`, `ytj`, …), what the controls do (`town`). Each answer closes its connection, so
that no thread waits for a client that has gone; a hanging answer ends when its fault is withdrawn or the
server closes.
"""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from connectors.sandbox.faults import Faults

Answer = tuple[int, Any]
Respond = Callable[[str, str, dict[str, str], Any], Answer]


class Plain(str):
    """An answer that goes out as text/plain instead of JSON."""


class Xml(str):
    """An answer that goes out as text/xml instead of JSON."""


class _Server(ThreadingHTTPServer):
    daemon_threads = False

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self._callers: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), handler)

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        caller, address = super().get_request()
        self._callers.add(caller)
        return caller, address

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self._callers.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake every thread that waits for its caller to say something."""
        for caller in list(self._callers):
            with contextlib.suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that hung up is no fault of ours."""


class HttpServer:
    """One server in a thread; `respond(method, path, headers, body)` gives status and JSON, or a `Plain` or
    `Xml` text. takes_json: bodies are read as JSON before; else they come as bytes.
    """

    def __init__(
        self, name: str, respond: Respond, faults: Faults | None = None, takes_json: bool = True
    ) -> None:
        self._faults = faults

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                self._serve(None)

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                try:
                    body = json.loads(raw or b"{}") if takes_json else raw
                except ValueError:
                    self._send(HTTPStatus.BAD_REQUEST, {"virhe": "not JSON"})
                else:
                    self._serve(body)

            def _serve(self, body: Any) -> None:
                if faults and faults.strikes("timeout"):
                    faults.hang()
                elif faults and faults.strikes("http_500"):
                    self._send(HTTPStatus.INTERNAL_SERVER_ERROR, {"virhe": "sandbox"})
                elif faults and faults.strikes("http_429"):
                    self._send(
                        HTTPStatus.TOO_MANY_REQUESTS, Plain("too many requests"), retry_after="1"
                    )
                else:
                    headers = {k.lower(): v for k, v in self.headers.items()}
                    self._send(*respond(self.command, self.path, headers, body))

            def _send(self, status: int, answer: Any, retry_after: str = "") -> None:
                is_text = isinstance(answer, (Plain, Xml))
                payload = (answer if is_text else json.dumps(answer, ensure_ascii=False)).encode()
                promised = len(payload)
                if faults and faults.strikes("half_response"):
                    payload = payload[: promised // 2]
                self.send_response(status)
                kinds: dict[type, str] = {Plain: "text/plain", Xml: "text/xml"}
                kind = kinds.get(type(answer), "application/json")
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(promised))
                self.send_header("Connection", "close")
                if retry_after:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: requests name people."""

        self._server = _Server(Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name=name)
        self._thread.start()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:port`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop; callers who are still on the line are hung up on."""
        if self._faults:
            self._faults.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
