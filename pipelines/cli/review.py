"""Commands on pairs that wait for a person: review list, show, same, different, unsure, undo.

Belongs here: asking the steps and laying a pair out so that a person can decide. Does not belong here:
deciding anything, words (`config/texts.yml`). People are shown by `show` only; no token ever is.
"""

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pipelines.cli import Invocation, answer, json_option
from pipelines.cli.pairs import decided_plain, lines, plain, waiting_plain
from pipelines.cli.steward import acting, table
from pipelines.pair_words import follows, likely, main_evidence, party, rules_in_short

if TYPE_CHECKING:
    from pipelines.steps.judge import Verdict
    from pipelines.steps.review import Decided, Waiting
    from pipelines.texts import Texts

_Command = TypeVar("_Command", bound=Callable[..., object])


@click.group()
def review() -> None:
    """Pairs of records that only a person can decide: one customer, or two.

    Where either is under a protective order nobody decides alone, or takes a decision back: two people do it at the desk.
    Of two records that don't wait as a pair (--records) the second person is asked from here.

    \b
    Examples:
      hub review list
      hub review show 3
      hub review different 3 --reason "asked by phone: father and son"
    """


def _pair_options(command: _Command) -> _Command:
    """NUMBER of a waiting pair, or any two records."""
    command = click.option(
        "--records", nargs=2, metavar="RECORD RECORD",
        help="Any two records instead of a waiting pair: SOURCE:KEY as `show` writes them, or customer numbers.",
    )(command)  # fmt: skip
    return click.argument("number", type=int, required=False)(command)


def _decision_options(command: _Command) -> _Command:
    """What every verdict is given with."""
    command = click.option(
        "--authority", metavar="REF", help="On whose word: a reference, never its contents."
    )(command)
    command = click.option(
        "--reason", required=True, metavar="TEXT", help="Why; kept with the decision."
    )(command)
    return _pair_options(command)


def _one_or_other(number: int | None, records: tuple[str, str] | None) -> None:
    if (number is None) == (records is None):
        raise click.UsageError(
            "give the number of a waiting pair (hub review list), or --records and two records"
        )


# --- what waits ---------------------------------------------------------------------------------------


@review.command("list")
@click.option("--decided", "is_decided", is_flag=True, help="Decisions that stand, newest first.")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(min=1), help="At most so many."
)
@json_option
@click.pass_obj
def list_(invocation: Invocation, is_decided: bool, limit: int, as_json: bool) -> None:
    """The pairs that wait, most at stake first: how likely, why a person, since when; no people.

    With --decided, what stewards decided and why: their words may speak of somebody, so you are logged.

    \b
    Examples:
      hub review list --limit 50
      hub review list --decided
    """
    from pipelines.house import open_house
    from pipelines.steps.review import decided, waiting
    from pipelines.texts import Texts

    if is_decided:
        with acting(invocation) as (night, who):
            stands, total = decided(night, limit, who)
        texts = Texts(night.settings.hub.language)
        _decided_out(as_json, texts, stands)
    else:
        house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
        try:
            pairs, total = waiting(house.night(), limit)
        finally:
            house.close()
        texts = Texts(house.settings.hub.language)
        _waiting_out(as_json, texts, pairs)
    if total > limit and not as_json:
        click.echo(texts.say("review.more", n=total - limit, all=total))


def _waiting_out(as_json: bool, texts: "Texts", pairs: Sequence["Waiting"]) -> None:
    if as_json:
        click.echo(json.dumps([waiting_plain(pair) for pair in pairs], ensure_ascii=False))
    elif not pairs:
        click.echo(texts.say("review.nothing"))
    else:
        names = ("pair", "kind", "likely", "records", "since", "rule", "evidence")
        rows = [
            [
                pair.review_no,
                texts.say(f"value.{pair.party_type}"),
                likely(texts, pair.weighed),
                pair.records,
                texts.day(pair.since),
                rules_in_short(texts, pair),
                main_evidence(texts, pair.weighed),
            ]
            for pair in pairs
        ]
        click.echo(table(rows, tuple(texts.say(f"review.{name}") for name in names)))


def _decided_out(as_json: bool, texts: "Texts", stands: Sequence["Decided"]) -> None:
    if as_json:
        click.echo(json.dumps([decided_plain(one) for one in stands], ensure_ascii=False))
    elif not stands:
        click.echo(texts.say("review.nothing_decided"))
    else:
        names = ("decision", "pair", "verdict", "who", "when", "why")
        rows = [
            [
                one.judgement_no,
                f"{one.left} – {one.right}",
                texts.say(f"verdict.{one.verdict}"),
                one.who,
                texts.day(one.at),
                one.why + (f" ({one.authority})" if one.authority else ""),
            ]
            for one in stands
        ]
        click.echo(table(rows, tuple(texts.say(f"review.{name}") for name in names)))


# --- one pair -----------------------------------------------------------------------------------------


