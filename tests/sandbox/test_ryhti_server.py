"""The building register as the sandbox serves it, over real HTTP (FORMATS 4.1)."""

from collections import Counter
from datetime import date
from math import ceil
from typing import Any

import pytest
import requests

from connectors.sandbox import own_register
from connectors.sandbox.ryhti import BuildingRegister
from connectors.sandbox.town import Town, start

LIMITED, BARE = "BuildingPersonsLimited", "BuildingNoPersons"
API = "/change-information/api"


def register_of(town: Town) -> BuildingRegister:
    register = town._registers["ryhti"]
    assert isinstance(register, BuildingRegister)
    return register


def token(town: Town, **wrong: str) -> requests.Response:
    door = town.addresses["ryhti"] | wrong
    url = f"{door['base_url']}{API}/Authenticate"
    asked = {"clientId": door["client_id"]}
    return requests.post(url, params=asked, json=door["client_secret"], timeout=5)


def ask(
    town: Town, path: str, body: Any, municipality: str = "103", bearer: str | None = None
) -> requests.Response:
    return requests.post(
        f"{town.addresses['ryhti']['base_url']}{API}/{path}",
        params={"municipality": municipality},
        json=body,
        headers={"Authorization": f"Bearer {bearer or token(town).json()}"},
        timeout=5,
    )


def everything(town: Town, variant: str = LIMITED) -> tuple[list[dict[str, Any]], str, int]:
    """Every building, the event the feed goes on from, and how many pages it took."""
    items: list[dict[str, Any]] = []
    last: str | None = None
    for pages in range(1, 100):
        answer = ask(town, f"InitialInformation/{variant}", {"lastObjectKey": last}).json()
        items += answer["items"]
        if answer["next"] is None:
            return items, answer["eventId"], pages
        last = answer["next"]["lastObjectKey"]
    raise AssertionError("never at an end")


def changes(
    town: Town, event_id: str, variant: str = LIMITED
) -> tuple[list[dict[str, Any]], dict[str, Any], int]:
    """Every change since an event, the last position seen, and how many pages it took."""
    found: list[dict[str, Any]] = []
    position: dict[str, Any] = {"eventId": event_id, "objectKey": None}
    for pages in range(1, 100):
        answer = ask(town, f"ChangeInformation/{variant}", position).json()
        found += answer["changes"]
        position = answer["lastSeen"]
        if answer["upToDate"]:
            return found, position, pages
    raise AssertionError("never up to date")


def story(town: Town, name: str) -> dict[str, Any]:
    return next(s for s in town.stories() if s["story"] == name)


def building_at(town: Town, name: str) -> str:
    return register_of(town).house_at(town._founded.stories[name]).key


def state(shown: dict[str, Any]) -> str:
    return str(shown["buildingSection"][0]["lifeCycleState"]).rpartition("/")[2]


def owners(shown: dict[str, Any]) -> list[str]:
    return [o["buildingObjectOwnerKey"] for o in shown["buildingObjectOwner"]]


def test_a_token_is_given_for_the_secret_and_demanded_afterwards(town: Town) -> None:
    assert token(town, client_secret="wrong").status_code == 400
    assert token(town, client_id="somebody").status_code == 400
    assert isinstance(token(town).json(), str)
    body = {"lastObjectKey": None}
    assert ask(town, f"InitialInformation/{LIMITED}", body, bearer="made-up").status_code == 401
    assert ask(town, f"InitialInformation/{LIMITED}", body).status_code == 200
    assert ask(town, "InitialInformation/Building", body).status_code == 404


def test_pages_of_fifty_lead_to_every_building_once(town: Town) -> None:
    items, _, pages = everything(town)
    keys = [item["buildingKey"] for item in items]
    assert pages == ceil(len(keys) / 50) > 1
    assert len(keys) == len(set(keys)) == len(register_of(town).buildings)
    assert ask(town, f"InitialInformation/{LIMITED}", {}, municipality="169").json()["items"] == []


