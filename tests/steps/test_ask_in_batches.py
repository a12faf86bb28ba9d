"""A batch of questions leaves once, about exactly those who were logged, and about nobody who may not be asked."""

import csv
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import Engine, insert

from connectors.base import Source, Unavailable
from connectors.sources.address_batch import AddressBatch, AddressBatchOptions
from pipelines.domain.schemas import GOLDEN, LANDED, PARTIES, PARTY_RECORDS
from pipelines.settings import Settings, SourceConfig, load_settings
from pipelines.steps.ask_in_batches import ask_in_batches
from pipelines.steps.ingest import ingest
from pipelines.steps.night import LogKeys, Night, StepResult
from pipelines.steps.refresh_address import _asked_in_batches
from pipelines.steps.restrain import restrain
from pipelines.store import disclosures, frames, judgements, nights, questions, tables
from pipelines.store.engine import transaction
from pipelines.store.verification import verify_log
from tests.steps.logged import NAME as LOG_NAME
from tests.steps.logged import VAULT, Logged

NAME, OWN = "address_batch", "registrations"
IN_FORCE = {"REFERENCE": "A-7", "SIGNED": "2026-01-01", "VALID_TO": "2026-12-31"}
HOME = {
    "address_type": "permanent", "street_line": "Kennintie 5", "postal_code": "31640",
    "post_office": "HUMPPILA", "country": "FI",
}  # fmt: skip


class Killed(BaseException):
    """The process died here."""


@dataclass
class Hub(Logged):
    """A register of a few people and a company with two folders."""

    environ: dict[str, str] = field(default_factory=dict)
    at: datetime = datetime(2026, 11, 2, 0, 30, tzinfo=UTC)
    read: dict[object, Settings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.inbox, self.outbox = self.home / "company" / "sisaan", self.home / "company" / "vienti"
        for folder in (self.inbox, self.outbox):
            folder.mkdir(parents=True)
        given = {"FOLDER__KIND": "folder", "FOLDER__PATH": str(self.home / "company")}
        self.environ |= dict.fromkeys(
            ("HUB_ADDRESS_BATCH_USERNAME", "HUB_ADDRESS_BATCH_PASSWORD"), "x"
        )
        given |= {f"AGREEMENT__{key}": value for key, value in IN_FORCE.items()}
        self.environ |= {f"HUB_SOURCES__ADDRESS_BATCH__{key}": v for key, v in given.items()}

    def night(self) -> Night:
        return Night(
            engine=self.engine,
            settings=self._settings(),
            business_date=self.at.date().isoformat(),
            clock=lambda: self.at,
            reached=lambda place: self.reached(place),
            log_keys=lambda: LogKeys(VAULT, LOG_NAME, self.signing),
        )

    def _settings(self) -> Settings:
        """Read once for each environment there was."""
        stated = tuple(sorted(self.environ.items()))
        if stated not in self.read:
            self.read[stated] = load_settings(self.home, self.environ)
        return self.read[stated]

    @property
    def config(self) -> SourceConfig:
        return self._settings().sources[NAME]

    def open(self) -> Source:
        return AddressBatch(AddressBatchOptions.from_mapping(self.config.options))

    def knows(self, party: int, **golden: Any) -> None:
        """Somebody with our number 1000NN; what a record of theirs states of an order, by `stated`."""
        record = {"source": OWN, "source_key": f"{100000 + party}", "party_id": party}
        stated = golden.pop("stated", "off")
        named = {"family_name": f"Lintula{party}", "given_names": "Aino", "protection": "off"}
        row = {"party_id": party, "party_type": "person", **named, **HOME, **golden}
        row["display_name"] = f"{row['family_name']} {row['given_names']}"
        with transaction(self.engine) as conn:
            frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame([record]))
            frames.put(conn, GOLDEN, GOLDEN.frame([row]))
            said = {**{k: record[k] for k in ("source", "source_key")}, "protection": stated}
            frames.put(conn, PARTIES, PARTIES.frame([{**said, "party_type": "person"}]))

    def ask(self) -> StepResult:
        return ask_in_batches(self.night(), self.config, self.open)

    def hear(self) -> StepResult:
        return ingest(self.night(), self.config, self.open)

    def days_pass(self, days: int) -> None:
        self.at += timedelta(days=days)

    @property
    def files(self) -> list[Path]:
        return sorted(self.inbox.glob("*.csv"))

    def asked(self) -> list[list[dict[str, str]]]:
        """The rows of each whole question that has been left, in order."""
        whole = [f for f in self.files if f.with_suffix(".json").exists()]
        return [list(csv.DictReader(f.read_text().splitlines(), delimiter=";")) for f in whole]

    def names(self) -> list[list[str]]:
        return [[row["SUKUNIMI"] for row in rows] for rows in self.asked()]

    def answer(self, rows: Sequence[dict[str, str]], number: int = -1) -> None:
        columns = "VIITE KOODI SUKUNIMI ETUNIMET LAHIOSOITE POSTINRO POSTITMP MUUTTOPVM KUOLINPVM"
        lines = [columns.replace(" ", ";")]
        lines += [";".join(row.get(c, "") for c in columns.split()) for row in rows]
        payload = "\n".join(lines).encode()
        name = self.files[number].name.replace("kysely", "vastaus")
        (self.outbox / name).write_bytes(payload)
        marker = {"rows": len(rows), "sha256": hashlib.sha256(payload).hexdigest()}
        (self.outbox / name).with_suffix(".json").write_text(json.dumps(marker))

    def logged(self) -> pd.DataFrame:
        """Everybody written down as asked about, as the log has them."""
        with transaction(self.engine) as conn:
            every = tables.disclosure_terms.c.recipient == NAME
            return disclosures._logged(conn, VAULT, every)

    def question(self) -> questions.Question:
        states = ("prepared", "leaving", "sent", "answered", "withdrawn")
        with transaction(self.engine) as conn:
            return questions.on_their_way(conn, NAME, *states)[-1]

    def findings(self) -> list[str]:
        with transaction(self.engine) as conn:
            return list(map(str, verify_log(conn, VAULT).findings))


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Hub:
    hub = Hub(engine, tmp_path)
    for party in (1, 2, 3):
        hub.knows(party)
    return hub


