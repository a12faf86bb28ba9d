"""Commands on batches that are held because of their size: batch show, accept, approve.

Belongs here: laying the numbers out, who may be the second person on a command line. Does not belong here: which batch is
held (`steps.ingest`), what is let in of it (`steps.accept_volume`).
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import Failed, Invocation, answer, json_option
from pipelines.cli.steward import acting

if TYPE_CHECKING:
    from pipelines.steps.accept_volume import Held


@click.group()
def batch() -> None:
    """Batches that are held because of their size: what came, what is usual, letting one in by two people.

    \b
    Examples:
      hub batch show registrations
      hub batch accept registrations --why "the exporter leaves closed customers out from now on"
    """


@batch.command()
@click.argument("source")
@json_option
@click.pass_obj
def show(invocation: Invocation, source: str, as_json: bool) -> None:
    """The batch that is held of a source: how many records came and are usual, and what would be let in.

    \b
    Examples:
      hub batch show registrations
    """
    from pipelines.steps import accept_volume

    with acting(invocation) as (night, _):
        held = accept_volume.held_batch(night, source)
    answer(as_json, asdict(held), [*_numbers(held), *_what_next(held)])


@batch.command()
@click.argument("source")
@click.option(
    "--why", required=True,
    help="Who at the source confirmed it, and what has changed; no personal data.",
)  # fmt: skip
@json_option
@click.pass_obj
def accept(invocation: Invocation, source: str, why: str, as_json: bool) -> None:
    """Ask for a batch to be taken in that is held because of its size.

    What is asked for is one batch of about the size that is held, once, within three days of the approval. Somebody else,
    an officer of the roster, approves it (hub batch approve, or the desk); until then nothing changes.

    \b
    Examples:
      hub batch accept registrations --why "the exporter leaves closed customers out from now on"
    """
    from pipelines.steps import accept_volume

    with acting(invocation) as (night, who):
        held = accept_volume.held_batch(night, source)
        accept_volume.ask(night, source, held.total, who, why)
        asked = accept_volume.held_batch(night, source)
    answer(as_json, asdict(asked), [*_numbers(asked), *_what_next(asked)])


@batch.command()
@click.argument("request_no", type=int)
@json_option
@click.pass_obj
def approve(invocation: Invocation, request_no: int, as_json: bool) -> None:
    """Approve what somebody else has asked for; you are an officer of the roster, under your own login.

    The next night, or one run now, takes the batch in if its size is still what was asked about.

    \b
    Examples:
      HUB_USER=olli.vastaava hub batch approve 3
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


def _what_next(held: "Held") -> list[str]:
    number = held.request_no
    if number is not None:
        return [
            f"request {number} waits for an officer who is somebody else: hub batch approve {number}, or the desk"
        ]
    if held.acceptance is not None:
        one = held.acceptance
        waits = f"acceptance {one.acceptance_no} waits for the next night, until {one.valid_to}"
        return [f"{waits}; asked by {one.asked_by}, approved by {one.approved_by}"]
    return [f'if it is right: hub batch accept {held.source} --why "…"']


def _demand_officer(member: Any, today: str) -> None:
    """The second person is one whom the desk would let be it (R49, R50, R51)."""
    if member is None or member.role != "officer" or member.bar(today) is not None:
        raise Failed(
            "the second person is an officer of config/roster.yml with a signed commitment, under a login of their own: "
            "HUB_USER=their.login hub batch approve …"
        )
