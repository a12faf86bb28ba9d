"""Commands on who we hear from and who we tell: sources, sources accept, sources approve.

Belongs here: laying the numbers out, who may be the second person on a command line. Does not belong here: which batch is
held (`steps.ingest`), what is let in of it (`steps.accept_volume`).
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import Failed, Invocation, answer, json_option
from pipelines.cli.steward import acting

if TYPE_CHECKING:
    from pipelines.steps.accept_volume import Held


@click.group(invoke_without_command=True)
@click.option("--probe", is_flag=True, help="Call each of them now.")
@json_option
@click.pass_context
def sources(context: click.Context, probe: bool, as_json: bool) -> None:
    """Who we hear from and who we tell: when it last worked, how much it brought.

    A batch that is held because of its size is let in by two people: `accept` asks, `approve` answers.

    \b
    Examples:
      hub sources
      hub sources --probe
      hub sources accept registrations
    """
    if context.invoked_subcommand is None:
        _list(context.obj, probe, as_json)


def _list(invocation: Invocation, probe: bool, as_json: bool) -> None:
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


@sources.command()
@click.argument("source")
@click.option(
    "--why", help="Who at the source confirmed it, and what has changed; no personal data."
)
@json_option
@click.pass_obj
def accept(invocation: Invocation, source: str, why: str | None, as_json: bool) -> None:
    """Ask for a batch to be taken in that is held because of its size; without --why, only look at it.

    What is asked for is one batch of about the size that is held, once, within three days of the approval. Somebody else,
    an officer of the roster, approves it (hub sources approve, or the desk); until then nothing changes.

    \b
    Examples:
      hub sources accept registrations
      hub sources accept registrations --why "the exporter says that closed customers are left out from now on"
    """
    from pipelines.steps import accept_volume

    with acting(invocation) as (night, who):
        held = accept_volume.held_batch(night, source)
        number = accept_volume.ask(night, source, held.total, who, why) if why else None
    payload = {**asdict(held), "request_no": number or held.request_no, "asked": number is not None}
    answer(as_json, payload, [*_numbers(held), *_what_next(held, number)])


@sources.command()
@click.argument("request_no", type=int)
@json_option
@click.pass_obj
def approve(invocation: Invocation, request_no: int, as_json: bool) -> None:
    """Approve what somebody else has asked for; you are an officer of the roster, under your own login.

    The next night, or one run now, takes the batch in if its size is still what was asked about.

    \b
    Examples:
      HUB_USER=olli.vastaava hub sources approve 3
    """
    from pipelines.steps import accept_volume, second_person

    with acting(invocation) as (night, who):
        _demand_officer(night.settings.roster.by_login.get(who), night.business_date)
        found = second_person.open_request(night, request_no, who)
        if found.act != accept_volume.ACT:
            raise Failed(
                f"request {request_no} is about something else: it is approved at the desk"
            )
        facts = found.facts or {}
        second_person.approve(
            night, request_no, who, "", lambda request: accept_volume.accept(night, request, who)
        )
    text = (
        f"request {request_no} approved: {facts['source']}, one batch of {facts['fewest']} to {facts['most']} records; "
        "the next night takes it in"
    )
    told = {name: facts[name] for name in ("source", "total", "fewest", "most")}
    answer(as_json, {"approved": request_no, **told}, [text])


def _numbers(held: "Held") -> list[str]:
    """What came, what is usual, what would be taken in."""
    usual = f"{held.usual} are usual" if held.usual else "the usual number is not known"
    lines = [f"{held.source}: {held.total} records came on {held.held_on}; {usual}"]
    if held.expected is not None:
        lines.append(f"taken in without an approval: {held.expected[0]} to {held.expected[1]}")
    lines.append(f"asked for: one batch of {held.fewest} to {held.most} records, once")
    if held.borrowers:
        lines.append(
            f"asked about whoever is in it, so their size may change too: {', '.join(held.borrowers)}"
        )
    return lines


def _what_next(held: "Held", asked: int | None) -> list[str]:
    number = asked or held.request_no
    if number is not None:
        return [
            f"request {number} waits for an officer who is somebody else: hub sources approve {number}, or the desk"
        ]
    if held.acceptance is not None:
        one = held.acceptance
        waits = f"acceptance {one.acceptance_no} waits for the next night, until {one.valid_to}"
        return [f"{waits}; asked by {one.asked_by}, approved by {one.approved_by}"]
    return [f'if it is right: hub sources accept {held.source} --why "…"']


def _demand_officer(member: Any, today: str) -> None:
    """The second person is one whom the desk would let be it (R49, R50, R51)."""
    if member is None or member.role != "officer" or member.bar(today) is not None:
        raise Failed(
            "the second person is an officer of config/roster.yml with a signed commitment, under a login of their own: "
            "HUB_USER=their.login hub sources approve …"
        )
