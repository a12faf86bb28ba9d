"""Commands of whoever runs the hub: night, ui, sources, migrate, backup, restore.

Belongs here: turning words on a command line into a step or a Dagster run, and the outcome into one clear
line and an exit code. Does not belong here: what a night does.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import click

from pipelines.cli import Failed, Invocation, answer, is_date, json_option
from pipelines.errors import HubError

if TYPE_CHECKING:
    from pipelines.nightly import Outcome
    from pipelines.store.deliveries import Mode


def dagster_home(home: Path) -> Path:
    """`HOME/dagster`, made and configured; sets what keeps people out of Dagster in this process."""
    from pipelines.settings import shipped

    folder = home / "dagster"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    site = home / "config" / "dagster" / "dagster.yaml"
    wanted = (site if site.is_file() else shipped("dagster/dagster.yaml")).read_text(
        encoding="utf-8"
    )
    instance = folder / "dagster.yaml"
    if not instance.is_file() or instance.read_text(encoding="utf-8") != wanted:
        instance.write_text(wanted, encoding="utf-8")
    os.environ.update(
        DAGSTER_HOME=str(folder), HUB_HOME=str(home), DAGSTER_REDACT_USER_CODE_ERRORS="1",
        DAGSTER_DISABLE_TELEMETRY="yes",
    )  # fmt: skip
    return folder


@click.command()
@click.option("--date", "business_date", metavar="YYYY-MM-DD", help="Business date; default today.")
@click.option("--full", is_flag=True, help="Work on everything instead of what changed.")
@click.option("--profile", is_flag=True, help="Say where the time went.")
@json_option
@click.pass_obj
def night(
    invocation: Invocation, business_date: str | None, full: bool, profile: bool, as_json: bool
) -> None:
    """Run the nightly job once: from the sources to the letter.

    Safe to run again at any time: what is done stays done, nothing is sent twice. While another run goes
    on it says so and exits 0.

    \b
    Examples:
      hub night
      hub night --date 2026-11-02
      hub night --full --profile
    """
    from pipelines.nightly import run_night

    if business_date is not None and not is_date(business_date):
        raise click.UsageError("--date is YYYY-MM-DD")
    started = time.perf_counter()
    dagster_home(invocation.home.absolute())
    outcome = run_night(
        invocation.home,
        business_date,
        full=full,
        watch=_progress() if not as_json else None,
    )
    seconds = time.perf_counter() - started
    if outcome.already_running:
        answer(as_json, {"already_running": True}, [f"already running: {outcome.already_running}"])
        return
    if as_json:
        click.echo(
            json.dumps(
                {
                    "date": outcome.business_date,
                    "status": outcome.status,
                    "seconds": round(seconds, 2),
                    "steps": {s.name: dict(s.counts) for s in outcome.steps},
                },
                ensure_ascii=False,
            )
        )
    else:
        click.echo(outcome.letter.rstrip())
    if profile:
        _show_profile(outcome, seconds)
    for place, line in outcome.failures:
        click.echo(f"  {place}: {line}", err=True)
    if outcome.status == "failed":
        raise Failed(f"the night {outcome.business_date} did not end clean: {outcome.letter_file}")


def _progress() -> Callable[[str], None] | None:
    if not sys.stderr.isatty():
        return None

    def show(place: str) -> None:
        step, _, moment = place.rpartition(":")
        if moment == "begin":
            click.echo(f"  {step} …", err=True)

    return show


def _show_profile(outcome: "Outcome", seconds: float) -> None:
    click.echo("", err=True)
    for name, spent in outcome.timing.items():
        click.echo(f"  {spent:7.2f} s  {name}", err=True)
    click.echo(f"  {seconds:7.2f} s  altogether, after imports of the command itself", err=True)


@click.command()
@click.option(
    "--port", default=3000, show_default=True, help="Port on 127.0.0.1; 0 picks a free one."
)
@click.option("--read-only", is_flag=True, help="Look, don't touch: for stewards.")
@json_option
@click.pass_obj
def ui(invocation: Invocation, port: int, read_only: bool, as_json: bool) -> None:
    """Dagster's web page and the daemon that keeps the schedule, on this machine only.

    The stewards' desk, where people are seen and decided on, is at /desk of the same address once hub.yml has a secret
    for it and roster.yml the people. Open source Dagster knows no users: put a proxy that asks for a login in front of it (README,
    production). Ends with Ctrl-C or SIGTERM.

    \b
    Examples:
      hub ui
      hub ui --port 3001 --read-only
    """
    from pipelines.house import open_house

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    house.close()  # an unusable hub is said here, not in a traceback on a page
    desk = house.settings.hub.desk.is_open
    home = invocation.home.absolute()
    dagster_home(home)
    if sys.stderr.isatty():
        click.echo("starting Dagster … (Ctrl-C ends it)", err=True)
    with DagsterProcesses(home, port, read_only=read_only) as processes:
        address = processes.desk if desk else None
        said = f"Desk: {address or 'off; it wants desk.secret in hub.yml, and roster.yml'}"
        answer(
            as_json, {"url": processes.url, "desk": address}, [f"Dagster: {processes.url}", said]
        )
        sys.stdout.flush()  # whoever reads a pipe waits for the address
        processes.wait()


class DagsterProcesses:
    """Dagster's web server, behind its gate, and its daemon as children, ended together.

    The daemon is started once the gate answers: both make Dagster's tables where there are none, and at the
    same time one of them fails. module: what they load; a test may have more jobs than ours.
    """

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        read_only: bool = False,
        module: str = "pipelines.definitions",
    ) -> None:
        import socket

        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise HubError(f"port {port} is taken: --port 0 picks a free one") from None
            port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        self.desk = f"{self.url}/desk"
        self._log = home / "dagster" / "ui.log"
        self._read_only = read_only
        self._port = port
        self._module = module
        self._children: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        bin_ = Path(sys.executable).parent
        module = ["-m", self._module]
        # below the level warning it writes down every address asked for, searches included
        web = [sys.executable, "-m", "pipelines.webserver", "--log-level", "warning"]
        web += ["-h", "127.0.0.1", "-p", str(self._port), *module]
        if self._read_only:
            web.append("--read-only")
        daemon = [str(bin_ / "dagster-daemon"), "run", *module]
        # what they say is kept in a file: no error is shown whole there, whatever our own shell wants
        environ = {k: v for k, v in os.environ.items() if k != "HUB_TRACEBACK"}
        with self._log.open("ab") as log:

            def start(command: list[str]) -> None:
                self._children.append(
                    subprocess.Popen(command, stdout=log, stderr=log, env=environ)  # noqa: S603 - our own words
                )

            start(web)
            self._until_it_answers()
            start(daemon)
        return self

    def _until_it_answers(self) -> None:
        """Until the gate itself answers: Dagster alone would take a query in an address."""
        import urllib.error
        import urllib.request

        deadline = time.monotonic() + 180  # a busy machine imports slowly
        while time.monotonic() < deadline and all(c.poll() is None for c in self._children):
            try:
                urllib.request.urlopen(f"{self.url}/graphql", timeout=5).close()  # noqa: S310
                break
            except urllib.error.HTTPError as answer:
                if answer.code == 405:
                    return
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        self.__exit__()
        raise HubError(f"Dagster did not start behind its gate: see {self._log}")

    def wait(self) -> None:
        """Until somebody asks us to stop; a child that ends by itself is an error."""

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, stop)
        try:
            while all(child.poll() is None for child in self._children):
                time.sleep(0.5)
        except KeyboardInterrupt:
            return
        raise HubError(f"Dagster ended by itself: see {self._log}")

    def __exit__(self, *_: object) -> None:
        for child in self._children:
            child.terminate()
        for child in self._children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@click.command()
@click.option("--probe", is_flag=True, help="Call each of them now.")
@json_option
@click.pass_obj
def sources(invocation: Invocation, probe: bool, as_json: bool) -> None:
    """Who we hear from and who we tell: when it last worked, how much it brought.

    \b
    Examples:
      hub sources
      hub sources --probe
    """
    from pipelines.cli.setup import called
    from pipelines.house import open_house
    from pipelines.store import deliveries, holdings, nights
    from pipelines.store.engine import transaction

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    rows: list[dict[str, Any]] = []
    with transaction(house.engine) as conn:
        for name, source in house.settings.sources.items():
            last = nights.last_feed(conn, name) if source.configured else None
            rows.append(
                {
                    "name": name,
                    "direction": "in",
                    "configured": source.configured,
                    "last_date": last.business_date if last else None,
                    "status": last.status if last else None,
                    "fetched": last.fetched if last else None,
                    "landed": last.landed if last else None,
                }
            )
        for name, contract in house.settings.recipients.items():
            rows.append(
                {
                    "name": name,
                    "direction": "out",
                    "configured": contract.configured,
                    "mode": deliveries.mode_of(conn, name, contract.mode),
                    "open_deliveries": len(deliveries.outstanding(conn, name)),
                    "returned": holdings.returned_counts(conn, name),
                }
            )
    if probe:
        for row in rows:
            if row["configured"]:
                row["probe"] = called(house, row["direction"], row["name"])
    house.close()
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        if not row["configured"]:
            click.echo(f"{row['name']:<16} not configured")
        elif row["direction"] == "in":
            came = (
                f"{row['last_date']} {row['status']}: {row['fetched']} read, {row['landed']} new or changed"
                if row["last_date"]
                else "never asked"
            )
            click.echo(f"{row['name']:<16} in   {came}")
        else:
            returned = "".join(f", {n} values {state}" for state, n in row["returned"].items())
            click.echo(
                f"{row['name']:<16} out  {row['mode']}, {row['open_deliveries']} open deliveries"
                f"{returned}"
            )
        if row.get("probe"):
            click.echo(f"{'':<16}      {row['probe']}")
    if any(str(row.get("probe", "")).startswith("failed") for row in rows):
        raise Failed("not everybody answered")


@click.command()
@json_option
@click.pass_obj
def migrate(invocation: Invocation, as_json: bool) -> None:
    """Bring the database's schema up to this hub's; data stays.

    \b
    Examples:
      hub backup /srv/backup/before-upgrade && hub migrate
    """
    from pipelines.store.engine import migrate as upgrade
    from pipelines.store.engine import open_engine

    engine = open_engine(invocation.settings.hub.database_url)
    done = upgrade(engine)
    engine.dispose()
    text = f"schema brought up by {', '.join(done)}" if done else "the schema is up to date"
    answer(as_json, {"applied": done}, [text])


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@json_option
@click.pass_obj
def backup(invocation: Invocation, directory: Path, as_json: bool) -> None:
    """Write every table of the hub into an empty folder, at one moment; keys are not in it.

    \b
    Examples:
      hub backup /srv/backup/2026-11-22
    """
    from pipelines.house import open_house
    from pipelines.store.backup import backup as write

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    counts = write(house.engine, invocation.home, directory)
    house.close()
    rows = sum(counts.values())
    keys = invocation.home / "keys"
    text = f"{rows} rows of {len(counts)} tables in {directory}; keep a copy of {keys} elsewhere"
    answer(as_json, {"tables": counts}, [text])


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option
@click.pass_obj
def restore(invocation: Invocation, directory: Path, as_json: bool) -> None:
    """Fill an empty hub from a backup; refuses a database that holds anything.

    \b
    Examples:
      HUB_HOME=/srv/hub-restored hub restore /srv/backup/2026-11-22
    """
    from pipelines.store.backup import restore as read
    from pipelines.store.engine import open_engine

    engine = open_engine(invocation.settings.hub.database_url)
    counts = read(engine, directory)
    engine.dispose()
    text = f"{sum(counts.values())} rows of {len(counts)} tables restored"
    answer(as_json, {"tables": counts}, [text])


@click.group()
def recipient() -> None:
    """Whether a recipient is really told, or only prepared for.

    A new recipient is in shadow: its rows are worked out and counted each night, and nothing is sent.

    \b
    Examples:
      hub recipient go-live finance
      hub recipient shadow finance
    """


@recipient.command("go-live")
@click.argument("name")
@json_option
@click.pass_obj
def go_live(invocation: Invocation, name: str, as_json: bool) -> None:
    """Tell a recipient from the next night on; refused while its contract lacks anything.

    \b
    Examples:
      hub recipient go-live finance
    """
    from pipelines.breaches import check

    contract = invocation.settings.recipients.get(name)
    if contract is None:
        raise click.UsageError(f"recipients are {', '.join(invocation.settings.recipients)}")
    live = contract.model_copy(update={"mode": "live"})
    breaches = check(
        invocation.settings.notice, invocation.settings.sources, {name: live}, invocation.today()
    )
    if breaches:
        raise Failed(f"{name} can't go live: {breaches[0]}")
    _set_mode(invocation, name, "live", as_json)


@recipient.command()
@click.argument("name")
@json_option
@click.pass_obj
def shadow(invocation: Invocation, name: str, as_json: bool) -> None:
    """Send a recipient nothing any more; what there would be to tell is still worked out and counted.

    \b
    Examples:
      hub recipient shadow finance
    """
    if name not in invocation.settings.recipients:
        raise click.UsageError(f"recipients are {', '.join(invocation.settings.recipients)}")
    _set_mode(invocation, name, "shadow", as_json)


def _set_mode(invocation: Invocation, name: str, mode: "Mode", as_json: bool) -> None:
    from pipelines.house import open_house
    from pipelines.store import deliveries, nights
    from pipelines.store.engine import transaction

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    who = house.settings.user
    if who is None:
        raise Failed("say who you are: HUB_USER=your.own.login hub …")
    with transaction(house.engine) as conn:
        deliveries.set_mode(conn, name, mode, who, house.night().now())
        # what was only prepared for in shadow has never been told
        nights.start_over(conn, f"extract:{name}")
    house.close()
    answer(as_json, {"recipient": name, "mode": mode}, [f"{name} is {mode} from the next night on"])
