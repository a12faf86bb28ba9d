"""The disclosure log at the command line: what was told, to whom, the proof of it, and what a breach has to know."""

import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pypdfium2
import pytest

from pipelines.settings import load_settings
from pipelines.store import access, checkpoints
from pipelines.store.engine import open_engine, reading
from tests.cli.conftest import Desk


def key_of(desk: Desk) -> str:
    """The log's public key, as the utility would publish it."""
    engine = open_engine(f"sqlite:///{desk.home / 'hub.db'}")
    with reading(engine) as conn:
        keys = checkpoints.vkeys(conn)
    engine.dispose()
    return keys[-1]


def latest_look(desk: Desk) -> tuple[str, str]:
    engine = open_engine(f"sqlite:///{desk.home / 'hub.db'}")
    with reading(engine) as conn:
        line = access.recent(conn, 1).iloc[0]
    engine.dispose()
    return line["who"], line["operation"]


def verified(folder: Path, desk: Desk, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The verifier that was handed over, in a Python that has nothing installed."""
    return subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "verifier.py",
            "proof.json",
            "--key",
            key_of(desk),
            *arguments,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONIOENCODING": "utf-8"},
        encoding="utf-8",
    )


def test_r23_deliveries_and_questions_are_listed_newest_first(desk: Desk) -> None:
    """R23: each with its count, and none with a person."""
    listed = desk("disclosures", "list", "--json").json
    assert set(listed[0]) == {"at", "recipient", "operation", "delivery_id", "people", "state"}
    assert {(row["recipient"], row["operation"]) for row in listed} >= {
        ("finance", "delivery"), ("own_register", "delivery"), ("dvv", "perustiedot"),
    }  # fmt: skip
    assert [row["at"] for row in listed] == sorted((row["at"] for row in listed), reverse=True)
    assert len(desk("disclosures", "list", "--limit", "1", "--json").json) == 1


def test_r1_every_disclosure_carries_the_version_of_the_notice_it_was_made_under(
    desk: Desk,
) -> None:
    """R1: deliveries, each person in them, and questions to registers."""
    version = load_settings(desk.home, {}).notice.version
    engine = open_engine(f"sqlite:///{desk.home / 'hub.db'}")
    with reading(engine) as conn:
        leaves = [
            json.loads(row[0]) for row in conn.exec_driver_sql("SELECT leaf FROM disclosure_leaf")
        ]
    engine.dispose()
    told = [
        leaf for leaf in leaves if leaf["t"] in ("disclosure", "intent", "lookup", "lookup_call")
    ]
    assert {leaf["t"] for leaf in told} == {"disclosure", "intent", "lookup", "lookup_call"}
    assert {leaf.get("notice") for leaf in told} == {version}


def test_r38_a_customer_is_told_who_was_told_what(desk: Desk) -> None:
    """R38: recipients by name, with dates and data in words, look-ups at registers too."""
    told = desk("disclosures", "person", desk.planted.customer, "--json").json
    assert {row["receivercode"] for row in told["usage"]} == {
        "address_batch", "building_control", "dvv", "finance", "municipality", "own_register",
    }  # fmt: skip
    asked = next(row for row in told["usage"] if row["receivercode"] == "address_batch")
    assert "street_line" in asked["fields"]
    billed = next(row for row in told["usage"] if row["receivercode"] == "finance")
    assert (billed["ground"], billed["outcome"]) == ("billing", "acknowledged")
    assert "street_line" in billed["fields"]
    assert "katuosoite" in billed["data"]


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("fi", "Selvitys henkilötietojen luovutuksista"),
        ("sv", "Utredning över utlämnade personuppgifter"),
        ("en", "Statement of disclosures of personal data"),
    ],
)
def test_r38_the_statement_is_in_the_persons_language_and_names_none_of_us(
    desk: Desk, language: str, title: str
) -> None:
    """R38 (C-579/21): the person learns who was told, not which clerk looked."""
    said = desk("disclosures", "person", desk.planted.customer, "--language", language)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(title)
    assert "Merkkimäki" in said.out
    assert "anna.asiakas" not in said.out
    assert latest_look(desk) == ("anna.asiakas", "disclosures person")


def test_the_statement_has_a_word_for_everything_it_says(desk: Desk) -> None:
    """Nothing of the configuration's own names is left in it but those of contracts."""
    said = desk("disclosures", "person", desk.planted.customer).out
    assert [line for line in said.splitlines() if "_" in line and "@" not in line] == []


def test_r38_a_person_takes_home_a_statement_and_a_proof(desk: Desk, tmp_path: Path) -> None:
    """R38: printed, and verified without the hub; files that only the clerk can read."""
    pdf, proof, program = (tmp_path / name for name in ("s.pdf", "proof.json", "verifier.py"))
    said = desk(
        "disclosures", "person", desk.planted.customer, "--pdf", str(pdf), "--bundle", str(proof)
    )
    assert (said.code, said.err) == (0, "")
    assert desk("disclosures", "verifier", str(program)).code == 0
    assert {stat.S_IMODE(f.stat().st_mode) for f in (pdf, proof, program)} == {0o600}
    paper = pypdfium2.PdfDocument(pdf)
    assert "Merkkimäki" in "".join(page.get_textpage().get_text_range() for page in paper)
    assert proof.stat().st_size < 20_000
    done = verified(tmp_path, desk)
    assert (done.returncode, done.stderr) == (0, "")
    assert "katuosoite [street_line]: " in done.stdout
    assert "anna.asiakas" not in proof.read_text("utf-8")
    told: dict[str, Any] = json.loads(proof.read_bytes())
    told["entries"][-1]["detail"]["customer_number"] = "000000"
    proof.write_text(json.dumps(told), "utf-8")
    assert verified(tmp_path, desk).returncode == 1


def test_a_checkpoint_kept_from_earlier_is_proven_to_be_the_logs_beginning(
    desk: Desk, tmp_path: Path
) -> None:
    engine = open_engine(f"sqlite:///{desk.home / 'hub.db'}")
    with reading(engine) as conn:
        first = checkpoints.every(conn)[0]
    engine.dispose()
    note, proof = tmp_path / "note", tmp_path / "proof.json"
    note.write_text(first.note, "utf-8")
    person = ("disclosures", "person", desk.planted.customer)
    assert desk(*person, "--bundle", str(proof), "--held", str(note)).code == 0
    assert desk("disclosures", "verifier", str(tmp_path / "verifier.py")).code == 0
    assert verified(tmp_path, desk, "--checkpoint", note).returncode == 0
    note.write_text(first.note.replace(f"\n{first.size}\n", f"\n{first.size + 1}\n"), "utf-8")
    told = desk(*person, "--bundle", str(tmp_path / "other.json"), "--held", str(note))
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert desk(*person, "--held", str(note)).code == 2


def test_a_file_that_is_there_is_not_written_over(desk: Desk, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept", "utf-8")
    for command in (
        ["person", desk.planted.customer, "--pdf"],
        ["person", desk.planted.customer, "--bundle"],
        ["verifier"],
    ):
        told = desk("disclosures", *command, str(kept))
        assert (told.code, told.out) == (1, "")
        assert told.err == f"hub: {kept} exists; name a file that does not\n"
    assert kept.read_text("utf-8") == "kept"
    told = desk("disclosures", "verifier", str(tmp_path / "nowhere" / "verifier.py"))
    assert (told.code, told.err.count("\n")) == (1, 1)


def test_r60_a_breach_is_answered_by_who_and_what_was_in_a_delivery(desk: Desk) -> None:
    """R60: at once, with counts; the protected ones stand out, and everybody shown is in the access log."""
    listed = desk("disclosures", "list", "--json").json
    sent = next(row for row in listed if row["recipient"] == "finance")
    found = desk("disclosures", "delivery", sent["delivery_id"], "--json").json
    assert (found["recipient"], found["rows"]) == ("finance", sent["people"])
    assert found["persons"] == len({one["id"] for one in found["people"]})
    assert found["fields"]["customer_number"] == found["rows"]
    assert found["protected"] == sum(one["is_protected"] for one in found["people"])
    assert desk.planted.customer in {one["customer_numbers"] for one in found["people"]}
    shown = desk("disclosures", "delivery", sent["delivery_id"]).out
    assert "Merkkimäki" in shown
    assert f"persons       {found['persons']}" in shown
    assert latest_look(desk) == ("anna.asiakas", f"disclosures delivery {sent['delivery_id']}")


def test_a_delivery_nobody_knows_is_one_line_and_exit_code_one(desk: Desk) -> None:
    told = desk("disclosures", "delivery", "nope")
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert "hub disclosures list" in told.err
