"""A refused value is corrected beside its source's word: what is read then, how long, and what its source is told.

Nights of landing, reading, matching and consolidating over a few records that a source says; no town.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine

from connectors.base import Batch, Fault, Record
from expectations.rules.rule import Rule
from pipelines.domain.schemas import ADDRESSES, GOLDEN, LANDED, PARTIES, ROLES
from pipelines.notification_letter import letter
from pipelines.settings import load_settings
from pipelines.source_report import document
from pipelines.steps import decide, recall
from pipelines.steps.close import write_letter
from pipelines.steps.consolidate import consolidate
from pipelines.steps.correct import correct, undo
from pipelines.steps.decide import Undecidable
from pipelines.steps.ingest import land
from pipelines.steps.look_at_refused import refused_record
from pipelines.steps.match import match
from pipelines.steps.night import LogKeys, Night, StepResult
from pipelines.steps.report_faults import report_faults
from pipelines.steps.second_person import Alone
from pipelines.steps.standardise import standardise
from pipelines.steps.weigh import weigh
from pipelines.store import access, corrections, disclosures, frames, quarantine
from pipelines.store.engine import reading
from pipelines.texts import Texts
from tests.steps.logged import NAME, SIGNING, VAULT

OWN, TOWN = "registrations", "municipality"
CODE = "addresses.postal.postal_code"


def ON_ONE(test: Any) -> Any:
    """What follows from rows that other tests try on both databases, and with Great Expectations itself."""
    on_sqlite = pytest.mark.parametrize("database", ["sqlite"])
    return on_sqlite(pytest.mark.usefixtures("plain_rule_book")(test))


@pytest.fixture
def plain_rule_book(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rule of the house, asked by hand: Great Expectations takes a second for what a loop does at once."""
    broken = {
        "present": lambda rule, value: value is None,
        "absent": lambda rule, value: value is not None,
        "matches": lambda rule, value: value is not None and not re.search(rule.pattern, value),
        "avoids": lambda rule, value: value is not None and bool(re.search(rule.pattern, value)),
        "at_most": lambda rule, value: value is not None and len(value) > rule.length,
    }

    def ask(rules: Sequence[Rule], batch: pd.DataFrame) -> list[dict[str, object]]:
        told: list[dict[str, object]] = []
        for number, rule in enumerate(rules):
            values = batch[f"asked_{number}"].astype(object)
            found = [
                {"record_id": [row]}
                for row, value in zip(
                    batch["record_id"], values.where(values.notna(), None), strict=True
                )
                if broken[rule.demand](rule, value)
            ]
            result = {"unexpected_index_list": found, "unexpected_count": len(found)}
            told.append({"number": number, "result": result})
        return told

    monkeypatch.setattr("expectations.run._ask", ask)


def person(name: str = "Laine Aino", code: str = "31640", **more: Any) -> dict[str, Any]:
    home = {
        "address_type": "postal", "line": "Pajutie 1", "postal_code": code, "post_office": "HUMPPILA",
    }  # fmt: skip
    return {"party_type": "person", "name": name, "addresses": [home], **more}


def payer(party: str = "1", **days: Any) -> dict[str, Any]:
    return {
        "party": party, "point": "K1", "role_type": "payer", "valid_from": "2020-01-01", **days,
    }  # fmt: skip


def record(kind: str, key: str, content: dict[str, Any]) -> Record:
    return Record(kind, key, "2026-11-01T00:00:00Z", content)


PLACE = record("point", "K1", {"property_id": "90340200010007"})
PAYS = record("role", "R1", payer())


