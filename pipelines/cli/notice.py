"""The privacy notice on the command line: what it does not allow, where it is silent.

Does not belong here: rights of a person (`data_protection`).
"""

from dataclasses import asdict
from pathlib import Path

import click

from pipelines import notice as notices
from pipelines.breaches import check as check_notice
from pipelines.cli import Failed, Invocation, answer, json_option


@click.group()
def notice() -> None:
    """The privacy notice that everything is held against.

    config/notice.yml is the notice in machine form: what may be held, from whom, for what, and who may
    be told.

    \b
    Examples:
      hub notice check
      hub notice gaps
    """


@notice.command("check")
@click.option(
    "--text",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The published notice: also see that config/notice.yml quotes it word for word.",
)
@json_option
@click.pass_obj
def notice_check(invocation: Invocation, text: Path | None, as_json: bool) -> None:
    """See that no source or recipient goes beyond the notice.

    \b
    Examples:
      hub notice check
      hub notice check --text tietosuojaseloste.txt
    """
    settings = invocation.settings
    breaches = check_notice(
        settings.notice, settings.sources, settings.recipients, invocation.today()
    )
    published = text.read_text("utf-8") if text is not None else None
    misquoted = notices.strangers(settings.notice, published) if published is not None else []
    same_text = published is None or notices.text_hash(published) == settings.notice.sha256
    payload = {
        "notice": settings.notice.version,
        "breaches": [asdict(b) for b in breaches],
        "misquoted": misquoted,
        "same_text": same_text if published is not None else None,
    }
    problems = [
        *map(str, breaches),
        *(f"notice.yml: {where}: the published notice has no such phrase" for where in misquoted),
        *([] if same_text else ["notice.yml: sha256: the published notice is another text"]),
    ]
    agreed = f"nothing goes beyond the notice of {settings.notice.version}"
    answer(as_json, payload, problems or [agreed])
    if problems:
        raise Failed(f"{len(problems)} breaches of the notice of {settings.notice.version}")


@notice.command("gaps")
@json_option
@click.pass_obj
def notice_gaps(invocation: Invocation, as_json: bool) -> None:
    """Show where the notice is silent or contradicts itself.

    Each with the phrase, what the hub does until it is answered, and the question to the data protection
    officer.

    \b
    Examples:
      hub notice gaps
      hub notice gaps --json
    """
    found = notices.gaps(invocation.settings.notice)
    version = invocation.settings.notice.version
    lines = [f"{len(found)} gaps in the notice of {version}"]
    for gap in found:
        lines += [
            "",
            gap.id,
            f"  «{gap.phrase}»",
            f"  {gap.what}",
            f"  meanwhile: {gap.default}",
            f"  to ask:    {gap.question}",
        ]
    answer(as_json, {"notice": version, "gaps": [asdict(g) for g in found]}, lines)
