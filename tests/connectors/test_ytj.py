"""The open register of organisations: who is asked when, and what an answer makes of a company."""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    ConnectorError,
    Malformed,
    Opening,
    Record,
    Refused,
    Unavailable,
)
from connectors.sources import ytj
from connectors.sources.ytj import Ytj, YtjOptions
from tests.connectors.fake_http import Asked, FakeServer, Reply, as_json

WEIGHTS = (7, 9, 10, 5, 8, 4, 2)


def company_ids(*bodies: int) -> list[str]:
    """Business ids that check; a body for which there is no check digit is left out."""
    summed = {b: sum(w * int(d) for w, d in zip(WEIGHTS, f"{b:07d}", strict=True)) for b in bodies}
    return [f"{b:07d}-{-total % 11}" for b, total in summed.items() if total % 11 != 1]


SMITHY, BAKERY, GARDEN, CARRIER = company_ids(9000001, 9000003, 9000004, 9000006)
HOME = {"city": "HUMPPILA", "languageCode": "1", "municipalityCode": "103"}


def named(name: str, kind: str = "1", version: int = 1, **more: object) -> dict[str, object]:
    return {"name": name, "type": kind, "version": version, "source": "1", **more}


def address(kind: object = 2, **parts: object) -> dict[str, object]:
    return {"type": kind, "postCode": "31640", "postOffices": [HOME], "source": "0", **parts}


def company(number: str = SMITHY, **more: object) -> dict[str, object]:
    return {
        "businessId": {"value": number, "source": "3"},
        "names": [named("Humppilan Esimerkkipaja Oy")],
        "lastModified": "2026-10-20T09:10:11",
        **more,
    }


@dataclass
class Companies:
    """A register that answers one company a question, and only to questions that were announced."""

    entries: list[dict[str, object]] = field(default_factory=list)
    told: list[tuple[str, list[str]]] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Reply:
        url = urlsplit(asked.path)
        assert url.path == "/v3/companies"
        (number,) = parse_qs(url.query)["businessId"]
        if not any(number in keys for _, keys in self.told):
            return Reply(418, b"nobody announced this")
        found = [e for e in self.entries if e["businessId"]["value"] == number]  # type: ignore[index]
        return as_json({"totalResults": len(found), "companies": found})


@dataclass
class FakeLender:
    ids: Sequence[str]

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        return Borrowed(
            people={"1": "010180-901D"},
            organisations={str(n): number for n, number in enumerate(self.ids, 2)},
        )


@dataclass
class Heard:
    batch: Batch
    asked: list[Asked]
    told: list[tuple[str, list[str]]]

    @property
    def ids(self) -> list[str]:
        """The ids asked about, in order."""
        return [parse_qs(urlsplit(a.path).query)["businessId"][0] for a in self.asked]

    @property
    def only(self) -> Record:
        (record,) = self.batch.records
        return record

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.only.content)


def fetch(
    answer: Callable[[Asked], Reply] | Sequence[Reply],
    ids: Sequence[str] = (SMITHY,),
    known: Iterable[str] = (),
    cursor: dict[str, object] | None = None,
    patience: float | None = None,
    **options: Any,
) -> Heard:
    told: list[tuple[str, list[str]]] = answer.told if isinstance(answer, Companies) else []
    with FakeServer(answer) as server:
        opening = Opening(None, FakeLender(ids), lambda: "2026-11-02", patience=patience)  # type: ignore[arg-type]
        source = ytj.connect({"base_url": f"{server.url}/v3", **options}, opening)
        source._sleep = lambda _: None
        ask = Ask(
            cursor=cursor,
            known=frozenset(known),
            business_date="2026-11-02",
            announce=lambda operation, keys: told.append((operation, list(keys))),
        )
        return Heard(source.fetch(ask), server.asked, told)


def read(**more: object) -> dict[str, Any]:
    """What becomes of a company that the register tells this of."""
    return fetch(Companies([company(**more)])).content


