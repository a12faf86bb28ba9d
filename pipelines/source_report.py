"""What a source is told of its own errors, in one language and in its own terms (R43).

Belongs here: putting a report into lines. Does not belong here: what is told (`steps.report_faults`), the texts
(`config/texts.yml`; the rules' meanings stand beside the rules), sending it: a person does.
"""

from collections import Counter
from collections.abc import Iterator

from pipelines.settings import Settings
from pipelines.statement import Words
from pipelines.steps.report_faults import Report, Told
from pipelines.texts import Language


def document(report: Report, settings: Settings, language: Language, today: str) -> Iterator[str]:
    """The lines of the report: for each table of the source its keys, each with column and reason. today: its date, ISO.

    What its source knows by no key of ours is counted by column and reason.
    """
    words, controller = Words(settings, language), settings.notice.controller
    say, day = words.texts.say, words.texts.day
    yield say("fault_report.title", source=words.title(report.source), day=day(today))
    yield say("fault_report.from", controller=f"{controller.name}, {controller.address}")
    yield ""
    if not report.told:
        yield say("fault_report.nothing")
        return
    yield say("fault_report.about", n=len(report.told))
    if report.since is not None:
        yield say("fault_report.since", day=day(report.since))
    for file in dict.fromkeys(one.file for one in report.told):
        yield ""
        yield f"{file}:"
        mine = [one for one in report.told if one.file == file]
        for one in mine:
            if one.key is not None:
                yield f"  - {one.key}: {_error(one, words)} ({_state(one, words)})"
        unnamed = Counter(_error(one, words) for one in mine if one.key is None)
        for error, n in sorted(unnamed.items()):
            yield f"  - {say('fault_report.without_key', n=n)}: {error}"
    yield ""
    yield say("fault_report.ask")


def _error(one: Told, words: Words) -> str:
    said = words.texts.refusal(one.rule, one.reason).rstrip(".")
    return f"{', '.join(one.columns)}: {said}" if one.columns else said


def _state(one: Told, words: Words) -> str:
    return words.texts.say(f"fault_report.{one.state}", day=words.texts.day(one.since))
