"""Building control's own system as a source: what is asked, which buildings are ours, what becomes of them."""

import base64
import os
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors import gml
from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    Malformed,
    NobodyLends,
    NotRecognised,
    Opening,
    Record,
    Refused,
    Unavailable,
)
from connectors.gml import Element
from connectors.sources import kuntagml
from connectors.sources.kuntagml import KuntaGml, KuntaGmlOptions
from connectors.sources.kuntagml_buildings import FEATURES, Buildings
from connectors.sources.kuntagml_exemptions import Exemptions
from tests.connectors.fake_http import Asked, FakeServer, Reply
from tests.connectors.test_ryhti import TOKENS, FakeLender

TODAY = "2026-11-02"
OURS, THEIRS = "10340100010001", "10349800010001"
PRT, OTHER_PRT = "9001000073", "900000759J"
LENT = Borrowed(property_ids=frozenset({OURS}))
ANNA, SPOILT = "010180-9015", "010180-9016"
SAMPLES = Path(os.environ.get("HUB_TEST_KRYSP_SAMPLES") or "not given")
# prefixes are left out: names are read without them, which test_gml asks


def x(name: str, *inside: str) -> str:
    return f"<{name}>{''.join(inside)}</{name}>"


def t(**texts: object) -> str:
    """An element for each name with a text, in order."""
    return "".join(x(name, escape(str(text))) for name, text in texts.items())


def address(street: str | None = "Koivutie", **parts: object) -> str:
    return (x("osoitenimi", t(teksti=street)) if street else "") + t(**parts)


def person(family: str = "Testaaja", given: str = "Anna Maria", *more: str) -> str:
    return x("henkilo", x("nimi", t(etunimi=given, sukunimi=family)), *more)


def firm(name: str = "Testi Oy", code: str = "0245437-2", *more: str) -> str:
    return x("yritys", t(nimi=name, liikeJaYhteisotunnus=code), *more)


def condition(word: str, day: str | None = None) -> str:
    told = t(olotila=word) + (t(muutosPvm=day) if day else "")
    return x("olotilamuutostieto", x("Olotila", told))


def use(word: str, day: str | None = None) -> str:
    told = t(tilanne=word) + (t(toteamisPvm=day) if day else "")
    return x("kaytossaolotieto", x("Kaytossaolo", told))


def ids(property_id: str | None = OURS, prt: str | None = PRT, **more: object) -> str:
    told = {"valtakunnallinenNumero": prt, "kiinttun": property_id, **more}
    return x("rakennustunnus", t(**{name: text for name, text in told.items() if text}))


def building(
    *owners: str, told: str | None = None, more: str = "", described: str = "", after: str = ""
) -> str:
    """A ValmisRakennus. more: in the building; described: in rakennuksenTiedot; after: in the feature."""
    whole = x(
        "Rakennus",
        more,
        x("rakennuksenTiedot", told if told is not None else ids(), described),
        *(x("omistaja", owner) for owner in owners),
    )
    return x("ValmisRakennus", x("rakennustieto", whole), after)


def permit(
    *parties: str,
    work: str = "<uusi/>",
    stage: str = "rakennustyöt aloitettu",
    told: str | None = None,
    number: str = "25-0001-R",
    more: str = "",
    described: str = "",
) -> str:
    site = x(
        "Rakennus", x("rakennuksenTiedot", told if told is not None else ids(), described), more
    )
    return x(
        "RakennusvalvontaAsia",
        x("kasittelynTilatieto", x("Tilamuutos", t(pvm="2025-01-01", tila="vireillä"))),
        x("kasittelynTilatieto", x("Tilamuutos", t(pvm="2025-06-01", tila=stage))),
        x("luvanTunnisteTiedot", x("LupaTunnus", t(kuntalupatunnus=number))),
        x("osapuolettieto", x("Osapuolet", *(x("osapuolitieto", x("Osapuoli", p)) for p in parties))),
        x("toimenpidetieto", x("Toimenpide", work, x("rakennustieto", site))),
    )  # fmt: skip


def collection(*features: str) -> bytes:
    return x("FeatureCollection", *(x("featureMember", f) for f in features)).encode()


def parsed(*features: str) -> list[Element]:
    wanted = (*FEATURES, "Vapautus")
    return gml.read(collection(*features), wanted, "x").features


def heard(*features: str, known: Iterable[str] = (), lent: Borrowed = LENT) -> Buildings:
    told = Buildings(TOKENS, lent, frozenset(known), TODAY, allow_test_identities=True)
    for feature in parsed(*features):
        told.take(feature)
    return told


def point(*features: str, lent: Borrowed = LENT) -> dict[str, Any]:
    (found,) = [r for r in heard(*features, lent=lent).records() if r.kind == "point"]
    return dict(found.content)


def parties(*features: str) -> list[dict[str, Any]]:
    return [dict(r.content) for r in heard(*features).records() if r.kind == "party"]


def of(records: Iterable[Record], kind: str) -> list[Record]:
    return [r for r in records if r.kind == kind]


# --- a building ------------------------------------------------------------------------------------------