def placed(**parts: object) -> dict[str, Any]:
    """What becomes of one address."""
    (one,) = read(addresses=[address(**parts)])["addresses"]
    return dict(one)


# who is asked, and when


def test_every_organisation_lent_is_asked_about_by_its_business_id_and_no_person_is() -> None:
    heard = fetch(Companies([company(SMITHY), company(BAKERY)]), [SMITHY, BAKERY])
    assert sorted(heard.ids) == sorted([SMITHY, BAKERY])
    assert {(r.kind, r.key) for r in heard.batch.records} == {("party", SMITHY), ("party", BAKERY)}
    assert [a.method for a in heard.asked] == ["GET", "GET"]


def test_a_question_is_announced_before_it_is_asked_and_once_for_all_of_a_batch() -> None:
    """The fake register refuses whoever was not announced."""
    heard = fetch(Companies(), [SMITHY, BAKERY, GARDEN])
    assert heard.told == [("companies", sorted([SMITHY, BAKERY, GARDEN]))]


def test_a_register_that_is_down_has_nobody_announced_beyond_the_batch_it_failed_in() -> None:
    many = company_ids(*range(9_100_000, 9_100_300))
    assert len(many) > 200
    register = Companies()

    def fails(asked: Asked) -> Reply:
        return Reply(503) if len(register.told) > 1 else register(asked)

    told = register.told
    with pytest.raises(Unavailable), FakeServer(fails) as server:
        source = Ytj(YtjOptions(server.url + "/v3"), FakeLender(many), sleep=lambda _: None)
        source.fetch(Ask(None, frozenset(), "2026-11-02", lambda o, k: told.append((o, list(k)))))
    assert [len(keys) for _, keys in told] == [100, 100]


@pytest.mark.parametrize("written", ["9000001-{0}", "9000001{0}", " 9000001-{0} "])
def test_an_id_is_asked_about_in_its_one_written_form(written: str) -> None:
    assert fetch(Companies([company()]), [written.format(SMITHY[-1])]).ids == [SMITHY]


def test_an_old_id_of_six_digits_is_filled_up_to_seven() -> None:
    (old,) = company_ids(900_003)
    assert fetch(Companies(), [old.lstrip("0")]).ids == [old]
    assert old.startswith("0900003-")


def test_two_customers_of_one_business_id_make_one_question() -> None:
    assert fetch(Companies([company()]), [SMITHY, SMITHY.replace("-", "")]).ids == [SMITHY]


def test_an_id_whose_check_digit_is_wrong_was_given_to_nobody_and_is_not_asked_about() -> None:
    wrong = SMITHY[:-1] + str((int(SMITHY[-1]) + 1) % 10)
    heard = fetch(Companies([company(BAKERY)]), [wrong, "nonsense", BAKERY])
    assert heard.ids == [BAKERY]
    assert heard.batch.not_held == 2
    assert heard.batch.faults == []


def test_with_no_organisation_to_ask_about_nothing_is_sent_or_announced() -> None:
    heard = fetch(Companies(), [])
    assert (heard.asked, heard.told, heard.batch.records) == ([], [], [])


def test_whoever_is_new_is_asked_and_the_others_in_turn_round_and_round() -> None:
    ids = sorted([SMITHY, BAKERY, GARDEN, CARRIER])
    new, known = ids[0], ids[1:]
    first = fetch(Companies(), ids, known, per_night=2)
    assert first.ids == [new, known[0], known[1]]
    second = fetch(Companies(), ids, known, dict(first.batch.cursor), per_night=2)
    assert second.ids == [new, known[2], known[0]]
    third = fetch(Companies(), ids, known, dict(second.batch.cursor), per_night=2)
    assert third.ids == [new, known[1], known[2]]


