"""Reading a Finnish personal identity code (henkilötunnus), for the length of one connector call.

Belongs here: telling a valid code from a faulty one, the birth date inside it, what a record may say of it.
Does not belong here: making tokens (`base.Tokens`); where codes come from; anything that keeps one (DESIGN 2:
none is kept).
"""

import re
from dataclasses import dataclass, field

from stdnum.exceptions import InvalidChecksum, InvalidFormat, ValidationError
from stdnum.fi import hetu

from connectors.base import Tokens

_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−﹘﹣－"), "-")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_SHAPE = re.compile(r"[0-9]{6}[-+A-FU-Y][0-9]{3}[0-9A-Y]")
_CENTURY = {"+": "18"} | dict.fromkeys("-YXWVU", "19") | dict.fromkeys("ABCDEF", "20")
_FIRST_TEST_NUMBER = 900


@dataclass(frozen=True)
class Identity:
    """A valid code in its one canonical spelling, and the ISO birth date it states."""

    code: str = field(repr=False)
    birth_date: str = field(repr=False)


def read_identity(text: str, allow_test_identities: bool) -> Identity | str:
    """The code in `text`, or the name of its fault; neither raises nor repeats the text.

    Case, spaces and typographic dashes are forgiven; all century signs since 2023 are known
    (FORMATS.md §5). Faults: "malformed" (not the shape, or an individual number below 002),
    "not_a_date", "check_character", "test_identity" (a valid code with an individual number 900–999
    where those are not allowed).
    """
    code = "".join(text.translate(_DASHES).translate(_INVISIBLE).split()).upper()
    if not _SHAPE.fullmatch(code) or code[7:10] in ("000", "001"):
        return "malformed"
    try:
        hetu.validate(code, allow_temporary=True)
    except InvalidChecksum:
        return "check_character"
    except InvalidFormat:
        return "malformed"
    except ValidationError:
        return "not_a_date"
    if not allow_test_identities and int(code[7:10]) >= _FIRST_TEST_NUMBER:
        return "test_identity"
    return Identity(code, f"{_CENTURY[code[6]]}{code[4:6]}-{code[2:4]}-{code[0:2]}")


def tokens_of(text: str, tokens: Tokens, allow_test_identities: bool) -> dict[str, str]:
    """A code in a record's words: its tokens and the key they were made with, or why there are none."""
    identity = read_identity(text, allow_test_identities)
    if isinstance(identity, str):
        return {"identity_fault": identity}
    return {
        "person_key": tokens.person(identity.code),
        "birth_key": tokens.birth(identity.birth_date),
        "key_id": tokens.key_id,
    }
