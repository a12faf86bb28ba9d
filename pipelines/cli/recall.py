"""Commands on recalls and notices of correction: disclosures recalls, recall approve, decline, sent.

Belongs here: asking the step and laying the answer out. Does not belong here: deciding, sending anything: a notice
goes with its contract's next delivery, or a person sends the letter that is printed here.
"""

from typing import TYPE_CHECKING, cast

import click

from pipelines.cli import Invocation, answer, json_option
from pipelines.cli.steward import acting, emit

if TYPE_CHECKING:
    from pipelines.texts import Language

_COLUMNS = {
    "notification_no": "id", "kind": "what", "recipient": "to", "why": "because", "fields": "data",
    "state": "state", "route": "by", "prepared_at": "since", "days": "days",
}  # fmt: skip


@click.command()
@click.option("--all", "is_all", is_flag=True, help="Those that are closed too.")
@click.option(
    "--customers", is_flag=True, help="Whom each is about; you are logged, and say --why."
)
@click.option("--why", default="", help="Purpose, for the access log; with --customers.")
@json_option
@click.pass_obj
def recalls(invocation: Invocation, is_all: bool, customers: bool, why: str, as_json: bool) -> None:
    """Who holds an address that may not be told any more, and who was told something wrong; no people.

    A recall (after a protective order) waits for an officer, since a request to delete an address tells that there is
    a reason. A notice of correction goes with the contract's next delivery, or waits for a person (`by` hand).

    \b
    Examples:
      hub disclosures recalls
      hub disclosures recalls --customers --why "order of 26.11."
    """
    from pipelines.steps.recall import listed

    if customers:
        if not why:
            raise click.UsageError("say why you look at people: --why, for the access log")
        with acting(invocation) as (night, who):
            found = listed(night, closed=is_all, who=who, why=why)
    else:
        from pipelines.house import open_house

        house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
        try:
            found = listed(house.night(), closed=is_all)
        finally:
            house.close()
    found = found.assign(fields=found["fields"].map(" ".join))
    columns = _COLUMNS | ({"customer": "customer"} if customers else {})
    emit(as_json, found, columns, "nobody has to be recalled from or told of a correction")


@click.group()
def recall() -> None:
    """Decide on a recall or a notice of correction. Your name goes into the access log.

    \b
    Examples:
      hub disclosures recall approve 3 --why "agreed with the data protection officer"
      hub disclosures recall decline 4 --why "the agency would learn of the order"
    """


@recall.command()
@click.argument("number", type=int)
@click.option("--why", required=True, help="Reason, kept with the decision.")
@click.option(
    "--language", type=click.Choice(["fi", "sv", "en"]), help="Of the letter; else the hub's own."
)
@json_option
@click.pass_obj
def approve(
    invocation: Invocation, number: int, why: str, language: str | None, as_json: bool
) -> None:
    """Let a recipient be told; prints the letter, which you send. Approve again to print it again.

    The letter has the customer number and the deliveries by which the recipient finds the data, no value, and never
    why an address may not be kept. A notice that waits for a delivery is by this taken into your hands.
    A recall, and a notice about somebody under a protective order, nobody approves alone: two people do it at the desk, and
    its letter is printed here once they have.

    \b
    Examples:
      hub disclosures recall approve 3 --why "agreed with the data protection officer"
      hub disclosures recall approve 3 --why "agreed" --language sv
    """
    from pipelines.notification_letter import letter
    from pipelines.steps.recall import approve as approve_

    with acting(invocation) as (night, who):
        approved = approve_(night, number, who, why)
        settings = night.settings
        chosen = cast("Language", language or settings.hub.language)
        lines = list(letter(approved, settings, chosen, night.business_date))
    done = f"{number} approved; send this, then: hub disclosures recall sent {number} --why …"
    answer(
        as_json,
        {"approved": number, "recipient": approved.recipient, "letter": "\n".join(lines) + "\n"},
        [done, "", *lines],
    )


@recall.command()
@click.argument("number", type=int)
@click.option("--why", required=True, help="Reason, kept with the decision.")
@json_option
@click.pass_obj
def decline(invocation: Invocation, number: int, why: str, as_json: bool) -> None:
    """Decide that a recipient is not told. It stays so for what it has been told until now.

    \b
    Examples:
      hub disclosures recall decline 4 --why "the agency would learn of the order"
    """
    from pipelines.steps.recall import decline as decline_

    with acting(invocation) as (night, who):
        decline_(night, number, who, why)
    answer(as_json, {"declined": number}, [f"{number} declined; the recipient is not told"])


@recall.command()
@click.argument("number", type=int)
@click.option("--answered", is_flag=True, help="The recipient has confirmed it.")
@click.option(
    "--why", required=True, help="How it went, by a reference; never words about a person."
)
@json_option
@click.pass_obj
def sent(invocation: Invocation, number: int, answered: bool, why: str, as_json: bool) -> None:
    """Say that the letter has gone, or that the recipient has confirmed it.

    \b
    Examples:
      hub disclosures recall sent 3 --why "letter D/88/2026"
      hub disclosures recall sent 3 --answered --why "their answer D/91/2026"
    """
    from pipelines.steps.recall import sent as sent_

    with acting(invocation) as (night, who):
        sent_(night, number, who, why, answered=answered)
    state = "acknowledged" if answered else "sent"
    answer(as_json, {state: number}, [f"{number} is {state}"])