def test_a_small_utilitys_organisations_are_all_asked_every_night() -> None:
    ids = sorted([SMITHY, BAKERY, GARDEN])
    cursor: dict[str, object] | None = None
    for _ in range(3):
        heard = fetch(Companies(), ids, ids, cursor)
        cursor = dict(heard.batch.cursor)
        assert sorted(heard.ids) == ids


@given(
    known=st.sets(st.integers(0, 30), min_size=1),
    after=st.integers(-1, 31),
    per_night=st.integers(1, 12),
)
def test_in_a_round_everybody_has_a_turn(known: set[int], after: int, per_night: int) -> None:
    """However many go in a night and wherever the last one stopped: as many nights as it takes, all once."""
    ids = frozenset(f"{n:07d}-0" for n in known)
    source = Ytj(YtjOptions("http://127.0.0.1:1", per_night=per_night), FakeLender(()))
    cursor, met = {"after": f"{after:07d}-0"}, []
    for _ in range(-(-len(ids) // per_night)):
        ask = Ask(cursor, ids, "2026-11-02", lambda *_: None)
        new, turn = source._turn(ask, ids)
        assert new == []
        assert len(turn) == min(per_night, len(ids)) == len(set(turn))
        met += turn
        cursor = {"after": turn[-1]}
    assert set(met) == ids
    assert set(met[: len(ids)]) == ids


def test_somebody_known_who_is_no_customer_any_more_is_not_asked_about() -> None:
    assert fetch(Companies(), [SMITHY], known=[SMITHY, BAKERY]).ids == [SMITHY]


def test_whoever_a_person_waits_for_is_asked_whatever_the_turn_and_only_once() -> None:
    ids = sorted([SMITHY, BAKERY, GARDEN])
    heard = fetch(Companies(), ids, ids, {"after": ids[0]}, patience=1.5, per_night=1)
    assert sorted(heard.ids) == ids
    with pytest.raises(Unavailable), FakeServer([Reply(503)]) as server:
        opening = Opening(None, FakeLender(ids), lambda: "2026-11-02", patience=1.5)  # type: ignore[arg-type]
        ask = Ask(None, frozenset(), "2026-11-02", lambda *_: None)
        ytj.connect({"base_url": server.url}, opening).fetch(ask)
    assert len(server.asked) == 1


# what a company is called


def test_a_company_is_an_organisation_under_its_name_and_business_id() -> None:
    assert read() == {
        "party_type": "organisation",
        "business_id": SMITHY,
        "organisation_name": "Humppilan Esimerkkipaja Oy",
    }


@pytest.mark.parametrize(
    "names",
    [
        [named("Vanha Oy", endDate="2020-01-01", version=2), named("Uusi Oy")],
        [named("Firma Ab", "2"), named("Uusi Oy"), named("Aputoimi", "3")],
        [named("Toinen Oy", version=2), named("Uusi Oy", version=1)],
        [
            named("Aiempi Oy", registrationDate="2001-01-01"),
            named("Uusi Oy", registrationDate="2021-01-01"),
        ],
        [named("Uusi Oy", endDate=""), "no name at all", {"type": "1", "endDate": "2020-01-01"}],
    ],
    ids=["ended", "parallel and auxiliary", "versions", "registered last", "debris"],
)
def test_the_main_name_in_force_counts_and_no_other(names: list[object]) -> None:
    assert read(names=names)["organisation_name"] == "Uusi Oy"


def test_a_company_whose_every_name_has_ended_states_no_name() -> None:
    assert "organisation_name" not in read(names=[named("Vanha Oy", endDate="2020-01-01")])


def test_of_a_sole_trader_no_more_is_taken_than_of_any_other() -> None:
    heard = fetch(
        Companies(
            [
                company(
                    names=[named("Konekorjaus Esimerkki Tmi")],
                    owners=[{"name": "Testaaja Anna", "role": "elinkeinonharjoittaja"}],
                )
            ]
        )
    )
    assert heard.content == {
        "party_type": "organisation",
        "business_id": SMITHY,
        "organisation_name": "Konekorjaus Esimerkki Tmi",
    }
    assert heard.batch.dropped == {"owners": 1}


def test_what_the_notice_has_no_use_for_is_dropped_and_counted_by_the_name_of_its_field() -> None:
    heard = fetch(
        Companies(
            [
                company(
                    website={"url": "www.paja.invalid"}, status="2", euId=None, companyForms=[],
                    **{"Testaaja Anna": "1"},
                )
            ]
        )
    )  # fmt: skip
    assert heard.batch.dropped == {"website": 1, "status": 1, "unnamed": 1}
    assert "paja.invalid" not in json.dumps(heard.content)


# when it said so


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-10-20T09:10:11", "2026-10-20T06:10:11Z"),  # summer time
        ("2026-10-26T00:30:00", "2026-10-25T22:30:00Z"),  # winter time
        ("2026-10-20T09:10:11Z", "2026-10-20T09:10:11Z"),
        ("20.10.2026", None),
        (None, None),
        (5, None),
    ],
)
def test_a_time_without_a_zone_is_a_finnish_one(written: object, instant: str | None) -> None:
    heard = fetch(Companies([company(lastModified=written)]))
    assert heard.only.source_time == instant


