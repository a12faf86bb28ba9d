"""Commands about the disclosure log: list, person, delivery, verifier.

Belongs here: asking the steps and laying the answer out, on a terminal or in a file that only its writer can read.
Does not belong here: what is said to a person (`statement`, `printed`), deciding anything. Whoever sees a person is
written into the access log.
"""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from pipelines.cli import Failed, Invocation, answer, json_option
from pipelines.cli.log import verify, witnesses
from pipelines.cli.recall import recall, recalls
from pipelines.cli.steward import acting, cell, emit, records, table

if TYPE_CHECKING:
    from pipelines.texts import Language


@click.group()
def disclosures() -> None:
    """Who was told what, when and on what ground.

    \b
    Examples:
      hub disclosures list
      hub disclosures person 100123
    """


def _new_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read; an existing one is left alone."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError as error:
        raise Failed(f"{path} exists; name a file that does not") from error
    except OSError as error:
        raise Failed(f"{path} can't be written: {error.strerror}") from error
    with os.fdopen(handle, "wb") as file:
        file.write(content)


@disclosures.command("list")
@click.option("--limit", default=20, show_default=True, help="Newest first.")
@json_option
@click.pass_obj
def list_deliveries(invocation: Invocation, limit: int, as_json: bool) -> None:
    """Deliveries and look-ups with their counts; no people.

    \b
    Examples:
      hub disclosures list --limit 50
    """
    from pipelines.house import open_house
    from pipelines.store import disclosures as store
    from pipelines.store.engine import transaction

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    with transaction(house.engine) as conn:
        rows = store.list_deliveries(conn, limit)
    house.close()
    emit(
        as_json,
        rows,
        {
            "at": "when", "recipient": "to", "operation": "what", "delivery_id": "delivery", "people": "people",
            "state": "state",
        },
        "nothing has been disclosed",
    )  # fmt: skip


@disclosures.command()
@click.argument("number")
@click.option(
    "--language",
    type=click.Choice(["fi", "sv", "en"]),
    help="Of the statement; else the hub's own.",
)
@click.option(
    "--pdf",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Print it into this new file too.",
)
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the proof into this new file too, for `verifier.py`.",
)
@click.option(
    "--held",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint that the person kept; the proof then covers it.",
)
@click.option(
    "--why", default="access request", show_default=True, help="Purpose, for the access log."
)
@json_option
@click.pass_obj
def person(
    invocation: Invocation,
    number: str,
    language: str | None,
    pdf: Path | None,
    bundle: Path | None,
    held: tuple[Path, ...],
    why: str,
    as_json: bool,
) -> None:
    """Everything that was disclosed about one customer (GDPR art. 15(1)(c)). You are logged.

    The statement is for the person: it names recipients, data, reasons and outcomes, and none of us. Its
    JSON has the fields of Estonia's Data Tracker (findUsage), newest first.

    \b
    Examples:
      hub disclosures person 100123 --why "request 2026-17"
      hub disclosures person 100123 --language sv --pdf statement.pdf --bundle proof.json
    """
    from pipelines.statement import document, find_usage, glosses
    from pipelines.steps.account_for import person as account_for
    from pipelines.steps.prove import prove

    if held and bundle is None:
        raise click.UsageError("--held belongs to a proof: give --bundle FILE too")
    with acting(invocation) as (night, who):
        account = account_for(night, number, who, why)
        settings = night.settings
        chosen = cast("Language", language or settings.hub.language)
        proof = bundle and prove(
            night, number, who, why,
            language=chosen,
            words=glosses(account, settings, chosen),
            held=[path.read_text("utf-8").strip() + "\n" for path in held],
        )  # fmt: skip
    if bundle is not None:
        _new_file(bundle, json.dumps(proof, ensure_ascii=False, separators=(",", ":")).encode())
    laid = document(account, settings, chosen)
    if pdf is not None:
        from pipelines.printed import pdf as printed

        _new_file(pdf, printed(laid, datetime.fromisoformat(account.made_at)))
    answer(
        as_json,
        find_usage(account, settings, chosen),
        (cell(line) for line in laid.lines()),
    )


@disclosures.command()
@click.argument("delivery_id")
@click.option("--why", default="breach", show_default=True, help="Purpose, for the access log.")
@json_option
@click.pass_obj
def delivery(invocation: Invocation, delivery_id: str, why: str, as_json: bool) -> None:
    """Who stood in one delivery and with which data: what a breach has to be answered with. You are logged.

    People are counted once each, rows as they were told; `protected` are those with a protective order now.

    \b
    Examples:
      hub disclosures delivery 5f0c1e7a9b3d2c4e6f81 --why "incident 2026-3"
    """
    from pipelines.steps.account_for import delivery as exposed_by

    with acting(invocation) as (night, who):
        found = exposed_by(night, delivery_id, who, why)
    people = found.people.assign(id="P" + found.people["party_id"].astype("str"))
    people["id"] = people["id"].where(people["party_id"].notna(), None)
    facts: dict[str, object] = {
        "delivery_id": found.delivery_id,
        "recipient": found.recipient,
        "outcome": found.outcome,
        "outcome_time": found.outcome_at,
        "prepared": found.prepared_at,
        "purpose": found.purpose,
        "basis": found.basis,
        "ground": found.ground,
        "contract": found.contract,
        "notice": found.notice,
        "rows": len(people),
        "persons": found.persons,
        "protected": found.protected,
    }
    shown = people[["id", "customer_numbers", "display_name", "is_protected", "fields"]]
    if as_json:
        answer(True, {**facts, "fields": dict(found.fields), "people": records(shown)}, ())
        return
    click.echo(table(facts.items(), ("what", "value")))
    click.echo()
    click.echo(table(found.fields.items(), ("data", "rows")))
    click.echo()
    listed = shown.assign(
        is_protected=shown["is_protected"].map({True: "yes", False: ""}),
        fields=shown["fields"].map(" ".join),
    )
    columns = ("id", "customer no", "name", "protected", "data")
    click.echo(table(listed.itertuples(index=False), columns))


@disclosures.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def verifier(invocation: Invocation, file: Path, as_json: bool) -> None:
    """Write out the program by which anybody checks a bundle, in one file: Python and nothing else.

    Hand it over with the bundle; the log's public key (VKEY) comes from where the utility publishes it.

    \b
    Examples:
      hub disclosures verifier verifier.py
      python verifier.py bundle.json --key VKEY
    """
    from pipelines import verifier as program

    _new_file(file, Path(program.__file__).read_bytes())
    answer(
        as_json,
        {"written": str(file)},
        [f"{file} written; to check a bundle: python {file} BUNDLE.json --key VKEY"],
    )


disclosures.add_command(recalls)
disclosures.add_command(recall)
disclosures.add_command(verify)
disclosures.add_command(witnesses)
