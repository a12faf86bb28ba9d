"""The Finnish business id (Y-tunnus, FORMATS §5).

Belongs here: its one written form. Does not belong here: whose it is, or telling it from an identity code
that shares its field (the connectors do that before anything is landed).
"""

import re

from stdnum.fi import ytunnus

_SHAPE = re.compile(r"(?:FI)?(\d{6,7})-?(\d)")


def business_id(text: str) -> str | None:
    """`NNNNNNN-N` from any usual spelling (no dash, spaces, VAT prefix, the old six-digit body).

    None when the shape or the check digit is wrong.
    """
    found = _SHAPE.fullmatch(re.sub(r"\s", "", text).upper())
    if found is None or not found[0].isascii():
        return None
    number = f"{found[1]:>07}{found[2]}"
    return f"{number[:7]}-{number[7]}" if ytunnus.is_valid(number) else None
