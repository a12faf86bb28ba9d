"""Every page of the desk once on PostgreSQL; the other tests here are on SQLite, and what the steps do is tried on both."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.desk import app
from pipelines.store.engine import migrate, open_engine
from tests.desk.conftest import Answer, Hub, opened, settled
from tests.desk.test_deliveries import BILLED, HOME, NOTICE
from tests.desk.test_pages import BIRTH, MATTI, refuse

pytestmark = pytest.mark.postgres


@pytest.fixture
def hub(small_hub: Path, tmp_path: Path, empty_postgres_url: str) -> Iterator[Hub]:
    """A pair that waits and a row that was refused, on PostgreSQL."""
    engine = open_engine(empty_postgres_url)
    migrate(engine)
    engine.dispose()
    environ = BILLED | {"HUB_DATABASE_URL": empty_postgres_url}
    for made in opened(settled(small_hub, tmp_path / "home"), environ):
        made.register.write(
            f1={**MATTI, "birth_key": BIRTH, "home": HOME}, f2={**MATTI, "home": HOME}
        )
        made.night_passes()
        refuse(made, "value_too_long", {"family_name": "Koski"})
        yield made


def test_every_page_opens_and_every_act_is_done(hub: Hub) -> None:
    seat = hub.seat("olli.vastaava")
    seen: dict[str, Answer] = {
        page.path: seat.get(page.path.rstrip("/"))
        for page in app.PAGES.values()
        if page.method == "GET"
    }

    def opens(under: str, path: str, **filled: str) -> Answer:
        """A form of a page already seen, sent; seen under its own path from then on."""
        seen[path] = seat.opens(seen[under], path, **filled)
        return seen[path]

    opens("/pairs", "/pair")
    opens("/pair", "/pair/preview", verdict="unsure", reason="kysyttävä")
    opens("/pair/preview", "/pair/decide")
    seen["/mine"] = seat.get("/mine")
    opens("/mine", "/mine/undo", reason="väärä pari")
    opens("/mine/undo", "/mine/undone")
    opens("/customers", "/customers", words="petaja mattti", purpose="call")
    opens("/customers", "/customer")
    opens("/customer", "/customer/told")
    opens("/customer", "/customer/looked")
    opens("/customer", "/customer/notice", **NOTICE)
    opens("/customer/notice", "/customer/notice/take")
    seen["/mine"] = seat.get("/mine")
    opens("/mine", "/mine/undo", reason="väärä asiakas")
    opens("/mine/undo", "/mine/undone")
    opens(
        "/customer", "/customer/restraint", kind="restriction", channel="letter", reason="kiistää"
    )
    opens("/customer/restraint", "/customer/restrain")
    opens("/customers", "/customer")
    opens("/customer", "/customer/lift", informed="2026-11-02", reason="tarkistettu")
    opens("/customer/lift", "/customer/lifted")
    opens("/deliveries", "/delivery")
    opens("/quarantine", "/refused")
    opens("/refused", "/refused/preview", answer="drop", reason="kaksoiskappale")
    opens("/refused/preview", "/refused/drop")
    failed = {path: page.words[:200] for path, page in seen.items() if page.status != 200}
    assert failed == {}
    assert "kirjattu" in seen["/customer/notice/take"].words
