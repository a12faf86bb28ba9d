"""The building register as a source: what is asked of it, which buildings are ours, what becomes of them."""

import hashlib
import traceback
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    ConnectorError,
    Malformed,
    NotRecognised,
    Opening,
    Record,
    Refused,
    Unavailable,
)
from connectors.sources import ryhti
from connectors.sources.ryhti import Ryhti, RyhtiOptions
from connectors.sources.ryhti_buildings import Buildings
from tests.connectors.fake_http import Asked, FakeServer, Reply, as_json

TODAY = "2026-11-02"
OURS, THEIRS = "10340100010001", "10349800010001"
CODES = "http://uri.suomi.fi/codelist"
ANNA = "010180-9015"
API = "/change-information/api"


class FakeTokens:
    key_id = "k1"

    def person(self, identity_code: str) -> str:
        return "p" + hashlib.sha256(identity_code.encode()).hexdigest()[:12]

    def birth(self, birth_date: str) -> str:
        return "b" + hashlib.sha256(birth_date.encode()).hexdigest()[:12]


TOKENS = FakeTokens()


@dataclass
class FakeLender:
    lent: Borrowed

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        return self.lent


LENT = Borrowed(property_ids=frozenset({OURS}))


# what Ryhti shows


def section(state: str | None = "03", **more: Any) -> dict[str, Any]:
    code = f"{CODES}/rakrek/rakelinvaih/code/{state}" if state else None
    return {"buildingSectionKey": "s-1", "lifeCycleState": code, **more}


def connected(*connections: tuple[str, bool | None]) -> dict[str, Any]:
    listed = [
        {
            "networkConnectionKey": f"n-{code}",
            "networkConnectionType": f"{CODES}/rytj/verkliit/code/{code}",
            "connected": said,
        }
        for code, said in connections
    ]
    return section(buildingServicesEngineeringData={"networkConnection": listed})


def address(name: str = "Koivutie", number: int | None = 3, **more: Any) -> dict[str, Any]:
    return {
        "addressKey": "a-1",
        "addressNumber": 1,
        "addressName": {"fin": name, "swe": "Björkvägen"},
        "numberPartOfAddressNumber": number,
        "postalCode": "31640",
        **more,
    }


def contact(**more: Any) -> dict[str, Any]:
    return {"contactAddressType": f"{CODES}/rytj/yhteysosoitteenLaji/code/01", **more}


def person(family: str = "Testaaja", given: str = "Anna Maria", **more: Any) -> dict[str, Any]:
    return {
        "personalIdentityCode": None,
        "businessId": None,
        "isPerson": True,
        "firstName": given,
        "familyName": family,
        "organizationName": None,
        "nonDisclosureForSafety": False,
        "operatorAddress": [],
        **more,
    }


def owner(key: str = "o-1", operator: Any = ..., **more: Any) -> dict[str, Any]:
    shown = person() if operator is ... else operator
    return {"buildingObjectOwnerKey": key, "ownerOperator": shown, **more}


def building(
    *owners: object, key: str = "b-1", property_id: str = OURS, prt: str = "9001000070", **more: Any
) -> dict[str, Any]:
    return {
        "buildingKey": key,
        "permanentBuildingIdentifier": prt,
        "administrativeLocationUnit": {"propertyIdentifier": property_id},
        "buildingSection": [section()],
        "address": [address()],
        "buildingObjectOwner": list(owners),
        **more,
    }


def diff(change: str, key: str, kind: str = "BuildingObjectOwner") -> dict[str, Any]:
    return {"changeType": change, "objectKey": key, "objectType": kind, "parentKey": "b-1"}


def change(
    state: Any, *diffs: object, at: str | None = "2026-11-01T10:00:00Z", key: str = "b-1"
) -> dict[str, Any]:
    return {
        "eventId": "e-1",
        "eventTime": at,
        "objectKey": key,
        "objectState": state,
        "diff": list(diffs),
    }


def changes(
    *listed: object, at: str = "e-1", key: str | None = "b-1", more: bool = False
) -> dict[str, Any]:
    seen = {"eventId": at, "objectKey": key}
    return {"lastSeen": seen, "upToDate": not more, "changes": list(listed)}


def initial(*items: object, at: str = "e-0", following: str | None = None) -> dict[str, Any]:
    return {
        "eventId": at,
        "next": {"lastObjectKey": following} if following else None,
        "items": list(items),
    }


@dataclass
class Service:
    """A Ryhti that gives initial pages and change pages in turn, then nothing new."""

    initials: list[object] = field(default_factory=lambda: [initial()])
    pages: list[object] = field(default_factory=list)
    expired: int = 0
    handed_out: int = 0

    def __call__(self, asked: Asked) -> Reply:
        path = asked.path.partition("?")[0]
        if path == f"{API}/Authenticate":
            self.handed_out += 1
            return as_json(f"token-{self.handed_out}")
        if self.expired:
            self.expired -= 1
            return Reply(401, b"Testaaja")
        if asked.headers.get("Authorization") != f"Bearer token-{self.handed_out}":
            return Reply(401)
        if "/InitialInformation/" in path:
            return as_json(self.initials.pop(0))
        if self.pages:
            return as_json(self.pages.pop(0))
        return as_json({"lastSeen": asked.json, "upToDate": True, "changes": []})


