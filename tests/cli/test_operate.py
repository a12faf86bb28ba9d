"""Running the hub from the command line: nights, counterparties, schema, copies, the web page."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from pipelines import store
from pipelines.cli import main
from pipelines.cli.operate import DagsterProcesses
from pipelines.errors import HubError
from pipelines.settings import site_files
from pipelines.store import nights
from pipelines.store.engine import open_engine, transaction
from pipelines.store.lock import RunLock
from tests.canaries import FORBIDDEN, LivedIn, found_in, hub
from tests.cli.conftest import MORNING, Desk, copied

MIGRATIONS = sorted(
    file.name[:4]
    for file in (Path(store.__file__).parent / "migrations" / "versions").glob("[0-9]*.py")
)


def one_line(text: str) -> bool:
    return text.startswith("hub: ") and text.count("\n") == 1


def with_an_empty_drop_folder(home: Path) -> Path:
    """The same hub, hearing from one source that has no folder; nobody is called."""
    sources = home / "config" / "sources"
    file = sources / "registrations.yml"
    for path in (*(home / "config" / "recipients").iterdir(), *sources.iterdir()):
        if path != file:
            path.unlink()
    config = yaml.safe_load(file.read_text("utf-8"))
    config["folder"] = {"kind": "folder", "path": str(home / "nowhere")}
    file.write_text(yaml.safe_dump(config), "utf-8")
    return home


# --- night -------------------------------------------------------------------------------------------


def test_a_night_answers_in_json_with_date_status_and_counts(lived_in: LivedIn) -> None:
    told = json.loads(lived_in.second_night.out)
    assert set(told) == {"date", "status", "seconds", "steps"}
    assert told["date"] == "2026-11-03"
    assert {
        "ingest:registrations",
        "standardise",
        "match",
        "consolidate",
        "extract:finance",
    } <= set(told["steps"])
    assert told["steps"]["match"]["merged"] >= 0


def test_a_night_that_fails_writes_its_letter_and_one_line_and_ends_with_one(
    own_desk: Desk,
) -> None:
    home = with_an_empty_drop_folder(own_desk.home)
    told = hub(home, "night", "--date", "2026-11-04")
    assert told.code == 1
    assert one_line(told.err), told.err
    assert str(home / "letters" / "2026-11-04.txt") in told.err
    assert told.out.startswith("VIRHE")
    assert "registrations" in told.out
    later = own_desk("check", "--json")
    assert later.json["last_good_night"]["business_date"] == "2026-11-03"
    assert later.json["last_good_night"]["last_status"] == "failed"


def test_a_second_night_at_the_same_time_says_so_and_is_no_failure(
    own_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", dict(os.environ))  # `hub night` sets variables of its process
    engine = open_engine(f"sqlite:///{own_desk.home / 'hub.db'}")
    lock = RunLock(engine, own_desk.home)
    assert lock.acquire()
    try:
        text = own_desk("night", "--date", "2026-11-04")
        answer = own_desk("night", "--date", "2026-11-04", "--json")
    finally:
        lock.release()
        engine.dispose()
    assert (text.code, text.err) == (0, "")
    assert text.out.startswith("already running: ")
    assert answer.json == {"already_running": True}
    assert not (own_desk.home / "letters" / "2026-11-04.txt").exists()


@pytest.mark.parametrize("date", ["2026-11-31", "4.11.2026", "tonight"])
def test_a_date_that_is_none_is_wrong_use(desk: Desk, date: str) -> None:
    told = desk("night", "--date", date)
    assert (told.code, told.out) == (2, "")
    assert "YYYY-MM-DD" in told.err


@pytest.mark.parametrize(
    "command", [["night"], ["sources"], ["ui"], ["customer", "find", "x"], ["check"]]
)
def test_a_hub_without_tables_says_what_to_do(
    tmp_path: Path, desk: Desk, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.environ", dict(os.environ))
    empty = Desk(tmp_path / "empty", desk.planted, desk.capture)
    assert empty("init").code == 0
    told = empty(*command)
    assert told.code == 1
    assert told.err.rstrip().endswith("run `hub migrate`")
    assert one_line(told.err)
    assert empty("migrate", "--json").json == {"applied": MIGRATIONS}
    assert empty("migrate").out == "the schema is up to date\n"


# --- who we hear from, who we tell ---------------------------------------------------------------------


def shipped_names(folder: str) -> set[str]:
    return {Path(f).stem for f in site_files() if f.startswith(f"{folder}/")}


def test_sources_tells_when_each_last_worked(desk: Desk) -> None:
    told = desk("sources", "--json").json
    inward = {row["name"]: row for row in told if row["direction"] == "in"}
    outward = {row["name"]: row for row in told if row["direction"] == "out"}
    assert set(inward) == shipped_names("sources")
    assert set(outward) == shipped_names("recipients")
    assert set(inward["dvv"]) == {
        "name", "direction", "configured", "last_date", "status", "fetched", "landed",
    }  # fmt: skip
    assert inward["dvv"]["last_date"] == "2026-11-03"
    keys = {"name", "direction", "configured", "mode", "open_deliveries", "returned"}
    assert set(outward["finance"]) == keys
    assert "2026-11-03 ok" in desk("sources").out


def test_a_held_batch_is_asked_about_by_one_and_approved_by_an_officer_of_the_roster(
    own_desk: Desk,
) -> None:
    with_an_empty_drop_folder(own_desk.home)
    engine = open_engine(f"sqlite:///{own_desk.home}/hub.db")
    with transaction(engine) as conn:
        usual = nights.usual_total(conn, "registrations")
        nights.record_feed(
            conn, "registrations", "2026-11-04", status="held", now="2026-11-04T00:00:00Z",
            fetched=10, total=10,
        )  # fmt: skip
    engine.dispose()
    looked = own_desk("batch", "show", "registrations")
    assert looked.code == 0
    assert f"10 records came on 2026-11-04; {usual} are usual" in looked.out
    assert own_desk("batch", "show", "registrations", "--json").json["request_no"] is None
    asked = own_desk("batch", "accept", "registrations", "--why", "cleared out", "--json").json
    assert (asked["total"], asked["fewest"], asked["most"]) == (10, 9, 11)
    number = str(asked["request_no"])

    signed = {"commitment": {"reference": "HR/1", "signed": "2026-01-02"}}
    people = [
        {"login": "anna.asiakas", "name": "Anna Asiakas", "role": "officer", **signed},
        {"login": "otso.toinen", "name": "Otso Toinen", "role": "officer", **signed},
        {"login": "siru.kolmas", "name": "Siru Kolmas", "role": "steward", **signed},
    ]
    roster = own_desk.home / "config" / "roster.yml"
    unknown = own_desk("batch", "approve", number, environ={"HUB_USER": "otso.toinen"})
    assert "an officer of config/roster.yml" in unknown.err
    roster.write_text(yaml.safe_dump({"people": people}), "utf-8")
    assert "an officer" in own_desk(
        "batch", "approve", number, environ={"HUB_USER": "siru.kolmas"}
    ).err  # fmt: skip
    assert "somebody else" in own_desk("batch", "approve", number).err
    done = own_desk("batch", "approve", number, environ={"HUB_USER": "otso.toinen"})
    assert (done.code, "one batch of 9 to 11 records" in done.out) == (0, True), done.err
    assert "acceptance 1 waits" in own_desk("batch", "show", "registrations").out
    assert own_desk("batch", "approve", number, environ={"HUB_USER": "otso.toinen"}).code == 1


def test_a_source_that_nothing_is_held_of_has_nothing_to_be_accepted(desk: Desk) -> None:
    told = desk("batch", "accept", "registrations", "--why", "just so")
    assert (told.code, "no batch is held" in told.err) == (1, True)


def test_a_probe_asks_everybody_there_and_then(lived_in: LivedIn) -> None:
    told = {r["name"]: r["probe"] for r in json.loads(lived_in.probe.out) if r["configured"]}
    not_in_town = {"authorities", "collection", "credit", "environmental_control"}
    there = shipped_names("sources") | shipped_names("recipients")
    assert set(told) == there - not_in_town
    assert "lets us in" in told["dvv"]
    assert "lets us in" in told["ryhti"]


def test_a_probe_that_fails_is_told_beside_the_others_and_ends_with_one(own_desk: Desk) -> None:
    with_an_empty_drop_folder(own_desk.home)
    told = own_desk("sources", "--probe")
    assert told.code == 1
    assert "failed: " in told.out
    assert "dvv              not configured" in told.out
    assert told.err == "hub: not everybody answered\n"


def test_a_check_calls_everybody_when_it_is_asked_to(own_desk: Desk) -> None:
    with_an_empty_drop_folder(own_desk.home)
    told = own_desk("check", "--probe", "--since", "9d", "--json")
    assert told.code == 1
    (name,) = told.json["probes"]
    assert name == "sources/registrations"
    assert told.json["probes"][name].startswith("failed: ")
    assert told.err.startswith(f"hub: not everything is in order: {name}: failed")
    assert "probes" not in own_desk("check", "--since", "9d", "--json").json


def test_a_recipient_is_taken_back_to_shadow_and_live_again_by_a_named_person(
    own_desk: Desk,
) -> None:
    def mode() -> str:
        rows = {row["name"]: row for row in own_desk("sources", "--json").json}
        told: str = rows["finance"]["mode"]
        return told

    assert own_desk("recipient", "shadow", "finance", environ={}).code == 1
    assert mode() == "live"
    assert own_desk("recipient", "shadow", "finance", "--json").json == {
        "recipient": "finance",
        "mode": "shadow",
    }
    assert mode() == "shadow"
    assert own_desk("recipient", "go-live", "finance").code == 0
    assert mode() == "live"
    assert own_desk("recipient", "go-live", "tax_office").code == 2


def test_r18_a_recipient_without_an_agreement_does_not_go_live(own_desk: Desk) -> None:
    """R18: the reference of the agreement is part of the contract."""
    file = own_desk.home / "config" / "recipients" / "finance.yml"
    contract = yaml.safe_load(file.read_text("utf-8"))
    contract["agreement"] = {"reference": None, "signed": None, "valid_to": None}
    contract["mode"] = "shadow"
    file.write_text(yaml.safe_dump(contract), "utf-8")
    told = own_desk("recipient", "go-live", "finance")
    assert told.code == 1
    assert one_line(told.err)
    assert "agreement" in told.err


# --- is it well ----------------------------------------------------------------------------------------


def test_check_passes_after_a_good_night_and_fails_once_it_is_too_old(desk: Desk) -> None:
    told = desk("check", "--json")
    assert told.code == 0, told.err
    good = told.json["last_good_night"]
    assert set(good) == {"business_date", "finished_at", "status", "last_status"}
    old = Desk(desk.home, desk.planted, desk.capture, MORNING + timedelta(days=400))
    assert old("check", "--since", "26h").code == 1
    assert one_line(old("check", "--since", "26h").err)
    assert old("check", "--since", "9999d").code == 0
    assert old("check", "--config").code == 0
    assert old("check", "--since", "yesterday").code == 2


# --- copies ----------------------------------------------------------------------------------------------


def test_a_backup_is_restored_whole_into_an_empty_hub_and_into_no_other(
    own_desk: Desk, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    saved = own_desk("backup", str(copy), "--json")
    assert saved.code == 0, saved.err
    assert saved.json["tables"]["party"] > 90
    fresh = Desk(tmp_path / "fresh", own_desk.planted, own_desk.capture)
    assert fresh("init").code == 0
    restored = fresh("restore", str(copy), "--json")
    assert restored.code == 0, restored.err
    assert restored.json == saved.json
    assert fresh("customer", "find", "merkkimaki", "--json").json
    again = fresh("restore", str(copy))
    assert again.code == 1
    assert one_line(again.err)
    assert own_desk("backup", str(copy)).code == 1, "never into a folder that holds something"


# --- the town ----------------------------------------------------------------------------------------------


def test_a_town_that_does_not_run_is_said_in_one_line(desk: Desk, tmp_path: Path) -> None:
    for command in (["advance"], ["truth"]):
        told = desk("sandbox", *command, "--dir", str(tmp_path))
        assert (told.code, told.out) == (1, "")
        assert one_line(told.err)
        assert "hub sandbox serve" in told.err


@pytest.mark.parametrize("named", ["--home", "HUB_HOME"])
def test_the_demo_does_not_touch_a_folder_it_has_not_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")
    where = str(tmp_path)
    if named == "--home":
        code = main(["--home", where, "demo"], {"HUB_HOME": "elsewhere"}, lambda: MORNING)
    else:
        code = main(["demo"], {"HUB_HOME": where}, lambda: MORNING)
    assert code == 1
    assert one_line(capsys.readouterr().err)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


# --- the web page --------------------------------------------------------------------------------------------


def test_a_port_that_is_taken_is_never_shown_as_the_hubs_own_page(tmp_path: Path) -> None:
    with socket.socket() as somebody:
        somebody.bind(("127.0.0.1", 0))
        somebody.listen()
        port = somebody.getsockname()[1]
        with pytest.raises(HubError, match=f"port {port} is taken: --port 0"):
            DagsterProcesses(tmp_path, port)


def until_the_daemon_answers(url: str) -> None:
    """Until Dagster's page has heard of every daemon that is needed."""
    query = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{url}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            health = json.load(answer)["data"]["instance"]["daemonHealth"]["allDaemonStatuses"]
        if all(daemon["healthy"] for daemon in health if daemon["required"]):
            return
        time.sleep(0.5)
    pytest.fail(f"a daemon is silent: {health}")


