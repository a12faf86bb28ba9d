"""Commands on what at a property does not fit together: proposals list, show, close, reopen.

Belongs here: asking the step and laying the answer out. Does not belong here: finding or mending anything.
"""

import json
from typing import Any

import click

from pipelines.cli import Invocation, answer, json_option
from pipelines.cli.steward import acting, cell, emit, table


@click.group()
def proposals() -> None:
    """What at a property does not fit together; nothing is changed until a register changes.

    A point without a payer, a demolished building with a contract, a payer where nobody knows a building, two
    households in one dwelling, a new connected building that is nobody's. Mend it in the register that is wrong: the
    night after, the proposal is gone. Or close it, if it is as it should be.

    \b
    Examples:
      hub proposals list
      hub proposals show 4 --why "reading the plot's papers"
      hub proposals close 4 --why "the cottage has its own well"
    """


@proposals.command("list")
@click.option("--kind", help="Only of this kind.")
@click.option("--all", "is_all", is_flag=True, help="Those that are closed or gone too.")
@json_option
@click.pass_obj
def list_(invocation: Invocation, kind: str | None, is_all: bool, as_json: bool) -> None:
    """What waits, the most consequential first: points, buildings and dates, no people.

    \b
    Examples:
      hub proposals list --kind no_payer
      hub proposals list --all --json
    """
    from pipelines.house import open_house
    from pipelines.steps.propose import listed
    from pipelines.texts import Texts

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    try:
        found = listed(house.night(), closed=is_all)
        texts = Texts(house.settings.hub.language)
    finally:
        house.close()
    if kind:
        found = found[found["kind"] == kind]
    found = found.assign(meaning=[texts.say(f"proposals.{k}") for k in found["kind"]])
    emit(
        as_json,
        found,
        {
            "proposal_no": "no", "kind": "kind", "point_ref": "point", "opened_on": "since",
            "days": "days", "state": "state", "meaning": "meaning",
        },
        "nothing at any property waits for a decision",
    )  # fmt: skip


@proposals.command()
@click.argument("number", type=int)
@click.option("--why", required=True, help="Purpose, for the access log.")
@json_option
@click.pass_obj
def show(invocation: Invocation, number: int, why: str, as_json: bool) -> None:
    """One proposal with its evidence: who, since when, by whose word. You are logged.

    \b
    Examples:
      hub proposals show 4 --why "call 25.11."
    """
    from pipelines.steps.propose import opened
    from pipelines.texts import Texts

    with acting(invocation) as (night, who):
        seen = opened(night, number, who, why)
        texts = Texts(night.settings.hub.language)
    row = seen.row
    facts = [_named(fact, seen.people) for fact in row["evidence"]]
    point = None if seen.point is None else seen.point.dropna().to_dict()
    if as_json:
        told: dict[str, Any] = {
            "proposal_no": int(row["proposal_no"]), "kind": row["kind"], "state": row["state"],
            "since": row["opened_on"], "point": point, "evidence": facts,
        }  # fmt: skip
        click.echo(json.dumps(told, ensure_ascii=False, default=int))
        return
    click.echo(f"{row['proposal_no']}  {texts.say('proposals.' + row['kind'])} ({row['state']})\n")
    if point is not None:
        shown = [(k, v) for k, v in point.items() if k != "point_id"]
        click.echo(table(shown, ("point", "")) + "\n")
    lines = [
        (
            texts.say(f"proposal.fact.{f['fact']}", n=f.get("n", "")),
            f.get("customer") or f.get("property_id") or f.get("building_id"),
            texts.day(f["since"]) if f.get("since") else None,
            f.get("source"),
        )
        for f in facts
    ]
    click.echo(table(lines, ("evidence", "who or what", "date", "by")))
    if isinstance(row["decision_reason"], str):
        click.echo(f"\n{cell(row['decided_by'])}: {cell(row['decision_reason'])}")


def _named(fact: dict[str, Any], people: dict[int, str]) -> dict[str, Any]:
    """A fact with the customer's id and name in the place of the bare number."""
    party = fact.get("party_id")
    if party is None:
        return fact
    rest = {k: v for k, v in fact.items() if k != "party_id"}
    return {**rest, "customer": f"P{party} {people.get(party, '')}".strip()}


@proposals.command()
@click.argument("number", type=int)
@click.option("--why", required=True, help="Reason, kept with the decision; no person's data.")
@json_option
@click.pass_obj
def close(invocation: Invocation, number: int, why: str, as_json: bool) -> None:
    """Say that it is as it should be. Other facts about the same point are another proposal.

    \b
    Examples:
      hub proposals close 4 --why "the cottage has its own well"
    """
    _decide(invocation, number, "closed", why, as_json)


@proposals.command()
@click.argument("number", type=int)
@click.option("--why", required=True, help="Reason, kept with the decision; no person's data.")
@json_option
@click.pass_obj
def reopen(invocation: Invocation, number: int, why: str, as_json: bool) -> None:
    """Take a closed proposal up again.

    \b
    Examples:
      hub proposals reopen 4 --why "closed by mistake"
    """
    _decide(invocation, number, "open", why, as_json)


def _decide(invocation: Invocation, number: int, state: str, why: str, as_json: bool) -> None:
    from pipelines.steps.propose import decide

    with acting(invocation) as (night, who):
        decide(night, number, state, who, why)
    answer(as_json, {state: number}, [f"proposal {number} is {state}"])