def test_a_building_says_where_it_is_how_it_stands_and_whether_it_is_connected() -> None:
    told = building(
        described=x("osoite", address(osoitenumero=3, postinumero="31640", postitoimipaikannimi="HUMPPILA"))
        + x("verkostoliittymat", t(viemariKytkin="false", vesijohtoKytkin="true")),
        after=condition("valmis", "1988-06-15"),
    )  # fmt: skip
    (record,) = heard(told).records()
    assert (record.kind, record.key, record.source_time, record.is_partial) == (
        "point",
        PRT,
        None,
        False,
    )
    assert record.content == {
        "property_id": OURS, "building_id": PRT, "line": "Koivutie 3", "postal_code": "31640",
        "post_office": "HUMPPILA", "building_state": "in_use", "has_water_connection": True,
        "has_sewer_connection": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (address("Koivutie 3"), "Koivutie 3"),
        (address("Koivutie 3", osoitenumero=3), "Koivutie 3"),
        (address("Koivutie 3 B 12"), "Koivutie 3 B 12"),
        (address(osoitenumero=3, jakokirjain="B"), "Koivutie 3b"),
        (address(osoitenumero=2, osoitenumero2=4), "Koivutie 2–4"),
        (address(osoitenumero=2, osoitenumero2=3, jakokirjain="a", jakokirjain2="b"), "Koivutie 2a–3b"),
        (address(osoitenumero=6, jakokirjain="a", jakokirjain2="b"), "Koivutie 6a–6b"),
        (address(osoitenumero=3, porras="b", huoneisto=12), "Koivutie 3"),
        (address(osoitenumero=0), "Koivutie"),
        (x("osoitenimi", '<teksti lang="sv">Björkvägen</teksti><teksti>Koivutie</teksti>'), "Koivutie"),
        (x("osoitenimi", '<teksti lang="sv">Björkvägen</teksti>'), "Björkvägen"),
        (address(None, postinumero="31640"), None),
    ],
)  # fmt: skip
def test_the_street_line_of_a_building_however_it_is_written(
    written: str, line: str | None
) -> None:
    assert point(building(described=x("osoite", written))).get("line") == line


@pytest.mark.parametrize(
    ("told", "state", "gone"),
    [
        (condition("valmis"), "in_use", None),
        (condition("keskeneräinen uudisrakennus", "2026-01-01"), "under_construction", None),
        (condition("valmis", "1988-06-15") + condition("purettu", "2026-05-04"), "demolished", "2026-05-04"),
        (condition("purettu", "2026-05-04Z") + condition("valmis", "1988-06-15"), "demolished", "2026-05-04"),
        # building control has corrected itself
        (condition("purettu", "2026-05-04") + condition("valmis", "2026-06-01"), "in_use", None),
        (condition("valmis", "1988-06-15") + use("todettu katselmuksessa puretuksi", "2025-01-02T00:00:00"),
         "demolished", "2025-01-02"),
        (condition("valmis", "1988-06-15") + use("tuhoutunut", "2025-01-02"), "abandoned", None),
        (condition("valmis", "1988-06-15") + use("tyhjillään", "2025-01-02"), "in_use", None),
        (use("käytetään vakinaiseen asumiseen"), "in_use", None),
        (use("käytöstä ei tietoa"), None, None),
        (condition("purettu"), "demolished", None),
        # it stands until the day has come, and what is not dated does not beat what is
        (condition("valmis", "1988-06-15") + condition("purettu", "2026-11-03"), "in_use", None),
        (condition("purettu", "2026-11-02"), "demolished", "2026-11-02"),
        (condition("valmis", "1988-06-15") + condition("purettu"), "in_use", None),
        ("", None, None),
    ],
)  # fmt: skip
def test_how_a_building_stands_is_the_latest_of_what_is_said(
    told: str, state: str | None, gone: str | None
) -> None:
    found = point(building(after=told))
    assert (found.get("building_state"), found.get("demolition_date")) == (state, gone)


def test_a_word_nobody_has_told_us_of_is_loud_and_says_nothing() -> None:
    told = heard(
        building(after=condition("haamu") + use("kummitus") + condition("valmis", "1988-06-15"))
    )
    assert dict(+told.unknown) == {"olotila": 1, "tilanne": 1}
    assert told.records()[0].content["building_state"] == "in_use"


@pytest.mark.parametrize("said", ["", t(vesijohtoKytkin="ehkä"), t(vesijohtoKytkin="")])
def test_a_connection_nobody_speaks_of_clearly_is_not_stated(said: str) -> None:
    assert "has_water_connection" not in point(building(described=x("verkostoliittymat", said)))


def test_pipes_inside_the_building_are_no_connection_to_the_network() -> None:
    found = point(
        building(described=x("varusteet", t(vesijohtoKytkin="true", viemariKytkin="true")))
    )
    assert not {"has_water_connection", "has_sewer_connection"} & set(found)


@pytest.mark.parametrize(
    ("told", "more", "key"),
    [
        (ids(), "", PRT),
        (ids(prt=PRT.lower() + " "), t(yksilointitieto=7), PRT),
        # a wrong check character is for the rule book to refuse; nothing goes by it
        (ids(prt="9001000074"), t(yksilointitieto=481), "481"),
        (ids(prt=None), t(yksilointitieto=481), "481"),
        (ids(prt=None, rakennusnro="001"), "", f"{OURS}-001"),
    ],
)  # fmt: skip
def test_a_building_goes_by_its_permanent_id_or_else_the_systems_own(
    told: str, more: str, key: str
) -> None:
    (record,) = heard(building(told=told, more=more)).records()
    assert record.key == key


def test_a_wrong_check_character_is_handed_on_for_the_rule_book_to_refuse() -> None:
    assert (
        point(building(told=ids(prt="9001000074"), more=t(yksilointitieto=1)))["building_id"]
        == "9001000074"
    )


