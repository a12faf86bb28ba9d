"""The national building register of the town: its buildings, what happens to them, the service it answers by.

Belongs here: which buildings stand, a day in their lives, the change feed, requests and answers as in
FORMATS 4.1. Does not belong here: how a building object looks (`ryhti_objects`), sockets (`servers`).

One building stands at each consumption point; a sauna beside some; and other people's houses, which are
none of the utility's business. Owners are those that the own register names, until a house is sold: the
building register hears of that first.
"""

import hmac
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import NAMESPACE_OID, uuid5

from connectors.sandbox import names, ryhti_objects
from connectors.sandbox.faults import Faults
from connectors.sandbox.founding import Sale, Story
from connectors.sandbox.own_register import HOLDER, OWNER
from connectors.sandbox.ryhti_objects import DEMOLISHED, SEWER, WATER, Building, Ownership
from connectors.sandbox.scene import Scene
from connectors.sandbox.servers import Answer
from connectors.sandbox.world import Address, days_after

PAGE = 50
_PATH = re.compile(r"/change-information/api/(InitialInformation|ChangeInformation)/(\w+)")
_VARIANTS = ("BuildingPersonsLimited", "BuildingNoPersons")
_STORIES = {"house_sold": 2, "building_demolished": 2, "parcel_split": 3}
_FIRST_BODY = 990_000_000
_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_CONNECTED = ((WATER, True), (SEWER, True), (ryhti_objects.ELECTRICITY, True))
_DRY = ((WATER, False), (SEWER, False), (ryhti_objects.ELECTRICITY, True))

Diff = tuple[tuple[str, Ownership], ...]


@dataclass(frozen=True)
class _Event:
    """One change of one building; a sale of a whole property is several under one event id."""

    event_id: str
    moment: str
    building: Building
    diff: Diff = ()


