"""A pair's evidence in words, each piece with what it weighs.

Belongs here: phrases for facts and levels, the strength of a piece of evidence. Does not belong here: the
weights themselves (`mixture`), laying it out (`cli`).
"""

from collections.abc import Mapping, Sequence

_STRENGTHS = (
    (100.0, "speaks strongly for one party"),
    (5.0, "speaks for one party"),
    (0.2, "says little"),
    (0.01, "speaks against one party"),
    (0.0, "speaks strongly against one party"),
)

_FACTS = {
    "key": "identity code or business id", "birth": "birth date", "given": "given name",
    "second": "second given name", "others": "others at home", "family": "family name",
    "address": "address", "property": "property", "phone": "telephone", "email": "e-mail address",
    "name": "name", "form": "legal form", "contact": "contact person",
    "estate": "death estate", "protected": "protective order",
}  # fmt: skip
_LEVELS = {
    "unstated": "not stated in both",
    "other": "differs",
    "alike": "similar",
    "initial": "one is the other's initial",
    "near": "nearly the same",
    "second": "one is the other's second name",
    "crossed": "one is the other's first name",
    "part": "one is part of the other",
    "same": "the same",
    "same_common": "the same, and common",
    "same_usual": "the same, and usual",
    "same_rare": "the same, and rare",
    "same_very_rare": "the same, and very rare",
    "same_area": "the same postal code only",
    "same_street": "the same street, another house",
    "same_numbers": "the same house number and postal code, the street written otherwise",
    "other_flat": "the same house, another flat",
    "same_house": "the same house",
    "same_home": "the same home",
    "same_words": "the same words",
    "other_number": "other numbers in it",
    "word_in_common": "a word in common",
    "none": "nobody else is known there",
    "one": "one more person is known there",
    "neither": "neither",
    "both": "both",
}
_SPECIAL = {
    ("others", "other"): "several more people are known there",
    ("estate", "other"): "one is an estate, the other is not",
    ("protected", "other"): "holds for one of them at least",
}

GUARDS = {
    "protected": "a protective order holds: only an identity code merges",
    "estate": "a death estate: only an identity code merges",
    "two_births": "two birth dates: one is wrong, or these are two people",
    "other_name": "another name: what is shared may be a household or an owner",
    "father_and_son": "a birth date is missing: father and son of one name would look just the same",
}
"""Why a person has to look, by name of the rule (`rules.guards`)."""


def strength(odds: float) -> str:
    """How much evidence weighs that makes one party so many times likelier."""
    return next(words for floor, words in _STRENGTHS if odds >= floor)


def phrase(levels: Mapping[str, str], facts: Sequence[str]) -> str:
    """What facts that count together show: `telephone the same, address differs`; empty if nothing stated.

    levels: fact → level, by name.
    """
    shown = [fact for fact in facts if levels[fact] not in ("unstated", "neither")]
    return ", ".join(
        f"{_FACTS[fact]}: {_SPECIAL.get((fact, levels[fact]), _LEVELS[levels[fact]])}"
        for fact in shown
    )
