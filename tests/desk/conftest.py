"""Somebody at the desk of a small hub, without a browser or a server: requests go straight into the application.

Belongs here: the proxy, the roster, sending a form as a page would. Does not belong here: what is looked at.
"""

import asyncio
import html
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pytest
from starlette.types import Message

from pipelines import keys
from pipelines.desk.app import Desk
from pipelines.desk.identity import signature
from pipelines.domain.landing import content_hash
from pipelines.domain.schemas import LANDED
from pipelines.house import House
from pipelines.settings import load_settings
from pipelines.steps.consolidate import consolidate
from pipelines.steps.match import match
from pipelines.steps.night import executing
from pipelines.store import access, frames, quarantine
from pipelines.store.engine import open_engine, reading
from tests.steps.conftest import Register

MORNING = datetime(2026, 11, 3, 7, tzinfo=UTC)
SECRET = "a-secret-of-the-proxy-and-the-desk-0001"
ROSTER = """
people:
  - {login: anna.kasittelija, name: Anna Käsittelijä, role: steward, commitment: {reference: HR/1, signed: 2026-01-02}}
  - {login: olli.vastaava, name: Olli Vastaava, role: officer, commitment: {reference: HR/2, signed: 2026-01-02}}
  - {login: bo.drift, name: Bo Drift, role: operator, language: sv, commitment: {reference: HR/3, signed: 2026-01-02}}
  - {login: siv.handlaggare, name: Siv Handläggare, role: steward, language: sv, commitment: {reference: HR/6, signed: 2026-01-02}}
  - {login: nils.ny, name: Nils Ny, role: steward}
  - {login: eva.ennen, name: Eva Ennen, role: steward, commitment: {reference: HR/4, signed: 2026-12-01}}
  - login: kalle.konsultti
    name: Kalle Konsultti
    role: steward
    commitment: {reference: HR/5, signed: 2026-01-02}
    agreement: HANK/7
    until: 2026-11-02
"""
ENVIRON = {"HUB_DESK__SECRET": SECRET}
MATTI: dict[str, Any] = {"family_name": "Mäki-Petäjä", "given_names": "Matti"}
HOME = {
    "street_line": "Kotikatu 1 A 2", "street_name": "Kotikatu", "house": "1", "stair": "A",
    "apartment": "2", "postal_code": "00100", "post_office": "HELSINKI",
}  # fmt: skip
BIRTH = "fedcba9876543210" * 4
TOKEN = "0123456789abcdef" * 4


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def words(self) -> str:
        """What a person reads."""
        body = re.sub(r"(?s)<head>.*?</head>", "", self.text)
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())

    def forms(self, action: str) -> list[dict[str, str]]:
        """The hidden fields of each form that is sent to a path below /desk."""
        found = re.findall(rf'(?s)<form[^>]*action="/desk{re.escape(action)}".*?</form>', self.text)
        return [
            {
                html.unescape(name): html.unescape(value)
                for name, value in re.findall(
                    r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form
                )
            }
            for form in found
        ]


@dataclass
class Seat:
    """One person before the desk, behind the proxy."""

    desk: Desk
    login: str = "anna.kasittelija"
    now: Callable[[], datetime] = lambda: MORNING
    cookies: dict[str, str] = field(default_factory=dict)

    def get(self, path: str = "", **how: Any) -> Answer:
        return self.send("GET", path, **how)

    def post(self, path: str, form: Mapping[str, str], **how: Any) -> Answer:
        """A form sent as it stands."""
        return self.send("POST", path, urlencode(form).encode(), **how)

    def opens(self, page: Answer, path: str, number: int = 0, **filled: str) -> Answer:
        """A form of a page, filled in and sent."""
        forms = page.forms(path)
        assert len(forms) > number, f"no form to {path}: {page.words[:300]}"
        return self.post(path, forms[number] | filled)

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        signed: Mapping[str, str] | None = None,
        peer: str = "127.0.0.1",
        query: str = "",
    ) -> Answer:
        """One request. signed: in the place of what the proxy writes."""
        path = f"/desk{path}"
        seconds = int(self.now().timestamp())
        proxy = {
            "x-hub-user": self.login,
            "x-hub-user-signature": signature(SECRET, seconds, method, path, self.login),
        }
        sent = {
            "host": "desk.example",
            "content-type": "application/x-www-form-urlencoded",
            **(proxy if signed is None else signed),
            **(headers or {}),
        }
        scope = {
            "type": "http", "method": method, "path": path, "query_string": query.encode(), "root_path": "",
            "scheme": "http", "server": ("127.0.0.1", 1), "client": (peer, 7),
            "headers": [(k.lower().encode(), v.encode()) for k, v in sent.items()],
        }  # fmt: skip
        said: list[Message] = []
        pieces = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Message:
            return pieces.pop(0) if pieces else {"type": "http.disconnect"}

        async def tell(message: Message) -> None:
            said.append(message)

        asyncio.run(self.desk(scope, receive, tell))
        got = {k.decode(): v.decode() for k, v in said[0]["headers"]}
        text = b"".join(m.get("body", b"") for m in said[1:]).decode()
        return Answer(said[0]["status"], got, text)


