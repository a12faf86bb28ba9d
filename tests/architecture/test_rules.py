"""Each rule of the notice is held by a test that carries its id, or says why it isn't (tests/rules.yml)."""

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from pipelines.settings import read_yaml

ROOT = Path(__file__).parents[2]
RULES = [f"R{n}" for n in range(1, 61)]
WAYS = {"tests", "planned", "organisational"}


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    return read_yaml(ROOT / "tests" / "rules.yml")


@cache
def declared_in(file: str) -> dict[str, str]:
    """The tests of a file: name → name and docstring."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    found = [
        n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")
    ]
    return {n.name: f"{n.name} {ast.get_docstring(n) or ''}" for n in found}


def carries(text: str, rule: str) -> bool:
    return (
        re.search(rf"(?<![A-Za-z0-9]){rule}(?![0-9])", text.replace("_", " "), re.IGNORECASE)
        is not None
    )


def test_every_rule_is_listed_once_and_in_order(rules: dict[str, Any]) -> None:
    assert list(rules) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_is_tested_planned_or_organisational(rules: dict[str, Any], rule: str) -> None:
    entry = rules[rule]
    assert set(entry) <= WAYS | {"what"}
    assert entry["what"]
    ways = WAYS & set(entry)
    assert ways, "neither tested nor planned nor organisational"
    assert ways == {"organisational"} or "organisational" not in ways
    if "planned" in entry:
        assert set(entry["planned"]) == {"reason", "issue"}
        assert all(entry["planned"].values())


@pytest.mark.parametrize("rule", RULES)
def test_the_tests_it_names_exist_and_carry_its_id(rules: dict[str, Any], rule: str) -> None:
    for named in rules[rule].get("tests", ()):
        file, _, pattern = named.partition("::")
        assert (ROOT / file).is_file(), f"{file} is gone"
        matching = [text for name, text in declared_in(file).items() if fnmatchcase(name, pattern)]
        assert matching, f"no test {named}"
        assert all(carries(text, rule) for text in matching), f"{named} does not carry {rule}"


def test_an_id_is_not_found_inside_another() -> None:
    assert carries("test_r5_a_purpose", "R5")
    assert carries("test_r16_r55_web", "R55")
    assert carries("test_x held by R9, R10", "R9")
    assert not carries("test_r55_web", "R5")
