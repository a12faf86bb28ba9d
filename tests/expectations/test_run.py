"""The adapter to Great Expectations answers every question, or says that it could not."""

import subprocess
import sys
from collections.abc import Callable

import pandas as pd
import pytest

from expectations.rules.rule import Rule
from expectations.run import ExpectationError, answers, positions, validate
from pipelines.domain.schemas import PARTIES, ROLES

RULES = (
    Rule("there", "a", "critical", "present"),
    Rule("digits", "a", "critical", "matches", pattern=r"\A[0-9]+\Z"),
    Rule("digits_too", "a", "warning", "matches", pattern=r"\A[0-9]+\Z"),
    Rule("no_x", "a", "warning", "avoids", pattern="x"),
    Rule("short", "a", "critical", "at_most", length=2),
    Rule("gone", "b", "warning", "absent"),
)


def _rows(a: list[str | None], b: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame({"a": a, "b": b}, dtype="str")


def test_every_demand_lists_the_rows_that_break_it_and_a_null_only_the_missing_one():
    rows = _rows(["1", None, "xy", "123", "4\n"], [None, None, "b", None, None])
    assert positions(RULES, answers(RULES, rows)) == [[1], [2, 4], [2, 4], [2], [3], [2]]


def test_rules_that_demand_the_same_are_one_question_and_each_has_its_own_answer():
    alike = [Rule(f"r{n}", c, "critical", "present") for n, c in enumerate("abab")]
    told = answers(alike, _rows(["1", None, "2"], [None, None, "3"]))
    assert positions(alike, told) == [[1], [0, 1], [1], [0, 1]]
    assert [answer["number"] for answer in told] == [0, 1, 2, 3]


def test_lengths_are_one_question_each_to_its_own_measure():
    lengths = [Rule(f"r{n}", "a", "critical", "at_most", length=n) for n in (1, 2, 3)]
    rows = _rows(["1", "ää", None, "1234"], [None] * 4)
    assert positions(lengths, answers(lengths, rows)) == [[1, 3], [3], [3]]


def test_a_column_of_nulls_is_answered_too():
    rows = _rows([None, None], [None, None])
    assert positions(RULES, answers(RULES, rows)) == [[0, 1], [], [], [], [], []]


def test_more_broken_rows_than_a_sample_are_all_listed():
    rows = _rows(["x"] * 500, [None] * 500)
    assert [len(where) for where in positions(RULES, answers(RULES, rows))] == [
        0,
        500,
        500,
        500,
        0,
        0,
    ]


def test_a_missing_answer_is_an_error():
    told = answers(RULES, _rows(["1"], [None]))
    with pytest.raises(ExpectationError, match="without an answer: "):
        positions(RULES, told[:-1])


def test_a_second_answer_to_one_question_is_an_error():
    told = answers(RULES, _rows(["1"], [None]))
    with pytest.raises(ExpectationError, match="already answered"):
        positions(RULES, [*told, told[0]])


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"unexpected_count": 2, "unexpected_index_list": [{"record_id": [1]}]},
        {"unexpected_count": 1, "unexpected_index_list": None},
    ],
)
def test_an_answer_without_a_full_list_of_rows_is_an_error(result):
    told = [{"number": i, "result": {"unexpected_count": 0, "unexpected_index_list": []}} for i in range(6)]  # fmt: skip
    told[2]["result"] = result
    with pytest.raises(ExpectationError, match="digits_too"):
        positions(RULES, told)


def test_a_failure_inside_the_library_says_nothing_of_the_values(capfd):
    def unreadable(frame: pd.DataFrame) -> pd.Series:
        return frame["a"]

    bad = Rule("broken", "a", "critical", "matches", pattern="(", column=unreadable)
    with pytest.raises(ExpectationError) as failed:
        positions([bad], answers([bad], _rows(["Kanarialintu"], [None])))
    assert "Kanarialintu" not in str(failed.value)
    assert failed.value.__suppress_context__ or failed.value.__context__ is None
    assert "Kanarialintu" not in "".join(capfd.readouterr())


def test_a_column_the_schema_does_not_know_is_refused():
    with pytest.raises(KeyError, match="hetu"):
        validate(PARTIES, PARTIES.empty().assign(hetu=None))


@pytest.fixture
def in_a_new_process() -> Callable[[str], str]:
    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


def test_a_frame_without_rows_is_answered_without_great_expectations(in_a_new_process):
    assert validate(ROLES, ROLES.empty()).findings.empty
    code = (
        "import sys; from expectations.run import validate; from pipelines.domain.schemas import ROLES;"
        "found = validate(ROLES, ROLES.empty()); assert set(found.failed.values()) == {0};"
        "print('great_expectations' in sys.modules)"
    )
    assert in_a_new_process(code) == "False\n"


def test_warnings_and_progress_of_the_library_stay_inside(in_a_new_process):
    code = (
        "from expectations.run import validate; from pipelines.domain.schemas import ROLES;"
        "found = validate(ROLES, ROLES.frame([{'source': 's', 'source_key': '1', 'role_type': 'x'}]));"
        "print(len(found.findings))"
    )
    assert in_a_new_process(code) == "3\n"
