"""One page asked for by one person, and how a page is written.

Belongs here: what every page is handed, the templates' surroundings, looks that need a purpose. Does not belong here:
which pages there are (`app`), what one shows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from pipelines.desk.forms import FormRefused, Tokens
from pipelines.house import House
from pipelines.roster import Member, Role
from pipelines.steps.look import Names
from pipelines.steps.night import Night
from pipelines.texts import Texts, catalogue

EVERYBODY: frozenset[Role] = frozenset({"steward", "officer", "operator"})
PEOPLE: frozenset[Role] = frozenset({"steward", "officer"})
OFFICER: frozenset[Role] = frozenset({"officer"})
MENU: Mapping[str, frozenset[Role]] = {
    "/": EVERYBODY, "/pairs": EVERYBODY, "/customers": PEOPLE, "/quarantine": EVERYBODY, "/deliveries": PEOPLE,
    "/mine": PEOPLE, "/seconds": PEOPLE,
}  # fmt: skip
"""Pages that are reached from every page, and who sees them."""
PURPOSES = ("call", "visit", "letter", "queue", "check")
"""Why somebody looks at a person, for the access log; a choice, so that nobody's matter is written there."""

_HERE = Path(__file__).parent


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
        chosen = self.form.get("purpose", "queue")
        if chosen not in PURPOSES:
            raise FormRefused("unreadable")
        return chosen

    def number(self, name: str) -> int:
        """A whole number of the form; raises FormRefused."""
        text = self.form.get(name, "")
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            raise FormRefused("unreadable")
        return int(text)

    def code(self, family: str, code: str) -> str:
        """The words for a code of the store; what has none is shown as it stands."""
        for entry in (f"{family}.{code}", f"column.{code}"):
            if entry in catalogue():
                return self.texts.say(entry)
        return code

    def token(self, path: str) -> str:
        """For a form that only looks."""
        return self.tokens.give(self.who, path)

    def seal(self, path: str, facts: Mapping[str, str]) -> str:
        """For a form that acts, over what was shown: `Page.sealed` of the page at `path` are its names."""
        return self.tokens.give(self.who, path, facts)

    def page(self, template: str, /, status: int = 200, **values: object) -> Response:
        around = {"person": self.person, "visit": self, "here": self.path}
        return render(template, self.texts, {**around, **values}, status)


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


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


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
