"""A batch that is held because of its size is let in by two people: what exactly, until when, and once."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from connectors.base import Batch
from pipelines.settings import Settings, load_settings
from pipelines.steps import accept_volume, second_person
from pipelines.steps.around import NotFound
from pipelines.steps.close import write_letter
from pipelines.steps.decide import Undecidable
from pipelines.steps.ingest import land
from pipelines.steps.night import Night, StepResult
from pipelines.store import access, nights
from pipelines.store.engine import reading
from pipelines.texts import Texts

OWN = "registrations"
ANNA, OLLI = "anna.kasittelija", "olli.vastaava"


@dataclass
class Utility:
    """A hub whose own register says how many customers it has, night after night."""

    engine: Engine
    settings: Settings
    day: int = 1
    heard: list[StepResult] = field(default_factory=list)

    @property
    def night(self) -> Night:
        return Night(
            self.engine,
            self.settings,
            f"2026-11-{self.day:02}",
            lambda: datetime(2026, 11, self.day, 7, tzinfo=UTC),
        )

    def hears(self, total: int, *, days: int = 1) -> StepResult:
        """A night, so many days after the one before, in which a whole export of that size came."""
        self.day += days
        batch = Batch([], {"day": self.day}, fetched=total, total=total)
        self.heard.append(land(self.night, self.settings.sources[OWN], batch))
        return self.heard[-1]

    def asks(self) -> int:
        held = accept_volume.held_batch(self.night, OWN)
        return accept_volume.ask(self.night, OWN, held.total, ANNA, "closed customers left out")

    def approves(self, number: int) -> None:
        second_person.approve(
            self.night, number, OLLI, "", lambda r: accept_volume.accept(self.night, r, OLLI)
        )

    def lets_in(self) -> None:
        self.approves(self.asks())

    def cursor(self) -> object:
        with reading(self.engine) as conn:
            return nights.cursor_of(conn, OWN)


@pytest.fixture
def utility(engine: Engine, tmp_path: Path) -> Utility:
    """A hundred customers for three nights, then a tenth of them: held."""
    (tmp_path / "export").mkdir()
    environ = {
        "HUB_SOURCES__REGISTRATIONS__FOLDER__KIND": "folder",
        "HUB_SOURCES__REGISTRATIONS__FOLDER__PATH": str(tmp_path / "export"),
        "HUB_REGISTRATIONS_USERNAME": "hub",
        "HUB_REGISTRATIONS_PASSWORD": "made-up",
    }
    made = Utility(engine, load_settings(tmp_path / "nowhere", environ))
    for _ in range(3):
        assert made.hears(100).status == "ok"
    assert made.hears(10).status == "failed"
    return made


def on_sqlite(test: pytest.Function) -> pytest.Function:
    """What follows from rows that another test tries on both databases."""
    return pytest.mark.parametrize("database", ["sqlite"])(test)  # type: ignore[return-value]


def test_a_held_batch_is_taken_in_once_two_people_let_it_in_and_is_what_is_usual_from_then_on(
    utility: Utility,
) -> None:
    before = utility.cursor()
    held = accept_volume.held_batch(utility.night, OWN)
    assert (held.total, held.usual, held.expected) == (10, 100, (50, 300))
    number = utility.asks()
    assert utility.hears(10).status == "failed", "asking alone lets nothing in"
    assert utility.cursor() == before
    utility.approves(number)
    assert utility.hears(10).status == "ok"
    assert utility.cursor() == {"day": utility.day}
    assert utility.hears(11).status == "ok", "the next night is no longer held"
    assert utility.hears(100).status == "failed", "what was usual before is not any more"
    with reading(utility.engine) as conn:
        looks = access.recent(conn, 20)
    acts = set(looks[["who", "operation"]].itertuples(index=False, name=None))
    assert {(ANNA, "second asked"), (OLLI, "second approved"), (OLLI, "volume accept")} <= acts


@on_sqlite
@pytest.mark.parametrize(
    ("total", "status"), [(8, "failed"), (9, "ok"), (11, "ok"), (12, "failed")]
)
def test_only_a_batch_of_the_size_that_was_looked_at_is_let_in(
    utility: Utility, total: int, status: str
) -> None:
    utility.lets_in()
    assert utility.hears(total).status == status


@on_sqlite
def test_it_is_let_in_once(utility: Utility) -> None:
    utility.lets_in()
    utility.hears(10)
    for _ in range(3):
        utility.hears(30)
    assert utility.hears(10).status == "failed"


@on_sqlite
@pytest.mark.parametrize(("days", "status"), [(3, "ok"), (4, "failed")])
def test_it_is_let_in_within_three_days(utility: Utility, days: int, status: str) -> None:
    utility.lets_in()
    assert utility.hears(10, days=days).status == status


@on_sqlite
def test_a_good_batch_in_between_uses_nothing_up_and_asks_for_nothing(utility: Utility) -> None:
    utility.lets_in()
    assert "volume_accepted" not in utility.hears(100).counts
    with pytest.raises(NotFound, match="no batch is held"):
        utility.asks()
    assert utility.hears(10).status == "ok"


@on_sqlite
def test_who_asks_does_not_approve(utility: Utility) -> None:
    number = utility.asks()
    with pytest.raises(second_person.Alone, match="somebody else"):
        second_person.approve(
            utility.night, number, ANNA, "", lambda r: accept_volume.accept(utility.night, r, ANNA)
        )
    assert utility.hears(10).status == "failed"


@on_sqlite
def test_what_is_approved_is_what_was_asked_about(utility: Utility) -> None:
    number = utility.asks()
    utility.hears(20)
    with pytest.raises(Undecidable, match="20 records are held now, not 10"):
        utility.approves(number)
    assert utility.hears(10).status == "failed"


@on_sqlite
def test_one_batch_is_asked_about_once(utility: Utility) -> None:
    number = utility.asks()
    with pytest.raises(Undecidable, match=f"request {number} waits"):
        utility.asks()
    utility.approves(number)
    with pytest.raises(Undecidable, match="acceptance 1 waits"):
        utility.asks()


@on_sqlite
def test_a_batch_of_nobody_is_not_asked_about(utility: Utility) -> None:
    utility.hears(0)
    with pytest.raises(NotFound, match="no batch is held"):
        utility.asks()


@on_sqlite
def test_the_morning_letter_says_that_two_people_let_it_in(utility: Utility) -> None:
    assert "hub batch accept registrations" in write_letter(utility.night, Texts("en")).body
    utility.lets_in()
    utility.hears(10)
    assert (
        "as two people had approved (acceptance 1)" in write_letter(utility.night, Texts("en")).body
    )