@dataclass
class Heard:
    batch: Batch
    asked: list[Asked]
    told: list[object]

    @property
    def paths(self) -> list[str]:
        return [a.path.removeprefix(f"{API}/") for a in self.asked]

    def records(self, kind: str) -> list[Record]:
        return [r for r in self.batch.records if r.kind == kind]

    def only(self, kind: str) -> Record:
        (record,) = self.records(kind)
        return record


def fetch(
    answer: Callable[[Asked], Reply],
    lent: Borrowed = LENT,
    known: Iterable[str] = (),
    cursor: dict[str, object] | None = None,
    **options: Any,
) -> Heard:
    told: list[object] = []
    with FakeServer(answer) as server:
        source = Ryhti(chosen(server.url, **options), FakeLender(lent), TOKENS, lambda _: None)
        ask = Ask(cursor, frozenset(known), TODAY, lambda *asked: told.append(asked))
        return Heard(source.fetch(ask), server.asked, told)


def chosen(url: str, **options: Any) -> RyhtiOptions:
    given: dict[str, Any] = {
        "base_url": url,
        "client_id": "vesi",
        "client_secret": 'sala"sana',
        "municipalities": ["103"],
        "allow_test_identities": True,
    }
    return RyhtiOptions(**given | options)


def first(*buildings: object, **more: Any) -> Heard:
    """The first night, when these buildings stand in the municipality."""
    return fetch(Service([initial(*buildings)]), **more)


def then(*listed: object, known: Iterable[str] = ("o-1",), **more: Any) -> Heard:
    """A later night, when the feed brings these changes."""
    return fetch(Service(pages=[changes(*listed)]), known=known, cursor=stored(), **more)


def stored(lent: Borrowed = LENT, at: str = "e-0", **options: Any) -> dict[str, object]:
    """The cursor a night leaves that has read everything of what is lent."""
    source = Ryhti(chosen("https://ryhti.example", **options), FakeLender(lent), TOKENS)
    return {"eventId": at, "objectKey": None, "lent": source._digest(lent)}


def point(**more: Any) -> dict[str, Any]:
    """What becomes of our building when this is said of it."""
    return dict(first(building(**more)).only("point").content)


def party(**more: Any) -> dict[str, Any]:
    return dict(first(building(owner("o-1", person(**more)))).only("party").content)


# what is asked


def test_the_first_night_reads_everything_and_then_what_has_changed_meanwhile() -> None:
    service = Service([initial(building(owner()))], [changes(at="e-7", key="b-9")])
    heard = fetch(service)
    assert heard.paths == [
        "Authenticate?clientId=vesi",
        "InitialInformation/BuildingPersonsLimited?municipality=103",
        "ChangeInformation/BuildingPersonsLimited?municipality=103",
    ]
    assert [a.method for a in heard.asked] == ["POST"] * 3
    assert heard.asked[1].json == {"lastObjectKey": None}
    assert heard.asked[2].json == {"eventId": "e-0", "objectKey": None}
    assert heard.batch.cursor == {"eventId": "e-7", "objectKey": "b-9", "lent": stored()["lent"]}
    assert (heard.batch.fetched, heard.batch.total) == (1, None)


def test_the_secret_goes_in_quotes_and_its_token_with_every_question() -> None:
    heard = first(building())
    assert heard.asked[0].body == b'"sala\\"sana"'
    assert "Authorization" not in heard.asked[0].headers
    assert {a.headers["Authorization"] for a in heard.asked[1:]} == {"Bearer token-1"}


def test_a_question_by_municipality_names_nobody_and_is_not_announced() -> None:
    assert first(building(owner())).told == []


def test_pages_of_the_first_reading_are_followed_and_the_oldest_position_is_gone_on_from() -> None:
    service = Service(
        [
            initial(building(key="b-1"), at="e-5", following="b-1"),
            initial(building(key="b-2"), at="e-6"),
        ]
    )
    heard = fetch(service)
    assert [a.json for a in heard.asked[1:3]] == [{"lastObjectKey": None}, {"lastObjectKey": "b-1"}]
    assert heard.asked[3].json["eventId"] == "e-5"
    assert {r.key for r in heard.records("point")} == {"b-1", "b-2"}


def test_each_municipality_is_read_by_itself_and_their_changes_together() -> None:
    service = Service([initial(building(key="b-1")), initial(building(key="b-2"), at="e-1")])
    heard = fetch(service, municipalities=["103", "169"])
    assert [p.partition("?")[2] for p in heard.paths[1:]] == [
        "municipality=103",
        "municipality=169",
        "municipality=103%2C169",
    ]
    assert heard.asked[-1].json["eventId"] == "e-0"