def test_only_ours_is_kept_by_property_or_by_building() -> None:
    theirs = building(person_owner(), told=ids(THEIRS, OTHER_PRT))
    assert heard(theirs).records() == []
    assert heard(theirs).dropped["unasked_building"] == 1
    by_building = Borrowed(building_ids=frozenset({OTHER_PRT}))
    assert [r.kind for r in heard(theirs, lent=by_building).records()] == ["point", "party", "role"]
    spelt = building(told=ids("103-401-1-1", OTHER_PRT))
    assert len(heard(spelt).records()) == 1


def test_what_has_nothing_to_be_named_by_is_counted() -> None:
    told = heard(building(told=""), x("ValmisRakennus"), building(told=ids(prt=None)))
    assert (told.records(), told.unknown["unreadable_building"]) == ([], 3)


def test_a_building_taken_off_the_register_changes_nothing() -> None:
    told = heard(building(more=t(loppuHetki="2020-01-01T00:00:00Z")))
    assert (told.records(), told.dropped["loppuHetki"]) == ([], 1)
    assert len(heard(building(more=t(loppuHetki="2030-01-01T00:00:00"))).records()) == 1


# --- owners ----------------------------------------------------------------------------------------------


def person_owner(code: str = ANNA, **more: object) -> str:
    return person("Testaaja", "Anna Maria", t(henkilotunnus=code)) + t(**more)


def test_an_owner_is_a_party_and_a_role_and_its_code_only_a_token() -> None:
    told = heard(building(person_owner(turvakieltoKytkin="false")))
    _, party, role = told.records()
    assert party.content == {
        "party_type": "person", "family_name": "Testaaja", "given_names": "Anna Maria",
        "person_key": TOKENS.person(ANNA), "birth_key": TOKENS.birth("1980-01-01"), "key_id": "k1",
    }  # fmt: skip
    assert role.content == {"party": party.key, "point": PRT, "role_type": "owner"}
    assert party.key == role.key
    assert ANNA not in str(told.records())
    assert TOKENS.person(ANNA) not in party.key


def test_an_owning_firm_has_its_id_and_addresses_and_its_contact_is_nobody_here() -> None:
    owner = firm(
        "Testi Oy", "0245437-2",
        x("postiosoitetieto", x("postiosoite", address("PL 12", postinumero="31640", postitoimipaikannimi="HUMPPILA"))),
        x("kayntiosoitetieto", x("kayntiosoite", address(osoitenumero=4))),
        t(puhelin="0401"),
    ) + person("Yhteys", "Henkilö")  # fmt: skip
    told = heard(building(owner))
    assert told.records()[1].content == {
        "party_type": "organisation", "organisation_name": "Testi Oy", "business_id": "0245437-2",
        "addresses": [
            {"address_type": "postal", "line": "PL 12", "postal_code": "31640", "post_office": "HUMPPILA", "country": "FI"},
            {"address_type": "visiting", "street": "Koivutie", "house": "4", "country": "FI"},
        ],
    }  # fmt: skip
    assert told.dropped["yhteyshenkilo"] == told.dropped["puhelin"] == 1
    assert "Yhteys" not in str(told.records())


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        (address(osoitenumero=3, porras="b", huoneisto=12),
         {"street": "Koivutie", "house": "3", "stair": "B", "apartment": "12", "country": "FI"}),
        (address("Koivutie 3", osoitenumero=3, porras="b", huoneisto=12),
         {"line": "Koivutie 3 B 12", "country": "FI"}),
        (address("Koivutie 3 B 12", postinumero="1350039483948"),
         {"line": "Koivutie 3 B 12", "postal_code": "1350039483948", "country": "FI"}),
        (address("Storgatan 1", valtioKansainvalinen="se", ulkomainenLahiosoite="Storgatan 1",
                 ulkomainenPostitoimipaikka="113 51 Stockholm"),
         {"line": "Storgatan 1", "post_office": "113 51 Stockholm", "country": "SE"}),
    ],
)  # fmt: skip
def test_an_owners_address_however_it_is_written(written: str, parts: dict[str, str]) -> None:
    (party,) = parties(building(person("A", "B", x("osoite", written))))
    assert party["addresses"] == [{"address_type": "postal", **parts}]


def test_an_address_abroad_that_does_not_say_where_is_left_out_and_counted() -> None:
    abroad = x("osoite", address(None, ulkomainenLahiosoite="Storgatan 1"))
    told = heard(building(person("A", "B", abroad)))
    assert "addresses" not in told.records()[1].content
    assert told.unknown["valtio"] == 1


@pytest.mark.parametrize("said", ["true", "1", "TRUE", "kyllä", "", "  "])
def test_r56_an_order_or_anything_unclear_in_its_place_protects_and_no_address_is_read(
    said: str,
) -> None:
    home = x("osoite", address("Salatie", osoitenumero=1))
    owner = person("Suojattu", "Aino", home) + t(turvakieltoKytkin=said)
    (party,) = parties(building(owner))
    assert party["protection"] == "on"
    assert "Salatie" not in str(party)


@pytest.mark.parametrize("said", ["false", "0", "False"])
def test_no_order_is_silence(said: str) -> None:
    (party,) = parties(building(person() + t(turvakieltoKytkin=said)))
    assert "protection" not in party


@pytest.mark.parametrize(
    ("code", "fault"),
    [(SPOILT, "check_character"), ("010180A", "malformed"), ("320180-9015", "not_a_date")],
)
def test_a_faulty_code_is_named_and_never_repeated(code: str, fault: str) -> None:
    (party,) = parties(building(person_owner(code)))
    assert party["identity_fault"] == fault
    assert code not in str(party)


