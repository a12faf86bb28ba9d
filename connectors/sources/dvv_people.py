"""The people of one DVV call: whom we asked about, what the feed said of them, what base data says.

Belongs here: tying identity codes to tokens, corrections of codes, one record or fault per person. Does
not belong here: HTTP and paging (`dvv`), how a group is read (`dvv_groups`). Nothing here outlives the
call, because identity codes may not (DESIGN 2).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Fault, Record, Tokens
from connectors.identity import Identity, read_identity
from connectors.sources import dvv_groups
from connectors.sources.dvv_groups import Group, Status


@dataclass(frozen=True, repr=False)
class _Entry:
    """What one element of a message says: whom DVV names, who that is now, when, and the groups."""

    named: Identity
    active: Identity
    retired: tuple[Identity, ...]
    at: str | None
    groups: Sequence[Group] | None

    @property
    def identities(self) -> tuple[Identity, ...]:
        return (self.named, self.active, *self.retired)


@dataclass(repr=False)
class _Change:
    """Everything the feed said of one person, later statements over earlier ones."""

    identity: Identity
    at: str | None = None
    matters: bool = False
    retired: dict[str, Identity] = field(default_factory=dict)
    said: Status = field(default_factory=Status)
    restricted_at: str = ""

    def hear(self, entry: _Entry) -> None:
        """Entries come in order of time. A restriction without a time is lifted by none of them."""
        self.at = max(self.at or "", entry.at or "") or None
        self.matters |= not entry.groups or any(dvv_groups.is_change(g) for g in entry.groups)
        self.retired |= {i.code: i for i in entry.identities if i.code != self.identity.code}
        told, had = dvv_groups.status(entry.groups or ()), self.said
        protection, until = had.protection, had.protection_until
        if told.protection == "on":
            protection, until = "on", told.protection_until
            self.restricted_at = max(self.restricted_at, entry.at or "~")
        elif told.protection == "off" and (
            not self.restricted_at or (entry.at or "") > self.restricted_at
        ):
            protection, until = "off", None
        dead = told if told.is_deceased is not None else had
        self.said = Status(protection, until, dead.is_deceased, dead.death_date)


class People:
    """Filled by `hear` (changes) and `take` (base data); read records, faults and counts afterwards.

    lent: own customers by identity code, None where DVV's permit selects. known: tokens that have a
    baseline. today: the business date.
    """

    def __init__(
        self,
        tokens: Tokens,
        lent: Mapping[str, Identity] | None,
        known: frozenset[str],
        today: str,
        allow_test_identities: bool,
    ) -> None:
        self._tokens = tokens
        self._lent = lent
        self._known = known
        self._today = today
        self._allow = allow_test_identities
        self._met: dict[str, Identity] = dict(lent or {})
        self._entries: list[_Entry] = []
        self._successor: dict[str, str] = {}
        self._changed: dict[str, _Change] = {}
        self._unreadable = 0
        self.records: list[Record] = []
        self.faults: list[Fault] = []
        self.fetched = 0
        self.dropped: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def tokens(self, codes: Iterable[str]) -> list[str]:
        return [self._tokens.person(code) for code in codes]

    def hear(self, raw: object) -> None:
        """One element of `muutokset`; kept if it is about somebody we asked about."""
        entry = self._read(raw)
        if entry is None:
            return
        if self._lent is not None and not any(i.code in self._lent for i in entry.identities):
            self.dropped["unasked_person"] += 1
            return
        self._count(entry)
        self._met |= {i.code: i for i in entry.identities}
        self._entries.append(entry)

    def to_look_up(self) -> list[str]:
        """Codes in force of everybody without a baseline or with a change that matters, each once."""
        entries = sorted(self._entries, key=lambda e: e.at or "")
        for entry in entries:
            self._successor.pop(entry.active.code, None)
            former = {i.code for i in entry.identities} - {entry.active.code}
            self._successor |= dict.fromkeys(former, entry.active.code)
        for entry in entries:
            code = self._in_force(entry.active.code)
            self._changed.setdefault(code, _Change(self._met[code])).hear(entry)
        new = [c for c in self._lent or {} if self._tokens.person(c) not in self._known]
        changed = [code for code, change in self._changed.items() if change.matters]
        return list(dict.fromkeys([self._in_force(code) for code in new] + changed))

    def take(self, raw: object, asked: Mapping[str, None]) -> list[str]:
        """One element of `perustiedot` becomes a record or a fault; the asked codes it answers."""
        entry = self._read(raw)
        if entry is None:
            return []
        code = self._in_force(entry.active.code)
        active = self._met[code] if code != entry.active.code else entry.active
        change = self._changed.get(code)
        retired = [*entry.identities, *(change.retired.values() if change else ())]
        answered = [i.code for i in (active, *retired) if i.code in asked]
        if not answered:
            self.dropped["unasked_person"] += 1
            return []
        self._count(entry)
        if entry.groups is None:
            token = self._tokens.person(code)
            self.faults.append(
                _fault(token, "unreadable_base_data", "there is no list tietoryhmat")
            )
        elif dvv_groups.states_something(entry.groups):
            content = self._who(active, retired) | self._what(
                entry.groups, change.said if change else Status()
            )
            self._record(content, change)
        else:
            return []
        return answered

    def leave_out(self, code: str) -> None:
        """Base data was asked for and did not come; a restriction or a death heard of still counts."""
        person, change = self._met[code], self._changed.get(code)
        reason = "base data was asked for and leaves the person out"
        self.faults.append(_fault(self._tokens.person(code), "no_base_data", reason))
        if change and (change.said.protection == "on" or change.said.is_deceased):
            on = change.said.protection == "on"
            heard = _stated(
                protection="on" if on else None,
                protection_until=change.said.protection_until if on else None,
                is_deceased=change.said.is_deceased or None,
                death_date=change.said.death_date,
            )
            who = self._who(person, change.retired.values())
            self._record(who | heard, change, is_partial=True)

    def _record(
        self, content: Mapping[str, Any], change: _Change | None, *, is_partial: bool = False
    ) -> None:
        at = change.at if change else None
        self.records.append(Record("party", content["person_key"], at, content, is_partial))

    def _who(self, active: Identity, retired: Iterable[Identity]) -> dict[str, Any]:
        former = {self._tokens.person(i.code) for i in retired if i.code != active.code}
        return {
            "party_type": "person",
            "person_key": self._tokens.person(active.code),
            "birth_key": self._tokens.birth(active.birth_date),
            "key_id": self._tokens.key_id,
        } | _stated(superseded_person_keys=sorted(former) or None)

    def _what(self, groups: Sequence[Group], heard: Status) -> dict[str, Any]:
        """Base data in declared words; where it is silent, what the change feed last said."""
        stated = dvv_groups.status(groups)
        death = stated if stated.is_deceased is not None else heard
        order = stated if stated.protection is not None else heard
        hidden = dvv_groups.hides_addresses(groups) and not death.is_deceased
        protection = "on" if hidden else order.protection
        found = None if protection == "on" else dvv_groups.addresses(groups, self._today)
        return dvv_groups.name(groups, self._today) | _stated(
            protection=protection,
            protection_until=order.protection_until,
            is_deceased=death.is_deceased,
            death_date=death.death_date,
            addresses=found or None,
        )

    def _in_force(self, code: str) -> str:
        seen = {code}
        while (following := self._successor.get(code)) and following not in seen:
            seen.add(code := following)
        return code

    def _read(self, raw: object) -> _Entry | None:
        """An element of either message; a fault and None if nobody can tell whom it is about."""
        self.fetched += 1
        element = raw if isinstance(raw, dict) else {}
        named = self._identity(element.get("henkilotunnus"))
        if isinstance(named, str):
            self._unreadable += 1
            reason = f"the identity code in the message is at fault: {named}"
            key = f"unreadable-{self._unreadable}"
            self.faults.append(_fault(key, "unreadable_identity", reason))
            return None
        listed = element.get("tietoryhmat")
        groups = None
        if isinstance(listed, list):
            groups = [g if isinstance(g, dict) else {} for g in listed]
        told = dvv_groups.correction(groups or ())
        active = self._identity(told.active) if told.active else named
        if isinstance(active, str):
            self.unknown["HENKILOTUNNUS_KORJAUS"] += 1
            active = named
        former = [i for i in map(self._identity, told.earlier) if isinstance(i, Identity)]
        at = dvv_groups.instant(element.get("muutospv"))
        return _Entry(named, active, tuple(former), at, groups)

    def _identity(self, code: object) -> Identity | str:
        return read_identity(code if isinstance(code, str) else "", self._allow)

    def _count(self, entry: _Entry) -> None:
        if entry.groups is None:
            self.unknown["no_groups"] += 1
            return
        sorts = {(dvv_groups.sort_of(g), dvv_groups.group_name(g)) for g in entry.groups}
        self.dropped.update(name for sort, name in sorts if sort == "unwanted")
        self.unknown.update(name for sort, name in sorts if sort == "unknown")


def _fault(key: str, rule: str, reason: str) -> Fault:
    return Fault("party", key, rule, reason)


def _stated(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
