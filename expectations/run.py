"""A frame and its suite → which records broke which rule. The only caller of Great Expectations.

Belongs here: the adapter, made so that no value can get out of it (HOUSE_STYLE C2). Does not belong here: a
rule, or anything a broken rule leads to.

A question costs Great Expectations some milliseconds however few rows there are, so rules with the same demand
are one question: their values stand below each other in a column of their own, and rows are known to it by
number only. Importing it takes three seconds and happens when there is something to ask.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from expectations.rules.rule import Rule
from expectations.suites import suite
from pipelines.domain.schemas import Schema

_RECORD = "record_id"
_FINDING = ("source", "source_key", "rule", "severity", "field")
_IDS_ONLY = {
    "result_format": "COMPLETE",
    "unexpected_index_column_names": [_RECORD],
    "exclude_unexpected_values": True,
    "return_unexpected_index_query": False,
}


class ExpectationError(Exception):
    """The rule book could not be asked, or did not answer every question; names rules only."""


@dataclass(frozen=True)
class Findings:
    """findings: source, source_key, rule, severity, field, one per record, rule and field broken.

    checked: rule → rows it was asked of. failed: rule → rows that broke it. Rows, not fields: a row with
    two overlong fields counts once.
    """

    findings: pd.DataFrame
    checked: dict[str, int]
    failed: dict[str, int]


def validate(schema: Schema, frame: pd.DataFrame) -> Findings:
    """Ask every rule of the schema's suite of every row; the schema has source and source_key.

    Raises ExpectationError when a rule goes unanswered, KeyError for a column the schema does not know.
    """
    return ask(suite(schema), schema.conform(frame))


def ask(rules: Sequence[Rule], rows: pd.DataFrame) -> Findings:
    """Ask the rules of every row, which has source, source_key and the columns they look at.

    Raises ExpectationError when a rule goes unanswered.
    """
    rows = rows.reset_index(drop=True)
    checked = {rule.name: len(rows) for rule in rules}
    if rows.empty:
        return Findings(
            pd.DataFrame(columns=list(_FINDING), dtype="str"), checked, dict.fromkeys(checked, 0)
        )
    broken = positions(rules, answers(rules, rows))
    failing: dict[str, set[int]] = {rule.name: set() for rule in rules}
    parts = []
    for rule, where in zip(rules, broken, strict=True):
        failing[rule.name].update(where)
        if where:
            found = rows.loc[where, ["source", "source_key"]]
            parts.append(found.assign(rule=rule.name, severity=rule.severity, field=rule.field))
    every = pd.concat(parts) if parts else pd.DataFrame(columns=list(_FINDING))
    findings = every[list(_FINDING)].astype("str").drop_duplicates(ignore_index=True)
    return Findings(findings, checked, {name: len(where) for name, where in failing.items()})


def get_ready() -> None:
    """Import Great Expectations ahead of the first question, which is where most of its time goes.

    Whatever is wrong with it is left to the first question to say.
    """
    with contextlib.suppress(Exception):
        import great_expectations.expectations  # noqa: F401


def answers(rules: Sequence[Rule], rows: pd.DataFrame) -> list[Mapping[str, object]]:
    """What Great Expectations says of the rules, in its own words and any order; row numbers, no values."""
    alike: dict[tuple[str, str], list[int]] = {}
    for number, rule in enumerate(rules):
        alike.setdefault((rule.demand, rule.pattern), []).append(number)
    groups = list(alike.values())
    asked = [rules[group[0]] for group in groups]
    height = max(map(len, groups), default=0) * len(rows)
    batch = pd.DataFrame(
        {
            _RECORD: range(height),
            **{
                _column(i): _stacked([rules[n] for n in group], rows, height)
                for i, group in enumerate(groups)
            },
        }
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            told = _ask(asked, batch)
            return [one for group in told for one in _apart(group, groups, len(rows))]
    except Exception as error:  # noqa: BLE001 - whatever it raises must not get out
        # The library's own message may quote the values it stumbled over.
        raise ExpectationError(f"the rule book failed: {type(error).__name__}") from None


def _stacked(rules: Sequence[Rule], rows: pd.DataFrame, height: int) -> pd.Series:
    """What the rules look at, one below the other, and below them what none of them minds."""
    harmless = "ok" if rules[0].demand == "present" else None
    values = [value for rule in rules for value in _looked_at(rule, rows)]
    return pd.Series([*values, *[harmless] * (height - len(values))], dtype=object)


def _looked_at(rule: Rule, rows: pd.DataFrame) -> Iterable[object]:
    """The rule's values; of one about length what stands beyond it, so that all lengths are one question."""
    values = rule.values(rows)
    if rule.demand != "at_most":
        return values
    return (None if value is None else str(value)[rule.length :] for value in values)