def test_the_century_signs_of_2023_are_read_though_the_schema_refuses_them() -> None:
    (party,) = parties(building(person_owner("010180X9015")))
    assert party["person_key"] == TOKENS.person("010180X9015")


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("0245437-2", {"party_type": "organisation", "organisation_name": "Testi", "business_id": "0245437-2"}),
        (ANNA, {"party_type": "person", "name": "Testi", "person_key": TOKENS.person(ANNA),
                "birth_key": TOKENS.birth("1980-01-01"), "key_id": "k1"}),
        ("", {"name": "Testi"}),
    ],
)  # fmt: skip
def test_an_owner_in_the_earlier_flat_form_is_read_too(code: str, content: dict[str, str]) -> None:
    assert parties(building(t(nimi="Testi", tunnus=code))) == [content]


def test_an_owner_without_a_name_is_counted() -> None:
    told = heard(building(t(selite="?"), person("", "")))
    assert (of(told.records(), "party"), told.unknown["unreadable_owner"]) == ([], 2)


def test_owners_who_can_hardly_be_told_apart_stay_two() -> None:
    father_and_son = heard(building(person("Virtanen", "Matti"), person("Virtanen", "Matti")))
    one_id = heard(building(firm("Testi Yksi"), firm("Testi Kaksi")))
    turned = heard(building(firm("Testi Kaksi"), firm("Testi Yksi")))
    for told in (father_and_son, one_id):
        assert len({r.key for r in of(told.records(), "party")}) == 2
    keyed = [
        {r.key: r.content["organisation_name"] for r in of(told.records(), "party")}
        for told in (one_id, turned)
    ]
    assert keyed[0] == keyed[1], "the order in which they are listed means nothing"


# --- owners who come and go ---------------------------------------------------------------------------------


def owners_of(*names: str, known: Iterable[str] = ()) -> list[Record]:
    told = building(*(person(name, "Aino") for name in names))
    return of(heard(told, known=known).records(), "role")


def test_an_owner_in_the_place_of_another_ends_the_others_ownership_on_the_day_it_is_heard() -> (
    None
):
    (before,) = owners_of("Vanha")
    new, ended = owners_of("Uusi", known=[before.key])
    assert (new.is_partial, new.content["role_type"]) == (False, "owner")
    assert (ended.key, ended.content, ended.is_partial) == (before.key, {"valid_to": TODAY}, True)


def test_once_ended_it_is_not_ended_anew_the_night_after() -> None:
    (before,) = owners_of("Vanha")
    new, _ = owners_of("Uusi", known=[before.key])
    assert [r.key for r in owners_of("Uusi", known=[before.key, new.key])] == [new.key]


def test_an_owner_who_is_merely_missing_has_ended_nothing() -> None:
    """FORMATS §10.3 no 7: who gets a protective order may disappear just so."""
    first, second = owners_of("Yksi", "Kaksi")
    known = [first.key, second.key]
    assert [r.key for r in owners_of("Kaksi", known=known)] == [second.key]
    assert owners_of(known=known) == []


def test_a_building_that_has_got_a_permanent_id_leaves_nothing_under_its_former_key() -> None:
    (before,) = of(
        heard(building(person("Vanha"), told=ids(prt=None), more=t(yksilointitieto=7))).records(),
        "role",
    )
    known = [before.key]
    now = heard(building(person("Vanha"), more=t(yksilointitieto=7)), known=known).records()
    assert [(r.kind, r.key, dict(r.content)) for r in now[3:]] == [
        ("point", "7", {"property_id": OURS}),
        ("role", before.key, {"valid_to": TODAY}),
    ]
    assert [r.key for r in now[:1]] == [PRT]
    again = heard(building(person("Vanha"), more=t(yksilointitieto=7)), known=[*known, now[2].key])
    assert len(again.records()) == 3, "it ended on the day that was told first"


def test_what_another_building_knows_ends_nothing_here() -> None:
    elsewhere = f"{OTHER_PRT}/0123456789"
    assert len(owners_of("Uusi", known=[elsewhere])) == 1


# --- permits -------------------------------------------------------------------------------------------------

APPLICANT = t(kuntaRooliKoodi="Rakennusvalvonta-asian hakija", VRKrooliKoodi="hakija") + person(
    "Hakija"
)
OWNER = t(VRKrooliKoodi="rakennuspaikan omistaja") + person("Omistaja")


@pytest.mark.parametrize(
    ("stage", "state"),
    [
        ("vireillä", "planned"),
        ("lupa hyväksytty", "planned"),
        ("ei tiedossa", "planned"),
        ("rakennustyöt aloitettu", "under_construction"),
        ("yksi tai useampia luvan rakennuksista on käyttöönotettu", "under_construction"),
    ],
)
def test_a_new_building_is_planned_until_it_is_being_built(stage: str, state: str) -> None:
    networks = x("verkostoliittymat", t(viemariKytkin="true", vesijohtoKytkin="true"))
    found = point(permit(stage=stage, described=networks))
    assert found == {"property_id": OURS, "building_id": PRT, "building_state": state}, (
        "not connected yet"
    )


@pytest.mark.parametrize(
    "told",
    [
        permit(stage="lupa evätty"),
        permit(stage="lupa rauennut"),
        permit(stage="lupa vanhentunut"),
        permit(stage="lopullinen loppukatselmus tehty"),
        permit(work="<laajennus/>"),
        permit(work=x("purkaminen", t(kuvaus="sauna"))),
        permit(work=x("purkaminen", t(poistumaPvm="2026-11-03"))),
        permit(work=x("purkaminen", t(poistumaPvm="2026-05-04")), told=ids(prt=None, rakennusnro="001")),
        permit(told=ids(THEIRS, OTHER_PRT)),
    ],
)  # fmt: skip
def test_a_permit_that_says_nothing_of_a_building_of_ours_makes_no_place(told: str) -> None:
    assert heard(told).records() == []


