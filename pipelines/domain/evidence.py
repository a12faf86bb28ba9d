"""What is looked at when two records are compared: the facts, their levels, which facts are one.

Belongs here: names of facts and levels, and what they are called in words. Does not belong here: finding
the levels (`linkage.patterns`), what they are worth (`mixture`), what follows (`resolution`).

Facts that come together count together: whoever shares a roof shares address, property, phone and mailbox,
so these four are one fact, `household`, with the combinations found in the register as its levels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_CONTACTS: Mapping[str, tuple[str, ...]] = {
    "address": (
        "unstated", "other", "same_area", "same_street", "other_flat", "same_numbers", "same_house",
        "same_home",
    ),
    "property": ("unstated", "other", "same"),
    "phone": ("unstated", "other", "near", "same"),
    "email": ("unstated", "other", "near", "same"),
}  # fmt: skip
_SHARES = ("same_common", "same_usual", "same_rare", "same_very_rare")


@dataclass(frozen=True)
class Evidence:
    """The facts of one kind of record.

    levels: fact → its levels; the place of a level is its number, and after `unstated` comes what disagrees,
    then what agrees more and more. together: facts that are one fact, by the name of that fact; a fact that
    belongs to none is for rules, not for likelihood.
    """

    levels: Mapping[str, tuple[str, ...]]
    together: Mapping[str, tuple[str, ...]]


PERSON = Evidence(
    levels={
        "key": ("unstated", "other", "same"),
        "birth": ("unstated", "other", "same"),
        "given": (
            "unstated", "other", "alike", "initial", "near", "second", *_SHARES,
        ),
        "second": ("unstated", "other", "crossed", "near", "same"),
        "others": ("unstated", "other", "one", "none"),
        "family": ("unstated", "other", "alike", "part", "near", *_SHARES),
        **_CONTACTS,
        "estate": ("neither", "both", "other"),
        "protected": ("neither", "other"),
    },
    together={
        "birth": ("birth",),
        "given": ("given", "second", "others"),
        "family": ("family",),
        "household": tuple(_CONTACTS),
    },
)  # fmt: skip

ORGANISATION = Evidence(
    levels={
        "key": ("unstated", "other", "same"),
        "name": (
            "unstated", "other", "other_number", "alike", "word_in_common", "near", "same_words",
            *_SHARES,
        ),
        "form": ("unstated", "other", "same"),
        "contact": ("unstated", "other", "same"),
        **_CONTACTS,
    },
    together={
        "name": ("name", "form"),
        "contact": ("contact",),
        "household": tuple(_CONTACTS),
    },
)  # fmt: skip

EVIDENCE: Mapping[str, Evidence] = {"person": PERSON, "organisation": ORGANISATION}
