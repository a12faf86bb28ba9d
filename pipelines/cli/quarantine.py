"""Commands on what was refused: quarantine list, show, correct, release, drop, undo, report.

Belongs here: asking the steps and laying the answer out. Does not belong here: deciding what may be corrected. Whoever
sees or decides on a record says who they are and is written into the access log; the list shows nobody.
"""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click
import pandas as pd

from pipelines.cli import Failed, Invocation, answer, is_date, json_option
from pipelines.cli.steward import acting, emit, records, table

if TYPE_CHECKING:
    from pipelines.texts import Language, Texts

_why = click.option("--why", required=True, help="Reason, kept with the decision.")


@click.group()
def quarantine() -> None:
    """Records that were refused: see why, correct them, let them on, take them out, tell their source.

    \b
    Examples:
      hub quarantine list
      hub quarantine show 12
      hub quarantine correct 12 addresses.postal.postal_code=31640 --why "asked the customer"
    """


@quarantine.command("list")
@click.option("--source", help="Only this source.")
@click.option("--rule", help="Only this rule.")
@json_option
@click.pass_obj
def list_(invocation: Invocation, source: str | None, rule: str | None, as_json: bool) -> None:
    """What waits in quarantine, gravest and oldest first: ids, rules and dates, no people.

    First how much waits by source and rule, then each record with its age in days and what hangs on it.

    \b
    Examples:
      hub quarantine list --source registrations
      hub quarantine list --rule finnish_postal_code
    """
    from pipelines.house import open_house
    from pipelines.steps.weigh import weigh
    from pipelines.texts import Texts

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    try:
        items = weigh(house.night(), source, rule)
        texts = Texts(house.settings.hub.language)
    finally:
        house.close()
    items = items.assign(
        meaning=[
            texts.refusal(str(name), reason)
            for name, reason in items[["rule", "reason"]].itertuples(index=False)
        ],
        why=[
            _matters(texts, reasons, n)
            for reasons, n in items[["matters", "bill_columns"]].itertuples(index=False)
        ],
    )
    if not as_json and not items.empty:
        click.echo(_summary(items))
        click.echo()
    emit(
        as_json,
        items,
        {
            "quarantine_id": "id", "source": "source", "kind": "kind", "rule": "rule", "field": "field",
            "business_date": "since", "days": "days", "why": "why it matters", "way": "way",
        }
        | ({"meaning": "meaning", "matters": "matters", "bill_columns": "bill"} if as_json else {}),
        "nothing waits in quarantine",
    )  # fmt: skip


def _summary(items: pd.DataFrame) -> str:
    groups = items.groupby(["source", "rule"], sort=False).agg(
        n=("quarantine_id", "size"), days=("days", "max"), meaning=("meaning", "first")
    )
    rows = groups.reset_index().itertuples(index=False)
    return table(rows, ("source", "rule", "records", "oldest, days", "meaning"))


def _matters(texts: "Texts", reasons: list[str], bill_columns: int) -> str:
    said = [texts.say(f"matters.{reason}") for reason in reasons]
    if bill_columns:
        said.append(texts.say("matters.bill_columns", n=bill_columns))
    return "; ".join(said)


@quarantine.command()
@click.argument("quarantine_id", type=int)
@click.option("--why", default="quarantine", show_default=True, help="Purpose, for the access log.")
@json_option
@click.pass_obj
def show(invocation: Invocation, quarantine_id: int, why: str, as_json: bool) -> None:
    """One refused record as it came beside what is held of it now, the rule it broke, what to do. You are logged.

    The fields are named as `correct` takes them. Where somebody is under a protective order, addresses are left out.

    \b
    Examples:
      hub quarantine show 12
    """
    from pipelines.steps.look_at_refused import refused_record
    from pipelines.steps.weigh import way_of
    from pipelines.texts import Texts

    with acting(invocation) as (night, who):
        seen = refused_record(night, quarantine_id, who, why)
        texts = Texts(night.settings.hub.language)
    item = seen.item
    rule, state = str(item["rule"]), str(item["state"])
    reason = item["reason"] if isinstance(item["reason"], str) else None
    said = texts.refusal(rule, reason)
    way = way_of(rule, seen.content)
    step = texts.say(f"quarantine.{way}", id=quarantine_id) if state == "open" else ""
    is_said = seen.fields[["came", "held", "stands"]].notna().any(axis=1)
    rows = seen.fields[is_said | (seen.fields["field"] == seen.unread)]
    if as_json:
        facts = {k: item[k] for k in ("quarantine_id", "source", "kind", "rule", "field", "state")}
        whole = {
            **facts, "meaning": said, "way": way, "content": seen.content,
            "fields": records(rows), "hidden": seen.hidden,
        }  # fmt: skip
        click.echo(json.dumps(whole, ensure_ascii=False, default=str))
        return
    click.echo(f"{item['source']} {item['kind']}: rule {rule} ({state})")
    click.echo(said)
    if reason is not None and reason != said:
        click.echo(reason)
    if seen.hidden:
        click.echo(
            "PROTECTIVE ORDER: no address but a contact address is shown, nor what leads to one"
        )
    click.echo()
    columns = {
        "field": "field",
        "came": "as it came",
        "corrected_to": "corrected",
        "held": "held now",
    }
    if not rows["corrected"].any():
        del columns["corrected_to"]
    rows = rows.assign(corrected_to=rows["stands"].where(rows["corrected"].astype(bool)))
    click.echo(table(rows[list(columns)].itertuples(index=False), tuple(columns.values())))
    if step:
        click.echo(f"\n{step}")