# its situation


def situation(
    code: str, since: str | None = "2026-09-01", until: str | None = None
) -> dict[str, Any]:
    return {"type": code, "registrationDate": since, "endDate": until, "source": "1"}


@pytest.mark.parametrize(
    ("situations", "word"),
    [
        ([situation("KONK")], "bankruptcy"),
        ([situation("SELTILA")], "liquidation"),
        ([situation("SANE")], "restructuring"),
        ([situation("SANE"), situation("KONK"), situation("SELTILA")], "bankruptcy"),
        ([situation("SANE"), situation("SELTILA")], "liquidation"),
        ([situation("KONK", until="2026-10-01"), situation("SANE")], "restructuring"),
        ([situation("KONK", until="2026-10-01")], None),
        ([], None),
        (None, None),
    ],
)
def test_the_gravest_situation_in_force_is_told(situations: object, word: str | None) -> None:
    assert read(companySituations=situations).get("company_situation") == word


def test_a_situation_is_told_with_its_first_day() -> None:
    two = [situation("KONK", "2026-09-05"), situation("KONK", "2026-09-01")]
    assert read(companySituations=two)["situation_date"] == "2026-09-01"
    assert "situation_date" not in read(companySituations=[situation("KONK", "1.9.2026")])


def test_a_company_that_has_ended_has_ceased_whatever_stands_beside_it() -> None:
    told = read(endDate="2026-08-31", companySituations=[situation("KONK")])
    assert (told["company_situation"], told["situation_date"]) == ("ceased", "2026-08-31")
    assert "company_situation" not in read(endDate=None)
    assert "company_situation" not in read(endDate="")


def test_a_situation_nobody_has_told_us_of_is_counted_and_never_guessed() -> None:
    heard = fetch(
        Companies([company(companySituations=[situation("YRSA"), situation("Anna Testaaja")])])
    )
    assert heard.batch.unknown == {"situation YRSA": 1, "situation unnamed": 1}
    assert "company_situation" not in heard.content


# where it is


def test_the_house_number_may_stand_in_a_field_of_its_own_or_inside_the_street() -> None:
    of_its_own = placed(street="Koivutie", buildingNumber="7")
    inside = placed(street="Koivutie 7", buildingNumber=None)
    rest = {
        "address_type": "postal",
        "postal_code": "31640",
        "post_office": "HUMPPILA",
        "country": "FI",
    }
    assert of_its_own == {"street": "Koivutie", "house": "7", **rest}
    assert inside == {"street": "Koivutie 7", **rest}
    assert placed(street="Koivutie 7", buildingNumber="7") == inside


