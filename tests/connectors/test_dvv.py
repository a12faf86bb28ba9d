import hashlib
import json
import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.base import (
    Ask,
    Batch,
    Borrowed,
    ConnectorError,
    CursorWentBack,
    Malformed,
    Record,
    Refused,
    Unavailable,
)
from connectors.sources.dvv import Dvv, DvvOptions
from tests.connectors.fake_http import Asked, FakeServer, Reply, as_json

TODAY = "2026-11-02"


def person(number: int, day: str = "010180", sign: str = "-") -> str:
    """A valid code of somebody who cannot exist."""
    assert 900 <= number <= 999
    return f"{day}{sign}{number}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(f'{day}{number}') % 31]}"


ANNA, BERTTA, CECILIA, DAAVID = (person(n) for n in (901, 902, 903, 904))


class FakeTokens:
    key_id = "k1"

    def person(self, identity_code: str) -> str:
        return "p" + hashlib.sha256(identity_code.encode()).hexdigest()[:12]

    def birth(self, birth_date: str) -> str:
        return "b" + hashlib.sha256(birth_date.encode()).hexdigest()[:12]


TOKENS = FakeTokens()


def token(code: str) -> str:
    return TOKENS.person(code)


@dataclass
class FakeLender:
    codes: Sequence[str]

    def borrow(self, customers: Collection[str] | None = None) -> Borrowed:
        return Borrowed(people={str(n): code for n, code in enumerate(self.codes, 1)})


def group(kind: str, attribute: str | None = None, **fields: object) -> dict[str, object]:
    stated = {"muutosattribuutti": attribute} if attribute else {}
    return {"tietoryhma": kind, **stated, **fields}


def day(text: str) -> dict[str, str]:
    return {"arvo": text, "tarkkuus": "PAIVA"}


def name(family: str = "Testaaja", given: str = "Anna Maria") -> dict[str, object]:
    return group("HENKILON_NIMI", etunimi=given, sukunimi=family, alkupv=day("2001-01-01"))


def home(street: str = "Koivutie", **more: object) -> dict[str, object]:
    return group(
        "VAKINAINEN_KOTIMAINEN_OSOITE",
        **{
            "katunimi": {"fi": street},
            "katunumero": "3",
            "postinumero": "31640",
            "postitoimipaikka": {"fi": "HUMPPILA"},
            "rakennustunnus": "9000000000",
            "alkupv": day("2020-05-01"),
            **more,
        },
    )


def change(
    code: str, *groups: object, at: str | None = "2026-11-01T22:00:00.000Z"
) -> dict[str, object]:
    return {"henkilotunnus": code, "muutospv": at, "tietoryhmat": list(groups)}


def page(*changes: object, at: object = 105, up_to_date: object = True) -> dict[str, object]:
    return {"viimeisinKirjausavain": at, "ajanTasalla": up_to_date, "muutokset": list(changes)}


@dataclass
class Register:
    """A DVV that answers /muutokset with pages in turn (then nothing new) and /perustiedot by code."""

    pages: list[object] = field(default_factory=list)
    people: dict[str, list[object]] = field(default_factory=dict)
    first: object = 100
    told: list[tuple[str, list[str]]] = field(default_factory=list)
    base_extra: dict[str, object] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.startswith("/api/v1/kirjausavain/"):
            return as_json({"viimeisinKirjausavain": self.first})
        body = asked.json
        operation = asked.path.removeprefix("/api/v1/")
        if "hetulista" in body:
            announced = [(o, sorted(keys)) for o, keys in self.told]
            if (operation, sorted(map(token, body["hetulista"]))) not in announced:
                return Reply(418, b"nobody announced this")
        if operation == "muutokset":
            if self.pages:
                return as_json(self.pages.pop(0))
            return as_json(page(at=body["viimeisinKirjausavain"]))
        assert operation == "perustiedot"
        found = [
            {"henkilotunnus": code, "tietoryhmat": self.people[code]}
            for code in body["hetulista"]
            if code in self.people
        ]
        return as_json({"ajanTasalla": True, "perustiedot": found, **self.base_extra})


@dataclass
class Heard:
    batch: Batch
    asked: list[Asked]
    told: list[tuple[str, list[str]]]

    def bodies(self, operation: str) -> list[Any]:
        return [a.json for a in self.asked if a.path == f"/api/v1/{operation}"]

    @property
    def only(self) -> Record:
        (record,) = self.batch.records
        return record

    @property
    def content(self) -> dict[str, Any]:
        return dict(self.only.content)


def fetch(
    answer: Callable[[Asked], Reply],
    codes: Sequence[str] = (ANNA,),
    known: Iterable[str] = (),
    cursor: dict[str, object] | None = None,
    **options: Any,
) -> Heard:
    told: list[tuple[str, list[str]]] = answer.told if isinstance(answer, Register) else []
    with FakeServer(answer) as server:
        dvv = Dvv(
            DvvOptions(
                base_url=server.url,
                username="hubi",
                password="salasana",
                client="FI-TEST/MUN/1234567-1/vesi",
                allow_test_identities=True,
                **options,
            ),
            FakeLender(codes),
            TOKENS,
            lambda: TODAY,
            sleep=lambda _: None,
        )
        ask = Ask(
            cursor=cursor,
            known=frozenset(map(token, known)),
            business_date=TODAY,
            announce=lambda operation, keys: told.append((operation, list(keys))),
        )
        return Heard(dvv.fetch(ask), server.asked, told)


def changed(register: Register, **more: Any) -> Heard:
    """Anna is known and the cursor stands at 100."""
    return fetch(register, known=[ANNA], cursor={"kirjausavain": 100}, **more)