def test_a_house_stands_at_every_point_a_sauna_beside_some_and_strangers_houses_elsewhere(
    town: Town,
) -> None:
    points = town._founded.world.points.values()
    on = Counter(
        item["administrativeLocationUnit"]["propertyIdentifier"] for item in everything(town)[0]
    )
    assert all(on[p.property_id] in (1, 2) for p in points)
    assert sum(on[p.property_id] == 2 for p in points) > len(points) // 6
    assert len(on.keys() - {p.property_id for p in points}) > len(points) // 4
    standing = {item["permanentBuildingIdentifier"] for item in everything(town)[0]}
    assert {p.address.building_id for p in points} <= standing
    assert all(prt.startswith("9") for prt in standing)


def test_owners_are_those_of_the_own_register(town: Town) -> None:
    founded = town._founded
    codes = {p.identity_code: i for i, p in founded.world.people.items()}
    for number, row in founded.register.points.items():
        roles = [
            r for r in founded.register.roles.values()
            if r["KULUTUSPISTE"] == number and not r["PAATTYEN"]
        ]  # fmt: skip
        named = {r["ROOLI"] for r in roles}
        kind = own_register.OWNER if own_register.OWNER in named else own_register.HOLDER
        entities = {
            founded.register.entity_of[r["ASIAKASNRO"]] for r in roles if r["ROOLI"] == kind
        }
        house = next(
            b for b in register_of(town).buildings.values()
            if b.building_id == founded.world.points[number].address.building_id
        )  # fmt: skip
        assert {o.entity for o in house.owners} == entities, row
    shown = [o["ownerOperator"] for b in everything(town)[0] for o in b["buildingObjectOwner"]]
    assert {o["isPerson"] for o in shown} == {True, False}
    assert all(o["personalIdentityCode"] in codes for o in shown if o["isPerson"])


def test_both_awkward_ways_of_writing_a_house_number_occur(town: Town) -> None:
    addresses = [item["address"][0] for item in everything(town)[0]]
    assert any(
        a["numberPartOfAddressNumber"] is None
        and a["subdivisionLetterOfAddressNumber"][:1].isdigit()
        for a in addresses
    )
    assert any(a["numberPartOfAddressNumber2"] for a in addresses)


def test_protected_owners_are_left_out_and_without_persons_everybody_is(town: Town) -> None:
    founded = town._founded
    protected = [p for p in founded.world.people.values() if p.is_protected]
    owning = {o.entity for b in register_of(town).buildings.values() for o in b.owners}
    assert any(p.person_id in owning for p in protected)
    shown = str(everything(town)[0])
    assert not [p for p in protected if p.identity_code in shown]
    bare, _, _ = everything(town, BARE)
    assert not [b for b in bare if "buildingObjectOwner" in b]
    assert not [p for p in founded.world.people.values() if p.identity_code in str(bare)]


def test_a_quiet_day_leaves_no_change(town: Town) -> None:
    _, event, _ = everything(town)
    town.advance(quiet=True)
    assert changes(town, event)[0] == []


def test_a_sold_house_changes_hands_on_the_second_night(town: Town) -> None:
    before, event, _ = everything(town)
    key = building_at(town, "house_sold")
    seller = owners(next(b for b in before if b["buildingKey"] == key))
    town.advance()
    (sale,) = [c for c in changes(town, event)[0] if c["objectKey"] == key]
    assert date.fromisoformat(sale["eventTime"][:10]).isoformat() == "2026-11-02"
    assert [(d["changeType"], d["objectKey"]) for d in sale["diff"]] == [
        ("DELETED", seller[0]),
        ("ADDED", owners(sale["objectState"])[0]),
    ]
    assert story(town, "house_sold")["canary"]["buyer"] not in town.truth()["canaries"]
    assert [c["diff"] for c in changes(town, event, BARE)[0] if c["objectKey"] == key] == [[]]


def test_the_demolished_building_and_the_split_parcel_show_on_their_nights(town: Town) -> None:
    _, event, _ = everything(town)
    gone, parcel = building_at(town, "building_demolished"), building_at(town, "parcel_split")
    old = register_of(town).buildings[parcel]
    town.advance()
    told = {c["objectKey"]: c["objectState"] for c in changes(town, event)[0]}
    assert (state(told[gone]), parcel in told) == ("06", False)
    assert told[gone]["buildingSection"][0]["demolitionDate"] == "2026-11-02"
    town.advance()
    told = {c["objectKey"]: c["objectState"] for c in changes(town, event)[0]}
    assert told[parcel]["permanentBuildingIdentifier"] == old.building_id
    assert told[parcel]["administrativeLocationUnit"]["propertyIdentifier"] != old.property_id