def test_an_address_is_told_whole() -> None:
    assert placed(
        type=1, street="Koivutie", buildingNumber="7a-7b", entrance="B", apartmentNumber="12",
        apartmentIdSuffix="b", co="Tilitoimisto Laskurinne", country="fi",
        registrationDate="2020-05-01",
    ) == {
        "address_type": "visiting", "street": "Koivutie", "house": "7a-7b", "stair": "B",
        "apartment": "12", "split": "b", "care_of": "Tilitoimisto Laskurinne",
        "postal_code": "31640", "post_office": "HUMPPILA", "country": "FI",
        "valid_from": "2020-05-01",
    }  # fmt: skip


def test_a_post_office_box_is_a_line() -> None:
    assert placed(postOfficeBox="5", street="Koivutie")["line"] == "PL 5"
    assert "street" not in placed(postOfficeBox=5, street="Koivutie")


@pytest.mark.parametrize(
    ("free", "line", "office"),
    [
        ("Storgatan_12 113_51_STOCKHOLM Sverige", "Storgatan 12", "113 51 STOCKHOLM, Sverige"),
        ("Storgatan_12", "Storgatan 12", None),
    ],
)
def test_a_free_address_is_unpacked_into_its_lines(
    free: str, line: str, office: str | None
) -> None:
    told = placed(freeAddressLine=free, postCode=None, postOffices=None, country="SE")
    assert (told["line"], told.get("post_office"), told["country"]) == (line, office, "SE")


def test_a_free_address_that_names_no_country_is_not_put_in_finland() -> None:
    told = placed(freeAddressLine="Storgatan_12", postCode=None, postOffices=None)
    assert "country" not in told


@pytest.mark.parametrize(
    ("cities", "office"),
    [
        ([("2", "ÅBO"), ("1", "TURKU")], "TURKU"),
        ([("3", "TURKU"), ("2", "ÅBO")], "ÅBO"),
        ([("9", "TURKU")], "TURKU"),
        ([("1", ""), ("2", "ÅBO")], "ÅBO"),
    ],
)
def test_the_post_office_is_named_in_finnish_where_it_has_a_finnish_name(
    cities: list[tuple[str, str]], office: str
) -> None:
    told = placed(
        street="Koivutie 7", postOffices=[{"city": c, "languageCode": k} for k, c in cities]
    )
    assert told["post_office"] == office


def test_an_address_with_nothing_in_it_is_none() -> None:
    empty = address(postCode=None, postOffices=[], country="FI", co="Laskurinne")
    assert "addresses" not in read(addresses=[empty])
    assert "addresses" not in read(addresses=None)


def test_an_address_of_an_unknown_type_is_counted() -> None:
    heard = fetch(Companies([company(addresses=[address(3), address("2", street="Koivutie 7")])]))
    assert heard.batch.unknown == {"address_type": 1}
    assert [a["address_type"] for a in heard.content["addresses"]] == ["postal"]


def test_the_order_in_which_addresses_are_told_makes_no_difference() -> None:
    both = [address(1, street="Koivutie 7"), address(2, postOfficeBox="5")]
    assert read(addresses=both) == read(addresses=both[::-1])


# odd answers


def test_whoever_the_register_does_not_hold_is_counted_and_nothing_is_said_of_them() -> None:
    heard = fetch(Companies([company(BAKERY)]), [SMITHY, BAKERY])
    assert [r.key for r in heard.batch.records] == [BAKERY]
    assert (heard.batch.not_held, heard.batch.fetched, heard.batch.faults) == (1, 1, [])


def test_a_company_nobody_asked_about_is_dropped_even_if_it_is_another_customers() -> None:
    lie = as_json({"totalResults": 1, "companies": [company(BAKERY)]})
    heard = fetch([lie], [SMITHY])
    assert heard.batch.records == []
    assert heard.batch.dropped == {"unasked_company": 1}
    assert heard.batch.unknown == {"other_company": 1}
    assert (heard.batch.faults, heard.batch.not_held) == ([], 0)