def test_a_later_night_hears_the_changes_alone_and_follows_them_to_their_end() -> None:
    pages: list[object] = [
        changes(change(building()), at="e-1", more=True),
        changes(change(building(key="b-2"), key="b-2"), at="e-1", key="b-2"),
    ]
    heard = fetch(Service(pages=pages), cursor=stored(at="e-0"))
    assert [p.partition("/")[0] for p in heard.paths[1:]] == ["ChangeInformation"] * 2
    assert [a.json for a in heard.asked[1:]] == [
        {"eventId": "e-0", "objectKey": None},
        {"eventId": "e-1", "objectKey": "b-1"},
    ]
    assert heard.batch.cursor["objectKey"] == "b-2"


def test_once_somebody_is_connected_everything_is_read_after_the_changes_since_the_old_position() -> (
    None
):
    """Only the feed tells of an ownership that ended; the reading alone would lose it for good."""
    old = stored(Borrowed(property_ids=frozenset({THEIRS})), at="e-0")
    service = Service(
        [initial(building(owner("o-2")), at="e-9")],
        [changes(change(building(owner("o-2")), diff("DELETED", "o-1")), at="e-3")],
    )
    heard = fetch(service, cursor=old, known=["o-1"])
    assert [p.partition("/")[0] for p in heard.paths[1:]] == [
        "ChangeInformation",
        "InitialInformation",
    ]
    assert [r.key for r in heard.records("role")] == ["o-2", "o-1"]
    assert heard.batch.cursor == {"eventId": "e-3", "objectKey": "b-1", "lent": stored()["lent"]}


def test_what_is_read_is_newer_than_the_changes_heard_just_before() -> None:
    service = Service(
        [initial(building(buildingSection=[section("06")]))],
        [changes(change(building(buildingSection=[section("03")])))],
    )
    heard = fetch(service, cursor=stored(Borrowed()))
    assert heard.only("point").content["building_state"] == "demolished"


@pytest.mark.parametrize("options", [{"persons": "none"}, {"municipalities": ["103", "169"]}])
def test_asking_for_something_else_than_before_reads_everything_anew(
    options: dict[str, Any],
) -> None:
    service = Service([initial(), initial()])
    heard = fetch(service, cursor=stored(), **options)
    assert any(p.startswith("InitialInformation") for p in heard.paths)


def test_without_persons_the_buildings_come_alone() -> None:
    heard = first(building(), persons="none")
    assert "InitialInformation/BuildingNoPersons?municipality=103" in heard.paths
    assert {r.kind for r in heard.batch.records} == {"point"}


def test_where_nothing_is_ours_nothing_is_asked() -> None:
    heard = fetch(Service(), Borrowed(people={"1": ANNA}), cursor={"eventId": "e-0"})
    assert heard.asked == []
    assert heard.batch == Batch((), {"eventId": "e-0"}, 0)


def test_a_given_path_of_the_service_is_not_doubled() -> None:
    with FakeServer(Service()) as server:
        for base in (server.url, f"{server.url}/change-information/"):
            said = Ryhti(chosen(base), FakeLender(LENT), TOKENS).check()
    assert {a.path for a in server.asked} == {f"{API}/Authenticate?clientId=vesi"}
    assert "lets us in" in said


def test_a_person_who_waits_is_not_kept_by_repeats() -> None:
    opening = Opening(TOKENS, FakeLender(LENT), lambda: TODAY, patience=1.5)
    options = {"base_url": "https://r.example", "client_id": "c", "client_secret": "s"}
    source = ryhti.connect(options | {"municipalities": ["103"], "ca_file": None}, opening)
    assert (source._options.timeout, source._options.attempts) == (1.5, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"persons": "all"},
        {"municipalities": []},
        {"municipalities": "103"},
        {"municipalities": [103]},
        {"municipalities": ["3"]},
        {"base_url": "http://ryhti.example"},
        {"attempts": 0},
    ],
)
def test_a_setting_that_can_not_be_used_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="persons|municipalities|http|attempts"):
        chosen("https://ryhti.example", **wrong)


# transport: what a service in trouble does to a night


def test_a_token_that_has_run_out_is_renewed_once() -> None:
    service = Service([initial(building())], expired=1)
    heard = fetch(service)
    assert service.handed_out == 2
    assert heard.only("point").key == "b-1"


@pytest.mark.parametrize("refused", [(1, 2), (1, 3)])
def test_a_second_refusal_of_the_token_ends_the_call(refused: tuple[int, int]) -> None:
    service, questions = Service(), 0

    def impatient(asked: Asked) -> Reply:
        nonlocal questions
        questions += "Authenticate" not in asked.path
        is_refused = "Authenticate" not in asked.path and questions in refused
        return Reply(401) if is_refused else service(asked)

    with pytest.raises(NotRecognised, match="401"):
        fetch(impatient)
    assert service.handed_out == 2


