"""Commands about one recipient's delivery: extract preview, deliver, adopt.

Belongs here: the run lock around the steps that a night would take, reading a list from a file, the answer in one
line. Does not belong here: what may be told (`steps`), going live (`operate`).
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli import Failed, Invocation, answer, json_option

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.contracts import RecipientContract
    from pipelines.domain.cases import Case
    from pipelines.house import House


@contextmanager
def _alone(invocation: Invocation, recipient: str) -> Iterator[tuple["House", "RecipientContract"]]:
    """The hub opened under its run lock by somebody with a name, and the recipient's contract."""
    from pipelines.house import open_house

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    try:
        if house.settings.user is None:
            raise Failed("say who you are: HUB_USER=your.own.login hub …")
        contract = house.settings.recipients.get(recipient)
        if contract is None:
            raise click.UsageError(f"recipients are {', '.join(house.settings.recipients)}")
        wait = house.settings.hub.refresh.wait_seconds
        if not house.lock.acquire(wait):
            raise Failed(
                f"the hub has been busy for {wait:g} s: {house.lock.holder() or 'another run'} holds it; "
                "nothing was done, try again when it is done"
            )
        yield house, contract
    finally:
        house.close()


def case_of(
    contract: "RecipientContract",
    customer: str | None,
    reference: str | None,
    statute: str | None,
    claim: str | None,
) -> "Case | None":
    """The case that the words on a command line name; None for who has a standing list. Wrong use is a UsageError."""
    from pipelines.domain.cases import Case

    name = contract.recipient
    if not contract.population.is_per_case:
        if any((customer, reference, statute, claim)):
            raise click.UsageError(f"{name} is told of everybody that concerns it, not by case")
        return None
    if not (customer and reference):
        raise click.UsageError(
            f"{name} is told of one customer at a time, never by list: --customer and --case"
        )
    return Case(reference, statute, claim)


def _per_case(command: Callable[..., None]) -> Callable[..., None]:
    """The options that name a case."""
    options = (
        ("--customer", "NUMBER", "Per case: whom to tell of."),
        ("--case", "REF", "Per case: its reference at whoever is told."),
        ("--statute", "LAW", 'Told by law: the law and section, "119/2001 21 §".'),
        ("--legal-claim", "REF", "What allows telling of somebody restricted."),
    )
    for name, metavar, says in reversed(options):
        command = click.option(name, metavar=metavar, help=says)(command)
    return command


@click.group()
def extract() -> None:
    """What a recipient would be told next.

    \b
    Examples:
      hub extract preview finance
    """


@extract.command()
@click.argument("recipient")
@_per_case
@click.option("--why", default="preview", show_default=True, help="Purpose, for the access log.")
@json_option
@click.pass_obj
def preview(
    invocation: Invocation,
    recipient: str,
    customer: str | None,
    case: str | None,
    statute: str | None,
    legal_claim: str | None,
    why: str,
    as_json: bool,
) -> None:
    """The rows that the next delivery would carry, and who is held back; nothing is written or sent.

    What has come in since the last night is read first: a customer's notice of five minutes ago is in it.

    \b
    Examples:
      hub extract preview finance
      hub extract preview collection --customer 100123 --case P-2026-17
    """
    import pandas as pd

    from pipelines.cli.steward import acting, records, table
    from pipelines.steps.foresee_delivery import foresee_delivery
    from pipelines.steps.prepare_case import Asked, preview_case
    from pipelines.store.lock import RunLock

    with acting(invocation) as (night, who):
        contract = night.settings.recipients.get(recipient)
        if contract is None:
            raise click.UsageError(f"recipients are {', '.join(night.settings.recipients)}")
        named = case_of(contract, customer, case, statute, legal_claim)
        if named is None:
            lock = RunLock(night.engine, invocation.home)
            try:
                seen = foresee_delivery(night, contract, who, why, alone=lock.acquire())
            finally:
                lock.release()
            events, held = seen.events[list(contract.columns)], seen.held
            if not seen.is_read:
                click.echo(
                    "another run is under way: shown is what the register held before it", err=True
                )
        else:
            asked = Asked(customer or "", named, who, why)
            events, held = preview_case(night, contract, asked), pd.DataFrame()
    if as_json:
        click.echo(
            json.dumps(
                {"rows": records(events), "held": records(held)}, ensure_ascii=False, default=str
            )
        )
        return
    if events.empty:
        click.echo("nothing to tell")
    else:
        click.echo(table(events.itertuples(index=False), tuple(events.columns)))
    for party_id, reason in held.reindex(columns=["party_id", "reason"]).itertuples(index=False):
        click.echo(f"held back: P{party_id} ({reason})")