# --- who is in it, and who was logged ---------------------------------------------------------------


def test_r23_the_file_holds_exactly_those_who_were_logged_with_exactly_those_fields(
    hub: Hub,
) -> None:
    hub.knows(4, given_names=None)
    assert hub.ask().status == "ok"
    (rows,) = hub.asked()
    logged = hub.logged().set_index("subject_key")
    assert sorted(logged.index) == sorted(row["VIITE"] for row in rows)
    assert len(rows) == 4
    fields = {column: field for column, field in hub.config.options["asks"]["columns"].items()}  # type: ignore[index, union-attr, call-overload]
    for row in rows:
        stated = [fields[c] for c, value in row.items() if value and c != "VIITE"]
        assert sorted(logged.loc[row["VIITE"], "fields"]) == sorted(stated)
    assert set(logged["basis"]) == {"contract"}
    assert set(logged["purpose"]) == {"maintain_register"}
    assert hub.findings() == []


def test_r23_everybody_is_in_the_signed_log_before_a_byte_leaves(hub: Hub) -> None:
    seen = []

    def look(place: str) -> None:
        if place == f"ask:{NAME}:sending":
            with transaction(hub.engine) as conn:
                unsealed = verify_log(conn, VAULT).unsealed
            seen.append((len(hub.logged()), unsealed, hub.files))

    hub.reached = look
    hub.ask()
    assert seen == [(3, 0, [])]


OPEN = {
    "no order": {},
    "an order nobody has stated": {"protection": "not_stated"},
    "an address in no country": {"country": None},
}
SHUT = {
    "an order": {"protection": "on", "street_line": None},
    "an order and a contact address": {"protection": "on", "address_type": "contact"},
    "an order that a record states and the register does not yet": {"stated": "on"},
    "a contact address alone": {"address_type": "contact"},
    "dead": {"is_deceased": True},
    "a death estate": {"name_role": "death_estate"},
    "a firm": {"party_type": "organisation", "organisation_name": "Lintula Oy"},
    "abroad": {"country": "SE"},
    "no address": {"street_line": None},
    "no name": {"family_name": None},
    "a name that would be a formula": {"family_name": "=SUM(1)"},
}


def test_r56_nobody_who_may_not_be_asked_about_is_in_the_file_or_the_log(hub: Hub) -> None:
    people = {
        name: {"given_names": f"Nro {n}", **kind}
        for n, (name, kind) in enumerate((OPEN | SHUT).items())
    }
    for party, kind in enumerate(people.values(), start=9):
        hub.knows(party, **kind)
    assert hub.ask().counts["unsendable"] == 1
    (rows,) = hub.asked()
    found = {row["ETUNIMET"] for row in rows}
    assert [name for name, kind in people.items() if kind["given_names"] in found] == list(OPEN)
    assert len(rows) == len(hub.logged()) == 3 + len(OPEN)