def test_a_new_building_without_an_id_has_no_address_to_speak_for_the_house_by() -> None:
    at = x("osoite", address(osoitenumero=3))
    told = heard(permit(told=ids(prt=None, jarjestysnumero="1"), described=at))
    (record,) = told.records()
    assert record.key == f"{OURS}-25-0001-R-1"
    assert record.content == {"property_id": OURS, "building_state": "under_construction"}
    assert point(permit(described=at))["line"] == "Koivutie 3"


def test_a_permit_to_pull_down_tells_of_the_end_of_the_building_it_is_for() -> None:
    house = building(person("Omistaja"), after=condition("valmis", "1988-06-15"))
    gone = permit(
        APPLICANT, work=x("purkaminen", t(poistumaPvm="2026-05-04")), stage="päätös toimitettu"
    )
    told = heard(house, gone)
    (found,) = of(told.records(), "point")
    assert (found.content["building_state"], found.content["demolition_date"]) == (
        "demolished",
        "2026-05-04",
    )
    assert len(of(told.records(), "party")) == 1, "the building itself says whose it is"
    assert point(gone)["building_state"] == "demolished", (
        "and where it is told of no more, the permit does"
    )


def test_owners_of_an_applying_property_are_read_and_applicants_left_there() -> None:
    """DESIGN 4: a party is the owner of a connected or applying property; the hub has no applicants."""
    own = x("omistajatieto", x("Omistaja", firm()))
    told = heard(permit(APPLICANT, OWNER, more=own))
    names = [
        r.content.get("family_name") or r.content.get("organisation_name")
        for r in of(told.records(), "party")
    ]
    assert (names, told.dropped["hakija"]) == (["Testi Oy", "Omistaja"], 1)
    assert "Hakija" not in str(told.records())


@pytest.mark.parametrize("said", ["true", "ehkä"])
def test_nobody_of_a_secret_case_is_read(said: str) -> None:
    secret = x("lisatiedot", x("Lisatiedot", t(salassapitotietoKytkin=said)))
    whole = permit(OWNER).replace("</RakennusvalvontaAsia>", f"{secret}</RakennusvalvontaAsia>")
    told = heard(whole)
    assert [r.kind for r in told.records()] == ["point"]
    assert told.dropped["salassapitotieto"] == 1


def test_a_permit_given_twice_is_heard_once_and_an_unknown_stage_is_loud() -> None:
    told = heard(*[permit(OWNER, stage="lupa kadonnut")] * 2)
    assert told.unknown["tila"] == 1
    assert len(of(told.records(), "party")) == 1


# --- exemptions ----------------------------------------------------------------------------------------------


def handled(state: str, day: str) -> str:
    told = t(muutosHetki=f"{day}T00:00:00", hakemuksenTila=state)
    return x("kasittelytietotieto", x("KasittelyTieto", told))


def exemption(
    *states: str,
    wanted: str = "<haetaan><vesijohtoonLiittymisesta>x</vesijohtoonLiittymisesta></haetaan>",
    place: str = OURS,
    decided: str | None = None,
    site: str = "",
) -> str:
    decision = x("paatostieto", x("Paatos", t(paatosdokumentinPvm=decided))) if decided else ""
    who = x("hakija", t(sukunimi="Hakija"))
    kohde = x("kohde", t(kiinteistorekisteritunnus=place), site)
    application = x("vapautushakemustieto", x("Vapautushakemus", wanted, who, kohde))
    return x("Vapautus", *states, decision, application)


def exempt(*features: str) -> tuple[list[dict[str, Any]], dict[str, int]]:
    told = Exemptions(LENT)
    for feature in parsed(*features):
        told.take(feature)
    return [dict(r.content) for r in told.records()], dict(+told.unknown)


GRANTED = handled("3 Lupa myönnetty", "2020-03-01")


@pytest.mark.parametrize(
    ("told", "since"),
    [
        (exemption(GRANTED), {"water_exempt_since": "2020-03-01"}),
        (exemption(GRANTED, decided="2020-02-20"), {"water_exempt_since": "2020-02-20"}),
        (exemption(handled("1 Vireillä", "2019-01-01"), GRANTED, handled("13 Päätös lainvoimainen", "2020-05-01")),
         {"water_exempt_since": "2020-03-01"}),
        (exemption(GRANTED, handled("5 Jatkolupa", "2024-03-01")), {"water_exempt_since": "2020-03-01"}),
        (exemption(GRANTED, handled("4 Lupa rauennut", "2024-03-01")), {}),
        (exemption(handled("4 Lupa rauennut", "2024-03-01"), GRANTED), {}),
        (exemption(GRANTED, handled("4 Lupa rauennut", "2023-03-01"), handled("5 Jatkolupa", "2024-03-01")),
         {"water_exempt_since": "2024-03-01"}),
        (exemption(GRANTED, wanted="<haetaan><jatevesiviemariinLiittymisesta/></haetaan>"),
         {"sewer_exempt_since": "2020-03-01"}),
        (exemption(GRANTED, wanted="", site="<talousvedet/><hulevedet/>"),
         {"water_exempt_since": "2020-03-01", "stormwater_exempt_since": "2020-03-01"}),
    ],
)  # fmt: skip
def test_an_exemption_counts_from_its_decision_until_it_lapses(
    told: str, since: dict[str, str]
) -> None:
    assert exempt(told) == ([{"property_id": OURS, **since}], {})