def base(*groups: object) -> dict[str, Any]:
    """What becomes of Anna when base data says this of her."""
    return fetch(Register(people={ANNA: [name(), *groups]})).content


# who is asked about, and what is said before asking


def test_the_first_night_asks_a_baseline_for_every_own_customer() -> None:
    register = Register(people={ANNA: [name(), home()], BERTTA: [name("Virta", "Bertta")]})
    heard = fetch(register, [ANNA, BERTTA])
    assert [a.path for a in heard.asked] == [
        f"/api/v1/kirjausavain/{TODAY}",
        "/api/v1/muutokset",
        "/api/v1/perustiedot",
    ]
    assert heard.batch.cursor == {"kirjausavain": 100}
    assert [r.key for r in heard.batch.records] == [token(ANNA), token(BERTTA)]
    assert heard.batch.records[0] == Record(
        "party",
        token(ANNA),
        None,
        {
            "party_type": "person",
            "person_key": token(ANNA),
            "birth_key": TOKENS.birth("1980-01-01"),
            "key_id": "k1",
            "family_name": "Testaaja",
            "given_names": "Anna Maria",
            "addresses": [
                {
                    "address_type": "permanent",
                    "street": "Koivutie",
                    "house": "3",
                    "postal_code": "31640",
                    "post_office": "HUMPPILA",
                    "country": "FI",
                    "valid_from": "2020-05-01",
                }
            ],
        },
    )


def test_no_identity_code_leaves_the_connector() -> None:
    """R9, DESIGN 2: the notice lists no henkilötunnus."""
    register = Register(
        [page(change(ANNA, name()), change("rikki", name()))],
        {ANNA: [name(), home()]},
    )
    heard = fetch(register, [ANNA, BERTTA])
    assert ANNA not in repr(heard.batch) + repr(heard.told)
    assert BERTTA not in repr(heard.batch) + repr(heard.told)


def test_credentials_and_the_client_header_are_sent_and_a_given_api_path_is_not_doubled() -> None:
    with FakeServer(Register()) as server:
        options = DvvOptions(f"{server.url}/api/v1/", "hubi", "salasana", "FI/MUN/1-2/vesi")
        said = Dvv(options, FakeLender([]), TOKENS, lambda: TODAY).check()
    (asked,) = server.asked
    assert asked.path == f"/api/v1/kirjausavain/{TODAY}"
    assert asked.headers["X-Road-Client"] == "FI/MUN/1-2/vesi"
    assert asked.headers["Authorization"].startswith("Basic ")
    assert "borrowed" in said


def test_questions_are_announced_before_they_leave() -> None:
    """R23. The register here answers 418 to any list of people that nobody announced."""
    heard = fetch(Register(people={ANNA: [name()]}))
    assert heard.told == [("muutokset", [token(ANNA)]), ("perustiedot", [token(ANNA)])]


def test_a_question_that_can_not_be_announced_is_not_asked() -> None:
    class LogIsDown(Exception):
        pass

    def down(operation: str, keys: Sequence[str]) -> None:
        raise LogIsDown

    with FakeServer(Register()) as server:
        options = DvvOptions(server.url, "u", "p", "c", allow_test_identities=True)
        dvv = Dvv(options, FakeLender([ANNA]), TOKENS, lambda: TODAY)
        with pytest.raises(LogIsDown):
            dvv.fetch(Ask(None, frozenset(), TODAY, down))
    assert [a.method for a in server.asked] == ["GET"]


def test_both_questions_go_in_batches_and_everybody_is_in_exactly_one() -> None:
    codes = [person(n) for n in range(900, 912)]
    register = Register(people={c: [name()] for c in codes})
    heard = fetch(register, codes, changes_batch=5, base_data_batch=7)
    lists = [b["hetulista"] for b in heard.bodies("muutokset")]
    assert [len(x) for x in lists] == [5, 5, 2]
    assert [code for one in lists for code in one] == codes
    lists = [b["hetulista"] for b in heard.bodies("perustiedot")]
    assert [len(x) for x in lists] == [7, 5]
    assert [code for one in lists for code in one] == codes
    assert len(heard.batch.records) == 12


def test_a_customer_who_is_there_twice_is_asked_about_once() -> None:
    heard = fetch(Register(people={ANNA: [name()]}), [ANNA, ANNA.lower(), f" {ANNA}"])
    assert heard.bodies("muutokset")[0]["hetulista"] == [ANNA]


def test_only_what_the_notice_needs_is_asked_for() -> None:
    """R10, R13: no former names, e-mail, sex, citizenship, religion or family."""
    heard = fetch(Register(people={ANNA: [name()]}))
    assert set(heard.bodies("perustiedot")[0]["tietoryhmat"]) == {
        "HENKILON_NIMI", "KUTSUMANIMI", "TURVAKIELTO", "KUOLINPAIVA", "HENKILOTUNNUS_KORJAUS",
        "KOTIMAINEN_POSTIOSOITE", "TILAPAINEN_KOTIMAINEN_OSOITE", "VAKINAINEN_KOTIMAINEN_OSOITE",
        "TILAPAINEN_ULKOMAINEN_OSOITE", "VAKINAINEN_ULKOMAINEN_OSOITE", "ASIOINTIKIELI", "AIDINKIELI",
    }  # fmt: skip


@pytest.mark.parametrize("codes", [[], ["rikki"]])
def test_an_empty_list_is_never_sent(codes: list[str]) -> None:
    """Nobody knows whether DVV would read it as everybody (FORMATS §10.2)."""
    heard = fetch(Register(), codes, cursor={"kirjausavain": 7})
    assert heard.asked == []
    assert heard.batch == Batch((), {"kirjausavain": 7}, 0)