@pytest.mark.parametrize("token", [None, 7, "", "two words", "line\nbreak", {"token": "t"}])
def test_an_answer_that_is_no_token_is_not_sent_on(token: object) -> None:
    with pytest.raises(Malformed, match="not a token"):
        fetch(lambda _: as_json(token))


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(503), Unavailable),
        (Reply(403, b"Testaaja"), Refused),
        (Reply(400, b'{"detail": "Testaaja 010180-901"}'), Refused),
        (Reply(422, b'{"errors": "Testaaja"}'), Refused),
        (Reply(200, b"<html>Testaaja", promised=99), Unavailable),
        (Reply(200, b"<html>Testaaja"), Malformed),
        (as_json([building(owner())]), Malformed),
        (Reply(silent=True), Unavailable),
    ],
)
def test_a_failing_service_fails_the_call_without_a_persons_data_in_the_error(
    reply: Reply, kind: type[ConnectorError]
) -> None:
    service = Service()
    with pytest.raises(kind) as caught:
        fetch(lambda asked: service(asked) if "Authenticate" in asked.path else reply, timeout=0.1)
    told = "".join(traceback.format_exception(caught.value))
    for value in ("Testaaja", "010180", "sala", "token-1", "vesi"):
        assert value not in told


def test_a_busy_service_is_waited_for() -> None:
    service, troubles = Service([initial(building())]), [Reply(429), Reply(500)]
    heard = fetch(lambda asked: troubles.pop() if troubles else service(asked))
    assert heard.only("point").key == "b-1"


@pytest.mark.parametrize(
    "page",
    [
        changes(change(building()), at="e-0", key=None),  # there are changes, and it stands still
        changes(at="e-0", key=None, more=True),  # there is more, and it stands still
        {"lastSeen": None, "upToDate": True, "changes": [change(building())]},
        {"lastSeen": None, "upToDate": False, "changes": []},
        {"lastSeen": {"eventId": 7}, "upToDate": True, "changes": []},
        {"lastSeen": {"eventId": "e-1", "objectKey": 7}, "upToDate": True, "changes": []},
        {"lastSeen": {"eventId": "e-1"}, "upToDate": "yes", "changes": []},
        {"lastSeen": {"eventId": "e-1"}, "upToDate": True, "changes": None},
    ],
)
def test_a_feed_that_does_not_move_or_can_not_be_read_is_held_whole(page: object) -> None:
    with pytest.raises(Malformed):
        fetch(Service(pages=[page]), cursor=stored(at="e-0"))


def test_a_feed_that_comes_round_to_an_earlier_event_is_held() -> None:
    turns: list[object] = [changes(at=f"e-{n}", key=None, more=True) for n in (1, 2, 1, 2)]
    with pytest.raises(Malformed, match="come round"):
        fetch(Service(pages=turns), cursor=stored(at="e-0"))


def test_an_empty_page_need_not_say_where_it_ends() -> None:
    page = {"lastSeen": None, "upToDate": True, "changes": []}
    assert fetch(Service(pages=[page]), cursor=stored(at="e-4")).batch.cursor["eventId"] == "e-4"


@pytest.mark.parametrize(
    "pages",
    [
        [initial(following="b-1"), initial(following="b-1")],
        [initial() | {"next": {"lastObjectKey": None}}],
        [initial() | {"next": "b-1"}],
        [initial() | {"items": None}],
        [initial() | {"eventId": None}],
    ],
)
def test_a_first_reading_that_does_not_move_or_can_not_be_read_is_held(pages: list[object]) -> None:
    with pytest.raises(Malformed):
        fetch(Service(pages))


def test_a_feed_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sources.ryhti._MOST_PAGES", 3)
    endless: list[object] = [changes(at=f"e-{n}", more=True) for n in range(1, 9)]
    with pytest.raises(Malformed, match="after 3 pages"):
        fetch(Service(pages=endless), cursor=stored())
    keys: list[object] = [initial(following=f"b-{n}") for n in range(1, 9)]
    with pytest.raises(Malformed, match="after 3 pages"):
        fetch(Service(keys))


def test_a_stored_cursor_that_can_not_be_read_is_not_guessed() -> None:
    with pytest.raises(Malformed, match="stored cursor"):
        fetch(Service(), cursor={"lent": "x"})


# which buildings are ours


