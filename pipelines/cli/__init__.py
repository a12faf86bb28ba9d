"""The `hub` command: its list of commands, how they answer, how they fail.

Belongs here: the list (a new command is one line in it), options every command has, exit codes. Does not
belong here: any command, nor an import that a command does not need: each is imported when it is called,
so `hub --help` stays quick.

Exit codes: 0 done, 1 failed with one line on stderr, 2 called wrongly.
"""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from zoneinfo import ZoneInfo

import click

from pipelines.errors import HubError, told

if TYPE_CHECKING:
    from pipelines.settings import Settings

# command → where it is, and its summary (the first line of its help; a test holds them equal)
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("pipelines.cli.setup:init", "Write a site's configuration files and mint its keys."),
    "check": ("pipelines.cli.setup:check", "Check that the hub can run, and that it has run."),
    "keys": ("pipelines.cli.keys:keys", "The keys that stand outside database and configuration."),
    "notice": (
        "pipelines.cli.notice:notice",
        "The privacy notice that everything is held against.",
    ),
    "night": (
        "pipelines.cli.operate:night",
        "Run the nightly job once: from the sources to the letter.",
    ),
    "ui": (
        "pipelines.cli.operate:ui",
        "Dagster's web page and the daemon that keeps the schedule, on this machine only.",
    ),
    "sources": (
        "pipelines.cli.operate:sources",
        "Who we hear from and who we tell: when it last worked, how much it brought.",
    ),
    "batch": (
        "pipelines.cli.batch:batch",
        "Batches that are held because of their size: what came, what is usual, letting one in by two people.",
    ),
    "quarantine": (
        "pipelines.cli.quarantine:quarantine",
        "Records that were refused: see why, correct them, let them on, take them out, tell their source.",
    ),
    "customer": (
        "pipelines.cli.steward:customer",
        "Find and show customers; record what they told us. Everybody who sees a person is logged.",
    ),
    "review": (
        "pipelines.cli.review:review",
        "Pairs of records that only a person can decide: one customer, or two.",
    ),
    "proposals": (
        "pipelines.cli.proposals:proposals",
        "What at a property does not fit together; nothing is changed until a register changes.",
    ),
    "match": (
        "pipelines.cli.match:match",
        "Which records are the same party: try it on a list, measure it, see what a change would do.",
    ),
    "refresh": (
        "pipelines.cli.refresh:refresh",
        "Refresh customers while they wait: ask every register, show ours and theirs.",
    ),
    "recipient": (
        "pipelines.cli.operate:recipient",
        "Whether a recipient is really told, or only prepared for.",
    ),
    "deliver": (
        "pipelines.cli.deliver:deliver",
        "Tell a recipient now what tonight's run would tell, or tell of one customer for one case.",
    ),
    "adopt": (
        "pipelines.cli.deliver:adopt",
        "Take in the list a recipient has already, so that the first live night tells differences only.",
    ),
    "extract": ("pipelines.cli.deliver:extract", "What a recipient would be told next."),
    "disclosures": (
        "pipelines.cli.disclosures:disclosures",
        "Who was told what, when and on what ground.",
    ),
    "migrate": (
        "pipelines.cli.operate:migrate",
        "Bring the database's schema up to this hub's; data stays.",
    ),
    "backup": (
        "pipelines.cli.operate:backup",
        "Write every table of the hub into an empty folder, at one moment; keys are not in it.",
    ),
    "restore": (
        "pipelines.cli.operate:restore",
        "Fill an empty hub from a backup; refuses a database that holds anything.",
    ),
    "demo": (
        "pipelines.cli.town:demo",
        "Nights of a small town's customer register, over real HTTP and SFTP on this machine.",
    ),
    "sandbox": (
        "pipelines.cli.town:sandbox",
        "A made-up town with every counterparty as a real server on this machine.",
    ),
}

_Command = TypeVar("_Command", bound=Callable[..., object])


@dataclass(frozen=True)
class Invocation:
    """What a command is told: the hub's home, the environment, the clock. is_named: somebody said which home."""

    home: Path
    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    is_named: bool = True

    @cached_property
    def settings(self) -> "Settings":
        """The configuration; raises ConfigError."""
        from pipelines.settings import load_settings

        return load_settings(self.home, self.environ)

    def today(self) -> str:
        """Today's date at the utility, ISO."""
        return self.clock().astimezone(ZoneInfo(self.settings.hub.timezone)).date().isoformat()


def _wall_clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the command line's clock argument starts here


@dataclass(frozen=True)
class _Outside:
    """Environment and clock on their way from `main` to the group."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], datetime] = _wall_clock


class Failed(HubError):
    """A command that has said its piece on stdout and ends with exit code 1 and this line."""


class _Lazy(click.Group):
    """A group that knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Everything the hub writes is here.  [env: HUB_HOME; default: ./.hub]",
)
@click.version_option(package_name="register-hub", prog_name="hub")
@click.pass_context
def hub(ctx: click.Context, home: Path | None) -> None:
    """Keep a water utility's customer register in step with the other controllers of the same people.

    \b
    Examples:
      hub init                      write the configuration of a new hub into ./.hub
      hub --home ~/hub check        see whether the hub kept there can run
      hub COMMAND --help            what a command does, with examples
    """
    outside = ctx.ensure_object(_Outside)
    named = home or outside.environ.get("HUB_HOME")
    chosen = Path(named or ".hub").expanduser()
    ctx.obj = Invocation(chosen, outside.environ, outside.clock, is_named=bool(named))


def json_option(command: _Command) -> _Command:
    """Gives a command `--json`, passed as `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Answer in JSON, with stable keys."
    )(command)


def answer(as_json: bool, payload: Mapping[str, object], lines: Iterable[str]) -> None:
    """A command's answer on stdout: the payload as JSON, or the lines."""
    if as_json:
        click.echo(json.dumps(payload, ensure_ascii=False, indent=2))
    else:
        for line in lines:
            click.echo(line)


def is_date(text: str) -> bool:
    """Whether a word on the command line is a date as the hub writes it, YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def main(
    arguments: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> int:
    """Run one command and return its exit code; nothing a person can mend ends in a traceback."""
    outside = _Outside(os.environ if environ is None else environ, clock or _wall_clock)
    try:
        hub.main(arguments, prog_name="hub", standalone_mode=False, obj=outside)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.ClickException as wrong:
        wrong.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("hub: interrupted", err=True)
        return 1
    except BrokenPipeError:
        # who reads has closed; leave nothing for the interpreter to flush into it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if outside.environ.get("HUB_TRACEBACK"):
            raise
        click.echo(f"hub: {told(error)}", err=True)
        return 1
    return 0
