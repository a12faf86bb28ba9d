"""What a day brings, and that a restarted town remembers its days."""

import csv
import hashlib
from pathlib import Path

import pytest

from connectors.sandbox.town import Town, start


def exported(town: Town, table: str) -> dict[str, dict[str, str]]:
    """Tonight's export of one table, by its first column."""
    path = town.directory / "own_register" / "vienti" / f"{table}_{town.today.replace('-', '')}.csv"
    with path.open(encoding="windows-1252", newline="") as file:
        return {next(iter(row.values())): row for row in csv.DictReader(file, delimiter=";")}


def digests(town: Town) -> dict[str, str]:
    folder = town.directory / "own_register" / "vienti"
    return {
        p.name.partition("_")[0]: hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.glob(f"*_{town.today.replace('-', '')}.csv")
    }


def story(town: Town, name: str) -> dict[str, object]:
    return next(s for s in town.stories() if s["story"] == name)


def test_a_quiet_day_exports_the_same_bytes_under_a_new_date(town: Town) -> None:
    before = digests(town)
    assert town.advance(quiet=True) == "2026-11-03"
    assert len(before) == 3
    assert digests(town) == before


def test_an_eventful_day_changes_rows_and_stamps_them_with_that_day(town: Town) -> None:
    before = exported(town, "asiakkaat")
    town.advance()
    after = exported(town, "asiakkaat")
    changed = [row for key, row in after.items() if row != before.get(key)]
    assert changed
    assert {row["MUUTETTU"][:10] for row in changed} == {"02.11.2026"}


def test_the_clerks_stories_show_in_the_second_nights_export(town: Town) -> None:
    before = exported(town, "asiakkaat")
    town.advance()
    customers, roles = exported(town, "asiakkaat"), exported(town, "roolit")
    (edited,) = story(town, "own_edit")["customer_numbers"]
    assert customers[edited]["PUHELIN"] != before[edited]["PUHELIN"]
    (switched,) = story(town, "e_invoice_switch")["customer_numbers"]
    assert (before[switched]["LASKUKANAVA"], customers[switched]["LASKUKANAVA"]) == (
        "PAPERI",
        "VERKKOLASKU",
    )
    (seller,) = story(town, "payer_change")["customer_numbers"]
    ended = [
        r for r in roles.values() if r["ASIAKASNRO"] == seller and r["PAATTYEN"] == "01.11.2026"
    ]
    assert ended[0]["LOPPULASKU_OSOITE"]
    (buyer,) = story(town, "new_customer")["customer_numbers"]
    assert buyer not in before
    begun = [r for r in roles.values() if r["ASIAKASNRO"] == buyer]
    assert [r["KULUTUSPISTE"] for r in begun] == [ended[0]["KULUTUSPISTE"]]


def test_every_kind_of_happening_comes_within_three_nights(town: Town) -> None:
    town.advance(2)
    told = [g["tietoryhma"] for m in town._population._messages for g in m.groups]
    assert {"KUOLINPAIVA", "HENKILON_NIMI", "HENKILOTUNNUS_KORJAUS"} <= set(told)
    assert max(int(str(s["from_night"])) for s in town.stories()) == 3


def test_the_truth_follows_who_becomes_a_customer(town: Town) -> None:
    canaries = set(town.truth()["canaries"])
    town.advance()
    (buyer,) = story(town, "new_customer")["customer_numbers"]
    truth = town.truth()
    assert truth["people"][truth["customers"][buyer]]["name"] in canaries - set(truth["canaries"])


def test_two_towns_of_one_seed_live_the_same_days(tmp_path: Path) -> None:
    seen = []
    for name in ("one", "other"):
        with start(tmp_path / name, customers=100, seed=5) as town:
            town.advance(10)
            messages = [
                (m.key, m.person_id, m.moment, m.groups) for m in town._population._messages
            ]
            seen.append((digests(town), messages, town.truth(), town.stories()))
    assert seen[0] == seen[1]


def test_a_restarted_town_goes_on_where_it_was(tmp_path: Path) -> None:
    with start(tmp_path, customers=100, seed=5) as town:
        town.advance(2)
        town.advance(quiet=True)
        before = (town.today, digests(town), town.truth(), town.stories())
        keys = [town.addresses[w]["host_key"] for w in ("finance", "own_register")]
    with start(tmp_path, customers=100, seed=5) as again:
        assert (again.today, digests(again), again.truth(), again.stories()) == before
        assert [again.addresses[w]["host_key"] for w in ("finance", "own_register")] == keys


def test_a_folder_of_another_town_is_refused(tmp_path: Path) -> None:
    start(tmp_path, customers=100, seed=5).close()
    with pytest.raises(ValueError, match="another town"):
        start(tmp_path, customers=100, seed=6)


def test_old_deliveries_are_cleared_away(town: Town) -> None:
    town.advance(10, quiet=True)
    markers = sorted(p.name for p in (town.directory / "own_register" / "vienti").glob("valmis_*"))
    assert len(markers) == 7
    assert markers[-1] == "valmis_20261112.json"
