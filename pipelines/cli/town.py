"""Commands of the town in a box: demo, sandbox.

Belongs here: starting the town, pointing a hub at it, telling its stories. Does not belong here: how the
town's counterparties answer (`connectors.sandbox`), what a night does.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Literal

import click

from pipelines.cli import Failed, Invocation, answer, json_option

Finance = Literal["sftp", "netvisor"]

_READY_SECONDS = 60
# a source that reads drops → who of the town drops them
_DROPS = {
    "registrations": "own_register",
    "municipality": "municipality",
    "finance_status": "finance",
    "orders": "order_desk",
    "subcontractor": "contractor",
    "postal": "postal",
}
DEALINGS = frozenset({"finance_status", "orders", "subcontractor"})
"""Sources whose word changes nobody's bill; a town for something else may do without them."""
_TOLD = ("finance", "building_control", "own_register", "municipality")
_SIGNED = {"reference": "demo", "signed": "2026-01-01", "valid_to": None}


def control(directory: Path, method: str, path: str, body: object = None) -> Any:
    """Ask the running town of a folder something; raises Failed when it does not run."""
    import requests

    try:
        base = json.loads((directory / "addresses.json").read_text(encoding="utf-8"))["control"]
        response = requests.request(method, f"{base}{path}", json=body, timeout=60)
        response.raise_for_status()
        return response.json()
    except (OSError, ValueError, requests.RequestException):
        raise Failed(f"no town runs in {directory}: hub sandbox serve --dir {directory}") from None


@contextmanager
def serving(directory: Path, customers: int, seed: int) -> Iterator[dict[str, Any]]:
    """The town as a child process; gives its addresses."""
    addresses = directory / "addresses.json"
    addresses.unlink(missing_ok=True)
    directory.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "connectors.sandbox", "--dir", str(directory),
        "--customers", str(customers), "--seed", str(seed),
    ]  # fmt: skip
    with (directory / "town.log").open("wb") as log:
        town = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - our own words
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while not addresses.is_file():
            if town.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"the town did not start: see {directory / 'town.log'}")
            time.sleep(0.05)
        yield json.loads(addresses.read_text(encoding="utf-8"))
    finally:
        town.terminate()
        try:
            town.wait(20)
        except subprocess.TimeoutExpired:
            town.kill()
            town.wait()


def point_at(
    home: Path,
    addresses: Mapping[str, Any],
    finance: Finance = "sftp",
    leave_out: Collection[str] = (),
) -> None:
    """Write the town's addresses into HOME/config, secrets into files of their own (mode 0600).

    finance: how the outsourcer is told, by file or in Netvisor. leave_out: sources that are given no address.
    """
    import yaml

    from pipelines.settings import is_secret, read_yaml, shipped

    def secret(name: str, value: str) -> dict[str, str]:
        path = home / "secrets" / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
        return {"file": f"secrets/{name}"}

    def write(path: str, content: Mapping[str, Any]) -> None:
        target = home / "config" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(dict(content), allow_unicode=True, sort_keys=False)
        target.write_text("# Written for the town in a box.\n" + text, encoding="utf-8")

    def folder(who: str) -> dict[str, Any]:
        there = addresses[who]
        return {
            "kind": "sftp",
            "host": there["host"],
            "port": there["port"],
            "path": ".",
            "username": there["username"],
            "password": secret(f"{who}.password", there["password"]),
            "host_keys": [there["host_key"]],
        }

    def door(name: str) -> dict[str, Any]:
        there = addresses[name]
        made: dict[str, Any] = there | {
            k: secret(f"{name}.{k}", v) for k, v in there.items() if is_secret(k)
        }
        return made

    write("hub.yml", {**read_yaml(shipped("hub.yml")), "allow_test_identities": True})
    for name, who in _DROPS.items():
        if name not in leave_out:
            ours = read_yaml(shipped(f"sources/{name}.yml"))
            signed = {"agreement": _SIGNED} if "agreement" in ours else {}
            drop = {**folder(who), "path": "vienti"}
            write(f"sources/{name}.yml", {**ours, **signed, "folder": drop})
    if "address_batch" in addresses and "address_batch" not in leave_out:
        asked = {"folder": folder("address_batch"), "agreement": _SIGNED}
        file = "sources/address_batch.yml"
        write(file, {**read_yaml(shipped(file)), **asked})
    for name, there in addresses.items():
        # a register that answers over HTTP says under its source's name what that source's file needs
        source = f"sources/{name}.yml"
        if isinstance(there, dict) and "base_url" in there and shipped(source).is_file():
            write(source, {**read_yaml(shipped(source)), **door(name)})
    for name in _TOLD:
        in_netvisor = (name, finance) == ("finance", "netvisor")
        file = "alternatives/finance-netvisor.yml" if in_netvisor else f"recipients/{name}.yml"
        contract = dict(read_yaml(shipped(file)))
        contract["agreement"] = _SIGNED
        contract["mode"] = "live"
        where = door("netvisor") if in_netvisor else {"folder": folder(name)}
        contract["transport"] = {**contract["transport"], **where}
        write(f"recipients/{name}.yml", contract)


