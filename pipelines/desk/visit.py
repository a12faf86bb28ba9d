"""One page asked for by one person, and how a page is written.

Belongs here: what every page is handed, the templates' surroundings, looks that need a purpose. Does not belong here:
which pages there are (`app`), what one shows.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from pipelines.desk.forms import FormRefused, Tokens
from pipelines.errors import HubError, told
from pipelines.house import House
from pipelines.roster import Member, Role
from pipelines.statement import Words
from pipelines.steps.look import Names
from pipelines.steps.night import HELSINKI, Night
from pipelines.steps.prepare_extract import Foreseen
from pipelines.store.lock import RunLock
from pipelines.texts import Texts, catalogue

EVERYBODY: frozenset[Role] = frozenset({"steward", "officer", "operator"})
PEOPLE: frozenset[Role] = frozenset({"steward", "officer"})
OFFICER: frozenset[Role] = frozenset({"officer"})
MENU: Mapping[str, frozenset[Role]] = {
    "/": EVERYBODY, "/pairs": EVERYBODY, "/customers": PEOPLE, "/quarantine": EVERYBODY,
    "/proposals": PEOPLE, "/deliveries": PEOPLE, "/recalls": PEOPLE, "/mine": PEOPLE, "/seconds": PEOPLE,
}  # fmt: skip
"""Pages that are reached from every page, and who sees them."""
PURPOSES = ("call", "visit", "letter", "queue", "check")
"""Why somebody looks at a person, for the access log; a choice, so that nobody's matter is written there."""

_UNDER = {
    "/pair": "/pairs", "/customer": "/customers", "/refused": "/quarantine", "/deliver": "/deliveries",
    "/proposal": "/proposals", "/recall": "/recalls", "/mine": "/mine", "/second": "/seconds",
    "/sources": "/",
}  # fmt: skip
"""Under which page of the menu a page stands."""
_HERE = Path(__file__).parent
_CODED = frozenset({
    "party_type", "party_kind", "name_role", "company_situation", "delivery_channel", "protection", "is_deceased",
    "address_type", "building_state", "has_water_connection", "has_sewer_connection",
})  # fmt: skip
_DATED = frozenset(
    {"death_date", "situation_date", "valid_from", "valid_to", "ended_on", "demolition_date"}
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True)
class Visit:
    """One page asked for. form: what was sent, without its token."""

    house: House
    person: Member
    texts: Texts
    path: str
    form: Mapping[str, str]
    tokens: Tokens
    names: Names

    @property
    def night(self) -> Night:
        return self.house.night()

    @property
    def who(self) -> str:
        return self.person.login

    @property
    def why(self) -> str:
        """The purpose that was chosen; raises FormRefused for any other word."""
        chosen = self.form.get("purpose", "call" if self.path.startswith("/customer") else "queue")
        if chosen not in PURPOSES:
            raise FormRefused("unreadable")
        return chosen

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """The run lock, if nobody has it: trying something out is a night in small."""
        lock = RunLock(self.house.engine, self.house.home)
        try:
            yield lock.acquire()
        finally:
            lock.release()

    def number(self, name: str) -> int:
        """A whole number of the form; raises FormRefused."""
        text = self.form.get(name, "")
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise FormRefused("unreadable")
        return int(text)

    def code(self, family: str, code: str) -> str:
        """The words for a code of the store; what has none is shown as it stands."""
        for entry in (f"{family}.{code}", f"desk.{family}.{code}", f"column.{code}"):
            if entry in catalogue():
                return self.texts.say(entry)
        return code

    def word(self, name: str, value: object) -> str:
        """A value of a field as a person says it; what customers and registers wrote stays as they wrote it."""
        text = plain(value)
        if name in _CODED and text:
            return self.code("value", text.lower())
        return self.texts.day(text) if name in _DATED and _DAY.match(text) else text

    def day(self, value: object) -> str:
        """A date or an instant of the store; nothing for none."""
        text = plain(value)
        return self.texts.day(text) if text else ""

    def moment(self, value: object) -> str:
        """A date and time of day in Finland."""
        local = datetime.fromisoformat(plain(value)).astimezone(HELSINKI)
        day = self.texts.day(local.date().isoformat())
        return self.texts.say(
            "statement.moment", day=day, hour=local.hour, minute=f"{local.minute:02}"
        )

    def title(self, name: object) -> str:
        """What a source or recipient is called; a notice has no file."""
        settings = self.house.settings
        known = settings.sources.get(str(name)) or settings.recipients.get(str(name))
        if known is not None:
            return known.title.in_(self.texts.language)
        return self.texts.say("review.own_notice") if name == "notices" else plain(name)

    def record(self, handle: str) -> str:
        """A record as a steward writes it, its source by its title."""
        source, _, key = handle.partition(":")
        return f"{self.title(source)} {key}"

    def fields(self, names: Sequence[str]) -> str:
        """Fields of a told row, or columns of it, in words."""
        words = Words(self.house.settings, self.texts.language)
        return ", ".join(dict.fromkeys(map(words.column, names)))

    def rows(self, told: pd.DataFrame) -> list[list[tuple[str, str]]]:
        """Rows for a recipient as (column in words, value), what is empty left out."""
        columns = [(name, self.code("column", name)) for name in told.columns]
        return [
            [
                (words, self.code("event", value) if name == "event" else self.word(name, value))
                for (name, words), value in zip(columns, map(plain, row), strict=True)
                if value
            ]
            for row in told.itertuples(index=False)
        ]

    def bills(
        self, tonight: Mapping[str, Foreseen], as_it_is: Mapping[str, Foreseen]
    ) -> Iterator[dict[str, object]]:
        """What each recipient of bills would hear tonight with what is tried out, and without it."""
        for name, after in tonight.items():
            before = as_it_is.get(name)
            yield {
                "recipient": self.title(name),
                "before": self.rows(before.events.drop(columns="party_id")) if before else [],
                "after": self.rows(after.events.drop(columns="party_id")),
                "held": [self.texts.say(f"held.{reason}") for reason in after.held["reason"]],
                "state": after.state,
            }

    def token(self, path: str) -> str:
        """For a form that only looks."""
        return self.tokens.give(self.who, path)

    def seal(self, path: str, facts: Mapping[str, str]) -> str:
        """For a form that acts, over what was shown: `Page.sealed` of the page at `path` are its names."""
        return self.tokens.give(self.who, path, facts)

    def page(self, template: str, /, status: int = 200, **values: object) -> Response:
        here = next((p for part, p in _UNDER.items() if self.path.startswith(part)), self.path)
        around = {"person": self.person, "visit": self, "here": here}
        return render(template, self.texts, {**around, **values}, status)

    def done(self, line: str, back: str, back_to: str, more: str = "") -> Response:
        """What an act has done, and the way back: a page and the text that names it."""
        return self.page(
            "done.html", line=line, more=more, back=back, back_to=self.texts.say(back_to)
        )

    def asked(self, number: int) -> Response:
        """A second person has been asked, by a request of this number."""
        said, then = (self.texts.say(f"desk.second.{t}", n=number) for t in ("asked", "what_now"))
        return self.done(said, "/seconds", "desk.second.list", then)


