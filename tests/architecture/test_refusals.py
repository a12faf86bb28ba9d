"""Whatever a step says no with can be said at the desk: in its reader's language, with no command to type."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from pipelines.errors import HubError
from pipelines.steps.correct import NotCorrected, Why
from pipelines.texts import catalogue
from tests.architecture.test_texts import LANGUAGES, STEPS, holes, tree

NOES = frozenset({"Alone", "HubError", "NotFound", "NotRefreshed", "Undecidable"})
# no page of the desk comes by: module, how the sentence begins
OF_THE_COMMAND_LINE = frozenset({
    ("account_for.py", "the log has nobody in a delivery"),
    ("answer_request.py", "there is no request"),
    ("answer_request.py", "request "),
    ("around.py", "no record is kept under"),
    ("report_faults.py", "there is no source"),
    ("review.py", "both words mean one record"),
})  # fmt: skip


def refusals(path: Path) -> Iterator[ast.Call]:
    """Each call that makes an error which a step raises."""
    for node in ast.walk(tree(path)):
        made = node.exc if isinstance(node, ast.Raise) else None
        if isinstance(made, ast.Call) and ast.unparse(made.func) in NOES:
            yield made


def beginning(call: ast.Call) -> str:
    sentence = call.args[0]
    if isinstance(sentence, ast.JoinedStr):
        sentence = sentence.values[0]
    return str(sentence.value) if isinstance(sentence, ast.Constant) else ""


def exempt(path: Path, call: ast.Call) -> tuple[str, str] | None:
    return next(
        (
            (file, words)
            for file, words in OF_THE_COMMAND_LINE
            if file == path.name and beginning(call).startswith(words)
        ),
        None,
    )


def texts_of(call: ast.Call) -> list[str]:
    """The texts that an error names; where a name is put together, all that it may become."""
    (said,) = [k.value for k in call.keywords if k.arg == "says"] or [None]
    match said:
        case ast.Constant(value=str(entry)):
            return [entry]
        case ast.JoinedStr(values=parts):
            fixed = [re.escape(p.value) if isinstance(p, ast.Constant) else ".+" for p in parts]
            return [entry for entry in catalogue() if re.fullmatch("".join(fixed), entry)]
    return []


@pytest.mark.parametrize("path", STEPS, ids=lambda p: p.name)
def test_what_a_step_says_no_with_has_a_text_for_the_desk_filled_in_exactly(path: Path) -> None:
    for call in refusals(path):
        if exempt(path, call) is not None:
            continue
        where, entries = f"{path.name}:{call.lineno}", texts_of(call)
        assert entries, f"{where} has no text: says="
        filled = {k.arg for k in call.keywords if k.arg not in ("says", None)}
        for entry in entries:
            assert entry in catalogue(), f"{where}: no text {entry}"
            for language in LANGUAGES:
                assert holes(catalogue()[entry][language]) == filled, f"{where}: {entry}"


def test_what_is_of_the_command_line_alone_is_taken_off_the_list_once_it_is_gone() -> None:
    found = {exempt(path, call) for path in STEPS for call in refusals(path)}
    assert found - {None} == OF_THE_COMMAND_LINE


@pytest.mark.parametrize("why", get_args(Why))
def test_whatever_stands_against_a_correction_has_a_text_of_its_own(why: Why) -> None:
    says = NotCorrected("x", why).says
    assert says in catalogue()
    assert not holes(catalogue()[says]["fi"])


def test_no_refusal_tells_a_steward_to_type_a_command() -> None:
    said = [entry for path in STEPS for call in refusals(path) for entry in texts_of(call)]
    assert len(said) > 30
    for entry in (*said, *(e for e in catalogue() if e.startswith("no."))):
        for language in LANGUAGES:
            assert "hub " not in catalogue()[entry][language].replace("the hub ", ""), entry


def test_no_text_waits_for_a_refusal_that_nothing_makes() -> None:
    made = {entry for path in STEPS for call in refusals(path) for entry in texts_of(call)}
    made |= {str(NotCorrected("x", why).says) for why in get_args(Why)}
    assert {e for e in catalogue() if e.startswith("no.")} <= made


def test_an_error_keeps_its_sentence_beside_its_text() -> None:
    no = HubError("entry 7 is gone; see: hub list", says="no.entry", n=7)
    assert (str(no), no.says, no.values) == (
        "entry 7 is gone; see: hub list", "no.entry", {"n": 7},
    )  # fmt: skip
