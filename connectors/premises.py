"""The ids of properties and buildings as two registers can compare them (FORMATS.md §5).

Belongs here: one plain form for ids that each register writes in its own way. Does not belong here:
whether a record may hold an id (the hub's rules say that), what stands on a property.
"""

import re

_PARTS = re.compile(r"([0-9]{1,3})-([0-9]{1,3})-([0-9]{1,4})-([0-9]{1,4})(?:-?M.*)?")
_PLAIN = re.compile(r"([0-9]{14})(?:-?M.*)?")
_BUILDING = re.compile(r"([0-9]{9})([0-9A-Y])")
_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def plain_property_id(text: str | None) -> str | None:
    """The 14 digits of a property id, of a parcel (määräala) those of its property; None if it is none."""
    written = "".join((text or "").split()).upper()
    if found := _PARTS.fullmatch(written):
        return f"{found[1]:>03}{found[2]:>03}{found[3]:>04}{found[4]:>04}"
    found = _PLAIN.fullmatch(written)
    return found[1] if found else None


def plain_building_id(text: str | None) -> str | None:
    """A permanent building id in capitals without spaces; None when there is none."""
    return "".join((text or "").split()).upper() or None


def has_check_character(building_id: str) -> bool:
    """Whether a permanent building id, in its plain form, is one that could have been given out."""
    found = _BUILDING.fullmatch(building_id)
    return found is not None and _CHECK[int(found[1]) % len(_CHECK)] == found[2]