@pytest.mark.parametrize(
    "told",
    [
        exemption(handled("1 Vireillä", "2020-03-01")),
        exemption(handled("13 Päätös lainvoimainen", "2020-03-01"), decided="2020-02-20"),
        exemption(handled("ei tiedossa", "2020-03-01")),
        exemption(GRANTED, place=THEIRS),
    ],
)
def test_what_was_not_granted_or_is_not_ours_makes_no_place(told: str) -> None:
    assert exempt(told) == ([], {})


def test_of_several_exemptions_of_a_property_the_latest_in_force_stands() -> None:
    later = exemption(handled("3 Lupa myönnetty", "2022-01-01"))
    lapsed = exemption(
        handled("3 Lupa myönnetty", "2024-01-01"), handled("4 Lupa rauennut", "2025-01-01")
    )
    assert exempt(later, exemption(GRANTED), lapsed)[0] == [
        {"property_id": OURS, "water_exempt_since": "2022-01-01"}
    ]


def test_an_exemption_that_does_not_say_from_what_or_of_what_is_counted() -> None:
    no_site = x("Vapautus", x("vapautushakemustieto", x("Vapautushakemus")))
    found, unknown = exempt(
        exemption(GRANTED, wanted=""), no_site, exemption(handled("99 Outo", "2020-01-01"))
    )
    assert found == [{"property_id": OURS}]
    assert unknown == {"unreadable_exemption": 2, "hakemuksenTila": 1}


# --- asking ---------------------------------------------------------------------------------------------------

EMPTY = "<Rakennusvalvonta><toimituksenTiedot/></Rakennusvalvonta>"


def as_xml(body: bytes | str, status: int = 200) -> Reply:
    whole = body.encode() if isinstance(body, str) else body
    return Reply(status, whole, {"Content_Type": "text/xml"})


def source(
    url: str, lent: Borrowed = LENT, sleep: Callable[[float], None] = lambda _: None, **options: Any
) -> KuntaGml:
    given = {
        "features": ("buildings",),
        "username": "hub",
        "password": "s",
        "attempts": 2,
        **options,
    }
    read = KuntaGmlOptions(base_url=f"{url}/kunta/wfs", allow_test_identities=True, **given)
    return KuntaGml(read, FakeLender(lent), TOKENS, sleep)  # fmt: skip


def fetch(
    answer: Callable[[Asked], Reply] | list[Reply], lent: Borrowed = LENT, **options: Any
) -> tuple[Batch, list[Asked]]:
    def never(operation: str, keys: object) -> None:
        raise AssertionError("a question about properties was announced as one about people")

    with FakeServer(answer) as server:
        batch = source(server.url, lent, **options).fetch(Ask(None, frozenset(), TODAY, never))
        return batch, server.asked


def query(asked: Asked) -> dict[str, str]:
    return {name: value[0] for name, value in parse_qs(urlsplit(asked.path).query).items()}


def literals(asked: Asked) -> list[str]:
    return [part.partition("<")[0] for part in query(asked)["filter"].split("<Literal>")[1:]]


def test_the_question_is_the_one_the_systems_in_use_know() -> None:
    batch, (asked,) = fetch([as_xml(collection(building(person_owner())))])
    assert (asked.method, urlsplit(asked.path).path) == ("GET", "/kunta/wfs")
    assert query(asked) == {
        "service": "WFS",
        "request": "GetFeature",
        "maxFeatures": "1000",
        "typeName": "rakval:ValmisRakennus",
        "filter": "<Filter><PropertyIsEqualTo><PropertyName>rakval:rakennustieto/rakval:Rakennus/"
        "rakval:rakennuksenTiedot/rakval:rakennustunnus/rakval:kiinttun</PropertyName>"
        f"<Literal>{OURS}</Literal></PropertyIsEqualTo></Filter>",
    }
    basic = base64.b64encode(b"hub:s").decode()
    assert asked.headers["Authorization"] == f"Basic {basic}"
    assert [r.kind for r in batch.records] == ["point", "party", "role"]
    assert (batch.fetched, batch.cursor, batch.total) == (1, {}, None)


def test_properties_are_asked_about_together_and_then_the_buildings_not_heard_of() -> None:
    places = [f"1034010001{n:04d}" for n in range(5)]
    lent = Borrowed(property_ids=frozenset(places), building_ids=frozenset({PRT, OTHER_PRT}))
    moved = building(told=ids(THEIRS, OTHER_PRT))

    def answer(asked: Asked) -> Reply:
        if OTHER_PRT in query(asked)["filter"]:
            return as_xml(collection(moved))
        return as_xml(
            collection(building(told=ids(places[0], PRT)))
            if places[0] in literals(asked)
            else EMPTY
        )

    batch, asked = fetch(answer, lent, together=2)
    assert [literals(a) for a in asked] == [places[:2], places[2:4], places[4:], [OTHER_PRT]]
    assert all(("<Or>" in query(a)["filter"]) == (len(literals(a)) > 1) for a in asked)
    assert {r.key for r in batch.records} == {PRT, OTHER_PRT}