@dataclass(frozen=True)
class Page:
    """A page: method and path below /desk, who may see it, what makes it.

    sealed: of a page that acts, the fields it acts by. They are taken as they were shown before, once, and the page is
    handed no others; a page without may look, and change nothing but the access log.
    """

    method: str
    path: str
    roles: frozenset[Role]
    show: Callable[[Visit], Response]
    sealed: tuple[str, ...] | None = None

    @property
    def door(self) -> tuple[str, str]:
        return self.method, self.path


def worded(texts: Texts, no: BaseException) -> str:
    """What a step says no with, in its reader's language; one without a text, and the store's, in its line."""
    if isinstance(no, HubError) and no.says is not None:
        return texts.say(no.says, **no.values)
    return told(no)


def plain(value: Any) -> str:
    """A value of a frame as text; nothing for a null."""
    return "" if pd.api.types.is_scalar(value) and pd.isna(value) else str(value)


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def get_ready() -> None:
    """Compile every template, so that the first to open a page doesn't wait for it."""
    for name in _templates().list_templates(extensions=["html"]):
        _templates().get_template(name)


def render(
    template: str, texts: Texts, values: Mapping[str, Any], status: int = 200
) -> HTMLResponse:
    """A page of a template; whatever people and registers wrote is escaped there."""
    surroundings = {
        "t": texts.say,
        "texts": texts,
        "person": None,
        "here": None,
        "purposes": PURPOSES,
    }
    person = values.get("person")
    menu = [path for path, who in MENU.items() if person is not None and person.role in who]
    html = (
        _templates().get_template(template).render({**surroundings, **values, "person_pages": menu})
    )
    return HTMLResponse(html, status)