def test_the_web_page_and_the_daemon_start_answer_and_end_together(
    lived_in: LivedIn, tmp_path: Path
) -> None:
    """Started in the folder of the hub by a relative name, as anybody would; nobody is in its log."""
    home = copied(lived_in, tmp_path / "hub")
    ours = {k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "DAGSTER_"))}
    with subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pipelines.cli",
            "--home",
            "hub",
            "ui",
            "--port",
            "0",
            "--read-only",
        ],
        cwd=tmp_path,
        env=ours,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        url = said.removeprefix("Dagster: ").strip()
        assert url.startswith("http://127.0.0.1:"), process.communicate()
        with urllib.request.urlopen(f"{url}/server_info", timeout=30) as answer:  # noqa: S310
            assert "dagster_version" in json.load(answer)
        with pytest.raises(urllib.error.HTTPError, match="405"):  # the gate, not Dagster
            urllib.request.urlopen(f"{url}/graphql?query={{version}}", timeout=30)  # noqa: S310
        until_the_daemon_answers(url)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0, process.communicate()
    assert [c for c in children if Path(f"/proc/{c}").exists()] == []
    log = (home / "dagster" / "ui.log").read_bytes()
    assert found_in(log, FORBIDDEN) == []
    assert b"Traceback" not in log
