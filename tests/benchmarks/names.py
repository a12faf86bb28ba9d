"""The words of the made-up register: given names, surnames, post offices, streets, and how often each is met.

Belongs here: words put together from the sandbox's and a few of our own, weights from a formula. Does not belong
here: who is called what (`population`), any list or table that others have made.

Only how uneven names are is Finland's: the commonest one's share and the chance that two people bear the same
are about what they are there; which name is how common is not.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from itertools import product
from typing import NamedTuple
from zlib import crc32

import numpy as np
import numpy.typing as npt

from connectors.sandbox import names

Weights = npt.NDArray[np.float64]


class Words(NamedTuple):
    """Words of one kind and how often each is met."""

    words: list[str]
    weights: Weights


class _Fall(NamedTuple):
    """How many words there are, and how steeply they fall (`falling`)."""

    number: int
    shift: float
    power: float


_FALLS = {
    "male": _Fall(199, 0.5, 0.72),
    "female": _Fall(199, 1.4, 0.70),
    "surname": _Fall(400, 16.8, 0.72),
    "city": _Fall(311, 0.0, 0.0),
    "street": _Fall(222, 0.0, 0.0),
}

# The commonest come first: those that go by a pet name, and those that are taken for one another.
_MEN = """Johannes Juhani Mikael Antero Tapio Matti Olavi Pekka Juha Kalevi Matias Mikko Tapani Jari Eino
    Kari Aleksanteri Antti Markus Jarmo Mika Henrik Ari Markku Juho Jani Harri Aleksi Arto Juhana Oskari
    Kalervo Oliver Timo Tomi Tommi Heikki Henri Aatu Aimo Akseli Armas Arvo Asko Benjamin Eelis Einari
    Esko Frans Ilari Jalo Jesse Joonas Juuso Kaapo Kauko Kustaa Luukas Mauri Nestori Oiva Osmo Sauli Sulevi"""
_WOMEN = """Maria Helena Anneli Kaarina Anna Johanna Marja Marjatta Hanna Hannele Anne Elina Katariina Eila
    Tuulikki Elisa Mari Annikki Emilia Sofia Kristiina Anni Marjo Elisabet Tuula Margareta Kirsi Merja Mirja
    Marika Martta Karoliina Annika Heli Helmi Kirsti Raija Raili Sari Satu Eeva Eija Tuulia Aleksandra Hellevi
    Pilvi Raisa Sirkku Vuokko"""
_FIRST_HALVES = {"male": ("Juha", "Veli", "Esa"), "female": ("Anna", "Marja", "Eeva")}
_SECOND_HALVES = {"male": ("Pekka", "Matti", "Petri"), "female": ("Liisa", "Leena", "Riitta")}

# of words with back vowels and of those with front vowels, for endings have to agree
_ROOTS = (
    "Auv Hauk Heim Hirs Jal Kart Kost Kur Lauh Lemm Miel Nokk Ots Paas Raikk Reht Samp Tait Tuisk Vall Vir Salv Kaun",
    "Mät Pyr Tyyn Yl Hyv Jyl Kätk Mänt Näsk Sär Väl Sylv Röyk",
)
_DERIVED = (("inen", "onen", "anen", "ola"), ("inen", "önen", "änen", "ölä"))
# nominative and genitive
_WHAT = {
    "mäki": "mäen", "niemi": "niemen", "lahti": "lahden", "koski": "kosken", "järvi": "järven",
    "saari": "saaren", "ranta": "rannan", "salo": "salon", "harju": "harjun", "kylä": "kylän",
}  # fmt: skip
_WHICH = """Haapa Hanhi Hauta Hieta Hiisi Honka Hopea Huhta Iso Kaita Kalma Karhu Kaski Kello Kivi Korpi Kuikka
    Kuura Kytö Lehto Loima Lumi Majava Matala Musta Märkä Naava Oja Pitkä Pyhä Rauta Ruoko Sammal Sini Sula
    Syvä Terva Uusi Valkea Vasa Vuolle"""
_WHOSE = ("Norr", "Söder", "Väster", "Öster", "Stor", "Lill", "Kyrk", "Skogs", "Träsk")
_SWEDISH_ENDS = ("näs", "by", "sund", "vik")


def falling(number: int, shift: float = 25.0, power: float = 1.05) -> Weights:
    """Weights by rank as words and towns have them (Zipf and Mandelbrot)."""
    weights = 1 / (np.arange(1, number + 1) + shift) ** power
    return np.asarray(weights / weights.sum())


@cache
def words(kind: str) -> Words:
    """The words of a kind, male, female, surname, city or street, the commonest first; weights add up to 1."""
    number, shift, power = _FALLS[kind]
    found = list(dict.fromkeys(_MADE[kind]()))
    assert len(found) >= number, kind
    return Words(found[:number], falling(number, shift, power))


def _male() -> Iterator[str]:
    yield from _MEN.split()
    yield from _mixed((*names.MEN, *names.SWEDISH_MEN, *_double("male")))


def _female() -> Iterator[str]:
    yield from _WOMEN.split()
    yield from _mixed((*names.WOMEN, *names.SWEDISH_WOMEN, *_double("female")))


def _double(kind: str) -> Iterator[str]:
    for first, second in product(_FIRST_HALVES[kind], _SECOND_HALVES[kind]):
        yield f"{first}-{second}"


def _surname() -> Iterator[str]:
    derived = (
        root + end
        for roots, ends in zip(_ROOTS, _DERIVED, strict=True)
        for root, end in product(roots.split(), ends)
    )
    yield from _mixed((*names.SURNAMES, *names.SWEDISH_SURNAMES, *derived))


def _city() -> Iterator[str]:
    swedish = (whose + end for whose, end in product(_WHOSE, _SWEDISH_ENDS))
    yield from _mixed((*swedish, *(which + what for which, what in product(_WHICH.split(), _WHAT))))


def _street() -> Iterator[str]:
    """Genitives: of places, and of those whose surname ends in -nen."""
    people = (name[:-3] + "sen" for name in names.SURNAMES if name.endswith("nen"))
    places = (which + what for which, what in product(_WHICH.split(), list(_WHAT.values())[:4]))
    yield from _mixed(word.lower() for word in (*people, *places))


def _mixed(made: Iterable[str]) -> list[str]:
    """In an order that means nothing and is always the same."""
    return sorted(made, key=lambda word: crc32(word.encode()))


_MADE = {
    "male": _male, "female": _female, "surname": _surname, "city": _city, "street": _street,
}  # fmt: skip