@dataclass
class Utility:
    """A hub that is told everything by hand."""

    engine: Engine
    home: Path
    day: int = 2

    def __post_init__(self) -> None:
        self.settings = load_settings(self.home, {})

    def night(self, *, full: bool = False) -> Night:
        return Night(
            self.engine, self.settings, f"2026-11-{self.day:02}",
            lambda: datetime(2026, 11, self.day, 0, 30, tzinfo=UTC), full=full,
            log_keys=lambda: LogKeys(VAULT, NAME, SIGNING),
        )  # fmt: skip

    def hear(self, *records: Record, faults: Sequence[Fault] = (), source: str = OWN) -> StepResult:
        batch = Batch(list(records), {"day": self.day}, fetched=len(records), faults=faults)
        return land(self.night(), self.settings.sources[source], batch)

    def register(self, *, full: bool = False) -> StepResult:
        """The steps of a night that make the register; what standardising said."""
        done = standardise(self.night(full=full))
        match(self.night(full=full))
        consolidate(self.night(full=full))
        self.day += 1
        return done

    def lives(self, *records: Record, faults: Sequence[Fault] = ()) -> StepResult:
        """A night in which the own register says this, a point and a payer's role beside it."""
        self.hear(*records, PLACE, PAYS, faults=faults)
        return self.register()

    def read(self, *records: Record, faults: Sequence[Fault] = ()) -> StepResult:
        """No more of a night than landing this, if anything, and standardising: what comes after is not looked at."""
        if records or faults:
            self.hear(*records, faults=faults)
        done = standardise(self.night())
        self.day += 1
        return done

    def correct(self, number: int, **stated: str) -> tuple[str, ...]:
        return correct(self.night(), number, stated, "steward.one", "asked the customer")

    def put_right(self, number: int, code: str = "31640") -> None:
        correct(self.night(), number, {CODE: code}, "steward.one", "asked the customer")

    def waiting(self) -> dict[int, str]:
        with reading(self.engine) as conn:
            items = quarantine.open_items(conn)
        return dict(zip(map(int, items["quarantine_id"]), items["rule"], strict=True))

    def refusals(self) -> pd.DataFrame:
        with reading(self.engine) as conn:
            return quarantine.of_source(conn, OWN)

    def table(self, schema: Any) -> pd.DataFrame:
        with reading(self.engine) as conn:
            return frames.read(conn, schema)

    def code(self) -> list[str]:
        """The postal codes that were read."""
        return list(self.table(ADDRESSES)["postal_code"])

    def corrections(self) -> list[tuple[str, str | None]]:
        with reading(self.engine) as conn:
            every = corrections.of_source(conn, OWN)
        return [
            (field, None if pd.isna(ending) else ending)
            for field, ending in zip(every["field"], every["ending"], strict=True)
        ]

    def looks(self) -> pd.DataFrame:
        with reading(self.engine) as conn:
            return access.recent(conn, 100)


@pytest.fixture
def utility(engine: Engine, tmp_path: Path) -> Utility:
    return Utility(engine, tmp_path / "nowhere")


@pytest.fixture
def refused(utility: Utility) -> Utility:
    """Somebody whose only row has a postal code that is none; it is entry 1."""
    utility.read(record("party", "1", person(code="3164A")))
    assert utility.waiting() == {1: "finnish_postal_code"}
    return utility


# --- how long a correction holds -------------------------------------------------------------------------


def test_r43_a_correction_is_read_the_next_night_and_as_long_as_its_source_says_the_same(
    utility: Utility,
) -> None:
    refused = utility
    refused.lives(record("party", "1", person(code="3164A")))
    assert (list(refused.waiting()), refused.code()) == ([1], [])
    before = refused.table(LANDED)
    refused.put_right(1)
    assert refused.table(LANDED).equals(before), "landing stays as its source said"
    assert refused.waiting() == {}

    again = refused.register()
    assert list(refused.table(GOLDEN)["postal_code"]) == ["31640"]
    assert again.counts["corrected_of:registrations"] == 1
    assert again.counts["quarantined"] == 0

    same = refused.hear(record("party", "1", person(code="3164A")), PLACE, PAYS)
    assert (same.counts["landed"], same.counts["corrected"]) == (0, 1)
    also = refused.hear(record("party", "1", person(code="3164A", phone="0505550100")))
    assert (also.counts["landed"], also.counts["corrected"]) == (1, 1)
    refused.register()
    assert list(refused.table(GOLDEN)["postal_code"]) == ["31640"]
    assert list(refused.table(GOLDEN)["phone"]) == ["+358505550100"]
    assert refused.waiting() == {}

    other = refused.hear(record("party", "1", person(code="31B40")))
    assert other.counts["corrections_ended"] == 1
    assert "corrected" not in other.counts
    refused.read()
    assert refused.corrections() == [(CODE, "source_changed")]
    assert list(refused.waiting().values()) == ["finnish_postal_code"]
    assert refused.code() == ["31640"], "the last good version stands"


