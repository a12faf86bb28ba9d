"""The town's two HTTP servers on loopback: DVV's change API, and the control of the sandbox itself.

Belongs here: requests, credentials, status codes, spoiled answers. Does not belong here: what the answers
say (`dvv`), what the controls do (`town`). Each answer closes its connection, so that no thread waits for a
client that has gone; a hanging answer ends when its fault is withdrawn or the server closes.
"""

import base64
import contextlib
import hmac
import json
import re
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from connectors.sandbox.dvv import MOST_PEOPLE_ASKED, PopulationRegister
from connectors.sandbox.faults import Faults, spoil_base, spoil_changes

Answer = tuple[int, Any]
Respond = Callable[[str, str, dict[str, str], Any], Answer]


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
    """One server in a thread; `respond(method, path, headers, body)` gives status and JSON."""

    def __init__(self, name: str, respond: Respond, faults: Faults | None = None) -> None:
        self._faults = faults

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                self._serve(None)

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                try:
                    body = json.loads(raw or b"{}")
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
                    self._send(HTTPStatus.TOO_MANY_REQUESTS, {"virhe": "sandbox"}, retry_after="1")
                else:
                    headers = {k.lower(): v for k, v in self.headers.items()}
                    self._send(*respond(self.command, self.path, headers, body))

            def _send(self, status: int, answer: Any, retry_after: str = "") -> None:
                payload = json.dumps(answer, ensure_ascii=False).encode()
                promised = len(payload)
                if faults and faults.strikes("half_response"):
                    payload = payload[: promised // 2]
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
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


class DvvApi:
    """VTJ-muutosrajapinta under `/api/v1` (FORMATS 1.1): Basic credentials and an X-Road client header."""

    def __init__(
        self,
        register: PopulationRegister,
        faults: Faults,
        lock: threading.RLock,
        strangers: Callable[[], list[Any]],
        username: str,
        password: str,
    ) -> None:
        self._register = register
        self._faults = faults
        self._lock = lock
        self._strangers = strangers
        self._credentials = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """One answer of the API."""
        given = headers.get("authorization", "").encode()
        trusted = hmac.compare_digest(given, self._credentials.encode())
        if not trusted or self._faults.strikes("unauthorised"):
            return HTTPStatus.UNAUTHORIZED, {"virhe": "credentials"}
        if not re.fullmatch(
            r"FI(-TEST)?/(MUN|GOV|COM)/[^/]+/[^/]+", headers.get("x-road-client", "")
        ):
            return HTTPStatus.BAD_REQUEST, {"virhe": "X-Road-Client"}
        asked_day = re.fullmatch(r"/api/v1/kirjausavain/(\d{4}-\d{2}-\d{2})", path)
        with self._lock:
            if method == "GET" and asked_day:
                return self._first_key(asked_day[1])
            if method == "POST" and path == "/api/v1/muutokset":
                return self._changes(body)
            if method == "POST" and path == "/api/v1/perustiedot":
                return self._base(body)
        return HTTPStatus.NOT_FOUND, {"virhe": "path"}

    def _first_key(self, day: str) -> Answer:
        try:
            return HTTPStatus.OK, {"viimeisinKirjausavain": self._register.first_key(day)}
        except ValueError:
            return HTTPStatus.BAD_REQUEST, {"virhe": "date"}

    def _changes(self, body: Any) -> Answer:
        cursor, codes = body.get("viimeisinKirjausavain"), body.get("hetulista") or []
        if not isinstance(cursor, int):
            return HTTPStatus.BAD_REQUEST, {"virhe": "viimeisinKirjausavain"}
        answer = self._register.changes(cursor, codes)
        spoil_changes(self._faults, answer, cursor, self._strangers())
        return HTTPStatus.OK, answer

    def _base(self, body: Any) -> Answer:
        codes = body.get("hetulista") or []
        if not 0 < len(codes) <= MOST_PEOPLE_ASKED:
            return HTTPStatus.BAD_REQUEST, {"virhe": "hetulista"}
        answer = self._register.base(codes, body.get("tietoryhmat") or [])
        spoil_base(self._faults, answer, self._strangers())
        return HTTPStatus.OK, answer
