"""Commands of matching: match file, match evaluate, match check, match preview.

Belongs here: asking the step and laying the answer out. Does not belong here: deciding anything. People
are shown by `--explain` only.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli import Failed, Invocation, answer, json_option
from pipelines.domain.wording import STRENGTHS

if TYPE_CHECKING:
    from pipelines.linkage.showing import Explained
    from pipelines.steps.night import Night
    from pipelines.texts import Texts

_FILE = click.Path(path_type=Path)


@click.group()
def match() -> None:
    """Which records are the same party: try it on a list, measure it, see what a change would do.

    \b
    Examples:
      hub match check
      hub match preview --leaked-per-million 20
      hub match file customers.csv --out clusters.csv
      hub match evaluate clusters.csv --truth truth.csv
    """


@match.command()
@click.argument("records", metavar="IN", type=_FILE)
@click.option(
    "--out", "clusters", required=True, type=_FILE, help="Write record_id, cluster_id here."
)
@click.option("--pairs", type=_FILE, help="Write left, right, score, verdict of every pair here.")
@click.option(
    "--explain", default=0, show_default=True, metavar="N",
    type=click.IntRange(min=0), help="Show the N likeliest pairs in review: people, side by side.",
)  # fmt: skip
@json_option
@click.pass_obj
def file(
    invocation: Invocation,
    records: Path,
    clusters: Path,
    pairs: Path | None,
    explain: int,
    as_json: bool,
) -> None:
    """Find the records of one party in a CSV or Parquet file.

    IN has a row a record. record_id has to be there, each once; of the rest what is known: kind (person or
    organisation), given_names, family_name, organisation_name, contact_name, person_key and birth_key
    (tokens that are compared for equality only), business_id, phone, email, street, house_number,
    apartment, postal_code, post_office, property_id, source, protection (`on` for a protective order).
    CSV is comma-separated UTF-8 with a header line.

    How much may be risked is in config/matching.yml. A pair's verdict is same (its records are in one
    cluster), review (a person should look) or different. The register is neither read nor changed, and
    nothing of the file is kept.

    \b
    Examples:
      hub match file customers.csv --out clusters.csv --pairs pairs.csv
      hub match file customers.parquet --out clusters.parquet --explain 5
      HUB_MATCHING__LEAKED_PER_MILLION=30 hub match file customers.csv --out clusters.csv --json
    """
    from pipelines.steps.match_file import match_file

    policy = invocation.settings.matching_policy
    done = match_file(records, clusters, pairs, policy, explain, _progress)
    payload = asdict(done)
    if not explain:
        del payload["explained"]
    verdicts = f"{done.same} same, {done.review} to review, {done.different} different"
    risk = done.expected_leaked_per_million
    lines = [
        f"{done.records} records, {done.clusters} parties",
        f"{done.pairs} pairs compared: {verdicts}",
        f"merged from score {done.threshold:.6f}, which risks {risk:.0f} leaked records per million",
        f"written: {', '.join(str(path) for path in (clusters, pairs) if path)}",
    ]
    if done.explained:
        lines += _explained(invocation, done.explained)
    answer(as_json, payload, lines)


def _explained(invocation: Invocation, pairs: "Sequence[Explained]") -> Iterator[str]:
    from pipelines.texts import Texts

    texts = Texts(invocation.settings.hub.language)
    for pair in pairs:
        yield from ("", f"score {pair.score:.4f}, {pair.verdict}")
        yield from (f"  {name:18} {a or '':32} {b or ''}".rstrip() for name, a, b in pair.values)
        yield from (f"  - {_piece(texts, said, weight)}" for said, weight in pair.evidence)


@match.command()
@click.argument("clusters", type=_FILE)
@click.option("--truth", required=True, type=_FILE, help="File of record_id, entity_id.")
@json_option
def evaluate(clusters: Path, truth: Path, as_json: bool) -> None:
    """Measure clusters against the truth: precision, recall, leaked records.

    CLUSTERS is what `hub match file` wrote, or any file of record_id and cluster_id. Precision and recall
    count pairs of records. A record is leaked when its cluster holds a record of somebody else.

    \b
    Examples:
      hub match evaluate clusters.csv --truth truth.csv
      hub match evaluate clusters.parquet --truth truth.parquet --json
    """
    from pipelines.steps.match_file import evaluate_file

    found = evaluate_file(clusters, truth)
    payload = {
        **asdict(found),
        "precision": round(found.precision, 6),
        "recall": round(found.recall, 6),
        "leaked_per_million": round(found.leaked_per_million, 1),
    }
    lines = [
        f"{found.records} records, {found.missing} without a cluster",
        f"precision {found.precision:.5f} ({found.right_pairs} of {found.found_pairs} pairs)",
        f"recall    {found.recall:.5f} ({found.right_pairs} of {found.true_pairs} pairs)",
        f"leaked    {found.leaked_per_million:.1f} records per million ({found.leaked_records})",
    ]
    answer(as_json, payload, lines)


@match.command()
@json_option
@click.pass_obj
def check(invocation: Invocation, as_json: bool) -> None:
    """Hold every judgement against the rules and thresholds of now; nothing is written.

    Lists the judgements that matching would decide otherwise by itself. One that `blocks` stops the night at
    the matched parties, until config/matching.yml is put back, or the judgement is undone or stated again
    (`hub review`). Ends with 1 if any blocks.

    \b
    Examples:
      hub match check
      HUB_MATCHING__LEAKED_PER_MILLION=500 hub match check
    """
    from pipelines.steps.match import check as replayed

    with _undisturbed(invocation) as night:
        at_odds = replayed(night)
    rows = at_odds.drop(columns=["left_key", "right_key"]).to_dict("records")
    lines = [
        f"judgement {row['judgement_id']}: {row['verdict']} said {row['decided_by']} on "
        f"{str(row['decided_at'])[:10]} of a record of {row['left_source']} and one of {row['right_source']}; "
        f"{_THOUGHT[row['thought']]}{'; blocks the night' if row['blocks'] else ''}"
        for row in rows
    ]
    blocking = int(at_odds["blocks"].sum())
    answer(
        as_json,
        {"at_odds": rows, "blocking": blocking},
        lines or ["every judgement agrees with the rules and thresholds of now"],
    )
    if blocking:
        raise Failed(f"{blocking} judgements block the night")


_THOUGHT = {
    "same": "matching would merge them",
    "never": "they have two identity codes or business ids and can't be one party",
}


@match.command()
@click.option(
    "--leaked-per-million",
    type=click.FloatRange(min=0, min_open=True, max=100_000),
    help="Records per million that may be expected beside somebody else's.",
)
@click.option(
    "--queued-per-hundred", type=click.FloatRange(min=0),
    help="Questions to stewards per hundred records, at most.",
)  # fmt: skip
@json_option
@click.pass_obj
def preview(
    invocation: Invocation,
    leaked_per_million: float | None,
    queued_per_hundred: float | None,
    as_json: bool,
) -> None:
    """What another matching.yml would merge and part, and what tomorrow's deliveries would say then.

    Runs matching, the register and the deliveries' preparation twice, as configured and as asked, in
    transactions that are undone; nobody is told anything. No night may run meanwhile. People are told of by
    the hub's own numbers only.

    \b
    Examples:
      hub match preview --leaked-per-million 20
      hub match preview --leaked-per-million 500 --json
    """
    from pipelines.steps.preview_match import preview_match

    if leaked_per_million is None and queued_per_hundred is None:
        raise click.UsageError(
            "say what would be otherwise: --leaked-per-million or --queued-per-hundred"
        )
    policy = invocation.settings.matching_policy
    if leaked_per_million is not None:
        policy = replace(policy, leaked_per_million=leaked_per_million)
    if queued_per_hundred is not None:
        policy = replace(policy, queued_per_hundred=queued_per_hundred)
    with _undisturbed(invocation) as night:
        seen = preview_match(night, policy)
    merged, parted, told = (
        frame.to_dict("records") for frame in (seen.merged, seen.parted, seen.told)
    )
    payload = {
        "merged": merged,
        "parted": parted,
        "parties": seen.parties,
        "waiting": seen.waiting,
        "told": told,
        "blocking": seen.blocking,
    }
    lines = [
        f"parties    {seen.parties[0]} as configured, {seen.parties[1]} then",
        f"questions  {seen.waiting[0]} as configured, {seen.waiting[1]} then",
        *(
            f"merged     {row['party_id']} into {row['into_party_id']} ({row['records']} records)"
            for row in merged
            if row["party_id"] != row["into_party_id"]
        ),
        *(
            f"parted     {row['party_id']} from {row['from_party_id']} ({row['records']} records)"
            for row in parted
            if row["party_id"] != row["from_party_id"]
        ),
        *(
            f"told       {row['recipient']}: {row['rows_now']} rows as configured, {row['rows_then']} then; "
            f"{row['only_now']} would not be told, {row['only_then']} told besides"
            for row in told
        ),
    ]
    if seen.blocking:
        lines.append(f"judgements {seen.blocking} would block the night: hub match check")
    answer(as_json, payload, lines)


@contextmanager
def _undisturbed(invocation: Invocation) -> Iterator["Night"]:
    """A night over the register while no other runs."""
    from pipelines.house import open_house

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    try:
        if not house.lock.acquire():
            holder = house.lock.holder() or "another run"
            raise Failed(f"already running: {holder}; try again when it has ended")
        yield house.night()
    finally:
        house.close()


def _piece(texts: "Texts", said: str, weight: str) -> str:
    """A piece of evidence with what it weighs; why a person has to look has no weight."""
    words = texts.evidence(said)
    weighs = f"weight.{weight}"
    return f"{words}: {texts.say(weighs)}" if weight in STRENGTHS else words


def _progress(stage: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"{stage} …", err=True)