def test_permits_are_asked_for_after_the_buildings_and_exemptions_by_their_own_property() -> None:
    _, asked = fetch(lambda _: as_xml(EMPTY), features=["permits", "buildings"])
    assert [query(a)["typeName"] for a in asked] == [
        "rakval:ValmisRakennus",
        "rakval:RakennusvalvontaAsia",
    ]
    told = x("Vesihuoltolaki", x("vapautukset", exemption(GRANTED)))
    batch, (one,) = fetch([as_xml(told)], features=["exemptions"])
    assert query(one)["typeName"] == "ymv:Vapautus"
    assert "ymv:kohde/ymv:kiinteistorekisteritunnus" in query(one)["filter"]
    (record,) = batch.records
    assert (record.key, record.content["water_exempt_since"]) == (OURS, "2020-03-01")


def test_a_full_answer_is_asked_for_in_halves_and_nothing_is_lost() -> None:
    places = [f"1034010001{n:04d}" for n in range(8)]
    lent = Borrowed(property_ids=frozenset(places))

    def answer(asked: Asked) -> Reply:
        told = [
            building(told=ids(place, None), more=t(yksilointitieto=place))
            for place in literals(asked)
        ]
        return as_xml(collection(*told[: int(query(asked)["maxFeatures"])]))

    batch, asked = fetch(answer, lent, together=8, max_features=3)
    assert {r.key for r in batch.records} == set(places)
    assert [len(literals(a)) for a in asked] == [8, 4, 2, 2, 4, 2, 2]
    assert batch.unknown == {}


def test_one_property_too_large_to_be_told_is_loud_and_what_was_told_is_kept() -> None:
    told = [building(told=ids(prt=None), more=t(yksilointitieto=n)) for n in range(3)]
    batch, asked = fetch(lambda _: as_xml(collection(*told)), max_features=3)
    assert (len(batch.records), len(asked), batch.unknown) == (3, 1, {"answer_cut_off": 1})


def test_where_nothing_is_ours_nothing_is_asked() -> None:
    batch, asked = fetch([], Borrowed())
    assert (batch.records, batch.fetched, asked) == ((), 0, [])


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (as_xml('<ServiceExceptionReport><ServiceException code="InvalidFormat">Anna</ServiceException></ServiceExceptionReport>'),
         Refused, r"exception \(InvalidFormat\)"),
        (as_xml('<ows:ExceptionReport xmlns:ows="o"><ows:Exception exceptionCode="Anna Testaaja"/></ows:ExceptionReport>'),
         Refused, r"exception \(unnamed\)"),
        (as_xml("<html><body>Kirjaudu</body></html>"), Malformed, "none of the shapes"),
        (as_xml("<Vesihuoltolaki/>"), Malformed, "none of the shapes"),
        (as_xml("<!DOCTYPE html><html>"), Malformed, "DOCTYPE"),
        (as_xml(collection(building())[:-9]), Malformed, "can be read"),
        (as_xml("", 401), NotRecognised, "401"),
        (as_xml("", 404), Refused, "404"),
        (as_xml("", 500), Unavailable, "500"),
        (Reply(200, b"<x", promised=99), Unavailable, "half-way"),
    ],
)  # fmt: skip
def test_a_service_in_trouble_is_drawn_and_never_quoted(
    reply: Reply, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        fetch(lambda _: reply)
    shown = "".join(traceback.format_exception(caught.value))
    assert not [
        word for word in (OURS, "Anna", "Filter", "/kunta/wfs?") if word in str(caught.value)
    ]
    assert OURS not in shown.splitlines()[-1]


def test_a_check_asks_what_the_service_can_do_and_names_nobody() -> None:
    def answer(asked: Asked) -> Reply:
        assert query(asked)["request"] == "GetCapabilities"
        return as_xml('<wfs:WFS_Capabilities xmlns:wfs="w"/>')

    with FakeServer(answer) as server:
        assert "lets us in (buildings)" in source(server.url).check()
    with FakeServer([as_xml("<html/>")]) as server, pytest.raises(Malformed, match="not a WFS"):
        source(server.url).check()


def of_files(folder: Path, **options: Any) -> Batch:
    """What is read of a folder of files."""
    opening = Opening(TOKENS, FakeLender(LENT), lambda: TODAY, allow_test_identities=True)
    there = {"kind": "folder", "path": str(folder)}

    def never(operation: str, keys: Sequence[str]) -> None:
        pytest.fail("files name nobody to anybody")

    return kuntagml.connect({"folder": there, **options}, opening).fetch(
        Ask(None, frozenset(), TODAY, never)
    )


def test_files_of_the_same_say_the_same_and_others_buildings_are_passed_over(
    tmp_path: Path,
) -> None:
    others = building(told=ids(THEIRS, OTHER_PRT))
    (tmp_path / "b.XML").write_bytes(collection(building(), others))
    (tmp_path / "readme.txt").write_text("not read")
    told = of_files(tmp_path)
    assert [r.key for r in told.records if r.kind == "point"] == [PRT]
    assert (told.fetched, told.dropped["unasked_building"]) == (2, 1)
    assert (
        "1 XML files"
        in kuntagml.connect(
            {"folder": {"path": str(tmp_path)}}, Opening(TOKENS, FakeLender(LENT), lambda: TODAY)
        ).check()
    )


def test_a_folder_without_files_or_with_one_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no XML file is there"):
        of_files(tmp_path)
    (tmp_path / "a.xml").write_text("<Other/>")
    with pytest.raises(Malformed, match=r"a\.xml: the file has none of the shapes"):
        of_files(tmp_path)
    (tmp_path / "a.xml").write_text(
        '<!DOCTYPE x [<!ENTITY a "b">]><Rakennusvalvonta>&a;</Rakennusvalvonta>'
    )
    with pytest.raises(Malformed, match="DOCTYPE"):
        of_files(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"features": []}, "features"),
        ({"features": "buildings"}, "features"),
        ({"features": ["houses"]}, "features"),
        ({"features": ["buildings", "exemptions"]}, "source of their own"),
        ({"together": 0}, "together"),
        ({"max_features": 0}, "max_features"),
        ({"base_url": ""}, "one of the two"),
        ({"folder": {"path": "there"}}, "one of the two"),
        ({"base_url": "http://kunta.example/wfs"}, "plain http"),
        ({"base_url": "https://kunta.example"}, "no path"),
        ({"base_url": "https://kunta.example/wfs?map=x"}, "a query"),
    ],
)
def test_options_that_cant_be_used_are_named(wrong: dict[str, Any], words: str) -> None:
    opening = Opening(TOKENS, NobodyLends(), lambda: TODAY)
    with pytest.raises(ValueError, match=words):
        kuntagml.connect({"base_url": "https://kunta.example/wfs", **wrong}, opening)


