"""The national building register (Ryhti): the change information service that SYKE keeps.

Belongs here: asking `Authenticate`, `InitialInformation` and `ChangeInformation`, following the cursor.
Does not belong here: what a building object says and whose it is (`ryhti_buildings`), transport
(`connectors.http`).

The service is asked by municipality, which names nobody, so nothing is announced. It answers with every
building of the municipality; all but ours are left in memory (DESIGN 4). Persons under a protective order
are never asked for: `…PersonsLimited` leaves them out, `…NoPersons` everybody (FORMATS.md §4.1).
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    Lender,
    Malformed,
    NotRecognised,
    Opening,
    Tokens,
)
from connectors.http import Answer, Http, HttpSettings
from connectors.sources.ryhti_buildings import Buildings

_MOST_PAGES = 10_000
_SERVICE = "/change-information"
_ENTITY = {"limited": "BuildingPersonsLimited", "none": "BuildingNoPersons"}
_MUNICIPALITY = re.compile(r"[0-9]{3}")
_TOKEN = re.compile(r"[\x21-\x7e]{1,10000}")


@dataclass(frozen=True)
class RyhtiOptions:
    """How to reach the service and what to ask for. timeout: seconds without an answer, attempts: tries.

    base_url: the service's address at the security server, with or without its final
    /change-information. municipalities: their three digits, as text. persons: "limited" brings owners but
    for those under a protective order; "none" brings buildings alone.
    Raises ValueError for a setting that can't be used.
    """

    base_url: str
    client_id: str
    client_secret: str = field(repr=False)
    municipalities: Sequence[str]
    persons: Literal["limited", "none"] = "limited"
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    timeout: float = 60.0
    attempts: int = 4
    allow_test_identities: bool = False

    def __post_init__(self) -> None:
        if self.persons not in _ENTITY:
            raise ValueError("persons is not one of limited, none")
        codes = () if isinstance(self.municipalities, str) else self.municipalities
        if not codes or not all(isinstance(c, str) and _MUNICIPALITY.fullmatch(c) for c in codes):
            raise ValueError('municipalities is not a list of codes of three digits, like ["103"]')
        self.http()

    def http(self) -> HttpSettings:
        base = self.base_url.rstrip("/")
        return HttpSettings(
            base_url=f"{base if base.endswith(_SERVICE) else base + _SERVICE}/api",
            ca_file=self.ca_file,
            client_cert=self.client_cert,
            client_key=self.client_key,
            read_timeout=self.timeout,
            attempts=self.attempts,
        )


def connect(options: Mapping[str, Any], opening: Opening) -> "Ryhti":
    """The source as the house opens it; ValueError or TypeError says which option can't be used."""
    given = {k: v for k, v in options.items() if v is not None}
    read = RyhtiOptions(**given, allow_test_identities=opening.allow_test_identities)
    if opening.patience is not None:
        read = replace(read, timeout=opening.patience, attempts=1)
    return Ryhti(read, opening.lender, opening.tokens)


class _Position(NamedTuple):
    """A place in the change feed."""

    event_id: str
    object_key: str | None

    def told(self) -> dict[str, str | None]:
        """As the feed itself writes it."""
        return {"eventId": self.event_id, "objectKey": self.object_key}


