"""DVV's change API as the sandbox serves it, over real HTTP (FORMATS 1.1)."""

from typing import Any

import pytest
import requests

from connectors.sandbox.town import Town
from connectors.sandbox.world import Person
from tests.sandbox.clients import ask


def person_of(town: Town, story: str) -> Person:
    """Somebody in a story, with the code only the population register would know."""
    founded = town._founded
    return founded.world.people[founded.stories[story].people[0]]


def first_key(town: Town, day: str = "2026-11-02") -> int:
    return int(ask(town, "GET", f"/kirjausavain/{day}").json()["viimeisinKirjausavain"])


def all_changes(town: Town, codes: list[str], cursor: int) -> tuple[list[dict[str, Any]], int, int]:
    """Every change since the cursor, the final position, and how many pages it took."""
    changes: list[dict[str, Any]] = []
    for pages in range(1, 1000):
        answer = ask(
            town, "POST", "/muutokset", {"viimeisinKirjausavain": cursor, "hetulista": codes}
        ).json()
        changes += answer["muutokset"]
        cursor = answer["viimeisinKirjausavain"]
        if answer["ajanTasalla"]:
            return changes, cursor, pages
    raise AssertionError("never up to date")


def base(town: Town, codes: list[str], **more: Any) -> list[dict[str, Any]]:
    return list(
        ask(town, "POST", "/perustiedot", {"hetulista": codes} | more).json()["perustiedot"]
    )


def groups_of(town: Town, code: str) -> dict[str, dict[str, Any]]:
    (answer,) = base(town, [code])
    return {g["tietoryhma"]: g for g in answer["tietoryhmat"]}


def test_credentials_and_the_client_header_are_demanded(town: Town) -> None:
    assert ask(town, "GET", "/kirjausavain/2026-11-02", auth=("hub", "wrong")).status_code == 401
    assert ask(town, "GET", "/kirjausavain/2026-11-02", headers={}).status_code == 400
    assert ask(town, "GET", "/kirjausavain/2026-11-02").status_code == 200
    assert ask(town, "GET", "/kirjausavain/2026-13-02").status_code == 400
    assert ask(town, "GET", "/elsewhere").status_code == 404


def test_a_day_on_which_nothing_happened_has_no_changes(town: Town) -> None:
    start = first_key(town)
    town.advance(quiet=True)
    changes, cursor, pages = all_changes(town, [], start)
    assert (changes, cursor, pages) == ([], start, 1)


def test_paging_goes_on_until_up_to_date_and_misses_nothing(town: Town) -> None:
    town.advance(20)
    start = first_key(town)
    whole, end, _ = all_changes(town, [], start)
    town._population.page_size = 3
    paged, paged_end, pages = all_changes(town, [], start)
    assert pages > 3
    assert paged == whole
    assert paged_end == end
    assert all_changes(town, [], end)[0] == []


def test_only_the_people_asked_for_are_answered(town: Town) -> None:
    town.advance(5)
    mover = person_of(town, "mover")
    changes, _, _ = all_changes(town, [mover.identity_code], first_key(town))
    assert {c["henkilotunnus"] for c in changes} == {mover.identity_code}
    assert [p["henkilotunnus"] for p in base(town, [mover.identity_code])] == [mover.identity_code]
    assert base(town, ["010180-9999"]) == []


def test_an_empty_list_is_the_permits_selection_of_the_whole_town(town: Town) -> None:
    town.advance(10)
    changes, _, _ = all_changes(town, [], first_key(town))
    customers = set(town.truth()["people"])
    people = [town._founded.world.holder_of(c["henkilotunnus"]) for c in changes]
    assert any(p is not None and p.person_id not in customers for p in people)


def test_a_position_is_given_for_each_date_and_grows(town: Town) -> None:
    town.advance(2)
    assert first_key(town, "2026-11-01") < first_key(town) < first_key(town, "2026-11-03")
    late, _, _ = all_changes(town, [], first_key(town, "2026-11-03"))
    early, _, _ = all_changes(town, [], first_key(town))
    assert {c["muutospv"][:10] for c in late} == {"2026-11-03"}
    assert {c["muutospv"][:10] for c in early} == {"2026-11-02", "2026-11-03"}


def test_a_move_brings_the_new_and_the_ended_address_in_one_message(town: Town) -> None:
    town.advance()
    mover = person_of(town, "mover")
    (change,), _, _ = all_changes(town, [mover.identity_code], first_key(town))
    new, old, *_ = change["tietoryhmat"]
    assert (new["muutosattribuutti"], old["muutosattribuutti"]) == ("LISATTY", "MUUTETTU")
    assert new["alkupv"] == {"arvo": "2026-11-02", "tarkkuus": "PAIVA"}
    assert old["loppupv"] == {"arvo": "2026-11-01", "tarkkuus": "PAIVA"}


def test_a_move_told_in_advance_stands_beside_the_present_home(town: Town) -> None:
    town.advance()
    mover = person_of(town, "future_move")
    (answer,) = base(town, [mover.identity_code], tietoryhmat=["VAKINAINEN_KOTIMAINEN_OSOITE"])
    present, coming = answer["tietoryhmat"]
    assert present["loppupv"]["arvo"] == "2026-11-03"
    assert coming["alkupv"]["arvo"] == "2026-11-04"
    assert mover.home("2026-11-03") != mover.home("2026-11-04")