@ON_ONE
def test_what_its_source_mends_ends_the_correction_and_stands_by_itself(refused: Utility) -> None:
    refused.put_right(1)
    refused.read()
    refused.read(record("party", "1", person(code="31640")))
    assert refused.corrections() == [(CODE, "source_mended")]
    assert (refused.code(), refused.waiting()) == (["31640"], {})
    refused.read(record("party", "1", person(code="3164A")))
    assert list(refused.waiting()) == [2], "the old error is a new question once it was mended"


@ON_ONE
def test_a_full_night_reads_the_same_corrections(refused: Utility) -> None:
    refused.put_right(1)
    refused.read()
    tables = [refused.table(schema) for schema in (PARTIES, ADDRESSES)]
    whole = standardise(refused.night(full=True))
    now = [refused.table(schema) for schema in (PARTIES, ADDRESSES)]
    assert all(a.equals(b) for a, b in zip(tables, now, strict=True))
    assert whole.counts["corrected_of:registrations"] == 1


@ON_ONE
def test_the_morning_letter_says_which_source_repeats_an_error(refused: Utility) -> None:
    refused.put_right(1)
    refused.hear(record("party", "1", person(code="3164A")))
    told = write_letter(refused.night(), Texts("en"))
    assert "registrations: the same error as before in 1 records" in told.body


# --- what may be corrected ---------------------------------------------------------------------------------


@ON_ONE
def test_a_correction_that_leaves_the_record_invalid_changes_nothing(refused: Utility) -> None:
    kept = refused.refusals()
    with pytest.raises(Undecidable, match="would still be refused.*finnish_postal_code"):
        refused.put_right(1, "316")
    assert refused.corrections() == []
    assert refused.refusals().equals(kept)


@ON_ONE
def test_all_that_is_wrong_in_a_record_is_corrected_in_one_command(utility: Utility) -> None:
    long = "Laine " + "Aino" * 70
    utility.read(record("party", "1", person(long, code="3164A")))
    with pytest.raises(Undecidable, match=r"would still be refused.*finnish_postal_code \(postal"):
        utility.correct(1, name="Laine Aino")
    stated = {CODE: "31640", "name": "Laine Aino"}
    correct(utility.night(), 1, stated, "steward.one", "asked")
    assert utility.waiting() == {}
    utility.read()
    assert (list(utility.table(PARTIES)["family_name"]), utility.code()) == (["Laine"], ["31640"])


@ON_ONE
@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("protection", "for its source to say"),
        ("is_deceased", "for its source to say"),
        ("person_key", "for its source to say"),
        ("shoe_size", "no field of this source"),
        ("addresses.postal", "name a part of one address"),
        ("phone.home", "has no parts"),
    ],
)
def test_who_somebody_is_and_what_protects_them_is_not_corrected(
    refused: Utility, field: str, problem: str
) -> None:
    with pytest.raises(Undecidable, match=problem):
        correct(refused.night(), 1, {field: "off"}, "steward.one", "please")
    assert refused.corrections() == []


@ON_ONE
def test_what_is_put_in_place_has_to_be_readable_and_there_where_it_is_required(
    utility: Utility,
) -> None:
    """A source's own bad word would only be left empty; a steward's is not taken."""
    utility.hear(record("party", "1", person(code="3164A")), faults=[replace(NAMELESS, key="2")])
    standardise(utility.night())
    by_rule = {rule: number for number, rule in utility.waiting().items()}
    stated = {CODE: "31640", "delivery_channel": "PAPERI"}
    with pytest.raises(Undecidable, match=r"unknown_delivery_channel \(delivery_channel\)"):
        correct(utility.night(), by_rule["finnish_postal_code"], stated, "steward.one", "asked")
    with pytest.raises(Undecidable, match="name is required"):
        utility.correct(by_rule["missing_value"], name="")