@review.command()
@_pair_options
@click.option("--why", default="review", show_default=True, help="Purpose, for the access log.")
@json_option
@click.pass_obj
def show(
    invocation: Invocation,
    number: int | None,
    records: tuple[str, str] | None,
    why: str,
    as_json: bool,
) -> None:
    """One pair side by side: what differs, what that weighs, what an answer would do. You are logged.

    Of identity codes and birth dates only whether they are known and equal. Where a protective order
    holds for either, no place of either is shown but a contact address.

    \b
    Examples:
      hub review show 3
      hub review show 3 --why "call 14.11."
      hub review show --records 20001 registrations:20417
    """
    _one_or_other(number, records)
    from pipelines.steps.review import show as look
    from pipelines.texts import Texts

    with acting(invocation) as (night, who):
        opened = look(night, number, records, who, why)
    if as_json:
        click.echo(json.dumps(plain(opened), ensure_ascii=False))
        return
    for line in lines(night.settings, Texts(night.settings.hub.language), opened):
        click.echo(line)


# --- decisions ----------------------------------------------------------------------------------------


@review.command()
@_decision_options
@json_option
@click.pass_obj
def same(invocation: Invocation, /, **given: Any) -> None:
    """Both records are one customer: they become one the next night.

    Refused where it could not hold: two identity codes or business ids are never one party.

    \b
    Examples:
      hub review same 3 --reason "moved in October, checked by phone"
      hub review same --records 20001 20417 --reason "double entry" --authority "call 7"
    """
    _decide(invocation, "same", **given)


@review.command()
@_decision_options
@json_option
@click.pass_obj
def different(invocation: Invocation, /, **given: Any) -> None:
    """The records are two customers: they stay apart, or are parted the next night.

    Two records that are one customer already, by mistake, are named with --records; the ids they had
    come back.

    \b
    Examples:
      hub review different 3 --reason "father and son, asked by phone"
      hub review different --records 20001 20417 --reason "a false merge: two people" --authority "letter 12"
    """
    _decide(invocation, "different", **given)


@review.command()
@_decision_options
@json_option
@click.pass_obj
def unsure(invocation: Invocation, /, **given: Any) -> None:
    """Nobody can tell yet: the pair goes on waiting, marked, and is not merged before a decision.

    \b
    Examples:
      hub review unsure 3 --reason "not reached, letter sent"
    """
    _decide(invocation, "unsure", **given)


def _decide(
    invocation: Invocation,
    verdict: "Verdict",
    number: int | None,
    records: tuple[str, str] | None,
    reason: str,
    authority: str | None,
    as_json: bool,
) -> None:
    _one_or_other(number, records)
    _has_reason(reason)
    from pipelines.steps.judge import judge
    from pipelines.steps.second_person import Alone, ask, note_alone
    from pipelines.texts import Texts

    with acting(invocation) as (night, who):
        texts = Texts(night.settings.hub.language)
        try:
            done = judge(night, number, records, verdict, who=who, why=reason, authority=authority)
        except Alone as alone:
            if records is None:
                raise
            note_alone(night, who, alone)
            # the desk has no page for records that don't wait as a pair
            facts = {
                "records": list(records), "verdict": verdict, "reason": reason, "authority": authority,
            }  # fmt: skip
            request = ask(night, "pair", facts, who)
            told = [texts.say(f"desk.second.{said}", n=request) for said in ("asked", "what_now")]
            answer(
                as_json, {"asked": request, "records": facts["records"], "verdict": verdict}, told
            )
            return
    payload = {
        "decision": done.judgement_no,
        "records": [done.left, done.right],
        "verdict": verdict,
        "customers": [party(number) for number in done.outlook.parties],
    }
    said = texts.say(f"verdict.{verdict}")
    told = [
        texts.say("review.decided", n=done.judgement_no, verdict=said),
        follows(texts, verdict, done.outlook),
        texts.say("review.takes_effect"),
    ]
    answer(as_json, payload, told)


@review.command()
@click.argument("judgement_no", type=int, metavar="DECISION")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the decision.")
@json_option
@click.pass_obj
def undo(invocation: Invocation, judgement_no: int, reason: str, as_json: bool) -> None:
    """Take a decision back: the next night weighs the pair as if nobody had decided it.

    Where others have been told since, it is a correction: it says whom, and the night queues a notice to each who was
    told wrong (hub disclosures recalls).

    \b
    Examples:
      hub review list --decided
      hub review undo 12 --reason "the wrong pair"
    """
    _has_reason(reason)
    from pipelines.steps.foresee_undo import how_far
    from pipelines.steps.judge import undo as take_back
    from pipelines.texts import Texts

    with acting(invocation) as (night, who):
        standing = how_far(night, judgement_no)
        done = take_back(night, judgement_no, who=who, why=reason)
    texts = Texts(night.settings.hub.language)
    told = [
        texts.say("review.undone", n=judgement_no, by=done.judgement_no),
        texts.say("review.after_undoing"),
        texts.say("review.takes_effect"),
        texts.say(f"desk.undo.reach_{standing.reach}"),
        *(
            texts.say(
                "desk.undo.told_to", recipient=one.recipient, n=one.deliveries, rows=one.rows,
                day=texts.day(one.until),
            )
            for one in standing.told
        ),
    ]  # fmt: skip
    recipients = [one.recipient for one in standing.told]
    facts = {"undone": judgement_no, "entry": done.judgement_no, "told": recipients}
    answer(as_json, facts, told)


def _has_reason(reason: str) -> None:
    if not reason.strip():
        raise click.UsageError("--reason says why, in a few words")
