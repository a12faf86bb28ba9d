"""Nobody in a feed is found outside the register: read every byte that nights leave behind.

Belongs here: the search. Does not belong here: who is planted where (`tests.canaries`), how nights are made
to fail (`failing_nights`).
"""

import io
import json
import logging
import os
import re
import shutil
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from pipelines.assets.stage import DESK
from pipelines.cli import main
from pipelines.cli.operate import dagster_home
from pipelines.resources import NoFrames
from tests.canaries import (
    FORBIDDEN,
    NEVER_KEPT,
    LivedIn,
    Said,
    everything_under,
    found_in,
    hub,
    identity_codes_in,
    run,
    tokens_in,
)
from tests.desk.conftest import ROSTER, opened
from tests.desk.conftest import Answer as Page
from tests.desk.test_refused import inputs
from tests.leaks.failing_nights import NIGHTS

OPEN_TO_ALL = ("dagster", "letters")
CORRECTED = "pajulinnanpesa"  # what a steward puts in place of a refused value; stands nowhere else


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
    with closing(sqlite3.connect(tmp_path / "some.db")) as conn, conn:
        conn.execute("CREATE TABLE kept (body BLOB)")
        conn.execute("INSERT INTO kept VALUES (?)", [zlib.compress(b"seen: LintuHaakinPolku 77")])
    assert found_in(everything_under(tmp_path), FORBIDDEN) == ["lintuhaakinpolku"]
    assert identity_codes_in(b"x 010180-999a; 010180-999D 1010180-999A") == 1


def test_every_canary_reached_the_register_so_that_its_absence_elsewhere_means_something(
    lived_in: LivedIn,
) -> None:
    assert set(found_in(database(lived_in.home), FORBIDDEN)) == set(FORBIDDEN)


# --- what was done --------------------------------------------------------------------------------


def test_the_first_night_was_made_to_break_off_at_every_step(lived_in: LivedIn) -> None:
    nights = [json.loads(line) for line in lived_in.first_night.out.splitlines()]
    assert [set(n["struck"]) for n in nights] == [set(places) for places in (*NIGHTS, ())]
    assert [n["status"] for n in nights] == ["failed"] * len(NIGHTS) + ["attention"]
    said = " ".join(str(n["failures"]) for n in nights)
    assert [layer for layer in ("opening", *DESK) if layer not in said] == []


def test_an_error_is_told_by_its_kind_and_place_only(
    lived_in: LivedIn,
) -> None:
    assert "internal error, KeyError at failing_nights.py" in lived_in.first_night.out
    assert "rows are only ever added" in lived_in.first_night.out


def test_the_second_night_went_well(lived_in: LivedIn) -> None:
    assert (lived_in.second_night.code, lived_in.second_night.err) == (0, "")
    assert json.loads(lived_in.second_night.out)["status"] == "attention"
    assert len(list((lived_in.home / "letters").iterdir())) == 2


# --- what it left -----------------------------------------------------------------------------------


@pytest.mark.parametrize("part", OPEN_TO_ALL)
def test_nobody_is_in_what_everybody_may_read(lived_in: LivedIn, part: str) -> None:
    text = everything_under(lived_in.home / part)
    assert len(text) > 1000
    assert leaks(text, lived_in.home) == []


def test_nobody_is_in_any_file_but_the_register_nor_in_a_file_name(lived_in: LivedIn) -> None:
    assert leaks(outside_the_register(lived_in.home), lived_in.home) == []


def test_nobody_is_in_what_a_night_or_a_probe_says(lived_in: LivedIn) -> None:
    for said in (lived_in.first_night, lived_in.probe, lived_in.second_night):
        assert leaks(said.all, lived_in.home) == []


def test_r9_what_the_notice_does_not_cover_is_not_even_in_the_register(lived_in: LivedIn) -> None:
    """R9: free text, account numbers, birth names, broken identity codes, people without a role."""
    text = database(lived_in.home)
    assert found_in(text, NEVER_KEPT) == []
    assert found_in(text, lived_in.planted.codes) == []
    assert identity_codes_in(text) == 0


def test_no_password_is_in_what_everybody_may_read(lived_in: LivedIn) -> None:
    for part in OPEN_TO_ALL:
        assert found_in(everything_under(lived_in.home / part), lived_in.secrets) == []
    for said in (lived_in.first_night, lived_in.probe, lived_in.second_night):
        assert found_in(said.all, lived_in.secrets) == []


