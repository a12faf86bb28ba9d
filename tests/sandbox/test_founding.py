"""The town as founded: who exists, what the register believes, and that none of it could be real."""

import csv
import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from stdnum.fi import hetu, ytunnus

from connectors.sandbox import founding
from connectors.sandbox.own_register import delivery
from connectors.sandbox.town import FIRST_DAY, Town

STORIES = {
    "mover", "future_move", "protection_on", "death", "death_reversed", "marriage", "identity_correction",
    "payer_change", "e_invoice_switch", "own_edit", "father_and_son", "father_and_son_without_codes",
    "same_person", "namesakes", "tenant_pays", "future_payer", "summer_resident", "company_contact",
    "housing_company", "death_estate", "foreign_address", "protected", "protected_e_invoice",
    "protected_without_route", "protected_unclear", "former_payer", "old_address", "refused_row",
    "malformed_code", "wrong_check_character", "unreadable_date", "non_customer",
}  # fmt: skip


@pytest.fixture(scope="module")
def founded() -> founding.Founded:
    return founding.found(seed=7, customers=400, today=FIRST_DAY)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    files = [
        delivery(founding.found(seed, 200, FIRST_DAY).register.tables(), "20261102")
        for seed in (3, 3, 4)
    ]
    assert files[0] == files[1]
    assert files[0] != files[2]


@pytest.mark.parametrize("customers", [100, 200, 333])
def test_there_are_exactly_so_many_customers_and_five_times_as_many_inhabitants(
    customers: int,
) -> None:
    town = founding.found(7, customers, FIRST_DAY)
    with_a_role = {town.register.entity_of[r["ASIAKASNRO"]] for r in town.register.roles.values()}
    assert len(with_a_role) == customers
    assert len(town.world.inhabitants) == 5 * customers


def test_too_small_a_town_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 100"):
        founding.found(1, 99, FIRST_DAY)


def test_every_identity_code_checks_is_unique_and_cannot_be_anybodys(
    founded: founding.Founded,
) -> None:
    codes = [p.identity_code for p in founded.world.people.values()]
    assert len(codes) == len(set(codes))
    for code in codes:
        assert hetu.validate(code, allow_temporary=True) == code
        assert 900 <= int(code[7:10]) <= 999


def test_more_people_born_on_one_day_than_one_separator_has_room_for_still_get_codes() -> None:
    minter = founding.found(1, 100, FIRST_DAY).world.minter
    codes = {minter.identity_code("1950-05-05", is_man=True) for _ in range(120)}
    assert len(codes) == 120
    assert {code[6] for code in codes} == {"-", "Y", "X"}
    assert all(hetu.is_valid(code, allow_temporary=True) for code in codes)


def test_building_ids_are_of_the_test_range_and_check(founded: founding.Founded) -> None:
    buildings = {p.address.building_id for p in founded.world.points.values()}
    for building in buildings:
        assert re.fullmatch(r"9\d{8}[0-9A-FHJ-NPR-Y]", building)
        assert building[-1] == "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(building[:9]) % 31]


def test_business_ids_check_and_lie_where_nobody_has_one(founded: founding.Founded) -> None:
    ids = [c.business_id for c in founded.world.companies.values()]
    assert ids
    assert all(ytunnus.is_valid(i) and i.startswith("9") for i in ids)


def test_every_story_exists_and_names_rows_of_the_register(founded: founding.Founded) -> None:
    assert set(founded.stories) == STORIES
    for story in founded.stories.values():
        assert story.customer_numbers
        assert set(story.customer_numbers) <= set(founded.register.customers)


def test_a_father_and_son_share_name_and_address_but_are_two_people(
    founded: founding.Founded,
) -> None:
    for kind, with_codes in (("father_and_son", True), ("father_and_son_without_codes", False)):
        father, son = (
            founded.register.customers[n] for n in founded.stories[kind].customer_numbers
        )
        assert father["NIMI"] == son["NIMI"]
        assert father["LAHIOSOITE"] == son["LAHIOSOITE"]
        assert bool(father["HETU_YTUNNUS"]) == bool(son["HETU_YTUNNUS"]) == with_codes
        assert (
            founded.register.entity_of[father["ASIAKASNRO"]]
            != founded.register.entity_of[son["ASIAKASNRO"]]
        )


def test_one_person_is_typed_in_five_ways_under_five_numbers(founded: founding.Founded) -> None:
    numbers = founded.stories["same_person"].customer_numbers
    assert len({founded.register.entity_of[n] for n in numbers}) == 1
    assert len({founded.register.customers[n]["NIMI"] for n in numbers}) == len(numbers) == 5


def test_an_enquirer_has_a_row_and_no_role(founded: founding.Founded) -> None:
    (number,) = founded.stories["non_customer"].customer_numbers
    assert number not in {r["ASIAKASNRO"] for r in founded.register.roles.values()}


def test_protective_orders_come_in_all_three_disguises(founded: founding.Founded) -> None:
    customers = set(founded.register.entity_of.values())
    ways = Counter(
        p.disguise % 3 for i, p in founded.world.people.items() if p.is_protected and i in customers
    )
    assert set(ways) == {0, 1, 2}


def test_rows_to_refuse_are_there_and_the_truth_names_them(founded: founding.Founded) -> None:
    assert set(founded.refused_keys.values()) == {"POSTINRO", "HETU_YTUNNUS", "ALKAEN"}
    for key, column in founded.refused_keys.items():
        table, _, row_key = key.partition("/")
        rows = founded.register.customers if table == "asiakkaat" else founded.register.roles
        value = rows[row_key][column]
        readable = {
            "POSTINRO": re.fullmatch(r"\d{5}", value),
            "HETU_YTUNNUS": hetu.is_valid(value, allow_temporary=True),
            "ALKAEN": value != "31.02.2019",
        }
        assert not readable[column]


def test_the_export_is_windows_1252_and_its_marker_matches(town: Town) -> None:
    folder = town.directory / "own_register" / "vienti"
    marker = json.loads((folder / "valmis_20261102.json").read_bytes())["tiedostot"]
    assert len(marker) == 3
    for name, stated in marker.items():
        payload = (folder / name).read_bytes()
        assert hashlib.sha256(payload).hexdigest() == stated["sha256"]
        with (folder / name).open(encoding="windows-1252", newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";", strict=True))
        assert len(rows) == stated["rivit"] > 0
        assert payload.count(b"\r\n") == len(rows) + 1
        assert None not in rows[0]
    text = (folder / "asiakkaat_20261102.csv").read_bytes()
    assert b"\xe4" in text
    with pytest.raises(UnicodeDecodeError):
        text.decode("utf-8")
    assert re.search(rb";FI\d{16}\r\n", text)


def test_identity_codes_lie_in_the_register_and_never_in_the_truth(town: Town) -> None:
    a_code = re.compile(r"\d{6}[-+A-FU-Y]9\d\d[0-9A-Y]")
    export = (
        Path(town.directory) / "own_register" / "vienti" / "asiakkaat_20261102.csv"
    ).read_bytes()
    assert a_code.search(export.decode("windows-1252"))
    assert not a_code.search(json.dumps([town.truth(), town.stories(), town.status()]))


def test_canaries_are_found_in_nothing_a_customer_has(town: Town) -> None:
    truth = town.truth()
    people = json.dumps(list(truth["people"].values()), ensure_ascii=False)
    assert len(truth["canaries"]) > 1000
    assert not [c for c in truth["canaries"] if c in people]
    assert len(truth["non_customers"]) >= 3