def test_a_building_and_its_owner_become_a_point_a_party_and_a_role() -> None:
    heard = first(building(owner("o-1", person(personalIdentityCode=ANNA))))
    assert list(heard.batch.records) == [
        Record(
            "point",
            "b-1",
            None,
            {
                "property_id": OURS,
                "building_id": "9001000070",
                "line": "Koivutie 3",
                "postal_code": "31640",
                "building_state": "in_use",
            },
        ),
        Record(
            "party",
            "o-1",
            None,
            {
                "party_type": "person",
                "family_name": "Testaaja",
                "given_names": "Anna Maria",
                "person_key": TOKENS.person(ANNA),
                "birth_key": TOKENS.birth("1980-01-01"),
                "key_id": "k1",
            },
        ),
        Record(
            "role",
            "o-1",
            None,
            {"party": "o-1", "point": "b-1", "role_type": "owner"},
            is_partial=True,
        ),
    ]
    assert not heard.batch.faults
    assert not heard.batch.unknown


def test_what_stands_on_anybody_elses_property_is_left_in_memory() -> None:
    """DESIGN 4: a night leaves no trace of a non-customer."""
    stranger = building(owner("o-9", person("Vieras")), key="b-9", property_id=THEIRS)
    heard = fetch(
        Service([initial(stranger)], [changes(change(stranger, diff("ADDED", "o-9"), key="b-9"))])
    )
    assert heard.batch.records == []
    assert heard.batch.fetched == 2
    assert not heard.batch.faults
    for word in ("Vieras", "b-9", "o-9", THEIRS):
        assert word not in repr(heard.batch)


@pytest.mark.parametrize("written", ["103-401-1-1", "103-401-0001-0001M0601", f" {OURS} "])
def test_a_property_id_is_known_however_it_is_written(written: str) -> None:
    assert first(building(property_id=written)).records("point")


def test_a_building_whose_id_is_ours_stays_ours_when_its_parcel_is_split() -> None:
    lent = Borrowed(building_ids=frozenset({"9001000070"}))
    heard = first(building(property_id=THEIRS, prt="9001 00007o".upper()), lent=lent)
    assert heard.records("point") == []  # a letter O is no zero
    heard = first(building(property_id=THEIRS, prt=" 9001000070 "), lent=lent)
    assert heard.only("point").content["property_id"] == THEIRS


def test_a_building_that_has_moved_off_our_property_by_its_last_word_is_no_longer_ours() -> None:
    heard = then(
        change(building(), at="2026-11-01T10:00:00Z"),
        change(building(property_id=THEIRS), at="2026-11-01T11:00:00Z"),
    )
    assert heard.batch.records == []


# what a building says


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({}, "Koivutie 3"),
        ({"subdivisionLetterOfAddressNumber": "B"}, "Koivutie 3b"),
        ({"number": None, "subdivisionLetterOfAddressNumber": "12b"}, "Koivutie 12b"),
        ({"number": 12, "subdivisionLetterOfAddressNumber": "12b"}, "Koivutie 12b"),
        ({"number": 2, "numberPartOfAddressNumber2": 4}, "Koivutie 2–4"),
        (
            {
                "number": 6,
                "subdivisionLetterOfAddressNumber": "a",
                "numberPartOfAddressNumber2": 6,
                "subdivisionLetterOfAddressNumber2": "b",
            },
            "Koivutie 6a–6b",
        ),
        (
            {
                "number": 6,
                "subdivisionLetterOfAddressNumber": "a",
                "subdivisionLetterOfAddressNumber2": "b",
            },
            "Koivutie 6a–6b",
        ),
        ({"number": 5, "numberPartOfAddressNumber2": 5}, "Koivutie 5"),
        ({"number": None, "subdivisionLetterOfAddressNumber": "b"}, "Koivutie"),
        ({"number": None}, "Koivutie"),
        ({"number": True}, "Koivutie"),
        ({"addressName": {"fin": " ", "swe": "Björkvägen"}}, "Björkvägen 3"),
        ({"addressName": None}, None),
    ],
)
def test_a_buildings_address_is_written_as_on_its_wall(
    parts: dict[str, Any], line: str | None
) -> None:
    """FORMATS §4.1: migrated addresses hold the whole number in the letter's field; §6: ranges."""
    assert point(address=[address(**parts)]).get("line") == line


def test_of_several_addresses_the_first_by_number_counts() -> None:
    listed = [address("Kakkoskatu", addressNumber=2), address("Ykköskatu", addressNumber=1)]
    assert point(address=listed)["line"] == "Ykköskatu 3"
    assert "line" not in point(address=None)


@pytest.mark.parametrize(
    ("codes", "state"),
    [
        (["01"], "planned"),
        (["02"], "under_construction"),
        (["03"], "in_use"),
        (["04"], "abandoned"),
        (["05"], "abandoned"),
        (["06"], "demolished"),
        (["06", "03", "01"], "in_use"),
        (["06", "06"], "demolished"),
        ([None, "02"], "under_construction"),
        ([None], None),
        ([], None),
    ],
)
def test_a_building_is_in_the_state_of_its_liveliest_section(
    codes: list[str | None], state: str | None
) -> None:
    heard = first(building(buildingSection=[section(code) for code in codes]))
    assert heard.only("point").content.get("building_state") == state
    assert not heard.batch.unknown