@dataclass
class Hub:
    """A small hub and its desk."""

    register: Register
    house: House
    desk: Desk
    now: list[datetime]

    def night_passes(self) -> None:
        """What a night makes of the standard rows."""
        match(self.house.night())
        consolidate(self.house.night())

    def looks(self) -> list[tuple[str, str, int | None]]:
        """who, operation, party of the access log, oldest first."""
        with reading(self.register.engine) as conn:
            lines = access.recent(conn, 1000)[::-1]
        return [
            (who, operation, None if pd.isna(party) else int(party))
            for who, operation, party in lines[["who", "operation", "party_id"]].itertuples(
                index=False
            )
        ]

    def seat(self, login: str = "anna.kasittelija") -> Seat:
        return Seat(self.desk, login, lambda: self.now[0])


@pytest.fixture(scope="session")
def small_hub(_sqlite_template: str) -> Path:
    """A register with nobody in it."""
    return Path(_sqlite_template)


def settled(small_hub: Path, home: Path) -> Path:
    """A home with the roster, keys and an empty register."""
    (home / "config").mkdir(mode=0o700, parents=True)
    (home / "config" / "roster.yml").write_text(ROSTER, encoding="utf-8")
    shutil.copyfile(small_hub, home / "hub.db")
    keys.init(home, load_settings(home, ENVIRON).hub.key_file)
    return home


@pytest.fixture
def hub(small_hub: Path, tmp_path: Path) -> Iterator[Hub]:
    """A hub of the test's own, on SQLite: the desk asks the steps, which are tried on both."""
    yield from opened(settled(small_hub, tmp_path / "home"))


def opened(home: Path, environ: Mapping[str, str] = ENVIRON) -> Iterator[Hub]:
    """The desk over the hub in `home`."""
    settings = load_settings(home, environ)
    engine = open_engine(settings.hub.database_url)
    now = [MORNING]
    house = House(home, settings, engine, environ, lambda: now[0])
    yield Hub(Register(engine, home), house, Desk(lambda: house), now)
    house.close()


@pytest.fixture(scope="session")
def _father_and_son(small_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lived(small_hub, tmp_path_factory.mktemp("pair"), {})


@pytest.fixture(scope="session")
def _protected(small_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lived(small_hub, tmp_path_factory.mktemp("protected"), {"protection": "on"})


def lived(small_hub: Path, base: Path, more: dict[str, Any]) -> Path:
    """A home in which a night has left two records of one name in one home, of which one states a birth."""
    for hub in opened(settled(small_hub, base / "home")):
        hub.register.write(
            f1={**MATTI, "birth_key": BIRTH, "home": HOME, **more}, f2={**MATTI, "home": HOME}
        )
        hub.night_passes()
    return base / "home"


@pytest.fixture
def father_and_son(_father_and_son: Path, tmp_path: Path) -> Iterator[Hub]:
    """A pair that waits."""
    shutil.copytree(_father_and_son, tmp_path / "home")
    yield from opened(tmp_path / "home")


@pytest.fixture
def protected(_protected: Path, tmp_path: Path) -> Iterator[Hub]:
    """A pair of which one is under a protective order."""
    shutil.copytree(_protected, tmp_path / "home")
    yield from opened(tmp_path / "home")


def refuse(
    hub: Hub, rule: str, content: dict[str, Any], key: str = "k1", field: str = "phone"
) -> None:
    """A landed record of the own register that a rule has refused."""
    stated = {"party_type": "person", **content}
    with executing(hub.house.night(), "ingest") as step:
        record = LANDED.frame(
            [
                {
                    "source": "registrations", "kind": "party", "source_key": key, "content": stated,
                    "source_time": "2026-11-01T00:00:00Z", "content_hash": content_hash(stated),
                    "business_date": "2026-11-02", "field_times": {},
                }
            ]
        )  # fmt: skip
        frames.put(step.conn, LANDED, record, step.id)
        found = record[["source", "kind", "source_key", "content_hash", "business_date"]].assign(
            rule=rule, severity="critical", field=field, reason=None
        )
        quarantine.open_findings(step.conn, found, "2026-11-02T00:00:00Z")


def state_of(hub: Hub, number: int) -> str:
    """How a refusal stands."""
    with reading(hub.register.engine) as conn:
        item = quarantine.item(conn, number)
    assert item is not None
    return str(item["state"])