@click.command()
@click.argument("recipient")
@_per_case
@click.option("--why", default="", help="Purpose, for the access log; needed per case.")
@json_option
@click.pass_obj
def deliver(
    invocation: Invocation,
    recipient: str,
    customer: str | None,
    case: str | None,
    statute: str | None,
    legal_claim: str | None,
    why: str,
    as_json: bool,
) -> None:
    """Tell a recipient now what tonight's run would tell, or tell of one customer for one case.

    Logged before it leaves, sent once, under the run lock. Who is told by case gets nothing by itself: each
    disclosure rests on a reference, which is an id, never words about a person.

    \b
    Examples:
      hub deliver finance
      hub deliver collection --customer 100123 --case P-2026-17 --why "invoice 881 unpaid"
      hub deliver authorities --customer 100123 --case D/12/2026 --statute "119/2001 21 §" --why demand
    """
    from pipelines.steps.deliver import deliver as send
    from pipelines.steps.prepare_case import Asked, prepare_case
    from pipelines.steps.prepare_extract import prepare_extract

    with _alone(invocation, recipient) as (house, contract):
        named = case_of(contract, customer, case, statute, legal_claim)
        if named is not None and not why:
            raise click.UsageError("say why: --why, for the access log")
        if not contract.configured:
            raise Failed(
                f"{recipient} has no address: recipients/{recipient}.yml: transport.folder.host"
            )
        night = house.night()

        if named is None:
            prepared = prepare_extract(night, contract, lambda: house.recipient(recipient))
        else:
            asked = Asked(customer or "", named, house.settings.user or "", why)
            prepared = prepare_case(night, contract, lambda: house.recipient(recipient), asked)
        if prepared.status == "failed":
            raise Failed(f"{recipient}: nothing was told: {prepared.text}")
        sent = send(night, contract, lambda: house.recipient(recipient))
    counts = {**prepared.counts, **sent.counts}
    answer(as_json, {"recipient": recipient, "status": sent.status, **counts}, [_said(counts)])
    if sent.status == "failed":
        raise Failed(f"{recipient}: {sent.text or 'the delivery has not left'}")


def _said(counts: dict[str, int]) -> str:
    if counts.get("already_told"):
        return "told in this form already: nothing was sent"
    if counts.get("shadow"):
        return f"in shadow: {counts['shadow']} rows would have been sent"
    if not counts.get("pending", counts.get("frozen", 0)) and not counts["waiting"]:
        return "nothing to tell"
    waiting = f", {counts['waiting']} deliveries wait for an answer" if counts["waiting"] else ""
    return f"{counts['sent']} rows sent today, {counts['acknowledged']} acknowledged{waiting}"


@click.command()
@click.argument("recipient")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "windows-1252", "iso-8859-1"]),
    default="utf-8",
    show_default=True,
    help="How the file is written.",
)
@click.option("--delimiter", default=";", show_default=True, help="Between two values.")
@click.option(
    "--column", "columns", multiple=True, metavar="THEIRS=OURS",
    help="A column of theirs and the contract's name for it; the others keep their names.",
)  # fmt: skip
@click.option("--skip", multiple=True, metavar="THEIRS", help="A column of theirs to leave unread.")
@click.option(
    "--unknown-share", default=0.0, show_default=True, type=click.FloatRange(0, 1),
    help="How large a share of the lines may be about nobody here.",
)  # fmt: skip
@click.option("--yes", is_flag=True, help="Record it; without, only show what would be told.")
@json_option
@click.pass_obj
def adopt(
    invocation: Invocation,
    recipient: str,
    file: Path,
    encoding: str,
    delimiter: str,
    columns: tuple[str, ...],
    skip: tuple[str, ...],
    unknown_share: float,
    yes: bool,
    as_json: bool,
) -> None:
    """Take in the list a recipient has already, so that the first live night tells differences only.

    Lines are known by the contract's numbers of the customer and the point. Adopting tells nobody anything. A list
    taken in before is replaced, as long as nothing has been told.

    \b
    Examples:
      hub adopt finance asiakkaat.csv
      hub adopt finance asiakkaat.csv --encoding windows-1252 --column ASNRO=customer_number --skip PUH --yes
    """
    from pipelines.steps.adopt import adopt as take_in

    listed = _listed(file, encoding, delimiter, columns, skip)
    with _alone(invocation, recipient) as (house, contract):
        found = take_in(
            house.night(), contract, listed, house.settings.user or "",
            unknown_share=unknown_share, record=yes,
        )  # fmt: skip
    counted = (
        f"{found.listed} lines: {found.equal} equal, {found.changed} to be told as changed, "
        f"{found.ended} as over, {found.unknown} about nobody here"
    )
    lines = [
        counted,
        f"{found.missing} rows of ours that the list lacks, to be told as new; {found.held} held back",
        "recorded as told" if yes else "nothing recorded: --yes does it",
    ]
    answer(
        as_json,
        {"recipient": recipient, "recorded": yes, **asdict(found)},
        lines,
    )


def _listed(
    file: Path, encoding: str, delimiter: str, columns: tuple[str, ...], skip: tuple[str, ...]
) -> "pd.DataFrame":
    """The file as text, its columns under the contract's names; Failed when it can't be read whole."""
    import pandas as pd

    from connectors.grid import read_grid
    from connectors.mapping import FileMapping, Layout, Limits

    try:
        pairs = dict(c.split("=", 1) for c in columns)
        layout = Layout.from_mapping({"encoding": encoding, "delimiter": delimiter})
    except ValueError as wrong:
        raise click.UsageError(
            f"--column THEIRS=OURS, --delimiter one character: {wrong}"
        ) from None
    grid = read_grid(
        file.name, file.read_bytes(), FileMapping("list", "{date}", "", "", {}), layout, Limits()
    )
    absent = sorted({*pairs, *skip} - set(grid.header))
    if absent:
        raise Failed(f"{file.name} has no column {', '.join(absent)}")
    if grid.broken:
        number, rule, _ = grid.broken[0]
        raise Failed(f"{file.name}: line {number} can't be read ({rule}); nothing was adopted")
    names = [pairs.get(name, name) for name in grid.header]
    if len(set(names)) != len(names):
        raise Failed(f"{file.name}: two columns of one name; nothing was adopted")
    kept = pd.DataFrame(grid.rows, columns=names, dtype="str")
    return kept.drop(columns=list(skip))
