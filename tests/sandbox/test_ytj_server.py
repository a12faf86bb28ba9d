"""The open company register as the sandbox serves it, over real HTTP (FORMATS 2)."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.founding import found
from connectors.sandbox.town import FIRST_DAY, Town, start
from connectors.sandbox.world import Company
from connectors.sandbox.ytj import CompanyRegister


def ask(town: Town, path: str = "/companies", **asked: str) -> requests.Response:
    door = town.addresses["ytj"]
    assert set(door) == {"base_url"}, "the register is open"
    return requests.get(door["base_url"] + path, params=asked, timeout=5)


def companies(town: Town, **which: bool) -> list[Company]:
    """The town's companies, housing companies only or none."""
    every = town._founded.world.companies.values()
    return [c for c in every if all(getattr(c, k) == v for k, v in which.items())]


def told_of(town: Town, company: Company) -> dict[str, Any]:
    answer = ask(town, businessId=company.business_id).json()
    assert answer["totalResults"] == 1
    return dict(answer["companies"][0])


def register_of(town: Town) -> CompanyRegister:
    register = town._registers["ytj"]
    assert isinstance(register, CompanyRegister)
    return register


def of_story(town: Town, story: str) -> Company:
    """The company that a story is about, as it stands today."""
    (number,) = town._founded.stories[story].customer_numbers
    return town._founded.world.companies[town._founded.register.entity_of[number]]


def main_name(told: dict[str, Any]) -> str:
    (name,) = [n["name"] for n in told["names"] if n["type"] == "1" and not n["endDate"]]
    return str(name)


def in_force(town: Town, story: str) -> list[tuple[str, str]]:
    """Situations of a story's company that have not ended: code and first day."""
    told = told_of(town, of_story(town, story))["companySituations"]
    return [(s["type"], s["registrationDate"]) for s in told if not s["endDate"]]


@pytest.fixture
def big(tmp_path: Path) -> Any:
    with start(tmp_path / "big", customers=600, seed=7) as running:
        yield running


def test_every_working_company_is_entered_and_half_of_the_housing_companies(town: Town) -> None:
    for company in companies(town, is_housing=False):
        assert main_name(told_of(town, company)) == company.name
    found = [
        ask(town, businessId=c.business_id).json()["totalResults"]
        for c in companies(town, is_housing=True)
    ]
    assert len(found) > 2
    assert sum(found) == len(found) // 2


def test_whom_the_register_does_not_hold_it_finds_nothing_of(town: Town) -> None:
    answer = ask(town, businessId="9999999-9")
    assert (answer.status_code, answer.json()) == (200, {"totalResults": 0, "companies": []})


def test_house_numbers_stand_apart_or_inside_the_street(big: Town) -> None:
    shapes = set()
    for company in companies(big, is_housing=False):
        visiting = next(a for a in told_of(big, company)["addresses"] if a["type"] == 1)
        place = company.address
        if visiting["buildingNumber"]:
            assert (visiting["street"], visiting["buildingNumber"]) == (place.street, place.number)
        else:
            assert visiting["street"] == f"{place.street} {place.number}"
        shapes.add(bool(visiting["buildingNumber"]))
    assert shapes == {True, False}


def test_every_shape_of_name_and_address_is_there(big: Town) -> None:
    told = [told_of(big, c) for c in companies(big, is_housing=False)]
    addresses = [a for t in told for a in t["addresses"]]
    for part in ("postOfficeBox", "freeAddressLine", "co", "entrance", "apartmentNumber"):
        assert 0 < sum(bool(a[part]) for a in addresses) < len(addresses), part
    names = [n for t in told for n in t["names"]]
    assert {n["type"] for n in names} == {"1", "2", "3"}
    assert any(n["endDate"] for n in names)
    assert any(name.split()[-1] == "Tmi" for name in map(main_name, told))
    assert any(s["endDate"] for t in told for s in t["companySituations"])
    assert max(len(str(a["freeAddressLine"] or "").split()) for a in addresses) == 2


def test_what_the_format_demands_is_there_and_a_time_has_no_zone(town: Town) -> None:
    for company in companies(town, is_housing=False):
        told = told_of(town, company)
        assert {"businessId", "registeredEntries", "tradeRegisterStatus", "lastModified"} <= set(
            told
        )
        assert len(told["lastModified"]) == len("2026-01-01T00:00:00")
        assert told["lastModified"][:10] < town.today
        assert len(told["addresses"]) <= 2
        for place in told["addresses"]:
            assert len(place["street"] or "") <= 50
            assert len(place["postOfficeBox"] or "") <= 5


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/companies", {"businessId": "1"}, 400),
        ("/companies", {}, 400),
        ("/elsewhere", {}, 404),
    ],
)
def test_a_wrong_question_is_answered_with_an_error_in_json(
    town: Town, path: str, asked: dict[str, str], status: int
) -> None:
    answer = ask(town, path, **asked)
    assert answer.status_code == status
    assert set(answer.json()) == {"timestamp", "message", "errorcode"}


