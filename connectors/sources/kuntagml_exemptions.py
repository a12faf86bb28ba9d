"""The exemptions from the duty to connect that one call told of, property by property.

Belongs here: reading Vapautus (vesihuoltolaki, FORMATS.md §4.2) in the hub's declared words. Does not belong
here: asking (`kuntagml`), XML (`gml`), what an exemption means for a contract.

A property is a "point" under its id: an exemption is given to a property, whatever stands on it. Kept is since
when each network may be done without; who applied, and why, is nobody's here. An exemption counts from a
decision that granted it until it is said to have lapsed; the format has no last day. One that is not told of
any more changes nothing. Nothing here raises on what a server sends.
"""

from collections import Counter
from datetime import date

from connectors.base import Borrowed, Record
from connectors.gml import Element
from connectors.premises import plain_property_id

FEATURES = ("Vapautus",)
_APPLICATION = ("vapautushakemustieto", "Vapautushakemus")
# what is applied for, and what the site is said to do instead where that is left out
_NETWORKS = {
    "water_exempt_since": ("vesijohtoonLiittymisesta", "talousvedet"),
    "sewer_exempt_since": ("jatevesiviemariinLiittymisesta", "jatevedet"),
    "stormwater_exempt_since": ("hulevesiviemariinLiittymisesta", "hulevedet"),
}
# hakemuksenTila; a decision that has become final (13) does not say what was decided
_GRANTED, _LAPSED = ("3", "5"), "4"
_STATES = frozenset(map(str, range(14)))


class Exemptions:
    """Filled by `take`, feature by feature; read `records` afterwards.

    lent: what is ours. dropped: "hakija" (who applied), "unasked_property" (none of ours). unknown:
    "unreadable_exemption" (granted on no day or from no network that can be read), "hakemuksenTila".
    """

    def __init__(self, lent: Borrowed) -> None:
        self.fetched = 0
        self.dropped: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self._lent = lent
        self._told: dict[str, dict[str, str]] = {}

    def take(self, feature: Element) -> None:
        """One Vapautus."""
        self.fetched += 1
        application = feature.one(*_APPLICATION)
        site = application.one("kohde") if application else None
        if application is None or site is None:
            self.unknown["unreadable_exemption"] += 1
            return
        place = plain_property_id(site.text("kiinteistorekisteritunnus"))
        if place not in self._lent.property_ids or place is None:
            self.dropped["unasked_property"] += 1
            return
        self.dropped["hakija"] += application.one("hakija") is not None
        granted, lapsed = self._decided(feature)
        if not granted and not lapsed:
            return
        networks = _networks(application, site)
        if not networks:
            self.unknown["unreadable_exemption"] += 1
        decided = _day(feature.text("paatostieto", "Paatos", "paatosdokumentinPvm"))
        kept = self._told.setdefault(place, {})
        for name in networks if not lapsed else ():
            kept[name] = max(kept.get(name, ""), decided or granted)

    def records(self) -> list[Record]:
        """A point of every property of ours that has, or had, an exemption; of several the latest decision."""
        return [
            Record("point", place, None, {"property_id": place, **since})
            for place, since in sorted(self._told.items())
        ]

    def _decided(self, feature: Element) -> tuple[str, str]:
        """The day it was granted and the day it lapsed, empty where it was not or did not."""
        granted = lapsed = ""
        for day, _, number in sorted(self._changes(feature)):
            if number in _GRANTED:
                granted, lapsed = granted if granted and not lapsed else day, ""
            elif number == _LAPSED:
                lapsed = day
        return granted, lapsed

    def _changes(self, feature: Element) -> list[tuple[str, int, str]]:
        """Day, place and number of each state its handling was in."""
        found = []
        for order, step in enumerate(feature.each("kasittelytietotieto", "KasittelyTieto")):
            number = (step.text("hakemuksenTila") or "").partition(" ")[0]
            day = _day(step.text("tilanMuutosHetki")) or _day(step.text("muutosHetki"))
            if number in _STATES and day:
                found.append((day, order, number))
            elif number not in ("", "ei"):
                self.unknown["hakemuksenTila"] += 1
        return found


def _networks(application: Element, site: Element) -> list[str]:
    applied = application.one("haetaan")
    if applied is not None and applied.children:
        return [name for name, (wanted, _) in _NETWORKS.items() if applied.one(wanted)]
    return [name for name, (_, instead) in _NETWORKS.items() if site.one(instead)]


def _day(text: str | None) -> str | None:
    try:
        return date.fromisoformat(text[:10]).isoformat() if text else None
    except ValueError:
        return None