# --- whatever comes -------------------------------------------------------------------------------------------

NAMES = st.sampled_from(
    [
        "rakennustieto", "Rakennus", "rakennuksenTiedot", "rakennustunnus", "kiinttun", "olotila", "omistaja",
        "valtakunnallinenNumero", "henkilo", "yritys", "nimi", "osoite", "osoitenimi", "teksti", "Olotila",
        "toimenpidetieto", "Toimenpide", "purkaminen", "uusi", "poistumaPvm", "Tilamuutos", "tila", "pvm",
        "kohde", "haetaan", "vapautushakemustieto", "Vapautushakemus", "kasittelytietotieto", "KasittelyTieto",
        "muutosHetki", "hakemuksenTila", "turvakieltoKytkin", "henkilotunnus", "osoitenumero",
    ]
)  # fmt: skip
TEXTS = st.sampled_from(
    [OURS, PRT, ANNA, "3 Lupa myönnetty", "2026-02-30", "valmis", "true", "", "ä"]
)
TREES = st.recursive(
    st.builds(lambda n, text: x(n, escape(text)), NAMES, TEXTS | st.text(max_size=5).filter(str.isprintable)),
    lambda inner: st.builds(lambda n, parts: x(n, *parts), NAMES, st.lists(inner, max_size=4)),
    max_leaves=12,
)  # fmt: skip
WHOLE = (
    building(person_owner(turvakieltoKytkin="true"), firm(), after=condition("valmis", "1988-06-15")),
    permit(APPLICANT, OWNER),
    exemption(GRANTED, decided="2020-02-20"),
)  # fmt: skip


def take_in(body: bytes) -> None:
    """All that one body can be read as; records come of it, or Malformed."""
    try:
        features = gml.read(body, (*FEATURES, "Vapautus"), "x").features
    except Malformed:
        return
    buildings = Buildings(TOKENS, LENT, frozenset({f"{PRT}/x"}), TODAY, allow_test_identities=True)
    exemptions = Exemptions(LENT)
    for feature in features:
        (exemptions if feature.name == "Vapautus" else buildings).take(feature)
    told = [*buildings.records(), *exemptions.records()]
    assert all(r.kind in ("point", "party", "role") and r.key for r in told)
    assert ANNA not in str(told)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([*FEATURES, "Vapautus"]), st.lists(TREES, max_size=5))
def test_any_tree_of_the_formats_own_words_gives_records(name: str, parts: list[str]) -> None:
    take_in(collection(x(name, *parts)))


@settings(deadline=None, max_examples=150)
@given(
    st.sampled_from(WHOLE),
    st.integers(0, 2000),
    st.integers(0, 200),
    st.text(alphabet="<>/&\"'ä0a ", max_size=6) | TEXTS,
)
def test_a_valid_answer_with_a_piece_spoilt_gives_records_or_malformed(
    whole: str, at: int, length: int, piece: str
) -> None:
    text = collection(whole).decode()
    at %= len(text)
    take_in((text[:at] + piece + text[at + length :]).encode())


# --- the published samples, where somebody has them ---------------------------------------------------------------


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the official samples are not here")
def test_the_published_buildings_are_read_without_losing_a_declared_field() -> None:
    lent = Borrowed(property_ids=frozenset({"75300301050006"}))
    told = Buildings(TOKENS, lent, frozenset(), TODAY, allow_test_identities=True)
    for feature in gml.read((SAMPLES / "building.xml").read_bytes(), FEATURES, "x").features:
        told.take(feature)
    first, second = of(told.records(), "point")
    assert first.content == {
        "property_id": "75300301050006", "building_id": "122334455R", "line": "Vehkalantie 2a–3b",
        "postal_code": "04200", "post_office": "KERAVA", "building_state": "in_use",
        "has_water_connection": True, "has_sewer_connection": True,
    }  # fmt: skip
    assert second.content["building_id"] == "199887766E"
    owners = of(told.records(), "party")
    assert len({o.key for o in owners}) == 6
    assert all(o.content["addresses"][0]["post_office"] == "HELSINKI" for o in owners)
    assert not +told.unknown


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the official samples are not here")
def test_the_published_permits_are_read_and_their_applicants_left_there() -> None:
    lent = Borrowed(property_ids=frozenset({"18601234567890", "09201810870007"}))
    told = Buildings(TOKENS, lent, frozenset(), TODAY, allow_test_identities=True)
    for feature in gml.read((SAMPLES / "verdict-2.2.4.xml").read_bytes(), FEATURES, "x").features:
        told.take(feature)
    states = {r.content["building_id"]: r.content["building_state"] for r in told.records()}
    assert states == {"123456001M": "planned", "111137581L": "planned"}
    assert told.dropped["hakija"] == 1