def test_a_test_identity_is_not_asked_about_in_production() -> None:
    with FakeServer(Register()) as server:
        dvv = Dvv(DvvOptions(server.url, "u", "p", "c"), FakeLender([ANNA]), TOKENS, lambda: TODAY)
        assert dvv.fetch(Ask(None, frozenset(), TODAY, lambda *_: None)).records == ()
    assert server.asked == []


def test_the_permits_selection_needs_a_person_who_answers_for_it() -> None:
    for blank in ("", "  "):
        with pytest.raises(Refused, match="permit_confirmed_by"):
            fetch(Register(), selection="permit", permit_confirmed_by=blank)


def test_the_permits_selection_sends_no_list_and_takes_everybody_who_changed() -> None:
    register = Register([page(change(BERTTA, name()))], {BERTTA: [name("Virta")]})
    heard = fetch(register, [ANNA], selection="permit", permit_confirmed_by="T. Esimies")
    assert heard.bodies("muutokset") == [{"viimeisinKirjausavain": 100}]
    assert heard.told == [("perustiedot", [token(BERTTA)])]
    assert heard.only.key == token(BERTTA)


def test_with_selection_none_nothing_is_asked() -> None:
    heard = fetch(Register(), selection="none", cursor={"kirjausavain": 7})
    assert heard.asked == []
    assert heard.batch.cursor == {"kirjausavain": 7}


def test_an_option_that_makes_no_sense_is_not_accepted() -> None:
    for bad in ({"selection": "all"}, {"changes_batch": 0}, {"base_data_batch": -1}):
        with pytest.raises(ValueError, match=r"selection|batch"):
            DvvOptions("https://dvv.example", "u", "p", "c", **bad)
    with pytest.raises(ValueError, match="plain http"):
        DvvOptions("http://dvv.example", "u", "p", "c")


# the cursor


def test_pages_are_followed_until_the_feed_is_up_to_date() -> None:
    register = Register(
        [page(change(ANNA, name()), at=103, up_to_date=False), page(at="108", up_to_date=False)],
        {ANNA: [name()]},
    )
    heard = changed(register)
    assert [b["viimeisinKirjausavain"] for b in heard.bodies("muutokset")] == [100, 103, 108]
    assert heard.batch.cursor == {"kirjausavain": 108}
    assert len(heard.batch.records) == 1


def test_a_position_may_be_a_number_or_text_and_is_always_sent_as_a_number() -> None:
    heard = fetch(Register([page(at="00120")], {ANNA: [name()]}, first="100"))
    assert heard.bodies("muutokset")[0]["viimeisinKirjausavain"] == 100
    assert heard.batch.cursor == {"kirjausavain": 120}


def test_the_smallest_end_of_all_batches_is_the_new_cursor() -> None:
    register = Register([page(at=120), page(at=111), page(at=130)])
    codes = [ANNA, BERTTA, CECILIA]
    heard = fetch(register, codes, codes, {"kirjausavain": 100}, changes_batch=1)
    assert heard.batch.cursor == {"kirjausavain": 111}


def test_a_feed_that_goes_back_is_stopped() -> None:
    for first in (page(at=99), page(at="99", up_to_date=False)):
        with pytest.raises(CursorWentBack, match="99 after 100"):
            changed(Register([first]))


def test_a_feed_that_never_moves_on_is_stopped() -> None:
    with pytest.raises(Malformed, match="stays at position 100"):
        changed(Register([page(at=100, up_to_date=False)] * 3))


def test_a_feed_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.sources.dvv._MOST_PAGES", 5)
    with pytest.raises(Malformed, match="after 5 pages"):
        changed(Register([page(at=n, up_to_date=False) for n in range(101, 120)]))


@pytest.mark.parametrize(
    "answer",
    [
        [],
        None,
        {},
        page(at=None),
        page(at=True),
        page(at=-1),
        page(at=1.5),
        page(at="1x"),
        page(at="٣"),
        page(up_to_date=None),
        page(up_to_date="true"),
        {**page(), "muutokset": None},
        {**page(), "muutokset": {}},
    ],
)
def test_an_unreadable_page_takes_nothing_in(answer: object) -> None:
    with pytest.raises(Malformed):
        changed(Register([answer], {ANNA: [name()]}))


@pytest.mark.parametrize("people", [None, {}, "x"])
def test_unreadable_base_data_as_a_whole_is_malformed(people: object) -> None:
    with pytest.raises(Malformed):
        fetch(Register(base_extra={"perustiedot": people}))


def test_a_quiet_night_asks_for_no_base_data() -> None:
    heard = changed(Register())
    assert heard.bodies("perustiedot") == []
    assert heard.batch == Batch([], {"kirjausavain": 100}, 0, total=1, faults=[])


# what matters


def test_a_change_in_a_wanted_group_brings_base_data_with_the_time_of_the_newest_change() -> None:
    register = Register(
        [
            page(
                change(ANNA, home("Uusitie"), at="2026-11-02T00:30:00.123+02:00"),
                change(ANNA, name(), at="2026-11-01T21:00:00Z"),
                change(ANNA, name(), at="eilen"),
                change(ANNA, name(), at=None),
                change(ANNA, name(), at="2026-11-02T09:00:00"),
            )
        ],
        {ANNA: [name(), home("Uusitie")]},
    )
    heard = changed(register)
    assert heard.only.source_time == "2026-11-01T22:30:00Z"
    assert heard.content["addresses"][0]["street"] == "Uusitie"


