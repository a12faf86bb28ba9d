"""The post's files replace what is held, all or nothing, and every address is held against them once."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from connectors.base import Ask, Malformed, Reference, ReferenceFile, Unavailable
from pipelines.domain.landing import content_hash
from pipelines.domain.schemas import ADDRESSES, LANDED
from pipelines.settings import load_settings
from pipelines.steps.accept_volume import held_batch
from pipelines.steps.around import NotFound
from pipelines.steps.load_postal import load_postal
from pipelines.steps.night import Night, StepResult, executing
from pipelines.steps.standardise import standardise
from pipelines.steps.to_do import to_dos
from pipelines.store import frames, nights, postal
from pipelines.store.engine import reading, transaction
from pipelines.texts import Texts

PATH = {"HUB_SOURCES__POSTAL__FOLDER__PATH": "/srv/posti"}
COLUMNS = ("postal_code", "street_fi", "street_sv", "side", "lowest", "highest")
Street = tuple[str, str, str | None, str | None, int | None, int | None]
KOIVUTIE: Street = ("31640", "Koivutie", "Björkvägen", "odd", 1, 35)
KUUSITIE: Street = ("31640", "Kuusitie", None, "odd", 1, 35)
OTHERS: tuple[Street, ...] = tuple(
    ("31640", f"Muutie {n}", None, None, None, None) for n in range(9)
)


class Post:
    """Hands out streets of one day, or an error."""

    def __init__(self, day: str = "31", streets: Sequence[Street] = (), **faults: int) -> None:
        self.name, self.streets, self.faults = f"BAF_202610{day}.dat", streets, faults
        self.error: Exception | None = None

    def fetch(self, ask: Ask) -> Reference:
        if self.error is not None:
            raise self.error
        if ask.cursor is not None and ask.cursor["BAF"] == self.name and not ask.reread:
            return Reference((), ask.cursor)
        columns: dict[str, Any] = dict(zip(COLUMNS, zip(*self.streets, strict=True), strict=True))
        lines = len(self.streets) + sum(self.faults.values())
        file = ReferenceFile("postal_street", self.name, "2026-10-31", columns, lines, self.faults)
        return Reference((file,), {"BAF": self.name})

    def check(self) -> str:
        return "there"


class Hub:
    """A register with a few addresses, and the steps from the post's file to them."""

    def __init__(self, engine: Engine, home: Path) -> None:
        self.engine = engine
        self.settings = load_settings(home, PATH)

    def night(self, *, full: bool = False) -> Night:
        return Night(
            self.engine,
            self.settings,
            "2026-11-02",
            lambda: datetime(2026, 11, 2, tzinfo=UTC),
            full,
        )

    def load(self, post: Post, *, full: bool = False) -> StepResult:
        return load_postal(self.night(full=full), self.settings.sources["postal"], lambda: post)

    def land(self, **lines: str) -> None:
        """Parties by key, each with one postal address in 31640."""
        rows = []
        for key, line in lines.items():
            home = {
                "address_type": "postal",
                "line": line,
                "postal_code": "31640",
                "post_office": "X",
            }
            content = {"party_type": "person", "name": "Malli Maija", "addresses": [home]}
            rows.append(
                {
                    "source": "registrations", "kind": "party", "source_key": key, "content": content,
                    "content_hash": content_hash(content), "field_times": {}, "business_date": "2026-11-02",
                }
            )  # fmt: skip
        with executing(self.night(), "ingest") as step:
            frames.put(step.conn, LANDED, LANDED.frame(rows), step.id)

    def standardise(self, *, full: bool = False) -> StepResult:
        return standardise(self.night(full=full))

    def checks(self) -> dict[str, str | None]:
        with reading(self.engine) as conn:
            held = frames.read(conn, ADDRESSES)
        return {
            key: None if pd.isna(check) else check
            for key, check in zip(held["source_key"], held["postal_check"], strict=True)
        }

    def streets(self) -> int:
        with reading(self.engine) as conn:
            return postal.count(conn, "postal_street")

    def feed(self) -> nights.FeedNight:
        with reading(self.engine) as conn:
            found = nights.last_feed(conn, "postal")
        assert found is not None
        return found


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Hub:
    return Hub(engine, tmp_path)


def test_a_first_file_is_taken_in_and_the_same_again_changes_nothing(hub: Hub) -> None:
    post = Post("31", (KOIVUTIE, KUUSITIE))
    assert hub.load(post).counts == {"fetched": 2, "landed": 2, "faults": 0}
    assert (hub.feed().status, hub.feed().landed, hub.streets()) == ("ok", 2, 2)
    assert hub.load(post).counts["fetched"] == 0
    assert hub.load(post, full=True).counts == {"fetched": 2, "landed": 0, "faults": 0}
    assert hub.feed().status == "unchanged"


def test_unread_lines_are_counted_by_reason_and_the_rest_is_taken_in(hub: Hub) -> None:
    result = hub.load(Post("31", (KOIVUTIE,), too_short=2, side=1))
    assert (result.status, hub.streets()) == ("attention", 1)
    check = result.checks[0]
    assert (check.passed, check.severity) == (False, "warning")
    assert check.counts == {"unread_lines:too_short": 2, "unread_lines:side": 1}