@pytest.mark.parametrize(
    "command",
    [
        ["sources", "--json"],
        ["quarantine", "list", "--json"],
        ["quarantine", "list"],
        ["disclosures", "list", "--json"],
        ["review", "list", "--json"],
        ["review", "list"],
        ["check", "--json"],
        ["check"],
        ["notice", "check", "--json"],
    ],
    ids=" ".join,
)
def test_commands_that_show_nobody_show_nobody(
    lived_in: LivedIn, command: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    main(["--home", str(lived_in.home), *command], {})
    said = capfd.readouterr()
    assert said.out
    assert leaks((said.out + said.err).encode(), lived_in.home) == []


# --- a customer refreshed by the job -----------------------------------------------------------------


@pytest.fixture(scope="module")
def by_job(lived_in: LivedIn, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A copy of the hub after refreshes by number: one that broke off, one that changed a customer."""
    home = tmp_path_factory.mktemp("refreshed") / "hub"
    shutil.copytree(lived_in.home, home)
    number = lived_in.planted.customer
    asked = [hub(home, "refresh", "--later", number).out.strip() for _ in range(2)]
    return home, run(home, "-m", "tests.leaks.refreshing", str(home), number, "2026-11-04", *asked)


def test_the_job_changed_somebody_broke_off_and_found_no_request(by_job: tuple[Path, Said]) -> None:
    broke_off, changed, unknown = [json.loads(line) for line in by_job[1].out.splitlines()]
    assert [r["success"] for r in (broke_off, changed, unknown)] == [False, True, False]
    assert any("death_date" in name for name in changed["shown"][0])
    assert found_in(database(by_job[0]), ["Orsikuja 99"])


def test_nobody_is_in_dagster_after_the_job_nor_in_what_it_said(by_job: tuple[Path, Said]) -> None:
    home, said = by_job
    kept = everything_under(home / "dagster")
    assert b"address_refresh" in kept
    assert leaks(kept, home) == []
    assert leaks(said.all, home) == []
    assert leaks(outside_the_register(home), home) == []


def test_no_customer_number_is_in_dagster_after_the_job(
    by_job: tuple[Path, Said], lived_in: LivedIn
) -> None:
    number = lived_in.planted.customer.encode()
    assert not re.search(rb"(?<![0-9])" + number + rb"(?![0-9])", by_job[1].all)
    quoted = [b'"' + number + b'"', b"'" + number + b"'", b" " + number + b" ", b": " + number]
    assert [q for q in quoted if q in everything_under(by_job[0] / "dagster")] == []


# --- a pair laid open and decided ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def reviewed(
    lived_in: LivedIn, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Said], list[Said]]:
    """A copy of the hub after a steward looked at pairs and decided one; what `show` said, what the rest said."""
    home = tmp_path_factory.mktemp("reviewed") / "hub"
    shutil.copytree(lived_in.home, home)
    planted = lived_in.planted
    pairs = [(planted.customer, planted.company), (planted.customer, planted.e_invoice)]
    shown = [
        hub(home, "review", "show", "--records", *pair, *how)
        for pair in pairs
        for how in ([], ["--json"])
    ]
    decided = hub(
        home, "review", "different", "--records", *pairs[0], "--reason", "call 7", "--json"
    )
    number = str(json.loads(decided.out)["decision"])
    others = [
        decided,
        hub(home, "review", "list", "--decided"),
        hub(home, "review", "undo", number, "--reason", "call 8"),
        hub(home, "review", "same", "--records", *pairs[0], "--reason", "call 9"),
        hub(home, "review", "different", "--records", *pairs[1], "--reason", "call 9"),
        hub(home, "review", "show", "--records", planted.customer, "nobody:1"),
    ]
    refused = hub(home, "quarantine", "list", "--rule", "missing_value", "--json")
    entry = str(json.loads(refused.out)[0]["quarantine_id"])
    put_right = f"name={CORRECTED.title()} Oy"
    others += [
        refused,
        hub(home, "quarantine", "correct", entry, "name=", "--why", "call 10"),
        hub(home, "quarantine", "correct", entry, put_right, "--why", "call 10", "--json"),
        hub(home, "quarantine", "list"),
        hub(home, "quarantine", "report", "registrations", "--out", str(home / "errors.txt")),
        hub(home, "quarantine", "report", "registrations", "--json"),
    ]
    # a night that takes the decisions in; its sources have gone, which is no matter here
    others.append(hub(home, "night", "--json", "--date", "2026-11-05"))
    return home, shown, others


def test_a_pair_is_shown_on_the_terminal_without_tokens_and_found_nowhere_else(
    reviewed: tuple[Path, list[Said], list[Said]],
) -> None:
    home, shown, _ = reviewed
    assert [said.code for said in shown] == [0] * len(shown)
    text = b"".join(said.all for said in shown)
    assert {"merkkim", "kanariitta", "kanarialinna"} <= set(found_in(text, FORBIDDEN))
    assert found_in(text, tokens_in(home)) == []
    assert identity_codes_in(text) == 0
    assert leaks(outside_the_register(home), home) == []
    assert leaks(everything_under(home / "dagster"), home) == []


def test_nobody_is_in_what_a_decision_or_a_refusal_says(
    reviewed: tuple[Path, list[Said], list[Said]],
) -> None:
    home, _, others = reviewed
    assert [said.code for said in others[:6]] == [0, 0, 0, 1, 0, 1]
    for said in others:
        assert leaks(said.all, home) == []


def test_a_corrected_value_is_in_the_register_and_nowhere_else(
    reviewed: tuple[Path, list[Said], list[Said]],
) -> None:
    """Neither what was refused nor what was put in its place, not even in what its source is told."""
    home, _, others = reviewed
    assert [said.code for said in others[6:12]] == [0, 1, 0, 0, 0, 0]
    with closing(sqlite3.connect(f"file:{home / 'hub.db'}?mode=ro", uri=True)) as conn:
        (kept,) = conn.execute("SELECT corrected FROM source_correction").fetchone()
        (read,) = conn.execute(
            "SELECT count(*) FROM standard_party WHERE lower(organisation_name) LIKE ?",
            [f"%{CORRECTED}%"],
        ).fetchone()
    assert CORRECTED in kept.lower()
    assert read == 1, "the night has read it"
    assert found_in(outside_the_register(home), [CORRECTED]) == []
    assert (home / "errors.txt").read_bytes()
    assert leaks((home / "errors.txt").read_bytes(), home) == []
    for said in others:
        assert found_in(said.all, [CORRECTED]) == []


def test_r56_no_place_of_somebody_compared_with_a_protected_customer_is_shown(
    reviewed: tuple[Path, list[Said], list[Said]],
) -> None:
    """R56: the address of the one may be the address of the other."""
    places = [
        "lintuhaakinpolku",
        "nokkakivenkuja",
        "siipiraitti",
        "90199900077777",
        "90199900088888",
    ]
    _, shown, _ = reviewed
    assert found_in(b"".join(said.all for said in shown[:2]), places), "an ordinary pair shows them"
    assert found_in(b"".join(said.all for said in shown[2:]), places) == []


# --- somebody sits at the desk -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def seated(
    lived_in: LivedIn, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Page], bytes]:
    """A copy of the hub after a steward looked at everything at the desk; the pages, and what the process logged."""
    home = tmp_path_factory.mktemp("seated") / "hub"
    shutil.copytree(lived_in.home, home)
    (home / "config" / "roster.yml").write_text(ROSTER, encoding="utf-8")
    logged = io.StringIO()
    listening = logging.StreamHandler(logged)
    logging.getLogger().addHandler(listening)
    pages: dict[str, Page] = {}
    try:
        for hub in opened(home):
            seat = hub.seat()
            for path in (
                "",
                "/pairs",
                "/customers",
                "/quarantine",
                "/proposals",
                "/deliveries",
                "/recalls",
                "/mine",
                "/seconds",
                "/sources",
            ):
                pages[f"GET {path}"] = seat.get(path)
            found = seat.opens(
                pages["GET /customers"], "/customers", words="vartiotar", purpose="call"
            )
            customer = seat.opens(found, "/customer")
            pages |= {
                "found": found,
                "customer": customer,
                "told": seat.opens(customer, "/customer/told"),
                "looked": seat.opens(customer, "/customer/looked"),
                "refresh": seat.opens(customer, "/customer/refresh"),
                "notice": seat.opens(
                    customer, "/customer/notice", received="2026-11-02", channel="phone",
                    phone="505557391", email="", line="", address_type="postal", valid_from="", postal_code="",
                    post_office="", evidence="",
                ),
                "bad notice": seat.opens(
                    customer, "/customer/notice", received="Vartiotar", channel="phone", line="Lintuhaakinpolku 77",
                    phone="", email="", address_type="postal", valid_from="", postal_code="", post_office="", evidence="",
                ),
                "restraint": seat.opens(
                    customer, "/customer/restraint", kind="restriction", channel="letter", evidence="",
                    reason="Vartiotar asked",
                ),
                "unfound": seat.opens(
                    pages["GET /customers"], "/customers", words="Lintuhaakinpolku", purpose="call"
                ),
                "delivery": seat.opens(pages["GET /deliveries"], "/delivery"),
                "in an address": seat.get("/customers", query="words=Vartiotar"),
                "no such page": seat.get("/Vartiotar"),
                "forged": seat.post("/customers", {"words": "Vartiotar", "token": "Vartiotar"}),
            }  # fmt: skip
            for n in range(len(pages["GET /quarantine"].forms("/refused"))):
                refused = seat.opens(pages["GET /quarantine"], "/refused", n)
                pages[f"refused {n}"] = refused
                # as a steward mends it, and as one who types somebody into every field
                mended = {name: "31640" for name in inputs(refused) if name.endswith("postal_code")}
                for how, typed in (
                    ("mended", mended),
                    ("mistyped", dict.fromkeys(inputs(refused), "Lintuhaakinpolku 77")),
                ):
                    pages[f"correction {n}, {how}"] = seat.opens(
                        refused, "/refused/preview", answer="correct", reason="Vartiotar asked",
                        **(inputs(refused) | typed),
                    )  # fmt: skip
            for page, path in (("/proposals", "/proposal"), ("/recalls", "/recall")):
                if pages[f"GET {page}"].forms(path):
                    pages[path] = seat.opens(pages[f"GET {page}"], path)
            if pages["GET /pairs"].forms("/pair"):
                pages["pair"] = seat.opens(pages["GET /pairs"], "/pair")
    finally:
        logging.getLogger().removeHandler(listening)
    return home, pages, logged.getvalue().encode()


def test_the_desk_shows_people_on_the_pages_that_are_for_it_and_no_token_anywhere(
    seated: tuple[Path, dict[str, Page], bytes],
) -> None:
    home, pages, _ = seated
    everything = "".join(page.text for page in pages.values()).encode()
    assert {"kanariitta", "notisanpolku", "vartiotar"} <= set(found_in(everything, FORBIDDEN))
    assert found_in(everything, tokens_in(home)) == []
    assert identity_codes_in(everything) == 0
    for name in ("customer", "notice", "found", "told", "GET /sources"):
        assert pages[name].status == 200, pages[name].words[:200]
    tried = {page.status for name, page in pages.items() if name.startswith("correction")}
    assert tried == {200, 422}, "some corrections would do, others would not"


def test_nobody_is_on_a_page_that_lists_or_refuses_nor_in_what_any_answer_is_sent_with(
    seated: tuple[Path, dict[str, Page], bytes],
) -> None:
    home, pages, _ = seated
    for name, page in pages.items():
        assert leaks(str(page.headers).encode(), home) == [], name
        if name.startswith("GET ") or name in ("in an address", "no such page", "forged"):
            assert leaks(page.text.encode(), home) == [], name


def test_nobody_is_in_what_the_desk_logs_or_leaves_behind(
    seated: tuple[Path, dict[str, Page], bytes],
) -> None:
    home, _, logged = seated
    assert leaks(logged, home) == []
    assert leaks(outside_the_register(home), home) == []


# --- Dagster itself ----------------------------------------------------------------------------------


def test_an_asset_that_returns_a_frame_is_refused_and_nothing_of_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.asset
    def careless() -> pd.DataFrame:
        return pd.DataFrame({"name": ["Vartiotar"]})

    monkeypatch.setattr("os.environ", dict(os.environ))  # it sets variables of this process
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
