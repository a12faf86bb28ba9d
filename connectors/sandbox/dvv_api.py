"""DVV's change interface as the town's people are asked about: requests in, answers out.

Belongs here: paths, credentials, the client header, spoiled answers. Does not belong here: what the answers
say (`dvv`), sockets (`servers`).
"""

import base64
import hmac
import re
from http import HTTPStatus
from typing import Any

from connectors.sandbox.dvv import MOST_PEOPLE_ASKED, base_data
from connectors.sandbox.faults import Faults, spoil_base, spoil_changes
from connectors.sandbox.scene import Scene
from connectors.sandbox.servers import Answer

_CLIENT = "FI-TEST/COM/9876543-0/asiakasrekisteri"


class DvvApi:
    """VTJ-muutosrajapinta under `/api/v1` (FORMATS 1.1): Basic credentials and an X-Road client header."""

    def __init__(self, scene: Scene, faults: Faults, password: str) -> None:
        self._scene = scene
        self._register = scene.population
        self._faults = faults
        self._password = password
        self._credentials = "Basic " + base64.b64encode(f"hub:{password}".encode()).decode()

    def address(self, url: str) -> dict[str, str]:
        """Where it is and how it lets the hub in."""
        return {"base_url": url, "username": "hub", "password": self._password, "client": _CLIENT}

    def pass_day(self, quiet: bool) -> None:
        """Nothing: what happens to people is announced as it happens (`events`)."""

    def _strangers(self) -> list[Any]:
        """Two inhabitants who are no customers, as DVV shows people."""
        register, world = self._scene.town.register, self._scene.town.world
        customers = set(register.entity_of.values())
        strangers = [
            world.people[p] for p in reversed(world.inhabitants[-50:]) if p not in customers
        ][:2]
        return [
            {"henkilotunnus": p.identity_code, "tietoryhmat": base_data(world, p)}
            for p in strangers
        ]

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
        with self._scene.lock:
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