def test_stories_wait_for_a_day_that_is_not_quiet(town: Town) -> None:
    _, event, _ = everything(town)
    town.advance(2, quiet=True)
    town.advance()
    told = {c["objectKey"] for c in changes(town, event)[0]}
    assert {building_at(town, s) for s in ("house_sold", "building_demolished")} <= told


def test_buildings_sold_together_are_one_event_that_pages_may_part(town: Town) -> None:
    _, event, _ = everything(town)
    register = register_of(town)
    properties = Counter(b.property_id for b in register.buildings.values())
    pair = next(b for b in register.buildings.values() if properties[b.property_id] == 2)
    register.sell(pair, register._strangers(1)[0])
    register.page_size = 1
    found, position, pages = changes(town, event)
    assert (len(found), pages) == (2, 2)
    assert len({c["eventId"] for c in found}) == 1
    assert position["objectKey"] == found[-1]["objectKey"]


def test_the_feed_goes_on_from_every_position_and_misses_nothing(town: Town) -> None:
    _, event, _ = everything(town)
    town.advance(6)
    register = register_of(town)
    whole, end, _ = changes(town, event)
    assert everything(town)[1] == end["eventId"]
    assert changes(town, end["eventId"])[0] == []
    register.page_size = 2
    assert changes(town, event)[:2] == (whole, end)
    unknown = {"eventId": "nobody", "objectKey": None}
    assert ask(town, f"ChangeInformation/{LIMITED}", unknown).status_code == 400


def test_the_last_change_of_each_building_is_how_it_stands(town: Town) -> None:
    _, event, _ = everything(town)
    town.advance(8)
    told = {c["objectKey"]: c["objectState"] for c in changes(town, event)[0]}
    standing = {b["buildingKey"]: b for b in everything(town)[0]}
    assert told == {key: standing[key] for key in told}


def test_a_restarted_town_has_the_same_buildings_and_the_same_feed(town: Town) -> None:
    _, event, _ = everything(town)
    town.advance(3)
    before = everything(town), changes(town, event)
    town.close()
    with start(town.directory, customers=200, seed=7) as again:
        assert (everything(again), changes(again, event)) == before


@pytest.mark.parametrize(
    ("kind", "seen"),
    [("repeated", [0, 1, 0, 1]), ("reordered", [1, 0])],
)
def test_changes_come_twice_or_backwards_on_request(town: Town, kind: str, seen: list[int]) -> None:
    _, event, _ = everything(town)
    town.advance()
    register_of(town).page_size = 2
    whole, _, _ = changes(town, event)
    town.fault("ryhti", kind)
    body = {"eventId": event, "objectKey": None}
    spoiled = ask(town, f"ChangeInformation/{LIMITED}", body).json()["changes"]
    assert spoiled == [whole[n] for n in seen]


def test_the_feed_stands_still_on_request(town: Town) -> None:
    _, event, _ = everything(town)
    town.advance()
    town.fault("ryhti", "stuck")
    body = {"eventId": event, "objectKey": None}
    answer = ask(town, f"ChangeInformation/{LIMITED}", body).json()
    assert answer["changes"]
    assert (answer["lastSeen"], answer["upToDate"]) == (body, False)


def test_a_token_runs_out_once_and_a_new_one_is_good(town: Town) -> None:
    held = token(town).json()
    town.fault("ryhti", "expired_token")
    body = {"lastObjectKey": None}
    path = f"InitialInformation/{LIMITED}"
    assert ask(town, path, body, bearer=held).status_code == 401
    assert ask(town, path, body, bearer=held).status_code == 401
    assert ask(town, path, body).status_code == 200


def test_an_unheard_of_state_comes_on_request(town: Town) -> None:
    town.fault("ryhti", "unknown_code")
    items = ask(town, f"InitialInformation/{LIMITED}", {"lastObjectKey": None}).json()["items"]
    assert {state(item) for item in items} == {"42"}


@pytest.mark.parametrize(("kind", "status"), [("http_500", 500), ("unauthorised", 401)])
def test_it_fails_as_any_server_does(town: Town, kind: str, status: int) -> None:
    town.fault("ryhti", kind)
    assert token(town).status_code == status
    assert token(town).status_code == 200
