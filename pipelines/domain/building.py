"""The ids of properties and buildings (FORMATS §5).

Belongs here: the written form of kiinteistötunnus and VTJ-PRT. Does not belong here: what stands on a
property, or which building a consumption point serves.
"""

import re

_PROPERTY = re.compile(r"(\d{1,3})-(\d{1,3})-(\d{1,4})-(\d{1,4})(?:-?M-?(\d{1,4}))?")
_PLAIN = re.compile(r"(\d{14})(?:-?M?(\d{1,4}))?")
_BUILDING = re.compile(r"(\d{9})([0-9A-FHJ-NPR-Y])")
_CHECK = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def property_id(text: str) -> str | None:
    """Fourteen digits, a parcel (määräala) as `M` and four digits after them; None if it is neither.

    The display form `103-401-1-23-M601` may leave zeros out; it has no check digit.
    """
    written = _compact(text)
    found = _PROPERTY.fullmatch(written)
    if found is not None:
        plain = f"{found[1]:>03}{found[2]:>03}{found[3]:>04}{found[4]:>04}"
        parcel = found[5]
    else:
        found = _PLAIN.fullmatch(written)
        if found is None:
            return None
        plain, parcel = found[1], found[2]
    return plain if parcel is None else f"{plain}M{parcel:>04}"


def building_id(text: str) -> str | None:
    """A permanent building id (VTJ-PRT) in capitals; None when shape or check character is wrong."""
    found = _BUILDING.fullmatch(_compact(text))
    if found is None or _CHECK[int(found[1]) % 31] != found[2]:
        return None
    return found[0]


def is_test_building(building: str) -> bool:
    """Whether the id is one of those kept for testing: they start with 9."""
    return building.startswith("9")


def _compact(text: str) -> str:
    compact = re.sub(r"\s", "", text).upper()
    return compact if compact.isascii() else ""