def test_a_company_told_beside_the_one_asked_about_is_dropped_and_ours_is_kept() -> None:
    other = company(BAKERY, names=[named("Vieras Leipomo Oy")])
    both = as_json({"totalResults": 2, "companies": [other, company(SMITHY)]})
    heard = fetch([both], [SMITHY])
    assert (heard.only.key, heard.content["business_id"]) == (SMITHY, SMITHY)
    assert heard.content["organisation_name"] == "Humppilan Esimerkkipaja Oy"
    assert (heard.batch.dropped, heard.batch.faults) == ({"unasked_company": 1}, [])


@pytest.mark.parametrize("debris", ["Anna Testaaja", None, {}, {"businessId": SMITHY}, [[]]])
def test_a_company_that_names_no_business_id_is_a_fault_without_its_content(debris: object) -> None:
    heard = fetch([as_json({"totalResults": 1, "companies": [debris]})])
    (fault,) = heard.batch.faults
    assert (fault.rule, fault.key) == ("unreadable_company", SMITHY)
    assert "Testaaja" not in repr(fault)


def test_a_company_of_odd_parts_is_survived() -> None:
    odd = company(
        names="x", addresses=[None, 5, {"type": True}], companySituations={"type": "KONK"},
        endDate=["2020"], lastModified={},
    )  # fmt: skip
    heard = fetch(Companies([odd]))
    assert heard.content == {"party_type": "organisation", "business_id": SMITHY}


def test_a_page_that_says_there_are_more_is_not_turned() -> None:
    """A page past the last one is the first one again: whoever turns pages until one is empty never ends."""
    heard = fetch([as_json({"totalResults": 500, "companies": [company()]})])
    assert len(heard.asked) == 1
    assert "page" not in heard.asked[0].path


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"companies": {}}', b"not json", b""])
def test_an_answer_that_is_no_list_of_companies_is_refused_whole(body: bytes) -> None:
    with pytest.raises(Malformed):
        fetch([Reply(200, body)])


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"timestamp": "2026-11-02 01:30:00", "message": "Anna", "errorcode": 3}', Refused),
        (400, b'{"timestamp": "2026-11-02 01:30:00", "message": "Anna", "code": 3}', Refused),
        (500, b'{"timestamp": "2026-11-02 01:30:00", "message": "Anna", "errorcode": 0}', Unavailable),
        (503, b"", Unavailable),
        (429, b"Anna asked too often", Unavailable),
    ],
)  # fmt: skip
def test_an_error_is_told_by_its_status_and_never_by_its_words(
    status: int, body: bytes, error: type[ConnectorError]
) -> None:
    with pytest.raises(error, match=str(status)) as told:
        fetch(lambda _: Reply(status, body))
    assert "Anna" not in str(told.value)
    assert SMITHY not in str(told.value)


def test_a_register_that_asks_for_patience_in_plain_text_gets_it() -> None:
    answer = as_json({"totalResults": 1, "companies": [company()]})
    busy = Reply(429, b"too many requests", {"Retry_After": "1", "Content_Type": "text/plain"})
    heard = fetch([busy, busy, answer])
    assert heard.only.key == SMITHY
    assert len(heard.asked) == 3


# the options


def test_a_check_names_nobody() -> None:
    with FakeServer([Reply(200, b"KONK\t1\tKonkurssi")]) as server:
        said = Ytj(YtjOptions(f"{server.url}/v3"), FakeLender([SMITHY])).check()
    assert said.endswith("answers")
    assert server.asked[0].path == "/v3/description?code=KONK&lang=fi"


@pytest.mark.parametrize(
    ("options", "word"),
    [({"per_night": 0}, "per_night"), ({"base_url": "http://ytj.example"}, "plain http")],
)
def test_options_that_cannot_be_used_are_refused(options: dict[str, Any], word: str) -> None:
    opening = Opening(None, FakeLender(()), lambda: "2026-11-02")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=word):
        ytj.connect({"base_url": "https://ytj.example/v3"} | options, opening)