@click.group()
def sandbox() -> None:
    """A made-up town with every counterparty as a real server on this machine.

    \b
    Examples:
      hub sandbox serve --dir ~/town --customers 200
      hub sandbox advance --dir ~/town
    """


_directory = click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False), default=Path(".hub-town"),
    show_default=True, help="Where the town is kept; outside HUB_HOME.",
)  # fmt: skip


_finance = click.option(
    "--finance", default="sftp", show_default=True, type=click.Choice(["sftp", "netvisor"]),
    help="How the hub tells the finance outsourcer: by file, or in its Netvisor.",
)  # fmt: skip


@sandbox.command()
@_directory
@click.option(
    "--customers", default=2000, show_default=True, help="How many customers the utility has."
)
@click.option("--seed", default=1, show_default=True, help="Another seed, another town.")
@_finance
@click.option("--configure", is_flag=True, help="Point the hub of HUB_HOME at this town.")
@click.pass_obj
def serve(
    invocation: Invocation,
    directory: Path,
    customers: int,
    seed: int,
    finance: Finance,
    configure: bool,
) -> None:
    """Serve a town until Ctrl-C or SIGTERM.

    \b
    Examples:
      hub sandbox serve --dir ~/town --customers 200 --configure
    """
    with serving(directory, customers, seed) as addresses:
        if configure:
            point_at(invocation.home, addresses, finance)
        click.echo(f"town of {customers} customers; addresses in {directory / 'addresses.json'}")
        _until_stopped()


def _until_stopped() -> None:
    import signal

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


@sandbox.command()
@_directory
def truth(directory: Path) -> None:
    """What is really so in the running town, as JSON.

    \b
    Examples:
      hub sandbox truth --dir ~/town
    """
    click.echo(json.dumps(control(directory, "GET", "/truth"), ensure_ascii=False))


@sandbox.command()
@_directory
@click.option("--days", default=1, show_default=True, help="How many days pass.")
@click.option("--quiet", is_flag=True, help="Days on which nothing happens.")
@json_option
def advance(directory: Path, days: int, quiet: bool, as_json: bool) -> None:
    """Let days pass in the running town.

    \b
    Examples:
      hub sandbox advance --dir ~/town --days 3
    """
    today = control(directory, "POST", "/advance", {"days": days, "quiet": quiet})["today"]
    answer(as_json, {"today": today}, [f"it is {today} in the town"])


