"""Pairs that wait for a person: how they are listed and explained, what a decision does, who is written down."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from pipelines.cli import main
from pipelines.domain.schemas import PARTIES
from pipelines.steps.judge import judge
from pipelines.steps.night import executing
from pipelines.store import access, frames, judgements, seconds
from pipelines.store.engine import reading
from tests.cli.conftest import CLERK, MORNING, Answer
from tests.linkage.conftest import town
from tests.steps.conftest import Register

HOME = {
    "street_line": "Kotikatu 1 A 2", "street_name": "Kotikatu", "house": "1", "stair": "A",
    "apartment": "2", "postal_code": "00100", "post_office": "HELSINKI",
}  # fmt: skip
ELSEWHERE = {
    "street_line": "Rantatie 5", "street_name": "Rantatie", "house": "5", "postal_code": "31640",
    "post_office": "HUMPPILA", "valid_from": "2026-09-01",
}  # fmt: skip
MATTI: Mapping[str, Any] = {"family_name": "Mäki-Petäjä", "given_names": "Matti"}
TOKEN = "0123456789abcdef" * 4
BIRTH = "fedcba9876543210" * 4
BECAUSE = ("--reason", "asked by phone")


class ReviewDesk:
    """A clerk deciding pairs of a small register, night after night."""

    def __init__(self, register: Register, capture: pytest.CaptureFixture[str]) -> None:
        self.register = register
        self._capture = capture
        url = register.engine.url.render_as_string(hide_password=False)
        self._environ = {"HUB_DATABASE_URL": url}

    def __call__(self, *arguments: str, environ: Mapping[str, str] = CLERK) -> Answer:
        return self.hub("review", *arguments, environ=environ)

    def hub(self, *arguments: str, environ: Mapping[str, str] = CLERK) -> Answer:
        self._capture.readouterr()
        home = str(self.register.home)
        code = main(["--home", home, *arguments], {**self._environ, **environ}, lambda: MORNING)
        told = self._capture.readouterr()
        return Answer(code, told.out, told.err)

    def number_of(self, one: str, other: str) -> str:
        with reading(self.register.engine) as conn:
            found = judgements.waiting_as(conn, ("registrations", one), ("registrations", other))
        assert found is not None, "the pair does not wait"
        return str(found["review_no"])

    def looks(self) -> list[tuple[str, str, int | None]]:
        """who, operation, party of the access log, oldest first."""
        with reading(self.register.engine) as conn:
            lines = access.recent(conn, 1000)[::-1]
        return [
            (who, operation, None if pd.isna(party) else int(party))
            for who, operation, party in lines[["who", "operation", "party_id"]].itertuples(
                index=False
            )
        ]


@pytest.fixture
def register(engine: Engine, tmp_path: Path) -> Register:
    return Register(engine, tmp_path)


@pytest.fixture
def desk(register: Register, capsys: pytest.CaptureFixture[str]) -> ReviewDesk:
    return ReviewDesk(register, capsys)


@pytest.fixture
def father_and_son(desk: ReviewDesk) -> ReviewDesk:
    """Two records of one name in one home, of which one states a birth."""
    desk.register.write(
        f1={**MATTI, "birth_key": BIRTH, "phone": "+358401234567", "home": HOME},
        f2={**MATTI, "home": HOME},
    )
    desk.register.match()
    return desk


@pytest.fixture
def merged(desk: ReviewDesk) -> ReviewDesk:
    """Two records that one identity code made one customer, and the ids they had before."""
    desk.register.write(a={**MATTI, "home": HOME}, b={**MATTI, "home": HOME})
    desk.register.match()
    desk.register.write(
        a={**MATTI, "home": HOME, "person_key": TOKEN},
        b={**MATTI, "home": HOME, "person_key": TOKEN},
    )
    desk.register.match()
    assert desk.register.groups() == {frozenset("ab")}
    return desk


# --- what waits ---------------------------------------------------------------------------------------


def test_a_pair_is_listed_with_why_and_since_when_and_nobodys_name(
    father_and_son: ReviewDesk,
) -> None:
    told = father_and_son("list", environ={})
    assert told.code == 0
    (line,) = told.out.splitlines()[2:]
    assert line.split()[:2] == [father_and_son.number_of("f1", "f2"), "henkilö"]
    assert "isä ja poika" in line and "2.11.2026" in line and "on sama" in line
    for hidden in ("Petäjä", "Matti", "Kotikatu", BIRTH, "+358"):
        assert hidden not in told.out + told.err


def test_the_list_has_stable_keys(father_and_son: ReviewDesk) -> None:
    (pair,) = father_and_son("list", "--json").json
    assert set(pair) == {
        "number", "kind", "likely", "records", "since", "rules", "evidence", "unsure",
    }  # fmt: skip
    assert (pair["records"], pair["rules"], pair["unsure"]) == (2, ["father_and_son"], None)
    assert father_and_son.looks() == [], "nobody was seen"


def test_an_empty_queue_says_so(desk: ReviewDesk) -> None:
    assert desk("list").out == "Yksikään pari ei odota ratkaisua.\n"
    assert desk("list", "--decided").out == "Yhtään ratkaisua ei ole voimassa.\n"
    assert desk("list", "--json").json == []


def test_what_a_limit_leaves_out_is_said(desk: ReviewDesk) -> None:
    desk.register.write(**{key: {**MATTI, "home": HOME} for key in ("a", "b", "c")})
    desk.register.match()
    told = desk("list", "--limit", "1").out.splitlines()
    assert len(told) == 4
    assert told[-1] == "… ja 1 muuta: hub review list --limit 2"


# --- one pair -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def townspeople() -> dict[str, dict[str, Any]]:
    """Neighbours to learn from, a father and a son, somebody who moved."""
    records: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(town(40, seed=3)):
        home = {
            "street_line": f"{row['street']} {row['house_number']}", "street_name": row["street"],
            "house": row["house_number"], "postal_code": row["postal_code"], "post_office": "HUMPPILA",
        }  # fmt: skip
        stated = {
            name: row[name]
            for name in ("given_names", "family_name", "person_key", "birth_key")
            if name in row
        }
        if "phone" in row:
            stated["phone"] = f"+358{str(row['phone'])[1:]}"
        records[f"t{number:03}"] = {**stated, "home": home}
    helka = {"family_name": "Ylöjärvi", "given_names": "Helka Sofia"}
    old_home = {**HOME, "street_line": "Kotikatu 9 A 2", "house": "9", "valid_to": "2026-09-01"}
    return {
        **records,
        "20001": {
            **MATTI, "given_names": "Matti Juhani", "birth_key": BIRTH, "phone": "+358401234567",
            "home": HOME, "source_time": "2024-05-02T00:00:00Z",
        },
        "20002": {
            **MATTI, "phone": "+358401234567", "home": HOME,
            "source_time": "2026-10-30T00:00:00Z",
        },
        "20003": {**helka, "home": old_home, "source_time": "2021-05-02T00:00:00Z"},
        "20004": {**helka, "home": ELSEWHERE, "source_time": "2026-09-03T00:00:00Z"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [("20001", "20002", "father_and_son"), ("20003", "20004", "mover")],
    ids=["father and son", "mover"],
)
def test_a_pair_is_explained_as_a_person_would(
    desk: ReviewDesk,
    townspeople: Mapping[str, Mapping[str, Any]],
    golden: Callable[[str, str], None],
    one: str,
    other: str,
    name: str,
) -> None:
    desk.register.write(**townspeople)
    desk.register.match()
    shown = desk("show", desk.number_of(one, other))
    assert (shown.code, shown.err) == (0, "")
    golden(f"review_{name}.txt", shown.out)


@pytest.mark.parametrize(
    ("language", "words"), [("sv", "far och en son"), ("en", "father and son")]
)
def test_a_pair_is_explained_in_swedish_and_english_too(
    father_and_son: ReviewDesk, language: str, words: str
) -> None:
    number = father_and_son.number_of("f1", "f2")
    told = father_and_son("show", number, environ={**CLERK, "HUB_LANGUAGE": language})
    assert words in told.out
    listed = father_and_son("list", environ={**CLERK, "HUB_LANGUAGE": language})
    assert words.replace("en son", "son") in listed.out


def test_of_a_birth_it_is_shown_whether_it_is_known_and_equal_and_never_the_token(
    desk: ReviewDesk,
) -> None:
    alike = {**MATTI, "home": HOME}
    desk.register.write(a={**alike, "birth_key": BIRTH}, b={**alike, "birth_key": TOKEN}, c=alike)
    desk.register.match()
    marks = []
    for other in "bc":
        shown = desk("show", "--records", "a", other)
        (birth,) = [
            f
            for f in desk("show", "--records", "a", other, "--json").json["fields"]
            if f["field"] == "birth"
        ]
        marks.append((birth["left"], birth["right"], birth["mark"]))
        assert BIRTH not in shown.out and TOKEN not in shown.out
    assert marks == [(["known"], ["known"], "differs"), (["known"], ["unknown"], "")]


def test_a_record_kept_under_a_token_is_named_by_our_number_and_decided_by_it(
    desk: ReviewDesk,
) -> None:
    desk.register.write(
        a={**MATTI, "home": HOME},
        d={**MATTI, "home": HOME, "source": "dvv", "source_key": TOKEN, "person_key": TOKEN},
    )
    desk.register.match()
    (pair,) = desk("list", "--json").json
    shown = desk("show", str(pair["number"]))
    assert TOKEN not in shown.out
    opened = desk("show", str(pair["number"]), "--json")
    assert TOKEN not in opened.out
    records = {opened.json["left"]["record"], opened.json["right"]["record"]}
    (theirs,) = [record for record in records if record.startswith("dvv:#")]
    assert "registrations:a" in records
    assert desk("same", "--records", "a", theirs, *BECAUSE).code == 0
    decided = desk("list", "--decided")
    assert theirs in decided.out and TOKEN not in decided.out


# --- protective orders ----------------------------------------------------------------------------------


@pytest.fixture
def protected(desk: ReviewDesk) -> ReviewDesk:
    """Somebody protected, and a record that may be the same person's."""
    alike = {**MATTI, "birth_key": BIRTH, "home": HOME}
    desk.register.write(a={**alike, "protection": "on"}, b=alike)
    desk.register.match()
    return desk