class BuildingRegister:
    """Ryhti's change information service under `/change-information`: a secret for a token, pages of 50."""

    def __init__(self, scene: Scene, faults: Faults, password: str) -> None:
        self._scene = scene
        self._faults = faults
        self._password = password
        self._world = scene.town.world
        self._night = 1
        self._minted = 0
        self._tokens: set[str] = set()
        self._handed_out = 0
        self._events: list[_Event] = []
        self.buildings = scene.town.buildings
        self.page_size = PAGE
        self._found()
        self._tell_stories()

    # --- what stands --------------------------------------------------------------------------------

    def _found(self) -> None:
        rng, world = self._scene.chance("ryhti"), self._world
        owners = self._owners_by_point()
        taken: set[str] = set()
        for point in world.points.values():
            building_id = point.address.building_id
            if not building_id or building_id in taken:
                building_id = self._building_id()
            taken.add(building_id)
            house = self._build(
                building_id, point.property_id, point.address, owners[point.point_ref]
            )
            house = replace(
                house,
                connections=_CONNECTED if rng.random() < 0.9 else (),
                migrated=rng.random() < 0.1,
            )
            house = replace(house, spread=not house.migrated and rng.random() < 0.05)
            self.buildings[house.key] = house
            if rng.random() < 0.3:
                sauna = self._build(
                    self._building_id(), point.property_id, point.address, owners[point.point_ref]
                )
                self.buildings[sauna.key] = replace(sauna, connections=_DRY)
        for number, person in enumerate(self._strangers(len(world.points) // 3), start=1):
            address = Address(
                rng.choice(names.STREETS), str(900 + number), names.HOME[0],
                building_id=self._building_id(),
            )  # fmt: skip
            property_id = f"{names.HOME_MUNICIPALITY}498{number:04d}0001"
            house = self._build(address.building_id, property_id, address, [person])
            self.buildings[house.key] = replace(house, connections=_DRY)

    def _build(
        self, building_id: str, property_id: str, address: Address, entities: Iterable[str]
    ) -> Building:
        key = self._uuid("building", building_id)
        owners = tuple(Ownership(self._uuid("owner", f"{key}/{e}"), e) for e in entities)
        return Building(key, building_id, property_id, address, owners)

    def _owners_by_point(self) -> dict[str, list[str]]:
        """Point → entities that own it today, or hold its contract where nobody is written down as owner."""
        register = self._scene.town.register
        found: dict[str, dict[str, list[str]]] = defaultdict(lambda: {OWNER: [], HOLDER: []})
        for role in register.roles.values():
            entity = register.entity_of[role["ASIAKASNRO"]]
            named = found[role["KULUTUSPISTE"]].get(role["ROOLI"])
            if named is not None and not role["PAATTYEN"] and entity not in named:
                named.append(entity)
        owners: dict[str, list[str]] = defaultdict(list)
        owners.update({point: named[OWNER] or named[HOLDER] for point, named in found.items()})
        return owners

    def _strangers(self, count: int) -> list[str]:
        """People of age who are nobody's customers, the same ones for the same town and day."""
        world, customers = self._world, set(self._scene.town.register.entity_of.values())
        of_age = days_after(world.today, -18 * 366)
        free = [
            p
            for p in world.inhabitants
            if p not in customers | self._scene.town.cast
            and (person := world.people[p]).birth_date < of_age
            and not person.death_date
            and not person.is_protected
        ]
        return self._scene.chance("ryhti").sample(free, min(count, len(free)))

    def _building_id(self) -> str:
        """A permanent building id of the test range, from a stretch the town's own houses never reach."""
        self._minted += 1
        body = _FIRST_BODY + self._minted
        return f"{body}{_CHECK[body % 31]}"

    def _uuid(self, kind: str, name: str) -> str:
        return str(uuid5(NAMESPACE_OID, f"{self._world.seed}/{kind}/{name}"))

    # --- what happens -------------------------------------------------------------------------------

    def _tell_stories(self) -> None:
        """Three houses of ordinary customers to whom something happens on the second or third night."""
        ordinary = self._ordinary()
        chosen = self._scene.chance("ryhti").sample(ordinary, len(_STORIES))
        plots = zip(_STORIES.items(), chosen, strict=True)
        for (story, night), (point_ref, number, entity) in plots:
            people = (entity, *self._strangers(1)) if story == "house_sold" else (entity,)
            canary = {
                "point": point_ref,
                "name": self._world.people[entity].name,
                "street_line": self._world.points[point_ref].address.line(),
            }
            if story == "house_sold":
                canary["buyer"] = self._world.people[people[1]].name
            self._scene.town.stories[story] = Story(story, (number,), canary, night, people)

    def _ordinary(self) -> list[tuple[str, str, str]]:
        """Point, customer number and entity of living people who are alone in every role of one house."""
        town, world = self._scene.town, self._world
        in_stories = {n for story in town.stories.values() for n in story.customer_numbers}
        at_point: dict[str, set[str]] = defaultdict(set)
        for role in town.register.roles.values():
            at_point[role["KULUTUSPISTE"]].add(role["ASIAKASNRO"])
        points_of: dict[str, list[str]] = defaultdict(list)
        for point_ref, numbers in at_point.items():
            for number in numbers:
                points_of[number].append(point_ref)
        rows_of = Counter(town.register.entity_of.values())
        return [
            (point_ref, number, entity)
            for point_ref, (number, *others) in at_point.items()
            if not others
            and number not in in_stories
            and len(points_of[number]) == 1
            and town.register.points[point_ref]["RAKENNUSTUNNUS"]
            and (entity := town.register.entity_of[number]) in world.people
            and entity not in town.cast
            and rows_of[entity] == 1
            and not (person := world.people[entity]).death_date
            and not person.is_protected
        ]

    def pass_day(self, quiet: bool) -> None:
        """Live through the day that has just ended: the stories first, then chance."""
        self._night += 1
        if quiet:
            return
        happenings: dict[str, Callable[[Story], None]] = {
            "house_sold": self._story_of_a_sale,
            "building_demolished": lambda story: self.demolish(self.house_at(story)),
            "parcel_split": lambda story: self.split(self.house_at(story)),
        }
        town = self._scene.town
        for name, happen in happenings.items():
            story = town.stories.get(name)
            if story and story.from_night <= self._night and (name, 0) not in town.told:
                town.told.add((name, 0))
                happen(story)
        self._chance()

    def _chance(self) -> None:
        rng = self._scene.chance("ryhti")
        told = {self.house_at(s).key for n, s in self._scene.town.stories.items() if n in _STORIES}
        standing = [b for k, b in self.buildings.items() if b.state != DEMOLISHED and k not in told]
        plan: list[tuple[float, Callable[[Building], None]]] = [
            (0.0004, lambda building: self.sell(building, self._strangers(1)[0])),
            (0.0001, self.demolish),
            (0.0003, lambda building: self.connect(building, WATER, True)),
        ]
        for part, happen in plan:
            whole = part * len(standing)
            for building in rng.sample(standing, int(whole) + (rng.random() < whole % 1)):
                happen(self.buildings[building.key])

    def house_at(self, story: Story) -> Building:
        """The building at a story's consumption point, as it is now."""
        building_id = self._world.points[story.canary["point"]].address.building_id
        return self.buildings[self._uuid("building", building_id)]

    def _story_of_a_sale(self, story: Story) -> None:
        self.sell(self.house_at(story), story.people[1])

    def sell(self, building: Building, buyer: str) -> None:
        """The whole property gets one new owner; each building on it is a change of the same event."""
        if building.property_id in {p.property_id for p in self._world.points.values()}:
            sale = Sale(building.property_id, buyer, self._world.today)
            self._scene.town.sales.append(sale)
        sold = [b for b in self.buildings.values() if b.property_id == building.property_id]
        changes: list[tuple[Building, Diff]] = []
        for one in sold:
            new = Ownership(self._uuid("owner", f"{one.key}/{buyer}/{self._world.today}"), buyer)
            ended: Diff = tuple(("DELETED", ownership) for ownership in one.owners)
            changes.append((replace(one, owners=(new,)), (*ended, ("ADDED", new))))
        self._announce(changes)

    def demolish(self, building: Building) -> None:
        """It is taken down, and its connections are closed."""
        yesterday = days_after(self._world.today, -1)
        closed = tuple((code, False) for code, _ in building.connections)
        gone = replace(building, state=DEMOLISHED, demolished=yesterday, connections=closed)
        self._announce([(gone, ())])

    def split(self, building: Building) -> None:
        """The parcel it stands on becomes a property of its own; the building keeps its id."""
        parcel = sum(1 for b in self.buildings.values() if b.property_id[3:6] == "499") + 1
        property_id = f"{names.HOME_MUNICIPALITY}499{parcel:04d}0001"
        self._announce([(replace(building, property_id=property_id), ())])

    def connect(self, building: Building, code: str, connected: bool) -> None:
        """It is connected to a network, or cut off."""
        others = tuple((c, now) for c, now in building.connections if c != code)
        self._announce([(replace(building, connections=((code, connected), *others)), ())])

    def _announce(self, changes: Iterable[tuple[Building, Diff]]) -> None:
        day, number = days_after(self._world.today, -1), len(self._events)
        event_id = self._uuid("event", str(number))
        moment = f"{day}T{7 + number // 60 % 12:02d}:{number % 60:02d}:00.1234567+00:00"
        for building, diff in changes:
            self.buildings[building.key] = building
            self._events.append(_Event(event_id, moment, building, diff))

    # --- what is answered ---------------------------------------------------------------------------

    def address(self, url: str) -> dict[str, Any]:
        """Where it is and how it lets the hub in."""
        return {"base_url": url, "client_id": "hub", "client_secret": self._password}

    def respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """One answer of the service."""
        url = urlsplit(path)
        asked = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if method != "POST":
            return _problem(HTTPStatus.NOT_FOUND, "path")
        if self._faults.strikes("unauthorised"):
            return _problem(HTTPStatus.UNAUTHORIZED, "token")
        with self._scene.lock:
            if url.path == "/change-information/api/Authenticate":
                return self._authenticate(asked.get("clientId", ""), body)
            if self._faults.strikes("expired_token"):
                self._tokens.clear()
            if headers.get("authorization", "").removeprefix("Bearer ") not in self._tokens:
                return _problem(HTTPStatus.UNAUTHORIZED, "token")
            wanted = _PATH.fullmatch(url.path)
            if wanted is None or wanted[2] not in _VARIANTS or not isinstance(body, dict):
                return _problem(HTTPStatus.NOT_FOUND, "path")
            if "municipality" not in asked:
                return _problem(HTTPStatus.BAD_REQUEST, "municipality")
            here = names.HOME_MUNICIPALITY in asked["municipality"].split(",")
            if wanted[1] == "InitialInformation":
                return self._initial(wanted[2], body, here)
            return self._changes(wanted[2], body, here)

    def _authenticate(self, client: str, secret: object) -> Answer:
        given = secret.encode() if isinstance(secret, str) else b""
        if client != "hub" or not hmac.compare_digest(given, self._password.encode()):
            return _problem(HTTPStatus.BAD_REQUEST, "client")
        self._handed_out += 1
        token = f"sandbox.{self._handed_out}.{self._uuid('token', str(self._handed_out))}"
        self._tokens.add(token)
        return HTTPStatus.OK, token

    def _initial(self, variant: str, body: dict[str, Any], here: bool) -> Answer:
        last = body.get("lastObjectKey") or ""
        keys = sorted(k for k in self.buildings if k > last) if here else []
        page = keys[: self.page_size]
        following = {"lastObjectKey": page[-1]} if len(keys) > len(page) else None
        items = [ryhti_objects.shown(self.buildings[k], self._world, variant) for k in page]
        return HTTPStatus.OK, self._spoiled_states(
            {"eventId": self._newest(), "next": following, "items": items}
        )

    def _newest(self) -> str:
        return self._events[-1].event_id if self._events else self._uuid("event", "none yet")

    def _changes(self, variant: str, body: dict[str, Any], here: bool) -> Answer:
        start = self._place_of(body.get("eventId"), body.get("objectKey"))
        if start is None:
            return _problem(HTTPStatus.BAD_REQUEST, "eventId")
        page = self._events[start : start + self.page_size]
        seen = (
            {"eventId": page[-1].event_id, "objectKey": page[-1].building.key}
            if page
            else {"eventId": body["eventId"], "objectKey": body.get("objectKey")}
        )
        answer: dict[str, Any] = {
            "lastSeen": seen,
            "upToDate": start + len(page) == len(self._events),
            "changes": [self._change(event, variant) for event in page] if here else [],
        }
        if self._faults.strikes("repeated"):
            answer["changes"] = answer["changes"] * 2
        if self._faults.strikes("reordered"):
            answer["changes"] = answer["changes"][::-1]
        if self._faults.strikes("stuck"):
            answer["lastSeen"] = {k: body.get(k) for k in ("eventId", "objectKey")}
            answer["upToDate"] = False
        return HTTPStatus.OK, self._spoiled_states(answer)

    def _place_of(self, event_id: object, object_key: object) -> int | None:
        """How many events are over at a position; without an object, the whole event is."""
        if event_id == self._uuid("event", "none yet"):
            return 0
        places = [
            place
            for place, event in enumerate(self._events, start=1)
            if event.event_id == event_id and object_key in (None, event.building.key)
        ]
        return places[-1] if places else None

    def _change(self, event: _Event, variant: str) -> dict[str, Any]:
        return {
            "eventId": event.event_id,
            "eventTime": event.moment,
            "objectKey": event.building.key,
            "objectState": ryhti_objects.shown(event.building, self._world, variant),
            "diff": list(self._diff(event, variant)),
        }

    def _diff(self, event: _Event, variant: str) -> Iterator[dict[str, Any]]:
        parent = event.building.key
        for change, ownership in event.diff:
            if variant == "BuildingNoPersons" or ryhti_objects.is_hidden(ownership, self._world):
                continue
            state = ryhti_objects.owner(ownership, self._world)
            yield {
                "changeType": change,
                "objectKey": ownership.key,
                "objectType": "BuildingObjectOwner",
                "parentKey": parent,
                "parentType": "Building",
                "parentChain": [{"parentType": "Building", "parentKey": parent}],
                "objectState": state if change == "ADDED" else None,
                "objectStatePrev": state if change == "DELETED" else None,
            }

    def _spoiled_states(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not self._faults.strikes("unknown_code"):
            return answer
        text = re.sub(r"/rakelinvaih/code/\d\d", "/rakelinvaih/code/42", json.dumps(answer))
        spoiled: dict[str, Any] = json.loads(text)
        return spoiled


def _problem(status: HTTPStatus, detail: str) -> Answer:
    return status, {
        "type": "about:blank",
        "title": status.phrase,
        "status": status,
        "detail": detail,
    }
