"""A pair's evidence by name: what facts show, how strongly that weighs, why a person has to look.

Belongs here: the names, and what a pair of some pattern usually looks like to a person. Does not belong here:
words in any language (`config/texts.yml`, said by `texts`), the weights themselves (`mixture`), laying it out
(`cli`).

A name is a text id without its family: what facts that count together show is `phone.same address.other`.
"""

from collections.abc import Mapping, Sequence

from pipelines.domain.evidence import EVIDENCE

_STRENGTHS = (
    (100.0, "strongly_for"),
    (5.0, "for"),
    (1.6, "slightly_for"),
    (0.6, "little"),
    (0.2, "slightly_against"),
    (0.01, "against"),
    (0.0, "strongly_against"),
)
STRENGTHS = tuple(name for _, name in _STRENGTHS)
"""How a piece of evidence weighs, from what speaks most for one party to what speaks most against."""

GUARDS = {
    name: f"guard.{name}"
    for name in ("protected", "estate", "two_births", "other_name", "father_and_son")
}
"""Why a person has to look, by name of the rule (`rules.guards`)."""

PICTURES = ("mover", "household", "namesakes", "one_owner")
"""What a pair usually looks like to a person, beside what the guards say."""

_WHEREABOUTS = ("address.", "property.", "others.")
"""Facts that tell where somebody lives, or with how many."""


def strength(odds: float) -> str:
    """How much evidence weighs that makes one party so many times likelier."""
    return next(name for floor, name in _STRENGTHS if odds >= floor)


def phrase(levels: Mapping[str, str], facts: Sequence[str]) -> str:
    """What facts that count together show: `phone.same address.other`; empty if nothing is stated.

    levels: fact → level, by name.
    """
    return " ".join(
        f"{fact}.{levels[fact]}" for fact in facts if levels[fact] not in ("unstated", "neither")
    )


def without_whereabouts(said: str) -> str:
    """A phrase without what a protective order hides (R56): also that two live at one place tells where."""
    return " ".join(name for name in said.split() if not name.startswith(_WHEREABOUTS))


def picture(table: str, levels: Mapping[str, str]) -> str | None:
    """Which of PICTURES a pair looks like, if any; levels: fact → level, by name."""
    ladder = EVIDENCE[table].levels

    def at_least(fact: str, level: str) -> bool:
        return ladder[fact].index(levels[fact]) >= ladder[fact].index(level)

    elsewhere = levels["address"] in ("other", "same_area", "same_street")
    if table == "organisation":
        shared = at_least("address", "same_house") or at_least("phone", "same")
        return "one_owner" if shared and not at_least("name", "near") else None
    if not at_least("family", "part"):
        return None
    if levels["given"] == "other":
        return "household" if at_least("address", "other_flat") else None
    if not elsewhere or not at_least("given", "initial"):
        return None
    tied = "same" in (levels["birth"], levels["second"], levels["phone"], levels["email"])
    return "mover" if tied else "namesakes"