@click.command()
@click.option(
    "--customers", default=2000, show_default=True, help="How many customers the utility has."
)
@click.option("--nights", default=3, show_default=True, help="How many nights to run.")
@click.option("--seed", default=1, show_default=True, help="Another seed, another town.")
@_finance
@click.option("--keep-open", is_flag=True, help="Keep town and UI up until Enter or SIGTERM.")
@json_option
@click.pass_obj
def demo(
    invocation: Invocation,
    customers: int,
    nights: int,
    seed: int,
    finance: Finance,
    keep_open: bool,
    as_json: bool,
) -> None:
    """Nights of a small town's customer register, over real HTTP and SFTP on this machine.

    Everything is made up and kept in ./.hub-demo (or --home, HUB_HOME). On a terminal the desk and the Dagster UI stay
    open until Enter.

    \b
    Examples:
      hub demo
      hub demo --customers 300 --nights 2
      hub demo --finance netvisor
      hub demo --json
    """
    from pipelines.cli.operate import DagsterProcesses, dagster_home
    from pipelines.keys import init as mint
    from pipelines.settings import load_settings
    from pipelines.store.engine import migrate, open_engine
    from pipelines.story import Tale, summarise

    base = _fresh_folder(invocation)
    home, town = base / "hub", base / "town"
    with serving(town, customers, seed) as addresses:
        point_at(home, addresses, finance)
        seat_made_up_people(home)
        settings = load_settings(home, invocation.environ)
        mint(home, settings.hub.key_file)
        engine = open_engine(settings.hub.database_url)
        migrate(engine)
        engine.dispose()
        dates, ran = [], []
        today = addresses["today"]
        for number in range(1, nights + 1):
            if number > 1:
                today = control(town, "POST", "/advance", {"days": 1})["today"]
            if not as_json:
                click.echo(f"night {number} of {nights}, {today} …", err=True)
            ran.append(_night(home, today, invocation.environ))
            dates.append(today)
        tale: Tale = summarise(
            home,
            truth=control(town, "GET", "/truth"),
            stories=control(town, "GET", "/stories"),
            nights=[{"date": d, **r} for d, r in zip(dates, ran, strict=True)],
        )
        if as_json:
            click.echo(json.dumps(tale.payload, ensure_ascii=False, indent=2))
        else:
            click.echo("\n".join(tale.lines))
        if keep_open or (sys.stdin.isatty() and sys.stdout.isatty() and not as_json):
            dagster_home(home)
            with DagsterProcesses(home, 0) as processes:
                click.echo(f"\nDesk: {processes.desk}    Dagster: {processes.url}")
                click.echo(f"letters: {home / 'letters'}")
                click.echo("Enter ends it." if sys.stdin.isatty() else "SIGTERM ends it.")
                sys.stdout.flush()
                if sys.stdin.isatty():
                    sys.stdin.readline()
                else:
                    processes.wait()
    unclean = [night for night in ran if night["exit"]]
    if unclean:
        raise Failed(f"a night did not end clean: {unclean[0]['said']}")


def seat_made_up_people(home: Path) -> None:
    """Two made-up people at the desk, to be picked without a login (`settings.Desk.demo`)."""
    import yaml

    from pipelines.settings import read_yaml

    path = home / "config" / "hub.yml"
    hub = read_yaml(path)
    hub["desk"] = {**hub["desk"], "demo": True}
    signed = {"reference": "DEMO/1", "signed": date(2026, 1, 2)}
    people = [
        {"login": "aino.esimerkki", "name": "Aino Esimerkki", "role": "steward", "commitment": signed},
        {"login": "otso.esimerkki", "name": "Otso Esimerkki", "role": "officer", "commitment": {**signed}},
    ]  # fmt: skip
    for file, content in ((path, hub), (path.with_name("roster.yml"), {"people": people})):
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        file.write_text(f"# Written for the town in a box.\n{text}", encoding="utf-8")


def _fresh_folder(invocation: Invocation) -> Path:
    """An empty folder for the demo; what an earlier demo left is removed, anything else is not touched."""
    base = (invocation.home if invocation.is_named else Path(".hub-demo")).absolute()
    marker = base / ".demo"
    if base.exists() and any(base.iterdir()):
        if not marker.is_file():
            raise Failed(f"{base} holds something that no demo wrote: give another --home")
        shutil.rmtree(base)
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    marker.touch()
    return base


def _night(home: Path, date: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """One night as a child process, as cron would run it."""
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "pipelines.cli", "--home", str(home), "night", "--date", date],
        env={**environ, "HUB_HOME": str(home)},
        capture_output=True,
        check=False,
    )
    seconds = round(time.monotonic() - started, 2)
    return {"seconds": seconds, "exit": done.returncode, "said": done.stderr.decode().strip()}
