"""What an officer sends by hand to whoever was told: a request to delete, or a notice of correction (R43, R56).

Belongs here: putting an approved notification into one language. Does not belong here: the texts
(`config/texts.yml`), deciding (`steps.recall`). It holds the numbers by which the recipient finds what it was told,
and no value: neither the wrong one nor the right one, nor why an address may not be kept.
"""

from collections.abc import Iterator

from pipelines.settings import Settings
from pipelines.statement import Words
from pipelines.steps.recall import Approved
from pipelines.texts import Language


def letter(one: Approved, settings: Settings, language: Language, today: str) -> Iterator[str]:
    """The lines of the letter. today: the date it bears, ISO."""
    words, controller = Words(settings, language), settings.notice.controller
    say = words.texts.say
    kind = say(f"recall_letter.{one.kind}")
    yield say("recall_letter.from", controller=f"{controller.name}, {controller.address}")
    yield say("recall_letter.to", recipient=words.title(one.recipient))
    yield say("recall_letter.reference", kind=kind, number=one.number, day=words.texts.day(today))
    yield ""
    yield say("recall_letter.customer", customer=one.customer_number)
    for case in one.references:
        yield say("recall_letter.case", case=case)
    data = dict.fromkeys(words.column(name) for name in one.fields)
    yield say("recall_letter.data", data=", ".join(data))
    for at, delivery in one.told:
        yield say("recall_letter.told", at=words.moment(at), delivery=delivery)
    yield ""
    ask = "recall" if one.kind == "recall" else one.why
    yield say(f"recall_letter.ask_{ask}")