def test_changes_the_notice_does_not_need_are_dropped_and_counted() -> None:
    register = Register(
        [
            page(
                change(ANNA, group("SIVIILISAATY", "MUUTETTU", siviilisaaty="LESKI")),
                change(ANNA, group("SAHKOPOSTIOSOITE", "LISATTY"), group("HUOLTAJA_SUPPEA")),
                change(ANNA, group("SAHKOPOSTIOSOITE", "MUUTETTU")),
            )
        ]
    )
    heard = changed(register)
    assert heard.batch.records == []
    assert heard.batch.fetched == 3
    dropped = {"SIVIILISAATY": 1, "SAHKOPOSTIOSOITE": 2, "HUOLTAJA_SUPPEA": 1}
    assert heard.batch.dropped == dropped
    assert heard.batch.unknown == {}


def test_an_email_address_in_base_data_is_dropped_and_counted() -> None:
    """R13: an update service is heard on names and addresses only."""
    email = group("SAHKOPOSTIOSOITE", sahkopostiosoite="anna@example.fi", lajikoodi="X")
    heard = fetch(Register(people={ANNA: [name(), email]}))
    assert "example" not in json.dumps(heard.content)
    assert heard.batch.dropped == {"SAHKOPOSTIOSOITE": 1}


def test_context_alone_is_no_change() -> None:
    register = Register([page(change(ANNA, {**name(), "muutosattribuutti": "LISATIETO"}))])
    assert changed(register).bodies("perustiedot") == []


@pytest.mark.parametrize(
    ("strange", "counted"),
    [
        (group("UUSI_RYHMA", "LISATTY", salaisuus="x"), "UUSI_RYHMA"),
        (group("UUSI_RYHMA", "LISATIETO"), "UUSI_RYHMA"),
        (group("Anna Testaaja 010180"), "unnamed"),
        ({"muutosattribuutti": "LISATTY"}, "unnamed"),
        (group("KUOLINPAIVA", "LISATTY", kuollut=None), "KUOLINPAIVA"),
        ("not a group", "unnamed"),
        (None, "unnamed"),
    ],
)
def test_an_unknown_group_is_loud_and_the_person_is_asked_about_again(
    strange: object, counted: str
) -> None:
    heard = changed(Register([page(change(ANNA, strange))], {ANNA: [name()]}))
    assert heard.batch.unknown == {counted: 1}
    assert heard.only.key == token(ANNA)


def test_a_change_without_groups_is_loud_and_the_person_is_asked_about_again() -> None:
    broken = {"henkilotunnus": ANNA, "muutospv": None}
    heard = changed(Register([page(broken)], {ANNA: [name()]}))
    assert heard.batch.unknown == {"no_groups": 1}
    assert heard.only.source_time is None


def test_people_nobody_asked_about_are_dropped_and_counted() -> None:
    """R13, DESIGN 4: a night leaves no trace of a non-customer."""
    people = [{"henkilotunnus": c, "tietoryhmat": [name()]} for c in (ANNA, DAAVID)]
    register = Register([page(change(DAAVID, name()))], base_extra={"perustiedot": people})
    heard = fetch(register)
    assert heard.only.key == token(ANNA)
    assert heard.batch.dropped == {"unasked_person": 2}


@pytest.mark.parametrize(
    "raw", [None, [], "x", {}, {"henkilotunnus": 5}, {"henkilotunnus": "010180-999B"}]
)
def test_a_message_nobody_can_tie_to_a_person_is_quarantined_without_values(raw: object) -> None:
    register = Register([page(raw, change(ANNA, name()), raw)], {ANNA: [name()]})
    heard = changed(register)
    assert [f.key for f in heard.batch.faults] == ["unreadable-1", "unreadable-2"]
    assert {f.rule for f in heard.batch.faults} == {"unreadable_identity"}
    assert "999B" not in repr(heard.batch.faults)
    assert heard.only.key == token(ANNA)


def test_somebody_base_data_leaves_out_is_quarantined() -> None:
    heard = fetch(Register(people={ANNA: [name()]}), [ANNA, BERTTA])
    (fault,) = heard.batch.faults
    assert (fault.kind, fault.key, fault.rule) == ("party", token(BERTTA), "no_base_data")
    assert heard.only.key == token(ANNA)


def test_base_data_that_says_nothing_of_a_person_counts_as_left_out() -> None:
    """What DVV answers to a retired code: an empty correction and no more."""
    heard = fetch(Register(people={ANNA: [group("HENKILOTUNNUS_KORJAUS")]}))
    assert [f.rule for f in heard.batch.faults] == ["no_base_data"]
    assert heard.batch.records == []


def test_base_data_without_groups_is_quarantined() -> None:
    person_only = {"perustiedot": [{"henkilotunnus": ANNA, "tietoryhmat": None}]}
    heard = fetch(Register(base_extra=person_only))
    assert [(f.key, f.rule) for f in heard.batch.faults] == [(token(ANNA), "unreadable_base_data")]


def test_base_data_that_lags_behind_the_feed_is_loud() -> None:
    register = Register(people={ANNA: [name()]}, base_extra={"ajanTasalla": False})
    assert fetch(register).batch.unknown == {"perustiedot_not_up_to_date": 1}


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (group("TURVAKIELTO", "LISATTY", turvakieltoAktiivinen=True), {"protection": "on"}),
        (
            group("KUOLINPAIVA", "LISATTY", kuollut=True, kuolinpv=day("2026-10-30")),
            {"is_deceased": True, "death_date": "2026-10-30"},
        ),
    ],
)
def test_a_restriction_or_a_death_counts_even_if_base_data_is_left_out(
    said: object, left: dict[str, object]
) -> None:
    """R56."""
    heard = changed(Register([page(change(ANNA, said, home()))]))
    assert [f.rule for f in heard.batch.faults] == ["no_base_data"]
    identity = {"party_type", "person_key", "birth_key", "key_id"}
    assert {k: v for k, v in heard.content.items() if k not in identity} == left