@ON_ONE
def test_r56_an_order_told_in_a_refused_record_stays_whatever_is_corrected(
    utility: Utility,
) -> None:
    said = person(name="Laine\x07 Aino", protection="on")
    utility.read(record("party", "1", said))
    correct(
        utility.night(), min(utility.waiting()), {"name": "Laine Aino"}, "steward.one", "asked",
        approved_by="officer.two",
    )  # fmt: skip
    assert utility.waiting() == {}, "all that was refused of one record is settled together"
    utility.read()
    assert list(utility.table(PARTIES)["protection"]) == ["on"]
    assert utility.table(ADDRESSES).empty


@ON_ONE
def test_a_critical_rule_is_not_waived_and_the_refusal_says_how_to_correct(
    refused: Utility,
) -> None:
    with pytest.raises(Undecidable, match="hub quarantine correct 1 FIELD=VALUE"):
        decide.release(refused.night(), 1, "steward.one", "looks right")


@ON_ONE
def test_a_field_is_taken_out_by_giving_it_no_value(utility: Utility) -> None:
    utility.read(record("role", "R1", payer(valid_to="2019-01-01")))
    (number,) = utility.waiting()
    utility.correct(number, valid_to="")
    utility.read()
    assert list(utility.table(ROLES)["valid_from"]) == ["2020-01-01"]
    assert utility.table(ROLES)["valid_to"].isna().all()


# --- a row that never landed ------------------------------------------------------------------------------

NAMELESS = Fault("party", "1", "missing_value", "row 1: column NIMI: empty", {
    k: v for k, v in person().items() if k != "name"
})  # fmt: skip


def test_a_row_that_could_not_be_landed_is_read_with_what_it_lacked(utility: Utility) -> None:
    utility.lives(faults=[NAMELESS])
    assert utility.waiting() == {1: "missing_value"}
    utility.correct(1, name="Laine Aino")
    utility.register()
    assert list(utility.table(GOLDEN)["display_name"]) == ["Laine Aino"]
    assert "1" not in set(utility.table(LANDED)["source_key"]), "nothing was landed in its name"

    again = utility.hear(PLACE, PAYS, faults=[NAMELESS])
    assert again.counts["corrected"] == 1
    standardise(utility.night(full=True))
    assert (utility.waiting(), utility.code()) == ({}, ["31640"])

    utility.hear(faults=[replace(NAMELESS, content={**NAMELESS.content, "phone": "0505550100"})])
    assert utility.corrections() == [("name", "source_changed")]
    assert list(utility.waiting()) == [2], "another row is another question"

    utility.read(record("party", "1", person("Laine Aino Maria")))
    assert utility.waiting() == {}
    assert list(utility.table(PARTIES)["given_names"]) == ["Aino Maria"]


@ON_ONE
def test_a_row_that_comes_at_last_ends_the_correction_that_stood_in_for_it(
    utility: Utility,
) -> None:
    utility.read(faults=[NAMELESS])
    utility.correct(1, name="Laine Aino")
    utility.read()
    utility.read(record("party", "1", person()))
    assert utility.corrections() == [("name", "source_mended")]
    assert list(utility.table(PARTIES)["family_name"]) == ["Laine"]


