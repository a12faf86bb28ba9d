"""Every command can be learned from the command line, and stands in the README."""

import re
from pathlib import Path

import click
import pytest

from pipelines.cli import hub, main

ROOT = Path(__file__).parents[2]
# no --json: what they say is JSON already, or they speak to a person until they are stopped
ONLY_ONE_WAY = {"hub sandbox serve", "hub sandbox truth"}


def commands(group: click.Group, name: str = "hub") -> dict[str, click.Command]:
    """Every command by the words that call it, groups too."""
    context = click.Context(group)
    found: dict[str, click.Command] = {}
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        found[f"{name} {word}"] = command
        if isinstance(command, click.Group):
            found |= commands(command, f"{name} {word}")
    return found


COMMANDS = commands(hub)
LEAVES = {name: c for name, c in COMMANDS.items() if not isinstance(c, click.Group)}


@pytest.mark.parametrize("name", ["hub", *COMMANDS])
def test_help_shows_examples_that_call_the_command(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*name.split()[1:], "--help"], {}) == 0
    shown = capsys.readouterr().out
    _, _, examples = shown.partition("Examples:")
    assert f"{name} " in examples.replace("\n", " ") + " "


@pytest.mark.parametrize("name", COMMANDS)
def test_help_begins_with_one_sentence(name: str) -> None:
    first = (COMMANDS[name].help or "").splitlines()[0]
    assert first.endswith(".")
    assert first[0].isupper()


@pytest.mark.parametrize("name", sorted(set(LEAVES) - ONLY_ONE_WAY))
def test_every_command_answers_in_json_too(name: str) -> None:
    assert any("--json" in p.opts for p in LEAVES[name].params)


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_says_what_it_is(name: str) -> None:
    options = [p for p in LEAVES[name].params if isinstance(p, click.Option)]
    assert [o.opts[0] for o in options if not o.help] == []


def calls_in(text: str) -> set[str]:
    """The commands that a text names in `backticks`; after `hub keys init`, `check` is `hub keys check`."""
    found: set[str] = set()
    for line in text.splitlines():
        before = ""
        for span in re.findall(r"`([^`]+)`", line):
            words = span.split()
            if words[0] == "hub":
                named = [" ".join(words[:n]) for n in range(2, len(words) + 1)]
                before = max((n for n in named if n in COMMANDS), default="", key=len)
                found.add(before or span)
            elif (sibling := f"{before.rpartition(' ')[0]} {span}") in COMMANDS:
                found.add(sibling)
    return found


def test_every_command_stands_in_the_readme() -> None:
    assert set(LEAVES) - calls_in((ROOT / "README.md").read_text("utf-8")) == set()


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md"])
def test_the_documents_name_no_command_there_is_not(document: str) -> None:
    named = calls_in((ROOT / document).read_text("utf-8"))
    assert named - set(COMMANDS) <= {"hub", "hub COMMAND --help"}


@pytest.mark.parametrize("name", [n for n in COMMANDS if n not in LEAVES])
def test_a_group_without_a_command_is_wrong_use(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(name.split()[1:], {}) == 2
    assert "Commands:" in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", LEAVES)
def test_an_option_nobody_knows_is_wrong_use(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*name.split()[1:], "--no-such-option"], {}) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "--no-such-option" in told.err
