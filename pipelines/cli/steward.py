"""Commands of customer service: customer; and what every command of theirs needs.

Belongs here: asking the steps and laying the answer out on a terminal. Does not belong here: deciding
anything. Whoever sees a person says who they are (`--as`, or the login) and is written into the access log.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pandas as pd

from pipelines.cli import Failed, Invocation, answer, is_date, json_option
from pipelines.domain.restraints import KINDS

if TYPE_CHECKING:
    from pipelines.domain.dealings import Balance
    from pipelines.steps.night import Night

CHANNELS = ("phone", "email", "letter", "visit", "form")
_channel = click.option("--channel", required=True, type=click.Choice(CHANNELS), help="How.")
_evidence = click.option(
    "--evidence", help="Reference to the letter, form or call; never its contents."
)


@contextmanager
def acting(invocation: Invocation) -> Iterator[tuple["Night", str]]:
    """The hub opened for a named person; nobody acts or looks without a name (R50)."""
    from pipelines.house import open_house
    from pipelines.steps.second_person import Alone, note_alone

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    who = house.settings.user
    try:
        if who is None:
            raise Failed("say who you are: HUB_USER=your.own.login hub …")
        yield house.night(), who
    except Alone as alone:
        note_alone(house.night(), who or "", alone)
        raise
    finally:
        house.close()


def table(rows: Iterable[Iterable[object]], headings: tuple[str, ...]) -> str:
    """Left-aligned columns; a null shows as nothing, control characters as a dot."""
    cells = [[cell(v) for v in row] for row in rows]
    widths = [max([len(h), *(len(r[i]) for r in cells)]) for i, h in enumerate(headings)]
    lines = [headings, tuple("-" * w for w in widths), *cells]
    return "\n".join(
        "  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def cell(value: object) -> str:
    """A value on a terminal."""
    if _is_null(value):
        return ""
    if isinstance(value, np.generic):
        value = value.item()
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return "".join(c if c.isprintable() else "·" for c in text)


def _is_null(value: Any) -> bool:
    return value is None or (not isinstance(value, (list, dict)) and bool(pd.isna(value)))


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows for JSON, nulls as null."""
    return [
        {str(k): None if _is_null(v) else v for k, v in row.items()}
        for row in frame.astype(object).to_dict("records")
    ]


def emit(as_json: bool, frame: pd.DataFrame, columns: dict[str, str], nothing: str) -> None:
    """Some columns of a frame, as JSON under their names or as a table under headings."""
    if as_json:
        click.echo(json.dumps(records(frame[list(columns)]), ensure_ascii=False, default=str))
    elif frame.empty:
        click.echo(nothing)
    else:
        click.echo(table(frame[list(columns)].itertuples(index=False), tuple(columns.values())))


@click.group()
def customer() -> None:
    """Find and show customers; record what they told us. Everybody who sees a person is logged.

    \b
    Examples:
      hub customer find virtanen matti
      hub customer show 100123
      hub customer restrain 100123 restriction --channel letter --why "disputes the address"
    """


@customer.command()
@click.argument("words", nargs=-1, required=True)
@click.option(
    "--why", default="customer service", show_default=True, help="Purpose, for the access log."
)
@json_option
@click.pass_obj
def find(invocation: Invocation, words: tuple[str, ...], why: str, as_json: bool) -> None:
    """Customers by name: words in any order, å and ä as good as a, one typing error forgiven.

    \b
    Examples:
      hub customer find virtanen
      hub customer find matti virtanen --why "call 14.11."
    """
    from pipelines.steps.look import find as search

    with acting(invocation) as (night, who):
        found = search(night, " ".join(words), who, why)
    emit(
        as_json,
        found.assign(id="P" + found["party_id"].astype(str)),
        {
            "id": "id", "customer_numbers": "customer no", "display_name": "name",
            "street_line": "street", "postal_code": "code", "post_office": "post office",
        },
        "nobody by that name",
    )  # fmt: skip