@ON_ONE
def test_what_could_not_be_read_is_not_lost_when_something_else_is_corrected(
    utility: Utility,
) -> None:
    ends = {k: v for k, v in payer().items() if k != "valid_from"}
    undated = Fault("role", "R1", "not_a_date", "row 1: column ALKAEN: not a date dd.mm.yyyy", ends)
    utility.hear(faults=[undated])
    with pytest.raises(Undecidable, match="valid_from could not be read"):
        utility.correct(1, valid_to="2027-01-01")
    seen = refused_record(utility.night(), 1, "steward.one", "quarantine")
    assert "valid_from" in set(seen.fields["field"])
    (told,) = report_faults(utility.night(), OWN, "steward.one", "monthly").told
    assert (told.file, told.columns) == ("roolit", ("ALKAEN",))
    utility.correct(1, valid_from="2021-01-01")
    utility.read()
    assert list(utility.table(ROLES)["valid_from"]) == ["2021-01-01"]


@ON_ONE
def test_what_no_value_can_mend_is_said_to_be_so(utility: Utility) -> None:
    twice = Fault("party", "1", "duplicate_key", "rows 1 and 2 differ", person("Muu Nimi"))
    empty = Fault("party", "9", "unreadable", "nothing of it could be read")
    utility.hear(record("party", "1", person()), faults=[twice, empty])
    by_rule = {rule: number for number, rule in utility.waiting().items()}
    with pytest.raises(Undecidable, match="hub quarantine drop"):
        utility.correct(by_rule["duplicate_key"], name="Laine Aino")
    with pytest.raises(Undecidable, match="hub quarantine report registrations"):
        utility.correct(by_rule["unreadable"], name="Laine Aino")


# --- taking it back ---------------------------------------------------------------------------------------


def test_an_undone_correction_leaves_everything_as_it_was(refused: Utility) -> None:
    landed, items = refused.table(LANDED), refused.refusals()
    refused.put_right(1)
    assert undo(refused.night(), 1, "steward.one", "wrong row") == "corrected"
    assert refused.table(LANDED).equals(landed)
    assert refused.refusals().equals(items)
    refused.read()
    assert refused.code() == []
    assert refused.refusals().equals(items)


@ON_ONE
def test_a_correction_that_a_night_has_read_is_corrected_anew_and_that_undone(
    refused: Utility,
) -> None:
    refused.put_right(1, "31641")
    refused.read()
    with pytest.raises(Undecidable, match="correct it anew: hub quarantine correct 1"):
        undo(refused.night(), 1, "steward.one", "wrong after all")
    refused.put_right(1, "31640")
    undo(refused.night(), 1, "steward.one", "was right")
    refused.read()
    assert refused.code() == ["31641"]
    refused.put_right(1, "31640")
    refused.read()
    assert refused.code() == ["31640"]
    assert [e for _, e in refused.corrections()] == ["replaced", "undone", None]


@ON_ONE
def test_of_two_corrections_of_one_record_the_later_is_undone_alone(refused: Utility) -> None:
    refused.put_right(1)
    refused.read()
    refused.hear(record("party", "1", person("Laine Aino" * 30, code="3164A")))
    refused.read()
    (second,) = refused.waiting()
    refused.correct(second, name="Laine Aino")
    with pytest.raises(Undecidable, match="a night has read the record with it"):
        undo(refused.night(), 1, "steward.one", "wrong after all")
    undo(refused.night(), second, "steward.one", "wrong row")
    assert list(refused.waiting()) == [second]
    assert refused.corrections() == [(CODE, None), ("name", "undone")]


@ON_ONE
def test_a_drop_is_undone_until_its_source_sends_newer_word(refused: Utility) -> None:
    items = refused.refusals()
    decide.drop(refused.night(), 1, "steward.one", "double entry")
    undo(refused.night(), 1, "steward.one", "it was not")
    assert refused.refusals().equals(items)
    decide.drop(refused.night(), 1, "steward.one", "double entry")
    refused.hear(record("party", "1", person(code="31640")))
    with pytest.raises(Undecidable, match="newer word"):
        undo(refused.night(), 1, "steward.one", "it was not")


@ON_ONE
def test_what_was_not_decided_has_nothing_to_undo(refused: Utility) -> None:
    with pytest.raises(Undecidable, match="entry 1 is open: nothing to undo"):
        undo(refused.night(), 1, "steward.one", "why not")


# --- who sees it, and who hears of it ---------------------------------------------------------------------