def test_r56_of_a_pair_with_a_protective_order_no_place_is_shown(protected: ReviewDesk) -> None:
    """R56: not of the other record either, for it may be the same person's; nor that they live together."""
    number = protected.number_of("a", "b")
    told = [protected("show", number), protected("show", number, "--json"), protected("list")]
    text = "".join(answer.out for answer in told)
    assert "TURVAKIELTO" in text and "turvakielto" in told[2].out
    for hidden in (
        "Kotikatu",
        "00100",
        "HELSINKI",
        "koti on",
        "talo on",
        "kotona",
        "address.",
        "others.",
    ):
        assert hidden not in text
    assert [f["left"] for f in told[1].json["fields"] if f["field"] == "address"] == [["hidden"]]
    assert told[1].json["protected"] is True


def test_r56_only_a_person_merges_a_protected_customer(protected: ReviewDesk) -> None:
    """R56: the rule is named, and a steward's word is what it takes."""
    number = protected.number_of("a", "b")
    assert protected("show", number, "--json").json["rules"] == ["protected"]
    judge(
        protected.register.night(), int(number), None, "same",
        who="anna.asiakas", why="asked by phone", approved_by="olli.vastaava",
    )  # fmt: skip
    protected.register.match()
    assert protected.register.groups() == {frozenset("ab")}