def test_a_lifted_restriction_does_not_count_if_base_data_is_left_out() -> None:
    lifted = group("TURVAKIELTO", "MUUTETTU", turvakieltoAktiivinen=False)
    assert changed(Register([page(change(ANNA, lifted))])).batch.records == []


# protective orders


@pytest.mark.parametrize(
    "restricted",
    [
        [group("TURVAKIELTO", turvakieltoAktiivinen=True), home()],
        [group("TURVAKIELTO", turvakieltoAktiivinen=None), home()],
        [group("TURVAKIELTO"), home()],
        [group("TURVAKIELTO", turvakieltoAktiivinen="false"), home()],
        [group("TURVAKIELTO", turvakieltoAktiivinen=0), home()],
        [group("TURVAKIELTO", turvakieltoAktiivinen=False), group("TURVAKIELTO"), home()],
        [home(), home(turvakiellonAlaisetKentat=["katunimi"])],
        [home(), group("SAHKOPOSTIOSOITE", turvakiellonAlaisetKentat=[])],
        [home(), group("KOTIKUNTA", turvakiellonAlaisetKentat=None)],
        [home(), group("AIVAN_UUSI", turvakiellonAlaisetKentat="?")],
        [
            group("TURVAKIELTO", turvakieltoAktiivinen=False),
            home(turvakiellonAlaisetKentat=["katunimi"]),
        ],
        [group("VAKINAINEN_KOTIMAINEN_OSOITE")],
        [
            group("VAKINAINEN_KOTIMAINEN_OSOITE", katunimi=None, postinumero=" "),
            group("KOTIMAINEN_POSTIOSOITE", postiosoite={"fi": "", "sv": None}),
        ],
        [group("VAKINAINEN_ULKOMAINEN_OSOITE", lahiosoite=None, valtiokoodi=None)],
    ],
)
def test_anything_but_a_plain_no_about_restriction_hides_all_addresses(
    restricted: list[object],
) -> None:
    """R56, DESIGN 12."""
    content = base(*restricted)
    assert content["protection"] == "on"
    assert "addresses" not in content
    assert content["family_name"] == "Testaaja"


def test_silence_about_restriction_is_not_a_statement() -> None:
    assert "protection" not in base(home())
    assert "protection" not in base()
    assert "protection" not in base(home(), group("KOTIMAINEN_POSTIOSOITE"))


def test_a_plain_no_is_stated_and_the_address_is_there() -> None:
    content = base(
        group("TURVAKIELTO", turvakieltoAktiivinen=False, turvaLoppuPv=day("2026-10-01")), home()
    )
    assert content["protection"] == "off"
    assert "protection_until" not in content
    assert len(content["addresses"]) == 1


def test_the_end_of_an_order_is_told_when_it_is_known() -> None:
    on = group("TURVAKIELTO", turvakieltoAktiivinen=True, turvaLoppuPv=day("2028-01-31"))
    assert base(on)["protection_until"] == "2028-01-31"
    assert "protection_until" not in base(on, group("TURVAKIELTO", turvakieltoAktiivinen=True))


def test_an_order_whose_end_has_passed_stays_on_until_dvv_says_otherwise() -> None:
    on = group("TURVAKIELTO", turvakieltoAktiivinen=True, turvaLoppuPv=day("2020-01-31"))
    assert base(on)["protection"] == "on"


def test_the_dead_have_no_address_without_being_restricted() -> None:
    dead = group("KUOLINPAIVA", kuollut=True, kuolinpv=day("2026-10-30"))
    content = base(dead, group("VAKINAINEN_KOTIMAINEN_OSOITE"))
    assert "protection" not in content


ON = group("TURVAKIELTO", "LISATTY", turvakieltoAktiivinen=True)
OFF = group("TURVAKIELTO", "MUUTETTU", turvakieltoAktiivinen=False)
EARLY, LATE = "2026-11-01T08:00:00Z", "2026-11-01T09:00:00Z"


@pytest.mark.parametrize(
    ("changes", "protection"),
    [
        ([change(ANNA, OFF)], "off"),
        ([change(ANNA, ON, at=EARLY), change(ANNA, OFF, at=LATE)], "off"),
        ([change(ANNA, OFF, at=EARLY), change(ANNA, ON, at=LATE)], "on"),
        ([change(ANNA, ON, at=LATE), change(ANNA, OFF, at=LATE)], "on"),
        ([change(ANNA, ON, at=None), change(ANNA, OFF, at=LATE)], "on"),
        ([change(ANNA, ON, at=LATE), change(ANNA, OFF, at=None)], "on"),
        ([change(ANNA, OFF, at=None)], "off"),
        ([change(ANNA, home(turvakiellonAlaisetKentat=[]))], "on"),
        ([change(ANNA, group("KOTIKUNTA", "LISATTY", turvakiellonAlaisetKentat=[]))], "on"),
        ([change(ANNA, group("TURVAKIELTO", "POISTETTU", turvakieltoAktiivinen=True))], "on"),
        (
            [
                change(
                    ANNA,
                    group("TURVAKIELTO", "KORJATTU", turvakieltoAktiivinen=False),
                    group("TURVAKIELTO", "KORJATTAVA", turvakieltoAktiivinen=True),
                )
            ],
            "off",
        ),
    ],
)
def test_where_base_data_is_silent_the_latest_word_of_the_feed_counts_in_any_order(
    changes: list[object], protection: str
) -> None:
    """R56: an order is lifted only by its own origin, and base data leaves TURVAKIELTO out then."""
    for order in (changes, changes[::-1]):
        content = changed(Register([page(*order)], {ANNA: [name(), home()]})).content
        assert content["protection"] == protection
        assert ("addresses" in content) == (protection == "off")


