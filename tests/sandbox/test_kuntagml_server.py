"""Building control's and environmental control's own systems as the sandbox serves them (FORMATS 4.2)."""

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element

import pytest
import requests
from defusedxml.ElementTree import fromstring

from connectors.sandbox.kuntagml import ExemptionRegister, PermitSystem
from connectors.sandbox.ryhti import BuildingRegister
from connectors.sandbox.ryhti_objects import DEMOLISHED, SEWER, Building
from connectors.sandbox.town import Town, start

BUILDING = "rakval:rakennustieto/rakval:Rakennus/rakval:rakennuksenTiedot/rakval:rakennustunnus"
PATHS = {
    "rakval:ValmisRakennus": f"{BUILDING}/rakval:kiinttun",
    "rakval:RakennusvalvontaAsia": f"rakval:toimenpidetieto/rakval:Toimenpide/{BUILDING}/rakval:kiinttun",
    "ymv:Vapautus": "ymv:vapautushakemustieto/ymv:Vapautushakemus/ymv:kohde/ymv:kiinteistorekisteritunnus",
}


def buildings(town: Town) -> BuildingRegister:
    register = town._registers["ryhti"]
    assert isinstance(register, BuildingRegister)
    return register


def ours(town: Town) -> list[Building]:
    places = {p.property_id for p in town._founded.world.points.values()}
    return [b for b in buildings(town).buildings.values() if b.property_id in places]


def question(type_name: str, ids: Iterable[str], path: str = "") -> dict[str, str]:
    tests = "".join(
        f"<PropertyIsEqualTo><PropertyName>{path or PATHS[type_name]}</PropertyName>"
        f"<Literal>{one}</Literal></PropertyIsEqualTo>"
        for one in ids
    )
    return {
        "service": "WFS", "request": "GetFeature", "maxFeatures": "1000", "typeName": type_name,
        "filter": f"<Filter><Or>{tests}</Or></Filter>",
    }  # fmt: skip


def get(town: Town, asked: dict[str, str], where: str = "kuntagml") -> requests.Response:
    door = town.addresses[where]
    signed = (door["username"], door["password"])
    return requests.get(door["base_url"], params=asked, auth=signed, timeout=5)


def ask(town: Town, type_name: str, ids: Iterable[str], path: str = "") -> list[Element]:
    where = "exemptions" if type_name.startswith("ymv") else "kuntagml"
    wanted, found = list(ids), []
    for start_at in range(0, len(wanted), 20):  # more would not fit in an address
        asked = question(type_name, wanted[start_at : start_at + 20], path)
        root = fromstring(get(town, asked, where).text)
        found += [e for e in root.iter() if local(e) == type_name.rpartition(":")[2]]
    return found


def local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def texts(feature: Element, name: str) -> list[str]:
    return [e.text or "" for e in feature.iter() if local(e) == name]


def test_it_wants_to_know_who_asks_and_says_what_it_is(town: Town) -> None:
    door = town.addresses["kuntagml"]
    capabilities = {"service": "WFS", "request": "GetCapabilities"}
    assert requests.get(door["base_url"], params=capabilities, timeout=5).status_code == 401
    wrong = requests.get(door["base_url"], params=capabilities, auth=("hub", "wrong"), timeout=5)
    assert wrong.status_code == 401
    assert "WFS_Capabilities" in get(town, capabilities).text
    assert get(town, {"service": "WMS"}).status_code == 404


def test_it_tells_of_the_buildings_of_the_properties_asked_for_and_no_others(town: Town) -> None:
    places = {b.property_id for b in ours(town)[:5]}
    found = ask(town, "rakval:ValmisRakennus", places)
    told = {prt for feature in found for prt in texts(feature, "valtakunnallinenNumero")}
    assert told == {b.building_id for b in ours(town) if b.property_id in places}
    assert {p for f in found for p in texts(f, "kiinttun")} == places
    assert ask(town, "rakval:ValmisRakennus", ["99999999999999"]) == []
    one = ours(town)[0]
    by_id = ask(
        town,
        "rakval:ValmisRakennus",
        [one.building_id],
        f"{BUILDING}/rakval:valtakunnallinenNumero",
    )
    assert [texts(f, "kiinttun") for f in by_id] == [[one.property_id]]


def test_its_answers_go_round_three_shapes_and_two_namespaces(town: Town) -> None:
    asked = question("rakval:ValmisRakennus", [ours(town)[0].property_id])
    answers = [get(town, asked).text for _ in range(6)]
    roots = {local(fromstring(answer)) for answer in answers}
    assert roots == {"Rakennusvalvonta", "FeatureCollection"}
    members = {m for answer in answers for m in re.findall(r"gml:featureMembers?", answer)}
    assert members == {"gml:featureMember", "gml:featureMembers"}
    hosts = {h for answer in answers for h in re.findall(r"(\w+)\.fi/gml/rakennusvalvonta", answer)}
    assert hosts == {"paikkatietopalvelu", "kuntatietopalvelu"}


def test_addresses_are_written_in_parts_and_whole(town: Town) -> None:
    places = [b.property_id for b in ours(town)]
    streets = [
        (texts(osoite, "teksti")[-1], texts(osoite, "osoitenumero"))
        for feature in ask(town, "rakval:ValmisRakennus", places)
        for osoite in feature.iter()
        if local(osoite) == "osoite"
    ]
    assert any(number for _, number in streets)
    assert any(not number and re.search(r"\d", street) for street, number in streets)


