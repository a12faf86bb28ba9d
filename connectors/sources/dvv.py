"""The population register's change interface (VTJ-muutosrajapinta): who changed, then what is.

Belongs here: asking `/kirjausavain`, `/muutokset` and `/perustiedot` in batches, following the cursor.
Does not belong here: what an answer makes of a person (`dvv_people`), how a group is read (`dvv_groups`),
transport (`connectors.http`).

The change feed only says *who* changed. What becomes a record is base data, asked for inside the same
call for everybody who has no baseline or whose change matters, so that the cursor never passes a change
that was not taken in (FORMATS.md §1.1, DESIGN 2 and 4). Identity codes live as long as one call.

A person whose code DVV has corrected is recorded under the token of the code in force. As long as the
own register lends the retired code, that token has no baseline and base data is asked for each night:
one question more, and the change feed, which may not answer to a retired code, is not relied on.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from connectors.base import Ask, Batch, CursorWentBack, Lender, Malformed, Opening, Refused, Tokens
from connectors.http import Http, HttpSettings
from connectors.identity import Identity, read_identity
from connectors.sources.dvv_groups import ASKED_GROUPS
from connectors.sources.dvv_people import People

_MOST_PAGES = 10_000
_API = "/api/v1"


@dataclass(frozen=True)
class DvvOptions:
    """How to reach DVV and whom to ask about. timeout: seconds without an answer, attempts: tries in all.

    base_url: the service's address at the security server, with or without its final /api/v1.
    client: the X-Road-Client header, "FI/MUN/<business id>/<subsystem>". selection: "borrowed" asks
    about our own customers by identity code; "permit" leaves the choice to DVV's permit and needs
    permit_confirmed_by, the person who read that permit; "none" asks nothing.
    Raises ValueError for a setting that can't be used.
    """

    base_url: str
    username: str = field(repr=False)
    password: str = field(repr=False)
    client: str
    ca_file: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    timeout: float = 60.0
    attempts: int = 4
    changes_batch: int = 500
    base_data_batch: int = 100
    selection: Literal["borrowed", "permit", "none"] = "borrowed"
    permit_confirmed_by: str = ""
    allow_test_identities: bool = False

    def __post_init__(self) -> None:
        if self.selection not in ("borrowed", "permit", "none"):
            raise ValueError("selection is not one of borrowed, permit, none")
        if self.changes_batch < 1 or self.base_data_batch < 1:
            raise ValueError("a batch holds at least one person")
        self.http()

    def http(self) -> HttpSettings:
        base = self.base_url.rstrip("/")
        return HttpSettings(
            base_url=base if base.endswith(_API) else base + _API,
            username=self.username,
            password=self.password,
            headers={"X-Road-Client": self.client} if self.client else {},
            ca_file=self.ca_file,
            client_cert=self.client_cert,
            client_key=self.client_key,
            read_timeout=self.timeout,
            attempts=self.attempts,
        )


def connect(options: Mapping[str, Any], opening: Opening) -> "Dvv":
    """The source as the house opens it; ValueError or TypeError says which option can't be used."""
    given = {k: v for k, v in options.items() if v is not None}
    read = DvvOptions(**given, allow_test_identities=opening.allow_test_identities)
    if opening.patience is not None:
        read = replace(read, timeout=opening.patience, attempts=1)
    return Dvv(read, opening.lender, opening.tokens, opening.today)