def test_base_data_outranks_the_feed_when_it_speaks() -> None:
    lifted = group("TURVAKIELTO", turvakieltoAktiivinen=False)
    heard = changed(Register([page(change(ANNA, ON))], {ANNA: [name(), home(), lifted]}))
    assert heard.content["protection"] == "off"
    set_again = group("TURVAKIELTO", turvakieltoAktiivinen=True)
    heard = changed(Register([page(change(ANNA, OFF))], {ANNA: [name(), set_again]}))
    assert heard.content["protection"] == "on"


# death


def test_a_death_is_told_with_its_day() -> None:
    content = base(group("KUOLINPAIVA", kuollut=True, kuolinpv=day("2026-10-30")))
    assert (content["is_deceased"], content["death_date"]) == (True, "2026-10-30")


def test_a_death_without_a_known_day_is_still_a_death() -> None:
    content = base(
        group("KUOLINPAIVA", kuollut=True, kuolinpv={"arvo": "2026-10", "tarkkuus": "KUUKAUSI"})
    )
    assert content["is_deceased"] is True
    assert "death_date" not in content


@pytest.mark.parametrize(
    "reversal",
    [
        [
            group("KUOLINPAIVA", "KORJATTAVA", kuollut=True, kuolinpv=day("2018-05-01")),
            group("KUOLINPAIVA", "KORJATTU", kuollut=False),
        ],
        [group("KUOLINPAIVA", "POISTETTU", kuollut=True, kuolinpv=day("2018-05-01"))],
    ],
)
def test_a_reversed_death_is_stated_even_where_base_data_no_longer_mentions_it(
    reversal: list[object],
) -> None:
    for order in (reversal, reversal[::-1]):
        heard = changed(Register([page(change(ANNA, *order))], {ANNA: [name(), home()]}))
        assert heard.content["is_deceased"] is False
        assert "death_date" not in heard.content


# corrected codes


def correction(active: str, *former: str) -> list[dict[str, object]]:
    return [
        group(
            "HENKILOTUNNUS_KORJAUS", "LISATTY", voimassaolo="AKTIIVI", muutettuHenkilotunnus=active,
            aktiivinenHenkilotunnus=active, edellisetHenkilotunnukset=list(former),
        ),
        group(
            "HENKILOTUNNUS_KORJAUS", "MUUTETTU", voimassaolo="PASSIIVI", muutettuHenkilotunnus=former[-1],
            aktiivinenHenkilotunnus=active, edellisetHenkilotunnukset=list(former),
        ),
    ]  # fmt: skip


NEW = person(950, "020282")


@pytest.mark.parametrize("named", [ANNA, NEW])
def test_a_corrected_code_in_the_feed_moves_the_record_to_the_code_in_force(named: str) -> None:
    register = Register(
        [page(change(named, *correction(NEW, ANNA)))],
        {NEW: [name(), group("HENKILOTUNNUS_KORJAUS")]},
    )
    heard = changed(register)
    assert heard.told[-1] == ("perustiedot", [token(NEW)])
    assert heard.only.key == heard.content["person_key"] == token(NEW)
    assert heard.content["superseded_person_keys"] == [token(ANNA)]
    assert heard.content["birth_key"] == TOKENS.birth("1982-02-02")
    assert heard.batch.faults == []


def test_a_corrected_code_in_base_data_answers_for_the_retired_one() -> None:
    """The own register still lends the retired code; base data answers under either."""
    for named in (ANNA, NEW):
        people = [{"henkilotunnus": named, "tietoryhmat": [name(), *correction(NEW, ANNA)]}]
        heard = fetch(Register(base_extra={"perustiedot": people}))
        assert heard.only.key == token(NEW)
        assert heard.content["superseded_person_keys"] == [token(ANNA)]
        assert heard.batch.faults == []


def test_changes_before_and_after_a_correction_are_one_person_in_any_order() -> None:
    third = person(960)
    changes = [
        change(ANNA, ON, at="2026-11-01T08:00:00Z"),
        change(NEW, *correction(NEW, ANNA), at="2026-11-01T09:00:00Z"),
        change(NEW, *correction(third, ANNA, NEW), at="2026-11-01T10:00:00Z"),
    ]
    for order in (changes, changes[::-1], [changes[1], changes[2], changes[0]]):
        heard = changed(Register([page(*order)], {third: [name(), home()]}))
        assert heard.only.key == token(third)
        assert heard.content["superseded_person_keys"] == sorted([token(ANNA), token(NEW)])
        assert heard.content["protection"] == "on"
        assert heard.only.source_time == "2026-11-01T10:00:00Z"


def test_a_correction_taken_back_ends_at_the_first_code() -> None:
    changes = [
        change(NEW, *correction(NEW, ANNA), at="2026-11-01T09:00:00Z"),
        change(ANNA, *correction(ANNA, NEW), at="2026-11-01T10:00:00Z"),
    ]
    for order in (changes, changes[::-1]):
        heard = changed(Register([page(*order)], {ANNA: [name()]}))
        assert heard.only.key == token(ANNA)
        assert heard.content["superseded_person_keys"] == [token(NEW)]


def test_a_correction_to_an_unreadable_code_is_loud() -> None:
    broken = group("HENKILOTUNNUS_KORJAUS", "LISATTY", aktiivinenHenkilotunnus="020282-95")
    heard = changed(Register([page(change(ANNA, broken))], {ANNA: [name()]}))
    assert heard.only.key == token(ANNA)
    assert heard.batch.unknown == {"HENKILOTUNNUS_KORJAUS": 1}


# names and addresses