@pytest.mark.parametrize("code", ["07", "08", "42", "99"])
def test_a_state_without_a_meaning_is_counted_and_left_out(code: str) -> None:
    heard = first(building(buildingSection=[section(code)]))
    assert "building_state" not in heard.only("point").content
    assert heard.batch.unknown == {f"lifeCycleState {code}": 1}


def test_a_code_that_does_not_look_like_one_is_counted_by_its_field_alone() -> None:
    heard = first(building(buildingSection=[section("Testaajan talo")]))
    assert heard.batch.unknown == {"lifeCycleState": 1}


def test_a_building_is_demolished_on_the_day_its_last_section_is() -> None:
    gone = [section("06", demolitionDate=day) for day in ("2026-10-30", "2026-11-01")]
    assert point(buildingSection=gone)["demolition_date"] == "2026-11-01"
    assert "demolition_date" not in point(buildingSection=[*gone, section("03")])
    assert "demolition_date" not in point(buildingSection=[section("06", demolitionDate="soon")])


@pytest.mark.parametrize(
    ("sections", "water", "sewer"),
    [
        ([connected(("02", True), ("03", True))], True, True),
        ([connected(("02", False), ("03", True))], False, True),
        ([connected(("02", False)), connected(("02", True))], True, None),
        ([connected(("02", False)), connected(("02", False))], False, None),
        ([connected(("02", False)), section()], False, None),
        ([connected(("02", None))], None, None),
        ([connected(("02", None), ("02", False))], None, None),
        ([connected(("04", True), ("01", True))], None, None),
        ([section(buildingServicesEngineeringData=None)], None, None),
        ([], None, None),
    ],
)
def test_a_connection_is_there_gone_or_not_spoken_of(
    sections: list[object], water: bool | None, sewer: bool | None
) -> None:
    content = point(buildingSection=sections)
    assert content.get("has_water_connection") is water
    assert content.get("has_sewer_connection") is sewer


# what an owner is


@pytest.mark.parametrize(
    ("written", "fault"),
    [("010180-9016", "check_character"), ("rikki", "malformed"), ("320180-9015", "not_a_date")],
)
def test_a_faulty_identity_code_is_named_by_its_fault_and_not_kept(
    written: str, fault: str
) -> None:
    content = party(personalIdentityCode=written)
    assert content["identity_fault"] == fault
    assert "person_key" not in content
    assert written not in repr(content)


def test_no_identity_code_leaves_the_connector() -> None:
    """R9, DESIGN 2: the notice lists no henkilötunnus."""
    code = ANNA.lower()
    heard = then(
        change(building(owner("o-1", person(personalIdentityCode=code))), diff("ADDED", "o-1"))
    )
    assert heard.only("party").content["person_key"] == TOKENS.person(ANNA)
    assert "010180" not in repr(heard.batch)


def test_a_test_identity_is_a_fault_in_production() -> None:
    shown = building(owner("o-1", person(personalIdentityCode=ANNA)))
    heard = first(shown, allow_test_identities=False)
    assert heard.only("party").content["identity_fault"] == "test_identity"


def test_a_company_comes_with_its_name_and_business_id() -> None:
    firm = person(None, None, isPerson=False, organizationName="Saha Oy", businessId="9000001-1")
    assert first(building(owner("o-1", firm))).only("party").content == {
        "party_type": "organisation",
        "organisation_name": "Saha Oy",
        "business_id": "9000001-1",
    }


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ({}, "person"),
        ({"family": None, "given": None, "organizationName": "Saha Oy"}, "organisation"),
        ({"family": None, "given": None}, None),
    ],
)
def test_whether_an_owner_is_a_person_shows_in_the_name_where_nobody_says_so(
    names: dict[str, Any], kind: str | None
) -> None:
    assert party(isPerson=None, **names).get("party_type") == kind


@pytest.mark.parametrize("said", [True, "true", 1, "ei tiedossa"])
def test_an_order_said_in_any_way_is_an_order_and_hides_every_address(said: object) -> None:
    """R56, DESIGN 12."""
    content = party(
        nonDisclosureForSafety=said,
        operatorAddress=[contact(addressName={"fin": "Salakuja"}, postalCode="31640")],
    )
    assert content["protection"] == "on"
    assert "Salakuja" not in repr(content)