@pytest.mark.parametrize("kind", ["restriction", "ban_on_marketing"])
def test_r45_whoever_has_restricted_is_not_asked_about(hub: Hub, kind: str) -> None:
    said = {"channel": "phone", "evidence": "call 7", "who": "clerk", "why": "asked"}
    restrain(hub.night(), "100002", kind, **said)  # type: ignore[arg-type]
    hub.ask()
    restricted = kind == "restriction"
    assert hub.names() == [["Lintula1", "Lintula3"] if restricted else ["Lintula1", "Lintula2", "Lintula3"]]  # fmt: skip


def test_r56_who_may_be_somebody_under_an_order_waits_for_the_steward(hub: Hub) -> None:
    other = {"source": "dvv", "source_key": "t", "party_id": 8}
    pair = dict(zip(judgements.PAIR, ("dvv", "t", OWN, "100002"), strict=True))
    with transaction(hub.engine) as conn:
        frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame([other]))
        hidden = {"source": "dvv", "source_key": "t", "party_type": "person", "protection": "on"}
        frames.put(conn, PARTIES, PARTIES.frame([hidden]))
        opened = {"stake": 1.0, "opened_at": "2026", "business_date": "2026-11-01"}
        conn.execute(insert(tables.review_pair).values(**pair, **opened))
    hub.ask()
    assert hub.names() == [["Lintula1", "Lintula3"]]


def test_whoever_another_register_knows_may_be_left_out(hub: Hub) -> None:
    hub.environ["HUB_SOURCES__ADDRESS_BATCH__IN_BATCHES"] = '{"unless_known_by": ["dvv"]}'
    with transaction(hub.engine) as conn:
        known = {"source": "dvv", "source_key": "t", "party_id": 2}
        frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame([known]))
    hub.ask()
    assert hub.names() == [["Lintula1", "Lintula3"]]


def test_one_party_with_two_of_our_numbers_is_asked_about_once(hub: Hub) -> None:
    with transaction(hub.engine) as conn:
        other = {"source": OWN, "source_key": "100000", "party_id": 2}
        frames.put(conn, PARTY_RECORDS, PARTY_RECORDS.frame([other]))
    hub.ask()
    assert sorted(hub.names()[0]) == ["Lintula1", "Lintula2", "Lintula3"]


def test_r15_without_an_agreement_in_force_nothing_is_asked_and_nothing_taken(hub: Hub) -> None:
    agreement = "HUB_SOURCES__ADDRESS_BATCH__AGREEMENT__"
    given = dict(hub.environ)
    ended, not_begun = {f"{agreement}VALID_TO": "2026-11-01"}, {f"{agreement}SIGNED": "2026-11-03"}
    unnamed = {k: v for k, v in given.items() if k != f"{agreement}REFERENCE"}
    for environ in (given | ended, given | not_begun, unnamed):
        hub.environ = environ
        for told in (hub.ask(), hub.hear()):
            assert told.status == "failed"
            assert "agreement" in told.text
            assert "R15" in told.text
    assert (hub.files, len(hub.logged())) == ([], 0)
    with transaction(hub.engine) as conn:
        feed = nights.last_feed(conn, NAME)
    assert feed is not None
    assert feed.status == "refused"


# --- when -------------------------------------------------------------------------------------------


def test_while_a_question_is_on_its_way_nothing_more_is_asked(hub: Hub) -> None:
    hub.ask()
    hub.knows(4)
    hub.days_pass(1)
    assert hub.ask().counts["asked_about"] == 0
    assert len(hub.files) == 1


def test_the_answered_are_asked_again_when_they_are_due_and_newcomers_at_once(hub: Hub) -> None:
    hub.ask()
    first = {row["SUKUNIMI"]: row["VIITE"] for row in hub.asked()[0]}
    hub.answer([{"VIITE": r["VIITE"], "KOODI": "0"} for r in hub.asked()[0]])
    hub.days_pass(1)
    hub.hear()
    hub.knows(4)
    hub.ask()
    hub.answer([{"VIITE": r["VIITE"], "KOODI": "3"} for r in hub.asked()[1]])
    hub.days_pass(29)
    hub.hear()
    hub.ask()
    assert hub.names() == [
        ["Lintula1", "Lintula2", "Lintula3"],
        ["Lintula4"],
        ["Lintula1", "Lintula2", "Lintula3"],
    ]
    # under the same reference, so that what they said before is superseded; and logged each time
    assert {row["SUKUNIMI"]: row["VIITE"] for row in hub.asked()[2]} == first
    assert hub.logged()["subject_key"].value_counts().to_dict() == {
        **dict.fromkeys(first.values(), 2),
        hub.asked()[1][0]["VIITE"]: 1,
    }


