"""Building control's and environmental control's own systems: WFS servers over the town's buildings.

Belongs here: which features there are, what happens to exemptions, requests and answers as in FORMATS 4.2.
Does not belong here: how a feature is written (`kuntagml_features`), what happens to buildings (`ryhti`, whose
register building control fills, so the two agree unless a fault says otherwise), sockets (`servers`).
"""

import base64
import hmac
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from html import unescape
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.sandbox import kuntagml_features as features
from connectors.sandbox.faults import Faults
from connectors.sandbox.kuntagml_features import Contact, Exemption
from connectors.sandbox.ryhti_objects import DEMOLISHED, Building
from connectors.sandbox.scene import Scene
from connectors.sandbox.servers import Answer, Plain, Xml
from connectors.sandbox.world import days_after

_PATH = "/kunta/wfs"
_TEST = re.compile(r"<PropertyName>([^<]*)</PropertyName><Literal>([^<]*)</Literal>")
_NETWORKS = ("water", "sewer", "stormwater")
_CAPABILITIES = '<wfs:WFS_Capabilities version="1.1.0" xmlns:wfs="http://www.opengis.net/wfs"/>'
_EXCEPTION = (
    '<ServiceExceptionReport version="1.2.0"><ServiceException code="InvalidParameterValue">'
    "unknown type</ServiceException></ServiceExceptionReport>"
)
_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "lol">'
    + "".join(f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><wfs:FeatureCollection xmlns:wfs='http://www.opengis.net/wfs'>&i;</wfs:FeatureCollection>"
)  # fmt: skip