def test_r56_of_a_protected_pair_nobody_decides_alone_at_the_command_line(
    protected: ReviewDesk,
) -> None:
    """R56: the refusal says where two people do it; it changes nothing, and is written down."""
    number = protected.number_of("a", "b")
    for verdict in ("same", "different", "unsure"):
        told = protected(verdict, number, *BECAUSE)
        assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
        assert f"pair {number}: " in told.err
        assert "nobody decides alone" in told.err and "at the desk, page Parit" in told.err
    assert protected("list", "--decided", "--json").json == []
    refused = [(who, party) for who, what, party in protected.looks() if what == "second wanted"]
    parties = sorted(protected.register.ids().values())
    assert refused == [("anna.asiakas", party) for party in parties] * 3


def test_r56_a_decision_on_a_protected_pair_is_not_taken_back_alone_at_the_command_line(
    protected: ReviewDesk,
) -> None:
    """R56: whoever gave it."""
    number = str(protected.register.judge("a", "b", "different"))
    standing = protected("list", "--decided", "--json").json
    told = protected("undo", number, *BECAUSE)
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert "nobody decides alone" in told.err and "at the desk, page Omat päätökseni" in told.err
    assert protected("list", "--decided", "--json").json == standing


def test_r56_of_protected_records_that_are_no_pair_at_the_desk_the_second_person_is_asked_from_here(
    protected: ReviewDesk,
) -> None:
    """R56: else nobody could part a protected customer from somebody taken for them."""
    asked = protected("different", "--records", "a", "b", *BECAUSE, "--json").json
    assert asked == {"asked": 1, "records": ["a", "b"], "verdict": "different"}
    assert protected("list", "--decided", "--json").json == [], "nothing is done yet"
    with reading(protected.register.engine) as conn:
        (waits,) = seconds.waiting(conn)
    assert (waits.act, waits.asked_by) == ("pair", "anna.asiakas")
    assert "toista hyväksyjää" in protected("same", "--records", "a", "b", *BECAUSE).out