def test_an_answer_that_never_comes_is_told_and_keeps_nobody_waiting_for_ever(hub: Hub) -> None:
    hub.ask()
    hub.days_pass(15)
    late = hub.ask()
    assert (late.status, late.counts["asked_about"]) == ("attention", 0)
    assert [c.name for c in late.checks if not c.passed] == ["answered_by_then"]
    hub.knows(4)
    hub.ask()
    assert hub.names()[1] == ["Lintula4"]
    hub.answer([{"VIITE": hub.asked()[0][0]["VIITE"], "KOODI": "0"}], 0)
    assert hub.hear().counts["answered:match"] == 1


# --- killed in between ------------------------------------------------------------------------------

PLACES = ("begin", "uncommitted", "committed", "sealed", "sending", "leaving", "published")


def dies_at(place: str) -> Callable[[str], None]:
    def reach(reached: str) -> None:
        if reached == f"ask:{NAME}:{place}":
            raise Killed

    return reach


def killed_at(hub: Hub, place: str) -> None:
    hub.reached = dies_at(place)
    with pytest.raises(Killed):
        hub.ask()
    hub.reached = lambda _: None


def test_the_places_where_it_may_die_are_all_of_them(hub: Hub) -> None:
    passed: list[str] = []
    hub.reached = passed.append
    hub.ask()
    assert [p.rpartition(":")[2] for p in passed if p.startswith("ask:")] == list(PLACES)


@pytest.mark.parametrize("place", PLACES)
def test_killed_anywhere_it_is_sent_once_the_next_night_and_logged_once(
    hub: Hub, place: str
) -> None:
    killed_at(hub, place)
    hub.days_pass(1)
    hub.ask()
    assert hub.names() == [["Lintula1", "Lintula2", "Lintula3"]]
    logged = hub.logged()["subject_key"]
    assert sorted(logged) == sorted(row["VIITE"] for row in hub.asked()[0])
    assert (hub.question().state, hub.question().payload) == ("sent", None)
    assert hub.findings() == []


def test_what_the_company_has_taken_away_is_never_sent_again(hub: Hub) -> None:
    killed_at(hub, "published")
    for path in list(hub.inbox.iterdir()):
        path.unlink()
    hub.days_pass(1)
    hub.ask()
    assert hub.files == []
    assert hub.question().state == "sent"


@pytest.mark.parametrize("place", ["committed", "leaving"])
def test_r56_an_order_that_comes_between_log_and_sending_stops_the_question(
    hub: Hub, place: str
) -> None:
    killed_at(hub, place)
    hub.knows(2, stated="on")
    hub.days_pass(1)
    told = hub.ask()
    assert (told.counts["withdrawn"], told.counts["asked_about"]) == (3, 2)
    assert hub.names() == [["Lintula1", "Lintula3"]]
    with transaction(hub.engine) as conn:
        leaves = [json.loads(leaf) for leaf in disclosures.recent(conn, 50)["leaf"]]
    assert [(f["t"], f["n"]) for f in leaves if f["t"] == "aborted"] == [("aborted", 3)]
    assert hub.findings() == []


def test_a_company_that_is_down_gets_it_the_next_night(hub: Hub) -> None:
    class Down(AddressBatch):
        def send(self, *_: object, **__: object) -> None:
            raise Unavailable("sftp company.example:22 .: no connection (TimeoutError)")

    options = AddressBatchOptions.from_mapping(hub.config.options)
    told = ask_in_batches(hub.night(), hub.config, lambda: Down(options))
    assert (told.status, told.text.startswith("sftp company.example")) == ("failed", True)
    assert hub.question().state == "prepared"
    hub.days_pass(1)
    assert hub.ask().counts["asked_about"] == 3


# --- what comes back --------------------------------------------------------------------------------