def test_a_death_and_its_reversal(town: Town) -> None:
    town.advance()
    person = person_of(town, "death_reversed")
    assert groups_of(town, person.identity_code)["KUOLINPAIVA"]["kuollut"] is True
    town.advance()
    changes, _, _ = all_changes(town, [person.identity_code], first_key(town))
    wrong, right = changes[-1]["tietoryhmat"]
    assert (wrong["muutosattribuutti"], wrong["kuollut"]) == ("KORJATTAVA", True)
    assert (right["muutosattribuutti"], right["kuollut"]) == ("KORJATTU", False)
    assert "KUOLINPAIVA" not in groups_of(town, person.identity_code)


def test_a_corrected_code_is_found_by_the_old_one_too(town: Town) -> None:
    person = person_of(town, "identity_correction")
    old = person.identity_code
    town.advance(2)
    assert person.identity_code != old
    (change,), _, _ = all_changes(town, [old], first_key(town))
    (group,) = change["tietoryhmat"]
    assert change["henkilotunnus"] == old
    assert group["tietoryhma"] == "HENKILOTUNNUS_KORJAUS"
    assert group["aktiivinenHenkilotunnus"] == person.identity_code
    assert group["edellisetHenkilotunnukset"] == [old]
    assert (
        groups_of(town, old)["HENKILOTUNNUS_KORJAUS"]["aktiivinenHenkilotunnus"]
        == person.identity_code
    )
    both = base(town, [old, person.identity_code])
    assert [p["henkilotunnus"] for p in both] == [person.identity_code]


def test_base_data_is_asked_for_at_most_a_hundred_at_a_time(town: Town) -> None:
    codes = [p.identity_code for p in town._founded.world.people.values()]
    assert len(base(town, codes[:100])) == 100
    for wrong in (codes[:101], []):
        assert ask(town, "POST", "/perustiedot", {"hetulista": wrong}).status_code == 400


def test_groups_can_be_chosen_and_otherwise_more_than_a_utility_needs_comes(town: Town) -> None:
    mover = person_of(town, "mover")
    assert {"SUKUPUOLI", "SYNTYMAPAIVA", "KANSALAISUUS"} <= set(
        groups_of(town, mover.identity_code)
    )
    (answer,) = base(town, [mover.identity_code], tietoryhmat=["HENKILON_NIMI", "KUOLINPAIVA"])
    assert [g["tietoryhma"] for g in answer["tietoryhmat"]] == ["HENKILON_NIMI"]
    assert "muutosattribuutti" not in answer["tietoryhmat"][0]


@pytest.mark.parametrize("way", [0, 1, 2])
def test_a_restricted_person_shows_no_address_in_any_of_three_ways(town: Town, way: int) -> None:
    """R56: how restriction looks differs by receiver and fixture; all three must be read as on."""
    world = town._founded.world
    person = next(p for p in world.people.values() if p.is_protected and p.disguise % 3 == way)
    groups = groups_of(town, person.identity_code)
    address = groups.get("VAKINAINEN_KOTIMAINEN_OSOITE")
    if way == 0:
        assert groups["TURVAKIELTO"]["turvakieltoAktiivinen"] is True
        assert set(address or {}) == {"tietoryhma", "turvakiellonAlaisetKentat"}
    elif way == 1:
        assert "TURVAKIELTO" not in groups
        assert address is not None
        assert {v for k, v in address.items() if k != "tietoryhma"} == {None}
    else:
        assert groups["TURVAKIELTO"]["turvakieltoAktiivinen"] is True
        assert address is None
    home = person.home(town.today)
    assert home.street not in str(groups)
    assert home.building_id not in str(groups)


def test_an_order_switched_on_is_announced_and_hides_the_home(town: Town) -> None:
    person = person_of(town, "protection_on")
    assert "katunimi" in groups_of(town, person.identity_code)["VAKINAINEN_KOTIMAINEN_OSOITE"]
    town.advance()
    changes, _, _ = all_changes(town, [person.identity_code], first_key(town))
    assert changes
    assert person.home(town.today).street not in str(changes)
    assert person.home(town.today).street not in str(base(town, [person.identity_code]))


def test_a_swedish_speaker_has_both_street_names(town: Town) -> None:
    group = groups_of(town, person_of(town, "summer_resident").identity_code)
    assert set(group["VAKINAINEN_KOTIMAINEN_OSOITE"]["katunimi"]) == {"fi", "sv"}
    assert group["AIDINKIELI"]["kielikoodi"] == "sv"


def test_a_home_abroad_has_a_group_of_its_own(town: Town) -> None:
    groups = groups_of(town, person_of(town, "foreign_address").identity_code)
    assert {"lahiosoite", "paikkakunta", "valtiokoodi"} <= set(
        groups["VAKINAINEN_ULKOMAINEN_OSOITE"]
    )
    assert "VAKINAINEN_KOTIMAINEN_OSOITE" not in groups


def test_a_malformed_question_is_answered_with_400(town: Town) -> None:
    assert ask(town, "POST", "/muutokset", {"viimeisinKirjausavain": "x"}).status_code == 400
    door = town.addresses["dvv"]
    answer = requests.post(
        f"{door['base_url']}/api/v1/muutokset",
        data=b"{",
        auth=(door["username"], door["password"]),
        headers={"X-Road-Client": door["client"]},
        timeout=5,
    )
    assert answer.status_code == 400