class Ryhti:
    """The building register as a `Source`; records as `ryhti_buildings` has them."""

    def __init__(
        self,
        options: RyhtiOptions,
        lender: Lender,
        tokens: Tokens,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._lender = lender
        self._tokens = tokens
        self._sleep = sleep

    def fetch(self, ask: Ask) -> Batch:
        """Our buildings and their owners, as changed since `ask.cursor`.

        Cursor: {"eventId", "objectKey", "lent"}, where lent is a digest of what was ours and of what is
        asked for. Without a cursor, or when that digest has changed, everything is read: the feed says
        nothing of a building that did not change since somebody was connected there. The feed is then
        drained from the old position first, for that is the only place where an ended ownership is told,
        and the position reached is kept though the reading is newer: hearing a change twice does no harm.
        faults and unknown: see `ryhti_buildings`. Raises `Malformed` for a feed that does not move on.
        """
        lent = self._lender.borrow()
        if not lent.property_ids and not lent.building_ids:
            return Batch((), dict(ask.cursor or {}), 0)
        digest = self._digest(lent)
        buildings = Buildings(self._tokens, lent, ask.known, self._options.allow_test_identities)
        with Http(self._options.http(), self._sleep) as http:
            service = _Service(http, self._options)
            if ask.cursor:
                start = _position(ask.cursor, "the stored cursor")
                reached = self._drain(service, buildings, start)
                if ask.cursor.get("lent") != digest:
                    self._load(service, buildings)
            else:
                reached = self._drain(service, buildings, self._load(service, buildings))
        return Batch(
            records=buildings.records(),
            cursor={**reached.told(), "lent": digest},
            fetched=buildings.fetched,
            faults=buildings.faults,
            dropped=dict(buildings.dropped),
            unknown=dict(buildings.unknown),
        )

    def check(self) -> str:
        """Asks for a token, which names nobody and shows nothing."""
        with Http(self._options.http(), self._sleep) as http:
            place = _Service(http, self._options).authenticate()
        return f"{place}: lets us in (persons: {self._options.persons})"

    def _digest(self, lent: Borrowed) -> str:
        """Changes when something else is ours than before, or something else is asked for."""
        asked = [sorted(self._options.municipalities), self._options.persons]
        ours = [sorted(lent.property_ids), sorted(lent.building_ids)]
        return hashlib.sha256(json.dumps([asked, ours]).encode()).hexdigest()

    def _load(self, service: "_Service", buildings: Buildings) -> _Position:
        """Takes in every building there is; where the feed stood before the first was read."""
        buildings.begin()
        begun = [self._load_one(service, buildings, code) for code in self._options.municipalities]
        return begun[0]

    def _load_one(self, service: "_Service", buildings: Buildings, municipality: str) -> _Position:
        begun: _Position | None = None
        last: str | None = None
        for _ in range(_MOST_PAGES):
            page, place = service.ask("InitialInformation", municipality, {"lastObjectKey": last})
            begun = begun or _position(page, place)
            items, following = page.get("items"), page.get("next")
            if not isinstance(items, list):
                raise Malformed(f"{place}: no list items")
            for item in items:
                buildings.load(item)
            if following is None:
                return begun
            key = following.get("lastObjectKey") if isinstance(following, dict) else None
            if not isinstance(key, str) or key == last:
                raise Malformed(f"{place}: goes on, yet next does not move")
            last = key
        raise Malformed(f"{place}: not at its end after {_MOST_PAGES} pages")

    def _drain(self, service: "_Service", buildings: Buildings, start: _Position) -> _Position:
        """Follows the change feed to its end; the position there."""
        everywhere = ",".join(self._options.municipalities)
        position, seen = start, {start}
        buildings.begin()
        for _ in range(_MOST_PAGES):
            page, place = service.ask("ChangeInformation", everywhere, position.told())
            changes, up_to_date = page.get("changes"), page.get("upToDate")
            if not isinstance(changes, list) or not isinstance(up_to_date, bool):
                raise Malformed(f"{place}: no list changes or no upToDate")
            last_seen = page.get("lastSeen")
            if last_seen is None and changes:
                raise Malformed(f"{place}: changes without lastSeen")
            # an empty page need not say where it ends
            reached = position if last_seen is None else _position(last_seen, place)
            if reached != position and reached in seen:
                raise Malformed(f"{place}: lastSeen has come round to an earlier event")
            if reached == position and (changes or not up_to_date):
                raise Malformed(f"{place}: there is more, yet lastSeen does not move")
            for change in changes:
                buildings.hear(change)
            position = reached
            seen.add(reached)
            if up_to_date:
                return position
        raise Malformed(f"{place}: not up to date after {_MOST_PAGES} pages")


class _Service:
    """The service for one call: asks for a token first, and for one more if that has run out."""

    def __init__(self, http: Http, options: RyhtiOptions) -> None:
        self._http = http
        self._options = options
        self._token: str | None = None
        self._renewed = False

    def authenticate(self) -> str:
        """Takes a token; how error texts name the call."""
        answer = self._http.request(
            "POST",
            "Authenticate",
            params={"clientId": self._options.client_id},
            body=self._options.client_secret,  # a JSON string: the service wants it in quotes
            is_query=True,
        )
        token = answer.json()
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise Malformed(f"{answer.place}: the answer is not a token")
        self._token = token
        return answer.place

    def ask(
        self, operation: str, municipality: str, body: Mapping[str, object]
    ) -> tuple[Mapping[str, Any], str]:
        """One page and how to name it in error texts; a token that has run out is renewed, once."""
        if self._token is None:
            self.authenticate()
        answer: Answer | None = None
        try:
            answer = self._post(operation, municipality, body)
        except NotRecognised:
            if self._renewed:
                raise
        if answer is None:
            self._renewed = True
            self.authenticate()
            answer = self._post(operation, municipality, body)
        page = answer.json()
        if not isinstance(page, dict):
            raise Malformed(f"{answer.place}: the answer is not a JSON object")
        return page, answer.place

    def _post(self, operation: str, municipality: str, body: Mapping[str, object]) -> Answer:
        return self._http.request(
            "POST",
            f"{operation}/{_ENTITY[self._options.persons]}",
            params={"municipality": municipality},
            body=body,
            headers={"Authorization": f"Bearer {self._token}"},
            is_query=True,
        )


def _position(told: object, place: str) -> _Position:
    """eventId and objectKey of a cursor, a lastSeen or an initial page."""
    given = told if isinstance(told, Mapping) else {}
    event_id, object_key = given.get("eventId"), given.get("objectKey")
    if not isinstance(event_id, str) or not event_id:
        raise Malformed(f"{place}: no eventId to go on from")
    if object_key is not None and not isinstance(object_key, str):
        raise Malformed(f"{place}: objectKey is not text")
    return _Position(event_id, object_key)
