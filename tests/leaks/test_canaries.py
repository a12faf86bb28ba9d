"""Nobody in a feed is found outside the register: read every byte that nights leave behind.

Belongs here: the search. Does not belong here: who is planted where (`tests.canaries`), how nights are made
to fail (`failing_nights`).
"""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import pandas as pd
import pytest

from pipelines.cli.operate import dagster_home
from pipelines.resources import NoFrames
from pipelines.store.engine import open_engine
from tests.canaries import (
    FORBIDDEN,
    NEVER_KEPT,
    LivedIn,
    Said,
    canary_town,
    everything_under,
    found_in,
    hub,
    identity_codes_in,
    make_hub,
    run,
    tokens_in,
)
from tests.leaks.failing_nights import NIGHTS

OPEN_TO_ALL = ("dagster", "letters")


def leaks(text: bytes, home: Path) -> list[str]:
    """What of a person stands in the bytes."""
    codes = identity_codes_in(text)
    return [
        *found_in(text, (*FORBIDDEN, *NEVER_KEPT)),
        *(["a token"] if found_in(text, tokens_in(home)) else []),
        *([f"{codes} identity codes"] if codes else []),
    ]


def database(home: Path) -> bytes:
    """Every byte of the register, write-ahead log included."""
    return b"".join(p.read_bytes() for p in sorted(home.glob("hub.db*")))


def outside_the_register(home: Path) -> bytes:
    """Names of all files, and the bytes of all but the register's."""
    names = b"\n".join(str(p.relative_to(home)).encode() for p in home.rglob("*"))
    others = (p for p in home.iterdir() if not p.name.startswith("hub.db"))
    return b"\n".join(
        [names, *(everything_under(p) if p.is_dir() else p.read_bytes() for p in others)]
    )


# --- the search itself -------------------------------------------------------------------------------


def test_the_search_finds_a_word_an_identity_code_and_what_is_compressed(tmp_path: Path) -> None:
    import sqlite3
    import zlib

    with closing(sqlite3.connect(tmp_path / "some.db")) as conn, conn:
        conn.execute("CREATE TABLE kept (body BLOB)")
        conn.execute("INSERT INTO kept VALUES (?)", [zlib.compress(b"seen: LintuHaakinPolku 77")])
    assert found_in(everything_under(tmp_path), FORBIDDEN) == ["lintuhaakinpolku"]
    assert identity_codes_in(b"x 010180-999c; 010180-999D 1010180-999C") == 1


def test_every_canary_reached_the_register_so_that_its_absence_elsewhere_means_something(
    lived_in: LivedIn,
) -> None:
    assert set(found_in(database(lived_in.home), FORBIDDEN)) == set(FORBIDDEN)


# --- nights that go well -----------------------------------------------------------------------------


def test_the_nights_ended_well(lived_in: LivedIn) -> None:
    assert (lived_in.first_night.code, lived_in.second_night.code) == (0, 0)
    assert json.loads(lived_in.second_night.out)["status"] == "attention"
    assert len(list((lived_in.home / "letters").iterdir())) == 2


@pytest.mark.parametrize("part", OPEN_TO_ALL)
def test_nobody_is_in_what_everybody_may_read(lived_in: LivedIn, part: str) -> None:
    text = everything_under(lived_in.home / part)
    assert len(text) > 1000
    assert leaks(text, lived_in.home) == []


def test_nobody_is_in_any_file_but_the_register_nor_in_a_file_name(lived_in: LivedIn) -> None:
    assert leaks(outside_the_register(lived_in.home), lived_in.home) == []


def test_nobody_is_in_what_a_night_says(lived_in: LivedIn) -> None:
    for night in (lived_in.first_night, lived_in.second_night):
        assert leaks(night.all, lived_in.home) == []


def test_r9_what_the_notice_does_not_cover_is_not_even_in_the_register(lived_in: LivedIn) -> None:
    """R9: free text, account numbers, birth names, broken identity codes, people without a role."""
    text = database(lived_in.home)
    assert found_in(text, NEVER_KEPT) == []
    assert found_in(text, lived_in.planted.codes) == []
    assert identity_codes_in(text) == 0


def test_no_password_is_in_what_everybody_may_read(lived_in: LivedIn) -> None:
    for part in OPEN_TO_ALL:
        assert found_in(everything_under(lived_in.home / part), lived_in.secrets) == []
    assert found_in(lived_in.first_night.all + lived_in.second_night.all, lived_in.secrets) == []