def answered(hub: Hub, **row: str) -> StepResult:
    """The first of those asked about is answered so; the others are as we have them."""
    hub.ask()
    first, *others = hub.asked()[0]
    moved = {"LAHIOSOITE": "Uusitie 7", "POSTINRO": "30100", "MUUTTOPVM": "1.11.2026"}
    rows = [{**moved, "SUKUNIMI": "Lintula1", "VIITE": first["VIITE"], **row}]
    hub.answer([*rows, *({"VIITE": o["VIITE"], "KOODI": "0"} for o in others)])
    hub.days_pass(1)
    return hub.hear()


def test_an_answer_is_landed_and_bound_to_the_customer_it_was_asked_about(hub: Hub) -> None:
    told = answered(hub, KOODI="1")
    assert (told.counts["answered:moved"], told.counts["answered:match"]) == (1, 2)
    reference = hub.asked()[0][0]["VIITE"]
    with transaction(hub.engine) as conn:
        (landed,) = frames.read(conn, LANDED).to_dict("records")
        (bound,) = judgements.living(conn).to_dict("records")
    assert (landed["source"], landed["source_key"]) == (NAME, reference)
    assert landed["content"]["addresses"][0]["valid_from"] == "2026-11-01"
    assert [bound[name] for name in judgements.PAIR] == [NAME, reference, OWN, "100001"]
    assert (bound["verdict"], bound["decided_by"]) == ("same", NAME)


def test_what_was_taken_in_is_not_taken_in_again(hub: Hub) -> None:
    answered(hub, KOODI="1")
    told = hub.hear()
    assert (told.counts["fetched"], told.counts["landed"]) == (0, 0)


def test_a_steward_who_says_it_is_somebody_else_is_not_overruled_by_the_next_answer(
    hub: Hub,
) -> None:
    answered(hub, KOODI="1")
    reference = hub.asked()[0][0]["VIITE"]
    said = {"by": "steward", "reason": "seen", "now": "2026-11-04T08:00:00Z", "step_run": 1}
    with transaction(hub.engine) as conn:
        judgements.record(conn, (NAME, reference), (OWN, "100001"), "different", **said)  # type: ignore[arg-type]
    hub.days_pass(30)
    hub.ask()
    hub.answer([{"VIITE": reference, "KOODI": "1", "LAHIOSOITE": "Toinentie 1"}])
    hub.hear()
    with transaction(hub.engine) as conn:
        (standing,) = judgements.living(conn).to_dict("records")
    assert (standing["verdict"], standing["decided_by"]) == ("different", "steward")


def test_a_half_answer_is_refused_and_taken_in_once_it_is_whole(hub: Hub) -> None:
    hub.ask()
    rows = [{"VIITE": r["VIITE"], "KOODI": "3"} for r in hub.asked()[0]]
    hub.answer(rows)
    (file,) = hub.outbox.glob("*.csv")
    whole = file.read_bytes()
    file.write_bytes(whole[:-9])
    assert hub.hear().status == "failed"
    assert hub.question().state == "sent"
    file.write_bytes(whole)
    assert hub.hear().counts["answered:unknown"] == 3
    assert hub.question().state == "answered"


def test_r38_the_person_finds_the_question_in_their_statement_though_nobody_answered(
    hub: Hub,
) -> None:
    hub.ask()
    with transaction(hub.engine) as conn:
        (told,) = disclosures.of_party(conn, VAULT, 2).to_dict("records")
    assert (told["recipient"], told["operation"]) == (NAME, "address_batch")
    assert told["fields"] == ["family_name", "given_names", "street_line", "postal_code", "post_office"]  # fmt: skip


def test_who_is_no_customer_any_more_is_forgotten_here_too(hub: Hub) -> None:
    hub.ask()
    with transaction(hub.engine) as conn:
        questions.forget(conn, pd.DataFrame({"source": [OWN], "source_key": ["100002"]}))
        left = questions.ever_asked(conn, NAME)
    assert sorted(left["own_key"]) == ["100001", "100003"]


def test_a_refresh_says_when_the_company_was_last_asked(hub: Hub) -> None:
    def said(night: Night) -> list[tuple[str, str]]:
        return [(h.status, h.line) for h in _asked_in_batches(night, frozenset(["100002"]))]

    assert said(hub.night()) == [("never_asked", "")]
    killed_at(hub, "sealed")
    assert said(hub.night()) == [("never_asked", "")]
    hub.ask()
    hub.days_pass(3)
    assert said(hub.night()) == [("in_batches", "2026-11-02")]