# --- decisions ------------------------------------------------------------------------------------------


def test_same_takes_the_pair_off_the_queue_and_merges_it_the_next_night(
    father_and_son: ReviewDesk,
) -> None:
    number = father_and_son.number_of("f1", "f2")
    before = father_and_son.register.ids()
    seen = father_and_son("show", number, "--json").json["yes"]
    told = father_and_son("same", number, *BECAUSE, "--authority", "call 7")
    assert told.code == 0
    assert "hub night" in told.out
    assert father_and_son.register.ids() == before, "nothing changes before the night"
    assert father_and_son("list", "--json").json == []
    father_and_son.register.match()
    assert set(father_and_son.register.ids().values()) == {min(before.values())}
    assert seen["survives"] == f"P{min(before.values())}"
    assert (seen["records"], seen["never"]) == (2, None)


def test_different_takes_the_pair_off_the_queue_for_good(father_and_son: ReviewDesk) -> None:
    assert father_and_son("different", father_and_son.number_of("f1", "f2"), *BECAUSE).code == 0
    father_and_son.register.match()
    assert father_and_son.register.waiting() == set()
    assert len(father_and_son.register.groups()) == 2


def test_an_unsure_pair_stays_with_its_number_and_is_marked(father_and_son: ReviewDesk) -> None:
    number = father_and_son.number_of("f1", "f2")
    assert father_and_son("unsure", number, *BECAUSE).code == 0
    for _ in range(2):
        (pair,) = father_and_son("list", "--json").json
        assert pair["number"] == int(number)
        assert pair["unsure"] == {"who": "anna.asiakas", "at": "2026-11-04T07:00:00Z"}
        assert "epävarma (anna.asiakas 4.11.2026)" in father_and_son("list").out
        assert "asked by phone" in father_and_son("show", number).out
        father_and_son.register.match()


def test_a_false_merge_is_parted_by_naming_the_records_and_the_ids_come_back(
    desk: ReviewDesk,
) -> None:
    desk.register.write(a={**MATTI, "home": HOME}, b={**MATTI, "home": HOME})
    desk.register.match()
    before = desk.register.ids()
    desk("same", desk.number_of("a", "b"), *BECAUSE)
    desk.register.match()
    assert len(desk.register.groups()) == 1
    told = desk("different", "--records", "a", "registrations:b", "--reason", "two people")
    assert told.code == 0
    assert "jaetaan ensi yönä kahdeksi" in told.out
    desk.register.match()
    assert desk.register.ids() == before


def test_records_that_one_identity_code_merged_can_be_parted_too(merged: ReviewDesk) -> None:
    assert "nyt samaa asiakasta" in merged("show", "--records", "a", "b").out
    assert merged("different", "--records", "a", "b", *BECAUSE).code == 0
    merged.register.match()
    assert merged.register.groups() == {frozenset("a"), frozenset("b")}