@pytest.mark.parametrize(
    "command",
    [
        ["sources", "--json"],
        ["sources", "--probe", "--json"],
        ["quarantine", "list", "--json"],
        ["quarantine", "list"],
        ["disclosures", "list", "--json"],
        ["check", "--json"],
        ["notice", "check", "--json"],
    ],
    ids=" ".join,
)
def test_commands_that_show_nobody_show_nobody(
    lived_in: LivedIn, command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    from pipelines.cli import main

    main(["--home", str(lived_in.home), *command], {})
    said = capfd.readouterr()
    assert said.out
    assert leaks((said.out + said.err).encode(), lived_in.home) == []


# --- nights that break off ---------------------------------------------------------------------------


class Broken(NamedTuple):
    home: Path
    by_hub: Said
    by_dagster: Said
    nights: list[dict[str, object]]


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broken]:
    """A hub whose nights broke off everywhere with errors that quote people; first one of Dagster's own."""
    base = tmp_path_factory.mktemp("broken")
    home = base / "hub"
    with canary_town(base / "town") as (town, _):
        make_hub(home, town)
        dagster = home / "dagster"
        dagster.mkdir(parents=True)
        # as production may start Dagster: without the variables that `hub` sets
        by_dagster = run(
            home, "-m", "dagster", "job", "execute", "-m", "tests.leaks.failing_definitions",
            "-j", "nightly", DAGSTER_HOME=str(dagster), DAGSTER_DISABLE_TELEMETRY="yes",
        )  # fmt: skip
        by_hub = run(home, "-m", "tests.leaks.failing_nights", str(home), town.today)
    assert by_hub.code == 0, by_hub.err
    yield Broken(home, by_hub, by_dagster, [json.loads(n) for n in by_hub.out.splitlines()])


def test_a_night_was_made_to_break_off_at_every_step(broken: Broken) -> None:
    assert [set(n["struck"]) for n in broken.nights] == [set(places) for places in (*NIGHTS, ())]  # type: ignore[call-overload]
    assert [n["status"] for n in broken.nights] == ["failed"] * len(NIGHTS) + ["attention"]
    said = " ".join(str(n["failures"]) for n in broken.nights)
    layers = (
        "opening", "landing/", "standardised/", "matched/", "register/", "extract/", "delivery/",
        "disclosure/", "night/",
    )  # fmt: skip
    assert [layer for layer in layers if layer not in said] == []


def test_the_errors_themselves_are_not_told_only_their_kind_and_place(broken: Broken) -> None:
    assert "internal error, KeyError at failing_nights.py" in broken.by_hub.out


@pytest.mark.parametrize("part", OPEN_TO_ALL)
def test_nobody_is_left_behind_by_nights_that_broke_off(broken: Broken, part: str) -> None:
    assert leaks(everything_under(broken.home / part), broken.home) == []
    assert leaks(outside_the_register(broken.home), broken.home) == []


def test_nobody_is_in_what_nights_say_that_broke_off(broken: Broken) -> None:
    assert leaks(broken.by_hub.all, broken.home) == []


def test_dagster_started_by_others_keeps_no_word_of_an_error_either(broken: Broken) -> None:
    """The daemon's stderr goes to a log, so it counts as kept."""
    assert broken.by_dagster.code == 1
    assert "internal error, KeyError at failing_nights.py" in broken.by_dagster.err
    assert leaks(broken.by_dagster.all, broken.home) == []


def test_a_database_that_refuses_a_row_does_not_quote_it(
    lived_in: LivedIn, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A trigger stands for any constraint whose message holds the row (STACK §5)."""
    import shutil

    home = tmp_path / "hub"
    shutil.copytree(lived_in.home, home)
    engine = open_engine(f"sqlite:///{home / 'hub.db'}")
    with engine.begin() as conn:
        conn.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON night BEGIN SELECT RAISE(ABORT, 'vartiotar'); END"
        )
    engine.dispose()
    (home / "config" / "sources" / "dvv.yml").unlink()
    said = hub(home, "night", "--date", "2026-11-04")
    assert said.code == 1
    assert leaks(said.all + everything_under(home / "dagster"), home) == []


# --- Dagster itself ----------------------------------------------------------------------------------


def test_an_asset_that_returns_a_frame_is_refused_and_nothing_of_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.asset
    def careless() -> pd.DataFrame:
        return pd.DataFrame({"name": ["Vartiotar"]})

    for name in ("DAGSTER_HOME", "HUB_HOME", "DAGSTER_REDACT_USER_CODE_ERRORS", "DAGSTER_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "")  # so that it is put back
    dagster_home(tmp_path)
    with dg.DagsterInstance.get() as instance:
        result = dg.materialize(
            [careless],
            resources={"io_manager": NoFrames()},
            instance=instance,
            raise_on_error=False,
        )
    assert not result.success
    assert found_in(everything_under(tmp_path), FORBIDDEN) == []
