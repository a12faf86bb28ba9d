"""Finding customers by the words of their names: any order, å and ä as good as a, one slip of the finger forgiven.

Belongs here: what counts as found, and which finding comes first. Does not belong here: reading the register, who may
search (`steps.look`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from pipelines.domain.names import fold

# a word this short has too many neighbours for a slip to be forgiven
_FORGIVEN_FROM = 4


@dataclass(frozen=True)
class NameIndex:
    """The words of all names, folded, and whose they are. A row's place is its place in `parties`."""

    parties: Sequence[int]
    rows_of: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, names: pd.DataFrame) -> "NameIndex":
        """names: party_id, display_name."""
        rows_of: dict[str, list[int]] = defaultdict(list)
        for row, name in enumerate(names["display_name"].fillna("")):
            for word in set(fold(name).split()):
                rows_of[word].append(row)
        return cls([int(p) for p in names["party_id"]], dict(rows_of))

    def find(self, words: str, most: int) -> list[int]:
        """The parties whose name has every word, the closest first, at most so many.

        A word is found in a word that it is, begins, or stands in; failing that, in one that is a letter too many, too
        few, another, or two letters the other way round. Nothing is found of no words.
        """
        wanted = list(dict.fromkeys(fold(words).split()))
        if not wanted:
            return []
        total: dict[int, int] = {}
        for number, word in enumerate(wanted):
            found = self._rows_with(word)
            if number == 0:
                total = found
            else:
                total = {r: total[r] + off for r, off in found.items() if r in total}
        best = sorted(total, key=lambda row: (total[row], self.parties[row]))
        return [self.parties[row] for row in best[:most]]

    def _rows_with(self, word: str) -> dict[int, int]:
        """Row → how far off its nearest word is: 0 the word, 1 begins with it, 2 has it, 3 a slip away."""
        found: dict[int, int] = {}
        for known, off in self._words_like(word):
            for row in self.rows_of[known]:
                if off < found.get(row, 9):
                    found[row] = off
        return found

    def _words_like(self, word: str) -> Iterable[tuple[str, int]]:
        for known in self.rows_of:
            if word in known:
                yield known, 0 if known == word else 1 if known.startswith(word) else 2
            elif len(word) >= _FORGIVEN_FROM and is_a_slip(word, known):
                yield known, 3


def is_a_slip(one: str, other: str) -> bool:
    """Whether two different words are one letter apart: added, left out, another, or two swapped."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    at = 0
    while at < len(short) and short[at] == long[at]:
        at += 1
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    if short[at + 1 :] == long[at + 1 :]:
        return one != other
    return short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
