"""Rules about any text that people typed.

Belongs here: what would hurt whoever opens the text, whatever field it stands in. Does not belong here:
what a name or an address is.
"""

from expectations.rules.rule import Rule, meaning

MEANINGS = {
    "formula_like_text": meaning(
        "Teksti alkaa merkillä, jonka taulukkolaskenta tulkitsee kaavaksi.",
        "Texten börjar med ett tecken som kalkylprogram tolkar som en formel.",
        "A text begins with a character that a spreadsheet reads as a formula.",
    ),
    "damaged_encoding": meaning(
        "Tekstin kirjaimet ovat rikkoutuneet merkistömuunnoksessa.",
        "Textens bokstäver har förvanskats vid teckenkonvertering.",
        "A text's letters were damaged by a wrong character encoding.",
    ),
}


def text_rules(*fields: str) -> tuple[Rule, ...]:
    """The rules of this module for each field."""
    return tuple(
        rule
        for name in fields
        for rule in (
            # the severity of a control character is said once, in `reading`
            Rule("control_character", name, "critical", "avoids", pattern=r"[\x00-\x1f\x7f-\x9f]"),
            Rule("formula_like_text", name, "warning", "avoids", pattern=r"\A[=+\-@]"),
            Rule(
                "damaged_encoding",
                name,
                "warning",
                "avoids",
                pattern="\ufffd|Ã[\u00a0-\u00bf\u201a-\u201e\u2026]",
            ),
        )
    )