def test_the_utf8_name_is_preferred() -> None:
    full = group(
        "HENKILON_NIMI", etunimi="Nils-Aslak", sukunimi="Sara", etunimiUTF8="Niillas", sukunimiUTF8="Sára-Guhttor"
    )  # fmt: skip
    content = fetch(Register(people={ANNA: [full]})).content
    assert (content["family_name"], content["given_names"]) == ("Sára-Guhttor", "Niillas")


def test_the_name_in_force_is_chosen_by_date() -> None:
    names = [
        group("HENKILON_NIMI", etunimi="Anna", sukunimi="Vanha", alkupv=day("1990-01-01")),
        group("HENKILON_NIMI", etunimi="Anna", sukunimi="Nykyinen", alkupv=day("2020-01-01")),
        group("HENKILON_NIMI", etunimi="Anna", sukunimi="Tuleva", alkupv=day("2026-12-01")),
    ]
    for order in (names, names[::-1]):
        content = fetch(Register(people={ANNA: order})).content
        assert content["family_name"] == "Nykyinen"


def test_the_called_name_is_the_current_one() -> None:
    called = [
        group("KUTSUMANIMI", nimilaji="NYKYINEN_KUTSUMANIMI", nimi="Maria", alkupv=day("2019-05-10")),
        group("KUTSUMANIMI", nimilaji="EDELLINEN_KUTSUMANIMI", nimi="Anna", loppupv=day("2019-05-10")),
        group("NIMENMUUTOS", nimilaji="EDELLINEN_SUKUNIMI", nimi="Kajander"),
        group(
            "NIMENMUUTOS", nimilaji="NYKYINEN_KUTSUMANIMI", nimi="Ilse",
            alkupv=day("2001-01-01"), loppupv=day("2019-05-09"),
        ),
    ]  # fmt: skip
    content = base(*called)
    assert content["called_name"] == "Maria"
    assert "Kajander" not in json.dumps(content)


def test_all_addresses_are_carried_with_half_open_dates() -> None:
    content = base(
        home(
            "Gabrielantie",
            katunumero="6a-6b",
            huoneistokirjain="A",
            huoneistonumero="002",
            jakokirjain="a",
            alkupv=day("2026-06-27"),
        ),
        home("Vanhatie", alkupv=day("2004-05-01"), loppupv=day("2026-06-26")),
        group(
            "TILAPAINEN_KOTIMAINEN_OSOITE",
            katunimi={"fi": "Mökkitie"},
            katunumero=7,
            postinumero="31650",
            postitoimipaikka={"fi": "KOIJÄRVI"},
            alkupv=day("2026-12-01"),
            loppupv=day("2026-12-31"),
        ),
        group(
            "KOTIMAINEN_POSTIOSOITE",
            postiosoite={"fi": "PL 12"},
            postinumero="31641",
            postitoimipaikka={"fi": "HUMPPILA"},
            alkupv=day("2026-01-27"),
        ),
    )
    by_type = {(a["address_type"], a.get("valid_to")): a for a in content["addresses"]}
    assert len(by_type) == 4
    assert by_type["permanent", None] == {
        "address_type": "permanent",
        "street": "Gabrielantie",
        "house": "6a-6b",
        "stair": "A",
        "apartment": "2",
        "split": "a",
        "postal_code": "31640",
        "post_office": "HUMPPILA",
        "country": "FI",
        "valid_from": "2026-06-27",
    }
    assert by_type["permanent", "2026-06-27"]["street"] == "Vanhatie"
    assert by_type["temporary", "2027-01-01"]["house"] == "7"
    assert by_type["postal", None] == {
        "address_type": "postal",
        "line": "PL 12",
        "postal_code": "31641",
        "post_office": "HUMPPILA",
        "country": "FI",
        "valid_from": "2026-01-27",
    }


@pytest.mark.parametrize(
    "unknown",
    [
        None,
        "2026-05-01",
        {},
        {"arvo": None, "tarkkuus": "PAIVA"},
        {"arvo": "2026-05", "tarkkuus": "KUUKAUSI"},
        {"arvo": "2026-05-01", "tarkkuus": "KUUKAUSI"},
        {"arvo": "2026-00-00", "tarkkuus": "VUOSI"},
        {"arvo": "2026-00-00", "tarkkuus": "PAIVA"},
        {"arvo": "2026-02-30", "tarkkuus": "PAIVA"},
        {"arvo": "20260501", "tarkkuus": "PAIVA"},
        {"arvo": "2026-W10-1", "tarkkuus": "PAIVA"},
        {"arvo": 20260501, "tarkkuus": "PAIVA"},
        ["2026-05-01"],
    ],
)
def test_an_incomplete_date_is_an_unknown_date(unknown: object) -> None:
    content = base(
        home(alkupv=unknown, loppupv=unknown),
        group("TURVAKIELTO", turvakieltoAktiivinen=False, turvaLoppuPv=unknown),
        group("KUOLINPAIVA", kuollut=True, kuolinpv=unknown),
        group("KUTSUMANIMI", nimilaji="NYKYINEN_KUTSUMANIMI", nimi="Maria", alkupv=unknown),
    )
    (address,) = content["addresses"]
    assert not {"valid_from", "valid_to"} & address.keys()
    assert "death_date" not in content
    assert content["called_name"] == "Maria"


def test_the_last_day_of_all_has_no_day_after() -> None:
    (address,) = base(home(loppupv=day("9999-12-31")))["addresses"]
    assert "valid_to" not in address


