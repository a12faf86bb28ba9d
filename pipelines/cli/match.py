"""Commands of matching: match file, match evaluate.

Belongs here: asking the step and laying the answer out. Does not belong here: deciding anything. People
are shown by `--explain` only.
"""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from pipelines.cli import Invocation, answer, json_option

_FILE = click.Path(path_type=Path)


@click.group()
def match() -> None:
    """Which records are the same party: try it on a list, measure it.

    \b
    Examples:
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
    from pipelines.domain.resolution import Policy
    from pipelines.steps.match_file import match_file

    policy = Policy(**invocation.settings.matching.model_dump())
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
    for pair in done.explained:
        lines += ["", f"score {pair.score:.4f}, {pair.verdict}"]
        lines += [f"  {name:18} {a or '':32} {b or ''}".rstrip() for name, a, b in pair.values]
        lines += [f"  - {said}: {weight}" for said, weight in pair.evidence]
    answer(as_json, payload, lines)


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


def _progress(stage: str) -> None:
    if sys.stderr.isatty():
        click.echo(f"{stage} …", err=True)
