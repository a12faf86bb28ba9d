"""The command that refreshes customers while they wait.

Belongs here: taking the run lock, asking the step, laying ours and theirs out. Does not belong here: whom to
ask or what to believe (`steps.refresh_address`). What it shows is read by customer service, in the language
of `hub.yml`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from pipelines.cli import Failed, Invocation, answer, is_date, json_option

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.house import House
    from pipelines.steps.night import Night
    from pipelines.steps.prepare_extract import Foreseen
    from pipelines.steps.refresh_address import Answer, Refreshed
    from pipelines.texts import Texts

# Fields whose values are codes of ours.
_CODED = frozenset(
    {
        "party_type", "name_role", "company_situation", "delivery_channel", "protection",
        "is_deceased", "address_type",
    }
)  # fmt: skip


@click.command()
@click.argument("customers", nargs=-1)
@click.option(
    "--why", default="customer service", show_default=True, help="Purpose, for the access log."
)
@click.option("--later", is_flag=True, help="Ask nobody now; give a number for the Dagster job.")
@click.option(
    "--answer", "request_no", type=int, metavar="NUMBER", help="Show what a request came to."
)
@click.option("--date", "business_date", metavar="YYYY-MM-DD", help="Business date; default today.")
@json_option
@click.pass_obj
def refresh(
    invocation: Invocation,
    customers: tuple[str, ...],
    why: str,
    later: bool,
    request_no: int | None,
    business_date: str | None,
    as_json: bool,
) -> None:
    """Refresh customers while they wait: ask every register, show ours and theirs.

    All registers are asked at the same time, and none of them is waited for longer than a few seconds
    (hub.yml, refresh). What comes is taken in as the night would, and compared field by field: before, now,
    what each register says, whom we believe and why, and what goes to finance tonight. With --later the
    Dagster job address_refresh does it, by the number this prints.

    \b
    Examples:
      hub refresh 20001
      hub refresh 20001 P17 --why "call 25.11."
      hub refresh --later 20001
      hub refresh --answer 7
    """
    if bool(customers) == (request_no is not None) or (later and not customers):
        raise click.UsageError("give customer numbers, or --answer and the number of a request")
    if business_date is not None and not is_date(business_date):
        raise click.UsageError("--date is YYYY-MM-DD")
    from pipelines.steps.answer_request import answer_to, request
    from pipelines.steps.refresh_address import FAILED
    from pipelines.texts import Texts

    with _opened(invocation) as (house, who):
        night = house.night(business_date)
        texts = Texts(house.settings.hub.language)
        if later:
            number = request(night, customers, who, why)
            answer(as_json, {"request_no": number}, [str(number)])
        elif request_no is not None:
            asked, found = answer_to(night, request_no, who, why)
            said = texts.say(
                "refresh.request", number=request_no, at=asked.asked_at, who=asked.asked_by
            )
            changed = dict(asked.changed or {})
            _show(as_json, night, texts, found, {"request_no": request_no, "said": said}, changed)
        else:
            found = _refreshed(house, night, customers, who, why)
            _show(as_json, night, texts, found, {}, {c.number: c.changed for c in found.customers})
            if found.is_empty:
                told = (
                    f"{h.source}: {h.line or h.status}" for h in found.heard if h.status in FAILED
                )
                raise Failed(f"nobody answered: {'; '.join(told)}")


@contextmanager
def _opened(invocation: Invocation) -> Iterator[tuple["House", str]]:
    from pipelines.house import open_house

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    try:
        if house.settings.user is None:
            raise Failed("say who you are: HUB_USER=your.own.login hub …")
        yield house, house.settings.user
    finally:
        house.close()


def _refreshed(
    house: "House", night: "Night", customers: tuple[str, ...], who: str, why: str
) -> "Answer":
    from pipelines.steps.refresh_address import refresh as ask

    wait = house.settings.hub.refresh.wait_seconds
    if not house.lock.acquire(wait):
        raise Failed(
            f"the hub has been busy for {wait:g} s: {house.lock.holder() or 'another run'} holds it; "
            "nobody was asked, try again when it is done"
        )
    return ask(night, customers, house.source, who, why)


def _show(
    as_json: bool,
    night: "Night",
    texts: "Texts",
    found: "Answer",
    head: dict[str, Any],
    changed: dict[str, Any],
) -> None:
    if as_json:
        click.echo(json.dumps(head | _payload(night, texts, found, changed), ensure_ascii=False))
    else:
        for line in [*([head["said"]] if head else []), *_lines(night, texts, found, changed)]:
            click.echo(line)


# --- JSON -------------------------------------------------------------------------------------------


def _payload(
    night: "Night", texts: "Texts", found: "Answer", changed: dict[str, Any]
) -> dict[str, Any]:
    from pipelines.steps.answer_request import in_words

    return {
        "partial": found.is_partial,
        "sentence": _sentence(texts, found),
        "seconds": {name: round(spent, 3) for name, spent in found.seconds.items()},
        "sources": [
            {
                "source": h.source, "status": h.status, "said": in_words(night, texts, h),
                "landed": h.landed, "unknown_kinds": h.unknown_kinds, "seconds": round(h.seconds, 3),
            }
            for h in found.heard
        ],
        "customers": [_customer(texts, c, changed.get(c.number, [])) for c in found.customers],
    }  # fmt: skip


def _customer(texts: "Texts", one: "Refreshed", changed: list[str]) -> dict[str, Any]:
    return {
        "number": one.number,
        "id": f"P{one.party_id}",
        "name": one.name,
        "protected": one.is_protected,
        "asked": dict(one.asked),
        "changed": list(changed),
        "fields": [
            {
                "field": row["field"],
                "before": _plain(row["before"]),
                "now": _plain(row["now"]),
                "says": row["says"],
                "source": _plain(row["source"]),
                "since": _plain(row["source_time"]),
                "rule": _plain(row["rule"]),
                "why": _why(texts, row["rule"]),
                "changed": row["field"] in changed,
            }
            for row in one.compared.to_dict("records")
        ],
        "quarantine": [_refused(texts, *row) for row in one.refused.itertuples(index=False)],
        "tonight": {name: _tonight(seen) for name, seen in one.tonight.items()},
    }


def _tonight(seen: "Foreseen") -> dict[str, Any]:
    rows = seen.events.drop(columns="party_id").to_dict("records")
    return {
        "state": seen.state,
        "rows": [{str(k): v for k, v in row.items() if _plain(v)} for row in rows],
        "held": list(seen.held["reason"]),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int)) else None


def _why(texts: "Texts", rule: Any) -> str | None:
    return texts.say(f"rule.{rule}") if isinstance(rule, str) else None


def _refused(texts: "Texts", source: str, rule: str, reason: Any) -> dict[str, Any]:
    return {"source": source, "rule": rule, "meaning": texts.refusal(rule, _plain(reason))}


def _sentence(texts: "Texts", found: "Answer") -> str | None:
    if found.is_empty:
        return texts.say("refresh.nobody")
    return texts.say("refresh.partial") if found.is_partial else None


# --- a terminal -------------------------------------------------------------------------------------


def _lines(
    night: "Night", texts: "Texts", found: "Answer", changed: dict[str, Any]
) -> Iterator[str]:
    from pipelines.steps.answer_request import in_words

    for heard in found.heard:
        yield in_words(night, texts, heard)
        if heard.unknown_kinds:
            yield texts.say("refresh.unknown_kinds", source=heard.source, n=heard.unknown_kinds)
    sentence = _sentence(texts, found)
    if sentence:
        yield sentence
    for one in found.customers:
        yield ""
        several = len(found.customers) > 1
        yield from _of_customer(night, texts, one, changed.get(one.number, []), several)


def _of_customer(
    night: "Night", texts: "Texts", one: "Refreshed", changed: list[str], is_one_of_several: bool
) -> Iterator[str]:
    from pipelines.cli.steward import cell, table
    from pipelines.steps.answer_request import in_words
    from pipelines.steps.refresh_address import Heard

    yield f"P{one.party_id}  {cell(one.name)}  ({one.number})"
    if one.is_protected:
        yield texts.say("refresh.protected")
    for source, status in one.asked.items() if is_one_of_several else ():
        if status in ("fault", "nothing_held", "does_not_concern"):
            yield in_words(night, texts, Heard(source, status))
    names = ", ".join(texts.say(f"field.{name}") for name in changed)
    yield texts.say("refresh.changed", fields=names) if changed else texts.say("refresh.unchanged")
    sources = [s for s in night.settings.sources if any(s in says for says in one.compared["says"])]
    say = texts.say
    headings = ("", say("refresh.field"), say("refresh.before"), say("refresh.now"), *sources)
    yield table(_rows(texts, one.compared, sources, changed), (*headings, say("refresh.why")))
    for row in one.refused.itertuples(index=False):
        yield texts.say("refresh.quarantine", **_refused(texts, *row))
    for name, seen in one.tonight.items():
        yield from _tonight_in_words(texts, name, seen)


def _rows(
    texts: "Texts", compared: "pd.DataFrame", sources: list[str], changed: list[str]
) -> Iterator[list[object]]:
    for row in compared.to_dict("records"):
        why, name = _why(texts, row["rule"]), row["field"]
        told = (row["says"].get(source, []) for source in sources)
        yield [
            "*" if name in changed else "",
            texts.say(f"field.{name}"),
            _word(texts, name, row["before"]),
            _word(texts, name, row["now"]),
            *(" / ".join(str(_word(texts, name, value)) for value in values) for values in told),
            f"{row['source']}: {why}" if why else "",
        ]


def _word(texts: "Texts", field: str, value: object) -> object:
    """A code as a person says it; what customers and registers wrote stays as they wrote it."""
    return texts.say(f"value.{value}") if field in _CODED and isinstance(value, str) else value


def _tonight_in_words(texts: "Texts", recipient: str, seen: "Foreseen") -> Iterator[str]:
    for reason in seen.held["reason"]:
        yield texts.say("tonight.held", recipient=recipient, reason=texts.say(f"held.{reason}"))
    if seen.events.empty:
        if seen.held.empty:
            yield texts.say("tonight.nothing", recipient=recipient)
        return
    yield texts.say(f"tonight.{seen.state}", recipient=recipient)
    for row in _tonight(seen)["rows"]:
        yield "  " + ", ".join(f"{name} {value}" for name, value in row.items())