@customer.command()
@click.argument("number")
@click.option(
    "--why", default="customer service", show_default=True, help="Purpose, for the access log."
)
@json_option
@click.pass_obj
def show(invocation: Invocation, number: str, why: str, as_json: bool) -> None:
    """One customer: each value with the source it came from, roles, points, customer numbers.

    A value that one of our own people entered says so: as the customer's notice or as a correction, by whom and when.
    Below the values stands every address that a source states, with its first day, whoever is believed, and how
    much of the address that stands the post's file knows, or whether its line could be read otherwise.
    Of a point: property, building, connections; `overruled` is what another register says against it.
    Then what is unpaid, as the finance outsourcer last told, and earlier orders. Above all of it, what the customer has
    forbidden, and since when.

    \b
    Examples:
      hub customer show 100123
      hub customer show P17
    """
    from pipelines.steps.look import show as look
    from pipelines.texts import Texts

    with acting(invocation) as (night, who):
        found = look(night, number, who, why)
        texts = Texts(night.settings.hub.language)
    values = found.values[
        ["field", "value", "source", "source_time", "rule", "said_how", "said_by", "said_at"]
    ]
    roles = found.roles[["role_type", "point_ref", "valid_from", "valid_to", "source", "rule"]]
    points = found.points[["point_ref", "field", "value", "source", "source_time", "rule"]]
    numbers = found.records.loc[found.records["source"] == "registrations", "source_key"]
    orders = found.orders[["source_key", "order_kind", "ordered_on", "point_ref", "source"]]
    if as_json:
        click.echo(
            json.dumps(
                {
                    "id": f"P{found.golden['party_id']}",
                    "protected": bool(found.golden["protection"] == "on"),
                    "values": records(values),
                    "postal_check": found.postal_check,
                    "ambiguity": found.ambiguity,
                    "addresses": records(found.addresses),
                    "roles": records(roles),
                    "points": records(points),
                    "customer_numbers": list(numbers),
                    "invoices": asdict(found.balance),
                    "orders": records(orders),
                    "restraints": records(found.restraints),
                    "records": list(found.handles),
                },
                ensure_ascii=False,
            )
        )
        return
    click.echo(f"P{found.golden['party_id']}  {cell(found.golden['display_name'])}")
    if found.golden["protection"] == "on":
        click.echo("PROTECTIVE ORDER: no address but a contact address is kept or told")
    for kind, channel, evidence, since in found.restraints.itertuples(index=False):
        reference = "" if pd.isna(evidence) else f", {cell(evidence)}"
        click.echo(f"{texts.say(f'restraint.{kind}')}: {since} ({channel}{reference})")
    why = "why it won"
    click.echo()
    whose = ("entered as", "by", "on")
    click.echo(
        table(values.itertuples(index=False), ("field", "value", "source", "since", why, *whose))
    )
    if found.postal_check:
        click.echo(f"\naddress: {texts.say(f'postal_check.{found.postal_check}')}")
    if found.ambiguity:
        click.echo(f"address: {texts.say(f'ambiguity.{found.ambiguity}')}")
    click.echo()
    stated = ("source says", "address", "street", "code", "post office", "from", "until")
    click.echo(table(found.addresses.itertuples(index=False), stated))
    click.echo()
    click.echo(
        table(roles.itertuples(index=False), ("role", "point", "from", "until", "source", why))
    )
    click.echo()
    click.echo(
        table(points.itertuples(index=False), ("point", "field", "value", "source", "since", why))
    )
    click.echo("")
    click.echo("\n".join(_unpaid(found.balance)))
    if len(orders):
        ordered = ("order", "what", "day", "point", "source")
        click.echo(f"\n{table(orders.itertuples(index=False), ordered)}")
    click.echo(f"\ncustomer numbers in the own register: {', '.join(numbers)}")
    click.echo(f"records (hub review --records): {', '.join(found.handles)}")


def _unpaid(balance: "Balance") -> Iterator[str]:
    """What stands unpaid, in a line; and one more where the outsourcer has stopped saying so."""
    due = f", the oldest due {balance.oldest_due}" if balance.oldest_due else ""
    yield (
        f"unpaid invoices: {balance.unpaid}{due}; "
        f"in collection: {'yes' if balance.in_collection else 'no'}"
    )
    if balance.not_stated:
        yield (
            f"  {balance.not_stated} of them not stated any more since {balance.not_stated_since}: "
            "ask the finance outsourcer"
        )