class Dvv:
    """The population register as a `Source`; kind "party", key = the person's token.

    today: the ISO date `check` asks about (a fetch has its own business date).
    """

    def __init__(
        self,
        options: DvvOptions,
        lender: Lender,
        tokens: Tokens,
        today: Callable[[], str],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._options = options
        self._lender = lender
        self._tokens = tokens
        self._today = today
        self._sleep = sleep

    def fetch(self, ask: Ask) -> Batch:
        """Everybody with a change since `ask.cursor` or without a baseline, as base data says they are.

        Cursor: {"kirjausavain": n}; without one the feed starts at the business date. Each batch of
        codes is followed to its end, and the smallest end is the new cursor: what is heard twice does
        no harm. faults: "unreadable_identity" (key "unreadable-<n>"), "no_base_data" and
        "unreadable_base_data" (key = the token). total: how many were asked about. dropped also counts
        "unasked_person": people DVV mentions whom we did not ask about.
        Raises `CursorWentBack`, and `Malformed` for a feed that does not move on.
        """
        lent = self._lent()
        if self._options.selection == "none" or (lent is not None and not lent):
            # An empty list might mean everybody the permit allows (FORMATS.md §10.2): nothing is sent.
            return Batch((), dict(ask.cursor or {}), 0)
        people = People(
            self._tokens, lent, ask.known, ask.business_date, self._options.allow_test_identities
        )
        with self._open() as http:
            position = self._hear_changes(http, ask, people, lent)
            self._look_up(http, ask, people, people.to_look_up())
        return Batch(
            records=people.records,
            cursor={"kirjausavain": position},
            fetched=people.fetched,
            # The cursor moves for everybody: a list cut short would lose the changes of those left off.
            total=None if lent is None else len(lent),
            faults=people.faults,
            dropped=dict(people.dropped),
            unknown=dict(people.unknown),
        )

    def check(self) -> str:
        """Asks for today's cursor, which names nobody, and says how people are selected."""
        if self._options.selection == "none":
            return "DVV is not asked (selection: none)"
        self._confirm()
        with self._open() as http:
            answer = http.request("GET", f"kirjausavain/{self._today()}")
            _position(_object(answer.json(), answer.place), answer.place)
        return f"{answer.place}: lets us in (selection: {self._options.selection})"

    def _confirm(self) -> None:
        if self._options.selection == "permit" and not self._options.permit_confirmed_by.strip():
            raise Refused(
                "DVV is not asked: selection permit needs permit_confirmed_by, the person who has read "
                "which people the permit covers"
            )

    def _lent(self) -> dict[str, Identity] | None:
        """Own customers by code, or None where the permit selects."""
        self._confirm()
        if self._options.selection != "borrowed":
            return None
        lent = {}
        for code in self._lender.borrow().people.values():
            identity = read_identity(code, self._options.allow_test_identities)
            if isinstance(identity, Identity):
                lent[identity.code] = identity
        return lent

    def _open(self) -> Http:
        return Http(self._options.http(), self._sleep)

    def _hear_changes(
        self, http: Http, ask: Ask, people: People, lent: Mapping[str, Identity] | None
    ) -> int:
        """Takes in all changes; the smallest position that a batch ended at."""
        stored = (ask.cursor or {}).get("kirjausavain")
        if stored is None:
            answer = http.request("GET", f"kirjausavain/{ask.business_date}")
            start = _position(_object(answer.json(), answer.place), answer.place)
        else:
            start = _position({"viimeisinKirjausavain": stored}, "the stored cursor")
        if lent is None:
            return _drain(http, people, start, {})  # names nobody: nothing to announce
        ends = []
        for codes in _batches(lent, self._options.changes_batch):
            ask.announce("muutokset", people.tokens(codes))
            ends.append(_drain(http, people, start, {"hetulista": codes}))
        return min(ends)

    def _look_up(self, http: Http, ask: Ask, people: People, codes: Iterable[str]) -> None:
        """One record for each of these people from base data, a fault for whoever it leaves out."""
        for batch in _batches(codes, self._options.base_data_batch):
            ask.announce("perustiedot", people.tokens(batch))
            body = {"hetulista": batch, "tietoryhmat": list(ASKED_GROUPS)}
            page, place = _post(http, "perustiedot", body)
            found = page.get("perustiedot")
            if not isinstance(found, list):
                raise Malformed(f"{place}: no list perustiedot")
            if page.get("ajanTasalla") is False:
                people.unknown["perustiedot_not_up_to_date"] += 1
            asked = dict.fromkeys(batch)
            answered = {code for raw in found for code in people.take(raw, asked)}
            for code in batch:
                if code not in answered:
                    people.leave_out(code)


def _drain(http: Http, people: People, start: int, selection: Mapping[str, object]) -> int:
    """Follows one question to the feed's end; the position there."""
    position = start
    for _ in range(_MOST_PAGES):
        body = {"viimeisinKirjausavain": position, **selection}
        page, place = _post(http, "muutokset", body)
        reached = _position(page, place)
        if reached < position:
            raise CursorWentBack(f"{place}: offers position {reached} after {position}")
        entries, up_to_date = page.get("muutokset"), page.get("ajanTasalla")
        if not isinstance(entries, list) or not isinstance(up_to_date, bool):
            raise Malformed(f"{place}: no list muutokset or no ajanTasalla, after {position}")
        for entry in entries:
            people.hear(entry)
        if up_to_date:
            return reached
        if reached == position:
            raise Malformed(f"{place}: not up to date, yet stays at position {position}")
        position = reached
    raise Malformed(f"{place}: not up to date after {_MOST_PAGES} pages")


def _post(
    http: Http, operation: str, body: Mapping[str, object]
) -> tuple[Mapping[str, object], str]:
    answer = http.request("POST", operation, body=body, is_query=True)
    return _object(answer.json(), answer.place), answer.place


def _object(value: object, place: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise Malformed(f"{place}: the answer is not a JSON object")
    return value


def _position(page: Mapping[str, object], place: str) -> int:
    """viimeisinKirjausavain, which DVV writes as a number or as text."""
    value = page.get("viimeisinKirjausavain")
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed(f"{place}: viimeisinKirjausavain is not a position")
    return value


def _batches(codes: Iterable[str], size: int) -> Iterator[list[str]]:
    rest = iter(codes)
    while batch := list(islice(rest, size)):
        yield batch