@quarantine.command()
@click.argument("quarantine_id", type=int)
@click.argument("values", nargs=-1, required=True, metavar="FIELD=VALUE…")
@_why
@json_option
@click.pass_obj
def correct(
    invocation: Invocation, quarantine_id: int, values: tuple[str, ...], why: str, as_json: bool
) -> None:
    """Put right values in place of refused ones; what the source said stays beside them.

    Fields are named as `show` names them; FIELD= takes a field out. The record has to satisfy the rules it broke, or
    nothing is changed. The correction holds while the source says the same wrong thing, and ends with its next word. The
    next night reads the record, or a refresh of the customer at once (hub refresh). Who somebody is, a protective order
    and a death are for the source to say.
    Behind whom an order stands nobody corrects, releases or undoes alone: two people do it at the desk.

    \b
    Examples:
      hub quarantine correct 12 addresses.postal.postal_code=31640 --why "asked the customer"
      hub quarantine correct 13 valid_to= --why "the role goes on, says the clerk"
    """
    from pipelines.steps.correct import correct as put_right

    stated: dict[str, str] = {}
    for text in values:
        field, equals, value = text.partition("=")
        if not equals or not field or field in stated:
            raise click.UsageError("give each field once, as FIELD=VALUE")
        stated[field] = value
    with acting(invocation) as (night, who):
        fields = put_right(night, quarantine_id, stated, who, why)
    text = f"entry {quarantine_id} corrected ({', '.join(fields)}); the next night reads it"
    answer(as_json, {"corrected": quarantine_id, "fields": list(fields)}, [text])


@quarantine.command()
@click.argument("quarantine_id", type=int)
@_why
@json_option
@click.pass_obj
def release(invocation: Invocation, quarantine_id: int, why: str, as_json: bool) -> None:
    """Let a record on in spite of its rule; the next night reads it again.

    Only where the rule is about a shape that a real value may have after all. One that protects somebody, keeps bills
    from going astray or makes a record readable is not waived: correct the record, or drop it.

    \b
    Examples:
      hub quarantine release 12 --why "checked with the customer"
    """
    from pipelines.steps.decide import release as let_on

    with acting(invocation) as (night, who):
        let_on(night, quarantine_id, who, why)
    text = f"entry {quarantine_id} released; the next night reads it"
    answer(as_json, {"released": quarantine_id}, [text])


@quarantine.command()
@click.argument("quarantine_id", type=int)
@_why
@json_option
@click.pass_obj
def drop(invocation: Invocation, quarantine_id: int, why: str, as_json: bool) -> None:
    """Leave a record out for good in this form; a later version of it is read as usual.

    \b
    Examples:
      hub quarantine drop 12 --why "double entry, confirmed by the clerk"
    """
    from pipelines.steps.decide import drop as leave_out

    with acting(invocation) as (night, who):
        leave_out(night, quarantine_id, who, why)
    answer(as_json, {"dropped": quarantine_id}, [f"entry {quarantine_id} dropped"])


@quarantine.command()
@click.argument("quarantine_id", type=int)
@_why
@json_option
@click.pass_obj
def undo(invocation: Invocation, quarantine_id: int, why: str, as_json: bool) -> None:
    """Take a correction, a release or a drop back: the record waits again as if nothing had been done.

    A correction and a release until a night has read them (then: correct anew), a drop until its source sends newer word.

    \b
    Examples:
      hub quarantine undo 12 --why "wrong row"
    """
    from pipelines.steps.correct import undo as take_back

    with acting(invocation) as (night, who):
        state = take_back(night, quarantine_id, who, why)
    text = f"entry {quarantine_id} is not {state} any more"
    answer(as_json, {"undone": quarantine_id, "was": state}, [text])


@quarantine.command()
@click.argument("source")
@click.option("--since", metavar="YYYY-MM-DD", help="Only what was refused on or after this night.")
@click.option(
    "--language", type=click.Choice(["fi", "sv", "en"]), help="Of the report; else the hub's own."
)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to this new file, to be handed over; the disclosure log notes that a report was made.",
)  # fmt: skip
@click.option(
    "--why", default="errors told to their source", show_default=True,
    help="Purpose, for the access log.",
)  # fmt: skip
@json_option
@click.pass_obj
def report(
    invocation: Invocation,
    source: str,
    since: str | None,
    language: str | None,
    out: Path | None,
    why: str,
    as_json: bool,
) -> None:
    """What a source got wrong, for whoever keeps it: its own keys and columns, with the reason. You are logged.

    What was refused, corrected or left out and not mended since. No value of anybody, neither the wrong one nor ours.

    \b
    Examples:
      hub quarantine report municipality --language fi
      hub quarantine report registrations --since 2026-11-01 --out errors.txt
    """
    from dataclasses import asdict

    from pipelines.source_report import document
    from pipelines.steps.report_faults import report_faults

    if since is not None and not is_date(since):
        raise click.UsageError("dates are YYYY-MM-DD")
    if out is not None and out.exists():
        raise Failed(f"{out.name} is there already: give the report a file of its own")
    with acting(invocation) as (night, who):
        found = report_faults(night, source, who, why, since=since, sent=out is not None)
        chosen = cast("Language", language or night.settings.hub.language)
        lines = list(document(found, night.settings, chosen, night.business_date))
    if out is not None:
        _write(out, lines)
    payload = {"source": source, "since": since, "errors": [asdict(one) for one in found.told]}
    written = [f"{len(found.told)} errors written to {out}"] if out is not None else lines
    answer(as_json, payload, written)


def _write(out: Path, lines: list[str]) -> None:
    """A new file that its owner alone may read: whose record is wrong is nobody else's business."""
    try:
        file = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Failed(f"{out.name} can't be written: {error.strerror}") from None
    with os.fdopen(file, "w", encoding="utf-8") as written:
        written.write("\n".join(lines) + "\n")
