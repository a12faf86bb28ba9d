"""`hub match file` and `hub match evaluate`, end to end over files."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from pipelines.cli import main
from tests.linkage.conftest import FAMILY, town

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, environ: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["--home", str(tmp_path / "hub"), "match", *arguments], environ or {})
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


@pytest.fixture
def handed_in(tmp_path: Path) -> tuple[Path, Path]:
    """A list of a made-up town, and the truth about it."""
    rows = [{"record_id": f"t{n:04}", **row} for n, row in enumerate(town(150, seed=3))]
    records, truth = tmp_path / "records.csv", tmp_path / "truth.csv"
    columns = [
        "record_id", "given_names", "family_name", "person_key", "birth_key", "phone", "street",
        "house_number", "postal_code", "post_office",
    ]  # fmt: skip
    write(records, columns, rows)
    write(
        truth,
        ["record_id", "entity_id"],
        [{"record_id": r["record_id"], "entity_id": r["entity"]} for r in rows],
    )
    return records, truth


def write(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_list_is_matched_and_measured(
    hub: Run, handed_in: tuple[Path, Path], tmp_path: Path
) -> None:
    records, truth = handed_in
    clusters, pairs = tmp_path / "clusters.csv", tmp_path / "pairs.csv"
    code, out, err = hub(
        "file", str(records), "--out", str(clusters), "--pairs", str(pairs), "--json"
    )
    assert (code, err) == (0, "")
    told = json.loads(out)
    labels = {row["record_id"]: row["cluster_id"] for row in read(clusters)}
    assert len(labels) == told["records"] == len(read(records))
    assert len(set(labels.values())) == told["clusters"]
    compared = read(pairs)
    assert len({(p["left"], p["right"]) for p in compared}) == len(compared) == told["pairs"]
    assert all(p["left"] < p["right"] for p in compared)
    assert {
        v: sum(p["verdict"] == v for p in compared) for v in ("same", "review", "different")
    } == {v: told[v] for v in ("same", "review", "different")}
    assert all(labels[p["left"]] == labels[p["right"]] for p in compared if p["verdict"] == "same")

    code, out, _ = hub("evaluate", str(clusters), "--truth", str(truth), "--json")
    assert code == 0
    measured = json.loads(out)
    assert measured["missing"] == 0
    assert measured["precision"] > 0.99
    assert measured["recall"] > 0.3


def test_parquet_comes_out_where_it_is_asked_for(
    hub: Run, handed_in: tuple[Path, Path], tmp_path: Path
) -> None:
    clusters = tmp_path / "clusters.parquet"
    assert hub("file", str(handed_in[0]), "--out", str(clusters))[0] == 0
    assert clusters.read_bytes()[:4] == b"PAR1"
    assert hub("evaluate", str(clusters), "--truth", str(handed_in[1]))[0] == 0


def test_no_person_is_shown_unless_it_is_asked_for(
    hub: Run, handed_in: tuple[Path, Path], tmp_path: Path
) -> None:
    asking = ["file", str(handed_in[0]), "--out", str(tmp_path / "c.csv")]
    for more in ([], ["--json"]):
        _, out, err = hub(*asking, *more)
        assert not any(name in out + err for name in FAMILY)
    _, out, _ = hub(*asking, "--explain", "80")
    assert any(name in out for name in FAMILY)
    assert "saman asiakkaan puolesta" in out
    assert "Syntymäaika puuttuu ainakin toiselta" in out
    assert "k10-0" not in out, "a token is never shown"
    assert "b10-0" not in out, "a token is never shown"


def test_a_smaller_risk_merges_less(hub: Run, handed_in: tuple[Path, Path], tmp_path: Path) -> None:
    asking = ["file", str(handed_in[0]), "--out", str(tmp_path / "c.csv"), "--json"]
    merged = []
    for risk in ("1", "1000", "50000"):
        code, out, _ = hub(*asking, environ={"HUB_MATCHING__LEAKED_PER_MILLION": risk})
        assert code == 0
        merged.append(json.loads(out)["same"])
    assert merged == sorted(merged)
    assert merged[0] < merged[2]


def test_what_is_wrong_with_a_file_is_said_in_one_line(hub: Run, tmp_path: Path) -> None:
    code, out, err = hub("file", str(tmp_path / "none.csv"), "--out", str(tmp_path / "c.csv"))
    assert (code, out) == (1, "")
    assert err == f"hub: {tmp_path / 'none.csv'}: no such file\n"
    wrong = tmp_path / "c.csv"
    wrong.write_text("record_id\n1\n", "utf-8")
    code, _, err = hub("evaluate", str(wrong), "--truth", str(wrong))
    assert code == 1
    assert "no column cluster_id" in err


def test_a_file_that_can_t_be_written_is_refused_before_the_work(hub: Run, tmp_path: Path) -> None:
    records = tmp_path / "r.csv"
    records.write_text("record_id\n1\n", "utf-8")
    code, _, err = hub("file", str(records), "--out", str(tmp_path / "clusters.xlsx"))
    assert code == 1
    assert "has to end in .csv or .parquet" in err
    code, _, err = hub("file", str(records), "--out", str(tmp_path / "nowhere" / "clusters.csv"))
    assert code == 1
    assert "can't be written" in err


def test_a_mixed_cluster_leaks_all_its_records(hub: Run, tmp_path: Path) -> None:
    clusters, truth = tmp_path / "clusters.csv", tmp_path / "truth.csv"
    write(
        clusters, ["record_id", "cluster_id"],
        [{"record_id": r, "cluster_id": c} for r, c in (("1", "a"), ("2", "a"), ("3", "a"), ("4", "b"))],
    )  # fmt: skip
    write(
        truth, ["record_id", "entity_id"],
        [{"record_id": r, "entity_id": e} for r, e in (("1", "x"), ("2", "x"), ("3", "y"), ("4", "y"), ("5", "z"))],
    )  # fmt: skip
    code, out, _ = hub("evaluate", str(clusters), "--truth", str(truth), "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["precision"], found["recall"]) == (round(1 / 3, 6), 0.5)
    assert found["leaked_per_million"] == 600_000
    assert (found["records"], found["missing"]) == (5, 1)
