"""The post: drops its postal codes every day and its streets every Saturday, as files of fixed width.

Belongs here: what it knows of the town's streets, which is not all, and how a record is written (FORMATS §3).
Does not belong here: the streets themselves (`names`), where files lie (`exchange`). It takes nothing in.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from connectors.sandbox import names
from connectors.sandbox.finance import Delivery

_UNHEARD_OF = 19  # one street in so many is too new for it
_NUMBERLESS = 7  # one in so many has no numbers, as in the country
_HOME_NUMBERS = 199
_CITY_NUMBERS = 119
_SATURDAY = 5


class Post:
    """The post's address files."""

    takes: tuple[str, ...] = ()

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """The day's postal codes and the last Saturday's streets; a spoiled day spoils the streets.

        `missing`: nothing at all. `truncated`: the streets end inside a line. `wrong_encoding`: in UTF-8.
        """
        if "missing" in spoiled_by:
            return {}
        encoding = "utf-8" if "wrong_encoding" in spoiled_by else "iso-8859-1"
        saturday = _last_saturday(stamp)
        streets = "".join(_streets(saturday)).encode(encoding)
        if "truncated" in spoiled_by:
            streets = streets[: len(streets) // 2 + 40]
        codes = "".join(_codes(stamp)).encode("iso-8859-1")
        return {f"PCF_{stamp}.dat": codes, f"BAF_{saturday}.dat": streets}

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """Nothing: nobody tells the post anything here."""
        return dict.fromkeys(range(1, len(delivery.rows) + 1), "not_taken")

    def pass_day(self, quiet: bool) -> None:
        """Nothing: its streets are those of the founding."""


def _last_saturday(stamp: str) -> str:
    day = date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:]))
    return (day - timedelta(days=(day.weekday() - _SATURDAY) % 7)).strftime("%Y%m%d")


def _codes(stamp: str) -> Iterator[str]:
    for office in (*names.HOME, names.HOME_BOXES, *names.NEIGHBOURS, *names.CITIES):
        kind = "2" if office is names.HOME_BOXES else "1"
        yield (
            f"PONOT{stamp}{office.code}{office.name:<30}{office.swedish:<30}{'':<12}{'':<12}"
            f"19960101{kind}{'FI1C2':<5}{'Kanta-Häme':<30}{'Egentliga Tavastland':<30}"
            f"{office.municipality}{office.name.capitalize():<20}{office.swedish.capitalize():<20}1\n"
        )


def _streets(stamp: str) -> Iterator[str]:
    for number, street in enumerate(names.STREETS):
        if number % _UNHEARD_OF == 3:
            continue
        office = names.HOME[number % 5 == 4]
        last = 0 if number % _NUMBERLESS == 2 else _HOME_NUMBERS
        yield from _sides(stamp, office, street, street, last)
    for office in (*names.CITIES, *names.NEIGHBOURS):
        for finnish, swedish in names.BILINGUAL_STREETS:
            yield from _sides(stamp, office, finnish, swedish, _CITY_NUMBERS)


def _sides(
    stamp: str, office: names.PostOffice, finnish: str, swedish: str, last: int
) -> Iterator[str]:
    """A street's odd and even numbers, or its one record without any."""
    if not last:
        yield _street(stamp, office, finnish, swedish, "", "", "")
        return
    for side in (1, 2):
        yield _street(
            stamp, office, finnish, swedish, str(side), str(side), str(last - side % 2 + 1)
        )


def _street(
    stamp: str, office: names.PostOffice, finnish: str, swedish: str, side: str, low: str, high: str
) -> str:
    number = "{:>5} {:1}{:>5} "  # number, letter, separator, number, letter
    return (
        f"KATUN{stamp}{office.code}{office.name:<30}{office.swedish:<30}{'':<12}{'':<12}"
        f"{finnish[:30]:<30}{swedish[:30]:<30}{'':<24}{side:<1}"
        f"{number.format(low, '', '')}{number.format(high, '', '')}"
        f"{office.municipality}{office.name.capitalize():<20}{office.swedish.capitalize():<20}\n"
    )
