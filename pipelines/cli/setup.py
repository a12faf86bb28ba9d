"""Setting a hub up and finding out whether it can run: init, check.

Does not belong here: keys (`keys`), a night's work (`operate`), people (`steward`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.breaches import check as check_notice
from pipelines.breaches import ending
from pipelines.cli import Failed, Invocation, answer, json_option
from pipelines.cli.keys import MEANING, mint_missing, state_of_keys, whereabouts
from pipelines.settings import shipped, site_files

if TYPE_CHECKING:
    from pipelines.house import House


@click.command()
@json_option
@click.pass_obj
def init(invocation: Invocation, as_json: bool) -> None:
    """Write a site's configuration files and mint its keys.

    Files and keys that are there already are left as they are, so it may be run again. A file in
    HOME/config replaces the shipped one of that name whole; one that you don't need to change is best
    deleted there, and the shipped one counts again.

    \b
    Examples:
      hub init
      hub --home ~/hub init --json
    """
    home = invocation.home.absolute()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    written, kept = _copy_shipped(home / "config")
    minted = mint_missing(invocation)
    answer(
        as_json,
        {
            "home": str(home),
            "written": written,
            "kept": kept,
            "key_minted": "person" in minted,
            "keys_minted": list(minted),
        },
        [
            *(f"written  {home / 'config' / path}" for path in written),
            *(f"kept     {home / 'config' / path}" for path in kept),
            *(
                f"{'minted' if place.name in minted else 'kept':8} {where}: {MEANING[place.name]}"
                for place, where in whereabouts(invocation)
            ),
            "",
            "Next:",
            "  the keys                 copies of them in a safe; without them no night can run",
            "  config/notice.yml        your own privacy notice, if it is not this one",
            "  config/sources/*.yml     addresses and accounts of the registers",
            "  config/recipients/*.yml  addresses, accounts and agreements of those who are told",
            "  config/alternatives/     contracts that may be put in the place of one of these",
            "  config/hub.yml           who reads the morning letter",
            "then: hub check --config",
        ],
    )


def _copy_shipped(site: Path) -> tuple[list[str], list[str]]:
    written, kept = [], []
    for path in site_files():
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("xb") as file:
                file.write(shipped(path).read_bytes())
            written.append(path)
        except FileExistsError:
            kept.append(path)
    return written, kept


@click.command()
@click.option(
    "--config", "config_only", is_flag=True, help="The configuration alone: nothing is opened."
)
@click.option(
    "--since", default="26h", show_default=True, metavar="AGE",
    help="How old the last good night may be: 26h, 2d. For cron, systemd or a monitor.",
)  # fmt: skip
@click.option(
    "--probe", is_flag=True, help="Call everybody too, with a question that tells them nothing."
)
@json_option
@click.pass_obj
def check(
    invocation: Invocation, config_only: bool, since: str, probe: bool, as_json: bool
) -> None:
    """Check that the hub can run, and that it has run.

    Says of every configuration file which one counts, what the environment overrides, who is not set up,
    whether the key can be used, which agreement ends within 30 days, and what the privacy notice does not
    allow; then whether the database is this hub's and how old the last good night is. Exit code 1 if
    anything stands in the way: a monitor that hears nothing, or 1, calls somebody.

    \b
    Examples:
      hub check --config
      hub check --since 26h
      hub check --probe
      hub check --json
    """
    limit = _age(since)
    found = configuration(invocation)
    payload, lines, problems = dict(found.payload), list(found.lines), list(found.problems)
    if not config_only and not problems:
        night, line, problem = _last_night(invocation, limit, since)
        payload["last_good_night"] = night
        lines.append(line)
        problems += [problem] if problem else []
    if probe and not config_only and not found.problems:
        probes = payload["probes"] = _probes(invocation)
        lines += [f"called   {name}: {said}" for name, said in probes.items()]
        problems += [f"{n}: {said}" for n, said in probes.items() if said.startswith("failed")]
    answer(as_json, payload, lines)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        what = "the configuration can't be used" if found.problems else "not everything is in order"
        raise Failed(f"{what}: {problems[0]}{more}")


def called(house: "House", direction: str, name: str) -> str:
    """What somebody we hear from (`in`) or tell (`out`) says to a question that tells nothing."""
    from connectors.base import ConnectorError

    opener = house.source if direction == "in" else house.recipient
    try:
        return opener(name).check()
    except ConnectorError as error:
        return f"failed: {error}"


def _probes(invocation: Invocation) -> dict[str, str]:
    """Everybody who is set up, by their file: how they answered."""
    from pipelines.house import open_house

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    settings = house.settings
    there = [("in", "sources", n) for n, s in settings.sources.items() if s.configured]
    there += [("out", "recipients", n) for n, r in settings.recipients.items() if r.configured]
    try:
        return {f"{folder}/{name}": called(house, way, name) for way, folder, name in there}
    finally:
        house.close()


def _age(text: str) -> timedelta:
    match = re.fullmatch(r"(\d+)([hd])", text)
    if match is None:
        raise click.UsageError("--since is a number of hours or days: 26h, 2d")
    return timedelta(**{{"h": "hours", "d": "days"}[match[2]]: int(match[1])})


def _last_night(
    invocation: Invocation, limit: timedelta, words: str
) -> tuple[dict[str, str] | None, str, str | None]:
    """The last night that ended clean, as a payload, a line, and what is wrong with it."""
    from pipelines.store.engine import open_engine, reading, require_current_schema
    from pipelines.store.nights import last_night

    engine = open_engine(invocation.settings.hub.database_url)
    try:
        require_current_schema(engine)
        with reading(engine) as conn:
            good, last = last_night(conn, "ok", "attention"), last_night(conn)
    finally:
        engine.dispose()
    if good is None or good.finished_at is None:
        return None, "night    none has ended clean", "no night has ended clean yet: hub night"
    facts = {
        "business_date": good.business_date,
        "finished_at": good.finished_at,
        "status": good.status,
        "last_status": last.status if last else good.status,
    }
    line = f"night    {good.business_date} ended {good.finished_at} ({good.status})"
    ended = datetime.fromisoformat(good.finished_at)
    if invocation.clock() - ended > limit:
        problem = (
            f"the last good night ended {good.finished_at}, more than {words} ago: see the letters"
        )
        return facts, line, problem
    return facts, line, None


@dataclass(frozen=True)
class Configuration:
    """What there is to say of the configuration; problems: what stands in the way, a line each."""

    payload: Mapping[str, object]
    lines: Sequence[str]
    problems: Sequence[str]


def configuration(invocation: Invocation) -> Configuration:
    """The configuration read and held against the notice, the key tried; raises ConfigError."""
    settings = invocation.settings
    site = settings.home / "config"
    breaches = check_notice(
        settings.notice, settings.sources, settings.recipients, invocation.today()
    )
    soon = ending(settings.sources, settings.recipients, invocation.today())
    keys = state_of_keys(invocation)
    files = {
        path: {"from": "site" if origin.is_relative_to(site) else "shipped", "path": str(origin)}
        for path, origin in settings.origins.items()
    }
    problems = [*(key["fault"] for key in keys if key["fault"]), *map(str, breaches)]
    payload = {
        "home": str(settings.home),
        "files": files,
        "overridden_by": list(settings.overridden),
        "unknown_variables": list(settings.unknown_variables),
        "sources": {n: {"configured": s.configured} for n, s in settings.sources.items()},
        "recipients": {
            n: {"configured": r.configured, "mode": r.mode} for n, r in settings.recipients.items()
        },
        "key": {name: value for name, value in keys[0].items() if name != "name"},
        "keys": keys,
        "breaches": [asdict(b) for b in breaches],
        "ending_agreements": [asdict(e) for e in soon],
    }
    lines = [
        *(f"{file['from']:8} {path:32} {file['path']}" for path, file in files.items()),
        *(f"override {variable}" for variable in settings.overridden),
        *(f"ignored  {variable}: no such setting" for variable in settings.unknown_variables),
        *(_party("source", n, s.configured, "") for n, s in settings.sources.items()),
        *(_party("told", n, r.configured, r.mode) for n, r in settings.recipients.items()),
        *(f"key      {key['name']:8} {key['key_id'] or 'none'} from {key['from']}" for key in keys),
        *(f"soon     {one}" for one in soon),
        *(f"problem  {problem}" for problem in problems),
        *([] if problems else ["the configuration can be used"]),
    ]
    return Configuration(payload, lines, problems)


def _party(kind: str, name: str, configured: bool, mode: str) -> str:
    return f"{kind:8} {name:32} {mode if configured else 'absent: no address'}".rstrip()