@ON_ONE
def test_r50_every_act_on_a_record_is_logged_with_its_customer(utility: Utility) -> None:
    utility.lives(record("party", "1", person()))
    utility.read(record("party", "1", person(code="3164A")))
    refused_record(utility.night(), 1, "steward.one", "quarantine")
    utility.put_right(1)
    undo(utility.night(), 1, "steward.two", "wrong row")
    decide.drop(utility.night(), 1, "steward.one", "double entry")
    report_faults(utility.night(), OWN, "steward.one", "monthly")
    looks = utility.looks().iloc[::-1]
    acts = [op.removeprefix("quarantine ") for op in looks["operation"]]
    assert acts == ["show", "correct", "undo", "drop", "report"]
    assert looks["party_id"].notna().all()
    assert list(looks["who"]) == ["steward.one"] * 2 + ["steward.two"] + ["steward.one"] * 2


@ON_ONE
def test_a_refused_record_stands_beside_what_is_held_of_it(utility: Utility) -> None:
    utility.read(record("party", "1", person(phone="0505550100")))
    utility.read(record("party", "1", person("Laine Aino Maria", code="3164A")))
    seen = refused_record(utility.night(), 1, "steward.one", "quarantine")
    shown = seen.fields[["field", "came", "held"]]
    rows = {field: (came, held) for field, came, held in shown.itertuples(index=False)}
    assert rows[CODE] == ("3164A", "31640")
    assert rows["name"] == ("Laine Aino Maria", "Laine Aino")
    assert rows["phone"] == (None, "+358505550100")
    assert not seen.hidden


@ON_ONE
def test_r56_no_address_is_shown_of_a_refused_record_under_an_order(utility: Utility) -> None:
    contact = {
        "address_type": "contact", "line": "PL 5", "postal_code": "31640", "post_office": "HUMPPILA",
    }  # fmt: skip
    said = person(name="Laine\x07 Aino", protection="unclear")
    said["addresses"].append(contact)
    utility.read(record("party", "1", said))
    seen = refused_record(utility.night(), min(utility.waiting()), "steward.one", "quarantine")
    assert seen.hidden
    assert "Pajutie" not in str(seen.content) + str(seen.fields.to_dict("list"))
    assert "PL 5" in str(seen.content)


@ON_ONE
@pytest.mark.parametrize("second", [None, "steward.one"])
def test_r56_behind_a_protective_order_nobody_decides_alone(
    utility: Utility, second: str | None
) -> None:
    """R56: whichever door the act comes by."""
    night = utility.night
    utility.read(record("party", "1", person(name="Laine\x07 Aino", protection="on")))
    number = min(utility.waiting())
    alone: dict[str, Any] = {"approved_by": second}
    with pytest.raises(Alone, match="page Karanteeni"):
        correct(night(), number, {"name": "Laine Aino"}, "steward.one", "asked", **alone)
    assert number in utility.waiting()
    correct(night(), number, {"name": "Laine"}, "steward.one", "asked", approved_by="officer.two")
    with pytest.raises(Alone, match="page Karanteeni"):
        undo(night(), number, "steward.one", "wrong row", **alone)
    assert number not in utility.waiting()
    undo(night(), number, "steward.one", "wrong row", approved_by="officer.two")
    assert number in utility.waiting()


@ON_ONE
def test_what_waits_is_listed_by_what_hangs_on_it(utility: Utility) -> None:
    holder = record("role", "R2", payer("2", role_type="holder"))
    utility.lives(record("party", "2", person("Berg Mats")), holder)
    utility.read(record("party", "2", person("Berg Mats", code="X")))
    utility.read(record("party", "1", person(code="3164A", protection="off")))
    found = weigh(utility.night())
    assert [(m[0], key) for m, key in zip(found["matters"], found["source_key"], strict=True)] == [
        ("unbilled", "1"), ("customer", "2"),
    ]  # fmt: skip
    assert list(found["way"]) == ["correct", "correct"]
    assert (found["bill_columns"] > 0).all()
    assert weigh(utility.night(), rule="value_shape").empty
    assert weigh(utility.night(), source="dvv").empty