def test_a_code_list_is_plain_text(town: Town) -> None:
    answer = ask(town, "/description", code="KONK", lang="fi")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "Konkurssi" in answer.text


def test_a_page_that_is_not_there_is_the_first_one(town: Town) -> None:
    company = companies(town, is_housing=False)[0]
    pages = [ask(town, businessId=company.business_id, page=p).json() for p in ("1", "7")]
    assert pages[0] == pages[1]


# --- what happens -----------------------------------------------------------------------------------


def test_the_stories_come_true_on_the_first_day_that_is_not_quiet(town: Town) -> None:
    before = of_story(town, "company_renamed").name
    town.advance(quiet=True)
    assert of_story(town, "company_renamed").name == before
    assert in_force(town, "company_bankrupt") == []
    town.advance()
    renamed = told_of(town, of_story(town, "company_renamed"))
    canary = town._founded.stories["company_renamed"].canary
    assert canary["name"] == before
    assert main_name(renamed) == canary["new_name"] != before
    ended = [n for n in renamed["names"] if n["name"] == before]
    assert [(n["version"], n["endDate"]) for n in ended] == [(2, "2026-11-03")]
    assert in_force(town, "company_bankrupt") == [("KONK", "2026-11-03")]
    assert renamed["lastModified"].startswith("2026-11-03T")
    town.advance(3)
    assert main_name(told_of(town, of_story(town, "company_renamed"))) == canary["new_name"]


def test_the_stories_companies_are_two_and_have_customer_numbers(town: Town) -> None:
    assert of_story(town, "company_renamed") != of_story(town, "company_bankrupt")
    assert {s["from_night"] for s in town.stories() if s["story"].startswith("company_")} == {1, 2}


def test_a_company_moves_and_its_mail_follows(town: Town) -> None:
    register, company = register_of(town), companies(town, is_housing=False)[0]
    register.moves(company.company_id, town.today)
    moved = town._founded.world.companies[company.company_id]
    assert moved.address.line() != company.address.line()
    told = told_of(town, moved)
    assert (
        len({(a["street"], a["buildingNumber"], a["postOfficeBox"]) for a in told["addresses"]})
        == 1
    )
    assert {a["registrationDate"] for a in told["addresses"]} == {town.today}


def test_a_company_that_has_ceased_stays_in_the_register_with_its_last_day(town: Town) -> None:
    register, company = register_of(town), companies(town, is_housing=False)[0]
    register.ceases(company.company_id, town.today)
    assert told_of(town, company)["endDate"] == town.today


def test_chance_strikes_the_others_now_and_then_and_the_same_ones_in_every_town_of_a_seed(
    tmp_path: Path,
) -> None:
    seen = []
    for name in ("one", "other"):
        with start(tmp_path / name, customers=600, seed=5) as town:
            founded = json.dumps([told_of(town, c) for c in companies(town, is_housing=False)])
            town.advance(40)
            lived = [told_of(town, c) for c in companies(town, is_housing=False)]
            seen.append((founded, json.dumps(lived)))
    assert seen[0] == seen[1]
    changed = [c for c in lived if c["lastModified"] > "2026"]
    assert 2 < len(changed) < len(lived)


def test_companies_take_nothing_from_anybody_elses_chance() -> None:
    """The founding draws no number for the register, so no other register's town depends on it."""
    bare = found(7, 200, FIRST_DAY)
    assert [c.name for c in bare.world.companies.values()]
    assert "company_renamed" not in bare.stories


# --- faults -----------------------------------------------------------------------------------------


def test_too_many_requests_is_said_in_plain_text(town: Town) -> None:
    town.fault("ytj", "http_429")
    answer = ask(town, businessId="9000001-2")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    assert answer.headers["Content-Type"].startswith("text/plain")
    with pytest.raises(ValueError, match="JSON|Expecting"):
        answer.json()


def test_the_register_can_say_that_it_holds_nobody(town: Town) -> None:
    company = companies(town, is_housing=False)[0]
    town.fault("ytj", "not_found")
    assert ask(town, businessId=company.business_id).json()["totalResults"] == 0
    assert ask(town, businessId=company.business_id).json()["totalResults"] == 1


def test_the_register_can_answer_with_another_company(town: Town) -> None:
    for company in companies(town):
        town.fault("ytj", "lying")
        (told,) = ask(town, businessId=company.business_id).json()["companies"]
        assert told["businessId"]["value"] != company.business_id