def _apart(
    answer: Mapping[str, object], groups: Sequence[Sequence[int]], height: int
) -> Iterator[Mapping[str, object]]:
    """The answer about a group as one for each of its rules; one that is not whole, as it is."""
    number, result = answer["number"], answer["result"]
    if not isinstance(number, int) or not isinstance(result, dict):
        raise TypeError("an answer without its number")
    group, listed = groups[number], result.get("unexpected_index_list")
    where = [i for entry in listed or () for i in entry[_RECORD]]
    if not isinstance(listed, list) or len(where) != result.get("unexpected_count"):
        yield from ({"number": rule, "result": result} for rule in group)
        return
    if any(i >= len(group) * height for i in where):
        raise ValueError("an answer about a row that nobody asked about")
    for place, rule in enumerate(group):
        mine = [i - place * height for i in where if place * height <= i < (place + 1) * height]
        found = {"unexpected_count": len(mine), "unexpected_index_list": [{_RECORD: mine}]}
        yield {"number": rule, "result": found}


def positions(rules: Sequence[Rule], told: Sequence[Mapping[str, object]]) -> list[list[int]]:
    """Per rule the numbers of the rows that broke it.

    Raises ExpectationError when a rule has no answer, two answers, or one without a full list of rows.
    """
    by_number: dict[int, list[int]] = {}
    for answer in told:
        number, result = answer["number"], answer["result"]
        if not isinstance(number, int) or number in by_number or not isinstance(result, dict):
            raise ExpectationError("an answer belongs to no rule, or to one already answered")
        listed = result.get("unexpected_index_list")
        count = result.get("unexpected_count")
        if not isinstance(listed, list) or not isinstance(count, int):
            raise ExpectationError(f"rule {rules[number].name}: could not be asked")
        where = [int(i) for entry in listed for i in entry[_RECORD]]
        if len(where) != count:
            raise ExpectationError(
                f"rule {rules[number].name}: {len(where)} rows listed of {count}"
            )
        by_number[number] = sorted(where)
    unanswered = [rule.name for i, rule in enumerate(rules) if i not in by_number]
    if unanswered:
        raise ExpectationError(f"rules without an answer: {', '.join(sorted(set(unanswered)))}")
    return [by_number[i] for i in range(len(rules))]


def _ask(rules: Sequence[Rule], batch: pd.DataFrame) -> list[Mapping[str, object]]:
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    whole = asset.add_batch_definition_whole_dataframe("whole")
    questions = gx.ExpectationSuite(
        "rules", expectations=[_question(i, r) for i, r in enumerate(rules)]
    )
    result = whole.get_batch(batch_parameters={"dataframe": batch}).validate(
        questions, result_format=_IDS_ONLY
    )
    return [
        {"number": answer.expectation_config.meta["number"], "result": dict(answer.result)}
        for answer in result.results
    ]


def _question(number: int, rule: Rule) -> object:
    import great_expectations.expectations as gxe

    column, meta = _column(number), {"number": number}
    match rule.demand:
        case "present":
            return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
        case "absent":
            return gxe.ExpectColumnValuesToBeNull(column=column, meta=meta)
        case "matches":
            return gxe.ExpectColumnValuesToMatchRegex(column=column, regex=rule.pattern, meta=meta)
        case "avoids":
            return gxe.ExpectColumnValuesToNotMatchRegex(
                column=column, regex=rule.pattern, meta=meta
            )
        case "at_most":
            return gxe.ExpectColumnValueLengthsToBeBetween(column=column, max_value=0, meta=meta)


def _column(number: int) -> str:
    return f"asked_{number}"