@pytest.mark.parametrize("said", [False, None])
def test_that_there_is_no_order_is_never_said(said: object) -> None:
    """Ryhti is no authority on orders: its false lifts nobody's."""
    assert "protection" not in party(nonDisclosureForSafety=said)


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        (
            {
                "addressName": {"fin": "Koivutie"},
                "numberPartOfAddressNumber": 3,
                "subdivisionLetterOfAddressNumber": "a",
                "apartmentIdentifierLetterSuffix": "B",
                "apartmentIdentifierNumber": 12,
                "apartmentIdentifierSubdivisionLetter": "c",
                "c_O": "Virta Bertta",
                "postalCode": "31640",
                "postalAddress": {"fin": "HUMPPILA"},
                "countryCode": f"{CODES}/jhs/valtio_1_20120101/code/246",
            },
            {
                "care_of": "Virta Bertta",
                "country": "FI",
                "street": "Koivutie",
                "house": "3a",
                "stair": "B",
                "apartment": "12",
                "split": "c",
                "postal_code": "31640",
                "post_office": "HUMPPILA",
            },
        ),
        (
            {"addressName": {"swe": "Björkvägen"}, "postalCode": "02100"},
            {"country": "FI", "street": "Björkvägen", "postal_code": "02100"},
        ),
        (
            {"poBoxAddress": {"fin": "PL 9"}, "postalCode": "31641"},
            {"country": "FI", "line": "PL 9", "postal_code": "31641"},
        ),
        (
            {"poBoxAddress": {"fin": "9"}, "addressName": {"fin": "Koivutie"}},
            {"country": "FI", "line": "PL 9"},
        ),
        (
            {
                "foreignAddress": {"fin": "Storgatan 5"},
                "foreignPostalAddress": "113 51 STOCKHOLM",
                "additionalForeignAddress": "Sverige",
                "countryCode": f"{CODES}/jhs/valtio_1_20120101/code/752",
            },
            {"country": "SE", "line": "Storgatan 5", "post_office": "113 51 STOCKHOLM, Sverige"},
        ),
        (
            {
                "addressName": {"fin": "Birkenweg"},
                "numberPartOfAddressNumber": 7,
                "countryCode": f"{CODES}/jhs/valtio_1_20120101/code/DE",
            },
            {"country": "DE", "line": "Birkenweg 7"},
        ),
        (
            {"foreignAddress": {"fin": "Kaukainen 1"}, "countryCode": "x/code/ZZZ"},
            {"line": "Kaukainen 1"},
        ),
    ],
)
def test_an_owners_address_is_postal_and_read_in_its_parts(
    shown: dict[str, Any], read: dict[str, str]
) -> None:
    content = party(operatorAddress=[contact(**shown)])
    assert content["addresses"] == [{"address_type": "postal", **read}]


def test_an_address_of_a_kind_nobody_has_told_us_of_is_loud() -> None:
    shown = person(
        operatorAddress=[
            {"contactAddressType": "x/code/77", "addressName": {"fin": "Koivutie"}},
            {"contactAddressType": None, "c_O": "Virta"},
            "rikki",
        ]
    )
    heard = first(building(owner("o-1", shown)))
    assert heard.batch.unknown == {"contactAddressType 77": 1}
    assert len(heard.only("party").content["addresses"]) == 1


def test_what_nobody_needs_of_an_owner_is_counted_and_not_kept() -> None:
    """R9: a death is the population register's to tell; language and nationality are not asked for."""
    shown = person(
        deathDate="2026-10-01", languageCode="x/code/fi", nationalityCode="x/code/246", otherId="T1"
    )
    heard = first(
        building(
            owner("o-1", shown, ownerContactOperator=person("Toinen"), tenureStatus={"fin": "oma"})
        )
    )
    assert set(heard.only("party").content) == {"party_type", "family_name", "given_names"}
    assert heard.batch.dropped == dict.fromkeys(
        (
            "deathDate",
            "languageCode",
            "nationalityCode",
            "otherId",
            "ownerContactOperator",
            "tenureStatus",
        ),
        1,
    )
    assert "Toinen" not in repr(heard.batch)


# ownership


def test_a_sale_ends_one_ownership_and_begins_another_on_its_day_in_finland() -> None:
    """22:30 UTC is past midnight in Helsinki."""
    sold = change(
        building(owner("o-2", person("Uusi"))),
        diff("DELETED", "o-1"),
        diff("ADDED", "o-2"),
        at="2026-11-01T22:30:00.1234567Z",
    )
    heard = then(sold)
    new, old = heard.records("role")
    at = "2026-11-01T22:30:00Z"
    begun = {"party": "o-2", "point": "b-1", "role_type": "owner", "valid_from": "2026-11-02"}
    assert new == Record("role", "o-2", at, begun)
    assert old == Record("role", "o-1", at, {"valid_to": "2026-11-02"}, is_partial=True)
    assert heard.only("party").source_time == at


def test_the_end_of_an_ownership_that_we_never_held_is_no_news() -> None:
    heard = then(change(building(), diff("DELETED", "o-1")), known=())
    assert heard.records("role") == []


def test_an_owner_who_is_not_there_has_ended_nothing() -> None:
    """FORMATS §10.3 no 7: protected persons are left out; missing is not moved away."""
    heard = then(change(building(owner("o-2"))), change(building()), known=["o-1", "o-2"])
    assert heard.records("role") == []
    heard = then(change(building(owner("o-1", None))))
    assert {r.kind for r in heard.batch.records} == {"point"}
    assert not heard.batch.faults