@pytest.mark.parametrize(
    ("error", "status"), [(Unavailable("gone"), "down"), (Malformed("cut off"), "refused")]
)
def test_what_was_held_stays_when_the_post_is_down_or_its_file_is_broken(
    hub: Hub, error: Exception, status: str
) -> None:
    hub.load(Post("31", (KOIVUTIE,)))
    broken = Post("31")
    broken.error = error
    result = hub.load(broken)
    assert (result.status, result.text, hub.feed().status) == ("failed", str(error), status)
    assert hub.streets() == 1


def test_a_file_much_smaller_than_what_is_held_is_not_believed(hub: Hub) -> None:
    hub.load(Post("24", (KOIVUTIE, KUUSITIE, *OTHERS)))
    result = hub.load(Post("31", (KOIVUTIE,)))
    assert (result.status, hub.feed().status, hub.streets()) == ("failed", "held", 11)
    assert "BAF_20261031.dat: 1 records where 11 are usual" in result.text
    assert hub.load(Post("31", (KOIVUTIE, *OTHERS))).counts["landed"] == 10


def test_a_held_file_is_told_with_what_lets_it_in_and_no_batch_can_be_asked_for(hub: Hub) -> None:
    hub.load(Post("24", (KOIVUTIE, KUUSITIE, *OTHERS)))
    much_smaller = Post("31", (KOIVUTIE,))
    hub.load(much_smaller)
    assert hub.load(much_smaller).status == "failed", "it is read and held anew every night"
    with reading(hub.engine) as conn:
        failures, _ = to_dos(hub.night(), Texts("en"), conn, is_day=True)
    (line,) = [one.said(Texts("en")) for one in failures if one.values.get("source") == "postal"]
    assert "hub batch accept" not in line
    assert "widen expect.corridor in config/sources/postal.yml" in line
    with pytest.raises(NotFound, match="widen expect.corridor"):
        held_batch(hub.night(), "postal")
    # what the line says, done
    wide = {"HUB_SOURCES__POSTAL__EXPECT__CORRIDOR__SHRINK": "0.95"}
    hub.settings = load_settings(Path("nowhere"), {**PATH, **wide})
    assert (hub.load(much_smaller).status, hub.streets()) == ("ok", 1)
    with reading(hub.engine) as conn:
        failures, _ = to_dos(hub.night(), Texts("en"), conn, is_day=True)
    assert not [one for one in failures if one.values.get("source") == "postal"]


def test_changed_addresses_are_held_against_the_file_and_counted(hub: Hub) -> None:
    hub.load(Post("31", (KOIVUTIE,)))
    hub.land(a="Koivutie 3", b="Björkvägen 37", c="Kuusitie 1", d="Koivutie 5B", e="Koivutie 5 3")
    counts = hub.standardise().counts
    assert hub.checks() == {
        "a": "exact", "b": "street_known", "c": "postal_code_only", "d": "exact", "e": "exact",
    }  # fmt: skip
    assert {k: n for k, n in counts.items() if k.startswith("address_")} == {
        "address_exact": 3, "address_street_known": 1, "address_postal_code_only": 1,
        "address_unknown": 0,
    }  # fmt: skip
    assert (counts["letter_of_house_or_stair"], counts["apartment_without_marker"]) == (1, 1)


def test_a_small_night_checks_what_changed_alone(hub: Hub) -> None:
    hub.load(Post("31", (KOIVUTIE,)))
    hub.land(a="Koivutie 3", b="Kuusitie 1")
    hub.standardise()
    hub.land(b="Koivutie 5")
    assert hub.standardise().counts["address_exact"] == 1
    assert hub.checks() == {"a": "exact", "b": "exact"}
    assert "address_exact" not in hub.standardise().counts


def test_a_newer_file_is_held_against_every_address_and_nobody_is_matched_again_for_it(
    hub: Hub,
) -> None:
    hub.land(a="Koivutie 3", b="Kuusitie 1")
    hub.standardise()
    assert hub.checks() == {"a": None, "b": None}
    hub.load(Post("24", (KOIVUTIE,)))
    assert hub.standardise().counts["address_postal_code_only"] == 1
    hub.load(Post("31", (KOIVUTIE, KUUSITIE)))
    with reading(hub.engine) as conn:
        before = nights.latest_step_run(conn)
    hub.standardise()
    assert hub.checks() == {"a": "exact", "b": "exact"}
    with reading(hub.engine) as conn:
        assert frames.changed_since(conn, ADDRESSES, before).empty


def test_small_nights_come_to_the_same_as_a_full_one(hub: Hub) -> None:
    hub.land(a="Koivutie 3")
    hub.standardise()
    hub.load(Post("24", (KOIVUTIE,)))
    hub.land(b="Kuusitie 1", c="PL 5")
    hub.standardise()
    hub.load(Post("31", (KOIVUTIE, KUUSITIE)))
    hub.standardise()
    small = hub.checks()
    hub.standardise(full=True)
    assert hub.checks() == small == {"a": "exact", "b": "exact", "c": "postal_code_only"}


def test_no_address_is_refused_on_account_of_the_file(hub: Hub) -> None:
    hub.load(Post("31", (KOIVUTIE,)))
    hub.land(a="Tuntematontie 3")
    assert hub.standardise().counts["quarantined"] == 0


def test_a_file_that_would_borrow_or_name_a_kind_of_source_is_refused(
    hub: Hub, tmp_path: Path
) -> None:
    config = hub.settings.sources["postal"].model_copy(update={"borrow_from": "registrations"})
    result = load_postal(hub.night(), config, lambda: Post("31", (KOIVUTIE,)))
    assert "reference data tells of nobody" in result.text
    with transaction(hub.engine) as conn:
        assert postal.count(conn, "postal_street") == 0
