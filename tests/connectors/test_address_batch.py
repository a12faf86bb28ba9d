"""A company asked in batches: exactly the agreed file goes out, once; an answer is believed only where it is plain."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import (
    AlreadyPublished,
    Ask,
    Batch,
    Correspondent,
    Malformed,
    OutcomeUnknown,
    Unavailable,
)
from connectors.sources.address_batch import GRADES, AddressBatch, AddressBatchOptions
from tests.connectors.sftp_server import SftpServer

CONFIG = Path(__file__).parents[2] / "config" / "sources" / "address_batch.yml"
OPTIONS = ("sends_to", "reads_from", "encoding", "delimiter", "asks", "files")
QUESTION = "20261102-0001"
ASKED = {"a1": "Mäkelä Åke Juhani", "b2": "Lintula Aino"}
ROW = {
    "reference": "a1", "family_name": "Mäkelä", "given_names": "Åke Juhani",
    "street_line": "Kennintie 5 A 2", "postal_code": "31640", "post_office": "HUMPPILA",
}  # fmt: skip
MOVED = {
    "VIITE": "a1", "KOODI": "1", "SUKUNIMI": "Mäkelä", "ETUNIMET": "Åke", "LAHIOSOITE": "Uusitie 7",
    "POSTINRO": "30100", "POSTITMP": "FORSSA", "MUUTTOPVM": "28.10.2026",
}  # fmt: skip
COLUMNS = ("VIITE", "KOODI", "SUKUNIMI", "ETUNIMET", "LAHIOSOITE", "POSTINRO", "POSTITMP", "MUUTTOPVM", "KUOLINPVM")  # fmt: skip


class Company:
    """Its two folders, and what we hold towards it."""

    def __init__(self, server: SftpServer, **changed: Any) -> None:
        self.server = server
        self.inbox, self.outbox = server.root / "sisaan", server.root / "vienti"
        for folder in (self.inbox, self.outbox):
            folder.mkdir(exist_ok=True)
        stated = yaml.safe_load(CONFIG.read_text("utf-8"))
        self.config = {k: stated[k] for k in OPTIONS} | changed
        self.options = AddressBatchOptions.from_mapping(self.config)
        self.source = AddressBatch(
            AddressBatchOptions(
                **{**vars(self.options), "folder": server.options()},
            )
        )
        self.left = 0

    def send(self, payload: bytes, about_to: Callable[[], None] | None = None) -> None:
        self.source.send(QUESTION, payload, 1, about_to or self._note)

    def _note(self) -> None:
        self.left += 1

    def answer(
        self,
        *rows: Mapping[str, str],
        columns: tuple[str, ...] = COLUMNS,
        encoding: str = "utf-8",
        question: str = QUESTION,
        **marked: Any,
    ) -> None:
        lines = [";".join(columns), *(";".join(r.get(c, "") for c in columns) for r in rows)]
        payload = "\r\n".join(lines).encode(encoding)
        stated = {"rows": len(rows), "sha256": hashlib.sha256(payload).hexdigest()} | marked
        (self.outbox / f"vastaus_{question}.csv").write_bytes(payload)
        (self.outbox / f"vastaus_{question}.json").write_text(json.dumps(stated))

    def hear(self, awaited: Mapping[str, Mapping[str, str]] | None = None) -> Batch:
        return self.source.fetch(
            Ask(
                cursor=None,
                known=frozenset(),
                business_date="2026-11-03",
                announce=lambda *_: None,
                awaited={QUESTION: ASKED} if awaited is None else awaited,
            )
        )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpServer]:
    with SftpServer(tmp_path_factory.mktemp("company")) as server:
        yield server


@pytest.fixture
def company(server: SftpServer) -> Company:
    company = Company(server)
    for path in (*company.inbox.iterdir(), *company.outbox.iterdir()):
        path.unlink()
    server.faults.__init__()  # type: ignore[misc]
    return company


def grades(batch: Batch) -> Mapping[str, str]:
    return batch.answers[QUESTION]


# --- what goes out ----------------------------------------------------------------------------------


def test_a_question_has_the_agreed_columns_in_their_order_and_nothing_else(
    company: Company,
) -> None:
    row = ROW | {"phone": "050 5557399", "birth_key": "x"}
    company.send(company.source.render([row]))
    lines = (company.inbox / f"kysely_{QUESTION}.csv").read_bytes().decode().split("\r\n")
    assert lines == [
        '"VIITE";"SUKUNIMI";"ETUNIMET";"LAHIOSOITE";"POSTINRO";"POSTITMP"',
        '"a1";"Mäkelä";"Åke Juhani";"Kennintie 5 A 2";"31640";"HUMPPILA"',
        "",
    ]


def test_layout_and_encoding_are_those_of_its_file(server: SftpServer) -> None:
    asks = {"pattern": "q_{date}.txt", "columns": {"NAMN": "family_name", "REF": "reference"}}
    company = Company(server, asks=asks, encoding="windows-1252", delimiter=",")
    assert company.source.render([ROW]) == '"NAMN","REF"\r\n"Mäkelä","a1"\r\n'.encode("cp1252")


@pytest.mark.parametrize("value", ["=1+1", " @x", "Ka\nnarialintu", "\x00", "－1", "\ud800"])
def test_what_a_file_can_not_carry_as_text_does_not_fit(company: Company, value: str) -> None:
    assert company.source.fits(ROW)
    assert not company.source.fits(ROW | {"family_name": value})
    with pytest.raises(Malformed) as told:
        company.source.render([ROW | {"family_name": value}])
    assert value not in str(told.value)


def test_a_letter_that_its_encoding_lacks_does_not_fit(server: SftpServer) -> None:
    company = Company(server, encoding="iso-8859-1")
    assert company.source.fits(ROW)
    assert not company.source.fits(ROW | {"family_name": "Łukasz"})


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {field: st.text(max_size=12) for field in ROW if field != "reference"}
            | {"reference": st.just("a1")}
        ),
        max_size=5,
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_whatever_fits_is_read_back_as_it_was(company: Company, rows: list[dict[str, str]]) -> None:
    rows = [row for row in rows if company.source.fits(row)]
    text = company.source.render(rows).decode()
    _header, *read = csv.reader(text.splitlines(keepends=True), delimiter=";", strict=True)
    fields = list(company.options.asks.values())
    assert [dict(zip(fields, line, strict=True)) for line in read] == rows


def test_the_marker_comes_last_and_only_once_it_may_be_taken(company: Company) -> None:
    payload, seen = company.source.render([ROW]), []
    company.send(payload, lambda: seen.append(sorted(p.name for p in company.inbox.iterdir())))
    assert seen == [[f"kysely_{QUESTION}.csv"]]
    marker = json.loads((company.inbox / f"kysely_{QUESTION}.json").read_text())
    assert marker["sha256"] == hashlib.sha256(payload).hexdigest()
    assert (marker["delivery_id"], marker["sequence"], marker["rows"]) == (QUESTION, 1, 1)


def test_what_an_earlier_attempt_left_is_finished_and_not_redone(company: Company) -> None:
    payload = company.source.render([ROW])
    (company.inbox / f"kysely_{QUESTION}.csv").write_bytes(payload)
    company.send(payload)
    company.send(payload)
    assert company.left == 2
    assert len(list(company.inbox.iterdir())) == 2


def test_another_question_under_its_name_is_never_overwritten(company: Company) -> None:
    (company.inbox / f"kysely_{QUESTION}.csv").write_bytes(b"another")
    with pytest.raises(AlreadyPublished):
        company.send(company.source.render([ROW]))
    assert company.left == 0
    assert (company.inbox / f"kysely_{QUESTION}.csv").read_bytes() == b"another"


@pytest.mark.parametrize("fault", ["drop_after_bytes", "drop_before_rename"])
def test_a_connection_that_breaks_leaves_no_question(
    company: Company, server: SftpServer, fault: str
) -> None:
    setattr(server.faults, fault, True if "rename" in fault else 10)
    with pytest.raises((Unavailable, OutcomeUnknown)):
        company.send(company.source.render([ROW]))
    assert company.left == 0
    assert not (company.inbox / f"kysely_{QUESTION}.json").exists()


def test_a_question_was_taken_when_it_is_whole_or_gone(company: Company) -> None:
    data, marker = (company.inbox / f"kysely_{QUESTION}.{end}" for end in ("csv", "json"))
    assert company.source.was_taken(QUESTION)
    data.write_bytes(b"x")
    assert not company.source.was_taken(QUESTION)
    marker.write_bytes(b"x")
    assert company.source.was_taken(QUESTION)
    data.unlink()
    assert company.source.was_taken(QUESTION)


# --- what comes back --------------------------------------------------------------------------------


def test_somebody_who_moved_is_a_record_under_our_reference(company: Company) -> None:
    company.answer(MOVED, {"VIITE": "b2", "KOODI": "0"})
    batch = company.hear()
    (record,) = batch.records
    assert (record.kind, record.key, record.source_time) == ("party", "a1", None)
    assert record.content == {
        "party_type": "person", "family_name": "Mäkelä", "given_names": "Åke",
        "addresses": [
            {
                "address_type": "permanent", "line": "Uusitie 7", "postal_code": "30100",
                "post_office": "FORSSA", "valid_from": "2026-10-28",
            }
        ],
    }  # fmt: skip
    assert grades(batch) == {"a1": "moved", "b2": "match"}
    assert (batch.fetched, batch.cursor, list(batch.faults)) == (2, {"answered": QUESTION}, [])


@pytest.mark.parametrize("code", ["0", "3", "4"])
def test_as_we_have_it_unknown_and_several_change_nothing(company: Company, code: str) -> None:
    company.answer(MOVED | {"KOODI": code})
    batch = company.hear({QUESTION: {"a1": "Mäkelä"}})
    assert (list(batch.records), list(batch.faults)) == ([], [])
    assert grades(batch) == {"a1": {"0": "match", "3": "unknown", "4": "ambiguous"}[code]}


@pytest.mark.parametrize(
    "row",
    [MOVED | {"KOODI": "9"}, MOVED | dict.fromkeys(("LAHIOSOITE", "POSTINRO", "POSTITMP"), "")],
    ids=["refused", "moved without an address"],
)
def test_r56_an_address_that_is_withheld_counts_as_an_order(
    company: Company, row: dict[str, str]
) -> None:
    company.answer(row)
    batch = company.hear({QUESTION: {"a1": "Mäkelä"}})
    assert [r.content for r in batch.records] == [{"party_type": "person", "protection": "on"}]
    assert grades(batch) == {"a1": "refused"}


def test_a_death_is_stated_and_goes_to_a_steward(company: Company) -> None:
    company.answer(MOVED | {"KOODI": "2", "KUOLINPVM": "1.11.2026"})
    batch = company.hear({QUESTION: {"a1": "Mäkelä"}})
    (record,), (fault,) = batch.records, batch.faults
    death = {"party_type": "person", "is_deceased": True, "death_date": "2026-11-01"}
    assert record.content == fault.content == death
    assert (fault.key, fault.rule) == ("a1", "death_unconfirmed")


def test_a_reference_we_never_sent_leaves_no_byte_of_whom_it_is(company: Company) -> None:
    company.answer(*(MOVED | {"VIITE": f"z{n}", "SUKUNIMI": "Vieras"} for n in range(3)))
    batch = company.hear({QUESTION: {"a1": "Mäkelä"}})
    assert batch.unknown == {"unknown_reference": 3}
    assert (list(batch.records), list(batch.faults)) == ([], [])
    assert "Vieras" not in repr(batch)
    assert grades(batch) == {"a1": "unanswered"}


def test_two_answers_that_differ_are_neither_believed(company: Company) -> None:
    company.answer(MOVED, MOVED | {"LAHIOSOITE": "Toinentie 1"}, {"VIITE": "b2", "KOODI": "3"})
    batch = company.hear()
    (fault,) = batch.faults
    assert (fault.key, fault.rule) == ("a1", "answered_twice")
    assert list(batch.records) == []
    assert grades(batch) == {"a1": "contradictory", "b2": "unknown"}


def test_one_answer_given_twice_is_one_answer(company: Company) -> None:
    company.answer(MOVED, MOVED)
    batch = company.hear()
    assert [r.key for r in batch.records] == ["a1"]
    assert list(batch.faults) == []


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ({"SUKUNIMI": "Neljäs", "ETUNIMET": "Ake"}, True),
        ({"SUKUNIMI": "MAKELA", "ETUNIMET": ""}, True),
        ({"SUKUNIMI": "", "ETUNIMET": ""}, True),
        ({"SUKUNIMI": "Vieras", "ETUNIMET": "Outo"}, False),
    ],
)
def test_an_answer_that_names_somebody_else_is_not_landed(
    company: Company, name: dict[str, str], is_one: bool
) -> None:
    """A married name shares the given names; a mix-up at the company shares nothing."""
    company.answer(MOVED | name)
    batch = company.hear({QUESTION: {"a1": "Mäkelä Åke"}})
    assert [f.rule for f in batch.faults] == ([] if is_one else ["other_name"])
    assert len(batch.records) == is_one


def test_r13_a_telephone_in_the_file_is_dropped_and_counted(company: Company) -> None:
    company.answer(MOVED | {"PUHELIN": "050 5557399"}, columns=(*COLUMNS, "PUHELIN"))
    batch = company.hear()
    assert batch.dropped == {"PUHELIN": 1}
    assert "5557399" not in repr(batch)


def test_a_code_nobody_agreed_on_goes_to_quarantine_with_what_could_be_read(
    company: Company,
) -> None:
    company.answer(MOVED | {"KOODI": "7"}, {"VIITE": "b2", "KOODI": "0"})
    batch = company.hear()
    (fault,) = batch.faults
    assert (fault.key, fault.rule) == ("a1", "unknown_code")
    assert fault.content["family_name"] == "Mäkelä"
    assert grades(batch) == {"a1": "unreadable", "b2": "match"}


def test_while_nothing_is_awaited_nobody_is_connected_to(
    company: Company, server: SftpServer
) -> None:
    company.answer(MOVED)
    before = server.seen.connections
    assert (company.hear({}).records, company.hear({}).answers) == ([], {})
    assert server.seen.connections == before


def test_an_answer_to_a_question_that_is_not_awaited_is_not_read(company: Company) -> None:
    company.answer(MOVED, question="20261001-0000")
    batch = company.hear()
    assert (batch.fetched, batch.answers, batch.cursor) == (0, {}, {})


def test_an_answer_without_its_marker_has_not_come_yet(company: Company) -> None:
    company.answer(MOVED)
    (company.outbox / f"vastaus_{QUESTION}.json").unlink()
    assert company.hear().answers == {}


@pytest.mark.parametrize(
    "spoilt",
    [
        {"sha256": "0" * 64},
        {"rows": 2},
        {"rows": "1"},
        {"encoding": "windows-1252"},
        {"columns": COLUMNS[1:]},
    ],
    ids=["cut off", "fewer rows", "no count", "encoding", "no reference"],
)
def test_an_answer_that_is_not_whole_is_not_taken_in(
    company: Company, spoilt: dict[str, Any]
) -> None:
    company.answer(MOVED, **spoilt)
    with pytest.raises(Malformed) as told:
        company.hear()
    assert "Mäkelä" not in str(told.value)
    assert "Uusitie" not in str(told.value)


# --- its file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"asks": {"pattern": "x.csv", "columns": {"R": "reference"}}}, "asks.pattern"),
        ({"asks": {"pattern": "{date}.csv", "columns": {"N": "family_name"}}}, "the reference"),
        ({"asks": {"pattern": "{date}.csv", "columns": {"R": "reference", "S": "reference"}}}, "the reference"),
        ({"files": {}}, "exactly one"),
        ({"birth_dates": True}, "birth_dates"),
    ],
)  # fmt: skip
def test_a_file_that_can_not_be_meant_is_refused(
    server: SftpServer, changed: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Company(server, **changed)


@pytest.mark.parametrize(
    ("column", "entry", "problem"),
    [
        ("PUHELIN", {"field": "phone"}, "no field phone"),
        ("NIMI2", {"field": "family_name"}, "mapped twice"),
        ("KOODI", {"field": "grade", "type": "code", "codes": {"1": "emigrated"}, "required": True}, "means one of"),
        ("KOODI", {"field": "grade", "type": "code", "codes": {"1": "moved"}}, "required"),
    ],
)  # fmt: skip
def test_an_answer_has_only_words_we_know(
    company: Company, column: str, entry: dict[str, Any], problem: str
) -> None:
    files = company.config["files"]
    columns = files["vastaus"]["columns"] | {column: entry}
    changed = {"vastaus": files["vastaus"] | {"columns": columns}}
    with pytest.raises(ValueError, match=problem):
        AddressBatchOptions.from_mapping(company.config | {"files": changed})


def test_the_shipped_file_has_a_code_for_every_grade_and_it_takes_questions(
    company: Company,
) -> None:
    grading = company.options.answer.columns["KOODI"]
    assert set(grading.codes.values()) == GRADES
    assert isinstance(company.source, Correspondent)
    assert company.source.check().endswith("0 files there, 0 in vienti")
