"""Which records of a register that holds a whole town are ours.

Belongs here: picking the records of our customers and of the properties they are connected to, and a mark
of whom a drop was read for. Does not belong here: reading a drop (`sources`), who our customers are (the
lender). A record that is not ours goes no further than here: of the town's others nothing is kept.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from connectors.base import Borrowed, Fault, Record, Tokens
from connectors.premises import plain_property_id


@dataclass(frozen=True, repr=False)
class Ours:
    """What was borrowed, in the words records are made of: tokens instead of identity codes (DESIGN 2)."""

    person_keys: frozenset[str]
    business_ids: frozenset[str]
    property_ids: frozenset[str]

    @classmethod
    def of(cls, borrowed: Borrowed, tokens: Tokens) -> Self:
        """Those lent for one call."""
        return cls(
            frozenset(map(tokens.person, borrowed.people.values())),
            frozenset(filter(None, map(_plain_business_id, borrowed.organisations.values()))),
            borrowed.property_ids,
        )

    @property
    def digest(self) -> str:
        """SHA-256 over everything that was lent: another one says that somebody came or went, never who."""
        kinds = (self.person_keys, self.business_ids, self.property_ids)
        lines = [f"{kind}:{word}" for kind, words in enumerate(kinds) for word in sorted(words)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def pick(
        self, records: Sequence[Record], faults: Sequence[Fault]
    ) -> tuple[list[Record], list[Fault]]:
        """Points on our properties, roles at them, who has such a role, and who is our customer anyway.

        Of a fault what could be read decides; one that shows nothing of ours is left out like a record.
        """
        rows: list[Record | Fault] = [*records, *faults]
        points = {
            row.key
            for row in rows
            if row.kind == "point"
            and plain_property_id(row.content.get("property_id")) in self.property_ids
        }
        in_role = {
            record.content.get("party")
            for record in records
            if record.kind == "role" and record.content.get("point") in points
        }

        def is_ours(row: Record | Fault) -> bool:
            if row.kind == "point":
                return row.key in points
            if row.kind == "role":
                return row.content.get("point") in points
            return (
                row.key in in_role
                or row.content.get("person_key") in self.person_keys
                or _plain_business_id(row.content.get("business_id")) in self.business_ids
            )

        return list(filter(is_ours, records)), list(filter(is_ours, faults))


def _plain_business_id(text: str | None) -> str:
    """The eight digits two registers can compare; empty, which is nobody's, for none."""
    digits = "".join(c for c in text or "" if c.isdigit())
    return digits.zfill(8) if digits else ""
