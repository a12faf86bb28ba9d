"""An address-update company: takes a file of people and their last address, answers the next day who has moved.

Belongs here: what the company knows, which is nearly what is so, and how it writes its answer. Does not belong
here: what is so (`world`), where files lie (`exchange`). It finds a person by name and address, as such a company
does; it hears of a move some days late and puts it on a day of its own, hears of most deaths, tells nothing of
whom an order hides, and now and then finds nobody. Our own design: no such company publishes a format.
"""

import csv
import hashlib
import io
import json
from collections.abc import Iterable
from random import Random

from connectors.sandbox.finance import Delivery
from connectors.sandbox.own_register import Row, finnish_date
from connectors.sandbox.scene import Scene
from connectors.sandbox.world import Person, days_after

QUESTION_COLUMNS = ("VIITE", "SUKUNIMI", "ETUNIMET", "LAHIOSOITE", "POSTINRO", "POSTITMP")
ANSWER_COLUMNS = (
    "VIITE", "KOODI", "SUKUNIMI", "ETUNIMET", "LAHIOSOITE", "POSTINRO", "POSTITMP", "MUUTTOPVM", "KUOLINPVM",
)  # fmt: skip
AS_THEY_WERE, MOVED, DEAD, UNKNOWN, SEVERAL, REFUSED = "0", "1", "2", "3", "4", "9"
_LAGS = (0, 0, 0, 1, 3)
_OWN_DAY = (-3, -2, -1, 1, 2, 3)
_OVERLOOKED = 0.01
_HEARS_OF_DEATHS = 0.7


class AddressCompany:
    """Asked one day, it has its answer ready the next; the answers it keeps are by the question's name."""

    takes = QUESTION_COLUMNS

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._asked: dict[str, list[Row]] = {}
        self.answers: dict[str, list[Row]] = {}

    def export(self, stamp: str, spoiled_by: list[str]) -> dict[str, bytes]:
        """Its newest answer, the marker last; none while there is none, or while it is late."""
        if not self.answers or "late" in spoiled_by:
            return {}
        question = max(self.answers)
        rows, columns = self.answers[question], list(ANSWER_COLUMNS)
        if "twice" in spoiled_by:
            rows = [*rows, *(row | {"KOODI": UNKNOWN} for row in rows[:1])]
        if "stranger" in spoiled_by:
            rows = [*rows, rows[0] | {"VIITE": "0123456789abcdef"}]
        if "extra_column" in spoiled_by:
            columns.append("PUHELIN")
            rows = [row | {"PUHELIN": "044 777 0770"} for row in rows]
        encoding = "windows-1252" if "wrong_encoding" in spoiled_by else "utf-8"
        payload = _written(columns, rows, encoding)
        marker = {"rows": len(rows), "sha256": hashlib.sha256(payload).hexdigest()}
        if "truncated" in spoiled_by:
            payload = payload[: len(payload) // 2]
        name = f"vastaus_{question}"
        return {f"{name}.csv": payload, f"{name}.json": json.dumps(marker).encode()}

    def take(self, delivery: Delivery, refuse_first: bool, stubborn: bool) -> dict[int, str]:
        """A question, to be answered tomorrow; row number (from 1) → code, for one that can't be read."""
        if delivery.fault:
            return dict.fromkeys(range(1, len(delivery.rows) + 1), delivery.fault)
        if delivery.delivery_id not in self.answers:
            self._asked[delivery.delivery_id] = delivery.rows
        return {}

    def pass_day(self, quiet: bool) -> None:
        """It answers what it was asked yesterday."""
        for question, rows in self._asked.items():
            chance = Random(f"{self._scene.town.world.seed}/address_batch/{question}")
            people = self._by_name({_names(row["SUKUNIMI"], row["ETUNIMET"]) for row in rows})
            self.answers[question] = [self._answer(row, people, chance) for row in rows]
        self._asked = {}

    def lag_of(self, person: Person) -> int:
        """How many days after a move it hears of it."""
        return self._own(person).choice(_LAGS)

    def _own(self, person: Person) -> Random:
        return Random(f"{self._scene.town.world.seed}/address_batch/{person.person_id}")

    def _by_name(self, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], list[Person]]:
        found: dict[tuple[str, str], list[Person]] = {}
        for person in self._scene.town.world.people.values():
            names = _names(person.family_name, person.given_names[0])
            if names in wanted:
                found.setdefault(names, []).append(person)
        return found

    def _answer(self, row: Row, people: dict[tuple[str, str], list[Person]], chance: Random) -> Row:
        namesakes = people.get(_names(row["SUKUNIMI"], row["ETUNIMET"]), [])
        line = row["LAHIOSOITE"].casefold()
        found = [p for p in namesakes if line in _lines(p)]
        overlooked = chance.random() < _OVERLOOKED
        answer = {"VIITE": row["VIITE"]}
        if not found or overlooked:
            return answer | {"KOODI": UNKNOWN}
        if len(found) > 1:
            return answer | {"KOODI": SEVERAL}
        (person,) = found
        if person.is_protected:
            return answer | {"KOODI": REFUSED}
        if person.death_date:
            heard = self._own(person).random() < _HEARS_OF_DEATHS
            day = finnish_date(person.death_date)
            return answer | ({"KOODI": DEAD, "KUOLINPVM": day} if heard else {"KOODI": UNKNOWN})
        return answer | self._home(person, line)

    def _home(self, person: Person, asked: str) -> Row:
        """Where it believes the person lives, if that is not where they were asked about."""
        known = days_after(self._scene.today, -self.lag_of(person))
        stays = [s for s in person.stays if s.since <= known and s.address.country == "FI"]
        if not stays or stays[-1].address.line().casefold() == asked:
            return {"KOODI": AS_THEY_WERE}
        home = stays[-1].address
        moved = days_after(stays[-1].since, self._own(person).choice(_OWN_DAY))
        return {
            "KOODI": MOVED,
            "SUKUNIMI": person.family_name,
            "ETUNIMET": " ".join(person.given_names),
            "LAHIOSOITE": home.line(),
            "POSTINRO": home.office.code,
            "POSTITMP": home.office.name,
            "MUUTTOPVM": finnish_date(moved),
        }


def _names(family: str, given: str) -> tuple[str, str]:
    return family.casefold(), given.casefold().partition(" ")[0]


def _lines(person: Person) -> set[str]:
    """Every address it may know the person by, in either language."""
    stays = [*person.stays, *([person.summer_stay] if person.summer_stay else [])]
    return {s.address.line(swedish).casefold() for s in stays for swedish in (False, True)}


def _written(columns: list[str], rows: Iterable[Row], encoding: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return text.getvalue().encode(encoding)