def test_undoing_gives_the_ids_and_the_question_back(father_and_son: ReviewDesk) -> None:
    before = father_and_son.register.ids()
    done = father_and_son("same", father_and_son.number_of("f1", "f2"), *BECAUSE, "--json").json
    father_and_son.register.match()
    (stands,) = father_and_son("list", "--decided", "--json").json
    assert stands == {
        "number": done["decision"], "records": ["registrations:f1", "registrations:f2"],
        "verdict": "same", "who": "anna.asiakas", "at": "2026-11-04T07:00:00Z",
        "reason": "asked by phone", "authority": None,
    }  # fmt: skip
    told = father_and_son("undo", str(done["decision"]), "--reason", "the wrong pair")
    assert (told.code, told.err) == (0, "")
    father_and_son.register.match()
    assert father_and_son.register.ids() == before
    assert father_and_son.register.waiting() == {frozenset({"f1", "f2"})}
    assert father_and_son("list", "--decided", "--json").json == []


def test_a_decision_is_undone_once(father_and_son: ReviewDesk) -> None:
    number = father_and_son.number_of("f1", "f2")
    decision = str(father_and_son("unsure", number, *BECAUSE, "--json").json["decision"])
    entry = str(father_and_son("undo", decision, *BECAUSE, "--json").json["entry"])
    for again in (decision, entry):
        told = father_and_son("undo", again, *BECAUSE)
        assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)


# --- what is refused ------------------------------------------------------------------------------------


def never_one(register: Register, **other: Any) -> None:
    register.write(
        a={**MATTI, "home": HOME, "person_key": TOKEN}, b={"home": HOME, **MATTI, **other}
    )
    register.match()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"person_key": BIRTH}, "two identity codes"),
        ({"party_type": "organisation", "organisation_name": "Mäki Oy"}, "an organisation"),
    ],
    ids=["two people", "a person and a firm"],
)
def test_same_is_refused_where_it_could_not_hold(
    desk: ReviewDesk, other: Mapping[str, Any], why: str
) -> None:
    never_one(desk.register, **other)
    told = desk("same", "--records", "a", "b", *BECAUSE)
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)
    assert why in told.err and "never one party" in told.err
    assert desk("list", "--decided", "--json").json == []
    assert "ei tule yhtä" in desk("show", "--records", "a", "b").out


def test_a_corrected_identity_code_is_no_other_one(desk: ReviewDesk) -> None:
    desk.register.write(
        a={**MATTI, "person_key": TOKEN, "superseded_person_keys": [BIRTH]},
        b={**MATTI, "person_key": BIRTH},
    )
    desk.register.match()
    assert desk("same", "--records", "a", "b", *BECAUSE).code == 0


def test_a_reason_with_an_identity_code_in_it_is_refused(father_and_son: ReviewDesk) -> None:
    told = father_and_son(
        "same", father_and_son.number_of("f1", "f2"), "--reason", "his code is 010180-999A."
    )
    assert (told.code, told.out) == (1, "")
    assert "010180" not in told.err
    assert father_and_son("list", "--decided", "--json").json == []