def test_an_owner_merely_there_leaves_the_first_day_standing_that_was_told_before() -> None:
    assert then(change(building(owner()))).only("role").is_partial
    assert not then(change(building(owner()), diff("ADDED", "o-1"))).only("role").is_partial


def test_an_ownership_deleted_by_mistake_and_added_again_goes_on() -> None:
    heard = then(
        change(building(), diff("DELETED", "o-1"), at="2026-11-01T10:00:00Z"),
        change(building(owner()), diff("ADDED", "o-1"), at="2026-11-01T12:00:00Z"),
    )
    assert dict(heard.only("role").content) == {
        "party": "o-1", "point": "b-1", "role_type": "owner", "valid_from": "2026-11-01",
    }  # fmt: skip


def test_an_ownership_called_deleted_and_read_again_just_after_goes_on() -> None:
    """The reading is newer than the changes heard before it."""
    ended = changes(change(building(), diff("DELETED", "o-1")))
    service = Service([initial(building(owner("o-1")))], [ended])
    heard = fetch(service, cursor=stored(Borrowed()), known=["o-1"])
    assert "valid_to" not in heard.only("role").content


def test_a_removed_building_changes_nothing_and_is_counted() -> None:
    heard = then(change(None, diff("DELETED", "o-1")))
    assert heard.batch.records == []
    assert heard.batch.unknown == {"removed_building": 1}


def test_a_change_of_something_else_or_of_an_unknown_kind_ends_nothing() -> None:
    heard = then(
        change(
            building(),
            diff("DELETED", "o-1", kind="Address"),
            diff("MODIFIED", "o-1"),
            diff("EVAPORATED", "o-1"),
            "rikki",
        )
    )
    assert heard.records("role") == []
    assert heard.batch.unknown == {"changeType": 1}


def test_an_end_without_a_readable_time_waits_for_a_steward() -> None:
    heard = then(change(building(), diff("DELETED", "o-1"), at="2026-11-01T10:00:00"))
    assert heard.records("role") == []
    (fault,) = heard.batch.faults
    assert (fault.kind, fault.key, fault.rule) == ("role", "o-1", "undated_end")


@settings(deadline=None)
@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=4))
def test_changes_repeated_and_out_of_order_say_the_same(
    order: list[int], repeated: list[int]
) -> None:
    told = [
        change(building(owner("o-2")), diff("DELETED", "o-1"), diff("ADDED", "o-2"), at=at(8)),
        change(building(owner("o-2"), buildingSection=[connected(("02", True))]), at=at(9)),
        change(building(owner("o-3")), diff("DELETED", "o-2"), diff("ADDED", "o-3"), at=at(10)),
        change(building(owner("o-3"), buildingSection=[section("06")]), at=at(11)),
    ]
    assert said(told[n] for n in [*order, *repeated]) == said(told)


def at(hour: int) -> str:
    return f"2026-11-01T{hour:02d}:00:00Z"


def said(told: Iterable[object]) -> list[Record]:
    buildings = Buildings(TOKENS, LENT, frozenset({"o-1", "o-2"}), True)
    buildings.begin()
    for one in told:
        buildings.hear(one)
    return sorted(buildings.records(), key=lambda r: (r.kind, r.key))


# what can't be read


def test_a_building_without_a_key_is_counted_whosever_it_is() -> None:
    heard = first(
        building() | {"buildingKey": None},
        building(property_id=THEIRS) | {"buildingKey": 7},
        "rikki",
        building(),
    )
    assert heard.batch.unknown == {"unreadable_building": 3}
    assert heard.only("point").key == "b-1"


@pytest.mark.parametrize("operator", ["rikki", [], 7])
def test_an_owner_who_can_not_be_read_waits_under_the_key_a_good_word_will_have(
    operator: object,
) -> None:
    heard = first(building(owner("o-1", operator), owner("o-2")))
    (fault,) = heard.batch.faults
    assert (fault.kind, fault.key, fault.rule) == ("party", "o-1", "unreadable_owner")
    assert heard.only("party").key == "o-2"


def test_an_owner_without_a_key_is_counted_and_the_building_is_taken_in() -> None:
    heard = first(building(owner(""), owner("o-2")))
    assert heard.batch.unknown == {"unreadable_owner": 1}
    assert heard.only("party").key == "o-2"


@pytest.mark.parametrize("odd", [None, 7, "rikki", [], {}, [None, 7, "rikki", {}]])
def test_nothing_that_ryhti_sends_in_a_buildings_parts_breaks_the_reading(odd: Any) -> None:
    for part in (
        "buildingSection",
        "address",
        "buildingObjectOwner",
        "permanentBuildingIdentifier",
    ):
        assert first(building() | {part: odd}).records("point")
    for part in ("operatorAddress", "firstName", "personalIdentityCode", "isPerson"):
        assert first(building(owner("o-1", person() | {part: odd}))).records("party")
    then(change(building()) | {"diff": odd})
    then(odd)
