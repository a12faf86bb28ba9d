"""What stewards and the morning letter read, in the language of `hub.yml` (DESIGN 17).

Belongs here: looking a text up and filling in counts and ids. Does not belong here: the texts
(`config/texts.yml`; the rules' meanings stand beside the rules in `expectations`), personal data.
"""

from collections.abc import Mapping
from functools import cache
from typing import Literal

from expectations import feeds
from expectations.rules import MEANINGS
from pipelines.settings import read_yaml, shipped

Language = Literal["fi", "sv", "en"]


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Every text by id, each in three languages."""
    return read_yaml(shipped("texts.yml"))


class Texts:
    """The catalogue in one language; an unknown id is a KeyError, so that a test finds it."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def say(self, entry: str, **values: object) -> str:
        """The text of an entry with its {names} filled in."""
        return catalogue()[entry][self.language].format(**values)

    def check(self, name: str) -> str:
        """What a check asks, as a sentence."""
        return self.say(f"check.{name}")

    def count(self, name: str) -> str:
        """What a count counts; `dropped:IBAN` reads as the text of `dropped` about IBAN."""
        entry, _, about = name.partition(":")
        words = catalogue().get(f"{entry}.{about}")  # where what it is about has words too
        return self.say(f"count.{entry}", name=words[self.language] if words else about)

    def evidence(self, said: str) -> str:
        """What facts that count together show (`domain.wording.phrase`), or why a person has to look."""
        if said.startswith("guard."):
            return self.say(said)
        return ", ".join(self.say(f"evidence.{shown}") for shown in said.split())

    def day(self, moment: str) -> str:
        """A date, or the date of an instant, as it is written in the language."""
        year, month, day = moment[:10].split("-")
        return moment[:10] if self.language == "en" else f"{int(day)}.{int(month)}.{year}"

    def refusal(self, rule: str, reason: object = None) -> str:
        """Why a record was refused: its rule in words, or what its connector said (in English) where it has none."""
        told = MEANINGS.get(rule) or catalogue().get(f"fault.{rule}")
        return told[self.language] if told else reason if isinstance(reason, str) else rule

    def counted(self, name: str) -> str:
        """What a check counted: how often a rule was broken, by its meaning, or a count."""
        told = MEANINGS.get(name) or feeds.MEANINGS.get(name)
        if told:
            return told[self.language]
        unread = f"fault.{name}"  # what a connector could not read
        return self.say(unread) if unread in catalogue() else self.count(name)