@ON_ONE
def test_a_night_counts_what_waits_by_source_and_rule_and_names_nobody(refused: Utility) -> None:
    refused.day += 4
    heard = refused.hear(record("party", "1", person(code="3164A")))
    assert heard.counts["in_quarantine:finnish_postal_code"] == 1
    assert heard.counts["oldest_refusal_days"] == 5
    done = refused.read()
    assert done.counts["in_quarantine:registrations/finnish_postal_code"] == 1
    assert done.counts["opened"] == 0
    refused.put_right(1)
    assert not [n for n in refused.read().counts if n.startswith(("in_quarantine", "oldest"))]


@ON_ONE
def test_r43_a_source_is_told_of_its_errors_by_its_own_keys_and_columns_and_no_value(
    refused: Utility,
) -> None:
    refused.put_right(1)
    told = report_faults(refused.night(), OWN, "steward.one", "monthly").told
    assert [(t.file, t.key, t.columns, t.state) for t in told] == [
        ("asiakkaat", "1", ("POSTINRO",), "corrected")
    ]
    night = refused.night()
    for language, word in (
        ("fi", "korjattu meillä"),
        ("sv", "rättat hos oss"),
        ("en", "corrected here"),
    ):
        found = report_faults(night, OWN, "steward.one", "monthly")
        text = "\n".join(document(found, night.settings, language, night.business_date))  # type: ignore[arg-type]
        assert word in text
        assert "1: POSTINRO: " in text
        for value in ("3164", "Laine", "Pajutie"):
            assert value not in text
    refused.hear(record("party", "1", person()))
    assert report_faults(refused.night(), OWN, "steward.one", "monthly").told == ()


@ON_ONE
def test_r23_a_report_that_leaves_the_house_is_in_the_log_and_one_that_is_looked_at_is_not(
    utility: Utility,
) -> None:
    utility.hear(record("party", "H1", person("Laine Aino", code="3164A")), source=TOWN)
    standardise(utility.night())
    report_faults(utility.night(), TOWN, "steward.one", "look")

    def leaves() -> list[str]:
        with reading(utility.engine) as conn:
            return [x for x in disclosures.recent(conn, 10)["leaf"] if '"art19"' in x]

    assert leaves() == []
    report_faults(utility.night(), TOWN, "steward.one", "monthly", sent=True)
    (line,) = leaves()
    assert '"to":"municipality"' in line and "H1" not in line


@ON_ONE
def test_r43_the_joint_controller_that_supplied_the_error_gets_one_notice_by_hand(
    utility: Utility,
) -> None:
    owner = {"party": "H1", "point": "90340200010007", "role_type": "owner"}
    utility.hear(record("party", "1", person()), PLACE, PAYS)
    land_register = record("point", "90340200010007", {"property_id": "90340200010007"})
    utility.hear(
        record("party", "H1", person("Laine Aino", code="3164A")),
        land_register, record("role", "O1", owner), source=TOWN,
    )  # fmt: skip
    standardise(utility.night())
    (number,) = utility.waiting()
    utility.put_right(number)
    utility.register()
    consolidate(utility.night())
    waiting = recall.listed(utility.night())
    assert [tuple(r) for r in waiting[["recipient", "why", "route", "state"]].to_numpy()] == [
        ("municipality", "supplied_it", "hand", "prepared")
    ]
    assert list(waiting["fields"]) == [["postal_code"]]
    one = recall.approve(utility.night(), int(waiting["notification_no"].iloc[0]), "officer", "yes")
    text = "\n".join(letter(one, utility.settings, "en", "2026-11-05"))
    assert "H1" in text
    assert "3164" not in text


@ON_ONE
def test_whoever_is_forgotten_takes_their_corrections_along(refused: Utility) -> None:
    refused.put_right(1)
    refused.register()
    assert refused.table(PARTIES).empty, "somebody with no role is no customer"
    assert refused.corrections() == []