@pytest.mark.parametrize(
    ("languages", "street"),
    [
        ([], "Koivutie"),
        ([group("ASIOINTIKIELI", kielikoodi="sv")], "Björkvägen"),
        ([group("AIDINKIELI", kielikoodi="sv")], "Björkvägen"),
        (
            [group("ASIOINTIKIELI", kielikoodi="fi"), group("AIDINKIELI", kielikoodi="sv")],
            "Koivutie",
        ),
        ([group("AIDINKIELI", kielikoodi="98", nimi="nganasani")], "Koivutie"),
    ],
)
def test_an_address_is_in_the_persons_language(languages: list[object], street: str) -> None:
    both = home(katunimi={"fi": "Koivutie", "sv": "Björkvägen"})
    content = base(both, *languages)
    assert content["addresses"][0]["street"] == street
    assert content["addresses"][0]["post_office"] == "HUMPPILA"
    assert "language" not in content


def test_swedish_stands_in_where_finnish_is_missing() -> None:
    only = home(katunimi={"sv": "Björkvägen"}, postitoimipaikka={"fi": None, "sv": "VASA"})
    (address,) = base(only)["addresses"]
    assert (address["street"], address["post_office"]) == ("Björkvägen", "VASA")


@pytest.mark.parametrize(
    ("stated", "read"),
    [
        (
            {"lahiosoite": "Storgatan 1", "paikkakunta": "111 22 Stockholm", "valtiokoodi": "752"},
            {"line": "Storgatan 1", "post_office": "111 22 Stockholm", "country": "SE"},
        ),
        (
            {"lahiosoite": "1 Rue X", "paikkakunta": "Kabul", "valtiokoodi": 4},
            {"line": "1 Rue X", "post_office": "Kabul", "country": "AF"},
        ),
        (
            {"lahiosoite": "Kadonnut 1", "paikkakunta": "X", "valtiokoodi": "998", "valtionimi": {"fi": "Atlantis"}},
            {"line": "Kadonnut 1", "post_office": "X, Atlantis"},
        ),
        ({"valtiokoodi": "840"}, {"country": "US"}),
    ],
)  # fmt: skip
def test_a_foreign_address_keeps_its_line_and_a_two_letter_country(
    stated: dict[str, object], read: dict[str, str]
) -> None:
    for kind, sort in (("VAKINAINEN", "permanent"), ("TILAPAINEN", "temporary")):
        (address,) = base(group(f"{kind}_ULKOMAINEN_OSOITE", **stated))["addresses"]
        assert address == {"address_type": sort, **read}


def test_the_order_of_groups_and_changes_changes_nothing() -> None:
    groups = [
        name(),
        home("Uusitie", alkupv=day("2026-06-27")),
        home("Vanhatie", alkupv=day("2004-05-01"), loppupv=day("2026-06-26")),
        home("Vanhatie", alkupv=day("2004-05-01"), loppupv=day("2026-06-26")),
        group("KOTIMAINEN_POSTIOSOITE", postiosoite={"fi": "PL 1"}, postinumero="31641"),
        group("KUTSUMANIMI", nimilaji="NYKYINEN_KUTSUMANIMI", nimi="Maria"),
        group("KUTSUMANIMI", nimilaji="NYKYINEN_KUTSUMANIMI", nimi="Anna"),
    ]
    first = fetch(Register(people={ANNA: groups})).content
    assert len(first["addresses"]) == 3
    for turn in range(len(groups)):
        turned = groups[turn:] + groups[:turn]
        for order in (turned, turned[::-1]):
            assert fetch(Register(people={ANNA: order})).content == first


# transport: what a service in trouble does to a night


def test_a_busy_register_is_waited_for() -> None:
    register = Register(people={ANNA: [name()]})
    troubles = [Reply(429, headers={"Retry_After": "1"}), Reply(500)]

    def busy(asked: Asked) -> Reply:
        return troubles.pop() if troubles and asked.method == "POST" else register(asked)

    told = register.told
    with FakeServer(busy) as server:
        options = DvvOptions(server.url, "u", "p", "c", allow_test_identities=True)
        dvv = Dvv(options, FakeLender([ANNA]), TOKENS, lambda: TODAY, sleep=lambda _: None)
        ask = Ask(None, frozenset(), TODAY, lambda o, keys: told.append((o, list(keys))))
        assert len(dvv.fetch(ask).records) == 1
    assert [o for o, _ in told] == ["muutokset", "perustiedot"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(503), Unavailable),
        (Reply(401, b"salasana 010180-901"), Refused),
        (Reply(400, b"010180-901"), Refused),
        (Reply(302, headers={"Location": "https://evil.example/"}), Refused),
        (Reply(200, b"<html>Testaaja", promised=99), Unavailable),
        (Reply(200, b"<html>Testaaja"), Malformed),
        (Reply(silent=True), Unavailable),
    ],
)
def test_a_failing_register_fails_the_call_without_a_persons_data_in_the_error(
    reply: Reply, kind: type[ConnectorError]
) -> None:
    def failing(asked: Asked) -> Reply:
        return as_json({"viimeisinKirjausavain": 1}) if asked.method == "GET" else reply

    with pytest.raises(kind) as caught:
        fetch(failing, timeout=0.1)
    told = "".join(traceback.format_exception(caught.value))
    for value in (ANNA, "010180", "Testaaja", "salasana"):
        assert value not in told


def test_a_check_tells_wrong_credentials_and_a_missing_person_behind_the_permit() -> None:
    def dvv(url: str, **more: Any) -> Dvv:
        return Dvv(DvvOptions(url, "u", "p", "c", **more), FakeLender([]), TOKENS, lambda: TODAY)

    with FakeServer([Reply(401)]) as server:
        with pytest.raises(Refused, match="credentials"):
            dvv(server.url).check()
        with pytest.raises(Refused, match="permit_confirmed_by"):
            dvv(server.url, selection="permit").check()
        assert "none" in dvv(server.url, selection="none").check()
    assert len(server.asked) == 1
