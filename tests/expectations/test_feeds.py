"""What a source's file promises becomes expectations: which checks there are, and what each is asked."""

from pathlib import Path

import pandas as pd
import pytest

from connectors.tabular import _REASONS
from expectations import feeds
from expectations.feeds import promises, reference_rules
from expectations.rules.reading import MEANINGS as OF_READING
from expectations.run import ask
from pipelines.settings import load_settings
from pipelines.steps.vet_feed import feed_checks

SETTINGS = load_settings(Path("nowhere"), {})
REGISTER = {"a": {"kind": "party"}, "p": {"kind": "point"}, "r": {"kind": "role"}}


def test_a_source_without_files_promises_nothing_beside_its_answer() -> None:
    assert promises(None).checks == ()
    assert feed_checks(SETTINGS.sources["dvv"]) == ()


@pytest.mark.parametrize(
    ("source", "checks"),
    [
        ("registrations", set(feeds.CHECKS)),
        ("municipality", set(feeds.CHECKS)),
        ("finance_status", set(feeds.CHECKS) - {feeds.REFERENCES}),
        ("subcontractor", set(feeds.CHECKS) - {feeds.REFERENCES}),
    ],
)
def test_the_shipped_files_promise_columns_values_keys_size_and_references_where_there_are(
    source: str, checks: set[str]
) -> None:
    assert set(feed_checks(SETTINGS.sources[source])) == checks


def test_a_part_of_a_register_promises_neither_its_size_nor_its_references() -> None:
    promised = promises(REGISTER, complete=False)
    assert set(promised.checks) == {feeds.COLUMNS, feeds.VALUES, feeds.KEYS}


def test_a_role_names_a_party_and_a_point_only_where_they_are_in_the_delivery() -> None:
    assert promises(REGISTER).references == {"role": {"party": "party", "point": "point"}}
    no_points = {key: REGISTER[key] for key in "ar"}
    assert promises(no_points).references == {"role": {"party": "party"}}


def test_a_reference_to_nobody_is_found_by_the_row_that_has_it() -> None:
    rows = pd.DataFrame(
        {
            "source": "registrations",
            "source_key": ["1", "2", "3", "4"],
            "party": ["20001", "20001", "99999", None],
            "point": ["501", "777", "777", "501"],
        },
        dtype="str",
    )
    there = {"party": frozenset({"20001"}), "point": frozenset({"501"})}
    told = ask(reference_rules({"party": "party", "point": "point"}, there), rows)
    found = told.findings[["source_key", "rule", "severity", "field"]].values.tolist()
    assert sorted(found) == [
        ["2", "reference_unknown", "warning", "point"],
        ["3", "reference_unknown", "warning", "party"],
        ["3", "reference_unknown", "warning", "point"],
    ]
    assert told.failed == {"reference_unknown": 2}, "rows, not fields"
    assert "99999" not in told.findings.to_json() + str(told.failed)


def test_whatever_the_reader_can_refuse_has_words_for_a_steward() -> None:
    known = set(feeds.MEANINGS) | set(OF_READING)
    assert set(_REASONS) | {feeds.DUPLICATE_KEY} <= known
    for told in feeds.MEANINGS.values():
        assert set(told) == {"fi", "sv", "en"}
        assert all(text.endswith(".") and len(text) > 10 for text in told.values())
