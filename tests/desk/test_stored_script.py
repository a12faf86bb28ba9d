"""What a source says is never markup, an attribute or a template: hostile words in every field it may fill, by landing.

The way of every record: landed, standardised or refused, matched, in the register; then every page is looked at.
"""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Batch, Record
from pipelines.domain.schemas import GOLDEN
from pipelines.steps.ingest import land
from pipelines.steps.standardise import standardise
from pipelines.store import frames
from pipelines.store.engine import reading
from tests.desk.conftest import Answer, Hub, Seat, opened, settled
from tests.desk.test_deliveries import BILLED, NOTICE

SCRIPT = "<script>alert(1)</script>"
QUOTE = '"onmouseover="x()'
TEMPLATE = "{{7*7}}"
HOSTILE = (SCRIPT, QUOTE, TEMPLATE)
_CODED = {"country": "FI", "valid_from": "2020-01-01"}


class Markup(HTMLParser):
    """What a browser would make of a page: whether anything in it runs, and the words in it."""

    def __init__(self, page: Answer) -> None:
        super().__init__()
        self.runs: list[str] = []
        self.words: list[str] = []
        self.feed(page.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "img", "svg", "base"):
            self.runs.append(tag)
        self.runs += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self.runs += [v for n, v in attrs if n in ("href", "action") and "/desk" not in (v or "/desk")
                      and v not in ("/", "#main", "#notice")]  # fmt: skip
        self.words += [v or "" for _, v in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def shows(self, word: str) -> bool:
        return any(word.lower() in text.lower() for text in self.words)


def records(word: str, n: int, allowed: frozenset[str]) -> Iterator[Record]:
    """A person and a firm that pass the rules, and everything there is to say said in hostile words, to be refused."""
    time = "2026-11-01T00:00:00Z"
    place = {
        "line": f"Katu {word}",
        "care_of": word,
        "postal_code": "31640",
        "post_office": f"Kylä {word}",
    }
    for kind, name in (("person", f"Mäki {word}"), ("organisation", f"Oy {word}")):
        key = f"{n}{kind[0]}{word}"
        yield Record("party", key, time, {
            "party_type": kind, "name": name, "einvoice_address": word, "einvoice_operator": word, "www": word,
            "addresses": [{"address_type": "postal", **place}], "protection": "off",
        })  # fmt: skip
        yield Record("point", f"k{key}", time, {"property_id": None, **place})
        for role in ("payer", "holder"):
            yield Record("role", f"{role}{key}", time, {
                "party": key, "point": f"k{key}", "role_type": role, "valid_from": "2020-01-01",
                "final_invoice": place,
            })  # fmt: skip
    every: dict[str, Any] = dict.fromkeys(allowed - {"addresses", "final_invoice"}, word)
    rude = {
        **place,
        "address_type": "postal",
        "postal_code": word,
        "country": word,
        "valid_from": word,
    }
    yield Record("party", f"{n}x", time, {
        **every, "party_type": "person", "addresses": [rude], "protection": "off", "is_deceased": None,
        "superseded_person_keys": None, "field_times": None, "person_key": None, "birth_key": None,
    })  # fmt: skip
    yield Record("point", f"{n}y", time, {**every, **rude})
    yield Record(
        "role",
        f"{n}z",
        time,
        {"party": f"{n}x", "point": f"{n}y", "role_type": "payer", "valid_from": word},
    )


@pytest.fixture(scope="module")
def hub(small_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A hub to which one source has said nothing else."""
    for made in opened(settled(small_hub, tmp_path_factory.mktemp("hostile") / "home"), BILLED):
        config = made.house.settings.sources["registrations"]
        allowed = made.house.settings.notice.fields_of(config.notice_source)
        said = [r for n, word in enumerate(HOSTILE, 1) for r in records(word, n, allowed)]
        land(made.house.night(), config, Batch(said, {}, len(said)))
        standardise(made.house.night())
        made.night_passes()
        yield made


@pytest.fixture(scope="module")
def pages(hub: Hub) -> dict[str, list[Answer]]:
    """Every page that shows what a source said, by its name."""
    seat = hub.seat("olli.vastaava")
    with reading(hub.register.engine) as conn:
        numbers = [f"P{n}" for n in frames.read(conn, GOLDEN)["party_id"]]
    assert len(numbers) >= 2 * len(HOSTILE), "they are customers"
    customers = [asked(seat, number) for number in numbers]
    quarantine = seat.get("/quarantine")
    deliveries = seat.get("/deliveries")
    seen = {
        "found": [asked(seat, "script"), asked(seat, "onmouseover"), asked(seat, TEMPLATE)],
        "customer": customers,
        "told": [seat.opens(c, "/customer/told") for c in customers],
        "looked": [seat.opens(c, "/customer/looked") for c in customers],
        "notice": [seat.opens(c, "/customer/notice", **NOTICE) for c in customers],
        "pair": [seat.post("/pair", form) for form in seat.get("/pairs").forms("/pair")],
        "refused": [seat.post("/refused", form) for form in quarantine.forms("/refused")],
        "delivery": [seat.post("/delivery", form) for form in deliveries.forms("/delivery")],
        "listed": [seat.get(), seat.get("/pairs"), quarantine, deliveries, seat.get("/mine"), seat.get("/seconds")],
    }  # fmt: skip
    return seen


def asked(seat: Seat, words: str) -> Answer:
    return seat.opens(seat.get("/customers"), "/customers", words=words, purpose="call")


def test_nothing_of_it_runs_on_any_page(pages: dict[str, list[Answer]]) -> None:
    for name, answers in pages.items():
        for answer in answers:
            assert answer.status == 200, f"{name}: {answer.words[:200]}"
            assert Markup(answer).runs == [], name


@pytest.mark.parametrize("word", HOSTILE)
@pytest.mark.parametrize("name", ["found", "customer", "notice", "refused", "delivery"])
def test_it_is_shown_as_it_was_written(
    pages: dict[str, list[Answer]], name: str, word: str
) -> None:
    assert any(Markup(answer).shows(word) for answer in pages[name]), "nothing that was planted"