class _Wfs(ABC):
    """A WFS 1.1.0 behind HTTP Basic. Its answers go round the shapes and namespaces there are."""

    def __init__(self, scene: Scene, faults: Faults, password: str) -> None:
        self._scene = scene
        self._faults = faults
        self._password = password
        self._answered = 0
        self.contact = Contact()

    def address(self, url: str) -> dict[str, Any]:
        """Where it is and how it lets the hub in."""
        return {"base_url": url + _PATH, "username": "hub", "password": self._password}

    def respond(self, method: str, path: str, headers: dict[str, str], body: Any) -> Answer:
        """One answer of the service."""
        url = urlsplit(path)
        asked = {name.lower(): values[-1] for name, values in parse_qs(url.query).items()}
        expected = base64.b64encode(f"hub:{self._password}".encode()).decode()
        given = headers.get("authorization", "").removeprefix("Basic ")
        is_known = hmac.compare_digest(given.encode(), expected.encode())
        if self._faults.strikes("unauthorised") or not is_known:
            return HTTPStatus.UNAUTHORIZED, Plain("who are you?")
        if method != "GET" or url.path != _PATH or asked.get("service") != "WFS":
            return HTTPStatus.NOT_FOUND, Plain("no such service")
        if asked.get("request") == "GetCapabilities":
            return HTTPStatus.OK, Xml(_CAPABILITIES)
        with self._scene.lock:
            return HTTPStatus.OK, self._features(asked)

    def _features(self, asked: dict[str, str]) -> Xml | Plain:
        if self._faults.strikes("doctype"):
            return Xml(_BOMB)
        if self._faults.strikes("login_page"):
            return Plain("<html><head><meta charset=utf-8><body>Kirjaudu sisään<br></html>")
        kind = asked.get("typename", "").rpartition(":")[2]
        tests = _TEST.findall(asked.get("filter", ""))
        wanted = {(path.rpartition(":")[2], unescape(value)) for path, value in tests}
        if self._faults.strikes("exception") or not wanted:
            return Xml(_EXCEPTION)
        most = int(asked.get("maxfeatures", "1000000"))
        found = list(self._found(kind, wanted))
        if found and self._faults.strikes("full"):
            found = (found * (most // len(found) + 1))[:most]
        self._answered += 1
        shape = features.SHAPES[self._answered % len(features.SHAPES)]
        host = features.HOSTS[self._answered // len(features.SHAPES) % len(features.HOSTS)]
        if kind not in ("ValmisRakennus", "RakennusvalvontaAsia", "Vapautus"):
            return Xml(_EXCEPTION)
        whole = features.document(found[:most], kind, shape, host, self._scene.today)
        return Xml(self._spoiled(whole))

    @abstractmethod
    def _found(self, kind: str, wanted: set[tuple[str, str]]) -> Iterator[str]:
        """The features of a type in which a field of that name has that value."""

    def _spoiled(self, whole: str) -> str:
        if self._faults.strikes("broken_postcode"):
            whole = re.sub(r"(<yht:postinumero>)\d+(</)", r"\g<1>1350039483948\2", whole)
        if self._faults.strikes("wrong_check"):
            whole = re.sub(r"(valtakunnallinenNumero>\d{9})[^<]", r"\1G", whole)
        if self._faults.strikes("unknown_word"):
            whole = re.sub(r"(<rakval:olotila>)[^<]*", r"\1haamu", whole)
        if self._faults.strikes("broken_building"):
            told = r"<rakval:rakennuksenTiedot>.*?</rakval:rakennuksenTiedot>"
            whole = re.sub(
                rf"<yht:yksilointitieto>\d+</yht:yksilointitieto>(.*?){told}", r"\1", whole, count=1
            )
        return whole


class PermitSystem(_Wfs):
    """Building control's own system: the buildings there are, and permits for saunas and demolitions."""

    def pass_day(self, quiet: bool) -> None:
        """What happens to buildings happens in the building register."""

    def _found(self, kind: str, wanted: set[tuple[str, str]]) -> Iterator[str]:
        world, contact = self._scene.town.world, self.contact
        for number, building in enumerate(self._scene.town.buildings.values(), start=1):
            ids = {
                ("kiinttun", building.property_id),
                ("valtakunnallinenNumero", building.building_id),
            }
            if not ids & wanted:
                continue
            if kind == "ValmisRakennus":
                yield features.finished(building, world, contact, number)
            elif kind == "RakennusvalvontaAsia":
                for work in self._works(building, number):
                    yield features.permit(building, world, contact, number, work)

    def _works(self, building: Building, number: int) -> Iterator[str]:
        if building.state == DEMOLISHED:
            yield "purkaminen"
        elif number % 20 == 0:
            yield "uusi"


class ExemptionRegister(_Wfs):
    """Environmental control's system: who need not be connected. One property in fifteen has asked."""

    def __init__(self, scene: Scene, faults: Faults, password: str) -> None:
        super().__init__(scene, faults, password)
        self.exemptions: list[Exemption] = []
        rng = scene.chance("exemptions")
        places = sorted({p.property_id for p in scene.town.world.points.values()})
        for place in rng.sample(places, max(4, len(places) // 15)):
            day = f"{rng.randrange(2012, 2025)}-{rng.randrange(1, 13):02d}-17"
            network = rng.choice(_NETWORKS)
            if len(self.exemptions) % 4 == 3:
                self._apply(place, network, day)
            else:
                self.grant(place, network, day)

    def pass_day(self, quiet: bool) -> None:
        """Now and then an exemption is granted."""
        rng = self._scene.chance("exemptions")
        if not quiet and rng.random() < 0.1:
            places = sorted({p.property_id for p in self._scene.town.world.points.values()})
            day = days_after(self._scene.today, -1)
            self.grant(rng.choice(places), rng.choice(_NETWORKS), day)

    def grant(self, property_id: str, network: str, day: str) -> Exemption:
        """A property need not join a network from a day on."""
        states = ((day, "1 Vireillä"), (day, "3 Lupa myönnetty"))
        return self._keep(property_id, network, day, states)

    def lapse(self, one: Exemption, day: str) -> None:
        """An exemption is over."""
        self.exemptions.remove(one)
        states = (*one.states, (day, "4 Lupa rauennut"))
        self.exemptions.append(
            Exemption(one.case, one.property_id, one.network, one.decided, states)
        )

    def _apply(self, property_id: str, network: str, day: str) -> None:
        self._keep(property_id, network, "", ((day, "1 Vireillä"),))

    def _keep(
        self, property_id: str, network: str, decided: str, states: tuple[tuple[str, str], ...]
    ) -> Exemption:
        case = f"YM-{len(self.exemptions) + 1:04d}"
        one = Exemption(case, property_id, network, decided, states)
        self.exemptions.append(one)
        return one

    def _found(self, kind: str, wanted: set[tuple[str, str]]) -> Iterator[str]:
        for one in self.exemptions:
            if ("kiinteistorekisteritunnus", one.property_id) in wanted and kind == "Vapautus":
                yield features.exemption(one, self.contact)