@customer.command()
@click.argument("number")
@click.option(
    "--received", required=True, metavar="YYYY-MM-DD", help="The day the customer told us."
)
@_channel
@_evidence
@click.option("--line", help="New street line, box or place.")
@click.option("--postal-code", help="Five digits.")
@click.option("--post-office", help="Post office.")
@click.option("--from", "valid_from", metavar="YYYY-MM-DD", help="First day at the new address.")
@click.option("--contact-address", is_flag=True, help="It is only for post: home stays as it is.")
@click.option("--phone", help="New phone number.")
@click.option("--email", help="New e-mail address.")
@click.option(
    "--corrects",
    is_flag=True,
    help="What we had was wrong, not only old: whoever was told it, and who told us, will hear.",
)
@json_option
@click.pass_obj
def notice(
    invocation: Invocation, /, number: str, received: str, channel: str, as_json: bool, **told: Any
) -> None:
    """Record what a customer told us; it takes effect the next night.

    Of a customer under a protective order nobody records it alone: two people do it at the desk.

    \b
    Examples:
      hub customer notice 100123 --received 2026-11-20 --channel phone \\
          --line "Koivikkotie 4 A 2" --postal-code 31640 --post-office Humppila --from 2026-12-01
      hub customer notice 100123 --received 2026-11-20 --channel letter --corrects \\
          --line "Koivikkotie 40" --postal-code 31640 --post-office Humppila
      hub customer notice 100123 --received 2026-11-20 --channel email --phone 0501234567
    """
    from pipelines.steps.decide import take_notice

    address = {
        "address_type": "contact" if told["contact_address"] else "postal",
        "line": told["line"],
        "postal_code": told["postal_code"],
        "post_office": told["post_office"],
        "valid_from": told["valid_from"],
    }
    content: dict[str, Any] = {k: told[k] for k in ("phone", "email") if told[k]}
    if told["line"]:
        if not (told["postal_code"] and told["post_office"]):
            raise click.UsageError("an address needs --line, --postal-code and --post-office")
        content["addresses"] = [{k: v for k, v in address.items() if v}]
    if not content:
        raise click.UsageError("say what was told: an address, --phone or --email")
    for day in (received, told["valid_from"]):
        if day and not is_date(day):
            raise click.UsageError("dates are YYYY-MM-DD")
    with acting(invocation) as (night, who):
        taken = take_notice(
            night, number, content, received=received, channel=channel,
            evidence=told["evidence"], who=who, corrects=told["corrects"],
        )  # fmt: skip
    answer(as_json, {"notice": taken}, [f"notice {taken} recorded; it takes effect the next night"])


@customer.command()
@click.argument("number")
@click.argument("kind", type=click.Choice(KINDS))
@_channel
@_evidence
@click.option("--why", required=True, help="On what ground, for the access log.")
@json_option
@click.pass_obj
def restrain(
    invocation: Invocation, number: str, kind: str, channel: str, evidence: str | None, why: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Record that a customer forbids something: from now on, not from the next night.

    \b
    restriction         nothing is done with the data but keeping it (GDPR art. 18): nobody is told of the
                        customer and no register is asked, but for a legal claim (collection)
    ban_on_publication  not in any list that is published
    ban_on_marketing    no marketing of ours, and no content made for the customer

    What is waiting to be sent and holds the customer is given up in the same moment; what has left already is
    named. The next extract leaves the row out and counts it among those held.

    \b
    Examples:
      hub customer restrain 100123 restriction --channel letter --evidence D-2026-114 \\
          --why "disputes the address until it is checked"
      hub customer restrain 100123 ban_on_marketing --channel phone --why "asked by phone 20.11."
    """
    from pipelines.steps.restrain import restrain as record

    with acting(invocation) as (night, who):
        found = record(
            night, number, kind, channel=channel, evidence=evidence, who=who, why=why
        )  # fmt: skip
    lines = [f"{kind} recorded; it holds from now on"]
    lines += [f"given up, nothing of it was sent: delivery {name}" for name in found.stopped]
    lines += [f"has left already, or may have: delivery {name}" for name in found.under_way]
    answer(as_json, {"restraint": kind, **asdict(found)}, lines)


@customer.command()
@click.argument("number")
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--why", required=True, help="On what ground, for the access log.")
@click.option(
    "--informed", metavar="YYYY-MM-DD",
    help="The day the customer was told that the restriction ends; none ends without.",
)  # fmt: skip
@json_option
@click.pass_obj
def release(
    invocation: Invocation, number: str, kind: str, why: str, informed: str | None, as_json: bool
) -> None:
    """End what a customer has forbidden; the next night looks at the customer again.

    For a customer under a protective order nobody ends it alone: two people do it at the desk.

    \b
    Examples:
      hub customer release 100123 ban_on_marketing --why "taken back by e-mail 2.12."
      hub customer release 100123 restriction --informed 2026-12-01 --why "address checked"
    """
    from pipelines.steps.restrain import release as end

    with acting(invocation) as (night, who):
        end(night, number, kind, who=who, why=why, informed=informed)
    answer(as_json, {"ended": kind}, [f"{kind} has ended; the next night looks at the customer"])