def test_owners_under_an_order_are_marked_and_not_left_out(town: Town) -> None:
    world = town._founded.world
    protected = next(
        (b, p)
        for b in ours(town)
        for o in b.owners
        if (p := world.people.get(o.entity)) and p.is_protected
    )
    found = ask(town, "rakval:ValmisRakennus", [protected[0].property_id])
    owners = [o for f in found for o in f.iter() if local(o) == "omistaja"]
    codes = {texts(o, "henkilotunnus")[0]: texts(o, "turvakieltoKytkin") for o in owners}
    assert codes[protected[1].identity_code] == ["true"]


def test_what_happens_in_the_building_register_shows_here_the_same_day(town: Town) -> None:
    register = buildings(town)
    gone, other = ours(town)[0], ours(town)[3]
    register.demolish(gone)
    register.connect(other, SEWER, False)
    (told,) = [
        f
        for f in ask(town, "rakval:ValmisRakennus", [gone.property_id])
        if texts(f, "valtakunnallinenNumero") == [gone.building_id]
    ]
    assert texts(told, "olotila")[-1] == "purettu"
    (case,) = ask(town, "rakval:RakennusvalvontaAsia", [gone.property_id])
    assert texts(case, "poistumaPvm") == [register.buildings[gone.key].demolished]
    assert register.buildings[gone.key].state == DEMOLISHED
    found = ask(town, "rakval:ValmisRakennus", [other.property_id])
    switches = {texts(f, "valtakunnallinenNumero")[0]: texts(f, "viemariKytkin")[:1] for f in found}
    assert switches[other.building_id] == ["false"]


def test_there_are_permits_with_an_applicant_and_owners(town: Town) -> None:
    found = ask(town, "rakval:RakennusvalvontaAsia", [b.property_id for b in ours(town)])
    assert found
    assert all("hakija" in texts(case, "VRKrooliKoodi") for case in found)
    assert all(texts(case, "kuntaRooliKoodi").count("Rakennuksen omistaja") for case in found)


def test_exemptions_are_applied_for_granted_and_lapse(town: Town) -> None:
    register = town._registers["exemptions"]
    assert isinstance(register, ExemptionRegister)
    places = sorted({p.property_id for p in town._founded.world.points.values()})
    found = ask(town, "ymv:Vapautus", places)
    states = [texts(f, "hakemuksenTila")[-1] for f in found]
    assert set(states) == {"1 Vireillä", "3 Lupa myönnetty"}
    one = register.grant(places[0], "water", "2026-11-01")
    register.lapse(one, "2026-11-02")
    told = ask(town, "ymv:Vapautus", [places[0]])[-1]
    assert texts(told, "hakemuksenTila")[-1] == "4 Lupa rauennut"
    assert texts(told, "paatosdokumentinPvm") == ["2026-11-01"]


def test_a_restarted_town_tells_the_same(town: Town) -> None:
    places = [b.property_id for b in ours(town)]
    town.advance(3)

    def told(running: Town) -> list[list[str]]:
        kinds = ("rakval:ValmisRakennus", "ymv:Vapautus")
        return [[t for f in ask(running, k, places) for t in f.itertext()] for k in kinds]

    before = told(town)
    town.close()
    with start(town.directory, customers=200, seed=7) as again:
        assert told(again) == before


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("doctype", "<!DOCTYPE"),
        ("exception", "ServiceException code="),
        ("login_page", "<html>"),
        ("broken_postcode", "<yht:postinumero>1350039483948<"),
        ("unknown_word", "<rakval:olotila>haamu<"),
    ],
)
def test_it_answers_wrongly_on_request_and_once(town: Town, kind: str, words: str) -> None:
    asked = question("rakval:ValmisRakennus", [ours(town)[0].property_id])
    town.fault("kuntagml", kind)
    assert words in get(town, asked).text
    assert words not in get(town, asked).text


def test_more_faults_of_single_buildings(town: Town) -> None:
    places = [b.property_id for b in ours(town)[:4]]
    whole = ask(town, "rakval:ValmisRakennus", places)
    town.fault("kuntagml", "broken_building")
    broken = ask(town, "rakval:ValmisRakennus", places)
    assert [len(texts(f, "kiinttun")) for f in broken] == [0] + [1] * (len(whole) - 1)
    town.fault("kuntagml", "wrong_check")
    wrong = ask(town, "rakval:ValmisRakennus", places)
    assert {t[-1] for f in wrong for t in texts(f, "valtakunnallinenNumero")} == {"G"}
    town.fault("kuntagml", "full")
    assert len(ask(town, "rakval:ValmisRakennus", places)) == 1000


@pytest.mark.parametrize("where", ["kuntagml", "exemptions"])
@pytest.mark.parametrize(("kind", "status"), [("http_500", 500), ("unauthorised", 401)])
def test_it_fails_as_any_server_does(town: Town, where: str, kind: str, status: int) -> None:
    town.fault(where, kind)
    capabilities = {"service": "WFS", "request": "GetCapabilities"}
    assert get(town, capabilities, where).status_code == status
    assert get(town, capabilities, where).status_code == 200
    assert isinstance(town._registers["kuntagml"], PermitSystem)