@pytest.mark.parametrize(
    "command",
    [
        ["show", "99"], ["same", "99", *BECAUSE], ["undo", "99", *BECAUSE],
        ["show", "--records", "a", "nobody:1"], ["different", "--records", "a", "dvv:#99", *BECAUSE],
        ["same", "--records", "a", "registrations:a", *BECAUSE],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_not_there_is_one_line_and_exit_code_one(
    desk: ReviewDesk, command: list[str]
) -> None:
    desk.register.write(a=MATTI)
    told = desk(*command)
    assert (told.code, told.out, told.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize(
    "command",
    [
        ["show"], ["same", *BECAUSE], ["same", "1", "--records", "a", "b", *BECAUSE], ["same", "1"],
        ["undo", "1"], ["different", "1", "--reason", "  "], ["list", "--limit", "0"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_decision_that_says_too_little_is_wrong_use(desk: ReviewDesk, command: list[str]) -> None:
    told = desk(*command)
    assert (told.code, told.out) == (2, "")


# --- who looked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["show", "1"], ["list", "--decided"], ["same", "1", *BECAUSE], ["different", "1", *BECAUSE],
        ["unsure", "1", *BECAUSE], ["undo", "1", *BECAUSE],
    ],
    ids=" ".join,
)  # fmt: skip
def test_r50_nobody_looks_or_decides_without_a_name(
    father_and_son: ReviewDesk, command: list[str]
) -> None:
    """R50: refused before anything is read."""
    told = father_and_son(*command, environ={})
    assert (told.code, told.out) == (1, "")
    assert told.err == "hub: say who you are: HUB_USER=your.own.login hub …\n"
    assert father_and_son.looks() == []


def test_r50_every_look_and_decision_is_logged_with_both_customers(
    father_and_son: ReviewDesk,
) -> None:
    """R50: by id, with the steward's own name."""
    number = father_and_son.number_of("f1", "f2")
    both = sorted(father_and_son.register.ids().values())
    father_and_son("show", number, "--why", "call 14.11.")
    decision = father_and_son("different", number, *BECAUSE, "--json").json["decision"]
    father_and_son("undo", str(decision), *BECAUSE)
    assert father_and_son.looks() == [
        ("anna.asiakas", f"review {what}", party)
        for what in ("show", "different", "undo")
        for party in both
    ]


def test_what_other_records_of_a_customer_hold_is_warned_of(desk: ReviewDesk) -> None:
    """A yes joins the two, and can't join everybody."""
    desk.register.write(
        a={**MATTI, "home": HOME, "person_key": TOKEN}, b={**MATTI, "home": HOME, "person_key": BIRTH},
        c={**MATTI, "home": HOME}, d={**MATTI, "home": HOME},
    )  # fmt: skip
    for one, other in (("a", "c"), ("b", "d")):
        assert desk("same", "--records", one, other, *BECAUSE).code == 0
    desk.register.match()
    assert desk.register.groups() == {frozenset("ac"), frozenset("bd")}
    assert desk("show", "--records", "c", "d", "--json").json["yes"]["not_all"] is True
    assert "ne pysyvät erillään" in desk("show", "--records", "c", "d").out


def test_a_record_that_matching_has_not_met_is_still_shown(desk: ReviewDesk) -> None:
    with executing(desk.register.night(), "standardise") as step:
        rows = [
            {"source": "registrations", "source_key": key, "party_type": "person", **MATTI}
            for key in "ab"
        ]
        frames.put(step.conn, PARTIES, PARTIES.frame(rows), step.id)
    told = desk("show", "--records", "a", "b")
    assert told.code == 0
    assert "Kone ei ole verrannut" in told.out
    assert desk.looks() == [("anna.asiakas", "review show", None)]


# --- decisions and the rules of now -------------------------------------------------------------------


def test_judgements_that_agree_with_the_rules_are_said_to(father_and_son: ReviewDesk) -> None:
    assert father_and_son("different", father_and_son.number_of("f1", "f2"), *BECAUSE).code == 0
    father_and_son.register.match()
    told = father_and_son.hub("match", "check")
    assert (told.code, told.err) == (0, "")
    assert "every judgement agrees" in told.out


def test_a_bolder_threshold_is_seen_to_contradict_a_judgement_and_changes_nothing(
    desk: ReviewDesk,
) -> None:
    alike = {**MATTI, "birth_key": BIRTH, "phone": "+358401234567", "home": HOME}
    others = {**alike, "given_names": "Eero", "birth_key": TOKEN}
    desk.register.write(a=alike, b=alike, c=others, d=others)
    desk.register.environ["HUB_MATCHING__LEAKED_PER_MILLION"] = "0.001"
    desk.register.match()
    cautious = {**CLERK, "HUB_MATCHING__LEAKED_PER_MILLION": "0.001"}
    assert desk("different", "--records", "a", "b", *BECAUSE, environ=cautious).code == 0
    desk.register.match()
    before = desk.register.pairs(), desk.register.ids()

    bold = {**CLERK, "HUB_MATCHING__LEAKED_PER_MILLION": "100000"}
    told = desk.hub("match", "check", environ=bold)
    assert told.code == 1
    assert "different said" in told.out and "blocks the night" in told.out
    shown = desk.hub(
        "match", "preview", "--leaked-per-million", "100000", "--json", environ=cautious
    ).json
    assert (shown["parties"], shown["blocking"]) == ([4, 3], 1)
    assert len({row["into_party_id"] for row in shown["merged"]}) == 1
    for hidden in ("Petäjä", "Matti", "Kotikatu", BIRTH, TOKEN):
        assert hidden not in told.out + told.err + str(shown)
    assert (desk.register.pairs(), desk.register.ids()) == before


def test_a_preview_of_nothing_else_says_what_to_say(desk: ReviewDesk) -> None:
    told = desk.hub("match", "preview")
    assert told.code == 2
    assert "--leaked-per-million" in told.err
